"""One flight: the whole engine against the whole virtual market, hurt by a schedule, then healed, then compared.

The engine is a ``LiveRun`` with the virtual market gateway and a SQLite journal; the market is the simulator's app over
the in-memory network; both keep their own clocks and chance. The engine may be killed at any seam and starts again over
its journal. After ``HURT_SECONDS`` nothing goes wrong any more; after ``FLY_SECONDS`` it is asked to stop. What it then
believes is held against the market's ledger by ``verdict``.
"""

import contextlib
import shutil
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
from msgspec import Struct

from engine.chaos.disk import SimJournal
from engine.chaos.faults import Schedule, Terrain, draw_schedule, server_script
from engine.chaos.traders import Churner, Patient, Sloppy, Slow
from engine.chaos.verdict import PRICE_AGE_NS, Watcher, compare
from engine.chaos.wide import WIDE
from engine.chaos.witness import JournalFile, Witness
from engine.chaos.world import End, Outcome, Process, World, simulated
from engine.clock import Clock
from engine.domain.events import KillLevel
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.gateways.surroundings import Surroundings
from engine.gateways.virtual_market.adapter import VirtualMarket
from engine.markets.virtual import Virtual
from engine.ports import Gateway
from engine.risk.profiles import limits_for
from engine.runtime.backtest import StrategySpec
from engine.runtime.live import AccountSpec, LiveRun, LiveSpec
from engine.simulators.faults import Faults
from engine.simulators.serve import serve
from engine.simulators.virtual_market import VirtualMarketSimulator
from engine.simulators.virtual_market.settings import DEFAULT_STOCKS

PORT = 5000
ACCOUNT = AccountId("game")
LOCK_MINUTES = 15
HURT_SECONDS = 50 * 60.0
FLY_SECONDS = 75 * 60.0
DOWN_AT_END_SECONDS = 40 * 60.0
"""How long stopping may take: the engine's own bound for undecided orders, twice, and some readings."""
ORDERS_PER_MINUTE = 8
MAX_ORDER = 500
MAX_POSITION = 400
STOCKS = DEFAULT_STOCKS[:2]
STARTS = ("2024-03-05T09:57:00+08:00", "2024-03-05T07:40:00+08:00", "2024-03-05T23:10:00+08:00")
"""Within a session; before it opens; before it closes at midnight."""

TERRAIN = Terrain(
    ports=(PORT,),
    connections=220,
    exchanges=2,
    answer_bytes=500,
    horizon_seconds=HURT_SECONDS,
    late_seconds=60.0,
    server_routes=("*", "trade", "portfolio"),
    calls=80,
    processes=("engine",),
    seams=1800,
)


class Flight(Struct, kw_only=True):
    """What one flight showed. ``accusations``: promises broken, each beginning with the invariant's name."""

    seed: int
    accusations: list[str]
    checked: Counter[str]
    """What was compared, and how often: a flight that checked nothing has failed."""
    crashes: int = 0
    lines: list[str] = []


class Hangar:
    """What outlives the engine's lives: the journal's file, the witness, who watches, and when things are due.

    This one holds the virtual market; another venue's overrides what is the venue's own.
    """

    hurt_seconds = HURT_SECONDS
    fly_seconds = FLY_SECONDS
    starts: tuple[str, ...] = STARTS
    port = PORT
    gateway = "market"
    """Key of the gateway in the run."""
    drill_seconds_max = 900.0
    """How long an operator's halt may last."""

    def __init__(self, world: World, place: Path) -> None:
        self.world = world
        self.flight = Flight(seed=world.seed, accusations=[], checked=Counter())
        self.file = JournalFile(place / "journal.sqlite3")
        self.path = place / "journal.sqlite3"
        draw = world.entropy.stream("chaos/scenario")
        self.start_ns = parse_time(draw.choice(self.starts))
        self.latch_seconds = draw.uniform(300, self.hurt_seconds) if draw.random() < 0.1 else None
        self.clear_seconds = (self.latch_seconds or 0) + draw.uniform(60, self.drill_seconds_max)
        self.operations = 0
        """How many of the operator's two acts are done."""
        self.clock = world.clock(start_ns=self.start_ns)
        self.app = self.market()
        self.venue = self.app.state.venue
        self.witness = self.posted()
        self.watcher = Watcher(self.accuse, self.flight.checked, world.trace, self.booked, self.price_age_ns)
        self.run: LiveRun | None = None

    price_age_ns = PRICE_AGE_NS

    def market(self) -> Any:
        """The venue's app, with its share of the schedule."""
        simulator = VirtualMarketSimulator(
            seed=self.world.seed,
            lock_minutes=LOCK_MINUTES,
            stocks=STOCKS,
            history_days=1,
            faults=Faults(script=server_script(self.world.schedule)),
        )
        self.user = simulator.users[0]
        return simulator.app(self.clock, Entropy(self.world.seed))

    def posted(self) -> Witness:
        """The witness before the app."""
        return Witness(self.app, self.file, lambda: self.clock.now_ns, self.accuse, ORDERS_PER_MINUTE)

    def open(self, clock: Clock, entropy: Entropy) -> Gateway:
        """The gateway of one life."""
        environ = {"SLUICE_VM_USER": self.user.login, "SLUICE_VM_PASSWORD": self.user.password}
        return VirtualMarket(
            base_url=f"http://127.0.0.1:{PORT}",
            account=ACCOUNT,
            lock=f"{LOCK_MINUTES}m",
            poll="40s",
            account_poll="90s",
        ).open(Surroundings(clock=clock, entropy=entropy, environ=environ))

    def compare(self, run: LiveRun) -> None:
        """What the run believes against what the venue knows."""
        compare(self.venue.ledger, self.user.login, run, self.witness, self.accuse, self.flight.checked)

    async def quiet(self, run: LiveRun) -> None:
        """What an operator does before the end."""

    def gateways(self, clock: Clock, entropy: Entropy) -> dict[str, Gateway]:
        """All gateways of one life, by their keys in the run."""
        return {self.gateway: self.open(clock, entropy)}

    def servers(self) -> dict[int, Any]:
        """Port -> app: what else is served in this world, which nothing happens to."""
        return {}

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self.world.heal()
        self.venue.faults.script.clear()
        self.world.trace("healed")

    def count_faults(self) -> None:
        """What the simulator played, into the run's counters."""
        self.world.network.fired.update({f"server.{kind.value}": n for kind, n in self.venue.faults.fired.items()})

    def accuse(self, text: str) -> None:
        """Somebody broke a promise."""
        if text not in self.flight.accusations:
            self.flight.accusations.append(text)
            self.world.trace(f"accused {text}")

    def booked(self, client_id: ClientOrderId) -> bool:
        """Whether the venue has booked a request of this order."""
        owners = self.witness.owners
        trades = self.venue.ledger.trades(self.user.login)
        return any(
            order.client_id == client_id and f"{trade.code}.VSM" == order.instrument
            for trade in trades
            for order in owners.get(trade.request, ())
        )

    def spec(self) -> LiveSpec:
        ids = tuple(InstrumentId(f"{stock.code}.VSM") for stock in STOCKS)
        traders = (Churner, Patient, Slow, Sloppy)
        return LiveSpec(
            accounts=(AccountSpec(id=ACCOUNT, gateway="market", currency="COIN"),),
            strategies=tuple(
                (
                    ACCOUNT,
                    StrategySpec(
                        name=StrategyId(kind.__name__.lower()),
                        make=lambda kind=kind, n=n: kind(seed=self.world.seed * 10 + n),  # type: ignore[misc]
                        instruments=ids,
                    ),
                )
                for n, kind in enumerate(traders)
            ),
            instruments={
                name: Instrument(id=name, kind=InstrumentKind.GAME, market="virtual", currency="COIN") for name in ids
            },
            books={"virtual": Virtual(lock_minutes=LOCK_MINUTES)},
            limits=limits_for(
                "paper",
                WIDE
                | {
                    "orders_per_minute": {"cap": ORDERS_PER_MINUTE},
                    "max_order_quantity": {"quantity": MAX_ORDER},
                    "max_position": {"quantity": MAX_POSITION},
                },
            ),
            mode="simulation",
            threads=False,
        )


async def engine(hangar: Hangar, process: Process) -> None:
    """One life of the engine."""
    world = hangar.world
    clock = world.clock(start_ns=hangar.start_ns + round(world.loop.seconds * SECOND_NS))
    journal = SimJournal(hangar.path, world)
    process.on_death(journal.abandon)
    gateways = hangar.gateways(clock, Entropy(world.seed * 1000 + process.start))
    run = LiveRun(hangar.spec(), clock=clock, journal=journal, gateways=gateways, watchers=hangar.watcher.ears())
    hangar.run = run
    hangar.watcher.look_at(run)

    async def observe() -> None:
        await _operate(hangar, run)
        await anyio.sleep(max(0.0, hangar.fly_seconds - world.loop.seconds))
        await hangar.quiet(run)
        run.stop("time")

    await run.run(observe=observe)
    hangar.compare(run)
    journal.close()
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


async def fly(world: World, place: Path, kind: type[Hangar] = Hangar) -> Flight:
    """The scenario."""
    hangar = kind(world, place)
    served = [world.start("market", serve, hangar.witness, "127.0.0.1", hangar.port)]
    served += [world.start(f"port {port}", serve, app, "127.0.0.1", port) for port, app in hangar.servers().items()]
    await anyio.sleep(0.05)
    heal = world.loop.call_later(hangar.hurt_seconds, hangar.heal)
    try:
        with anyio.move_on_after(hangar.fly_seconds + DOWN_AT_END_SECONDS) as bound:
            await _keep_alive(hangar)
        if bound.cancelled_caught:
            hangar.accuse(f"I7 hung: the engine did not stop within {DOWN_AT_END_SECONDS:g} s after it was asked to")
    finally:
        heal.cancel()
        with contextlib.suppress(ValueError):
            hangar.count_faults()
    for server in served:
        server.stop()
        await server.ended()
    hangar.flight.checked["requests"] = hangar.witness.requests
    for text in world.loop.findings:
        hangar.accuse(f"I13: {text}")
    return hangar.flight


async def _keep_alive(hangar: Hangar) -> None:
    """Start the engine, and start it again each time it was killed."""
    world = hangar.world
    while True:
        life = world.start("engine", _boarded, hangar)
        ending = await life.ended()
        if ending.how is not End.CRASHED:
            if ending.how is End.RAISED:
                hangar.accuse(f"I13: the engine died of {_leaf(ending.error)}")
            return
        hangar.flight.crashes += 1
        world.trace(f"crash at seam {life.seams}")
        await anyio.sleep(ending.down_seconds)


def _leaf(error: BaseException | None) -> str:
    """The first error of a group of groups, and where it was raised."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    lines = traceback.format_exception(error) if error is not None else ["nothing"]
    return f"{lines[-1].strip()} at {lines[-2].strip().splitlines()[0] if len(lines) > 1 else '?'}"


async def _boarded(hangar: Hangar) -> None:
    await engine(hangar, hangar.world.processes["engine"])


def schedule_of(seed: int) -> Schedule:
    """What goes wrong in the flight of a seed."""
    return draw_schedule(Entropy(seed).stream("chaos/schedule"), TERRAIN)


def flown(seed: int, schedule: Schedule | None = None) -> tuple[Outcome[Flight], Flight]:
    """Fly one seed; a flight that could not end has an accusation for it."""
    return flown_in(Hangar, seed, schedule_of(seed) if schedule is None else schedule)


def flown_in(kind: type[Hangar], seed: int, planned: Schedule) -> tuple[Outcome[Flight], Flight]:
    """Fly one seed over the venue of a hangar."""
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
