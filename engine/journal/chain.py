"""Records as bytes, and the running hash over them.

A msgpack value says itself where it ends, so the bytes of records laid end to end can be cut in one way only: SHA-256
over them needs no length prefixes and does not depend on how the records were batched. The value of the running hash
at the end of a committed batch is the batch's chain value; it covers everything before it.
"""

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

from engine.domain.errors import JournalError
from engine.domain.events import CallAnswered, InstructionSent, JournalRecord, LatchSet, OrderSent, RunStarted

ENCODER = msgspec.msgpack.Encoder()
DECODER: msgspec.msgpack.Decoder[JournalRecord] = msgspec.msgpack.Decoder(JournalRecord)
BATCH_DECODER: msgspec.msgpack.Decoder[list[JournalRecord]] = msgspec.msgpack.Decoder(list[JournalRecord])

URGENT = frozenset({OrderSent, InstructionSent, LatchSet})
"""Kinds that are committed at once, as the last row of their group (RELIABILITY 3.1, steps 3 and 7)."""

OPEN = frozenset({CallAnswered, RunStarted})
"""Kinds that hold values somebody else may change later, or that can not be encoded: their bytes are made at once."""


class Chain:
    """The running SHA-256 over the encoded records."""

    __slots__ = ("_hash",)

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def extend(self, data: bytes | memoryview) -> None:
        """Add the bytes of one record, or of several laid end to end."""
        self._hash.update(data)

    def value(self) -> bytes:
        return self._hash.digest()

    def digest(self) -> str:
        return self._hash.hexdigest()

    def copy(self) -> "Chain":
        twin = Chain()
        twin._hash = self._hash.copy()
        return twin


class Damage(JournalError):
    """Committed records are missing, changed or out of order. ``good`` is the last record that can be trusted."""

    def __init__(self, message: str, good: int) -> None:
        super().__init__(message)
        self.good = good


def verified(
    rows: Iterable[tuple[int, bytes, bytes | None]], chain: Chain
) -> Iterator[list[tuple[int, JournalRecord]]]:
    """Committed batches of ``(seq, record)`` from rows of ``(seq, body, chain value or None)``.

    Rows after the last chain value are a torn tail: they are left out. ``chain`` is moved along.

    Raises:
        Damage: a row is missing, can not be read, or does not fit its chain value; the message names it.
    """
    good = last = unreadable = 0
    batch: list[tuple[int, JournalRecord]] = []
    for seq, body, seal in rows:
        if seq != last + 1:
            raise Damage(f"record {last + 1} is missing: after record {last} comes {seq}", good)
        last = seq
        chain.extend(body)
        try:
            batch.append((seq, DECODER.decode(body)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            unreadable = unreadable or seq
        if seal is None:
            continue
        if unreadable:
            raise Damage(f"record {unreadable} can not be read", good)
        if seal != chain.value():
            where = f"record {seq}" if seq == good + 1 else f"one of the records {good + 1} to {seq}"
            raise Damage(f"{where} was changed after it was written", good)
        good = seq
        yield batch
        batch = []
