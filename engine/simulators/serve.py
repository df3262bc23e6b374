"""Serving a face on a port, inside a task of ours: no signal handlers, no thread, no process.

uvicorn's protocols do the HTTP and WebSocket work on whatever loop runs, real sockets or the simulation's in-memory
ones; its ``Server`` is left out, as it takes over signals, wakes ten times a second and ends the process when a port is
taken.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from engine.clock import Clock
from engine.domain.errors import ConfigError
from engine.entropy import Entropy
from engine.net.serving import ends_quietly, hang_up, listening
from engine.simulators.exchange import Exchange


async def serve(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until cancelled; then close every connection and cancel every request.

    Args:
        port: 0 takes a free one. on_ready: called once with the port that is bound.

    Raises:
        ConfigError: the port can not be bound.
    """
    config = uvicorn.Config(
        ends_quietly(app),
        host=host,
        port=port,
        loop="none",
        lifespan="off",
        interface="asgi3",
        http=_Tapped,
        ws="websockets-sansio",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        date_header=False,
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_config=None,
        log_level="error",
        timeout_keep_alive=75,
    )
    state = ServerState()
    server = await listening(config, host, port, state)
    bound = server.sockets[0].getsockname()[1] if server.sockets else port
    try:
        if on_ready is not None:
            on_ready(bound)
        await anyio.sleep_forever()
    finally:
        server.close()
        with anyio.CancelScope(shield=True):
            await hang_up(state, state.connections)


class _Tapped(HttpToolsProtocol):
    """uvicorn's protocol with its transport in each request's scope, so that faults can cut it."""

    def connection_made(self, transport: Any) -> None:
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class Simulator(Protocol):
    """What every entry of ``SIMULATORS`` is: settings that can make a market, and a face over a market."""

    def exchange(self, clock: Clock, entropy: Entropy) -> Exchange: ...

    def app(self, clock: Clock, entropy: Entropy, *, exchange: Exchange | None = None) -> Starlette: ...


async def simulate(
    faces: Mapping[str, Simulator],
    *,
    clock: Clock,
    entropy: Entropy,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    exchange: Exchange | None = None,
    on_ready: Callable[[Mapping[str, int]], Awaitable[None] | None] | None = None,
) -> None:
    """Serve several faces over one market until cancelled.

    Args:
        faces: name -> settings, as in ``SIMULATORS``. ports: name -> port; a missing one takes a free port.
        exchange: the market; None has settings make it: those of a face that remembers in a file, for its prices are
            to go on (the virtual market's first, which remembers what was done to them), else those of the first.
        on_ready: called once, when all are bound, with name -> port.

    Raises:
        ConfigError: a port can not be bound, or no faces.
    """
    if not faces:
        raise ConfigError("nothing to simulate: name at least one of the simulators")
    market = _maker(faces).exchange(clock, entropy) if exchange is None else exchange
    apps = {name: face.app(clock, entropy, exchange=market) for name, face in faces.items()}
    bound: dict[str, int] = {}
    all_bound = anyio.Event()

    async def one(name: str) -> None:
        def ready(port: int) -> None:
            bound[name] = port
            if len(bound) == len(apps):
                all_bound.set()

        await serve(apps[name], host, (ports or {}).get(name, 0), on_ready=ready)

    try:
        async with anyio.create_task_group() as group:
            for name in apps:
                group.start_soon(one, name)
            await all_bound.wait()
            if on_ready is not None and (waits := on_ready(bound)) is not None:
                await waits
    except* ConfigError as errors:
        raise errors.exceptions[0] from None
    finally:
        for app in apps.values():
            # A face may remember more than it wrote at its last booking.
            if (close := getattr(app.state, "close", None)) is not None:
                close()


def _maker(faces: Mapping[str, Simulator]) -> Simulator:
    in_turn = sorted(faces, key=lambda name: name != "virtual_market")
    remembering = (faces[name] for name in in_turn if getattr(faces[name], "state_path", None) is not None)
    return next(remembering, next(iter(faces.values())))
