"""One parent and its children: how much may still be sent, what is withdrawn, when it is over.

The rule no algo can break, because only ``send`` makes children: of one side, what has filled and what may still fill
add up to no more than was asked for. A child whose outcome is not known counts in full and stops its parent from
sending anything; one that was only *inferred* never to have been placed ends it, since it may still turn up.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

from engine.domain.account import Capabilities
from engine.domain.algos import ALGO_ENDS, AlgoState, SubmitAlgo
from engine.domain.commands import CancelOrder, OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.evidence import TERMINAL, OrderState, Proof
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.timestamps import SECOND_NS

WHO = "engine:algo"
"""Who withdraws children; no strategy can be called that."""
WAITS_NS = (5 * SECOND_NS, 15 * SECOND_NS, 60 * SECOND_NS)
"""How long to wait after a child that was refused, the first, second and third time in a row; then it is over."""
CANCELS_MAX = 5
"""How often a child is asked to go in haste; then a person is told, and it is asked once a minute."""
AT_ONCE = frozenset({"KILLED", "UNSUPPORTED", "MALFORMED", "INSTRUMENT", "ENV", "DUP_ID"})
"""Refusals that waiting will not mend."""
NOT_NOW = frozenset({"SESSION", "STALE_DATA", "OPEN", "RATE", "DUPLICATE", "NOT_READY", "LOCKED", "SELF_MATCH"})
"""Refusals that time mends: they are tried again as long as the parent lives, and a person is told after three."""
TOO_FAR = frozenset({"PRICE_RULE", "COLLAR"})
"""The price is beyond today's limits, or too far from the market: as ``NOT_NOW``, seldom."""
FAR_NS = 1_800 * SECOND_NS
_UNDECIDED = (OrderState.UNKNOWN, OrderState.DISPUTED)


class Child:
    """One order of a parent, as the events tell of it."""

    __slots__ = ("blocked", "cancels", "cum", "request", "state", "suspect")

    def __init__(self, request: SubmitOrder) -> None:
        self.request = request
        self.state = OrderState.QUEUED
        self.cum = 0
        self.suspect = False
        """Its absence was inferred: it may still turn up."""
        self.blocked = False
        """Its own outcome, or that of one of its own children, is not known."""
        self.cancels = 0

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL

    @property
    def open(self) -> int:
        """What may still fill."""
        return 0 if self.ended and not self.suspect else max(0, self.request.quantity - self.cum)


class Services(Protocol):
    """What the desk lends its parents."""

    asleep: bool

    @property
    def now_ns(self) -> int: ...

    def place(self, parent: "Parent", child: Child) -> None:
        """Hand a child to the gate."""

    def withdraw(self, parent: "Parent", command: CancelOrder) -> None: ...

    def note(self, parent: "Parent", key: str, value: str) -> None: ...

    def over(self, parent: "Parent") -> None: ...

    def alert(self, parent: "Parent", text: str) -> None: ...

    def listen(self, parent: "Parent", wanted: bool) -> None:
        """Show it prices from now on, or not."""

    def call_at(self, due_ns: int, call: Callable[[], object]) -> None: ...

    def price(self, instrument: InstrumentId) -> Decimal | None: ...

    def sellable(self, account: AccountId, instrument: InstrumentId) -> int: ...

    def sheet(self, account: AccountId) -> Capabilities: ...

    def instrument(self, instrument: InstrumentId) -> Instrument: ...

    def day(self, instrument: InstrumentId, ts_ns: int) -> int: ...


class Plays(Protocol):
    """How one kind of parent goes on: one a file, the registry is ``ALGOS``."""

    has_exits: bool
    """Whether there is more to it than filling its quantity."""

    def step(self, parent: "Parent") -> None:
        """Do what is due now, from the parent's command, notes and children alone; called whenever anything changed."""

    def listens(self, parent: "Parent") -> bool:
        """Whether a price could make it do something now."""

    def hear(self, parent: "Parent", look: Any) -> bool:
        """A price (``Look``); True if ``step`` should be called."""


class Parent:
    """One of them. ``outer``: the parent of which it is itself a child."""

    def __init__(self, command: SubmitAlgo, plays: Plays, services: Services, outer: "Parent | None" = None) -> None:
        self.command = command
        self.plays = plays
        self.services = services
        self.outer = outer
        self.state = AlgoState.WORKING
        self.reason = ""
        self.children: dict[ClientOrderId, Child] = {}
        self.notes: dict[str, str] = {}
        self.memory: dict[str, Any] = {}
        """What may be forgotten in a restart."""
        self.number = 0
        """Of the child that was made last."""
        self.strikes = 0
        self.delays = 0
        """Refusals in a row that time mends."""
        self.stalled = False
        """It waits for a price, whichever."""
        self.not_before_ns = 0
        self._end = AlgoState.CANCELED
        self._alarm_ns = 0
        self._busy = False
        self._again = False
        self._excess = 0

    # --- readers ------------------------------------------------------------------------------------------------------

    @property
    def id(self) -> ClientOrderId:
        return self.command.client_id

    @property
    def ended(self) -> bool:
        return self.state in ALGO_ENDS

    @property
    def now_ns(self) -> int:
        return self.services.now_ns

    @property
    def blocked(self) -> bool:
        """Whether the outcome of a child is not known."""
        return any(child.blocked for child in self.children.values())

    @property
    def live(self) -> list[Child]:
        """Children that are not over."""
        return [child for child in self.children.values() if not child.ended]

    def filled(self, side: Side) -> int:
        return sum(child.cum for child in self.children.values() if child.request.side is side)

    def committed(self, side: Side) -> int:
        """Filled, or may still fill."""
        return sum(child.cum + child.open for child in self.children.values() if child.request.side is side)

    @property
    def room(self) -> int:
        """What of the parent's own side may still be sent."""
        return self.command.quantity - self.committed(self.command.side)

    def lots(self, quantity: int) -> int:
        """Rounded down to whole lots."""
        lot = self.services.instrument(self.command.instrument).lot
        return quantity // lot * lot

    # --- what algos do ------------------------------------------------------------------------------------------------

    def send(
        self,
        quantity: int,
        kind: OrderType = OrderType.MARKET,
        *,
        price: Decimal | None = None,
        side: Side | None = None,
        most: int | None = None,
        own_id: bool = False,
        tif: TimeInForce = TimeInForce.DAY,
        **terms: Any,
    ) -> bool:
        """Make a child, of ``quantity`` or what room there is; False if none may be made now.

        Args:
            side: the parent's own, unless given.
            most: of that side in all; the parent's quantity, unless given.
            own_id: the child bears the parent's id, so that its author knows it by that; for the first alone.
        """
        command = self.command
        side = side or command.side
        room = (command.quantity if most is None else most) - self.committed(side)
        quantity = min(quantity, room)
        if quantity <= 0 or not self.may_send:
            return False
        if self.services.price(command.instrument) is None:
            # After a restart: nothing is sent before the market was heard again.
            self.stalled = True
            return False
        self.number += 1
        plain = own_id and command.client_id not in self.children
        name = command.client_id if plain else ClientOrderId(f"{command.client_id}.{self.number}")
        request = SubmitOrder(
            client_id=name,
            account=command.account,
            strategy=command.strategy,
            instrument=command.instrument,
            side=side,
            quantity=quantity,
            ts_ns=self.now_ns,
            type=kind,
            price=price,
            tif=tif,
            offset=command.offset,
            **terms,
        )
        child = self.children[name] = Child(request)
        self.services.place(self, child)
        return True

    @property
    def may_send(self) -> bool:
        return (
            self.state is AlgoState.WORKING
            and not self.services.asleep
            and not self.blocked
            and self.now_ns >= self.not_before_ns
        )

    def withdraw(self, child: Child) -> None:
        """Ask a child to go, unless it was asked just now; as long as it stays."""
        if child.ended or self.services.asleep:
            return
        pause_ns = WAITS_NS[0] if child.cancels < CANCELS_MAX else WAITS_NS[-1]
        last_ns = self.memory.get(child.request.client_id, -WAITS_NS[-1])
        if self.now_ns - last_ns < pause_ns:
            self.alarm(last_ns + pause_ns)
            return
        self.memory[child.request.client_id] = self.now_ns
        child.cancels += 1
        if child.cancels == CANCELS_MAX:
            self.services.alert(
                self, f"{child.request.client_id} was asked {CANCELS_MAX} times to go, and stays so far"
            )
        self.alarm(self.now_ns + (pause_ns if child.cancels < CANCELS_MAX else WAITS_NS[-1]))
        self.services.withdraw(self, CancelOrder(client_id=child.request.client_id, ts_ns=self.now_ns, who=WHO))

    def note(self, key: str, value: str) -> None:
        """Keep something over a restart."""
        self.notes[key] = value
        self.services.note(self, key, value)

    def alarm(self, due_ns: int) -> None:
        """Call ``step`` again then, if nothing calls it before."""
        now_ns = self.now_ns
        if due_ns > now_ns and not now_ns < self._alarm_ns <= due_ns:
            self._alarm_ns = due_ns
            self.services.call_at(due_ns, self.wake)

    def stop(self, end: AlgoState, reason: str) -> None:
        """Send nothing more, withdraw the children, and be over when they are."""
        if self.state is AlgoState.WORKING:
            self.state, self._end, self.reason = AlgoState.CANCELING, end, reason

    def finish(self, state: AlgoState, reason: str = "") -> None:
        """It is over."""
        if not self.ended:
            self.state, self.reason = state, reason or self.reason
            self.services.over(self)

    # --- what happens to it -------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Do what is due; called again from inside, it goes round once more instead."""
        if self._busy:
            self._again = True
            return
        self._busy = True
        try:
            self._again = True
            while self._again and not self.services.asleep:
                self._again = False
                self._step()
        finally:
            self._busy = False
        self.services.listen(self, self.listening)

    @property
    def listening(self) -> bool:
        """Whether prices are to be shown to it."""
        return self.state is AlgoState.WORKING and (self.stalled or self.plays.listens(self))

    def _step(self) -> None:
        if self.ended:
            return
        if self.state is AlgoState.WORKING:
            if any(child.suspect for child in self.children.values()):
                why = "a child is only inferred never to have been placed: nothing more is sent"
                self.stop(AlgoState.REJECTED, why)
                self.services.alert(self, self.reason)
            else:
                self.plays.step(self)
        if self.state is AlgoState.CANCELING:
            for child in self.live:
                self.withdraw(child)
            if not self.live:
                self._close()

    def _close(self) -> None:
        """Its children are gone: over, as it was asked to be, unless all of it filled meanwhile."""
        side = self.command.side
        filled = self.filled(side)
        if not self.plays.has_exits:
            self.finish(AlgoState.FILLED if filled >= self.command.quantity else self._end)
            return
        bare = filled - sum(child.cum for child in self.children.values() if child.request.side is not side)
        self.finish(self._end, f"{self.reason}; {bare} are held without an exit" if bare > 0 else self.reason)

    def told(self, child: Child, state: OrderState, cum: int, proof: Proof) -> None:
        """A child's order changed."""
        filled = cum > child.cum
        child.cum = max(child.cum, cum)
        child.suspect = state is OrderState.NOT_PLACED and proof is not Proof.LOCAL
        child.blocked = state in _UNDECIDED
        if state in TERMINAL and not child.ended and state is not OrderState.FILLED and not filled:
            self._strike(child, state)
        child.state = state
        if filled:
            self.strikes = 0
        if state not in (OrderState.DENIED, OrderState.QUEUED):
            self.delays = 0
        self._count()

    def denied(self, child: Child, code: str, reason: str) -> None:
        """Our own gate said no to a child: nothing of it left."""
        child.state, child.blocked = OrderState.DENIED, False
        if code in NOT_NOW or code in TOO_FAR:
            wait_ns = FAR_NS if code in TOO_FAR else WAITS_NS[min(self.delays, len(WAITS_NS) - 1)]
            self.delays += 1
            if self.delays == len(WAITS_NS) + 1:
                self.services.alert(self, f"a child can not be sent, it goes on trying: {reason}")
            # A price that was too old is mended by the next one.
            self.stalled = self.stalled or code == "STALE_DATA"
            self.not_before_ns = self.now_ns + wait_ns
            self.alarm(self.not_before_ns)
        elif code in AT_ONCE:
            self.stop(AlgoState.REJECTED, reason)
        else:
            self._wait_or_fail(reason)

    def _strike(self, child: Child, state: OrderState) -> None:
        """A child ended without having filled, and not because it was asked to."""
        asked = child.cancels and state is OrderState.CANCELED
        if not asked and not child.cum and self.state is AlgoState.WORKING:
            self._wait_or_fail(f"child {child.request.client_id} is {state}")

    def _wait_or_fail(self, reason: str) -> None:
        if self.strikes >= len(WAITS_NS):
            self.stop(AlgoState.REJECTED, f"refused {self.strikes + 1} times in a row: {reason}")
            self.services.alert(self, self.reason)
            return
        self.not_before_ns = self.now_ns + WAITS_NS[self.strikes]
        self.strikes += 1
        self.alarm(self.not_before_ns)

    def _count(self) -> None:
        """Late evidence can make more of the children than was asked for: say so, once each time it grows."""
        excess = -self.room
        if excess > self._excess:
            self._excess = excess
            self.services.alert(self, f"{excess} more than asked for filled or may fill: a child is back from its end")
