"""Builders for tests of the EasyTHS gateway: a scripted server over real HTTP, its rows, our orders."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from engine.clock import Clock
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId, VenueOrderId
from engine.domain.instructions import Action, SubmitInstruction
from engine.domain.order import Order
from engine.domain.timestamps import parse_time
from engine.gateways.easyths.adapter import Easyths, EasythsGateway
from engine.gateways.easyths.operations import OPERATIONS
from engine.gateways.easyths.router import EasythsRouter
from tests.gateway_builders import Notes, QuickClock, surroundings
from tests.simulator_builders import running

ACCOUNT = AccountId("ths")
KEY = "a-key"
NOW_NS = parse_time("2026-11-20 10:00:00", "Asia/Shanghai")
"""A Friday in the session."""
DAY = "20261120"
NO_ORDERS, NO_HISTORY = "没有对应的委托订单", "没有对应的历史委托订单"
CANCELED = {"success": False, "data": None, "message": "操作已取消", "timestamp": "2026-11-20T10:00:00"}

Answer = Callable[[dict[str, Any]], Any]


def a_row(number: int | str | None = 1001, **cells: Any) -> dict[str, Any]:
    """A row of the cancel page; ``number`` None: the table has no such column."""
    row = {
        "委托时间": "10:00:01", "证券代码": 600000, "证券名称": "浦发银行", "操作": "买入", "备注": "未成交",
        "委托数量": 300, "成交数量": 0, "撤消数量": 0, "委托价格": 8.7, "成交均价": 0.0, "合同编号": number,
        "交易市场": "上海Ａ股", "Unnamed: 12": "",
    }  # fmt: skip
    if number is None:
        del row["合同编号"]
    return row | cells


def past(row: dict[str, Any], **cells: Any) -> dict[str, Any]:
    """The same order in the history, which has a date and what changed since."""
    return {"委托日期": int(DAY)} | row | cells


def printed(lines: Sequence[Sequence[str]]) -> str:
    """A table as the server prints it for ``return_type`` str: each column ends where its head ends."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(" ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def a_holding(
    code: int | str = 600000, quantity: int = 1000, sellable: int | None = None, **cells: Any
) -> dict[str, Any]:
    free = quantity if sellable is None else sellable
    return {
        "证券代码": code, "证券名称": "浦发银行", "股票余额": quantity, "可用余额": free, "冻结数量": quantity - free,
        "成本价": 8.5, "市价": 8.7, "市值": 8700.0, "盈亏": 200.0, "交易市场": "上海Ａ股", "操作": "卖出",
    } | cells  # fmt: skip


def some_funds(available: str = "91,300.00", frozen: str = "0.00", **labels: str) -> dict[str, str]:
    cash = Decimal(available.replace(",", "")) + Decimal(frozen.replace(",", ""))
    return {
        "资金余额": f"{cash:,.2f}", "冻结金额": frozen, "可用金额": available, "可取金额": available,
        "股票市值": "8,700.00", "总资产": f"{cash + 8700:,.2f}", "持仓盈亏": "200.00",
    } | labels  # fmt: skip


class Desk:
    """The scripted server: tables and answers as the test sets them, every call kept.

    ``answers[name]`` gets an operation's parameters when it runs, and gives its result's fields, or a Response to
    answer the submit with. ``before(method, path)`` may answer any call itself.
    """

    def __init__(self, *, newer: bool = True, key: str = KEY) -> None:
        self.newer = newer
        self.key = key
        self.live: Any = []
        self.history: Any = []
        self.holdings: Any = [a_holding()]
        self.funds: Any = some_funds()
        self.conditions: Any = []
        self.automator = "connected"
        self.polls = 1
        self.stuck: set[str] = set()
        self.calls: list[tuple[str, str, Any, Mapping[str, str]]] = []
        self.before: Callable[[str, str], Response | None] = lambda _method, _path: None
        self.answers: dict[str, Answer] = {}
        self.tasks: dict[str, dict[str, Any]] = {}

    # --- what was asked ---

    def submitted(self, *names: str) -> list[tuple[str, dict[str, Any]]]:
        """Operations that were submitted and their parameters; of these names, or all."""
        found = [
            (path.rpartition("/")[2], body["params"])
            for method, path, body, _ in self.calls
            if method == "POST" and isinstance(body, dict)
        ]
        return [one for one in found if not names or one[0] in names]

    def paths(self, method: str = "GET") -> list[str]:
        return [path for asked, path, _, _ in self.calls if asked == method]

    # --- serving ---

    def app(self) -> Starlette:
        methods = ["GET", "POST", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._serve, methods=methods)])

    async def _serve(self, request: Request) -> Response:
        raw = await request.body()
        path, method = request.url.path, request.method
        body = json.loads(raw) if raw else dict(request.query_params)
        self.calls.append((method, path, body, dict(request.headers)))
        answer = self.before(method, path)
        if answer is not None:
            return answer
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            words = {"error": "Unauthorized", "message": "Invalid API key", "detail": "x"}
            return JSONResponse(words, 401, {"www-authenticate": "Bearer"})
        if path.startswith("/api/v1/operations/"):
            return self._operation(method, path.removeprefix("/api/v1/operations/"), body)
        return self._system(path)

    def _system(self, path: str) -> Response:
        data: Any
        match path:
            case "/":
                return JSONResponse({"message": "x", "version": "1.0.0", "docs": "/docs"})
            case "/api/v1/system/health":
                components = {"automator": self.automator, "plugins": {"loaded": 15}}
                data = {"status": "healthy", "timestamp": "2026-11-20T10:00:00", "components": components}
            case "/api/v1/system/status" | "/api/v1/system/info":
                data = {"asked": path}
            case "/api/v1/queue/stats":
                data = {"queue_size": 0, "queued_count": 0, "running_count": 0, "total_processed": 3}
            case _:
                return PlainTextResponse("Not Found", 404)
        return self._good(data)

    def _good(self, data: Any, message: str = "查询成功") -> Response:
        said = {"success": True, "message": message, "data": data, "timestamp": "2026-11-20T10:00:00.5"}
        return JSONResponse(said if self.newer else said | {"error": None})

    def _operation(self, method: str, rest: str, body: dict[str, Any]) -> Response:
        name, _, what = rest.partition("/")
        if method == "POST":
            return self._submit(name, body["params"])
        if not name:
            names = [one for one in OPERATIONS if self.newer or not one.startswith("market_")]
            return self._good({"operations": {one: {"name": one} for one in names}, "count": len(names)})
        task = self.tasks.get(name)
        if method == "DELETE":
            if task is None or task["status"] != "queued":
                return JSONResponse({"detail": "操作不存在或无法取消"}, 404)
            # An older server keeps no result of what it cancelled.
            task |= {"status": "failed", "result": CANCELED if self.newer else None}
            return self._good(None, "操作已取消")
        if what == "result":
            return self._result(task)
        if task is None:
            return JSONResponse({"detail": "操作不存在"}, 404)
        if not self.newer:
            return PlainTextResponse("Internal Server Error", 500)
        self._run(task)
        return self._good({"operation_id": name, **{k: task[k] for k in ("name", "status", "result")}, "error": None})

    def _submit(self, name: str, params: dict[str, Any]) -> Response:
        scripted = self.answers.get(name)
        result = scripted(params) if scripted is not None else self._table(name)
        if isinstance(result, Response):
            return result
        task_id = f"0f0e0d0c-0000-4000-8000-{len(self.tasks):012}"
        waits = name in self.stuck
        task = {
            "name": name,
            "status": "queued",
            "result": None,
            "due": result,
            "polls": 10**9 if waits else self.polls,
        }
        self.tasks[task_id] = task
        return self._good({"operation_id": task_id, "status": "queued", "queue_position": 1}, "操作已添加到队列")

    def _run(self, task: dict[str, Any]) -> None:
        task["polls"] -= 1
        if task["polls"] <= 0 and task["status"] == "queued":
            due = {"success": True, "data": None, "message": None, "timestamp": "2026-11-20T10:00:00"} | task["due"]
            task |= {"result": due, "status": "completed" if due["success"] else "failed"}

    def _result(self, task: dict[str, Any] | None) -> Response:
        if task is not None:
            self._run(task)
        if task is None or task["result"] is None:
            return JSONResponse({"detail": "操作未完成或超时"}, 408)
        result = dict(task["result"])
        if self.newer:
            return JSONResponse(result)
        message = result.pop("message")
        data = result["data"]
        inner = {"success": result["success"], "message": message, "timestamp": 1.5}
        result["data"] = (data | inner) if isinstance(data, dict) else inner
        result["error"] = None
        return self._good({"operation_id": "x", "result": result})

    def _table(self, name: str) -> dict[str, Any]:
        match name:
            case "order_query":
                data: Any = {"orders": self.live or NO_ORDERS, "stock_code": "全部查询"}
            case "historical_commission_query":
                data = {"historical_orders": self.history or NO_HISTORY, "stock_code": None, "time_range": "当日"}
            case "holding_query":
                data = (self.holdings or {}) if self.newer else {"holdings": self.holdings or {}}
            case "funds_query":
                data = self.funds
            case "condition_order_query":
                data = (self.conditions or {}) if self.newer else {"condition_orders": self.conditions}
            case _:
                data = {}
        return {"data": data}


@asynccontextmanager
async def a_gateway(
    desk: Desk, clock: Clock | None = None, *, environ: Mapping[str, str] | None = None, notes: Notes | None = None,
    **settings: Any,
) -> AsyncIterator[EasythsGateway]:  # fmt: skip
    """A gateway over the scripted server, not connected, closed at the end."""
    async with running(desk.app()) as url:
        made = Easyths(**({"base_url": url, "account": ACCOUNT, "instruments": ("600000.SH",)} | settings))
        around = surroundings(clock or QuickClock(NOW_NS), {"API_KEY": KEY} if environ is None else environ, notes)
        gateway = made.open(around)
        try:
            yield gateway
        finally:
            await gateway.close()


def router_of(gateway: EasythsGateway) -> EasythsRouter:
    assert gateway.router is not None
    return gateway.router


def an_order(
    side: Side = Side.BUY, quantity: int = 300, price: str | None = "8.7", *, instrument: str = "600000.SH",
    client_id: str = "s-1", kind: OrderType = OrderType.LIMIT, **more: Any,
) -> SubmitOrder:  # fmt: skip
    return SubmitOrder(
        client_id=ClientOrderId(client_id),
        account=ACCOUNT,
        strategy=StrategyId("s"),
        instrument=InstrumentId(instrument),
        side=side,
        quantity=quantity,
        ts_ns=NOW_NS,
        type=kind,
        price=None if price is None else Decimal(price),
        **more,
    )


def placed(desk: Desk, name: str = "buy", message: str = "成功提交600000的买入委托", **more: Any) -> None:
    """The server says it placed what was asked."""

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        data = {"stock_code": params["stock_code"], "quantity": params["quantity"]}
        if "price" in params:
            data["price"] = f"{params['price']:.2f}"
        return {"data": data | more, "message": message}

    desk.answers[name] = answer


def says(desk: Desk, name: str, *, success: bool, message: str = "", data: Any = None) -> None:
    desk.answers[name] = lambda _params: {"success": success, "message": message, "data": data}


async def sent(router: EasythsRouter, order: SubmitOrder | None = None) -> Any:
    order = order or an_order()
    return await router.submit([order], router.encode([order]))


def a_working_order(venue_id: str = f"{DAY}-1001", order: SubmitOrder | None = None) -> Order:
    """An order of ours as the core keeps it, matched with a row."""
    request = order or an_order()
    known = Order(request)
    for kind in (Evidence.RISK_OK, Evidence.SEND, Evidence.WORKING):
        report = OrderReport(
            account=ACCOUNT, client_id=request.client_id, kind=kind, ts_ns=NOW_NS, as_of_ns=NOW_NS,
            venue_id=VenueOrderId(venue_id if kind is Evidence.WORKING else ""),
        )  # fmt: skip
        known.apply(report)
    return known


def an_instruction(action: Action, instrument: str = "600000.SH", client_id: str = "i-1") -> SubmitInstruction:
    return SubmitInstruction(
        client_id=ClientOrderId(client_id),
        account=ACCOUNT,
        strategy=StrategyId("s"),
        action=action,
        ts_ns=NOW_NS,
        instrument=InstrumentId(instrument),
    )


def a_condition(code: str = "600000", side: str = "买入", quantity: int = 300, **cells: str) -> dict[str, str]:
    """A row as the client's page shows it: every cell a text."""
    return {
        "状态": "未触发", "条件类型": "股价条件", "方向": side, "监控标的": f"浦发银行 {code}",
        "触发条件": "股价<=8.50元", "最新价": "8.70", "涨幅": "1.20%", "委托单": f"即时现价 {side}{quantity}股",
        "创建时间": "2026-11-20 10:00:01", "监控周期": "2026-12-20",
    } | cells  # fmt: skip
