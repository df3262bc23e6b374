"""Closed bars out of forming ones: each published once, after its end; a change afterwards is a revision (contract 9,
10.3)."""

from collections.abc import Iterable
from typing import Any

from engine.domain.errors import BadMessage
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, BarRevision
from engine.domain.timestamps import DAY_NS, SECOND_NS, parse_time
from engine.gateways.futu.codes import Place, place_of
from engine.gateways.futu.hours import day_end_ns
from engine.gateways.futu.push import FormingBar, is_sound
from engine.gateways.futu.quote_messages import KLine

SETTLE_NS = 2 * SECOND_NS
"""A bar whose end is past by this is closed, even if no next one comes: the last trades of it may be on their way."""
KEEP = 600

Key = tuple[InstrumentId, int]


def label_ns(place: Place, interval_ns: int, stamp_s: float | None, text: str) -> int:
    """A bar's end. Minutes are labelled by it; daily bars are stamped with their day's midnight (contract 1.8).

    Raises:
        BadMessage: neither stamp nor text can be read.
    """
    try:
        if interval_ns >= DAY_NS:
            return day_end_ns(place, text)
        if stamp_s:
            return round(stamp_s * 1000) * 1_000_000
        return parse_time(text, place.timezone)
    except (ValueError, OverflowError) as error:
        raise BadMessage(f"bar stamped {stamp_s} {text!r}: {error}") from error


def bar_from_push(row: FormingBar) -> Bar:
    """Raises: BadMessage: its label can not be read."""
    end = label_ns(place_of(row.instrument), row.interval_ns, row.label_s, row.label)
    return Bar(row.instrument, end, row.open, row.high, row.low, row.close, row.volume, row.interval_ns)


def bars_from_rows(instrument: InstrumentId, interval_ns: int, rows: Iterable[KLine]) -> list[Bar]:
    """Sorted, each label once; blank and broken rows left out (contract 9).

    Raises:
        BadMessage: a label that can not be read.
    """
    place = place_of(instrument)
    found: dict[int, Bar] = {}
    for row in rows:
        opening, high, low, close = row.open_price, row.high_price, row.low_price, row.close_price
        if row.is_blank or opening is None or high is None or low is None or close is None:
            continue
        volume = float(row.volume or 0)
        if is_sound(opening, high, low, close, volume):
            end = label_ns(place, interval_ns, row.timestamp, row.time)
            found[end] = Bar(instrument, end, opening, high, low, close, volume, interval_ns)
    return [found[end] for end in sorted(found)]


class BarLog:
    """What is forming, what was published, and what is new or changed against it."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self._forming: dict[Key, Bar] = {}
        self._known: dict[Key, dict[int, Bar]] = {}
        self._newest: dict[Key, int] = {}
        self.late = 0
        """Bars dropped because a newer one was already published."""

    def last_ns(self, key: Key) -> int | None:
        """The end of the newest bar published or taken as the start; None before the first."""
        return self._newest.get(key)

    def next_due_ns(self) -> int | None:
        """When the first forming bar may be closed."""
        due = [bar.ts_ns + SETTLE_NS for key, bar in self._forming.items() if bar.ts_ns > self._newest.get(key, -1)]
        return min(due, default=None)

    def forming(self, bar: Bar, now_ns: int) -> list[Bar | BarRevision]:
        """One push: closes the bar before if its label is a new one. A first one that has ended is where it starts."""
        key = (bar.instrument, bar.interval_ns)
        if key not in self._newest and key not in self._forming and bar.ts_ns + SETTLE_NS <= now_ns:
            return self.closed(key, [bar], now_ns)
        found: list[Bar | BarRevision] = []
        before = self._forming.get(key)
        newest = self._newest.get(key, -1)
        if bar.ts_ns <= newest:
            return self._seen_again(key, bar)
        if before is not None and bar.ts_ns < before.ts_ns:
            # Not the newest label, but never published: it ended before the forming one began.
            return self._publish(key, bar)
        if before is not None and bar.ts_ns > before.ts_ns > newest:
            found = self._publish(key, before)
        self._forming[key] = bar
        return found

    def close_due(self, now_ns: int) -> list[Bar | BarRevision]:
        """Bars whose end is past."""
        found: list[Bar | BarRevision] = []
        for key, bar in self._forming.items():
            if bar.ts_ns > self._newest.get(key, -1) and now_ns >= bar.ts_ns + SETTLE_NS:
                found.extend(self._publish(key, bar))
        return found

    def closed(self, key: Key, bars: Iterable[Bar], now_ns: int) -> list[Bar | BarRevision]:
        """Bars as read from a list: new closed ones in order, changed ones as revisions. The first reading of a key
        is where it starts: nothing of it is published."""
        done = [bar for bar in bars if bar.ts_ns + SETTLE_NS <= now_ns]
        if key not in self._newest:
            self._known[key] = {bar.ts_ns: bar for bar in done[-KEEP:]}
            self._newest[key] = done[-1].ts_ns if done else 0
            return []
        found: list[Bar | BarRevision] = []
        for bar in done:
            found.extend(self._seen_again(key, bar) if bar.ts_ns <= self._newest[key] else self._publish(key, bar))
        return found

    def _publish(self, key: Key, bar: Bar) -> list[Bar | BarRevision]:
        known = self._known.setdefault(key, {})
        known[bar.ts_ns] = bar
        self._newest[key] = max(bar.ts_ns, self._newest.get(key, -1))
        while len(known) > KEEP:
            del known[next(iter(known))]
        return [bar]

    def _seen_again(self, key: Key, bar: Bar) -> list[Bar | BarRevision]:
        known: dict[int, Any] = self._known.get(key, {})
        old = known.get(bar.ts_ns)
        if old is None:
            self.late += 1
            return []
        if old == bar:
            return []
        known[bar.ts_ns] = bar
        return [BarRevision(feed=self._feed, old=old, new=bar)]
