"""The books behind the counter: money, shares, fees, numbers; and what other faces see of the same market."""

from contextlib import suppress
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import ReplayClock
from engine.domain.commands import Side
from engine.domain.errors import ConfigError
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.entropy import Entropy
from engine.markets.virtual import Virtual
from engine.simulators.amazingdata.universe import Universe
from engine.simulators.china import days
from engine.simulators.counter import DEFAULT_SHARES, Counter, CounterAccount, CounterRefusal, EntrustStatus
from engine.simulators.exchange import Exchange
from engine.simulators.futu import FutuSimulator
from tests.counter_builders import BANK, BOND, DAY, STILL, WALKING, Bench, a_walking_counter, held, local

NEXT = "2026-11-19"


# Money


def test_a_purchase_ties_up_its_price_and_fees_until_it_ends() -> None:
    """Ten thousand yuan at 9.90, commission 5, transfer 0.10; a market order ties up the day's highest price."""
    bench = Bench()
    bench.buy(1000, "9.90", "10:00:20")
    funds = bench.counter.funds(local("10:00:21"))
    assert (funds.frozen, funds.cash) == (Decimal("9905.10"), 1_000_000)
    assert funds.available == Decimal("990094.90")
    order = bench.buy(1000, None, "10:00:22", 3)
    assert bench.counter.funds(local("10:00:22")).frozen == Decimal("9905.10") + 11_000 + Decimal("5.11")
    bench.advance("10:00:23")
    assert order.status is EntrustStatus.FILLED
    after = bench.counter.funds(local("10:00:23"))
    assert (after.frozen, after.cash) == (Decimal("9905.10"), 1_000_000 - 10_000 - Decimal("5.10"))
    assert (after.market_value, after.total) == (Decimal("10000.00"), Decimal("999994.90"))


def test_the_last_yuan_can_be_spent_and_not_one_more() -> None:
    """Fees belong to what an order needs."""
    assert Bench(cash="1005.01").buy(100, "10.00", "10:00:20").quantity == 100
    with pytest.raises(CounterRefusal, match=r"资金不足：可用1005\.00，需要1005\.01"):
        Bench(cash="1005.00").buy(100, "10.00", "10:00:20")


def test_the_least_commission_is_charged_once_an_order() -> None:
    """With the first part; the later ones bring what the whole costs more."""
    still = {f"10:{minute:02d}": (10.0,) * 4 for minute in range(1, 30)}
    bench = Bench(STILL | still, partial=1.0)  # type: ignore[arg-type]
    order = bench.buy(1000, "10.05", "10:00:20")
    bench.advance("10:00:21")
    rest = order.leaves * Decimal("10.05")
    assert rest < bench.counter.funds(local("10:00:21")).frozen < rest + Decimal("0.20")
    bench.advance("10:29")
    deals = bench.counter.deals(local("10:29"))
    assert len(deals) > 1
    assert deals[0].fee >= 5
    assert sum(deal.fee for deal in deals) == order.fees == Decimal("5.10")
    assert bench.counter.books.cash == 1_000_000 - order.value - Decimal("5.10")


def test_proceeds_can_be_spent_today_and_taken_out_tomorrow() -> None:
    """Twice 4 995 less commission, transfer and duty."""
    bench = Bench(STILL | {f"{NEXT} 09:31": (10.0, 10.0, 10.0, 10.0)}, cash="100", holdings=(held("600000.SH", 1000),))
    for _ in range(2):
        bench.sell(500, None, "10:00:20", 1)
    funds = bench.counter.funds(local("10:00:21"))
    got = 2 * (Decimal("9.99") * 500 - Decimal("5.05") - Decimal("2.50"))
    assert (funds.available, funds.withdrawable) == (100 + got, 100)
    assert bench.counter.holdings(local("10:00:21")) == []
    tomorrow = bench.counter.funds(local(f"{NEXT} 09:00:00"))
    assert tomorrow.withdrawable == tomorrow.available == 100 + got


# Shares


def test_what_is_bought_today_is_sold_tomorrow() -> None:
    """T+1, from the opening auction on; what was held before may go today."""
    bench = Bench(STILL | {f"{NEXT} 09:31": (10.0, 10.0, 10.0, 10.0)}, holdings=(held("600000.SH", 300),))
    bench.buy(200, "10.00", "10:00:20")
    (row,) = bench.counter.holdings(local("10:00:21"))
    assert (row.quantity, row.sellable) == (500, 300)
    with pytest.raises(CounterRefusal, match="可用股份不足：可用300，需要400"):
        bench.sell(400, "10.10", "10:00:22")
    bench.sell(100, "10.10", "10:00:22")
    (row,) = bench.counter.holdings(local("10:00:23"))
    assert (row.quantity, row.sellable) == (500, 200)
    (row,) = bench.counter.holdings(local(f"{NEXT} 09:15:00"))
    assert (row.quantity, row.sellable) == (500, 500)
    bench.buy(100, "10.00", f"{NEXT} 10:00:00")
    (row,) = bench.counter.holdings(local(f"{NEXT} 10:00:01"))
    assert (row.quantity, row.sellable) == (600, 500)


def test_bonds_go_the_same_day() -> None:
    """T+0 for convertible bonds."""
    bench = Bench({"09:31": (110.0,) * 4}, share=BOND)  # type: ignore[dict-item]
    bench.buy(20, "110.000", "10:00:20")
    (row,) = bench.counter.holdings(local("10:00:21"))
    assert (row.quantity, row.sellable) == (20, 20)


def test_a_holding_has_its_cost_and_its_profit() -> None:
    """Cost of a unit with the fees of buying it; selling a part leaves it; unknown holdings are a mistake."""
    bench = Bench(holdings=(held("600000.SH", 1000, "9.00"),))
    bench.buy(1000, "10.00", "10:00:20")
    (row,) = bench.counter.holdings(local("10:00:21"))
    assert (row.cost, row.last, row.value) == (Decimal("9.503"), Decimal("10.00"), Decimal("20000.00"))
    assert row.profit == 20_000 - (9_000 + 10_000 + Decimal("5.10"))
    bench.sell(1000, "9.90", "10:00:22")
    (row,) = bench.counter.holdings(local("10:00:23"))
    assert (row.quantity, row.cost) == (1000, Decimal("9.503"))
    with pytest.raises(ConfigError, match=r"holds 600519\.SH"):
        Bench(holdings=(held("600519.SH", 100),))
    with pytest.raises(ValueError, match="quantity above 0"):
        held("600000.SH", 0)


# Numbers and lists


def test_numbers_of_orders_and_deals() -> None:
    """Contract numbers and deal numbers only grow; entrust numbers begin anew each day; lists go by days."""
    bench = Bench(STILL | {f"{NEXT} 09:31": (10.0, 10.0, 10.0, 10.0)})
    orders = [bench.buy(100, "10.00", f"10:00:2{second}") for second in range(3)]
    bench.counter.place(BANK.code, Side.BUY, 100, Decimal("9.50"), local("10:01:00"), source="manual", request=7)
    orders.append(bench.buy(100, "10.00", f"{NEXT} 10:00:00"))
    at = local(f"{NEXT} 10:00:01")
    assert [order.serial for order in bench.counter.entrusts(at, 2)] == [1, 2, 3, 4, 1]
    numbers = [order.number for order in bench.counter.entrusts(at, 30)]
    assert all(first < second for first, second in pairwise(numbers))
    deals = [deal.number for deal in bench.counter.deals(at, 2)]
    assert len(deals) == 4
    assert all(first < second for first, second in pairwise(deals))
    assert bench.counter.entrusts(at) == orders[-1:]
    assert [deal.entrust for deal in bench.counter.deals(at)] == orders[-1:]
    manual = bench.counter.entrusts(at, 2)[3]
    assert (manual.source, manual.request, manual.market, manual.name) == ("manual", 7, False, "浦发银行")


# Steps of the price


def test_a_listener_hears_each_step_after_the_orders_met_it_and_may_trade() -> None:
    """As a condition order does: the sale it places is on its way when the step is over."""
    prices = STILL | {"10:01": (10.0, 10.0, 9.8, 9.8), "10:02": (9.8, 9.9, 9.8, 9.9)}
    bench = Bench(prices, holdings=(held("600000.SH", 100),))
    bench.buy(100, "9.80", "09:40:00")
    heard: list[tuple[str, float, int]] = []

    def hear(code: str, price: float, ts_ns: int) -> None:
        if code != BANK.code:
            return
        heard.append((code, price, len(bench.deals())))
        if price <= 9.8:
            bench.counter.place("600000", Side.SELL, 100, Decimal("9.79"), ts_ns, source="condition")

    stop = bench.counter.listen(hear)
    bench.advance("10:01:30")
    assert heard == [("600000.SH", 9.8, 1)]
    assert bench.deals() == [(100, "9.80"), (100, "9.80")]
    assert bench.counter.books.entrusts[-1].source == "condition"
    stop()
    bench.advance("10:03")
    assert len(heard) == 1


def test_a_listener_can_not_hurry_the_market() -> None:
    """It gives a time that is ahead of the step it hears: everybody still hears all steps in their order."""
    bench = Bench()
    times: list[int] = []

    def hear(code: str, price: float, ts_ns: int) -> None:
        times.append(ts_ns)
        if code == BANK.code and len(bench.counter.books.entrusts) < 3:
            bench.counter.place("600000", Side.BUY, 100, Decimal("9.50"), ts_ns + 3 * MINUTE_NS)

    bench.counter.listen(hear)
    bench.advance("09:40")
    assert times == sorted(times)
    assert len(bench.counter.books.entrusts) == 1


def test_the_next_thing_due_is_a_step_or_an_orders_own() -> None:
    """What a face waits for."""
    bench = Bench()
    bench.advance("10:00:20")
    assert bench.counter.next_due_ns() == local("10:01:00")
    bench.buy(100, "10.00", "10:00:20")
    assert bench.counter.next_due_ns() == local("10:00:20.150")


# One market


def test_a_futu_face_and_two_counters_show_the_same_prices() -> None:
    """Who comes first lists a code; it stays as it is for whoever comes later."""
    now = local("10:00:00")
    for futu_first in (True, False):
        exchange = Exchange((), seed=3, origin_ns=now, hours=Virtual())
        clock = ReplayClock(now)
        if futu_first:
            FutuSimulator(seed=3).app(clock, Entropy(1), exchange=exchange)
        one = Counter(exchange, CounterAccount(), seed=1, now_ns=now)
        if not futu_first:
            FutuSimulator(seed=3).app(clock, Entropy(1), exchange=exchange)
        other = Counter(exchange, CounterAccount(user="2"), seed=2, now_ns=now)
        order = one.place("600000", Side.BUY, 100, None, now, strategy=3)
        later = now + 5 * MINUTE_NS
        one.advance(later)
        stock = exchange.stock("600000.SH")
        assert stock is not None
        assert one.last(BANK) == other.last(BANK) == Decimal(repr(stock.price))
        assert one.limits(BANK, later) == other.limits(BANK, later)
        low, high = one.limits(BANK, later)
        assert low < one.last(BANK) < high
        assert order.filled == 100
        assert other.entrusts(later) == []
        if futu_first:
            assert 10 < stock.price < 14


def test_a_counter_that_opens_amid_the_session_trades_at_once() -> None:
    """It need not wait for the next step to know a price."""
    now = local("10:00:20")
    counter = Counter(Exchange((), seed=3, origin_ns=now, hours=Virtual()), CounterAccount(), seed=1, now_ns=now)
    order = counter.place("600000", Side.BUY, 100, None, now, strategy=3)
    counter.advance(now + SECOND_NS)
    assert order.status is EntrustStatus.FILLED
    early = a_walking_counter(now=f"{DAY} 09:29:00")
    early.place("600000", Side.BUY, 100, None, local("09:30:10"), strategy=3)
    assert early.deals(local("09:34:59")) == []
    assert len(early.deals(local("09:35:00"))) == 1


def test_the_default_shares_go_the_data_platforms_way() -> None:
    """AmazingData's K-lines of a code both know are those of the price traded here."""
    universe = Universe(days())
    known = [share for share in DEFAULT_SHARES if universe.find(share.code) is not None]
    assert len(known) >= 5
    for share in known:
        security = universe.find(share.code)
        assert security is not None
        assert (share.path, share.name) == (security.path, security.name)


# Conservation and determinism

ACTIONS = st.tuples(
    st.sampled_from(("buy", "sell", "cancel", "wait")),
    st.sampled_from(WALKING),
    st.integers(1, 40),
    st.integers(-30, 30),
    st.integers(0, 6),
    st.integers(1, 40 * 60),
)


def act(counter: Counter, action: tuple[str, str, int, int, int, int], now_ns: int) -> None:
    """One action of somebody at the desk; what is refused is refused."""
    kind, code, size, offset, strategy, _ = action
    share = counter.share(code)
    assert share is not None
    counter.advance(now_ns)
    with suppress(CounterRefusal):
        if kind == "cancel" and counter.books.entrusts:
            counter.cancel(counter.books.entrusts[size % len(counter.books.entrusts)], now_ns)
        elif kind in {"buy", "sell"}:
            lot = 10 if share.kind == "bond" else 100
            quantity = 50 if size == 40 else size * lot * (20 if size % 7 == 0 else 1)
            price = None if strategy else counter.last(share) + offset * share.tick
            counter.place(code, Side(kind), quantity, price, now_ns, strategy=strategy)


def check(counter: Counter, now_ns: int, start: dict[str, int]) -> None:
    """Money and shares of the books are those of the deals."""
    books = counter.books
    deals = books.deals
    bought = sum((d.price * d.quantity for d in deals if d.entrust.buys), Decimal(0))
    sold = sum((d.price * d.quantity for d in deals if not d.entrust.buys), Decimal(0))
    fees = sum((d.fee for d in deals), Decimal(0))
    assert books.cash + bought - sold + fees == counter.account.cash
    assert books.fees == fees == sum((e.fees for e in books.entrusts), Decimal(0))
    funds = counter.funds(now_ns)
    assert funds.available >= 0
    assert funds.frozen >= 0
    assert funds.available + funds.frozen == funds.cash
    holdings = {row.code: row for row in counter.holdings(now_ns)}
    for share in counter.shares:
        moved = sum(d.entrust.side.sign * d.quantity for d in deals if d.entrust.code == share.code)
        row = holdings.get(share.code)
        assert (row.quantity if row else 0) == start.get(share.code, 0) + moved
        assert row is None or 0 <= row.sellable <= row.quantity
    for entrust in books.entrusts:
        own = [d for d in deals if d.entrust is entrust]
        assert entrust.filled == sum(d.quantity for d in own)
        assert entrust.value == sum((d.price * d.quantity for d in own), Decimal(0))
        assert entrust.fees == counter.rules.order_fee(
            entrust.side, entrust.filled, entrust.value, entrust.share.instrument
        )
        ended = entrust.filled + entrust.withdrawn == entrust.quantity or entrust.rejected
        assert ended is entrust.is_final
        if entrust.price is not None:
            assert all(d.price <= entrust.price if entrust.buys else d.price >= entrust.price for d in own)


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTIONS, max_size=25), st.integers(0, 3))
def test_money_and_shares_are_conserved(actions: list[tuple[str, str, int, int, int, int]], seed: int) -> None:
    """Whatever is done: cash, fees, bought and sold sum up, holdings are the deals, and at night nothing is frozen."""
    counter = a_walking_counter(seed=seed)
    start = {row.code: row.quantity for row in counter.holdings(local("09:00:00"))}
    now_ns = local("09:10:00")
    for action in actions:
        now_ns += action[-1] * SECOND_NS
        act(counter, action, now_ns)
        check(counter, now_ns, start)
    later = local("2026-11-20 08:00:00")
    assert counter.live(later) == []
    assert counter.funds(later).frozen == 0
    check(counter, later, start)
    assert all(row.sellable == row.quantity for row in counter.holdings(later))


@settings(max_examples=25, deadline=None)
@given(st.lists(ACTIONS, max_size=12), st.lists(st.integers(1, 3600), max_size=12))
def test_the_same_calls_give_the_same_books_whoever_looks(
    actions: list[tuple[str, str, int, int, int, int]], looks: list[int]
) -> None:
    """Deals, numbers, times: glances in between change nothing."""
    quiet, watched = a_walking_counter(), a_walking_counter()
    now_ns = local("09:10:00")
    for place, action in enumerate(actions):
        until = now_ns + action[-1] * SECOND_NS
        for look in looks[place % 3 :]:
            if now_ns + look * SECOND_NS < until:
                watched.funds(now_ns + look * SECOND_NS)
        now_ns = until
        act(quiet, action, now_ns)
        act(watched, action, now_ns)
    at = local(f"{DAY} 16:00:00")
    for counter in (quiet, watched):
        counter.advance(at)
    assert told(quiet) == told(watched)


def told(counter: Counter) -> list[object]:
    orders: list[object] = [
        (e.number, e.serial, e.status, e.filled, e.withdrawn, e.value, e.fees, e.updated_ns, e.reason)
        for e in counter.books.entrusts
    ]
    return orders + [(d.number, d.ts_ns, d.quantity, d.price) for d in counter.books.deals] + [counter.books.cash]


def test_another_seed_fills_other_parts() -> None:
    """Chance comes from the counter's seed alone."""

    def parts(seed: int) -> list[tuple[int, str]]:
        bench = Bench(partial=1.0, cash="100000000", seed=seed)
        bench.buy(50_000, None, "10:00:20", 3)
        bench.advance("10:00:21")
        return bench.deals()

    assert parts(1) == parts(1)
    assert parts(1) != parts(2)
