"""The journal of a simulated process: real SQLite on a real file, written inside the turn, dead when its process is.

What was committed before a crash is what the next life finds; both sides of every commit are seams where the process
can be killed.
"""

from pathlib import Path
from typing import Any

import anyio

from engine.chaos.lives import current_life
from engine.chaos.world import World
from engine.domain.events import JournalRecord
from engine.journal.sqlite import SqliteJournal


class SimJournal(SqliteJournal):
    """A ``SqliteJournal`` for one life of a process; ``abandon`` it at the moment of death (``process.on_death``)."""

    def __init__(self, path: Path, world: World) -> None:
        """
        Raises:
            JournalError: the file is damaged. ConfigError: it is held by another life.
        """
        self._world = world
        super().__init__(path, inline=True)
        # The machine itself never loses power in a simulation; what SQLite handed to its files outlives the process.
        self._db.execute("PRAGMA synchronous = OFF")

    def append(self, record: JournalRecord) -> int:
        if _dead():
            return self.next_seq
        return super().append(record)

    async def durable(self, seq: int) -> None:
        if not _dead():
            await super().durable(seq)
        if _dead():
            await anyio.sleep_forever()

    def _commit(self, group: list[Any]) -> bool:
        if not self._world.seam("journal commit"):
            return False
        done = super()._commit(group)
        return done and self._world.seam("journal committed")


def _dead() -> bool:
    life = current_life()
    return life is not None and not life.alive
