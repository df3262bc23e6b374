"""Returns over some bars."""

from typing import ClassVar

from engine.indicators.indicator import Floats, checked, ratio, ratios
from engine.indicators.lag import Lag


class Returns:
    """``(value - before) / before``, where ``before`` is ``period`` bars ago; 0 where that is not above 0.

    Source: TA-Lib ROCP.
    """

    __slots__ = ("_lag",)
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("returns",)

    def __init__(self, period: int = 1) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 1.
        """
        checked("returns", 1, period=period)
        self._lag = Lag(period)

    def update(self, value: float) -> float:
        before = self._lag.update(value)
        return ratio(value - before, before)

    def column(self, values: Floats) -> Floats:
        before = self._lag.column(values)
        return ratios(values - before, before)
