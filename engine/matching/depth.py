"""Orders against quotes, books and prints: the venue's other ears, for runs whose data has them.

What one of our orders took from a price is gone for the others until that price changes: the data does not know of us.
"""

from collections.abc import Callable
from decimal import Decimal

from engine.domain.commands import TimeInForce
from engine.domain.ids import InstrumentId
from engine.domain.market import OrderBook, Quote, Trade
from engine.domain.money import exact, exact_price
from engine.domain.order import Evidence
from engine.matching.course import Course
from engine.matching.fill_model import ReadsBooks, ReadsQuotes
from engine.matching.orders import Orders
from engine.matching.resting import Resting
from engine.matching.walk import follow, meeting

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_START = Decimal(0)

Level = tuple[Decimal, int]


class Depth(Orders):
    """Bars are the subclass's."""

    def _know_model(self) -> None:
        super()._know_model()
        self._by_quotes = self.model if isinstance(self.model, ReadsQuotes) else None
        self._by_books = self.model if isinstance(self.model, ReadsBooks) else None

    def on_quote(self, quote: Quote) -> None:
        """Show best bid and ask to the orders of its instrument, before anybody else sees them."""
        model = self._by_quotes
        if model is None or not self.resting.get(quote.instrument):
            return

        def side(buys: bool) -> list[Level]:
            bids, asks = model.sizes(quote)
            return [(exact_price(quote.ask), asks)] if buys else [(exact_price(quote.bid), bids)]

        self._show(quote.instrument, quote.ts_ns, side)

    def on_book(self, book: OrderBook) -> None:
        """Show the levels of the book: what crosses takes them, what rests learns its place in the queue."""
        model = self._by_books
        if model is None or not self.resting.get(book.instrument):
            return
        self._show(book.instrument, book.ts_ns, lambda buys: model.levels(buys, book))
        for order in self.resting.get(book.instrument, ()):
            if order.limit is not None and order.told and not order.waits:
                self._queue(order, dict(model.levels(not order.buys, book)), model.cancels_ahead)

    def on_trade(self, trade: Trade) -> None:
        """Show a print: it serves the queue at its price, and whatever it passed."""
        orders = self.resting.get(trade.instrument)
        if self._by_books is None or not orders:
            return
        price, left = exact(trade.price), int(trade.size)
        self._shown = orders
        for order in list(orders):
            if not order.leaves or order.limit is None or order.waits or not self.arrive(order, trade.ts_ns):
                continue
            beyond = price < order.limit if order.buys else price > order.limit
            if beyond:
                order.ahead = 0.0
            elif price != order.limit or order.ahead < 0:
                continue
            served = min(order.ahead, trade.size)
            order.ahead -= served
            order.level = max(0.0, order.level - trade.size)
            quantity = min(order.leaves, left, int(trade.size - served))
            if quantity > 0:
                left -= quantity
                self.fill(order, quantity, order.limit, trade.ts_ns, trade.ts_ns, trade.size)
        self._shown = []
        self._tidy(trade.instrument, trade.ts_ns)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _show(self, instrument: InstrumentId, ts_ns: int, side: Callable[[bool], list[Level]]) -> None:
        """Let every order that is there take what it crosses; ``side``: the levels that who buys, or sells, meets."""
        sides: dict[bool, list[Level]] = {}
        orders = self.resting.pop(instrument)
        self._shown = orders
        for order in orders:
            if not order.leaves or not self.arrive(order, ts_ns) or self._over(order, ts_ns):
                continue
            if order.buys not in sides:
                sides[order.buys] = side(order.buys)
            levels = self._left(instrument, order.buys, sides[order.buys])
            if order.waits and not self._triggered(order, levels):
                continue
            self._sweep(order, instrument, levels, ts_ns)
            if order.leaves and order.request.tif in _AT_ONCE:
                self._close(order, Evidence.CANCELED, "what could not fill at once is withdrawn")
        self._shown = []
        kept = [order for order in orders if order.leaves]
        if kept:
            self.resting[instrument] = kept + self.resting.get(instrument, [])

    def _triggered(self, order: Resting, levels: list[Level]) -> bool:
        """Whether the price it would get meets its trigger; a two-sided order may just as well fill at its limit."""
        if not levels:
            return False
        price = float(levels[0][0])
        course = Course((price, price, price, price))
        met = meeting(order, course, _START, opens_only=False)
        if met is None:
            follow(order, course, _START)
            return False
        if met.triggers:
            order.trigger(met.price)
        return True

    def _sweep(self, order: Resting, instrument: InstrumentId, levels: list[Level], ts_ns: int) -> None:
        limit = order.limit
        within = [(p, n) for p, n in levels if n > 0 and (limit is None or (p <= limit if order.buys else p >= limit))]
        if order.request.tif is TimeInForce.FOK and sum(n for _, n in within) < order.leaves:
            return
        taken = self._taken.setdefault((instrument, order.buys), {})
        for price, size in within:
            quantity = min(size, order.leaves)
            if not quantity:
                break
            taken[price] = taken.get(price, 0) + quantity
            self.fill(order, quantity, price, ts_ns, ts_ns, float(size))

    def _left(self, instrument: InstrumentId, buys: bool, levels: list[Level]) -> list[Level]:
        """Levels less what our own orders took of them; a price that went away is forgotten."""
        taken = self._taken.get((instrument, buys))
        if not taken:
            return levels
        shown = {price for price, _ in levels}
        for price in [price for price in taken if price not in shown]:
            del taken[price]
        return [(price, size - taken.get(price, 0)) for price, size in levels]

    @staticmethod
    def _queue(order: Resting, level: dict[Decimal, int], cancels_ahead: float) -> None:
        """Its place at its price, after a book: at the end when it comes, and never farther back than the level."""
        assert order.limit is not None
        shown = float(level.get(order.limit, 0))
        if order.ahead < 0:
            order.ahead = shown
        else:
            gone = max(0.0, order.level - shown)
            order.ahead = min(max(0.0, order.ahead - cancels_ahead * gone), shown)
        order.level = shown

    def _tidy(self, instrument: InstrumentId, ts_ns: int) -> None:
        kept = [o for o in self.resting.get(instrument, ()) if o.leaves and not self._over(o, ts_ns)]
        if kept:
            self.resting[instrument] = kept
        else:
            self.resting.pop(instrument, None)

    def _over(self, order: Resting, start_ns: int) -> bool:
        """End an order whose time was over before this instant."""
        raise NotImplementedError
