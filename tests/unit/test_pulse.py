"""The beat of a run: gaps, the sentinel, lag; on a clock moved by hand."""

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec

from engine.clock import LiveClock
from engine.domain.ids import AccountId
from engine.domain.timestamps import SECOND_NS
from engine.runtime import sentinel
from engine.runtime.pulse import Pulse
from engine.runtime.safety_settings import Safety

ACCOUNT = AccountId("desk")


class Bench:
    """A pulse over two clocks in the test's hand."""

    def __init__(self, folder: Path) -> None:
        self.mono = self.wall = 1_000 * SECOND_NS
        self.halts: list[tuple[str, str]] = []
        self.alerts: list[str] = []
        self.freed = 0
        self.reads = 0
        self.readable = True
        self.clock = LiveClock(monotonic_ns=lambda: self.mono, wall_ns=lambda: self.wall)
        self.pulse = Pulse(
            clock=self.clock,
            safety=msgspec.structs.replace(Safety(), folder=folder),
            looks={ACCOUNT: self.look},
            halt=lambda cause, who: self.halts.append((cause, who)),
            alert=lambda _about, text: self.alerts.append(text),
            beats=(),
            freed=self.free,
        )

    async def look(self) -> Any:
        self.reads += 1
        return object() if self.readable else None

    def free(self) -> None:
        self.freed += 1

    def runs(self, seconds: float) -> None:
        self.mono += round(seconds * SECOND_NS)
        self.wall += round(seconds * SECOND_NS)

    def sleeps(self, seconds: float) -> None:
        """The machine is suspended: only the wall clock goes on."""
        self.wall += round(seconds * SECOND_NS)


def test_orders_leave_while_the_loop_beats(tmp_path: Path) -> None:
    """A second without a beat is nothing."""
    bench = Bench(tmp_path)
    bench.runs(1.0)
    assert not bench.pulse.held(ACCOUNT)
    assert bench.alerts == []


def test_a_stopped_run_looks_at_the_sentinel_in_the_turn_in_which_it_wakes(tmp_path: Path) -> None:
    """Sixteen seconds without a beat: the last look finds what the watchdog wrote meanwhile."""
    bench = Bench(tmp_path)
    sentinel.write(tmp_path, "the engine was silent", who="watchdog")
    assert bench.halts == []
    bench.runs(16.0)
    bench.pulse.held(ACCOUNT)
    assert bench.halts == [("sentinel: the engine was silent", "watchdog")]


async def test_after_a_long_gap_nothing_leaves_before_the_account_is_read(tmp_path: Path) -> None:
    """C28: held until a reading succeeds, then free, and whoever waits is told."""
    bench = Bench(tmp_path)
    bench.runs(31.0)
    assert bench.pulse.held(ACCOUNT)
    bench.readable = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.pulse.mend)
        with anyio.fail_after(5):
            while not bench.reads:
                await anyio.lowlevel.checkpoint()
            assert bench.pulse.held(ACCOUNT)
            bench.readable = True
            while not bench.freed:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert not bench.pulse.held(ACCOUNT)


def test_a_machine_that_slept_is_noticed_though_the_monotonic_clock_stood_still(tmp_path: Path) -> None:
    """Linux does not count a suspend on the monotonic clock; the wall clock jumped ahead."""
    bench = Bench(tmp_path)
    bench.sleeps(600.0)
    assert bench.pulse.held(ACCOUNT)
    assert bench.clock.slip_ns == 600 * SECOND_NS
    assert any("nothing ran for 600.0 s" in text for text in bench.alerts)


def test_a_wall_clock_set_back_holds_nothing(tmp_path: Path) -> None:
    """Durations use the monotonic clock (I15); the clock monitor says what was set."""
    bench = Bench(tmp_path)
    bench.sleeps(-3_600.0)
    assert not bench.pulse.held(ACCOUNT)


def test_a_loop_that_lags_holds_orders_until_a_beat_is_on_time(tmp_path: Path) -> None:
    """More than a quarter of a second late is not ready to trade."""
    bench = Bench(tmp_path)
    bench.pulse._measure(300_000_000)
    assert "300 ms late" in bench.pulse.not_ready(ACCOUNT)
    bench.pulse._measure(1_000_000)
    assert bench.pulse.not_ready(ACCOUNT) == ""
    assert bench.freed == 1
    assert bench.pulse.lag_worst_ns == 300_000_000
