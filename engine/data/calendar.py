"""Trading days and sessions of one instrument's market: a ``Calendar``, and the bars a day should have."""

from bisect import bisect_left, bisect_right
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from engine.data.calendar_days import (
    ExchangeDays,
    KnownDays,
    Overrides,
    exchange_days,
    merged_days,
    read_overrides,
)
from engine.data.columns import Ints
from engine.data.hours import Hours, Span, hours_of
from engine.domain.errors import ConfigError
from engine.domain.timestamps import DAY_NS, datetime_from_ns, format_time, ns_from_datetime

Spans = tuple[tuple[int, int], ...]
"""Sessions as nanoseconds UTC, each from its opening to its close."""


class MarketCalendar:
    """See ``Calendar``; days and instants outside what is known are refused, never guessed.

    Args:
        instrument: whose hours; they may differ by product and have changed over the years.
        known: what a data source lists; it goes before ``exchange_calendars`` in the span it covers.
        overrides: what a person says; it goes before both.
        source: where to say that days should be added, in errors.
    """

    def __init__(
        self,
        instrument: str,
        hours: Hours,
        exchange: ExchangeDays | None,
        *,
        known: KnownDays | None = None,
        overrides: Overrides | None = None,
        source: str = "a calendar file",
    ) -> None:
        self.instrument = instrument
        self._hours = hours
        self._exchange = exchange
        self._overrides = overrides or Overrides()
        self._source = source
        self._zone = ZoneInfo(hours.tz)
        self._days, self.last_known_day = merged_days(exchange, known, self._overrides)
        self._spans: dict[date, Spans] = {}

    @property
    def tz(self) -> str:
        return self._hours.tz

    def trading_days(self, first: date, last: date) -> list[date]:
        """Open days from ``first`` to ``last``, both included.

        Raises:
            ConfigError: ``last`` is past the last known day.
        """
        self._check(last)
        return self._days[bisect_left(self._days, first) : bisect_right(self._days, last)]

    def trading_day(self, ts_ns: int) -> date:
        """The day an instant belongs to: its own if that is open, else the next; an evening's is the next, too.

        Raises:
            ConfigError: past the last known day.
        """
        local = datetime_from_ns(ts_ns, self._hours.tz)
        day = local.date()
        if local.hour * 60 + local.minute >= self._hours.evening:
            day += timedelta(days=1)
        self._check(day)
        place = bisect_left(self._days, day)
        if place == len(self._days):
            raise self._unknown(f"the trading day of {format_time(ts_ns, self.tz)}")
        return self._days[place]

    def is_open(self, ts_ns: int) -> bool:
        """Whether the instant is within a session; optional ones (evenings, auctions) do not count.

        Raises:
            ConfigError: past the last known day.
        """
        day = datetime_from_ns(ts_ns, self.tz).date()
        self._check(day)
        return self._is_day(day) and any(start <= ts_ns < end for start, end in self.sessions(day))

    def next_open_ns(self, ts_ns: int) -> int:
        """The next opening of a session at or after an instant.

        Raises:
            ConfigError: it lies past the last known day.
        """
        day = datetime_from_ns(ts_ns, self.tz).date()
        for place in range(bisect_left(self._days, day), len(self._days)):
            for start, _ in self.sessions(self._days[place]):
                if start >= ts_ns:
                    return start
        raise self._unknown(f"the opening after {format_time(ts_ns, self.tz)}")

    def sessions(self, day: date) -> Spans:
        """The sessions of an open day; none on a closed one."""
        found = self._spans.get(day)
        if found is None:
            found = self._spans[day] = self._sessions(day) if self._is_day(day) else ()
        return found

    def optional(self, day: date) -> Spans:
        """Spans of an open day in which there may be bars besides; an evening counts from the open day before."""
        if not self._is_day(day):
            return ()
        spans = []
        for start, end in self._hours.optional:
            on = day
            if start >= self._hours.evening:
                place = bisect_left(self._days, day)
                if place == 0:
                    continue
                on = self._days[place - 1]
            spans.append((self._at(on, start), self._at(on, end)))
        return tuple(spans)

    def reach(self, day: date) -> tuple[int, int]:
        """From the first instant of a trading day's bars to the last: an evening reaches back to the day before."""
        starts = [start for start, _ in (*self.sessions(day), *self.optional(day))]
        end = self._at(day + timedelta(days=1), 0)
        return min([self._at(day, 0), *(start for start in starts if start < end)]), end

    def expected_ends(self, day: date, interval_ns: int) -> Ints | None:
        """Ends of the bars an open day should have; None where sessions are no whole number of bars.

        A day's own bar ends with the calendar day: a day is known when it is over.
        """
        if interval_ns >= DAY_NS:
            ends = [self._at(day + timedelta(days=1), 0)] if interval_ns == DAY_NS and self._is_day(day) else []
            return np.array(ends, np.int64) if interval_ns == DAY_NS else None
        parts = []
        for start, end in self.sessions(day):
            if (end - start) % interval_ns:
                return None
            parts.append(np.arange(start + interval_ns, end + 1, interval_ns, dtype=np.int64))
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _sessions(self, day: date) -> Spans:
        given = self._overrides.hours.get(day)
        if given is not None:
            return self._spans_of(day, given)
        hours = hours_of(self.instrument, day) or self._hours
        spans = self._spans_of(day, hours.sessions)
        listed = self._exchange.sessions.get(day) if self._exchange is not None else None
        if listed is None or hours.exchange not in {"XHKG", "XNYS"}:
            return spans
        # Half days: what the exchange's own calendar leaves of our sessions.
        first, last = listed[0][0], listed[-1][1]
        cut = ((max(start, first), min(end, last)) for start, end in spans)
        return tuple((start, end) for start, end in cut if start < end)

    def _spans_of(self, day: date, spans: tuple[Span, ...]) -> Spans:
        return tuple((self._at(day, start), self._at(day, end)) for start, end in spans)

    def _at(self, day: date, minute: int) -> int:
        day += timedelta(days=minute // 1440)
        hour, minute = divmod(minute % 1440, 60)
        return ns_from_datetime(datetime(day.year, day.month, day.day, hour, minute, tzinfo=self._zone))

    def _is_day(self, day: date) -> bool:
        place = bisect_left(self._days, day)
        return place < len(self._days) and self._days[place] == day

    def _check(self, day: date) -> None:
        if day > self.last_known_day:
            raise self._unknown(f"{day}")
        if self._days and day < self._days[0] - timedelta(days=31):
            raise ConfigError(
                f"calendar of {self.instrument}: no trading day is known before {self._days[0]}; {day} is earlier"
            )

    def _unknown(self, what: str) -> ConfigError:
        return ConfigError(
            f"calendar of {self.instrument}: {what} is past the last known trading day, {self.last_known_day}; list "
            f"the days in {self._source}, or install a newer exchange_calendars"
        )


@lru_cache(maxsize=8)
def _exchange_days(exchange: str) -> ExchangeDays:
    return exchange_days(exchange)


def calendar_of(
    instrument: str, *, known: KnownDays | None = None, override_file: Path | None = None
) -> MarketCalendar | None:
    """The calendar of an instrument; None for a venue nobody described.

    Args:
        known: days that a data source lists, from ``known_days``.
        override_file: a TOML file with a table ``[calendar.XSHG]``; see docs/data.md.

    Raises:
        ConfigError: the file can not be used.
    """
    hours = hours_of(instrument)
    if hours is None:
        return None
    overrides = read_overrides(override_file, hours.exchange) if override_file is not None else None
    source = f"[calendar.{hours.exchange}] of {override_file or 'a calendar file'}"
    exchange = _exchange_days(hours.exchange)
    return MarketCalendar(instrument, hours, exchange, known=known, overrides=overrides, source=source)
