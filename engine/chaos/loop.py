"""The asyncio loop of the simulation: time jumps to the next deadline, and nothing waits for the machine.

* A loop with nothing ready and no timer is stuck for ever: ``Deadlock``, a finding and not a hang.
* Tasks, futures and so the sets that task groups keep of them are ordered by a counter, never by memory address.
* Callbacks belong to a ``Life`` (a simulated operating-system process) through a context variable; ``kill`` ends one
  as SIGKILL would: none of its tasks, timers or callbacks ever runs again, ``finally`` blocks included.
* What would touch the machine is refused (``machine``).
"""

import asyncio
import contextlib
import itertools
import random
import signal
import sys
import threading
from asyncio import tasks
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from heapq import heapify, heappop, heappush
from typing import Any

from engine.chaos.lives import LIFE, Life, SimFuture, SimHandle, SimTask, SimTimer, is_dead
from engine.chaos.machine import MachinelessLoop, refuse
from engine.domain.errors import SluiceError

START_SECONDS = 1000.0
"""What ``loop.time()`` shows at first: not 0, which reads as "no deadline" in a careless test."""

_CANCELLED_TIMERS_MIN = 100
_CLOSE_ATTEMPTS = 20
_LEFTOVERS: list[object] = []
"""Tasks of killed processes that would not close: kept for ever, as dropping one would run its ``finally`` blocks."""


class Deadlock(SluiceError):
    """Nothing is ready and no timer runs: whoever waits waits for ever."""


class Hung(SluiceError):
    """The run went past its limit of virtual seconds or of loop events."""


class VirtualLoop(MachinelessLoop):
    """An event loop over virtual time.

    Args:
        shuffle: a seeded stream; then tasks that are ready together run in a drawn order, and so do timers of one
            instant (code may not rely on either). None: first come, first served.
        seconds_max: virtual seconds after which the run counts as hung.
        events_max: callbacks after which the run counts as hung (a busy loop never moves the clock).
    """

    _closed: bool
    _check_closed: Callable[[], None]
    _ready: deque[asyncio.Handle]
    _scheduled: list[tuple[float, int, SimTimer]]
    _stopping: bool
    _thread_id: int | None
    _timer_cancelled_count: int
    _asyncgens: Any

    def __init__(
        self, *, shuffle: random.Random | None = None, seconds_max: float = 1e9, events_max: int = 50_000_000
    ) -> None:
        super().__init__()
        self.now = START_SECONDS
        """What ``time`` shows."""
        self._shuffle = shuffle
        self._seconds_max = seconds_max
        self._events_max = events_max
        self._numbers = itertools.count(1)
        self._task_names = itertools.count(1)
        self._graveyard: list[SimTask] = []
        self._agen_lives: dict[int, Life] = {}  # by address, as a generator at its end has no weak references left
        self._signal_handlers: dict[int, asyncio.Handle] = {}
        self._frozen: Life | None = None
        self._parked: list[asyncio.Handle] = []
        self.events = 0
        self.findings: list[str] = []
        self.set_exception_handler(self._note_exception)

    # Time.

    def time(self) -> float:
        return self.now

    @property
    def seconds(self) -> float:
        """Virtual seconds since the run began."""
        return self.now - START_SECONDS

    def _run_once(self) -> None:
        """Turn after turn, until the loop is to stop: asyncio's own loop around this one has nothing to add."""
        ready, scheduled = self._ready, self._scheduled
        while True:
            if self._timer_cancelled_count and scheduled:
                self._drop_cancelled_timers()
            if not ready and not self._stopping:
                self._jump()
            while scheduled and scheduled[0][0] <= self.now:
                timer = heappop(scheduled)[2]
                timer._scheduled = False
                ready.append(timer)
            count = len(ready)
            if count > 1 and self._shuffle is not None:
                self._shuffle_ready(self._shuffle)
            self.events += count
            if self.events > self._events_max:
                raise Hung(f"still busy after {self._events_max} events at {self.seconds:.6f} s; {self.waiting()}")
            for _ in range(count):
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                if self._frozen is not None and _life_of(handle) is self._frozen:
                    self._parked.append(handle)
                    continue
                # As a handle runs itself, but for that call: it is made for all that happens in a flight.
                try:
                    handle._context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - a finding of the run
                    message = f"Exception in callback {handle!r}"
                    self.call_exception_handler({"message": message, "exception": error, "handle": handle})
            if self._stopping:
                return

    def _jump(self) -> None:
        """To the next deadline."""
        scheduled = self._scheduled
        if not scheduled:
            raise Deadlock(f"nothing is ready and no timer runs at {self.seconds:.6f} s; {self.waiting()}")
        self.now = max(self.now, scheduled[0][0])
        if self.seconds > self._seconds_max:
            raise Hung(f"still running after {self._seconds_max:g} virtual seconds; {self.waiting()}")

    def _drop_cancelled_timers(self) -> None:
        scheduled = self._scheduled
        if len(scheduled) > _CANCELLED_TIMERS_MIN and self._timer_cancelled_count * 2 > len(scheduled):
            for _, _, timer in scheduled:
                if timer._cancelled:
                    timer._scheduled = False
            scheduled[:] = [entry for entry in scheduled if not entry[2]._cancelled]
            heapify(scheduled)
            self._timer_cancelled_count = 0
        while scheduled and scheduled[0][2]._cancelled:
            self._timer_cancelled_count -= 1
            heappop(scheduled)[2]._scheduled = False

    def _shuffle_ready(self, rng: random.Random) -> None:
        # Only task steps change places with task steps, and timers with timers of the same instant: other callbacks
        # are promised to run in the order of their call_soon, and libraries build on it.
        groups: dict[float, list[int]] = {}
        for at, handle in enumerate(self._ready):
            if isinstance(handle, asyncio.TimerHandle):
                groups.setdefault(handle.when(), []).append(at)
            elif isinstance(getattr(handle._callback, "__self__", None), SimTask):  # type: ignore[attr-defined]
                groups.setdefault(-1.0, []).append(at)
        for places in groups.values():
            if len(places) > 1:
                handles = [self._ready[at] for at in places]
                rng.shuffle(handles)
                for at, handle in zip(places, handles, strict=True):
                    self._ready[at] = handle

    # Callbacks, tasks, futures.

    get_debug = staticmethod(bool)
    """Never. Each future and task asks; a builtin costs them no frame."""

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if self._closed:
            self._check_closed()
        handle = SimHandle(callback, args, self, context)
        life = handle._context.get(LIFE)
        if life is not None and not life.alive:
            handle.cancel()
        else:
            self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        number = next(self._numbers)
        timer = SimTimer(number, when, callback, args, self, context)
        life = timer._context.get(LIFE)
        if life is not None and not life.alive:
            timer.cancel()
        else:
            heappush(self._scheduled, (when, number, timer))
            timer._scheduled = True
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        # asyncio itself calls this from the loop's own thread, to close forgotten async generators.
        if self._thread_id is not None and self._thread_id != threading.get_ident():
            refuse("a call from another thread")
        return self.call_soon(callback, *args, context=context)

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None, **_kwargs: Any) -> Any:
        name = f"Task-{next(self._task_names)}" if name is None else name
        task = SimTask(coro, number=next(self._numbers), loop=self, name=name, context=context)
        if is_dead(context):
            self._bury(task)
        return task

    def create_future(self) -> Any:
        future = SimFuture(loop=self)
        future.number = next(self._numbers)
        return future

    def _asyncgen_firstiter_hook(self, agen: Any) -> None:
        if (life := LIFE.get()) is None:
            self._agen_lives.pop(id(agen), None)
        else:
            self._agen_lives[id(agen)] = life
            if not life.alive:
                return  # Begun on the way to the last suspension of a process that killed itself: nobody ends it.
        self._asyncgens.add(agen)

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        life = self._agen_lives.pop(id(agen), None)
        if life is None or life.alive:
            super()._asyncgen_finalizer_hook(agen)  # type: ignore[misc]

    # Sleep and death of a simulated process.

    def freeze(self, life: Life) -> bool:
        """Let nothing of a process run until ``thaw``, as a machine that sleeps; False: one sleeps already."""
        if self._frozen is not None or not life.alive:
            return False
        self._frozen = life
        return True

    def asleep(self, life: Life) -> bool:
        """Whether a process is frozen."""
        return self._frozen is life

    def thaw(self) -> None:
        """Let it go on: first what was due while it slept, in the order in which it was due."""
        self._frozen = None
        parked, self._parked = self._parked, []
        self._ready.extend(parked)

    def kill(self, life: Life) -> None:
        """End a process as SIGKILL would.

        Its tasks never run another line: not ``finally``, not ``except``, not ``__aexit__``. Its timers and pending
        callbacks are dropped, and whatever completes later does not wake it. A process that kills itself runs on to
        its next suspension (Python has no way to stop a running frame without raising in it), but with its hands cut
        off: the loop, the network and the trace ignore it from this moment.
        """
        if not life.alive:
            return
        theirs = [task for task in self.live_tasks() if task._context.get(LIFE) is life]
        life.alive = False
        if self._frozen is life:
            self._frozen = None
        parked, self._parked = self._parked, []
        self._ready.extend(parked)
        for handle in itertools.chain(self._ready, [entry[2] for entry in self._scheduled]):
            if not handle._cancelled and _life_of(handle) is life:
                handle.cancel()
        for task in theirs:
            self._bury(task)
        for agen in list(self._asyncgens):
            if self._agen_lives.get(id(agen)) is life:
                self._asyncgens.discard(agen)
        for callback in life.on_death:
            callback()

    def _bury(self, task: SimTask) -> None:
        # A suspended coroutine that is garbage-collected is closed, which runs its finally blocks: keep it.
        task._log_destroy_pending = False
        self._graveyard.append(task)

    def live_tasks(self) -> list[SimTask]:
        """Tasks that are not done and not dead, oldest first."""
        found = [task for task in asyncio.all_tasks(self) if isinstance(task, SimTask)]
        return sorted((t for t in found if not is_dead(t._context)), key=lambda task: task.number)

    def waiting(self) -> str:
        """Who waits where, for a person."""
        lines = [f"{task.get_name()} at {_innermost(task.get_coro())}" for task in self.live_tasks()]
        return f"{len(lines)} tasks wait: " + "; ".join(lines)

    def empty_graveyard(self) -> None:
        """After the run: close what killed processes left behind.

        Now their ``finally`` blocks do run, with every effect on the loop ignored, when nobody looks any more. What
        resists is kept for ever.
        """
        hook, sys.unraisablehook = sys.unraisablehook, lambda _error: None
        for task in self._graveyard:
            coro = task.get_coro()
            for _ in range(_CLOSE_ATTEMPTS):
                with contextlib.suppress(BaseException):
                    task._context.run(coro.close)
                    break
            else:
                _LEFTOVERS.append(task)
        self._graveyard.clear()
        sys.unraisablehook = hook

    # Errors nobody fetched.

    def _note_exception(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        who = context.get("task") or context.get("future") or context.get("handle")
        if isinstance(who, SimTask) and is_dead(who._context):
            return
        parts = [str(context.get("message", "error in the loop"))]
        if (error := context.get("exception")) is not None:
            parts.append(f"{type(error).__name__}: {error}")
        if isinstance(who, SimTask):
            parts.append(who.get_name())
        self.findings.append(" | ".join(parts))

    # Signals, for whoever asks the loop for them.

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        self._signal_handlers[sig] = asyncio.Handle(callback, args, self, copy_context())

    def remove_signal_handler(self, sig: int) -> bool:
        return self._signal_handlers.pop(sig, None) is not None

    def raise_signal(self, sig: signal.Signals) -> bool:
        """Deliver a signal to whoever asked the loop for it; False: nobody did (or it is dead)."""
        handle = self._signal_handlers.get(sig)
        if handle is None or ((life := _life_of(handle)) is not None and not life.alive):
            return False
        handle._run()
        return True

    # A run from beginning to end.

    def run(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """Run to the end, then cancel what is left and give its ``finally`` blocks their time.

        Raises:
            Deadlock, Hung: after which nothing is cleaned up; the state is the evidence.
        """
        result = self.run_until_complete(self.create_task(coro, name="scenario"))
        self.wind_down()
        return result

    def wind_down(self) -> None:
        """Cancel every living task and run until they have ended.

        Raises:
            Deadlock, Hung: one of them never ends.
        """
        left = self.live_tasks()
        for task in left:
            task.cancel()
        if left:
            self.run_until_complete(tasks.gather(*left, return_exceptions=True))
        self.run_until_complete(self.shutdown_asyncgens())


def _life_of(handle: asyncio.Handle) -> Life | None:
    context: Context = handle._context  # type: ignore[attr-defined]
    return context.get(LIFE)


def _innermost(coro: Any) -> str:
    frame = None
    while coro is not None:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None) or frame
        coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None)
    if frame is None:
        return "its end"
    return f"{frame.f_code.co_qualname} line {frame.f_lineno}"
