"""How much may be invested altogether (RELIABILITY 4.1, row 22: 100 % of what the account is worth)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import Side, SubmitOrder
from engine.domain.errors import DataError
from engine.domain.verdict import Denial
from engine.risk.cost import worst_case_value
from engine.risk.limit import Limit, refuse_unless_positive
from engine.risk.reach import in_base
from engine.risk.valuation import Worth
from engine.risk.view import RiskView

_ADDING = (Side.BUY, Side.SELL_SHORT)


class GrossExposure(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``percent`` of the account's equity: positions, long and short, and open orders that add to them, with this one.
    Sales of what is held and the cover of short sales are never denied."""

    name: ClassVar[str] = "gross_exposure"
    counts_open_orders: ClassVar[bool] = True
    percent: Decimal = Decimal(100)

    def __post_init__(self) -> None:
        refuse_unless_positive("percent", self.percent)

    def prepare(self, view: RiskView) -> None:
        view.count_open_value()

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if order.side not in _ADDING or view.reduces(order):
            return None
        try:
            worth = view.valuation.of(order.account, now_ns)
            reached = self._reached(order, view, worth)
        except DataError as error:
            return Denial("STALE_DATA", f"gross exposure not known: {error}")
        if reached * 100 <= self.percent * worth.equity:
            return None
        return Denial("POSITION", f"gross exposure exceeded: {reached} (cap {self.percent}% of {worth.equity})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        try:
            worth = view.valuation.of(order.account, now_ns)
            reached = self._reached(order, view, worth)
        except DataError as error:
            return f"{error}, cap {self.percent}%"
        return f"invested with open orders and this one {reached}, cap {self.percent}% of {worth.equity}"

    @staticmethod
    def _reached(order: SubmitOrder, view: RiskView, worth: Worth) -> Decimal:
        """Raises: DataError: a price or a rate is not known."""
        if view.open_value is None:
            raise LookupError("open orders are not counted")
        total = worth.gross
        base = view.portfolio.accounts[order.account].currency
        still = view.open_value.by_currency(order.account)
        value = worst_case_value(order, view) if order.side in _ADDING else Decimal(0)
        if value is None or still is None:
            raise DataError(f"no price of {order.instrument} or of an open order")
        for currency, amount in still.items():
            if amount:
                total += amount if currency == base else amount * view.portfolio.rate(currency, base)
        return total + in_base(value, order, view)
