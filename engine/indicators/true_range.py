"""True range: how far a price went since the last close."""

from math import isnan
from typing import ClassVar

import numpy as np

from engine.indicators.indicator import NAN, Floats


class TrueRange:
    """The greatest of high - low, and of how far high and low are from the close before. Source: TA-Lib TRANGE."""

    __slots__ = ("_before",)
    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    outputs: ClassVar[tuple[str, ...]] = ("true_range",)

    def __init__(self) -> None:
        self._before = NAN

    def update(self, high: float, low: float, close: float) -> float:
        before, self._before = self._before, close
        if isnan(before):
            return NAN
        return max(high - low, abs(high - before), abs(low - before))

    def column(self, high: Floats, low: Floats, close: Floats) -> Floats:
        if not len(close):
            return np.empty(0)
        before = np.concatenate(([self._before], close[:-1]))
        self._before = float(close[-1])
        return np.maximum(np.maximum(high - low, np.abs(high - before)), np.abs(low - before))
