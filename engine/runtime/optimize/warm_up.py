"""No order before the window: bars before it are heard, so that indicators know them, and every order is denied."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView

CODE = "WARM_UP"


class WarmUp(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a run's window alone, so it is in no profile."""

    name: ClassVar[str] = "warm_up"
    trade_ns: int

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        return Denial(CODE, "the window has not begun") if now_ns < self.trade_ns else None

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return f"{max(0, self.trade_ns - now_ns) // 10**9} s to the window"
