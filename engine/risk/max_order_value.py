"""The most one order may be worth (RELIABILITY 4.1, row 14: 100 000)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.cost import worst_case_value
from engine.risk.limit import Limit, refuse_unless_positive
from engine.risk.view import RiskView


class MaxOrderValue(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``value``: in the instrument's currency, itself allowed; an order without a limit counts at the latest price."""

    name: ClassVar[str] = "max_order_value"
    value: Decimal = Decimal(100_000)

    def __post_init__(self) -> None:
        refuse_unless_positive("value", self.value)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        value = worst_case_value(order, view)
        if value is None:
            return Denial("STALE_DATA", f"order value not known: no reference price of {order.instrument}")
        if value <= self.value:
            return None
        return Denial("MAX_NOTIONAL", f"order value exceeded: {value} (cap {self.value})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        value = worst_case_value(order, view)
        return f"value {'not known' if value is None else value}, cap {self.value}"
