"""What prices did in the last minutes, and where the last trading day ended: one sample a second is remembered."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import MINUTE_NS, SECOND_NS

SAMPLE_NS = SECOND_NS
FEW = 9
"""A minute with fewer samples is looked at together with those before it: four false ones in a row are its minority."""
BEFORE_NS = 10 * MINUTE_NS
_INFINITE = float("inf")


class Minute:
    """The samples of the last minute of one instrument, by time and sorted; at most 61 of them, and ``FEW`` before."""

    __slots__ = ("_before", "_exact", "_sorted", "last_ns", "latest", "samples")

    def __init__(self) -> None:
        self.samples: deque[tuple[int, float]] = deque()
        self._sorted: list[float] = []
        self._before: deque[tuple[int, float]] = deque(maxlen=FEW)
        self.last_ns = -(2**62)
        self.latest = 0.0
        self._exact: Decimal | None = None

    def add(self, ts_ns: int, price: float) -> None:
        self.last_ns, self.latest, self._exact = ts_ns, price, None
        self.samples.append((ts_ns, price))
        insort(self._sorted, price)
        self._drop(ts_ns)

    def exact(self) -> Decimal | None:
        """The last sample as it reads; None before the first."""
        if self._exact is None and self.latest:
            self._exact = Decimal(repr(float(self.latest)))
        return self._exact

    def median(self, now_ns: int) -> float | None:
        """None without a sample in the last minute; the lower of the two in the middle where they are even."""
        self._drop(now_ns)
        return self._sorted[(len(self._sorted) - 1) // 2] if self._sorted else None

    def last_few(self, now_ns: int) -> list[float]:
        """The last samples of ten minutes, ``FEW`` at most, sorted; empty where the last minute has so many itself."""
        self._drop(now_ns)
        lacking = FEW - len(self.samples)
        if lacking <= 0:
            return []
        before = [price for ts_ns, price in self._before if ts_ns > now_ns - BEFORE_NS]
        return sorted(before[-lacking:] + self._sorted)

    def move(self, now_ns: int) -> float | None:
        """By which part the price moved from the first sample of the last minute to the last; None without one."""
        self._drop(now_ns)
        return self.samples[-1][1] / self.samples[0][1] - 1 if self.samples else None

    def _drop(self, now_ns: int) -> None:
        samples, edge = self.samples, now_ns - MINUTE_NS
        while samples and samples[0][0] <= edge:
            sample = samples.popleft()
            self._before.append(sample)
            del self._sorted[bisect_left(self._sorted, sample[1])]


class NewDay(Struct, frozen=True, gc=False):
    """The first price of an instrument's trading day, and the last one before it (0 at -2**62: there was none)."""

    instrument: InstrumentId
    day: int
    ts_ns: int
    price: float
    before_ns: int
    before: float


class Prices:
    """Every instrument's last minute, from what the feeds bring in this life of the engine."""

    def __init__(self, day: Callable[[InstrumentId, int], int | None]) -> None:
        """``day``: the trading day of an instant, None where the instrument or its market is not known."""
        self.minutes: dict[InstrumentId, Minute] = {}
        self.new_day: tuple[Callable[[NewDay], None], ...] = ()
        """Who is told of the first price of a day."""
        self._day = day
        self._days: dict[InstrumentId, int] = {}

    def on_bar(self, bar: Bar) -> None:
        self.add(bar.instrument, bar.ts_ns, bar.close)

    def on_quote(self, quote: Quote) -> None:
        self.add(quote.instrument, quote.ts_ns, quote.mid)

    def on_trade(self, trade: Trade) -> None:
        self.add(trade.instrument, trade.ts_ns, trade.price)

    def latest(self, instrument: InstrumentId) -> Decimal | None:
        """The last sample, as it reads; None where this life has seen none."""
        minute = self.minutes.get(instrument)
        return None if minute is None else minute.exact()

    def add(self, instrument: InstrumentId, ts_ns: int, price: float) -> None:
        """Remember a price, if it is one and a second has gone by since the last that was."""
        minute = self.minutes.get(instrument)
        if minute is None:
            minute = self.minutes[instrument] = Minute()
        if ts_ns - minute.last_ns < SAMPLE_NS or not 0.0 < price < _INFINITE:
            return
        day = self._day(instrument, ts_ns)
        if day is None:
            return
        if day != self._days.get(instrument):
            self._days[instrument] = day
            turn = NewDay(instrument, day, ts_ns, price, minute.last_ns, minute.latest)
            for told in self.new_day:
                told(turn)
        minute.add(ts_ns, price)
