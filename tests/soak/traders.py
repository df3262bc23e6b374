"""Strategies of a soak: every way to hear and to decide, a bounded memory each. They seek no profit."""

from engine.domain.events import Fill, OrderDenied, OrderEvent
from engine.domain.market import Bar, Quote, Trade
from engine.params import param
from engine.strategy import Strategy


class _Counting(Strategy):
    every_events: int = param(500, doc="market events between two decisions")

    def on_start(self) -> None:
        self.heard = self.decided = self.fills = self.told = 0

    def due(self) -> bool:
        self.heard += 1
        return self.heard % self.every_events == 0

    def turn(self, name: str, price: float | None = None) -> None:
        """Buy a little, or sell what there is."""
        self.decided += 1
        free = min(self.position(name), self.sellable(name))
        if free > 0:
            self.sell(name, free, price)
        else:
            self.buy(name, 10 + self.decided % 7, price)

    def on_fill(self, fill: Fill) -> None:
        self.fills += 1

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        self.told += 1


class Taker(_Counting):
    """At market, on quotes."""

    def on_quote(self, quote: Quote) -> None:
        if self.due():
            self.turn(quote.instrument)


class Rester(_Counting):
    """Limits, on trades; a timer withdraws what rests. Two more timers stand at the desk by the clocks of two zones."""

    def on_start(self) -> None:
        super().on_start()
        self.every("5m", self.sweep)
        self.at("09:31", lambda: None, tz="America/New_York", name="new york")
        self.at("08:01", lambda: None, tz="Europe/London", name="london")

    def on_trade(self, trade: Trade) -> None:
        if self.due():
            self.turn(trade.instrument, trade.price)

    def sweep(self) -> None:
        self.cancel_all()


class Sleeper(_Counting):
    """``async def``, on bars: waits by the clock, asks outside, waits for the next bar."""

    async def on_bar(self, bar: Bar) -> None:
        if self.due():
            self.turn(bar.instrument)
            await self.sleep("7s")
            await self.call(str, bar.ts_ns)
            await self.next_bar(bar.instrument)


class Looker(_Counting):
    """Looks back over the last bars before it decides."""

    def on_bar(self, bar: Bar) -> None:
        if self.due():
            past = self.history(bar.instrument, 20)
            self.turn(bar.instrument, None if past.close.mean() > bar.close else bar.close)
