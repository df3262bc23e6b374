"""Builders for tests that talk to the simulated AmazingData platform in memory."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.clock import ReplayClock
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.simulators.amazingdata import AmazingData, AmazingDataSimulator
from engine.simulators.exchange import Exchange

BASE = "/api/v1"
EXAMPLES = (Path(__file__).parents[1] / "../shared/contracts/examples/amazingdata").resolve()
NIGHT_NS = parse_time("2024-02-01 20:00:00", "Asia/Shanghai")
"""A Thursday after the close: all of January 2024 is the past."""


class SteppingClock(ReplayClock):
    """A clock in the test's hand whose sleep is a step."""

    async def sleep(self, duration_ns: int) -> None:
        self.now_ns += duration_ns


class PlatformAtHand:
    """A platform in memory, without gaps unless asked for, and a client that is logged in."""

    def __init__(self, now: str | int = NIGHT_NS, *, exchange: Exchange | None = None, **settings: Any) -> None:
        self.clock = SteppingClock(parse_time(now, "Asia/Shanghai") if isinstance(now, str) else now)
        self.simulator = AmazingDataSimulator(**({"seed": 7, "gaps": 0.0} | settings))
        self.app = self.simulator.app(self.clock, Entropy(7), exchange=exchange)
        self.platform: AmazingData = self.app.state.platform
        transport = httpx.ASGITransport(app=self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://platform")
        self.log_in()

    def log_in(self, user: int = 1) -> "PlatformAtHand":
        """Put a good token on the client without a call."""
        name = self.simulator.users[user - 1].username
        token = self.platform.tokens.issue(user, name, self.clock.now_ns)
        self.client.headers["authorization"] = f"Bearer {token}"
        return self

    def at(self, text: str) -> "PlatformAtHand":
        """Move the clock to a local time, and log in anew."""
        self.clock.now_ns = parse_time(text, "Asia/Shanghai")
        return self.log_in()

    def pass_seconds(self, seconds: float) -> None:
        self.clock.now_ns += round(seconds * SECOND_NS)

    async def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return await self.client.request(method, f"{BASE}{path}", **arguments)

    async def data(self, method: str, path: str, **arguments: Any) -> Any:
        """``data`` of a call that is expected to go well."""
        response = await self.call(method, path, **arguments)
        body = response.json()
        assert (response.status_code, body.get("code")) == (200, 200), body
        return body["data"]

    async def bars(self, codes: str, start: str, end: str, period: str = "daily") -> dict[str, Any]:
        params = {"codes": codes, "start_date": start, "end_date": end, "period": period}
        found = await self.data("GET", "/stock/kline", params=params)
        assert isinstance(found, dict)
        return found

    async def futures(self, codes: str, start: str, end: str, period: str = "daily") -> dict[str, Any]:
        params = {"codes": codes, "start_date": start, "end_date": end, "period": period}
        found = await self.data("GET", "/future/kline", params=params)
        assert isinstance(found, dict)
        return found


def example(name: str) -> dict[str, Any]:
    """One of the contract's examples; the test is skipped where they are not there."""
    path = EXAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip("the contract's examples are not beside the repository")
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def shape(value: Any) -> Any:
    """Names, order and types of a body: lists by their first entry, whole and broken numbers apart."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__
