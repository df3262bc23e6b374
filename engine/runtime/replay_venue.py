"""The simulated venue as the wiring wants it."""

from engine.domain.events import OrderSubmitted
from engine.domain.evidence import Evidence
from engine.domain.ids import InstrumentId
from engine.domain.order import OrderReport
from engine.execution import CancelWanted, OrderManager, ReplaceWanted
from engine.matching.venue import SimulatedVenue


class ReplayVenue:
    """For a run over bars: it has the venue's own yes to every order."""

    def __init__(self, venue: SimulatedVenue) -> None:
        self.venue = venue
        self.on_submitted = venue.on_submitted

    def on_cancel_wanted(self, event: CancelWanted) -> None:
        request = event.order.request
        self.venue.cancel(request.client_id, request.instrument)

    def on_replace_wanted(self, event: ReplaceWanted) -> None:
        request = event.order.request
        self.venue.replace(request.client_id, request.instrument, event.quantity, event.price)


class QuotesVenue(ReplayVenue):
    """Takes what quotes can fill."""

    def __init__(
        self, venue: SimulatedVenue, manager: OrderManager, quoted: frozenset[InstrumentId], due: list[int]
    ) -> None:
        """``due``: made 0 once an order waits, for the loop to show it what comes next."""
        super().__init__(venue)
        self._due = due
        self._manager = manager
        self._quoted = quoted
        self._take = venue.on_submitted
        self.on_submitted = self._on_submitted

    def _on_submitted(self, event: OrderSubmitted) -> None:
        order = event.order
        self._due[0] = 0
        if order.instrument in self._quoted:
            self._take(event)
            return
        self._manager.mark_sent(order.client_id)
        self._manager.on_report(
            OrderReport(
                account=order.account,
                client_id=order.client_id,
                kind=Evidence.REJECT,
                ts_ns=event.ts_ns,
                reason=f"the fill model fills from quotes, and the data has bars of {order.instrument} alone",
            )
        )
