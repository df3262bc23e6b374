"""How many orders and cancels may leave in a span of time: what the rate limits share."""

from typing import Annotated, ClassVar

from msgspec import Meta

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.scopes import Scope
from engine.risk.view import RiskView

Count = Annotated[int, Meta(ge=1, le=14_400)]
"""A minute of the hard ceiling of 240 a second (RELIABILITY 4.1)."""


class RateLimit(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``cap`` orders in the last ``span_ns``, counted for each ``scope``; cancels and replaces count too."""

    span_ns: ClassVar[int] = 0
    span: ClassVar[str] = ""
    cap: Count = 1
    scope: Scope = Scope.ACCOUNT

    def prepare(self, view: RiskView) -> None:
        view.count_rate(self.name, self.scope, self.span_ns, self.cap)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        count = view.rates[self.name].count(order, now_ns)
        if count < self.cap:
            return None
        return Denial("RATE", f"rate limit exceeded: {count} orders in the last {self.span} (cap {self.cap})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        count = view.rates[self.name].count(order, now_ns)
        return f"{count} orders of this {self.scope} in the last {self.span}, cap {self.cap}"
