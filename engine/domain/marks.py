"""The latest price of every instrument, and when it was one."""

from msgspec import Struct

from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, Quote, Trade


class Mark(Struct, frozen=True, gc=False):
    """A price that came by itself, not with market data (a fill's, a test's)."""

    price: float
    ts_ns: int = 0


class Marks:
    """Instrument -> latest price, as a mapping; ``times`` is the same of its moment, ns UTC.

    Far more prices come in than are ever asked for: the event itself is kept, and read when somebody asks.
    """

    __slots__ = ("keep", "latest", "times")

    def __init__(self) -> None:
        last: dict[InstrumentId, Bar | Quote | Trade | Mark] = {}
        self.latest = last
        self.keep = last.__setitem__
        """``keep(instrument, event)``: its price is the latest from now on."""
        self.times = MarkTimes(last)

    def read_from(self, latest: dict[InstrumentId, Bar | Quote | Trade | Mark]) -> None:
        """Look prices up there from now on."""
        self.latest = latest
        self.keep = latest.__setitem__
        self.times.read_from(latest)

    def get(self, instrument: InstrumentId) -> float | None:
        event = self.latest.get(instrument)
        if event is None:
            return None
        if isinstance(event, Bar):
            return event.close
        return event.mid if isinstance(event, Quote) else event.price

    def __getitem__(self, instrument: InstrumentId) -> float:
        """Raises: KeyError: no price is known."""
        price = self.get(instrument)
        if price is None:
            raise KeyError(instrument)
        return price

    def __setitem__(self, instrument: InstrumentId, price: float) -> None:
        self.latest[instrument] = Mark(price, self.times.get(instrument) or 0)

    def __contains__(self, instrument: object) -> bool:
        return instrument in self.latest


class MarkTimes:
    """The moments of ``Marks``."""

    __slots__ = ("_last",)

    def __init__(self, last: dict[InstrumentId, Bar | Quote | Trade | Mark]) -> None:
        self._last = last

    def read_from(self, latest: dict[InstrumentId, Bar | Quote | Trade | Mark]) -> None:
        self._last = latest

    def get(self, instrument: InstrumentId) -> int | None:
        event = self._last.get(instrument)
        return None if event is None else event.ts_ns

    def __setitem__(self, instrument: InstrumentId, ts_ns: int) -> None:
        """Give a mark another moment. Raises: KeyError: there is none."""
        event = self._last[instrument]
        price = event.close if isinstance(event, Bar) else event.mid if isinstance(event, Quote) else event.price
        self._last[instrument] = Mark(price, ts_ns)
