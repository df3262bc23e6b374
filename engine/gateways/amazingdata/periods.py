"""Bar periods, kinds of codes and dates, as the service names them (contract 3 and 4)."""

from datetime import UTC, date, datetime

from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import DAY_NS, MINUTE_NS, day_of, ns_from_datetime

ZONE = "Asia/Shanghai"
ZONE_NS = 8 * 60 * MINUTE_NS
"""Shanghai has had no summer time since 1991: its wall time is UTC and this."""

PERIODS = {
    DAY_NS: "daily",
    MINUTE_NS: "min1",
    5 * MINUTE_NS: "min5",
    15 * MINUTE_NS: "min15",
    30 * MINUTE_NS: "min30",
    60 * MINUTE_NS: "min60",
}
"""Others the service may know are not asked for; build them from these."""
INTERVALS = {name: interval for interval, name in PERIODS.items()}

SECURITY_TYPES = ("EXTRA_STOCK_A", "EXTRA_ETF", "EXTRA_INDEX_A", "EXTRA_FUTURE")
FUTURE_VENUES = frozenset({"CFE", "SHF", "DCE", "CZC", "INE", "GFE"})
NIGHT_VENUES = FUTURE_VENUES - {"CFE"}
"""Exchanges with evening sessions, which belong to the next trading day."""


def venue_of(instrument: str) -> str:
    return instrument.rpartition(".")[2].upper()


def is_future(instrument: str) -> bool:
    return venue_of(instrument) in FUTURE_VENUES


def period_of(interval_ns: int) -> str:
    """
    Raises:
        ConfigError: the service has no bars of that length.
    """
    found = PERIODS.get(interval_ns)
    if found is None:
        have = ", ".join(PERIODS.values())
        raise ConfigError(f"amazingdata: no bars of {interval_ns / MINUTE_NS:g} minutes; it has {have}")
    return found


def checked_code(code: str) -> InstrumentId:
    """
    Raises:
        ConfigError: not of the form number, dot, venue.
    """
    head, dot, tail = code.rpartition(".")
    if not dot or not head.isascii() or not head.isalnum() or not tail.isascii() or not tail.isalpha():
        raise ConfigError(f"amazingdata: {code!r} is no code; write code, dot and venue, as in 600000.SH")
    return InstrumentId(code)


def days_of_span(from_ns: int, to_ns: int) -> tuple[date, date]:
    """First and last Shanghai day that bars ending in ``(from_ns, to_ns]`` may be dated with."""
    return day_of(from_ns, ZONE), day_of(max(to_ns - 1, from_ns), ZONE)


def midnight_ns(day: date) -> int:
    """The instant a Shanghai day begins."""
    return ns_from_datetime(datetime(day.year, day.month, day.day, tzinfo=UTC)) - ZONE_NS
