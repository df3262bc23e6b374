"""The simulated venue: holds orders, shows them each bar, reports what filled.

It answers like a venue, with evidence (``OrderReport``); what that means is the core's business. An order fills only
on a bar whose start is at or after its acceptance (DESIGN, decision 6).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct

from engine.domain.account import CancelScope, Capabilities
from engine.domain.commands import SIZED_BY_VENUE, OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.events import OrderSubmitted
from engine.domain.ids import ClientOrderId, InstrumentId, VenueOrderId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.domain.money import ZERO
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import DAY_NS
from engine.markets.rulebook import ChargesByOrder, RefusesCancels, RuleBook, TradesFutures
from engine.matching.fill_model import UNPRICED, FillModel
from engine.matching.floor import Floor


class Clock(Protocol):
    """The replay clock, or any other that knows the time."""

    @property
    def now_ns(self) -> int: ...


SHEET = Capabilities(
    gateway="simulated venue",
    order_types=frozenset(
        {OrderType.MARKET, OrderType.LIMIT, OrderType.ALL_IN, OrderType.SELL_ALL, OrderType.LIQUIDATE}
    ),
    sides=frozenset(Side),
    tifs=frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
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


# Reading a member off its class is slow in Python 3.11, and these are read for every order of a replay.
_BUY, _BUY_BACK, _MARKET, _ALL_IN = Side.BUY, Side.BUY_BACK, OrderType.MARKET, OrderType.ALL_IN
_DAY, _FOK = TimeInForce.DAY, TimeInForce.FOK
_FILL = Evidence.FILL
_PLAIN_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})
_PATIENT = frozenset({TimeInForce.DAY, TimeInForce.GTC})
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class _Resting(Struct, gc=False, eq=False):
    """One order as the venue holds it."""

    number: int
    request: SubmitOrder
    reserved: Decimal
    accepted_ns: int
    buys: bool
    limit: Decimal | None
    quantity: int
    leaves: int
    plain: bool
    """Nothing but a price decides what of it fills."""
    acts_ns: int
    """When it reaches the exchange: later than accepted where it waits for the next opening."""
    value: Decimal = ZERO
    """Of its fills, where fees count by the order."""
    charged: Decimal = ZERO


class SimulatedVenue:
    """One venue for all accounts of a run.

    ``placed`` takes its yes to a new order (``OrderManager.placed``), ``report`` all other evidence (``on_report``).
    """

    def __init__(
        self,
        model: FillModel,
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        *,
        report: Callable[[OrderReport], None],
        placed: Callable[[ClientOrderId, VenueOrderId], Any],
        clock: Clock,
        floors: Mapping[InstrumentId, Floor] | None = None,
        acts_ns: Callable[[InstrumentId, int], int] | None = None,
        futures_fee: Callable[[SubmitOrder, int, Decimal, int], Decimal] | None = None,
    ) -> None:
        """``floors``: of exchanges with auctions, limits and suspensions. ``acts_ns``: when an order accepted at an
        instant reaches its exchange; None: at once. ``futures_fee``: what a fill costs where that depends on what it
        opens and closes."""
        self.resting: dict[InstrumentId, list[_Resting]] = {}
        """Orders by instrument, in order of acceptance; instruments without any are not in it."""
        self._match = model.match
        self._instruments = instruments
        self._books = books
        self._report = report
        self._placed = placed
        self._clock = clock
        self._accepted = 0
        self._floors = floors or {}
        self._acts_ns = acts_ns
        self._refusing = {name: book for name, book in books.items() if isinstance(book, RefusesCancels)}
        self._futures_fee = futures_fee
        self._futures = {name for name, book in books.items() if isinstance(book, TradesFutures)}
        self._by_order = {name: book for name, book in books.items() if isinstance(book, ChargesByOrder)}

    def on_submitted(self, event: OrderSubmitted) -> None:
        """Take an order; it can not be refused here, the market's rules were asked before."""
        request = event.order
        client_id, side, quantity = request.client_id, request.side, request.quantity
        number = self._accepted = self._accepted + 1
        limit = None if request.type in UNPRICED else request.price
        buys = side is _BUY or side is _BUY_BACK
        plain = request.type in _PLAIN_TYPES and request.tif in _PATIENT
        ts_ns = event.ts_ns
        acts_ns = ts_ns if self._acts_ns is None else self._acts_ns(request.instrument, ts_ns)
        order = _Resting(number, request, event.reserved_cash, ts_ns, buys, limit, quantity, quantity, plain, acts_ns)
        waiting = self.resting.get(request.instrument)
        if waiting is None:
            self.resting[request.instrument] = [order]
        else:
            waiting.append(order)
        venue_id: VenueOrderId = str(number)  # type: ignore[assignment]
        self._placed(client_id, venue_id)

    def on_bar(self, bar: Bar) -> None:
        """Show a bar to the orders of its instrument, before anybody else sees it."""
        orders = self.resting.get(bar.instrument)
        if not orders:
            return
        start_ns = bar.ts_ns - bar.interval_ns
        buys_locked = sells_locked = False
        floor = self._floors.get(bar.instrument)
        if floor is not None:
            found = floor.shown(bar, start_ns)
            if found is None:
                return
            bar, start_ns = found
            buys_locked, sells_locked = floor.locked(bar)
        del self.resting[bar.instrument]
        # What a fill causes (a new order, a cancel) lands in a fresh list and can not meet this bar.
        kept = []
        for order in orders:
            if order.accepted_ns > start_ns:
                kept.append(order)
            elif order.plain and order.limit is None and order.leaves and floor is None:
                match = self._match(order.buys, None, order.leaves, bar)
                if match is not None:
                    self._fill(order, match[0], match[1], bar, start_ns)
                if order.leaves:
                    kept.append(order)
            elif self._show(order, bar, start_ns, buys_locked if order.buys else sells_locked, floor is not None):
                kept.append(order)
        if kept:
            self.resting[bar.instrument] = kept + self.resting.get(bar.instrument, [])

    def _show(self, order: _Resting, bar: Bar, start_ns: int, locked: bool = False, ruled: bool = False) -> bool:
        """Match one order with one bar; True while it goes on working.

        Args:
            locked: nobody is on the other side. ruled: its exchange ends market orders with the day too.
        """
        if order.leaves == 0:
            return False
        request = order.request
        if (order.limit is not None or ruled) and self._day_over(order, start_ns):
            self._close(order, Evidence.EXPIRED, "the trading day ended")
            return False
        found = None if locked else self._match(order.buys, order.limit, order.leaves, bar)
        if found is not None and request.tif is _FOK and found[0] < order.leaves:
            found = None
        if found is not None:
            quantity, price = found
            if request.type is _ALL_IN:
                quantity = min(quantity, int(order.reserved / price))
            if quantity:
                self._fill(order, quantity, price, bar, start_ns)
        if order.leaves and (request.type in SIZED_BY_VENUE or request.tif in _AT_ONCE):
            self._close(order, Evidence.CANCELED, "what could not fill at once is withdrawn")
        return order.leaves > 0

    def _fill(self, order: _Resting, quantity: int, price: Decimal, bar: Bar, start_ns: int) -> None:
        leaves = order.leaves = order.leaves - quantity
        request = order.request
        instrument = self._instruments[request.instrument]
        book = self._by_order.get(instrument.market)
        if self._futures_fee is not None and instrument.market in self._futures:
            fee = self._futures_fee(request, quantity, price, bar.ts_ns)
        elif book is None:
            fee = self._books[instrument.market].fee(request.type, request.side, quantity, price, instrument, bar.ts_ns)
        else:
            order.value += price * quantity * instrument.multiplier
            whole = book.order_fee(request.side, order.quantity - leaves, order.value, instrument, order.acts_ns)
            fee, order.charged = whole - order.charged, whole
        self._report(
            OrderReport(
                account=request.account,
                client_id=request.client_id,
                kind=_FILL,
                ts_ns=bar.ts_ns,
                as_of_ns=start_ns if order.limit is None or self._is_day(bar) else bar.ts_ns,
                quantity=quantity,
                price=price,
                fee=fee,
                fill_id=f"{order.number}.{order.quantity - leaves}",
            )
        )

    def _is_day(self, bar: Bar) -> bool:
        """Whether a bar is a whole day of an exchange: then it may end long after the day."""
        return bar.interval_ns >= DAY_NS and bar.instrument in self._floors

    def _day_over(self, order: _Resting, start_ns: int) -> bool:
        request = order.request
        if request.tif is not _DAY:
            return False
        book = self._books[self._instruments[request.instrument].market]
        return book.trading_day(start_ns) > book.trading_day(order.acts_ns)

    def cancel(self, client_id: ClientOrderId, instrument: InstrumentId) -> None:
        """Withdraw an order, unless its exchange is at an auction without cancels.

        In breaks and while it is closed nothing matches: a cancel that waits there is one that acts at once.
        """
        order = self._find(client_id, instrument)
        if order is None:
            return
        now_ns = self._clock.now_ns
        book = self._refusing.get(self._instruments[instrument].market) if self._refusing else None
        if book is not None and not book.may_cancel(now_ns) and book.next_order_ns(now_ns) == now_ns:
            self._answer(order, Evidence.CANCEL_REJECT, "no cancels at this hour")
        else:
            self._close(order, Evidence.CANCELED, "")
            self._drop(order)

    def replace(self, client_id: ClientOrderId, instrument: InstrumentId, quantity: int, price: Decimal | None) -> None:
        order = self._find(client_id, instrument)
        if order is None:
            return
        request = order.request
        order.leaves = max(0, quantity - (order.quantity - order.leaves))
        order.quantity = quantity
        order.limit = price if price is not None else order.limit
        self._report(
            OrderReport(
                account=request.account,
                client_id=client_id,
                kind=Evidence.REPLACE_ACK,
                ts_ns=self._clock.now_ns,
                quantity=quantity,
                price=price,
            )
        )
        if order.leaves == 0:
            self._drop(order)

    def _find(self, client_id: ClientOrderId, instrument: InstrumentId) -> _Resting | None:
        return next((o for o in self.resting.get(instrument, ()) if o.request.client_id == client_id), None)

    def _drop(self, order: _Resting) -> None:
        instrument = order.request.instrument
        left = [o for o in self.resting[instrument] if o is not order]
        if left:
            self.resting[instrument] = left
        else:
            del self.resting[instrument]

    def _close(self, order: _Resting, kind: Evidence, reason: str) -> None:
        order.leaves = 0
        self._answer(order, kind, reason)

    def _answer(self, order: _Resting, kind: Evidence, reason: str) -> None:
        request: SubmitOrder = order.request
        self._report(
            OrderReport(
                account=request.account,
                client_id=request.client_id,
                kind=kind,
                ts_ns=self._clock.now_ns,
                reason=reason,
            )
        )
