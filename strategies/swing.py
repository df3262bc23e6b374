"""Buy what fell, sell what recovered or was held long enough: a small mean-reversion for five-minute bars."""

from engine import Bar, Fill, OrderDenied, OrderEvent, Strategy, param


class Swing(Strategy):
    """Buys ``size`` units when a close is ``dip`` below the average of the last ``window`` closes; sells what may be
    sold once the price is ``gain`` above what was paid, or ``patience`` bars after the last purchase.
    """

    window: int = param(6, ge=2, le=500, doc="bars in the average")
    dip: float = param(0.002, ge=0, lt=1, doc="how far below the average, as a share")
    gain: float = param(0.002, ge=0, lt=1, doc="profit to take, as a share")
    patience: int = param(18, ge=1, doc="bars to hold at most")
    size: int = param(100, ge=1, doc="units a purchase")
    most: int = param(500, ge=1, doc="units to hold at most, each instrument")

    def on_start(self) -> None:
        self.paid: dict[str, float] = {}
        self.age: dict[str, int] = {}

    def on_bar(self, bar: Bar) -> None:
        name = bar.instrument
        self.age[name] = self.age.get(name, 0) + 1
        closes = self.history(name, self.window).close
        if len(closes) < self.window or self.working_orders(name):
            return
        held = self.position(name)
        sellable = min(held, self.sellable(name))
        recovered = bar.close >= self.paid.get(name, 0.0) * (1 + self.gain)
        if sellable > 0 and (recovered or self.age[name] >= self.patience):
            self.sell(name, sellable)
        elif held < self.most and bar.close < closes.mean() * (1 - self.dip):
            self.buy(name, self.size)

    def on_fill(self, fill: Fill) -> None:
        if fill.side == "buy":
            self.paid[fill.instrument] = float(fill.price)
            self.age[fill.instrument] = 0

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        if isinstance(event, OrderDenied):
            self.log("denied", reason=event.reason)
