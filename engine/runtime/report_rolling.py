"""Figures over a window of days that moves along the run."""

import math

import numpy as np
from msgspec import Struct

from engine.runtime.report_candles import Floats, Ints

WINDOWS = (126, 63, 21)
"""Days: half a year, a quarter, a month of trading. The longest that fits twice into the run is taken."""


class Rolling(Struct, frozen=True, kw_only=True):
    """At ``day_ns[i]`` stands the figure of the ``window`` daily returns up to that day."""

    window: int
    day_ns: tuple[int, ...]
    sharpe: tuple[float | None, ...]
    """As ``Statistics.sharpe``; None: the returns of the window are all the same."""
    volatility: tuple[float, ...]
    """As ``Statistics.annual_volatility``."""
    benchmark_sharpe: tuple[float | None, ...] = ()


def window_of(returns: int) -> int:
    """The window for a run of that many daily returns; 0: too few for any."""
    return next((window for window in WINDOWS if returns >= 2 * window), 0)


def rolling_of(day_ns: Ints, levels: Floats, days_a_year: int, benchmark: Floats | None = None) -> Rolling | None:
    """
    Args:
        day_ns: the days' last samples.
        levels: equity at the start and at each of them: one more.
        benchmark: the same of the benchmark.
    """
    window = window_of(len(day_ns))
    if not window or not (levels > 0).all():
        return None
    sharpe, volatility = _figures(levels, window, days_a_year)
    other = () if benchmark is None else tuple(_figures(benchmark, window, days_a_year)[0])
    return Rolling(
        window=window,
        day_ns=tuple(day_ns[window - 1 :].tolist()),
        sharpe=tuple(sharpe),
        volatility=tuple(volatility),
        benchmark_sharpe=other,
    )


def _figures(levels: Floats, window: int, days_a_year: int) -> tuple[list[float | None], list[float]]:
    returns = levels[1:] / levels[:-1] - 1.0
    windows = np.lib.stride_tricks.sliding_window_view(returns, window)
    deviation, mean, root = windows.std(axis=1, ddof=1), windows.mean(axis=1), math.sqrt(days_a_year)
    sharpe = [m / d * root if d > 1e-15 else None for m, d in zip(mean.tolist(), deviation.tolist(), strict=True)]
    return sharpe, (deviation * root).tolist()
