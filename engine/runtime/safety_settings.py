"""The tables ``[kill] [monitors] [watchdog] [control]`` of a config; every key has a default (RELIABILITY 4.2, 4.4).

The figures are ours, for a small account; durations read ``"60s"``, shares are parts of one.
"""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from engine.domain.timestamps import duration_ns
from engine.runtime.control_table import ControlTable
from engine.runtime.daemon_settings import Unattended

Share = Annotated[float, Meta(gt=0, le=1)]
Count = Annotated[int, Meta(ge=1)]


def _check_durations(*texts: str) -> None:
    for text in texts:
        duration_ns(text)


class KillTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a latch of level CANCEL or FLATTEN is carried out."""

    flatten: bool = False
    """Whether level FLATTEN may close positions; else it stops at CANCEL."""
    deadline: str = "60s"
    """Session time after which a person is paged with the orders that are still open."""
    retry: str = "5s"
    """How soon a cancel that was refused is asked for again; doubles with each refusal, up to twelve times as long."""
    collar: Annotated[float, Meta(gt=0, le=0.1)] = 0.02
    """How far from the last price a closing order may go, as a part of it."""
    share: Annotated[float, Meta(gt=0, le=0.1)] = 0.1
    """The part of the last minute's volume that closing orders may take."""

    def __post_init__(self) -> None:
        _check_durations(self.deadline, self.retry)

    @property
    def deadline_ns(self) -> int:
        return duration_ns(self.deadline)

    @property
    def retry_ns(self) -> int:
        return duration_ns(self.retry)


class MonitorsTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a monitor speaks, and when it stops trading (RELIABILITY 4.2)."""

    period: str = "5s"
    repeat: str = "10m"
    """How soon the same alert may come again."""
    fill_from_mark: Share = 0.05
    slippage: Share = 0.01
    fee: Share = 0.1
    orders_per_fill: Count = 20
    """Orders an account may make for each fill, once it has made ``orders_counted``."""
    orders_counted: Count = 50
    pnl_jump: Share = 0.01
    """Of the account's worth, within a minute."""
    unknown_age: str = "60s"
    feed_age: str = "60s"
    """Of the last price in an open market; at least twice the feed's own interval and the bars' length together."""
    queue: Count = 50
    journal_lag: Count = 1_000
    loop_lag: str = "250ms"
    """Real time a turn of the loop may take before orders wait."""
    disk_warn_mib: Count = 1_024
    disk_halt_mib: Count = 200
    clock_warn: str = "500ms"
    clock_halt: str = "2s"
    login_left: str = "10m"
    gap_check: str = "15s"
    """Real time without a beat of the loop after which the sentinel is looked at before anything leaves."""
    gap_snapshot: str = "30s"
    """Real time without a beat after which every account is read before an order of its leaves (C28)."""

    def __post_init__(self) -> None:
        _check_durations(
            self.period, self.repeat, self.unknown_age, self.feed_age, self.loop_lag, self.clock_warn,
            self.clock_halt, self.login_left, self.gap_check, self.gap_snapshot,
        )  # fmt: skip


class WatchdogTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When ``run.py watchdog`` takes the engine for dead, and how long it goes on cancelling."""

    silence: str = "15s"
    """Real time without a heartbeat, in a session."""
    beat: str = "1s"
    """How often the engine writes its heartbeat (real time)."""
    deadline: str = "10m"
    """Real time after which the watchdog says what it could not withdraw, and ends."""

    def __post_init__(self) -> None:
        _check_durations(self.silence, self.beat, self.deadline)
        if duration_ns(self.silence) < 3 * duration_ns(self.beat):
            raise ValueError("silence must be at least three times beat")


class Safety(Struct, frozen=True, kw_only=True):
    """All of them, and the folder where the sentinel and the heartbeat are; None: no files (simulation)."""

    kill: KillTable = KillTable()
    monitors: MonitorsTable = MonitorsTable()
    watchdog: WatchdogTable = WatchdogTable()
    control: ControlTable | None = None
    """None: no control API."""
    folder: Path | None = None


class Guarded(Unattended, Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tables of a config that say how a run is left alone, stopped, watched and steered."""

    kill: KillTable = KillTable()
    monitors: MonitorsTable = MonitorsTable()
    watchdog: WatchdogTable = WatchdogTable()
    control: ControlTable | None = None

    def safety(self, folder: Path) -> Safety:
        return Safety(
            kill=self.kill, monitors=self.monitors, watchdog=self.watchdog, control=self.control, folder=folder
        )
