"""The only gate an order can leave by.

Everything it decides is handed to the journal before anybody hears of it. It never waits: what becomes of an order that
left is evidence, and ``judge.py``'s.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.domain.account import Baseline
from engine.domain.commands import CancelOrder, ReplaceOrder, SubmitOrder, writable
from engine.domain.events import (
    JournalRecord,
    KillLevel,
    OrderAccepted,
    OrderDenied,
    OrderSent,
    OrderSubmitted,
    ReplaceRejected,
    StrategyStopped,
)
from engine.domain.ids import ClientOrderId, VenueOrderId
from engine.domain.money import ZERO
from engine.domain.order import Evidence, Order, OrderReport, OrderState, Proof
from engine.judge import KEEP_ENDED_NS, CancelWanted, Judge
from engine.outcomes import left_open, order_event
from engine.risk.cost import worst_case_cost

# Reading a member off its class is slow in Python 3.11, and these are read for every order of a replay.
_ACK = Evidence.ACK

__all__ = ["CHECK_ERRORS_MAX", "KEEP_ENDED_NS", "CancelWanted", "OrderManager", "ReplaceWanted"]

CHECK_ERRORS_MAX = 3
"""After so many checks that raised instead of answering, everything is halted."""


class ReplaceWanted(Struct, frozen=True, gc=False):
    order: Order
    quantity: int
    price: Decimal | None


class OrderManager(Judge):
    """Orders from command to last evidence."""

    # --- commands -----------------------------------------------------------------------------------------------------

    def on_submit(self, command: SubmitOrder) -> None:
        """Judge, reserve, journal, and only then tell."""
        now_ns = self._clock.now_ns
        if command.client_id in self.orders:
            self._deny(command, "DUP_ID", f"client id {command.client_id} was used before", now_ns)
            return
        denial = self._checker.check(command, now_ns)
        if denial is not None:
            self._deny(command, denial.code, denial.reason, now_ns)
            if self._checker.errors >= CHECK_ERRORS_MAX:
                self._stop_for_errors()
            return
        sheet, memo, record = self._sheets[command.account], self._view.cost_memo, self._record
        submitted = OrderSubmitted(
            order=command,
            ts_ns=now_ns,
            # The cash limit has just worked it out, if there is one.
            reserved_cash=memo[2] if memo is not None and memo[0] is command else worst_case_cost(command, self._view),
            baseline=None if sheet.echoes_client_id else self._baseline(command, now_ns),
            limits=self._limits,
        )
        record(submitted)
        self._adopt(submitted)

    def _stop_for_errors(self) -> None:
        """Limits that raise instead of answering are not to be trusted: a person must look (RELIABILITY 4.4)."""
        if "all" not in self._view.latches:
            self.latch(KillLevel.HALT, "all", f"{self._checker.errors} risk checks failed to answer", "engine")

    def deny(self, command: SubmitOrder, code: str, reason: str) -> None:
        """An order that is not even shown to the limits."""
        self._deny(command, code, reason, self._clock.now_ns)

    def _deny(self, command: SubmitOrder, code: str, reason: str, now_ns: int) -> None:
        denied = OrderDenied(order=writable(command), ts_ns=now_ns, code=code, reason=reason)
        self._record(denied)
        self._publish(denied)

    def _baseline(self, command: SubmitOrder, now_ns: int) -> Baseline:
        book = self._portfolio.accounts[command.account]
        return Baseline(
            as_of_ns=now_ns,
            position=self._portfolio.account_quantity(command.account, command.instrument),
            cash=sum(book.cash.values(), ZERO),
            order_ids=tuple(
                dict.fromkeys(
                    (
                        *self._readings.listed(command.account),
                        *(venue for account, venue in self._venue_ids if account == command.account),
                    )
                )
            ),
            price=self._view.reference(command.instrument),
        )

    def _adopt(self, event: OrderSubmitted) -> None:
        request = event.order
        client_id = request.client_id
        self.orders[client_id] = self.working[client_id] = Order(request, queued=True)
        if event.baseline is not None:
            self._baselines[client_id] = event.baseline
        publish = self._publish_submitted
        publish(event)

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
        elif (latch := self._view.latch(request)) is not None and latch.level >= KillLevel.HALT:
            refusal = f"stopped: {latch.scope} is latched by {latch.who} ({latch.cause})"
        elif not order.cum <= command.quantity <= order.quantity:
            refusal = f"the quantity can only be lowered, to {order.cum} at least"
        if refusal:
            self._publish(order_event(ReplaceRejected, order, refusal, self._clock.now_ns))
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

    # --- evidence -----------------------------------------------------------------------------------------------------

    def mark_sent(self, client_id: ClientOrderId, request_hash: str = "") -> int:
        """SEND: from here on bytes may leave. Gives the journal number that must be durable first."""
        ts_ns = self._clock.now_ns
        seq = self._record(OrderSent(client_id=client_id, ts_ns=ts_ns, request_hash=request_hash))
        self._send(client_id, ts_ns)
        return seq or 0

    def placed(self, client_id: ClientOrderId, venue_id: VenueOrderId) -> None:
        """SEND and ACK at once, of a venue in this process that answers before the call is over."""
        ts_ns, record = self._clock.now_ns, self._record
        order = self.orders[client_id]
        request = order.request
        record(OrderSent(client_id=client_id, ts_ns=ts_ns))
        record(OrderReport(account=request.account, client_id=client_id, kind=_ACK, ts_ns=ts_ns, venue_id=venue_id))
        order.place(ts_ns, venue_id)
        if self._keep_ended_ns:
            self._changed(request, ts_ns)
            self._venue_ids[request.account, venue_id] = client_id
        if request.strategy not in self.quiet:
            self._publish_accepted(order_event(OrderAccepted, order, "", ts_ns))

    def _send(self, client_id: ClientOrderId, ts_ns: int) -> None:
        order = self.orders[client_id]
        self._changed(order.request, ts_ns)
        order.send(ts_ns)

    # --- recovery -----------------------------------------------------------------------------------------------------

    def recover(self, records: Iterable[JournalRecord], relive: Callable[[Any], None]) -> None:
        """Rebuild every order from the journal; ``relive`` gets the events, which nobody else hears again.

        What the crash left open is then told as evidence: sent without an answer is UNKNOWN, never sent is withdrawn.
        """
        hooks = (self._publish, self._publish_submitted, self._publish_fill, self._publish_accepted, self._record)
        self._publish = self._publish_submitted = self._publish_fill = self._publish_accepted = relive
        self._record = _already_journaled
        try:
            for row in records:
                self._relive(row, relive)
        finally:
            self._publish, self._publish_submitted, self._publish_fill, self._publish_accepted, self._record = hooks
        for order in list(self.working.values()):
            report = left_open(order, self._clock.now_ns)
            if report is not None:
                self.on_report(report)
        self._readings.begin_life(self.working)

    def _relive(self, row: JournalRecord, relive: Callable[[Any], None]) -> None:
        if isinstance(row, OrderSubmitted):
            self._count(row.order)
            self._adopt(row)
        elif isinstance(row, OrderSent):
            self._send(row.client_id, row.ts_ns)
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
