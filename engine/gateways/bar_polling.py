"""A feed made by asking for bars: closed bars only, each once, and a bar that changes afterwards as a revision.

For sources that answer "bars of these from then until now" and push nothing. A poll comes shortly after each bar's end;
what it brings is compared with what was published before.
"""

import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from engine.clock import Clock
from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, BarRevision, DataKind, FeedState, FeedStatus
from engine.domain.timestamps import DAY_NS, SECOND_NS
from engine.net.backoff import Backoff
from engine.net.polling import LinkState, PollLoop, Schedule
from engine.ports import Publish

KEEP = 600
"""Published bars of one subscription that are kept to tell a changed one."""
LOOK_BACK = 5
"""Bars before the newest that every poll asks for again, to see changes."""

Note = Callable[[str, Mapping[str, Any]], None]


class Wanted(Struct, frozen=True):
    """One asking: bars of one length that end in ``(from_ns, to_ns]``, of each instrument."""

    instruments: tuple[InstrumentId, ...]
    interval_ns: int
    from_ns: int
    to_ns: int


Ask = Callable[[Wanted], Awaitable[Mapping[InstrumentId, Iterable[Bar]]]]
"""Answers without an instrument mean that nothing is known of it this time.

Raises GatewayError: the poll failed."""


class BarLog:
    """What was published, and what is new or changed against it. Bars come once, in order, and only after their end."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self._bars: dict[tuple[InstrumentId, int], dict[int, Bar]] = {}
        self.late = 0
        """Bars that came after a younger one was published: reported as a count, never published out of order."""

    def last_ns(self, instrument: InstrumentId, interval_ns: int) -> int | None:
        bars = self._bars.get((instrument, interval_ns))
        return next(reversed(bars)) if bars else None

    def back_ns(self, instrument: InstrumentId, interval_ns: int) -> int | None:
        """The end of the bar before the ones that are looked at again; None before the first bar."""
        bars = self._bars.get((instrument, interval_ns))
        if not bars:
            return None
        return list(bars)[-min(len(bars), LOOK_BACK)] - interval_ns

    def take(self, bars: Iterable[Bar], now_ns: int, *, publish_from_ns: int = 0) -> list[Bar | BarRevision]:
        """What to publish; bars that ended before ``publish_from_ns`` are only remembered."""
        found: list[Bar | BarRevision] = []
        for bar in sorted((bar for bar in bars if bar.ts_ns <= now_ns), key=lambda bar: bar.ts_ns):
            known = self._bars.setdefault((bar.instrument, bar.interval_ns), {})
            old = known.get(bar.ts_ns)
            if old is None and known and bar.ts_ns < next(reversed(known)):
                self.late += 1
                continue
            if old == bar:
                continue
            known[bar.ts_ns] = bar
            while len(known) > KEEP:
                del known[next(iter(known))]
            if old is not None:
                found.append(BarRevision(feed=self._feed, old=old, new=bar))
            elif bar.ts_ns >= publish_from_ns:
                found.append(bar)
        return found


class PolledBars:
    """``MarketFeed`` over an ``Ask``.

    Args:
        intervals: lengths of bars the source has, in nanoseconds.
        delay_ns: how long after a bar's end the source has it.
        poll_ns: the slowest poll; the shortest subscribed bar may ask for more.
        allowed: raises ConfigError for an instrument the source does not have.
        backfill_ns: how much before the start is published at the start.
        expects: whether silence at a moment is a failure: False in closed hours.
    """

    def __init__(
        self,
        name: str,
        ask: Ask,
        clock: Clock,
        draw: random.Random,
        *,
        intervals: Iterable[int],
        delay_ns: int = 3 * SECOND_NS,
        poll_ns: int = 60 * SECOND_NS,
        allowed: Callable[[InstrumentId], None] = lambda _instrument: None,
        backfill_ns: int = 0,
        expects: Callable[[int], bool] = lambda _now_ns: True,
        note: Note = lambda _event, _fields: None,
    ) -> None:
        self._name = name
        self._ask = ask
        self._clock = clock
        self._draw = draw
        self._intervals = tuple(intervals)
        self._delay_ns = delay_ns
        self._poll_ns = poll_ns
        self._allowed = allowed
        self._backfill_ns = backfill_ns
        self._expects = expects
        self._note = note
        self._subscribed: dict[tuple[InstrumentId, int], None] = {}
        self._began_ns = 0
        self._loop: PollLoop[list[Bar]] | None = None
        self.log = BarLog(name)

    @property
    def pace_ns(self) -> int:
        """The shortest bar subscribed: a price comes no oftener, however often one asks."""
        return max(min((interval for _, interval in self._subscribed), default=self._poll_ns), SECOND_NS)

    def subscribe(self, instrument: InstrumentId, kind: DataKind, interval_ns: int) -> None:
        """Ask for bars; ``interval_ns`` 0 means the shortest there are.

        Raises:
            ConfigError: another kind, another length, or an instrument the source does not have.
        """
        if kind is not DataKind.BAR:
            raise ConfigError(f"{self._name}: has bars only, no {kind} data; take those from another feed")
        interval_ns = interval_ns or min(self._intervals)
        if interval_ns not in self._intervals:
            have = ", ".join(f"{interval // SECOND_NS} s" for interval in self._intervals)
            raise ConfigError(f"{self._name}: no bars of {interval_ns // SECOND_NS} s; it has {have}")
        self._allowed(instrument)
        if (instrument, interval_ns) not in self._subscribed:
            self._subscribed[instrument, interval_ns] = None
            if self._loop is not None:
                self._loop.wake()

    async def run(self, publish: Publish) -> None:
        def tell(state: LinkState, reason: str) -> None:
            now = self._clock.now_ns
            self._note("feed.state", {"feed": self._name, "state": state.value, "reason": reason})
            if state is not LinkState.STALE or self._expects(now):
                publish(FeedStatus(feed=self._name, state=FeedState(state.value), ts_ns=now, reason=reason))

        def deliver(bars: list[Bar], _began_ns: int) -> None:
            now = self._clock.now_ns
            from_ns = self._began_ns - self._backfill_ns
            for event in self.log.take(bars, now, publish_from_ns=from_ns):
                publish(event)

        self._began_ns = self._clock.now_ns
        self._loop = PollLoop(self._clock, Backoff(self._draw), self._due_ns, self._fetch, deliver, tell)
        await self._loop.run()

    def _due_ns(self, now_ns: int) -> int:
        marks = min((interval for _, interval in self._subscribed if interval < DAY_NS), default=0)
        after = (self._delay_ns, self._delay_ns + SECOND_NS)
        schedule = Schedule(self._draw, slow_ns=lambda _now: self._poll_ns, mark_ns=marks, after_ns=after)
        return schedule.next_ns(now_ns)

    async def _fetch(self) -> list[Bar]:
        now = self._clock.now_ns
        found: list[Bar] = []
        for wanted in self._wanted(now):
            answer = await self._ask(wanted)
            for instrument in wanted.instruments:
                found += (bar for bar in answer.get(instrument, ()) if bar.ts_ns <= wanted.to_ns)
        return found

    def _wanted(self, now_ns: int) -> list[Wanted]:
        """One asking a bar length, from the oldest bar that any of its instruments needs."""
        by_interval: dict[int, list[InstrumentId]] = {}
        for instrument, interval in self._subscribed:
            by_interval.setdefault(interval, []).append(instrument)
        wanted = []
        for interval, instruments in by_interval.items():
            fresh_ns = self._began_ns - max(self._backfill_ns, LOOK_BACK * interval)
            backs = [self.log.back_ns(instrument, interval) for instrument in instruments]
            from_ns = min(fresh_ns if back is None else back for back in backs)
            wanted.append(Wanted(tuple(instruments), interval, from_ns, now_ns - self._delay_ns))
        return wanted
