"""How many orders may be open at once (RELIABILITY 4.1, row 18: 20, and what the broker can tell apart)."""

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.scopes import Scope
from engine.risk.view import RiskView

ALIKE = 1
TOLD_APART = 4
"""Where the venue echoes our id: orders of one symbol and side can not be taken for each other."""


class OpenOrders(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``cap`` for each ``scope``; ``per_side`` of one account, symbol and direction: unless set, 1 where the broker
    echoes no id of ours (its rows can not tell two orders alike apart, RELIABILITY 3.5) and 4 where it does."""

    name: ClassVar[str] = "open_orders"
    counts_open_orders: ClassVar[bool] = True
    cap: Annotated[int, Meta(ge=1, le=1_000)] = 20
    per_side: Annotated[int, Meta(ge=1, le=1_000)] | UnsetType = UNSET
    scope: Scope = Scope.ACCOUNT

    def prepare(self, view: RiskView) -> None:
        view.count_open(self.scope)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        counts = view.open_count
        if counts is None:
            raise LookupError("open orders are not counted")
        count = counts.count(order)
        if count >= self.cap:
            return Denial("OPEN", f"open orders exceeded: {count} of this {self.scope} (cap {self.cap})")
        same, cap = counts.same_side(order), self._per_side(order, view)
        if same < cap:
            return None
        way = "buy" if order.side.sign > 0 else "sell"
        return Denial("OPEN", f"open orders exceeded: {same} to {way} {order.instrument} (cap {cap})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        counts = view.open_count
        if counts is None:
            return "open orders are not counted"
        same, cap = counts.same_side(order), self._per_side(order, view)
        whole = f"{counts.count(order)} open of this {self.scope} (cap {self.cap})"
        return f"{whole}, {same} of this symbol and side (cap {cap})"

    def _per_side(self, order: SubmitOrder, view: RiskView) -> int:
        if self.per_side is not UNSET:
            return self.per_side
        sheet = view.capabilities.get(order.account)
        return TOLD_APART if sheet is not None and sheet.echoes_client_id else ALIKE
