"""What outlives the engine's lives in a flight: the venue, its witness, the journal's file, and when things are due.

A hangar holds one venue. ``all_scenario`` joins several in one world: each is then a *bay* of the whole, has its venue,
gateway, strategies and verdict, and shares the whole's world, journal, clock and watcher.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct

from engine.chaos.edge import Edge
from engine.chaos.faults import ServerFault
from engine.chaos.mishaps import SkewFault
from engine.chaos.verdict import PRICE_AGE_NS, Watcher
from engine.chaos.wide import WIDE
from engine.chaos.witness import JournalFile, Witness
from engine.chaos.world import World
from engine.clock import Clock, LiveClock
from engine.domain.commands import SubmitOrder
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.order import Order
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.markets.rulebook import RuleBook
from engine.ports import Gateway
from engine.risk.profiles import limits_for
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.live import AccountSpec, LiveRun, LiveSpec
from engine.simulators.faults import Trigger

Maker = Any
"""Makes a strategy from its seed."""


class Flight(Struct, kw_only=True):
    """What one flight showed. ``accusations``: promises broken, each beginning with the invariant's name."""

    seed: int
    accusations: list[str]
    checked: Counter[str]
    """What was compared, and how often: a flight that checked nothing has failed."""
    crashes: int = 0
    lines: list[str] = []


class Hangar:
    """The frame of a flight over one venue; the venue's own are ``market``, ``open``, ``booked`` and ``compare``."""

    hurt_seconds: float = 3000.0
    fly_seconds: float = 4500.0
    starts: tuple[str, ...] = ()
    port: int = 0
    gateway = ""
    """Key of the gateway in the run."""
    account_name: AccountId
    currency = ""
    drill_seconds_max = 900.0
    """How long an operator's halt may last."""
    price_age_ns = PRICE_AGE_NS
    orders_per_minute = 10
    caps: ClassVar[Mapping[str, Any]] = {}
    """The limits that differ from the profile's."""
    max_position = 0
    armed = False
    """Whether the account is a real one, as far as the engine knows."""
    in_turn = True
    """Whether the venue takes one order at a time."""
    watcher: Watcher
    """The whole's, in a bay."""
    traders: ClassVar[tuple[Maker, ...]] = ()
    polls: ClassVar[Mapping[str, str]] = {}
    """Settings of the gateway's polling."""

    def __init__(self, world: World, place: Path, whole: "Hangar | None" = None) -> None:
        self.world = world
        self.whole = whole
        if whole is None:
            self.flight = Flight(seed=world.seed, accusations=[], checked=Counter())
            self.path = place / "journal.sqlite3"
            self.file = JournalFile(self.path)
            draw = world.entropy.stream("chaos/scenario")
            self.start_ns = parse_time(draw.choice(self.starts))
            self.latch_seconds = draw.uniform(300, self.hurt_seconds) if draw.random() < 0.1 else None
            self.clear_seconds = (self.latch_seconds or 0) + draw.uniform(60, self.drill_seconds_max)
            self.operations = 0
            """How many of the operator's two acts are done."""
            self.clock = world.clock(start_ns=self.start_ns)
        else:
            self.flight, self.path, self.file = whole.flight, whole.path, whole.file
            self.start_ns, self.latch_seconds = whole.start_ns, None
            self.orders_per_minute, self.max_position = whole.orders_per_minute, whole.max_position
            self.clock = self._skewed(whole.clock)
        self.landing = False
        """Whether the operator has stopped everything for the end: no drill may let it go on."""
        self.life = 0
        """Which of the engine's lives this is."""
        self.run: LiveRun | None = None
        self.furnish()

    def furnish(self) -> None:
        """The venue, who stands before it, and who watches the engine."""
        self.app = self.market()
        self.venue = self.app.state.venue
        self.witness = self.posted()
        if self.whole is None:
            self.watcher = self.watch()

    def watch(self) -> Watcher:
        """Who hears every outcome."""
        return Watcher(self.accuse, self.flight.checked, self.world.trace, self.booked, self.price_age_ns)

    def _skewed(self, clock: LiveClock) -> LiveClock:
        """The venue's own clock, where the schedule sets it wrong (row C2f)."""
        skew = next((f for f in self.world.schedule if isinstance(f, SkewFault) and f.port == self.port), None)
        if skew is None:
            return clock
        self.world.network.note(skew)
        return self.world.clock(start_ns=self.start_ns + round(skew.seconds * SECOND_NS))

    # --- the venue ---------------------------------------------------------------------------------------------------

    def market(self) -> Any:
        """The venue's app, with its share of the schedule."""
        raise NotImplementedError

    def server_share(self) -> tuple[Trigger, ...]:
        """The simulator's share of the schedule, in its own form."""
        return tuple(
            Trigger(call=fault.call, fault=fault.kind, route=fault.route)
            for fault in self.world.schedule
            if isinstance(fault, ServerFault) and fault.port in (0, self.port)
        )

    def carries_order(self, path: str) -> bool:
        """Whether a request to this path is an order."""
        raise NotImplementedError

    def posted(self) -> Any:
        """The witness before the app."""
        return Witness(
            Edge(self.app, self.world, self.port, self.carries_order),
            self.file,
            lambda: self.clock.now_ns,
            self.accuse,
            self.orders_per_minute,
            carries_order=self.carries_order,
            in_turn=self.in_turn,
        )

    def served(self) -> dict[int, Any]:
        """Port -> app: everything that is served in this world."""
        return {self.port: self.witness, **self.servers()}

    def servers(self) -> dict[int, Any]:
        """Port -> app: what else is served beside the venue."""
        return {}

    def open(self, clock: Clock, entropy: Entropy) -> Gateway:
        """The gateway of one life."""
        raise NotImplementedError

    def gateways(self, clock: Clock, entropy: Entropy) -> dict[str, Gateway]:
        """All gateways of one life, by their keys in the run."""
        return {self.gateway: self.open(clock, entropy)}

    def booked(self, client_id: ClientOrderId) -> bool:
        """Whether the venue has booked a request of this order."""
        raise NotImplementedError

    def compare(self, run: LiveRun) -> None:
        """What the run believes against what the venue knows."""
        raise NotImplementedError

    def orders(self, run: LiveRun) -> dict[ClientOrderId, Order]:
        """The run's orders of this venue's account."""
        found = run.core.manager.orders.items()
        return {name: order for name, order in found if order.request.account == self.account_name}

    def cap_of(self, order: SubmitOrder) -> int:
        """The largest position an order could be let through for, when it was."""
        if self.whole is not None:
            return self.whole.cap_of(order)
        return self.max_position

    def over(self, order: Order, lag_ns: int) -> bool:
        """Whether nothing more of an order can come from the venue, nor has for ``lag_ns``; False: nobody can tell."""
        return False

    async def errand(self, run: LiveRun) -> None:
        """What people ask of the venue beside trading."""

    async def quiet(self, run: LiveRun) -> None:
        """What an operator does before the end."""

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self.venue.faults.script.clear()
        if self.whole is None:
            self.world.heal()
            self.world.trace("healed")

    def requests(self) -> int:
        """Orders' requests that arrived whole."""
        count: int = self.witness.requests
        return count

    def count_faults(self) -> None:
        """What the simulator played, into the run's counters."""
        self.world.network.fired.update({f"server.{kind.value}": n for kind, n in self.venue.faults.fired.items()})

    def accuse(self, text: str) -> None:
        """Somebody broke a promise."""
        if text not in self.flight.accusations:
            self.flight.accusations.append(text)
            self.world.trace(f"accused {text}")

    # --- the engine --------------------------------------------------------------------------------------------------

    def accounts(self) -> tuple[AccountSpec, ...]:
        return (AccountSpec(id=self.account_name, gateway=self.gateway, currency=self.currency),)

    def instruments(self) -> dict[InstrumentId, Instrument]:
        raise NotImplementedError

    def books(self) -> dict[str, RuleBook]:
        raise NotImplementedError

    def strategies(self) -> tuple[tuple[AccountId, StrategySpec], ...]:
        ids, alone = tuple(self.instruments()), self.whole is None
        return tuple(
            (
                self.account_name,
                StrategySpec(
                    name=StrategyId(kind.__name__.lower() if alone else f"{self.gateway}_{kind.__name__.lower()}"),
                    make=lambda kind=kind, n=n: kind(seed=self.world.seed * 10 + n),  # type: ignore[misc]
                    instruments=ids,
                ),
            )
            for n, kind in enumerate(self.traders)
        )

    def spec(self) -> LiveSpec:
        return LiveSpec(
            accounts=self.accounts(),
            strategies=self.strategies(),
            instruments=self.instruments(),
            books=self.books(),
            limits=limits_for("paper", {**WIDE, **self.caps}),
            mode="simulation",
            armed=self.armed,
            threads=False,
        )
