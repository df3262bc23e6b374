"""The order side of one account: sent once, evidence from answers, pushes and queries (contracts/futu.md 6, 11)."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import anyio

from engine.clock import Clock
from engine.domain.account import AccountSnapshot, CancelScope, Capabilities, Environment
from engine.domain.commands import Side, SubmitOrder
from engine.domain.errors import BadMessage, NotSent, OutcomeUnknown, Refused
from engine.domain.events import AccountLink
from engine.domain.evidence import Evidence, OrderReport, Proof
from engine.domain.ids import AccountId
from engine.domain.order import Order
from engine.domain.timestamps import SECOND_NS
from engine.domain.verdict import Denial
from engine.gateways.futu import codes, orders, texts, wire
from engine.gateways.futu import routes as r
from engine.gateways.futu import trade_messages as t
from engine.gateways.futu.client import FutuClient, body_of
from engine.gateways.futu.limits import RATE, LimitMirror
from engine.gateways.futu.listing import fill_rows, order_rows
from engine.gateways.futu.lives import LAG_NS, Lives
from engine.gateways.futu.push import FillPush, OrderPush
from engine.gateways.futu.reader import AccountReader

BUDGET_WAIT_NS = 10 * SECOND_NS
"""An order that finds no place in a budget, or the account not read again, for so long is given back unsent."""
CANCEL_WAIT_NS = 60 * SECOND_NS
CHANGE_STEP_NS = SECOND_NS // 4

Note = Callable[[str, Mapping[str, Any]], None]


class FutuRouter:
    """``OrderRouter`` of one proven account. ``prove`` must have been given the account before anything is sent."""

    def __init__(
        self,
        gateway: str,
        name: AccountId,
        client: FutuClient,
        clock: Clock,
        packets: orders.Packets,
        *,
        derives_fills: bool,
        snapshot_ns: int,
        outside_rth: bool = False,
        note: Note = lambda _event, _fields: None,
    ) -> None:
        self.account = name
        self.proven: orders.Account | None = None
        self.mirror: LimitMirror | None = None
        self.look: Callable[[], None] = lambda: None
        """Asks for a reading of the account soon."""
        self.locked: Callable[[], None] = lambda: None
        """Called when the gateway says trading is locked."""
        self._tell: Callable[[Any], None] | None = None
        self._gateway = gateway
        self._client = client
        self._clock = clock
        self._packets = packets
        self._snapshot_ns = snapshot_ns
        self._outside_rth = outside_rth
        self._note = note
        self._open = anyio.Event()
        self._open.set()
        self._changes = 0
        self.pushed_fills = 0
        """Fills that a push brought, and not a reading."""
        self._pushing = False
        self.lives = Lives(name, clock, derives_fills=derives_fills, tell=self._publish, look=self._look_soon)
        self.reader = AccountReader(client, clock, self._account)
        self._derives = derives_fills

    def capabilities(self) -> Capabilities:
        return Capabilities(
            gateway=self._gateway,
            order_types=frozenset(codes.ORDER_TYPES),
            sides=frozenset(Side),
            tifs=frozenset(codes.TIFS),
            echoes_client_id=True,
            gives_venue_id=True,
            lists_orders=True,
            lists_fills=not self._derives,
            lists_past=not self._derives,
            cancel_scope=CancelScope.ORDER,
            replaces=True,
            max_lag_ns=LAG_NS,
            in_flight_max=8,
            in_flight_scope="account",
            orders_per_minute=24,
            snapshot_period_ns=self._snapshot_ns,
        )

    # --- the gate after a lost connection ----------------------------------------------------------------------------

    def hold(self) -> None:
        """The pushes are gone: no new orders until the account was read again (contract 10.1)."""
        if self._open.is_set():
            self._open = anyio.Event()
            self._tell_link(up=False, reason="pushes are gone")

    def release(self) -> None:
        """The account was read after the pushes came back."""
        if self.held:
            self._open.set()
            self._tell_link(up=True)

    def _tell_link(self, *, up: bool, reason: str = "") -> None:
        self._publish(AccountLink(account=self.account, ts_ns=self._clock.now_ns, up=up, reason=reason))

    @property
    def held(self) -> bool:
        return not self._open.is_set()

    def listen(self, tell: Callable[[Any], None] | None) -> None:
        """Where evidence goes that comes by itself."""
        self._tell = tell

    def _look_soon(self) -> None:
        self.look()

    def _publish(self, event: Any) -> None:
        if self._pushing and isinstance(event, OrderReport) and event.kind is Evidence.FILL:
            self.pushed_fills += 1
        if self._tell is not None:
            self._tell(event)

    # --- orders ------------------------------------------------------------------------------------------------------

    def denial(self, order: SubmitOrder) -> Denial | None:
        """Why the gateway's own limits would refuse this order now; None: they would take it. Sends nothing."""
        return self.mirror.denial(order) if self.mirror is not None else None

    def encode(self, orders_: Sequence[SubmitOrder]) -> bytes:
        """The body of one order.

        Raises:
            NotSent: more than one, or an order the venue does not have.
        """
        if len(orders_) != 1:
            raise NotSent(f"{self._gateway}: orders leave one by one here")
        question = orders.order_to_wire(
            orders_[0], self._account(), self._packets.next(), outside_rth=self._outside_rth
        )
        return body_of(r.ORDER, question)

    async def submit(self, orders_: Sequence[SubmitOrder], body: bytes) -> Sequence[OrderReport]:
        """Send once. A good answer gives ids and no state: nothing is told before a status shows one (contract 1.5).

        Raises:
            NotSent, Refused, OutcomeUnknown
        """
        order = orders_[0]
        self._account()
        with anyio.move_on_after(max(self._clock.real_seconds(BUDGET_WAIT_NS), 0.05)):
            await self._open.wait()
        if self.held:
            raise NotSent(f"{self._gateway}: pushes were lost and the account is not read again yet")
        denial = self.denial(order)
        if denial is not None:
            raise NotSent(f"{self._gateway}: {denial.reason}")
        self.lives.sending(order)
        ticket = self.mirror.leaves(order) if self.mirror is not None else None
        counted = True
        try:
            with anyio.CancelScope(shield=True):
                answer = await self._client.write(r.ORDER, body, key=order.client_id, wait_max_ns=BUDGET_WAIT_NS)
                ids = (answer.order_id or "", answer.order_id_ex or "")
                if not any(name and name != "0" for name in ids):
                    raise OutcomeUnknown("/api/order: taken, but without an id")
                self.lives.accepted(order, *ids)
        except NotSent:
            counted = False
            self.lives.failed(order.client_id)
            raise
        except Refused as refused:
            self.lives.failed(order.client_id)
            self._notice(refused)
            raise
        finally:
            if self.mirror is not None:
                self.mirror.answered(ticket, counted=counted)
            self.look()
        return ()

    async def cancel(self, order: Order) -> Sequence[OrderReport]:
        """Ask for a withdrawal; whether it happens the order's status tells (contract 6.3).

        A refusal by the minute's rate is asked again once its wait is over: cancels are paced, not given up.

        Raises:
            NotSent, Refused, OutcomeUnknown
        """
        self._changes += 1
        key = f"{order.request.client_id}:c{self._changes}"
        for last in (False, True):
            try:
                await self._change(order, orders.CANCEL, key=f"{key}{'r' if last else ''}")
            except Refused as refused:
                limit = texts.limit_from_text(refused.status or 0, refused.message, refused.retry_after_ns)
                if last or limit is None or limit.kind is not texts.LimitKind.RATE:
                    return self._change_refused(order, refused, Evidence.CANCEL_REJECT)
                await self._clock.sleep(min(limit.retry_after_ns or 0, CANCEL_WAIT_NS))
            else:
                break
        self.lives.cancelling(order.request.client_id)
        return ()

    async def replace(self, order: Order, quantity: int, price: Any) -> Sequence[OrderReport]:
        """Change price or total quantity in place; the order keeps its id.

        Raises:
            NotSent, Refused, OutcomeUnknown
        """
        if codes.place_of(order.request.instrument).suffix in codes.LIMIT_ONLY:
            reason = "northbound orders can not be changed; cancel and send another"
            return (self._report(order, Evidence.REPLACE_REJECT, reason=reason, proof=Proof.LOCAL),)
        self._changes += 1
        limit: Decimal | None = price if price is not None else order.price
        try:
            key = f"{order.request.client_id}:m{self._changes}"
            await self._change(order, orders.CHANGE, key=key, quantity=quantity, price=limit)
        except Refused as refused:
            return self._change_refused(order, refused, Evidence.REPLACE_REJECT)
        return (self._report(order, Evidence.REPLACE_ACK, quantity=quantity, price=limit),)

    async def _change(
        self, order: Order, operation: int, *, key: str, quantity: int = 0, price: Decimal | None = None
    ) -> None:
        account = self._account()
        request = order.request
        number = self.lives.order_id_of(request.client_id)
        lasting = "" if number else str(order.venue_id)
        if not number and lasting.isdigit():
            number, lasting = lasting, ""
        if not number and not lasting:
            raise NotSent(f"{request.client_id}: the venue's id is not known")
        question = t.ModifyAsk(
            packet_id=self._packets.next(),
            header=account.header(account.market_of(request.instrument)),
            order_id=int(number or 0),
            order_id_ex=lasting or None,
            modify_order_op=operation,
            qty=float(quantity),
            price=float(price or 0),
            aux_price=float(request.stop_price) if operation == orders.CHANGE and request.stop_price else None,
        )
        await self._room_for_change(quantity, price, patient=operation == orders.CANCEL)
        ticket = self.mirror.leaves() if self.mirror is not None else None
        counted = True
        try:
            with anyio.CancelScope(shield=True):
                await self._client.write(r.MODIFY_ORDER, body_of(r.MODIFY_ORDER, question), key=key)
        except NotSent:
            counted = False
            raise
        finally:
            if self.mirror is not None:
                self.mirror.answered(ticket, counted=counted)
            self.look()

    async def _room_for_change(self, quantity: int, price: Decimal | None, *, patient: bool) -> None:
        """Wait for a place in the key's minute; a cancel that found none goes all the same, as no limit refuses it.

        Raises:
            NotSent: a change, which can be asked again later.
        """
        until = self._clock.now_ns + (CANCEL_WAIT_NS if patient else 0)
        while self.mirror is not None and (denial := self.mirror.denial_of_change(quantity, price)) is not None:
            if not patient:
                raise NotSent(f"{self._gateway}: {denial.reason}")
            if self._clock.now_ns >= until or denial.code != RATE:
                return
            await self._clock.sleep(CHANGE_STEP_NS)

    def _change_refused(self, order: Order, refused: Refused, kind: Evidence) -> Sequence[OrderReport]:
        self._notice(refused)
        return (self._report(order, kind, reason=refused.message),)

    def _notice(self, refused: Refused) -> None:
        """What a refusal says of the gateway itself."""
        if refused.status == 200 and self._code_of(refused) == texts.NOT_UNLOCKED:
            self.locked()

    @staticmethod
    def _code_of(refused: Refused) -> str:
        try:
            return wire.code_of_failure(wire.read(refused.body, wire.Envelope, "answer"))
        except BadMessage:
            return ""

    def _report(self, order: Order, kind: Evidence, **more: Any) -> OrderReport:
        now = self._clock.now_ns
        client_id = order.request.client_id
        return OrderReport(account=self.account, client_id=client_id, kind=kind, ts_ns=now, as_of_ns=now, **more)

    @property
    def environment(self) -> Environment | None:
        """What the account list said the account trades with; None before it was read."""
        if self.proven is None:
            return None
        return Environment.SIMULATED if self.proven.simulated else Environment.REAL

    def _account(self) -> orders.Account:
        if self.proven is None:
            raise NotSent(f"{self._gateway}: the account's environment is not proven; connect first")
        return self.proven

    # --- evidence ----------------------------------------------------------------------------------------------------

    def on_push(self, push: OrderPush | FillPush) -> None:
        """One trade push; those of another account, or of the other environment, are not ours.

        Raises:
            BadMessage: quantities that are none.
        """
        proven = self.proven
        if proven is None or push.acc_id != proven.acc_id or push.trd_env != proven.trd_env:
            self._note("router.foreign_push", {"gateway": self._gateway, "acc_id": push.acc_id})
            return
        self._pushing = True
        try:
            if isinstance(push, OrderPush):
                self.lives.on_order(push.order)
            else:
                self.lives.on_fill(push.fill)
        finally:
            self._pushing = False

    async def poll_orders(self) -> None:
        """The order list from the gateway's cache, free of charge: the net under lost pushes (contract 11).

        Raises:
            GatewayError: it could not be read.
        """
        for row in (await self.reader.orders(refresh=False))[0]:
            self._take(row, 0)
        self.lives.overdue()

    async def snapshot(self) -> AccountSnapshot:
        """See ``OrderRouter.snapshot``: orders first and fills after them, so that no total runs ahead of its fills.

        Raises:
            GatewayError: any part could not be read.
        """
        return await self.snapshot_of(())

    async def snapshot_of(self, sought: Sequence[Order]) -> AccountSnapshot:
        """See ``ReadsPast.snapshot_of``. Simulate accounts have no history (contract 1.7).

        Raises:
            GatewayError: any part could not be read.
        """
        began = self._clock.now_ns
        rows, read_ns = await self.reader.orders(refresh=True)
        fills = [] if self._derives else await self.reader.fills()
        asks = bool(sought) and not self._derives
        if asks:
            old, executed = await self.reader.past(sought, rows)
            rows, fills = [*rows, *old], [*fills, *executed]
        for row in rows:
            self._take(row, read_ns)
        for fill in fills:
            self.lives.on_fill(fill)
        self.lives.overdue()
        positions = await self.reader.positions()
        balances = await self.reader.balances()
        return AccountSnapshot(
            account=self.account,
            as_of_ns=began,
            ts_ns=self._clock.now_ns,
            balances=balances,
            positions=positions,
            orders=order_rows(rows, self.lives),
            fills=None if self._derives else fill_rows(fills, self.lives),
            past=True if asks else None,
        )

    def _take(self, row: t.Order, read_ns: int) -> None:
        try:
            self.lives.on_order(row, read_ns=read_ns)
        except BadMessage as error:
            # A stranger's order in parts of a share must not hide ours.
            if row.remark:
                raise
            self._note("router.row_left_out", {"gateway": self._gateway, "error": error.message})
