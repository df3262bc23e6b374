"""Orders that a list shows no more, or may not show yet: holdings, money and time tell (RELIABILITY 3.5)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain.account import AccountSnapshot, OrderRow
from engine.domain.commands import CancelOrder, Side
from engine.domain.events import AccountObserved, PositionAdjusted
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.ids import EXTERNAL, ClientOrderId, VenueOrderId
from engine.domain.timestamps import SECOND_NS
from tests.core_builders import ACCOUNT, STOCKS, Desk
from tests.row_builders import LIMIT, PRICE, a_desk, a_position, a_row, lose, see


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


def test_a_disputed_order_that_was_seen_to_work_may_have_filled_in_part() -> None:
    """Two hundred more: all of the disputed order, or a hundred of it and the hundred of the unknown one. Later
    readings tell no more than the first did: neither is booked as filled, and neither as not placed."""
    desk = a_desk(late_max_ns=600 * SECOND_NS)
    desk.send(1, **{**LIMIT, "quantity": 200})
    row = a_row("7", desk, quantity=200)
    see(desk, row)
    desk.core.bus.publish(CancelOrder(client_id=ClientOrderId("s-1"), ts_ns=desk.clock.now_ns))
    lose(desk, 2)
    for _ in range(6):
        see(desk, whole=False, live_only=True, positions=a_position(200), cash="99997/99997")
    assert desk.state(1) == "disputed"
    assert desk.state(2) in ("unknown", "disputed")
    assert (desk.cum(1), desk.cum(2)) == (0, 0)


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


@pytest.mark.parametrize("seen", [False, True])
def test_an_order_of_the_life_before_that_this_one_never_saw_may_have_been_withdrawn(seen: bool) -> None:
    """Its journal may have failed with the request in it: "nobody asked" holds from the moment we see it working."""
    desk = a_desk()
    for number in (1, 2):
        desk.send(number, **LIMIT)
    row = a_row("7", desk)
    see(desk, row)
    desk = desk.reborn(lists_orders=True)
    if seen:
        see(desk, row, whole=False, live_only=True, positions=(), cash="99000/98000")
    for _ in range(4):
        see(desk, whole=False, live_only=True, positions=a_position(100), cash="99000/99000")
    assert (desk.state(1), desk.state(2)) == (("filled", "not_placed") if seen else ("disputed", "disputed"))


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
