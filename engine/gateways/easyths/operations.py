"""The fifteen operations and what each takes (contracts/easyths.md 2.2, 3).

The server queues anything and later refuses it without a word on what was wrong: every parameter is checked here first.
"""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.gateways.easyths.instruments import (
    AMOUNT_MAX,
    B_SHARES,
    has_decimals,
    is_code,
    lot_of,
    price_decimals,
)
from engine.net.rest import encode

PRIORITY = 0
"""The one priority of everything, so that the order of submission is the order of execution (contract 2.2)."""
RETURN_TYPES = ("json", "str", "dict", "markdown")
TIME_RANGES = ("当日", "近一周", "近一月", "近三月", "近一年")
EXPIRE_DAYS = (1, 3, 5, 10, 20, 30)
STRATEGIES = (1, 2, 3, 4, 5, 6)
"""1 counterparty best, 2 own best, 3 five levels and cancel the rest, 4 immediate and cancel the rest, 5 fill or kill,
6 five levels and leave the rest as a limit."""
TODAY = TIME_RANGES[0]
BUY_WORD, SELL_WORD = "买入", "卖出"
AMOUNT_STEP = 1000

Check = Callable[[Any], str]
"""What is wrong with a value; empty if nothing is."""


class Parameter(Struct, frozen=True, kw_only=True):
    """``kind``: ``text``, ``whole`` or ``number``, as JSON must carry it."""

    name: str
    check: Check
    kind: str = "text"
    needed: bool = False
    default: Any = None
    """Sent where none is given; None: left out."""


class Operation(Struct, frozen=True, kw_only=True):
    name: str
    text: str
    takes: tuple[Parameter, ...] = ()
    changes: bool = False
    table: str = ""
    """Where the answer is a table: the page's name for it."""


def _one_of(*values: Any) -> Check:
    listed = ", ".join(str(value) for value in values)
    return lambda value: "" if value in values else f"write one of {listed}"


def _code(value: Any) -> str:
    return "" if is_code(value) else "write six digits, as 600000"


def _positive(value: Any) -> str:
    return "" if value > 0 else "write a number above 0"


def _percent(value: Any) -> str:
    return "" if 0 < value <= 100 else "write a percentage above 0, up to 100"


def _thousands(value: Any) -> str:
    return "" if value > 0 and value % AMOUNT_STEP == 0 else f"write a multiple of {AMOUNT_STEP}"


CODE = Parameter(name="stock_code", check=_code, needed=True)
SOME_CODE = Parameter(name="stock_code", check=_code)
QUANTITY = Parameter(name="quantity", check=_positive, kind="whole", needed=True)
PRICE = Parameter(name="price", check=_positive, kind="number", needed=True)
FORM = Parameter(name="return_type", check=_one_of(*RETURN_TYPES), default="json")
STRATEGY = Parameter(name="execution_strategy", check=_one_of(*STRATEGIES), kind="whole", default=3)
DAYS = Parameter(name="expire_days", check=_one_of(*EXPIRE_DAYS), kind="whole", default=30)

OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation(name="buy", text="buy at a limit, past our own risk checks", takes=(CODE, PRICE, QUANTITY),
                  changes=True),
        Operation(name="sell", text="sell at a limit, past our own risk checks", takes=(CODE, PRICE, QUANTITY),
                  changes=True),
        Operation(name="market_buy", text="buy at the market (newer servers), past our own risk checks",
                  takes=(CODE, QUANTITY, STRATEGY), changes=True),
        Operation(name="market_sell", text="sell at the market (newer servers), past our own risk checks",
                  takes=(CODE, QUANTITY, STRATEGY), changes=True),
        Operation(name="holding_query", text="what the account holds", takes=(FORM,), table="holdings"),
        Operation(name="funds_query", text="money of the account"),
        Operation(name="order_query", text="orders that can still be cancelled", takes=(FORM, SOME_CODE),
                  table="orders"),
        Operation(name="historical_commission_query", text="orders of a period, ended ones too",
                  takes=(FORM, SOME_CODE,
                         Parameter(name="time_range", check=_one_of(*TIME_RANGES), default=TODAY)),
                  table="historical_orders"),
        Operation(name="order_cancel", text="cancel orders of a code and side; WITHOUT stock_code all of the account",
                  takes=(SOME_CODE,
                         Parameter(name="cancel_type", check=_one_of("all", "buy", "sell"), default="all")),
                  changes=True),
        Operation(name="condition_buy", text="buy when a price is reached",
                  takes=(CODE, Parameter(name="target_price", check=_positive, kind="number", needed=True), QUANTITY,
                         DAYS), changes=True),
        Operation(name="stop_loss_profit", text="sell a holding at a loss or a profit of so many percent",
                  takes=(CODE,
                         Parameter(name="stop_loss_percent", check=_percent, kind="number", needed=True),
                         Parameter(name="stop_profit_percent", check=_percent, kind="number", needed=True),
                         Parameter(name="quantity", check=_positive, kind="whole"), DAYS), changes=True),
        Operation(name="condition_order_query", text="conditions that still wait", takes=(FORM,),
                  table="condition_orders"),
        Operation(name="condition_order_cancel", text="delete conditions; WITHOUT stock_code all of them",
                  takes=(SOME_CODE, Parameter(name="order_type", check=_one_of(BUY_WORD, SELL_WORD))), changes=True),
        Operation(name="reverse_repo_query", text="rates of reverse repos", table="reverse_repo_interest"),
        Operation(name="reverse_repo_buy", text="lend money, past our own risk checks",
                  takes=(Parameter(name="market", check=_one_of("上海", "深圳"), needed=True),
                         Parameter(name="time_range", check=_one_of("1天期", "2天期", "3天期", "4天期", "7天期"),
                                   needed=True),
                         Parameter(name="amount", check=_thousands, kind="whole", needed=True)), changes=True),
    )
}  # fmt: skip
NEWER_ONLY = frozenset({"market_buy", "market_sell"})


def body_of(name: str, given: Mapping[str, Any], *, newer: bool = True, priority: int = PRIORITY) -> bytes:
    """The exact request body of one operation. Prices may be ``Decimal``; None counts as not given.

    Raises:
        ConfigError: the server would refuse it, or do something else than asked; one sentence.
    """
    operation = OPERATIONS.get(name)
    if operation is None:
        raise ConfigError(f"there is no operation {name!r}; there are {', '.join(OPERATIONS)}")
    strange = [key for key in given if key not in {parameter.name for parameter in operation.takes}]
    if strange:
        raise ConfigError(f"{name}: {strange[0]} is not known; it takes {_listed(operation)}")
    params: dict[str, Any] = {}
    for parameter in operation.takes:
        value = given.get(parameter.name)
        value = parameter.default if value is None else _checked(name, parameter, value)
        if value is not None:
            params[parameter.name] = value
        elif parameter.needed:
            raise ConfigError(f"{name}: {parameter.name} is missing; it takes {_listed(operation)}")
    problem = _together(name, params, newer=newer)
    if problem:
        raise ConfigError(f"{name}: {problem}")
    return encode({"params": params, "priority": priority})


def values_from_texts(name: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Texts of a command line as the values that an operation takes.

    Raises:
        ConfigError: one is not of its kind.
    """
    kinds = {parameter.name: parameter.kind for parameter in OPERATIONS[name].takes}
    return {key: _from_text(name, key, kinds.get(key, "text"), text) for key, text in texts.items()}


def _from_text(name: str, key: str, kind: str, text: str) -> Any:
    try:
        if kind == "whole":
            return int(text)
        return Decimal(text) if kind == "number" else text
    except (ValueError, InvalidOperation):
        what = "whole number" if kind == "whole" else "number"
        raise ConfigError(f"{name}: {key}={text!r} is no {what}; correct it") from None


def _checked(name: str, parameter: Parameter, value: Any) -> Any:
    """As JSON must carry it: whole numbers as such, prices as numbers, never as text (contract 3)."""
    kind = parameter.kind
    if kind == "whole":
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif kind == "number":
        fits = isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)
    else:
        fits = isinstance(value, str)
    if not fits:
        raise ConfigError(f"{name}: {parameter.name} is {value!r}, which is no {kind}; correct it")
    problem = parameter.check(value)
    if problem:
        raise ConfigError(f"{name}: {parameter.name} is {value}; {problem}")
    return float(value) if kind == "number" else value


def _together(name: str, params: Mapping[str, Any], *, newer: bool) -> str:
    """What is wrong with values that only together are wrong."""
    code, quantity = params.get("stock_code", ""), params.get("quantity")
    if name in NEWER_ONLY and not newer:
        return "this server is of the older generation and has no market orders; send a limit"
    if quantity is not None:
        lot = lot_of(code, newer=newer)
        if quantity % lot:
            return f"quantity {quantity} is no multiple of {lot}"
    price = params.get("price", params.get("target_price"))
    if price is not None and quantity is not None and Decimal(repr(price)) * quantity > AMOUNT_MAX:
        return f"{price} x {quantity} is more than {AMOUNT_MAX}, the most the server takes in one order"
    if code.startswith(B_SHARES) and name in ("buy", "sell"):
        return f"{code} is a B share, whose price this server can not type"
    decimals = price_decimals(code, newer=newer)
    if price is not None and not has_decimals(Decimal(repr(price)), decimals):
        return f"price {price} has more than the {decimals} decimals that this server types for {code}"
    loss, profit = params.get("stop_loss_percent"), params.get("stop_profit_percent")
    if loss is not None and profit is not None and profit <= loss:
        return f"stop_profit_percent {profit} must be above stop_loss_percent {loss}"
    return ""


def _listed(operation: Operation) -> str:
    return ", ".join(p.name if p.needed else f"[{p.name}]" for p in operation.takes) or "nothing"


def params_from_text(text: str) -> dict[str, Any]:
    """``{"stock_code": "600000"}`` of a command line.

    Raises:
        ConfigError: it is no JSON object.
    """
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ConfigError(f"params={text!r} is no JSON object: {error}; correct it") from error
