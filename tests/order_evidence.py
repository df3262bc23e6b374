"""Evidence about one order of 100 at 10.00, for the tests of its life."""

from decimal import Decimal
from typing import Any

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.order import Evidence, Order, OrderReport

ACCOUNT = AccountId("paper")
E = Evidence


def a_request(quantity: int = 100) -> SubmitOrder:
    return SubmitOrder(
        client_id=ClientOrderId("o-1"),
        account=ACCOUNT,
        strategy=StrategyId("s"),
        instrument=InstrumentId("CY.VSM"),
        side=Side.BUY,
        quantity=quantity,
        ts_ns=1,
        type=OrderType.LIMIT,
        price=Decimal("10.00"),
    )


def report(kind: Evidence, as_of_ns: int = 10, **fields: Any) -> OrderReport:
    return OrderReport(account=ACCOUNT, kind=kind, ts_ns=as_of_ns, as_of_ns=as_of_ns, **fields)


def fill(
    quantity: int, fill_id: str = "f1", as_of_ns: int = 10, price: str = "10.00", fee: str = "0.30"
) -> OrderReport:
    return report(E.FILL, as_of_ns, quantity=quantity, fill_id=fill_id, price=Decimal(price), fee=Decimal(fee))


def row(kind: Evidence, cum: int, as_of_ns: int, average: str | None = None) -> OrderReport:
    return report(kind, as_of_ns, cum=cum, price=None if average is None else Decimal(average))


def an_order(*history: OrderReport, quantity: int = 100) -> Order:
    order = Order(a_request(quantity))
    for one in history:
        order.apply(one)
    return order


OK = report(E.RISK_OK)
SEND = report(E.SEND)
ACK = report(E.ACK)
