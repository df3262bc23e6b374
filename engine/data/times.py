"""From the many ways files write a time to nanoseconds UTC, a column at once."""

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from engine.data.columns import Ints, shown, viewed
from engine.domain.timestamps import DAY_NS, SECOND_NS

EXAMPLE = "write it as 2026-03-02 09:31:00, or as seconds, milliseconds, microseconds or nanoseconds since 1970"

_WEEK_NS = 7 * DAY_NS
_PROBES_MAX = 200

# Digits say which unit an integer time is in: 10 seconds ... 19 nanoseconds since 1970 (right from 2001 to 2286);
# the lengths between are calendar numbers, 20260302, 202603020931, 20260302093100 and 20260302093100000.
_EPOCH_UNITS = {10: SECOND_NS, 13: 1_000_000, 16: 1_000, 19: 1}
_CALENDAR_DIGITS = frozenset({8, 12, 14, 17})

_ISO = re.compile(r"\d{4}-\d\d-\d\d(?P<time>[ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?\Z")
_FORMATS = (
    (re.compile(r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d\d:\d\d\Z"), "%Y/%m/%d %H:%M:%S"),
    (re.compile(r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d\d\Z"), "%Y/%m/%d %H:%M"),
    (re.compile(r"\d{4}/\d{1,2}/\d{1,2}\Z"), "%Y/%m/%d"),
    (re.compile(r"\d{8} \d\d:\d\d:\d\d\Z"), "%Y%m%d %H:%M:%S"),
    (re.compile(r"\d{8} \d\d:\d\d\Z"), "%Y%m%d %H:%M"),
    (re.compile(r"\d{8} \d{6}\Z"), "%Y%m%d %H%M%S"),
)


class TimeForm(Struct, frozen=True, gc=False):
    """How one file writes its times."""

    type: Any
    """The Arrow type to read the column as."""
    parser: str = ""
    """A strptime format, or empty for ISO 8601."""
    day_only: bool = False


def form_of_text(text: str) -> TimeForm | None:
    """How a time in a text file is written, told from one example; None if it is no way we know."""
    text = text.strip()
    if text.isdigit():
        if len(text) in _EPOCH_UNITS or len(text) in _CALENDAR_DIGITS:
            return TimeForm(pa.int64(), day_only=len(text) == 8)
        return None
    if match := _ISO.match(text):
        if match["zone"] and not match["time"]:
            return None
        return TimeForm(pa.timestamp("ns", "UTC" if match["zone"] else None), day_only=not match["time"])
    for pattern, layout in _FORMATS:
        if pattern.match(text):
            return TimeForm(pa.timestamp("ns"), layout, day_only="%H" not in layout)
    return None


def is_time(text: str, form: TimeForm) -> bool:
    """Whether one text of a column reads in the column's form."""
    text = text.strip()
    try:
        if pa.types.is_integer(form.type):
            return text.isdigit()
        if form.parser:
            datetime.strptime(text, form.parser).replace(tzinfo=UTC)
            return True
        datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return False
    found = form_of_text(text)
    return found is not None and (found.type.tz is None) == (form.type.tz is None)


class ZoneReader:
    """Turns a column of times into nanoseconds UTC; remembers the zone and whether the column holds mere days.

    Args:
        tz: the zone of times that have none; an IANA name.
        day_only: days without a time of day, meant as the day's end: a day is known when it is over.
    """

    def __init__(self, tz: str, day_only: bool = False) -> None:
        self.tz = tz
        self.day_only = day_only
        self.zoned = False
        """Whether the column's times were instants already: with an offset, or counted from 1970."""
        self._zone = ZoneInfo(tz)

    def read(self, column: Any) -> Ints:
        """Nanoseconds UTC of an Arrow array of timestamps, dates, integers or text.

        Raises:
            ValueError: of a type or form that is no time; a local time that there is twice, or not at all; the
                message is a part of a sentence.
        """
        if column.null_count:
            raise ValueError("a time is missing")
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.dictionary_decode()
            kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            column = self._from_text(column)
            kind = column.type
        elif pa.types.is_date(kind):
            self.day_only = True
            column = column.cast(pa.timestamp("ns"))
            kind = column.type
        if pa.types.is_timestamp(kind):
            return self._from_timestamps(column)
        if pa.types.is_integer(kind):
            return self._from_integers(viewed(column.cast(pa.int64())))
        raise ValueError(f"times are of type {kind}, which is none; {EXAMPLE}")

    def _from_text(self, column: Any) -> Any:
        form = form_of_text(column[0].as_py()) if len(column) else None
        if form is None:
            raise ValueError(f"time {column[0].as_py()!r} can not be read; {EXAMPLE}")
        self.day_only = form.day_only
        try:
            if form.parser:
                return pc.strptime(column, format=form.parser, unit="ns")
            return column.cast(form.type)
        except pa.ArrowInvalid as why:
            raise ValueError(f"a time can not be read as the first one is ({_first_line(why)})") from why

    def _from_timestamps(self, column: Any) -> Ints:
        if column.type.unit == "ns":
            ns = viewed(column.view(pa.int64()))
        else:
            ns = viewed(column.cast(pa.timestamp("ns", column.type.tz)).view(pa.int64()))
        self.zoned = column.type.tz is not None
        return ns if self.zoned else self.from_local(ns)

    def _from_integers(self, numbers: Ints) -> Ints:
        if not len(numbers):
            return numbers
        digits = len(str(abs(int(numbers[0]))))
        low, high = 10 ** (digits - 1), 10**digits if digits < 19 else np.iinfo(np.int64).max
        if int(numbers.min()) < low or int(numbers.max()) > high:
            raise ValueError("integer times are not all of one length, so their unit is not plain")
        if digits in _EPOCH_UNITS:
            self.zoned = True
            return numbers * _EPOCH_UNITS[digits]
        if digits not in _CALENDAR_DIGITS:
            raise ValueError(f"time {int(numbers[0])} can not be read; {EXAMPLE}")
        self.day_only = digits == 8
        return self.from_local(_from_calendar_numbers(numbers, digits))

    def from_local(self, local_ns: Ints) -> Ints:
        """Local wall-clock nanoseconds as UTC.

        Raises:
            ValueError: a time that falls into the hour when clocks change.
        """
        if not len(local_ns):
            return local_ns
        if self.day_only:
            local_ns = local_ns + DAY_NS
        shift = self._constant_offset_ns(int(local_ns[0]), int(local_ns[-1]))
        if shift is not None:
            return local_ns - shift if shift else local_ns
        try:
            moments = pc.assume_timezone(shown(local_ns).view(pa.timestamp("ns")), self.tz)
        except pa.ArrowInvalid as why:
            raise ValueError(
                f"a time falls into the hour when clocks change in {self.tz}; write times with their offset"
            ) from why
        result: Ints = viewed(moments.view(pa.int64()))
        return result

    def _constant_offset_ns(self, first_ns: int, last_ns: int) -> int | None:
        """The zone's offset if it is one over the whole span; asked week by week, as no summer time is shorter.

        Worth it: pyarrow asks for each row, and costs as much as reading the file.
        """
        first_ns, last_ns = min(first_ns, last_ns) - _WEEK_NS, max(first_ns, last_ns) + _WEEK_NS
        if last_ns - first_ns > _PROBES_MAX * _WEEK_NS:
            return None
        offsets = {self._offset_ns(probe) for probe in (*range(first_ns, last_ns, _WEEK_NS), last_ns)}
        return offsets.pop() if len(offsets) == 1 else None

    def _offset_ns(self, local_ns: int) -> int:
        moment = datetime.fromtimestamp(local_ns // SECOND_NS, UTC).replace(tzinfo=self._zone)
        offset = moment.utcoffset()
        return 0 if offset is None else round(offset.total_seconds()) * SECOND_NS


def _from_calendar_numbers(numbers: Ints, digits: int) -> Ints:
    """20260302, ...0931, ...093100, ...093100000 as local nanoseconds since 1970."""
    rest = numbers
    below_second = np.zeros_like(numbers)
    if digits == 17:
        rest, below_second = rest // 1000, rest % 1000 * 1_000_000
    second = np.zeros_like(numbers)
    if digits >= 14:
        rest, second = rest // 100, rest % 100
    minutes = np.zeros_like(numbers)
    if digits >= 12:
        rest, minutes = rest // 10_000, rest % 100 + rest // 100 % 100 * 60
    year, month, day = rest // 10_000, rest // 100 % 100, rest % 100
    if ((month < 1) | (month > 12) | (day < 1) | (day > 31) | (second > 59) | (minutes > 1440)).any():
        raise ValueError(f"time {int(numbers[0])} or one after it is no calendar day and time")
    months = (year - 1970) * 12 + month - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1
    result: Ints = (days * 86_400 + minutes * 60 + second) * SECOND_NS + below_second
    return result


def _first_line(why: Exception) -> str:
    return str(why).partition("\n")[0].rstrip(".")
