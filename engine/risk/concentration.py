"""How much of an account one symbol may be at worst (RELIABILITY 4.1, row 22: 20 % of its worth)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.errors import DataError
from engine.domain.verdict import Denial
from engine.risk.limit import Limit, refuse_unless_positive
from engine.risk.reach import in_base, reached_units, reached_value
from engine.risk.view import RiskView


class Concentration(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``percent`` of the account's equity, with open orders filled. What brings a position back is never denied."""

    name: ClassVar[str] = "concentration"
    counts_open_orders: ClassVar[bool] = True
    percent: Decimal = Decimal(20)

    def __post_init__(self) -> None:
        refuse_unless_positive("percent", self.percent)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        reached = reached_units(order, view)
        if reached <= 0 or view.reduces(order):
            return None
        try:
            value, equity = self._of(order, view, reached), view.valuation.of(order.account, now_ns).equity
        except DataError as error:
            return Denial("STALE_DATA", f"concentration not known: {error}")
        if value is None:
            return Denial("STALE_DATA", f"concentration not known: no reference price of {order.instrument}")
        if value * 100 <= self.percent * equity:
            return None
        return Denial(
            "POSITION", f"concentration exceeded: {value} of {order.instrument} (cap {self.percent}% of {equity})"
        )

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        try:
            value = self._of(order, view, max(0, reached_units(order, view)))
            equity = view.valuation.of(order.account, now_ns).equity
        except DataError as error:
            return f"{error}, cap {self.percent}%"
        return f"position can be worth {'?' if value is None else value}, cap {self.percent}% of {equity}"

    @staticmethod
    def _of(order: SubmitOrder, view: RiskView, reached: int) -> Decimal | None:
        value = reached_value(order, view, reached)
        return None if value is None else in_base(value, order, view)
