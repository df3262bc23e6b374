"""What became of an order, read from the order list of a venue that gives no number back (RELIABILITY 3.5)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.account import AccountSnapshot, Balance, FillRow, OrderRow, PositionRow
from engine.domain.commands import CancelOrder, OrderType, Side
from engine.domain.events import AccountObserved, PositionAdjusted
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.ids import EXTERNAL, ClientOrderId, VenueOrderId
from engine.domain.timestamps import HOUR_NS, SECOND_NS
from tests.core_builders import ACCOUNT, STOCKS, Desk

PRICE = Decimal("40.5")
LIMIT = {"type": OrderType.LIMIT, "price": PRICE, "quantity": 100}


def a_desk(**sheet: Any) -> Desk:
    """A venue with an order list and no ids, whose answers are claims."""
    return Desk(lists_orders=True, **sheet)


def a_row(number: str, desk: Desk, **terms: Any) -> OrderRow:
    """A row entered when the newest order was sent; before there is one, now."""
    fields: dict[str, Any] = {
        "instrument": STOCKS[0],
        "side": Side.BUY,
        "quantity": 100,
        "price": PRICE,
        "status": Evidence.WORKING,
        "venue_id": VenueOrderId(number),
        "ts_ns": max((o.sent_ns for o in desk.core.manager.orders.values()), default=desk.clock.now_ns),
        **terms,
    }
    return OrderRow(**fields)


def see(desk: Desk, *rows: OrderRow, after_ns: int = 10 * SECOND_NS, cash: str = "", **more: Any) -> None:
    """A reading that begins ``after_ns`` from now; ``cash``: total and available."""
    desk.clock.now_ns += after_ns
    total, _, available = cash.partition("/")
    balances = (Balance(currency="COIN", total=Decimal(total), available=Decimal(available)),) if cash else None
    snapshot = AccountSnapshot(
        account=ACCOUNT, as_of_ns=desk.clock.now_ns, ts_ns=desk.clock.now_ns, orders=rows, balances=balances, **more
    )
    desk.core.bus.publish(AccountObserved(snapshot=snapshot))


def lose(desk: Desk, number: int, **terms: Any) -> None:
    desk.send(number, **{**LIMIT, **terms})
    report = OrderReport(
        account=ACCOUNT, client_id=ClientOrderId(f"s-{number}"), kind=Evidence.AMBIGUOUS, ts_ns=desk.clock.now_ns
    )
    desk.core.bus.publish(report)


def a_position(quantity: int, sellable: int | None = None) -> tuple[PositionRow, ...]:
    return (PositionRow(instrument=STOCKS[0], quantity=quantity, sellable=sellable),)


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


def a_gone_order(**terms: Any) -> Desk:
    """An order that was seen working at a venue that lists live orders only."""
    desk = a_desk()
    desk.send(1, **{**LIMIT, **terms})
    row = a_row("7", desk, **{key: value for key, value in terms.items() if key == "side"})
    see(desk, row)
    return desk


@pytest.mark.parametrize(
    ("held", "state", "cum"), [(0, "canceled", 0), (100, "filled", 100), (40, "canceled", 40), (-70, "canceled", 0)]
)
def test_how_an_order_ended_that_the_list_shows_no_more_is_read_from_the_position(
    held: int, state: str, cum: int
) -> None:
    """Two readings that agree; what is beyond its quantity, or against its side, somebody else did."""
    desk = a_gone_order()
    for expected in ("working", state):
        see(desk, whole=False, live_only=True, positions=a_position(held), cash="100000/100000")
        assert desk.state(1) == expected
    assert desk.cum(1) == cum


def test_an_empty_list_of_live_orders_is_whole_and_still_ends_what_it_shows_no_more() -> None:
    """Money and holdings vouch for the empty table; what is over ends, so that the unknown one beside it is told."""
    desk = a_gone_order()
    lose(desk, 2, instrument=STOCKS[1])
    for _ in range(4):
        see(desk, live_only=True, positions=(), cash="100000/100000")
    assert (desk.state(1), desk.state(2)) == ("canceled", "not_placed")


def test_an_empty_list_of_live_orders_beside_a_move_nobody_explains_makes_the_unknown_a_persons_case() -> None:
    """Ours and a stranger's may both have moved it: waiting longer would tell nobody more."""
    desk = a_desk()
    lose(desk, 1)
    for _ in range(3):
        see(desk, live_only=True, positions=a_position(-70), cash="100000/100000")
    assert desk.state(1) == "disputed"


def test_where_two_ways_fit_the_position_a_person_decides() -> None:
    """A sale that was to be withdrawn and a purchase of unknown outcome: both filled, or neither; no guess."""
    desk = a_desk()
    desk.core.bus.publish(
        PositionAdjusted(account=ACCOUNT, strategy=EXTERNAL, instrument=STOCKS[0], ts_ns=1, quantity=500)
    )
    desk.send(1, **{**LIMIT, "side": Side.SELL})
    row = a_row("7", desk, side=Side.SELL)
    see(desk, row)
    desk.core.bus.publish(CancelOrder(client_id=ClientOrderId("s-1"), ts_ns=desk.clock.now_ns))
    lose(desk, 2)
    for _ in range(2):
        see(desk, whole=False, live_only=True, positions=a_position(500, 500), cash="99997/99997")
    assert (desk.state(1), desk.state(2)) == ("disputed", "disputed")
    assert f"symbol:{STOCKS[0]}" in desk.core.view.latches


def test_an_order_for_which_shares_are_held_back_and_that_no_list_shows_ends_as_a_persons_case() -> None:
    """A copy that fails hides it once or twice; not so often in a row."""
    desk = a_desk()
    desk.core.bus.publish(
        PositionAdjusted(account=ACCOUNT, strategy=EXTERNAL, instrument=STOCKS[0], ts_ns=1, quantity=500)
    )
    desk.send(1, **{**LIMIT, "side": Side.SELL})
    row = a_row("7", desk, side=Side.SELL)
    see(desk, row)
    for _ in range(3):
        see(desk, whole=False, live_only=True, positions=a_position(500, 400))
        assert desk.state(1) == "working"
    see(desk, whole=False, live_only=True, positions=a_position(500, 400))
    assert desk.state(1) == "disputed"


def test_an_order_whose_money_is_still_frozen_is_not_gone() -> None:
    """A copy of the list that failed hides it; the money does not."""
    desk = a_gone_order()
    for _ in range(3):
        see(desk, whole=False, live_only=True, positions=(), cash="100000/95950")
    assert desk.state(1) == "working"


def test_readings_that_disagree_on_what_was_filled_end_nothing() -> None:
    """It may be filling while we read."""
    desk = a_gone_order()
    for held in (0, 40, 60):
        see(desk, whole=False, live_only=True, positions=a_position(held), cash="100000/100000")
        assert desk.state(1) == "working"
    see(desk, whole=False, live_only=True, positions=a_position(60), cash="100000/100000")
    assert (desk.state(1), desk.cum(1)) == ("canceled", 60)


def test_a_market_order_that_the_list_shows_no_more_filled_at_about_the_market() -> None:
    """It has no limit to stand for a price; 0 is none."""
    desk = a_desk()
    desk.send(1, quantity=100)
    see(desk, a_row("7", desk, price=None, cum=40, average_price=Decimal(41)))
    for _ in range(2):
        see(desk, whole=False, live_only=True, positions=a_position(100), cash="100000/100000")
    order = desk.core.manager.orders[ClientOrderId("s-1")]
    assert (desk.state(1), order.value) == ("filled", 40 * 41 + 60 * Decimal(40))


def test_an_unknown_market_order_whose_money_is_frozen_is_not_absent_in_a_life_without_prices() -> None:
    """What it may cost is measured by the price it was decided on."""
    desk = a_desk()
    desk.send(1, quantity=100)
    life = desk.reborn(lists_orders=True)
    for _ in range(4):
        see(life, positions=(), cash="100000/95950")
    assert life.state(1) == "unknown"


def two_gone_orders(*asked: int) -> Desk:
    """Purchases of 300 and of 100 that no list shows any more, after 300 came; which were asked to be withdrawn."""
    desk = a_desk()
    for number, quantity in ((1, 300), (2, 100)):
        desk.send(number, **{**LIMIT, "quantity": quantity})
        see(desk, *(a_row(str(n), desk, quantity=q) for n, q in ((1, 300), (2, 100)) if n <= number))
    for number in asked:
        desk.core.bus.publish(CancelOrder(client_id=ClientOrderId(f"s-{number}"), ts_ns=desk.clock.now_ns))
    for _ in range(2):
        see(desk, whole=False, live_only=True, positions=a_position(300), cash="87850/87850")
    return desk


def test_of_two_gone_orders_the_one_nobody_asked_to_withdraw_has_filled() -> None:
    """That the other filled whole, and this one was withdrawn by nobody, is the less likely story."""
    desk = two_gone_orders(1)
    assert [(desk.state(n), desk.cum(n)) for n in (1, 2)] == [("canceled", 200), ("filled", 100)]


@pytest.mark.parametrize("asked", [(), (1, 2)])
def test_of_two_gone_orders_that_were_both_withdrawn_or_neither_a_person_decides(asked: tuple[int, ...]) -> None:
    """300 and 0, or 200 and 100: the position does not tell."""
    desk = two_gone_orders(*asked)
    assert [desk.state(n) for n in (1, 2)] == ["disputed", "disputed"]


def test_where_neither_holdings_nor_money_moved_nothing_was_filled() -> None:
    """A purchase and a sale that are gone: of the two having filled alike the money would tell."""
    desk = a_desk()
    desk.core.bus.publish(
        PositionAdjusted(account=ACCOUNT, strategy=EXTERNAL, instrument=STOCKS[0], ts_ns=1, quantity=500)
    )
    rows = []
    for number, side in ((1, Side.BUY), (2, Side.SELL)):
        desk.send(number, **{**LIMIT, "side": side})
        rows.append(a_row(str(number), desk, side=side))
        see(desk, *rows)
    for _ in range(2):
        see(desk, whole=False, live_only=True, positions=a_position(500, 500), cash="100000/100000")
    assert [(desk.state(n), desk.cum(n)) for n in (1, 2)] == [("canceled", 0)] * 2


def see_beside_trades(desk: Desk, number: int, **reading: Any) -> None:
    """Three readings, each right after an order on another instrument was sent: the account as a whole never rests."""
    for more in range(3):
        desk.clock.now_ns += 5 * SECOND_NS
        desk.send(number + more, **{**LIMIT, "instrument": STOCKS[1]})
        see(desk, whole=False, live_only=True, after_ns=SECOND_NS, cash="100000/100000", **reading)


def test_trades_on_other_instruments_do_not_keep_an_order_waiting_that_its_position_explains() -> None:
    """An account that trades all the time would leave it undecided for ever."""
    desk = a_gone_order()
    see_beside_trades(desk, 2, positions=a_position(100))
    assert (desk.state(1), desk.cum(1)) == ("filled", 100)


def test_what_only_money_can_tell_waits_until_the_account_rests() -> None:
    """Whether a purchase was withdrawn or works unseen shows in what is frozen, and every order moves that."""
    desk = a_gone_order()
    see_beside_trades(desk, 2, positions=())
    assert desk.state(1) == "working"


def see_late(desk: Desk, *rows: OrderRow, meanwhile: int, **more: Any) -> None:
    """A reading in whose course an order was sent and taken, on another instrument or on this one."""
    desk.clock.now_ns += 10 * SECOND_NS
    began_ns = desk.clock.now_ns
    desk.send(meanwhile, **{**LIMIT, "side": Side.SELL, "instrument": STOCKS[meanwhile % 2]})
    desk.core.bus.publish(
        OrderReport(
            account=ACCOUNT,
            client_id=ClientOrderId(f"s-{meanwhile}"),
            kind=Evidence.ACK,
            ts_ns=desk.clock.now_ns,
            venue_id=VenueOrderId(f"{meanwhile}"),
        )
    )
    snapshot = AccountSnapshot(
        account=ACCOUNT, as_of_ns=began_ns, ts_ns=desk.clock.now_ns, orders=rows, positions=a_position(0), **more
    )
    desk.core.bus.publish(AccountObserved(snapshot=snapshot))


def test_an_order_that_came_after_a_reading_began_need_not_be_in_it() -> None:
    """A slow client is read while others trade; if each such reading spoke against absence, none would prove it."""
    desk = a_desk(gives_venue_id=True)
    lose(desk, 1)
    see_late(desk, meanwhile=3)
    see_late(desk, a_row("3", desk, instrument=STOCKS[1], side=Side.SELL), meanwhile=5)
    assert desk.state(1) == "not_placed"


def test_a_reading_older_than_what_we_did_since_neither_proves_nor_disproves() -> None:
    """What it holds differs from our book by a trade of ours that came later: the readings beside it decide."""
    desk = a_desk(gives_venue_id=True)
    desk.send(2, **{**LIMIT, "quantity": 200})
    row = a_row("7", desk, quantity=200)
    see(desk, row)
    lose(desk, 1)
    see(desk, row, positions=a_position(0))
    began_ns = desk.clock.now_ns + SECOND_NS
    desk.clock.now_ns += 2 * SECOND_NS
    fill: dict[str, Any] = {"kind": Evidence.FILL, "quantity": 200, "price": PRICE, "fill_id": "f"}
    desk.core.bus.publish(
        OrderReport(account=ACCOUNT, client_id=ClientOrderId("s-2"), ts_ns=desk.clock.now_ns, fee=Decimal(0), **fill)
    )
    late = AccountSnapshot(
        account=ACCOUNT, as_of_ns=began_ns, ts_ns=desk.clock.now_ns, orders=(row,), positions=a_position(0)
    )
    desk.core.bus.publish(AccountObserved(snapshot=late))
    assert desk.state(1) == "unknown"
    done = msgspec.structs.replace(row, cum=200, status=Evidence.FILL, average_price=PRICE)
    see(desk, done, positions=a_position(200))
    assert desk.state(1) == "not_placed"
