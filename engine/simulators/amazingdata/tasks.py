"""Cache tasks: what is missing, and the work that fetches it, one code after the other by the clock.

A task needs no task of ours: what it has done by an instant follows from when it began and how long a code takes, and
``settle`` brings its effects about before anybody looks.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

from msgspec import Struct

from engine.domain.timestamps import SECOND_NS, datetime_from_ns
from engine.entropy import Entropy
from engine.simulators.amazingdata.bars import Bars
from engine.simulators.amazingdata.coverage import Coverage
from engine.simulators.amazingdata.messages import SDK_TIMEOUT
from engine.simulators.amazingdata.universe import FUTURE, PRODUCTS, STOCK, Security, Universe
from engine.simulators.china import TIMEZONE, day_of

START_NS = SECOND_NS
"""A task waits this long before it runs (example: created 09:00:00, started 09:00:01)."""
MILLISECOND_NS = 1_000_000


class TaskFailure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``task``-th task made (from 1) fails after so many codes."""

    task: int
    after: int = 0
    message: str = SDK_TIMEOUT


class Wanted(Struct, frozen=True, kw_only=True):
    """What a cache call speaks of: kind ``stock`` or ``future``, days both included, contracts ``all`` or ``main``."""

    security_type: str
    period_type: str
    first: int
    last: int
    contract_type: str = "all"


class Task(Struct, kw_only=True):
    """One piece of work; ``errors`` are the codes the SDK gives nothing for, ``breaks_at`` how many are done when it
    fails (None: it does not)."""

    id: int
    kind: Literal["detect", "cache_all", "fill_missing"]
    wanted: Wanted
    codes: Sequence[str]
    errors: frozenset[str]
    created_ns: int
    code_ns: int
    breaks_at: int | None = None
    message: str | None = None
    applied: int = 0

    def done(self, now_ns: int) -> int:
        """Codes worked off."""
        passed = now_ns - self.created_ns - START_NS
        most = len(self.codes) if self.breaks_at is None else self.breaks_at
        return max(0, min(most, passed // self.code_ns if self.code_ns else most))

    def status(self, now_ns: int) -> str:
        if now_ns < self.created_ns + START_NS:
            return "pending"
        if self.done(now_ns) == self.breaks_at:
            return "failed"
        return "completed" if self.done(now_ns) == len(self.codes) else "running"

    def finished_ns(self, now_ns: int) -> int | None:
        if self.status(now_ns) not in {"failed", "completed"}:
            return None
        return self.created_ns + START_NS + self.done(now_ns) * self.code_ns

    def row(self, now_ns: int, scale: Literal["percent", "fraction"]) -> dict[str, Any]:
        """The task as the platform words it."""
        done, status = self.done(now_ns), self.status(now_ns)
        bad = sum(1 for code in self.codes[:done] if code in self.errors)
        started = status != "pending"
        return {
            "id": self.id,
            "task_type": self.kind,
            "security_type": self.wanted.security_type,
            "period_type": self.wanted.period_type,
            "status": status,
            "progress": _progress(done, len(self.codes), scale),
            "total_count": len(self.codes),
            "success_count": done - bad,
            "error_count": bad,
            "error_message": self.message if status == "failed" else None,
            "created_at": local_text(self.created_ns),
            "started_at": local_text(self.created_ns + START_NS) if started else None,
            "finished_at": local_text(self.finished_ns(now_ns)),
        }


class Tasks:
    """All tasks of a platform.

    Args:
        broken: codes the SDK gives nothing for. failures: script of tasks that fail. failure_rate: chance of others.
        error_rate: chance that a code of a task fails. code_ms: how long a code takes. first: id of the first task.
    """

    def __init__(
        self,
        bars: Bars,
        universe: Universe,
        coverage: Coverage,
        entropy: Entropy,
        *,
        broken: Sequence[str],
        failures: Sequence[TaskFailure],
        failure_rate: float,
        error_rate: float,
        code_ms: int,
        first: int,
    ) -> None:
        self._bars = bars
        self._universe = universe
        self._coverage = coverage
        self._entropy = entropy
        self._broken = frozenset(broken)
        self._failures = {failure.task: failure for failure in failures}
        self._failure_rate = failure_rate
        self._error_rate = error_rate
        self._code_ns = code_ms * MILLISECOND_NS
        self._next = first
        self._made = 0
        self._tasks: dict[int, Task] = {}
        self.sdk_up = True

    def securities(self, wanted: Wanted, now_ns: int) -> list[Security]:
        """What a cache call covers: the codes of today, or of futures the main contracts alone."""
        today = day_of(now_ns)
        if wanted.security_type == "future" and wanted.contract_type == "main":
            codes = [self._universe.main_contract(product, today) for product in PRODUCTS]
        else:
            codes = self._universe.codes(STOCK if wanted.security_type == "stock" else FUTURE, today)
        return [security for code in codes if (security := self._universe.find(code)) is not None]

    def detect(self, wanted: Wanted, now_ns: int) -> dict[str, Any]:
        """Judge each code and day; a code the SDK gives nothing for is an error, whatever the cache holds."""
        self.settle(now_ns)
        days: dict[int, list[int]] = {}
        missing, errors, total = [], 0, 0
        for security in self.securities(wanted, now_ns):
            total += 1
            expected = self._days(security, wanted, now_ns)
            lacking = set(self._coverage.missing(security.code, expected))
            for day in expected:
                count = days.setdefault(day, [0, 0])
                count[0] += 1
                count[1] += day in lacking
            if security.code in self._broken:
                errors += 1
            elif lacking:
                missing.append(security.code)
        # It has done its work when it answers.
        codes = [security.code for security in self.securities(wanted, now_ns)]
        task = self._add("detect", wanted, codes, now_ns - START_NS, 0)
        return {
            "task_id": task.id,
            "status": "completed",
            "total_count": total,
            "complete_count": total - len(missing) - errors,
            "missing_count": len(missing),
            "error_count": errors,
            "daily_stats": {
                day_text(day): {"total": count, "complete": count - lacking, "missing": lacking}
                for day, (count, lacking) in sorted(days.items())
            },
            "missing_codes": missing,
        }

    def cache_all(self, wanted: Wanted, now_ns: int) -> Task:
        """Fetch every code anew."""
        self.settle(now_ns)
        codes = [security.code for security in self.securities(wanted, now_ns)]
        return self._add("cache_all", wanted, codes, now_ns, self._code_ns)

    def fill(self, wanted: Wanted, now_ns: int) -> tuple[Task | None, int]:
        """Fetch the codes with missing days; no task where there are none."""
        self.settle(now_ns)
        codes = [
            security.code
            for security in self.securities(wanted, now_ns)
            if security.code not in self._broken
            and self._coverage.missing(security.code, self._days(security, wanted, now_ns))
        ]
        task = self._add("fill_missing", wanted, codes, now_ns, self._code_ns) if codes else None
        return task, len(codes)

    def find(self, number: int, now_ns: int) -> Task | None:
        self.settle(now_ns)
        return self._tasks.get(number)

    def listed(self, now_ns: int) -> list[Task]:
        """Cache tasks, latest first; detections are answered at once and not listed (example: 12 is not)."""
        self.settle(now_ns)
        return [task for task in reversed(self._tasks.values()) if task.kind != "detect"]

    def settle(self, now_ns: int) -> None:
        """Bring about what tasks have done by now."""
        for task in self._tasks.values():
            done = task.done(now_ns)
            for code in task.codes[task.applied : done] if task.kind != "detect" else ():
                security = self._universe.find(code)
                if security is not None and code not in task.errors:
                    days = self._days(security, task.wanted, task.created_ns)
                    put = self._coverage.refresh if task.kind == "cache_all" else self._coverage.fill
                    put(code, days)
            task.applied = max(task.applied, done)

    def lose_sdk(self, now_ns: int) -> None:
        """The SDK's login is gone: running tasks fail where they are, new ones at once."""
        self.settle(now_ns)
        self.sdk_up = False
        for task in self._tasks.values():
            if task.status(now_ns) in {"pending", "running"}:
                task.breaks_at, task.message = task.done(now_ns), SDK_TIMEOUT

    def _days(self, security: Security, wanted: Wanted, now_ns: int) -> list[int]:
        """Days the cache should hold: today is not among them before it is over."""
        found = self._bars.trading_days(security, wanted.first, wanted.last, now_ns)
        return [day for day in found if day < day_of(now_ns)]

    def _add(
        self, kind: Literal["detect", "cache_all", "fill_missing"], wanted: Wanted, codes: Sequence[str],
        now_ns: int, code_ns: int,
    ) -> Task:  # fmt: skip
        rng = self._entropy.stream("amazingdata/tasks")
        errors = {code for code in codes if rng.random() < self._error_rate} | (self._broken & set(codes))
        failure: TaskFailure | None = None
        if kind != "detect":
            self._made += 1
            failure = self._failures.get(self._made)
            point, place = rng.random(), rng.random()
            if failure is None and point < self._failure_rate:
                failure = TaskFailure(task=self._made, after=int(place * len(codes)))
            if not self.sdk_up:
                failure = TaskFailure(task=self._made)
        task = Task(
            id=self._next,
            kind=kind,
            wanted=wanted,
            codes=codes,
            errors=frozenset(errors),
            created_ns=now_ns,
            code_ns=code_ns,
            breaks_at=None if failure is None else min(failure.after, len(codes)),
            message=None if failure is None else failure.message,
        )
        self._next += 1
        self._tasks[task.id] = task
        return task


def local_text(ts_ns: int | None) -> str | None:
    """``2024-02-01T09:00:01``, the server's wall clock."""
    if ts_ns is None:
        return None
    return datetime_from_ns(ts_ns, TIMEZONE).replace(tzinfo=None, microsecond=0).isoformat()


def day_text(day: int) -> str:
    return date.fromordinal(day).isoformat()


def _progress(done: int, total: int, scale: str) -> float:
    part = done / total if total else 1.0
    return round(part, 4) if scale == "fraction" else round(100 * part, 2)
