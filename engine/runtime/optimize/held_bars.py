"""Bars read once and kept: every run of a worker is over the same arrays, or over a span of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from engine.data.actions import actions_of
from engine.data.columns import BATCH_ROWS, BarSource, Columns, Floats, Ints
from engine.domain.actions import CorporateAction
from engine.domain.ids import InstrumentId


class HeldBars(Struct, frozen=True, kw_only=True):
    """A ``BarSource`` in memory, with all that a run asks of one; it can be sent to another machine."""

    instrument: InstrumentId
    interval_ns: int
    path: Path
    tz: str
    label: str
    digest: str
    adjusted: bool
    held_actions: tuple[tuple[CorporateAction, ...], dict[str, str]] | None
    """The corporate actions that go with it, and the row that ``RUN_START`` names them by."""
    ts_ns: Ints
    prices: tuple[Floats, Floats, Floats, Floats, Floats]
    """Open, high, low, close, volume."""

    def sha256(self) -> str:
        return self.digest

    def batches(self) -> Iterator[Columns]:
        for first in range(0, len(self.ts_ns), BATCH_ROWS):
            rows = slice(first, first + BATCH_ROWS)
            yield Columns(self.instrument, self.interval_ns, self.ts_ns[rows], *(one[rows] for one in self.prices))

    def span(self, from_ns: int, to_ns: int) -> "HeldBars":
        """The bars that end in ``[from_ns, to_ns)``; 0 ``to_ns``: to the last. No bar after them is in it."""
        if not from_ns and not to_ns:
            return self
        first = int(np.searchsorted(self.ts_ns, from_ns, "left"))
        last = int(np.searchsorted(self.ts_ns, to_ns, "left")) if to_ns else len(self.ts_ns)
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__struct_fields__}
        values["ts_ns"] = self.ts_ns[first:last]
        values["prices"] = tuple(one[first:last] for one in self.prices)
        return HeldBars(**values)


def hold(source: BarSource) -> HeldBars:
    """All bars of a source, read through the data room and its checks.

    Raises:
        DataError: the file can not be used.
    """
    batches = [batch for batch in source.batches() if len(batch.ts_ns)]
    actions, files = actions_of([source])
    held = (actions[source.instrument], files[0]) if files else None

    def whole(name: str) -> Any:
        parts = [getattr(batch, name) for batch in batches]
        return np.concatenate(parts) if parts else np.empty(0, np.int64 if name == "ts_ns" else np.float64)

    return HeldBars(
        instrument=source.instrument,
        interval_ns=source.interval_ns,
        path=source.path,
        tz=source.tz,
        label=source.label,
        digest=source.sha256(),
        adjusted=bool(getattr(source, "adjusted", False)),
        held_actions=held,
        ts_ns=whole("ts_ns"),
        prices=(whole("open"), whole("high"), whole("low"), whole("close"), whole("volume")),
    )


def bounds_of(sources: Sequence[HeldBars]) -> tuple[int, int]:
    """Start of the first bar of all, end of the last."""
    held = [source for source in sources if len(source.ts_ns)]
    first = min((int(source.ts_ns[0]) - source.interval_ns for source in held), default=0)
    return first, max((int(source.ts_ns[-1]) for source in held), default=0)
