"""Pages of the journal for the API, read in a thread over a read-only connection, in at most two seconds.

The rows are msgpack; what a page wants is looked for in their bytes by SQLite itself, and only rows that have it are
read as records. The writer is never held up, and the loop that trades waits for nothing here.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec
from msgspec import Struct

from engine.clock import stopwatch_seconds
from engine.control.api.problems import Problem
from engine.domain.events import JournalRecord
from engine.journal.chain import DECODER
from engine.journal.store import reader

if TYPE_CHECKING:
    from engine.control.api.cockpit import Cockpit

SECONDS_MAX = 2.0
STEPS = 20_000
"""Steps of SQLite's machine between two looks at the time."""
SCANNED_MAX = 20_000
"""Records of a journal in memory that are looked at, from its end."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What a page should show."""

    text: str = ""
    """Somewhere in the record."""
    kind: str = ""
    """The record's tag."""
    after: int = 0
    """Only records behind this number."""
    before: int = 0
    """Only records in front of it; 0: up to the end."""
    limit: int = 100
    newest_first: bool = False


class Page(Struct, frozen=True, kw_only=True):
    records: list[tuple[int, JournalRecord]]
    more: bool


async def read(cockpit: "Cockpit", wanted: Wanted) -> Page:
    """One page.

    Raises:
        Problem: 504 it took too long; 503 the journal can not be read; 501 it is on a server.
    """
    settings = cockpit.session.settings
    if settings.journal.kind == "postgres":
        raise Problem(501, "postgres", "a journal in PostgreSQL is read with its own tools, not by this API")
    if settings.journal.kind == "memory":
        return _looked_through(cockpit, wanted)
    work = anyio.to_thread.run_sync(_read, settings.journal_path, wanted)  # dst-ok: an API has no simulation
    try:
        return await work
    except sqlite3.OperationalError as why:
        if "interrupted" in str(why):
            raise Problem(504, "time", f"the journal was read for {SECONDS_MAX:g} s: ask for less") from why
        raise Problem(503, "journal", f"the journal can not be read: {why}") from why
    except (sqlite3.DatabaseError, msgspec.DecodeError) as why:
        raise Problem(503, "journal", f"the journal can not be read: {why}") from why


def _read(path: Path, wanted: Wanted) -> Page:
    """In a thread of its own."""
    until = stopwatch_seconds() + SECONDS_MAX
    with contextlib.closing(reader(path)) as db:
        db.execute("PRAGMA query_only = ON")
        db.set_progress_handler(lambda: int(stopwatch_seconds() > until), STEPS)
        rows = db.execute(_sql(wanted), _arguments(wanted)).fetchall()
    more = len(rows) > wanted.limit
    return Page(records=[(seq, DECODER.decode(body)) for seq, body in rows[: wanted.limit]], more=more)


def _sql(wanted: Wanted) -> str:
    order = "DESC" if wanted.newest_first else "ASC"
    # ``order`` is one of two words of ours; everything else is a parameter.
    return (
        "SELECT seq, body FROM record WHERE seq > ? AND seq < ? AND (? OR instr(body, ?) > 0) "  # noqa: S608
        f"AND (? OR instr(substr(body, 1, 64), ?) > 0) ORDER BY seq {order} LIMIT ?"
    )


def _arguments(wanted: Wanted) -> tuple[object, ...]:
    tag = msgspec.msgpack.encode("type") + msgspec.msgpack.encode(wanted.kind)
    before = wanted.before or 2**63 - 1
    text = wanted.text.encode()
    return (wanted.after, before, not text, text, not wanted.kind, tag, wanted.limit + 1)


def _looked_through(cockpit: "Cockpit", wanted: Wanted) -> Page:
    """A journal that is no file: its end is looked through."""
    found = [row for row in _tail(cockpit) if _fits(row[0], row[1], wanted)]
    if wanted.newest_first:
        found.reverse()
    return Page(records=found[: wanted.limit], more=len(found) > wanted.limit)


def _tail(cockpit: "Cockpit") -> Iterator[tuple[int, JournalRecord]]:
    journal = cockpit.run.journal
    first = journal.next_seq - SCANNED_MAX
    return ((seq, record) for seq, record in journal.records() if seq >= first)


def _fits(seq: int, record: JournalRecord, wanted: Wanted) -> bool:
    if seq <= wanted.after or (wanted.before and seq >= wanted.before):
        return False
    if wanted.kind and type(record).__struct_config__.tag != wanted.kind:
        return False
    return not wanted.text or wanted.text.encode() in msgspec.msgpack.encode(record)
