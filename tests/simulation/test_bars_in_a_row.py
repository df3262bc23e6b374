"""A strategy that is alone with its bars is handed them in a row: it can not tell, and the journal is the same."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Bar, Fill, OrderEvent, Strategy
from engine.domain.events import StrategyStopped
from engine.runtime import backtest, replay
from tests.builders import a_backtest, a_walk, ran

BARS = 120
ACTIONS = (
    "buy", "sell", "buy limit", "sell limit", "cancel", "target", "bracket", "wait", "sleep", "look", "odd", "fail",
)  # fmt: skip


class Plain(Strategy):
    """Does at some bars what the plan says, and writes down all it can see while it does."""

    def __init__(self, plan: dict[int, str], timer: str) -> None:
        super().__init__()
        self.plan, self.timer = plan, timer
        self.heard = 0
        self.seen: list[Any] = []

    def on_start(self) -> None:
        if self.timer:
            self.every(self.timer, lambda: self.do("buy", None))

    def on_bar(self, bar: Bar) -> Any:
        self.heard += 1
        action = self.plan.get(self.heard)
        if action is None:
            return None
        self.look("bar", bar)
        if action == "odd":
            return 7
        if action in ("wait", "sleep"):
            return self.wait(action)
        return self.do(action, bar)

    def look(self, *what: Any) -> None:
        name = self.instruments[0]
        self.seen.append((self.heard, self.now_ns, self.position(name), self.cash(), self.equity(), *what))

    async def wait(self, how: str) -> None:
        self.look("next", await self.next_bar(self.instruments[0]) if how == "wait" else await self.sleep("150s"))
        self.buy(self.instruments[0], 10)

    def do(self, action: str, bar: Bar | None) -> None:
        name = self.instruments[0]
        price = self.ctx.mark(name) or 500.0
        if action == "buy":
            self.buy(name, 100)
        elif action == "sell":
            self.sell(name, 100)
        elif action == "buy limit":
            self.buy(name, 50, round(price - 0.05, 2))
        elif action == "sell limit":
            self.sell(name, 50, round(price + 0.05, 2))
        elif action == "cancel":
            self.cancel_all()
        elif action == "target":
            self.order_target(name, 150)
        elif action == "bracket":
            self.bracket(name, 100, take_profit=price + 0.2, stop_loss=price - 0.2)
        elif action == "fail":
            raise RuntimeError("as planned")
        self.look("did", bar, [order.state for order in self.working_orders()])


class Hearing(Plain):
    """Hears of its orders as well, and answers some of its fills."""

    def on_order(self, event: Any) -> None:
        self.look("order", event.state if isinstance(event, OrderEvent) else event)

    def on_fill(self, fill: Fill) -> Any:
        self.look("fill", fill)
        if self.heard % 3 == 0:
            self.sell(fill.instrument, 10)


class Slow(Hearing):
    """Waits when it hears of a fill."""

    async def on_fill(self, fill: Fill) -> None:
        await self.sleep("90s")
        self.look("slept", fill)


class Waiting(Plain):
    """Its ``on_bar`` waits at times."""

    async def on_bar(self, bar: Bar) -> None:
        answer = super().on_bar(bar)
        if answer is not None and answer != 7:
            await answer


def one_by_one(bars: Any, *_rest: Any) -> Any:
    """What ``_in_a_row`` gives where no strategy is alone: every bar to everybody."""
    return bars


def every_way(kind: type[Plain], plan: dict[int, str], timer: str) -> list[list[Any]]:
    """What strategy and journal saw of it: bar by bar, in a row, and in a row with nothing compiled."""
    found: list[list[Any]] = []
    for way, bars in ((one_by_one, replay.Bars), (replay._in_a_row, replay.Bars), (replay._in_a_row, None)):
        made = kind(plan, timer)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(replay, "_in_a_row", way)
            patched.setattr(replay, "Bars", bars)
            # Rows go on over the slices bars are made in; with few samples of the equity there are rows to speak of.
            patched.setattr(replay, "SLICE", 7)
            patched.setattr(backtest, "SAMPLES", 2)
            result, records = ran(a_backtest(made, a_walk(BARS), mode="event"))
        found.append([result.digest, result.final_equity, made.heard, made.seen, records])
    return found


@pytest.mark.parametrize("kind", [Plain, Hearing, Slow, Waiting])
@settings(deadline=None, max_examples=30)
@given(
    plan=st.dictionaries(st.integers(1, BARS), st.sampled_from(ACTIONS), max_size=12),
    timer=st.sampled_from(["", "", "7m"]),
)
def test_in_a_row_is_one_by_one(kind: type[Plain], plan: dict[int, str], timer: str) -> None:
    """Orders, timers, waits, parents the engine plays and failures: same sights, same journal."""
    single, *rows = every_way(kind, plan, timer)
    assert rows == [single, single]


def test_a_failure_is_told_of_the_same_place() -> None:
    """A strategy that raises in the middle of a row is stopped there, as its own mistake, and hears nothing more."""
    made = Plain({5: "fail"}, "")
    _, records = ran(a_backtest(made, a_walk(BARS), mode="event"))
    stopped = [record for record in records if isinstance(record, StrategyStopped)]
    assert [(made.heard, "as planned" in one.reason, "test_bars_in_a_row.py" in one.reason) for one in stopped] == [
        (5, True, True)
    ]


def test_who_hears_of_its_fills_has_the_same_books() -> None:
    """A fill nobody hears of is only booked: account, orders and journal are those of a run in which it is told."""
    plan: dict[int, str] = dict(zip(range(2, BARS, 3), ["buy", "sell", "buy limit", "target"] * 9, strict=False))
    results: Sequence[Any] = [a_backtest(kind(plan, ""), a_walk(BARS), mode="event").run() for kind in (Plain, Quiet)]
    assert results[0].fills > 5
    assert len({(one.digest, one.final_equity, one.fills) for one in results}) == 1


class Quiet(Plain):
    """Hears of its fills, and does nothing."""

    def on_fill(self, fill: Fill) -> None:
        """Nothing."""
