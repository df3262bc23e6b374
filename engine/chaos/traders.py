"""Strategies that make work: many orders of every kind, at any moment, some of them unwise. They seek no profit."""

import random

from engine.domain.events import Fill, OrderDenied, OrderEvent
from engine.domain.ids import ClientOrderId
from engine.domain.market import Bar, Quote
from engine.params import param
from engine.strategy import Strategy


class _Drawing(Strategy):
    seed: int = param(0, doc="of its decisions")

    def on_start(self) -> None:
        self.draw = random.Random(self.seed)  # dst-ok: a strategy of its own, seeded by the run's seed


class Churner(_Drawing):
    """Buys a little and sells what it may, at market, on about every fourth quote."""

    def on_quote(self, quote: Quote) -> None:
        if self.draw.random() > 0.22:
            return
        name = quote.instrument
        free = min(self.position(name), self.sellable(name))
        if free > 0 and self.draw.random() < 0.6:
            self.sell(name, self.draw.randint(1, free))
        else:
            self.buy(name, self.draw.randint(1, 60))


class Patient(_Drawing):
    """Limit orders a little away from the price, withdrawn when they have waited too long."""

    def on_start(self) -> None:
        super().on_start()
        self.age: dict[ClientOrderId, int] = {}

    def on_quote(self, quote: Quote) -> None:
        name = quote.instrument
        for order in self.working_orders(name):
            self.age[order.client_id] = self.age.get(order.client_id, 0) + 1
            if self.age[order.client_id] > 8:
                self.cancel(order.client_id)
        if self.working_orders(name) or self.draw.random() > 0.3:
            return
        away = 1 + self.draw.uniform(-0.002, 0.004)
        free = min(self.position(name), self.sellable(name))
        if free > 0 and self.draw.random() < 0.5:
            self.sell(name, free, round(quote.bid * away, 2))
        else:
            self.buy(name, self.draw.randint(1, 40), round(quote.ask / away, 2))


class Slow(_Drawing):
    """``async def``: buys, waits, buys up to a target, and lets the venue size the sale."""

    async def on_bar(self, bar: Bar) -> None:
        name = bar.instrument
        if self.draw.random() < 0.5:
            return
        self.buy(name, self.draw.randint(1, 30))
        await self.sleep("45s")
        self.order_target(name, self.draw.randint(0, 50))
        await self.next_bar(name)
        if self.draw.random() < 0.3:
            self.sell_all(name)

    async def on_fill(self, fill: Fill) -> None:
        await self.sleep("1s")
        if fill.side.sign > 0 and self.draw.random() < 0.2:
            self.sell(fill.instrument, fill.quantity)


class Sloppy(_Drawing):
    """Too much, too often, by the clock where no price comes, and again when it was told no; at times all must go."""

    def on_start(self) -> None:
        super().on_start()
        self.every("3m", self.nag)

    def nag(self) -> None:
        """Whatever the price was, and however long ago."""
        self.buy(self.draw.choice(self.instruments), self.draw.randint(1, 9))

    def on_quote(self, quote: Quote) -> None:
        chance = self.draw.random()
        name = quote.instrument
        if chance < 0.02:
            for _ in range(6):
                self.buy(name, self.draw.randint(1, 9))
        elif chance < 0.04:
            self.buy(name, 1_000_000)
        elif chance < 0.06:
            self.buy(name, 200)
            self.sell(name, 200)
        elif chance < 0.066:
            self.liquidate()

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        if isinstance(event, OrderDenied) and self.draw.random() < 0.1:
            self.buy(event.order.instrument, self.draw.randint(1, 5))
