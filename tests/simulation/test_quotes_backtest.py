"""Backtests over quotes, end to end: what a strategy hears and in which order, and what fills at which price."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine.runtime.replay_quotes as spans
from benchmarks.quotes import figures
from engine import Bar, ConfigError, Fill, OrderEvent, Quote, Strategy, TimeInForce
from engine.domain.events import OrderRejected
from engine.domain.market import DataKind
from engine.matching import AtQuote, BookWalk, Friction, Latency, NextOpen
from engine.runtime.interrupt import interrupting
from tests.builders import START_NS, BarsOf, a_backtest, a_walk, ran
from tests.quote_builders import MS, TICK, QuotesOf, a_quotes_backtest, quotes_at

INDEX = "000001.SH"


def test_the_engine_comes_to_the_fills_and_the_equity_of_a_bare_loop() -> None:
    """The oracle of the benchmark: a mean of quotes, market orders at the next quote's opposite side."""
    assert figures(6_000, 1)["fills"] > 3


class Listed(Strategy):
    """Does what ``deeds`` says when it hears its n-th quote, and writes down all it hears."""

    def __init__(self, **deeds: Any) -> None:
        super().__init__()
        self.deeds = {int(name.removeprefix("at")): deed for name, deed in deeds.items()}
        self.heard: list[Any] = []
        self.fills: list[tuple[int, str, int]] = []
        self.orders: list[Any] = []
        self.quotes = 0

    def on_quote(self, quote: Quote) -> None:
        self.quotes += 1
        self.heard.append(quote)
        deed = self.deeds.get(self.quotes)
        if deed is not None:
            deed(self)

    def on_fill(self, fill: Fill) -> None:
        self.fills.append((fill.quantity, str(fill.price.normalize()), (fill.ts_ns - START_NS) // MS))

    def on_order(self, event: OrderEvent) -> None:
        self.orders.append(event)


def test_an_order_takes_the_opposite_side_of_the_next_quote() -> None:
    """Bought at the ask, sold at the bid, never of the quote that was decided on; equity counts the middle."""
    trader = Listed(at1=lambda s: s.buy(TICK, 10), at3=lambda s: s.sell(TICK, 4))
    source = QuotesOf(quotes_at((10.0, 10.1), (10.2, 10.3), (10.4, 10.5), (10.6, 10.8)))
    result, _ = ran(a_quotes_backtest(trader, [source]))
    assert trader.fills == [(10, "10.3", 1), (4, "10.6", 3)]
    assert result.final_equity == Decimal(1_000_000) - 103 + Decimal("42.4") + 6 * Decimal("10.7")
    assert (result.bars, result.quotes, result.mode) == (0, 4, "event")


def test_sizes_ration_what_fills_and_the_rest_goes_on_working() -> None:
    """Half of 100 shown; the same price stays taken; the next price brings the rest."""
    trader = Listed(at1=lambda s: s.buy(TICK, 80))
    rows = quotes_at((10.0, 10.1), (10.0, 10.1), (10.0, 10.1), (10.0, 10.2), size=100)
    ran(a_quotes_backtest(trader, [QuotesOf(rows)], model=AtQuote(share=0.5)))
    assert trader.fills == [(50, "10.1", 1), (30, "10.2", 3)]


def test_quotes_without_sizes_fill_any_size_and_an_empty_side_fills_nothing() -> None:
    """A file that has none says nothing of how much stood there; a side at a price limit has nobody."""
    trader = Listed(at1=lambda s: s.buy(TICK, 5_000), at2=lambda s: s.buy(TICK, 7))
    rows = [(10.0, 10.1, 0, 0), (10.0, 10.1, 0, 0), (10.5, 10.5, 900, 0), (10.4, 10.6, 900, 900)]
    ran(a_quotes_backtest(trader, [QuotesOf(rows)]))
    assert trader.fills == [(5_000, "10.1", 1), (7, "10.6", 3)]


def test_a_resting_limit_fills_once_the_other_side_comes_to_it() -> None:
    """Not while the bid alone is there; a day's end or a cancel ends it as any order."""
    trader = Listed(
        at1=lambda s: s.buy(TICK, 10, price=10.0),
        at2=lambda s: s.buy(TICK, 10, price=10.9, tif=TimeInForce.IOC),
    )
    rows = quotes_at((10.0, 10.1), (10.0, 10.1), (10.0, 10.95), (9.8, 9.9))
    ran(a_quotes_backtest(trader, [QuotesOf(rows)]))
    assert trader.fills == [(10, "9.9", 3)]


def test_a_latency_lets_quotes_pass_before_the_order_is_there() -> None:
    """Sent with the first quote, there after two milliseconds: the third fills it."""
    trader = Listed(at1=lambda s: s.buy(TICK, 10))
    rows = quotes_at((10.0, 10.1), (10.1, 10.2), (10.2, 10.3), (10.3, 10.4))
    model = Friction(model=AtQuote(), latency=Latency(order="2ms"))
    ran(a_quotes_backtest(trader, [QuotesOf(rows)], model=model))
    assert trader.fills == [(10, "10.3", 2)]


def test_a_book_is_walked_level_after_level_and_prints_serve_the_queue_before_us() -> None:
    """The columns of levels and of last trades are the books and prints that ``book_walk`` reads."""
    trader = Listed(at1=lambda s: (s.buy(TICK, 150), s.buy(TICK, 60, price=9.9)))
    rows = [(9.9, 10.1, 300, 100)] * 5
    prints = [(0.0, 0.0), (0.0, 0.0), (9.9, 250.0), (9.9, 80.0), (9.9, 500.0)]
    deeper = [(9.8, 100, 10.2, 400)] * 5
    ran(a_quotes_backtest(trader, [QuotesOf(rows, prints=prints, deeper=deeper)], model=BookWalk()))
    assert trader.fills == [(100, "10.1", 1), (50, "10.2", 1), (30, "9.9", 3), (30, "9.9", 4)]


def test_without_levels_a_quote_is_a_book_of_one() -> None:
    """``book_walk`` over best prices alone."""
    trader = Listed(at1=lambda s: s.buy(TICK, 150))
    rows = [(9.9, 10.1, 300, 100), (9.9, 10.1, 300, 100), (9.9, 10.2, 300, 100)]
    ran(a_quotes_backtest(trader, [QuotesOf(rows)], model=BookWalk()))
    assert trader.fills == [(100, "10.1", 1), (50, "10.2", 2)]


class All(Strategy):
    """Writes down all kinds of data in the order they come."""

    def on_start(self) -> None:
        self.heard: list[tuple[str, str, int]] = []

    def _note(self, event: Any) -> None:
        self.heard.append((type(event).__name__, event.instrument, (self.now_ns - START_NS) // MS))

    on_bar = on_quote = on_trade = on_book = _note


def test_prints_quotes_and_books_of_a_row_come_in_that_order_and_bars_of_the_instant_last() -> None:
    """Merged by time; a bar is known at its end."""
    heard = All()
    quotes = QuotesOf(
        quotes_at((10.0, 10.1), (10.0, 10.2)), at_ms=[60_000, 60_001], prints=[(10.1, 5.0), (0.0, 0.0)]
    )  # fmt: skip
    bars = BarsOf([(5.0, 5.0, 5.0, 5.0)], instrument=INDEX, ends=[START_NS + 60_000 * MS])
    ran(a_quotes_backtest(heard, [quotes], bars=[bars]))
    assert heard.heard == [
        ("Trade", TICK, 60_000), ("Quote", TICK, 60_000), ("OrderBook", TICK, 60_000), ("Bar", INDEX, 60_000),
        ("Quote", TICK, 60_001), ("OrderBook", TICK, 60_001),
    ]  # fmt: skip


def test_what_is_decided_within_an_instant_fills_at_no_other_row_of_it() -> None:
    """The venue has seen all of an instant before anybody hears of it."""
    trader = Listed(at1=lambda s: s.buy(TICK, 10))
    rows = quotes_at((10.0, 10.1), (11.0, 11.1), (12.0, 12.1))
    ran(a_quotes_backtest(trader, [QuotesOf(rows, at_ms=[0, 0, 1])]))
    assert trader.fills == [(10, "12.1", 1)]


def test_an_order_for_an_instrument_with_bars_alone_is_rejected_with_the_reason() -> None:
    """It would never fill: nobody waits for it in vain."""
    trader = Listed(at1=lambda s: s.buy(INDEX, 10))
    bars = BarsOf([(5.0, 5.0, 5.0, 5.0)] * 3, instrument=INDEX)
    quotes = QuotesOf(quotes_at((1.0, 1.1), (1.0, 1.1)), at_ms=[61_000, 62_000])
    ran(a_quotes_backtest(trader, [quotes], bars=[bars]))
    (event,) = [event for event in trader.orders if isinstance(event, OrderRejected)]
    assert "bars of 000001.SH alone" in event.reason


class OnBars(Strategy):
    def on_bar(self, bar: Bar) -> None:
        pass


def test_what_quotes_can_not_do_is_said_in_one_sentence() -> None:
    """Columns, models of bars, a handler of bars without any."""
    source = QuotesOf(quotes_at((1.0, 1.1)))
    with pytest.raises(ConfigError, match=r"quotes are played one by one; run with mode event or auto"):
        a_quotes_backtest(Listed(), [source], mode="column")
    with pytest.raises(ConfigError, match=r"next_open fills from bars.*take quote or book_walk"):
        a_quotes_backtest(Listed(), [source], model=NextOpen())
    with pytest.raises(ConfigError, match=r"s wants bars of TICK\.FX, and the data has quotes of it: write on_quote"):
        a_quotes_backtest(OnBars(), [source]).run()
    assert a_quotes_backtest(Listed(), [source]).run().mode_reason == "quotes are played one by one"


class Busy(Listed):
    """Buys and sells by the last digit of what it hears."""

    def on_quote(self, quote: Quote) -> None:
        super().on_quote(quote)
        digit = round(quote.bid * 100) % 10
        if digit == 3:
            self.buy(TICK, 30)
        elif digit == 7:
            self.buy(TICK, 20, price=quote.bid)
        elif digit == 5 and self.position(TICK) > 0:
            self.sell(TICK, self.position(TICK))


class Deaf(Strategy):
    """Hears quotes and does nothing."""

    def on_quote(self, quote: Quote) -> None:
        pass


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 3), st.integers(0, 2)), min_size=5, max_size=60),
    batch=st.integers(1, 20),
    rows=st.integers(1, 9),
)
def test_neither_the_size_of_batches_nor_who_else_listens_changes_a_decision(
    steps: list[tuple[int, int, int]], batch: int, rows: int
) -> None:
    """One strategy alone goes by the tight loop, with another at its side by the plain one; instants repeat."""
    bid, at_ms, bests, times = 5_000, 0, [], []
    for step, spread, later in steps:
        bid += step
        at_ms += later
        bests.append((bid / 100, (bid + spread) / 100, 40.0, 40.0))
        times.append(at_ms)
    found = []
    whole = spans.SPAN_ROWS
    for size, cut, traders in (
        (65_536, whole, {"s": Busy()}), (batch, whole, {"s": Busy()}), (batch, rows, {"s": Busy()}),
        (batch, rows, {"s": Busy(), "t": Deaf()}),
    ):  # fmt: skip
        spans.SPAN_ROWS = cut
        try:
            run = a_quotes_backtest(traders, [QuotesOf(bests, at_ms=times, batch=size)])
            result = run.run()
        finally:
            spans.SPAN_ROWS = whole
        found.append((traders["s"].fills, traders["s"].heard, result.final_equity, result.orders))  # type: ignore[attr-defined]
    assert found[0] == found[1] == found[2] == found[3]
    assert len(found[0][1]) == len(steps)


class Fails(Listed):
    def on_quote(self, quote: Quote) -> None:
        super().on_quote(quote)
        if self.quotes == 3:
            raise ZeroDivisionError("mine")


def test_a_handler_that_fails_is_stopped_and_named_with_its_line() -> None:
    """In the tight loop as everywhere: the strategy's mistake is not the engine's; others go on."""
    alone = a_quotes_backtest(Fails(), [QuotesOf(quotes_at(*[(1.0, 1.1)] * 6))]).run()
    assert alone.stopped["s"].startswith("ZeroDivisionError: mine (test_quotes_backtest.py:")
    other = Listed()
    both = a_quotes_backtest({"s": Fails(), "t": other}, [QuotesOf(quotes_at(*[(1.0, 1.1)] * 6))]).run()
    assert (list(both.stopped), other.quotes) == (["s"], 6)


class Sleeps(Listed):
    async def on_quote(self, quote: Quote) -> None:  # type: ignore[override]
        super().on_quote(quote)
        await self.sleep("2ms")


def test_a_handler_may_wait() -> None:
    """Each sleep ends after its two milliseconds; what came meanwhile is heard afterwards."""
    trader = Sleeps()
    ran(a_quotes_backtest(trader, [QuotesOf(quotes_at(*[(1.0, 1.1)] * 9))]))
    assert [(quote.ts_ns - START_NS) // MS for quote in trader.heard][:4] == [0, 1, 2, 3]
    assert len(trader.heard) == 5


class Late(Strategy):
    """Hears prints from the fourth millisecond on."""

    def on_start(self) -> None:
        self.heard: list[Any] = []
        self.every("4ms", self.begin)

    def begin(self) -> None:
        self.on_trade = lambda trade: self.heard.append(trade.price)  # type: ignore[method-assign]
        self.subscribe(TICK, DataKind.TRADE)
        self.subscribe(TICK, DataKind.QUOTE)
        self.on_quote = lambda quote: self.heard.append(quote.bid)  # type: ignore[method-assign]


def test_who_subscribes_in_the_middle_of_a_run_hears_what_comes_after() -> None:
    """From the next row on, prints as quotes; books must be asked for in ``on_start``."""
    late = Late()
    rows = quotes_at(*[(n + 1.5, n + 1.6) for n in range(8)])
    run = a_quotes_backtest(late, [QuotesOf(rows, prints=[(n + 1.0, 1.0) for n in range(8)])])
    run.run()
    assert late.heard[-4:] == [7.0, 7.5, 8.0, 8.5]


def test_the_engines_own_parents_hear_quotes() -> None:
    """A time-weighted parent is played over quotes: its slices are orders that fill at quotes."""
    trader = Listed(at1=lambda s: s.twap(TICK, 30, "6ms", slices=3))
    ran(a_quotes_backtest(trader, [QuotesOf(quotes_at(*[(1.0, 1.1)] * 20))]))
    assert sum(fill[0] for fill in trader.fills) == 30
    assert len(trader.fills) == 3


class Slow(Listed):
    def on_quote(self, quote: Quote) -> None:
        super().on_quote(quote)
        sum(range(200_000))

    on_bar = on_quote  # type: ignore[assignment]


class Hangs(Listed):
    def on_quote(self, quote: Quote) -> None:
        super().on_quote(quote)
        while self.quotes == 200:
            pass

    on_bar = on_quote  # type: ignore[assignment]


@pytest.mark.parametrize("over", ["quotes", "bars"])
def test_a_slow_strategy_is_not_taken_for_one_that_hangs_and_one_that_hangs_is_stopped(over: str) -> None:
    """The watch tells one call from the next inside the tight loops, over bars as over quotes."""
    for made, count, stopped in ((Slow, 60, False), (Hangs, 250, True)):
        if over == "quotes":
            run: Any = a_quotes_backtest(made(), [QuotesOf(quotes_at(*[(1.0, 1.1)] * count))])
        else:
            run = a_backtest(made(), a_walk(count), mode="event")
        with interrupting(run.core.runner, limit_seconds=0.08):
            result = run.run()
        assert bool(result.stopped) is stopped, over
