"""Donchian channel."""

from typing import ClassVar

from engine.indicators.indicator import Floats, checked
from engine.indicators.window import WindowExtreme


class Donchian:
    """Highest high and lowest low of the last ``period`` bars, this one included, and the middle between them.

    Definition: Richard Donchian's price channel. TA-Lib: MAX of highs, MIN of lows.
    """

    __slots__ = ("_high", "_low")
    inputs: ClassVar[tuple[str, ...]] = ("high", "low")
    outputs: ClassVar[tuple[str, ...]] = ("upper", "middle", "lower")

    def __init__(self, period: int = 20) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 1.
        """
        checked("donchian", 1, period=period)
        self._high, self._low = WindowExtreme(period, 1.0), WindowExtreme(period, -1.0)

    def update(self, high: float, low: float) -> tuple[float, float, float]:
        upper, lower = self._high.update(high), self._low.update(low)
        return upper, (upper + lower) / 2, lower

    def column(self, high: Floats, low: Floats) -> tuple[Floats, Floats, Floats]:
        upper, lower = self._high.column(high), self._low.column(low)
        return upper, (upper + lower) / 2, lower
