"""What answers are made of. Money is text, exactly; moments are ISO 8601 UTC beside ns as text; ``null``: not known.

JavaScript has no integers past 2^53: whatever may be larger is text.
"""

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from engine.domain.timestamps import datetime_from_ns
from engine.runtime.operator_commands import Answer

SAFE_INTEGER = 2**53 - 1


class Refusal(Struct, frozen=True, kw_only=True):
    """Every answer that is no success."""

    error: str
    """One sentence."""
    code: str


class Moment(Struct, frozen=True, kw_only=True):
    """An instant twice: for people, and exactly."""

    time: str
    ts_ns: str


def at(ts_ns: int) -> Moment | None:
    """None for 0: never."""
    return Moment(time=iso(ts_ns), ts_ns=str(ts_ns)) if ts_ns else None


def iso(ts_ns: int) -> str:
    """``2026-03-02T01:30:00.123456Z``."""
    return datetime_from_ns(ts_ns).isoformat(timespec="microseconds").replace("+00:00", "Z")


def age_ms(ts_ns: int | None, now_ns: int) -> int | None:
    return None if not ts_ns else max(0, (now_ns - ts_ns) // 1_000_000)


def number(value: float | None) -> float | None:
    """None where it is no finite number, which JSON has not."""
    return value if value is not None and abs(value) < float("inf") else None


def portable(value: Any) -> Any:
    """Plain values that JavaScript reads exactly: integers past 2^53 and decimals as text."""
    return _safe(msgspec.to_builtins(value))


def _safe(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return {str(key): _safe(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(inner) for inner in value]
    return value


class Done(Struct, frozen=True, kw_only=True):
    """The answer to a command. ``exit_code``: 0 done; 1 no; 2 a mistake; 3 say it once more with ``confirm``."""

    answer: str
    exit_code: int
    details: dict[str, Any]


def done(answer: Answer) -> Done:
    return Done(answer=answer.text, exit_code=answer.exit_code, details=portable(answer.details))


def text(value: Decimal | None) -> str | None:
    """Money as people write it, never as ``1E+3``."""
    return None if value is None else f"{value:f}"


def average(value: Decimal) -> str:
    """A quotient, to eight places."""
    return f"{value.quantize(Decimal('1E-8')).normalize():f}"
