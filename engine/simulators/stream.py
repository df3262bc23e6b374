"""A WebSocket face that pushes quotes, trades and bars of the exchange as plain JSON, one object a frame.

The client sends ``{"op": "subscribe", "kind": "quote" | "trade" | "bar", "instruments": ["CY.VSM"], "interval": "5m"}``
(``interval`` for bars alone), ``{"op": "unsubscribe", ...}`` with the same fields, ``{"op": "ping"}``. The server sends
``subscribed``, ``pong``, ``error`` (with ``message``), the data (``quote``, ``trade``, ``bar``; ``ts`` in nanoseconds
UTC, a bar's being its end), and ``heartbeat`` every ten seconds of clock time. A new subscriber to quotes gets the
present one at once. An unsubscription is not answered.
"""

import enum
from collections import Counter, deque
from typing import Any

import anyio
import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.clock import Clock
from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, duration_ns
from engine.entropy import Entropy
from engine.simulators.exchange import Exchange
from engine.simulators.faults import connection_of
from engine.simulators.prices import merge

HEARTBEAT_NS = 10 * SECOND_NS
KINDS = ("quote", "trade", "bar")


class StreamFault(enum.StrEnum):
    STALL = "stall"
    """The connection stays open and nothing comes any more, heartbeats included."""
    CUT = "cut"
    """The TCP connection is closed without a closing handshake."""
    DROP = "drop"
    """One frame never comes."""


class StreamTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Play ``fault`` instead of the ``frame``-th data frame (from 1) of the ``connection``-th connection (from 1)."""

    connection: int
    frame: int
    fault: StreamFault


class StreamSimulator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Chances are those of one data frame."""

    stall: float = 0.0
    cut: float = 0.0
    drop: float = 0.0
    script: tuple[StreamTrigger, ...] = ()
    queue_max: int = 1000
    """Frames that may wait for a slow client; then the oldest is thrown away."""

    def __post_init__(self) -> None:
        if min(self.stall, self.cut, self.drop) < 0 or self.stall + self.cut + self.drop > 1:
            raise ValueError("stall, cut and drop must be 0 or more and sum up to at most 1")

    def exchange(self, clock: Clock, entropy: Entropy) -> Exchange:
        """The default virtual market's."""
        from engine.simulators.virtual_market import VirtualMarketSimulator

        return VirtualMarketSimulator().exchange(clock, entropy)

    def app(self, clock: Clock, entropy: Entropy, *, exchange: Exchange | None = None) -> Starlette:
        """The face at ``/stream``. ``app.state.stream`` is the running ``Stream``."""
        stream = Stream(self, clock, entropy, self.exchange(clock, entropy) if exchange is None else exchange)
        app = Starlette(routes=[WebSocketRoute("/stream", stream.serve)])
        app.state.stream = stream
        return app


class Stream:
    """All connections of one face; ``fired`` counts the faults played, ``overflowed`` the frames thrown away."""

    def __init__(self, settings: StreamSimulator, clock: Clock, entropy: Entropy, exchange: Exchange) -> None:
        self.settings = settings
        self.clock = clock
        self.exchange = exchange
        self.fired: Counter[StreamFault] = Counter()
        self.overflowed = 0
        self.connections = 0
        self.active = True
        """False ends the drawn faults; the script goes on."""
        self._rng = entropy.stream("stream/faults")

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        self.connections += 1
        await _Connection(self, socket, self.connections).run()

    def fault(self, connection: int, frame: int) -> StreamFault | None:
        """What becomes of one data frame."""
        settings = self.settings
        point = self._rng.random()
        found = next(
            (t.fault for t in settings.script if t.connection == connection and t.frame == frame),
            None,
        )
        chances = (
            (StreamFault.STALL, settings.stall),
            (StreamFault.CUT, settings.cut),
            (StreamFault.DROP, settings.drop),
        )
        for fault, chance in chances if found is None and self.active else ():
            point -= chance
            if point < 0:
                found = fault
                break
        if found is not None:
            self.fired[found] += 1
        return found


class _Connection:
    """One client: what it asked for, what waits to be sent to it."""

    def __init__(self, stream: Stream, socket: WebSocket, number: int) -> None:
        self._stream = stream
        self._socket = socket
        self._number = number
        self._wanted: set[tuple[str, str, int]] = set()
        self._waiting: deque[tuple[bool, dict[str, Any]]] = deque()
        self._news = anyio.Event()
        self._frames = 0
        self._stalled = False

    async def run(self) -> None:
        stop = self._stream.exchange.listen(self._hear)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._send)
                group.start_soon(self._heartbeat)
                group.start_soon(self._drive)
                await self._receive()
                group.cancel_scope.cancel()
        finally:
            stop()

    async def _receive(self) -> None:
        while True:
            try:
                message = await self._socket.receive()
            except WebSocketDisconnect:
                return
            if message["type"] == "websocket.disconnect":
                return
            raw = message.get("text") or message.get("bytes") or b""
            try:
                self._obey(msgspec.json.decode(raw))
            except (msgspec.DecodeError, ValueError, TypeError, UnicodeDecodeError) as problem:
                self._answer({"type": "error", "message": str(problem)})

    def _obey(self, request: Any) -> None:
        if not isinstance(request, dict):
            raise TypeError("a request is a JSON object with an op")
        match request.get("op"):
            case "ping":
                self._answer({"type": "pong"})
            case "subscribe":
                kind, names, interval_ns = self._asked(request)
                self._wanted |= {(kind, name, interval_ns) for name in names}
                self._answer({"type": "subscribed", "kind": kind, "instruments": names})
                if kind == "quote":
                    self._present(names)
            case "unsubscribe":
                kind, names, interval_ns = self._asked(request)
                self._wanted -= {(kind, name, interval_ns) for name in names}
            case other:
                raise ValueError(f"unknown op {other!r}; use subscribe, unsubscribe or ping")

    def _asked(self, request: dict[str, Any]) -> tuple[str, list[str], int]:
        kind, names = request.get("kind"), request.get("instruments")
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}; use quote, trade or bar")
        if not isinstance(names, list) or not names:
            raise ValueError("instruments must be a list of ids, as in ['CY.VSM']")
        known = {self._stream.exchange.instrument(stock.listing.code) for stock in self._stream.exchange.listed}
        strangers = [name for name in names if name not in known]
        if strangers:
            raise ValueError(f"unknown instrument {strangers[0]!r}")
        if kind != "bar":
            return kind, names, 0
        step_ns = self._stream.exchange.interval_ns
        interval_ns = duration_ns(str(request["interval"])) if "interval" in request else step_ns
        if interval_ns % step_ns or DAY_NS % interval_ns:
            raise ValueError(f"bars of {request['interval']} are not made here; use a multiple of {_interval(step_ns)}")
        return kind, names, interval_ns

    def _present(self, names: list[str]) -> None:
        now_ns = self._stream.clock.now_ns
        self._stream.exchange.advance(now_ns)
        for name in names:
            self._push(_quote(self._stream.exchange.quote(self._stream.exchange.code_of(name), now_ns)))

    def _hear(self, event: Bar | Quote | Trade) -> None:
        name = event.instrument
        if isinstance(event, Quote):
            if ("quote", name, 0) in self._wanted:
                self._push(_quote(event))
        elif isinstance(event, Trade):
            if ("trade", name, 0) in self._wanted:
                row = {"type": "trade", "instrument": name, "ts": event.ts_ns, "price": event.price, "size": event.size}
                self._push(row)
        else:
            for kind, wanted, interval_ns in sorted(self._wanted):
                if kind == "bar" and wanted == name and event.ts_ns % interval_ns == 0:
                    self._push(self._bar(event, interval_ns))

    def _bar(self, last: Bar, interval_ns: int) -> dict[str, Any]:
        """The exchange's own bars over ``interval_ns`` up to this one, as one."""
        stock = self._stream.exchange.stock(self._stream.exchange.code_of(last.instrument))
        assert stock is not None
        recent: list[Bar] = []
        for bar in reversed(stock.bars):
            if bar.ts_ns <= last.ts_ns - interval_ns:
                break
            recent.append(bar)
        figures = merge(recent[::-1])
        head = {"type": "bar", "instrument": last.instrument, "ts": last.ts_ns, "interval": _interval(interval_ns)}
        return head | figures._asdict()

    def _answer(self, row: dict[str, Any]) -> None:
        self._queue(False, row)

    def _push(self, row: dict[str, Any]) -> None:
        self._queue(True, row)

    def _queue(self, is_data: bool, row: dict[str, Any]) -> None:
        if len(self._waiting) >= self._stream.settings.queue_max:
            self._waiting.popleft()
            self._stream.overflowed += 1
        self._waiting.append((is_data, row))
        self._news.set()

    async def _send(self) -> None:
        while True:
            while self._waiting:
                is_data, row = self._waiting.popleft()
                if is_data and not self._stalled and not self._passes():
                    continue
                if not self._stalled:
                    try:
                        await self._socket.send_text(msgspec.json.encode(row).decode())
                    except WebSocketDisconnect:
                        # ``_receive`` hears of it too, and ends the connection.
                        return
            self._news = anyio.Event()
            await self._news.wait()

    def _passes(self) -> bool:
        """Whether a data frame goes out."""
        self._frames += 1
        match self._stream.fault(self._number, self._frames):
            case StreamFault.STALL:
                self._stalled = True
                return False
            case StreamFault.CUT:
                self._stalled = True
                connection_of(self._socket.scope).abort()
                return False
            case StreamFault.DROP:
                return False
        return True

    async def _heartbeat(self) -> None:
        while True:
            await self._stream.clock.sleep(HEARTBEAT_NS)
            self._answer({"type": "heartbeat", "ts": self._stream.clock.now_ns})

    async def _drive(self) -> None:
        """Move the market at its marks: nobody else may be asking it."""
        exchange, clock = self._stream.exchange, self._stream.clock
        while True:
            await clock.sleep_until(exchange.next_mark_ns())
            exchange.advance(clock.now_ns)


def _quote(quote: Quote) -> dict[str, Any]:
    return {
        "type": "quote",
        "instrument": quote.instrument,
        "ts": quote.ts_ns,
        "bid": quote.bid,
        "ask": quote.ask,
        "bid_size": quote.bid_size,
        "ask_size": quote.ask_size,
    }


def _interval(interval_ns: int) -> str:
    for unit, size_ns in (("h", HOUR_NS), ("m", MINUTE_NS), ("s", SECOND_NS)):
        if interval_ns % size_ns == 0:
            return f"{interval_ns // size_ns}{unit}"
    return f"{interval_ns // 1_000_000}ms"
