"""Order types by what triggers them, and what each becomes once it is triggered."""

from decimal import Decimal

from msgspec.structs import replace

from engine.domain.commands import OrderType, SubmitOrder

STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.LIMIT_OR_STOP})
"""Triggered by a move against what the order wants: purchases above the market, sales below."""
TOUCHES = frozenset({OrderType.MARKET_IF_TOUCHED, OrderType.LIMIT_IF_TOUCHED})
"""Triggered by a move in favour."""
TRAILING = frozenset({OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT, OrderType.LIMIT_OR_TRAILING_STOP})
CONDITIONAL = STOPS | TOUCHES | TRAILING
TWO_SIDED = frozenset({OrderType.LIMIT_OR_STOP, OrderType.LIMIT_OR_TRAILING_STOP})
"""One quantity, two ways out: the limit, or the stop that turns it into a market order."""
LIMITED_AFTER = frozenset({OrderType.STOP_LIMIT, OrderType.LIMIT_IF_TOUCHED})
"""Triggered, they go on as limit orders at their price."""


def plain(order: SubmitOrder) -> SubmitOrder:
    """An order with a trigger as what it is to the market once that is met: a market order, or one with its limit.

    A two-sided one is a limit order while it waits. A trailing stop with a limit has none yet: a market order.
    """
    if order.type not in CONDITIONAL:
        return order
    kind = OrderType.MARKET if order.price is None else OrderType.LIMIT
    return replace(order, type=kind, stop_price=None, trail=None, trail_limit=None, trail_percent=None)


def trail_trigger(order: SubmitOrder, extreme: Decimal) -> Decimal:
    """Where a trailing order is triggered, ``extreme`` being the best price since it was made."""
    away = order.trail if order.trail is not None else extreme * (order.trail_percent or Decimal(0)) / 100
    return extreme - away if order.side.sign < 0 else extreme + away


def rises(order: SubmitOrder) -> bool:
    """Whether its trigger lies above the market."""
    return (order.side.sign > 0) is (order.type not in TOUCHES)
