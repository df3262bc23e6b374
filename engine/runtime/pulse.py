"""The beat of a run: how long its loop's turns take, whether it was away, and the files that tell others.

Each beat measures the loop's lag; once a second it looks at the sentinel and the journal and writes the heartbeat. A
run that was away, because its process was stopped or its machine slept, looks at the sentinel before anything leaves,
and after longer absences reads every account first (RELIABILITY 4.4; 3.3, C28). The outboxes ask ``held`` at every last
look, so it holds in the very turn in which the process wakes up.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio

from engine.clock import LiveClock
from engine.domain.ids import AccountId
from engine.domain.timestamps import SECOND_NS, duration_ns
from engine.runtime import sentinel
from engine.runtime.safety_settings import Safety

BEAT_NS = 250_000_000
"""Real time between two beats of a run that has files; the first of these bounds what a lag can hide."""
QUIET_BEAT_NS = 5 * SECOND_NS
"""Of a run without files: the simulation, whose loop does not lag."""
LOOK_AGAIN_NS = 2 * SECOND_NS

Look = Callable[[], Awaitable[object | None]]


class Pulse:
    """One a run."""

    def __init__(
        self,
        *,
        clock: LiveClock,
        safety: Safety,
        looks: Mapping[AccountId, Look],
        halt: Callable[[str, str], None],
        alert: Callable[[str, str], None],
        beats: Sequence[Callable[[], object]],
        freed: Callable[[], None],
    ) -> None:
        """
        Args:
            looks: how each account is read; None where the reading failed.
            halt: latches everything: cause, who. alert: about, text.
            beats: called once a second (real time): the journal's health, the heartbeat.
            freed: called when orders that were held may leave.
        """
        self._clock = clock
        self._folder = safety.folder
        self._looks = looks
        self._halt = halt
        self._alert = alert
        self._beats = beats
        self._freed = freed
        self._check_ns = duration_ns(safety.monitors.gap_check)
        self._snapshot_ns = duration_ns(safety.monitors.gap_snapshot)
        self._lag_max_ns = duration_ns(safety.monitors.loop_lag)
        self.lag_ns = 0
        """How much later than due the last beat came (real time)."""
        self.lag_worst_ns = 0
        """The longest since somebody last read it and set it to 0."""
        self.last_ns = clock.now_ns
        """When it last beat."""
        self._last_slip_ns = clock.slip_ns
        self._away: dict[AccountId, None] = {}
        self._mend = anyio.Event()

    @property
    def lagging(self) -> bool:
        """Whether the loop is too slow to trade on (RELIABILITY 4.1, row 2). At other speeds than 1 nobody trades."""
        return self.lag_ns > self._lag_max_ns and self._clock.speed == 1

    def not_ready(self, account: AccountId) -> str:
        """Why no order of an account may leave just now; empty: it may."""
        self._notice()
        if account in self._away:
            return "the run was away and has not read the account since"
        return f"the loop is {self.lag_ns // 1_000_000} ms late" if self.lagging else ""

    def held(self, account: AccountId) -> bool:
        return bool(self.not_ready(account))

    async def run(self) -> None:
        """Until cancelled."""
        period_ns = BEAT_NS if self._folder is not None else QUIET_BEAT_NS
        clock, told_ns = self._clock, 0
        self.last_ns, self._last_slip_ns = clock.now_ns, clock.slip_ns
        while True:
            due_ns = clock.now_ns + round(period_ns * clock.speed)
            await clock.sleep(round(period_ns * clock.speed))
            self._notice()
            self._measure(self._real_ns(clock.now_ns - due_ns))
            self.last_ns, self._last_slip_ns = clock.now_ns, clock.slip_ns
            if self._real_ns(clock.now_ns - told_ns) >= SECOND_NS - BEAT_NS // 2:
                told_ns = clock.now_ns
                self.look_at_sentinel()
                for beat in self._beats:
                    beat()

    async def mend(self) -> None:
        """Until cancelled: read each account the run was away from, and let its orders go on."""
        while True:
            await self._mend.wait()
            for account in list(self._away):
                if await self._looks[account]() is not None:
                    self._away.pop(account, None)
                    self._freed()
            if self._away:
                await self._clock.sleep(LOOK_AGAIN_NS)
            else:
                self._mend = anyio.Event()

    def look_at_sentinel(self) -> None:
        """Latch everything if it is there."""
        found = sentinel.read(self._folder) if self._folder is not None else None
        if found is not None:
            self._halt(f"sentinel: {found.cause}", found.who)

    def _notice(self) -> None:
        """Whether we were away: a beat that is overdue by more than any lag, or a wall clock that jumped ahead."""
        now_ns, slip_ns = self._clock.now_ns, self._clock.slip_ns
        gap_ns = max(self._real_ns(now_ns - self.last_ns), slip_ns - self._last_slip_ns)
        if gap_ns <= self._check_ns:
            return
        self.last_ns, self._last_slip_ns = now_ns, slip_ns
        self.look_at_sentinel()
        reads = gap_ns > self._snapshot_ns
        if reads:
            self._away = dict.fromkeys(self._looks)
            self._mend.set()
        text = f"nothing ran for {gap_ns / SECOND_NS:.1f} s: stopped, or asleep"
        self._alert("run", f"{text}; every account is read before an order leaves" if reads else text)

    def _measure(self, late_ns: int) -> None:
        before = self.lagging
        self.lag_ns = max(0, late_ns)
        self.lag_worst_ns = max(self.lag_worst_ns, self.lag_ns)
        if before and not self.lagging:
            self._freed()

    def _real_ns(self, duration: int) -> int:
        return round(self._clock.real_seconds(duration) * SECOND_NS)
