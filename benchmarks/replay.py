"""What a replay costs: CPU a bar as a ratio to a bare loop, memory a bar, and bytes an order.

Run: ``python -m benchmarks.replay [--short] [--json] [--bars N]``. The bare loop is the least a strategy written as a
Python callback can cost: ``update(close)`` is called for each row and what it says is booked at the next row's open.
Loop and engine take turns in one process, each figure is its best of several, so that the ratio holds on a noisy
machine. Ends with 1 if a bar (issue A) is missed and ``--check`` is given.
"""

import argparse
import gc
import json
import subprocess
import sys
import tracemalloc
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine import Bar, Strategy  # noqa: E402
from engine.clock import cpu_seconds  # noqa: E402
from engine.data.columns import BATCH_ROWS, Columns  # noqa: E402
from engine.domain.ids import InstrumentId, StrategyId  # noqa: E402
from engine.domain.instrument import Instrument  # noqa: E402
from engine.domain.timestamps import MINUTE_NS  # noqa: E402
from engine.journal.memory import MemoryJournal  # noqa: E402
from engine.markets.free import Free  # noqa: E402
from engine.matching.next_open import NextOpen  # noqa: E402
from engine.risk.profiles import limits_for  # noqa: E402
from engine.runtime.backtest import Backtest  # noqa: E402
from engine.runtime.backtest_result import BacktestResult, StrategySpec  # noqa: E402

INDEX = InstrumentId("000001.SH")
START_NS = 1_262_563_200 * 10**9
BARS = {"with_orders": 3.5, "signal_dropped": 2.2, "growth_mb": 30.0, "order_bytes": 1024.0}
"""Issue A: at most."""


FAST, SLOW, SIZE, FEE, TIE = 10, 30, 100, 0.0003, 1e-6


class Walk:
    """A random walk on cents with about 38 crosses of the averages in a thousand bars; made a batch at a time."""

    interval_ns = MINUTE_NS
    path = Path("walk")
    tz = "UTC"
    label = "end"

    def __init__(self, count: int, instrument: InstrumentId = INDEX, seed: int = 7) -> None:
        self.count = count
        self._seed = seed
        self.instrument = instrument

    def sha256(self) -> str:
        return f"walk {self.count}"

    def batches(self) -> Iterator[Columns]:
        draw = np.random.default_rng(self._seed)
        last = 5_000_000
        for start in range(0, self.count, BATCH_ROWS):
            size = min(BATCH_ROWS, self.count - start)
            body, gap = np.rint(draw.normal(0, 4, size)).astype(np.int64), draw.integers(-2, 3, size)
            close = last + np.cumsum(body + gap)
            last = int(close[-1])
            open_ = close - body
            high = np.maximum(open_, close) + draw.integers(0, 4, size)
            low = np.minimum(open_, close) - draw.integers(0, 4, size)
            ts_ns = START_NS + MINUTE_NS * np.arange(start + 1, start + size + 1)
            o, h, low_, c = (np.round(column * 0.01, 2) for column in (open_, high, low, close))
            yield Columns(self.instrument, MINUTE_NS, ts_ns, o, h, low_, c, np.ones(size))


class Cross:
    """The strategy's arithmetic and nothing else: +1 go long, -1 go flat, 0 stay."""

    __slots__ = ("closes", "fast_sum", "long", "side", "slow_sum")

    def __init__(self) -> None:
        self.closes: deque[float] = deque()
        self.fast_sum = self.slow_sum = 0.0
        self.side = 0
        self.long = False

    def update(self, close: float) -> int:
        closes = self.closes
        closes.append(close)
        self.fast_sum += close
        self.slow_sum += close
        seen = len(closes)
        if seen > FAST:
            self.fast_sum -= closes[-FAST - 1]
        if seen > SLOW:
            self.slow_sum -= closes.popleft()
        elif seen < SLOW:
            return 0
        gap = self.fast_sum / FAST - self.slow_sum / SLOW
        if gap > TIE:
            side = 1
        elif gap < -TIE:
            side = -1
        else:
            return 0
        before = self.side
        if side == before:
            return 0
        self.side = side
        if side > 0:
            if before < 0:
                self.long = True
                return 1
        elif self.long:
            self.long = False
            return -1
        return 0


class ByHand(Strategy):
    """``SmaCross`` as a handler of every bar; what its declared form costs is told by ``benchmarks.modes``."""

    def on_start(self) -> None:
        self.update = Cross().update

    def on_bar(self, bar: Bar) -> None:
        signal = self.update(bar.close)
        if signal:
            (self.buy if signal > 0 else self.sell)(bar.instrument, SIZE)


class Silent(ByHand):
    """The same strategy; what it decides goes nowhere."""

    def buy(self, *_order: Any, **_terms: Any) -> Any:
        return None

    def sell(self, *_order: Any, **_terms: Any) -> Any:
        return None


def bare_loop(rows: list[tuple[int, float, float, float, float, float]]) -> tuple[float, int, float]:
    """(CPU seconds, fills, final equity) without an engine."""
    began = cpu_seconds()
    cash, held, fills, pending, last = 1e8, 0, 0, 0, 0.0
    update = Cross().update
    for _ts, open_, _high, _low, last, _volume in rows:
        if pending:
            cash -= pending * SIZE * open_ + SIZE * open_ * FEE
            held += pending * SIZE
            fills += 1
            pending = 0
        signal = update(last)
        if signal:
            pending = signal
    return cpu_seconds() - began, fills, cash + held * last


def replay(count: int, *, orders: bool) -> tuple[BacktestResult, Backtest, MemoryJournal]:
    journal = MemoryJournal()
    made = ByHand if orders else Silent
    backtest = Backtest(
        sources=[Walk(count)],
        strategies=[StrategySpec(name=StrategyId("sma_cross"), make=made, instruments=(INDEX,))],
        instruments={INDEX: Instrument(id=INDEX, market="free")},
        books={"free": Free()},
        limits=limits_for("backtest", {}),
        fill_model=NextOpen(),
        journal=journal,
        cash=Decimal(10**8),
        mode="event",
    )
    return backtest.run(), backtest, journal


def speed(count: int, rounds: int) -> dict[str, float]:
    """Ratios to the bare loop, microseconds a bar and an order."""
    rows: list[tuple[int, float, float, float, float, float]] = []
    for batch in Walk(count).batches():
        columns = (batch.ts_ns, batch.open, batch.high, batch.low, batch.close, batch.volume)
        rows.extend(zip(*(column.tolist() for column in columns), strict=True))
    best = {"floor": float("inf"), "with": float("inf"), "without": float("inf")}
    for _ in range(rounds):
        seconds, fills, equity = bare_loop(rows)
        best["floor"] = min(best["floor"], seconds)
        for name in ("with", "without"):
            result = replay(count, orders=name == "with")[0]
            best[name] = min(best[name], result.replay_cpu_seconds)
            if name == "with" and (result.fills != fills or abs(float(result.final_equity) - equity) > 0.01):
                raise AssertionError(f"engine {result.fills} {result.final_equity}, bare loop {fills} {equity}")
    micro = {name: seconds / count * 1e6 for name, seconds in best.items()}
    return {
        "bars": count,
        "fills": fills,
        "floor_us_a_bar": micro["floor"],
        "engine_us_a_bar": micro["with"],
        "engine_us_a_bar_signal_dropped": micro["without"],
        "with_orders": best["with"] / best["floor"],
        "signal_dropped": best["without"] / best["floor"],
        "us_an_order": (best["with"] - best["without"]) / fills * 1e6,
    }


def peak_mb(count: int) -> float:
    """Peak resident memory of a process of its own that replays ``count`` bars, signal dropped."""
    code = f"from benchmarks.replay import replay, peak; replay({count}, orders=False); print(peak())"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return float(done.stdout)


def peak() -> float:
    """Of this program alone: ``ru_maxrss`` begins with what its parent had."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("this system does not say how much memory a process took at most")


def order_bytes(count: int) -> float:
    """What an order keeps after the run, journal included: a run with orders less the same run without."""
    with_orders, orders = kept(count, orders=True)
    without, _ = kept(count, orders=False)
    return (with_orders - without) / orders


def kept(count: int, *, orders: bool) -> tuple[int, int]:
    """(bytes of everything Python still holds of a run that is over, orders made)."""
    gc.collect()
    tracemalloc.start()
    result, backtest, journal = replay(count, orders=orders)
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert journal.durable_seq > 0
    assert backtest.clock.now_ns > 0
    return size, result.orders


def figures(count: int, rounds: int, *, short: bool) -> dict[str, float]:
    found = speed(count, rounds)
    few, many = (20_000, 100_000) if short else (100_000, 1_000_000)
    found["growth_bars"] = many - few
    found["growth_mb"] = peak_mb(many) - peak_mb(few)
    found["order_bytes"] = order_bytes(20_000)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer bars and rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("--bars", type=int, default=0, help="bars of the speed runs")
    said = parser.parse_args()
    found = figures(said.bars or (60_000 if said.short else 200_000), 3 if said.short else 5, short=said.short)
    missed = [name for name, most in BARS.items() if found[name] > most]
    if said.json:
        print(json.dumps({**found, "missed": missed}))
    else:
        for name, value in found.items():
            most = f"  at most {BARS[name]:g}{'  MISSED' if name in missed else ''}" if name in BARS else ""
            print(f"{name:34}{value:14,.2f}{most}")
    return 1 if said.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
