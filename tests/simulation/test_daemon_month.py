"""A daemon's days in virtual time: every job once, nothing lost or doubled, over crashes, restarts, reloads, sleeps."""

import pytest

from engine.chaos.month import Month, flown, mishaps
from engine.chaos.month_hangar import FEW


def assert_kept(month: Month) -> None:
    assert month.accusations == []
    assert month.orders > 0
    assert month.checked["accounts"] > 0
    # What a check found wrong is told; nothing else may fail but what a system that was down makes fail.
    odd = [text for text in month.failures if not any(word in text for word in ("could not be read", "not reconciled"))]
    assert odd == []


def test_two_days_of_one_market() -> None:
    """A crash over the opening, a reload, a restart, a sleep of the machine, a compaction: each job done once."""
    month = flown(2, kinds=FEW)
    assert_kept(month)
    assert month.lives >= 5
    assert month.days_of_traders == {"market_daytrader": 2}


def test_the_plan_has_something_of_each_kind() -> None:
    """A plan in which nothing goes wrong would prove nothing."""
    assert {one.kind for one in mishaps(2)} == {"crash", "down", "reload", "restart", "asleep"}
    assert max(one.hours for one in mishaps(30) if one.kind == "crash") > 24


@pytest.mark.long
def test_a_month_of_five_systems() -> None:
    """From 22 December: half days, holidays, a day and a half of nobody; even with every venue, and memory flat."""
    month = flown(30)
    assert_kept(month)
    assert month.missed > 0
    assert month.lives > 30
    assert month.orders > 60
    # The venues keep every trade and the watchers every outcome; an engine that kept its own would show beside them.
    early, late = month.memory_mib[9], month.memory_mib[-1]
    assert late - early < 60
