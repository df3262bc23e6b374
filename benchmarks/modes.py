"""What a bar costs by events and by columns: ``python -m benchmarks.modes [--short] [--json] [--check]``.

Each figure is a ratio within one run: of an engine's CPU a bar to that of a bare loop (``benchmarks.replay``), or of
event mode to column mode of the same strategy; each is the best of several turns, so that a noisy machine tells the
same. Event mode is measured with a handler of every bar around the bare loop's own arithmetic, as other engines are,
and with the same strategy declared, which is what column mode is held against. The bounds are issue E's; those that
name a peer are that peer's own figures, as ratios to the same bare loop (2 cores, Python 3.11: vnpy 5.5 with orders,
vectorbt 1.01). Both modes must come to the same digest, or it ends at once.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from benchmarks.replay import INDEX, ROOT, ByHand, Silent, Walk, bare_loop, order_bytes
from engine import Bar, Strategy
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.journal.memory import MemoryJournal
from engine.markets.free import Free
from engine.matching.next_open import NextOpen
from engine.risk.profiles import limits_for
from engine.runtime.backtest import Backtest
from engine.runtime.backtest_result import BacktestResult, StrategySpec
from strategies.sma_cross import SmaCross

VNPY, VECTORBT = 5.54, 1.01
"""Their runs of the same strategy, in bare loops."""
BOUNDS: dict[str, tuple[str, float]] = {
    "event_with_orders": ("at most", VNPY / 2),
    "event_signal_dropped": ("at most", 1.7),
    "event_50_symbols": ("at most", 1.3),
    "order_life_in_bars": ("at most", 20.0),
    "column_dense_faster": ("at least", 1.8),
    "column_dense": ("at most", VECTORBT),
    "column_sparse_faster": ("at least", 15.0),
    "column_no_orders_faster": ("at least", 30.0),
    "column_recursive_faster": ("at least", 5.0),
    "growth_mb": ("at most", 30.0),
    "order_bytes": ("at most", 1024.0),
}
SYMBOLS = tuple(InstrumentId(f"{number:06d}.SH") for number in range(1, 51))


class Averages(Strategy):
    """What ``SmaCross`` does, by exponential averages; what it decides goes nowhere."""

    def on_start(self) -> None:
        close = self.bars_of(self.instruments[0]).close
        self.when(close.ema(10).crosses_above(close.ema(30), tie=1e-6), self.seen)

    def seen(self, bar: Bar) -> None:
        """Nothing."""


class Never(SmaCross):
    """The same averages, and a cross that never comes."""

    def on_start(self) -> None:
        close = self.bars_of(self.instruments[0]).close
        self.when(close.sma(self.fast).crosses_above(close.sma(self.slow), tie=1e9), self.enter)


class Quiet(SmaCross):
    """``SmaCross`` whose decisions go nowhere; ``Silent`` is the same as a handler of every bar."""

    def buy(self, *_order: Any, **_terms: Any) -> Any:
        return None

    def sell(self, *_order: Any, **_terms: Any) -> Any:
        return None


def run(
    make: Callable[[], Strategy], mode: str, sources: Sequence[Walk], names: Sequence[InstrumentId] = (INDEX,)
) -> BacktestResult:
    return Backtest(
        sources=sources,
        strategies=[StrategySpec(name=StrategyId("s"), make=make, instruments=tuple(names))],
        instruments={name: Instrument(id=name, market="free") for name in names},
        books={"free": Free()},
        limits=limits_for("backtest", {}),
        fill_model=NextOpen(),
        journal=MemoryJournal(),
        cash=Decimal(10**8),
        mode=mode,
    ).run()


def seconds(count: int, rounds: int) -> tuple[dict[str, float], int]:
    """Best CPU seconds of each run over ``count`` bars, and the fills of the dense one."""
    rows: list[tuple[int, float, float, float, float, float]] = []
    for batch in Walk(count).batches():
        columns = (batch.ts_ns, batch.open, batch.high, batch.low, batch.close, batch.volume)
        rows.extend(zip(*(column.tolist() for column in columns), strict=True))
    makers: dict[str, Callable[[], Strategy]] = {
        "dense": SmaCross,
        "silent": Quiet,
        "on_bar": Silent,
        "by_hand": ByHand,
        "sparse": lambda: SmaCross(fast=120, slow=1200),
        "none": Never,
        "recursive": Averages,
    }
    each = count // len(SYMBOLS)
    many = [Walk(each, name, seed) for seed, name in enumerate(SYMBOLS)]
    best: dict[str, float] = {}
    fills = 0
    for _ in range(rounds):
        _keep(best, "floor", bare_loop(rows)[0])
        for name, make in makers.items():
            results = [
                run(make, mode, [Walk(count)])
                for mode in ("event", "column")
                if mode == "event" or name not in ("on_bar", "by_hand")
            ]
            if len({result.digest for result in results}) != 1:
                raise AssertionError(f"{name}: the modes came to different journals")
            for result in results:
                _keep(best, f"{name} {result.mode}", result.replay_cpu_seconds)
            fills = results[0].fills if name == "dense" else fills
        # Per bar of its own kind: what is compared is fifty instruments with one.
        _keep(best, "symbols", run(SmaCross, "event", many, SYMBOLS).replay_cpu_seconds * count / (each * len(many)))
    return best, fills


def _keep(best: dict[str, float], name: str, found: float) -> None:
    best[name] = min(found, best.get(name, found))


def peak_mb(count: int, mode: str) -> float:
    """Peak resident memory of a process of its own, signal dropped."""
    code = (
        "from benchmarks.modes import Quiet, run; from benchmarks.replay import Walk, peak; "
        f"run(Quiet, {mode!r}, [Walk({count})]); print(peak())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout)


def figures(count: int, rounds: int, few: int, many: int) -> dict[str, Any]:
    best, fills = seconds(count, rounds)
    bar = best["floor"]
    return {
        "bars": count,
        "fills": fills,
        "floor_us_a_bar": bar / count * 1e6,
        "event_with_orders": best["by_hand event"] / bar,
        "event_with_orders_declared": best["dense event"] / bar,
        "event_signal_dropped": best["on_bar event"] / bar,
        "event_signal_dropped_declared": best["silent event"] / bar,
        "event_50_symbols": best["symbols"] / best["dense event"],
        "order_life_in_bars": (best["by_hand event"] - best["on_bar event"]) / fills / (bar / count),
        "column_dense": best["dense column"] / bar,
        "column_dense_faster": best["dense event"] / best["dense column"],
        "column_sparse": best["sparse column"] / bar,
        "column_sparse_faster": best["sparse event"] / best["sparse column"],
        "column_no_orders": best["none column"] / bar,
        "column_no_orders_faster": best["none event"] / best["none column"],
        "column_recursive_faster": best["recursive event"] / best["recursive column"],
        "growth_bars": many - few,
        "growth_mb": max(peak_mb(many, mode) - peak_mb(few, mode) for mode in ("event", "column")),
        "order_bytes": order_bytes(20_000),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--short", action="store_true", help="60,000 bars instead of 1,000,000, memory of 1M instead of 16M"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bound is missed")
    said = parser.parse_args()
    sizes = (60_000, 3, 100_000, 1_000_000) if said.short else (1_000_000, 3, 1_000_000, 16_000_000)
    found = figures(*sizes)
    missed = [
        name
        for name, (which, bound) in BOUNDS.items()
        if (found[name] > bound if which == "at most" else found[name] < bound)
    ]
    if said.json:
        print(json.dumps({**found, "missed": missed}))
    else:
        for name, value in found.items():
            which, bound = BOUNDS.get(name, ("", 0.0))
            told = f"{which} {bound:g}{'  MISSED' if name in missed else ''}" if which else ""
            print(f"{name:34}{value:14,.2f}  {told}")
    return 1 if said.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
