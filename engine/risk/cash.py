"""Worst-case cost is paid from what is available and not reserved; nothing is borrowed (RELIABILITY 4.1, row 21)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import Side, SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.cost import purchase_cost
from engine.risk.limit import Limit
from engine.risk.view import COST_FACTOR, RiskView

_SELL = Side.SELL
_SELL_SHORT = Side.SELL_SHORT


class Cash(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``factor``: what the value is multiplied with before fees are added; at least 1."""

    name: ClassVar[str] = "cash"
    factor: Decimal = COST_FACTOR

    def __post_init__(self) -> None:
        if not self.factor.is_finite() or self.factor < 1:
            raise ValueError(f"factor must be a finite number of at least 1, not {self.factor}")

    def prepare(self, view: RiskView) -> None:
        view.set_cost_factor(self.factor)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        side = order.side
        futures = view.portfolio.futures
        on_margin = bool(futures) and view.instruments[order.instrument].market in futures
        if (side is _SELL or side is _SELL_SHORT) and not on_margin:
            return None
        cost = purchase_cost(order, view)
        if cost is None:
            return Denial("STALE_DATA", f"cost not known: no reference price of {order.instrument}")
        book = view.portfolio.accounts[order.account]
        available = book.available_cash(view.instruments[order.instrument].currency)
        if on_margin:
            available -= view.portfolio.lost(order.account, view.instruments[order.instrument].currency)
        if cost <= available:
            return None
        return Denial("CASH", f"cash exceeded: worst-case cost {cost} (available {available})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        if order.side.sign < 0:
            return "a sale"
        currency = view.instruments[order.instrument].currency
        available = view.available_cash(order.account, currency)
        cost = purchase_cost(order, view)
        return f"worst-case cost {'not known' if cost is None else cost}, available {available} {currency}"
