"""Rows of the client's tables under whatever headers its settings give them (contracts/ht.md 3.4).

A table that can not be read is ``BadMessage``: never to be taken for an empty one.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.domain.account import PositionRow
from engine.domain.commands import Side
from engine.domain.errors import BadMessage
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import datetime_from_ns
from engine.gateways.huatai import cells
from engine.gateways.huatai.wire import Reply

HEADERS: dict[str, tuple[str, ...]] = {
    "code": ("证券代码", "股票代码", "代码"),
    "side": ("操作", "买卖标志", "买卖方向", "买卖", "委托方向", "委托类别"),
    "status": ("备注", "委托状态", "状态说明", "状态"),
    "reason": ("废单原因", "返回信息", "结果说明", "错误信息"),
    "quantity": ("委托数量",),
    "filled": ("成交数量", "已成交数量", "已成数量"),
    "withdrawn": ("撤消数量", "撤销数量", "撤单数量", "已撤数量"),
    "price": ("委托价格", "委托价"),
    "average": ("成交均价", "成交价格", "成交价"),
    "entrust": ("委托编号", "委托序号", "委托号"),
    "contract": ("合同编号", "合同号"),
    "market": ("交易市场", "市场名称", "证券市场", "市场"),
    "entered": ("委托时间", "申报时间", "时间"),
    "entered_on": ("操作日期", "委托日期", "日期"),
    "traded": ("成交时间", "时间"),
    "traded_on": ("成交日期", "操作日期", "日期"),
    "trade": ("成交编号", "成交序号", "成交号"),
    "held": ("股票余额", "持仓数量", "证券数量", "股份余额", "当前持仓", "实际数量"),
    "sellable": ("可用余额", "可用数量", "可卖数量", "可用股份"),
    "cost": ("成本价", "参考成本价", "成本价格", "摊薄成本价"),
}
MARKETS = (
    ("SH", ("上海", "上交", "沪A", "沪市", "SH", "sh")),
    ("SZ", ("深圳", "深交", "深A", "深市", "SZ", "sz")),
    ("BJ", ("北京", "北交", "京A", "股转", "特转", "BJ", "bj")),
)
ELSEWHERE = ("港", "HK", "三板", "美")
_PREFIXES = (
    ("SH", ("204",)), ("BJ", ("92", "4", "8")), ("SH", ("11", "5", "6", "7", "9")), ("SZ", ("0", "1", "2", "3")),
)  # fmt: skip
"""First match wins: 204 is Shanghai's repo among Shenzhen's twos, 92 Beijing's among Shanghai's nines."""
STALE_SECONDS = 300
"""A row entered later in the day than now, by more than this, is of the day before: the table was not read anew."""


class Row:
    """One row; ``name`` is a key of ``HEADERS``."""

    def __init__(self, wire: Mapping[str, Any], what: str) -> None:
        self._cells = {str(name).strip(): cell for name, cell in wire.items()}
        self._what = what

    def has(self, name: str) -> bool:
        """Whether the table has such a column."""
        return any(header in self._cells for header in HEADERS[name])

    def cell(self, name: str) -> Any:
        """The first of the headers that says something."""
        found = [self._cells[header] for header in HEADERS[name] if header in self._cells]
        return next((cell for cell in found if cells.text(cell)), None)

    def text(self, name: str) -> str:
        return cells.text(self.cell(name))

    def number(self, name: str) -> Decimal | None:
        """Raises: BadMessage: it is no number."""
        return cells.number(self.cell(name), f"{self._what}: {HEADERS[name][0]}")

    @property
    def side(self) -> Side | None:
        word = self.text("side")
        if "买" in word or word.upper() in ("B", "BUY"):
            return Side.BUY
        return Side.SELL if "卖" in word or word.upper() in ("S", "SELL") else None


class Places:
    """Which instrument a code stands for: the market column, the settings, the first digits, in this order."""

    def __init__(self, instruments: Sequence[str]) -> None:
        self._named = {name.rpartition(".")[0]: InstrumentId(name) for name in instruments}

    def instrument_of(self, row: Row) -> InstrumentId | None:
        """None for what is traded elsewhere, or has no code of ours."""
        digits, named = cells.code(row.cell("code"))
        market = row.text("market")
        if not digits or any(word in market for word in ELSEWHERE):
            return None
        found = named or next((place for place, words in MARKETS if any(word in market for word in words)), "")
        if not found and digits in self._named:
            return self._named[digits]
        found = found or next(place for place, starts in _PREFIXES if digits.startswith(starts))
        return InstrumentId(f"{digits}.{found}")


class OrderLine(Struct, frozen=True, kw_only=True):
    """One row of today-entrusts or cancel-entrusts. What the table has no column for is None or empty."""

    instrument: InstrumentId
    side: Side | None
    action: str
    """The word the side was read from: subscriptions are no trades."""
    word: str
    quantity: int
    filled: int | None
    withdrawn: int | None
    price: Decimal | None
    average: Decimal | None
    contract: str
    entrust: str
    on: date
    ts_ns: int
    reason: str = ""
    states: bool = True
    """Whether the table says anything of an order's state."""

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(number for number in (self.contract, self.entrust) if number)


class TradeLine(Struct, frozen=True, kw_only=True):
    """One row of today-trades."""

    instrument: InstrumentId
    side: Side | None
    quantity: int
    price: Decimal
    trade: str
    contract: str
    entrust: str
    on: date
    time: str
    ts_ns: int


def rows_of(reply: Reply) -> list[Row]:
    """Raises: BadMessage: not a list of rows."""
    data = reply.data
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise BadMessage(f"{reply.request}: no list of rows")
    return [Row(row, reply.request) for row in data]


class Reader:
    """Turns rows into lines. ``timezone`` is that of the server's machine."""

    def __init__(self, places: Places, timezone: str) -> None:
        self._places = places
        self._timezone = timezone

    def orders(self, reply: Reply) -> tuple[OrderLine, ...]:
        """Every order; rows the client shows twice are one, rows nobody here could have sent are left out.

        Raises:
            BadMessage: the table can not be read.
        """
        found: dict[Any, OrderLine] = {}
        for place, line in enumerate(self._lines(reply, self._order)):
            known = found.get(key := line.numbers or (place,))
            # Of two copies the later state counts.
            if known is None or (line.filled or 0, line.withdrawn or 0) > (known.filled or 0, known.withdrawn or 0):
                found[key] = line
        return tuple(found.values())

    def trades(self, reply: Reply) -> tuple[TradeLine, ...]:
        """Every row as it stands, repeated ones too.

        Raises:
            BadMessage: the table can not be read.
        """
        return tuple(self._lines(reply, self._trade))

    def positions(self, reply: Reply) -> tuple[PositionRow, ...]:
        """Holdings above zero; a code in two accounts is their sum.

        Raises:
            BadMessage: the table can not be read.
        """
        rows = reply.data
        if isinstance(rows, list):
            # A copy may repeat whole rows.
            unique = [row for place, row in enumerate(rows) if row not in rows[:place]]
            reply = Reply(
                code=reply.code, message=reply.message, data=unique, request=reply.request, status=reply.status,
                began_ns=reply.began_ns,
            )  # fmt: skip
        found: dict[InstrumentId, PositionRow] = {}
        for line in self._lines(reply, self._position):
            known = found.get(line.instrument)
            found[line.instrument] = line if known is None else _sum(known, line)
        return tuple(line for line in found.values() if line.quantity)

    def _lines(self, reply: Reply, read: Callable[[Row, Reply], Any]) -> list[Any]:
        rows = rows_of(reply)
        lines = [line for line in (read(row, reply) for row in rows) if line is not None]
        if rows and not any(cells.code(row.cell("code"))[0] for row in rows):
            headers = ", ".join(str(name) for name in reply.data[0])
            raise BadMessage(f"{reply.request}: {len(rows)} rows, and a code in none of them; columns: {headers}")
        return lines

    def _order(self, row: Row, reply: Reply) -> OrderLine | None:
        instrument, quantity = self._places.instrument_of(row), row.number("quantity")
        if instrument is None or "撤" in row.text("side"):
            return None
        if quantity is None:
            raise BadMessage(f"{reply.request}: {instrument}: no {HEADERS['quantity'][0]}")
        if quantity != int(quantity) or quantity <= 0:
            # Parts of a fund, or a sum of money: no order of ours.
            return None
        on, ts_ns = self._moment(row, reply.began_ns, "entered", "entered_on")
        price, average = row.number("price"), row.number("average")
        if (price is not None and price < 0) or (average is not None and average < 0):
            raise BadMessage(f"{reply.request}: {instrument}: a price below zero")
        return OrderLine(
            instrument=instrument,
            side=row.side,
            action=row.text("side"),
            word=row.text("status"),
            quantity=int(quantity),
            filled=_whole(row.number("filled"), f"{reply.request}: {HEADERS['filled'][0]}"),
            withdrawn=_whole(row.number("withdrawn"), f"{reply.request}: {HEADERS['withdrawn'][0]}"),
            price=price or None,
            average=average or None,
            contract=cells.order_number(row.cell("contract")),
            entrust=cells.order_number(row.cell("entrust")),
            on=on,
            ts_ns=ts_ns,
            reason=row.text("reason"),
            states=row.has("status") or row.has("filled"),
        )

    def _trade(self, row: Row, reply: Reply) -> TradeLine | None:
        instrument, quantity, price = self._places.instrument_of(row), row.number("filled"), row.number("average")
        if instrument is None or "撤" in row.text("side") + row.text("status"):
            return None
        if quantity is None or quantity <= 0 or quantity != int(quantity) or not price:
            return None
        if price < 0:
            raise BadMessage(f"{reply.request}: {instrument}: a price below zero")
        on, ts_ns = self._moment(row, reply.began_ns, "traded", "traded_on")
        return TradeLine(
            instrument=instrument,
            side=row.side,
            quantity=int(quantity),
            price=price,
            trade=cells.order_number(row.cell("trade")),
            contract=cells.order_number(row.cell("contract")),
            entrust=cells.order_number(row.cell("entrust")),
            on=on,
            time=row.text("traded"),
            ts_ns=ts_ns,
        )

    def _position(self, row: Row, reply: Reply) -> PositionRow | None:
        instrument, held = self._places.instrument_of(row), row.number("held")
        if instrument is None:
            return None
        quantity = _whole(held, f"{reply.request}: {HEADERS['held'][0]}")
        if quantity is None:
            raise BadMessage(f"{reply.request}: {instrument}: no {HEADERS['held'][0]}")
        cost = row.number("cost")
        return PositionRow(
            instrument=instrument,
            quantity=quantity,
            sellable=_whole(row.number("sellable"), f"{reply.request}: {HEADERS['sellable'][0]}"),
            average_price=cost if cost is not None and cost > 0 else None,
        )

    def _moment(self, row: Row, now_ns: int, at: str, on: str) -> tuple[date, int]:
        """The day a row is of, and its instant; 0 where the table does not say."""
        now = datetime_from_ns(now_ns, self._timezone)
        seconds = cells.seconds_of_day(row.cell(at))
        named = cells.day(row.cell(on)) or (cells.day(row.cell(at)) if seconds is not None else None)
        if seconds is None:
            return named or now.date(), 0
        passed = now.hour * 3600 + now.minute * 60 + now.second
        today = now.date() if seconds <= passed + STALE_SECONDS else now.date() - timedelta(days=1)
        return named or today, cells.instant(named or today, seconds, self._timezone)


def _whole(value: Decimal | None, what: str) -> int | None:
    """The units in a cell; a broken share can not be traded here.

    Raises:
        BadMessage: below zero.
    """
    if value is not None and value < 0:
        raise BadMessage(f"{what}: {value} is no quantity")
    return None if value is None else int(value)


def _sum(first: PositionRow, second: PositionRow) -> PositionRow:
    sellable = None
    if first.sellable is not None and second.sellable is not None:
        sellable = first.sellable + second.sellable
    return PositionRow(instrument=first.instrument, quantity=first.quantity + second.quantity, sellable=sellable)
