"""Wire structs of the virtual stock market's HTTP API (contracts/virtual_market.md 2 to 6, observed 2026-11).

Unknown keys are ignored, so that a field the server adds breaks nothing; a missing or mistyped one does.
"""

import base64
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from engine.domain.account import AccountSnapshot, Balance, PositionRow
from engine.domain.errors import BadMessage
from engine.domain.ids import AccountId, InstrumentId, code_of
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.market import Bar
from engine.domain.money import exact_from_wire
from engine.domain.timestamps import MINUTE_NS, SECOND_NS, parse_time

CURRENCY = "COIN"
SUFFIX = ".VSM"
BAR_NS = 5 * MINUTE_NS
Number = int | float
"""The server sends 0 for 0.0 and floats for whole coins; both are read."""


class Login(Struct, frozen=True):
    """``user_id`` is the chat id; ``login_id`` the name one logs in with."""

    access_token: str
    token_type: str = ""
    user_id: str = ""
    login_id: str = ""


class Done(Struct, frozen=True):
    """Registration and password answers; a failure may come as ``error`` under HTTP 200."""

    success: bool = False
    message: str = ""
    error: str = ""
    verification_code: str = ""
    reset_code: str = ""


class StockRow(Struct, frozen=True):
    stock_id: str
    name: str
    current_price: Number


class Stock(Struct, frozen=True):
    stock_id: str
    name: str
    current_price: Number
    previous_close: Number
    industry: str | None = None
    volatility: Number | None = None


class Kline(Struct, frozen=True):
    """``date`` is naive server time: the tick that ended the bar (contract 4)."""

    date: str
    open: Number
    high: Number
    low: Number
    close: Number


class Details(Struct, frozen=True):
    """``change`` and ``day_open`` are relative to the first of 288 bars, not to today's open."""

    stock_id: str
    name: str
    current_price: Number
    index: int | None = None
    change: Number | None = None
    change_percent: Number | None = None
    day_open: Number | None = None
    day_close: Number | None = None
    short_term_trend: str | None = None
    kline_data_24h: list[Kline] = []


class Klines(Struct, frozen=True):
    kline_history: list[Kline]
    user_holdings: list[dict[str, object]] = []


class OverviewChange(Struct, frozen=True):
    value: Number | None = None
    percent: Number | None = None


class Overview(Struct, frozen=True):
    name: str = field(name="股票名称")
    code: str = field(name="代码")
    price: Number | None = field(name="当前价格", default=None)
    high_1h: Number | None = field(name="1小时内最高价", default=None)
    low_1h: Number | None = field(name="1小时内最低价", default=None)
    average_5: Number | None = field(name="5周期均线", default=None)
    change_5m: OverviewChange | None = field(name="较5分钟前涨跌", default=None)
    trend: str | None = field(name="短期趋势", default=None)


class UserHash(Struct, frozen=True):
    user_hash: str


class Holding(Struct, frozen=True):
    stock_id: str
    name: str
    quantity: Annotated[int, Meta(ge=0, lt=10**15)]
    """A larger one was read wrongly; the venue has no short holdings."""
    avg_cost: Number
    market_value: Number
    pnl: Number = 0
    pnl_percent: Number = 0


class Assets(Struct, frozen=True):
    """The portfolio object; ranking rows are the same without ``user_name``."""

    user_id: str
    total_assets: Number
    coins: Number
    stock_value: Number
    holdings_detailed: list[Holding]
    company_assets: Number = 0
    bank_deposits: Number = 0
    bank_loans: Number = 0
    holdings_count: int = 0
    total_pnl: Number = 0
    total_pnl_percent: Number = 0
    user_name: str | None = None


class TradeAnswer(Struct, frozen=True):
    success: bool
    message: str


class Failure(Struct, frozen=True):
    """Both shapes of failure in one; ``error`` is a word, ``message`` a sentence."""

    success: bool | None = None
    error: str = ""
    message: str = ""


class _Claims(Struct):
    exp: Number


def instrument_id(code: str) -> InstrumentId:
    return InstrumentId(code + SUFFIX)


def instrument_from_wire(row: StockRow) -> Instrument:
    return Instrument(
        id=instrument_id(row.stock_id), kind=InstrumentKind.GAME, market="virtual", currency=CURRENCY, name=row.name
    )


def is_tradable_code(instrument: str) -> bool:
    """False for a code of digits only: the server would read it as a place in its list (contract 4)."""
    code = code_of(instrument)
    return bool(code) and not code.isdigit()


def price_from_wire(value: Number) -> float:
    """A price as it may be used.

    Raises:
        BadMessage: zero, negative or not finite.
    """
    if not 0 < value < 1e15:
        raise BadMessage(f"virtual market: {value} is no price")
    return float(value)


def bars_from_wire(instrument: InstrumentId, klines: list[Kline], timezone: str) -> list[Bar]:
    """Bars by their closing time, ascending; bars of one date are merged (restarts repeat a date, contract 4).

    Raises:
        BadMessage: a date or a price that can not be one.
    """
    merged: dict[int, Bar] = {}
    for line in klines:
        try:
            ts_ns = parse_time(line.date, timezone)
        except ValueError as error:
            raise BadMessage(f"virtual market: kline date {line.date!r}: {error}") from error
        if ts_ns <= 0:
            raise BadMessage(f"virtual market: kline date {line.date!r} is before 1970")
        first, high, low, last = (price_from_wire(p) for p in (line.open, line.high, line.low, line.close))
        if not low <= min(first, last) <= max(first, last) <= high:
            raise BadMessage(f"virtual market: kline of {line.date}: prices contradict each other")
        known = merged.get(ts_ns)
        if known is not None:
            first, high, low = known.open, max(high, known.high), min(low, known.low)
        merged[ts_ns] = Bar(instrument, ts_ns, first, high, low, last, 0.0, BAR_NS)
    return [merged[ts_ns] for ts_ns in sorted(merged)]


def snapshot_from_wire(
    assets: Assets,
    account: AccountId,
    as_of_ns: int,
    ts_ns: int,
    *,
    sellable: Callable[[InstrumentId], int | None],
    with_coins: bool = True,
) -> AccountSnapshot:
    """Cash and positions; orders and fills are None: the venue has no such lists (contract 2)."""
    coins = exact_from_wire(assets.coins, "coins")
    return AccountSnapshot(
        account=account,
        as_of_ns=as_of_ns,
        ts_ns=ts_ns,
        balances=(Balance(currency=CURRENCY, total=coins, available=coins),) if with_coins else None,
        positions=tuple(
            PositionRow(
                instrument=instrument_id(row.stock_id),
                quantity=row.quantity,
                sellable=sellable(instrument_id(row.stock_id)),
                average_price=exact_from_wire(row.avg_cost, "avg_cost"),
            )
            for row in assets.holdings_detailed
            if row.quantity
        ),
    )


def token_expiry_ns(token: str) -> int | None:
    """``exp`` of a JWT, nanoseconds UTC; None if it has none that can be read. The signature is not ours to check."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        middle = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        expiry = msgspec.json.decode(middle, type=_Claims).exp
    except (ValueError, msgspec.DecodeError):
        return None
    return int(expiry * SECOND_NS) if 0 < expiry < 1e11 else None
