"""Trading sessions of the simulated exchanges, as phases of a local day.

States are QotMarketState of contracts/futu.md 5: 1 auction, 2 waiting for the open, 3 morning, 4 rest, 5 afternoon,
6 closed, 8 and 10 before and after regular hours (US), 19 and 30 closing auctions, 37 overnight. Hours: HKEX, SSE, SZSE
and NYSE as of 2026-11. Weekends are closed; holidays are not known here.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine.domain.timestamps import MINUTE_NS, SECOND_NS, datetime_from_ns, ns_from_datetime

AUCTION, WAITING, MORNING, REST, AFTERNOON, CLOSED = 1, 2, 3, 4, 5, 6
BEFORE_HOURS, AFTER_HOURS, HK_CLOSING, CLOSING, OVERNIGHT = 8, 10, 19, 30, 37
CONTINUOUS = frozenset({MORNING, AFTERNOON})
CLOSING_AUCTIONS = frozenset({HK_CLOSING, CLOSING})
SATURDAY = 5


class Timetable(NamedTuple):
    """The phases of a weekday: (minute of the local day, state from then on), in order, the first at 0."""

    timezone: str
    phases: tuple[tuple[int, int], ...]


def _at(hour: int, minute: int = 0) -> int:
    return 60 * hour + minute


HONG_KONG = Timetable(
    "Asia/Hong_Kong",
    (
        (0, CLOSED),
        (_at(9), AUCTION),
        (_at(9, 20), WAITING),
        (_at(9, 30), MORNING),
        (_at(12), REST),
        (_at(13), AFTERNOON),
        (_at(16), HK_CLOSING),
        (_at(16, 10), CLOSED),
    ),
)
CHINA = Timetable(
    "Asia/Shanghai",
    (
        (0, CLOSED),
        (_at(9, 15), AUCTION),
        (_at(9, 25), WAITING),
        (_at(9, 30), MORNING),
        (_at(11, 30), REST),
        (_at(13), AFTERNOON),
        (_at(14, 57), CLOSING),
        (_at(15), CLOSED),
    ),
)
UNITED_STATES = Timetable(
    "America/New_York",
    (
        (0, OVERNIGHT),
        (_at(4), BEFORE_HOURS),
        (_at(9, 30), MORNING),
        (_at(16), AFTER_HOURS),
        (_at(20), OVERNIGHT),
    ),
)


class Sessions:
    """When one exchange is in which state. ``always_open`` is a morning that never ends, for demos."""

    def __init__(self, timetable: Timetable, *, always_open: bool = False) -> None:
        self.timezone = timetable.timezone
        self.always_open = always_open
        self._timetable = timetable
        self._phases = timetable.phases
        self._starts = [minute for minute, _ in timetable.phases]
        self._zone = ZoneInfo(timetable.timezone)
        self._span = (0, 0, CLOSED)
        self._day_span = (0, 0, 0)

    def state(self, ts_ns: int) -> int:
        """The state at an instant; a phase begins with its first instant."""
        if self.always_open:
            return MORNING
        start, end, state = self._span
        if not start <= ts_ns < end:
            start, end, state = self._span = self._span_of(ts_ns)
        return state

    def trades(self, ts_ns: int) -> bool:
        """Whether orders match continuously at an instant."""
        return self.state(ts_ns) in CONTINUOUS

    def is_open(self, ts_ns: int) -> bool:
        """Whether a mark labelled by its end brings a price: continuous trading, and the end of a closing auction."""
        before = self.state(ts_ns - 1)
        return before in CONTINUOUS or (before in CLOSING_AUCTIONS and self.state(ts_ns) == CLOSED)

    def ends_auction(self, ts_ns: int) -> bool:
        """Whether the mark is the price of a closing auction; where always open, there is one every five minutes."""
        if self.always_open:
            return ts_ns % (5 * MINUTE_NS) == 0
        return self.state(ts_ns - 1) in CLOSING_AUCTIONS and self.state(ts_ns) == CLOSED

    def day(self, ts_ns: int) -> date:
        """The local calendar day of an instant."""
        return date.fromordinal(self.trading_day(ts_ns))

    def trading_day(self, ts_ns: int) -> int:
        start, end, ordinal = self._day_span
        if not start <= ts_ns < end:
            day = datetime_from_ns(ts_ns, self.timezone).date()
            start, end, ordinal = self._day_span = (
                self.instant(day, 0),
                self.instant(day + timedelta(days=1), 0),
                day.toordinal(),
            )
        return ordinal

    def trades_on(self, day: date) -> bool:
        return self.always_open or day.weekday() < SATURDAY

    def minute_ends(self, day: date) -> Sequence[int]:
        """Labels of the one-minute bars of a day: 331 in Hong Kong (the last is the closing auction's), 390 in the US,
        240 in Shanghai and Shenzhen."""
        if not self.trades_on(day):
            return ()
        if self.always_open:
            start = self.instant(day, 0)
            return [start + number * MINUTE_NS for number in range(1, 1441)]
        return _minute_ends(self._timetable, day)

    def instant(self, day: date, minute: int) -> int:
        """A wall-clock minute of a day in nanoseconds UTC."""
        return _instant(self._zone, day, minute)

    def _span_of(self, ts_ns: int) -> tuple[int, int, int]:
        local = datetime_from_ns(ts_ns, self.timezone)
        day = local.date()
        place = bisect_right(self._starts, local.hour * 60 + local.minute) - 1
        start = self.instant(day, self._starts[place])
        last = place + 1 == len(self._starts)
        end = self.instant(day + timedelta(days=1), 0) if last else self.instant(day, self._starts[place + 1])
        state = self._phases[place][1]
        return start, end, CLOSED if self._weekend(day, place) else state

    def _weekend(self, day: date, place: int) -> bool:
        """Saturday and Sunday; where there are overnight hours, Friday's evening too, and Sunday's evening not."""
        evening = place + 1 == len(self._starts) and self._phases[place][1] == OVERNIGHT
        if evening:
            return day.weekday() in {SATURDAY - 1, SATURDAY}
        return day.weekday() >= SATURDAY


def _instant(zone: ZoneInfo, day: date, minute: int) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
    return ns_from_datetime(moment.replace(fold=0))


@lru_cache(maxsize=256)
def _minute_ends(timetable: Timetable, day: date) -> tuple[int, ...]:
    """Of a day with trading: asked again for each instrument, and for each order that ends with the day."""
    zone = ZoneInfo(timetable.timezone)
    ends: list[int] = []
    closings = [*(minute for minute, _ in timetable.phases[1:]), 1440]
    for (first, state), last in zip(timetable.phases, closings, strict=True):
        if state == HK_CLOSING:
            ends.append(_instant(zone, day, last))
        elif state in CONTINUOUS or state == CLOSING:
            ends += [_instant(zone, day, minute) for minute in range(first + 1, last + 1)]
    return tuple(ends)


def local_text(ts_ns: int, timezone: str) -> str:
    """``2026-11-18 10:15:04``: local, to the second, as the gateway's strings are."""
    return datetime_from_ns(ts_ns // SECOND_NS * SECOND_NS, timezone).strftime("%Y-%m-%d %H:%M:%S")
