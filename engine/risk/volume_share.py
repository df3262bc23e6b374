"""How much of the market we are while its price moves (RELIABILITY 4.1, row 25: 10 % of a minute; 4.3)."""

from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import Meta

from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel, PressNoted
from engine.domain.timestamps import MINUTE_NS
from engine.domain.verdict import Denial
from engine.risk.limit import Finding, Limit, Subject, refuse_unless_positive, refuse_unless_rising
from engine.risk.view import RiskView


class VolumeShare(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Judged where a feed tells the market's volume (prints, or bars of a minute); where none does, it says so.

    An order that would bring our part of the last minute above ``percent`` is denied. A fill that leaves it at ``warn``
    or more while the price moved by ``move_percent`` is a press: a person is told. ``presses`` of them in a day, or one
    at ``stop`` or more, latch the account HALT.
    """

    name: ClassVar[str] = "volume_share"
    monitors: ClassVar[bool] = True
    percent: Decimal = Decimal(10)
    warn: Decimal = Decimal(10)
    stop: Decimal = Decimal(20)
    move_percent: Decimal = Decimal(1)
    presses: Annotated[int, Meta(ge=1, le=1_000)] = 3

    def __post_init__(self) -> None:
        for key in ("percent", "warn", "stop", "move_percent"):
            refuse_unless_positive(key, getattr(self, key))
        refuse_unless_rising("warn", self.warn, "stop", self.stop)

    def prepare(self, view: RiskView) -> None:
        view.count_own_volume()
        view.watch_market_volume()
        view.count_presses()

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        market = self._market(order, view, now_ns)
        if not market:
            return None
        own = self._own(order, view, now_ns) + order.quantity
        if own * 100 <= self.percent * market:
            return None
        return Denial("BEHAVIOUR", f"volume share exceeded: {own} of {market} in the last minute (cap {self.percent}%)")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        market = self._market(order, view, now_ns)
        if not market:
            return f"the market's last minute is not known, cap {self.percent}%"
        own = self._own(order, view, now_ns) + order.quantity
        return f"{own} of {market} in the last minute with this order, cap {self.percent}%"

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        if view.prices is None or view.press_days is None:
            raise LookupError("prices are not watched")
        scope, day = f"account:{subject.account}", view.day_of(subject.instrument, now_ns) or 0
        earlier = view.press_days.count(subject.account, day)
        if earlier >= self.presses:
            return Finding(KillLevel.HALT, scope, f"the price was pressed {earlier} times today (stop {self.presses})")
        own, market = self._own(subject, view, now_ns), self._market(subject, view, now_ns)
        minute = view.prices.minutes.get(subject.instrument)
        move = None if minute is None else minute.move(now_ns)
        if not own or not market or move is None or abs(move) * 100 < self.move_percent:
            return None
        share = min(own / market, Decimal(1)) * 100
        if share < self.warn:
            return None
        cause = f"{share:.1f}% of a minute's volume of {subject.instrument}, whose price moved by {move * 100:.2f}%"
        press = PressNoted(
            account=subject.account,
            instrument=subject.instrument,
            ts_ns=now_ns,
            share=float(share) / 100,
            move=move,
        )
        level = KillLevel.HALT if share >= self.stop or earlier + 1 >= self.presses else KillLevel.RUN
        return Finding(level, scope, cause, key=f"{subject.instrument} {now_ns // MINUTE_NS}", press=press)

    @staticmethod
    def _market(subject: Subject, view: RiskView, now_ns: int) -> Decimal | None:
        if view.market_volume is None:
            raise LookupError("the market's volume is not watched")
        return view.market_volume.last_minute(subject.instrument, now_ns)

    @staticmethod
    def _own(subject: Subject, view: RiskView, now_ns: int) -> Decimal:
        if view.own_volume is None:
            raise LookupError("fills are not counted")
        return view.own_volume.units(subject.account, subject.instrument, now_ns)
