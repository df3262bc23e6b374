"""Average true range."""

from math import isnan
from typing import ClassVar

import numpy as np

from engine.indicators.indicator import NAN, Floats, checked
from engine.indicators.smoothing import Smoothing, wilder
from engine.indicators.true_range import TrueRange


class Atr:
    """Wilder's average of the true range; the first bar has none. Source: TA-Lib ATR; Wilder (1978)."""

    __slots__ = ("_average", "_range")
    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    outputs: ClassVar[tuple[str, ...]] = ("atr",)

    def __init__(self, period: int = 14) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 1.
        """
        checked("atr", 1, period=period)
        self._range = TrueRange()
        self._average = Smoothing(period, wilder(period))

    def update(self, high: float, low: float, close: float) -> float:
        reach = self._range.update(high, low, close)
        return NAN if isnan(reach) else self._average.update(reach)

    def column(self, high: Floats, low: Floats, close: Floats) -> Floats:
        reach = self._range.column(high, low, close)
        skipped = int(len(reach) > 0 and bool(np.isnan(reach[0])))
        found = np.full(len(reach), NAN)
        found[skipped:] = self._average.column(reach[skipped:])
        return found
