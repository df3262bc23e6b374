"""The one client all sessions drive: its window, its pop-ups, its order forms, and how long work in it takes.

Nothing holds requests apart unless there is a lock: parallel ones work the same window at the same time, and two orders
on one page come out with each other's price and quantity (contracts/ht.md 1).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import anyio
from msgspec import Struct

from engine.clock import Clock
from engine.domain.timestamps import SECOND_NS

POPUP = "提示：您有新的消息，请注意查收"

BALANCE_S = 0.25
TABLE_S = 4.3
CANCEL_LIST_S = 4.8
ORDER_S = (2.0, 4.0)
CANCEL_S = 8.7
CANCEL_ALL_S = 1.6
CONNECT_S = 2.0
REFRESH_S = 0.5
LOGIN_S = (37.0, 60.0)
STRATEGY_S = 1.0
SUBSCRIBE_S = 6.0
"""Pauses of the automation in seconds; spans are (least, most): contracts/ht.md 4. That of a subscription is ours."""


class Gone(Exception):
    """The server was restarted under a request: its connection breaks, and it does nothing any more."""


class Typed(Struct, frozen=True):
    """What is written on an order form beside the code; a market order's has no price."""

    price: float | None
    quantity: int


class Window:
    """Args:
    factor: on every pause; 0 for none. random: draws the pauses that are spans. lock: one request at a time.
    """

    def __init__(self, clock: Clock, random: Random, *, factor: float, lock: bool) -> None:
        self.up = True
        """Whether the client runs."""
        self.popup: str | None = None
        self.tables_readable = True
        self.labels_readable = True
        self.clock = clock
        self.factor = factor
        self.random = random
        self.life = anyio.Event()
        """Of the server before it; set when that life ends."""
        self._lock = anyio.Lock() if lock else None
        self._forms: dict[str, list[Typed]] = {}

    def end(self) -> None:
        """The client ends, for every session."""
        self.up = False
        self.popup = None
        self._forms.clear()

    def server_restarts(self) -> None:
        """Requests under way do nothing more; the client stays as it is."""
        self.life.set()
        self.life = anyio.Event()
        self._forms.clear()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["Turn"]:
        """One request's work in the window."""
        turn = Turn(self)
        if self._lock is None:
            yield turn
            return
        async with self._lock:
            turn.check()
            yield turn

    def write(self, page: str, typed: Typed) -> None:
        """Type an order's price and quantity on a page."""
        self._forms.setdefault(page, []).append(typed)

    def press(self, page: str, own: Typed) -> Typed | None:
        """Send what a page shows: what another request typed there meanwhile, if one did; None: the client was ended.

        What was seen of two orders at once is that each went with the other's price and quantity.
        """
        shown = self._forms.get(page)
        if not shown:
            return None
        place = next((n for n in reversed(range(len(shown))) if shown[n] is not own), 0)
        return shown.pop(place)

    def take_popup(self) -> str | None:
        """Close the pop-up, if one is open; its text."""
        text, self.popup = self.popup, None
        return text


class Turn:
    """How time passes for one request; each wait raises ``Gone`` once the server was restarted under it."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._life = window.life

    def check(self) -> None:
        if self._life.is_set():
            raise Gone

    async def wait(self, pause: float | tuple[float, float], part: float = 1.0) -> None:
        """A pause of the automation, or ``part`` of it where something happens within."""
        low, high = pause if isinstance(pause, tuple) else (pause, pause)
        seconds = self._window.random.uniform(low, high) * part * self._window.factor
        await self.hang(round(seconds * SECOND_NS))

    async def hang(self, span_ns: int) -> None:
        """A wait that no factor changes."""
        if span_ns > 0:
            with anyio.move_on_after(self._window.clock.real_seconds(span_ns)):
                await self._life.wait()
        self.check()
