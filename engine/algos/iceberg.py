"""A limit order of which the market sees one part at a time.

The next part is sent when the one before has filled: it goes to the end of the queue, and who watches can tell. Parts
of equal size and price that follow each other closely are refused by the limit on duplicates and sent a little later.
"""

from engine.algos.look import Look
from engine.algos.parent import Parent
from engine.domain.account import Capabilities
from engine.domain.algos import AlgoState, Iceberg
from engine.domain.commands import OrderType
from engine.domain.evidence import OrderState


class IcebergOrder:
    """See the module."""

    has_exits = False

    def __init__(self, spec: Iceberg, sheet: Capabilities) -> None:
        self.spec = spec

    def step(self, parent: Parent) -> None:
        command = parent.command
        if parent.filled(command.side) >= command.quantity:
            parent.finish(AlgoState.FILLED)
            return
        last = list(parent.children.values())[-1:]
        if last and last[0].state in (OrderState.CANCELED, OrderState.EXPIRED) and not last[0].cancels:
            state = AlgoState.EXPIRED if last[0].state is OrderState.EXPIRED else AlgoState.CANCELED
            parent.finish(state, f"{last[0].request.client_id} is {last[0].state}")
        elif not parent.live:
            parent.send(self.spec.show, OrderType.LIMIT, price=self.spec.price)

    def listens(self, parent: Parent) -> bool:
        return False

    def hear(self, parent: Parent, look: Look) -> bool:
        return False
