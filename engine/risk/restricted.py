"""Instruments that may not be traded today: suspended, restricted, under special treatment (RELIABILITY 4.1, row 7)."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.ids import InstrumentId
from engine.domain.verdict import Denial
from engine.markets.china_boards import is_special
from engine.risk.limit import Limit
from engine.risk.view import RiskView

MAINLAND = frozenset({"china_a", "china_connect"})


class Restricted(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``symbols``: never traded; besides, what the runtime found unfit today (``RiskView.unfit``)."""

    name: ClassVar[str] = "restricted"
    symbols: frozenset[InstrumentId] = frozenset()
    special_treatment: bool = False
    """Let mainland shares under special treatment (ST) pass."""

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if order.instrument in self.symbols:
            return Denial("INSTRUMENT", f"symbol {order.instrument} is restricted by config")
        if view.unfit and (why := view.unfit.get(order.instrument)) is not None:
            return Denial("INSTRUMENT", f"symbol {order.instrument} can not be traded today: {why}")
        instrument = view.instruments[order.instrument]
        if not self.special_treatment and instrument.market in MAINLAND and is_special(instrument.name):
            return Denial("INSTRUMENT", f"symbol {order.instrument} {instrument.name} is under special treatment")
        return None

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        special = "ST allowed" if self.special_treatment else "ST not allowed"
        why = view.unfit.get(order.instrument, "nothing known against it")
        return f"{order.instrument} {view.instruments[order.instrument].name}: {why}; {special}"
