"""The one loop over quotes that has to be fast: a strategy at rest hears quote after quote, and nothing else is due.

It stands here, and not with the replay that uses it, because what a strategy's handler raises passes through it: the
runner takes an error that came through the engine's inner rooms for the engine's own (``seat.USER_ROOMS``).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from engine.seat import Handler

Pairs = Iterator[tuple[int, Any]]
"""(nanoseconds UTC, quote), ascending."""


def rush(
    handler: Handler,
    left: list[tuple[int, Any]],
    clock: Any,
    due: Sequence[int],
    latest: Any,
    queue: Any,
    name: Any,
    pairs: Pairs,
) -> Any:
    """Hand quotes to ``handler`` until it does more than decide, or something else has to happen before the next.

    Args:
        left: gets the pair that was taken and not handed on, because something has to happen before.
        due: from ``due[0]`` on something has; who sends an order makes that 0.
        queue: of the strategy: what it caused by hearing a quote is heard before the next one.
        name: the quotes' instrument, a key of ``latest``.

    Returns:
        What a handler gave back, for the runner to go on with; None mostly.
    """
    # The watch over handlers that hang tells calls apart by the local ``entry``.
    for ts_ns, entry in pairs:
        if ts_ns >= due[0]:
            left.append((ts_ns, entry))
            return None
        clock.now_ns = ts_ns
        latest[name] = entry
        answer = handler(entry)
        if answer is not None or queue:
            return answer
    return None
