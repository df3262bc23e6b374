"""The API on a port, in a task of ours: uvicorn's HTTP protocol without its server, its threads and its signals.

A connection that has not sent a whole header in time is cut, and where too many are open the one that has dawdled
longest goes first: a slow loris holds nobody's place but its own. Requests are let in one a turn of the loop: what
trades on it waits for one of them at most.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from engine.clock import Clock, stopwatch_seconds
from engine.domain.errors import ConfigError
from engine.domain.timestamps import SECOND_NS
from engine.net.serving import ends_quietly, hang_up, listening

HEADER_BYTES_MAX = 16 * 1024
REQUEST_BYTES_MAX = 1024 * 1024
"""Of one request as it comes over the wire, framing and trailers with it; what a body may hold is ``edge``'s to say."""
HEADER_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 30
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Crowd:
    """Every open connection, and which of them goes when there are too many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.open: dict[Any, None] = {}
        self.cut = 0
        """Connections that were cut, for want of a request or of room."""

    def admit(self, newcomer: Any) -> None:
        self.open[newcomer] = None
        if len(self.open) <= self._most:
            return
        # In order of coming: the first that has no request under way.
        idle = next((one for one in self.open if one.idle), newcomer)
        self._cut(idle)

    def leave(self, one: Any) -> None:
        self.open.pop(one, None)

    def sweep(self) -> None:
        """Cut those that began a request and have not come to the end of its header."""
        now = stopwatch_seconds()
        for one in [one for one in self.open if one.idle and one.begun and now - one.begun > HEADER_SECONDS]:
            self._cut(one)

    def _cut(self, one: Any) -> None:
        self.cut += 1
        self.leave(one)
        one.transport.abort()


def watched(crowd: Crowd) -> type[Any]:
    """uvicorn's protocol, told apart by whether a request is under way; its transport is in each request's scope."""
    parent: Any = HttpToolsProtocol

    class Watched(parent):  # type: ignore[misc]
        app_state: dict[str, Any]
        begun = 0.0
        """When the first byte of a header came, or the connection; 0: none is coming."""
        taken = 0
        """Bytes of the request that comes, or is under way."""

        @property
        def idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def connection_made(self, transport: Any) -> None:
            self.app_state = {**self.app_state, "transport": transport}
            self.begun = stopwatch_seconds()
            super().connection_made(transport)
            crowd.admit(self)

        def data_received(self, data: bytes) -> None:
            if self.idle and not self.begun:
                self.begun, self.taken = stopwatch_seconds(), 0
            self.taken += len(data)
            if self.taken > HEADER_BYTES_MAX and self._too_large(data):
                crowd.leave(self)
                self.transport.write(TOO_LARGE)
                self.transport.close()
                return
            super().data_received(data)
            if not self.idle:
                self.begun = 0.0

        def _too_large(self, data: bytes) -> bool:
            """The parser has no bound of its own: it would keep a header, or trailers, of any length."""
            if not self.idle:
                return self.taken > REQUEST_BYTES_MAX
            end = data.find(b"\r\n\r\n")
            return end < 0 or self.taken - len(data) + end > HEADER_BYTES_MAX

        def connection_lost(self, exc: Exception | None) -> None:
            crowd.leave(self)
            super().connection_lost(exc)

    return Watched


class Turnstile:
    """ASGI, around an app: one request a turn of the loop begins, in the order they came."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._shut = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        if self._shut:
            turn = loop.create_future()
            self._waiting.append(turn)
            await turn
        else:
            self._shut = True
            loop.call_soon(self._next)
        await self._app(scope, receive, send)

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._shut = False


def tls_context(cert: str, key: str) -> ssl.SSLContext:
    """For a server.

    Raises:
        ConfigError: a file is missing, or they do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for name, path in (("tls_cert", cert), ("tls_key", key)):
        if not path or not Path(path).is_file():
            raise ConfigError(f"[control] {name} {path!r}: there is no such file; name a PEM file")
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as why:
        raise ConfigError(f"[control] tls_cert, tls_key: can not be used ({why}); name a pair of PEM files") from why
    return context


async def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    clock: Clock,
    crowd: Crowd,
    tls: ssl.SSLContext | None = None,
    on_ready: Callable[[int], None] = lambda _port: None,
) -> None:
    """Until cancelled; then close every connection and cancel every request.

    Args:
        port: 0 takes a free one. clock: of real time. on_ready: called once with the port that is bound.

    Raises:
        ConfigError: the port can not be bound.
    """
    config = uvicorn.Config(
        ends_quietly(Turnstile(app)),
        loop="none",
        lifespan="off",
        interface="asgi3",
        http=watched(crowd),
        ws="none",
        date_header=True,
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_config=None,
        log_level="critical",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    state = ServerState()
    server = await listening(config, host, port, state, tls)
    try:
        on_ready(server.sockets[0].getsockname()[1])
        while True:
            await clock.sleep(SECOND_NS)
            crowd.sweep()
    finally:
        server.close()
        with anyio.CancelScope(shield=True):
            await hang_up(state, crowd.open)
