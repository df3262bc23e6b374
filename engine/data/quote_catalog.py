"""Quotes in the catalog: ``<instrument>/quotes/``, a Parquet file a day, under a manifest as bars have one.

A path names what is read, as for bars: ``DIR/600000.SH/quotes`` is all of it, ``DIR/600000.SH/quotes/2024-01-02..
2024-01-05`` the quotes of these days, both included.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.data.checks import find_bad_quote
from engine.data.columns import BATCH_ROWS, QuoteColumns
from engine.data.headers import DEPTH, DEPTH_MAX, zone_of
from engine.data.manifest import MANIFEST, QUOTES, Manifest, Part, read_manifest, replace_file, write_manifest
from engine.data.series import local_days
from engine.data.table import file_sha256
from engine.domain.errors import DataError
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import format_time, ns_from_datetime

_BEST = ("bid", "ask", "bid_size", "ask_size")
_SPAN = re.compile(r"(?:(?P<first>\d{4}-\d\d-\d\d)?\.\.(?P<last>\d{4}-\d\d-\d\d)?)?\Z", re.ASCII)
_HASH_LETTERS = 12


class QuoteSeries:
    """The quotes of one instrument on disk; ``folder`` need not exist before the first day is written."""

    def __init__(self, folder: Path, instrument: str) -> None:
        self.folder = folder
        found = read_manifest(folder)
        if found is not None and (found.instrument, found.interval_ns) != (instrument, 0):
            raise DataError(f"data file {folder}: holds {found.instrument}, not {instrument}; name another catalog")
        self.manifest = found or Manifest(instrument=instrument, interval_ns=0, tz=zone_of(instrument) or "UTC")

    def take(self, batches: Iterator[QuoteColumns]) -> tuple[int, int]:
        """Put the quotes of a source in place of all that lie in the span from its first to its last.

        Several quotes share an instant, so that none can be told from another: what is brought again replaces. Gives
        (quotes, days that were written). A day is in memory at a time.
        """
        count = written = 0
        first_ns: int | None = None
        before = ""
        for day, quotes, ends in _days(batches, self.manifest.tz):
            first_ns = int(quotes.ts_ns[0]) if first_ns is None else first_ns
            if before:
                self._drop([name for name in self.manifest.parts if before < name < day])
            before = day
            written += self._put(day, quotes, first_ns, int(quotes.ts_ns[-1]) if ends else 2**63 - 1)
            count += len(quotes.ts_ns)
        return count, written

    def _put(self, day: str, quotes: QuoteColumns, first_ns: int, last_ns: int) -> bool:
        fresh, part = _table(quotes), self.manifest.parts.get(day)
        if part is not None:
            held = self.read(part)
            before, after = held["ts_ns"] < first_ns, held["ts_ns"] > last_ns
            fresh = _joined([_rows(held, before), fresh, _rows(held, after)])
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(fresh), sink, compression="zstd", use_dictionary=False)
        content = sink.getvalue().to_pybytes()
        digest = hashlib.sha256(content).hexdigest()
        if part is not None and part.sha256 == digest:
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        name, ts_ns = f"{day}-{digest[:_HASH_LETTERS]}.parquet", fresh["ts_ns"]
        replace_file(self.folder / name, content)
        new = Part(
            file=name, sha256=digest, rows=len(ts_ns), first_ns=int(ts_ns[0]), last_ns=int(ts_ns[-1]),
            days={day: len(ts_ns)},
        )  # fmt: skip
        parts = dict(sorted({**self.manifest.parts, day: new}.items()))
        self.manifest = msgspec.structs.replace(self.manifest, parts=parts)
        write_manifest(self.folder, self.manifest)
        if part is not None and part.file != name:
            (self.folder / part.file).unlink(missing_ok=True)
        return True

    def _drop(self, days: list[str]) -> None:
        if not days:
            return
        gone = [self.manifest.parts[day] for day in days]
        parts = {day: part for day, part in self.manifest.parts.items() if day not in days}
        self.manifest = msgspec.structs.replace(self.manifest, parts=parts)
        write_manifest(self.folder, self.manifest)
        for part in gone:
            (self.folder / part.file).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a killed writer left behind. For the holder of the catalog's lock."""
        named = {part.file for part in self.manifest.parts.values()}
        for path in self.folder.iterdir():
            if path.suffix == ".tmp" or (path.suffix == ".parquet" and path.name not in named):
                path.unlink()

    def read(self, part: Part) -> dict[str, Any]:
        """The columns of one file.

        Raises:
            DataError: it is missing or broken.
        """
        path = self.folder / part.file
        try:
            table = pq.read_table(str(path), use_threads=False, pre_buffer=False)
            found = {name: table.column(name).to_numpy() for name in table.column_names}
            return {name: found[name] for name in ("ts_ns", *_BEST)} | found
        except (OSError, KeyError, pa.ArrowException) as why:
            said = str(why).partition("\n")[0]
            raise DataError(
                f"data file {path}: can not be read ({said}); delete the folder and import the quotes again"
            ) from why

    def damaged(self) -> dict[str, str]:
        """Files that are missing or not what was written: name -> why. Reads every byte."""
        found = {}
        for part in self.manifest.parts.values():
            try:
                if file_sha256(self.folder / part.file) != part.sha256:
                    found[part.file] = "its bytes are not the ones that were written"
            except OSError as why:
                found[part.file] = f"can not be read ({why.strerror})"
        return found


def quotes_path(catalog: str | Path, instrument: str, first: date | None = None, last: date | None = None) -> Path:
    """The path that ``open_quotes`` takes for quotes of the catalog."""
    folder = Path(catalog) / instrument / QUOTES
    return folder if first is None and last is None else folder / f"{first or ''}..{last or ''}"


def open_catalog_quotes(path: str | Path, instrument: str) -> "CatalogQuotes | None":
    """The source a path names; None if it is not of that kind.

    Raises:
        DataError: a series that is not there, is damaged, holds bars, or is of another instrument.
    """
    path = Path(path)
    folder, tail = (path, "") if (path / MANIFEST).is_file() else (path.parent, path.name)
    match = _SPAN.match("" if tail == QUOTES else tail)
    if match is None or path.is_file():
        return None
    manifest = read_manifest(path if tail == QUOTES else folder)
    if manifest is None:
        if QUOTES in (path.parent.name, path.name):
            raise DataError(f"data file {path}: the catalog has no such quotes; see what it has with: data list")
        return None
    if manifest.instrument != instrument:
        raise DataError(f"data file {path}: holds {manifest.instrument}, not {instrument}; name the folder of that one")
    if manifest.interval_ns:
        raise DataError(f"data file {path}: holds bars, not quotes; take it with --data, or name the folder of quotes")
    first, last = (date.fromisoformat(match[name]) if match[name] else None for name in ("first", "last"))
    return CatalogQuotes(path, QuoteSeries(folder, instrument), first, last)


class CatalogQuotes:
    """A ``QuoteSource`` over one series; ``path`` opens the same quotes again."""

    def __init__(self, path: Path, series: QuoteSeries, first: date | None, last: date | None) -> None:
        self.path = path
        self.instrument = InstrumentId(series.manifest.instrument)
        self.tz = series.manifest.tz
        self._series = series
        self._from_ns = _midnight_ns(first, self.tz) if first is not None else 0
        self._to_ns = _midnight_ns(last + timedelta(days=1), self.tz) if last is not None else 2**63 - 1
        parts = self._parts()
        if not parts:
            raise DataError(
                f"data file {path}: the catalog has no quotes of {self.instrument} in these days; import some with: "
                "data import FILE --quotes"
            )
        self.has_trades = "last_size" in series.read(parts[0])

    def sha256(self) -> str:
        """Hash over the hashes of the files it reads and its days."""
        whole = hashlib.sha256(f"quotes {self._from_ns} {self._to_ns}".encode())
        for part in self._parts():
            whole.update(part.sha256.encode())
        return whole.hexdigest()

    def batches(self) -> Iterator[QuoteColumns]:
        before: int | None = None
        for part in self._parts():
            table = self._series.read(part)
            ts_ns = table["ts_ns"]
            whole = _columns(self.instrument, _rows(table, (ts_ns > self._from_ns) & (ts_ns <= self._to_ns)))
            for start in range(0, len(whole.ts_ns), BATCH_ROWS):
                quotes = whole.part(slice(start, start + BATCH_ROWS))
                fault = find_bad_quote(quotes, before)
                if fault is not None:
                    at = format_time(int(quotes.ts_ns[fault[0]]), self.tz)
                    raise DataError(f"data file {self.path}: the quote at {at}: {fault[1]}")
                before = int(quotes.ts_ns[-1])
                yield quotes

    def _parts(self) -> list[Part]:
        parts = self._series.manifest.parts.values()
        return [part for part in parts if part.last_ns > self._from_ns and part.first_ns <= self._to_ns]


def _days(batches: Iterator[QuoteColumns], tz: str) -> Iterator[tuple[str, QuoteColumns, bool]]:
    """Day by day of the zone: its name, its quotes, and whether it is the last."""
    held: list[QuoteColumns] = []
    name = ""
    for batch in batches:
        days = local_days(batch.ts_ns, tz)
        starts = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist(), len(days)]
        for start, stop in pairwise(starts):
            if name and str(days[start]) != name:
                yield name, _one(held), False
                held = []
            name = str(days[start])
            held.append(batch.part(slice(start, stop)))
    if held:
        yield name, _one(held), True


def _one(held: list[QuoteColumns]) -> QuoteColumns:
    return held[0] if len(held) == 1 else _columns(held[0].instrument, _joined([_table(part) for part in held]))


def _table(quotes: QuoteColumns) -> dict[str, Any]:
    """Columns by name; those the quotes do not have are left out."""
    found: dict[str, Any] = {name: getattr(quotes, name) for name in ("ts_ns", *_BEST)}
    if quotes.last is not None and quotes.last_size is not None:
        found |= {"last": quotes.last, "last_size": quotes.last_size}
    deeper = [column for level in quotes.deeper for column in level]
    return found | dict(zip(DEPTH, deeper, strict=False))


def _columns(instrument: InstrumentId, table: Mapping[str, Any]) -> QuoteColumns:
    levels = []
    for n in range(2, DEPTH_MAX + 1):
        if f"bid{n}" in table:
            levels.append((table[f"bid{n}"], table[f"bid_size{n}"], table[f"ask{n}"], table[f"ask_size{n}"]))
    bid, ask, bid_size, ask_size = (table[name] for name in _BEST)
    last, last_size = table.get("last"), table.get("last_size")
    return QuoteColumns(instrument, table["ts_ns"], bid, ask, bid_size, ask_size, last, last_size, tuple(levels))


def _rows(table: Mapping[str, Any], keep: Any) -> dict[str, Any]:
    return dict(table) if keep.all() else {name: values[keep] for name, values in table.items()}


def _joined(tables: list[dict[str, Any]]) -> dict[str, Any]:
    """One below the other; 0 where one lacks a column."""
    tables = [table for table in tables if len(table["ts_ns"])]
    names = dict.fromkeys(name for table in tables for name in table)
    return {
        name: np.concatenate([table.get(name, np.zeros(len(table["ts_ns"]))) for table in tables]) for name in names
    }


def _midnight_ns(day: date, tz: str) -> int:
    return ns_from_datetime(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)).astimezone(UTC))
