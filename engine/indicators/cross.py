"""When one series crosses another."""

from typing import ClassVar

import numpy as np

from engine.indicators.indicator import Floats
from engine.native import columns

TIE = 1e-9


class Cross:
    """1 where the first series has come above the second, -1 where it has come below, 0 elsewhere.

    A difference of at most ``tie``, or one that is not known, is no side: what was the side stays it. The first side
    seen is no cross.
    """

    __slots__ = ("_side", "tie")
    inputs: ClassVar[tuple[str, ...]] = ("value", "value")
    outputs: ClassVar[tuple[str, ...]] = ("cross",)

    def __init__(self, tie: float = TIE) -> None:
        self.tie = tie
        self._side = 0.0

    def update(self, value: float, other: float) -> float:
        gap = value - other
        if gap > self.tie:
            side = 1.0
        elif gap < -self.tie:
            side = -1.0
        else:
            return 0.0
        before = self._side
        if side == before:
            return 0.0
        self._side = side
        return side if before else 0.0

    def column(self, values: Floats, others: Floats) -> Floats:
        if columns is not None:
            there = np.empty(len(values))
            one, other = (np.ascontiguousarray(side, np.float64) for side in (values, others))
            self._side = columns.crosses(self.tie, self._side, one, other, there)
            return there
        gap = values - others
        above, below = gap > self.tie, gap < -self.tie
        found = np.zeros(len(gap))
        sided = above | below
        # The everyday case: a side at every value.
        known = None if sided.all() else np.flatnonzero(sided)
        ups = above if known is None else above[known]
        if not len(ups):
            return found
        turned = np.flatnonzero(ups[1:] != ups[:-1]) + 1
        found[turned if known is None else known[turned]] = np.where(ups[turned], 1.0, -1.0)
        first = 1.0 if ups[0] else -1.0
        if self._side and first != self._side:
            found[0 if known is None else known[0]] = first
        self._side = 1.0 if ups[-1] else -1.0
        return found
