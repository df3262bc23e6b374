"""A journal over another one: subclasses change what they are about, everything else is the other's own."""

from collections.abc import Iterator

from engine.domain.events import JournalRecord
from engine.ports import Journal


class JournalOver:
    """Implements ``engine.ports.Journal`` by handing on."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def next_seq(self) -> int:
        return self._journal.next_seq

    @property
    def durable_seq(self) -> int:
        return self._journal.durable_seq

    @property
    def healthy(self) -> bool:
        return self._journal.healthy

    def append(self, record: JournalRecord) -> int:
        return self._journal.append(record)

    async def durable(self, seq: int) -> None:
        await self._journal.durable(seq)

    def records(self) -> Iterator[tuple[int, JournalRecord]]:
        return self._journal.records()

    def digest(self) -> str:
        return self._journal.digest()

    async def run(self) -> None:
        await self._journal.run()

    def close(self) -> None:
        self._journal.close()
