"""The layers between socket and routes, outermost first: connections, one thread, rate limit, key, addresses.

The order is the server's (contracts/easyths.md 1): the rate limit counts calls without a key too, the address is looked
at after the key. Its one thread is what makes ``/result`` block everybody.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, Protocol

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.clock import Clock
from engine.domain.timestamps import SECOND_NS
from engine.simulators.easyths import messages
from engine.simulators.easyths.messages import TEXT_TYPE, internal_text, refused

OPEN_PATHS = frozenset({"/docs", "/redoc", "/openapi.json"})
ASSETS = "/static-offline-docs/"
"""What the two pages load; a browser can not send the key for it."""


class Killed(Exception):
    """The server went down while it worked on this request: there is no answer."""


class Host(Protocol):
    """The process that serves: its thread, which of its lives it is in, the connections it holds."""

    clock: Clock
    life: int
    thread: anyio.Lock
    connections: dict[Any, None]


class Connections:
    """Knows every open connection; closes one after a 500 in text, and cuts those of a server that went down."""

    def __init__(self, app: ASGIApp, host: Host) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        transport = scope.get("state", {}).get("transport")
        if transport is not None:
            known = self._host.connections
            self._host.connections = {one: None for one in (*known, transport) if not one.is_closing()}
        breaks = False

        async def watched(message: Message) -> None:
            nonlocal breaks
            if message["type"] == "http.response.start":
                breaks = message["status"] == 500 and Headers(raw=message["headers"]).get("content-type") == TEXT_TYPE
            await send(message)
            if breaks and message["type"] == "http.response.body" and transport is not None:
                transport.close()

        try:
            await self._app(scope, receive, watched)
        except Killed:
            if transport is not None:
                transport.abort()
                while (await receive())["type"] != "http.disconnect":
                    pass


class OneThread:
    """One request after the other: the whole server waits while one of them does."""

    def __init__(self, app: ASGIApp, host: Host, *, shared: bool) -> None:
        self._app = app
        self._host = host
        self._shared = shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._shared:
            await self._app(scope, receive, send)
            return
        life = self._host.life
        async with self._host.thread:
            if life != self._host.life:
                raise Killed
            await self._app(scope, receive, send)


class RateLimit:
    """Accepted calls of one address in one second, at most ``calls``; a refused one is not counted.

    The refusal is raised where nothing catches it, so that it is a 500 in text.
    """

    window_ns = SECOND_NS

    def __init__(self, app: ASGIApp, host: Host, calls: int) -> None:
        self._app = app
        self._host = host
        self._calls = calls
        self._seen: defaultdict[str, deque[int]] = defaultdict(deque)
        self._life = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._calls:
            await self._app(scope, receive, send)
            return
        now_ns = self._host.clock.now_ns
        if self._life != self._host.life:
            self._life = self._host.life
            self._seen.clear()
        seen = self._seen[_address(scope)]
        while seen and now_ns - seen[0] >= self.window_ns:
            seen.popleft()
        if len(seen) >= self._calls:
            await internal_text()(scope, receive, send)
            return
        seen.append(now_ns)
        left = max(0, self._calls - len(seen))

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["x-ratelimit-limit"] = str(self._calls)
                headers["x-ratelimit-remaining"] = str(left)
                headers["x-ratelimit-reset"] = str((now_ns + self.window_ns) // SECOND_NS)
            await send(message)

        await self._app(scope, receive, stamped)


class KeyCheck:
    """Bearer key: the word in any case, exactly one blank; without a key configured everything is open."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if not self._key or not path or path in OPEN_PATHS or path.startswith(ASSETS):
            await self._app(scope, receive, send)
            return
        scheme, _, key = (Headers(scope=scope).get("authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            await refused(401, messages.NO_KEY, {"www-authenticate": "Bearer"})(scope, receive, send)
        elif key != self._key:
            await refused(401, messages.WRONG_KEY)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class AddressCheck:
    """The white list; a pattern may begin or end with a star. It believes the headers of a proxy."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self._app = app
        self._allowed = tuple(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._allowed:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        forwarded, real = headers.get("x-forwarded-for"), headers.get("x-real-ip")
        address = (forwarded.split(",")[0] if forwarded else real or _address(scope)).strip()
        if any(_matches(address, pattern) for pattern in self._allowed):
            await self._app(scope, receive, send)
            return
        body = {"error": "Access denied", "message": "Your IP is not in the whitelist", "ip": address}
        await refused(403, body)(scope, receive, send)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"


def _matches(address: str, pattern: str) -> bool:
    if pattern.startswith("*"):
        return address.endswith(pattern[1:])
    if pattern.endswith("*"):
        return address.startswith(pattern[:-1])
    return address == pattern
