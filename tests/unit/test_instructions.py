"""Instructions in the core: the gate, what is reserved and locked, evidence, and a second life from the journal."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import Bar, InstructionReport, InstructionState, Strategy
from engine.domain.account import AccountSnapshot
from engine.domain.commands import OrderType, Side
from engine.domain.events import (
    Alert,
    InstructionDenied,
    InstructionSent,
    InstructionSettled,
    InstructionSubmitted,
    KillLevel,
    OrderDenied,
    StrategyStopped,
)
from engine.domain.ids import ClientOrderId, StrategyId
from engine.domain.instructions import DECIDED, Action, CancelConditions, ReverseRepo, StopLossProfit, SubscribeIpo
from engine.domain.timestamps import HOUR_NS, SECOND_NS, parse_time
from engine.instructions import MOVES
from engine.markets.china_a import ChinaA
from engine.risk.limit import Limit
from engine.risk.profiles import limits_for
from tests.builders import INDEX, a_backtest, flat_rows, ran
from tests.core_builders import ACCOUNT, STOCKS
from tests.instruction_builders import ALL, PAPER, Counter, a_condition, a_stop, an_instruction

QUEUED, PENDING, UNKNOWN = InstructionState.QUEUED, InstructionState.PENDING, InstructionState.UNKNOWN
STANDING, DONE, REFUSED = InstructionState.STANDING, InstructionState.DONE, InstructionState.REFUSED
NOT_PLACED, ENDED, DENIED = InstructionState.NOT_PLACED, InstructionState.ENDED, InstructionState.DENIED
EVERYTHING: tuple[Action, ...] = (
    a_condition(), a_stop(), CancelConditions(side=Side.BUY), ReverseRepo(amount=1000), SubscribeIpo(),
)  # fmt: skip
NEW: tuple[Action, ...] = (a_condition(), a_stop(), ReverseRepo(amount=1000), SubscribeIpo())


def paper(**rules: Any) -> Sequence[Limit]:
    return limits_for("paper", {**PAPER, **rules})


def named(action: Action) -> str:
    return type(action).__name__


def an_order(counter: Counter, number: int, side: Side = Side.BUY, **terms: Any) -> str:
    """Show an order at 40 to the gate: the code of its denial, or empty."""
    before = len(counter.heard)
    counter.decide(number, **{"side": side, "type": OrderType.LIMIT, "price": Decimal(40), **terms})
    return next((event.code for event in counter.heard[before:] if isinstance(event, OrderDenied)), "")


# --- the gate --------------------------------------------------------------------------------------------------------


def test_a_client_id_is_used_once() -> None:
    """The second one is denied, and the first goes on."""
    counter = Counter()
    assert counter.instruct(a_condition()) == ""
    assert counter.instruct(SubscribeIpo()) == "DUP_ID"
    assert counter.instruction_state() is QUEUED
    assert len(counter.left) == 1


@pytest.mark.parametrize("action", EVERYTHING, ids=named)
def test_what_the_router_does_not_perform_is_denied(action: Action) -> None:
    """Cancels too: nobody could do them. The reason names who and what."""
    counter = Counter(performs=ALL - {type(action)})
    assert counter.instruct(action) == "UNSUPPORTED"
    report = counter.changes[0].report
    assert report.reason == f"here performs no {an_instruction(action).name}"
    assert counter.left == []
    counter.core.view.performs.clear()
    assert counter.instruct(action, 2) == "UNSUPPORTED"


@pytest.mark.parametrize("scope", ["all", "account:game", "strategy:s"])
def test_a_latch_denies_what_is_new_and_no_cancel(scope: str) -> None:
    """From HALT up; no limits are needed for that."""
    counter = Counter()
    counter.hold(100)
    counter.core.manager.latch(KillLevel.HALT, scope, "test", "operator")
    for number, action in enumerate(NEW):
        assert counter.instruct(action, number) == "KILLED"
    assert counter.instruct(CancelConditions(side=Side.BUY), 9) == ""


def test_reduce_lets_only_what_sells_a_holding_pass() -> None:
    """A stop shrinks the position; a purchase, a loan and a subscription add."""
    counter = Counter(paper())
    counter.hold(100)
    counter.core.manager.latch(KillLevel.REDUCE, "all", "test", "operator")
    assert counter.instruct(a_condition()) == "KILLED"
    assert counter.instruct(ReverseRepo(amount=1000), 2) == "KILLED"
    assert counter.instruct(SubscribeIpo(), 3) == "KILLED"
    assert counter.instruct(a_stop(), 4) == ""


@pytest.mark.parametrize(
    ("action", "rules", "code"),
    [
        (a_condition(quantity=11), {"max_order_quantity": {"quantity": 10}}, "MAX_QTY"),
        (a_stop(11), {"max_order_quantity": {"quantity": 10}}, "MAX_QTY"),
        (a_condition("40.01"), {"max_order_value": {"value": 400}}, "MAX_NOTIONAL"),
        (a_stop(11), {"max_order_value": {"value": 400}}, "MAX_NOTIONAL"),
        (a_condition(quantity=2_495), {}, "CASH"),
        (a_stop(101), {}, "SELLABLE"),
        (a_condition(quantity=11), {"max_position": {"quantity": 110}}, "POSITION"),
        (a_condition("60.01"), {}, "COLLAR"),
        (a_condition(quantity=11), {"max_daily_value": {"value": 400}}, "TURNOVER"),
        (a_condition(), {"allowed_symbols": {"symbols": ["DL.VSM"]}}, "INSTRUMENT"),
        (a_stop(), {"allowed_sides": {"sides": ["buy"]}}, "UNSUPPORTED"),
        (ReverseRepo(amount=2000), {"max_order_value": {"value": 1999}}, "MAX_NOTIONAL"),
        (ReverseRepo(amount=1000), {"allowed_symbols": {"symbols": ["DL.VSM"]}}, "INSTRUMENT"),
        (SubscribeIpo(), {"hours": {"start": "10:00", "end": "11:00"}}, "SESSION"),
    ],
    ids=str,
)
def test_limits_hold_as_for_an_order(action: Action, rules: dict[str, Any], code: str) -> None:
    """One over the cap is denied with the order's own code and the words of the limit."""
    counter = Counter(paper(**rules))
    counter.hold(100)
    found = counter.instruct(action)
    assert found == code
    assert counter.changes[0].report.reason.startswith("limit check failed: ")
    assert counter.book.available_cash("COIN") == Decimal(100_000)


@pytest.mark.parametrize(
    ("action", "rules"),
    [
        (a_condition(quantity=10), {"max_order_quantity": {"quantity": 10}, "max_order_value": {"value": 400}}),
        (a_condition(quantity=10), {"max_position": {"quantity": 110}}),
        # A target above the market may be a slip of the finger, one far below it is what conditions are for.
        (a_condition("41.2"), {"price_collar": {"percent": 3, "max_age": "1d"}}),
        (a_condition("1"), {"price_collar": {"percent": 3, "max_age": "1d"}}),
        (a_stop(100), {"max_order_quantity": {"quantity": 100}, "max_order_value": {"value": 4000}}),
        # A loan is no position and has no price: those limits do not speak of it.
        (ReverseRepo(amount=2000), {"max_order_value": {"value": 2000}, "max_position": {"quantity": 1}}),
    ],
    ids=str,
)
def test_at_the_cap_an_instruction_passes(action: Action, rules: dict[str, Any]) -> None:
    """The cap itself is allowed."""
    counter = Counter(paper(**rules))
    counter.hold(100)
    assert counter.instruct(action) == ""


def test_a_condition_without_a_fresh_price_is_denied() -> None:
    """As an order is: limits can not be judged without one."""
    counter = Counter(paper())
    counter.core.portfolio.marks.latest.clear()
    assert counter.instruct(a_condition()) == "STALE_DATA"
    assert counter.instruct(a_stop(), 2) != ""
    old = Counter(paper(price_collar={"max_age": "3s"}))
    old.clock.now_ns += 4 * SECOND_NS
    assert old.instruct(a_condition("1")) == "STALE_DATA"


def test_a_loan_takes_its_amount_and_fee_to_the_cent() -> None:
    """100 000 are there: 99 000 and the fee of 0.03 % can be lent, 100 000 can not; what is lent is not there twice."""
    counter = Counter()
    assert counter.instruct(ReverseRepo(amount=100_000)) == "CASH"
    assert counter.instruct(ReverseRepo(amount=99_000), 2) == ""
    assert counter.book.available_cash("COIN") == Decimal(100_000) - 99_000 - Decimal("29.7")
    assert counter.instruct(ReverseRepo(amount=1000), 3, instrument=STOCKS[1]) == "CASH"


@pytest.mark.parametrize(
    ("action", "word"),
    [
        (a_condition(quantity=0), "quantity 0"),
        (a_condition(quantity=True), "quantity True"),
        (a_condition("0"), "target_price"),
        (a_condition("NaN"), "target_price"),
        (a_condition(days=0), "expire_days 0"),
        (a_stop(-1), "quantity -1"),
        (a_stop(loss="0"), "stop_loss_percent"),
        (a_stop(profit="100.1"), "stop_profit_percent"),
        (a_stop(loss="5", profit="5"), "is not above stop_loss_percent 5"),
        (ReverseRepo(amount=0), "amount 0"),
        (ReverseRepo(amount=1500), "no multiple of 1000"),
        (CancelConditions(side="sideways"), "side 'sideways'"),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_numbers_that_are_none_are_denied_before_anything_is_compared(action: Action, word: str) -> None:
    """No limit is needed for it, and the sentence names the field."""
    counter = Counter()
    counter.hold(100)
    assert counter.instruct(action) in ("MALFORMED", "LOT")
    assert word in counter.changes[0].report.reason


def test_an_unknown_account_or_instrument_is_denied() -> None:
    """Nobody could be asked, nothing could be meant."""
    counter = Counter()
    assert counter.instruct(a_condition(), account="nobody") == "MALFORMED"
    assert counter.instruct(a_condition(), 2, instrument="XX.YY") == "INSTRUMENT"
    assert counter.instruct(CancelConditions(side=Side.BUY), 3, instrument="XX.YY") == "INSTRUMENT"


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        ("2026-03-02T09:45:00+08:00", ""),
        ("2026-03-02T12:00:00+08:00", "SESSION"),
        ("2026-02-28T09:45:00+08:00", "SESSION"),
    ],
)
def test_new_shares_are_subscribed_for_in_the_session_only(moment: str, code: str) -> None:
    """A Monday morning passes; its lunch and a Saturday are denied before anything is sent."""
    counter = Counter()
    counter.core.view.books = {**counter.core.books, "china_a": ChinaA()}
    counter.clock.now_ns = parse_time(moment)
    assert counter.instruct(SubscribeIpo()) == code


# --- what is held back, and locked -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [None, PENDING, UNKNOWN, STANDING])
def test_later_orders_see_the_worst_case(state: InstructionState | None) -> None:
    """Cash of a condition and shares of a stop are nobody else's, in whatever state short of its end."""
    counter = Counter(paper(duplicate_order={"window": "1ms"}, max_position={"value": 10_000_000}))
    counter.hold(100)
    counter.hold(100, STOCKS[1])
    asked: tuple[Action, ...] = (a_condition(quantity=2_400), a_stop(60))
    for number, action in enumerate(asked, 1):
        assert counter.instruct(action, number, instrument=STOCKS[1]) == ""
        if state is not None:
            counter.post(number)
        if state in (UNKNOWN, STANDING):
            counter.told(state, number)
    assert counter.book.available_cash("COIN") == Decimal("100000") - Decimal(96_000) * Decimal("1.0023")
    assert an_order(counter, 1, quantity=100) == "CASH"
    assert an_order(counter, 2, quantity=90) == ""
    assert counter.core.portfolio.sellable(ACCOUNT, STOCKS[1], counter.clock.now_ns) == 40


def test_a_standing_condition_counts_towards_the_position_limit() -> None:
    """What it may buy is bought at worst: with 60 standing at most 40 more may be ordered."""
    limits = paper(max_position={"quantity": 100, "value": 10_000_000})
    counter = Counter([limit for limit in limits if limit.name not in ("locked", "open_orders")])
    counter.standing(a_condition(quantity=60))
    assert an_order(counter, 1, quantity=41) == "POSITION"
    assert an_order(counter, 2, quantity=40) == ""
    counter.told(ENDED)
    counter.settle()
    assert an_order(counter, 3, quantity=60) == ""


@pytest.mark.parametrize(
    ("action", "side"),
    [(a_condition(), Side.BUY), (a_stop(), Side.SELL), (ReverseRepo(amount=1000), Side.SELL),
     (CancelConditions(side=Side.BUY), Side.BUY), (CancelConditions(side=Side.SELL), Side.SELL)],
    ids=str,
)  # fmt: skip
def test_its_side_is_locked_until_it_is_decided(action: Action, side: Side) -> None:
    """No order there while it is queued, pending or unknown; the other side and the other instrument are free."""
    counter = Counter([limit for limit in paper() if limit.name != "self_match"])
    counter.hold(100)
    counter.hold(100, STOCKS[1])
    other = Side.SELL if side is Side.BUY else Side.BUY
    assert counter.instruct(action) == ""
    assert an_order(counter, 1, side) == "LOCKED"
    assert an_order(counter, 2, other) == ""
    assert an_order(counter, 3, side, instrument=STOCKS[1]) == ""
    counter.post()
    assert an_order(counter, 4, side) == "LOCKED"
    counter.told(UNKNOWN)
    assert an_order(counter, 5, side) == "LOCKED"
    counter.told(NOT_PLACED)
    assert an_order(counter, 6, side) == ""
    assert counter.core.view.locks == {}


def test_a_condition_locks_its_side_while_it_stands_and_until_the_account_shows_what_it_did() -> None:
    """Its order, when triggered, could not be told from ours; a reading begun after its end shows it."""
    counter = Counter(paper(), max_lag_ns=60 * 10**9)
    counter.standing(a_condition())
    assert an_order(counter, 1) == "LOCKED"
    counter.told(ENDED)
    assert an_order(counter, 2) == "LOCKED"
    counter.settle()
    assert an_order(counter, 3) == "LOCKED", "the reading began before the broker's longest lag was over"
    counter.settle()
    assert an_order(counter, 4) == ""


def test_a_reading_that_differs_from_the_book_settles_nothing() -> None:
    """What a triggered condition bought is not in our book yet: its cash stays reserved."""
    counter = Counter()
    counter.standing(a_condition())
    counter.told(ENDED)
    counter.hold(10)
    counter.clock.now_ns += HOUR_NS
    now_ns = counter.clock.now_ns
    reading = AccountSnapshot(account=ACCOUNT, as_of_ns=now_ns, ts_ns=now_ns, positions=())
    assert not counter.core.settles(reading)
    assert counter.book.promised["COIN"] > 0
    counter.hold(-10)
    assert counter.core.settles(reading)
    assert counter.book.promised["COIN"] == 0


def test_no_instruction_where_another_or_an_order_is_under_way() -> None:
    """Cancels alone may: they withdraw what stands there."""
    counter = Counter()
    counter.hold(100)
    counter.standing(a_condition())
    assert counter.instruct(a_condition("39"), 2) == "LOCKED"
    assert counter.instruct(a_stop(), 3) == ""
    assert counter.instruct(CancelConditions(side=Side.BUY), 4) == ""
    counter.told(ENDED)
    counter.settle()
    assert counter.instruct(a_condition("39"), 5) == "LOCKED", "the cancel is still under way"
    assert an_order(counter, 1, instrument=STOCKS[1]) == ""
    assert counter.instruct(a_condition(), 6, instrument=STOCKS[1]) == "LOCKED"
    counter.mark(1)
    assert counter.instruct(a_condition(), 7, instrument=STOCKS[1]) == "LOCKED"
    assert counter.instruct(CancelConditions(side=Side.BUY), 8, instrument=STOCKS[1]) == ""


def test_one_subscription_at_a_time_and_an_unknown_one_does_not_block_the_next_day() -> None:
    """New shares are those of a day."""
    counter = Counter()
    assert counter.instruct(SubscribeIpo()) == ""
    counter.post()
    counter.told(UNKNOWN)
    assert counter.instruct(SubscribeIpo(), 2) == "LOCKED"
    counter.clock.now_ns += 24 * HOUR_NS
    assert counter.instruct(SubscribeIpo(), 3) == ""
    assert counter.instruction_state(1) is UNKNOWN


# --- evidence --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [QUEUED, *MOVES, DONE, REFUSED, NOT_PLACED, ENDED])
@pytest.mark.parametrize("told", list(InstructionState))
def test_states_move_on_evidence_that_fits_and_on_nothing_else(
    before: InstructionState, told: InstructionState
) -> None:
    """What contradicts is an alert and changes nothing; what is known already is nothing; what is decided stays."""
    counter = Counter()
    counter.instruct(a_condition())
    if before is not QUEUED:
        counter.post()
        if before is ENDED:
            counter.told(STANDING)
        if before is not PENDING:
            counter.told(before)
    assert counter.instruction_state() is before
    heard, rows = len(counter.heard), len(counter.records())
    counter.told(told)
    moves = told in MOVES.get(before, ()) and told is not before
    assert counter.instruction_state() is (told if moves else before)
    assert len(counter.records()) == rows + moves
    assert len(counter.heard) - heard == (not moves and told is not before)


def test_evidence_about_somebody_elses_instruction_is_said() -> None:
    """Nothing changes but that a person is told."""
    counter = Counter()
    counter.told(DONE, 5)
    assert [type(event) for event in counter.heard] == [Alert]
    assert counter.changes == []


def test_time_alone_decides_nothing() -> None:
    """UNKNOWN after a year is UNKNOWN, still reserved and locked."""
    counter = Counter()
    counter.instruct(a_condition())
    counter.post()
    counter.told(UNKNOWN)
    counter.clock.now_ns += 365 * 24 * HOUR_NS
    counter.settle()
    assert counter.instruction_state() is UNKNOWN
    assert counter.book.promised["COIN"] > 0
    assert counter.core.view.locks


def test_everything_is_journaled_before_it_is_told() -> None:
    """Denied; intent, send marker, answer, end, settled: each a row, in that order, with what it says."""
    counter = Counter()
    counter.instruct(SubscribeIpo(), 9, account="nobody")
    details = {"rate": "2.50%"}
    counter.standing(a_condition())
    counter.told(ENDED, details=details)
    details["rate"] = "changed afterwards"
    counter.settle()
    rows = counter.records()
    kinds = [InstructionDenied, InstructionSubmitted, InstructionSent, InstructionReport, InstructionReport]
    assert [type(row) for row in rows] == [*kinds, InstructionSettled]
    submitted, ended = rows[1], rows[4]
    assert isinstance(submitted, InstructionSubmitted)
    assert submitted.instruction.action == a_condition()
    assert submitted.reserved_cash == Decimal(400) * Decimal("1.002") + Decimal("0.12")
    assert isinstance(ended, InstructionReport)
    assert ended.details == {"rate": "2.50%"}
    assert [change.report.state for change in counter.changes] == [DENIED, STANDING, ENDED]


def test_a_person_is_told_of_conditions_that_outlive_a_latch_or_their_strategy() -> None:
    """Neither reaches the broker's server; what has not left yet does not leave."""
    counter = Counter()
    counter.hold(100)
    counter.standing(a_condition())
    assert counter.instruct(a_stop(), 2) == ""
    counter.core.manager.latch(KillLevel.HALT, f"symbol:{STOCKS[0]}", "test", "operator")
    counter.core.manager.latch(KillLevel.HALT, f"symbol:{STOCKS[1]}", "test", "operator")
    counter.core.bus.publish(StrategyStopped(strategy=StrategyId("s"), ts_ns=0, reason="test"))
    told = [event.about for event in counter.heard if isinstance(event, Alert)]
    assert told == ["instruction:s-i1", "instruction:s-i1"]
    assert counter.instruction_state(2) is NOT_PLACED


# --- a second life ---------------------------------------------------------------------------------------------------


def held(counter: Counter) -> tuple[Any, ...]:
    """What is reserved for instructions, locked and known."""
    stops = [i.request.action for i in counter.desk.instructions.values() if i.held]
    return (
        {currency: cash for currency, cash in counter.book.promised.items() if cash},
        [stop.quantity for stop in stops if isinstance(stop, StopLossProfit)],
        counter.core.view.locks,
        {name: (i.state, i.sent_ns, i.held) for name, i in counter.desk.instructions.items()},
        counter.desk.made,
    )


def test_after_a_crash_what_never_left_is_proven_so_and_what_left_is_unknown() -> None:
    """Between intent and send: NOT_PLACED, freed. Sent without an answer: UNKNOWN, still reserved and locked."""
    counter = Counter()
    counter.hold(100)
    counter.instruct(a_condition())
    counter.instruct(a_stop(), 2)
    counter.post(2)
    counter.standing(a_condition(), 3, instrument=STOCKS[1])
    counter.instruct(SubscribeIpo(), 4, account="nobody")
    again = counter.reborn()
    assert held(again) == held(counter)
    again.desk.left_open()
    assert [again.instruction_state(n) for n in (1, 2, 3)] == [NOT_PLACED, UNKNOWN, STANDING]
    assert [change.report.state for change in again.changes] == [NOT_PLACED, UNKNOWN]
    assert again.book.promised["COIN"] == Decimal(400) * Decimal("1.002") + Decimal("0.12")
    assert again.book.positions[STOCKS[0]].selling == 10
    assert again.desk.made == {"s": 4}
    assert set(again.core.view.locks) == {(ACCOUNT, STOCKS[0], False), (ACCOUNT, STOCKS[1], True)}
    assert [type(row) for row in again.records()] == [InstructionReport, InstructionReport]


def test_a_second_life_holds_back_nothing_for_what_was_settled_in_the_first() -> None:
    """And goes on holding it back for what was over, but had not shown."""
    counter = Counter()
    counter.standing(a_condition())
    counter.told(ENDED)
    assert held(counter.reborn()) == held(counter)
    assert counter.reborn().book.promised["COIN"] > 0
    counter.settle()
    assert held(counter.reborn()) == held(counter)
    assert counter.reborn().core.view.locks == {}


ACTIONS = st.one_of(
    st.builds(a_condition, st.sampled_from(["39", "40.5"]), st.integers(1, 900)),
    st.builds(a_stop, st.integers(1, 120)),
    st.builds(CancelConditions, side=st.sampled_from([Side.BUY, Side.SELL])),
    st.builds(ReverseRepo, amount=st.sampled_from([1000, 30_000, 70_000])),
    st.just(SubscribeIpo()),
)
STEPS = st.one_of(
    st.tuples(st.just("instruct"), ACTIONS, st.sampled_from(STOCKS)),
    st.tuples(st.just("post"), st.integers(0, 20)),
    st.tuples(st.just("told"), st.integers(0, 20), st.sampled_from(list(InstructionState))),
    st.tuples(st.just("order"), st.sampled_from([Side.BUY, Side.SELL]), st.sampled_from(STOCKS)),
    st.tuples(st.just("settle")),
    st.tuples(st.just("reborn")),
)


def take(counter: Counter, step: tuple[Any, ...], number: int) -> Counter:
    names = list(counter.desk.instructions)
    match step:
        case ("instruct", action, instrument):
            counter.instruct(action, number, instrument=instrument)
        case ("post", index) if names:
            if counter.desk.state(names[index % len(names)]) is QUEUED:
                counter.post(int(names[index % len(names)].removeprefix("s-i")))
        case ("told", index, state) if names:
            counter.told(state, int(names[index % len(names)].removeprefix("s-i")))
        case ("order", side, instrument):
            an_order(counter, number, side, instrument=instrument)
        case ("settle",):
            counter.settle()
        case ("reborn",):
            other = counter.reborn(counter.core.checker.limits)
            for name in STOCKS:
                other.hold(100, name)
            assert held(other) == held(counter)
    return counter


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_what_is_reserved_is_the_sum_over_what_is_not_decided(steps: list[tuple[Any, ...]]) -> None:
    """After every step, whatever came in whatever order; and the journal gives the same sums again."""
    counter = Counter(paper(max_position={"value": 10_000_000}, duplicate_order={"window": "1ms"}))
    for name in STOCKS:
        counter.hold(100, name)
    for number, step in enumerate(steps):
        take(counter, step, number)
        intents = {row.client_id: row for row in counter.records() if isinstance(row, InstructionSubmitted)}
        open_ = [i for i in counter.desk.instructions.values() if i.held]
        cash = sum((intents[i.request.client_id].reserved_cash for i in open_), Decimal(0))
        orders = counter.core.manager.working.values()
        ordered = sum((Decimal(400) * Decimal("1.0023") for o in orders if o.request.side is Side.BUY), Decimal(0))
        assert counter.book.promised.get("COIN", Decimal(0)) == cash
        assert counter.book.reserved.get("COIN", Decimal(0)) == cash + ordered
        assert counter.book.available_cash("COIN") >= 0
        for name in STOCKS:
            actions = [i.request.action for i in open_ if i.request.instrument == name]
            stops = [action.quantity for action in actions if isinstance(action, StopLossProfit)]
            sold = [o.quantity for o in orders if o.request.side is Side.SELL and o.request.instrument == name]
            assert counter.book.positions[name].selling == sum(stops) + sum(sold) <= 100
        for known in counter.desk.instructions.values():
            assert known.held or known.state in DECIDED
        locked = {i.request.client_id for i in open_}
        assert {name for names in counter.core.view.locks.values() for name in names} == locked


# --- strategies ------------------------------------------------------------------------------------------------------


class Instructs(Strategy):
    """At its first bar it asks for everything a broker may do."""

    def on_start(self) -> None:
        self.asked: list[str] = []
        self.heard: list[InstructionReport] = []

    def on_bar(self, bar: Bar) -> None:
        if self.asked:
            return
        self.asked = [
            self.condition_buy(INDEX, 9.871, 100),
            self.stop_loss_profit(INDEX, 3, 5.5, 100, expire_days=5),
            self.cancel_conditions(INDEX, "sell"),
            self.reverse_repo(INDEX, 2000),
            self.subscribe_ipo(),
        ]
        assert not self.heard, "it hears what it caused only after the handler returned"

    def on_instruction(self, event: InstructionReport) -> None:
        self.heard.append(event)


def test_in_a_backtest_instructions_are_denied_with_a_reason_and_the_run_goes_on() -> None:
    """The simulated venue has none of them; every one has its own id and its own denial, and a journal row."""
    strategy = Instructs()
    result, rows = ran(a_backtest(strategy, flat_rows(10, 10, 10)))
    assert result.stopped == {}
    assert strategy.asked == [f"s-i{number}" for number in range(1, 6)]
    assert [event.client_id for event in strategy.heard] == strategy.asked
    assert {(event.state, event.code) for event in strategy.heard} == {(DENIED, "UNSUPPORTED")}
    assert strategy.heard[0].reason == "simulated venue performs no condition_buy"
    denied = [row.instruction for row in rows if isinstance(row, InstructionDenied)]
    assert [named(one.action) for one in denied] == [
        "ConditionBuy", "StopLossProfit", "CancelConditions", "ReverseRepo", "SubscribeIpo",
    ]  # fmt: skip
    assert denied[0].action == a_condition("9.87", 100)
    assert denied[1].action == a_stop_of("3", "5.5", 100, 5)
    assert denied[2].action == CancelConditions(side=Side.SELL)
    assert [one.instrument for one in denied] == [INDEX, INDEX, INDEX, INDEX, ""]


def a_stop_of(loss: str, profit: str, quantity: int, days: int) -> Action:
    return replace(a_stop(quantity, loss, profit), expire_days=days)


class AsksForWhatNobodyKnows(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.condition_buy("XX.YY", 1, 1)


def test_an_unknown_instrument_is_the_strategys_mistake() -> None:
    """As with an order: the sentence names it, and only that strategy stops."""
    result, _ = ran(a_backtest(AsksForWhatNobodyKnows(), flat_rows(10, 10)))
    assert "'XX.YY' is not known; add it to config/instruments.toml" in result.stopped["s"]


def test_a_backtest_with_orders_has_the_same_journal_as_before_there_were_instructions() -> None:
    """Nothing is added to a run that makes none."""

    class Buys(Strategy):
        def on_bar(self, bar: Bar) -> None:
            self.buy(bar.instrument, 1)

    _, rows = ran(a_backtest(Buys(), flat_rows(10, 10, 10)))
    assert not [row for row in rows if type(row).__name__.startswith("Instruction")]
    assert ClientOrderId("s-1") in [row.client_id for row in rows if type(row).__name__ == "OrderSubmitted"]  # type: ignore[union-attr]
