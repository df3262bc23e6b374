"""What is open or has just filled: the broker's pace, repeated fills, open orders and their worth, self-match."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.commands import OrderType, Side
from engine.domain.events import LatchCleared
from engine.domain.ids import AccountId
from engine.domain.order import Evidence
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from tests.risk_builders import (
    ACCOUNT,
    GAME,
    INSTRUMENT,
    NOON_NS,
    a_checker,
    a_fill,
    a_limit_order,
    a_view,
    an_order,
    answer,
    report,
    some_capabilities,
    submit,
)

OTHER = AccountId("second")


def test_the_brokers_pace_is_kept() -> None:
    """Orders and cancels of the last minute below the sheet's; without a sheet nothing passes."""
    view = a_view()
    view.capabilities[ACCOUNT] = some_capabilities(orders_per_minute=2)
    checker = a_checker(view, "venue_orders_per_minute")
    order = submit(view, an_order(client_id="c-1"))
    assert answer(checker, an_order()) is None
    view.on_cancel(order.request, NOON_NS)
    said = ("RATE", "rate limit exceeded: 2 orders in the last 60s (desk takes 2)")
    assert answer(checker, an_order()) == said
    assert answer(checker, an_order(), NOON_NS + MINUTE_NS) is None
    del view.capabilities[ACCOUNT]
    assert answer(checker, an_order()) == ("RATE", "account paper has declared no pace")


@pytest.mark.parametrize("scope", ["strategy:sma", "all"])
def test_fills_with_nobody_looking_stop_a_strategy(scope: str) -> None:
    """By the window; others go on; a person who lowers a latch on it has looked."""
    view = a_view()
    checker = a_checker(view, "repeated_fills", cap=2)
    view.on_fill(a_fill(an_order()))
    assert answer(checker, an_order()) is None
    view.on_fill(a_fill(an_order()))
    assert answer(checker, an_order()) == ("REPEAT", "repeated execution: 2 fills in the last 10m (cap 2)")
    assert answer(checker, an_order(strategy="grid")) is None
    view.on_unlatch(LatchCleared(scope="strategy:grid", reason="looked", who="me", ts_ns=NOON_NS))
    assert answer(checker, an_order()) is not None
    view.on_unlatch(LatchCleared(scope=scope, reason="looked", who="me", ts_ns=NOON_NS))
    assert answer(checker, an_order()) is None
    for _ in range(2):
        view.on_fill(a_fill(an_order()))
    assert answer(checker, an_order(), NOON_NS + 10 * MINUTE_NS) is None


# --- open_orders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("echoes", "cap"), [(False, 1), (True, 4)])
def test_as_many_on_one_side_as_the_broker_tells_apart(echoes: bool, cap: int) -> None:
    """One where it echoes no id, four where it does; the other side and other symbols count by themselves."""
    view = a_view()
    view.capabilities[ACCOUNT] = some_capabilities(echoes_client_id=echoes)
    checker = a_checker(view, "open_orders")
    for number in range(cap):
        assert answer(checker, an_order()) is None
        submit(view, an_order(client_id=f"c-{number}"))
    said = ("OPEN", f"open orders exceeded: {cap} to buy 600000.SH (cap {cap})")
    assert answer(checker, an_order()) == said
    assert answer(checker, an_order(side=Side.SELL)) is None
    assert answer(checker, an_order(instrument=GAME)) is None
    assert answer(a_checker(view, "open_orders", per_side=9), an_order()) is None


@pytest.mark.parametrize(
    ("scope", "strategy", "account", "denied"),
    [
        ("account", "grid", ACCOUNT, True), ("account", "sma", OTHER, False), ("strategy", "grid", ACCOUNT, False),
        ("strategy", "sma", OTHER, True), ("engine", "grid", OTHER, True),
    ],
)  # fmt: skip
def test_open_orders_are_counted_by_scope(scope: str, strategy: str, account: str, denied: bool) -> None:
    """Two are open, of one strategy on one account; an order that is over counts no more."""
    view = a_view()
    view.portfolio.open_account(OTHER, "CNY", Decimal(10**6))
    checker = a_checker(view, "open_orders", cap=2, per_side=9, scope=scope)
    first = submit(view, an_order(client_id="c-1"))
    submit(view, an_order(client_id="c-2", instrument=GAME))
    asked = an_order(strategy=strategy, account=account)
    said = ("OPEN", f"open orders exceeded: 2 of this {scope} (cap 2)")
    assert answer(checker, asked) == (said if denied else None)
    report(view, first, Evidence.SEND)
    report(view, first, Evidence.AMBIGUOUS)
    assert answer(checker, asked) == (said if denied else None)
    report(view, first, Evidence.ABSENT)
    assert answer(checker, asked) is None


def test_open_orders_are_worth_no_more_than_their_cap() -> None:
    """Both sides together, with this order; one without a known worth denies."""
    view = a_view()
    checker = a_checker(view, "max_open_value", value=3000)
    submit(view, a_limit_order("11", client_id="c-1"))
    made = submit(view, an_order(client_id="c-2", side=Side.SELL))
    assert answer(checker, a_limit_order("9")) is None
    said = ("OPEN", "open value exceeded: 3100.0 with this order (cap 3000)")
    assert answer(checker, a_limit_order("10")) == said
    report(view, made, Evidence.SEND)
    report(view, made, Evidence.FILL, quantity=100, price=Decimal(10), fill_id="f")
    assert answer(checker, a_limit_order("10")) is None
    unpriced = a_view(price=None)
    checker = a_checker(unpriced, "max_open_value")
    submit(unpriced, an_order(client_id="c-3", side=Side.SELL))
    said = ("STALE_DATA", "open value not known: no price of 600000.SH or of an open order")
    assert answer(checker, a_limit_order("10")) == said


# --- self_match ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "fields", "words"),
    [
        ("9.99", {}, ""),
        ("10", {}, "selling 600000.SH at 10"),
        ("11", {}, "selling 600000.SH at 10"),
        (None, {}, "selling 600000.SH at 10"),
        ("11", {"side": Side.SELL}, ""),
        ("11", {"instrument": GAME}, ""),
        ("11", {"strategy": "grid", "account": OTHER}, "selling 600000.SH at 10"),
    ],
)
def test_no_order_meets_an_open_one_of_our_own(price: str | None, fields: dict[str, Any], words: str) -> None:
    """10 and 10.5 are on sale: what would buy at 10 is denied, whoever of ours asks."""
    view = a_view()
    checker = a_checker(view, "self_match")
    for number, at in enumerate(("10.5", "10")):
        submit(view, a_limit_order(at, client_id=f"c-{number}", side=Side.SELL))
    order = an_order(**fields) if price is None else a_limit_order(price, **fields)
    said = ("SELF_MATCH", f"self-match: an open order of our own is {words}") if words else None
    assert answer(checker, order) == said


def test_an_order_without_a_limit_meets_every_price() -> None:
    """A market order, or a stop that may become one; undecided is open; what is over is not."""
    view = a_view()
    checker = a_checker(view, "self_match")
    stop = submit(view, an_order(client_id="c-1", type=OrderType.STOP, stop_price=Decimal(12)))
    said = ("SELF_MATCH", "self-match: an open order of our own is buying 600000.SH at any price")
    sale = a_limit_order("99", side=Side.SELL)
    assert answer(checker, sale) == said
    report(view, stop, Evidence.SEND)
    report(view, stop, Evidence.AMBIGUOUS)
    assert answer(checker, sale) == said
    report(view, stop, Evidence.ABSENT)
    assert answer(checker, sale) is None
    report(view, stop, Evidence.ACK)
    assert answer(checker, sale) == said


@pytest.mark.parametrize(("scope", "denied"), [("engine", True), ("account", True), ("strategy", False)])
def test_whose_orders_are_our_own(scope: str, denied: bool) -> None:
    """Another strategy's order on the same account, by scope."""
    view = a_view()
    checker = a_checker(view, "self_match", scope=scope)
    submit(view, a_limit_order("10", client_id="c-1", side=Side.SELL, strategy="grid"))
    assert (answer(checker, a_limit_order("10")) is not None) is denied


def test_a_changed_price_is_the_one_that_is_met() -> None:
    """A replaced order counts at its new limit."""
    view = a_view()
    checker = a_checker(view, "self_match")
    order = submit(view, a_limit_order("12", client_id="c-1", side=Side.SELL))
    report(view, order, Evidence.SEND)
    report(view, order, Evidence.ACK, venue_id="v")
    assert answer(checker, a_limit_order("11")) is None
    report(view, order, Evidence.REPLACE_REQUEST, quantity=100, price=Decimal(11))
    done_ns = NOON_NS + 2 * SECOND_NS
    report(view, order, Evidence.REPLACE_ACK, quantity=100, price=Decimal(11), ts_ns=done_ns)
    assert order.price == Decimal(11)
    assert answer(checker, a_limit_order("11")) is not None
    assert order.request.instrument == INSTRUMENT
