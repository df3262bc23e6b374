"""The bus: order of delivery, and a limit on cascades."""

import pytest

from engine.bus import CASCADE_DEPTH_MAX, Bus, nobody, one_call, own_code
from engine.domain.errors import CascadeLimit


class Ping:
    pass


class Pong:
    pass


def test_handlers_of_a_class_are_called_in_order_of_subscription() -> None:
    """Wiring reads from top to bottom; other classes, subclasses too, hear nothing."""
    bus, heard = Bus(), []
    for name in "abc":
        bus.subscribe(Ping, lambda _event, name=name: heard.append(name))
    bus.publish(Ping())
    bus.publish(Pong())
    bus.publish(type("Sub", (Ping,), {})())
    assert heard == ["a", "b", "c"]


def test_children_run_before_siblings() -> None:
    """What a handler publishes is finished before the next handler of the first event runs."""
    bus, heard = Bus(), []
    bus.subscribe(Ping, lambda _: (heard.append("first"), bus.publish(Pong()))[0])
    bus.subscribe(Ping, lambda _: heard.append("second"))
    bus.subscribe(Pong, lambda _: heard.append("child"))
    bus.publish(Ping())
    assert heard == ["first", "child", "second"]


def test_handlers_that_feed_each_other_are_stopped_at_the_depth_limit() -> None:
    """An endless cascade is an error that names the event; afterwards the bus works again."""
    bus, depth = Bus(), []
    bus.subscribe(Ping, lambda event: (depth.append(1), bus.publish(event))[0])
    with pytest.raises(CascadeLimit, match="Ping"):
        bus.publish(Ping())
    assert len(depth) == CASCADE_DEPTH_MAX
    depth.clear()
    with pytest.raises(CascadeLimit):
        bus.publish(Ping())
    assert len(depth) == CASCADE_DEPTH_MAX


@pytest.mark.parametrize("count", range(7))
def test_a_publisher_calls_the_same_handlers_in_the_same_order(count: int) -> None:
    """However many there are: the short way is the long way."""
    bus, heard = Bus(), []
    for number in range(count):
        bus.subscribe(Ping, lambda event, number=number: heard.append((number, event)))
    event = Ping()
    bus.publisher(Ping)(event)
    short = list(heard)
    heard.clear()
    bus.publish(event)
    assert short == heard
    assert len(short) == count
    assert len(bus.subscribers(Ping)) == count


def test_one_call_of_nothing_is_nobody_and_of_one_is_that_one() -> None:
    """No layer is added where none is needed."""
    assert one_call([]) is nobody
    assert one_call([nobody]) is nobody


def test_own_code_copies_the_code_and_keeps_the_rest() -> None:
    """Closures and defaults stay; the code object is another."""
    seen = []

    def remember(value: int = 3) -> None:
        seen.append(value)

    twin = own_code(remember)
    twin()
    assert seen == [3]
    assert twin.__code__ is not remember.__code__
