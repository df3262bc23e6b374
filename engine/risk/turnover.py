"""Sums of money over orders: what was traded in a day, and what open orders may still come to."""

from collections.abc import Hashable
from decimal import Decimal
from typing import Any, Protocol

from engine.domain.commands import Side, SubmitOrder
from engine.domain.ids import AccountId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.risk.scopes import SCOPE_KEYS, Scope
from engine.risk.windows import DaySum

_ADDING = (Side.BUY, Side.SELL_SHORT)


class ValueSum(Protocol):
    """A sum that open orders count in."""

    def key_of(self, order: SubmitOrder, instrument: Instrument) -> Any:
        """Under what the order counts; None: not at all."""

    def change_open(self, key: Any, unit_value: Decimal | None, change: int) -> None:
        """An open order may now fill ``change`` units more (or fewer), each worth ``unit_value`` if that is known."""


class OpenValue:
    """What open orders may still add to positions, by account and currency. Sales of what is held add nothing."""

    def __init__(self) -> None:
        self._open: dict[AccountId, dict[str, Decimal]] = {}
        self._unpriced: dict[AccountId, int] = {}

    def key_of(self, order: SubmitOrder, instrument: Instrument) -> Any:
        """Account and currency; None: a sale of what is held, or the cover of a short sale."""
        return (order.account, instrument.currency) if order.side in _ADDING else None

    def change_open(self, key: Any, unit_value: Decimal | None, change: int) -> None:
        """See ``ValueSum``."""
        account, currency = key
        if unit_value is None:
            self._unpriced[account] = self._unpriced.get(account, 0) + change
        else:
            values = self._open.setdefault(account, {})
            values[currency] = values.get(currency, ZERO) + unit_value * change

    def by_currency(self, account: AccountId) -> dict[str, Decimal] | None:
        """Of one account; None while an open order's worth is not known."""
        return None if self._unpriced.get(account) else self._open.get(account, {})


class Turnover:
    """The value traded in a day: what has filled, and what open orders may still add to it.

    By scope and market, in the market's currency. Open orders of yesterday count today as well.
    """

    __slots__ = ("_filled", "_key", "_open", "_unpriced")

    def __init__(self, scope: Scope) -> None:
        self._key = SCOPE_KEYS[scope]
        self._filled: dict[Hashable, DaySum] = {}
        self._open: dict[Hashable, Decimal] = {}
        self._unpriced: dict[Hashable, int] = {}

    def key(self, strategy: StrategyId, account: AccountId, instrument: InstrumentId, market: str) -> Hashable:
        return (self._key(strategy, account, instrument), market)

    def key_of(self, order: SubmitOrder, instrument: Instrument) -> Hashable | None:
        return (self._key(order.strategy, order.account, order.instrument), instrument.market)

    def add_filled(self, key: Hashable, day: int, value: Decimal) -> None:
        total = self._filled.get(key)
        if total is None:
            total = self._filled[key] = DaySum()
        total.add(day, value)

    def change_open(self, key: Hashable, unit_value: Decimal | None, change: int) -> None:
        """See ``ValueSum``."""
        if unit_value is None:
            self._unpriced[key] = self._unpriced.get(key, 0) + change
        else:
            self._open[key] = self._open.get(key, ZERO) + unit_value * change

    def open(self, key: Hashable) -> Decimal | None:
        """What open orders may still trade; None while the worth of one is not known."""
        return None if self._unpriced.get(key) else self._open.get(key, ZERO)

    def total(self, key: Hashable, day: int) -> Decimal | None:
        """Filled today and still open; None while an open order's worth is not known."""
        if self._unpriced.get(key):
            return None
        filled = self._filled.get(key)
        return (filled.total(day) if filled is not None else ZERO) + self._open.get(key, ZERO)
