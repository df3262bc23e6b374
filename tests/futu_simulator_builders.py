"""Builders for tests of the simulated Futu gateway: one in memory whose clock is in the test's hand."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from engine.clock import ReplayClock
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.simulators.exchange import Exchange
from engine.simulators.futu import EXAMPLE_TOKEN, FutuSimulator, FutuVenue, Limits, Security, a_key
from engine.simulators.futu.schema import RESPONSES

HK_OPEN_NS = parse_time("2026-11-18 10:15:03", "Asia/Hong_Kong")
"""A Wednesday in Hong Kong's morning; overnight in New York."""
US_OPEN_NS = parse_time("2026-11-18 11:00:00", "America/New_York")
SIMULATE_HK, SIMULATE_US, SIMULATE_CN, REAL = 1800123, 1800124, 1800125, 281756400000000123
TENCENT = Security(code="00700", market="HK", name="TENCENT", price=511.0, lot=100, spread=0.2)
"""As the contract's examples have it: their steps of 0.2 at 511 are not the exchange's table."""


class GatewayAtHand:
    """A gateway in memory with a client that bears the example token."""

    def __init__(
        self,
        now_ns: int = HK_OPEN_NS,
        *,
        exchange: Exchange | None = None,
        limits: Limits | None = None,
        scopes: tuple[str, ...] = (),
        chance: int = 7,
        **settings: Any,
    ) -> None:
        settings = {"seed": 7, "pacing": False, "keys": (a_key(EXAMPLE_TOKEN, *scopes, limits=limits),)} | settings
        self.clock = ReplayClock(now_ns)
        self.simulator = FutuSimulator(**settings)
        self.app = self.simulator.app(self.clock, Entropy(chance), exchange=exchange)
        self.venue: FutuVenue = self.app.state.venue
        self.ledger = self.venue.ledger
        transport = httpx.ASGITransport(app=self.app, client=("127.0.0.1", 50_000))
        self.stranger = httpx.AsyncClient(transport=transport, base_url="http://gateway")
        """A client without a token."""
        self.client = httpx.AsyncClient(
            transport=transport, base_url="http://gateway", headers={"authorization": f"Bearer {EXAMPLE_TOKEN}"}
        )
        self._serial = 0

    def wait(self, seconds: float) -> None:
        """Let time go by, with market and orders."""
        self.clock.now_ns += round(seconds * SECOND_NS)
        self.venue.now_ns()

    def price(self, key: str, price: float) -> None:
        """An operator's price for ``1_00700``; orders see it at the next step."""
        security = self.venue.securities[key]
        self.venue.exchange.set_price(security.exchange_code, price, self.clock.now_ns)

    async def call(self, name: str, body: Any = None, **headers: str) -> httpx.Response:
        path = f"/api/{name}"
        if body is None:
            return await self.client.get(path, headers=headers)
        return await self.client.post(path, json=body, headers=headers)

    async def said(self, name: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """``s2c`` of an answer that must be a success."""
        response = await self.call(name, body, **headers)
        reply = response.json()
        assert response.status_code == 200, reply
        assert reply["ret_type"] == 0, reply
        assert isinstance(reply["s2c"], dict)
        return dict(reply["s2c"])

    async def refused(self, name: str, body: Any = None, **headers: str) -> str:
        """``ret_msg`` of an answer that must be a business refusal."""
        response = await self.call(name, body, **headers)
        reply = response.json()
        assert response.status_code == 200, reply
        assert reply["ret_type"] != 0, reply
        return str(reply["ret_msg"])

    async def denied(self, name: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """Status and ``error`` of an answer that must be no 200."""
        response = await self.call(name, body, **headers)
        assert response.status_code != 200, response.text
        return response.status_code, response.json()["error"]

    def an_order(self, acc_id: int = SIMULATE_HK, **changes: Any) -> dict[str, Any]:
        """A wrapped body: 300 Tencent bought at 470 by limit, with a fresh packet_id."""
        self._serial += 1
        market = {SIMULATE_US: 2, SIMULATE_CN: 3}.get(acc_id, 1)
        body: dict[str, Any] = {
            "packet_id": {"conn_id": 77, "serial_no": self._serial},
            "header": a_header(acc_id, trd_market=market),
            "trd_side": 1,
            "order_type": 1,
            "code": "00700",
            "qty": 300.0,
            "price": 470.0,
            "sec_market": market if market < 3 else 31,
        }
        return {"c2s": {key: value for key, value in (body | changes).items() if value is not None}}

    def a_change(self, order: Mapping[str, Any], op: int, acc_id: int = SIMULATE_HK, **changes: Any) -> dict[str, Any]:
        self._serial += 1
        market = {SIMULATE_US: 2, SIMULATE_CN: 3}.get(acc_id, 1)
        body = {
            "packet_id": {"conn_id": 77, "serial_no": self._serial},
            "header": a_header(acc_id, trd_market=market),
            "order_id": order["order_id"],
            "modify_order_op": op,
        }
        return {"c2s": body | changes}

    async def placed(self, acc_id: int = SIMULATE_HK, **changes: Any) -> dict[str, Any]:
        """``s2c`` of a placed order."""
        return await self.said("order", self.an_order(acc_id, **changes))

    async def order(self, order_id: int, acc_id: int = SIMULATE_HK) -> dict[str, Any]:
        """The row of one order as a refreshed query tells it."""
        market = {SIMULATE_US: 2, SIMULATE_CN: 3}.get(acc_id, 1)
        body = {"header": a_header(acc_id, trd_market=market), "refresh_cache": True}
        rows = (await self.said("orders", body))["order_list"]
        return next(row for row in rows if row["order_id"] == order_id)

    async def subscribe(self, *subs: int, security: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Subscribe with push registration, and wait until the data is there."""
        body = {
            "security_list": [security or {"market": 1, "code": "00700"}],
            "sub_type_list": list(subs),
            "is_sub_or_un_sub": True,
            "is_reg_or_un_reg_push": True,
        }
        await self.said("subscribe", body | more)
        self.wait(1)


def a_header(acc_id: int = SIMULATE_HK, *, trd_env: int | None = None, trd_market: int = 1) -> dict[str, int]:
    env = (1 if acc_id == REAL else 0) if trd_env is None else trd_env
    return {"trd_env": env, "acc_id": acc_id, "trd_market": trd_market}


def decoded(frame: Mapping[str, Any]) -> Any:
    """The message in ``s2c`` of a frame."""
    return RESPONSES[frame["proto_id"]].FromString(base64.b64decode(frame["body_b64"])).s2c


def wire_fields(raw: bytes) -> Iterator[tuple[int, int, Any]]:
    """(field number, wire type, value) of a protobuf message, read without any schema."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = raw[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7

    while place < len(raw):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            value: Any = varint()
        elif kind == 1:
            value = raw[place : place + 8]
            place += 8
        else:
            assert kind == 2, kind
            length = varint()
            value = raw[place : place + length]
            place += length
        yield tag >> 3, kind, value
