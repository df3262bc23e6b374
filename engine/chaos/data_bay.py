"""The data platform in a flight over everything: polled bars, work on its cache, a token that ends in mid-flight.

It has no account. What is promised of it: a bar comes once a life and in order; work on the cache that was asked for
in the calm is done.
"""

from datetime import date
from typing import Any

import anyio

from engine.chaos.edge import Edge
from engine.chaos.hangar import Hangar
from engine.clock import Clock
from engine.domain.errors import GatewayError
from engine.domain.ids import AccountId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.entropy import Entropy
from engine.gateways.amazingdata.adapter import AmazingData
from engine.gateways.amazingdata.client import Scope, Work
from engine.gateways.surroundings import Surroundings
from engine.markets.rulebook import RuleBook
from engine.ports import Gateway
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.live import AccountSpec, LiveRun
from engine.simulators.amazingdata import AmazingDataSimulator
from engine.simulators.faults import Faults
from engine.strategy import Strategy

PORT = 8000
USER, PASSWORD = "admin", "admin123"
CODE = InstrumentId("601318.SH")
"""Nobody trades it: its bars come from here alone."""
WORK: Work = "fill-missing"
CALM_SECONDS = 10.0


class Reader(Strategy):
    """Keeps the bars it hears."""

    def on_start(self) -> None:
        self.subscribe(CODE, "bar", "1m")

    def on_bar(self, bar: Bar) -> None:
        self.heard(bar)

    heard: Any = None


class DataBay(Hangar):
    """The platform's part of the world."""

    port = PORT
    gateway = "data"
    account_name = AccountId("desk")
    """Whose strategy reads the bars."""

    def market(self) -> Any:
        self.bars: list[tuple[int, Bar]] = []
        draw = self.world.entropy.stream("chaos/data")
        simulator = AmazingDataSimulator(
            seed=self.world.seed,
            token_seconds=draw.choice((86_400, 90)),
            gaps=0.0,
            faults=Faults(script=self.server_share()),
        )
        app = simulator.app(self.clock, Entropy(self.world.seed), exchange=self.whole.exchange)  # type: ignore[union-attr]
        app.state.venue = app.state.platform
        return app

    def posted(self) -> Any:
        return Edge(self.app, self.world, self.port, self.carries_order)

    def carries_order(self, path: str) -> bool:
        return False

    def requests(self) -> int:
        return 0

    def open(self, clock: Clock, entropy: Entropy) -> Gateway:
        environ = {"SLUICE_AD_USER": USER, "SLUICE_AD_PASSWORD": PASSWORD}
        gateway: Any = AmazingData(
            base_url=f"http://127.0.0.1:{self.port}/api/v1", poll="60s", instruments=(str(CODE),)
        ).open(Surroundings(clock=clock, entropy=entropy, environ=environ))
        found: Gateway = gateway
        return found

    def accounts(self) -> tuple[AccountSpec, ...]:
        return ()

    def instruments(self) -> dict[InstrumentId, Instrument]:
        return {CODE: Instrument(id=CODE, market="china_a", currency="CNY", lot=100)}

    def books(self) -> dict[str, RuleBook]:
        return {}

    def strategies(self) -> tuple[tuple[AccountId, StrategySpec], ...]:
        def make() -> Reader:
            made = Reader()
            made.heard = self._hear
            return made

        return ((self.account_name, StrategySpec(name=StrategyId("reader"), make=make, instruments=())),)

    def _hear(self, bar: Bar) -> None:
        whole = self.whole
        assert whole is not None
        self.bars.append((whole.life, bar))

    async def errand(self, run: LiveRun) -> None:
        """Somebody has the platform fill its cache, once the faults have stopped."""
        whole, world = self.whole, self.world
        assert whole is not None
        await anyio.sleep(max(0.0, whole.hurt_seconds + CALM_SECONDS - world.loop.seconds))
        gateway: Any = run.gateways[self.gateway]
        scope = Scope(security_type="stock", start=date(2025, 11, 3), end=date(2025, 11, 7))
        try:
            await gateway.tasks.run(WORK, scope)
        except GatewayError as error:
            self.accuse(f"I7: the cache was not filled: {error}")
        self.flight.checked["cache tasks"] += 1

    def compare(self, run: LiveRun) -> None:
        """Every bar once a life, and in order."""
        checked = self.flight.checked
        for (life, bar), (before_life, before) in zip(self.bars[1:], self.bars, strict=False):
            if life == before_life and bar.ts_ns <= before.ts_ns:
                self.accuse(f"I3: the bar of {bar.ts_ns} came after that of {before.ts_ns}")
        checked["bars"] += len(self.bars)
