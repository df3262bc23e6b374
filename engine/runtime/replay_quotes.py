"""Quotes as one stream in time, alone or among bars of other instruments: every row of an instant together.

A row of a file of quotes is up to three events, in this order: the print that came before it (``Trade``), the best bid
and ask (``Quote``), the book (``OrderBook``). Of one instant the sources of quotes come first, each in the order of its
rows, then bars, which are known at their end.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from msgspec import Struct

from engine.data.abreast import abreast
from engine.data.columns import BarSource, Columns, Floats, Ints, QuoteColumns, QuoteSource
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, BookLevel, OrderBook, Quote, Trade

SPAN_ROWS = 8_192
"""Rows that are made objects at once; an instant is never cut in two."""
_RANKS = 3

Rows = Columns | QuoteColumns
Event = Any


class Span(Struct, frozen=True):
    """Some whole instants: their rows by source, as columns."""

    taken: list[tuple[int, Rows]]
    """(source, its rows)."""
    ts_ns: Ints
    """Of all of them, source after source."""

    @property
    def first_start_ns(self) -> int:
        return min(
            int(rows.ts_ns[0]) - (rows.interval_ns if isinstance(rows, Columns) else 0) for _, rows in self.taken
        )


class Played(Struct, frozen=True):
    """A span as objects, in order; ``ends`` closes each instant, and is None where each event is an instant."""

    ts_ns: list[int]
    events: list[Event]
    ends: list[int] | None
    name: InstrumentId | None
    """Of the quotes, where there is nothing but quotes of one instrument, each at its own instant."""


def spans(quotes: Sequence[QuoteSource], bars: Sequence[BarSource], loaded: Callable[[Rows], None]) -> Iterator[Span]:
    """All sources as one stream; ``loaded`` hears of each batch before its first row is handed on.

    Raises:
        DataError: a file can not be used.
    """
    streams: list[Iterator[Rows]] = [whole_instants(source.batches()) for source in quotes]
    streams += [source.batches() for source in bars]
    for taken in abreast(streams, loaded):
        yield from _cut(taken)


def whole_instants(batches: Iterator[QuoteColumns]) -> Iterator[QuoteColumns]:
    """The same rows, so that no instant is in two batches."""
    held = next(batches, None)
    for batch in batches:
        if held is None or not len(held.ts_ns):
            held = batch
        elif not len(batch.ts_ns) or batch.ts_ns[0] > held.ts_ns[-1]:
            yield held
            held = batch
        else:
            cut = int(np.searchsorted(held.ts_ns, held.ts_ns[-1], "left"))
            if cut:
                yield held.part(slice(0, cut))
            held = _joined(held.part(slice(cut, None)), batch)
    if held is not None:
        yield held


def _joined(one: QuoteColumns, other: QuoteColumns) -> QuoteColumns:
    def both(a: Floats | None, b: Floats | None) -> Floats | None:
        return None if a is None or b is None else np.concatenate([a, b])

    deeper: Any = tuple(
        tuple(np.concatenate(pair) for pair in zip(mine, theirs, strict=True))
        for mine, theirs in zip(one.deeper, other.deeper, strict=True)
    )
    return QuoteColumns(
        one.instrument,
        np.concatenate([one.ts_ns, other.ts_ns]),
        np.concatenate([one.bid, other.bid]),
        np.concatenate([one.ask, other.ask]),
        np.concatenate([one.bid_size, other.bid_size]),
        np.concatenate([one.ask_size, other.ask_size]),
        both(one.last, other.last),
        both(one.last_size, other.last_size),
        deeper,
    )


def _cut(taken: list[tuple[int, Rows]]) -> Iterator[Span]:
    """Spans of about ``SPAN_ROWS`` rows."""
    times = np.sort(np.concatenate([rows.ts_ns for _, rows in taken])) if len(taken) > 1 else taken[0][1].ts_ns
    starts = dict.fromkeys([number for number, _ in taken], 0)
    last = len(times) - 1
    for place in range(SPAN_ROWS - 1, len(times) + SPAN_ROWS - 1, SPAN_ROWS):
        bound = times[min(place, last)]
        parts: list[tuple[int, Rows]] = []
        for number, rows in taken:
            start, stop = starts[number], int(np.searchsorted(rows.ts_ns, bound, "right"))
            if stop > start:
                parts.append((number, rows.part(slice(start, stop))))
                starts[number] = stop
        if parts:
            yield Span(parts, np.concatenate([rows.ts_ns for _, rows in parts]))


def made(span: Span, books: frozenset[InstrumentId]) -> Played:
    """A span's events; ``books``: whose quotes are order books as well."""
    if len(span.taken) == 1:
        rows = span.taken[0][1]
        if isinstance(rows, QuoteColumns) and rows.last_size is None and rows.instrument not in books:
            ts_ns = rows.ts_ns.tolist()
            apart = bool((rows.ts_ns[1:] > rows.ts_ns[:-1]).all())
            ends = None if apart else _ends(rows.ts_ns)
            return Played(ts_ns, _quotes(rows, ts_ns), ends, rows.instrument if apart else None)
    times: list[Ints] = []
    places: list[Ints] = []
    sources: list[Ints] = []
    events: list[Event] = []
    for number, rows in span.taken:
        for row, some in _events(rows, books):
            times.append(rows.ts_ns[row // _RANKS])
            places.append(row)
            sources.append(np.full(len(row), number))
            events += some
    ts_all = np.concatenate(times)
    order = np.lexsort((np.concatenate(places), np.concatenate(sources), ts_all))
    ts_all = ts_all[order]
    return Played(ts_all.tolist(), [events[k] for k in order.tolist()], _ends(ts_all), None)


def _ends(ts_ns: Ints) -> list[int]:
    ends: list[int] = np.append(np.flatnonzero(np.diff(ts_ns)) + 1, len(ts_ns)).tolist()
    return ends


def _events(rows: Rows, books: frozenset[InstrumentId]) -> Iterator[tuple[Ints, list[Event]]]:
    """Events of one kind, each with its place: three times its row, plus its rank within the row."""
    count, ts_ns = len(rows.ts_ns), rows.ts_ns.tolist()
    every = np.arange(count) * _RANKS
    if isinstance(rows, Columns):
        columns = [column.tolist() for column in (rows.open, rows.high, rows.low, rows.close, rows.volume)]
        yield every, list(map(Bar, repeat(rows.instrument), ts_ns, *columns, repeat(rows.interval_ns)))
        return
    if rows.last is not None and rows.last_size is not None:
        traded = np.flatnonzero(rows.last_size > 0)
        prices, sizes = rows.last[traded].tolist(), rows.last_size[traded].tolist()
        yield traded * _RANKS, list(map(Trade, repeat(rows.instrument), rows.ts_ns[traded].tolist(), prices, sizes))
    yield every + 1, _quotes(rows, ts_ns)
    if rows.instrument in books:
        bids = _side([(rows.bid, rows.bid_size), *[(bid, size) for bid, size, _, _ in rows.deeper]], count)
        asks = _side([(rows.ask, rows.ask_size), *[(ask, size) for _, _, ask, size in rows.deeper]], count)
        yield every + 2, list(map(OrderBook, repeat(rows.instrument), ts_ns, bids, asks))


def _quotes(rows: QuoteColumns, ts_ns: list[int]) -> list[Event]:
    columns = (rows.bid.tolist(), rows.ask.tolist(), rows.bid_size.tolist(), rows.ask_size.tolist())
    return list(map(Quote, repeat(rows.instrument), ts_ns, *columns))


def _side(levels: Sequence[tuple[Floats, Floats]], count: int) -> list[tuple[BookLevel, ...]]:
    """One side of each row's book; levels where nobody stands are left out."""
    found: list[list[BookLevel]] = [[] for _ in range(count)]
    for prices, sizes in levels:
        for level, price, size in zip(found, prices.tolist(), sizes.tolist(), strict=True):
            if size:
                level.append(BookLevel(price, size))
    return [tuple(level) for level in found]
