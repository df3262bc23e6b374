"""Faults on the wire of a simulated remote system: drawn from a seed or told by a script, each one counted.

They are played below the level of JSON: a dropped answer is a closed TCP connection. That needs the connection, which
``serve`` puts into the request's scope; under it the same code cuts real sockets and the simulation's in-memory ones.
"""

import enum
from collections import Counter
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Protocol

from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.clock import Clock
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy

MILLISECOND_NS = 1_000_000


class Fault(enum.StrEnum):
    DELAY = "delay"
    """The request waits a little, then goes its way."""
    DROP_BEFORE = "drop_before"
    """Connection closed without an answer, nothing done."""
    DROP_AFTER = "drop_after"
    """Done, then the connection closed without an answer."""
    THROTTLED = "throttled"
    """429, nothing done."""
    ERROR_BEFORE = "error_before"
    """500, nothing done."""
    ERROR_AFTER = "error_after"
    """Done, then 500."""
    MALFORMED = "malformed"
    """Done, then a 200 whose body can not be read."""
    CUT = "cut"
    """Done, then the connection closed in the middle of the answer, at any byte."""
    LATE_ANSWER = "late_answer"
    """Done at once, answered when the client has long given up."""
    LATE_BOOKING = "late_booking"
    """Done, and answered, only when the client has long given up."""


_NOT_DONE = frozenset({Fault.DROP_BEFORE, Fault.THROTTLED, Fault.ERROR_BEFORE})


class Trigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Play ``fault`` on the ``call``-th call (from 1) of a route class, ``*`` counting all calls."""

    call: int
    fault: Fault
    route: str = "*"


class Faults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which faults come how often.

    ``probabilities`` reads route class -> fault -> chance a call; the class ``*`` holds for classes that have none of
    their own. ``delay_ms`` and ``late_ms`` are spans (lowest, highest) of the simulator's clock.
    """

    probabilities: dict[str, dict[Fault, float]] = {}
    only_trades: bool = False
    """Draw for the class ``trade`` alone; a script is not held back by it."""
    delay_ms: tuple[int, int] = (50, 1500)
    late_ms: tuple[int, int] = (15_000, 40_000)
    stop_after: int | None = None
    """No more drawn faults after this many."""
    script: tuple[Trigger, ...] = ()

    def __post_init__(self) -> None:
        for route, chances in self.probabilities.items():
            if any(chance < 0 for chance in chances.values()) or sum(chances.values()) > 1:
                raise ValueError(f"the fault probabilities of {route} must be 0 or more and sum up to at most 1")


class FaultPlan:
    """Says for each call which fault it gets; ``fired`` counts them, ``active = False`` ends the drawn ones."""

    def __init__(self, settings: Faults, entropy: Entropy, stream: str = "faults") -> None:
        self.settings = settings
        self.fired: Counter[Fault] = Counter()
        self.active = True
        self.script = list(settings.script)
        self._calls: Counter[str] = Counter()
        self._entropy = entropy
        self._stream = stream
        self._drawn = 0

    def draw(self, route: str) -> Fault | None:
        """Count a call of ``route`` and say what becomes of it."""
        self._calls[route] += 1
        self._calls["*"] += 1
        fault = self._scripted(route) or self._random(route)
        if fault is not None:
            self.fired[fault] += 1
        return fault

    def span_ns(self, span_ms: tuple[int, int]) -> int:
        return self._entropy.stream(f"{self._stream}/spans").randint(*span_ms) * MILLISECOND_NS

    def pick(self, size: int) -> int:
        """A number below ``size``, for a place to cut or a way to garble."""
        return self._entropy.stream(f"{self._stream}/places").randrange(max(size, 1))

    def _scripted(self, route: str) -> Fault | None:
        for trigger in self.script:
            if trigger.route in {route, "*"} and trigger.call == self._calls[trigger.route]:
                return trigger.fault
        return None

    def _random(self, route: str) -> Fault | None:
        settings = self.settings
        chances = settings.probabilities.get(route, settings.probabilities.get("*", {}))
        # Always one draw a call: switching a fault off must not move the later ones.
        point = self._entropy.stream(f"{self._stream}/{route}").random()
        exhausted = settings.stop_after is not None and self._drawn >= settings.stop_after
        if not self.active or exhausted or (settings.only_trades and route != "trade"):
            return None
        for fault, chance in chances.items():
            point -= chance
            if point < 0:
                self._drawn += 1
                return fault
        return None


class Answer(Struct, frozen=True):
    """A whole HTTP answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @classmethod
    def of(cls, status: int, content_type: str, body: bytes) -> "Answer":
        headers = ((b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode()))
        return cls(status, headers, body)


class Wording(Protocol):
    """How the faced system words what a fault makes it say."""

    def route_class(self, path: str) -> str: ...

    def throttled(self) -> Answer: ...

    def broken(self, path: str) -> Answer: ...

    def stamp(self) -> tuple[tuple[bytes, bytes], ...]:
        """Headers every answer carries: date, server."""

    def next_request(self) -> int:
        """The running number of a request."""


def http_date(now_ns: int) -> bytes:
    """An instant as the value of a ``Date`` header (RFC 9110, 5.6.7)."""
    return _http_date(now_ns // SECOND_NS)


@lru_cache(maxsize=16)
def _http_date(second: int) -> bytes:
    # Several answers go out in one second, and each carries it.
    return formatdate(second, usegmt=True).encode()


class FaultyEdge:
    """The outermost ASGI layer of a face: numbers requests, stamps answers, plays faults."""

    def __init__(self, app: ASGIApp, *, plan: FaultPlan, clock: Clock, wording: Wording) -> None:
        self._app = app
        self._plan = plan
        self._clock = clock
        self._wording = wording

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["request"] = self._wording.next_request()
        body = await _read(receive)
        if body is None:
            return
        fault = self._plan.draw(self._wording.route_class(scope["path"]))
        if fault is Fault.DELAY:
            await self._clock.sleep(self._plan.span_ns(self._plan.settings.delay_ms))
        elif fault is Fault.LATE_BOOKING:
            await self._clock.sleep(self._plan.span_ns(self._plan.settings.late_ms))
        if fault in _NOT_DONE:
            answer = self._undone(fault, scope["path"])
        else:
            answer = await _capture(self._app, scope, body)
            answer = await self._done(fault, answer, scope["path"])
        if answer is None:
            await _close(scope, receive, b"")
            return
        answer = Answer(answer.status, answer.headers + self._wording.stamp(), answer.body)
        if fault is Fault.CUT:
            raw = _raw(answer)
            await _close(scope, receive, raw[: 1 + self._plan.pick(len(raw) - 1)])
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
        await send({"type": "http.response.body", "body": answer.body})

    def _undone(self, fault: Fault | None, path: str) -> Answer | None:
        if fault is Fault.THROTTLED:
            return self._wording.throttled()
        if fault is Fault.ERROR_BEFORE:
            return self._wording.broken(path)
        return None

    async def _done(self, fault: Fault | None, answer: Answer, path: str) -> Answer | None:
        match fault:
            case Fault.DROP_AFTER:
                return None
            case Fault.ERROR_AFTER:
                return self._wording.broken(path)
            case Fault.MALFORMED:
                return self._garbled(answer)
            case Fault.LATE_ANSWER:
                await self._clock.sleep(self._plan.span_ns(self._plan.settings.late_ms))
        return answer

    def _garbled(self, answer: Answer) -> Answer:
        garbage = (
            b"",
            answer.body[: len(answer.body) // 2],
            b"<html><head><title>nginx</title></head><body>welcome</body></html>",
            "{'success': 真}".encode("gbk"),
            b"null",
        )
        return Answer.of(200, "application/json; charset=utf-8", garbage[self._plan.pick(len(garbage))])


def connection_of(scope: Mapping[str, Any]) -> Any:
    """The transport under a request.

    Raises:
        RuntimeError: the app is not served by ``engine.simulators.serve``.
    """
    transport = scope.get("state", {}).get("transport")
    if transport is None:
        raise RuntimeError("no connection to cut: serve the app with engine.simulators.serve")
    return transport


async def _read(receive: Receive) -> bytes | None:
    """The request's body; None where the client left before it was complete."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _capture(app: ASGIApp, scope: Scope, body: bytes) -> Answer:
    status = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], tuple(message["headers"])
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(status, headers, b"".join(parts))


def _raw(answer: Answer) -> bytes:
    lines = [b"HTTP/1.1 %d OK" % answer.status, *(name + b": " + value for name, value in answer.headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + answer.body


async def _close(scope: Scope, receive: Receive, first: bytes) -> None:
    """Send some raw bytes, close the connection, and wait until the server has noticed, so that it answers nothing."""
    transport = connection_of(scope)
    if first:
        transport.write(first)
        transport.close()
    else:
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
