"""Our own HTTP servers, the five simulators: whatever is asked, an answer of the server's and no fault of ours."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import httpx
from starlette.applications import Starlette

from engine.clock import Clock
from engine.entropy import Entropy
from engine.simulators.amazingdata import AmazingDataSimulator
from engine.simulators.easyths import EasythsSimulator
from engine.simulators.futu import EXAMPLE_TOKEN, FutuSimulator, a_key
from engine.simulators.huatai import HuataiSimulator
from engine.simulators.virtual_market import VirtualMarketSimulator
from tests.amazingdata_simulator_builders import NIGHT_NS
from tests.easyths_simulator_builders import SETTINGS as EASYTHS_SETTINGS
from tests.easyths_simulator_builders import a_bare_market
from tests.futu_simulator_builders import HK_OPEN_NS, SIMULATE_HK
from tests.fuzz.harness import LoopClock, Surface, Wrong
from tests.fuzz.mutations import Draw, json_mutated, mutated, text_mutated
from tests.huatai_simulator_builders import a_market
from tests.simulator_builders import OPEN_NS

RENEWED_AFTER = 400
"""Requests after which the server is made anew, so that what they left behind does not slow the next."""
GOLDEN = Path(__file__).parents[1] / "golden"


class ApiSurface(Surface):
    """Requests to one app in memory; an exception that comes out of it would be HTTP 500 and a traceback in its log."""

    routes = ""
    prefix = ""
    places: ClassVar[Mapping[str, str]] = {}
    """What stands for the names in a route's braces."""

    def app(self, clock: Clock) -> Starlette:
        raise NotImplementedError

    async def log_in(self, app: Starlette) -> dict[str, str]:
        """Headers of somebody who may."""
        return {}

    def body(self, path: str) -> Any:
        """A good body for a POST."""
        raise NotImplementedError

    def query(self, path: str) -> dict[str, str]:
        return {}

    def now_ns(self) -> int:
        return OPEN_NS

    async def open(self, folder: Path) -> None:
        await self._renew()

    async def ready(self) -> None:
        if self._asked >= RENEWED_AFTER:
            await self._renew()

    async def _renew(self) -> None:
        app = self.app(LoopClock(self.now_ns()))
        self._transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50_000))
        self._headers = await self.log_in(app)
        self._asked = 0

    def seeds(self) -> Mapping[str, bytes]:
        found = {}
        for line in (GOLDEN / self.routes / "routes.txt").read_text(encoding="utf-8").splitlines():
            method, _, path = line.partition(" ")
            for name, value in self.places.items():
                path = path.replace(f"{{{name}}}", value)
            path = f"{self.prefix}{path.strip()}"
            query = self.query(path) if method == "GET" else {}
            head = {"method": method, "path": path, "query": query, "headers": {}}
            body = b"" if method == "GET" else json.dumps(self.body(path)).encode()
            found[f"{method} {path}"] = json.dumps(head).encode() + b"\n" + body
        return found

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        raw, _, body = seed.partition(b"\n")
        head: dict[str, Any] = json.loads(raw)
        match draw.randrange(8):
            case 0:
                head["path"] = text_mutated(draw, head["path"])
            case 1:
                head["headers"] = {draw.choice(("authorization", "content-type", "host", "x-api-key")): text_mutated(
                    draw, "application/json")}  # fmt: skip
            case 2:
                head["method"] = draw.choice(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"))
            case _ if head["query"]:
                name = draw.choice(list(head["query"]))
                head["query"][name] = text_mutated(draw, head["query"][name])
            case _:
                body = (json_mutated(draw, body) if draw.random() < 0.7 else None) or mutated(draw, body)
        return json.dumps(head).encode() + b"\n" + body

    async def run(self, origin: str, data: bytes) -> str:
        self._asked += 1
        raw, _, body = data.partition(b"\n")
        head = json.loads(raw)
        target = quote(head["path"].encode("utf-8", "replace"), safe="/%?=&.{}-_~")
        if not target.startswith("/"):
            target = f"/{target}"
        if head["query"]:
            texts = {name: text.encode("utf-8", "replace") for name, text in head["query"].items()}
            target += f"?{urlencode(texts)}"
        url = httpx.URL("http://server").copy_with(raw_path=target.encode())
        given = {name: text.encode("utf-8", "replace") for name, text in head["headers"].items()}
        headers = {"content-type": "application/json", **self._headers} | given
        request = httpx.Request(head["method"], url, headers=headers, content=body)
        answer = await self._transport.handle_async_request(request)
        text = await answer.aread()
        if b"Traceback (most" in text:
            raise Wrong(f"a traceback: {text[-300:]!r}")
        if answer.headers.get("content-type", "").startswith("application/json") and head["method"] != "HEAD" and text:
            json.loads(text)
        return f"{answer.status_code // 100}xx"


class VirtualMarketApi(ApiSurface):
    name, share, light = "api.virtual_market", 5_000, 100
    routes = "virtual_market"
    places: ClassVar[Mapping[str, str]] = {"stock_id": "CY", "identifier": "CY"}

    def app(self, clock: Clock) -> Starlette:
        self._simulator = VirtualMarketSimulator(seed=7, rate_limits="off", history_days=1)
        return self._simulator.app(clock, Entropy(7))

    async def log_in(self, app: Starlette) -> dict[str, str]:
        user = self._simulator.users[0]
        return {"authorization": f"Bearer {app.state.venue.tokens.issue(user.chat_id, user.login, OPEN_NS)}"}

    def body(self, path: str) -> Any:
        return {"user_id": "TimeXingjian", "password": "your_password", "stock_id": "CY", "quantity": 10,
                "stock_identifier": "CY", "reset_code": "1", "new_password": "x"}  # fmt: skip

    def query(self, path: str) -> dict[str, str]:
        return {"limit": "10", "period": "1d", "padding": "0"}


class FutuApi(ApiSurface):
    name, share, light = "api.futu", 5_000, 120
    routes = "futu"

    def app(self, clock: Clock) -> Starlette:
        keys = (a_key(EXAMPLE_TOKEN),)
        return FutuSimulator(seed=7, pacing=False, keys=keys).app(clock, Entropy(7))

    def now_ns(self) -> int:
        return HK_OPEN_NS

    async def log_in(self, app: Starlette) -> dict[str, str]:
        return {"authorization": f"Bearer {EXAMPLE_TOKEN}"}

    def body(self, path: str) -> Any:
        security = {"market": 1, "code": "00700"}
        return {"c2s": {
            "packet_id": {"conn_id": 77, "serial_no": 1},
            "header": {"trd_env": 0, "acc_id": SIMULATE_HK, "trd_market": 1}, "trd_side": 1, "order_type": 1,
            "code": "00700", "qty": 300.0, "price": 470.0, "sec_market": 1, "security": security,
            "security_list": [security], "sub_type_list": [1, 4, 6], "is_sub_or_un_sub": True, "rehab_type": 0,
            "is_reg_or_un_reg_push": True, "kl_type": 6, "req_num": 10, "num": 10, "max_ret_num": 10, "owner": security,
            "begin_time": "2026-11-01", "end_time": "2026-11-18", "max_count": 100, "order_id": 1,
            "modify_order_op": 2, "order_id_ex_list": ["1"], "acc_id_list": [SIMULATE_HK], "unlock": True,
            "pwd_md5": "0" * 32, "filter_conditions": {"begin_time": "2026-11-01", "end_time": "2026-11-18"},
        }}  # fmt: skip


class EasythsApi(ApiSurface):
    name, share, light = "api.easyths", 5_000, 80
    routes = "easyths"
    places: ClassVar[Mapping[str, str]] = {
        "operation_name": "buy",
        "operation_id": "0f0e0d0c-0000-4000-8000-000000000000",
    }

    def app(self, clock: Clock) -> Starlette:
        return EasythsSimulator(**EASYTHS_SETTINGS).app(clock, Entropy(7), exchange=a_bare_market(OPEN_NS))

    def body(self, path: str) -> Any:
        return {"params": {"stock_code": "600000", "price": 8.5, "quantity": 100, "return_type": "json"}, "priority": 0}

    def query(self, path: str) -> dict[str, str]:
        return {"timeout": "0.1"} if path.endswith("result") else {}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        """A result is waited for as long as is asked, for ever too: that is the real server's, and not asked for."""
        raw, _, body = super().mutate(draw, seed).partition(b"\n")
        head = json.loads(raw)
        if "result" in head["path"]:
            text = head["query"].get("timeout", "0.1")
            head["query"] = {"timeout": text}
            with contextlib.suppress(ValueError):
                head["query"]["timeout"] = "0.1" if not 0 <= float(text) < 5 else text
        return json.dumps(head).encode() + b"\n" + body

    def seeds(self) -> Mapping[str, bytes]:
        found = dict(super().seeds())
        for name in ("buy", "sell", "market_buy", "order_query", "order_cancel", "condition_buy", "reverse_repo_buy",
                     "stop_loss_profit", "holding_query", "funds_query", "historical_commission_query"):  # fmt: skip
            params = {"stock_code": "600000", "price": 8.5, "quantity": 100, "return_type": "str", "expire_days": 30,
                      "execution_strategy": 3, "target_price": 8.0, "stop_loss_percent": 5, "stop_profit_percent": 5,
                      "market": "上海", "time_range": "1天期", "amount": 1000, "cancel_type": "buy"}  # fmt: skip
            head = {"method": "POST", "path": f"/api/v1/operations/{name}", "query": {}, "headers": {}}
            found[name] = json.dumps(head).encode() + b"\n" + json.dumps({"params": params, "priority": 0}).encode()
        return found


class HuataiApi(ApiSurface):
    name, share, light = "api.huatai", 5_000, 120
    routes = "huatai"
    prefix = "/api/trader"

    def app(self, clock: Clock) -> Starlette:
        return HuataiSimulator(seed=7, pauses=0.0).app(clock, Entropy(7), exchange=a_market(clock))

    async def log_in(self, app: Starlette) -> dict[str, str]:
        client = httpx.AsyncClient(transport=self._transport, base_url="http://server/api/trader/")
        said = (await client.post("connect", json={})).json()
        self._session = str((said.get("data") or {}).get("session_id", ""))
        return {}

    def body(self, path: str) -> Any:
        return {"security": "600000", "price": 8.5, "amount": 100, "ttype": "五档即时成交剩余撤销", "entrust_id": "1",
                "user": "12345678", "password": "x", "comm_password": "y", "exe_path": "", "seconds": 1}  # fmt: skip

    def query(self, path: str) -> dict[str, str]:
        return {"session_id": self._session}


class AmazingDataApi(ApiSurface):
    name, share, light = "api.amazingdata", 5_000, 80
    routes = "amazingdata"
    prefix = "/api/v1"
    places: ClassVar[Mapping[str, str]] = {"id": "1", "code": "600000.SH", "task_id": "1"}

    def app(self, clock: Clock) -> Starlette:
        self._simulator = AmazingDataSimulator(seed=7, gaps=0.0)
        return self._simulator.app(clock, Entropy(7))

    def now_ns(self) -> int:
        return NIGHT_NS

    async def log_in(self, app: Starlette) -> dict[str, str]:
        name = self._simulator.users[0].username
        return {"authorization": f"Bearer {app.state.platform.tokens.issue(1, name, NIGHT_NS)}"}

    def body(self, path: str) -> Any:
        return {"codes": ["600000.SH"], "start_date": "20240102", "end_date": "20240105", "period": "min5",
                "username": "admin", "password": "admin123", "name": "n", "host": "h", "port": 1,
                "security_type": "stock", "period_type": "daily"}  # fmt: skip

    def query(self, path: str) -> dict[str, str]:
        return {"codes": "600000.SH", "start_date": "20240102", "end_date": "20240105", "period": "daily",
                "security_type": "EXTRA_STOCK_A", "market": "SH", "page": "1", "page_size": "20"}  # fmt: skip


SURFACES_OF_APIS: tuple[type[Surface], ...] = (VirtualMarketApi, FutuApi, EasythsApi, HuataiApi, AmazingDataApi)
