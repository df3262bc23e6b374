"""A share of the volume that is seen to trade (percentage of volume, POV).

Volume counts from the first bar that began, or the first print that came, after the start; where both are heard, prints
alone. What is due is sent in whole lots, so the share is reached from below, and late by what has not been shown yet;
our own trades are part of the volume the market shows. After a restart volume counts anew from what has filled.
"""

from engine.algos.look import Look
from engine.algos.parent import Parent
from engine.domain.account import Capabilities
from engine.domain.algos import AlgoState, Participate
from engine.domain.commands import OrderType

SEEN, PRINTS = "seen", "prints"


class Participation:
    """See the module."""

    has_exits = False

    def __init__(self, spec: Participate, sheet: Capabilities) -> None:
        self.spec = spec

    def step(self, parent: Parent) -> None:
        command, spec = parent.command, self.spec
        if parent.filled(command.side) >= command.quantity:
            parent.finish(AlgoState.FILLED)
            return
        end_ns = command.ts_ns + spec.duration_ns
        if parent.now_ns >= end_ns:
            parent.stop(AlgoState.EXPIRED, "its time ended")
            return
        parent.alarm(end_ns)
        due = min(command.quantity, int(self._seen(parent) * spec.share)) - parent.committed(command.side)
        if due < parent.room:
            due = parent.lots(due)
        if due > 0:
            parent.send(due, OrderType.MARKET if spec.price is None else OrderType.LIMIT, price=spec.price)

    def _seen(self, parent: Parent) -> float:
        if SEEN not in parent.memory:
            parent.memory[SEEN] = parent.committed(parent.command.side) / self.spec.share
        seen: float = parent.memory[SEEN]
        return seen

    def listens(self, parent: Parent) -> bool:
        return True

    def hear(self, parent: Parent, look: Look) -> bool:
        if look.since_ns < parent.command.ts_ns or not look.volume:
            return False
        if look.kind == "trade" and not parent.memory.get(PRINTS):
            # What bars told so far stands; from here on prints tell.
            parent.memory[PRINTS] = True
        if look.kind == "bar" and parent.memory.get(PRINTS):
            return False
        parent.memory[SEEN] = self._seen(parent) + look.volume
        return True
