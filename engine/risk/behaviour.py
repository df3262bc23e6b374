"""Counters of what exchanges watch in programme trading (RELIABILITY 4.3): by account, over strategies and restarts."""

from collections import deque
from collections.abc import Callable, Hashable
from decimal import Decimal

from msgspec import Struct

from engine.domain.commands import SubmitOrder
from engine.domain.events import Fill, PressNoted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId
from engine.domain.market import Bar, Trade
from engine.domain.money import ZERO
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.risk.windows import DayCounter, RollingSum, SlidingWindow

OVER_MAX = 256
OVERLAP_NS = SECOND_NS
"""How far apart two fills of one trade can be told to us."""


class Messages:
    """Orders and cancels that left: of an account in the last second, and by market in the trading day."""

    def __init__(self, cap: int) -> None:
        """``cap``: up to how many in a second are told apart."""
        self._cap = cap
        self._seconds: dict[AccountId, SlidingWindow] = {}
        self._days: dict[Hashable, DayCounter] = {}

    def add(self, account: AccountId, market: str, ts_ns: int, day: int) -> None:
        self._seconds.setdefault(account, SlidingWindow(SECOND_NS, self._cap)).add(ts_ns)
        _count(self._days, (account, market), day)

    def counts(self, account: AccountId, market: str, now_ns: int, day: int) -> tuple[int, int]:
        """In the last second, and of the day."""
        second, days = self._seconds.get(account), self._days.get((account, market))
        return second.count(now_ns) if second is not None else 0, days.count(day) if days is not None else 0


class Presses:
    """How often an account was much of a minute in which the price moved: a trading day's."""

    def __init__(self, day: Callable[[InstrumentId, int], int | None]) -> None:
        self._day = day
        self._counts: dict[Hashable, DayCounter] = {}

    def on_press(self, event: PressNoted) -> None:
        _count(self._counts, event.account, self._day(event.instrument, event.ts_ns) or 0)

    def count(self, account: AccountId, day: int) -> int:
        found = self._counts.get(account)
        return found.count(day) if found is not None else 0


class QuickCancels:
    """Orders, their cancels, and the cancels that came within a span of the order: a trading day's."""

    def __init__(self, span_ns: int) -> None:
        self._span_ns = span_ns
        self._orders: dict[Hashable, DayCounter] = {}
        self._cancels: dict[Hashable, DayCounter] = {}
        self._quick: dict[Hashable, DayCounter] = {}

    def on_order(self, key: Hashable, day: int) -> None:
        _count(self._orders, key, day)

    def on_cancel(self, key: Hashable, day: int, age_ns: int) -> None:
        """``age_ns``: how long after the order's bytes left."""
        _count(self._cancels, key, day)
        if age_ns <= self._span_ns:
            _count(self._quick, key, day)

    def counts(self, key: Hashable, day: int) -> tuple[int, int, int]:
        """Orders, cancels, quick cancels."""
        found = (self._orders.get(key), self._cancels.get(key), self._quick.get(key))
        orders, cancels, quick = (counter.count(day) if counter is not None else 0 for counter in found)
        return orders, cancels, quick


def _count(counters: dict[Hashable, DayCounter], key: Hashable, day: int) -> None:
    counter = counters.get(key)
    if counter is None:
        counter = counters[key] = DayCounter()
    counter.add(day)


class MarketVolume:
    """What the whole market traded in the last minute, where a feed tells: prints, or else bars of a minute."""

    def __init__(self) -> None:
        self._prints: dict[InstrumentId, RollingSum] = {}
        self._since: dict[InstrumentId, int] = {}
        self._bars: dict[InstrumentId, tuple[int, float]] = {}

    def on_trade(self, trade: Trade) -> None:
        window = self._prints.get(trade.instrument)
        if window is None:
            window = self._prints[trade.instrument] = RollingSum(MINUTE_NS)
            self._since[trade.instrument] = trade.ts_ns
        if trade.size > 0:
            window.add(trade.ts_ns, Decimal(repr(float(trade.size))))

    def on_bar(self, bar: Bar) -> None:
        if bar.interval_ns == MINUTE_NS:
            self._bars[bar.instrument] = (bar.ts_ns, bar.volume)

    def last_minute(self, instrument: InstrumentId, now_ns: int) -> Decimal | None:
        """None where no feed tells, or it has not told a whole minute yet."""
        since = self._since.get(instrument)
        if since is not None and now_ns - since >= MINUTE_NS:
            return self._prints[instrument].total(now_ns)
        bar = self._bars.get(instrument)
        return None if bar is None or now_ns - bar[0] > 2 * MINUTE_NS else Decimal(repr(float(bar[1])))


class OwnVolume:
    """What we traded in the last minute: units by account and instrument, money also by side."""

    def __init__(self, multiplier: Callable[[InstrumentId], int]) -> None:
        self._multiplier = multiplier
        self._units: dict[tuple[AccountId, InstrumentId], RollingSum] = {}
        self._values: dict[tuple[AccountId, InstrumentId, bool], RollingSum] = {}

    def on_fill(self, fill: Fill) -> None:
        buys = fill.side.sign > 0
        units = self._units.setdefault((fill.account, fill.instrument), RollingSum(MINUTE_NS))
        units.add(fill.ts_ns, Decimal(fill.quantity))
        values = self._values.setdefault((fill.account, fill.instrument, buys), RollingSum(MINUTE_NS))
        values.add(fill.ts_ns, fill.price * fill.quantity * self._multiplier(fill.instrument))

    def units(self, account: AccountId, instrument: InstrumentId, now_ns: int) -> Decimal:
        found = self._units.get((account, instrument))
        return found.total(now_ns) if found is not None else ZERO

    def value(self, account: AccountId, instrument: InstrumentId, buys: bool, now_ns: int) -> Decimal:
        """In the instrument's currency."""
        found = self._values.get((account, instrument, buys))
        return found.total(now_ns) if found is not None else ZERO


class _Lately(Struct, gc=False):
    ts_ns: int
    client_id: ClientOrderId
    account: AccountId
    buys: bool
    price: Decimal
    began_ns: int


class OppositeTrades:
    """Trades our own accounts seem to have done with each other: a buy and a sale of one instrument at one price within
    a second, of orders that were open at the same time."""

    def __init__(self, day: Callable[[InstrumentId, int], int | None]) -> None:
        self._day = day
        self._began: dict[ClientOrderId, int] = {}
        self._over: deque[ClientOrderId] = deque()
        """Orders that are over: their last fill may be told after their end."""
        self._lately: dict[InstrumentId, deque[_Lately]] = {}
        self._counts: dict[AccountId, DayCounter] = {}

    def on_order(self, order: SubmitOrder, ts_ns: int) -> None:
        self._began[order.client_id] = ts_ns

    def opened(self, order: SubmitOrder, price: Decimal | None) -> None:
        """See ``Follower``; ``on_order`` knows when."""

    def closed(self, order: SubmitOrder, price: Decimal | None) -> None:
        """See ``Follower``."""
        self._over.append(order.client_id)
        if len(self._over) > OVER_MAX:
            self._began.pop(self._over.popleft(), None)

    def on_fill(self, fill: Fill) -> None:
        lately = self._lately.setdefault(fill.instrument, deque())
        while lately and lately[0].ts_ns < fill.ts_ns - OVERLAP_NS:
            lately.popleft()
        buys, began_ns = fill.side.sign > 0, self._began.get(fill.client_id, fill.ts_ns)
        for other in lately:
            if other.buys is not buys and other.price == fill.price and began_ns <= other.ts_ns:
                day = self._day(fill.instrument, fill.ts_ns) or 0
                for account in dict.fromkeys((fill.account, other.account)):
                    self._counts.setdefault(account, DayCounter()).add(day)
        lately.append(_Lately(fill.ts_ns, fill.client_id, fill.account, buys, fill.price, began_ns))

    def count(self, account: AccountId, day: int) -> int:
        found = self._counts.get(account)
        return found.count(day) if found is not None else 0
