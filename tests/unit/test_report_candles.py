"""Bars thinned for a page: nothing of a price is lost, and never more candles than there is room for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from engine.runtime.report_candles import Candles, group_bars, local_seconds, thin_bars
from tests.data_builders import FIRST_NS, some_columns


def test_bars_are_grouped_by_the_zones_own_days() -> None:
    """A bar that ends at midnight in Shanghai is the old day's; the next one is the new day's."""
    midnight = parse_time("2026-03-03 00:00", "Asia/Shanghai")
    ends = np.array([midnight - MINUTE_NS, midnight, midnight + MINUTE_NS])
    prices = np.array([1.0, 3.0, 2.0])
    bars = Candles(
        interval_ns=MINUTE_NS, end_ns=ends, open=prices, high=prices, low=prices, close=prices, volume=prices
    )
    days = group_bars(bars, DAY_NS, "Asia/Shanghai")
    assert days.end_ns.tolist() == [midnight, midnight + MINUTE_NS]
    assert days.open.tolist() == [1, 2]
    assert days.high.tolist() == [3, 2]
    assert days.close.tolist() == [3, 2]
    assert days.volume.tolist() == [4, 2]


@settings(max_examples=30, deadline=None)
@given(
    closes=st.lists(st.floats(1, 1e4), min_size=1, max_size=400),
    pieces=st.integers(1, 7),
    room=st.integers(40, 500),
)
def test_thinning_keeps_every_extreme_within_the_room(closes: list[float], pieces: int, room: int) -> None:
    """Whatever the batches and the room: first open, last close, highest, lowest and volume are in each level."""
    parts = np.array_split(np.arange(len(closes)), pieces)
    batches = [some_columns([closes[i] for i in p], FIRST_NS + int(p[0]) * MINUTE_NS) for p in parts if len(p)]
    chart = thin_bars(batches, "Asia/Shanghai", room)
    assert chart is not None
    assert chart.bars == len(closes)
    assert sum(len(level.end_ns) for level in chart.levels) <= room
    for level in chart.levels:
        assert (level.open[0], level.close[-1]) == (closes[0], closes[-1])
        assert (level.high.max(), level.low.min()) == (max(closes), min(closes))
        assert level.volume.sum() == pytest.approx(len(closes))
        assert (np.diff(level.end_ns) > 0).all()


def test_long_histories_have_levels_from_days_down() -> None:
    """A year of minutes: the whole fits one view, and finer levels are there to zoom into."""
    chart = thin_bars([some_columns(list(range(1, 200_001)))], "UTC")
    assert chart is not None
    counts = [len(level.end_ns) for level in chart.levels]
    assert counts == sorted(counts)
    assert counts[0] <= 1_500
    assert len(counts) > 1


def test_no_bars_make_no_chart() -> None:
    """A live run may have none."""
    assert thin_bars([], "UTC") is None


def test_wall_clock_seconds_follow_summer_time() -> None:
    """The page shows 09:31 in New York on both sides of the change, although UTC differs."""
    both = [parse_time(f"2026-03-{day} 09:31", "America/New_York") for day in ("06", "09")]
    shown = local_seconds(np.array(both), "America/New_York")
    assert [int(s) % 86_400 for s in shown] == [(9 * 60 + 31) * 60] * 2
    assert both[1] - both[0] == 3 * DAY_NS - HOUR_NS
