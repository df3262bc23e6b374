"""An ASGI app on a port inside a task of ours: uvicorn's protocols without its server.

uvicorn's ``Server`` takes over signals, wakes ten times a second and ends the process when a port is taken.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterable
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from engine.domain.errors import ConfigError


class WithoutLateWrites(logging.Filter):
    """A stream to a client that has just gone may write many pieces before its connection hears of it.

    asyncio warns of each: hundreds of lines on the terminal of a busy machine, about nothing.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return record.msg != "socket.send() raised exception."


logging.getLogger("asyncio").addFilter(WithoutLateWrites())


async def listening(
    config: uvicorn.Config, host: str, port: int, state: ServerState, tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Bind and listen; ``state`` gets every connection and request.

    Raises:
        ConfigError: the port can not be bound.
    """
    config.load()

    def connection() -> asyncio.Protocol:
        return config.http_protocol_class(config=config, server_state=state, app_state={})  # type: ignore[call-arg]

    try:
        return await asyncio.get_running_loop().create_server(connection, host=host, port=port, ssl=tls)
    except OSError as error:
        raise ConfigError(f"port {port} of {host} can not be served ({error.strerror}); choose another port") from None


async def hang_up(state: ServerState, connections: Iterable[Any]) -> None:
    """Close every connection and cancel every request."""
    for one in list(connections):
        one.transport.abort()
    # Two turns of the loop, so that each request knows its client is gone before it is cancelled.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks = list(state.tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def ends_quietly(app: ASGIApp) -> ASGIApp:
    """The app, whose requests may be cancelled without a word."""

    async def ended(scope: Scope, receive: Receive, send: Send) -> None:
        # The task ends here in any case; uvicorn would log the cancellation as a fault of the app.
        with contextlib.suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return ended
