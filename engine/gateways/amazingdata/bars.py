"""Rows as bars labelled by their end: which side the labels are on, which unit volumes are in, what is left out.

The service labels minute bars with the start of their minute; a server that labels the end is recognised (contract 4).
"""

import enum
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from engine.domain.errors import BadMessage
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.domain.timestamps import DAY_NS, MINUTE_NS, ns_from_datetime
from engine.gateways.amazingdata.messages import Chart, Row
from engine.gateways.amazingdata.periods import NIGHT_VENUES, ZONE_NS, is_future, venue_of

_BONDS = re.compile(r"(T|TF|TS|TL)\d", re.ASCII)
"""Bond futures trade until 15:15, so a bar that starts at 15:00 is one of theirs."""
_MORNING = 9 * 60 + 30


class Label(enum.StrEnum):
    AUTO = "auto"
    START = "start"
    END = "end"


class Series(Struct, frozen=True):
    """Bars of one instrument, oldest first, and how many rows were left out because they had no prices."""

    bars: list[Bar]
    without_prices: int = 0


class Labels:
    """Tells which side of a minute bar its label is on; settled once a run, by the first rows that prove it.

    Args:
        setting: START or END where config knows; AUTO to look at the rows.
    """

    def __init__(self, setting: Label = Label.AUTO) -> None:
        self._settled: Label | None = None if setting is Label.AUTO else setting
        self._by_config = setting is not Label.AUTO

    def side(self, minutes: Mapping[str, Sequence[int]], interval_ns: int) -> Label:
        """The side, from minutes of the day of one answer, by code, each in order of time.

        Raises:
            BadMessage: the labels prove both, or the other side than before.
        """
        if self._by_config:
            assert self._settled is not None
            return self._settled
        proved = {found for code, labels in minutes.items() if (found := _proof(code, labels)) is not None}
        if len(proved) > 1 or (proved and self._settled not in {None, *proved}):
            raise BadMessage(
                'minute bars: some labels are starts and some are ends; set minute_labels = "start" or "end"'
            )
        if proved:
            self._settled = proved.pop()
        if self._settled is not None:
            return self._settled
        step = interval_ns // MINUTE_NS
        firsts = {labels[0] for labels in minutes.values() if labels}
        # Every series beginning one bar late is what end labels look like; a wrong guess here must not outlive it.
        return Label.END if firsts == {_MORNING + step} else Label.START


def _proof(code: str, labels: Sequence[int]) -> Label | None:
    """What the labels of one code prove: no bar starts as a session ends, none ends as one starts."""
    present = set(labels)
    if venue_of(code) in NIGHT_VENUES:
        starts, ends = {9 * 60, 13 * 60 + 30, 21 * 60}, {10 * 60 + 15, 11 * 60 + 30, 15 * 60}
    else:
        starts, ends = {_MORNING, 13 * 60}, {11 * 60 + 30}
        if not _BONDS.match(code):
            ends.add(15 * 60)
    start, end = bool(starts & present), bool(ends & present)
    if start and end:
        raise BadMessage(
            f'minute bars of {code}: labels are both starts and ends; set minute_labels = "start" or "end"'
        )
    return Label.START if start else Label.END if end else None


class LocalTimes:
    """Reads local times; the same few thousand texts come again with every code."""

    def __init__(self) -> None:
        self._known: dict[str | int, int] = {}

    def read(self, value: str | int | None) -> int:
        """Local wall-clock nanoseconds since 1970.

        Raises:
            BadMessage: no time.
        """
        if value is None:
            raise BadMessage("a bar has no time (trade_date, kline_time or trade_time)")
        found = self._known.get(value)
        if found is None:
            found = _local_ns(value)
            if len(self._known) > 50_000:
                self._known.clear()
            self._known[value] = found
        return found


def _local_ns(value: str | int) -> int:
    text = str(value).strip()
    try:
        if text.isdigit():
            layout = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[len(text)]
            moment = datetime.strptime(text, layout).replace(tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                moment = moment.astimezone(UTC) + timedelta(microseconds=ZONE_NS // 1000)
            moment = moment.replace(tzinfo=UTC)
    except (ValueError, KeyError, OverflowError) as error:
        raise BadMessage(f"a bar's time {text[:40]!r} can not be read") from error
    return ns_from_datetime(moment)


class BarReader:
    """Rows of answers as bars.

    Args:
        scale_lots: whether volumes that are plainly counted in lots of 100 are turned into shares.
    """

    def __init__(self, labels: Labels, *, scale_lots: bool = True) -> None:
        self._labels = labels
        self._times = LocalTimes()
        self._scale_lots = scale_lots

    def read(self, rows: Mapping[str, Sequence[Row] | None], interval_ns: int) -> dict[InstrumentId, Series]:
        """Every code of one answer: sorted, the last of equal times kept, rows without prices left out.

        Raises:
            BadMessage: a time or a bar that can not be; labels that contradict each other.
        """
        timed = {code: [(self._times.read(row.time), row) for row in found] for code, found in rows.items() if found}
        shift_ns = DAY_NS
        if interval_ns < DAY_NS:
            minutes = {
                code: [local % DAY_NS // MINUTE_NS for local, _ in sorted(found, key=_time)]
                for code, found in timed.items()
            }
            start = self._labels.side(minutes, interval_ns) is Label.START
            shift_ns = interval_ns if start else 0
        return {
            InstrumentId(code): self._series(code, timed.get(code, []), interval_ns, shift_ns)
            for code in dict.fromkeys((*rows, *timed))
        }

    def _series(self, code: str, timed: Iterable[tuple[int, Row]], interval_ns: int, shift_ns: int) -> Series:
        kept: dict[int, Row] = {}
        without = 0
        for local, row in timed:
            if interval_ns >= DAY_NS:
                local -= local % DAY_NS
            if _priced(row):
                kept[local] = row
            else:
                without += 1
        factor = self._volume_factor(code, kept.values())
        offset = shift_ns - ZONE_NS
        return Series([_bar(code, local + offset, kept[local], interval_ns, factor) for local in sorted(kept)], without)

    def _volume_factor(self, code: str, rows: Iterable[Row]) -> float:
        """100 where the amount shows that volumes are lots; an index fits neither and stays (contract 4)."""
        if not self._scale_lots or is_future(code):
            return 1.0
        amount = volume = price = 0.0
        count = 0
        for row in rows:
            if row.amount and row.volume and row.close:
                amount, volume, price, count = amount + row.amount, volume + row.volume, price + row.close, count + 1
        if not count:
            return 1.0
        return 100.0 if 50 < amount / volume / (price / count) < 200 else 1.0


def _time(pair: tuple[int, Row]) -> int:
    return pair[0]


def _priced(row: Row) -> bool:
    return None not in (row.open, row.high, row.low, row.close)


def _bar(code: str, ts_ns: int, row: Row, interval_ns: int, factor: float) -> Bar:
    open_, high, low, close = row.open, row.high, row.low, row.close
    assert open_ is not None
    assert high is not None
    assert low is not None
    assert close is not None
    volume = (row.volume or 0.0) * factor
    if not (0 < low <= min(open_, close) and max(open_, close) <= high < math.inf and 0 <= volume < math.inf):
        raise BadMessage(
            f"bar of {code} at {row.time}: open {open_:g}, high {high:g}, low {low:g}, close {close:g}, "
            f"volume {volume:g} can not be"
        )
    return Bar(InstrumentId(code), ts_ns, open_, high, low, close, volume, interval_ns)


def rows_of_chart(chart: Chart) -> list[Row]:
    """The chart form as rows: its values run open, close, low, high, volume.

    Raises:
        BadMessage: lists of different lengths, or an entry that is too short.
    """
    if len(chart.values) != len(chart.category_data) or any(len(value) < 4 for value in chart.values):
        raise BadMessage("chart: its lists do not match each other")
    rows = []
    for place, (time, value) in enumerate(zip(chart.category_data, chart.values, strict=True)):
        volume = value[4] if len(value) > 4 else chart.volume(place) if place < len(chart.volumes) else None
        rows.append(Row(trade_date=time, open=value[0], close=value[1], low=value[2], high=value[3], volume=volume))
    return rows
