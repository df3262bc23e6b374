"""The short way of an everyday order through a backtest leaves what the long way leaves, everywhere."""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import Bar, Fill, InstrumentId, Strategy
from engine.domain.events import OrderSubmitted
from engine.domain.timestamps import MINUTE_NS
from engine.markets.china_a import ChinaA
from engine.markets.free import Free
from engine.matching import FILL_MODELS, Friction, Latency, NextOpen, Path, Ticks, Touch, VolumeShare
from engine.risk.profiles import limits_for
from engine.runtime import backtest
from tests.builders import BarsOf, a_backtest, a_walk, ran

BARS = 150
OTHER = InstrumentId("000002.SH")
PLAIN = ("buy", "sell", "buy both", "buy twice", "sell more", "buy too much", "buy odd", "buy part", "sell part")
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
            self.sell(name, quantities.get(rest, max(held, 1)))
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


def judged(kinds: list[type[Trader]], plans: list[dict[int, str]], *, short: bool, two: bool, **terms: Any) -> Any:
    """All there is to compare of one run: what everybody saw, and what is left everywhere."""
    strategies = {f"s{k}": kind(plan) for k, (kind, plan) in enumerate(zip(kinds, plans, strict=False))}
    sources = [BarsOf(a_walk(BARS), volume=900.0)]
    if two:
        slow = BarsOf(a_walk(BARS // 5, 8), instrument=OTHER, interval_ns=5 * MINUTE_NS, volume=900.0)
        sources.append(slow)
    long_in, long_out = (lambda _core, _venue: None), (lambda _core, venue: venue.on_bar)
    with (
        patch.object(backtest, "way_in", backtest.way_in if short else long_in),
        patch.object(backtest, "way_out", backtest.way_out if short else long_out),
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
    "book": st.sampled_from([Free(), Free(), ChinaA()]),
    "cash": st.sampled_from([60_000, 1_000_000]),
    "limits": st.sampled_from([{}, {}, {"open_orders": {}}, {"max_position": {"quantity": 400}}]),
}  # fmt: skip


def compared(*, limits: dict[str, Any], **run: Any) -> Any:
    terms = {**run, "limits": limits_for("backtest", limits)}
    short, long = judged(short=True, **terms), judged(short=False, **terms)
    for ours, theirs in zip(short, long, strict=True):
        assert ours == theirs
    return short


@given(**RUNS)
@settings(max_examples=40, deadline=None)
@example(
    kinds=[Trader], plans=[{3: "buy", 9: "sell", 12: "buy too much", 20: "sell more", 30: "buy odd", 31: "buy"}, {}],
    two=False, model=NextOpen(), book=Free(), cash=1_000_000, limits={},
)  # fmt: skip
@example(
    kinds=[Trader, Trader], plans=[{3: "buy", 4: "cancel", 9: "bracket", 20: "buy"}, {3: "sell", 4: "buy twice"}],
    two=True, model=NextOpen(), book=Free(), cash=1_000_000, limits={},
)  # fmt: skip
def test_both_ways_leave_the_same(**run: Any) -> None:
    """Over strategies, orders of every kind, fill models, markets and limits: journal, books, venue, what was seen."""
    compared(**run)


@pytest.mark.long
@given(**RUNS)
@settings(max_examples=2_000, deadline=None)
def test_both_ways_leave_the_same_in_thousands_of_runs(**run: Any) -> None:
    """The same, longer."""
    compared(**run)


@pytest.mark.parametrize("kind", [kind for name, kind in FILL_MODELS.items() if name not in ("quote", "book_walk")])
def test_every_fill_model_comes_to_the_same_both_ways(kind: type[Any]) -> None:
    """Purchases and sales all along a run; something is filled."""
    plan = dict(zip(range(2, BARS, 3), ["buy", "sell", "buy both", "sell part"] * 20, strict=False))
    short = compared(kinds=[Trader], plans=[plan], two=True, model=kind(), book=Free(), cash=1_000_000, limits={})
    assert short[0][1] > 20


def test_everyday_orders_go_the_short_way() -> None:
    """Neither the gate nor the venue's own loop is asked for a purchase and a sale that fill at the next open."""
    run = a_backtest(Trader({3: "buy", 9: "sell"}), a_walk(BARS), mode="event")
    asked: list[Any] = []
    with (
        patch.object(run.core.manager, "on_submit", asked.append),
        patch.object(run.venue, "on_bar", asked.append),
        patch.object(run.core.manager, "on_report", asked.append),
    ):
        result, records = ran(run)
    assert (asked, result.fills, sum(isinstance(record, OrderSubmitted) for record in records)) == ([], 2, 2)
