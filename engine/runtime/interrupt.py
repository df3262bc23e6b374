"""Handlers that never return: an interval timer looks in from time to time, and costs nothing between its looks.

At each look it finds the strategy's handler that was interrupted, if any. One that is found again a whole limit later
is stopped there, by raising ``StrategyHungError`` inside it; but only where no code of the engine is under way above
it, so that nothing is left half done. Handlers stuck inside a single call of C can not be reached.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType

from engine.bar_loop import in_a_row
from engine.quote_loop import rush
from engine.runner import StrategyRunner
from engine.runtime.skipping import CALLERS
from engine.seat import StrategyHungError

LIMIT_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.005
"""How soon to look again when the engine was at work."""

_IN_A_ROW = frozenset(code for code in in_a_row.__code__.co_consts if isinstance(code, CodeType))
LOOPS = CALLERS | _IN_A_ROW | {rush.__code__}
"""The loops of a replay that call a handler many times in a row."""


class _Watch:
    """What the last look saw: the frame that called a handler, and the handler's own."""

    def __init__(self, runner: StrategyRunner, limit_seconds: float) -> None:
        self._dispatchers = runner.dispatchers() | LOOPS
        self._limit = limit_seconds
        self._seen: tuple[FrameType, FrameType] | None = None

    def look(self, _signal: int, frame: FrameType | None) -> None:
        above: list[FrameType] = []
        while frame is not None and frame.f_code not in self._dispatchers:
            above.append(frame)
            frame = frame.f_back
        if frame is None or not above:
            self._seen = None
            return
        # A loop calls many handlers from one frame, and a coroutine goes on in the frame it had: both tell calls apart.
        call = (frame, above[-1])
        if self._seen is None or self._seen[0] is not call[0] or self._seen[1] is not call[1]:
            self._seen = call
        elif any(_is_engine(one) for one in above):
            signal.setitimer(signal.ITIMER_REAL, LOOK_AGAIN_SECONDS, self._limit)
        else:
            raise StrategyHungError(f"the handler did not return within {self._limit:g} s")


def _is_engine(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    # A handler without an event is wrapped in a function of the seat's, which has nothing to leave half done.
    return name.startswith("engine.") and name != "engine.seat"


@contextmanager
def interrupting(runner: StrategyRunner, limit_seconds: float = LIMIT_SECONDS) -> Iterator[None]:
    """Inside this block a handler that runs for one to two times ``limit_seconds`` (real time) is stopped.

    Does nothing where there is no such timer (Windows) or outside the main thread, which alone hears signals.
    """
    try:
        before = signal.signal(signal.SIGALRM, _Watch(runner, limit_seconds).look)
    except (ValueError, AttributeError):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, limit_seconds, limit_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
