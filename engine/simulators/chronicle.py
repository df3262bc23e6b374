"""One-minute bars of a listed instrument: a past that is made up from the seed, and what the exchange walked since.

The past ends exactly at the price the instrument is listed with. It depends on seed, code and day alone, so that every
face, and every later question, finds the same bars. A market that is started again where it stood makes up another
past, which ends at the price of the start; of what was walked it knows the last day's figures and the closes around it.
"""

from bisect import bisect_right
from collections.abc import Callable
from datetime import date, timedelta
from math import exp, log, sqrt

from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.domain.timestamps import MINUTE_NS
from engine.simulators.boards import Standing
from engine.simulators.sessions import Sessions

_MASK = (1 << 64) - 1
DAYS_KEPT = 600
"""Days of made bars that stay in memory."""


def mixed(*numbers: int) -> int:
    """64 bits that look random and depend on all numbers (splitmix64, Vigna 2015): chance with random access."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = (state ^ (number & _MASK)) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


def text_number(text: str) -> int:
    """A number for a text, the same in every process."""
    return int.from_bytes(text.encode()[-8:], "big") ^ (len(text) << 56)


def bell(bits: int) -> float:
    """Four 16-bit uniforms of one draw as one number of mean 0 and deviation 1, between -3.5 and 3.5."""
    total = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (total / 65_535 - 2) * sqrt(3)


class Chronicle:
    """The minutes of one instrument.

    Args:
        price: at ``origin_ns``, where the made past ends. volatility: of one day, a fraction.
        tick: price -> its price step. days: how many calendar days the past goes back.
    """

    def __init__(
        self,
        instrument: InstrumentId,
        *,
        seed: int,
        price: float,
        volatility: float,
        origin_ns: int,
        sessions: Sessions,
        tick: Callable[[float], float],
        days: int = 800,
    ) -> None:
        self.instrument = instrument
        self.sessions = sessions
        self.origin_ns = origin_ns
        self._seed = mixed(seed, text_number(instrument))
        self._volatility = volatility
        self._tick = tick
        self._origin_day = sessions.day(origin_ns - 1)
        self._first_day = self._origin_day - timedelta(days=days)
        self._closes: dict[date, float] = {self._origin_day: price}
        """Close of each day of the past; of the origin's day the price at the origin."""
        self._earliest = self._origin_day
        self._made: dict[date, list[Bar]] = {}
        self._walked: list[Bar] = []
        self._forming: Bar | None = None
        self._today: tuple[date, Bar] | None = None
        self._before: dict[date, float] = {}

    @property
    def first_day(self) -> date:
        """The first day of the past."""
        return self._first_day

    def resume(self, standing: Standing) -> None:
        """Lead the made past through what an earlier life left: the last day it walked has its figures, and its close
        is that of every day since."""
        last, day = self.sessions.day(standing.ts_ns), self._origin_day
        while day > last:
            self._closes[day] = standing.price
            day = self._day_before(day)
        self._earliest = self._day_before(last)
        self._closes |= {last: standing.price, self._earliest: standing.before}
        self._before[last] = standing.before
        if standing.day is not None:
            self._today = (last, Bar(self.instrument, standing.ts_ns, *standing.day))

    def hear(self, step: Bar) -> None:
        """Take in one step of the exchange; steps come in order."""
        end = -(-step.ts_ns // MINUTE_NS) * MINUTE_NS
        if self._today is not None:
            same = self._today[0] == self.sessions.day(step.ts_ns - 1)
            self._today = (self._today[0], _join(self._today[1], step)) if same else None
        old = self._forming
        if old is not None and old.ts_ns == end:
            high, low = max(old.high, step.high), min(old.low, step.low)
            self._forming = Bar(self.instrument, end, old.open, high, low, step.close, old.volume + step.volume)
            return
        if old is not None:
            self._walked.append(old)
        self._forming = Bar(self.instrument, end, step.open, step.high, step.low, step.close, step.volume)

    def minutes(self, after_ns: int, until_ns: int) -> list[Bar]:
        """Bars whose label is in (after, until], the forming one included, in order."""
        found: list[Bar] = []
        if after_ns < self.origin_ns:
            day = max(self.sessions.day(max(after_ns, 0)), self._first_day)
            last = min(self._origin_day, self.sessions.day(until_ns))
            while day <= last:
                found += self._past(day)
                day += timedelta(days=1)
        found += self._walked[
            bisect_right(self._walked, after_ns, key=_label) : bisect_right(self._walked, until_ns, key=_label)
        ]
        if self._forming is not None:
            found.append(self._forming)
        # The minute in which the past ends and the walk begins is one bar.
        joined: list[Bar] = []
        for bar in found:
            if after_ns < bar.ts_ns <= until_ns:
                if joined and joined[-1].ts_ns == bar.ts_ns:
                    joined[-1] = _join(joined[-1], bar)
                else:
                    joined.append(bar)
        return joined

    def day(self, ts_ns: int) -> Bar | None:
        """The bar of the local day of an instant up to the last step heard, labelled by it; None before the first."""
        day = self.sessions.day(ts_ns)
        if self._today is None or self._today[0] != day:
            start = self.sessions.instant(day, 0)
            bars = self.minutes(start, ts_ns // MINUTE_NS * MINUTE_NS + MINUTE_NS)
            if not bars:
                return None
            self._today = (day, _merged(bars))
        return self._today[1]

    def close_before(self, day: date) -> float:
        """The last price before a day."""
        if day not in self._before:
            self._before[day] = self._last_before(day)
        return self._before[day]

    def _last_before(self, day: date) -> float:
        if day <= self._origin_day:
            return self._close(self._day_before(day))
        start = self.sessions.instant(day, 0)
        if self._forming is not None and self._forming.ts_ns <= start:
            return self._forming.close
        earlier = bisect_right(self._walked, start, key=_label)
        return self._walked[earlier - 1].close if earlier else self._closes[self._origin_day]

    # Inside: the made past

    def _past(self, day: date) -> list[Bar]:
        found = self._made.get(day)
        if found is None:
            if len(self._made) >= DAYS_KEPT:
                self._made.clear()
            found = self._made[day] = self._make(day)
        return found

    def _make(self, day: date) -> list[Bar]:
        ends = [end for end in self.sessions.minute_ends(day) if end - MINUTE_NS < self.origin_ns]
        if not ends:
            return []
        count, number = len(ends), day.toordinal()
        first, last = log(self._close(self._day_before(day))), log(self._close(day))
        wiggle = self._volatility / sqrt(len(self.sessions.minute_ends(day)))
        draws = [mixed(self._seed, number, minute) for minute in range(count)]
        walk, path = 0.0, []
        for bits in draws:
            walk += bell(bits)
            path.append(walk)
        bars: list[Bar] = []
        price = self._on_grid(exp(first))
        for place, (end, bits) in enumerate(zip(ends, draws, strict=True), 1):
            level = first + (last - first) * place / count + wiggle * (path[place - 1] - walk * place / count)
            close = self._on_grid(exp(level))
            step = self._tick(close)
            high = round(max(price, close) + (bits >> 3) % 2 * step, 4)
            low = round(max(step, min(price, close) - (bits >> 5) % 2 * step), 4)
            volume = 100.0 * (10 + bits % 400)
            bars.append(Bar(self.instrument, end, price, high, low, close, volume))
            price = close
        return bars

    def _close(self, day: date) -> float:
        while self._earliest > day:
            earlier = self._day_before(self._earliest)
            step = bell(mixed(self._seed, self._earliest.toordinal())) * self._volatility
            self._closes[earlier] = self._on_grid(self._closes[self._earliest] * exp(-step))
            self._earliest = earlier
        return self._closes[day]

    def _day_before(self, day: date) -> date:
        day -= timedelta(days=1)
        while not self.sessions.trades_on(day):
            day -= timedelta(days=1)
        return day

    def _on_grid(self, price: float) -> float:
        step = self._tick(price)
        return round(max(1, round(price / step)) * step, 4)


def _label(bar: Bar) -> int:
    return bar.ts_ns


def _join(first: Bar, second: Bar) -> Bar:
    return Bar(
        first.instrument,
        second.ts_ns,
        first.open,
        max(first.high, second.high),
        min(first.low, second.low),
        second.close,
        first.volume + second.volume,
    )


def _merged(bars: list[Bar]) -> Bar:
    high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
    volume = sum(bar.volume for bar in bars)
    span = bars[-1].ts_ns - bars[0].ts_ns + MINUTE_NS
    return Bar(bars[0].instrument, bars[-1].ts_ns, bars[0].open, high, low, bars[-1].close, volume, span)
