"""The order side: sent once, one at a time; acceptance is a row of the list and nothing else (contract 5).

Answers are claims: a refusal is believed in the few words that prove it, success is not believed at all. The core finds
the row; this router reads the lists that show it, and says how far they can be trusted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio

from engine.clock import Clock
from engine.domain.account import AccountSnapshot, CancelScope, Capabilities
from engine.domain.commands import OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.errors import ConfigError, NotSent, OutcomeUnknown
from engine.domain.events import Alert
from engine.domain.evidence import Evidence, OrderReport, Proof
from engine.domain.ids import AccountId
from engine.domain.instructions import InstructionReport, SubmitInstruction
from engine.domain.order import Order
from engine.domain.timestamps import SECOND_NS
from engine.domain.verdict import Denial
from engine.gateways.easyths import answers
from engine.gateways.easyths.client import EasythsClient
from engine.gateways.easyths.daybook import DayBook
from engine.gateways.easyths.instructions import ACTIONS, InstructionDesk
from engine.gateways.easyths.instruments import STAR, STAR_LEAST, code_to_wire
from engine.gateways.easyths.operations import body_of
from engine.gateways.easyths.reading import AccountReader
from engine.gateways.easyths.withdrawal import Withdrawal

MAX_LAG_NS = 60 * SECOND_NS
LATE_NS = 60 * SECOND_NS
"""Besides an operation's deadline: our turn, the answer to the submit, the withdrawal; then the server is done."""
SPACING_NS = SECOND_NS // 2
TURN_WAIT_NS = 20 * SECOND_NS
"""An order that finds no turn for so long is given back unsent: its price is old, and LATE_NS would not hold."""
NO_REPLACE = "the trading client can not change an order; cancel it and send another"
NAMES = {
    (OrderType.LIMIT, Side.BUY): "buy",
    (OrderType.LIMIT, Side.SELL): "sell",
    (OrderType.MARKET, Side.BUY): "market_buy",
    (OrderType.MARKET, Side.SELL): "market_sell",
}

Note = Callable[[str, Mapping[str, Any]], None]


class EasythsRouter:
    """``OrderRouter`` of the one account that the trading client is logged in to."""

    def __init__(
        self,
        gateway: str,
        account: AccountId,
        client: EasythsClient,
        reader: AccountReader,
        book: DayBook,
        clock: Clock,
        *,
        snapshot_ns: int,
        deadline_ns: int,
        market_strategy: int,
        timezone: str,
        note: Note = lambda _event, _fields: None,
    ) -> None:
        self.account = account
        self.reader = reader
        self._gateway = gateway
        self._client = client
        self._book = book
        self._clock = clock
        self._snapshot_ns = snapshot_ns
        self._market_strategy = market_strategy
        self._note = note
        self._tell: Callable[[Any], None] | None = None
        self._late_ns = deadline_ns + LATE_NS
        self._withdrawal = Withdrawal(client, reader, book, clock, account, deadline_ns=deadline_ns)
        self._desk = InstructionDesk(
            client, reader, book, clock, account, alert=self._alert, late_ns=self._late_ns, timezone=timezone
        )

    def capabilities(self) -> Capabilities:
        return Capabilities(
            gateway=self._gateway,
            order_types=frozenset({OrderType.LIMIT, OrderType.MARKET}),
            sides=frozenset({Side.BUY, Side.SELL}),
            tifs=frozenset({TimeInForce.DAY}),
            echoes_client_id=False,
            gives_venue_id=False,
            lists_orders=True,
            lists_fills=False,
            lists_past=True,
            cancel_scope=CancelScope.SYMBOL_SIDE,
            max_lag_ns=MAX_LAG_NS,
            late_max_ns=self._late_ns,
            in_flight_max=1,
            in_flight_scope="symbol_side",
            min_spacing_ns=SPACING_NS,
            orders_per_minute=20,
            snapshot_period_ns=self._snapshot_ns,
        )

    def listen(self, tell: Callable[[Any], None] | None) -> None:
        """Where alerts go."""
        self._tell = tell

    # --- orders ------------------------------------------------------------------------------------------------------

    def denial(self, order: SubmitOrder) -> Denial | None:
        """Why this server could not take the order as it is; None: it can. Sends nothing."""
        try:
            self._encoded(order)
        except ConfigError as error:
            return Denial("UNSUPPORTED", f"{self._gateway}: {error}")
        return None

    def encode(self, orders: Sequence[SubmitOrder]) -> bytes:
        """The body of one order.

        Raises:
            NotSent: more than one, or an order that this server can not place exactly as it is.
        """
        if len(orders) != 1:
            raise NotSent(f"{self._gateway}: orders leave one by one here")
        try:
            return self._encoded(orders[0])
        except ConfigError as error:
            raise NotSent(f"{self._gateway}: {error}") from error

    def _encoded(self, order: SubmitOrder) -> bytes:
        name, code = NAMES.get((order.type, order.side)), code_to_wire(order.instrument)
        if name is None or order.tif is not TimeInForce.DAY:
            raise ConfigError(f"no {order.type} orders to {order.side} for {order.tif} here; send a limit for the day")
        if not code:
            raise ConfigError(f"{order.instrument} is not traded here; ids are six digits and .SH, .SZ or .BJ")
        if order.side is Side.BUY and code.startswith(STAR) and order.quantity < STAR_LEAST:
            raise ConfigError(f"{order.instrument}: {order.quantity} is below the {STAR_LEAST} of the STAR market")
        given: dict[str, Any] = {"stock_code": code, "quantity": order.quantity}
        if order.type is OrderType.LIMIT:
            given["price"] = order.price
        else:
            given["execution_strategy"] = self._market_strategy
        return body_of(name, given, newer=self._client.is_newer)

    async def submit(self, orders: Sequence[SubmitOrder], body: bytes) -> Sequence[OrderReport]:
        """Send once and follow to the end. No evidence even then: only a row of the next reading is acceptance.

        Raises:
            NotSent, Refused, OutcomeUnknown
        """
        order = orders[0]
        name = NAMES[order.type, order.side]
        async with self._client.turn(TURN_WAIT_NS):
            with anyio.CancelScope(shield=True):
                self._book.sending()
                finished = await self._client.perform(name, body, changes=True)
        self._note("router.answer", {"order": order.client_id, "success": finished.success, "text": finished.message})
        answers.judge(name, finished)
        problem = answers.echo_problem(order, finished.data)
        if problem:
            self._alert(f"order:{order.client_id}", problem)
            raise OutcomeUnknown(f"{name}: {problem}")
        if order.type is OrderType.MARKET and answers.UNSUPPORTED in finished.message:
            self._alert(f"order:{order.client_id}", f"placed under another market strategy: {finished.message}")
        return ()

    async def cancel(self, order: Order) -> Sequence[OrderReport]:
        """See ``cancel_together``."""
        return await self.cancel_together([order])

    async def cancel_together(self, orders: Sequence[Order]) -> Sequence[OrderReport]:
        """Withdraw every live order of a code and side if all are these; else CANCEL_REJECT names the stranger.

        Evidence: CANCELED, WORKING for one that filled instead, or CANCEL_REJECT.

        Raises:
            NotSent, Refused, OutcomeUnknown
        """
        reports: list[OrderReport] = []
        keys = dict.fromkeys((order.request.instrument, order.request.side) for order in orders)
        for instrument, side in keys:
            mine = [o for o in orders if (o.request.instrument, o.request.side) == (instrument, side)]
            async with self._client.turn():
                with anyio.CancelScope(shield=True):
                    reports += await self._withdrawal.of(mine)
        return reports

    async def replace(self, order: Order, quantity: int, price: Any) -> Sequence[OrderReport]:
        now = self._clock.now_ns
        return (
            OrderReport(
                account=self.account, client_id=order.request.client_id, kind=Evidence.REPLACE_REJECT, ts_ns=now,
                as_of_ns=now, reason=NO_REPLACE, proof=Proof.LOCAL,
            ),
        )  # fmt: skip

    async def snapshot(self) -> AccountSnapshot:
        """See ``OrderRouter.snapshot``; as of the moment our turn came.

        Raises:
            GatewayError: a part could not be read.
        """
        return await self.snapshot_of(())

    async def snapshot_of(self, sought: Sequence[Order]) -> AccountSnapshot:
        """See ``ReadsPast.snapshot_of``.

        Raises:
            GatewayError: a part could not be read.
        """
        async with self._client.turn():
            return await self.reader.snapshot(sought)

    # --- instructions ------------------------------------------------------------------------------------------------

    def instructions(self) -> frozenset[type]:
        """The actions that this client performs."""
        return ACTIONS

    def encode_instruction(self, instruction: SubmitInstruction) -> bytes:
        """Raises: NotSent: this server can not do it exactly as it is."""
        return self._desk.encode(instruction)

    async def perform(self, instruction: SubmitInstruction, body: bytes) -> InstructionReport:
        """Send once, then look for what it should have left in the client's own lists.

        Raises:
            NotSent, Refused, OutcomeUnknown
        """
        async with self._client.turn(TURN_WAIT_NS):
            with anyio.CancelScope(shield=True):
                report = await self._desk.perform(instruction, body)
        return report

    async def look_for(self, instruction: SubmitInstruction, since_ns: int) -> InstructionReport | None:
        """What the client's lists say of an instruction sent at ``since_ns``; None: they do not decide it.

        Raises:
            GatewayError: they could not be read.
        """
        async with self._client.turn():
            return await self._desk.look_for(instruction, since_ns)

    def _alert(self, about: str, text: str) -> None:
        self._note("router.alert", {"about": about, "text": text})
        if self._tell is not None:
            self._tell(Alert(ts_ns=self._clock.now_ns, about=about, text=text))
