"""Builders for runs in the simulated world."""

import asyncio
import contextlib
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from engine.chaos.faults import ConnectionFault, FaultKind
from engine.chaos.world import World, serve, simulated

PORT = 5000
URL = f"http://127.0.0.1:{PORT}"
ANSWER = b"x" * 200


def a_fault(kind: FaultKind, **figures: Any) -> ConnectionFault:
    return ConnectionFault(**{"kind": kind, "port": PORT, "connection": 0, **figures})


def a_client(**settings: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=URL, trust_env=False, **settings)


def a_shop(orders: list[str]) -> Starlette:
    """A server that books what is posted, then answers; /feed pushes numbers every quarter of a second."""

    async def book(request: Request) -> Response:
        orders.append((await request.body()).decode())
        return Response(ANSWER)

    async def slow(_request: Request) -> Response:
        await anyio.sleep(1000)
        return Response(b"late")

    async def feed(socket: WebSocket) -> None:
        await socket.accept()
        for number in range(20):
            await socket.send_text(f"{number:040}")
            await anyio.sleep(0.25)
        await socket.close()

    return Starlette(
        routes=[
            Route("/order", book, methods=["POST"]),
            Route("/slow", slow),
            WebSocketRoute("/feed", feed),
        ]
    )


def in_a_shop(
    visit: Callable[[World, list[str]], Awaitable[Any]],
) -> Callable[[World], Awaitable[Any]]:
    """A scenario with the shop open, and closed again when the visit is over."""

    async def scenario(world: World) -> Any:
        orders: list[str] = []
        shop = world.start("shop", serve, a_shop(orders), PORT)
        await anyio.sleep(0.1)
        result = await visit(world, orders)
        shop.stop()
        await shop.ended()
        return result

    return scenario


async def _busy_visit(world: World, orders: list[str]) -> int:
    rng = world.entropy.stream("test")

    async def trade(client: httpx.AsyncClient, who: int) -> None:
        for index in range(8):
            try:
                with anyio.fail_after(0.008):
                    answer = await client.post("/order", content=f"{who}/{index}")
                world.trace(f"{who} {index} {answer.status_code} {answer.headers['date']}")
            except (TimeoutError, httpx.HTTPError) as error:
                world.trace(f"{who} {index} {type(error).__name__}")
            await anyio.sleep(rng.uniform(0, 0.2))

    async def watch() -> None:
        async with connect(f"ws://127.0.0.1:{PORT}/feed", compression=None, proxy=None) as socket:
            async for message in socket:
                world.trace(f"feed {message!r}")

    async def give_up(depth: int, number: int) -> None:
        try:
            await anyio.sleep(1000 + number)
        finally:
            world.trace(f"gave up {depth} {number}")

    async with a_client() as client, anyio.create_task_group() as group:
        group.start_soon(watch)
        for who in range(3):
            group.start_soon(trade, client, who)
        for depth in range(3):
            with anyio.move_on_after(1):
                async with anyio.create_task_group() as doomed:
                    for number in range(20):
                        doomed.start_soon(give_up, depth, number)
            # anyio cancels in the order of a set of scopes, asyncio in that of a set of tasks.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1), asyncio.TaskGroup() as native:
                    for number in range(20):
                        native.create_task(give_up(depth, 100 + number))
    return len(orders)


busy = in_a_shop(_busy_visit)
"""Clients with time-outs, a push feed, cancelled task groups: everything whose order could differ between processes."""


if __name__ == "__main__":
    # Other holes in the heap in every process, so that order by address must show.
    draw = random.Random(int(sys.argv[2]))
    ballast = [bytes(size) for size in range(16, 512, 8) for _ in range(draw.randrange(2000))]
    draw.shuffle(ballast)
    del ballast[::2]
    sys.stdout.write(simulated(busy, seed=int(sys.argv[1])).digest)
