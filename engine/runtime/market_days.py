"""The sittings of a market, day by day, as the daemon's jobs need them: holidays, half days and lunch breaks included.

Most markets have one sitting a day. Mainland futures have an evening one too, which is kept under a name of its own, as
its trading day is the next. Past the last day a calendar knows there are none: unknown is not open (DESIGN, decision
20).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, day_of, ns_from_datetime
from engine.markets.china_boards import shanghai
from engine.markets.china_connect import ChinaConnect
from engine.markets.china_futures import ChinaFutures, has_night
from engine.markets.hong_kong import HongKong
from engine.markets.rulebook import RuleBook
from engine.markets.sessions import Session, sessions_of
from engine.markets.us import UnitedStates
from engine.markets.virtual import Virtual

HALF_HOUR_NS = 30 * MINUTE_NS
LOOK_AHEAD_DAYS = 31
"""The longest holiday any calendar here has is shorter."""


class Sittings(Struct, frozen=True):
    """Of one market. ``of``: number of a calendar day in ``timezone`` (proleptic ordinal) -> its sitting, if any."""

    name: str
    timezone: str
    of: Callable[[int], Session | None]

    def after(self, ts_ns: int) -> Iterator[tuple[int, Session]]:
        """Day numbers and sittings from the day before an instant's on, a month ahead at most."""
        first = day_of(ts_ns, self.timezone).toordinal() - 1
        for day in range(first, first + LOOK_AHEAD_DAYS + 2):
            session = self.of(day)
            if session is not None:
                yield day, session

    def is_open(self, ts_ns: int) -> bool:
        """Whether a sitting is on, its breaks included."""
        day = day_of(ts_ns, self.timezone).toordinal()
        found = (self.of(day - 1), self.of(day))
        return any(one is not None and one.open_ns <= ts_ns < one.close_ns for one in found)


def sittings_of(books: Mapping[str, RuleBook]) -> dict[str, Sittings]:
    """The sittings of each market, by name, in the order given."""
    found: dict[str, Sittings] = {}
    for name, book in books.items():
        found[name] = Sittings(name, book.timezone, _days_of(book))
        if isinstance(book, ChinaFutures):
            night = f"{name}_night"
            found[night] = Sittings(night, book.timezone, _evening(book.timezone))
    return found


def _days_of(book: RuleBook) -> Callable[[int], Session | None]:
    match book:
        case ChinaFutures():
            return _futures
        case ChinaConnect():
            return _northbound
        case HongKong(hours="exchange"):
            return sessions_of("XHKG", book.timezone).day
        case UnitedStates(hours="exchange"):
            return sessions_of("XNYS", book.timezone).day
        case Virtual():
            return _daily(book.timezone, book.open_hour, book.close_hour)
        case _ if book.name == "china_a":
            return shanghai().day
    return _daily(book.timezone, 0, 24)


def _futures(day: int) -> Session | None:
    """From the commodities' opening to the end of the treasury futures' day; 11:30-13:30 is everybody's break."""
    session = shanghai().day(day)
    if session is None:
        return None
    return Session(
        session.open_ns - HALF_HOUR_NS,
        session.break_ns,
        session.resume_ns,
        session.close_ns + HALF_HOUR_NS // 2,
    )


def _northbound(day: int) -> Session | None:
    """Days on which Shanghai and Hong Kong are both open."""
    return shanghai().day(day) if sessions_of("XHKG", "Asia/Hong_Kong").day(day) is not None else None


def _evening(timezone: str) -> Callable[[int], Session | None]:
    """21:00 to 02:30, the longest that any product has."""

    def of(day: int) -> Session | None:
        if not has_night(day):
            return None
        opens = _midnight_ns(day, timezone) + 21 * HOUR_NS
        closes = opens + 5 * HOUR_NS + HALF_HOUR_NS
        return Session(opens, closes, closes, closes)

    return of


def _daily(timezone: str, first_hour: int, end_hour: int) -> Callable[[int], Session | None]:
    """Every calendar day between two full hours of its clock."""

    def of(day: int) -> Session | None:
        opens = _at_ns(day, first_hour, timezone)
        closes = _midnight_ns(day + 1, timezone) if end_hour == 24 else _at_ns(day, end_hour, timezone)
        return Session(opens, closes, closes, closes)

    return of


def _midnight_ns(day: int, timezone: str) -> int:
    return _at_ns(day, 0, timezone)


def _at_ns(day: int, hour: int, timezone: str) -> int:
    local = datetime.combine(datetime.fromordinal(day).date(), time(hour), tzinfo=ZoneInfo(timezone))
    return ns_from_datetime(local)


def last_known(sittings: Sittings, ts_ns: int) -> int | None:
    """The close of the last sitting known within the next month; None: no more is known."""
    closes = [session.close_ns for _, session in sittings.after(ts_ns) if session.close_ns > ts_ns]
    return closes[-1] if closes else None


def known_days(sittings: Sittings, ts_ns: int) -> int:
    """For how many days from an instant on sittings are known, a month at most."""
    last = last_known(sittings, ts_ns)
    return 0 if last is None else round((last - ts_ns) / DAY_NS)


def local_day(day: int) -> str:
    """``2026-03-02`` of a day number."""
    return (datetime.fromordinal(1) + timedelta(days=day - 1)).date().isoformat()
