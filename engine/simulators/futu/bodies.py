"""Reading a request's body: wrapped or bare, either spelling, aliases, strict fields (contracts/futu.md 2.1)."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from engine.simulators.futu.codes import QOT_MARKETS
from engine.simulators.futu.envelope import BadRequest
from engine.simulators.futu.routes import MESSAGES, Field, Route

ALIASES = {
    "/api/subscribe": {
        "symbols": "security_list",
        "stocks": "security_list",
        "sub_types": "sub_type_list",
        "is_sub": "is_sub_or_un_sub",
    },
    "/api/history-kline": {
        "max_count": "max_ack_kl_num",
        "begin": "begin_time",
        "start": "begin_time",
        "end": "end_time",
    },
}
HEADER_KEYS = ("acc_id", "trd_env", "trd_market")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_RANGES = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "uint32": (0, (1 << 32) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint64": (0, (1 << 64) - 1),
}


DEPTH_MAX = 100
FLOAT_MAX = 1e308


def snake(key: str) -> str:
    """``orderIDEx`` as ``order_id_ex``; a key that is snake_case already stays as it is."""
    return _HUMP.sub("_", key).lower()


def read_body(route: Route, raw: bytes, *, strict: bool) -> dict[str, Any]:
    """The fields of a request by their names in ``routes.py``.

    Args:
        strict: refuse unknown fields; False drops them without a word, as builds before 1.4.93 did.

    Raises:
        BadRequest: no JSON object, an unknown field, a missing one, or one of another type.
    """
    if route.method == "GET":
        return {}
    try:
        body = msgspec.json.decode(raw or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise BadRequest(f"invalid JSON: {problem}") from None
    if not isinstance(body, dict):
        raise BadRequest("invalid JSON: the body must be an object")
    if "c2s" in body:
        body = body["c2s"]
        if not isinstance(body, dict):
            raise BadRequest("invalid type for field: c2s")
    fields = _spelled(body)
    fields = {ALIASES.get(route.path, {}).get(key, key): value for key, value in fields.items()}
    if "header" in route.fields:
        _lift_header(route, fields)
    unknown = [key for key in fields if key not in route.fields]
    if unknown and not route.open_ended:
        if strict:
            raise BadRequest(f"unknown field(s): {', '.join(unknown)}")
        for key in unknown:
            del fields[key]
    read = {
        key: _read(route.fields[key], value, strict=strict) if key in route.fields else value
        for key, value in fields.items()
        if value is not None
    }
    missing = [field.name for field in route.fields.values() if field.required and field.name not in read]
    if missing:
        raise BadRequest(f"missing required field: {missing[0]}")
    return read


def _spelled(value: Any, depth: int = 0) -> Any:
    if depth > DEPTH_MAX:
        raise BadRequest("invalid JSON: recursion limit exceeded")
    if isinstance(value, dict):
        return {snake(str(key)): _spelled(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_spelled(inner, depth + 1) for inner in value]
    return value


def _lift_header(route: Route, fields: dict[str, Any]) -> None:
    """A flat trade header moves into ``header`` (since 1.4.90); modify-order's own trd_market stays where it is."""
    flat = {key: fields.pop(key) for key in HEADER_KEYS if key in fields and key not in route.fields}
    if flat:
        given = fields.get("header") or {}
        fields["header"] = flat | given if isinstance(given, dict) else given


def _read(field: Field, value: Any, *, strict: bool) -> Any:
    if not field.is_list:
        return _value(field.name, field.type, value, strict=strict)
    if not isinstance(value, list):
        raise BadRequest(f"invalid type for field: {field.name}")
    return [_value(field.name, field.type, item, strict=strict) for item in value]


def _value(name: str, kind: str, value: Any, *, strict: bool) -> Any:
    if kind.endswith("[]"):
        if not isinstance(value, list):
            raise BadRequest(f"invalid type for field: {name}")
        return [_value(name, kind[:-2], item, strict=strict) for item in value]
    if kind in MESSAGES:
        return _message(name, kind, value, strict=strict)
    fits = True
    match kind:
        case "bool":
            fits = isinstance(value, bool)
        case "string":
            fits = isinstance(value, str)
        case "double":
            fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < FLOAT_MAX
        case "bytes":
            fits = isinstance(value, list) and all(isinstance(b, int) and 0 <= b <= 255 for b in value)
        case "any":
            pass
        case _:
            return _integer(name, kind, value)
    if not fits:
        raise BadRequest(f"invalid type for field: {name}")
    return value


def _integer(name: str, kind: str, value: Any) -> int:
    if isinstance(value, str) and kind in {"uint64", "int64"} and value.isdecimal() and len(value) <= 20:
        value = int(value)
    low, high = _RANGES[kind]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRequest(f"invalid type for field: {name}")
    return value


def _message(name: str, kind: str, value: Any, *, strict: bool) -> dict[str, Any]:
    if kind == "Security" and isinstance(value, str):
        return _symbol(value)
    if not isinstance(value, Mapping):
        raise BadRequest(f"invalid type for field: {name}")
    known = MESSAGES[kind]
    unknown = [key for key in value if key not in known]
    if unknown and strict:
        raise BadRequest(f"unknown field(s): {', '.join(f'{name}.{key}' for key in unknown)}")
    read = {
        k: _value(f"{name}.{k}", known[k], v, strict=strict) for k, v in value.items() if k in known and v is not None
    }
    if kind == "Security":
        missing = [key for key in known if key not in read]
        if missing:
            raise BadRequest(f"missing required field: {name}.{missing[0]}")
    return read


def _symbol(text: str) -> dict[str, Any]:
    """``HK.00700``; the other order, ``00700.HK``, is refused."""
    market, dot, code = text.partition(".")
    if not dot or market not in QOT_MARKETS or not code:
        raise BadRequest(f"invalid symbol: {text}")
    return {"market": QOT_MARKETS[market], "code": code}
