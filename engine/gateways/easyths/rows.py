"""Tables read as orders, holdings, funds, conditions: every header variant, every form of a cell (contract 3.1)."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.domain.commands import Side
from engine.domain.errors import BadMessage
from engine.gateways.easyths.tables import (
    NOTHING,
    Cell,
    Row,
    code_of_cell,
    column,
    found,
    needed,
    number_of,
    plain_number,
    text_of,
    whole_of,
)

CODE = ("证券代码", "股票代码", "代码")
MARKET = ("交易市场", "市场", "市场名称")
SIDE = ("操作", "买卖标志", "买卖方向", "方向", "委托方向")
QUANTITY = ("委托数量", "委托股数", "数量")
PRICE = ("委托价格", "委托价", "价格")
FILLED = ("成交数量", "已成数量", "成交股数")
CANCELED = ("撤消数量", "撤单数量", "撤销数量", "已撤数量")
AVERAGE = ("成交均价", "成交价格", "均价")
STATUS = ("备注", "委托状态", "状态说明", "状态")
NUMBER = ("合同编号", "委托编号", "委托序号")
TIME = ("委托时间", "时间")
DAY = ("委托日期", "日期")

HELD = ("持仓数量", "股票余额", "证券数量", "当前持仓", "股份余额")
SELLABLE = ("可用数量", "可用余额", "股份可用", "可卖数量")
COST = ("参考成本价", "成本价")

FUNDS = ("资金余额", "冻结金额", "可用金额", "可取金额", "股票市值", "总资产", "持仓盈亏")
TARGET = ("监控标的", *CODE)
DETAIL = ("委托单", *QUANTITY)
CREATED = ("创建时间", "设置时间")

PRICELESS = frozenset({"市价", "市价委托"})
"""In the price column of market orders."""
_CLOCK = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})", re.ASCII)
_DAY = re.compile(r"(\d{4})[-/]?(\d{2})[-/]?(\d{2})", re.ASCII)
_SIX = re.compile(r"(?<!\d)\d{6}(?!\d)", re.ASCII)
_WHOLES = re.compile(r"(?<![\d.])\d{1,12}(?![\d.])", re.ASCII)


class OrderLine(Struct, frozen=True, kw_only=True):
    """One row of an order table."""

    code: str
    market: str
    side: Side | None
    """None: a word that is neither buying nor selling."""
    quantity: int
    price: Decimal | None
    filled: int
    canceled: int | None
    average: Decimal | None
    word: str
    number: str | None
    """Without leading zeros; empty where the cell is, None where the table has no such column."""
    time: str
    """``HH:MM:SS``; empty where the table does not say."""
    day: date | None


class Holding(Struct, frozen=True, kw_only=True):
    code: str
    market: str
    quantity: int
    sellable: int | None
    cost: Decimal | None


class Funds(Struct, frozen=True, kw_only=True):
    """Labels that were not found are None."""

    balance: Decimal | None
    frozen: Decimal | None
    available: Decimal | None
    securities: Decimal | None
    total: Decimal | None


class Condition(Struct, frozen=True, kw_only=True):
    """One condition that waits at the client."""

    code: str
    side: Side | None
    quantities: tuple[int, ...]
    """Whole numbers in the cell that says what will be ordered; one of them is the quantity. Empty: not said."""
    created: str
    """As the client shows it; empty where it does not."""
    text: str


def orders_from_rows(rows: Sequence[Row], what: str) -> list[OrderLine]:
    """Requests to cancel, which some clients list among the orders, are left out.

    Raises:
        BadMessage: a column that must be there is not, or a cell is not what its column says.
    """
    lines = [_order(row, what) for row in rows]
    return [line for line in lines if line is not None]


def _order(row: Row, what: str) -> OrderLine | None:
    code_cell = needed(row, CODE, what)
    words = text_of(found(row, SIDE))
    if "撤" in words:
        return None
    quantity = whole_of(needed(row, QUANTITY, what), f"{what}: quantity")
    filled = whole_of(needed(row, FILLED, what), f"{what}: filled")
    if quantity is None or filled is None:
        raise BadMessage(f"{what}: an order without quantities: {_shown(row)}")
    price_cell = found(row, PRICE)
    priced = not (isinstance(price_cell, str) and price_cell.strip() in PRICELESS)
    price = number_of(price_cell, f"{what}: price") if priced else None
    average = number_of(found(row, AVERAGE), f"{what}: average price")
    if (price is not None and price < 0) or (average is not None and average < 0):
        raise BadMessage(f"{what}: a price below zero: {_shown(row)}")
    number = column(row, NUMBER)
    out = column(row, CANCELED)
    return OrderLine(
        code=code_of_cell(code_cell, what),
        market=text_of(found(row, MARKET)),
        side=side_of(words),
        quantity=quantity,
        price=price or None,
        filled=filled,
        canceled=None if out is None else whole_of(row[out], f"{what}: cancelled"),
        average=(average or None) if filled else None,
        word=text_of(found(row, STATUS)),
        number=None if number is None else plain_number(row[number]),
        time=time_of(found(row, TIME), what),
        day=day_of_cell(found(row, DAY), what),
    )


def side_of(words: str) -> Side | None:
    """买入, 证券买入, 融资买入 buy; 卖出, 证券卖出, 融券 (lending by repo among them) sell."""
    if "买" in words:
        return Side.BUY
    return Side.SELL if "卖" in words or words.startswith("融券") else None


def time_of(cell: Cell, what: str) -> str:
    """09:35:20, also from 93520 or a whole time stamp; empty where there is none.

    Raises:
        BadMessage: no time of day.
    """
    text = text_of(cell)
    if text in NOTHING:
        return ""
    if text.isascii() and text.isdigit() and len(text) <= 6:
        text = text.zfill(6)
        text = f"{text[:2]}:{text[2:4]}:{text[4:]}"
    match = _CLOCK.search(text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3]) > 59:
        raise BadMessage(f"{what}: {text[:40]!r} is no time of day")
    return f"{int(match[1]):02}:{match[2]}:{match[3]}"


def day_of_cell(cell: Cell, what: str) -> date | None:
    """20261121, 2026-11-21; None where there is none.

    Raises:
        BadMessage: no day.
    """
    text = text_of(cell)
    if text in NOTHING:
        return None
    match = _DAY.match(text)
    try:
        return date(*(int(part) for part in match.groups())) if match else _no_day(text, what)
    except ValueError:
        return _no_day(text, what)


def _no_day(text: str, what: str) -> date:
    raise BadMessage(f"{what}: {text[:40]!r} is no day")


def holdings_from_rows(rows: Sequence[Row], what: str) -> list[Holding]:
    """Holdings with something in them; 操作 is a column of buttons here.

    Raises:
        BadMessage: as ``orders_from_rows``.
    """
    held = []
    for row in rows:
        quantity = whole_of(needed(row, HELD, what), f"{what}: quantity")
        code = needed(row, CODE, what)
        if quantity is None:
            raise BadMessage(f"{what}: a holding without a quantity: {_shown(row)}")
        sellable = whole_of(found(row, SELLABLE), f"{what}: sellable")
        cost = number_of(found(row, COST), f"{what}: cost")
        one = Holding(
            code=code_of_cell(code, what),
            market=text_of(found(row, MARKET)),
            quantity=quantity,
            sellable=sellable,
            cost=cost,
        )
        if quantity:
            held.append(one)
    return held


def funds_from_wire(data: Any, what: str) -> Funds:
    """Raises: BadMessage: no table of funds, or an amount that is none."""
    if not isinstance(data, dict):
        raise BadMessage(f"{what}: no funds: {str(data)[:80]!r}")
    amounts = {label: number_of(data.get(label), f"{what}: {label}") for label in FUNDS}
    return Funds(
        balance=amounts["资金余额"],
        frozen=amounts["冻结金额"],
        available=amounts["可用金额"],
        securities=amounts["股票市值"],
        total=amounts["总资产"],
    )


def conditions_from_rows(rows: Sequence[Row], what: str) -> list[Condition]:
    """Raises: BadMessage: a condition without the code it watches."""
    conditions = []
    for row in rows:
        target = needed(row, TARGET, what)
        match = _SIX.search(text_of(target))
        code = match[0] if match else code_of_cell(target, what)
        details = " ".join(text_of(row[name]) for name in DETAIL if name in row)
        conditions.append(
            Condition(
                code=code,
                side=side_of(text_of(found(row, ("方向", *SIDE)))),
                quantities=tuple(int(digits) for digits in _WHOLES.findall(details.replace(",", ""))),
                created=text_of(found(row, CREATED)),
                text=_shown(row),
            )
        )
    return conditions


def _shown(row: Mapping[str, Cell]) -> str:
    return ", ".join(f"{name} {text_of(cell)}" for name, cell in row.items())[:300]
