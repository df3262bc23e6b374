"""The close before each trading day, what the exchange counts limits from, and what took effect that morning.

Bars come in batches far ahead of the clock; what they say of a day is kept here and handed out when the clock is there.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping

import numpy as np
from msgspec import Struct

from engine.data.adjusting import Adjuster
from engine.data.adjustments import Adjustment
from engine.data.columns import Columns, Ints
from engine.domain.actions import CorporateAction, after
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.timestamps import DAY_NS, day_of, parse_time
from engine.markets.rulebook import RuleBook

NEVER_NS = 2**62


class Morning(Struct, frozen=True):
    """One instrument's day begins: the close before, what it is worth after what took effect, and that itself."""

    ts_ns: int
    instrument: InstrumentId
    close: float
    reference: float
    actions: tuple[CorporateAction, ...] = ()

    @property
    def price_factor(self) -> float:
        return self.reference / self.close

    @property
    def share_factor(self) -> float:
        factor = 1.0
        for action in self.actions:
            factor *= float(action.share_factor)
        return factor


class DayPrices:
    """Of instruments whose market has price limits, and of those with actions; the others cost nothing here."""

    def __init__(
        self,
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        actions: Mapping[InstrumentId, tuple[CorporateAction, ...]],
        names: Iterable[InstrumentId],
    ) -> None:
        self.due_ns = NEVER_NS
        """When the next day begins of which something is known."""
        self._instruments = instruments
        self._actions = {name: actions.get(name, ()) for name in names}
        self._books = {
            name: book
            for name in self._actions
            if (book := books.get(instruments[name].market)) is not None
            and (self._actions[name] or book.price_band(instruments[name], 100.0) is not None)
        }
        self._last: dict[InstrumentId, tuple[int, float]] = {}
        self._coming: dict[InstrumentId, list[Morning]] = {}
        self._traded: dict[InstrumentId, bool] = {}
        self._factors: dict[InstrumentId, list[Adjustment]] = {}

    def has_volume(self, instrument: InstrumentId) -> bool:
        """Whether the data of an instrument has volumes: then a bar without any is one without deals."""
        return self._traded.get(instrument, False)

    def load(self, bars: Columns) -> list[Morning]:
        """Take in a batch; batches of one instrument come in order of time. Gives back what it says of ex-dates."""
        name = bars.instrument
        book = self._books.get(name)
        if book is None or not len(bars.ts_ns):
            return []
        self._traded[name] = self._traded.get(name, False) or bool((bars.volume > 0).any())
        # A day's bars lie within one UTC day in every market here but the night's, which have no limits.
        edges = np.flatnonzero(np.diff(_utc_days(bars.ts_ns))) + 1
        firsts = [0, *edges.tolist()]
        coming = self._coming.setdefault(name, [])
        news = []
        for first, following in zip(firsts, [*firsts[1:], len(bars.ts_ns)], strict=True):
            ts_ns = int(bars.ts_ns[first]) - 1
            day, known = book.trading_day(ts_ns), self._last.get(name)
            if known is not None and day > known[0]:
                coming.append(self._morning(name, ts_ns, book.timezone, known, day))
                if (morning := coming[-1]).actions:
                    news.append(morning)
                    factor = Adjustment(morning.ts_ns, morning.price_factor, morning.share_factor)
                    self._factors.setdefault(name, []).append(factor)
            self._last[name] = (day, float(bars.close[following - 1]))
        self._plan()
        return news

    def factors(self, instrument: InstrumentId) -> tuple[Adjustment, ...]:
        """Of every ex-date in what was loaded, oldest first, as ``adjusted(columns, factors, "backward", ...)`` takes.

        Backward factors change no bar by what comes after it, so that columns may be adjusted a batch at a time.
        """
        return tuple(self._factors.get(instrument, ()))

    def adjuster(self, instrument: InstrumentId) -> Adjuster | None:
        """For one reader of an instrument's bars; None where it has no corporate actions."""
        return Adjuster(self._factors.setdefault(instrument, [])) if self._actions.get(instrument) else None

    def turn(self, now_ns: int) -> list[Morning]:
        """The mornings that have come, oldest first."""
        passed: list[Morning] = []
        for coming in self._coming.values():
            count = bisect_right(coming, now_ns, key=_begins)
            passed += coming[:count]
            del coming[:count]
        self._plan()
        return sorted(passed, key=_begins)

    def reference(self, instrument: InstrumentId, close: float, day: int) -> float:
        """What a close is worth on the trading day after it."""
        actions = tuple(action for action in self._actions.get(instrument, ()) if action.ex_day == day)
        return after(actions, close, self._instruments[instrument].tick)

    def _morning(self, name: InstrumentId, ts_ns: int, zone: str, known: tuple[int, float], day: int) -> Morning:
        before, close = known
        # Of a stock that was suspended on its ex-date everything takes effect when it trades again.
        actions = tuple(action for action in self._actions[name] if before < action.ex_day <= day)
        midnight_ns = parse_time(f"{day_of(ts_ns, zone)} 00:00:00", zone)
        # A bar of a day may end at midnight: the morning comes right after it.
        return Morning(midnight_ns + 1, name, close, after(actions, close, self._instruments[name].tick), actions)

    def _plan(self) -> None:
        self.due_ns = min((coming[0].ts_ns for coming in self._coming.values() if coming), default=NEVER_NS)


def _begins(morning: Morning) -> int:
    return morning.ts_ns


def _utc_days(ts_ns: Ints) -> Ints:
    return (ts_ns - 1) // DAY_NS
