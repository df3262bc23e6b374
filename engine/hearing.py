"""How a strategy's declarations hear the bars of an instrument, one by one."""

from collections.abc import Sequence

from engine.bus import one_call, own_code
from engine.declared import Stream
from engine.domain.market import Bar
from engine.seat import Handler, Seat
from engine.series import Condition

Calls = Sequence[tuple[Condition, Handler]]


def hearing(seat: Seat, streams: Sequence[Stream], calls: Sequence[Calls], own: Sequence[Handler]) -> list[Handler]:
    """What a seat does with each bar, in order: its indicators take it, ``own`` (its ``on_bar``) hears it, and what
    it declared is called where it holds.

    ``calls``: for each stream, conditions and how their functions hear a bar.
    """
    if not streams:
        return list(own)
    firing = [_firing(stream, some) for stream, some in zip(streams, calls, strict=True)]
    if len(streams) > 1 or seat.hears_bars or streams[0].adjuster is not None:
        return [*[_taking(stream) for stream in streams], *own, *firing]
    return [_all_in_one(seat, streams[0], calls[0], firing[0], own)]


def _taking(stream: Stream) -> Handler:
    steps, interval_ns, adjuster = one_call(stream.steps), stream.interval_ns, stream.adjuster

    def take_adjusted(bar: Bar) -> None:
        if interval_ns in (0, bar.interval_ns):
            stream.raw = bar
            stream.bar = seen = adjuster.bar(bar)
            steps(seen)

    if adjuster is not None:
        return take_adjusted

    def take(bar: Bar) -> None:
        if interval_ns in (0, bar.interval_ns):
            stream.bar = bar
            steps(bar)

    return own_code(take)


def _firing(stream: Stream, calls: Calls) -> Handler:
    adjusts = stream.adjuster is not None

    def fire(bar: Bar) -> None:
        if (stream.raw if adjusts else stream.bar) is bar:
            for condition, call in calls:
                if condition.holds():
                    call(bar)

    return fire


def _all_in_one(seat: Seat, stream: Stream, calls: Calls, fire: Handler, own: Sequence[Handler]) -> Handler:
    """The everyday case: one stream, and nobody but it hears the bars."""
    steps, interval_ns, offers = one_call(stream.steps), stream.interval_ns, one_call(own)
    needed = {id(condition.needs): condition.needs for condition, _ in calls}
    (needs,) = needed.values() if len(needed) == 1 else (None,)

    def hear_all(bar: Bar) -> None:
        stream.bar = bar
        steps(bar)
        if seat.waiting_for is not None:
            offers(bar)
        fire(bar)

    def hear_needed(bar: Bar) -> None:
        stream.bar = bar
        steps(bar)
        if seat.waiting_for is not None:
            offers(bar)
        if needs.now:  # type: ignore[union-attr]
            fire(bar)

    ear = own_code(hear_all if needs is None else hear_needed)
    return ear if not interval_ns else lambda bar: ear(bar) if bar.interval_ns == interval_ns else None
