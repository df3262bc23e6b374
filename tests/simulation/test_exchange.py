"""The market behind the simulated faces."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import ReplayClock
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, parse_time
from engine.markets.virtual import Virtual
from engine.simulators.exchange import Exchange, Listing
from tests.simulator_builders import CLOSED_NS, OPEN_NS, an_exchange

FIVE_NS = 5 * MINUTE_NS


def a_market(**settings: object) -> Exchange:
    arguments: dict[str, object] = {"seed": 3, "origin_ns": OPEN_NS // DAY_NS * DAY_NS, "hours": Virtual()} | settings
    listings = (Listing(code="CY", name="晨宇科技", price=37.9), Listing(code="DL", name="大立农业", price=74.79))
    return Exchange(listings, **arguments)  # type: ignore[arg-type]


def bars_of(exchange: Exchange, code: str = "CY") -> list[Bar]:
    stock = exchange.stock(code)
    assert stock is not None
    return list(stock.bars)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9 * HOUR_NS), max_size=12))
def test_prices_do_not_depend_on_when_anybody_asks(moments: list[int]) -> None:
    """The same seed and marks give the same bars whatever the pattern of polling, backwards glances included."""
    asked, at_once = a_market(), a_market()
    for moment in moments:
        asked.advance(OPEN_NS + moment)
    asked.advance(OPEN_NS + 9 * HOUR_NS)
    at_once.advance(OPEN_NS + 9 * HOUR_NS)
    assert bars_of(asked) == bars_of(at_once)
    assert len(bars_of(asked)) > 100


def test_another_seed_gives_other_prices_and_another_listing_moves_none() -> None:
    """Each code walks on its own stream of the seed."""
    one, other, more = a_market(), a_market(seed=4), a_market()
    more.list_stock(Listing(code="AA", name="新股", price=10.0), OPEN_NS // DAY_NS * DAY_NS)
    for market in (one, other, more):
        market.advance(OPEN_NS)
    assert bars_of(one) != bars_of(other)
    assert bars_of(one) == bars_of(more)


def test_prices_move_at_the_five_minute_marks_alone() -> None:
    """Between two marks nothing moves; the bar of a mark is there at the mark and closes at the price."""
    market = a_market()
    mark = OPEN_NS // FIVE_NS * FIVE_NS
    market.advance(mark)
    before = bars_of(market)
    market.advance(mark + FIVE_NS - 1)
    assert bars_of(market) == before
    market.advance(mark + FIVE_NS)
    fresh = bars_of(market)[len(before) :]
    assert [bar.ts_ns for bar in fresh] == [mark + FIVE_NS]
    assert fresh[0].close == market.stocks[0].price


def test_a_day_has_192_bars_that_hang_together() -> None:
    """From 08:00 to 23:55, each bar opening where the one before closed, wicks around the body, two decimals."""
    market = an_exchange(ReplayClock(CLOSED_NS), history_days=1)
    yesterday = bars_of(market)
    assert len(yesterday) == 192
    assert yesterday[0].ts_ns == parse_time("2026-03-01 08:00", "Asia/Shanghai")
    assert yesterday[-1].ts_ns == parse_time("2026-03-01 23:55", "Asia/Shanghai")
    for before, bar in pairwise(yesterday):
        assert bar.open == before.close
    for bar in yesterday:
        assert 0.01 <= bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.close == round(bar.close, 2)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_price_leaves_its_bounds_however_wild_the_walk(seed: int) -> None:
    """Within 50 % of the price an hour ago, at most twice the previous close (which wins), at least a cent."""
    market = a_market(seed=seed, volatility_scale=40.0, origin_ns=OPEN_NS - 2 * DAY_NS)
    hour: list[float] = []
    mark = market.next_mark_ns()
    while mark <= OPEN_NS:
        market.advance(mark)
        stock = market.stocks[0]
        if market.is_open(mark):
            if len(hour) >= 12:
                lowest = min(0.5 * hour[-12], 2 * stock.previous_close)
                assert lowest - 0.01 <= stock.price <= 1.5 * hour[-12] + 0.01
            assert 0.01 <= stock.price <= 2 * stock.previous_close + 0.01
            hour.append(stock.price)
        mark = market.next_mark_ns()
    assert len(hour) > 300


def test_previous_close_is_set_at_the_first_tick_of_a_day() -> None:
    """It is yesterday's last close all day long, and 0.0 for a stock listed today until tomorrow's first tick."""
    market = a_market(origin_ns=OPEN_NS - 2 * DAY_NS)
    eight = parse_time("2026-03-02 08:00", "Asia/Shanghai")
    market.advance(eight - 1)
    last = bars_of(market)[-1].close
    market.list_stock(Listing(code="EE", name="早股", price=5.0), eight - HOUR_NS)
    market.list_stock(Listing(code="NN", name="新股", price=5.0), eight + HOUR_NS)
    market.advance(OPEN_NS)
    early = market.stock("EE")
    assert early is not None
    assert early.bars
    assert early.previous_close == 0.0
    new = market.stock("NN")
    assert new is not None
    assert market.stocks[0].previous_close == last
    assert new.previous_close == 0.0
    assert new.bars
    tonight = new.price
    market.advance(eight + DAY_NS - 1)
    tonight = new.price
    market.advance(eight + DAY_NS)
    assert new.previous_close == tonight


def test_a_restart_repeats_the_date_and_loses_the_previous_close() -> None:
    """Two bars of one date, the second opening where the first closed; the previous close is the price."""
    market = a_market()
    market.restart(OPEN_NS)
    first, second = bars_of(market)[-2:]
    assert first.ts_ns == second.ts_ns == OPEN_NS // FIVE_NS * FIVE_NS
    assert second.open == first.close
    assert market.stocks[0].previous_close == market.stocks[0].price


def test_a_trade_presses_on_the_coming_steps_and_not_on_the_price_of_now() -> None:
    """Buying a million shares lifts the next price against the same market without it."""
    pressed, left_alone = a_market(), a_market()
    for market in (pressed, left_alone):
        market.advance(OPEN_NS)
    pressed.press("CY", 1_000_000, OPEN_NS)
    assert pressed.stocks[0].price == left_alone.stocks[0].price
    for market in (pressed, left_alone):
        market.advance(OPEN_NS + FIVE_NS)
    assert pressed.stocks[0].price > left_alone.stocks[0].price
    assert pressed.stocks[1].price == left_alone.stocks[1].price


def test_a_market_is_made_again_from_seed_origin_and_interventions() -> None:
    """A restarted process that is given the same three finds the same bars."""
    market = a_market()
    market.press("CY", 500_000, OPEN_NS)
    market.set_price("DL", 99.0, OPEN_NS + HOUR_NS)
    market.restart(OPEN_NS + 2 * HOUR_NS)
    market.advance(OPEN_NS + 3 * HOUR_NS)
    again = a_market(interventions=tuple(market.interventions))
    again.advance(OPEN_NS + 3 * HOUR_NS)
    for code in ("CY", "DL"):
        assert bars_of(again, code) == bars_of(market, code)


def a_bar(minute: int, price: float, ts_ns: int) -> Bar:
    return Bar(InstrumentId("CY.VSM"), ts_ns + minute * MINUTE_NS, price, price + 1, price - 1, price + 0.5, 10.0)


def test_replay_by_mark_plays_bar_after_bar_whatever_their_dates() -> None:
    """Bars of long ago become the bars of the coming marks; after the last one the price stands."""
    old = [a_bar(minute, 10.0 + minute, 0) for minute in range(3)]
    origin = OPEN_NS // FIVE_NS * FIVE_NS
    market = a_market(origin_ns=origin, replay={"CY": old}, gapless=False)
    market.advance(origin + 10 * FIVE_NS)
    played = bars_of(market)
    assert [bar.ts_ns for bar in played] == [origin + n * FIVE_NS for n in range(3)]
    assert [(b.open, b.high, b.low, b.close, b.volume) for b in played] == [
        (b.open, b.high, b.low, b.close, b.volume) for b in old
    ]
    assert market.stocks[0].price == 12.5


def test_replay_by_time_makes_the_bars_of_a_mark_one() -> None:
    """Five one-minute bars up to a mark give one bar: first open, highest high, lowest low, last close, all volume."""
    mark = OPEN_NS // FIVE_NS * FIVE_NS
    minutes = [a_bar(minute, 10.0 + minute, mark) for minute in range(1, 6)]
    market = a_market(origin_ns=mark, replay={"CY": minutes}, replay_by="time", gapless=False)
    market.advance(mark + FIVE_NS)
    (bar,) = bars_of(market)
    assert (bar.ts_ns, bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        mark + FIVE_NS,
        11.0,
        16.0,
        10.0,
        15.5,
        50,
    )


def test_gapless_replay_opens_at_the_price_before() -> None:
    """The virtual market's bars open where the price stood, and their wicks reach there."""
    mark = OPEN_NS // FIVE_NS * FIVE_NS
    market = a_market(origin_ns=mark, replay={"CY": [a_bar(0, 10.0, 0), a_bar(1, 20.0, 0)]})
    market.advance(mark + FIVE_NS)
    assert (bars_of(market)[1].open, bars_of(market)[1].low) == (10.5, 10.5)


def test_listeners_hear_quotes_trades_and_bars_as_they_happen() -> None:
    """At each mark a quote, a print and the bar of each stock, in code order; none after they stopped listening."""
    market = a_market()
    market.advance(OPEN_NS)
    heard: list[Bar | Quote | Trade] = []
    stop = market.listen(heard.append)
    market.advance(OPEN_NS + FIVE_NS)
    assert [(type(event), event.instrument) for event in heard] == [
        (kind, code) for code in ("CY.VSM", "DL.VSM") for kind in (Quote, Trade, Bar)
    ]
    market.print_trade("CY", 37.5, 100, OPEN_NS + FIVE_NS)
    assert heard[-1] == Trade(InstrumentId("CY.VSM"), OPEN_NS + FIVE_NS, 37.5, 100.0)
    stop()
    market.advance(OPEN_NS + 2 * FIVE_NS)
    assert len(heard) == 7


def test_a_listing_below_a_cent_is_refused() -> None:
    """No price can be below 0.01, not the first one either."""
    with pytest.raises(ValueError, match=r"at least 0\.01"):
        Listing(code="X", name="x", price=0.0)
