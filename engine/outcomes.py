"""What a change of an order means to everybody else: the event strategies hear, the booking portfolios make."""

from decimal import Decimal

from engine.domain.events import (
    CancelRejected,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderDisputed,
    OrderEvent,
    OrderExpired,
    OrderNotPlaced,
    OrderRejected,
    OrderReplaced,
    OrderUnknown,
    PositionAdjusted,
    ReplaceRejected,
)
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.order import LIVE, Change, Evidence, Order, OrderReport, OrderState, Proof

Told = tuple[int, Decimal, Decimal]
"""Quantity, value and fee of an order that the books have heard of."""
NOTHING_TOLD: Told = (0, ZERO, ZERO)

_EVENT_OF: dict[OrderState, type[OrderEvent]] = {
    OrderState.WORKING: OrderAccepted,
    OrderState.REJECTED: OrderRejected,
    OrderState.UNKNOWN: OrderUnknown,
    OrderState.NOT_PLACED: OrderNotPlaced,
    OrderState.CANCELED: OrderCanceled,
    OrderState.EXPIRED: OrderExpired,
    OrderState.DISPUTED: OrderDisputed,
}
ROWS = frozenset({Evidence.WORKING, Evidence.CANCELED, Evidence.EXPIRED})
"""What a row of a venue's list says: an absolute statement about an instant."""
REPAIRS = frozenset({Evidence.BUST, Evidence.CORRECT})
_REFUSALS: dict[Evidence, type[OrderEvent]] = {
    Evidence.CANCEL_REJECT: CancelRejected,
    Evidence.REPLACE_REJECT: ReplaceRejected,
    Evidence.REPLACE_ACK: OrderReplaced,
}
_CRASHED = {
    OrderState.QUEUED: (Evidence.SEND_FAILED, "the engine stopped before it was sent"),
    OrderState.PENDING_NEW: (Evidence.AMBIGUOUS, "the engine stopped before it heard an answer"),
}


def event_type_of(change: Change, kind: Evidence) -> type[OrderEvent] | None:
    """What strategies are told of a change; None if it is nothing to them."""
    refusal = _REFUSALS.get(kind)
    if refusal is not None:
        return refusal
    before, after = change.before, change.after
    if after is before or (before in LIVE and after is OrderState.WORKING):
        return None
    if after is OrderState.PARTIAL and before not in LIVE:
        return OrderAccepted
    return _EVENT_OF.get(after)


def with_row(rows: tuple[OrderReport, ...], row: OrderReport) -> tuple[OrderReport, ...]:
    """The rows with one more, without those that say no more beside it.

    A later row of as much says all an earlier one did, but when the order was first known to be over.
    """
    of_kind = sorted((one for one in (*rows, row) if one.kind is row.kind), key=_moment)
    first = None if row.kind is Evidence.WORKING else of_kind[0]
    kept = [
        one
        for n, one in enumerate(of_kind)
        if one is first or not any(later.cum >= one.cum for later in of_kind[n + 1 :])
    ]
    return (*(one for one in rows if one.kind is not row.kind), *kept)


def _moment(report: OrderReport) -> int:
    return report.as_of_ns or report.ts_ns


def order_event(event_type: type[OrderEvent], order: Order, reason: str, ts_ns: int) -> OrderEvent:
    request = order.request
    return event_type(
        client_id=request.client_id,
        account=request.account,
        strategy=request.strategy,
        instrument=request.instrument,
        ts_ns=ts_ns,
        state=order.state,
        cum=order.cum,
        reason=reason,
        venue_id=order.venue_id,
    )


def booking(
    order: Order, fee: Decimal, told: Told, report: OrderReport, instrument: Instrument
) -> Fill | PositionAdjusted | None:
    """What the books must still hear: the order's totals less what they were told before; None if nothing.

    ``fee``: of all that is filled, the part only inferred included.
    """
    quantity, worth, cost = order.cum - told[0], order.value - told[1], fee - told[2]
    if not quantity and not worth and not cost:
        return None
    request = order.request
    real = report.kind is Evidence.FILL and quantity == report.quantity
    if quantity > 0:
        return Fill(
            client_id=request.client_id,
            account=request.account,
            strategy=request.strategy,
            instrument=request.instrument,
            side=request.side,
            quantity=quantity,
            price=report.price if real and report.price is not None else worth / quantity,
            fee=cost,
            ts_ns=report.as_of_ns or report.ts_ns,
            fill_id=report.fill_id if real else f"{request.client_id}@{order.cum}",
            cum=order.cum,
            leaves=order.leaves,
            inferred=not real,
            offset=request.offset,
        )
    return PositionAdjusted(
        account=request.account,
        strategy=request.strategy,
        instrument=request.instrument,
        ts_ns=report.ts_ns,
        quantity=quantity * request.side.sign,
        cash=-worth * request.side.sign * instrument.multiplier - cost,
        currency=instrument.currency,
        client_id=request.client_id,
        reason=f"{report.kind}: a fill of {request.client_id} was restated",
    )


def left_open(order: Order, now_ns: int) -> OrderReport | None:
    """What a crash says of an order it caught on its way out; None if it says nothing."""
    kind, reason = _CRASHED.get(order.state, (None, ""))
    if kind is None:
        return None
    request = order.request
    return OrderReport(
        account=request.account,
        client_id=request.client_id,
        kind=kind,
        ts_ns=now_ns,
        proof=Proof.LOCAL,
        reason=reason,
    )
