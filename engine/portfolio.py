"""Two books: an account's is the venue's, a strategy's is its own fills (DESIGN, decision 10).

One writer: only ``on_*`` methods change anything, and only events reach them. Money is Decimal, by currency; cash is
conserved: what leaves the cash of an account is in the value or the fee of a fill, or in a named adjustment.
"""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import ROUND_UP, Decimal

from msgspec import Struct

from engine.domain.commands import Offset, Side, SubmitOrder
from engine.domain.errors import DataError
from engine.domain.events import Fill, InstructionSubmitted, OrderSubmitted, PositionAdjusted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, Quote, Trade
from engine.domain.marks import Mark, Marks
from engine.domain.money import ZERO, exact
from engine.domain.order import Order
from engine.legs import Legs, MarginRules, Split

GRAIN = Decimal("1E-8")
"""What cash held back for a part of an order is rounded up to."""

SellableFrom = Callable[[InstrumentId, int], int]
Rate = Callable[[str, str], Decimal]
"""What one unit of a currency is worth now in another; raises DataError where that is not known."""


def _no_rate(currency: str, base: str) -> Decimal:
    raise DataError(f"no rate from {currency} to {base}")


class Position:
    """One holding of one book. ``cost`` is what the quantity held was bought for, fees left out."""

    __slots__ = ("cost", "locked", "quantity", "selling")

    def __init__(self) -> None:
        self.quantity = 0
        self.cost = ZERO
        self.selling = 0
        """Quantity reserved by sell orders that may still fill."""
        self.locked: deque[tuple[int, int]] = deque()
        """(sellable from, quantity), oldest first."""

    @property
    def average_price(self) -> Decimal:
        return self.cost / self.quantity if self.quantity else ZERO

    def book(self, quantity: int, value: Decimal) -> None:
        """Add a signed quantity bought or sold for ``value`` (positive, price x quantity x multiplier)."""
        held = self.quantity
        after = self.quantity = held + quantity
        if held == 0:
            self.cost = value if quantity > 0 else -value
        elif after == 0:
            self.cost = ZERO
        elif (held > 0) == (quantity > 0):
            self.cost += value if quantity > 0 else -value
        elif (after > 0) == (held > 0):
            self.cost = self.cost * after / held
        else:
            self.cost = value * after / quantity * (1 if quantity > 0 else -1)


class AccountBook:
    """One account at one venue."""

    __slots__ = ("account", "cash", "currency", "fees", "legs", "margin", "positions", "promised", "reserved")

    def __init__(self, account: AccountId, currency: str, cash: Decimal = ZERO) -> None:
        self.account = account
        self.currency = currency
        self.cash: dict[str, Decimal] = {currency: cash}
        self.reserved: dict[str, Decimal] = {}
        self.promised: dict[str, Decimal] = {}
        """The part of ``reserved`` held back for instructions: a venue freezes cash for orders, not for conditions."""
        self.positions: dict[InstrumentId, Position] = {}
        self.legs: dict[InstrumentId, Legs] = {}
        """Of futures: what the net quantity in ``positions`` is made of."""
        self.margin: dict[str, Decimal] = {}
        """What open futures tie up, by currency, at the prices they were opened at."""
        self.fees = ZERO

    def position(self, instrument: InstrumentId) -> Position:
        found = self.positions.get(instrument)
        if found is None:
            found = self.positions[instrument] = Position()
        return found

    def available_cash(self, currency: str) -> Decimal:
        free = self.cash.get(currency, ZERO) - self.reserved.get(currency, ZERO)
        return free - self.margin.get(currency, ZERO) if self.margin else free


# Reading a member off its class is slow in Python 3.11.
_BUY, _BUY_BACK = Side.BUY, Side.BUY_BACK


class Reservation(Struct, gc=False, eq=False):
    """What one order may still cost."""

    book: AccountBook
    position: Position | None
    """Of what it sells; None for a purchase."""
    quantity: int
    """Of the whole order."""
    open: int
    """Quantity that may still fill."""
    currency: str = ""
    cash: Decimal = ZERO
    """For the whole order."""
    held: Decimal = ZERO
    """Cash held back for it."""

    def change(self, quantity: int) -> None:
        """Hold back what ``quantity`` may still cost."""
        if self.position is not None:
            self.position.selling += quantity - self.open
        else:
            # Rounded up to a grain: what was added can be taken away again to the last digit.
            cash = (self.cash * quantity / self.quantity).quantize(GRAIN, ROUND_UP) if quantity else ZERO
            self.book.reserved[self.currency] += cash - self.held
            self.held = cash
        self.open = quantity


class Portfolio:
    """Positions, cash, reservations and marks of every account and strategy."""

    __slots__ = ("__dict__", "__weakref__", "fills")

    def __init__(self, instruments: Mapping[InstrumentId, Instrument], sellable_from: SellableFrom) -> None:
        """``sellable_from(instrument, bought_ns)``: the market's settlement rule, ns UTC."""
        self.instruments = instruments
        self.accounts: dict[AccountId, AccountBook] = {}
        self.strategy_positions: dict[tuple[StrategyId, InstrumentId], Position] = {}
        self.marks = Marks()
        self.marks_ns = self.marks.times
        self.fills = 0
        """Fills booked."""
        self.rate: Rate = _no_rate
        self.futures: dict[str, MarginRules] = {}
        """Markets whose instruments are opened and closed on margin."""
        self.sellable_from = sellable_from
        self.reservations: dict[ClientOrderId, Reservation] = {}

    # --- writers -----------------------------------------------------------------------------------------------------

    def open_account(self, account: AccountId, currency: str, cash: Decimal) -> AccountBook:
        book = self.accounts[account] = AccountBook(account, currency, cash)
        return book

    def on_bar(self, bar: Bar) -> None:
        self.marks.keep(bar.instrument, bar)

    def on_trade(self, trade: Trade) -> None:
        self.marks.keep(trade.instrument, trade)

    def on_quote(self, quote: Quote) -> None:
        self.marks.keep(quote.instrument, quote)

    def on_submitted(self, event: OrderSubmitted) -> None:
        order = event.order
        side, quantity, name, book = order.side, order.quantity, order.instrument, self.accounts[order.account]
        if side is _BUY or side is _BUY_BACK or (self.futures and self._is_future(name)):
            cash, currency, reserved = event.reserved_cash, self.instruments[name].currency, book.reserved
            reserved[currency] = reserved.get(currency, ZERO) + cash
            held = Reservation(book, None, quantity, quantity, currency, cash, cash)
        else:
            position = book.positions.get(name) or book.position(name)
            position.selling += quantity
            held = Reservation(book, position, quantity, quantity)
        self.reservations[order.client_id] = held

    def on_instruction(self, event: InstructionSubmitted) -> None:
        """Hold back an instruction's worst case as an order's, until ``release``."""
        worst, cash = event.worst, event.reserved_cash
        if worst is None:
            return
        self.on_submitted(OrderSubmitted(order=worst, ts_ns=event.ts_ns, reserved_cash=cash))
        if cash:
            held = self.reservations[worst.client_id]
            held.book.promised[held.currency] = held.book.promised.get(held.currency, ZERO) + cash

    def release(self, client_id: ClientOrderId) -> None:
        """An instruction can cost nothing more."""
        held = self.reservations.get(client_id)
        if held is not None and held.cash:
            held.book.promised[held.currency] -= held.cash
        self.forget(client_id)

    def on_order_changed(self, order: Order) -> None:
        """Reserve what the order may still do: it may have filled, ended, or come back from the dead."""
        held = self.reservations.get(order.request.client_id)
        if held is None:
            return
        exposure = order.exposure
        if exposure != held.open:
            held.change(exposure)

    def forget(self, client_id: ClientOrderId) -> None:
        """Drop an ended order's reservation, and its record, for good."""
        held = self.reservations.pop(client_id, None)
        if held is None or not held.open:
            return
        position = held.position
        if position is None:
            held.book.reserved[held.currency] -= held.held
        else:
            position.selling -= held.open

    def on_fill(self, fill: Fill) -> None:
        instrument = self.instruments[fill.instrument]
        if self.futures and instrument.market in self.futures:
            self._on_futures_fill(fill, instrument)
            return
        self.book(fill, fill.quantity, fill.price, fill.fee, fill.ts_ns)

    def on_relived(self, fill: Fill) -> None:
        """``on_fill`` of one from before a restart: until a feed tells a price, the latest fill's is the newest."""
        self.on_fill(fill)
        mark = self.marks.latest.get(fill.instrument)
        if mark is None or mark.ts_ns <= fill.ts_ns:
            self.marks.keep(fill.instrument, Mark(float(fill.price), fill.ts_ns))

    def book(self, of: Fill | SubmitOrder, quantity: int, price: Decimal, fee: Decimal, ts_ns: int) -> None:
        """``on_fill`` of what is no future, where nobody needs the event; ``of``: whose, of what and which way."""
        name, side, strategy, book = of.instrument, of.side, of.strategy, self.accounts[of.account]
        instrument, cash = self.instruments[name], book.cash
        currency, multiplier, value = instrument.currency, instrument.multiplier, price * quantity
        if multiplier != 1:
            value *= multiplier
        book.fees += fee
        self.fills += 1
        position = book.positions.get(name) or book.position(name)
        own = self.strategy_positions.get((strategy, name)) or self._strategy_position(strategy, name)
        if side is _BUY or side is _BUY_BACK:
            cash[currency] = cash.get(currency, ZERO) - (fee + value)
            free_ns = self.sellable_from(name, ts_ns)
            if free_ns > ts_ns:
                position.locked.append((free_ns, quantity))
        else:
            cash[currency] = cash.get(currency, ZERO) - (fee - value)
            quantity = -quantity
        position.book(quantity, value)
        own.book(quantity, value)
        if name not in self.marks.latest:
            self.marks.keep(name, Mark(float(price), ts_ns))

    def on_adjusted(self, event: PositionAdjusted) -> None:
        book = self.accounts[event.account]
        currency = event.currency or book.currency
        book.cash[currency] = book.cash.get(currency, ZERO) + event.cash
        if event.quantity:
            mark = exact(self.marks.get(event.instrument) or 0.0)
            value = event.cost if event.cost is not None else abs(event.cash) or mark * abs(event.quantity)
            position = book.position(event.instrument)
            if event.locked:
                position.locked.append((self.sellable_from(event.instrument, event.ts_ns), event.locked))
            position.book(event.quantity, value)
            self._strategy_position(event.strategy, event.instrument).book(event.quantity, value)

    # --- readers -----------------------------------------------------------------------------------------------------

    def strategy_quantity(self, strategy: StrategyId, instrument: InstrumentId) -> int:
        found = self.strategy_positions.get((strategy, instrument))
        return found.quantity if found is not None else 0

    def account_quantity(self, account: AccountId, instrument: InstrumentId) -> int:
        found = self.accounts[account].positions.get(instrument)
        return found.quantity if found is not None else 0

    def sellable(self, account: AccountId, instrument: InstrumentId, now_ns: int) -> int:
        """What may be sold now: held, less what is still locked, less what working sell orders may take."""
        position = self.accounts[account].positions.get(instrument)
        if position is None:
            return 0
        locked = position.locked
        while locked and locked[0][0] <= now_ns:
            locked.popleft()
        free = position.quantity - position.selling
        return free - sum([quantity for _, quantity in locked]) if locked else free

    def equity(self, account: AccountId) -> Decimal:
        """Cash and positions at their marks, in the account's base currency; a position without a mark at cost.

        Raises:
            DataError: the account holds another currency and no rate is known.
        """
        book = self.accounts[account]
        base = book.currency
        total = ZERO
        for currency, cash in book.cash.items():
            if currency == base or not cash:
                total += cash
            else:
                total += cash * self.rate(currency, base)
        for instrument, position in book.positions.items():
            # Futures locked on both sides have no net quantity, but a difference.
            if position.quantity or position.cost:
                spec = self.instruments[instrument]
                mark = self.marks.get(instrument)
                known = mark is not None or not position.quantity
                worth = exact(mark or 0.0) * position.quantity * spec.multiplier if known else position.cost
                if spec.market in self.futures:
                    # Nothing was paid for it: it is worth what it gained.
                    worth -= position.cost
                total += worth if spec.currency == base else worth * self.rate(spec.currency, base)
        return total

    def split(self, account: AccountId, fill_of: tuple[InstrumentId, bool, int, Offset], ts_ns: int) -> Split:
        """What a fill of a future would do: instrument, whether it buys, quantity, offset."""
        name, buys, quantity, offset = fill_of
        instrument = self.instruments[name]
        rules = self.futures[instrument.market]
        legs = self.accounts[account].legs.get(name) or Legs()
        return legs.split(buys, quantity, offset, rules.trading_day(ts_ns), rules.names_today(instrument))

    def closable(self, account: AccountId, name: InstrumentId, buys: bool, offset: Offset, ts_ns: int) -> int:
        """Contracts that an order of this offset may close."""
        instrument = self.instruments[name]
        rules = self.futures[instrument.market]
        legs = self.accounts[account].legs.get(name) or Legs()
        return legs.closable(buys, offset, rules.trading_day(ts_ns), rules.names_today(instrument))

    def lost(self, account: AccountId, currency: str) -> Decimal:
        """What open futures have lost in all, at their marks: it can not be spent; 0 where they have gained."""
        gained = ZERO
        for name, legs in self.accounts[account].legs.items():
            spec, mark = self.instruments[name], self.marks.get(name)
            if spec.currency == currency and mark is not None:
                gained += (exact(mark) * legs.quantity - legs.basis) * spec.multiplier
        return max(ZERO, -gained)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _is_future(self, instrument: InstrumentId) -> bool:
        return self.instruments[instrument].market in self.futures

    def _on_futures_fill(self, fill: Fill, instrument: Instrument) -> None:
        """Open or close lots: cash moves by the fee and by what a close made real."""
        book, rules, name = self.accounts[fill.account], self.futures[instrument.market], fill.instrument
        buys, currency = fill.side is _BUY or fill.side is _BUY_BACK, instrument.currency
        legs = book.legs.get(name)
        if legs is None:
            legs = book.legs[name] = Legs()
        day, rate = rules.trading_day(fill.ts_ns), rules.margin_rate(instrument, fill.ts_ns)
        book.margin[currency] = book.margin.get(currency, ZERO) - legs.margin
        _, gained = legs.take(buys, fill.quantity, fill.price, fill.offset, day, rules.names_today(instrument))
        legs.margin = legs.gross * instrument.multiplier * rate
        book.margin[currency] += legs.margin
        book.cash[currency] = book.cash.get(currency, ZERO) + gained * instrument.multiplier - fill.fee
        book.fees += fill.fee
        self.fills += 1
        position = book.position(name)
        position.quantity, position.cost = legs.quantity, legs.basis * instrument.multiplier
        signed = fill.quantity if buys else -fill.quantity
        value = fill.price * fill.quantity * instrument.multiplier
        self._strategy_position(fill.strategy, name).book(signed, value)
        if name not in self.marks.latest:
            self.marks.keep(name, Mark(float(fill.price), fill.ts_ns))

    def _strategy_position(self, strategy: StrategyId, instrument: InstrumentId) -> Position:
        key = (strategy, instrument)
        found = self.strategy_positions.get(key)
        if found is None:
            found = self.strategy_positions[key] = Position()
        return found
