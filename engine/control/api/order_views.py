"""Orders as answers: how each stands, and its whole life as the journal has it."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.control.api.shapes import Moment, at, average, portable, text
from engine.domain.commands import SubmitOrder
from engine.domain.events import JournalRecord, OrderDenied, OrderSent, OrderSubmitted, PositionAdjusted
from engine.domain.order import Order, OrderReport
from engine.domain.reconciled import OperatorActed


class OrderView(Struct, frozen=True, kw_only=True):
    """One order as it stands."""

    client_id: str
    venue_id: str
    account: str
    strategy: str
    instrument: str
    side: str
    type: str
    tif: str
    offset: str
    quantity: int
    filled: int
    leaves: int
    price: str | None
    stop_price: str | None
    average_price: str | None
    fee: str
    state: str
    """``queued pending_new unknown working partial pending_cancel pending_replace`` live; ``filled canceled rejected
    expired not_placed denied`` ended; ``disputed``: a person must decide; ``kept``: played by the engine."""
    open: bool
    cancel_pending: bool
    reason: str
    submitted: Moment | None
    sent: Moment | None


class Step(Struct, frozen=True, kw_only=True):
    """One thing that happened to an order. ``step``: intent, denied, send, evidence, booking, operator."""

    seq: int
    step: str
    text: str
    at: Moment | None
    record: dict[str, Any]
    """The journal's own record."""


class OrderLife(Struct, frozen=True, kw_only=True):
    order: OrderView | None
    """As it stands; ``null``: it ended long ago, and only the journal knows it."""
    life: list[Step]
    """In the order of the journal."""


def order_view(order: Order) -> OrderView:
    request = order.request
    return _view(
        request,
        venue_id=order.venue_id,
        quantity=order.quantity,
        filled=order.cum,
        leaves=order.leaves,
        price=text(order.price),
        average_price=None if not order.cum else average(order.value / order.cum),
        fee=f"{order.fee:f}",
        state=str(order.state),
        open=not order.is_terminal,
        cancel_pending=order.cancel_pending,
        reason=order.reason,
        sent=at(order.sent_ns),
    )


def kept_view(order: Order) -> OrderView:
    """An order the engine holds or plays itself: nothing has left yet."""
    return _view(order.request, quantity=order.quantity, leaves=order.leaves, state="kept", open=True)


def denied_view(event: OrderDenied) -> OrderView:
    return _view(event.order, state="denied", reason=f"{event.code}: {event.reason}")


def _view(request: SubmitOrder, **more: Any) -> OrderView:
    fields: dict[str, Any] = {
        "client_id": request.client_id,
        "venue_id": "",
        "account": request.account,
        "strategy": request.strategy,
        "instrument": request.instrument,
        "side": str(request.side),
        "type": str(request.type),
        "tif": str(request.tif),
        "offset": str(request.offset),
        "quantity": request.quantity,
        "filled": 0,
        "leaves": 0,
        "price": text(request.price),
        "stop_price": text(request.stop_price),
        "average_price": None,
        "fee": "0",
        "open": False,
        "cancel_pending": False,
        "reason": "",
        "submitted": at(request.ts_ns),
        "sent": None,
    }
    return OrderView(**{**fields, **more})


def life_of(client_id: str, records: Iterable[tuple[int, JournalRecord]]) -> list[Step]:
    """The steps of one order among records that may be of others."""
    found = []
    for seq, record in records:
        told = _told(client_id, record)
        if told is not None:
            step, words = told
            found.append(Step(seq=seq, step=step, text=words, at=at(record.ts_ns), record=portable(record)))
    return found


def _told(client_id: str, record: JournalRecord) -> tuple[str, str] | None:
    """Kind and sentence of a step; None: the record is about something else."""
    match record:
        case OrderSubmitted() if record.client_id == client_id:
            return "intent", f"passed every limit: {_words(record.order)}"
        case OrderDenied() if record.client_id == client_id:
            return "denied", f"{record.code}: {record.reason}"
        case OrderSent() if record.client_id == client_id:
            return "send", "its bytes may have left from here on"
        case OrderReport() if record.client_id == client_id:
            return "evidence", _evidence(record)
        case PositionAdjusted() if record.client_id == client_id:
            return "booking", record.reason
        case OperatorActed() if record.about == f"order:{client_id}":
            return "operator", f"{record.who}: {record.command} {record.reason}".rstrip()
    return None


def _words(order: SubmitOrder) -> str:
    price = "" if order.price is None else f" at {order.price:f}"
    return f"{order.side} {order.quantity} {order.instrument} {order.type}{price}"


def _evidence(report: OrderReport) -> str:
    parts = [str(report.kind).replace("_", " ")]
    if report.quantity:
        parts.append(f"{report.quantity}")
    if report.cum:
        parts.append(f"{report.cum} in all")
    price: Decimal | None = report.price
    if price is not None:
        parts.append(f"at {price:f}")
    if report.venue_id:
        parts.append(f"venue id {report.venue_id}")
    if report.reason:
        parts.append(f"({report.reason})")
    return " ".join(parts)
