"""The simulators' WebSocket face: messages, bars, heartbeats, faults."""

import json
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from engine.clock import LiveClock
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.entropy import Entropy
from engine.simulators.stream import Stream, StreamFault, StreamSimulator, StreamTrigger
from tests.simulator_builders import OPEN_NS, an_exchange, running

FIVE_NS = 5 * MINUTE_NS


class Fast:
    """A stream over a market whose five minutes take a twentieth of a second."""

    def __init__(self, speed: float = 6000.0, **settings: Any) -> None:
        self.clock = LiveClock(start_ns=OPEN_NS, speed=speed)
        self.exchange = an_exchange(self.clock, history_days=1, hours=(0, 24))
        self.app = StreamSimulator(**settings).app(self.clock, Entropy(1), exchange=self.exchange)
        self.stream: Stream = self.app.state.stream


def joined(base_url: str) -> Any:
    return connect(base_url.replace("http", "ws") + "/stream", compression=None, proxy=None)


async def ask(socket: ClientConnection, **request: Any) -> None:
    await socket.send(json.dumps(request))


async def heard(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next message of one of the kinds."""
    with anyio.fail_after(10):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] in kinds:
                return message


async def heard_within(socket: ClientConnection, seconds: float) -> list[str]:
    """The kinds of all messages that come in some real seconds."""
    kinds: list[str] = []
    with anyio.move_on_after(seconds):
        while True:
            kinds.append(json.loads(await socket.recv())["type"])
    return kinds


async def test_a_subscriber_gets_quotes_trades_and_bars_as_they_happen() -> None:
    """Each kind in its agreed form; a new subscriber to quotes gets the present one at once."""
    fast = Fast()
    async with running(fast.app) as base_url, joined(base_url) as socket:
        for kind in ("quote", "trade", "bar"):
            await ask(socket, op="subscribe", kind=kind, instruments=["CY.VSM"])
            assert await heard(socket, "subscribed") == {"type": "subscribed", "kind": kind, "instruments": ["CY.VSM"]}
        bar = await heard(socket, "bar")
        assert list(bar) == ["type", "instrument", "ts", "interval", "open", "high", "low", "close", "volume"]
        assert bar["interval"] == "5m"
        assert bar["ts"] % FIVE_NS == 0
        trade = await heard(socket, "trade")
        assert list(trade) == ["type", "instrument", "ts", "price", "size"]
        assert trade["ts"] == bar["ts"] + FIVE_NS
        quote = await heard(socket, "quote")
        assert list(quote) == ["type", "instrument", "ts", "bid", "ask", "bid_size", "ask_size"]
        assert quote["bid"] == quote["ask"]
        stock = fast.exchange.stock("CY")
        assert stock is not None
        true = next(b for b in stock.bars if b.ts_ns == bar["ts"])
        assert [bar[k] for k in ("open", "high", "low", "close", "volume")] == [
            *(true.open, true.high, true.low, true.close, true.volume)
        ]


async def test_wider_bars_are_made_of_the_exchanges_own() -> None:
    """Fifteen minutes: on the quarter alone, open of the first, close of the last, extremes and volume of all three."""
    fast = Fast()
    async with running(fast.app) as base_url, joined(base_url) as socket:
        await ask(socket, op="subscribe", kind="bar", instruments=["CY.VSM"], interval="15m")
        bars = [await heard(socket, "bar") for _ in range(2)]
    stock = fast.exchange.stock("CY")
    assert stock is not None
    for bar in bars:
        assert bar["ts"] % (3 * FIVE_NS) == 0
        assert bar["interval"] == "15m"
        parts = [b for b in stock.bars if bar["ts"] - 3 * FIVE_NS < b.ts_ns <= bar["ts"]]
        assert len(parts) == 3
        assert (bar["open"], bar["close"]) == (parts[0].open, parts[-1].close)
        assert bar["high"] == max(b.high for b in parts)
        assert bar["low"] == min(b.low for b in parts)
        assert bar["volume"] == sum(b.volume for b in parts)


async def test_unsubscribing_ends_the_data_and_pings_are_answered() -> None:
    """Only what is asked for comes; heartbeats every ten seconds of clock time carry it."""
    fast = Fast(speed=1000.0)
    async with running(fast.app) as base_url, joined(base_url) as socket:
        await ask(socket, op="subscribe", kind="trade", instruments=["CY.VSM", "DL.VSM"])
        await ask(socket, op="unsubscribe", kind="trade", instruments=["CY.VSM"])
        await ask(socket, op="ping")
        assert (await heard(socket, "pong", "trade"))["type"] == "pong"
        names = {(await heard(socket, "trade"))["instrument"] for _ in range(2)}
        assert names == {"DL.VSM"}
        first, second = [(await heard(socket, "heartbeat"))["ts"] for _ in range(2)]
        assert second - first >= 10 * SECOND_NS


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("{", "truncated"),
        ("x", "malformed"),
        ("[]", "JSON object"),
        ('{"op": "dance"}', "unknown op 'dance'"),
        ('{"op": "subscribe", "kind": "depth", "instruments": ["CY.VSM"]}', "unknown kind"),
        ('{"op": "subscribe", "kind": "quote", "instruments": []}', "must be a list"),
        ('{"op": "subscribe", "kind": "quote", "instruments": ["XX.VSM"]}', "unknown instrument 'XX.VSM'"),
        ('{"op": "subscribe", "kind": "bar", "instruments": ["CY.VSM"], "interval": "7m"}', "multiple of 5m"),
        ('{"op": "subscribe", "kind": "bar", "instruments": ["CY.VSM"], "interval": "x"}', "no duration"),
    ],
)
async def test_a_bad_request_is_answered_and_the_connection_lives(sent: str, words: str) -> None:
    """An error message that names the trouble; the next request is served."""
    fast = Fast(speed=1.0)
    async with running(fast.app) as base_url, joined(base_url) as socket:
        await socket.send(sent)
        assert words in (await heard(socket, "error"))["message"]
        await ask(socket, op="ping")
        await heard(socket, "pong")


async def test_a_stall_leaves_the_connection_open_and_silent() -> None:
    """After the fault nothing comes, heartbeats included, for many of their periods."""
    trigger = StreamTrigger(connection=1, frame=3, fault=StreamFault.STALL)
    fast = Fast(script=(trigger,))
    async with running(fast.app) as base_url, joined(base_url) as socket:
        await ask(socket, op="subscribe", kind="trade", instruments=["CY.VSM"])
        for _ in range(2):
            await heard(socket, "trade")
        # Heartbeats come every 2 ms here; what was under way when the stall began may still arrive.
        assert set(await heard_within(socket, 0.3)) <= {"heartbeat"}
        assert await heard_within(socket, 0.3) == []
        assert fast.stream.fired[StreamFault.STALL] == 1
        async with joined(base_url) as another:
            await ask(another, op="subscribe", kind="trade", instruments=["CY.VSM"])
            for _ in range(4):
                await heard(another, "trade")


async def test_a_cut_closes_the_connection_without_a_handshake() -> None:
    """The client sees it broken off."""
    fast = Fast(script=(StreamTrigger(connection=1, frame=2, fault=StreamFault.CUT),))
    async with running(fast.app) as base_url, joined(base_url) as socket:
        await ask(socket, op="subscribe", kind="trade", instruments=["CY.VSM"])
        with pytest.raises(ConnectionClosedError):
            await heard_within(socket, 10)
    assert fast.stream.fired[StreamFault.CUT] == 1


async def test_a_dropped_frame_leaves_a_gap() -> None:
    """The second bar never comes; its neighbours do."""
    fast = Fast(script=(StreamTrigger(connection=1, frame=2, fault=StreamFault.DROP),))
    async with running(fast.app) as base_url, joined(base_url) as socket:
        await ask(socket, op="subscribe", kind="bar", instruments=["CY.VSM"])
        first, third = [(await heard(socket, "bar"))["ts"] for _ in range(2)]
    assert third - first == 2 * FIVE_NS


def test_drawn_faults_follow_their_chances_and_can_be_ended() -> None:
    """Half of the frames are dropped until ``active`` says no more."""
    stream = Fast(drop=0.5).stream
    drawn = [stream.fault(1, frame) for frame in range(400)]
    assert 150 < drawn.count(StreamFault.DROP) < 250
    stream.active = False
    assert {stream.fault(1, frame) for frame in range(50)} == {None}


async def test_a_slow_client_loses_the_oldest_frames() -> None:
    """What waits is bounded; what is thrown away is counted."""
    fast = Fast(speed=1.0, queue_max=4)
    async with running(fast.app) as base_url, joined(base_url) as socket:
        await ask(socket, op="subscribe", kind="trade", instruments=["CY.VSM"])
        await heard(socket, "subscribed")
        for number in range(10):
            fast.exchange.print_trade("CY", 30.0 + number, 1, OPEN_NS)
        prices = [(await heard(socket, "trade"))["price"] for _ in range(4)]
    assert prices == [36.0, 37.0, 38.0, 39.0]
    assert fast.stream.overflowed == 6


async def test_clients_that_leave_or_are_left_make_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    """A client that breaks off, and a server that ends with clients on it, log no error and leave no listener."""
    fast = Fast(speed=50_000.0)
    async with running(fast.app) as base_url:
        for _ in range(5):
            async with joined(base_url) as socket:
                for kind in ("quote", "trade", "bar"):
                    await ask(socket, op="subscribe", kind=kind, instruments=["CY.VSM"])
                await heard(socket, "bar")
                socket.transport.abort()
        async with joined(base_url) as last:
            await ask(last, op="subscribe", kind="trade", instruments=["CY.VSM"])
            await heard(last, "trade")
    assert fast.stream.connections == 6
    assert fast.exchange.listening == 0
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
