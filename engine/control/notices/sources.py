"""What of a run becomes a notice, and how bad each thing is."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from engine.control.notices.notice import Notice, Severity
from engine.domain.events import (
    Alert,
    Fill,
    KillLevel,
    LatchCleared,
    LatchSet,
    OrderDenied,
    OrderDisputed,
    OrderSubmitted,
    StrategyStopped,
)
from engine.heard import HISTORY
from engine.runner import RUN_ENDED

CRITICAL_ABOUT = ("kill:", "journal")
"""Alerts about these say that trading stops, or that a stop has not reached every order."""
INFO_ABOUT = ("operator",)
LATCHED = "level "
"""The alert that goes with a latch; the latch itself is told."""


class Sources:
    """Looks on at every run of a daemon, and counts what the day's summary says."""

    def __init__(self, tell: Callable[[Notice], None]) -> None:
        self._tell = tell
        self.counted: Counter[str] = Counter()
        """``orders``, ``fills``, ``denied``, ``alerts`` since they were last taken."""

    def watchers(self) -> Sequence[tuple[type, Callable[[Any], None]]]:
        """For the wiring."""
        return (
            (Alert, self._on_alert),
            (LatchSet, self._on_latch),
            (LatchCleared, self._on_cleared),
            (StrategyStopped, self._on_stopped),
            (OrderDisputed, self._on_disputed),
            (Fill, self._on_fill),
            (OrderSubmitted, self._on_submitted),
            (OrderDenied, self._on_denied),
        )

    def take(self) -> dict[str, int]:
        """What was counted, which begins anew."""
        counted, self.counted = dict(self.counted), Counter()
        return counted

    def _on_alert(self, alert: Alert) -> None:
        self.counted["alerts"] += 1
        if alert.about.startswith("kill:") and alert.text.startswith(LATCHED):
            return
        severity = Severity.WARNING
        if alert.about.startswith(CRITICAL_ABOUT):
            severity = Severity.CRITICAL
        elif alert.about.startswith(INFO_ABOUT):
            severity = Severity.INFO
        self._tell(Notice(severity=severity, about=alert.about, text=alert.text, ts_ns=alert.ts_ns))

    def _on_latch(self, latch: LatchSet) -> None:
        severity = Severity.CRITICAL if latch.level >= KillLevel.HALT else Severity.WARNING
        text = f"{latch.level.name}, set by {latch.who}: {latch.cause}"
        self._tell(Notice(severity=severity, about=f"kill {latch.scope}", text=text, ts_ns=latch.ts_ns))

    def _on_cleared(self, event: LatchCleared) -> None:
        text = f"let go by {event.who}: {event.reason}"
        self._tell(Notice(severity=Severity.WARNING, about=f"kill {event.scope}", text=text, ts_ns=event.ts_ns))

    def _on_stopped(self, event: StrategyStopped) -> None:
        if event.reason != RUN_ENDED:
            about = f"strategy {event.strategy}"
            text = f"stopped: {event.reason}"
            self._tell(Notice(severity=Severity.WARNING, about=about, text=text, ts_ns=event.ts_ns))

    def _on_disputed(self, event: OrderDisputed) -> None:
        about, text = f"order {event.client_id}", f"disputed, a person must decide: {event.reason}"
        self._tell(Notice(severity=Severity.WARNING, about=about, text=text, ts_ns=event.ts_ns))

    def _on_fill(self, fill: Fill) -> None:
        self.counted["fills"] += 1
        text = f"{fill.side} {fill.quantity} {fill.instrument} at {fill.price} ({fill.account}, {fill.strategy})"
        self._tell(Notice(severity=Severity.INFO, about=f"fill {fill.client_id}", text=text, ts_ns=fill.ts_ns))

    def _on_submitted(self, _event: OrderSubmitted) -> None:
        self.counted["orders"] += 1

    def _on_denied(self, event: OrderDenied) -> None:
        self.counted["denied"] += 1
        if event.code == HISTORY:
            # As ordinary as a start, and as many as there were signals in what the feed brings: the log has them.
            return
        about, text = f"denied {event.strategy}", f"{event.code}: {event.reason}"
        self._tell(Notice(severity=Severity.INFO, about=about, text=text, ts_ns=event.ts_ns))
