"""Strategies the schedule brings in: racers who order at one moment, and hosts' nightmares: raise, hang, flood."""

import random
from collections.abc import Callable
from types import FunctionType

from engine.chaos.futu_traders import LOT
from engine.chaos.mishaps import FaultyKind
from engine.domain.events import Fill, OrderDenied, OrderEvent
from engine.domain.market import Quote
from engine.domain.timestamps import SECOND_NS
from engine.params import param
from engine.strategy import Strategy

RACERS = 6
FLOOD_MAX = 40


class Racer(Strategy):
    """With the others of its kind, by the same timer: what is left of the position limit between them, and one more."""

    seed: int = param(0, doc="of its decisions")
    room: int = param(0, doc="units between what the account began with and the limit")
    lot: int = param(1)
    starts: Callable[[], bool] = lambda: False

    def on_start(self) -> None:
        self.draw = random.Random(self.seed)  # dst-ok: a strategy of its own, seeded by the run's seed
        self.every("10s", self.go)

    def go(self) -> None:
        """At the moments of the schedule, half of the room each, give or take a lot."""
        if not self.starts():
            return
        half = max(self.lot, self.room // 2 // self.lot * self.lot)
        self.buy(self.instruments[0], half + self.draw.choice((-self.lot, 0, self.lot)) or self.lot)


class Steady(Strategy):
    """A lot with the first price it hears, and another every so often: no life and no flight goes without an order."""

    seed: int = param(0, doc="of its decisions")
    every_ns: int = 75 * SECOND_NS

    def on_start(self) -> None:
        self.draw = random.Random(self.seed)  # dst-ok: a strategy of its own, seeded by the run's seed
        self.next_ns = 0

    def on_quote(self, quote: Quote) -> None:
        if self.now_ns < self.next_ns:
            return
        self.next_ns = self.now_ns + self.every_ns
        name, lot = quote.instrument, 1 if quote.instrument.endswith(".VSM") else LOT
        price = self.draw.choice((None, quote.ask, quote.bid)) if lot > 1 else None
        if self.draw.random() < 0.3 and min(self.position(name), self.sellable(name)) >= lot:
            self.sell(name, lot, price)
        else:
            self.buy(name, lot, price)


class Faulty(Strategy):
    """Well-behaved until its ``call``-th handler call."""

    kind: FaultyKind = FaultyKind.RAISES
    call_number: int = 1
    lot: int = param(1)
    fires: Callable[[], None] = lambda: None

    def on_start(self) -> None:
        self.calls = 0
        self.floods = 0

    def strike(self) -> bool:
        """Whether now is the time."""
        self.calls += 1
        if self.calls == self.call_number:
            self.fires()
        return self.calls >= self.call_number


def _raise(strategy: Faulty, quote: Quote) -> None:
    if strategy.strike():
        raise ZeroDivisionError("planted")


class Raiser(Faulty):
    """Raises where it hears a price."""

    # Its code lives outside the engine's rooms, as a strategy's does: a failure inside them ends the engine.
    on_quote = FunctionType(_raise.__code__, {"__name__": "planted", "ZeroDivisionError": ZeroDivisionError})


class Hanger(Faulty):
    """Its handler waits for a time that does not come; it has ordered before."""

    async def on_quote(self, quote: Quote) -> None:
        if self.strike():
            self.buy(quote.instrument, self.lot)
            await self.sleep("90d")


class Flooder(Faulty):
    """Answers every denial and every fill with another order, from within the handler."""

    def on_quote(self, quote: Quote) -> None:
        if self.strike():
            self.again(quote.instrument)

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        if isinstance(event, OrderDenied):
            self.again(event.order.instrument)

    def on_fill(self, fill: Fill) -> None:
        self.again(fill.instrument)

    def again(self, instrument: str) -> None:
        """One more, for a while."""
        self.floods += 1
        if self.floods <= FLOOD_MAX:
            self.buy(instrument, self.lot)


FAULTY: dict[FaultyKind, type[Faulty]] = {
    FaultyKind.RAISES: Raiser,
    FaultyKind.HANGS: Hanger,
    FaultyKind.FLOODS: Flooder,
}
