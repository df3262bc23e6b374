"""The same order again within moments, or while the last one's fate is not known (RELIABILITY 4.1, row 15: 3 s)."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit, refuse_unless_duration, span_ns
from engine.risk.view import RiskView


class DuplicateOrder(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``window``: how long an order of the same strategy, symbol, side, quantity and price is a duplicate."""

    name: ClassVar[str] = "duplicate_order"
    counts_open_orders: ClassVar[bool] = True
    window: str = "3s"

    def __post_init__(self) -> None:
        refuse_unless_duration("window", self.window, "1h")

    def prepare(self, view: RiskView) -> None:
        view.remember_orders(span_ns(self.window))

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        undecided = view.undecided(order.account, order.instrument, order.side)
        if undecided:
            return Denial(
                "DUPLICATE", f"undecided order: {undecided} {order.side} of {order.instrument} may or may not be placed"
            )
        age_ns = self._age_ns(order, view, now_ns)
        if age_ns is None:
            return None
        return Denial("DUPLICATE", f"duplicate order: the same was sent {age_ns / 1e9:g}s ago (window {self.window})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        undecided = view.undecided(order.account, order.instrument, order.side)
        age_ns = self._age_ns(order, view, now_ns)
        last = "no same order" if age_ns is None else f"same order {age_ns / 1e9:g}s ago"
        return f"{last} within {self.window}, {undecided} undecided"

    @staticmethod
    def _age_ns(order: SubmitOrder, view: RiskView, now_ns: int) -> int | None:
        if view.recent is None:
            raise LookupError("orders are not remembered")
        key = (order.strategy, order.instrument, order.side, order.quantity, order.price)
        return view.recent.age_ns(key, now_ns)
