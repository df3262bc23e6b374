"""Standard deviation, and the mean and variance it comes from."""

import math
from typing import ClassVar

import numpy as np

from engine.indicators.indicator import Floats, checked
from engine.indicators.window import WindowSums, values_and_squares


class Spread:
    """Mean and standard deviation (of the whole window: divided by ``period``) of the last ``period`` values."""

    __slots__ = ("_window", "period")

    def __init__(self, period: int) -> None:
        self.period = period
        self._window = WindowSums(period, values_and_squares)

    def update(self, value: float) -> tuple[float, float]:
        total, squares = self._window.update(value)
        mean = total / self.period
        variance = squares / self.period - mean * mean
        # Rounding may leave a constant series a hair below nothing.
        return self._window.refs[0] + mean, math.sqrt(variance if not variance < 0 else 0.0)

    def column(self, values: Floats) -> tuple[Floats, Floats]:
        (total, squares), (refs,) = self._window.column(values)
        mean = total / self.period
        variance = squares / self.period - mean * mean
        return refs + mean, np.sqrt(np.where(variance < 0, 0.0, variance))


class Stddev:
    """Standard deviation of the last ``period`` values, divided by ``period``. Source: TA-Lib STDDEV, ``nbdev`` 1."""

    __slots__ = ("_spread",)
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("stddev",)

    def __init__(self, period: int) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 2.
        """
        checked("stddev", 2, period=period)
        self._spread = Spread(period)

    def update(self, value: float) -> float:
        return self._spread.update(value)[1]

    def column(self, values: Floats) -> Floats:
        return self._spread.column(values)[1]
