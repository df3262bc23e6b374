"""Market data of the gateway: what is wanted, and pushes as the engine's events (contracts/futu.md 8 to 10)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import anyio

from engine.clock import Clock
from engine.domain.errors import ConfigError, GatewayError, NotSent, Refused
from engine.domain.ids import InstrumentId, code_of
from engine.domain.market import Bar, DataKind, FeedState, FeedStatus, OrderBook, Quote, Trade
from engine.domain.timestamps import DAY_NS, SECOND_NS
from engine.gateways.futu import codes
from engine.gateways.futu import quote_messages as q
from engine.gateways.futu import routes as r
from engine.gateways.futu.bars import BarLog, bar_from_push, bars_from_rows
from engine.gateways.futu.client import PAGE_BARS, FutuClient
from engine.gateways.futu.hours import MarketHours, local_text
from engine.gateways.futu.push import BrokerQueue, FormingBar, MinuteLine, Price, Print, Pushed
from engine.net.polling import LinkState
from engine.ports import Publish

LIST_MAX = 100
"""Securities in one request (contract 2.1)."""
CATCH_UP_BARS = 30
EXTRAS = {"rt": codes.SUB_RT, "broker": codes.SUB_BROKER}

Note = Callable[[str, Mapping[str, Any]], None]


def security_to_wire(instrument: InstrumentId) -> q.Security:
    return q.Security(codes.place_of(instrument).quote_market, code_of(instrument))


class FutuFeed:
    """``MarketFeed``. The socket itself is the gateway's, because trades come over it too.

    Args:
        watched: ids that may be asked for; empty: any.
        rehab_type: 0 unadjusted, 1 forward, 2 backward.
        extras: ``rt`` and ``broker``: kept as their last state, for those who ask.
        poll_bars: never subscribe bars, poll them.
    """

    def __init__(
        self,
        name: str,
        client: FutuClient,
        clock: Clock,
        hours: MarketHours,
        *,
        watched: frozenset[str] = frozenset(),
        rehab_type: int = 0,
        extended: bool = False,
        extras: Iterable[str] = (),
        poll_bars: bool = False,
        poll_ns: int = 0,
        note: Note = lambda _event, _fields: None,
    ) -> None:
        self.brokers: dict[InstrumentId, BrokerQueue] = {}
        self.minute_lines: dict[InstrumentId, MinuteLine] = {}
        self.prices: dict[InstrumentId, float] = {}
        """The last price of everything heard of, subscribed by us or by others."""
        self.log = BarLog(name)
        self.polled: set[tuple[InstrumentId, int]] = set()
        """Bars that come by polling, because a subscription is not to be had."""
        self._name = name
        self._client = client
        self._clock = clock
        self._hours = hours
        self._watched = watched
        self._rehab = rehab_type
        self._extended = extended
        self._extras = frozenset(EXTRAS[extra] for extra in extras)
        self._poll_bars = poll_bars
        self._poll_ns = poll_ns
        self._note = note
        self._wants: dict[InstrumentId, set[int]] = {}
        self._bars: dict[tuple[InstrumentId, int], None] = {}
        self._kinds: dict[DataKind, set[InstrumentId]] = {kind: set() for kind in DataKind}
        self._subscribed: set[tuple[InstrumentId, int]] = set()
        self._sequences: dict[InstrumentId, int] = {}
        self._booked: set[InstrumentId] = set()
        self._changed = anyio.Event()
        self._publish: Publish | None = None
        self.runner: Callable[[Publish], Any] | None = None
        """What ``run`` runs: the gateway sets it, as it owns the socket."""

    @property
    def pace_ns(self) -> int:
        return self._poll_ns if self._poll_bars else 0

    def subscribe(self, instrument: InstrumentId, kind: DataKind, interval_ns: int) -> None:
        """See ``MarketFeed.subscribe``.

        Raises:
            ConfigError: no such instrument or bar length.
        """
        codes.place_of(instrument)
        if self._watched and instrument not in self._watched:
            raise ConfigError(f"{self._name}: {instrument} is not among its instruments")
        wants = self._wants.setdefault(instrument, set(self._extras))
        if kind is DataKind.BAR:
            interval = codes.interval_to_wire(interval_ns)
            self._bars[instrument, interval_ns] = None
            if self._poll_bars:
                self.polled.add((instrument, interval_ns))
            else:
                wants.add(interval.sub_type)
        elif kind is DataKind.TRADE:
            wants.add(codes.SUB_TICKER)
        else:
            wants.add(codes.SUB_BOOK)
            if kind is DataKind.QUOTE:
                wants.add(codes.SUB_BASIC)
        self._kinds[kind].add(instrument)
        self._changed.set()

    async def run(self, publish: Publish) -> None:
        if self.runner is None:
            raise ConfigError(f"{self._name}: its gateway runs it")
        await self.runner(publish)

    def listen(self, publish: Publish) -> None:
        """Where events go from now on."""
        self._publish = publish

    def expects_data(self, now_ns: int) -> bool:
        """Whether any subscribed market is open: silence then is a failure."""
        suffixes = {instrument.rpartition(".")[2] for instrument, wants in self._wants.items() if wants}
        return any(self._hours.is_open(suffix, now_ns) for suffix in suffixes)

    # --- subscriptions -----------------------------------------------------------------------------------------------

    async def follow_wants(self) -> None:
        """Subscribe what is asked for while the socket is open, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed = anyio.Event()
            try:
                await self.subscribe_missing()
            except GatewayError as error:
                self._note("feed.subscribe_failed", {"feed": self._name, "error": error.message})
                await self._clock.sleep(SECOND_NS)
                self._changed.set()

    async def resubscribe(self) -> None:
        """Everything again: the gateway may have forgotten it (contract 10.1).

        Raises:
            GatewayError: it could not be asked.
        """
        self._subscribed.clear()
        self._booked.clear()
        await self.subscribe_missing()

    async def subscribe_missing(self) -> None:
        """Subscribe and register what is wanted and not yet subscribed.

        Raises:
            NotSent, OutcomeUnknown: it could not be asked; what is refused is noted and, for bars, polled instead.
        """
        groups: dict[tuple[int, ...], list[InstrumentId]] = {}
        for instrument, wants in self._wants.items():
            missing = tuple(sorted(kind for kind in wants if (instrument, kind) not in self._subscribed))
            if missing:
                groups.setdefault(missing, []).append(instrument)
        for kinds, instruments in groups.items():
            for first in range(0, len(instruments), LIST_MAX):
                await self._subscribe(instruments[first : first + LIST_MAX], kinds)

    async def _subscribe(self, instruments: list[InstrumentId], kinds: tuple[int, ...]) -> None:
        question = q.SubscribeAsk(
            security_list=[security_to_wire(instrument) for instrument in instruments],
            sub_type_list=list(kinds),
            is_sub_or_un_sub=True,
            is_reg_or_un_reg_push=True,
            reg_push_rehab_type_list=[self._rehab] if any(kind > codes.SUB_RT for kind in kinds) else None,
            is_first_push=True,
            extended_time=True if self._extended else None,
            session=3 if self._extended else None,
        )
        try:
            await self._client.ask(r.SUBSCRIBE, question)
        except Refused as refused:
            # All or nothing: one bad code refuses the whole batch, so the others are asked for by themselves.
            if len(instruments) > 1:
                for instrument in instruments:
                    await self._subscribe([instrument], kinds)
            elif len(kinds) > 1:
                for kind in kinds:
                    await self._subscribe(instruments, (kind,))
            else:
                self._refused(instruments[0], kinds[0], refused)
        else:
            self._subscribed.update((instrument, kind) for instrument in instruments for kind in kinds)

    def _refused(self, instrument: InstrumentId, kind: int, refused: Refused) -> None:
        self._note("feed.refused", {"feed": self._name, "instrument": instrument, "error": refused.message})
        self._wants[instrument].discard(kind)
        interval = next((span for span, both in codes.INTERVALS.items() if both.sub_type == kind), None)
        if interval is not None and (instrument, interval) in self._bars:
            self.polled.add((instrument, interval))
            return
        reason = f"{instrument}: no subscription {kind}: {refused.message}"
        self._send([FeedStatus(feed=self._name, state=FeedState.STALE, ts_ns=self._clock.now_ns, reason=reason)])

    async def catch_up(self) -> None:
        """After a gap: the bars that closed meanwhile.

        Raises:
            GatewayError: they could not be read.
        """
        for instrument, interval_ns in list(self._bars):
            key = (instrument, interval_ns)
            last = self.log.last_ns(key)
            if key in self.polled or last is None:
                continue
            missed = (self._clock.now_ns - last) // interval_ns + 2
            interval = codes.interval_to_wire(interval_ns)
            question = q.KlineAsk(
                rehab_type=self._rehab,
                kl_type=interval.kl_type,
                security=security_to_wire(instrument),
                req_num=int(min(max(missed, 2), CATCH_UP_BARS if interval_ns < DAY_NS else 5)),
            )
            try:
                answer = await self._client.ask(r.KLINE, question)
            except Refused as refused:
                # Subscribed but not ready yet: the pushes will bring it (contract 4.1).
                self._note("feed.catch_up_refused", {"feed": self._name, "error": refused.message})
                continue
            bars = bars_from_rows(instrument, interval_ns, answer.kl_list or [])
            self._send(self.log.closed(key, bars, self._clock.now_ns))

    # --- pushes ------------------------------------------------------------------------------------------------------

    def take(self, pushed: Pushed) -> None:
        """One market-data push as events; what nobody here asked for only moves the last price.

        Raises:
            BadMessage: a label that can not be read.
        """
        match pushed:
            case OrderBook():
                self._on_book(pushed)
            case Print():
                self._on_print(pushed)
            case FormingBar():
                key = (pushed.instrument, pushed.interval_ns)
                if key in self._bars and pushed.rehab_type == self._rehab and key not in self.polled:
                    self._send(self.log.forming(bar_from_push(pushed), self._clock.now_ns))
            case Price():
                self._on_price(pushed)
            case BrokerQueue():
                self.brokers[pushed.instrument] = pushed
            case MinuteLine():
                self.minute_lines[pushed.instrument] = pushed

    def _on_book(self, book: OrderBook) -> None:
        instrument = book.instrument
        if not book.ts_ns:
            book = OrderBook(instrument, self._clock.now_ns, book.bids, book.asks)
        if instrument in self._kinds[DataKind.BOOK]:
            self._send([book])
        if book.bids and book.asks:
            bid, ask = book.bids[0], book.asks[0]
            if instrument in self._kinds[DataKind.QUOTE]:
                self._booked.add(instrument)
                self._send([Quote(instrument, book.ts_ns, bid.price, ask.price, bid.size, ask.size)])

    def _on_price(self, price: Price) -> None:
        self.prices[price.instrument] = price.last
        # It has no bid and ask; once the book speaks, the book is the quote.
        if price.instrument in self._kinds[DataKind.QUOTE] and price.instrument not in self._booked:
            self._send([Quote(price.instrument, self._instant(price.ts_s), price.last, price.last)])

    def _on_print(self, row: Print) -> None:
        if not row.live or row.sequence <= self._sequences.get(row.instrument, -1):
            return
        self._sequences[row.instrument] = row.sequence
        self.prices[row.instrument] = row.price
        if row.instrument in self._kinds[DataKind.TRADE]:
            self._send([Trade(row.instrument, self._instant(row.ts_s), row.price, row.size)])

    def _instant(self, seconds: float) -> int:
        return round(seconds * 1_000_000) * 1000 if 1e8 < seconds < 1e11 else self._clock.now_ns

    async def close_bars(self) -> None:
        """Publish bars when their end is past and no next one has come, until cancelled."""
        while True:
            due = self.log.next_due_ns()
            now = self._clock.now_ns
            await self._clock.sleep(min(max((due or now + SECOND_NS) - now, SECOND_NS // 20), SECOND_NS))
            self._send(self.log.close_due(self._clock.now_ns))

    def tell(self, state: LinkState, reason: str) -> None:
        """The connection's state, for strategies."""
        now = self._clock.now_ns
        self._send([FeedStatus(feed=self._name, state=FeedState(state.value), ts_ns=now, reason=reason)])

    def _send(self, events: Iterable[Any]) -> None:
        if self._publish is not None:
            for event in events:
                self._publish(event)

    # --- history and polling -----------------------------------------------------------------------------------------

    async def history(self, instrument: InstrumentId, interval_ns: int, from_ns: int, to_ns: int) -> list[Bar]:
        """Closed bars that end within ``from_ns`` to ``to_ns``, both included, oldest first.

        Raises:
            ConfigError: no such instrument or bar length. GatewayError: a page could not be read.
        """
        place = codes.place_of(instrument)
        begin, end = from_ns, to_ns
        if interval_ns >= DAY_NS:
            # Stamped with midnight, ended by us with the close.
            begin -= DAY_NS
        question = q.HistoryKlineAsk(
            rehab_type=self._rehab,
            kl_type=codes.interval_to_wire(interval_ns).kl_type,
            security=security_to_wire(instrument),
            begin_time=local_text(begin, place),
            end_time=local_text(end, place),
            max_count=PAGE_BARS,
        )
        bars = bars_from_rows(instrument, interval_ns, await self._client.history(question))
        now = self._clock.now_ns
        return [bar for bar in bars if from_ns <= bar.ts_ns <= to_ns and bar.ts_ns <= now]

    async def read_polled(self) -> list[tuple[tuple[InstrumentId, int], list[Bar]]]:
        """The latest bars of everything that is polled.

        Raises:
            NotSent: nothing could be asked; what fails by itself is noted.
        """
        found = []
        for key in sorted(self.polled):
            instrument, interval_ns = key
            now = self._clock.now_ns
            last = self.log.last_ns(key)
            since = now - 5 * interval_ns - DAY_NS if last is None else last - interval_ns
            try:
                found.append((key, await self.history(instrument, interval_ns, since, now)))
            except NotSent:
                raise
            except GatewayError as error:
                self._note("feed.poll_failed", {"feed": self._name, "instrument": instrument, "error": error.message})
        return found

    def take_polled(self, read: list[tuple[tuple[InstrumentId, int], list[Bar]]], _began_ns: int) -> None:
        for key, bars in read:
            self._send(self.log.closed(key, bars, self._clock.now_ns))
