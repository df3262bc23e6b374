"""When the daemon's jobs are due: apscheduler's triggers over exchange calendars, asked with our Clock's time.

A job belongs to a day, and is done once for it whatever the moment: so each trigger also says which day a moment is of.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from msgspec import Struct

from engine.domain.timestamps import MINUTE_NS, SECOND_NS, datetime_from_ns, day_of, ns_from_datetime
from engine.markets.sessions import Session
from engine.runtime.market_days import Sittings


class Phase(enum.StrEnum):
    """Moments of a sitting that have a job."""

    PRE_OPEN = "pre_open"
    OPEN = "open"
    LUNCH = "lunch"
    CLOSE = "close"
    AFTER_CLOSE = "after_close"


class Occasion(Struct, frozen=True, order=True):
    """A job is due: when (ns UTC), and for which day (proleptic ordinal)."""

    due_ns: int
    day: int


class Due(Protocol):
    """Says when a job is due next."""

    def after(self, ts_ns: int) -> Occasion | None:
        """The first occasion after an instant; None: no more is known."""


class SessionTrigger(BaseTrigger):  # type: ignore[misc]
    """A moment of each sitting of a market.

    Args:
        before_ns, behind_ns: how long before the opening the pre-open check is, and how long behind the close what
            follows it.
    """

    def __init__(self, sittings: Sittings, phase: Phase, *, before_ns: int = 0, behind_ns: int = 0) -> None:
        self.sittings = sittings
        self.phase = phase
        self._before_ns = before_ns
        self._behind_ns = behind_ns

    def after(self, ts_ns: int) -> Occasion | None:
        """See ``Due``."""
        return next((found for found in self._occasions(ts_ns) if found.due_ns > ts_ns), None)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """apscheduler's own question: the first moment at or after ``now``, and after the one before."""
        since_ns = ns_from_datetime(now) - 1
        if previous_fire_time is not None:
            since_ns = max(since_ns, ns_from_datetime(previous_fire_time))
        found = self.after(since_ns)
        return None if found is None else datetime_from_ns(found.due_ns, self.sittings.timezone)

    def _occasions(self, ts_ns: int) -> Iterator[Occasion]:
        for day, session in self.sittings.after(ts_ns - self._behind_ns):
            due_ns = self._moment_ns(session)
            if due_ns is not None:
                yield Occasion(due_ns, day)

    def _moment_ns(self, session: Session) -> int | None:
        match self.phase:
            case Phase.PRE_OPEN:
                return session.open_ns - self._before_ns
            case Phase.OPEN:
                return session.open_ns
            case Phase.LUNCH:
                return session.break_ns if session.break_ns < session.close_ns else None
            case Phase.CLOSE:
                return session.close_ns
        return session.close_ns + self._behind_ns


class ClockTrigger:
    """apscheduler's cron trigger: a wall-clock time of each day of a zone."""

    def __init__(self, text: str, timezone: str) -> None:
        """``text``: hours and minutes, as ``18:30``.

        Raises:
            ValueError: not of that form.
        """
        hour, _, minute = text.partition(":")
        self._timezone = timezone
        self._cron: Any = CronTrigger(hour=int(hour), minute=int(minute), timezone=timezone)

    def after(self, ts_ns: int) -> Occasion | None:
        """See ``Due``."""
        due = self._cron.get_next_fire_time(None, datetime_from_ns(ts_ns + SECOND_NS, self._timezone))
        if due is None:
            return None
        due_ns = ns_from_datetime(due)
        return Occasion(due_ns, day_of(due_ns, self._timezone).toordinal())


class QuietTrigger:
    """When nobody trades: some time behind the work after a close, if no market sits and none is about to.

    At most once a calendar day, UTC.
    """

    def __init__(
        self, sittings: Mapping[str, Sittings], closes: Sequence[SessionTrigger], *, behind_ns: int, clear_ns: int
    ) -> None:
        """``clear_ns``: how long nothing may open afterwards."""
        self._sittings = sittings
        self._closes = closes
        self._behind_ns = behind_ns
        self._clear_ns = clear_ns

    def after(self, ts_ns: int) -> Occasion | None:
        """See ``Due``."""
        at_ns = ts_ns - self._behind_ns
        for _ in range(200):
            found = [one for one in (trigger.after(at_ns) for trigger in self._closes) if one is not None]
            if not found:
                return None
            at_ns = min(found).due_ns
            due_ns = at_ns + self._behind_ns
            if due_ns > ts_ns and self._quiet(due_ns):
                return Occasion(due_ns, day_of(due_ns, "UTC").toordinal())
        return None

    def _quiet(self, ts_ns: int) -> bool:
        step_ns = max(self._clear_ns // 4, MINUTE_NS)
        moments = range(ts_ns, ts_ns + self._clear_ns + 1, step_ns)
        return not any(one.is_open(at) for one in self._sittings.values() for at in moments)
