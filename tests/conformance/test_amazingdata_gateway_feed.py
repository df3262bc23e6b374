"""Polled bars: only closed ones, each once, in order; changes as revisions; silence and failures told."""

from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import ConfigError, NotSent
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, BarRevision, DataKind, FeedState, FeedStatus
from engine.domain.timestamps import MINUTE_NS, SECOND_NS, parse_time
from engine.gateways.bar_polling import KEEP, BarLog, PolledBars, Wanted
from tests.amazingdata_builders import StandIn, a_data_gateway
from tests.gateway_builders import QuickClock, draw
from tests.simulator_builders import running

BANK = InstrumentId("600000.SH")
TEN_NS = parse_time("2024-01-31 10:00:00", "Asia/Shanghai")


def a_bar(minute: int, close: float = 10.0) -> Bar:
    return Bar(BANK, TEN_NS + minute * MINUTE_NS, 10.0, 11.0, 9.0, close, 100.0, MINUTE_NS)


class Source:
    """Bars by minute as the test sets them; remembers what it was asked."""

    def __init__(self, clock: QuickClock) -> None:
        self.clock = clock
        self.bars = {minute: a_bar(minute) for minute in range(-60, 60)}
        self.asked: list[Wanted] = []
        self.failures = 0

    async def ask(self, wanted: Wanted) -> Mapping[InstrumentId, Iterable[Bar]]:
        self.asked.append(wanted)
        if self.failures:
            self.failures -= 1
            raise NotSent("not there")
        return {BANK: [bar for bar in self.bars.values() if bar.ts_ns > wanted.from_ns]}


async def drive(source: Source, polls: int, step_ns: int, **settings: Any) -> tuple[list[Any], PolledBars]:
    """Poll a number of times by hand, the clock moved on between them."""
    found: list[Any] = []
    feed = PolledBars("feed", source.ask, source.clock, draw(), intervals=[MINUTE_NS, 5 * MINUTE_NS], **settings)
    feed.subscribe(BANK, DataKind.BAR, MINUTE_NS)

    def publish(event: Any) -> None:
        found.append(event)

    async with anyio.create_task_group() as group:
        group.start_soon(feed.run, publish)
        for _ in range(polls):
            seen = len(source.asked)
            while len(source.asked) == seen:
                await anyio.lowlevel.checkpoint()
            await anyio.wait_all_tasks_blocked()
            source.clock.now_ns += step_ns
            assert feed._loop is not None
            feed._loop.wake()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    return found, feed


async def test_only_bars_that_have_ended_are_published_each_once_and_in_order() -> None:
    """Whatever the source says of the minute that runs, it is published after its end, and not again."""
    source = Source(QuickClock(TEN_NS + 10 * SECOND_NS))
    found, _ = await drive(source, 20, 20 * SECOND_NS)
    bars = [event for event in found if isinstance(event, Bar)]
    assert [bar.ts_ns for bar in bars] == [TEN_NS + n * MINUTE_NS for n in range(1, len(bars) + 1)]
    assert len(bars) == 6
    assert [event.state for event in found if isinstance(event, FeedStatus)] == [FeedState.CONNECTED]


async def test_a_bar_waits_its_delay() -> None:
    """Two seconds after its end a bar may still change at the source: it is not looked at yet."""
    for polls, bars in ((1, []), (2, [a_bar(0)])):
        source = Source(QuickClock(TEN_NS - 5 * SECOND_NS))
        found, _ = await drive(source, polls, 7 * SECOND_NS, delay_ns=3 * SECOND_NS)
        assert [event for event in found if isinstance(event, Bar)] == bars


async def test_a_bar_that_changes_afterwards_is_a_revision() -> None:
    """Old and new figures are told; nothing is replaced in silence, and the same change is told once."""
    source = Source(QuickClock(TEN_NS + 65 * SECOND_NS))
    found: list[Any] = []
    clock = source.clock
    feed = PolledBars("feed", source.ask, clock, draw(), intervals=[MINUTE_NS], backfill_ns=2 * MINUTE_NS)
    feed.subscribe(BANK, DataKind.BAR, 0)
    async with anyio.create_task_group() as group:
        group.start_soon(feed.run, found.append)
        for poll in range(4):
            await anyio.wait_all_tasks_blocked()
            if poll == 1:
                source.bars[1] = a_bar(1, close=10.5)
            clock.now_ns += SECOND_NS
            assert feed._loop is not None
            feed._loop.wake()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert [event for event in found if isinstance(event, BarRevision)] == [
        BarRevision(feed="feed", old=a_bar(1), new=a_bar(1, close=10.5))
    ]
    assert [event for event in found if isinstance(event, Bar)] == [a_bar(0), a_bar(1)]


async def test_a_source_that_fails_is_told_once_and_asked_again() -> None:
    """Disconnected, then connected; bars that came in between are not missed."""
    source = Source(QuickClock(TEN_NS + 10 * SECOND_NS))
    source.failures = 2
    found, _ = await drive(source, 10, 30 * SECOND_NS)
    assert [e.state for e in found if isinstance(e, FeedStatus)] == [FeedState.DISCONNECTED, FeedState.CONNECTED]
    ends = [event.ts_ns for event in found if isinstance(event, Bar)]
    assert ends == [TEN_NS + n * MINUTE_NS for n in range(1, len(ends) + 1)]
    assert len(ends) >= 3


def test_what_the_source_does_not_have_is_refused_at_once() -> None:
    """Quotes, other lengths, other instruments: one sentence each."""

    def allowed(instrument: InstrumentId) -> None:
        if instrument != BANK:
            raise ConfigError("not listed")

    source = Source(QuickClock(TEN_NS))
    feed = PolledBars("feed", source.ask, source.clock, draw(), intervals=[MINUTE_NS], allowed=allowed)
    for instrument, kind, interval in (
        (BANK, DataKind.QUOTE, 0),
        (BANK, DataKind.BAR, 2 * MINUTE_NS),
        (InstrumentId("1.SZ"), DataKind.BAR, 0),
    ):
        with pytest.raises(ConfigError):
            feed.subscribe(instrument, kind, interval)
    feed.subscribe(BANK, DataKind.BAR, 0)
    feed.subscribe(BANK, DataKind.BAR, MINUTE_NS)
    assert feed.pace_ns == MINUTE_NS


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([10.0, 10.25, 10.5])), max_size=12), max_size=12),
    st.integers(0, 30),
)
def test_however_answers_come_bars_are_published_in_order_and_changes_as_changes(
    answers: list[list[tuple[int, float]]], step: int
) -> None:
    """Ends rise strictly; a revision's old bar is what was said last; nothing that has not ended is published."""
    log = BarLog("feed")
    said: dict[int, Bar] = {}
    newest = -1
    for number, answer in enumerate(answers):
        now_ns = TEN_NS + number * step * MINUTE_NS
        for event in log.take([a_bar(minute, close) for minute, close in answer], now_ns):
            if isinstance(event, Bar):
                assert event.ts_ns > newest
                assert event.ts_ns <= now_ns
                newest = event.ts_ns
            else:
                assert event.old == said[event.new.ts_ns]
                assert event.old != event.new
                event = event.new
            said[event.ts_ns] = event


def test_what_is_kept_to_tell_changes_is_bounded() -> None:
    """Old bars are forgotten, so that a feed may run for months."""
    log = BarLog("feed")
    log.take([a_bar(minute) for minute in range(KEEP + 50)], TEN_NS + 10**15)
    assert len(log._bars[BANK, MINUTE_NS]) == KEEP
    assert log.last_ns(BANK, MINUTE_NS) == TEN_NS + (KEEP + 49) * MINUTE_NS


async def test_the_gateways_feed_brings_closed_bars_and_their_changes_over_the_wire() -> None:
    """At 10:02:30 the bar of 10:02 is published; a minute later the next, and the change of the former."""
    service = StandIn()
    clock = QuickClock(TEN_NS + 150 * SECOND_NS)
    found: list[Any] = []
    async with running(service.app) as url, a_data_gateway(url, clock, backfill="1m") as gateway:
        gateway.feed.subscribe(BANK, DataKind.BAR, MINUTE_NS)
        async with anyio.create_task_group() as group:
            group.start_soon(gateway.run, found.append)
            await _until(lambda: any(isinstance(event, Bar) for event in found))
            service.changed[BANK, "2024-01-31 10:01:00"] = {"volume": 77}
            clock.now_ns += MINUTE_NS
            assert gateway.feed._loop is not None
            gateway.feed._loop.wake()
            await _until(lambda: any(isinstance(event, BarRevision) for event in found))
            group.cancel_scope.cancel()
    bars = [event for event in found if isinstance(event, Bar)]
    assert [bar.ts_ns - TEN_NS for bar in bars] == [2 * MINUTE_NS, 3 * MINUTE_NS]
    (revision,) = [event for event in found if isinstance(event, BarRevision)]
    assert (revision.old, revision.new.volume) == (bars[0], 77.0)


async def _until(true: Any) -> None:
    with anyio.fail_after(10):
        while not true():
            await anyio.lowlevel.checkpoint()
