"""Builders for tests that trade: a live run against the simulated virtual market over real sockets."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from engine.clock import LiveClock
from engine.domain.events import Alert, Fill, OrderDenied
from engine.domain.ids import AccountId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.timestamps import parse_time
from engine.entropy import Entropy
from engine.gateways.stream.adapter import Stream
from engine.gateways.surroundings import Surroundings
from engine.gateways.virtual_market.adapter import VirtualMarket
from engine.journal.sqlite import SqliteJournal
from engine.markets.virtual import Virtual
from engine.ports import Journal
from engine.risk.profiles import limits_for
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.live import AccountSpec, LiveRun, LiveSpec
from engine.runtime.recording import Recorder
from engine.runtime.safety_settings import Safety
from engine.runtime.turns import Turns
from engine.simulators.faults import Faults, Trigger
from engine.simulators.virtual_market import VirtualMarketSimulator
from engine.strategy import Strategy
from tests.simulator_builders import running

ACCOUNT = AccountId("game")
MORNING_NS = parse_time("2026-03-02T09:57:00+08:00")
DEADLINE_SECONDS = 30.0


class TradingPlace:
    """A simulated market and what trades on it; ``ledger`` is what really happened."""

    def __init__(self, *, speed: float, faults: Sequence[Trigger] = (), **settings: Any) -> None:
        self.clock = LiveClock(speed=speed, start_ns=MORNING_NS)
        self.simulator = VirtualMarketSimulator(
            seed=5, faults=Faults(script=tuple(faults)), **{"rate_limits": "off", **settings}
        )
        self.app = self.simulator.app(self.clock, Entropy(5))
        self.ledger = self.app.state.venue.ledger
        self.user = self.simulator.users[0]
        self.url = ""
        self.fills: list[Fill] = []
        self.alerts: list[Alert] = []
        self.denied: list[OrderDenied] = []

    def trades(self) -> list[Any]:
        return list(self.ledger.trades(self.user.login))

    def run(
        self,
        strategies: Sequence[type[Strategy]],
        journal: Path | Journal,
        *,
        prices: str = "",
        bars_ns: int = 0,
        safety: Safety | None = None,
        recorder: Recorder | None = None,
        **risk: Any,
    ) -> LiveRun:
        """A live run over this place; each strategy is named after its class.

        Args:
            prices: where a stream of prices is served; it is asked before the market's own.
            bars_ns: which bars the strategies want.
            recorder: who writes it down.
        """
        ids = tuple(InstrumentId(f"{stock.code}.VSM") for stock in self.simulator.stocks)
        instruments = {
            name: Instrument(id=name, kind=InstrumentKind.GAME, market="virtual", currency="COIN") for name in ids
        }
        environ = {"SLUICE_VM_USER": self.user.login, "SLUICE_VM_PASSWORD": self.user.password}
        around = Surroundings(clock=self.clock, entropy=Entropy(6), environ=environ)
        gateway = VirtualMarket(base_url=self.url, account=ACCOUNT, timeout="30s").open(around)
        gateways: dict[str, Any] = {"market": gateway}
        if prices:
            gateways = {"prices": Stream(url=prices, stale="5m").open(around), **gateways}
        spec = LiveSpec(
            accounts=(AccountSpec(id=ACCOUNT, gateway="market", currency="COIN"),),
            strategies=tuple(
                (
                    ACCOUNT,
                    StrategySpec(
                        name=StrategyId(kind.__name__), make=kind, instruments=ids[:1], bar_interval_ns=bars_ns
                    ),
                )
                for kind in strategies
            ),
            instruments=instruments,
            books={"virtual": Virtual()},
            limits=limits_for("paper", {"duplicate_order": {"window": "1ms"}, **risk}),
            mode="test",
            safety=safety or Safety(),
        )
        watchers = ((Fill, self.fills.append), (Alert, self.alerts.append), (OrderDenied, self.denied.append))
        return LiveRun(
            spec,
            clock=self.clock,
            journal=SqliteJournal(journal) if isinstance(journal, Path) else journal,
            gateways=gateways,
            watchers=watchers,
            turns=Turns(self.clock, recorder),
        )


@asynccontextmanager
async def a_trading_place(
    *, speed: float = 600, faults: Sequence[Trigger] = (), **settings: Any
) -> AsyncIterator[TradingPlace]:
    place = TradingPlace(speed=speed, faults=faults, **settings)
    async with running(place.app) as url:
        place.url = url
        yield place


async def trade_until(run: LiveRun, done: Callable[[], bool]) -> None:
    """Run until ``done()``, then stop in good order; fails past the deadline."""

    async def watch() -> None:
        while not (run.ready.is_set() and done()):  # noqa: ASYNC110 - the condition is any state of the run
            await anyio.sleep(0.005)
        run.stop("test done")

    with anyio.fail_after(DEADLINE_SECONDS):
        await run.run(observe=watch)
    run.journal.close()
