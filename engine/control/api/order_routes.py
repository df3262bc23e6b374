"""Orders: the list, one order's whole life, placing and withdrawing by hand."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from engine.control.api.account_routes import Limit, refuse_unless_account
from engine.control.api.cockpit import STATUSES
from engine.control.api.journal_reading import Wanted, read
from engine.control.api.operation import Call, Operation, respond
from engine.control.api.order_views import OrderLife, OrderView, denied_view, kept_view, life_of, order_view
from engine.control.api.problems import Problem
from engine.control.api.scopes import Scope
from engine.control.api.shapes import Done, done
from engine.domain.commands import Offset, OrderType, Side, TimeInForce
from engine.domain.ids import ClientOrderId
from engine.runtime.operator_commands import Cancel, Place

Id = Annotated[str, Meta(min_length=1, max_length=128)]
Units = Annotated[int, Meta(ge=1, le=10**12)]
Reason = Annotated[str, Meta(max_length=500)]


class OrderQuery(Struct, frozen=True, forbid_unknown_fields=True):
    state: Literal["open", "ended", "denied", "all"] = "open"
    account: str = ""
    strategy: str = ""
    instrument: str = ""
    limit: Limit = 100


class PlaceBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``price`` and ``stop_price`` are text or numbers; the price is rounded to the instrument's tick."""

    account: Id
    instrument: Id
    side: Side
    quantity: Units
    type: OrderType | None = None
    """Default: limit with a price, market without."""
    price: Decimal | None = None
    stop_price: Decimal | None = None
    tif: TimeInForce = TimeInForce.DAY
    offset: Offset = Offset.AUTO
    key: Annotated[str, Meta(max_length=32, pattern=r"^[A-Za-z0-9_-]*$")] = ""
    """Your own name for this order: asking twice with one key places once."""
    reason: Reason = ""


class CancelBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Reason = ""


async def orders(call: Call) -> list[OrderView]:
    asked: OrderQuery = call.query
    refuse_unless_account(call, asked.account)
    core = call.cockpit.core
    found: list[OrderView] = []
    if asked.state in ("open", "all"):
        waiting = [order for name in core.runner.seats for order in core.algos.waiting_of(name)]
        found += [order_view(order) for order in reversed(core.manager.working.values())]
        known = {view.client_id for view in found}
        found += [kept_view(order) for order in waiting if order.request.client_id not in known]
    if asked.state in ("ended", "all"):
        found += [order_view(order) for order in reversed(core.manager.orders.values()) if order.is_terminal]
    if asked.state in ("denied", "all"):
        found += [denied_view(event) for event in reversed(call.cockpit.session.seen.denials)]
    if asked.state == "all":
        found.sort(key=lambda view: -int(view.submitted.ts_ns) if view.submitted else 0)
    wanted = [
        view
        for view in found
        if (not asked.account or view.account == asked.account)
        and (not asked.strategy or view.strategy == asked.strategy)
        and (not asked.instrument or view.instrument == asked.instrument)
    ]
    return wanted[: asked.limit]


async def order(call: Call) -> OrderLife:
    name = call.path["client_id"]
    known = call.cockpit.core.manager.orders.get(ClientOrderId(name))
    page = await read(call.cockpit, Wanted(text=name, limit=500))
    life = life_of(name, page.records)
    if known is None and not life:
        raise Problem(404, "order", f"there is no order {name!r}")
    return OrderLife(order=None if known is None else order_view(known), life=life)


async def place(call: Call) -> Any:
    body: PlaceBody = call.body
    assert call.caller is not None
    command = Place(
        account=body.account,
        instrument=body.instrument,
        side=str(body.side),
        quantity=body.quantity,
        kind="" if body.type is None else str(body.type),
        price=body.price,
        stop_price=body.stop_price,
        tif=str(body.tif),
        offset=str(body.offset),
        key=body.key,
        reason=body.reason,
        who=call.cockpit.who(call.caller),
    )
    answer = await call.cockpit.command(command)
    await call.cockpit.settled()
    return respond(call.cockpit, done(answer), STATUSES[answer.exit_code])


async def cancel(call: Call) -> Any:
    assert call.caller is not None
    command = Cancel(client_id=call.path["client_id"], reason=call.body.reason, who=call.cockpit.who(call.caller))
    answer = await call.cockpit.command(command)
    await call.cockpit.settled()
    return respond(call.cockpit, done(answer), STATUSES[answer.exit_code])


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/orders",
        scope=Scope.READ,
        act=orders,
        summary="Orders as they stand, the newest first: open ones, ended ones of a day, denied ones",
        query=OrderQuery,
        answer=list[OrderView],
        statuses=(404,),
    ),
    Operation(
        method="GET",
        path="/api/orders/{client_id}",
        scope=Scope.READ,
        act=order,
        summary="One order's whole life: intent, send, evidence, fills, in time",
        answer=OrderLife,
        statuses=(404, 504),
    ),
    Operation(
        method="POST",
        path="/api/orders",
        scope=Scope.TRADE,
        act=place,
        summary="Place an order by hand, through the gate and every limit",
        body=PlaceBody,
        answer=Done,
        statuses=(409,),
    ),
    Operation(
        method="POST",
        path="/api/orders/{client_id}/cancel",
        scope=Scope.TRADE,
        act=cancel,
        summary="Withdraw an order, whoever made it",
        body=CancelBody,
        answer=Done,
        statuses=(409,),
    ),
)
