"""What an order's answer is worth: a refusal only in the words of contract 5.1, else a claim (3.2, 5.2)."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.domain.commands import SubmitOrder
from engine.domain.errors import OutcomeUnknown, Refused
from engine.gateways.easyths.instruments import code_to_wire
from engine.gateways.easyths.messages import Finished

REFUSALS = ("参数验证", "执行前检查", "提交失败：", "提交失败:")
"""A message that begins with one of these says that nothing was placed; no other does."""
_NO_MARKET = re.compile(r"标的[：:].*不支持市价委托")
FORM_FAILED = "失败"
UNSUPPORTED = "不支持"
"""In the message of a market order that went out under another strategy than asked for."""


def is_refusal(message: str) -> bool:
    return message.startswith(REFUSALS) or _NO_MARKET.match(message) is not None


def judge(name: str, finished: Finished) -> None:
    """Nothing: it claims success, and a row has to show it.

    Raises:
        Refused: certainly not placed. OutcomeUnknown: the flag says no, and the words prove nothing.
    """
    if finished.success:
        return
    if is_refusal(finished.message):
        raise Refused(finished.message)
    raise OutcomeUnknown(f"{name}: failed, as it says, but that proves nothing: {finished.message or 'no word of why'}")


def echo_problem(order: SubmitOrder, data: Any) -> str:
    """What the server says it typed against what was asked; empty if it is the same, or it does not say."""
    if not isinstance(data, dict):
        return ""
    code, quantity, price = data.get("stock_code"), data.get("quantity"), data.get("price")
    if code is not None and str(code).zfill(6) != code_to_wire(order.instrument):
        return f"placed for {code} instead of {code_to_wire(order.instrument)}"
    if quantity is not None and _number(quantity) != order.quantity:
        return f"placed over {quantity} instead of {order.quantity}"
    if price is not None and order.price is not None and _number(price) != order.price:
        return f"placed at {price} instead of {order.price}"
    return ""


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value).replace(",", ""))
    except InvalidOperation:
        return None
