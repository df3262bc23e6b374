"""Cancelling by code and side, where that reaches our orders and nobody else's (contracts/easyths.md 5.4)."""

from collections.abc import Sequence

from msgspec import Struct

from engine.clock import Clock
from engine.domain.account import OrderRow
from engine.domain.commands import Side
from engine.domain.errors import GatewayError, NotSent, OutcomeUnknown
from engine.domain.evidence import Evidence, OrderReport, Proof
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.order import Order
from engine.domain.timestamps import SECOND_NS
from engine.gateways.easyths.client import EasythsClient
from engine.gateways.easyths.daybook import DayBook
from engine.gateways.easyths.instruments import code_to_wire
from engine.gateways.easyths.operations import body_of
from engine.gateways.easyths.reading import AccountReader

LOOK_NS = SECOND_NS
"""Between two looks at the list."""


class _Said(Struct, frozen=True):
    """The client's answer to a cancel: ``refused`` where it says no, rather than nothing."""

    refused: bool
    words: str


class _Look(Struct):
    """The last look: of ours, what is still live and what has ended; ``gone`` what is over, no table says how."""

    live: dict[str, OrderRow] = {}
    ended: dict[str, OrderRow] = {}
    gone: frozenset[str] = frozenset()
    trouble: str = ""


class Withdrawal:
    """One account's cancels; whoever calls holds the client's turn."""

    def __init__(
        self,
        client: EasythsClient,
        reader: AccountReader,
        book: DayBook,
        clock: Clock,
        account: AccountId,
        *,
        deadline_ns: int,
    ) -> None:
        self._client = client
        self._reader = reader
        self._book = book
        self._clock = clock
        self._account = account
        self._deadline_ns = deadline_ns

    async def of(self, orders: Sequence[Order]) -> list[OrderReport]:
        """Withdraw orders of one instrument and side, and say how each ended.

        Raises:
            NotSent, Refused: nothing was cancelled. OutcomeUnknown: of none can be said what became of it.
        """
        named = [order for order in orders if order.venue_id]
        reports = [
            self._report(
                order, Evidence.CANCEL_REJECT, reason="its row in the list is not known yet", proof=Proof.LOCAL
            )
            for order in orders
            if not order.venue_id
        ]
        return reports + (await self._withdrawn(named) if named else [])

    async def _withdrawn(self, orders: Sequence[Order]) -> list[OrderReport]:
        """Look; send once, when ours are listed and no stranger's is; look until each has an end, or time is up."""
        request = orders[0].request
        ours = {str(order.venue_id) for order in orders}
        until_ns = self._clock.now_ns + self._deadline_ns
        said: _Said | None = None
        look = _Look()
        while True:
            try:
                within = [
                    row for row in await self._reader.live_rows() if _is_reached(row, request.instrument, request.side)
                ]
                look.live = {str(row.venue_id): row for row in within if row.venue_id in ours}
                if not look.live:
                    snapshot = await self._reader.snapshot()
                    look.ended = {str(row.venue_id): row for row in snapshot.orders or () if _has_ended(row)}
                    listed = {str(row.venue_id) for row in snapshot.orders or ()}
                    look.gone = frozenset(ours - listed) if snapshot.live_only else frozenset()
            except GatewayError as error:
                if said is None:
                    raise NotSent(f"the order list could not be read; no cancel was sent: {error.message}") from error
                look.trouble = error.message
                within = []
            if ours <= look.ended.keys() | look.gone:
                break
            if look.live and said is None:
                strangers = [row for row in within if row.venue_id not in ours]
                if strangers:
                    return await self._declined(orders, look, strangers)
                said = await self._send(request.instrument, request.side)
                until_ns = self._clock.now_ns + self._deadline_ns
                continue
            if self._clock.now_ns >= until_ns:
                break
            await self._clock.sleep(LOOK_NS)
        return self._told(orders, look, said)

    async def _send(self, instrument: InstrumentId, side: Side) -> "_Said":
        """Raises: NotSent, Refused: provably nothing was cancelled."""
        code = code_to_wire(instrument)
        if not code:
            raise NotSent(f"{instrument} is not traded here; nothing was cancelled")
        body = body_of("order_cancel", {"stock_code": code, "cancel_type": side.value})
        self._book.sending()
        try:
            finished = await self._client.perform("order_cancel", body, changes=True)
        except OutcomeUnknown as error:
            # Whatever became of it: the list is asked next, and is answered after it.
            return _Said(False, error.message)
        return _Said(not finished.success, "" if finished.success else finished.message or "the client said no")

    async def _declined(
        self, orders: Sequence[Order], look: "_Look", strangers: Sequence[OrderRow]
    ) -> list[OrderReport]:
        """Nothing is sent; those of ours that are not live any more are told by the history."""
        if len(look.live) < len(orders):
            snapshot = await self._reader.snapshot()
            look.ended = {str(row.venue_id): row for row in snapshot.orders or () if _has_ended(row)}
        numbers = ", ".join(str(row.venue_id).partition("-")[2] for row in strangers)
        reason = f"a cancel here reaches every order of that code and side, and {numbers} is not among those to cancel"
        return [
            self._ended(order, look.ended[order.venue_id])
            if order.venue_id in look.ended
            else self._report(order, Evidence.CANCEL_REJECT, reason=reason, proof=Proof.LOCAL)
            for order in orders
        ]

    def _told(self, orders: Sequence[Order], look: "_Look", said: "_Said | None") -> list[OrderReport]:
        """Raises: OutcomeUnknown: no end of any of them is known."""
        reports = [self._outcome(order, look, said) for order in orders]
        if all(report.kind is Evidence.CANCEL_AMBIGUOUS for report in reports):
            raise OutcomeUnknown(reports[0].reason)
        return reports

    def _outcome(self, order: Order, look: "_Look", said: "_Said | None") -> OrderReport:
        if order.venue_id in look.ended:
            return self._ended(order, look.ended[order.venue_id])
        row = look.live.get(order.venue_id)
        words = said.words if said is not None and said.words else look.trouble
        if row is not None and said is not None and said.refused and not row.reason:
            # The client is done with it, and the exchange was not asked.
            return self._report(order, Evidence.CANCEL_REJECT, reason=f"still in the list; the client said: {words}")
        where = "still in the list" if row is not None else "neither in the list nor ended in the history"
        reason = f"order {order.venue_id} is {where}{f'; {words}' if words else ''}"
        return self._report(order, Evidence.CANCEL_AMBIGUOUS, reason=reason, proof=Proof.NONE)

    def _ended(self, order: Order, row: OrderRow) -> OrderReport:
        kind = Evidence.WORKING if row.status is Evidence.FILL else Evidence.CANCELED
        return self._report(order, kind, row=row, reason=row.reason)

    def _report(
        self, order: Order, kind: Evidence, *, row: OrderRow | None = None, reason: str, proof: Proof = Proof.VENUE
    ) -> OrderReport:
        now = self._clock.now_ns
        return OrderReport(
            account=self._account,
            client_id=order.request.client_id,
            kind=kind,
            ts_ns=now,
            as_of_ns=now if row is None else row.as_of_ns or now,
            cum=0 if row is None else row.cum,
            price=None if row is None else row.average_price,
            reason=reason,
            proof=proof,
        )


def _is_reached(row: OrderRow, instrument: InstrumentId, side: Side) -> bool:
    """Whether a cancel of that code and side reaches it; one whose side can not be read may be anything."""
    same = code_to_wire(row.instrument) == code_to_wire(instrument)
    return row.status is Evidence.WORKING and same and row.side in (None, side)


def _has_ended(row: OrderRow) -> bool:
    return row.status is not Evidence.WORKING
