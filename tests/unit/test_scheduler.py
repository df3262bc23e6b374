"""A job of the daemon is done once for its day, whatever happens to the process or the clock."""

from typing import Any

import anyio
import pytest

from engine.domain.errors import SluiceError
from engine.domain.jobs import JobEnded, JobStarted
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, format_time
from engine.markets.china_a import ChinaA
from engine.markets.china_futures import ChinaFutures
from engine.markets.free import Free
from engine.markets.hong_kong import HongKong
from engine.markets.us import UnitedStates
from engine.markets.virtual import Virtual
from engine.runtime.job_triggers import ClockTrigger, Occasion, Phase, QuietTrigger, SessionTrigger
from engine.runtime.market_days import known_days, sittings_of
from engine.runtime.scheduler import Scheduler
from tests.daemon_builders import Pushed, Rows, a_job, in_days, keep_until

BEFORE, BEHIND = 30 * MINUTE_NS, 30 * MINUTE_NS


def moments(book: Any, phase: Phase, start: str, count: int, zone: str) -> list[str]:
    """The next moments of a phase, in the zone's own clock."""
    from engine.domain.timestamps import parse_time

    trigger = SessionTrigger(sittings_of({book.name: book})[book.name], phase, before_ns=BEFORE, behind_ns=BEHIND)
    at_ns, found = parse_time(start), []
    for _ in range(count):
        one = trigger.after(at_ns)
        if one is None:
            break
        at_ns = one.due_ns
        found.append(format_time(at_ns, zone)[:16])
    return found


def test_holidays_and_weekends_have_no_jobs() -> None:
    """After the last session before National Day 2026 the next pre-open check is on the day the holiday is over."""
    found = moments(ChinaA(), Phase.PRE_OPEN, "2026-09-29T08:00:00+08:00", 3, "Asia/Shanghai")
    assert found == ["2026-09-29 09:00", "2026-09-30 09:00", "2026-10-08 09:00"]


def test_a_half_day_closes_at_noon_and_has_no_lunch() -> None:
    """Hong Kong, 24 December 2025: the close is at 12:00, and the only lunch is the next trading day's."""
    start = "2025-12-24T08:00:00+08:00"
    assert moments(HongKong(), Phase.CLOSE, start, 1, "Asia/Hong_Kong") == ["2025-12-24 12:00"]
    assert moments(HongKong(), Phase.LUNCH, start, 1, "Asia/Hong_Kong") == ["2025-12-29 12:00"]
    assert moments(HongKong(), Phase.AFTER_CLOSE, start, 1, "Asia/Hong_Kong") == ["2025-12-24 12:30"]


def test_moments_follow_the_exchanges_own_clock_over_summer_time() -> None:
    """New York opens at 09:30 on both sides of the change of 8 March 2026, which is an hour apart in UTC."""
    found = moments(UnitedStates(), Phase.OPEN, "2026-03-06T00:00:00+00:00", 2, "UTC")
    assert found == ["2026-03-06 14:30", "2026-03-09 13:30"]


def test_futures_have_an_evening_of_their_own_but_not_before_a_holiday() -> None:
    """29 September 2026 has a night session, 30 September, before National Day, has none."""
    sittings = sittings_of({"china_futures": ChinaFutures()})
    assert list(sittings) == ["china_futures", "china_futures_night"]
    from datetime import date

    evening = sittings["china_futures_night"].of
    assert evening(date(2026, 9, 29).toordinal()) is not None
    assert evening(date(2026, 9, 30).toordinal()) is None


def test_a_market_that_closes_at_midnight_belongs_to_the_day_that_ends() -> None:
    """The game market's close of 2 March is due at 00:00 of 3 March, and is the second's."""
    from datetime import date

    from engine.domain.timestamps import parse_time

    trigger = SessionTrigger(sittings_of({"virtual": Virtual()})["virtual"], Phase.AFTER_CLOSE, behind_ns=BEHIND)
    found = trigger.after(parse_time("2026-03-02T23:00:00+08:00"))
    assert found == Occasion(parse_time("2026-03-03T00:30:00+08:00"), date(2026, 3, 2).toordinal())


def test_past_the_last_day_of_a_calendar_nothing_is_due() -> None:
    """XSHG ends on 31 December 2026: unknown is not open, and the days left are counted."""
    from engine.domain.timestamps import parse_time

    assert moments(ChinaA(), Phase.OPEN, "2026-12-31T12:00:00+08:00", 1, "Asia/Shanghai") == []
    sittings = sittings_of({"china_a": ChinaA()})["china_a"]
    assert known_days(sittings, parse_time("2026-12-29T08:00:00+08:00")) == 2


def test_the_trigger_is_one_of_apschedulers() -> None:
    """Its own question, with its own previous time, gets the same moments."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Asia/Shanghai")
    trigger = SessionTrigger(sittings_of({"china_a": ChinaA()})["china_a"], Phase.OPEN)
    first = trigger.get_next_fire_time(None, datetime(2026, 3, 2, 9, 30, tzinfo=zone))
    assert first == datetime(2026, 3, 2, 9, 30, tzinfo=zone)
    assert trigger.get_next_fire_time(first, first) == datetime(2026, 3, 3, 9, 30, tzinfo=zone)
    assert ClockTrigger("18:30", "Asia/Shanghai").after(0) is not None


def test_the_journal_is_compacted_only_while_nobody_trades() -> None:
    """With Hong Kong and New York it is due behind Hong Kong's work, not behind the mainland's an hour before."""
    from engine.domain.timestamps import parse_time

    sittings = sittings_of({"china_a": ChinaA(), "hong_kong": HongKong(), "us": UnitedStates()})
    closes = [SessionTrigger(one, Phase.AFTER_CLOSE, behind_ns=BEHIND) for one in sittings.values()]
    quiet = QuietTrigger(sittings, closes, behind_ns=15 * MINUTE_NS, clear_ns=45 * MINUTE_NS)
    found = quiet.after(parse_time("2026-03-03T12:00:00+08:00"))
    assert found is not None
    assert format_time(found.due_ns, "Asia/Shanghai")[:16] == "2026-03-03 16:45"


def test_where_somebody_always_trades_a_person_is_told_that_the_journal_grows() -> None:
    """A market round the clock leaves no time to compact it in: the job says so, once, and nothing of calendars."""

    async def story(time: Pushed) -> None:
        rows, did = Rows(), list[Occasion]()
        sittings = sittings_of({"free": Free()})
        closes = [SessionTrigger(one, Phase.AFTER_CLOSE, behind_ns=BEHIND) for one in sittings.values()]
        never = QuietTrigger(sittings, closes, behind_ns=15 * MINUTE_NS, clear_ns=45 * MINUTE_NS)
        job = a_job("compact", never, did, without_day="it grows")
        await keep_until(rows.scheduler(time.clock, [job]), lambda: bool(rows.alerts))
        assert (rows.alerts, did) == ([("job:compact", "it grows")], [])

    in_days("2026-03-02T00:00:00+00:00", story)


def every_morning(did: list[Occasion], **more: Any) -> Any:
    trigger = SessionTrigger(sittings_of({"free": Free()})["free"], Phase.PRE_OPEN, before_ns=-9 * HOUR_NS)
    return a_job("check:free", trigger, did, **more)


def test_each_job_is_done_once_a_day() -> None:
    """Five days in a row: five days, each started once and ended once."""

    async def story(time: Pushed) -> None:
        rows = Rows()
        did: list[Occasion] = []
        await keep_until(rows.scheduler(time.clock, [every_morning(did)]), lambda: len(rows.done()) >= 5)
        days = [day for _, day in rows.done()]
        assert days == list(range(days[0], days[0] + 5))
        assert [row.day for row in rows.started()] == days
        assert rows.missed() == []

    in_days("2026-03-02T00:00:00+00:00", story)


def test_a_restart_neither_repeats_nor_forgets() -> None:
    """Down over the moment, back within its use: done once, late; back at once afterwards: not again."""

    async def story(time: Pushed) -> None:
        rows = Rows()
        did: list[Occasion] = []
        first = rows.scheduler(time.clock, [every_morning(did)])
        await keep_until(first, lambda: "check:free" in first.upcoming())
        time.jump("2026-03-02T10:00:00+00:00")
        await keep_until(rows.scheduler(time.clock, [every_morning(did)]), lambda: bool(rows.done()))
        again = rows.scheduler(time.clock, [every_morning(did)])
        await keep_until(again, lambda: "check:free" in again.upcoming())
        assert len(did) == len(rows.done()) == len(rows.started()) == 1

    in_days("2026-03-02T00:00:00+00:00", story)


def test_days_that_are_too_late_are_reported() -> None:
    """Away for three days and a half: the days before are missed, in one record and one alert; today's is done."""

    async def story(time: Pushed) -> None:
        rows = Rows()
        did: list[Occasion] = []
        first = rows.scheduler(time.clock, [every_morning(did)])
        await keep_until(first, lambda: "check:free" in first.upcoming())
        time.jump("2026-03-05T12:00:00+00:00")
        await keep_until(rows.scheduler(time.clock, [every_morning(did)]), lambda: bool(rows.done()))
        (missed,) = rows.missed()
        assert (missed.count, missed.last - missed.first) == (3, 2)
        assert len(did) == 1
        assert [about for about, _ in rows.alerts] == ["job:check:free"]
        assert "3 days, 2026-03-02 to 2026-03-04" in rows.alerts[0][1]

    in_days("2026-03-02T00:00:00+00:00", story)


def test_a_sleep_of_the_machine_is_found_out() -> None:
    """Suspended over two days while it runs: one is missed, and the newest is caught up."""

    async def story(time: Pushed) -> None:
        rows = Rows()
        did: list[Occasion] = []
        scheduler = rows.scheduler(time.clock, [every_morning(did)])
        slept: list[None] = []

        def done() -> bool:
            if not slept and scheduler.upcoming():
                slept.append(time.jump("2026-03-03T11:00:00+00:00"))
            return bool(rows.done())

        await keep_until(scheduler, done)
        assert rows.missed()[0].count == 1
        assert len(did) == 1

    in_days("2026-03-02T00:00:00+00:00", story)


def test_one_that_was_broken_off_is_begun_again() -> None:
    """Killed in the middle: the start is in the journal, the next engine makes a second attempt of the same day."""

    async def story(time: Pushed) -> None:
        rows = Rows()
        did: list[Occasion] = []

        async def hangs(_occasion: Occasion) -> str:
            await anyio.sleep_forever()
            return ""

        hanging = every_morning(did, work=hangs, deadline_ns=DAY_NS)
        await keep_until(rows.scheduler(time.clock, [hanging]), lambda: bool(rows.started()))
        await keep_until(rows.scheduler(time.clock, [every_morning(did)]), lambda: bool(rows.done()))
        assert [(row.day, row.attempt) for row in rows.started()[:2]] == [(did[0].day, 1), (did[0].day, 2)]
        assert rows.done()[0] == ("check:free", did[0].day)

    in_days("2026-03-02T00:00:00+00:00", story)


def test_what_was_finished_between_two_runs_is_not_done_again() -> None:
    """Compacting needs the journal closed: the next run writes how it ended."""

    async def story(time: Pushed) -> None:
        rows = Rows()
        did: list[Occasion] = []

        async def hangs(_occasion: Occasion) -> str:
            await anyio.sleep_forever()
            return ""

        hanging = every_morning(did, work=hangs, deadline_ns=DAY_NS)
        await keep_until(rows.scheduler(time.clock, [hanging]), lambda: bool(rows.started()))
        finished = {"check:free": (True, "12 records")}
        after = rows.scheduler(time.clock, [every_morning(did)], finished)
        await keep_until(after, lambda: bool(rows.done()))
        assert [row.text for row in rows.of(JobEnded)][:1] == ["12 records"]
        assert rows.started()[0].day == rows.done()[0][1]

    in_days("2026-03-02T00:00:00+00:00", story)


@pytest.mark.parametrize("error", [SluiceError("no room"), OSError(28, "no room"), ValueError("no room")])
def test_one_that_fails_is_reported_and_the_others_go_on(error: Exception) -> None:
    """Its end says why; a person is told; the job beside it is done."""

    async def story(time: Pushed) -> None:
        rows = Rows()
        did: list[Occasion] = []

        async def fails(_occasion: Occasion) -> str:
            raise error

        jobs = [every_morning([], work=fails), a_job("other", every_morning([]).due, did)]
        await keep_until(rows.scheduler(time.clock, jobs), lambda: bool(did) and len(rows.of(JobEnded)) >= 2)
        (failed,) = [row for row in rows.of(JobEnded) if not row.ok][:1]
        assert "no room" in failed.text
        assert "no room" in dict(rows.alerts)["job:check:free"]

    in_days("2026-03-02T00:00:00+00:00", story)


def test_one_that_does_not_end_is_given_up_and_holds_up_nobody() -> None:
    """Past its deadline it is over, with that as its reason."""

    async def story(time: Pushed) -> None:
        rows = Rows()
        did: list[Occasion] = []

        async def hangs(_occasion: Occasion) -> str:
            await anyio.sleep_forever()
            return ""

        jobs = [every_morning([], work=hangs, deadline_ns=HOUR_NS), a_job("other", every_morning([]).due, did)]
        await keep_until(rows.scheduler(time.clock, jobs), lambda: len(rows.of(JobEnded)) >= 2)
        assert "did not end within 3600 s" in next(row.text for row in rows.of(JobEnded) if not row.ok)
        assert did

    in_days("2026-03-02T00:00:00+00:00", story)


def test_a_moment_that_is_moved_by_the_config_is_not_done_twice() -> None:
    """The check of today was done at nine; with a config that has it at ten the next one is tomorrow's."""

    async def story(time: Pushed) -> None:
        rows = Rows()
        did: list[Occasion] = []
        await keep_until(rows.scheduler(time.clock, [every_morning(did)]), lambda: bool(rows.done()))
        later = SessionTrigger(sittings_of({"free": Free()})["free"], Phase.PRE_OPEN, before_ns=-21 * HOUR_NS)
        scheduler = rows.scheduler(time.clock, [a_job("check:free", later, did)])
        await keep_until(scheduler, lambda: len(rows.done()) >= 2)
        assert [day - did[0].day for _, day in rows.done()] == [0, 1]

    in_days("2026-03-02T08:00:00+00:00", story)


def test_a_start_is_durable_before_the_work() -> None:
    """The order is in the code: the journal is waited for between the record and the work."""
    assert Scheduler._do.__code__.co_names.index("durable") < Scheduler._do.__code__.co_names.index("work")
    assert JobStarted(job="a", day=1, due_ns=1, ts_ns=1).attempt == 1
