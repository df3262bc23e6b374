"""One reading of a run's bars for everything a report wants of them: prices at instants, extremes of spans."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from engine.data.columns import BarSource, Columns
from engine.domain.ids import InstrumentId
from engine.runtime.report_candles import Floats, Ints

_BLOCK = 64


class Taker(Protocol):
    """Takes the bars of one instrument, a batch at a time, oldest first."""

    def take(self, bars: Columns) -> None: ...


def read_bars(sources: Iterable[BarSource], takers: Mapping[InstrumentId, Sequence[Taker]]) -> None:
    """Every source that somebody wants, once; memory is that of a batch.

    Raises:
        DataError: a source can not be read.
    """
    for source in sources:
        wanted = takers.get(source.instrument, ())
        if not wanted:
            continue
        for bars in source.batches():
            if len(bars.ts_ns):
                for taker in wanted:
                    taker.take(bars)


class ClosesAt:
    """The close of the last bar that had ended at each of some instants; NaN before the first bar.

    Args:
        at_ns: the instants, rising.
    """

    def __init__(self, at_ns: Ints) -> None:
        self.at_ns = at_ns
        self.closes: Floats = np.full(len(at_ns), np.nan)
        self.first_open = np.nan
        self.last_ns = 0

    def take(self, bars: Columns) -> None:
        if np.isnan(self.first_open):
            self.first_open = float(bars.open[0])
        self.last_ns = int(bars.ts_ns[-1])
        first = int(np.searchsorted(self.at_ns, bars.ts_ns[0]))
        self.closes[first:] = bars.close[np.searchsorted(bars.ts_ns, self.at_ns[first:], "right") - 1]


class ExtremesOf:
    """The lowest low and the highest high of the bars that end in each of some spans; NaN where none does.

    Args:
        from_ns, before_ns: a bar counts where ``from_ns <= its end < before_ns``.
    """

    def __init__(self, from_ns: Ints, before_ns: Ints) -> None:
        self._from_ns = from_ns
        self._before_ns = before_ns
        self.low: Floats = np.full(len(from_ns), np.nan)
        self.high: Floats = np.full(len(from_ns), np.nan)

    def take(self, bars: Columns) -> None:
        begins = np.searchsorted(bars.ts_ns, self._from_ns)
        ends = np.searchsorted(bars.ts_ns, self._before_ns)
        there = np.flatnonzero(ends > begins)
        if not len(there):
            return
        begins, ends = begins[there], ends[there]
        self.low[there] = np.fmin(self.low[there], extremes(bars.low, begins, ends, np.minimum))
        self.high[there] = np.fmax(self.high[there], extremes(bars.high, begins, ends, np.maximum))


def extremes(values: Floats, begins: Ints, ends: Ints, of: np.ufunc) -> Floats:
    """``of`` (minimum or maximum) over ``values[begin:end]`` of many spans, none of them empty.

    Spans are cut at blocks of 64 values, and whole blocks are asked of a table of powers of two: the time is that of
    the number of spans, however long they are.
    """
    found: Floats = values[begins].copy()
    first, last = -(-begins // _BLOCK), ends // _BLOCK
    whole = last > first
    # The ragged ends; of a span inside one block, or over one edge, there is nothing else.
    head_ends = np.where(whole, first * _BLOCK, ends)
    tail_begins = np.where(whole, last * _BLOCK, ends)
    for starts, stops in ((begins, head_ends), (tail_begins, ends)):
        some = np.flatnonzero(stops > starts)
        if len(some):
            found[some] = of(found[some], _reduced(values, starts[some], stops[some], of))
    some = np.flatnonzero(whole)
    if len(some):
        found[some] = of(found[some], _of_blocks(values, first[some], last[some], of))
    return found


def _reduced(values: Floats, starts: Ints, stops: Ints, of: np.ufunc) -> Floats:
    # One more value lets a span that stops at the very end be named by its stop.
    padded = np.append(values, values[-1])
    result: Floats = of.reduceat(padded, np.stack([starts, stops], axis=1).ravel())[::2]
    return result


def _of_blocks(values: Floats, first: Ints, last: Ints, of: np.ufunc) -> Floats:
    full = len(values) // _BLOCK
    level: Floats = of.reduce(values[: full * _BLOCK].reshape(full, _BLOCK), axis=1)
    lengths = last - first
    powers = np.frexp(lengths.astype(float))[1] - 1
    found: Floats = np.empty(len(first))
    for power in range(int(powers.max()) + 1):
        some = np.flatnonzero(powers == power)
        found[some] = of(level[first[some]], level[last[some] - (1 << power)])
        level = of(level[: -(1 << power)], level[1 << power :])
    return found
