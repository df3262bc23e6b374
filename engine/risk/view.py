"""What limits look at: the books, the market's rules, open orders, latches and counters. One an engine.

Writers are called with events, live by the wiring and after a restart with the same events from the journal; both ways
give the same counters. Readers change nothing and take O(1).
"""

from collections.abc import Callable, Container, Iterable, Mapping
from decimal import Decimal

from engine.domain.account import Capabilities, Environment
from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import (
    DayPriced,
    EquitySampled,
    Fill,
    InstructionSubmitted,
    KillLevel,
    LatchCleared,
    LatchSet,
    OrderDenied,
    OrderSubmitted,
    PositionAdjusted,
    PressNoted,
)
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instructions import CONDITIONS, SubmitInstruction, SubscribeIpo
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.domain.money import exact_price
from engine.domain.order import Order, OrderState
from engine.domain.timestamps import MINUTE_NS, day_of
from engine.domain.verdict import Denial
from engine.markets.rulebook import CagesPrices, RefusesCancels, RuleBook
from engine.portfolio import Portfolio
from engine.risk.counting import Counting
from engine.risk.exposure import Direction, OpenOrder, direction_of
from engine.risk.prices import NewDay
from engine.risk.readiness import Readiness
from engine.risk.valuation import Valuation
from engine.risk.waiting import Waits

IPO_ZONE = "Asia/Shanghai"
COST_FACTOR = Decimal("1.002")
"""Worst-case cost is value x 1.002 + fees (RELIABILITY 4.1, row 21)."""

_INFINITE = float("inf")
_BUY = Side.BUY
_BUY_BACK = Side.BUY_BACK
_UNDECIDED = (OrderState.UNKNOWN, OrderState.DISPUTED)


class RiskView(Counting):
    """See the module. Quantities in whole units, money in the instrument's currency, times ns UTC."""

    __slots__ = ("cost_factor",)

    def __init__(
        self,
        portfolio: Portfolio,
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        *,
        strategies: Container[StrategyId] | None = None,
    ) -> None:
        """``books``: by ``Instrument.market``. ``strategies``: those that may trade; None if nobody has said."""
        super().__init__(portfolio, instruments)
        self.books = books
        self.cages = {name: book for name, book in books.items() if isinstance(book, CagesPrices)}
        """Rule books with a price cage."""
        self.cancels = {name: book for name, book in books.items() if isinstance(book, RefusesCancels)}
        """Rule books of markets that at times act on no cancel."""
        self.strategies = strategies
        self.marks = portfolio.marks
        self.capabilities: dict[AccountId, Capabilities] = {}
        """What each account's router can do; an account that is missing can do nothing."""
        self.foresees: dict[AccountId, Callable[[SubmitOrder], Denial | None]] = {}
        """By account, where its router knows the limits of its own gateway: why they would refuse an order now."""
        self.performs: dict[AccountId, Callable[[], frozenset[type]]] = {}
        """By account, which instructions its router performs, by the class of their action; missing: none."""
        self.locks: dict[Direction, list[ClientOrderId]] = {}
        """Directions with an instruction whose doing could not be told from an order's; free ones are not in it."""
        self.feed_interval_ns: dict[InstrumentId, int] = {}
        """How often a polled feed says it brings a price; missing: it is pushed."""
        self.previous_close: dict[InstrumentId, float] = {}
        """Yesterday's close, where known: price limits of the day are counted from it."""
        self.waits: Waits | None = None
        """Where an order made while its market is closed waits for the next opening (backtests of daily bars)."""
        self.latches: dict[str, LatchSet] = {}
        """Scope -> the highest latch set on it."""
        self.cost_factor: Decimal | None = COST_FACTOR
        """What the value of a purchase is multiplied with; None for 1."""
        self.cost_memo: tuple[SubmitOrder, object, Decimal] | None = None
        self.value_memo: tuple[SubmitOrder, object, Decimal] | None = None
        self.open_orders: Callable[[], Iterable[Order]] | None = None
        """Where open orders are looked through, in a run whose limits hardly ever ask; None: they are counted."""
        self.valuation = Valuation(portfolio)
        self.readiness = Readiness()
        self.environments: dict[AccountId, Environment] = {}
        """What an account is proven to trade with; one that is missing has proven nothing."""
        self.armed = False
        """Whether a person said at the start of this run that real money may be traded."""
        self.unfit: dict[InstrumentId, str] = {}
        """Instruments that can not be traded today, and why: suspended, restricted, unlisted."""
        self.denials: dict[str, int] = {}
        """Code -> denials so far."""
        self._days: dict[str, tuple[int, int]] = {}
        # Several limits ask for the exact price of one mark; the event that brought it is the key.
        self._mark: object = None
        self._reference: Decimal | None = None

    # --- settings ----------------------------------------------------------------------------------------------------

    def set_cost_factor(self, factor: Decimal) -> None:
        """What the worst-case value of a purchase is multiplied with: 1.002, or 1 in backtests."""
        self.cost_factor = factor if factor != 1 else None
        self.cost_memo = None

    # --- writers -----------------------------------------------------------------------------------------------------

    def on_submitted(self, event: OrderSubmitted, *, dormant: bool = False) -> None:
        order = event.order
        found = self.exposures.add(order, dormant=dormant) if self.open_orders is None else None
        if self.sums and found is not None:
            self._open_sums(order, event.reserved_cash, found)
        if self.recent is not None:
            self.recent.add((order.strategy, order.instrument, order.side, order.quantity, order.price), event.ts_ns)
        if self.rates or self.day_rates:
            self._count(order, event.ts_ns)
        for told in self.left:
            told(order, event.ts_ns)

    def on_denied(self, event: OrderDenied) -> None:
        """A denied order never left: it counts towards no rate."""
        self.denials[event.code] = self.denials.get(event.code, 0) + 1

    def on_cancel(self, order: SubmitOrder, ts_ns: int, sent_ns: int = 0) -> None:
        """A cancel or replace of this order is asked for: it counts towards the rates, and is never denied by them."""
        self._count(order, ts_ns)
        for told in self.canceled:
            told(order, sent_ns, ts_ns)

    def on_order_changed(self, order: Order) -> None:
        """The order's state or filled quantity may have changed; call it as often as you like."""
        if self.open_orders is not None:
            return
        request = order.request
        found = self.exposures.get(request.client_id)
        if found is None:
            if not order.exposure and order.state not in _UNDECIDED:
                return
            found = self.exposures.add(request)
            if found is None:
                return
            if self.sums:
                self._open_sums(request, Decimal(0), found)
        change = self.exposures.change(order, found)
        if change:
            for total, key in found.sums:
                total.change_open(key, found.unit_value, change)

    def on_order_filled(self, client_id: ClientOrderId) -> None:
        """``on_order_changed`` for an order that is filled."""
        if self.open_orders is not None:
            return
        found = self.exposures.drop(client_id)
        if found is not None:
            for total, key in found.sums:
                total.change_open(key, found.unit_value, -found.exposure)

    def on_instruction(self, event: InstructionSubmitted) -> None:
        """Lock the instruction's direction; what a condition may trade counts as an open order, until ``release``."""
        instruction, worst = event.instruction, event.worst
        self.locks.setdefault(locked_by(instruction), []).append(instruction.client_id)
        if worst is None:
            return
        if isinstance(instruction.action, CONDITIONS):
            standing = OrderSubmitted(order=worst, ts_ns=event.ts_ns, reserved_cash=event.reserved_cash)
            self.on_submitted(standing, dormant=True)
        else:
            self._count(worst, event.ts_ns)

    def release(self, instruction: SubmitInstruction) -> None:
        """Nothing at the venue can be the instruction's any more."""
        direction = locked_by(instruction)
        left = [name for name in self.locks.get(direction, ()) if name != instruction.client_id]
        if left:
            self.locks[direction] = left
        else:
            self.locks.pop(direction, None)
        self.on_order_filled(instruction.client_id)

    def on_fill(self, fill: Fill) -> None:
        if self.turnovers:
            instrument = self.instruments[fill.instrument]
            value = fill.price * fill.quantity * instrument.multiplier
            day = self.trading_day(instrument, fill.ts_ns)
            for turnover in self.turnovers.values():
                key = turnover.key(fill.strategy, fill.account, fill.instrument, instrument.market)
                turnover.add_filled(key, day, value)
        for told in self.filled:
            told(fill)

    def on_adjusted(self, event: PositionAdjusted) -> None:
        """A booking that is no fill; what it did to the day's profit."""
        if self.profit is not None:
            self.profit.on_adjusted(event)

    def on_priced(self, event: DayPriced) -> None:
        """What an instrument's trading day began at."""
        if self.profit is not None:
            self.profit.on_priced(event)

    def on_equity(self, event: EquitySampled) -> None:
        """What an account was worth at an instant."""
        if self.profit is not None:
            self.profit.on_equity(event)

    def on_press(self, event: PressNoted) -> None:
        """We were much of a minute in which the price moved."""
        if self.press_days is not None:
            self.press_days.on_press(event)

    def on_new_day(self, turn: NewDay) -> None:
        """Its last price was the close, if its market was shut a minute later; else the close is not known."""
        spec = self.instruments[turn.instrument]
        if turn.before and not self.books[spec.market].is_open(turn.before_ns + MINUTE_NS):
            self.previous_close[turn.instrument] = turn.before
        else:
            self.previous_close.pop(turn.instrument, None)

    def on_latch(self, event: LatchSet) -> None:
        """Latches only rise; a lower level on a latched scope changes nothing."""
        known = self.latches.get(event.scope)
        if event.level > (known.level if known is not None else KillLevel.RUN):
            self.latches[event.scope] = event

    def on_unlatch(self, event: LatchCleared) -> None:
        self.latches.pop(event.scope, None)
        for told in self.seen:
            told(event)

    # --- readers -----------------------------------------------------------------------------------------------------

    def instrument(self, instrument: InstrumentId) -> Instrument:
        """Raises: KeyError: unknown."""
        return self.instruments[instrument]

    def book(self, instrument: Instrument) -> RuleBook:
        """Raises: KeyError: no rule book for its market."""
        return self.books[instrument.market]

    def position(self, account: AccountId, instrument: InstrumentId) -> int:
        return self.portfolio.account_quantity(account, instrument)

    def sellable(self, account: AccountId, instrument: InstrumentId, now_ns: int) -> int:
        return self.portfolio.sellable(account, instrument, now_ns)

    def available_cash(self, account: AccountId, currency: str) -> Decimal:
        return self.portfolio.accounts[account].available_cash(currency)

    def reference(self, instrument: InstrumentId) -> Decimal | None:
        """The latest price, exactly as it reads; None where there is none, or none that is finite and above 0."""
        event = self.marks.latest.get(instrument)
        if event is not self._mark:
            mark = event.close if event.__class__ is Bar else self.marks.get(instrument)
            self._reference = exact_price(float(mark)) if mark is not None and 0.0 < mark < _INFINITE else None
            self._mark = event
        return self._reference

    def reference_age_ns(self, instrument: InstrumentId, now_ns: int) -> int | None:
        marked_ns = self.portfolio.marks_ns.get(instrument)
        return None if marked_ns is None else now_ns - marked_ns

    def working(self, account: AccountId, instrument: InstrumentId, side: Side) -> int:
        """Units that open orders of this direction may still fill, undecided ones included."""
        buys = side is _BUY or side is _BUY_BACK
        if self.open_orders is not None:
            return sum(order.exposure for order in self._open(account, instrument, buys))
        return self.exposures.working(account, instrument, buys)

    def undecided(self, account: AccountId, instrument: InstrumentId, side: Side) -> int:
        """How many orders of this direction are UNKNOWN or DISPUTED."""
        buys = side is _BUY or side is _BUY_BACK
        if self.open_orders is not None:
            return sum(order.state in _UNDECIDED for order in self._open(account, instrument, buys))
        return self.exposures.undecided(account, instrument, buys)

    def trading_day(self, instrument: Instrument, now_ns: int) -> int:
        """Number of the market's trading day; asked once an instant."""
        market = instrument.market
        known = self._days.get(market)
        if known is not None and known[0] == now_ns:
            return known[1]
        day = self.books[market].trading_day(now_ns)
        self._days[market] = (now_ns, day)
        return day

    def day_of(self, instrument: InstrumentId, ts_ns: int) -> int | None:
        """``trading_day`` by id; None where instrument or market is not known."""
        spec = self.instruments.get(instrument)
        return self.trading_day(spec, ts_ns) if spec is not None and spec.market in self.books else None

    def acts_ns(self, instrument: InstrumentId, now_ns: int) -> int:
        """When an order made now reaches its market: at once, but where orders wait for the next opening."""
        return now_ns if self.waits is None else self.waits.acts_ns(instrument, now_ns)

    def coming_close(self, instrument: InstrumentId, now_ns: int, acts_ns: int) -> float | None:
        """What price limits count from when a waiting order acts; None: from the close before, as ever."""
        return None if self.waits is None else self.waits.coming_close(instrument, now_ns, acts_ns)

    def latch(self, order: SubmitOrder | SubmitInstruction) -> LatchSet | None:
        """The highest latch this order or instruction falls under."""
        latches = self.latches
        if not latches:
            return None
        scopes = ("all", f"account:{order.account}", f"strategy:{order.strategy}", f"symbol:{order.instrument}")
        found = [latches[scope] for scope in scopes if scope in latches]
        return max(found, key=lambda event: event.level) if found else None

    def reduces(self, order: SubmitOrder) -> bool:
        """Whether the account's position can only shrink by it, whatever else is still working."""
        found = self.portfolio.accounts[order.account].positions.get(order.instrument)
        if found is None or not found.quantity:
            return False
        side = order.side
        held = -found.quantity if side is _BUY or side is _BUY_BACK else found.quantity
        return held > 0 and order.quantity <= held - self.working(order.account, order.instrument, side)

    def reduced(self, order: SubmitOrder) -> bool:
        """``reduces``, of an order that is counted as open already."""
        held = self.position(order.account, order.instrument)
        working = self.working(order.account, order.instrument, order.side)
        return working <= (-held if order.side.sign > 0 else held)

    @property
    def counts_nothing(self) -> bool:
        """Whether no limit has asked for a counter: then orders and fills need not be shown to it."""
        counted = self.rates or self.day_rates or self.sums or self.left or self.recent is not None
        return self.open_orders is not None and not counted and not self.hears_fills

    @property
    def hears_fills(self) -> bool:
        """Whether a limit counts fills."""
        return bool(self.turnovers or self.filled)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _open(self, account: AccountId, instrument: InstrumentId, buys: bool) -> list[Order]:
        wanted = (account, instrument, buys)
        return [order for order in (self.open_orders or tuple)() if direction_of(order.request) == wanted]

    def _count(self, order: SubmitOrder, ts_ns: int) -> None:
        for rate in self.rates.values():
            rate.add(order, ts_ns)
        if self.day_rates:
            instrument = self.instruments[order.instrument]
            day = self.trading_day(instrument, ts_ns)
            for counter in self.day_rates.values():
                counter.add(order, instrument.market, day)

    def _open_sums(self, order: SubmitOrder, reserved: Decimal, found: OpenOrder) -> None:
        """Price what the order may still trade: at its limit, else by what was reserved for it, else at the mark.

        The journal has no marks: after a restart a market sell that is still open has no known worth, which denies
        (``Turnover.total``) until its fate is known.
        """
        instrument = self.instruments[order.instrument]
        if order.price is not None:
            found.unit_value = order.price * instrument.multiplier
        elif reserved:
            found.unit_value = reserved / order.quantity
        elif (reference := self.reference(order.instrument)) is not None:
            found.unit_value = reference * instrument.multiplier
        keys = [(total, total.key_of(order, instrument)) for total in self.sums]
        found.sums = tuple((total, key) for total, key in keys if key is not None)
        for total, key in found.sums:
            total.change_open(key, found.unit_value, found.exposure)


def locked_by(instruction: SubmitInstruction) -> Direction:
    """Where no order and no second instruction may be while it is under way or stands.

    New shares are those of a day: a subscription of unknown outcome does not keep the next day's from being made.
    """
    if isinstance(instruction.action, SubscribeIpo):
        return (instruction.account, InstrumentId(f"ipo {day_of(instruction.ts_ns, IPO_ZONE)}"), True)
    return (instruction.account, instruction.instrument, instruction.side.sign > 0)
