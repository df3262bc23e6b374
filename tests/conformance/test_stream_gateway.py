"""The plain stream gateway: against a tiny server of its own, and against the simulator over a real socket."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from engine.clock import Clock, LiveClock
from engine.domain.errors import BadMessage, ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, BarRevision, DataKind, FeedState, FeedStatus, Quote, Trade
from engine.domain.timestamps import MINUTE_NS
from engine.entropy import Entropy
from engine.gateways import GATEWAYS
from engine.gateways.stream import messages as m
from engine.gateways.stream.adapter import Stream, StreamGateway
from engine.simulators.stream import StreamFault, StreamSimulator, StreamTrigger
from tests.gateway_builders import Notes, surroundings
from tests.simulator_builders import OPEN_NS, an_exchange, running

CY = InstrumentId("CY.VSM")
BAR = 5 * MINUTE_NS
QUOTE = {"type": "quote", "instrument": "CY.VSM", "ts": 1, "bid": 1.0, "ask": 1.5, "bid_size": 2, "ask_size": 3}
TRADE = {"type": "trade", "instrument": "CY.VSM", "ts": 2, "price": 1.25, "size": 7}


def a_bar_frame(ts: int = BAR, **changes: Any) -> dict[str, Any]:
    frame = {"type": "bar", "instrument": "CY.VSM", "ts": ts, "interval": "5m", "open": 1.0, "high": 3.0, "low": 0.5}
    return frame | {"close": 2.0, "volume": 0} | changes


class Published:
    def __init__(self) -> None:
        self.events: list[Any] = []
        self._news = anyio.Event()

    def __call__(self, event: Any) -> None:
        self.events.append(event)
        self._news.set()
        self._news = anyio.Event()

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    async def until(self, true: Callable[[], bool]) -> None:
        with anyio.fail_after(15):
            while not true():
                await self._news.wait()


@asynccontextmanager
async def streaming(
    url: str, *kinds: DataKind, clock: Clock | None = None, note: Notes | None = None, **settings: Any
) -> AsyncIterator[tuple[StreamGateway, Published]]:
    gateway = Stream(url=url, **settings).open(surroundings(clock or LiveClock(speed=100), note=note))
    await gateway.connect()
    for kind in kinds:
        gateway.feed.subscribe(CY, kind, BAR if kind is DataKind.BAR else 0)
    published = Published()
    async with anyio.create_task_group() as group:
        group.start_soon(gateway.run, published)
        yield gateway, published
        group.cancel_scope.cancel()
    await gateway.close()


@asynccontextmanager
async def a_server(talk: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    async with serve(talk, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/stream"


async def test_each_kind_of_frame_becomes_its_event() -> None:
    """Quote, trade and bar arrive whole; other frames and unasked instruments publish nothing."""
    asked: list[Any] = []

    async def talk(socket: ServerConnection) -> None:
        asked.extend([json.loads(await socket.recv()) for _ in range(3)])
        frames = (
            {"type": "subscribed"},
            {"type": "heartbeat", "ts": 1},
            {"type": "pong"},
            QUOTE | {"instrument": "XX.VSM"},
        )
        for frame in (*frames, {"type": "error", "message": "no"}, QUOTE, TRADE, a_bar_frame()):
            await socket.send(json.dumps(frame))
        await socket.wait_closed()

    note = Notes()
    async with (
        a_server(talk) as url,
        streaming(url, DataKind.QUOTE, DataKind.TRADE, DataKind.BAR, note=note) as (_, heard),
    ):
        await heard.until(lambda: bool(heard.of(Bar)))
    assert asked == [
        {"op": "subscribe", "kind": "quote", "instruments": ["CY.VSM"]},
        {"op": "subscribe", "kind": "trade", "instruments": ["CY.VSM"]},
        {"op": "subscribe", "kind": "bar", "instruments": ["CY.VSM"], "interval": "5m"},
    ]
    assert heard.of(Quote, Trade, Bar) == [
        Quote(CY, 1, 1.0, 1.5, 2, 3), Trade(CY, 2, 1.25, 7), Bar(CY, BAR, 1.0, 3.0, 0.5, 2.0, 0.0, BAR),
    ]  # fmt: skip
    assert note.events() == ["feed.error"]


async def test_bars_go_out_once_in_order_and_changes_are_revisions() -> None:
    """N7, N8: a repeated bar is silent, an older one dropped and counted, a changed one a BarRevision."""

    async def talk(socket: ServerConnection) -> None:
        for frame in (
            a_bar_frame(2 * BAR),
            a_bar_frame(2 * BAR),
            a_bar_frame(),
            a_bar_frame(2 * BAR, close=2.5),
            TRADE,
        ):
            await socket.send(json.dumps(frame))
        await socket.wait_closed()

    async with a_server(talk) as url, streaming(url, DataKind.TRADE, DataKind.BAR) as (gateway, heard):
        await heard.until(lambda: bool(heard.of(Trade)))
        assert gateway.feed.late == 1
    (bar,) = heard.of(Bar)
    (revision,) = heard.of(BarRevision)
    assert (bar.ts_ns, revision.old, revision.new.close) == (2 * BAR, bar, 2.5)


async def test_an_unreadable_frame_is_quarantined_and_the_stream_goes_on() -> None:
    """N13, N14: junk is counted, noted with its bytes, and the connection made again with the same set."""
    asked: list[str] = []
    junk = ["{", "[]", "\x00", json.dumps(a_bar_frame(high=0.1)), json.dumps(QUOTE | {"bid": "1"}), b"\xff\xfe"]

    async def talk(socket: ServerConnection) -> None:
        asked.append(str(await socket.recv()))
        await socket.send(junk[len(asked) - 1] if len(asked) <= len(junk) else json.dumps(QUOTE))
        await socket.wait_closed()

    note = Notes()
    async with (
        a_server(talk) as url,
        streaming(url, DataKind.QUOTE, clock=LiveClock(speed=500), note=note) as (gateway, heard),
    ):
        await heard.until(lambda: bool(heard.of(Quote)))
        assert gateway.feed.bad_messages == len(junk)
    assert len(set(asked)) == 1
    assert note.events().count("feed.bad_message") == len(junk)
    assert [s.state for s in heard.of(FeedStatus)] == [FeedState.CONNECTED, FeedState.DISCONNECTED] * len(junk) + [
        FeedState.CONNECTED
    ]


@given(st.one_of(st.text(), st.binary()))
def test_no_frame_breaks_the_reader(frame: str | bytes) -> None:
    """Any text and any bytes are an event, nothing, or BadMessage."""
    with suppress(BadMessage):
        assert m.event_from_wire(m.frame_from_wire(frame)) is None


@given(st.fixed_dictionaries({name: st.floats() for name in ("open", "high", "low", "close", "volume")}))
def test_only_sane_bars_pass(figures: dict[str, float]) -> None:
    """Not finite, not positive, a high below anything, a low above anything: refused."""
    frame = m.BarFrame(instrument="CY.VSM", ts=1, interval="5m", **figures)
    try:
        bar = m.event_from_wire(frame)
    except BadMessage:
        return
    assert isinstance(bar, Bar)
    assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high < float("inf")


async def test_the_simulators_bars_and_quotes_come_through() -> None:
    """The simulator's marks arrive as bars dated by their end, equal to the exchange's own, quotes beside them."""
    clock = LiveClock(speed=600, start_ns=OPEN_NS)
    exchange = an_exchange(clock)
    app = StreamSimulator().app(clock, Entropy(7), exchange=exchange)
    async with running(app) as base:
        url = base.replace("http", "ws") + "/stream"
        async with streaming(url, DataKind.QUOTE, DataKind.BAR, clock=clock, stale="60s") as (_, heard):
            await heard.until(lambda: len(heard.of(Bar)) >= 2)
    bars, stock = heard.of(Bar), exchange.stock("CY")
    assert stock is not None
    truth = {bar.ts_ns: (bar.open, bar.high, bar.low, bar.close) for bar in stock.bars}
    assert all(truth[bar.ts_ns] == (bar.open, bar.high, bar.low, bar.close) for bar in bars)
    assert bars[1].ts_ns - bars[0].ts_ns == BAR
    assert heard.of(Quote)


@pytest.mark.parametrize("fault", [StreamFault.STALL, StreamFault.CUT])
async def test_a_stalled_or_cut_stream_is_replaced(fault: StreamFault) -> None:
    """N15, N17: after a stall (told as STALE) or a cut the simulator gets a second connection and bars flow on."""
    clock = LiveClock(speed=600, start_ns=OPEN_NS)
    settings = StreamSimulator(script=(StreamTrigger(connection=1, frame=1, fault=fault),))
    app = settings.app(clock, Entropy(7), exchange=an_exchange(clock))
    async with running(app) as base:
        url = base.replace("http", "ws") + "/stream"
        async with streaming(url, DataKind.BAR, clock=clock, stale="60s") as (_, heard):
            await heard.until(lambda: bool(heard.of(Bar)))
    stream = app.state.stream
    assert (stream.fired[fault], stream.connections) == (1, 2)
    states = [status.state for status in heard.of(FeedStatus)]
    stale = [FeedState.STALE] if fault is StreamFault.STALL else []
    assert states == [FeedState.CONNECTED, *stale, FeedState.DISCONNECTED, FeedState.CONNECTED]


async def test_subscriptions_are_a_set_and_can_be_sent_again() -> None:
    """Asking twice changes nothing; ``refresh`` sends what was added on the open socket."""
    asked: list[Any] = []
    news = anyio.Event()

    async def talk(socket: ServerConnection) -> None:
        async for frame in socket:
            asked.append(json.loads(frame))
            if len(asked) == 3:
                news.set()

    async with a_server(talk) as url, streaming(url, DataKind.QUOTE, stale="1h") as (gateway, heard):
        await heard.until(lambda: bool(heard.of(FeedStatus)))
        gateway.feed.subscribe(CY, DataKind.QUOTE, 0)
        gateway.feed.subscribe(CY, DataKind.BAR, BAR)
        await gateway.call("refresh", {})
        with anyio.fail_after(5):
            await news.wait()
        assert await gateway.call("subscriptions", {}) == [
            {"kind": "quote", "interval": "", "instruments": ["CY.VSM"]},
            {"kind": "bar", "interval": "5m", "instruments": ["CY.VSM"]},
        ]
        assert gateway.reads() < set(gateway.routes())
    assert [frame["kind"] for frame in asked] == ["quote", "quote", "bar"]
    with pytest.raises(ConfigError):
        await gateway.call("nope", {})


async def test_settings_that_can_not_be_used_are_one_sentence() -> None:
    """A plain address to elsewhere, a bad span, data it has not, an instrument outside the list."""
    assert GATEWAYS["stream"] is Stream
    for settings in ({"url": "ws://example.com/stream"}, {"url": "http://127.0.0.1"}, {"stale": "soon"}):
        with pytest.raises(ConfigError):
            Stream(**settings).open(surroundings(LiveClock()))
    gateway = Stream(instruments=("DL.VSM",)).open(surroundings(LiveClock()))
    for instrument, kind, interval in (
        (CY, DataKind.QUOTE, 0),
        ("DL.VSM", DataKind.BOOK, 0),
        ("DL.VSM", DataKind.BAR, 0),
    ):
        with pytest.raises(ConfigError):
            gateway.feed.subscribe(InstrumentId(instrument), kind, interval)
    assert [instrument.id for instrument in await gateway.instruments()] == ["DL.VSM"]
    await gateway.call("refresh", {})
