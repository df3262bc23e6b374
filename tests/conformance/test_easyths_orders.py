"""The EasyTHS gateway's order side over real HTTP: claims are not believed, lists are, strangers are left alone."""

import json
from decimal import Decimal
from typing import Any

import anyio
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from engine.domain.account import AccountSnapshot, CancelScope
from engine.domain.commands import OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.errors import BadMessage, GatewayError, NotSent, OutcomeUnknown, Refused
from engine.domain.events import Alert
from engine.domain.evidence import Evidence, Proof
from engine.domain.timestamps import SECOND_NS
from engine.gateways.easyths import client
from engine.gateways.easyths.adapter import EasythsGateway
from engine.ports import CancelsTogether
from tests.easyths_builders import (
    ACCOUNT,
    DAY,
    NOW_NS,
    Desk,
    a_gateway,
    a_holding,
    a_row,
    a_working_order,
    an_order,
    past,
    placed,
    router_of,
    says,
    sent,
    some_funds,
)
from tests.gateway_builders import QuickClock

# --- what it can do ---


async def test_the_sheet_is_that_of_a_venue_whose_answers_are_claims() -> None:
    """RELIABILITY 3.4, column B2."""
    async with a_gateway(Desk()) as gateway:
        router = router_of(gateway)
        sheet = router.capabilities()
        assert isinstance(router, CancelsTogether)
    assert (sheet.lists_orders, sheet.lists_fills, sheet.echoes_client_id, sheet.gives_venue_id) == (
        True,
        False,
        False,
        False,
    )
    assert sheet.order_types == {OrderType.LIMIT, OrderType.MARKET}
    assert sheet.cancel_scope is CancelScope.SYMBOL_SIDE
    assert (sheet.in_flight_max, sheet.in_flight_scope, sheet.orders_per_minute) == (1, "symbol_side", 20)
    assert (sheet.max_lag_ns, sheet.late_max_ns, sheet.min_spacing_ns) == (
        60 * SECOND_NS,
        90 * SECOND_NS,
        SECOND_NS // 2,
    )
    assert sheet.snapshot_period_ns == 30 * SECOND_NS


@pytest.mark.parametrize(
    ("order", "name", "params"),
    [
        (an_order(), "buy", {"stock_code": "600000", "price": 8.7, "quantity": 300}),
        (an_order(Side.SELL, 100, "4.123", instrument="510300.SH"), "sell",
         {"stock_code": "510300", "price": 4.123, "quantity": 100}),
        (an_order(price=None, kind=OrderType.MARKET), "market_buy",
         {"stock_code": "600000", "quantity": 300, "execution_strategy": 3}),
        (an_order(Side.SELL, price=None, kind=OrderType.MARKET, instrument="000001.SZ"), "market_sell",
         {"stock_code": "000001", "quantity": 300, "execution_strategy": 3}),
    ],
)  # fmt: skip
async def test_an_order_becomes_exactly_one_operation(order: SubmitOrder, name: str, params: dict[str, Any]) -> None:
    """The bytes that were journaled are the bytes that leave; no evidence comes of it but a row later."""
    desk = Desk()
    placed(desk, name)
    placed(desk, "sell", price=f"{order.price or 0:.3f}")
    async with a_gateway(desk) as gateway:
        router = router_of(gateway)
        body = router.encode([order])
        assert json.loads(body) == {"params": params, "priority": 0}
        if name == "sell":
            assert await sent(router, order) == ()
        else:
            assert await router.submit([order], body) == ()
    assert desk.submitted() == [(name, params)]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (an_order(quantity=150), "multiple of 100"),
        (an_order(price="8.705"), "2 decimals"),
        (an_order(price="4.1234", instrument="510300.SH"), "3 decimals"),
        (an_order(instrument="AAPL.US"), "AAPL.US"),
        (an_order(instrument="900901.SH"), "B share"),
        (an_order(instrument="688001.SH", quantity=100), "STAR"),
        (an_order(kind=OrderType.STOP), "stop"),
        (an_order(tif=TimeInForce.IOC), "ioc"),
        (an_order(side=Side.SELL_SHORT), "sell_short"),
        (an_order(price="90000", quantity=200), "more than 10000000"),
    ],
)
async def test_an_order_it_can_not_place_as_it_is_does_not_leave(order: SubmitOrder, words: str) -> None:
    """And is foreseen by the gate."""
    async with a_gateway(Desk()) as gateway:
        router = router_of(gateway)
        with pytest.raises(NotSent, match=words):
            router.encode([order])
        denial = router.denial(order)
        assert denial is not None
        assert (denial.code, words in denial.reason) == ("UNSUPPORTED", True)
        with pytest.raises(NotSent, match="one by one"):
            router.encode([an_order(), an_order(client_id="s-2")])
        assert router.denial(an_order()) is None


async def test_an_older_server_has_no_market_orders_and_would_round_fund_prices() -> None:
    """So neither leaves (contract 3)."""
    market, fund = an_order(price=None, kind=OrderType.MARKET), an_order(price="4.123", instrument="510300.SH")
    async with a_gateway(Desk(newer=False)) as gateway:
        router = router_of(gateway)
        assert router.denial(market) is None
        await gateway.connect()
        for order in (market, fund):
            denial = router.denial(order)
            assert denial is not None
            assert denial.code == "UNSUPPORTED"
            with pytest.raises(NotSent):
                router.encode([order])
        assert router.denial(an_order(price="4.12", instrument="510300.SH")) is None


# --- answers (contract 3.2, 5.1, 5.2) ---


@pytest.mark.parametrize("newer", [True, False])
@pytest.mark.parametrize(
    "message",
    [
        "参数验证失败：参数验证失败，请检查接口参数", "执行前检查失败：未找到窗口", "提交失败：资金不足",
        "提交失败：账户状态异常",
        "标的：600000，不支持市价委托",
    ],
)  # fmt: skip
async def test_the_words_that_prove_a_refusal_refuse(newer: bool, message: str) -> None:
    """The counter's own text is the reason."""
    desk = Desk(newer=newer)
    says(desk, "buy", success=False, message=message)
    async with a_gateway(desk) as gateway:
        await gateway.client.generation()
        with pytest.raises(Refused, match=message):
            await sent(router_of(gateway))


@pytest.mark.parametrize(
    "message",
    [
        "成功提交600000的买入委托", "操作未能成功，请检查软件设置", "买入操作异常: x", "核心操作执行异常",
        "执行操作异常", "",
        "市价买入操作失败，错误：委托已成功提交，合同编号：1001", "又一个没见过的提示", "交易提交失败：资金不足",
    ],
)  # fmt: skip
async def test_any_other_failure_proves_nothing(message: str) -> None:
    """The flag says no, and the order may be in the market all the same (RELIABILITY 0, finding 3)."""
    desk = Desk()
    says(desk, "buy", success=False, message=message)
    async with a_gateway(desk) as gateway:
        with pytest.raises(OutcomeUnknown):
            await sent(router_of(gateway))
    assert len(desk.submitted("buy")) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (PlainTextResponse("Internal Server Error", 500), OutcomeUnknown),
        (JSONResponse({"detail": "队列已满，无法添加操作"}, 500), Refused),
        (JSONResponse({"detail": "操作 'buy' 不存在"}, 404), Refused),
    ],
)
async def test_a_submit_without_a_good_answer_is_sent_once(answer: Response, kind: type[GatewayError]) -> None:
    """A 500 may be the rate limiter's; it may be anything."""
    desk = Desk()
    desk.answers["buy"] = lambda _params: answer
    async with a_gateway(desk) as gateway:
        with pytest.raises(kind):
            await sent(router_of(gateway))
    assert len(desk.submitted()) == 1


async def test_nobody_there_means_not_sent() -> None:
    """A connection of its own that was never made."""
    desk = Desk()
    async with a_gateway(desk, base_url="http://127.0.0.1:9") as gateway:
        with pytest.raises(NotSent):
            await sent(router_of(gateway))


async def test_an_order_over_its_deadline_is_withdrawn_from_the_queue() -> None:
    """Still cancelled a second later: refused, not unknown; a withdrawal that came late is unknown."""
    desk = Desk()
    placed(desk)
    desk.stuck = {"buy"}
    async with a_gateway(desk) as gateway:
        with pytest.raises(Refused, match="before it ran"):
            await sent(router_of(gateway))
        desk.before = lambda method, _path: (
            JSONResponse({"detail": "操作不存在或无法取消"}, 404) if method == "DELETE" else None
        )
        with pytest.raises(OutcomeUnknown, match="can not be withdrawn"):
            await sent(router_of(gateway))


@pytest.mark.parametrize(
    ("echo", "words"),
    [
        ({"price": "8.71"}, "at 8.71 instead of 8.7"),
        ({"quantity": 3000}, "over 3000"),
        ({"stock_code": "600001"}, "for 600001"),
    ],
)
async def test_an_order_placed_otherwise_than_asked_raises_an_alarm(echo: dict[str, Any], words: str) -> None:
    """What is in the market now is not ours as the core knows it."""
    desk = Desk()
    placed(desk, **echo)
    told: list[Any] = []
    async with a_gateway(desk) as gateway:
        router_of(gateway).listen(told.append)
        with pytest.raises(OutcomeUnknown, match=words):
            await sent(router_of(gateway))
    (alert,) = told
    assert isinstance(alert, Alert)
    assert alert.about == "order:s-1"
    assert words in alert.text


async def test_an_echo_in_other_digits_or_none_at_all_is_no_alarm() -> None:
    """8.70 is 8.7; market orders have no price; null says nothing."""
    desk = Desk()
    told: list[Any] = []
    async with a_gateway(desk) as gateway:
        router_of(gateway).listen(told.append)
        for data in ({"price": "8.700", "quantity": 300, "stock_code": 600000}, None, {}):
            says(desk, "buy", success=True, data=data)
            assert await sent(router_of(gateway)) == ()
    assert told == []


async def test_a_market_order_under_another_strategy_is_said() -> None:
    """Only the message tells (contract 3, market_buy)."""
    desk = Desk()
    placed(desk, "market_buy", "策略6不支持，已使用策略3")
    told: list[Any] = []
    async with a_gateway(desk, market_strategy=6) as gateway:
        router_of(gateway).listen(told.append)
        assert await sent(router_of(gateway), an_order(price=None, kind=OrderType.MARKET)) == ()
    assert desk.submitted("market_buy")[0][1]["execution_strategy"] == 6
    assert "策略6不支持" in told[0].text


async def holding(gateway: EasythsGateway, taken: anyio.Event, until: anyio.Event) -> None:
    """Somebody has the turn."""
    async with gateway.client.turn():
        taken.set()
        await until.wait()


class HastyClock(QuickClock):
    """Its twenty seconds are twenty milliseconds of the machine."""

    def real_seconds(self, duration_ns: int) -> float:
        return duration_ns / SECOND_NS / 1000


async def test_an_order_that_finds_no_turn_is_given_back_unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's operation keeps the client busy for longer than a price lives."""
    monkeypatch.setattr(client, "REAL_FLOOR_SECONDS", 0.0)
    desk = Desk()
    async with a_gateway(desk, HastyClock(NOW_NS)) as gateway, anyio.create_task_group() as group:
        taken, until = anyio.Event(), anyio.Event()
        group.start_soon(holding, gateway, taken, until)
        await taken.wait()
        with pytest.raises(NotSent, match="busy"):
            await sent(router_of(gateway))
        until.set()
    assert desk.submitted() == []


async def test_an_order_waits_for_the_reading_before_it() -> None:
    """One operation in flight, first come first served: no reading is overtaken."""
    desk = Desk()
    placed(desk)
    async with a_gateway(desk) as gateway, anyio.create_task_group() as group:
        group.start_soon(router_of(gateway).snapshot)
        await anyio.lowlevel.checkpoint()
        group.start_soon(sent, router_of(gateway))
    names = [name for name, _ in desk.submitted()]
    assert names == ["order_query", "historical_commission_query", "holding_query", "funds_query", "buy"]


# --- readings ---


@pytest.mark.parametrize("newer", [True, False])
async def test_a_reading_has_orders_holdings_and_money(newer: bool) -> None:
    """As of the moment our turn came, and whole where the tables vouch for each other."""
    desk, clock = Desk(newer=newer), QuickClock(NOW_NS)
    desk.live = [a_row(1001)]
    desk.history = [
        past(a_row(1001), 成交数量=100, 成交均价=8.69),
        past(a_row(1000, 操作="卖出"), 成交数量=300, 成交均价=8.8),
    ]
    desk.holdings = [a_holding(1, 200, 100, 交易市场="深圳Ａ股", 成本价="12.500"), a_holding(quantity=1000)]
    desk.funds = some_funds("91,300.00", "1,740.00")
    found: list[AccountSnapshot] = []
    async with a_gateway(desk, clock) as gateway, anyio.create_task_group() as group:

        async def read() -> None:
            found.append(await router_of(gateway).snapshot())

        taken, until = anyio.Event(), anyio.Event()
        group.start_soon(holding, gateway, taken, until)
        await taken.wait()
        group.start_soon(read)
        await anyio.lowlevel.checkpoint()
        clock.now_ns += 5 * SECOND_NS
        until.set()
    (snapshot,) = found
    assert snapshot.account == ACCOUNT
    assert snapshot.as_of_ns >= NOW_NS + 5 * SECOND_NS
    assert snapshot.ts_ns > snapshot.as_of_ns
    assert snapshot.whole
    assert [(row.venue_id, row.status, row.side, row.cum, row.average_price) for row in snapshot.orders or ()] == [
        (f"{DAY}-1001", Evidence.WORKING, Side.BUY, 100, Decimal("8.69")),
        (f"{DAY}-1000", Evidence.FILL, Side.SELL, 300, Decimal("8.8")),
    ]
    assert [(p.instrument, p.quantity, p.sellable, p.average_price) for p in snapshot.positions or ()] == [
        ("000001.SZ", 200, 100, Decimal("12.500")),
        ("600000.SH", 1000, 1000, Decimal("8.5")),
    ]
    assert [(b.currency, b.total, b.available) for b in snapshot.balances or ()] == [
        ("CNY", Decimal("93040.00"), Decimal("91300.00"))
    ]
    assert dict(desk.submitted())["historical_commission_query"] == {"return_type": "json", "time_range": "当日"}
    assert dict(desk.submitted())["order_query"] == {"return_type": "json"}


async def test_holdings_that_contradict_the_money_are_not_read() -> None:
    """An empty copy beside securities of worth: nothing is said of positions, rather than that there are none."""
    desk = Desk()
    desk.holdings = []
    async with a_gateway(desk) as gateway:
        assert (await router_of(gateway).snapshot()).positions is None
        desk.funds = some_funds(股票市值="0.00", 总资产="91,300.00")
        assert (await router_of(gateway).snapshot()).positions == ()


async def test_a_history_that_the_client_can_not_show_makes_the_reading_short() -> None:
    """Some brokers do not offer it; a refusal by the server itself is another matter."""
    desk = Desk()
    desk.live = [a_row(1001)]
    says(desk, "historical_commission_query", success=False, message="历史委托查询操作异常: x")
    async with a_gateway(desk) as gateway:
        snapshot = await router_of(gateway).snapshot()
        assert not snapshot.whole
        assert [row.venue_id for row in snapshot.orders or ()] == [f"{DAY}-1001"]
        desk.answers["historical_commission_query"] = lambda _params: JSONResponse({"detail": "x"}, 404)
        with pytest.raises(Refused):
            await router_of(gateway).snapshot()


@pytest.mark.parametrize(
    ("name", "answer", "kind"),
    [
        ("order_query", {"success": False, "message": "x", "data": {"orders": "没有对应的委托订单"}}, Refused),
        ("order_query", {"data": {"orders": "转换失败"}}, BadMessage),
        ("order_query", {"data": {"orders": [{"委托数量": 1}]}}, BadMessage),
        ("order_query", {"data": None}, BadMessage),
        ("holding_query", {"data": [{"证券代码": 1}]}, BadMessage),
        ("funds_query", {"data": {"可用金额": "1.00"}}, Refused),
        ("funds_query", {"data": None}, BadMessage),
        ("historical_commission_query", {"data": {"historical_orders": [past(a_row(备注="场外处理"))]}}, BadMessage),
    ],
)
async def test_what_can_not_be_read_is_an_error_and_never_an_empty_account(
    name: str, answer: dict[str, Any], kind: type[GatewayError]
) -> None:
    """A captcha, a column that is missing, a word nobody knows."""
    desk = Desk()
    desk.answers[name] = lambda _params: answer
    async with a_gateway(desk) as gateway:
        with pytest.raises(kind):
            await router_of(gateway).snapshot()


async def test_a_word_of_the_users_own_client_is_read_with_his_setting() -> None:
    """The mend that the error names."""
    desk = Desk()
    desk.live = [a_row(备注="已受理")]
    desk.history = [past(a_row(备注="已受理"))]
    async with a_gateway(desk, status_words={"已受理": "open"}) as gateway:
        snapshot = await router_of(gateway).snapshot()
    assert [row.status for row in snapshot.orders or ()] == [Evidence.WORKING]


async def test_empty_tables_prove_nothing_while_our_order_may_be_behind_them() -> None:
    """Copies that fail one after the other must not make an order that was filled absent."""
    desk = Desk()
    placed(desk)
    async with a_gateway(desk) as gateway:
        router = router_of(gateway)
        assert [(await router.snapshot()).whole for _ in range(2)] == [False, True]
        await sent(router)
        desk.holdings = [a_holding(quantity=1300, sellable=1000)]
        desk.funds = some_funds("88,690.00")
        assert [(await router.snapshot()).whole for _ in range(3)] == [False, False, False]


# --- cancels (contract 5.4) ---


def cancels(desk: Desk, **ended: dict[str, Any]) -> None:
    """``order_cancel`` takes every live row of the code and side off the page, into the history as cancelled."""

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        word = {"buy": "买入", "sell": "卖出"}[params["cancel_type"]]
        gone = [
            row for row in desk.live if str(row["证券代码"]).zfill(6) == params["stock_code"] and row["操作"] == word
        ]
        desk.live = [row for row in desk.live if row not in gone]
        for row in gone:
            cells = {"撤消数量": row["委托数量"] - row["成交数量"], "备注": "已撤"} | ended.get(
                f"n{row['合同编号']}", {}
            )
            desk.history = [one for one in desk.history if one["合同编号"] != row["合同编号"]] + [past(row, **cells)]
        return {"data": {"stock_code": params["stock_code"], "operation": "cancel"}, "message": "x"}

    desk.answers["order_cancel"] = answer


def listed(desk: Desk, *rows: dict[str, Any]) -> None:
    desk.live = list(rows)
    desk.history = [past(row) for row in rows]


async def test_a_cancel_reaches_our_order_and_its_end_is_read_from_the_history() -> None:
    """By code and side, never without a code."""
    desk = Desk()
    listed(
        desk,
        a_row(1001, 成交数量=100, 成交均价=8.69),
        a_row(1002, 操作="卖出"),
        a_row(1003, 证券代码=1, 交易市场="深圳Ａ股"),
    )
    cancels(desk)
    async with a_gateway(desk) as gateway:
        (report,) = await router_of(gateway).cancel(a_working_order())
    assert (report.kind, report.cum, report.price) == (Evidence.CANCELED, 100, Decimal("8.69"))
    assert report.as_of_ns > NOW_NS
    assert desk.submitted("order_cancel") == [("order_cancel", {"stock_code": "600000", "cancel_type": "buy"})]
    assert [row["合同编号"] for row in desk.live] == [1002, 1003]


async def test_a_strangers_order_of_that_code_and_side_is_not_touched() -> None:
    """The reason names it; nothing is sent."""
    desk = Desk()
    listed(desk, a_row(1001), a_row(777777))
    async with a_gateway(desk) as gateway:
        (report,) = await router_of(gateway).cancel(a_working_order())
    assert (report.kind, report.proof) == (Evidence.CANCEL_REJECT, Proof.LOCAL)
    assert "777777" in report.reason
    assert desk.submitted("order_cancel") == []


async def test_a_row_whose_side_can_not_be_read_is_a_stranger_too() -> None:
    """It might be one."""
    desk = Desk()
    listed(desk, a_row(1001), a_row(1002, 操作="配号"))
    async with a_gateway(desk) as gateway:
        (report,) = await router_of(gateway).cancel(a_working_order())
    assert report.kind is Evidence.CANCEL_REJECT
    assert desk.submitted("order_cancel") == []


async def test_orders_that_all_must_go_leave_in_one_request() -> None:
    """Several of ours, one of which filled on the way."""
    desk = Desk()
    listed(desk, a_row(1001), a_row(1002), a_row(1003))
    cancels(desk, n1002={"成交数量": 300, "撤消数量": 0, "成交均价": 8.7, "备注": "已成"})
    orders = [a_working_order(f"{DAY}-{number}", an_order(client_id=f"s-{number}")) for number in (1001, 1002, 1003)]
    async with a_gateway(desk) as gateway:
        reports = await router_of(gateway).cancel_together(orders)
    assert [(r.client_id, r.kind, r.cum) for r in reports] == [
        ("s-1001", Evidence.CANCELED, 0),
        ("s-1002", Evidence.WORKING, 300),
        ("s-1003", Evidence.CANCELED, 0),
    ]
    assert len(desk.submitted("order_cancel")) == 1


async def test_an_order_that_is_not_live_any_more_is_told_by_the_history() -> None:
    """And nothing is sent for it: a cancel would only reach others."""
    desk = Desk()
    desk.history = [past(a_row(1001), 成交数量=300, 成交均价=8.7)]
    async with a_gateway(desk) as gateway:
        (report,) = await router_of(gateway).cancel(a_working_order())
        assert (report.kind, report.cum) == (Evidence.WORKING, 300)
        desk.history.append(past(a_row(1004), 备注="废单"))
        (report,) = await router_of(gateway).cancel(a_working_order(f"{DAY}-1004"))
        assert (report.kind, report.reason) == (Evidence.CANCELED, "废单")
        listed(desk, a_row(1002))
        desk.history = [past(a_row(1005), 撤消数量=300), *desk.history]
        (report,) = await router_of(gateway).cancel(a_working_order(f"{DAY}-1005"))
        assert report.kind is Evidence.CANCELED
    assert desk.submitted("order_cancel") == []


async def test_one_ended_and_one_beside_a_stranger_are_told_each_their_own() -> None:
    """The history for the first, the stranger's number for the second."""
    desk = Desk()
    listed(desk, a_row(1002), a_row(1003))
    desk.history = [past(a_row(1001), 成交数量=300), *desk.history]
    orders = [a_working_order(f"{DAY}-{number}", an_order(client_id=f"s-{number}")) for number in (1001, 1002)]
    async with a_gateway(desk) as gateway:
        reports = await router_of(gateway).cancel_together(orders)
    assert [(r.kind, r.cum) for r in reports] == [(Evidence.WORKING, 300), (Evidence.CANCEL_REJECT, 0)]


async def test_a_cancel_is_followed_until_the_row_is_gone() -> None:
    """The exchange takes its time."""
    desk = Desk()
    listed(desk, a_row(1001))
    looks = 0

    def read(_params: dict[str, Any]) -> dict[str, Any]:
        nonlocal looks
        looks += 1
        if looks > 4:
            desk.live, desk.history = [], [past(a_row(1001), 撤消数量=300)]
        word = "未成交" if looks < 2 else "已报待撤"
        return {"data": {"orders": [a_row(1001, 备注=word)] if desk.live else "没有对应的委托订单"}}

    desk.answers["order_query"] = read
    async with a_gateway(desk) as gateway:
        (report,) = await router_of(gateway).cancel(a_working_order())
    assert report.kind is Evidence.CANCELED
    assert len(desk.submitted("order_cancel")) == 1


async def test_a_row_that_is_gone_before_its_history_says_so_is_waited_for() -> None:
    """Off the page is not an end."""
    desk = Desk()
    listed(desk, a_row(1001))
    cancels(desk)
    behind = [past(a_row(1001))] * 2

    def read(_params: dict[str, Any]) -> dict[str, Any]:
        return {"data": {"historical_orders": [behind.pop()] if behind else desk.history}}

    desk.answers["historical_commission_query"] = read
    async with a_gateway(desk) as gateway:
        (report,) = await router_of(gateway).cancel(a_working_order())
    assert report.kind is Evidence.CANCELED
    assert behind == []


async def test_a_list_that_failed_once_is_looked_at_again_before_the_cancel() -> None:
    """An empty copy is not the end of an order."""
    desk = Desk()
    listed(desk, a_row(1001))
    cancels(desk)
    failing = [True]

    def read(_params: dict[str, Any]) -> dict[str, Any]:
        return {
            "data": {"orders": "没有对应的委托订单" if failing and failing.pop() else desk.live or "没有对应的委托订单"}
        }

    desk.answers["order_query"] = read
    async with a_gateway(desk) as gateway:
        (report,) = await router_of(gateway).cancel(a_working_order())
    assert report.kind is Evidence.CANCELED


async def test_a_cancel_whose_row_stays_is_unknown() -> None:
    """Success was claimed; the deadline is over, and the order is still there: it may yet go."""
    desk, clock = Desk(), QuickClock(NOW_NS)
    listed(desk, a_row(1001))
    async with a_gateway(desk, clock) as gateway:
        with pytest.raises(OutcomeUnknown, match="still in the list"):
            await router_of(gateway).cancel(a_working_order())
    assert 30 * SECOND_NS <= clock.now_ns - NOW_NS <= 45 * SECOND_NS
    assert len(desk.submitted("order_cancel")) == 1


async def test_a_cancel_the_client_refused_is_a_reject_if_the_row_stays_untouched() -> None:
    """And unknown where the list says that the withdrawal is under way."""
    desk = Desk()
    listed(desk, a_row(1001))
    says(desk, "order_cancel", success=False, message="撤单操作异常: x")
    async with a_gateway(desk) as gateway:
        (report,) = await router_of(gateway).cancel(a_working_order())
        assert (report.kind, "撤单操作异常" in report.reason) == (Evidence.CANCEL_REJECT, True)
        listed(desk, a_row(1001, 备注="已报待撤"))
        with pytest.raises(OutcomeUnknown):
            await router_of(gateway).cancel(a_working_order())


async def test_a_cancel_without_an_answer_is_decided_by_the_list() -> None:
    """Gone is gone, whatever the answer was."""
    desk = Desk()
    listed(desk, a_row(1001))

    def answer(_params: dict[str, Any]) -> Response:
        desk.live, desk.history = [], [past(a_row(1001), 撤消数量=300)]
        return PlainTextResponse("Internal Server Error", 500)

    desk.answers["order_cancel"] = answer
    async with a_gateway(desk) as gateway:
        (report,) = await router_of(gateway).cancel(a_working_order())
    assert report.kind is Evidence.CANCELED


async def test_without_a_list_no_cancel_is_sent() -> None:
    """Whom it would reach is not known."""
    desk = Desk()
    desk.answers["order_query"] = lambda _params: {"success": False, "message": "captcha"}
    async with a_gateway(desk) as gateway:
        with pytest.raises(NotSent, match="captcha"):
            await router_of(gateway).cancel(a_working_order())
    assert desk.submitted("order_cancel") == []


async def test_an_order_without_a_number_and_a_change_are_declined_at_once() -> None:
    """Neither can be asked of the client."""
    desk = Desk()
    async with a_gateway(desk) as gateway:
        (report,) = await router_of(gateway).cancel(a_working_order(""))
        assert (report.kind, report.proof) == (Evidence.CANCEL_REJECT, Proof.LOCAL)
        (report,) = await router_of(gateway).replace(a_working_order(), 100, None)
        assert (report.kind, report.proof) == (Evidence.REPLACE_REJECT, Proof.LOCAL)
    assert desk.calls == []


async def test_a_withdrawal_that_no_history_shows_stays_unknown() -> None:
    """The list is empty: whether it was cancelled or had filled the account must tell, and nothing waits for more."""
    desk, clock = Desk(), QuickClock(NOW_NS)
    async with a_gateway(desk, clock) as gateway:
        router = router_of(gateway)
        await router.snapshot()
        desk.live, desk.funds = [a_row(1001)], some_funds("88,690.00", "2,610.00")
        await router.snapshot()

        def answer(_params: dict[str, Any]) -> dict[str, Any]:
            desk.live, desk.funds = [], some_funds()
            return {}

        desk.answers["order_cancel"] = answer
        began = clock.now_ns
        with pytest.raises(OutcomeUnknown, match="neither in the list nor ended"):
            await router.cancel(a_working_order())
        assert clock.now_ns - began < 15 * SECOND_NS
        snapshot = await router.snapshot()
    assert (snapshot.orders, snapshot.live_only) == ((), True)
