"""Campaigns and closing positions over a core without a loop: when they ask, when they page, what they send."""

from collections.abc import Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from engine.domain.account import AccountSnapshot, CancelScope, OrderRow
from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import Alert, KillLevel, OrderSubmitted
from engine.domain.ids import ClientOrderId, StrategyId, VenueOrderId
from engine.domain.market import Bar, Quote
from engine.domain.order import Evidence, OrderReport, Proof
from engine.domain.timestamps import HOUR_NS, MINUTE_NS, SECOND_NS
from engine.markets.free import Free
from engine.risk.kill import FLATTENER, Kill
from engine.runtime.flattening import Flattener
from engine.runtime.killing import READ_EVERY_NS, Killing
from engine.runtime.safety_settings import KillTable
from tests.core_builders import ACCOUNT, STOCKS, Desk

STOCK, OTHER = STOCKS


class Windows(Free, frozen=True):
    """A market that acts on no cancel until eleven minutes past one o'clock of the first day."""

    def may_cancel(self, ts_ns: int) -> bool:
        return ts_ns >= HOUR_NS + 11 * MINUTE_NS


class Bench:
    """A core, a campaign over it, and a venue whose readings the test writes."""

    def __init__(self, **settings: Any) -> None:
        self.desk = desk = Desk(
            limits=(Kill(),), cancel_scope=CancelScope.ORDER, echoes_client_id=True, lists_orders=True
        )
        self.core = core = desk.core
        self.rows: tuple[OrderRow, ...] | None = ()
        self.reads = 0
        self.asked: list[str] = []
        table = KillTable(**settings)
        self.flattener = Flattener(
            portfolio=core.portfolio, view=core.view, manager=core.manager, history=core.history, clock=desk.clock,
            publish=core.bus.publish, settings=table, accounts={StrategyId("s"): ACCOUNT}, tag="t",
        )  # fmt: skip
        self.killing = Killing(
            manager=core.manager,
            view=core.view,
            boxes={ACCOUNT: SimpleNamespace(sheet=core.view.capabilities[ACCOUNT])},  # type: ignore[dict-item]
            seekers={ACCOUNT: SimpleNamespace(look=self.look)},  # type: ignore[dict-item]
            clock=desk.clock,
            publish=core.bus.publish,
            settings=table,
            flattener=self.flattener,
        )
        cancel = core.manager.on_cancel

        def counted(command: Any) -> None:
            self.asked.append(command.client_id)
            cancel(command)

        core.manager.on_cancel = counted  # type: ignore[method-assign]

    async def look(self) -> AccountSnapshot | None:
        self.reads += 1
        now_ns = self.desk.clock.now_ns
        if self.rows is None:
            return None
        return AccountSnapshot(account=ACCOUNT, as_of_ns=now_ns, ts_ns=now_ns, orders=self.rows)

    def latch(self, level: KillLevel = KillLevel.CANCEL, scope: str = "all") -> None:
        self.core.manager.latch(level, scope, "test", "operator")
        self.killing.on_latch(self.core.view.latches[scope])

    def works(self, number: int, **terms: Any) -> None:
        """An order that rests at the venue."""
        self.desk.send(number, **terms)
        self.report(number, Evidence.ACK, venue_id=VenueOrderId(f"v-{number}"))

    def report(self, number: int, kind: Evidence, **terms: Any) -> None:
        report = OrderReport(
            account=ACCOUNT, client_id=ClientOrderId(f"s-{number}"), kind=kind, ts_ns=self.desk.clock.now_ns,
            proof=Proof.VENUE, **terms,
        )  # fmt: skip
        self.core.bus.publish(report)

    def seconds(self, count: int, *, refuses: Sequence[int] = ()) -> None:
        """So many rounds, a second each; cancels of these orders are refused at once."""
        for _ in range(count):
            self.desk.clock.now_ns += SECOND_NS
            for campaign in list(self.killing._campaigns[ACCOUNT].values()):
                self.killing._round(campaign)
            for number in refuses:
                if self.core.manager.orders[ClientOrderId(f"s-{number}")].cancel_pending:
                    self.report(number, Evidence.CANCEL_REJECT, reason="busy")

    async def read(self) -> None:
        self.desk.clock.now_ns += READ_EVERY_NS
        await self.killing._read(ACCOUNT, list(self.killing._campaigns[ACCOUNT].values()))

    def said(self, words: str) -> list[str]:
        return [event.text for event in self.desk.heard if isinstance(event, Alert) and words in event.text]


def test_the_cancels_are_asked_for_in_the_turn_of_the_latch() -> None:
    """What is queued is withdrawn, what works is asked back, and another scope is left alone."""
    bench = Bench()
    bench.works(1)
    bench.works(2, instrument=OTHER)
    bench.desk.decide(3)
    bench.latch(scope=f"symbol:{STOCK}")
    assert [bench.desk.state(n) for n in (1, 2, 3)] == ["pending_cancel", "working", "canceled"]


def test_a_latch_somebody_only_published_is_carried_out_too() -> None:
    """An operator's command publishes the event; nobody has called the gate's own latch."""
    bench = Bench()
    bench.works(1)
    bench.core.view.latches["all"] = SimpleNamespace(level=KillLevel.CANCEL, scope="all", cause="c", who="o")  # type: ignore[assignment]
    bench.killing.on_latch(bench.core.view.latches["all"])
    assert bench.desk.state(1) == "pending_cancel"


def test_a_refused_cancel_is_asked_for_again_less_and_less_often() -> None:
    """After 5, 10, 20, 40, 60, 60... seconds; not every second, and never given up."""
    bench = Bench()
    bench.works(1)
    bench.latch()
    bench.report(1, Evidence.CANCEL_REJECT, reason="busy")
    asked = len(bench.asked)
    bench.seconds(300, refuses=[1])
    assert len(bench.asked) - asked == 7


def test_after_the_deadline_a_person_is_paged_with_the_list_and_again_later() -> None:
    """Not at 59 s; at 60 s with what is still open; once more five minutes on."""
    bench = Bench()
    bench.works(1)
    bench.latch()
    bench.seconds(59, refuses=[1])
    assert bench.said("PAGE") == []
    bench.seconds(1, refuses=[1])
    (page,) = bench.said("PAGE")
    assert "s-1 working buy 10 CY.VSM" in page
    bench.seconds(300, refuses=[1])
    assert len(bench.said("PAGE")) == 2


def test_in_a_window_without_cancels_the_request_is_kept_and_nobody_is_paged() -> None:
    """Asked once, refused; for eleven minutes nothing is asked and no session time passes; then it is asked again."""
    bench = Bench()
    bench.core.view.books = {"free": Windows()}
    bench.works(1)
    bench.latch()
    bench.report(1, Evidence.CANCEL_REJECT, reason="not now")
    asked = len(bench.asked)
    bench.seconds(600)
    assert len(bench.asked) == asked
    assert bench.said("PAGE") == []
    bench.seconds(100)
    assert len(bench.asked) == asked + 1
    assert bench.desk.state(1) == "pending_cancel"


async def test_it_ends_with_two_readings_in_a_row_that_show_none() -> None:
    """A reading that failed begins the count anew."""
    bench = Bench()
    bench.works(1)
    bench.latch()
    bench.report(1, Evidence.CANCELED)
    await bench.read()
    bench.rows = None
    await bench.read()
    bench.rows = ()
    await bench.read()
    assert bench.killing.under_way
    await bench.read()
    assert not bench.killing.under_way
    assert len(bench.said("everything of ours is withdrawn")) == 1


async def test_an_order_that_comes_alive_later_is_withdrawn_as_well() -> None:
    """Its fate was unknown; the campaign was over; it begins again."""
    bench = Bench()
    bench.latch()
    for _ in range(2):
        await bench.read()
    assert not bench.killing.under_way
    bench.core.view.latches.clear()
    bench.works(1)
    bench.seconds(1)
    assert bench.killing.under_way
    assert bench.desk.state(1) == "pending_cancel"


async def test_a_strangers_order_is_named_and_left_alone() -> None:
    """A live row that is none of ours does not keep the campaign open."""
    bench = Bench()
    bench.latch()
    row = OrderRow(
        instrument=STOCK, side=Side.BUY, quantity=5, price=Decimal(40), status=Evidence.WORKING,
        venue_id=VenueOrderId("theirs"),
    )  # fmt: skip
    bench.rows = (row,)
    for _ in range(2):
        await bench.read()
    assert bench.said("left alone, not ours: theirs CY.VSM")
    assert bench.asked == []


def test_a_cleared_latch_ends_its_campaign() -> None:
    """A person has decided: what works may work on."""
    bench = Bench()
    bench.works(1)
    bench.latch()
    bench.report(1, Evidence.CANCEL_REJECT, reason="busy")
    bench.core.manager.unlatch("all", "drill over", "operator")
    bench.killing.on_unlatch(SimpleNamespace(scope="all"))  # type: ignore[arg-type]
    asked = len(bench.asked)
    bench.seconds(100)
    assert len(bench.asked) == asked


# --- flatten ----------------------------------------------------------------------------------------------------------


def holding(bench: Bench, quantity: int, *, volume: float = 1_000.0) -> list[SubmitOrder]:
    """The account holds it, minute bars have that volume; gives the list where the flattener's orders show up."""
    bench.works(1, quantity=quantity)
    bench.report(1, Evidence.FILL, quantity=quantity, price=Decimal(40), fee=Decimal(0), fill_id="f")
    fresh(bench, volume)
    fresh(bench, volume)
    sent: list[SubmitOrder] = []
    publish = bench.core.manager._publish_submitted

    def heard(event: OrderSubmitted) -> None:
        sent.append(event.order)
        publish(event)

    bench.core.manager._publish_submitted = heard
    return sent


def fresh(bench: Bench, volume: float = 1_000.0) -> None:
    """A minute goes by, with a bar."""
    bench.desk.clock.now_ns += MINUTE_NS
    now_ns = bench.desk.clock.now_ns
    bench.core.history.append(Bar(STOCK, now_ns, 40, 40, 40, 40, volume))
    bench.core.bus.publish(Quote(STOCK, now_ns, 40.0, 40.0))


def test_flatten_closes_a_tenth_of_the_minutes_volume_a_minute_within_the_collar() -> None:
    """250 held, 1,000 traded a minute: 100, 100, 50, each a limit two percent below the last price."""
    bench = Bench(flatten=True)
    sent = holding(bench, 250)
    bench.latch(KillLevel.FLATTEN)
    for number in range(3):
        for _ in range(3):
            bench.flattener.step("all", ACCOUNT)
        order = sent[number]
        assert (order.strategy, order.side, order.price) == (FLATTENER, Side.SELL, Decimal("39.20"))
        bench.core.manager.mark_sent(order.client_id)
        bench.core.bus.publish(
            OrderReport(
                account=ACCOUNT, client_id=order.client_id, kind=Evidence.FILL, ts_ns=bench.desk.clock.now_ns,
                quantity=order.quantity, price=Decimal(40), fee=Decimal(0), fill_id=f"x{number}",
            )
        )  # fmt: skip
        bench.flattener.step("all", ACCOUNT)
        assert len(sent) == number + 1, "another slice in the same minute"
        fresh(bench)
    bench.flattener.step("all", ACCOUNT)
    assert [order.quantity for order in sent] == [100, 100, 50]
    assert bench.said("flat: no position")


def test_flatten_is_off_unless_config_allows_it() -> None:
    """At level FLATTEN without the setting nothing is sold."""
    bench = Bench()
    sent = holding(bench, 100)
    bench.latch(KillLevel.FLATTEN)
    bench.flattener.step("all", ACCOUNT)
    assert sent == []


def test_shares_bought_today_are_named_and_not_sold() -> None:
    """T+1: a person hears what can not be sold today."""
    bench = Bench(flatten=True)
    sent = holding(bench, 100)
    bench.core.portfolio.sellable = lambda *_: 0  # type: ignore[method-assign]
    bench.latch(KillLevel.FLATTEN)
    bench.flattener.step("all", ACCOUNT)
    assert sent == []
    assert bench.said("cannot sell today: 100 of 100 CY.VSM")


@pytest.mark.parametrize("minutes", [0, 5])
def test_without_a_volume_of_now_nothing_is_closed_and_a_person_hears(minutes: int) -> None:
    """No bar, or none for five minutes: how much a tenth is can not be said."""
    bench = Bench(flatten=True)
    sent = holding(bench, 100)
    if not minutes:
        bench.core.history._default.clear()
    bench.desk.clock.now_ns += minutes * MINUTE_NS
    bench.latch(KillLevel.FLATTEN)
    bench.flattener.step("all", ACCOUNT)
    assert sent == []
    assert bench.said("the last minute's volume is not known")
