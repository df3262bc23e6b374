"""Orders and cancels a trading day (RELIABILITY 4.1, row 16: 2 000; 4.3: never above 16 000)."""

from typing import Annotated, ClassVar

from msgspec import Meta

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.scopes import Scope
from engine.risk.view import RiskView


class OrdersPerDay(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counted for each ``scope`` and market, by the market's trading day. 20 000 a day is high-frequency trading."""

    name: ClassVar[str] = "orders_per_day"
    cap: Annotated[int, Meta(ge=1, le=16_000)] = 2_000
    scope: Scope = Scope.ACCOUNT

    def prepare(self, view: RiskView) -> None:
        view.count_day(self.name, self.scope)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        count = self._today(order, view, now_ns)
        if count < self.cap:
            return None
        return Denial("RATE", f"rate limit exceeded: {count} orders today (cap {self.cap})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return f"{self._today(order, view, now_ns)} orders of this {self.scope} today, cap {self.cap}"

    def _today(self, order: SubmitOrder, view: RiskView, now_ns: int) -> int:
        instrument = view.instruments[order.instrument]
        return view.day_rates[self.name].count(order, instrument.market, view.trading_day(instrument, now_ns))
