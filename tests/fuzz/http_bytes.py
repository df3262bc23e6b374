"""HTTP itself, over a real socket: status lines, headers and bodies that are broken on the way."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path

from engine.clock import LiveClock
from engine.domain.errors import GatewayError, NotSent
from engine.domain.timestamps import SECOND_NS
from engine.net.rest import RestClient, Timeouts, decode
from tests.fuzz.harness import Surface, Wrong, check_sentence
from tests.fuzz.mutations import Draw, bytes_mutated, text_mutated
from tests.gateway_builders import a_tcp_server, an_answer, read_request

BODY = b'{"code": 200, "message": "ok", "data": [1, 2, 3]}'
SECRET = "fc_0123456789abcdef"


class HttpBytes(Surface):
    """The one client that every gateway calls by: an answer, or an error that says whether bytes may have left."""

    name, share, light = "wire.http", 1_500, 60
    uses_sockets = True

    def seeds(self) -> Mapping[str, bytes]:
        moment = "Wed, 18 Nov 2026 02:15:04 GMT"
        chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n[1,2,\r\n2\r\n3]\r\n0\r\n\r\n"
        return {
            "plain": an_answer(BODY),
            "limited": an_answer(
                BODY, "429 Too Many Requests", "application/json", "retry-after: 7", f"date: {moment}"
            ),
            "dated": an_answer(BODY, "503 Busy", "text/html", f"retry-after: {moment}", f"date: {moment}"),
            "chunked": chunked,
            "packed": an_answer(BODY, "200 OK", "application/json; charset=gbk", "content-encoding: gzip"),
            "moved": an_answer(b"", "302 Found", "text/html", "location: http://elsewhere.example/", "set-cookie: a=b"),
        }

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        head, _, body = seed.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        at = draw.randrange(len(lines))
        match draw.randrange(4):
            case 0:
                lines[at] = text_mutated(draw, lines[at].decode()).encode("utf-8", "replace")
            case 1:
                lines.insert(at, lines[draw.randrange(len(lines))])
            case 2:
                del lines[at]
            case _:
                return bytes_mutated(draw, seed)
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    async def open(self, folder: Path) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._answer = b""
        self._asked = 0

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            self._asked += 1
            writer.write(self._answer)
            await writer.drain()

        url = await self._stack.enter_async_context(a_tcp_server(talk))
        spans = Timeouts(connect_ns=SECOND_NS, total_ns=20 * SECOND_NS)
        self._client = RestClient(url, LiveClock(), timeouts=spans, body_max=100_000)

    async def close(self) -> None:
        await self._client.close()
        await self._stack.aclose()

    async def run(self, origin: str, data: bytes) -> str:
        self._answer, self._asked = data, 0
        headers = {"authorization": f"Bearer {SECRET}"}
        try:
            answer = await self._client.order("POST", "/buy", headers, b"{}")
        except GatewayError as error:
            if self._asked and isinstance(error, NotSent):
                raise Wrong(f"its bytes arrived, and it is called not sent: {error}") from error
            return check_sentence(error, (SECRET,))
        wait = answer.retry_after_ns(0)
        if wait is not None and not SECOND_NS <= wait <= 60 * SECOND_NS:
            raise Wrong(f"a wait of {wait} ns")
        if answer.content_type != answer.content_type.strip().lower() or (answer.date_ns() or 1) > 2**63:
            raise Wrong("headers that can not be")
        try:
            decode(answer, dict[str, object])
        except GatewayError as error:
            return check_sentence(error, (SECRET,))
        return "read"
