"""Builders for tests that talk to a simulator, in memory or over a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
from starlette.applications import Starlette

from engine.clock import Clock, ReplayClock
from engine.domain.timestamps import parse_time
from engine.entropy import Entropy
from engine.simulators.exchange import Exchange
from engine.simulators.serve import serve
from engine.simulators.virtual_market import VirtualMarket, VirtualMarketSimulator

OPEN_NS = parse_time("2026-03-02 10:00:30", "Asia/Shanghai")
"""A Monday in the session, thirty seconds after a mark."""
CLOSED_NS = parse_time("2026-03-02 03:00:00", "Asia/Shanghai")


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[str]:
    """Serve an app on a free port of this machine; gives its base URL, ``http://127.0.0.1:<port>``."""
    ports: list[int] = []
    ready = anyio.Event()
    failure: Exception | None = None

    def bound(port: int) -> None:
        ports.append(port)
        ready.set()

    async with anyio.create_task_group() as group:

        async def run() -> None:
            await serve(app, on_ready=bound)

        group.start_soon(run)
        await ready.wait()
        try:
            yield f"http://127.0.0.1:{ports[0]}"
        except Exception as problem:  # noqa: BLE001
            # A test's own failure should not come out of here wrapped in a group.
            failure = problem
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


class MarketAtHand:
    """A virtual market in memory with its clock in the test's hand, and a client that is logged in or not."""

    def __init__(self, now_ns: int = OPEN_NS, *, exchange: Exchange | None = None, **settings: Any) -> None:
        settings = {"seed": 7, "rate_limits": "off"} | settings
        self.clock = ReplayClock(now_ns)
        self.simulator = VirtualMarketSimulator(**settings)
        self.app = self.simulator.app(self.clock, Entropy(7), exchange=exchange)
        self.venue: VirtualMarket = self.app.state.venue
        self.ledger = self.venue.ledger
        self.exchange = self.venue.exchange
        self.client = self.client_from("127.0.0.1")
        self.user = self.simulator.users[0].login

    def client_from(self, address: str) -> httpx.AsyncClient:
        """A client with that address."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url="http://venue")

    def log_in(self, user: int = 0) -> "MarketAtHand":
        """Put a good token on the client without a call."""
        who = self.simulator.users[user]
        token = self.venue.tokens.issue(who.chat_id, who.login, self.clock.now_ns)
        self.client.headers["authorization"] = f"Bearer {token}"
        return self

    def price(self, code: str, price: float) -> None:
        self.exchange.set_price(code, price, self.clock.now_ns)

    async def trade(self, route: str, **body: Any) -> httpx.Response:
        return await self.client.post(f"/api/v1/trade/{route}", json=body)

    async def said(self, route: str, **body: Any) -> str:
        """The message of a trade that is expected to be answered with success or refusal."""
        response = await self.trade(route, **body)
        reply = response.json()
        assert reply["success"] is (response.status_code == 200), reply
        return str(reply["message"])


def an_exchange(clock: Clock, **settings: Any) -> Exchange:
    """The default virtual market's exchange with a fixed seed."""
    return VirtualMarketSimulator(**({"seed": 7} | settings)).exchange(clock, Entropy(7))
