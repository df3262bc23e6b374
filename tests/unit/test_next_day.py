"""An order whose trading day is over: today's list proves nothing of it (RELIABILITY 3.3, C26 and C18)."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.commands import Side, TimeInForce
from engine.domain.events import Alert, OrderDisputed, OrderExpired
from engine.domain.evidence import Evidence
from engine.domain.ids import VenueOrderId
from engine.domain.timestamps import DAY_NS, SECOND_NS
from tests.core_builders import Desk
from tests.row_builders import LIMIT, a_desk, a_position, a_row, lose, see
from tests.unit.test_evidence_of_positions import lose as lose_without_list
from tests.unit.test_evidence_of_positions import see as see_holdings
from tests.unit.test_evidence_of_positions import tell


def an_evening(**sheet: Any) -> Desk:
    """A venue with a list of the day, an hour before its day turns."""
    desk = a_desk(**sheet)
    desk.clock.now_ns = DAY_NS - 3600 * SECOND_NS
    return desk


def working(desk: Desk, number: int, **terms: Any) -> None:
    """Sent, and seen in the list."""
    desk.send(number, **{**LIMIT, **terms})
    see(desk, a_row(str(number), desk, side=terms.get("side", Side.BUY)), positions=a_position(0))
    assert desk.state(number) == "working"


def overnight(desk: Desk) -> None:
    desk.clock.now_ns = DAY_NS + 3600 * SECOND_NS


def test_an_order_for_the_day_that_filled_nothing_is_expired_the_next_day() -> None:
    """Two readings of the new day that agree; one says nothing yet."""
    desk = an_evening()
    heard: list[OrderExpired] = []
    desk.core.bus.subscribe(OrderExpired, heard.append)
    working(desk, 1)
    overnight(desk)
    see(desk, positions=a_position(0))
    assert desk.state(1) == "working"
    see(desk, positions=a_position(0))
    assert (desk.state(1), desk.cum(1)) == ("expired", 0)
    assert len(heard) == 1


def test_on_its_own_day_an_order_that_is_missing_from_the_list_goes_on() -> None:
    """A missing row never closes a proven order (2.2, note 6)."""
    desk = an_evening()
    working(desk, 1)
    for _ in range(3):
        see(desk, positions=a_position(0))
    assert desk.state(1) == "working"


def test_what_it_filled_unseen_before_its_day_ended_is_read_from_the_position() -> None:
    """40 of its 100 are held more than the book knows: they are its own."""
    desk = an_evening()
    working(desk, 1)
    overnight(desk)
    for _ in range(2):
        see(desk, positions=a_position(40))
    assert (desk.state(1), desk.cum(1)) == ("expired", 40)


def test_an_order_that_filled_to_the_end_unseen_is_filled() -> None:
    desk = an_evening()
    working(desk, 1)
    overnight(desk)
    for _ in range(2):
        see(desk, positions=a_position(100))
    assert (desk.state(1), desk.cum(1)) == ("filled", 100)


def test_two_that_ended_with_their_day_are_not_taken_to_have_filled_because_that_fits_too() -> None:
    """A purchase and a sale of as many: neither filled, or both did. The position can not tell; a person must."""
    desk = an_evening()
    desk.send(1, **LIMIT)
    see(desk, a_row("1", desk, cum=100, status=Evidence.FILL, average_price=Decimal(40)), positions=a_position(100))
    for number, side in ((2, Side.BUY), (3, Side.SELL)):
        desk.send(number, **{**LIMIT, "side": side})
        see(desk, a_row(str(number), desk, side=side), positions=a_position(100))
    overnight(desk)
    for _ in range(2):
        see(desk, positions=a_position(100))
    assert (desk.state(2), desk.state(3)) == ("disputed", "disputed")


def test_an_order_still_listed_the_next_day_works_on() -> None:
    """The client shows yesterday's table until the morning, or took the order for today: its row says how it stands."""
    desk = an_evening()
    working(desk, 1)
    row = a_row("1", desk)
    overnight(desk)
    for _ in range(3):
        see(desk, row, positions=a_position(0))
    assert desk.state(1) == "working"


def test_an_order_beyond_the_day_outlives_it() -> None:
    """Good till cancelled: that the list lacks it is no end."""
    desk = an_evening(tifs=frozenset(TimeInForce))
    working(desk, 1, tif=TimeInForce.GTC)
    overnight(desk)
    for _ in range(3):
        see(desk, positions=a_position(0))
    assert desk.state(1) == "working"


def test_shares_that_are_held_back_over_night_are_waited_for() -> None:
    """The counter lets go of them in the morning; until then nobody knows, and nobody is called."""
    desk = an_evening()
    desk.send(1, **LIMIT)
    see(desk, a_row("1", desk, cum=100, status=Evidence.FILL, average_price=Decimal(40)), positions=a_position(100))
    desk.send(2, **{**LIMIT, "side": Side.SELL})
    see(desk, a_row("2", desk, side=Side.SELL), positions=a_position(100))
    overnight(desk)
    for _ in range(6):
        see(desk, positions=a_position(100, sellable=0))
    assert desk.state(2) == "working"
    for _ in range(2):
        see(desk, positions=a_position(100, sellable=100))
    assert desk.state(2) == "expired"


def test_todays_list_proves_no_absence_of_yesterdays_order() -> None:
    """Nothing held, nothing listed, two readings: it may have been placed and have ended; a person must say."""
    desk = an_evening()
    lose(desk, 1)
    overnight(desk)
    see(desk, positions=a_position(0))
    assert desk.state(1) == "unknown"
    see(desk, positions=a_position(0))
    assert desk.state(1) == "disputed"
    assert any("list of its day" in told.reason for told in desk.heard if isinstance(told, OrderDisputed))
    assert any("disputed" in told.text for told in desk.heard if isinstance(told, Alert))


def test_yesterdays_order_of_unknown_outcome_is_filled_where_the_position_proves_it() -> None:
    """Its 100 are there, and nothing else could have bought them."""
    desk = an_evening()
    lose(desk, 1)
    overnight(desk)
    for _ in range(2):
        see(desk, positions=a_position(100))
    assert (desk.state(1), desk.cum(1)) == ("filled", 100)


@pytest.mark.parametrize("echoes", [False, True])
def test_a_history_that_was_asked_proves_absence_as_a_list_does(echoes: bool) -> None:
    """It would have been there: it was not placed."""
    desk = an_evening(lists_past=True, echoes_client_id=echoes)
    lose(desk, 1)
    overnight(desk)
    for _ in range(2):
        see(desk, positions=a_position(0), past=True)
    assert desk.state(1) == "not_placed"


def test_a_row_without_a_time_is_not_adopted_by_an_order_of_the_day_before() -> None:
    """A person's order of today looks the same in a list that has no times: a person must say."""
    desk = an_evening()
    lose(desk, 1)
    row = a_row("7", desk, ts_ns=0)
    overnight(desk)
    see(desk, row, positions=a_position(0))
    assert desk.state(1) == "unknown"
    see(desk, row, positions=a_position(0))
    assert desk.state(1) == "disputed"


def test_a_row_of_the_history_is_the_orders_own() -> None:
    """It worked, filled 40, and ended with its day."""
    desk = an_evening(lists_past=True)
    lose(desk, 1)
    row = a_row("7", desk, status=Evidence.EXPIRED, cum=40, average_price=Decimal(40))
    overnight(desk)
    see(desk, row, positions=a_position(40), past=True)
    assert (desk.state(1), desk.cum(1)) == ("expired", 40)


@pytest.mark.parametrize("echoes", [False, True])
def test_readings_that_did_not_ask_the_history_say_nothing_where_there_is_one(echoes: bool) -> None:
    """Neither of the order seen to work nor of the one of unknown outcome; with its row each ends."""
    desk = an_evening(lists_past=True, echoes_client_id=echoes)
    desk.send(1, **LIMIT)
    tell(desk, 1, Evidence.ACK, venue_id="1")
    lose(desk, 2)
    overnight(desk)
    for _ in range(4):
        see(desk, positions=a_position(0))
    assert (desk.state(1), desk.state(2)) == ("working", "unknown")
    tags = [f"s-{number}" if echoes else "" for number in (1, 2)]
    rows = [a_row(str(n), desk, client_tag=tag, status=Evidence.CANCELED) for n, tag in enumerate(tags, 1)]
    see(desk, *rows, positions=a_position(0), past=True)
    assert (desk.state(1), desk.state(2)) == ("canceled", "canceled")


def test_a_history_that_shows_nothing_leaves_it_to_the_holdings() -> None:
    """Some brokers offer none: asked, and empty. Money that did not move says that neither did the other's opposite."""
    desk = an_evening(lists_past=True)
    working(desk, 1)
    lose(desk, 2, side=Side.SELL, quantity=50)
    overnight(desk)
    for _ in range(2):
        see(desk, positions=a_position(0), past=False, cash="100000/100000")
    assert (desk.state(1), desk.state(2)) == ("expired", "disputed")


def test_a_part_bought_and_as_much_sold_by_an_order_of_unknown_outcome_is_a_persons_case() -> None:
    """Without the money the holdings do not tell 50 of 100 bought and 50 sold from nothing at all."""
    desk = an_evening(lists_past=True)
    working(desk, 1)
    lose(desk, 2, side=Side.SELL, quantity=50)
    overnight(desk)
    for _ in range(2):
        see(desk, positions=a_position(0), past=False)
    assert (desk.state(1), desk.state(2)) == ("disputed", "disputed")


def test_an_order_without_a_list_ends_with_its_day() -> None:
    """Accepted, never heard of again, and the position shows nothing of it: it can fill no more."""
    desk = Desk()
    desk.clock.now_ns = DAY_NS - 3600 * SECOND_NS
    desk.send(1)
    tell(desk, 1, Evidence.ACK)
    for _ in range(3):
        see_holdings(desk)
    assert desk.state(1) == "working"
    overnight(desk)
    for _ in range(2):
        see_holdings(desk)
    assert desk.state(1) == "expired"


def test_without_a_list_the_position_proves_absence_on_any_day() -> None:
    """It never needed a list."""
    desk = Desk()
    desk.clock.now_ns = DAY_NS - 3600 * SECOND_NS
    lose_without_list(desk, 1)
    overnight(desk)
    for _ in range(2):
        see_holdings(desk)
    assert desk.state(1) == "not_placed"


def test_the_core_names_what_must_be_asked_of_the_past() -> None:
    """What was sent before today and is not over; not what a person must decide."""
    desk = an_evening()
    working(desk, 1)
    lose(desk, 2, side=Side.SELL)
    manager, account = desk.core.manager, "game"
    assert manager.of_before(account) == []  # type: ignore[arg-type]
    overnight(desk)
    assert [order.request.client_id for order in manager.of_before(account)] == ["s-1", "s-2"]  # type: ignore[arg-type]
    assert VenueOrderId("1") == manager.of_before(account)[0].venue_id  # type: ignore[arg-type]
