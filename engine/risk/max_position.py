"""The position a symbol can reach at worst, with open orders filled (RELIABILITY 4.1, row 22: 200 000 in value)."""

from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit, refuse_unless_positive
from engine.risk.reach import reached_units, reached_value
from engine.risk.view import RiskView


class MaxPosition(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``value``: at the latest price, in the instrument's currency; ``quantity``: whole units, if set. Both allowed to
    be reached, long or short. What brings a position back is never denied."""

    name: ClassVar[str] = "max_position"
    counts_open_orders: ClassVar[bool] = True
    value: Decimal = Decimal(200_000)
    quantity: Annotated[int, Meta(ge=1)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        refuse_unless_positive("value", self.value)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        reached = reached_units(order, view)
        if reached <= 0:
            return None
        if self.quantity is not UNSET and reached > self.quantity:
            return Denial("POSITION", f"position exceeded: {reached} of {order.instrument} (cap {self.quantity})")
        value = reached_value(order, view, reached)
        if value is None:
            return Denial("STALE_DATA", f"position value not known: no reference price of {order.instrument}")
        if value <= self.value:
            return None
        return Denial("POSITION", f"position value exceeded: {value} of {order.instrument} (cap {self.value})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        reached = reached_units(order, view)
        value = reached_value(order, view, reached)
        caps = f"cap {self.value}" if self.quantity is UNSET else f"cap {self.value}, {self.quantity} units"
        worth = "of unknown worth" if value is None else f"worth {value}"
        return f"position can reach {reached} {worth}, {caps}"
