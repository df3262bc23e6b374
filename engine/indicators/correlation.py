"""Correlation of two series."""

import math
from typing import Any, ClassVar

import numpy as np

from engine.indicators.indicator import Floats, checked, ratio, ratios
from engine.indicators.window import WindowSums


def _products(x: Any, y: Any) -> tuple[Any, ...]:
    return (x, y, x * x, y * y, x * y)


class Correlation:
    """Pearson's over the last ``period`` pairs; 0 where either series is constant. Source: TA-Lib CORREL."""

    __slots__ = ("_window", "period")
    inputs: ClassVar[tuple[str, ...]] = ("value", "value")
    outputs: ClassVar[tuple[str, ...]] = ("correlation",)

    def __init__(self, period: int) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 2.
        """
        checked("correlation", 2, period=period)
        self.period = period
        self._window = WindowSums(period, _products, (True, True))

    def update(self, value: float, other: float) -> float:
        x, y, xx, yy, xy = self._window.update(value, other)
        size = self.period
        spread = (xx - x * x / size) * (yy - y * y / size)
        return ratio(xy - x * y / size, math.sqrt(spread if not spread < 0 else 0.0))

    def column(self, values: Floats, others: Floats) -> Floats:
        (x, y, xx, yy, xy), _ = self._window.column(values, others)
        size = self.period
        spread = (xx - x * x / size) * (yy - y * y / size)
        return ratios(xy - x * y / size, np.sqrt(np.where(spread < 0, 0.0, spread)))
