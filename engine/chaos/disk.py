"""The journal of a simulated process: real SQLite on a real file, written inside the turn, dead when its process is.

What was committed before a crash is what the next life finds; both sides of every commit are seams where the process
can be killed. The schedule may have a commit fail (``StoreFault``, rows S1 to S3), and may leave what was under way at
a crash whole, in part, or as rubbish (``TailFault``, row S4).
"""

import errno
import sqlite3
from pathlib import Path

import anyio

from engine.chaos.lives import current_life
from engine.chaos.mishaps import StoreFault, StoreKind, TailFault, TailKind
from engine.chaos.world import World
from engine.domain.errors import JournalError
from engine.domain.events import JournalRecord
from engine.journal import store
from engine.journal.group_writer import Item
from engine.journal.sqlite import SqliteJournal

RUBBISH = b"\x37\x7f\x06\x82 no frame of a log " * 40


class _NamedPath(type(Path())):  # type: ignore[misc]
    """Texts show a file's name alone: the place of a flight is another one in every process."""

    def __format__(self, _spec: str) -> str:
        return str(self.name)


class SimJournal(SqliteJournal):
    """A ``SqliteJournal`` for one life of a process; ``abandon`` it at the moment of death (``process.on_death``)."""

    def __init__(self, path: Path, world: World, start: int = 0) -> None:
        """
        Raises:
            JournalError: the file is damaged. ConfigError: it is held by another life.
        """
        self._world = world
        self._start = start
        self._commits = 0
        self._abandoned = False
        faults = [fault for fault in world.schedule if isinstance(fault, StoreFault) and fault.start == start]
        self._failure = faults[0] if faults else None
        super().__init__(path, inline=True, fault=self._fail_as_planned)
        self.path = _NamedPath(path)
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

    def abandon(self) -> None:
        if self._abandoned:
            return
        self._abandoned = True
        left, sealed = list(self._writer.pending), self._sealed.copy()
        tails = [f for f in self._world.schedule if isinstance(f, TailFault) and f.start == self._start]
        tail = tails[0] if tails and self.healthy and not self._world.healed and _dead() else None
        if tail is not None and left and tail.kind is not TailKind.GARBAGE:
            kept = left if tail.kind is TailKind.KEPT else left[: max(1, len(left) // 2)]
            rows: list[store.Row] = []
            for at, (seq, body) in enumerate(kept):
                sealed.extend(body)
                whole = tail.kind is TailKind.KEPT and at == len(kept) - 1
                rows.append((seq, body, sealed.value() if whole else None))
            self._db.executemany(store.INSERT, rows)
            self._world.network.note(tail)
        super().abandon()
        if tail is not None and tail.kind is TailKind.GARBAGE:
            log = self.path.with_name(self.path.name + "-wal")
            with log.open("ab") as file:
                file.write(RUBBISH)
            self._world.network.note(tail)

    def _commit(self, group: list[Item]) -> None:
        if not self._world.seam("journal commit"):
            raise JournalError("killed before the commit")
        super()._commit(group)
        if not self._world.seam("journal committed"):
            raise JournalError("killed after the commit")

    def _tell(self, error: JournalError) -> None:
        if not _dead():
            super()._tell(error)

    def _fail_as_planned(self) -> None:
        self._commits += 1
        fault = self._failure
        if fault is None or self._commits < fault.commit or self._world.healed:
            return
        self._world.network.note(fault)
        self._world.disks_failed.add(self._start)
        match fault.kind:
            case StoreKind.FULL:
                raise OSError(errno.ENOSPC, "No space left on device")
            case StoreKind.LOCKED:
                raise sqlite3.OperationalError("database is locked")
            case StoreKind.READ_ONLY:
                raise sqlite3.OperationalError("attempt to write a readonly database")
        raise OSError(errno.EIO, "Input/output error")


def _dead() -> bool:
    life = current_life()
    return life is not None and not life.alive
