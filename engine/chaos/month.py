"""A daemon's month in virtual time: five remote systems, real calendars, faults, restarts, reloads (RELIABILITY 7).

The dates are fixed: from 22 December 2025, over two half days of Hong Kong, its Christmas, and the mainland's New Year.
What is flown is the scheduler, its jobs and the runs they keep, over real SQLite and the gateways' own wire; the
process around them (signals, locks, files of a config) is ``tests/simulation/test_daemon.py``'s. At the end every job
must have been done once for its day or reported, every account even with its venue's ledger, and memory flat.
"""

import gc
import shutil
import tempfile
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from msgspec import Struct

from engine.chaos.all_scenario import EasythsBay, FutuBay, HuataiBay, MarketBay
from engine.chaos.data_bay import DataBay
from engine.chaos.disk import SimJournal
from engine.chaos.hangar import Hangar
from engine.chaos.month_hangar import ALL, START, MonthHangar
from engine.chaos.world import End, Process, World, simulated
from engine.domain.errors import SluiceError
from engine.domain.events import OrderSent, OrderSubmitted
from engine.domain.jobs import JobEnded, JobMissed, JobsBegun, JobStarted, StrategySaved
from engine.domain.timestamps import DAY_NS, MINUTE_NS, SECOND_NS, duration_ns, parse_time
from engine.entropy import Entropy
from engine.journal import store
from engine.journal.backup import back_up, forget_compacted
from engine.journal.chain import DECODER
from engine.journal.compaction import compact
from engine.runtime.daemon_settings import DaemonTable
from engine.runtime.job_triggers import Occasion
from engine.runtime.live import LiveRun
from engine.runtime.market_days import local_day
from engine.runtime.scheduler import Scheduler
from engine.runtime.session_work import Office, SessionWork
from engine.simulators.serve import serve

TABLE = DaemonTable()
SETTLE_NS = 20 * MINUTE_NS
"""What was due so shortly before the end may still be under way."""
HOUR = 3600.0


class Mishap(Struct, frozen=True):
    """Something that happens to the daemon, so many hours after the start."""

    at_hours: float
    kind: str
    """``crash``, ``restart``, ``reload``, ``asleep``, or ``down`` of a system's port."""
    hours: float = 0.0
    port: int = 0


def mishaps(days: int) -> list[Mishap]:
    """What goes wrong in a month, as much of it as fits: in the first days something of each kind."""
    ports = (EasythsBay.port, HuataiBay.port, FutuBay.port, MarketBay.port, DataBay.port)
    found = [
        # Monday 08:50: away over the mainland's check and opening; back in time to do both late.
        Mishap(0.8, "crash", 1.2),
        Mishap(3.5, "down", 1.0, FutuBay.port),
        Mishap(6.2, "reload"),
        # 20:00: broken off in the middle of nothing.
        Mishap(12.0, "restart", 0.1),
        # Tuesday 11:20: the machine sleeps over lunch.
        Mishap(27.3, "asleep", 1.5),
        Mishap(30.0, "down", 2.0, HuataiBay.port),
    ]
    for day in range(2, days):
        port = ports[day % len(ports)]
        found.append(Mishap(24.0 * day + 2.5 + day % 5, "down", 0.5 + day % 3, port))
        if day % 3 == 0:
            found.append(Mishap(24.0 * day + 8.4, "crash", 0.2))
        if day % 4 == 1:
            found.append(Mishap(24.0 * day + 5.0, "reload"))
        if day % 5 == 2:
            found.append(Mishap(24.0 * day + 14.0, "restart", 0.2))
        if day % 11 == 9:
            # A day and a half without anybody.
            found.append(Mishap(24.0 * day + 15.0, "crash", 36.0))
        if day % 7 == 6:
            found.append(Mishap(24.0 * day + 6.0, "asleep", 3.0))
    return sorted((one for one in found if one.at_hours < 24.0 * days - 2), key=lambda one: one.at_hours)


class Month(Struct, kw_only=True):
    """What came of it."""

    accusations: list[str]
    checked: Counter[str]
    lives: int
    done: int
    """Jobs that ended, and missed days that were reported."""
    failed: int
    missed: int
    orders: int
    days_of_traders: dict[str, int]
    memory_mib: list[float]
    """Of this process, once a virtual day."""
    digest: str
    events: int


async def life(hangar: MonthHangar, process: Process) -> None:
    """One life of the daemon: a run, its jobs beside it, until it is told to stop or dies."""
    world = hangar.world
    clock = world.clock(start_ns=hangar.start_ns + round(world.loop.seconds * SECOND_NS))
    hangar.life = process.start
    journal = SimJournal(hangar.path, world, process.start)
    process.on_death(journal.abandon)
    try:
        gateways = hangar.gateways(clock, Entropy(world.seed * 1000 + process.start))
        run = LiveRun(hangar.spec(), clock=clock, journal=journal, gateways=gateways, watchers=hangar.watcher.ears())
        run.drain_seconds, run.patience_seconds = 300.0, 60.0
        hangar.run = run
        for seeker in run.seekers.values():
            seeker.every_ns = 30 * SECOND_NS
        hangar.watcher.look_at(run)
        work = SessionWork(run, TABLE, _office(hangar, run))
        hangar.jobs = work.jobs()

        async def beside() -> None:
            await run.ready.wait()
            finished, hangar.finished = hangar.finished, {}
            scheduler = Scheduler(
                hangar.jobs, kept=run.core.kept, journal=run.journal, clock=clock, alert=run._alert, finished=finished
            )
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(scheduler.run)
                while True:
                    await clock.sleep(10 * MINUTE_NS)
                    run.core.kept.save()

        await run.run(observe=beside)
    except BaseException:
        journal.abandon()
        raise
    if hangar.over:
        hangar.compare(run)
    journal.close()


def _office(hangar: MonthHangar, run: LiveRun) -> Office:
    async def report(market: str, _occasion: Occasion) -> str:
        hangar.steps[f"report {market}"] += 1
        return "made"

    async def backup(_market: str, occasion: Occasion) -> str:
        made = back_up(hangar.path, hangar.path.parent / "backups", f"journal-{local_day(occasion.day)}", keep=3)
        hangar.steps["backup"] += 1
        return f"{made.records} records"

    async def compacts(_occasion: Occasion) -> str:
        hangar.compacting = True
        run.stop("compaction")
        await anyio.sleep_forever()
        return ""

    return Office(after={"report": report, "backup": backup}, compact=compacts)


async def _keep_alive(hangar: MonthHangar) -> int:
    """One life after the other; gives how many there were."""
    world, lives = hangar.world, 0
    while True:
        process = world.start("engine", _boarded, hangar)
        lives += 1
        ending = await process.ended()
        if ending.how is End.RAISED:
            hangar.accuse(f"I13: the daemon died of {type(ending.error).__name__}: {ending.error}")
            return lives
        if hangar.over:
            return lives
        down, hangar.down_seconds = hangar.down_seconds or ending.down_seconds, 0.0
        if hangar.compacting:
            hangar.compacting = False
            if ending.how is End.RETURNED:
                try:
                    done = compact(hangar.path)
                    forget_compacted(hangar.path, keep=1)
                    hangar.finished["compact"] = (True, f"{done.records} records")
                except SluiceError as why:
                    hangar.finished["compact"] = (False, str(why))
        await anyio.sleep(down)


async def _boarded(hangar: MonthHangar) -> None:
    await life(hangar, hangar.world.processes["engine"])


async def _happen(hangar: MonthHangar, planned: list[Mishap]) -> None:
    """Everything that goes wrong, at its time."""
    world = hangar.world
    for one in planned:
        await anyio.sleep(max(0.0, one.at_hours * HOUR - world.loop.seconds))
        process = world.processes.get("engine")
        if one.kind == "down":
            world.network.drop_port(one.port)
            world.loop.call_later(one.hours * HOUR, world.network.restore_port, one.port)
        elif process is None or not process.alive or hangar.run is None:
            continue
        elif one.kind == "crash":
            process.crash(down_seconds=one.hours * HOUR)
        elif one.kind == "asleep":
            if world.loop.freeze(process.life):
                await anyio.sleep(one.hours * HOUR)
                world.loop.thaw()
        else:
            hangar.down_seconds = one.hours * HOUR
            if one.kind == "reload":
                hangar.largest_order += 100
            hangar.run.stop(one.kind)
        world.network.fired[f"month.{one.kind}"] += 1


async def month(
    world: World, place: Path, days: int, memory: list[float], kinds: tuple[type[Hangar], ...]
) -> tuple[MonthHangar, int]:
    """The scenario."""
    hangar = MonthHangar(world, place, kinds)
    served = [
        world.start(f"port {port}", serve, app, "127.0.0.1", port) for port, app in sorted(hangar.served().items())
    ]
    await anyio.sleep(0.05)
    lives = 0

    async def live() -> None:
        nonlocal lives
        lives = await _keep_alive(hangar)
        tasks.cancel_scope.cancel()

    async def end() -> None:
        for _ in range(days):
            await anyio.sleep(24 * HOUR)
            memory.append(_memory_mib())
        hangar.over = True
        if hangar.run is not None:
            hangar.run.stop("the month is over")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_happen, hangar, mishaps(days))
        tasks.start_soon(end)
        tasks.start_soon(live)
    for server in served:
        server.stop()
        await server.ended()
    for text in world.loop.findings:
        hangar.accuse(f"I13: {text}")
    return hangar, lives


def _memory_mib() -> float:
    gc.collect()
    pages = (
        int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) if Path("/proc/self/statm").exists() else 0
    )
    return pages * 4096 / 1024 / 1024


def flown(days: int, seed: int = 4, kinds: tuple[type[Hangar], ...] = ALL) -> Month:
    """Play so many days over these systems."""
    place = Path(tempfile.mkdtemp(prefix="sluice-month-"))
    memory: list[float] = []
    try:
        outcome = simulated(
            partial(month, place=place, days=days, memory=memory, kinds=kinds),
            seed=seed,
            seconds_max=(days + 2) * 24 * HOUR,
            events_max=2_000_000_000,
        )
        hangar, lives = outcome.result
        rows = _rows(hangar.path)
        told = _judged(hangar, rows, days)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return Month(
        accusations=hangar.flight.accusations,
        checked=hangar.flight.checked,
        lives=lives,
        memory_mib=memory,
        digest=outcome.digest,
        events=outcome.events,
        **told,
    )


def _rows(path: Path) -> list[Any]:
    """Every record of the journal."""
    import contextlib

    with contextlib.closing(store.reader(path)) as db:
        return [DECODER.decode(row[1]) for row in store.rows(db)]


def _judged(hangar: MonthHangar, rows: list[Any], days: int) -> dict[str, Any]:
    """Hold the journal against the calendars: each day of each job once done, or reported; each order sent once."""
    begun = {job: row.ts_ns for row in reversed(rows) if isinstance(row, JobsBegun) for job in row.jobs}
    ended = Counter((row.job, row.day) for row in rows if isinstance(row, JobEnded))
    missed: Counter[tuple[str, int]] = Counter()
    jobs = {job.name: job for job in hangar.jobs}
    until_ns = parse_time(START) + days * DAY_NS - SETTLE_NS - duration_ns(TABLE.compact)
    due: dict[str, list[int]] = defaultdict(list)
    for name, job in jobs.items():
        at_ns = begun.get(name, 0)
        if not at_ns:
            hangar.accuse(f"lost: the job {name} was never begun")
            continue
        while (one := job.due.after(at_ns)) is not None and one.due_ns <= until_ns:
            at_ns = one.due_ns
            if one.day not in due[name]:
                due[name].append(one.day)
    for row in rows:
        if isinstance(row, JobMissed):
            missed.update((row.job, day) for day in due[row.job] if row.first <= day <= row.last)
    for name, wanted in due.items():
        for day in wanted:
            times = ended[name, day] + missed[name, day]
            if times != 1:
                hangar.accuse(f"{'lost' if not times else 'duplicated'}: {name} of {local_day(day)}: {times} times")
    first = Counter((row.job, row.day) for row in rows if isinstance(row, JobStarted) and row.attempt == 1)
    for (name, day), times in first.items():
        if times > 1:
            hangar.accuse(f"duplicated: {name} of {local_day(day)} was begun {times} times")
    sent = Counter(row.client_id for row in rows if isinstance(row, OrderSent))
    for client_id, times in sent.items():
        if times > 1:
            hangar.accuse(f"I5 duplicated: {client_id} was sent {times} times")
    states = {row.strategy: row.state for row in rows if isinstance(row, StrategySaved)}
    return {
        "done": sum(ended.values()),
        "failed": sum(1 for row in rows if isinstance(row, JobEnded) and not row.ok),
        "missed": sum(row.count for row in rows if isinstance(row, JobMissed)),
        "orders": sum(1 for row in rows if isinstance(row, OrderSubmitted)),
        "days_of_traders": {str(name): len(state["days"]) for name, state in sorted(states.items())},
    }
