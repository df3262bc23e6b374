"""Short flights over every venue with an order side: one strategy, a few wishes, one thing that goes wrong.

A flight is one of ``engine.chaos`` (the whole engine, real bytes, virtual time), over a *stage*: the venue's hangar
with a strategy that does as the plan says and keeps what it hears, and a verdict that is the same for all venues.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from engine.chaos.desktop_scenario import HandWatcher
from engine.chaos.faults import server_script
from engine.chaos.flying import flown_in
from engine.chaos.hangar import Hangar
from engine.domain.events import Alert, PositionAdjusted
from engine.domain.ids import AccountId, ClientOrderId, StrategyId
from engine.domain.order import TERMINAL, OrderState
from engine.domain.timestamps import SECOND_NS
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.live import LiveRun, LiveSpec
from engine.runtime.reconciling import accept
from engine.simulators.faults import Faults
from engine.strategy import Strategy
from tests.router_plans import Heard, Plan, Strike, Wisher

SEED = 2
NAME = StrategyId("wisher")
PLENTY = 2_000_000
GIFT_LOTS = 3
PERSON_LOTS = 2
FALLEN = 0.97
"""Of a price that falls below what rests away from it."""
CALLS_MAX = 60
"""In ten seconds; more are a flood. A start needs thirty, the busiest reading two a second."""
SETTLE_SECONDS = 20.0
"""Before the end nothing goes wrong any more."""


class Theirs(Struct, kw_only=True):
    """One order as the venue has it. ``client_id``: whose request it came with; empty: nobody's of ours."""

    client_id: str
    instrument: str
    quantity: int
    filled: int
    value: Decimal
    live: bool
    filled_ns: int = 0
    """When its last fill was."""


class Account(Struct, kw_only=True):
    """The account as the venue has it."""

    positions: dict[str, int]
    cash: Decimal
    orders: list[Theirs]


class Landing(Struct, kw_only=True):
    """What is left of a flight."""

    accusations: list[str]
    heard: list[Heard]
    """By order of ours, in the order they were made."""
    states: list[OrderState]
    ours: list[list[Theirs]]
    """By order of ours: what the venue made of it."""
    strangers: list[Theirs]
    external: list[tuple[str, int]]
    """Instrument and quantity of what was booked as EXTERNAL."""
    external_cash: Decimal
    latched: bool
    """Whether a difference that nothing explains had latched the account; then it was accepted at the end."""
    alerts: list[Alert]
    requests: int
    """Orders that came to the venue."""
    cancels: int
    fired: dict[str, int]
    struck: bool
    gateway: type[Any]
    lines: tuple[str, ...]

    @property
    def words(self) -> list[list[str]]:
        return [heard.words for heard in self.heard]

    @property
    def stories(self) -> list[list[str]]:
        return [heard.story for heard in self.heard]


class Listener(HandWatcher):
    """A watcher that keeps each thing that was found at the venue, and how much money was, up or down."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.found: list[tuple[str, int]] = []
        self.external_cash = Decimal(0)

    def on_event(self, event: Any) -> None:
        if isinstance(event, PositionAdjusted) and not event.reason.startswith("opening"):
            self.external_cash += abs(event.cash)
            if event.quantity:
                self.found.append((event.instrument, event.quantity))
        super().on_event(event)


class Rehearsal:
    """What outlives the stage: filled in as the flight lands."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.heard: dict[ClientOrderId, Heard] = {}
        self.struck = False
        """The plan's strike has happened."""
        self.stage: Any = None
        self.latched = False
        self.run: LiveRun | None = None
        self.account = Account(positions={}, cash=Decimal(0), orders=[])


class Doorkeeper:
    """ASGI layer in front of the witness: counts what comes in, and tells of each order."""

    def __init__(self, app: Any, stage: "Stage") -> None:
        self._app = app
        self._stage = stage
        self.cancels = 0
        self.orders = 0
        self.calls: Counter[int] = Counter()
        """Ten seconds of the flight -> requests."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        self.calls[int(self._stage.world.loop.seconds / 10)] += scope["type"] == "http"
        if self._stage.is_order(path):
            self.orders += 1
            self._stage.order_came(self.orders)
        self.cancels += self._stage.is_cancel(path)
        await self._app(scope, receive, send)


class Stage(Hangar):
    """A hangar with one plan. A class for each flight: ``rehearsal`` is set on it."""

    rehearsal: Rehearsal
    settings: type[Any]
    """The gateway's, as in ``GATEWAYS``."""
    simulator: type[Any]
    account_id: AccountId
    code: str
    """The exchange's code of what is traded."""
    fallen = False
    lead_seconds = 2.0
    """About how long the run takes until its strategy starts."""

    def __init__(self, *args: Any) -> None:
        self.rehearsal.stage = self
        self.fly_seconds = self.lead_seconds + self.plan.seconds
        self.hurt_seconds = self.fly_seconds - SETTLE_SECONDS
        super().__init__(*args)
        self.latch_seconds = None
        self.watcher = Listener(self.accuse, self.flight.checked, self.world.trace, self.booked, self.price_age_ns)
        if self.plan.person is not None:
            self.world.loop.call_later(self.lead_seconds + self.plan.person, self.person_buys, PERSON_LOTS)
        if self.plan.gift is not None:
            self.world.loop.call_later(self.lead_seconds + self.plan.gift, self.gift, GIFT_LOTS)

    @property
    def plan(self) -> Plan:
        return self.rehearsal.plan

    @property
    def cash(self) -> int:
        return PLENTY if self.plan.cash is None else self.plan.cash

    @property
    def faults(self) -> Faults:
        """The server's share of the schedule, of one length each."""
        late_ms = round(self.plan.late_seconds * 1000)
        return Faults(script=server_script(self.world.schedule), late_ms=(late_ms, late_ms), delay_ms=(1500, 1500))

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    def posted(self) -> Any:
        self.doorkeeper = Doorkeeper(super().posted(), self)
        return self.doorkeeper

    def is_order(self, path: str) -> bool:
        """Whether a request to this path is an order."""
        return False

    def is_cancel(self, path: str) -> bool:
        return False

    def order_came(self, number: int) -> None:
        """The request of an order is here; the venue has not seen it yet."""
        strike = self.plan.strike
        if strike is not None and strike.order == number:
            self.world.loop.call_later(strike.seconds, self._play, strike)

    def _play(self, strike: Strike) -> None:
        self.world.trace(f"strike {strike.what}")
        self.rehearsal.struck = True
        self.let_fall()
        if strike.what == "session":
            self.lose_session()
            self.world.loop.call_later(strike.down_seconds, self.session_back)
            return
        self.world.network.drop_port(self.port)
        self.restart()
        self.world.loop.call_later(strike.down_seconds, self.world.network.restore_port, self.port)

    def restart(self) -> None:
        """The server starts anew."""
        self.venue.restart()

    def lose_session(self) -> None:
        """What we are to the venue ends."""

    def session_back(self) -> None:
        """What only a person can bring back is back."""

    def accepted(self) -> None:
        """An order of ours was accepted."""
        if self.plan.strike is None and not self.fallen:
            self.let_fall()

    def let_fall(self) -> None:
        """The price may fall now, if the plan wants it to."""
        if self.plan.fall_before is None:
            return
        self.fallen = True
        before_ns, now_ns, exchange = round(self.plan.fall_before * SECOND_NS), self.clock.now_ns, self.venue.exchange
        tick_ns = exchange.board(exchange.stock(self.code).board.name).interval_ns
        fall_ns = (now_ns + before_ns) // tick_ns * tick_ns + tick_ns - before_ns
        self.world.loop.call_later((fall_ns - now_ns) / SECOND_NS, self._fall)

    def _fall(self) -> None:
        now_ns, exchange = self.clock.now_ns, self.venue.exchange
        price = exchange.quote(self.code, now_ns).bid * FALLEN
        tick = exchange.stock(self.code).tick(price)
        exchange.set_price(self.code, round(round(price / tick) * tick, 4), now_ns)

    def person_buys(self, lots: int) -> None:
        """A person buys by hand, on the same account, what we trade, as the plan has it."""

    def gift(self, lots: int) -> None:
        """Shares of what we trade turn up, and no list says where they come from."""

    async def errand(self, run: LiveRun) -> None:
        """Nobody accepts anything while it trades."""

    async def quiet(self, run: LiveRun) -> None:
        """Nobody tidies up: what works at the end works on both sides. What nothing explained is accepted."""
        latch = run.core.view.latches.get(f"account:{self.account_id}")
        self.rehearsal.latched = latch is not None and latch.who == "reconciliation"
        if self.rehearsal.latched:
            accept(run.core, self.account_id, "person", "seen at the venue")
            assert not run.core.view.latches

    # --- the engine ---------------------------------------------------------------------------------------------------

    def spec(self) -> LiveSpec:
        spec = super().spec()
        (account, first), *_ = spec.strategies
        make: Callable[[], Strategy] = lambda: Wisher(self.plan.wishes, self.rehearsal.heard, self.accepted)  # noqa: E731
        wisher = StrategySpec(name=NAME, make=make, instruments=first.instruments[:1])
        limits = tuple(limit for limit in spec.limits if type(limit).__name__ not in self.plan.unchecked)
        return msgspec.structs.replace(spec, strategies=((account, wisher),), limits=limits)

    # --- the verdict --------------------------------------------------------------------------------------------------

    def theirs(self) -> Account:
        """The account as the venue has it."""
        raise NotImplementedError

    def worth_slack(self, filled: int) -> Decimal:
        """By how much the value of what an order filled may differ, where the venue rounds its prices or has none."""
        return Decimal(0)

    @property
    def scenario_holds(self) -> bool:
        """Whether the verdict of the chaos flights holds here too."""
        return True

    def compare(self, run: LiveRun) -> None:
        """Equal to the cent and to the share, each order of ours there once, and as we believe."""
        self.rehearsal.run = run
        account = self.rehearsal.account = self.theirs()
        book = run.core.portfolio.accounts[self.account_id]
        positions = {str(i): p.quantity for i, p in book.positions.items() if p.quantity}
        if positions != account.positions:
            self.accuse(f"positions: {positions} with us, {account.positions} at the venue")
        if book.cash[book.currency] != account.cash:
            self.accuse(f"cash: {book.cash[book.currency]} with us, {account.cash} at the venue")
        most = max(self.doorkeeper.calls.values())
        if most > CALLS_MAX:
            self.accuse(f"flood: {most} requests within ten seconds")
        for order in account.orders:
            if order.client_id and order.client_id not in run.core.manager.orders:
                self.accuse(f"orders: the venue has {order.client_id}, which we do not know")
        for name, known in run.core.manager.orders.items():
            found = [order for order in account.orders if order.client_id == name]
            if len(found) > 1:
                self.accuse(f"orders: {name} is there {len(found)} times")
            filled, live = sum(order.filled for order in found), any(order.live for order in found)
            worth = sum((order.value for order in found), Decimal(0))
            if known.cum != filled or abs(known.value - worth) > self.worth_slack(filled):
                self.accuse(f"orders: {name} filled {known.cum} for {known.value} with us, {found} at the venue")
            if live is (known.state in TERMINAL) or known.state in (OrderState.UNKNOWN, OrderState.DISPUTED):
                self.accuse(f"orders: {name} is {known.state} with us, {found} at the venue")
        self.flight.checked["accounts"] += 1
        if self.scenario_holds:
            super().compare(run)


def rehearsed(kind: type[Stage], plan: Plan, seed: int = SEED) -> Landing:
    """Fly a plan over a stage."""
    rehearsal = Rehearsal(plan)
    outcome, flight = flown_in(type(kind.__name__, (kind,), {"rehearsal": rehearsal}), seed, plan.schedule)
    accusations = list(flight.accusations)
    if not flight.checked["accounts"] or rehearsal.run is None:
        raise AssertionError(f"the flight did not land: {accusations}")
    stage, orders = rehearsal.stage, rehearsal.account.orders
    names = list(rehearsal.run.core.manager.orders)
    return Landing(
        accusations=accusations,
        heard=[rehearsal.heard[name] for name in rehearsal.heard],
        states=[rehearsal.run.core.manager.orders[name].state for name in names],
        ours=[[order for order in orders if order.client_id == name] for name in names],
        strangers=[order for order in orders if not order.client_id],
        external=stage.watcher.found,
        external_cash=stage.watcher.external_cash,
        latched=rehearsal.latched,
        alerts=stage.watcher.alerts,
        requests=stage.doorkeeper.orders,
        cancels=stage.doorkeeper.cancels,
        fired=outcome.fired,
        struck=rehearsal.struck,
        gateway=type(rehearsal.run.gateways[stage.gateway]),
        lines=outcome.lines,
    )
