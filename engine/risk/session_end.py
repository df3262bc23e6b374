"""Nothing new just before a break or the close, or where it could not be withdrawn (RELIABILITY 4.1, row 8)."""

from typing import ClassVar, Literal

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit, refuse_unless_duration, span_ns
from engine.risk.view import RiskView


class SessionEnd(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``margin``: how long before a break or close nothing is sent any more. ``no_cancel``: whether orders may go in
    while the exchange acts on no cancel (9:20 to 9:25 and 14:57 to 15:00 in the mainland)."""

    name: ClassVar[str] = "session_end"
    margin: str = "60s"
    no_cancel: Literal["deny", "allow"] = "deny"

    def __post_init__(self) -> None:
        refuse_unless_duration("margin", self.margin, "1h")

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        market = view.instruments[order.instrument].market
        book, cancels = view.books[market], view.cancels.get(market)
        if cancels is not None and not cancels.may_cancel(now_ns):
            if self.no_cancel == "allow":
                return None
            return Denial("SESSION", "the exchange acts on no cancel now: an order could not be withdrawn")
        if book.is_open(now_ns) and not book.is_open(now_ns + span_ns(self.margin)):
            return Denial("SESSION", f"too late: the market pauses or closes within {self.margin}")
        return None

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        market = view.instruments[order.instrument].market
        later, cancels = view.books[market].is_open(now_ns + span_ns(self.margin)), view.cancels.get(market)
        word = "" if cancels is None or cancels.may_cancel(now_ns) else ", no cancels now"
        return f"{'open' if later else 'not open'} {self.margin} from now{word} (no_cancel: {self.no_cancel})"
