"""Limits that look at prices, counters and books: at the cap they pass, just above they deny."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.commands import Side, SubmitOrder
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.order import Evidence
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, parse_time
from engine.markets.china_a import ChinaA
from tests.risk_builders import (
    ACCOUNT,
    GAME,
    INSTRUMENT,
    NOON_NS,
    a_checker,
    a_limit_order,
    a_view,
    an_order,
    answer,
    hold,
    report,
    submit,
)

# --- price collar ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_price_collar(side: Side) -> None:
    """3 % either way, edges included."""
    checker = a_checker(a_view(), "price_collar")
    for inside in ("9.70", "10", "10.30"):
        assert answer(checker, a_limit_order(inside, side=side)) is None
    for outside in ("9.69", "10.31"):
        assert answer(checker, a_limit_order(outside, side=side)) == (
            "COLLAR", f"price collar exceeded: {outside} is more than 3% from 10.0",
        )  # fmt: skip


def test_the_collar_denies_without_a_fresh_price() -> None:
    """3 s pushed, or two intervals polled; older or none denies market orders too."""
    old = a_view(age_ns=3 * SECOND_NS)
    checker = a_checker(old, "price_collar")
    assert answer(checker, an_order()) is None
    assert answer(checker, an_order(), NOON_NS + 1) == ("STALE_DATA", "reference price too old: 3s (cap 3s)")
    old.feed_interval_ns[INSTRUMENT] = 4 * SECOND_NS
    assert answer(checker, an_order(), NOON_NS + 5 * SECOND_NS) is None
    assert answer(checker, an_order(), NOON_NS + 6 * SECOND_NS) == (
        "STALE_DATA", "reference price too old: 9s (cap 8s)",
    )  # fmt: skip
    for price in (None, float("nan"), float("inf"), 0.0, -1.0):
        assert answer(a_checker(a_view(price=price), "price_collar"), a_limit_order()) == (
            "STALE_DATA", "no reference price of 600000.SH",
        )  # fmt: skip


def test_a_price_of_hours_ago_is_too_old_as_any_other() -> None:
    """Of bars of the past nothing is ordered at all (``HISTORY``): what comes here is a feed that stands still."""
    checker = a_checker(a_view(age_ns=2 * 3600 * SECOND_NS), "price_collar")
    assert answer(checker, an_order()) == ("STALE_DATA", "reference price too old: 7200s (cap 3s)")


# --- duplicates ------------------------------------------------------------------------------------------------------


def test_duplicate_order() -> None:
    """The same strategy, symbol, side, quantity and price within 3 s is a duplicate; any difference is none."""
    view = a_view()
    checker = a_checker(view, "duplicate_order")
    assert answer(checker, a_limit_order("10")) is None
    submit(view, a_limit_order("10"))
    again = a_limit_order("10.00", client_id="o-2")
    assert answer(checker, again, NOON_NS + 3 * SECOND_NS - 1) is not None
    assert answer(checker, again, NOON_NS + 2 * SECOND_NS) == (
        "DUPLICATE", "duplicate order: the same was sent 2s ago (window 3s)",
    )  # fmt: skip
    assert answer(checker, again, NOON_NS + 3 * SECOND_NS) is None
    others = ({"side": Side.SELL}, {"quantity": 200}, {"price": Decimal(11)}, {"strategy": "x"}, {"instrument": GAME})
    for other in others:
        assert answer(checker, a_limit_order("10", **other)) is None


@pytest.mark.parametrize("kind", [Evidence.AMBIGUOUS, Evidence.CANDIDATES])
def test_an_undecided_order_blocks_its_symbol_and_side(kind: Evidence) -> None:
    """While an order is UNKNOWN or DISPUTED no other of that symbol and direction leaves, whatever its strategy."""
    view = a_view()
    checker = a_checker(view, "duplicate_order")
    order = submit(view, an_order())
    report(view, order, Evidence.SEND)
    other = an_order(client_id="o-2", quantity=7, strategy="other")
    later_ns = NOON_NS + HOUR_NS
    assert answer(checker, other, later_ns) is None
    report(view, order, kind)
    assert answer(checker, other, later_ns) == (
        "DUPLICATE", "undecided order: 1 buy of 600000.SH may or may not be placed",
    )  # fmt: skip
    assert answer(checker, an_order(client_id="o-3", side=Side.SELL), later_ns) is None
    assert answer(checker, an_order(client_id="o-3", instrument=GAME), later_ns) is None
    report(view, order, Evidence.OPERATOR, to=order.state.NOT_PLACED, reason="seen")
    assert answer(checker, other, later_ns) is None


# --- rates -----------------------------------------------------------------------------------------------------------


def test_the_sentence_of_a_rate_limit_is_the_documented_one() -> None:
    """Word for word."""
    view = a_view()
    checker = a_checker(view, "orders_per_minute", cap=3)
    for _ in range(3):
        assert checker.check(an_order(), NOON_NS) is None
        submit(view, an_order())
    denial = checker.check(an_order(), NOON_NS)
    assert denial is not None
    assert denial.reason == "limit check failed: rate limit exceeded: 3 orders in the last 60s (cap 3)"


@pytest.mark.parametrize(
    ("name", "span_ns", "words"),
    [
        ("orders_per_second", SECOND_NS, "in the last 1s"),
        ("orders_per_minute", MINUTE_NS, "in the last 60s"),
        ("symbol_orders_per_minute", MINUTE_NS, "in the last 60s"),
    ],
)
def test_rates_slide(name: str, span_ns: int, words: str) -> None:
    """An order frees its place one span after it left, not at the turn of a clock second or minute."""
    view = a_view()
    checker = a_checker(view, name, cap=2)
    submit(view, an_order(), NOON_NS)
    submit(view, an_order(client_id="o-2"), NOON_NS + span_ns // 2)
    assert answer(checker, an_order(), NOON_NS + span_ns - 1) == (
        "RATE",
        f"rate limit exceeded: 2 orders {words} (cap 2)",
    )
    assert answer(checker, an_order(), NOON_NS + span_ns) is None


def test_cancels_count_towards_rates_and_may_pass_the_cap() -> None:
    """A cancel counts, is never asked, and the count then shows more than the cap."""
    view = a_view()
    checker = a_checker(view, "orders_per_minute", cap=2)
    for _ in range(3):
        view.on_cancel(an_order(), NOON_NS)
    assert answer(checker, an_order()) == ("RATE", "rate limit exceeded: 3 orders in the last 60s (cap 2)")


@pytest.mark.parametrize(
    "name", ["orders_per_second", "orders_per_minute", "symbol_orders_per_minute", "orders_per_day"]
)
@pytest.mark.parametrize(
    ("scope", "free"),
    [
        ("strategy", {"strategy": "other"}),
        ("account", {"account": "second"}),
        ("symbol", {"instrument": InstrumentId("600001.SH")}),
        ("engine", None),
    ],
)
def test_rates_count_by_scope(name: str, scope: str, free: dict[str, Any] | None) -> None:
    """Another strategy, account or symbol has its own count, but for the scope engine."""
    view = a_view()
    view.portfolio.open_account(AccountId("second"), "CNY", Decimal(0))
    view.instruments = {**view.instruments, InstrumentId("600001.SH"): view.instruments[INSTRUMENT]}
    checker = a_checker(view, name, cap=1, scope=scope)
    view.on_cancel(an_order(), NOON_NS)
    assert answer(checker, an_order()) is not None
    if free is not None:
        assert answer(checker, an_order(**free)) is None
    else:
        other = {"strategy": "other", "account": "second", "instrument": "600001.SH"}
        assert answer(checker, an_order(**other)) is not None


def test_orders_per_day_turn_over_with_the_markets_day() -> None:
    """16:00 UTC is midnight in Shanghai: the game's day turns there, the free market's at 24:00 UTC."""
    view = a_view()
    checker = a_checker(view, "orders_per_day", cap=1)
    evening_ns = parse_time("2026-03-02 23:59:59+08:00")
    for instrument in (GAME, INSTRUMENT):
        view.on_cancel(an_order(instrument=instrument), evening_ns)
        assert answer(checker, an_order(instrument=instrument), evening_ns) == (
            "RATE", "rate limit exceeded: 1 orders today (cap 1)",
        )  # fmt: skip
    midnight_ns = evening_ns + SECOND_NS
    assert answer(checker, an_order(instrument=GAME), midnight_ns) is None
    assert answer(checker, an_order(), midnight_ns) is not None
    assert answer(checker, an_order(), midnight_ns + 8 * HOUR_NS) is None


# --- sellable, cash --------------------------------------------------------------------------------------------------


def test_sellable() -> None:
    """Held, less what is locked and what working sells may take; no short sale."""
    view = a_view()
    checker = a_checker(view, "sellable")
    hold(view, 300)
    assert answer(checker, an_order(side=Side.SELL, quantity=300)) is None
    assert answer(checker, an_order(side=Side.SELL, quantity=301)) == (
        "SELLABLE", "sellable quantity exceeded: 301 (sellable 300)",
    )  # fmt: skip
    submit(view, an_order(client_id="w", side=Side.SELL, quantity=200))
    assert answer(checker, an_order(side=Side.SELL, quantity=100)) is None
    assert answer(checker, an_order(side=Side.SELL, quantity=101)) is not None
    assert answer(checker, an_order(side=Side.SELL_SHORT, quantity=1)) == ("SELLABLE", "short sales are not allowed")
    assert answer(checker, an_order(quantity=10**9)) is None
    assert answer(checker, an_order(instrument=GAME, side=Side.SELL)) == (
        "SELLABLE", "sellable quantity exceeded: 100 (sellable 0)",
    )  # fmt: skip


def test_a_denied_sale_says_from_when_on_what_was_bought_may_be_sold() -> None:
    """T+1 says nothing to who never heard of it: the date does."""
    view = a_view()
    view.books["free"] = ChinaA()  # type: ignore[index]
    hold(view, 300)
    free_ns = parse_time("2026-03-03 09:30:00+08:00")
    view.portfolio.accounts[ACCOUNT].positions[INSTRUMENT].locked.append((free_ns, 200))
    checker = a_checker(view, "sellable")
    assert answer(checker, an_order(side=Side.SELL, quantity=100)) is None
    assert answer(checker, an_order(side=Side.SELL, quantity=300)) == (
        "SELLABLE",
        "sellable quantity exceeded: 300 (sellable 100; 200 bought lately can be sold from 2026-03-03 09:30 on)",
    )


def test_what_was_just_bought_on_the_game_market_is_locked_for_an_hour() -> None:
    """The lock ends to the nanosecond."""
    view = a_view()
    order = submit(view, an_order(instrument=GAME))
    report(view, order, Evidence.SEND)
    report(view, order, Evidence.FILL, quantity=100, price=Decimal(10), fill_id="f", ts_ns=NOON_NS)
    checker = a_checker(view, "sellable")
    sale = an_order(instrument=GAME, side=Side.SELL)
    assert answer(checker, sale, NOON_NS + HOUR_NS - 1) is not None
    assert answer(checker, sale, NOON_NS + HOUR_NS) is None


@pytest.mark.parametrize(
    ("factor", "cash", "passes"),
    [
        ("1", "1000.3", True),
        ("1", "1000.2999", False),
        ("1.002", "1002.3", True),
        ("1.002", "1002.2999", False),
    ],
)
@pytest.mark.parametrize("order", [an_order(), a_limit_order("10"), an_order(side=Side.BUY_BACK)])
def test_cash(order: SubmitOrder, factor: str, cash: str, passes: bool) -> None:
    """100 at 10 x the factor, and 0.03 % of 1000 as fee, must be there to the last decimal."""
    found = answer(a_checker(a_view(cash=cash), "cash", factor=factor), order)
    assert (found is None) is passes
    if found is not None:
        assert found[0] == "CASH"
        assert found[1].endswith(f"(available {cash})")


def test_reserved_cash_is_not_available() -> None:
    """What an open order has reserved is taken off, and comes back when it ends."""
    view = a_view(cash="1500")
    checker = a_checker(view, "cash")
    assert answer(checker, an_order()) is None
    order = submit(view, an_order(client_id="w"), reserved="1002.3")
    assert answer(checker, an_order()) is not None
    report(view, order, Evidence.SEND)
    report(view, order, Evidence.REJECT, reason="no")
    assert answer(checker, an_order()) is None


def test_cash_needs_a_price_but_a_sale_does_not() -> None:
    """A purchase of unknown cost is denied."""
    checker = a_checker(a_view(price=None), "cash")
    assert answer(checker, an_order()) == ("STALE_DATA", "cost not known: no reference price of 600000.SH")
    assert answer(checker, a_limit_order("10")) is None
    assert answer(checker, an_order(side=Side.SELL)) is None


# --- position, turnover ----------------------------------------------------------------------------------------------


def test_max_position_counts_what_is_held_working_and_unknown() -> None:
    """Worst case: all of it fills."""
    view = a_view()
    checker = a_checker(view, "max_position", quantity=500)
    hold(view, 100)
    submit(view, an_order(client_id="w", quantity=100))
    unknown = submit(view, an_order(client_id="u", quantity=100))
    report(view, unknown, Evidence.SEND)
    report(view, unknown, Evidence.AMBIGUOUS)
    assert answer(checker, an_order(quantity=200)) is None
    assert answer(checker, an_order(quantity=201)) == ("POSITION", "position exceeded: 501 of 600000.SH (cap 500)")
    report(view, unknown, Evidence.ABSENT)
    assert answer(checker, an_order(quantity=300)) is None
    assert answer(checker, an_order(quantity=301)) is not None


def test_max_position_by_value() -> None:
    """At the latest price, or at the order's if that is higher; no price denies."""
    view = a_view()
    checker = a_checker(view, "max_position", value=2000)
    hold(view, 100)
    assert answer(checker, an_order()) is None
    assert answer(checker, an_order(quantity=101)) == (
        "POSITION", "position value exceeded: 2010.0 of 600000.SH (cap 2000)",
    )  # fmt: skip
    assert answer(checker, a_limit_order("9")) is None
    assert answer(checker, a_limit_order("10.01")) is not None
    assert answer(checker, an_order(instrument=GAME)) == (
        "STALE_DATA", "position value not known: no reference price of CY.VSM",
    )  # fmt: skip


def test_the_way_back_is_never_too_far() -> None:
    """A sale out of a position above the cap passes, without a price too; past zero the short side is capped alike."""
    view = a_view(price=None)
    checker = a_checker(view, "max_position", quantity=100)
    hold(view, 900)
    assert answer(checker, an_order(side=Side.SELL, quantity=900)) is None
    assert answer(checker, an_order(side=Side.SELL, quantity=1001)) == (
        "POSITION", "position exceeded: 101 of 600000.SH (cap 100)",
    )  # fmt: skip


def test_max_daily_value_counts_fills_and_open_orders_until_the_day_turns() -> None:
    """Bought and sold add up; what an order no longer can do is given back; tomorrow starts with what is still open."""
    view = a_view()
    checker = a_checker(view, "max_daily_value", value=3000)
    bought = submit(view, a_limit_order("10", client_id="a"))
    report(view, bought, Evidence.SEND)
    report(view, bought, Evidence.FILL, quantity=60, price=Decimal(9), fill_id="f")
    new = an_order(client_id="n", quantity=200)
    # 60 filled at 9, 40 open at 10, 200 at 10: 540 + 400 + 2000
    assert answer(checker, new, NOON_NS + SECOND_NS) is None
    assert answer(checker, an_order(client_id="n", quantity=207), NOON_NS + SECOND_NS) == (
        "TURNOVER", "daily value exceeded: 3010.0 today with this order (cap 3000)",
    )  # fmt: skip
    report(view, bought, Evidence.CANCEL_REQUEST)
    report(view, bought, Evidence.CANCELED, cum=60)
    assert answer(checker, an_order(client_id="n", quantity=246), NOON_NS + SECOND_NS) is None
    assert answer(checker, an_order(client_id="n", quantity=247), NOON_NS + SECOND_NS) is not None
    assert answer(checker, an_order(client_id="n", quantity=300), NOON_NS + DAY_NS) is None
    assert answer(checker, an_order(client_id="n", quantity=301), NOON_NS + DAY_NS) is not None


def test_turnover_does_not_stop_what_only_reduces() -> None:
    """An exit is free of the day's cap; a sale larger than the holding is not."""
    view = a_view()
    hold(view, 1000)
    checker = a_checker(view, "max_daily_value", value=1)
    assert answer(checker, an_order(side=Side.SELL, quantity=1000)) is None
    assert answer(checker, an_order(side=Side.SELL, quantity=1001)) is not None
    assert answer(checker, an_order(quantity=1)) is not None


def test_an_open_order_of_unknown_worth_denies() -> None:
    """After a restart the journal has no marks: a market sell still open has no worth, and denies."""
    view = a_view(price=None)
    checker = a_checker(view, "max_daily_value")
    order = submit(view, an_order(client_id="s", side=Side.SELL))
    words = ("STALE_DATA", "daily value not known: no price of 600000.SH or of an open order")
    assert answer(checker, a_limit_order("10")) == words
    report(view, order, Evidence.SEND)
    report(view, order, Evidence.REJECT)
    assert answer(checker, a_limit_order("10")) is None
    assert answer(checker, an_order()) == words


def test_a_short_sale_passes_where_config_allows_it() -> None:
    """``[risk.sellable] short = true``: the venue lends; without it the same order is denied."""
    order = an_order(side=Side.SELL_SHORT, quantity=1)
    assert answer(a_checker(a_view(), "sellable"), order) is not None
    assert answer(a_checker(a_view(), "sellable", short=True), order) is None
