"""Which parents there are, what becomes of their children, and how both are found again in the journal."""

from collections import deque
from collections.abc import Callable
from typing import Any

from engine.algos.parent import Child, Parent, Services
from engine.algos.unknown import plays_of
from engine.domain.algos import AlgoEnded, AlgoNoted, AlgoStarted, AlgoState, PlayedOrder, SubmitAlgo
from engine.domain.commands import SubmitOrder
from engine.domain.events import Fill, OrderDenied, OrderEvent, OrderSubmitted
from engine.domain.evidence import OrderState, Proof
from engine.domain.ids import ClientOrderId, InstrumentId, StrategyId
from engine.domain.order import Order
from engine.risk.view import RiskView

KEEP_ENDED = 1_000
"""Parents that are over, but whose children may still show late evidence."""
STATES = {
    AlgoState.FILLED: OrderState.FILLED,
    AlgoState.CANCELED: OrderState.CANCELED,
    AlgoState.EXPIRED: OrderState.EXPIRED,
    AlgoState.REJECTED: OrderState.REJECTED,
}


class Parents:
    """What the desk knows; what it does is the subclass's."""

    def __init__(
        self, view: RiskView, order: Callable[[ClientOrderId], Order | None], orders_made: dict[StrategyId, int]
    ) -> None:
        self.asleep = False
        self.parents: dict[ClientOrderId, Parent] = {}
        """Those that are not over."""
        self.made: dict[StrategyId, int] = {}
        self.first: Callable[[], None] = lambda: None
        """Called once, when the first parent comes."""
        self.watch: Callable[[InstrumentId, bool], None] = lambda _instrument, _wanted: None
        """Called when parents begin to want an instrument's prices, and when none does any more."""
        self._view = view
        self._order = order
        self._orders_made = orders_made
        self._owners: dict[ClientOrderId, Parent] = {}
        self._by_instrument: dict[InstrumentId, list[Parent]] = {}
        self._ended: deque[Parent] = deque()

    def is_child(self, client_id: ClientOrderId) -> bool:
        """Whether a parent here sent it, and no strategy."""
        return client_id in self._owners

    # --- what becomes of children -------------------------------------------------------------------------------------

    def on_order(self, event: OrderEvent) -> None:
        parent = self._owners.get(event.client_id)
        child = parent.children.get(event.client_id) if parent is not None else None
        if parent is None or child is None:
            return
        self._told(parent, child, event.state, event.cum)

    def on_fill(self, fill: Fill) -> None:
        parent = self._owners.get(fill.client_id)
        child = parent.children.get(fill.client_id) if parent is not None else None
        if parent is None or child is None:
            return
        whole = fill.cum >= child.request.quantity or (not fill.leaves and not child.ended)
        state = OrderState.FILLED if whole else child.state
        if not whole and (not child.ended and child.state is not OrderState.PENDING_CANCEL):
            state = OrderState.PARTIAL
        self._told(parent, child, state, fill.cum)

    def on_denied(self, event: OrderDenied) -> None:
        parent = self._owners.get(event.client_id)
        child = parent.children.get(event.client_id) if parent is not None else None
        if parent is None or child is None:
            return
        parent.denied(child, event.code, event.reason)
        self._changed(parent)

    def _told(self, parent: Parent, child: Child, state: OrderState, cum: int) -> None:
        proof = Proof.NONE
        if state is OrderState.NOT_PLACED:
            order = self._order(child.request.client_id)
            proof = Proof.INFERRED if order is None else order.proof
        parent.told(child, state, cum, proof)
        self._changed(parent)

    def _changed(self, parent: Parent) -> None:
        """Go on, and let the parent's own parent know."""
        parent.wake()
        outer = parent.outer
        child = outer.children.get(parent.id) if outer is not None else None
        if outer is None or child is None:
            return
        filled = parent.filled(parent.command.side)
        state = STATES.get(parent.state, OrderState.PARTIAL if filled else OrderState.WORKING)
        if parent.blocked:
            state = OrderState.UNKNOWN
        if (child.state, child.cum) != (state, filled):
            outer.told(child, state, filled, Proof.VENUE)
            self._changed(outer)

    # --- life ---------------------------------------------------------------------------------------------------------

    def relive(self, event: Any) -> None:
        """A row of the journal, or what it made the judge say."""
        if isinstance(event, AlgoStarted):
            self.asleep = True
            self._adopt(event.command)
        elif isinstance(event, AlgoNoted):
            if (parent := self.parents.get(event.client_id)) is not None:
                parent.notes[event.key] = event.value
        elif isinstance(event, AlgoEnded):
            if (parent := self.parents.get(event.client_id)) is not None:
                parent.state, parent.reason = event.state, event.reason
                self._forget(parent)
                self._changed(parent)
        elif isinstance(event, OrderSubmitted):
            self._relive_child(event.order)
        elif isinstance(event, OrderDenied):
            self._relive_child(event.order)
            self.on_denied(event)
        elif isinstance(event, Fill):
            self.on_fill(event)
        else:
            self.on_order(event)

    def _relive_child(self, order: SubmitOrder) -> None:
        parent = self._parent_of(order.client_id)
        if parent is not None:
            parent.children[order.client_id] = Child(order)
            self._owners[order.client_id] = parent
            tail = order.client_id.removeprefix(f"{parent.id}.")
            parent.number = max(parent.number + (tail == order.client_id), int(tail) if tail.isdigit() else 0)

    def _parent_of(self, client_id: ClientOrderId) -> Parent | None:
        """The parent that made an order of this id."""
        own = self.parents.get(client_id)
        stem, _, tail = client_id.rpartition(".")
        return own or (self.parents.get(ClientOrderId(stem)) if tail.isdigit() else None)

    def resume(self) -> None:
        """Strategies run: parents found in the journal go on."""
        self.asleep = False
        if self.parents:
            self._wake_up()
        for parent in list(self.parents.values()):
            parent.not_before_ns, parent.strikes = 0, 0
            parent.wake()

    def _adopt(self, command: SubmitAlgo) -> Parent:
        stem, _, tail = command.client_id.rpartition(".")
        outer = self._owners.get(command.client_id)
        if outer is None and tail.isdigit():
            outer = self.parents.get(ClientOrderId(stem))
        plays = plays_of(command, self._view.capabilities[command.account])
        parent = Parent(command, plays, self._services(), outer)
        self.parents[command.client_id] = parent
        if outer is not None:
            if command.client_id not in outer.children and isinstance(command.algo, PlayedOrder):
                outer.children[command.client_id] = Child(command.algo.order)
                outer.number = max(outer.number, int(tail))
            self._owners[command.client_id] = parent
        elif isinstance(command.algo, PlayedOrder):
            if self.asleep:
                self._orders_made[command.strategy] = self._orders_made.get(command.strategy, 0) + 1
        else:
            self.made[command.strategy] = self.made.get(command.strategy, 0) + 1
        return parent

    def listen(self, parent: Parent, wanted: bool) -> None:
        """Show a parent prices from now on, or not."""
        instrument = parent.command.instrument
        known = self._by_instrument.get(instrument, [])
        if wanted is (parent in known):
            return
        changed = [*known, parent] if wanted else [other for other in known if other is not parent]
        self._by_instrument[instrument] = changed
        if not known or not changed:
            self.watch(instrument, wanted)

    def _forget(self, parent: Parent) -> None:
        """It is over: it hears no prices, but late evidence of its children."""
        self.parents.pop(parent.id, None)
        self.listen(parent, False)
        self._ended.append(parent)
        while len(self._ended) > KEEP_ENDED:
            for name in self._ended.popleft().children:
                self._owners.pop(name, None)

    def _wake_up(self) -> None:
        first, self.first = self.first, lambda: None
        first()

    def _services(self) -> Services:
        """What parents are lent."""
        raise NotImplementedError
