"""At which price, if any, an order meets the market: pure decisions on one order and one step of the walk."""

from typing import NamedTuple

from engine.simulators.futu.codes import AUCTIONS, CONDITIONAL, TRAILING, Kind
from engine.simulators.futu.ledger import Order, takes_market_price


class View(NamedTuple):
    """What one step showed: extremes of its prices, and best bid and ask after it."""

    low: float
    high: float
    bid: float
    ask: float
    last: float


def arrival_price(order: Order, view: View) -> float | None:
    """The price of an order that comes to the book now; None: it rests."""
    if order.kind in AUCTIONS and not order.triggered:
        return None
    touch = view.ask if order.buys else view.bid
    if takes_market_price(order):
        return touch
    limit = float(order.price)
    reached = limit >= touch if order.buys else limit <= touch
    return touch if reached else None


def resting_price(order: Order, view: View) -> float | None:
    """The price of an order in the book during one step; a limit order that is touched gets its limit."""
    if order.kind in AUCTIONS and not order.triggered:
        return None
    if takes_market_price(order):
        return view.ask if order.buys else view.bid
    limit = float(order.price)
    touched = view.low <= limit if order.buys else view.high >= limit
    return limit if touched else None


def auction_price(order: Order, price: float) -> float | None:
    """The price of an order in an auction that ends at ``price``; None: it goes without."""
    if order.kind == Kind.AUCTION:
        return price
    if order.kind in CONDITIONAL and not order.triggered:
        return None
    limit = float(order.price)
    if takes_market_price(order):
        return price
    reached = limit >= price if order.buys else limit <= price
    return price if reached else None


def triggers(order: Order, view: View) -> bool:
    """Whether a step wakes a conditional order; a trailing one moves its extreme along."""
    if order.kind in TRAILING:
        return _trails(order, view)
    assert order.aux_price is not None
    stops = order.kind in {Kind.STOP, Kind.STOP_LIMIT}
    # A stop follows the move, an if-touched order stands against it.
    if order.buys is stops:
        return view.high >= order.aux_price
    return view.low <= order.aux_price


def _trails(order: Order, view: View) -> bool:
    value = order.trail_value or 0.0
    extreme = view.last if order.extreme is None else order.extreme
    order.extreme = extreme = min(extreme, view.low) if order.buys else max(extreme, view.high)
    distance = extreme * value / 100 if order.trail_type == 1 else value
    return view.last >= extreme + distance if order.buys else view.last <= extreme - distance
