"""Nothing is compared before it is known to be a number (RELIABILITY 4.1, rows 5 to 7)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import Offset, OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView

_MARKET, _GTD = OrderType.MARKET, TimeInForce.GTD
_PRICED = frozenset({
    OrderType.LIMIT, OrderType.ABSOLUTE_LIMIT, OrderType.AUCTION_LIMIT, OrderType.SPECIAL_LIMIT, OrderType.STOP_LIMIT,
    OrderType.SPECIAL_LIMIT_ALL, OrderType.LIMIT_IF_TOUCHED, OrderType.LIMIT_OR_STOP,
    OrderType.LIMIT_OR_TRAILING_STOP,
})  # fmt: skip
_STOPS = frozenset({
    OrderType.STOP, OrderType.STOP_LIMIT, OrderType.MARKET_IF_TOUCHED, OrderType.LIMIT_IF_TOUCHED,
    OrderType.LIMIT_OR_STOP,
})  # fmt: skip
_TRAILING = frozenset({
    OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT, OrderType.LIMIT_OR_TRAILING_STOP,
})  # fmt: skip


class WellFormed(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Types and ranges of every field; account, instrument and strategy are known."""

    name: ClassVar[str] = "well_formed"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        quantity = order.quantity
        if type(quantity) is not int:
            return Denial("MALFORMED", f"quantity {quantity!r} is no whole number")
        if quantity <= 0:
            return Denial("MALFORMED", f"quantity {quantity} is not above 0")
        if type(order.side) is not Side or type(order.type) is not OrderType or type(order.tif) is not TimeInForce:
            return Denial("MALFORMED", f"side {order.side!r}, type {order.type!r} or tif {order.tif!r} is no such word")
        if order.price is not None or order.stop_price is not None or order.type is not _MARKET:
            denial = self._prices(order)
            if denial is not None:
                return denial
        if order.tif is _GTD and not (type(order.expires_ns) is int and order.expires_ns > now_ns):
            return Denial("MALFORMED", f"good till date, but expires_ns {order.expires_ns!r} is not in the future")
        if type(order.offset) is not Offset or not order.client_id or not order.strategy:
            return Denial("MALFORMED", "offset, client id or strategy is missing")
        if order.account not in view.portfolio.accounts:
            return Denial("MALFORMED", f"unknown account {order.account!r}")
        if order.instrument not in view.instruments:
            return Denial("INSTRUMENT", f"unknown instrument {order.instrument!r}")
        if view.strategies is not None and order.strategy not in view.strategies:
            return Denial("DUP_ID", f"strategy {order.strategy!r} is unknown or not enabled")
        return None

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        price = "" if order.price is None else f" at {order.price}"
        stop = "" if order.stop_price is None else f" stop {order.stop_price}"
        return f"{order.type} {order.side} {order.quantity!r} {order.instrument}{price}{stop} {order.tif}"

    @staticmethod
    def _prices(order: SubmitOrder) -> Denial | None:
        prices = (("price", order.price), ("stop price", order.stop_price), ("trail", order.trail))
        for key, price in (*prices, ("trail limit", order.trail_limit), ("trail percent", order.trail_percent)):
            if price is not None and not (type(price) is Decimal and price.is_finite() and price > 0):
                return Denial("MALFORMED", f"{key} {price!r} is no finite decimal above 0")
        if order.type in _PRICED:
            if order.price is None:
                return Denial("MALFORMED", f"a {order.type} order needs a price")
        elif order.price is not None:
            return Denial("MALFORMED", f"a {order.type} order takes no price")
        if order.type in _STOPS and order.stop_price is None:
            return Denial("MALFORMED", f"a {order.type} order needs a stop price")
        if order.type in _TRAILING and (order.trail is None) is (order.trail_percent is None):
            return Denial("MALFORMED", f"a {order.type} order needs a trail, or a trail percent")
        if order.type is OrderType.TRAILING_STOP_LIMIT and order.trail_limit is None:
            return Denial("MALFORMED", f"a {order.type} order needs a trail limit")
        return None
