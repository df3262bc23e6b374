"""The runner contains what strategies do wrong; the others go on."""

import signal
import threading
from typing import Any

import pytest

from engine import Bar, DataKind, Fill, OrderEvent, Strategy
from engine.domain.events import StrategyStopped
from engine.domain.ids import StrategyId
from engine.runner import QUEUE_MAX
from engine.runtime.interrupt import interrupting
from engine.schedule import Every
from tests.builders import INDEX, BarsOf, a_backtest, a_bar, flat_rows, ran


class Good(Strategy):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[float] = []

    def on_bar(self, bar: Bar) -> None:
        self.heard.append(bar.close)


class Fails(Strategy):
    """Orders on bar 1, fails on bar 2 in the way it is told."""

    how: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.bars = 0
        self.told: list[str] = []

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.bars == 1:
            self.buy(bar.instrument, 1, 1.0)
        else:
            self.fail()

    def fail(self) -> None:
        raise RuntimeError("no idea")

    def on_order(self, event: OrderEvent) -> None:
        self.told.append(type(event).__name__)


class FailsLate(Fails):
    async def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.bars == 1:
            self.buy(bar.instrument, 1, 1.0)
            await self.sleep("30s")
            self.fail()


class FailsByLoop(Fails):
    def fail(self) -> None:
        self.buy(INDEX, 1)

    def on_order(self, event: OrderEvent) -> None:
        self.told.append(type(event).__name__)
        if self.bars > 1:
            self.buy(INDEX, 10**9)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Fails, "RuntimeError: no idea (test_runner.py:"),
        (FailsLate, "RuntimeError: no idea (test_runner.py:"),
        (FailsByLoop, f"it caused {QUEUE_MAX} events by hearing its own"),
    ],
)
def test_a_failing_strategy_is_stopped_its_orders_cancelled_and_the_others_go_on(
    kind: type[Fails], reason: str
) -> None:
    """The reason names file and line; the stop and the cancel are in the journal; it hears nothing more."""
    bad, good = kind(), Good()
    backtest = a_backtest({"bad": bad, "good": good}, flat_rows(10, 11, 12))
    result, records = ran(backtest)
    assert reason in result.stopped["bad"]
    assert set(result.stopped) == {"bad"}
    assert good.heard == [10, 11, 12]
    assert bad.bars <= 2
    assert any(isinstance(record, StrategyStopped) for record in records)
    assert not backtest.core.manager.working
    assert "OrderCanceled" not in bad.told
    assert [r.kind for r in records if type(r).__name__ == "OrderReport"][-1] == "canceled"


class FailsAtStart(Strategy):
    def on_start(self) -> None:
        raise ValueError("bad windows")

    def on_bar(self, bar: Bar) -> None:
        raise AssertionError("it was stopped")


def test_a_strategy_that_fails_at_the_start_hears_nothing_at_all() -> None:
    """Stopped before the first bar."""
    result, _ = ran(a_backtest({"bad": FailsAtStart(), "good": Good()}, flat_rows(1)))
    assert "bad windows" in result.stopped["bad"]


class Halts(Good):
    def on_bar(self, bar: Bar) -> None:
        super().on_bar(bar)
        if len(self.heard) == 2:
            self.halt_others()

    def halt_others(self) -> None: ...


def test_a_strategy_stopped_by_another_hears_not_even_the_same_bar() -> None:
    """Whoever sits later at the table is gone at once; whoever stops itself from outside ends cleanly."""
    first, second = Halts(), Good()
    backtest = a_backtest({"first": first, "second": second}, flat_rows(1, 2, 3))
    first.halt_others = lambda: backtest.core.runner.halt("second", "by hand")  # type: ignore[method-assign,arg-type]
    result, _ = ran(backtest)
    assert (first.heard, second.heard) == ([1, 2, 3], [1])
    assert result.stopped == {"second": "by hand"}


def test_a_strategy_that_halts_itself_in_a_handler_stays_stopped() -> None:
    """The handler runs to its end and is its last."""
    only = Halts()
    backtest = a_backtest({"only": only}, flat_rows(1, 2, 3))
    only.halt_others = lambda: backtest.core.runner.halt("only", "enough")  # type: ignore[method-assign,arg-type]
    result, _ = ran(backtest)
    assert only.heard == [1, 2]
    assert result.stopped == {"only": "enough"}


def test_an_error_of_the_engine_is_not_the_strategys() -> None:
    """It stops the run, loudly."""
    strategy = Good()
    backtest = a_backtest(strategy, flat_rows(1, 2))
    del backtest.core.portfolio.accounts["backtest"]  # type: ignore[arg-type]
    strategy.on_bar = lambda bar: strategy.equity() and None  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyError):
        backtest.run()


def test_a_strategy_too_slow_for_what_it_hears_is_stopped() -> None:
    """Its queue is bounded."""

    class Sleeps(Strategy):
        async def on_bar(self, bar: Bar) -> None:
            await self.sleep("900d")

    backtest = a_backtest({"slow": Sleeps(), "good": Good()}, flat_rows(1))
    ran(backtest)
    backtest = a_backtest({"slow": Sleeps(), "good": Good()}, flat_rows(*([5.0] * (QUEUE_MAX + 5))))
    result, _ = ran(backtest)
    assert f"{QUEUE_MAX} events wait for it" in result.stopped["slow"]
    assert "good" not in result.stopped


def test_two_subscriptions_of_one_strategy_deliver_a_bar_once() -> None:
    """Every bar takes in the five-minute ones; an interval hears only its own."""
    strategy = Good()
    backtest = a_backtest(strategy, flat_rows(1))
    runner = backtest.core.runner
    for interval in (5, 5, 0, 5, 0):
        runner.listen(StrategyId("s"), DataKind.BAR, INDEX, interval)
    backtest.core.bus.publish(a_bar(close=3.0, interval_ns=5))
    other = Good()
    backtest = a_backtest(other, flat_rows(1))
    backtest.core.runner.listen(StrategyId("s"), DataKind.BAR, INDEX, 5)
    for interval in (5, 60):
        backtest.core.bus.publish(a_bar(close=float(interval), interval_ns=interval))
    assert (strategy.heard, other.heard) == ([3.0], [5.0])


# --- handlers that never return --------------------------------------------------------------------------------------


class Loops(Good):
    swallow = False

    def on_bar(self, bar: Bar) -> None:
        super().on_bar(bar)
        if len(self.heard) == 2:
            self.buy(bar.instrument, 1)
            self.spin()

    def spin(self) -> None:
        while True:
            try:
                len(self.heard)
            except Exception:
                if not self.swallow:
                    raise


class LoopsAsync(Loops):
    async def on_bar(self, bar: Bar) -> None:
        Good.on_bar(self, bar)
        if len(self.heard) == 2:
            await self.sleep("1s")
            self.spin()


class LoopsInTimer(Loops):
    def on_start(self) -> None:
        self.ctx.add_timer("spin", Every(90 * 10**9), self.spin)

    def on_bar(self, bar: Bar) -> None:
        Good.on_bar(self, bar)


class LoopsInFill(Loops):
    def on_bar(self, bar: Bar) -> None:
        Good.on_bar(self, bar)
        self.buy(bar.instrument, 1)

    def on_fill(self, fill: Fill) -> None:
        self.spin()


class LoopsThroughTheEngine(Loops):
    """Nearly all its time is the engine's, which must never be left half done."""

    def spin(self) -> None:
        while True:
            self.position(INDEX)
            self.working_orders()
            self.equity()


@pytest.mark.parametrize("kind", [Loops, LoopsAsync, LoopsInTimer, LoopsInFill, LoopsThroughTheEngine])
def test_a_handler_that_never_returns_is_stopped_and_the_others_go_on(kind: type[Loops]) -> None:
    """Within twice the limit; its orders are cancelled; the other strategy hears every bar; the run ends cleanly."""
    bad, good = kind(), Good()
    bad.swallow = True
    backtest = a_backtest({"bad": bad, "good": good}, flat_rows(1, 2, 3, 4))
    with interrupting(backtest.core.runner, 0.05):
        result, _ = ran(backtest)
    assert "StrategyHungError: the handler did not return within 0.05 s" in result.stopped["bad"]
    assert good.heard == [1, 2, 3, 4]
    assert len(bad.heard) <= 2
    assert not backtest.core.manager.working
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


_ENGINE: dict[str, Any] = {"__name__": "engine.somewhere"}
exec("def work(open_):\n    open_.append(1)\n    for _ in range(60):\n        pass\n    open_.pop()\n", _ENGINE)


class LoopsInsideTheEngine(Loops):
    open_: list[int]

    def spin(self) -> None:
        self.open_ = []
        while True:
            _ENGINE["work"](self.open_)


def test_a_handler_is_never_stopped_in_the_middle_of_the_engines_work() -> None:
    """What the engine began for it is finished first, though it is at work nearly all the time."""
    bad = LoopsInsideTheEngine()
    backtest = a_backtest(bad, flat_rows(1, 2, 3))
    with interrupting(backtest.core.runner, 0.02):
        result, _ = ran(backtest)
    assert "StrategyHungError" in result.stopped["s"]
    assert bad.open_ == []


class CatchesUp(Good):
    async def on_start(self) -> None:
        await self.sleep("6d")

    def on_bar(self, bar: Bar) -> None:
        super().on_bar(bar)
        sum(range(1_000))


def test_a_long_queue_worked_off_at_once_is_not_one_handler_that_hangs() -> None:
    """One loop of the runner calls thousands of handlers: each of them is quick."""
    strategy = CatchesUp()
    backtest = a_backtest(strategy, flat_rows(*([5.0] * 9_000)))
    with interrupting(backtest.core.runner, 0.01):
        result, _ = ran(backtest)
    assert not result.stopped
    assert len(strategy.heard) == 9_000


def test_many_quick_handlers_are_never_taken_for_one_that_hangs() -> None:
    """A run far longer than the limit, looked at all the time, is left alone."""
    good = Good()
    backtest = a_backtest(good, flat_rows(*([5.0] * 60_000)))
    before = signal.getsignal(signal.SIGALRM)
    with interrupting(backtest.core.runner, 0.002):
        result, _ = ran(backtest)
    assert not result.stopped
    assert len(good.heard) == 60_000
    assert signal.getsignal(signal.SIGALRM) is before


class SlowInTheEnd(Strategy):
    """Its handlers take long, each by itself far less than the limit."""

    def __init__(self, quick: int) -> None:
        super().__init__()
        self.quick, self.heard = quick, 0

    def on_bar(self, bar: Bar) -> None:
        self.heard += 1
        if self.heard > self.quick:
            sum(range(10_000))


class SlowByTriggers(SlowInTheEnd):
    """The same, declared."""

    on_bar = Strategy.on_bar

    def on_start(self) -> None:
        self.when(self.bars_of(INDEX).close > 0, super().on_bar)


@pytest.mark.parametrize(("kind", "mode"), [(SlowInTheEnd, "event"), (SlowByTriggers, "column")])
def test_a_slow_strategy_is_given_many_bars_in_a_row_and_not_taken_for_one_that_hangs(
    kind: type[SlowInTheEnd], mode: str
) -> None:
    """One loop hands on hundreds of bars, many limits long: the watch tells one call from the next."""
    slow = kind(20_000)
    backtest = a_backtest(slow, sources=[BarsOf(flat_rows(*[5.0] * 22_000), batch=22_000)], mode=mode)
    with interrupting(backtest.core.runner, 0.01):
        result, _ = ran(backtest)
    assert not result.stopped
    assert slow.heard == 22_000


def test_outside_the_main_thread_it_does_nothing() -> None:
    """Only the main thread hears signals; elsewhere the block just runs."""
    done: list[bool] = []

    def run() -> None:
        backtest = a_backtest(Good(), flat_rows(1, 2))
        with interrupting(backtest.core.runner, 0.01):
            done.append(not backtest.run().stopped)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done == [True]
