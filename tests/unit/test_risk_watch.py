"""The watch in a whole core: what it latches and tells, once; and that a restart finds latches and counters again."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.commands import CancelOrder, OrderType, Side
from engine.domain.events import DayPriced, EquitySampled, KillLevel, LatchSet
from engine.domain.ids import ClientOrderId, StrategyId
from engine.domain.market import Quote
from engine.domain.order import Evidence, OrderReport, OrderState
from engine.domain.timestamps import SECOND_NS
from engine.risk import limits_for
from engine.risk.limit import Limit
from engine.runtime.gate import sample
from tests.core_builders import ACCOUNT, STOCKS, Desk, a_command

WIDE: dict[str, Any] = {
    "price_collar": {"max_age": "1d", "percent": 50}, "sane_price": {"percent": 1000},
    "open_orders": {"per_side": 50}, "duplicate_order": {"window": "1ms"}, "concentration": {"percent": 1000},
    "max_position": {"value": 10**9}, "max_order_value": {"value": 10**9}, "max_open_value": {"value": 10**9},
    "max_order_quantity": {"quantity": 10**6},
}  # fmt: skip


def a_desk(**table: Any) -> Desk:
    """The paper limits, those wide that say nothing here; the account was worth 100 000 when the day began."""
    desk = Desk(limits_for("paper", {**WIDE, **table}), echoes_client_id=True)
    worth = EquitySampled(account=ACCOUNT, ts_ns=desk.clock.now_ns, equity=Decimal(100_000), cash=Decimal(0))
    sample(desk.core, worth)
    return desk


def price(desk: Desk, value: float) -> None:
    """A second later."""
    desk.clock.now_ns += SECOND_NS
    desk.core.bus.publish(Quote(STOCKS[0], desk.clock.now_ns, value, value))


def fill(desk: Desk, number: int, quantity: int, at: int = 40) -> None:
    """An order of this number goes out and fills."""
    desk.send(number, quantity=quantity)
    report(desk, number, Evidence.FILL, quantity=quantity, price=Decimal(at), fee=Decimal(0), fill_id=f"f{number}")


def report(desk: Desk, number: int, kind: Evidence, **terms: Any) -> None:
    name = ClientOrderId(f"s-{number}")
    desk.core.bus.publish(
        OrderReport(account=ACCOUNT, client_id=name, kind=kind, ts_ns=desk.clock.now_ns, **terms)
    )  # fmt: skip


def journaled(desk: Desk, kind: type) -> list[Any]:
    return [record for _, record in desk.core.journal.records() if isinstance(record, kind)]


def latches(desk: Desk) -> list[tuple[str, KillLevel]]:
    return [(latch.scope, latch.level) for latch in journaled(desk, LatchSet)]


def test_a_loss_reduces_the_strategy_then_the_account_then_cancels() -> None:
    """1, 2 and 3 % of 100 000 on 1000 units: each latched once and journaled; the last asks orders back."""
    desk = a_desk()
    fill(desk, 1, 1000)
    desk.decide(2, strategy=StrategyId("t"), instrument=STOCKS[1], quantity=1, type=OrderType.LIMIT, price=Decimal(39))
    price(desk, 39.1)
    assert latches(desk) == []
    price(desk, 39.0)
    assert latches(desk) == [("strategy:s", KillLevel.REDUCE)]
    price(desk, 38.0)
    price(desk, 38.0)
    assert latches(desk)[1:] == [("account:game", KillLevel.REDUCE)]
    assert desk.state(2) == OrderState.QUEUED
    price(desk, 37.0)
    assert latches(desk)[2:] == [("account:game", KillLevel.CANCEL)]
    assert desk.state(2) == OrderState.CANCELED
    price(desk, 50.0)
    assert len(latches(desk)) == 3
    desk.decide(3)
    assert desk.heard[-1].code == "KILLED"


def test_reduce_lets_out_only_what_reduces() -> None:
    """At REDUCE a sale of what is held passes the gate; a purchase does not."""
    desk = a_desk()
    fill(desk, 1, 1000)
    price(desk, 38.9)
    desk.decide(2, side=Side.SELL, quantity=1000)
    assert desk.state(2) == OrderState.QUEUED
    desk.decide(3, quantity=1)
    assert desk.heard[-1].code == "KILLED"


def test_a_latch_cleared_while_its_cause_stands_is_raised_again() -> None:
    """People lower latches; a loss that is still there raises it again within a second."""
    desk = a_desk()
    fill(desk, 1, 1000)
    price(desk, 39.0)
    desk.core.manager.unlatch("strategy:s", "I looked", "me")
    price(desk, 39.0)
    assert latches(desk) == [("strategy:s", KillLevel.REDUCE)] * 2
    desk.core.manager.unlatch("strategy:s", "I looked", "me")
    price(desk, 40.0)
    assert len(latches(desk)) == 2


def test_losses_are_marked_once_a_second() -> None:
    """A burst of prices is looked at once."""
    desk = a_desk()
    fill(desk, 1, 1000)
    price(desk, 40.0)
    desk.core.bus.publish(Quote(STOCKS[0], desk.clock.now_ns, 30.0, 30.0))
    assert latches(desk) == []
    price(desk, 30.0)
    assert latches(desk) != []


def test_too_many_messages_are_told_and_then_halt_the_account() -> None:
    """Cancels are never denied: two orders and two cancels in a second tell once, and halt."""
    desk = a_desk(message_rate={"warn": 3, "stop": 4})
    for number in (1, 2):
        desk.decide(number, quantity=number)
        desk.core.manager.mark_sent(ClientOrderId(f"s-{number}"))
        report(desk, number, Evidence.ACK, venue_id=f"v{number}")
    for number in (1, 2):
        command = CancelOrder(client_id=ClientOrderId(f"s-{number}"), ts_ns=desk.clock.now_ns, who="s")
        desk.core.manager.on_cancel(command)
    assert [alert.text for alert in desk.heard] == [
        "message_rate: 3 orders and cancels in a second (told from 3)"
    ]  # fmt: skip
    assert latches(desk) == [("account:game", KillLevel.HALT)]
    assert all(order.cancel_pending for order in desk.core.manager.working.values())


class Broken(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit that passes, and fails to judge what happened."""

    monitors = True

    def check(self, order: Any, view: Any, now_ns: int) -> None:
        return None

    def finding(self, subject: Any, view: Any, now_ns: int) -> None:
        raise LookupError("no such counter")


def test_a_finding_that_fails_halts_the_account() -> None:
    """What can not be judged is not to be trusted."""
    desk = Desk([Broken()])
    desk.decide(1)
    assert latches(desk) == [("account:game", KillLevel.HALT)]
    assert "could not be judged" in journaled(desk, LatchSet)[0].cause


@pytest.mark.parametrize("moves", [(40.0, 38.9), (40.0, 41.0, 36.0)])
def test_a_restart_finds_latches_and_counters_again(moves: tuple[float, ...]) -> None:
    """A new core told the journal, and then one more price, shows every limit's figures alike."""
    desk = a_desk()
    fill(desk, 1, 1000)
    desk.send(2, quantity=5, side=Side.SELL)
    for value in moves:
        price(desk, value)
    desk.core.manager.on_cancel(CancelOrder(client_id=ClientOrderId("s-2"), ts_ns=desk.clock.now_ns, who="s"))
    again = Desk(limits_for("paper", WIDE), echoes_client_id=True)
    again.core.portfolio.accounts[ACCOUNT].cash["COIN"] = Decimal(100_000)
    again.clock.now_ns = desk.clock.now_ns
    profit = again.core.view.profit
    assert profit is not None
    profit.first.clear()  # what the builder's own quotes began; the journal knows better
    again.core.manager.recover([record for _, record in desk.core.journal.records()], again.core.relive)
    for one in (desk, again):
        price(one, moves[-1])
    assert again.core.view.latches == desk.core.view.latches
    asked = a_command(9, ts_ns=desk.clock.now_ns)
    figures = [
        {verdict.check: verdict.figures for verdict in one.core.checker.explain(asked, desk.clock.now_ns)}
        for one in (desk, again)
    ]
    for live_only in ("sane_price", "volume_share"):
        figures[0].pop(live_only), figures[1].pop(live_only)
    assert figures[1] == figures[0]


def test_the_day_begins_once_whatever_restarts() -> None:
    """The price a day began with is journaled with the first that comes, and kept by the next life."""
    desk = a_desk()
    price(desk, 41.0)
    began = journaled(desk, DayPriced)
    assert [(row.instrument, row.price) for row in began] == [
        (STOCKS[0], Decimal("40.0")),
        (STOCKS[1], Decimal("40.0")),
    ]
    again = Desk(limits_for("paper", WIDE))
    again.core.relive(began[0])
    profit = again.core.view.profit
    assert profit is not None
    assert profit.first[STOCKS[0]][1] == Decimal("40.0")
