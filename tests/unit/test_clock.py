"""The clock of a live run: what is done to the wall clock does not move it (RELIABILITY 2.4, I15; 5.1, C1f)."""

import time

import pytest

from engine.clock import LiveClock
from engine.domain.timestamps import HOUR_NS, SECOND_NS


@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS, SECOND_NS, -SECOND_NS])
def test_a_wall_clock_that_jumps_moves_nothing(jump_ns: int) -> None:
    """Set forward or back, by an hour or a second, or stepped by a time server: the run's clock goes on as it went."""
    wall, steady = [1_000 * HOUR_NS], [0]
    clock = LiveClock(monotonic_ns=lambda: steady[0], wall_ns=lambda: wall[0])
    before = clock.now_ns
    wall[0] += jump_ns
    assert clock.now_ns == before
    steady[0] += 7 * SECOND_NS
    assert clock.now_ns == before + 7 * SECOND_NS


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no such clock")
def test_time_goes_on_while_the_machine_is_suspended() -> None:
    """The clock under a live run is the one that counts suspension, where there is one."""
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    clock = LiveClock(start_ns=0, anchor_ns=time.time_ns())
    assert before <= clock._zero_mono <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
