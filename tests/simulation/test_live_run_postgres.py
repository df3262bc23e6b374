"""A live run that keeps its journal on a PostgreSQL server, through a line that is cut (RELIABILITY 5.1, row S5)."""

from pathlib import Path

from engine.domain.events import KillLevel, OrderSent
from engine.strategy import Strategy
from tests.cutting_proxy import CuttingProxy
from tests.journal_builders import address_for, postgres_at
from tests.live_builders import ACCOUNT, a_trading_place, trade_until
from tests.postgres_server import the_server


class BuysEveryQuote(Strategy):
    """A hundred, again and again."""

    def on_quote(self, quote):  # type: ignore[no-untyped-def]
        self.buy(quote.instrument, 10)


async def test_trading_goes_on_over_lost_answers_and_a_new_life(tmp_path: Path) -> None:
    """The line is cut in mid-commit, trading goes on; a second run over the journal knows the first one's position."""
    line = CuttingProxy(the_server().port)
    place_of_journal = address_for(tmp_path, line.port)
    async with a_trading_place() as place:
        run = place.run([BuysEveryQuote], postgres_at(place_of_journal))
        cuts = iter([("answered", 0), ("asked", 30), ("answered", 3)])

        def done() -> bool:
            if len(place.fills) >= 2 and not line.accepted > 3 and (cut := next(cuts, None)) is not None:
                line.cut_after(*cut)  # type: ignore[arg-type]
            return len(place.fills) >= 6

        await trade_until(run, done)
        assert line.accepted > 1
        bought = len(place.trades())
        again = place.run([], postgres_at(place_of_journal))
        await trade_until(again, lambda: True)
        assert len(place.trades()) == bought
        held = [run.core.portfolio.accounts[ACCOUNT].positions, again.core.portfolio.accounts[ACCOUNT].positions]
        assert held[0]
        assert {name: position.quantity for name, position in held[0].items()} == {
            name: position.quantity for name, position in held[1].items()
        }
    line.close()


async def test_a_server_that_stays_away_ends_the_sending(tmp_path: Path) -> None:
    """No order leaves whose record is not durable: what the market got is what the journal has."""
    line = CuttingProxy(the_server().port)
    async with a_trading_place() as place:
        run = place.run([BuysEveryQuote], postgres_at(address_for(tmp_path, line.port), away_seconds=0.3))

        def done() -> bool:
            if len(place.fills) >= 2:
                line.refuse()
            return False

        await trade_until(run, done)
        assert "server is away for more than" in run.stop_reason
        assert run.core.view.latches["all"].level is KillLevel.HALT
        line.heal()
        journal = postgres_at(address_for(tmp_path), inline=True)
        sent = [record for _, record in journal.records() if isinstance(record, OrderSent)]
        journal.close()
        assert len(sent) >= len(place.trades()) >= 2
    line.close()
