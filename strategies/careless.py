"""Two mistakes on purpose, so that a demo shows who catches them. Never trade with it."""

from engine import OrderDenied, OrderEvent, Quote, Strategy, param


class Careless(Strategy):
    """At the first quote it sends an order that is no whole board lot, which the market's rules deny; then one of
    ``big`` board lots, which the limits of the gateway's key would refuse and ours deny first.
    """

    big: int = param(20, ge=2, doc="board lots of the second order")

    def on_start(self) -> None:
        self.sent = False

    def on_quote(self, quote: Quote) -> None:
        if self.sent:
            return
        self.sent = True
        lot = self.ctx.catalogue[quote.instrument].lot
        self.buy(quote.instrument, lot + lot // 2, quote.ask)
        self.buy(quote.instrument, self.big * lot, quote.ask)

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        if isinstance(event, OrderDenied):
            self.log("denied", reason=event.reason)
