"""The one loop over quotes that has to be fast: a strategy at rest hears quote after quote, and nothing else is due.

It stands here, and not with the replay that uses it, because what a strategy's handler raises passes through it: the
runner takes an error that came through the engine's inner rooms for the engine's own (``seat.USER_ROOMS``).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from engine.seat import Handler


def rush(
    handler: Handler, clock: Any, due: Sequence[int], latest: Any, queue: Any, name: Any, quotes: Iterator[Any]
) -> Any:
    """Hand quotes to ``handler`` until it does more than decide, or something else has to happen before the next.

    Args:
        due: ``due[0]`` says when something is next: the quotes end before that, and it is watched for a change.
        queue: of the strategy: what it caused by hearing a quote is heard before the next one.
        name: the quotes' instrument, a key of ``latest``.

    Returns:
        What a handler gave back, for the runner to go on with; None mostly.
    """
    known = due[0]
    for quote in quotes:
        clock.now_ns = quote.ts_ns
        latest[name] = quote
        answer = handler(quote)
        if due[0] is not known or answer is not None or queue:
            return answer
    return None
