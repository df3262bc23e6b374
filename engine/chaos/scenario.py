"""The virtual market in flight: the whole engine against it, hurt by a schedule, then healed, then compared.

The engine is a ``LiveRun`` with the virtual market gateway and a SQLite journal; the market is the simulator's app over
the in-memory network; both keep their own clocks and chance. See ``flying`` for the course of a flight.
"""

from typing import Any, ClassVar

from engine.chaos.faults import Schedule
from engine.chaos.flying import flown_in
from engine.chaos.hangar import Flight, Hangar
from engine.chaos.schedules import Terrain, draw_schedule
from engine.chaos.traders import Churner, Patient, Sloppy, Slow
from engine.chaos.verdict import compare
from engine.chaos.witness import TRADES
from engine.chaos.world import Outcome
from engine.clock import Clock
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.entropy import Entropy
from engine.gateways.surroundings import Surroundings
from engine.gateways.virtual_market.adapter import VirtualMarket
from engine.markets.rulebook import RuleBook
from engine.markets.virtual import Virtual
from engine.ports import Gateway
from engine.runtime.live import LiveRun
from engine.simulators.faults import Faults
from engine.simulators.virtual_market import VirtualMarketSimulator
from engine.simulators.virtual_market.settings import DEFAULT_STOCKS

PORT = 5000
ACCOUNT = AccountId("game")
LOCK_MINUTES = 15
HURT_SECONDS = 50 * 60.0
FLY_SECONDS = 75 * 60.0
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


class MarketHangar(Hangar):
    """What outlives the engine's lives here."""

    hurt_seconds = HURT_SECONDS
    fly_seconds = FLY_SECONDS
    starts: tuple[str, ...] = STARTS
    port = PORT
    gateway = "market"
    account_name = ACCOUNT
    currency = "COIN"
    orders_per_minute = ORDERS_PER_MINUTE
    max_position = MAX_POSITION
    max_order = MAX_ORDER
    lock_minutes = LOCK_MINUTES
    caps: ClassVar[Any] = {
        "orders_per_minute": {"cap": ORDERS_PER_MINUTE},
        "max_order_quantity": {"quantity": MAX_ORDER},
        "max_position": {"quantity": MAX_POSITION},
    }
    traders: ClassVar[Any] = (Churner, Patient, Slow, Sloppy)
    polls: ClassVar[Any] = {"poll": "40s", "account_poll": "90s"}

    def market(self) -> Any:
        simulator = VirtualMarketSimulator(
            seed=self.world.seed,
            lock_minutes=self.lock_minutes,
            stocks=STOCKS,
            history_days=1,
            faults=Faults(script=self.server_share()),
        )
        self.user = simulator.users[0]
        return simulator.app(self.clock, Entropy(self.world.seed))

    def carries_order(self, path: str) -> bool:
        return path.startswith(TRADES)

    def open(self, clock: Clock, entropy: Entropy) -> Gateway:
        environ = {"SLUICE_VM_USER": self.user.login, "SLUICE_VM_PASSWORD": self.user.password}
        return VirtualMarket(
            base_url=f"http://127.0.0.1:{self.port}",
            account=ACCOUNT,
            lock=f"{self.lock_minutes}m",
            **self.polls,
        ).open(Surroundings(clock=clock, entropy=entropy, environ=environ))

    def compare(self, run: LiveRun) -> None:
        compare(self, run)

    def booked(self, client_id: ClientOrderId) -> bool:
        owners = self.witness.owners
        trades = self.venue.ledger.trades(self.user.login)
        return any(
            order.client_id == client_id and f"{trade.code}.VSM" == order.instrument
            for trade in trades
            for order in owners.get(trade.request, ())
        )

    def instruments(self) -> dict[InstrumentId, Instrument]:
        ids = tuple(InstrumentId(f"{stock.code}.VSM") for stock in STOCKS)
        return {name: Instrument(id=name, kind=InstrumentKind.GAME, market="virtual", currency="COIN") for name in ids}

    def books(self) -> dict[str, RuleBook]:
        return {"virtual": Virtual(lock_minutes=self.lock_minutes)}


def schedule_of(seed: int) -> Schedule:
    """What goes wrong in the flight of a seed."""
    return draw_schedule(Entropy(seed).stream("chaos/schedule"), TERRAIN)


def flown(seed: int, schedule: Schedule | None = None) -> tuple[Outcome[Flight], Flight]:
    """Fly one seed; a flight that could not end has an accusation for it."""
    return flown_in(MarketHangar, seed, schedule_of(seed) if schedule is None else schedule)
