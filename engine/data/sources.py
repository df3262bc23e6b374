"""Opening a file of bars: the door for everybody else."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from engine.data.catalog_source import CatalogBars, open_catalog_bars
from engine.data.checks import find_bad_bar
from engine.data.columns import Columns, Ints
from engine.data.headers import BAR_FIELDS
from engine.data.rows import Chunk, Rows
from engine.data.table import file_sha256
from engine.domain.errors import ConfigError, DataError
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import DAY_NS, HOUR_NS, SECOND_NS, datetime_from_ns, duration_ns

_INTERVAL_MAX_NS = 31 * DAY_NS
_INTERVAL_ROWS = 1_000
_MIDNIGHT_ROWS = 16


def open_bars(
    path: str | Path,
    instrument: str,
    *,
    tz: str | None = None,
    label: str = "end",
    interval: str | int | None = None,
    columns: Mapping[str, str] | None = None,
) -> "FileBars | CatalogBars":
    """Open a file of bars: CSV, CSV in gzip, or Parquet (see ``Rows``), or a place in a catalog (``catalog_path``).

    Args:
        tz: IANA zone of times without one; default: the usual one of the instrument's venue.
        label: whether the file's times are the ``end`` or the ``start`` of a bar. Days without a time of day are
            taken as known at the end of that day, in either case.
        interval: ``"1m"`` or nanoseconds; default: the smallest distance among the first rows.
        columns: field (time, open, high, low, close, volume, symbol) -> column, where the names are unusual.

    Raises:
        DataError: the file can not be used; one sentence with file, line or column, and the mend.
        ConfigError: an argument is none.
    """
    if label not in {"end", "start"}:
        raise ConfigError(f"label {label!r} is none; bars are labelled by their end or their start")
    held = open_catalog_bars(path, instrument)
    if held is not None:
        return held
    rows = Rows(Path(path), InstrumentId(instrument), BAR_FIELDS, tz=tz, named=columns)
    return FileBars(rows, label, interval)


class FileBars:
    """Bars of one instrument in one file: a ``BarSource``."""

    def __init__(self, rows: Rows, label: str, interval: str | int | None) -> None:
        self._rows = rows
        self.path = rows.path
        self.instrument = rows.instrument
        self.label = label
        self.tz = rows.times.tz
        self._sha256 = ""
        first = self._first_times()
        self.interval_ns = self._read_interval(interval) if interval is not None else self._infer_interval(first)
        days = rows.times.day_only
        if self.interval_ns >= DAY_NS and not days and not rows.times.zoned:
            # A day's bar stamped 00:00 is that day's, known when it is over: not a bar that ends as the day begins.
            days = rows.times.day_only = _all_midnight(first, self.tz)
        self._shift_ns = (self.interval_ns - (DAY_NS if days else 0)) if label == "start" else 0

    def sha256(self) -> str:
        if not self._sha256:
            self._sha256 = file_sha256(self.path)
        return self._sha256

    def batches(self) -> Iterator[Columns]:
        last_ns: int | None = None
        for chunk in self._rows.chunks():
            bars = self._bars(chunk)
            fault = find_bad_bar(bars, last_ns)
            if fault is not None:
                raise self._rows.fault(chunk.row(fault[0]), fault[1])
            last_ns = int(bars.ts_ns[-1])
            yield bars

    def _bars(self, chunk: Chunk) -> Columns:
        values = chunk.floats
        return Columns(
            self.instrument,
            self.interval_ns,
            chunk.ts_ns + self._shift_ns if self._shift_ns else chunk.ts_ns,
            values["open"],
            values["high"],
            values["low"],
            values["close"],
            values["volume"],
        )

    def _first_times(self) -> Ints:
        """Times of the first rows of the instrument; two at least, if it has two."""
        first = np.concatenate([np.empty(0, np.int64), *(c.ts_ns for c in self._rows.chunks(sample=True))])
        if len(first) < 2:
            first = np.empty(0, np.int64)
            for chunk in self._rows.chunks():
                first = np.concatenate([first, chunk.ts_ns[:_INTERVAL_ROWS]])
                if len(first) >= 2:
                    break
        return first[:_INTERVAL_ROWS]

    def _read_interval(self, interval: str | int) -> int:
        try:
            read_ns = duration_ns(interval)
        except ValueError as why:
            raise ConfigError(f"bar interval: {why}") from why
        if read_ns <= 0:
            raise ConfigError(f"bar interval {interval} is not above 0; write for example 1m")
        return read_ns

    def _infer_interval(self, first: Ints) -> int:
        steps = np.diff(first)
        steps = steps[steps > 0]
        if not len(steps):
            raise DataError(
                f"data file {self.path}: how long its bars are can not be told from {len(first)} row(s) in order of "
                "time; say so with --interval, for example --interval 1m, or sort the rows by time"
            )
        smallest = int(steps.min())
        if not SECOND_NS <= smallest <= _INTERVAL_MAX_NS:
            raise DataError(
                f"data file {self.path}: rows are {smallest / SECOND_NS:g} seconds apart, which is no bar; "
                "if they are bars all the same, say how long with --interval"
            )
        # Where clocks change a day is 23 hours.
        return round(smallest / DAY_NS) * DAY_NS if smallest >= 20 * HOUR_NS else smallest


def _all_midnight(ts_ns: Ints, tz: str) -> bool:
    return all((at := datetime_from_ns(int(t), tz)).hour == at.minute == at.second == 0 for t in ts_ns[:_MIDNIGHT_ROWS])
