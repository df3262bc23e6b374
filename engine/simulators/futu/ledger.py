"""Accounts of the simulated broker: orders, fills, positions and cash as they really are, whatever a push said.

The ledger is the oracle of tests. Money is Decimal; quantities are whole units.
"""

from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.domain.money import ZERO, exact
from engine.simulators.futu.codes import BUY, BUY_BACK, CNH, FINAL, HKD, SELL, SELL_SHORT, USD, Kind, Status
from engine.simulators.futu.securities import Fees, Security

CURRENCIES = {"HKD": HKD, "USD": USD, "CNH": CNH}
HKD_PER = {HKD: Decimal(1), USD: Decimal("7.8"), CNH: Decimal("1.08")}
"""Fixed rates, for totals of accounts with several currencies."""
LONG, SHORT = 0, 1
MARGIN_LONG, MARGIN_SHORT = Decimal("0.2"), Decimal("0.6")
"""Initial margins of the contract's margin-ratio example."""


class Opening(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A position an account starts with: ``symbol`` as in ``HK.00700``; below 0 it is short."""

    symbol: str
    quantity: int
    price: float


class FutuAccount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account. ``markets`` are trd_market numbers; ``cash`` reads currency word -> amount."""

    acc_id: int
    environment: Literal["simulate", "real"]
    markets: tuple[int, ...]
    kind: Literal["cash", "margin"] = "cash"
    cash: dict[str, float] = msgspec.field(default_factory=lambda: {"HKD": 1_000_000.0})
    positions: tuple[Opening, ...] = ()
    sim_acc_type: int | None = None
    card_num: str | None = None
    uni_card_num: str | None = None
    security_firm: int | None = None
    acc_role: int | None = None
    label: str | None = None
    enabled: bool = True

    def __post_init__(self) -> None:
        strangers = sorted(set(self.cash) - set(CURRENCIES))
        if strangers:
            raise ValueError(f"account {self.acc_id} has cash in {strangers[0]}; there are {', '.join(CURRENCIES)}")
        if not 0 < self.acc_id < 1 << 64 or not self.markets:
            raise ValueError(f"account {self.acc_id} needs an id above 0 and at least one market")

    @property
    def trd_env(self) -> int:
        return 1 if self.environment == "real" else 0


class OrderFacts(Struct, kw_only=True):
    """One order and where it stands. ``number`` counts orders of the venue."""

    number: int
    order_id: int
    order_id_ex: str
    acc_id: int
    trd_market: int
    side: int
    kind: int
    quantity: int
    price: Decimal
    created_ns: int
    updated_ns: int
    expires_ns: int
    reserve: Decimal = ZERO
    """Price at which an open order ties up money."""
    status: Status = Status.SUBMITTING
    filled: int = 0
    value: Decimal = ZERO
    """Sum of price x quantity of its fills."""
    error: str | None = None
    remark: str | None = None
    time_in_force: int = 0
    aux_price: float | None = None
    trail_type: int | None = None
    trail_value: float | None = None
    trail_spread: float | None = None
    session: int | None = None
    fill_outside_rth: bool | None = None
    expire_time: str | None = None
    triggered: bool = False
    """A conditional order that was woken, an auction limit order that outlived its auction."""
    extreme: float | None = None
    working: bool = False
    """It is at the exchange."""
    arrived: bool = False
    """It met the book once: what is left of it rests."""
    due_ns: int = 0
    """When an order on its way arrives, or one that is being cancelled ends."""
    fees: Fees = msgspec.field(default_factory=dict)


class Order(OrderFacts, kw_only=True):
    """An order of a security."""

    security: Security
    versions: list[tuple[int, dict[str, Any]]] = msgspec.field(default_factory=list)
    """Its row at each change, for readers of a cache that lags."""

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def buys(self) -> bool:
        return self.side in {BUY, BUY_BACK}

    @property
    def average(self) -> float:
        return float(self.value / self.filled) if self.filled else 0.0


class ExecutionFacts(Struct, kw_only=True):
    """One fill; ``status`` 0 good, 1 busted, 2 corrected. ``fee`` is what it added to the order's fees."""

    fill_id: int
    fill_id_ex: str
    quantity: int
    price: Decimal
    fee: Decimal
    ts_ns: int
    updated_ns: int | None = None
    status: int = 0


class Execution(ExecutionFacts, kw_only=True):
    """A fill of an order."""

    order: Order


class HoldingFacts(Struct, kw_only=True):
    """One side of a position; ``cost`` is what it cost altogether, ``locked`` what ``locked_day`` keeps from sale."""

    position_id: int
    side: int
    quantity: int = 0
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    locked: int = 0
    locked_day: int = 0


class Holding(HoldingFacts, kw_only=True):
    """A position in a security."""

    security: Security

    @property
    def average(self) -> Decimal:
        return self.cost / self.quantity if self.quantity else ZERO


class Book:
    """One account's books."""

    def __init__(self, account: FutuAccount, securities: dict[str, Security], *, fees: bool) -> None:
        self.account = account
        self.charges_fees = fees
        self.cash = {CURRENCIES[word]: exact(amount) for word, amount in account.cash.items()}
        self.holdings: dict[tuple[str, int], Holding] = {}
        self.orders: dict[int, Order] = {}
        self.fills: list[Execution] = []
        self.unlocked = account.environment == "simulate"
        for opening in account.positions:
            security = next((s for s in securities.values() if s.symbol == opening.symbol), None)
            if security is None:
                raise ConfigError(
                    f"account {account.acc_id} starts with {opening.symbol}, which is none of the securities"
                )
            holding = self.holding(security, LONG if opening.quantity >= 0 else SHORT)
            holding.quantity = abs(opening.quantity)
            holding.cost = exact(opening.price) * abs(opening.quantity)

    # Reading

    def holding(self, security: Security, side: int) -> Holding:
        """The holding of that side, opened empty where there is none."""
        found = self.holdings.get((security.key, side))
        if found is None:
            number = 5_120_000_000_000_100_001 + len(self.holdings)
            found = self.holdings[(security.key, side)] = Holding(position_id=number, security=security, side=side)
        return found

    def held(self, symbol: str) -> int:
        """Units of ``HK.00700``: short ones count below 0."""
        return sum(
            holding.quantity if holding.side == LONG else -holding.quantity
            for holding in self.holdings.values()
            if holding.security.symbol == symbol
        )

    def sellable(self, security: Security, side: int, day: int) -> int:
        """Units that may still be sold (long) or bought back (short): neither bought today under T+1 nor on order."""
        holding = self.holdings.get((security.key, side))
        if holding is None:
            return 0
        locked = holding.locked if security.place.t_plus_1 and holding.locked_day == day else 0
        closing = SELL if side == LONG else BUY_BACK
        on_order = sum(
            order.remaining
            for order in self.orders.values()
            if not order.is_final and order.side == closing and order.security.key == security.key
        )
        return max(0, holding.quantity - locked - on_order)

    def frozen(self, currency: int) -> Decimal:
        """Money that open purchases and short sales wait for."""
        return sum(
            (
                order.remaining * order.reserve * (MARGIN_SHORT if order.side == SELL_SHORT else 1)
                for order in self.orders.values()
                if not order.is_final and order.side in {BUY, SELL_SHORT} and order.security.place.currency == currency
            ),
            ZERO,
        )

    def available(self, currency: int) -> Decimal:
        """Cash less what is frozen or backs short positions."""
        short = sum(
            (
                holding.cost * (1 + MARGIN_SHORT)
                for holding in self.holdings.values()
                if holding.side == SHORT and holding.security.place.currency == currency
            ),
            ZERO,
        )
        return self.cash.get(currency, ZERO) - self.frozen(currency) - short

    def power(self, currency: int) -> Decimal:
        """What may be bought for: on margin, five times what is available (20 % initial margin)."""
        free = self.available(currency)
        return max(ZERO, free / MARGIN_LONG if self.account.kind == "margin" else free)

    # Booking

    def fill(
        self, order: Order, quantity: int, price: Decimal, *, fill_id: int, id_ex: str, now_ns: int, day: int
    ) -> Execution:
        """Book one execution of an order."""
        order.filled += quantity
        order.value += price * quantity
        order.updated_ns = now_ns
        fee = self._charge(order)
        currency = order.security.place.currency
        signed = -price * quantity if order.buys else price * quantity
        self.cash[currency] = self.cash.get(currency, ZERO) + signed - fee
        self._move(order, quantity, price, day)
        execution = Execution(
            fill_id=fill_id, fill_id_ex=id_ex, order=order, quantity=quantity, price=price, fee=fee, ts_ns=now_ns
        )
        self.fills.append(execution)
        return execution

    def bust(self, execution: Execution, now_ns: int, day: int) -> None:
        """The exchange takes an execution back: cash, position and the order's filled quantity with it; fees stay."""
        order, quantity, price = execution.order, execution.quantity, execution.price
        execution.status, execution.updated_ns = 1, now_ns
        order.filled -= quantity
        order.value -= price * quantity
        order.updated_ns = now_ns
        currency = order.security.place.currency
        self.cash[currency] += price * quantity if order.buys else -price * quantity
        opens = order.side in {BUY, SELL_SHORT}
        holding = self.holding(order.security, LONG if order.side in {BUY, SELL} else SHORT)
        if opens:
            taken = min(quantity, holding.quantity)
            holding.cost -= holding.average * taken
            holding.quantity -= taken
            holding.locked = max(0, holding.locked - quantity)
        else:
            holding.cost += holding.average * quantity if holding.quantity else price * quantity
            holding.quantity += quantity

    def correct(self, execution: Execution, price: Decimal, now_ns: int) -> None:
        """The exchange changes an execution's price."""
        order, quantity = execution.order, execution.quantity
        difference = (price - execution.price) * quantity
        execution.price, execution.status, execution.updated_ns = price, 2, now_ns
        order.value += difference
        order.updated_ns = now_ns
        self.cash[order.security.place.currency] += -difference if order.buys else difference
        if order.side in {BUY, SELL_SHORT}:
            self.holding(order.security, LONG if order.side == BUY else SHORT).cost += difference

    def _charge(self, order: Order) -> Decimal:
        """Fees of the order so far, less what was charged already."""
        if not self.charges_fees:
            return ZERO
        before = sum(order.fees.values(), ZERO)
        order.fees = order.security.place.fees(order.side, order.filled, order.value)
        return sum(order.fees.values(), ZERO) - before

    def _move(self, order: Order, quantity: int, price: Decimal, day: int) -> None:
        holding = self.holding(order.security, LONG if order.side in {BUY, SELL} else SHORT)
        if order.side in {BUY, SELL_SHORT}:
            holding.quantity += quantity
            holding.cost += price * quantity
            if holding.locked_day != day:
                holding.locked_day, holding.locked = day, 0
            holding.locked += quantity if order.side == BUY else 0
            return
        cost = holding.average * quantity
        gain = price * quantity - cost
        holding.realized += gain if holding.side == LONG else -gain
        holding.quantity -= quantity
        holding.cost = holding.cost - cost if holding.quantity else ZERO


def takes_market_price(order: Order) -> bool:
    """Whether an order, as it stands, takes whatever price there is."""
    return order.kind in {Kind.MARKET, Kind.STOP, Kind.MARKET_IF_TOUCHED, Kind.TRAILING_STOP}


class Ledger:
    """All books: the oracle."""

    def __init__(self, books: list[Book]) -> None:
        self.books = {book.account.acc_id: book for book in books}

    def book(self, acc_id: int) -> Book:
        """Raises:
        KeyError: no such account.
        """
        return self.books[acc_id]

    def orders(self, acc_id: int | None = None) -> list[Order]:
        """Orders in the order they were placed."""
        return sorted(
            (order for book in self._of(acc_id) for order in book.orders.values()), key=lambda order: order.number
        )

    def fills(self, acc_id: int | None = None) -> list[Execution]:
        """Fills in the order they were booked, busted ones included."""
        return [execution for book in self._of(acc_id) for execution in book.fills]

    def positions(self, acc_id: int) -> dict[str, int]:
        """``HK.00700`` -> units, short below 0, empty ones left out."""
        book = self.book(acc_id)
        symbols = dict.fromkeys(holding.security.symbol for holding in book.holdings.values())
        return {symbol: held for symbol in symbols if (held := book.held(symbol))}

    def cash(self, acc_id: int) -> dict[str, Decimal]:
        """Currency word -> cash."""
        book = self.book(acc_id)
        return {word: book.cash[number] for word, number in CURRENCIES.items() if number in book.cash}

    def _of(self, acc_id: int | None) -> list[Book]:
        return list(self.books.values()) if acc_id is None else [self.book(acc_id)]
