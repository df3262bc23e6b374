"""The highest of the last values."""

from typing import ClassVar

from engine.indicators.indicator import checked
from engine.indicators.window import WindowExtreme


class Highest(WindowExtreme):
    """Highest of the last ``period`` values, this one included. Source: TA-Lib MAX."""

    __slots__ = ()
    inputs: ClassVar[tuple[str, ...]] = ("value",)
    outputs: ClassVar[tuple[str, ...]] = ("highest",)

    def __init__(self, period: int) -> None:
        """
        Raises:
            ConfigError: ``period`` is below 1.
        """
        checked("highest", 1, period=period)
        super().__init__(period, 1.0)
