"""The exchange's side of a counter: orders arrive, meet the market, are withdrawn or refused.

Nothing here waits. What is to happen later lies in a queue by time and is worked off in between the steps of the
exchange, so that what happens depends on seed and times, never on who asked when.
"""

import heapq
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import MINUTE_NS
from engine.markets.china_a import ChinaA
from engine.markets.china_boards import BOARDS, ORDERS, Phase, shanghai
from engine.simulators.chronicle import mixed
from engine.simulators.counter_books import Books, Entrust, EntrustStatus, Share
from engine.simulators.counter_matching import Fills, View, arrival_fills, auction_fill, bar_fill, resting_price
from engine.simulators.exchange import Exchange

NOT_CONTINUOUS = "当前时段不支持市价委托"
OUTSIDE_CAGE = "委托价格不在有效申报价格范围内"
BY_EXCHANGE = "交易所拒绝"
TOO_LATE = "申报时间已过"
REST_WITHDRAWN = "剩余撤销"
AT_THE_END = "收市自动撤单"
NEAR = 1e-9
"""Prices of bars and limits are floats of the same decimals."""

Listener = Callable[[str, float, int], None]
"""Told of each step of a price: exchange code, last price, time."""

Act = Literal["arrive", "end", "cancel"]
"""An order comes to the exchange, its day is over, the wish to withdraw it comes there."""
Due = tuple[int, int, Act, Entrust]
"""What is to happen: when, in which turn among equal times, and to which order."""


class CounterPace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the broker behaves: times in milliseconds of the clock, chances between 0 and 1."""

    submit_ms: int = 150
    """From entry to the exchange."""
    cancel_ms: int = 300
    partial: float = 0.3
    """Chance of one match to fill only a part."""
    reject: float = 0.0
    """Chance of an order to be refused by the exchange after it was accepted."""

    def __post_init__(self) -> None:
        if not (0 <= self.partial <= 1 and 0 <= self.reject <= 1):
            raise ValueError("partial and reject are chances, between 0 and 1")
        if self.submit_ms < 0 or self.cancel_ms < 0:
            raise ValueError("submit_ms and cancel_ms are 0 or more")


class Floor:
    """All orders of one counter at the exchange."""

    def __init__(
        self,
        exchange: Exchange,
        books: Books,
        shares: Iterable[Share],
        rules: ChinaA,
        pace: CounterPace,
        seed: int,
        now_ns: int,
    ) -> None:
        self.listeners: list[Listener] = []
        self.stepping = False
        """Listeners are being told of a step."""
        self.busy = False
        """In the midst of a step, or of something due: books and times do not fit each other now."""
        self.draws = 0
        self.deal = 10_000_000 + mixed(seed, 12) % 10_000_000
        """Number of the last fill."""
        self.due: list[Due] = []
        """A heap."""
        self.turn = 0
        self._books = books
        self._shares = tuple(shares)
        self._rules = rules
        self._pace = pace
        self._seed = seed
        self._bands: dict[str, tuple[int, tuple[float, float] | None]] = {}
        self.stand_in(exchange)
        session = shanghai().on(now_ns)
        today = rules.trading_day(now_ns) if session is not None and now_ns > session.open_ns else 0
        self.stepped = dict.fromkeys(self.views, today)
        """Code -> the day of its last step: before a day's first one its price is not known."""
        self.heard = {code: self._heard(code, now_ns) for code in self.views}
        """Code -> the time of its last step, or from when on they are heard."""

    def stand_in(self, exchange: Exchange) -> None:
        """Go on at a market, at the prices it shows."""
        self.exchange = exchange
        self.views = {share.code: self._look(share.code) for share in self._shares}
        exchange.listen(self._hear)

    def _heard(self, code: str, now_ns: int) -> int:
        stock = self.exchange.stock(code)
        if stock is None or stock.board is None or stock.chronicle is None:
            return now_ns
        return max(now_ns // stock.board.interval_ns * stock.board.interval_ns, stock.chronicle.origin_ns)

    # Time

    def work(self, now_ns: int) -> None:
        """Work off what is due up to and including ``now_ns``."""
        while self.due and self.due[0][0] <= now_ns:
            ts_ns, _, act, entrust = heapq.heappop(self.due)
            busy, self.busy = self.busy, True
            try:
                self._do(act, entrust, ts_ns)
            finally:
                self.busy = busy

    def _do(self, act: Act, entrust: Entrust, now_ns: int) -> None:
        match act:
            case "arrive":
                self._arrive(entrust, now_ns)
            case "end":
                self._withdraw(entrust, now_ns, AT_THE_END)
            case "cancel":
                self._cancel(entrust, now_ns)

    def next_due_ns(self) -> int | None:
        return self.due[0][0] if self.due else None

    def _at(self, ts_ns: int, act: Act, entrust: Entrust) -> None:
        self.turn += 1
        heapq.heappush(self.due, (ts_ns, self.turn, act, entrust))

    def _hear(self, event: Bar | Quote | Trade) -> None:
        if isinstance(event, Trade):
            return
        code = self.exchange.code_of(event.instrument)
        if code not in self.views:
            return
        busy, self.busy = self.busy, True
        try:
            self.work(event.ts_ns)
            self.views[code] = self._look(code)
            if isinstance(event, Bar):
                self._step(code, event)
                self.heard[code] = event.ts_ns
                self._tell(code, event)
        finally:
            self.busy = busy

    def _tell(self, code: str, bar: Bar) -> None:
        self.stepping = True
        try:
            for listener in tuple(self.listeners):
                listener(code, bar.close, bar.ts_ns)
        finally:
            self.stepping = False

    def _look(self, code: str) -> View:
        quote, stock = self.exchange.quote(code, 0), self.exchange.stock(code)
        assert stock is not None
        return View(quote.bid, quote.ask, stock.price)

    # From the counter

    def take(self, entrust: Entrust, now_ns: int) -> None:
        """Send an order on its way."""
        ready_ns = now_ns + self._pace.submit_ms * 1_000_000
        self._at(self._rules.takes_from_ns(ready_ns) or ready_ns, "arrive", entrust)
        session = shanghai().day(entrust.day)
        assert session is not None
        # The closing price still fills; the order ends a minute after it.
        self._at(session.close_ns + MINUTE_NS, "end", entrust)

    def ask_back(self, entrust: Entrust, now_ns: int) -> None:
        """Send the wish to withdraw an order on its way."""
        self._set(entrust, EntrustStatus.CANCEL_ASKED, now_ns)
        self._at(now_ns + self._pace.cancel_ms * 1_000_000, "cancel", entrust)

    def reject(self, entrust: Entrust, reason: str, now_ns: int) -> None:
        """Refuse an order that was accepted; one with fills, or that has ended, stays."""
        if not entrust.is_final and not entrust.filled:
            entrust.reason = reason
            self._set(entrust, EntrustStatus.REJECTED, now_ns)

    # At the exchange

    def _arrive(self, entrust: Entrust, now_ns: int) -> None:
        if entrust.is_final:
            return
        phase = self._rules.phase(now_ns)
        refused = mixed(self._seed, 14, entrust.number) % 10_000 < self._pace.reject * 10_000
        if phase not in ORDERS:
            self.reject(entrust, TOO_LATE, now_ns)
        elif refused:
            self.reject(entrust, BY_EXCHANGE, now_ns)
        elif entrust.market and phase is not Phase.CONTINUOUS:
            self.reject(entrust, NOT_CONTINUOUS, now_ns)
        else:
            self._books.changed = True
            entrust.arrived_ns = now_ns
            # What comes in an auction meets its price as a resting order does: the open of the day's first bar.
            entrust.met = phase is not Phase.CONTINUOUS
            if entrust.status is EntrustStatus.PENDING:
                self._set(entrust, EntrustStatus.OPEN, now_ns)
            if phase is Phase.CONTINUOUS and self.stepped[entrust.code] == entrust.day:
                self._meet_book(entrust, now_ns)

    def _meet_book(self, entrust: Entrust, now_ns: int) -> None:
        """An order meets what stands in the book, as it comes to it in continuous trading."""
        self._books.changed = True
        entrust.met = True
        view = self.views[entrust.code]
        if not entrust.market:
            base = view.ask if entrust.buys else view.bid
            cage = self._rules.price_cage(entrust.side, entrust.share.instrument, base)
            if cage is not None and (entrust.limit > cage if entrust.buys else entrust.limit < cage):
                self.reject(entrust, OUTSIDE_CAGE, now_ns)
                return
        if self._at_limit(entrust, view.last, now_ns):
            # Nobody is on the other side; a market order finds nothing.
            fills: Fills = []
        else:
            fills = arrival_fills(entrust, view, lambda leaves: self._part(entrust, leaves))
        for quantity, price in fills:
            self._fill(entrust, quantity, price, now_ns)
        if entrust.market and entrust.leaves:
            rest = resting_price(entrust, view, fills)
            if rest is None:
                self._withdraw(entrust, now_ns, REST_WITHDRAWN)
            else:
                entrust.limit = min(rest, entrust.limit) if entrust.buys else max(rest, entrust.limit)

    def _step(self, code: str, bar: Bar) -> None:
        before = self._rules.phase(bar.ts_ns - 1)
        closing = before is Phase.CLOSING_AUCTION and self._rules.phase(bar.ts_ns) is Phase.CLOSED
        if before is not Phase.CONTINUOUS and not closing:
            return
        self.stepped[code] = self._rules.trading_day(bar.ts_ns - 1)
        for entrust in [e for e in self._books.live if e.code == code and e.arrived_ns is not None]:
            if closing and not self._at_limit(entrust, bar.close, bar.ts_ns):
                self._fill_at(entrust, auction_fill(entrust, bar.close), bar.ts_ns)
            elif closing or (entrust.met and self._locked(entrust, bar)):
                continue
            elif entrust.met:
                self._fill_at(entrust, bar_fill(entrust, bar), bar.ts_ns)
            else:
                # It came in continuous trading before the day had a price.
                self._meet_book(entrust, bar.ts_ns)

    def _locked(self, entrust: Entrust, bar: Bar) -> bool:
        """Whether every deal of a bar was at the limit an order would have to trade at: its queue does not end."""
        return self._at_limit(entrust, bar.low if entrust.buys else bar.high, bar.ts_ns)

    def _at_limit(self, entrust: Entrust, price: float, now_ns: int) -> bool:
        band = self._band(entrust, now_ns)
        if band is None:
            return False
        return price >= band[1] - NEAR if entrust.buys else price <= band[0] + NEAR

    def _band(self, entrust: Entrust, now_ns: int) -> tuple[float, float] | None:
        """The day's limits; looked up once a day and share: the close before is made up from a whole past."""
        day, band = self._bands.get(entrust.code, (0, None))
        if day != entrust.day:
            stock = self.exchange.stock(entrust.code)
            chronicle = None if stock is None else stock.chronicle
            close = None if chronicle is None else chronicle.close_before(date.fromordinal(entrust.day))
            band = self._rules.price_band(entrust.share.instrument, close, now_ns)
            self._bands[entrust.code] = (entrust.day, band)
        return band

    def _fill_at(self, entrust: Entrust, price: Decimal | None, now_ns: int) -> None:
        if price is not None:
            self._fill(entrust, self._part(entrust, entrust.leaves), price, now_ns)

    def _fill(self, entrust: Entrust, quantity: int, price: Decimal, now_ns: int) -> None:
        self.deal += 1 + mixed(self._seed, 15, self.deal) % 23
        price = price.quantize(entrust.share.tick)
        self._books.fill(entrust, quantity, price, number=self.deal, ts_ns=now_ns, day=entrust.day)
        self.exchange.print_trade(entrust.code, float(price), quantity, now_ns)
        if entrust.filled == entrust.quantity:
            self._set(entrust, EntrustStatus.FILLED, now_ns)
        elif entrust.status is not EntrustStatus.CANCEL_ASKED:
            self._set(entrust, EntrustStatus.PART, now_ns)
        else:
            entrust.updated_ns = now_ns

    def _part(self, entrust: Entrust, leaves: int) -> int:
        """Units that stand against an order at one price: all of it, or some lots."""
        self.draws += 1
        bits = mixed(self._seed, 2, entrust.number, self.draws)
        lot = max(BOARDS[entrust.share.board].step, 100 if entrust.share.kind != "bond" else 10)
        lots = leaves // lot
        if lots < 2 or (bits & 0xFFFF) >= self._pace.partial * 0x10000:
            return leaves
        return lot * (1 + (bits >> 16 & 0xFFFF) % (lots - 1))

    # Ends

    def _cancel(self, entrust: Entrust, now_ns: int) -> None:
        if entrust.is_final:
            return
        phase = self._rules.phase(now_ns)
        if entrust.arrived_ns is None or self._rules.may_cancel(now_ns):
            self._withdraw(entrust, now_ns, "")
        elif phase in {Phase.OPENING_FIXED, Phase.CLOSING_AUCTION}:
            # The wish came too late: the exchange does not take it, and the order works on.
            self._set(entrust, EntrustStatus.PART if entrust.filled else EntrustStatus.OPEN, now_ns)
        elif (later_ns := self._rules.cancels_from_ns(now_ns)) is not None:
            self._at(later_ns, "cancel", entrust)

    def _withdraw(self, entrust: Entrust, now_ns: int, reason: str) -> None:
        if entrust.is_final:
            return
        entrust.reason = reason
        entrust.withdrawn = entrust.leaves
        self._set(entrust, EntrustStatus.PART_WITHDRAWN if entrust.filled else EntrustStatus.WITHDRAWN, now_ns)

    def _set(self, entrust: Entrust, status: EntrustStatus, now_ns: int) -> None:
        self._books.changed = True
        entrust.status = status
        entrust.updated_ns = max(entrust.updated_ns, now_ns)
        if entrust.is_final:
            self._books.close(entrust)
