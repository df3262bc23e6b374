"""One series of the catalog: bars of one instrument and length, a Parquet file a month, under a manifest.

Times in the files are ends of bars, nanoseconds UTC. A new month's file is written beside the old under a name with its
hash; then the manifest is replaced, which is the one step that counts; then the old file goes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from engine.data.checks import find_bad_bar
from engine.data.columns import Columns, Ints, viewed
from engine.data.headers import zone_of
from engine.data.manifest import (
    Manifest,
    Part,
    joined_spans,
    read_manifest,
    replace_file,
    write_manifest,
)
from engine.data.table import file_sha256
from engine.domain.errors import DataError
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import DAY_NS, SECOND_NS, format_time

FIELDS = ("open", "high", "low", "close", "volume")
SCHEMA = pa.schema([("ts_ns", pa.int64()), *((name, pa.float64()) for name in FIELDS)])
_HASH_LETTERS = 12


class Merged(Struct, frozen=True):
    """What a merge did: bars that are new, bars whose figures changed, and months that were written."""

    new: int = 0
    changed: int = 0
    months: int = 0


class Series:
    """One series on disk; ``folder`` need not exist before the first merge."""

    def __init__(self, folder: Path, instrument: str, interval_ns: int) -> None:
        self.folder = folder
        found = read_manifest(folder)
        if found is not None and (found.instrument, found.interval_ns) != (instrument, interval_ns):
            raise DataError(f"data file {folder}: holds {found.instrument}, not {instrument}; name another catalog")
        zone = zone_of(instrument) or "UTC"
        self.manifest = found or Manifest(instrument=instrument, interval_ns=interval_ns, tz=zone)

    def merge(self, bars: Columns, asked: Sequence[tuple[date, date]] = ()) -> Merged:
        """Add bars, oldest first; those of an instant that is there already take its place.

        Args:
            asked: spans of days that a source has hereby answered for, bars or none.

        Raises:
            DataError: a bar that can not be.
        """
        fault = find_bad_bar(bars, None)
        if fault is not None:
            at = format_time(int(bars.ts_ns[fault[0]]), self.manifest.tz)
            raise DataError(f"bars of {bars.instrument}: the one that ends at {at}: {fault[1]}")
        days = local_days(bars.ts_ns, self.manifest.tz)
        months = days.astype("datetime64[M]")
        parts = dict(self.manifest.parts)
        new = changed = written = 0
        for month in np.unique(months):
            name = str(month)
            fresh = _rows(bars, months == month)
            held = self._table(name)
            whole, added, differ = _joined(held, fresh)
            if added or differ:
                parts[name] = self._write(name, whole)
                new, changed, written = new + added, changed + differ, written + 1
        manifest = msgspec.structs.replace(
            self.manifest,
            parts=dict(sorted(parts.items())),
            asked=joined_spans([*self.manifest.asked, *asked]),
        )
        if manifest != self.manifest or not self.folder.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            old = self.manifest
            write_manifest(self.folder, manifest)
            self.manifest = manifest
            for name, part in old.parts.items():
                if part.file != manifest.parts[name].file:
                    (self.folder / part.file).unlink(missing_ok=True)
        return Merged(new, changed, written)

    def sweep(self) -> int:
        """Remove what a killed writer left behind; how many files that were. For the holder of the catalog's lock."""
        named = {part.file for part in self.manifest.parts.values()}
        count = 0
        for path in self.folder.iterdir():
            left = path.suffix == ".tmp" or (path.suffix == ".parquet" and path.name not in named)
            if left and path.is_file():
                path.unlink()
                count += 1
        return count

    def months(self, from_ns: int, to_ns: int) -> Iterator[Columns]:
        """Bars that end in ``(from_ns, to_ns]``, a month at a time, as they are in the files.

        Raises:
            DataError: a file is missing or broken.
        """
        for part in self.manifest.parts.values():
            if part.last_ns <= from_ns or part.first_ns > to_ns:
                continue
            table = self._read(self.folder / part.file)
            ts_ns = table["ts_ns"]
            keep = (ts_ns > from_ns) & (ts_ns <= to_ns)
            if not keep.all():
                table = {name: values[keep] for name, values in table.items()}
            yield _columns(self.manifest, table)

    def damaged(self) -> dict[str, str]:
        """Files that are missing or not what was written: name -> why. Reads every byte."""
        found = {}
        for part in self.manifest.parts.values():
            path = self.folder / part.file
            try:
                if file_sha256(path) != part.sha256:
                    found[part.file] = "its bytes are not the ones that were written"
            except OSError as why:
                found[part.file] = f"can not be read ({why.strerror})"
        return found

    def _table(self, month: str) -> dict[str, Any] | None:
        part = self.manifest.parts.get(month)
        return None if part is None else self._read(self.folder / part.file)

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            table = pq.read_table(str(path), use_threads=False, pre_buffer=False)
            return {name: viewed(table.column(name).combine_chunks()) for name in ("ts_ns", *FIELDS)}
        except (OSError, KeyError, pa.ArrowException) as why:
            first = str(why).partition("\n")[0]
            raise DataError(
                f"data file {path}: can not be read ({first}); delete the folder of the series and fetch it again"
            ) from why

    def _write(self, month: str, table: dict[str, Any]) -> Part:
        self.folder.mkdir(parents=True, exist_ok=True)
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(table, schema=SCHEMA), sink, compression="zstd", use_dictionary=False)
        content = sink.getvalue().to_pybytes()
        digest = hashlib.sha256(content).hexdigest()
        name = f"{month}-{digest[:_HASH_LETTERS]}.parquet"
        replace_file(self.folder / name, content)
        days, counts = np.unique(local_days(table["ts_ns"], self.manifest.tz), return_counts=True)
        return Part(
            file=name,
            sha256=digest,
            rows=len(table["ts_ns"]),
            first_ns=int(table["ts_ns"][0]),
            last_ns=int(table["ts_ns"][-1]),
            days={str(day): int(count) for day, count in zip(days, counts, strict=True)},
        )


def local_days(ts_ns: Ints, tz: str) -> Any:
    """The local day of each bar's end as ``datetime64[D]``; an end at midnight belongs to the day before."""
    # A nanosecond before the end is within the bar.
    moments = ts_ns - 1
    if tz == "Asia/Shanghai" and (not len(moments) or int(moments[0]) > 0):
        return ((moments + 8 * 3600 * SECOND_NS) // DAY_NS).astype("datetime64[D]")
    local = pa.array(moments, pa.timestamp("ns", "UTC")).cast(pa.timestamp("ns", str(ZoneInfo(tz))))
    return pc.local_timestamp(local).to_numpy(zero_copy_only=False).astype("datetime64[D]")


def _rows(bars: Columns, keep: Any) -> dict[str, Any]:
    return {name: getattr(bars, name)[keep] for name in ("ts_ns", *FIELDS)}


def _joined(held: dict[str, Any] | None, fresh: dict[str, Any]) -> tuple[dict[str, Any], int, int]:
    """Both, the fresh going first; how many are new, and how many changed."""
    if held is None:
        return fresh, len(fresh["ts_ns"]), 0
    known = np.isin(fresh["ts_ns"], held["ts_ns"], assume_unique=True)
    place = np.searchsorted(held["ts_ns"], fresh["ts_ns"][known])
    same = np.ones(int(known.sum()), bool)
    for name in FIELDS:
        same &= held[name][place] == fresh[name][known]
    added, differ = int((~known).sum()), int((~same).sum())
    if not added and not differ:
        return held, 0, 0
    stay = ~np.isin(held["ts_ns"], fresh["ts_ns"], assume_unique=True)
    whole = {name: np.concatenate([held[name][stay], fresh[name]]) for name in ("ts_ns", *FIELDS)}
    order = np.argsort(whole["ts_ns"], kind="stable")
    return {name: values[order] for name, values in whole.items()}, added, differ


def _columns(manifest: Manifest, table: dict[str, Any]) -> Columns:
    return Columns(
        InstrumentId(manifest.instrument), manifest.interval_ns, table["ts_ns"], *(table[name] for name in FIELDS)
    )
