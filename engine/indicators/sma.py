"""Simple moving average."""

from typing import ClassVar

from engine.indicators.indicator import checked
from engine.indicators.window import WindowSum


class Sma:
    """Mean of the last ``period`` values; NaN until there are that many. Of constant values it is that constant.

    Source: TA-Lib SMA.
    """

    __slots__ = ("column", "period", "update")
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("sma",)

    def __init__(self, period: int) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 1.
        """
        checked("sma", 1, period=period)
        self.period = period
        window = WindowSum(period)
        self.update = window.mean
        self.column = window.means
