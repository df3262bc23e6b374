"""A series as it was some bars ago, and its returns."""

from collections import deque
from typing import ClassVar

import numpy as np

from engine.indicators.indicator import NAN, Floats, checked


class Lag:
    """The value ``period`` bars before this one."""

    __slots__ = ("_kept", "period")
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("lag",)

    def __init__(self, period: int = 1) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 1.
        """
        checked("lag", 1, period=period)
        self.period = period
        self._kept: deque[float] = deque([NAN] * period)

    def update(self, value: float) -> float:
        self._kept.append(value)
        return self._kept.popleft()

    def column(self, values: Floats) -> Floats:
        series = np.concatenate((np.array(self._kept), values))
        self._kept = deque(series[len(series) - self.period :].tolist())
        return series[: len(values)]
