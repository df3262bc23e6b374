"""Integer nanoseconds UTC inside; time zones and text only here, at the edge (DESIGN, decision 1)."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"ms": 1_000_000, "s": SECOND_NS, "m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS, "w": 7 * DAY_NS}
_DURATION = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*(ms|s|m|h|d|w)\s*\Z")


def duration_ns(text: str | int) -> int:
    """``"5m"``, ``"1.5s"``, ``"250ms"``, ``"1d"`` as nanoseconds; an int is nanoseconds already.

    Raises:
        ValueError: not of that form, zero, or longer than 64 bits hold (292 years).
    """
    if isinstance(text, int):
        return text
    match = _DURATION.match(text)
    value = round(float(match[1]) * _UNITS[match[2]]) if match else 0
    if not 0 < value < 2**63:
        raise ValueError(f"{text!r} is no duration; write a positive number and one of ms, s, m, h, d, w, as in '5m'")
    return value


def datetime_from_ns(ts_ns: int, tz: str = "UTC") -> datetime:
    """An aware datetime, cut to microseconds."""
    return (_EPOCH + timedelta(microseconds=ts_ns // 1000)).astimezone(ZoneInfo(tz))


def ns_from_datetime(moment: datetime) -> int:
    """Nanoseconds UTC of an aware datetime; a naive one is refused.

    Raises:
        ValueError: ``moment`` has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; name one")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_NS + delta.microseconds * 1000


def parse_time(text: str, tz: str | None = None) -> int:
    """ISO 8601 text as nanoseconds UTC; text without an offset is read in ``tz``.

    Raises:
        ValueError: unreadable, naive with no ``tz`` to read it in, or outside what 64 bits hold (1677 to 2262).
    """
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        if tz is None:
            raise ValueError(f"{text!r} has no time zone; name one (--tz)")
        moment = moment.replace(tzinfo=ZoneInfo(tz))
    ts_ns = ns_from_datetime(moment)
    if not -(2**63) <= ts_ns < 2**63:
        raise ValueError(f"{text!r} is too far away; write a year from 1678 to 2261")
    return ts_ns


def format_time(ts_ns: int, tz: str = "UTC") -> str:
    """``2026-03-02 09:30:00+08:00``; fractions only where there are any."""
    moment = datetime_from_ns(ts_ns, tz)
    return moment.isoformat(sep=" ", timespec="microseconds" if moment.microsecond else "seconds")


def day_of(ts_ns: int, tz: str) -> date:
    """The calendar day of an instant in a zone."""
    return datetime_from_ns(ts_ns, tz).date()
