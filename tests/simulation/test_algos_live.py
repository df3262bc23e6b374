"""A stop, a bracket and a TWAP over real sockets, at a market that knows market orders alone; and over a restart."""

from pathlib import Path

from engine import AlgoChanged, Quote, Strategy
from engine.domain.algos import AlgoEnded, AlgoStarted
from engine.domain.ids import StrategyId
from engine.journal.sqlite import SqliteJournal
from engine.simulators.faults import Fault, Trigger
from tests.live_builders import ACCOUNT, TradingPlace, a_trading_place, trade_until

FRESH = {"max_age": "1h"}
"""At this speed a busy machine is late by minutes of the market."""


class PlaysAll(Strategy):
    """A stop that is met at once, a bracket whose profit is met at once, and three parts over an hour and a half."""

    def on_start(self) -> None:
        self.made = False
        self.ended: list[str] = []

    def on_quote(self, quote: Quote) -> None:
        if not self.made:
            self.made = True
            name, price = quote.instrument, quote.bid
            self.buy(name, 10, stop=price * 0.9)
            self.bracket(name, 20, take_profit=price * 0.98, stop_loss=price * 0.5)
            self.twap(name, 90, "90m", slices=3)

    def on_algo(self, event: AlgoChanged) -> None:
        if event.state in ("filled", "canceled", "expired", "rejected"):
            self.ended.append(f"{event.name} {event.state} {event.filled}")


class Waits(Strategy):
    """Has begun a TWAP in its first life."""

    def on_start(self) -> None:
        self.told = 0

    def on_quote(self, quote: Quote) -> None:
        if not self.told and not self.position(quote.instrument) and not self.working_orders():
            self.told += 1
            self.twap(quote.instrument, 90, "90m", slices=3)


def bought(place: TradingPlace) -> int:
    return sum(trade.quantity for trade in place.trades() if trade.side == "buy")


async def test_a_stop_a_bracket_and_parts_trade_what_they_should_and_no_more(tmp_path: Path) -> None:
    """The exit leaves once the market lets sell what was bought; the venue's own ledger is what is counted."""
    async with a_trading_place(speed=900) as place:
        run = place.run([PlaysAll], tmp_path / "journal.sqlite3", price_collar=FRESH)
        seat = run.core.runner.seats
        await trade_until(
            run,
            lambda: bool(seat) and len(seat[StrategyId("PlaysAll")].strategy.ended) == 2,  # type: ignore[attr-defined]
        )
        sold = sum(trade.quantity for trade in place.trades() if trade.side == "sell")
        assert (bought(place), sold) == (120, 20)
        assert sorted(seat[StrategyId("PlaysAll")].strategy.ended) == [  # type: ignore[attr-defined]
            "bracket filled 20", "twap filled 90",
        ]  # fmt: skip
        assert run.core.algos.parents == {}
        assert run.core.portfolio.accounts[ACCOUNT].cash["COIN"] == place.ledger.coins(place.user.login)


async def test_parts_go_on_after_a_restart_and_an_answer_that_was_lost_doubles_nothing(tmp_path: Path) -> None:
    """The first life ends after the first part, whose answer never came; the second finishes what is missing."""
    journal = tmp_path / "journal.sqlite3"
    async with a_trading_place(speed=900, faults=[Trigger(call=1, route="trade", fault=Fault.DROP_AFTER)]) as place:
        await trade_until(place.run([Waits], journal, price_collar=FRESH), lambda: bool(place.trades()))
        assert bought(place) < 90
        second = place.run([Waits], journal, price_collar=FRESH)
        await trade_until(second, lambda: not second.core.algos.parents)
        assert bought(place) == 90
        kept = SqliteJournal(journal)
        rows = [record for _, record in kept.records()]
        kept.close()
        assert sum(isinstance(row, AlgoStarted) for row in rows) == 1
        assert [row.filled for row in rows if isinstance(row, AlgoEnded)] == [90]
