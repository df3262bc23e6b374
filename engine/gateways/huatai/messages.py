"""Money and small answers: objects of numbers, of which zeros and nothing are no facts (contracts/ht.md 3, 5.8)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.domain.account import Balance
from engine.domain.errors import BadMessage, OutcomeUnknown
from engine.domain.money import CENT, ZERO
from engine.gateways.huatai.cells import number
from engine.gateways.huatai.wire import Reply

CURRENCY = "CNY"
TOTAL = ("资金余额",)
AVAILABLE = ("可用金额", "可用资金", "可用余额")
FROZEN = ("冻结资金", "冻结金额")
MARKET_VALUE = ("股票市值", "证券市值", "参考市值", "总市值")
ASSETS = ("总资产", "资产总值")


class ClientGone(OutcomeUnknown):
    """The answer of a server whose client is gone, or whose labels can not be read: nothing, or only zeros."""


class Funds(Struct, frozen=True, kw_only=True):
    """Yuan, to the cent. ``market_value`` None: not said."""

    total: Decimal
    available: Decimal
    assets: Decimal
    market_value: Decimal | None = None

    @property
    def balances(self) -> tuple[Balance, ...]:
        return (Balance(currency=CURRENCY, total=self.total, available=self.available),)


def funds_from_wire(reply: Reply) -> Funds:
    """The balance.

    Raises:
        ClientGone: empty, or all zero: no account anybody trades has nothing at all.
        BadMessage: not an object of numbers, or without cash.
    """
    data = reply.data
    if not isinstance(data, Mapping):
        raise BadMessage(f"{reply.request}: no object of figures")
    cells = {str(name).strip(): number(cell, f"{reply.request}: {name}") for name, cell in data.items()}
    if not any(cells.values()):
        raise ClientGone(f"{reply.request}: {'only zeros' if cells else 'nothing'}: the client is gone or not readable")
    available, total, assets = (_first(cells, names) for names in (AVAILABLE, TOTAL, ASSETS))
    market_value, frozen = _first(cells, MARKET_VALUE), _first(cells, FROZEN)
    if total is None and available is not None:
        total = available + (frozen or ZERO)
    if total is None:
        raise BadMessage(f"{reply.request}: neither {TOTAL[0]} nor {AVAILABLE[0]} among {', '.join(cells)}")
    available = total - (frozen or ZERO) if available is None else available
    assets = total + (market_value or ZERO) if assets is None else assets
    if assets <= 0:
        raise ClientGone(f"{reply.request}: {ASSETS[0]} {assets}: the client is gone or not readable")
    return Funds(
        total=total.quantize(CENT),
        available=available.quantize(CENT),
        assets=assets.quantize(CENT),
        market_value=None if market_value is None else market_value.quantize(CENT),
    )


def has_popup(reply: Reply) -> bool:
    """Raises: BadMessage: it does not say."""
    found: Any = reply.data.get("has_pop_dialog") if isinstance(reply.data, dict) else None
    if not isinstance(found, bool):
        raise BadMessage(f"{reply.request}: no has_pop_dialog")
    return found


def _first(cells: Mapping[str, Decimal | None], names: tuple[str, ...]) -> Decimal | None:
    return next((cells[name] for name in names if cells.get(name) is not None), None)
