"""A broker that is down keeps nobody else from trading, and is taken in when it comes (the daemon's patience)."""

from typing import Any

import anyio

from engine.domain.errors import ConfigError, GatewayError
from engine.domain.events import Alert
from engine.domain.ids import AccountId, StrategyId
from engine.entropy import Entropy
from engine.gateways.surroundings import Surroundings
from engine.gateways.virtual_market.adapter import VirtualMarket
from engine.journal.memory import MemoryJournal
from engine.markets.virtual import Virtual
from engine.risk.profiles import limits_for
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.live import AccountSpec, LiveRun, LiveSpec
from engine.strategy import Strategy
from tests.live_builders import DEADLINE_SECONDS, TradingPlace, a_trading_place

GOOD, LATE = AccountId("good"), AccountId("late")


class BuysOnce(Strategy):
    """One order at the first bar of its instrument, then one each time it was denied."""

    def on_bar(self, bar: Any) -> None:
        if not self.working_orders() and not self.position(bar.instrument):
            self.buy(bar.instrument, 10)


class Doorman:
    """A gateway that does not answer before it is let in; with ``error`` it refuses for good."""

    def __init__(self, gateway: Any, error: Exception | None = None) -> None:
        self._gateway = gateway
        self.error: Exception | None = error or GatewayError("nobody answers")
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    async def connect(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error
        await self._gateway.connect()


def a_run_of_two(first: TradingPlace, second: TradingPlace, error: Exception | None = None) -> tuple[LiveRun, Doorman]:
    """Two accounts at two places, one strategy each; the second place is behind a doorman."""
    instruments, gateways = {}, {}
    for name, place in (("one", first), ("two", second)):
        environ = {"SLUICE_VM_USER": place.user.login, "SLUICE_VM_PASSWORD": place.user.password}
        around = Surroundings(clock=first.clock, entropy=Entropy(6), environ=environ)
        account = GOOD if name == "one" else LATE
        gateways[name] = VirtualMarket(
            base_url=place.url,
            account=account,
            timeout="30s",
            instruments=("CY.VSM",) if name == "one" else ("DL.VSM",),
        ).open(around)
    from engine.domain.ids import InstrumentId
    from engine.domain.instrument import Instrument, InstrumentKind

    for code in ("CY.VSM", "DL.VSM"):
        name = InstrumentId(code)
        instruments[name] = Instrument(id=name, kind=InstrumentKind.GAME, market="virtual", currency="COIN")
    spec = LiveSpec(
        accounts=(
            AccountSpec(id=GOOD, gateway="one", currency="COIN"), AccountSpec(id=LATE, gateway="two", currency="COIN")
        ),
        strategies=(
            (GOOD, StrategySpec(name=StrategyId("a"), make=BuysOnce, instruments=(InstrumentId("CY.VSM"),))),
            (LATE, StrategySpec(name=StrategyId("b"), make=BuysOnce, instruments=(InstrumentId("DL.VSM"),))),
        ),
        instruments=instruments,
        books={"virtual": Virtual()},
        limits=limits_for("paper", {"duplicate_order": {"window": "1ms"}, "price_collar": {"max_age": "30m"}}),
        mode="test",
    )  # fmt: skip
    door = Doorman(gateways["two"], error)
    watchers = ((Alert, first.alerts.append),)
    both: dict[str, Any] = {"one": gateways["one"], "two": door}
    run = LiveRun(spec, clock=first.clock, journal=MemoryJournal(), gateways=both, watchers=watchers)
    run.patience_seconds = 0.5
    return run, door


async def until(done: Any) -> None:
    while not done():  # noqa: ASYNC110 - the condition is any state of the run
        await anyio.sleep(0.01)


async def test_the_others_trade_and_the_late_one_is_taken_in_when_it_comes() -> None:
    """One of two brokers answers: its account trades at once, the other's orders are denied; it comes: they trade."""
    async with a_trading_place() as first, a_trading_place() as second:
        run, door = a_run_of_two(first, second)

        async def story() -> None:
            await until(lambda: bool(first.trades()))
            assert second.trades() == []
            blocked = run.core.view.readiness.not_ready
            assert [scope for scope in blocked if "late" in scope] == ["account:late reconciliation"]
            assert any("is not there yet" in alert.text for alert in first.alerts)
            door.error = None
            await until(lambda: bool(second.trades()))
            run.stop("done")

        with anyio.fail_after(DEADLINE_SECONDS):
            await run.run(observe=story)
        assert any("has come" in alert.text for alert in first.alerts)
        assert len(first.trades()) == len(second.trades()) == 1


async def test_one_that_refuses_the_login_is_not_asked_again() -> None:
    """A wrong password: asked once, said once, and the other account trades."""
    async with a_trading_place() as first, a_trading_place() as second:
        run, door = a_run_of_two(first, second, ConfigError("the password is wrong"))

        async def story() -> None:
            await until(lambda: bool(first.trades()))
            run.stop("done")

        with anyio.fail_after(DEADLINE_SECONDS):
            await run.run(observe=story)
        assert door.asked == 1
        assert any("not asked again" in alert.text for alert in first.alerts)
        assert second.trades() == []
