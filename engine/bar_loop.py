"""The one loop over bars that has to be fast: a strategy at rest hears bar after bar, and nothing else is due.

It stands here, and not with the replay that uses it, because what a strategy's handler raises passes through it: the
runner takes an error that came through the engine's inner rooms for the engine's own (``seat.USER_ROOMS``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from engine.bus import own_code
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, DataKind
from engine.seat import Handler, Seat


class Runner(Protocol):
    """The strategy runner, as far as it is asked here."""

    taps: dict[InstrumentId, Handler]

    def listeners(self, kind: DataKind, instrument: InstrumentId) -> list[Seat]: ...


def listener(runner: Runner, name: InstrumentId) -> Seat | None:
    """Whose ``on_bar`` is all that hears an instrument's bars, of every length; None if more does, or nothing."""
    seats = runner.listeners(DataKind.BAR, name)
    if len(seats) != 1 or runner.taps.get(name) is not None:
        return None
    seat = seats[0]
    return seat if seat.hears_bars and not seat.context.bar_interval_ns and not seat.streams(name) else None


def in_a_row(
    handler: Handler,
    left: list[Bar],
    clock: Any,
    due: Sequence[int],
    resting: Mapping[InstrumentId, Any],
    latest: dict[InstrumentId, Any],
    queue: Any,
    name: InstrumentId,
) -> Callable[[Iterator[Bar]], Any]:
    """A handler of many bars: it hands them to ``handler`` until that does more than decide, or something else must
    happen before the next; it gives what ``handler`` gave back, for the runner to go on with.

    A call of the runner's for each bar costs a fifth of what a bare loop takes for one.

    Args:
        left: gets the bar that was taken and not handed on, because an order waits or something else is due.
        due: its first item says when something is next; the bars end before that, and it is watched for a change.
        queue: of the strategy: what it caused by hearing a bar is heard before the next one.
        name: the bars' instrument, a key of ``latest``.
    """

    def hear(bars: Iterator[Bar]) -> Any:
        known = due[0]
        for entry in bars:
            if resting or due[0] is not known:
                left.append(entry)
                return None
            clock.now_ns = entry.ts_ns
            latest[name] = entry
            answer = handler(entry)
            if answer is not None or queue:
                return answer
        return None

    heard = own_code(hear)
    heard.__name__ = getattr(handler, "__name__", "handler")
    return heard
