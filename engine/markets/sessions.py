"""Trading days and sessions of an exchange, from exchange_calendars: holidays, half days and lunch breaks included.

Past its last known day, and before its first, a market is closed: unknown is not open.
"""

from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from engine.domain.timestamps import day_of, ns_from_datetime

FIRST_DAY = "1996-01-02"
"""Sessions before it are not known, and so closed."""
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class Session(Struct, frozen=True, gc=False):
    """One trading day, times ns UTC; ``break_ns`` and ``resume_ns`` are equal to the close where there is no break."""

    open_ns: int
    break_ns: int
    resume_ns: int
    close_ns: int

    def has(self, ts_ns: int) -> bool:
        """Whether continuous trading is on."""
        return self.open_ns <= ts_ns < self.break_ns or self.resume_ns <= ts_ns < self.close_ns


class Sessions:
    """The sessions of one exchange (its ISO 10383 code)."""

    def __init__(self, mic: str, timezone: str) -> None:
        self._timezone = timezone
        self._days: dict[int, Session] = {}
        self._today = (0, 0, 0)
        """From when to when it is which day."""
        self._load(mic)

    def on(self, ts_ns: int) -> Session | None:
        """The session of the local day an instant is in; None on a day without one, or one not known."""
        return self._days.get(self._ordinal(ts_ns))

    def day(self, ordinal: int) -> Session | None:
        return self._days.get(ordinal)

    def next_day(self, ordinal: int) -> int | None:
        """The first trading day after a day; None past the last known one."""
        return next((ordinal + ahead for ahead in range(1, 31) if ordinal + ahead in self._days), None)

    def next_open_ns(self, ts_ns: int) -> int | None:
        """The first instant of continuous trading from one on; None past the last day known."""
        session = self.on(ts_ns)
        if session is not None and ts_ns < session.close_ns:
            if session.has(ts_ns):
                return ts_ns
            return session.open_ns if ts_ns < session.open_ns else session.resume_ns
        following = self.next_day(self._ordinal(ts_ns))
        return None if following is None else self._days[following].open_ns

    def trading_day(self, ts_ns: int) -> int:
        """The local day, or the next trading day where that is none; past the last known one, the local day."""
        ordinal = self._ordinal(ts_ns)
        return ordinal if ordinal in self._days else self.next_day(ordinal) or ordinal

    def _ordinal(self, ts_ns: int) -> int:
        """The local day of an instant; the same one as last time, nearly always."""
        start_ns, end_ns, ordinal = self._today
        if not start_ns <= ts_ns < end_ns:
            day = day_of(ts_ns, self._timezone)
            ordinal = day.toordinal()
            self._today = (self._midnight_ns(day), self._midnight_ns(day + timedelta(days=1)), ordinal)
        return ordinal

    def _midnight_ns(self, day: date) -> int:
        return ns_from_datetime(datetime.combine(day, time(), ZoneInfo(self._timezone)))

    def _load(self, mic: str) -> None:
        import exchange_calendars

        # Without a first day the library begins twenty years ago, whenever that is.
        calendar: Any = exchange_calendars.get_calendar(mic, start=FIRST_DAY)
        frame = calendar.schedule
        columns = [
            frame[name].dt.tz_localize(None).to_numpy().astype("datetime64[ns]").astype("int64") for name in _COLUMNS
        ]
        days = frame.index.to_numpy().astype("datetime64[D]").astype("int64")
        for day, opening, pause, resume, close in zip(days, *columns, strict=True):
            whole = pause < 0
            self._days[EPOCH_ORDINAL + int(day)] = Session(
                int(opening), int(close if whole else pause), int(close if whole else resume), int(close)
            )


_COLUMNS = ("open", "break_start", "break_end", "close")


@cache
def sessions_of(mic: str, timezone: str) -> Sessions:
    """Read once a process."""
    return Sessions(mic, timezone)
