"""What the simulated venue does with orders besides matching: takes them, withdraws and changes them, tells of it."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from engine.domain.commands import SubmitOrder
from engine.domain.events import OrderSubmitted
from engine.domain.ids import ClientOrderId, InstrumentId, VenueOrderId
from engine.domain.instrument import Instrument
from engine.domain.order import Evidence, OrderReport
from engine.markets.rulebook import ChargesByOrder, RefusesCancels, RuleBook, TradesFutures
from engine.matching.fill_model import FillModel
from engine.matching.floor import Floor
from engine.matching.friction import Friction
from engine.matching.resting import Resting, resting
from engine.matching.slippage import slipped

_FILL = Evidence.FILL


class Clock(Protocol):
    """The replay clock, or any other that knows the time."""

    @property
    def now_ns(self) -> int: ...


class Orders:
    """The orders at one venue. ``placed`` takes its yes to a new order, ``report`` all other evidence."""

    __slots__ = ("__dict__", "__weakref__", "accepted")

    def __init__(
        self,
        model: FillModel,
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        *,
        report: Callable[[OrderReport], None],
        placed: Callable[[ClientOrderId, VenueOrderId], Any],
        clock: Clock,
        sent: Callable[[ClientOrderId], Any] = lambda _client_id: None,
        floors: Mapping[InstrumentId, Floor] | None = None,
        acts_ns: Callable[[InstrumentId, int], int] | None = None,
        futures_fee: Callable[[SubmitOrder, int, Decimal, int], Decimal] | None = None,
    ) -> None:
        """
        Args:
            sent: told of an order whose acceptance comes later, where there is a latency.
            floors: of exchanges with auctions, limits and suspensions.
            acts_ns: when an order accepted at an instant reaches its exchange; None: at once.
            futures_fee: what a fill costs where that depends on what it opens and closes.
        """
        self.resting: dict[InstrumentId, list[Resting]] = {}
        """Orders by instrument, in order of acceptance; instruments without any are not in it."""
        friction = model if isinstance(model, Friction) else Friction(model=model)
        self.model = friction.model
        self._slippage = friction.slippage
        latency = friction.latency
        self._order_ns = latency.order_ns if latency is not None else 0
        self._cancel_ns = latency.cancel_ns if latency is not None else 0
        self._instruments = instruments
        self._books = books
        self._report = report
        self._placed = placed
        self._sent = sent
        self._clock = clock
        self.accepted = 0
        """Orders so far; the number of the latest."""
        self.floors = floors or {}
        self._acts_ns = acts_ns
        self.takes_at_once = not self._order_ns and acts_ns is None
        """Whether an order is there, and may fill, from the moment it came."""
        self._refusing = {name: book for name, book in books.items() if isinstance(book, RefusesCancels)}
        self._futures_fee = futures_fee
        self._futures = {name for name, book in books.items() if isinstance(book, TradesFutures)}
        self._by_order = {name: book for name, book in books.items() if isinstance(book, ChargesByOrder)}
        self._ended = False
        """Whether one of ``_shown`` was withdrawn or emptied from outside meanwhile."""
        self._shown: list[Resting] = []
        """Those that are being matched just now: what a fill causes may withdraw one of them."""
        self._taken: dict[tuple[InstrumentId, bool], dict[Decimal, int]] = {}
        """(instrument, whether bought) -> price -> units our orders took while it stood there."""
        self.conditional: dict[InstrumentId, int] = {}
        """How many orders with a trigger came, by instrument: bars are walked through there."""
        self._know_model()

    def _know_model(self) -> None:
        """Ask once what the model reads: asking a class whether it keeps a protocol is slow."""

    def on_submitted(self, event: OrderSubmitted) -> None:
        """Take an order; it can not be refused here, the market's rules were asked before."""
        request = event.order
        number = self.accepted = self.accepted + 1
        ts_ns = event.ts_ns + self._order_ns
        acts_ns = ts_ns if self._acts_ns is None else self._acts_ns(request.instrument, ts_ns)
        order = resting(number, event, ts_ns, acts_ns)
        waiting = self.resting.get(request.instrument)
        if waiting is None:
            self.resting[request.instrument] = [order]
        else:
            waiting.append(order)
        if order.waits:
            self.conditional[request.instrument] = self.conditional.get(request.instrument, 0) + 1
        if self._order_ns:
            order.told = False
            self._sent(request.client_id)
            return
        venue_id: VenueOrderId = str(number)  # type: ignore[assignment]
        placed = self._placed
        placed(request.client_id, venue_id)

    def arrive(self, order: Resting, now_ns: int) -> bool:
        """Whether it has reached the venue by now; its acceptance is told once."""
        if order.accepted_ns > now_ns:
            return False
        if not order.told:
            order.told = True
            request = order.request
            self._report(
                OrderReport(
                    account=request.account,
                    client_id=request.client_id,
                    kind=Evidence.ACK,
                    ts_ns=order.accepted_ns,
                    venue_id=VenueOrderId(str(order.number)),
                )
            )
        return True

    def fill(
        self, order: Resting, quantity: int, price: Decimal, ts_ns: int, as_of_ns: int, volume: float = 0.0
    ) -> None:
        """Tell of an execution.

        Args:
            volume: what traded, or stood there; slippage may ask.
        """
        request = order.request
        instrument = self._instruments[request.instrument]
        if self._slippage is not None and order.limit is None:
            price = slipped(self._slippage, order.buys, price, quantity, volume, instrument.tick)
            floor = self.floors.get(request.instrument)
            if floor is not None and (band := floor.band) is not None:
                price = min(price, Decimal(repr(band[1]))) if order.buys else max(price, Decimal(repr(band[0])))
        leaves = order.leaves = order.leaves - quantity
        market, report = instrument.market, self._report
        book = self._by_order.get(market) if self._by_order else None
        if self._futures_fee is not None and market in self._futures:
            fee = self._futures_fee(request, quantity, price, ts_ns)
        elif book is None:
            fee = self._books[market].fee(request.type, request.side, quantity, price, instrument, ts_ns)
        else:
            order.value += price * quantity * instrument.multiplier
            whole = book.order_fee(request.side, order.quantity - leaves, order.value, instrument, order.acts_ns)
            fee, order.charged = whole - order.charged, whole
        report(
            OrderReport(
                account=request.account,
                client_id=request.client_id,
                kind=_FILL,
                ts_ns=ts_ns,
                as_of_ns=as_of_ns,
                quantity=quantity,
                price=price,
                fee=fee,
                fill_id=f"{order.number}.{order.quantity - leaves}",
            )
        )

    def cancel(self, client_id: ClientOrderId, instrument: InstrumentId) -> None:
        """Withdraw an order once the cancel has reached it, unless its exchange is at an auction without cancels.

        In breaks and while it is closed nothing matches: a cancel that waits there is one that acts at once.
        """
        order = self._find(client_id, instrument)
        if order is None:
            return
        now_ns = self._clock.now_ns
        book = self._refusing.get(self._instruments[instrument].market) if self._refusing else None
        if book is not None and not book.may_cancel(now_ns) and book.next_order_ns(now_ns) == now_ns:
            self._answer(order, Evidence.CANCEL_REJECT, "no cancels at this hour")
            return
        if self._cancel_ns or not order.told:
            order.canceled_ns = max(now_ns + self._cancel_ns, order.accepted_ns)
            return
        self._ended = True
        self._close(order, Evidence.CANCELED, "")
        self._drop(order)

    def replace(self, client_id: ClientOrderId, instrument: InstrumentId, quantity: int, price: Decimal | None) -> None:
        """Change an order; a change reaches the venue at once, whatever the latency."""
        order = self._find(client_id, instrument)
        if order is None:
            return
        request = order.request
        order.leaves = max(0, quantity - (order.quantity - order.leaves))
        order.quantity = quantity
        if order.waits and order.limit is None:
            order.after = price if order.after is not None and price is not None else order.after
        else:
            order.limit = price if price is not None else order.limit
        order.ahead = -1.0
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
            self._ended = True
            self._drop(order)

    def _find(self, client_id: ClientOrderId, instrument: InstrumentId) -> Resting | None:
        waiting = (*self._shown, *self.resting.get(instrument, ()))
        return next((o for o in waiting if o.leaves and o.request.client_id == client_id), None)

    def _drop(self, order: Resting) -> None:
        instrument = order.request.instrument
        left = [o for o in self.resting.get(instrument, ()) if o is not order]
        if left:
            self.resting[instrument] = left
        else:
            self.resting.pop(instrument, None)

    def _close(self, order: Resting, kind: Evidence, reason: str, ts_ns: int = 0) -> None:
        order.leaves = 0
        self._answer(order, kind, reason, ts_ns)

    def _answer(self, order: Resting, kind: Evidence, reason: str, ts_ns: int = 0) -> None:
        request: SubmitOrder = order.request
        self._report(
            OrderReport(
                account=request.account,
                client_id=request.client_id,
                kind=kind,
                ts_ns=ts_ns or self._clock.now_ns,
                reason=reason,
            )
        )
