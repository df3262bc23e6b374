"""One run: a loop, a network, clocks, chance and simulated processes, all from one seed.

::

    async def scenario(world: World) -> int:
        server = world.start("market", serve, app, 5000)
        engine = world.start("engine", trade, world.clock())
        ending = await engine.ended()
        ...

    outcome = simulated(scenario, seed=7)

A *process* is a coroutine function with everything it starts. ``crash`` ends it as SIGKILL does (see
``VirtualLoop.kill``): its connections are closed by the kernel, what it had sent still arrives, its ports are free, and
none of its code runs again. What it kept in Python objects is gone with it only if nobody hands those objects to its
successor: a scenario passes on durable bytes or records, nothing else, and takes them in ``process.on_death`` (at that
moment, before anything else happens). A task that kills its own process goes on to its next ``await`` that suspends,
without effect on loop, network and trace; a store it can still write to in that stretch must ask ``current_life``.
"""

import asyncio
import contextlib
import gc
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from enum import Enum
from typing import Any, Generic, TypeVar

import anyio
import uvicorn
from msgspec import Struct

from engine.chaos.faults import CrashFault, Schedule
from engine.chaos.lives import LIFE, Life, SimTask, current_life, is_dead
from engine.chaos.loop import Deadlock, Hung, VirtualLoop
from engine.chaos.network import HOST, Network
from engine.chaos.patches import patched
from engine.clock import LiveClock
from engine.entropy import Entropy

T = TypeVar("T")

WALL_START_NS = 1_709_602_200_000_000_000
"""Where the wall clock starts: 2024-03-05 09:30 in Shanghai, a Tuesday, as the market opens."""


class End(Enum):
    """How a simulated process ended."""

    RETURNED = "returned"
    RAISED = "raised"
    CRASHED = "crashed"


class Ending(Struct, frozen=True, kw_only=True):
    """The end of a process.

    Args:
        error: what it raised.
        down_seconds: of a planned crash, how long until it may start again.
    """

    how: End
    result: Any = None
    error: BaseException | None = None
    down_seconds: float = 0.0


class Process:
    """A simulated operating-system process: one coroutine and all it starts."""

    def __init__(self, world: "World", name: str, start: int) -> None:
        self.name = name
        self.start = start
        """Which of the lives of that name, 0 the first."""
        self.seams = 0
        """How many seam calls it made: the places where it can be killed."""
        self.life = Life(name)
        self.ending: Ending | None = None
        self._world = world
        self._ended = anyio.Event()
        self._task: SimTask

    @property
    def alive(self) -> bool:
        return self.ending is None

    @property
    def context(self) -> Context:
        """What its code runs in."""
        return self._task._context

    def on_death(self, callback: Callable[[], None]) -> None:
        """Call back at the moment of a crash: the time to take a copy of what is on its disk."""
        self.life.on_death.append(callback)

    def crash(self, *, down_seconds: float = 0.0) -> None:
        """Kill it now, as SIGKILL would; killing a dead one changes nothing."""
        if self.ending is None:
            self.ending = Ending(how=End.CRASHED, down_seconds=down_seconds)
            self._world.loop.kill(self.life)
            self._world.network.bury(self.life)
            # The event must be set by the living: the dead wake nobody.
            self._world.outside(self._ended.set)

    def stop(self) -> None:
        """Cancel it and let it clean up; ``ended`` tells when it has."""
        if self.alive:
            self._task.cancel()

    async def ended(self) -> Ending:
        """Wait until it has returned, raised or been killed."""
        await self._ended.wait()
        assert self.ending is not None
        return self.ending

    async def _main(self, main: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        try:
            ending = Ending(how=End.RETURNED, result=await main(*args))
        except asyncio.CancelledError:
            ending = Ending(how=End.RETURNED)
        except Exception as error:  # noqa: BLE001 - the scenario hears of it in the ending, the run as a finding
            ending = Ending(how=End.RAISED, error=error)
            self._world.finding(f"process {self.name} died of {type(error).__name__}: {error}")
        if self.ending is None:
            self.ending = ending
            self._world.outside(self._note_leftovers)
            self._world.outside(self._ended.set)

    def _note_leftovers(self) -> None:
        left = [task for task in self._world.loop.live_tasks() if task._context.get(LIFE) is self.life]
        for task in left:
            if task is not self._task:
                self._world.finding(f"process {self.name} ended and left task {task.get_name()} running")


class World:
    """What a scenario is given."""

    def __init__(self, seed: int, schedule: Schedule, loop: VirtualLoop, wall_start_ns: int) -> None:
        self.seed = seed
        self.schedule = schedule
        self.loop = loop
        self.entropy = Entropy(seed)
        self.network = Network(loop, self.entropy.stream("chaos/latency"), schedule, self.seam)
        self.network.loop.network = self.network
        self.processes: dict[str, Process] = {}
        """The latest of each name."""
        self.lines: list[str] = []
        self._wall_start_ns = wall_start_ns
        self._outside = copy_context()
        self._starts: Counter[str] = Counter()
        self._crashes = {(f.process, f.start, f.seam): f for f in schedule if isinstance(f, CrashFault)}
        self.at_seams: dict[tuple[str, int, int], Callable[[], None]] = {}
        """(process, life, seam) -> what a scenario wants called there, in the next turn of the loop."""
        self.wall_offset_ns = 0
        """By how much the wall clock is wrong just now."""
        self.healed = False
        self.trading = False
        """Whether the engine has logged in everywhere and is ready."""
        self.disks_failed: set[int] = set()
        """Lives of the engine whose journal could not be written."""

    # Time and chance.

    def monotonic_ns(self) -> int:
        return round(self.loop.now * 1e9)

    def wall_ns(self) -> int:
        return self._wall_start_ns + self.wall_offset_ns + round(self.loop.seconds * 1e9)

    def clock(self, *, speed: float = 1.0, start_ns: int | None = None) -> LiveClock:
        """The clock that trades, over virtual time."""
        return LiveClock(speed=speed, start_ns=start_ns, monotonic_ns=self.monotonic_ns, wall_ns=self.wall_ns)

    # What happened.

    def trace(self, text: str) -> None:
        """Add a line to the run's digest: what must be the same in every process."""
        if not is_dead(None):
            self.lines.append(f"{self.loop.seconds:.9f} {text}")

    def finding(self, text: str) -> None:
        """Something that must not happen happened; what the dead say when they are put away is none."""
        if not is_dead(None):
            self.loop.findings.append(text)

    # Processes.

    def start(self, name: str, main: Callable[..., Awaitable[Any]], *args: Any) -> Process:
        """Start a simulated process; a name may start again when its last life is over.

        Raises:
            ValueError: it is still alive.
        """
        if name in self.processes and self.processes[name].alive:
            raise ValueError(f"process {name} is still alive")
        process = Process(self, name, self._starts[name])
        self._starts[name] += 1
        self.processes[name] = process
        context = self._outside.copy()
        context.run(LIFE.set, process.life)
        process._task = self.loop.create_task(process._main(main, args), name=name, context=context)
        return process

    def seam(self, name: str) -> bool:
        """Count a seam call of the process that makes it; a planned crash strikes here.

        The network calls this for each connect, read and write; a scenario's journal calls it before each write and
        sync. ``name`` is for the reader of a traceback.

        Returns:
            False: the process is dead, and the effect must not happen.
        """
        life = current_life()
        if life is None:
            return True
        process = self.processes.get(life.name)
        if not life.alive or process is None or process.life is not life:
            return life.alive
        process.seams += 1
        if (call := self.at_seams.pop((process.name, process.start, process.seams), None)) is not None:
            self.loop.call_soon(call)
        fault = self._crashes.pop((process.name, process.start, process.seams), None)
        if fault is None:
            return True
        self.network.note(fault)
        process.crash(down_seconds=fault.down_seconds)
        return False

    def heal(self) -> None:
        """From now on nothing planned goes wrong: the second phase, in which everything must come to rest."""
        self.healed = True
        self._crashes.clear()
        self.at_seams.clear()
        self.loop.thaw()
        self.network.heal()

    def outside(self, call: Callable[[], None]) -> None:
        """Run a call soon, belonging to no process."""
        self.loop.call_soon(call, context=self._outside)


class SimUvicorn(uvicorn.Server):
    """uvicorn with a tick a second instead of ten: each tick is an event of the run."""

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # noqa: ASYNC110 - uvicorn's own way: its tick also writes the date header
            await anyio.sleep(1.0)


async def serve(app: Any, port: int) -> None:
    """Serve an ASGI app at 127.0.0.1:port until cancelled; the ``main`` of a server process."""
    config = uvicorn.Config(
        app,
        host=HOST,
        port=port,
        http="h11",
        ws="websockets-sansio",
        loop="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = SimUvicorn(config)
    try:
        await server.serve()
    except asyncio.CancelledError:
        if server.started:
            with anyio.CancelScope(shield=True):
                await server.shutdown()
        raise


class Outcome(Struct, Generic[T], frozen=True, kw_only=True):
    """A run, finished.

    Args:
        digest: SHA-256 of the trace; the same seed, schedule and code give the same in every process.
        error: what ended it; ``Deadlock`` and ``Hung`` are a hang of the code under test.
        findings: errors nobody fetched, processes that died of an exception, tasks left running.
        fired: which faults really happened, and how often.
        events: callbacks of the loop; seconds: virtual ones.
    """

    seed: int
    value: T | None
    error: BaseException | None
    digest: str
    lines: tuple[str, ...]
    seconds: float
    events: int
    findings: tuple[str, ...]
    fired: dict[str, int]

    @property
    def hung(self) -> bool:
        return isinstance(self.error, Deadlock | Hung)

    @property
    def result(self) -> T:
        """What the scenario returned.

        Raises:
            whatever the scenario raised, or Deadlock, or Hung.
        """
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


def simulated(
    scenario: Callable[[World], Awaitable[T]],
    *,
    seed: int,
    schedule: Schedule = (),
    shuffle: bool | None = None,
    seconds_max: float = 1e7,
    events_max: int = 20_000_000,
    wall_start_ns: int = WALL_START_NS,
    contain: bool = False,
) -> Outcome[T]:
    """Run a scenario in virtual time. Not from inside another event loop.

    Args:
        shuffle: draw the order of tasks that are ready together; None: for odd seeds.
        seconds_max, events_max: past which the run counts as hung.
        contain: keep an exception in ``Outcome.error`` instead of raising it.

    Raises:
        Deadlock: everybody waits and no timer runs. Hung: a limit was passed. Else what the scenario raises.
    """
    gc.freeze()  # what was there before is not searched again after each of many runs
    try:
        shuffling = seed % 2 == 1 if shuffle is None else shuffle
        outcome = _run(scenario, seed, schedule, (shuffling, seconds_max, events_max, wall_start_ns))
    finally:
        gc.collect()  # the rings of this run, which nobody holds any more
        gc.unfreeze()
    if outcome.error is not None and not contain:
        raise outcome.error
    return outcome


def _run(
    scenario: Callable[[World], Awaitable[T]], seed: int, schedule: Schedule, bounds: tuple[bool, float, int, int]
) -> Outcome[T]:
    """One run; whether tasks are shuffled, and its bounds, in the order of ``simulated``."""
    shuffling, seconds_max, events_max, wall_start_ns = bounds
    entropy = Entropy(seed)
    loop = VirtualLoop(
        shuffle=entropy.stream("chaos/shuffle") if shuffling else None, seconds_max=seconds_max, events_max=events_max
    )
    world = World(seed, schedule, loop, wall_start_ns)
    value: T | None = None
    error: BaseException | None = None

    async def main() -> T:
        return await scenario(world)

    with patched(loop.time, world.wall_ns, entropy.stream("chaos/libraries")):
        try:
            value = loop.run(main())
        except Exception as caught:  # noqa: BLE001 - raised again by ``simulated`` unless its caller wants it as data
            error = caught
        lines = tuple(world.lines)
        if error is not None:
            _abandon(loop)
        loop.empty_graveyard()
        gc.collect()
        loop.close()
    return Outcome(
        seed=seed,
        value=value,
        error=error,
        digest=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        lines=lines,
        seconds=loop.seconds,
        events=loop.events,
        findings=tuple(loop.findings),
        fired=dict(sorted(world.network.fired.items())),
    )


def _abandon(loop: VirtualLoop) -> None:
    """Put away what an ended run left, as well as it goes: its failure is known already."""
    findings = list(loop.findings)
    with contextlib.suppress(Exception):
        loop.wind_down()
    for task in loop.live_tasks():
        loop._bury(task)
    loop.findings[:] = findings
