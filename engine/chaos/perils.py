"""What happens to the engine's process and to the people around it: stops, sleeps, clocks, disks, the kill switch.

Everything here outlives the engine's lives: a latch that was set is let go of in whichever life is there by then, and
each new life is looked at for the latches the last one had (I9).
"""

from collections.abc import Callable
from functools import partial

import anyio

from engine.chaos.hangar import Hangar
from engine.chaos.mishaps import (
    FlapFault,
    JumpFault,
    LatchFault,
    LimitFault,
    StopFault,
    StopKind,
    StoreFault,
    SuspendFault,
)
from engine.chaos.world import Process
from engine.domain.events import KillLevel
from engine.domain.timestamps import SECOND_NS
from engine.runtime.live import LiveRun

ENGINE = "engine"


class Perils:
    """The schedule's share of what strikes lives; made once a flight."""

    def __init__(self, hangar: Hangar) -> None:
        self._hangar = hangar
        self._world = world = hangar.world
        self._releases: list[float] = []
        self._timers: dict[type, Callable[..., None]] = {
            SuspendFault: self._suspend,
            JumpFault: self._jump,
            FlapFault: self._flap,
            LatchFault: self._press,
        }
        for fault in world.schedule:
            match fault:
                case SuspendFault() | JumpFault() | FlapFault():
                    world.loop.call_later(fault.at_seconds, self._strike, fault)
                case LatchFault() if fault.at_seconds:
                    world.loop.call_later(fault.at_seconds, self._strike, fault)
                case StopFault():
                    world.at_seams[ENGINE, fault.start, fault.seam] = partial(self._stop, fault)
                case LatchFault():
                    world.at_seams[ENGINE, fault.start, fault.seam] = partial(self._latch, fault)

    # --- during a life -----------------------------------------------------------------------------------------------

    async def beside(self, run: LiveRun, process: Process) -> None:
        """Beside one life: what it was born with is checked, and latches are let go of when their time has come."""
        if any(isinstance(f, LimitFault) and f.start <= process.start for f in self._world.schedule):
            self._world.network.fired["limit"] += 1
        self._check_latches(run)
        while True:
            self._world.trading = run.ready.is_set()
            if self._hangar.landing:
                return
            due = [moment for moment in self._releases if moment <= self._world.loop.seconds]
            if due and run.ready.is_set():
                for moment in due:
                    self._releases.remove(moment)
                run.core.manager.unlatch("all", "drill over", "operator")
            if self._world.healed and not self._releases:
                return
            await anyio.sleep(1.0)

    def _check_latches(self, run: LiveRun) -> None:
        """I9: what the journal's file says, read by somebody else, holds in the new life from its first moment."""
        hangar = self._hangar
        hangar.file.catch_up()
        durable, ours = hangar.file.latched, run.core.view.latches
        hangar.flight.checked["latches kept"] += 1
        if bool(durable) != any(scope == "all" and latch.level >= KillLevel.HALT for scope, latch in ours.items()):
            hangar.accuse(f"I9: the journal says {durable or 'no latch'}, the new life has {dict(ours)}")

    def _latch(self, fault: LatchFault) -> None:
        run = self._hangar.run
        if run is None or self._world.healed:
            return
        self._world.network.note(fault)
        self._releases.append(self._world.loop.seconds + fault.seconds)
        level = KillLevel.CANCEL if fault.cancels else KillLevel.HALT
        run.core.manager.latch(level, "all", "drill", "operator")

    def _stop(self, fault: StopFault) -> None:
        run = self._hangar.run
        if run is None or self._world.healed:
            return
        self._world.network.note(fault)
        if fault.kind is StopKind.TERM:
            run.stop("SIGTERM")
        else:
            self._world.processes[ENGINE].stop()

    # --- by the clock ------------------------------------------------------------------------------------------------

    def _strike(self, fault: SuspendFault | JumpFault | FlapFault | LatchFault) -> None:
        if not self._world.healed:
            self._timers[type(fault)](fault)

    def _suspend(self, fault: SuspendFault) -> None:
        process = self._world.processes.get(ENGINE)
        if process is None or not process.alive or not self._world.loop.freeze(process.life):
            return
        self._world.network.note(fault)
        self._world.trace("suspended")
        self._world.loop.call_later(fault.seconds, self._world.loop.thaw)

    def _press(self, fault: LatchFault) -> None:
        process = self._world.processes.get(ENGINE)
        if process is not None and process.alive and not self._world.loop.asleep(process.life):
            # The process itself acts on the operator's word: it is its code, and dies with it.
            self._world.loop.call_soon(self._latch, fault, context=process.context)

    def _jump(self, fault: JumpFault) -> None:
        self._world.network.note(fault)
        self._world.wall_offset_ns += round(fault.jump_seconds * SECOND_NS)
        self._world.loop.call_later(fault.seconds, self._set_right, fault)

    def _set_right(self, fault: JumpFault) -> None:
        self._world.wall_offset_ns -= round(fault.jump_seconds * SECOND_NS)

    def _flap(self, fault: FlapFault) -> None:
        self._world.network.note(fault)
        for number in range(fault.times):
            self._world.loop.call_later(number * fault.every_seconds, self._reset, fault.port)

    def _reset(self, port: int) -> None:
        if not self._world.healed:
            for connection in self._world.network.connections_to(port):
                connection.cut()

    # --- between lives -----------------------------------------------------------------------------------------------

    def disk_failed(self, start: int) -> bool:
        """Whether the disk failed in that life."""
        return start in self._world.disks_failed

    def mended_seconds(self, start: int) -> float:
        """How long the disk takes to be mended."""
        return next(f.down_seconds for f in self._world.schedule if isinstance(f, StoreFault) and f.start == start)

    def stopped_seconds(self, start: int, otherwise: float) -> float:
        """How long a life that was stopped stays down."""
        found = (f.down_seconds for f in self._world.schedule if isinstance(f, StopFault) and f.start == start)
        return next(found, otherwise)
