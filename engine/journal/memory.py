"""The journal of a backtest: bytes in memory, durable at once.

It stands in the path of every order of a replay, so ``append`` keeps the frozen record and nothing else; every
``BATCH`` records are encoded and hashed in one call each, and only the bytes stay.
"""

from collections.abc import Iterator
from typing import Protocol

import anyio

from engine.domain.errors import JournalError
from engine.domain.events import JournalRecord
from engine.journal.chain import BATCH_DECODER, ENCODER, OPEN, Chain

BATCH = 256


class Writer(Protocol):
    """Who makes bytes of records itself; it puts ``pour`` before its own, so that the order stands."""

    @property
    def records(self) -> int:
        """How many ``take`` would give."""

    def take(self) -> tuple[bytes, int]:
        """The records written since the last time as one msgpack array, and how many they are."""


class MemoryJournal:
    """Implements ``engine.ports.Journal``."""

    __slots__ = ("_chain", "_chunks", "_packed", "_seals", "_writer", "healthy", "keep", "pending")

    def __init__(self) -> None:
        self.healthy = True
        self._packed = 0
        self._chain = Chain()
        self._writer: Writer | None = None
        self.pending: list[JournalRecord] = []
        """Appended, and not made bytes of yet."""
        self.keep = self.pending.append
        """``append`` for a replay that needs no number back; whoever uses it calls ``pack`` from time to time."""
        self._chunks: list[bytes] = []
        self._seals: list[bytes] = []

    def append(self, record: JournalRecord) -> int:
        """Number a record and keep it.

        Raises:
            TypeError, OverflowError: the record holds a value that has no msgpack form; nothing was added.
        """
        pending = self.pending
        if type(record) in OPEN:
            self.pack()
            self._keep(ENCODER.encode([record]), 1)
        else:
            pending.append(record)
            if len(pending) >= BATCH:
                self.pack()
        return self.durable_seq

    def written_by(self, writer: Writer) -> None:
        """Somebody else makes bytes of records too."""
        self._writer = writer

    @property
    def next_seq(self) -> int:
        return self.durable_seq + 1

    @property
    def durable_seq(self) -> int:
        return self._packed + len(self.pending) + (0 if self._writer is None else self._writer.records)

    async def durable(self, seq: int) -> None:
        if seq > self.durable_seq:
            raise JournalError(f"record {seq} was never written: the last one is {self.durable_seq}")

    def records(self) -> Iterator[tuple[int, JournalRecord]]:
        """Every record in order, decoded a chunk at a time.

        Raises:
            JournalError: the chain is broken.
        """
        self.pack()
        chain, seq = Chain(), 0
        for chunk, seal in zip(self._chunks, self._seals, strict=True):
            records = BATCH_DECODER.decode(chunk)
            chain.extend(memoryview(chunk)[_header(chunk) :])
            if chain.value() != seal:
                raise JournalError(f"one of the records {seq + 1} to {seq + len(records)} was changed in memory")
            for record in records:
                seq += 1
                yield seq, record

    def digest(self) -> str:
        self.pack()
        return self._chain.digest()

    @property
    def kept_bytes(self) -> int:
        """What the records take, encoded."""
        self.pack()
        return sum(map(len, self._chunks))

    async def run(self) -> None:
        """There is nothing to write; ends when cancelled."""
        await anyio.Event().wait()

    def close(self) -> None:
        self.pack()

    def pack(self, at_least: int = 1) -> None:
        """Make bytes of what is still kept as records, if there are ``at_least`` so many.

        Raises:
            TypeError, OverflowError: a record holds a value that has no msgpack form.
        """
        pending, writer = self.pending, self._writer
        written = 0 if writer is None else writer.records
        if len(pending) + written < at_least:
            return
        if writer is not None and written:
            self._keep(*writer.take())
        for start in range(0, len(pending), BATCH):
            batch = pending[start : start + BATCH]
            self._keep(ENCODER.encode(batch), len(batch))
        pending.clear()

    def pour(self) -> tuple[bytes, int]:
        """``pending`` as bytes laid end to end, and how many they are; then none are."""
        pending = self.pending
        poured = b"".join(map(ENCODER.encode, pending)), len(pending)
        pending.clear()
        return poured

    def _keep(self, chunk: bytes, count: int) -> None:
        self._chain.extend(memoryview(chunk)[_header(chunk) :])
        self._packed += count
        self._chunks.append(chunk)
        self._seals.append(self._chain.value())


def _header(chunk: bytes) -> int:
    """Bytes a msgpack array has before its first item."""
    return {0xDC: 3, 0xDD: 5}.get(chunk[0], 1)
