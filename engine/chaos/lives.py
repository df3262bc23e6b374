"""Who is alive: simulated processes, and tasks, futures and timers that have a number for their place in the order."""

import asyncio
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any


class Life:
    """One simulated operating-system process; what runs in its context dies with it."""

    __slots__ = ("alive", "name", "on_death")

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.on_death: list[Callable[[], None]] = []


LIFE: ContextVar[Life | None] = ContextVar("sluice_chaos_life", default=None)


def current_life() -> Life | None:
    """The simulated process whose code is running; None: the scenario itself."""
    return LIFE.get()


def is_dead(context: Context | None) -> bool:
    """Whether code of that context (None: the current one) belongs to a killed process."""
    life = LIFE.get() if context is None else context.get(LIFE)
    return life is not None and not life.alive


class SimTask(asyncio.Task[Any]):
    """A task whose hash is its number, so that sets of tasks have one order in every process."""

    _log_destroy_pending: bool

    def __init__(self, coro: Any, *, number: int, context: Context | None = None, **kwargs: Any) -> None:
        self.number = number
        # Kept here as well: Python 3.11's own tasks do not show theirs.
        self._context = copy_context() if context is None else context
        super().__init__(coro, context=self._context, **kwargs)

    def __hash__(self) -> int:
        return self.number


class SimFuture(asyncio.Future[Any]):
    """A future whose hash is its number, for the same reason; the loop gives it one."""

    number: int

    def __hash__(self) -> int:
        return self.number


class SimHandle(asyncio.Handle):
    """A callback for the next turn of the loop."""

    __slots__ = ()

    def __init__(self, callback: Any, args: tuple[Any, ...], loop: Any, context: Context | None) -> None:
        # What the class above does, but for its calls: every step of a task makes one.
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled = False
        self._repr = self._source_traceback = None


class SimTimer(asyncio.TimerHandle):
    """A timer that keeps its place among those of the same instant."""

    __slots__ = ("number",)

    _scheduled: bool

    def __init__(
        self, number: int, when: float, callback: Any, args: tuple[Any, ...], loop: Any, context: Context | None
    ) -> None:
        # What the two classes above do, but for their calls: every sleep and every deadline makes one.
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled = self._scheduled = False
        self._repr = self._source_traceback = None
        self._when = when
        self.number = number

    def cancel(self) -> None:
        # Likewise: nearly every deadline is cancelled.
        if not self._cancelled:
            self._loop._timer_handle_cancelled(self)
            self._cancelled = True
            self._callback = self._args = None  # type: ignore[assignment]

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, SimTimer):
            return NotImplemented
        return (self.when(), self.number) < (other.when(), other.number)
