"""Buy a dip and sell what it bought, quote by quote: a small strategy for feeds that push."""

from collections import deque

from engine import Fill, OrderDenied, OrderEvent, Quote, Strategy, param


class Quotes(Strategy):
    """Buys ``lots`` board lots when the middle price is below the mean of the last ``window`` quotes; sells them after
    ``hold`` more quotes of that instrument. Orders are limits at the far side of the book; one that does not fill
    within ``patience`` quotes is withdrawn.
    """

    window: int = param(8, ge=2, le=500, doc="quotes in the mean")
    hold: int = param(8, ge=1, doc="quotes to hold")
    patience: int = param(20, ge=1, doc="quotes an order may wait")
    lots: int = param(1, ge=1, doc="board lots an order")

    def on_start(self) -> None:
        self.middles = {name: deque[float](maxlen=self.window) for name in self.ctx.instruments}
        self.waited = dict.fromkeys(self.ctx.instruments, 0)

    def on_quote(self, quote: Quote) -> None:
        name = quote.instrument
        middles, middle = self.middles[name], (quote.bid + quote.ask) / 2
        middles.append(middle)
        self.waited[name] += 1
        working = self.working_orders(name)
        if working:
            if self.waited[name] == self.patience:
                self.cancel_all(name)
            return
        held = self.position(name)
        if held > 0:
            if self.waited[name] >= self.hold:
                self.waited[name] = 0
                self.sell(name, held, quote.bid)
        elif len(middles) == self.window and middle < sum(middles) / self.window:
            self.waited[name] = 0
            self.buy(name, self.lots * self.ctx.catalogue[name].lot, quote.ask)

    def on_fill(self, fill: Fill) -> None:
        self.waited[fill.instrument] = 0

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        if isinstance(event, OrderDenied):
            self.log("denied", reason=event.reason)
