"""The way out: one bounded queue an account, and the only code that calls ``OrderRouter.submit``.

An order leaves when its intent is durable, its send marker is durable, no latch forbids it and the venue takes one more
at a time. It is sent once. What the answer means is the core's to judge (RELIABILITY 3.1, 3.4).
"""

import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
from msgspec import Struct

from engine import traps
from engine.bus import nobody
from engine.clock import Clock, stopwatch_seconds
from engine.domain.account import CancelScope, Capabilities
from engine.domain.commands import CancelOrder, OrderType, SubmitOrder
from engine.domain.errors import BadMessage, JournalError, NotSent, OutcomeUnknown, Refused
from engine.domain.events import KillLevel, OrderSubmitted
from engine.domain.ids import ClientOrderId
from engine.domain.order import LIVE, TERMINAL, Evidence, Order, OrderReport, OrderState, Proof
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.execution import CancelWanted, OrderManager, ReplaceWanted
from engine.ports import CancelsTogether, Journal, OrderRouter, Publish
from engine.risk.kill import forbids, halted
from engine.risk.view import RiskView
from engine.runtime.cancel_windows import refuses_cancels
from engine.runtime.last_look import difference
from engine.runtime.pace import Pace

QUEUE_MAX = 200
AGE_MAX_NS = 2 * MINUTE_NS
"""An order that could not leave within this is withdrawn: its price is old (decision 13)."""
LOOKS = 3
"""Readings, a second apart, for the row of an order whose answer proves nothing (contracts/easyths.md 5, 2)."""


class _Parcel(Struct):
    """What leaves in one request."""

    orders: list[SubmitOrder]
    intent_seq: int
    queued_ns: int
    queued_seconds: float


class Outbox:
    """One account's way out."""

    def __init__(
        self,
        router: OrderRouter,
        manager: OrderManager,
        view: RiskView,
        journal: Journal,
        clock: Clock,
        publish: Publish,
        pace: Pace,
    ) -> None:
        self.router = router
        self.sheet: Capabilities = router.capabilities()
        self.send_seconds: deque[float] = deque(maxlen=1_000)
        """Real seconds from the order's acceptance by the gate to the last byte handed to the router."""
        self._manager = manager
        self._view = view
        self._journal = journal
        self._clock = clock
        self._publish = publish
        self._pace = pace
        self._parcels: deque[_Parcel] = deque()
        self._changes: deque[CancelWanted | ReplaceWanted] = deque()
        self._groups: dict[str, _Parcel] = {}
        self._wake = anyio.Event()
        self._sending = 0
        self._cancels_ns: dict[ClientOrderId, int] = {}
        """Client id -> when this life last asked the venue to withdraw it."""
        self.on_left: Callable[[ClientOrderId, float], object] = nobody
        """Told of each request whose last byte was handed over, and how long that took."""
        self.look: Callable[[], Awaitable[object]] = _no_look
        """Reads the account and publishes what it shows."""
        self.held: Callable[[], bool] = _never
        """Whether nothing new may leave just now: the loop lags, or the account was out of sight and not read since."""

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return len(self._parcels) + len(self._changes)

    @property
    def idle(self) -> bool:
        return not self._parcels and not self._changes and not self._sending

    def poke(self) -> None:
        """Something changed that a waiting order may have waited for; or the account was read."""
        self._ask_again()
        self._wake.set()

    def _ask_again(self) -> None:
        """Cancels whose answer was lost, or that a life before this one asked for: no sooner than the venue's lag.

        Asking twice is safe only where a cancel reaches one order and nothing else, or where the router looks first
        whether it would reach a stranger's (RELIABILITY 2.2, 3.3 C12).
        """
        if self.sheet.cancel_scope is CancelScope.NONE:
            return
        self._cancels_ns = {name: at for name, at in self._cancels_ns.items() if name in self._manager.working}
        waiting = {change.order.request.client_id for change in self._changes}
        for client_id, order in self._manager.working.items():
            if not order.cancel_pending or order.request.account != self.router.account or client_id in waiting:
                continue
            asked_ns = self._cancels_ns.get(client_id)
            lost = order.cancel_uncertain and self._clock.now_ns - (asked_ns or 0) >= self.sheet.max_lag_ns
            if lost and refuses_cancels(self._view, order.request.instrument, self._clock.now_ns):
                continue
            if asked_ns is None or lost:
                self._changes.append(CancelWanted(order))

    # --- from the core (synchronous) ---------------------------------------------------------------------------------

    def on_submitted(self, event: OrderSubmitted) -> None:
        order = event.order
        seq = self._journal.next_seq - 1
        if order.group and (parcel := self._groups.get(order.group)) is not None:
            parcel.orders.append(order)
            parcel.intent_seq = seq
            return
        if len(self._parcels) >= QUEUE_MAX:
            self._withdraw(order)
            return
        parcel = _Parcel([order], seq, self._clock.now_ns, stopwatch_seconds())
        if order.group:
            self._groups[order.group] = parcel
        self._parcels.append(parcel)
        self._wake.set()

    def on_cancel_wanted(self, event: CancelWanted) -> None:
        self._changes.append(event)
        self._wake.set()

    def on_replace_wanted(self, event: ReplaceWanted) -> None:
        self._changes.append(event)
        self._wake.set()

    # --- to the venue ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send until cancelled; what is being sent is finished and its answer told even then."""
        spacing_ns = self.sheet.min_spacing_ns
        async with anyio.create_task_group() as senders:
            while True:
                sent = await self._send_next(senders)
                if sent and spacing_ns:
                    await self._clock.sleep(spacing_ns)
                elif not sent:
                    self._wake = anyio.Event()
                    if not self._ready():
                        await self._something()

    async def _something(self) -> None:
        """Wait until somebody pokes, or until the first in line has waited long enough."""
        wait_ns = self._paced_ns() if self._parcels else 0
        if not wait_ns:
            await self._wake.wait()
            return
        with anyio.move_on_after(max(self._clock.real_seconds(wait_ns), 1e-6)):
            await self._wake.wait()

    def _paced_ns(self) -> int:
        return self._pace.wait_ns(self._parcels[0].orders[0], self._clock.now_ns)

    def _ready(self) -> bool:
        return self._next_change() is not None or self._first_may_leave()

    def _first_may_leave(self) -> bool:
        if not self._parcels or self.held():
            return False
        return not self._blocked(self._parcels[0]) and not self._paced_ns()

    async def _send_next(self, senders: Any) -> bool:
        change = self._next_change()
        if change is not None:
            others = self._reached_with(change)
            for each in (change, *others):
                self._changes.remove(each)
            await self._change(change, others)
            return True
        if not self._first_may_leave():
            return False
        parcel = self._parcels.popleft()
        self._groups.pop(parcel.orders[0].group, None)
        self._sending += 1
        if self.sheet.in_flight_max == 1:
            await self._send(parcel)
        else:
            senders.start_soon(self._send, parcel)
        return True

    def _blocked(self, parcel: _Parcel) -> bool:
        """Whether the venue already has as many undecided orders of ours as it can be trusted with."""
        first = parcel.orders[0]
        undecided: Sequence[Order] = self._manager.undecided(first.account)
        if self.sheet.in_flight_scope == "symbol_side":
            undecided = [
                o for o in undecided if (o.request.instrument, o.request.side) == (first.instrument, first.side)
            ]
        return len(undecided) >= self.sheet.in_flight_max

    async def _send(self, parcel: _Parcel) -> None:
        try:
            with anyio.CancelScope(shield=True):
                # First: a cancel that comes while this waits still finds the order queued, and withdraws it.
                written = await self._is_durable(parcel.intent_seq)
                orders = [order for order in parcel.orders if written and self._may_leave(order, parcel)]
                if not written:
                    for order in parcel.orders:
                        self._withdraw(order)
                if orders and self._is_whole(orders, parcel):
                    await self._submit(orders, parcel)
        finally:
            self._sending -= 1
            self._wake.set()

    async def _is_durable(self, seq: int) -> bool:
        try:
            await self._journal.durable(seq)
        except JournalError:
            return False
        return True

    def _may_leave(self, order: SubmitOrder, parcel: _Parcel) -> bool:
        """Last look (RELIABILITY 4.1, row 27): still wanted, still fresh, no latch that forbids it."""
        known = self._manager.orders.get(order.client_id)
        if known is None or known.state is not OrderState.QUEUED:
            return False
        if self._clock.now_ns - parcel.queued_ns > AGE_MAX_NS or self._latched(order):
            self._withdraw(order)
            return False
        return True

    def _is_whole(self, orders: Sequence[SubmitOrder], parcel: _Parcel) -> bool:
        """A liquidation sells whatever is held: it leaves whole, with an order for each holding, or not at all."""
        if orders[0].type is not OrderType.LIQUIDATE:
            return True
        held = self._view.portfolio.accounts[orders[0].account].positions.items()
        named = {order.instrument for order in orders}
        if len(orders) == len(parcel.orders) and all(name in named for name, p in held if p.quantity):
            return True
        for order in orders:
            self._withdraw(order)
        return False

    def _latched(self, order: SubmitOrder) -> bool:
        return self.held() or forbids(self._view, order) is not None

    def _withdraw(self, order: SubmitOrder) -> None:
        self._manager.on_cancel(CancelOrder(client_id=order.client_id, ts_ns=self._clock.now_ns, who="engine"))

    async def _submit(self, orders: list[SubmitOrder], parcel: _Parcel) -> None:
        try:
            body = self.router.encode(orders)
        except NotSent as error:
            self._tell_all(orders, Evidence.SEND_FAILED, error.message, Proof.LOCAL)
            return
        strange = difference(orders, body)
        if strange:
            self._manager.latch(KillLevel.HALT, f"account:{orders[0].account}", f"last look: {strange}", "engine")
            self._tell_all(orders, Evidence.SEND_FAILED, f"last look: {strange}", Proof.LOCAL)
            return
        digest = hashlib.sha256(body).hexdigest()
        seq = 0
        for order in orders:
            seq = self._manager.mark_sent(order.client_id, digest)
        written = await self._is_durable(seq)
        if not written or any(self._latched(order) for order in orders):
            reason = "latched before the first byte" if written else "its send marker could not be written"
            self._tell_all(orders, Evidence.SEND_FAILED, reason, Proof.LOCAL)
            return
        self.send_seconds.append(taken := stopwatch_seconds() - parcel.queued_seconds)
        self.on_left(orders[0].client_id, taken)
        departure = self._pace.leaves(orders[0])
        traps.passed("C3")
        try:
            reports = await self.router.submit(orders, body)
            traps.passed("C6")
        except NotSent as error:
            self._tell_all(orders, Evidence.SEND_FAILED, error.message, Proof.LOCAL)
        except Refused as error:
            self._tell_all(orders, Evidence.REJECT, error.message, Proof.VENUE)
        except (OutcomeUnknown, BadMessage) as error:
            self._tell_all(orders, Evidence.AMBIGUOUS, error.message, Proof.NONE)
        else:
            for report in reports:
                self._publish(report)
            if self.sheet.lists_orders and not self.sheet.echoes_client_id:
                await self._find(orders)
        finally:
            departure.over_ns = self._clock.now_ns

    async def _find(self, orders: Sequence[SubmitOrder]) -> None:
        """A venue whose yes is a claim: only a row of its list is acceptance (RELIABILITY 0, finding 3)."""
        for number in range(LOOKS):
            if not self._unanswered(orders):
                return
            if number:
                await self._clock.sleep(SECOND_NS)
            await self.look()
        reason = "the venue took it, as it says, but its order list does not show it"
        self._tell_all(self._unanswered(orders), Evidence.AMBIGUOUS, reason, Proof.NONE)

    def _unanswered(self, orders: Sequence[SubmitOrder]) -> list[SubmitOrder]:
        known = self._manager.orders
        return [order for order in orders if known[order.client_id].state is OrderState.PENDING_NEW]

    def _reached_with(self, change: CancelWanted | ReplaceWanted) -> list[CancelWanted]:
        """Cancels that wait as well and that one request of this venue reaches too: same symbol, same side."""
        if not isinstance(change, CancelWanted) or not isinstance(self.router, CancelsTogether):
            return []
        first = change.order.request
        return [
            other
            for other in self._changes
            if isinstance(other, CancelWanted)
            and other is not change
            and (other.order.request.instrument, other.order.request.side) == (first.instrument, first.side)
            and other.order.state in LIVE
        ]

    async def _change(self, change: CancelWanted | ReplaceWanted, others: Sequence[CancelWanted] = ()) -> None:
        """Ask the venue to cancel or replace; a cancel whose outcome is unknown may be asked again, an order never."""
        order = change.order
        cancels = isinstance(change, CancelWanted)
        reject = Evidence.CANCEL_REJECT if cancels else Evidence.REPLACE_REJECT
        orders = [order, *(other.order for other in others)]
        if cancels:
            self._cancels_ns |= {each.request.client_id: self._clock.now_ns for each in orders}
        with anyio.CancelScope(shield=True):
            written = await self._is_durable(self._journal.next_seq - 1)
            if not cancels and (not written or halted(self._view, order.request)):
                reason = "latched before the first byte" if written else "its request could not be written"
                self._tell(order.request, reject, reason, Proof.LOCAL)
                return
            traps.passed("C11")
            try:
                if isinstance(change, ReplaceWanted):
                    reports = await self.router.replace(order, change.quantity, change.price)
                elif isinstance(self.router, CancelsTogether):
                    reports = await self.router.cancel_together(orders)
                else:
                    reports = await self.router.cancel(order)
                traps.passed("C12" if cancels else "C13")
            except (NotSent, Refused) as error:
                self._tell_all([each.request for each in orders], reject, error.message, Proof.VENUE)
            except (OutcomeUnknown, BadMessage) as error:
                if cancels:
                    asked = [each.request for each in orders]
                    self._tell_all(asked, Evidence.CANCEL_AMBIGUOUS, error.message, Proof.NONE)
            else:
                for report in reports:
                    self._publish(report)

    def _next_change(self) -> CancelWanted | ReplaceWanted | None:
        """The first cancel or replace whose order has a handle at the venue; those of ended orders are dropped."""
        for change in list(self._changes):
            if change.order.state in TERMINAL:
                self._changes.remove(change)
            elif change.order.state not in (OrderState.PENDING_NEW, OrderState.UNKNOWN):
                return change
        return None

    def _tell_all(self, orders: Sequence[SubmitOrder], kind: Evidence, reason: str, proof: Proof) -> None:
        for order in orders:
            self._tell(order, kind, reason, proof)

    def _tell(self, order: SubmitOrder, kind: Evidence, reason: str, proof: Proof) -> None:
        self._publish(
            OrderReport(
                account=order.account,
                client_id=order.client_id,
                kind=kind,
                ts_ns=self._clock.now_ns,
                reason=reason,
                proof=proof,
            )
        )


async def _no_look() -> None:
    """Where nobody reads the account."""


def _never() -> bool:
    return False
