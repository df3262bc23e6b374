"""What the client's tables say, in every form they come in, and how much of it may be believed (contract 3.1, 3.2)."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pandas
import pytest

from engine.domain.account import OrderRow
from engine.domain.commands import Side
from engine.domain.errors import BadMessage, ConfigError
from engine.domain.evidence import Evidence
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import parse_time
from engine.gateways.easyths.daybook import DayBook, Listing, Reading
from engine.gateways.easyths.instruments import instrument_of, known_codes
from engine.gateways.easyths.reading import balances_of
from engine.gateways.easyths.rows import conditions_from_rows, funds_from_wire, holdings_from_rows, orders_from_rows
from engine.gateways.easyths.statuses import WORDS, evidence_of, word_of, words_with
from engine.gateways.easyths.tables import rows_from_wire
from tests.easyths_builders import DAY, NOW_NS, a_condition, a_holding, a_row, past, printed, some_funds

TODAY = date(2026, 11, 20)
TEXT_TABLE = printed(
    [
        ["委托时间", "证券代码", "证券名称", "操作", "备注", "委托数量", "成交数量", "撤消数量", "委托价格", "合同编号",
         "Unnamed: 12"],
        ["10:00:01", "1", "万 科 Ａ", "买入", "未成交", "300", "0", "0", "8.70", "001001", ""],
        ["10:00:02", "600000", "浦发银行", "卖出", "部成", "500", "200", "0", "8.80", "001002", ""],
    ]
)  # fmt: skip
MARKDOWN_TABLE = """\
|    | 委托时间   |   证券代码 | 证券名称   | 操作   | 备注   |   委托数量 |   成交数量 |   撤消数量 |   委托价格 |   合同编号 | Unnamed: 12   |
|---:|:-----------|-----------:|:-----------|:-------|:-------|-----------:|-----------:|-----------:|-----------:|-----------:|:--------------|
|  0 | 10:00:01   |          1 | 万 科 Ａ   | 买入   | 未成交 |        300 |          0 |          0 |        8.7 |       1001 |               |
|  1 | 10:00:02   |     600000 | 浦发银行   | 卖出   | 部成   |        500 |        200 |          0 |        8.8 |       1002 |               |
"""  # noqa: E501
JSON_TABLE = [
    a_row(1001, 证券代码=1, 交易市场="深圳Ａ股"),
    a_row("001002", 委托时间="10:00:02", 证券代码="600000", 操作="卖出", 备注="部成", 委托数量="500", 成交数量=200.0,
          委托价格="8.80"),
]  # fmt: skip


@pytest.mark.parametrize("table", [TEXT_TABLE, MARKDOWN_TABLE, JSON_TABLE], ids=["str", "markdown", "json"])
def test_every_form_of_a_table_is_read_alike(table: Any) -> None:
    """Codes have their zeros again, numbers lose theirs, names may hold blanks, nameless columns are left out."""
    rows = rows_from_wire(table, "order_query")
    lines = orders_from_rows(rows, "order_query")
    assert [(o.code, o.side, o.quantity, o.price, o.filled, o.number, o.word, o.time) for o in lines] == [
        ("000001", Side.BUY, 300, Decimal("8.7"), 0, "1001", "未成交", "10:00:01"),
        ("600000", Side.SELL, 500, Decimal("8.8"), 200, "1002", "部成", "10:00:02"),
    ]
    assert not any(name.startswith("Unnamed") or not name for row in rows for name in row)


def test_a_printed_table_of_pandas_is_read() -> None:
    """The library that the server prints with, where it is at hand: blanks in names, empty cells, thousands."""
    cells = [
        {
            "证券代码": "000001",
            "证券名称": "万 科 Ａ",
            "股票余额": "1,200",
            "成本价": 8.5,
            "盈亏": "",
            "Unnamed: 12": "",
        },
        {
            "证券代码": "600000",
            "证券名称": "浦发",
            "股票余额": "300",
            "成本价": 10.25,
            "盈亏": "-3.5",
            "Unnamed: 12": "",
        },
    ]
    rows = rows_from_wire(pandas.DataFrame(cells).to_string(index=False), "holding_query")
    assert [(row["证券代码"], row["证券名称"], row["盈亏"]) for row in rows] == [
        ("000001", "万 科 Ａ", ""),
        ("600000", "浦发", "-3.5"),
    ]
    assert [one.quantity for one in holdings_from_rows(rows, "holding_query")] == [1200, 300]


def test_a_table_that_is_not_aligned_is_cut_at_its_blanks() -> None:
    """Where no cell is cut in two; a code must not lose its end."""
    (row,) = rows_from_wire("证券代码 股票余额\n600000 3", "holding_query")
    assert row == {"证券代码": "600000", "股票余额": "3"}


@pytest.mark.parametrize("empty", [[], {}, "没有对应的委托订单", "没有对应的历史委托订单", "空数据"])
def test_the_forms_of_an_empty_table_have_no_rows(empty: Any) -> None:
    """Whether that is to be believed is another question."""
    assert rows_from_wire(empty, "order_query") == []


@pytest.mark.parametrize(
    "table",
    [
        None, "", "转换失败", "客户端未登录", 3, {"a": 1}, ["row"], [{"证券代码": True}], [{"证券代码": [1]}],
        "| 证券代码 | 委托数量 |\n| 600000 | 100 |", "| 证券代码 | 委托数量 |\n|---|---|\n| 600000 |",
        "证券代码 委托数量\n600000 100 200", "证券代码\t委托数量\n600000",
    ],
)  # fmt: skip
def test_what_is_no_table_is_a_bad_message(table: Any) -> None:
    """Never "no orders"."""
    with pytest.raises(BadMessage, match="order_query"):
        rows_from_wire(table, "order_query")


@pytest.mark.parametrize("missing", ["证券代码", "委托数量", "成交数量"])
def test_an_order_table_without_a_needed_column_is_a_bad_message(missing: str) -> None:
    """A row that can not be told apart, or whose fills are not said, is not an order with nothing filled."""
    row = a_row()
    del row[missing]
    with pytest.raises(BadMessage, match=missing):
        orders_from_rows([row], "order_query")


@pytest.mark.parametrize(
    "cells",
    [
        {"委托数量": "三百"}, {"委托数量": 300.5}, {"委托数量": -300}, {"委托数量": ""}, {"成交数量": "--"},
        {"委托价格": "八块七"}, {"委托价格": "1e400"}, {"证券代码": "60000A"}, {"证券代码": 6000001}, {"证券代码": ""},
        {"委托时间": "25:00:00"}, {"委托时间": "soon"}, {"委托日期": "20261340"}, {"撤消数量": "x"},
    ],
)  # fmt: skip
def test_a_cell_that_is_not_what_its_column_says_is_a_bad_message(cells: dict[str, Any]) -> None:
    """Whole, or not at all."""
    with pytest.raises(BadMessage):
        orders_from_rows([a_row() | cells], "order_query")


def test_every_header_variant_is_understood() -> None:
    """Brokers' clients name the same columns differently."""
    row = {
        "时间": 93520, "股票代码": "1", "买卖标志": "证券卖出", "委托状态": "部成待撤", "委托股数": "1,300",
        "成交数量": "300", "撤单数量": "", "委托价": "12.345", "成交价格": "12.40", "委托序号": "000077",
        "操作日期": 20261120,
    }  # fmt: skip
    (line,) = orders_from_rows([row], "order_query")
    assert (line.code, line.side, line.time, line.number) == ("000001", Side.SELL, "09:35:20", "77")
    assert (line.quantity, line.filled, line.canceled, line.average) == (1300, 300, None, Decimal("12.40"))
    (held,) = holdings_from_rows([{"证券代码": 1, "当前持仓": "1,000", "可卖数量": 400.0, "参考成本价": "--"}], "h")
    assert (held.code, held.quantity, held.sellable, held.cost) == ("000001", 1000, 400, None)


def test_requests_to_cancel_and_market_prices_among_orders_are_no_surprise() -> None:
    """Some clients list the first among the orders, and write words into the price column."""
    lines = orders_from_rows(
        [a_row(1, 操作="撤买"), a_row(2, 委托价格="市价"), a_row(3, 操作="融券回购")], "order_query"
    )
    assert [(line.number, line.price, line.side) for line in lines] == [
        ("2", None, Side.BUY),
        ("3", Decimal("8.7"), Side.SELL),
    ]


def test_a_side_nobody_knows_is_none_and_holdings_have_buttons_there() -> None:
    """A cancel that might reach it treats it as either."""
    assert orders_from_rows([a_row(操作="配号")], "order_query")[0].side is None
    assert [one.quantity for one in holdings_from_rows([a_holding(), a_holding(1, 0)], "h")] == [1000]


# --- words ---


@pytest.mark.parametrize(
    ("word", "filled", "canceled", "live", "says"),
    [
        ("未成交", 0, 0, True, Evidence.WORKING),
        ("部分成交", 100, 0, True, Evidence.WORKING),
        ("已报待撤", 0, 0, True, Evidence.WORKING),
        ("部成待撤", 100, 0, False, Evidence.WORKING),
        ("全部成交", 300, 0, False, Evidence.FILL),
        ("全部撤单", 0, 300, False, Evidence.CANCELED),
        ("部分撤单", 100, 200, False, Evidence.CANCELED),
        ("废单", 0, 0, False, Evidence.REJECT),
        ("废单", 0, 300, False, Evidence.REJECT),
        # Quantities decide against the word.
        ("未成交", 300, 0, True, Evidence.FILL),
        ("全部成交", 100, 0, True, Evidence.WORKING),
        ("未成交", 0, 300, True, Evidence.CANCELED),
        ("废单", 100, 0, True, Evidence.WORKING),
        ("已撤", 0, 0, True, Evidence.WORKING),
        # The word decides where quantities can not say it.
        ("已撤", 0, None, True, Evidence.CANCELED),
        ("部撤", 100, 0, False, Evidence.CANCELED),
        ("奇怪", 300, 0, True, Evidence.FILL),
        ("", 0, 0, True, Evidence.WORKING),
    ],
)
def test_quantities_decide_and_words_only_where_they_agree(
    word: str, filled: int, canceled: int | None, live: bool, says: Evidence
) -> None:
    """The traps of contract 3.1: words that hold other words, and words beside quantities that say otherwise."""
    assert evidence_of(300, filled, canceled, word_of(word, WORDS), live=live, what="x") is says


@pytest.mark.parametrize(
    ("word", "filled", "canceled"),
    [("未成交", 400, 0), ("已撤", 200, 200), ("场外处理", 0, 0), ("场外处理", 100, None)],
)
def test_quantities_that_can_not_be_and_words_nobody_knows_are_bad_messages(
    word: str, filled: int, canceled: int | None
) -> None:
    """An order's end is not guessed."""
    with pytest.raises(BadMessage):
        evidence_of(300, filled, canceled, word_of(word, WORDS), live=True, what="x")


def test_a_user_can_name_the_words_of_his_client() -> None:
    """Else a broker's own word would stop every reading."""
    words = words_with({"场外处理": "canceled"}, "gateway easyths")
    assert evidence_of(300, 0, 0, word_of("场外处理（人工）", words), live=False, what="x") is Evidence.CANCELED
    with pytest.raises(ConfigError, match="status_words 场外处理"):
        words_with({"场外处理": "gone"}, "gateway easyths")


@pytest.mark.parametrize(
    ("code", "market", "expected"),
    [
        ("600000", "上海Ａ股", "600000.SH"), ("000001", "深圳Ａ股", "000001.SZ"), ("510300", "", "510300.SH"),
        ("113050", "", "113050.SH"), ("159915", "", "159915.SZ"), ("123001", "", "123001.SZ"),
        ("300750", "", "300750.SZ"),
        ("430047", "", "430047.BJ"), ("920001", "", "920001.BJ"), ("900901", "", "900901.SH"),
        ("204001", "", "204001.SH"),
        ("131810", "", "131810.SZ"), ("019547", "", "019547.SH"), ("000700", "沪港通", "00700.HK"),
        ("832000", "北京", "832000.BJ"),
    ],
)  # fmt: skip
def test_a_code_becomes_an_instrument(code: str, market: str, expected: str) -> None:
    """By its market column, else as the settings say (a Shanghai bond with a zero in front), else by its digits."""
    assert instrument_of(code, market, known_codes(("019547.SH",))) == expected


# --- money ---


def test_money_is_read_whatever_labels_there_are() -> None:
    """Thousand separators, missing labels; cash in all is what is free and what is frozen."""
    funds = funds_from_wire(some_funds("91,300.00", "2,610.00"), "funds_query")
    (balance,) = balances_of(funds) or ()
    assert (balance.total, balance.available) == (Decimal("93910.00"), Decimal("91300.00"))
    last_night = funds_from_wire(some_funds("91,300.00", "8,700.00", 总资产="100,000.00", 股票市值="8,700.00"), "f")
    assert (balances_of(last_night) or ())[0].total == Decimal("91300.00")
    assert balances_of(funds_from_wire({"总资产": "5"}, "funds_query")) is None
    for bad in (None, [], {"总资产": "abc"}):
        with pytest.raises(BadMessage):
            funds_from_wire(bad, "funds_query")


def test_conditions_are_read_from_texts() -> None:
    """Code from the watched name, side, every whole number of what will be ordered."""
    (one,) = conditions_from_rows([a_condition(委托单="600000 限价 8.50 买入1,300股")], "c")
    assert (one.code, one.side, one.quantities) == ("600000", Side.BUY, (600000, 1300))
    with pytest.raises(BadMessage):
        conditions_from_rows([{"方向": "买入"}], "c")


# --- a day's readings ---


class Days:
    """A day book and the readings that a test gives it."""

    def __init__(self) -> None:
        self.book = DayBook(known_codes(()), WORDS, "Asia/Shanghai")
        self.now_ns = NOW_NS

    def read(
        self,
        live: Sequence[dict[str, Any]] = (),
        history: Sequence[dict[str, Any]] | None = (),
        *,
        held: Sequence[dict[str, Any]] | None = None,
        funds: dict[str, str] | None = None,
        day: date = TODAY,
    ) -> Listing:
        self.now_ns += 30_000_000_000
        return self.book.take(
            Reading(
                day=day,
                as_of_ns=self.now_ns,
                live=orders_from_rows(list(live), "order_query"),
                history=None if history is None else orders_from_rows(list(history), "history"),
                holdings=holdings_from_rows([a_holding()] if held is None else list(held), "holding_query"),
                funds=funds_from_wire(funds or some_funds(), "funds_query"),
            )
        )


def only(listing: Listing) -> OrderRow:
    (row,) = listing.rows
    return row


def test_two_tables_make_one_list_and_the_later_knows_more() -> None:
    """Merged by number, whatever type the number came in; a row twice in one copy counts once."""
    days = Days()
    live = [a_row(1001), a_row("001002", 操作="卖出"), a_row("001002", 操作="卖出")]
    history = [
        past(a_row("1001"), 成交数量=100, 成交均价=8.69),
        past(a_row(1002, 操作="卖出")),
        past(a_row(1003), 撤消数量=300),
    ]
    listing = days.read(live, history)
    assert listing.whole
    assert [(row.venue_id, row.status, row.cum, row.average_price) for row in listing.rows] == [
        (f"{DAY}-1001", Evidence.WORKING, 100, Decimal("8.69")),
        (f"{DAY}-1002", Evidence.WORKING, 0, None),
        (f"{DAY}-1003", Evidence.CANCELED, 0, None),
    ]
    assert listing.rows[0].ts_ns == parse_time("2026-11-20 10:00:01", "Asia/Shanghai")
    assert listing.rows[0].instrument == InstrumentId("600000.SH")


def test_without_a_number_column_rows_are_named_by_what_they_say() -> None:
    """Two alike are two orders; the names stay from reading to reading."""
    days = Days()
    rows = [a_row(None), a_row(None)]
    first = days.read(rows, [past(row) for row in rows])
    again = days.read(rows, [past(row) for row in rows])
    assert [row.venue_id for row in first.rows] == [row.venue_id for row in again.rows]
    assert len({row.venue_id for row in first.rows}) == 2
    assert first.whole


def test_a_row_without_its_number_yet_makes_the_reading_short() -> None:
    """It would get another name later."""
    days = Days()
    listing = days.read([a_row(1001), a_row("")], [past(a_row(1001)), past(a_row(""))])
    assert not listing.whole
    assert only(listing).venue_id == f"{DAY}-1001"


def test_one_number_for_two_orders_is_a_bad_message() -> None:
    """Which of them is ours could not be said."""
    with pytest.raises(BadMessage, match="1001"):
        Days().read([a_row(1001), a_row(1001, 证券代码=1)])
    with pytest.raises(BadMessage, match="1001"):
        Days().read([a_row(1001)], [past(a_row(1001, 委托数量=500))])


def test_a_reading_that_lacks_a_known_row_is_short_and_keeps_it() -> None:
    """A failed copy looks like an empty table: the row stays as last known, as of when it was."""
    days = Days()
    days.read([a_row(1001)], [past(a_row(1001))])
    seen_ns = days.now_ns
    listing = days.read([], [])
    assert not listing.whole
    assert (only(listing).status, only(listing).as_of_ns) == (Evidence.WORKING, seen_ns)


def test_tables_must_vouch_for_each_other() -> None:
    """A history behind the cancel page, or a live order that only the history shows, means that one copy failed."""
    assert not Days().read([a_row(1001)], []).whole
    assert not Days().read([a_row(1001), a_row(1002)], [past(a_row(1001))]).whole
    assert not Days().read([], [past(a_row(1001))]).whole
    assert not Days().read([], None).whole
    assert Days().read([], [past(a_row(1001), 成交数量=300)]).whole
    quiet = Days()
    assert [quiet.read().whole, quiet.read().whole, quiet.read([], None).whole] == [False, True, False]


def test_two_empty_tables_are_believed_when_nothing_moved() -> None:
    """The first reading has nothing to compare with; frozen money is an order that they do not show."""
    days = Days()
    assert not days.read().whole
    assert days.read().whole
    assert not days.read(funds=some_funds("88,690.00", "2,610.00")).whole
    frozen = Days()
    for _ in range(3):
        assert not frozen.read(funds=some_funds("88,690.00", "2,610.00")).whole


def test_after_a_send_only_the_picture_from_before_it_is_quiet() -> None:
    """An order that was filled, in tables that fail one time after the other, must not become "nothing there"."""
    days = Days()
    days.read()
    days.book.sending()
    bought = {"held": [a_holding(quantity=1300, sellable=1000)], "funds": some_funds("88,690.00")}
    for _ in range(3):
        assert not days.read(**bought).whole  # type: ignore[arg-type]
    assert days.read().whole


def test_an_empty_list_of_holdings_beside_securities_of_worth_is_not_believed() -> None:
    """A failed copy again."""
    days = Days()
    days.read()
    assert days.read().whole
    assert not days.read(held=[]).whole


def test_filled_is_filled_and_a_new_day_begins_anew() -> None:
    """A copy of a moment before takes nothing back; yesterday's rows are not missed today."""
    days = Days()
    days.read([a_row(1001, 成交数量=100)], [past(a_row(1001, 成交数量=100))])
    assert only(days.read([a_row(1001)], [past(a_row(1001))])).cum == 100
    assert days.read(day=date(2026, 11, 23)).rows == ()


def test_dates_of_the_history_name_the_rows_of_the_cancel_page() -> None:
    """On Saturday both still show Friday's orders."""
    listing = Days().read([a_row(1001)], [past(a_row(1001))], day=date(2026, 11, 21))
    assert only(listing).venue_id == f"{DAY}-1001"
    assert listing.whole


# --- orders that no table shows any more (contract 5.5) ---


def test_a_broker_without_history_lists_live_orders_only() -> None:
    """What is over is in no table; how it ended the core reads from the account."""
    days = Days()
    days.read()
    days.read([a_row(1001, 成交数量=100, 成交均价=8.7), a_row(1002)])
    listing = days.read([a_row(1002)])
    assert [row.venue_id for row in listing.rows] == [f"{DAY}-1002"]
    assert (listing.whole, listing.live_only) == (False, True)
    # The copy had failed; filled is filled.
    assert [row.cum for row in days.read([a_row(1001), a_row(1002)]).rows] == [100, 0]


def test_where_the_history_works_a_missing_row_stays_listed_and_makes_the_list_short() -> None:
    """It will show the end itself."""
    days = Days()
    days.read([], [past(a_row(1000), 成交数量=300)])
    days.read([a_row(1001)], [past(a_row(1000), 成交数量=300), past(a_row(1001))])
    listing = days.read([], [past(a_row(1000), 成交数量=300)], held=[a_holding(quantity=1300)])
    assert (listing.rows[1].status, listing.whole, listing.live_only) == (Evidence.WORKING, False, False)
