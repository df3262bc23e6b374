"""What explains a difference between our book and the venue is booked once; what nothing explains is held."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.account import AccountSnapshot, Balance, FillRow, OrderRow, PositionRow
from engine.domain.commands import Side
from engine.domain.events import Fill, PositionAdjusted
from engine.domain.evidence import Evidence
from engine.domain.ids import EXTERNAL, ClientOrderId, StrategyId, VenueOrderId
from engine.domain.timestamps import DAY_NS, HOUR_NS, SECOND_NS
from engine.explanations import Surroundings
from engine.portfolio import Portfolio
from engine.reconciliation import Judgement, Reconciler
from engine.strangers import Strangers
from tests.core_builders import ACCOUNT, LAG_NS, STOCKS, Desk

NOW_NS = 10 * HOUR_NS


class Bench:
    """A reconciler over a book whose market lets a purchase be sold a day later; ``read`` books what it decides."""

    def __init__(self, *, lists_orders: bool = True) -> None:
        self.desk = Desk(lists_orders=lists_orders, lists_fills=lists_orders)
        core = self.desk.core
        self.portfolio = Portfolio(core.instruments, lambda _instrument, bought_ns: bought_ns + DAY_NS)
        self.portfolio.open_account(ACCOUNT, "COIN", Decimal(100_000))
        self.strangers = Strangers(
            lambda _account, venue_id, _tag: venue_id.startswith("ours"),
            lambda _account, row: row.venue_id.startswith("like ours"),
        )
        self.quiet_ns: int | None = 0
        self.reconciler = Reconciler(
            Surroundings(
                portfolio=self.portfolio,
                instruments=core.instruments,
                sheets=core.view.capabilities,
                strangers=self.strangers,
                quiet_since_ns=lambda _account: self.quiet_ns,
                disputed=lambda _account: (),
                instructions=lambda _account: (),
            )
        )
        self.now_ns = NOW_NS
        self.booked: list[PositionAdjusted] = []

    def read(self, quantity: int, *rows: OrderRow, opening: bool = False, **more: object) -> Judgement:
        """One reading ten seconds after the last, as ``Reconciling`` acts on it."""
        self.now_ns += 10 * SECOND_NS
        snapshot = a_reading(quantity, rows=rows, ts_ns=self.now_ns, **more)  # type: ignore[arg-type]
        judgement = self.reconciler.judge(snapshot, opening=opening)
        for entry in judgement.booked:
            self.book(entry)
        if judgement.booked:
            self.strangers.booked(snapshot, self.strangers.read(snapshot))
        if judgement.held:
            self.reconciler.findings[ACCOUNT] = judgement.held
        return judgement

    def book(self, entry: PositionAdjusted) -> None:
        self.booked.append(entry)
        self.portfolio.on_adjusted(entry)
        self.reconciler.on_adjusted(entry)

    @property
    def held(self) -> int:
        return self.portfolio.account_quantity(ACCOUNT, STOCKS[0])


def a_reading(
    quantity: int,
    sellable: int | None = None,
    *,
    cash: str = "100000",
    ts_ns: int = NOW_NS,
    rows: Sequence[OrderRow] | None = None,
    fills: Sequence[FillRow] | None = None,
    whole: bool = True,
    live_only: bool = False,
    average: str | None = None,
) -> AccountSnapshot:
    money = Decimal(cash)
    price = None if average is None else Decimal(average)
    return AccountSnapshot(
        account=ACCOUNT,
        as_of_ns=ts_ns,
        ts_ns=ts_ns,
        positions=(PositionRow(instrument=STOCKS[0], quantity=quantity, sellable=sellable, average_price=price),),
        balances=(Balance(currency="COIN", total=money, available=money),),
        orders=None if rows is None else tuple(rows),
        fills=None if fills is None else tuple(fills),
        whole=whole,
        live_only=live_only,
    )


def a_row(number: str, cum: int, *, side: Side = Side.BUY, quantity: int = 500, working: bool = False) -> OrderRow:
    return OrderRow(
        instrument=STOCKS[0],
        side=side,
        quantity=quantity,
        price=Decimal(40),
        status=Evidence.WORKING if working else Evidence.FILL,
        cum=cum,
        average_price=Decimal(40),
        venue_id=VenueOrderId(number),
    )


def a_settled() -> tuple[Portfolio, Reconciler]:
    bench = Bench()
    return bench.portfolio, bench.reconciler


@pytest.mark.parametrize(("sellable", "locked"), [(None, 0), (500, 0), (300, 200), (0, 500)])
def test_what_is_found_locked_at_the_venue_is_locked_in_our_book(sellable: int | None, locked: int) -> None:
    """A person bought 200 of the 500 today: 300 may be sold, the rest tomorrow."""
    portfolio, reconciler = a_settled()
    (found,) = reconciler.judge(a_reading(500, sellable), opening=True).booked
    assert (found.strategy, found.quantity, found.locked) == (EXTERNAL, 500, locked)
    portfolio.on_adjusted(found)
    assert portfolio.sellable(ACCOUNT, STOCKS[0], NOW_NS) == 500 - locked
    assert portfolio.sellable(ACCOUNT, STOCKS[0], NOW_NS + DAY_NS) == 500


def test_what_is_found_is_booked_at_what_the_venue_says_it_cost() -> None:
    """At first, and where more of it is found; what is found to be less leaves at the average there was."""
    portfolio, reconciler = a_settled()
    position = portfolio.accounts[ACCOUNT].position(STOCKS[0])
    for quantity, average, cost in ((500, "6.5", 3250), (800, "7", 5600), (400, "9", 2800), (-100, "5", -500)):
        snapshot = a_reading(quantity, average=average)
        row = next(row for row in reconciler._rows(snapshot, (), opening=True) if row.instrument)
        (found,) = reconciler.adjustments(snapshot, (row,), "found")
        portfolio.on_adjusted(found)
        assert (position.quantity, position.cost) == (quantity, cost)
    assert portfolio.strategy_positions[EXTERNAL, STOCKS[0]].cost == -500


@pytest.mark.parametrize("average", [None, "2", "-1"])
def test_a_cost_that_can_not_be_is_not_booked(average: str | None) -> None:
    """None; 200 cheaper than the first 100 of them; less than nothing, as after dividends: the latest price it is."""
    portfolio, reconciler = a_settled()
    portfolio.on_adjusted(*reconciler.judge(a_reading(100, average="6"), opening=True).booked)
    snapshot = a_reading(200, average=average)
    row = next(row for row in reconciler._rows(snapshot, (), opening=True) if row.instrument)
    (found,) = reconciler.adjustments(snapshot, (row,), "found")
    assert found.cost is None


def test_an_account_is_not_opened_by_a_reading_without_its_money() -> None:
    """Else all its money would be a difference that nothing explains at the reading after (EasyTHS: a label that was
    not found)."""
    _, reconciler = a_settled()
    poor = replace(a_reading(500, 500), balances=None)
    judgement = reconciler.judge(poor, opening=True)
    assert (judgement.doubt, judgement.booked, judgement.held) == ("the money was not read", (), ())
    assert reconciler.judge(a_reading(500, 500, cash="70000"), opening=True).booked[-1].cash == -30_000


def test_what_our_book_knows_to_be_locked_is_not_locked_again() -> None:
    """The venue's 300 of 500 held back are the 300 of the first reading; what came since is free."""
    portfolio, reconciler = a_settled()
    portfolio.on_adjusted(reconciler.judge(a_reading(300, 0), opening=True).booked[0])
    (found,) = reconciler.judge(a_reading(500, 200), opening=True).booked
    assert (found.quantity, found.locked) == (200, 0)


def test_two_readings_show_the_same_only_with_equal_holdings_and_money() -> None:
    """An empty table and a full one are not two witnesses."""
    one = a_reading(500, 500)
    assert one.shows_as(a_reading(500, 300, ts_ns=NOW_NS + 1))
    assert not one.shows_as(None)
    assert not one.shows_as(a_reading(400, 400))
    assert not one.shows_as(a_reading(500, 500, cash="99999"))
    unread = AccountSnapshot(account=ACCOUNT, as_of_ns=NOW_NS, ts_ns=NOW_NS)
    assert not unread.shows_as(unread)


def test_a_strangers_order_explains_exactly_what_it_filled() -> None:
    """He bought 300: the second reading that shows it books 300 and the money, and nothing is held."""
    bench = Bench()
    bench.read(0)
    row = a_row("77", 300)
    assert bench.read(300, row, cash="88000").doubt
    second = bench.read(300, row, cash="88000")
    assert [entry.quantity for entry in second.booked] == [300, 0]
    assert "77" in second.booked[0].reason
    assert not second.held
    assert bench.held == 300
    assert not bench.read(300, row, cash="88000").rows


def test_what_a_strangers_order_filled_more_is_explained_and_what_it_did_not_is_held() -> None:
    """300 booked, 100 more filled: +100 is his. +150 is nobody's."""
    for moved, explained in ((400, True), (450, False)):
        bench = Bench()
        bench.read(0)
        for _ in range(2):
            bench.read(300, a_row("77", 300, working=True), cash="88000")
        cash = str(100_000 - 40 * moved)
        for _ in range(3):
            last = bench.read(moved, a_row("77", 400, working=True), cash=cash)
        assert bool(bench.reconciler.findings) is not explained, last
        assert bench.held == (moved if explained else 300)


@pytest.mark.parametrize("gained", [200, 300])
def test_a_row_that_may_be_our_own_order_explains_any_part_of_what_it_filled(gained: int) -> None:
    """An order that only the holdings told of has no number: its row, come late, looks like a stranger's."""
    bench = Bench()
    bench.read(1000, opening=True)
    rows = (a_row("like ours", 100), a_row("theirs", 200))
    for _ in range(2):
        judgement = bench.read(1000 + gained, *rows)
    assert not judgement.held
    assert bench.held == 1000 + gained


def test_a_difference_that_nothing_explains_is_held_after_two_readings_and_never_booked() -> None:
    """The second reading that agrees holds it; a third says nothing new."""
    bench = Bench()
    bench.read(0)
    assert not bench.read(100).held
    assert [row.missing for row in bench.read(100).held] == [100]
    assert not bench.read(100).held
    assert bench.booked == []
    assert bench.reconciler.findings


def test_a_venue_without_an_order_list_explains_nothing() -> None:
    """No list, no stranger to be seen: it is held, and says why."""
    bench = Bench(lists_orders=False)
    snapshot = a_reading(100, ts_ns=NOW_NS + SECOND_NS)
    bench.reconciler.judge(snapshot)
    (row,) = bench.reconciler.judge(a_reading(100, ts_ns=NOW_NS + 9 * SECOND_NS)).held
    assert "lists no orders" in row.text


def test_a_difference_that_goes_away_is_held_no_longer() -> None:
    """The venue shows our book again: nothing is left to accept. (The latch is a person's to lower.)"""
    bench = Bench()
    bench.read(0)
    bench.read(100)
    bench.read(100)
    bench.read(0)
    assert not bench.reconciler.findings


def test_a_list_that_may_be_short_holds_nothing_until_it_was_short_for_long() -> None:
    """A stranger's row may be missing by accident; five readings later it is no accident."""
    bench = Bench()
    bench.read(0)
    for _ in range(5):
        assert not bench.read(100, whole=False).held
    bench.read(100, whole=False)
    assert bench.read(100, whole=False).held


def test_of_a_list_of_live_orders_one_that_is_gone_may_have_filled() -> None:
    """A stranger's 500 were seen to work and are gone: +200 can be their doing."""
    bench = Bench()
    bench.read(0, live_only=True)
    for _ in range(2):
        bench.read(0, a_row("77", 0, working=True), live_only=True)
    for _ in range(2):
        bench.read(200, cash="92000", live_only=True)
    assert not bench.reconciler.findings
    assert bench.held == 200


def test_a_strangers_fills_explain_where_his_order_is_listed_no_more() -> None:
    """The executions of the day bear his order's number."""
    bench = Bench()
    bench.read(0, fills=())
    fill = FillRow(
        instrument=STOCKS[0], side=Side.BUY, quantity=200, price=Decimal(40), fill_id="f1", venue_id=VenueOrderId("77")
    )
    for _ in range(2):
        bench.read(200, cash="92000", fills=(fill, fill))
    assert bench.held == 200


def test_small_cash_and_the_fees_of_our_own_fills_are_booked_and_other_cash_is_held() -> None:
    """A coin is rounding; half a percent of what we traded are fees; a thousand coins are somebody's."""
    bench = Bench()
    bench.read(0)
    for _ in range(2):
        bench.read(0, cash="100000.80")
    assert [entry.cash for entry in bench.booked] == [Decimal("0.80")]
    fill = Fill(
        client_id=ClientOrderId("s-1"), account=ACCOUNT, strategy=StrategyId("s"), instrument=STOCKS[0], side=Side.BUY,
        quantity=100, price=Decimal(40), fee=Decimal(0), ts_ns=NOW_NS,
    )  # fmt: skip
    bench.portfolio.on_fill(fill)
    bench.reconciler.explanations.on_fill(fill)
    for _ in range(2):
        bench.read(100, cash="95983.00")
    assert bench.booked[-1].cash == Decimal("-17.80")
    bench.read(100, cash="95983.00")
    for _ in range(2):
        bench.read(100, cash="94983.00")
    assert [row.missing for row in bench.reconciler.findings[ACCOUNT]] == [Decimal(-1000)]


def test_a_fill_whose_price_is_a_guess_explains_the_price_it_had() -> None:
    """Read off the position, at the market's price of then: it cost a tenth more."""
    bench = Bench()
    bench.read(0)
    fill = Fill(
        client_id=ClientOrderId("s-1"), account=ACCOUNT, strategy=StrategyId("s"), instrument=STOCKS[0], side=Side.BUY,
        quantity=100, price=Decimal(40), fee=Decimal(0), ts_ns=NOW_NS, fill_id="s-1",
    )  # fmt: skip
    bench.portfolio.on_fill(fill)
    bench.reconciler.explanations.on_fill(fill)
    for _ in range(2):
        bench.read(100, cash="95600")
    assert [entry.cash for entry in bench.booked] == [Decimal(-400)]


def test_the_least_commission_of_a_small_fill_is_a_fee() -> None:
    """Five yuan an order and a cent of transfer, of a trade worth 590: half a percent is less than that."""
    bench = Bench()
    bench.read(0)
    fill = Fill(
        client_id=ClientOrderId("s-1"), account=ACCOUNT, strategy=StrategyId("s"), instrument=STOCKS[0], side=Side.BUY,
        quantity=100, price=Decimal("5.90"), fee=Decimal(0), ts_ns=NOW_NS,
    )  # fmt: skip
    bench.portfolio.on_fill(fill)
    bench.reconciler.explanations.on_fill(fill)
    for _ in range(2):
        bench.read(100, cash="99404.49")
    assert [entry.cash for entry in bench.booked] == [Decimal("-5.51")]


def test_nothing_is_decided_while_an_order_of_ours_is_under_way_or_may_not_show_yet() -> None:
    """Its outcome, or the venue's lag, may be the whole difference."""
    bench = Bench()
    bench.quiet_ns = None
    assert bench.read(100).doubt
    bench.quiet_ns = bench.now_ns + 10 * SECOND_NS - LAG_NS
    assert bench.read(100).doubt
    assert bench.read(100).doubt
    assert not bench.read(100).doubt


READINGS = st.lists(
    st.tuples(
        st.integers(0, 3),  # what strangers bought so far, in hundreds
        st.integers(0, 3),  # how much of it the list shows
        st.sampled_from((0, 0, 0, 50)),  # what came from nowhere
        st.booleans(),  # whether a person accepts now
    ),
    max_size=30,
)


@given(READINGS)
def test_whatever_is_read_a_difference_is_booked_once_and_the_book_ends_at_the_venue(
    readings: list[tuple[int, int, int, bool]],
) -> None:
    """Every booking moves our book to what a reading showed; after quiet readings and one acceptance both agree."""
    bench, bought = Bench(), 0
    bench.read(0)
    for more, seen, odd, accepts in readings:
        bought = max(bought, more)
        before = bench.held
        judgement = bench.read(
            100 * bought + odd, a_row("77", 100 * min(seen, bought)), cash=str(100_000 - 4000 * bought)
        )
        if judgement.booked:
            assert bench.held in (before, 100 * bought + odd)
        if accepts:
            accepted(bench)
            accepted(bench)
    for _ in range(3):
        bench.read(100 * bought, a_row("77", 100 * bought), cash=str(100_000 - 4000 * bought))
    accepted(bench)
    assert not bench.read(100 * bought, a_row("77", 100 * bought), cash=str(100_000 - 4000 * bought)).rows
    assert sum(entry.quantity for entry in bench.booked) == 100 * bought


def accepted(bench: Bench) -> None:
    rows = bench.reconciler.findings.get(ACCOUNT, ())
    for entry in bench.reconciler.adjustments(None, rows, "accepted"):
        bench.book(entry)
    assert not bench.reconciler.findings.get(ACCOUNT)
