"""The mainland's trading days and minutes, and how its instruments live on a board of the one market.

Days: ``exchange_calendars`` XSHG; Shenzhen, Beijing and CFFEX keep the same holidays. Minutes: 09:30-11:30 and
13:00-15:00 (SSE trading rules 2023, 3.1.2); treasury futures until 15:15 (CFFEX trading rules). Auctions are inside the
first and last minute, as in the data vendor's bars (contracts/amazingdata.md 4).

An instrument's bars follow its ``Path``. Nothing is listed here by itself: a face through which something can be traded
or pushed calls ``list_china``; a face that only reads the past asks the path, which gives the same figures.
"""

from bisect import bisect_left, bisect_right
from datetime import date
from functools import cache
from typing import Any

from engine.domain.errors import ConfigError
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS
from engine.simulators.sessions import CHINA, CLOSED, CLOSING_AUCTIONS, CONTINUOUS, Sessions

TIMEZONE = "Asia/Shanghai"
FIRST_DAY = "2005-01-04"
"""Nothing is known before it."""
_OFFSET_NS = 8 * HOUR_NS
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MORNING, _NOON, _AFTERNOON = 9 * 60 + 30, 11 * 60 + 30, 13 * 60


class Days:
    """Trading days as proleptic ordinals."""

    def __init__(self, sessions: list[int]) -> None:
        self.sessions = sessions

    @property
    def last(self) -> int:
        """The last day that is known to be open or closed."""
        return self.sessions[-1]

    def is_open(self, day: int) -> bool:
        place = bisect_left(self.sessions, day)
        return place < len(self.sessions) and self.sessions[place] == day

    def between(self, first: int, last: int) -> list[int]:
        """Trading days from first to last, both included."""
        return self.sessions[bisect_left(self.sessions, first) : bisect_right(self.sessions, last)]

    def before(self, day: int) -> int:
        """The trading day before a day; the day before the first, whatever it was."""
        place = bisect_left(self.sessions, day)
        return self.sessions[place - 1] if place else day - 1

    def at_or_after(self, day: int) -> int:
        """The first trading day from a day on.

        Raises:
            ConfigError: the calendar ends before it.
        """
        place = bisect_left(self.sessions, day)
        if place == len(self.sessions):
            raise ConfigError(
                f"the XSHG calendar ends on {date.fromordinal(self.last)}; start the clock earlier or renew "
                "exchange_calendars"
            )
        return self.sessions[place]


@cache
def days() -> Days:
    """The mainland's calendar, read once."""
    import exchange_calendars

    calendar: Any = exchange_calendars.get_calendar("XSHG", start=FIRST_DAY)
    return Days([session.toordinal() for session in calendar.sessions])


def day_of(ts_ns: int) -> int:
    """The local day of an instant; the mainland has one zone, without summer time since 1992."""
    return _EPOCH_ORDINAL + (ts_ns + _OFFSET_NS) // DAY_NS


def midnight_ns(day: int) -> int:
    return (day - _EPOCH_ORDINAL) * DAY_NS - _OFFSET_NS


@cache
def minute_starts(count: int = 240) -> tuple[int, ...]:
    """Minutes of the local day at which the minute bars of a trading day start."""
    morning = _NOON - _MORNING
    return (*range(_MORNING, _NOON), *range(_AFTERNOON, _AFTERNOON + count - morning))


def minutes_into(ts_ns: int, count: int = 240) -> float:
    """How far a day's trading has come: whole minutes that are over, and the part of the running one."""
    elapsed_ns = ts_ns - midnight_ns(day_of(ts_ns))
    minute, rest_ns = divmod(elapsed_ns, MINUTE_NS)
    starts = minute_starts(count)
    ended = bisect_left(starts, minute)
    running = ended < len(starts) and starts[ended] == minute
    return ended + (rest_ns / MINUTE_NS if running else 0.0)


class ChinaSessions(Sessions):
    """Sessions that know the holidays; marks of the closing auction count as well."""

    def __init__(self) -> None:
        super().__init__(CHINA)

    def state(self, ts_ns: int) -> int:
        return super().state(ts_ns) if days().is_open(day_of(ts_ns)) else CLOSED

    def is_open(self, ts_ns: int) -> bool:
        before = self.state(ts_ns - 1)
        return before in CONTINUOUS or before in CLOSING_AUCTIONS

    def trades_on(self, day: date) -> bool:
        return days().is_open(day.toordinal())
