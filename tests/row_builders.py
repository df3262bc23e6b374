"""Builders for what is read in an order list: a venue that gives no number back, its rows, and orders lost to it."""

from decimal import Decimal
from typing import Any

from engine.domain.account import AccountSnapshot, Balance, OrderRow, PositionRow
from engine.domain.commands import OrderType, Side
from engine.domain.events import AccountObserved
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.ids import ClientOrderId, VenueOrderId
from engine.domain.timestamps import SECOND_NS
from tests.core_builders import ACCOUNT, STOCKS, Desk

PRICE = Decimal("40.5")
LIMIT = {"type": OrderType.LIMIT, "price": PRICE, "quantity": 100}


def a_desk(**sheet: Any) -> Desk:
    """A venue with an order list and no ids, whose answers are claims."""
    return Desk(lists_orders=True, **sheet)


def a_row(number: str, desk: Desk, **terms: Any) -> OrderRow:
    """A row entered when the newest order was sent; before there is one, now."""
    fields: dict[str, Any] = {
        "instrument": STOCKS[0],
        "side": Side.BUY,
        "quantity": 100,
        "price": PRICE,
        "status": Evidence.WORKING,
        "venue_id": VenueOrderId(number),
        "ts_ns": max((o.sent_ns for o in desk.core.manager.orders.values()), default=desk.clock.now_ns),
        **terms,
    }
    return OrderRow(**fields)


def see(desk: Desk, *rows: OrderRow, after_ns: int = 10 * SECOND_NS, cash: str = "", **more: Any) -> None:
    """A reading that begins ``after_ns`` from now; ``cash``: total and available."""
    desk.clock.now_ns += after_ns
    total, _, available = cash.partition("/")
    balances = (Balance(currency="COIN", total=Decimal(total), available=Decimal(available)),) if cash else None
    snapshot = AccountSnapshot(
        account=ACCOUNT, as_of_ns=desk.clock.now_ns, ts_ns=desk.clock.now_ns, orders=rows, balances=balances, **more
    )
    desk.core.bus.publish(AccountObserved(snapshot=snapshot))


def lose(desk: Desk, number: int, **terms: Any) -> None:
    desk.send(number, **{**LIMIT, **terms})
    report = OrderReport(
        account=ACCOUNT, client_id=ClientOrderId(f"s-{number}"), kind=Evidence.AMBIGUOUS, ts_ns=desk.clock.now_ns
    )
    desk.core.bus.publish(report)


def a_position(quantity: int, sellable: int | None = None) -> tuple[PositionRow, ...]:
    return (PositionRow(instrument=STOCKS[0], quantity=quantity, sellable=sellable),)
