"""A strategy that keeps every way out of the engine busy: it crosses, rests, changes, withdraws. It seeks no profit."""

import os
import signal

from engine import Fill, Quote, Strategy, param
from engine.domain.ids import ClientOrderId
from engine.domain.order import OrderState
from strategies.swing import Swing

LOT = 100
WAITING = frozenset({OrderState.QUEUED, OrderState.PENDING_NEW, OrderState.UNKNOWN})


class _Frail(Strategy):
    """One that may kill its process while it is told of a fill (C10)."""

    dies_at_fill: int = param(0, ge=0, doc="in the handler of the n-th fill; 0: never")
    fills = 0

    def on_fill(self, fill: Fill) -> None:
        self.fills += 1
        if self.fills == self.dies_at_fill:
            os.kill(os.getpid(), signal.SIGKILL)
        super().on_fill(fill)


class FrailSwing(_Frail, Swing):
    """For a venue that has market orders alone."""


class Drill(_Frail):
    """By turns, every ``every`` quotes of an instrument: a purchase through the ask, one that rests below the bid and
    is changed and then withdrawn, a sale through the bid. What is done next follows from the turn alone, and the turn
    from what was counted since the start: nothing of it is remembered over a restart.
    """

    every: int = param(3, ge=1, doc="quotes between two orders")
    lots: int = param(1, ge=1, doc="lots an order")

    def on_start(self) -> None:
        self.quotes = dict.fromkeys(self.instruments, 0)
        self.turns = 0
        self.age: dict[ClientOrderId, int] = {}

    def on_quote(self, quote: Quote) -> None:
        name = quote.instrument
        self.quotes[name] += 1
        resting = self.working_orders(name)
        for order in resting:
            if order.state in WAITING:
                # It may stand in line behind another: its rest has not begun.
                continue
            age = self.age[order.client_id] = self.age.get(order.client_id, 0) + 1
            if age == 3 and order.quantity > LOT:
                self.replace(order.client_id, order.quantity - LOT)
            elif age >= 6 and age % 6 == 0:
                self.cancel(order.client_id)
        if not resting and self.quotes[name] % self.every == 0:
            self.turns += 1
            self.act(name, quote)

    def act(self, name: str, quote: Quote) -> None:
        size = self.lots * self.ctx.catalogue[name].lot
        free = min(self.position(name), self.sellable(name)) // LOT * LOT
        match self.turns % 3:
            case 0:
                self.buy(name, size + LOT, round(quote.bid * 0.99, 2))
            case 1:
                self.buy(name, size, quote.ask)
            case _ if free >= size:
                self.sell(name, size, quote.bid)
            case _:
                self.buy(name, size, quote.ask)
