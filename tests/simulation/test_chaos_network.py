"""Each network fault does to an ordinary client what its name says; streams keep TCP's promises."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from engine.chaos.faults import FaultKind, PortFault, Schedule
from engine.chaos.world import World, simulated
from tests.simulation.chaos_builders import ANSWER, PORT, a_client, a_fault, in_a_shop

TIMEOUTS = httpx.Timeout(connect=5, read=7, write=3, pool=1)


async def _order_twice(world: World, orders: list[str]) -> tuple[str, float, list[str], str]:
    """What the first order met, after how long, what was booked, and what the second met."""

    async def order(client: httpx.AsyncClient, text: str) -> str:
        try:
            answer = await client.post("/order", content=text)
            return "ok" if answer.content == ANSWER else "wrong answer"
        except httpx.HTTPError as error:
            return type(error).__name__

    async with a_client(timeout=TIMEOUTS) as client:
        start = time.monotonic()
        first = await order(client, "first")
        took = time.monotonic() - start
        booked = list(orders)
        await anyio.sleep(1)
        second = await order(client, "second")
    return first, round(took, 1), booked, second


CASES: list[tuple[FaultKind, dict[str, Any], str, float, int]] = [
    (FaultKind.REFUSE, {}, "ConnectError", 0.0, 0),
    (FaultKind.UNREACHABLE, {}, "ConnectTimeout", 5.0, 0),
    (FaultKind.CUT_REQUEST, {}, "ReadError", 0.0, 0),
    (FaultKind.CUT_REQUEST, {"after_bytes": 60}, "ReadError", 0.0, 0),
    (FaultKind.CUT_ANSWER, {}, "ReadError", 0.0, 1),
    (FaultKind.CUT_ANSWER, {"after_bytes": 100}, "ReadError", 0.0, 1),
    (FaultKind.CUT_ANSWER, {"after_bytes": 200}, "ReadError", 0.0, 1),
    (FaultKind.TRUNCATE_ANSWER, {}, "RemoteProtocolError", 0.0, 1),
    (FaultKind.TRUNCATE_ANSWER, {"after_bytes": 200}, "RemoteProtocolError", 0.0, 1),
    (FaultKind.STALL_ANSWER, {}, "ReadTimeout", 7.0, 1),
    (FaultKind.STALL_ANSWER, {"after_bytes": 50}, "ReadTimeout", 7.0, 1),
    (FaultKind.BLACK_HOLE, {}, "ReadTimeout", 7.0, 0),
    (FaultKind.SLOW_ANSWER, {"seconds": 0.1}, "ok", 29.4, 1),
    (FaultKind.SLOW_ANSWER, {"seconds": 8.0}, "ReadTimeout", 7.0, 1),
    (FaultKind.DELAY, {"seconds": 6.0}, "ok", 6.0, 1),
    (FaultKind.DELAY, {"seconds": 9.0}, "ReadTimeout", 7.0, 1),
]


@pytest.mark.parametrize(("kind", "figures", "expected", "seconds", "booked"), CASES)
def test_a_fault_does_what_its_name_says(
    kind: FaultKind, figures: dict[str, Any], expected: str, seconds: float, booked: int
) -> None:
    """The client's error, the virtual time it took, and whether the server had done its work; then all is well."""
    outcome = simulated(in_a_shop(_order_twice), seed=12, schedule=(a_fault(kind, **figures),))
    first, took, orders, second = outcome.result
    assert (first, orders, second) == (expected, ["first"] * booked, "ok")
    assert took == pytest.approx(seconds, abs=0.2)
    assert outcome.fired == {f"net.{kind.value}": 1}
    assert outcome.findings == ()


@pytest.mark.parametrize(("exchange", "results"), [(0, ("ReadError", "ok")), (1, ("ok", "ReadError"))])
def test_a_fault_strikes_the_exchange_it_names(exchange: int, results: tuple[str, str]) -> None:
    """Kept-alive connections are hurt at their second question as well as at their first."""
    fault = a_fault(FaultKind.CUT_ANSWER, exchange=exchange)
    first, _, _, second = simulated(in_a_shop(_order_twice), seed=1, schedule=(fault,)).result
    assert (first, second) == results


def test_every_offset_of_a_cut_answer_ends_in_an_error_or_the_whole_answer() -> None:
    """N4: no byte offset makes half an answer pass for a whole one."""
    met = set()
    for kind in (FaultKind.CUT_ANSWER, FaultKind.TRUNCATE_ANSWER):
        for offset in range(0, 360, 7):
            fault = a_fault(kind, after_bytes=offset)
            first, _, orders, _ = simulated(in_a_shop(_order_twice), seed=1, schedule=(fault,)).result
            assert orders == ["first"]
            met.add(first)
    assert met == {"ReadError", "RemoteProtocolError", "ok"}


def test_a_port_that_goes_down_resets_its_connections_and_comes_back() -> None:
    """A server behind a port that is down is alive, unreachable, and there again."""

    async def visit(world: World, _orders: list[str]) -> list[str]:
        seen = []
        async with a_client() as client:
            for _ in range(8):
                try:
                    seen.append(str((await client.post("/order")).status_code))
                except httpx.HTTPError as error:
                    seen.append(type(error).__name__)
                await anyio.sleep(0.5)
        return seen

    outage = PortFault(port=PORT, at_seconds=0.8, seconds=1.0)
    outcome = simulated(in_a_shop(visit), seed=1, schedule=(outage,))
    assert outcome.result == ["200", "200", "ConnectError", "ConnectError", "200", "200", "200", "200"]
    assert outcome.fired == {"port.down": 1}


def test_healing_ends_an_outage_and_what_was_still_planned() -> None:
    """The second phase of a run has nothing left to break."""

    async def visit(world: World, _orders: list[str]) -> int:
        world.heal()
        async with a_client() as client:
            await anyio.sleep(1)
            return (await client.post("/order")).status_code

    schedule: Schedule = (
        PortFault(port=PORT, at_seconds=0.05, seconds=1e6),
        PortFault(port=PORT, at_seconds=0.5, seconds=1e6),
        a_fault(FaultKind.REFUSE),
    )
    outcome = simulated(in_a_shop(visit), seed=1, schedule=schedule)
    assert outcome.result == 200
    assert outcome.fired == {"port.down": 1}


def test_a_push_feed_breaks_as_websockets_say_it_does() -> None:
    """A cut ends the iteration with ConnectionClosed; a stall is silence until the client's own deadline."""

    async def visit(_world: World, _orders: list[str]) -> tuple[int, str]:
        count = 0
        try:
            async with connect(f"ws://127.0.0.1:{PORT}/feed", compression=None, proxy=None, ping_interval=None) as feed:
                while True:
                    with anyio.fail_after(30):
                        await feed.recv()
                    count += 1
        except (ConnectionClosed, TimeoutError) as error:
            return count, type(error).__name__

    def run(kind: FaultKind) -> tuple[int, str]:
        schedule = (a_fault(kind, after_bytes=500),)
        result: tuple[int, str] = simulated(in_a_shop(visit), seed=3, schedule=schedule).result
        return result

    whole, why = simulated(in_a_shop(visit), seed=3).result
    assert (whole, why) == (20, "ConnectionClosedOK")
    assert run(FaultKind.CUT_ANSWER)[1] == "ConnectionClosedError"
    assert 0 < run(FaultKind.CUT_ANSWER)[0] < 20
    assert run(FaultKind.STALL_ANSWER)[1] == "TimeoutError"


async def _streams(handle: Callable[..., Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return await asyncio.open_connection(*server.sockets[0].getsockname())


@settings(max_examples=25, deadline=None)
@given(chunks=st.lists(st.binary(min_size=1, max_size=300), max_size=40), seed=st.integers(0, 1000))
def test_bytes_arrive_whole_and_in_order_both_ways(chunks: list[bytes], seed: int) -> None:
    """An echo server gives back what it was sent, and sees the half close."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.write(b"END")
        writer.close()

    async def scenario(_world: World) -> bytes:
        reader, writer = await _streams(echo)
        for chunk in chunks:
            writer.write(chunk)
        writer.write_eof()
        got = await reader.read()
        writer.close()
        await writer.wait_closed()
        return got

    outcome = simulated(scenario, seed=seed)
    assert outcome.result == b"".join(chunks) + b"END"
    assert outcome.findings == ()


def test_a_reader_that_does_not_read_holds_the_writer_back() -> None:
    """Back-pressure: drain waits once the window and the buffer are full, and goes on when somebody reads."""

    async def scenario(world: World) -> tuple[float, int]:
        got = bytearray()

        async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await anyio.sleep(30)
            while data := await reader.read(65536):
                got.extend(data)
            writer.close()

        _, writer = await _streams(late)
        for _ in range(40):
            writer.write(b"x" * 65536)
            await writer.drain()
        finished = world.loop.seconds
        writer.close()
        await writer.wait_closed()
        await anyio.sleep(1)
        return round(finished), len(got)

    assert simulated(scenario, seed=1).result == (30, 40 * 65536)


def test_a_taken_port_and_a_closed_one_say_so() -> None:
    """Listening twice is an error; connecting to nobody is refused; an idle client sees the server's end."""

    async def scenario(_world: World) -> None:
        async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 7000)
        with pytest.raises(OSError, match="already in use"):
            await asyncio.start_server(hang_up, "127.0.0.1", 7000)
        reader, writer = await asyncio.open_connection("127.0.0.1", 7000)
        assert await reader.read() == b""
        writer.write(b"anyone?")
        await anyio.sleep(1)
        writer.write(b"anyone?")
        await anyio.sleep(0.1)
        with pytest.raises(ConnectionError):
            await writer.drain()
        server.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", 7000)

    assert simulated(scenario, seed=1).findings == ()
