"""What broker and exchanges remember when the process starts again: one JSON file, replaced whole.

In it are the accounts with cash, positions, orders and fills, the numbers ids come from, the seed, and where each price
of the boards stood. Lost, as when the daemon restarts (contracts/futu.md 7 and 12.3): unlocks, subscriptions, counters
of keys, answers kept for idempotency keys. Lost as well are prints and minutes of the boards; see ``Chronicle.resume``.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import SECOND_NS
from engine.simulators.boards import Standing
from engine.simulators.exchange import Intervention
from engine.simulators.futu.ledger import (
    Book,
    Execution,
    ExecutionFacts,
    Holding,
    HoldingFacts,
    Order,
    OrderFacts,
)
from engine.simulators.futu.rows import order_row
from engine.simulators.futu.securities import Security
from engine.simulators.prices import Figures, Walk
from engine.simulators.state_file import read_state_file, write_state_file

if TYPE_CHECKING:
    from engine.simulators.futu.venue import FutuVenue

PRICES_NS = 10 * SECOND_NS
"""How old, by the clock, the prices are that a killed process leaves at most; a booking saves them along."""


class KeptOrder(OrderFacts, kw_only=True, forbid_unknown_fields=True):
    """An order, with its security's key."""

    security: str


class KeptExecution(ExecutionFacts, kw_only=True, forbid_unknown_fields=True):
    """A fill, with its order's id."""

    order_id: int


class KeptHolding(HoldingFacts, kw_only=True, forbid_unknown_fields=True):
    """A position, with its security's key."""

    security: str


class KeptBook(Struct, kw_only=True, forbid_unknown_fields=True):
    """One account."""

    acc_id: int
    cash: dict[int, Decimal]
    holdings: list[KeptHolding]
    orders: list[KeptOrder]
    fills: list[KeptExecution]


class State(Struct, kw_only=True, forbid_unknown_fields=True):
    """All of one gateway that settings and clock do not say.

    ``market_seed``, ``origin_ns`` and ``interventions`` are those of the market it stands over. ``orders``, ``fills``
    and ``answers`` count orders, executions, and places and changes that reached the backend; ``lives`` the processes
    so far. ``auction_days`` and ``standings`` go by the securities' keys.
    """

    saved_ns: int
    seed: int
    market_seed: int
    origin_ns: int
    interventions: list[Intervention]
    lives: int
    orders: int
    fills: int
    answers: int
    auction_days: dict[str, int]
    standings: dict[str, Standing]
    books: list[KeptBook]


def read_state(path: str | None, now_ns: int) -> State | None:
    """The state of an earlier life; None where there is none yet.

    Raises:
        ConfigError: the file is no state of this simulator, or the clock shows a time before it was written.
    """
    return read_state_file(path, State, now_ns, "the Futu gateway")


class Memory:
    """Keeps the file of one gateway.

    It is written when books changed, before anybody can be told; else every ``PRICES_NS`` while prices move. What was
    kept of accounts and securities that the settings no longer have stays in the file.
    """

    def __init__(self, venue: "FutuVenue", path: str, earlier: State | None) -> None:
        self._venue = venue
        self._path = path
        self._earlier = earlier
        self._changed = self._moved = False
        self._codes = {security.exchange_code for security in venue.securities.values()}
        self._saved_ns = 0
        self._ended: dict[int, msgspec.Raw] = {}
        """Number -> what is written of an order that has ended."""
        self._booked: dict[int, msgspec.Raw] = {}
        """Id -> what is written of a fill."""
        if earlier is not None:
            for kept in earlier.books:
                if kept.acc_id in venue.ledger.books:
                    self._restore(venue.ledger.books[kept.acc_id], kept)
            venue.desk.resume(earlier.orders, earlier.fills, earlier.auction_days)
        venue.exchange.listen(self._hear)
        self.save()

    # Writing

    def note(self, change: Order | Execution) -> None:
        """Books changed; what is being done to them may not be over."""
        self._changed = True
        if isinstance(change, Order):
            self._ended.pop(change.number, None)
        else:
            self._booked.pop(change.fill_id, None)

    def keep(self, now_ns: int) -> None:
        """Write what is worth it, between two acts."""
        if self._changed or (self._moved and now_ns - self._saved_ns >= PRICES_NS):
            self.save()

    def save(self) -> None:
        """Write it all.

        Raises:
            ConfigError: it can not be written there.
        """
        venue, exchange, earlier = self._venue, self._venue.exchange, self._earlier
        self._saved_ns, self._changed, self._moved = venue.clock.now_ns, False, False
        books = [self._kept(book) for book in venue.ledger.books.values()]
        standings = {key: found for key, one in venue.securities.items() if (found := self._standing(one)) is not None}
        if earlier is not None:
            books += [kept for kept in earlier.books if kept.acc_id not in venue.ledger.books]
            standings |= {key: one for key, one in earlier.standings.items() if key not in venue.securities}
        state = State(
            saved_ns=self._saved_ns,
            seed=venue.seed,
            market_seed=exchange.seed,
            origin_ns=exchange.origin_ns,
            interventions=exchange.interventions,
            lives=venue.lives,
            orders=venue.desk.count,
            fills=venue.desk.fills,
            answers=venue.answers,
            auction_days=venue.desk.auction_days,
            standings=standings,
            books=books,
        )
        write_state_file(self._path, state)

    # Inside

    def _hear(self, event: Bar | Quote | Trade) -> None:
        """A step, or an operator's price; what it brought is booked."""
        self._moved = self._moved or self._venue.exchange.code_of(event.instrument) in self._codes
        # Another face of the market may be who moves it: frames of what happened go out before we are asked again. A
        # trade is told in the middle of its booking.
        if self._changed and not isinstance(event, Trade):
            self.save()

    def _standing(self, security: Security) -> Standing | None:
        """None of a price that is not this gateway's own: a listing of the shared market, one that follows a path."""
        stock = security.stock(self._venue.exchange)
        if stock.chronicle is None or stock.touch is None or not isinstance(stock.source, Walk):
            return None
        ts_ns = self._venue.quotes.as_of(security)
        day = stock.chronicle.day(ts_ns)
        return Standing(
            ts_ns=ts_ns,
            price=stock.price,
            fine=stock.source.fine,
            touch=stock.touch,
            previous_close=stock.previous_close,
            before=stock.chronicle.close_before(stock.chronicle.sessions.day(ts_ns)),
            day=None if day is None else Figures(day.open, day.high, day.low, day.close, day.volume),
        )

    def _kept(self, book: Book) -> KeptBook:
        orders: list[Any] = []
        for order in book.orders.values():
            found = self._ended.get(order.number)
            if found is None:
                kept = KeptOrder(**_fields(order, OrderFacts), security=order.security.key)
                if order.is_final:
                    found = self._ended[order.number] = msgspec.Raw(msgspec.json.encode(kept))
            orders.append(found or kept)
        fills: list[Any] = []
        for fill in book.fills:
            found = self._booked.get(fill.fill_id)
            if found is None:
                row = KeptExecution(**_fields(fill, ExecutionFacts), order_id=fill.order.order_id)
                found = self._booked[fill.fill_id] = msgspec.Raw(msgspec.json.encode(row))
            fills.append(found)
        return KeptBook(
            acc_id=book.account.acc_id,
            cash=book.cash,
            holdings=[
                KeptHolding(**_fields(one, HoldingFacts), security=one.security.key) for one in book.holdings.values()
            ],
            orders=orders,
            fills=fills,
        )

    def _restore(self, book: Book, kept: KeptBook) -> None:
        book.cash = dict(kept.cash)
        book.holdings = {
            (one.security, one.side): Holding(**_fields(one, HoldingFacts), security=self._security(one.security, book))
            for one in kept.holdings
        }
        book.orders = {}
        for row in kept.orders:
            order = Order(**_fields(row, OrderFacts), security=self._security(row.security, book))
            # A cache that lags is empty after a restart, and is filled with what there is.
            order.versions.append((order.created_ns, order_row(order)))
            book.orders[order.order_id] = order
        book.fills = [
            Execution(**_fields(fill, ExecutionFacts), order=book.orders[fill.order_id]) for fill in kept.fills
        ]

    def _security(self, key: str, book: Book) -> Security:
        found = self._venue.securities.get(key)
        if found is None:
            raise ConfigError(
                f"{self._path} has orders or positions of account {book.account.acc_id} in the security {key} "
                "(market_code), which is none of the securities; put it back, or delete the file to begin anew"
            )
        return found


def _fields(row: Struct, kind: type[Struct]) -> Mapping[str, Any]:
    return {name: getattr(row, name) for name in kind.__struct_fields__}
