"""Exponential moving average."""

from typing import ClassVar

from engine.indicators.indicator import checked
from engine.indicators.smoothing import Smoothing, exponential


class Ema(Smoothing):
    """Moves ``2 / (period + 1)`` of the way to each value; begins with the mean of the first ``period`` values.

    Source: TA-Lib EMA.
    """

    __slots__ = ()
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("ema",)

    def __init__(self, period: int) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 1.
        """
        checked("ema", 1, period=period)
        super().__init__(period, exponential(period))
