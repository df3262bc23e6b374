"""The bars seen so far, as numpy views: what ``history(instrument, n)`` shows a strategy."""

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar

KEEP_DEFAULT = 5_000


class Bars(Struct, frozen=True):
    """The last bars of one instrument, oldest first; read-only views of equal length."""

    ts_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ts_ns)


class _Store:
    """One instrument's bars. A full buffer is left behind, never shifted, so that views handed out stay true."""

    __slots__ = ("count", "rows", "ts", "waiting")

    def __init__(self, capacity: int) -> None:
        self.ts: NDArray[np.int64] = np.empty(capacity, np.int64)
        self.rows: NDArray[np.float64] = np.empty((5, capacity), np.float64)
        self.count = 0
        self.waiting: list[Any] = []
        """Batches that are copied once somebody asks; most strategies never do."""

    def load(self, columns: Any, keep: int) -> None:
        """A batch, for ``copied`` to take."""
        waiting = self.waiting
        waiting.append(columns)
        while sum(len(batch.ts_ns) for batch in waiting[1:-1]) >= keep:
            # No more than ``keep`` before the latest batch are ever shown, so nobody sees the gap.
            del waiting[0]

    def copied(self, keep: int) -> "_Store":
        """This, with all that waited."""
        for columns in self.waiting:
            size = len(columns.ts_ns)
            self.room(size, keep)
            span = slice(self.count, self.count + size)
            self.ts[span] = columns.ts_ns
            for row, values in enumerate((columns.open, columns.high, columns.low, columns.close, columns.volume)):
                self.rows[row, span] = values
            self.count += size
        self.waiting.clear()
        return self

    def room(self, size: int, keep: int) -> None:
        if self.count + size <= len(self.ts):
            return
        kept = min(self.count, keep)
        start = self.count - kept
        ts, rows = self.ts[start : self.count], self.rows[:, start : self.count]
        capacity = max(len(self.ts), kept + size)
        self.ts, self.rows = np.empty(capacity, np.int64), np.empty((5, capacity), np.float64)
        self.ts[:kept], self.rows[:, :kept] = ts, rows
        self.count = kept


class History:
    """Bars by instrument and interval. A bar is in it from its end on, never before.

    Replay loads whole batches ahead; ``now_ns`` keeps what is still to come out of sight.
    """

    def __init__(self, now_ns: Callable[[], int], keep: int = KEEP_DEFAULT) -> None:
        self.keep = keep
        self._now_ns = now_ns
        self._stores: dict[tuple[InstrumentId, int], _Store] = {}
        self._default: dict[InstrumentId, _Store] = {}
        self._factors: dict[InstrumentId, list[tuple[int, float, float]]] = {}

    def adjust(self, instrument: InstrumentId, ex_ns: int, price_factor: float, share_factor: float = 1.0) -> None:
        """From ``ex_ns`` on, earlier prices are shown times ``price_factor``, earlier volumes times ``share_factor``.

        Ex-dates come in order. Before its instant a factor changes nothing: nobody looks ahead by it.
        """
        self._factors.setdefault(instrument, []).append((ex_ns, price_factor, share_factor))

    def append(self, bar: Bar) -> None:
        store = self._store(bar.instrument, bar.interval_ns, 2 * self.keep).copied(self.keep)
        store.room(1, self.keep)
        i = store.count
        store.ts[i] = bar.ts_ns
        store.rows[:, i] = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        store.count = i + 1

    def extend(self, columns: Any) -> None:
        """Load a batch (``data.columns.Columns``) that replay is about to publish."""
        self._store(columns.instrument, columns.interval_ns, 0).load(columns, self.keep)

    def last(self, instrument: InstrumentId, n: int, interval_ns: int = 0) -> Bars:
        """The last ``n`` bars that have ended by now; fewer if there are not that many yet.

        Prices are as comparable with the latest one as on its day: those before an ex-date are adjusted by it.

        Raises:
            ConfigError: ``n`` is below 1 or above what is kept.
        """
        if not 1 <= n <= self.keep:
            raise ConfigError(f"history({instrument}, {n}): {self.keep} bars are kept; ask for 1 to {self.keep}")
        store = self._stores.get((instrument, interval_ns)) if interval_ns else self._default.get(instrument)
        store = _Store(0) if store is None else store.copied(self.keep)
        end = int(np.searchsorted(store.ts[: store.count], self._now_ns(), "right"))
        start = max(0, end - n)
        ts, rows = store.ts[start:end], store.rows[:, start:end]
        factors = self._factors.get(instrument)
        if factors is not None and len(ts):
            rows = _adjusted(ts, rows, factors, self._now_ns())
        ts.flags.writeable = rows.flags.writeable = False
        return Bars(ts, rows[0], rows[1], rows[2], rows[3], rows[4])

    def _store(self, instrument: InstrumentId, interval_ns: int, capacity: int) -> _Store:
        found = self._stores.get((instrument, interval_ns))
        if found is None:
            found = self._stores[instrument, interval_ns] = _Store(capacity)
            self._default.setdefault(instrument, found)
        return found


def _adjusted(
    ts_ns: NDArray[np.int64], rows: NDArray[np.float64], factors: list[tuple[int, float, float]], now_ns: int
) -> NDArray[np.float64]:
    """Bars that ended by an ex-date times all factors from it on that are known now; a copy only where one applies."""
    copied = rows
    for ex_ns, price, share in factors:
        # A bar that ends with the ex-date's first instant is the day before's.
        end = int(np.searchsorted(ts_ns, ex_ns, "right"))
        if ex_ns <= now_ns and end:
            copied = rows.copy() if copied is rows else copied
            copied[:4, :end] *= price
            copied[4, :end] *= share
    return copied
