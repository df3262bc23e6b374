"""An order of a type, or with a time in force, its venue does not have, played with the types it has.

* A stop, an if-touched or a trailing order waits here for its price and then goes as the market or limit order it
  becomes. Nothing is at the venue before: while the engine is down nothing is triggered.
* One with two ways out has one way at the venue and watches for the other: the stop is there where the venue has stops
  (it protects while the engine is down), else the limit. When the other way's price comes, the one that is there is
  withdrawn first, and only what it did not fill is sent: the two are never both there, so they can not both fill. That
  takes the venue's time for a cancel; if the cancel comes too late, that fill was the exit.
* Immediate-or-cancel goes as a day order that is withdrawn as soon as the venue has it: it may rest for that moment.
* Good-till-date goes as the longest the venue has, and is withdrawn at its time. Where that is a day order, it ends
  with the day.

Fill-or-kill can not be played honestly, and is left to be denied.
"""

from decimal import Decimal
from typing import Any

from engine.algos.look import Look
from engine.algos.parent import Child, Parent
from engine.domain.account import CancelScope, Capabilities
from engine.domain.algos import AlgoState, PlayedOrder
from engine.domain.commands import OrderType, SubmitOrder, TimeInForce
from engine.domain.evidence import OrderState
from engine.domain.money import exact
from engine.domain.order_types import CONDITIONAL, TRAILING, TWO_SIDED, rises, trail_trigger

MET, EXTREME, LEG = "met", "extreme", "leg"
KEEP_PART = 20
"""An extreme is journaled once it moved by a twentieth of the distance to its trigger: so much a restart may cost."""
_ENDS = {
    OrderState.CANCELED: AlgoState.CANCELED,
    OrderState.EXPIRED: AlgoState.EXPIRED,
    OrderState.REJECTED: AlgoState.REJECTED,
}
_ACCEPTED = (OrderState.WORKING, OrderState.PARTIAL)


def native(order: SubmitOrder, sheet: Capabilities) -> bool:
    """Whether the venue itself has such an order; a trail in percent is no gateway's."""
    return order.type in sheet.order_types and order.tif in sheet.tifs and order.trail_percent is None


def playable(order: SubmitOrder, sheet: Capabilities) -> bool:
    """Whether the engine can play it with what the venue has."""
    if order.tif not in sheet.tifs and order.tif not in (TimeInForce.IOC, TimeInForce.GTD):
        return False
    if order.tif is TimeInForce.IOC and order.tif not in sheet.tifs and sheet.cancel_scope is CancelScope.NONE:
        return False
    if order.type not in CONDITIONAL:
        return order.type in sheet.order_types
    needs = {becomes(order)} | ({OrderType.LIMIT} if order.type in TWO_SIDED else set())
    return needs <= sheet.order_types


def becomes(order: SubmitOrder) -> OrderType:
    """What an order with a trigger goes as once that is met."""
    limited = (OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED, OrderType.TRAILING_STOP_LIMIT)
    return OrderType.LIMIT if order.type in limited else OrderType.MARKET


class Played:
    """See the module."""

    has_exits = False

    def __init__(self, spec: PlayedOrder, sheet: Capabilities) -> None:
        self.order = spec.order
        self._tif = next(
            (tif for tif in (self.order.tif, TimeInForce.GTC) if tif in sheet.tifs), TimeInForce.DAY
        )  # fmt: skip
        resting_stop = self.order.type is OrderType.LIMIT_OR_STOP and OrderType.STOP in sheet.order_types
        self._first_leg = OrderType.STOP if resting_stop else OrderType.LIMIT

    def step(self, parent: Parent) -> None:
        order = self.order
        if parent.filled(order.side) >= order.quantity:
            parent.finish(AlgoState.FILLED)
        elif order.tif is TimeInForce.GTD and parent.now_ns >= order.expires_ns:
            parent.stop(AlgoState.EXPIRED, "its time ended")
        elif (ended := self._ended(parent)) is not None:
            parent.finish(_ENDS[ended.state], f"{ended.request.client_id} is {ended.state}")
        else:
            if order.tif is TimeInForce.GTD:
                parent.alarm(order.expires_ns)
            self._go_on(parent)

    def _go_on(self, parent: Parent) -> None:
        order = self.order
        if order.type not in CONDITIONAL:
            self._send(parent, order.type, order.price)
            if order.tif is TimeInForce.IOC and any(child.state in _ACCEPTED for child in parent.live):
                parent.stop(AlgoState.CANCELED, "what could not fill at once is withdrawn")
        elif MET in parent.notes:
            self._send(parent, becomes(order), self._limit_after(parent))
        elif order.type in TWO_SIDED:
            leg = self._leg(parent)
            self._send(parent, leg, order.price if leg is OrderType.LIMIT else None)

    def _send(self, parent: Parent, kind: OrderType, price: Decimal | None) -> None:
        """Have the rest at the venue as ``kind``, once nothing else of it is there."""
        other = [child for child in parent.live if child.request.type is not kind]
        for child in other:
            parent.withdraw(child)
        if other or parent.live:
            return
        terms: dict[str, Any] = {"stop_price": self.order.stop_price} if kind is OrderType.STOP else {}
        if self._tif is TimeInForce.GTD:
            terms["expires_ns"] = self.order.expires_ns
        # An order with two ways out has two ids at the venue, neither of them its own.
        own = self.order.type not in TWO_SIDED
        parent.send(self.order.quantity, kind, price=price, own_id=own, tif=self._tif, **terms)

    def _ended(self, parent: Parent) -> Child | None:
        """A child that the venue, or somebody else, ended before it was filled."""
        last = list(parent.children.values())[-1:]
        return next((c for c in last if c.state in _ENDS and not c.cancels), None)

    def _leg(self, parent: Parent) -> OrderType:
        return OrderType(parent.notes.get(LEG, self._first_leg))

    def _limit_after(self, parent: Parent) -> Decimal | None:
        order = self.order
        if order.type is OrderType.TRAILING_STOP_LIMIT and order.trail_limit is not None:
            return self._rounded(parent, Decimal(parent.notes[MET]) + order.trail_limit * order.side.sign)
        return order.price if becomes(order) is OrderType.LIMIT else None

    @staticmethod
    def _rounded(parent: Parent, price: Decimal) -> Decimal:
        return parent.services.instrument(parent.command.instrument).round_price(price)

    # --- prices -------------------------------------------------------------------------------------------------------

    def listens(self, parent: Parent) -> bool:
        return self.order.type in CONDITIONAL and MET not in parent.notes

    def hear(self, parent: Parent, look: Look) -> bool:
        order, since_ns = self.order, parent.command.ts_ns
        if order.type not in CONDITIONAL or MET in parent.notes or look.ts_ns < since_ns:
            return False
        if order.tif is TimeInForce.DAY and self._day_over(parent, look.ts_ns):
            parent.stop(AlgoState.EXPIRED, "the trading day ended")
            return True
        price = exact(look.buy_at if order.side.sign > 0 else look.sell_at)
        whole = look.kind == "bar" and look.since_ns >= since_ns
        high, low = (exact(look.high), exact(look.low)) if whole else (price, price)
        if self._met(parent, price, high, low):
            parent.note(MET, str(price))
            # Whatever the way that was there waited for is no matter any more.
            parent.not_before_ns = 0
            return True
        if order.type not in TWO_SIDED or order.price is None:
            return False
        reached = price <= order.price if order.side.sign > 0 else price >= order.price
        if reached and self._leg(parent) is OrderType.STOP:
            parent.note(LEG, OrderType.LIMIT)
            return True
        if reached and not parent.live:
            # The limit was too far from the market to be sent; it is not any more.
            parent.not_before_ns = 0
        return reached and not parent.live

    def _met(self, parent: Parent, price: Decimal, high: Decimal, low: Decimal) -> bool:
        order = self.order
        if order.type in TRAILING:
            return self._trails(parent, price, high, low)
        if self._leg(parent) is OrderType.STOP and order.type in TWO_SIDED:
            # The venue holds the stop itself.
            return False
        assert order.stop_price is not None
        return high >= order.stop_price if rises(order) else low <= order.stop_price

    def _trails(self, parent: Parent, price: Decimal, high: Decimal, low: Decimal) -> bool:
        """Of a bar's two extremes the one against us is taken to have come first, then that which moves the trigger."""
        order, sells = self.order, self.order.side.sign < 0
        known = parent.memory.get(EXTREME) or parent.notes.get(EXTREME)
        extreme = Decimal(known) if known is not None else parent.services.price(order.instrument) or price
        trigger = trail_trigger(order, extreme)
        if low <= trigger if sells else high >= trigger:
            return True
        moved = max(extreme, high) if sells else min(extreme, low)
        parent.memory[EXTREME] = moved
        kept = parent.notes.get(EXTREME)
        away = abs(moved - trail_trigger(order, moved))
        if kept is None or abs(moved - Decimal(kept)) * KEEP_PART >= away:
            parent.note(EXTREME, str(moved))
        trigger = trail_trigger(order, moved)
        return price <= trigger if sells else price >= trigger

    def _day_over(self, parent: Parent, ts_ns: int) -> bool:
        day, name = parent.services.day, parent.command.instrument
        return day(name, ts_ns) > day(name, parent.command.ts_ns)
