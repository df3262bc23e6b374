"""What may be traded in a day, measured by what the account is worth (RELIABILITY 4.1, row 24: 200 %)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.errors import DataError
from engine.domain.verdict import Denial
from engine.risk.cost import worst_case_value
from engine.risk.limit import Limit, refuse_unless_positive
from engine.risk.reach import in_base
from engine.risk.scopes import Scope
from engine.risk.view import RiskView


class MaxDailyTurnover(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``percent`` of the account's equity: bought and sold together, open orders counted as filled, for each ``scope``
    and market. It stands beside ``max_daily_value``: the lower of the two binds. Orders that only reduce skip it."""

    name: ClassVar[str] = "max_daily_turnover"
    counts_open_orders: ClassVar[bool] = True
    percent: Decimal = Decimal(200)
    scope: Scope = Scope.ACCOUNT

    def __post_init__(self) -> None:
        refuse_unless_positive("percent", self.percent)

    def prepare(self, view: RiskView) -> None:
        view.count_turnover(self.name, self.scope)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if view.reduces(order):
            return None
        try:
            reached, equity = self._of(order, view, now_ns)
        except DataError as error:
            return Denial("STALE_DATA", f"daily turnover not known: {error}")
        if reached * 100 <= self.percent * equity:
            return None
        return Denial("TURNOVER", f"daily turnover exceeded: {reached} today (cap {self.percent}% of {equity})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        skipped = ", skipped: only reduces" if view.reduces(order) else ""
        try:
            reached, equity = self._of(order, view, now_ns)
        except DataError as error:
            return f"{error}, cap {self.percent}%{skipped}"
        return f"{reached} today with this order, cap {self.percent}% of {equity}{skipped}"

    def _of(self, order: SubmitOrder, view: RiskView, now_ns: int) -> tuple[Decimal, Decimal]:
        """Raises: DataError: a price or a rate is not known."""
        value = worst_case_value(order, view)
        instrument = view.instruments[order.instrument]
        turnover = view.turnovers[self.name]
        key = turnover.key(order.strategy, order.account, order.instrument, instrument.market)
        total = turnover.total(key, view.trading_day(instrument, now_ns))
        if value is None or total is None:
            raise DataError(f"no price of {order.instrument} or of an open order")
        return in_base(total + value, order, view), view.valuation.of(order.account, now_ns).equity
