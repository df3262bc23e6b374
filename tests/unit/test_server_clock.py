"""How far another clock is from ours, by dates of whole seconds."""

import pytest

from engine.clock import LiveClock, ServerClock
from engine.domain.timestamps import SECOND_NS
from engine.runtime.monitors import offsets_of

HALF_NS = SECOND_NS // 2


def told(offset_ns: int, moments: int = 40, answer_ns: int = 40_000_000) -> ServerClock:
    """What a server whose clock is ``offset_ns`` ahead says over a while, each answer taking 40 ms."""
    clock = ServerClock()
    for number in range(moments):
        sent_ns = 1_000 * SECOND_NS + number * 10_300_000_000
        received_ns = sent_ns + answer_ns
        assert clock.wants(received_ns)
        clock.take((sent_ns + answer_ns // 2 + offset_ns) // SECOND_NS * SECOND_NS, sent_ns, received_ns)
    return clock


@pytest.mark.parametrize("offset_ns", [0, 40_000_000, -40_000_000])
def test_clocks_that_agree_prove_nothing(offset_ns: int) -> None:
    """A date cut to the second is no proof of a difference below what an answer takes."""
    assert abs(told(offset_ns).offset_ns) <= 50_000_000


@pytest.mark.parametrize("offset_ns", [700_000_000, 3 * SECOND_NS, -700_000_000, -3 * SECOND_NS])
def test_a_clock_that_is_off_is_found_within_an_answers_time(offset_ns: int) -> None:
    """Never more than it is, and little less."""
    found = told(offset_ns).offset_ns
    assert abs(found) <= abs(offset_ns)
    assert abs(found - offset_ns) < 200_000_000


def test_one_date_alone_proves_only_what_is_beyond_a_second() -> None:
    """Three seconds ahead: at least two of them are proven at once."""
    assert told(3 * SECOND_NS, moments=1).offset_ns > 2 * SECOND_NS - 100_000_000
    assert told(HALF_NS, moments=1).offset_ns == 0


def test_a_clock_that_was_set_right_is_believed() -> None:
    """Bounds that exclude each other: the newest hold."""
    clock = told(3 * SECOND_NS)
    sent_ns = 9_000 * SECOND_NS
    clock.take(sent_ns, sent_ns, sent_ns + 1)
    assert clock.offset_ns == 0


def test_dates_are_not_read_more_often_than_needed() -> None:
    """Once in ten seconds."""
    clock = told(0, moments=1)
    assert not clock.wants(1_000 * SECOND_NS + HALF_NS)


def test_the_monitor_sees_every_server_and_the_wall_clock() -> None:
    """A server three seconds ahead, and a wall clock that was set an hour back."""
    now = {"mono": 0, "wall": 0}
    clock = LiveClock(monotonic_ns=lambda: now["mono"], wall_ns=lambda: now["wall"])
    clock.servers["http://here"] = told(3 * SECOND_NS)
    now["wall"] = -3_600 * SECOND_NS
    assert sorted(offset // SECOND_NS for offset in offsets_of(clock).values()) == [-3_600, 2]
