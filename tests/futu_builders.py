"""Builders for tests of the Futu gateway: its examples, a scripted far side, pushes, orders."""

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.clock import Clock
from engine.domain.commands import OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.order import Order
from engine.entropy import Entropy
from engine.gateways.futu import lives
from engine.gateways.futu.adapter import Futu, FutuGateway
from engine.gateways.futu.schema import RESPONSES
from engine.gateways.surroundings import Surroundings
from tests.gateway_builders import Notes, QuickClock

ACCOUNT = AccountId("paper")
SIMULATE_ID, REAL_ID = "1800123", "281756400000000123"
TOKEN = "fc_0123456789abcdef0123456789abcdef"
EXAMPLES = (Path(__file__).parents[1] / "../shared/contracts/examples/futu").resolve()
PAGE = (Path(__file__).parents[1] / "../shared/seeds/003_25e4ccecbd7dc715.txt").resolve()
NOW_NS = 1_794_968_104_000_000_000
"""2026-11-18 10:15:04 in Hong Kong: the moment of the examples."""


def example_names() -> list[str]:
    return sorted(path.name for path in EXAMPLES.glob("*.json")) if EXAMPLES.is_dir() else []


def example(name: str) -> dict[str, Any]:
    """One example file; skips the test where they are not at hand."""
    path = EXAMPLES / name
    if not path.is_file():
        pytest.skip("the contract's examples are not beside this repository")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def answer_of(recorded: dict[str, Any]) -> httpx.Response:
    """The recorded answer as HTTP."""
    said = recorded["response"]
    body = said["body"]
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return httpx.Response(said["http_status"], headers=said["headers"], content=content)


def ok(s2c: Any = None, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"ret_type": 0, "ret_msg": None, "err_code": None, "s2c": s2c or {}, **more})


def said_no(text: str, ret_type: int = -1, err_code: Any = None, s2c: Any = None) -> httpx.Response:
    return httpx.Response(200, json={"ret_type": ret_type, "ret_msg": text, "err_code": err_code, "s2c": s2c})


class FarSide:
    """Answers by path, from examples or as the test says, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], httpx.Headers]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], httpx.Response]] = {
            "/health": lambda _body: httpx.Response(200, text="ok"),
            "/api/global-state": lambda _body: ok(
                {"qot_logined": True, "trd_logined": True, "market_hk": 3, "conn_id": 7}
            ),
            "/api/accounts": lambda _body: ok({"acc_list": [an_account()]}),
            "/api/funds": lambda body: ok({"header": body["c2s"]["header"], "funds": some_funds()}),
            "/api/positions": lambda body: ok({"header": body["c2s"]["header"], "position_list": []}),
            "/api/orders": lambda body: ok({"header": body["c2s"]["header"], "order_list": []}),
            "/api/order-fills": lambda body: ok({"header": body["c2s"]["header"], "order_fill_list": []}),
            "/api/sub-acc-push": lambda _body: ok(),
            "/api/unlock-trade": lambda _body: ok({"account_result_list": []}),
        }

    def say(self, path: str, answer: httpx.Response | Callable[[dict[str, Any]], httpx.Response]) -> None:
        self.answers[path] = answer if callable(answer) else lambda _body: answer

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for asked, body, _ in self.asked if asked == path]

    def transport(self) -> httpx.AsyncBaseTransport:
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        self.asked.append((request.url.path, body, request.headers))
        answer = self.answers.get(request.url.path)
        return answer(body) if answer is not None else httpx.Response(404, json={"error": "unknown route"})


def an_account(**more: Any) -> dict[str, Any]:
    return {"trd_env": 0, "acc_id": 1800123, "trd_market_auth_list": [1], "acc_type": 1, "acc_status": 0} | more


def some_funds(**more: Any) -> dict[str, Any]:
    keys = ("power", "total_assets", "cash", "market_val", "frozen_cash", "debt_cash", "avl_withdrawal_cash")
    return dict.fromkeys(keys, 1000.0) | more


def a_gateway(
    far: FarSide, clock: Clock | None = None, *, note: Notes | None = None, environ: Any = None, **settings: Any
) -> FutuGateway:
    """A gateway over a scripted far side, not connected."""
    given = {"account": ACCOUNT, "acc_id": SIMULATE_ID, "environment": "simulate", "instruments": ("00700.HK",)}
    around = Surroundings(
        clock=clock or QuickClock(NOW_NS),
        entropy=Entropy(11),
        environ={"SLUICE_FUTU_TOKEN": TOKEN} if environ is None else environ,
        transport=far.transport,
        note=note or Notes(),
    )
    return Futu(**(given | settings)).open(around)


def an_order(
    quantity: int = 300,
    price: str | None = "510.8",
    *,
    client_id: str = "oe-7f3a0001",
    instrument: str = "00700.HK",
    side: Side = Side.BUY,
    kind: OrderType = OrderType.LIMIT,
    tif: TimeInForce = TimeInForce.DAY,
    stop: str | None = None,
    ts_ns: int = NOW_NS,
    **more: Any,
) -> SubmitOrder:
    return SubmitOrder(
        client_id=ClientOrderId(client_id),
        account=ACCOUNT,
        strategy=StrategyId("s"),
        instrument=InstrumentId(instrument),
        side=side,
        quantity=quantity,
        ts_ns=ts_ns,
        type=kind,
        price=Decimal(price) if price is not None else None,
        stop_price=Decimal(stop) if stop is not None else None,
        tif=tif,
        **more,
    )


def push_frame(proto_id: int, fill: Callable[[Any], None], **head: Any) -> str:
    """A frame with a body that ``fill`` writes into its ``s2c``."""
    message = RESPONSES[proto_id]()
    message.ret_type = 0
    fill(message.s2c)
    message.s2c.SetInParent()
    return json.dumps({"type": "quote", "proto_id": proto_id, **head, "body_b64": base64.b64encode(
        message.SerializeToString()).decode()})  # fmt: skip


class OneOrder:
    """One order of ours as the core keeps it, and the lives that bring its evidence."""

    def __init__(self, *, derives_fills: bool = True, order: SubmitOrder | None = None) -> None:
        self.clock = QuickClock(NOW_NS)
        self.told: list[Any] = []
        self.looks = 0
        self.request = order or an_order()
        self.order = Order(self.request)
        self.lives = lives.Lives(ACCOUNT, self.clock, derives_fills=derives_fills, tell=self._take, look=self._looked)
        for kind in (Evidence.RISK_OK, Evidence.SEND):
            self.order.apply(OrderReport(account=ACCOUNT, kind=kind, ts_ns=NOW_NS, client_id=self.request.client_id))
        self.lives.sending(self.request)

    def _looked(self) -> None:
        self.looks += 1

    def _take(self, event: Any) -> None:
        self.told.append(event)
        if isinstance(event, OrderReport):
            self.order.apply(event)

    @property
    def kinds(self) -> list[str]:
        return [event.kind.value for event in self.told if isinstance(event, OrderReport)]

    def answered(self) -> None:
        self.lives.accepted(self.request, "8947461500000000561", "20261118_10_8947461500000000561")
