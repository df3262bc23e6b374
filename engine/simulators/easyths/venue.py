"""The running server with its client and the counter behind: everything a request may touch, put together once."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio

from engine.clock import Clock
from engine.domain.commands import Side
from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.simulators.counter import Counter, CounterRefusal, Entrust
from engine.simulators.easyths import messages
from engine.simulators.easyths.bodies import Submission
from engine.simulators.easyths.catalog import Entry, operations
from engine.simulators.easyths.conditions import ConditionBook
from engine.simulators.easyths.desktop import Desktop
from engine.simulators.easyths.edge import Killed
from engine.simulators.easyths.instruction_acts import ConditionActs, RepoActs
from engine.simulators.easyths.orders import OrderActs
from engine.simulators.easyths.queries import QueryActs
from engine.simulators.easyths.queue import Errand, Operation, OperationQueue
from engine.simulators.easyths.quirks import Quirk
from engine.simulators.easyths.repo import RepoDesk
from engine.simulators.easyths.state import State, read_state
from engine.simulators.easyths.statements import Statements
from engine.simulators.exchange import Exchange
from engine.simulators.faults import Answer, FaultPlan, http_date
from engine.simulators.quirks import QuirkPlan
from engine.simulators.state_file import write_state_file

if TYPE_CHECKING:
    from engine.simulators.easyths.settings import EasythsSimulator

SERVER = b"uvicorn"


class EasythsVenue:
    """One server in memory.

    ``counter`` is the oracle of orders, deals and money, ``conditions`` and ``repo`` of what the client keeps beside;
    ``faults`` and ``quirks`` say which were played. ``client_lost = True`` is the client's death, which the server
    does not notice.
    """

    def __init__(self, settings: "EasythsSimulator", clock: Clock, entropy: Entropy, exchange: Exchange) -> None:
        self.settings = settings
        self.clock = clock
        self.exchange = exchange
        self.faults = FaultPlan(settings.faults, entropy, "easyths/faults")
        self.quirks: QuirkPlan[Quirk] = QuirkPlan(
            Quirk, settings.quirks, settings.quirk_script, entropy, "easyths/quirks"
        )
        state = read_state(settings, clock.now_ns)
        self._counter = Counter(
            exchange,
            settings.account,
            seed=entropy.stream("easyths").getrandbits(53) if settings.seed is None else settings.seed,
            now_ns=clock.now_ns,
            shares=settings.shares,
            pace=settings.counter,
            rules=settings.rules,
            interval_ns=round(settings.tick_seconds * SECOND_NS),
            state=None if state is None else state.counter,
        )
        self.conditions = ConditionBook()
        self.repo = RepoDesk(self._counter, entropy.stream("easyths/repo"))
        self.statements = Statements(
            self._counter,
            self.repo,
            settings.style,
            entropy.stream("easyths/tables"),
            live_only=settings.live_only,
        )
        self.desktop = self._desktop(entropy)
        self.operations = self._operations(entropy)
        self.life = 1
        self.thread = anyio.Lock()
        self.connections: dict[Any, None] = {}
        self._entropy = entropy
        self._requests = 0 if state is None else state.requests
        self._orphans: list[Errand] = []
        self._busy = False
        self._stirred = anyio.Event()
        self.queue = self._queue()
        if state is not None:
            self._take_up(state)
        exchange.listen(self._hear)
        if settings.state_path is not None:
            self._counter.keep = self._save
            self._save()

    @property
    def counter(self) -> Counter:
        """The counter behind the client, with all that the client has done there up to now."""
        self.now_ns()
        return self._counter

    # Time

    def now_ns(self) -> int:
        """The time, with queue, client, counter and market caught up to it."""
        now_ns = self.clock.now_ns
        self.advance(now_ns)
        return now_ns

    def advance(self, now_ns: int) -> None:
        """Do everything that is due up to and including ``now_ns``, each thing at its own time."""
        if self._busy:
            return
        self._busy = True
        try:
            self._work(now_ns)
            self._counter.advance(now_ns)
            self.repo.settle(now_ns)
            self._counter.remember()
        finally:
            self._busy = False

    def _work(self, now_ns: int) -> None:
        """The steps of the queue's worker, and what a server that is gone had begun."""
        while True:
            due_ns = self.queue.next_due_ns()
            orphan_ns = self._orphans[0].effect_ns if self._orphans else None
            if orphan_ns is not None and orphan_ns <= now_ns and (due_ns is None or orphan_ns <= due_ns):
                errand = self._orphans.pop(0)
                errand.act(errand.effect_ns)
            elif due_ns is not None and due_ns <= now_ns:
                self.repo.settle(due_ns)
                self.queue.step(due_ns)
            else:
                return

    def _hear(self, event: Bar | Quote | Trade) -> None:
        """Another face moves the market on: the client goes on with it, though nobody asks this server."""
        if not self._busy:
            self._busy = True
            try:
                self._work(event.ts_ns)
                self._counter.remember()
            finally:
                self._busy = False

    @property
    def connected(self) -> bool:
        """A flag that was set when the server started: it stays when the client has died."""
        return self.desktop.connected

    @property
    def client_lost(self) -> bool:
        return not self.desktop.alive

    @client_lost.setter
    def client_lost(self, lost: bool) -> None:
        self.now_ns()
        self.desktop.alive = not lost

    # Operations

    def submit(self, name: str, submission: Submission, request: int) -> Operation:
        """Raises:
        QueueFull: it is.
        """
        now_ns = self.now_ns()
        operation = self.queue.submit(name, submission.params, submission.priority, request, now_ns)
        self._stir()
        self.advance(now_ns)
        return operation

    async def passed(self, operation_id: str, deadline_ns: int | None) -> bool:
        """Wait until the worker is done with an operation, for ever where there is no deadline.

        Raises:
            Killed: the server was restarted meanwhile.
        """
        life = self.life
        while True:
            now_ns = self.now_ns()
            operation = self.queue.operations.get(operation_id)
            if operation is not None and operation.passed:
                return True
            if deadline_ns is not None and now_ns >= deadline_ns:
                return False
            dues = [due for due in (self.queue.next_due_ns(), deadline_ns) if due is not None]
            stirred = self._stirred
            if dues:
                with anyio.move_on_after(max(self.clock.real_seconds(min(dues) - now_ns), 1e-6)):
                    await stirred.wait()
            else:
                await stirred.wait()
            if life != self.life:
                raise Killed

    # What can be done to it from outside

    def restart(self) -> None:
        """Restart the server: every operation and its id are lost, and all connections; the client stays.

        What the client was about to do when its server went may be done or not.
        """
        self.now_ns()
        errand = self.queue.errand
        if errand is not None and self._entropy.stream("easyths/restarts").random() < 0.5:
            self._orphans.append(errand)
        self.life += 1
        self.queue = self._queue()
        self._stir()
        broken, self.connections = list(self.connections), {}
        for transport in broken:
            transport.abort()

    def manual(self, side: Side, code: str, quantity: int, price: Decimal) -> Entrust | None:
        """A person gives an order at the same counter; None where it refuses.

        Args:
            code: six digits, or the exchange's code.
        """
        now_ns = self.now_ns()
        try:
            return self._counter.place(code, side, quantity, price, now_ns, source="manual")
        except CounterRefusal:
            return None

    def manual_cancel(self, entrust: Entrust) -> bool:
        """A person cancels an order, his own or not; whether it was asked for."""
        try:
            self._counter.cancel(entrust, self.now_ns())
        except CounterRefusal:
            return False
        return True

    # Wording, for the faulty edge

    def route_class(self, path: str) -> str:
        """``order`` (whatever changes something), ``query``, ``status`` (and results), ``other``."""
        name = path.removeprefix("/api/v1/operations/")
        if name == path:
            return "other"
        if name.endswith(("/status", "/result")):
            return "status"
        entry = self.operations.get(name)
        if entry is None:
            return "other"
        return "query" if entry.queries else "order"

    def throttled(self) -> Answer:
        """A broken rate limit is a fault like any other here."""
        return messages.broken()

    def broken(self, path: str) -> Answer:
        return messages.broken()

    def stamp(self) -> tuple[tuple[bytes, bytes], ...]:
        return (b"date", http_date(self.clock.now_ns)), (b"server", SERVER)

    def next_request(self) -> int:
        self._requests += 1
        return self._requests

    # Inside

    def _take_up(self, state: State) -> None:
        """Go on with the account of an earlier life, and live through the time since."""
        now_ns = self.clock.now_ns
        self.conditions.conditions = state.conditions
        self.repo.take_up(state.loans, state.selected)
        waits = [one.expires_ns for one in self.conditions.standing(state.saved_ns)]
        self._counter.resume(now_ns, max(waits, default=0))
        self.repo.settle(now_ns)

    def _save(self) -> None:
        path = self.settings.state_path
        assert path is not None
        state = State(
            saved_ns=self.clock.now_ns,
            requests=self._requests,
            counter=self._counter.state(),
            conditions=self.conditions.conditions,
            loans=self.repo.loans,
            selected=self.repo.selected,
        )
        write_state_file(path, state)

    def _stir(self) -> None:
        """Whoever waits for a result looks again."""
        stirred, self._stirred = self._stirred, anyio.Event()
        stirred.set()

    def _desktop(self, entropy: Entropy) -> Desktop:
        settings, draw = self.settings, entropy.stream("easyths/pages")
        acts = (
            OrderActs(self._counter, settings.generation, self.quirks).acts()
            | QueryActs(self.statements, self.quirks, draw, has_history=settings.history).acts()
            | ConditionActs(self._counter, self.conditions, settings.generation, settings.timezone, self.quirks).acts()
            | RepoActs(self.repo, self.quirks).acts()
        )
        return Desktop(
            acts,
            generation=settings.generation,
            pace=settings.pace,
            connected=settings.connected,
            quirks=self.quirks,
            entropy=entropy,
        )

    def _operations(self, entropy: Entropy) -> dict[str, Entry]:
        """In the arbitrary order in which the server found its plug-ins."""
        known = list(operations(self.settings.generation).items())
        entropy.stream("easyths/plugins").shuffle(known)
        return dict(known)

    def _queue(self) -> OperationQueue:
        return OperationQueue(
            self.desktop, self.settings.queue_max, self._entropy, self.quirks, f"easyths/queue/{self.life}"
        )
