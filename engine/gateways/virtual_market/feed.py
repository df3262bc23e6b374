"""Prices and bars of the game market: polled after each five-minute mark and slowly in between (contract 4, 5)."""

import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from engine.clock import Clock
from engine.domain.errors import BadMessage, ConfigError, GatewayError, Refused
from engine.domain.ids import InstrumentId, code_of
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, DataKind, FeedState, FeedStatus, Quote
from engine.domain.money import exact
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.gateways.virtual_market import messages as m
from engine.gateways.virtual_market.bars import BarLog
from engine.gateways.virtual_market.client import VirtualMarketClient
from engine.gateways.virtual_market.hours import Hours
from engine.net.backoff import Backoff
from engine.net.polling import LinkState, PollLoop, Schedule
from engine.net.rate_limit import Priority
from engine.ports import Publish

SETTLE_NS = 2 * SECOND_NS
"""A tick is looked for this long after its mark at the earliest."""
GIVE_UP_NS = MINUTE_NS
"""A mark whose bar has not come by then had no tick: a halt, or downtime."""
KLINE_WAIT_NS = 5 * SECOND_NS
KLINE_INSTRUMENTS_MAX = 6
"""Above this many instruments the bars of a mark are built from prices; the list is asked only to fill gaps."""
CLOSED_POLL_NS = 5 * MINUTE_NS

Note = Callable[[str, Mapping[str, Any]], None]


class Reading(Struct):
    """One poll: prices of everything, and the server's bars where they were asked for and came."""

    rows: list[m.StockRow]
    bars: dict[InstrumentId, list[Bar]]
    failed: set[InstrumentId]
    """Bars were wanted and could not be had: built from prices instead."""
    mark_ns: int


class VirtualMarketFeed:
    """``MarketFeed`` over the REST API. ``watched``: codes to allow; empty: all the server has."""

    def __init__(
        self,
        name: str,
        client: VirtualMarketClient,
        clock: Clock,
        draw: random.Random,
        hours: Hours,
        *,
        poll_ns: int,
        watched: frozenset[str] = frozenset(),
        backfill_bars: int = 0,
        note: Note = lambda _event, _fields: None,
    ) -> None:
        self._name = name
        self._client = client
        self._clock = clock
        self._draw = draw
        self._hours = hours
        self._poll_ns = poll_ns
        self._watched = watched
        self._note = note
        self._quotes: dict[InstrumentId, None] = {}
        self._bars: dict[InstrumentId, None] = {}
        self._log = BarLog(name, backfill_bars)
        self._kline_path = True
        self.stocks: dict[str, m.StockRow] = {}
        """The last list, by code."""

    @property
    def pace_ns(self) -> int:
        """While the market is open: asked once, before the open too, and what is old then must not seem fresh later."""
        return self._poll_ns

    def subscribe(self, instrument: InstrumentId, kind: DataKind, interval_ns: int) -> None:
        """Ask for quotes, or for bars of five minutes (``interval_ns`` 0 means those).

        Raises:
            ConfigError: another kind or interval, or an instrument the server does not list.
        """
        if self.stocks and code_of(instrument) not in self.stocks:
            raise ConfigError(f"{self._name}: no instrument {instrument}; it has {', '.join(self.listed())}")
        if not instrument.endswith(m.SUFFIX) or (self._watched and code_of(instrument) not in self._watched):
            raise ConfigError(f"{self._name}: {instrument} is not among its instruments (ids end in {m.SUFFIX})")
        if kind is DataKind.QUOTE:
            self._quotes[instrument] = None
        elif kind is DataKind.BAR and interval_ns in (0, m.BAR_NS):
            self._bars[instrument] = None
        elif kind is DataKind.BAR:
            raise ConfigError(f"{self._name}: bars come every 5m only; build longer ones from them")
        else:
            raise ConfigError(f"{self._name}: has bars and quotes, no {kind} data")

    def listed(self) -> list[str]:
        return [m.instrument_id(code) for code in self.stocks]

    async def load(self) -> list[Instrument]:
        """Read the list of stocks.

        Raises:
            GatewayError: it could not be read.
        """
        self._take(await self._client.stocks())
        return [
            m.instrument_from_wire(row)
            for code, row in self.stocks.items()
            if not self._watched or code in self._watched
        ]

    def price_of(self, instrument: str) -> Decimal | None:
        """The last polled price."""
        row = self.stocks.get(code_of(instrument))
        return exact(row.current_price) if row is not None and row.current_price > 0 else None

    def code_of_name(self, name: str) -> str | None:
        return next((code for code, row in self.stocks.items() if row.name == name), None)

    async def history(self, instrument: InstrumentId, count: int) -> list[Bar]:
        """The last ``count`` closed five-minute bars, oldest first, at most 9000; fewer if the stock is young.

        Raises:
            GatewayError: they could not be read.
        """
        bars = await self._server_bars(instrument, count, Priority.READ, None)
        return [bar for bar in bars if bar.ts_ns <= self._clock.now_ns][-count:]

    async def run(self, publish: Publish) -> None:
        def tell(state: LinkState, reason: str) -> None:
            now = self._clock.now_ns
            self._note("feed.state", {"feed": self._name, "state": state.value, "reason": reason})
            if state is not LinkState.STALE or self._hours.is_open(now):
                publish(FeedStatus(feed=self._name, state=FeedState(state.value), ts_ns=now, reason=reason))

        schedule = Schedule(self._draw, slow_ns=self._slow_ns, mark_ns=m.BAR_NS)
        loop = PollLoop(
            self._clock,
            Backoff(self._draw),
            schedule.next_ns,
            self._read,
            lambda reading, _began: self._publish(reading, publish),
            tell,
        )
        await loop.run()

    def _slow_ns(self, now_ns: int) -> int:
        return self._poll_ns if self._hours.is_open(now_ns) else max(self._poll_ns, CLOSED_POLL_NS)

    async def _read(self) -> Reading:
        rows = await self._client.stocks(Priority.BACKGROUND)
        now = self._clock.now_ns
        mark = self._hours.last_tick_ns(now - SETTLE_NS)
        reading = Reading(rows, {}, set(), mark)
        many = len(self._bars) > KLINE_INSTRUMENTS_MAX
        for instrument in self._bars:
            wanted = self._log.wanted(instrument, mark)
            fresh = self._log.last_ns(instrument) is None
            if not wanted or (not fresh and now > mark + GIVE_UP_NS and wanted <= 2):
                continue
            if many and wanted <= 2 and not (fresh and self._log.has_backfill):
                reading.failed.add(instrument)
                continue
            try:
                reading.bars[instrument] = await self._server_bars(
                    instrument, wanted, Priority.BACKGROUND, KLINE_WAIT_NS
                )
            except GatewayError as error:
                self._note("feed.bars_failed", {"feed": self._name, "instrument": instrument, "error": error.message})
                reading.failed.add(instrument)
        return reading

    async def _server_bars(
        self, instrument: InstrumentId, count: int, priority: Priority, wait_max_ns: int | None
    ) -> list[Bar]:
        code = code_of(instrument)
        if self._kline_path:
            padding = min(max(count, 2), 9000) - 288
            try:
                answer = await self._client.kline(code, "1d", padding, priority=priority, wait_max_ns=wait_max_ns)
            except Refused as refused:
                if refused.status != 404:
                    raise
                if _is_json(refused.body):
                    return []
                # The path itself is missing: an older server. Details are dear (contract 5), but all there is.
                self._kline_path = False
            else:
                return m.bars_from_wire(instrument, answer.kline_history, self._hours.timezone)
        details = await self._client.details(code, priority, wait_max_ns=wait_max_ns)
        return m.bars_from_wire(instrument, details.kline_data_24h, self._hours.timezone)

    def _publish(self, reading: Reading, publish: Publish) -> None:
        self._take(reading.rows)
        now = self._clock.now_ns
        prices = {row.stock_id: self._price(row) for row in reading.rows}
        for instrument in self._bars:
            price = prices.get(code_of(instrument))
            if instrument in reading.bars:
                found = self._log.from_server(instrument, reading.bars[instrument], now)
            elif instrument in reading.failed and price is not None and now <= reading.mark_ns + GIVE_UP_NS:
                found = self._log.from_price(instrument, reading.mark_ns, price)
            else:
                found = []
            if price is not None:
                self._log.price(instrument, price)
            for event in found:
                publish(event)
        for instrument in self._quotes:
            price = prices.get(code_of(instrument))
            if price is not None:
                publish(Quote(instrument, now, price, price))

    def _price(self, row: m.StockRow) -> float | None:
        try:
            return m.price_from_wire(row.current_price)
        except BadMessage as error:
            self._note("feed.bad_price", {"feed": self._name, "stock": row.stock_id, "error": error.message})
            return None

    def _take(self, rows: list[m.StockRow]) -> None:
        self.stocks = {row.stock_id: row for row in rows}


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
