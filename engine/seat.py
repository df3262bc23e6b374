"""One strategy's place in a run: what it hears, what waits for it, and whose fault an error is."""

import inspect
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from engine.context import Context, Recovered
from engine.declared import Stream
from engine.domain.errors import ConfigError, SluiceError
from engine.domain.ids import InstrumentId, StrategyId
from engine.strategy import Strategy

Handler = Callable[[Any], Any]

USER_ROOMS = (
    "engine.strategy", "engine.context", "engine.schedule", "engine.runner", "engine.seat", "engine.params",
    "engine.history", "engine.heard", "engine.declared", "engine.series", "engine.bar_loop", "engine.quote_loop",
    "engine.indicators", "engine.domain",
)  # fmt: skip
"""Rooms that tell a strategy of its own mistakes; an error from deeper inside is the engine's and stops it."""


class StrategyHungError(BaseException):
    """Raised inside a handler that did not return in time; ``except Exception`` lets it by."""


class Seat:
    """One strategy at the table: its queue, and the coroutine it may be waiting in."""

    __slots__ = (
        "busy", "context", "coroutine", "gone", "hears_bars", "hears_fills", "hears_orders", "name", "queue", "stopped",
        "strategy", "waiting_for",
    )  # fmt: skip

    def __init__(self, name: StrategyId, strategy: Strategy, context: Context) -> None:
        self.name = name
        self.strategy = strategy
        self.context = context
        self.queue: deque[tuple[Handler, Any]] = deque()
        self.busy = False
        """A handler of its runs or waits, or it is gone: what comes now goes in line."""
        self.gone = False
        self.stopped = ""
        """Why it hears nothing any more."""
        self.coroutine: Coroutine[Any, Any, None] | None = None
        self.waiting_for: Any = None
        self.hears_bars = overrides(strategy, "on_bar")
        self.hears_orders = overrides(strategy, "on_order")
        self.hears_fills = overrides(strategy, "on_fill")

    def streams(self, instrument: InstrumentId) -> list[Stream]:
        """What it has declared about an instrument's bars."""
        return [stream for stream in self.context.declared.streams.values() if stream.instrument == instrument]

    def recover(self, snapshot: Recovered) -> Any:
        """``on_recovered``, after what was saved was given back."""
        if snapshot.state is not None:
            self.strategy.restore(snapshot.state)
        return self.strategy.on_recovered(snapshot)

    def save(self, keep: Callable[[StrategyId, Any], None]) -> None:
        """Ask the strategy what it wants back after a restart."""
        state = self.strategy.dump()
        if state is not None:
            keep(self.name, state)

    def close(self, reason: str) -> None:
        """Nothing is delivered from here on."""
        self.stopped = self.stopped or reason
        self.busy = self.gone = True
        self.queue.clear()
        if self.coroutine is not None and not getattr(self.coroutine, "cr_running", False):
            self.coroutine.close()
        self.coroutine = self.waiting_for = None


class Timer:
    """What is called at set times; ``spec`` says when (``schedule.py``)."""

    __slots__ = ("callback", "name", "seat", "spec")

    def __init__(self, seat: Seat, name: str, spec: Any, callback: Callable[..., Any] | None) -> None:
        self.seat = seat
        self.name = name
        self.spec = spec
        self.callback = callback


def overrides(strategy: Strategy, handler: str) -> bool:
    """Whether a strategy defines the handler itself."""
    return getattr(type(strategy), handler) is not getattr(Strategy, handler)


def without_event(function: Callable[[], Any]) -> Handler:
    """A handler that takes no event; what a ``lambda`` happens to return is nobody's business."""

    def handle(_event: Any) -> Any:
        answer = function()
        return answer if inspect.iscoroutine(answer) else None

    return handle


def coroutine_of(seat: Seat, handler: Handler, answer: Any) -> Coroutine[Any, Any, None]:
    """What an ``async def`` handler gave back.

    Raises:
        ConfigError: it gave back something else.
    """
    if not inspect.iscoroutine(answer):
        name = getattr(handler, "__name__", "handler")
        raise ConfigError(f"{seat.name}: {name} returned {type(answer).__name__}; a handler returns nothing")
    return answer


def from_engine(error: BaseException) -> bool:
    """Whether the failure began inside the engine, not in the strategy's file or in how it used its hands."""
    if isinstance(error, StrategyHungError):
        return False
    rooms = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SluiceError):
        return bool(rooms) and rooms[-1].startswith("engine.") and not rooms[-1].startswith(USER_ROOMS)
    return any(room.startswith("engine.") and not room.startswith(USER_ROOMS) for room in rooms)


def place_of(error: BaseException) -> str:
    """``" (file.py:12)"``, where it was raised."""
    where = traceback.extract_tb(error.__traceback__)
    return f" ({where[-1].filename.rpartition('/')[2]}:{where[-1].lineno})" if where else ""
