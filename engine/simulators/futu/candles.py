"""K-lines of every period, made of one-minute bars (contracts/futu.md 1.8, 5, 9).

Minutes are grouped by their place in the trading day, so that a bar may reach across lunch; the closing auction's
minute belongs to the last group. Labels are ends for minutes; days are stamped 00:00:00 of the day, longer periods of
their first day.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from engine.domain.market import Bar
from engine.domain.timestamps import DAY_NS, MINUTE_NS, SECOND_NS
from engine.simulators.chronicle import Chronicle
from engine.simulators.futu.codes import Period
from engine.simulators.sessions import Sessions, local_text

PLANS_KEPT = 500
_PLANS: dict[tuple[Sessions, date], tuple[Sequence[int], dict[int, int]]] = {}
"""What ``_plan`` worked out; nothing but sessions and day goes into it."""


class Candle:
    """One bar of some period; ``label_ns`` is what it is stamped with."""

    __slots__ = ("close", "high", "label_ns", "low", "open", "previous", "turnover", "volume")

    def __init__(self, label_ns: int, bars: list[Bar], previous: float) -> None:
        self.label_ns = label_ns
        self.open, self.close = bars[0].open, bars[-1].close
        self.high, self.low = max(bar.high for bar in bars), min(bar.low for bar in bars)
        self.volume = sum(bar.volume for bar in bars)
        self.turnover = sum(turnover(bar) for bar in bars)
        self.previous = previous

    def row(self, timezone: str) -> dict[str, Any]:
        return {
            "time": local_text(self.label_ns, timezone),
            "is_blank": False,
            "high_price": self.high,
            "open_price": self.open,
            "low_price": self.low,
            "close_price": self.close,
            "last_close_price": self.previous,
            "volume": int(self.volume),
            "turnover": round(self.turnover, 2),
            "turnover_rate": None,
            "pe": None,
            "change_rate": None,
            "timestamp": float(self.label_ns // SECOND_NS),
            "hp_volume": None,
        }


def turnover(bar: Bar) -> float:
    """Value of a minute: its volume at the middle of its four prices."""
    return bar.volume * (bar.open + bar.high + bar.low + bar.close) / 4


def candles(chronicle: Chronicle, period: Period, begin_ns: int, end_ns: int, now_ns: int) -> Iterator[Candle]:
    """Bars whose label is in [begin, end], in order, up to the one that is forming."""
    first, last = chronicle.sessions.day(begin_ns), chronicle.sessions.day(min(end_ns, now_ns))
    if period.minutes:
        found = _of_minutes(chronicle, period.minutes, first, last)
    else:
        found = _of_days(chronicle, period.word, _start(first, period.word), last)
    return (candle for candle in found if begin_ns <= candle.label_ns <= end_ns)


def latest(chronicle: Chronicle, period: Period, count: int, now_ns: int) -> list[Candle]:
    """The last ``count`` bars, the forming one included."""
    unit = {"week": 7, "month": 31, "quarter": 92, "year": 366}.get(period.word, 1)
    days = max(5, count * unit * 2) if not period.minutes else max(5, count * period.minutes // 120)
    found: list[Candle] = []
    reached = 0
    while len(found) < count and reached < 1_000:
        reached = min(days, 1_000)
        found = list(candles(chronicle, period, now_ns - reached * DAY_NS, now_ns + DAY_NS, now_ns))
        days *= 4
    return found[-count:]


def forming(chronicle: Chronicle, period: Period, now_ns: int) -> Candle | None:
    """The bar that is forming, found without going through the day; None before the first of the past."""
    if not period.minutes:
        found = latest(chronicle, period, 1, now_ns)
        return found[0] if found else None
    recent = chronicle.minutes(now_ns - MINUTE_NS, now_ns + MINUTE_NS)
    if not recent:
        found = latest(chronicle, period, 1, now_ns)
        return found[0] if found else None
    day = chronicle.sessions.day(recent[-1].ts_ns - 1)
    ends, places, final = _plan(chronicle.sessions, day, period.minutes)
    group = min(places.get(recent[-1].ts_ns, final), final) // period.minutes
    start = ends[group * period.minutes] - MINUTE_NS
    bars = chronicle.minutes(start - MINUTE_NS, now_ns + MINUTE_NS)
    earlier = [bar for bar in bars if bar.ts_ns <= start]
    members = [bar for bar in bars if bar.ts_ns > start]
    previous = earlier[-1].close if earlier else members[0].open
    if not group:
        previous = chronicle.close_before(day)
    return Candle(ends[min((group + 1) * period.minutes - 1, final)], members, previous)


def _of_minutes(chronicle: Chronicle, minutes: int, first: date, last: date) -> Iterator[Candle]:
    for day, bars in _days(chronicle, first, last):
        ends, places, final = _plan(chronicle.sessions, day, minutes)

        def group(bar: Bar, places: dict[int, int] = places, cut: int = final) -> int:
            return min(places.get(bar.ts_ns, cut), cut) // minutes

        previous = chronicle.close_before(day)
        for number, part in groupby(bars, key=group):
            members = list(part)
            place = min((number + 1) * minutes - 1, final)
            candle = Candle(ends[place], members, previous)
            previous = candle.close
            yield candle


def _of_days(chronicle: Chronicle, word: str, first: date, last: date) -> Iterator[Candle]:
    for start, group in groupby(_days(chronicle, first, last), key=lambda pair: _start(pair[0], word)):
        days = list(group)
        bars = [bar for _, bars in days for bar in bars]
        yield Candle(chronicle.sessions.instant(start, 0), bars, chronicle.close_before(days[0][0]))


def _days(chronicle: Chronicle, first: date, last: date) -> Iterator[tuple[date, list[Bar]]]:
    day = first
    while day <= last:
        start = chronicle.sessions.instant(day, 0)
        bars = chronicle.minutes(start, chronicle.sessions.instant(day + timedelta(days=1), 0))
        if bars:
            yield day, bars
        day += timedelta(days=1)


def _plan(sessions: Sessions, day: date, minutes: int) -> tuple[Sequence[int], dict[int, int], int]:
    """Labels of a day's minutes, each one's place, and the last place that begins or continues a group."""
    known = _PLANS.get((sessions, day))
    if known is None:
        if len(_PLANS) > PLANS_KEPT:
            _PLANS.clear()
        ends = sessions.minute_ends(day)
        known = _PLANS[sessions, day] = (ends, {end: place for place, end in enumerate(ends)})
    ends, places = known
    final = len(ends) - 1
    auction = final > 0 and ends[final] - ends[final - 1] > MINUTE_NS and minutes > 1
    return ends, places, final - 1 if auction else final


def _start(day: date, word: str) -> date:
    match word:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)
    return day
