"""A run beside a benchmark: what else the money could have been in, and how the two moved together.

The benchmark starts with the run's starting equity and pays no fees. Beta, alpha, correlation and the information ratio
are of the daily returns of both, a day each that the run has (``Statistics.days``); nothing is taken for riskless.
"""

import math
from collections.abc import Sequence
from datetime import date

import numpy as np
from msgspec import Struct

from engine.runtime.report_candles import Floats, Ints
from engine.runtime.report_drawdowns import deepest_falls
from engine.runtime.report_statistics import annual_return, daily_figures, days_a_year_of

RETURNS_MIN = 3
"""Fewer daily returns say nothing of how two things move together."""


class Benchmark(Struct, frozen=True, kw_only=True):
    """The figures without a word are the benchmark's own, defined as in ``Statistics``."""

    name: str
    kind: str
    """``hold``: equal parts of the starting equity in each instrument of the run's data, bought at its first open and
    held; ``instrument``: all of it in one of them; ``file``: prices of a file."""
    values: tuple[float, ...]
    """At each of the run's samples, in the run's money."""
    total_return: float
    annual_return: float | None
    annual_volatility: float | None
    sharpe: float | None
    max_drawdown: float
    excess_return: float
    """The run's total return less the benchmark's."""
    beta: float | None
    """Covariance of daily returns over the benchmark's variance."""
    alpha: float | None
    """Mean daily return less beta times the benchmark's, x ``days_a_year``."""
    correlation: float | None
    tracking_error: float | None
    """Sample deviation of the daily differences x root of ``days_a_year``."""
    information_ratio: float | None
    """Mean over sample deviation of the daily differences x root of ``days_a_year``."""
    up_days: float | None
    """Share of the days on which the run did better."""


def benchmark_of(
    name: str,
    kind: str,
    values: Floats,
    ts_ns: Ints,
    equity: Floats,
    days: Sequence[date],
    places: Ints,
) -> Benchmark:
    """
    Args:
        values: the benchmark's worth at each sample; the first is the starting equity.
        ts_ns, equity: the run's samples.
        days, places: the run's days and the places of their last samples; see ``day_places``.
    """
    days_a_year = days_a_year_of(days)
    own, other = _daily(equity, places), _daily(values, places)
    total = float(values[-1] / values[0]) - 1.0 if values[0] else 0.0
    volatility, sharpe, _ = daily_figures(other[np.isfinite(other)], days_a_year)
    falls = deepest_falls(ts_ns, values, 1)
    whole = float(equity[-1] / equity[0]) - 1.0 if equity[0] else 0.0
    beta, alpha, correlation, error, ratio, up = _together(own, other, days_a_year)
    return Benchmark(
        name=name,
        kind=kind,
        values=tuple(values.tolist()),
        total_return=total,
        annual_return=annual_return(total, int(ts_ns[-1] - ts_ns[0])),
        annual_volatility=volatility,
        sharpe=sharpe,
        max_drawdown=falls[0].depth if falls else 0.0,
        excess_return=whole - total,
        beta=beta,
        alpha=alpha,
        correlation=correlation,
        tracking_error=error,
        information_ratio=ratio,
        up_days=up,
    )


def _daily(values: Floats, places: Ints) -> Floats:
    levels = np.concatenate([values[:1], values[places]])
    with np.errstate(divide="ignore", invalid="ignore"):
        returns: Floats = levels[1:] / levels[:-1] - 1.0
    return returns


def _together(own: Floats, other: Floats, days_a_year: int) -> tuple[float | None, ...]:
    """(beta, alpha, correlation, tracking error, information ratio, share of better days)."""
    known = np.isfinite(own) & np.isfinite(other)
    own, other = own[known], other[known]
    if len(own) < RETURNS_MIN:
        return (None,) * 6
    spread, apart = own - other, math.sqrt(days_a_year)
    error = float(spread.std(ddof=1))
    variance, moves = float(other.var(ddof=1)), float(own.std(ddof=1))
    beta = alpha = correlation = None
    if variance > 1e-30:
        shared = float(((own - own.mean()) * (other - other.mean())).sum()) / (len(own) - 1)
        beta = shared / variance
        alpha = (float(own.mean()) - beta * float(other.mean())) * days_a_year
        if moves > 1e-15:
            correlation = max(-1.0, min(1.0, shared / (moves * math.sqrt(variance))))
    return (
        beta,
        alpha,
        correlation,
        error * apart,
        float(spread.mean()) / error * apart if error > 1e-15 else None,
        float((spread > 0).mean()),
    )


def scaled(prices: Floats, starting: float, first: float) -> Floats:
    """A holding bought at ``first`` with ``starting``: cash until it has a price."""
    if not first > 0:
        return np.full(len(prices), starting)
    held: Floats = np.where(np.isnan(prices), first, prices) / first * starting
    return held
