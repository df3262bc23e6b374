"""Opening a file of quotes, or a place in a catalog that holds some: the door for everybody else."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from engine.data.checks import find_bad_quote
from engine.data.columns import Floats, QuoteColumns
from engine.data.headers import DEPTH, DEPTH_MAX, QUOTE_FIELDS, QUOTE_LAST, QUOTE_SIZES
from engine.data.quote_catalog import CatalogQuotes, open_catalog_quotes
from engine.data.rows import Chunk, Rows
from engine.data.table import file_sha256
from engine.domain.errors import DataError
from engine.domain.ids import InstrumentId


def open_quotes(
    path: str | Path, instrument: str, *, tz: str | None = None, columns: Mapping[str, str] | None = None
) -> "FileQuotes | CatalogQuotes":
    """Open a file of quotes (CSV, CSV in gzip, Parquet), or a place in a catalog (``quotes_path``).

    Columns: time, bid, ask; and, as far as there are any: bid_size, ask_size, last, last_size, and levels from the
    second on (bid2, bid_size2, ask2, ask_size2, ...). docs/data.md has their units.

    Args:
        columns: field -> column, where the names are unusual.

    Raises:
        DataError: the file can not be used.
    """
    held = open_catalog_quotes(path, instrument)
    if held is not None:
        return held
    optional = (*QUOTE_SIZES, *QUOTE_LAST, *DEPTH)
    return FileQuotes(Rows(Path(path), InstrumentId(instrument), QUOTE_FIELDS, optional=optional, tz=tz, named=columns))


class FileQuotes:
    """Quotes of one instrument in one file: a ``QuoteSource``."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.path = rows.path
        self.instrument = rows.instrument
        self.tz = rows.times.tz
        self._sha256 = ""
        has = set(rows.fields)
        self.has_trades = {"last", "last_size"} <= has
        self._sized = set(QUOTE_SIZES) <= has
        self._levels = _levels(rows)

    def sha256(self) -> str:
        if not self._sha256:
            self._sha256 = file_sha256(self.path)
        return self._sha256

    def batches(self) -> Iterator[QuoteColumns]:
        last_ns: int | None = None
        for chunk in self._rows.chunks():
            quotes = self._quotes(chunk)
            fault = find_bad_quote(quotes, last_ns)
            if fault is not None:
                raise self._rows.fault(chunk.row(fault[0]), fault[1])
            last_ns = int(quotes.ts_ns[-1])
            yield quotes

    def _quotes(self, chunk: Chunk) -> QuoteColumns:
        values, none = chunk.floats, np.zeros(len(chunk.ts_ns))
        bid, ask = values["bid"], values["ask"]
        bid_size, ask_size = values.get("bid_size", none), values.get("ask_size", none)
        if self._sized:
            bid_size, ask_size = _size_of(bid, bid_size), _size_of(ask, ask_size)
            bid, ask = _both_sides(bid, ask, bid_size), _both_sides(ask, bid, ask_size)
        last, last_size = None, None
        if self.has_trades:
            last, last_size = values["last"], _absent_as_0(values["last_size"])
        deeper = []
        for n in range(2, self._levels + 1):
            names = (f"bid{n}", f"bid_size{n}", f"ask{n}", f"ask_size{n}")
            one, one_size, two, two_size = (_absent_as_0(values[name]) for name in names)
            deeper.append((one, one_size, two, two_size))
        return QuoteColumns(
            self.instrument, chunk.ts_ns, bid, ask, bid_size, ask_size, last, last_size, tuple(deeper)
        )  # fmt: skip


def _levels(rows: Rows) -> int:
    """How many levels the file has on both sides, with sizes.

    Raises:
        DataError: one of the four columns of a level is missing.
    """
    has = set(rows.fields)
    found = 1
    for n in range(2, DEPTH_MAX + 1):
        names = [f"{side}{n}" for side in ("bid", "bid_size", "ask", "ask_size")]
        missing = [name for name in names if name not in has]
        if len(missing) == len(names):
            continue
        if missing or found != n - 1:
            said = missing[0] if missing else f"bid{found + 1}"
            raise DataError(
                f"data file {rows.path}: has a level {n} of its book but no column {said}; a level takes "
                f"{', '.join(names)}, and levels go from 2 on without a gap"
            )
        found = n
    return found


def _absent_as_0(values: Floats) -> Floats:
    return np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf) if np.isnan(values).any() else values


def _size_of(price: Floats, size: Floats) -> Floats:
    """A size that is missing beside a price that is missing is 0."""
    absent = np.isnan(size) & ~(price > 0)
    return np.where(absent, 0.0, size) if absent.any() else size


def _both_sides(price: Floats, other: Floats, size: Floats) -> Floats:
    """Where nobody stands on a side (locked at a limit: price 0 or none, size 0) the other side's price."""
    empty = ~(price > 0) & (size == 0) & (other > 0) & ~(price < 0)
    return np.where(empty, other, price) if empty.any() else price
