"""Volume-weighted average price."""

from typing import Any, ClassVar

from engine.indicators.indicator import NAN, Floats, checked, ratio, ratios
from engine.indicators.window import WindowSums


def _weighed(price: Any, volume: Any) -> tuple[Any, ...]:
    return (price * volume, volume)


class Vwap:
    """Sum of typical price (high + low + close) / 3 x volume over the sum of volume, of the last ``period`` bars; NaN
    where nothing traded.

    Definition: Berkowitz, Logue and Noser (1988), over a rolling window; TA-Lib has none.
    """

    __slots__ = ("_window",)
    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close", "volume")
    outputs: ClassVar[tuple[str, ...]] = ("vwap",)

    def __init__(self, period: int) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 1.
        """
        checked("vwap", 1, period=period)
        self._window = WindowSums(period, _weighed, (True, False))

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        value, traded = self._window.update((high + low + close) / 3, volume)
        return self._window.refs[0] + ratio(value, traded, NAN)

    def column(self, high: Floats, low: Floats, close: Floats, volume: Floats) -> Floats:
        (value, traded), (refs, _) = self._window.column((high + low + close) / 3, volume)
        return refs + ratios(value, traded, NAN)
