"""Books: cash is conserved, what is held back comes back, two books agree with their fills."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.errors import DataError
from engine.domain.events import Fill, OrderSubmitted, PositionAdjusted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.market import Quote, Trade
from engine.domain.money import ZERO
from engine.domain.order import Evidence, Order, OrderReport
from engine.domain.timestamps import DAY_NS
from engine.portfolio import GRAIN, Portfolio, Position
from tests.builders import INDEX, START_NS, a_bar

ACCOUNT, SMA, GRID = AccountId("a"), StrategyId("sma"), StrategyId("grid")
FUTURE = InstrumentId("IF2401.CFE")
CASH = Decimal(1_000_000)


def a_portfolio(locked_ns: int = 0) -> Portfolio:
    instruments = {INDEX: Instrument(id=INDEX), FUTURE: Instrument(id=FUTURE, multiplier=300)}
    portfolio = Portfolio(instruments, lambda _instrument, bought_ns: bought_ns + locked_ns)
    portfolio.open_account(ACCOUNT, "CNY", CASH)
    return portfolio


def a_fill(side: Side = Side.BUY, quantity: int = 100, price: str = "10", fee: str = "0", **terms: object) -> Fill:
    fields = {"client_id": ClientOrderId("x"), "account": ACCOUNT, "strategy": SMA, "instrument": INDEX, **terms}
    return Fill(side=side, quantity=quantity, price=Decimal(price), fee=Decimal(fee), **{"ts_ns": START_NS, **fields})  # type: ignore[arg-type]


def an_order(side: Side = Side.BUY, quantity: int = 100, number: int = 1) -> SubmitOrder:
    return SubmitOrder(
        client_id=ClientOrderId(f"s-{number}"), account=ACCOUNT, strategy=SMA, instrument=INDEX, side=side,
        quantity=quantity, ts_ns=START_NS, type=OrderType.MARKET,
    )  # fmt: skip


prices = st.decimals("0.01", "9999.99", places=2)
fills = st.builds(
    lambda side, quantity, price, fee, strategy, instrument: a_fill(
        side, quantity, str(price), str(fee), strategy=strategy, instrument=instrument
    ),
    st.sampled_from(list(Side)), st.integers(1, 1000), prices, st.decimals("0", "99.99", places=2),
    st.sampled_from([SMA, GRID]), st.sampled_from([INDEX, FUTURE]),
)  # fmt: skip


@given(st.lists(fills, max_size=30))
def test_cash_is_conserved_and_the_two_books_add_up(done: list[Fill]) -> None:
    """What left the cash is in the value or the fee of a fill, to the last digit; strategies' books sum to the
    account's."""
    portfolio = a_portfolio()
    for fill in done:
        portfolio.on_fill(fill)
    book = portfolio.accounts[ACCOUNT]
    spent = sum(
        (
            fill.price * fill.quantity * portfolio.instruments[fill.instrument].multiplier * fill.side.sign + fill.fee
            for fill in done
        ),
        ZERO,
    )
    assert book.cash["CNY"] == CASH - spent
    assert book.fees == sum((fill.fee for fill in done), ZERO)
    assert portfolio.fills == len(done)
    for name in (INDEX, FUTURE):
        expected = sum(fill.quantity * fill.side.sign for fill in done if fill.instrument == name)
        assert portfolio.account_quantity(ACCOUNT, name) == expected
        assert sum(portfolio.strategy_quantity(who, name) for who in (SMA, GRID)) == expected


@pytest.mark.parametrize(
    ("booked", "quantity", "average"),
    [
        ([(100, 1000), (100, 2000)], 200, "15"),
        ([(100, 1000), (-40, 900)], 60, "10"),
        ([(100, 1000), (-100, 900)], 0, "0"),
        ([(100, 1000), (-150, 3000)], -50, "20"),
        ([(-100, 1000), (-100, 2000)], -200, "15"),
        ([(-100, 1000), (40, 900)], -60, "10"),
        ([(-100, 1000), (150, 3000)], 50, "20"),
        ([(-100, 1000), (100, 500), (10, 70)], 10, "7"),
    ],
)
def test_average_price_is_of_what_is_still_held(booked: list[tuple[int, int]], quantity: int, average: str) -> None:
    """Sales leave the average alone; a flip starts again at the new price; fees stay out of it."""
    position = Position()
    for signed, value in booked:
        position.book(signed, Decimal(value))
    assert position.quantity == quantity
    assert position.average_price == Decimal(average)


def test_what_was_bought_today_is_locked_until_its_moment() -> None:
    """Sellable grows when the lot is free, less what working sells may take."""
    portfolio = a_portfolio(locked_ns=DAY_NS)
    portfolio.on_fill(a_fill(quantity=100))
    portfolio.on_fill(a_fill(quantity=50, ts_ns=START_NS + DAY_NS // 2))
    assert portfolio.sellable(ACCOUNT, INDEX, START_NS) == 0
    assert portfolio.sellable(ACCOUNT, INDEX, START_NS + DAY_NS) == 100
    portfolio.on_submitted(OrderSubmitted(order=an_order(Side.SELL, 30), ts_ns=START_NS + DAY_NS))
    assert portfolio.sellable(ACCOUNT, INDEX, START_NS + DAY_NS) == 70
    assert portfolio.sellable(ACCOUNT, INDEX, START_NS + 2 * DAY_NS) == 120
    assert portfolio.sellable(ACCOUNT, InstrumentId("none"), START_NS) == 0


steps = st.sampled_from([Evidence.FILL, Evidence.CANCELED, Evidence.REJECT, Evidence.BUST, Evidence.ACK])


@given(
    side=st.sampled_from(list(Side)), quantity=st.integers(1, 300), cost=prices,
    parts=st.lists(st.tuples(steps, st.integers(1, 120)), max_size=8),
)  # fmt: skip
@example(
    side=Side.BUY, quantity=6, cost=Decimal("0.02"),
    parts=[(Evidence.FILL, 1), (Evidence.FILL, 3), (Evidence.FILL, 2)],
)  # fmt: skip
def test_what_is_held_back_is_the_orders_share_and_nothing_at_its_end(
    side: Side, quantity: int, cost: Decimal, parts: list[tuple[Evidence, int]]
) -> None:
    """Exposure / quantity of the whole, rounded up, after any evidence; forgotten orders hold nothing back."""
    portfolio = a_portfolio()
    request = an_order(side, quantity)
    book = portfolio.accounts[ACCOUNT]
    portfolio.on_submitted(OrderSubmitted(order=request, ts_ns=START_NS, reserved_cash=cost))
    order = Order(request, queued=True)
    order.send(START_NS)
    for number, (kind, part) in enumerate(parts, 1):
        order.apply(
            OrderReport(
                account=ACCOUNT, client_id=request.client_id, kind=kind, ts_ns=START_NS + number, quantity=part,
                price=Decimal(10), fee=ZERO, fill_id="1" if kind is Evidence.BUST else str(number),
            )
        )  # fmt: skip
        portfolio.on_order_changed(order)
        if side.sign > 0:
            share = cost * order.exposure / quantity
            assert share <= book.reserved["CNY"] <= share + GRAIN
            assert portfolio.accounts[ACCOUNT].available_cash("CNY") == CASH - book.reserved["CNY"]
        else:
            assert book.position(INDEX).selling == order.exposure
    portfolio.forget(request.client_id)
    portfolio.forget(request.client_id)
    assert book.reserved.get("CNY", ZERO) == 0
    assert not book.position(INDEX).selling


def test_equity_counts_marks_and_falls_back_to_cost() -> None:
    """Cash plus positions at their latest price; a fill is a first price, market data replaces it."""
    portfolio = a_portfolio()
    portfolio.on_fill(a_fill(price="10", fee="1"))
    assert portfolio.equity(ACCOUNT) == CASH - 1
    portfolio.on_bar(a_bar(close=12.5))
    assert portfolio.equity(ACCOUNT) == CASH - 1 + 250
    portfolio.on_quote(Quote(INDEX, START_NS + 5, 13.0, 14.0))
    assert portfolio.marks[INDEX] == 13.5
    assert portfolio.marks_ns.get(INDEX) == START_NS + 5
    portfolio.on_trade(Trade(INDEX, START_NS + 6, 15.0))
    assert portfolio.equity(ACCOUNT) == CASH - 1 + 500
    assert portfolio.marks.get(FUTURE) is None
    with pytest.raises(KeyError):
        portfolio.marks[FUTURE]


def test_after_a_restart_the_latest_fill_tells_the_price_until_a_feed_does() -> None:
    """The first fill ever told it: equity was shown at a price of weeks ago, which a check called stale."""
    portfolio = a_portfolio()
    for day, price in ((1, "10"), (2, "12"), (3, "11")):
        portfolio.on_relived(a_fill(price=price, ts_ns=START_NS + day * DAY_NS))
    assert (portfolio.marks.get(INDEX), portfolio.marks_ns.get(INDEX)) == (11.0, START_NS + 3 * DAY_NS)
    portfolio.on_bar(a_bar(close=13.0, ts_ns=START_NS + 4 * DAY_NS))
    portfolio.on_relived(a_fill(price="9", ts_ns=START_NS + 3 * DAY_NS))
    assert portfolio.marks.get(INDEX) == 13.0


def test_equity_refuses_a_currency_it_has_no_rate_for() -> None:
    """It never adds up different moneys."""
    portfolio = a_portfolio()
    portfolio.accounts[ACCOUNT].cash["USD"] = Decimal(5)
    with pytest.raises(DataError, match="no rate from USD"):
        portfolio.equity(ACCOUNT)


def test_equity_turns_other_currencies_into_the_accounts_by_the_rate() -> None:
    """Cash and holdings alike, each at its own currency's rate."""
    portfolio = a_portfolio()
    base = portfolio.accounts[ACCOUNT].currency
    portfolio.accounts[ACCOUNT].cash["USD"] = Decimal(5)
    portfolio.rate = lambda currency, to: {("USD", base): Decimal("7.8")}[currency, to]
    assert portfolio.equity(ACCOUNT) == CASH + 39
    foreign = InstrumentId("AAPL.US")
    portfolio.instruments = {**portfolio.instruments, foreign: Instrument(id=foreign, market="us", currency="USD")}
    portfolio.accounts[ACCOUNT].position(foreign).book(10, Decimal(1000))
    assert portfolio.equity(ACCOUNT) == CASH + 39 + 7800
    portfolio.on_trade(Trade(foreign, START_NS + 6, 200.0))
    assert portfolio.equity(ACCOUNT) == CASH + 39 + 15600


def test_an_adjustment_moves_cash_and_both_books() -> None:
    """A bust or a difference found is booked like what it undoes."""
    portfolio = a_portfolio()
    portfolio.on_fill(a_fill(price="10"))
    portfolio.on_adjusted(
        PositionAdjusted(account=ACCOUNT, strategy=SMA, instrument=INDEX, ts_ns=0, quantity=-100, cash=Decimal(1000))
    )
    assert portfolio.accounts[ACCOUNT].cash["CNY"] == CASH
    assert portfolio.account_quantity(ACCOUNT, INDEX) == portfolio.strategy_quantity(SMA, INDEX) == 0
