"""Builders for tests of the HT gateway: a scripted server over real HTTP, its tables, orders."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from engine.clock import Clock
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId, VenueOrderId
from engine.domain.instructions import SubmitInstruction, SubscribeIpo
from engine.domain.order import Order
from engine.domain.timestamps import parse_time
from engine.entropy import Entropy
from engine.gateways.huatai.adapter import Huatai, HuataiGateway
from engine.gateways.huatai.router import HuataiRouter
from engine.gateways.surroundings import Surroundings
from tests.gateway_builders import Notes, QuickClock
from tests.simulator_builders import running

ACCOUNT = AccountId("huatai")
NOW_NS = parse_time("2026-11-18 10:15:00", "Asia/Shanghai")
DAY = "20261118"
ENVIRON = {
    "SLUICE_HT_USER": "12345678",
    "SLUICE_HT_PASSWORD": "secret-trade-word",
    "SLUICE_HT_COMM_PASSWORD": "secret-comm-word",
}
SECRETS = (*list(ENVIRON.values())[1:], "a1b2c3d4-5678-90ef-session")
SESSION = SECRETS[-1]

BALANCE = {"资金余额": 50000.0, "可用金额": 45000.0, "可取金额": 10000.0, "股票市值": 15000.0, "总资产": 65000.0}
EXPIRED = "会话已超时，请重新连接或登录"
QUESTION = "证券代码：600000\n买入价格：8.700\n买入数量：500\n\n您确定要买入吗？"
NOT_FOUND = "委托单状态错误不能撤单, 该委托单可能已经成交或者已撤"

Answer = Response | tuple[int, str, Any]
Script = Answer | list[Answer] | Callable[[dict[str, Any]], Answer]


def reply(answer: Answer) -> Response:
    """An envelope: HTTP says 200 whatever the code."""
    if isinstance(answer, Response):
        return answer
    code, message, data = answer
    return JSONResponse({"code": code, "message": message, "data": data})


def page(status: int) -> Response:
    return HTMLResponse(f"<!doctype html><title>{status}</title>", status)


class FarSide:
    """Answers by route, as the test says; a list is used up answer by answer, its last one stays.

    Attributes:
        sessions: ids that are good. automatic: whether calls without an id are.
        client_up: whether connect finds a client.
        pauses: route -> seconds until it is answered. heard: route -> set when it was asked.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.headers: list[dict[str, str]] = []
        self.sessions = {SESSION}
        self.automatic = False
        self.client_up = True
        self.busy = 0
        self.busiest = 0
        self.pauses: dict[str, float] = {}
        self.heard: dict[str, anyio.Event] = {}
        self.answers: dict[str, Script] = {
            "balance": (200, "查询成功", BALANCE),
            "position": (200, "查询成功", []),
            "today-entrusts": (200, "查询成功", []),
            "today-trades": (200, "查询成功", []),
            "cancel-entrusts": (200, "查询成功", []),
            "login": (200, "登录成功", {"session_id": SESSION, "main_window_title": "网上股票交易系统5.0"}),
        }
        self.app = Starlette(routes=[Route("/api/trader/{name:path}", self._answer, methods=["GET", "POST"])])

    def say(self, name: str, answer: Script) -> None:
        self.answers[name] = answer

    def table(self, name: str, *rows: dict[str, Any]) -> None:
        self.say(name, (200, "查询成功", list(rows)))

    def names(self, *without: str) -> list[str]:
        return [name for name, _, _ in self.asked if name not in without]

    def bodies(self, name: str) -> list[Any]:
        return [body for asked, _, body in self.asked if asked == name]

    async def _answer(self, request: Request) -> Response:
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            return await self._answered(request)
        finally:
            self.busy -= 1

    async def _answered(self, request: Request) -> Response:
        name, raw = request.path_params["name"], await request.body()
        body = json.loads(raw) if raw else None
        self.asked.append((name, dict(request.query_params), body))
        self.headers.append(dict(request.headers))
        if name in self.heard:
            self.heard[name].set()
        await anyio.sleep(self.pauses.get(name, 0))
        if name == "connect":
            if not self.client_up:
                return reply((400, "连接客户端失败，请检查路径是否正确", None))
            self.sessions.add(SESSION)
            return reply((200, "成功连接客户端", {"exe_path": "", "session_id": SESSION}))
        if name != "login":
            given = request.query_params.get("session_id", "")
            if not (given in self.sessions if given else self.automatic):
                return JSONResponse({"code": 401, "message": EXPIRED, "data": None}, 401)
        if name == "login":
            self.client_up = True
            self.sessions.add(SESSION)
        script = self.answers.get(name)
        if script is None and name == "session-status":
            data = {"is_logged_in": self.automatic, "session_id": SESSION if self.automatic else None}
            return reply((200, "会话状态查询成功", data))
        if script is None:
            return page(404)
        if isinstance(script, list):
            return reply(script.pop(0) if len(script) > 1 else script[0])
        return reply(script(body or {}) if callable(script) and not isinstance(script, Response) else script)


@asynccontextmanager
async def a_gateway(
    far: FarSide, clock: Clock | None = None, *, environ: Any = None, note: Notes | None = None, **settings: Any
) -> AsyncIterator[HuataiGateway]:
    """A gateway against the scripted server, not connected."""
    async with running(far.app) as url:
        given = {"base_url": url, "account": ACCOUNT} | settings
        gateway = Huatai(**given).open(
            Surroundings(
                clock=clock or QuickClock(NOW_NS),
                entropy=Entropy(11),
                environ=ENVIRON if environ is None else environ,
                note=note or Notes(),
            )
        )
        try:
            yield gateway
        finally:
            await gateway.close()


@asynccontextmanager
async def a_router(far: FarSide, clock: Clock | None = None, **settings: Any) -> AsyncIterator[HuataiRouter]:
    """Its router, once connected; what was asked until then is forgotten."""
    async with a_gateway(far, clock, **settings) as gateway:
        await gateway.connect()
        far.asked.clear()
        assert isinstance(gateway.router, HuataiRouter)
        yield gateway.router


def an_order(
    quantity: int = 500,
    price: str | None = "8.70",
    *,
    instrument: str = "600000.SH",
    side: Side = Side.BUY,
    client_id: str = "s-1",
    ts_ns: int = NOW_NS,
) -> SubmitOrder:
    return SubmitOrder(
        client_id=ClientOrderId(client_id),
        account=ACCOUNT,
        strategy=StrategyId("s"),
        instrument=InstrumentId(instrument),
        side=side,
        quantity=quantity,
        ts_ns=ts_ns,
        type=OrderType.LIMIT if price is not None else OrderType.MARKET,
        price=Decimal(price) if price is not None else None,
    )


def a_working_order(number: str = "87654321", *, day: str = DAY, **more: Any) -> Order:
    """An order of ours that the client holds under a number."""
    request = an_order(**more)
    order = Order(request)
    for kind in (Evidence.RISK_OK, Evidence.SEND, Evidence.ACK):
        name = VenueOrderId(f"{day}-{number}" if kind is Evidence.ACK else "")
        order.apply(OrderReport(account=ACCOUNT, kind=kind, ts_ns=NOW_NS, client_id=request.client_id, venue_id=name))
    return order


def a_row(**more: Any) -> dict[str, Any]:
    """An order in the client's columns, every cell guessed; None takes a column out."""
    row = {
        "委托时间": "10:14:58", "证券代码": 600000, "证券名称": "浦发银行", "操作": "买入", "备注": "已报",
        "委托数量": 500, "成交数量": 0, "撤消数量": 0, "委托价格": 8.7, "成交均价": 0.0, "委托编号": 101,
        "合同编号": 87654321, "交易市场": "上海Ａ股", "股东帐户": "A123456789",
    }  # fmt: skip
    return {name: cell for name, cell in (row | more).items() if cell is not None}


def a_trade(**more: Any) -> dict[str, Any]:
    row = {
        "成交时间": "10:14:59", "证券代码": 600000, "证券名称": "浦发银行", "操作": "买入", "成交数量": 200,
        "成交均价": 8.69, "成交金额": "1,738.000", "合同编号": 87654321, "成交编号": 5001,
    }  # fmt: skip
    return {name: cell for name, cell in (row | more).items() if cell is not None}


def a_holding(**more: Any) -> dict[str, Any]:
    row = {
        "证券代码": 1, "证券名称": "平安银行", "股票余额": "1,000.000", "可用余额": 800, "成本价": 10.5, "市价": 11,
        "市值": "11,000.000", "盈亏": -3.5, "交易市场": "深圳Ａ股",
    }  # fmt: skip
    return {name: cell for name, cell in (row | more).items() if cell is not None}


def an_instruction(action: Any = None) -> SubmitInstruction:
    return SubmitInstruction(
        client_id=ClientOrderId("s-i1"),
        account=ACCOUNT,
        strategy=StrategyId("s"),
        action=action or SubscribeIpo(),
        ts_ns=NOW_NS,
    )
