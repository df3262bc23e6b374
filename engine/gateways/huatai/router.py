"""The order side: typed into a window once, looked for in its tables (contracts/ht.md 3, 5; RELIABILITY 3.4)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
import msgspec

from engine.clock import Clock
from engine.domain.account import AccountSnapshot, CancelScope, Capabilities, OrderRow
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.errors import BadMessage, GatewayError, NotSent, OutcomeUnknown, Refused
from engine.domain.evidence import Evidence, OrderReport, Proof
from engine.domain.ids import AccountId, VenueOrderId
from engine.domain.instructions import InstructionReport, SubmitInstruction, SubscribeIpo
from engine.domain.order import Order
from engine.domain.timestamps import SECOND_NS, day_of
from engine.gateways.huatai import messages as m
from engine.gateways.huatai import orders
from engine.gateways.huatai.cancelling import Canceller, Withdrawal
from engine.gateways.huatai.client import HuataiClient
from engine.gateways.huatai.evidence import Executions, Traded, Wholeness, number_of, order_row, venue_id
from engine.gateways.huatai.subscribing import Subscriber
from engine.gateways.huatai.tables import OrderLine, Reader

NO_REPLACE = "the client can not change an order; cancel it and send another"
ORDER_WAIT_NS = 12 * SECOND_NS
"""An order that does not get its turn within this is given back unsent."""
SETTLE_NS = 10 * SECOND_NS
"""A request without an answer goes on inside the server for so long (contract 5.1)."""
SPACING_NS = SECOND_NS // 2
LAG_NS = 45 * SECOND_NS
LATE_NS = 60 * SECOND_NS
"""The server has no limit of its own: an order without an answer may be typed so long after (contract 6, 14)."""

Note = Callable[[str, Mapping[str, Any]], None]


class HuataiRouter:
    """``OrderRouter`` of the one account behind the client, which also subscribes for new shares."""

    def __init__(
        self,
        gateway: str,
        account: AccountId,
        client: HuataiClient,
        reader: Reader,
        clock: Clock,
        *,
        ttype: str,
        timezone: str,
        timeout_ns: int,
        snapshot_ns: int,
        reads_trades: bool = True,
        note: Note = lambda _event, _fields: None,
    ) -> None:
        self.account = account
        self.on_traded: Callable[[], None] = lambda: None
        """Called once something was placed: the account is worth a look."""
        self.read_ns = 0
        """When a reading was last complete."""
        self.reading = 0
        """How many readings are under way."""
        self._gateway = gateway
        self._client = client
        self._reader = reader
        self._clock = clock
        self._ttype = ttype
        self._timezone = timezone
        self._timeout_ns = timeout_ns
        self._snapshot_ns = snapshot_ns
        self._reads_trades = reads_trades
        self._note = note
        self._canceller = Canceller(client, reader)
        self._subscriber = Subscriber(account, client, reader, clock)
        self._executions = Executions()
        self._wholeness = Wholeness()
        self._placed: dict[VenueOrderId, SubmitOrder] = {}
        """By the number the answer gave: it may be of either column."""
        self._look_for_popups = False

    def capabilities(self) -> Capabilities:
        return Capabilities(
            gateway=self._gateway,
            order_types=frozenset({OrderType.LIMIT, OrderType.MARKET}),
            sides=frozenset({Side.BUY, Side.SELL}),
            gives_venue_id=True,
            lists_orders=True,
            lists_fills=self._reads_trades,
            cancel_scope=CancelScope.ORDER,
            max_lag_ns=LAG_NS,
            late_max_ns=max(LATE_NS, ORDER_WAIT_NS + self._timeout_ns + SETTLE_NS),
            in_flight_max=1,
            in_flight_scope="symbol_side",
            min_spacing_ns=SPACING_NS,
            orders_per_minute=20,
            snapshot_period_ns=self._snapshot_ns,
        )

    # --- orders ------------------------------------------------------------------------------------------------------

    def encode(self, orders_: Sequence[SubmitOrder]) -> bytes:
        """The body of one order.

        Raises:
            NotSent: more than one, or an order the client does not have.
        """
        return orders.body_of(orders_, self._ttype)

    async def submit(self, orders_: Sequence[SubmitOrder], body: bytes) -> Sequence[OrderReport]:
        """Send once. ACK with the number that came; nothing where none came: then only a row is acceptance.

        Raises:
            NotSent, Refused, OutcomeUnknown
        """
        order = orders_[0]
        path = orders.path_of(order)
        with anyio.CancelScope(shield=True):
            try:
                reply = await self._client.order(path, body, wait_max_ns=ORDER_WAIT_NS)
                number = orders.placed_number(reply)
            except (OutcomeUnknown, BadMessage) as error:
                # A dialog that stayed open blocks everything after it.
                self._look_for_popups = True
                raise OutcomeUnknown(error.message, status=error.status) from error
        if not number:
            return ()
        today = day_of(self._clock.now_ns, self._timezone)
        name = venue_id(today, number)
        self._placed = {each: mine for each, mine in self._placed.items() if number_of(each, today)} | {name: order}
        self.on_traded()
        return (self._report(order, Evidence.ACK, self._clock.now_ns, venue_id=name),)

    async def cancel(self, order: Order) -> Sequence[OrderReport]:
        """Ask for a withdrawal, then read what became of it.

        Raises:
            NotSent, Refused, OutcomeUnknown, BadMessage
        """
        request = order.request
        today = day_of(self._clock.now_ns, self._timezone)
        number = number_of(order.venue_id, today)
        if not order.venue_id:
            raise NotSent(f"{request.client_id}: its number is not known")
        if not number:
            raise Refused(f"{order.venue_id} is of another day; the client counts its numbers anew every day")
        wanted = OrderLine(
            instrument=request.instrument, side=request.side, action="", word="", quantity=order.quantity, filled=None,
            withdrawn=None, price=request.price, average=None, contract=number, entrust="", on=today, ts_ns=0,
        )  # fmt: skip
        return self._cancelled(order, await self._canceller.withdraw(wanted))

    def _cancelled(self, order: Order, found: Withdrawal) -> Sequence[OrderReport]:
        request, words = order.request, " ".join(filter(None, (found.line.word, found.line.reason)))
        as_of_ns, row = found.as_of_ns, order_row(found.line, None)
        seen = {"cum": found.cum, "price": row.average_price}
        if found.state in (Evidence.CANCELED, Evidence.REJECT):
            return (self._report(request, Evidence.CANCELED, as_of_ns, reason=words, **seen),)
        working = self._report(request, Evidence.WORKING, as_of_ns, **seen)
        if found.state is Evidence.FILL or found.pending:
            return (working,)
        if found.refused:
            return working, self._report(request, Evidence.CANCEL_REJECT, as_of_ns, reason=found.words)
        raise OutcomeUnknown(f"cancel of {order.venue_id}: still {found.line.word or 'listed'}; {found.words}")

    async def replace(self, order: Order, quantity: int, price: Any) -> Sequence[OrderReport]:
        now = self._clock.now_ns
        return (self._report(order.request, Evidence.REPLACE_REJECT, now, reason=NO_REPLACE, proof=Proof.LOCAL),)

    def _report(self, order: SubmitOrder, kind: Evidence, as_of_ns: int, **more: Any) -> OrderReport:
        return OrderReport(
            account=self.account,
            client_id=order.client_id,
            kind=kind,
            ts_ns=self._clock.now_ns,
            as_of_ns=as_of_ns,
            **more,
        )

    # --- instructions ------------------------------------------------------------------------------------------------

    def instructions(self) -> frozenset[type]:
        return frozenset({SubscribeIpo})

    def encode_instruction(self, instruction: SubmitInstruction) -> bytes:
        """See ``PerformsInstructions``. Raises: NotSent."""
        return self._subscriber.encode(instruction)

    async def perform(self, instruction: SubmitInstruction, body: bytes) -> InstructionReport:
        """See ``PerformsInstructions``. Raises: NotSent, Refused, OutcomeUnknown."""
        with anyio.CancelScope(shield=True):
            report = await self._subscriber.perform(instruction, ORDER_WAIT_NS)
        if report.details:
            self.on_traded()
        return report

    async def look_for(self, instruction: SubmitInstruction, since_ns: int) -> InstructionReport | None:
        """See ``PerformsInstructions``. Raises: GatewayError."""
        return await self._subscriber.look_for(instruction, since_ns)

    # --- the account -------------------------------------------------------------------------------------------------

    async def snapshot(self) -> AccountSnapshot:
        """See ``OrderRouter.snapshot``; its moment is when the first question got its turn. Orders go in between.

        Raises:
            GatewayError: any part could not be read, or the client behind the server is gone.
        """
        self.reading += 1
        try:
            await self._close_popups()
            found = await self._read()
        except m.ClientGone:
            self._client.client_gone()
            raise
        finally:
            self.reading -= 1
        self.read_ns = found.ts_ns
        return found

    async def _read(self) -> AccountSnapshot:
        balance = await self._client.balance()
        funds = m.funds_from_wire(balance)
        positions = self._reader.positions(await self._client.position())
        entrusts = await self._client.today_entrusts()
        lines = self._reader.orders(entrusts)
        today = day_of(entrusts.began_ns, self._timezone)
        traded = Traded({})
        if self._reads_trades:
            traded = self._executions.read(self._reader.trades(await self._client.today_trades()), today)
        whole = self._wholeness.of_orders(lines, today)
        if not whole:
            self._note("router.orders_not_whole", {"gateway": self._gateway, "rows": len(lines)})
        held_known = self._wholeness.of_positions([row.instrument for row in positions], funds.market_value)
        return AccountSnapshot(
            account=self.account,
            as_of_ns=balance.began_ns,
            ts_ns=self._clock.now_ns,
            balances=funds.balances,
            positions=positions if held_known else None,
            orders=tuple(
                # Orders go in between the tables: what this one says is of its own moment.
                self._without_strangers(order_row(line, traded.of(line, lines), entrusts.began_ns))
                for line in lines
            ),
            fills=traded.fills(lines, self._name_of) if self._reads_trades else None,
            whole=whole,
        )

    def _without_strangers(self, row: OrderRow) -> OrderRow:
        """The row without a number that is another order's in the other column."""
        if self._is_strangers(row, row.venue_id):
            return msgspec.structs.replace(row, venue_id=row.other_id, other_id=VenueOrderId(""))
        if self._is_strangers(row, row.other_id):
            return msgspec.structs.replace(row, other_id=VenueOrderId(""))
        return row

    def _is_strangers(self, row: OrderRow, name: VenueOrderId) -> bool:
        placed = self._placed.get(name)
        if placed is None:
            return False
        sides_fit = row.side is None or row.side is placed.side
        return placed.instrument != row.instrument or placed.quantity != row.quantity or not sides_fit

    def _name_of(self, line: OrderLine) -> VenueOrderId:
        return self._without_strangers(order_row(line, None)).venue_id

    async def _close_popups(self) -> None:
        if not self._look_for_popups:
            return
        try:
            if await self._client.close_any_popup():
                self._note("router.popup_closed", {"gateway": self._gateway})
            self._look_for_popups = False
        except GatewayError as error:
            self._note("router.popup_unknown", {"gateway": self._gateway, "error": error.message})
