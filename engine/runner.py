"""The strategy runner: calls handlers, keeps each strategy's events in order, contains its failures.

A strategy has one queue. While a handler of its runs, or an ``async def`` handler waits, its further events queue up;
so it hears what it caused only after the handler returned, and a slow ``await`` delays nobody else.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import CodeType
from typing import Any

from engine.asking import CallRequest, NextBarRequest, SleepRequest
from engine.bus import nobody, one_call, own_code
from engine.clock import Clock
from engine.context import Context, Recovered
from engine.declared import Stream
from engine.domain.algos import AlgoChanged
from engine.domain.errors import ConfigError
from engine.domain.events import CallAnswered, Fill, InstructionChanged, OrderDenied, StrategyStopped, TimerFired
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.market import Bar, DataKind, FeedStatus
from engine.domain.order import Order
from engine.hearing import Calls, hearing
from engine.schedule import next_due_ns
from engine.seat import (
    Handler,
    Seat,
    StrategyHungError,
    Timer,
    coroutine_of,
    from_engine,
    overrides,
    place_of,
    without_event,
)  # fmt: skip
from engine.strategy import Strategy

QUEUE_MAX = 10_000
"""Events one strategy may have waiting, or cause by hearing its own consequences, before it is stopped."""
NEVER_NS = 2**63 - 1
RUN_ENDED = "run ended"

Outside = Callable[[StrategyId, int, CallRequest], None]
"""Starts a ``ctx.call``; its answer comes back as ``CallAnswered``."""


class StrategyRunner:
    """One a run. The wiring subscribes its ``on_*`` methods; the mode's loop fires its timers."""

    def __init__(
        self,
        *,
        clock: Clock,
        publish: Callable[[Any], None],
        working: Callable[[StrategyId], Sequence[Order]],
        outside: Outside,
        note: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self.seats: dict[StrategyId, Seat] = {}
        self.next_due_ns = NEVER_NS
        """When the next timer is due; the loop compares this before each event."""
        self.rescheduled: Callable[[], None] = nobody
        """Called when the next timer changes; live sets it to wake the loop that waits."""
        self.ears: dict[InstrumentId, Handler] = {}
        """One call for each instrument: every strategy that hears its bars, in order of subscription."""
        self.clock, self._publish, self._note = clock, publish, note
        self._working, self._outside = working, outside
        self._listeners: dict[tuple[DataKind, InstrumentId], tuple[tuple[Seat, int], ...]] = {}
        self.taps: dict[InstrumentId, Handler] = {}
        self._timers: list[tuple[int, int, Timer | Seat | Callable[[], object]]] = []
        self._serial = self._calls = 0

    # --- the desk a context uses -------------------------------------------------------------------------------------

    def working(self, strategy: StrategyId) -> Sequence[Order]:
        return self._working(strategy)

    def note(self, strategy: StrategyId, text: str, fields: Mapping[str, Any]) -> None:
        self._note(text, {"strategy": strategy, "ts_ns": self.clock.now_ns, **fields})

    def add_timer(self, strategy: StrategyId, name: str, spec: Any, callback: Callable[..., Any] | None) -> None:
        self._schedule(next_due_ns(spec, self.clock.now_ns), Timer(self.seats[strategy], name, spec, callback))

    # --- life --------------------------------------------------------------------------------------------------------

    def seat(self, name: StrategyId, strategy: Strategy, context: Context) -> None:
        """Give a strategy its place; it hears nothing before ``start``."""
        strategy.ctx = context
        self.seats[name] = Seat(name, strategy, context)

    def start(
        self, recovered: Mapping[StrategyId, Recovered] | None = None, names: Sequence[StrategyId] | None = None
    ) -> None:
        """Subscribe what handlers imply, then ``on_start`` and ``on_recovered``: of ``names``, else of each."""
        for seat in [self.seats[name] for name in (self.seats if names is None else names)]:
            for kind in DataKind:
                if overrides(seat.strategy, f"on_{kind}"):
                    for instrument in seat.context.instruments:
                        interval_ns = seat.context.bar_interval_ns if kind is DataKind.BAR else 0
                        seat.context.subscribe(instrument, kind, interval_ns)
            self._deliver(seat, without_event(seat.strategy.on_start), None)
            for instrument in seat.context.declared.close():
                self._tune(instrument)
            if (snapshot := (recovered or {}).get(seat.name)) is not None:
                self._deliver(seat, seat.recover, snapshot)

    def stop(self, names: Sequence[StrategyId] = ()) -> None:
        """``on_stop`` of each, else of ``names``; nothing is delivered afterwards."""
        for seat in [self.seats[name] for name in names or self.seats]:
            if not seat.stopped:
                self._deliver(seat, without_event(seat.strategy.on_stop), None)
                self._close(seat, RUN_ENDED)

    def listen(self, strategy: StrategyId, kind: DataKind, instrument: InstrumentId, interval_ns: int) -> None:
        """Deliver this data to that strategy from now on; ``interval_ns`` 0 takes every bar the source has."""
        seat, known = self.seats[strategy], self._listeners.get((kind, instrument), ())
        if any(s is seat and i in (0, interval_ns) for s, i in known):
            return
        if interval_ns == 0:
            known = tuple(entry for entry in known if entry[0] is not seat)
        self._listeners[kind, instrument] = (*known, (seat, interval_ns))
        if kind is DataKind.BAR:
            self._tune(instrument)

    def listeners(self, kind: DataKind, instrument: InstrumentId) -> list[Seat]:
        """Who hears this kind of an instrument's data, in the order they asked for it."""
        return [seat for seat, _ in self._listeners.get((kind, instrument), ())]

    def declared(self, instrument: InstrumentId) -> list[tuple[Seat, list[Stream], list[Calls]]]:
        """Of each who listens to an instrument's bars: what it has declared about them, and how that is called."""
        found: list[tuple[Seat, list[Stream], list[Calls]]] = []
        for seat in {seat.name: seat for seat, _ in self._listeners.get((DataKind.BAR, instrument), ())}.values():
            streams = seat.streams(instrument)
            calls = [[(c, self.ear(seat, f, self._line_up)) for c, f in stream.triggers] for stream in streams]
            found.append((seat, streams, [*calls]))
        return found

    # --- market data (hot) -------------------------------------------------------------------------------------------

    def on_bar(self, bar: Bar) -> None:
        if (ear := self.ears.get(bar.instrument)) is not None:
            ear(bar)

    def on_quote(self, quote: Any) -> None:
        for seat, _ in self._listeners.get((DataKind.QUOTE, quote.instrument), ()):
            self._deliver(seat, seat.strategy.on_quote, quote)

    def on_trade(self, trade: Any) -> None:
        for seat, _ in self._listeners.get((DataKind.TRADE, trade.instrument), ()):
            self._deliver(seat, seat.strategy.on_trade, trade)

    def on_book(self, book: Any) -> None:
        for seat, _ in self._listeners.get((DataKind.BOOK, book.instrument), ()):
            self._deliver(seat, seat.strategy.on_book, book)

    def _tune(self, instrument: InstrumentId) -> None:
        """Join the ears of all who listen to an instrument's bars into one call."""
        ears: list[Handler] = []
        for seat, streams, calls in self.declared(instrument):
            entries = self._listeners.get((DataKind.BAR, instrument), ())
            ears += hearing(seat, streams, calls, [self._filtered(s, only_ns) for s, only_ns in entries if s is seat])
        self.ears[instrument] = one_call([*ears, *filter(None, [self.taps.get(instrument)])])

    def tap(self, instrument: InstrumentId, ear: Handler | None) -> None:
        """Let ``ear`` hear an instrument's bars as well, after the strategies; None: it need not any more."""
        if ear is None:
            self.taps.pop(instrument, None)
        else:
            self.taps[instrument] = ear
        self._tune(instrument)
        self._schedule(self.clock.now_ns, nobody)  # a loop that plays bars looks at ears anew once something is due

    def _filtered(self, seat: Seat, only_ns: int) -> Handler:
        """How a seat's ``on_bar`` hears bars of one length, or of all."""
        if not seat.hears_bars:
            return partial(self.offer, seat)
        ear = self.ear(seat, seat.strategy.on_bar)
        return ear if not only_ns else lambda bar: ear(bar) if bar.interval_ns == only_ns else None

    def offer(self, seat: Seat, bar: Bar) -> bool:
        """Give a bar to the strategy if that is what it awaits."""
        asked = seat.waiting_for
        if seat.gone or not isinstance(asked, NextBarRequest) or asked.instrument != bar.instrument:
            return False
        self._resume(seat, bar, None)
        return True

    def ear(self, seat: Seat, handler: Handler, wait: Callable[[Seat, Handler, Bar], None] | None = None) -> Handler:
        """How one handler hears a bar: as ``_deliver``, for the everyday case of a ``def`` handler at rest."""
        queue, wait, after = seat.queue, wait or self._wait_in_line, self.after_call

        def hear(bar: Bar) -> None:
            if seat.busy:
                wait(seat, handler, bar)
                return
            seat.busy = True
            try:
                answer = handler(bar)
            except (Exception, StrategyHungError) as error:  # a strategy may fail in any way; the others go on
                after(seat, handler, None, error)
                return
            if answer is None:
                seat.busy = seat.gone
                if not queue:
                    return
            after(seat, handler, answer, None)

        return own_code(hear)

    def after_call(self, seat: Seat, handler: Handler, answer: Any, error: BaseException | None) -> None:
        """Go on after a handler that failed, gave something back, or caused what now waits in the seat's queue."""
        if answer is not None and error is None:
            try:
                seat.coroutine = coroutine_of(seat, handler, answer)
            except ConfigError as wrong:
                error = wrong
        if error is None:
            self._resume(seat, None, None)
        elif isinstance(error, Exception | StrategyHungError):
            self._failed(seat, error)
        else:
            raise error

    # --- the strategy's own affairs ----------------------------------------------------------------------------------

    def on_order(self, event: Any) -> None:
        seat = self.seats.get(event.strategy)
        if seat is not None and seat.hears_orders:
            self._deliver(seat, seat.strategy.on_order, event)

    def on_denied(self, event: OrderDenied) -> None:
        seat = self.seats.get(event.order.strategy)
        if seat is not None and seat.hears_orders:
            self._deliver(seat, seat.strategy.on_order, event)

    def on_fill(self, fill: Fill) -> None:
        seat = self.seats.get(fill.strategy)
        if seat is not None and seat.hears_fills:
            self._deliver(seat, seat.strategy.on_fill, fill)

    def on_instruction(self, event: InstructionChanged) -> None:
        seat = self.seats.get(event.instruction.strategy)
        if seat is not None:
            self._deliver(seat, seat.strategy.on_instruction, event.report)

    def on_algo(self, event: AlgoChanged) -> None:
        seat = self.seats.get(event.strategy)
        if seat is not None and event.name != "order":
            self._deliver(seat, seat.strategy.on_algo, event)

    def on_feed(self, status: FeedStatus) -> None:
        for seat in self.seats.values():
            self._deliver(seat, seat.strategy.on_feed, status)

    def on_answer(self, answer: CallAnswered) -> None:
        seat = self.seats.get(answer.strategy)
        if seat is not None and seat.waiting_for == answer.call:
            self._resume(seat, answer.value, RuntimeError(answer.error) if answer.error else None)

    # --- timers ------------------------------------------------------------------------------------------------------

    def fire_due(self, now_ns: int) -> None:
        """Fire every timer due by now, earliest first, ties in order of being set."""
        while self._timers and self._timers[0][0] <= now_ns:
            due_ns, _, what = heapq.heappop(self._timers)
            self.next_due_ns = self._timers[0][0] if self._timers else NEVER_NS
            if isinstance(what, Seat):
                if what.waiting_for == ("sleep", due_ns):
                    self._resume(what, None, None)
            elif not isinstance(what, Timer):
                what()
            elif not what.seat.stopped:
                self._schedule(next_due_ns(what.spec, due_ns), what)
                event = TimerFired(strategy=what.seat.name, timer=what.name, ts_ns=due_ns)
                handler = what.seat.strategy.on_timer if what.callback is None else without_event(what.callback)
                self._deliver(what.seat, handler, event)

    def call_at(self, due_ns: int, call: Callable[[], object]) -> None:
        """Call at its time, in order with the timers; for the engine's own affairs."""
        self._schedule(due_ns, call)

    def _schedule(self, due_ns: int, what: Timer | Seat | Callable[[], object]) -> None:
        self._serial += 1
        heapq.heappush(self._timers, (due_ns, self._serial, what))
        if self._timers[0][0] != self.next_due_ns:
            self.next_due_ns = self._timers[0][0]
            self.rescheduled()

    # --- delivery ----------------------------------------------------------------------------------------------------

    def _deliver(self, seat: Seat, handler: Handler, event: Any) -> None:
        if seat.stopped:
            return
        self._wait_in_line(seat, handler, event)
        if not seat.busy:
            self._drain(seat)

    def _wait_in_line(self, seat: Seat, handler: Handler, event: Any) -> None:
        if event.__class__ is not Bar or not self.offer(seat, event):
            self._line_up(seat, handler, event)

    def _line_up(self, seat: Seat, handler: Handler, event: Any) -> None:
        if seat.gone:
            return
        seat.queue.append((handler, event))
        if len(seat.queue) > QUEUE_MAX:
            self._failed(seat, ConfigError(f"{QUEUE_MAX} events wait for it: it is too slow for what it subscribes"))

    def _drain(self, seat: Seat) -> None:
        """Call handlers until the queue is empty, the strategy waits, or it fails."""
        queue = seat.queue
        handled = 0
        while queue:
            handler, event = queue.popleft()
            seat.busy = True
            try:
                answer = handler(event)
                if answer is not None:
                    seat.coroutine = coroutine_of(seat, handler, answer)
            except (Exception, StrategyHungError) as error:  # a strategy may fail in any way; the others go on
                self._failed(seat, error)
                return
            if answer is not None and not self._advance(seat, None, None):
                return
            seat.busy = seat.gone
            handled += 1
            if handled > QUEUE_MAX:
                self._failed(seat, ConfigError(f"it caused {QUEUE_MAX} events by hearing its own: a loop"))
                return

    def _resume(self, seat: Seat, value: Any, error: Exception | None) -> None:
        if seat.stopped:
            return
        seat.waiting_for = None
        if self._advance(seat, value, error):
            seat.busy = seat.gone
            self._drain(seat)

    def _advance(self, seat: Seat, value: Any, error: Exception | None) -> bool:
        """Run the coroutine to its next await; True when it has finished, False when it waits or failed."""
        if (coroutine := seat.coroutine) is None:
            return True
        try:
            asked = coroutine.throw(error) if error is not None else coroutine.send(value)
            if not seat.gone:
                self._wait_for(seat, asked)
        except StopIteration:
            seat.coroutine = None
            return True
        except (Exception, StrategyHungError) as failure:  # a strategy may fail in any way; the others go on
            self._failed(seat, failure)
        return False

    def _wait_for(self, seat: Seat, asked: Any) -> None:
        if isinstance(asked, SleepRequest):
            due_ns = self.clock.now_ns + asked.duration_ns
            seat.waiting_for = ("sleep", due_ns)
            self._schedule(due_ns, seat)
        elif isinstance(asked, NextBarRequest):
            seat.waiting_for = asked
        elif isinstance(asked, CallRequest):
            self._calls += 1
            seat.waiting_for = self._calls
            self._outside(seat.name, self._calls, asked)
        else:
            raise ConfigError(
                f"a handler awaited {type(asked).__name__}: only self.sleep, self.next_bar, self.call and self.query "
                "may be awaited; put anything else into an async function and `await self.call(function)`"
            )

    # --- failure -----------------------------------------------------------------------------------------------------

    def halt(self, strategy: StrategyId, reason: str) -> None:
        """Stop one strategy from outside (its orders are cancelled by whoever hears ``StrategyStopped``)."""
        self._stopped(self.seats[strategy], reason)

    def _failed(self, seat: Seat, error: BaseException) -> None:
        if not isinstance(error, ConfigError) and from_engine(error):
            raise error
        self._stopped(seat, f"{type(error).__name__}: {error}{place_of(error)}")

    def _stopped(self, seat: Seat, reason: str) -> None:
        if seat.stopped:
            return
        self._close(seat, reason)
        self._publish(StrategyStopped(strategy=seat.name, ts_ns=self.clock.now_ns, reason=reason))

    def _close(self, seat: Seat, reason: str) -> None:
        seat.close(reason)
        for key, entries in self._listeners.items():
            if any(entry[0] is seat for entry in entries):
                self._listeners[key] = tuple(entry for entry in entries if entry[0] is not seat)
                if key[0] is DataKind.BAR:
                    self._tune(key[1])

    def dispatchers(self) -> frozenset[CodeType]:
        """The code of every function here that calls a strategy's: where its frames begin on the stack."""
        hear = next(c for c in StrategyRunner.ear.__code__.co_consts if isinstance(c, CodeType))
        return frozenset({hear, StrategyRunner._drain.__code__, StrategyRunner._advance.__code__})
