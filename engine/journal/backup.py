"""A copy of a journal that is being written: whole at one moment, compared, kept beside others of other days.

SQLite's own online copy, read beside the writer and never in its way; the copy is checked record by record before it
gets its name, so a name stands for a good copy.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from msgspec import Struct

from engine.domain.errors import JournalError
from engine.journal import store

PAGES = 256
"""Copied at a time."""


class Backup(Struct, frozen=True):
    """A copy that was made. ``digest`` is of its records."""

    path: Path
    records: int
    digest: str
    removed: tuple[Path, ...] = ()
    """Older copies that were let go."""


def back_up(journal: Path, folder: Path, name: str, *, keep: int) -> Backup:
    """Copy the journal into ``folder/name.sqlite3``, mode 0600; one of that name is replaced, the oldest are removed.

    Args:
        keep: how many copies stay.

    Raises:
        JournalError: it can not be read, the disk refuses, or the copy is not the same.
    """
    target = folder / f"{name}.sqlite3"
    fresh = folder / f".{name}.copying"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with contextlib.closing(store.reader(journal)) as source, contextlib.closing(sqlite3.connect(fresh)) as copy:
            source.backup(copy, pages=PAGES)
            copy.execute("PRAGMA journal_mode = DELETE")
        with contextlib.closing(store.reader(fresh)) as db:
            records, chain = store.check_chain(db)
        _sync(fresh)
        fresh.replace(target)
        _sync(folder)
    except (OSError, sqlite3.Error, JournalError) as why:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise JournalError(f"the journal {journal} could not be copied to {target}: {why}") from why
    copies = sorted(folder.glob("*.sqlite3"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    removed = tuple(copies[: max(0, len(copies) - keep)])
    for old in removed:
        old.unlink(missing_ok=True)
    return Backup(target, records, chain.digest(), removed)


def shorten_log(journal: Path) -> None:
    """Put the write-ahead log into the file and empty it, as far as nobody is reading (RELIABILITY 7).

    Raises:
        JournalError: it could not be asked.
    """
    try:
        with contextlib.closing(sqlite3.connect(journal, timeout=1, isolation_level=None)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as why:
        raise JournalError(f"the log of the journal {journal} could not be shortened: {why}") from why


def forget_compacted(journal: Path, keep: int) -> int:
    """Remove all but the newest files that compacting left behind; gives how many."""
    left = sorted(journal.parent.glob(f"{journal.name}.before-*"), key=lambda path: path.stat().st_mtime_ns)
    gone = left[: max(0, len(left) - keep)]
    for old in gone:
        old.unlink(missing_ok=True)
    return len(gone)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
