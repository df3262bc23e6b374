"""What a report takes from bars: extremes of spans, excursions of trades, exposure, and one reading for all of it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import open_bars
from engine.data.columns import Columns
from engine.domain.commands import Side
from engine.domain.events import PositionAdjusted
from engine.domain.ids import StrategyId
from engine.domain.timestamps import HOUR_NS, MINUTE_NS
from engine.runtime.report import Report, report_of, with_bars
from engine.runtime.report_bars import ExtremesOf, extremes
from engine.runtime.report_reading import Reading
from tests.data_builders import ACCOUNT, FIRST_NS, STOCK, JournalScript, a_csv

DAY = "2026-03-02"
BARS = (
    # End, open, high, low, close: the trade enters at 10 in the second and leaves in the last.
    f"{DAY} 09:31:00,9.0,9.9,5.0,9.8,100",
    f"{DAY} 09:32:00,10.0,10.5,9.5,10.2,100",
    f"{DAY} 09:33:00,10.2,11.0,10.1,10.4,100",
    f"{DAY} 09:34:00,10.4,10.6,9.0,10.3,100",
    f"{DAY} 09:35:00,10.3,20.0,1.0,10.4,100",
)


def reported(tmp_path: Path, script: JournalScript, rows: tuple[str, ...] = BARS) -> Report:
    """The report of a journal over a file of bars."""
    source = open_bars(a_csv(tmp_path / "bars.csv", rows), STOCK)
    reading = Reading(script.end(f"{DAY} 15:00"))
    return with_bars(report_of(reading), reading, [source])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.data())
def test_extremes_of_spans_are_those_of_a_loop(values: list[float], data: st.DataObject) -> None:
    """Spans of any length, within a block of 64 and over many of them."""
    places = st.integers(0, len(values) - 1)
    begins = data.draw(st.lists(places, min_size=1, max_size=20))
    ends = [data.draw(st.integers(begin + 1, len(values))) for begin in begins]
    array = np.array(values)
    for of, told in ((np.minimum, min), (np.maximum, max)):
        found = extremes(array, np.array(begins), np.array(ends), of)
        assert found.tolist() == [told(values[b:e]) for b, e in zip(begins, ends, strict=True)]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(5, 90), st.integers(0, 10_000))
def test_extremes_over_batches_are_those_of_the_whole(count: int, size: int, seed: int) -> None:
    """However the bars are cut into batches; a span without a bar has none."""
    rng = np.random.default_rng(seed)
    ts_ns, low = np.arange(1, count + 1, dtype=np.int64) * 10, rng.normal(size=count)
    high = low + rng.random(count)
    begins = rng.integers(0, count * 10 + 20, 30)
    ends = begins + rng.integers(0, count * 10, 30)
    whole = ExtremesOf(begins, ends)
    for first in range(0, count, size):
        cut = slice(first, first + size)
        whole.take(Columns(STOCK, 10, ts_ns[cut], low[cut], high[cut], low[cut], high[cut], low[cut]))
    for place, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        inside = (ts_ns >= begin) & (ts_ns < end)
        if not inside.any():
            assert np.isnan(whole.low[place])
            continue
        assert (whole.low[place], whole.high[place]) == (low[inside].min(), high[inside].max())


def test_excursions_of_a_long_trade_by_hand(tmp_path: Path) -> None:
    """In at 10 in the bar to 09:32, out at 10.4 in the bar to 09:35: lows 9.5, 10.1, 9.0, highs 10.5, 11.0, 10.6.

    The bar before the entry and the exit's own bar are far out, and count for nothing.
    """
    script = JournalScript(cash="10000")
    script.trade(f"{DAY} 09:32", Side.BUY, 100, "10")
    script.trade(f"{DAY} 09:35", Side.SELL, 100, "10.4")
    (trip,) = reported(tmp_path, script).round_trips
    assert trip.mae == pytest.approx(0.1)
    assert trip.mfe == pytest.approx(0.1)


def test_excursions_of_a_short_trade_by_hand(tmp_path: Path) -> None:
    """Sold at 10, bought back at 11.2, above every high before: the exit's price is the worst, the low the best."""
    script = JournalScript(cash="10000")
    script.trade(f"{DAY} 09:32", Side.SELL, 100, "10")
    script.trade(f"{DAY} 09:35", Side.BUY, 100, "11.2")
    (trip,) = reported(tmp_path, script).round_trips
    assert trip.direction == "short"
    assert trip.mae == pytest.approx(0.12)
    assert trip.mfe == pytest.approx(0.1)


def test_a_trade_inside_one_bar_has_its_two_prices_only(tmp_path: Path) -> None:
    """Nothing of that bar is known to lie between them."""
    script = JournalScript(cash="10000")
    script.trade(f"{DAY} 09:35", Side.BUY, 100, "10")
    script.trade(f"{DAY} 09:35", Side.SELL, 100, "10.1")
    (trip,) = reported(tmp_path, script).round_trips
    assert (trip.mae, trip.mfe) == (0.0, pytest.approx(0.01))


def test_without_bars_or_across_a_split_there_are_no_excursions(tmp_path: Path) -> None:
    """Prices before and after a change of shares are not of one thing."""
    script = JournalScript(cash="10000")
    script.trade(f"{DAY} 09:32", Side.BUY, 100, "10")
    reading = Reading(script.records)
    assert with_bars(report_of(reading), reading, []).round_trips == ()
    script.add(
        PositionAdjusted(
            account=ACCOUNT, strategy=StrategyId("cross"), instrument=STOCK, ts_ns=script.at(f"{DAY} 09:33"),
            quantity=100, reason="split",
        )
    )  # fmt: skip
    script.trade(f"{DAY} 09:35", Side.SELL, 100, "5")
    (trip,) = reported(tmp_path, script).round_trips
    assert (trip.mae, trip.mfe) == (None, None)


def test_exposure_by_hand(tmp_path: Path) -> None:
    """1000 of equity; 50 long at 10 is half of it; bars move the price; 30 short elsewhere add to gross, not to net."""
    script = JournalScript(cash="1000", start=f"{DAY} 09:31")
    script.trade(f"{DAY} 09:32", Side.BUY, 50, "10")
    script.trade(f"{DAY} 09:33", Side.SELL, 30, "5", instrument="600001.SH")
    script.equity(f"{DAY} 09:34", "1000")
    script.equity(f"{DAY} 09:35", "1000")
    exposure = reported(tmp_path, script).exposure
    assert exposure is not None
    # Closes of the first: 9.8, 10.2, 10.4, 10.3, 10.4; the other has no bars and stays at 5.
    assert exposure.gross == pytest.approx((0.0, 0.51, 0.52 + 0.15, 0.515 + 0.15, 0.52 + 0.15))
    assert exposure.net == pytest.approx((0.0, 0.51, 0.52 - 0.15, 0.515 - 0.15, 0.52 - 0.15))
    assert exposure.max_gross == pytest.approx(0.67)
    assert exposure.mean_gross == pytest.approx((0.0 + 0.51 + 0.67 + 0.665) / 4)


def test_exposure_without_bars_is_at_the_latest_fill() -> None:
    """And after the last sale there is none."""
    script = JournalScript(cash="1000", start=f"{DAY} 10:00")
    script.trade(f"{DAY} 11:00", Side.BUY, 10, "10")
    script.trade(f"{DAY} 13:00", Side.SELL, 10, "12")
    script.equity(f"{DAY} 14:00", "1020")
    reading = Reading(script.end(f"{DAY} 14:00"))
    exposure = with_bars(report_of(reading), reading, []).exposure
    assert exposure is not None
    assert exposure.gross == pytest.approx((0.0, 0.1, 0.0, 0.0))
    assert exposure.mean_gross == pytest.approx(0.1 * 2 / 4)
    assert [ts_ns - exposure.ts_ns[0] for ts_ns in exposure.ts_ns] == [0, HOUR_NS, 3 * HOUR_NS, 4 * HOUR_NS]


def test_bars_are_read_once(tmp_path: Path) -> None:
    """Costs, excursions, exposure, limits and the benchmark share one pass."""
    source = open_bars(a_csv(tmp_path / "bars.csv", BARS), STOCK)
    passes = []

    class Counted:
        """The source, counting."""

        instrument, interval_ns, path, tz, label = STOCK, MINUTE_NS, source.path, source.tz, source.label
        sha256 = source.sha256

        def batches(self) -> object:
            passes.append(1)
            return source.batches()

    script = JournalScript(cash="10000")
    script.trade(f"{DAY} 09:32", Side.BUY, 100, "10")
    script.trade(f"{DAY} 09:35", Side.SELL, 100, "10.4")
    reading = Reading(script.end(f"{DAY} 15:00"))
    made = with_bars(report_of(reading), reading, [Counted()])  # type: ignore[list-item]
    assert made.costs is not None
    assert made.benchmark is not None
    assert len(passes) == 1
    assert reading.last_ns > FIRST_NS
