"""A journal whose failure does not end the run at once: cancels go on from memory, nothing new leaves.

A failed write is fatal for new orders and is not tried again (RELIABILITY 3.1). What is appended afterwards gets a
number that never becomes durable, so whoever waits for it before sending is refused.
"""

from collections.abc import Callable

from engine.domain.errors import JournalError
from engine.domain.events import JournalRecord
from engine.journal.over import JournalOver
from engine.ports import Journal


class EnduringJournal(JournalOver):
    """See the module."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.on_failure: Callable[[str], None] = lambda _why: None
        """Called once, in the turn that found out; it may append, to no effect."""
        self.failure = ""
        """Why it failed; empty while it has not."""

    @property
    def healthy(self) -> bool:
        """Also looks: a writer that failed while nobody appended is found out here."""
        if not self.failure and not self._journal.healthy:
            self._failed("a write did not reach the disk")
        return not self.failure

    def append(self, record: JournalRecord) -> int:
        """As the port's, but a journal that failed takes the record to no effect."""
        try:
            return self._journal.append(record)
        except JournalError as error:
            self._failed(str(error))
            return self._journal.next_seq

    async def durable(self, seq: int) -> None:
        """Raises: JournalError: it never will be."""
        try:
            await self._journal.durable(seq)
        except JournalError as error:
            self._failed(str(error))
            raise

    def _failed(self, why: str) -> None:
        if not self.failure:
            self.failure = why
            self.on_failure(why)
