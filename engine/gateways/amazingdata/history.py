"""Bars of many codes: fifty a call, a few calls at once; one bad code never costs the others theirs (contract 4, 5)."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import anyio
from msgspec import Struct

from engine.domain.errors import BadMessage, GatewayError, OutcomeUnknown, Refused
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.domain.timestamps import DAY_NS
from engine.gateways.amazingdata.bars import BarReader, Series
from engine.gateways.amazingdata.client import CODES_MAX, AmazingDataClient
from engine.gateways.amazingdata.messages import Klines
from engine.gateways.amazingdata.periods import NIGHT_VENUES, days_of_span, is_future, period_of, venue_of
from engine.net.rate_limit import Priority

SINGLE_MAX = 4
"""Up to this many codes go by GET; more by the batch endpoint, whose codes are in the body."""
DAYS_MAX = {True: 366 * 3, False: 7}
"""Calendar days in one call, for daily bars and for minutes: 50 codes x 5 trading days are 7 MB."""


class HistoryAnswer(Struct):
    """Bars by instrument, a key for each that was answered, be it without bars; ``failed``: why there is no answer."""

    bars: dict[InstrumentId, list[Bar]]
    failed: dict[InstrumentId, str]
    without_prices: dict[InstrumentId, int]
    """Rows left out because they had no prices."""

    def take(self, series: Mapping[InstrumentId, Series], asked: Sequence[InstrumentId]) -> None:
        for code in asked:
            found = series.get(code, Series([]))
            self.bars.setdefault(code, []).extend(found.bars)
            if found.without_prices:
                self.without_prices[code] = self.without_prices.get(code, 0) + found.without_prices


class History:
    """Reads bars; ``in_flight`` parts of an answer are asked for at once, within the client's own cap."""

    batch_codes = CODES_MAX
    batch_days = 5
    """Trading days of minute bars to ask for at once."""

    def __init__(self, client: AmazingDataClient, reader: BarReader, *, in_flight: int = 2) -> None:
        self._client = client
        self._reader = reader
        self._room = anyio.Semaphore(in_flight)

    async def history(
        self, instrument: InstrumentId, interval_ns: int, from_ns: int, to_ns: int, priority: Priority = Priority.READ
    ) -> Sequence[Bar]:
        """Bars of one instrument that end in ``(from_ns, to_ns]``, oldest first.

        Raises:
            GatewayError: they could not be read. ConfigError: no bars of that length.
        """
        answer = await self.history_batch([instrument], interval_ns, from_ns, to_ns, priority)
        if instrument in answer.failed:
            raise OutcomeUnknown(answer.failed[instrument])
        return answer.bars[instrument]

    async def history_batch(
        self,
        instruments: Sequence[InstrumentId],
        interval_ns: int,
        from_ns: int,
        to_ns: int,
        priority: Priority = Priority.READ,
    ) -> HistoryAnswer:
        """As ``history`` for many. Codes that the server can not answer are in ``failed``.

        Raises:
            GatewayError: the server can not be reached or does not let us in. ConfigError: no bars of that length.
        """
        period = period_of(interval_ns)
        first, last = days_of_span(from_ns, to_ns)
        answer = HistoryAnswer({}, {}, {})
        parts = [
            (codes, start, end)
            for codes in _batches(instruments)
            for start, end in _spans(first, last, daily=interval_ns >= DAY_NS)
        ]
        try:
            async with anyio.create_task_group() as group:
                for codes, start, end in parts:
                    group.start_soon(self._part, answer, codes, start, end, period, interval_ns, priority)
        except BaseExceptionGroup as failed:
            raise _first(failed) from failed
        for code, bars in answer.bars.items():
            kept = {bar.ts_ns: bar for bar in bars if from_ns < bar.ts_ns <= to_ns}
            answer.bars[code] = [kept[ts_ns] for ts_ns in sorted(kept)]
        for code in answer.failed:
            answer.bars.pop(code, None)
        return answer

    async def _part(
        self,
        answer: HistoryAnswer,
        codes: Sequence[InstrumentId],
        start: date,
        end: date,
        period: str,
        interval_ns: int,
        priority: Priority,
    ) -> None:
        try:
            async with self._room:
                rows = await self._rows(codes, start, end, period, priority)
            series = self._reader.read(rows, interval_ns)
        except (OutcomeUnknown, BadMessage, Refused) as error:
            if error.status in (401, 403):
                raise
            if len(codes) == 1:
                answer.failed[codes[0]] = error.message
                return
            if isinstance(error, OutcomeUnknown) and error.status != 500:
                # Not one code's fault: all of it was tried three times already.
                answer.failed.update(dict.fromkeys(codes, error.message))
                return
        else:
            answer.take(series, codes)
            return
        middle = len(codes) // 2
        for half in (codes[:middle], codes[middle:]):
            await self._part(answer, half, start, end, period, interval_ns, priority)

    async def _rows(
        self, codes: Sequence[InstrumentId], start: date, end: date, period: str, priority: Priority
    ) -> Klines:
        if is_future(codes[0]):
            return await self._client.future_kline(codes, start, end, period, priority)
        if len(codes) <= SINGLE_MAX:
            return await self._client.stock_kline(codes, start, end, period, priority)
        return await self._client.stock_kline_batch(codes, start, end, period, priority)


def _batches(instruments: Sequence[InstrumentId]) -> list[list[InstrumentId]]:
    """Calls of at most fifty codes, of one endpoint and one kind of day each."""
    groups: dict[tuple[bool, bool], list[InstrumentId]] = {}
    for instrument in dict.fromkeys(instruments):
        key = is_future(instrument), venue_of(instrument) in NIGHT_VENUES
        groups.setdefault(key, []).append(instrument)
    return [codes[at : at + CODES_MAX] for codes in groups.values() for at in range(0, len(codes), CODES_MAX)]


def _spans(first: date, last: date, *, daily: bool) -> list[tuple[date, date]]:
    step = timedelta(days=DAYS_MAX[daily])
    spans = []
    while first <= last:
        spans.append((first, min(first + step - timedelta(days=1), last)))
        first += step
    return spans


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What really happened; a network failure goes before the cancellations it caused."""
    for error in group.exceptions:
        found = _first(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, GatewayError):
            return found
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
