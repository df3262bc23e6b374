"""What the routes share: the session they look at, who may ask, what is secret, and the pump of the streams."""

import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio

from engine.clock import LiveClock, stopwatch_seconds
from engine.control.api.access import Access, Caller
from engine.control.api.journal_reading import READERS_MAX
from engine.control.api.problems import Problem
from engine.control.redaction import Redactor
from engine.domain.reconciled import OperatorActed
from engine.runtime.operator_commands import Answer, Command, Status

if TYPE_CHECKING:
    from engine.control.api.serving import Crowd
    from engine.control.api.streams import Streams
    from engine.control.live_session import Session
    from engine.runtime.live import LiveRun
    from engine.runtime.wiring import Core

KEPT_SECONDS = 0.5
Source = Callable[[], "Session | None"]
"""Gives the session that runs now; a daemon has none between two of them."""
STATUSES = {0: 200, 1: 409, 2: 422, 3: 428}
"""Exit code of an answer -> status: done, no, a mistake, say it once more with the code."""


class Cockpit:
    """One an API."""

    def __init__(self, source: Source, access: Access, note: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._source = source
        self.access = access
        self._note = note
        self.faults = 0
        """Requests that failed by a fault of ours."""
        self.wall = LiveClock()
        """The time of this machine; a run's own clock may show another day."""
        self.began_ns = self.wall.now_ns
        self.requests: dict[tuple[str, int], int] = {}
        """(operation, status) -> requests."""
        self.streams: Streams
        self.crowd: Crowd
        """Both set by who makes it."""
        self.journal_readers = anyio.Semaphore(READERS_MAX)
        self._asked = 0
        self._kept: dict[str, tuple[float, Session | None, Any]] = {}

    @property
    def session(self) -> "Session":
        """Raises: Problem: 503, no run is under way."""
        found = self._source()
        if found is None:
            raise Problem(503, "idle", "no run is under way", headers={"retry-after": "5"})
        return found

    @property
    def found(self) -> "Session | None":
        return self._source()

    @property
    def run(self) -> "LiveRun":
        return self.session.run

    @property
    def core(self) -> "Core":
        return self.session.run.core

    @property
    def redactor(self) -> Redactor:
        found = self._source()
        return _NONE if found is None else found.redactor

    def kept(self, name: str, make: Callable[[], Any], seconds: float = KEPT_SECONDS) -> Any:
        """What ``make`` gave lately, for all who ask: what takes long to reckon is not reckoned for each of them."""
        found, now = self._kept.get(name), stopwatch_seconds()
        if found is None or now - found[0] > seconds or found[1] is not self._source():
            found = self._kept[name] = (now, self._source(), make())
        return found[2]

    def counted(self, operation: str, status: int) -> None:
        self.requests[operation, status] = self.requests.get((operation, status), 0) + 1

    def fault(self, error: BaseException) -> None:
        """A request failed by a fault of ours: where, for the log."""
        self.faults += 1
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
        self._note("control fault", {"text": self.redactor.text(f"{type(error).__name__}: {error}"), "at": place})

    async def settled(self) -> None:
        """Wait until what was decided so far is durable (DESIGN, decision 8).

        Raises:
            JournalError: it never will be.
        """
        found = self._source()
        if found is not None and not found.run.journal.failure:
            await found.run.journal.durable(found.run.journal.next_seq - 1)

    def who(self, caller: Caller) -> str:
        """A name for one command: the token, the address, and which request it was."""
        self._asked += 1
        return f"{caller.who}, request {self._asked}"

    async def command(self, command: Command) -> Answer:
        """Have the operator do it; the journal has who asked for it even where nothing was done (RELIABILITY 6)."""
        session = self.session
        journal, noted = session.run.journal, False

        def hear(_seq: int, record: object) -> None:
            nonlocal noted
            noted = noted or (isinstance(record, OperatorActed) and record.who == command.who)

        session.seen.record_ears = (*session.seen.record_ears, hear)
        try:
            answer = await session.operator.do(command)
        finally:
            session.seen.record_ears = tuple(ear for ear in session.seen.record_ears if ear is not hear)
        if not noted and not isinstance(command, Status):
            words = type(command).__struct_config__.tag
            about = (
                getattr(command, "scope", "") or getattr(command, "account", "") or getattr(command, "client_id", "")
            )
            journal.append(
                OperatorActed(
                    ts_ns=session.clock.now_ns,
                    who=command.who,
                    command=str(words).replace("_", " "),
                    about=about or getattr(command, "strategy", ""),
                    reason=getattr(command, "reason", ""),
                    after=answer.text,
                )
            )
        return answer


_NONE = Redactor()
