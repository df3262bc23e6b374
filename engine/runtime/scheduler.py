"""Doing the daemon's jobs: each once for its day, over restarts; what was missed is caught up, or said to be missed.

The journal is what knows: a job's start is durable before it does anything, its end says what came of it. A day whose
job neither ended nor was reported is found at the next start, or after a sleep of the machine, and done if it is not
too late. A job that was broken off is begun again: every job can be, as none of them trades.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio
from msgspec import Struct

from engine.clock import LiveClock
from engine.domain.errors import SluiceError, one_line
from engine.domain.jobs import JobEnded, JobMissed, JobsBegun, JobStarted
from engine.domain.timestamps import DAY_NS, MINUTE_NS, SECOND_NS, format_time
from engine.ports import Journal
from engine.runtime.job_triggers import Due, Occasion
from engine.runtime.kept import Kept
from engine.runtime.market_days import local_day

LOOK_NS = MINUTE_NS
"""The longest the scheduler sleeps: timers of a machine that was suspended may be late by as long as it slept."""
DAYS_MAX = 400
"""Days looked back over after a long absence."""
FAILURES = (SluiceError, OSError, TimeoutError, sqlite3.Error, ArithmeticError, LookupError, ValueError)
"""What a job may fail with; it is reported, and the run goes on."""


class Job(Struct, frozen=True, kw_only=True):
    """One job of the daemon."""

    name: str
    """As ``pre_open:china_a``: its name in the journal."""
    due: Due
    work: Callable[[Occasion], Awaitable[str]]
    """Gives what it did, in a sentence; raises where it failed."""
    late_ns: int
    """How long after it was due it is still of use."""
    deadline_ns: int = 15 * MINUTE_NS
    """How long it may take."""
    without_day: str = "no further day is known to its calendar; it will not be done again"
    """What a person is told where it is never due any more."""


class Scheduler:
    """One a run; ``run`` until cancelled."""

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        kept: Kept,
        journal: Journal,
        clock: LiveClock,
        alert: Callable[[str, str], None],
        finished: Mapping[str, tuple[bool, str]] | None = None,
        told: Callable[[JobEnded], None] = lambda _ended: None,
    ) -> None:
        """
        Args:
            alert: about, text. finished: what came of jobs that were begun in the run before and done between the runs.
            told: hears of every end.
        """
        self.jobs = list(jobs)
        self._kept = kept
        self._journal = journal
        self._clock = clock
        self._alert = alert
        self._finished = dict(finished or {})
        self._told = told
        self._next: dict[str, Occasion | None] = {}
        self._busy: dict[str, None] = {}
        self._done_ns: dict[str, int] = {}
        """Job -> up to when its occasions were looked at."""
        self._wake = anyio.Event()
        self.begun = anyio.Event()
        """Set once the journal knows every job: from then on none is forgotten."""

    async def run(self) -> None:
        """Keep every job until cancelled."""
        await self._begin()
        async with anyio.create_task_group() as tasks:
            for job in self.jobs:
                broken = self._kept.broken.get(job.name)
                if broken is not None:
                    self._take_up(tasks, job, broken)
            while True:
                self._wake = anyio.Event()
                for job in self.jobs:
                    if job.name not in self._busy:
                        self._look(tasks, job)
                with anyio.move_on_after(self._clock.real_seconds(self._wait_ns())):
                    await self._wake.wait()

    def upcoming(self) -> dict[str, int]:
        """Job -> when it is due next, ns UTC, of those that are known."""
        return {name: found.due_ns for name, found in self._next.items() if found is not None}

    # --- when --------------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Jobs that are new here are kept from now on, whatever happens to this process."""
        new = tuple(job.name for job in self.jobs if job.name not in self._kept.begun_ns)
        if new:
            await self._journal.durable(self._kept.tell(JobsBegun(ts_ns=self._clock.now_ns, jobs=new)))
        self.begun.set()

    def _look(self, tasks: Any, job: Job) -> None:
        """Start it if it is due; say which of its days are lost."""
        now_ns = self._clock.now_ns
        known = self._next.get(job.name)
        if known is not None and known.due_ns > now_ns:
            return
        due = self._due_by(job, now_ns)
        late = [one for one in due if now_ns - one.due_ns > job.late_ns]
        # Only the newest is worth doing: the one before it is of a day that is over.
        doable = [one for one in due if now_ns - one.due_ns <= job.late_ns]
        missed = late + doable[:-1]
        if missed:
            self._miss(job, missed)
        if doable:
            self._start(tasks, job, doable[-1], attempt=1)
        else:
            self._next[job.name] = self._first_after(job, now_ns)
            if self._next[job.name] is None and job.name not in self._finished:
                self._finished[job.name] = (False, "")
                self._alert(f"job:{job.name}", job.without_day)

    def _due_by(self, job: Job, now_ns: int) -> list[Occasion]:
        """What was due up to now and is not settled, oldest first."""
        settled = self._kept.settled.get(job.name, 0)
        at_ns = max(self._kept.begun_ns[job.name], self._done_ns.get(job.name, 0), now_ns - DAYS_MAX * DAY_NS)
        found: list[Occasion] = []
        while (one := job.due.after(at_ns)) is not None and one.due_ns <= now_ns:
            at_ns = one.due_ns
            if one.day > settled:
                found.append(one)
                settled = one.day
        self._done_ns[job.name] = at_ns
        return found

    def _first_after(self, job: Job, now_ns: int) -> Occasion | None:
        settled = self._kept.settled.get(job.name, 0)
        at_ns = now_ns
        while (one := job.due.after(at_ns)) is not None and one.day <= settled:
            at_ns = one.due_ns
        return one

    def _wait_ns(self) -> int:
        now_ns = self._clock.now_ns
        due = [one.due_ns for name, one in self._next.items() if one is not None and name not in self._busy]
        return max(min([*due, now_ns + LOOK_NS]) - now_ns, 1)

    # --- doing -------------------------------------------------------------------------------------------------------

    def _take_up(self, tasks: Any, job: Job, broken: JobStarted) -> None:
        """One that was begun in the run before: it was finished between the runs, or is begun again."""
        done = self._finished.pop(job.name, None)
        if done is not None:
            self._end(job, broken.day, *done)
            return
        occasion = Occasion(broken.due_ns, broken.day)
        if self._clock.now_ns - broken.due_ns > job.late_ns:
            self._miss(job, [occasion], "it was broken off, and it is too late to begin it again")
        else:
            self._start(tasks, job, occasion, attempt=broken.attempt + 1)

    def _start(self, tasks: Any, job: Job, occasion: Occasion, *, attempt: int) -> None:
        self._busy[job.name] = None
        tasks.start_soon(self._do, job, occasion, attempt)

    async def _do(self, job: Job, occasion: Occasion, attempt: int) -> None:
        clock = self._clock
        started = JobStarted(
            job=job.name, day=occasion.day, due_ns=occasion.due_ns, ts_ns=clock.now_ns, attempt=attempt
        )
        await self._journal.durable(self._kept.tell(started))
        ok = False
        try:
            with anyio.fail_after(clock.real_seconds(job.deadline_ns)):
                text = await job.work(occasion)
            ok = True
        except TimeoutError:
            text = f"it did not end within {job.deadline_ns // SECOND_NS} s"
        except FAILURES as why:
            text = f"{why}" or type(why).__name__
        self._end(job, occasion.day, ok, text)
        del self._busy[job.name]
        self._next.pop(job.name, None)
        self._wake.set()

    def _end(self, job: Job, day: int, ok: bool, text: str) -> None:
        ended = JobEnded(job=job.name, day=day, ts_ns=self._clock.now_ns, ok=ok, text=one_line(text))
        self._kept.tell(ended)
        self._told(ended)
        if not ok:
            self._alert(f"job:{job.name}", f"failed: {text}")

    def _miss(self, job: Job, days: Sequence[Occasion], reason: str = "") -> None:
        first, last = days[0], days[-1]
        reason = reason or "the engine was not running, or the machine slept"
        missed = JobMissed(
            job=job.name,
            first=first.day,
            last=last.day,
            count=len(days),
            ts_ns=self._clock.now_ns,
            reason=reason,
        )
        self._kept.tell(missed)
        which = local_day(first.day) if len(days) == 1 else f"{len(days)} days, {local_day(first.day)} to"
        until = "" if len(days) == 1 else f" {local_day(last.day)}"
        self._alert(f"job:{job.name}", f"missed for {which}{until}, due {format_time(last.due_ns)}: {reason}")
