"""Which params an operation takes, checked when it runs and not when it is submitted (contracts/easyths.md 3).

The server never says what was wrong. Its checks are those of Python: True is the number 1, 100.0 no whole number.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.simulators.easyths.catalog import (
    CANCEL_TYPES,
    EXPIRE_DAYS,
    MARKETS,
    RETURN_TYPES,
    SIDES,
    TERMS,
    TIME_RANGES,
)
from engine.simulators.easyths.messages import Generation

AMOUNT_MAX = 10_000_000
BONDS = ("11", "12")
Params = Mapping[str, Any]


def is_valid(name: str, params: Params, generation: Generation) -> bool:
    """Whether the operation goes on with these params."""
    return _CHECKS[name](params, generation)


def lot_of(code: str, generation: Generation) -> int:
    """Ten convertible bonds are a lot since NEW; a hundred of anything else."""
    return 10 if generation == "new" and code.startswith(BONDS) else 100


def _limit(params: Params, generation: Generation) -> bool:
    return (
        _has(params, "stock_code", "price", "quantity")
        and _is_code(params["stock_code"])
        and _is_positive(params["price"])
        and _is_lots(params["quantity"], params["stock_code"], generation)
        and not params["price"] * params["quantity"] > AMOUNT_MAX
    )


def _market(params: Params, generation: Generation) -> bool:
    return (
        _has(params, "stock_code", "quantity")
        and _is_code(params["stock_code"])
        and _is_lots(params["quantity"], params["stock_code"], generation)
    )


def _orders(params: Params, generation: Generation) -> bool:
    return _is_code_or_none(params) and _among(params.get("return_type"), RETURN_TYPES)


def _history(params: Params, generation: Generation) -> bool:
    return (
        _is_code_or_none(params)
        and _among(params.get("time_range", TIME_RANGES[0]), TIME_RANGES)
        and _among(params.get("return_type", "str"), RETURN_TYPES)
    )


def _holdings(params: Params, generation: Generation) -> bool:
    return _among(params.get("return_type"), RETURN_TYPES)


def _anything(params: Params, generation: Generation) -> bool:
    return True


def _cancel(params: Params, generation: Generation) -> bool:
    kind = params.get("cancel_type")
    return _is_code_or_none(params) and (kind is None or _among(kind, CANCEL_TYPES))


def _condition_buy(params: Params, generation: Generation) -> bool:
    return (
        _has(params, "stock_code", "target_price", "quantity")
        and _is_code(params["stock_code"])
        and _is_positive(params["target_price"])
        and _is_lots(params["quantity"], params["stock_code"], generation)
        and _among(params.get("expire_days", EXPIRE_DAYS[-1]), EXPIRE_DAYS)
        and not params["target_price"] * params["quantity"] > AMOUNT_MAX
    )


def _stop(params: Params, generation: Generation) -> bool:
    quantity = params.get("quantity")
    return (
        _has(params, "stock_code", "stop_loss_percent", "stop_profit_percent")
        and _is_code(params["stock_code"])
        and _is_percent(params["stop_loss_percent"])
        and _is_percent(params["stop_profit_percent"])
        and _among(params.get("expire_days", EXPIRE_DAYS[-1]), EXPIRE_DAYS)
        and (quantity is None or _is_lots(quantity, params["stock_code"], generation))
    )


def _conditions(params: Params, generation: Generation) -> bool:
    return _among(params.get("return_type", "json"), RETURN_TYPES)


def _condition_cancel(params: Params, generation: Generation) -> bool:
    side = params.get("order_type")
    return _is_code_or_none(params) and (side is None or _among(side, SIDES))


def _repo(params: Params, generation: Generation) -> bool:
    return (
        _has(params, "market", "time_range", "amount")
        and _among(params["market"], MARKETS)
        and _among(params["time_range"], TERMS)
        and isinstance(params["amount"], int)
        and params["amount"] >= 1000
        and params["amount"] % 1000 == 0
    )


_CHECKS: dict[str, Callable[[Params, Generation], bool]] = {
    "buy": _limit,
    "sell": _limit,
    "market_buy": _market,
    "market_sell": _market,
    "order_query": _orders,
    "historical_commission_query": _history,
    "holding_query": _holdings,
    "funds_query": _anything,
    "order_cancel": _cancel,
    "condition_buy": _condition_buy,
    "stop_loss_profit": _stop,
    "condition_order_query": _conditions,
    "condition_order_cancel": _condition_cancel,
    "reverse_repo_query": _anything,
    "reverse_repo_buy": _repo,
}


def _has(params: Params, *names: str) -> bool:
    return all(name in params for name in names)


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 6 and value.isdigit()


def _is_code_or_none(params: Params) -> bool:
    code = params.get("stock_code")
    return code is None or _is_code(code)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not value <= 0


def _is_percent(value: Any) -> bool:
    return _is_positive(value) and not value > 100


def _is_lots(value: Any, code: str, generation: Generation) -> bool:
    lot = lot_of(code, generation)
    return isinstance(value, int) and value >= lot and value % lot == 0


def _among(value: Any, values: tuple[Any, ...]) -> bool:
    # A list or an object is none of them.
    return isinstance(value, str | int | float) and value in values
