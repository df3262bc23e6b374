"""The catalog: a folder of bars, ``<instrument>/<interval>/``, that one process at a time fills and anybody reads."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from engine.data.columns import BATCH_ROWS, Columns
from engine.data.manifest import MANIFEST, Manifest, interval_name, read_manifest
from engine.data.series import FIELDS, Merged, Series
from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar

if sys.platform != "win32":
    import fcntl

LOCK = ".lock"


class Holding(Struct, frozen=True):
    """One series as the catalog's listing shows it."""

    folder: Path
    manifest: Manifest


class Catalog:
    """Bars by instrument and interval.

    Args:
        writing: take the catalog's lock, until ``close``; what a killed writer left in a series is swept away when
            the series is first written to.

    Raises:
        ConfigError: writing, and another process is; or the place is none.
    """

    def __init__(self, folder: str | Path, *, writing: bool = False) -> None:
        self.folder = Path(folder)
        self._series: dict[tuple[str, int], Series] = {}
        self._lock = -1
        if writing:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        elif not self.folder.is_dir():
            raise ConfigError(f"catalog {self.folder}: there is no such folder; fill it with: data fetch")

    def __enter__(self) -> "Catalog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def path(self, instrument: str, interval_ns: int) -> Path:
        """The folder of a series.

        Raises:
            ConfigError: an id that can not be a folder's name.
        """
        code, dot, venue = instrument.rpartition(".")
        if not dot or not code or not venue or set(instrument) & set('/\\:*?"<>| ') or instrument.startswith("."):
            raise ConfigError(f"instrument {instrument!r} is no id; write code, dot and venue, as in 600000.SH")
        return self.folder / instrument / interval_name(interval_ns)

    def series(self, instrument: str, interval_ns: int) -> Series:
        """One series, there or not yet.

        Raises:
            DataError: it is damaged.
        """
        key = instrument, interval_ns
        found = self._series.get(key)
        if found is None:
            found = Series(self.path(instrument, interval_ns), instrument, interval_ns)
            if self._lock >= 0:
                if found.folder.is_dir():
                    found.sweep()
                self._series[key] = found
        return found

    def merge(self, bars: Columns, asked: Sequence[tuple[date, date]] = ()) -> Merged:
        """See ``Series.merge``.

        Raises:
            DataError, ConfigError: opened for reading.
        """
        if self._lock < 0:
            raise ConfigError(f"catalog {self.folder}: is open for reading")
        return self.series(bars.instrument, bars.interval_ns).merge(bars, asked)

    def holdings(self) -> Iterator[Holding]:
        """Every series, by name.

        Raises:
            DataError: a manifest is damaged.
        """
        for path in sorted(self.folder.glob(f"*/*/{MANIFEST}")):
            manifest = read_manifest(path.parent)
            if manifest is not None:
                yield Holding(path.parent, manifest)

    def _take_lock(self) -> None:
        handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if sys.platform != "win32":
                # The system's own lock: it ends with its holder, however that dies.
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise ConfigError(
                f"catalog {self.folder}: another process is writing to it; wait for it to end, or name another folder"
            ) from None
        self._lock = handle


def columns_of(instrument: str, interval_ns: int, bars: Iterable[Bar]) -> Columns:
    """Bars as columns: sorted by end, the last of equal ends kept."""
    kept = {bar.ts_ns: bar for bar in bars}
    order = sorted(kept)
    fields: list[Any] = [np.array([getattr(kept[ts], name) for ts in order], np.float64) for name in FIELDS]
    return Columns(InstrumentId(instrument), interval_ns, np.array(order, np.int64), *fields)


def joined_batches(batches: Iterable[Columns], rows: int = BATCH_ROWS) -> Iterator[Columns]:
    """Small batches of one source made larger, so that merging them writes each month once or twice, not ten times."""
    held: list[Columns] = []
    for batch in batches:
        held.append(batch)
        if sum(len(part.ts_ns) for part in held) >= rows:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(parts: list[Columns]) -> Columns:
    first = parts[0]
    fields: list[Any] = [np.concatenate([getattr(part, name) for part in parts]) for name in ("ts_ns", *FIELDS)]
    return Columns(first.instrument, first.interval_ns, *fields)
