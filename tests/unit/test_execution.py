"""The gate and the judge: what is journaled, told and kept of an order, by the short way and by the long."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import Bar, OrderType, Side, Strategy
from engine.clock import ReplayClock
from engine.domain.account import Capabilities
from engine.domain.commands import CancelOrder, ReplaceOrder, SubmitOrder, writable
from engine.domain.errors import ConfigError
from engine.domain.events import (
    ORDER_EVENTS,
    Alert,
    Fill,
    KillLevel,
    OrderAccepted,
    OrderDenied,
    OrderSent,
    OrderSubmitted,
    PositionAdjusted,
)
from engine.domain.ids import AccountId, ClientOrderId, StrategyId, VenueOrderId
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.order import Evidence, Order, OrderReport, OrderState
from engine.execution import KEEP_ENDED_NS, CancelWanted, ReplaceWanted
from engine.journal.chain import DECODER, ENCODER
from engine.journal.memory import MemoryJournal
from engine.markets.free import Free
from engine.risk.checker import RiskChecker
from engine.risk.profiles import limits_for
from engine.runtime.wiring import Core, join
from tests.builders import INDEX, START_NS, a_backtest, a_bar, flat_rows, ran

ACCOUNT, SMA = AccountId("a"), StrategyId("sma")
ONE = ClientOrderId("sma-1")


class Desk:
    """A core without a market: a venue that only writes down what it is asked."""

    def __init__(self, keep_ended_ns: int = KEEP_ENDED_NS, *, cash: int = 100_000) -> None:
        self.clock = ReplayClock(START_NS)
        self.journal = MemoryJournal()
        self.asked: list[Any] = []
        self.heard: list[Any] = []
        sheet = Capabilities(gateway="here", order_types=frozenset(OrderType), echoes_client_id=True, replaces=True)
        self.core = Core(
            clock=self.clock, journal=self.journal, instruments={INDEX: Instrument(id=INDEX)},
            books={"free": Free()}, limits=(), sheets={ACCOUNT: sheet}, outside=lambda *_: None,
            note=lambda *_: None, keep_ended_ns=keep_ended_ns,
        )  # fmt: skip
        for kind in (Fill, PositionAdjusted, OrderDenied, Alert, *ORDER_EVENTS):
            self.core.bus.subscribe(kind, self.heard.append)
        self.core.portfolio.open_account(ACCOUNT, "CNY", Decimal(cash))
        join(self.core, self, keep_history=False, subscriptions=lambda _event: None)
        self.core.bus.publish(a_bar(close=10.0))

    def on_submitted(self, event: OrderSubmitted) -> None:
        self.asked.append(event)

    def on_cancel_wanted(self, event: CancelWanted) -> None:
        self.asked.append(event)

    def on_replace_wanted(self, event: ReplaceWanted) -> None:
        self.asked.append(event)

    def submit(self, number: int = 1, **terms: Any) -> ClientOrderId:
        fields: dict[str, Any] = {
            "account": ACCOUNT, "strategy": SMA, "instrument": INDEX, "side": Side.BUY, "quantity": 100, **terms,
        }  # fmt: skip
        made = ClientOrderId(f"sma-{number}")
        self.core.bus.publish(SubmitOrder(client_id=made, ts_ns=self.clock.now_ns, **fields))
        return made

    def report(self, kind: Evidence, client_id: ClientOrderId = ONE, **terms: Any) -> None:
        self.clock.now_ns += 1
        fields = {"account": ACCOUNT, "client_id": client_id, "ts_ns": self.clock.now_ns, **terms}
        self.core.bus.publish(OrderReport(kind=kind, **fields))

    def sent(self, client_id: ClientOrderId = ONE) -> None:
        self.core.manager.mark_sent(client_id)

    def rows(self) -> list[Any]:
        return [record for _, record in self.journal.records()]


def life(desk: Desk, *parts: tuple[int, str]) -> None:
    desk.submit()
    desk.sent()
    desk.report(Evidence.ACK, venue_id=VenueOrderId("7"))
    for number, (quantity, price) in enumerate(parts):
        desk.report(Evidence.FILL, quantity=quantity, price=Decimal(price), fee=Decimal(1), fill_id=str(number))


def test_an_order_is_journaled_before_it_is_told_and_its_fills_are_booked_once() -> None:
    """Intent, send, acknowledgement, each fill; two books move; nothing stays held back."""
    desk = Desk()
    life(desk, (40, "10"), (60, "11"))
    changed_ns = desk.clock.now_ns
    desk.report(Evidence.FILL, quantity=60, price=Decimal(11), fee=Decimal(1), fill_id="1")
    kinds = [row.kind.value if isinstance(row, OrderReport) else type(row).__name__ for row in desk.rows()]
    assert kinds == ["OrderSubmitted", "OrderSent", "ack", "fill", "fill"]
    told = [(type(event).__name__, getattr(event, "cum", None)) for event in desk.heard]
    assert told == [("OrderAccepted", 0), ("Fill", 40), ("Fill", 100)]
    assert desk.heard[1].leaves == 60
    book = desk.core.portfolio.accounts[ACCOUNT]
    assert book.cash["CNY"] == Decimal(100_000) - 400 - 660 - 2
    assert book.reserved["CNY"] == 0
    assert desk.core.portfolio.strategy_quantity(SMA, INDEX) == 100
    assert desk.core.manager.working == {}
    assert desk.core.manager.last_change_ns[ACCOUNT] == changed_ns


def test_a_fill_without_a_fee_gets_the_markets() -> None:
    """Brokers that do not say what it cost are charged by the rule book."""
    desk = Desk()
    life(desk)
    desk.report(Evidence.FILL, quantity=100, price=Decimal(10), fill_id="x")
    assert desk.heard[-1].fee == Decimal("0.3")
    assert desk.rows()[-1].fee == Decimal("0.3")


def test_evidence_may_name_the_venues_id_alone() -> None:
    """It is matched, and journaled with our own."""
    desk = Desk()
    life(desk)
    desk.report(
        Evidence.FILL, ClientOrderId(""), venue_id=VenueOrderId("7"), quantity=100, price=Decimal(10), fill_id="x"
    )
    assert desk.rows()[-1].client_id == ONE
    desk.report(
        Evidence.FILL, ClientOrderId(""), venue_id=VenueOrderId("8"), quantity=1, price=Decimal(10), fill_id="y"
    )
    assert isinstance(desk.heard[-1], Alert)


def test_a_used_client_id_is_denied() -> None:
    """One order, one id."""
    desk = Desk()
    desk.submit()
    desk.submit()
    assert (desk.heard[-1].code, len(desk.asked)) == ("DUP_ID", 1)


def test_a_restated_fill_is_an_adjustment_and_an_unreported_part_is_inferred() -> None:
    """Busts take back what they gave; a snapshot's total gives what no fill explained."""
    desk = Desk()
    life(desk, (40, "10"))
    desk.report(Evidence.BUST, fill_id="0")
    adjusted = next(event for event in desk.heard if isinstance(event, PositionAdjusted))
    assert (adjusted.quantity, adjusted.cash) == (-40, Decimal(401))
    desk.report(Evidence.WORKING, cum=30, price=Decimal(12), as_of_ns=desk.clock.now_ns + 5)
    inferred = [event for event in desk.heard if isinstance(event, Fill)][-1]
    assert (inferred.quantity, inferred.price, inferred.inferred) == (30, Decimal(12), True)
    assert inferred.fee == Decimal("0.108")  # what a fill of that size costs in this market
    assert desk.core.portfolio.accounts[ACCOUNT].cash["CNY"] == Decimal(100_000 - 360) - inferred.fee


def test_cancels_pass_whatever_is_latched_and_are_asked_for_once() -> None:
    """A kill at level CANCEL withdraws everything in its scope; orders are denied, cancels are not."""
    desk = Desk()
    life(desk)
    desk.core.manager.latch(KillLevel.CANCEL, f"strategy:{SMA}", "test", "me")
    desk.core.bus.publish(CancelOrder(client_id=ONE, ts_ns=desk.clock.now_ns))
    assert [type(event).__name__ for event in desk.asked] == ["OrderSubmitted", "CancelWanted"]
    assert desk.core.manager.orders[ONE].state is OrderState.PENDING_CANCEL
    desk.core.manager.cancel_scope("account:other", "me")
    desk.core.manager.unlatch(f"strategy:{SMA}", "done", "me")
    assert not desk.core.view.latches


@pytest.mark.parametrize(("quantity", "refused"), [(80, ""), (101, "only be lowered"), (39, "only be lowered")])
def test_a_change_may_only_lower_the_quantity_to_what_is_filled(quantity: int, refused: str) -> None:
    """Else it is refused with the reason, and nothing leaves."""
    desk = Desk()
    life(desk, (40, "10"))
    desk.core.bus.publish(ReplaceOrder(client_id=ONE, ts_ns=desk.clock.now_ns, quantity=quantity))
    if refused:
        assert refused in desk.heard[-1].reason
        assert len(desk.asked) == 1
    else:
        assert isinstance(desk.asked[-1], ReplaceWanted)


def test_ended_orders_are_forgotten_in_time() -> None:
    """Late evidence has a day and an hour; memory is bounded."""
    desk = Desk()
    life(desk, (100, "10"))
    assert ONE in desk.core.manager.orders
    desk.clock.now_ns += KEEP_ENDED_NS + 10
    two = desk.submit(2)
    desk.sent(two)
    desk.report(Evidence.REJECT, two, reason="no")
    assert list(desk.core.manager.orders) == [two]


@pytest.mark.parametrize("end", [Evidence.FILL, Evidence.CANCELED, Evidence.REJECT])
def test_where_nothing_late_can_come_an_ended_order_leaves_nothing(end: Evidence) -> None:
    """Replay: no order, reservation, exposure or id is kept; the books are the same."""
    kept, dropped = Desk(), Desk(keep_ended_ns=0)
    for desk in (kept, dropped):
        life(desk, *([] if end is Evidence.REJECT else [(40, "10")]))
        desk.report(end, quantity=60, price=Decimal(11), fee=ZERO, fill_id="z")
    assert kept.rows() == dropped.rows()
    manager, portfolio = dropped.core.manager, dropped.core.portfolio
    if end is not Evidence.REJECT:
        assert not manager.orders
        assert not portfolio.reservations
    assert not manager.working or end is Evidence.REJECT
    assert not manager._told
    assert not manager._venue_ids
    assert len(dropped.core.view.exposures) == (0 if end is not Evidence.REJECT else 1)
    for desk in (kept, dropped):
        book = desk.core.portfolio.accounts[ACCOUNT]
        if end is not Evidence.REJECT:
            assert book.reserved["CNY"] == 0
    assert kept.core.portfolio.accounts[ACCOUNT].cash == portfolio.accounts[ACCOUNT].cash


reports = st.lists(
    st.tuples(
        st.sampled_from([
            Evidence.ACK, Evidence.FILL, Evidence.FILL, Evidence.WORKING, Evidence.CANCELED, Evidence.CANCEL_REQUEST,
            Evidence.CANCEL_REJECT, Evidence.AMBIGUOUS, Evidence.REJECT, Evidence.BUST, Evidence.ABSENT,
            Evidence.REPLACE_REQUEST, Evidence.REPLACE_ACK, Evidence.EXPIRED, Evidence.CORRECT,
        ]),
        st.integers(1, 130),
        st.integers(0, 3),
        st.sampled_from([0, 0, 3, -3]),
    ),
    max_size=10,
)  # fmt: skip


def facts(order: Order) -> tuple[Any, ...]:
    return (
        order.state, order.proof, order.cum, order.leaves, order.exposure, order.value, order.fee, order.venue_id,
        order.sent_ns, order.quantity, order.cancel_pending, order.replace_pending, order.reason,
    )  # fmt: skip


def a_command() -> SubmitOrder:
    return SubmitOrder(
        client_id=ONE, account=ACCOUNT, strategy=SMA, instrument=INDEX, side=Side.BUY, quantity=100, ts_ns=0
    )


def evidence(parts: Sequence[tuple[Evidence, int, int, int]]) -> list[OrderReport]:
    """A report a nanosecond, each as of when it is told, or of some moments before or after."""
    return [
        OrderReport(
            account=ACCOUNT, client_id=ONE, kind=kind, ts_ns=10 + n, as_of_ns=10 + n + off, quantity=quantity,
            cum=0 if fill == 3 else quantity, price=Decimal(10 + fill), fee=Decimal(fill), fill_id=str(fill),
            reason=kind.value,
            venue_id=VenueOrderId("v") if kind is Evidence.ACK else VenueOrderId(""),
        )
        for n, (kind, quantity, fill, off) in enumerate(parts)
    ]  # fmt: skip


@given(parts=reports, at_once=st.booleans())
def test_the_short_ways_of_an_order_come_to_what_the_join_says(
    parts: list[tuple[Evidence, int, int, int]], at_once: bool
) -> None:
    """Queued, sent, placed and taken by the everyday steps, or by applying each report: every fact is the same."""
    long, short = Order(a_command()), Order(a_command(), queued=True)
    sent = OrderReport(account=ACCOUNT, client_id=ONE, kind=Evidence.SEND, ts_ns=5)
    ack = OrderReport(account=ACCOUNT, client_id=ONE, kind=Evidence.ACK, ts_ns=5, venue_id=VenueOrderId("7"))
    long.apply(OrderReport(account=ACCOUNT, client_id=ONE, kind=Evidence.RISK_OK, ts_ns=1))
    assert facts(long) == facts(short)
    long.apply(sent)
    if at_once:
        long.apply(ack)
        short.place(5, VenueOrderId("7"))
    else:
        short.send(5)
    assert facts(long) == facts(short)
    for report in evidence(parts):
        before = facts(short)
        change = long.apply(report)
        if not short.take(report):
            assert facts(short) == before
            short.apply(report)
        else:
            assert (change.alert, change.ignored, change.impossible) == ("", False, False)
        assert facts(long) == facts(short)


@given(parts=reports)
@example(parts=[(Evidence.WORKING, 1, 0, 0), (Evidence.WORKING, 1, 1, 0)])
@example(parts=[(Evidence.FILL, 100, 1, 0), (Evidence.CANCELED, 1, 0, 0), (Evidence.BUST, 1, 1, 0)])
@example(parts=[(Evidence.ACK, 1, 0, 0), (Evidence.WORKING, 1, 3, 0), (Evidence.CANCELED, 1, 3, -3)])
@example(parts=[(Evidence.FILL, 40, 1, 0), (Evidence.WORKING, 40, 0, 3), (Evidence.BUST, 1, 1, 0)])
@settings(max_examples=300)
def test_recovery_comes_to_the_same_books_as_the_run_it_replays(parts: list[tuple[Evidence, int, int, int]]) -> None:
    """Every order, both books and the cash, from the journal alone; nothing is journaled twice."""
    desk = Desk()
    desk.submit()
    desk.sent()
    for report in evidence(parts):
        desk.core.bus.publish(report)
    again = Desk()
    again.core.manager.recover(desk.rows(), again.core.relive)
    one, two = desk.core, again.core
    if one.manager.orders[ONE].state is OrderState.PENDING_NEW:
        assert two.manager.orders[ONE].state is OrderState.UNKNOWN
    else:
        # The last reason told may be of evidence that changed nothing else.
        assert facts(one.manager.orders[ONE])[:-1] == facts(two.manager.orders[ONE])[:-1]
        assert again.rows() == []
    assert one.portfolio.accounts[ACCOUNT].cash == two.portfolio.accounts[ACCOUNT].cash
    assert one.portfolio.account_quantity(ACCOUNT, INDEX) == two.portfolio.account_quantity(ACCOUNT, INDEX)
    assert one.portfolio.strategy_quantity(SMA, INDEX) == two.portfolio.strategy_quantity(SMA, INDEX)


def test_what_a_crash_left_open_is_told_as_evidence() -> None:
    """Never sent is withdrawn; sent without an answer is unknown; the numbers already given stay given."""
    desk = Desk()
    desk.submit(1)
    desk.sent(desk.submit(2))
    again = Desk()
    again.core.manager.recover(desk.rows(), again.core.relive)
    states = [order.state for order in again.core.manager.orders.values()]
    assert states == [OrderState.NOT_PLACED, OrderState.UNKNOWN]
    assert again.core.manager.orders_made == {SMA: 2}
    assert [row.kind for row in again.rows()] == [Evidence.SEND_FAILED, Evidence.AMBIGUOUS]
    assert not any(isinstance(row, (OrderSubmitted, OrderSent)) for row in again.rows())


class Buys(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.buy(bar.instrument, 1)


class BuysAndHears(Buys):
    def on_start(self) -> None:
        self.heard: list[Any] = []

    def on_order(self, event: Any) -> None:
        self.heard.append(event)


def test_only_strategies_that_listen_are_told_of_acceptances_and_the_journal_is_the_same() -> None:
    """What nobody hears is not made; what is decided does not depend on who listens."""
    hears = BuysAndHears()
    _, quiet_rows = ran(a_backtest(Buys(), flat_rows(1, 2, 3)))
    backtest = a_backtest(hears, flat_rows(1, 2, 3))
    _, rows = ran(backtest)
    assert rows == quiet_rows
    assert [type(event) for event in hears.heard] == [OrderAccepted] * 3


def many_orders(make: Callable[[], Strategy], bars: int) -> Any:
    backtest = a_backtest(make, flat_rows(*([5.0] * bars)))
    backtest.run()
    return backtest


def test_a_replay_keeps_no_ended_order() -> None:
    """However many there were; the journal alone grows, by less than a kilobyte each."""
    backtest = many_orders(Buys, 500)
    manager = backtest.core.manager
    assert len(manager.orders) == len(manager.working) == 1, "the last bar's order found no next open"
    assert len(backtest.core.portfolio.reservations) == 1
    assert backtest._journal.kept_bytes / 500 < 1024


class BuysTwice(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.buy(bar.instrument, 1)
        self.buy(bar.instrument, 1)


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ({}, None),
        ({"duplicate_order": {}}, "DUPLICATE"),
        ({"orders_per_day": {"cap": 4}}, "RATE"),
        ({"max_position": {"value": 11}}, "POSITION"),
        ({"max_daily_value": {"value": 11}}, "TURNOVER"),
    ],
)
def test_a_backtest_shows_its_limits_whatever_they_count(table: dict[str, Any], code: str | None) -> None:
    """What is left out of a run is only what nobody looks at."""
    backtest = a_backtest(BuysTwice(), flat_rows(5, 5, 5, 5, 5), limits=limits_for("backtest", table))
    result, _ = ran(backtest)
    assert set(backtest.core.view.denials) == ({code} if code else set())
    assert (result.denied > 0) is (code is not None)


def test_a_latch_that_only_lets_positions_shrink_looks_through_the_open_orders() -> None:
    """Where open orders are not counted they are added up when somebody asks."""
    backtest = a_backtest(Buys(), flat_rows(5, 5))
    view, manager = backtest.core.view, backtest.core.manager
    assert view.counts_nothing
    backtest.run()
    open_order = next(iter(manager.working.values())).request
    assert view.working(open_order.account, INDEX, Side.BUY) == 1
    assert view.working(open_order.account, INDEX, Side.SELL) == 0
    assert view.undecided(open_order.account, INDEX, Side.BUY) == 0


NONSENSE = st.one_of(
    st.none(), st.booleans(), st.floats(), st.text(max_size=5), st.just([]), st.just(10**30), st.just(Decimal("sNaN")),
    st.just("\ud800"), st.binary(max_size=3),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(SubmitOrder.__struct_fields__), NONSENSE, max_size=3))
@example({"quantity": 2.5})
@example({"quantity": 10**30, "price": 10.0})
# In a new checkout the first text drawn waits until hypothesis has made its table of characters.
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_denied_order_can_be_written_and_read_again_whatever_it_holds(nonsense: dict[str, Any]) -> None:
    """One float for a quantity once made a journal that no later run could read; what is sound of the order stays."""
    order = SubmitOrder(
        client_id=ONE, account=ACCOUNT, strategy=SMA, instrument=INDEX, side=Side.SELL, quantity=3, ts_ns=5
    )
    strange = replace(order, **nonsense)
    denied = OrderDenied(order=writable(strange), ts_ns=7, code="MALFORMED", reason="drill")
    back = DECODER.decode(ENCODER.encode(denied))
    assert back == denied
    for name in set(SubmitOrder.__struct_fields__) - set(nonsense):
        assert getattr(denied.order, name) == getattr(order, name)


def test_the_gate_writes_what_it_can_of_an_order_that_is_none() -> None:
    """The reason says what was asked for."""
    desk = Desk()
    order = SubmitOrder(
        client_id=ONE, account=ACCOUNT, strategy=SMA, instrument=INDEX, side=Side.BUY, quantity=1, ts_ns=5
    )
    desk.core.checker = RiskChecker(limits_for("backtest", {}), desk.core.view)
    desk.core.manager._checker = desk.core.checker
    desk.core.manager.on_submit(replace(order, quantity=2.5))
    (denied,) = [record for _, record in desk.journal.records() if isinstance(record, OrderDenied)]
    assert (denied.order.quantity, denied.reason) == (0, "limit check failed: quantity 2.5 is no whole number")


def test_quantities_that_are_no_whole_numbers_never_reach_the_journal() -> None:
    """numpy's whole numbers are whole; 2.5 is denied, and where an order is played or changed it is refused at once."""
    told: list[str] = []

    class Sloppy(Strategy):
        def on_bar(self, bar: Bar) -> None:
            if told:
                return
            self.buy(bar.instrument, np.int64(2))  # type: ignore[arg-type]
            for wish in (
                lambda: self.buy(bar.instrument, 2.5, trail=1),  # type: ignore[arg-type]
                lambda: self.twap(bar.instrument, 10**30, "10m"),
                lambda: self.replace(ONE, 1.5),  # type: ignore[arg-type]
            ):
                with pytest.raises(ConfigError) as refusal:
                    wish()
                told.append(str(refusal.value))

    result, records = ran(a_backtest(Sloppy(), flat_rows(5, 5, 5)))
    assert result.fills == 1
    assert [record.order.quantity for record in records if isinstance(record, OrderSubmitted)] == [2]
    assert len(told) == 3
    assert all("is no whole number of units; round it first" in text for text in told)
