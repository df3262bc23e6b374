"""A season of trading days in virtual time over one journal file, and what is left of it each night (RELIABILITY 7).

The run, its core, strategies, outboxes and journal are the real ones; the brokers and the market are in this process.
Each night the run is stopped, the journal compacted and a new run started over it; every fourth week the run stays up.
"""

import gc
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from msgspec import Struct, field

from engine.chaos.disk import SimJournal
from engine.chaos.world import World, simulated
from engine.clock import cpu_seconds
from engine.domain.events import Alert, OrderDenied
from engine.domain.ids import AccountId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.order import TERMINAL
from engine.domain.timestamps import DAY_NS, MINUTE_NS, parse_time
from engine.journal.compaction import compact
from engine.risk.profiles import limits_for
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.live import AccountSpec, LiveRun, LiveSpec
from tests.soak.broker import COMMISSION, ECHOING, NAMELESS, Broker
from tests.soak.tape import Hours, Plan, Tape
from tests.soak.traders import Looker, Rester, Sleeper, Taker

START_NS = parse_time("2024-03-04T00:00:00+00:00")
"""A Monday; New York's clocks change on the 10th, London's on the 31st."""
HISTORY_KEEP = 60
"""Bars of each instrument; the real 5 000 would fill up for weeks, which is no leak and would look like one."""
BEFORE_NS, AFTER_NS = 30 * MINUTE_NS, 10 * MINUTE_NS
"""How long before the opening a run is started, and after the close it is stopped."""
TABLE = {
    "duplicate_order": {"window": "1s"}, "price_collar": {"max_age": "2m"}, "orders_per_minute": {"cap": 240},
    "orders_per_second": {"cap": 60}, "symbol_orders_per_minute": {"cap": 60},
    "max_daily_value": {"value": "100000000"},
}  # fmt: skip
KINDS = (Taker, Rester, Sleeper, Looker)


class Sample(Struct, frozen=True):
    """Memory after so many events, in the n-th run."""

    events: int
    rss_mib: float
    run: int


class Log(Struct, kw_only=True):
    """What was seen; ``most`` is the largest each store ever was at a sample or at a minute."""

    samples: list[Sample] = field(default_factory=list)
    most: dict[str, int] = field(default_factory=dict)
    alerts: Counter[str] = field(default_factory=Counter)
    denials: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Of the journal before and after each compaction, bytes."""
    runs: int = 0
    records: int = 0
    events: int = 0
    orders: int = 0
    fills: int = 0
    cancels: int = 0
    fds: int = 0
    tasks: int = 0
    threads: int = 0
    cpu_seconds: float = 0.0
    virtual_days: float = 0.0

    def note(self, name: str, size: int) -> None:
        self.most[name] = max(size, self.most.get(name, 0))


class Soak:
    """One season."""

    def __init__(self, plan: Plan, world: World, place: Path) -> None:
        self.plan, self.world, self.log = plan, world, Log()
        self.path = place / "journal.sqlite3"
        self.clock = world.clock()
        self.names = [InstrumentId(f"S{n:03d}.SIM") for n in range(plan.instruments)]
        self.tape = Tape(plan, self.clock, self.names, self.on_batch)
        self.tape.on_open, self.tape.on_close = self.open_day, self.end_day
        self.tape.on_minute = self.on_minute
        self.brokers = [
            Broker(AccountId(sheet.gateway), sheet, self.clock, self.tape.price) for sheet in (ECHOING, NAMELESS)
        ]
        self.run: LiveRun | None = None
        self.each_night: Callable[[Soak], None] = lambda _soak: None
        self._next_sample = plan.sample_events

    # --- the season --------------------------------------------------------------------------------------------------

    async def season(self) -> Log:
        gc.collect()
        self.log.fds, self.log.tasks, self.log.threads = (
            _fds(),
            len(self.world.loop.live_tasks()),
            threading.active_count(),
        )
        while self.tape.day < self.plan.days:
            opens_ns = self.plan.opens_ns(self.tape.day)
            await self.clock.sleep_until(opens_ns - BEFORE_NS)
            gone = await self.one_run()
            self.at_night(gone)
            self.each_night(self)
        log, self.log.events = self.log, self.tape.events
        log.orders = sum(broker.orders for broker in self.brokers)
        log.fills = sum(broker.fills for broker in self.brokers)
        log.cancels = sum(broker.cancels for broker in self.brokers)
        log.virtual_days = self.world.loop.seconds * 1e9 / DAY_NS
        return log

    async def one_run(self) -> "weakref.ref[LiveRun]":
        """From before an opening to after the close of the day it is stopped."""
        journal = SimJournal(self.path, self.world)
        gateways: dict[str, Any] = {broker.name: broker for broker in self.brokers}
        run = self.run = LiveRun(
            self.spec(),
            clock=self.world.clock(),
            journal=journal,
            gateways={"tape": self.tape, **gateways},
            watchers=((Alert, self.on_alert), (OrderDenied, self.on_denied)),
        )
        run.core.history.keep = HISTORY_KEEP
        self.log.runs += 1
        last = self.tape.day
        while not self.plan.stops_after(last):
            last += 1

        async def observe() -> None:
            await self.clock.sleep_until(self.plan.closes_ns(last) + AFTER_NS)
            run.stop("night")

        await run.run(observe=observe)
        self.compare(run)
        journal.close()
        self.run = None
        return weakref.ref(run)

    def compare(self, run: LiveRun) -> None:
        """Book and broker to the cent; nothing undecided, nothing working."""
        log = self.log
        for broker in self.brokers:
            book = run.core.portfolio.accounts[broker.account]
            held = {i: p.quantity for i, p in book.positions.items() if p.quantity}
            if held != {i: q for i, q in broker.held.items() if q} or book.cash["COIN"] != broker.cash:
                log.complaints.append(f"day {self.tape.day}: {broker.name} differs from our book")
            if book.reserved.get("COIN") or any(p.selling for p in book.positions.values()):
                log.complaints.append(f"day {self.tape.day}: {broker.name} has reservations for nothing")
        if run.core.manager.working:
            log.complaints.append(f"day {self.tape.day}: orders work at night: {list(run.core.manager.working)[:3]}")
        for order in run.core.manager.orders.values():
            if order.state not in TERMINAL:
                log.complaints.append(f"{order.request.client_id} is {order.state}")
        stopped = {seat.name: seat.stopped for seat in run.core.runner.seats.values() if seat.stopped != "run ended"}
        if stopped:
            log.complaints.append(f"day {self.tape.day}: strategies were stopped: {stopped}")

    def at_night(self, gone: "weakref.ref[LiveRun]") -> None:
        """Nothing of the run is left but its journal, which is made tight."""
        log, loop = self.log, self.world.loop
        gc.collect()
        where = f"after day {self.tape.day}"
        found = {
            "fds": (_fds(), log.fds),
            "tasks": (len(loop.live_tasks()), log.tasks),
            "threads": (threading.active_count(), log.threads),
            "runs in memory": (int(gone() is not None), 0),
            "live timers": (sum(not timer.cancelled() for timer in loop._scheduled), 0),
        }
        log.complaints += [f"{where}: {name} {now}, {was} at first" for name, (now, was) in found.items() if now != was]
        log.note("timers at night", len(loop._scheduled))
        journal = SimJournal(self.path, self.world)
        digest = journal.digest()
        journal.close()
        made = compact(self.path)
        if made.digest != digest:
            log.complaints.append(f"{where}: the journal's digest changed as it was compacted")
        made.kept.unlink()
        log.records = made.records
        log.sizes.append((made.before, made.after))

    # --- the run -----------------------------------------------------------------------------------------------------

    def spec(self) -> LiveSpec:
        instruments = {
            name: Instrument(id=name, kind=InstrumentKind.GAME, market="free", currency="COIN") for name in self.names
        }
        return LiveSpec(
            accounts=tuple(AccountSpec(id=b.account, gateway=b.name, currency="COIN") for b in self.brokers),
            strategies=tuple(self._strategies()),
            instruments=instruments,
            books={"free": Hours(commission=COMMISSION, currency="COIN", session_ns=self.plan.session_ns)},
            limits=limits_for("paper", TABLE),
            mode="soak",
            threads=False,
        )

    def _strategies(self) -> Any:
        """Each kind at each broker, on instruments of its own; together about ``plan.orders``."""
        plan, size = self.plan, self.plan.instruments // (2 * len(KINDS))
        orders = plan.orders / plan.days / (2 * len(KINDS))
        priced = plan.batches * 100 / plan.instruments * size
        bars = plan.session_ns / MINUTE_NS * size
        heard = {Taker: priced * 0.6, Rester: priced * 0.4, Sleeper: bars, Looker: bars}
        number = 0
        for broker in self.brokers:
            for kind in KINDS:
                every = max(1, round(heard[kind] / orders))
                yield (
                    broker.account,
                    StrategySpec(
                        name=StrategyId(f"{kind.__name__.lower()}-{broker.name}"),
                        make=lambda kind=kind, every=every: kind(every_events=every),
                        instruments=tuple(self.names[number * size : (number + 1) * size]),
                    ),
                )
                number += 1

    def open_day(self) -> None:
        for broker in self.brokers:
            broker.open_day()

    def end_day(self) -> None:
        for broker in self.brokers:
            broker.end_day()

    # --- what is seen ------------------------------------------------------------------------------------------------

    def on_alert(self, alert: Alert) -> None:
        self.log.alerts[alert.about.partition(":")[0] + ": " + alert.text[:60]] += 1

    def on_denied(self, event: OrderDenied) -> None:
        self.log.denials[event.code] += 1

    def on_minute(self) -> None:
        for broker in self.brokers:
            broker.trade()
        log, loop = self.log, self.world.loop
        wal = self.path.with_name(f"{self.path.name}-wal")
        log.note("wal bytes", wal.stat().st_size if wal.exists() else 0)
        log.note("timers", len(loop._scheduled))
        log.note("tasks", len(loop.live_tasks()))

    def on_batch(self) -> None:
        if self.tape.events < self._next_sample:
            return
        self._next_sample += self.plan.sample_events
        gc.collect()
        self.log.samples.append(Sample(self.tape.events, rss_mib(), self.log.runs))
        self.measure_stores()

    def measure_stores(self) -> None:
        """How large each store is that could grow without end."""
        run, note = self.run, self.log.note
        assert run is not None
        core = run.core
        for name, store in stores(run).items():
            note(name, len(store))
        note("history rows", max((len(store.ts) for store in core.history._stores.values()), default=0))
        note("departures", max((len(window.departures) for window in run.pace._windows.values()), default=0))
        note("queued for a strategy", max(len(seat.queue) for seat in core.runner.seats.values()))
        note(
            "locked lots",
            max(
                (len(p.locked) for p in core.portfolio.accounts[self.brokers[0].account].positions.values()), default=0
            ),
        )


def stores(run: LiveRun) -> dict[str, Any]:
    """The stores of a run by name, each with a length."""
    core = run.core
    manager, view, portfolio = core.manager, core.view, core.portfolio
    boxes = list(run.boxes.values())
    found: dict[str, Any] = {
        "orders": manager.orders,
        "working": manager.working,
        "ended": manager._ended,
        "told": manager._told,
        "venue ids": manager._venue_ids,
        "baselines": manager._baselines,
        "absences": manager._readings._matcher._absences,
        "reservations": portfolio.reservations,
        "strategy positions": portfolio.strategy_positions,
        "marks": portfolio.marks.latest,
        "exposures": view.exposures,
        "recent keys": view.recent or (),
        "strategy timers": core.runner._timers,
        "held limits": run.held.held,
        "pace windows": run.pace._windows,
    }
    for name in ("send_seconds", "_parcels", "_changes", "_groups", "_cancels_ns"):
        found[f"outbox {name.strip('_')}"] = max((getattr(box, name) for box in boxes), key=len)
    return found


def _fds() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def rss_mib() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(samples: Sequence[Sample]) -> float:
    """Theil and Sen's: MiB a million events, the median over all pairs."""
    pairs = [
        (b.rss_mib - a.rss_mib) / (b.events - a.events) * 1e6 for n, a in enumerate(samples) for b in samples[n + 1 :]
    ]
    return median(pairs) if pairs else 0.0


def soaked(plan: Plan, place: Path, each_night: Callable[[Soak], None] = lambda _soak: None) -> Log:
    """Play a season; its journal is left in ``place``. ``each_night``: told when the night's work is done."""

    async def scenario(world: World) -> Log:
        soak = Soak(plan, world, place)
        soak.each_night = each_night
        return await soak.season()

    began = cpu_seconds()
    outcome = simulated(scenario, seed=2, seconds_max=1e8, events_max=10**9, wall_start_ns=plan.start_ns)
    log = outcome.result
    log.cpu_seconds = cpu_seconds() - began
    log.complaints += [f"the loop: {text}" for text in outcome.findings]
    return log
