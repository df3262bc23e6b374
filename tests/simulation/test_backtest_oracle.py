"""The backtest against bare loops that know nothing of the engine, and against itself in another process."""

import csv
import gzip
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Bar, InstrumentId, Strategy
from engine.data import open_bars
from engine.domain.timestamps import MINUTE_NS
from strategies.sma_cross import SmaCross
from tests.builders import INDEX, START_NS, BarsOf, Row, a_backtest, a_walk

ROOT = Path(__file__).parents[2]
REAL_FILE = (ROOT / "../shared/data/sse_composite_1m.csv.gz").resolve()


def bare_loop(rows: Iterable[tuple[float, float]]) -> tuple[int, Decimal]:
    """Fills and final equity of SMA 10/30 on (open, close) rows: 100 units, filled at the next open, 0.03 %.

    What cannot be paid at the close that gave the signal, commission included, is not bought.
    """
    closes: deque[float] = deque(maxlen=31)
    fast = slow = 0.0
    side = pending = held = fills = 0
    cash, last = Decimal(1_000_000), 0.0
    for opened, last in rows:
        if pending:
            value = Decimal(str(opened)) * 100
            cash -= value * pending + value * Decimal("0.0003")
            held += 100 * pending
            fills, pending = fills + 1, 0
        closes.append(last)
        fast, slow = fast + last, slow + last
        if len(closes) > 10:
            fast -= closes[-11]
        if len(closes) > 30:
            slow -= closes[0]
        elif len(closes) < 30:
            continue
        gap = fast / 10 - slow / 30
        now = 1 if gap > 1e-6 else -1 if gap < -1e-6 else side
        cost = Decimal(str(last)) * 100 * Decimal("1.0003")
        if side and now != side and (cost <= cash if now > 0 else held):
            pending = now
        side = now
    return fills, cash + held * Decimal(str(last))


def run_rows(rows: Sequence[Row]) -> tuple[int, Decimal]:
    result = a_backtest(SmaCross, rows).run()
    assert not result.stopped
    return result.fills, result.final_equity


def cents(equity: Decimal) -> Decimal:
    return round(equity, 2)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 900))
@settings(max_examples=60, deadline=None)
def test_random_walks_come_to_the_same_fills_and_equity_as_a_bare_loop(seed: int, count: int) -> None:
    """Same number of fills, same final equity to the cent."""
    rows = a_walk(count, seed)
    fills, equity = run_rows(rows)
    expected_fills, expected = bare_loop((row[0], row[3]) for row in rows)
    assert (fills, cents(equity)) == (expected_fills, cents(expected))


def test_the_walks_do_trade() -> None:
    """The oracle above compares something: a long walk has dozens of fills."""
    assert bare_loop((row[0], row[3]) for row in a_walk(3_000))[0] > 50


@pytest.mark.skipif(not REAL_FILE.exists(), reason="the real file is not beside the repository")
def test_the_real_file_comes_to_the_same_fills_and_equity_as_a_bare_loop() -> None:
    """239,550 one-minute bars of the index, read by the engine and by the csv module."""
    with gzip.open(REAL_FILE, "rt", encoding="utf-8") as file:
        expected_fills, expected = bare_loop((float(row["open"]), float(row["close"])) for row in csv.DictReader(file))
    result = a_backtest(SmaCross, sources=[open_bars(REAL_FILE, INDEX)]).run()
    assert result.bars == 239_550
    assert (result.fills, cents(result.final_equity)) == (expected_fills, cents(expected))
    assert result.fills > 1_000
    assert result.denied > 0


# --- two instruments on one clock ------------------------------------------------------------------------------------

SLOW, QUICK = InstrumentId("SLOW.T"), InstrumentId("QUICK.T")


class Alternate(Strategy):
    """Every third minute, in the middle of the slow bars: of each instrument buy one if none is held, else sell it."""

    def on_start(self) -> None:
        self.heard: list[tuple[int, str]] = []

    def on_bar(self, bar: Bar) -> None:
        self.heard.append((bar.ts_ns, bar.instrument))
        if bar.instrument != QUICK or bar.ts_ns // MINUTE_NS % 3:
            return
        for name in (SLOW, QUICK):
            if self.working_orders(name):
                continue
            if self.position(name):
                self.sell(name, 1)
            else:
                self.buy(name, 1)


def bare_pair(bars: Sequence[Bar]) -> tuple[int, Decimal]:
    """``Alternate`` by hand: an order made at ``t`` fills at the open of the first bar of its instrument that starts
    at ``t`` or later; all bars of an instant fill before any of them is heard."""
    cash, fills = Decimal(1_000_000), 0
    held = dict.fromkeys((SLOW, QUICK), 0)
    made: dict[InstrumentId, int] = {}
    last: dict[InstrumentId, float] = {}
    for now in sorted({bar.ts_ns for bar in bars}):
        instant = [bar for bar in bars if bar.ts_ns == now]
        for bar in instant:
            if bar.instrument in made and made[bar.instrument] <= bar.ts_ns - bar.interval_ns:
                sign = -1 if held[bar.instrument] else 1
                value = Decimal(str(bar.open))
                cash -= value * sign + value * Decimal("0.0003")
                held[bar.instrument] += sign
                fills += 1
                del made[bar.instrument]
        for bar in instant:
            last[bar.instrument] = bar.close
            if bar.instrument != QUICK or now // MINUTE_NS % 3:
                continue
            # A purchase without any price known is denied.
            for name in (SLOW, QUICK):
                if name not in made and name in last:
                    made[name] = now
    return fills, cash + sum(quantity * Decimal(str(last[name])) for name, quantity in held.items() if quantity)


@given(
    seed=st.integers(0, 2**32 - 1),
    slow_minutes=st.integers(2, 7),
    offset_seconds=st.sampled_from([0, 0, 20, 60]),
    batch=st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_two_instruments_on_one_clock_never_fill_at_an_open_already_past(
    seed: int, slow_minutes: int, offset_seconds: int, batch: int
) -> None:
    """A five-minute bar that began before the order was made shows it no open, however the files interleave."""
    interval = slow_minutes * MINUTE_NS
    offset = offset_seconds * 10**9
    quick = BarsOf(a_walk(120, seed), instrument=QUICK, batch=batch)
    ends = [START_NS + offset + interval * i for i in range(1, 120 // slow_minutes + 1)]
    slow = BarsOf(a_walk(len(ends), seed + 1), instrument=SLOW, interval_ns=interval, ends=ends, batch=3)
    sources = [slow, quick]
    strategy = Alternate()
    result = a_backtest(strategy, sources=sources).run()
    bars = [bar for source in sources for batch_ in source.batches() for bar in bars_of(batch_)]
    fills, equity = bare_pair(bars)
    assert (result.fills, result.final_equity) == (fills, equity)
    assert strategy.heard == sorted(strategy.heard, key=lambda item: item[0])
    assert fills > 10


def bars_of(batch: object) -> list[Bar]:
    columns = [getattr(batch, name).tolist() for name in ("ts_ns", "open", "high", "low", "close", "volume")]
    name, interval = batch.instrument, batch.interval_ns  # type: ignore[attr-defined]
    return [Bar(name, *row, interval) for row in zip(*columns, strict=True)]


# --- the same again --------------------------------------------------------------------------------------------------

_PROGRAM = """
from strategies.sma_cross import SmaCross
from tests.builders import BarsOf, a_backtest, a_walk
from tests.simulation.test_backtest_oracle import QUICK, SLOW, Alternate
one = a_backtest(SmaCross, a_walk(2_000)).run()
sources = [BarsOf(a_walk(400), instrument=QUICK), BarsOf(a_walk(400, 8), instrument=SLOW)]
two = a_backtest({"b": Alternate(), "a": Alternate()}, sources=sources).run()
print(one.digest, one.fills, two.digest, two.fills)
"""


def test_two_processes_with_different_hash_seeds_write_the_same_journal() -> None:
    """Same inputs, same digest."""
    said = {
        subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "77")
    }
    assert len(said) == 1
    assert int(said.pop().split()[1]) > 30


def test_other_bars_write_another_journal() -> None:
    """The digest depends on what happened."""
    digests = {a_backtest(SmaCross, a_walk(500, seed)).run().digest for seed in (1, 2)}
    assert len(digests) == 2
    again = a_backtest(SmaCross, sources=[BarsOf(a_walk(500, 1), batch=7)]).run().digest
    assert again == a_backtest(SmaCross, a_walk(500, 1)).run().digest
    assert np.all([len(digest) == 64 for digest in digests])
