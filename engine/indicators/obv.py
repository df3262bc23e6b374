"""On-balance volume."""

from typing import ClassVar

import numpy as np

from engine.indicators.indicator import NAN, Floats


class Obv:
    """Volume added up with the sign of the change of the close; begins with the first bar's volume.

    Source: TA-Lib OBV.
    """

    __slots__ = ("_before", "_total")
    inputs: ClassVar[tuple[str, ...]] = ("close", "volume")
    outputs: ClassVar[tuple[str, ...]] = ("obv",)

    def __init__(self) -> None:
        self._before = NAN
        self._total = 0.0

    def update(self, close: float, volume: float) -> float:
        before, self._before = self._before, close
        if close < before:
            volume = -volume
        elif close == before:
            volume = 0.0
        total = self._total = self._total + volume
        return total

    def column(self, close: Floats, volume: Floats) -> Floats:
        if not len(close):
            return np.empty(0)
        before = np.concatenate(([self._before], close[:-1]))
        self._before = float(close[-1])
        moved = np.where(close < before, -volume, np.where(close == before, 0.0, volume))
        found: Floats = np.add.accumulate(np.concatenate(([self._total], moved)))[1:]
        self._total = float(found[-1])
        return found
