"""A journal that knows at which of the crash points a commit is: before it, after it, before anybody hears of it."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.domain.events import (
    JournalRecord,
    LatchSet,
    OrderSent,
    OrderSubmitted,
    PositionAdjusted,
    RunEnded,
    RunStarted,
)
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import datetime_from_ns
from engine.journal.chain import DECODER
from engine.journal.sqlite import SqliteJournal

Passed = Callable[[str], None]
TOLD_LATER = {
    Evidence.ACK: "C7",
    Evidence.WORKING: "C7",
    Evidence.FILL: "C9",
    Evidence.ABSENT: "C15",
    Evidence.CANCEL_REQUEST: "C11w",
}
"""Evidence -> the point at which it is durable and nobody has heard of it."""


class TrappedJournal(SqliteJournal):
    """Calls ``passed`` at C1, C2, C7, C8, C9, C15, C18, C19, C20, C22."""

    def __init__(self, path: Path, passed: Passed, fails_at: int = 0, **more: Any) -> None:
        """``fails_at``: the number of the first commit that finds the disk full; 0: none does."""
        self._passed = passed
        self._fails_at = fails_at
        self._commits = 0
        self._day = ""
        self._began = False
        super().__init__(path, fault=self._disk, **more)

    def _disk(self) -> None:
        self._commits += 1
        if 0 < self._fails_at <= self._commits:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def append(self, record: JournalRecord) -> int:
        if isinstance(record, RunStarted):
            self._began = True
        if self._began and isinstance(record, OrderReport) and record.kind is Evidence.FILL:
            self._passed("C8")
        if self._began and isinstance(record, LatchSet) and record.scope == "all":
            self._passed("C19")
        seq = super().append(record)
        self._after(record, seq)
        return seq

    def _after(self, record: JournalRecord, seq: int) -> None:
        point = ""
        if isinstance(record, OrderReport):
            point = TOLD_LATER.get(record.kind, "")
        elif isinstance(record, LatchSet) and record.scope == "all":
            point = "C20"
        elif isinstance(record, PositionAdjusted):
            point = "C14w"
        if point:
            self._wait(seq)
            self._passed(point)
        moment = getattr(record, "ts_ns", 0)
        if moment:
            day = datetime_from_ns(moment, "Asia/Shanghai").date().isoformat()
            if self._day and day != self._day:
                self._wait(seq)
                self._passed("C18")
            self._day = day

    def _wait(self, seq: int) -> None:
        """Until it is on disk, without letting the loop turn."""
        self._writer.hurry()
        deadline = time.monotonic() + 10
        while self.durable_seq < seq and self.healthy and time.monotonic() < deadline:
            # A writer that waits for its queue takes what is there after its linger.
            time.sleep(0.0005)

    def _commit(self, group: list[Any]) -> None:
        kinds = {type(DECODER.decode(body)) for _, body in group}
        if OrderSubmitted in kinds:
            self._passed("C1")
        if RunEnded in kinds:
            self._passed("C22")
        super()._commit(group)
        if OrderSubmitted in kinds and OrderSent not in kinds:
            self._passed("C2")
