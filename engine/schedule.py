"""When a strategy's timers are due: whole multiples of a period, or a wall-clock time of a zone each day."""

from datetime import timedelta

from apscheduler.triggers.cron import CronTrigger
from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.domain.timestamps import datetime_from_ns, ns_from_datetime


class Every(Struct, frozen=True):
    """Fires at whole multiples of the period since midnight UTC."""

    period_ns: int


class DailyAt(Struct, frozen=True):
    """Fires once a calendar day at a wall-clock time of a zone."""

    hour: int
    minute: int
    second: int
    tz: str


def next_due_ns(spec: Every | DailyAt, after_ns: int) -> int:
    """The first moment after ``after_ns`` at which a timer of this kind is due, ns UTC.

    Raises:
        ConfigError: it never comes again.
    """
    if isinstance(spec, Every):
        return (after_ns // spec.period_ns + 1) * spec.period_ns
    trigger = CronTrigger(hour=spec.hour, minute=spec.minute, second=spec.second, timezone=spec.tz)
    after = datetime_from_ns(after_ns, spec.tz) + timedelta(microseconds=1)
    due = trigger.get_next_fire_time(None, after)
    if due is None:
        raise ConfigError(f"at {spec.hour:02d}:{spec.minute:02d} {spec.tz} never comes again")
    return ns_from_datetime(due)
