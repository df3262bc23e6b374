"""Figures of an equity curve and of round trips. Definitions are in each docstring; what can not be said is None."""

import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from operator import attrgetter

import numpy as np
from msgspec import Struct

from engine.domain.money import ZERO
from engine.domain.timestamps import DAY_NS, HOUR_NS, SECOND_NS
from engine.runtime.report_candles import Floats, Ints, local_seconds
from engine.runtime.report_reading import Execution
from engine.runtime.report_round_trips import Move, RoundTrip, time_in_market

YEAR_DAYS = 365.25
TRADING_DAYS = 252
"""Days a year by which daily figures are scaled; 365 where equity has weekend days too."""
_ANNUAL_FROM_NS = 7 * DAY_NS
_NIGHT_ENDS_S = 6 * HOUR_NS // SECOND_NS
_EPOCH = date(1970, 1, 1).toordinal()
_SATURDAY = 5


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


class MonthlyTurnover(Struct, frozen=True, kw_only=True, gc=False):
    year: int
    month: int
    turnover: float


class Drawdown(Struct, frozen=True, kw_only=True):
    curve: Floats
    """At each sample, 0 or negative."""
    depth: float
    from_ns: int
    to_ns: int
    recovered_ns: int
    longest_ns: int


def drawdown_of(ts_ns: Ints, equity: Floats) -> Drawdown:
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


def day_numbers(ts_ns: Ints, tz: str) -> Ints:
    """Of each instant the calendar day of the zone, as days since 1970.

    An instant is of the day just before it, so one at midnight is the old day's. A Saturday with nothing after six in
    the morning is the end of Friday's night session, and counts as Friday.
    """
    if not len(ts_ns):
        return np.empty(0, np.int64)
    seconds = local_seconds(ts_ns - 1, tz)
    days: Ints = seconds // 86_400
    saturdays = (days + _EPOCH - 1) % 7 == _SATURDAY
    whole = np.unique(days[saturdays & (seconds % 86_400 >= _NIGHT_ENDS_S)])
    numbers: Ints = np.where(saturdays & ~np.isin(days, whole), days - 1, days)
    return numbers


def day_places(ts_ns: Ints, tz: str) -> tuple[list[date], Ints]:
    """The calendar days that have a sample, see ``day_numbers``, and the place of each day's last one."""
    numbers = day_numbers(ts_ns, tz)
    if not len(numbers):
        return [], numbers
    places: Ints = np.append(np.flatnonzero(np.diff(numbers)), len(numbers) - 1)
    return [date_of(number) for number in numbers[places].tolist()], places


def date_of(number: int) -> date:
    """The day of a ``day_numbers``."""
    return date.fromordinal(_EPOCH + number)


def daily_closes(ts_ns: Ints, equity: Floats, tz: str) -> tuple[list[date], Floats]:
    """The last equity of each calendar day of the zone that has one; see ``day_places``."""
    days, places = day_places(ts_ns, tz)
    return days, equity[places]


def returns_of(levels: Floats) -> Floats:
    """Each level over the one before, less 1; those from or to nothing are left out."""
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = levels[1:] / levels[:-1] - 1.0
    kept: Floats = returns[np.isfinite(returns)]
    return kept


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


def yearly_returns(monthly: Sequence[MonthlyReturn]) -> tuple[MonthlyReturn, ...]:
    """The months of each year compounded; ``month`` is 0."""
    grown: dict[int, float] = {}
    for row in monthly:
        grown[row.year] = grown.get(row.year, 1.0) * (1.0 + row.return_)
    return tuple(MonthlyReturn(year=year, month=0, return_=factor - 1.0) for year, factor in grown.items())


def turnover_by_month(
    ts_ns: Ints, equity: Floats, moved_ns: Ints, values: Floats, tz: str
) -> tuple[MonthlyTurnover, ...]:
    """Of each month with a sample: the value traded in it over the mean of its samples of equity."""
    samples, moves = _months(ts_ns, tz), _months(moved_ns, tz)
    found = []
    for month in np.unique(samples).tolist():
        mean, traded = float(equity[samples == month].mean()), float(values[moves == month].sum())
        turnover = traded / mean if mean > 0 else 0.0
        found.append(MonthlyTurnover(year=1970 + month // 12, month=month % 12 + 1, turnover=turnover))
    return tuple(found)


def _months(ts_ns: Ints, tz: str) -> Ints:
    """Months since January 1970."""
    days = day_numbers(ts_ns, tz).astype("datetime64[D]")
    months: Ints = days.astype("datetime64[M]").astype(np.int64)
    return months


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


def days_a_year_of(days: Sequence[date]) -> int:
    """252; 365 where any of the days is a Saturday or a Sunday."""
    return 365 if any(day.weekday() >= _SATURDAY for day in days) else TRADING_DAYS


def annual_return(total: float, span_ns: int) -> float | None:
    """Compound growth a year; None below seven days, or where everything is lost."""
    if span_ns < _ANNUAL_FROM_NS or total <= -1:
        return None
    grown = math.log1p(total) * YEAR_DAYS * DAY_NS / span_ns
    return math.expm1(grown) if grown < 700 else None


def losing_streak(pnls: Floats) -> int:
    """Most losses in a row."""
    others = np.flatnonzero(np.append(pnls >= 0, True))
    return int(np.diff(others, prepend=-1).max()) - 1


def statistics_of(
    *,
    ts_ns: Ints,
    equity: Floats,
    tz: str,
    trips: Sequence[RoundTrip],
    executions: Sequence[Execution],
    moves: Sequence[Move],
) -> tuple[Statistics, Drawdown, tuple[MonthlyReturn, ...]]:
    """All figures of a run. The first item of ``equity`` is what it started with; ``moves``: see ``moves_of``."""
    fall = drawdown_of(ts_ns, equity)
    starting = float(equity[0])
    days, closes = daily_closes(ts_ns[1:], equity[1:], tz)
    levels = np.concatenate([[starting], closes])
    returns = returns_of(levels)
    days_a_year = days_a_year_of(days)
    total = float(equity[-1]) / starting - 1.0 if starting else 0.0
    yearly = annual_return(total, int(ts_ns[-1] - ts_ns[0]))
    volatility, sharpe, sortino = daily_figures(returns, days_a_year)
    pnls = np.array([float(trip.pnl) for trip in trips])
    wins, losses = pnls[pnls > 0], pnls[pnls < 0]
    mean_equity = float(equity.mean())
    traded_value = sum(map(abs, map(attrgetter("value"), executions)), ZERO)
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
        exposure=time_in_market(moves, int(ts_ns[0]), int(ts_ns[-1])),
        turnover=float(traded_value) / mean_equity if mean_equity else 0.0,
        traded_value=traded_value,
        fees=sum(map(attrgetter("fee"), executions), ZERO),
        fills=sum(map(bool, map(attrgetter("quantity"), executions))),
        round_trips=len(trips),
        win_rate=len(wins) / len(pnls) if len(pnls) else None,
        profit_factor=float(wins.sum() / -losses.sum()) if len(losses) else None,
        average_pnl=float(pnls.mean()) if len(pnls) else None,
        average_win=float(wins.mean()) if len(wins) else None,
        average_loss=float(losses.mean()) if len(losses) else None,
        best=float(pnls.max()) if len(pnls) else None,
        worst=float(pnls.min()) if len(pnls) else None,
        average_holding_ns=sum(trip.holding_ns for trip in trips) // len(trips) if trips else None,
        losing_streak=losing_streak(pnls),
    )
    return statistics, fall, monthly_returns(days, closes, starting)
