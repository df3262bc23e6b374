"""The gate when something is wrong: checks that fail to answer, changes while everything is stopped."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from engine.domain.commands import ReplaceOrder, SubmitOrder
from engine.domain.events import KillLevel, ReplaceRejected
from engine.domain.ids import ClientOrderId
from engine.domain.order import Evidence, OrderReport
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.orders_per_minute import OrdersPerMinute
from engine.risk.view import RiskView
from tests.core_builders import ACCOUNT, Desk


class Broken(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Never answers."""

    name: ClassVar[str] = "broken"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        raise ZeroDivisionError("no answer")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return "none"


def working(desk: Desk) -> ClientOrderId:
    desk.send(1)
    name = ClientOrderId("s-1")
    desk.core.bus.publish(OrderReport(account=ACCOUNT, client_id=name, kind=Evidence.ACK, ts_ns=desk.clock.now_ns))
    return name


def change(name: ClientOrderId) -> ReplaceOrder:
    fields: Mapping[str, Any] = {"client_id": name, "ts_ns": 0, "quantity": 5, "price": Decimal(40)}
    return ReplaceOrder(**fields)


def test_three_checks_that_raise_halt_everything() -> None:
    """Each denies its order; the third says that a person must look."""
    desk = Desk([Broken()])
    for number in range(2):
        desk.decide(number)
    assert desk.core.view.latches == {}
    desk.decide(3)
    assert desk.core.view.latches["all"].level is KillLevel.HALT
    assert len(desk.heard) == 3


def test_no_change_leaves_while_stopped() -> None:
    """A replace may raise what is at stake; a cancel is always let through."""
    desk = Desk(replaces=True)
    name = working(desk)
    desk.core.manager.latch(KillLevel.HALT, "all", "drill", "operator")
    desk.core.bus.publish(change(name))
    assert isinstance(desk.heard[-1], ReplaceRejected)
    assert "latched by operator" in desk.heard[-1].reason
    desk.core.manager.unlatch("all", "over", "operator")
    desk.core.bus.publish(change(name))
    assert desk.state(1) == "pending_replace"


def test_a_change_counts_towards_the_rates() -> None:
    """The venue counts requests, whatever they ask."""
    desk = Desk([OrdersPerMinute(cap=2)], replaces=True)
    desk.core.bus.publish(change(working(desk)))
    desk.decide(2, quantity=1)
    assert desk.heard[-1].code == "RATE"
