"""A limit order for a venue that only knows market orders: held here until the market touches its price.

While it is held it is QUEUED: its intent is durable, nothing has left, and a cancel is a local matter. When it is let
go it goes as a market order, so it may fill worse than its limit by what the market moves meanwhile (decision 13).
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from engine.domain.commands import OrderType, Side
from engine.domain.events import OrderCanceled, OrderSubmitted
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.money import exact


class HeldLimits:
    """Sits before the outbox of every account; ``native(account)`` says whether its venue takes limits itself."""

    def __init__(self, forward: Callable[[OrderSubmitted], None], native: Callable[[AccountId], bool]) -> None:
        self.held: dict[InstrumentId, list[OrderSubmitted]] = {}
        self._forward = forward
        self._native = native

    def on_submitted(self, event: OrderSubmitted) -> None:
        order = event.order
        if order.type is OrderType.LIMIT and not self._native(order.account):
            self.held.setdefault(order.instrument, []).append(event)
        else:
            self._forward(event)

    def on_quote(self, quote: Any) -> None:
        if quote.instrument in self.held:
            self._touch(quote.instrument, buy_at=quote.ask, sell_at=quote.bid)

    def on_trade(self, trade: Any) -> None:
        if trade.instrument in self.held:
            self._touch(trade.instrument, buy_at=trade.price, sell_at=trade.price)

    def on_bar(self, bar: Any) -> None:
        """A bar's close is a price one can still trade at; its low and high are past, and so is a bar of before."""
        if bar.instrument in self.held:
            self._touch(bar.instrument, buy_at=bar.close, sell_at=bar.close, ended_ns=bar.ts_ns)

    def on_canceled(self, event: OrderCanceled) -> None:
        """It may have been one of those held."""
        if event.instrument in self.held:
            left = [held for held in self.held[event.instrument] if held.order.client_id != event.client_id]
            self._keep(event.instrument, left)

    def _touch(self, instrument: InstrumentId, *, buy_at: float, sell_at: float, ended_ns: int | None = None) -> None:
        """``ended_ns``: of a bar; orders that were made later than it ended are none of its."""
        ready: list[OrderSubmitted] = []
        waiting: list[OrderSubmitted] = []
        for event in self.held[instrument]:
            order = event.order
            buys = order.side is Side.BUY or order.side is Side.BUY_BACK
            limit = order.price
            within = limit is None or (exact(buy_at) <= limit if buys else exact(sell_at) >= limit)
            within = within and (ended_ns is None or ended_ns >= order.ts_ns)
            (ready if within else waiting).append(event)
        self._keep(instrument, waiting)
        for event in ready:
            order = replace(event.order, type=OrderType.MARKET, price=None)
            self._forward(replace(event, order=order))

    def _keep(self, instrument: InstrumentId, events: list[OrderSubmitted]) -> None:
        if events:
            self.held[instrument] = events
        else:
            self.held.pop(instrument, None)
