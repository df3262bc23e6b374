"""The socket that stays: silence, drops, flapping and unreadable frames lead to a new connection and the same set."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from websockets.asyncio.server import ServerConnection, serve

from engine.clock import LiveClock
from engine.domain.errors import BadMessage, NotSent
from engine.domain.timestamps import SECOND_NS
from engine.net.polling import LinkState
from engine.net.websocket import SocketLoop
from tests.gateway_builders import closed_port, draw

SPEED = 100.0


@asynccontextmanager
async def a_socket_server(talk: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    async with serve(talk, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/stream"


class Heard:
    """A loop and what it told; ``until`` waits for a count of messages or states."""

    def __init__(self, url: str, *, clock: LiveClock | None = None, **settings: Any) -> None:
        self.messages: list[str | bytes] = []
        self.states: list[LinkState] = []
        self.reasons: list[str] = []
        self.bad: list[BadMessage] = []
        self._news = anyio.Event()
        self.loop = SocketLoop(
            url,
            clock or LiveClock(speed=SPEED),
            draw(),
            **({"greeting": lambda: ["a", "b"], "on_message": self.take, "on_state": self.tell} | settings),
            on_bad=self.bad.append,
        )

    def take(self, frame: str | bytes) -> None:
        if frame == "bad":
            raise BadMessage("bad frame")
        self.messages.append(frame)
        self._ring()

    def tell(self, state: LinkState, reason: str) -> None:
        self.states.append(state)
        self.reasons.append(reason)
        self._ring()

    def _ring(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def until(self, true: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not true():
                await self._news.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(self.loop.run)
            yield
            group.cancel_scope.cancel()


async def test_a_dropped_connection_is_made_again_with_exactly_the_set() -> None:
    """N17: after each drop the same subscriptions go out, in order, and data flows on."""
    greetings: list[list[str | bytes]] = []

    async def talk(socket: ServerConnection) -> None:
        greetings.append([await socket.recv(), await socket.recv()])
        await socket.send(f"hello {len(greetings)}")
        if len(greetings) < 3:
            socket.transport.abort()
        else:
            await socket.wait_closed()

    async with a_socket_server(talk) as url:
        heard = Heard(url)
        async with heard.running():
            await heard.until(lambda: "hello 3" in heard.messages)
    assert greetings == [["a", "b"]] * 3
    assert heard.loop.connects == 3
    assert heard.states == [LinkState.CONNECTED, LinkState.DISCONNECTED] * 2 + [LinkState.CONNECTED]


async def test_a_silent_open_socket_is_taken_for_dead_and_replaced() -> None:
    """N15: no frame for the span while data is expected means STALE and a new connection."""
    count = 0

    async def talk(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        if count > 1:
            await socket.send("data")
        await socket.wait_closed()

    async with a_socket_server(talk) as url:
        heard = Heard(url, stale_ns=20 * SECOND_NS)
        async with heard.running():
            await heard.until(lambda: "data" in heard.messages)
    assert heard.states[:3] == [LinkState.CONNECTED, LinkState.STALE, LinkState.DISCONNECTED]
    assert "silent for" in heard.reasons[1]


async def test_silence_in_closed_hours_is_no_alarm() -> None:
    """With no data expected the socket stays open however long it is silent."""
    asked = 0

    def expects(_now_ns: int) -> bool:
        nonlocal asked
        asked += 1
        if asked == 3:
            enough.set()
        return False

    async def talk(socket: ServerConnection) -> None:
        await socket.wait_closed()

    enough = anyio.Event()
    async with a_socket_server(talk) as url:
        heard = Heard(url, stale_ns=5 * SECOND_NS, expects_data=expects)
        async with heard.running():
            with anyio.fail_after(5):
                await enough.wait()
            assert heard.states == [LinkState.CONNECTED]


async def test_an_unreadable_frame_is_quarantined_and_the_connection_made_again() -> None:
    """N14: BadMessage is counted and told; the next connection goes on."""
    count = 0

    async def talk(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        await socket.send("bad" if count == 1 else "good")
        await socket.wait_closed()

    async with a_socket_server(talk) as url:
        heard = Heard(url)
        async with heard.running():
            await heard.until(lambda: "good" in heard.messages)
    assert (heard.loop.bad_messages, len(heard.bad)) == (1, 1)
    assert "unreadable message" in heard.reasons[1]


async def test_an_oversized_frame_ends_the_connection_not_the_engine() -> None:
    """N14: a frame past 1 MiB is refused by the reader and the connection is made again."""
    count = 0

    async def talk(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        await socket.send("x" * (2 * 1024 * 1024) if count == 1 else "good")
        await socket.wait_closed()

    async with a_socket_server(talk) as url:
        heard = Heard(url)
        async with heard.running():
            await heard.until(lambda: bool(heard.messages))
    assert heard.messages == ["good"]


async def test_what_our_own_callbacks_raise_stops_the_engine() -> None:
    """A failure of the core in ``on_message`` or ``on_state`` is not taken for a network's."""

    async def talk(socket: ServerConnection) -> None:
        await socket.send("data")
        await socket.wait_closed()

    def fails(*_args: object) -> None:
        raise ZeroDivisionError

    async with a_socket_server(talk) as url:
        for settings in ({"on_message": fails}, {"on_state": fails}):
            with anyio.fail_after(5), pytest.raises(ZeroDivisionError):
                await Heard(url, **settings).loop.run()


async def test_a_server_that_drops_at_once_is_not_hammered() -> None:
    """N17: a connection that does not last does not reset the back-off: ten connects take their 30-second waits."""
    clock = LiveClock(speed=1000)
    count, enough = 0, anyio.Event()

    async def talk(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        if count == 9:
            enough.set()
        socket.transport.abort()

    async with a_socket_server(talk) as url:
        heard = Heard(url, clock=clock)
        began = clock.now_ns
        async with heard.running():
            with anyio.fail_after(10):
                await enough.wait()
        took = clock.now_ns - began
    # 0.5 + 1 + 2 + 4 + 8 + 16 + 30 + 30 at least halved.
    assert took >= 45 * SECOND_NS


async def test_nobody_listening_is_a_state_and_sending_is_not_sent() -> None:
    """N1, N18: connect refused is told once; ``send`` says that nothing left."""
    heard = Heard(f"ws://127.0.0.1:{closed_port()}")
    async with heard.running():
        await heard.until(lambda: bool(heard.states))
        with pytest.raises(NotSent):
            await heard.loop.send("x")
        await heard.loop._clock.sleep(5 * SECOND_NS)
    assert heard.states == [LinkState.DISCONNECTED]


async def test_a_redirected_handshake_is_not_followed() -> None:
    """RELIABILITY 6: secrets go nowhere but where config says."""
    elsewhere = anyio.Event()

    async def there(socket: ServerConnection) -> None:
        elsewhere.set()
        await socket.wait_closed()

    async with a_socket_server(there) as target:

        def redirect(connection: ServerConnection, _request: object) -> object:
            response = connection.respond(302, "")
            response.headers["Location"] = target
            return response

        async with serve(there, "127.0.0.1", 0, process_request=redirect) as server:  # type: ignore[arg-type]
            port = next(iter(server.sockets)).getsockname()[1]
            heard = Heard(f"ws://127.0.0.1:{port}")
            async with heard.running():
                await heard.until(lambda: bool(heard.states))
    assert heard.states[0] is LinkState.DISCONNECTED
    assert not elsewhere.is_set()
