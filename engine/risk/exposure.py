"""What orders that are not ended may still do: the quantity they can fill, and which of them are undecided."""

from collections.abc import Hashable
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct

from engine.domain.commands import Side, SubmitOrder
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId
from engine.domain.order import Order, OrderState

_BUY = Side.BUY
_BUY_BACK = Side.BUY_BACK
_UNKNOWN = OrderState.UNKNOWN
_DISPUTED = OrderState.DISPUTED

Direction = tuple[AccountId, InstrumentId, bool]
"""Account, instrument, and whether the order buys."""


def direction_of(order: SubmitOrder) -> Direction:
    side = order.side
    return (order.account, order.instrument, side is _BUY or side is _BUY_BACK)


class OpenOrder(Struct, gc=False):
    """One order that may still fill, or whose fate is not known."""

    order: SubmitOrder
    direction: Direction
    exposure: int
    price: Decimal | None
    dormant: bool = False
    """A condition at the broker: no order of anybody's before it triggers."""
    undecided: bool = False
    unit_value: Decimal | None = None
    sums: tuple[tuple[Any, Hashable], ...] = ()
    """The sums of values it counts in (``view.sums``), each with the key it is under."""


class Follower(Protocol):
    """Who is told of every order that opens, changes its price, or is over."""

    def opened(self, order: SubmitOrder, price: Decimal | None) -> None: ...

    def closed(self, order: SubmitOrder, price: Decimal | None) -> None: ...


class Exposures:
    """Every open order's exposure, summed by account, instrument and direction.

    An order that can neither fill nor surprise is dropped; should it come back from the dead it is taken up again.
    """

    __slots__ = ("_open", "_undecided", "_working", "followers")

    def __init__(self) -> None:
        self.followers: tuple[Follower, ...] = ()
        self._open: dict[ClientOrderId, OpenOrder] = {}
        self._working: dict[Direction, int] = {}
        self._undecided: dict[Direction, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def get(self, client_id: ClientOrderId) -> OpenOrder | None:
        return self._open.get(client_id)

    def add(self, order: SubmitOrder, *, dormant: bool = False) -> OpenOrder | None:
        """Take a new order in; None if it is known already. Followers are not told of a dormant one."""
        if order.client_id in self._open:
            return None
        side, quantity = order.side, order.quantity
        direction = (order.account, order.instrument, side is _BUY or side is _BUY_BACK)
        found = self._open[order.client_id] = OpenOrder(order, direction, quantity, order.price, dormant)
        self._working[direction] = self._working.get(direction, 0) + quantity
        if not dormant:
            for follower in self.followers:
                follower.opened(order, order.price)
        return found

    def drop(self, client_id: ClientOrderId) -> OpenOrder | None:
        """``change`` for an order that is ended; what it was, if it was known."""
        found = self._open.pop(client_id, None)
        if found is not None:
            self._working[found.direction] -= found.exposure
            if found.undecided:
                self._undecided[found.direction] -= 1
            self._close(found)
        return found

    def change(self, order: Order, found: OpenOrder) -> int:
        """Bring a known order up to date; how much its exposure rose."""
        exposure, state = order.exposure, order.state
        change = exposure - found.exposure
        direction = found.direction
        if change:
            found.exposure = exposure
            self._working[direction] += change
        undecided = state is _UNKNOWN or state is _DISPUTED
        if undecided is not found.undecided:
            found.undecided = undecided
            self._undecided[direction] = self._undecided.get(direction, 0) + (1 if undecided else -1)
        if not exposure and not undecided:
            del self._open[order.request.client_id]
            self._close(found)
        elif self.followers and order.price != found.price:
            for follower in self.followers:
                follower.closed(found.order, found.price)
                follower.opened(found.order, order.price)
            found.price = order.price
        return change

    def _close(self, found: OpenOrder) -> None:
        if not found.dormant:
            for follower in self.followers:
                follower.closed(found.order, found.price)

    def working(self, account: AccountId, instrument: InstrumentId, buys: bool) -> int:
        return self._working.get((account, instrument, buys), 0)

    def undecided(self, account: AccountId, instrument: InstrumentId, buys: bool) -> int:
        return self._undecided.get((account, instrument, buys), 0)
