"""Builders for tests of the simulated HT server: one in memory, whose clock is in the test's hand and never waits,
and one served in virtual time."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from engine.chaos.world import World, simulated
from engine.clock import Clock, ReplayClock
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.simulators.counter import CounterPace, Entrust
from engine.simulators.exchange import Exchange
from engine.simulators.huatai import HuataiSimulator, HuataiVenue
from engine.simulators.serve import serve
from engine.simulators.virtual_market import VirtualMarketSimulator
from engine.simulators.virtual_market.settings import DEFAULT_STOCKS

OPEN_NS = parse_time("2026-03-02 10:00:30", "Asia/Shanghai")
"""A Monday in the session."""
URL = "http://127.0.0.1:5000/api/trader/"
WHOLE = CounterPace(partial=0.0)


def a_market(clock: Clock) -> Exchange:
    """A market to stand over, quickly made: with one stock of another face, and no past."""
    return VirtualMarketSimulator(seed=7, stocks=DEFAULT_STOCKS[:1], history_days=0).exchange(clock, Entropy(7))


class HuataiAtHand:
    """A server in memory without pauses; nothing fills in parts."""

    def __init__(
        self,
        now_ns: int = OPEN_NS,
        *,
        make: Callable[..., HuataiSimulator] = HuataiSimulator,
        market: Exchange | None = None,
        **settings: Any,
    ) -> None:
        settings = {"seed": 7, "pauses": 0.0, "pace": WHOLE} | settings
        self.clock = ReplayClock(now_ns)
        self.simulator = make(**settings)
        self.app = self.simulator.app(self.clock, Entropy(7), exchange=market or a_market(self.clock))
        self.venue: HuataiVenue = self.app.state.venue
        self.counter = self.venue.counter
        transport = httpx.ASGITransport(app=self.app, client=("127.0.0.1", 50_000))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://server/api/trader/")

    def wait(self, seconds: float) -> None:
        """Let time go by, with market and orders."""
        self.clock.now_ns += round(seconds * SECOND_NS)
        self.counter.advance(self.clock.now_ns)

    def price(self, code: str, price: float) -> None:
        """An operator's price, which orders meet at the next step."""
        self.venue.exchange.set_price(code, price, self.clock.now_ns)

    def last(self, code: str = "600000") -> float:
        share = self.counter.share(code)
        assert share is not None
        return float(self.counter.last(share))

    def below(self, code: str = "600000") -> float:
        """A price at which a purchase rests."""
        return round(self.last(code) * 0.97, 2)

    async def get(self, name: str, **query: str) -> httpx.Response:
        return await self.client.get(name, params=query)

    async def post(self, name: str, body: Any = None, **query: str) -> httpx.Response:
        """With a JSON body, an empty object where none is given."""
        return await self.client.post(name, json={} if body is None else body, params=query)

    async def data(self, name: str) -> Any:
        """``data`` of a query, which always says 200."""
        reply = (await self.get(name)).json()
        assert reply["code"] == 200, reply
        return reply["data"]

    async def said(self, name: str, body: Any = None, **query: str) -> dict[str, Any]:
        """The envelope of a POST, sent with HTTP 200 whatever the code."""
        response = await self.post(name, body, **query)
        assert response.status_code == 200, response.text
        reply = response.json()
        assert set(reply) == {"code", "message", "data"}
        return dict(reply)

    async def bought(self, price: float | None = None, amount: int = 100, security: str = "600000") -> dict[str, Any]:
        """The envelope of a purchase; without a price one that rests."""
        rests = self.below(security[-6:]) if price is None else price
        return await self.said("buy", {"security": security, "price": rests, "amount": amount})

    async def status(self) -> dict[str, Any]:
        """``data`` of session-status."""
        return dict(await self.data("session-status"))


class Caller:
    """A client of the simulated server, with the document's 30 seconds."""

    def __init__(self, world: World, venue: HuataiVenue, client: httpx.AsyncClient) -> None:
        self.world = world
        self.venue = venue
        self._client = client

    @property
    def entrusts(self) -> list[Entrust]:
        return self.venue.counter.entrusts(self.venue.clock.now_ns)

    def below(self, code: str = "600000") -> float:
        share = self.venue.counter.share(code)
        assert share is not None
        return round(float(self.venue.counter.last(share)) * 0.97, 2)

    async def said(self, name: str, body: Any = None, *, timeout: float = 30) -> Any:
        """The envelope of a POST with a body, or of a GET; the kind of failure where there is none."""
        try:
            if body is None:
                return (await self._client.get(name, timeout=timeout)).json()
            return (await self._client.post(name, json=body, timeout=timeout)).json()
        except httpx.TransportError as problem:
            return type(problem).__name__

    async def bought(self, price: float | None = None, amount: int = 100, code: str = "600000") -> Any:
        body = {"security": code, "price": self.below(code) if price is None else price, "amount": amount}
        return await self.said("buy", body)

    async def took(self, name: str, body: Any = None) -> float:
        """How many seconds an answer took."""
        before = self.venue.clock.now_ns
        await self.said(name, body, timeout=300)
        return (self.venue.clock.now_ns - before) / SECOND_NS


def played(main: Callable[[Caller], Awaitable[Any]], *, seed: int = 11, **settings: Any) -> Any:
    """What ``main`` returns, told over a served server in virtual time."""

    async def scenario(world: World) -> Any:
        clock = world.clock()
        simulator = HuataiSimulator(**({"seed": 7, "pace": CounterPace(partial=0.0)} | settings))
        app = simulator.app(clock, world.entropy, exchange=a_market(clock))
        server = world.start("server", serve, app, "127.0.0.1", 5000)
        await clock.sleep(SECOND_NS // 10)
        async with httpx.AsyncClient(base_url=URL, trust_env=False) as client:
            result = await main(Caller(world, app.state.venue, client))
        server.stop()
        await server.ended()
        return result

    outcome = simulated(scenario, seed=seed)
    assert outcome.findings == ()
    return outcome.result
