"""A counter's state: a life that begins with it goes on as the one that wrote it would have."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.domain.commands import Side
from engine.domain.errors import ConfigError
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from engine.markets.virtual import Virtual
from engine.simulators.counter import (
    DEFAULT_SHARES,
    Counter,
    CounterAccount,
    CounterPace,
    CounterRefusal,
    Entrust,
    EntrustStatus,
)
from engine.simulators.counter_state import CounterState
from engine.simulators.exchange import Exchange
from tests.counter_builders import DAY, held, local

SHARES = tuple(share for share in DEFAULT_SHARES if share.code6 in {"600000", "688981", "113052"})
ACCOUNT = CounterAccount(holdings=(held("600000.SH", 1250), held("688981.SH", 330, "40"), held("113052.SH", 70, "100")))
PACE = CounterPace(partial=0.6, reject=0.05)
MORNING = "10:00:20"

Action = tuple[Literal["wait", "order", "cancel", "reject", "restart"], int, int, int]
"""What, and three numbers that say how."""


class Life:
    """A counter over a market of its own; ``restart`` has the next process take it up."""

    def __init__(self, now: str = MORNING, *, interval_ns: int = MINUTE_NS, pace: CounterPace = PACE) -> None:
        self.now_ns = local(now)
        self.interval_ns = interval_ns
        self.pace = pace
        self.counter = self._counter(None)

    def _counter(self, state: CounterState | None) -> Counter:
        market = Exchange((), seed=11, origin_ns=self.now_ns, hours=Virtual())
        return Counter(
            market,
            ACCOUNT,
            seed=5,
            now_ns=self.now_ns,
            shares=SHARES,
            pace=self.pace,
            interval_ns=self.interval_ns,
            state=state,
        )

    def written(self) -> bytes:
        """All there is to know of it, as of now."""
        self.counter.advance(self.now_ns)
        return msgspec.json.encode(self.counter.state())

    def restart(self, away_ns: int = 0) -> None:
        written = self.written()
        self.now_ns += away_ns
        self.counter = self._counter(msgspec.json.decode(written, type=CounterState))
        self.counter.resume(self.now_ns)

    def order(self, which: int, lots: int, distance: int) -> Entrust | None:
        """Give an order some ticks off the price; an odd ``which`` sells, and one of its orders takes any price."""
        share = SHARES[which % 3]
        quantity = max(1, lots) * (200 if share.code6 == "688981" else 10 if share.kind == "bond" else 100)
        self.counter.advance(self.now_ns)
        price = self.counter.last(share) + share.tick * (distance % 21 - 10)
        side, strategy = Side.SELL if which % 2 else Side.BUY, 3 if which % 5 == 4 else 0
        with suppress(CounterRefusal):
            return self.counter.place(share.code, side, quantity, price, self.now_ns, strategy=strategy)
        return None

    def at(self, number: int) -> Entrust | None:
        entrusts = self.counter.entrusts(self.now_ns, 30)
        return entrusts[number % len(entrusts)] if entrusts else None

    def act(self, action: Action) -> None:
        kind, first, second, third = action
        match kind:
            case "wait":
                self.now_ns += span_ns(first, second)
            case "order":
                self.order(first, second, third)
            case "cancel" if (entrust := self.at(first)) is not None:
                with suppress(CounterRefusal):
                    self.counter.cancel(entrust, self.now_ns)
            case "reject" if (entrust := self.at(first)) is not None:
                self.counter.reject(entrust, "不许", self.now_ns)


def span_ns(first: int, second: int) -> int:
    """A blink, some seconds, minutes, or hours, up to a day and a half."""
    unit = (50_000_000, SECOND_NS, MINUTE_NS, HOUR_NS)[first % 4]
    return unit * (second * 7 + 1) // (7 if unit == HOUR_NS else 1)


numbers = st.integers(0, 40)
actions = st.lists(
    st.tuples(st.sampled_from(("wait", "order", "order", "cancel", "reject", "restart")), numbers, numbers, numbers),
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(plan=actions, start=st.sampled_from(("08:00", "09:17", MORNING, "11:29:59.9", "14:56:30", "18:00")))
@example(plan=[("order", 0, 40, 9), ("restart", 0, 1, 0), ("cancel", 0, 0, 0), ("restart", 0, 2, 0)], start=MORNING)
@example(plan=[("order", 0, 40, 9), ("wait", 1, 2, 0), ("restart", 3, 40, 0), ("order", 3, 1, 10)], start="14:56:30")
def test_a_counter_that_restarts_does_what_one_does_that_never_did(plan: list[Action], start: str) -> None:
    """After each of any actions the same money, orders, fills, numbers, prices and things to come, to the byte."""
    steady, restarted = Life(start), Life(start)
    for action in plan:
        if action[0] == "restart":
            away_ns = span_ns(action[1], action[2])
            steady.now_ns += away_ns
            restarted.restart(away_ns)
        else:
            steady.act(action)
            restarted.act(action)
        assert restarted.written() == steady.written()
    steady.now_ns += DAY_NS
    restarted.restart(DAY_NS)
    assert restarted.written() == steady.written()
