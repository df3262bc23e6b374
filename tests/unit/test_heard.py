"""Strategies of a live run hear bars of the past and trade on none of them; what is news they trade once."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine import Bar, DataKind, OrderEvent, Strategy
from engine.clock import ReplayClock
from engine.context import Context
from engine.control.logs import _told as told_in_log
from engine.control.notices.notice import Notice
from engine.control.notices.sources import Sources
from engine.domain.account import Capabilities
from engine.domain.algos import AlgoChanged, AlgoState
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.events import InstructionDenied, OrderDenied, OrderSubmitted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instructions import InstructionReport
from engine.domain.instrument import Instrument
from engine.domain.jobs import BarsHeard, HeardBar
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import DAY_NS, MINUTE_NS, SECOND_NS, parse_time
from engine.heard import HISTORY, Heard
from engine.journal.compaction import compact
from engine.journal.memory import MemoryJournal
from engine.journal.sqlite import SqliteJournal
from engine.markets.free import Free
from engine.ports import Journal
from engine.runtime.gate import BY_HAND
from engine.runtime.history_gate import LiveCore
from engine.runtime.wiring import join

NAME, OTHER = InstrumentId("CY.VSM"), InstrumentId("DL.VSM")
ACCOUNT = AccountId("a")
NINE_NS = parse_time("2026-03-02T09:00:00+08:00")


class Buys(Strategy):
    """Buys ten at each bar it hears, and writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def on_bar(self, bar: Bar) -> Any:
        self.buy(bar.instrument, 10)

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        self.told.append(event)

    def on_algo(self, event: AlgoChanged) -> None:
        self.told.append(event)

    def on_instruction(self, event: InstructionReport) -> None:
        self.told.append(event)


class Life:
    """One life of a live core over a journal, begun at a moment; ``sent`` is what left in it."""

    def __init__(
        self, began: str = "09:00:30", kind: Callable[[], Strategy] = Buys, journal: Journal | None = None
    ) -> None:
        self.clock = ReplayClock(_at(began))
        self.journal = journal or MemoryJournal()
        self.sent: list[SubmitOrder] = []
        self.denied: list[OrderDenied] = []
        self.core = core = LiveCore(
            clock=self.clock,
            journal=self.journal,
            instruments={name: Instrument(id=name, currency="COIN") for name in (NAME, OTHER)},
            books={"free": Free()},
            limits=(),
            sheets={ACCOUNT: Capabilities(gateway="venue", order_types=frozenset({OrderType.MARKET}))},
            outside=lambda *_: None,
            note=lambda *_: None,
        )
        core.portfolio.open_account(ACCOUNT, "COIN", Decimal(1_000_000))
        join(
            core, self, keep_history=True, subscriptions=self._subscribe,
            watchers=[(OrderDenied, self.denied.append)],
        )  # fmt: skip
        core.manager.recover([record for _, record in self.journal.records()], core.relive)
        core.begin()
        self.kind = kind
        self.seat()

    def seat(self) -> None:
        """A fresh instance takes its place and begins."""
        core = self.core
        self.strategy = self.kind()
        counts = (core.manager.orders_made, core.algos.made, core.instructions.made)
        made = [of.get(StrategyId("s"), 0) for of in counts]
        context = Context(
            strategy=StrategyId("s"), account=ACCOUNT, instruments=(NAME, OTHER), catalogue=core.instruments,
            publish=core.bus.publish, portfolio=core.portfolio, history=core.history, desk=core.runner,
            orders_made=made[0], algos_made=made[1], instructions_made=made[2],
        )  # fmt: skip
        core.runner.seat(StrategyId("s"), self.strategy, context)
        core.runner.start()

    def hear(
        self, end: str, instrument: InstrumentId = NAME, interval_ns: int = MINUTE_NS, now: str = ""
    ) -> list[SubmitOrder]:
        """A bar is published; gives what left because of it."""
        self.clock.now_ns = max(self.clock.now_ns, _at(now or end))
        before = len(self.sent)
        self.core.bus.publish(Bar(instrument, _at(end), 10.0, 10.0, 10.0, 10.0, 100.0, interval_ns))
        return self.sent[before:]

    def later(self, moment: str) -> None:
        """Timers up to a moment fire."""
        self.clock.now_ns = _at(moment)
        self.core.runner.fire_due(self.clock.now_ns)

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for _, record in self.journal.records() if isinstance(record, kind)]

    def again(self, began: str) -> "Life":
        """Killed, and started anew: all that is left is the journal."""
        return Life(began, type(self.strategy), self.journal)

    # --- the venue ----------------------------------------------------------------------------------------------------

    def on_submitted(self, event: OrderSubmitted) -> None:
        self.sent.append(event.order)

    def on_cancel_wanted(self, event: Any) -> None: ...

    def on_replace_wanted(self, event: Any) -> None: ...

    def _subscribe(self, event: Any) -> None:
        self.core.runner.listen(event.strategy, event.kind, event.instrument, event.interval_ns)


def _at(moment: str) -> int:
    """``09:00:30`` is of Monday 2 March 2026, ``03-03 09:00`` of that day."""
    day, _, time = moment.rpartition(" ")
    return parse_time(f"2026-{day or '03-02'}T{time}{'' if time.count(':') == 2 else ':00'}+08:00")


# --- what is history -------------------------------------------------------------------------------------------------


def test_a_bar_that_was_traded_is_not_traded_again_by_the_next_life() -> None:
    """Killed half a minute later, the newest bar of the history is the one that was traded; the reason names it."""
    life = Life()
    assert len(life.hear("09:00")) == 1
    after = life.again("09:00:50")
    assert after.hear("09:00", now="09:00:51") == []
    (denied,) = after.denied
    assert (denied.code, denied.order.instrument) == (HISTORY, NAME)
    assert denied.reason == (
        "history: the bar of CY.VSM (60 s) ended 2026-03-02 01:00:00+00:00, and an earlier run had heard bars up to "
        "2026-03-02 01:00:00+00:00 when it last ordered"
    )
    assert after.strategy.told == [denied]  # type: ignore[attr-defined]
    assert len(after.hear("09:01")) == 1
    third = after.again("09:01:30")
    assert (third.hear("09:00", now="09:01:31"), third.hear("09:01", now="09:01:31")) == ([], [])


def test_the_newest_bar_of_before_the_first_start_is_traded_and_those_before_it_are_not() -> None:
    """Of three old bars the last is news: no newer one could be there when the run began."""
    life = Life("09:00:30")
    assert [len(life.hear(end, now="09:00:31")) for end in ("08:58", "08:59", "09:00")] == [0, 0, 1]
    assert [row.code for row in life.denied] == [HISTORY, HISTORY]
    assert "was not the newest any more when this run began at 2026-03-02 01:00:30" in life.denied[-1].reason


def test_a_bar_that_ended_as_this_life_began_is_the_newest_and_the_one_before_is_old() -> None:
    """At 09:01:00 sharp the bar of 09:01 has ended: it is the newest, and that of 09:00 is history."""
    life = Life("09:01:00")
    assert (life.hear("09:00", now="09:01:01"), len(life.hear("09:01", now="09:01:01"))) == ([], 1)


def test_a_bar_that_was_missed_while_the_engine_was_down_is_traded_once_if_it_is_the_newest() -> None:
    """Down from 09:00 to 09:05:20: of the bars in between the last is traded, by the first life that hears it alone."""
    life = Life()
    life.hear("09:00")
    back = life.again("09:05:20")
    ends = ("08:59", "09:00", "09:01", "09:04", "09:05")
    assert [len(back.hear(end, now="09:05:21")) for end in ends] == [0, 0, 0, 0, 1]
    third = back.again("09:05:40")
    assert [len(third.hear(end, now="09:05:41")) for end in ends] == [0] * 5


def test_instruments_and_lengths_of_bars_are_told_apart() -> None:
    """Only the pair that was published before the order is history: the others were heard by no life."""
    life = Life("09:00:10")
    assert len(life.hear("09:00", now="09:00:11")) == 1
    after = life.again("09:00:30")
    heard = [
        len(after.hear("09:00", name, interval_ns, now="09:00:31"))
        for name in (NAME, OTHER)
        for interval_ns in (MINUTE_NS, 5 * MINUTE_NS)
    ]
    assert heard == [0, 1, 1, 1]


class OnlyOther(Buys):
    """Hears both, trades one of them."""

    def on_bar(self, bar: Bar) -> None:
        if bar.instrument == OTHER:
            self.buy(OTHER, 10)


def test_a_bar_nobody_acted_on_costs_no_record_and_is_marked_by_the_next_order() -> None:
    """Ten bars without an order: no row. An order on another instrument: one row of all that moved, just before it."""
    life = Life("08:40", OnlyOther)
    for minute in range(50, 60):
        life.hear(f"08:{minute}")
    assert life.of(BarsHeard) == []
    life.hear("09:00", OTHER)
    (row,) = life.of(BarsHeard)
    assert row.bars == (HeardBar(NAME, MINUTE_NS, _at("08:59")), HeardBar(OTHER, MINUTE_NS, _at("09:00")))
    life.core.bus.publish(an_order("operator-1"))
    assert len(life.of(BarsHeard)) == 1, "nothing moved since"
    kinds = [type(record).__name__ for _, record in life.journal.records()]
    assert kinds == ["BarsHeard", "OrderSubmitted", "OrderSubmitted"]


def test_a_bar_of_the_future_makes_no_history_of_those_before_it() -> None:
    """A feed that says tomorrow once must not silence a strategy until then."""
    life = Life()
    life.hear("09:00")
    life.hear("03-03 09:00", now="09:00:40")
    life.hear("09:01")
    after = life.again("09:01:30")
    assert after.hear("09:01", now="09:01:31") == []
    assert len(after.hear("09:02")) == 1


def test_a_simulated_day_that_is_played_again_is_traded_again() -> None:
    """Two runs over one journal whose clocks begin on one morning: the second is not silent until the afternoon."""
    life = Life("08:59:30")
    assert [len(life.hear(end)) for end in ("09:00", "09:10", "14:00")] == [1, 1, 1]
    second = life.again("08:59:30")
    assert [len(second.hear(end)) for end in ("09:00", "09:10")] == [1, 1]
    third = second.again("09:10:30")
    assert (third.hear("09:10", now="09:10:31"), len(third.hear("09:11"))) == ([], 1)


@pytest.mark.parametrize(
    ("began", "history"), [("03-06 20:00", False), ("03-09 09:20", False), ("03-09 15:00", True), ("03-10 09:20", True)]
)
def test_the_day_bar_of_a_friday_is_the_newest_until_that_of_monday(began: str, history: bool) -> None:
    """A length of a day and more counts trading days; one of minutes counts by the clock."""

    def day(_instrument: InstrumentId, ts_ns: int) -> int:
        number = (ts_ns + 8 * 3600 * SECOND_NS) // DAY_NS
        return number + {5: 2, 6: 1}.get((number + 3) % 7, 0)

    heard = Heard(day)
    heard.begin({}, _at(began))
    assert heard.take(Bar(NAME, _at("03-06 15:00"), 1, 1, 1, 1, 1, DAY_NS), _at(began)) is history
    assert heard.take(Bar(NAME, _at("03-06 15:00"), 1, 1, 1, 1, 1, MINUTE_NS), _at(began)) is True


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


def an_order(name: str) -> SubmitOrder:
    return SubmitOrder(
        client_id=ClientOrderId(name), account=ACCOUNT, strategy=BY_HAND, instrument=NAME, side=Side.BUY, quantity=1,
        ts_ns=0,
    )  # fmt: skip


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
    old = Bar(NAME, _at("08:58"), 10.0, 10.0, 10.0, 10.0, 100.0)
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


# --- the mark in the journal -----------------------------------------------------------------------------------------


def test_a_crash_between_the_mark_and_the_order_doubles_nothing() -> None:
    """The row of the mark is the last that was kept: the signal is lost, and the strategy is told so."""
    life = Life()
    life.hear("09:00")
    torn = MemoryJournal()
    for _, record in life.journal.records():
        if isinstance(record, OrderSubmitted):
            break
        torn.append(record)
    assert [type(record).__name__ for _, record in torn.records()] == ["BarsHeard"]
    after = Life("09:00:50", Buys, torn)
    assert after.hear("09:00", now="09:00:51") == []
    assert [row.code for row in after.denied] == [HISTORY]
    assert len(after.hear("09:01")) == 1


def test_an_older_mark_does_not_take_a_newer_one_back() -> None:
    """A later life whose feed begins with older bars leaves the mark where it is."""
    life = Life()
    life.hear("09:00")
    after = life.again("09:00:40")
    after.hear("08:50", now="09:00:41")
    after.hear("09:00", OTHER, now="09:00:41")
    assert [bar.instrument for row in after.of(BarsHeard)[1:] for bar in row.bars] == [OTHER]
    third = after.again("09:00:50")
    assert (third.hear("09:00", now="09:00:51"), third.hear("09:00", OTHER, now="09:00:51")) == ([], [])


def test_marks_survive_compaction(tmp_path: Path) -> None:
    """The journal written anew has them; the third life still knows what the first one traded."""
    path = tmp_path / "journal.sqlite3"

    async def first() -> None:
        journal = SqliteJournal(path)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(journal.run)
            assert len(Life(journal=journal).hear("09:00")) == 1
            await journal.durable(journal.next_seq - 1)
            tasks.cancel_scope.cancel()
        journal.close()

    anyio.run(first)
    compact(path)
    journal = SqliteJournal(path)
    after = Life("09:00:50", journal=journal)
    assert (after.hear("09:00", now="09:00:51"), [row.code for row in after.denied]) == ([], [HISTORY])
    journal.close()


# --- what people are told --------------------------------------------------------------------------------------------


def test_such_denials_are_counted_and_send_no_notice() -> None:
    """A start with twenty signals in its history is an ordinary start; any other denial is told as ever."""
    told: list[Notice] = []
    sources = Sources(told.append)
    (_, hear), = [row for row in sources.watchers() if row[0] is OrderDenied]  # fmt: skip
    for code in (HISTORY, "CASH"):
        hear(OrderDenied(order=an_order("s-1"), ts_ns=1, code=code, reason="said so"))
    assert [notice.text for notice in told] == ["CASH: said so"]
    assert sources.take() == {"denied": 2}


def test_the_log_says_how_many_bars_and_not_which() -> None:
    """A mark of five thousand instruments is one short line."""
    bars = tuple(HeardBar(InstrumentId(f"{number}.SH"), MINUTE_NS, 1) for number in range(5_000))
    assert told_in_log(7, BarsHeard(ts_ns=1, bars=bars)) == ("bars heard", {"seq": 7, "count": 5_000})
