"""Batches of several sources, read abreast: cut so that what is handed on is complete in time."""

from collections.abc import Callable, Iterator
from typing import Protocol, Self, TypeVar

import numpy as np

from engine.data.columns import Ints


class Rows(Protocol):
    """Rows of one source, oldest first."""

    @property
    def ts_ns(self) -> Ints: ...
    def part(self, span: slice) -> Self: ...


R = TypeVar("R", bound=Rows)


def abreast(sources: list[Iterator[R]], loaded: Callable[[R], None]) -> Iterator[list[tuple[int, R]]]:
    """Parts of batches up to an instant that every source has reached, as (number of the source, rows); none is empty.

    Args:
        loaded: hears of each batch before its first row is handed on.
    """
    streams: list[Iterator[R] | None] = [*sources]
    waiting: list[R | None] = [None] * len(streams)
    while True:
        for number, stream in enumerate(streams):
            while stream is not None and waiting[number] is None:
                batch = next(stream, None)
                if batch is None:
                    stream = streams[number] = None
                elif len(batch.ts_ns):
                    loaded(batch)
                    waiting[number] = batch
        held = [(number, batch) for number, batch in enumerate(waiting) if batch is not None]
        if not held:
            return
        # Up to here every source has shown all it has; beyond it an unread batch may still come first.
        horizon = min(int(batch.ts_ns[-1]) for _, batch in held)
        taken: list[tuple[int, R]] = []
        for number, batch in held:
            cut = int(np.searchsorted(batch.ts_ns, horizon, "right"))
            waiting[number] = batch.part(slice(cut, None)) if cut < len(batch.ts_ns) else None
            if cut:
                taken.append((number, batch.part(slice(0, cut))))
        yield taken
