"""The body of a submit and the query of a result, checked as FastAPI checks them (contracts/easyths.md 1.1, 2)."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

PRIORITY_MIN, PRIORITY_MAX = 0, 10


class Unprocessable(Exception):
    """422 with one or more reasons."""

    def __init__(self, *reasons: dict[str, Any]) -> None:
        super().__init__("422")
        self.reasons = list(reasons)


class Submission(NamedTuple):
    params: Mapping[str, Any]
    priority: int


def read_submission(raw: bytes, content_type: str | None) -> Submission:
    """``params`` and ``priority`` of a body; fields it does not know are ignored.

    Raises:
        Unprocessable: no body, no JSON, no object, or a field of a wrong kind.
    """
    if not raw:
        raise Unprocessable(_reason("missing", ["body"], "Field required", None))
    body = _json(raw) if _is_json(content_type) else raw.decode(errors="replace")
    if not isinstance(body, dict):
        text = "Input should be a valid dictionary or object to extract fields from"
        raise Unprocessable(_reason("model_attributes_type", ["body"], text, body))
    reasons = []
    params, priority = body.get("params", {}), 0
    if not isinstance(params, dict):
        reasons.append(_reason("dict_type", ["body", "params"], "Input should be a valid dictionary", params))
    try:
        priority = _priority(body.get("priority", 0))
    except Unprocessable as problem:
        reasons += problem.reasons
    if reasons:
        raise Unprocessable(*reasons)
    return Submission(params, priority)


def read_timeout(text: str | None) -> float | None:
    """Seconds to wait for a result; None waits for ever, as do ``nan`` and ``inf``.

    Raises:
        Unprocessable: no number.
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        said = "Input should be a valid number, unable to parse string as a number"
        raise Unprocessable(_reason("float_parsing", ["query", "timeout"], said, text)) from None
    return None if seconds != seconds or seconds == float("inf") else seconds  # noqa: PLR0124


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except json.JSONDecodeError as problem:
        raise Unprocessable(
            _reason("json_invalid", ["body", problem.pos], "JSON decode error", {}) | {"ctx": {"error": problem.msg}}
        ) from None
    except (ValueError, RecursionError):
        # Bytes that are no text, a number of thousands of digits, brackets within brackets.
        raise Unprocessable(_reason("json_invalid", ["body", 0], "JSON decode error", {})) from None


def _is_json(content_type: str | None) -> bool:
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _priority(value: Any) -> int:
    """A whole number from 0 to 10; the text of one and a whole float are taken for it."""
    where = ["body", "priority"]
    number: int
    if isinstance(value, bool | int):
        number = int(value)
    elif isinstance(value, float):
        if not value.is_integer():
            text = "Input should be a valid integer, got a number with a fractional part"
            raise Unprocessable(_reason("int_from_float", where, text, value))
        number = int(value)
    elif isinstance(value, str):
        try:
            number = int(value.strip().removesuffix(".0"))
        except ValueError:
            text = "Input should be a valid integer, unable to parse string as an integer"
            raise Unprocessable(_reason("int_parsing", where, text, value)) from None
    else:
        raise Unprocessable(_reason("int_type", where, "Input should be a valid integer", value))
    if number < PRIORITY_MIN:
        text = f"Input should be greater than or equal to {PRIORITY_MIN}"
        raise Unprocessable(_reason("greater_than_equal", where, text, value) | {"ctx": {"ge": PRIORITY_MIN}})
    if number > PRIORITY_MAX:
        text = f"Input should be less than or equal to {PRIORITY_MAX}"
        raise Unprocessable(_reason("less_than_equal", where, text, value) | {"ctx": {"le": PRIORITY_MAX}})
    return number


def _reason(kind: str, where: list[Any], text: str, value: Any) -> dict[str, Any]:
    return {"type": kind, "loc": where, "msg": text, "input": value}
