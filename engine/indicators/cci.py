"""Commodity channel index."""

from collections import deque
from typing import ClassVar

import numpy as np

from engine.indicators.indicator import NAN, Floats, checked, ratio, ratios
from engine.indicators.window import WindowSum


class Cci:
    """``(typical - mean) / (0.015 x mean distance from the mean)`` of the last ``period`` typical prices
    (high + low + close) / 3; 0 where all are equal.

    The mean changes with every bar and all distances with it, so a bar costs ``period`` steps.

    Source: TA-Lib CCI; Lambert (1980).
    """

    __slots__ = ("_kept", "_window", "period")
    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    outputs: ClassVar[tuple[str, ...]] = ("cci",)

    def __init__(self, period: int = 14) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 2.
        """
        checked("cci", 2, period=period)
        self.period = period
        self._window = WindowSum(period)
        self._kept: deque[float] = deque([NAN] * period, maxlen=period)

    def update(self, high: float, low: float, close: float) -> float:
        typical = (high + low + close) / 3
        mean = self._window.mean(typical)
        self._kept.append(typical)
        total = 0.0
        for kept in self._kept:
            total += abs(kept - mean)
        return ratio(typical - mean, 0.015 * (total / self.period))

    def column(self, high: Floats, low: Floats, close: Floats) -> Floats:
        typical = (high + low + close) / 3
        mean = self._window.means(typical)
        series = np.concatenate((np.array(self._kept), typical))
        total = np.zeros(len(typical))
        for place in range(1, self.period + 1):
            total += np.abs(series[place : place + len(typical)] - mean)
        self._kept.extend(typical[-self.period :].tolist())
        return ratios(typical - mean, 0.015 * (total / self.period))
