"""The short way of an everyday order through a backtest: one step in and one out, for twenty calls from room to room.

Everyday is a market order that passes the limits of that profile (``risk.everyday``), of a strategy that hears nothing
of its orders, to a venue that says yes at once; and its fill in full by a bar, where only the books hear of it. Both
steps leave at the gate, in the books, at the venue and in the journal what the long way leaves there, and take nothing
up that is not everyday: that goes the long way. ``tests/simulation/test_short_way.py`` holds them equal.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import OrderSent, OrderSubmitted
from engine.domain.ids import InstrumentId, VenueOrderId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.domain.order import Evidence, Order, OrderReport
from engine.markets.rulebook import ChargesByOrder, TradesFutures
from engine.matching.resting import Resting
from engine.matching.venue import SimulatedVenue
from engine.risk.checker import FAILURES
from engine.risk.everyday import judges
from engine.runtime.wiring import Core

# Reading a member off its class is slow in Python 3.11, and these are read for every order of a replay.
_BUY, _ACK, _FILL = Side.BUY, Evidence.ACK, Evidence.FILL

Plain = Callable[[SubmitOrder, Instrument], object]


def way_in(core: Core, venue: SimulatedVenue, way: Any = None) -> Plain | None:
    """Where strategies hand plain orders in: what ``OrderManager.on_submit`` does of an everyday one, down to the
    venue's yes. None where no order of the run is everyday.

    Args:
        way: the same compiled (``compiled_way.compiled``), where it is.
    """
    bus, manager, portfolio, view = core.bus, core.manager, core.portfolio, core.view
    told = tuple(ear for ear in bus.subscribers(OrderSubmitted) if ear != view.on_submitted)
    alone = bus.subscribers(SubmitOrder) == (manager.on_submit,)
    known = alone and told == (portfolio.on_submitted, venue.on_submitted)
    plain = core.checker.passes is not None and view.counts_nothing and view.waits is None and view.strategies is None
    if not known or not plain or portfolio.futures or not venue.takes_at_once:
        return None
    if way is not None:
        return way.submit  # type: ignore[no-any-return]
    long, judged, record, limits = bus.publisher(SubmitOrder), judges(view), core.record, core.checker.limits_id
    orders, working, resting, reserve = manager.orders, manager.working, venue.resting, portfolio.on_submitted

    def submit(order: SubmitOrder, instrument: Instrument) -> None:
        client_id, now_ns = order.client_id, order.ts_ns
        try:
            cost = judged(order, instrument, now_ns) if order.strategy in manager.quiet else None
        except FAILURES:
            cost = None  # Which limit says no to such an order, they tell themselves.
        if cost is None or client_id in orders:
            long(order)
            return
        name, quantity = order.instrument, order.quantity
        number = venue.accepted = venue.accepted + 1
        venue_id: VenueOrderId = str(number)  # type: ignore[assignment]
        event = OrderSubmitted(order=order, ts_ns=now_ns, reserved_cash=cost, limits=limits)
        record(event)
        record(OrderSent(client_id=client_id, ts_ns=now_ns))
        record(OrderReport(account=order.account, client_id=client_id, kind=_ACK, ts_ns=now_ns, venue_id=venue_id))
        reserve(event)
        placed = orders[client_id] = working[client_id] = Order(order, queued=True)
        placed.place(now_ns, venue_id)
        rest = Resting(number, order, cost, now_ns, order.side is _BUY, None, quantity, quantity, True, now_ns)
        if name in resting:
            resting[name].append(rest)
        else:
            resting[name] = [rest]

    return submit


def way_out(core: Core, venue: SimulatedVenue, way: Any = None) -> Callable[[Bar], None]:
    """How the venue is shown a bar: what becomes of an everyday order that is alone there and fills in full.

    A fill model is asked twice about what it does not fill in full.
    """
    manager, portfolio, record = core.manager, core.portfolio, core.record
    long, match, conditional = venue.on_bar, venue.match, venue.conditional
    if venue.careful or core.view.open_orders is None:
        return long
    if way is not None:
        return way.show  # type: ignore[no-any-return]
    orders, working, resting = manager.orders, manager.working, venue.resting
    costs = costs_of_fills(core, venue)

    def show(bar: Bar) -> None:
        name = bar.instrument
        waiting, costs_of = resting.get(name), costs.get(name)
        if waiting is None or costs_of is None or len(waiting) > 1 or not manager.only_books or name in conditional:
            long(bar)
            return
        (rest,) = waiting
        ts_ns, quantity, request = bar.ts_ns, rest.leaves, rest.request
        start_ns = ts_ns - bar.interval_ns
        if rest.limit is not None or not rest.plain or rest.accepted_ns > start_ns or not quantity:
            long(bar)
            return
        client_id, found = request.client_id, match(rest.buys, None, quantity, bar)
        order = orders.get(client_id)
        if found is None or found[0] != quantity or order is None or not order.finish(quantity):
            long(bar)
            return
        fee_of, instrument = costs_of
        price = found[1]
        fee = fee_of(request.type, request.side, quantity, price, instrument, ts_ns)
        rest.leaves = 0
        del resting[name]
        record(
            OrderReport(
                account=request.account, client_id=client_id, kind=_FILL, ts_ns=ts_ns, as_of_ns=start_ns,
                quantity=quantity, price=price, fee=fee, fill_id=f"{rest.number}.{rest.quantity}",
            )
        )  # fmt: skip
        portfolio.forget(client_id)
        portfolio.book(request, quantity, price, fee, start_ns or ts_ns)
        del orders[client_id], working[client_id]

    return show


def costs_of_fills(core: Core, venue: SimulatedVenue) -> dict[InstrumentId, tuple[Callable[..., Decimal], Instrument]]:
    """What says what a fill costs, of instruments where that, and the fill, depend on nothing but the bar."""
    books = {name: book for name, book in core.books.items() if not isinstance(book, ChargesByOrder | TradesFutures)}
    free = {name: spec for name, spec in core.instruments.items() if spec.market in books and name not in venue.floors}
    return {name: (books[spec.market].fee, spec) for name, spec in free.items()}
