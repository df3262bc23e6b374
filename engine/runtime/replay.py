"""Files of bars as one stream in time: every bar of an instant together, instants in order.

Ties within an instant go by the number of the source, never by anything that differs between runs.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from typing import Any, Protocol

import numpy as np
from msgspec import Struct

from engine.bar_loop import in_a_row, listener
from engine.data.abreast import abreast
from engine.data.columns import BarSource, Columns, Floats, Ints
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.native import Bars
from engine.runner import StrategyRunner

SLICE = 2048
"""Rows made plain numbers at once: more of them than a processor's cache holds cost a fifth more a bar."""


class Merged(Struct, frozen=True):
    """Some instants, as arrays of equal length, in order of time and then of source.

    ``source`` and ``ends``, which closes each instant's rows, are None where one source speaks: each row is an instant
    of its own.
    """

    names: list[InstrumentId]
    intervals: list[int]
    taken: list[tuple[int, Columns]]
    """(source, its rows of these instants)."""
    source: Ints | None
    ts_ns: Ints
    rows: tuple[Floats, Floats, Floats, Floats, Floats]
    ends: Ints | None

    @property
    def first_start_ns(self) -> int:
        return int(self.ts_ns[0]) - self.intervals[self.taken[0][0] if self.source is None else int(self.source[0])]

    def listed(self) -> "Plain | Chunk":
        samples = tuple(map(_sample, self.names, self.intervals))
        columns = [np.require(column, requirements=("C", "A")) for column in (self.ts_ns, *self.rows)]
        rows = (Bars or _Rows)(*columns, samples=samples, source=self.source)
        if self.ends is None:
            return Plain(self.names[0], int(self.ts_ns[0]), rows)
        starts = np.append(0, self.ends[:-1])
        return Chunk(self.ts_ns[starts].tolist(), (self.ends - starts).tolist(), rows)


def _sample(name: InstrumentId, interval_ns: int) -> Bar:
    return Bar(name, 0, 0.0, 0.0, 0.0, 0.0, 0.0, interval_ns)


class Rows(Protocol):
    """The bars of a batch, each made as it is taken."""

    def __iter__(self) -> Iterator[Bar]: ...

    def ahead(self, now_ns: int, due_ns: int) -> int:
        """How many of those not taken yet end before ``due_ns``; ``now_ns``: the end of the last one taken."""


class _Rows:
    """``native.Bars`` in Python."""

    def __init__(self, ts_ns: Any, *rows: Any, samples: tuple[Bar, ...], source: Ints | None = None) -> None:
        self._times: list[int] = ts_ns.tolist()
        names, lengths = [bar.instrument for bar in samples], [bar.interval_ns for bar in samples]

        def each(known: list[Any], here: slice) -> Iterable[Any]:
            return repeat(known[0]) if source is None else map(known.__getitem__, source[here].tolist())

        self._bars = chain.from_iterable(
            map(
                Bar, each(names, here), self._times[here], *(row[here].tolist() for row in rows), each(lengths, here)
            )
            for here in (slice(start, start + SLICE) for start in range(0, len(ts_ns), SLICE))
        )  # fmt: skip
        self._due_ns, self._due_row = -1, -1

    def __iter__(self) -> Iterator[Bar]:
        return self._bars

    def ahead(self, now_ns: int, due_ns: int) -> int:
        row = bisect_right(self._times, now_ns)
        if due_ns != self._due_ns or self._due_row < row:
            self._due_ns, self._due_row = due_ns, bisect_left(self._times, due_ns, row)
        return self._due_row - row


class Plain(Struct, frozen=True):
    """``Merged`` where one source speaks, ready for a loop."""

    name: InstrumentId
    first_ns: int
    rows: Rows


class Chunk(Struct, frozen=True):
    """``Merged`` where several sources speak: of each instant its time and how many bars end then, and all of them."""

    times: list[int]
    counts: list[int]
    rows: Rows


def merged(sources: Sequence[BarSource], loaded: Callable[[Columns], None]) -> Iterator[Merged]:
    """All sources as one stream; ``loaded`` hears of each batch before its first bar is handed on.

    Raises:
        DataError: a file can not be used.
    """
    if len(sources) == 1:
        for batch in sources[0].batches():
            if len(batch.ts_ns):
                loaded(batch)
                rows = (batch.open, batch.high, batch.low, batch.close, batch.volume)
                yield Merged([batch.instrument], [batch.interval_ns], [(0, batch)], None, batch.ts_ns, rows, None)
        return
    yield from _merged(sources, loaded)


def _merged(sources: Sequence[BarSource], loaded: Callable[[Columns], None]) -> Iterator[Merged]:
    names = [source.instrument for source in sources]
    intervals = [source.interval_ns for source in sources]
    for taken in abreast([source.batches() for source in sources], loaded):
        yield _in_order(names, intervals, taken)


def _in_order(names: list[InstrumentId], intervals: list[int], taken: list[tuple[int, Columns]]) -> Merged:
    ts_ns = np.concatenate([batch.ts_ns for _, batch in taken])
    source = np.concatenate([np.full(len(batch.ts_ns), number, np.int64) for number, batch in taken])
    order = np.lexsort((source, ts_ns))
    ts_ns = ts_ns[order]
    ends = np.append(np.flatnonzero(np.diff(ts_ns)) + 1, len(ts_ns))
    rows: Any = tuple(
        np.concatenate([getattr(batch, name) for _, batch in taken])[order]
        for name in ("open", "high", "low", "close", "volume")
    )
    return Merged(names, intervals, taken, source[order], ts_ns, rows, ends)


class Stage(Struct):
    """What the loops below drive: once time reaches ``due[0]``, ``turn(ts)`` runs what is due and sets it anew."""

    turn: Callable[[int], None]
    due: list[int]
    clock: Any
    resting: dict[InstrumentId, Any]
    show: Callable[[Bar], None]
    latest: dict[InstrumentId, Any]
    """What the first subscriber of ``Bar`` does, marking the books, is to keep the bar here."""
    ears: dict[InstrumentId, Callable[[Bar], None]]
    """All the others, by instrument."""
    runner: StrategyRunner | None = None
    """Where strategies are all that hear bars: a strategy that is alone may be given them in a row."""


def play(chunk: Plain | Chunk, stage: Stage) -> None:
    """Publish every bar of a chunk; the venue sees all bars of an instant before anybody else sees one."""
    if isinstance(chunk, Plain):
        _play_plain(chunk, stage)
    else:
        _play_instants(chunk, stage)


def _play_plain(chunk: Plain, stage: Stage) -> None:
    name, bars = chunk.name, iter(chunk.rows)
    turn, due, clock, resting, show, latest, ears = (
        stage.turn, stage.due, stage.clock, stage.resting, stage.show, stage.latest, stage.ears,
    )  # fmt: skip
    turn(chunk.first_ns)
    ear = ears[name]
    for bar in bars if stage.runner is None else _in_a_row(bars, chunk, stage, stage.runner):
        ts_ns = bar.ts_ns
        if ts_ns >= due[0]:
            turn(ts_ns)
            ear = ears[name]
        clock.now_ns = ts_ns
        if resting:
            show(bar)
            ear = ears[name]
        latest[name] = bar
        ear(bar)


def _in_a_row(bars: Iterator[Bar], chunk: Plain, stage: Stage, runner: StrategyRunner) -> Iterator[Bar]:
    """The bars that are not just one ``on_bar``'s: all, but where a strategy is alone and nothing else is due."""
    name, ahead = chunk.name, chunk.rows.ahead
    ears, clock, due = stage.ears, stage.clock, stage.due
    left: list[Bar] = []
    ear = None
    while True:
        if ears[name] is not ear:
            ear, alone = ears[name], listener(runner, name)
            if alone is None:
                yield from bars
                return
            hear = runner.ear(alone, in_a_row(alone, name, stage, chunk.rows, left))
        if alone is not None and not alone.busy:
            hear(ahead(clock.now_ns, due[0]))
        bar = left.pop() if left else next(bars, None)
        if bar is None:
            return
        yield bar


def _play_instants(chunk: Chunk, stage: Stage) -> None:
    rows = iter(chunk.rows)
    turn, due, clock, resting, show, latest, ears = (
        stage.turn, stage.due, stage.clock, stage.resting, stage.show, stage.latest, stage.ears,
    )  # fmt: skip
    turn(chunk.times[0])
    for ts_ns, count in zip(chunk.times, chunk.counts, strict=True):
        if ts_ns >= due[0]:
            turn(ts_ns)
        clock.now_ns = ts_ns
        bars = list(islice(rows, count))
        if resting:
            for bar in bars:
                show(bar)
        for bar in bars:
            name = bar.instrument
            latest[name] = bar
            ears[name](bar)
