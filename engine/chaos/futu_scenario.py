"""One flight over the simulated Futu gateway: pushes lost, repeated, swapped and late, a daemon that starts anew.

As in ``scenario``, the engine is a whole ``LiveRun`` with a journal on disk, killed and started again; the venue is the
simulator's app over the in-memory network, HTTP and WebSocket. Even seeds trade a simulate account, whose fills must be
worked out from order totals; odd seeds a real one, which pushes fills, charges fees and must be unlocked. A little
before the end an operator withdraws everything, so that nothing may stay open on either side.
"""

from collections import Counter, defaultdict
from typing import Any, ClassVar

import anyio

from engine.chaos.bare_market import bare_market
from engine.chaos.faults import (
    AnswerLoss,
    DaemonFault,
    DaemonKind,
    PushRate,
    Schedule,
    fault_name,
)
from engine.chaos.flying import flown_in
from engine.chaos.futu_traders import Crosser, Nagger, Waiter
from engine.chaos.hangar import Flight, Hangar
from engine.chaos.schedules import Terrain, draw_push_faults, draw_schedule
from engine.chaos.world import Outcome
from engine.clock import Clock
from engine.domain.events import KillLevel
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.money import exact
from engine.domain.order import TERMINAL, OrderState
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.gateways.futu.adapter import Futu
from engine.gateways.surroundings import Surroundings
from engine.markets.hong_kong import HongKong
from engine.markets.rulebook import RuleBook
from engine.ports import Gateway
from engine.runtime.live import LiveRun
from engine.simulators.faults import Faults
from engine.simulators.futu import (
    DEFAULT_SECURITIES,
    EXAMPLE_TOKEN,
    AnswerFaults,
    FutuAccount,
    FutuSimulator,
    PushFaults,
)
from engine.simulators.futu.ledger import Order as VenueOrder

PORT = 22222
ACCOUNT = AccountId("hk")
ACC_ID = 281756400000000123
UNLOCK_MD5 = "0123456789abcdef0123456789abcdef"
HURT_SECONDS = 25 * 60.0
FLY_SECONDS = 35 * 60.0
QUIET_SECONDS = 120.0
ORDERS_PER_MINUTE = 12
MAX_POSITION = 1_500
SECURITIES = DEFAULT_SECURITIES[:2]
TICK_SECONDS = 5.0
PRICE_AGE_NS = 3 * SECOND_NS
STARTS = (
    "2026-03-03T10:00:00+08:00",
    "2026-03-03T11:45:00+08:00",
    "2026-03-03T13:30:00+08:00",
    "2026-03-03T15:40:00+08:00",
)
"""In the morning; before the lunch break; in the afternoon; before the close, where day orders end."""

TERRAIN = Terrain(
    ports=(PORT,),
    connections=120,
    exchanges=6,
    answer_bytes=600,
    horizon_seconds=HURT_SECONDS,
    late_seconds=60.0,
    server_routes=("*", "trade", "account", "subscribe"),
    calls=80,
    processes=("engine",),
    seams=2500,
)


class FutuHangar(Hangar):
    """What outlives the engine's lives here."""

    hurt_seconds = HURT_SECONDS
    fly_seconds = FLY_SECONDS
    starts = STARTS
    port = PORT
    gateway = "futu"
    account_name = ACCOUNT
    currency = "HKD"
    price_age_ns = PRICE_AGE_NS
    orders_per_minute = ORDERS_PER_MINUTE
    max_position = MAX_POSITION
    in_turn = False
    tick_seconds = TICK_SECONDS
    caps: ClassVar[Any] = {
        "orders_per_minute": {"cap": ORDERS_PER_MINUTE},
        "max_order_value": {"value": "400000"},
        "max_position": {"quantity": MAX_POSITION, "value": "2000000"},
        "max_daily_value": {"value": "100000000"},
    }
    traders: ClassVar[Any] = (Crosser, Waiter, Nagger)
    polls: ClassVar[Any] = {"order_poll": "20s", "account_poll": "60s", "state_poll": "30s", "stale": "45s"}

    @property
    def armed(self) -> bool:  # type: ignore[override]
        return self.real

    @property
    def real(self) -> bool:
        return self.world.seed % 2 == 1

    def market(self) -> Any:
        schedule, draw = self.world.schedule, self.world.entropy.stream("chaos/futu")
        rates = [fault for fault in schedule if isinstance(fault, PushRate)]
        losses = [fault for fault in schedule if isinstance(fault, AnswerLoss)]
        account = FutuAccount(
            acc_id=ACC_ID,
            environment="real" if self.real else "simulate",
            markets=(1,),
            cash={"HKD": 5_000_000.0},
            sim_acc_type=None if self.real else 1,
        )
        simulator = FutuSimulator(
            seed=self.world.seed,
            securities=SECURITIES,
            accounts=(account,),
            tick_seconds=self.tick_seconds,
            answer_ms=draw.choice((0, 0, 400, 1200)),
            query_lag_ms=draw.choice((0, 0, 1500)),
            faults=Faults(script=self.server_share()),
            push=PushFaults(chances={rate.kind: rate.chance for rate in rates}, only=_only(rates)),
            answers=AnswerFaults(script={loss.call: loss.kind for loss in losses}),
        )
        app = simulator.app(self.clock, Entropy(self.world.seed), exchange=bare_market(self.world.seed, self.clock))
        venue = app.state.venue
        self.timers = [
            self.world.loop.call_later(fault.at_seconds, self._strike, venue, fault)
            for fault in schedule
            if isinstance(fault, DaemonFault) and fault.port in (0, self.port)
        ]
        return app

    def _strike(self, venue: Any, fault: DaemonFault) -> None:
        self.world.network.note(fault)
        self.world.trace(fault_name(fault))
        if fault.kind is DaemonKind.RESTART:
            venue.restart()
            return
        venue.set_connected(False)
        self.timers.append(self.world.loop.call_later(fault.seconds, venue.set_connected, True))

    def carries_order(self, path: str) -> bool:
        return path == "/api/order"

    def open(self, clock: Clock, entropy: Entropy) -> Gateway:
        environ = {"SLUICE_FUTU_TOKEN": EXAMPLE_TOKEN, "SLUICE_FUTU_TRADE_PASSWORD_MD5": UNLOCK_MD5}
        gateway: Any = Futu(
            base_url=f"http://127.0.0.1:{self.port}",
            account=ACCOUNT,
            acc_id=str(ACC_ID),
            environment="real" if self.real else "simulate",
            armed=self.real,
            instruments=tuple(f"{security.code}.HK" for security in SECURITIES),
            **self.polls,
        ).open(Surroundings(clock=clock, entropy=entropy, environ=environ))
        found: Gateway = gateway
        return found

    def instruments(self) -> dict[InstrumentId, Instrument]:
        return {
            InstrumentId(f"{one.code}.HK"): Instrument(
                id=InstrumentId(f"{one.code}.HK"),
                market="hong_kong",
                currency="HKD",
                lot=one.lot,
                tick=exact(one.tick(one.price)),
            )
            for one in SECURITIES
        }

    def books(self) -> dict[str, RuleBook]:
        return {"hong_kong": HongKong()}

    def of(self, client_id: str) -> list[VenueOrder]:
        """The venue's orders that bear this client id."""
        return [order for order in self.venue.ledger.orders(ACC_ID) if order.remark == client_id]

    def booked(self, client_id: ClientOrderId) -> bool:
        return any(order.filled for order in self.of(client_id))

    async def quiet(self, run: LiveRun) -> None:
        """Nothing new, and everything that still works is withdrawn."""
        run.core.manager.latch(KillLevel.CANCEL, "all", "the end of the flight", "operator")
        await anyio.sleep(QUIET_SECONDS)

    def heal(self) -> None:
        super().heal()
        self.venue.pusher.active = False
        self.venue.settings.answers.script.clear()
        for timer in self.timers:
            timer.cancel()
        if not self.venue.connected:
            self.venue.set_connected(True)

    def count_faults(self) -> None:
        super().count_faults()
        fired = self.world.network.fired
        fired.update({f"push.{kind.value}": n for kind, n in self.venue.pusher.fired.items()})
        fired.update({f"answer.{kind.value}": n for kind, n in self.venue.answer_fired.items()})

    def compare(self, run: LiveRun) -> None:
        """Every order of ours once at the venue, every fill booked once, nothing left open, positions equal."""
        ours, checked = self.orders(run), self.flight.checked
        theirs: defaultdict[str, list[VenueOrder]] = defaultdict(list)
        for order in self.venue.ledger.orders(ACC_ID):
            theirs[order.remark or ""].append(order)
            checked["venue orders"] += 1
            if not order.is_final:
                self.accuse(f"I7: {order.remark} still works at the venue: {order.status!r}")
        for name, found in theirs.items():
            if len(found) > 1:
                self.accuse(f"I5 duplicated: {name} is {len(found)} orders at the venue")
            if name not in ours:
                self.accuse(f"lost: the venue has {name!r}, which we do not know")
        for client_id, known in ours.items():
            checked["orders"] += 1
            if known.state is OrderState.DISPUTED:
                self.accuse(f"I7: {client_id} is disputed")
            elif known.state not in TERMINAL:
                self.accuse(f"I7: {client_id} is still {known.state} at the end")
            filled = sum(order.filled for order in theirs.get(client_id, ()))
            if known.cum < filled:
                self.accuse(f"lost: {client_id} {known.state}: {filled} filled at the venue, {known.cum} with us")
            elif known.cum > filled:
                self.accuse(f"I3 duplicated: {client_id} {known.state}: {known.cum} with us, {filled} at the venue")
            if filled and known.value != sum(order.value for order in theirs[client_id]):
                difference = known.value - sum(order.value for order in theirs[client_id])
                if abs(difference) > exact(known.cum) / 1000:
                    self.accuse(f"I3: {client_id} is worth {difference:+} more with us than at the venue")
        checked["trades"] += len(self.venue.ledger.fills(ACC_ID))
        self._limits()
        book = run.core.portfolio.accounts[self.account_name]
        positions = {i: p.quantity for i, p in book.positions.items() if p.quantity}
        holdings = {f"{symbol[3:]}.HK": n for symbol, n in self.venue.ledger.positions(ACC_ID).items()}
        if positions != holdings:
            self.accuse(f"I3: we hold {positions}, the venue says {holdings}")

    def _limits(self) -> None:
        """I6 on the venue's own ledger."""
        caps = {name: self.cap_of(order) for name, order in self.file.orders.items()}
        held: Counter[str] = Counter()
        for fill in sorted(self.venue.ledger.fills(ACC_ID), key=lambda fill: fill.ts_ns):
            order, code = fill.order, fill.order.security.code
            sign = 1 if order.buys else -1
            held[code] += sign * fill.quantity
            cap = caps.get(ClientOrderId(order.remark or ""), self.max_position)
            if sign > 0 and held[code] > cap:
                self.accuse(f"I6 breach: {held[code]} {code} held (cap {cap})")


def _only(rates: list[PushRate]) -> str | None:
    return next((rate.only for rate in rates if rate.only), None)


def schedule_of(seed: int) -> Schedule:
    """What goes wrong in the flight of a seed."""
    draw = Entropy(seed).stream("chaos/schedule")
    return (*draw_schedule(draw, TERRAIN), *draw_push_faults(draw, HURT_SECONDS))


def flown(seed: int, schedule: Schedule | None = None) -> tuple[Outcome[Flight], Flight]:
    """Fly one seed; a flight that could not end has an accusation for it."""
    return flown_in(FutuHangar, seed, schedule_of(seed) if schedule is None else schedule)
