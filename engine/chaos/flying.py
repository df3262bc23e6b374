"""The course of a flight: the engine's lives one after the other, the hurt, the healing, the landing.

The engine may be killed, stopped, frozen or robbed of its disk, and starts again over its journal. After
``hurt_seconds`` nothing goes wrong any more; after ``fly_seconds`` it is asked to stop. What it then believes is held
against the venues' ledgers.
"""

import contextlib
import shutil
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import anyio

from engine.chaos.disk import SimJournal
from engine.chaos.edge import ELSEWHERE_PORT
from engine.chaos.faults import Schedule
from engine.chaos.hangar import Flight, Hangar
from engine.chaos.perils import Perils
from engine.chaos.world import End, Outcome, Process, World, simulated
from engine.domain.errors import ConfigError, JournalError
from engine.domain.events import KillLevel
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.runtime.live import LiveRun
from engine.simulators.serve import serve

DOWN_AT_END_SECONDS = 40 * 60.0
"""How long stopping may take: the engine's own bound for undecided orders, twice, and some readings."""
BACK_SECONDS = 3.0
"""How soon a supervisor starts the engine again that came down by itself."""
ENGINE = "engine"


async def engine(hangar: Hangar, process: Process, perils: Perils) -> None:
    """One life of the engine."""
    world = hangar.world
    clock = world.clock(start_ns=hangar.start_ns + round(world.loop.seconds * SECOND_NS))
    hangar.life, world.trading = process.start, False
    journal = SimJournal(hangar.path, world, process.start)
    process.on_death(journal.abandon)
    try:
        # A person has mended the disk before the engine is started again.
        journal.clear_halt()
        gateways = hangar.gateways(clock, Entropy(world.seed * 1000 + process.start))
        run = LiveRun(hangar.spec(), clock=clock, journal=journal, gateways=gateways, watchers=hangar.watcher.ears())
        hangar.run = run
        hangar.watcher.look_at(run)

        async def observe() -> None:
            async with anyio.create_task_group() as beside:
                beside.start_soon(perils.beside, run, process)
                beside.start_soon(hangar.errand, run)
                await _operate(hangar, run)
                await anyio.sleep(max(0.0, hangar.fly_seconds - world.loop.seconds))
                calm_ns = round((hangar.fly_seconds - hangar.hurt_seconds) * SECOND_NS)
                hangar.watcher.on_calm(run, clock.now_ns, calm_ns)
                await hangar.quiet(run)
                run.stop("time")

        await run.run(observe=observe)
    except BaseException:
        journal.abandon()
        raise
    if run.stop_reason == "time":
        hangar.compare(run)
    journal.close()
    if journal.healthy:
        hangar.watcher.replay(run, hangar.path)


async def _operate(hangar: Hangar, run: LiveRun) -> None:
    """An operator who stops everything in one flight of ten, and lets it go on later."""
    world = hangar.world
    if hangar.latch_seconds is None:
        return
    for number, moment in enumerate((hangar.latch_seconds, hangar.clear_seconds)):
        if hangar.operations > number:
            continue
        await anyio.sleep(max(0.0, moment - world.loop.seconds))
        hangar.operations += 1
        if number == 0:
            run.core.manager.latch(KillLevel.HALT, "all", "drill", "operator")
        else:
            run.core.manager.unlatch("all", "drill over", "operator")
        hangar.flight.checked["latches"] += 1


async def fly(world: World, place: Path, kind: Callable[[World, Path], Hangar]) -> Flight:
    """The scenario."""
    hangar = kind(world, place)
    perils = Perils(hangar)
    served = [
        world.start(f"port {port}", serve, app, "127.0.0.1", port) for port, app in sorted(hangar.served().items())
    ]
    await anyio.sleep(0.05)
    heal = world.loop.call_later(hangar.hurt_seconds, hangar.heal)
    try:
        with anyio.move_on_after(hangar.fly_seconds + DOWN_AT_END_SECONDS) as bound:
            await _keep_alive(hangar, perils)
        if bound.cancelled_caught:
            hangar.accuse(f"I7 hung: the engine did not stop within {DOWN_AT_END_SECONDS:g} s after it was asked to")
    finally:
        heal.cancel()
        with contextlib.suppress(ValueError):
            hangar.count_faults()
    for server in served:
        server.stop()
        await server.ended()
    hangar.flight.checked["requests"] = hangar.requests()
    if world.network.connects_to(ELSEWHERE_PORT):
        hangar.accuse("N19: a redirect was followed")
    for text in world.loop.findings:
        hangar.accuse(f"I13: {text}")
    return hangar.flight


async def _keep_alive(hangar: Hangar, perils: Perils) -> None:
    """Start the engine, and start it again each time it was killed, stopped, or could not write."""
    world = hangar.world
    while True:
        life = world.start(ENGINE, _boarded, hangar, perils)
        ending = await life.ended()
        world.trace(f"{ending.how.value} at seam {life.seams}")
        if ending.how is End.CRASHED:
            hangar.flight.crashes += 1
            await anyio.sleep(ending.down_seconds)
        elif ending.how is End.RAISED:
            error = _leaf(ending.error)
            if not (isinstance(error, JournalError | ConfigError) and perils.disk_failed(life.start)):
                hangar.accuse(f"I13: the engine died of {_words(error)}")
                return
            # What the disk did is no finding; that the engine stopped for it is what it promised.
            world.loop.findings[:] = [text for text in world.loop.findings if "process engine died" not in text]
            hangar.flight.checked["halts"] += 1
            await anyio.sleep(perils.mended_seconds(life.start))
        elif hangar.run is None or hangar.run.stop_reason == "time":
            return
        else:
            hangar.flight.checked["stops"] += 1
            await anyio.sleep(perils.stopped_seconds(life.start, BACK_SECONDS))


def _leaf(error: BaseException | None) -> BaseException | None:
    """The first error of a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _words(error: BaseException | None) -> str:
    lines = traceback.format_exception(error) if error is not None else ["nothing"]
    return f"{lines[-1].strip()} at {lines[-2].strip().splitlines()[0] if len(lines) > 1 else '?'}"


async def _boarded(hangar: Hangar, perils: Perils) -> None:
    await engine(hangar, hangar.world.processes[ENGINE], perils)


def flown_in(kind: Callable[[World, Path], Hangar], seed: int, planned: Schedule) -> tuple[Outcome[Flight], Flight]:
    """Fly one seed over the venue of a hangar; a flight that could not end has an accusation for it."""
    place = Path(tempfile.mkdtemp(prefix="sluice-chaos-"))
    held: list[Flight] = []

    async def scenario(world: World) -> Flight:
        held.append(await fly(world, place, kind))
        return held[0]

    try:
        outcome = simulated(scenario, seed=seed, schedule=planned, seconds_max=4 * 3600, contain=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    flight = outcome.value or Flight(seed=seed, accusations=[], checked=Counter())
    if outcome.error is not None:
        word = "I7 hung" if outcome.hung else "I13"
        flight.accusations.append(f"{word}: {type(outcome.error).__name__}: {outcome.error}")
    flight.accusations += [f"I13: {text}" for text in outcome.findings if f"I13: {text}" not in flight.accusations]
    return outcome, flight
