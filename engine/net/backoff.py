"""How long to wait before trying a broken connection again."""

import random

from engine.domain.timestamps import SECOND_NS


class Backoff:
    """Doubling waits with full jitter over their upper half, never above ``cap_ns`` (RELIABILITY 5.1, N17).

    Args:
        draw: a stream of ``Entropy``: one seed repeats the run.
    """

    def __init__(
        self, draw: random.Random, *, first_ns: int = SECOND_NS // 2, cap_ns: int = 30 * SECOND_NS, factor: int = 2
    ) -> None:
        self._draw = draw
        self._first_ns = first_ns
        self._cap_ns = cap_ns
        self._factor = factor
        self._ceiling_ns = first_ns

    def next_ns(self) -> int:
        """The next wait: between half of the present ceiling and all of it."""
        ceiling = min(self._ceiling_ns, self._cap_ns)
        self._ceiling_ns = min(ceiling * self._factor, self._cap_ns)
        return ceiling // 2 + self._draw.randrange(ceiling - ceiling // 2 + 1)

    def reset(self) -> None:
        """Back to the first wait: the connection has proven itself."""
        self._ceiling_ns = self._first_ns
