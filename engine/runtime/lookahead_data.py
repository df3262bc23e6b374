"""Data as it would be if something else had followed an instant: cut off there, or going on another way.

Up to the instant nothing is touched: a line of a CSV file is the same bytes. After it, either nothing is left, or each
bar's four prices are multiplied by one factor of a seeded random walk and its volume by another.
"""

import csv
import gzip
import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from engine.data.columns import BarSource, Columns, Floats, Ints
from engine.data.headers import BAR_FIELDS, SYMBOL, TIME, find_columns, is_symbol_of
from engine.data.rows import Rows
from engine.data.sources import FileBars
from engine.data.table import open_binary
from engine.domain.ids import InstrumentId
from engine.entropy import Entropy

CUT, CHANGED = "cut", "changed"
_PRICES = ("open", "high", "low", "close")
_FURTHEST = math.log(2)
"""A changed price stays between half and twice the true one."""
_STEP = 0.01
"""Of instruments whose own is not known."""
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"


class Future(Struct, frozen=True, kw_only=True):
    """What follows ``after_ns``: nothing (``cut``), or another walk of prices (``changed``)."""

    how: str
    after_ns: int
    seed: int = 0
    sign: int = 1
    """-1: the same walk, up where it went down."""
    steps: dict[str, float] = {}
    """Instrument -> deviation of one bar's change of the walk, as log return."""


class Walk:
    """The factors of one instrument, bar after bar; one object follows one reading of its bars."""

    def __init__(self, future: Future, instrument: str) -> None:
        self._future = future
        self._chance = Entropy(future.seed).stream(f"future of {instrument} after {future.after_ns}")
        self._step = future.steps.get(instrument, _STEP)
        self._at = 0.0

    def after(self, bars: Columns) -> Columns:
        """The bars as they now are; none are left where the data is cut."""
        keep = int(np.searchsorted(bars.ts_ns, self._future.after_ns, "right"))
        count = len(bars.ts_ns) - keep
        if not count:
            return bars
        if self._future.how == CUT:
            return _first(bars, keep)
        factors, traded = self._draw(count)
        changed = {name: _rounded(getattr(bars, name)[keep:] * factors) for name in _PRICES}
        changed["volume"] = np.rint(bars.volume[keep:] * traded)
        return Columns(
            bars.instrument,
            bars.interval_ns,
            bars.ts_ns,
            *(np.concatenate([getattr(bars, name)[:keep], changed[name]]) for name in (*_PRICES, "volume")),
        )

    def _draw(self, count: int) -> tuple[Floats, Floats]:
        gauss, step, at = self._chance.gauss, self._step, self._at
        walk, traded = np.empty(count), np.empty(count)
        for place in range(count):
            at += gauss(0.0, step)
            if abs(at) > _FURTHEST:
                at = math.copysign(2 * _FURTHEST - abs(at), at) if abs(at) < 2 * _FURTHEST else 0.0
            walk[place] = at
            traded[place] = gauss(0.0, 0.7)
        self._at = at
        return np.exp(self._future.sign * walk), np.exp(traded)


def _rounded(prices: Floats) -> Floats:
    """Six digits that count: the same number in a file's text and in memory."""
    return np.array([float(f"{price:.6g}") for price in prices.tolist()])


def _first(bars: Columns, keep: int) -> Columns:
    parts = (getattr(bars, name)[:keep] for name in ("ts_ns", *_PRICES, "volume"))
    return Columns(bars.instrument, bars.interval_ns, *parts)


class FutureBars:
    """A ``BarSource`` in another future, for places that are no single file (a catalog)."""

    def __init__(self, source: BarSource, future: Future) -> None:
        self._source = source
        self._future = future

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def batches(self) -> Iterator[Columns]:
        walk = Walk(self._future, self._source.instrument)
        for bars in self._source.batches():
            changed = walk.after(bars)
            if len(changed.ts_ns):
                yield changed
            if len(changed.ts_ns) < len(bars.ts_ns):
                return


def step_of(closes: Floats) -> float:
    """How far a changed walk goes a bar: four times the deviation of the data's own returns, at least 0.2 %."""
    own = float(np.diff(np.log(closes)).std()) if len(closes) > 2 and bool((closes > 0).all()) else 0.0
    return max(4 * own, 0.002) if math.isfinite(own) else _STEP


# --- files -----------------------------------------------------------------------------------------------------------


def write_future(source: FileBars, target: Path, future: Future) -> None:
    """A copy of a source's file, of the same kind, in another future; every symbol in it is changed.

    Columns that are no field of a bar (turnover, an adjusted close) are cut with the rest, and not changed.

    Raises:
        DataError: the file can not be read.
    """
    rows, values, columns = _rows_after(source, future)
    start = open_binary(source.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if start.startswith(_PARQUET) or source.path.suffix.lower() in {".parquet", ".pq"}:
        _write_parquet(source.path, target, future, rows, values, columns)
        return
    zipped = start.startswith(_GZIP)
    raw = gzip.decompress(source.path.read_bytes()) if zipped else source.path.read_bytes()
    made = _csv_after(raw, future, rows, values, columns)
    target.write_bytes(gzip.compress(made, 1, mtime=0) if zipped else made)


def _rows_after(source: FileBars, future: Future) -> tuple[Ints, dict[str, Floats], Mapping[str, str]]:
    """The rows after the instant, their new values a field, and the file's own names of the fields."""
    places: list[Ints] = [np.empty(0, np.int64)]
    values: dict[str, list[Floats]] = {name: [np.empty(0)] for name in (*_PRICES, "volume")}
    columns: Mapping[str, str] = {}
    for name in _names_in(source):
        read = Rows(source.path, InstrumentId(name), BAR_FIELDS, tz=source.tz)
        columns = find_columns(source.path, read.table.header, BAR_FIELDS, (SYMBOL,))
        bars, walk = FileBars(read, source.label, source.interval_ns), Walk(future, name)
        for chunk, batch in zip(read.chunks(), bars.batches(), strict=True):
            first = int(np.searchsorted(batch.ts_ns, future.after_ns, "right"))
            within = np.arange(len(batch.ts_ns)) if chunk.kept is None else chunk.kept
            places.append(chunk.first_row + within[first:])
            if future.how == CHANGED and first < len(batch.ts_ns):
                changed = walk.after(batch)
                for field, kept in values.items():
                    kept.append(getattr(changed, field)[first:])
    return np.concatenate(places), {field: np.concatenate(kept) for field, kept in values.items()}, columns


def _names_in(source: FileBars) -> list[str]:
    """The source's instrument, and the others of its file if that names symbols."""
    rows = Rows(source.path, source.instrument, BAR_FIELDS, tz=source.tz)
    columns = find_columns(source.path, rows.table.header, BAR_FIELDS, (SYMBOL,))
    if SYMBOL not in columns:
        return [source.instrument]
    venue = source.instrument.rpartition(".")[2]
    seen: dict[str, None] = {}
    for batch in rows.table.batches({TIME: columns[TIME], SYMBOL: columns[SYMBOL]}):
        for symbol in batch[SYMBOL].unique().to_pylist():
            text = str(symbol)
            if is_symbol_of(text.zfill(len(source.instrument.rpartition(".")[0])), source.instrument):
                seen[source.instrument] = None
            else:
                seen[text if "." in text else f"{text}.{venue}"] = None
    return list(seen)


def _csv_after(
    raw: bytes, future: Future, places: Ints, values: Mapping[str, Floats], columns: Mapping[str, str]
) -> bytes:
    lines = [line for line in raw.splitlines(keepends=True) if line.strip()]
    if future.how == CUT:
        gone = frozenset(places.tolist())
        return b"".join(line for number, line in enumerate(lines, -1) if number not in gone)
    header = lines[0].decode("utf-8-sig")
    delimiter = max((",", ";", "\t", "|"), key=header.count)
    names = next(csv.reader([header], delimiter=delimiter))
    where = {field: names.index(columns[field]) for field in values}
    for number, place in enumerate(places.tolist()):
        fields = next(csv.reader([lines[place + 1].decode()], delimiter=delimiter))
        for field, column in where.items():
            fields[column] = f"{values[field][number]:.0f}" if field == "volume" else repr(float(values[field][number]))
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, lineterminator="\n").writerow(fields)
        lines[place + 1] = text.getvalue().encode()
    return b"".join(lines)


def _write_parquet(
    path: Path,
    target: Path,
    future: Future,
    places: Ints,
    values: Mapping[str, Floats],
    columns: Mapping[str, str],
) -> None:
    table = pq.read_table(str(path), use_threads=False)
    if future.how == CUT:
        keep = np.ones(len(table), bool)
        keep[places] = False
        pq.write_table(table.filter(pa.array(keep)), str(target))
        return
    for field, new in values.items():
        at = table.schema.get_field_index(columns[field])
        was = table.column(at)
        numbers = was.cast(pa.float64(), safe=False).to_numpy().copy()
        numbers[places] = new
        table = table.set_column(at, table.schema.field(at), pa.array(numbers).cast(was.type, safe=False))
    pq.write_table(table, str(target))
