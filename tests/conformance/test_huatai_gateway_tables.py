"""Cells that lost their zeros, headers by other names, tables empty for no reason (contracts/ht.md 3.4, 5.8)."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.account import AccountSnapshot, Balance, OrderRow, PositionRow
from engine.domain.commands import Side
from engine.domain.errors import BadMessage, OutcomeUnknown
from engine.domain.evidence import Evidence
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import DAY_NS, SECOND_NS, parse_time
from engine.gateways.huatai import cells
from engine.gateways.huatai.evidence import number_of, venue_id
from tests.gateway_builders import QuickClock
from tests.huatai_builders import (
    BALANCE,
    DAY,
    NOW_NS,
    FarSide,
    a_holding,
    a_router,
    a_row,
    a_trade,
    an_order,
)


async def reading(far: FarSide, **settings: Any) -> AccountSnapshot:
    async with a_router(far, **settings) as router:
        return await router.snapshot()


async def one_order(*rows: dict[str, Any], trades: list[dict[str, Any]] | None = None) -> OrderRow:
    """The only order of a reading, the second one where trades must be seen twice."""
    far = FarSide()
    far.table("today-entrusts", *rows)
    far.table("today-trades", *(trades or []))
    async with a_router(far) as router:
        await router.snapshot()
        found = (await router.snapshot()).orders
    assert found is not None
    assert len(found) == 1
    return found[0]


# --- cells ---


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (1, ("000001", "")), (1.0, ("000001", "")), ("1", ("000001", "")), ("000001", ("000001", "")),
        (600000, ("600000", "")), ("sh600000", ("600000", "SH")), ("600000.SS", ("600000", "SH")),
        ("BJ.430047", ("430047", "BJ")), ("", ("", "")), ("--", ("", "")), (None, ("", "")), ("合计", ("", "")),
        (1234567, ("", "")), (True, ("", "")),
    ],
)  # fmt: skip
def test_codes_get_their_zeros_back(cell: Any, code: tuple[str, str]) -> None:
    """int, float or text; a prefix or suffix names the exchange."""
    assert cells.code(cell) == code


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (8.7, "8.7"), (100, "100"), ("8,800.000", "8800.000"), (" 1，000 ", "1000"), ("--", None), ("", None),
        (None, None), ("-3.5", "-3.5"),
    ],
)  # fmt: skip
def test_numbers_are_read_whatever_they_are_written_as(cell: Any, value: str | None) -> None:
    """Separators go; what stands for nothing is no zero."""
    assert cells.number(cell, "x") == (None if value is None else Decimal(value))


@pytest.mark.parametrize("cell", ["八百", "1.2.3", True, [1], {"a": 1}, float("inf"), "nan?"])
def test_what_is_no_number_is_said(cell: Any) -> None:
    """Never taken for nothing."""
    with pytest.raises(BadMessage, match="no number"):
        cells.number(cell, "x")


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("09:35:20", 34520), (93520, 34520), ("093520", 34520), ("2026-11-18 09:35:20", 34520), ("9:35:20", 34520),
        ("09:35", 34559), (0, 0), ("", None), ("--", None), ("25:00:00", None), (1234567, None), ("早上", None),
    ],
)  # fmt: skip
def test_times_of_day(cell: Any, seconds: int | None) -> None:
    """A number that lost its zero too; without seconds the minute's last, so that no order looks older than it is."""
    assert cells.seconds_of_day(cell) == seconds


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        (20240520, date(2024, 5, 20)), ("2024-05-20", date(2024, 5, 20)), ("2024/05/20 09:35:20", date(2024, 5, 20)),
        ("09:35:20", None), (20241399, None), ("", None),
    ],
)  # fmt: skip
def test_days(cell: Any, day: date | None) -> None:
    """As a number, or with signs between."""
    assert cells.day(cell) == day


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (87654321, "87654321"), ("0087", "87"), (87.0, "87"), ("A00123", "A00123"), (0, ""), ("0", ""), ("", ""),
        ("--", ""), (None, ""), ("12 34", ""),
    ],
)  # fmt: skip
def test_order_numbers_are_one_whatever_their_type(cell: Any, number: str) -> None:
    """A table has lost the zeros that an answer still shows."""
    assert cells.order_number(cell) == number


def test_numbers_are_called_by_their_day() -> None:
    """The client counts anew every day."""
    on = date(2026, 11, 18)
    assert venue_id(on, "12") == "20261118-12"
    assert number_of(venue_id(on, "12"), on) == "12"
    assert number_of(venue_id(on, "12"), date(2026, 11, 19)) == ""
    assert venue_id(on, "") == ""


# --- instruments ---


@pytest.mark.parametrize(
    ("code", "market", "instrument"),
    [
        (600000, "上海Ａ股", "600000.SH"), (1, "深圳Ａ股", "000001.SZ"), (1, "沪A", "000001.SH"),
        (430047, "北京", "430047.BJ"), (600000, None, "600000.SH"), (1, None, "000001.SZ"),
        (300750, None, "300750.SZ"), (688981, None, "688981.SH"), (510300, None, "510300.SH"),
        (159915, None, "159915.SZ"), (113050, None, "113050.SH"), (127045, None, "127045.SZ"),
        (900901, None, "900901.SH"), (920001, None, "920001.BJ"), (830799, None, "830799.BJ"),
        (204001, None, "204001.SH"), (131810, None, "131810.SZ"), (787001, None, "787001.SH"),
        (7, None, "000007.XX"), (600000, "某市场", "600000.SH"),
    ],
)  # fmt: skip
async def test_a_code_is_placed_by_market_then_settings_then_digits(
    code: int, market: str | None, instrument: str
) -> None:
    """The column where there is one, what config lists, the first digits."""
    far = FarSide()
    far.table("position", a_holding(证券代码=code, 交易市场=market))
    listed = ("000007.BJ",)
    found = (await reading(far, instruments=listed)).positions
    assert found is not None
    assert found[0].instrument == instrument.replace("XX", "BJ")


async def test_what_is_traded_elsewhere_is_left_out() -> None:
    """Hong Kong through connect has five digits: they are no code of ours."""
    far = FarSide()
    far.table("position", a_holding(证券代码=700, 交易市场="沪港通"), a_holding(证券代码="", 股票余额=""), a_holding())
    assert (await reading(far)).positions == (
        PositionRow(instrument=InstrumentId("000001.SZ"), quantity=1000, sellable=800, average_price=Decimal("10.5")),
    )


# --- orders ---


async def test_a_row_of_the_clients_columns() -> None:
    """Every field, whatever its cell's type, and the instant in the server's zone."""
    assert await one_order(a_row(成交数量="200", 成交均价="8.690", 备注="部分成交")) == OrderRow(
        instrument=InstrumentId("600000.SH"),
        side=Side.BUY,
        quantity=500,
        price=Decimal("8.7"),
        status=Evidence.WORKING,
        cum=200,
        average_price=Decimal("8.69"),
        venue_id=venue_id(date(2026, 11, 18), "87654321"),
        other_id=venue_id(date(2026, 11, 18), "101"),
        ts_ns=NOW_NS - 2 * SECOND_NS,
        as_of_ns=NOW_NS + 9 * SECOND_NS // 2,
    )


DOCUMENTED = {
    "操作日期": "20261118", "委托编号": "12345678", "合同编号": "87654321", "证券代码": "600000", "委托价格": 8.70,
    "委托数量": 500, "委托状态": "未成交",
}  # fmt: skip


async def test_a_row_of_the_pages_columns() -> None:
    """No side, no time, no filled quantity: what it does not say is left open."""
    found = await one_order(DOCUMENTED)
    assert (found.instrument, found.side, found.ts_ns, found.cum) == ("600000.SH", None, 0, 0)
    assert (found.venue_id, found.other_id) == (f"{DAY}-87654321", f"{DAY}-12345678")
    assert found.status is Evidence.WORKING


async def test_a_row_of_an_older_layer() -> None:
    """委托序号, 状态说明, 买卖标志, 撤单数量."""
    row = {
        "委托序号": 7, "证券代码": 1, "买卖标志": "卖出", "状态说明": "部撤", "委托数量": "1,000", "成交数量": 300,
        "撤单数量": 700, "委托价格": 11, "成交价格": 11.02, "委托时间": 93520,
    }  # fmt: skip
    found = await one_order(row)
    assert (found.side, found.status, found.cum) == (Side.SELL, Evidence.CANCELED, 300)
    assert (found.venue_id, found.other_id) == (f"{DAY}-7", "")
    assert found.average_price == Decimal("11.02")
    assert found.ts_ns == parse_time("2026-11-18 09:35:20", "Asia/Shanghai")


@pytest.mark.parametrize(
    ("cells_", "status", "cum"),
    [
        ({"备注": "未报"}, Evidence.WORKING, 0),
        ({"备注": "已报"}, Evidence.WORKING, 0),
        ({"备注": "未成交"}, Evidence.WORKING, 0),
        ({"备注": "部成", "成交数量": 200}, Evidence.WORKING, 200),
        ({"备注": "已成", "成交数量": 500}, Evidence.FILL, 500),
        ({"备注": "成交", "成交数量": None}, Evidence.FILL, 500),
        ({"备注": "全部成交", "成交数量": ""}, Evidence.FILL, 500),
        ({"备注": "已撤", "撤消数量": 500}, Evidence.CANCELED, 0),
        ({"备注": "全部撤单", "撤消数量": None, "成交数量": None}, Evidence.CANCELED, 0),
        ({"备注": "部撤", "成交数量": 200, "撤消数量": 300}, Evidence.CANCELED, 200),
        ({"备注": "已报待撤"}, Evidence.WORKING, 0),
        ({"备注": "部成待撤", "成交数量": 100}, Evidence.WORKING, 100),
        ({"备注": "废单"}, Evidence.REJECT, 0),
        ({"备注": "废单", "成交数量": 100}, Evidence.CANCELED, 100),
        # Quantities decide where they add up.
        ({"备注": "已报", "成交数量": 500}, Evidence.FILL, 500),
        ({"备注": "已报", "成交数量": 200, "撤消数量": 300}, Evidence.CANCELED, 200),
        ({"备注": "已成", "成交数量": 200}, Evidence.WORKING, 200),
        ({"备注": "已报", "成交数量": 600}, Evidence.FILL, 500),
        # A word nobody lists proves the order, not its state.
        ({"备注": "神秘"}, Evidence.AMBIGUOUS, 0),
        ({"备注": "神秘", "成交数量": 100}, Evidence.WORKING, 100),
        ({"备注": ""}, Evidence.WORKING, 0),
        ({"备注": None, "成交数量": None}, Evidence.AMBIGUOUS, 0),
    ],
)
async def test_quantities_and_words_give_the_state(cells_: dict[str, Any], status: Evidence, cum: int) -> None:
    """Contract 3.4's words."""
    found = await one_order(a_row(**cells_))
    assert (found.status, found.cum) == (status, cum)


async def test_a_refusal_says_why() -> None:
    """The word, and the column for it where there is one."""
    assert (await one_order(a_row(备注="废单", 废单原因="可用资金不足"))).reason == "废单 可用资金不足"


async def test_what_could_not_be_ours_does_not_hide_what_is() -> None:
    """A row of a cancel, of parts of a share, of a sum line; copies of one row are one, the later state counts."""
    rows = [
        a_row(操作="撤单", 合同编号=5), a_row(委托数量=0.5, 合同编号=6), a_row(证券代码="", 委托数量="", 合同编号=7),
        a_row(), a_row(成交数量=200), a_row(),
    ]  # fmt: skip
    assert (await one_order(*rows)).cum == 200


async def test_a_market_orders_price_is_none_where_the_table_has_zero() -> None:
    """Zero is no price."""
    assert (await one_order(a_row(委托价格=0.0))).price is None


@pytest.mark.parametrize(
    ("now", "row", "day"),
    [
        ("2026-11-19 00:05:00", {"委托时间": "14:55:00"}, "20261118"),
        ("2026-11-19 00:05:00", {"委托时间": "00:04:00"}, "20261119"),
        ("2026-11-19 09:00:00", {"委托时间": "09:03:00"}, "20261119"),
        ("2026-11-19 00:05:00", {"委托时间": "14:55:00", "操作日期": 20261117}, "20261117"),
        ("2026-11-19 00:05:00", {"委托时间": "2026-11-16 14:55:00"}, "20261116"),
        ("2026-11-19 00:05:00", {"委托时间": None}, "20261119"),
    ],
)
async def test_a_table_not_read_anew_keeps_its_day(now: str, row: dict[str, Any], day: str) -> None:
    """A row from later in the day than now is of the day before: numbers start anew every day."""
    far = FarSide()
    far.table("today-entrusts", a_row(**row))
    clock = QuickClock(parse_time(now, "Asia/Shanghai"))
    async with a_router(far, clock) as router:
        found = (await router.snapshot()).orders
    assert found is not None
    assert found[0].venue_id == f"{day}-87654321"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("position", None),
        ("position", {"证券代码": 1}),
        ("position", [1]),
        ("position", [{"股票余额": 100}]),
        ("position", [a_holding(股票余额="--")]),
        ("position", [a_holding(股票余额="很多")]),
        ("position", [a_holding(证券代码="?")]),
        ("today-entrusts", [a_row(委托数量="")]),
        ("today-entrusts", [a_row(成交数量="x")]),
        ("today-entrusts", [{"新股": "787001", "数量": 500}]),
        ("today-trades", [a_trade(成交均价="x")]),
        ("balance", None),
        ("balance", [1]),
        ("balance", {"资金余额": "x"}),
        ("balance", {"可取金额": 5}),
    ],
)
async def test_a_table_that_can_not_be_read_is_no_empty_one(name: str, data: Any) -> None:
    """BadMessage, and no snapshot."""
    far = FarSide()
    async with a_router(far) as router:
        far.say(name, (200, "查询成功", data))
        with pytest.raises(BadMessage):
            await router.snapshot()


# --- money and holdings ---


async def test_funds_are_quantised_and_may_be_texts() -> None:
    """Cash is what the client calls it; cents, whatever the float."""
    far = FarSide()
    far.say("balance", (200, "", {"资金余额": "50,000.004", "可用金额": 44999.999, "总资产": 65000.0, "昨日": "--"}))
    found = (await reading(far)).balances
    assert found == (Balance(currency="CNY", total=Decimal("50000.00"), available=Decimal("45000.00")),)


async def test_funds_without_the_total_are_what_is_free_and_frozen() -> None:
    """Some builds have 冻结资金."""
    far = FarSide()
    far.say("balance", (200, "", {"可用资金": 100.0, "冻结资金": 20.5, "总资产": 120.5}))
    found = (await reading(far)).balances
    assert found == (Balance(currency="CNY", total=Decimal("120.50"), available=Decimal("100.00")),)


@pytest.mark.parametrize("data", [{}, dict.fromkeys(BALANCE, 0.0), {"资金余额": "--"}, BALANCE | {"总资产": 0}])
async def test_nothing_and_zeros_are_a_client_that_is_gone(data: Any) -> None:
    """Not an account without money (5.8); before the next reading the session is proven again."""
    far = FarSide()
    far.table("position", a_holding())
    async with a_router(far) as router:
        far.say("balance", (200, "查询成功", data))
        with pytest.raises(OutcomeUnknown, match="gone or not readable"):
            await router.snapshot()
        far.say("balance", (200, "查询成功", BALANCE))
        far.asked.clear()
        await router.snapshot()
    assert far.names()[:3] == ["session-status", "connect", "balance"]


async def test_holdings_of_two_accounts_are_summed_and_copies_are_not() -> None:
    """The same row twice is a copy; another one of the same code is a second shareholder account."""
    far = FarSide()
    one, other = a_holding(股东帐户="A1"), a_holding(股东帐户="A2", 股票余额=500, 可用余额=500)
    far.table("position", one, one, other, a_holding(证券代码=2, 股票余额=0, 可用余额=0))
    found = (await reading(far)).positions
    assert found == (PositionRow(instrument=InstrumentId("000001.SZ"), quantity=1500, sellable=1300),)


async def test_an_empty_list_of_holdings_must_agree_with_the_money() -> None:
    """Not while the balance shows shares; after holdings only when a second reading agrees."""
    far = FarSide()
    async with a_router(far) as router:
        assert (await router.snapshot()).positions is None
        far.say("balance", (200, "", BALANCE | {"股票市值": 0.0}))
        assert (await router.snapshot()).positions == ()
        far.table("position", a_holding())
        assert len((await router.snapshot()).positions or ()) == 1
        far.table("position")
        assert (await router.snapshot()).positions is None
        assert (await router.snapshot()).positions == ()
        far.say("balance", (200, "", {name: cell for name, cell in BALANCE.items() if name != "股票市值"}))
        far.table("position", a_holding())
        await router.snapshot()
        far.table("position")
        assert [(await router.snapshot()).positions for _ in range(2)] == [None, ()]


async def test_an_empty_or_shrunken_list_of_orders_proves_nothing() -> None:
    """Empty: only when the reading before was too, and no row of today was known; never with a known row missing."""
    far = FarSide()
    clock = QuickClock(NOW_NS)
    async with a_router(far, clock) as router:
        assert [(await router.snapshot()).whole for _ in range(2)] == [False, True]
        far.table("today-entrusts", a_row(), a_row(合同编号=5, 委托编号=102))
        assert (await router.snapshot()).whole
        for rows in ([a_row()], [], []):
            far.table("today-entrusts", *rows)
            assert not (await router.snapshot()).whole
        far.table("today-entrusts", a_row(合同编号=None), a_row(合同编号=5, 委托编号=None))
        assert (await router.snapshot()).whole
        clock.now_ns += DAY_NS
        far.table("today-entrusts")
        assert [(await router.snapshot()).whole for _ in range(2)] == [False, True]


async def test_the_reading_speaks_of_the_moment_it_had_its_turn() -> None:
    """Not of when it was asked for: a request before it may have taken a while."""
    far = FarSide()
    clock = QuickClock(NOW_NS)
    async with a_router(far, clock) as router:
        asked_ns = clock.now_ns
        found = await router.snapshot()
    assert found.as_of_ns == asked_ns + SECOND_NS // 2
    assert found.ts_ns == found.as_of_ns + 3 * SECOND_NS // 2
    assert far.names() == ["balance", "position", "today-entrusts", "today-trades"]


async def test_a_row_speaks_of_the_moment_its_own_table_had_its_turn() -> None:
    """A withdrawal goes in between: "still there" read by it is no contradiction to "withdrawn" read after it."""
    far = FarSide()
    clock = QuickClock(NOW_NS)
    far.table("today-entrusts", a_row(备注="全部撤单", 撤消数量=500))
    async with a_router(far, clock) as router:
        found = await router.snapshot()
    assert found.orders is not None
    assert [row.as_of_ns for row in found.orders] == [found.as_of_ns + SECOND_NS]


# --- executions ---


async def test_executions_with_numbers_are_fills_of_their_orders() -> None:
    """成交编号 names them, the order's number in either column tells whose they are; copies are one."""
    far = FarSide()
    far.table("today-entrusts", a_row(成交数量=300))
    by_other = a_trade(合同编号=None, 委托编号="101", 成交编号="0005002", 成交数量=100)
    far.table("today-trades", a_trade(), a_trade(), by_other, a_trade(合同编号=9, 成交编号=5003))
    found = (await reading(far)).fills
    assert found is not None
    assert [(row.fill_id, row.venue_id, row.quantity) for row in found] == [
        (f"{DAY}-5001", f"{DAY}-87654321", 200),
        (f"{DAY}-5002", f"{DAY}-87654321", 100),
        (f"{DAY}-5003", "", 200),
    ]
    assert (found[0].price, found[0].side, found[0].ts_ns) == (Decimal("8.69"), Side.BUY, NOW_NS - SECOND_NS)


async def test_sums_by_order_are_no_executions() -> None:
    """Rows with the order's number but none of their own may grow: they are left to the order's total."""
    far = FarSide()
    far.table("today-entrusts", a_row(成交数量=200))
    far.table("today-trades", a_trade(成交编号=None))
    async with a_router(far) as router:
        await router.snapshot()
        fills = (await router.snapshot()).fills
    assert fills is not None
    assert [(row.quantity, row.venue_id) for row in fills] == [(200, "")]


async def test_executions_without_numbers_are_counted_when_two_readings_agree() -> None:
    """By content and how many are alike; a row shown twice once does not count twice, and none belongs to an order."""
    far = FarSide()
    bare = a_trade(合同编号=None, 成交编号=None)
    async with a_router(far) as router:

        async def ids(*rows: dict[str, Any]) -> list[str]:
            far.table("today-trades", *rows)
            fills = (await router.snapshot()).fills
            assert fills is not None
            assert {row.venue_id for row in fills} <= {""}
            return [row.fill_id for row in fills]

        content = f"{DAY}/600000.SH/buy/8.69/200/10:14:59"
        assert await ids(bare) == []
        assert await ids(bare, bare) == [f"{content}#1"]
        assert await ids(bare) == [f"{content}#1"]
        assert await ids(bare, bare) == [f"{content}#1"]
        assert await ids(bare, bare) == [f"{content}#1", f"{content}#2"]
        assert await ids(bare) == [f"{content}#1"]
        assert await ids(a_trade(合同编号=None, 成交编号=None, 成交时间="10:15:00")) == []


async def test_rows_that_are_no_executions_are_left_out() -> None:
    """Cancels among the trades, and rows of nothing."""
    far = FarSide()
    far.table("today-trades", a_trade(操作="撤单"), a_trade(成交数量=0), a_trade(成交数量=-200), a_trade(成交均价=0))
    assert (await reading(far)).fills == ()


async def test_trades_need_not_be_read() -> None:
    """The setting saves four seconds; fills are then the orders' totals, and the sheet says so."""
    far = FarSide()
    async with a_router(far, read_trades=False) as router:
        assert (await router.snapshot()).fills is None
        assert not router.capabilities().lists_fills
    assert "today-trades" not in far.names()


async def test_what_the_order_list_does_not_say_the_trades_do() -> None:
    """Without 成交数量: by number, else by the code if one order alone can have done it, twice seen."""
    page_trade = {
        "成交日期": "20261118", "成交时间": "10:14:59", "证券代码": "600000", "成交价格": 8.69, "成交数量": 200,
        "成交金额": 1738.0, "买卖方向": "买入",
    }  # fmt: skip
    numbered = [a_trade(成交数量=100), a_trade(成交数量=300, 成交编号=5002, 成交均价=8.73)]
    found = await one_order(DOCUMENTED, trades=numbered)
    assert (found.status, found.cum, found.average_price) == (Evidence.WORKING, 400, Decimal("8.72"))
    found = await one_order(DOCUMENTED, trades=[page_trade])
    assert (found.cum, found.average_price) == (200, Decimal("8.69"))
    found = await one_order(DOCUMENTED | {"委托状态": "全部成交"}, trades=[])
    assert (found.status, found.cum) == (Evidence.FILL, 500)
    far = FarSide()
    far.table("today-entrusts", DOCUMENTED, DOCUMENTED | {"合同编号": "5", "委托编号": "6"})
    far.table("today-trades", page_trade)
    async with a_router(far) as router:
        await router.snapshot()
        both = (await router.snapshot()).orders
    assert both is not None
    assert [row.cum for row in both] == [0, 0]


async def test_a_number_that_is_another_orders_in_the_other_column_is_not_taken_for_ours() -> None:
    """An answer's number may be of either column (5.4): code, side and quantity tell which row it is."""
    far = FarSide()
    far.say("buy", (200, "success", {"message": "success", "entrust_id": "7"}))
    far.table(
        "today-entrusts",
        a_row(委托编号=7, 合同编号=300),
        a_row(委托编号=8, 合同编号=7, 委托数量=900),
        a_row(委托编号=9, 合同编号=301),
    )
    async with a_router(far) as router:
        order = an_order()
        await router.submit([order], router.encode([order]))
        found = (await router.snapshot()).orders
    assert found is not None
    assert [(row.venue_id, row.other_id) for row in found] == [
        (f"{DAY}-300", f"{DAY}-7"), (f"{DAY}-8", ""), (f"{DAY}-301", f"{DAY}-9"),
    ]  # fmt: skip
