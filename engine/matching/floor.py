"""What an exchange lets meet, whatever the fill model, which is asked afterwards.

Nothing while an instrument is suspended; nobody who wants what is locked at the limit; in a call auction everybody at
its one price.
"""

from collections.abc import Callable, Mapping

from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.domain.timestamps import DAY_NS
from engine.markets.rulebook import ClosesByAuction, OpensAgain, RuleBook, Suspends

NEAR = 1e-9
"""Prices of bars and limits are floats of the same decimals."""

Reference = Callable[[InstrumentId], float | None]
"""What a day's price limits count from; None where it is not known: then nothing is taken for locked."""


class Floor:
    """One instrument on its exchange, as bars are shown to waiting orders.

    A bar is locked up where it never traded below the highest price: who sells has a buyer, who buys is behind a queue
    that does not end; locked down mirrored. A bar without volume shows no deal: nothing fills, where the data has
    volumes at all. Optimism: as soon as one deal of a bar was off the limit, orders fill as the fill model says.
    """

    __slots__ = (
        "_auctions", "_band", "_book", "_day", "_has_volume", "_instrument", "_opens", "_reference", "_suspends",
    )  # fmt: skip

    def __init__(
        self, instrument: Instrument, book: RuleBook, reference: Reference, has_volume: Callable[[InstrumentId], bool]
    ) -> None:
        self._instrument = instrument
        self._book = book
        self._reference = reference
        self._has_volume = has_volume
        self._auctions = book if isinstance(book, ClosesByAuction) else None
        self._opens = book if isinstance(book, OpensAgain) else None
        self._suspends = book if isinstance(book, Suspends) else None
        self._day: tuple[int, float | None] = (-1, None)
        self._band: tuple[float, float] | None = None

    def shown(self, bar: Bar, start_ns: int) -> tuple[Bar, int] | None:
        """The bar as orders meet it, and since when an order must have waited; None: it meets none.

        Of a closing auction only the price at its end counts, for every order that came before that.
        """
        instrument = self._instrument
        if self._suspends is not None:
            if instrument.suspended and self._suspends.is_suspended(instrument, bar.ts_ns - 1):
                return None
            if not bar.volume and self._has_volume(instrument.id):
                return None
        if bar.interval_ns >= DAY_NS and self._opens is not None:
            # A bar of a day begins where the day does, not where the one before ended.
            start_ns = min(self._opens.next_open_ns(start_ns) or start_ns, bar.ts_ns)
        end_ns = self._auctions.auction_end_ns(instrument, start_ns) if self._auctions is not None else None
        if end_ns is None:
            return bar, start_ns
        if bar.ts_ns < end_ns:
            return None
        price = bar.close
        return Bar(bar.instrument, bar.ts_ns, price, price, price, price, bar.volume, bar.interval_ns), end_ns - 1

    @property
    def band(self) -> tuple[float, float] | None:
        """The day's limits, of the bar ``locked`` was last asked of."""
        return self._band

    def locked(self, bar: Bar) -> tuple[bool, bool]:
        """Whether who buys and who sells finds nobody in a bar."""
        close = self._reference(self._instrument.id)
        day = (bar.ts_ns // DAY_NS, close)
        if day != self._day:
            self._day, self._band = day, self._book.price_band(self._instrument, close, bar.ts_ns)
        band = self._band
        if band is None:
            return False, False
        return bar.low >= band[1] - NEAR, bar.high <= band[0] + NEAR


def floors_of(
    instruments: Mapping[InstrumentId, Instrument],
    books: Mapping[str, RuleBook],
    reference: Reference,
    has_volume: Callable[[InstrumentId], bool] = lambda _instrument: False,
) -> dict[InstrumentId, Floor]:
    """A floor for every instrument whose exchange has such rules; the others trade whenever there is a bar."""
    ruled = {name for name, book in books.items() if isinstance(book, ClosesByAuction | Suspends | OpensAgain)}
    return {
        name: Floor(instrument, books[instrument.market], reference, has_volume)
        for name, instrument in instruments.items()
        if instrument.market in ruled
    }
