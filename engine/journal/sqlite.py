"""The journal of everything that must survive: one SQLite file, one writer, group commit (RELIABILITY 3.1).

With ``inline=True`` groups are committed in the caller's turn, with no thread: for the simulation, and for a backtest
that keeps its journal.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.domain.errors import ConfigError, JournalError
from engine.domain.events import JournalRecord
from engine.journal import store, write_ahead
from engine.journal.chain import Chain, Damage, verified
from engine.journal.group_writer import GROUP_ROWS, GroupWriter, Item
from engine.journal.halt import Halt, Sentinel
from engine.journal.lock import ProcessLock
from engine.journal.written import WrittenJournal

LOCKED_MS = 2_000
"""How long the writer waits where another program has the file locked (a backup); then the write has failed (S2)."""


class SqliteJournal(WrittenJournal):
    """Implements ``engine.ports.Journal``; constructed, it is open, checked and locked.

    Args:
        path: the file; ``<path>.lock`` and, after a failed write, ``<path>.halt`` stand beside it.
        inline: commit in the caller's turn instead of a thread.
        accept_rebuild: set a damaged file aside and go on from its last good record.
        group_rows: how many records one commit takes at most.
        fault: called before each commit; what it raises (OSError, sqlite3.Error) is a failed write.
        on_failure: called once when the journal fails: in the loop of ``run``, or at once where none runs.

    Raises:
        ConfigError: another engine holds it; no place to write; not a journal.
        JournalError: damaged, and ``accept_rebuild`` is off; the message names the record.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        inline: bool = False,
        accept_rebuild: bool = False,
        group_rows: int = GROUP_ROWS,
        fault: Callable[[], None] | None = None,
        on_failure: Callable[[JournalError], None] | None = None,
    ) -> None:
        self.path = Path(path)
        self.inline = inline
        self.fault = fault
        self.on_failure = on_failure
        self.healthy = True
        self.quarantine: Path | None = None
        """Where a damaged file went when it was rebuilt."""
        self.cut_rows = 0
        """Records of a torn tail that were cut when the file was opened."""
        self._sentinel = Sentinel(self._beside(".halt"))
        self._is_new = not self.path.exists()
        store.make_place(self.path)
        self._lock = ProcessLock(self._beside(".lock"), f"the journal {self.path}")
        try:
            write_ahead.hold(self.path)
            self._db = self._open(accept_rebuild)
            durable_seq, self._sealed = self._check(accept_rebuild)
            write_ahead.let_go(self.path)
            self._lock.mark(durable_seq)
            # A thread may wait for somebody else's lock; a turn of the loop may not.
            self._db.execute(f"PRAGMA busy_timeout = {0 if inline else LOCKED_MS}")
        except BaseException:
            self._lock.release(refused=True)
            raise
        self.next_seq = durable_seq + 1
        self._chain = self._sealed.copy()
        self._writer = GroupWriter(
            self._commit,
            durable_seq=durable_seq,
            inline=inline,
            rows=group_rows,
            name=f"journal {self.path.name}",
            on_failure=self._tell,
        )

    # --- the port ----------------------------------------------------------------------------------------------------

    def records(self) -> Iterator[tuple[int, JournalRecord]]:
        """Every durable record, over a read-only connection of its own.

        Raises:
            JournalError: the chain is broken, or the file can not be read.
        """
        try:
            with contextlib.closing(store.reader(self.path)) as db:
                for batch in verified(store.rows(db), Chain()):
                    yield from batch
        except sqlite3.Error as problem:
            raise JournalError(f"the journal {self.path} can not be read: {problem}") from problem

    def close(self) -> None:
        """Flush, stop the writer, let go of the file; look at ``healthy`` for whether all was written."""
        self._writer.stop(self._closed())
        self._shut()

    # --- beyond the port ---------------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """Crash here: what is not committed is lost, the file and its lock are let go. Inline only.

        Raises:
            RuntimeError: a thread is writing.
        """
        self._writer.abandon(self._closed())
        self._shut()

    def halted(self) -> Halt | None:
        """Why an engine on this journal stopped for want of a durable write; None if none did."""
        return self._sentinel.read()

    def clear_halt(self) -> None:
        """An operator has looked: remove the sentinel."""
        self._sentinel.clear()

    def write_halt(self, cause: str) -> None:
        """Leave a sentinel that does not need the database. Best effort: the disk may be what failed."""
        self._sentinel.write(Halt(cause=cause, durable_seq=self.durable_seq))

    # --- opening -----------------------------------------------------------------------------------------------------

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _open(self, accept_rebuild: bool) -> sqlite3.Connection:
        try:
            return self._prepared()
        except Damage as damage:
            self._quarantine(damage, accept_rebuild)
        except sqlite3.OperationalError as problem:
            raise ConfigError(
                f"the journal {self.path} can not be opened: {problem}; stop what else has it open"
            ) from problem
        except sqlite3.DatabaseError as problem:
            good = store.readable(self.path)
            self._quarantine(Damage(f"it does not read as a database: {problem}", good), accept_rebuild)
        return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        db = store.connect(self.path)
        try:
            store.prepare(db, self.path)
        except BaseException:
            db.close()
            raise
        return db

    def _check(self, accept_rebuild: bool) -> tuple[int, Chain]:
        """Check every record and cut a torn tail."""
        try:
            try:
                last, chain = store.check_chain(self._db)
                if last < self._lock.left_seq and not self._is_new:
                    # A write-ahead file that is gone, or a copy from before: what it held was acknowledged.
                    gone = f"records {last + 1} to {self._lock.left_seq} of the last engine are missing"
                    raise Damage(gone, last)
            except Damage as damage:
                self._db.close()
                self._quarantine(damage, accept_rebuild)
                self._db = self._prepared()
                last, chain = store.check_chain(self._db)
            self.cut_rows = store.cut_tail(self._db, last)
        except BaseException:
            self._db.close()
            raise
        return last, chain

    def _quarantine(self, damage: Damage, accept_rebuild: bool) -> None:
        write_ahead.put_back(self.path)
        if not accept_rebuild:
            raise Damage(
                f"the journal {self.path} is damaged: {damage}; keep the file, compare with the venue, and start with "
                f"--accept-rebuild to go on from record {damage.good}",
                damage.good,
            ) from damage
        self.quarantine = store.rebuild(self.path, damage.good)

    # --- writing -----------------------------------------------------------------------------------------------------

    def _commit(self, group: list[Item]) -> None:
        """Commit a group with its chain value.

        Raises:
            JournalError: that failed, and the journal has failed for good.
        """
        chain, last = self._sealed, len(group) - 1
        rows: list[store.Row] = []
        for at, (seq, body) in enumerate(group):
            chain.extend(body)
            rows.append((seq, body, chain.value() if at == last else None))
        db = self._db
        try:
            if self.fault is not None:
                self.fault()
            if last == 0:
                db.execute(store.INSERT, rows[0])
            else:
                db.execute("BEGIN IMMEDIATE")
                db.executemany(store.INSERT, rows)
                db.execute("COMMIT")
        except (OSError, sqlite3.Error) as problem:
            raise self._failed(f"{type(problem).__name__}: {problem}") from problem
        self._lock.mark(rows[-1][0])

    def _failed(self, cause: str) -> JournalError:
        """No retry: after a failed fsync the kernel may have dropped the pages it could not write."""
        self.healthy = False
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        self.write_halt(cause)
        return JournalError(f"the journal {self.path} failed after record {self.durable_seq}: {cause}; no new orders")

    def _tell(self, error: JournalError) -> None:
        if self.on_failure is not None:
            self.on_failure(error)

    def _closed(self) -> JournalError:
        return JournalError(f"the journal {self.path} is closed")

    def _shut(self) -> None:
        self._db.close()
        self._lock.release()
