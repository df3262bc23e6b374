"""The sets in order, each with the probability that what it shows is more than luck."""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.runtime.optimize.deflated_sharpe import (
    deflated_sharpe,
    expected_best_sharpe,
    moments_of,
    probabilistic_sharpe,
)
from engine.runtime.optimize.jobs import Row
from engine.runtime.optimize.objective import Objective
from engine.runtime.optimize.overfitting import Overfitting, overfitting_of


class RankedSet(Struct, frozen=True, kw_only=True):
    rank: int
    """1 is the best; sets that are not fit come last."""
    number: int
    """In the order of the search, from 1."""
    row: Row
    value: float | None
    """The objective."""
    probabilistic_sharpe: float | None
    """Probability that its true Sharpe ratio is above 0, were it the only one tried."""
    deflated_sharpe: float | None
    """The same above what the best of all tries would have had by luck."""
    unfit: str
    """Why it is not to be chosen; empty: it may be."""


class Ranking(Struct, frozen=True, kw_only=True):
    sets: tuple[RankedSet, ...]
    tried: int
    """Sets that ran to the end: those the deflated Sharpe ratio counts."""
    luck: float | None
    """Annual Sharpe ratio that the best of so many tries has by luck alone."""
    overfitting: Overfitting | None

    @property
    def best(self) -> RankedSet | None:
        return self.sets[0] if self.sets and not self.sets[0].unfit else None


def ranking_of(rows: Sequence[Row], objective: Objective) -> Ranking:
    """Rows in the order of the search; equal ones keep it."""
    moments = [moments_of(row.returns) if row.figures is not None else None for row in rows]
    # A set that never traded was tried all the same: its ratio is 0.
    counted = [not row.problem and row.figures is not None for row in rows]
    tried = [m.sharpe if m is not None else 0.0 for m, c in zip(moments, counted, strict=True) if c]
    worths = [objective.worth(row) for row in rows]
    order = sorted(range(len(rows)), key=lambda n: (worths[n] is None, -(worths[n] or 0.0), n))
    found = []
    for rank, n in enumerate(order, 1):
        m = moments[n] if counted[n] else None
        found.append(
            RankedSet(
                rank=rank,
                number=n + 1,
                row=rows[n],
                value=objective.shown(rows[n].figures),
                probabilistic_sharpe=None if m is None else probabilistic_sharpe(m),
                deflated_sharpe=None if m is None else deflated_sharpe(m, tried),
                unfit=objective.unfit(rows[n]),
            )
        )
    return Ranking(
        sets=tuple(found),
        tried=len(tried),
        luck=_luck(rows, tried),
        overfitting=overfitting_of(daily_matrix([row for row, c in zip(rows, counted, strict=True) if c])),
    )


def _luck(rows: Sequence[Row], tried: Sequence[float]) -> float | None:
    if not tried:
        return None
    variance = float(np.var(np.array(tried), ddof=1)) if len(tried) > 1 else 0.0
    days_a_year = max(row.figures.days_a_year for row in rows if row.figures is not None)
    return expected_best_sharpe(variance, len(tried)) * math.sqrt(days_a_year)


def daily_matrix(rows: Sequence[Row]) -> NDArray[np.float64]:
    """Daily returns, (days, rows); 0 on a day that a row does not have."""
    if not rows:
        return np.empty((0, 0))
    days = np.unique(np.concatenate([row.day_ordinals for row in rows]))
    matrix = np.zeros((len(days), len(rows)))
    for n, row in enumerate(rows):
        matrix[np.searchsorted(days, row.day_ordinals), n] = row.returns
    return matrix
