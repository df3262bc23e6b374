"""Server-Sent Events: one pump makes each event's bytes once, every stream has a bounded queue of its own.

Five times a second the pump takes what has happened: records that are durable, prices that changed, alerts. Nothing is
hooked into the way of a quote or an order. A reader that falls ``QUEUE_MAX`` rounds behind is cut, and comes back to
ask the lists anew.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from msgspec import Struct
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from engine.control.api.account_views import account_views, fill_view, level_of, position_views, price_view
from engine.control.api.health_views import data_ages, feeds
from engine.control.api.journal_routes import AlertView, record_view
from engine.control.api.order_views import denied_view, order_view
from engine.control.api.problems import Problem
from engine.control.api.risk_routes import DenialView
from engine.control.api.shapes import Moment, at, portable
from engine.domain.events import (
    AccountLink,
    Alert,
    Fill,
    LatchCleared,
    LatchSet,
    OrderDenied,
    StrategyStopped,
)
from engine.domain.ids import ClientOrderId
from engine.domain.jobs import StrategyStarted
from engine.domain.market import FeedStatus
from engine.domain.timestamps import SECOND_NS

if TYPE_CHECKING:
    from engine.control.api.cockpit import Cockpit
    from engine.control.live_session import Session

QUEUE_MAX = 256
PERIOD_NS = SECOND_NS // 5
SLICE, BREATH_NS = 4, SECOND_NS // 1_000
"""So many readers are served at once, and then whoever else waits."""
SLOW_EVERY = 5
"""Rounds between two looks at accounts, positions and the state of the run."""
TOPICS = (
    "status", "accounts", "positions", "prices", "orders", "fills", "denials", "latches", "strategies", "alerts",
    "feeds", "records",
)  # fmt: skip
DEFAULT = frozenset(TOPICS) - {"records"}
EVENT_STREAM = "text/event-stream"


class Pulse(Struct, frozen=True, kw_only=True):
    """The event ``status``, once a second."""

    now: Moment | None
    ready: bool
    level: int
    loop_lag_ms: float
    journal_behind: int
    orders: int
    fills: int
    denied: int
    working: int
    stale: list[str]
    """Instruments whose data is not fresh."""


class Stream:
    """One reader."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self.queue: deque[bytes] = deque()
        self.wake = anyio.Event()
        self.scope = anyio.CancelScope()
        self.overrun = False

    def put(self, chunk: bytes) -> None:
        """Hand over, or cut who reads too slowly."""
        if len(self.queue) >= QUEUE_MAX:
            self.overrun = True
            self.scope.cancel()
            return
        self.queue.append(chunk)
        self.wake.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            if not self.queue:
                self.wake = anyio.Event()
                await self.wake.wait()
            chunk = b"".join(self.queue)
            self.queue.clear()
            yield chunk


class Streams:
    """All of them, and the pump."""

    def __init__(self, cockpit: "Cockpit", most: int) -> None:
        self._cockpit = cockpit
        self._most = most
        self.open: dict[Stream, None] = {}
        self.cut = 0
        """Readers that were too slow."""
        self._session: Session | None = None
        self._prices: dict[str, Any] = {}
        self._said: dict[str, bytes] = {}
        self._round = 0

    def join(self, topics: frozenset[str]) -> Stream:
        """Raises: Problem: 503, too many are open."""
        if len(self.open) >= self._most:
            raise Problem(503, "streams", f"{self._most} streams are open already", headers={"retry-after": "10"})
        stream = Stream(topics)
        self.open[stream] = None
        session = self._cockpit.found
        # From this turn on: what happens behind the whole picture must not fall between it and the next round.
        self._turn_to(session)
        stream.put(_event("hello", {"topics": [topic for topic in TOPICS if topic in topics]}))
        if session is not None:
            stream.put(b"".join(body for topic, body in self._whole(session) if topic in topics))
        return stream

    def leave(self, stream: Stream) -> None:
        self.open.pop(stream, None)
        self.cut += stream.overrun

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._cockpit.wall.sleep(PERIOD_NS)
                self._turn_to(self._cockpit.found if self.open else None)
                if self._session is not None:
                    await self._pump(self._session)
        finally:
            self._turn_to(None)

    def _turn_to(self, session: "Session | None") -> None:
        """Listen to this session, and to no other."""
        if session is self._session:
            return
        for one, listens in ((self._session, False), (session, True)):
            if one is not None:
                one.seen.pumped = listens
                one.seen.records.clear()
                one.seen.fresh.clear()
        self._session = session
        self._prices, self._said = {}, {}

    async def _pump(self, session: "Session") -> None:
        self._round += 1
        parts = [*self._happened(session), *self._moved(session)]
        if self._round % SLOW_EVERY == 0:
            parts += self._slow(session)
        if self._round % (SLOW_EVERY * 15) == 0:
            parts.append(("", b": still here\n\n"))
        if not parts:
            return
        clean = self._cockpit.redactor.clean
        parts = [(topic, _cleaned(body, clean)) for topic, body in parts]
        chunks: dict[frozenset[str], bytes] = {}
        for number, stream in enumerate(list(self.open), 1):
            if stream.topics not in chunks:
                chunks[stream.topics] = b"".join(body for topic, body in parts if not topic or topic in stream.topics)
            if chunks[stream.topics]:
                stream.put(chunks[stream.topics])
            if number % SLICE == 0:
                # Fifty sends in one turn of the loop would keep an order waiting behind them.
                await self._cockpit.wall.sleep(BREATH_NS)

    # --- what has happened -------------------------------------------------------------------------------------------

    def _happened(self, session: "Session") -> list[tuple[str, bytes]]:
        """Records that are durable by now, the orders they are about, and what is not in the journal."""
        seen, durable_seq = session.seen, session.run.journal.durable_seq
        parts: list[tuple[str, bytes]] = []
        touched: dict[ClientOrderId, None] = {}
        wanted = any("records" in stream.topics for stream in self.open)
        while seen.records and seen.records[0][0] <= durable_seq:
            seq, record = seen.records.popleft()
            if wanted:
                parts.append(("records", _event("record", record_view(seq, record), seq)))
            name = getattr(record, "client_id", "")
            if isinstance(record, OrderDenied):
                denial = DenialView(
                    code=record.code, reason=record.reason, order=denied_view(record), at=at(record.ts_ns)
                )  # fmt: skip
                parts.append(("denials", _event("denial", denial)))
            elif name:
                touched[ClientOrderId(name)] = None
            elif isinstance(record, LatchSet | LatchCleared):
                parts.append(("latches", _event("latch", portable(record))))
        orders = session.run.core.manager.orders
        for client_id in touched:
            if client_id in orders:
                parts.append(("orders", _event("order", order_view(orders[client_id]))))
        return [*parts, *self._unjournaled(seen.fresh, behind=bool(seen.records))]

    def _unjournaled(self, fresh: deque[Any], *, behind: bool) -> Iterable[tuple[str, bytes]]:
        """``behind``: records wait for the disk, and a fill may be one of them; then it waits too."""
        kept: list[Any] = []
        while fresh:
            event = fresh.popleft()
            if isinstance(event, Fill):
                if behind:
                    kept.append(event)
                else:
                    yield "fills", _event("fill", fill_view(event))
            elif isinstance(event, Alert):
                yield "alerts", _event("alert", AlertView(about=event.about, text=event.text, at=at(event.ts_ns)))
            elif isinstance(event, FeedStatus):
                yield "feeds", _event("feed", {**portable(event), "at": at(event.ts_ns)})
            elif isinstance(event, AccountLink):
                yield "feeds", _event("link", {**portable(event), "at": at(event.ts_ns)})
            elif isinstance(event, StrategyStopped):
                yield "strategies", _event("strategy", {"name": event.strategy, "stopped": event.reason})
            elif isinstance(event, StrategyStarted):
                yield "strategies", _event("strategy", {"name": event.strategy, "stopped": ""})
        fresh.extend(kept)

    def _moved(self, session: "Session") -> list[tuple[str, bytes]]:
        """Prices that are others than the last time, by instrument."""
        core = session.run.core
        changed = {}
        for name, event in core.portfolio.marks.latest.items():
            if self._prices.get(name) is not event:
                self._prices[name] = event
                changed[str(name)] = price_view(core, name)
        return [("prices", _event("prices", changed))] if changed else []

    def _slow(self, session: "Session") -> list[tuple[str, bytes]]:
        parts = [("status", _event("status", pulse_of(session)))]
        for topic, body in self._books(session):
            if self._said.get(topic) != body:
                self._said[topic] = body
                parts.append((topic, body))
        return parts

    def _books(self, session: "Session") -> list[tuple[str, bytes]]:
        return [
            ("accounts", _event("accounts", account_views(session))),
            ("positions", _event("positions", list(position_views(session.run.core)))),
        ]

    def _whole(self, session: "Session") -> list[tuple[str, bytes]]:
        """What a new reader is told first."""
        core = session.run.core
        prices = {str(name): price_view(core, name) for name in core.portfolio.marks.latest}
        return [
            ("status", _event("status", pulse_of(session))),
            *self._books(session),
            ("prices", _event("prices", prices)),
            ("feeds", _event("feeds", feeds(session))),
        ]


def pulse_of(session: "Session") -> Pulse:
    run = session.run
    return Pulse(
        now=at(run.clock.now_ns),
        ready=run.ready.is_set(),
        level=level_of(run.core),
        loop_lag_ms=round(run.safety.pulse.lag_ns / 1e6, 3),
        journal_behind=run.journal.next_seq - 1 - run.journal.durable_seq,
        orders=session.told.orders,
        fills=session.seen.filled,
        denied=session.told.denied,
        working=len(run.core.manager.working),
        stale=[row.instrument for row in data_ages(session) if not row.fresh],
    )


def _event(name: str, data: Any, number: int = 0) -> bytes:
    """One event; JSON has no line breaks, so ``data`` is one line."""
    head = f"id: {number}\nevent: {name}\n" if number else f"event: {name}\n"
    return head.encode() + b"data: " + msgspec.json.encode(data) + b"\n\n"


def _cleaned(body: bytes, clean: Any) -> bytes:
    found: bytes = clean(body)
    return found


class EventStream(Response):
    """The answer of a stream; it ends with its reader, or cuts one that is too slow."""

    media_type = EVENT_STREAM

    def __init__(self, streams: Streams, stream: Stream) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"}, media_type=EVENT_STREAM)
        del self.headers["content-length"]
        self._streams = streams
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = self._stream
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            with stream.scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._until_gone, receive)
                    async for chunk in stream.chunks():
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            self._streams.leave(stream)
        transport = scope.get("state", {}).get("transport")
        if transport is not None:
            # What it has not read for so long it will not read now.
            transport.abort()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.scope.cancel()
