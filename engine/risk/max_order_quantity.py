"""The most units one order may have (RELIABILITY 4.1, row 10: 10 000 shares)."""

from typing import Annotated, ClassVar

from msgspec import Meta

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class MaxOrderQuantity(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``quantity``: whole units, itself allowed."""

    name: ClassVar[str] = "max_order_quantity"
    quantity: Annotated[int, Meta(ge=1)] = 10_000

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if order.quantity <= self.quantity:
            return None
        return Denial("MAX_QTY", f"order quantity exceeded: {order.quantity} (cap {self.quantity})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return f"quantity {order.quantity}, cap {self.quantity}"
