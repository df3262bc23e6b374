"""Instruments orders may name (RELIABILITY 4.1, row 7: required in live)."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.ids import InstrumentId
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class AllowedSymbols(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``symbols``: the instrument ids that may be used; all others are denied."""

    name: ClassVar[str] = "allowed_symbols"
    symbols: frozenset[InstrumentId]

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if order.instrument in self.symbols:
            return None
        return Denial("INSTRUMENT", f"symbol {order.instrument} is not allowed (allowed: {self._allowed()})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return f"{order.instrument}; allowed: {self._allowed()}"

    def _allowed(self) -> str:
        return ", ".join(sorted(self.symbols)) or "none"
