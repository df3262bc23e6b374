"""Sums and extremes over the last ``period`` values: O(1) a value, and the same bits however many come at once.

The series is cut into blocks of ``period`` values. A window is the end of one block and the beginning of the next: what
the end adds up to is worked out once when its block is full, from the last value backwards; the beginning is added up
as it comes. So no error outlives two blocks, nothing is ever subtracted from a running sum, and numpy, which
accumulates a row of a matrix one by one, does the very same additions.

Sums are taken of what values differ from their reference, the first value of the window's first block: constant values
have a sum of exactly 0, and prices, which are near each other, lose nothing.
"""

from collections.abc import Callable
from itertools import accumulate, pairwise
from operator import add, sub
from typing import Any

import numpy as np

from engine.indicators.indicator import NAN, Floats
from engine.native import columns

Terms = Callable[..., tuple[Any, ...]]
"""What is summed, of values less their references; written so that it takes floats and arrays alike."""


def values_and_squares(x: Any) -> tuple[Any, ...]:
    return (x, x * x)


class WindowSums:
    """The sums of some terms of some series over one window. Several sums share the blocks."""

    __slots__ = ("_block", "_left", "_terms", "_totals", "period", "rebased", "refs")

    def __init__(self, period: int, terms: Terms, rebased: tuple[bool, ...] = (True,)) -> None:
        """``rebased``: for each series, whether it is taken less its reference."""
        self.period = period
        self.rebased = rebased
        self.refs: tuple[float, ...] = (0.0,) * len(rebased)
        """The reference of each series in the latest window."""
        self._terms = terms
        self._totals: tuple[float, ...] = ()
        self._block: list[tuple[float, ...]] = []
        self._left: list[tuple[float, ...]] = []

    def update(self, *values: float) -> tuple[float, ...]:
        """The sum of each term; NaN until the window is full."""
        left = self._left or self._turn(values)
        totals = self._totals = tuple(map(add, self._totals, self._terms(*map(sub, values, self.refs))))
        self._block.append(values)
        return tuple(map(add, left.pop(), totals))

    def _turn(self, values: tuple[float, ...]) -> list[tuple[float, ...]]:
        """Begin a block: what the one before it has left, for each place in this one, last place first."""
        block = self._block
        size = self.period
        first = block[0] if block else values
        self.refs = tuple([value if moved else 0.0 for value, moved in zip(first, self.rebased, strict=True)])
        zeros = (0.0,) * len(self._terms(*self.refs))
        if block:
            tail = [self._terms(*map(sub, row, self.refs)) for row in block[:0:-1]]
            self._left = list(accumulate(tail, _added, initial=zeros))
        else:
            self._left = [zeros] + [(NAN,) * len(zeros)] * (size - 1)
        self._totals = zeros
        self._block = []
        return self._left

    def column(self, *values: Floats) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
        """(the sum of each term, the reference of each series) for every value."""
        size, count = self.period, len(values[0])
        if not count:
            return tuple([np.empty(0)] * len(self._terms(*self.refs))), tuple([np.empty(0)] * len(self.refs))
        if not self._left:
            self._turn(tuple([float(one[0]) for one in values]))
        begun, rest = len(self._block), self._left
        rows = -(-(begun + count) // size)
        series = [in_rows(values[k], [row[k] for row in self._block], rows, size) for k in range(len(values))]
        owns = [one[:, 0] if moved else np.zeros(rows) for one, moved in zip(series, self.rebased, strict=True)]
        refs = [np.concatenate(([ref], own[:-1])) for ref, own in zip(self.refs, owns, strict=True)]
        beginnings = self._terms(*[one - ref[:, None] for one, ref in zip(series, refs, strict=True)])
        endings = self._terms(*[one[:-1, :0:-1] - own[:-1, None] for one, own in zip(series, owns, strict=True)])
        sums, totals, tails = [], [], []
        for k, (begins, ends) in enumerate(zip(beginnings, endings, strict=True)):
            tail = np.zeros((rows, size))
            tail[0, begun:] = [row[k] for row in reversed(rest)]
            tail[1:, -2::-1] = np.add.accumulate(ends, axis=1)
            total = np.add.accumulate(begins, axis=1)
            totals.append(total)
            tails.append(tail)
            sums.append((tail + total).reshape(-1)[begun : begun + count])
        self._stop_at(series, refs, totals, tails, begun + count)
        return tuple(sums), tuple([np.repeat(ref, size)[begun : begun + count] for ref in refs])

    def _stop_at(
        self, series: list[Floats], refs: list[Floats], totals: list[Floats], tails: list[Floats], end: int
    ) -> None:
        """Be where ``end`` updates since the block began would have left this."""
        row, place = divmod(end - 1, self.period)
        self.refs = tuple([float(ref[row]) for ref in refs])
        self._totals = tuple([float(total[row, place]) for total in totals])
        self._block = list(zip(*[one[row, : place + 1].tolist() for one in series], strict=True))
        self._left = list(zip(*[tail[row, :place:-1].tolist() for tail in tails], strict=True))


def _added(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(add, one, other))


def in_rows(values: Floats, begun: list[float], rows: int, size: int) -> Floats:
    """A block a row; the first begins with what was there, the last is filled up with zeros."""
    whole = np.empty(rows * size)
    end = len(begun) + len(values)
    whole[: len(begun)] = begun
    whole[len(begun) : end] = values
    whole[end:] = 0.0
    return whole.reshape(rows, size)


class WindowSum:
    """``WindowSums`` of one series itself, in the fewest steps: the window of most averages."""

    __slots__ = ("_block", "_left", "_total", "period", "ref")

    def __init__(self, period: int) -> None:
        self.period = period
        self.ref = 0.0
        self._total = 0.0
        self._block: list[float] = []
        self._left: list[float] = []

    def mean(self, value: float) -> float:
        """Take a value; the mean of the window that ends with it."""
        left = self._left or self._turn(value)
        total = self._total = self._total + (value - self.ref)
        self._block.append(value)
        return self.ref + (left.pop() + total) / self.period

    def _turn(self, value: float) -> list[float]:
        block = self._block
        if block:
            ref = self.ref = block[0]
            self._left = list(accumulate([kept - ref for kept in block[:0:-1]], initial=0.0))
        else:
            self.ref = value
            self._left = [0.0] + [NAN] * (self.period - 1)
        self._total = 0.0
        self._block = []
        return self._left

    def means(self, values: Floats) -> Floats:
        """``mean`` of each value."""
        size, count = self.period, len(values)
        if not count:
            return np.empty(0)
        if not self._left:
            self._turn(float(values[0]))
        begun = len(self._block)
        if columns is not None:
            return self._compiled(values)
        rows = -(-(begun + count) // size)
        # A row for each place in a block: what is done to all blocks at once lies side by side.
        series = np.ascontiguousarray(in_rows(values, self._block, rows, size).T)
        own = series[0]
        refs = np.concatenate(([self.ref], own[:-1]))
        tail = np.empty((size, rows))
        tail[begun:, 0] = self._left[::-1]
        tail[-1] = 0.0
        np.subtract(series[:0:-1, :-1], own[:-1], out=tail[-2::-1, 1:])
        _run(tail[-2::-1, 1:])
        total = series - refs
        _run(total)
        end = begun + count
        row, place = divmod(end - 1, size)
        self.ref = float(refs[row])
        self._total = float(total[place, row])
        self._block = series[: place + 1, row].tolist()
        self._left = tail[:place:-1, row].tolist()
        tail += total
        tail /= size
        tail += refs
        return tail.T.reshape(-1)[begun:end]

    def _compiled(self, values: Floats) -> Floats:
        """``means``, where a window is open, of at least one value."""
        block, left, found = np.empty(self.period), np.empty(self.period), np.empty(len(values))
        begun = len(self._block)
        block[:begun], left[: self.period - begun] = self._block, self._left
        given = np.ascontiguousarray(values, np.float64)
        self.ref, self._total, begun = columns.means(self.ref, self._total, begun, block, left, given, found)
        self._block, self._left = block[:begun].tolist(), left[: self.period - begun].tolist()
        return found


def _run(places: Floats) -> None:
    """Make each row the sum of the rows up to it, added one by one.

    ``accumulate`` takes twice as long, but for rows so short that to call for each costs more.
    """
    if len(places) > places.shape[1]:
        places[:] = np.add.accumulate(places, axis=0)
        return
    for before, row in pairwise(places):
        np.add(before, row, out=row)


class WindowExtreme:
    """The highest (``sign`` 1) or lowest (-1) of the last ``period`` values."""

    __slots__ = ("_block", "_left", "_top", "period", "sign")

    def __init__(self, period: int, sign: float) -> None:
        self.period = period
        self.sign = sign
        self._top = -np.inf
        self._block: list[float] = []
        self._left: list[float] = []

    def update(self, value: float) -> float:
        """Take a value; the extreme of the window that ends with it, NaN until that is full."""
        left = self._left or self._turn()
        # Adding 0 makes 0 of -0: which of the two an extreme is may otherwise depend on the order of comparing.
        value = value * self.sign + 0.0
        self._block.append(value)
        top = self._top
        if value > top:
            top = self._top = value
        rest = left.pop()
        return (top if rest <= top else rest) * self.sign

    def _turn(self) -> list[float]:
        block = self._block
        if block:
            self._left = list(accumulate(block[:0:-1], max, initial=-np.inf))
        else:
            self._left = [-np.inf] + [NAN] * (self.period - 1)
        self._top = -np.inf
        self._block = []
        return self._left

    def column(self, values: Floats) -> Floats:
        """``update`` of each value."""
        size, count = self.period, len(values)
        if not count:
            return np.empty(0)
        if not self._left:
            self._turn()
        begun = len(self._block)
        rows = -(-(begun + count) // size)
        series = in_rows(values * self.sign + 0.0, self._block, rows, size)
        tail = np.full((rows, size), -np.inf)
        tail[0, begun:] = self._left[::-1]
        tail[1:, -2::-1] = np.maximum.accumulate(series[:-1, :0:-1], axis=1)
        top = np.maximum.accumulate(series, axis=1)
        end = begun + count
        row, place = divmod(end - 1, size)
        self._top = float(top[row, place])
        self._block = series[row, : place + 1].tolist()
        self._left = tail[row, :place:-1].tolist()
        found: Floats = np.maximum(tail, top).reshape(-1)[begun:end] * self.sign
        return found
