"""Declared indicators over ex-dates: raw prices in matching, adjusted ones in indicators, the same in both modes."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Bar, Fill, Strategy
from engine.data.adjustments import Adjustment, adjusted
from engine.data.columns import Columns
from engine.domain.timestamps import DAY_NS, HOUR_NS
from engine.indicators import INDICATORS
from tests.builders import INDEX, START_NS, BarsOf, Row, a_backtest, a_walk, ran


class Watches(Strategy):
    """Writes down raw and adjusted figures at every bar, and trades on crosses."""

    def __init__(self, also: bool = False) -> None:
        super().__init__()
        self.also = also
        self.seen: list[tuple[Any, ...]] = []
        self.fills: list[tuple[int, Decimal]] = []

    def on_start(self) -> None:
        bars = self.bars_of(INDEX)
        self.bars = bars
        self.watched = [bars.close.sma(3), bars.close.ema(4), bars.close.rsi(3), bars.close.zscore(4), bars.obv()]
        self.when(bars.close > 0, self.look)
        self.when(bars.close.sma(2).crosses_above(bars.close.sma(4)), self.enter)
        self.when(bars.close.sma(2).crosses_below(bars.close.sma(4)), self.leave)
        if self.also:
            self.when(self.bars_of(INDEX, "1h").close > 0, lambda bar: None)

    def look(self, bar: Bar) -> None:
        self.seen.append((bar.close, self.bars.close.value, *[series.value for series in self.watched]))

    def enter(self, bar: Bar) -> None:
        self.buy(INDEX, 10)

    def leave(self, bar: Bar) -> None:
        if self.position(INDEX) > 0:
            self.sell(INDEX, 10)

    def on_fill(self, fill: Fill) -> None:
        self.fills.append((fill.quantity, fill.price))


class Hourly(BarsOf):
    """Bars of an hour, with the file of actions that a test writes beside it."""

    def __init__(self, rows: list[Row], folder: Path, actions: str, batch: int = 65_536) -> None:
        super().__init__(rows, interval_ns=HOUR_NS, batch=batch)
        self.path = folder / "bars.csv"
        (folder / "bars.actions.csv").write_text(actions)


def day(number: int) -> str:
    return str(np.datetime64(START_NS + number * DAY_NS, "ns").astype("datetime64[D]"))


def both_modes(folder: Path, rows: list[Row], actions: str, batch: int, also: bool) -> list[tuple[Watches, Any]]:
    found = []
    for mode in ("event", "column"):
        trader = Watches(also)
        run = a_backtest(trader, sources=[Hourly(rows, folder, actions, batch)], mode=mode)
        result, _ = ran(run)
        assert not result.stopped, result.stopped
        assert result.mode == mode
        found.append((trader, (result.digest, result.final_equity, run.days.factors(INDEX))))
    return found


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    ex_days=st.dictionaries(st.integers(1, 5), st.sampled_from(["0.5,,", "2,0.3,", ",,2", "1,0.1,0.5"]), max_size=4),
    batch=st.integers(1, 200),
    also=st.booleans(),
)
def test_event_and_column_mode_agree_over_ex_dates_and_no_value_knows_a_later_one(
    tmp_path_factory: pytest.TempPathFactory, seed: int, ex_days: dict[int, str], batch: int, also: bool
) -> None:
    """Same fills, values and digest; each value is the indicator of the bars adjusted backward, all of them or up to
    any bar."""
    folder = tmp_path_factory.mktemp("adjusted")
    lines = [f"{day(number)},{figures}" for number, figures in sorted(ex_days.items())]
    rows = a_walk(150, seed)
    (event, one), (column, other) = both_modes(
        folder, rows, "\n".join(["ex_date,cash,bonus,split", *lines]) + "\n", batch, also
    )
    assert one == other
    assert event.fills == column.fills
    assert np.array_equal(np.array(event.seen), np.array(column.seen), equal_nan=True)
    factors = one[2]
    assert len(factors) == len(ex_days)
    (whole,) = BarsOf(rows, interval_ns=HOUR_NS).batches()
    seen = np.array(event.seen)
    for count in (40, 90, 150):
        part = Columns(INDEX, HOUR_NS, *[getattr(whole, name)[:count] for name in (
            "ts_ns", "open", "high", "low", "close", "volume")])  # fmt: skip
        past: tuple[Adjustment, ...] = tuple(f for f in factors if f.ex_ns < part.ts_ns[-1])
        close = adjusted(part, past, "backward", int(part.ts_ns[-1])).close
        assert np.array_equal(seen[:count, 0], part.close)
        assert np.array_equal(seen[:count, 1], close)
        for place, (name, period) in enumerate((("sma", 3), ("ema", 4), ("rsi", 3), ("zscore", 4)), 2):
            expected = INDICATORS[name](period).column(close)
            assert np.array_equal(seen[:count, place], expected, equal_nan=True)


def test_a_split_moves_no_indicator_and_matching_stays_raw(tmp_path: Path) -> None:
    """Two for one: the price halves, the mean goes on, and what is bought costs the half."""
    rows = [(10.0, 10.0, 10.0, 10.0)] * 24 + [(5.0, 5.0, 5.0, 5.0)] * 24
    trader = Watches()
    run = a_backtest(trader, sources=[Hourly(rows, tmp_path, f"ex_date,split\n{day(1)},2\n")])
    ran(run)
    assert {row[0] for row in trader.seen} == {10.0, 5.0}
    assert {row[1] for row in trader.seen} == {10.0}
    assert not trader.fills
    assert run.days.factors(INDEX)[0].price_factor == 0.5
