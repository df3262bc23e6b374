"""The bus: an ordinary call that returns when an event and everything it caused is finished.

Children before siblings: what a handler publishes is delivered to the end before the next handler of the first event
runs. Handlers are found by the event's exact class, and called in the order they were subscribed, all of which happens
in ``runtime/wiring.py``.
"""

from collections.abc import Callable
from typing import Any

from engine.domain.errors import CascadeLimit

Handler = Callable[[Any], None]

CASCADE_DEPTH_MAX = 64


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

    def publisher(self, event_type: type) -> Handler:
        """``publish`` for one class with the look-up done once: for roots on the hot path (bars, quotes).

        Subscriptions made afterwards are not seen.
        """
        handlers = self._subscribers.get(event_type, ())
        if len(handlers) == 1:
            return handlers[0]

        def publish(event: Any) -> None:
            for handler in handlers:
                handler(event)

        return publish
