"""The life of orders: accepted, working, triggered, filled in parts, changed, cancelled, expired, busted.

Nothing here waits. What is to happen later lies in a queue by time, and is worked off in between the steps of the
exchange, so that what happens depends on seed and times, never on who asked when.
"""

import heapq
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from engine.domain.market import Bar, Quote, Trade
from engine.domain.money import exact
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS
from engine.simulators.chronicle import mixed
from engine.simulators.exchange import Exchange
from engine.simulators.futu.codes import (
    AUCTIONS,
    CONDITIONAL,
    GTC,
    HONG_KONG_ONLY,
    IOC,
    MATCHABLE,
    Kind,
    Status,
)
from engine.simulators.futu.envelope import NOT_CHANGEABLE, OUT_OF_RANGE, Failed
from engine.simulators.futu.ledger import Execution, Ledger, Order, takes_market_price
from engine.simulators.futu.matching import View, arrival_price, auction_price, resting_price, triggers
from engine.simulators.futu.rows import order_row
from engine.simulators.futu.securities import CONNECT, Security
from engine.simulators.sessions import AUCTION, CLOSED, CLOSING_AUCTIONS, CONTINUOUS, WAITING, Sessions, local_text

Change = Callable[[Order | Execution, int], None]
"""Told of every new state of an order and every new, busted or corrected fill, with the time."""
ACCEPTING = CONTINUOUS | CLOSING_AUCTIONS | {AUCTION, WAITING}


class Pace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the broker behaves: times in milliseconds of the clock, chances between 0 and 1."""

    submit_ms: int = 250
    """From acceptance to the book."""
    cancel_ms: int = 400
    partial: float = 0.3
    """Chance of one match to fill only a part."""
    fill_first: float = 0.5
    """Chance that the fill is pushed before the order's update."""


class Desk:
    """All orders of one gateway.

    Args:
        securities: key -> security. seed: of ids and partial fills. told: hears of every change.
    """

    def __init__(
        self,
        exchange: Exchange,
        ledger: Ledger,
        securities: dict[str, Security],
        sessions: dict[str, Sessions],
        pace: Pace,
        seed: int,
        told: Change,
    ) -> None:
        self.exchange = exchange
        self.ledger = ledger
        self.pace = pace
        self.count = 0
        """Orders so far, from which their ids come."""
        self.fills = 0
        """Executions so far."""
        self.auction_days: dict[str, int] = {}
        """The day whose opening auction each security has had."""
        self._securities = securities
        self._sessions = sessions
        self._by_listing = {security.exchange_code: security for security in securities.values()}
        self._seed = seed
        self._told = told
        self._due: list[tuple[int, int, Callable[[int], None]]] = []
        self._turn = 0
        self._open: dict[str, list[Order]] = {}
        self._bands: dict[str, tuple[int, tuple[float, float] | None]] = {}
        self.views = {key: self._view_now(security) for key, security in securities.items()}
        """What each security showed at the last step that was heard."""
        exchange.listen(self.hear)

    # Time

    def advance(self, now_ns: int) -> None:
        self.exchange.advance(now_ns)
        self._work(now_ns)

    def next_due_ns(self) -> int | None:
        return self._due[0][0] if self._due else None

    def hear(self, event: Bar | Quote | Trade) -> None:
        """One step of the exchange."""
        if not isinstance(event, Bar):
            return
        security = self._by_listing.get(self.exchange.code_of(event.instrument))
        if security is None:
            return
        self._work(event.ts_ns)
        quote = self.exchange.quote(security.exchange_code, event.ts_ns)
        view = View(event.low, event.high, quote.bid, quote.ask, event.close)
        self.views[security.key] = view
        self._step(security, view, event)

    def sessions_of(self, security: Security) -> Sessions:
        return self._sessions[security.place.board]

    def day(self, security: Security, now_ns: int) -> int:
        return self.sessions_of(security).trading_day(now_ns)

    # Orders come in

    def next_ids(self, security: Security, now_ns: int) -> tuple[int, int, str]:
        """Number, id and lasting id of a new order; ids are spread over all of uint64."""
        self.count += 1
        order_id = mixed(self._seed, 1, self.count) or 1
        stamp = local_text(now_ns, security.place.timetable.timezone)
        return self.count, order_id, f"{stamp[:10].replace('-', '')}_{stamp[11:13]}_{order_id}"

    def place(self, order: Order, now_ns: int) -> None:
        """Take an order that was checked."""
        self.ledger.book(order.acc_id).orders[order.order_id] = order
        self._open.setdefault(order.security.key, []).append(order)
        if order.kind in CONDITIONAL or not self._accepts(order, now_ns):
            self._set(order, Status.WAITING, now_ns)
        else:
            self._submit(order, now_ns)
        self._expires(order)

    def fail(self, order: Order, text: str, now_ns: int) -> None:
        """The exchange refuses an order after it was accepted."""
        order.error = text
        self._set(order, Status.FAILED, now_ns)

    def change(self, order: Order, now_ns: int) -> None:
        """An order was given other terms."""
        order.arrived = False
        self._set(order, order.status, now_ns)
        if order.status in MATCHABLE:
            self._arrive(order, now_ns)

    def cancel(self, order: Order, now_ns: int) -> None:
        """Take a request to cancel; the order ends when the broker confirms.

        Raises:
            Failed: 10003, it has ended.
        """
        if order.is_final:
            raise Failed(f"CancelOrder: {NOT_CHANGEABLE}", code=10003)
        if order.status in {Status.CANCELLING_ALL, Status.CANCELLING_PART}:
            return
        self._set(order, Status.CANCELLING_PART if order.filled else Status.CANCELLING_ALL, now_ns)
        order.due_ns = now_ns + self.pace.cancel_ms * 1_000_000
        self._await(order)

    def switch(self, order: Order, *, on: bool, now_ns: int) -> None:
        """Disable or enable an order (Hong Kong).

        Raises:
            Failed: 10003, it can not be switched.
        """
        if order.is_final or (on and order.status is not Status.DISABLED):
            raise Failed(f"ModifyOrder: {NOT_CHANGEABLE}", code=10003)
        if on:
            self._submit(order, now_ns)
        else:
            order.working = False
            self._set(order, Status.DISABLED, now_ns)

    def delete(self, order: Order, now_ns: int) -> None:
        """Remove an order that no longer works.

        Raises:
            Failed: 10003, it does work.
        """
        if order.status not in {Status.DISABLED, Status.FAILED}:
            raise Failed(f"DeleteOrder: {NOT_CHANGEABLE}", code=10003)
        self._set(order, Status.DELETED, now_ns)

    def bust(self, execution: Execution, now_ns: int) -> None:
        """Play an execution that the exchange takes back."""
        order = execution.order
        self.ledger.book(order.acc_id).bust(execution, now_ns, self.day(order.security, now_ns))
        self._told(execution, now_ns)
        self._set(order, Status.FILL_CANCELLED, now_ns)

    def correct(self, execution: Execution, price: Decimal, now_ns: int) -> None:
        """Play an execution whose price the exchange changes."""
        self.ledger.book(execution.order.acc_id).correct(execution, price, now_ns)
        self._told(execution, now_ns)
        self._set(execution.order, execution.order.status, now_ns)

    def expiry(self, security: Security, time_in_force: int, until_ns: int | None, now_ns: int) -> int:
        """When an order ends by itself: a day's at the end of the day in which it can trade, GTC's after 90 days."""
        if time_in_force == GTC:
            return now_ns + 90 * DAY_NS
        if until_ns is not None:
            return until_ns
        sessions = self.sessions_of(security)
        moment = now_ns
        ends = sessions.minute_ends(sessions.day(moment))
        while not ends or ends[-1] <= now_ns:
            moment += 12 * HOUR_NS
            ends = sessions.minute_ends(sessions.day(moment))
        # The closing price still fills; the order ends a minute after it.
        return ends[-1] + MINUTE_NS

    def resume(self, count: int, fills: int, auction_days: dict[str, int]) -> None:
        """Go on where an earlier life of this desk ended: its figures, and the orders that are open in the ledger."""
        self.count, self.fills, self.auction_days = count, fills, dict(auction_days)
        for order in self.ledger.orders():
            if not order.is_final:
                self._open.setdefault(order.security.key, []).append(order)
                self._await(order)
                self._expires(order)

    # Inside

    def _await(self, order: Order) -> None:
        """Queue the arrival of an order on its way, or the end of one that is being cancelled."""
        if order.status is Status.SUBMITTING:
            self._at(order.due_ns, lambda ts_ns: self._arrived(order, ts_ns))
        elif order.status in {Status.CANCELLING_ALL, Status.CANCELLING_PART}:
            self._at(order.due_ns, lambda ts_ns: self._end(order, ts_ns))

    def _expires(self, order: Order) -> None:
        self._at(order.expires_ns, lambda ts_ns: self._end(order, ts_ns))

    def _at(self, ts_ns: int, action: Callable[[int], None]) -> None:
        self._turn += 1
        heapq.heappush(self._due, (ts_ns, self._turn, action))

    def _work(self, now_ns: int) -> None:
        while self._due and self._due[0][0] <= now_ns:
            ts_ns, _, action = heapq.heappop(self._due)
            action(ts_ns)

    def _set(self, order: Order, status: Status, now_ns: int) -> None:
        order.status = status
        order.updated_ns = max(order.updated_ns, now_ns)
        order.versions.append((now_ns, order_row(order)))
        if order.is_final:
            self._open[order.security.key] = [o for o in self._open[order.security.key] if o is not order]
        self._told(order, now_ns)

    def _accepts(self, order: Order, now_ns: int) -> bool:
        state = self.sessions_of(order.security).state(now_ns)
        outside = bool(order.fill_outside_rth) or order.session in {2, 3, 4}
        return state in ACCEPTING or (outside and state != CLOSED)

    def _submit(self, order: Order, now_ns: int) -> None:
        self._set(order, Status.SUBMITTING, now_ns)
        order.due_ns = now_ns + self.pace.submit_ms * 1_000_000
        self._await(order)

    def _arrived(self, order: Order, now_ns: int) -> None:
        if order.status is not Status.SUBMITTING:
            return
        priced = not takes_market_price(order) and order.kind != Kind.AUCTION
        low, high = self._range(order.security, now_ns)
        if priced and not low <= float(order.price) <= high:
            self.fail(order, OUT_OF_RANGE, now_ns)
            return
        order.working = True
        self._set(order, Status.FILLED_PART if order.filled else Status.SUBMITTED, now_ns)
        self._arrive(order, now_ns)

    def _range(self, security: Security, now_ns: int) -> tuple[float, float]:
        """What prices the exchange takes: the mainland's limits of the day, elsewhere so far from the last price."""
        if security.is_mainland:
            band = self._band(security, now_ns)
            if band is not None:
                return band
        last, factor = self.views[security.key].last, security.place.range_up
        return last / factor, last * factor

    def _band(self, security: Security, now_ns: int) -> tuple[float, float] | None:
        day, (known, band) = self.day(security, now_ns), self._bands.get(security.key, (0, None))
        if day != known:
            chronicle = security.stock(self.exchange).chronicle
            close = None if chronicle is None else chronicle.close_before(date.fromordinal(day))
            band = CONNECT.price_band(security.instrument, close, now_ns)
            self._bands[security.key] = (day, band)
        return band

    def _arrive(self, order: Order, now_ns: int) -> None:
        if order.arrived or not self.sessions_of(order.security).trades(now_ns):
            return
        order.arrived = True
        price = arrival_price(order, self.views[order.security.key])
        if price is not None:
            self._fill(order, price, now_ns)
        if not order.is_final and (order.time_in_force == IOC or order.kind in {8, 9}):
            self._end(order, now_ns)

    def _step(self, security: Security, view: View, bar: Bar) -> None:
        sessions, now_ns = self.sessions_of(security), bar.ts_ns
        auction = bar.close if sessions.ends_auction(now_ns) else None
        if self.auction_days.get(security.key) != (today := sessions.trading_day(now_ns)):
            self.auction_days[security.key] = today
            auction = bar.open
        for order in list(self._open.get(security.key, ())):
            if order.status is Status.WAITING:
                self._wake(order, view, now_ns)
            elif order.status in MATCHABLE and order.working:
                self._meet(order, view, auction, now_ns)

    def _wake(self, order: Order, view: View, now_ns: int) -> None:
        if order.kind in CONDITIONAL and not order.triggered:
            if not triggers(order, view):
                return
            order.triggered = True
            if order.kind == Kind.TRAILING_STOP_LIMIT:
                spread = order.trail_spread or 0.0
                limit = view.last + spread if order.buys else view.last - spread
                step = order.security.tick(limit)
                order.price = exact(round(round(limit / step) * step, 4))
        self._submit(order, now_ns)

    def _meet(self, order: Order, view: View, auction: float | None, now_ns: int) -> None:
        price = None if auction is None else auction_price(order, auction)
        waits = order.kind in AUCTIONS and not order.triggered
        if price is None and not waits:
            if not order.arrived:
                self._arrive(order, now_ns)
                return
            price = resting_price(order, view)
        if price is not None:
            self._fill(order, price, now_ns)
        if auction is not None and waits:
            # What an auction leaves of a limit order goes on as a limit order (HKEX, at-auction limit orders).
            order.triggered = order.arrived = True
            if order.kind == Kind.AUCTION:
                self._end(order, now_ns)

    def _fill(self, order: Order, price: float, now_ns: int) -> None:
        self.fills += 1
        bits = mixed(self._seed, 2, order.number, self.fills)
        quantity = self._part(order, bits)
        book = self.ledger.book(order.acc_id)
        fill_id = (5_120_000_000_000_000_000 + mixed(self._seed, 3, self.fills) % 10**18) | 1
        stamp = local_text(now_ns, order.security.place.timetable.timezone)[:10].replace("-", "")
        day = self.day(order.security, now_ns)
        execution = book.fill(
            order, quantity, exact(price), fill_id=fill_id, id_ex=f"{stamp}_{fill_id}", now_ns=now_ns, day=day
        )
        self.exchange.print_trade(order.security.exchange_code, price, quantity, now_ns)
        status = Status.FILLED_ALL if not order.remaining else Status.FILLED_PART
        if order.remaining and order.status in {Status.CANCELLING_ALL, Status.CANCELLING_PART}:
            status = Status.CANCELLING_PART
        if bits >> 32 & 0xFFFF < self.pace.fill_first * 0x10000:
            self._told(execution, now_ns)
            self._set(order, status, now_ns)
        else:
            self._set(order, status, now_ns)
            self._told(execution, now_ns)

    def _part(self, order: Order, bits: int) -> int:
        lots = order.remaining // order.security.lot
        whole = order.kind == Kind.SPECIAL_LIMIT_ALL or lots < 2
        if whole or (bits & 0xFFFF) >= self.pace.partial * 0x10000:
            return order.remaining
        return order.security.lot * (1 + (bits >> 16 & 0xFFFF) % (lots - 1))

    def _end(self, order: Order, now_ns: int) -> None:
        if not order.is_final:
            self._set(order, Status.CANCELLED_PART if order.filled else Status.CANCELLED_ALL, now_ns)

    def _view_now(self, security: Security) -> View:
        stock = security.stock(self.exchange)
        quote = self.exchange.quote(security.exchange_code, 0)
        return View(stock.price, stock.price, quote.bid, quote.ask, stock.price)


def kinds_of(market: Literal["HK", "US", "SH", "SZ"]) -> frozenset[int]:
    """Order types a market has: auction and special limits in Hong Kong alone, no conditional ones on the mainland."""
    plain = frozenset({int(Kind.NORMAL), int(Kind.MARKET)})
    if market in {"SH", "SZ"}:
        return plain
    return plain | CONDITIONAL | (HONG_KONG_ONLY if market == "HK" else frozenset())
