"""Bollinger bands."""

from typing import ClassVar

from engine.indicators.indicator import Floats, checked
from engine.indicators.stddev import Spread


class Bollinger:
    """The mean of the last ``period`` values, and ``width`` standard deviations above and below it.

    Source: TA-Lib BBANDS with a simple average.
    """

    __slots__ = ("_spread", "width")
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("upper", "middle", "lower")

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 2.
        """
        checked("bollinger", 2, period=period)
        self._spread = Spread(period)
        self.width = width

    def update(self, value: float) -> tuple[float, float, float]:
        mean, deviation = self._spread.update(value)
        reach = deviation * self.width
        return mean + reach, mean, mean - reach

    def column(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        mean, deviation = self._spread.column(values)
        reach = deviation * self.width
        return mean + reach, mean, mean - reach
