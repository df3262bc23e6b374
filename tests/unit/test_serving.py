"""Serving an app: what a client that goes away makes the terminal say."""

import asyncio
import logging
import socket
import struct

import pytest

from engine.net import serving


async def test_a_client_that_is_gone_is_no_news_for_the_terminal(caplog: pytest.LogCaptureFixture) -> None:
    """Written to many times in the turn before its connection hears of the end: asyncio would warn of each."""
    assert serving.WithoutLateWrites in {type(one) for one in logging.getLogger("asyncio").filters}
    ended = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        for _ in range(50):
            writer.transport.write(b"x" * 100)
        logging.getLogger("asyncio").warning("something else")
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = socket.create_connection(server.sockets[0].getsockname())
    async with asyncio.timeout(10):
        await ended.wait()
    server.close()
    assert [record.getMessage() for record in caplog.records] == ["something else"]
