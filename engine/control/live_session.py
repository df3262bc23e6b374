"""One live run from its config to its figures: opened, conducted until it ends, told in numbers."""

import gc
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
from msgspec import Struct

from engine.bus import nobody
from engine.clock import LiveClock, stopwatch_seconds
from engine.control.live_figures import SUMMED, count, figures_of
from engine.control.live_links import Links
from engine.control.logs import log_of
from engine.control.metrics import Meter
from engine.control.printing import cents
from engine.control.redaction import Redactor, secrets_of
from engine.control.seen import Seen
from engine.data.columns import Columns
from engine.domain.errors import DataError, GatewayError
from engine.domain.events import (
    Alert,
    EquitySampled,
    InstructionDenied,
    JournalRecord,
    OrderDenied,
    OrderSubmitted,
    StrategyStopped,
)
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.instructions import InstructionReport
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.gateways.surroundings import Surroundings
from engine.journal.over import JournalOver
from engine.journal.postgres_url import Address
from engine.ports import Gateway, Journal
from engine.runtime import sentinel
from engine.runtime.interrupt import interrupting
from engine.runtime.live import LiveRun
from engine.runtime.live_settings import armed, live_spec, open_journal, recorder
from engine.runtime.operator import Operator
from engine.runtime.operator_hands import Hands
from engine.runtime.operator_inbox import INBOX, Inbox
from engine.runtime.report import build_report
from engine.runtime.report_page import write_html
from engine.runtime.secret_sources import with_secrets
from engine.runtime.settings import Settings
from engine.runtime.turns import Turns

CANDLES = 5_000
READY_SECONDS = 60.0
"""A run of limited length that could not start trading within this (real time) has failed."""
NEVER_READY = "trading could not start"
HALTING = (signal.SIGUSR1,) if hasattr(signal, "SIGUSR1") else ()
"""Signals that stop new orders and leave the run alive (RELIABILITY 4.4)."""


class Told(Struct):
    """What a screen shows of the run so far: counted as it is journaled, never read back."""

    orders: int = 0
    denied: int = 0
    fills: int = 0
    latest: deque[str] = msgspec.field(default_factory=lambda: deque(maxlen=8))
    equity: deque[EquitySampled] = msgspec.field(default_factory=lambda: deque(maxlen=4_000))
    hear: Callable[[int, JournalRecord], None] = nobody
    """Told of each record as it is appended."""


class TellingJournal(JournalOver):
    """A journal that counts what passes."""

    def __init__(self, journal: Journal, told: Told, redactor: Redactor) -> None:
        super().__init__(journal)
        self._told = told
        self._clean = redactor.record

    def append(self, record: JournalRecord) -> int:
        record = self._clean(record)
        seq = self._journal.append(record)
        told = self._told
        if isinstance(record, EquitySampled):
            told.equity.append(record)
        elif isinstance(record, OrderSubmitted):
            told.orders += 1
        elif isinstance(record, OrderDenied):
            told.denied += 1
            order = record.order
            told.latest.append(f"denied {order.side} {order.quantity} {order.instrument}: {record.reason}")
        elif isinstance(record, OrderReport) and record.kind is Evidence.FILL:
            told.fills += 1
            told.latest.append(f"filled {record.quantity} at {record.price} ({record.client_id})")
        elif isinstance(record, InstructionDenied):
            told.latest.append(f"denied {record.instruction.name} {record.instruction.instrument}: {record.reason}")
        elif isinstance(record, InstructionReport):
            told.latest.append(f"instruction {record.client_id} is {record.state} {record.reason}".rstrip())
        told.hear(seq, record)
        return seq

    def records(self) -> Iterator[tuple[int, JournalRecord]]:
        for seq, record in self._journal.records():
            if isinstance(record, EquitySampled) and not (self._told.orders or self._told.fills):
                self._told.equity.append(record)
            yield seq, record


Screen = Callable[["Session"], Coroutine[Any, Any, None]]


class Session:
    """A live run that is open: journal locked, gateways made, nothing connected yet."""

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str],
        note: Callable[[str, Mapping[str, Any]], None],
        clock: LiveClock | None = None,
        mode: str = "",
        accept_rebuild: bool = False,
        arm: bool = False,
        record: bool = True,
        watchers: Sequence[tuple[type, Callable[[Any], None]]] = (),
    ) -> None:
        """
        Args:
            arm: a person said at the start of this run that real money may be traded; a config can not say it.
            record: keep what goes into the run, unless the config says no (``runtime/recording.py``).
            watchers: (event class, who looks on), besides the session's own.

        Raises:
            ConfigError: settings that can not be used, credentials missing, or a journal held by another engine.
            JournalError: the journal is damaged.
        """
        self.settings = settings
        environ = with_secrets(environ, settings.alone.secrets, f"config {settings.path}")
        self.told = Told()
        spec = live_spec(settings, mode=mode, armed=arm)
        self.clock = clock or LiveClock(
            speed=settings.clock.speed, start_ns=settings.start_ns, anchor_ns=settings.anchor_ns
        )
        self.redactor = Redactor(secrets_of(environ, (g.settings for g in settings.gateways.values())))
        self.log = log_of(settings, self.redactor, self.clock)
        note = self.log.noting(note)
        around = Surroundings(clock=self.clock, entropy=Entropy(settings.run.seed), environ=environ, note=note)
        self.gateways: dict[str, Gateway] = {
            name: armed(gateway.settings, arm=arm).open(around) for name, gateway in settings.gateways.items()
        }
        self.links, self.seen = Links(), Seen()
        self.meter = Meter(lambda: self.clock.held_seconds)
        self.told.hear = self.seen.on_record
        self.seen.record_ears = (self.log.on_record, self.meter.on_record)
        self._journal = open_journal(settings, environ, accept_rebuild=accept_rebuild)
        self.journal_server: Address | None = getattr(self._journal, "address", None)
        """Where a journal on a server is read beside its writer; None: it is no such journal."""
        told = recorder(settings, lambda text: note("recording", {"text": text})) if record else None
        self.run = LiveRun(
            spec,
            clock=self.clock,
            # The port has plain attributes; ours only read through.
            journal=TellingJournal(self._journal, self.told, self.redactor),
            gateways=self.gateways,
            note=note,
            turns=Turns(self.clock, told),
            watchers=self._watchers(watchers),
        )
        self.operator = self._operator()
        self.inbox = Inbox(settings.data_dir / INBOX, self.operator, self.clock, self.run.core.bus.publish)
        self._note = note
        self.began = stopwatch_seconds()
        self.seconds = 0.0

    def _watchers(self, others: Sequence[tuple[type, Callable[[Any], None]]]) -> Sequence[tuple[type, Any]]:
        own = (*self.links.watchers(), *self.seen.watchers(), *self.meter.watchers())
        return (*own, *others, (Alert, self._on_alert), (StrategyStopped, self._on_stopped))

    def _operator(self) -> Operator:
        """A person's hands on the run; what a restart relives is looked on from here as well."""
        core: Any = self.run.core
        core.relive = self.seen.reliving(core.relive)
        for box in self.run.boxes.values():
            box.on_left = self.meter.on_left
        return Operator(
            self.run.core,
            {account.id: account.gateway for account in self.run.spec.accounts},
            live=self.run.reconciling,
            released=partial(sentinel.clear, self.settings.data_dir),
            hands=Hands(self.run, self.seen.denials).acts(),
        )

    async def conduct(
        self, *, seconds: float | None = None, screen: Screen | None = None, signals: bool = True
    ) -> None:
        """Run until a signal, or for some real seconds after trading was enabled.

        Args:
            signals: listen to them; a daemon does so itself, for longer than one run.

        Raises:
            ConfigError, GatewayError, JournalError: as ``LiveRun.run``.
        """

        async def observe() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.inbox.run)
                tasks.start_soon(self.log.run)
                tasks.start_soon(self._without_long_pauses)
                if signals:
                    tasks.start_soon(self._stop_on_signal)
                if seconds is not None:
                    tasks.start_soon(self._stop_after, seconds)
                if screen is not None:
                    tasks.start_soon(screen, self)

        try:
            with interrupting(self.run.core.runner):
                await self.run.run(observe=observe)
        finally:
            self.seconds = stopwatch_seconds() - self.began
            with anyio.CancelScope(shield=True):
                for gateway in self.gateways.values():
                    await gateway.close()
            self._journal.close()
            self.log.close()
        if self.run.stop_reason == NEVER_READY:
            latest = self.told.latest[-1] if self.told.latest else "nothing was heard"
            raise GatewayError(f"trading could not start within {READY_SECONDS:g} s; last heard: {latest}")

    def _on_alert(self, alert: Alert) -> None:
        self.told.latest.append(f"! {alert.about}: {alert.text}")
        self._note("alert", {"about": alert.about, "text": alert.text})

    def _on_stopped(self, event: StrategyStopped) -> None:
        self.told.latest.append(f"! strategy {event.strategy} was stopped: {event.reason}")
        self._note("strategy stopped", {"strategy": event.strategy, "reason": event.reason})

    async def _without_long_pauses(self) -> None:
        """Once trading is enabled: what a start has made stays, and is not searched again at every full collection.

        Such a search stops the loop for some 70 to 170 ms, every few seconds under load. A daemon's last run is let go
        first, or its cycles would stay for ever.
        """
        await self.run.ready.wait()
        if gc.isenabled():
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    async def _stop_on_signal(self) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, *HALTING) as signals:
            async for received in signals:
                if received in HALTING:
                    self.run.safety.halt(f"signal {received.name}", "operator")
                else:
                    self.run.stop(f"signal {received.name}")

    async def trades(self) -> bool:
        """Wait until trading is enabled; where it is not in time the run is stopped, and False is given."""
        with anyio.move_on_after(READY_SECONDS):
            await self.run.ready.wait()
        if not self.run.ready.is_set():
            self.run.stop(NEVER_READY)
        return self.run.ready.is_set()

    async def _stop_after(self, seconds: float) -> None:
        if not await self.trades():
            return
        await self.clock.sleep(round(seconds * self.clock.speed * SECOND_NS))
        self.run.stop("time is up")

    # --- afterwards --------------------------------------------------------------------------------------------------

    def write_report(self, path: Path) -> Path:
        """The HTML page of the whole journal, with the bars this run saw."""
        report = build_report(self._journal.records(), instruments=self.settings.instruments)
        traded = dict.fromkeys(
            [*report.instruments, *(i for row in self.settings.strategies for i in row.spec.instruments)]
        )
        return write_html(report, path, {name: bars for name in traded if (bars := self._bars(name))})

    def _bars(self, instrument: str) -> list[Columns]:
        bars = self.run.core.history.last(InstrumentId(instrument), CANDLES)
        if len(bars) < 2:
            return []
        step = int((bars.ts_ns[1:] - bars.ts_ns[:-1]).min())
        return [
            Columns(
                InstrumentId(instrument), step, bars.ts_ns, bars.open, bars.high, bars.low, bars.close, bars.volume
            )
        ]  # fmt: skip

    def figures(self) -> dict[str, Any]:
        """See ``live_figures``: of the whole journal, and what ``Links`` counted in this run."""
        counted = count(self._journal.records())
        rows = {
            row.gateway: {
                **figures_of(account, row.currency, counted, self.settings.instruments, self.run.core.manager),
                "equity": _shown(self.equity(account)),
                **self.links.figures(self.gateways[row.gateway], account),
            }
            for account, row in self.settings.accounts.items()
        }
        one_currency = len({row["currency"] for row in rows.values()}) == 1
        return {
            **{name: sum(row[name] for row in rows.values()) for name in SUMMED},
            "equity": _shown(self._total()) if one_currency else None,
            "seconds": round(self.seconds, 3),
            "gateways": rows,
        }

    def equity(self, account: AccountId) -> Decimal | None:
        """In the account's currency; None where a rate is missing."""
        try:
            return self.run.core.portfolio.equity(account)
        except DataError:
            return None

    def _total(self) -> Decimal | None:
        found = [self.equity(account) for account in self.settings.accounts]
        known = [worth for worth in found if worth is not None]
        return sum(known, Decimal(0)) if len(known) == len(found) else None


def _shown(worth: Decimal | None) -> float | None:
    return None if worth is None else cents(worth)
