"""Average directional index, with the two directional indicators."""

from math import isnan
from typing import ClassVar

import numpy as np

from engine.indicators.indicator import NAN, Floats, checked, ratio, ratios
from engine.indicators.smoothing import Smoothing, wilder
from engine.indicators.true_range import TrueRange


class _Decaying:
    """Wilder's sum: the first ``period - 1`` values as they are, then a ``period``-th lost at each new one."""

    __slots__ = ("_left", "_period", "_total")

    def __init__(self, period: int) -> None:
        self._period = period
        self._left = period - 1
        self._total = 0.0

    def update(self, value: float) -> float:
        if self._left:
            self._left -= 1
            self._total += value
            return NAN
        total = self._total = self._total - self._total / self._period + value
        return total

    def column(self, values: Floats) -> Floats:
        return np.array([self.update(value) for value in values.tolist()], np.float64)


class Adx:
    """``adx`` is Wilder's average of ``100 x |plus - minus| / (plus + minus)``; ``plus`` and ``minus`` are the sums of
    up and down moves as a percentage of the sum of true ranges.

    ``plus`` and ``minus`` begin ``period`` bars after the first, ``adx`` ``period - 1`` later. Where both are 0 the
    bar says nothing, and the average stays.

    Source: TA-Lib ADX, PLUS_DI, MINUS_DI; Wilder (1978).
    """

    __slots__ = ("_adx", "_before", "_down", "_range", "_ranges", "_seen", "_up")
    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    outputs: ClassVar[tuple[str, ...]] = ("adx", "plus", "minus")

    def __init__(self, period: int = 14) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 2.
        """
        checked("adx", 2, period=period)
        self._range = TrueRange()
        self._ranges, self._up, self._down = _Decaying(period), _Decaying(period), _Decaying(period)
        self._adx = Smoothing(period, wilder(period))
        self._before = (NAN, NAN)

    def update(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        up, down = high - self._before[0], self._before[1] - low
        self._before = (high, low)
        reach = self._range.update(high, low, close)
        if isnan(reach):
            return NAN, NAN, NAN
        ranges = self._ranges.update(reach)
        plus = ratio(100 * self._up.update(up if up > down and up > 0 else 0.0), ranges)
        minus = ratio(100 * self._down.update(down if down > up and down > 0 else 0.0), ranges)
        if isnan(plus):
            return NAN, NAN, NAN
        both = plus + minus
        return self._averaged(100 * abs(plus - minus) / both if both > 0 else NAN), plus, minus

    def _averaged(self, strength: float) -> float:
        return self._adx.value if isnan(strength) else self._adx.update(strength)

    def column(self, high: Floats, low: Floats, close: Floats) -> tuple[Floats, Floats, Floats]:
        if not len(close):
            return np.empty(0), np.empty(0), np.empty(0)
        up = np.diff(high, prepend=self._before[0])
        down = -np.diff(low, prepend=self._before[1])
        self._before = (float(high[-1]), float(low[-1]))
        reach = self._range.column(high, low, close)
        skipped = int(bool(np.isnan(reach[0])))
        up, down, reach = up[skipped:], down[skipped:], reach[skipped:]
        ranges = self._ranges.column(reach)
        plus = ratios(100 * self._up.column(np.where((up > down) & (up > 0), up, 0.0)), ranges)
        minus = ratios(100 * self._down.column(np.where((down > up) & (down > 0), down, 0.0)), ranges)
        both = plus + minus
        strength = ratios(100 * np.abs(plus - minus), both, NAN)
        known = int(np.count_nonzero(np.isnan(plus)))
        adx = np.full(len(plus), NAN)
        if np.isnan(strength[known:]).any():
            adx[known:] = [self._averaged(one) for one in strength[known:].tolist()]
        else:
            adx[known:] = self._adx.column(strength[known:])
        ahead = np.full(skipped, NAN)
        return np.concatenate((ahead, adx)), np.concatenate((ahead, plus)), np.concatenate((ahead, minus))
