"""The queue and its one worker: highest priority first, then first come first served (contracts/easyths.md 2.2).

It has no task of its own. ``next_due_ns`` says when the worker's next step is due, ``step`` does it; whoever holds the
clock calls them in order. What an operation does, it does at its own time, whoever asks and when.
"""

import enum
import heapq
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.simulators.easyths.messages import CANCELLED, Result
from engine.simulators.easyths.quirks import Quirk
from engine.simulators.quirks import QuirkPlan

GRAB_NS = 2_000_000
"""How long the worker may take to notice a first entry, and then to start it."""
GAP_NS = (SECOND_NS // 2, 3 * SECOND_NS)


class Status(enum.StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class QueueFull(Exception):
    """No more entries are taken."""


class Operation(Struct, kw_only=True):
    """One submission. ``request`` is the running number of the request that submitted it."""

    id: str
    name: str
    params: Mapping[str, Any]
    priority: int
    number: int
    request: int
    status: Status = Status.QUEUED
    changed_ns: int = 0
    result: Result | None = None
    passed: bool = False
    """The worker is done with it."""
    cancelled: bool = False
    ignores_cancel: bool = False


class Errand(Struct):
    """How an operation goes: its effect comes at ``effect_ns``, its end at ``end_ns`` at the earliest."""

    effect_ns: int
    end_ns: int
    act: Callable[[int], Result]


class Performer(Protocol):
    def begin(self, operation: Operation, now_ns: int) -> Errand: ...


class Counts(Struct):
    processed: int = 0
    failed: int = 0
    succeeded: int = 0
    queue_size: int = 0
    """As of the last submit or start: it lags."""


class OperationQueue:
    """Entries of one life of the server.

    Args:
        performer: what begins operations. maximum: of waiting entries. draw: stream of the worker's small delays.
    """

    def __init__(
        self, performer: Performer, maximum: int, entropy: Entropy, quirks: QuirkPlan[Quirk], stream: str
    ) -> None:
        self.operations: dict[str, Operation] = {}
        self.running: Operation | None = None
        self.errand: Errand | None = None
        self.counts = Counts()
        self._performer = performer
        self._maximum = maximum
        self._draw = entropy.stream(stream)
        self._quirks = quirks
        self._waiting: list[tuple[int, int, Operation]] = []
        self._grabbed: Operation | None = None
        self._outcome: Result | None = None
        self._due_ns: int | None = None

    @property
    def queued(self) -> int:
        """Waiting entries, those that were cancelled included."""
        return len(self._waiting)

    def submit(self, name: str, params: Mapping[str, Any], priority: int, request: int, now_ns: int) -> Operation:
        """Raises:
        QueueFull: as many as may are waiting.
        """
        if self.queued >= self._maximum:
            raise QueueFull
        operation = Operation(
            id=_uuid4(self._draw.getrandbits(128)),
            name=name,
            params=params,
            priority=priority,
            number=len(self.operations),
            request=request,
            changed_ns=now_ns,
        )
        self.operations[operation.id] = operation
        heapq.heappush(self._waiting, (-priority, operation.number, operation))
        self.counts.queue_size = self.queued
        if self._due_ns is None:
            self._due_ns = now_ns + self._draw.choice((0, GRAB_NS))
        return operation

    def cancel(self, operation_id: str, now_ns: int) -> bool:
        """Mark a waiting entry; it stays where it is until the worker comes to it."""
        operation = self.operations.get(operation_id)
        if operation is None or operation.status is not Status.QUEUED:
            return False
        operation.cancelled = True
        operation.ignores_cancel = self._quirks.happens(Quirk.CANCEL_RACE) is not None
        operation.status = Status.FAILED
        operation.changed_ns = now_ns
        operation.result = Result(success=False, message=CANCELLED, ts_ns=now_ns, hard=True)
        return True

    # The worker

    def next_due_ns(self) -> int | None:
        """When its next step is due; None while there is nothing to do."""
        return self._due_ns

    def step(self, now_ns: int) -> None:
        """Do the step that is due."""
        if self.running is not None:
            self._go_on(self.running, now_ns)
        elif self._grabbed is not None:
            self._start(self._grabbed, now_ns)
        else:
            self._grab(now_ns)

    def _grab(self, now_ns: int) -> None:
        _, _, operation = heapq.heappop(self._waiting)
        if operation.cancelled and not operation.ignores_cancel:
            operation.passed = True
            self.counts.processed += 1
            self._due_ns = now_ns if self._waiting else None
            return
        # From here a cancel is answered with 200 and comes too late.
        self._grabbed = operation
        self._due_ns = now_ns + self._draw.choice((0, GRAB_NS))

    def _start(self, operation: Operation, now_ns: int) -> None:
        self._grabbed, self.running = None, operation
        self._change(operation, Status.RUNNING, now_ns)
        operation.result = None
        operation.cancelled = False
        self.counts.queue_size = self.queued
        self.errand = self._performer.begin(operation, now_ns)
        self._due_ns = self.errand.effect_ns

    def _go_on(self, operation: Operation, now_ns: int) -> None:
        if self.errand is not None:
            errand, self.errand = self.errand, None
            self._outcome = errand.act(now_ns)
            self._due_ns = max(now_ns, errand.end_ns) + self._outcome.more_ns
        elif operation.status is Status.RUNNING:
            assert self._outcome is not None
            self._change(operation, Status.COMPLETED if self._outcome.success else Status.FAILED, now_ns)
            gap = self._quirks.happens(Quirk.NULL_RESULT_GAP)
            self._due_ns = now_ns + (self._quirks.span_ns(*GAP_NS) if gap else 0)
        else:
            self._settle(operation, now_ns)

    def _settle(self, operation: Operation, now_ns: int) -> None:
        outcome, self._outcome = self._outcome, None
        assert outcome is not None
        outcome.ts_ns = outcome.ts_ns or operation.changed_ns
        operation.result = outcome
        operation.passed = True
        self.running = None
        self.counts.processed += 1
        self.counts.succeeded += outcome.success
        self.counts.failed += not outcome.success
        self._due_ns = now_ns if self._waiting else None

    def _change(self, operation: Operation, status: Status, now_ns: int) -> None:
        operation.status = status
        operation.changed_ns = now_ns


def _uuid4(bits: int) -> str:
    """A version 4 id of RFC 9562 out of 128 random bits."""
    bits = bits & ~(0xF << 76) | (4 << 76)
    bits = bits & ~(0x3 << 62) | (2 << 62)
    digits = f"{bits:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
