"""Financial statements by the moment they became known: a table that can not look ahead.

Every question is asked ``as_of`` an instant, and an instant sees only what was announced on an earlier day. There is
no other way to ask.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from engine.data.manifest import replace_file
from engine.domain.errors import DataError
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import ns_from_datetime

FOLDER = "statements"
_ZONE = "Asia/Shanghai"


class Announced(Protocol):
    """What a source's row must tell; ``announced`` is the day of the announcement, ``period`` what it is about."""

    @property
    def instrument(self) -> InstrumentId: ...

    @property
    def statement(self) -> str: ...

    @property
    def period(self) -> date: ...

    @property
    def announced(self) -> date: ...

    @property
    def figures(self) -> Mapping[str, float]: ...


class Filing(Struct, frozen=True, kw_only=True):
    """One statement as it was announced once; figures of flows run from the beginning of the year of ``period``.

    ``known_ns``: from this instant on it may be used: the midnight that ends the day of announcement, for
    announcements come in the evening as well.
    """

    instrument: InstrumentId
    statement: str
    period: date
    announced: date
    known_ns: int
    figures: dict[str, float]


class Fundamentals:
    """All filings of a set of instruments. Restatements are filings of their own, each known from its own day."""

    def __init__(self, filings: Iterable[Filing] = ()) -> None:
        self._rows: dict[tuple[InstrumentId, str], list[Filing]] = {}
        for filing in filings:
            self._rows.setdefault((filing.instrument, filing.statement), []).append(filing)
        for rows in self._rows.values():
            rows.sort(key=lambda filing: (filing.known_ns, filing.period, filing.announced))
        self._known = {key: [filing.known_ns for filing in rows] for key, rows in self._rows.items()}

    def as_of(self, ts_ns: int) -> "View":
        """What was known at an instant, nanoseconds UTC; give it ``ctx.now_ns``."""
        return View(self, ts_ns)

    def sha256(self) -> str:
        """Hash over every filing, whatever order they came in."""
        rows = [filing for key in sorted(self._rows) for filing in self._rows[key]]
        return hashlib.sha256(msgspec.json.encode(rows, order="deterministic")).hexdigest()

    def instruments(self) -> list[InstrumentId]:
        return sorted({instrument for instrument, _ in self._rows})

    def _known_at(self, instrument: InstrumentId, statement: str, ts_ns: int) -> Sequence[Filing]:
        key = instrument, statement
        return self._rows.get(key, [])[: bisect_right(self._known.get(key, []), ts_ns)]


class View:
    """The filings known at one instant."""

    __slots__ = ("_table", "ts_ns")

    def __init__(self, table: Fundamentals, ts_ns: int) -> None:
        self._table = table
        self.ts_ns = ts_ns

    def filing(self, instrument: str, statement: str, period: date | None = None) -> Filing | None:
        """The statement of a period (default: the latest period known) in its newest version; None: not known yet.

        Args:
            statement: ``income``, ``balance-sheet`` or ``cash-flow``.
        """
        rows = self._table._known_at(InstrumentId(instrument), statement, self.ts_ns)
        wanted = period or max((filing.period for filing in rows), default=None)
        return next((filing for filing in reversed(rows) if filing.period == wanted), None)

    def figure(self, instrument: str, statement: str, name: str, period: date | None = None) -> float | None:
        """One figure, by the data source's name, as ``BASIC_EPS``; None where it is not known or not given."""
        found = self.filing(instrument, statement, period)
        return None if found is None else found.figures.get(name)

    def history(self, instrument: str, statement: str) -> list[Filing]:
        """The newest version of every period known, oldest period first."""
        rows = self._table._known_at(InstrumentId(instrument), statement, self.ts_ns)
        return [filing for _, filing in sorted({filing.period: filing for filing in rows}.items())]


def filing_of(row: Announced, tz: str = _ZONE) -> Filing:
    """A source's row with the instant it may be used from."""
    after = row.announced + timedelta(days=1)
    known = datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(tz)).astimezone(UTC)
    return Filing(
        instrument=row.instrument,
        statement=str(row.statement),
        period=row.period,
        announced=row.announced,
        known_ns=ns_from_datetime(known),
        figures=dict(row.figures),
    )


def write_filings(catalog: str | Path, filings: Iterable[Filing]) -> int:
    """Add filings to the catalog's ``statements/<instrument>.json``; how many are new or differ.

    What was announced on one day about one period is one filing; the same day's newer figures take its place.

    Raises:
        DataError: a file that is there can not be read.
    """
    folder = Path(catalog) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    by_instrument: dict[InstrumentId, list[Filing]] = {}
    for filing in filings:
        by_instrument.setdefault(filing.instrument, []).append(filing)
    changed = 0
    for instrument, fresh in by_instrument.items():
        path = folder / f"{instrument}.json"
        held = {_key(filing): filing for filing in _read(path)}
        before = dict(held)
        held.update((_key(filing), filing) for filing in fresh)
        if held == before:
            continue
        changed += sum(1 for key, filing in held.items() if before.get(key) != filing)
        rows = [held[key] for key in sorted(held)]
        replace_file(path, msgspec.json.format(msgspec.json.encode(rows, order="deterministic"), indent=1) + b"\n")
    return changed


def read_fundamentals(catalog: str | Path, instruments: Iterable[str] = ()) -> Fundamentals:
    """Filings of the catalog, of these instruments or of all.

    Raises:
        DataError: a file can not be read.
    """
    folder = Path(catalog) / FOLDER
    paths = [folder / f"{name}.json" for name in instruments] or sorted(folder.glob("*.json"))
    return Fundamentals(filing for path in paths for filing in _read(path))


def _key(filing: Filing) -> tuple[str, date, date]:
    return filing.statement, filing.period, filing.announced


def _read(path: Path) -> list[Filing]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Filing])
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, RecursionError, msgspec.DecodeError) as why:
        raise DataError(f"data file {path}: can not be read ({why}); delete it and fetch it again") from why
