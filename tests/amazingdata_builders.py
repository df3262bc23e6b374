"""A stand-in for AmazingData over a real socket: bars by formula, tokens that end, tasks that run, faults on demand."""

import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.clock import Clock, LiveClock
from engine.domain.timestamps import parse_time
from engine.entropy import Entropy
from engine.gateways.amazingdata.adapter import AmazingData, AmazingDataGateway
from engine.gateways.surroundings import Surroundings
from tests.gateway_builders import Notes

ENVIRON = {"SLUICE_AD_USER": "admin", "SLUICE_AD_PASSWORD": "admin123"}
EXAMPLES = (Path(__file__).parents[1] / "../shared/contracts/examples/amazingdata").resolve()
HOLIDAYS = {date(2024, 1, 1)} | {date(2024, 2, 9) + timedelta(days=n) for n in range(9)}
"""The Shanghai exchange's closed days in January and February 2024 that are no weekends."""
FEBRUARY_NS = parse_time("2024-03-01 08:00:00", "Asia/Shanghai")
STEPS = {"min1": 1, "min5": 5, "min15": 15, "min30": 30, "min60": 60}


def trading_days(first: date, last: date) -> list[date]:
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5 and day not in HOLIDAYS]


def rows_of(code: str, first: date, last: date, period: str) -> list[dict[str, Any]]:
    """Bars of a code by formula: the same ones for whoever asks, labelled by their start."""
    rows = []
    for day in trading_days(first, last):
        if period == "daily":
            rows.append(row_at(code, day.isoformat(), day.toordinal()))
            continue
        step = STEPS[period]
        for minute in [*range(570, 690, step), *range(780, 900, step)]:
            time = f"{day} {minute // 60:02}:{minute % 60:02}:00"
            rows.append(row_at(code, time, day.toordinal() * 1440 + minute))
    return rows


def row_at(code: str, time: str, number: int) -> dict[str, Any]:
    base = 5 + sum(code.encode()) % 90 + number % 97 / 100
    low, high = round(base - 0.05, 2), round(base + 0.07, 2)
    volume = 1000 + number % 13 * 100
    return {
        "trade_date": time, "open": round(base, 2), "high": high, "low": low, "close": round(base + 0.02, 2),
        "volume": volume, "amount": round(volume * base, 2),
    }  # fmt: skip


class StandIn:
    """The service. Fields may be changed while it runs.

    Attributes:
        missing: (code, text that the time begins with): rows that it does not have.
        poison: codes that make every answer they are in an HTTP 500.
        faults: answers to give instead, first come first served, by path.
        on_call: hears of every call but logins, with its number, before it is answered.
    """

    def __init__(self, *, expires_in: float = 86_400) -> None:
        self.expires_in = expires_in
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.logins = 0
        self.busy = self.busiest = 0
        self.delay_seconds = 0.0
        self.good_tokens: set[str] = set()
        self.missing: set[tuple[str, str]] = set()
        self.changed: dict[tuple[str, str], dict[str, Any]] = {}
        self.poison: set[str] = set()
        self.faults: dict[str, list[Response | Exception]] = {}
        self.calendar_ends: date | None = None
        self.tasks: dict[int, list[dict[str, Any]]] = {}
        self.on_call: Callable[[int], None] = lambda _number: None
        self._task_ids = itertools.count(14)
        api = "/api/v1"
        self.app = Starlette(
            routes=[
                Route(f"{api}/auth/login", self._login, methods=["POST"]),
                Route(f"{api}/{{path:path}}", self._any, methods=["GET", "POST"]),
            ]
        )

    def fail(self, path: str, *answers: Response | Exception) -> None:
        self.faults.setdefault(path, []).extend(answers)

    def asked(self, path: str) -> list[dict[str, Any]]:
        """What calls of a path carried, in order."""
        return [sent for _, called, sent in self.calls if called == path]

    def a_task(self, *states: dict[str, Any]) -> int:
        """A task that shows these states one after another, the last for good."""
        number = next(self._task_ids)
        blank = {"id": number, "status": "pending", "progress": 0.0, "total_count": 23, "success_count": 0,
                 "error_count": 0, "task_type": "fill_missing", "security_type": "stock"}  # fmt: skip
        self.tasks[number] = [blank | state for state in states]
        return number

    async def _login(self, request: Request) -> Response:
        body = await request.json()
        self.logins += 1
        if body != {"username": "admin", "password": "admin123"}:
            return JSONResponse({"detail": "用户名或密码错误"}, 401)
        token = f"token-{self.logins}"
        self.good_tokens.add(token)
        return good({"access_token": token, "token_type": "bearer", "expires_in": self.expires_in})

    async def _any(self, request: Request) -> Response:
        path = "/" + request.path_params["path"]
        sent = dict(request.query_params)
        body = await request.body()
        if body:
            sent |= json.loads(body)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.good_tokens:
            return JSONResponse({"code": 401, "message": "Token无效或已过期", "data": None}, 401)
        self.calls.append((request.method, path, sent))
        self.on_call(len(self.calls))
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            # Every call that was sent at once is here before the first is answered.
            await anyio.sleep(self.delay_seconds)
        finally:
            self.busy -= 1
        if self.faults.get(path):
            answer = self.faults[path].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return self._answer(path, sent)

    def _answer(self, path: str, sent: dict[str, Any]) -> Response:
        if path in ("/stock/kline", "/stock/kline/batch", "/future/kline"):
            codes = sent["codes"].split(",") if isinstance(sent["codes"], str) else sent["codes"]
            if self.poison & set(codes):
                return Response("Internal Server Error", 500)
            first, last = (datetime.strptime(sent[k], "%Y%m%d").date() for k in ("start_date", "end_date"))  # noqa: DTZ007
            return good({code: self._rows(code, first, last, sent.get("period", "daily")) for code in codes})
        if path == "/base/calendar":
            first, last = (datetime.strptime(sent[k], "%Y%m%d").date() for k in ("start_date", "end_date"))  # noqa: DTZ007
            days = trading_days(first, min(last, self.calendar_ends or last))
            return good([day.strftime("%Y%m%d") for day in days])
        if path == "/base/codes":
            return good({"EXTRA_STOCK_A": ["600000.SH", "000001.SZ"], "EXTRA_ETF": ["510300.SH"],
                         "EXTRA_INDEX_A": ["000001.SH"],
                         "EXTRA_FUTURE": ["IF2401.CFE"]}[sent["security_type"]])  # fmt: skip
        if path == "/auth/me":
            return good({"id": 1, "username": "admin", "email": None, "role": "admin", "is_active": True})
        if path == "/cache/fill-missing":
            number = self.a_task(
                {"status": "running", "success_count": 10}, {"status": "completed", "success_count": 23}
            )
            return good({"task_id": number, "missing_count": 23, "status": "pending"})
        if path == "/cache/tasks":
            return good({"items": [states[0] for _, states in sorted(self.tasks.items(), reverse=True)]})
        if path.startswith("/cache/tasks/"):
            states = self.tasks.get(int(path.rpartition("/")[2]))
            if states is None:
                return JSONResponse({"code": 404, "message": "任务不存在", "data": None}, 404)
            return good({"task": states.pop(0) if len(states) > 1 else states[0]})
        if path == "/cache/detect-all-missing":
            return good({"task_id": 12, "status": "completed", "total_count": 10, "complete_count": 7,
                         "missing_count": 2, "error_count": 1, "daily_stats": {},
                         "missing_codes": ["600000.SH"]})  # fmt: skip
        if path == "/configs/sdk":
            made = {"id": 1, "name": "main", "username": "u", "host": "h", "port": 8600, "is_default": True}
            return good(made if "password" in sent else {"items": [made], "total": 1})
        if path == "/configs/sdk/1/test":
            return good({"success": False, "message": "登录失败", "response_time": 10.02})
        if path.startswith("/finance/"):
            return good({code: [a_statement(code)] for code in sent["codes"].split(",")})
        return JSONResponse({"detail": "Not Found"}, 404)

    def _rows(self, code: str, first: date, last: date, period: str) -> list[dict[str, Any]]:
        rows = [
            row
            for row in rows_of(code, first, last, period)
            if not any(code == name and row["trade_date"].startswith(begin) for name, begin in self.missing)
        ]
        return [row | self.changed.get((code, row["trade_date"]), {}) for row in rows]


def a_statement(code: str, **changes: Any) -> dict[str, Any]:
    return {
        "MARKET_CODE": code, "STATEMENT_TYPE": "1", "REPORT_TYPE": "1", "REPORTING_PERIOD": "20230331",
        "ANN_DATE": "20230428", "ACTUAL_ANN_DATE": "20230429", "COMP_TYPE_CODE": 1, "CURRENCY_CODE": "CNY",
        "BASIC_EPS": 0.51, "RD_EXP": None,
    } | changes  # fmt: skip


def good(data: Any) -> JSONResponse:
    return JSONResponse({"code": 200, "message": "success", "data": data})


def an_error(status: int, message: str = "SDK未登录或连接断开") -> JSONResponse:
    return JSONResponse({"code": status, "message": message, "data": None}, status)


@asynccontextmanager
async def a_data_gateway(
    base_url: str, clock: Clock | None = None, *, note: Notes | None = None, **settings: Any
) -> AsyncIterator[AmazingDataGateway]:
    """The gateway over a stand-in, closed at the end."""
    around = Surroundings(clock=clock or LiveClock(), entropy=Entropy(11), environ=ENVIRON, note=note or Notes())
    made = AmazingData(base_url=f"{base_url}/api/v1", **({"calls_per_minute": 100_000} | settings))
    gateway = made.open(around)
    try:
        yield gateway
    finally:
        await gateway.close()
