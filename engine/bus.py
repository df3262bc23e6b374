"""The bus: an ordinary call that returns when an event and everything it caused is finished.

Children before siblings: what a handler publishes is delivered to the end before the next handler of the first event
runs. Handlers are found by the event's exact class, and called in the order they were subscribed, all of which happens
in ``runtime/wiring.py``.
"""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, TypeVar, cast

from engine.domain.errors import CascadeLimit

Handler = Callable[[Any], object]

CASCADE_DEPTH_MAX = 64

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Bus:
    """Type-keyed, synchronous, single-threaded."""

    __slots__ = ("_depth", "_subscribers")

    def __init__(self) -> None:
        self._subscribers: dict[type, tuple[Handler, ...]] = {}
        self._depth = 0

    def subscribe(self, event_type: type, handler: Handler) -> None:
        self._subscribers[event_type] = (*self._subscribers.get(event_type, ()), handler)

    def publish(self, event: Any) -> None:
        """Deliver to every subscriber of the event's class; an event nobody wants is nothing.

        Raises:
            CascadeLimit: events nest deeper than ``CASCADE_DEPTH_MAX``.
        """
        depth = self._depth
        if depth >= CASCADE_DEPTH_MAX:
            raise CascadeLimit(f"events nest {depth} deep at {type(event).__name__}: handlers feed each other")
        self._depth = depth + 1
        try:
            for handler in self._subscribers.get(event.__class__, ()):
                handler(event)
        finally:
            self._depth = depth

    def publisher(self, event_type: type, *, without: Sequence[Handler] = ()) -> Handler:
        """``publish`` for one class with the look-up done once: for roots and steps on the hot path.

        Subscriptions made afterwards are not seen, and its depth is not counted.

        Args:
            without: subscribers that would do nothing with it in this run.
        """
        return one_call([handler for handler in self._subscribers.get(event_type, ()) if handler not in without])

    def subscribers(self, event_type: type) -> tuple[Handler, ...]:
        """Who hears this class, in order."""
        return self._subscribers.get(event_type, ())


def one_call(handlers: Sequence[Handler]) -> Handler:
    """All handlers as one."""
    if not handlers:
        return nobody
    if len(handlers) == 1:
        return handlers[0]
    if len(handlers) == 3:
        one, two, three = handlers

        def publish_three(event: Any) -> None:
            one(event)
            two(event)
            three(event)

        return own_code(publish_three)
    first, rest = handlers[0], one_call(handlers[1:])

    def publish(event: Any) -> None:
        first(event)
        rest(event)

    return own_code(publish)


def own_code(function: _Function) -> _Function:
    """The same function with a code object to itself.

    The interpreter remembers in the code what is called from where, and is fast while that stays the same; closures of
    one code that call different things spoil it for each other.
    """
    made = FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    return cast(_Function, made)


def nobody(*_event: Any) -> None:
    """No one subscribed."""
