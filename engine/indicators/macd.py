"""Moving average convergence and divergence."""

from math import isnan
from typing import ClassVar

import numpy as np

from engine.domain.errors import ConfigError
from engine.indicators.indicator import NAN, Floats, checked
from engine.indicators.smoothing import Smoothing, exponential


class Macd:
    """The fast EMA less the slow one, its own EMA (``signal``), and the difference of the two (``histogram``).

    Both EMAs have their first value at the same bar; all three results begin with the first signal.

    Source: TA-Lib MACD.
    """

    __slots__ = ("_fast", "_signal", "_slow", "_wait")
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("macd", "signal", "histogram")

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        """
        Raises:
            ConfigError: a period is below 1, or ``fast`` is not shorter than ``slow``.
        """
        checked("macd", 1, fast=fast, slow=slow, signal=signal)
        if fast >= slow:
            raise ConfigError(f"macd: fast ({fast}) must be shorter than slow ({slow})")
        self._fast, self._slow = Smoothing(fast, exponential(fast)), Smoothing(slow, exponential(slow))
        self._signal = Smoothing(signal, exponential(signal))
        self._wait = slow - fast
        """Values the fast one still leaves out."""

    def update(self, value: float) -> tuple[float, float, float]:
        slow = self._slow.update(value)
        if self._wait:
            self._wait -= 1
            return NAN, NAN, NAN
        gap = self._fast.update(value) - slow
        if isnan(gap):
            return NAN, NAN, NAN
        signal = self._signal.update(gap)
        return gap + 0 * signal, signal, gap - signal

    def column(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        gap = np.full(len(values), NAN)
        wait = min(self._wait, len(values))
        self._wait -= wait
        slow = self._slow.column(values)
        gap[wait:] = self._fast.column(values[wait:]) - slow[wait:]
        known = int(np.count_nonzero(np.isnan(gap)))
        signal = np.full(len(values), NAN)
        signal[known:] = self._signal.column(gap[known:])
        return gap + 0 * signal, signal, gap - signal
