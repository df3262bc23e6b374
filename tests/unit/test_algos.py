"""Orders the engine plays itself: what it sends when, what it withdraws, what it tells, and what a crash leaves."""

from decimal import Decimal
from typing import Any, ClassVar

import pytest

from engine import ConfigError, OrderType, Side, TimeInForce
from engine.algos import ALGOS
from engine.algos.sliced import Sliced
from engine.domain.account import CancelScope, Capabilities
from engine.domain.algos import AlgoEnded, AlgoState, Twap, volume_curve
from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel, LatchSet
from engine.domain.order import Evidence, Proof
from engine.domain.timestamps import DAY_NS, MINUTE_NS, SECOND_NS
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.profiles import limits_for
from engine.risk.supported import Supported
from engine.risk.view import RiskView
from tests.algo_builders import NAME, START_NS, House, a_house

STOPS = {"order_types": frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP})}


# --- orders with a trigger --------------------------------------------------------------------------------------------

TRIGGERS: list[tuple[str, dict[str, Any], list[float], str | None]] = [
    # Side, words, prices one after the other, and what the last of them sends.
    ("buy", {"stop": 10.5}, [10.4, 10.5], "market buy 10"),
    ("buy", {"stop": 10.5}, [10.4, 9.0], None),
    ("sell", {"stop": 9.5}, [9.6, 9.5], "market sell 10"),
    ("sell", {"stop": 9.5, "price": 9.4}, [9.6, 9.45], "limit sell 10 @9.40"),
    ("buy", {"touch": 9.5}, [10.5, 9.5], "market buy 10"),
    ("sell", {"touch": 10.5, "price": 10.6}, [9.5, 10.5], "limit sell 10 @10.60"),
    ("sell", {"trail": 0.5}, [11.0, 10.6, 10.5], "market sell 10"),
    ("sell", {"trail": 0.5}, [9.6, 11.0, 10.6], None),
    ("sell", {"trail_percent": 10}, [20.0, 18.1, 18.0], "market sell 10"),
    ("buy", {"trail": 0.5}, [9.0, 9.4, 9.5], "market buy 10"),
    ("sell", {"trail": 0.5, "trail_limit": 0.2}, [11.0, 10.5], "limit sell 10 @10.30"),
]


@pytest.mark.parametrize(("side", "words", "prices", "sent"), TRIGGERS)
def test_an_order_its_venue_does_not_have_waits_here_and_goes_as_what_it_becomes(
    side: str, words: dict[str, Any], prices: list[float], sent: str | None
) -> None:
    """Nothing is at the venue before its price comes; then it is, once, under the id its author knows."""
    house = a_house().takes_all()
    made = getattr(house.strategy, side)(NAME, 10, **words)
    assert (house.sent, house.words) == ([], [f"OrderAccepted {made}"])
    for price in prices:
        house.quote(price)
    assert house.orders == ([] if sent is None else [f"{made} {sent}"])
    house.quote(prices[-1])
    assert len(house.sent) == (sent is not None)


def test_what_the_venue_has_goes_to_it_but_a_trail_in_percent_is_no_gateways() -> None:
    """A stop there is the venue's; a trail by an amount too, one in percent is played."""
    kinds = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.TRAILING_STOP})
    house = a_house(sheet={"order_types": kinds})
    for words in ({"stop": 9.5}, {"trail": 0.5}, {"trail_percent": 5}):
        house.strategy.sell(NAME, 10, **words)
    assert [order.type for order in house.sent] == [OrderType.STOP, OrderType.TRAILING_STOP]
    assert len(house.core.algos.parents) == 1


def test_a_stop_that_is_not_met_can_be_withdrawn_and_is_among_the_working_orders() -> None:
    """As any order; its author hears of it as of any order."""
    house = a_house().takes_all()
    made = house.strategy.sell(NAME, 10, stop=9.5)
    assert [(o.client_id, o.leaves) for o in house.strategy.working_orders()] == [(made, 10)]
    house.strategy.cancel_all()
    house.quote(9.0)
    assert (house.sent, house.strategy.working_orders()) == ([], ())
    assert house.words == [f"OrderAccepted {made}", f"OrderCanceled {made}"]


def test_a_bar_that_went_through_a_stop_triggers_it_and_one_from_before_it_does_not() -> None:
    """The extremes of a bar that began before the order are not its own."""
    house = a_house().takes_all()
    house.clock.now_ns += 30 * SECOND_NS
    house.strategy.sell(NAME, 10, stop=9.5)
    house.clock.now_ns -= 30 * SECOND_NS
    house.bar(10, 10, 9.0, 10)
    assert not house.sent
    house.wait(MINUTE_NS)
    house.bar(10, 10, 9.4, 10)
    assert len(house.sent) == 1


def test_what_no_price_tells_of_is_refused_and_so_is_what_is_malformed() -> None:
    """A stop nothing could trigger would be worse than none."""
    house = House(limits=limits_for("backtest", {})).start()
    house.strategy.sell(NAME, 10, stop=9.5)
    house.quote(10)
    house.strategy.sell(NAME, 0, stop=9.5)
    assert [word.split()[0] for word in house.words] == ["OrderDenied", "OrderDenied"]
    assert not house.core.algos.parents


def test_what_can_not_be_played_honestly_goes_to_the_gate_and_is_denied_there() -> None:
    """Fill-or-kill is the venue's to have, and what takes no cancels can not have immediate-or-cancel."""
    house = a_house(limits=(Supported(),))
    house.strategy.buy(NAME, 10, 10.0, tif=TimeInForce.FOK)
    assert house.words[0].startswith("OrderDenied")
    assert not house.core.algos.parents
    house = a_house(limits=(Supported(),), sheet={"cancel_scope": CancelScope.NONE})
    house.strategy.buy(NAME, 10, 10.0, tif=TimeInForce.IOC)
    assert house.words[0].startswith("OrderDenied")


@pytest.mark.parametrize("words", [{"stop": 9, "touch": 11}, {"trail": 1, "trail_percent": 1}, {"take_profit": 9},
                                   {"trail": 1, "price": 9}, {"stpo": 9}, {"trail_limit": 1}])  # fmt: skip
def test_words_that_do_not_go_together_are_refused_with_a_sentence(words: dict[str, Any]) -> None:
    """Before anything is made of them."""
    house = a_house()
    with pytest.raises(ConfigError):
        house.strategy.sell(NAME, 10, **words)
    assert not house.words


def test_immediate_or_cancel_is_withdrawn_as_soon_as_the_venue_has_it() -> None:
    """What filled stays."""
    house = a_house()
    made = house.strategy.buy(NAME, 10, 10.0, tif=TimeInForce.IOC)
    assert house.asked == []
    house.ack(made)
    assert house.asked == [made]
    house.fill(made, 4)
    house.canceled(made)
    assert house.words == [f"OrderAccepted {made}", f"fill {made} 4", f"OrderCanceled {made}"]
    assert not house.core.algos.parents


def test_an_order_good_till_a_date_is_withdrawn_at_its_time() -> None:
    """By a timer of the run's clock."""
    house = a_house().takes_all()
    made = house.strategy.buy(NAME, 10, 9.0, until="10m")
    house.wait(9 * MINUTE_NS)
    assert not house.asked
    house.wait(MINUTE_NS)
    assert house.asked == [made]
    assert house.words[-1] == f"OrderCanceled {made}"


# --- two ways out -----------------------------------------------------------------------------------------------------


def test_of_two_ways_out_the_limit_is_at_the_venue_and_is_withdrawn_before_the_stop_is_sent() -> None:
    """The two are never both there: what filled in between is not sold again."""
    house = a_house()
    made = house.strategy.sell(NAME, 100, take_profit=11, stop=9)
    assert house.orders == [f"{made}.1 limit sell 100 @11.00"]
    house.ack(f"{made}.1")
    house.fill(f"{made}.1", 30)
    house.quote(9.0)
    assert (house.asked, len(house.sent)) == ([f"{made}.1"], 1)
    house.fill(f"{made}.1", 20)
    assert len(house.sent) == 1
    house.canceled(f"{made}.1")
    assert house.orders[1:] == [f"{made}.2 market sell 50"]
    house.ack(f"{made}.2")
    house.fill(f"{made}.2", 50)
    assert not house.core.algos.parents
    assert not house.alerts


def test_a_cancel_that_comes_too_late_leaves_nothing_for_the_stop() -> None:
    """The limit filled meanwhile: that was the exit."""
    house = a_house()
    made = house.strategy.sell(NAME, 100, take_profit=11, stop=9)
    house.ack(f"{made}.1")
    house.quote(9.0)
    house.fill(f"{made}.1", 100)
    house.quote(8.0)
    assert len(house.sent) == 1
    assert not house.core.algos.parents


def test_a_fill_told_after_the_cancel_is_said_to_be_too_much_and_never_hidden() -> None:
    """The venue confirmed the cancel, then told of a fill: 100 asked for, 160 sold."""
    house = a_house()
    made = house.strategy.sell(NAME, 100, take_profit=11, stop=9)
    house.ack(f"{made}.1")
    house.quote(9.0)
    house.canceled(f"{made}.1")
    house.ack(f"{made}.2")
    house.fill(f"{made}.2", 100)
    house.fill(f"{made}.1", 60)
    assert any("60 more than asked for" in alert.text for alert in house.alerts)
    assert house.position() == -160


def test_where_the_venue_has_stops_the_stop_is_there_and_the_profit_is_watched() -> None:
    """It protects while the engine is down; the profit's price swaps them, the stop's swaps them back as a market."""
    house = a_house(sheet=STOPS)
    made = house.strategy.sell(NAME, 100, take_profit=11, stop=9)
    assert house.orders == [f"{made}.1 stop sell 100"]
    house.ack(f"{made}.1")
    house.quote(8.9)
    assert len(house.sent) == 1
    house.quote(11.0)
    house.canceled(f"{made}.1")
    assert house.orders[1:] == [f"{made}.2 limit sell 100 @11.00"]
    house.ack(f"{made}.2")
    house.quote(9.0)
    house.canceled(f"{made}.2")
    assert house.orders[2:] == [f"{made}.3 market sell 100"]


class NoneAbove(Limit, frozen=True, kw_only=True):
    """Refuses limits above 10.5, as an exchange's upper price limit does."""

    name: ClassVar[str] = "none_above"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        above = order.price is not None and order.price > Decimal("10.5")
        return Denial("PRICE_RULE", "above the day's limit") if above else None

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return ""


def test_a_profit_beyond_the_days_limits_waits_and_the_stop_is_watched_all_the_same() -> None:
    """A target that can not be reached today does not leave the position without its stop."""
    house = a_house(limits=(NoneAbove(),))
    made = house.strategy.sell(NAME, 100, take_profit=11, stop=9)
    assert house.sent == []
    for _ in range(5):
        house.wait(10 * MINUTE_NS)
        house.quote(9.5)
    house.quote(9.0)
    assert [o.type for o in house.sent] == [OrderType.MARKET]
    assert house.sent[0].client_id.startswith(made)


class Busy(NoneAbove, frozen=True, kw_only=True):
    """Refuses everything for a while, with a code that time mends."""

    until_ns: int = 0

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        return Denial("OPEN", "one is open already") if now_ns < self.until_ns else None


def test_a_refusal_that_time_mends_never_ends_a_stop_and_a_person_is_told() -> None:
    """Ten minutes of no, then it goes, once."""
    house = a_house(limits=(Busy(until_ns=START_NS + 10 * MINUTE_NS),)).takes_all()
    house.strategy.sell(NAME, 10, stop=9.5)
    house.quote(9.0)
    house.wait(9 * MINUTE_NS)
    assert house.sent == []
    assert sum("goes on trying" in alert.text for alert in house.alerts) == 1
    house.wait(3 * MINUTE_NS)
    assert [order.quantity for order in house.sent] == [10]


# --- brackets ---------------------------------------------------------------------------------------------------------


def test_a_child_that_will_not_go_is_asked_for_as_long_as_it_stays_and_a_person_is_told() -> None:
    """Five requests without an answer, then a refusal: it was never asked again, and its parent never over."""
    house = House(sheet=STOPS).start()
    house.quote(10)
    parent = house.strategy.sell(NAME, 100, take_profit=10.5, stop=9.5)
    (order,) = house.core.manager.working.values()
    child = order.request.client_id
    house.fill(child, 1, "10")
    house.strategy.cancel(parent)
    house.wait(MINUTE_NS)
    assert any("was asked 5 times to go, and stays so far" in alert.text for alert in house.alerts)
    house.report(child, Evidence.CANCEL_REJECT, reason="no")
    assert not order.cancel_pending
    house.wait(2 * MINUTE_NS)
    assert order.cancel_pending
    house.canceled(child)
    assert house.core.algos.parents == {}


def test_a_bracket_protects_each_fill_of_its_entry_and_ends_with_its_exits() -> None:
    """Exits add up to what the entry filled, whatever way it comes."""
    house = a_house()
    made = house.strategy.bracket(NAME, 100, 10.0, take_profit=11, stop_loss=9)
    assert house.orders == [f"{made}.1 limit buy 100 @10.00"]
    house.ack(f"{made}.1")
    house.fill(f"{made}.1", 40)
    assert house.orders[1:] == [f"{made}.2.1 limit sell 40 @11.00"]
    house.ack(f"{made}.2.1")
    house.fill(f"{made}.1", 60)
    assert house.orders[2:] == [f"{made}.3.1 limit sell 60 @11.00"]
    house.ack(f"{made}.3.1")
    house.fill(f"{made}.2.1", 40, "11")
    house.quote(9.0)
    house.canceled(f"{made}.3.1")
    house.ack(f"{made}.3.2")
    house.fill(f"{made}.3.2", 60, "9")
    assert house.position() == 0
    assert house.words[-1] == "bracket filled 100/100"
    assert not house.core.algos.parents


def test_an_exit_that_fills_withdraws_what_is_left_of_the_entry() -> None:
    """The trade is over."""
    house = a_house()
    made = house.strategy.bracket(NAME, 100, 10.0, take_profit=11, stop_loss=9)
    house.ack(f"{made}.1")
    house.fill(f"{made}.1", 40)
    house.ack(f"{made}.2.1")
    house.fill(f"{made}.2.1", 40, "11")
    assert house.asked == [f"{made}.1"]
    house.canceled(f"{made}.1")
    assert house.words[-1] == "bracket filled 40/100"


def test_an_entry_that_does_not_fill_ends_its_bracket_as_it_ended() -> None:
    """Refused, withdrawn by the venue, or by us."""
    for how, state in ((Proof.VENUE, "rejected"), (Proof.NONE, "canceled")):
        house = a_house()
        made = house.strategy.bracket(NAME, 100, 10.0, stop_loss=9)
        if how is Proof.VENUE:
            house.report(f"{made}.1", Evidence.REJECT)
        else:
            house.ack(f"{made}.1")
            house.canceled(f"{made}.1")
        assert house.words[-1] == f"bracket {state} 0/100"


def test_a_withdrawn_bracket_says_what_is_left_without_an_exit() -> None:
    """Entry and exits go, the position stays."""
    house = a_house().takes_all()
    made = house.strategy.bracket(NAME, 100, take_profit=11, stop_loss=9)
    house.strategy.cancel(made)
    assert house.words[-1] == "bracket canceled 100/100"
    assert "100 are held without an exit" in house.strategy.heard[-1].reason
    assert not house.open_orders()


def test_what_can_not_be_sold_yet_is_protected_as_soon_as_it_can() -> None:
    """T+1: the exit of a purchase waits for its day."""
    house = a_house().takes_all()
    free_ns = house.clock.now_ns + DAY_NS
    house.core.portfolio.sellable_from = lambda _instrument, _ns: free_ns
    made = house.strategy.bracket(NAME, 100, take_profit=11, stop_loss=9)
    house.quote(9.0)
    assert house.orders == [f"{made}.1 market buy 100"]
    house.clock.now_ns = free_ns
    house.quote(9.8)
    assert house.orders[1:] == [f"{made}.2.1 limit sell 100 @11.00"]


def test_an_exit_somebody_else_withdraws_is_told_with_an_alert() -> None:
    """Nothing pretends the position were protected."""
    house = a_house().takes_all()
    made = house.strategy.bracket(NAME, 100, take_profit=11, stop_loss=9)
    house.canceled(f"{made}.2.1")
    assert any("100 are unprotected" in alert.text for alert in house.alerts)
    assert house.words[-1].startswith("bracket canceled")


# --- quantities in parts ----------------------------------------------------------------------------------------------


def test_equal_parts_leave_at_equal_distances_in_whole_lots() -> None:
    """What rounding keeps back is in a later part; the last takes the rest."""
    house = a_house(lot=100).takes_all()
    house.strategy.twap(NAME, 1_050, "10m", slices=4)
    for _ in range(4):
        house.wait(150 * SECOND_NS)
    assert [order.quantity for order in house.sent] == [200, 300, 200, 350]
    assert house.words[-1] == "twap filled 1050/1050"


def test_parts_follow_the_volume_of_the_days_before() -> None:
    """Weights of the same stretch of earlier days; equal where no bar tells."""
    ends = [DAY_NS + MINUTE_NS * k for k in (1, 2, 3, 4)]
    assert volume_curve(ends, [10, 30, 40, 20], 3 * DAY_NS, 4 * MINUTE_NS, 2, DAY_NS) == (0.4, 0.6)
    assert volume_curve(ends, [1, 1, 1, 1], 3 * DAY_NS + DAY_NS // 2, 4 * MINUTE_NS, 2, DAY_NS) == (0.5, 0.5)


def test_a_part_that_does_not_fill_is_withdrawn_at_the_end_and_the_rest_is_told() -> None:
    """EXPIRED, with what there is."""
    house = a_house().takes_all()
    house.strategy.twap(NAME, 100, "10m", slices=2, price=9.0)
    house.wait(20 * MINUTE_NS)
    assert [order.quantity for order in house.sent] == [50, 50]
    assert len(house.asked) == 2
    assert house.words[-1] == "twap expired 0/100"


def test_a_share_of_what_is_seen_to_trade() -> None:
    """Prints and bars after the start count, in whole lots, up to what was asked for."""
    house = a_house(lot=10).takes_all()
    house.strategy.participate(NAME, 100, 0.1, "1h")
    house.trade(10, 550)
    house.trade(10, 60)
    house.trade(10, 5_000)
    assert [order.quantity for order in house.sent] == [50, 10, 40]
    assert house.words[-1] == "participate filled 100/100"


def test_an_iceberg_shows_its_next_part_when_the_one_before_has_filled() -> None:
    """Never two at once."""
    house = a_house()
    made = house.strategy.iceberg(NAME, 100, 10.0, 40)
    for number, quantity in ((1, 40), (2, 40), (3, 20)):
        assert len(house.sent) == number
        assert house.sent[-1].quantity == quantity
        house.ack(f"{made}.{number}")
        house.fill(f"{made}.{number}", quantity - 1)
        assert len(house.sent) == number
        house.fill(f"{made}.{number}", 1)
    assert house.words[-1] == "iceberg filled 100/100"


# --- safety -----------------------------------------------------------------------------------------------------------


def test_a_child_of_unknown_outcome_stops_its_parent_from_sending() -> None:
    """Until it is decided; then what it did not fill is made good."""
    house = a_house()
    made = house.strategy.twap(NAME, 100, "10m", slices=2)
    house.unknown(f"{made}.1")
    house.wait(6 * MINUTE_NS)
    assert len(house.sent) == 1
    house.ack(f"{made}.1")
    house.fill(f"{made}.1", 50)
    assert [order.quantity for order in house.sent] == [50, 50]


def test_a_child_only_inferred_absent_ends_its_parent_with_an_alert() -> None:
    """It may still turn up: to send its quantity again could double it."""
    house = a_house()
    made = house.strategy.twap(NAME, 100, "10m", slices=2)
    house.unknown(f"{made}.1")
    house.absent(f"{made}.1")
    house.wait(10 * MINUTE_NS)
    assert len(house.sent) == 1
    assert house.words[-1] == "twap rejected 0/100"
    assert any("inferred" in alert.text for alert in house.alerts)


def test_children_pass_the_gate_and_are_tried_again_a_few_times() -> None:
    """Three refusals in a row with growing waits, then it is over; none of them reached the venue."""
    house = a_house(limits=limits_for("backtest", {"max_order_quantity": {"quantity": 10}}))
    house.strategy.twap(NAME, 100, "20m", slices=2)
    house.wait(20 * MINUTE_NS)
    assert house.sent == []
    assert sum(word.startswith("OrderDenied") for word in house.words) == 4
    assert house.words[-1] == "twap rejected 0/100"


def test_a_latch_ends_parents_and_a_halt_denies_their_children() -> None:
    """From CANCEL on they are withdrawn with everything else; nothing leaves under a HALT."""
    house = a_house(limits=limits_for("backtest", {})).takes_all()
    house.strategy.buy(NAME, 10, stop=11)
    house.core.manager.latch(KillLevel.CANCEL, "account:a", "test", "test")
    assert not house.core.algos.parents
    house = a_house(limits=limits_for("backtest", {})).takes_all()
    house.strategy.buy(NAME, 10, stop=11)
    house.core.bus.publish(LatchSet(level=KillLevel.HALT, scope="all", cause="x", who="y", ts_ns=0))
    house.quote(11)
    assert (house.sent, house.core.algos.parents) == ([], {})


def test_a_stopped_strategys_parents_are_withdrawn() -> None:
    """With their children."""
    house = a_house().takes_all()
    house.strategy.twap(NAME, 100, "10m", slices=2, price=9.0)
    house.core.runner.halt(house.strategy.ctx.strategy, "test")
    assert not house.open_orders()
    assert not house.core.algos.parents


def test_nothing_is_sent_once_the_strategies_were_stopped_for_good() -> None:
    """What is not over goes on in the next run."""
    house = a_house().takes_all()
    house.strategy.sell(NAME, 10, stop=9)
    house.core.runner.stop()
    house.quote(8)
    assert house.sent == []
    after = house.again().takes_all().start()
    after.quote(8.5)
    assert len(after.sent) == 1


# --- restarts ---------------------------------------------------------------------------------------------------------


def test_a_waiting_stop_survives_a_restart_with_its_extreme() -> None:
    """A trailing stop goes on from where the price had been."""
    house = a_house().takes_all()
    made = house.strategy.sell(NAME, 10, trail=0.5)
    house.quote(12.0)
    after = house.again().takes_all().start()
    assert [o.client_id for o in after.strategy.working_orders()] == [made]
    after.quote(11.5)
    assert after.orders == [f"{made} market sell 10"]
    assert after.strategy.buy(NAME, 1) != made


def test_a_crash_between_a_trigger_and_its_child_sends_it_once() -> None:
    """The trigger is in the journal, the child is not: it never left, so it leaves now."""
    house = a_house()
    house.strategy.sell(NAME, 10, stop=9.5)
    (parent,) = house.core.algos.parents.values()
    parent.note("met", "9.4")
    after = house.again().start()
    assert after.sent == []
    after.quote(9.9)
    assert len(after.sent) == 1
    once_more = after.again().start()
    once_more.quote(9.4)
    assert once_more.sent == []


def test_a_child_that_was_journaled_but_never_sent_is_made_anew_and_one_that_was_sent_is_waited_for() -> None:
    """Never sent: nothing of it can be there. Sent without an answer: it may be, and nothing more leaves."""
    house = a_house()
    house.core.manager.mark_sent = lambda _client_id, _hash="": 0  # type: ignore[method-assign]
    made = house.strategy.twap(NAME, 100, "10m", slices=2)
    house.sent.clear()
    after = house.again().start()
    assert after.sent == []
    after.quote(10)
    after.wait(5 * SECOND_NS)
    assert after.orders == [f"{made}.2 market buy 50"]
    last = after.again().start()
    last.quote(10)
    last.wait(8 * MINUTE_NS)
    assert last.sent == []
    last.ack(f"{made}.2")
    last.fill(f"{made}.2", 50)
    assert last.orders == [f"{made}.3 market buy 50"]


def test_what_a_parent_had_filled_before_a_restart_is_not_bought_again() -> None:
    """Children that ended are in the journal as well."""
    house = a_house().takes_all()
    house.strategy.twap(NAME, 100, "10m", slices=4)
    house.wait(3 * MINUTE_NS)
    after = house.again().takes_all().start()
    after.wait(20 * MINUTE_NS)
    assert sum(order.quantity for order in (*house.sent, *after.sent)) == 100
    ends = [record for _, record in after.journal.records() if isinstance(record, AlgoEnded)]
    assert [(end.state, end.filled) for end in ends] == [(AlgoState.FILLED, 100)]
    assert after.again().start().core.algos.parents == {}


def test_a_bracket_goes_on_after_a_restart_where_it_was() -> None:
    """Its entry filled while its exit was on its way: the exit is found, or made, never doubled."""
    house = a_house().takes_all()
    made = house.strategy.bracket(NAME, 100, take_profit=11, stop_loss=9)
    after = house.again().takes_all().start()
    assert after.sent == []
    after.quote(8.9)
    assert after.asked == [f"{made}.2.1"]
    assert after.orders == [f"{made}.2.2 market sell 100"]
    assert after.words[-1] == "bracket filled 100/100"


def test_every_algo_of_the_registry_says_what_it_is() -> None:
    """A module's docstring is its promise; the registry is what a command may name."""
    assert list(ALGOS) == ["order", "bracket", "twap", "vwap", "participate", "iceberg"]
    spec = Twap(duration_ns=10, slices=3)
    played = Sliced(spec, Capabilities(gateway="x", order_types=frozenset()))
    assert [played.planned(100, k) for k in range(4)] == [0, 33, 67, 100]
    assert Decimal(Side.BUY.sign) == 1
