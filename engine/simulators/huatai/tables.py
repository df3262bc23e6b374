"""The client's tables as the trading layer copies them: text cells under a header, each cell guessed on its own.

Whatever looks like a number becomes one, so ``000001`` arrives as 1; a row that has fewer cells than the header loses
the whole table (contracts/ht.md 3.4).
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

Cell = int | float | str
Columns = Literal["client", "document"]
Cells = Literal["guessed", "document"]
"""``document``: codes, numbers, dates and times stay text, as on the vendor's page."""

ORDERS: dict[Columns, tuple[str, ...]] = {
    "client": (
        "委托时间",
        "证券代码",
        "证券名称",
        "操作",
        "备注",
        "委托数量",
        "成交数量",
        "撤消数量",
        "委托价格",
        "成交均价",
        "委托编号",
        "合同编号",
        "交易市场",
        "股东帐户",
    ),
    "document": ("操作日期", "委托编号", "合同编号", "证券代码", "委托价格", "委托数量", "委托状态"),
}
LIVE_ORDERS: dict[Columns, tuple[str, ...]] = {
    "client": ORDERS["client"],
    "document": ("合同编号", "证券代码", "委托价格", "委托数量", "委托状态"),
}
POSITIONS: dict[Columns, tuple[str, ...]] = {
    "client": (
        "证券代码",
        "证券名称",
        "股票余额",
        "可用余额",
        "成本价",
        "市价",
        "盈亏",
        "市值",
        "交易市场",
        "股东帐户",
        "备注",
    ),
    "document": ("证券代码", "证券名称", "持仓数量", "可用数量", "成本价", "最新价", "市值"),
}
TRADES: dict[Columns, tuple[str, ...]] = {
    "client": ("成交时间", "证券代码", "证券名称", "操作", "成交数量", "成交均价", "成交金额", "股东帐户"),
    "document": ("成交日期", "成交时间", "证券代码", "成交价格", "成交数量", "成交金额", "买卖方向"),
}
TEXTS = frozenset({"证券代码", "委托编号", "合同编号", "操作日期", "成交日期", "成交时间"})


class Sheet(Struct):
    """A table as it was copied."""

    header: tuple[str, ...]
    rows: list[list[str]]


def sheet_of(columns: Sequence[str], records: Sequence[Mapping[str, str]]) -> Sheet:
    """The named columns of records that know all of them."""
    return Sheet(tuple(columns), [[record[name] for name in columns] for record in records])


def parsed(sheet: Sheet, cells: Cells) -> list[dict[str, Cell]]:
    """What a query gives: a list of rows; nothing at all where one of them is too short."""
    if any(len(row) < len(sheet.header) for row in sheet.rows):
        return []
    return [
        {
            name: text if cells == "document" and name in TEXTS else guessed(text)
            for name, text in zip(sheet.header, row, strict=True)
        }
        for row in sheet.rows
    ]


def guessed(text: str) -> Cell:
    """An int, else a float, else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
