"""Hours of trading by venue and product, dated; minutes are of the venue's own wall clock."""

import re
from datetime import date

from msgspec import Struct

Span = tuple[int, int]
"""Minutes of the day, from and to: 570, 690 is 09:30 to 11:30."""


class Hours(Struct, frozen=True, kw_only=True):
    """``sessions``: when bars are expected. ``optional``: when there may be bars besides; above 1440: after midnight.

    ``evening``: minute of the day from which an instant belongs to the next trading day; 1440 where nothing trades
    at night.
    """

    tz: str
    exchange: str
    """The name of its days in ``exchange_calendars``."""
    sessions: tuple[Span, ...]
    optional: tuple[Span, ...] = ()
    evening: int = 1440


_CHINA = ((570, 690), (780, 900))
# SSE and SZSE trading rules: 09:30-11:30 and 13:00-15:00, opening auction 09:15-09:25.
_SHARES = Hours(tz="Asia/Shanghai", exchange="XSHG", sessions=_CHINA)
# CFFEX notices: index futures 09:15-15:15 until the end of 2015; bond futures open at 09:30 since 2020-07-20.
_INDEX_FUTURES = Hours(tz="Asia/Shanghai", exchange="XSHG", sessions=_CHINA)
_LONG_DAY = Hours(tz="Asia/Shanghai", exchange="XSHG", sessions=((555, 690), (780, 915)))
_BOND_FUTURES = Hours(tz="Asia/Shanghai", exchange="XSHG", sessions=((570, 690), (780, 915)))
# SHFE, DCE, CZCE, INE, GFEX: by day 09:00-10:15, 10:30-11:30, 13:30-15:00; evenings from 21:00, until 02:30 at most,
# by product, and not before a holiday that is more than a weekend.
_COMMODITIES = Hours(
    tz="Asia/Shanghai", exchange="XSHG", sessions=((540, 615), (630, 690), (810, 900)), optional=((1260, 1590),),
    evening=18 * 60,
)  # fmt: skip
# HKEX: 09:30-12:00, 13:00-16:00; the closing auction runs to 16:10.
_HONG_KONG = Hours(tz="Asia/Hong_Kong", exchange="XHKG", sessions=((570, 720), (780, 960)), optional=((960, 970),))
# NYSE: 09:30-16:00; extended hours are optional.
_NEW_YORK = Hours(
    tz="America/New_York", exchange="XNYS", sessions=((570, 960),), optional=((240, 570), (960, 1200))
)  # fmt: skip

_VENUES = {
    "SH": _SHARES, "SZ": _SHARES, "BJ": _SHARES, "CFE": _INDEX_FUTURES, "SHF": _COMMODITIES, "DCE": _COMMODITIES,
    "CZC": _COMMODITIES, "INE": _COMMODITIES, "GFE": _COMMODITIES, "HK": _HONG_KONG, "US": _NEW_YORK,
}  # fmt: skip
_BONDS = re.compile(r"(T|TF|TS|TL)\d+\.CFE\Z", re.ASCII | re.IGNORECASE)
_INDEX_CHANGE = date(2016, 1, 1)
_BOND_CHANGE = date(2020, 7, 20)


def hours_of(instrument: str, day: date | None = None) -> Hours | None:
    """Hours of an instrument on a day (default: today's rules); None for venues nobody described."""
    hours = _VENUES.get(instrument.rpartition(".")[2].upper())
    if hours is not _INDEX_FUTURES:
        return hours
    if _BONDS.match(instrument):
        return _LONG_DAY if day is not None and day < _BOND_CHANGE else _BOND_FUTURES
    return _LONG_DAY if day is not None and day < _INDEX_CHANGE else _INDEX_FUTURES


def minute_of(text: str) -> int:
    """``"09:30"`` as 570; up to 24:00.

    Raises:
        ValueError: no time of day.
    """
    hours, colon, minutes = text.strip().partition(":")
    if not colon or not (hours.isdigit() and minutes.isdigit() and len(minutes) == 2):
        raise ValueError(f"{text!r} is no time of day; write 09:30")
    minute = int(hours) * 60 + int(minutes)
    if minute > 1440 or int(minutes) > 59:
        raise ValueError(f"{text!r} is no time of day; write 09:30")
    return minute


def span_of(text: str) -> Span:
    """``"09:30-11:30"`` as (570, 690).

    Raises:
        ValueError: not of that form, or empty.
    """
    start, dash, end = text.partition("-")
    if not dash or minute_of(start) >= minute_of(end):
        raise ValueError(f"{text!r} is no session; write 09:30-11:30")
    return minute_of(start), minute_of(end)
