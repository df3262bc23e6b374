"""Bars built from trades, quotes and smaller bars."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import BarBuilder
from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, parse_time

CY = InstrumentId("CY.VSM")
T0 = parse_time("2026-03-02 09:30", "Asia/Shanghai")


def a_minute(place: int, open_: float, high: float, low: float, close: float, volume: float = 1.0) -> Bar:
    """The minute that ends ``place`` minutes after 09:30."""
    return Bar(CY, T0 + place * MINUTE_NS, open_, high, low, close, volume)


def test_five_minutes_make_one_bar_that_closes_with_the_last() -> None:
    """First open, highest high, lowest low, last close, volumes added; out the moment the fifth comes."""
    builder = BarBuilder(CY, 5 * MINUTE_NS)
    prices = [(10, 12, 9, 11), (11, 15, 10, 14), (14, 14, 8, 9), (9, 10, 9, 10), (10, 11, 10, 10.5)]
    out = [builder.on_bar(a_minute(i, *p)) for i, p in enumerate(prices, 1)]
    assert out[:4] == [(), (), (), ()]
    assert out[4] == (Bar(CY, T0 + 5 * MINUTE_NS, 10, 15, 8, 10.5, 5.0, 5 * MINUTE_NS),)


def test_a_gap_closes_the_old_bar_when_the_next_begins() -> None:
    """After a lunch break the old bar comes with its own end, and a bar may come at once behind it."""
    builder = BarBuilder(CY, 5 * MINUTE_NS)
    assert builder.on_bar(a_minute(1, 10, 10, 10, 10)) == ()
    (old, new) = builder.on_bar(a_minute(20, 11, 11, 11, 11))
    assert (old.ts_ns, old.close) == (T0 + 5 * MINUTE_NS, 10)
    assert (new.ts_ns, new.close) == (T0 + 20 * MINUTE_NS, 11)


def test_a_trade_at_the_very_end_is_the_old_bars() -> None:
    """A bar holds (start, end]; it closes only when something later, or the clock, proves it over."""
    builder = BarBuilder(CY, MINUTE_NS)
    builder.on_trade(Trade(CY, T0 + SECOND_NS, 10.0, 3))
    assert builder.on_trade(Trade(CY, T0 + MINUTE_NS, 12.0, 4)) == ()
    (bar,) = builder.on_trade(Trade(CY, T0 + MINUTE_NS + 1, 9.0, 5))
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (10, 12, 10, 12, 7)


def test_time_closes_a_bar_without_another_event_and_late_events_are_left_out() -> None:
    """A closed bar is never changed; what came too late is counted."""
    builder = BarBuilder(CY, MINUTE_NS)
    builder.on_quote(Quote(CY, T0 + SECOND_NS, 9.0, 11.0))
    assert builder.advance(T0 + MINUTE_NS - 1) == ()
    (bar,) = builder.advance(T0 + MINUTE_NS)
    assert (bar.close, bar.volume) == (10.0, 0.0)
    assert builder.advance(T0 + 2 * MINUTE_NS) == ()
    assert builder.on_trade(Trade(CY, T0 + 2 * SECOND_NS, 99.0, 1)) == ()
    assert builder.late == 1
    (nothing_of_it,) = builder.on_trade(Trade(CY, T0 + 2 * MINUTE_NS, 10.0, 1)) or builder.advance(T0 + 2 * MINUTE_NS)
    assert (nothing_of_it.high, nothing_of_it.volume) == (10.0, 1.0)


def test_days_can_follow_a_venues_own_midnight() -> None:
    """With an offset of -8 hours a day's bar ends at midnight in Shanghai."""
    builder = BarBuilder(CY, DAY_NS, offset_ns=-8 * HOUR_NS)
    builder.on_bar(a_minute(1, 10, 10, 10, 10))
    (day,) = builder.advance(T0 + DAY_NS)
    assert day.ts_ns == parse_time("2026-03-03 00:00", "Asia/Shanghai")


def test_bars_that_do_not_fit_are_refused() -> None:
    """Five minutes are not made of two-minute bars."""
    with pytest.raises(ConfigError, match="whole multiple"):
        BarBuilder(CY, 5 * MINUTE_NS).on_bar(Bar(CY, T0, 1, 1, 1, 1, 1, 2 * MINUTE_NS))
    with pytest.raises(ConfigError, match="not above 0"):
        BarBuilder(CY, 0)


@given(
    trades=st.lists(st.tuples(st.integers(0, 90 * SECOND_NS), st.integers(1, 100)), min_size=1, max_size=60),
    interval=st.sampled_from([SECOND_NS, 7 * SECOND_NS, MINUTE_NS]),
)
def test_nothing_is_lost_and_bars_rise(trades: list[tuple[int, int]], interval: int) -> None:
    """Volume is conserved, ends rise, every bar's end is on the grid, and prices stay inside high and low."""
    builder = BarBuilder(CY, interval)
    bars: list[Bar] = []
    now = T0
    for step, price in trades:
        now += step
        bars += builder.on_trade(Trade(CY, now, float(price), 1.0))
    bars += builder.advance(now + interval)
    assert sum(bar.volume for bar in bars) == len(trades)
    assert builder.late == 0
    ends = [bar.ts_ns for bar in bars]
    assert ends == sorted(set(ends))
    assert all(end % interval == 0 for end in ends)
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
