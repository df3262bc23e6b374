"""Buy low in the range of the last bars, sell what it bought a little later: one file for any broker with any feed."""

from engine import Bar, Fill, OrderDenied, OrderEvent, Quote, Strategy, param


class Dips(Strategy):
    """Buys ``lots`` board lots when the ask is in the lowest ``deep`` of the range of the last ``bars`` closes, and
    sells them ``hold`` quotes after the fill. Orders are limits at the far side of the book, one at a time, withdrawn
    where they have not filled within ``patience`` quotes. Needs bars (history makes it ready at once) and quotes.
    """

    bars: int = param(30, ge=2, le=500, doc="closes in the range")
    deep: float = param(0.4, gt=0, le=1, doc="part of the range that is low")
    hold: int = param(10, ge=1, doc="quotes to hold")
    patience: int = param(20, ge=1, doc="quotes an order may wait")
    lots: int = param(1, ge=1, doc="board lots an order")

    def on_start(self) -> None:
        self.waited = dict.fromkeys(self.instruments, 0)
        self.low: dict[str, float] = {}

    def on_bar(self, bar: Bar) -> None:
        closes = self.history(bar.instrument, self.bars).close
        if len(closes) == self.bars:
            low, high = float(closes.min()), float(closes.max())
            self.low[bar.instrument] = low + self.deep * (high - low)

    def on_quote(self, quote: Quote) -> None:
        name = quote.instrument
        self.waited[name] += 1
        if self.working_orders(name):
            if self.waited[name] == self.patience:
                self.cancel_all(name)
        elif held := self.position(name):
            if self.waited[name] >= self.hold:
                self.waited[name] = 0
                self.sell(name, held, quote.bid)
        elif quote.ask <= self.low.get(name, 0.0):
            self.waited[name] = 0
            self.buy(name, self.lots * self.ctx.catalogue[name].lot, quote.ask)

    def on_fill(self, fill: Fill) -> None:
        self.waited[fill.instrument] = 0

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        if isinstance(event, OrderDenied):
            self.log("denied", reason=event.reason)
