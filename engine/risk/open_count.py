"""How many of our orders may still fill, or are not known not to."""

from collections.abc import Hashable
from decimal import Decimal

from engine.domain.commands import SubmitOrder
from engine.risk.exposure import Direction, direction_of
from engine.risk.scopes import SCOPE_KEYS, Scope


class OpenCount:
    """By scope, and by account, instrument and direction."""

    def __init__(self, scope: Scope) -> None:
        self._key = SCOPE_KEYS[scope]
        self._all: dict[Hashable, int] = {}
        self._sides: dict[Direction, int] = {}

    def opened(self, order: SubmitOrder, _price: Decimal | None) -> None:
        self._change(order, 1)

    def closed(self, order: SubmitOrder, _price: Decimal | None) -> None:
        self._change(order, -1)

    def count(self, order: SubmitOrder) -> int:
        """Open orders of this order's scope."""
        return self._all.get(self._key(order.strategy, order.account, order.instrument), 0)

    def same_side(self, order: SubmitOrder) -> int:
        """Open orders of its account, instrument and direction."""
        return self._sides.get(direction_of(order), 0)

    def _change(self, order: SubmitOrder, by: int) -> None:
        key, side = self._key(order.strategy, order.account, order.instrument), direction_of(order)
        self._all[key] = self._all.get(key, 0) + by
        self._sides[side] = self._sides.get(side, 0) + by
