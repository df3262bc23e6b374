"""K-lines: days and minutes of one security as the platform shows them (contracts/amazingdata.md 4).

The past is the path's; what the exchange did otherwise (somebody traded, an operator set a price) replaces it. Only
minutes that are over show, and a longer bar shows as far as its minutes go: the last one still changes.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from msgspec.structs import replace

from engine.domain.timestamps import DAY_NS, MINUTE_NS
from engine.simulators.amazingdata.coverage import Coverage
from engine.simulators.amazingdata.forms import Forms
from engine.simulators.amazingdata.universe import FUTURE, Security, Universe
from engine.simulators.china import Days, day_of, midnight_ns, minute_starts, minutes_into
from engine.simulators.chronicle import Chronicle
from engine.simulators.exchange import Exchange
from engine.simulators.following import PathChronicle
from engine.simulators.past import closes, key_of, minutes, uniform

PERIODS = {"daily": 0, "min1": 1, "min5": 5, "min15": 15, "min30": 30, "min60": 60}
"""Minutes of a bar; 0 is a day. Those of the vendor's page and its earlier revision."""
CHUNK_DAYS = 64

Columns = tuple[list[float], list[float], list[float], list[float], list[int], list[float]]


class Row(NamedTuple):
    """A bar; ``minute`` is that of the local day at which it starts or ends, as labels go; 0 for a day's."""

    day: int
    minute: int
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: int
    amount: float


class Bars:
    """K-lines over the exchange, by security, days and period."""

    def __init__(self, exchange: Exchange, days: Days, universe: Universe, coverage: Coverage, forms: Forms) -> None:
        self._exchange = exchange
        self._days = days
        self._universe = universe
        self._coverage = coverage
        self._forms = forms
        self._factors: dict[str, float] = {}

    def trading_days(self, security: Security, first: int, last: int, now_ns: int) -> list[int]:
        """Days on which there should be bars, up to today."""
        found = self._days.between(first, min(last, day_of(now_ns)))
        if security.type == FUTURE:
            found = [day for day in found if self._universe.listed(security.code, day)]
        return found

    def rows(self, security: Security, first: int, last: int, period: int, now_ns: int) -> Iterator[Row]:
        """Bars in order of time, both days included."""
        wanted = self.trading_days(security, first, last, now_ns)
        for start in range(0, len(wanted), CHUNK_DAYS):
            yield from self._chunk(security, wanted[start : start + CHUNK_DAYS], period, now_ns)

    def labelled(self, security: Security, first: int, last: int, period: int, now_ns: int) -> list[dict[str, Any]]:
        """Bars as the platform words them."""
        return [self._worded(security, row, period) for row in self.rows(security, first, last, period, now_ns)]

    def label(self, row: Row, period: int) -> str:
        """The time of a bar, a day's without the hour."""
        form = self._forms.dates
        text = date.fromordinal(row.day).isoformat()
        if not period:
            return {"digits": text.replace("-", ""), "timestamp": f"{text}T00:00:00"}.get(form, text)
        clock = f"{row.minute // 60:02d}:{row.minute % 60:02d}:00"
        return f"{text}T{clock}" if form == "timestamp" else f"{text} {clock}"

    # Inside

    def _chunk(self, security: Security, wanted: Sequence[int], period: int, now_ns: int) -> Iterator[Row]:
        security = self._joined(security)
        path, today = security.path, day_of(now_ns)
        made = minutes(path, self._exchange.seed, wanted, [self._days.before(day) for day in wanted])
        whole = made.merged(period or path.minutes)
        columns = [column.tolist() for column in whole]
        past = [day for day in wanted if day < today]
        missing = set(self._coverage.missing(security.code, past))
        suspended = set(self._coverage.suspended(security.code, past))
        changed = self._changed(security.code, wanted)
        starts = minute_starts(path.minutes)
        for place, day in enumerate(wanted):
            if day in missing:
                continue
            if day in suspended:
                yield from self._idle(security, day, period)
                continue
            hole = self._coverage.hole(security.code, day, path.minutes) if day < today else range(0)
            if day < today and not hole and day not in changed:
                day_columns: Columns = tuple(column[place] for column in columns)
                labels = [self._minute(starts, number * period, period) for number in range(len(day_columns[0]))]
                yield from map(Row, [day] * len(labels), labels, *day_columns)
                continue
            ended = int(minutes_into(now_ns, path.minutes)) if day == today else path.minutes
            minute_columns: Columns = tuple(column[place].tolist() for column in made)
            numbers = [number for number in range(ended) if number not in hole]
            if day in changed:
                numbers = self._overlay(security, day, numbers, minute_columns)
            yield from self._grouped(day, numbers, minute_columns, period or path.minutes, period, starts)

    def _changed(self, code: str, wanted: Sequence[int]) -> set[int]:
        chronicle = self._chronicle(code)
        if isinstance(chronicle, PathChronicle):
            return chronicle.follow.touched & set(wanted)
        return set() if chronicle is None else {day for day in wanted if day >= chronicle.first_day.toordinal()}

    def _joined(self, security: Security) -> Security:
        """Where another face listed the code with a past of its own, the path before that past ends where it begins."""
        chronicle = self._chronicle(security.code)
        if chronicle is None or isinstance(chronicle, PathChronicle):
            return security
        factor = self._factors.get(security.code)
        if factor is None:
            before = self._days.before(chronicle.first_day.toordinal())
            level = float(closes(security.path, self._exchange.seed, [before])[0])
            factor = self._factors[security.code] = chronicle.close_before(chronicle.first_day) / level
        return replace(security, path=replace(security.path, price=security.path.price * factor))

    def _chronicle(self, code: str) -> Chronicle | None:
        stock = self._exchange.stock(code)
        return stock.chronicle if stock is not None else None

    def _overlay(self, security: Security, day: int, numbers: list[int], columns: Columns) -> list[int]:
        """Put the exchange's minutes in the place of the path's; gives the numbers there are bars for."""
        chronicle = self._chronicle(security.code)
        assert chronicle is not None
        start = midnight_ns(day)
        places = {minute: number for number, minute in enumerate(minute_starts(security.path.minutes))}
        seen = set()
        for bar in chronicle.minutes(start, start + DAY_NS):
            number = places.get((bar.ts_ns - start) // MINUTE_NS - 1)
            if number is None:
                continue
            seen.add(number)
            amount = round(bar.volume * (bar.open + bar.close) / 2 * security.path.multiplier, 2)
            for column, figure in zip(columns, (*_prices(bar), int(bar.volume), amount), strict=True):
                column[number] = figure  # type: ignore[index]
        return [number for number in numbers if number in seen]

    def _grouped(
        self, day: int, numbers: list[int], columns: Columns, count: int, period: int, starts: tuple[int, ...]
    ) -> Iterator[Row]:
        opens, highs, lows, ends, volumes, amounts = columns
        groups: dict[int, list[int]] = {}
        for number in numbers:
            groups.setdefault(number // count, []).append(number)
        for group, part in groups.items():
            yield Row(
                day,
                self._minute(starts, group * period, period),
                opens[part[0]],
                max(highs[number] for number in part),
                min(lows[number] for number in part),
                ends[part[-1]],
                sum(volumes[number] for number in part),
                round(sum(amounts[number] for number in part), 2),
            )

    def _idle(self, security: Security, day: int, period: int) -> Iterator[Row]:
        """A suspended day: nothing, nulls, or the close before and no volume; minutes are never there."""
        if period or self._forms.suspended == "absent":
            return
        if self._forms.suspended == "nulls":
            yield Row(day, 0, None, None, None, None, 0, 0.0)
            return
        price = float(closes(security.path, self._exchange.seed, [self._days.before(day)])[0])
        yield Row(day, 0, price, price, price, price, 0, 0.0)

    def _minute(self, starts: tuple[int, ...], number: int, period: int) -> int:
        if not period:
            return 0
        if self._forms.labels == "start":
            return starts[number]
        return starts[min(number + period, len(starts)) - 1] + 1

    def _worded(self, security: Security, row: Row, period: int) -> dict[str, Any]:
        sdk = self._forms.dates == "sdk"
        words: dict[str, Any] = {"code": security.code} if sdk else {}
        words["kline_time" if sdk else "trade_date"] = self.label(row, period)
        words |= {"open": row.open, "high": row.high, "low": row.low, "close": row.close}
        words["volume"] = float(row.volume) if self._forms.volume == "float" else row.volume
        if security.type != FUTURE:
            words["amount"] = row.amount
            return words
        form = self._forms.futures
        if form != "absent":
            given = form != "nulls" and not period
            words["settle"] = self._settle(security, row) if given else None
            words["open_interest"] = self._open_interest(security, row.day) if given else None
        if form == "amount":
            words["amount"] = row.amount
        return words

    def _settle(self, security: Security, row: Row) -> float | None:
        if not row.volume or row.close is None:
            return row.close
        mean = row.amount / row.volume / security.path.multiplier
        return round(round(mean / 0.1) * 0.1, 4) if security.path.tick >= 0.1 else round(mean, 3)

    def _open_interest(self, security: Security, day: int) -> int:
        point = float(uniform(key_of(self._exchange.seed, f"interest/{security.code}"), [day])[0])
        return int(security.path.volume * (1.2 + 0.1 * point))


def _prices(bar: Any) -> tuple[float, float, float, float]:
    return bar.open, bar.high, bar.low, bar.close
