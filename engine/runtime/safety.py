"""What keeps a live run safe, made and joined: kill campaigns, the pulse, the monitors, the end of a failed journal."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from engine.domain.errors import JournalError
from engine.domain.events import Alert, Fill, KillLevel, LatchCleared, LatchSet, OrderSubmitted, RunEnded
from engine.domain.timestamps import SECOND_NS
from engine.runtime import heartbeat, sentinel
from engine.runtime.enduring import EnduringJournal
from engine.runtime.flattening import Flattener
from engine.runtime.killing import Killing
from engine.runtime.monitors import Monitors, watched
from engine.runtime.pulse import Pulse

if TYPE_CHECKING:
    from engine.runtime.live import LiveRun

__all__ = ["EnduringJournal", "SafetyOfRun"]

PENDING_MAX_SECONDS = 120.0
"""How long a run whose journal failed waits for what is under way (real time)."""


class SafetyOfRun:
    """One a ``LiveRun``; its tasks live in the run's task group."""

    def __init__(self, run: "LiveRun") -> None:
        self._run = run
        self._core = core = run.core
        self._clock = run.clock
        self._settings = settings = run.spec.safety
        self._beat = 0
        run.journal.on_failure = self.journal_failed
        self._pid = heartbeat.own_pid() if settings.folder is not None else 0
        self._markets = tuple(dict.fromkeys(spec.market for spec in self._instruments()))
        self.killing = Killing(
            manager=core.manager,
            view=core.view,
            boxes=run.boxes,
            seekers=run.seekers,
            clock=run.clock,
            publish=core.bus.publish,
            settings=settings.kill,
            flattener=Flattener(
                portfolio=core.portfolio,
                view=core.view,
                manager=core.manager,
                history=core.history,
                clock=run.clock,
                publish=core.bus.publish,
                settings=settings.kill,
                accounts={strategy.name: account for account, strategy in run.spec.strategies},
                tag=run.spec.run_tag,
            ),
        )
        self.pulse = Pulse(
            clock=run.clock,
            safety=settings,
            looks={account: seeker.look for account, seeker in run.seekers.items()},
            halt=self.halt,
            alert=self.alert,
            beats=(self._look_at_journal, self._tell),
            freed=self._freed,
        )
        self.monitors = Monitors(watched(run, self.pulse), settings.monitors, self.alert, self.latch)
        for account, box in run.boxes.items():
            box.held = partial(_either, box.held, partial(self.pulse.held, account))
        for account, desk in run.instructions.boxes.items():
            desk.held = partial(self.pulse.held, account)

    def ears(self) -> Sequence[tuple[type, Callable[[Any], None]]]:
        """Who looks on, for the wiring."""
        return (
            (LatchSet, self.killing.on_latch),
            (LatchCleared, self.killing.on_unlatch),
            (OrderSubmitted, self.monitors.on_submitted),
            (Fill, self.monitors.on_fill),
        )

    def start(self, tasks: Any) -> None:
        """After recovery: what guards the ways out, then the ways out."""
        self.pulse.look_at_sentinel()
        self.killing.take_up()
        for box in self._run.boxes.values():
            tasks.start_soon(box.run)
        tasks.start_soon(self.pulse.run)
        tasks.start_soon(self.pulse.mend)
        tasks.start_soon(self.monitors.run)
        for account in self._run.boxes:
            tasks.start_soon(self.killing.serve, account)

    # --- latches -----------------------------------------------------------------------------------------------------

    def latch(self, level: KillLevel, scope: str, cause: str, who: str) -> None:
        """Raise a level, once; a scope that is as high already hears nothing."""
        known = self._core.view.latches.get(scope)
        if known is None or known.level < level:
            self._core.manager.latch(level, scope, cause, who)
            self.alert(f"kill:{scope}", f"level {level.name}, set by {who}: {cause}")

    def halt(self, cause: str, who: str) -> None:
        """No new orders, for anybody."""
        self.latch(KillLevel.HALT, "all", cause, who)

    def alert(self, about: str, text: str) -> None:
        self._core.bus.publish(Alert(ts_ns=self._clock.now_ns, about=about, text=text))

    def journal_failed(self, why: str) -> None:
        """L2 in memory and on disk beside the journal; the run ends when nothing is under way (RELIABILITY 3.1)."""
        cause = f"the journal failed: {why}"
        if self._settings.folder is not None:
            sentinel.write(self._settings.folder, cause, who="engine", ts_ns=self._clock.now_ns)
        self.alert("journal", f"{cause}; nothing new is sent, cancels go on, the run ends")
        self.halt(cause, "engine")
        self._run.stop(cause)

    async def seal(self, stop: Callable[[], None]) -> None:
        """The last row of the run, its gateways closed, and the last beat: then the watchdog may rest.

        Args:
            stop: ends the run's tasks, so that nobody appends behind the last row.
        """
        run = self._run
        run.journal.append(RunEnded(ts_ns=self._clock.now_ns, reason=run.stop_reason))
        run.turns.over = True
        stop()
        with suppress(JournalError):
            await run.journal.durable(run.journal.next_seq - 1)
        for gateway in run.gateways.values():
            await gateway.close()
        if not run.journal.failure and not self.killing.under_way:
            self._tell(ended=run.stop_reason or "ended")

    async def settle(self) -> None:
        """What is under way is answered; a run whose journal failed waits for its cancels as well, but not for ever."""
        await self._run.instructions.settle()
        if not self._run.journal.failure:
            return
        with anyio.move_on_after(PENDING_MAX_SECONDS):
            while any(order.cancel_pending for order in self._core.manager.working.values()):
                await self._clock.sleep(SECOND_NS)

    # --- once a second -----------------------------------------------------------------------------------------------

    def _look_at_journal(self) -> bool:
        return self._run.journal.healthy

    def _tell(self, ended: str = "") -> None:
        folder = self._settings.folder
        if folder is None:
            return
        self._beat += 1
        now_ns = self._clock.now_ns
        beat = heartbeat.Heartbeat(
            pid=self._pid,
            seq=self._beat,
            ts_ns=now_ns,
            speed=self._clock.speed,
            session=any(self._run.spec.books[market].is_open(now_ns) for market in self._markets),
            working=len(self._core.manager.working),
            ended=ended,
        )
        heartbeat.write(folder, beat)

    def _instruments(self) -> list[Any]:
        spec = self._run.spec
        names = [name for _, strategy in spec.strategies for name in strategy.instruments]
        return [spec.instruments[name] for name in names]

    def _freed(self) -> None:
        for box in self._run.boxes.values():
            box.poke()


def _either(one: Callable[[], bool], other: Callable[[], bool]) -> bool:
    return one() or other()
