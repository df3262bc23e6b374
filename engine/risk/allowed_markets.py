"""Markets orders may go to (RELIABILITY 4.1, row 7); in force where config names it."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class AllowedMarkets(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``markets``: the markets of ``MARKETS`` that may be used; all others are denied."""

    name: ClassVar[str] = "allowed_markets"
    markets: frozenset[str]

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        market = view.instruments[order.instrument].market
        if market in self.markets:
            return None
        return Denial("INSTRUMENT", f"market {market} is not allowed (allowed: {self._allowed()})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return f"{view.instruments[order.instrument].market}; allowed: {self._allowed()}"

    def _allowed(self) -> str:
        return ", ".join(sorted(self.markets)) or "none"
