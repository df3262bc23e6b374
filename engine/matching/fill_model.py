"""What every fill model answers: how much of one order one bar fills, and at which price."""

from decimal import Decimal
from typing import Protocol, runtime_checkable

from engine.domain.commands import OrderType
from engine.domain.market import Bar, OrderBook, Quote
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


@runtime_checkable
class OpensOnly(Protocol):
    """A model that fills at the bar's open and nowhere inside the bar: what is triggered inside waits for another."""

    opens_only: bool


@runtime_checkable
class Rations(Protocol):
    """A model that lets all orders of one bar together have no more than a part of it."""

    def ration(self, bar: Bar) -> int:
        """Units that all orders together may take from ``bar``."""


@runtime_checkable
class FollowsPath(Protocol):
    """A model that says by which way the price went through a bar: orders fill in the order in which it met them."""

    def path(self, bar: Bar) -> tuple[float, float, float, float]:
        """Four prices: open, one extreme, the other, close."""


@runtime_checkable
class ReadsQuotes(Protocol):
    """A model that fills at bid and ask, and nothing on bars."""

    def sizes(self, quote: Quote) -> tuple[int, int]:
        """(at the bid, at the ask): units of one quote that orders may take."""


@runtime_checkable
class ReadsBooks(Protocol):
    """A model that fills from the levels of an order book and from prints, and nothing on bars."""

    @property
    def cancels_ahead(self) -> float:
        """Which part of a level's shrinkage stood before us."""

    def levels(self, buys: bool, book: OrderBook) -> list[tuple[Decimal, int]]:
        """(price, units) that an order of this side meets, best first."""


def open_within(buys: bool, limit: Decimal | None, bar: Bar) -> Decimal | None:
    """The bar's open if the order accepts it."""
    price = exact(bar.open)
    if limit is None or (price <= limit if buys else price >= limit):
        return price
    return None


def touched(buys: bool, limit: Decimal, bar: Bar) -> bool:
    """Whether the bar traded at the limit or through it."""
    return exact(bar.low) <= limit if buys else exact(bar.high) >= limit
