"""The one door of HTTP: what a network does to a call becomes the right one of four errors, and nothing else."""

import asyncio

import anyio
import httpx
import msgspec
import pytest

from engine.domain.errors import BadMessage, ConfigError, NotSent, OutcomeUnknown
from engine.domain.timestamps import SECOND_NS
from engine.net.rest import Answer, RestClient, Timeouts, checked_base_url, decode, decode_bytes, encode
from tests.gateway_builders import QuickClock, a_tcp_server, an_answer, closed_port, read_request, reset

GOOD = an_answer(b'{"a": 1}')


def a_client(url: str, *, total_ns: int = SECOND_NS // 2, **settings: object) -> RestClient:
    """Gives up after half a second; a test that waits for no deadline gives ``total_ns`` for a busy machine."""
    spans = Timeouts(connect_ns=total_ns, total_ns=total_ns)
    return RestClient(url, QuickClock(), timeouts=spans, real_floor_seconds=0.05, **settings)  # type: ignore[arg-type]


async def post(url: str, body: bytes = b"{}") -> Answer:
    client = a_client(url)
    try:
        return await client.order("POST", "/x", {"authorization": "Bearer s3cret"}, body)
    finally:
        await client.close()


async def test_a_refused_connection_proves_that_nothing_left() -> None:
    """N1: connect refused is NotSent."""
    with pytest.raises(NotSent):
        await post(f"http://127.0.0.1:{closed_port()}")


async def test_a_tls_failure_proves_that_nothing_left() -> None:
    """N1: a server that does not speak TLS is NotSent, whether it closes or answers in plain text."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(GOOD)
        await writer.drain()

    async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)

    for talk in (plain, closes):
        async with a_tcp_server(talk) as url:
            with pytest.raises(NotSent):
                await post(url.replace("http", "https"))


async def test_a_reset_before_or_after_the_request_is_unknown() -> None:
    """N2, N3: once the connection stood, a reset proves nothing."""

    async def at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    async def after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        reset(writer)

    for talk in (at_once, after):
        async with a_tcp_server(talk) as url:
            with pytest.raises(OutcomeUnknown):
                await post(url)


async def test_an_answer_cut_at_any_byte_is_unknown() -> None:
    """N4: no prefix of an answer is taken for one."""
    for cut in range(len(GOOD)):

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: int = cut) -> None:
            await read_request(reader)
            writer.write(GOOD[:cut])
            await writer.drain()

        async with a_tcp_server(talk) as url:
            with pytest.raises(OutcomeUnknown):
                await post(url)


async def test_a_trickle_does_not_extend_the_deadline() -> None:
    """N5: a byte now and then ends at the deadline of the whole call."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for byte in an_answer(b" " * 500):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with a_tcp_server(talk) as url:
        with anyio.fail_after(5), pytest.raises(OutcomeUnknown, match="no answer within"):
            await post(url)


async def test_an_order_is_sent_once_whatever_comes_back() -> None:
    """A 500, a redirect to elsewhere and a lost answer each leave one request at the server (N19)."""
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        if len(seen) == 1:
            writer.write(an_answer(b"", "302 Found", "text/plain", "location: /elsewhere"))
        elif len(seen) == 2:
            writer.write(an_answer(b"", "500 Internal Server Error"))
        else:
            reset(writer)
        await writer.drain()

    async with a_tcp_server(talk) as url:
        assert (await post(url)).status == 302
        assert (await post(url)).status == 500
        with pytest.raises(OutcomeUnknown):
            await post(url)
    assert len(seen) == 3


async def test_orders_use_a_fresh_connection_and_reads_a_kept_one() -> None:
    """RELIABILITY 3.4: two orders are two connections that are closed; two reads are one."""
    connections: list[list[bytes]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: list[bytes] = []
        connections.append(mine)
        while True:
            mine.append(await read_request(reader))
            writer.write(GOOD)
            await writer.drain()

    async with a_tcp_server(talk) as url:
        client = a_client(url, total_ns=20 * SECOND_NS)
        for _ in range(2):
            await client.order("POST", "/x", {}, b"{}")
        for _ in range(2):
            await client.read("GET", "/x", {}, params={"q": "云"})
        await client.close()
    assert [len(requests) for requests in connections] == [1, 1, 2]
    assert b"connection: close" in connections[0][0].lower()
    assert connections[2][0].startswith(b"GET /x?q=%E4%BA%91 ")


async def test_a_cancelled_caller_still_gets_its_order_answered() -> None:
    """A1: the send runs to its end under cancellation, and its result can be booked."""
    arrived, answer_now = anyio.Event(), anyio.Event()
    booked: list[Answer] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        arrived.set()
        await answer_now.wait()
        writer.write(GOOD)
        await writer.drain()

    async with a_tcp_server(talk) as url:
        client = RestClient(url, QuickClock())

        async def send() -> None:
            booked.append(await client.order("POST", "/x", {}, b"{}"))

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            await arrived.wait()
            group.cancel_scope.cancel()
            answer_now.set()
        await client.close()
    assert [answer.status for answer in booked] == [200]


async def test_an_oversized_answer_is_not_held() -> None:
    """A body past the cap ends the call as unknown instead of filling memory."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(an_answer(b"x" * 5000))
        await writer.drain()

    async with a_tcp_server(talk) as url:
        client = a_client(url, total_ns=20 * SECOND_NS, body_max=1000)
        with pytest.raises(OutcomeUnknown, match="longer than 1000"):
            await client.order("POST", "/x", {}, b"")
        await client.close()


async def test_errors_name_the_call_and_no_secret() -> None:
    """Texts of errors hold method and path; never the query, a header or a body."""
    client = a_client(f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(NotSent) as caught:
        await client.read("GET", "/x", {"authorization": "Bearer s3cret"}, params={"session": "s3cret"}, body=b"s3cret")
    assert "GET /x" in caught.value.message
    assert "s3cret" not in repr(caught.value) + str(caught.value.__cause__)
    await client.close()


async def test_a_closed_client_sends_nothing() -> None:
    """After close every call is NotSent."""
    client = a_client("http://127.0.0.1:1")
    await client.close()
    with pytest.raises(NotSent, match="closed on our side"):
        await client.order("POST", "/x", {}, b"")


def test_decode_keeps_what_it_can_not_read() -> None:
    """N13: malformed, mistyped, too deep, not UTF-8, NaN and huge numbers are BadMessage with the body."""

    class Wanted(msgspec.Struct):
        a: int

    assert decode_bytes(b'{"a": 1, "b": 2}', Wanted, "here").a == 1
    for body in (b"", b"<html>", b'{"a": "1"}', b"{}", b'{"a": NaN}', b'{"a": 1e400}', b"\xff\xfe", b"[" * 100_000):
        with pytest.raises(BadMessage) as caught:
            decode(Answer(200, httpx.Headers(), body, "GET /x"), Wanted)
        assert caught.value.body == body


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("0", 1), ("-3", 1), ("999999999999999999999", 60), ("soon", None), ("", None),
     ("Thu, 01 Jan 1970 00:00:30 GMT", 30), ("Thu, 01 Jan 1960 00:00:30 GMT", 1)],
)  # fmt: skip
def test_retry_after_is_held_between_one_and_sixty_seconds(text: str, seconds: int | None) -> None:
    """N9: seconds, a date, a negative number, a giant one and junk."""
    answer = Answer(429, httpx.Headers({"retry-after": text}), b"", "GET /x")
    assert answer.retry_after_ns(0) == (None if seconds is None else seconds * SECOND_NS)


@pytest.mark.parametrize(
    "text",
    ["http://example.com", "ftp://127.0.0.1", "https://user:pw@example.com", "", "example.com", "https://x?q=1",
     "http://127.0.0.1.example.com", "http://2130706433.example", "https://"],
)  # fmt: skip
def test_an_address_that_would_leak_is_refused(text: str) -> None:
    """RELIABILITY 6: plain http leaves this machine only when told to; user info never."""
    with pytest.raises(ConfigError):
        checked_base_url(text)


def test_addresses_that_are_fine() -> None:
    """TLS anywhere, plain text to this machine, and to the local net when the user says so."""
    assert checked_base_url("https://example.com/") == "https://example.com"
    assert checked_base_url("http://[::1]:80") == "http://[::1]:80"
    assert checked_base_url("http://192.168.1.5", insecure_lan=True) == "http://192.168.1.5"


def test_encode_gives_the_same_ascii_bytes() -> None:
    """Bodies are compact, ordered as given and plain ASCII."""
    assert encode({"stock_id": "云", "quantity": 1}) == b'{"stock_id":"\\u4e91","quantity":1}'
