"""What follows from a bar of the past is denied wherever it is done: behind an await, in a queue, by a denial."""

from engine import Bar, DataKind, OrderEvent, Strategy
from engine.domain.algos import AlgoChanged, AlgoState
from engine.domain.commands import OrderType
from engine.domain.events import InstructionDenied, OrderDenied
from engine.domain.ids import StrategyId
from engine.domain.order import Evidence, OrderReport
from engine.heard import HISTORY
from tests.heard_builders import NAME, Buys, Life, an_order, at

# --- what follows from history ---------------------------------------------------------------------------------------


class Everything(Buys):
    """On a bar: an algorithm, an instruction, an order that the engine plays, a cancel and a cancel of conditions."""

    def on_start(self) -> None:
        self.first = self.buy(NAME, 1, 9.0)

    def on_bar(self, bar: Bar) -> None:
        self.twap(NAME, 100, "10m")
        self.condition_buy(NAME, 9.0, 10)
        self.buy(NAME, 10, type=OrderType.STOP, stop_price=11.0)
        self.cancel(self.first)
        self.cancel_conditions(NAME, "buy")


def test_an_algorithm_an_instruction_and_a_played_order_are_denied_and_cancels_pass() -> None:
    """Each author is told as of any denial; what the engine plays is over before it began."""
    life = Life("09:00:30", Everything)
    assert life.hear("08:58", now="09:00:31") == []
    told = life.strategy.told  # type: ignore[attr-defined]
    assert [(event.code, event.order.type) for event in told if isinstance(event, OrderDenied)] == [
        (HISTORY, OrderType.STOP)
    ]
    (over,) = [event for event in told if isinstance(event, AlgoChanged)]
    assert over.state is AlgoState.REJECTED
    assert over.reason.startswith("history: the bar of CY.VSM")
    rows = life.of(InstructionDenied)
    assert rows[0].code == HISTORY
    assert "CancelConditions" not in [type(row.instruction.action).__name__ for row in rows if row.code == HISTORY]
    assert not life.core.algos.parents
    (cancel,) = [report.client_id for report in life.of(OrderReport) if report.kind is Evidence.CANCEL_REQUEST]
    assert cancel == life.strategy.first  # type: ignore[attr-defined]


def test_what_a_person_orders_is_no_strategys() -> None:
    """Nothing of a history stands between two bars."""
    life = Life("09:00:30")
    life.hear("08:58", now="09:00:31")
    life.core.bus.publish(an_order("operator-1"))
    assert [order.client_id for order in life.sent] == ["operator-1"]


class Fails(Buys):
    def on_bar(self, bar: Bar) -> None:
        raise RuntimeError("no idea")


def test_a_strategy_that_fails_at_a_bar_of_the_past_leaves_nothing_behind() -> None:
    """It is stopped, as at any bar, and a person's order passes."""
    life = Life("09:00:30", Fails)
    life.hear("08:58", now="09:00:31")
    assert life.core.runner.seats[StrategyId("s")].stopped.startswith("RuntimeError: no idea")
    assert life.core.runner.history is None


class Waits(Buys):
    """Orders behind an ``await``; bars that come meanwhile wait in its queue."""

    async def on_bar(self, bar: Bar) -> None:
        await self.sleep("5s")
        self.buy(bar.instrument, 10)


def test_what_is_ordered_behind_an_await_follows_from_the_bar_before_it() -> None:
    """Two old bars and a new one, the later two in the queue: two denials, one order."""
    life = Life("09:00:30", Waits)
    for end in ("08:58", "08:59", "09:00"):
        life.hear(end, now="09:00:31")
    for second in ("09:00:37", "09:00:43", "09:00:49"):
        life.later(second)
    assert [row.code for row in life.denied] == [HISTORY, HISTORY]
    assert ["08:58" not in row.reason and "00:5" in row.reason for row in life.denied] == [True, True]
    assert len(life.sent) == 1


class AwaitsBars(Buys):
    """One long coroutine over bars, and no ``on_bar``."""

    async def on_start(self) -> None:
        while True:
            bar = await self.next_bar(NAME)
            self.buy(bar.instrument, 10)
            await self.sleep("1s")
            self.buy(bar.instrument, 20)


AwaitsBars.on_bar = Strategy.on_bar  # type: ignore[method-assign]


def test_a_coroutine_is_free_again_with_the_next_bar_it_awaits() -> None:
    """Both orders after a bar of the past are denied, both after news leave."""
    life = Life("09:00:30", AwaitsBars)
    life.core.runner.listen(StrategyId("s"), DataKind.BAR, NAME, 0)
    life.hear("08:58", now="09:00:31")
    life.later("09:00:33")
    assert (len(life.denied), life.sent) == (2, [])
    life.hear("09:01")
    life.later("09:01:02")
    assert [order.quantity for order in life.sent] == [10, 20]


def test_a_fresh_instance_follows_from_nothing_its_forerunner_heard() -> None:
    """Stopped in the middle of an ``await`` behind an old bar, and started again: it trades on the news."""
    life = Life("09:00:30", Waits)
    life.hear("08:58", now="09:00:31")
    life.core.runner.halt(StrategyId("s"), "by a person")
    life.seat()
    life.hear("09:01")
    life.later("09:01:06")
    assert (len(life.sent), life.denied) == (1, [])


class AwaitsOneBar(Buys):
    """Waits for one bar; a timer falls due meanwhile."""

    async def on_start(self) -> None:
        self.at("09:00:31", self.tick, tz="Asia/Shanghai")
        await self.next_bar(NAME)

    def tick(self) -> None:
        self.buy(NAME, 7)


AwaitsOneBar.on_bar = Strategy.on_bar  # type: ignore[method-assign]


def test_what_waited_for_a_coroutine_that_a_bar_of_the_past_ends_does_not_follow_from_that_bar() -> None:
    """The timer was there before; the bar only made room for it."""
    life = Life("09:00:30", AwaitsOneBar)
    life.core.runner.listen(StrategyId("s"), DataKind.BAR, NAME, 0)
    life.later("09:00:32")
    assert life.sent == []
    life.hear("08:58", now="09:00:33")
    assert ([order.quantity for order in life.sent], life.denied) == ([7], [])


class Slices(Buys):
    """Has an iceberg of news, and at a bar of the past withdraws another order."""

    def on_bar(self, bar: Bar) -> None:
        if not self.working_orders():
            self.iceberg(NAME, 100, 10.0, show=10)


def test_the_next_part_of_an_algorithm_of_news_is_the_engines_and_leaves() -> None:
    """What a parent sends in consequence of something a strategy does at an old bar was decided with the parent."""
    life = Life("09:00:30", Slices)
    (first,) = life.hear("09:00", now="09:00:31")
    (parent,) = life.core.algos.parents.values()
    old = Bar(NAME, at("08:58"), 10.0, 10.0, 10.0, 10.0, 100.0)
    life.core.runner.history = old
    parent.children.clear()
    parent.wake()
    assert (len(life.sent), life.sent[-1].client_id != first.client_id, life.denied) == (2, True, [])


class TriesAgain(Buys):
    """Answers the first denial with another order."""

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        super().on_order(event)
        if len(self.told) == 1:
            self.buy(NAME, 5)


def test_an_order_caused_by_a_denial_follows_from_the_same_bar() -> None:
    """Trying again is no way round."""
    life = Life("09:00:30", TriesAgain)
    assert life.hear("08:58", now="09:00:31") == []
    assert [(row.code, row.order.quantity) for row in life.denied] == [(HISTORY, 10), (HISTORY, 5)]


class Mixes(Buys):
    """Sleeps on a bar of the past; what was in its queue before follows from nothing."""

    async def on_bar(self, bar: Bar) -> None:
        await self.sleep("5s")

    def on_start(self) -> None:
        self.every("1s", self.tick, name="tick")
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks == 1:
            self.buy(NAME, 7)


def test_what_waits_in_the_queue_and_follows_from_no_bar_may_trade() -> None:
    """A timer that fell due while the handler of an old bar slept."""
    life = Life("09:00:30", Mixes)
    life.hear("08:58", now="09:00:30")
    for second in range(31, 40):
        life.later(f"09:00:{second}")
    assert ([order.quantity for order in life.sent], life.denied) == ([7], [])
