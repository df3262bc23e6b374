"""The rule books of Hong Kong, the United States and the connect to Shanghai and Shenzhen, figure by figure."""

from decimal import Decimal

import pytest

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.timestamps import format_time, parse_time
from engine.markets import MARKETS
from engine.markets.china_connect import NEVER_NS, ChinaConnect
from engine.markets.hong_kong import HongKong
from engine.markets.us import UnitedStates

TENCENT = Instrument(id=InstrumentId("00700.HK"), market="hong_kong", currency="HKD", lot=100, tick=Decimal("0.2"))
APPLE = Instrument(id=InstrumentId("AAPL.US"), market="us", currency="USD")
PUFA = Instrument(id=InstrumentId("600000.SH"), market="china_connect", currency="CNH", lot=100)


def an_order(
    instrument: Instrument,
    quantity: int,
    price: str | None,
    at_ns: int,
    *,
    side: Side = Side.BUY,
    kind: OrderType = OrderType.LIMIT,
) -> SubmitOrder:
    return SubmitOrder(
        client_id=ClientOrderId("o"), account=AccountId("a"), strategy=StrategyId("s"), instrument=instrument.id,
        side=side, quantity=quantity, ts_ns=at_ns, type=kind, price=Decimal(price) if price else None,
    )  # fmt: skip


def hk(text: str) -> int:
    return parse_time(text, "Asia/Hong_Kong")


def code(book: object, order: SubmitOrder, instrument: Instrument, held: int = 0) -> str:
    denial = book.check(order, instrument, order.ts_ns, held)  # type: ignore[attr-defined]
    return denial.code if denial is not None else ""


@pytest.mark.parametrize("name", ["hong_kong", "us", "china_connect"])
def test_the_book_is_registered_under_its_own_name(name: str) -> None:
    """Config names a market; the table has it."""
    assert MARKETS[name]().name == name


@pytest.mark.parametrize(
    ("when", "allowed"),
    [
        ("2026-11-18 09:29:59", False),
        ("2026-11-18 09:30:00", True),
        ("2026-11-18 12:00:00", False),
        ("2026-11-18 13:00:00", True),
        ("2026-11-18 15:59:59", True),
        ("2026-11-18 16:00:00", False),
        ("2026-11-21 10:00:00", False),  # Saturday
        ("2026-12-25 10:00:00", False),  # Christmas
        ("2026-12-24 13:30:00", False),  # half day
        ("2026-12-24 11:30:00", True),
        ("2040-01-04 10:00:00", False),  # past the last known day
    ],
)
def test_hong_kong_trades_in_its_sessions_only(when: str, allowed: bool) -> None:
    """Lunch, weekends, holidays, half days, and days nobody knows."""
    book = HongKong()
    order = an_order(TENCENT, 100, "400", hk(when))
    assert (code(book, order, TENCENT) == "") is allowed
    assert book.is_open(hk(when)) is allowed


@pytest.mark.parametrize(("book", "instrument"), [(HongKong, TENCENT), (UnitedStates, APPLE)])
def test_a_simulators_round_the_clock_hours_are_a_setting(book: type, instrument: Instrument) -> None:
    """``hours = "always"`` opens a Sunday; lots and ticks hold all the same."""
    sunday = hk("2026-11-22 03:00:00")
    always, order = book(hours="always"), an_order(instrument, 100, "400", sunday)
    assert code(book(), order, instrument) == "SESSION"
    assert not book().is_open(sunday)
    assert code(always, order, instrument) == ""
    assert always.is_open(sunday)
    assert code(always, an_order(instrument, 100, "400.001", sunday), instrument) == "PRICE_RULE"


@pytest.mark.parametrize(
    ("when", "allowed"),
    [("2026-11-18 09:15:00", True), ("2026-11-18 10:00:00", False), ("2026-11-18 16:05:00", True),
     ("2026-11-18 16:10:00", False)],
)  # fmt: skip
def test_hong_kong_takes_auction_orders_in_its_auctions(when: str, allowed: bool) -> None:
    """Before the opening and after the close, and at no other time."""
    order = an_order(TENCENT, 100, "400", hk(when), kind=OrderType.AUCTION_LIMIT)
    assert (code(HongKong(), order, TENCENT) == "") is allowed


@pytest.mark.parametrize(
    ("day", "price", "allowed"),
    [
        ("2026-11-18", "400.2", True),
        ("2026-11-18", "400.1", False),
        ("2026-11-18", "510.5", True),
        ("2026-11-18", "510.8", False),
        ("2026-11-18", "15.01", True),
        ("2025-08-01", "15.01", False),
        ("2025-08-01", "15.02", True),
        ("2025-08-04", "30.02", True),
        ("2025-08-01", "30.02", False),
        ("2026-11-18", "5.005", False),
        ("2026-11-18", "0.255", True),
        ("2026-11-18", "0.251", False),
    ],
)
def test_hong_kong_prices_lie_on_the_spread_table_of_the_day(day: str, price: str, allowed: bool) -> None:
    """The table changed on 2025-08-04; where its next change is not dated, the coarser step is asked for."""
    order = an_order(TENCENT, 100, price, hk(f"{day} 10:00:00"))
    assert code(HongKong(), order, TENCENT) == ("" if allowed else "PRICE_RULE")


def test_hong_kong_lots_and_sizes() -> None:
    """Whole board lots of that very stock, 3 000 of them at most."""
    at = hk("2026-11-18 10:00:00")
    assert code(HongKong(), an_order(TENCENT, 150, "400", at), TENCENT) == "LOT"
    assert code(HongKong(), an_order(TENCENT, 300_000, "400", at), TENCENT) == ""
    assert code(HongKong(), an_order(TENCENT, 300_100, "400", at), TENCENT) == "MAX_QTY"


def test_hong_kong_fees_by_hand() -> None:
    """51 080 HKD a hundred: levies 6.49, commission 15.32, platform 15, and duty of 52 that an ETF does not pay."""
    fund = Instrument(id=InstrumentId("02800.HK"), kind=InstrumentKind.ETF, market="hong_kong", lot=500)
    levies = Decimal("51080") * Decimal("0.000127")
    broker = Decimal("15.324") + 15
    expected = (levies + broker).quantize(Decimal("0.01"))
    bill = HongKong().fee(OrderType.LIMIT, Side.BUY, 100, Decimal("510.8"), TENCENT)
    assert bill == expected + 52
    assert HongKong().fee(OrderType.LIMIT, Side.BUY, 100, Decimal("510.8"), fund) == expected


@pytest.mark.parametrize(
    ("when", "fee"),
    [
        # Of 100 000: commission 30 and platform 15 are 45 on every day.
        ("2021-07-30", "155.20"),  # 45 + SFC 2.70 + trading 5 and 0.50 + settlement 2 + duty 100
        ("2021-08-02", "185.20"),  # duty 130
        ("2022-12-30", "185.35"),  # and AFRC 0.15
        ("2023-01-03", "185.50"),  # trading 5.65 alone
        ("2023-11-17", "155.50"),  # duty 100
        ("2025-06-30", "157.70"),  # settlement 4.20
    ],
)
def test_hong_kong_fees_by_date(when: str, fee: str) -> None:
    """Duty, levies, trading and settlement fees as they were."""
    bill = HongKong().order_fee(Side.BUY, 100, Decimal(100_000), TENCENT, hk(f"{when} 10:00:00"))
    assert bill == Decimal(fee)


def test_hong_kong_charges_an_order_once() -> None:
    """The platform's 15 and the duty's rounding up count once, however many fills an order has."""
    whole = HongKong().order_fee(Side.BUY, 200, Decimal(20_000), TENCENT)
    assert whole < 2 * HongKong().order_fee(Side.BUY, 100, Decimal(10_000), TENCENT) - 14


@pytest.mark.parametrize(
    ("when", "allowed", "extended"),
    [
        ("2026-11-18 09:29:59", False, True),
        ("2026-11-18 09:30:00", True, True),
        ("2026-11-18 16:00:00", False, True),
        ("2026-11-18 20:00:00", False, False),
        ("2026-11-27 13:30:00", False, True),  # the day after Thanksgiving ends at 13:00
        ("2026-11-26 10:00:00", False, False),  # Thanksgiving
        ("2026-03-09 09:30:00", True, True),  # first day of summer time
    ],
)
def test_new_york_trades_in_its_sessions_only(when: str, allowed: bool, extended: bool) -> None:
    """Regular hours by default; extended ones for limit orders where they are asked for."""
    at = parse_time(when, "America/New_York")
    order = an_order(APPLE, 1, "200.01", at)
    assert (code(UnitedStates(), order, APPLE) == "") is allowed
    assert (code(UnitedStates(extended=True), order, APPLE) == "") is extended


def test_new_york_ticks_and_fees() -> None:
    """A cent from one dollar up, a hundredth of it below; sellers pay two fees more."""
    at = parse_time("2026-11-18 10:00:00", "America/New_York")
    assert code(UnitedStates(), an_order(APPLE, 1, "200.005", at), APPLE) == "PRICE_RULE"
    assert code(UnitedStates(), an_order(APPLE, 1, "0.9999", at), APPLE) == ""
    assert code(UnitedStates(), an_order(APPLE, 1, "0.99995", at), APPLE) == "PRICE_RULE"
    book = UnitedStates()
    buy = book.fee(OrderType.LIMIT, Side.BUY, 100, Decimal(200), APPLE)
    sell = book.fee(OrderType.LIMIT, Side.SELL, 100, Decimal(200), APPLE)
    assert buy == Decimal("0.99") + 1 + Decimal("0.30")
    assert sell == Decimal("2.87")  # 2.29 + 0.556 + 0.0195, rounded up


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-11-18 09:20:00", ""),
        ("2026-11-18 09:27:00", "SESSION"),
        ("2026-11-18 11:30:00", "SESSION"),
        ("2026-11-18 14:59:00", ""),
        ("2026-12-25 10:00:00", "SESSION"),  # Shanghai trades, Hong Kong does not
        ("2026-10-01 10:00:00", "SESSION"),
        ("2027-03-01 10:00:00", "SESSION"),  # past the last day known of Shanghai
    ],
)
def test_the_connect_is_open_when_both_sides_are(when: str, expected: str) -> None:
    """A holiday of either closes it; so does not knowing."""
    order = an_order(PUFA, 100, "10.00", parse_time(when, "Asia/Shanghai"))
    assert code(ChinaConnect(), order, PUFA) == expected


def test_the_connect_takes_limit_orders_in_lots() -> None:
    """No market orders, no shorts, hundreds; a rest is sold whole; STAR from 200."""
    at = parse_time("2026-11-18 10:00:00", "Asia/Shanghai")
    star = Instrument(id=InstrumentId("688981.SH"), market="china_connect", lot=1)
    book = ChinaConnect()
    assert code(book, an_order(PUFA, 100, None, at, kind=OrderType.MARKET), PUFA) == "UNSUPPORTED"
    assert code(book, an_order(PUFA, 100, "10", at, side=Side.SELL_SHORT), PUFA) == "UNSUPPORTED"
    assert code(book, an_order(PUFA, 150, "10", at), PUFA) == "LOT"
    assert code(book, an_order(PUFA, 50, "10", at, side=Side.SELL), PUFA, held=50) == ""
    assert code(book, an_order(PUFA, 50, "10", at, side=Side.SELL), PUFA, held=150) == ""
    assert code(book, an_order(PUFA, 40, "10", at, side=Side.SELL), PUFA, held=150) == "LOT"
    assert code(book, an_order(star, 199, "50", at), star) == "LOT"
    assert code(book, an_order(star, 201, "50", at), star) == ""
    assert code(book, an_order(star, 100_001, "50", at), star) == "MAX_QTY"


def test_the_connect_sells_on_its_next_day() -> None:
    """T+1 over a weekend, over a holiday of Hong Kong's alone, and never where no next day is known."""
    book = ChinaConnect()

    def next_sale(day: str) -> str:
        return format_time(book.sellable_from_ns(parse_time(f"{day} 10:00:00", "Asia/Shanghai")), "Asia/Shanghai")

    assert next_sale("2026-11-20") == "2026-11-23 09:15:00+08:00"
    assert next_sale("2026-12-24") == "2026-12-28 09:15:00+08:00"
    assert book.sellable_from_ns(parse_time("2026-12-31 10:00:00", "Asia/Shanghai")) == NEVER_NS


def test_the_connect_has_daily_limits_by_board() -> None:
    """10 %, 20 % on ChiNext and STAR; special treatment 5 % until 2026-07-05; none without a close."""
    book = ChinaConnect()
    chinext = Instrument(id=InstrumentId("300750.SZ"), market="china_connect")
    special = Instrument(id=InstrumentId("600001.SH"), market="china_connect", name="*ST x")
    assert book.price_band(PUFA, 10.0) == (9.0, 11.0)
    assert book.price_band(chinext, 10.0) == (8.0, 12.0)
    assert book.price_band(special, 10.0, parse_time("2026-07-03 10:00:00", "Asia/Shanghai")) == (9.5, 10.5)
    assert book.price_band(special, 10.0, parse_time("2026-07-06 10:00:00", "Asia/Shanghai")) == (9.0, 11.0)
    assert book.price_band(PUFA, None) is None
