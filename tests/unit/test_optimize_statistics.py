"""Deflated Sharpe ratio and probability of overfitting, against the papers' examples and other arithmetic."""

import math
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runtime.optimize.deflated_sharpe import (
    Moments,
    deflated_sharpe,
    expected_best_sharpe,
    moments_of,
    probabilistic_sharpe,
)
from engine.runtime.optimize.overfitting import overfitting_of

PAPER = Moments(count=1250, sharpe=2.5 / math.sqrt(250), skewness=-3, kurtosis=10)
"""Bailey and López de Prado 2014, "a numerical example": five years of 250 days, an annual Sharpe ratio of 2.5."""
VARIANCE = 0.5 / 250


def test_the_papers_example_comes_out() -> None:
    """100 trials: 0.1132 is expected by luck, DSR 0.9004; 46 trials are the most that pass 95 %, 88 if normal."""
    luck = expected_best_sharpe(VARIANCE, 100)
    assert round(luck, 4) == 0.1132
    assert round(probabilistic_sharpe(PAPER, luck) or 0, 4) == 0.9004
    assert round(probabilistic_sharpe(PAPER, expected_best_sharpe(VARIANCE, 46)) or 0, 4) == 0.9505
    normal = Moments(count=1250, sharpe=2.5 / math.sqrt(250), skewness=0, kurtosis=3)
    assert round(probabilistic_sharpe(normal, expected_best_sharpe(VARIANCE, 88)) or 0, 4) == 0.9505


def test_the_best_of_many_without_skill_is_near_what_is_expected() -> None:
    """The formula against the mean of 4,000 drawn maxima."""
    drawn = np.random.default_rng(1).normal(0, 0.1, (4_000, 50)).max(axis=1)
    assert expected_best_sharpe(0.01, 50) == pytest.approx(float(drawn.mean()), rel=0.02)


def test_a_single_try_is_not_deflated() -> None:
    """One set: the probabilistic Sharpe ratio; nothing that moves: no answer."""
    returns = np.random.default_rng(2).normal(0.001, 0.01, 300)
    moments = moments_of(returns)
    assert moments is not None
    assert deflated_sharpe(moments, [moments.sharpe]) == probabilistic_sharpe(moments)
    assert moments_of(np.zeros(300)) is None
    assert moments_of(np.array([0.01, 0.02])) is None


def test_moments_are_those_of_the_definition() -> None:
    """Skewness and kurtosis by sums over a list."""
    returns = [0.01, -0.02, 0.03, 0.0, 0.015, -0.005]
    mean = sum(returns) / 6
    second, third, fourth = (sum((r - mean) ** k for r in returns) / 6 for k in (2, 3, 4))
    moments = moments_of(np.array(returns))
    assert moments is not None
    assert moments.skewness == pytest.approx(third / second**1.5)
    assert moments.kurtosis == pytest.approx(fourth / second**2)
    assert moments.sharpe == pytest.approx(mean / math.sqrt(second * 6 / 5))
    spread = 1 - moments.skewness * moments.sharpe + (moments.kurtosis - 1) / 4 * moments.sharpe**2
    expected = NormalDist().cdf(moments.sharpe * math.sqrt(5) / math.sqrt(spread))
    assert probabilistic_sharpe(moments) == pytest.approx(expected)


def slow_overfitting(returns: np.ndarray, blocks: int) -> tuple[float, float]:
    """CSCV by loops over lists of days, as section 3 of the paper writes it down."""
    length = len(returns) // blocks
    kept = returns[len(returns) - length * blocks :]
    parts = [kept[n * length : (n + 1) * length] for n in range(blocks)]
    low = lost = ways = 0

    def ratio(days: np.ndarray) -> list[float]:
        return [float(c.mean() / c.std(ddof=1)) if c.std() > 1e-15 else 0.0 for c in days.T]

    for half in combinations(range(blocks), blocks // 2):
        inside = ratio(np.concatenate([parts[n] for n in half]))
        outside = ratio(np.concatenate([parts[n] for n in range(blocks) if n not in half]))
        there = outside[inside.index(max(inside))]
        rank = (
            sum(1 for o in outside if o < there - 1e-12) + (sum(1 for o in outside if abs(o - there) <= 1e-12) + 1) / 2
        )
        relative = rank / (len(outside) + 1)
        low += math.log(relative / (1 - relative)) <= 1e-12
        lost += there < 0
        ways += 1
    return low / ways, lost / ways


@given(seed=st.integers(0, 2**32 - 1), days=st.integers(24, 61), sets=st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_the_probability_of_overfitting_is_that_of_plain_loops(seed: int, days: int, sets: int) -> None:
    """Six blocks of random days."""
    returns = np.random.default_rng(seed).normal(0.0002, 0.01, (days, sets))
    found = overfitting_of(returns, 6)
    assert found is not None
    assert (found.probability, found.loss_probability) == pytest.approx(slow_overfitting(returns, 6))
    assert found.ways == math.comb(6, 3) == sum(found.logits)


def test_skill_is_not_overfit_and_noise_is() -> None:
    """One set that is better every day: 0; fifty of noise: near a half, over many draws."""
    noise = np.random.default_rng(3).normal(0, 0.01, (320, 50))
    skilled = noise.copy()
    skilled[:, 7] += 0.01
    found = overfitting_of(skilled)
    assert found is not None
    assert found.probability == 0.0
    assert found.ways == 12_870
    drawn = [overfitting_of(np.random.default_rng(n).normal(0, 0.01, (64, 20)), 8) for n in range(30)]
    assert 0.4 < float(np.mean([one.probability for one in drawn if one is not None])) < 0.6


def test_too_little_has_no_answer() -> None:
    """One set, or fewer than sixteen days; sets that never trade share the middle."""
    assert overfitting_of(np.zeros((100, 1))) is None
    assert overfitting_of(np.zeros((15, 5))) is None
    flat = overfitting_of(np.zeros((100, 5)))
    assert flat is not None
    assert flat.probability == 1.0
    assert flat.loss_probability == 0.0
