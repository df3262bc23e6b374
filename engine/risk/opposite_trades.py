"""Trades of our own accounts with each other, which are forbidden (RELIABILITY 4.3)."""

from typing import Annotated, ClassVar

from msgspec import Meta

from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel
from engine.domain.verdict import Denial
from engine.risk.limit import Finding, Limit, Subject
from engine.risk.view import RiskView


class OppositeTradesSeen(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``stop`` of them in a day latch the account HALT; each is told. Seen as a buy and a sale of one instrument at one
    price within a second, of orders that were open together: ``self_match`` keeps them from coming about."""

    name: ClassVar[str] = "opposite_trades"
    counts_open_orders: ClassVar[bool] = True
    monitors: ClassVar[bool] = True
    stop: Annotated[int, Meta(ge=1, le=1_000)] = 1

    def prepare(self, view: RiskView) -> None:
        view.watch_opposite_trades()

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        count = self._count(order, view, now_ns)
        if count < self.stop:
            return None
        return Denial("BEHAVIOUR", f"opposite trades exceeded: {count} between our own orders today (stop {self.stop})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return f"{self._count(order, view, now_ns)} between our own orders today, stop {self.stop}"

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        count = self._count(subject, view, now_ns)
        if not count:
            return None
        level = KillLevel.HALT if count >= self.stop else KillLevel.RUN
        cause = f"{count} trades between our own orders today, last in {subject.instrument}"
        return Finding(level, f"account:{subject.account}", cause, key=str(count))

    @staticmethod
    def _count(subject: Subject, view: RiskView, now_ns: int) -> int:
        if view.opposite is None:
            raise LookupError("opposite trades are not watched")
        return view.opposite.count(subject.account, view.day_of(subject.instrument, now_ns) or 0)
