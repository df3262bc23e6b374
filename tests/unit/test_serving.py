"""Serving an app: what a client that goes away makes the terminal say."""

import asyncio
import logging
import socket
import struct
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from engine.control.api.serving import Turnstile
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


async def test_many_requests_at_once_keep_a_trade_waiting_for_one_of_them() -> None:
    """Twelve that came together begin in order, one a turn of the loop; who went away meanwhile holds nobody up."""
    turns: list[tuple[int, str]] = []
    turn = 0
    over = asyncio.Event()

    async def answer(scope: Scope, _receive: Receive, _send: Send) -> None:
        turns.append((turn, scope["name"]))

    async def trade() -> None:
        nonlocal turn
        while not over.is_set():
            turn += 1
            await asyncio.sleep(0)

    async def nothing(*_: object) -> Any:
        """Neither read nor written to."""

    gate = Turnstile(answer)
    trading = asyncio.create_task(trade())
    for names in ("abcdefghijkl", "mn"):
        tasks = [asyncio.create_task(gate({"type": "http", "name": name}, nothing, nothing)) for name in names]
        await asyncio.sleep(0)
        tasks[3].cancel() if len(tasks) > 3 else None
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks, return_exceptions=True)
    over.set()
    await trading
    assert [name for _, name in turns] == list("abcefghijklmn")
    assert len({turn for turn, _ in turns}) == len(turns)
