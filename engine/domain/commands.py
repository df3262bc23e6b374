"""Commands: what somebody wants done. Imperatives; none of them is a fact yet."""

import enum
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId


class Side(enum.StrEnum):
    """Direction; short sales and their cover are named because some venues ask for them by name."""

    BUY = "buy"
    SELL = "sell"
    SELL_SHORT = "sell_short"
    BUY_BACK = "buy_back"

    @property
    def sign(self) -> int:
        """+1 adds to a position, -1 takes from it."""
        return 1 if self is Side.BUY or self is Side.BUY_BACK else -1


class Offset(enum.StrEnum):
    """What a futures order does to the position; ``AUTO`` where the venue does not ask."""

    AUTO = "auto"
    OPEN = "open"
    CLOSE = "close"
    CLOSE_TODAY = "close_today"


class OrderType(enum.StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    ABSOLUTE_LIMIT = "absolute_limit"
    AUCTION = "auction"
    AUCTION_LIMIT = "auction_limit"
    SPECIAL_LIMIT = "special_limit"
    SPECIAL_LIMIT_ALL = "special_limit_all"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    MARKET_IF_TOUCHED = "market_if_touched"
    LIMIT_IF_TOUCHED = "limit_if_touched"
    TRAILING_STOP = "trailing_stop"
    TRAILING_STOP_LIMIT = "trailing_stop_limit"
    # One quantity with two ways out (one cancels the other): at ``price``, or at the market once the stop is met.
    LIMIT_OR_STOP = "limit_or_stop"
    LIMIT_OR_TRAILING_STOP = "limit_or_trailing_stop"
    # Explicit commands of venues that size the order themselves (RELIABILITY 3.4): quantity is the worst case.
    ALL_IN = "all_in"
    SELL_ALL = "sell_all"
    LIQUIDATE = "liquidate"


SIZED_BY_VENUE = frozenset({OrderType.ALL_IN, OrderType.SELL_ALL, OrderType.LIQUIDATE})
"""Order types whose quantity is an upper bound: what is not filled is withdrawn at once."""


class TimeInForce(enum.StrEnum):
    DAY = "day"
    GTC = "gtc"
    GTD = "gtd"
    IOC = "ioc"
    FOK = "fok"


class SubmitOrder(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One order as its author wants it. ``quantity`` is in whole units; ``price`` is on the instrument's tick."""

    client_id: ClientOrderId
    account: AccountId
    strategy: StrategyId
    instrument: InstrumentId
    side: Side
    quantity: int
    ts_ns: int
    type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    """Trailing types: how far the trigger follows behind the market, in money."""
    trail_limit: Decimal | None = None
    """TRAILING_STOP_LIMIT: how far beyond the trigger the limit then lies."""
    trail_percent: Decimal | None = None
    """Trailing types, instead of ``trail``: in percent of the extreme the trigger follows."""
    tif: TimeInForce = TimeInForce.DAY
    offset: Offset = Offset.AUTO
    expires_ns: int = 0
    group: str = ""
    """Orders that leave in one request of the venue (liquidation) share it."""


_NOTHING: dict[str, object] = {
    "client_id": "", "account": "", "strategy": "", "instrument": "", "side": Side.BUY, "quantity": 0, "ts_ns": 0,
}  # fmt: skip
"""What stands in a record for a field of an order that can not be written, where the field has no default."""


def writable(order: SubmitOrder) -> SubmitOrder:
    """The order, or what of it a record gives back as it was: an order that is denied may hold anything.

    One float for a quantity would make a journal that can not be read again; the denial's reason tells what it was.
    """
    if comes_back(order, SubmitOrder):
        return order
    sound = {
        field.name: getattr(order, field.name)
        for field in msgspec.structs.fields(SubmitOrder)
        if comes_back(getattr(order, field.name), field.type)
    }
    return SubmitOrder(**{**_NOTHING, **sound})


def comes_back(value: object, kind: Any) -> bool:
    """Whether a record gives it back as it is: every field is of its type, every number has room."""
    try:
        return bool(msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind) == value)
    except (ArithmeticError, RecursionError, TypeError, ValueError):
        # ValidationError is a ValueError; a comparison with a signaling NaN is an ArithmeticError.
        return False


class CancelOrder(Struct, frozen=True, kw_only=True, gc=False):
    client_id: ClientOrderId
    ts_ns: int
    who: str = ""
    """Strategy id, or ``operator``."""


class ReplaceOrder(Struct, frozen=True, kw_only=True, gc=False):
    """Change price, or lower the quantity, of a working order (RELIABILITY 2.2, local requests)."""

    client_id: ClientOrderId
    ts_ns: int
    quantity: int
    price: Decimal | None = None
