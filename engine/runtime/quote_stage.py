"""What a replay of quotes drives: the venue first, then the books' marks and the strategies, event after event."""

from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from itertools import islice
from operator import length_hint
from typing import Any

from engine.bus import nobody, one_call, own_code
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, DataKind, OrderBook, Quote, Trade
from engine.matching.venue import SimulatedVenue
from engine.quote_loop import rush
from engine.runtime.replay_quotes import Event, Played
from engine.runtime.wiring import Core
from engine.seat import Handler, Seat

_KINDS: dict[type, DataKind] = {
    Bar: DataKind.BAR, Quote: DataKind.QUOTE, Trade: DataKind.TRADE, OrderBook: DataKind.BOOK,
}  # fmt: skip


class _Ears(dict[InstrumentId, Handler]):
    """Who hears one kind of event, by instrument; made when first asked for."""

    def __init__(self, make: Callable[[InstrumentId], Handler]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: InstrumentId) -> Handler:
        ear = self[name] = self._make(name)
        return ear


class QuoteStage:
    """One a run; ``play`` takes span after span.

    Args:
        turn: runs what is due before an instant; ``due[0]``: from which instant on something is, 0 for an order that
            was sent or somebody who hears more than before; ``plan``: makes it the true one again.
    """

    def __init__(
        self,
        core: Core,
        venue: SimulatedVenue,
        turn: Callable[[int], None],
        due: list[int],
        plan: Callable[[], None],
    ) -> None:
        self._core = core
        self._clock: Any = core.clock
        self._resting = venue.resting
        self._due = due
        self._run_due = turn
        self._plan = plan
        self._shows: dict[type, Callable[[Any], None]] = {
            Bar: venue.on_bar, Quote: venue.on_quote, Trade: venue.on_trade, OrderBook: venue.on_book,
        }  # fmt: skip
        self._ears = {kind: _Ears(partial(self._ear, kind)) for kind in _KINDS}
        self._rushes: dict[InstrumentId, tuple[Seat, Handler] | None] = {}
        self._taps: dict[InstrumentId, Handler] = {}

    def listen_anew(self) -> None:
        """Somebody hears more than before."""
        for ears in self._ears.values():
            ears.clear()
        self._rushes.clear()

    def play(self, played: Played) -> None:
        """Publish every event; the venue sees all events of an instant before anybody else sees one."""
        if played.name is not None:
            self._play_quotes(played.name, played.ts_ns, played.events)
        elif played.ends is None:
            self._play_instants(played, list(range(1, len(played.events) + 1)))
        else:
            self._play_instants(played, played.ends)

    def _turn(self, ts_ns: int) -> None:
        if not self._due[0]:
            self._plan()
            if ts_ns < self._due[0]:
                return
        self._run_due(ts_ns)
        taps = self._core.runner.taps
        if taps != self._taps:
            # What was due is that a parent wants to hear prices, or does not any more.
            self._taps = dict(taps)
            self.listen_anew()

    def _play_quotes(self, name: InstrumentId, times: list[int], quotes: list[Event]) -> None:
        """Quotes of one instrument, each an instant of its own."""
        resting, due, clock, ears = self._resting, self._due, self._clock, self._ears[Quote]
        show, rest = self._shows[Quote], iter(quotes)
        for quote in rest:
            ts_ns = quote.ts_ns
            if ts_ns >= due[0]:
                self._turn(ts_ns)
            clock.now_ns = ts_ns
            if resting:
                show(quote)
            ears[name](quote)
            if not resting:
                alone = self._rushes[name] if name in self._rushes else self._rush(name)
                if alone is not None and not alone[0].busy:
                    place = len(quotes) - length_hint(rest)
                    alone[1](islice(rest, bisect_left(times, due[0], place) - place))

    def _play_instants(self, played: Played, ends: list[int]) -> None:
        times, events = played.ts_ns, played.events
        resting, due, clock, ears, shows = self._resting, self._due, self._clock, self._ears, self._shows
        start = 0
        for end in ends:
            ts_ns = times[start]
            if ts_ns >= due[0]:
                self._turn(ts_ns)
            clock.now_ns = ts_ns
            if end - start == 1:
                event = events[start]
                if resting:
                    shows[event.__class__](event)
                ears[event.__class__][event.instrument](event)
            else:
                instant = events[start:end]
                if resting:
                    for event in instant:
                        shows[event.__class__](event)
                for event in instant:
                    ears[event.__class__][event.instrument](event)
            start = end

    def _rush(self, name: InstrumentId) -> tuple[Seat, Handler] | None:
        """The only strategy that hears an instrument's quotes, if it is alone, and how it hears many in a row."""
        runner = self._core.runner
        listeners = runner.listeners(DataKind.QUOTE, name)
        found = None
        if len(listeners) == 1 and name not in runner.taps and self._plain(Quote):
            (seat,) = listeners
            marks = self._core.portfolio.marks.latest
            hands = (seat.strategy.on_quote, self._clock, self._due, marks, seat.queue, name)
            # Code of its own: see ``own_code``.
            found = (seat, runner.ear(seat, partial(own_code(rush), *hands)))
        self._rushes[name] = found
        return found

    def _plain(self, kind: type) -> bool:
        """Whether books and strategies are all that hear a kind of event."""
        portfolio, runner = self._core.portfolio, self._core.runner
        usual: dict[type, tuple[Handler, ...]] = {
            Bar: (portfolio.on_bar, runner.on_bar),
            Quote: (portfolio.on_quote, runner.on_quote),
            Trade: (portfolio.on_trade, runner.on_trade),
            OrderBook: (runner.on_book,),
        }
        return self._core.bus.subscribers(kind) == usual[kind]

    def _ear(self, kind: type, name: InstrumentId) -> Handler:
        runner, data = self._core.runner, _KINDS[kind]
        tap = runner.taps.get(name)
        if not self._plain(kind):
            heard = [self._core.bus.publisher(kind)]
        else:
            heard = [] if kind is OrderBook else [self._keeping(name)]
            if kind is Bar:
                return one_call([*heard, runner.ears.get(name, nobody)])
            heard += [runner.ear(seat, getattr(seat.strategy, f"on_{data}")) for seat in runner.listeners(data, name)]
        # Parents that the engine plays hear prices after the strategies; those of bars are with the runner's ears.
        wanted = tap is not None and kind in (Quote, Trade)
        return one_call([*heard, *([tap] if tap is not None and wanted else [])])

    def _keeping(self, name: InstrumentId) -> Handler:
        latest = self._core.portfolio.marks.latest

        def keep(event: Event) -> None:
            latest[name] = event

        return keep
