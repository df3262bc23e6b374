"""A run's journal file read beside the writer that may still hold it, as records or as their bytes."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.domain.errors import ConfigError, JournalError

if TYPE_CHECKING:
    from engine.domain.events import JournalRecord


def read_journal(path: Path) -> Iterator[tuple[int, "JournalRecord"]]:
    """Every record with its sequence number, the chain checked.

    Raises:
        ConfigError: no such file, or no journal. JournalError: damaged.
    """
    from engine.journal.chain import Chain, verified
    from engine.journal.store import rows

    with _opened(path) as db:
        for batch in verified(rows(db), Chain()):
            yield from batch


def journal_bodies(path: Path) -> Iterator[bytes]:
    """Every record's bytes, once the chain of all of them is checked.

    Raises:
        ConfigError: no such file, or no journal. JournalError: damaged.
    """
    from engine.journal.chain import Chain, verified
    from engine.journal.store import rows

    with _opened(path) as db:
        read = list(rows(db))
    whole = sum(len(batch) for batch in verified(iter(read), Chain()))
    for _, body, _ in read[:whole]:
        yield body


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    from engine.journal.store import APPLICATION_ID, reader

    if not path.is_file():
        raise ConfigError(f"journal {path}: there is no such file; check the path")
    try:
        with contextlib.closing(reader(path)) as db:
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise ConfigError(f"journal {path}: is another program's database; name a journal of Sluice")
            yield db
    except sqlite3.DatabaseError as problem:
        if "not a database" in str(problem):
            raise ConfigError(f"journal {path}: is no journal; name a file that a run has written") from problem
        raise JournalError(f"journal {path}: can not be read: {problem}") from problem
