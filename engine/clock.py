"""The only place that knows the time.

Live, everything that waits asks a ``LiveClock``, whose ``speed`` turns hours of market into seconds; replay moves a
``ReplayClock`` from event to event. Both speak nanoseconds UTC.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import anyio

from engine.domain.timestamps import SECOND_NS


class Clock(Protocol):
    @property
    def now_ns(self) -> int:
        """This moment, nanoseconds UTC; never runs backwards within a run."""

    def real_seconds(self, duration_ns: int) -> float:
        """How many seconds of this machine a span of this clock takes."""

    async def sleep(self, duration_ns: int) -> None: ...

    async def sleep_until(self, ts_ns: int) -> None: ...


class ServerClock:
    """How far a server's clock is from ours, as far as its dates prove it (RELIABILITY 4.2, 3.5).

    A date of whole seconds, given while we waited for an answer, bounds the difference from both sides; the bounds of
    several are narrower than those of one.
    """

    KEEP = 12
    EVERY_NS = 10 * SECOND_NS

    def __init__(self) -> None:
        self._bounds: deque[tuple[int, int]] = deque(maxlen=self.KEEP)
        self._next_ns = 0

    def wants(self, now_ns: int) -> bool:
        """Whether another date is worth being read."""
        return now_ns >= self._next_ns

    def take(self, date_ns: int, sent_ns: int, received_ns: int) -> None:
        """A date the server gave between two moments of our clock."""
        self._next_ns = received_ns + self.EVERY_NS
        low, high = date_ns - received_ns, date_ns + SECOND_NS - sent_ns
        if self._bounds and not (low <= self._high and high >= self._low):
            # One of the clocks was set: what was known before is of no use.
            self._bounds.clear()
        self._bounds.append((low, high))

    @property
    def offset_ns(self) -> int:
        """The least difference that explains the dates, theirs less ours; 0 where none is proven."""
        if not self._bounds:
            return 0
        return max(self._low, 0) + min(self._high, 0)

    @property
    def _low(self) -> int:
        return max(low for low, _ in self._bounds)

    @property
    def _high(self) -> int:
        return min(high for _, high in self._bounds)


def _steady_ns() -> int:
    """The monotonic clock; where the system has one that goes on while the machine is suspended, that one.

    A run that woke up with the other would be behind the market for the rest of the day (RELIABILITY 3.3, C28).
    """
    return time.clock_gettime_ns(_STEADY) if _STEADY is not None else time.monotonic_ns()


_STEADY: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux has it; elsewhere Python's own monotonic clock is taken."""


class LiveClock:
    """Wall-clock time, read once and carried on by the monotonic clock (RELIABILITY 2.4, I15).

    Args:
        speed: clock seconds a real second; 1 trades, 600 shows a market day in two minutes.
        start_ns: what the clock shows at ``anchor_ns``; default: the wall clock itself.
        anchor_ns: the wall-clock moment at which it shows ``start_ns``; two processes that are given the same
            ``speed``, ``start_ns`` and ``anchor_ns`` agree on the time. Default: now.
        monotonic_ns, wall_ns: where time comes from; the simulation passes its loop's.
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        start_ns: int | None = None,
        anchor_ns: int | None = None,
        monotonic_ns: Callable[[], int] = _steady_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"a clock's speed is above 0, not {speed}")
        self.speed = speed
        self.servers: dict[str, ServerClock] = {}
        """Address -> what its dates say; whoever calls a server keeps it."""
        self.real = speed == 1 and start_ns is None
        """Whether it shows the time of this machine's wall clock."""
        wall = self._zero_wall = wall_ns()
        self._wall_ns = wall_ns
        anchor = wall if anchor_ns is None else anchor_ns
        start = anchor if start_ns is None else start_ns
        self._monotonic_ns = monotonic_ns
        self._zero_mono = monotonic_ns()
        self._zero = start + round((wall - anchor) * speed)
        self._held_ns = 0

    @property
    def now_ns(self) -> int:
        return self._held_ns or self._zero + round((self._monotonic_ns() - self._zero_mono) * self.speed)

    def hold(self, at_ns: int = 0) -> int:
        """Stand still until ``release``, now or at a given moment; gives the moment.

        While the core works on one input nothing waits, so nobody misses the time that does not pass; and the input
        with its one moment is then all that is needed to do the same again.
        """
        self._held_ns = at_ns or self.now_ns
        return self._held_ns

    def release(self) -> None:
        """Go on, as if it had never stood still."""
        self._held_ns = 0

    @property
    def held_seconds(self) -> float:
        """How long it has stood still (real time); 0 where it goes."""
        if not self._held_ns:
            return 0.0
        now_ns = self._zero + round((self._monotonic_ns() - self._zero_mono) * self.speed)
        return max(0.0, self.real_seconds(now_ns - self._held_ns))

    @property
    def slip_ns(self) -> int:
        """How far the wall clock has moved ahead of the monotonic one since the start (real time): a step, or a sleep
        of the machine, which the monotonic clock does not count."""
        return (self._wall_ns() - self._zero_wall) - (self._monotonic_ns() - self._zero_mono)

    def real_seconds(self, duration_ns: int) -> float:
        return duration_ns / self.speed / SECOND_NS

    async def sleep(self, duration_ns: int) -> None:
        await anyio.sleep(max(0.0, self.real_seconds(duration_ns)))

    async def sleep_until(self, ts_ns: int) -> None:
        # Rounding may wake a hair early; a timer must never fire before its time.
        while (left := ts_ns - self.now_ns) > 0:  # noqa: ASYNC110 - there is no event, only time
            await anyio.sleep(max(self.real_seconds(left), 1e-6))


class ReplayClock:
    """Stands still until it is moved; only the replay loop moves it."""

    __slots__ = ("now_ns",)

    def __init__(self, now_ns: int = 0) -> None:
        self.now_ns = now_ns

    def real_seconds(self, duration_ns: int) -> float:
        return duration_ns / SECOND_NS

    async def sleep(self, duration_ns: int) -> None:
        raise RuntimeError("nothing in replay may wait on the clock; ask the replay loop for a timer")

    async def sleep_until(self, ts_ns: int) -> None:
        raise RuntimeError("nothing in replay may wait on the clock; ask the replay loop for a timer")


def cpu_seconds() -> float:
    """CPU time of this process, for figures about speed."""
    return time.process_time()


def stopwatch_seconds() -> float:
    """A monotonic reading in real seconds, for figures about latency and progress."""
    return time.perf_counter()
