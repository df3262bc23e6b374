"""What may be sold now, less lock-ups and working sells; no short sales unless config says so (RELIABILITY 4.1, 20)."""

from typing import ClassVar

from engine.domain.commands import Offset, OrderType, Side, SubmitOrder
from engine.domain.timestamps import format_time
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView

_BUY = Side.BUY
_SELL_SHORT = Side.SELL_SHORT
_BUY_BACK = Side.BUY_BACK
_LIQUIDATE = OrderType.LIQUIDATE


class Sellable(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The account's book says what is held, locked and reserved."""

    name: ClassVar[str] = "sellable"
    short: bool = False
    """Let ``SELL_SHORT`` pass, where the venue lends; limits on position and value hold for it as for any order."""

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        side = order.side
        if view.portfolio.futures and view.instruments[order.instrument].market in view.portfolio.futures:
            return _closable(order, view, now_ns)
        if side is _BUY or side is _BUY_BACK:
            return None
        if side is _SELL_SHORT:
            return None if self.short else Denial("SELLABLE", "short sales are not allowed")
        if order.type is _LIQUIDATE:
            # The venue sells what may be sold and leaves the rest; the quantity is only the worst case.
            return None
        if view.waits:
            now_ns = view.acts_ns(order.instrument, now_ns)
        sellable = view.portfolio.sellable(order.account, order.instrument, now_ns)
        if order.quantity <= sellable:
            return None
        locked = _locked(order, view)
        return Denial("SELLABLE", f"sellable quantity exceeded: {order.quantity} (sellable {sellable}{locked})")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        if order.side.sign > 0:
            return "a purchase"
        if order.side is _SELL_SHORT:
            return f"short sale of {order.quantity}, {'allowed' if self.short else 'not allowed'}"
        return f"{order.side} {order.quantity}, sellable {view.sellable(order.account, order.instrument, now_ns)}"


def _closable(order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
    """Of futures: a close needs what it closes, less what working orders of its side may close before it."""
    if order.offset in (Offset.OPEN, Offset.AUTO):
        return None
    buys = order.side.sign > 0
    held = view.portfolio.closable(order.account, order.instrument, buys, order.offset, now_ns)
    free = held - view.working(order.account, order.instrument, order.side)
    if order.quantity <= free:
        return None
    return Denial("SELLABLE", f"closable quantity exceeded: {order.quantity} (of this offset {free})")


def _locked(order: SubmitOrder, view: RiskView) -> str:
    """What is held and may not be sold yet, and from when on: T+1 says nothing to who never heard of it."""
    position = view.portfolio.accounts[order.account].positions.get(order.instrument)
    if position is None or not position.locked:
        return ""
    zone = view.books[view.instruments[order.instrument].market].timezone
    free_ns = position.locked[0][0]
    first = sum(quantity for at_ns, quantity in position.locked if at_ns == free_ns)
    return f"; {first} bought lately can be sold from {format_time(free_ns, zone)[:16]} on"
