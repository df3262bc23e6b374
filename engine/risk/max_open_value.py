"""What open orders may be worth together (RELIABILITY 4.1, row 18: 300 000)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.cost import worst_case_value
from engine.risk.limit import Limit, refuse_unless_positive
from engine.risk.scopes import Scope
from engine.risk.view import RiskView


class MaxOpenValue(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``value``: of both sides, with this order, for each ``scope`` and market, in the market's currency."""

    name: ClassVar[str] = "max_open_value"
    counts_open_orders: ClassVar[bool] = True
    value: Decimal = Decimal(300_000)
    scope: Scope = Scope.ACCOUNT

    def __post_init__(self) -> None:
        refuse_unless_positive("value", self.value)

    def prepare(self, view: RiskView) -> None:
        view.count_turnover(self.name, self.scope)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        reached = self._reached(order, view)
        if reached is None:
            return Denial("STALE_DATA", f"open value not known: no price of {order.instrument} or of an open order")
        if reached <= self.value:
            return None
        return Denial("OPEN", f"open value exceeded: {reached} with this order (cap {self.value})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        reached = self._reached(order, view)
        return f"{'not known' if reached is None else reached} open with this order, cap {self.value}"

    def _reached(self, order: SubmitOrder, view: RiskView) -> Decimal | None:
        value = worst_case_value(order, view)
        turnover = view.turnovers[self.name]
        market = view.instruments[order.instrument].market
        total = turnover.open(turnover.key(order.strategy, order.account, order.instrument, market))
        return None if value is None or total is None else total + value
