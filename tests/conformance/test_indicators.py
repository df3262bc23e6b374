"""Every indicator: the same bits bar by bar and by column, and equal to TA-Lib or to its written definition."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.domain.errors import ConfigError
from engine.indicators import INDICATORS
from engine.indicators.cross import Cross
from engine.indicators.sma import Sma

Floats = NDArray[np.float64]

PERIODS: dict[str, tuple[tuple[Any, ...], ...]] = {
    "sma": ((1,), (2,), (7,), (30,)),
    "ema": ((1,), (2,), (9,), (30,)),
    "wma": ((1,), (2,), (7,), (30,)),
    "rsi": ((2,), (6,), (14,)),
    "macd": ((12, 26, 9), (2, 5, 3), (3, 4, 1)),
    "bollinger": ((20, 2.0), (2, 1.5), (5, 0.0)),
    "atr": ((1,), (2,), (14,)),
    "true_range": ((),),
    "adx": ((2,), (5,), (14,)),
    "kdj": ((9, 3, 3), (1, 1, 1), (5, 2, 4)),
    "cci": ((2,), (14,), (20,)),
    "obv": ((),),
    "vwap": ((1,), (5,), (20,)),
    "donchian": ((1,), (3,), (20,)),
    "highest": ((1,), (2,), (9,), (30,)),
    "lowest": ((1,), (2,), (9,), (30,)),
    "returns": ((1,), (5,)),
    "lag": ((1,), (5,)),
    "stddev": ((2,), (20,)),
    "zscore": ((2,), (20,)),
    "correlation": ((2,), (20,)),
    "cross": ((), (1e-6,), (0.5,)),
}
CASES = [(name, periods) for name, some in PERIODS.items() for periods in some]


def test_every_indicator_is_checked() -> None:
    """An indicator that joins the dictionary joins these tests."""
    assert PERIODS.keys() == INDICATORS.keys()
    for kind in INDICATORS.values():
        assert kind.inputs
        assert kind.outputs


# --- data ------------------------------------------------------------------------------------------------------------


def columns_of(close: Floats, seed: int) -> dict[str, Floats]:
    """Highs, lows and volumes around closes; ``value`` and ``other`` are the closes and a second walk near them."""
    draw = np.random.default_rng(seed)
    tick = np.abs(close) * 1e-3 + 1e-9
    open_ = close + tick * draw.integers(-3, 4, len(close))
    return {
        "open": open_,
        "high": np.maximum(open_, close) + tick * draw.integers(0, 3, len(close)),
        "low": np.minimum(open_, close) - tick * draw.integers(0, 3, len(close)),
        "close": close,
        "volume": draw.integers(0, 5, len(close)) * 100.0,
        "other": close + tick * draw.integers(-2, 3, len(close)),
    }


def a_series(kind: str, count: int, scale: float, seed: int) -> Floats:
    draw = np.random.default_rng(seed)
    if kind == "constant":
        return np.full(count, scale)
    if kind == "rising":
        return scale * (1 + np.arange(count) * 1e-3)
    if kind == "jumps":
        return scale * draw.uniform(0.001, 1_000, count)
    ticks = 2_000 + np.cumsum(draw.integers(-6, 7, count))
    return scale * np.abs(ticks) / 2_000 + scale * 1e-3


SERIES = st.builds(
    a_series,
    st.sampled_from(["walk", "walk", "constant", "rising", "jumps"]),
    st.integers(0, 140),
    st.sampled_from([1e-9, 0.1, 10.0, 4321.98, 1e15]),
    st.integers(0, 2**32 - 1),
)


def inputs_of(name: str, columns: dict[str, Floats]) -> list[Floats]:
    series = iter(("close", "other"))
    return [columns[next(series) if field == "value" else field] for field in INDICATORS[name].inputs]


def bar_by_bar(indicator: Any, inputs: Sequence[Floats]) -> list[tuple[float, ...]]:
    rows = [indicator.update(*row) for row in zip(*[one.tolist() for one in inputs], strict=True)]
    return [row if isinstance(row, tuple) else (row,) for row in rows]


def by_column(indicator: Any, inputs: Sequence[Floats]) -> list[Floats]:
    found = indicator.column(*inputs)
    return list(found) if isinstance(found, tuple) else [found]


def bits(values: Any) -> NDArray[np.int64]:
    """Every NaN alike, else to the bit; 0 and -0 differ."""
    array = np.array(values, np.float64)
    return np.where(np.isnan(array), -1, array.view(np.int64))


# --- one arithmetic --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INDICATORS)
@given(series=SERIES, seed=st.integers(0, 99), cuts=st.lists(st.integers(0, 140), max_size=4), first=st.booleans())
@settings(max_examples=12, deadline=None)
def test_bar_by_bar_equals_the_column_to_the_bit(
    name: str, series: Floats, seed: int, cuts: list[int], first: bool
) -> None:
    """However the series is cut into columns and single bars, and wherever it starts."""
    inputs = inputs_of(name, columns_of(series, seed))
    for periods in PERIODS[name]:
        expected = bar_by_bar(INDICATORS[name](*periods), inputs)
        taking_turns = INDICATORS[name](*periods)
        found: list[tuple[float, ...]] = []
        edges = [0, *sorted(min(cut, len(series)) for cut in cuts), len(series)]
        for number, (start, stop) in enumerate(pairwise(edges)):
            part = [one[start:stop] for one in inputs]
            if number % 2 == int(first):
                outputs = by_column(taking_turns, part)
                assert [len(one) for one in outputs] == [stop - start] * len(INDICATORS[name].outputs)
                found += list(zip(*[one.tolist() for one in outputs], strict=True))
            else:
                found += bar_by_bar(taking_turns, part)
        np.testing.assert_array_equal(bits(found), bits(expected))


@pytest.mark.parametrize("name", INDICATORS)
def test_many_bars_in_batches_equal_bar_by_bar(name: str) -> None:
    """Three batches of thousands of bars, as a backtest has them."""
    inputs = inputs_of(name, columns_of(a_series("walk", 5_000, 30.0, 3), 3))
    for periods in PERIODS[name]:
        whole, split = INDICATORS[name](*periods), INDICATORS[name](*periods)
        parts = [
            by_column(split, [one[a:b] for one in inputs]) for a, b in ((0, 1_700), (1_700, 1_703), (1_703, 5_000))
        ]
        found = np.array([np.concatenate(outputs) for outputs in zip(*parts, strict=True)]).T
        np.testing.assert_array_equal(bits(found), bits(bar_by_bar(whole, inputs)))


@pytest.mark.parametrize("value", [0.1, 7.77, 1e-7, 98_765_432.1])
def test_the_mean_of_a_constant_is_that_constant(value: float) -> None:
    """So no average of a flat market crosses another by rounding."""
    for name in ("sma", "wma"):
        found = INDICATORS[name](7).column(np.full(40, value))
        assert set(found[6:].tolist()) == {value}


def test_a_sum_forgets_what_left_the_window() -> None:
    """A price a million times the others costs nothing once it is out of the window: no running sum keeps its error."""
    values = np.array([1.1, 1e12, 1.3] + [1.1, 1.2, 1.3] * 20)
    assert Sma(3).column(values)[-1] == pytest.approx(1.2, rel=1e-15)


@pytest.mark.parametrize(
    ("name", "periods"),
    [("sma", (0,)), ("ema", (-1,)), ("rsi", (1,)), ("macd", (26, 12, 9)), ("cci", (True,)), ("wma", (2.5,))],
)
def test_a_window_of_nothing_is_refused(name: str, periods: tuple[Any, ...]) -> None:
    """One sentence that names the indicator."""
    with pytest.raises(ConfigError, match=f"^{name}: "):
        INDICATORS[name](*periods)


# --- what others say -------------------------------------------------------------------------------------------------

LONG = columns_of(a_series("walk", 1_500, 4321.98, 11), 11)
CLOSE, HIGH, LOW, VOLUME, OTHER = (LONG[name] for name in ("close", "high", "low", "volume", "other"))


def close_to(found: Sequence[Floats], expected: Sequence[Floats]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
        assert np.count_nonzero(~np.isnan(ours)) > 1_000
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def bollinger_of(ta: Any, period: int, width: float) -> Any:
    return ta.BBANDS(CLOSE, period, width, width)


TALIB: dict[str, Callable[..., Any]] = {
    "sma": lambda ta, p: ta.SMA(CLOSE, p) if p > 1 else CLOSE,
    "ema": lambda ta, p: ta.EMA(CLOSE, p) if p > 1 else CLOSE,
    "wma": lambda ta, p: ta.WMA(CLOSE, p) if p > 1 else CLOSE,
    "rsi": lambda ta, p: ta.RSI(CLOSE, p),
    "macd": lambda ta, f, s, g: ta.MACD(CLOSE, f, s, g),
    "bollinger": bollinger_of,
    "atr": lambda ta, p: ta.ATR(HIGH, LOW, CLOSE, p),
    "true_range": lambda ta: ta.TRANGE(HIGH, LOW, CLOSE),
    "adx": lambda ta, p: (
        ta.ADX(HIGH, LOW, CLOSE, p), ta.PLUS_DI(HIGH, LOW, CLOSE, p), ta.MINUS_DI(HIGH, LOW, CLOSE, p),
    ),
    "cci": lambda ta, p: ta.CCI(HIGH, LOW, CLOSE, p),
    "obv": lambda ta: ta.OBV(CLOSE, VOLUME),
    "highest": lambda ta, p: ta.MAX(CLOSE, p) if p > 1 else CLOSE,
    "lowest": lambda ta, p: ta.MIN(CLOSE, p) if p > 1 else CLOSE,
    "returns": lambda ta, p: ta.ROCP(CLOSE, p),
    "stddev": lambda ta, p: ta.STDDEV(CLOSE, p),
    "correlation": lambda ta, p: ta.CORREL(CLOSE, OTHER, p),
}  # fmt: skip


@pytest.mark.parametrize(("name", "periods"), [case for case in CASES if case[0] in TALIB])
def test_it_equals_talib(name: str, periods: tuple[Any, ...]) -> None:
    """Within 1e-9, and known from the same bar on; TA-Lib's columns are worked out by its own library."""
    ta = pytest.importorskip("talib", reason="there is no wheel of TA-Lib for this platform")
    theirs = TALIB[name](ta, *periods)
    ours = by_column(INDICATORS[name](*periods), inputs_of(name, LONG))
    close_to(ours, theirs if isinstance(theirs, tuple) else (theirs,))


def windows(period: int, function: Callable[[int, int], float]) -> Floats:
    """The definition over each window [start, stop), NaN before the first."""
    head = [math.nan] * (period - 1)
    return np.array(head + [function(end - period, end) for end in range(period, len(CLOSE) + 1)])


def kdj_by_definition(period: int, smooth_k: int, smooth_d: int) -> tuple[Floats, Floats, Floats]:
    k = d = 50.0
    rows = [(math.nan, math.nan, math.nan)] * (period - 1)
    for end in range(period, len(CLOSE) + 1):
        top, bottom = HIGH[end - period : end].max(), LOW[end - period : end].min()
        rsv = 100 * (CLOSE[end - 1] - bottom) / (top - bottom) if top > bottom else 50.0
        k = (smooth_k - 1) / smooth_k * k + rsv / smooth_k
        d = (smooth_d - 1) / smooth_d * d + k / smooth_d
        rows.append((k, d, 3 * k - 2 * d))
    columns = np.array(rows).T
    return columns[0], columns[1], columns[2]


def vwap_by_definition(period: int) -> Floats:
    typical = (HIGH + LOW + CLOSE) / 3

    def one(start: int, stop: int) -> float:
        traded = VOLUME[start:stop].sum()
        return float((typical[start:stop] * VOLUME[start:stop]).sum() / traded) if traded else math.nan

    return windows(period, one)


def donchian_by_definition(period: int) -> tuple[Floats, Floats, Floats]:
    upper = windows(period, lambda a, b: float(HIGH[a:b].max()))
    lower = windows(period, lambda a, b: float(LOW[a:b].min()))
    return upper, (upper + lower) / 2, lower


def zscore_by_definition(period: int) -> Floats:
    def one(start: int, stop: int) -> float:
        deviation = CLOSE[start:stop].std()
        return float((CLOSE[stop - 1] - CLOSE[start:stop].mean()) / deviation) if deviation else 0.0

    return windows(period, one)


def cross_by_definition(tie: float = 1e-9) -> Floats:
    found, side = [], 0
    for gap in (CLOSE - OTHER).tolist():
        now = 1 if gap > tie else -1 if gap < -tie else side
        found.append(float(now) if side and now != side else 0.0)
        side = now
    return np.array(found)


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "kdj": kdj_by_definition,
    "vwap": vwap_by_definition,
    "donchian": donchian_by_definition,
    "zscore": zscore_by_definition,
    "cross": cross_by_definition,
    "lag": lambda p: np.concatenate((np.full(p, math.nan), CLOSE[:-p])),
}


@pytest.mark.parametrize(("name", "periods"), [case for case in CASES if case[0] in DEFINITIONS])
def test_it_equals_its_definition(name: str, periods: tuple[Any, ...]) -> None:
    """Within 1e-9 of the formula written out, window by window, where TA-Lib has none."""
    expected = DEFINITIONS[name](*periods)
    found = by_column(INDICATORS[name](*periods), inputs_of(name, LONG))
    close_to(found, expected if isinstance(expected, tuple) else (expected,))


def test_every_indicator_is_compared_with_something() -> None:
    """TA-Lib or a definition: none stands on our word alone."""
    assert INDICATORS.keys() == TALIB.keys() | DEFINITIONS.keys()


# --- crosses ---------------------------------------------------------------------------------------------------------


def test_the_first_side_seen_is_no_cross_and_a_tie_is_no_side() -> None:
    """Above, equal, above: nothing. Then below: -1, once. What is not known yet is no side either."""
    cross = Cross(0.1)
    pairs = [(math.nan, 1.0), (2.0, 1.0), (1.0, 1.05), (2.0, 1.0), (1.0, 1.0), (0.5, 1.0), (0.5, 1.0), (1.5, 1.0)]
    assert [cross.update(*pair) for pair in pairs] == [0, 0, 0, 0, 0, -1, 0, 1]
