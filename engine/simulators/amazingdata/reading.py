"""Parameters as the platform's framework reads them: what does not fit is HTTP 422 with a list of problems.

The framework is FastAPI with pydantic 2 by the form of the contract's validation example; wording of its version 2.
"""

import json
from datetime import date
from typing import Any, Literal

from msgspec import Struct
from starlette.requests import Request

from engine.simulators.amazingdata.messages import BAD_DATE, NO_CODES, Failure, Invalid, too_many_codes

Kind = Literal["text", "integer", "flag", "texts"]
REQUIRED = object()

_PROBLEMS: dict[str, tuple[str, str]] = {
    "missing": ("missing", "Field required"),
    "text": ("string_type", "Input should be a valid string"),
    "texts": ("list_type", "Input should be a valid list"),
    "flag": ("bool_parsing", "Input should be a valid boolean, unable to interpret input"),
    "integer": ("int_parsing", "Input should be a valid integer, unable to parse string as an integer"),
}
_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class Field(Struct, frozen=True):
    """One parameter; ``least`` is the lowest integer that is taken."""

    name: str
    kind: Kind = "text"
    default: Any = REQUIRED
    least: int | None = None


class _Misfit(Exception):
    def __init__(self, kind: str, where: tuple[str | int, ...], given: Any, **extra: Any) -> None:
        super().__init__(kind)
        name, text = _PROBLEMS.get(kind, (kind, extra.pop("msg", "")))
        self.problem = {"type": name, "loc": list(where), "msg": text, "input": given} | extra


def query(request: Request, *fields: Field) -> list[Any]:
    """Query parameters in the order of ``fields``.

    Raises:
        Invalid: one is missing or does not fit.
    """
    return _read(dict(request.query_params), "query", None, fields)


def integer(request: Request, name: str) -> int:
    """A path parameter that is a number."""
    (value,) = _read(request.path_params, "path", None, (Field(name, "integer"),))
    return int(value)


async def body(request: Request, *fields: Field) -> list[Any]:
    """Members of the JSON body in the order of ``fields``.

    Raises:
        Invalid: no JSON object, or a member is missing or does not fit.
    """
    raw = await request.body()
    if not raw:
        raise Invalid([_Misfit("missing", ("body",), None).problem])
    try:
        given = json.loads(raw)
    except json.JSONDecodeError as why:
        extra = {"msg": "JSON decode error", "ctx": {"error": why.msg}}
        raise Invalid([_Misfit("json_invalid", ("body", why.pos), {}, **extra).problem]) from None
    except (ValueError, RecursionError):
        raise Failure(400, "There was an error parsing the body") from None
    if not isinstance(given, dict):
        text = "Input should be a valid dictionary or object to extract fields from"
        raise Invalid([_Misfit("model_attributes_type", ("body",), given, msg=text).problem])
    return _read(given, "body", given, fields)


def day(text: str) -> int:
    """``20240102`` as a day.

    Raises:
        Failure: of another form, or no day.
    """
    try:
        if len(text) != 8 or not text.isascii() or not text.isdigit():
            raise ValueError(text)
        return date(int(text[:4]), int(text[4:6]), int(text[6:])).toordinal()
    except ValueError:
        raise Failure(400, BAD_DATE) from None


def code_list(codes: str | list[str], most: int) -> list[str]:
    """Codes without blanks and repetitions.

    Raises:
        Failure: none, or more than ``most``.
    """
    given = codes.split(",") if isinstance(codes, str) else codes
    found = list(dict.fromkeys(code.strip() for code in given if code.strip()))
    if not found:
        raise Failure(400, NO_CODES)
    if len(found) > most:
        raise too_many_codes(most)
    return found


def _read(given: Any, place: str, whole: Any, fields: tuple[Field, ...]) -> list[Any]:
    values: list[Any] = []
    problems: list[dict[str, Any]] = []
    for field in fields:
        try:
            values.append(_value(given, place, whole, field))
        except _Misfit as misfit:
            problems.append(misfit.problem)
    if problems:
        raise Invalid(problems)
    return values


def _value(given: Any, place: str, whole: Any, field: Field) -> Any:
    where = (place, field.name)
    if field.name not in given:
        if field.default is REQUIRED:
            raise _Misfit("missing", where, whole)
        return field.default
    value = given[field.name]
    match field.kind:
        case "integer":
            return _integer(value, where, field.least)
        case "flag":
            if isinstance(value, bool):
                return value
            if str(value).lower() not in _FLAGS:
                raise _Misfit("flag", where, value)
            return _FLAGS[str(value).lower()]
        case "texts":
            if not isinstance(value, list):
                raise _Misfit("texts", where, value)
            for place_in_list, item in enumerate(value):
                if not isinstance(item, str):
                    raise _Misfit("text", (*where, place_in_list), item)
            return value
    if not isinstance(value, str):
        raise _Misfit("text", where, value)
    return value


def _integer(value: Any, where: tuple[str | int, ...], least: int | None) -> int:
    try:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(value)
        number = int(value)
    except ValueError:
        raise _Misfit("integer", where, value) from None
    if least is not None and number < least:
        text = f"Input should be greater than or equal to {least}"
        raise _Misfit("greater_than_equal", where, value, msg=text, ctx={"ge": least})
    return number
