"""Bars of the past in a live run: strategies hear them, so that they are warm, and may trade on none of them.

A feed publishes some bars of before each start. Which of them are *history*: those an earlier life had published before
it made an order, an algorithm or an instruction (else a signal would be traded once a life), and those that were not
the newest any more when this life began. All others are news: what comes while the run goes on, the newest bar of
before the first start, and one that was missed while the engine was down, if it is still the newest.

What follows from a bar follows from it wherever it is done: in the handler that heard it, in what waited in the
strategy's queue meanwhile, in what the handler caused, and behind an ``await`` of it, up to the next bar awaited.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from engine.domain.algos import AlgoStarted
from engine.domain.events import InstructionSubmitted, JournalRecord, OrderSubmitted
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.jobs import BarsHeard, HeardBar
from engine.domain.market import Bar
from engine.domain.timestamps import DAY_NS, SECOND_NS, format_time
from engine.runner import StrategyRunner
from engine.seat import Handler, Seat

HISTORY = "HISTORY"
"""The code of a denial: a strategy wanted to trade on a bar of the past."""
INTENTS = frozenset({OrderSubmitted, AlgoStarted, InstructionSubmitted})
"""Records before which it is written how far bars were heard."""

Key = tuple[InstrumentId, int]


class Heard:
    """How far bars were published, by instrument and length, in this life and in those before it."""

    def __init__(self, day: Callable[[InstrumentId, int], int]) -> None:
        """``day``: the number of an instrument's trading day at an instant, the next one's on a day without."""
        self.began_ns = 0
        self._day = day
        self._before: Mapping[Key, int] = {}
        self._newest: dict[Key, int] = {}
        self._moved: dict[Key, int] = {}

    def begin(self, marks: Mapping[Key, int], now_ns: int) -> None:
        """This life begins; ``marks``: end of the newest bar of each, as the journal has it."""
        self.began_ns = now_ns
        # A simulated day that is played again over its journal begins before what was heard in it.
        self._before = {key: end_ns for key, end_ns in marks.items() if end_ns <= now_ns + key[1]}
        self._newest = dict(self._before)

    def take(self, bar: Bar, now_ns: int) -> bool:
        """A bar is about to be heard; gives whether it is history."""
        key = bar.instrument, bar.interval_ns
        # A bar of tomorrow is some feed's mistake: as a mark it would make history of all that come before it.
        if bar.ts_ns > self._newest.get(key, 0) and bar.ts_ns <= now_ns + bar.interval_ns:
            self._newest[key] = self._moved[key] = bar.ts_ns
        return bar.ts_ns <= self._before.get(key, 0) or self._was_old(bar)

    def recording(self, append: Callable[[JournalRecord], int]) -> Callable[[JournalRecord], int]:
        """The way into the journal of those who decide: before an intent, how far bars were heard."""

        def record(row: JournalRecord) -> int:
            if self._moved and row.__class__ in INTENTS:
                bars = tuple(HeardBar(*key, end_ns) for key, end_ns in self._moved.items())
                self._moved = {}
                append(BarsHeard(ts_ns=row.ts_ns, bars=bars))
            return append(row)

        return record

    def why(self, bar: Bar) -> str:
        """The words of a denial."""
        mark_ns = self._before.get((bar.instrument, bar.interval_ns), 0)
        if bar.ts_ns <= mark_ns:
            because = f"an earlier run had heard bars up to {_said(mark_ns)} when it last ordered"
        else:
            because = f"it was not the newest any more when this run began at {_said(self.began_ns)}"
        length = f"{bar.interval_ns / SECOND_NS:g} s"
        return f"history: the bar of {bar.instrument} ({length}) ended {_said(bar.ts_ns)}, and {because}"

    def _was_old(self, bar: Bar) -> bool:
        """Whether a newer bar of this length had ended when this life began."""
        ends_ns = bar.ts_ns + bar.interval_ns
        if ends_ns > self.began_ns or bar.interval_ns < DAY_NS:
            return ends_ns <= self.began_ns
        # The bar of a Friday is still the newest one on Monday morning.
        days = self._day(bar.instrument, ends_ns) - self._day(bar.instrument, bar.ts_ns)
        return max(ends_ns, bar.ts_ns + days * DAY_NS) <= self.began_ns


def _said(ts_ns: int) -> str:
    return f"{format_time(ts_ns)[:19]} UTC"


class LiveRunner(StrategyRunner):
    """The runner of a live run: knows at each moment whether what a strategy does follows from history."""

    heard: Heard
    """Given by the core it is of, before anything is heard."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.history: Bar | None = None
        """The bar of the past from which all that happens now follows."""
        self._awaiting: dict[StrategyId, Bar] = {}
        """The bar of the past from which a strategy's coroutine follows."""
        self._offered: Bar | None = None

    def on_bar(self, bar: Bar) -> None:
        if not self.heard.take(bar, self.clock.now_ns):
            super().on_bar(bar)
            return
        self.history = bar
        try:
            super().on_bar(bar)
        finally:
            self.history = None

    def offer(self, seat: Seat, bar: Bar) -> bool:
        self._offered = bar
        try:
            return super().offer(seat, bar)
        finally:
            self._offered = None

    def _line_up(self, seat: Seat, handler: Handler, event: Any) -> None:
        if (bar := self.history) is not None:
            handler = self._following(seat, handler, bar)
        super()._line_up(seat, handler, event)

    def _following(self, seat: Seat, handler: Handler, bar: Bar) -> Handler:
        """A handler that is called later, for what follows from ``bar``."""

        @wraps(handler)
        def hear(event: Any) -> Any:
            self.history = bar
            try:
                answer = handler(event)
            finally:
                self.history = None
            if answer is not None:
                self._awaiting[seat.name] = bar
            return answer

        return hear

    def _drain(self, seat: Seat) -> None:
        # What waited there follows from what it followed from when it came.
        before, self.history = self.history, None
        try:
            super()._drain(seat)
        finally:
            self.history = before

    def _advance(self, seat: Seat, value: Any, error: Exception | None) -> bool:
        name, before = seat.name, self.history
        if value is not None and value is self._offered:
            self._awaiting.pop(name, None)
        if before is not None:
            self._awaiting[name] = before
        self.history = self._awaiting.get(name)
        try:
            return super()._advance(seat, value, error)
        finally:
            self.history = before
            if seat.coroutine is None:
                self._awaiting.pop(name, None)

    def _close(self, seat: Seat, reason: str) -> None:
        super()._close(seat, reason)
        self._awaiting.pop(seat.name, None)
