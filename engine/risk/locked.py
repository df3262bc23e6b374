"""No order where an instruction is under way or a condition stands: its doing could not be told from the order's."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.exposure import direction_of
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class Locked(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No settings: an instruction locks one side of one instrument until the account shows what it did. GUI brokers
    give no ids: an order of the same side could be taken for the one a condition triggered (contracts/easyths.md 5)."""

    name: ClassVar[str] = "locked"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if not view.locks:
            return None
        locking = view.locks.get(direction_of(order))
        if not locking:
            return None
        side = "buying" if order.side.sign > 0 else "selling"
        return Denial("LOCKED", f"{side} {order.instrument} is locked: instruction {locking[0]} is under way or stands")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        locking = view.locks.get(direction_of(order))
        return f"locked by {', '.join(locking)}" if locking else "no instruction on this side"
