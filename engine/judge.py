"""What became of every order: the only judge of evidence.

Routers bring it as ``OrderReport`` and ``AccountObserved``; what matters is handed to the journal before anybody hears
of it, and what is still unknown stays UNKNOWN until evidence comes.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from engine.clock import Clock
from engine.domain.account import Baseline, Capabilities, OrderRow
from engine.domain.commands import CancelOrder, OrderType, Side, SubmitOrder
from engine.domain.events import (
    AccountObserved,
    Alert,
    Fill,
    JournalRecord,
    KillLevel,
    LatchCleared,
    LatchSet,
    OrderAccepted,
    OrderSubmitted,
)
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId, VenueOrderId
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.order import TERMINAL, Change, Evidence, Order, OrderReport, OrderState, Proof
from engine.domain.timestamps import HOUR_NS
from engine.markets.rulebook import ChargesByOrder, RuleBook
from engine.outcomes import NOTHING_TOLD, REPAIRS, ROWS, Told, booking, event_type_of, order_event, with_row
from engine.portfolio import Portfolio
from engine.readings import Readings
from engine.risk.checker import RiskChecker
from engine.risk.view import RiskView

# Reading a member off its class is slow in Python 3.11, and these are read for every order of a replay.
_FILL, _WORKING, _FILLED = Evidence.FILL, OrderState.WORKING, OrderState.FILLED
_REQUESTS = (Evidence.CANCEL_REQUEST, Evidence.REPLACE_REQUEST)

KEEP_ENDED_NS = 25 * HOUR_NS
"""How long an ended order stays in memory for late evidence: a day and an hour (RELIABILITY 7)."""


class CancelWanted(Struct, frozen=True, gc=False):
    """An order should be withdrawn at the venue: the last subscriber takes it there."""

    order: Order


class Judge:
    """Orders from the gate to their last evidence. ``record`` hands a record to the journal and gives its number."""

    __slots__ = ("__dict__", "__weakref__", "only_books", "quiet")

    def __init__(
        self,
        *,
        clock: Clock,
        publish: Callable[[Any], object],
        record: Callable[[JournalRecord], int | None],
        portfolio: Portfolio,
        checker: RiskChecker,
        view: RiskView,
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        sheets: Mapping[AccountId, Capabilities],
        keep_ended_ns: int = KEEP_ENDED_NS,
    ) -> None:
        """``keep_ended_ns``: 0 where a venue has said everything when it says the end, as the simulated one has."""
        self.orders: dict[ClientOrderId, Order] = {}
        """Everything not ended, and what ended lately."""
        self.working: dict[ClientOrderId, Order] = {}
        self.orders_made: dict[StrategyId, int] = {}
        self.last_change_ns: dict[AccountId, int] = {}
        """When each account was last known to change by our doing: readings begun earlier prove nothing."""
        self.last_moves_ns: dict[tuple[AccountId, InstrumentId], int] = {}
        """The same for what an account holds of one instrument."""
        self._clock = clock
        self._publish = publish
        self._record = record
        self._portfolio = portfolio
        self._checker = checker
        self._view, self._instruments, self._books = view, instruments, books
        # Asking a class whether it keeps a protocol is slow.
        self._by_order = {name: book for name, book in books.items() if isinstance(book, ChargesByOrder)}
        self._sheets = sheets
        self._keep_ended_ns = keep_ended_ns
        self._publish_submitted = self._publish_fill = self._publish_accepted = publish
        self.quiet: frozenset[StrategyId] = frozenset()
        """Strategies that need not be told of acceptances."""
        self.only_books = False
        """Whether fills are booked and nobody else hears of them, and orders are forgotten with their last fill."""
        self._limits = checker.limits_id
        self._baselines: dict[ClientOrderId, Baseline] = {}
        self._told: dict[ClientOrderId, Told] = {}
        self._venue_ids: dict[tuple[AccountId, VenueOrderId], ClientOrderId] = {}
        self._ended: deque[tuple[int, ClientOrderId]] = deque()
        self._readings = Readings(
            self, self._venue_ids, self._baselines, clock, portfolio, view.reference, self._charged, view.day_of
        )

    def bind(self, publisher: Callable[[type], Callable[[Any], object]]) -> None:
        """Look the subscribers of every order's events up once; call it when all have subscribed."""
        self._publish_submitted = publisher(OrderSubmitted)
        self._publish_fill = publisher(Fill)
        self._publish_accepted = publisher(OrderAccepted)
        heard_by_books = self._publish_fill == self._portfolio.on_fill
        self.only_books = heard_by_books and not self._keep_ended_ns and not self._portfolio.futures

    def hush(self, quiet: frozenset[StrategyId]) -> None:
        """Strategies that need not be told of acceptances, where nobody else listens to them either (replay)."""
        self.quiet = quiet

    # --- evidence -----------------------------------------------------------------------------------------------------

    def on_report(self, report: OrderReport) -> None:
        """One piece of evidence from a router, or from our own gate."""
        order = self.orders.get(report.client_id)
        if self.only_books and order is not None and report.kind is _FILL and self._booked(order, report):
            return
        if order is not None and order.take(report):
            record = self._record
            record(report)
            self._taken(order, report)
            return
        if order is None:
            known = self._venue_ids.get((report.account, report.venue_id))
            order = self.orders.get(known) if known and not report.client_id else None
        if order is None:
            what = f"{report.kind} of order {report.venue_id or report.client_id or '?'} which is not ours"
            self._publish(Alert(ts_ns=report.ts_ns, about=f"account:{report.account}", text=what))
            return
        if report.kind is _FILL and report.fee is None:
            report = msgspec.structs.replace(report, fee=self._fee(order, report))
        if not report.client_id:
            report = msgspec.structs.replace(report, client_id=order.request.client_id)
        self._join(order, report)

    def _booked(self, order: Order, report: OrderReport) -> bool:
        """Take the FILL that ends an order at once, where only the books need to hear of it; False if it is none."""
        client_id, price, fee = report.client_id, report.price, report.fee
        if price is None or fee is None or report.venue_id or not order.finish(report.quantity):
            return False
        record, portfolio, request = self._record, self._portfolio, order.request
        record(report)
        portfolio.forget(client_id)
        if self._view.open_orders is None:
            self._view.on_order_filled(client_id)
        portfolio.book(request, report.quantity, price, fee, report.as_of_ns or report.ts_ns)
        del self.orders[client_id], self.working[client_id]
        return True

    def _taken(self, order: Order, report: OrderReport) -> None:
        """``_join`` for the ACK or FILL of everyday, which the order has taken already."""
        request = order.request
        price, fee = report.price, report.fee
        if report.kind is not _FILL or price is None or fee is None:
            # An ACK: what the order may still do has not changed.
            if report.venue_id and self._keep_ended_ns:
                self._venue_ids[request.account, order.venue_id] = request.client_id
            if request.strategy not in self.quiet:
                self._publish_accepted(order_event(OrderAccepted, order, report.reason, report.ts_ns))
            return
        client_id, cum = request.client_id, order.cum
        ended = order.state is _FILLED
        fill = Fill(
            client_id=client_id,
            account=request.account,
            strategy=request.strategy,
            instrument=request.instrument,
            side=request.side,
            quantity=report.quantity,
            price=price,
            fee=fee,
            ts_ns=report.as_of_ns or report.ts_ns,
            fill_id=report.fill_id,
            cum=cum,
            leaves=0 if ended else order.leaves,
            offset=request.offset,
        )
        if ended and not self._keep_ended_ns:
            # All it will ever hear is heard.
            if self._told:
                self._told.pop(client_id, None)
            self._portfolio.forget(client_id)
            if self._view.open_orders is None:
                self._view.on_order_filled(client_id)
            self._publish_fill(fill)
            del self.orders[client_id], self.working[client_id]
            return
        self._changed(request, report.ts_ns)
        self._told[client_id] = (cum, order.value, order.fee)
        self._portfolio.on_order_changed(order)
        self._view.on_order_changed(order)
        self._publish_fill(fill)
        if ended:
            self._end(order, report.ts_ns)

    def _join(self, order: Order, report: OrderReport) -> None:
        """Let the order take the evidence; journal what mattered; book, then tell."""
        before = order.standing
        change = order.apply(report)
        if change.impossible:
            self._publish(Alert(ts_ns=report.ts_ns, about=f"order:{report.client_id}", text=change.alert))
            return
        moved = change.after is not change.before or change.cum_delta or change.alert
        moved = moved or order.standing != before
        if not moved and (report.kind is not Evidence.FILL or change.ignored):
            if report.kind in ROWS and not change.ignored:
                order.unwritten = with_row(order.unwritten, report)
            return
        if order.unwritten and (change.after is OrderState.DISPUTED or report.kind in REPAIRS):
            # Rows that changed nothing when they came are what this one is judged by: a replay must know them too.
            for row in order.unwritten:
                self._record(row)
            order.unwritten = ()
        self._record(report)
        request = order.request
        if order.venue_id and not before[0] and self._keep_ended_ns:
            self._venue_ids[request.account, order.venue_id] = request.client_id
        self._portfolio.on_order_changed(order)
        self._view.on_order_changed(order)
        if report.kind in _REQUESTS:
            self._view.on_cancel(request, report.ts_ns, order.sent_ns)
        self._book(order, report)
        self._announce(order, report, change)
        if order.state in TERMINAL:
            self._end(order, report.ts_ns)
        elif change.before in TERMINAL:
            self.working[request.client_id] = order

    def _book(self, order: Order, report: OrderReport) -> None:
        """Tell what changed in quantity and money, once."""
        request = order.request
        told, fee = self._told.get(request.client_id, NOTHING_TOLD), self._cost(order)
        entry = booking(order, fee, told, report, self._instruments[request.instrument])
        if entry is None:
            return
        self._told[request.client_id] = (order.cum, order.value, fee)
        self._changed(request, report.ts_ns)
        self._publish(entry)

    def _announce(self, order: Order, report: OrderReport, change: Change) -> None:
        event_type = event_type_of(change, report.kind)
        if event_type is not None:
            self._publish(order_event(event_type, order, report.reason, report.ts_ns))
        if change.alert:
            self._publish(Alert(ts_ns=report.ts_ns, about=f"order:{report.client_id}", text=change.alert))
        if change.alert and order.state is OrderState.DISPUTED:
            scope = f"symbol:{order.request.instrument}"
            self.latch(KillLevel.HALT, scope, f"{report.client_id} {change.alert}", "engine", report.ts_ns)

    def _end(self, order: Order, ts_ns: int) -> None:
        client_id = order.request.client_id
        self.working.pop(client_id, None)
        if not self._keep_ended_ns:
            self._forget(order)
            return
        self._ended.append((ts_ns, client_id))
        while self._ended and self._ended[0][0] < ts_ns - self._keep_ended_ns:
            _, old = self._ended.popleft()
            ended = self.orders.get(old)
            if ended is not None and ended.state in TERMINAL:
                self._forget(ended)

    def _forget(self, order: Order) -> None:
        client_id = order.request.client_id
        del self.orders[client_id]
        self._baselines.pop(client_id, None)
        self._venue_ids.pop((order.request.account, order.venue_id), None)
        self._readings.forget(client_id)
        self._told.pop(client_id, None)
        self._portfolio.forget(client_id)

    def _fee(self, order: Order, fill: OrderReport) -> Decimal:
        """What a fill costs whose venue does not say."""
        request = order.request
        spec = self._instruments[request.instrument]
        price, whole = fill.price or ZERO, self._by_order.get(spec.market)
        if whole is not None:
            filled = order.real + fill.quantity
            total = whole.order_fee(request.side, filled, order.real_value + price * fill.quantity, spec, fill.ts_ns)
            return max(ZERO, total - order.fee)
        return self._books[spec.market].fee(request.type, request.side, fill.quantity, price, spec, fill.ts_ns)

    def _changed(self, request: SubmitOrder, ts_ns: int) -> None:
        """An order's doing moved its account and what that holds, or will have."""
        account, instrument = request.account, request.instrument
        self.last_change_ns[account] = max(ts_ns, self.last_change_ns.get(account, 0))
        self.last_moves_ns[account, instrument] = max(ts_ns, self.last_moves_ns.get((account, instrument), 0))

    def _charged(self, instrument: InstrumentId) -> bool:
        """Whether even the smallest trade costs a fee, whichever way it goes."""
        spec = self._instruments[instrument]
        book, lot = self._books[spec.market], spec.lot
        return all(book.fee(OrderType.LIMIT, side, lot, Decimal(100), spec) > 0 for side in (Side.BUY, Side.SELL))

    def _cost(self, order: Order) -> Decimal:
        """The fees of all that is filled: those of its fills, and the market's own for what is only inferred."""
        inferred = order.cum - order.real
        if inferred <= 0:
            return order.fee
        request = order.request
        spec = self._instruments[request.instrument]
        book, whole = self._books[spec.market], self._by_order.get(spec.market)
        if whole is not None:
            return max(order.fee, whole.order_fee(request.side, order.cum, order.value, spec, request.ts_ns))
        return order.fee + book.fee(request.type, request.side, inferred, order.value / order.cum, spec, request.ts_ns)

    # --- accounts -----------------------------------------------------------------------------------------------------

    def on_account(self, event: AccountObserved) -> None:
        """Read an account's lists for traces of orders; what no order explains is reconciliation's."""
        snapshot = event.snapshot
        sheet = self._sheets.get(snapshot.account)
        if sheet is None:
            return
        # One by one: what a row says of one order changes what the next is measured by.
        for report in self._readings.evidence_in(snapshot, sheet):
            self.on_report(report)

    # --- safety -------------------------------------------------------------------------------------------------------

    def latch(self, level: KillLevel, scope: str, cause: str, who: str, ts_ns: int = 0) -> None:
        """Raise a kill level; machines and people may (RELIABILITY 4.4)."""
        latch = LatchSet(level=level, scope=scope, cause=cause, who=who, ts_ns=ts_ns or self._clock.now_ns)
        self._record(latch)
        self._publish(latch)
        if level >= KillLevel.CANCEL:
            self.cancel_scope(scope, who)

    def unlatch(self, scope: str, reason: str, who: str) -> None:
        """Lower it again; only people may."""
        cleared = LatchCleared(scope=scope, reason=reason, who=who, ts_ns=self._clock.now_ns)
        self._record(cleared)
        self._publish(cleared)

    def cancel_scope(self, scope: str, who: str) -> None:
        kind, _, name = scope.partition(":")
        for order in list(self.working.values()):
            request = order.request
            of = {"all": "", "account": request.account, "strategy": request.strategy, "symbol": request.instrument}
            if of.get(kind) == name:
                self.on_cancel(CancelOrder(client_id=request.client_id, ts_ns=self._clock.now_ns, who=who))

    def on_cancel(self, command: CancelOrder) -> None:
        """No limit or latch refuses a cancel (decision 14)."""
        order = self.working.get(command.client_id)
        if order is None or order.cancel_pending:
            return
        request = order.request
        self.on_report(
            OrderReport(
                account=request.account,
                client_id=request.client_id,
                kind=Evidence.CANCEL_REQUEST,
                ts_ns=self._clock.now_ns,
                proof=Proof.LOCAL,
            )
        )
        if order.state not in TERMINAL:
            self._publish(CancelWanted(order))

    # --- readers ------------------------------------------------------------------------------------------------------

    def working_of(self, strategy: StrategyId) -> Sequence[Order]:
        return [order for order in self.working.values() if order.request.strategy == strategy]

    def is_ours(self, account: AccountId, venue_id: VenueOrderId, tag: ClientOrderId) -> bool:
        """Whether an order we still remember bears this number, or echoes this client id."""
        return (account, venue_id) in self._venue_ids or tag in self.orders

    def is_like_ours(self, account: AccountId, row: OrderRow) -> bool:
        """Whether the row may be of an order whose fills the holdings told, and whose number is not known."""
        return any(
            order.cum == row.cum > 0 and not order.venue_id and order.request.side is row.side
            for order in self.orders.values()
            if (order.request.account, order.request.instrument) == (account, row.instrument)
        )

    def of_before(self, account: AccountId) -> Sequence[Order]:
        """Orders that are not over and were sent on an earlier trading day: the venue's history must be asked."""
        mine = (order for order in self.working.values() if order.request.account == account)
        return self._readings.of_before(mine, self._clock.now_ns)

    def disputed(self, account: AccountId) -> Sequence[Order]:
        """Orders a person must decide."""
        states = (OrderState.DISPUTED,)
        return [o for o in self.working.values() if o.request.account == account and o.state in states]

    def undecided(self, account: AccountId) -> Sequence[Order]:
        """Orders whose outcome must be looked for, oldest first."""
        states = (OrderState.PENDING_NEW, OrderState.UNKNOWN)
        return [o for o in self.working.values() if o.request.account == account and o.state in states]
