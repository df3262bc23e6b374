"""Market data. Prices and volumes are floats, as indicators want them; times are nanoseconds UTC."""

import enum

from msgspec import Struct

from engine.domain.ids import InstrumentId


class DataKind(enum.StrEnum):
    BAR = "bar"
    QUOTE = "quote"
    TRADE = "trade"
    BOOK = "book"


class Bar(Struct, frozen=True, gc=False):
    """Prices over ``(ts_ns - interval_ns, ts_ns]``; labelled by its end and known at its end.

    The venue's own shape is checked where the bar enters (importers, feeds), not here: this is the hot path.
    """

    instrument: InstrumentId
    ts_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    interval_ns: int = 60_000_000_000

    @property
    def start_ns(self) -> int:
        return self.ts_ns - self.interval_ns


class Quote(Struct, frozen=True, gc=False):
    """Best bid and ask. A venue that knows one price only (the game market) quotes it on both sides, size 0."""

    instrument: InstrumentId
    ts_ns: int
    bid: float
    ask: float
    bid_size: float = 0.0
    ask_size: float = 0.0

    @property
    def mid(self) -> float:
        return (self.bid + self.ask) * 0.5


class Trade(Struct, frozen=True, gc=False):
    """A print on the market; never one of our fills."""

    instrument: InstrumentId
    ts_ns: int
    price: float
    size: float = 0.0


class BookLevel(Struct, frozen=True, gc=False):
    price: float
    size: float


class OrderBook(Struct, frozen=True):
    """The market's book as last seen, best level first."""

    instrument: InstrumentId
    ts_ns: int
    bids: tuple[BookLevel, ...] = ()
    asks: tuple[BookLevel, ...] = ()


class FeedState(enum.StrEnum):
    CONNECTED = "connected"
    STALE = "stale"
    DISCONNECTED = "disconnected"


class FeedStatus(Struct, frozen=True, kw_only=True):
    """What a feed says of itself: strategies hear it in ``on_feed``."""

    feed: str
    state: FeedState
    ts_ns: int
    reason: str = ""


class BarRevision(Struct, frozen=True, kw_only=True):
    """A bar that was already published has changed at its source; reported, never silently replaced."""

    feed: str
    old: Bar
    new: Bar


MarketData = Bar | Quote | Trade | OrderBook
