"""The market of a soak: quotes, trades and bars of many instruments, published at the bus as a gateway would."""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.clock import Clock
from engine.domain.commands import Side
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, DataKind, Quote, Trade
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS
from engine.markets.free import Free
from engine.ports import Publish

BATCH = 100
"""Instruments that have a price at the same instant."""
OPENS_NS = 90 * MINUTE_NS
"""Of the day, UTC: 09:30 in Shanghai."""
WAVE = tuple(round(10 + 0.2 * math.sin(n / 997 * 2 * math.pi), 2) for n in range(997))


class Plan(Struct, frozen=True, kw_only=True):
    """How long and how much."""

    start_ns: int
    """Midnight before the first Monday, UTC."""
    days: int = 60
    events: int = 20_000_000
    orders: int = 20_000
    instruments: int = 200
    session_ns: int = 4 * HOUR_NS
    sample_events: int = 100_000
    week_days: int = 5
    weeks_through: int = 4
    """Every so manieth week the engine runs from its first day to its last; else it is stopped each night."""

    def opens_ns(self, day: int) -> int:
        week, weekday = divmod(day, self.week_days)
        return self.start_ns + (7 * week + weekday) * DAY_NS + OPENS_NS

    def closes_ns(self, day: int) -> int:
        return self.opens_ns(day) + self.session_ns

    def stops_after(self, day: int) -> bool:
        week, weekday = divmod(day, self.week_days)
        through = week % self.weeks_through == self.weeks_through - 1
        return day == self.days - 1 or weekday == self.week_days - 1 or not through

    @property
    def events_a_day(self) -> int:
        return self.events // self.days

    @property
    def batches(self) -> int:
        """Of quotes and trades a day; bars come on top, one a minute and instrument."""
        bars = self.session_ns // MINUTE_NS * self.instruments
        return max(1, (self.events_a_day - bars) // BATCH)


class Hours(Free, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No rules but hours: from Monday to Friday, the session of the plan."""

    session_ns: int

    def is_open(self, ts_ns: int) -> bool:
        # The epoch was a Thursday.
        return (ts_ns // DAY_NS + 3) % 7 < 5 and 0 <= ts_ns % DAY_NS - OPENS_NS < self.session_ns


class Tape:
    """Implements ``MarketFeed`` and ``Gateway``; it goes on where it was when the engine connects again."""

    name = "tape"
    pace_ns = 0
    router = None

    def __init__(self, plan: Plan, clock: Clock, names: Sequence[InstrumentId], on_batch: Callable[[], None]) -> None:
        """``on_batch``: called after each batch, between two events."""
        self.feed = self
        self.plan = plan
        self.names = tuple(names)
        self.day = 0
        """The day to be played, or being played."""
        self.events = 0
        self.on_open: Callable[[], None] = lambda: None
        self.on_close: Callable[[], None] = lambda: None
        self.on_minute: Callable[[], None] = lambda: None
        self._clock = clock
        self._on_batch = on_batch
        self._turn = 0
        self._place = {name: 7 * n for n, name in enumerate(self.names)}

    def price(self, instrument: InstrumentId, side: Side) -> Decimal:
        """What an order pays or gets now."""
        cents = round(WAVE[(self._turn + self._place[instrument]) % len(WAVE)] * 100)
        return Decimal(cents + side.sign) / 100

    async def run(self, publish: Publish) -> None:
        plan = self.plan
        while self.day < plan.days:
            await self._clock.sleep_until(plan.opens_ns(self.day))
            self.on_open()
            await self._play(publish)
            self.on_close()
            self.day += 1
        await self._clock.sleep_until(2**62)

    async def _play(self, publish: Publish) -> None:
        plan, clock = self.plan, self._clock
        opens_ns = plan.opens_ns(self.day)
        step_ns = plan.session_ns // plan.batches
        half = 0
        minute_ns = opens_ns + MINUTE_NS
        for number in range(1, plan.batches + 1):
            at_ns = opens_ns + number * step_ns
            while minute_ns <= at_ns:
                await clock.sleep_until(minute_ns)
                self._bars(publish, minute_ns)
                minute_ns += MINUTE_NS
            await clock.sleep_until(at_ns)
            names = self.names[half : half + BATCH]
            half = (half + BATCH) % len(self.names)
            self._turn += not half
            self._prices(publish, names, at_ns, quotes=number % 5 < 3)
            self._on_batch()

    def _prices(self, publish: Publish, names: Sequence[InstrumentId], ts_ns: int, *, quotes: bool) -> None:
        wave, size, at = WAVE, len(WAVE), self._turn + self._place[names[0]]
        for name in names:
            price = wave[at % size]
            at += 7
            if quotes:
                publish(Quote(name, ts_ns, price - 0.01, price + 0.01, 100.0, 100.0))
            else:
                publish(Trade(name, ts_ns, price, 10_000.0))
        self.events += len(names)

    def _bars(self, publish: Publish, ts_ns: int) -> None:
        at = self._turn
        for name in self.names:
            price = WAVE[at % len(WAVE)]
            at += 7
            publish(Bar(name, ts_ns, price, price + 0.02, price - 0.02, price, 100_000.0))
        self.events += len(self.names)
        self.on_minute()
        self._on_batch()

    # --- the gateway -------------------------------------------------------------------------------------------------

    def subscribe(self, instrument: InstrumentId, kind: DataKind, interval_ns: int) -> None:
        """Everything comes anyway."""

    async def connect(self) -> None:
        """Nothing to connect to."""

    async def instruments(self) -> Sequence[Any]:
        return ()

    def routes(self) -> dict[str, str]:
        return {}

    def reads(self) -> frozenset[str]:
        return frozenset()

    async def call(self, route: str, args: Any) -> Any:
        raise AssertionError(route)

    async def close(self) -> None:
        """Nothing to close."""
