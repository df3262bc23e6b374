"""What is wrong with a series of the catalog: damage, order, bars that can not be, holes, bars outside the sessions."""

from datetime import date, timedelta
from typing import Any

import numpy as np
from msgspec import Struct

from engine.data.calendar import MarketCalendar
from engine.data.checks import find_bad_bar
from engine.data.columns import Columns, Ints
from engine.data.quote_catalog import CatalogQuotes, QuoteSeries
from engine.data.series import Series, local_days
from engine.domain.errors import DataError
from engine.domain.timestamps import DAY_NS, format_time

SHOWN_MAX = 20


class Finding(Struct, kw_only=True):
    """One series. Counts are of bars, ``empty_days`` of days; ``examples`` are local times, a few of each kind."""

    instrument: str
    interval_ns: int
    bars: int = 0
    first: str = ""
    last: str = ""
    missing: int = 0
    """Bars that lack on days that have some."""
    empty_days: int = 0
    """Open days between the first bar and the last without any: suspended, or never fetched."""
    outside: int = 0
    duplicates: int = 0
    unordered: int = 0
    impossible: int = 0
    damaged: dict[str, str] = {}
    unchecked: str = ""
    """Why holes were not looked for; empty: they were."""
    examples: dict[str, list[str]] = {}

    @property
    def sound(self) -> bool:
        counts = (self.missing, self.empty_days, self.outside, self.duplicates, self.unordered, self.impossible)
        return not any(counts) and not self.damaged


def check_series(
    series: Series,
    calendar: MarketCalendar | None,
    first: date | None = None,
    last: date | None = None,
) -> Finding:
    """Read a series, a month at a time, and say what is wrong with it.

    Args:
        first, last: days to check for holes, both included; default: those of its first and last bar.
    """
    manifest = series.manifest
    found = Finding(instrument=manifest.instrument, interval_ns=manifest.interval_ns, bars=manifest.rows)
    found.damaged = series.damaged()
    look = _Look(found, manifest.tz)
    seen: dict[date, Ints] = {}
    days: list[date] = []
    before: Columns | None = None
    try:
        for bars in series.months(0, 2**63 - 1):
            look.order(bars, before)
            before = bars if len(bars.ts_ns) else before
            stamps = local_days(bars.ts_ns, manifest.tz)
            for day in np.unique(stamps):
                seen[day.item()] = np.unique(bars.ts_ns[stamps == day])
            days += list(seen)
            _compare(look, calendar, seen, found, manifest.interval_ns)
            seen = {}
    except DataError as error:
        found.damaged.setdefault("read", str(error))
    if manifest.parts:
        parts = list(manifest.parts.values())
        found.first, found.last = (format_time(t, manifest.tz) for t in (parts[0].first_ns, parts[-1].last_ns))
    if calendar is None:
        found.unchecked = "no calendar of this venue is known"
    elif days or (first and last):
        _empty_days(look, calendar, set(days), first or min(days), last or max(days))
    return found


def check_quotes(series: QuoteSeries) -> Finding:
    """Damage, order and quotes that can not be; nobody knows when a quote lacks."""
    manifest = series.manifest
    found = Finding(instrument=manifest.instrument, interval_ns=0, bars=manifest.rows)
    found.damaged = series.damaged()
    found.unchecked = "quotes come when they come"
    parts = list(manifest.parts.values())
    if parts:
        found.first, found.last = (format_time(t, manifest.tz) for t in (parts[0].first_ns, parts[-1].last_ns))
        try:
            for _ in CatalogQuotes(series.folder, series, None, None).batches():
                pass
        except DataError as error:
            found.damaged.setdefault("read", str(error))
    return found


class _Look:
    """Counts what is found, and keeps a few examples of each kind."""

    def __init__(self, found: Finding, tz: str) -> None:
        self.found = found
        self._tz = tz

    def note(self, kind: str, moments: Ints) -> int:
        shown = self.found.examples.setdefault(kind, []) if len(moments) else []
        shown.extend(format_time(int(t), self._tz) for t in moments[: max(SHOWN_MAX - len(shown), 0)])
        return len(moments)

    def note_day(self, kind: str, day: date) -> None:
        shown = self.found.examples.setdefault(kind, [])
        if len(shown) < SHOWN_MAX:
            shown.append(day.isoformat())

    def order(self, bars: Columns, before: Columns | None) -> None:
        ts_ns = bars.ts_ns
        if before is not None:
            ts_ns = np.concatenate([before.ts_ns[-1:], ts_ns])
        steps = np.diff(ts_ns)
        self.found.duplicates += self.note("duplicates", ts_ns[1:][steps == 0])
        self.found.unordered += self.note("unordered", ts_ns[1:][steps < 0])
        sound = np.ones(len(bars.ts_ns), bool)
        if find_bad_bar(bars, None) is not None:
            sound = (bars.low > 0) & (bars.high < np.inf) & (bars.volume >= 0) & (bars.volume < np.inf)
            sound &= (bars.low <= np.minimum(bars.open, bars.close)) & (np.maximum(bars.open, bars.close) <= bars.high)
        self.found.impossible += self.note("impossible", bars.ts_ns[~sound])


def _compare(
    look: _Look, calendar: MarketCalendar | None, seen: dict[date, Ints], found: Finding, interval_ns: int
) -> None:
    if calendar is None:
        return
    for day, ends in seen.items():
        if day > calendar.last_known_day:
            found.unchecked = f"the calendar knows no day after {calendar.last_known_day}"
            return
        due = _trading_days(calendar, day)
        expected = [e for open_day in due if (e := calendar.expected_ends(open_day, interval_ns)) is not None]
        if len(expected) < len(due):
            found.unchecked = "sessions are no whole number of such bars"
        if expected:
            here = np.concatenate(expected)
            found.missing += look.note("missing", here[~np.isin(here, ends)])
        found.outside += look.note("outside", ends[_outside(calendar, day, ends, interval_ns)])


def _trading_days(calendar: MarketCalendar, day: date) -> list[date]:
    return calendar.trading_days(day, day)


def _outside(calendar: MarketCalendar, day: date, ends: Ints, interval_ns: int) -> Any:
    """Which bars lie in no session: of their own day, or of an evening that counts for the next."""
    inside = np.zeros(len(ends), bool)
    if interval_ns >= DAY_NS:
        return ~inside if not _trading_days(calendar, day) else inside
    following = min(day + timedelta(days=12), calendar.last_known_day)
    spans = []
    for open_day in calendar.trading_days(day, following)[:2]:
        spans += [*calendar.sessions(open_day), *calendar.optional(open_day)]
    for previous in calendar.trading_days(day - timedelta(days=1), day - timedelta(days=1)):
        spans += calendar.optional(previous)
    for start, end in spans:
        inside |= (ends - interval_ns >= start) & (ends <= end)
    return ~inside


def _empty_days(look: _Look, calendar: MarketCalendar, days: set[date], first: date, last: date) -> None:
    last = min(last, calendar.last_known_day)
    for day in calendar.trading_days(first, last):
        if day not in days:
            look.found.empty_days += 1
            look.note_day("empty_days", day)
