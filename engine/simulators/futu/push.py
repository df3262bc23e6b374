"""``/ws``: frames with protobuf bodies to everybody who may see them, and what goes wrong on the way.

There is no replay and no numbering: who is not connected, reads too slowly, or is hit by a fault, has lost the frame
(contracts/futu.md 10.1).
"""

import base64
import enum
from collections import Counter, deque
from typing import Any

import anyio
import msgspec
from msgspec import Struct
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.clock import Clock
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.simulators.faults import connection_of
from engine.simulators.futu.keys import Key
from engine.simulators.futu.schema import encoded

REPEAT_NS = 5 * SECOND_NS
"""An identical payload of one (proto_id, sec_key) goes out once in this time."""


class PushFault(enum.StrEnum):
    LOSE = "lose"
    """The frame never comes."""
    REPEAT = "repeat"
    """It comes twice."""
    SWAP = "swap"
    """It comes after the next one."""
    DELAY = "delay"
    """It comes later, whatever comes in between."""
    CUT = "cut"
    """The TCP connection is closed in its place."""
    STALL = "stall"
    """The connection stays open and nothing comes any more."""


class PushTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Play ``fault`` on the ``frame``-th frame (from 1) of the ``connection``-th connection (from 1)."""

    connection: int
    frame: int
    fault: PushFault


class PushFaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Chances of one frame; ``only`` limits the drawn ones to frames of that type."""

    chances: dict[PushFault, float] = {}
    only: str | None = None
    delay_ms: tuple[int, int] = (200, 3000)
    stop_after: int | None = None
    script: tuple[PushTrigger, ...] = ()

    def __post_init__(self) -> None:
        if any(chance < 0 for chance in self.chances.values()) or sum(self.chances.values()) > 1:
            raise ValueError("the chances of push faults must be 0 or more and sum up to at most 1")
        if self.only not in {None, "quote", "trade", "notify"}:
            raise ValueError(f"push faults hit quote, trade or notify frames only, not {self.only}")


class Frame(Struct, frozen=True):
    """One frame, and who may see it."""

    type: str
    text: str
    acc_id: int | None = None
    market: str | None = None


class Pusher:
    """All connections of one gateway.

    ``fired`` counts the faults played, ``overflowed`` frames a slow reader lost, ``sent`` frames that went out,
    ``filtered`` those a key was not shown, by (scope, key).
    """

    def __init__(self, settings: PushFaults, queue_max: int, clock: Clock, entropy: Entropy) -> None:
        self.settings = settings
        self.queue_max = queue_max
        self.clock = clock
        self.fired: Counter[PushFault] = Counter()
        self.filtered: Counter[tuple[str, str]] = Counter()
        self.overflowed = 0
        self.sent = 0
        self.active = True
        """False ends the drawn faults; the script goes on."""
        self.cards: dict[int, str | None] = {}
        """acc_id -> card number, for keys limited to cards."""
        self.connections: list[Connection] = []
        self._count = 0
        self._entropy = entropy
        self._drawn = 0
        self._repeats: dict[tuple[int, str], tuple[bytes, int]] = {}

    @property
    def listening(self) -> bool:
        return bool(self.connections)

    def join(self, socket: WebSocket, key: Key | None) -> "Connection":
        self._count += 1
        connection = Connection(self, socket, key, self._count)
        self.connections.append(connection)
        return connection

    def leave(self, connection: "Connection") -> None:
        self.connections.remove(connection)

    def quote(self, proto_id: int, sec_key: str, sub: int, rehab: int, s2c: dict[str, Any], now_ns: int) -> None:
        body = encoded(proto_id, s2c)
        # K-lines of several periods are told apart inside the body, so they share the filter's key harmlessly.
        known = self._repeats.get((proto_id, sec_key))
        if known is not None and known[0] == body and now_ns - known[1] < REPEAT_NS:
            return
        self._repeats[proto_id, sec_key] = (body, now_ns)
        head = {"type": "quote", "proto_id": proto_id, "sec_key": sec_key, "sub_type": sub, "rehab_type": rehab}
        self._publish(Frame("quote", _text(head, body)))

    def trade(self, proto_id: int, acc_id: int, market: str, s2c: dict[str, Any]) -> None:
        head = {"type": "trade", "proto_id": proto_id, "acc_id": acc_id, "trd_market": market}
        self._publish(Frame("trade", _text(head, encoded(proto_id, s2c)), acc_id, market))

    def notify(self, s2c: dict[str, Any]) -> None:
        self._publish(Frame("notify", _text({"type": "notify", "proto_id": 1003}, encoded(1003, s2c))))

    def cut_all(self) -> None:
        """Close every TCP connection at once."""
        for connection in list(self.connections):
            connection.cut()

    def fault(self, connection: int, number: int, kind: str) -> PushFault | None:
        """What becomes of one frame. One draw a frame, whatever it is: settings of one fault move no other."""
        settings = self.settings
        point = self._entropy.stream(f"futu/push/{connection}").random()
        found = next((t.fault for t in settings.script if t.connection == connection and t.frame == number), None)
        exhausted = settings.stop_after is not None and self._drawn >= settings.stop_after
        if found is None and self.active and not exhausted and settings.only in {None, kind}:
            for fault, chance in settings.chances.items():
                point -= chance
                if point < 0:
                    found = fault
                    self._drawn += 1
                    break
        if found is not None:
            self.fired[found] += 1
        return found

    def delay_ns(self) -> int:
        return self._entropy.stream("futu/push/spans").randint(*self.settings.delay_ms) * 1_000_000

    def _publish(self, frame: Frame) -> None:
        for connection in self.connections:
            connection.offer(frame)


class Connection:
    """One client; ``key`` None: the legacy mode, which shows everything."""

    def __init__(self, pusher: Pusher, socket: WebSocket, key: Key | None, number: int) -> None:
        self._pusher = pusher
        self._socket = socket
        self._key = key
        self._number = number
        self._waiting: deque[Frame] = deque()
        self._raw: deque[Frame] = deque()
        self._held: Frame | None = None
        self._news = anyio.Event()
        self._frames = 0
        self._dead = False

    def offer(self, frame: Frame) -> None:
        """Queue a frame, where the key may see it; a full queue loses its oldest."""
        missing = self._hidden(frame)
        if missing is not None:
            self._pusher.filtered[missing, self._key.metric_id if self._key else "none"] += 1
            return
        if len(self._waiting) >= self._pusher.queue_max:
            self._waiting.popleft()
            self._pusher.overflowed += 1
        self._waiting.append(frame)
        self._news.set()

    def cut(self) -> None:
        self._dead = True
        connection_of(self._socket.scope).abort()

    async def send_all(self, group: anyio.abc.TaskGroup) -> None:
        """Send what is queued, until cancelled."""
        while True:
            while self._waiting or self._raw:
                if self._raw:
                    await self._send(self._raw.popleft())
                    continue
                await self._pass(self._waiting.popleft(), group)
            self._news = anyio.Event()
            await self._news.wait()

    async def receive_all(self) -> None:
        """The socket is push-only: whatever the client says is ignored, until it leaves."""
        while True:
            try:
                message = await self._socket.receive()
            except WebSocketDisconnect:
                return
            if message["type"] == "websocket.disconnect":
                return

    async def _pass(self, frame: Frame, group: anyio.abc.TaskGroup) -> None:
        self._frames += 1
        match self._pusher.fault(self._number, self._frames, frame.type):
            case PushFault.LOSE:
                return
            case PushFault.CUT:
                self.cut()
                return
            case PushFault.STALL:
                self._dead = True
                return
            case PushFault.DELAY:
                group.start_soon(self._later, frame)
                return
            case PushFault.SWAP if self._held is None:
                self._held = frame
                group.start_soon(self._release, frame)
                return
            case PushFault.REPEAT:
                await self._send(frame)
        await self._send(frame)
        if self._held is not None:
            held, self._held = self._held, None
            await self._send(held)

    async def _later(self, frame: Frame) -> None:
        await self._pusher.clock.sleep(self._pusher.delay_ns())
        self._raw.append(frame)
        self._news.set()

    async def _release(self, frame: Frame) -> None:
        """Where no next frame comes, the one held back goes out all the same."""
        await self._pusher.clock.sleep(self._pusher.settings.delay_ms[1] * 1_000_000)
        if self._held is frame:
            self._held = None
            self._raw.append(frame)
            self._news.set()

    async def _send(self, frame: Frame) -> None:
        if self._dead:
            return
        try:
            await self._socket.send_text(frame.text)
            self._pusher.sent += 1
        except WebSocketDisconnect:
            # ``receive_all`` hears of it too, and ends the connection.
            self._dead = True

    def _hidden(self, frame: Frame) -> str | None:
        """The scope a key lacks for a frame; ``acc:read`` also where account or market are not on its lists."""
        if self._key is None:
            return None
        scope = "acc:read" if frame.type == "trade" else "qot:read"
        if scope not in self._key.scopes:
            return scope
        limits = self._key.limits
        if frame.acc_id is not None and not self._key.allows_account(
            frame.acc_id, self._pusher.cards.get(frame.acc_id)
        ):
            return scope
        if (
            frame.market is not None
            and limits.allowed_markets is not None
            and frame.market not in limits.allowed_markets
        ):
            return scope
        return None


def _text(head: dict[str, Any], body: bytes) -> str:
    return msgspec.json.encode(head | {"body_b64": base64.b64encode(body).decode()}).decode()
