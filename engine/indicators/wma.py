"""Weighted moving average."""

from itertools import accumulate
from typing import ClassVar

import numpy as np

from engine.indicators.indicator import NAN, Floats, checked
from engine.indicators.window import in_rows


class Wma:
    """Mean of the last ``period`` values with weights 1 (oldest) to ``period`` (latest).

    In blocks as ``window`` has them. Of the block before, the values after place i count with their distance from i:
    the sum of their sums. Of this block, the first i + 1 values count ``period - 1 - i`` times what they add up to, and
    each once more for its place.

    Source: TA-Lib WMA.
    """

    __slots__ = ("_block", "_left", "_placed", "_ref", "_total", "period", "weights")
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("wma",)

    def __init__(self, period: int) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 1.
        """
        checked("wma", 1, period=period)
        self.period = period
        self.weights = period * (period + 1) / 2
        self._ref = self._total = self._placed = 0.0
        self._block: list[float] = []
        self._left: list[float] = []

    def update(self, value: float) -> float:
        left = self._left or self._turn(value)
        block = self._block
        block.append(value)
        place = len(block)
        x = value - self._ref
        total = self._total = self._total + x
        placed = self._placed = self._placed + x * place
        return self._ref + (left.pop() + (placed + total * (self.period - place))) / self.weights

    def _turn(self, value: float) -> list[float]:
        block = self._block
        if block:
            ref = self._ref = block[0]
            sums = accumulate([kept - ref for kept in block[:0:-1]])
            self._left = list(accumulate(sums, initial=0.0))
        else:
            self._ref = value
            self._left = [0.0] + [NAN] * (self.period - 1)
        self._total = self._placed = 0.0
        self._block = []
        return self._left

    def column(self, values: Floats) -> Floats:
        size, count = self.period, len(values)
        if not count:
            return np.empty(0)
        if not self._left:
            self._turn(float(values[0]))
        begun = len(self._block)
        end = begun + count
        rows = -(-end // size)
        series = in_rows(values, self._block, rows, size)
        own = series[:, 0]
        refs = np.concatenate(([self._ref], own[:-1]))
        places = np.arange(1, size + 1, dtype=np.float64)
        sums = np.add.accumulate(series[:-1, :0:-1] - own[:-1, None], axis=1)
        tail = np.zeros((rows, size))
        tail[0, begun:] = self._left[::-1]
        tail[1:, -2::-1] = np.add.accumulate(sums, axis=1)
        x = series - refs[:, None]
        total = np.add.accumulate(x, axis=1)
        placed = np.add.accumulate(x * places, axis=1)
        found: Floats = refs[:, None] + (tail + (placed + total * (size - places))) / self.weights
        row, place = divmod(end - 1, size)
        self._ref = float(refs[row])
        self._total, self._placed = float(total[row, place]), float(placed[row, place])
        self._block = series[row, : place + 1].tolist()
        self._left = tail[row, :place:-1].tolist()
        return found.reshape(-1)[begun:end]
