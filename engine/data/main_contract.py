"""Which contract of a futures product is its main one, day by day, told from the days before alone.

The rule is the one RiceQuant's data documents: the first main contract is the one most was held (or traded) of at the
close before; another takes its place on the day after it had more than 1.1 times as much; never within a day, and never
back to a contract that ends earlier. Bars have no open interest, so volume stands for it unless a table of it is given.
Prices stay each contract's own: nothing is spliced.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np
from msgspec import Struct

from engine.data.columns import BarSource
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import HOUR_NS

AHEAD = 1.1
Activity = Mapping[InstrumentId, Mapping[int, float]]
"""Contract -> trading day (ordinal) -> open interest, or volume."""


class Roll(Struct, frozen=True):
    """From a trading day on another contract is the main one; ``before`` is empty for the first."""

    day: int
    product: str
    before: InstrumentId
    after: InstrumentId


def product_of(contract: str) -> str:
    """``IF`` of ``IF2401.CFE``."""
    return contract.partition(".")[0].rstrip("0123456789").upper()


def main_contracts(activity: Activity) -> tuple[Roll, ...]:
    """Every change of every product's main contract, oldest first.

    Contracts of a product end in the order of their codes; of CZCE, whose year has one digit, not over the turn of a
    decade.
    """
    products: dict[str, list[InstrumentId]] = {}
    for contract in sorted(activity):
        products.setdefault(product_of(contract), []).append(contract)
    rolls = [roll for product, contracts in products.items() for roll in _of(product, contracts, activity)]
    return tuple(sorted(rolls, key=lambda roll: (roll.day, roll.product)))


def daily_volumes(sources: Iterable[BarSource], trading_day: Callable[[int], int]) -> Activity:
    """Volume of every source's instrument by trading day."""
    found: dict[InstrumentId, dict[int, float]] = {}
    for source in sources:
        days = found.setdefault(source.instrument, {})
        for bars in source.batches():
            if not len(bars.ts_ns):
                continue
            # Asked once an hour: no session of one day ends within the hour another's begins.
            starts = np.append(0, np.flatnonzero(np.diff((bars.ts_ns - 1) // HOUR_NS)) + 1)
            volumes = np.add.reduceat(bars.volume, starts).tolist()
            for start, volume in zip(starts.tolist(), volumes, strict=True):
                day = trading_day(int(bars.ts_ns[start]) - 1)
                days[day] = days.get(day, 0.0) + volume
    return found


def _of(product: str, contracts: list[InstrumentId], activity: Activity) -> Iterator[Roll]:
    days = sorted({day for contract in contracts for day in activity[contract]})
    main: InstrumentId | None = None
    for day, following in pairwise(days):
        now = {contract: activity[contract].get(day, 0.0) for contract in contracts}
        later = [contract for contract in contracts if main is None or contract > main]
        best = max(later, key=now.__getitem__, default=None)
        if best is None or not now[best]:
            continue
        if main is None or now[best] > AHEAD * now[main]:
            yield Roll(following, product, main or InstrumentId(""), best)
            main = best
