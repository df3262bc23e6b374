"""An entry, and for whatever of it has filled an exit with two ways out.

Every fill of the entry is protected at once by an exit of its own quantity; the exits of a bracket together never
exceed what the entry filled. Where what was bought can not be sold yet (T+1), the exit is sent as soon as it can: until
then there is no protection. Once an exit fills, what is left of the entry is withdrawn.

A cancel withdraws entry and exits and leaves the position as it is; the last event says how much of it.
"""

from typing import Any

from engine.algos.look import Look
from engine.algos.parent import Child, Parent
from engine.domain.account import Capabilities
from engine.domain.algos import AlgoState, Bracket
from engine.domain.commands import OrderType, Side, TimeInForce
from engine.domain.evidence import OrderState

EXIT_OF = {
    Side.BUY: Side.SELL, Side.SELL: Side.BUY, Side.SELL_SHORT: Side.BUY_BACK, Side.BUY_BACK: Side.SELL_SHORT,
}  # fmt: skip
_ENDS = {OrderState.EXPIRED: AlgoState.EXPIRED, OrderState.REJECTED: AlgoState.REJECTED}


class BracketOrders:
    """See the module."""

    has_exits = True

    def __init__(self, spec: Bracket, sheet: Capabilities) -> None:
        self.spec = spec
        self._tif = TimeInForce.GTC if TimeInForce.GTC in sheet.tifs else TimeInForce.DAY
        trailing = spec.trail is not None or spec.trail_percent is not None
        if spec.take_profit is None:
            self._kind = OrderType.TRAILING_STOP if trailing else OrderType.STOP
        elif trailing:
            self._kind = OrderType.LIMIT_OR_TRAILING_STOP
        else:
            self._kind = OrderType.LIMIT if spec.stop_loss is None else OrderType.LIMIT_OR_STOP

    def step(self, parent: Parent) -> None:
        side = parent.command.side
        entry = self._entry(parent)
        if entry is None or (entry.state in (OrderState.DENIED, OrderState.NOT_PLACED) and not entry.suspect):
            self._enter(parent)
            return
        entered, out = parent.filled(side), parent.filled(EXIT_OF[side])
        withdrawn = self._withdrawn_exit(parent)
        if withdrawn is not None:
            reason = f"exit {withdrawn.request.client_id} is {withdrawn.state}; {entered - out} are unprotected"
            parent.services.alert(parent, reason)
            parent.stop(AlgoState.CANCELED, reason)
            return
        if out and not entry.ended:
            parent.withdraw(entry)
        self._protect(parent, entered)
        if entry.ended and not parent.live and out >= entered:
            parent.finish(AlgoState.FILLED if entered else _ENDS.get(entry.state, AlgoState.CANCELED))

    def _entry(self, parent: Parent) -> Child | None:
        entries = [child for child in parent.children.values() if child.request.side is parent.command.side]
        return entries[-1] if entries else None

    def _enter(self, parent: Parent) -> None:
        entry = self.spec.entry
        parent.send(
            entry.quantity,
            entry.type,
            price=entry.price,
            tif=entry.tif,
            stop_price=entry.stop_price,
            trail=entry.trail,
            trail_limit=entry.trail_limit,
            trail_percent=entry.trail_percent,
            expires_ns=entry.expires_ns,
        )

    def _protect(self, parent: Parent, entered: int) -> None:
        side = EXIT_OF[parent.command.side]
        bare = entered - parent.committed(side)
        if side is Side.SELL and bare > 0:
            bare = min(bare, parent.services.sellable(parent.command.account, parent.command.instrument))
        if bare <= 0:
            return
        spec = self.spec
        terms: dict[str, Any] = {"trail": spec.trail, "trail_percent": spec.trail_percent}
        if self._kind in (OrderType.STOP, OrderType.LIMIT_OR_STOP):
            terms["stop_price"] = spec.stop_loss
        parent.send(bare, self._kind, price=spec.take_profit, side=side, most=entered, tif=self._tif, **terms)

    def _withdrawn_exit(self, parent: Parent) -> Child | None:
        """An exit that somebody else withdrew; one that ran out with its day is sent again."""
        exits = [child for child in parent.children.values() if child.request.side is not parent.command.side]
        return next((c for c in exits if c.state is OrderState.CANCELED and not c.cancels), None)

    def listens(self, parent: Parent) -> bool:
        """While something waits to become sellable, which a price is the moment to ask after."""
        side = parent.command.side
        return parent.filled(side) > parent.committed(EXIT_OF[side])

    def hear(self, parent: Parent, look: Look) -> bool:
        return self.listens(parent)
