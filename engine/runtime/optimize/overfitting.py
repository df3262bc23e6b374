"""The probability of backtest overfitting, by combinatorially symmetric cross-validation.

Bailey, Borwein, López de Prado and Zhu, *The Probability of Backtest Overfitting*, Journal of Computational Finance
20(4), 2017 (first out in 2015), section 3: the days are cut into blocks, each half of the blocks is once the sample in
which the best set is chosen, and the other half shows what became of it.
"""

from itertools import combinations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCKS = 16
"""As in the paper: 12,870 ways to choose half of them."""
_LEAST_BLOCKS, _LEAST_DAYS = 4, 4
_AT_ONCE = 256
_FLAT = 1e-24


class Overfitting(Struct, frozen=True, kw_only=True):
    """What the ways to cut the days came to."""

    probability: float
    """Share of them in which the best set of one half was in the lower half of the other."""
    loss_probability: float
    """Share of them in which it lost money in the other half."""
    blocks: int
    ways: int
    logits: tuple[int, ...]
    """How often ``ln(w / (1 - w))`` of its relative rank ``w`` fell between two of ``logit_edges``."""
    logit_edges: tuple[float, ...]


def overfitting_of(returns: Floats, blocks: int = BLOCKS) -> Overfitting | None:
    """CSCV by the Sharpe ratio of daily returns, whatever the sets were ranked by.

    Args:
        returns: (days, sets). Days that do not fill the last block are left out, the oldest first.
        blocks: even; fewer are taken where there would be less than four days in one.

    Returns:
        None with less than two sets, or too few days for four blocks.
    """
    days, sets = returns.shape
    blocks = min(blocks, days // _LEAST_DAYS // 2 * 2)
    if sets < 2 or blocks < _LEAST_BLOCKS:
        return None
    length = days // blocks
    kept = returns[days - length * blocks :].reshape(blocks, length, sets)
    sums, squares = kept.sum(axis=1), (kept**2).sum(axis=1)
    choices = np.array([[n in half for n in range(blocks)] for half in combinations(range(blocks), blocks // 2)])
    ranks: list[Floats] = []
    lost, count = 0, length * (blocks // 2)
    # The other half of the n-th choice is the n-th choice from the end: each pair is worked out once.
    for first in range(0, len(choices) // 2, _AT_ONCE):
        chosen = choices[first : min(first + _AT_ONCE, len(choices) // 2)].astype(np.float64)
        one = _sharpes(chosen @ sums, chosen @ squares, count)
        other = _sharpes((1 - chosen) @ sums, (1 - chosen) @ squares, count)
        for inside, outside in ((one, other), (other, one)):
            there = np.take_along_axis(outside, inside.argmax(axis=1)[:, None], axis=1)
            lost += int((there < 0).sum())
            # Sets that are equal share their place.
            ranks.append(((outside < there).sum(axis=1) + (outside <= there).sum(axis=1) + 1) / 2)
    relative = np.concatenate(ranks) / (sets + 1)
    logits = np.log(relative / (1 - relative))
    edges = np.linspace(-1, 1, 42) * max(1.0, float(np.abs(logits).max()))
    return Overfitting(
        probability=float((logits <= 0).mean()),
        loss_probability=lost / len(choices),
        blocks=blocks,
        ways=len(choices),
        logits=tuple(np.histogram(logits, edges)[0].tolist()),
        logit_edges=tuple(np.round(edges, 4).tolist()),
    )


def _sharpes(sums: Floats, squares: Floats, count: int) -> Floats:
    """Mean over deviation, up to a factor that all share; 0 where nothing moved."""
    # Few passes over these arrays, for they are the work: count x count x variance, in place.
    spread = sums * sums
    floor = spread * 1e-18 + _FLAT
    np.subtract(squares * count, spread, out=spread)
    # What is left of a constant after rounding is no deviation.
    spread[spread <= floor] = np.inf
    np.sqrt(spread, out=spread)
    return np.divide(sums, spread, out=spread)
