"""Bars of one interval built from trades, quotes or smaller bars; only closed bars come out."""

from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, Quote, Trade

Closed = tuple[Bar, ...]


class BarBuilder:
    """Builds the bars of one instrument.

    A bar holds ``(end - interval, end]``, as ``Bar`` says, so a trade stamped with the very end is the old bar's. A bar
    closes when a later event proves that it is over, when a smaller bar reaches its end, or when ``advance`` says so.
    Spans without an event make no bar. What comes for a bar already closed is counted in ``late`` and left out.

    Args:
        interval_ns: length of a bar; a smaller bar's must divide it.
        offset_ns: bar ends are at ``offset_ns`` plus whole intervals since 1970 UTC (Shanghai days: -8 hours).

    Raises:
        ConfigError: an interval that is not above 0.
    """

    def __init__(self, instrument: InstrumentId, interval_ns: int, offset_ns: int = 0) -> None:
        if interval_ns <= 0:
            raise ConfigError(
                f"bars of {instrument}: the interval {interval_ns} ns is not above 0; write for example 5m"
            )
        self.instrument = instrument
        self.interval_ns = interval_ns
        self.offset_ns = offset_ns
        self.late = 0
        self._end_ns: int | None = None
        self._closed_ns: int | None = None
        self._open = self._high = self._low = self._close = self._volume = 0.0

    def end_of(self, ts_ns: int) -> int:
        """End of the bar that an instant belongs to."""
        return self.offset_ns - (self.offset_ns - ts_ns) // self.interval_ns * self.interval_ns

    def on_trade(self, trade: Trade) -> Closed:
        price = trade.price
        return self._add(trade.ts_ns, price, price, price, price, trade.size)

    def on_quote(self, quote: Quote) -> Closed:
        """The middle of bid and ask is the price; quotes have no volume."""
        mid = quote.mid
        return self._add(quote.ts_ns, mid, mid, mid, mid, 0.0)

    def on_bar(self, bar: Bar) -> Closed:
        """A smaller bar, whole.

        Raises:
            ConfigError: its interval does not divide ours.
        """
        if self.interval_ns % bar.interval_ns:
            raise ConfigError(
                f"bars of {self.instrument}: {self.interval_ns // 10**9} s can not be built from bars of "
                f"{bar.interval_ns // 10**9} s; ask for a whole multiple"
            )
        closed = self._add(bar.ts_ns, bar.open, bar.high, bar.low, bar.close, bar.volume)
        if self._end_ns == bar.ts_ns:
            return (*closed, self._shut())
        return closed

    def advance(self, now_ns: int) -> Closed:
        """Time has come to ``now_ns`` and nothing up to it is still to come: close what has ended."""
        if self._end_ns is None or self._end_ns > now_ns:
            return ()
        return (self._shut(),)

    def _add(self, ts_ns: int, open_: float, high: float, low: float, close: float, volume: float) -> Closed:
        end_ns = self.end_of(ts_ns)
        if (self._closed_ns is not None and end_ns <= self._closed_ns) or (
            self._end_ns is not None and end_ns < self._end_ns
        ):
            self.late += 1
            return ()
        closed: Closed = ()
        if self._end_ns is not None and end_ns > self._end_ns:
            closed = (self._shut(),)
        if self._end_ns is None:
            self._end_ns = end_ns
            self._open, self._high, self._low, self._volume = open_, high, low, volume
        else:
            self._high = max(self._high, high)
            self._low = min(self._low, low)
            self._volume += volume
        self._close = close
        return closed

    def _shut(self) -> Bar:
        end_ns = self._end_ns
        assert end_ns is not None
        self._end_ns, self._closed_ns = None, end_ns
        return Bar(
            self.instrument, end_ns, self._open, self._high, self._low, self._close, self._volume, self.interval_ns
        )
