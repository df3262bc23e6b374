"""The journal of everything that must survive: one SQLite file, one writer, group commit (RELIABILITY 3.1).

With ``inline=False`` a thread writes, and everything appended while one commit is under way goes into the next. With
``inline=True`` the same groups are committed inside the caller's turn, with no thread: for the simulation, and for a
backtest that keeps its journal.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio

from engine.domain.errors import ConfigError, JournalError
from engine.domain.events import JournalRecord
from engine.journal import store, write_ahead
from engine.journal.chain import ENCODER, URGENT, Chain, Damage, verified
from engine.journal.halt import Halt, Sentinel
from engine.journal.lock import ProcessLock

GROUP_ROWS = 20
GROUP_SECONDS = 0.002
LOCKED_MS = 2_000
"""How long the writer waits where another program has the file locked (a backup); then the write has failed (S2)."""

_Item = tuple[int, bytes]
"""Sequence number and bytes; the number of an urgent record is negative, and 0 asks the writer to stop."""
_STOP: _Item = (0, b"")


class SqliteJournal:
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
        self._group_rows = group_rows
        self._error: JournalError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._pending: list[_Item] = []
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._hurry: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._sentinel = Sentinel(self._beside(".halt"))
        self._is_new = not self.path.exists()
        store.make_place(self.path)
        self._lock = ProcessLock(self._beside(".lock"), f"the journal {self.path}")
        try:
            write_ahead.hold(self.path)
            self._db = self._open(accept_rebuild)
            self.durable_seq, self._sealed = self._check(accept_rebuild)
            write_ahead.let_go(self.path)
            self._lock.mark(self.durable_seq)
            # A thread may wait for somebody else's lock; a turn of the loop may not.
            self._db.execute(f"PRAGMA busy_timeout = {0 if inline else LOCKED_MS}")
        except BaseException:
            self._lock.release(refused=True)
            raise
        self.next_seq = self.durable_seq + 1
        self._chain = self._sealed.copy()
        if not inline:
            self._writer = threading.Thread(target=self._write, name=f"journal {self.path.name}", daemon=True)
            self._writer.start()

    # --- the port ----------------------------------------------------------------------------------------------------

    def append(self, record: JournalRecord) -> int:
        """Number a record and hand it to the writer.

        Raises:
            JournalError: the journal is no longer healthy, or closed.
            TypeError, OverflowError: the record holds a value that has no msgpack form; nothing was added.
        """
        if self._error is not None:
            raise self._error
        body = ENCODER.encode(record)
        self._chain.extend(body)
        seq = self.next_seq
        self.next_seq = seq + 1
        urgent = type(record) in URGENT
        if self.inline:
            self._pending.append((seq, body))
            if urgent or len(self._pending) >= self._group_rows:
                self._commit_pending()
        elif urgent:
            self._queue.put((-seq, body))
            self._hurry.put(None)
        else:
            self._queue.put((seq, body))
        return seq

    async def durable(self, seq: int) -> None:
        """Wait until ``durable_seq >= seq``; who waits is not kept waiting for a group to fill.

        Raises:
            JournalError: it never will be.
        """
        if self.durable_seq >= seq:
            return
        if self.inline or self._error is not None or seq >= self.next_seq:
            self._commit_pending()
            self._never(seq)
            return
        loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiters.append((seq, future))
        self._hurry.put(None)
        # The writer looks for waiters after it moved durable_seq: one of the two sees the other.
        if self.durable_seq >= seq or self._error is not None:
            self._wake()
        await future
        self._never(seq)

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

    def digest(self) -> str:
        return self._chain.digest()

    async def run(self) -> None:
        """Wait until cancelled, then flush what was appended before."""
        self._loop = asyncio.get_running_loop()
        try:
            await anyio.Event().wait()
        finally:
            with anyio.CancelScope(shield=True):
                if self.healthy:
                    with contextlib.suppress(JournalError):
                        await self.durable(self.next_seq - 1)

    def close(self) -> None:
        """Flush, stop the writer, let go of the file; look at ``healthy`` for whether all was written."""
        if self._writer is not None:
            self._queue.put(_STOP)
            self._hurry.put(None)
            self._writer.join()
            self._writer = None
        elif self._error is None:
            self._commit_pending()
        self._shut()

    # --- beyond the port ---------------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """Crash here: what is not committed is lost, the file and its lock are let go. Inline only.

        Raises:
            RuntimeError: a thread is writing.
        """
        if self._writer is not None:
            raise RuntimeError("only an inline journal can be abandoned: a thread may be in the middle of a commit")
        self._pending.clear()
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

    def _commit(self, group: list[_Item]) -> bool:
        """Commit a group with its chain value; False, for good, if that failed."""
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
            self._fail(f"{type(problem).__name__}: {problem}")
            return False
        self.durable_seq = rows[-1][0]
        self._lock.mark(self.durable_seq)
        return True

    def _fail(self, cause: str) -> None:
        """No retry: after a failed fsync the kernel may have dropped the pages it could not write."""
        message = f"the journal {self.path} failed after record {self.durable_seq}: {cause}; no new orders"
        error = self._error = JournalError(message)
        self.healthy = False
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        self.write_halt(cause)
        if self.on_failure is not None:
            self._to_loop(lambda: self.on_failure(error) if self.on_failure else None)

    def _commit_pending(self) -> None:
        group, self._pending = self._pending, []
        for first in range(0, len(group), self._group_rows):
            if not self._commit(group[first : first + self._group_rows]):
                return

    def _write(self) -> None:
        """The writer thread."""
        more = True
        while more:
            group, more = self._gather()
            if group and self._error is None:
                self._commit(group)
            if self._waiters:
                self._to_loop(self._wake)

    def _gather(self) -> tuple[list[_Item], bool]:
        """The next group, and whether another follows: it ends when full, urgent, waited for, or two ms old."""
        group: list[_Item] = []
        item = self._queue.get()
        # A token dropped here came after its record, so the draining below sees that record.
        while not self._hurry.empty():
            self._hurry.get_nowait()
        lingered = False
        while True:
            seq, body = item
            if seq == 0:
                return group, False
            group.append((abs(seq), body))
            if seq < 0 or len(group) >= self._group_rows:
                return group, True
            if self._queue.empty() and not lingered and not self._waiters:
                lingered = True
                with contextlib.suppress(queue.Empty):
                    self._hurry.get(timeout=GROUP_SECONDS)
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, True

    def _to_loop(self, call: Callable[[], None]) -> None:
        loop = self._loop
        if loop is None or self._writer is None:
            call()
            return
        # The loop may have been closed under us; then nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(call)

    def _wake(self) -> None:
        """Wake every waiter whose record is durable, or all if the journal failed. In the loop."""
        for _ in range(len(self._waiters)):
            seq, future = self._waiters.popleft()
            if future.done():
                continue
            if seq <= self.durable_seq or self._error is not None:
                future.set_result(None)
            else:
                self._waiters.append((seq, future))

    def _never(self, seq: int) -> None:
        if self.durable_seq >= seq:
            return
        raise self._error or JournalError(f"record {seq} was never appended: the last one is {self.next_seq - 1}")

    def _shut(self) -> None:
        if self._error is None:
            self._error = JournalError(f"the journal {self.path} is closed")
        with contextlib.suppress(RuntimeError):
            self._wake()
        self._db.close()
        self._lock.release()
