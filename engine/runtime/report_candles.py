"""Bars thinned to what a page can show: candles of several lengths, from days down, as many as the page may hold."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.data.columns import Columns
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, datetime_from_ns

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CANDLES_PER_VIEW = 1_500
"""The page never draws more candles at once; it changes to longer ones instead."""
CANDLES_PER_PAGE = 45_000
"""All levels of all instruments together: about 2 MB of the file."""

_LENGTHS_NS = (
    SECOND_NS, 5 * SECOND_NS, 15 * SECOND_NS, MINUTE_NS, 5 * MINUTE_NS, 15 * MINUTE_NS, 30 * MINUTE_NS, HOUR_NS,
    4 * HOUR_NS, DAY_NS, 7 * DAY_NS, 28 * DAY_NS,
)  # fmt: skip


class Candles(Struct, frozen=True, kw_only=True):
    """Candles of one length. ``end_ns`` is where the last bar in each ends."""

    interval_ns: int
    end_ns: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


class CandleChart(Struct, frozen=True, kw_only=True):
    """One instrument's candles, the longest first."""

    instrument: str
    bars: int
    """How many bars they are made of."""
    levels: tuple[Candles, ...]


def group_bars(bars: Candles, interval_ns: int, tz: str) -> Candles:
    """Longer candles out of shorter ones; those of a day or more follow the calendar days of the zone.

    A bar belongs to the group of the instant just before its end, so a bar that ends at midnight is the old day's.
    """
    if not len(bars.end_ns):
        return bars
    # One offset a batch would be wrong across summer time; one a calendar day of the data is exact enough for grouping.
    keys = (bars.end_ns - 1 + _offsets_ns(bars.end_ns, tz)) // interval_ns
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    ends = np.append(starts[1:], len(keys)) - 1
    return Candles(
        interval_ns=interval_ns,
        end_ns=bars.end_ns[ends],
        open=bars.open[starts],
        high=np.maximum.reduceat(bars.high, starts),
        low=np.minimum.reduceat(bars.low, starts),
        close=bars.close[ends],
        volume=np.add.reduceat(bars.volume, starts),
    )


def thin_bars(batches: Iterable[Columns], tz: str, candles_max: int = CANDLES_PER_PAGE) -> CandleChart | None:
    """All levels that fit in ``candles_max`` candles; None where there are no bars.

    Memory is that of the finest level kept: while it grows past the room there is, it is grouped to the next length.
    """
    kept: list[Candles] = []
    instrument, length, base, count, total = "", 0, 0, 0, 0
    for batch in batches:
        if not instrument:
            instrument, length, base = batch.instrument, batch.interval_ns, batch.interval_ns
        raw = Candles(
            interval_ns=batch.interval_ns,
            end_ns=batch.ts_ns,
            open=batch.open,
            high=batch.high,
            low=batch.low,
            close=batch.close,
            volume=batch.volume,
        )
        total += len(batch.ts_ns)
        kept.append(raw if length == base else group_bars(raw, length, tz))
        count += len(kept[-1].end_ns)
        while count > candles_max * 3 // 4 and (longer := _longer(length)):
            # Grouping again joins candles that a batch's end had cut in two.
            length = longer
            kept = [group_bars(_joined(kept), length, tz)]
            count = len(kept[0].end_ns)
    if not total:
        return None
    finest = _joined(kept) if length == base else group_bars(_joined(kept), length, tz)
    return CandleChart(instrument=instrument, bars=total, levels=_levels(finest, tz, candles_max))


def _levels(finest: Candles, tz: str, candles_max: int) -> tuple[Candles, ...]:
    """The finest, and longer ones until one view shows all; each at most 0.7 of the one before."""
    levels = [finest]
    length, room = finest.interval_ns, candles_max - len(finest.end_ns)
    while len(levels[-1].end_ns) > CANDLES_PER_VIEW and (longer := _longer(length)):
        length = longer
        found = group_bars(finest, length, tz)
        if len(found.end_ns) <= 0.7 * len(levels[-1].end_ns) and len(found.end_ns) <= room:
            levels.append(found)
            room -= len(found.end_ns)
    return tuple(reversed(levels))


def _longer(length_ns: int) -> int:
    return next((known for known in _LENGTHS_NS if known > length_ns), 0)


def _joined(parts: Sequence[Candles]) -> Candles:
    return Candles(
        interval_ns=parts[0].interval_ns,
        **{
            field: np.concatenate([getattr(part, field) for part in parts])
            for field in ("end_ns", "open", "high", "low", "close", "volume")
        },
    )


def local_seconds(ts_ns: Ints, tz: str) -> Ints:
    """Instants as seconds since 1970 of the zone's wall clock: what a page shows without knowing of zones."""
    if not len(ts_ns):
        return ts_ns
    result: Ints = (ts_ns + _offsets_ns(ts_ns, tz)) // SECOND_NS
    return result


def _offsets_ns(ts_ns: Ints, tz: str) -> Ints:
    """The zone's offset at each instant, asked once an hour of data."""
    hours, place = np.unique(ts_ns // HOUR_NS, return_inverse=True)
    ends = (int(hours[0]) * HOUR_NS, (int(hours[-1]) + 1) * HOUR_NS)
    if all(_offset_ns(probe, tz) == _offset_ns(ends[0], tz) for probe in (*range(*ends, 7 * DAY_NS), ends[1])):
        return np.full(len(ts_ns), _offset_ns(ends[0], tz))
    offsets = np.array([_offset_ns(hour * HOUR_NS, tz) for hour in hours.tolist()], np.int64)
    result: Ints = offsets[place]
    return result


def _offset_ns(ts_ns: int, tz: str) -> int:
    offset = datetime_from_ns(ts_ns, "UTC").astimezone(ZoneInfo(tz)).utcoffset()
    return 0 if offset is None else round(offset.total_seconds()) * SECOND_NS
