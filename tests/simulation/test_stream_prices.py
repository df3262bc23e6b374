"""A strategy that trades one venue on prices pushed by another."""

from pathlib import Path

from engine import Bar, Strategy
from engine.domain.timestamps import MINUTE_NS
from engine.entropy import Entropy
from engine.simulators.stream import StreamSimulator
from tests.live_builders import ACCOUNT, a_trading_place, trade_until
from tests.simulator_builders import running


class BuysOnABar(Strategy):
    """Buys ten once; a bar that came stale (a busy machine, at 600 times the speed) is denied, the next one asks."""

    def on_start(self) -> None:
        self.bars: list[Bar] = []

    def on_bar(self, bar: Bar) -> None:
        self.bars.append(bar)
        if not self.position(bar.instrument) and not self.working_orders():
            self.buy(bar.instrument, 10)


async def test_bars_pushed_over_a_websocket_make_orders_at_the_market(tmp_path: Path) -> None:
    """``bars = "5m"`` in the config asks the stream for five-minute bars; the order goes to the virtual market."""
    async with a_trading_place() as place:
        stream = StreamSimulator().app(place.clock, Entropy(1), exchange=place.app.state.venue.exchange)
        async with running(stream) as url:
            address = url.replace("http", "ws") + "/stream"
            run = place.run([BuysOnABar], tmp_path / "journal.sqlite3", prices=address, bars_ns=5 * MINUTE_NS)
            await trade_until(run, lambda: bool(place.fills))
            heard = run.core.runner.seats["BuysOnABar"].strategy.bars  # type: ignore[index]
            assert {bar.interval_ns for bar in heard} == {5 * MINUTE_NS}
            assert all(bar.ts_ns % (5 * MINUTE_NS) == 0 for bar in heard)
            assert [trade.quantity for trade in place.trades()] == [10]
            assert run.core.portfolio.accounts[ACCOUNT].cash["COIN"] == place.ledger.coins(place.user.login)
