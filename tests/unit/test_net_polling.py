"""Poll loops and back-off: on the marks, contained failures, states told once."""

import random

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import LiveClock
from engine.domain.errors import BadMessage, NotSent
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.net.backoff import Backoff
from engine.net.polling import LinkState, PollLoop, Schedule
from tests.gateway_builders import HandClock, draw

MARK = 5 * MINUTE_NS


@given(st.integers(0, 10**19), st.integers(0, 2**32))
def test_a_poll_falls_shortly_after_every_mark_and_never_before(now_ns: int, seed: int) -> None:
    """The next poll is at the slow step, or 2 to 3 s after the next mark if that comes first; always in the future."""
    schedule = Schedule(random.Random(seed), slow_ns=lambda _now: 20 * SECOND_NS, mark_ns=MARK)
    due = schedule.next_ns(now_ns)
    assert now_ns < due <= now_ns + 20 * SECOND_NS
    if due != now_ns + 20 * SECOND_NS:
        assert 2 * SECOND_NS <= due % MARK <= 3 * SECOND_NS
    # No mark is stepped over: between now and due lies none whose 3 s are over.
    passed = (now_ns - 2 * SECOND_NS) // MARK * MARK + MARK
    assert due <= passed + 3 * SECOND_NS


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_back_off_doubles_with_jitter_and_is_capped(seed: int, tries: int) -> None:
    """Each wait lies in the upper half of a ceiling that doubles up to 30 s; reset begins again (N17)."""
    backoff = Backoff(random.Random(seed))
    for n in range(tries):
        ceiling = min(SECOND_NS // 2 * 2**n, 30 * SECOND_NS)
        assert ceiling // 2 <= backoff.next_ns() <= ceiling
    backoff.reset()
    assert backoff.next_ns() <= SECOND_NS // 2


async def test_failures_are_contained_and_told_once() -> None:
    """Errors of the network make a state, once a change; answers go on being delivered."""
    script: list[object] = [1, NotSent("no"), NotSent("no"), BadMessage("odd"), ValueError("?"), 2]
    states: list[LinkState] = []
    answers: list[int] = []
    clock = LiveClock(speed=2000)

    async def fetch() -> int:
        step = script.pop(0)
        if isinstance(step, Exception):
            raise step
        return int(str(step))

    with anyio.CancelScope() as scope:

        def deliver(answer: int, _began_ns: int) -> None:
            answers.append(answer)
            if not script:
                scope.cancel()

        loop = PollLoop(
            clock, Backoff(draw()), lambda began: began, fetch, deliver, lambda state, _reason: states.append(state)
        )
        await loop.run()
    assert answers == [1, 2]
    assert loop.failures == 4
    assert states == [
        LinkState.CONNECTED, LinkState.DISCONNECTED, LinkState.STALE, LinkState.DISCONNECTED, LinkState.CONNECTED,
    ]  # fmt: skip


async def test_what_our_own_side_raises_is_not_contained() -> None:
    """A failure of ``deliver`` is ours and stops the engine."""

    async def fetch() -> int:
        return 1

    def deliver(_answer: int, _began_ns: int) -> None:
        raise ZeroDivisionError

    loop = PollLoop(LiveClock(speed=2000), Backoff(draw()), lambda began: began, fetch, deliver, lambda _s, _r: None)
    with anyio.fail_after(2), pytest.raises(ZeroDivisionError):
        await loop.run()


async def test_wake_asks_at_once() -> None:
    """A woken loop does not wait for its schedule."""
    asked: list[int] = []
    clock = HandClock(0)

    async def fetch() -> int:
        asked.append(1)
        return 1

    loop = PollLoop(
        clock, Backoff(draw()), lambda began: began + 3600 * SECOND_NS, fetch, lambda _a, _b: None, lambda _s, _r: None
    )
    async with anyio.create_task_group() as group:
        group.start_soon(loop.run)
        await anyio.wait_all_tasks_blocked()
        loop.wake()
        await anyio.wait_all_tasks_blocked()
        assert len(asked) == 2
        group.cancel_scope.cancel()
