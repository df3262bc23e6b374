"""A budget of calls kept below what the server counts, so that it never has to refuse one.

The server counts a call at some instant between our sending it and our having its answer. So a call weighs from the
moment it enters until a whole window, and a margin, after it left: whatever the server's instant was, we count it for
longer than it does.
"""

import enum
from bisect import insort
from collections import deque
from collections.abc import Mapping

import anyio
from msgspec import Struct

from engine.clock import Clock
from engine.domain.errors import NotSent
from engine.domain.timestamps import SECOND_NS


class Priority(enum.IntEnum):
    """Who goes first, and who may use how much of the window."""

    ORDER = 0
    LOGIN = 1
    READ = 2
    BACKGROUND = 3


class Ticket(Struct, eq=False):
    """One call in the budget: the class it counts as, and since when it is over (None: under way)."""

    call_class: str
    left_ns: int | None = None


class SlidingWindow:
    """The arithmetic of the budget, without waiting.

    Args:
        limits: calls in ``window_ns`` that the server takes, by class of call. With ``shared`` every rule counts *all*
            calls (contracts/virtual_market.md 5); otherwise each class counts its own.
        ceilings: what a priority may fill the window to; what lies above is room for the more urgent ones.
    """

    def __init__(
        self,
        limits: Mapping[str, int],
        *,
        window_ns: int = 60 * SECOND_NS,
        margin_ns: int = SECOND_NS,
        ceilings: Mapping[Priority, int] | None = None,
        shared: bool = True,
    ) -> None:
        self._limits = dict(limits)
        self._ceilings = dict(ceilings or {})
        self._span_ns = window_ns + margin_ns
        self._shared = shared
        self._calls: deque[Ticket] = deque()
        self._blocked_ns: dict[str, int] = {}
        self._refusals = 0

    def ready_ns(self, call_class: str, priority: Priority, now_ns: int) -> int | None:
        """The instant from which a call may enter (``now_ns`` or before: at once).

        None: not before a call under way has ended.
        """
        self._forget(now_ns)
        counted = [t for t in self._calls if self._shared or t.call_class == call_class]
        allowed = min(self._limits[call_class], self._ceilings.get(priority, self._limits[call_class]))
        # A call under way may be overtaken by this one, and must still find room when the server gets to it.
        allowed = min([allowed, *(self._limits[t.call_class] for t in counted if t.left_ns is None)])
        blocked = self._blocked_ns.get(call_class, 0)
        excess = len(counted) - allowed + 1
        if excess <= 0:
            return blocked
        ends = sorted(t.left_ns for t in counted if t.left_ns is not None)
        if len(ends) < excess:
            return None
        return max(blocked, ends[excess - 1] + self._span_ns)

    def enter(self, call_class: str) -> Ticket:
        """Count a call from now on; the caller has asked ``ready_ns``."""
        ticket = Ticket(call_class)
        self._calls.append(ticket)
        return ticket

    def leave(self, ticket: Ticket, now_ns: int, *, counted: bool = True) -> None:
        """The call is over; ``counted=False`` where the server provably never saw or never counted it."""
        if ticket.left_ns is not None:
            return
        ticket.left_ns = now_ns
        if not counted:
            self._calls = deque(t for t in self._calls if t is not ticket)

    def refused(self, call_class: str, now_ns: int, retry_after_ns: int | None = None) -> int:
        """The server said 429 all the same (others share our address): how long that class now waits.

        Until our oldest call leaves the window, at least 5, 10, then 20 s; classes with a lower limit wait with it.
        """
        self._refusals += 1
        wait = min(5 * 2 ** (self._refusals - 1), 20) * SECOND_NS
        ends = [t.left_ns + self._span_ns for t in self._calls if t.left_ns is not None]
        until = max(now_ns + (retry_after_ns or wait), min(ends, default=0))
        for name, limit in self._limits.items():
            if name == call_class or (self._shared and limit <= self._limits[call_class]):
                self._blocked_ns[name] = max(until, self._blocked_ns.get(name, 0))
        return until - now_ns

    def answered(self) -> None:
        """The server took a call: the back-off after refusals starts afresh."""
        self._refusals = 0

    def count(self, now_ns: int) -> int:
        """Calls in the window as we count them."""
        self._forget(now_ns)
        return len(self._calls)

    def _forget(self, now_ns: int) -> None:
        calls, span = self._calls, self._span_ns
        # Calls end out of turn, so the oldest may still be under way while later ones are long over.
        while calls and (left := calls[0].left_ns) is not None and left + span <= now_ns:
            calls.popleft()
        if calls and calls[0].left_ns is None:
            over = [t for t in calls if t.left_ns is not None and t.left_ns + span <= now_ns]
            for ticket in over:
                calls.remove(ticket)


class Budget:
    """A ``SlidingWindow`` one can wait at. The more urgent go first; equals in order of arrival."""

    def __init__(self, window: SlidingWindow, clock: Clock) -> None:
        self.window = window
        self._clock = clock
        self._waiting: list[tuple[int, int]] = []
        self._arrivals = 0
        self._changed = anyio.Event()

    async def acquire(self, call_class: str, priority: Priority, *, wait_max_ns: int | None = None) -> Ticket:
        """A place in the window; give it back with ``release`` when the call is over.

        Raises:
            NotSent: no place within ``wait_max_ns``.
        """
        if not self._waiting or self._waiting[0][0] > priority:
            ready = self.window.ready_ns(call_class, priority, now := self._clock.now_ns)
            if ready is not None and ready <= now:
                return self.window.enter(call_class)
        return await self._wait(call_class, priority, wait_max_ns)

    async def _wait(self, call_class: str, priority: Priority, wait_max_ns: int | None) -> Ticket:
        self._arrivals += 1
        place = (int(priority), self._arrivals)
        insort(self._waiting, place)
        give_up_ns = None if wait_max_ns is None else self._clock.now_ns + wait_max_ns
        try:
            while True:
                now = self._clock.now_ns
                ready = self.window.ready_ns(call_class, priority, now) if self._waiting[0] == place else None
                if ready is not None and ready <= now:
                    return self.window.enter(call_class)
                if give_up_ns is not None and now >= give_up_ns:
                    raise NotSent(f"call budget used up: {self.window.count(now)} calls in the last minute")
                wakes = [moment for moment in (ready, give_up_ns) if moment is not None]
                await self._change_or(min(wakes) if wakes else None)
        finally:
            self._waiting.remove(place)
            self._tell()

    def release(self, ticket: Ticket, *, counted: bool = True) -> None:
        self.window.leave(ticket, self._clock.now_ns, counted=counted)
        self._tell()

    def refused(self, call_class: str, retry_after_ns: int | None = None) -> int:
        """See ``SlidingWindow.refused``."""
        return self.window.refused(call_class, self._clock.now_ns, retry_after_ns)

    def _tell(self) -> None:
        if self._waiting:
            self._changed.set()
            self._changed = anyio.Event()

    async def _change_or(self, ts_ns: int | None) -> None:
        changed = self._changed
        if ts_ns is None:
            await changed.wait()
            return
        left = max(self._clock.real_seconds(ts_ns - self._clock.now_ns), 1e-6)
        with anyio.move_on_after(left):
            await changed.wait()
