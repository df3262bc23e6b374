"""What the market shows a parent that waits for a price."""

from typing import NamedTuple

from engine.domain.market import Bar, Quote, Trade


class Look(NamedTuple):
    """Prices since ``since_ns``: extremes, and what one could trade at now. ``volume`` traded meanwhile."""

    ts_ns: int
    since_ns: int
    buy_at: float
    sell_at: float
    high: float
    low: float
    volume: float
    kind: str


def look_at(event: Bar | Quote | Trade) -> Look:
    """A bar's high and low may be long past; a quote has no volume."""
    if isinstance(event, Bar):
        return Look(
            event.ts_ns, event.start_ns, event.close, event.close, event.high, event.low, event.volume, "bar"
        )  # fmt: skip
    if isinstance(event, Quote):
        return Look(event.ts_ns, event.ts_ns, event.ask, event.bid, event.ask, event.bid, 0.0, "quote")
    return Look(event.ts_ns, event.ts_ns, event.price, event.price, event.price, event.price, event.size, "trade")
