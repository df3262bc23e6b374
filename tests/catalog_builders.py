"""Builders for tests of the catalog: bars, sources of history, and a folder's content to compare."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.catalog import Catalog, columns_of
from engine.data.columns import Columns
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.domain.timestamps import MINUTE_NS, parse_time

BANK = InstrumentId("600000.SH")
SHANGHAI = "Asia/Shanghai"


def at(text: str, tz: str = SHANGHAI) -> int:
    return parse_time(text, tz)


def a_bar(end: str | int, close: float = 10.0, instrument: str = BANK, interval_ns: int = MINUTE_NS) -> Bar:
    ts_ns = end if isinstance(end, int) else at(end)
    return Bar(InstrumentId(instrument), ts_ns, 10.0, max(11.0, close), min(9.0, close), close, 100.0, interval_ns)


def bars_at(*ends: str | int, close: float = 10.0) -> Columns:
    return columns_of(BANK, MINUTE_NS, [a_bar(end, close) for end in ends])


def held(folder: Path, instrument: str = BANK, interval_ns: int = MINUTE_NS) -> dict[int, float]:
    """End -> close of every bar of a series, read back."""
    found: dict[int, float] = {}
    for part in Catalog(folder).series(instrument, interval_ns).months(0, 2**63 - 1):
        found.update(zip(part.ts_ns.tolist(), part.close.tolist(), strict=True))
    return found


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a catalog but its lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


class Past:
    """A source of history: the calendar's minutes, less what the test takes away."""

    def __init__(self, days: Sequence[date], *, missing: Sequence[int] = ()) -> None:
        self.days = days
        self.missing = set(missing)
        self.comes_later: set[int] = set()
        """Bars that the first asking does not have."""
        self.asked: list[tuple[str, int, int]] = []
        self.faults: list[Exception] = []

    async def history(self, instrument: InstrumentId, interval_ns: int, from_ns: int, to_ns: int) -> list[Bar]:
        self.asked.append((instrument, from_ns, to_ns))
        if self.faults:
            raise self.faults.pop(0)
        absent = self.missing | self.comes_later
        self.comes_later = set()
        return [
            a_bar(end, instrument=instrument, interval_ns=interval_ns)
            for day in self.days
            for end in minutes_of(day)
            if from_ns < end <= to_ns and end not in absent
        ]


def minutes_of(day: date) -> list[int]:
    spans = (("09:30", 120), ("13:00", 120))
    return [at(f"{day} {start}") + n * MINUTE_NS for start, count in spans for n in range(1, count + 1)]


def closes(columns: Columns) -> Any:
    return np.round(columns.close, 6).tolist()
