"""What a replay of quotes costs: CPU a quote as a ratio to a bare loop.

Run: ``python -m benchmarks.quotes [--short] [--json] [--quotes N]``. The bare loop is the least a strategy written as a
Python callback can cost: ``update(middle)`` is called for each row, and what it says is booked at the next row's bid or
ask. The strategy is an exponential mean of 200 middles with an order on 0.09 % of the quotes. Loop and engine take
turns in one process, each figure is its best of several, so that the ratio holds on a noisy machine.

Two ratios: ``run`` is the engine alone with its quotes already in memory, as the bare loop has its rows and as others
publish their figures; ``run_and_objects`` has the making of the quote objects in it as well. Ends with 1 if the bar
(issue E) is missed and ``--check`` is given.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine import Quote, Strategy  # noqa: E402
from engine.clock import cpu_seconds  # noqa: E402
from engine.data.columns import BATCH_ROWS, QuoteColumns  # noqa: E402
from engine.domain.ids import InstrumentId, StrategyId  # noqa: E402
from engine.domain.instrument import Instrument  # noqa: E402
from engine.journal.memory import MemoryJournal  # noqa: E402
from engine.markets.free import Free  # noqa: E402
from engine.matching.at_quote import AtQuote  # noqa: E402
from engine.risk.profiles import limits_for  # noqa: E402
from engine.runtime.backtest_result import BacktestResult, StrategySpec  # noqa: E402
from engine.runtime.quotes_backtest import QuotesBacktest  # noqa: E402

NAME = InstrumentId("TICK.FX")
START_NS = 1_262_563_200 * 10**9
BARS = {"run": 2.0}
"""Issue E: at most."""
SPAN, COOLDOWN, SIZE, FEE, TIE = 200, 1000, 100, 0.0003, 1e-6


class Walk:
    """Best bid and ask on cents, 1 to 3 cents apart, 1 to 199 ms from one to the next; made a batch at a time."""

    path = Path("walk")
    tz = "UTC"
    instrument = NAME

    def __init__(self, count: int, seed: int = 13) -> None:
        self.count = count
        self._seed = seed

    def sha256(self) -> str:
        return f"quotes {self.count}"

    def batches(self) -> Iterator[QuoteColumns]:
        draw = np.random.default_rng(self._seed)
        bid_before, ns_before = 50_000, START_NS
        for start in range(0, self.count, BATCH_ROWS):
            size = min(BATCH_ROWS, self.count - start)
            bid = bid_before + np.cumsum(draw.integers(-1, 2, size))
            ask = bid + draw.integers(1, 4, size)
            ts_ns = ns_before + np.cumsum(draw.integers(1, 200, size)) * 1_000_000
            bid_before, ns_before = int(bid[-1]), int(ts_ns[-1])
            bids, asks = (draw.integers(200, 5_000, size).astype(float) for _ in range(2))
            yield QuoteColumns(NAME, ts_ns, np.round(bid * 0.01, 2), np.round(ask * 0.01, 2), bids, asks)


class Mean:
    """The strategy's arithmetic and nothing else: +1 go long, -1 go flat, 0 stay."""

    __slots__ = ("count", "last", "long", "mean", "side", "weight")

    def __init__(self) -> None:
        self.mean = 0.0
        self.weight = 2.0 / (SPAN + 1)
        self.side = self.count = self.last = 0
        self.long = False

    def update(self, middle: float) -> int:
        count = self.count = self.count + 1
        if count == 1:
            self.mean = middle
            return 0
        mean = self.mean = self.mean + self.weight * (middle - self.mean)
        gap = middle - mean
        if gap > TIE:
            side = 1
        elif gap < -TIE:
            side = -1
        else:
            return 0
        if side == self.side:
            return 0
        self.side = side
        if count - self.last < COOLDOWN:
            return 0
        if side > 0:
            if not self.long:
                self.long, self.last = True, count
                return 1
        elif self.long:
            self.long, self.last = False, count
            return -1
        return 0


class ByHand(Strategy):
    """A handler of every quote."""

    def on_start(self) -> None:
        self.update = Mean().update

    def on_quote(self, quote: Quote) -> None:
        signal = self.update((quote.bid + quote.ask) * 0.5)
        if signal:
            (self.buy if signal > 0 else self.sell)(quote.instrument, SIZE)


class Silent(ByHand):
    """The same strategy; what it decides goes nowhere."""

    def buy(self, *_order: Any, **_terms: Any) -> Any:
        return None

    def sell(self, *_order: Any, **_terms: Any) -> Any:
        return None


def bare_loop(rows: list[tuple[int, float, float, float, float]]) -> tuple[float, int, float]:
    """(CPU seconds, fills, final equity) without an engine."""
    began = cpu_seconds()
    cash, held, fills, pending, bid, ask = 1e8, 0, 0, 0, 0.0, 0.0
    update = Mean().update
    for _ts, bid, ask, _bid_size, _ask_size in rows:
        if pending:
            price = ask if pending > 0 else bid
            cash -= pending * SIZE * price + SIZE * price * FEE
            held += pending * SIZE
            fills += 1
            pending = 0
        signal = update((bid + ask) * 0.5)
        if signal:
            pending = signal
    return cpu_seconds() - began, fills, cash + held * (bid + ask) * 0.5


def replay(count: int, *, orders: bool) -> tuple[BacktestResult, float]:
    """The run, and the CPU seconds that went into making quote objects."""
    backtest = QuotesBacktest(
        quotes=[Walk(count)],
        sources=[],
        strategies=[StrategySpec(name=StrategyId("mean"), make=ByHand if orders else Silent, instruments=(NAME,))],
        instruments={NAME: Instrument(id=NAME, market="free")},
        books={"free": Free()},
        limits=limits_for("backtest", {}),
        fill_model=AtQuote(),
        journal=MemoryJournal(),
        cash=Decimal(10**8),
    )
    return backtest.run(), backtest.making_cpu_seconds


def figures(count: int, rounds: int) -> dict[str, float]:
    """Ratios to the bare loop, microseconds a quote and an order."""
    rows: list[tuple[int, float, float, float, float]] = []
    for batch in Walk(count).batches():
        columns = (batch.ts_ns, batch.bid, batch.ask, batch.bid_size, batch.ask_size)
        rows.extend(zip(*(column.tolist() for column in columns), strict=True))
    best = dict.fromkeys(("floor", "run", "run_and_objects", "silent"), float("inf"))
    fills = 0
    for _ in range(rounds):
        seconds, fills, equity = bare_loop(rows)
        best["floor"] = min(best["floor"], seconds)
        result, building = replay(count, orders=True)
        best["run"] = min(best["run"], result.replay_cpu_seconds)
        best["run_and_objects"] = min(best["run_and_objects"], result.replay_cpu_seconds + building)
        if result.fills != fills or abs(float(result.final_equity) - equity) > 0.01:
            raise AssertionError(f"engine {result.fills} {result.final_equity}, bare loop {fills} {equity}")
        best["silent"] = min(best["silent"], replay(count, orders=False)[0].replay_cpu_seconds)
    floor = best["floor"]
    return {
        "quotes": count,
        "fills": fills,
        "floor_us_a_quote": floor / count * 1e6,
        "engine_us_a_quote": best["run"] / count * 1e6,
        "run": best["run"] / floor,
        "run_and_objects": best["run_and_objects"] / floor,
        "signal_dropped": best["silent"] / floor,
        "us_an_order": (best["run"] - best["silent"]) / max(1, fills) * 1e6,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer quotes and rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--check", action="store_true", help="exit code 1 where the bar is missed")
    parser.add_argument("--quotes", type=int, default=0, help="quotes of each run")
    said = parser.parse_args()
    found = figures(said.quotes or (100_000 if said.short else 1_000_000), 3 if said.short else 5)
    missed = [name for name, most in BARS.items() if found[name] > most]
    if said.json:
        print(json.dumps({**found, "missed": missed}))
    else:
        for name, value in found.items():
            most = f"  at most {BARS[name]:g}{'  MISSED' if name in missed else ''}" if name in BARS else ""
            print(f"{name:34}{value:14,.3f}{most}")
    return 1 if said.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
