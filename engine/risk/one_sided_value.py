"""How much may be traded on one side in a minute (RELIABILITY 4.3: told from 1 000 000, halted at 5 000 000)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import Fill, KillLevel
from engine.domain.timestamps import MINUTE_NS
from engine.domain.verdict import Denial
from engine.risk.cost import worst_case_value
from engine.risk.limit import Finding, Limit, Subject, refuse_unless_positive, refuse_unless_rising
from engine.risk.view import RiskView


class OneSidedValue(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of an account, symbol and side, in the instrument's currency. An order that could bring it to ``stop`` is denied;
    fills that do latch the account HALT."""

    name: ClassVar[str] = "one_sided_value"
    monitors: ClassVar[bool] = True
    warn: Decimal = Decimal(1_000_000)
    stop: Decimal = Decimal(5_000_000)

    def __post_init__(self) -> None:
        refuse_unless_positive("warn", self.warn)
        refuse_unless_rising("warn", self.warn, "stop", self.stop)

    def prepare(self, view: RiskView) -> None:
        view.count_own_volume()

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        reached = self._reached(order, view, now_ns)
        if reached is None:
            return Denial("STALE_DATA", f"order value not known: no reference price of {order.instrument}")
        if reached < self.stop:
            return None
        return Denial("BEHAVIOUR", f"one-sided value exceeded: {reached} in a minute (stop {self.stop})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        reached = self._reached(order, view, now_ns)
        return f"{'not known' if reached is None else reached} on this side in a minute, stop {self.stop}"

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        if not isinstance(subject, Fill):
            return None
        value = self._traded(subject, subject.side, view, now_ns)
        if value < self.warn:
            return None
        way = "bought" if subject.side.sign > 0 else "sold"
        cause = f"{value} of {subject.instrument} {way} in a minute (told from {self.warn}, stop {self.stop})"
        level = KillLevel.HALT if value >= self.stop else KillLevel.RUN
        key = f"{subject.instrument} {way} {now_ns // MINUTE_NS}"
        return Finding(level, f"account:{subject.account}", cause, key=key)

    def _reached(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Decimal | None:
        value = worst_case_value(order, view)
        return None if value is None else value + self._traded(order, order.side, view, now_ns)

    @staticmethod
    def _traded(subject: Subject, side: Side, view: RiskView, now_ns: int) -> Decimal:
        if view.own_volume is None:
            raise LookupError("fills are not counted")
        return view.own_volume.value(subject.account, subject.instrument, side.sign > 0, now_ns)
