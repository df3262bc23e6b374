"""What every journal with a writer has in common; where its groups go is each one's own."""

import contextlib

import anyio

from engine.domain.errors import JournalError
from engine.domain.events import JournalRecord
from engine.journal.chain import ENCODER, URGENT, Chain
from engine.journal.group_writer import GroupWriter


class WrittenJournal:
    """The numbering, chaining and waiting of ``engine.ports.Journal``; the rest is the subclass's."""

    next_seq: int
    healthy: bool
    _chain: Chain
    """Over every record so far, durable or not."""
    _writer: GroupWriter

    @property
    def durable_seq(self) -> int:
        return self._writer.durable_seq

    def append(self, record: JournalRecord) -> int:
        """Number a record and hand it to the writer.

        Raises:
            JournalError: the journal is no longer healthy, or closed.
            TypeError, OverflowError: the record holds a value that has no msgpack form; nothing was added.
        """
        if self._writer.error is not None:
            raise self._writer.error
        body = ENCODER.encode(record)
        self._chain.extend(body)
        seq = self.next_seq
        self.next_seq = seq + 1
        self._writer.put(seq, body, urgent=type(record) in URGENT)
        return seq

    async def durable(self, seq: int) -> None:
        """Wait until ``durable_seq >= seq``; who waits is not kept waiting for a group to fill.

        Raises:
            JournalError: it never will be.
        """
        await self._writer.durable(seq)

    def digest(self) -> str:
        return self._chain.digest()

    async def run(self) -> None:
        """Wait until cancelled, then flush what was appended before."""
        self._writer.here()
        try:
            await anyio.Event().wait()
        finally:
            with anyio.CancelScope(shield=True):
                if self.healthy:
                    with contextlib.suppress(JournalError):
                        await self.durable(self.next_seq - 1)
