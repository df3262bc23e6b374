"""What prices must be like: the exchange's cage, the jump, and what a market order is worth at worst."""

from decimal import Decimal

import pytest

from engine.domain.commands import Side
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.market import Quote
from engine.domain.timestamps import MINUTE_NS, SECOND_NS, parse_time
from engine.markets.china_a import ChinaA
from engine.markets.hong_kong import HongKong
from engine.portfolio import Portfolio
from engine.risk import RiskView
from tests.risk_builders import (
    ACCOUNT,
    INSTRUMENT,
    NOON_NS,
    a_checker,
    a_limit_order,
    a_view,
    an_order,
    answer,
)

TEN_NS = parse_time("2026-03-02 10:00:00+08:00")
AUCTION_NS = parse_time("2026-03-02 09:16:00+08:00")
SHARE, TENCENT = InstrumentId("600519.SH"), InstrumentId("00700.HK")


def a_view_of(instrument: Instrument, bid: float = 10.0, ask: float = 10.0, at_ns: int = TEN_NS) -> RiskView:
    """One account, one instrument, one quote; no quote where the bid is 0."""
    portfolio = Portfolio({instrument.id: instrument}, lambda _name, bought_ns: bought_ns)
    portfolio.open_account(ACCOUNT, instrument.currency, Decimal(10**6))
    if bid:
        portfolio.on_quote(Quote(instrument.id, at_ns, bid, ask))
    return RiskView(portfolio, {instrument.id: instrument}, {"china_a": ChinaA(), "hong_kong": HongKong()})


A_SHARE = Instrument(id=SHARE, market="china_a", lot=100)
H_SHARE = Instrument(id=TENCENT, market="hong_kong", currency="HKD", lot=100)


# --- price_cage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "side", "price", "words"),
    [
        (A_SHARE, Side.BUY, "10.30", ""),
        (A_SHARE, Side.BUY, "10.31", "price cage exceeded: 10.31 is above 10.30 (base 10.1)"),
        (A_SHARE, Side.BUY, "1", ""),
        (A_SHARE, Side.SELL, "9.80", ""),
        (A_SHARE, Side.SELL, "9.79", "price cage exceeded: 9.79 is below 9.80 (base 10.0)"),
        (A_SHARE, Side.SELL, "99", ""),
        (H_SHARE, Side.BUY, "10.34", ""),
        (H_SHARE, Side.BUY, "10.35", "price cage exceeded: 10.35 is above 10.34 (base 10.1)"),
        (H_SHARE, Side.SELL, "9.76", ""),
        (H_SHARE, Side.SELL, "9.75", "price cage exceeded: 9.75 is below 9.76 (base 10.0)"),
    ],
)
def test_a_limit_stays_in_the_cage(instrument: Instrument, side: Side, price: str, words: str) -> None:
    """102 % of the other side's best or ten ticks; 24 spreads in Hong Kong; only where it would reach too far."""
    checker = a_checker(a_view_of(instrument, 10.0, 10.1), "price_cage")
    order = a_limit_order(price, instrument=instrument.id, side=side)
    assert answer(checker, order, TEN_NS) == (("PRICE_RULE", words) if words else None)


def test_the_cage_needs_a_price_and_holds_in_continuous_trading_alone() -> None:
    """No price denies; market orders, auctions and markets without a cage are free."""
    order = a_limit_order("99", instrument=SHARE)
    checker = a_checker(a_view_of(A_SHARE, 0.0), "price_cage")
    assert answer(checker, order, TEN_NS) == ("STALE_DATA", "price cage not known: no price of 600519.SH")
    assert answer(checker, order, AUCTION_NS) is None
    assert answer(checker, an_order(instrument=SHARE), TEN_NS) is None
    assert answer(a_checker(a_view(), "price_cage"), a_limit_order("99")) is None


# --- sane_price ------------------------------------------------------------------------------------------------------


def tick(view: RiskView, price: float, ts_ns: int) -> None:
    """A quote, told as the wiring does."""
    quote = Quote(INSTRUMENT, ts_ns, price, price)
    view.portfolio.on_quote(quote)
    for event_type, handler in view.ears:
        if event_type is Quote:
            handler(quote)


@pytest.mark.parametrize(
    ("latest", "words"),
    [
        (10.5, ""),
        (10.51, "price jumped: 10.51 is more than 5% from the median 10.0"),
        (9.5, ""),
        (9.49, "price jumped: 9.49 is more than 5% from the median 10.0"),
    ],
)
def test_a_price_that_jumped_is_not_believed(latest: float, words: str) -> None:
    """Against the median of the last minute; when the minute has gone by it is what the market is."""
    view = a_view()
    checker = a_checker(view, "sane_price")
    for second in range(10):
        tick(view, 10.0, NOON_NS + second * SECOND_NS)
    tick(view, latest, NOON_NS + 10 * SECOND_NS)
    now_ns = NOON_NS + 10 * SECOND_NS
    assert answer(checker, an_order(), now_ns) == (("STALE_DATA", words) if words else None)
    tick(view, latest, now_ns + MINUTE_NS)
    assert answer(checker, an_order(), now_ns + MINUTE_NS) is None


@pytest.mark.parametrize(
    ("true", "false", "latest", "words"),
    [
        (9, 4, 100.0, "price jumped: 100.0 is more than 20% from 10.0, the median of the last 9"),
        (9, 4, 12.01, "price jumped: 12.01 is more than 20% from 10.0, the median of the last 9"),
        (9, 4, 12.0, ""),
        (5, 4, 100.0, "price jumped: 100.0 is more than 20% from 10.0, the median of the last 9"),
        (4, 4, 100.0, "price jumped: 100.0 is more than 20% from 10.0, the median of the last 8"),
        (9, 5, 100.0, ""),
        (0, 4, 100.0, ""),
    ],
)
def test_a_minute_of_few_prices_is_held_against_those_before_it(
    true: int, false: int, latest: float, words: str
) -> None:
    """A feed that comes back after a pause with four false frames is not believed; the fifth makes it the market."""
    view = a_view()
    checker = a_checker(view, "sane_price")
    for second in range(true):
        tick(view, 10.0, NOON_NS + second * SECOND_NS)
    back_ns = NOON_NS + 2 * MINUTE_NS
    for second in range(false):
        tick(view, latest, back_ns + second * SECOND_NS)
    now_ns = back_ns + false * SECOND_NS
    assert answer(checker, an_order(), now_ns) == (("STALE_DATA", words) if words else None)
    tick(view, latest, now_ns + 10 * MINUTE_NS)
    assert answer(checker, an_order(), now_ns + 10 * MINUTE_NS) is None, "what is older than ten minutes tells nothing"


def test_a_price_outside_the_days_limits_is_not_believed() -> None:
    """Where the close before is known; a price of nothing denies; the only price of a minute is compared with none."""
    view = a_view_of(A_SHARE, 11.01, 11.01)
    checker = a_checker(view, "sane_price")
    order = an_order(instrument=SHARE)
    assert answer(checker, order, TEN_NS) is None
    view.previous_close[SHARE] = 10.0
    said = ("STALE_DATA", "price 11.01 is outside the day's limits 9.0 to 11.0: not believed")
    assert answer(checker, order, TEN_NS) == said
    nothing = a_checker(a_view(price=None), "sane_price")
    assert answer(nothing, an_order()) == ("STALE_DATA", "no reference price of 600000.SH")


def test_a_minute_keeps_one_sample_a_second() -> None:
    """However many prices come; what is older than a minute is forgotten."""
    view = a_view()
    prices = view.watch_prices()
    for n in range(5_000):
        tick(view, 10.0 + n / 1000, NOON_NS + n * SECOND_NS // 20)
    minute = prices.minutes[INSTRUMENT]
    assert len(minute.samples) == len(minute._sorted) == 60
    assert [price for _, price in minute.samples] == sorted(minute._sorted)


@pytest.mark.parametrize(("last", "close"), [("2026-03-02 14:59:30", 10.0), ("2026-03-02 14:00:00", None)])
def test_the_close_before_is_the_last_price_if_the_market_shut_after_it(last: str, close: float | None) -> None:
    """A feed that stopped in the afternoon has not seen the close."""
    view = a_view_of(A_SHARE, 0.0)
    prices = view.watch_prices()
    prices.add(SHARE, parse_time(f"{last}+08:00"), 10.0)
    prices.add(SHARE, parse_time("2026-03-03 09:31:00+08:00"), 10.4)
    assert view.previous_close.get(SHARE) == close


# --- max_order_value: what a market order is worth -------------------------------------------------------------------


def test_a_market_order_counts_at_the_days_highest_price() -> None:
    """Where the close before is known: 100 at 11, not at 10; a limit counts at its limit."""
    view = a_view_of(A_SHARE)
    checker = a_checker(view, "max_order_value", value=1050)
    assert answer(checker, an_order(instrument=SHARE), TEN_NS) is None
    view.previous_close[SHARE] = 10.0
    said = ("MAX_NOTIONAL", "order value exceeded: 1100.0 (cap 1050)")
    assert answer(checker, an_order(instrument=SHARE), TEN_NS) == said
    assert answer(checker, a_limit_order("10.5", instrument=SHARE), TEN_NS) is None
