"""Looking at what was traded, and at the run itself, every few seconds (RELIABILITY 4.2).

A check is a function from the scene to findings; it reads and changes nothing. ``Monitors`` runs them, says each
finding once and again while it lasts, and raises the latch a finding asks for. Breaks between our books and the
venue's are ``reconciliation``'s.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from engine.clock import LiveClock
from engine.domain.events import Fill, KillLevel, OrderSubmitted
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.timestamps import duration_ns
from engine.ports import Gateway, Journal
from engine.runtime.fill_checks import FillChecks, Finding
from engine.runtime.monitor_checks import CHECKS, Scene
from engine.runtime.outbox import Outbox
from engine.runtime.safety_settings import MonitorsTable
from engine.runtime.wiring import Core

if TYPE_CHECKING:
    from engine.runtime.live import LiveRun
    from engine.runtime.pulse import Pulse

MIB = 1024 * 1024


@runtime_checkable
class Expires(Protocol):
    """A gateway whose login ends."""

    def expires_ns(self) -> int | None:
        """When what it is logged in with ends, ns UTC; None: never, or not known."""


class Monitors:
    """One a run; the wiring shows it orders and fills, ``run`` looks at the rest."""

    def __init__(
        self,
        scene: Scene,
        settings: MonitorsTable,
        alert: Callable[[str, str], None],
        latch: Callable[[KillLevel, str, str, str], None],
    ) -> None:
        """``alert``: about, text. ``latch``: level, scope, cause, who."""
        self._scene = scene
        self._settings = settings
        self._alert = alert
        self._latch = latch
        self._period_ns = duration_ns(settings.period)
        self._repeat_ns = duration_ns(settings.repeat)
        self._said: dict[str, int] = {}
        self._fills = FillChecks(scene.core, settings)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.look()
            await self._scene.clock.sleep(self._period_ns)

    def look(self) -> None:
        """Every check once."""
        now_ns = self._scene.clock.now_ns
        for check in CHECKS:
            for finding in check(self._scene, self._settings, now_ns):
                self._tell(finding, now_ns)
        # What comes and goes is said once in its time, whether it lasts or not.
        self._said = {key: at for key, at in self._said.items() if now_ns - at < self._repeat_ns}

    def on_submitted(self, event: OrderSubmitted) -> None:
        """Keep the price at which it was decided."""
        for finding in self._fills.on_submitted(event):
            self._tell(finding, event.ts_ns)

    def on_fill(self, fill: Fill) -> None:
        for finding in self._fills.on_fill(fill):
            self._tell(finding, self._scene.clock.now_ns)

    def _tell(self, finding: Finding, now_ns: int) -> None:
        """Say it unless it was said lately."""
        if finding.level > KillLevel.RUN:
            self._latch(finding.level, finding.scope, finding.text, "monitor")
        said_ns = self._said.get(finding.key)
        if said_ns is None or now_ns - said_ns >= self._repeat_ns:
            self._said[finding.key] = now_ns
            self._alert(finding.about, finding.text)


def watched(run: "LiveRun", pulse: "Pulse") -> Scene:
    """What the checks of a live run look at."""
    core: Core = run.core
    clock: LiveClock = run.clock
    boxes: Mapping[AccountId, Outbox] = run.boxes
    journal: Journal = run.journal
    gateways: Mapping[str, Gateway] = run.gateways
    intervals: dict[InstrumentId, int] = {}
    for _, strategy in run.spec.strategies:
        for instrument in strategy.instruments:
            intervals[instrument] = max(intervals.get(instrument, 0), strategy.bar_interval_ns)

    def worst_lag() -> int:
        lag, pulse.lag_worst_ns = pulse.lag_worst_ns, 0
        return lag if clock.speed == 1 else 0

    return Scene(
        core=core,
        clock=clock,
        boxes=boxes,
        journal=journal,
        intervals=intervals,
        worst_lag=worst_lag,
        free_mib=free_mib_of(run.spec.safety.folder),
        offsets=lambda: offsets_of(clock) if clock.real else {},
        expiries=partial(_expiries, [(name, one) for name, one in gateways.items() if isinstance(one, Expires)]),
    )


def free_mib_of(folder: Path | None) -> Callable[[], int | None]:
    """How much room is left where the run's files are; None where it has none or nobody can say."""

    def free() -> int | None:
        if folder is None:
            return None
        place = next((one for one in (folder, *folder.absolute().parents) if one.exists()), None)
        try:
            return None if place is None else shutil.disk_usage(place).free // MIB
        except OSError:
            return None

    return free


def offsets_of(clock: LiveClock) -> Mapping[str, int]:
    """Whose clock, and how far from ours, as far as is proven."""
    found = {"this machine's wall clock (stepped, or the machine slept)": clock.slip_ns}
    return found | {f"the clock of {address}": theirs.offset_ns for address, theirs in clock.servers.items()}


def _expiries(gateways: Sequence[tuple[str, Expires]]) -> Mapping[str, int]:
    known = ((name, gateway.expires_ns()) for name, gateway in gateways)
    return {name: at for name, at in known if at is not None}
