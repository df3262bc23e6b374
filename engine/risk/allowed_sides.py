"""Sides orders may have (RELIABILITY 4.1, row 4), as in an account that may only sell."""

from typing import ClassVar

from engine.domain.commands import Side, SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class AllowedSides(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``sides``: the sides that may be used; all others are denied."""

    name: ClassVar[str] = "allowed_sides"
    sides: frozenset[Side]

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if order.side in self.sides:
            return None
        return Denial("UNSUPPORTED", f"side {order.side} is not allowed (allowed: {self._allowed()})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return f"{order.side}; allowed: {self._allowed()}"

    def _allowed(self) -> str:
        return ", ".join(sorted(self.sides)) or "none"
