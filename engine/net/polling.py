"""A poll loop: asks on marks of the clock and in between, backs off when asking fails, and never dies of a network.

``fetch`` talks to the network, and all it may raise is contained here; ``deliver`` is ours, and what it raises stops
the engine, as it should (DESIGN, "Import floors").
"""

import enum
import random
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from engine.clock import Clock
from engine.domain.errors import GatewayError, NotSent
from engine.domain.timestamps import SECOND_NS
from engine.net.backoff import Backoff

T = TypeVar("T")


class LinkState(enum.StrEnum):
    """What a connection loop says of itself. STALE: the far side is there, but nothing usable comes."""

    CONNECTED = "connected"
    STALE = "stale"
    DISCONNECTED = "disconnected"


OnState = Callable[[LinkState, str], None]


class Schedule:
    """When to ask next: shortly after each mark, and every ``slow_ns`` in between.

    Args:
        mark_ns: marks are at whole multiples of it since the epoch; 0: there are none.
        after_ns: earliest and latest moment after a mark.
        slow_ns: called with the present moment, so that closed hours can be slower.
    """

    def __init__(
        self,
        draw: random.Random,
        *,
        slow_ns: Callable[[int], int],
        mark_ns: int = 0,
        after_ns: tuple[int, int] = (2 * SECOND_NS, 3 * SECOND_NS),
    ) -> None:
        self._draw = draw
        self._slow_ns = slow_ns
        self._mark_ns = mark_ns
        self._after_ns = after_ns

    def next_ns(self, now_ns: int) -> int:
        """The next moment to ask, after an asking that began at ``now_ns``."""
        slow = now_ns + self._slow_ns(now_ns)
        if not self._mark_ns:
            return slow
        earliest, latest = self._after_ns
        mark = (now_ns - earliest) // self._mark_ns * self._mark_ns + self._mark_ns
        return min(slow, mark + earliest + self._draw.randrange(latest - earliest + 1))


class PollLoop(Generic[T]):
    """Asks until cancelled. A change of state is told once, not once a failure.

    Args:
        fetch: one asking; its errors, of whatever kind, mean a failed poll.
        deliver: gets each answer, together with the moment the asking began.
    """

    def __init__(
        self,
        clock: Clock,
        backoff: Backoff,
        schedule: Callable[[int], int],
        fetch: Callable[[], Awaitable[T]],
        deliver: Callable[[T, int], None],
        on_state: OnState,
    ) -> None:
        self._clock = clock
        self._backoff = backoff
        self._schedule = schedule
        self._fetch = fetch
        self._deliver = deliver
        self._on_state = on_state
        self._state: LinkState | None = None
        self._woken = anyio.Event()
        self.failures = 0

    def wake(self) -> None:
        """Ask now instead of at the next due moment."""
        self._woken.set()

    async def run(self) -> None:
        while True:
            began = self._clock.now_ns
            self._woken = anyio.Event()
            try:
                answer = await self._fetch()
            except Exception as error:
                self.failures += 1
                reached = isinstance(error, GatewayError) and not isinstance(error, NotSent)
                state = LinkState.STALE if reached else LinkState.DISCONNECTED
                self._tell(state, str(error) or type(error).__name__)
                due = self._clock.now_ns + self._backoff.next_ns()
            else:
                self._backoff.reset()
                self._tell(LinkState.CONNECTED, "")
                self._deliver(answer, began)
                due = self._schedule(began)
            await self._sleep_until(due)

    def _tell(self, state: LinkState, reason: str) -> None:
        if state is not self._state:
            self._state = state
            self._on_state(state, reason)

    async def _sleep_until(self, due_ns: int) -> None:
        while (left := due_ns - self._clock.now_ns) > 0 and not self._woken.is_set():
            with anyio.move_on_after(max(self._clock.real_seconds(left), 1e-6)):
                await self._woken.wait()
        # A schedule already past must not starve the loop.
        await anyio.lowlevel.checkpoint()
