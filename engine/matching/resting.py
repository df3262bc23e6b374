"""One order as the simulated venue holds it."""

from decimal import Decimal

from msgspec import Struct

from engine.domain.commands import OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.events import OrderSubmitted
from engine.domain.money import ZERO
from engine.domain.order_types import CONDITIONAL, LIMITED_AFTER, TWO_SIDED
from engine.matching.fill_model import UNPRICED

NEVER_NS = 2**63 - 1

# Reading a member off its class is slow in Python 3.11, and these are read for every order of a replay.
_BUY, _BUY_BACK = Side.BUY, Side.BUY_BACK
_MARKET, _LIMIT = OrderType.MARKET, OrderType.LIMIT
_DAY, _GTC = TimeInForce.DAY, TimeInForce.GTC


class Resting(Struct, gc=False, eq=False):
    """``limit`` is None while, and once, it takes the market's price; ``waits``: its trigger was not met yet."""

    number: int
    request: SubmitOrder
    reserved: Decimal
    accepted_ns: int
    buys: bool
    limit: Decimal | None
    quantity: int
    leaves: int
    plain: bool
    """Nothing but a price decides what of it fills."""
    acts_ns: int
    """When it reaches the exchange: later than accepted where it waits for the next opening."""
    value: Decimal = ZERO
    """Of its fills, where fees count by the order."""
    charged: Decimal = ZERO
    waits: bool = False
    told: bool = True
    """Whether its acceptance was told; not while it is under way."""
    peak: Decimal | None = None
    """The extreme a trailing trigger follows."""
    canceled_ns: int = NEVER_NS
    """When a cancel reaches the venue."""
    after: Decimal | None = None
    """Its limit once it is triggered; None: the market's price."""
    ahead: float = -1.0
    """Units before it in the queue at its price; below 0: it has not seen a book yet."""
    level: float = 0.0
    """Units at its price in the book before, less what was printed since."""

    def trigger(self, at: Decimal) -> None:
        """It is an ordinary order from now on; ``at``: where its trigger was met."""
        self.waits = False
        request = self.request
        beyond = request.trail_limit
        if request.type is OrderType.TRAILING_STOP_LIMIT and beyond is not None:
            self.after = at + beyond if self.buys else at - beyond
        self.limit = self.after


def resting(number: int, event: OrderSubmitted, arrives_ns: int, acts_ns: int) -> Resting:
    """An order as it comes."""
    request = event.order
    side, quantity, kind = request.side, request.quantity, request.type
    buys = side is _BUY or side is _BUY_BACK
    if kind is _MARKET or kind is _LIMIT:
        plain = request.tif is _DAY or request.tif is _GTC
        return Resting(
            number, request, event.reserved_cash, arrives_ns, buys, request.price, quantity, quantity, plain, acts_ns
        )  # fmt: skip
    limit = None if kind in UNPRICED or (kind in CONDITIONAL and kind not in TWO_SIDED) else request.price
    order = Resting(
        number,
        request,
        event.reserved_cash,
        arrives_ns,
        buys,
        limit,
        quantity,
        quantity,
        False,
        acts_ns,
        waits=kind in CONDITIONAL,
    )
    order.after = request.price if kind in LIMITED_AFTER else None
    return order
