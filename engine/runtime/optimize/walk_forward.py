"""What came of a walk: each window's choice, what it did afterwards, and the test windows joined into one curve."""

from collections.abc import Sequence
from datetime import date

import numpy as np
from msgspec import Struct

from engine.domain.timestamps import DAY_NS
from engine.runtime.optimize.deflated_sharpe import moments_of, probabilistic_sharpe
from engine.runtime.optimize.jobs import Row
from engine.runtime.optimize.objective import Objective
from engine.runtime.optimize.ranking import RankedSet, Ranking
from engine.runtime.optimize.windows import Window
from engine.runtime.report_statistics import annual_return, daily_figures, drawdown_of


class WindowOutcome(Struct, frozen=True, kw_only=True):
    """``chosen`` None: no set was fit in the train window, and nothing was traded in the test window."""

    window: Window
    ranking: Ranking
    chosen: RankedSet | None
    test: Row | None
    out_of_sample: float | None
    """The objective in the test window."""


class Stitched(Struct, frozen=True, kw_only=True):
    """The test windows one after another, each growing what the one before it left."""

    days: tuple[date, ...]
    levels: tuple[float, ...]
    """Starting equity, then the equity of each day."""
    total_return: float
    annual_return: float | None
    annual_volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float
    probabilistic_sharpe: float | None
    """Probability that the true Sharpe ratio is above 0; nothing was chosen among these returns."""
    round_trips: int
    fees: float


class Walk(Struct, frozen=True, kw_only=True):
    windows: tuple[WindowOutcome, ...]
    stitched: Stitched | None
    """None: no test window was traded."""


def outcome_of(window: Window, ranking: Ranking, test: Row | None, objective: Objective) -> WindowOutcome:
    value = None if test is None or test.problem else objective.shown(test.figures)
    return WindowOutcome(window=window, ranking=ranking, chosen=ranking.best, test=test, out_of_sample=value)


def walk_of(windows: Sequence[WindowOutcome]) -> Walk:
    """Join the test windows; one that was not traded adds no days."""
    tests = [w.test for w in windows if w.test is not None and w.test.figures is not None]
    return Walk(windows=tuple(windows), stitched=_stitch(tests) if tests else None)


def _stitch(tests: Sequence[Row]) -> Stitched:
    starting = tests[0].starting
    grown: dict[int, float] = {}
    for test in tests:
        for day, one in zip(test.day_ordinals.tolist(), test.returns.tolist(), strict=True):
            # A day that two windows share is one day.
            grown[day] = grown.get(day, 1.0) * (1.0 + one)
    ordinals, returns = np.array(list(grown), np.int64), np.array(list(grown.values())) - 1.0
    levels = starting * np.cumprod(np.concatenate([[1.0], 1.0 + returns]))
    figures = [test.figures for test in tests if test.figures is not None]
    days_a_year = max(one.days_a_year for one in figures)
    instants = np.concatenate([ordinals[:1] - 1, ordinals]) * DAY_NS
    fall = drawdown_of(instants, levels)
    total = float(levels[-1] / starting - 1.0) if starting else 0.0
    yearly = annual_return(total, int(instants[-1] - instants[0]))
    volatility, sharpe, sortino = daily_figures(returns, days_a_year)
    moments = moments_of(returns)
    return Stitched(
        days=tuple(date.fromordinal(day) for day in ordinals.tolist()),
        levels=tuple(levels.tolist()),
        total_return=total,
        annual_return=yearly,
        annual_volatility=volatility,
        sharpe=sharpe,
        sortino=sortino,
        calmar=yearly / fall.depth if yearly is not None and fall.depth else None,
        max_drawdown=fall.depth,
        probabilistic_sharpe=None if moments is None else probabilistic_sharpe(moments),
        round_trips=sum(one.round_trips for one in figures),
        fees=sum(one.fees for one in figures),
    )
