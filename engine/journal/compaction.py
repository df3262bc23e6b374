"""A journal written anew into one tight file: copied, compared, put in the old one's place (RELIABILITY 7).

No record is dropped: the digest is the same before and after. At every moment there is a whole journal under the name
(RELIABILITY 3.3, C16), and the old file is kept beside it. Only while no engine holds the journal.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from msgspec import Struct

from engine import traps
from engine.domain.errors import ConfigError, JournalError
from engine.journal import store
from engine.journal.lock import ProcessLock


class Compacted(Struct, frozen=True):
    """What came of it; sizes in bytes."""

    records: int
    digest: str
    before: int
    after: int
    kept: Path
    """The old file."""


def compact(path: Path) -> Compacted:
    """Write the journal anew.

    Raises:
        ConfigError: there is none, or an engine holds it. JournalError: damaged, or the disk refuses; it is as it was.
    """
    if not path.is_file():
        raise ConfigError(f"there is no journal {path}: name the file of one")
    lock = ProcessLock(path.with_name(f"{path.name}.lock"), f"the journal {path}")
    try:
        return _compacted(path)
    except (OSError, sqlite3.Error) as problem:
        raise JournalError(f"the journal {path} could not be compacted: {problem}; it is as it was") from problem
    finally:
        lock.release()


def _compacted(path: Path) -> Compacted:
    fresh = path.with_name(f"{path.name}.compacting")
    # What an attempt that died left behind was never in use.
    fresh.unlink(missing_ok=True)
    with contextlib.closing(store.connect(path)) as db:
        store.prepare(db, path)
        last, chain = store.check_chain(db)
        store.cut_tail(db, last)
        # Everything into the one file, which is then the whole journal.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode = DELETE")
        before = path.stat().st_size
        db.execute("VACUUM INTO ?", (str(fresh),))
    copied, again = _read(fresh)
    if (copied, again) != (last, chain.digest()):
        fresh.unlink()
        raise JournalError(f"the copy of the journal {path} differs from it; it is as it was, and the copy is gone")
    fresh.chmod(path.stat().st_mode & 0o777)
    _sync(fresh)
    traps.passed("C16")
    kept = next(p for n in range(1, 10_000) if not (p := path.with_name(f"{path.name}.before-{n}")).exists())
    # A second name first: the first one never points to nothing.
    os.link(path, kept)
    traps.passed("C16b")
    fresh.replace(path)
    traps.passed("C16c")
    _sync(path.parent)
    return Compacted(records=last, digest=again, before=before, after=path.stat().st_size, kept=kept)


def _read(path: Path) -> tuple[int, str]:
    with contextlib.closing(store.reader(path)) as db:
        last, chain = store.check_chain(db)
    return last, chain.digest()


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
