"""What every request passes before a route sees it: Host and Origin, sizes, deadlines; and headers on the way back."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

import anyio
import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.control.api.problems import Problem

BODY_MAX = 64 * 1024
BODY_SECONDS = 10.0
"""How long a body may take to come."""
ANSWER_SECONDS = 150.0
"""How long an answer may take to be made and read; streams are without."""
OWN_ONLY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content security: own scripts and own data, nothing inline, nobody's frame."""
HEADERS = {
    "content-security-policy": OWN_ONLY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
CLOSE = {"connection": "close"}
STREAMS = frozenset({"/api/stream"})


class Edge:
    """ASGI, around the routes."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str], *, loopback: bool, tls: bool) -> None:
        """``hosts``: names by which it may be called; ``loopback``: whether it can be reached from here alone."""
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._loopback = loopback
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # There are no WebSockets here: an upgrade is never taken as far as a handshake.
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        answer = self._with_headers(send)
        if refusal is not None:
            status, code, text = refusal
            await _no(status, code, text)(scope, receive, answer)
            return
        body = _Body(receive)
        with anyio.CancelScope() as within:
            if scope["path"] not in STREAMS:
                within.deadline = anyio.current_time() + ANSWER_SECONDS
            await self._app(scope, body.receive, answer)
        if within.cancelled_caught:
            _hang_up(scope)

    def _refusal(self, headers: Headers) -> tuple[int, str, str] | None:
        """Status, code and sentence of a request that is not for us; None: it is."""
        host = headers.getlist("host")
        if len(host) != 1 or not self._ours(host[0]):
            return 421, "host", "this name is not one of this server's: add it to [control] hosts"
        origins = headers.getlist("origin")
        own = f"{'https' if self._tls else 'http'}://{host[0]}".lower()
        if any(origin.lower() != own for origin in origins):
            return 403, "origin", "pages of other sites may not ask here"
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "origin", "pages of other sites may not ask here"
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:12]) > BODY_MAX:
            return 413, "size", f"a body has at most {BODY_MAX} bytes"
        return None

    def _ours(self, host: str) -> bool:
        """A name in ``[control] hosts``, ``localhost``, or an address: names are what DNS rebinding needs."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._hosts or name == "localhost":
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._loopback

    def _with_headers(self, send: Send) -> "_Answer":
        return _Answer(send, tls=self._tls)


class _Answer:
    """``send`` with the headers of every answer."""

    def __init__(self, send: Send, *, tls: bool) -> None:
        self._send = send
        self._tls = tls

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self._tls:
                headers.setdefault("strict-transport-security", "max-age=31536000")
        await self._send(message)


class _Body:
    """``receive`` that counts and times the body. Raises: Problem: too much, or too slowly."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = BODY_MAX
        self._until = anyio.current_time() + BODY_SECONDS
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        with anyio.CancelScope(deadline=self._until) as within:
            message = await self._receive()
        if within.cancelled_caught:
            raise Problem(408, "slow", f"the body did not come within {BODY_SECONDS:g} s", headers=CLOSE)
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._left < 0:
                raise Problem(413, "size", f"a body has at most {BODY_MAX} bytes", headers=CLOSE)
        return message


def _no(status: int, code: str, text: str) -> Response:
    body = msgspec.json.encode({"error": text, "code": code})
    return Response(body, status_code=status, media_type="application/json", headers=CLOSE)


def _hang_up(scope: Scope) -> None:
    transport = scope.get("state", {}).get("transport")
    if transport is not None:
        transport.abort()
