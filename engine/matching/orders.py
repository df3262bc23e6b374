"""What the simulated venue does with orders besides matching: takes them, withdraws and changes them, tells of it."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from engine.domain.commands import SubmitOrder
from engine.domain.events import OrderSubmitted
from engine.domain.ids import ClientOrderId, InstrumentId, VenueOrderId
from engine.domain.instrument import Instrument
from engine.domain.order import Evidence, OrderReport
from engine.markets.rulebook import RuleBook
from engine.matching.fill_model import FillModel
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
    ) -> None:
        """``sent``: told of an order whose acceptance comes later, where there is a latency."""
        self.resting: dict[InstrumentId, list[Resting]] = {}
        """Orders by instrument, in order of acceptance; instruments without any are not in it."""
        friction = model if isinstance(model, Friction) else Friction(model=model)
        self._model = friction.model
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
        self._accepted = 0
        self._ended = False
        """Whether one of ``_shown`` was withdrawn or emptied from outside meanwhile."""
        self._shown: list[Resting] = []
        """Those that are being matched just now: what a fill causes may withdraw one of them."""
        self._taken: dict[tuple[InstrumentId, bool], dict[Decimal, int]] = {}
        """(instrument, whether bought) -> price -> units our orders took while it stood there."""
        self.conditional: dict[InstrumentId, int] = {}
        """How many orders with a trigger came, by instrument: bars are walked through there."""

    def on_submitted(self, event: OrderSubmitted) -> None:
        """Take an order; it can not be refused here, the market's rules were asked before."""
        request = event.order
        number = self._accepted = self._accepted + 1
        order = resting(number, event, event.ts_ns + self._order_ns)
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
        self._placed(request.client_id, venue_id)

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
            band = self._band(request.instrument)
            if band is not None:
                price = min(price, Decimal(repr(band[1]))) if order.buys else max(price, Decimal(repr(band[0])))
        leaves = order.leaves = order.leaves - quantity
        fee = self._books[instrument.market].fee(request.type, request.side, quantity, price, instrument)
        self._report(
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

    def _band(self, instrument: InstrumentId) -> tuple[float, float] | None:
        """Lowest and highest price of the day; None where there is none."""
        return None

    def cancel(self, client_id: ClientOrderId, instrument: InstrumentId) -> None:
        """Withdraw an order, once the cancel has reached the venue."""
        order = self._find(client_id, instrument)
        if order is None:
            return
        if self._cancel_ns or not order.told:
            order.canceled_ns = max(self._clock.now_ns + self._cancel_ns, order.accepted_ns)
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
        request: SubmitOrder = order.request
        order.leaves = 0
        self._report(
            OrderReport(
                account=request.account,
                client_id=request.client_id,
                kind=kind,
                ts_ns=ts_ns or self._clock.now_ns,
                reason=reason,
            )
        )
