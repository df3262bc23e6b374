"""Noticing that this process stood still: its machine was suspended, it was stopped, or something held up the loop.

What the venue did meanwhile is not known, and what was decided before is old: like a lost session, the account is read
before any order leaves (RELIABILITY 3.3, C28).
"""

from collections.abc import Awaitable, Callable

from engine.clock import Clock
from engine.domain.timestamps import SECOND_NS

BEAT_NS = 5 * SECOND_NS
GAP_NS = 30 * SECOND_NS
REAL_BEAT_SECONDS = 0.25
REAL_GAP_SECONDS = 2.0
"""A fast clock does not make the machine faster: a busy one is no suspended one."""
RETRY_NS = 2 * SECOND_NS


class Pulse:
    """A beat, and whether one was missed.

    Args:
        look: reads the account; False if that failed.
        missed: told once for each time, with its length in nanoseconds.
        resumed: called when orders need wait no longer.
    """

    def __init__(
        self,
        clock: Clock,
        look: Callable[[], Awaitable[bool]],
        missed: Callable[[int], None],
        resumed: Callable[[], None],
    ) -> None:
        self._resumed = resumed
        self._clock = clock
        self._look = look
        self._missed = missed
        speed = BEAT_NS / SECOND_NS / clock.real_seconds(BEAT_NS)
        self._beat_ns = max(BEAT_NS, round(REAL_BEAT_SECONDS * speed * SECOND_NS))
        self._gap_ns = max(GAP_NS, round(REAL_GAP_SECONDS * speed * SECOND_NS))
        self._last_ns: int | None = None
        self._blind = False

    def holds(self) -> bool:
        """Whether orders must wait: a beat is missing, or was and the account has not been read since."""
        return self._blind or (self._last_ns is not None and self._clock.now_ns - self._last_ns > self._gap_ns)

    async def run(self) -> None:
        """Until cancelled."""
        self._last_ns = self._clock.now_ns
        while True:
            await self._clock.sleep(self._beat_ns)
            stood_ns = self._clock.now_ns - self._last_ns
            if stood_ns > self._gap_ns:
                self._blind = True
                self._missed(stood_ns)
                while not await self._look():
                    await self._clock.sleep(RETRY_NS)
                self._blind = False
                self._last_ns = self._clock.now_ns
                self._resumed()
            self._last_ns = self._clock.now_ns
