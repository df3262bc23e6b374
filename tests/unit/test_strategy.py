"""What a strategy author is promised: every handler, its order, its awaits, its timers, its limits."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from engine import Bar, ConfigError, DataKind, Fill, InstrumentId, OrderDenied, OrderEvent, Strategy, TimerFired
from engine.domain.ids import StrategyId
from engine.domain.market import BookLevel, FeedState, FeedStatus, OrderBook, Quote, Trade
from engine.domain.timestamps import HOUR_NS, MINUTE_NS, ns_from_datetime
from engine.runner import StrategyRunner
from engine.schedule import DailyAt, Every, next_due_ns
from engine.strategy import Recovered
from tests.builders import INDEX, START_NS, BarsOf, a_backtest, a_bar, a_walk, flat_rows, ran

OTHER = InstrumentId("600000.SH")


class Hears(Strategy):
    """Every handler as ``def``."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def on_start(self) -> None:
        self.heard.append("start")

    def on_bar(self, bar: Bar) -> None:
        self.heard.append(f"bar {bar.close:g}")

    def on_quote(self, quote: Quote) -> None:
        self.heard.append("quote")

    def on_trade(self, trade: Trade) -> None:
        self.heard.append("trade")

    def on_book(self, book: OrderBook) -> None:
        self.heard.append("book")

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        self.heard.append(f"order {event.state}")

    def on_fill(self, fill: Fill) -> None:
        self.heard.append(f"fill {fill.quantity}")

    def on_timer(self, timer: TimerFired) -> None:
        self.heard.append(f"timer {timer.timer}")

    def on_feed(self, status: FeedStatus) -> None:
        self.heard.append(f"feed {status.state}")

    def on_recovered(self, snapshot: Recovered) -> None:
        self.heard.append("recovered")

    def on_stop(self) -> None:
        self.heard.append("stop")


class HearsAsync(Hears):
    """The same, each ``async def``, each waiting once."""

    async def on_start(self) -> None:
        await self.sleep("1s")
        Hears.on_start(self)

    async def on_bar(self, bar: Bar) -> None:
        await self.sleep("1s")
        Hears.on_bar(self, bar)

    async def on_quote(self, quote: Quote) -> None:
        await self.sleep("1s")
        Hears.on_quote(self, quote)

    async def on_trade(self, trade: Trade) -> None:
        await self.sleep("1s")
        Hears.on_trade(self, trade)

    async def on_book(self, book: OrderBook) -> None:
        await self.sleep("1s")
        Hears.on_book(self, book)

    async def on_order(self, event: OrderEvent | OrderDenied) -> None:
        await self.sleep("1s")
        Hears.on_order(self, event)

    async def on_fill(self, fill: Fill) -> None:
        await self.sleep("1s")
        Hears.on_fill(self, fill)

    async def on_timer(self, timer: TimerFired) -> None:
        await self.sleep("1s")
        Hears.on_timer(self, timer)

    async def on_feed(self, status: FeedStatus) -> None:
        await self.sleep("1s")
        Hears.on_feed(self, status)

    async def on_recovered(self, snapshot: Recovered) -> None:
        await self.sleep("1s")
        Hears.on_recovered(self, snapshot)


@pytest.mark.parametrize("kind", [Hears, HearsAsync])
def test_every_handler_is_called_def_or_async_def_in_the_order_things_happened(kind: type[Hears]) -> None:
    """Eleven handlers; one that waits keeps what comes meanwhile in its queue, in order."""
    strategy = kind()
    backtest = a_backtest(strategy, flat_rows(10, 11))
    core, clock = backtest.core, backtest.clock
    clock.now_ns = START_NS
    core.runner.start({next(iter(core.runner.seats)): Recovered(positions={}, working=())})
    strategy.every("1h")
    for event in (
        a_bar(), Quote(INDEX, START_NS, 10, 10), Trade(INDEX, START_NS, 10),
        OrderBook(INDEX, START_NS, (BookLevel(9, 1),)), FeedStatus(feed="f", state=FeedState.STALE, ts_ns=START_NS),
    ):  # fmt: skip
        core.bus.publish(event)
    strategy.buy(INDEX, 1)
    backtest.venue.on_bar(a_bar(ts_ns=START_NS + MINUTE_NS))
    due = START_NS + HOUR_NS
    while core.runner.next_due_ns <= due:
        clock.now_ns = core.runner.next_due_ns
        core.runner.fire_due(clock.now_ns)
    for second in range(1, 20):
        clock.now_ns = due + second * 10**9
        core.runner.fire_due(clock.now_ns)
    core.runner.stop()
    assert strategy.heard == [
        "start", "recovered", "bar 10.5", "feed stale", "order working", "fill 1", "timer every 1h", "stop",
    ]  # fmt: skip
    for word in ("quote", "trade", "book"):
        assert word not in strategy.heard, "a backtest serves bars only"


def test_market_data_besides_bars_reaches_those_who_asked() -> None:
    """Quotes, trades and books go to the strategies that listen to that instrument, and to no one else."""
    one, two = Hears(), Hears()
    backtest = a_backtest({"one": one, "two": two}, flat_rows(10))
    runner = backtest.core.runner
    for kind in (DataKind.QUOTE, DataKind.TRADE, DataKind.BOOK):
        runner.listen("one", kind, INDEX, 0)  # type: ignore[arg-type]
        runner.listen("one", kind, INDEX, 0)  # type: ignore[arg-type]
    for name in (INDEX, OTHER):
        for event in (Quote(name, 1, 10, 10), Trade(name, 1, 10), OrderBook(name, 1)):
            backtest.core.bus.publish(event)
    assert (one.heard, two.heard) == (["quote", "trade", "book"], [])


class BuysThenWrites(Hears):
    def on_bar(self, bar: Bar) -> None:
        self.heard.append("before")
        self.buy(bar.instrument, 10**9)
        self.buy(bar.instrument, 1)
        self.heard.append("after")


def test_a_strategy_hears_what_it_caused_only_after_its_handler_returned() -> None:
    """Denials and acceptances wait for the end of the handler, and come in the order they happened."""
    strategy = BuysThenWrites()
    ran(a_backtest(strategy, flat_rows(10)))
    assert strategy.heard == ["start", "before", "after", "order denied", "order working", "stop"]


class Slow(Hears):
    async def on_bar(self, bar: Bar) -> None:
        await self.sleep("150s")
        self.heard.append(f"woke {(self.now_ns - START_NS) // 10**9}: {bar.close:g}")


def test_a_strategy_that_waits_delays_only_itself() -> None:
    """The other hears every bar at its time; the slow one hears all of them later, none lost, none out of order."""
    slow, quick = Slow(), Hears()
    ran(a_backtest({"slow": slow, "quick": quick}, flat_rows(1, 2, 3, 4)))
    assert quick.heard == ["start", "bar 1", "bar 2", "bar 3", "bar 4", "stop"]
    # Bars end at 60, 120, 180, 240: the first wakes at 210, the second begins there and would wake at 360.
    assert slow.heard == ["start", "woke 210: 1"]


class Awaits(Hears):
    async def on_start(self) -> None:
        bar = await self.next_bar(INDEX)
        self.heard.append(f"next {bar.close:g}")
        answer = await self.call(lambda a, b: a + b, 2, 3)
        self.heard.append(f"answer {answer}")

        async def far() -> str:
            return "far"

        self.heard.append(await self.call(far))
        try:
            await self.call(lambda: 1 / 0)
        except RuntimeError as error:
            self.heard.append(str(error))
        await self.sleep("90s")
        self.heard.append(f"slept {(self.now_ns - START_NS) // 10**9}")


def test_next_bar_call_and_sleep_work_in_replay() -> None:
    """An awaited bar comes there instead of to on_bar; calls answer at once and are in the journal; sleep is market
    time."""
    strategy = Awaits()
    result, records = ran(a_backtest(strategy, flat_rows(1, 2, 3, 4)))
    assert not result.stopped
    assert strategy.heard == [
        "next 1", "answer 5", "far", "ZeroDivisionError: division by zero", "slept 150", "bar 2", "bar 3", "bar 4",
        "stop",
    ]  # fmt: skip
    answers = [record.value for record in records if type(record).__name__ == "CallAnswered"]
    assert answers == [5, "far", None]


class AwaitsWrongly(Strategy):
    async def on_bar(self, bar: Bar) -> None:
        import asyncio

        await asyncio.sleep(0)


class Returns(Strategy):
    def on_bar(self, bar: Bar) -> Any:
        return bar.close


@pytest.mark.parametrize(
    ("strategy", "said"), [(AwaitsWrongly, "await self.call(function)"), (Returns, "on_bar returned float")]
)
def test_a_wrong_await_or_answer_stops_the_strategy_and_says_what_to_write(strategy: type[Strategy], said: str) -> None:
    """The reason names the mend."""
    result, _ = ran(a_backtest(strategy, flat_rows(1, 2)))
    assert said in result.stopped["s"]


class Timers(Hears):
    def on_start(self) -> None:
        self.every("2m", lambda: self.heard.append(f"every {(self.now_ns - START_NS) // 10**9}"))
        self.at("08:03", tz="Asia/Shanghai", name="three")
        self.every("2m", self.waits)

    async def waits(self) -> None:
        await self.sleep("1s")
        self.heard.append("waited")


def test_timers_fire_between_bars_at_their_own_time_ties_in_order_of_setting() -> None:
    """Whole multiples since midnight UTC, after the bars of the same instant; Shanghai's 08:03 is 00:03 UTC."""
    strategy = Timers()
    ran(a_backtest(strategy, flat_rows(1, 2, 3, 4, 5)))
    assert strategy.heard == [
        "bar 1", "bar 2", "every 120", "waited", "bar 3", "timer three", "bar 4", "every 240", "waited", "bar 5",
        "stop",
    ]  # fmt: skip


def utc(*parts: int) -> int:
    return ns_from_datetime(datetime(*parts, tzinfo=UTC))  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("after", "due"),
    [
        # New York leaves winter time on 2024-03-10 and summer time on 2024-11-03.
        ((2024, 3, 9, 0), (2024, 3, 9, 14, 30)),
        ((2024, 3, 9, 14, 30), (2024, 3, 10, 13, 30)),
        ((2024, 11, 2, 0), (2024, 11, 2, 13, 30)),
        ((2024, 11, 2, 13, 30), (2024, 11, 3, 14, 30)),
    ],
)
def test_at_keeps_to_the_wall_clock_of_its_zone_across_summer_time(
    after: tuple[int, ...], due: tuple[int, ...]
) -> None:
    """09:30 in New York is 14:30 UTC in winter and 13:30 in summer."""
    assert next_due_ns(DailyAt(9, 30, 0, "America/New_York"), utc(*after)) == utc(*due)


def test_every_falls_on_whole_multiples() -> None:
    """Strictly after the moment asked."""
    assert next_due_ns(Every(MINUTE_NS), START_NS) == START_NS + MINUTE_NS
    assert next_due_ns(Every(MINUTE_NS), START_NS + 1) == START_NS + MINUTE_NS


@pytest.mark.parametrize("time", ["noon", "25:00", "10:60", "10", "10:00:61"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    """With an example of one."""
    with pytest.raises(ConfigError, match="14:55"):
        Strategy().at(time, tz="UTC")


class Looks(Strategy):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[float]] = []
        self.shared = True

    def on_bar(self, bar: Bar) -> None:
        bars, again = self.history(bar.instrument, 3), self.history(bar.instrument, 1, "1m")
        self.shared = self.shared and np.shares_memory(bars.close, again.close)
        self.seen.append(bars.close.tolist())


def test_history_ends_with_the_bar_just_heard_and_copies_nothing() -> None:
    """However the file came in batches; what is to come is not in it."""
    strategy = Looks()
    ran(a_backtest(strategy, sources=[BarsOf(flat_rows(1, 2, 3, 4, 5), batch=2)]))
    assert strategy.seen == [[1], [1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert strategy.shared


class Targets(Strategy):
    def on_start(self) -> None:
        self.bars = 0
        self.facts: list[Any] = []

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.bars in (1, 2):
            made = [self.order_target(bar.instrument, 5), self.order_target(bar.instrument, 5)]
            self.facts.append([one is not None for one in made])
        if self.bars == 3:
            self.facts.append(
                (self.position(bar.instrument), self.sellable(bar.instrument), self.cash(), self.equity())
            )
            self.order_target(bar.instrument, 2)
            self.facts.append([(o.side.value, o.leaves) for o in self.working_orders()])
            self.cancel_all()
            self.facts.append(len(self.working_orders(bar.instrument)))


def test_order_target_counts_what_already_works_and_the_books_answer() -> None:
    """The second ask finds nothing missing; cash is net of reservations; cancel_all leaves nothing."""
    strategy = Targets()
    ran(a_backtest(strategy, flat_rows(10, 10, 10, 10), cash=1_000))
    cash = Decimal(1_000) - Decimal("50.015")
    assert strategy.facts == [[True, False], [False, False], (5, 5, cash, cash + 50), [("sell", 3)], 0]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda s: s.buy("NOPE", 1), "'NOPE' is not known"),
        (lambda s: s.subscribe("NOPE"), "'NOPE' is not known"),
        (lambda s: s.history(INDEX, 0), "ask for 1 to"),
        (lambda s: s.query("virtual_market", "ranking"), "no gateway 'virtual_market'"),
        (lambda s: s.every("often"), "often"),
    ],
)
def test_an_authors_mistake_stops_the_strategy_with_a_sentence(act: Any, said: str) -> None:
    """Its own mistake, so the run goes on."""

    class Mistaken(Strategy):
        def on_bar(self, bar: Bar) -> None:
            act(self)

    other = Hears()
    result, _ = ran(a_backtest({"bad": Mistaken(), "good": other}, flat_rows(1, 2)))
    assert said in result.stopped["bad"]
    assert other.heard == ["start", "bar 1", "bar 2", "stop"]


def test_log_carries_the_strategys_name_and_the_events_time() -> None:
    """One structured line."""
    lines: list[tuple[str, dict[str, Any]]] = []

    class Logs(Strategy):
        def on_bar(self, bar: Bar) -> None:
            self.log("seen", close=bar.close)

    ran(a_backtest(Logs(), flat_rows(7), note=lambda text, fields: lines.append((text, dict(fields)))))
    assert lines == [("seen", {"strategy": "s", "ts_ns": START_NS + MINUTE_NS, "close": 7.0})]


def test_the_runner_is_reachable_by_nobody_but_its_context() -> None:
    """A strategy's attributes are its own and ``ctx``."""
    assert set(vars(Strategy())) == set()
    assert isinstance(a_backtest(Hears(), a_walk(1)).core.runner, StrategyRunner)


class Latecomer(Strategy):
    """Asks for bars late in the run, when an order of its fills: between two turns of the replay loop."""

    def on_start(self) -> None:
        self.joined_ns = 0
        self.heard: list[int] = []
        self.every("9h", lambda: self.buy(INDEX, 1))

    def on_fill(self, fill: Fill) -> None:
        self.joined_ns = self.joined_ns or self.now_ns
        self.subscribe(INDEX)

    def on_bar(self, bar: Bar) -> None:
        self.heard.append(bar.ts_ns)


class Passenger(Strategy):
    """Listens from the start, so that the latecomer joins an instrument that is heard already."""

    def on_start(self) -> None:
        self.heard: list[int] = []

    def on_bar(self, bar: Bar) -> None:
        self.heard.append(bar.ts_ns)


def test_a_subscription_made_in_mid_run_is_heard_at_once() -> None:
    """The bar that filled the order is published after the fill: it is the first to be heard, and none before it."""
    first, late = Passenger(), Latecomer()
    backtest = a_backtest({"first": first, "late": late}, a_walk(1_000))
    backtest.core.runner.seats[StrategyId("late")].context.instruments = ()
    ran(backtest)
    assert late.joined_ns
    assert late.heard == [ts_ns for ts_ns in first.heard if ts_ns >= late.joined_ns]
    assert 0 < len(late.heard) < len(first.heard)
