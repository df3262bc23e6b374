"""KDJ, the stochastic of Chinese charts."""

from math import isnan
from typing import ClassVar

import numpy as np

from engine.indicators.indicator import NAN, Floats, checked, ratio, ratios
from engine.indicators.smoothing import Smoothing, wilder
from engine.indicators.window import WindowExtreme

MIDDLE = 50.0


class Kdj:
    """``rsv = 100 x (close - lowest) / (highest - lowest)`` over ``period`` bars; k is ``rsv`` smoothed
    (``k = ((smooth_k - 1) x k + rsv) / smooth_k``), d is k smoothed alike, ``j = 3k - 2d``.

    k and d begin at 50, before the first ``rsv``; a range of nothing has an ``rsv`` of 50.

    Definition: 随机指标 (RSV, K, D with 2/3 and 1/3, first 50), as charts have it with 9, 3, 3; TA-Lib has no such.
    """

    __slots__ = ("_d", "_high", "_k", "_low")
    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    outputs: ClassVar[tuple[str, ...]] = ("k", "d", "j")

    def __init__(self, period: int = 9, smooth_k: int = 3, smooth_d: int = 3) -> None:
        """
        Raises:
            ConfigError: a period is below 1.
        """
        checked("kdj", 1, period=period, smooth_k=smooth_k, smooth_d=smooth_d)
        self._high, self._low = WindowExtreme(period, 1.0), WindowExtreme(period, -1.0)
        self._k, self._d = Smoothing(1, wilder(smooth_k)), Smoothing(1, wilder(smooth_d))
        self._k.update(MIDDLE)
        self._d.update(MIDDLE)

    def update(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        top, bottom = self._high.update(high), self._low.update(low)
        rsv = ratio(100 * (close - bottom), top - bottom, MIDDLE)
        if isnan(rsv):
            return NAN, NAN, NAN
        k = self._k.update(rsv)
        d = self._d.update(k)
        return k, d, 3 * k - 2 * d

    def column(self, high: Floats, low: Floats, close: Floats) -> tuple[Floats, Floats, Floats]:
        top, bottom = self._high.column(high), self._low.column(low)
        rsv = ratios(100 * (close - bottom), top - bottom, MIDDLE)
        ahead = int(np.count_nonzero(np.isnan(rsv)))
        k, d = np.full(len(rsv), NAN), np.full(len(rsv), NAN)
        k[ahead:] = self._k.column(rsv[ahead:])
        d[ahead:] = self._d.column(k[ahead:])
        return k, d, 3 * k - 2 * d
