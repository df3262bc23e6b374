"""How much worse than the model's price an order fills that takes the market's price."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Protocol

from msgspec import Struct

from engine.domain.money import exact


class Slippage(Protocol):
    """One model: how far the price gives way, before it is rounded to the tick against the order."""

    def slip(self, price: Decimal, quantity: int, volume: float, tick: Decimal) -> Decimal:
        """Money a unit, 0 or more.

        Args:
            volume: what traded in the bar, or what stood at the price; 0 where nobody says.
        """


class Ticks(Struct, frozen=True, forbid_unknown_fields=True):
    """A fixed number of ticks. Optimism: none for small orders of liquid instruments; size does not matter to it."""

    ticks: int = 1

    def __post_init__(self) -> None:
        if self.ticks < 0:
            raise ValueError(f"slippage ticks: 0 or more, not {self.ticks}")

    def slip(self, price: Decimal, quantity: int, volume: float, tick: Decimal) -> Decimal:
        return tick * self.ticks


class BasisPoints(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the price: 1 is 0.01 %. Optimism: as ``Ticks``."""

    bps: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.bps < 10_000:
            raise ValueError(f"slippage bps: from 0 to below 10000, not {self.bps}")

    def slip(self, price: Decimal, quantity: int, volume: float, tick: Decimal) -> Decimal:
        return price * exact(self.bps) / 10_000


class SquareRoot(Struct, frozen=True, forbid_unknown_fields=True):
    """``coefficient`` of the price times the square root of our share of the volume: with 0.01, 10 basis points at 1 %
    of the volume and 32 at 10 %.

    The shape is the usual law of impact; the coefficient is ours and wants fitting to the instrument. Where no volume
    is known the share is taken to be 1.

    Optimism: the impact is gone by the next order.
    """

    coefficient: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.coefficient < 1:
            raise ValueError(f"slippage square_root: coefficient is from 0 to below 1, not {self.coefficient}")

    def slip(self, price: Decimal, quantity: int, volume: float, tick: Decimal) -> Decimal:
        share = min(1.0, quantity / volume) if volume > 0 else 1.0
        return price * exact(self.coefficient * float(share**0.5))


SLIPPAGES: dict[str, type[Slippage]] = {"ticks": Ticks, "bps": BasisPoints, "square_root": SquareRoot}


def slipped(model: Slippage, buys: bool, price: Decimal, quantity: int, volume: float, tick: Decimal) -> Decimal:
    """``price`` made worse: on the tick, rounded against the order, and at least one tick."""
    away = model.slip(price, quantity, volume, tick)
    worse = price + away if buys else price - away
    steps = (worse / tick).quantize(Decimal(1), ROUND_CEILING if buys else ROUND_FLOOR)
    return (max(Decimal(1), steps) * tick).quantize(tick)
