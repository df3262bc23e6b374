"""Pages of the journal for the API, read in a thread over a read-only connection, in at most two seconds.

The rows are msgpack; what a page wants is looked for in their bytes by SQLite or the PostgreSQL server itself, and only
rows that have it are read as records. The writer is never held up, and the loop that trades waits for nothing here.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import msgspec
from msgspec import Struct

from engine.clock import stopwatch_seconds
from engine.control.api.problems import Problem
from engine.domain.errors import JournalError
from engine.domain.events import JournalRecord
from engine.journal.chain import DECODER
from engine.journal.postgres_url import Address
from engine.journal.store import reader

if TYPE_CHECKING:
    from engine.control.api.cockpit import Cockpit

SECONDS_MAX = 2.0
STEPS = 20_000
"""Steps of SQLite's machine between two looks at the time."""
LAST_SEQ = 2**63 - 1
READERS_MAX = 2
"""Sessions with a PostgreSQL server that read for the API at once."""
_AGAIN = {"retry-after": "1"}
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
        Problem: 504 it took too long; 503 the journal can not be read.
    """
    settings = cockpit.session.settings
    if settings.journal.kind == "memory":
        return _looked_through(cockpit, wanted)
    if settings.journal.kind == "postgres":
        return await _from_server(cockpit, wanted)
    work = anyio.to_thread.run_sync(_read, settings.journal_path, wanted)  # dst-ok: an API has no simulation
    try:
        return await work
    except sqlite3.OperationalError as why:
        if "interrupted" in str(why):
            raise _too_slow() from why
        raise Problem(503, "journal", f"the journal can not be read: {why}") from why
    except (sqlite3.DatabaseError, msgspec.DecodeError) as why:
        raise Problem(503, "journal", f"the journal can not be read: {why}") from why


def _too_slow() -> Problem:
    return Problem(504, "time", f"the journal was read for {SECONDS_MAX:g} s: ask for less")


async def _from_server(cockpit: "Cockpit", wanted: Wanted) -> Page:
    """A session for each page, few of them at once: the server has not many, and the writer must get one."""
    from engine.journal.postgres_page import TooSlow

    address = cockpit.session.journal_server
    assert address is not None
    places = cockpit.journal_readers
    try:
        with anyio.fail_after(SECONDS_MAX):
            await places.acquire()
    except TimeoutError:
        raise Problem(504, "busy", "the journal is being read for others: ask again", headers=_AGAIN) from None
    try:
        return await anyio.to_thread.run_sync(_read_server, address, wanted)  # dst-ok: an API has no simulation
    except TooSlow as why:
        raise _too_slow() from why
    except (JournalError, msgspec.DecodeError) as why:
        raise Problem(503, "journal", f"the journal can not be read: {why}") from why
    finally:
        places.release()


def _read_server(address: Address, wanted: Wanted) -> Page:
    """In a thread of its own."""
    from engine.journal.postgres_page import Sought, page

    sought = Sought(
        text=wanted.text.encode(),
        head=_tag(wanted.kind) if wanted.kind else b"",
        after=wanted.after,
        before=wanted.before or LAST_SEQ,
        limit=wanted.limit + 1,
        newest_first=wanted.newest_first,
    )
    rows = page(address, sought, seconds=stopwatch_seconds, limit=SECONDS_MAX)
    return Page(
        records=[(seq, DECODER.decode(body)) for seq, body in rows[: wanted.limit]], more=len(rows) > wanted.limit
    )


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
    text = wanted.text.encode()
    before = wanted.before or LAST_SEQ
    return (wanted.after, before, not text, text, not wanted.kind, _tag(wanted.kind), wanted.limit + 1)


def _tag(kind: str) -> bytes:
    """How the bytes of a record of a kind begin."""
    return msgspec.msgpack.encode("type") + msgspec.msgpack.encode(kind)


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
