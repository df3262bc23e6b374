"""What a series of the catalog holds: its files with their hashes, and the days that were asked for.

The manifest is the truth: a file that it does not name is left over from a writer that was killed. No time of writing
is in it, so the same bars make the same manifest, whoever brought them and however often.
"""

import os
from datetime import date, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError, DataError
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, duration_ns

MANIFEST = "manifest.json"
FORMAT = 1
QUOTES = "quotes"
"""The name of a series of quotes, which have no length (0)."""
_UNITS = (("d", DAY_NS), ("h", HOUR_NS), ("m", MINUTE_NS), ("s", SECOND_NS), ("ms", 1_000_000))


class Part(Struct, frozen=True, kw_only=True):
    """One file: the bars of one month (quotes: of one day) of the series' own zone. ``days``: rows by day."""

    file: str
    sha256: str
    rows: int
    first_ns: int
    last_ns: int
    days: dict[str, int]


class Manifest(Struct, frozen=True, kw_only=True):
    """``parts`` by month, as ``2024-01``, those of quotes by day;
    ``asked``: spans of days a source has answered for, both ends included."""

    format: int = FORMAT
    instrument: str
    interval_ns: int
    tz: str
    parts: dict[str, Part] = {}
    asked: list[tuple[date, date]] = []

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts.values())

    def bars_on(self, day: date) -> int:
        """Bars whose end belongs to a local day; a bar that ends at midnight is the day's before."""
        part = self.parts.get(f"{day:%Y-%m}")
        return 0 if part is None else part.days.get(day.isoformat(), 0)

    def was_asked(self, day: date) -> bool:
        return any(first <= day <= last for first, last in self.asked)


def interval_name(interval_ns: int) -> str:
    """``1m``, ``1h``, ``1d``: one name an interval; ``quotes`` for 0."""
    if interval_ns == 0:
        return QUOTES
    for unit, length in _UNITS:
        if interval_ns > 0 and interval_ns % length == 0:
            return f"{interval_ns // length}{unit}"
    raise ConfigError(f"bar interval {interval_ns} ns is none; write for example 1m")


def interval_of(text: str) -> int:
    """
    Raises:
        ConfigError: no interval.
    """
    if text == QUOTES:
        return 0
    try:
        return duration_ns(text)
    except ValueError as why:
        raise ConfigError(f"bar interval: {why}") from why


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a series' folder; None where there is none.

    Raises:
        DataError: it is damaged, or of a later form.
    """
    path = folder / MANIFEST
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, RecursionError, msgspec.DecodeError) as why:
        raise DataError(f"data file {path}: can not be read ({why}); delete the folder and fetch it again") from why
    if found.format != FORMAT:
        raise DataError(f"data file {path}: is of form {found.format}, this program knows {FORMAT}; use a newer one")
    return found


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest, all or nothing, also in a power cut."""
    text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1)
    replace_file(folder / MANIFEST, text + b"\n")


def replace_file(path: Path, content: bytes) -> None:
    """Write beside, flush, rename: whoever reads sees the old content or the new, never a part."""
    beside = path.with_name(f".{path.name}.tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def joined_spans(spans: list[tuple[date, date]]) -> list[tuple[date, date]]:
    """Spans of days, oldest first, those that touch made one."""
    joined: list[tuple[date, date]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + timedelta(days=1):
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
