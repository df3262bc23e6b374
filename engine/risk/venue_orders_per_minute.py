"""What the broker's own sheet takes a minute (RELIABILITY 3.4; 4.1, row 16)."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.timestamps import MINUTE_NS
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.scopes import Scope
from engine.risk.view import RiskView

MOST = 14_400


class VenueOrdersPerMinute(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No settings: the cap is the sheet's, for the account; an account without a sheet is denied."""

    name: ClassVar[str] = "venue_orders_per_minute"

    def prepare(self, view: RiskView) -> None:
        view.count_rate(self.name, Scope.ACCOUNT, MINUTE_NS, MOST)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        sheet = view.capabilities.get(order.account)
        if sheet is None:
            return Denial("RATE", f"account {order.account} has declared no pace")
        count = view.rates[self.name].count(order, now_ns)
        if count < sheet.orders_per_minute:
            return None
        return Denial(
            "RATE",
            f"rate limit exceeded: {count} orders in the last 60s ({sheet.gateway} takes {sheet.orders_per_minute})",
        )

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        sheet = view.capabilities.get(order.account)
        cap = "no pace declared" if sheet is None else f"{sheet.gateway} takes {sheet.orders_per_minute}"
        return f"{view.rates[self.name].count(order, now_ns)} orders of this account in the last 60s, {cap}"
