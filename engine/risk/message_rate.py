"""How many orders and cancels leave, as the exchange counts them (RELIABILITY 4.3): told, then halted.

300 a second or 20 000 a day are high-frequency trading to the exchanges. The rate limits deny orders far below; but no
limit denies a cancel, so what leaves is watched as well.
"""

from typing import Annotated, ClassVar

from msgspec import Meta

from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel
from engine.domain.verdict import Denial
from engine.risk.limit import Finding, Limit, Subject, refuse_unless_rising
from engine.risk.view import RiskView

PerSecond = Annotated[int, Meta(ge=1, le=240)]
PerDay = Annotated[int, Meta(ge=1, le=16_000)]


class MessageRate(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of an account, all strategies and restarts together; by the day also by market. What never left is no message.
    At ``warn`` a person is told; at ``stop`` the account is latched HALT."""

    name: ClassVar[str] = "message_rate"
    monitors: ClassVar[bool] = True
    warn: PerSecond = 5
    stop: PerSecond = 10
    day_warn: PerDay = 1_000
    day_stop: PerDay = 2_000

    def __post_init__(self) -> None:
        refuse_unless_rising("warn", self.warn, "stop", self.stop)
        refuse_unless_rising("day_warn", self.day_warn, "day_stop", self.day_stop)

    def prepare(self, view: RiskView) -> None:
        view.count_messages(self.stop)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        second, day = self._counts(order, view, now_ns)
        if second >= self.stop:
            return Denial("BEHAVIOUR", f"orders and cancels exceeded: {second} in the last second (stop {self.stop})")
        if day >= self.day_stop:
            return Denial("BEHAVIOUR", f"orders and cancels exceeded: {day} today (stop {self.day_stop})")
        return None

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        second, day = self._counts(order, view, now_ns)
        return f"{second} in the last second (stop {self.stop}), {day} today (stop {self.day_stop})"

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        second, day = self._counts(subject, view, now_ns)
        scope = f"account:{subject.account}"
        if second >= self.stop or day >= self.day_stop:
            cause = f"orders and cancels: {second} in a second (stop {self.stop}), {day} today (stop {self.day_stop})"
            return Finding(KillLevel.HALT, scope, cause)
        if second >= self.warn:
            return Finding(KillLevel.RUN, scope, f"{second} orders and cancels in a second (told from {self.warn})")
        if day >= self.day_warn:
            return Finding(
                KillLevel.RUN, scope, f"{day} orders and cancels today (told from {self.day_warn})", key="day"
            )
        return None

    @staticmethod
    def _counts(subject: Subject, view: RiskView, now_ns: int) -> tuple[int, int]:
        if view.messages is None:
            raise LookupError("messages are not counted")
        instrument = view.instruments[subject.instrument]
        return view.messages.counts(subject.account, instrument.market, now_ns, view.trading_day(instrument, now_ns))
