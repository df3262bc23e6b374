"""A proxy before a server: it answers itself now and then, garbles what comes back, mistreats frames that are pushed.

It stands behind the witness, who so sees every order that crossed the wire, and before the simulator, which then either
did what was asked or never heard of it (``EdgeKind.done``). ``fired`` counts go to the network's counters.
"""

import json
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.chaos.mishaps import PRICES, EdgeFault, EdgeKind, FrameFault, FrameKind
from engine.chaos.world import World
from engine.domain.timestamps import DAY_NS
from engine.simulators.faults import connection_of

ELSEWHERE_PORT = 9
"""Where a redirect leads: nobody may ever connect there."""
BODY_MAX = 1 << 20
LOGINS = ("/login", "/connect")
RETRY_AFTER = {
    EdgeKind.THROTTLE_SECONDS: "7",
    EdgeKind.THROTTLE_NEGATIVE: "-30",
    EdgeKind.THROTTLE_ENDLESS: "1000000000",
    EdgeKind.THROTTLE_JUNK: "soon",
}
DAILY = b'{"detail":"daily limit of orders reached"}'
THROTTLED = b'{"detail":"Too Many Requests"}'


class Edge:
    """ASGI layer around one server's app.

    Args:
        orders: whether a request to this path is an order.
    """

    def __init__(self, app: ASGIApp, world: World, port: int, orders: Callable[[str], bool]) -> None:
        self._app = app
        self._world = world
        self._orders = orders
        self._calls: Counter[bool] = Counter()
        self._refused = 0
        self._frames: Counter[bool] = Counter()
        self._answers = {(f.orders, f.call): f for f in world.schedule if isinstance(f, EdgeFault) and f.port == port}
        self._planned = [f for f in world.schedule if isinstance(f, FrameFault) and f.port == port]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._world.healed or not (self._answers or self._planned):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, _Pushed(self, scope, send).send)
        elif scope["type"] == "http" and (fault := self._draw(scope["path"])) is not None:
            await self._meddle(fault.kind, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _draw(self, path: str) -> EdgeFault | None:
        self._calls[False] += 1
        fault = self._answers.pop((False, self._calls[False]), None)
        if self._orders(path):
            self._calls[True] += 1
            fault = self._answers.pop((True, self._calls[True]), fault)
        first = path.endswith(LOGINS) or not self._world.trading
        if fault is not None and fault.kind is EdgeKind.UNAUTHORIZED and first:
            return None  # there it would say that password or key are wrong, which ends an engine, and rightly
        return fault

    async def _meddle(self, kind: EdgeKind, scope: Scope, receive: Receive, send: Send) -> None:
        if not kind.done:
            # A number of its own: the simulator, which numbers requests, never hears of this one.
            self._refused += 1
            scope.setdefault("state", {})["request"] = -self._refused
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                if not message.get("more_body", False):
                    break
            self._note(kind)
            status, headers, body = self._own(kind)
            await _say(send, status, headers, body)
            return
        start: Message = {}
        given = bytearray()

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            given.extend(message.get("body", b""))
            if not message.get("more_body", False):
                self._note(kind)
                headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
                status = 200 if kind in (EdgeKind.HTML, EdgeKind.EMPTY) else start["status"]
                await _say(send, status, headers, garbled(kind, bytes(given)))

        await self._app(scope, receive, collect)

    def _note(self, kind: EdgeKind) -> None:
        self._world.network.fired[f"edge.{kind.value}"] += 1

    def _own(self, kind: EdgeKind) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        plain = [(b"content-type", b"application/json")]
        if kind is EdgeKind.UNAUTHORIZED:
            return 401, plain, b'{"detail":"Unauthorized"}'
        if kind is EdgeKind.REDIRECT:
            return 302, [(b"location", f"http://127.0.0.1:{ELSEWHERE_PORT}/".encode())], b""
        if kind is EdgeKind.THROTTLE_DATE:
            when = formatdate(self._world.wall_ns() / 1e9 + 8, usegmt=True)
            return 429, [*plain, (b"retry-after", when.encode())], THROTTLED
        if kind in RETRY_AFTER:
            return 429, [*plain, (b"retry-after", RETRY_AFTER[kind].encode())], THROTTLED
        return 429, plain, DAILY if kind is EdgeKind.THROTTLE_DAILY else THROTTLED

    def frame_fault(self, prices: bool) -> FrameKind | None:
        """What becomes of the next frame; ``prices``: whether it is a quote."""
        self._frames[False] += 1
        self._frames[True] += prices
        if self._world.healed:
            return None
        for fault in self._planned:
            number = self._frames[fault.kind in PRICES]
            wanted = prices or fault.kind not in PRICES
            if wanted and fault.frame <= number < fault.frame + fault.count:
                self._world.network.note(fault)
                return fault.kind
        return None


class _Pushed:
    """The frames of one connection."""

    def __init__(self, edge: Edge, scope: Scope, send: Send) -> None:
        self._edge = edge
        self._scope = scope
        self._send = send
        self._held: Message | None = None
        self._silent = False

    async def send(self, message: Message) -> None:
        text = message.get("text")
        if message["type"] != "websocket.send" or text is None:
            await self._send(message)
            return
        if self._silent:
            return
        fault = self._edge.frame_fault('"quote"' in text and '"bid"' in text)
        held, self._held = self._held, None
        if fault is FrameKind.SWAP and held is None:
            self._held = message
            return
        for each in self._played(fault, message, text):
            await self._send(each)
        if held is not None:
            await self._send(held)

    def _played(self, fault: FrameKind | None, message: Message, text: str) -> list[Message]:
        match fault:
            case None | FrameKind.SWAP:
                return [message]
            case FrameKind.LOSE:
                return []
            case FrameKind.REPEAT:
                return [message, message]
            case FrameKind.STALL:
                self._silent = True
                return []
            case FrameKind.CUT | FrameKind.MASKED:
                transport = connection_of(self._scope)
                if fault is FrameKind.MASKED:
                    transport.write(b"\xff\xff\xff\xff garbage \x00")
                transport.close()
                self._silent = True
                return []
            case FrameKind.TRUNCATED:
                return [{"type": "websocket.send", "text": text[: len(text) // 2]}]
            case FrameKind.OVERSIZED:
                return [{"type": "websocket.send", "text": text + " " * (BODY_MAX + 1)}]
            case FrameKind.BINARY:
                return [{"type": "websocket.send", "bytes": b"\x80\x81" + text.encode()}]
            case _:
                return [{"type": "websocket.send", "text": json.dumps(mispriced(fault, json.loads(text)))}]


def mispriced(kind: FrameKind, row: dict[str, Any]) -> dict[str, Any]:
    """A quote that can not be: crossed, zero, ten times the price, or of the day before."""
    bid, ask = row["bid"], row["ask"]
    match kind:
        case FrameKind.CROSSED:
            return row | {"bid": ask * 1.01, "ask": bid * 0.99}
        case FrameKind.ZERO:
            return row | {"bid": 0.0, "ask": 0.0}
        case FrameKind.TENFOLD:
            return row | {"bid": bid * 10, "ask": ask * 10}
    return row | {"ts": row["ts"] - DAY_NS}


def garbled(kind: EdgeKind, body: bytes) -> bytes:
    """What is left of an answer."""
    match kind:
        case EdgeKind.HTML:
            return b"<html><head><title>502 Bad Gateway</title></head><body></body></html>"
        case EdgeKind.EMPTY:
            return b""
        case EdgeKind.GBK:
            return "{'结果': '成功'}".encode("gbk")
        case EdgeKind.MISSING_KEYS:
            return b"{}"
    try:
        table = json.loads(body)
    except ValueError:
        return body[: len(body) // 2]
    odd: Any = {EdgeKind.WRONG_TYPES: ["?"], EdgeKind.NOT_A_NUMBER: float("nan")}.get(kind, 2**63)
    return json.dumps(_with_odd(table, odd), ensure_ascii=False).encode()


def _with_odd(value: Any, odd: Any) -> Any:
    """The same table with every number in it replaced; of texts and flags nothing."""
    if isinstance(value, dict):
        return {key: _with_odd(each, odd) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_odd(each, odd) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return odd


async def _say(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
