"""The only gate an order can leave by, and the only judge of what became of it.

Everything it decides is handed to the journal before anybody hears of it. It never waits: routers bring evidence as
``OrderReport`` and ``AccountObserved``, and what is still unknown stays UNKNOWN until evidence comes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from engine.clock import Clock
from engine.correlation import AccountBooks, Matcher, needs_evidence, row_evidence
from engine.domain.account import AccountSnapshot, Baseline, Capabilities
from engine.domain.commands import CancelOrder, ReplaceOrder, SubmitOrder
from engine.domain.events import (
    AccountObserved,
    Alert,
    CancelRejected,
    Fill,
    JournalRecord,
    KillLevel,
    LatchCleared,
    LatchSet,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderDisputed,
    OrderEvent,
    OrderExpired,
    OrderNotPlaced,
    OrderRejected,
    OrderReplaced,
    OrderSent,
    OrderSubmitted,
    OrderUnknown,
    PositionAdjusted,
    ReplaceRejected,
    StrategyStopped,
)
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId, VenueOrderId
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.order import LIVE, TERMINAL, Change, Evidence, Order, OrderReport, OrderState, Proof
from engine.domain.timestamps import HOUR_NS
from engine.markets.rulebook import RuleBook
from engine.portfolio import Portfolio
from engine.risk.checker import RiskChecker
from engine.risk.cost import worst_case_cost
from engine.risk.view import RiskView

KEEP_ENDED_NS = 25 * HOUR_NS
"""How long an ended order stays in memory for late evidence: a day and an hour (RELIABILITY 7)."""


class CancelWanted(Struct, frozen=True, gc=False):
    """An order should be withdrawn at the venue: the last subscriber takes it there."""

    order: Order


class ReplaceWanted(Struct, frozen=True, gc=False):
    order: Order
    quantity: int
    price: Decimal | None


_EVENT_OF: dict[OrderState, type[OrderEvent]] = {
    OrderState.WORKING: OrderAccepted,
    OrderState.REJECTED: OrderRejected,
    OrderState.UNKNOWN: OrderUnknown,
    OrderState.NOT_PLACED: OrderNotPlaced,
    OrderState.CANCELED: OrderCanceled,
    OrderState.EXPIRED: OrderExpired,
    OrderState.DISPUTED: OrderDisputed,
}
_REFUSALS: dict[Evidence, type[OrderEvent]] = {
    Evidence.CANCEL_REJECT: CancelRejected,
    Evidence.REPLACE_REJECT: ReplaceRejected,
    Evidence.REPLACE_ACK: OrderReplaced,
}


class OrderManager:
    """Orders from command to last evidence. ``record`` hands a record to the journal and gives its number."""

    def __init__(
        self,
        *,
        clock: Clock,
        publish: Callable[[Any], None],
        record: Callable[[JournalRecord], int],
        portfolio: Portfolio,
        checker: RiskChecker,
        view: RiskView,
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        sheets: Mapping[AccountId, Capabilities],
    ) -> None:
        self.orders: dict[ClientOrderId, Order] = {}
        """Everything not ended, and what ended lately."""
        self.working: dict[ClientOrderId, Order] = {}
        self.orders_made: dict[StrategyId, int] = {}
        self.last_change_ns: dict[AccountId, int] = {}
        """When each account was last known to change by our doing: readings begun earlier prove nothing."""
        self._clock = clock
        self._publish = publish
        self._record = record
        self._portfolio = portfolio
        self._checker = checker
        self._view = view
        self._instruments = instruments
        self._books = books
        self._sheets = sheets
        self._limits = checker.limits_hash[:12]
        self._matcher = Matcher()
        self._baselines: dict[ClientOrderId, Baseline] = {}
        self._booked: dict[ClientOrderId, tuple[int, Decimal, Decimal]] = {}
        self._venue_ids: dict[tuple[AccountId, VenueOrderId], ClientOrderId] = {}
        self._ended: deque[tuple[int, ClientOrderId]] = deque()

    # --- commands ----------------------------------------------------------------------------------------------------

    def on_submit(self, command: SubmitOrder) -> None:
        """Judge, reserve, journal, and only then tell."""
        now_ns = self._clock.now_ns
        if command.client_id in self.orders:
            self._deny(command, "DUP_ID", f"client id {command.client_id} was used before", now_ns)
            return
        denial = self._checker.check(command, now_ns)
        if denial is not None:
            self._deny(command, denial.code, denial.reason, now_ns)
            return
        sheet = self._sheets[command.account]
        submitted = OrderSubmitted(
            order=command,
            ts_ns=now_ns,
            reserved_cash=worst_case_cost(command, self._view),
            baseline=None if sheet.echoes_client_id else self._baseline(command, now_ns),
            limits=self._limits,
        )
        self._record(submitted)
        self._adopt(submitted)

    def _deny(self, command: SubmitOrder, code: str, reason: str, now_ns: int) -> None:
        denied = OrderDenied(order=command, ts_ns=now_ns, code=code, reason=reason)
        self._record(denied)
        self._publish(denied)

    def _baseline(self, command: SubmitOrder, now_ns: int) -> Baseline:
        book = self._portfolio.accounts[command.account]
        return Baseline(
            as_of_ns=now_ns,
            position=self._portfolio.account_quantity(command.account, command.instrument),
            cash=sum(book.cash.values(), ZERO),
            order_ids=tuple(venue for account, venue in self._venue_ids if account == command.account),
        )

    def _adopt(self, event: OrderSubmitted) -> None:
        request = event.order
        client_id = request.client_id
        order = self.orders[client_id] = self.working[client_id] = Order(request)
        order.apply(OrderReport(account=request.account, kind=Evidence.RISK_OK, ts_ns=event.ts_ns, client_id=client_id))
        if event.baseline is not None:
            self._baselines[client_id] = event.baseline
        self._publish(event)

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

    def on_replace(self, command: ReplaceOrder) -> None:
        order = self.working.get(command.client_id)
        if order is None:
            return
        request = order.request
        refusal = ""
        if not self._sheets[request.account].replaces:
            refusal = "this venue can not change a working order; cancel it and send another"
        elif order.state not in (OrderState.WORKING, OrderState.PARTIAL):
            refusal = f"a {order.state} order can not be changed"
        elif not order.cum <= command.quantity <= order.quantity:
            refusal = f"the quantity can only be lowered, to {order.cum} at least"
        if refusal:
            self._publish(self._event(ReplaceRejected, order, refusal))
            return
        self.on_report(
            OrderReport(
                account=request.account,
                client_id=request.client_id,
                kind=Evidence.REPLACE_REQUEST,
                ts_ns=self._clock.now_ns,
                quantity=command.quantity,
                price=command.price,
                proof=Proof.LOCAL,
            )
        )
        self._publish(ReplaceWanted(order, command.quantity, command.price))

    def on_stopped(self, event: StrategyStopped) -> None:
        """A stopped strategy's orders are withdrawn; the others go on."""
        for order in self.working_of(event.strategy):
            self.on_cancel(CancelOrder(client_id=order.request.client_id, ts_ns=event.ts_ns, who="engine"))

    # --- evidence ----------------------------------------------------------------------------------------------------

    def mark_sent(self, client_id: ClientOrderId, request_hash: str = "") -> int:
        """SEND: from here on bytes may leave. Gives the journal number that must be durable first."""
        sent = OrderSent(client_id=client_id, ts_ns=self._clock.now_ns, request_hash=request_hash)
        seq = self._record(sent)
        self._send(sent)
        return seq

    def _send(self, sent: OrderSent) -> None:
        order = self.orders[sent.client_id]
        account = order.request.account
        self.last_change_ns[account] = sent.ts_ns
        order.apply(OrderReport(account=account, kind=Evidence.SEND, ts_ns=sent.ts_ns, client_id=sent.client_id))

    def on_report(self, report: OrderReport) -> None:
        """One piece of evidence from a router, or from our own gate."""
        client_id = report.client_id or self._venue_ids.get((report.account, report.venue_id))
        order = self.orders.get(client_id) if client_id else None
        if order is None:
            what = f"{report.kind} of order {report.venue_id or report.client_id or '?'} which is not ours"
            self._publish(Alert(ts_ns=report.ts_ns, about=f"account:{report.account}", text=what))
            return
        if report.kind is Evidence.FILL and report.fee is None:
            report = msgspec.structs.replace(report, fee=self._fee(order, report.quantity, report.price or ZERO))
        if not report.client_id:
            report = msgspec.structs.replace(report, client_id=order.request.client_id)
        self._join(order, report)

    def _join(self, order: Order, report: OrderReport) -> None:
        """Let the order take the evidence; journal what mattered; book, then tell."""
        overlay = (order.cancel_pending, order.replace_pending, order.venue_id)
        change = order.apply(report)
        if change.impossible:
            self._publish(Alert(ts_ns=report.ts_ns, about=f"order:{report.client_id}", text=change.alert))
            return
        moved = change.after is not change.before or change.cum_delta or change.alert
        moved = moved or (order.cancel_pending, order.replace_pending, order.venue_id) != overlay
        if not moved and (report.kind is not Evidence.FILL or change.ignored):
            return
        self._record(report)
        request = order.request
        if order.venue_id and not overlay[2]:
            self._venue_ids[request.account, order.venue_id] = request.client_id
        self._portfolio.on_order_changed(order)
        self._view.on_order_changed(order)
        self._book(order, report)
        self._announce(order, report, change)
        if order.state in TERMINAL:
            self._end(order, report.ts_ns)
        elif change.before in TERMINAL:
            self.working[request.client_id] = order

    def _book(self, order: Order, report: OrderReport) -> None:
        """Tell what changed in quantity and money, once: the order's totals less what was told before."""
        request = order.request
        client_id = request.client_id
        cum, value, fee = self._booked.get(client_id, (0, ZERO, ZERO))
        if cum == order.cum and value == order.value and fee == order.fee:
            return
        self._booked[client_id] = (order.cum, order.value, order.fee)
        quantity, worth, cost = order.cum - cum, order.value - value, order.fee - fee
        self.last_change_ns[request.account] = max(report.ts_ns, self.last_change_ns.get(request.account, 0))
        real = report.kind is Evidence.FILL and quantity == report.quantity
        if quantity > 0:
            self._publish(
                Fill(
                    client_id=client_id,
                    account=request.account,
                    strategy=request.strategy,
                    instrument=request.instrument,
                    side=request.side,
                    quantity=quantity,
                    price=report.price if real and report.price is not None else worth / quantity,
                    fee=cost,
                    ts_ns=report.as_of_ns or report.ts_ns,
                    fill_id=report.fill_id if real else f"{client_id}@{order.cum}",
                    cum=order.cum,
                    leaves=order.leaves,
                    inferred=not real,
                )
            )
            return
        spec = self._instruments[request.instrument]
        self._publish(
            PositionAdjusted(
                account=request.account,
                strategy=request.strategy,
                instrument=request.instrument,
                ts_ns=report.ts_ns,
                quantity=quantity * request.side.sign,
                cash=-worth * request.side.sign * spec.multiplier - cost,
                currency=spec.currency,
                client_id=client_id,
                reason=f"{report.kind}: a fill of {client_id} was restated",
            )
        )

    def _announce(self, order: Order, report: OrderReport, change: Change) -> None:
        event_type = _EVENT_OF.get(change.after) if change.after is not change.before else None
        if change.before in LIVE and change.after is OrderState.WORKING:
            event_type = None
        refusal = _REFUSALS.get(report.kind)
        if refusal is not None:
            event_type = refusal
        elif change.after is OrderState.PARTIAL and change.before not in LIVE:
            event_type = OrderAccepted
        if event_type is not None:
            self._publish(self._event(event_type, order, report.reason, report.ts_ns))
        if change.alert:
            self._publish(Alert(ts_ns=report.ts_ns, about=f"order:{report.client_id}", text=change.alert))
        if change.alert and order.state is OrderState.DISPUTED:
            scope = f"symbol:{order.request.instrument}"
            self.latch(KillLevel.HALT, scope, f"{report.client_id} {change.alert}", "engine", report.ts_ns)

    def _event(self, event_type: type[OrderEvent], order: Order, reason: str, ts_ns: int = 0) -> OrderEvent:
        request = order.request
        return event_type(
            client_id=request.client_id,
            account=request.account,
            strategy=request.strategy,
            instrument=request.instrument,
            ts_ns=ts_ns or self._clock.now_ns,
            state=order.state,
            cum=order.cum,
            reason=reason,
            venue_id=order.venue_id,
        )

    def _end(self, order: Order, ts_ns: int) -> None:
        client_id = order.request.client_id
        self.working.pop(client_id, None)
        self._ended.append((ts_ns, client_id))
        while self._ended and self._ended[0][0] < ts_ns - KEEP_ENDED_NS:
            _, old = self._ended.popleft()
            ended = self.orders.get(old)
            if ended is not None and ended.state in TERMINAL:
                self._forget(ended)

    def _forget(self, order: Order) -> None:
        client_id = order.request.client_id
        del self.orders[client_id]
        self._booked.pop(client_id, None)
        self._baselines.pop(client_id, None)
        self._venue_ids.pop((order.request.account, order.venue_id), None)
        self._matcher.forget(client_id)
        self._portfolio.forget(client_id)

    def _fee(self, order: Order, quantity: int, price: Decimal) -> Decimal:
        request = order.request
        spec = self._instruments[request.instrument]
        return self._books[spec.market].fee(request.type, request.side, quantity, price, spec)

    # --- accounts ----------------------------------------------------------------------------------------------------

    def on_account(self, event: AccountObserved) -> None:
        """Read an account's lists for traces of orders; what no order explains is reconciliation's."""
        snapshot = event.snapshot
        sheet = self._sheets.get(snapshot.account)
        if sheet is None:
            return
        for report in list(self._evidence_in(snapshot, sheet)):
            self.on_report(report)

    def _evidence_in(self, snapshot: AccountSnapshot, sheet: Capabilities) -> Iterable[OrderReport]:
        account = snapshot.account
        for row in snapshot.orders or ():
            owner = self._venue_ids.get((account, row.venue_id)) if row.venue_id else None
            if owner is not None:
                yield from row_evidence(self.orders[owner], row, snapshot)
        owned = {venue: client for (holder, venue), client in self._venue_ids.items() if holder == account}
        orders = [o for o in self.orders.values() if o.request.account == account and needs_evidence(o)]
        if orders and snapshot.orders is None:
            yield from self._matcher.match_positions(orders, self._books_of(account), snapshot, sheet)
            return
        for order in orders:
            baseline = self._baselines.get(order.request.client_id)
            yield from self._matcher.match(order, baseline, snapshot, sheet, owned)

    def _books_of(self, account: AccountId) -> AccountBooks:
        portfolio = self._portfolio
        return AccountBooks(
            changed_ns=self.last_change_ns.get(account, 0),
            held=lambda instrument: portfolio.account_quantity(account, instrument),
            cash=sum(portfolio.accounts[account].cash.values(), ZERO),
            mark=self._view.reference,
        )

    # --- safety ------------------------------------------------------------------------------------------------------

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

    # --- readers and recovery ----------------------------------------------------------------------------------------

    def working_of(self, strategy: StrategyId) -> Sequence[Order]:
        return [order for order in self.working.values() if order.request.strategy == strategy]

    def undecided(self, account: AccountId) -> Sequence[Order]:
        """Orders whose outcome must be looked for, oldest first."""
        states = (OrderState.PENDING_NEW, OrderState.UNKNOWN)
        return [o for o in self.working.values() if o.request.account == account and o.state in states]

    def recover(self, records: Iterable[JournalRecord], relive: Callable[[Any], None]) -> None:
        """Rebuild every order from the journal; ``relive`` gets the events, which nobody else hears again.

        What the crash left open is then told as evidence: sent without an answer is UNKNOWN, never sent is withdrawn.
        """
        publish, record = self._publish, self._record
        self._publish, self._record = relive, _already_journaled
        try:
            for row in records:
                self._relive(row, relive)
        finally:
            self._publish, self._record = publish, record
        for order in list(self.working.values()):
            kind = {OrderState.QUEUED: Evidence.SEND_FAILED, OrderState.PENDING_NEW: Evidence.AMBIGUOUS}.get(
                order.state
            )
            if kind is not None:
                request = order.request
                self.on_report(
                    OrderReport(
                        account=request.account,
                        client_id=request.client_id,
                        kind=kind,
                        ts_ns=self._clock.now_ns,
                        proof=Proof.LOCAL,
                        reason="the engine stopped before it was sent"
                        if kind is Evidence.SEND_FAILED
                        else "the engine stopped before it heard an answer",
                    )
                )

    def _relive(self, row: JournalRecord, relive: Callable[[Any], None]) -> None:
        if isinstance(row, OrderSubmitted):
            self._count(row.order)
            self._adopt(row)
        elif isinstance(row, OrderSent):
            self._send(row)
        elif isinstance(row, OrderReport):
            order = self.orders.get(row.client_id)
            if order is not None:
                self._join(order, row)
        else:
            if isinstance(row, OrderDenied):
                self._count(row.order)
            relive(row)

    def _count(self, order: SubmitOrder) -> None:
        self.orders_made[order.strategy] = self.orders_made.get(order.strategy, 0) + 1


def _already_journaled(_record: JournalRecord) -> int:
    return 0
