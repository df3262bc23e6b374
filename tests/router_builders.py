"""Short flights over every venue with an order side: one strategy, a few wishes, one thing that goes wrong.

A flight is one of ``engine.chaos`` (the whole engine, real bytes, virtual time), over a *stage*: the venue's hangar
with a strategy that does as the plan says and keeps what it hears, and a verdict that is the same for all venues.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct

from engine.chaos.desktop_scenario import HandWatcher
from engine.chaos.faults import Schedule, server_script
from engine.chaos.scenario import Hangar, flown_in
from engine.domain.events import Alert, Fill, OrderAccepted, OrderDenied, OrderEvent, PositionAdjusted
from engine.domain.ids import AccountId, ClientOrderId, StrategyId
from engine.domain.market import Quote
from engine.domain.order import TERMINAL, OrderState
from engine.domain.timestamps import SECOND_NS
from engine.runtime.backtest import StrategySpec
from engine.runtime.live import LiveRun, LiveSpec
from engine.simulators.faults import Faults
from engine.strategy import Strategy

SEED = 2
NAME = StrategyId("wisher")
PLENTY = 2_000_000
PERSON_LOTS = 2
THROUGH, AWAY, FALLEN = 1.005, 0.985, 0.97
"""Times the ask, the bid, and the bid again."""
CALLS_MAX = 60
"""In ten seconds; more are a flood. A start needs thirty, the busiest reading two a second."""
SETTLE_SECONDS = 20.0
"""Before the end nothing goes wrong any more."""


class Wish(Struct, frozen=True, kw_only=True):
    """One order to buy.

    Args:
        at_seconds: when, after the strategy started; it waits for the next price.
        struck: not before what the plan's ``strike`` says has happened.
        place: ``market``, ``through`` the ask, or ``away`` from the market, where it rests.
        cancel: seconds until it is wanted back; None: never. cancel_on: or what brings that about: its first ``fill``,
            a price that has ``reached`` it, or the next one that does after that one (``passed``).
    """

    at_seconds: float = 5.0
    struck: bool = False
    lots: int = 1
    place: Literal["market", "through", "away"] = "through"
    cancel: float | None = None
    cancel_on: Literal["", "fill", "reached", "passed"] = ""


class Strike(Struct, frozen=True, kw_only=True):
    """Something happens to the venue ``seconds`` after the request of the ``order``-th order (from 1) came in.

    Args:
        what: ``restart``: the server starts anew. ``session``: our session there ends, or the client behind it does.
        down_seconds: how long that lasts.
    """

    what: Literal["restart", "session"]
    seconds: float
    order: int = 1
    down_seconds: float = 5.0


class Plan(Struct, frozen=True, kw_only=True):
    """One flight: what the strategy wants, and what becomes of it.

    Args:
        cash: of the account; None: plenty. partial: chance of a match to fill a part only.
        seconds: how long the strategy runs.
        tick_seconds: between two prices, where the venue lets choose. late_seconds: how late a late answer is.
        unchecked: our own limits that are left out, so that the venue has to say it.
        fall_before: once an order was accepted, or, where there is one, the ``strike`` has come, the price falls below
            what rests ``away``, so many seconds before the next tick: at that tick it is filled.
        person: when somebody gives an order for two lots of the same by hand, on the same account; it ``person_rests``
            far from the price, or fills at once.
        account_poll: how often the game's account is read.
        more: settings of the venue's simulator.
    """

    wishes: tuple[Wish, ...] = (Wish(),)
    schedule: Schedule = ()
    strike: Strike | None = None
    seconds: float = 90.0
    cash: int | None = None
    partial: float = 0.0
    tick_seconds: float | None = None
    late_seconds: float = 45.0
    unchecked: frozenset[str] = frozenset()
    fall_before: float | None = None
    person: float | None = None
    person_rests: bool = False
    account_poll: str = "90s"
    more: dict[str, Any] = {}


class Heard(Struct, kw_only=True):
    """What the strategy heard of one order, as words (``accepted``, ``fill 100``, ``cancel asked``), in order."""

    words: list[str] = []
    reasons: list[str] = []
    cancel_ns: int = 0
    """When it wanted it back."""

    @property
    def filled(self) -> int:
        """What it heard of fills, summed up."""
        return sum(int(word.removeprefix("fill ")) for word in self.words if word.startswith("fill "))

    @property
    def story(self) -> list[str]:
        """The words without acceptance, which a fill proves as well, and without how many parts came."""
        words = ["filled" if word.startswith("fill ") else word for word in self.words if word != "accepted"]
        return [word for number, word in enumerate(words) if word != "filled" or word not in words[:number]]


class Wisher(Strategy):
    """Buys what it wishes for, once, wants some of it back, and keeps what it hears."""

    def __init__(self, rehearsal: "Rehearsal") -> None:
        super().__init__()
        self.rehearsal = rehearsal
        self.wishes = list(rehearsal.plan.wishes)
        self.heard = rehearsal.heard
        self.made: dict[ClientOrderId, tuple[Wish, int, float]] = {}
        self.reached: set[ClientOrderId] = set()

    def on_start(self) -> None:
        self.start_ns = self.now_ns
        if any(wish.cancel is not None for wish in self.wishes):
            self.every("1s", self.look)

    def look(self) -> None:
        """Whether one of them was wanted long enough."""
        for name, (wish, since_ns, _) in self.made.items():
            if wish.cancel is not None and self.now_ns - since_ns >= wish.cancel * SECOND_NS:
                self.want_back(name)

    def on_quote(self, quote: Quote) -> None:
        if quote.instrument != self.instruments[0]:
            return
        for name, (wish, _, price) in self.made.items():
            if wish.cancel_on in ("reached", "passed") and quote.bid < price:
                if wish.cancel_on == "reached" or name in self.reached:
                    self.want_back(name)
                self.reached.add(name)
        while self.wishes and self.is_time(self.wishes[0]):
            self.give(self.wishes.pop(0), quote)

    def is_time(self, wish: Wish) -> bool:
        """Whether it may be given."""
        waited = self.now_ns - self.start_ns >= wish.at_seconds * SECOND_NS
        return waited and (self.rehearsal.struck or not wish.struck)

    def give(self, wish: Wish, quote: Quote) -> None:
        """One order, at a price that does what the wish says."""
        spec = self.ctx.catalogue[quote.instrument]
        raw = {"through": quote.ask * THROUGH, "away": quote.bid * AWAY}.get(wish.place)
        price = None if raw is None else spec.round_price(raw)
        name = self.buy(quote.instrument, wish.lots * spec.lot, price)
        self.heard.setdefault(name, Heard())
        self.made[name] = (wish, self.now_ns, float(price or 0))

    def want_back(self, name: ClientOrderId) -> None:
        """Ask once."""
        heard = self.heard[name]
        if not heard.cancel_ns and any(order.client_id == name for order in self.working_orders()):
            heard.cancel_ns = self.now_ns
            heard.words.append("cancel asked")
            self.cancel(name)

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        heard = self.heard.setdefault(event.client_id, Heard())
        heard.words.append(word_of(event))
        heard.reasons.append(event.reason)
        if isinstance(event, OrderAccepted):
            self.rehearsal.stage.accepted()

    def on_fill(self, fill: Fill) -> None:
        self.heard[fill.client_id].words.append(f"fill {fill.quantity}")
        if self.made[fill.client_id][0].cancel_on == "fill":
            self.want_back(fill.client_id)


def word_of(event: OrderEvent | OrderDenied) -> str:
    """``OrderNotPlaced`` -> ``not placed``."""
    name = type(event).__name__.removeprefix("Order")
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


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
    worth_slack = Decimal(0)
    """By how much an order's value may differ, where the venue tells no price of what was filled without an answer."""
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
        return Doorkeeper(super().posted(), self)

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

    async def quiet(self, run: LiveRun) -> None:
        """Nobody tidies up: what works at the end works on both sides."""

    # --- the engine ---------------------------------------------------------------------------------------------------

    def spec(self) -> LiveSpec:
        spec = super().spec()
        (account, first), *_ = spec.strategies
        make: Callable[[], Strategy] = lambda: Wisher(self.rehearsal)  # noqa: E731
        wisher = StrategySpec(name=NAME, make=make, instruments=first.instruments[:1])
        limits = tuple(limit for limit in spec.limits if type(limit).__name__ not in self.plan.unchecked)
        return msgspec.structs.replace(spec, strategies=((account, wisher),), limits=limits)

    # --- the verdict --------------------------------------------------------------------------------------------------

    def theirs(self) -> Account:
        """The account as the venue has it."""
        raise NotImplementedError

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
        if max(self.witness.calls.values()) > CALLS_MAX:
            self.accuse(f"flood: {max(self.witness.calls.values())} requests within ten seconds")
        for order in account.orders:
            if order.client_id and order.client_id not in run.core.manager.orders:
                self.accuse(f"orders: the venue has {order.client_id}, which we do not know")
        for name, known in run.core.manager.orders.items():
            found = [order for order in account.orders if order.client_id == name]
            if len(found) > 1:
                self.accuse(f"orders: {name} is there {len(found)} times")
            filled, live = sum(order.filled for order in found), any(order.live for order in found)
            worth = sum((order.value for order in found), Decimal(0))
            if known.cum != filled or abs(known.value - worth) > self.worth_slack:
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
        alerts=stage.watcher.alerts,
        requests=stage.witness.orders,
        cancels=stage.witness.cancels,
        fired=outcome.fired,
        struck=rehearsal.struck,
        gateway=type(rehearsal.run.gateways[stage.gateway]),
        lines=outcome.lines,
    )
