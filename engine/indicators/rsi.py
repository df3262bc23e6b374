"""Relative strength index."""

from math import isnan
from typing import ClassVar

import numpy as np

from engine.indicators.indicator import NAN, Floats, checked, ratio, ratios
from engine.indicators.smoothing import Smoothing, wilder


class Rsi:
    """``100 x gains / (gains + losses)``, each Wilder's average of ``period`` changes; 0 where nothing ever changed.

    Source: TA-Lib RSI; Wilder, New Concepts in Technical Trading Systems (1978).
    """

    __slots__ = ("_before", "_gains", "_losses")
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("rsi",)

    def __init__(self, period: int = 14) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 2.
        """
        checked("rsi", 2, period=period)
        self._gains, self._losses = Smoothing(period, wilder(period)), Smoothing(period, wilder(period))
        self._before = NAN

    def update(self, value: float) -> float:
        change, self._before = value - self._before, value
        if isnan(change):
            return NAN
        gains = self._gains.update(change if change > 0 else 0.0)
        losses = self._losses.update(-change if change < 0 else 0.0)
        return ratio(100 * gains, gains + losses)

    def column(self, values: Floats) -> Floats:
        if not len(values):
            return np.empty(0)
        changes = np.diff(values, prepend=self._before)
        skipped = int(isnan(self._before))
        self._before = float(values[-1])
        found = np.full(len(values), NAN)
        changes = changes[skipped:]
        gains = self._gains.column(np.where(changes > 0, changes, 0.0))
        losses = self._losses.column(np.where(changes < 0, -changes, 0.0))
        found[skipped:] = ratios(100 * gains, gains + losses)
        return found
