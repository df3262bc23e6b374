"""One order as the server's body, and what its answer proves (contracts/ht.md 3.1): code and HTTP status do not."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from engine.domain.commands import OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.errors import NotSent, OutcomeUnknown, Refused
from engine.domain.ids import code_of
from engine.gateways.huatai import texts
from engine.gateways.huatai.cells import order_number
from engine.gateways.huatai.wire import Reply
from engine.net.rest import encode

DEFAULT_TTYPE = "五档即时成交剩余撤销"
TTYPES = (DEFAULT_TTYPE, "五档即时成交剩余转限价")
SHENZHEN_TTYPES = ("对手方最优价格", "本方最优价格", "即时成交剩余撤销", "全额成交或撤销")
"""Offered there besides (contract 3.1)."""
EXCHANGES = ("SH", "SZ", "BJ")
_PATHS = {
    (OrderType.LIMIT, Side.BUY): "/buy",
    (OrderType.LIMIT, Side.SELL): "/sell",
    (OrderType.MARKET, Side.BUY): "/market-buy",
    (OrderType.MARKET, Side.SELL): "/market-sell",
}
NUMBER_KEYS = ("合同编号", "entrust_id", "entrust_no", "委托编号")
_PRICE_STEP = Decimal("0.001")
_DEPTH_MAX = 4


def path_of(order: SubmitOrder) -> str:
    """Raises: NotSent: the client has no such order."""
    found = _PATHS.get((order.type, order.side))
    if found is None or order.tif is not TimeInForce.DAY:
        raise NotSent(f"{order.instrument}: no {order.type} {order.side} {order.tif} orders here")
    return found


def body_of(orders: Sequence[SubmitOrder], ttype: str) -> bytes:
    """The exact bytes. The code goes plain, in six digits: the client types the last six characters of it.

    Raises:
        NotSent: an order that the client would not take, or would take for another.
    """
    if len(orders) != 1:
        raise NotSent("orders leave one by one here")
    order = orders[0]
    path_of(order)
    code, exchange = code_of(order.instrument), order.instrument.rpartition(".")[2]
    if exchange not in EXCHANGES or len(code) != 6 or not (code.isascii() and code.isdigit()):
        raise NotSent(f"{order.instrument}: only codes of six digits in {', '.join(EXCHANGES)} are traded here")
    if order.quantity <= 0:
        raise NotSent(f"{order.instrument}: {order.quantity} is no quantity")
    if order.type is OrderType.MARKET:
        return encode({"security": code, "amount": order.quantity, "ttype": ttype_for(ttype, exchange)})
    price = order.price
    if price is None or price <= 0 or price != price.quantize(_PRICE_STEP):
        raise NotSent(f"{order.instrument}: price {price}: the client rounds to three decimals")
    return encode({"security": code, "price": float(price), "amount": order.quantity})


def ttype_for(ttype: str, exchange: str) -> str:
    """Raises: NotSent: that exchange does not have this kind of market order."""
    offered = TTYPES + (SHENZHEN_TTYPES if exchange == "SZ" else ())
    if ttype not in offered:
        raise NotSent(f"ttype {ttype!r} is not offered for {exchange}; it has {', '.join(offered)}")
    return ttype


def placed_number(reply: Reply) -> str:
    """The number in the answer; empty: probably placed, and its row must be looked for.

    Raises:
        Refused: provably not placed. OutcomeUnknown: it may have been.
    """
    found = _number_in(reply.data) or texts.number_in_text(reply.words)
    if found or reply.code == 200:
        return found
    if texts.never_sent(reply.code, reply.words):
        raise Refused(f"not sent: {texts.explained(reply.words)}", status=reply.code)
    if reply.code == 400 and texts.refused_by_counter(reply.words):
        raise Refused(texts.explained(reply.words), status=reply.code)
    raise OutcomeUnknown(f"{reply.request}: code {reply.code}: {texts.explained(reply.words)}", status=reply.code)


def _number_in(data: Any, depth: int = 0) -> str:
    """A number under one of its names, at any depth: the contract number where there are two."""
    if isinstance(data, dict):
        own = next((number for key in NUMBER_KEYS if (number := order_number(data.get(key)))), "")
        inner = list(data.values())
    elif isinstance(data, list):
        own, inner = "", data
    else:
        return ""
    if own or depth >= _DEPTH_MAX:
        return own
    return next((number for value in inner if (number := _number_in(value, depth + 1))), "")
