"""After a season the process is as it was after a day: memory, tasks, file descriptors, journal (RELIABILITY 7)."""

from pathlib import Path

import pytest

from engine.domain.timestamps import MINUTE_NS
from tests.soak.soak import HISTORY_KEEP, START_NS, Log, Sample, slope, soaked
from tests.soak.tape import Plan

WARM_UP_EVENTS = 1_000_000
SLOPE_MAX = 1.0
"""MiB a million events."""
CPU_SECONDS_MAX = 20 * 60
WAL_BYTES_MAX = 16 * 2**20

FULL = Plan(start_ns=START_NS)
SHORT = Plan(
    start_ns=START_NS, days=5, events=100_000, orders=100, instruments=100, session_ns=20 * MINUTE_NS,
    sample_events=4_000,
)  # fmt: skip
"""One two-hundredth."""


def bounds(plan: Plan) -> dict[str, int]:
    """How large each store may be: by the orders of a day and an hour, by instruments, or by its own cap."""
    day = plan.orders // plan.days
    lately = 5 * day // 2 + 10
    of_lately = ("orders", "ended", "told", "venue ids", "baselines", "reservations")
    of_now = ("working", "exposures", "recent keys", "held limits", "absences", "locked lots")
    return {
        **dict.fromkeys(of_lately, lately),
        **dict.fromkeys(of_now, day // 4 + 20),
        **dict.fromkeys((f"outbox {name}" for name in ("parcels", "changes", "groups", "cancels_ns")), 50),
        "outbox send_seconds": 1_000,
        "marks": plan.instruments,
        "strategy positions": plan.instruments,
        "pace windows": 2 * plan.instruments,
        "departures": 600,
        "history rows": 2 * HISTORY_KEEP,
        "strategy timers": 20,
        "queued for a strategy": 100,
        "timers": 60,
        "timers at night": 20,
        "tasks": 40,
        "wal bytes": WAL_BYTES_MAX,
    }


def check(log: Log, plan: Plan) -> None:
    """Nothing differs from its baseline, every store kept its bound, and the days were traded as planned."""
    assert not log.complaints, "\n".join(log.complaints[:20])
    most = bounds(plan)
    assert set(log.most) == set(most)
    assert not {name: (size, most[name]) for name, size in log.most.items() if size > most[name]}
    assert log.events >= 0.95 * plan.events
    assert log.orders >= 0.7 * plan.orders
    assert log.fills >= log.orders / 2
    assert log.cancels
    assert log.denials.total() < log.orders / 10
    assert all(after <= before for before, after in log.sizes)
    assert len(log.sizes) == log.runs == sum(plan.stops_after(day) for day in range(plan.days))


def test_five_days_and_five_nights_leave_nothing_behind(tmp_path: Path) -> None:
    """Tasks, descriptors, threads and timers are back to their baseline each night, and no store outgrows its bound."""
    log = soaked(SHORT, tmp_path)
    check(log, SHORT)
    assert len(log.samples) > 20


def test_the_slope_is_that_of_most_pairs() -> None:
    """One sample in ten that is far off changes nothing (Theil and Sen)."""
    samples = [Sample(n * 100_000, 90 + n * 0.2 + (30 if n == 7 else 0), 1) for n in range(20)]
    assert slope(samples) == pytest.approx(2.0)


@pytest.mark.long
def test_sixty_days_and_twenty_million_events(tmp_path: Path) -> None:
    """Memory grows by at most a mebibyte a million events once warm, over the season and within each long run."""
    log = soaked(FULL, tmp_path)
    check(log, FULL)
    warm = [sample for sample in log.samples if sample.events > WARM_UP_EVENTS]
    assert slope(warm) <= SLOPE_MAX
    for run in {sample.run for sample in warm}:
        of_run = [sample for sample in warm if sample.run == run]
        if of_run[-1].events - of_run[0].events > WARM_UP_EVENTS:
            # Its own first day warms it up.
            assert slope([s for s in of_run if s.events - of_run[0].events > FULL.events_a_day]) <= SLOPE_MAX
    assert log.cpu_seconds <= CPU_SECONDS_MAX
