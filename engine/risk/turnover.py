"""The value traded in a day: what has filled, and what open orders may still add to it."""

from collections.abc import Hashable
from decimal import Decimal

from engine.domain.ids import AccountId, InstrumentId, StrategyId
from engine.domain.money import ZERO
from engine.risk.scopes import SCOPE_KEYS, Scope
from engine.risk.windows import DaySum


class Turnover:
    """By scope and market, in the market's currency. Open orders of yesterday count today as well."""

    __slots__ = ("_filled", "_key", "_open", "_unpriced")

    def __init__(self, scope: Scope) -> None:
        self._key = SCOPE_KEYS[scope]
        self._filled: dict[Hashable, DaySum] = {}
        self._open: dict[Hashable, Decimal] = {}
        self._unpriced: dict[Hashable, int] = {}

    def key(self, strategy: StrategyId, account: AccountId, instrument: InstrumentId, market: str) -> Hashable:
        return (self._key(strategy, account, instrument), market)

    def add_filled(self, key: Hashable, day: int, value: Decimal) -> None:
        total = self._filled.get(key)
        if total is None:
            total = self._filled[key] = DaySum()
        total.add(day, value)

    def change_open(self, key: Hashable, unit_value: Decimal | None, change: int) -> None:
        """An open order may now fill ``change`` units more (or fewer), each worth ``unit_value`` if that is known."""
        if unit_value is None:
            self._unpriced[key] = self._unpriced.get(key, 0) + change
        else:
            self._open[key] = self._open.get(key, ZERO) + unit_value * change

    def total(self, key: Hashable, day: int) -> Decimal | None:
        """Filled today and still open; None while an open order's worth is not known."""
        if self._unpriced.get(key):
            return None
        filled = self._filled.get(key)
        return (filled.total(day) if filled is not None else ZERO) + self._open.get(key, ZERO)
