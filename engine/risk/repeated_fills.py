"""A strategy that fills again and again with nobody looking (RELIABILITY 4.1, row 17: 30 in 10 minutes)."""

from typing import Annotated, ClassVar

from msgspec import Meta

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit, refuse_unless_duration, span_ns
from engine.risk.view import RiskView


class RepeatedFills(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``cap`` fills of one strategy in ``window``; the count begins again when a person lowers a latch on it."""

    name: ClassVar[str] = "repeated_fills"
    cap: Annotated[int, Meta(ge=1, le=100_000)] = 30
    window: str = "10m"

    def __post_init__(self) -> None:
        refuse_unless_duration("window", self.window, "1d")

    def prepare(self, view: RiskView) -> None:
        view.count_fills(span_ns(self.window), self.cap)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        count = self._count(order, view, now_ns)
        if count < self.cap:
            return None
        return Denial("REPEAT", f"repeated execution: {count} fills in the last {self.window} (cap {self.cap})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return f"{self._count(order, view, now_ns)} fills of {order.strategy} in the last {self.window}, cap {self.cap}"

    @staticmethod
    def _count(order: SubmitOrder, view: RiskView, now_ns: int) -> int:
        if view.fill_windows is None:
            raise LookupError("fills are not counted")
        return view.fill_windows.count(order.strategy, now_ns)
