"""Builders for tests of the daemon: jobs over a clock that is pushed, and a real daemon as a process."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

from engine.chaos.world import World, simulated
from engine.clock import LiveClock
from engine.domain.events import JournalRecord
from engine.domain.jobs import KEPT, JobEnded, JobMissed, JobStarted
from engine.domain.timestamps import parse_time
from engine.journal.memory import MemoryJournal
from engine.journal.sqlite import SqliteJournal
from engine.runtime.job_triggers import Due, Occasion
from engine.runtime.kept import Kept
from engine.runtime.scheduler import Job, Scheduler

ROOT = Path(__file__).parents[1]
DEADLINE_SECONDS = 60.0


class Pushed:
    """Time as a test tells it: virtual, and the machine can sleep over some of it."""

    def __init__(self, world: World, text: str) -> None:
        self._jumped_ns = 0
        self.clock = LiveClock(
            start_ns=parse_time(text),
            monotonic_ns=lambda: world.monotonic_ns() + self._jumped_ns,
            wall_ns=world.wall_ns,
        )

    def jump(self, text: str) -> None:
        """The machine sleeps until then; timers do not count that."""
        self._jumped_ns += parse_time(text) - self.clock.now_ns


def in_days(start: str, story: Callable[[Pushed], Awaitable[None]]) -> None:
    """Play a story in virtual time, from a moment on."""
    simulated(lambda world: story(Pushed(world, start)), seed=2, seconds_max=60 * 86_400.0)


class Rows:
    """A journal that survives its engines, and what the scheduler made of it."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.alerts: list[tuple[str, str]] = []

    def scheduler(self, clock: LiveClock, jobs: Sequence[Job], finished: Any = None) -> Scheduler:
        """One of a new engine over the same journal."""
        kept = Kept(None, self.journal.append, clock)  # type: ignore[arg-type]
        for _, record in self.journal.records():
            if isinstance(record, KEPT):
                kept.on_record(record)
        return Scheduler(
            jobs, kept=kept, journal=self.journal, clock=clock, alert=lambda *told: self.alerts.append(told),
            finished=finished,
        )  # fmt: skip

    def of(self, kind: type[JournalRecord]) -> list[Any]:
        return [record for _, record in self.journal.records() if isinstance(record, kind)]

    def done(self) -> list[tuple[str, int]]:
        """Job and day of each that ended well, in order."""
        return [(row.job, row.day) for row in self.of(JobEnded) if row.ok]

    def missed(self) -> list[JobMissed]:
        return self.of(JobMissed)

    def started(self) -> list[JobStarted]:
        return self.of(JobStarted)


def a_job(name: str, due: Due, did: list[Occasion], *, late_ns: int = 6 * 3600 * 10**9, **more: Any) -> Job:
    """One that only writes down that it was done."""

    async def work(occasion: Occasion) -> str:
        did.append(occasion)
        return "done"

    return Job(name=name, due=due, work=more.pop("work", work), late_ns=late_ns, **more)


async def keep_until(scheduler: Scheduler, done: Callable[[], bool]) -> None:
    """Run until ``done()``, looked at once a virtual minute."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scheduler.run)
        while not done():  # noqa: ASYNC110 - the condition is any state of the scheduler
            await anyio.sleep(60.0)
        tasks.cancel_scope.cancel()


# --- a daemon as a process ------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class DaemonProcess:
    """``run.py daemon`` over a config; what it says is read line by line."""

    def __init__(self, config: Path, **environ: str) -> None:
        self.config = config
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "run.py", "daemon", "--config", str(config), "--json"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environ},
        )

    def hear(self, words: str) -> str:
        """The next line with these words in it; fails where it ends without."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            if words in line:
                return line
        raise AssertionError(f"it ended and never said {words!r}:\n" + "\n".join(self.lines[-30:]))

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and wait; gives the exit code."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=DEADLINE_SECONDS)
        self.lines += err.splitlines()
        return self.process.returncode

    def __enter__(self) -> "DaemonProcess":
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def journal_of(path: Path) -> list[JournalRecord]:
    """Every record of a journal nobody holds."""
    journal = SqliteJournal(path)
    try:
        return [record for _, record in journal.records()]
    finally:
        journal.close()
