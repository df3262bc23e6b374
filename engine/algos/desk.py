"""Where parents are started, kept, told what becomes of their children, and written down.

The journal holds each parent's command, its notes and its end, and of course its children's orders; ``relive`` puts
them together again, and ``resume`` lets them go on. Nothing is sent before: what the crash left open must be known
first. Nothing is sent after the strategies were stopped either; parents that are not over then go on in the next run.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.algos.look import look_at
from engine.algos.parent import WHO, Child, Parent, Services
from engine.algos.parents import STATES, Parents
from engine.algos.played_order import native, playable
from engine.clock import Clock
from engine.domain.account import Capabilities
from engine.domain.algos import (
    AlgoChanged,
    AlgoEnded,
    AlgoNoted,
    AlgoStarted,
    AlgoState,
    PlayedOrder,
    SubmitAlgo,
)
from engine.domain.commands import CancelOrder, SubmitOrder
from engine.domain.events import (
    Alert,
    KillLevel,
    LatchSet,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderRejected,
    StrategyStopped,
)
from engine.domain.evidence import OrderState
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, Quote, Trade
from engine.domain.order import Order
from engine.domain.order_types import CONDITIONAL
from engine.risk.checker import RiskChecker
from engine.risk.view import RiskView

SHAPE = frozenset({"kill", "well_formed", "allowed_sides", "allowed_markets", "allowed_symbols", "restricted"})
"""Limits a parent is shown to as a whole; each child is shown to all of them."""
REFUSED = "refused"
_TELLS: dict[AlgoState, type[OrderEvent]] = {
    AlgoState.CANCELED: OrderCanceled,
    AlgoState.EXPIRED: OrderExpired,
    AlgoState.REJECTED: OrderRejected,
}


class AlgoDesk(Parents):
    """One a run."""

    def __init__(
        self,
        *,
        clock: Clock,
        publish: Callable[[Any], object],
        record: Callable[[Any], int | None],
        checker: RiskChecker,
        view: RiskView,
        submit: Callable[[SubmitOrder], None],
        order: Callable[[ClientOrderId], Order | None],
        orders_made: dict[StrategyId, int],
        call_at: Callable[[int, Callable[[], object]], None],
        tell: Callable[[OrderEvent], None],
    ) -> None:
        """
        Args:
            submit: the gate of orders. order: an order the judge still knows. orders_made: its count, by strategy.
            call_at: calls back at a moment. tell: brings an event of an order to its strategy.
        """
        super().__init__(view, order, orders_made)
        self.over_at: Callable[[], bool] = lambda: False
        """Whether the strategies were stopped."""
        self._clock = clock
        self._publish = publish
        self._record = record
        self._checker = checker
        self._view = view
        self._submit = submit
        self._tell = tell
        self.call_at = call_at

    # --- commands -----------------------------------------------------------------------------------------------------

    def on_order_wanted(self, order: SubmitOrder) -> None:
        """An order on its way to the gate: kept here if the venue does not have its like and the engine can play it."""
        sheet = self._view.capabilities.get(order.account)
        if sheet is None or native(order, sheet) or not playable(order, sheet):
            self._submit(order)
            return
        command = SubmitAlgo(
            client_id=order.client_id,
            account=order.account,
            strategy=order.strategy,
            instrument=order.instrument,
            side=order.side,
            quantity=order.quantity,
            ts_ns=order.ts_ns,
            algo=PlayedOrder(order=order),
            offset=order.offset,
        )
        self.on_submit(command)

    def on_submit(self, command: SubmitAlgo) -> None:
        """Start a parent, or say why not."""
        self._start(command, None)

    def refuse(self, command: SubmitAlgo, code: str, reason: str) -> None:
        """A parent that is not even looked at."""
        self._start(command, (code, reason))

    def _start(self, command: SubmitAlgo, refusal: tuple[str, str] | None) -> None:
        self._wake_up()
        self._record(AlgoStarted(command=command, ts_ns=self.now_ns))
        parent = self._adopt(command)
        refusal = refusal or self._refusal(command)
        if refusal:
            if isinstance(command.algo, PlayedOrder) and parent.outer is None:
                # Nothing of it left, and nothing will: its author hears what any denied order's does.
                parent.memory[REFUSED] = True
                code, reason = refusal
                self._publish(OrderDenied(order=command.algo.order, ts_ns=self.now_ns, code=code, reason=reason))
            parent.finish(AlgoState.REJECTED, refusal[1])
            return
        self._say(parent)
        parent.wake()

    def on_cancel(self, command: CancelOrder) -> None:
        """A parent, or a child of one that is itself played here; children at the venue are the judge's."""
        parent = self.parents.get(command.client_id)
        if parent is not None and command.who != WHO:
            self._stop(parent, f"withdrawn by {command.who or 'somebody'}")

    def on_latch(self, event: LatchSet) -> None:
        """From CANCEL on nothing of that scope goes on."""
        if event.level < KillLevel.CANCEL:
            return
        kind, _, name = event.scope.partition(":")
        for parent in list(self.parents.values()):
            command = parent.command
            of = {"all": "", "account": command.account, "strategy": command.strategy, "symbol": command.instrument}
            if of.get(kind) == name:
                self._stop(parent, f"{event.scope} is latched: {event.cause}")

    def on_stopped(self, event: StrategyStopped) -> None:
        for parent in list(self.parents.values()):
            if parent.command.strategy == event.strategy:
                self._stop(parent, f"its strategy was stopped: {event.reason}")

    def _stop(self, parent: Parent, reason: str) -> None:
        if parent.state is AlgoState.WORKING:
            parent.stop(AlgoState.CANCELED, reason)
            self._say(parent)
            parent.wake()

    def _refusal(self, command: SubmitAlgo) -> tuple[str, str] | None:
        """(code, reason) why a parent can not be started."""
        algo = command.algo
        probe = algo.order if isinstance(algo, PlayedOrder) else order_of(command, command.quantity)
        denial = self._checker.check_only(SHAPE, probe, self.now_ns)
        if denial is not None:
            return denial.code, denial.reason
        if self.price(command.instrument) is None:
            return "STALE_DATA", f"no price of {command.instrument} was heard yet: nothing could tell when to act"
        return None

    # --- market data --------------------------------------------------------------------------------------------------

    def on_price(self, event: Bar | Quote | Trade) -> None:
        """After the strategies: they decide on a price before what they left here does."""
        parents = self._by_instrument.get(event.instrument)
        if not parents or self.asleep:
            return
        look = look_at(event)
        for parent in parents:
            if parent.state is AlgoState.WORKING and (parent.plays.hear(parent, look) or parent.stalled):
                if parent.stalled:
                    parent.stalled, parent.not_before_ns = False, 0
                parent.wake()

    # --- services to parents ------------------------------------------------------------------------------------------

    def _services(self) -> Services:
        return self

    @property
    def now_ns(self) -> int:
        return self._clock.now_ns

    def place(self, parent: Parent, child: Child) -> None:
        if self.over_at():
            # The run ends: not refused, only not now.
            del parent.children[child.request.client_id]
            return
        self._owners[child.request.client_id] = parent
        self._publish(child.request)

    def withdraw(self, parent: Parent, command: CancelOrder) -> None:
        played = self.parents.get(command.client_id)
        if played is not None and played is not parent:
            self._stop(played, "withdrawn by its parent")
        else:
            self._publish(command)

    def note(self, parent: Parent, key: str, value: str) -> None:
        self._record(AlgoNoted(client_id=parent.id, ts_ns=self.now_ns, key=key, value=value))

    def over(self, parent: Parent) -> None:
        filled = parent.filled(parent.command.side)
        self._record(
            AlgoEnded(client_id=parent.id, ts_ns=self.now_ns, state=parent.state, filled=filled, reason=parent.reason)
        )
        self._forget(parent)
        self._say(parent)
        if parent.outer is not None:
            self._changed(parent)

    def alert(self, parent: Parent, text: str) -> None:
        self._publish(Alert(ts_ns=self.now_ns, about=f"order:{parent.id}", text=f"{parent.command.name}: {text}"))

    def price(self, instrument: InstrumentId) -> Decimal | None:
        return self._view.reference(instrument)

    def sellable(self, account: AccountId, instrument: InstrumentId) -> int:
        return self._view.sellable(account, instrument, self.now_ns)

    def sheet(self, account: AccountId) -> Capabilities:
        return self._view.capabilities[account]

    def instrument(self, instrument: InstrumentId) -> Instrument:
        return self._view.instruments[instrument]

    def day(self, instrument: InstrumentId, ts_ns: int) -> int:
        return self._view.book(self._view.instruments[instrument]).trading_day(ts_ns)

    # --- telling ------------------------------------------------------------------------------------------------------

    def _say(self, parent: Parent) -> None:
        """Tell the strategy: of a played order as of any order, of the rest as what they are."""
        command, filled = parent.command, parent.filled(parent.command.side)
        self._publish(
            AlgoChanged(
                client_id=command.client_id,
                account=command.account,
                strategy=command.strategy,
                instrument=command.instrument,
                ts_ns=self.now_ns,
                name=command.name,
                state=parent.state,
                quantity=command.quantity,
                filled=filled,
                reason=parent.reason,
            )
        )
        if not isinstance(command.algo, PlayedOrder) or parent.outer is not None:
            return
        event_type = OrderAccepted if parent.state is AlgoState.WORKING else _TELLS.get(parent.state)
        if event_type is OrderAccepted and command.algo.order.type not in CONDITIONAL:
            return
        if event_type is None or command.client_id in parent.children or REFUSED in parent.memory:
            # Its author hears of the order that bears its id.
            return
        reason = parent.reason or "held by the engine: its venue has no such order"
        self._tell(
            event_type(
                client_id=command.client_id,
                account=command.account,
                strategy=command.strategy,
                instrument=command.instrument,
                ts_ns=self.now_ns,
                state=STATES.get(parent.state, OrderState.QUEUED),
                cum=filled,
                reason=reason,
            )
        )

    def waiting_of(self, strategy: StrategyId) -> list[Order]:
        """A strategy's parents as orders, each with what it may still send: the children are orders themselves."""
        found = []
        for parent in self.parents.values():
            command = parent.command
            if command.strategy == strategy and parent.outer is None and command.client_id not in parent.children:
                request = order_of(command, max(0, parent.room))
                found.append(Order(request, queued=True))
        return found


def order_of(command: SubmitAlgo, quantity: int) -> SubmitOrder:
    """A parent as if it were a market order."""
    return SubmitOrder(
        client_id=command.client_id,
        account=command.account,
        strategy=command.strategy,
        instrument=command.instrument,
        side=command.side,
        quantity=quantity,
        ts_ns=command.ts_ns,
        offset=command.offset,
    )
