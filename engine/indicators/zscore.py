"""How many standard deviations a value is from its mean."""

from typing import ClassVar

from engine.indicators.indicator import Floats, checked, ratio, ratios
from engine.indicators.stddev import Spread


class Zscore:
    """``(value - mean) / standard deviation`` over the last ``period`` values (divided by ``period``); 0 where all are
    equal.
    """

    __slots__ = ("_spread",)
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("zscore",)

    def __init__(self, period: int) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 2.
        """
        checked("zscore", 2, period=period)
        self._spread = Spread(period)

    def update(self, value: float) -> float:
        mean, deviation = self._spread.update(value)
        return ratio(value - mean, deviation)

    def column(self, values: Floats) -> Floats:
        mean, deviation = self._spread.column(values)
        return ratios(values - mean, deviation)
