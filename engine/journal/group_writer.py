"""Who writes a journal that is not in memory: groups of rows, committed one after the other (RELIABILITY 3.1).

With ``inline=False`` a thread commits, and everything put in while one commit is under way goes into the next. With
``inline=True`` the same groups are committed inside the caller's turn.
"""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from engine.domain.errors import JournalError

GROUP_ROWS = 20
GROUP_SECONDS = 0.002

Item = tuple[int, bytes]
"""Sequence number and bytes; in the queue an urgent record's number is negative, and 0 asks the thread to stop."""
_STOP: Item = (0, b"")


class GroupWriter:
    """Numbers in, commits out, and whoever waits for a number is woken when it is durable.

    Args:
        commit: writes a group, or raises JournalError: then this writer has failed, for good.
        durable_seq: the last record that was durable before.
        rows: how many records one group takes at most.
        on_failure: called once when a commit fails: in the loop of whoever waited last, or at once where none did.
    """

    def __init__(
        self,
        commit: Callable[[list[Item]], None],
        *,
        durable_seq: int,
        inline: bool,
        rows: int = GROUP_ROWS,
        name: str = "journal",
        on_failure: Callable[[JournalError], None] | None = None,
    ) -> None:
        self.durable_seq = durable_seq
        self.last_seq = durable_seq
        """The last record that was put in."""
        self.error: JournalError | None = None
        self.on_failure = on_failure
        self.loop: asyncio.AbstractEventLoop | None = None
        self._commit = commit
        self._inline = inline
        self._rows = rows
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.pending: list[Item] = []
        """What was put in and is in no commit yet; inline only."""
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._hurry: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if not inline:
            self._thread = threading.Thread(target=self._write, name=name, daemon=True)
            self._thread.start()

    def put(self, seq: int, body: bytes, *, urgent: bool) -> None:
        """Take the next record; an urgent one is committed at once, as the last of its group."""
        self.last_seq = seq
        if self._inline:
            self.pending.append((seq, body))
            if urgent or len(self.pending) >= self._rows:
                self._commit_pending()
        elif urgent:
            self._queue.put((-seq, body))
            self._hurry.put(None)
        else:
            self._queue.put((seq, body))

    async def durable(self, seq: int) -> None:
        """Wait until ``durable_seq >= seq``; who waits is not kept waiting for a group to fill.

        Raises:
            JournalError: it never will be.
        """
        if self.durable_seq >= seq:
            return
        if self._inline or self.error is not None or seq > self.last_seq:
            self._commit_pending()
            self._never(seq)
            return
        loop = self.loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiters.append((seq, future))
        self._hurry.put(None)
        # The thread looks for waiters after it moved durable_seq: one of the two sees the other.
        if self.durable_seq >= seq or self.error is not None:
            self._wake()
        await future
        self._never(seq)

    def hurry(self) -> None:
        """Let the group end here; inline it is committed before this returns."""
        if self._inline:
            self._commit_pending()
        else:
            self._hurry.put(None)

    def here(self) -> None:
        """Failures are told in the loop that is running now."""
        self.loop = asyncio.get_running_loop()

    def stop(self, closed: JournalError) -> None:
        """Flush and end the thread; what comes later fails with ``closed``, or with the failure there was."""
        if self._thread is not None:
            self._queue.put(_STOP)
            self._hurry.put(None)
            self._thread.join()
            self._thread = None
        elif self.error is None:
            self._commit_pending()
        if self.error is None:
            self.error = closed
        with contextlib.suppress(RuntimeError):
            self._wake()

    def abandon(self, dead: JournalError) -> None:
        """Crash here: what is not committed is lost. Inline only.

        Raises:
            RuntimeError: a thread is writing.
        """
        if self._thread is not None:
            raise RuntimeError("only an inline journal can be abandoned: a thread may be in the middle of a commit")
        self.pending.clear()
        self.error = self.error or dead

    def _commit_pending(self) -> None:
        group, self.pending = self.pending, []
        for first in range(0, len(group), self._rows):
            if not self._committed(group[first : first + self._rows]):
                return

    def _committed(self, group: list[Item]) -> bool:
        if self.error is not None:
            return False
        try:
            self._commit(group)
        except JournalError as error:
            self.error = error
            if (tell := self.on_failure) is not None:
                self._to_loop(partial(tell, error))
            return False
        self.durable_seq = group[-1][0]
        return True

    def _write(self) -> None:
        """The thread."""
        more = True
        try:
            while more:
                group, more = self._gather()
                if group:
                    self._committed(group)
                if self._waiters:
                    self._to_loop(self._wake)
        finally:
            if more:
                # A bug in here must not leave anybody waiting, nor anything believed to be durable.
                self.error = self.error or JournalError("the journal's writer ended by a bug of its own; no new orders")
                self._to_loop(self._wake)

    def _gather(self) -> tuple[list[Item], bool]:
        """The next group, and whether another follows: it ends when full, urgent, waited for, or two ms old."""
        group: list[Item] = []
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
            if seq < 0 or len(group) >= self._rows:
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
        loop = self.loop
        if loop is None or self._thread is None:
            call()
            return
        # The loop may have been closed under us; then nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(call)

    def _wake(self) -> None:
        """Wake every waiter whose record is durable, or all after a failure. In the loop."""
        for _ in range(len(self._waiters)):
            seq, future = self._waiters.popleft()
            if future.done():
                continue
            if seq <= self.durable_seq or self.error is not None:
                future.set_result(None)
            else:
                self._waiters.append((seq, future))

    def _never(self, seq: int) -> None:
        if self.durable_seq >= seq:
            return
        raise self.error or JournalError(f"record {seq} was never appended: the last one is {self.last_seq}")


def pause(seconds: float) -> None:
    """Hold the calling thread up, between two tries."""
    threading.Event().wait(seconds)
