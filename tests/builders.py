"""Small makers of bars, sources and backtests."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from engine import Bar, Strategy
from engine.data.columns import Columns
from engine.domain.events import JournalRecord
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.timestamps import MINUTE_NS
from engine.indicators import cross, smoothing, window
from engine.journal.memory import MemoryJournal
from engine.markets.free import Free
from engine.markets.rulebook import RuleBook
from engine.matching import NextOpen
from engine.matching.fill_model import FillModel
from engine.risk.limit import Limit
from engine.risk.profiles import limits_for
from engine.runtime import backtest, replay
from engine.runtime.backtest import Backtest
from engine.runtime.backtest_result import BacktestResult, StrategySpec

INDEX = InstrumentId("000001.SH")
START_NS = 1_262_563_200 * 10**9
"""2010-01-04 00:00 UTC."""

Row = tuple[float, float, float, float]
"""Open, high, low, close."""


def a_bar(open_: float = 10.0, high: float = 11.0, low: float = 9.0, close: float = 10.5, **terms: Any) -> Bar:
    fields: dict[str, Any] = {"instrument": INDEX, "ts_ns": START_NS + MINUTE_NS, "volume": 1_000.0, **terms}
    return Bar(open=open_, high=high, low=low, close=close, **fields)


class BarsOf:
    """A source of bars from rows; bar ``i`` ends at ``first_end_ns + i * every_ns``, or at ``ends[i]``."""

    tz = "UTC"
    label = "end"

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        instrument: InstrumentId = INDEX,
        interval_ns: int = MINUTE_NS,
        ends: Sequence[int] | None = None,
        volume: float = 1_000.0,
        batch: int = 1_000,
    ) -> None:
        self.instrument = instrument
        self.interval_ns = interval_ns
        self.path = Path(f"{instrument}.csv")
        self._rows = np.array(rows, np.float64).reshape(-1, 4)
        count = len(self._rows)
        made = START_NS + interval_ns * np.arange(1, count + 1)
        self._ends = made if ends is None else np.array(ends, np.int64)
        self._volume = np.full(count, volume)
        self._batch = batch

    def sha256(self) -> str:
        return "0" * 64

    def batches(self) -> Iterator[Columns]:
        for start in range(0, len(self._rows), self._batch):
            span = slice(start, start + self._batch)
            open_, high, low, close = self._rows[span].T
            yield Columns(
                self.instrument, self.interval_ns, self._ends[span], open_, high, low, close, self._volume[span]
            )


class AskewBars(BarsOf):
    """The same, where no number lies by itself in memory: as what came over a wire may."""

    def batches(self) -> Iterator[Columns]:
        for one in super().batches():
            names = ("ts_ns", "open", "high", "low", "close", "volume")
            yield replace(one, **{name: askew(getattr(one, name)) for name in names})


def askew(values: Any) -> Any:
    """The same values, a byte beside where they would lie."""
    room = np.empty(values.nbytes + 1, np.uint8)[1:].view(values.dtype)
    room[:] = values
    return room


@contextlib.contextmanager
def nothing_compiled() -> Iterator[None]:
    """As on a machine without a C compiler."""
    with pytest.MonkeyPatch.context() as patched:
        for room in (cross, smoothing, window):
            patched.setattr(room, "columns", None)
        patched.setattr(backtest, "compiled", lambda _core, _venue: None)
        patched.setattr(replay, "Bars", None)
        yield


def flat_rows(*prices: float) -> list[Row]:
    """Bars that open at each price and stay there."""
    return [(price, price, price, price) for price in prices]


def a_walk(count: int, seed: int = 7) -> list[Row]:
    """A random walk on cents around 500."""
    draw = np.random.default_rng(seed)
    body, gap = np.rint(draw.normal(0, 4, count)).astype(np.int64), draw.integers(-2, 3, count)
    close = 50_000 + np.cumsum(body + gap)
    open_ = close - body
    high = np.maximum(open_, close) + draw.integers(0, 4, count)
    low = np.minimum(open_, close) - draw.integers(0, 4, count)
    columns = [np.round(column * 0.01, 2).tolist() for column in (open_, high, low, close)]
    return list(zip(*columns, strict=True))


def a_backtest(
    strategies: Strategy | Mapping[str, Strategy] | Callable[[], Strategy],
    rows: Sequence[Row] = (),
    *,
    sources: Sequence[Any] = (),
    model: FillModel | None = None,
    limits: Sequence[Limit] | None = None,
    book: RuleBook | None = None,
    cash: int = 1_000_000,
    note: Callable[[str, Mapping[str, Any]], None] = lambda _text, _fields: None,
    mode: str = "auto",
    **terms: Any,
) -> Backtest:
    """A backtest over rows of ``INDEX`` bars, or over sources; every strategy hears every instrument."""
    sources = list(sources) or [BarsOf(rows)]
    names = tuple(source.instrument for source in sources)
    book = book or Free()
    named: Mapping[str, Any] = strategies if isinstance(strategies, Mapping) else {"s": strategies}
    specs = [
        StrategySpec(
            name=StrategyId(name), make=made if isinstance(made, type) else lambda made=made: made, instruments=names
        )
        for name, made in named.items()
    ]
    return Backtest(
        sources=sources,
        strategies=specs,
        instruments={name: Instrument(id=name, market=book.name, **terms) for name in names},
        books={book.name: book},
        limits=limits_for("backtest", {}) if limits is None else limits,
        fill_model=model or NextOpen(),
        journal=MemoryJournal(),
        cash=Decimal(cash),
        note=note,
        mode=mode,
    )


def ran(backtest: Backtest) -> tuple[BacktestResult, list[JournalRecord]]:
    """Run it: the result, and every record of its journal."""
    result = backtest.run()
    return result, [record for _, record in backtest._journal.records()]
