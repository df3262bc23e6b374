"""Builders for tests of quotes: sources in memory, and backtests over them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from engine import InstrumentId, Strategy
from engine.data.columns import QuoteColumns
from engine.domain.ids import StrategyId
from engine.domain.instrument import Instrument
from engine.journal.memory import MemoryJournal
from engine.markets.free import Free
from engine.matching import AtQuote
from engine.matching.fill_model import FillModel
from engine.risk.profiles import limits_for
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.quotes_backtest import QuotesBacktest
from tests.builders import START_NS

TICK = InstrumentId("TICK.FX")
MS = 1_000_000

Best = tuple[float, float, float, float]
"""bid, ask, bid size, ask size"""


class QuotesOf:
    """Quotes in memory, one a millisecond unless ``at_ms`` says when; ``prints``: (price, size) of each row, size 0
    for none; ``deeper``: second levels as (bid, size, ask, size)."""

    path = Path("quotes")
    tz = "UTC"

    def __init__(
        self,
        rows: Sequence[Best],
        *,
        instrument: str = TICK,
        at_ms: Sequence[int] | None = None,
        prints: Sequence[tuple[float, float]] | None = None,
        deeper: Sequence[Best] | None = None,
        batch: int = 65_536,
    ) -> None:
        self.instrument = InstrumentId(instrument)
        self._batch = batch
        at = np.array(range(len(rows)) if at_ms is None else at_ms, np.int64)
        bid, ask, bid_size, ask_size = np.array(rows, float).T
        last, size = (None, None) if prints is None else np.array(prints, float).T
        levels = () if deeper is None else (tuple(np.array(deeper, float).T),)
        self._whole = QuoteColumns(
            self.instrument, START_NS + at * MS, bid, ask, bid_size, ask_size, last, size, levels
        )  # type: ignore[arg-type]

    def sha256(self) -> str:
        return "1" * 64

    def batches(self) -> Iterator[QuoteColumns]:
        for start in range(0, len(self._whole.ts_ns), self._batch):
            yield self._whole.part(slice(start, start + self._batch))


def a_quotes_backtest(
    strategies: Strategy | Mapping[str, Strategy] | Callable[[], Strategy],
    quotes: Sequence[Any],
    *,
    bars: Sequence[Any] = (),
    model: FillModel | None = None,
    cash: int = 1_000_000,
    mode: str = "auto",
) -> QuotesBacktest:
    """A backtest in which every strategy hears every instrument; no commission."""
    names = tuple(dict.fromkeys(source.instrument for source in (*quotes, *bars)))
    named: Mapping[str, Any] = strategies if isinstance(strategies, Mapping) else {"s": strategies}
    return QuotesBacktest(
        quotes=quotes,
        sources=bars,
        strategies=[
            StrategySpec(name=StrategyId(name), make=made if isinstance(made, type) else lambda m=made: m,
                         instruments=names)
            for name, made in named.items()
        ],
        instruments={name: Instrument(id=name, market="free") for name in names},
        books={"free": Free(commission=Decimal(0))},
        limits=limits_for("backtest", {}),
        fill_model=model or AtQuote(),
        journal=MemoryJournal(),
        cash=Decimal(cash),
        mode=mode,
    )  # fmt: skip


def quotes_at(*bests: tuple[float, float], size: float = 1_000) -> list[Best]:
    return [(bid, ask, size, size) for bid, ask in bests]
