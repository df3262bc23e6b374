"""HTTP calls, and the one door where what a network can do to a call becomes one of four errors.

Two ways to call. ``order`` takes a fresh connection, is sent once and can not be cancelled half way: a failure to
connect then proves that nothing left (RELIABILITY 3.4). ``read`` uses kept connections; whoever calls it may repeat it.
Neither follows redirects, retries, reads the environment, or logs; texts of errors hold method and path, never a query,
a header or a body.
"""

import ipaddress
import json
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from typing import Any, TypeVar
from urllib.parse import urlencode

import anyio
import httpx
import msgspec
from msgspec import Struct

from engine import traps
from engine.clock import Clock, LiveClock, ServerClock
from engine.domain.errors import BadMessage, ConfigError, NotSent, OutcomeUnknown
from engine.domain.timestamps import SECOND_NS, ns_from_datetime

T = TypeVar("T")

BODY_MAX = 8 * 1024 * 1024
"""Bytes of an answer's body we are willing to hold."""

REAL_FLOOR_SECONDS = 1.0
"""The wire does not run faster with a fast clock, so a deadline is never shorter than this on the machine's own."""

RETRY_AFTER_MAX_NS = 60 * SECOND_NS

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say the length of their body even where it is empty (RFC 9110, 8.6)."""


class Timeouts(Struct, frozen=True, kw_only=True):
    """Nanoseconds of the clock. ``total_ns`` is from connecting to the last byte; a slow trickle does not extend it."""

    connect_ns: int = 5 * SECOND_NS
    total_ns: int = 20 * SECOND_NS


class Answer(Struct, frozen=True):
    """A complete answer, whatever its status; ``request`` is method and path."""

    status: int
    headers: httpx.Headers
    body: bytes
    request: str

    @property
    def content_type(self) -> str:
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    def date_ns(self) -> int | None:
        """The server's ``Date``, nanoseconds UTC, whole seconds; None if it sent none that can be read."""
        try:
            return _http_date_ns(self.headers.get("date", ""))
        except ValueError:
            return None

    def retry_after_ns(self, now_ns: int) -> int | None:
        """``Retry-After`` as a span, held within 1 to 60 s whatever it says; None if absent or unreadable."""
        text = self.headers.get("retry-after", "").strip()
        if not text:
            return None
        try:
            # Ten digits are past every bound already; more of them must not become a giant integer.
            span = int(text[:10]) * SECOND_NS if text.lstrip("-").isdigit() else _http_date_ns(text) - now_ns
        except ValueError:
            return None
        return min(max(span, SECOND_NS), RETRY_AFTER_MAX_NS)


def _http_date_ns(text: str) -> int:
    moment = parsedate_to_datetime(text)
    return ns_from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class RestClient:
    """Calls to one server.

    Args:
        base_url: ``http(s)://host[:port]``; plain http only to this machine, unless ``insecure_lan``.
        transport: makes an HTTP transport; None takes httpx's own. It is called once for orders, once for reads.

    Raises:
        ConfigError: the address is not one of those.
    """

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        timeouts: Timeouts | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
        insecure_lan: bool = False,
        real_floor_seconds: float = REAL_FLOOR_SECONDS,
        body_max: int = BODY_MAX,
    ) -> None:
        self.base_url = checked_base_url(base_url, insecure_lan=insecure_lan)
        # Parsing an address takes longer than most of what else is done for a call; the same few are called for ever.
        self._url = lru_cache(maxsize=256)(httpx.URL)
        self._host = self._url(self.base_url).netloc.decode("ascii")
        spans = timeouts or Timeouts()
        connect = max(clock.real_seconds(spans.connect_ns), real_floor_seconds)
        self._total = max(clock.real_seconds(spans.total_ns), real_floor_seconds)
        # The first byte's deadline lies before the whole call's, so that "could not connect" stays provable.
        limits = {"connect": min(connect, self._total * 0.9), "pool": self._total}
        self._extensions = {"timeout": limits | {"read": self._total, "write": self._total}}
        self._body_max = body_max
        self._closed = False
        self._clock = clock
        self._theirs = clock.servers.setdefault(self.base_url, ServerClock()) if isinstance(clock, LiveClock) else None
        context = ssl.create_default_context() if self.base_url.startswith("https") else _no_context()
        # The transports alone: a client above them would keep cookies and write a log, for a tenth of a call's time.
        self._orders = transport() if transport is not None else _own_transport(context, keep_alive=0)
        self._reads = transport() if transport is not None else _own_transport(context, keep_alive=4)

    async def order(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Send once over a connection of its own; runs to its end or its deadline even if the caller is cancelled.

        Raises:
            NotSent: no byte left. OutcomeUnknown: bytes may have left and no whole answer came.
        """
        request = self._request(method, path, None, {**headers, "connection": "close"}, body)
        with anyio.move_on_after(self._total, shield=True):
            return await self._send(self._orders, request, f"{method} {path}")
        raise OutcomeUnknown(f"{method} {path}: no answer within {self._total:g} s")

    async def read(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        params: Mapping[str, str | int] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send once over a kept connection; may be repeated by the caller if the call changes nothing.

        Raises:
            NotSent, OutcomeUnknown: as ``order``.
        """
        request = self._request(method, path, params, headers, body)
        with anyio.move_on_after(self._total):
            return await self._send(self._reads, request, f"{method} {path}")
        raise OutcomeUnknown(f"{method} {path}: no answer within {self._total:g} s")

    async def close(self) -> None:
        self._closed = True
        await self._orders.aclose()
        await self._reads.aclose()

    def _request(
        self, method: str, path: str, params: Mapping[str, Any] | None, headers: Mapping[str, str], body: bytes
    ) -> httpx.Request:
        query = f"?{urlencode(params)}" if params else ""
        # Host and length are ours to set where the body is a stream: httpx then looks at neither body nor headers.
        sized = {"Content-Length": str(len(body))} if body or method in _WITH_BODY else {}
        halved = traps.passed is not traps.nobody and body
        return httpx.Request(
            method,
            self._url(f"{self.base_url}{path}{query}"),
            headers={"Host": self._host, **headers, **sized},
            stream=_InHalves(body, path) if halved else httpx.ByteStream(body),
            extensions=self._extensions,
        )

    async def _send(self, transport: httpx.AsyncBaseTransport, request: httpx.Request, name: str) -> Answer:
        if self._closed:
            raise NotSent(f"{name}: the connection is closed on our side")
        sent_ns = self._clock.now_ns
        try:
            response = await transport.handle_async_request(request)
            try:
                chunks, size = [], 0
                async for chunk in _pieces(response):
                    size += len(chunk)
                    if size > self._body_max:
                        raise OutcomeUnknown(f"{name}: answer longer than {self._body_max} bytes")
                    chunks.append(chunk)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise NotSent(f"{name}: could not connect: {_words(error)}") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise OutcomeUnknown(f"{name}: no whole answer: {_words(error)}") from error
        answer = Answer(response.status_code, response.headers, b"".join(chunks), name)
        self._compare_clocks(answer, sent_ns)
        return answer

    def _compare_clocks(self, answer: Answer, sent_ns: int) -> None:
        now_ns = self._clock.now_ns
        if self._theirs is not None and self._theirs.wants(now_ns) and (date_ns := answer.date_ns()) is not None:
            self._theirs.take(date_ns, sent_ns, now_ns)


class _InHalves(httpx.AsyncByteStream):
    """A body with a place to die in its middle: only where a test waits for it."""

    def __init__(self, body: bytes, path: str) -> None:
        self._body = body
        self._path = path

    def __aiter__(self) -> AsyncIterator[bytes]:
        return traps.in_halves(self._body, self._path)


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()


def _pieces(response: httpx.Response) -> AsyncIterable[bytes]:
    """The body as it comes, decoded where the server says that it is encoded."""
    if "content-encoding" in response.headers or not isinstance(response.stream, httpx.AsyncByteStream):
        return response.aiter_bytes()
    return response.stream


@cache
def _no_context() -> ssl.SSLContext:
    """What a transport for plain http is given, as it would make one of its own each time; it trusts nobody."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _own_transport(verify: ssl.SSLContext, keep_alive: int) -> httpx.AsyncBaseTransport:
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=keep_alive)
    return httpx.AsyncHTTPTransport(verify=verify, trust_env=False, http1=True, http2=False, limits=limits, retries=0)


def checked_base_url(text: str, *, insecure_lan: bool = False, schemes: tuple[str, str] = ("http", "https")) -> str:
    """The address without its last slash, if secrets may travel to it (RELIABILITY 6, TLS).

    Args:
        schemes: the plain one and the encrypted one: ``("ws", "wss")`` for sockets.

    Raises:
        ConfigError: not of the form scheme://host[:port][/path], with user info, or plain to another machine.
    """
    plain, secure = schemes
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in schemes or not url.host or url.userinfo or url.query or url.fragment:
        raise ConfigError(f"address {text!r}: write {secure}://host:port, without user, query or fragment")
    if url.scheme == plain and not insecure_lan and not is_this_machine(url.host):
        raise ConfigError(
            f"address {text!r}: {plain} is for this machine only; use {secure}, or set insecure_lan = true"
        )
    return text.rstrip("/")


def is_this_machine(host: str) -> bool:
    """Whether a host is the loopback: a simulator, or a server beside us."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def decode(answer: Answer, kind: type[T]) -> T:
    """The answer's JSON as ``kind``, strictly.

    Raises:
        BadMessage: not JSON of that shape; the body is kept in it for quarantine.
    """
    return decode_bytes(answer.body, kind, answer.request, status=answer.status)


def decode_bytes(body: bytes | str, kind: type[T], origin: str, *, status: int | None = None) -> T:
    """As ``decode``, for any bytes; ``origin`` says where they came from.

    Raises:
        BadMessage: as ``decode``.
    """
    try:
        found: T = _decoder(kind).decode(body)  # type: ignore[arg-type] # a type can be hashed
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        kept = body.encode("utf-8", "replace") if isinstance(body, str) else body
        raise BadMessage(f"{origin}: can not be read: {error}", status=status, body=kept) from error
    return found


@lru_cache(maxsize=256)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Made once a kind: for a union or a list, that takes longer than to decode one."""
    return msgspec.json.Decoder(kind)


def encode(value: Any) -> bytes:
    """Plain values as compact JSON with ``\\uXXXX`` for what is not ASCII, the same bytes for the same value."""
    return _COMPACT.encode(value).encode()


_COMPACT = json.JSONEncoder(separators=(",", ":"))
