"""One request at a time to one server, and a pause after each: it has no lock of its own (contracts/ht.md 1)."""

from bisect import insort
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from engine.clock import Clock
from engine.domain.errors import NotSent, OutcomeUnknown
from engine.domain.timestamps import SECOND_NS
from engine.net.rate_limit import Priority


class Turns:
    """Who may use the server now. The more urgent go first; equals in order of arrival.

    Args:
        spacing_ns: from the end of one request to the next.
        settle_ns: instead of it after a request without an answer, which goes on inside the server (5.1).
        late_ns: how long after an order without an answer the client may still be typing it: another one typed into
            the same form is placed with parts of both (contract 1), so none is begun.
    """

    def __init__(self, clock: Clock, *, spacing_ns: int, settle_ns: int, late_ns: int = 0) -> None:
        self._clock = clock
        self._spacing_ns = spacing_ns
        self._settle_ns = settle_ns
        self._late_ns = late_ns
        self._typed_ns = 0
        self._busy = False
        self._free_ns = 0
        self._waiting: list[tuple[int, int]] = []
        self._arrivals = 0
        self._changed = anyio.Event()

    @asynccontextmanager
    async def turn(self, priority: Priority, wait_max_ns: int | None = None) -> AsyncIterator[None]:
        """Hold the server for one request.

        Args:
            wait_max_ns: of an order: it is given back unsent rather than sent later.

        Raises:
            NotSent: it was not free within ``wait_max_ns``, or an order before it may still be under way.
        """
        await self._enter(priority, wait_max_ns)
        pause_ns = self._spacing_ns
        try:
            yield
        except (OutcomeUnknown, anyio.get_cancelled_exc_class()):
            pause_ns = self._settle_ns
            if wait_max_ns is not None:
                self._typed_ns = self._clock.now_ns + self._late_ns
            raise
        finally:
            self._busy = False
            self._free_ns = self._clock.now_ns + pause_ns
            self._tell()

    async def _enter(self, priority: Priority, wait_max_ns: int | None) -> None:
        self._arrivals += 1
        place = (int(priority), self._arrivals)
        insort(self._waiting, place)
        give_up_ns = None if wait_max_ns is None else self._clock.now_ns + wait_max_ns
        try:
            while True:
                now = self._clock.now_ns
                if give_up_ns is not None and now < self._typed_ns:
                    raise NotSent("an order before it has no answer and may still be under way; nothing was sent")
                is_first = self._waiting[0] == place and not self._busy
                if is_first and now >= self._free_ns:
                    self._busy = True
                    return
                if give_up_ns is not None and now >= give_up_ns:
                    raise NotSent(f"the server was busy for {(wait_max_ns or 0) / SECOND_NS:g} s; nothing was sent")
                if is_first:
                    # One more urgent may come meanwhile: it is asked again afterwards who is first.
                    until = self._free_ns if give_up_ns is None else min(self._free_ns, give_up_ns)
                    await self._clock.sleep(until - now)
                else:
                    await self._change_or(give_up_ns)
        finally:
            self._waiting.remove(place)
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _change_or(self, ts_ns: int | None) -> None:
        changed = self._changed
        if ts_ns is None:
            await changed.wait()
            return
        with anyio.move_on_after(max(self._clock.real_seconds(ts_ns - self._clock.now_ns), 1e-6)):
            await changed.wait()
