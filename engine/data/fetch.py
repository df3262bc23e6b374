"""Filling the catalog from a source of history: what is missing is asked for, what comes is kept at once.

A run that is killed and started again asks only for what it does not have yet, and ends with the same catalog. Nothing
is kept in memory but the answers under way.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Protocol, cast
from zoneinfo import ZoneInfo

import anyio
from msgspec import Struct

from engine.data.calendar import MarketCalendar
from engine.data.catalog import Catalog, columns_of
from engine.data.headers import zone_of
from engine.data.manifest import Manifest
from engine.data.series import Series
from engine.domain.errors import ConfigError, DataError, GatewayError, NotSent
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.domain.timestamps import DAY_NS, datetime_from_ns, ns_from_datetime

FAILURES_MAX = 5
"""Askings that may fail one after another before the source is taken for gone."""
DAYS_PER_CHUNK = {False: 5, True: 750}
"""Trading days in one asking: of minute bars, and of daily ones."""


class HistorySource(Protocol):
    """Any source of closed bars. One that has ``history_batch`` as well, whose answer has ``bars`` and ``failed`` by
    instrument, is asked for ``batch_codes`` instruments at once."""

    async def history(self, instrument: InstrumentId, interval_ns: int, from_ns: int, to_ns: int) -> Sequence[Bar]:
        """Bars that end in ``(from_ns, to_ns]``, oldest first.

        Raises:
            GatewayError: they could not be read.
        """


class Chunk(Struct, frozen=True):
    """One asking: bars of some instruments that end in ``(from_ns, to_ns]``, and the days wanted of each."""

    wanted: Mapping[InstrumentId, Sequence[date]]
    from_ns: int
    to_ns: int

    @property
    def instruments(self) -> tuple[InstrumentId, ...]:
        return tuple(self.wanted)

    @property
    def days(self) -> int:
        """Instrument-days: the unit of progress."""
        return sum(len(days) for days in self.wanted.values())


class Progress(Struct, frozen=True):
    """Instrument-days done of all, and bars that came so far."""

    done: int
    total: int
    bars: int


class Fetched(Struct, kw_only=True):
    """What a run did. ``gaps``: days of an instrument that lack bars now; ``failed``: why some were not answered."""

    asked: int = 0
    days: int = 0
    bars: int = 0
    new: int = 0
    changed: int = 0
    gaps: dict[str, dict[str, int]] = {}
    """Instrument -> day -> bars missing."""
    failed: dict[str, str] = {}


def merged(first: Fetched, then: Fetched) -> Fetched:
    """Two runs of one wish as one: what was done is added up, what lacks is what lacks after the second."""
    return Fetched(
        asked=first.asked + then.asked,
        days=first.days + then.days,
        bars=first.bars + then.bars,
        new=first.new + then.new,
        changed=first.changed + then.changed,
        gaps=then.gaps,
        failed=then.failed,
    )


class Wish(Struct, frozen=True, kw_only=True):
    """What to fetch: days from ``first`` to ``last``, both included; nothing that ends after ``now_ns``."""

    instruments: tuple[InstrumentId, ...]
    interval_ns: int
    first: date
    last: date
    now_ns: int
    again: bool = False
    """Ask for every day, also for those that are complete: changed bars take the place of old ones."""


class Fetch:
    """One filling.

    Args:
        calendars: instrument -> its calendar; one without has every day asked for once.
        progress: hears of each asking's end.
        in_flight: askings at once.
    """

    def __init__(
        self,
        source: HistorySource,
        catalog: Catalog,
        wish: Wish,
        calendars: Mapping[InstrumentId, MarketCalendar | None],
        *,
        progress: Callable[[Progress], None] = lambda _progress: None,
        in_flight: int = 2,
    ) -> None:
        if wish.last < wish.first:
            raise ConfigError(f"the last day {wish.last} is before the first, {wish.first}; swap them")
        self._source = source
        self._catalog = catalog
        self._wish = wish
        self._calendars = calendars
        self._progress = progress
        self._in_flight = in_flight
        self._batch = int(getattr(source, "batch_codes", 1)) if hasattr(source, "history_batch") else 1
        self._step = int(getattr(source, "batch_days", DAYS_PER_CHUNK[False]))
        self._result = Fetched()
        self._row = 0
        """Failures one after another."""
        self._done = self._total = 0

    async def run(self) -> Fetched:
        """Ask for what is missing, once more for what is missing after that, and say what still is.

        Raises:
            GatewayError: the source can not be reached. DataError: the catalog is damaged. ConfigError: days past the
            calendar's end.
        """
        first = list(self._chunks(again=self._wish.again))
        await self._ask_all(first)
        if first:
            # Bars the source did not have the first time, or that were lost on the way.
            await self._ask_all(list(self._chunks(again=False, only_traded=True)))
        for instrument in self._wish.instruments:
            gaps = self._gaps(instrument)
            if gaps:
                self._result.gaps[instrument] = gaps
        return self._result

    # --- what to ask for ---

    def _chunks(self, *, again: bool, only_traded: bool = False) -> Iterator[Chunk]:
        """Askings in a fixed order: by groups of instruments, then by time."""
        wish = self._wish
        for at in range(0, len(wish.instruments), self._batch):
            group = wish.instruments[at : at + self._batch]
            wanted = {name: self._wanted(name, again=again, only_traded=only_traded) for name in group}
            days = sorted({day for found in wanted.values() for day in found})
            step = DAYS_PER_CHUNK[True] if wish.interval_ns >= DAY_NS else self._step
            while days:
                span = [day for day in days[:step] if day - days[0] < timedelta(days=2 * step + 14)]
                days = days[len(span) :]
                within = {name: [day for day in wanted[name] if span[0] <= day <= span[-1]] for name in group}
                asked = {name: found for name, found in within.items() if found}
                reaches = [self._reach(name, day) for name in asked for day in (span[0], span[-1])]
                from_ns = min(reach[0] for reach in reaches)
                to_ns = min(max(reach[1] for reach in reaches), wish.now_ns)
                yield Chunk(asked, from_ns, to_ns)

    def _wanted(self, instrument: InstrumentId, *, again: bool, only_traded: bool) -> list[date]:
        """Days that are to be asked for; ``only_traded``: of those asked for, the ones that lack bars in part."""
        series = self._series(instrument)
        manifest = series.manifest
        wanted = []
        for day in self._days(instrument):
            if self._reach(instrument, day)[0] >= self._wish.now_ns:
                break
            need = self._need(instrument, day)
            have = manifest.bars_on(day)
            if only_traded:
                if need is not None and 0 < have < need and instrument not in self._result.failed:
                    wanted.append(day)
            elif again or self._is_open(manifest, day, need, have):
                wanted.append(day)
        return wanted

    @staticmethod
    def _is_open(manifest: Manifest, day: date, need: int | None, have: int) -> bool:
        if need is None:
            return not manifest.was_asked(day)
        return have < need

    def _days(self, instrument: InstrumentId) -> list[date]:
        calendar = self._calendars.get(instrument)
        wish = self._wish
        today = datetime_from_ns(wish.now_ns, self._tz(instrument)).date()
        last = min(wish.last, today)
        if calendar is not None:
            return calendar.trading_days(wish.first, last)
        return [wish.first + timedelta(days=n) for n in range((last - wish.first).days + 1)]

    def _need(self, instrument: InstrumentId, day: date) -> int | None:
        """How many bars a day should have by now; None where nobody knows."""
        calendar = self._calendars.get(instrument)
        ends = calendar.expected_ends(day, self._wish.interval_ns) if calendar is not None else None
        return None if ends is None else int((ends <= self._wish.now_ns).sum())

    def _reach(self, instrument: InstrumentId, day: date) -> tuple[int, int]:
        calendar = self._calendars.get(instrument)
        if calendar is not None:
            return calendar.reach(day)
        tz = self._tz(instrument)
        return _midnight_ns(day, tz), _midnight_ns(day + timedelta(days=1), tz)

    def _tz(self, instrument: InstrumentId) -> str:
        return zone_of(instrument) or "UTC"

    def _series(self, instrument: InstrumentId) -> Series:
        return self._catalog.series(instrument, self._wish.interval_ns)

    def _gaps(self, instrument: InstrumentId) -> dict[str, int]:
        gaps = {}
        for day in self._days(instrument):
            need = self._need(instrument, day)
            lack = 0 if need is None else need - self._series(instrument).manifest.bars_on(day)
            if lack > 0:
                gaps[day.isoformat()] = lack
        return gaps

    # --- asking ---

    async def _ask_all(self, chunks: list[Chunk]) -> None:
        self._total += sum(chunk.days for chunk in chunks)
        waiting = iter(chunks)
        self._tell()

        async def worker() -> None:
            for chunk in waiting:
                await self._ask(chunk)

        try:
            async with anyio.create_task_group() as group:
                for _ in range(min(self._in_flight, len(chunks))):
                    group.start_soon(worker)
        except BaseExceptionGroup as failed:
            raise _first(failed) from failed

    async def _ask(self, chunk: Chunk) -> None:
        try:
            bars, failed = await self._read(chunk)
        except GatewayError as error:
            self._row += 1
            if isinstance(error, NotSent) or self._row >= FAILURES_MAX:
                raise
            bars, failed = {}, dict.fromkeys(chunk.instruments, error.message)
        else:
            self._row = 0
        self._result.asked += 1
        self._result.failed.update((str(name), why) for name, why in failed.items())
        for instrument in chunk.instruments:
            if instrument not in failed:
                self._keep(chunk, instrument, bars.get(instrument, ()))
        self._done += chunk.days
        self._result.days += chunk.days
        self._tell()

    async def _read(self, chunk: Chunk) -> tuple[Mapping[InstrumentId, Sequence[Bar]], Mapping[InstrumentId, str]]:
        interval_ns = self._wish.interval_ns
        batch = getattr(self._source, "history_batch", None)
        if batch is not None:
            ask = cast(Callable[..., Awaitable[Any]], batch)
            answer = await ask(chunk.instruments, interval_ns, chunk.from_ns, chunk.to_ns)
            return answer.bars, answer.failed
        only = chunk.instruments[0]
        return {only: await self._source.history(only, interval_ns, chunk.from_ns, chunk.to_ns)}, {}

    def _keep(self, chunk: Chunk, instrument: InstrumentId, bars: Sequence[Bar]) -> None:
        wish = self._wish
        kept = [bar for bar in bars if chunk.from_ns < bar.ts_ns <= chunk.to_ns and bar.interval_ns == wish.interval_ns]
        tz = self._tz(instrument)
        today = datetime_from_ns(wish.now_ns, tz).date()
        # A day that is not over yet will be asked for again.
        asked = [(day, day) for day in chunk.wanted[instrument] if day < today]
        try:
            merged = self._catalog.merge(columns_of(instrument, wish.interval_ns, kept), asked)
        except DataError as error:
            self._result.failed[instrument] = str(error)
            return
        self._result.bars += len(kept)
        self._result.new += merged.new
        self._result.changed += merged.changed

    def _tell(self) -> None:
        self._progress(Progress(self._done, self._total, self._result.bars))


def _midnight_ns(day: date, tz: str) -> int:
    return ns_from_datetime(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
