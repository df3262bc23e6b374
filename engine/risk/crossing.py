"""The prices of our own open orders, best first: what the next order could trade with."""

from bisect import bisect_left, insort
from collections.abc import Hashable
from decimal import Decimal

from engine.domain.commands import SubmitOrder
from engine.risk.scopes import SCOPE_KEYS, Scope

ANY_BUY, ANY_SELL = Decimal("Infinity"), Decimal(0)
"""What an order without a limit counts as: it trades at any price."""

Place = tuple[Hashable, str, bool]
"""Scope key, instrument, whether it buys."""


class Crossing:
    """By scope and instrument; sorted lists, so that the best price is there to be read."""

    def __init__(self, scope: Scope) -> None:
        self._key = SCOPE_KEYS[scope]
        self._prices: dict[Place, list[Decimal]] = {}

    def opened(self, order: SubmitOrder, price: Decimal | None) -> None:
        place = self._place(order, order.side.sign > 0)
        insort(self._prices.setdefault(place, []), _limit(order, price))

    def closed(self, order: SubmitOrder, price: Decimal | None) -> None:
        place = self._place(order, order.side.sign > 0)
        prices = self._prices[place]
        del prices[bisect_left(prices, _limit(order, price))]
        if not prices:
            del self._prices[place]

    def crosses(self, order: SubmitOrder) -> Decimal | None:
        """The price of the best of our orders on the other side, if this order would trade with it."""
        buys = order.side.sign > 0
        prices = self._prices.get(self._place(order, not buys))
        if not prices:
            return None
        best, own = prices[0 if buys else -1], _limit(order, order.price)
        return best if (own >= best if buys else own <= best) else None

    def best(self, order: SubmitOrder) -> Decimal | None:
        """The best of our prices on the other side; None without one."""
        buys = order.side.sign > 0
        prices = self._prices.get(self._place(order, not buys))
        return prices[0 if buys else -1] if prices else None

    def _place(self, order: SubmitOrder, buys: bool) -> Place:
        return (self._key(order.strategy, order.account, order.instrument), order.instrument, buys)


def _limit(order: SubmitOrder, price: Decimal | None) -> Decimal:
    if price is not None:
        return price
    return ANY_BUY if order.side.sign > 0 else ANY_SELL
