"""What became of an order, read from the order list of a venue that gives no number back (RELIABILITY 3.5)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.account import FillRow
from engine.domain.commands import Side
from engine.domain.events import PositionAdjusted
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.ids import EXTERNAL, ClientOrderId, VenueOrderId
from engine.domain.timestamps import HOUR_NS, SECOND_NS
from tests.core_builders import ACCOUNT, STOCKS
from tests.row_builders import LIMIT, PRICE, a_desk, a_position, a_row, lose, see


def test_a_row_is_acceptance_where_the_answer_is_a_claim() -> None:
    """The order waits for its row; a reading without it says nothing, one with it says it works."""
    desk = a_desk()
    desk.send(1, **LIMIT)
    see(desk)
    assert desk.state(1) == "pending_new"
    see(desk, a_row("7", desk))
    assert desk.state(1) == "working"
    see(desk, a_row("7", desk, cum=40, average_price=PRICE))
    assert (desk.state(1), desk.cum(1)) == ("partial", 40)


def test_a_row_that_was_there_before_is_nobodys_but_its_own() -> None:
    """A person's identical order of a minute ago is in the baseline; ours is the one that came after."""
    desk = a_desk()
    theirs = a_row("6", desk, ts_ns=0)  # a list without times
    see(desk, theirs)
    lose(desk, 1)
    see(desk, theirs)
    assert desk.state(1) == "unknown"
    see(desk, theirs, a_row("7", desk))
    assert desk.state(1) == "working"
    assert desk.core.manager.orders[ClientOrderId("s-1")].venue_id == "7"


@pytest.mark.parametrize(
    "other",
    [
        {"instrument": STOCKS[1]},
        {"side": Side.SELL},
        {"quantity": 200},
        {"price": Decimal("40.6")},
        {"ts_ns": 1},
    ],
)
def test_a_row_that_differs_in_any_word_is_not_adopted(other: dict[str, Any]) -> None:
    """Instrument, side, quantity, price and time must all fit."""
    desk = a_desk()
    lose(desk, 1)
    see(desk, a_row("7", desk, **other))
    assert desk.state(1) == "unknown"


@pytest.mark.parametrize("other", [{"price": Decimal("40.51")}, {"ts_ns": 2 * HOUR_NS}])
def test_a_row_that_is_nearly_the_orders_own_makes_it_a_persons_case(other: dict[str, Any]) -> None:
    """A client that rewrote the price has placed an order all the same; so has one later than its bound."""
    desk = a_desk()
    lose(desk, 1)
    row = a_row("7", desk, **other)
    see(desk, row)
    assert desk.state(1) == "unknown"
    see(desk, row)
    assert desk.state(1) == "disputed"


def test_a_row_of_another_quantity_is_a_strangers_and_proves_nothing_of_ours() -> None:
    """He trades on the same side after us; ours is not there."""
    desk = a_desk()
    lose(desk, 1)
    row = a_row("7", desk, quantity=300, cum=300, status=Evidence.FILL)
    for _ in range(2):
        see(desk, row, positions=a_position(300))
    assert desk.state(1) == "not_placed"


def test_two_rows_that_fit_are_a_persons_case() -> None:
    """Which is ours can not be said: the symbol is latched."""
    desk = a_desk()
    lose(desk, 1)
    see(desk, a_row("7", desk), a_row("8", desk))
    assert desk.state(1) == "disputed"
    assert f"symbol:{STOCKS[0]}" in desk.core.view.latches


def test_two_orders_alike_take_a_row_each() -> None:
    """One row is one order's: the other is not there yet."""
    desk = a_desk()
    lose(desk, 1)
    see(desk, a_row("7", desk))
    lose(desk, 2)
    see(desk, a_row("7", desk), a_row("8", desk))
    assert (desk.state(1), desk.state(2)) == ("working", "working")
    venue_ids = [desk.core.manager.orders[ClientOrderId(f"s-{n}")].venue_id for n in (1, 2)]
    assert venue_ids == ["7", "8"]


def test_one_row_is_not_two_orders() -> None:
    """Both are sought at once, and one of them is there."""
    desk = a_desk()
    lose(desk, 1)
    lose(desk, 2)
    see(desk, a_row("7", desk))
    assert (desk.state(1), desk.state(2)) == ("working", "unknown")


def test_a_row_is_known_by_either_of_its_numbers() -> None:
    """The answer gave one of two numbers; the list shows both."""
    desk = a_desk(gives_venue_id=True)
    desk.send(1, **LIMIT)
    ack = OrderReport(
        account=ACCOUNT, client_id=ClientOrderId("s-1"), kind=Evidence.ACK, ts_ns=1, venue_id=VenueOrderId("3")
    )
    desk.core.bus.publish(ack)
    see(desk, a_row("880", desk, other_id=VenueOrderId("3"), cum=100, status=Evidence.FILL, average_price=PRICE))
    assert (desk.state(1), desk.cum(1)) == ("filled", 100)


def test_executions_that_bear_the_orders_number_are_fills_and_count_once_beside_the_total() -> None:
    """Two executions of 60 and 40, read twice, and the row's total of 100: one hundred in all, at their prices."""
    desk = a_desk(lists_fills=True)
    lose(desk, 1)
    fills = tuple(
        FillRow(
            instrument=STOCKS[0], side=Side.BUY, quantity=q, price=Decimal(p), fill_id=f, venue_id=VenueOrderId("7")
        )
        for f, q, p in (("a", 60, "40.4"), ("b", 40, "40.5"))
    )
    row = a_row("7", desk, cum=100, status=Evidence.FILL, average_price=Decimal("40.5"))
    for _ in range(2):
        see(desk, row, fills=fills)
        assert desk.core.portfolio.accounts[ACCOUNT].positions[STOCKS[0]].cost == Decimal("4044.0")
    order = desk.core.manager.orders[ClientOrderId("s-1")]
    assert (order.cum, order.real, order.value) == (100, 100, Decimal("4044.0"))
    assert desk.core.portfolio.account_quantity(ACCOUNT, STOCKS[0]) == 100


def test_a_refusal_after_the_row_was_seen_working_is_its_end_not_a_contradiction() -> None:
    """A counter may list an order and then throw it out; nothing is filled and nothing works."""
    desk = a_desk()
    lose(desk, 1)
    see(desk, a_row("7", desk))
    see(desk, a_row("7", desk, status=Evidence.REJECT, reason="废单"))
    assert desk.state(1) == "canceled"
    lose(desk, 2)
    see(desk, a_row("8", desk, status=Evidence.REJECT, reason="废单"))
    assert desk.state(2) == "rejected"


def test_absence_needs_two_whole_readings() -> None:
    """An empty table that nothing confirms proves nothing, however often it is read."""
    desk = a_desk()
    lose(desk, 1)
    for _ in range(5):
        see(desk, whole=False, positions=())
    assert desk.state(1) == "unknown"
    see(desk)
    assert desk.state(1) == "unknown"
    see(desk)
    assert desk.state(1) == "not_placed"


def test_a_new_row_from_before_the_order_is_no_proof_of_its_absence() -> None:
    """The clock of a broker's machine may be minutes behind (RELIABILITY 5.1, C2f): then a person decides."""
    desk = a_desk()
    see(desk)
    lose(desk, 1)
    row = a_row("9", desk, ts_ns=desk.clock.now_ns - 300 * SECOND_NS)
    for _ in range(6):
        see(desk, row, after_ns=40 * SECOND_NS)
    assert desk.state(1) == "disputed"


def test_a_list_that_lacks_an_order_known_to_work_does_not_prove_the_absence_of_another() -> None:
    """The positive control of RELIABILITY 3.5 (b)."""
    desk = a_desk()
    desk.send(1, **{**LIMIT, "instrument": STOCKS[1]})
    first = a_row("6", desk, instrument=STOCKS[1])
    see(desk, first)
    lose(desk, 2)
    for _ in range(4):
        see(desk)
    assert desk.state(2) == "unknown"
    for _ in range(2):
        see(desk, first)
    assert desk.state(2) == "not_placed"


def test_cash_that_nobody_known_has_frozen_speaks_against_absence() -> None:
    """The list does not show the purchase, the money does."""
    desk = a_desk()
    lose(desk, 1)
    for _ in range(4):
        see(desk, cash="100000/95950")
    assert desk.state(1) == "unknown"
    for _ in range(2):
        see(desk, cash="100000/100000")
    assert desk.state(1) == "not_placed"


def test_a_strangers_frozen_cash_is_his_own() -> None:
    """His order is in the list, so what it holds back is explained."""
    desk = a_desk()
    his = a_row("6", desk, quantity=300)
    see(desk, his)
    lose(desk, 1)
    for _ in range(2):
        see(desk, his, cash="100000/87850")
    assert desk.state(1) == "not_placed"


def test_shares_that_nobody_known_holds_back_speak_against_absence() -> None:
    """The list does not show the sale, the sellable quantity does."""
    desk = a_desk()
    held = PositionAdjusted(account=ACCOUNT, strategy=EXTERNAL, instrument=STOCKS[0], ts_ns=1, quantity=500)
    desk.core.bus.publish(held)
    lose(desk, 1, side=Side.SELL)
    for _ in range(4):
        see(desk, positions=a_position(500, 400))
    assert desk.state(1) == "unknown"
    for _ in range(2):
        see(desk, positions=a_position(500, 500))
    assert desk.state(1) == "not_placed"


def test_shares_a_stranger_bought_today_are_locked_and_held_back_for_nobody() -> None:
    """He sold as many before: our position is the venue's, and what may be sold is not."""
    desk = a_desk()
    held = PositionAdjusted(account=ACCOUNT, strategy=EXTERNAL, instrument=STOCKS[0], ts_ns=1, quantity=500)
    desk.core.bus.publish(held)
    lose(desk, 1, side=Side.SELL)
    rows = (
        a_row("5", desk, side=Side.SELL, quantity=200, cum=200, status=Evidence.FILL, ts_ns=1),
        a_row("6", desk, quantity=200, cum=200, status=Evidence.FILL, ts_ns=1),
    )
    for _ in range(2):
        see(desk, *rows, positions=a_position(500, 300))
    assert desk.state(1) == "not_placed"


def test_shares_a_stranger_sold_are_held_back_for_nobody() -> None:
    """His sale is in the list and not in our book, which waits for the order to be decided."""
    desk = a_desk()
    held = PositionAdjusted(account=ACCOUNT, strategy=EXTERNAL, instrument=STOCKS[0], ts_ns=1, quantity=500)
    desk.core.bus.publish(held)
    lose(desk, 1, side=Side.SELL)
    his = a_row("5", desk, side=Side.SELL, quantity=400, cum=400, status=Evidence.FILL)
    for _ in range(2):
        see(desk, his, positions=a_position(100, 100))
    assert desk.state(1) == "not_placed"


def test_where_the_list_may_be_short_the_position_is_evidence_of_what_was_done() -> None:
    """A broker that lists live orders only: what filled at once shows in the holding alone."""
    desk = a_desk()
    lose(desk, 1)
    see(desk, positions=a_position(100), whole=False)
    assert (desk.state(1), desk.cum(1)) == ("filled", 100)


def test_what_a_known_order_did_is_not_taken_for_the_doing_of_an_unknown_one() -> None:
    """Its row and the holding are in one reading: the row is read first."""
    desk = a_desk()
    desk.send(1, **LIMIT)
    see(desk, a_row("7", desk))
    lose(desk, 2)
    see(
        desk,
        a_row("7", desk, cum=100, status=Evidence.FILL, average_price=PRICE),
        positions=a_position(100),
        whole=False,
    )
    assert (desk.state(1), desk.state(2)) == ("filled", "unknown")


@given(st.lists(st.sampled_from(["empty", "short", "ours", "dear", "moved"]), max_size=8))
def test_an_order_that_is_there_is_never_called_absent(readings: list[str]) -> None:
    """Whatever fails to show it, as long as its money is frozen or its position moved."""
    desk = a_desk()
    lose(desk, 1)
    filled = False
    for kind in readings:
        filled = filled or kind == "moved"
        held = 100 if filled else 0
        cash = "95950/95950" if filled else "100000/95950"
        rows = (
            [a_row("7", desk, cum=held, status=Evidence.FILL if held else Evidence.WORKING)] if kind == "ours" else []
        )
        if kind == "dear":
            rows = [a_row("7", desk, cum=held, price=Decimal("41"), status=Evidence.WORKING)]
        see(desk, *rows, positions=a_position(held), cash=cash, whole=kind != "short")
        assert desk.state(1) != "not_placed"


def test_what_strangers_did_to_the_position_is_not_the_orders_doing() -> None:
    """An older row may be booked already, in part; a newer one is not; anything beyond them is unexplained."""
    desk = a_desk()
    old = a_row("5", desk, side=Side.SELL, cum=20)
    see(desk, old)
    lose(desk, 1)
    new = a_row("6", desk, quantity=60, cum=50)
    rows = (msgspec.structs.replace(old, cum=100, status=Evidence.FILL), new)
    for held in (51, -51, 120):
        for _ in range(2):
            see(desk, *rows, positions=a_position(held))
        assert desk.state(1) == "unknown"
    for _ in range(2):
        see(desk, *rows, positions=a_position(-30))
    assert desk.state(1) == "not_placed"


def test_of_a_list_that_may_be_short_money_and_holdings_are_the_only_witnesses() -> None:
    """Nothing frozen and nothing moved, twice: it is not there, though the list could not say so."""
    desk = a_desk()
    lose(desk, 1)
    for _ in range(3):
        see(desk, whole=False, positions=())
    assert desk.state(1) == "unknown"
    for _ in range(2):
        see(desk, whole=False, positions=(), cash="100000/100000")
    assert desk.state(1) == "not_placed"
