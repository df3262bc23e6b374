"""The minutes of an oracle's case as a source of bars, and as the market under a counter."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np

from engine.data.columns import Columns
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import MINUTE_NS, format_time
from tests.counter_builders import DAY, Bench, held
from tests.oracle_cases import ZONE, Case


class MinutesOf:
    """A source of bars."""

    tz = ZONE
    label = "end"
    interval_ns = MINUTE_NS

    def __init__(self, case: Case) -> None:
        self.instrument = InstrumentId(case.code)
        self.path = Path(f"{case.code}.csv")
        self._rows = case.minutes()

    def sha256(self) -> str:
        return "0" * 64

    def batches(self) -> Iterator[Columns]:
        ends = np.array([row[0] for row in self._rows], np.int64)
        columns = np.array([row[1:] for row in self._rows], np.float64).T
        yield Columns(self.instrument, self.interval_ns, ends, *columns)


def bench_of(case: Case) -> Bench:
    """A counter over the case's minutes of the day; its first minute is always there."""
    close = float(case.close)
    prices: dict[str, tuple[float, float, float, float]] = {"09:31": (close,) * 4}
    for end, *figures in case.minutes():
        text = format_time(end, ZONE)
        if text.startswith(DAY):
            open_, high, low, last, _volume = figures
            prices[text[11:16]] = (open_, high, low, last)
    holdings = (held(case.code, case.held),) if case.held else ()
    return Bench(dict(sorted(prices.items())), share=case.share, cash=str(Decimal(20_000_000)), holdings=holdings)
