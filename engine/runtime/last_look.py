"""The last look at a request: its bytes, read again, must say what the journaled intent says (RELIABILITY 4.1, row 27).

It knows no gateway: it reads the JSON that is about to leave and looks for the instrument's code, the quantity and the
limit among its values. Which way the order goes is in the path, or in a number of the venue's own, at most gateways:
the golden tests of each gateway hold those.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain.commands import OrderType, SubmitOrder
from engine.domain.ids import code_of

_PLAIN = (OrderType.MARKET, OrderType.LIMIT)


def difference(orders: Sequence[SubmitOrder], body: bytes) -> str:
    """What the request does not say as the intent does; empty if all is there.

    A request without a body names nothing (a liquidation sells whatever is held); order types that the venue sizes say
    no quantity.
    """
    if not body:
        return ""
    try:
        values = list(_values(msgspec.json.decode(body)))
    except msgspec.DecodeError as error:
        return f"the request is no JSON: {error}"
    words = {value for value in values if isinstance(value, str)}
    numbers = {_number(value) for value in values}
    for order in orders:
        code = code_of(order.instrument)
        if not any(code in word for word in words):
            return f"the request does not name {code}"
        if order.type not in _PLAIN:
            continue
        if Decimal(order.quantity) not in numbers:
            return f"the request does not say the quantity {order.quantity}"
        if order.price is not None and order.price not in numbers:
            return f"the request does not say the price {order.price}"
    return ""


def _values(node: Any) -> Iterator[Any]:
    """Every leaf of a JSON document."""
    if isinstance(node, dict):
        for child in node.values():
            yield from _values(child)
    elif isinstance(node, list):
        for child in node:
            yield from _values(child)
    else:
        yield node


def _number(value: Any) -> Decimal | None:
    """A leaf as a number, written as one or as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return Decimal(str(value))
    except ArithmeticError:
        return None
