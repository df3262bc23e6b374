"""One input of the core after another, each at one moment: what makes a live run repeatable.

The core is synchronous and hears of the world only through what is handed to it: an event a gateway, an outbox or a
seeker publishes, a timer that is due, a command of a person, a step of the start or the stop. Each is a *turn*. While a
turn lasts the run's clock stands still, so a turn is its input, its moment, and what the world answers when the core
asks it something in between (``Turns.asked``). Whoever has written these down can play them again (``recording.py``,
``rerun.py``). What happens inside a turn needs no writing down: it follows.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from engine.asking import CallRequest
from engine.bus import Bus
from engine.clock import LiveClock
from engine.domain.algos import SubmitAlgo
from engine.domain.commands import CancelOrder, ReplaceOrder, SubmitOrder
from engine.domain.errors import ConfigError
from engine.domain.events import Alert, JournalRecord, OrderSubmitted, SubscriptionRequested
from engine.domain.ids import StrategyId
from engine.domain.instructions import SubmitInstruction
from engine.domain.order import OrderState
from engine.execution import CancelWanted, ReplaceWanted
from engine.journal.over import JournalOver
from engine.ports import Journal

if TYPE_CHECKING:
    from engine.runtime.live import LiveRun

COMMANDS = frozenset(
    {SubmitOrder, CancelOrder, ReplaceOrder, SubmitInstruction, SubmitAlgo, SubscriptionRequested, CancelWanted,
     ReplaceWanted, Alert}
)  # fmt: skip
"""What the core decides besides the records of its journal."""


class CallWanted(Struct, frozen=True, gc=False):
    """A strategy asked the outside; the answer is an input, ``CallAnswered``."""

    strategy: str
    call: int
    function: str


class Door(Struct, frozen=True):
    """A method by which the world reaches the core without an event."""

    owner: Callable[[Any], object]
    method: str


def _run(run: Any) -> object:
    return run


def _core(run: Any) -> object:
    return run.core


def _reconciling(run: Any) -> object:
    return run.reconciling


def _orders(run: Any) -> object:
    return run.core.manager


def _instructions(run: Any) -> object:
    return run.core.instructions


def _runner(run: Any) -> object:
    return run.core.runner


def _kept(run: Any) -> object:
    return run.core.kept


def _seating(run: Any) -> object:
    return run.seating


DOORS: Mapping[str, Door] = {
    "recover": Door(_run, "_recover"),
    "start": Door(_run, "_start_strategies"),
    "sample": Door(_run, "_sample"),
    "reconcile": Door(_reconciling, "take"),
    "reconcile_begun": Door(_reconciling, "begin"),
    "reconcile_over": Door(_reconciling, "close"),
    "reconciled": Door(_core, "reconciled"),
    "proved": Door(_reconciling, "proved"),
    "book": Door(_core, "book"),
    "report": Door(_orders, "on_report"),
    "instruction_report": Door(_instructions, "on_report"),
    "mark_sent": Door(_orders, "mark_sent"),
    "cancel": Door(_orders, "on_cancel"),
    "replace": Door(_orders, "on_replace"),
    "latch": Door(_orders, "latch"),
    "unlatch": Door(_orders, "unlatch"),
    "cancel_scope": Door(_orders, "cancel_scope"),
    "instruction_sent": Door(_instructions, "mark_sent"),
    "instruction_withdrawn": Door(_instructions, "withdraw"),
    "fire_due": Door(_runner, "fire_due"),
    "halt": Door(_runner, "halt"),
    "save": Door(_kept, "save"),
    "stop": Door(_runner, "stop"),
    "stop_one": Door(_seating, "stop"),
    "start_one": Door(_seating, "start"),
    "parameters": Door(_seating, "change"),
}
"""Every method the world may call on the core from outside a turn. One that is missing here shows as a record that
comes by an unknown way (``Verdict.notes``): add it."""


class Witness(Protocol):
    """Who writes down what goes into the core and what it decides."""

    def published(self, ts_ns: int, seq: int, event: Any) -> None: ...

    def entered(self, ts_ns: int, seq: int, door: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> None: ...

    def answered(self, name: str, answer: Any) -> None: ...

    def decided(self, seq: int, command: Any) -> None: ...

    def failed(self, text: str) -> None: ...

    def begin(self, run: "LiveRun") -> None: ...

    async def run(self) -> None: ...

    def end(self, run: "LiveRun") -> None: ...


class Turns:
    """One a run."""

    def __init__(self, clock: LiveClock, witness: Witness | None = None) -> None:
        """``witness``: writes down from ``lasting`` on."""
        self.clock = clock
        self.bus = TurnBus(self)
        self.open = False
        self.over = False
        """Set with the run's last row: an event that comes behind it is the next life's to find out."""
        self.seq = 1
        """The number of the journal's next record."""
        self.witness: Witness | None = None
        self._witness = witness

    def journal(self, journal: Journal) -> Journal:
        """The run's journal, watched: it gives records their numbers, and shows which come by no known way."""
        return TurnJournal(journal, self)

    def take(self, door: str, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """One turn by a door; inside a turn it is a part of it."""
        if self.open:
            return call(*args, **named)
        ts_ns = self.clock.hold()
        self.open = True
        try:
            if self.witness is not None:
                self.witness.entered(ts_ns, self.seq, door, args, named)
            return self._watched(call, *args, **named)
        finally:
            self.open = False
            self.clock.release()

    def _watched(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        whole = False
        try:
            answer = call(*args, **named)
            whole = True
        finally:
            if not whole and self.witness is not None:
                self.witness.failed("it raised")
        return answer

    def asked(self, name: str, answer: Any) -> None:
        """The world's answer to a question of the core's in the middle of a turn."""
        if self.open and self.witness is not None:
            self.witness.answered(name, answer)

    # --- joining -----------------------------------------------------------------------------------------------------

    def guard(self, run: "LiveRun") -> None:
        """Make every door of a run's core a turn, and listen to what the world answers; before anybody subscribes."""
        for name, door in DOORS.items():
            owner = door.owner(run)
            setattr(owner, door.method, self._door(name, getattr(owner, door.method)))
        run_any: Any = run
        run_any._on_subscription = self._subscribing(run, run._on_subscription)
        runner: Any = run.core.runner
        runner._outside = self.calling(runner._outside)
        for box in run.boxes.values():
            box_any: Any = box
            box_any.on_submitted = self._leaving(run, box.on_submitted)
        for account, performs in list(run.core.view.performs.items()):
            run.core.view.performs[account] = self._performing(performs)

    def _door(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        take = self.take

        @wraps(call)
        def enter(*args: Any, **named: Any) -> Any:
            return take(name, call, *args, **named)

        return enter

    def calling(self, call: Callable[[StrategyId, int, CallRequest], None]) -> Callable[..., None]:
        """What a strategy asks of the outside, as one of its decisions."""

        def outside(strategy: StrategyId, number: int, request: CallRequest) -> None:
            if self.witness is not None:
                wanted = CallWanted(strategy, number, getattr(request.function, "__qualname__", "?"))
                self.witness.decided(self.seq, wanted)
            call(strategy, number, request)

        return outside

    def _subscribing(self, run: "LiveRun", call: Callable[[Any], None]) -> Callable[[Any], None]:
        def subscribe(event: SubscriptionRequested) -> None:
            try:
                call(event)
            except ConfigError as error:
                self.asked("subscription", (error.args[0], 0))
                raise
            self.asked("subscription", ("", run.core.view.feed_interval_ns[event.instrument]))

        return subscribe

    def _leaving(self, run: "LiveRun", call: Callable[[OrderSubmitted], None]) -> Callable[[OrderSubmitted], None]:
        def leave(event: OrderSubmitted) -> None:
            call(event)
            known = run.core.manager.orders.get(event.client_id)
            if known is None or known.state is not OrderState.QUEUED:
                self.asked("withdrawn", event.client_id)

        return leave

    def _performing(self, call: Callable[[], frozenset[type]]) -> Callable[[], frozenset[type]]:
        def performs() -> frozenset[type]:
            actions = call()
            self.asked("performs", sorted(str(action.__struct_config__.tag) for action in actions))  # type: ignore[attr-defined]
            return actions

        return performs

    def _foreseeing(self, call: Callable[[SubmitOrder], Any]) -> Callable[[SubmitOrder], Any]:
        def foresees(order: SubmitOrder) -> Any:
            denial = call(order)
            self.asked("foresees", denial)
            return denial

        return foresees

    # --- while it runs -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lasting(self, run: "LiveRun") -> AsyncIterator[bool]:
        """The whole life of a run, from its recovery to its last record; gives whether the journal was empty."""
        self.seq = run.journal.next_seq
        witness = self._witness
        if witness is None:
            yield run._recover()
            return
        foresees = run.core.view.foresees
        foresees.update({account: self._foreseeing(call) for account, call in foresees.items()})
        witness.begin(run)
        self.witness = witness
        try:
            yield run._recover()
        finally:
            self.witness = None
            witness.end(run)

    async def run(self) -> None:
        """Keep what was written down, until cancelled."""
        if self._witness is not None:
            await self._witness.run()


_publish = Bus.publish


class TurnBus(Bus):
    """A bus whose outermost events are turns."""

    __slots__ = ("_turns",)

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns

    def publish(self, event: Any) -> None:
        """As ``Bus.publish``."""
        turns = self._turns
        witness = turns.witness
        if turns.open:
            if witness is not None and event.__class__ in COMMANDS:
                witness.decided(turns.seq, event)
            _publish(self, event)
            return
        if turns.over:
            return
        ts_ns = turns.clock.hold()
        turns.open = True
        whole = False
        try:
            if witness is not None:
                witness.published(ts_ns, turns.seq, event)
            _publish(self, event)
            whole = True
        finally:
            turns.open = False
            turns.clock.release()
            if not whole and witness is not None:
                witness.failed("it raised")


def publish_within(bus: Bus, event: Any) -> None:
    """Deliver an event as the input of a turn that is open already."""
    _publish(bus, event)


class TurnJournal(JournalOver):
    """Gives records their numbers to the turns, and shows which come by no known way."""

    def __init__(self, journal: Journal, turns: Turns) -> None:
        super().__init__(journal)
        self._turns = turns
        self._append = journal.append

    def append(self, record: JournalRecord) -> int:
        """As the journal's own; outside a turn the record itself is an input."""
        turns = self._turns
        if not turns.open and turns.witness is not None:
            turns.witness.entered(turns.clock.now_ns, turns.seq, "append", (record,), {})
        seq = self._append(record)
        turns.seq = seq + 1
        return seq
