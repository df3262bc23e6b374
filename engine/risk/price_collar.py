"""How far from the latest price an order may be priced (RELIABILITY 4.1, rows 12 and 13: 3 %, 3 s or two polls)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit, refuse_unless_duration, refuse_unless_positive, span_ns
from engine.risk.view import RiskView


class PriceCollar(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``percent`` either way, itself allowed. Any order, priced or not, needs a price that is at most ``max_age`` old,
    or two intervals old where the feed polls and has declared its interval (``RiskView.feed_interval_ns``)."""

    name: ClassVar[str] = "price_collar"
    percent: Decimal = Decimal(3)
    max_age: str = "3s"

    def __post_init__(self) -> None:
        refuse_unless_positive("percent", self.percent)
        refuse_unless_duration("max_age", self.max_age, "1d")

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        reference = view.reference(order.instrument)
        age_ns = view.reference_age_ns(order.instrument, now_ns)
        if reference is None or age_ns is None:
            return Denial("STALE_DATA", f"no reference price of {order.instrument}")
        allowed_ns = self._allowed_ns(order, view)
        if age_ns > allowed_ns:
            return Denial("STALE_DATA", f"reference price too old: {age_ns / 1e9:g}s (cap {allowed_ns / 1e9:g}s)")
        if order.price is None or abs(order.price - reference) * 100 <= self.percent * reference:
            return None
        return Denial("COLLAR", f"price collar exceeded: {order.price} is more than {self.percent}% from {reference}")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        reference = view.reference(order.instrument)
        age_ns = view.reference_age_ns(order.instrument, now_ns)
        if reference is None or age_ns is None:
            return f"no reference price, collar {self.percent}%"
        asked = "market" if order.price is None else f"price {order.price}"
        old = f"{age_ns / 1e9:g}s old (cap {self._allowed_ns(order, view) / 1e9:g}s)"
        return f"{asked}, reference {reference} {old}, collar {self.percent}%"

    def _allowed_ns(self, order: SubmitOrder, view: RiskView) -> int:
        return max(span_ns(self.max_age), 2 * view.feed_interval_ns.get(order.instrument, 0))
