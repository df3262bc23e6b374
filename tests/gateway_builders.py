"""Builders for tests of wire tools and gateways: a clock in the test's hand, servers that misbehave byte by byte."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio

from engine.clock import Clock, LiveClock
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.gateways.surroundings import Surroundings
from engine.gateways.virtual_market.adapter import VirtualMarket, VirtualMarketGateway

ENVIRON = {"SLUICE_VM_USER": "TimeXingjian", "SLUICE_VM_PASSWORD": "your_password"}
ACCOUNT = AccountId("game")


class HandClock:
    """Stands where the test puts it; whoever sleeps wakes when it is moved past. ``real_seconds`` is plain."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.sleeps: list[int] = []
        self._moved = anyio.Event()

    def real_seconds(self, duration_ns: int) -> float:
        return duration_ns / SECOND_NS

    def move(self, duration_ns: int) -> None:
        self.now_ns += duration_ns
        self._moved.set()
        self._moved = anyio.Event()

    async def sleep(self, duration_ns: int) -> None:
        self.sleeps.append(duration_ns)
        await self.sleep_until(self.now_ns + duration_ns)

    async def sleep_until(self, ts_ns: int) -> None:
        while self.now_ns < ts_ns:
            await self._moved.wait()


class QuickClock:
    """Time is what was slept: nothing waits for real, every wait is counted."""

    def __init__(self, now_ns: int = 0) -> None:
        self.now_ns = now_ns
        self.sleeps: list[int] = []

    def real_seconds(self, duration_ns: int) -> float:
        return duration_ns / SECOND_NS

    async def sleep(self, duration_ns: int) -> None:
        self.sleeps.append(duration_ns)
        self.now_ns += max(duration_ns, 0)
        await anyio.lowlevel.checkpoint()

    async def sleep_until(self, ts_ns: int) -> None:
        await self.sleep(ts_ns - self.now_ns)


class Notes:
    """What a gateway noted."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, event: str, fields: Mapping[str, Any]) -> None:
        self.lines.append((event, fields))

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]


def surroundings(clock: Clock, environ: Mapping[str, str] | None = None, note: Notes | None = None) -> Surroundings:
    return Surroundings(
        clock=clock, entropy=Entropy(11), environ=ENVIRON if environ is None else environ, note=note or Notes()
    )


@asynccontextmanager
async def a_gateway(
    base_url: str, clock: Clock, *, environ: Mapping[str, str] | None = None, note: Notes | None = None, **settings: Any
) -> AsyncIterator[VirtualMarketGateway]:
    """A virtual market gateway, not connected, closed at the end."""
    made = VirtualMarket(base_url=base_url, **({"account": ACCOUNT} | settings))
    gateway = made.open(surroundings(clock, environ, note))
    try:
        yield gateway
    finally:
        await gateway.close()


def an_order(
    side: Side = Side.BUY,
    quantity: int = 100,
    *,
    instrument: str = "CY.VSM",
    type: OrderType = OrderType.MARKET,  # noqa: A002
    client_id: str = "s-1",
    group: str = "",
) -> SubmitOrder:
    return SubmitOrder(
        client_id=ClientOrderId(client_id),
        account=ACCOUNT,
        strategy=StrategyId("s"),
        instrument=InstrumentId(instrument),
        side=side,
        quantity=quantity,
        ts_ns=1,
        type=type,
        group=group,
    )


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def a_tcp_server(talk: Talk) -> AsyncIterator[str]:
    """A server that says what ``talk`` says; gives ``http://127.0.0.1:<port>``."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One HTTP request, head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + await reader.readexactly(length)


def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection with a TCP reset."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def an_answer(body: bytes, status: str = "200 OK", kind: str = "application/json", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def draw(seed: int = 3) -> random.Random:
    return random.Random(seed)


class JumpClock:
    """The wall clock from ``start_ns`` on, that a test may move forward; short sleeps notice it."""

    def __init__(self, start_ns: int) -> None:
        self._live = LiveClock(start_ns=start_ns)
        self._jumped_ns = 0

    @property
    def now_ns(self) -> int:
        return self._live.now_ns + self._jumped_ns

    def jump(self, duration_ns: int) -> None:
        self._jumped_ns += duration_ns

    def real_seconds(self, duration_ns: int) -> float:
        return self._live.real_seconds(duration_ns)

    async def sleep(self, duration_ns: int) -> None:
        await self.sleep_until(self.now_ns + duration_ns)

    async def sleep_until(self, ts_ns: int) -> None:
        while (left := ts_ns - self.now_ns) > 0:  # noqa: ASYNC110 - a jump is noticed within one of these
            await anyio.sleep(min(left / SECOND_NS, 0.02))
