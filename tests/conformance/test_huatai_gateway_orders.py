"""Orders sent once and judged by more than their code, cancels proven by tables, new shares (contracts/ht.md 3, 5)."""

import json
from decimal import Decimal
from typing import Any

import anyio
import pytest
from starlette.responses import JSONResponse, Response

from engine.clock import LiveClock
from engine.domain.account import CancelScope
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.errors import GatewayError, NotSent, OutcomeUnknown, Refused
from engine.domain.evidence import Evidence, OrderReport, OrderState, Proof
from engine.domain.instructions import InstructionState, ReverseRepo, SubscribeIpo
from engine.domain.order import Order
from engine.domain.timestamps import DAY_NS, SECOND_NS
from engine.gateways.huatai import texts
from engine.ports import PerformsInstructions
from tests.gateway_builders import QuickClock, a_tcp_server, closed_port, read_request
from tests.huatai_builders import (
    ACCOUNT,
    DAY,
    NOT_FOUND,
    NOW_NS,
    QUESTION,
    SESSION,
    FarSide,
    a_gateway,
    a_holding,
    a_router,
    a_row,
    a_working_order,
    an_instruction,
    an_order,
    page,
)


async def submitted(answer: Any, order: SubmitOrder | None = None, path: str = "buy") -> Any:
    """What the router makes of one answer to an order."""
    far = FarSide()
    far.say(path, answer)
    sent = order or an_order()
    async with a_router(far) as router:
        return await router.submit([sent], router.encode([sent]))


# --- what leaves ---


@pytest.mark.parametrize(
    ("order", "path", "body"),
    [
        (an_order(), "buy", '{"security":"600000","price":8.7,"amount":500}'),
        (an_order(price="8.755", side=Side.SELL), "sell", '{"security":"600000","price":8.755,"amount":500}'),
        (an_order(instrument="000001.SZ", price="11"), "buy", '{"security":"000001","price":11.0,"amount":500}'),
    ],
)
async def test_limit_orders_on_the_wire(order: SubmitOrder, path: str, body: str) -> None:
    """Exactly the bytes that were encoded: the plain code as text, the price, the quantity."""
    far = FarSide()
    far.say(path, (200, "success", {"message": "success", "entrust_id": "1"}))
    async with a_router(far) as router:
        encoded = router.encode([order])
        await router.submit([order], encoded)
    assert encoded == body.encode()
    assert far.asked == [(path, {"session_id": SESSION}, json.loads(body))]


@pytest.mark.parametrize(
    ("order", "ttype", "path"),
    [
        (an_order(price=None), "五档即时成交剩余撤销", "market-buy"),
        (an_order(price=None, side=Side.SELL), "五档即时成交剩余转限价", "market-sell"),
        (an_order(price=None, instrument="000001.SZ"), "全额成交或撤销", "market-buy"),
    ],
)
async def test_market_orders_on_the_wire(order: SubmitOrder, ttype: str, path: str) -> None:
    """The kind of the settings; one the exchange has."""
    far = FarSide()
    far.say(path, (200, "success", {"message": "success", "entrust_id": "1"}))
    async with a_router(far, ttype=ttype) as router:
        await router.submit([order], router.encode([order]))
    security = order.instrument[:6]
    assert far.bodies(path) == [{"security": security, "amount": 500, "ttype": ttype}]


@pytest.mark.parametrize(
    ("order", "ttype", "words"),
    [
        (an_order(price=None), "对手方最优价格", "not offered for SH"),
        (an_order(price=None, instrument="430047.BJ"), "即时成交剩余撤销", "not offered for BJ"),
        (an_order(price="8.7001"), "", "three decimals"),
        (an_order(price="0"), "", "three decimals"),
        (an_order(quantity=0), "", "no quantity"),
        (an_order(instrument="00700.HK"), "", "six digits"),
        (an_order(instrument="CY.SH"), "", "six digits"),
        (an_order(side=Side.SELL_SHORT), "", "no limit sell_short"),
    ],
)
async def test_an_order_the_client_would_not_take_as_meant_is_not_sent(
    order: SubmitOrder, ttype: str, words: str
) -> None:
    """It types what it gets: six characters, three decimals."""
    far = FarSide()
    async with a_router(far, **({"ttype": ttype} if ttype else {})) as router:
        with pytest.raises(NotSent, match=words):
            router.encode([order])
        with pytest.raises(NotSent, match="one by one"):
            router.encode([an_order(), an_order()])
    assert far.asked == []


async def test_the_sheet() -> None:
    """RELIABILITY 3.4, column B3."""
    async with a_router(FarSide(), account_poll="90s") as router:
        sheet = router.capabilities()
        assert isinstance(router, PerformsInstructions)
    assert sheet.order_types == {OrderType.LIMIT, OrderType.MARKET}
    assert sheet.sides == {Side.BUY, Side.SELL}
    assert (sheet.gives_venue_id, sheet.lists_orders, sheet.lists_fills) == (True, True, True)
    assert (sheet.echoes_client_id, sheet.replaces) == (False, False)
    assert sheet.cancel_scope is CancelScope.ORDER
    assert (sheet.in_flight_max, sheet.in_flight_scope) == (1, "symbol_side")
    assert (sheet.max_lag_ns, sheet.late_max_ns) == (45 * SECOND_NS, 60 * SECOND_NS)
    assert (sheet.min_spacing_ns, sheet.orders_per_minute) == (SECOND_NS // 2, 20)
    assert sheet.snapshot_period_ns == 90 * SECOND_NS
    async with a_router(FarSide(), timeout="60s") as router:
        assert router.capabilities().late_max_ns == 82 * SECOND_NS


# --- what an answer proves (3.1) ---

PLACED = [
    (200, "success", {"message": "success", "委托编号": "12345678", "合同编号": "87654321"}),
    (200, "success", {"message": "success", "entrust_id": "87654321"}),
    (200, "success", {"message": "success", "entrust_id": 87654321}),
    (200, "success", {"message": "success", "委托编号": 87654321}),
    (400, QUESTION, {"message": QUESTION, "entrust_id": "87654321"}),
    (400, QUESTION, {"message": QUESTION, "entrust_no": "0087654321"}),
    (500, "处理对话框失败: x", {"result": [{"合同编号": "87654321"}]}),
    (400, "关闭对话框: 您的买入委托已成功提交，合同编号：87654321。", None),
    JSONResponse({"code": 400, "message": "x", "data": {"entrust_id": "87654321"}}, 400),
]


@pytest.mark.parametrize("answer", PLACED)
async def test_a_number_means_placed_whatever_the_code(answer: Any) -> None:
    """Any key, any type, any depth; the contract number where both are told."""
    (report,) = await submitted(answer)
    assert (report.kind, report.venue_id) == (Evidence.ACK, f"{DAY}-87654321")
    assert (report.account, report.client_id) == (ACCOUNT, "s-1")


@pytest.mark.parametrize(
    "answer",
    [
        (200, "success", {"message": "success"}),
        (200, "success", {"message": "success", "entrust_id": ""}),
        (200, "success", {"message": "success", "entrust_id": 0}),
        (200, "success", None),
    ],
)
async def test_success_without_a_number_is_no_evidence(answer: Any) -> None:
    """Probably placed; only a row is acceptance, and looking for it is the core's."""
    assert await submitted(answer) == ()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, "提交失败：可用资金不足", {"message": "提交失败：可用资金不足", "entrust_id": ""}), "可用资金不足"),
        ((400, "证券可用数量不足", None), "可用数量不足"),
        ((400, "当前时间不允许委托", None), "不允许"),
        ((400, "未连接到客户端", None), "not sent: 未连接到客户端"),
        ((400, "缺少必填参数: amount", None), "not sent: 缺少必填参数"),
        ((400, "设置市价类型 x 失败", None), "not sent"),
        ((400, "委托数量不符合规则", None), "whole number of lots"),
        ((500, "买入失败: could not convert string to float: 'x'", None), "not sent"),
        ((500, "买入失败: invalid literal for int() with base 10: 'x'", None), "not sent"),
        ((500, "买入失败: 415 Unsupported Media Type: Did not attempt", None), "not sent"),
        ((500, "买入失败: 400 Bad Request: Failed to decode JSON object", None), "not sent"),
        (JSONResponse({"code": 401, "message": "会话已超时，请重新连接或登录", "data": None}, 401), "30 minutes"),
        (page(404), "does not offer"),
    ],
)
async def test_certain_refusals_carry_the_counters_words(answer: Any, words: str) -> None:
    """Nothing was done, and why."""
    with pytest.raises(Refused, match=words):
        await submitted(answer)


@pytest.mark.parametrize(
    "answer",
    [
        (400, QUESTION, {"message": QUESTION, "entrust_id": ""}),
        (400, QUESTION, {"message": QUESTION}),
        (400, "关闭对话框: 提示：您有新的消息，请注意查收", None),
        (400, "关闭对话框: 可用资金不足", None),
        (400, "关闭对话框: 未连接到客户端", None),
        (400, "处理对话框失败: 'NoneType' object has no attribute 'window_text'", None),
        (400, "交易失败: timed out", None),
        (400, "可用资金不足，是否继续？", None),
        (400, "从未见过的一句话", None),
        (400, "", None),
        (500, "买入失败: list index out of range", None),
        (500, "买入失败: 可用资金不足", None),
        (429, "慢一点", None),
        page(500),
        page(502),
        page(200),
        JSONResponse({"success": True}),
        Response(b"\xff{", media_type="application/json"),
    ],
)
async def test_everything_else_is_unknown(answer: Any) -> None:
    """A 400 is no refusal by itself: an error after the button looks the same."""
    with pytest.raises(OutcomeUnknown):
        await submitted(answer)


async def test_no_answer_is_unknown_and_no_connection_is_not_sent() -> None:
    """Cut, or silent past the limit; the server is then left alone for ten seconds, and by orders for a minute."""
    order = an_order()
    talks: list[str] = []

    async def talk(reader: Any, writer: Any) -> None:
        asked = await read_request(reader)
        path = asked.split()[1].decode()
        if "/session-status" in path or "/balance" in path:
            data = b'{"is_logged_in":true}' if "status" in path else '{"总资产":1,"资金余额":1}'.encode()
            body = b'{"code":200,"message":"","data":' + data + b"}"
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
            return
        talks.append(path)
        if len(talks) == 1:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{")
            await writer.drain()
            return
        await reader.read()

    clock = QuickClock(NOW_NS)
    async with a_tcp_server(talk) as url, a_gateway(FarSide(), clock, base_url=url, timeout="1s") as gateway:
        router = gateway.router
        assert router is not None
        await gateway.connect()
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await router.submit([order], router.encode([order]))
            with pytest.raises(NotSent, match="may still be under way"):
                await router.submit([order], router.encode([order]))
            clock.sleeps.clear()
            await gateway.call("session_status", {})
            assert clock.sleeps == [10 * SECOND_NS]
            clock.now_ns += 60 * SECOND_NS
    assert len(talks) == 2
    async with a_gateway(FarSide(), clock, base_url=f"http://127.0.0.1:{closed_port()}") as gateway:
        assert gateway.router is not None
        gateway.session.is_open = True
        with pytest.raises(NotSent, match="could not connect"):
            await gateway.router.submit([order], gateway.router.encode([order]))


async def test_an_order_is_sent_once_even_if_its_caller_goes_away() -> None:
    """The answer is read all the same."""
    far = FarSide()
    far.say("buy", (200, "success", {"message": "success", "entrust_id": "5"}))
    far.pauses["buy"], far.heard["buy"] = 0.1, anyio.Event()
    order = an_order()
    reports: list[OrderReport] = []
    async with a_router(far) as router, anyio.create_task_group() as group:

        async def send() -> None:
            reports.extend(await router.submit([order], router.encode([order])))

        group.start_soon(send)
        await far.heard["buy"].wait()
        group.cancel_scope.cancel()
    assert [report.venue_id for report in reports] == [f"{DAY}-5"]
    assert far.names() == ["buy"]


async def test_an_order_that_gets_no_turn_comes_back_unsent() -> None:
    """Twelve seconds behind a slow login: the price is old by then."""
    far = FarSide()
    far.client_up = False
    far.pauses["login"], far.heard["login"] = 0.4, anyio.Event()
    order = an_order()
    async with a_gateway(far, LiveClock(speed=100, start_ns=NOW_NS)) as gateway:
        router = gateway.router
        assert router is not None
        async with anyio.create_task_group() as group:
            group.start_soon(gateway.connect)
            await far.heard["login"].wait()
            with pytest.raises(NotSent, match="no session in time"):
                await router.submit([order], router.encode([order]))
        assert gateway.session.is_open
    assert "buy" not in far.names()


async def test_what_was_placed_is_worth_a_look() -> None:
    """The account is read right after an order that was placed, and not after one that was not."""
    far = FarSide()
    looks: list[str] = []
    order = an_order()
    far.say("buy", [(200, "success", {"entrust_id": "5"}), (400, "提交失败：停牌", None)])
    async with a_router(far) as router:
        router.on_traded = lambda: looks.append("look")
        await router.submit([order], router.encode([order]))
        with pytest.raises(Refused):
            await router.submit([order], router.encode([order]))
    assert looks == ["look"]


async def test_after_an_unknown_order_the_dialog_in_front_is_closed() -> None:
    """Where the server can: it would block everything after it. Elsewhere it is asked once, and never again."""
    far = FarSide()
    order = an_order()
    far.say("buy", (400, "交易失败: x", None))
    far.say("check-pop-dialog", [(200, "", {"has_pop_dialog": True}), (200, "", {"has_pop_dialog": False})])
    far.say("close-pop-dialog", (200, "弹出对话框已关闭", None))
    async with a_router(far) as router:
        await router.snapshot()
        assert "check-pop-dialog" not in far.names()
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await router.submit([order], router.encode([order]))
            far.asked.clear()
            await router.snapshot()
            await router.snapshot()
            closes = ["close-pop-dialog"] if not _ else []
            assert far.names()[: 2 + len(closes)] == ["check-pop-dialog", *closes, "balance"]
            assert far.names().count("check-pop-dialog") == 1
    del far.answers["check-pop-dialog"]
    async with a_router(far) as router:
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await router.submit([order], router.encode([order]))
            await router.snapshot()
    assert far.names().count("check-pop-dialog") == 1


async def test_a_client_behind_a_dialog_is_freed_before_it_is_given_up() -> None:
    """Zeros may be a dialog's doing: it is closed before the proof fails, and nobody logs in anew."""
    far = FarSide()
    far.say("balance", [(200, "", {}), (200, "", {"资金余额": 1.0, "总资产": 1.0})])
    far.say("check-pop-dialog", (200, "", {"has_pop_dialog": True}))
    far.say("close-pop-dialog", (200, "弹出对话框已关闭", None))
    async with a_gateway(far) as gateway:
        await gateway.connect()
    assert far.names() == [
        "session-status", "connect", "balance", "check-pop-dialog", "close-pop-dialog", "balance",
    ]  # fmt: skip


# --- cancels (3.2) ---

ASKED = "您确认要撤销这1笔委托吗？"


class Window:
    """A client with live orders, whose cancels compare one column, by one layer's rules.

    Attributes:
        layer: ``G3`` compares 委托编号 as a number and no number below 100, ``G2`` any, ``G1`` 合同编号 without
            conversion.
        says: what a good cancel answers. works: whether it does anything.
    """

    def __init__(self, *rows: dict[str, Any], layer: str = "G3") -> None:
        self.rows = list(rows)
        self.layer = layer
        self.says: Any = (400, ASKED, {"message": ASKED, "entrust_id": "999"})
        self.works = True
        self.far = FarSide()
        self.far.say("cancel-entrust", self._cancel)
        self.far.say("today-entrusts", lambda _body: (200, "", self.rows))
        self.far.say("cancel-entrusts", lambda _body: (200, "", self.live()))

    def live(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["备注"] in ("已报", "部成", "已报待撤")]

    def sent(self) -> list[Any]:
        return [body["entrust_no"] for body in self.far.bodies("cancel-entrust")]

    def _cancel(self, body: dict[str, Any]) -> Any:
        wanted = body["entrust_no"]
        for row in self.live():
            if self._matches(row, wanted):
                if self.works:
                    row |= {"备注": "已撤", "撤消数量": row["委托数量"] - row["成交数量"]}
                return self.says
        return 400, NOT_FOUND, {"message": NOT_FOUND}

    def _matches(self, row: dict[str, Any], wanted: Any) -> bool:
        if self.layer == "G1":
            return bool(row["合同编号"] == wanted)
        number = int(wanted)
        return bool(row.get("委托编号", row.get("合同编号")) == number and (self.layer == "G2" or number > 99))


async def cancelled(window: Window, order: Order | None = None) -> Any:
    async with a_router(window.far) as router:
        return await router.cancel(order or a_working_order())


CANCEL_ANSWERS = [
    (200, "撤单成功", {"message": "撤单成功", "合同编号": "87654321"}),
    (400, "success", {"message": "success"}),
    (400, "success", {"message": "success", "entrust_id": "999"}),
    (400, ASKED, {"message": ASKED, "entrust_id": "999"}),
    (500, "撤单失败: x", None),
    page(500),
]


@pytest.mark.parametrize("says", CANCEL_ANSWERS)
async def test_a_cancel_is_proven_by_the_tables_whatever_is_answered(says: Any) -> None:
    """Gone from what can be cancelled, withdrawn in the day's list, with what was filled before."""
    window = Window(a_row(备注="部成", 成交数量=200, 成交均价=8.69), a_row(委托编号=102, 合同编号=5))
    window.says = says
    (report,) = await cancelled(window)
    assert (report.kind, report.cum, report.price) == (Evidence.CANCELED, 200, Decimal("8.69"))
    assert report.reason == "已撤"
    assert window.sent() == ["101"]
    names = window.far.names()
    assert names == ["cancel-entrusts", "cancel-entrust", "cancel-entrusts", "today-entrusts"]
    assert window.rows[1]["备注"] == "已报"


@pytest.mark.parametrize(
    ("layer", "row", "sent"),
    [
        ("G3", a_row(), ["101"]),
        ("G2", a_row(委托编号=7), ["7"]),
        ("G1", a_row(), ["101", "87654321", 87654321]),
        ("G1", a_row(委托编号=None), ["87654321", 87654321]),
        ("G3", a_row(委托编号=None), ["87654321"]),
        ("G1", a_row(委托编号=87654321), ["87654321", 87654321]),
    ],
)
async def test_each_layers_number_is_found(layer: str, row: dict[str, Any], sent: list[Any]) -> None:
    """委托编号 first; then the other one, as text and as a number."""
    window = Window(row, layer=layer)
    (report,) = await cancelled(window)
    assert report.kind is Evidence.CANCELED
    assert window.sent() == sent


async def test_the_order_is_known_by_either_number() -> None:
    """An answer may have given 委托编号 (5.4)."""
    (report,) = await cancelled(Window(a_row()), a_working_order("101"))
    assert report.kind is Evidence.CANCELED


async def test_a_number_that_is_a_strangers_too_is_never_sent() -> None:
    """Our 合同编号 7 is somebody's 委托编号: the current layers would cancel theirs."""
    window = Window(a_row(委托编号=101, 合同编号=7, 证券代码=1, 交易市场="深圳"), a_row(委托编号=7, 合同编号=8))
    window.layer = "G1"
    order = a_working_order("101", instrument="000001.SZ")
    working, refused = await cancelled(window, order)
    assert window.sent() == ["101"]
    assert (working.kind, refused.kind) == (Evidence.WORKING, Evidence.CANCEL_REJECT)


async def test_a_number_no_layer_matches_is_a_refused_cancel() -> None:
    """G3 and a number of two digits: every way was tried, the order lives, and the words say why."""
    window = Window(a_row(委托编号=7))
    working, refused = await cancelled(window)
    assert window.sent() == ["7", "87654321", 87654321]
    assert working.kind is Evidence.WORKING
    assert (refused.kind, refused.reason) == (Evidence.CANCEL_REJECT, NOT_FOUND)


async def test_a_cancel_that_came_too_late_tells_the_fill() -> None:
    """Not in the list any more: nothing is sent, and the day's list says how it ended."""
    window = Window(a_row(备注="已成", 成交数量=500, 成交均价=8.7), a_row(委托编号=102, 合同编号=5))
    (report,) = await cancelled(window)
    assert (report.kind, report.cum) == (Evidence.WORKING, 500)
    order = a_working_order()
    order.apply(report)
    assert order.state is OrderState.FILLED
    assert window.sent() == []


async def test_a_refused_order_is_withdrawn() -> None:
    """废单: nothing filled, not working."""
    window = Window(a_row(备注="废单", 废单原因="价格超限"))
    (report,) = await cancelled(window)
    assert (report.kind, report.cum, report.reason) == (Evidence.CANCELED, 0, "废单 价格超限")


async def test_a_cancel_under_way_stays_pending() -> None:
    """待撤 is neither done nor refused."""
    window = Window(a_row(备注="已报待撤"))
    window.works = False
    (report,) = await cancelled(window)
    assert (report.kind, report.cum) == (Evidence.WORKING, 0)


async def test_a_cancel_that_did_nothing_may_be_asked_again() -> None:
    """Answered like a good one, and the order is listed as before: not known, so the core asks later."""
    window = Window(a_row())
    window.works = False
    with pytest.raises(OutcomeUnknown, match="still 已报"):
        await cancelled(window)
    assert window.sent() == ["101"]


async def test_an_unreadable_list_does_not_keep_a_cancel_from_being_sent() -> None:
    """Empty is also how a failed list looks: the number is taken from the day's list."""
    window = Window(a_row())
    window.far.table("cancel-entrusts")
    (report,) = await cancelled(window)
    assert (report.kind, window.sent()) == (Evidence.CANCELED, ["101"])
    window = Window(a_row())
    window.works = False
    window.far.table("cancel-entrusts")
    with pytest.raises(OutcomeUnknown):
        await cancelled(window)


async def test_a_cancel_of_an_order_that_is_nowhere_is_unknown() -> None:
    """Absence from one reading proves nothing."""
    window = Window(a_row(合同编号=5, 委托编号=6))
    with pytest.raises(OutcomeUnknown, match="does not show it"):
        await cancelled(window)
    assert window.sent() == []


async def test_an_order_of_another_day_or_without_a_number_is_not_cancelled() -> None:
    """Today's order of that number is somebody else's."""
    window = Window(a_row())
    with pytest.raises(Refused, match="another day"):
        await cancelled(window, a_working_order(day="20261117"))
    with pytest.raises(NotSent, match="number is not known"):
        await cancelled(window, Order(an_order()))
    assert window.far.asked == []


async def test_orders_are_not_replaced() -> None:
    """The client has no such thing."""
    async with a_router(FarSide()) as router:
        (report,) = await router.replace(a_working_order(), 300, Decimal("8.6"))
    assert (report.kind, report.proof) == (Evidence.REPLACE_REJECT, Proof.LOCAL)


async def test_cancel_all_by_hand_is_single_cancels_with_their_outcomes() -> None:
    """The client's own button may do nothing; strangers' orders are among those meant."""
    window = Window(a_row(), a_row(委托编号=7, 合同编号=6), a_row(委托编号=103, 合同编号=5, 备注="已成", 成交数量=500))
    async with a_gateway(window.far, account="") as gateway:
        await gateway.connect()
        first, second = await gateway.call("cancel_all", {})
        assert (first["state"], first["can_be_cancelled"]) == ("canceled", False)
        assert (second["state"], second["message"]) == ("working", NOT_FOUND)
        assert "cancel-all-entrusts" not in window.far.names()
        window.rows.append(a_row(委托编号=104, 合同编号=77))
        assert (await gateway.call("cancel", {"number": "77"}))["state"] == "canceled"


# --- evidence in the account ---


async def test_fills_and_rows_bring_an_order_to_its_end() -> None:
    """As the core joins them: ACK, a part, the rest."""
    far = FarSide()
    far.say("buy", (400, QUESTION, {"message": QUESTION, "entrust_id": "87654321"}))
    request = an_order()
    order = Order(request)
    for kind in (Evidence.RISK_OK, Evidence.SEND):
        order.apply(OrderReport(account=ACCOUNT, kind=kind, ts_ns=NOW_NS, client_id=request.client_id))
    async with a_router(far) as router:
        for report in await router.submit([request], router.encode([request])):
            order.apply(report)
        assert order.state is OrderState.WORKING
        far.table("today-entrusts", a_row(成交数量=500, 成交均价=8.69, 备注="已成"))
        far.table("position", a_holding(证券代码=600000, 交易市场=None))
        found = await router.snapshot()
    assert found.orders is not None
    assert found.orders[0].venue_id == order.venue_id
    assert (found.orders[0].status, found.orders[0].cum) == (Evidence.FILL, 500)
    assert found.whole


# --- new shares (3.3) ---


IPO_ROW = a_row(操作="新股申购", 证券代码=787001, 合同编号=900, 委托编号=110, 委托数量=5000)


async def performed(answer: Any, *rows: dict[str, Any], before: tuple[dict[str, Any], ...] = ()) -> Any:
    """Perform it; ``rows`` are what the day's list shows afterwards."""
    far = FarSide()
    shown = [(200, "", list(before)), (200, "", list(rows))]
    far.say("today-entrusts", shown)
    far.say("auto-ipo", answer)
    async with a_router(far) as router:
        body = router.encode_instruction(an_instruction())
        assert body == b""
        try:
            return await router.perform(an_instruction(), body)
        finally:
            assert far.names().count("auto-ipo") <= 1


@pytest.mark.parametrize("text", ["今日无新股", "没有发现可以申购的新股"])
async def test_nothing_to_subscribe_for_is_done(text: str) -> None:
    """With the words as the reason, whatever the code."""
    found = await performed((400, text, {"message": text}))
    assert (found.state, found.reason, found.details) == (InstructionState.DONE, text, {})


@pytest.mark.parametrize(
    "answer",
    [
        (400, "您的申购委托已提交", {"message": "您的申购委托已提交"}),
        (400, "success", {"message": "success"}),
        (200, "新股申购完成", {"message": "新股申购完成", "可申购新股数量": 1}),
        (400, "从未见过的一句话", None),
        (400, "自动申购失败: could not convert string to float: '--'", None),
    ],
)
async def test_what_was_subscribed_for_is_what_the_list_shows(answer: Any) -> None:
    """New rows since, by code and quantity; an earlier subscription is none of it."""
    earlier = IPO_ROW | {"合同编号": 800, "委托编号": 90, "证券代码": 1366}
    found = await performed(answer, earlier, IPO_ROW, before=(earlier,))
    assert (found.state, found.details) == (InstructionState.DONE, {"787001.SH": "5000"})
    assert (found.account, found.client_id) == (ACCOUNT, "s-i1")


@pytest.mark.parametrize(
    ("answer", "rows", "error"),
    [
        ((400, "自动申购失败: x", None), [a_row()], Refused),
        ((400, "自动申购失败: x", None), [], OutcomeUnknown),
        ((400, "您的申购委托已提交", None), [a_row()], OutcomeUnknown),
        ((400, "未连接到客户端", None), [], Refused),
        (JSONResponse({"code": 401, "message": "会话已超时", "data": None}, 401), [], Refused),
        (page(404), [], Refused),
        (page(500), [], OutcomeUnknown),
        (page(200), [], OutcomeUnknown),
    ],
)
async def test_a_subscription_that_is_not_shown(answer: Any, rows: Any, error: type[GatewayError]) -> None:
    """Failed and a readable list without it: refused. Anything else is unknown."""
    with pytest.raises(error):
        await performed(answer, *rows)


async def test_nothing_is_subscribed_for_while_the_list_can_not_be_read() -> None:
    """What would then be new could not be told."""
    far = FarSide()
    far.say("today-entrusts", page(500))
    async with a_router(far) as router:
        with pytest.raises(NotSent, match="today-entrusts"):
            await router.perform(an_instruction(), b"")
        with pytest.raises(NotSent, match="no reverse_repo here"):
            router.encode_instruction(an_instruction(ReverseRepo(amount=1000)))
        assert router.instructions() == {SubscribeIpo}
    assert "auto-ipo" not in far.names()


async def test_an_unknown_subscription_is_looked_for_in_the_list() -> None:
    """A row since then is proof; an earlier one, or one without a time, is not; nothing there proves nothing."""
    far = FarSide()
    async with a_router(far) as router:
        for row, since_ns, found in (
            (IPO_ROW, NOW_NS - 10 * SECOND_NS, True),
            (IPO_ROW, NOW_NS + 60 * SECOND_NS, False),
            (IPO_ROW | {"委托时间": ""}, NOW_NS - 10 * SECOND_NS, False),
            (a_row(), NOW_NS - DAY_NS, False),
        ):
            far.table("today-entrusts", row)
            report = await router.look_for(an_instruction(), since_ns)
            assert (report is not None) is found
            assert report is None or report.state is InstructionState.DONE


def test_words_that_are_questions_are_no_refusals() -> None:
    """What the client asked before it sent anything says nothing of what came of it."""
    assert texts.refused_by_counter("提交失败：停牌")
    assert not texts.refused_by_counter("您确定要买入停牌的证券吗")
    assert not texts.refused_by_counter("交易失败: 资金不足")
    assert texts.number_in_text("委托已提交，合同编号是 A12") == "A12"
    assert texts.number_in_text("合同编号：12 的委托不存在") == ""
