"""The rule book of mainland A shares at a mainland broker, figure by figure."""

from decimal import Decimal

import pytest

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.timestamps import format_time, parse_time
from engine.markets import MARKETS
from engine.markets.china_a import ChinaA
from engine.markets.china_boards import NEVER_NS, Board, Phase, board_of

BOOK = ChinaA()
KINDS = {"5": InstrumentKind.ETF, "15": InstrumentKind.ETF, "11": InstrumentKind.BOND, "12": InstrumentKind.BOND}


def an_instrument(code: str, name: str = "") -> Instrument:
    kind = next((kind for prefix, kind in KINDS.items() if code.startswith(prefix)), InstrumentKind.STOCK)
    return Instrument(id=InstrumentId(code), kind=kind, market="china_a", name=name)


def local(text: str) -> int:
    """A time of 2026-11-18, a trading day, unless a date stands before it."""
    return parse_time(text if " " in text else f"2026-11-18 {text}", "Asia/Shanghai")


def denied(
    code: str,
    quantity: int,
    price: str | None,
    when: str = "10:00:00",
    *,
    side: Side = Side.BUY,
    held: int = 0,
    kind: OrderType | None = None,
) -> str:
    """Code of the denial of an order, a market order where it has no price; empty where it may go."""
    instrument = an_instrument(code)
    order = SubmitOrder(
        client_id=ClientOrderId("o"),
        account=AccountId("a"),
        strategy=StrategyId("s"),
        instrument=instrument.id,
        side=side,
        quantity=quantity,
        ts_ns=local(when),
        type=kind or (OrderType.LIMIT if price else OrderType.MARKET),
        price=Decimal(price) if price else None,
    )
    denial = BOOK.check(order, instrument, order.ts_ns, held)
    return denial.code if denial is not None else ""


def test_the_book_is_registered_under_its_own_name() -> None:
    """Config names a market; the table has it, in yuan."""
    book = MARKETS["china_a"]()
    assert (book.name, book.currency, book.timezone) == ("china_a", "CNY", "Asia/Shanghai")


@pytest.mark.parametrize(
    ("code", "board"),
    [
        ("600000", Board.MAIN), ("601318", Board.MAIN), ("000001", Board.MAIN), ("002594", Board.MAIN),
        ("003816", Board.MAIN), ("300750", Board.CHINEXT), ("301236", Board.CHINEXT), ("302132", Board.CHINEXT),
        ("688981", Board.STAR), ("689009", Board.STAR), ("430047", Board.BEIJING), ("830799", Board.BEIJING),
        ("872925", Board.BEIJING), ("920002", Board.BEIJING), ("510300", Board.FUND), ("588000", Board.FUND),
        ("159915", Board.FUND), ("161005", Board.FUND), ("110059", Board.BOND), ("113052", Board.BOND),
        ("123107", Board.BOND), ("128136", Board.BOND),
    ],
)  # fmt: skip
def test_a_code_says_its_board(code: str, board: Board) -> None:
    """Three digits at most tell where a code is listed."""
    assert board_of(code) is board


@pytest.mark.parametrize(
    ("code", "side", "quantity", "held", "expected"),
    [
        ("600000.SH", Side.BUY, 100, 0, ""),
        ("600000.SH", Side.BUY, 150, 0, "LOT"),
        ("600000.SH", Side.BUY, 50, 0, "LOT"),
        ("600000.SH", Side.BUY, 50, 50, "LOT"),
        ("600000.SH", Side.SELL, 50, 50, ""),
        ("600000.SH", Side.SELL, 50, 150, ""),
        ("600000.SH", Side.SELL, 40, 150, "LOT"),
        ("600000.SH", Side.SELL, 150, 250, ""),
        ("600000.SH", Side.SELL, 150, 350, ""),
        ("600000.SH", Side.SELL, 150, 300, "LOT"),
        ("300750.SZ", Side.BUY, 250, 0, "LOT"),
        ("688981.SH", Side.BUY, 199, 0, "LOT"),
        ("688981.SH", Side.BUY, 200, 0, ""),
        ("688981.SH", Side.BUY, 201, 0, ""),
        ("688981.SH", Side.SELL, 150, 350, "LOT"),
        ("688981.SH", Side.SELL, 150, 150, ""),
        ("430047.BJ", Side.BUY, 99, 0, "LOT"),
        ("430047.BJ", Side.BUY, 101, 0, ""),
        ("920002.BJ", Side.BUY, 101, 0, ""),
        ("430047.BJ", Side.SELL, 60, 60, ""),
        ("510300.SH", Side.BUY, 150, 0, "LOT"),
        ("159915.SZ", Side.BUY, 100, 0, ""),
        ("113052.SH", Side.BUY, 10, 0, ""),
        ("123107.SZ", Side.BUY, 15, 0, "LOT"),
        ("123107.SZ", Side.SELL, 5, 15, ""),
    ],
)
def test_lots_are_the_boards(code: str, side: Side, quantity: int, held: int, expected: str) -> None:
    """Hundreds; STAR 200 and Beijing 100 at least, then singly; bonds in tens; a rest is sold whole or not at all."""
    assert denied(code, quantity, "10", side=side, held=held) == expected


@pytest.mark.parametrize(
    ("code", "limit", "market"),
    [
        ("600000.SH", 1_000_000, 1_000_000),
        ("300750.SZ", 300_000, 150_000),
        ("688981.SH", 100_000, 50_000),
        ("430047.BJ", 1_000_000, 1_000_000),
        ("510300.SH", 1_000_000, 1_000_000),
        ("113052.SH", 1_000_000, 1_000_000),
    ],
)
def test_no_order_is_larger_than_its_board_allows(code: str, limit: int, market: int) -> None:
    """RELIABILITY 4.1, row 10: limit and market orders each have a maximum of their own."""
    assert denied(code, limit, "10") == ""
    assert denied(code, limit + 100, "10") == "MAX_QTY"
    assert denied(code, market, None) == ""
    assert denied(code, market + 100, None) == "MAX_QTY"


@pytest.mark.parametrize(
    ("code", "price", "expected"),
    [
        ("600000.SH", "10.01", ""),
        ("600000.SH", "10.001", "PRICE_RULE"),
        ("688981.SH", "50.005", "PRICE_RULE"),
        ("430047.BJ", "10.005", "PRICE_RULE"),
        ("510300.SH", "3.456", ""),
        ("510300.SH", "3.4565", "PRICE_RULE"),
        ("113052.SH", "108.501", ""),
        ("113052.SH", "108.5005", "PRICE_RULE"),
    ],
)
def test_prices_lie_on_the_tick(code: str, price: str, expected: str) -> None:
    """A cent for shares, a tenth of it for funds and convertible bonds."""
    assert denied(code, 200, price) == expected


def test_an_instruments_kind_goes_before_its_code() -> None:
    """A fund whose code looks like a share's has a fund's tick and fees."""
    fund = Instrument(id=InstrumentId("600000.SH"), kind=InstrumentKind.ETF, market="china_a")
    assert BOOK.price_band(fund, 3.456) == (3.110, 3.802)
    assert BOOK.order_fee(Side.SELL, 100, Decimal(100_000), fund) == Decimal(25)


@pytest.mark.parametrize(
    ("code", "name", "close", "band"),
    [
        ("600000.SH", "浦发银行", 10.0, (9.0, 11.0)),
        ("600000.SH", "浦发银行", 9.95, (8.96, 10.95)),  # 8.955 and 10.945: half up
        ("600001.SH", "*ST x", 10.0, (9.0, 11.0)),
        ("000002.SZ", "ST万科", 10.0, (9.0, 11.0)),
        ("300750.SZ", "宁德时代", 10.0, (8.0, 12.0)),
        ("688981.SH", "中芯国际", 10.0, (8.0, 12.0)),
        ("430047.BJ", "诺思兰德", 10.0, (7.0, 13.0)),
        ("510300.SH", "沪深300ETF", 3.456, (3.110, 3.802)),
        ("588000.SH", "科创50ETF", 1.0, (0.8, 1.2)),
        ("113052.SH", "兴业转债", 108.5, (86.8, 130.2)),
    ],
)
def test_a_days_prices_stay_within_the_boards_limits(
    code: str, name: str, close: float, band: tuple[float, float]
) -> None:
    """10 %, 20 %, 30 % by the close before, rounded half up to the tick; special treatment is 10 % by now."""
    assert BOOK.price_band(an_instrument(code, name), close) == band


def test_without_a_close_there_are_no_limits() -> None:
    """Nothing is guessed."""
    assert BOOK.price_band(an_instrument("600000.SH"), None) is None


@pytest.mark.parametrize(
    ("when", "limit", "market"),
    [
        ("09:14:59", "SESSION", "SESSION"),
        ("09:15:00", "", "SESSION"),
        ("09:24:59", "", "SESSION"),
        ("09:25:00", "SESSION", "SESSION"),
        ("09:30:00", "", ""),
        ("11:29:59", "", ""),
        ("11:30:00", "SESSION", "SESSION"),
        ("13:00:00", "", ""),
        ("14:56:59", "", ""),
        ("14:57:00", "", "SESSION"),
        ("14:59:59", "", "SESSION"),
        ("15:00:00", "SESSION", "SESSION"),
        ("2026-11-21 10:00:00", "SESSION", "SESSION"),  # Saturday
        ("2026-10-01 10:00:00", "SESSION", "SESSION"),  # National Day
        ("2026-12-25 10:00:00", "", ""),  # Hong Kong's holiday alone
        ("2027-03-01 10:00:00", "SESSION", "SESSION"),  # past the last day known
    ],
)
def test_orders_go_in_auctions_and_hours(when: str, limit: str, market: str) -> None:
    """Limit orders in the auctions too, market orders in continuous trading alone."""
    assert denied("600000.SH", 100, "10", when) == limit
    assert denied("600000.SH", 100, None, when) == market


@pytest.mark.parametrize(
    ("when", "phase", "cancel"),
    [
        ("09:14:59", Phase.CLOSED, False),
        ("09:15:00", Phase.OPENING_AUCTION, True),
        ("09:19:59", Phase.OPENING_AUCTION, True),
        ("09:20:00", Phase.OPENING_FIXED, False),
        ("09:25:00", Phase.WAITING, False),
        ("09:30:00", Phase.CONTINUOUS, True),
        ("11:30:00", Phase.BREAK, False),
        ("13:00:00", Phase.CONTINUOUS, True),
        ("14:56:59", Phase.CONTINUOUS, True),
        ("14:57:00", Phase.CLOSING_AUCTION, False),
        ("15:00:00", Phase.CLOSED, False),
        ("2026-11-21 10:00:00", Phase.CLOSED, False),
    ],
)
def test_cancels_have_hours_of_their_own(when: str, phase: Phase, cancel: bool) -> None:
    """None from 09:20 to 09:25 and from 14:57 on."""
    assert BOOK.phase(local(when)) is phase
    assert BOOK.may_cancel(local(when)) is cancel


@pytest.mark.parametrize(
    ("when", "orders", "cancels"),
    [
        ("08:00:00", "09:15:00", "09:15:00"),
        ("09:22:00", "09:22:00", "09:30:00"),
        ("09:27:00", "09:30:00", "09:30:00"),
        ("12:00:00", "13:00:00", "13:00:00"),
        ("14:58:00", "14:58:00", None),
        ("15:00:00", None, None),
        ("2026-11-21 10:00:00", None, None),
    ],
)
def test_what_waits_goes_at_the_next_moment_of_the_day(when: str, orders: str | None, cancels: str | None) -> None:
    """An order or cancel that is ready too early waits; past the day's last moment there is none."""
    assert BOOK.takes_from_ns(local(when)) == (local(orders) if orders else None)
    assert BOOK.cancels_from_ns(local(when)) == (local(cancels) if cancels else None)


@pytest.mark.parametrize(
    ("code", "base", "highest", "lowest"),
    [
        ("600000.SH", 10.0, "10.20", "9.80"),
        ("600000.SH", 3.0, "3.10", "2.90"),  # ten ticks reach further than 2 %
        ("000001.SZ", 5.0, "5.10", "4.90"),  # both the same
        ("300750.SZ", 3.0, "3.10", "2.90"),
        ("688981.SH", 3.0, "3.06", "2.94"),
        ("688981.SH", 53.33, "54.39", "52.27"),  # 54.3966 and 52.2634, to the narrower side
        ("430047.BJ", 10.0, "10.50", "9.50"),
        ("430047.BJ", 1.0, "1.10", "0.90"),
        ("510300.SH", 3.0, None, None),
        ("113052.SH", 100.0, None, None),
    ],
)
def test_the_cage_is_two_per_cent_or_ten_ticks(code: str, base: float, highest: str | None, lowest: str | None) -> None:
    """The wider of the two around the base price; STAR two per cent alone, Beijing five; no cage for funds, bonds."""
    instrument = an_instrument(code)
    assert BOOK.price_cage(Side.BUY, instrument, base) == (Decimal(highest) if highest else None)
    assert BOOK.price_cage(Side.SELL, instrument, base) == (Decimal(lowest) if lowest else None)


def test_what_this_broker_does_not_take() -> None:
    """No short sales, no other types, no limit order without a price."""
    assert denied("600000.SH", 100, "10", side=Side.SELL_SHORT) == "UNSUPPORTED"
    assert denied("600000.SH", 100, "10", side=Side.BUY_BACK) == "UNSUPPORTED"
    assert denied("600000.SH", 100, "10", kind=OrderType.STOP_LIMIT) == "UNSUPPORTED"
    assert denied("600000.SH", 100, None, kind=OrderType.LIMIT) == "UNSUPPORTED"


@pytest.mark.parametrize(
    ("code", "side", "value", "fee"),
    [
        ("600000.SH", Side.BUY, "100000", "26.00"),  # 25 + 1
        ("600000.SH", Side.SELL, "100000", "76.00"),  # and 50 of duty
        ("600000.SH", Side.BUY, "1000", "5.01"),  # the minimum
        ("600000.SH", Side.SELL, "1000", "5.51"),
        ("600000.SH", Side.SELL, "12345.67", "11.29"),  # 5 + 0.12 + 6.17, each to the cent
        ("430047.BJ", Side.SELL, "100000", "76.00"),
        ("510300.SH", Side.SELL, "100000", "25.00"),
        ("113052.SH", Side.SELL, "100000", "25.00"),
        ("113052.SH", Side.BUY, "1000", "5"),
    ],
)
def test_fees_of_an_order(code: str, side: Side, value: str, fee: str) -> None:
    """Commission with its minimum, transfer on both sides, duty on sales; funds and bonds pay commission alone."""
    assert BOOK.order_fee(side, 100, Decimal(value), an_instrument(code)) == Decimal(fee)


def test_the_minimum_counts_once_an_order() -> None:
    """Two fills of one order cost less as an order than one by one; an order without fills costs nothing."""
    bank = an_instrument("600000.SH")
    one = BOOK.fee(OrderType.LIMIT, Side.BUY, 100, Decimal(10), bank)
    assert one == Decimal("5.01")
    assert BOOK.order_fee(Side.BUY, 200, Decimal(2000), bank) == Decimal("5.02")
    assert BOOK.order_fee(Side.BUY, 0, Decimal(0), bank) == 0


def test_fees_are_settings() -> None:
    """A broker's own commission and minimum."""
    book = ChinaA(commission=Decimal("0.0001"), commission_min=Decimal(0))
    assert book.order_fee(Side.BUY, 100, Decimal(1000), an_instrument("600000.SH")) == Decimal("0.11")


def test_what_is_bought_is_sold_on_the_next_trading_day() -> None:
    """T+1 over a weekend, over the National Day week, and never where no next day is known; bonds at once."""

    def next_sale(day: str) -> str:
        return format_time(BOOK.sellable_from_ns(local(f"{day} 10:00:00")), "Asia/Shanghai")

    assert next_sale("2026-11-18") == "2026-11-19 09:15:00+08:00"
    assert next_sale("2026-11-20") == "2026-11-23 09:15:00+08:00"
    assert next_sale("2026-09-30") == "2026-10-08 09:15:00+08:00"
    assert next_sale("2026-12-24") == "2026-12-25 09:15:00+08:00"
    assert BOOK.sellable_from_ns(local("2026-12-31 10:00:00")) == NEVER_NS
    assert not BOOK.sells_same_day(an_instrument("510300.SH"))
    assert BOOK.sells_same_day(an_instrument("113052.SH"))


def test_a_closed_day_belongs_to_the_next_trading_day() -> None:
    """Daily counts turn over with the trading day; the market is open in its hours alone."""
    assert BOOK.trading_day(local("2026-11-21 10:00:00")) == BOOK.trading_day(local("2026-11-23 10:00:00"))
    assert BOOK.trading_day(local("16:00:00")) == BOOK.trading_day(local("10:00:00"))
    assert BOOK.is_open(local("14:59:00"))
    assert not BOOK.is_open(local("12:00:00"))
