"""Batches of market data as columns, and what a source of them answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.domain.ids import InstrumentId

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def viewed(column: Any) -> Any:
    """A column of pyarrow's without missing values as an array of numpy's, where it lies.

    Its own ``to_numpy`` asks pandas first, where that is installed, which takes a quarter of a second to import.
    """
    return np.from_dlpack(column)


def shown(numbers: Ints) -> Any:
    """Whole numbers of numpy's as an array of pyarrow's, where they lie; ``pa.array`` asks pandas too."""
    import pyarrow as pa

    whole = np.ascontiguousarray(numbers, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)])


BATCH_ROWS = 65_536
"""No batch has more rows; those of CSV files have some thousands."""


class Columns(Struct, frozen=True, gc=False):
    """Bars of one instrument, oldest first, one array a field, all of one length.

    ``ts_ns`` is the END of each bar in nanoseconds UTC; prices and volumes are float64. The arrays may be views of a
    buffer that belongs to the file's reader: read them, do not write to them.
    """

    instrument: InstrumentId
    interval_ns: int
    ts_ns: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def part(self, span: slice | Ints) -> "Columns":
        """Some of the rows."""
        return Columns(
            self.instrument, self.interval_ns, self.ts_ns[span], self.open[span], self.high[span], self.low[span],
            self.close[span], self.volume[span],
        )  # fmt: skip


class QuoteColumns(Struct, frozen=True, gc=False):
    """Quotes of one instrument, oldest first, one array a field, all of one length; several may share an instant.

    ``ts_ns``: nanoseconds UTC. Prices in the instrument's currency a unit, sizes in units (shares, contracts), 0 where
    the file has none. A side where nobody stands has the price of the other side and size 0.
    """

    instrument: InstrumentId
    ts_ns: Ints
    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats
    last: Floats | None = None
    """Price of the latest trade; None: the file has none."""
    last_size: Floats | None = None
    """Units traded at ``last`` since the row before; 0 for none."""
    deeper: tuple[tuple[Floats, Floats, Floats, Floats], ...] = ()
    """Levels from the second on, as (bid, bid size, ask, ask size); price 0 where a side ends before."""

    def part(self, span: slice | Ints) -> "QuoteColumns":
        """Some of the rows."""
        last, size = self.last, self.last_size
        return QuoteColumns(
            self.instrument, self.ts_ns[span], self.bid[span], self.ask[span], self.bid_size[span],
            self.ask_size[span], None if last is None else last[span], None if size is None else size[span],
            tuple([(b[span], bs[span], a[span], as_[span]) for b, bs, a, as_ in self.deeper]),
        )  # fmt: skip


class BarSource(Protocol):
    """One file of bars of one instrument."""

    @property
    def instrument(self) -> InstrumentId: ...

    @property
    def interval_ns(self) -> int: ...

    @property
    def path(self) -> Path: ...

    @property
    def tz(self) -> str:
        """The zone in which times without one were read."""

    @property
    def label(self) -> str:
        """``end`` or ``start``: what the file's own times speak of; ``Columns`` always hold ends."""

    def sha256(self) -> str:
        """Hash of the file's bytes as stored, in hex."""

    def batches(self) -> Iterator[Columns]:
        """Every bar, checked, in order, at most ``BATCH_ROWS`` at a time; may be called again.

        Raises:
            DataError: the file can not be used; names the file, the line and the mend.
        """


class QuoteSource(Protocol):
    """One file of quotes of one instrument."""

    @property
    def instrument(self) -> InstrumentId: ...

    @property
    def path(self) -> Path: ...

    @property
    def tz(self) -> str: ...

    def sha256(self) -> str: ...

    def batches(self) -> Iterator[QuoteColumns]:
        """As ``BarSource.batches``."""
