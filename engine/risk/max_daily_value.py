"""What may be traded in a trading day, open orders counted as filled (RELIABILITY 4.1, row 24: 1 000 000)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.cost import worst_case_value
from engine.risk.limit import Limit, refuse_unless_positive
from engine.risk.scopes import Scope
from engine.risk.view import RiskView


class MaxDailyValue(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``value``: bought and sold together, for each ``scope`` and market, in the market's currency and trading day.
    Orders that only reduce a position skip it (RELIABILITY 4.1)."""

    name: ClassVar[str] = "max_daily_value"
    counts_open_orders: ClassVar[bool] = True
    value: Decimal = Decimal(1_000_000)
    scope: Scope = Scope.ACCOUNT

    def __post_init__(self) -> None:
        refuse_unless_positive("value", self.value)

    def prepare(self, view: RiskView) -> None:
        view.count_turnover(self.name, self.scope)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if view.reduces(order):
            return None
        reached = self._reached(order, view, now_ns)
        if reached is None:
            return Denial("STALE_DATA", f"daily value not known: no price of {order.instrument} or of an open order")
        if reached <= self.value:
            return None
        return Denial("TURNOVER", f"daily value exceeded: {reached} today with this order (cap {self.value})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        reached = self._reached(order, view, now_ns)
        skipped = ", skipped: only reduces" if view.reduces(order) else ""
        return f"{'not known' if reached is None else reached} today with this order, cap {self.value}{skipped}"

    def _reached(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Decimal | None:
        value = worst_case_value(order, view)
        instrument = view.instruments[order.instrument]
        turnover = view.turnovers[self.name]
        key = turnover.key(order.strategy, order.account, order.instrument, instrument.market)
        total = turnover.total(key, view.trading_day(instrument, now_ns))
        return None if value is None or total is None else total + value
