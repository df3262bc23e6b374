"""A daily window in a time zone, by its wall clock (RELIABILITY 4.1, row 8); in force where config names it."""

from datetime import datetime
from functools import cache
from typing import ClassVar
from zoneinfo import ZoneInfo

from engine.domain.commands import SubmitOrder
from engine.domain.timestamps import datetime_from_ns
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView

_DAY_SECONDS = 86_400


@cache
def seconds_of_day(text: str) -> int:
    """``"09:30"`` or ``"09:30:15"`` in seconds since midnight; ``"24:00"`` is the end of the day.

    Raises:
        ValueError: no time of day.
    """
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(len(part) == 2 and part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{text!r} is no time of day; write it as '09:30'")
    hour, minute, second = (*map(int, parts), 0)[:3]
    seconds = hour * 3600 + minute * 60 + second
    if minute > 59 or second > 59 or seconds > _DAY_SECONDS:
        raise ValueError(f"{text!r} is no time of day; write it as '09:30'")
    return seconds


class Hours(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From ``start``, included, to ``end``, left out; an ``end`` before ``start`` is on the next day."""

    name: ClassVar[str] = "hours"
    start: str
    end: str
    timezone: str = "Asia/Shanghai"

    def __post_init__(self) -> None:
        if seconds_of_day(self.start) == seconds_of_day(self.end):
            raise ValueError("start and end are the same; for the whole day write 00:00 and 24:00")
        if seconds_of_day(self.start) == _DAY_SECONDS:
            raise ValueError("start can not be 24:00; write 00:00")
        try:
            ZoneInfo(self.timezone)
        except (LookupError, OSError, ValueError) as error:
            raise ValueError(f"timezone {self.timezone!r} is not known; write one as 'Asia/Shanghai'") from error

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        local = self._local(now_ns)
        second = local.hour * 3600 + local.minute * 60 + local.second
        start, end = seconds_of_day(self.start), seconds_of_day(self.end)
        inside = start <= second < end if start < end else second >= start or second < end
        return None if inside else Denial("SESSION", f"outside trading hours: {self.figures(order, view, now_ns)}")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return f"{self._local(now_ns):%H:%M:%S} {self.timezone}, window {self.start}-{self.end}"

    def _local(self, now_ns: int) -> datetime:
        return datetime_from_ns(now_ns, self.timezone)
