"""Strategies of a live run hear bars of the past and trade on none of them; what is news they trade once."""

from pathlib import Path

import anyio
import pytest

from engine import Bar
from engine.control.logs import _told as told_in_log
from engine.control.notices.notice import Notice
from engine.control.notices.sources import Sources
from engine.domain.events import OrderDenied, OrderSubmitted
from engine.domain.ids import InstrumentId
from engine.domain.jobs import BarsHeard, HeardBar
from engine.domain.timestamps import DAY_NS, MINUTE_NS, SECOND_NS
from engine.heard import HISTORY, Heard
from engine.journal.compaction import compact
from engine.journal.memory import MemoryJournal
from engine.journal.sqlite import SqliteJournal
from tests.heard_builders import NAME, OTHER, Buys, Life, an_order, at

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
        "history: the bar of CY.VSM (60 s) ended 2026-03-02 01:00:00 UTC, and an earlier run had heard bars up to "
        "2026-03-02 01:00:00 UTC when it last ordered"
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
    assert "was not the newest any more when this run began at 2026-03-02 01:00:30 UTC" in life.denied[-1].reason


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
    assert row.bars == (HeardBar(NAME, MINUTE_NS, at("08:59")), HeardBar(OTHER, MINUTE_NS, at("09:00")))
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
    heard.begin({}, at(began))
    assert heard.take(Bar(NAME, at("03-06 15:00"), 1, 1, 1, 1, 1, DAY_NS), at(began)) is history
    assert heard.take(Bar(NAME, at("03-06 15:00"), 1, 1, 1, 1, 1, MINUTE_NS), at(began)) is True


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
