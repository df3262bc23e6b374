"""Bars to files that other programs read, and that ``open_bars`` reads back to the same bars."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.data.columns import BarSource, Columns
from engine.domain.errors import ConfigError
from engine.domain.timestamps import DAY_NS, format_time

HEADER = ("time", "open", "high", "low", "close", "volume")


def export_bars(source: BarSource, path: Path, *, tz: str | None = None, label: str = "end") -> int:
    """Write every bar of a source to a new file, CSV or, if its name ends so, Parquet; how many.

    Bars of a day are dated by their day; others carry their time with its offset, of their end or their start.

    Raises:
        ConfigError: the file is there already, or the label is none. DataError: the source can not be read.
    """
    if label not in {"end", "start"}:
        raise ConfigError(f"label {label!r} is none; write end or start")
    if path.exists():
        raise ConfigError(f"{path}: is there already; name a new file")
    beside = path.with_name(f".{path.name}.tmp")
    write = _parquet if path.suffix.lower() in {".parquet", ".pq"} else _csv
    try:
        rows = write(source, beside, tz or source.tz, label)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return rows


def _labels(bars: Columns, label: str) -> Any:
    if bars.interval_ns >= DAY_NS:
        return bars.ts_ns - 1
    return bars.ts_ns - bars.interval_ns if label == "start" else bars.ts_ns


def _csv(source: BarSource, path: Path, tz: str, label: str) -> int:
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(HEADER)
        for bars in source.batches():
            times = [format_time(int(ts), tz) for ts in _labels(bars, label)]
            if bars.interval_ns >= DAY_NS:
                times = [text[:10] for text in times]
            columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
            out.writerows(zip(times, *(column.tolist() for column in columns), strict=True))
            rows += len(times)
    return rows


def _parquet(source: BarSource, path: Path, tz: str, label: str) -> int:
    daily = source.interval_ns >= DAY_NS
    kind = pa.date32() if daily else pa.timestamp("ns", tz)
    schema = pa.schema([("time", kind), *((name, pa.float64()) for name in HEADER[1:])])
    rows = 0
    with pq.ParquetWriter(str(path), schema) as out:
        for bars in source.batches():
            labels = _labels(bars, label)
            if daily:
                days = [np.datetime64(format_time(int(ts), tz)[:10], "D") for ts in labels]
                times = pa.array(np.array(days, "datetime64[D]"), kind)
            else:
                times = pa.array(labels, pa.timestamp("ns", "UTC")).cast(kind)
            values = (bars.open, bars.high, bars.low, bars.close, bars.volume)
            out.write_table(pa.table([times, *(pa.array(value) for value in values)], schema=schema))
            rows += len(labels)
    return rows
