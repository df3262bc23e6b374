"""Builders for tests of the simulated EasyTHS server: one in memory whose clock is in the test's hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx

from engine.clock import LiveClock, ReplayClock
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.markets.virtual import Virtual
from engine.simulators.counter import Counter, CounterPace, Entrust
from engine.simulators.easyths import EasythsSimulator, EasythsVenue
from engine.simulators.exchange import Exchange
from engine.simulators.quirks import QuirkTrigger
from tests.simulator_builders import running

OPEN_NS = parse_time("2026-03-02 10:00:30", "Asia/Shanghai")
"""A Monday in the morning's session."""
OPERATIONS = "/api/v1/operations"
PUDONG, PING_AN, FUND, BOND = "600000", "000001", "510300", "113052"
INVALID = "参数验证失败：参数验证失败，请检查接口参数"
SETTINGS: dict[str, Any] = {
    "seed": 7,
    "rate_limit": 0,
    "separators": "never",
    "counter": CounterPace(partial=0.0),
}
"""Fills are whole, tables plain, calls unlimited, where a test says nothing else."""


class ServerAtHand:
    """A server in memory with a client."""

    def __init__(
        self, now_ns: int = OPEN_NS, *, exchange: Exchange | None = None, chance: int = 7, **settings: Any
    ) -> None:
        self.clock = ReplayClock(now_ns)
        market = a_bare_market(now_ns) if exchange is None else exchange
        self.app = EasythsSimulator(**(SETTINGS | settings)).app(self.clock, Entropy(chance), exchange=market)
        self.venue: EasythsVenue = self.app.state.venue
        self.client = self.client_from("127.0.0.1")

    def client_from(self, address: str, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, client=(address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url="http://server", headers=headers)

    @property
    def counter(self) -> Counter:
        return self.venue.counter

    def wait(self, seconds: float) -> None:
        """Let time go by, with client, counter and market."""
        self.clock.now_ns += round(seconds * SECOND_NS)
        self.venue.now_ns()

    # The wire

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def submit(self, name: str, priority: int = 0, **params: Any) -> str:
        """Submit an operation; its id."""
        response = await self.client.post(f"{OPERATIONS}/{name}", json={"params": params, "priority": priority})
        assert response.status_code == 200, response.text
        return str(response.json()["data"]["operation_id"])

    async def status(self, operation_id: str) -> Any:
        """``data`` of a status."""
        response = await self.get(f"{OPERATIONS}/{operation_id}/status")
        assert response.status_code == 200, response.text
        return response.json()["data"]

    async def result(self, operation_id: str) -> httpx.Response:
        return await self.get(f"{OPERATIONS}/{operation_id}/result?timeout=0")

    async def run(self, name: str, **params: Any) -> Any:
        """The result of an operation that is given a quarter of a minute."""
        operation_id = await self.submit(name, **params)
        self.wait(15)
        response = await self.result(operation_id)
        assert response.status_code == 200, (response.status_code, response.text)
        body = response.json()
        return body["data"]["result"] if self.venue.settings.generation == "old" else body

    async def orders(self, **params: Any) -> Any:
        """``orders`` of an order query as json."""
        return (await self.run("order_query", return_type="json", **params))["data"]["orders"]

    async def history(self, **params: Any) -> Any:
        found = await self.run("historical_commission_query", return_type="json", **params)
        return found["data"]["historical_orders"]

    # The market

    def price(self, code: str, price: float) -> None:
        """An operator sets a price; everybody sees it at the next step, three seconds later at most."""
        share = self.counter.share(code)
        assert share is not None
        self.venue.exchange.set_price(share.code, price, self.clock.now_ns)
        self.wait(3)

    def bid(self, code: str) -> float:
        share = self.counter.share(code)
        assert share is not None
        return self.counter.view(share).bid

    def ask(self, code: str) -> float:
        share = self.counter.share(code)
        assert share is not None
        return self.counter.view(share).ask

    def beside(self, code: str = PUDONG) -> float:
        """A price to buy at that rests in the book."""
        return round(self.bid(code) * 0.97, 2)

    def placed(self) -> list[Entrust]:
        """Every order at the counter, as it is now."""
        return self.counter.entrusts(self.clock.now_ns, 400)


def a_bare_market(now_ns: int) -> Exchange:
    """A market on which nothing is listed yet: quicker to make than the default one."""
    return Exchange((), seed=7, origin_ns=now_ns, hours=Virtual())


def played(*quirks: str) -> tuple[QuirkTrigger, ...]:
    """Each quirk on its first occasion."""
    return tuple(QuirkTrigger(quirk=quirk, occasion=1) for quirk in quirks)


def yuan(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


@asynccontextmanager
async def served(speed: float = 20.0, **settings: Any) -> AsyncIterator[tuple[httpx.AsyncClient, EasythsVenue]]:
    """A server over a real socket whose clock runs faster, and a client that asks no proxy."""
    clock = LiveClock(speed=speed, start_ns=OPEN_NS)
    app = EasythsSimulator(**(SETTINGS | settings)).app(clock, Entropy(7), exchange=a_bare_market(OPEN_NS))
    async with running(app) as url, httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
        yield client, app.state.venue
