"""A counter's state: a life that begins with it goes on as the one that wrote it would have."""

from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.domain.commands import Side
from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from engine.markets.virtual import Virtual
from engine.simulators.counter import (
    DEFAULT_SHARES,
    Counter,
    CounterAccount,
    CounterPace,
    CounterRefusal,
    Entrust,
)
from engine.simulators.counter_state import CounterState
from engine.simulators.exchange import Exchange
from tests.counter_builders import held, local

SHARES = tuple(share for share in DEFAULT_SHARES if share.code6 in {"600000", "688981", "113052"})
ACCOUNT = CounterAccount(holdings=(held("600000.SH", 1250), held("688981.SH", 330, "40"), held("113052.SH", 70, "100")))
PACE = CounterPace(partial=0.6, reject=0.05)
MORNING = "10:00:20"

Event = Bar | Quote | Trade
Action = tuple[Literal["wait", "order", "cancel", "reject", "errand", "restart"], int, int, int]
"""What, and three numbers that say how."""


class Life:
    """A counter over a market of its own; ``kept`` is its file, from which the next process takes it up."""

    def __init__(self, now: str = MORNING, *, interval_ns: int = MINUTE_NS, pace: CounterPace = PACE) -> None:
        self.now_ns = local(now)
        self.interval_ns = interval_ns
        self.pace = pace
        self.counter = self._counter(None)
        self._keep()

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

    def _keep(self) -> None:
        self.kept = msgspec.json.encode(self.counter.state())
        self.counter.keep = self._keep

    def written(self) -> bytes:
        """All there is to know of it, as of now."""
        self.counter.advance(self.now_ns)
        return msgspec.json.encode(self.counter.state())

    def restart(self, away_ns: int = 0) -> None:
        """The process is gone without a word; the next one comes after a while."""
        self.now_ns += away_ns
        self.counter = self._counter(msgspec.json.decode(self.kept, type=CounterState))
        self.counter.resume(self.now_ns)
        self._keep()

    def order(self, which: int, lots: int, distance: int, now_ns: int | None = None) -> Entrust | None:
        """Give an order some ticks off the price; an odd ``which`` sells, and one of five takes any price."""
        now_ns = self.now_ns if now_ns is None else now_ns
        share = SHARES[which % 3]
        quantity = max(1, lots) * (200 if share.code6 == "688981" else 10 if share.kind == "bond" else 100)
        self.counter.advance(now_ns)
        price = self.counter.last(share) + share.tick * (distance % 21 - 10)
        side, strategy = Side.SELL if which % 2 else Side.BUY, 3 if which % 5 == 4 else 0
        with suppress(CounterRefusal):
            return self.counter.place(share.code, side, quantity, price, now_ns, strategy=strategy)
        return None

    def errand(self, which: int, distance: int, when: Callable[[Event], bool], minutes: int = 2) -> bytes:
        """Another face moves the market on; in the midst of it an order is given, once ``when`` says so.

        Nobody asks this counter meanwhile. Gives back its file as it was when the order had been given.
        """
        given: list[bytes] = []

        def hear(event: Event) -> None:
            if not given and when(event):
                given.append(b"")
                self.order(which, 3, distance, event.ts_ns)
                given.append(self.kept)
            self.counter.remember()

        market = self.counter.exchange
        deaf = market.listen(hear)
        self.now_ns += minutes * MINUTE_NS
        market.advance(self.now_ns)
        deaf()
        return given[-1] if given else b""

    def tells_a_fill(self, event: Event) -> bool:
        """The first print since an order filled is that fill's own."""
        return isinstance(event, Trade) and bool(self.counter.books.deals)

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
            case "errand":
                skipped = iter(range(second % 16))
                self.errand(first, third, lambda _: next(skipped, None) is None)
            case "cancel" if (entrust := self.at(first)) is not None:
                with suppress(CounterRefusal):
                    self.counter.cancel(entrust, self.now_ns)
            case "reject" if (entrust := self.at(first)) is not None:
                self.counter.reject(entrust, "不许", self.now_ns)


def span_ns(first: int, second: int) -> int:
    """A blink, some seconds, minutes, or hours, up to a day and a half."""
    unit = (50_000_000, SECOND_NS, MINUTE_NS, HOUR_NS)[first % 4]
    return unit * (second * 7 + 1) // (7 if unit == HOUR_NS else 1)


KINDS = ("wait", "order", "order", "cancel", "reject", "errand", "restart")
numbers = st.integers(0, 40)
actions = st.lists(
    st.tuples(st.sampled_from(KINDS), numbers, numbers, numbers),
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(plan=actions, start=st.sampled_from(("08:00", "09:17", MORNING, "11:29:59.9", "14:56:30", "18:00")))
@example(plan=[("order", 0, 40, 9), ("restart", 0, 1, 0), ("cancel", 0, 0, 1), ("restart", 0, 2, 0)], start=MORNING)
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
            if action[3] % 2:
                continue
        assert restarted.written() == steady.written()
    steady.now_ns += DAY_NS
    restarted.restart(DAY_NS)
    assert restarted.written() == steady.written()


def test_what_is_kept_in_the_midst_of_a_step_is_whole() -> None:
    """A process that ends while a fill is told leaves that step's fills all done or none, and no order half given."""
    parts = CounterPace(partial=1.0)
    undisturbed, restarted = Life(pace=parts), Life(pace=parts)
    for life in (undisturbed, restarted):
        for lots in (30, 31):
            assert life.order(0, lots, 9) is not None
    restarted.kept = restarted.errand(1, 9, restarted.tells_a_fill, minutes=60)
    undisturbed.now_ns = restarted.now_ns
    restarted.restart()
    assert len(undisturbed.counter.deals(undisturbed.now_ns)) > 2
    assert restarted.written() == undisturbed.written()
