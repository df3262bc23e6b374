"""The strategy runner: calls handlers, keeps each strategy's events in order, contains its failures.

A strategy has one queue. While a handler of its runs, or an ``async def`` handler waits, its further events queue up;
so it hears what it caused only after the handler returned, and a slow ``await`` delays nobody else.
"""

import heapq
import inspect
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any

import anyio
from apscheduler.triggers.cron import CronTrigger

from engine.clock import Clock
from engine.domain.errors import ConfigError, SluiceError
from engine.domain.events import CallAnswered, Fill, OrderDenied, StrategyStopped, TimerFired
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.market import Bar, DataKind, FeedStatus
from engine.domain.order import Order
from engine.domain.timestamps import datetime_from_ns, ns_from_datetime
from engine.strategy import CallRequest, Context, DailyAt, Every, NextBarRequest, Recovered, SleepRequest, Strategy

QUEUE_MAX = 10_000
"""Events one strategy may have waiting, or cause by hearing its own consequences, before it is stopped."""

NEVER_NS = 2**63 - 1
RUN_ENDED = "run ended"

Handler = Callable[[Any], Any]
Outside = Callable[[StrategyId, int, CallRequest], None]
"""Starts a ``ctx.call``; its answer comes back as ``CallAnswered``."""

USER_ROOMS = ("engine.strategy", "engine.runner", "engine.params", "engine.history", "engine.domain")
"""Rooms that tell a strategy of its own mistakes; an error from deeper inside is the engine's and stops it."""


class StrategyHungError(Exception):
    """Raised inside a handler that did not return in time."""


class Seat:
    """One strategy at the table: its handlers, its queue, and the coroutine it may be waiting in."""

    __slots__ = ("busy", "caught", "context", "coroutine", "name", "queue", "stopped", "strategy", "waiting_for")

    def __init__(self, name: StrategyId, strategy: Strategy, context: Context) -> None:
        self.name = name
        self.strategy = strategy
        self.context = context
        self.queue: deque[tuple[Handler, Any]] = deque()
        self.busy = False
        self.stopped = ""
        self.coroutine: Coroutine[Any, Any, None] | None = None
        self.waiting_for: Any = None
        self.caught: dict[InstrumentId, Bar] = {}


class _Timer:
    __slots__ = ("callback", "name", "seat", "spec")

    def __init__(self, seat: Seat, name: str, spec: Any, callback: Callable[..., Any] | None) -> None:
        self.seat = seat
        self.name = name
        self.spec = spec
        self.callback = callback


def overrides(strategy: Strategy, handler: str) -> bool:
    """Whether a strategy defines the handler itself."""
    return getattr(type(strategy), handler) is not getattr(Strategy, handler)


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
        self._clock = clock
        self._publish = publish
        self._working = working
        self._outside = outside
        self._note = note
        self._listeners: dict[tuple[str, InstrumentId], tuple[tuple[Seat, Handler, int], ...]] = {}
        self._bars: dict[InstrumentId, tuple[tuple[Seat, Handler, int], ...]] = {}
        self._timers: list[tuple[int, int, _Timer | Seat | CallAnswered]] = []
        self._serial = 0
        self._calls = 0

    # --- the desk a context uses -------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self._clock.now_ns

    def working(self, strategy: StrategyId) -> Sequence[Order]:
        return self._working(strategy)

    def note(self, strategy: StrategyId, text: str, fields: Mapping[str, Any]) -> None:
        self._note(text, {"strategy": strategy, "ts_ns": self._clock.now_ns, **fields})

    def add_timer(self, strategy: StrategyId, name: str, spec: Any, callback: Callable[..., Any] | None) -> None:
        timer = _Timer(self.seats[strategy], name, spec, callback)
        self._schedule(_next_due(spec, self._clock.now_ns), timer)

    # --- life --------------------------------------------------------------------------------------------------------

    def seat(self, name: StrategyId, strategy: Strategy, context: Context) -> None:
        """Give a strategy its place; it hears nothing before ``start``."""
        strategy.ctx = context
        self.seats[name] = Seat(name, strategy, context)

    def start(self, recovered: Mapping[StrategyId, Recovered] | None = None) -> None:
        """Subscribe what handlers imply, then ``on_start`` (and ``on_recovered``) of each, in order of seating."""
        for seat in self.seats.values():
            for kind in DataKind:
                if overrides(seat.strategy, f"on_{kind}"):
                    for instrument in seat.context.instruments:
                        seat.context.subscribe(instrument, kind)
            self._deliver(seat, _without_event(seat.strategy.on_start), None)
            snapshot = (recovered or {}).get(seat.name)
            if snapshot is not None:
                self._deliver(seat, seat.strategy.on_recovered, snapshot)

    def stop(self) -> None:
        for seat in self.seats.values():
            if not seat.stopped:
                self._deliver(seat, _without_event(seat.strategy.on_stop), None)
                self._close(seat)

    def listen(self, strategy: StrategyId, kind: DataKind, instrument: InstrumentId, interval_ns: int) -> None:
        """Deliver this data to that strategy from now on; ``interval_ns`` 0 takes every bar the source has."""
        seat = self.seats[strategy]
        entry = (seat, getattr(seat.strategy, f"on_{kind}"), interval_ns)
        table: dict[Any, Any] = self._bars if kind is DataKind.BAR else self._listeners
        key = instrument if kind is DataKind.BAR else (kind, instrument)
        known = table.get(key, ())
        if not any(s is seat and i == interval_ns for s, _, i in known):
            table[key] = (*known, entry)

    # --- market data (hot) -------------------------------------------------------------------------------------------

    def on_bar(self, bar: Bar) -> None:
        for seat, handler, interval_ns in self._bars.get(bar.instrument, ()):
            if interval_ns and interval_ns != bar.interval_ns:
                continue
            if seat.busy:
                self._wait_in_line(seat, handler, bar)
                continue
            seat.busy = True
            try:
                answer = handler(bar)
            except Exception as error:  # a strategy may fail in any way; the others go on
                self._failed(seat, error)
                continue
            if answer is not None:
                self._step(seat, answer)
                continue
            seat.busy = False
            if seat.queue:
                self._drain(seat)

    def on_quote(self, quote: Any) -> None:
        for seat, handler, _ in self._listeners.get(("quote", quote.instrument), ()):
            self._deliver(seat, handler, quote)

    def on_trade(self, trade: Any) -> None:
        for seat, handler, _ in self._listeners.get(("trade", trade.instrument), ()):
            self._deliver(seat, handler, trade)

    def on_book(self, book: Any) -> None:
        for seat, handler, _ in self._listeners.get(("book", book.instrument), ()):
            self._deliver(seat, handler, book)

    # --- the strategy's own affairs ----------------------------------------------------------------------------------

    def on_order(self, event: Any) -> None:
        seat = self.seats.get(event.strategy)
        if seat is not None:
            self._deliver(seat, seat.strategy.on_order, event)

    def on_denied(self, event: OrderDenied) -> None:
        seat = self.seats.get(event.order.strategy)
        if seat is not None:
            self._deliver(seat, seat.strategy.on_order, event)

    def on_fill(self, fill: Fill) -> None:
        seat = self.seats.get(fill.strategy)
        if seat is not None:
            self._deliver(seat, seat.strategy.on_fill, fill)

    def on_feed(self, status: FeedStatus) -> None:
        for seat in self.seats.values():
            self._deliver(seat, seat.strategy.on_feed, status)

    def on_answer(self, answer: CallAnswered) -> None:
        seat = self.seats.get(answer.strategy)
        if seat is not None and seat.waiting_for == answer.call and not isinstance(seat.waiting_for, tuple):
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
            elif isinstance(what, CallAnswered):
                self._publish(what)
            elif not what.seat.stopped:
                self._schedule(_next_due(what.spec, due_ns), what)
                event = TimerFired(strategy=what.seat.name, timer=what.name, ts_ns=due_ns)
                handler = what.seat.strategy.on_timer if what.callback is None else _without_event(what.callback)
                self._deliver(what.seat, handler, event)

    def publish_at(self, due_ns: int, answer: CallAnswered) -> None:
        """Publish an answer when its time comes, in order with the timers."""
        self._schedule(due_ns, answer)

    def _schedule(self, due_ns: int, what: "_Timer | Seat | CallAnswered") -> None:
        self._serial += 1
        heapq.heappush(self._timers, (due_ns, self._serial, what))
        self.next_due_ns = self._timers[0][0]

    # --- delivery ----------------------------------------------------------------------------------------------------

    def _deliver(self, seat: Seat, handler: Handler, event: Any) -> None:
        if seat.stopped:
            return
        self._wait_in_line(seat, handler, event)
        if not seat.busy:
            self._drain(seat)

    def _wait_in_line(self, seat: Seat, handler: Handler, event: Any) -> None:
        waiting = seat.waiting_for
        if event.__class__ is Bar and isinstance(waiting, NextBarRequest) and waiting.instrument == event.instrument:
            self._resume(seat, event, None)
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
            except Exception as error:  # a strategy may fail in any way; the others go on
                self._failed(seat, error)
                return
            if answer is not None:
                seat.coroutine = _coroutine(seat, handler, answer)
                if not self._advance(seat, None, None):
                    return
            seat.busy = False
            handled += 1
            if handled > QUEUE_MAX:
                self._failed(seat, ConfigError(f"it caused {QUEUE_MAX} events by hearing its own: a loop"))
                return

    def _step(self, seat: Seat, answer: Any) -> None:
        seat.coroutine = _coroutine(seat, seat.strategy.on_bar, answer)
        if self._advance(seat, None, None):
            seat.busy = False
            if seat.queue:
                self._drain(seat)

    def _resume(self, seat: Seat, value: Any, error: Exception | None) -> None:
        if seat.stopped:
            return
        seat.waiting_for = None
        if self._advance(seat, value, error):
            seat.busy = False
            self._drain(seat)

    def _advance(self, seat: Seat, value: Any, error: Exception | None) -> bool:
        """Run the coroutine to its next await; True when it has finished, False when it waits or failed."""
        coroutine = seat.coroutine
        if coroutine is None:
            return True
        try:
            asked = coroutine.throw(error) if error is not None else coroutine.send(value)
            self._wait_for(seat, asked)
        except StopIteration:
            seat.coroutine = None
            return True
        except Exception as failure:  # a strategy may fail in any way; the others go on
            self._failed(seat, failure)
        return False

    def _wait_for(self, seat: Seat, asked: Any) -> None:
        if isinstance(asked, SleepRequest):
            due_ns = self._clock.now_ns + asked.duration_ns
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

    def _failed(self, seat: Seat, error: Exception) -> None:
        if not isinstance(error, ConfigError) and _from_engine(error):
            raise error
        where = traceback.extract_tb(error.__traceback__)
        place = f" ({where[-1].filename.rpartition('/')[2]}:{where[-1].lineno})" if where else ""
        self._stopped(seat, f"{type(error).__name__}: {error}{place}")

    def _stopped(self, seat: Seat, reason: str) -> None:
        if seat.stopped:
            return
        seat.stopped = reason
        self._close(seat)
        self._publish(StrategyStopped(strategy=seat.name, ts_ns=self._clock.now_ns, reason=reason))

    def _close(self, seat: Seat) -> None:
        seat.stopped = seat.stopped or RUN_ENDED
        seat.queue.clear()
        if seat.coroutine is not None and not getattr(seat.coroutine, "cr_running", False):
            seat.coroutine.close()
        seat.coroutine = seat.waiting_for = None
        seat.busy = False
        for table in (self._bars, self._listeners):
            for key, entries in list(table.items()):
                table[key] = tuple(entry for entry in entries if entry[0] is not seat)  # type: ignore[index]


def ask_outside(request: CallRequest) -> tuple[Any, str]:
    """Make one ``ctx.call`` here and now: (answer, "") or (None, what it raised)."""
    try:
        if inspect.iscoroutinefunction(request.function):
            return anyio.run(request.function, *request.args), ""
        return request.function(*request.args), ""
    except Exception as error:  # what the outside raises is the strategy's to handle
        return None, f"{type(error).__name__}: {error}"


def _without_event(function: Callable[[], Any]) -> Handler:
    return lambda _event: function()


def _coroutine(seat: Seat, handler: Handler, answer: Any) -> Coroutine[Any, Any, None]:
    if not inspect.iscoroutine(answer):
        name = getattr(handler, "__name__", "handler")
        raise ConfigError(f"{seat.name}: {name} returned {type(answer).__name__}; a handler returns nothing")
    return answer


def _next_due(spec: Any, after_ns: int) -> int:
    if isinstance(spec, Every):
        return (after_ns // spec.period_ns + 1) * spec.period_ns
    assert isinstance(spec, DailyAt)
    trigger = CronTrigger(hour=spec.hour, minute=spec.minute, second=spec.second, timezone=spec.tz)
    after = datetime_from_ns(after_ns, spec.tz) + timedelta(microseconds=1)
    due = trigger.get_next_fire_time(None, after)
    if due is None:
        raise ConfigError(f"at {spec.hour:02d}:{spec.minute:02d} {spec.tz} never comes again")
    return ns_from_datetime(due)


def _from_engine(error: Exception) -> bool:
    """Whether the failure began inside the engine, not in the strategy's file or in how it used its hands."""
    if isinstance(error, StrategyHungError):
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    rooms = [str(frame.f_globals.get("__name__", "")) for frame in frames]
    deepest = rooms[-1] if rooms else ""
    if isinstance(error, SluiceError):
        return deepest.startswith("engine.") and not deepest.startswith(USER_ROOMS)
    inside = [room for room in rooms if room.startswith("engine.") and not room.startswith(USER_ROOMS)]
    return bool(inside)
