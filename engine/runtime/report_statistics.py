"""Figures of an equity curve and of round trips. Definitions are in each docstring; what can not be said is None."""

import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.domain.timestamps import DAY_NS, day_of
from engine.runtime.report_round_trips import RoundTrip

Floats = NDArray[np.float64]

YEAR_DAYS = 365.25
TRADING_DAYS = 252
"""Days a year by which daily figures are scaled; 365 where equity has weekend days too."""
_ANNUAL_FROM_NS = 7 * DAY_NS


class Statistics(Struct, frozen=True, kw_only=True):
    """Shares are fractions (0.05 is 5 %). None: too little data to say."""

    total_return: float
    annual_return: float | None
    """Compound, over 365.25 days; from seven days on."""
    annual_volatility: float | None
    """Sample deviation of daily returns x root of ``days_a_year``."""
    sharpe: float | None
    """Mean over sample deviation of daily returns x root of ``days_a_year``; no risk-free rate."""
    sortino: float | None
    """The same over the root mean square of the losing days alone."""
    calmar: float | None
    """Annual return over the largest drawdown."""
    max_drawdown: float
    """Largest fall from a peak, as a fraction of that peak, positive."""
    max_drawdown_from_ns: int
    max_drawdown_to_ns: int
    max_drawdown_recovered_ns: int
    """When the old peak was reached again; 0: not yet."""
    longest_drawdown_ns: int
    """Longest time below an earlier peak."""
    days_a_year: int
    days: int
    exposure: float
    """Share of the time with any position open."""
    turnover: float
    """Traded value over mean equity."""
    traded_value: Decimal
    fees: Decimal
    fills: int
    round_trips: int
    win_rate: float | None
    profit_factor: float | None
    """Sum of gains over sum of losses; None without losses."""
    average_pnl: float | None
    average_win: float | None
    average_loss: float | None
    best: float | None
    worst: float | None
    average_holding_ns: int | None
    losing_streak: int


class MonthlyReturn(Struct, frozen=True, kw_only=True, gc=False):
    year: int
    month: int
    return_: float


class Drawdown(Struct, frozen=True, kw_only=True):
    curve: Floats
    """At each sample, 0 or negative."""
    depth: float
    from_ns: int
    to_ns: int
    recovered_ns: int
    longest_ns: int


def drawdown_of(ts_ns: NDArray[np.int64], equity: Floats) -> Drawdown:
    """Falls from the highest equity so far; the arrays have at least one item."""
    peaks = np.maximum.accumulate(equity)
    curve = np.where(peaks > 0, equity / np.where(peaks > 0, peaks, 1.0) - 1.0, 0.0)
    worst = int(np.argmin(curve))
    start = int(np.flatnonzero(equity[: worst + 1] == peaks[worst])[-1])
    after = np.flatnonzero(equity[worst:] >= peaks[worst])
    fallen = curve[worst] < 0
    # Time under water runs from one touch of the peak to the next, or to the end.
    touches = np.append(np.flatnonzero(equity >= peaks), len(equity) - 1)
    gaps = np.diff(ts_ns[touches])
    apart = np.diff(touches) > 1
    if len(apart) and touches[-1] != touches[-2] and equity[-1] < peaks[-1]:
        apart[-1] = True
    return Drawdown(
        curve=curve,
        depth=float(-curve[worst]) if fallen else 0.0,
        from_ns=int(ts_ns[start]) if fallen else 0,
        to_ns=int(ts_ns[worst]) if fallen else 0,
        recovered_ns=int(ts_ns[worst + after[0]]) if fallen and len(after) else 0,
        longest_ns=int(gaps[apart].max()) if apart.any() else 0,
    )


def daily_closes(ts_ns: NDArray[np.int64], equity: Floats, tz: str) -> tuple[list[date], Floats]:
    """The last equity of each calendar day of the zone that has one."""
    last: dict[date, float] = {}
    for at, value in zip(ts_ns.tolist(), equity.tolist(), strict=True):
        last[day_of(at, tz)] = value
    return list(last), np.array(list(last.values()))


def monthly_returns(days: Sequence[date], closes: Floats, starting: float) -> tuple[MonthlyReturn, ...]:
    """Each month's last close over the last close before that month; the first over the starting equity."""
    ends: dict[tuple[int, int], float] = {}
    for day, close in zip(days, closes.tolist(), strict=True):
        ends[day.year, day.month] = close
    found, before = [], starting
    for (year, month), close in ends.items():
        found.append(MonthlyReturn(year=year, month=month, return_=close / before - 1.0 if before else 0.0))
        before = close
    return tuple(found)


def daily_figures(returns: Floats, days_a_year: int) -> tuple[float | None, float | None, float | None]:
    """(annual volatility, Sharpe, Sortino) of daily returns."""
    if len(returns) < 2:
        return None, None, None
    deviation, mean, root = float(returns.std(ddof=1)), float(returns.mean()), math.sqrt(days_a_year)
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return (
        deviation * root,
        mean / deviation * root if deviation > 1e-15 else None,
        mean / downside * root if downside > 1e-15 else None,
    )


def annual_return(total: float, span_ns: int) -> float | None:
    """Compound growth a year; None below seven days, or where everything is lost."""
    if span_ns < _ANNUAL_FROM_NS or total <= -1:
        return None
    grown = math.log1p(total) * YEAR_DAYS * DAY_NS / span_ns
    return math.expm1(grown) if grown < 700 else None


def losing_streak(trips: Sequence[RoundTrip]) -> int:
    """Most losing round trips in a row."""
    longest = now = 0
    for trip in trips:
        now = now + 1 if trip.pnl < 0 else 0
        longest = max(longest, now)
    return longest


def statistics_of(
    *,
    ts_ns: NDArray[np.int64],
    equity: Floats,
    tz: str,
    trips: Sequence[RoundTrip],
    fills: int,
    traded_value: Decimal,
    fees: Decimal,
    exposure: float,
) -> tuple[Statistics, Drawdown, tuple[MonthlyReturn, ...]]:
    """All figures of a run. The first item of ``equity`` is what it started with."""
    fall = drawdown_of(ts_ns, equity)
    starting = float(equity[0])
    days, closes = daily_closes(ts_ns[1:], equity[1:], tz)
    levels = np.concatenate([[starting], closes])
    returns = levels[1:] / np.where(levels[:-1] != 0, levels[:-1], np.nan) - 1.0
    returns = returns[np.isfinite(returns)]
    days_a_year = 365 if any(day.weekday() > 4 for day in days) else TRADING_DAYS
    total = float(equity[-1]) / starting - 1.0 if starting else 0.0
    yearly = annual_return(total, int(ts_ns[-1] - ts_ns[0]))
    volatility, sharpe, sortino = daily_figures(returns, days_a_year)
    pnls = np.array([trip.pnl for trip in trips])
    wins, losses = pnls[pnls > 0], pnls[pnls < 0]
    mean_equity = float(equity.mean())
    statistics = Statistics(
        total_return=total,
        annual_return=yearly,
        annual_volatility=volatility,
        sharpe=sharpe,
        sortino=sortino,
        calmar=yearly / fall.depth if yearly is not None and fall.depth else None,
        max_drawdown=fall.depth,
        max_drawdown_from_ns=fall.from_ns,
        max_drawdown_to_ns=fall.to_ns,
        max_drawdown_recovered_ns=fall.recovered_ns,
        longest_drawdown_ns=fall.longest_ns,
        days_a_year=days_a_year,
        days=len(days),
        exposure=exposure,
        turnover=float(traded_value) / mean_equity if mean_equity else 0.0,
        traded_value=traded_value,
        fees=fees,
        fills=fills,
        round_trips=len(trips),
        win_rate=len(wins) / len(pnls) if len(pnls) else None,
        profit_factor=float(wins.sum() / -losses.sum()) if len(losses) else None,
        average_pnl=float(pnls.mean()) if len(pnls) else None,
        average_win=float(wins.mean()) if len(wins) else None,
        average_loss=float(losses.mean()) if len(losses) else None,
        best=float(pnls.max()) if len(pnls) else None,
        worst=float(pnls.min()) if len(pnls) else None,
        average_holding_ns=sum(trip.holding_ns for trip in trips) // len(trips) if trips else None,
        losing_streak=losing_streak(trips),
    )
    return statistics, fall, monthly_returns(days, closes, starting)
