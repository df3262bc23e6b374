"""Where the next price comes from: a walk from a seed, or bars of the past."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import exp, log
from random import Random
from typing import NamedTuple, Protocol

from engine.domain.market import Bar

FLOOR = 0.01
"""No price falls below a cent (contracts/virtual_market.md 4)."""


class Figures(NamedTuple):
    """What one mark of the clock brings one instrument."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class PriceSource(Protocol):
    def next(self, mark_ns: int, price: float, bounds: tuple[float, float], drift: float) -> Figures | None:
        """The bar of a mark, given the price before it; None where nothing happens.

        ``bounds`` are the lowest and highest price allowed, ``drift`` the push of recent trades (a fraction).
        """


class Walk:
    """A geometric walk that is drawn back to where it began, so that it stays a market for months.

    Args:
        start: price it is drawn back to. sigma: standard deviation of one step, a fraction. rng: its own stream.
        tick: price -> price step, where it is not a cent. part: length of a step as a part of five minutes.
    """

    reversion = 0.004
    """The part of the way home it goes at each step: half of it in a day of 192 marks."""

    def __init__(
        self,
        start: float,
        sigma: float,
        rng: Random,
        *,
        tick: Callable[[float], float] | None = None,
        part: float = 1.0,
    ) -> None:
        self._home = log(start)
        self._sigma = sigma
        self._rng = rng
        self._tick = tick
        self._pull = self.reversion * part
        self.fine = start
        """Where it stands between two steps of a grid."""

    def next(self, mark_ns: int, price: float, bounds: tuple[float, float], drift: float) -> Figures:
        if self._tick is not None:
            return self._on_grid(price, bounds, drift, self._tick)
        draw = self._rng.gauss
        step = draw(0.0, self._sigma) + drift + self.reversion * (self._home - log(price))
        up, down = abs(draw(0.0, self._sigma)) / 2, abs(draw(0.0, self._sigma)) / 2
        close = round(max(FLOOR, min(max(price * exp(step), bounds[0]), bounds[1])), 2)
        high = round(max(price, close) * (1 + up), 2)
        low = round(max(FLOOR, min(price, close) * (1 - down)), 2)
        # Two decimals must not push the wick inside the body.
        volume = 10.0 * self._rng.randrange(10, 1000)
        return Figures(price, max(high, price, close), min(low, price, close), close, volume)

    def _on_grid(
        self, price: float, bounds: tuple[float, float], drift: float, tick: Callable[[float], float]
    ) -> Figures:
        # Steps are far smaller than the grid, so the walk keeps a finer price of its own.
        step = tick(price)
        if abs(price - self.fine) > step:
            self.fine = price
        move = self._rng.gauss(0.0, self._sigma) + drift + self._pull * (self._home - log(self.fine))
        self.fine = max(step, min(max(self.fine * exp(move), bounds[0]), bounds[1]))
        close = round(max(1, round(self.fine / step)) * step, 4)
        volume = 100.0 * self._rng.randrange(1, 60)
        return Figures(price, max(price, close), min(price, close), close, volume)


class Replay:
    """Bars of the past, one after the other.

    Args:
        bars: in time order. by: ``mark`` gives each mark the next bar whatever its date; ``time`` gives a mark all bars
            up to it, made one. gapless: a bar opens at the price before it, as the virtual market's bars do.
    """

    def __init__(self, bars: Sequence[Bar], *, by: str = "mark", gapless: bool = False) -> None:
        self._bars = bars
        self._ends = [bar.ts_ns for bar in bars]
        self._by = by
        self._gapless = gapless
        self._next = 0

    def next(self, mark_ns: int, price: float, bounds: tuple[float, float], drift: float) -> Figures | None:
        end = self._next + 1 if self._by == "mark" else bisect_right(self._ends, mark_ns)
        part = self._bars[self._next : end]
        if not part:
            return None
        self._next = end
        figures = merge(part)
        if self._gapless:
            high, low = max(figures.high, price), min(figures.low, price)
            return Figures(price, high, low, figures.close, figures.volume)
        return figures


def merge(bars: Sequence[Bar]) -> Figures:
    """Several bars as one: first open, highest high, lowest low, last close, sum of volumes."""
    return Figures(
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
    )
