"""The SQLite file of a journal: making it, opening and checking it, reading it, setting a damaged one aside."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from engine import traps
from engine.domain.errors import ConfigError, JournalError
from engine.journal.chain import Chain, Damage, verified
from engine.journal.write_ahead import commits_not_taken

SCHEMA_VERSION = 1
MIGRATIONS: dict[int, tuple[str, ...]] = {}
"""Schema -> the statements that make the next one of it; none has been needed yet."""
APPLICATION_ID = 0x536C7569
"""``Slui``: tells a journal from other SQLite files."""

_TABLE = "CREATE TABLE record (seq INTEGER PRIMARY KEY, body BLOB NOT NULL, chain BLOB) STRICT"
INSERT = "INSERT INTO record (seq, body, chain) VALUES (?, ?, ?)"
_PAGE = 500
OPENING_MS = 2_000
STUMP = 512
"""No database is smaller than SQLite's smallest page."""
_LAST = 2**63 - 1
Row = tuple[int, bytes, bytes | None]


def make_place(path: Path) -> None:
    """Make directory (0700) and file (0600) if they are missing; what exists keeps its modes.

    Raises:
        ConfigError: the place can not be written to.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                # A power cut must not lose the name of a file whose rows are durable.
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as problem:
        raise ConfigError(
            f"the journal {path} can not be made: {problem.strerror}; name a place that is writable"
        ) from problem
    if not path.is_file():
        raise ConfigError(f"the journal {path} is not a file: name a file")


def connect(path: Path) -> sqlite3.Connection:
    """The writer's connection: WAL, synchronous FULL.

    A reader that looks in while it is opened is waited for; how long a write waits is the caller's to set.

    Raises:
        Damage: a stump, which SQLite would take for an empty database.
    """
    if 0 < (size := path.stat().st_size) < STUMP:
        raise Damage(f"only {size} bytes of it are left", 0)
    db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        db.execute(f"PRAGMA busy_timeout = {OPENING_MS}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        db.close()
        raise
    return db


def prepare(db: sqlite3.Connection, path: Path) -> None:
    """Check the file, or write the schema into an empty one.

    Raises:
        ConfigError: it is another program's file, or a newer engine's. Damage: its pages are damaged.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    owner = db.execute("PRAGMA application_id").fetchone()[0]
    if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        db.execute("BEGIN IMMEDIATE")
        db.execute(_TABLE)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
        return
    if owner != APPLICATION_ID:
        if db.execute("SELECT count(*) FROM sqlite_schema WHERE sql = ?", (_TABLE,)).fetchone()[0]:
            raise Damage("its pages are damaged: the mark of a journal is not what it was", readable(path))
        raise ConfigError(f"{path} is another program's database, not a journal: name another file")
    if not 0 < version <= SCHEMA_VERSION:
        raise ConfigError(
            f"the journal {path} has schema {version}, this engine reads {SCHEMA_VERSION}: use the engine it came from"
            ", or start with --accept-rebuild if the file is damaged"
        )
    if behind := commits_not_taken(db, path):
        raise Damage(f"{behind} commits in its write-ahead file stand behind a damaged one", readable(path))
    found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise Damage(f"its pages are damaged: {' '.join(found.split())}", readable(path))
    _migrate(db, version)


def _migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring an older schema up to this engine's: all steps in one transaction, so that it is old or new, never between
    (RELIABILITY 3.3, C17)."""
    if version == SCHEMA_VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    for step in range(version, SCHEMA_VERSION):
        for statement in MIGRATIONS[step]:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    traps.passed("C17")
    db.execute("COMMIT")


def reader(path: Path) -> sqlite3.Connection:
    """A read-only connection; a reader never holds up the writer."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None)


def rows(db: sqlite3.Connection, *, last: int = _LAST, page: int = _PAGE) -> Iterator[Row]:
    """Rows in order up to ``last``, ``page`` of them a transaction."""
    first = 1
    while found := db.execute(
        "SELECT seq, body, chain FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?", (first, last, page)
    ).fetchall():
        yield from found
        first = found[-1][0] + 1


def check_chain(db: sqlite3.Connection) -> tuple[int, Chain]:
    """The last committed record and the running hash at it, after every row was checked.

    Raises:
        Damage: the middle is damaged.
    """
    last, chain, sealed = 0, Chain(), Chain()
    first = db.execute("SELECT min(seq) FROM record").fetchone()[0]
    if first is not None and first < 1:
        raise Damage(f"record {first} has no place in a journal: the first one is 1", 0)
    try:
        for batch in verified(rows(db), chain):
            last, sealed = batch[-1][0], chain.copy()
    except sqlite3.DatabaseError as problem:
        raise Damage(f"the records after {last} can not be read: {problem}", last) from problem
    return last, sealed


def cut_tail(db: sqlite3.Connection, last: int) -> int:
    """Remove what follows the last committed record; gives how many rows that was.

    Raises:
        JournalError: the file can not be written to.
    """
    if not (db.execute("SELECT count(*) FROM record WHERE seq > ?", (last,)).fetchone()[0]):
        return 0
    try:
        return db.execute("DELETE FROM record WHERE seq > ?", (last,)).rowcount
    except sqlite3.Error as problem:
        raise JournalError(f"the torn tail after record {last} can not be cut: {problem}") from problem


def readable(path: Path) -> int:
    """The last record of a damaged file that still reads and fits its chain."""
    with contextlib.closing(reader(path)) as db:
        last = 0
        try:
            # Row by row, so that an unreadable page takes no good row with it.
            for batch in verified(rows(db, page=1), Chain()):
                last = batch[-1][0]
        except (sqlite3.Error, Damage):
            pass
        return last


def rebuild(path: Path, good: int) -> Path:
    """Write records up to ``good`` into a fresh file under the same name; gives where the damaged one went.

    Raises:
        JournalError: what is there can not even be read so far, or the disk refuses.
    """
    fresh = path.with_name(path.name + ".rebuilt")
    aside = next(p for n in range(1, 10_000) if not (p := path.with_name(f"{path.name}.damaged-{n}")).exists())
    try:
        fresh.unlink(missing_ok=True)
        make_place(fresh)
        with contextlib.closing(connect(fresh)) as db:
            prepare(db, fresh)
            if good:
                with contextlib.closing(reader(path)) as source:
                    db.execute("BEGIN IMMEDIATE")
                    db.executemany(INSERT, rows(source, last=good))
                    db.execute("COMMIT")
            # One file to rename: nothing may stay behind in a side file.
            db.execute("PRAGMA journal_mode = DELETE")
        for side in ("-wal", "-shm"):
            if (old := path.with_name(path.name + side)).exists():
                old.rename(aside.with_name(aside.name + side))
        path.rename(aside)
        fresh.rename(path)
    except (OSError, sqlite3.Error) as problem:
        raise JournalError(f"the journal {path} could not be rebuilt: {problem}") from problem
    return aside
