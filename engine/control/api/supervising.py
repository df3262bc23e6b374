"""The API's own supervisor: whatever fails in it is told, and it begins again; trading hears nothing of it.

RELIABILITY 4.5: a failure of metrics or dashboard has no effect on trading. So this is one of the few places that catch
everything.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.clock import LiveClock, stopwatch_seconds
from engine.domain.timestamps import SECOND_NS

RESTARTS_MAX = 5
WITHIN_SECONDS = 600.0
WAIT_NS = SECOND_NS
WAIT_MAX_NS = 60 * SECOND_NS


async def keep_alive(life: Callable[[], Awaitable[None]], note: Callable[[str, Mapping[str, Any]], None]) -> None:
    """Run it again and again until cancelled: after five failures in ten minutes once a minute, else sooner."""
    failures: deque[float] = deque(maxlen=RESTARTS_MAX)
    clock = LiveClock()
    while True:
        try:
            await life()
        except Exception as error:  # the API may fail in any way; the run goes on
            told = leaf_of(error)
            failures.append(stopwatch_seconds())
            many = len(failures) == RESTARTS_MAX and failures[-1] - failures[0] < WITHIN_SECONDS
            wait_ns = WAIT_MAX_NS if many else WAIT_NS * 2 ** (len(failures) - 1)
            text = f"the control API failed, trading goes on: {type(told).__name__}: {told}"
            note("control", {"text": f"{text}; again in {wait_ns // SECOND_NS} s"})
            await clock.sleep(wait_ns)


def leaf_of(error: BaseException) -> BaseException:
    """What really happened, out of the groups that task groups wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
