"""Bars of the catalog as a source: a series, between two days, adjusted or as traded.

A path names all of it, so that a config, a command and a journal can: ``DIR/600000.SH/1m`` is a whole series,
``DIR/600000.SH/1m/2024-01-01..2024-01-31`` its bars of these days, both included, and ``...@backward`` the adjusted.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.data.adjustments import FILE, HOWS, adjusted, read_adjustments
from engine.data.catalog import Catalog
from engine.data.checks import find_bad_bar
from engine.data.columns import Columns
from engine.data.manifest import MANIFEST, interval_name, read_manifest
from engine.data.series import Series
from engine.data.table import file_sha256
from engine.domain.errors import ConfigError, DataError
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import format_time, ns_from_datetime

_SPAN = re.compile(r"(?:(?P<first>\d{4}-\d\d-\d\d)?\.\.(?P<last>\d{4}-\d\d-\d\d)?)?(?:@(?P<how>[a-z]+))?\Z", re.ASCII)


def catalog_path(
    catalog: str | Path,
    instrument: str,
    interval_ns: int,
    first: date | None = None,
    last: date | None = None,
    adjust: str = "",
) -> Path:
    """The path that ``open_bars`` takes for bars of the catalog.

    Raises:
        ConfigError: no such way to adjust; the last day before the first.
    """
    if adjust and adjust not in HOWS:
        raise ConfigError(f"adjust {adjust!r} is none; write {' or '.join(HOWS)}, or leave it out")
    if first is not None and last is not None and last < first:
        raise ConfigError(f"the last day {last} is before the first, {first}; swap them")
    folder = Catalog(catalog).path(instrument, interval_ns)
    span = "" if first is None and last is None else f"{first or ''}..{last or ''}"
    tail = span + (f"@{adjust}" if adjust else "")
    return folder / tail if tail else folder


def open_catalog_bars(path: str | Path, instrument: str | None = None) -> "CatalogBars | None":
    """The source a path names, as ``catalog_path`` makes it; None if the path is not of that kind.

    Raises:
        DataError: a series that is not there, is damaged, or is of another instrument.
    """
    path = Path(path)
    folder, tail = (path, "") if (path / MANIFEST).is_file() else (path.parent, path.name)
    match = _SPAN.match(tail)
    if match is None or path.is_file():
        return None
    manifest = read_manifest(folder)
    if manifest is None:
        if tail and ".." in tail:
            raise DataError(f"data file {path}: the catalog has no such series; see what it has with: data list")
        return None
    if instrument is not None and instrument != manifest.instrument:
        raise DataError(f"data file {path}: holds {manifest.instrument}, not {instrument}; name the folder of that one")
    first, last = (date.fromisoformat(match[name]) if match[name] else None for name in ("first", "last"))
    if not manifest.interval_ns:
        raise DataError(f"data file {path}: holds quotes, not bars; take it with --quotes, or name a series of bars")
    if match["how"] and match["how"] not in HOWS:
        raise DataError(f"data file {path}: {match['how']!r} is no way to adjust; write {' or '.join(HOWS)}")
    return CatalogBars(path, Series(folder, manifest.instrument, manifest.interval_ns), first, last, match["how"] or "")


class CatalogBars:
    """A ``BarSource`` over one series; ``path`` opens the same bars again."""

    def __init__(self, path: Path, series: Series, first: date | None, last: date | None, adjust: str) -> None:
        self.path = path
        self.instrument = InstrumentId(series.manifest.instrument)
        self.interval_ns = series.manifest.interval_ns
        self.tz = series.manifest.tz
        self.label = "end"
        self._series = series
        self._from_ns = _midnight_ns(first, self.tz) if first is not None else 0
        self._to_ns = _midnight_ns(last + timedelta(days=1), self.tz) if last is not None else 2**63 - 1
        self._adjust = adjust
        self.folder = series.folder.parent
        """The instrument's folder in the catalog."""
        self.adjusted = bool(adjust)
        self._factors = series.folder.parent / FILE
        if not any(self._parts()):
            raise DataError(
                f"data file {path}: the catalog has no bars of {self.instrument} {interval_name(self.interval_ns)} in "
                "these days; fetch them with: data fetch"
            )

    def sha256(self) -> str:
        """Hash over the hashes of the files it reads, its days, and the factors it uses."""
        whole = hashlib.sha256(f"{self._from_ns} {self._to_ns} {self._adjust}".encode())
        for part in self._parts():
            whole.update(part.encode())
        if self._adjust:
            whole.update(file_sha256(self._factors).encode() if self._factors.is_file() else b"-")
        return whole.hexdigest()

    def batches(self) -> Iterator[Columns]:
        factors = None
        if self._adjust:
            factors = read_adjustments(self._factors, self.instrument, self.tz)
        before: int | None = None
        last_ns = min(self._to_ns, max(part.last_ns for part in self._series.manifest.parts.values()))
        for bars in self._series.months(self._from_ns, self._to_ns):
            fault = find_bad_bar(bars, before)
            if fault is not None:
                at = format_time(int(bars.ts_ns[fault[0]]), self.tz)
                raise DataError(f"data file {self.path}: the bar that ends at {at}: {fault[1]}")
            if not len(bars.ts_ns):
                continue
            before = int(bars.ts_ns[-1])
            yield bars if factors is None else adjusted(bars, factors, self._adjust, last_ns)

    def _parts(self) -> list[str]:
        parts = self._series.manifest.parts.values()
        return [part.sha256 for part in parts if part.last_ns > self._from_ns and part.first_ns <= self._to_ns]


def _midnight_ns(day: date, tz: str) -> int:
    return ns_from_datetime(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)).astimezone(UTC))
