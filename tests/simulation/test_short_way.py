"""The short way of an everyday order through a backtest, in Python and compiled, leaves what the long way leaves."""

import gc
import sys
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import Bar, Fill, InstrumentId, Strategy
from engine.domain.commands import OrderType, Side
from engine.domain.events import OrderSubmitted
from engine.domain.money import ZERO
from engine.domain.order import Order, OrderState
from engine.domain.timestamps import MINUTE_NS
from engine.domain.verdict import Denial
from engine.markets.china_a import ChinaA
from engine.markets.free import Free
from engine.matching import FILL_MODELS, Friction, Latency, NextOpen, Path, Ticks, Touch, VolumeShare
from engine.matching.resting import Resting
from engine.native import Way, why_not
from engine.portfolio import Position
from engine.risk.profiles import limits_for
from engine.runtime import backtest
from tests.builders import BarsOf, a_backtest, a_walk, flat_rows, ran

BARS = 150
SHARED = (ZERO, Side.BUY, Side.SELL, OrderState.WORKING, OrderState.FILLED, OrderType.MARKET)
"""Objects that every order has a hold on."""
WAYS = ("long", "python", "compiled") if Way is not None else ("long", "python")
OTHER = InstrumentId("000002.SH")
PLAIN = (
    "buy",
    "sell",
    "buy both",
    "buy twice",
    "sell more",
    "buy too much",
    "buy odd",
    "buy part",
    "sell part",
    "sell twice",
)
ACTIONS = (*PLAIN, "limit", "stop", "cancel", "replace", "bracket", "ioc", "fail", "unknown")


class Trader(Strategy):
    """Does at some bars what the plan says, and writes down all it can see before and after."""

    def __init__(self, plan: dict[int, str]) -> None:
        super().__init__()
        self.plan = plan
        self.heard = 0
        self.seen: list[Any] = []

    def on_bar(self, bar: Bar) -> None:
        self.heard += 1
        action = self.plan.get(self.heard)
        if action is not None:
            self.look()
            self.do(action, bar)
            self.look()

    def look(self) -> None:
        name = self.instruments[-1]
        held = [(self.position(i), self.sellable(i)) for i in self.instruments]
        self.seen.append((self.heard, held, str(self.cash()), str(self.equity()), self.working_orders(), name))

    def do(self, action: str, bar: Bar) -> None:
        name, held = bar.instrument, self.position(bar.instrument)
        verb, _, rest = action.partition(" ")
        quantities: dict[str, Any] = {"odd": 0, "too much": 10**7, "part": 7, "more": held + 1}
        if verb == "buy":
            for one in self.instruments if rest == "both" else (name, name) if rest == "twice" else (name,):
                self.buy(one, quantities.get(rest, 100))
        elif verb == "sell":
            for quantity in (max(held, 1), 1) if rest == "twice" else (quantities.get(rest, max(held, 1)),):
                self.sell(name, quantity)
        elif verb == "limit":
            self.buy(name, 50, round(bar.close - 0.03, 2))
        elif verb == "stop":
            self.sell(name, 30, stop=round(bar.close - 0.05, 2))
        elif verb == "ioc":
            self.buy(name, 40, tif="ioc")
        elif verb == "cancel":
            self.cancel_all()
        elif verb == "replace":
            for order in self.working_orders()[:1]:
                self.replace(order.client_id, max(1, order.quantity // 2), order.price)
        elif verb == "bracket":
            self.bracket(name, 100, take_profit=bar.close + 0.2, stop_loss=bar.close - 0.2)
        elif verb == "fail":
            raise RuntimeError("as planned")
        else:
            self.buy("nothing.SH", 1)


class Hearing(Trader):
    """Hears of its fills and orders."""

    def on_fill(self, fill: Fill) -> None:
        self.seen.append(fill)

    def on_order(self, event: Any) -> None:
        self.seen.append(event)


class Moody(Free, frozen=True):
    """Raises what a limit may raise, of some quantities; of others its check, or its fee, is none that is expected."""

    def check(self, order: Any, instrument: Any, now_ns: int, held: int) -> Any:
        if order.quantity == 7:
            raise LookupError("seven")
        return Denial(code="MOOD", reason="not more than is held") if order.quantity == held + 1 else None

    def sellable_from_ns(self, bought_ns: int) -> int:
        return bought_ns + 3 * MINUTE_NS


def judged(kinds: list[type[Trader]], plans: list[dict[int, str]], *, way: str, two: bool, **terms: Any) -> Any:
    """All there is to compare of one run: what everybody saw, and what is left everywhere."""
    strategies = {f"s{k}": kind(plan) for k, (kind, plan) in enumerate(zip(kinds, plans, strict=False))}
    sources = [BarsOf(a_walk(BARS), volume=900.0)]
    if two:
        slow = BarsOf(a_walk(BARS // 5, 8), instrument=OTHER, interval_ns=5 * MINUTE_NS, volume=900.0)
        sources.append(slow)
    long = way == "long"
    long_in, long_out = (lambda _core, _venue, _way: None), (lambda _core, venue, _way: venue.on_bar)
    with (
        patch.object(backtest, "way_in", long_in if long else backtest.way_in),
        patch.object(backtest, "way_out", long_out if long else backtest.way_out),
        patch.object(backtest, "compiled", backtest.compiled if way == "compiled" else lambda _core, _venue: None),
    ):
        run = a_backtest(strategies, sources=sources, mode="event", **terms)
        result, records = ran(run)
    core = run.core
    book = core.portfolio.accounts[backtest.ACCOUNT]
    held = {name: [getattr(one, key) for key in one.__slots__] for name, one in book.positions.items()}
    own = {key: (one.quantity, one.cost) for key, one in core.portfolio.strategy_positions.items()}
    money = [str(value) for value in (*book.cash.values(), *book.reserved.values(), book.fees)]
    left = {name: [(o.number, o.leaves, str(o.reserved)) for o in some] for name, some in run.venue.resting.items()}
    orders = [
        (key, order.standing, order.state, order.sent_ns, key in core.manager.working)
        for key, order in core.manager.orders.items()
    ]
    seen = [strategy.seen for strategy in strategies.values()]
    whole = (result.digest, result.fills, result.denied, result.stopped, result.final_equity)
    return whole, held, own, money, left, orders, list(core.portfolio.reservations), run.venue.accepted, seen, records


RUNS = {
    "kinds": st.lists(st.sampled_from([Trader, Trader, Trader, Hearing]), min_size=1, max_size=2),
    "plans": st.lists(
        st.dictionaries(st.integers(1, BARS), st.sampled_from(PLAIN * 3 + ACTIONS), max_size=25), min_size=2, max_size=2
    ),
    "two": st.booleans(),
    "model": st.sampled_from([
        NextOpen(), NextOpen(), NextOpen(), Touch(), VolumeShare(share=0.08), Path(rule="low_first"),
        Friction(model=NextOpen(), slippage=Ticks()), Friction(model=NextOpen(), latency=Latency(order="70s")),
    ]),
    "book": st.sampled_from([Free(), Free(), ChinaA(), Moody()]),
    "cash": st.sampled_from([60_000, 1_000_000]),
    "limits": st.sampled_from([{}, {}, {"open_orders": {}}, {"max_position": {"quantity": 400}}]),
}  # fmt: skip


def compared(*, limits: dict[str, Any], **run: Any) -> Any:
    terms = {**run, "limits": limits_for("backtest", limits)}
    long, *others = (judged(way=way, **terms) for way in WAYS)
    for other in others:
        for ours, theirs in zip(other, long, strict=True):
            assert ours == theirs
    return long


@given(**RUNS)
@settings(max_examples=40, deadline=None)
@example(
    kinds=[Trader],
    plans=[{3: "buy", 9: "sell", 12: "buy too much", 20: "sell more", 30: "buy odd", 31: "buy", 40: "sell twice"}, {}],
    two=False, model=NextOpen(), book=Free(), cash=1_000_000, limits={},
)  # fmt: skip
@example(
    kinds=[Trader, Trader], plans=[{3: "buy", 4: "cancel", 9: "bracket", 20: "buy"}, {3: "sell", 4: "buy twice"}],
    two=True, model=NextOpen(), book=Moody(), cash=1_000_000, limits={},
)  # fmt: skip
def test_all_ways_leave_the_same(**run: Any) -> None:
    """Over strategies, orders of every kind, fill models, markets and limits: journal, books, venue, what was seen."""
    compared(**run)


@pytest.mark.long
@given(**RUNS)
@settings(max_examples=2_000, deadline=None)
def test_all_ways_leave_the_same_in_thousands_of_runs(**run: Any) -> None:
    """The same, longer."""
    compared(**run)


@pytest.mark.parametrize("kind", [kind for name, kind in FILL_MODELS.items() if name not in ("quote", "book_walk")])
def test_every_fill_model_comes_to_the_same_all_ways(kind: type[Any]) -> None:
    """Purchases and sales all along a run; something is filled."""
    plan = dict(zip(range(2, BARS, 3), ["buy", "sell", "buy both", "sell part"] * 20, strict=False))
    short = compared(kinds=[Trader], plans=[plan], two=True, model=kind(), book=Free(), cash=1_000_000, limits={})
    assert short[0][1] > 20


PRICES = st.one_of(
    st.floats(1e-6, 1e17),
    st.builds(lambda units, places: float(f"{units}e-{places}"), st.integers(1, 10**16), st.integers(0, 7)),
    st.sampled_from([0.1 + 0.2, 1e-4, 1e-5, 1e15, 1e16, 5e-324, 0.30000000000000004, 123_456_789.0001]),
)


@given(prices=st.lists(PRICES, min_size=3, max_size=8))
@settings(max_examples=100, deadline=None)
def test_a_price_of_any_kind_is_written_the_same_all_ways(prices: list[float]) -> None:
    """Of few places or many, tiny or huge; and of the same again, which is known by then."""
    found = []
    rows = flat_rows(*prices, *prices)
    for way in WAYS[1:]:
        with patch.object(backtest, "compiled", backtest.compiled if way == "compiled" else lambda _core, _venue: None):
            plan = dict.fromkeys(range(1, len(rows)), "buy part")
            result, records = ran(a_backtest(Trader(plan), rows, mode="event", cash=10**20))
            found.append((result.digest, records))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("way", WAYS[1:])
def test_everyday_orders_go_the_short_way(way: str) -> None:
    """Neither the gate nor the venue's own loop is asked for a purchase and a sale that fill at the next open."""
    with patch.object(backtest, "compiled", backtest.compiled if way == "compiled" else lambda _core, _venue: None):
        run = a_backtest(Trader({3: "buy", 9: "sell"}), a_walk(BARS), mode="event")
    asked: list[Any] = []
    with (
        patch.object(run.core.manager, "on_submit", asked.append),
        patch.object(run.venue, "on_bar", asked.append),
        patch.object(run.core.manager, "on_report", asked.append),
    ):
        result, records = ran(run)
    assert (asked, result.fills, sum(isinstance(record, OrderSubmitted) for record in records)) == ([], 2, 2)


@pytest.mark.skipif(Way is None, reason=why_not)
def test_a_run_says_whether_its_orders_went_the_compiled_way() -> None:
    """And where they do, no record of an everyday order is ever made: there are bytes of it, and those can be read."""
    run = a_backtest(Trader({3: "buy", 9: "sell"}), a_walk(BARS), mode="event")
    kept: list[Any] = []
    with patch.object(run.core, "record", kept.append):
        result, records = ran(run)
    assert (result.compiled, kept, sum(isinstance(record, OrderSubmitted) for record in records)) == (True, [], 2)


@pytest.mark.skipif(Way is None, reason=why_not)
def test_what_the_compiled_way_is_handed_is_let_go_of() -> None:
    """Runs come and go: what they had is collected, and common objects are not counted up or down."""

    def counts() -> list[int]:
        gc.collect()
        return [sys.getrefcount(one) for one in (*SHARED, Order, Resting, Position)]

    def trade() -> None:
        plan = dict(zip(range(2, BARS, 2), ["buy", "sell", "buy too much", "sell more"] * 20, strict=False))
        ran(a_backtest(Trader(plan), a_walk(BARS), mode="event"))

    trade()
    before = counts()
    for _ in range(20):
        trade()
    assert all(abs(after - was) < 20 for was, after in zip(before, counts(), strict=True))
