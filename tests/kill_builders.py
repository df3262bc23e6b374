"""Flights over the stages of ``router_builders`` in which somebody stops everything, at a moment or at a step."""

from typing import Any

import msgspec

from engine.domain.events import Alert, KillLevel
from engine.ports import Gateway
from engine.runtime.live import LiveRun, LiveSpec
from engine.runtime.safety_settings import KillTable
from tests.router_builders import Landing, Rehearsal, Stage, rehearsed
from tests.router_plans import Plan, Wish
from tests.router_stages import STAGES

RESTS = Plan(wishes=(Wish(place="away"),), seconds=110.0)
"""One order that rests."""


class Drill:
    """What is pressed and when, and what it found; outlives the stage."""

    def __init__(
        self,
        *,
        level: KillLevel = KillLevel.CANCEL,
        scope: str = "all",
        at: float | None = 20.0,
        step: int = 0,
        crash_after: float | None = None,
        start: str = "",
        kill: KillTable | None = None,
        twice: Wish | None = None,
    ) -> None:
        """
        Args:
            at: seconds after the strategy started. step: or at so many-th step of the first order, from 1.
            crash_after: seconds after that the engine is killed and started again.
            start: when the flight begins, by the exchange's clock.
            twice: what is wished for after it was pressed.
        """
        self.level, self.scope, self.at, self.step = level, scope, at, step
        self.crash_after, self.start, self.kill, self.twice = crash_after, start, kill or KillTable(), twice
        self.steps = 0
        self.counting = False
        self.pressed = False
        self.begun = 0
        """Order requests that were handed to the router."""
        self.begun_at_latch = 0
        self.arrived_later = 0
        """Orders that came to the venue for which the router was called after the latch."""
        self.stage: Any = None

    def press(self, run: LiveRun) -> None:
        if not self.pressed:
            self.pressed = True
            self.begun_at_latch = self.begun
            run.core.manager.latch(self.level, self.scope, "drill", "operator")
            if self.crash_after is not None:
                process = self.stage.world.processes["engine"]
                self.stage.world.loop.call_later(self.crash_after, process.crash)

    def one_step(self, run: LiveRun) -> None:
        if self.counting and not self.pressed:
            self.steps += 1
            if self.steps == self.step:
                self.press(run)


class _Steps:
    """A journal each of whose records is a step, and each wait for the disk two: before it and after."""

    def __init__(self, journal: Any, drill: Drill, run: LiveRun) -> None:
        self._journal, self._drill, self._run = journal, drill, run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, record: Any) -> int:
        if type(record).__name__ == "OrderSubmitted":
            self._drill.counting = True
        # Nothing can come between a record and what it records: one step, before both.
        self._drill.one_step(self._run)
        seq: int = self._journal.append(record)
        return seq

    async def durable(self, seq: int) -> None:
        self._drill.one_step(self._run)
        await self._journal.durable(seq)
        self._drill.one_step(self._run)


def killed(stage: str, drill: Drill, plan: Plan = RESTS) -> Landing:
    """Fly a plan over a stage with a drill in it."""
    kind: type[Stage] = type(stage.title().replace(" ", ""), (_Drilled, STAGES[stage]), {"drill": drill})
    if drill.start:
        kind.starts = (drill.start,)
    return rehearsed(kind, plan)


class _Drilled(Stage):
    drill: Drill
    rehearsal: Rehearsal

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.drill.stage = self
        if self.drill.at is not None and not self.drill.step:
            self.world.loop.call_later(self.lead_seconds + self.drill.at, self._press)

    def _press(self) -> None:
        assert self.run is not None
        self.drill.press(self.run)

    def spec(self) -> LiveSpec:
        spec = super().spec()
        return msgspec.structs.replace(
            spec, safety=msgspec.structs.replace(spec.safety, kill=self.drill.kill)
        )  # fmt: skip

    def open(self, *args: Any) -> Gateway:
        gateway = super().open(*args)
        router: Any = gateway.router
        submit = router.submit

        async def counted(*order: Any) -> Any:
            self.drill.begun += 1
            return await submit(*order)

        router.submit = counted
        return gateway

    def order_came(self, number: int) -> None:
        super().order_came(number)
        if self.drill.pressed and number > self.drill.begun_at_latch:
            self.drill.arrived_later += 1

    @property
    def watcher(self) -> Any:
        return self._watcher

    @watcher.setter
    def watcher(self, value: Any) -> None:
        self._watcher = value
        look_at = value.look_at

        def looking(run: LiveRun) -> None:
            look_at(run)
            if self.drill.step:
                journal: Any = run.journal
                journal._journal = _Steps(journal._journal, self.drill, run)

        value.look_at = looking


def said(landing: Landing, words: str) -> list[Alert]:
    """The alerts with these words."""
    return [alert for alert in landing.alerts if words in alert.text]
