"""Which bar is the next that can do something to an order the simulated venue holds.

Between the bar an order came after and that one, showing it bars changes nothing: a run by columns leaves them out.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.commands import TimeInForce
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.markets.rulebook import RuleBook
from engine.matching.fill_model import FillModel

Floats = NDArray[np.float64]

Reaches = Callable[[bool, float, Floats, Floats, Floats], NDArray[np.bool_]]
"""``(buys, limit, open, high, low)``: the rows at which ``match`` may fill. It may name one too many, never one too
few; a fill model without it is shown every bar."""

_WINDOW = 64
_DAY = TimeInForce.DAY


class Waiting:
    """Asks for one order at a time; ``order`` is what the venue keeps of it (``SimulatedVenue.resting``)."""

    def __init__(
        self,
        model: FillModel,
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        floors: Container[InstrumentId] = (),
    ) -> None:
        """``floors``: instruments whose exchange has more to say of a bar than its prices: orders are shown each."""
        self._floors = floors
        self._reaches: Reaches | None = getattr(model, "reaches", None)
        self._instruments = instruments
        self._books = books

    def next_row(
        self, order: Any, row: int, ts_ns: Sequence[int], interval_ns: int, columns: tuple[Floats, Floats, Floats]
    ) -> int:
        """The first row from ``row`` on, or their number.

        Args:
            ts_ns: ends of the bars of the order's instrument, ascending.
            columns: their opens, highs and lows.
        """
        if order.request.instrument in self._floors:
            return row
        count = len(ts_ns)
        row = self._accepted(order.accepted_ns + interval_ns, row, ts_ns)
        if row == count or order.limit is None or not order.plain or not order.leaves or self._reaches is None:
            return row
        found = self._reached(self._reaches, order.buys, float(order.limit), row, columns)
        return self._day_over(order, row, found, ts_ns, interval_ns) if order.request.tif is _DAY else found

    def _accepted(self, from_ns: int, row: int, ts_ns: Sequence[int]) -> int:
        """The first bar that begins at the order's acceptance or later: nearly always the next."""
        if row == len(ts_ns) or ts_ns[row] >= from_ns:
            return row
        return row + int(np.searchsorted(np.asarray(ts_ns)[row:], from_ns))

    def _reached(
        self, reaches: Reaches, buys: bool, limit: float, row: int, columns: tuple[Floats, Floats, Floats]
    ) -> int:
        count, window = len(columns[0]), _WINDOW
        while row < count:
            rows = reaches(buys, limit, *[column[row : row + window] for column in columns])
            if rows.any():
                return row + int(rows.argmax())
            row, window = row + window, window * 8
        return count

    def _day_over(self, order: Any, row: int, found: int, ts_ns: Sequence[int], interval_ns: int) -> int:
        """The row at which an order for the day expires, if that comes before ``found``."""
        trading_day = self._books[self._instruments[order.request.instrument].market].trading_day
        day = trading_day(order.acts_ns)
        last = min(found, len(ts_ns) - 1)
        if trading_day(ts_ns[last] - interval_ns) <= day:
            return found
        first = row
        while first < last:
            middle = (first + last) // 2
            if trading_day(ts_ns[middle] - interval_ns) > day:
                last = middle
            else:
                first = middle + 1
        return first
