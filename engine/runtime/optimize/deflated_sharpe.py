"""How likely a Sharpe ratio is above 0 once it is known how many were tried: Bailey and López de Prado.

*The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest Overfitting and Non-Normality*, Journal of Portfolio
Management 40(5), 2014. All ratios here are per observation (a day), not a year.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

_NORMAL = NormalDist()
_EULER_MASCHERONI = 0.5772156649015329
_LEAST_DAYS = 3
_FLAT = 1e-15


class Moments(Struct, frozen=True, kw_only=True, gc=False):
    """What the formula asks of a series of returns. ``kurtosis`` is 3 for a normal one."""

    count: int
    sharpe: float
    skewness: float
    kurtosis: float


def moments_of(returns: NDArray[np.float64]) -> Moments | None:
    """None below three returns, or where all are equal."""
    count = len(returns)
    if count < _LEAST_DAYS:
        return None
    mean, deviation = float(returns.mean()), float(returns.std(ddof=1))
    if deviation <= _FLAT:
        return None
    # Skewness and kurtosis are the plain moments, over the deviation that divides by ``count``.
    standard = (returns - mean) / float(returns.std())
    return Moments(
        count=count,
        sharpe=mean / deviation,
        skewness=float(np.mean(standard**3)),
        kurtosis=float(np.mean(standard**4)),
    )


def expected_best_sharpe(variance: float, trials: int) -> float:
    """The best Sharpe ratio to be expected of so many tries of no skill at all (equation 1 of the paper).

    Args:
        variance: of the Sharpe ratios of all tries.
        trials: how many they were, taken as independent; 1 gives 0.
    """
    if trials < 2 or variance <= 0:
        return 0.0
    highest = (1 - _EULER_MASCHERONI) * _NORMAL.inv_cdf(1 - 1 / trials)
    highest += _EULER_MASCHERONI * _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * highest


def probabilistic_sharpe(moments: Moments, benchmark: float = 0.0) -> float | None:
    """The probability that the true Sharpe ratio is above ``benchmark`` (equation 2 of the paper).

    None where the moments are such that the ratio's own error can not be said.
    """
    m = moments
    spread = 1 - m.skewness * m.sharpe + (m.kurtosis - 1) / 4 * m.sharpe**2
    if spread <= 0:
        return None
    return _NORMAL.cdf((m.sharpe - benchmark) * math.sqrt(m.count - 1) / math.sqrt(spread))


def deflated_sharpe(moments: Moments, tried: Sequence[float]) -> float | None:
    """``probabilistic_sharpe`` above what the best of all tries would have had without any skill.

    Args:
        tried: the Sharpe ratio of every try, this one too.
    """
    variance = float(np.var(np.array(tried), ddof=1)) if len(tried) > 1 else 0.0
    return probabilistic_sharpe(moments, expected_best_sharpe(variance, len(tried)))
