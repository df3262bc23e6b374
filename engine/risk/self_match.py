"""No order that could trade with an open one of our own (RELIABILITY 4.1, row 19)."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.crossing import ANY_BUY, ANY_SELL
from engine.risk.limit import Limit
from engine.risk.scopes import Scope
from engine.risk.view import RiskView


class SelfMatch(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``scope``: whose orders are our own; all accounts of the engine unless set. An order without a limit, a stop that
    may become one included, trades at any price; an undecided order counts as open."""

    name: ClassVar[str] = "self_match"
    counts_open_orders: ClassVar[bool] = True
    scope: Scope = Scope.ENGINE

    def prepare(self, view: RiskView) -> None:
        view.watch_crossing(self.scope)

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if view.crossing is None:
            raise LookupError("open orders are not watched")
        price = view.crossing.crosses(order)
        if price is None:
            return None
        way = "selling" if order.side.sign > 0 else "buying"
        at = "at any price" if price in (ANY_BUY, ANY_SELL) else f"at {price}"
        return Denial("SELF_MATCH", f"self-match: an open order of our own is {way} {order.instrument} {at}")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        best = None if view.crossing is None else view.crossing.best(order)
        if best is None:
            return "no open order of our own on the other side"
        at = "at any price" if best in (ANY_BUY, ANY_SELL) else f"at {best}"
        return f"the best of our own on the other side is open {at}"
