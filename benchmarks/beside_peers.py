"""The engine beside its peers, for a bench that times each in a process of its own.

The bench hands over its arithmetic, its data and its stop watch in a module ``common`` on the path: this script is what
it runs as ``--also sluice=PYTHON:benchmarks/beside_peers.py``. The strategies are handlers of every bar or quote around
the bench's own ``update``, as its other peers' are; ``beside_peers_columns.py`` runs them declared, by columns. A run
is read from Parquet by the engine's own reader, keeps order life cycle, limits and journal, and ends with the report's
statistics.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import common  # type: ignore[import-not-found, unused-ignore] # The bench's own.
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine import Bar, Quote, Strategy  # noqa: E402
from engine.data.columns import BATCH_ROWS, BarSource, Columns, QuoteColumns  # noqa: E402
from engine.data.sources import open_bars  # noqa: E402
from engine.domain.ids import InstrumentId, StrategyId  # noqa: E402
from engine.domain.instrument import Instrument  # noqa: E402
from engine.domain.timestamps import MINUTE_NS  # noqa: E402
from engine.journal.memory import MemoryJournal  # noqa: E402
from engine.markets.free import Free  # noqa: E402
from engine.matching.at_quote import AtQuote  # noqa: E402
from engine.matching.next_open import NextOpen  # noqa: E402
from engine.risk.profiles import limits_for  # noqa: E402
from engine.runtime.backtest import Backtest  # noqa: E402
from engine.runtime.backtest_result import StrategySpec  # noqa: E402
from engine.runtime.quotes_backtest import QuotesBacktest  # noqa: E402
from engine.runtime.report import statistics_alone  # noqa: E402
from engine.runtime.report_reading import Reading  # noqa: E402
from strategies.sma_cross import SmaCross  # noqa: E402

Lap = Any
ONE = InstrumentId("AAA.FX")


class OnBar(Strategy):
    def on_start(self) -> None:
        self.update = common.SmaCross().update
        self.trades = common.ORDERS

    def on_bar(self, bar: Bar) -> None:
        signal = self.update(bar.close)
        if signal and self.trades:
            (self.buy if signal > 0 else self.sell)(bar.instrument, common.SIZE)


class OnBars(Strategy):
    """Of many instruments."""

    def on_start(self) -> None:
        self.updates = {name: common.SmaCross().update for name in self.instruments}

    def on_bar(self, bar: Bar) -> None:
        signal = self.updates[bar.instrument](bar.close)
        if signal:
            (self.buy if signal > 0 else self.sell)(bar.instrument, common.SIZE)


class OnQuote(Strategy):
    def on_start(self) -> None:
        self.update = common.EmaCross().update

    def on_quote(self, quote: Quote) -> None:
        signal = self.update((quote.bid + quote.ask) * 0.5)
        if signal:
            (self.buy if signal > 0 else self.sell)(quote.instrument, common.SIZE)


class Dropped(SmaCross):
    def buy(self, *order: Any, **terms: Any) -> Any:
        return None


def declared() -> Strategy:
    return SmaCross() if common.ORDERS else Dropped()


class Held:
    """Bars or quotes of one instrument out of columns that are in memory already."""

    interval_ns = MINUTE_NS
    label, tz = "start", "UTC"

    def __init__(self, instrument: InstrumentId, columns: Any) -> None:
        self.instrument = instrument
        self.path = Path(instrument)
        self._columns = columns

    def sha256(self) -> str:
        return self.instrument

    def batches(self) -> Iterator[Any]:
        for start in range(0, len(self._columns.ts_ns), BATCH_ROWS):
            yield self._columns.part(slice(start, start + BATCH_ROWS))


def _go(lap: Lap, make: Callable[[], Strategy], names: Sequence[InstrumentId], cash: float, **terms: Any) -> Any:
    """Build, run, statistics; the reading of files, which the run does, goes to ``read``."""
    journal = MemoryJournal()
    kind = QuotesBacktest if "quotes" in terms else Backtest
    run = kind(
        strategies=[StrategySpec(name=StrategyId("cross"), make=make, instruments=tuple(names))],
        instruments={name: Instrument(id=name, market="free") for name in names},
        books={"free": Free()},
        limits=limits_for("backtest", {}),
        journal=journal,
        cash=Decimal(cash),
        **terms,
    )
    lap("build")
    began = time.perf_counter()
    result = run.run()
    wall = time.perf_counter() - began
    lap("run")
    apart = result.whole_cpu_seconds - result.replay_cpu_seconds
    share = apart / result.whole_cpu_seconds
    lap.move("run", "read", wall * share, apart)
    statistics_alone(Reading(journal.records(), run.core.instruments))
    lap("stat")
    return {"fills": result.fills, "equity": float(result.final_equity), "fill_rule": "next open"}


def cases(mode: str) -> dict[str, Callable[[Lap, int], Any]]:
    def bars(lap: Lap, n: int) -> Any:
        source = open_bars(common.path("bars", n, common.FORMAT), ONE, label="start", tz="UTC", interval="1m")
        lap("read")
        make = OnBar if mode == "event" else declared
        return _go(lap, make, [ONE], common.CASH, sources=[source], fill_model=NextOpen(), mode=mode)

    def multi(lap: Lap, n: int) -> Any:
        read = common.columns("multi", n)
        sources: list[BarSource] = []
        for number in range(common.SYMBOLS):
            rows = np.flatnonzero(read["sym"] == number)
            opens, highs, lows, closes, volumes = (
                read[name][rows].astype(np.float64) for name in ("open", "high", "low", "close", "volume")
            )
            name, ends = InstrumentId(f"{number:06d}.FX"), read["ts"][rows] + MINUTE_NS
            sources.append(Held(name, Columns(name, MINUTE_NS, ends, opens, highs, lows, closes, volumes)))
        lap("read")
        names = [source.instrument for source in sources]
        make = OnBars if mode == "event" else declared
        return _go(lap, make, names, common.CASH_MULTI, sources=sources, fill_model=NextOpen(), mode=mode)

    def ticks(lap: Lap, n: int) -> Any:
        read = common.columns("ticks", n)
        sizes = (read[name].astype(np.float64) for name in ("bid_size", "ask_size"))
        source = Held(ONE, QuoteColumns(ONE, read["ts"], read["bid"], read["ask"], *sizes))
        lap("read")
        found = _go(lap, OnQuote, [ONE], common.CASH, sources=[], quotes=[source], fill_model=AtQuote(), mode=mode)
        return {**found, "fill_rule": "next quote"}

    return {"bars": bars, "multi": multi, "ticks": ticks} if mode == "event" else {"bars": bars, "multi": multi}


if __name__ == "__main__":
    common.main(cases("event"), version("sluice"))
