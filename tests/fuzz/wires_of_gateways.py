"""The five gateways as surfaces: what the engine does with each, and what proves a refusal there (RELIABILITY 3.5)."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import httpx

from engine.domain.commands import OrderType, Side
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS
from engine.entropy import Entropy
from engine.gateways.amazingdata.adapter import AmazingData
from engine.gateways.easyths.adapter import Easyths
from engine.gateways.futu.adapter import Futu
from engine.gateways.huatai.adapter import Huatai
from engine.gateways.surroundings import Surroundings
from engine.gateways.virtual_market.adapter import VirtualMarket
from tests import amazingdata_builders as ad
from tests import easyths_builders as ths
from tests import futu_builders as futu
from tests import gateway_builders as vm
from tests import huatai_builders as ht
from tests.fuzz.harness import LoopClock
from tests.fuzz.wires import Exchange, Scene, WireSurface, check_snapshot
from tests.gateway_builders import Notes
from tests.simulator_builders import OPEN_NS, MarketAtHand

NOWHERE = "http://127.0.0.1:9"


def read_json(body: bytes) -> Any:
    """What a lenient reader makes of a body; None for nothing."""
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def around(transport: httpx.AsyncBaseTransport, now_ns: int, environ: dict[str, str]) -> Surroundings:
    return Surroundings(
        clock=LoopClock(now_ns), entropy=Entropy(11), environ=environ, note=Notes(), transport=lambda: transport
    )


# --- the virtual market ----------------------------------------------------------------------------------------------


def _vm_proof(heard: Exchange) -> bool:
    """400 (or 200) that says ``success: false``, 401, 404, the limiter's own 429, the framework's words on a body."""
    status, body, said = heard.status, heard.body, read_json(heard.body)
    if status in (401, 404):
        return True
    if status == 429:
        return said == {"error": "Too Many Requests", "message": "Rate limit exceeded."}
    if status in (200, 400) and isinstance(said, dict) and said.get("success") is False:
        return True
    return status == 400 and "无效的请求体" in body.decode("utf-8", "replace")


class VirtualMarketWire(WireSurface):
    name, share, light = "wire.virtual_market", 12_000, 260
    secrets = ("your_password",)
    config_errors = True

    def scenes(self) -> list[Scene]:
        buy, sell = vm.an_order(Side.BUY, 100), vm.an_order(Side.SELL, 40)
        everything = vm.an_order(Side.BUY, 1_000_000, type=OrderType.ALL_IN)
        trade = "/api/v1/trade"
        return [
            Scene("connect", self._connect),
            Scene("snapshot", self._snapshot, skip=1),
            Scene("buy", lambda one: self._order(one, buy), buy, f"{trade}/buy", 3, _vm_proof),
            Scene("sell", lambda one: self._order(one, sell), sell, f"{trade}/sell", 3, _vm_proof),
            Scene("all_in", lambda one: self._order(one, everything), everything, f"{trade}/buy_all_in", 3, _vm_proof),
            Scene("history", self._history, skip=3),
        ]

    @asynccontextmanager
    async def far_side(self, scene: Scene) -> AsyncIterator[httpx.AsyncBaseTransport]:
        market = MarketAtHand(OPEN_NS).log_in()
        if scene.name in ("sell", "snapshot"):
            await market.said("buy", stock_id="CY", quantity=100)
            market.clock.now_ns = OPEN_NS + HOUR_NS + MINUTE_NS
        yield httpx.ASGITransport(app=market.app)

    def gateway(self, transport: httpx.AsyncBaseTransport) -> Any:
        made = VirtualMarket(base_url=NOWHERE, account=vm.ACCOUNT, instruments=("CY.VSM",))
        return made.open(around(transport, OPEN_NS, vm.ENVIRON))

    async def _connect(self, gateway: Any) -> Any:
        await gateway.connect()
        return await gateway.instruments()

    async def _snapshot(self, gateway: Any) -> Any:
        return await gateway.router.snapshot()

    async def _order(self, gateway: Any, order: Any) -> Any:
        await gateway.connect()
        return await gateway.router.submit([order], gateway.router.encode([order]))

    async def _history(self, gateway: Any) -> Any:
        await gateway.connect()
        return await gateway.history("CY.VSM", 10)


# --- easyths ---------------------------------------------------------------------------------------------------------


THS_BUY = "/api/v1/operations/buy"


def _ths_proof(heard: Exchange) -> bool:
    """Statuses of the submit, a full queue, and the words that a failed operation begins with."""
    text = heard.body.decode("utf-8", "replace") + json.dumps(read_json(heard.body), ensure_ascii=False)
    words = ("队列已满", "参数验证", "执行前检查", "提交失败", "不支持市价委托")
    proven = heard.path == THS_BUY and heard.status in (401, 403, 404, 422)
    return proven or any(word in text for word in words)


class EasythsWire(WireSurface):
    name, share, light = "wire.easyths", 9_000, 140
    secrets = (f"Bearer {ths.KEY}",)
    config_errors = True

    def scenes(self) -> list[Scene]:
        buy = ths.an_order()
        path = THS_BUY
        return [
            Scene("connect", self._connect),
            Scene("snapshot", self._snapshot),
            Scene("printed", self._snapshot),
            Scene("buy", lambda one: ths.sent(one.router, buy), buy, path, 0, _ths_proof),
            Scene("refused", lambda one: ths.sent(one.router, buy), buy, path, 0, _ths_proof, ends_badly=True),
            Scene("cancel", self._cancel),
        ]

    @asynccontextmanager
    async def far_side(self, scene: Scene) -> AsyncIterator[httpx.AsyncBaseTransport]:
        desk = ths.Desk()
        other = ths.a_row(1002, 证券代码="000001", 操作="卖出", 成交数量=100, 成交均价=8.69, 备注="部成")
        rows = [ths.a_row(), other]
        desk.live, desk.history = rows, [ths.past(row) for row in rows]
        desk.holdings = [ths.a_holding(), ths.a_holding("000001", 500, 400)]
        if scene.name == "printed":
            heads = list(rows[0])
            desk.live = ths.printed([heads, *([str(row[head]) or "-" for head in heads] for row in rows)])
            heads = list(desk.holdings[0])
            lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in (heads, ["---"] * len(heads), *(
                row.values() for row in desk.holdings))]  # fmt: skip
            desk.holdings = "\n".join(lines)
        ths.placed(desk)
        if scene.name == "refused":
            ths.says(desk, "buy", success=False, message="参数验证失败: 可用资金不足")
        if scene.name == "cancel":
            desk.answers["order_cancel"] = lambda _params: self._withdrawn(desk)
        yield httpx.ASGITransport(app=desk.app())

    def gateway(self, transport: httpx.AsyncBaseTransport) -> Any:
        made = Easyths(base_url=NOWHERE, account=ths.ACCOUNT, instruments=("600000.SH", "000001.SZ"))
        return made.open(around(transport, ths.NOW_NS, {"API_KEY": ths.KEY}))

    async def _connect(self, gateway: Any) -> Any:
        await gateway.connect()
        return await gateway.instruments()

    async def _snapshot(self, gateway: Any) -> Any:
        return await gateway.router.snapshot()

    @staticmethod
    def _withdrawn(desk: ths.Desk) -> dict[str, Any]:
        gone = {"备注": "全部撤单", "撤消数量": 300}
        desk.live, desk.history = desk.live[1:], [desk.history[0] | gone, *desk.history[1:]]
        return {"data": {}, "message": "撤单成功"}

    async def _cancel(self, gateway: Any) -> Any:
        return await gateway.router.cancel(ths.a_working_order())


# --- huatai ----------------------------------------------------------------------------------------------------------


def _ht_proof(heard: Exchange) -> bool:
    """401 of the session check, 404 and 405 without an envelope, and words of refusals under the code of one."""
    status, said = heard.status, read_json(heard.body)
    if status in (401, 404, 405):
        return True
    if not isinstance(said, dict):
        return False
    text = json.dumps(said, ensure_ascii=False)
    return said.get("code") == 401 or (said.get("code") == 400 and any(word in text for word in _HT_WORDS)) or (
        said.get("code") == 500 and any(word in text for word in _HT_CONVERSIONS)
    )  # fmt: skip


_HT_WORDS = ("不足", "缺少必填参数", "未连接到客户端", "设置市价类型", "不符合规则", "失败", "废单", "不存在", "禁止")
_HT_CONVERSIONS = ("could not convert", "invalid literal", "must be a string", "cannot convert", "415", "400 Bad")


class HuataiWire(WireSurface):
    name, share, light = "wire.huatai", 12_000, 240
    secrets = ht.SECRETS
    config_errors = True

    def scenes(self) -> list[Scene]:
        buy = ht.an_order()
        return [
            Scene("connect", self._connect),
            Scene("snapshot", self._snapshot, skip=2),
            Scene("buy", lambda one: self._order(one, buy), buy, "/api/trader/buy", 2, _ht_proof),
            Scene("refused", lambda one: self._order(one, buy), buy, "/api/trader/buy", 2, _ht_proof, ends_badly=True),
            Scene("cancel", self._cancel, skip=2, ends_badly=True),
        ]

    @asynccontextmanager
    async def far_side(self, scene: Scene) -> AsyncIterator[httpx.AsyncBaseTransport]:
        far = ht.FarSide()
        row = ht.a_row()
        place = {"证券代码": "000001", "交易市场": "深圳Ａ股"}
        other = ht.a_row(合同编号="0087654322", 委托编号=102, 成交数量="200", 操作="卖出", 备注="部成", **place)
        far.table("today-entrusts", row, other)
        far.table("cancel-entrusts", row, other)
        far.table("today-trades", ht.a_trade(), ht.a_trade(成交编号=5002))
        far.table("position", ht.a_holding(), ht.a_holding(证券代码="600000", 股票余额=100, 交易市场="上海Ａ股"))
        done = {"success": True, "entrust_id": "87654321", "message": "您的买入委托已成功提交"}
        far.say("buy", (200, "委托成功", done))
        if scene.name == "refused":
            far.say("buy", (400, "可用资金不足", {"success": False, "message": "可用资金不足"}))
        far.say("cancel-entrust", (200, "撤单成功", {"success": True, "message": "您的撤单委托已成功提交"}))
        yield httpx.ASGITransport(app=far.app)

    def gateway(self, transport: httpx.AsyncBaseTransport) -> Any:
        return Huatai(base_url=NOWHERE, account=ht.ACCOUNT).open(around(transport, ht.NOW_NS, ht.ENVIRON))

    async def _connect(self, gateway: Any) -> Any:
        await gateway.connect()
        return ()

    async def _snapshot(self, gateway: Any) -> Any:
        await gateway.connect()
        return await gateway.router.snapshot()

    async def _order(self, gateway: Any, order: Any) -> Any:
        await gateway.connect()
        return await gateway.router.submit([order], gateway.router.encode([order]))

    async def _cancel(self, gateway: Any) -> Any:
        await gateway.connect()
        return await gateway.router.cancel(ht.a_working_order())


# --- futu ------------------------------------------------------------------------------------------------------------


def _futu_proof(heard: Exchange) -> bool:
    status, said = heard.status, read_json(heard.body)
    return status in (400, 401, 403, 404, 429) or (
        status == 200 and isinstance(said, dict) and said.get("ret_type") == -1
    )


class FutuWire(WireSurface):
    name, share, light = "wire.futu", 14_000, 300
    secrets = (futu.TOKEN,)
    config_errors = True

    def scenes(self) -> list[Scene]:
        buy = futu.an_order()
        return [
            Scene("connect", self._connect),
            Scene("snapshot", self._snapshot, skip=6),
            Scene("buy", lambda one: self._order(one, buy), buy, "/api/order", 6, _futu_proof),
            Scene("refused", lambda one: self._order(one, buy), buy, "/api/order", 6, _futu_proof, ends_badly=True),
            Scene("history", self._history),
        ]

    @asynccontextmanager
    async def far_side(self, scene: Scene) -> AsyncIterator[httpx.AsyncBaseTransport]:
        far = futu.FarSide()
        header = {"trd_env": 0, "acc_id": 1800123, "trd_market": 1}
        order = {
            "trd_side": 1, "order_type": 1, "order_status": 10, "order_id": 8947461500000000561,
            "order_id_ex": "20261118_10_8947461500000000561", "code": "00700", "name": "TENCENT", "qty": 300.0,
            "price": 510.8, "create_time": "2026-11-18 10:15:04", "fill_qty": 100.0, "fill_avg_price": 510.6,
            "sec_market": 1, "create_timestamp": 1794968104.0, "update_timestamp": 1794968105.0,
            "remark": "oe-7f3a0001", "trd_market": 1,
        }  # fmt: skip
        fill = {
            "trd_side": 1, "fill_id": 5001, "fill_id_ex": "f-5001", "order_id": 8947461500000000561,
            "order_id_ex": "20261118_10_8947461500000000561", "code": "00700", "qty": 100.0, "price": 510.6,
            "create_time": "2026-11-18 10:15:05", "sec_market": 1, "create_timestamp": 1794968105.0, "status": 0,
            "trd_market": 1,
        }  # fmt: skip
        held = {
            "position_id": 1, "position_side": 0, "code": "00700", "name": "TENCENT", "qty": 300.0,
            "can_sell_qty": 200.0, "price": 510.8, "cost_price": 500.5, "val": 153240.0, "pl_val": 1.0, "sec_market": 1,
        }  # fmt: skip
        bar = {"time": "2026-11-18 10:10:00", "timestamp": 1794967800.0, "is_blank": False, "high_price": 511.0,
               "open_price": 510.0, "low_price": 509.8, "close_price": 510.8, "last_close_price": 510.0,
               "volume": 12000}  # fmt: skip
        far.say("/api/orders", futu.ok({"header": header, "order_list": [order, order | {"remark": "", "code": "00005",
                "order_id": 7, "order_id_ex": "e7", "fill_qty": 0, "order_status": 5}]}))  # fmt: skip
        far.say("/api/order-fills", futu.ok({"header": header, "order_fill_list": [fill]}))
        far.say("/api/positions", futu.ok({"header": header, "position_list": [held]}))
        far.say("/api/order", futu.ok({"header": header, "order_id": 8947461500000000561,
                                       "order_id_ex": "20261118_10_8947461500000000561"}))  # fmt: skip
        if scene.name == "refused":
            far.say("/api/order", futu.said_no("[err_code=none] 购买力不足"))
        bars = [bar, bar | {"time": "2026-11-18 10:15:00"}]
        far.say("/api/history-kline", futu.ok({"security": {"market": 1, "code": "00700"}, "kl_list": bars}))
        yield far.transport()

    def gateway(self, transport: httpx.AsyncBaseTransport) -> Any:
        made = Futu(
            base_url=NOWHERE, account=futu.ACCOUNT, acc_id=futu.SIMULATE_ID, environment="simulate",
            instruments=("00700.HK",),
        )  # fmt: skip
        gateway = made.open(around(transport, futu.NOW_NS, {"SLUICE_FUTU_TOKEN": futu.TOKEN}))
        assert gateway.router is not None
        gateway.router.listen(lambda _event: None)
        return gateway

    async def _connect(self, gateway: Any) -> Any:
        await gateway.connect()
        return ()

    async def _snapshot(self, gateway: Any) -> Any:
        await gateway.connect()
        return await gateway.router.snapshot()

    async def _order(self, gateway: Any, order: Any) -> Any:
        await gateway.connect()
        return await gateway.router.submit([order], gateway.router.encode([order]))

    async def _history(self, gateway: Any) -> Any:
        return await gateway.history("00700.HK", 5 * MINUTE_NS, futu.NOW_NS - DAY_NS, futu.NOW_NS)

    def check(self, scene: Scene, found: Any, good: Any, given: Exchange, texts: bytes) -> None:
        if scene.name == "snapshot":
            check_snapshot(found, texts, signed=True)
        else:
            super().check(scene, found, good, given, texts)


# --- amazingdata -----------------------------------------------------------------------------------------------------


class AmazingDataWire(WireSurface):
    name, share, light = "wire.amazingdata", 10_000, 170
    secrets = ("admin123",)
    config_errors = True

    def scenes(self) -> list[Scene]:
        minute = 5 * MINUTE_NS
        from_ns = ad.FEBRUARY_NS - 3 * DAY_NS
        return [
            Scene("connect", self._connect),
            Scene("minutes", lambda one: one.history("600000.SH", minute, from_ns, ad.FEBRUARY_NS)),
            Scene("days", lambda one: one.history("600000.SH", DAY_NS, from_ns, ad.FEBRUARY_NS)),
            Scene("calendar", lambda one: one.trading_days("600000.SH", date(2024, 1, 1), date(2024, 2, 1))),
            Scene("statements", self._statements),
        ]

    @asynccontextmanager
    async def far_side(self, scene: Scene) -> AsyncIterator[httpx.AsyncBaseTransport]:
        yield httpx.ASGITransport(app=ad.StandIn().app)

    def gateway(self, transport: httpx.AsyncBaseTransport) -> Any:
        made = AmazingData(base_url=f"{NOWHERE}/api/v1", calls_per_minute=100_000)
        return made.open(around(transport, ad.FEBRUARY_NS, ad.ENVIRON))

    async def _connect(self, gateway: Any) -> Any:
        await gateway.connect()
        return await gateway.instruments()

    async def _statements(self, gateway: Any) -> Any:
        rows = await gateway.statements("income", ["600000.SH"], date(2023, 1, 1), date(2023, 12, 31))
        return [rows.rows]
