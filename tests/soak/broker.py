"""Brokers in memory: an account that fills what crosses, lets limits rest, and now and then fails to answer."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import anyio
import msgspec
from msgspec import Struct

from engine.clock import Clock
from engine.domain.account import AccountSnapshot, Balance, CancelScope, Capabilities, OrderRow, PositionRow
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.errors import OutcomeUnknown, Refused
from engine.domain.ids import AccountId, InstrumentId, VenueOrderId
from engine.domain.order import Evidence, Order, OrderReport
from engine.domain.timestamps import SECOND_NS
from engine.ports import Publish

COMMISSION = Decimal("0.0003")
OPENING_CASH = Decimal(10_000_000)
LAG_NS = SECOND_NS
PERIOD_NS = 60 * SECOND_NS
TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})
ECHOING = Capabilities(
    gateway="echoing", order_types=TYPES, echoes_client_id=True, gives_venue_id=True, lists_orders=True,
    lists_fills=True, cancel_scope=CancelScope.ORDER, max_lag_ns=LAG_NS, in_flight_max=8, in_flight_scope="none",
    orders_per_minute=600, snapshot_period_ns=PERIOD_NS,
)  # fmt: skip
"""Says of each row which order of ours it is, and pushes fills."""
NAMELESS = Capabilities(
    gateway="nameless", order_types=TYPES, lists_orders=True, cancel_scope=CancelScope.ORDER, max_lag_ns=LAG_NS,
    orders_per_minute=600, snapshot_period_ns=PERIOD_NS,
)  # fmt: skip
"""Takes an order without a word; its list is all there is to know it by."""
REFUSES, LOSES_BEFORE, LOSES_AFTER = 40, 90, 110
"""Every so manieth order is refused, is lost on the way there, or its answer is lost on the way back."""


class Entry(Struct):
    """One order of the day at the broker."""

    venue_id: VenueOrderId
    request: SubmitOrder
    price: Decimal
    entered_ns: int
    cum: int = 0
    over: Evidence | None = None
    fills: int = 0

    @property
    def leaves(self) -> int:
        return 0 if self.over is not None else self.request.quantity - self.cum


class Broker:
    """Implements ``OrderRouter`` and ``Gateway``; it lives through all runs, as a venue does.

    A market order fills at once at the latest price of ``tape``; a limit fills by halves, a turn of ``run`` each, and
    every third one not at all.
    """

    feed = None

    def __init__(self, account: AccountId, sheet: Capabilities, clock: Clock, price: Any) -> None:
        """``price(instrument, side)``: what it trades at now."""
        self.account = account
        self.name = sheet.gateway
        self.router = self
        self.sheet = sheet
        self.entries: dict[VenueOrderId, Entry] = {}
        """Of the day."""
        self.cash = OPENING_CASH
        self.held: Counter[InstrumentId] = Counter()
        self.orders = self.fills = self.cancels = 0
        self.is_open = False
        self._clock = clock
        self._price = price
        self._publish: Publish | None = None

    # --- the order side ----------------------------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        return self.sheet

    def encode(self, orders: Sequence[SubmitOrder]) -> bytes:
        (order,) = orders
        price = None if order.price is None else str(order.price)
        return msgspec.json.encode({"code": order.instrument, "quantity": order.quantity, "price": price})

    async def submit(self, orders: Sequence[SubmitOrder], body: bytes) -> Sequence[OrderReport]:
        await self._clock.sleep(SECOND_NS // 10)
        (request,) = orders
        self.orders += 1
        if self.orders % REFUSES == 0 or not self.is_open:
            raise Refused("the counter refuses it")
        if self.orders % LOSES_BEFORE == 0:
            raise OutcomeUnknown("lost on the way there")
        entry = self._enter(request)
        reports = [self._report(entry, Evidence.ACK)]
        if request.price is None:
            reports.append(self._fill(entry, request.quantity))
        if self.orders % LOSES_AFTER == 0:
            raise OutcomeUnknown("lost on the way back")
        return reports if self.sheet.echoes_client_id else ()

    async def cancel(self, order: Order) -> Sequence[OrderReport]:
        await self._clock.sleep(SECOND_NS // 10)
        entry = self.entries.get(order.venue_id)
        if entry is None or entry.over is not None:
            raise Refused("there is nothing left to cancel")
        self.cancels += 1
        entry.over = Evidence.CANCELED
        return (self._report(entry, Evidence.CANCELED),)

    async def replace(self, order: Order, quantity: int, price: Any) -> Sequence[OrderReport]:
        raise Refused("orders are not changed here")

    async def snapshot(self) -> AccountSnapshot:
        as_of_ns = self._clock.now_ns
        await self._clock.sleep(SECOND_NS // 10)
        return AccountSnapshot(
            account=self.account,
            as_of_ns=as_of_ns,
            ts_ns=self._clock.now_ns,
            balances=(Balance(currency="COIN", total=self.cash, available=self.cash),),
            positions=tuple(PositionRow(instrument=i, quantity=q) for i, q in sorted(self.held.items()) if q),
            orders=tuple(self._row(entry) for entry in self.entries.values()),
            fills=() if self.sheet.lists_fills else None,
        )

    # --- the gateway -------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self._clock.sleep(SECOND_NS)

    async def run(self, publish: Publish) -> None:
        self._publish = publish
        try:
            await anyio.sleep_forever()
        finally:
            self._publish = None

    async def instruments(self) -> Sequence[Any]:
        return ()

    def routes(self) -> dict[str, str]:
        return {}

    def reads(self) -> frozenset[str]:
        return frozenset()

    async def call(self, route: str, args: Any) -> Any:
        raise AssertionError(route)

    async def close(self) -> None:
        await self._clock.sleep(SECOND_NS)

    # --- the market --------------------------------------------------------------------------------------------------

    def trade(self) -> None:
        """One turn of the market: what rests may fill."""
        for entry in self.entries.values():
            if entry.leaves and int(entry.venue_id.rpartition("-")[2]) % 3:
                self._tell(self._fill(entry, (entry.leaves + 1) // 2))

    def end_day(self) -> None:
        """What is left expires."""
        self.is_open = False
        for entry in self.entries.values():
            if entry.leaves:
                entry.over = Evidence.EXPIRED
                self._tell(self._report(entry, Evidence.EXPIRED))

    def open_day(self) -> None:
        """Yesterday's orders are gone from the list."""
        self.entries.clear()
        self.is_open = True

    def _tell(self, report: OrderReport) -> None:
        if self._publish is not None and self.sheet.echoes_client_id:
            self._publish(report)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _enter(self, request: SubmitOrder) -> Entry:
        venue_id = VenueOrderId(f"{self.account}-{self.orders}")
        price = request.price or self._price(request.instrument, request.side)
        entry = Entry(venue_id, request, price, self._clock.now_ns)
        self.entries[venue_id] = entry
        return entry

    def _fill(self, entry: Entry, quantity: int) -> OrderReport:
        request, value = entry.request, entry.price * quantity
        sign = 1 if request.side is Side.BUY else -1
        entry.cum += quantity
        entry.fills += 1
        self.fills += 1
        if entry.cum == request.quantity:
            entry.over = Evidence.FILL
        self.held[request.instrument] += sign * quantity
        self.cash -= sign * value + value * COMMISSION
        return self._report(
            entry, Evidence.FILL, quantity=quantity, price=entry.price, fee=value * COMMISSION,
            fill_id=f"{entry.venue_id}/{entry.fills}",
        )  # fmt: skip

    def _report(self, entry: Entry, kind: Evidence, **more: Any) -> OrderReport:
        now_ns = self._clock.now_ns
        client_id = entry.request.client_id
        cum = {} if kind in (Evidence.ACK, Evidence.FILL) else {"cum": entry.cum}
        if entry.cum and cum:
            more["price"] = entry.price
        return OrderReport(
            account=self.account, kind=kind, ts_ns=now_ns, client_id=client_id, as_of_ns=now_ns,
            venue_id=entry.venue_id, **cum, **more,
        )  # fmt: skip

    def _row(self, entry: Entry) -> OrderRow:
        request = entry.request
        return OrderRow(
            instrument=request.instrument,
            side=request.side,
            quantity=request.quantity,
            price=request.price,
            status=entry.over or Evidence.WORKING,
            cum=entry.cum,
            average_price=entry.price if entry.cum else None,
            venue_id=entry.venue_id,
            client_tag=request.client_id if self.sheet.echoes_client_id else "",
            ts_ns=entry.entered_ns,
        )
