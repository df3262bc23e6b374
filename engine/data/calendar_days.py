"""Which days are open: a source's own list, over ``exchange_calendars``, all under a file of overrides.

Calendars end: ``exchange_calendars`` knows Shanghai to the end of a year, and a data service only to today. Past the
last day that any of them knows nothing is guessed.
"""

import tomllib
import warnings
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.data.hours import Span, span_of
from engine.domain.errors import ConfigError

_FIRST = "1991-01-02"


class OverrideRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the override file, ``[calendar.XSHG]``. ``hours``: sessions of single days, as "09:30-11:30"."""

    closed: tuple[date, ...] = ()
    open: tuple[date, ...] = ()
    known_until: date | None = None
    """Every open day up to here is listed; default: the last one listed."""
    hours: dict[date, tuple[str, ...]] = {}


class Overrides(Struct, frozen=True, kw_only=True):
    """What a person says about a calendar; it goes before everything else."""

    closed: frozenset[date] = frozenset()
    open: frozenset[date] = frozenset()
    known_until: date | None = None
    hours: Mapping[date, tuple[Span, ...]] = {}


class KnownDays(Struct, frozen=True, kw_only=True):
    """Days a source listed for a span it was asked for; ``last`` is its own last day if that is earlier."""

    first: date
    last: date
    days: frozenset[date]


class ExchangeDays(Struct, frozen=True, kw_only=True):
    """Days of ``exchange_calendars``, oldest first, and the sessions of each as nanoseconds UTC."""

    last: date
    sessions: Mapping[date, tuple[tuple[int, int], ...]]


def known_days(first: date, last: date, days: Iterable[date]) -> KnownDays | None:
    """A source's answer for a span. Its list ends with the last day it knows; an empty one says nothing."""
    listed = frozenset(day for day in days if first <= day <= last)
    return KnownDays(first=first, last=max(listed), days=listed) if listed else None


def read_overrides(path: Path, exchange: str) -> Overrides:
    """The table of one calendar; none where the file does not speak of it.

    Raises:
        ConfigError: missing file, broken TOML, a key or a day that is none; names the file and the place.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"calendar file {path}: there is no such file; check the path") from None
    except (OSError, ValueError, RecursionError) as why:
        raise ConfigError(f"calendar file {path}: can not be read: {why}") from why
    place = f"calendar file {path}"
    if set(table) - {"calendar"} or not isinstance(table.get("calendar", {}), dict):
        raise ConfigError(f"{place}: write tables named [calendar.XSHG] and nothing else")
    found: Any = table.get("calendar", {}).get(exchange, {})
    try:
        row = msgspec.convert(found, OverrideRow, strict=False)
        hours = {day: tuple(span_of(text) for text in texts) for day, texts in row.hours.items()}
    except (msgspec.ValidationError, ValueError) as why:
        raise ConfigError(f"{place}, [calendar.{exchange}]: {why}") from why
    both = sorted(set(row.closed) & set(row.open))
    if both:
        raise ConfigError(f"{place}, [calendar.{exchange}]: {both[0]} is listed as open and as closed; remove one")
    until = row.known_until or max(row.open, default=None)
    return Overrides(closed=frozenset(row.closed), open=frozenset(row.open), known_until=until, hours=hours)


def exchange_days(exchange: str) -> ExchangeDays:
    """All that ``exchange_calendars`` knows of an exchange, from 1991 on."""
    import exchange_calendars

    with warnings.catch_warnings():
        # What it says of its own use of pandas is not for our users.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = exchange_calendars.get_calendar(exchange, start=_FIRST)
    opens, closes = found.opens_nanos.tolist(), found.closes_nanos.tolist()
    breaks = found.break_starts_nanos.tolist(), found.break_ends_nanos.tolist()
    sessions: dict[date, tuple[tuple[int, int], ...]] = {}
    for place, stamp in enumerate(found.sessions):
        pause, again = breaks[0][place], breaks[1][place]
        # A day without a break says so with the least integer there is.
        whole = pause <= 0 or not opens[place] < pause < again < closes[place]
        spans = ((opens[place], closes[place]),) if whole else ((opens[place], pause), (again, closes[place]))
        sessions[stamp.date()] = spans
    return ExchangeDays(last=found.last_session.date(), sessions=sessions)


def merged_days(
    exchange: ExchangeDays | None, known: KnownDays | None, overrides: Overrides
) -> tuple[list[date], date]:
    """Open days, oldest first, and the last day of which is known whether it is open.

    Raises:
        ConfigError: nothing is known of any day.
    """
    days = set(exchange.sessions) if exchange is not None else set()
    lasts = [exchange.last] if exchange is not None else []
    if known is not None:
        span = {known.first + timedelta(days=n) for n in range((known.last - known.first).days + 1)}
        days = (days - span) | known.days
        lasts.append(known.last)
    if overrides.known_until is not None:
        lasts.append(overrides.known_until)
    if not lasts:
        raise ConfigError("calendar: no day is known; name an exchange, or list days in a calendar file")
    last = max(lasts)
    days = (days | overrides.open) - overrides.closed
    return sorted(day for day in days if day <= last), last
