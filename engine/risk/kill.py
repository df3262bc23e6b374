"""Kill levels and latches (RELIABILITY 4.4; 4.1, row 1): who is halted sends nothing new; cancels never come here."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class Kill(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No settings: latches come from machines and people. REDUCE lets through what shrinks the account's position."""

    name: ClassVar[str] = "kill"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if not view.latches:
            return None
        latch = view.latch(order)
        if latch is None:
            return None
        if latch.level is KillLevel.REDUCE:
            if view.reduces(order):
                return None
            return Denial("KILLED", f"reduce only: {latch.scope} is latched ({latch.cause}), the order adds exposure")
        return Denial("KILLED", f"trading halted: {latch.scope} is at level {latch.level.name} ({latch.cause})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        latch = view.latch(order)
        return "no latch" if latch is None else f"{latch.scope} at level {latch.level.name}, set by {latch.who}"
