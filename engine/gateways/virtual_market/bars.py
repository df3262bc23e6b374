"""Five-minute bars, one a mark of the clock: from the server's own list, or from two polled prices (contract 4, 5)."""

from collections.abc import Sequence

from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, BarRevision
from engine.gateways.virtual_market.messages import BAR_NS

KEEP = 600
"""Published bars kept per instrument to tell a changed one: two sessions and some."""


class BarLog:
    """What was published, and what is new or changed against it.

    Args:
        backfill: bars before the first mark to publish at the start; 0: only what closes from now on.
    """

    def __init__(self, feed: str, backfill: int = 0) -> None:
        self._feed = feed
        self._backfill = backfill
        self._bars: dict[InstrumentId, dict[int, Bar]] = {}
        self._polled: set[tuple[InstrumentId, int]] = set()
        self._prices: dict[InstrumentId, float] = {}

    @property
    def has_backfill(self) -> bool:
        return self._backfill > 0

    def last_ns(self, instrument: InstrumentId) -> int | None:
        """The end of the newest bar known; None before the first."""
        bars = self._bars.get(instrument)
        return next(reversed(bars)) if bars else None

    def wanted(self, instrument: InstrumentId, mark_ns: int) -> int:
        """How many of the last bars to ask for, so that none up to ``mark_ns`` is missed; 0: none is missing."""
        last = self.last_ns(instrument)
        if last is None:
            return max(self._backfill, 1) + 1
        return (mark_ns - last) // BAR_NS + 1 if mark_ns > last else 0

    def price(self, instrument: InstrumentId, price: float) -> None:
        """A polled price: what the next bar opens with."""
        self._prices[instrument] = price

    def from_server(self, instrument: InstrumentId, bars: Sequence[Bar], now_ns: int) -> list[Bar | BarRevision]:
        """What to publish after reading the server's list: new closed bars in order, and changed ones."""
        closed = [bar for bar in bars if bar.ts_ns <= now_ns]
        known = self._bars.setdefault(instrument, {})
        found: list[Bar | BarRevision] = []
        if not known and closed:
            kept = closed[-self._backfill :] if self._backfill else []
            known.update((bar.ts_ns, bar) for bar in closed)
            self._trim(instrument)
            return list(kept)
        last = next(reversed(known), 0)
        for bar in closed:
            old = known.get(bar.ts_ns)
            if old is None:
                if bar.ts_ns > last:
                    known[bar.ts_ns] = bar
                    found.append(bar)
            elif self._changed(old, bar):
                known[bar.ts_ns] = bar
                self._polled.discard((instrument, bar.ts_ns))
                found.append(BarRevision(feed=self._feed, old=old, new=bar))
        self._trim(instrument)
        return found

    def from_price(self, instrument: InstrumentId, mark_ns: int, price: float) -> list[Bar | BarRevision]:
        """The bar of a mark from the price before and the price after it; nothing without a price before."""
        before = self._prices.get(instrument)
        last = self.last_ns(instrument)
        if before is None or (last is not None and mark_ns <= last):
            return []
        bar = Bar(instrument, mark_ns, before, max(before, price), min(before, price), price, 0.0, BAR_NS)
        self._bars.setdefault(instrument, {})[mark_ns] = bar
        self._polled.add((instrument, mark_ns))
        self._trim(instrument)
        return [bar]

    def _changed(self, old: Bar, new: Bar) -> bool:
        if (old.instrument, old.ts_ns) in self._polled:
            # Two prices know nothing of the wicks in between.
            return (old.open, old.close) != (new.open, new.close)
        return old != new

    def _trim(self, instrument: InstrumentId) -> None:
        bars = self._bars[instrument]
        while len(bars) > KEEP:
            oldest = next(iter(bars))
            del bars[oldest]
            self._polled.discard((instrument, oldest))
