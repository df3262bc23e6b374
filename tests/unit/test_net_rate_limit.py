"""The call budget: the server never counts more calls than it takes, and the urgent find room."""

from collections import deque

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.errors import NotSent
from engine.domain.timestamps import SECOND_NS
from engine.net.rate_limit import Budget, Priority, SlidingWindow
from tests.gateway_builders import HandClock

LIMITS = {"auth": 10, "trade": 30, "details": 5, "general": 60}


class Server:
    """Counts as the real one does: one log, each rule compares the whole of it with its own limit."""

    def __init__(self) -> None:
        self.log: deque[int] = deque()

    def takes(self, call_class: str, now_ns: int) -> bool:
        while self.log and self.log[0] <= now_ns - 60 * SECOND_NS:
            self.log.popleft()
        if len(self.log) >= LIMITS[call_class]:
            return False
        self.log.append(now_ns)
        return True


steps = st.lists(
    st.tuples(
        st.sampled_from(sorted(LIMITS)),
        st.sampled_from(sorted(Priority)),
        st.integers(0, 3 * SECOND_NS),  # until the next call
        st.integers(0, 2 * SECOND_NS),  # how long the call takes
        st.floats(0, 1),  # where in it the server counts it
    ),
    max_size=200,
)


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(-400_000_000, 400_000_000))
def test_the_server_never_has_to_refuse(calls: list[tuple[str, Priority, int, int, float]], skew_ns: int) -> None:
    """Whatever the calls, wherever in a call the server counts it, and with its clock apart from ours by a jitter
    below the margin, no call that the window let in is one too many."""
    window, server, now = SlidingWindow(LIMITS), Server(), 10**18
    flying: list[tuple[int, object]] = []
    counted: list[tuple[int, int, str]] = []
    for call_class, priority, gap, took, where in calls:
        now += gap
        for end, ticket in sorted(flying, key=lambda pair: pair[0]):
            if end <= now:
                window.leave(ticket, end)  # type: ignore[arg-type]
        flying = [pair for pair in flying if pair[0] > now]
        ready = window.ready_ns(call_class, priority, now)
        if ready is None or ready > now:
            continue
        flying.append((now + took, window.enter(call_class)))
        counted.append((now + round(took * where), len(counted), call_class))
    stamp = 0
    for at, number, call_class in sorted(counted):
        # Its clock runs by jerks, but not backwards.
        stamp = max(stamp, at + (skew_ns if number % 2 else 0))
        assert server.takes(call_class, stamp)


def full(count: int, call_class: str = "general", **settings_: object) -> SlidingWindow:
    window = SlidingWindow(LIMITS, **settings_)  # type: ignore[arg-type]
    for second in range(count):
        window.leave(window.enter(call_class), second * SECOND_NS)
    return window


def test_all_classes_share_one_counter() -> None:
    """Contract 5: five calls of any kind refuse details, ten a login, thirty a trade."""
    now = 40 * SECOND_NS
    for count, closed in ((4, set()), (5, {"details"}), (10, {"details", "auth"}), (30, {"details", "auth", "trade"})):
        window = full(count)
        waits = {name for name in LIMITS if (window.ready_ns(name, Priority.ORDER, now) or 0) > now}
        assert waits == closed


def test_a_call_weighs_a_window_and_a_margin_after_its_end() -> None:
    """Room comes back when the oldest of the surplus leaves: 60 s and the margin after it ended."""
    window = full(10)
    assert window.ready_ns("auth", Priority.LOGIN, 20 * SECOND_NS) == 61 * SECOND_NS
    assert window.ready_ns("auth", Priority.LOGIN, 61 * SECOND_NS) == 0


def test_separate_classes_do_not_hinder_each_other() -> None:
    """With ``shared=False`` each class has its own counter."""
    window = full(10, "auth", shared=False)
    assert window.ready_ns("details", Priority.READ, 20 * SECOND_NS) == 0
    assert window.ready_ns("auth", Priority.READ, 20 * SECOND_NS) == 61 * SECOND_NS


def test_background_leaves_room_for_orders() -> None:
    """A ceiling of a priority is below the limit of the class."""
    window = full(15, ceilings={Priority.BACKGROUND: 15})
    now = 20 * SECOND_NS
    assert (window.ready_ns("general", Priority.BACKGROUND, now) or 0) > now
    assert window.ready_ns("trade", Priority.ORDER, now) == 0


def test_a_refusal_holds_back_this_class_and_the_stricter_ones() -> None:
    """429 although we counted right: somebody shares the address. 5, 10, then 20 s, or until our oldest call leaves."""
    window, now = SlidingWindow(LIMITS), 0
    assert [window.refused("trade", now) for _ in range(4)] == [s * SECOND_NS for s in (5, 10, 20, 20)]
    assert window.ready_ns("details", Priority.READ, now) == 20 * SECOND_NS
    assert window.ready_ns("general", Priority.READ, now) == 0
    window.answered()
    assert window.refused("auth", now) == 5 * SECOND_NS
    assert window.refused("auth", now, 42 * SECOND_NS) == 42 * SECOND_NS
    assert full(1).refused("trade", SECOND_NS) == 60 * SECOND_NS


def test_a_call_that_never_arrived_is_not_counted() -> None:
    """NotSent and 429 give the place back at once."""
    window = SlidingWindow({"x": 1})
    window.leave(window.enter("x"), 0, counted=False)
    assert window.ready_ns("x", Priority.ORDER, 0) == 0


async def test_waiters_go_by_urgency_and_then_by_arrival() -> None:
    """An order that comes last goes first; a background call that would fit does not pass a waiting login."""
    clock = HandClock(0)
    budget = Budget(full(10), clock)
    order: list[str] = []

    async def wait(name: str, call_class: str, priority: Priority) -> None:
        budget.release(await budget.acquire(call_class, priority))
        order.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(wait, "login", "auth", Priority.LOGIN)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(wait, "poll", "general", Priority.BACKGROUND)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(wait, "order", "trade", Priority.ORDER)
        await anyio.wait_all_tasks_blocked()
        assert order == ["order"]
        clock.move(100 * SECOND_NS)
        # The waiters sleep on the machine's time: any release wakes them to look at the clock again.
        budget.release(budget.window.enter("general"), counted=False)
        await anyio.wait_all_tasks_blocked()
    assert order == ["order", "login", "poll"]


async def test_a_wait_that_takes_too_long_gives_the_order_back_unsent() -> None:
    """No place within the time allowed is NotSent, and the queue is left clean."""
    clock = HandClock(10 * SECOND_NS)
    budget = Budget(SlidingWindow({"trade": 1}), clock)
    ticket = await budget.acquire("trade", Priority.ORDER)
    with pytest.raises(NotSent, match="budget"):
        await budget.acquire("trade", Priority.ORDER, wait_max_ns=0)
    budget.release(ticket, counted=False)
    assert (await budget.acquire("trade", Priority.ORDER)) is not ticket


async def test_a_cancelled_waiter_does_not_block_the_others() -> None:
    """Cancelling the first in the queue lets the next one look."""
    clock = HandClock(0)
    budget = Budget(SlidingWindow({"a": 1, "b": 5}), clock)
    budget.release(await budget.acquire("a", Priority.READ))
    passed = anyio.Event()

    async def second() -> None:
        await budget.acquire("b", Priority.READ)
        passed.set()

    async with anyio.create_task_group() as outer:
        async with anyio.create_task_group() as inner:
            inner.start_soon(budget.acquire, "a", Priority.READ)
            await anyio.wait_all_tasks_blocked()
            outer.start_soon(second)
            await anyio.wait_all_tasks_blocked()
            assert not passed.is_set()
            inner.cancel_scope.cancel()
        with anyio.fail_after(2):
            await passed.wait()
