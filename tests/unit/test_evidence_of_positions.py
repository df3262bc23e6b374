"""What became of an order, read from what the account holds: one difference, the likeliest orders that make it up."""

from decimal import Decimal

import pytest

from engine.domain.commands import OrderType, Side
from engine.domain.events import AccountObserved
from engine.domain.ids import ClientOrderId
from engine.domain.market import Quote
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import SECOND_NS
from tests.core_builders import ACCOUNT, STOCKS, Desk, a_reading


def tell(desk: Desk, number: int, kind: Evidence, **more: object) -> None:
    report = OrderReport(
        account=ACCOUNT, client_id=ClientOrderId(f"s-{number}"), kind=kind, ts_ns=desk.clock.now_ns, **more  # type: ignore[arg-type]
    )  # fmt: skip
    desk.core.bus.publish(report)


def lose(desk: Desk, number: int, **terms: object) -> None:
    """Send an order and never hear of it."""
    desk.send(number, **terms)
    tell(desk, number, Evidence.AMBIGUOUS)


def see(desk: Desk, **reading: int) -> None:
    desk.core.bus.publish(AccountObserved(snapshot=a_reading(desk, **reading)))  # type: ignore[arg-type]


def test_an_order_that_stood_in_line_is_not_blamed_for_what_stood_before_it() -> None:
    """Two decided together; the first fills 10; of the second nobody hears: 10 held explain nothing of it."""
    desk = Desk()
    desk.decide(1, quantity=10)
    desk.decide(2, quantity=7)
    desk.mark(1)
    tell(desk, 1, Evidence.FILL, quantity=10, price=Decimal(40), fill_id="s-1")
    desk.mark(2)
    tell(desk, 2, Evidence.AMBIGUOUS)
    see(desk, CY=10)
    assert desk.state(2) == "unknown"
    see(desk, CY=17)
    assert (desk.state(2), desk.cum(2)) == ("filled", 7)


def test_a_reading_begun_within_the_longest_lag_proves_nothing() -> None:
    """Neither presence nor absence."""
    desk = Desk()
    lose(desk, 1)
    see(desk, after_ns=2 * SECOND_NS, CY=10)
    assert desk.state(1) == "unknown"
    see(desk, after_ns=2 * SECOND_NS, CY=10)
    assert desk.state(1) == "filled"


def test_two_readings_without_a_trace_prove_absence_and_a_late_trace_undoes_it() -> None:
    """NOT_PLACED by inference only: the venue took longer than its own bound."""
    desk = Desk()
    lose(desk, 1)
    see(desk)
    assert desk.state(1) == "unknown"
    see(desk)
    assert desk.state(1) == "not_placed"
    see(desk, CY=10)
    assert (desk.state(1), desk.cum(1)) == ("filled", 10)
    assert any("resurrected" in alert.text for alert in desk.heard)


def test_absence_is_not_believed_while_the_venue_may_still_execute() -> None:
    """Readings without a trace prove nothing before the venue's bound for late work; a trace counts at once."""
    desk = Desk(late_max_ns=60 * SECOND_NS)
    lose(desk, 1)
    for _ in range(5):
        see(desk)
    assert desk.state(1) == "unknown"
    see(desk, CY=10)
    assert desk.state(1) == "filled"
    lose(desk, 2)
    for _ in range(8):
        see(desk, CY=10)
    assert desk.state(2) == "not_placed"


def test_of_two_alike_the_one_whose_fate_is_open_did_it() -> None:
    """Proven absent is less likely than unknown; together they are taken only where one alone will not do."""
    desk = Desk()
    lose(desk, 1)
    see(desk)
    see(desk)
    lose(desk, 2)
    see(desk, CY=10)
    assert (desk.state(1), desk.state(2)) == ("not_placed", "filled")
    see(desk, CY=20)
    assert (desk.state(1), desk.state(2)) == ("filled", "filled")


def test_what_an_order_may_have_done_whose_answer_is_on_its_way_is_nobody_elses() -> None:
    """An order proven absent does not take the fill of the next one, which is about to be told."""
    desk = Desk()
    lose(desk, 1)
    see(desk)
    see(desk)
    desk.send(2)
    see(desk, CY=10)
    assert (desk.state(1), desk.state(2)) == ("not_placed", "pending_new")
    tell(desk, 2, Evidence.FILL, quantity=10, price=Decimal(40), fill_id="s-2")
    see(desk, CY=10)
    assert (desk.state(1), desk.state(2)) == ("not_placed", "filled")


def test_two_at_once_are_told_apart_by_their_sum() -> None:
    """A late one and a lost one show up in the same reading."""
    desk = Desk()
    lose(desk, 1, quantity=7)
    see(desk)
    see(desk)
    lose(desk, 2, quantity=10)
    see(desk, CY=17)
    assert (desk.cum(1), desk.cum(2)) == (7, 10)


def test_a_difference_that_nothing_explains_is_disputed_and_its_symbol_halted() -> None:
    """Somebody else was at it: a person decides."""
    desk = Desk()
    lose(desk, 1)
    see(desk, CY=4)
    assert desk.state(1) == "disputed"
    assert "symbol:CY.VSM" in desk.core.view.latches


def test_what_the_venue_sized_may_be_less_or_more_than_was_sellable() -> None:
    """SELL_ALL bounded at 5 of 10 held: another lot unlocked on its way, so 8 went."""
    desk = Desk()
    desk.send(1)
    tell(desk, 1, Evidence.FILL, quantity=10, price=Decimal(40), fill_id="s-1")
    lose(desk, 2, side=Side.SELL, type=OrderType.SELL_ALL, quantity=5)
    see(desk, CY=2)
    assert desk.core.portfolio.account_quantity(ACCOUNT, STOCKS[0]) == 2
    assert desk.cum(2) == 8


@pytest.mark.parametrize(("cash", "price"), [(99_600, "40"), (0, "40.0"), (None, "40.0")])
def test_the_price_is_the_cashs_where_that_is_credible(cash: int | None, price: str) -> None:
    """Coins of 0 are a service that is down, not ten shares for a fortune."""
    desk = Desk()
    lose(desk, 1)
    desk.core.bus.publish(AccountObserved(snapshot=a_reading(desk, cash=cash, CY=10)))
    order = desk.core.manager.orders[ClientOrderId("s-1")]
    assert order.value / order.cum == Decimal(price)


def test_an_order_accepted_and_not_heard_of_again_is_found_by_the_position() -> None:
    """A crash between the answer's two records leaves it WORKING at a venue that lists no orders: C7, C8."""
    desk = Desk()
    desk.send(1, quantity=10)
    tell(desk, 1, Evidence.ACK)
    assert desk.state(1) == "working"
    see(desk)
    assert desk.state(1) == "working"
    see(desk, CY=10)
    assert (desk.state(1), desk.cum(1)) == ("filled", 10)


def test_an_accepted_order_is_likelier_to_have_filled_than_one_proved_absent() -> None:
    """Two alike: the one that the venue took explains the move."""
    desk = Desk()
    lose(desk, 1)
    see(desk)
    see(desk)
    assert desk.state(1) == "not_placed"
    desk.send(2, quantity=10)
    tell(desk, 2, Evidence.ACK)
    see(desk, CY=10)
    assert (desk.state(1), desk.state(2)) == ("not_placed", "filled")


def test_a_life_that_has_seen_no_price_books_at_the_one_the_order_was_decided_on() -> None:
    """A market order of unknown outcome, a crash, no quote since: the journal has the price; 0 is none."""
    desk = Desk()
    desk.send(1)
    life = desk.reborn()
    assert life.state(1) == "unknown"
    see(life, CY=10)
    order = life.core.manager.orders[ClientOrderId("s-1")]
    assert (life.state(1), order.value) == ("filled", Decimal(400))


def test_where_no_price_is_known_at_all_a_fill_waits_for_one() -> None:
    """An older journal has none: the order stays unknown until the market quotes."""
    first = Desk()
    lose(first, 1)
    desk = first.reborn(old=True)
    see(desk, CY=10)
    assert desk.state(1) == "unknown"
    desk.core.bus.publish(Quote(STOCKS[0], desk.clock.now_ns, 41.0, 41.0))
    see(desk, CY=10)
    assert desk.core.manager.orders[ClientOrderId("s-1")].value == Decimal(410)


def test_the_cash_tells_a_price_that_nothing_else_does() -> None:
    """Ten shares, 430 coins less."""
    first = Desk()
    lose(first, 1)
    desk = first.reborn(old=True)
    desk.core.bus.publish(AccountObserved(snapshot=a_reading(desk, cash=99_570, CY=10)))
    assert desk.core.manager.orders[ClientOrderId("s-1")].value == Decimal(430)
