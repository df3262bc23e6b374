"""Averages that remember everything: each is its last value moved towards the new one. Seeded by a plain mean.

They are recursive, so their column is a loop too, of the shortest kind; each step is the one ``update`` does.
"""

from collections.abc import Callable

import numpy as np

from engine.indicators.indicator import NAN, Floats
from engine.native import columns

Step = Callable[[float, float], float]
"""The average after a value, from the average before it and the value."""
Steps = Callable[[float, Floats], Floats]
"""The same for value after value: a call for each would take twice as long as the arithmetic."""


class Smoothing:
    """Step by step from a seed: the mean of the first ``period`` values, added up one by one."""

    __slots__ = ("_seen", "_step", "_steps", "period", "value")

    def __init__(self, period: int, way: tuple[Step, Steps]) -> None:
        self.period = period
        self._step, self._steps = way
        self.value = NAN
        """The latest average."""
        self._seen: list[float] = []

    def update(self, value: float) -> float:
        if self._seen is not _FULL:
            return self._seed(value)
        step = self._step
        value = self.value = step(self.value, value)
        return value

    def _seed(self, value: float) -> float:
        self._seen.append(value)
        if len(self._seen) < self.period:
            return NAN
        total = 0.0
        for seen in self._seen:
            total += seen
        self.value = total / self.period
        self._seen = _FULL
        return self.value

    def column(self, values: Floats) -> Floats:
        found = np.full(len(values), NAN)
        done = 0
        if self._seen is not _FULL:
            done = min(len(values), self.period - len(self._seen))
            for value in values[:done].tolist():
                last = self._seed(value)
            if done:
                found[done - 1] = last
        if done < len(values):
            found[done:] = self._steps(self.value, values[done:])
            self.value = float(found[-1])
        return found


_FULL: list[float] = []
"""In the place of the seen values once they have given the seed."""


def exponential(period: int) -> tuple[Step, Steps]:
    """TA-Lib's EMA: ``k = 2 / (period + 1)``."""
    k = 2 / (period + 1)

    def steps(average: float, values: Floats) -> Floats:
        if columns is not None:
            there = np.empty(len(values))
            columns.exponential(average, k, np.ascontiguousarray(values), there)
            return there
        found = []
        for value in values.tolist():
            average = (value - average) * k + average
            found.append(average)
        return np.array(found)

    return lambda average, value: (value - average) * k + average, steps


def wilder(period: int) -> tuple[Step, Steps]:
    """Wilder's: the average counts ``period - 1`` times, the value once (New Concepts in Technical Trading, 1978)."""
    kept = period - 1

    def steps(average: float, values: Floats) -> Floats:
        if columns is not None:
            there = np.empty(len(values))
            columns.wilder(average, period, np.ascontiguousarray(values), there)
            return there
        found = []
        for value in values.tolist():
            average = (average * kept + value) / period
            found.append(average)
        return np.array(found)

    return lambda average, value: (average * kept + value) / period, steps
