"""Column mode makes the decisions of event mode: same fills, same equity, same journal to the last bit."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Bar, ConfigError, Fill, InstrumentId, OrderDenied, OrderEvent, Strategy, TimeInForce
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS
from engine.markets.china_a import ChinaA
from engine.matching import FILL_MODELS, Friction, Latency, NextOpen, Path, Ticks, Touch, VolumeShare
from engine.risk.profiles import limits_for
from strategies.sma_cross import SmaCross
from tests.builders import INDEX, START_NS, AskewBars, BarsOf, a_backtest, a_walk, flat_rows, nothing_compiled, ran

PATH = Path(rule="low_first")
LATE = Friction(model=Path(), slippage=Ticks(), latency=Latency(order="70s", cancel="50ms"))

OTHER = InstrumentId("000002.SH")
MODES = ("event", "column")

CONDITIONS: dict[str, Callable[[Any], Any]] = {
    "cross up": lambda b: b.close.sma(3).crosses_above(b.close.sma(8)),
    "cross down": lambda b: b.close.sma(3).crosses_below(b.close.sma(8)),
    "ema": lambda b: b.close.ema(4).crosses_above(b.close.ema(9), tie=0.0),
    "rsi": lambda b: (b.close.rsi(5) < 30) & ~(b.close.rsi(5) < 20),
    "macd": lambda b: b.close.macd(3, 6, 3).histogram.crosses_above(0.0),
    "bands": lambda b: (b.close > b.close.bollinger(9, 1.5).upper) | (b.close < b.close.bollinger(9, 1.5).lower),
    "channel": lambda b: b.close >= b.donchian(12).upper.lag(1),
    "kdj": lambda b: b.kdj(5, 3, 3).j > 100,
    "atr": lambda b: (b.close - b.close.lag(1)) / b.atr(5) > 0.8,
    "adx": lambda b: b.adx(4).plus.crosses_above(b.adx(4).minus),
    "zscore": lambda b: b.close.zscore(11) < -1.2,
    "volume": lambda b: b.obv().wma(3) > b.obv().wma(7),
    "correlation": lambda b: b.close.correlation(b.volume, 6) > 0.5,
    "returns": lambda b: 1.0 - b.close.returns(2) * 100 < b.cci(6) / 100,
    "vwap": lambda b: b.vwap(7).crosses_above(b.close),
    "always": lambda b: b.close > 0,
}
ACTIONS = (
    "buy",
    "buy limit",
    "buy day",
    "sell",
    "sell limit",
    "sell ioc",
    "cancel",
    "target",
    "replace",
    "waits",
    "fail",
)


class Declared(Strategy):
    """Does at each condition what the plan says, and writes down all it can see while it does."""

    def __init__(self, plan: Sequence[tuple[str, str]], timer: str, on_fills: str) -> None:
        super().__init__()
        self.plan, self.timer, self.reaction = plan, timer, on_fills
        self.seen: list[Any] = []
        self.failing = 0

    def on_start(self) -> None:
        self.watched: list[Any] = []
        for name in self.instruments:
            bars = self.bars_of(name)
            self.watched += [bars.close, bars.close.ema(4), bars.close > bars.close.sma(5)]
            for condition, action in self.plan:
                self.when(CONDITIONS[condition](bars), self.doing(action))
        if self.timer:
            self.every(self.timer, lambda: self.do("buy", self.instruments[0]))

    def doing(self, action: str) -> Callable[[Bar], Any]:
        async def wait(bar: Bar) -> None:
            self.look("waits", bar)
            await self.sleep("150s")
            self.look("slept")
            self.look("next", await self.next_bar(self.instruments[-1]))
            self.do("buy", bar.instrument)

        return wait if action == "waits" else lambda bar: self.do(action, bar.instrument, bar)

    def look(self, what: str, bar: Bar | None = None) -> None:
        marks = [self.ctx.mark(name) for name in self.instruments]
        known = [repr(node.value) for node in self.watched]
        history = [self.history(name, 2).close.tolist() for name in self.instruments]
        self.seen.append((what, self.now_ns, bar, marks, self.equity(), self.cash(), known, history))

    def do(self, action: str, name: InstrumentId, bar: Bar | None = None) -> None:
        self.look(action, bar)
        price = self.ctx.mark(name) or 1.0
        working = self.working_orders(name)
        held = self.position(name)
        match action:
            case "buy":
                self.buy(name, 100)
            case "buy limit" | "buy day":
                tif = TimeInForce.GTC if action == "buy limit" else TimeInForce.DAY
                self.buy(name, 100, round(price * 0.9995, 2), tif=tif)
            case "sell" if held:
                self.sell(name, held)
            case "sell limit" if held:
                self.sell(name, held, round(price * 1.0005, 2), tif=TimeInForce.GTC)
            case "sell ioc" if held:
                self.sell(name, held, round(price, 2), tif=TimeInForce.IOC)
            case "cancel":
                self.cancel_all(name)
            case "target":
                self.order_target(name, 300)
            case "replace" if working and working[0].price is not None:
                self.replace(working[0].client_id, working[0].quantity, float(working[0].price) + 0.02)
            case "fail":
                self.failing += 1
                if self.failing > 4:
                    raise ValueError("as planned")

    def on_fill(self, fill: Fill) -> None:
        self.do(self.reaction, fill.instrument)

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        self.look(type(event).__name__)


PLANS = st.lists(
    st.tuples(st.sampled_from(sorted(CONDITIONS)), st.sampled_from(ACTIONS)), min_size=1, max_size=4
)  # fmt: skip
STRATEGIES = st.lists(
    st.tuples(
        PLANS, st.sampled_from(["", "", "7m", "90s"]), st.sampled_from(["look", "look", "sell limit", "buy day"])
    ),
    min_size=1,
    max_size=2,
)


def a_year(count: int, hours: int) -> list[int]:
    """Ends of minute bars, so many hours of each day."""
    a_day = hours * 60
    return [START_NS + HOUR_NS + (i // a_day) * DAY_NS + (i % a_day + 1) * MINUTE_NS for i in range(count)]


def sources_of(seed: int, count: int, batches: tuple[int, int], *, two: bool, slow: int) -> list[BarsOf]:
    first = BarsOf(a_walk(count, seed), batch=batches[0], ends=a_year(count, 4), volume=seed % 3 * 700.0)
    if not two:
        return [first]
    every = slow * MINUTE_NS
    size = max(1, count // slow)
    return [first, BarsOf(a_walk(size, seed + 1), instrument=OTHER, interval_ns=every, batch=batches[1])]


def judged(mode: str, plans: Any, sources: list[BarsOf], **terms: Any) -> tuple[Any, ...]:
    """All there is to compare of one run."""
    strategies = {f"s{k}": Declared(*plan) for k, plan in enumerate(plans)}
    backtest = a_backtest(strategies, sources=sources, mode=mode, **terms)
    assert backtest.mode == mode
    result, records = ran(backtest)
    seen = [strategy.seen for strategy in strategies.values()]
    return result.digest, result.fills, result.final_equity, result.denied, result.stopped, seen, records


RUNS = {
    "plans": STRATEGIES,
    "seed": st.integers(0, 2**32 - 1),
    "count": st.integers(1, 300),
    "batches": st.tuples(st.integers(5, 400), st.integers(3, 100)),
    "model": st.sampled_from([NextOpen(), Touch(), VolumeShare(share=0.08), PATH, LATE]),
    "two": st.booleans(),
    "slow": st.sampled_from([1, 5]),
}


@given(**RUNS)
@settings(max_examples=10, deadline=None)
def test_random_strategies_decide_the_same_in_both_modes(**run: Any) -> None:
    """Over fill models, batches, instruments of other intervals, timers, cancels, replaces and handlers that wait: the
    journal's digest, the equity, and all that each handler saw at its moment."""
    compared(**run)


@pytest.mark.long
@given(**RUNS)
@settings(max_examples=1_000, deadline=None)
def test_a_thousand_random_strategies_decide_the_same_in_both_modes(**run: Any) -> None:
    """The same, longer."""
    compared(**run)


def compared(plans: Any, seed: int, count: int, batches: tuple[int, int], model: Any, two: bool, slow: int) -> None:
    sources = sources_of(seed, count, batches, two=two, slow=slow)
    event = judged("event", plans, sources, model=model)
    column = judged("column", plans, sources, model=model)
    with nothing_compiled():
        in_python = judged("column", plans, sources, model=model)
    for found in (column, in_python):
        for one, other in zip(event[5], found[5], strict=True):
            for ours, theirs in zip(one, other, strict=False):
                assert ours == theirs
        assert event == found


@pytest.mark.parametrize("model", [kind for name, kind in FILL_MODELS.items() if name not in ("quote", "book_walk")])
def test_a_long_run_with_all_conditions_trades_and_is_the_same(model: type[Any]) -> None:
    """Every condition and every action once, hundreds of bars in several batches: the above compares something."""
    actions = [action for action in ACTIONS if action not in ("fail", "waits")]
    plan = [(name, actions[k % len(actions)]) for k, name in enumerate(sorted(CONDITIONS)) if name != "always"]
    plans = [(plan, "1h", "look"), ([("cross up", "waits"), ("cross down", "buy limit")], "", "look")]
    sources = sources_of(5, 700, (300, 50), two=True, slow=5)
    event = judged("event", plans, sources, model=model())
    assert event == judged("column", plans, sources, model=model())
    with nothing_compiled():
        assert event == judged("column", plans, sources, model=model())
    assert event[1] > 40
    assert not event[4]


@pytest.mark.parametrize("then", ["look", "cancel"])
@pytest.mark.parametrize("action", ["buy", "buy limit"])
def test_an_order_under_way_is_told_of_at_the_same_bar_in_both_modes(action: str, then: str) -> None:
    """With a latency its acceptance, or its end, is told by the first bar after it: not by the first that may fill."""
    plans = [([("cross up", action), ("cross down", then)], "", "look")]
    found = [judged(mode, plans, sources_of(0, 100, (300, 50), two=True, slow=1), model=LATE) for mode in MODES]
    assert found[0] == found[1]
    assert {"OrderAccepted"} <= {what for what, *_ in found[0][5][0]}


def test_an_order_for_the_day_expires_at_the_same_bar_in_both_modes() -> None:
    """On a market with trading days and T+1: shanghai's."""
    rows = [(10.0, 10.1, 9.9, 10.0)] * 3 + [(10.0 + k / 100, 10.2 + k / 100, 9.95 + k / 100, 10.0) for k in range(400)]
    ends = [START_NS + HOUR_NS * 2 + (i // 90) * DAY_NS + (i % 90 + 1) * MINUTE_NS for i in range(len(rows))]
    plans = [([("always", "buy day"), ("rsi", "sell"), ("channel", "sell limit")], "", "look")]
    found = [
        judged(mode, plans, [BarsOf(rows, ends=ends, batch=130)], book=ChinaA(), model=Touch(), cash=10**8)
        for mode in ("event", "column")
    ]
    assert found[0] == found[1]
    assert {"OrderExpired"} <= {what for what, *_ in found[0][5][0]}


class SetsTimers(Strategy):
    """What is due changes while a trigger's function runs; nothing else happens for long after."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.calls = how, 0
        self.seen: list[Any] = []

    def on_start(self) -> None:
        close = self.bars_of(self.instruments[0]).close
        waits = self.how == "sleeps"
        self.when(close.sma(3).crosses_above(close.sma(40)), self.sleep_then_buy if waits else self.set_timer)

    async def sleep_then_buy(self, _bar: Bar) -> None:
        await self.sleep("150s")
        self.act()

    def set_timer(self, _bar: Bar) -> None:
        self.calls += 1
        # Two in one call: what is due next changes twice before anybody looks.
        self.every(f"{5 + self.calls}h", self.act)
        self.every(f"{3 + self.calls % 5}m", self.act)

    def act(self) -> None:
        self.seen.append((self.now_ns, self.ctx.mark(self.instruments[0])))
        self.buy(self.instruments[0], 10)


@pytest.mark.parametrize("how", ["sleeps", "timer"])
def test_what_a_trigger_makes_due_is_done_before_the_next_trigger_in_both_modes(how: str) -> None:
    """Where triggers are rare, nothing else ends a stretch of bars that are left out."""
    found = []
    for mode in MODES:
        strategy = SetsTimers(how)
        result, records = ran(a_backtest(strategy, a_walk(3_000), mode=mode))
        found.append((result.digest, strategy.seen, records))
    assert found[0] == found[1]
    assert len(found[0][1]) > 15


def test_sma_cross_decides_the_same() -> None:
    """The sample, over a real length: and ``auto`` chooses columns."""
    runs = [a_backtest(SmaCross, a_walk(20_000), mode=mode) for mode in ("event", "column", "auto")]
    assert [run.mode for run in runs] == ["event", "column", "column"]
    results = [run.run() for run in runs]
    assert len({(r.digest, r.fills, r.final_equity) for r in results}) == 1
    assert results[0].fills > 300


# --- what can not leave bars out -------------------------------------------------------------------------------------


class HearsBars(Strategy):
    def on_bar(self, bar: Bar) -> None:
        """Every one."""


def test_columns_that_lie_askew_in_memory_are_played_as_any_other() -> None:
    """As those a cluster ships; a worker's runs failed on them, one after the other."""
    found = []
    for kind in (BarsOf, AskewBars):
        result, records = ran(a_backtest(SmaCross, sources=[kind(a_walk(500))], mode="column"))
        found.append((result.digest, result.fills, records))
    assert found[0] == found[1]
    assert found[0][1] > 3


def test_auto_plays_every_bar_where_a_strategy_wants_them_and_says_why() -> None:
    """``column`` refuses in the same words."""
    backtest = a_backtest({"a": HearsBars(), "b": SmaCross()}, flat_rows(1, 2), mode="auto")
    result = backtest.run()
    assert (result.mode, backtest.mode) == ("event", "event")
    assert result.mode_reason.startswith("strategy a has an on_bar")
    with pytest.raises(ConfigError, match=r"^mode column: strategy a has an on_bar.*; or run with mode event$"):
        a_backtest({"a": HearsBars()}, flat_rows(1, 2), mode="column")


def test_limits_that_look_at_every_price_are_shown_every_bar() -> None:
    """The loss of a day, for one."""
    limits = limits_for("backtest", {"account_loss": {}})
    backtest = a_backtest(SmaCross, flat_rows(1, 2), limits=limits)
    assert backtest.mode == "event"
    assert "[risk]" in backtest.mode_reason


# --- what is declared wrongly ----------------------------------------------------------------------------------------


class Wrong(Strategy):
    def __init__(self, declare: Callable[["Wrong"], Any]) -> None:
        super().__init__()
        self.declare = declare

    def on_start(self) -> None:
        self.declare(self)


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda s: s.bars_of("NONE.SH"), "is not known"),
        (lambda s: s.bars_of(INDEX).close.sma(0), "sma: period is a whole number of 1 or more, not 0"),
        (lambda s: s.bars_of(INDEX).close.sma(), "sma"),
        (lambda s: s.bars_of(INDEX).close.smma(3), "there is no indicator 'smma' of a series; there are: "),
        (lambda s: s.bars_of(INDEX).sma(3), "there is no indicator 'sma' of bars; there are: adx"),
        (lambda s: s.when(s.bars_of(INDEX).close, print), "self.when takes a condition"),
        (lambda s: s.when(True, print), "self.when takes a condition"),
        (lambda s: s.bars_of(INDEX).close > 3 and None, "join conditions with & | ~"),
        (lambda s: s.bars_of(INDEX).close > s.bars_of(OTHER).close, "of the same bars"),
        (lambda s: s.bars_of(INDEX).close.bollinger(5).top, "it has no 'top'; it has: upper, middle, lower"),
        (lambda s: s.every("1m", lambda: s.when(s.bars_of(INDEX).close > 1, print)), "belongs in on_start"),
    ],
)
@pytest.mark.parametrize("mode", ["event", "column"])
def test_a_wrong_declaration_stops_the_strategy_and_says_what_to_write(
    mode: str, declare: Callable[[Any], Any], said: str
) -> None:
    """One sentence in the result, in both modes."""
    sources = [BarsOf(flat_rows(1, 2, 3)), BarsOf(flat_rows(1, 2, 3), instrument=OTHER)]
    result, _ = ran(a_backtest(Wrong(declare), sources=sources, mode=mode))
    assert said in result.stopped["s"]


class Equal(Strategy):
    def on_start(self) -> None:
        close = self.bars_of(INDEX).close
        self.same = [close.sma(3), close.sma(3), close.sma(period=3)]
        self.early = close.value


def test_what_is_declared_twice_is_worked_out_once() -> None:
    """And nothing is known before the first bar."""
    strategy = Equal()
    ran(a_backtest(strategy, flat_rows(1, 2, 6)))
    one, two, other = strategy.same
    assert one is two
    assert (one.value, other.value) == (3.0, 3.0)
    assert strategy.early != strategy.early
