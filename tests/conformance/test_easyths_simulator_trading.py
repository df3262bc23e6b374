"""Trading through the simulated EasyTHS server: orders, cancels, tables, conditions, repos (contracts/easyths.md 3)."""

import io
from decimal import Decimal
from typing import Any

import pandas
import pytest

from engine.domain.commands import Side
from engine.domain.timestamps import parse_time
from engine.simulators.counter import CounterAccount, CounterPace, EntrustStatus, Opening
from engine.simulators.easyths.conditions import ConditionState
from engine.simulators.easyths.orders import typed_price
from engine.simulators.easyths.tables import Table
from tests.easyths_simulator_builders import BOND, FUND, INVALID, PING_AN, PUDONG, ServerAtHand, yuan

GENERATIONS = ("new", "old")


# Orders


async def test_a_purchase_is_placed_and_its_reply_has_no_number() -> None:
    """The echo with the price as text, the fixed message; the counter has it with the number of the request."""
    server = ServerAtHand()
    await server.get("/api/v1/system/health")
    price = server.beside()
    result = await server.run("buy", stock_code=PUDONG, price=price, quantity=300)
    assert list(result) == ["success", "data", "message", "timestamp"]
    assert result["success"] is True
    assert result["data"] == {"stock_code": PUDONG, "price": f"{price:.2f}", "quantity": 300}
    assert result["message"] == "成功提交600000的买入委托"
    (entrust,) = server.placed()
    assert (entrust.code, entrust.side, entrust.quantity) == ("600000.SH", Side.BUY, 300)
    assert (entrust.price, entrust.source, entrust.request) == (Decimal(f"{price:.2f}"), "client", 2)


async def test_the_older_generation_says_buy_for_a_sale() -> None:
    """Operation, success and message inside the data."""
    server = ServerAtHand(generation="old")
    price = server.ask(PUDONG)
    result = await server.run("sell", stock_code=PUDONG, price=price, quantity=100)
    assert result["data"] == {
        "stock_code": PUDONG,
        "price": f"{price:.2f}",
        "quantity": 100,
        "operation": "buy",
        "success": True,
        "message": "成功提交600000的卖出委托",
    }
    assert result["error"] is None
    assert server.placed()[0].side is Side.SELL


async def test_what_was_submitted_is_done_in_its_time_though_nobody_asks() -> None:
    """The oracle is caught up by looking at it; another face that moves the market moves the client too."""
    server = ServerAtHand()
    params = {"stock_code": PUDONG, "price": server.beside(), "quantity": 100}
    await server.submit("buy", **params)
    start_ns = server.clock.now_ns
    server.clock.now_ns += 60_000_000_000
    assert [round((entrust.ts_ns - start_ns) / 1e9, 2) for entrust in server.venue.counter.books.entrusts] == [0.98]
    counter = server.counter
    await server.submit("buy", **params)
    server.venue.exchange.advance(server.clock.now_ns + 60_000_000_000)
    assert len(counter.books.entrusts) == 2
    assert counter.books.entrusts[1].ts_ns - server.clock.now_ns < 1_000_000_000


@pytest.mark.parametrize(
    ("code", "price", "new", "old"),
    [
        (PUDONG, 10.5, "10.50", "10.50"),
        (PUDONG, 10.567, "10.57", "10.57"),
        (FUND, 3.456, "3.456", "3.46"),
        (BOND, 108.123, "108.123", "108.12"),
        (PING_AN, 9, "9.00", "9.00"),
    ],
)
def test_prices_are_rewritten(code: str, price: float, new: str, old: str) -> None:
    """Two decimals; three for codes that begin with 5 or 1, but for the older generation, which spoils them."""
    assert (typed_price(code, price, "new"), typed_price(code, price, "old")) == (new, old)


GOOD: dict[str, dict[str, Any]] = {
    "buy": {"stock_code": PUDONG, "price": 6.0, "quantity": 100},
    "sell": {"stock_code": PUDONG, "price": 6.0, "quantity": 100},
    "market_buy": {"stock_code": PUDONG, "quantity": 100},
    "market_sell": {"stock_code": PUDONG, "quantity": 100},
    "order_query": {"return_type": "json"},
    "historical_commission_query": {"return_type": "json"},
    "holding_query": {"return_type": "json"},
    "funds_query": {},
    "order_cancel": {"stock_code": PUDONG},
    "condition_buy": {"stock_code": PUDONG, "target_price": 6.0, "quantity": 100},
    "stop_loss_profit": {"stock_code": PUDONG, "stop_loss_percent": 3, "stop_profit_percent": 5.0},
    "condition_order_query": {},
    "condition_order_cancel": {},
    "reverse_repo_query": {},
    "reverse_repo_buy": {"market": "上海", "time_range": "1天期", "amount": 1000},
}
GONE = "gone"
BAD = [
    *[(name, {"stock_code": bad}) for name in ("buy", "market_sell", "condition_buy", "stop_loss_profit")
      for bad in (GONE, None, "60000", "600000.SH", "sh6000", 600000)],
    *[(name, {"stock_code": bad}) for name in ("order_query", "order_cancel", "condition_order_cancel")
      for bad in ("60000", 600000)],
    *[("buy", {"price": bad}) for bad in (GONE, None, "6.00", 0, -1, [6.0])],
    *[("sell", {"quantity": bad}) for bad in (GONE, None, "100", 100.0, 0, 50, 150, -100)],
    ("buy", {"price": 100_000.01}),
    ("market_buy", {"quantity": 110}),
    *[(name, {"return_type": bad}) for name in ("order_query", "holding_query") for bad in (GONE, None, "df", "JSON")],
    ("historical_commission_query", {"return_type": "df"}),
    ("historical_commission_query", {"time_range": "昨日"}),
    ("condition_order_query", {"return_type": "df"}),
    ("order_cancel", {"cancel_type": "both"}),
    *[("condition_buy", {"expire_days": bad}) for bad in ("30", 2, None, [30])],
    ("condition_buy", {"target_price": "6"}),
    ("condition_buy", {"target_price": 100_000.01}),
    *[("stop_loss_profit", {"stop_loss_percent": bad}) for bad in (GONE, 0, 100.1, "3")],
    ("stop_loss_profit", {"quantity": 110}),
    ("condition_order_cancel", {"order_type": "buy"}),
    *[("reverse_repo_buy", {"amount": bad}) for bad in (GONE, 500, 1500, 1000.0, "1000")],
    ("reverse_repo_buy", {"market": "北京"}),
    ("reverse_repo_buy", {"time_range": "5天期"}),
]  # fmt: skip


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_bad_params_fail_with_the_fixed_text_and_do_nothing(generation: str) -> None:
    """Every operation with one param wrong at a time; with all of them right it does not fail that way."""
    server = ServerAtHand(generation=generation)
    offered = server.venue.operations
    for name, change in BAD:
        if name not in offered:
            continue
        params = {key: value for key, value in (GOOD[name] | change).items() if value is not GONE}
        result = await server.run(name, **params)
        assert result["success"] is False, (name, change)
        assert INVALID in {result.get("message"), result.get("error")}, (name, change)
    assert not server.placed()
    assert not server.venue.conditions.conditions
    for name in offered:
        result = await server.run(name, **GOOD[name])
        assert INVALID not in {result.get("message"), result.get("error")}, name
    assert server.placed()


async def test_convertible_bonds_are_bought_by_tens_since_new() -> None:
    """Ten of them are a lot; the older generation wants a hundred."""
    for generation, wanted in (("new", True), ("old", False)):
        server = ServerAtHand(generation=generation)
        price = round(server.ask(BOND), 2)
        result = await server.run("buy", stock_code=BOND, price=price, quantity=10)
        assert result["success"] is wanted, result


async def test_the_counter_s_refusal_is_in_the_message() -> None:
    """Money, shares, STAR lots, an unknown code: nothing placed, the echo is there all the same."""
    server = ServerAtHand()
    for name, code, quantity in (
        ("buy", PUDONG, 200_000),
        ("sell", PUDONG, 5000),
        ("buy", "688981", 100),
        ("buy", "600999", 100),
    ):
        share = server.counter.share(code)
        price = 6.0 if share is None else server.bid(code)
        result = await server.run(name, stock_code=code, price=price, quantity=quantity)
        assert result["success"] is False
        assert result["message"].startswith("提交失败："), result
        assert result["data"]["stock_code"] == code
    assert not server.placed()


async def test_a_price_outside_the_day_s_limits_fails_with_the_text_of_a_success() -> None:
    """A window asks, the automation closes it: believe the flag, never the message."""
    server = ServerAtHand()
    result = await server.run("buy", stock_code=PUDONG, price=1.0, quantity=100)
    assert (result["success"], result["message"]) == (False, "成功提交600000的买入委托")
    assert not server.placed()
    raw = '{"params": {"stock_code": "600000", "price": NaN, "quantity": 100}}'
    response = await server.client.post(
        "/api/v1/operations/buy", content=raw, headers={"content-type": "application/json"}
    )
    server.wait(10)
    result = (await server.result(response.json()["data"]["operation_id"])).json()
    assert (result["success"], result["data"]["price"]) == (False, "nan")
    assert not server.placed()


async def test_market_orders_and_the_strategy_that_silently_becomes_another() -> None:
    """Shanghai has no fill or kill: the third is used, success, and only the message tells."""
    server = ServerAtHand()
    plain = await server.run("market_buy", stock_code=PUDONG, quantity=100)
    assert plain["success"] is True
    assert plain["message"] == plain["data"]["msg"] == "市价买入操作成功，买入策略五档即成剩撤"
    other = await server.run("market_sell", stock_code=PUDONG, quantity=100, execution_strategy=5)
    assert other["success"] is True
    assert "不支持" in other["message"]
    for strategy in (7, "3", None):
        assert (await server.run("market_buy", stock_code=PUDONG, quantity=100, execution_strategy=strategy))["success"]
    kept = await server.run("market_sell", stock_code=PING_AN, quantity=100, execution_strategy=5)
    assert "不支持" not in kept["message"]
    assert [entrust.strategy for entrust in server.placed()] == [3, 3, 3, 3, 3, 5]
    bond = await server.run("market_buy", stock_code=BOND, quantity=10)
    assert (bond["success"], bond["data"], bond["message"]) == (False, None, "标的：113052，不支持市价委托")
    poor = await server.run("market_sell", stock_code=PUDONG, quantity=90_000)
    assert poor["success"] is False
    assert poor["message"].startswith("市价卖出操作失败，错误：")


async def test_bought_today_is_not_sold_today() -> None:
    """T+1: the counter refuses; a bond goes the same day."""
    server = ServerAtHand(account=CounterAccount(cash=Decimal(100_000)))
    await server.run("buy", stock_code=PUDONG, price=server.ask(PUDONG), quantity=100)
    assert server.placed()[0].status is EntrustStatus.FILLED
    refused = await server.run("sell", stock_code=PUDONG, price=server.bid(PUDONG), quantity=100)
    assert refused["message"].startswith("提交失败：")
    await server.run("buy", stock_code=BOND, price=server.ask(BOND), quantity=10)
    sold = await server.run("sell", stock_code=BOND, price=server.bid(BOND), quantity=10)
    assert sold["success"] is True


# Cancels


async def resting(server: ServerAtHand) -> None:
    """Two purchases and a sale of one share, a purchase of another, one of them given by hand."""
    await server.run("buy", stock_code=PUDONG, price=server.beside(), quantity=100)
    server.venue.manual(Side.BUY, PUDONG, 200, Decimal(str(server.beside())))
    await server.run("sell", stock_code=PUDONG, price=round(server.ask(PUDONG) * 1.03, 2), quantity=100)
    await server.run("buy", stock_code=PING_AN, price=server.beside(PING_AN), quantity=100)


@pytest.mark.parametrize(
    ("params", "gone"),
    [
        ({"stock_code": PUDONG, "cancel_type": "buy"}, [0, 1]),
        ({"stock_code": PUDONG, "cancel_type": "sell"}, [2]),
        ({"stock_code": PUDONG, "cancel_type": "all"}, [0, 1, 2]),
        ({"stock_code": PUDONG}, [0, 1, 2]),
        ({"cancel_type": "sell"}, [2]),
        ({}, [0, 1, 2, 3]),
        ({"stock_code": FUND}, []),
    ],
)
async def test_cancels_go_by_code_and_side_and_take_a_person_s_orders_too(
    params: dict[str, Any], gone: list[int]
) -> None:
    """Never by number; without a code everything on the account; nothing to cancel is a success."""
    server = ServerAtHand()
    await resting(server)
    result = await server.run("order_cancel", **params)
    code = params.get("stock_code")
    assert result["success"] is True
    assert result["data"] == {"stock_code": code, "operation": "cancel"}
    assert result["message"] == (f"撤销{code}的委托成功" if code else "已成功撤销所有委托")
    ended = [number for number, entrust in enumerate(server.placed()) if entrust.status is EntrustStatus.WITHDRAWN]
    assert ended == gone
    assert [entrust.source for entrust in server.placed()] == ["client", "manual", "client", "client"]


async def test_a_cancel_that_is_not_allowed_says_so_and_the_whole_account_s_never_does() -> None:
    """In the closing auction nothing is withdrawn: false with a failure's text, without a code with a success's."""
    server = ServerAtHand(parse_time("2026-03-02 14:55:00", "Asia/Shanghai"))
    await server.run("buy", stock_code=PUDONG, price=server.beside(), quantity=100)
    server.wait(140)
    one = await server.run("order_cancel", stock_code=PUDONG)
    assert (one["success"], one["message"]) == (False, "撤销600000的委托失败")
    everything = await server.run("order_cancel")
    assert (everything["success"], everything["message"]) == (False, "已成功撤销所有委托")


async def test_a_person_at_the_same_counter() -> None:
    """Placed and cancelled by hand; a refused order is None; cancelling twice asks for nothing."""
    server = ServerAtHand()
    entrust = server.venue.manual(Side.SELL, "600000.SH", 100, Decimal(str(round(server.ask(PUDONG) * 1.02, 2))))
    assert entrust is not None
    assert server.venue.manual(Side.SELL, PUDONG, 1_000_000, Decimal("5.80")) is None
    assert server.venue.manual_cancel(entrust) is True
    server.wait(5)
    assert entrust.status is EntrustStatus.WITHDRAWN
    assert server.venue.manual_cancel(entrust) is False


# Tables


async def test_order_query_reads_the_page_of_live_orders_and_the_history_all_of_them() -> None:
    """Filled and withdrawn orders leave the one and stay in the other; newest first."""
    server = ServerAtHand()
    await server.run("buy", stock_code=PUDONG, price=server.ask(PUDONG), quantity=100)
    await server.run("buy", stock_code=PING_AN, price=server.beside(PING_AN), quantity=200)
    live = await server.orders()
    assert [(row["证券代码"], row["备注"], row["委托数量"]) for row in live] == [(1, "未成交", 200)]
    everything = await server.history()
    assert [(row["证券代码"], row["备注"], row["成交数量"]) for row in everything] == [
        (1, "未成交", 0),
        (600000, "全部成交", 100),
    ]
    assert everything[0]["委托日期"] == 20260302
    assert [row["证券代码"] for row in await server.history(stock_code=PUDONG)] == [600000]
    assert await server.orders(stock_code=PUDONG) == "没有对应的委托订单"
    found = await server.run("order_query", return_type="json", stock_code=PUDONG)
    assert found["data"]["stock_code"] == PUDONG
    assert (await server.run("order_query", return_type="json"))["data"]["stock_code"] == "全部查询"
    await server.run("order_cancel", stock_code=PING_AN)
    assert await server.orders() == "没有对应的委托订单"
    assert (await server.history())[0]["备注"] == "全部撤单"
    assert (await server.history())[0]["撤消数量"] == 200
    all_of_them = ServerAtHand(live_only=False)
    await all_of_them.run("buy", stock_code=PUDONG, price=all_of_them.ask(PUDONG), quantity=100)
    assert len(await all_of_them.orders()) == 1


async def test_the_history_of_longer_periods() -> None:
    """Yesterday's order is in the week's and not in the day's; its day order ended at the close."""
    server = ServerAtHand(tick_seconds=60)
    await server.run("buy", stock_code=PUDONG, price=server.beside(), quantity=100)
    server.wait(86_400)
    assert await server.history() == "没有对应的历史委托订单"
    found = await server.run("historical_commission_query", return_type="json", time_range="近一周")
    assert found["data"]["time_range"] == "近一周"
    assert found["data"]["stock_code"] is None
    assert [row["备注"] for row in found["data"]["historical_orders"]] == ["全部撤单"]


async def test_a_broker_without_a_history_is_always_empty() -> None:
    """Success, and nothing: empty is no proof of absence."""
    server = ServerAtHand(history=False)
    await server.run("buy", stock_code=PUDONG, price=server.beside(), quantity=100)
    found = await server.run("historical_commission_query", return_type="json")
    assert (found["success"], found["data"]["historical_orders"]) == (True, "没有对应的历史委托订单")


async def test_a_history_without_a_return_type_can_not_be_sent() -> None:
    """500 as text, on status and result, for ever."""
    server = ServerAtHand()
    operation_id = await server.submit("historical_commission_query")
    for _ in range(2):
        server.wait(60)
        for what in ("status", "result?timeout=0"):
            response = await server.get(f"/api/v1/operations/{operation_id}/{what}")
            assert (response.status_code, response.text) == (500, "Internal Server Error")


async def test_numbers_lose_their_zeros_column_by_column() -> None:
    """A code arrives as 1; where one cell of a column is text, all are, with their zeros."""
    server = ServerAtHand()
    rows = (await server.run("holding_query", return_type="json"))["data"]
    assert [row["证券代码"] for row in rows] == [1, 510300, 600000]
    # Shanghai's holders begin with a letter.
    assert [row["股东帐户"] for row in rows] == ["0012345678", "A012345678", "A012345678"]
    assert [row["交易市场"] for row in rows] == ["深圳Ａ股", "上海Ａ股", "上海Ａ股"]
    only = CounterAccount(holdings=(Opening(code="000001.SZ", quantity=100, price=Decimal("9.8")),))
    rows = (await ServerAtHand(account=only).run("holding_query", return_type="json"))["data"]
    assert (rows[0]["证券代码"], rows[0]["股东帐户"]) == (1, 12345678)


async def test_holdings_and_their_column_of_buttons() -> None:
    """Quantities as numbers; 操作 is empty there; in order tables a column has no name."""
    server = ServerAtHand()
    await server.run("sell", stock_code=PUDONG, price=round(server.ask(PUDONG) * 1.03, 2), quantity=300)
    row = (await server.run("holding_query", return_type="dict"))["data"][2]
    assert (row["股票余额"], row["可用余额"], row["冻结数量"], row["操作"]) == (2000, 1700, 300, "")
    assert row["成本价"] == 6.5
    order = (await server.orders())[0]
    assert (order["操作"], order["Unnamed: 12"]) == ("卖出", "")
    plain = ServerAtHand(nameless_columns=False)
    assert "操作" not in (await plain.run("holding_query", return_type="json"))["data"][0]
    await plain.run("buy", stock_code=PUDONG, price=plain.beside(), quantity=100)
    assert not [name for name in (await plain.orders())[0] if name.startswith("Unnamed")]


async def test_nothing_held_is_an_object() -> None:
    """``{}`` for rows, a text of its own for texts; the older generation wraps it."""
    bare = CounterAccount(cash=Decimal(1000))
    server = ServerAtHand(account=bare)
    assert (await server.run("holding_query", return_type="json"))["data"] == {}
    assert (await server.run("holding_query", return_type="str"))["data"] == "空数据"
    old = await ServerAtHand(account=bare, generation="old").run("holding_query", return_type="json")
    assert sorted(old["data"]) == ["holdings", "success", "timestamp"]
    assert old["data"]["holdings"] == {}


async def test_thousand_separators_make_a_text_of_a_whole_column() -> None:
    """Always, never, or by chance a table at a time."""
    always = ServerAtHand(separators="always")
    rows = (await always.run("holding_query", return_type="json"))["data"]
    assert [row["股票余额"] for row in rows] == ["1,000", "10,000", "2,000"]
    assert isinstance(rows[0]["市价"], float)
    assert (await always.run("funds_query"))["data"]["资金余额"] == "1,000,000.00"
    sometimes = ServerAtHand(separators="sometimes")
    seen = [(await sometimes.run("holding_query", return_type="json"))["data"][0]["股票余额"] for _ in range(20)]
    assert {str(cell) for cell in seen} == {"1000", "1,000"}


async def test_header_variants_and_shorter_words() -> None:
    """A broker's own column names; 已报 for 未成交."""
    headers = {"备注": "委托状态", "合同编号": "委托编号", "股票余额": "当前持仓"}
    server = ServerAtHand(headers=headers, status_words="short")
    await server.run("buy", stock_code=PUDONG, price=server.beside(), quantity=100)
    row = (await server.orders())[0]
    assert row["委托状态"] == "已报"
    assert row["委托编号"] == server.placed()[0].number
    assert not {"备注", "合同编号"} & set(row)
    assert (await server.run("holding_query", return_type="json"))["data"][0]["当前持仓"] == 1000
    await server.run("order_cancel")
    assert (await server.history())[0]["委托状态"] == "已撤"


async def test_a_live_order_that_is_being_cancelled_is_still_there() -> None:
    """已报待撤 is live."""
    server = ServerAtHand(counter=CounterPace(cancel_ms=30_000, partial=0.0))
    await server.run("buy", stock_code=PUDONG, price=server.beside(), quantity=100)
    await server.submit("order_cancel", stock_code=PUDONG)
    operation_id = await server.submit("order_query", return_type="json")
    server.wait(5)
    rows = (await server.result(operation_id)).json()["data"]["orders"]
    assert [row["备注"] for row in rows] == ["已报待撤"]


TABLES = [
    Table(["证券代码", "证券名称", "价格", "数量", "市值"], [["000001", "平安银行", "8.70", "100", "1,200.00"],
                                                  ["600000", "浦发银行", "8.753", "-200", "8.00"]]),
    Table(["a", "时间", "空"], [["1.0", "09:31:05", ""], ["12.5", "10:00:00", ""]]),
    Table(["股东帐户", "p"], [["A123", "1234567.891"], ["0212", "2.5"]]),
    Table(["p", "q"], [["1,200", "--"], ["300", "4"]]),
    Table(["p", "q"], [["0.00", "-5"], ["-12.345", "4"]]),
]  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_read_and_printed_as_pandas_does(table: Table) -> None:
    """The clipboard's text through ``read_csv``: the same records and the same text, cell by cell."""
    lines = [table.columns, *table.rows]
    clipboard = io.StringIO("\n".join("\t".join(cells) for cells in lines))
    frame = pandas.read_csv(clipboard, delimiter="\t", na_filter=False)
    assert table.records() == frame.to_dict(orient="records")
    assert [[type(cell) for cell in row.values()] for row in table.records()] == [
        [type(cell) for cell in row.values()] for row in frame.to_dict(orient="records")
    ]
    assert table.text() == frame.to_string(index=False)


def test_a_table_as_markdown() -> None:
    """As tabulate printed this frame: points one below the other, a separator gone where there are decimals."""
    assert TABLES[0].markdown() == (
        "|    |   证券代码 | 证券名称   |    价格 |   数量 |   市值 |\n"
        "|---:|-------:|:-------|------:|-----:|-----:|\n"
        "|  0 |      1 | 平安银行   | 8.7   |  100 | 1200 |\n"
        "|  1 | 600000 | 浦发银行   | 8.753 | -200 |    8 |"
    )


async def test_return_types() -> None:
    """json and dict are the same; str and markdown are texts."""
    server = ServerAtHand()
    found = {kind: (await server.run("holding_query", return_type=kind))["data"] for kind in ("str", "markdown")}
    rows = (await server.run("holding_query", return_type="json"))["data"]
    assert [list(row) for row in rows] == [
        list(row) for row in (await server.run("holding_query", return_type="dict"))["data"]
    ]
    assert found["str"].splitlines()[0].split()[:3] == ["证券代码", "证券名称", "股票余额"]
    assert len(found["str"].splitlines()) == 4
    assert found["markdown"].splitlines()[2].startswith("|  0 |      1 | 平安银行")


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_funds_are_seven_texts_that_add_up(generation: str) -> None:
    """The counter's own figures; an open purchase freezes money; the older generation adds an epoch and a flag."""
    server = ServerAtHand(generation=generation)
    await server.run("buy", stock_code=PUDONG, price=server.beside(), quantity=1000)
    result = await server.run("funds_query")
    funds, data = server.counter.funds(server.clock.now_ns), result["data"]
    names = ["资金余额", "冻结金额", "可用金额", "可取金额", "股票市值", "总资产", "持仓盈亏"]
    assert list(data)[:7] == names
    assert yuan(data["资金余额"]) == funds.cash == 1_000_000
    assert yuan(data["冻结金额"]) > 5000
    assert yuan(data["可用金额"]) == funds.cash - yuan(data["冻结金额"])
    assert yuan(data["总资产"]) == yuan(data["资金余额"]) + yuan(data["股票市值"])
    if generation == "old":
        assert sorted(set(data) - set(names)) == ["success", "timestamp"]
        assert abs(data["timestamp"] - server.clock.now_ns / 1e9) < 61
    else:
        assert result["message"] is None


# Conditions


@pytest.mark.parametrize(("factor", "rises"), [(1.02, True), (0.98, False)])
async def test_a_condition_waits_for_its_price_and_then_is_a_normal_order(factor: float, rises: bool) -> None:
    """It stands without a number, is triggered from either side, disappears there and appears here."""
    server = ServerAtHand()
    target = round(server.bid(PUDONG) * factor, 2)
    result = await server.run("condition_buy", stock_code=PUDONG, target_price=target, quantity=200, expire_days=5)
    assert result["data"] == {"stock_code": PUDONG, "target_price": f"{target:.2f}", "quantity": 200}
    assert result["message"] == "执行600000的条件单成功"
    (row,) = (await server.run("condition_order_query"))["data"]
    assert (row["方向"], row["监控标的"], row["委托数量"]) == ("买入", "浦发银行 600000", "200")
    assert all(isinstance(cell, str) for cell in row.values())
    assert not server.placed()
    server.price(PUDONG, round(target * (1.01 if rises else 0.99), 2))
    (entrust,) = server.placed()
    assert (entrust.source, entrust.quantity, entrust.price) == ("condition", 200, Decimal(f"{target:.2f}"))
    assert (await server.run("condition_order_query"))["data"] == {}
    condition = server.venue.conditions.conditions[0]
    assert (condition.state, condition.order) == (ConditionState.TRIGGERED, str(entrust.number))
    server.price(PUDONG, target - 0.05)
    server.price(PUDONG, target + 0.05)
    assert len(server.placed()) == 1


@pytest.mark.parametrize(("factor", "side"), [(1.06, "profit"), (0.94, "loss"), (1.02, None)])
async def test_a_stop_sells_the_holding_at_a_win_or_a_loss(factor: float, side: str | None) -> None:
    """Three percent down or five up of its cost; all that can be sold where no quantity is given."""
    held = CounterAccount(holdings=(Opening(code="600000.SH", quantity=700, price=Decimal("5.67")),))
    server = ServerAtHand(account=held)
    params = {"stock_code": PUDONG, "stop_loss_percent": 3, "stop_profit_percent": 5.0}
    result = await server.run("stop_loss_profit", **params)
    assert result["data"] == params
    assert result["message"] == "执行600000的止盈止损单成功"
    (row,) = (await server.run("condition_order_query"))["data"]
    assert (row["方向"], row["委托数量"]) == ("卖出", "700")
    server.price(PUDONG, round(5.67 * factor, 2))
    assert [(e.side, e.quantity, e.source) for e in server.placed()] == (
        [(Side.SELL, 700, "condition")] if side else []
    )


async def test_a_stop_needs_a_holding() -> None:
    """Without one it fails; of what was bought today nothing can be sold: said to be done, and not."""
    server = ServerAtHand(account=CounterAccount(cash=Decimal(100_000)))
    params = {"stock_code": PUDONG, "stop_loss_percent": 3, "stop_profit_percent": 5}
    result = await server.run("stop_loss_profit", **params)
    assert result["success"] is False
    assert result["message"].startswith("执行600000的止盈止损单失败")
    await server.run("buy", stock_code=PUDONG, price=server.ask(PUDONG), quantity=100)
    assert (await server.run("stop_loss_profit", **params))["success"] is True
    assert (await server.run("condition_order_query"))["data"] == {}
    assert (await server.run("stop_loss_profit", **params, quantity=100))["success"] is True
    assert len((await server.run("condition_order_query"))["data"]) == 1


async def test_conditions_expire_after_calendar_days_and_survive_a_restart() -> None:
    """They are the broker's, not the server's."""
    server = ServerAtHand(tick_seconds=60)
    await server.run("condition_buy", stock_code=PUDONG, target_price=5.0, quantity=100, expire_days=1)
    await server.run("condition_buy", stock_code=PUDONG, target_price=5.0, quantity=200, expire_days=3)
    server.venue.restart()
    assert len((await server.run("condition_order_query"))["data"]) == 2
    server.wait(86_400)
    (row,) = (await server.run("condition_order_query"))["data"]
    assert row["委托数量"] == "200"


@pytest.mark.parametrize(
    ("params", "left"),
    [
        ({"stock_code": PUDONG, "order_type": "买入"}, ["卖出 600000", "买入 000001"]),
        ({"stock_code": PUDONG}, ["买入 000001"]),
        ({"order_type": "买入"}, ["卖出 600000"]),
        ({"stock_code": FUND}, ["买入 600000", "卖出 600000", "买入 000001"]),
        ({}, []),
    ],
)
async def test_conditions_are_deleted_by_code_and_direction(params: dict[str, Any], left: list[str]) -> None:
    """Every match; nothing matched is a success with 0."""
    held = CounterAccount(holdings=(Opening(code="600000.SH", quantity=700, price=Decimal("5.67")),))
    server = ServerAtHand(account=held)
    await server.run("condition_buy", stock_code=PUDONG, target_price=5.2, quantity=100)
    await server.run("stop_loss_profit", stock_code=PUDONG, stop_loss_percent=9, stop_profit_percent=9, quantity=100)
    await server.run("condition_buy", stock_code=PING_AN, target_price=8.5, quantity=100)
    result = await server.run("condition_order_cancel", **params)
    assert result["success"] is True
    assert result["data"] == {
        "stock_code": params.get("stock_code"),
        "order_type": params.get("order_type"),
        "deleted_count": 3 - len(left),
    }
    rows = (await server.run("condition_order_query"))["data"]
    assert [f"{row['方向']} {row['监控标的'][-6:]}" for row in reversed(rows or [])] == left


async def test_the_older_generation_s_conditions() -> None:
    """None is an empty list there, under a name."""
    server = ServerAtHand(generation="old")
    data = (await server.run("condition_order_query"))["data"]
    assert (data["condition_orders"], data["success"]) == ([], True)
    assert data["message"] == "条件单查询成功，共获取到0条数据"
    data = (await server.run("condition_buy", stock_code=PUDONG, target_price=5.2, quantity=100))["data"]
    assert (data["operation"], data["success"], data["target_price"]) == ("condition_buy", True, "5.20")
    data = (await server.run("condition_order_cancel"))["data"]
    assert (data["deleted_count"], data["success"]) == (1, True)
    assert "timestamp" in data


# Repos


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_lending_money_for_a_day(generation: str) -> None:
    """Ten rates with their percent; the loan is an order under the right code, then money that comes back with more."""
    server = ServerAtHand(generation=generation, tick_seconds=60)
    data = (await server.run("reverse_repo_query"))["data"]
    rows = data["reverse_repo_interest"] if generation == "old" else data
    assert len(rows) == 10
    rate = next(row["年化利率"] for row in rows if (row["市场类型"], row["时间类型"]) == ("深圳市场", "1天期"))
    operation_id = await server.submit("reverse_repo_buy", market="深圳", time_range="1天期", amount=10_000)
    server.wait(1)
    live = await server.submit("order_query", return_type="json")
    server.wait(1.1)
    body = (await server.result(live)).json()
    found = (body["data"]["result"] if generation == "old" else body)["data"]["orders"]
    assert [(row["证券代码"], row["委托数量"], row["成交数量"]) for row in found] == [(131810, 100, 0)]
    body = (await server.result(operation_id)).json()
    result = body["data"]["result"] if generation == "old" else body
    message = result["data"]["message"] if generation == "old" else result["message"]
    assert message == f"国债逆回购操作成功， 成功出借:10000 元， 年化利率为：{rate}"
    assert {"market": "深圳", "time_range": "1天期", "amount": 10_000}.items() <= result["data"].items()
    server.wait(60)
    assert await server.orders() == "没有对应的委托订单"
    (row,) = await server.history()
    assert (row["证券代码"], row["备注"], row["成交数量"]) == (131810, "全部成交", 100)
    funds = (await server.run("funds_query"))["data"]
    assert yuan(funds["可用金额"]) == 990_000
    assert yuan(funds["总资产"]) == yuan(funds["资金余额"]) + yuan(funds["股票市值"]) + 10_000
    server.wait(86_400)
    (loan,) = server.venue.repo.loans
    assert (loan.repo.code, loan.repaid) == ("131810", True)
    assert loan.interest == (Decimal(10_000) * loan.rate / 100 / 365).quantize(Decimal("0.01"))
    assert server.counter.funds(server.clock.now_ns).cash == 1_000_000 + loan.interest


async def test_more_than_there_is_can_not_be_lent() -> None:
    """The message says how much there is."""
    server = ServerAtHand()
    result = await server.run("reverse_repo_buy", market="上海", time_range="7天期", amount=2_000_000)
    assert (result["success"], result["message"]) == (
        False,
        "国债逆回购操作失败，计划出借金额：2000000 元， 可用金额：1000000.00 元",
    )
    assert not server.venue.repo.loans


@pytest.mark.parametrize(
    ("market", "term", "code"),
    [("上海", "1天期", "204001"), ("上海", "7天期", "204007"), ("深圳", "2天期", "131811"), ("深圳", "3天期", "131800"),
     ("深圳", "4天期", "131809"), ("深圳", "7天期", "131801")],
)  # fmt: skip
async def test_the_codes_of_repos(market: str, term: str, code: str) -> None:
    """As the contract lists them."""
    server = ServerAtHand()
    await server.run("reverse_repo_buy", market=market, time_range=term, amount=1000)
    assert [loan.repo.code for loan in server.venue.repo.loans] == [code]


async def test_out_of_hours_the_counter_takes_nothing() -> None:
    """At night: refused with a text; a loan is said to be made and is not."""
    server = ServerAtHand(parse_time("2026-03-02 20:00:00", "Asia/Shanghai"))
    result = await server.run("buy", stock_code=PUDONG, price=server.bid(PUDONG), quantity=100)
    assert result["message"].startswith("提交失败：")
    assert (await server.run("reverse_repo_buy", market="上海", time_range="1天期", amount=1000))["success"] is True
    assert not server.venue.repo.loans
