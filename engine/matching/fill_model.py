"""What every fill model answers: how much of one order one bar fills, and at which price."""

from decimal import Decimal
from typing import Protocol

from engine.domain.commands import OrderType
from engine.domain.market import Bar
from engine.domain.money import exact

UNPRICED = frozenset({OrderType.MARKET, OrderType.ALL_IN, OrderType.SELL_ALL, OrderType.LIQUIDATE})
"""Order types that take what the market asks."""


class FillModel(Protocol):
    """One model a file; its docstring states its optimism."""

    def match(self, buys: bool, limit: Decimal | None, leaves: int, bar: Bar) -> tuple[int, Decimal] | None:
        """(quantity, price) that ``bar`` fills of an order with ``leaves`` to go; None for nothing.

        Args:
            limit: None for an order that takes the market's price.
        """


def open_within(buys: bool, limit: Decimal | None, bar: Bar) -> Decimal | None:
    """The bar's open if the order accepts it."""
    price = exact(bar.open)
    if limit is None or (price <= limit if buys else price >= limit):
        return price
    return None


def touched(buys: bool, limit: Decimal, bar: Bar) -> bool:
    """Whether the bar traded at the limit or through it."""
    return exact(bar.low) <= limit if buys else exact(bar.high) >= limit
