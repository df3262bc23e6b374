"""Orders that wait for the next opening: in a backtest of daily bars decisions are made at the close."""

from collections.abc import Mapping
from typing import Protocol

from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.marks import Marks
from engine.markets.rulebook import OpensAgain, RuleBook


class References(Protocol):
    """What an exchange's limits count from after a dividend or a split."""

    def reference(self, instrument: InstrumentId, close: float, day: int) -> float: ...


class Waits:
    """When an order made at an instant reaches its market, and what that day's limits will count from."""

    def __init__(
        self,
        instruments: Mapping[InstrumentId, Instrument],
        books: Mapping[str, RuleBook],
        marks: Marks,
        references: References | None = None,
    ) -> None:
        self._instruments = instruments
        self._books = books
        self._marks = marks
        self._references = references
        self._known: dict[str, tuple[int, int]] = {}
        self._opening = {name: book for name, book in books.items() if isinstance(book, OpensAgain)}

    def acts_ns(self, instrument: InstrumentId, now_ns: int) -> int:
        """``now_ns`` itself where the market takes orders, or can not say when it will."""
        market = self._instruments[instrument].market
        known = self._known.get(market)
        if known is not None and known[0] == now_ns:
            return known[1]
        book = self._opening.get(market)
        found = None if book is None else book.next_open_ns(now_ns)
        acts_ns = now_ns if found is None else found
        self._known[market] = (now_ns, acts_ns)
        return acts_ns

    def coming_close(self, instrument: InstrumentId, now_ns: int, acts_ns: int) -> float | None:
        """The last price, where the order is for another trading day; None where it is for this one."""
        book = self._books[self._instruments[instrument].market]
        day = book.trading_day(acts_ns)
        close = self._marks.get(instrument)
        if close is None or day == book.trading_day(now_ns):
            return None
        return close if self._references is None else self._references.reference(instrument, close, day)
