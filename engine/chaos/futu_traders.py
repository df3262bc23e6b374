"""Strategies that make work at an exchange with lots and resting orders. They seek no profit."""

import random

from engine.domain.events import OrderDenied, OrderEvent
from engine.domain.ids import ClientOrderId
from engine.domain.market import Quote
from engine.params import param
from engine.strategy import Strategy

LOT = 100


class _Drawing(Strategy):
    seed: int = param(0, doc="of its decisions")

    def on_start(self) -> None:
        self.draw = random.Random(self.seed)  # dst-ok: a strategy of its own, seeded by the run's seed


class Crosser(_Drawing):
    """Buys a lot or two and sells what it may, at market or through the other side's price."""

    def on_quote(self, quote: Quote) -> None:
        if self.draw.random() > 0.04:
            return
        name = quote.instrument
        free = min(self.position(name), self.sellable(name)) // LOT * LOT
        market = self.draw.random() < 0.5
        if free > 0 and self.draw.random() < 0.6:
            self.sell(name, self.draw.randint(1, free // LOT) * LOT, None if market else quote.bid)
        else:
            self.buy(name, self.draw.randint(1, 3) * LOT, None if market else quote.ask)


class Waiter(_Drawing):
    """Limit orders near the price, changed or withdrawn when they have waited long enough."""

    def on_start(self) -> None:
        super().on_start()
        self.age: dict[ClientOrderId, int] = {}

    def on_quote(self, quote: Quote) -> None:
        name = quote.instrument
        for order in self.working_orders(name):
            age = self.age[order.client_id] = self.age.get(order.client_id, 0) + 1
            if age > 12:
                self.cancel(order.client_id)
            elif age == 6 and self.draw.random() < 0.3:
                self.replace(order.client_id, order.quantity + LOT)
        if self.working_orders(name) or self.draw.random() > 0.1:
            return
        free = min(self.position(name), self.sellable(name)) // LOT * LOT
        if free > 0 and self.draw.random() < 0.5:
            self.sell(name, free, quote.ask)
        else:
            self.buy(name, self.draw.randint(1, 4) * LOT, quote.bid)


class Nagger(_Drawing):
    """By the clock, too much, in odd lots, and again when it was told no."""

    def on_start(self) -> None:
        super().on_start()
        self.every("2m", self.nag)

    def nag(self) -> None:
        """Whatever the price was, and however long ago."""
        self.buy(self.draw.choice(self.instruments), self.draw.choice((LOT, LOT, 30, 9_000_000)))

    def on_quote(self, quote: Quote) -> None:
        if self.draw.random() < 0.01:
            for _ in range(4):
                self.buy(quote.instrument, LOT)

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        if isinstance(event, OrderDenied) and self.draw.random() < 0.1:
            self.buy(event.order.instrument, LOT)
