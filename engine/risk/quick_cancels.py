"""Orders withdrawn as soon as they were sent, and how many are withdrawn at all (RELIABILITY 4.3)."""

from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import Meta

from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel
from engine.domain.verdict import Denial
from engine.risk.limit import Finding, Limit, Subject, refuse_unless_duration, refuse_unless_rising, span_ns
from engine.risk.view import RiskView

Count = Annotated[int, Meta(ge=1, le=16_000)]


class QuickCancelRatio(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of an account, market and trading day. ``warn`` cancels within ``span`` of the order: a person is told. ``stop``
    of them, and more than ``ratio_percent`` of at least ``orders`` orders cancelled: latched HALT."""

    name: ClassVar[str] = "quick_cancels"
    monitors: ClassVar[bool] = True
    span: str = "1s"
    warn: Count = 10
    stop: Count = 30
    ratio_percent: Decimal = Decimal(40)
    orders: Count = 50

    def __post_init__(self) -> None:
        refuse_unless_duration("span", self.span, "1m")
        refuse_unless_rising("warn", self.warn, "stop", self.stop)
        if not self.ratio_percent.is_finite() or not 0 <= self.ratio_percent <= 100:
            raise ValueError(f"ratio_percent must be from 0 to 100, not {self.ratio_percent}")

    def prepare(self, view: RiskView) -> None:
        view.count_quick_cancels(span_ns(self.span))

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        orders, cancels, quick = self._counts(order, view, now_ns)
        if not self._stops(orders, cancels, quick):
            return None
        return Denial("BEHAVIOUR", f"quick cancels exceeded: {self._words(orders, cancels, quick)}")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return self._words(*self._counts(order, view, now_ns))

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        orders, cancels, quick = self._counts(subject, view, now_ns)
        if quick < self.warn:
            return None
        level = KillLevel.HALT if self._stops(orders, cancels, quick) else KillLevel.RUN
        return Finding(level, f"account:{subject.account}", self._words(orders, cancels, quick))

    def _stops(self, orders: int, cancels: int, quick: int) -> bool:
        return quick >= self.stop and orders >= self.orders and cancels * 100 > self.ratio_percent * orders

    def _words(self, orders: int, cancels: int, quick: int) -> str:
        return (
            f"{quick} cancels within {self.span} today (told from {self.warn}, stop {self.stop} and more than "
            f"{self.ratio_percent}% of {self.orders} orders), {cancels} of {orders} orders cancelled"
        )

    @staticmethod
    def _counts(subject: Subject, view: RiskView, now_ns: int) -> tuple[int, int, int]:
        if view.quick_cancels is None:
            raise LookupError("cancels are not counted")
        instrument = view.instruments[subject.instrument]
        key = (subject.account, instrument.market)
        return view.quick_cancels.counts(key, view.trading_day(instrument, now_ns))
