"""A WebSocket that stays: connects, subscribes, watches the age of its data, and begins again when it breaks."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from engine.clock import Clock
from engine.domain.errors import BadMessage, NotSent
from engine.domain.timestamps import SECOND_NS
from engine.net.backoff import Backoff
from engine.net.polling import LinkState, OnState

FRAME_MAX = 1024 * 1024


class _Connect(connect):
    """``connect`` follows redirects of the handshake by itself; secrets go nowhere but where config says."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class SocketLoop:
    """Runs until cancelled.

    Args:
        greeting: the frames that subscribe to all that is wanted now; sent, in order, after every connect.
        on_message: gets each frame. ``BadMessage`` from it means the frame can not be read: counted, told to
            ``on_bad``, and the connection is made again. Whatever else it raises stops the engine.
        expects_data: is silence at this moment a failure? False in closed hours.
        stale_ns: silence of the clock after which an open socket is taken for dead (RELIABILITY 5.1, N15).
        keepalive: a frame of the venue's own to send every ``keepalive_ns``, if it wants one.
        on_open: runs after connect and before ``greeting``, for venues with a login of their own.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        draw: random.Random,
        *,
        greeting: Callable[[], Iterable[str | bytes]],
        on_message: Callable[[str | bytes], None],
        on_state: OnState,
        on_bad: Callable[[BadMessage], None] = lambda _error: None,
        expects_data: Callable[[int], bool] = lambda _now_ns: True,
        on_open: Callable[[ClientConnection], Awaitable[None]] | None = None,
        headers: Callable[[], dict[str, str]] = dict,
        stale_ns: int = 30 * SECOND_NS,
        open_timeout_ns: int = 10 * SECOND_NS,
        backoff_cap_ns: int = 30 * SECOND_NS,
        keepalive: str | bytes | None = None,
        keepalive_ns: int = 10 * SECOND_NS,
    ) -> None:
        self._url = url
        self._clock = clock
        self._greeting = greeting
        self._on_message = on_message
        self._on_state = on_state
        self._on_bad = on_bad
        self._expects_data = expects_data
        self._on_open = on_open
        self._headers = headers
        self._stale_ns = stale_ns
        self._open_seconds = max(clock.real_seconds(open_timeout_ns), 1.0)
        self._backoff = Backoff(draw, cap_ns=backoff_cap_ns)
        self._steady_ns = backoff_cap_ns
        self._keepalive = keepalive
        self._keepalive_ns = keepalive_ns
        self._socket: ClientConnection | None = None
        self._heard_ns = 0
        self._state: LinkState | None = None
        self._fatal: Exception | None = None
        """What a callback of ours raised: carried past the place that contains the network's errors."""
        self.connects = 0
        self.bad_messages = 0

    async def run(self) -> None:
        while True:
            began = self._clock.now_ns
            reason = await self._session()
            if self._fatal is not None:
                raise self._fatal
            self._tell(LinkState.DISCONNECTED, reason)
            # A peer that lets us in and drops us at once must not be hammered: only a steady connection resets.
            if self._clock.now_ns - began >= self._steady_ns:
                self._backoff.reset()
            await self._clock.sleep(self._backoff.next_ns())

    async def send(self, frame: str | bytes) -> None:
        """Send on the open socket.

        Raises:
            NotSent: there is none; what ``greeting`` gives will go out at the next connect.
        """
        if self._socket is None:
            raise NotSent(f"{self._url}: not connected")
        try:
            await self._socket.send(frame)
        except ConnectionClosed as error:
            raise NotSent(f"{self._url}: {error}") from error

    async def _session(self) -> str:
        """One connection, from its making to its end; why it ended."""
        try:
            async with self._open() as socket:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._watch, socket)
                    if self._keepalive is not None:
                        group.start_soon(self._keep_alive, socket, self._keepalive)
                    reason = await self._listen(socket)
                    group.cancel_scope.cancel()
                return reason
        except Exception as error:
            return _first_words(error)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[ClientConnection]:
        socket = await _Connect(
            self._url,
            proxy=None,
            compression=None,
            open_timeout=self._open_seconds,
            close_timeout=1.0,
            ping_interval=20.0,
            ping_timeout=20.0,
            max_size=FRAME_MAX,
            additional_headers=self._headers(),
        )
        try:
            if self._on_open is not None:
                await self._on_open(socket)
            for frame in self._greeting():
                await socket.send(frame)
            self.connects += 1
            self._heard_ns = self._clock.now_ns
            self._socket = socket
            self._told(LinkState.CONNECTED, "")
            yield socket
        finally:
            self._socket = None
            with anyio.CancelScope(shield=True):
                await socket.close()

    async def _listen(self, socket: ClientConnection) -> str:
        while True:
            try:
                frame = await socket.recv()
            except ConnectionClosed as error:
                return str(error)
            self._heard_ns = self._clock.now_ns
            try:
                self._on_message(frame)
            except BadMessage as error:
                self.bad_messages += 1
                self._on_bad(error)
                return f"unreadable message: {error.message}"
            except Exception as error:
                self._fatal = error
                return ""

    async def _watch(self, socket: ClientConnection) -> None:
        """Close a socket that is open and silent; ``_listen`` then ends by itself."""
        while True:
            due = self._heard_ns + self._stale_ns
            await self._clock.sleep(max(due - self._clock.now_ns, self._stale_ns // 10))
            now = self._clock.now_ns
            if now - self._heard_ns < self._stale_ns:
                continue
            if self._expects_data(now):
                self._told(LinkState.STALE, f"silent for {(now - self._heard_ns) / SECOND_NS:.0f} s")
                await socket.close()
                return
            self._heard_ns = now

    async def _keep_alive(self, socket: ClientConnection, frame: str | bytes) -> None:
        while True:
            await self._clock.sleep(self._keepalive_ns)
            try:
                await socket.send(frame)
            except ConnectionClosed:
                return

    def _told(self, state: LinkState, reason: str) -> None:
        """``_tell`` from inside the contained part: what our own callback raises must still stop the engine."""
        try:
            self._tell(state, reason)
        except Exception as error:
            self._fatal = error
            raise

    def _tell(self, state: LinkState, reason: str) -> None:
        if state is not self._state:
            self._state = state
            self._on_state(state, reason)


def _first_words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".rstrip(": ")


__all__ = ["FRAME_MAX", "LinkState", "SocketLoop"]
