"""Kill levels and latches (RELIABILITY 4.4; 4.1, row 1): who is halted sends nothing new; cancels never come here."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel, LatchSet
from engine.domain.ids import StrategyId
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView

FLATTENER = StrategyId("engine:flatten")
"""Whose orders close positions at level FLATTEN; no strategy of a config can have a name with a colon."""


class Kill(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No settings: latches come from machines and people. REDUCE lets through what shrinks the account's position."""

    name: ClassVar[str] = "kill"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if not view.latches:
            return None
        latch = view.latch(order)
        if latch is None:
            return None
        if _reducing_passes(order, latch):
            if view.reduces(order):
                return None
            return Denial("KILLED", f"reduce only: {latch.scope} is latched ({latch.cause}), the order adds exposure")
        return Denial("KILLED", f"trading halted: {latch.scope} is at level {latch.level.name} ({latch.cause})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        latch = view.latch(order)
        return "no latch" if latch is None else f"{latch.scope} at level {latch.level.name}, set by {latch.who}"


def forbids(view: RiskView, order: SubmitOrder) -> LatchSet | None:
    """The latch for which an order that the gate let through must not leave any more (RELIABILITY 4.1, row 27).

    Its own quantity is among the open ones by now: what can shrink the position is judged without it.
    """
    latch = view.latch(order)
    if latch is None:
        return None
    return None if _reducing_passes(order, latch) and view.reduced(order) else latch


def halted(view: RiskView, order: SubmitOrder) -> bool:
    """Whether nothing of this order may be changed at its venue but its withdrawal."""
    latch = view.latch(order)
    return latch is not None and latch.level >= KillLevel.HALT


def _reducing_passes(order: SubmitOrder, latch: LatchSet) -> bool:
    """Whether the level lets this order through if it only shrinks the position."""
    return latch.level <= KillLevel.REDUCE or (latch.level is KillLevel.FLATTEN and order.strategy == FLATTENER)
