"""The simulated venue: holds orders, shows them each bar, reports what filled.

It answers like a venue, with evidence (``OrderReport``); what that means is the core's business. An order fills only
on a bar whose start is at or after its acceptance (DESIGN, decision 6).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from engine.domain.account import CancelScope, Capabilities
from engine.domain.commands import SIZED_BY_VENUE, OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.events import OrderSubmitted
from engine.domain.ids import ClientOrderId, InstrumentId, VenueOrderId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.domain.order import Evidence, OrderReport
from engine.markets.rulebook import RuleBook
from engine.matching.fill_model import UNPRICED, FillModel

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


class _Resting:
    """One order as the venue holds it."""

    __slots__ = ("accepted_ns", "buys", "leaves", "limit", "number", "request", "reserved")

    def __init__(self, number: int, event: OrderSubmitted, accepted_ns: int) -> None:
        request = event.order
        self.number = number
        self.request = request
        self.reserved = event.reserved_cash
        self.accepted_ns = accepted_ns
        self.buys = request.side is Side.BUY or request.side is Side.BUY_BACK
        self.leaves = request.quantity
        self.limit = None if request.type in UNPRICED else request.price


class SimulatedVenue:
    """One venue for all accounts of a run; ``report`` takes its evidence (``OrderManager.on_report``)."""

    def __init__(
        self,
        model: FillModel,
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        *,
        report: Callable[[OrderReport], None],
        sent: Callable[[ClientOrderId], Any],
        now_ns: Callable[[], int],
    ) -> None:
        self.resting: dict[InstrumentId, list[_Resting]] = {}
        """Orders by instrument, in order of acceptance; instruments without any are not in it."""
        self._model = model
        self._instruments = instruments
        self._books = books
        self._report = report
        self._sent = sent
        self._now_ns = now_ns
        self._accepted = 0

    def on_submitted(self, event: OrderSubmitted) -> None:
        """Take an order; it can not be refused here, the market's rules were asked before."""
        request = event.order
        self._sent(request.client_id)
        self._accepted += 1
        now_ns = self._now_ns()
        self.resting.setdefault(request.instrument, []).append(_Resting(self._accepted, event, now_ns))
        self._report(
            OrderReport(
                account=request.account,
                client_id=request.client_id,
                kind=Evidence.ACK,
                ts_ns=now_ns,
                venue_id=VenueOrderId(str(self._accepted)),
            )
        )

    def on_bar(self, bar: Bar) -> None:
        """Show a bar to the orders of its instrument, before anybody else sees it."""
        orders = self.resting.get(bar.instrument)
        if not orders:
            return
        start_ns = bar.ts_ns - bar.interval_ns
        del self.resting[bar.instrument]
        # What a fill causes (a new order, a cancel) lands in a fresh list and can not meet this bar.
        kept = [order for order in orders if order.accepted_ns > start_ns or self._show(order, bar, start_ns)]
        if kept:
            self.resting[bar.instrument] = kept + self.resting.get(bar.instrument, [])

    def _show(self, order: _Resting, bar: Bar, start_ns: int) -> bool:
        """Match one order with one bar; True while it goes on working."""
        if order.leaves == 0:
            return False
        request = order.request
        if self._day_over(order, start_ns):
            self._close(order, Evidence.EXPIRED, "the trading day ended")
            return False
        found = self._model.match(order.buys, order.limit, order.leaves, bar)
        if found is not None and request.tif is TimeInForce.FOK and found[0] < order.leaves:
            found = None
        if found is not None:
            quantity, price = found
            if request.type is OrderType.ALL_IN:
                quantity = min(quantity, int(order.reserved / price))
            if quantity:
                self._fill(order, quantity, price, bar, start_ns)
        if order.leaves and (request.type in SIZED_BY_VENUE or request.tif in (TimeInForce.IOC, TimeInForce.FOK)):
            self._close(order, Evidence.CANCELED, "what could not fill at once is withdrawn")
        return order.leaves > 0

    def _fill(self, order: _Resting, quantity: int, price: Decimal, bar: Bar, start_ns: int) -> None:
        order.leaves -= quantity
        request = order.request
        done = request.quantity - order.leaves
        self._report(
            OrderReport(
                account=request.account,
                client_id=request.client_id,
                kind=Evidence.FILL,
                ts_ns=bar.ts_ns,
                as_of_ns=start_ns if order.limit is None else bar.ts_ns,
                quantity=quantity,
                price=price,
                fill_id=f"{order.number}.{done}",
            )
        )

    def _day_over(self, order: _Resting, start_ns: int) -> bool:
        request = order.request
        if order.limit is None or request.tif is not TimeInForce.DAY:
            return False
        book = self._books[self._instruments[request.instrument].market]
        return book.trading_day(start_ns) > book.trading_day(order.accepted_ns)

    def cancel(self, client_id: ClientOrderId, instrument: InstrumentId) -> None:
        order = self._find(client_id, instrument)
        if order is not None:
            self._close(order, Evidence.CANCELED, "")
            self._drop(order)

    def replace(self, client_id: ClientOrderId, instrument: InstrumentId, quantity: int, price: Decimal | None) -> None:
        order = self._find(client_id, instrument)
        if order is None:
            return
        request = order.request
        order.leaves = max(0, quantity - (request.quantity - order.leaves))
        order.limit = price if price is not None else order.limit
        self._report(
            OrderReport(
                account=request.account,
                client_id=client_id,
                kind=Evidence.REPLACE_ACK,
                ts_ns=self._now_ns(),
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
        request: SubmitOrder = order.request
        order.leaves = 0
        self._report(
            OrderReport(
                account=request.account,
                client_id=request.client_id,
                kind=kind,
                ts_ns=self._now_ns(),
                reason=reason,
            )
        )
