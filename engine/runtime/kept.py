"""What a run remembers of its journal: which jobs of which days are settled, strategies' states and parameters."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from engine.clock import Clock
from engine.domain.errors import ConfigError
from engine.domain.events import JournalRecord
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.jobs import (
    BarsHeard,
    JobEnded,
    JobMissed,
    JobsBegun,
    JobStarted,
    KeptRecord,
    ParametersChanged,
    StrategyHeld,
    StrategySaved,
    StrategyStarted,
)
from engine.runner import StrategyRunner

STATE_BYTES = 1024 * 1024
"""A state larger than this is a mistake: it is journaled each time it changes."""


class Kept:
    """One a run; ``on_record`` hears the journal while it is recovered, and ``tell`` what is appended later."""

    def __init__(self, runner: StrategyRunner, append: Callable[[JournalRecord], int], clock: Clock) -> None:
        self._runner = runner
        self._append = append
        self._clock = clock
        self.begun_ns: dict[str, int] = {}
        """Job -> since when it is kept."""
        self.settled: dict[str, int] = {}
        """Job -> the last day that was done, or reported as missed."""
        self.broken: dict[str, JobStarted] = {}
        """Jobs that were started and did not end."""
        self.ended: dict[str, JobEnded] = {}
        """Job -> how its latest run ended."""
        self.states: dict[StrategyId, Any] = {}
        self.parameters: dict[StrategyId, ParametersChanged] = {}
        """Strategies whose parameters a person changed, and to what."""
        self.held: dict[StrategyId, StrategyHeld] = {}
        """Strategies a person stopped and nobody started since."""
        self.heard: dict[tuple[InstrumentId, int], int] = {}
        """(instrument, length of its bars) -> how far they were heard when something was last ordered."""
        self._bytes: dict[StrategyId, bytes] = {}

    def tell(self, record: KeptRecord) -> int:
        """Journal a step of a job, or what a person did to a strategy, and remember it; gives its number."""
        seq = self._append(record)
        self.on_record(record)
        return seq

    def on_record(self, record: KeptRecord) -> None:
        """One row of the journal."""
        match record:
            case JobsBegun():
                for job in record.jobs:
                    self.begun_ns.setdefault(job, record.ts_ns)
            case JobStarted():
                self.broken[record.job] = record
            case JobEnded():
                self.broken.pop(record.job, None)
                self.ended[record.job] = record
                self._settle(record.job, record.day)
            case JobMissed():
                self.broken.pop(record.job, None)
                self._settle(record.job, record.last)
            case StrategySaved():
                self.states[record.strategy] = record.state
                self._bytes[record.strategy] = _encoded(record.strategy, record.state)
            case ParametersChanged():
                self.parameters[record.strategy] = record
            case StrategyHeld():
                self.held[record.strategy] = record
            case StrategyStarted():
                self.held.pop(record.strategy, None)
            case BarsHeard():
                for bar in record.bars:
                    self.heard[bar.instrument, bar.interval_ns] = bar.end_ns

    def save(self, names: Sequence[StrategyId] = ()) -> None:
        """Ask these strategies, else every one, what they want back; one in the middle of an ``await`` after it."""
        for seat in [self._runner.seats[name] for name in names or self._runner.seats]:
            self._runner._deliver(seat, seat.save, self.keep)

    def keep(self, strategy: StrategyId, state: Any) -> None:
        """Journal a strategy's state if it changed.

        Raises:
            ConfigError: it is no plain JSON, or too much of it.
        """
        body = _encoded(strategy, state)
        if self._bytes.get(strategy) == body:
            return
        # What comes back is what JSON makes of it, in this run as in the next one.
        saved = StrategySaved(strategy=strategy, ts_ns=self._clock.now_ns, state=msgspec.json.decode(body))
        self._append(saved)
        self.states[strategy], self._bytes[strategy] = saved.state, body

    def _settle(self, job: str, day: int) -> None:
        self.settled[job] = max(day, self.settled.get(job, day))


def _encoded(strategy: StrategyId, state: Any) -> bytes:
    try:
        body = msgspec.json.encode(state, order="sorted")
    except (TypeError, ValueError, RecursionError) as why:
        raise ConfigError(f"{strategy}: dump() gives what JSON can not hold: {why}; give plain values") from why
    if len(body) > STATE_BYTES:
        raise ConfigError(f"{strategy}: dump() gives {len(body)} bytes, at most {STATE_BYTES} are kept; give less")
    return body
