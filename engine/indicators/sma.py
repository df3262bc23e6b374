"""Simple moving average."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

NAN = float("nan")


class Sma:
    """Mean of the last ``period`` values; NaN until there are that many.

    Both forms add the window's values oldest first, so they agree to the last bit, whatever came before the window.
    """

    __slots__ = ("_window", "period")

    def __init__(self, period: int) -> None:
        """
        Raises:
            ValueError: ``period`` is below 1.
        """
        if period < 1:
            raise ValueError(f"a moving average needs a period of 1 or more, not {period}")
        self.period = period
        self._window: deque[float] = deque(maxlen=period)

    def update(self, value: float) -> float:
        """Take one value; gives the mean that ends with it."""
        window = self._window
        window.append(value)
        if len(window) < self.period:
            return NAN
        # Not sum(): from Python 3.12 on it compensates, and would no longer give the column's bits.
        total = 0.0
        for kept in window:
            total += kept
        return total / self.period

    def column(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """All of them at once: an array of the same length."""
        means = np.full(len(values), NAN)
        ends = len(values) - self.period + 1
        if ends > 0:
            total = np.zeros(ends)
            for start in range(self.period):
                total += values[start : start + ends]
            means[self.period - 1 :] = total / self.period
        return means
