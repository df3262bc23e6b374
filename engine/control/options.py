"""Texts of options as values: ``key=value`` pairs, amounts, times."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from engine.domain.errors import ConfigError
from engine.domain.timestamps import parse_time

AMOUNT_DIGITS_MAX = 18


def split_pairs(option: str, texts: Iterable[str]) -> list[tuple[str, str]]:
    """``fast=10`` as ("fast", "10"), for each.

    Raises:
        ConfigError: no equals sign, or nothing before it.
    """
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{option} {text!r}: write name=value, as in {option} fast=10")
        pairs.append((key.strip(), value.strip()))
    return pairs


def read_value(text: str) -> Any:
    """The text as JSON (a number, true, a list) if it is that, else the text itself."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def read_table(option: str, texts: Iterable[str]) -> dict[str, Any]:
    """``share=0.1`` as {"share": 0.1}; a dotted name makes a table within.

    Raises:
        ConfigError: as ``split_pairs``, or a name that is both a value and a table.
    """
    table: dict[str, Any] = {}
    for key, value in split_pairs(option, texts):
        *path, last = key.split(".")
        inner = table
        for name in path:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"{option} {key}={value}: {name} was given a value already; write it once")
        inner[last] = read_value(value)
    return table


def read_amount(option: str, text: str) -> Decimal:
    """Money, exactly.

    Raises:
        ConfigError: no number, not finite, or below 0.
    """
    try:
        amount = Decimal(text.replace("_", "").replace(",", ""))
    except InvalidOperation:
        raise ConfigError(f"{option} {text!r} is no number; write it as in {option} 1000000") from None
    if not amount.is_finite() or amount < 0 or amount.adjusted() > AMOUNT_DIGITS_MAX:
        raise ConfigError(f"{option} {text!r} is none; write a number of 0 or more, of at most 18 digits")
    return amount


def read_moment(option: str, text: str, tz: str | None = None) -> int:
    """A time as nanoseconds UTC; whole digits are nanoseconds already.

    Raises:
        ConfigError: unreadable, or naive where no zone is known.
    """
    if text.isdecimal() and len(text) > 12:
        ts_ns = int(text[:20])
        if len(text) > 19 or ts_ns >= 2**63:
            raise ConfigError(f"{option} {text[:40]!r} is no moment; nanoseconds since 1970 have at most 19 digits")
        return ts_ns
    try:
        return parse_time(text, tz)
    except ValueError as why:
        raise ConfigError(f"{option}: {why}; write it as in 2026-03-02T09:30:00+08:00") from why


def path_as_text(value: Any) -> str:
    """``enc_hook`` of msgspec for what was asked on the command line.

    Raises:
        NotImplementedError: it is no path.
    """
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no text")


def path_from_text(kind: type, value: Any) -> Any:
    """``dec_hook`` to ``path_as_text``.

    Raises:
        NotImplementedError: no path is wanted.
    """
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"{kind.__name__} is not read from text")


def read_day(option: str, text: str) -> date:
    """``20240131`` or ``2024-01-31``.

    Raises:
        ConfigError: no day.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(f"{option} {text!r} is no day; write it as in {option} 20240131") from None
