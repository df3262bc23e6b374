"""What a daemon journals beside trading: which job of which day began, how it ended, and what strategies want kept."""

from typing import Any, get_args

from msgspec import Struct

from engine.domain.ids import InstrumentId, StrategyId


class JobsBegun(Struct, frozen=True, kw_only=True, gc=False, tag="jobs"):
    """From this moment on these jobs are kept: a day of theirs before it was never promised."""

    ts_ns: int
    jobs: tuple[str, ...]


class JobStarted(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="job_start"):
    """A job of one day begins; durable before it does anything."""

    job: str
    day: int
    """Number of the day it belongs to (proleptic ordinal): a job is done once a day, whenever it is due."""
    due_ns: int
    ts_ns: int
    attempt: int = 1
    """2 and more: an attempt before was broken off, as by the end of the process."""


class JobEnded(Struct, frozen=True, kw_only=True, gc=False, tag="job_end"):
    """It is over; ``ok`` is False where it failed, and ``text`` says what it did or why not."""

    job: str
    day: int
    ts_ns: int
    ok: bool
    text: str


class JobMissed(Struct, frozen=True, kw_only=True, gc=False, tag="job_missed"):
    """Days whose job was not done and is too late to be: ``first`` to ``last``, so many of them."""

    job: str
    first: int
    last: int
    count: int
    ts_ns: int
    reason: str


class StrategySaved(Struct, frozen=True, kw_only=True, tag="strategy_state"):
    """What a strategy wants back after a restart (``Strategy.dump``); the latest one counts."""

    strategy: StrategyId
    ts_ns: int
    state: Any = None


class ParametersChanged(Struct, frozen=True, kw_only=True, tag="parameters"):
    """A strategy's parameters from here on, all of them, as plain values.

    They hold in later runs too, as long as the config gives the strategy what it gave when they were changed
    (``configured``): a config that was edited since has the last word. ``values`` equal to it: the config's hold again.
    """

    strategy: StrategyId
    ts_ns: int
    values: dict[str, Any]
    configured: dict[str, Any]


class StrategyHeld(Struct, frozen=True, kw_only=True, gc=False, tag="held"):
    """A person stopped a strategy: it begins in no later run either, until a person starts it."""

    strategy: StrategyId
    ts_ns: int
    reason: str


class StrategyStarted(Struct, frozen=True, kw_only=True, tag="started"):
    """A fresh instance of a strategy took its place while the run went on: ``parameters`` are what it was made with."""

    strategy: StrategyId
    ts_ns: int
    reason: str
    parameters: dict[str, Any]


class HeardBar(Struct, frozen=True, gc=False, array_like=True):
    """The newest bar of an instrument and a length that was published; ``end_ns`` is its end."""

    instrument: InstrumentId
    interval_ns: int
    end_ns: int


class BarsHeard(Struct, frozen=True, kw_only=True, tag="bars_heard"):
    """How far bars were published when the order, algorithm or instruction of the next row was decided.

    Only those that went on since the row before of this kind. In a later life they are history (``heard.py``).
    """

    ts_ns: int
    bars: tuple[HeardBar, ...]


KeptRecord = (
    JobsBegun
    | JobStarted
    | JobEnded
    | JobMissed
    | StrategySaved
    | ParametersChanged
    | StrategyHeld
    | StrategyStarted
    | BarsHeard
)
KEPT = get_args(KeptRecord)
"""What ``runtime/kept.py`` remembers of a journal."""
