"""What every indicator answers, and the divisions they share."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import ConfigError

NAN = float("nan")

Floats = NDArray[np.float64]


def doubles(values: Any) -> Floats:
    """As what is compiled reads them: side by side, and each where a double may lie (what came over a wire may not)."""
    return np.require(values, np.float64, ("C", "A"))


class Indicator(Protocol):
    """One arithmetic in two forms, which may take turns.

    ``update(value, ...)`` takes one value of each input and gives the results that end with it: a float, or a tuple of
    them. ``column(values, ...)`` takes arrays and gives arrays of the same length: the bits that ``update`` of each
    would have given; and it leaves the indicator where those updates would have left it. Results are NaN until there
    are enough values.
    """

    inputs: ClassVar[tuple[str, ...]]
    """Fields of a bar it takes, in order; ``value`` stands for any series."""
    outputs: ClassVar[tuple[str, ...]]
    """Names of what it gives; one is given as itself, several as a tuple."""

    def __init__(self, *settings: Any, **named: Any) -> None: ...

    @property
    def update(self) -> Callable[..., Any]: ...

    @property
    def column(self) -> Callable[..., Any]: ...


def checked(name: str, least: int, **periods: int) -> None:
    """
    Raises:
        ConfigError: a period is no whole number, or below ``least``.
    """
    for word, period in periods.items():
        if not isinstance(period, int) or isinstance(period, bool) or period < least:
            raise ConfigError(f"{name}: {word} is a whole number of {least} or more, not {period!r}")


def ratio(part: float, whole: float, none: float = 0.0) -> float:
    """``part / whole``; ``none`` where ``whole`` is 0 or less, NaN where it is not known."""
    if whole > 0:
        return part / whole
    return none if whole <= 0 else NAN


def ratios(part: Floats, whole: Floats, none: float = 0.0) -> Floats:
    """``ratio`` of each pair."""
    found = np.where(whole <= 0, none, NAN)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
