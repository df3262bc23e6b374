"""The simulated venue: holds orders, shows them each bar, quote, book and print, reports what filled.

It answers like a venue, with evidence (``OrderReport``); what that means is the core's business. An order fills only
on a bar whose start is at or after its acceptance (DESIGN, decision 6).

An order with a trigger is met on the bar's way (``path.py``), and so is every other order of its instrument while one
has been there. What an exchange lets meet at all, whatever the model, is ``floor.py``'s.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from engine.domain.account import CancelScope, Capabilities
from engine.domain.commands import SIZED_BY_VENUE, OrderType, Side, TimeInForce
from engine.domain.market import Bar
from engine.domain.money import ZERO
from engine.domain.order import Evidence
from engine.domain.order_types import CONDITIONAL
from engine.domain.timestamps import DAY_NS
from engine.matching.course import Course
from engine.matching.depth import Depth
from engine.matching.fill_model import FollowsPath, OpensOnly, Rations
from engine.matching.floor import Floor
from engine.matching.path import path_of
from engine.matching.resting import NEVER_NS, Resting
from engine.matching.walk import Meeting, follow, meeting

SHEET = Capabilities(
    gateway="simulated venue",
    order_types=frozenset(
        {OrderType.MARKET, OrderType.LIMIT, OrderType.ALL_IN, OrderType.SELL_ALL, OrderType.LIQUIDATE}
    )
    | CONDITIONAL,
    sides=frozenset(Side),
    tifs=frozenset(TimeInForce),
    echoes_client_id=True,
    gives_venue_id=True,
    lists_orders=True,
    lists_fills=True,
    cancel_scope=CancelScope.ORDER,
    replaces=True,
    max_lag_ns=0,
    in_flight_max=1_000_000,
    in_flight_scope="none",
)

__all__ = ["SHEET", "SimulatedVenue"]

# Reading a member off its class is slow in Python 3.11, and these are read for every order of a replay.
_ALL_IN = OrderType.ALL_IN
_DAY, _FOK, _GTD = TimeInForce.DAY, TimeInForce.FOK, TimeInForce.GTD
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class SimulatedVenue(Depth):
    """One venue for all accounts of a run.

    ``placed`` takes its yes to a new order (``OrderManager.placed``), ``report`` all other evidence (``on_report``).
    """

    def _know_model(self) -> None:
        super()._know_model()
        self.match = self.model.match
        self._opens_only = isinstance(self.model, OpensOnly) and self.model.opens_only
        self._path = self.model.path if isinstance(self.model, FollowsPath) else None
        self._ration = self.model.ration if isinstance(self.model, Rations) else None
        self.careful = self._path is not None or self._ration is not None or bool(self._order_ns or self._cancel_ns)
        self.careful = self.careful or self._slippage is not None
        """Whether more than the fill model's price decides what fills."""

    # --- bars ---------------------------------------------------------------------------------------------------------

    def on_bar(self, bar: Bar) -> None:
        """Show a bar to the orders of its instrument, before anybody else sees it."""
        name = bar.instrument
        orders = self.resting.get(name)
        if not orders:
            return
        start_ns = bar.ts_ns - bar.interval_ns
        floor = self.floors.get(name)
        if floor is not None:
            shown = floor.shown(bar, start_ns)
            if shown is None:
                return
            bar, start_ns = shown
        del self.resting[name]
        # What a fill causes (a new order) lands in a fresh list and can not meet this bar; a cancel finds ``_shown``.
        self._shown, self._ended = orders, False
        if self.careful or floor is not None or name in self.conditional:
            self._meet(orders, bar, start_ns, floor)
            kept = [order for order in orders if order.leaves]
        else:
            kept = self._pass_by(orders, bar, start_ns)
        self._shown = []
        if kept:
            self.resting[name] = kept + self.resting.get(name, [])

    def _pass_by(self, orders: list[Resting], bar: Bar, start_ns: int) -> list[Resting]:
        """The everyday bar: one order after the other; gives those that go on working."""
        kept, match = [], self.match
        for order in orders:
            if order.accepted_ns > start_ns:
                kept.append(order)
            elif order.plain and order.limit is None and order.leaves:
                found = match(order.buys, None, order.leaves, bar)
                if found is not None:
                    self.fill(order, found[0], found[1], bar.ts_ns, start_ns)
                if order.leaves:
                    kept.append(order)
            elif order.leaves and not self._over(order, start_ns):
                self._take(order, bar, bar, order.leaves, start_ns)
                if self._withdraw_rest(order):
                    kept.append(order)
        return [order for order in kept if order.leaves] if self._ended else kept

    def _meet(self, orders: list[Resting], bar: Bar, start_ns: int, floor: Floor | None) -> None:
        """Every order that is there, in the order of acceptance or along the bar's way."""
        there = [o for o in orders if self.arrive(o, bar.ts_ns) and o.accepted_ns <= start_ns and o.leaves]
        there = [order for order in there if not self._over(order, start_ns)]
        locked_up, locked_down = floor.locked(bar) if floor is not None else (False, False)
        ration = self._ration(bar) if self._ration is not None else NEVER_NS
        if self._path is not None or bar.instrument in self.conditional:
            course = Course(self._path(bar) if self._path is not None else path_of(bar))
            self._walk(there, course, bar, start_ns, ration, (locked_up, locked_down))
        else:
            for order in there:
                if order.leaves and ration and not (locked_up if order.buys else locked_down):
                    ration -= self._take(order, bar, bar, min(order.leaves, ration), start_ns)
        for order in there:
            self._withdraw_rest(order)
        for order in orders:
            if order.leaves and order.canceled_ns <= bar.ts_ns:
                self._close(order, Evidence.CANCELED, "", order.canceled_ns)

    def _walk(
        self,
        there: list[Resting],
        course: Course,
        bar: Bar,
        start_ns: int,
        ration: int,
        locked: tuple[bool, bool],
    ) -> None:
        """Meet orders where the price does; what one causes may end another before it is met."""
        since = dict.fromkeys([order.number for order in there], ZERO)
        while True:
            met: Meeting | None = None
            for order in there:
                if order.leaves and order.number in since:
                    found = meeting(order, course, since[order.number], opens_only=self._opens_only)
                    met = found if found is not None and (met is None or found[:2] < met[:2]) else met
            if met is None:
                break
            order = met.order
            if met.triggers:
                order.trigger(met.price)
                since[order.number] = met.mile
                continue
            del since[order.number]
            if ration and not locked[0 if order.buys else 1]:
                rest = course.rest(met.mile, bar) if met.mile else bar
                as_of_ns = start_ns if not met.mile else bar.ts_ns
                ration -= self._take(order, rest, bar, min(order.leaves, ration), as_of_ns)
        for order in there:
            if order.leaves and order.number in since:
                follow(order, course, since[order.number])

    def _take(self, order: Resting, seen: Bar, bar: Bar, most: int, as_of_ns: int) -> int:
        """Match one order with what it sees of a bar; the quantity that filled, at most ``most``."""
        found = self.match(order.buys, order.limit, most, seen)
        request = order.request
        if found is None or (request.tif is _FOK and found[0] < order.leaves):
            return 0
        quantity, price = found
        if order.limit is None and request.type in CONDITIONAL:
            tick = self._instruments[request.instrument].tick
            price = ((price / tick).quantize(Decimal(1), ROUND_CEILING if order.buys else ROUND_FLOOR)) * tick
        if request.type is _ALL_IN:
            quantity = min(quantity, int(order.reserved / price))
        if quantity:
            # A limit fills somewhere in the bar; when is known of the open alone.
            moment_ns = as_of_ns if order.limit is None or self._is_day(bar) else bar.ts_ns
            self.fill(order, quantity, price, bar.ts_ns, moment_ns, bar.volume)
        return quantity

    def _withdraw_rest(self, order: Resting) -> bool:
        """End what may not wait; True while it goes on working."""
        request = order.request
        if order.leaves and not order.waits and (request.type in SIZED_BY_VENUE or request.tif in _AT_ONCE):
            self._close(order, Evidence.CANCELED, "what could not fill at once is withdrawn")
        return order.leaves > 0

    def _over(self, order: Resting, start_ns: int) -> bool:
        """End an order whose time, or whose cancel's way, was over before this instant."""
        request = order.request
        if order.canceled_ns <= start_ns:
            self._close(order, Evidence.CANCELED, "", order.canceled_ns)
        elif request.tif is _GTD and request.expires_ns <= start_ns:
            self._close(order, Evidence.EXPIRED, "its time ended")
        elif request.tif is _DAY and self._ends_with_day(order) and self._day_over(order, start_ns):
            self._close(order, Evidence.EXPIRED, "the trading day ended")
        return not order.leaves

    def _ends_with_day(self, order: Resting) -> bool:
        """A market order waits for the next bar, unless its exchange ends it with the day as all others."""
        return order.limit is not None or order.waits or order.request.instrument in self.floors

    def _is_day(self, bar: Bar) -> bool:
        """Whether a bar is a whole day of an exchange: then it may end long after the day."""
        return bar.interval_ns >= DAY_NS and bar.instrument in self.floors

    def _day_over(self, order: Resting, start_ns: int) -> bool:
        book = self._books[self._instruments[order.request.instrument].market]
        return book.trading_day(start_ns) > book.trading_day(order.acts_ns)
