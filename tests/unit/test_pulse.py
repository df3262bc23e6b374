"""A process that stood still reads its account before it sends anything (RELIABILITY 3.3, C28)."""

import anyio

from engine.clock import LiveClock
from engine.domain.timestamps import SECOND_NS
from engine.runtime.pulse import Pulse


class Place:
    """A pulse whose process can be made to stand still."""

    def __init__(self) -> None:
        self.ahead_ns = 0
        self.clock = LiveClock(speed=1.0, monotonic_ns=self._now, wall_ns=lambda: 0)
        self.turns = anyio.Event()
        self.missed: list[int] = []
        self.looks: list[bool] = []
        self.answers = [False, True]
        self.resumed = 0
        self.pulse = Pulse(self.clock, self._look, self.missed.append, self._resume)
        self.clock.sleep = self._sleep  # type: ignore[method-assign]

    def _now(self) -> int:
        return self.ahead_ns

    async def _sleep(self, duration_ns: int) -> None:
        """Passes at once, but only when the test says so."""
        await self.turns.wait()
        self.turns = anyio.Event()
        self.ahead_ns += duration_ns

    async def _look(self) -> bool:
        assert self.pulse.holds()
        self.looks.append(self.answers[len(self.looks)])
        return self.looks[-1]

    def _resume(self) -> None:
        assert not self.pulse.holds()
        self.resumed += 1

    async def turn(self) -> None:
        self.turns.set()
        for _ in range(5):
            await anyio.lowlevel.checkpoint()


async def test_orders_wait_from_the_gap_to_a_reading() -> None:
    """They wait as soon as a beat is missing, until a reading came back, and not before or after."""
    place = Place()
    assert not place.pulse.holds(), "nothing beats yet"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(place.pulse.run)
        await place.turn()
        await place.turn()
        assert not place.pulse.holds()
        place.ahead_ns += 600 * SECOND_NS
        assert place.pulse.holds(), "before the beat has noticed"
        await place.turn()
        assert place.looks == [False]
        assert place.pulse.holds()
        await place.turn()
        assert (place.looks, place.resumed) == ([False, True], 1)
        assert not place.pulse.holds()
        assert [round(gap / SECOND_NS) for gap in place.missed] == [605]
        tasks.cancel_scope.cancel()


def test_a_fast_clock_does_not_make_a_busy_machine_a_suspended_one() -> None:
    """At a thousand times the speed half a minute is thirty milliseconds."""
    clock = LiveClock(speed=1_000.0)
    assert Pulse(clock, Place()._look, lambda _gap: None, lambda: None)._gap_ns == 2_000 * SECOND_NS
