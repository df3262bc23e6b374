"""The rows of one instrument in a table, as arrays, with a way back from an array's place to the file's line."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from engine.data.columns import Floats, Ints, shown, viewed
from engine.data.csv_table import CsvTable
from engine.data.headers import SYMBOL, TIME, find_columns, is_symbol_of, zone_of
from engine.data.parquet_table import ParquetTable
from engine.data.table import Table, open_binary
from engine.data.times import ZoneReader
from engine.domain.errors import DataError
from engine.domain.ids import InstrumentId

_PARQUET = b"PAR1"
_SYMBOLS_NAMED = 5


class Chunk(Struct, gc=False):
    """Rows of one batch: times in nanoseconds UTC as the file has them, and one float64 array a field."""

    ts_ns: Ints
    floats: Mapping[str, Floats]
    first_row: int
    kept: Ints | None
    """Places within the batch of the rows that are ours; None: all of them."""

    def row(self, index: int) -> int:
        """The file's data row, counted from 0, of a place in the arrays."""
        return self.first_row + (index if self.kept is None else int(self.kept[index]))


class Rows:
    """The rows of one instrument in one file.

    Args:
        path: a CSV (also gzip) or Parquet file; told apart by content, then by name.
        instrument: rows that name another symbol are skipped.
        needed, optional: fields to read; the time is one of the needed.
        tz: zone of times that have none; None: the usual one of the instrument's venue.
        named: field -> column, before the usual names.

    Raises:
        DataError: the file can not be used, or nobody said in which zone its times are.
    """

    def __init__(
        self,
        path: Path,
        instrument: InstrumentId,
        needed: Sequence[str],
        *,
        optional: Sequence[str] = (),
        tz: str | None = None,
        named: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.instrument = instrument
        self.table: Table = _open_table(path)
        self._columns = find_columns(path, self.table.header, needed, (*optional, SYMBOL), named)
        self._fields = [f for f in self._columns if f not in (TIME, SYMBOL)]
        self.times = ZoneReader(self._zone(tz))
        if isinstance(self.table, CsvTable):
            self.times.day_only = self.table.day_only(self._columns[TIME])

    @property
    def fields(self) -> tuple[str, ...]:
        """The number columns that the file has."""
        return tuple(self._fields)

    def chunks(self, *, sample: bool = False) -> Iterator[Chunk]:
        """Every row of the instrument, a batch at a time; batches without any are left out.

        Raises:
            DataError: as the table's, or there is no row of the instrument at all.
        """
        first_row, found, others = 0, False, dict[str, None]()
        for batch in self.table.batches(self._columns, sample=sample):
            rows = len(batch[TIME])
            kept = self._kept(batch[SYMBOL], others) if SYMBOL in batch else None
            if rows and (kept is None or len(kept)):
                found = True
                yield self._chunk(batch, first_row, kept)
            first_row += rows
        if not found and not sample:
            raise self._nothing(others)

    def fault(self, row: int, said: str) -> DataError:
        """The error for one row of the file."""
        return DataError(f"data file {self.path}, {self.table.place(row)}: {said}")

    # --- inside ------------------------------------------------------------------------------------------------------

    def _zone(self, tz: str | None) -> str:
        zone = tz or zone_of(self.instrument)
        if zone is None:
            if _has_zone(self.table, self._columns[TIME]):
                return "UTC"
            raise DataError(
                f"data file {self.path}: in which time zone are the times of {self.instrument}? Say so with --tz, "
                "for example --tz UTC"
            )
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as why:
            raise DataError(f"time zone {zone!r} is none; give an IANA name such as Asia/Shanghai with --tz") from why
        return zone

    def _kept(self, symbols: Any, others: dict[str, None]) -> Ints | None:
        """Places of the rows that are ours, None for all; ``others`` collects names that are not."""
        if not pa.types.is_dictionary(symbols.type):
            symbols = symbols.cast(pa.string()).dictionary_encode()
        names = [str(name) for name in symbols.dictionary.to_pylist()]
        width = len(self.instrument.rpartition(".")[0])
        ours = [i for i, name in enumerate(names) if is_symbol_of(name.zfill(width), self.instrument)]
        if len(ours) == len(names) and not symbols.null_count:
            return None
        others.update((name, None) for i, name in enumerate(names) if i not in ours)
        indices = pc.fill_null(symbols.indices, -1) if symbols.null_count else symbols.indices
        return np.flatnonzero(np.isin(viewed(indices), ours))

    def _chunk(self, batch: Mapping[str, Any], first_row: int, kept: Ints | None) -> Chunk:
        times = batch[TIME]
        floats = {field: self._floats(field, batch[field]) for field in self._fields}
        if kept is not None:
            times = times.take(shown(kept))
            floats = {field: values[kept] for field, values in floats.items()}
        chunk = Chunk(np.empty(0, np.int64), floats, first_row, kept)
        if times.null_count:
            row = chunk.row(int(np.argmax(times.is_null().to_numpy(zero_copy_only=False))))
            raise self.fault(row, f"the time in column {self._columns[TIME]!r} is missing; complete or delete the row")
        try:
            chunk.ts_ns = self.times.read(times)
        except ValueError as why:
            column = self._columns[TIME]
            raise DataError(
                f"data file {self.path}, column {column!r}, from {self.table.place(chunk.row(0))} on: {why}"
            ) from why
        return chunk

    def _floats(self, field: str, array: Any) -> Floats:
        kind = array.type
        if kind == pa.float64() and not array.null_count:
            plain: Floats = viewed(array)
            return plain
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
            raise DataError(
                f"data file {self.path}: column {self._columns[field]!r} ({field}) is of type {kind}; store numbers"
            )
        # A missing value becomes NaN, which the checks name by its row.
        cast = array.cast(pa.float64(), safe=False)
        found: Floats = viewed(pc.fill_null(cast, float("nan")) if cast.null_count else cast)
        return found

    def _nothing(self, others: Mapping[str, None]) -> DataError:
        if not others:
            return DataError(f"data file {self.path}: has columns and no rows; add rows, or leave the file out")
        named = ", ".join(list(others)[:_SYMBOLS_NAMED]) + (", ..." if len(others) > _SYMBOLS_NAMED else "")
        return DataError(
            f"data file {self.path}: has no rows of {self.instrument}; its symbols are {named}; "
            "name one of them with --instrument"
        )


def _open_table(path: Path) -> Table:
    if open_binary(path).startswith(_PARQUET) or path.suffix.lower() in {".parquet", ".pq"}:
        return ParquetTable(path)
    return CsvTable(path)


def _has_zone(table: Table, column: str) -> bool:
    """Whether the times need no zone: they carry one, or count from 1970."""
    for batch in table.batches({TIME: column}, sample=True):
        kind = batch[TIME].type
        if pa.types.is_timestamp(kind):
            return kind.tz is not None
        if pa.types.is_integer(kind) and len(batch[TIME]):
            return len(str(batch[TIME][0].as_py())) in {10, 13, 16, 19}
        return False
    return False
