"""A quantity in parts over a stretch of time: equal ones (TWAP), or as volume is expected (VWAP).

By the beginning of each slice what was planned up to its end is sent, less what has filled or still may: a part that
was refused, or did not fill, is in the next one. Parts are whole lots; the last takes what is left. At the end of the
stretch what has not filled is withdrawn, and the parent is EXPIRED if anything is missing. Slices that fall into a
pause of the market are refused by its rules and made good after it.

A part may have been sent up to one slice before its time, never later than one slice after it while the market takes
orders; VWAP is as good as the curve it was given, which does not know today.
"""

from decimal import Decimal

from engine.algos.look import Look
from engine.algos.parent import Parent
from engine.domain.account import Capabilities
from engine.domain.algos import AlgoState, Twap, Vwap
from engine.domain.commands import OrderType


class Sliced:
    """See the module."""

    has_exits = False

    def __init__(self, spec: Twap | Vwap, sheet: Capabilities) -> None:
        self._price: Decimal | None = spec.price
        self._duration_ns = spec.duration_ns
        self._weights = spec.weights if isinstance(spec, Vwap) else (1 / spec.slices,) * spec.slices

    def planned(self, quantity: int, slices: int) -> int:
        """How much of ``quantity`` is planned for the first ``slices``."""
        if slices >= len(self._weights):
            return quantity
        return min(quantity, round(quantity * sum(self._weights[:slices])))

    def step(self, parent: Parent) -> None:
        command = parent.command
        if parent.filled(command.side) >= command.quantity:
            parent.finish(AlgoState.FILLED)
            return
        gone_ns = parent.now_ns - command.ts_ns
        if gone_ns >= self._duration_ns:
            parent.stop(AlgoState.EXPIRED, "its time ended")
            return
        count = len(self._weights)
        begun = gone_ns * count // self._duration_ns + 1
        planned = self.planned(command.quantity, begun)
        missing = planned - parent.committed(command.side)
        quantity = missing if begun >= count else parent.lots(missing)
        if quantity > 0:
            parent.send(quantity, OrderType.MARKET if self._price is None else OrderType.LIMIT, price=self._price)
        # The first nanosecond of the next slice: rounded up, or the alarm would be of this one.
        parent.alarm(command.ts_ns + -(-begun * self._duration_ns // count))

    def listens(self, parent: Parent) -> bool:
        return False

    def hear(self, parent: Parent, look: Look) -> bool:
        return False
