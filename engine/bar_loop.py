"""The one loop over bars that has to be fast: a strategy at rest hears bar after bar, and nothing else is due.

It stands here, and not with the replay that uses it, because what a strategy's handler raises passes through it: the
runner takes an error that came through the engine's inner rooms for the engine's own (``seat.USER_ROOMS``).
"""

from collections.abc import Callable, Iterable, Sequence
from inspect import iscoroutinefunction
from itertools import islice
from typing import Any, Protocol

from engine.bus import own_code
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.seat import Handler, Seat


class Stage(Protocol):
    """What a replay drives (``runtime.replay.Stage``)."""

    clock: Any
    due: list[int]
    resting: dict[InstrumentId, Any]
    latest: dict[InstrumentId, Any]
    ears: dict[InstrumentId, Callable[[Bar], None]]

    @property
    def show(self) -> Callable[[Bar], None]: ...


class Runner(Protocol):
    """The strategy runner, as far as it is asked here."""

    taps: dict[InstrumentId, Handler]

    def declared(self, instrument: InstrumentId) -> Sequence[tuple[Seat, Sequence[object], object]]: ...


def listener(runner: Runner, name: InstrumentId) -> Seat | None:
    """Whose ``on_bar`` is all that hears an instrument's bars, of every length; None if more does, or nothing."""
    heard = runner.declared(name)
    if len(heard) != 1 or runner.taps.get(name) is not None:
        return None
    seat, streams, _ = heard[0]
    return seat if seat.hears_bars and not seat.context.bar_interval_ns and not streams else None


def in_a_row(
    seat: Seat, name: InstrumentId, stage: Stage, rows: Iterable[Bar], left: list[Bar]
) -> Callable[[int], Any]:
    """A handler of many bars: it hands the next so many to the seat's ``on_bar`` until that does more than decide, or
    something else must happen before the next; it gives what ``on_bar`` gave back, for the runner to go on with.

    A call of the runner's for each bar costs a fifth of what a bare loop takes for one.

    Args:
        name: the bars' instrument.
        stage: its ``due[0]`` says when something is next; the bars end before that, and it is watched for a change.
        rows: the bars (``runtime.replay.Rows``); where they are compiled, so is the loop.
        left: gets the bar that was taken and not handed on.
    """
    handler, queue = seat.strategy.on_bar, seat.queue
    clock, due, resting, show, latest, ears = (
        stage.clock, stage.due, stage.resting, stage.show, stage.latest, stage.ears,
    )  # fmt: skip
    # Who hears nothing of its orders and never waits is at rest again once a bar was shown to them.
    steady = not seat.hears_fills and not seat.hears_orders and not iscoroutinefunction(handler)
    ear, bars = ears[name], iter(rows)
    hand_on: Any = getattr(rows, "hand_on", None)

    def shown(bar: Bar) -> bool:
        """Show a bar to what waits at the venue; whether that ended the row."""
        seat.busy = False
        show(bar)
        if seat.gone or ears[name] is not ear:
            latest[name] = bar
            ears[name](bar)
            return True
        seat.busy = True
        return False

    def hear(count: int) -> Any:
        known = due[0]
        for bar in islice(bars, count):
            if due[0] is not known or (resting and not steady):
                left.append(bar)
                return None
            clock.now_ns = bar.ts_ns
            if resting and shown(bar):
                return None
            latest[name] = bar
            answer = handler(bar)
            if answer is not None or queue:
                return answer
        return None

    def hear_compiled(count: int) -> Any:
        return hand_on(count, handler, queue, due, clock, resting, steady, shown, latest, name, left)

    heard = own_code(hear if hand_on is None else hear_compiled)
    heard.__name__ = getattr(handler, "__name__", "handler")
    return heard
