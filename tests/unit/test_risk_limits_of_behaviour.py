"""What exchanges watch in programme trading (RELIABILITY 4.3): denied at the stop, and found to be told or latched."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.commands import Side
from engine.domain.events import KillLevel
from engine.domain.ids import AccountId
from engine.domain.market import Bar, Trade
from engine.domain.order import Evidence
from engine.domain.timestamps import DAY_NS, MINUTE_NS, SECOND_NS
from engine.risk import RiskView
from engine.risk.limit import Finding, Limit
from tests.risk_builders import (
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
    submit,
)

OTHER = AccountId("second")


def send(view: RiskView, number: int, ts_ns: int = NOON_NS, **fields: Any) -> Any:
    """An order that left."""
    order = submit(view, an_order(client_id=f"c-{number}", ts_ns=ts_ns, **fields), ts_ns)
    report(view, order, Evidence.SEND, ts_ns=ts_ns)
    return order


def cancel(view: RiskView, order: Any, ts_ns: int) -> None:
    view.on_cancel(order.request, ts_ns, order.sent_ns)


def found(limit: Limit, view: RiskView, now_ns: int = NOON_NS, subject: Any = None) -> tuple[KillLevel, str] | None:
    finding: Finding | None = limit.finding(subject or an_order(), view, now_ns)
    return None if finding is None else (finding.level, finding.scope)


# --- message_rate ----------------------------------------------------------------------------------------------------


def test_what_leaves_is_counted_as_the_exchange_counts_it() -> None:
    """Orders and cancels of an account, strategies together; a cancel of what never left is none; 2 tell, 4 stop."""
    view = a_view()
    checker = a_checker(view, "message_rate", warn=2, stop=4)
    limit = checker.limits[0]
    orders = [send(view, 1), send(view, 2, strategy="grid")]
    view.on_cancel(an_order(client_id="c-9"), NOON_NS, 0)
    assert found(limit, view) == (KillLevel.RUN, "account:paper")
    cancel(view, orders[0], NOON_NS)
    assert answer(checker, an_order()) is None
    cancel(view, orders[1], NOON_NS)
    said = ("BEHAVIOUR", "orders and cancels exceeded: 4 in the last second (stop 4)")
    assert answer(checker, an_order()) == said
    assert found(limit, view) == (KillLevel.HALT, "account:paper")
    assert answer(checker, an_order(), NOON_NS + SECOND_NS) is None
    assert found(limit, view, NOON_NS + SECOND_NS) is None


def test_what_left_today_is_counted_too() -> None:
    """3 tell, 4 stop; the next trading day begins at nothing."""
    view = a_view()
    checker = a_checker(view, "message_rate", day_warn=3, day_stop=4)
    limit = checker.limits[0]
    for number in range(4):
        assert answer(checker, an_order(), NOON_NS + number * MINUTE_NS) is None
        send(view, number, NOON_NS + number * MINUTE_NS)
    later_ns = NOON_NS + 10 * MINUTE_NS
    said = ("BEHAVIOUR", "orders and cancels exceeded: 4 today (stop 4)")
    assert answer(checker, an_order(), later_ns) == said
    assert found(limit, view, later_ns) == (KillLevel.HALT, "account:paper")
    assert answer(checker, an_order(), NOON_NS + DAY_NS) is None


# --- quick_cancels ---------------------------------------------------------------------------------------------------


def test_orders_withdrawn_at_once_are_told_and_then_stopped() -> None:
    """Within a second of the send, and more than half of at least four orders cancelled."""
    view = a_view()
    checker = a_checker(view, "quick_cancels", warn=1, stop=2, ratio_percent=50, orders=4)
    limit = checker.limits[0]
    first = send(view, 1)
    cancel(view, first, NOON_NS + SECOND_NS + 1)
    assert found(limit, view) is None
    cancel(view, send(view, 2), NOON_NS + SECOND_NS)
    assert found(limit, view) == (KillLevel.RUN, "account:paper")
    send(view, 3)
    cancel(view, send(view, 4), NOON_NS)
    words = (
        "quick cancels exceeded: 2 cancels within 1s today (told from 1, stop 2 and more than 50% of 4 orders), "
        "3 of 4 orders cancelled"
    )
    assert answer(checker, an_order()) == ("BEHAVIOUR", words)
    assert found(limit, view) == (KillLevel.HALT, "account:paper")
    send(view, 5)
    send(view, 6)
    assert answer(checker, an_order()) is None


# --- volume_share ----------------------------------------------------------------------------------------------------


def prints(view: RiskView, size: float, price: float, ts_ns: int) -> None:
    """The market trades."""
    trade = Trade(INSTRUMENT, ts_ns, price, size)
    for kind, handler in view.ears:
        if kind is Trade:
            handler(trade)


def test_our_part_of_a_minute_is_capped() -> None:
    """1000 traded in the last whole minute: 100 of them may be ours; where no feed tells, nothing is denied."""
    view = a_view()
    checker = a_checker(view, "volume_share")
    assert answer(checker, an_order(quantity=10**6)) is None
    prints(view, 400, 10.0, NOON_NS - MINUTE_NS)
    assert answer(checker, an_order(quantity=10**6), NOON_NS - 1) is None
    prints(view, 1000, 10.0, NOON_NS)
    assert answer(checker, an_order(quantity=100)) is None
    view.on_fill(a_fill(an_order(), quantity=1))
    said = ("BEHAVIOUR", "volume share exceeded: 101 of 1000.0 in the last minute (cap 10%)")
    assert answer(checker, an_order(quantity=100)) == said
    assert answer(checker, an_order(quantity=99)) is None


def test_a_bar_of_a_minute_tells_the_volume_too() -> None:
    """For two minutes; bars of five do not."""
    view = a_view()
    checker = a_checker(view, "volume_share")
    hears = [handler for kind, handler in view.ears if kind is Bar]
    for handler in hears:
        handler(Bar(INSTRUMENT, NOON_NS, 10, 10, 10, 10, 500, 5 * MINUTE_NS))
    assert answer(checker, an_order(quantity=100)) is None
    for handler in hears:
        handler(Bar(INSTRUMENT, NOON_NS, 10, 10, 10, 10, 500, MINUTE_NS))
    assert answer(checker, an_order(quantity=100)) is not None
    assert answer(checker, an_order(quantity=100), NOON_NS + 3 * MINUTE_NS) is None


@pytest.mark.parametrize(
    ("quantity", "price", "level"),
    [
        (99, 10.2, None), (100, 10.0, None), (100, 10.05, None), (100, 10.2, KillLevel.RUN), (100, 9.8, KillLevel.RUN),
        (200, 10.2, KillLevel.HALT),
    ],
)  # fmt: skip
def test_much_of_a_minute_that_moved_is_a_press(quantity: int, price: float, level: KillLevel | None) -> None:
    """10 % of the volume and 1 % of the price tell; 20 % halts."""
    view = a_view()
    limit = a_checker(view, "volume_share").limits[0]
    prints(view, 5, 10.0, NOON_NS - 2 * MINUTE_NS)
    prints(view, 500, 10.0, NOON_NS - 30 * SECOND_NS)
    prints(view, 500, price, NOON_NS)
    view.on_fill(a_fill(an_order(), quantity=quantity))
    assert found(limit, view) == (None if level is None else (level, "account:paper"))


def test_three_presses_a_day_halt() -> None:
    """They are counted from the journal's notes; another account's are not ours, nor yesterday's."""
    view = a_view()
    limit = a_checker(view, "volume_share").limits[0]
    prints(view, 5, 10.0, NOON_NS - 2 * MINUTE_NS)
    prints(view, 500, 10.0, NOON_NS - 30 * SECOND_NS)
    prints(view, 500, 10.2, NOON_NS)
    view.on_fill(a_fill(an_order(), quantity=100))
    finding = limit.finding(an_order(), view, NOON_NS)
    assert finding is not None
    assert finding.press is not None
    view.on_press(finding.press)
    assert found(limit, view) == (KillLevel.RUN, "account:paper")
    view.on_press(finding.press)
    assert found(limit, view) == (KillLevel.HALT, "account:paper")
    view.on_press(finding.press)
    assert found(limit, view, NOON_NS + 5 * MINUTE_NS) == (KillLevel.HALT, "account:paper")
    assert found(limit, view, NOON_NS + DAY_NS) is None
    assert found(limit, view, NOON_NS + 5 * MINUTE_NS, an_order(account=OTHER)) is None


# --- one_sided_value -------------------------------------------------------------------------------------------------


def test_one_side_of_a_minute_is_told_and_then_stopped() -> None:
    """By side and symbol; the minute rolls."""
    view = a_view()
    checker = a_checker(view, "one_sided_value", warn=1000, stop=2000)
    limit = checker.limits[0]
    fill = a_fill(an_order(), quantity=99)
    view.on_fill(fill)
    assert found(limit, view, subject=fill) is None
    view.on_fill(a_fill(an_order(), quantity=1))
    assert found(limit, view, subject=fill) == (KillLevel.RUN, "account:paper")
    assert answer(checker, an_order(quantity=99)) is None
    said = ("BEHAVIOUR", "one-sided value exceeded: 2000.0 in a minute (stop 2000)")
    assert answer(checker, an_order()) == said
    assert answer(checker, an_order(side=Side.SELL)) is None
    view.on_fill(a_fill(an_order()))
    assert found(limit, view, subject=fill) == (KillLevel.HALT, "account:paper")
    assert found(limit, view, NOON_NS + MINUTE_NS, fill) is None
    priceless = a_checker(a_view(price=None), "one_sided_value")
    denial = answer(priceless, an_order())
    assert denial == ("STALE_DATA", "order value not known: no reference price of 600000.SH")


# --- opposite_trades -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "gap_ns", "counted"),
    [
        ({}, 0, True),
        ({"account": OTHER}, SECOND_NS, True),
        ({}, SECOND_NS + 1, False),
        ({"price": Decimal("10.01")}, 0, False),
        ({"side": Side.BUY}, 0, False),
        ({"instrument": GAME}, 0, False),
    ],
)
def test_a_trade_between_our_own_orders_is_seen(fields: dict[str, Any], gap_ns: int, counted: bool) -> None:
    """A buy and a sale at one price within a second, of orders that were open together."""
    view = a_view()
    checker = a_checker(view, "opposite_trades")
    limit = checker.limits[0]
    buy, sale = a_limit_order("10", client_id="c-1"), a_limit_order("10", client_id="c-2", side=Side.SELL)
    submit(view, buy)
    submit(view, sale)
    view.on_fill(a_fill(buy))
    view.on_fill(a_fill(sale, ts_ns=NOON_NS + gap_ns, **fields))
    said = ("BEHAVIOUR", "opposite trades exceeded: 1 between our own orders today (stop 1)")
    assert answer(checker, an_order()) == (said if counted else None)
    assert found(limit, view) == ((KillLevel.HALT, "account:paper") if counted else None)
    if counted and "account" in fields:
        assert found(limit, view, subject=an_order(account=OTHER)) == (KillLevel.HALT, "account:second")


def test_a_sale_sent_after_the_purchase_had_filled_is_no_opposite_trade() -> None:
    """They were never open together; more than one a day may be allowed by config, and is told."""
    view = a_view()
    checker = a_checker(view, "opposite_trades", stop=2)
    buy, sale = a_limit_order("10", client_id="c-1"), a_limit_order("10", client_id="c-2", side=Side.SELL)
    submit(view, buy)
    view.on_fill(a_fill(buy))
    submit(view, sale, NOON_NS + 1)
    view.on_fill(a_fill(sale, ts_ns=NOON_NS + 2))
    assert found(checker.limits[0], view) is None
    view.on_fill(a_fill(buy, ts_ns=NOON_NS + 3))
    assert found(checker.limits[0], view) == (KillLevel.RUN, "account:paper")
    assert answer(checker, an_order()) is None


def test_a_large_order_that_passes_is_told() -> None:
    """``max_order_value``: above the soft cap, below the hard one; a fill is no order."""
    view = a_view()
    limit = a_checker(view, "max_order_value").limits[0]
    assert found(limit, view, subject=an_order(quantity=5_000)) is None
    assert found(limit, view, subject=an_order(quantity=5_001)) == (KillLevel.RUN, "account:paper")
    assert found(limit, view, subject=a_fill(an_order(quantity=9_999))) is None
