"""The daemon: one run after the other over one data directory, and what it owes the outside between and around them.

A run ends and another begins at once when the config was reloaded or the journal is to be compacted; the strategies get
their state back from the journal, as after any restart. The clock and the daemon's own simulators outlive the runs. It
decides nothing: an error nobody expected ends the process, and the service manager starts it again over the journal.
"""

import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio

from engine.clock import LiveClock
from engine.control.api.hosting import refuse_unless_safe, serve_control
from engine.control.cli_demo import credentials_of
from engine.control.daemon_files import LOCK, clock_of, own_place
from engine.control.daemon_office import FilesOffice, aside
from engine.control.live_session import Session
from engine.control.notices.desk import Desk, ways_of
from engine.control.notices.notice import Notice
from engine.control.notices.sources import Sources
from engine.control.notices.summary import summary
from engine.control.reloading import code_of, reload
from engine.control.service_notify import ServiceNotify
from engine.domain.errors import ConfigError, SluiceError
from engine.domain.events import Alert
from engine.domain.ids import InstrumentId
from engine.domain.jobs import JobEnded
from engine.domain.timestamps import SECOND_NS, duration_ns
from engine.entropy import Entropy
from engine.gateways.surroundings import Surroundings
from engine.journal.backup import forget_compacted
from engine.journal.compaction import Compacted, compact
from engine.journal.lock import ProcessLock
from engine.runtime.job_triggers import Occasion
from engine.runtime.live_settings import armed, live_spec
from engine.runtime.market_days import local_day
from engine.runtime.scheduler import Scheduler
from engine.runtime.secret_sources import with_secrets
from engine.runtime.session_work import SessionWork, spoken
from engine.runtime.settings import Settings

JOURNAL_FAILED = 3
COMPACT = "compact"
FLUSH_SECONDS = 5.0
"""How long notices that wait have at the end."""
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name))
Companion = Callable[["Daemon", Session], Coroutine[Any, Any, None]]
"""Runs beside each run, until it is cancelled with it."""


class Daemon:
    """One a data directory; ``await run()`` gives the exit code.

    Args:
        note: structured log line.
        arm: a person said at the start that real money may be traded.
        watchers: (event class, who looks on) in every run.

    Raises:
        ConfigError: the config can not be used, or another daemon has the data directory.
    """

    companions: Sequence[Companion] = ()
    """What is served beside every run: the control API."""

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str],
        note: Callable[[str, Mapping[str, Any]], None],
        arm: bool = False,
        accept_rebuild: bool = False,
        watchers: Sequence[tuple[type, Callable[[Any], None]]] = (),
    ) -> None:
        self.settings = settings
        self.session: Session | None = None
        self.scheduler: Scheduler | None = None
        own_place(settings.data_dir)
        self._lock = ProcessLock(settings.data_dir / LOCK, f"the data directory {settings.data_dir}")
        self.clock: LiveClock = clock_of(settings)
        self._environ = {**environ, **(credentials_of(settings) if self._own_simulators else {})}
        self._note = note
        self._arm = arm
        self._accept_rebuild = accept_rebuild
        self.sources = Sources(self._tell_people)
        self._watchers = (*self.sources.watchers(), *watchers)
        self.desk = self._desk(settings)
        self._desk_changed = anyio.Event()
        self._service = ServiceNotify(environ)
        self._code = code_of(settings)
        self._ending = ""
        self._compacting = False
        self._finished: dict[str, tuple[bool, str]] = {}
        self.runs = 0
        """How many runs there were; the one that is on among them."""

    @property
    def _own_simulators(self) -> bool:
        return self.settings.alone.daemon.simulators == "own"

    async def run(self) -> int:
        """Until a signal. Gives 0 after a stop in order, 3 after the journal failed.

        Raises:
            ConfigError, GatewayError, JournalError: as ``Session``.
        """
        try:
            async with anyio.create_task_group() as tasks:
                await tasks.start(self._hear_signals)
                if self._own_simulators:
                    await tasks.start(self._simulate)
                tasks.start_soon(self._service.beat)
                tasks.start_soon(self._keep_desk)
                if self.settings.safety.control is not None:
                    refuse_unless_safe(self.settings.safety.control, self.settings.data_dir)
                    tasks.start_soon(partial(serve_control, lambda: self.session, self.settings, note=self._note))
                code = await self._runs()
                await self.desk.flush(FLUSH_SECONDS)
                tasks.cancel_scope.cancel()
            return code
        finally:
            self._lock.release()

    def stop(self, reason: str) -> None:
        """End in order: what is under way is brought to an end, within ``[daemon] drain``."""
        self._ending = self._ending or reason
        self._service.say("STOPPING=1")
        if self.session is not None:
            self.session.run.stop(reason)

    def renew(self, reason: str) -> None:
        """End this run in order and begin another."""
        if self.session is not None:
            self.session.run.stop(reason)

    def reload(self) -> str:
        """Read config and strategies anew; gives what came of it, in a sentence that was also told."""
        try:
            found = reload(self.settings)
            self._try_out(found.settings)
            desk = self._desk(found.settings)
        except SluiceError as why:
            return self._tell("reload", f"refused, the run goes on as it was: {why}")
        kept = f"; not without a restart: {', '.join(found.kept)}" if found.kept else ""
        if found.settings.config_hash == self.settings.config_hash and found.code == self._code:
            return self._tell("reload", f"nothing has changed{kept}")
        self.settings, self._code, self.desk = found.settings, found.code, desk
        self._desk_changed.set()
        told = self._tell("reload", f"config and strategies are read anew{kept}")
        self._service.say("RELOADING=1")
        self.renew("reload")
        return told

    # --- runs --------------------------------------------------------------------------------------------------------

    async def _runs(self) -> int:
        while not self._ending:
            session = self._open()
            await session.conduct(screen=self._beside, signals=False)
            self.session = self.scheduler = None
            if session.run.journal.failure:
                self._note("journal failed", {"why": session.run.journal.failure})
                return JOURNAL_FAILED
            if session.run.stop_reason and not self._ending:
                self._note("run over", {"why": session.run.stop_reason, "next": "another begins"})
            if self._compacting:
                await self._compact()
        self._note("stopped", {"why": self._ending, "runs": self.runs})
        return 0

    def _open(self) -> Session:
        table = self.settings.alone.daemon
        session = Session(
            self.settings,
            environ=self._environ,
            note=self._note,
            clock=self.clock,
            arm=self._arm,
            accept_rebuild=self._accept_rebuild,
            watchers=self._watchers,
        )
        session.run.drain_seconds = duration_ns(table.drain) / SECOND_NS
        session.run.patience_seconds = duration_ns(table.patience) / SECOND_NS
        self._accept_rebuild = False
        self.session = session
        self.runs += 1
        return session

    async def _beside(self, session: Session) -> None:
        """What goes on beside one run: its jobs, its strategies' states, its companions."""
        run, settings = session.run, session.settings
        if self._ending:
            run.stop(self._ending)
        await run.ready.wait()
        environ = with_secrets(self._environ, settings.alone.secrets, f"config {settings.path}")
        files = FilesOffice(settings, environ)
        work = SessionWork(
            run,
            settings.alone.daemon,
            files.office(
                summary=self._summarise if settings.alone.notices.daily else None, compact=self._wants_compaction
            ),
            watched=_watched(settings),
        )
        files.work = work
        scheduler = self.scheduler = Scheduler(
            work.jobs(),
            kept=run.core.kept,
            journal=run.journal,
            clock=self.clock,
            alert=run._alert,
            finished=self._finished,
            told=self._on_job,
        )
        self._finished = {}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(scheduler.run)
            tasks.start_soon(self._save, session)
            for companion in self.companions:
                tasks.start_soon(companion, self, session)
            await scheduler.begun.wait()
            await anyio.lowlevel.checkpoint()
            self._service.say(f"READY=1\nSTATUS=trading, {len(settings.accounts)} accounts")
            soonest = spoken(scheduler.upcoming(), settings.alone.daemon.timezone)[:1]
            self._note("ready", {"run": self.runs, "next": "".join(soonest), "markets": ",".join(work.sittings)})

    def _on_job(self, ended: JobEnded) -> None:
        told = {"ok": ended.ok, "day": local_day(ended.day), "text": ended.text}
        self._note(f"job {ended.job}", told)

    async def _save(self, session: Session) -> None:
        every_ns = duration_ns(session.settings.alone.daemon.save)
        while True:
            await self.clock.sleep(every_ns)
            session.run.core.kept.save()

    async def _summarise(self, market: str, occasion: Occasion) -> str:
        """The day, to everybody."""
        session = self.session
        assert session is not None
        if not self.desk.ways:
            return "nobody to tell"
        about = f"{market or 'all'} {local_day(occasion.day)}"
        zone = session.settings.alone.daemon.timezone
        notice = summary(session.run, session.told.equity, self.sources.take(), about=about, timezone=zone)
        self.desk.post(notice)
        return f"told {len(self.desk.ways)} channels"

    # --- between runs ------------------------------------------------------------------------------------------------

    async def _wants_compaction(self, _occasion: Occasion) -> str:
        """The work of the job ``compact``: it goes on when the run is over, and ends in the next one."""
        self._compacting = True
        self.renew("the journal is to be compacted")
        await anyio.sleep_forever()
        return ""

    async def _compact(self) -> None:
        self._compacting = False
        path = self.settings.journal_path
        try:
            done: Compacted = await aside(lambda: compact(path))
            forget_compacted(path, keep=1)
        except (SluiceError, OSError) as why:
            self._finished[COMPACT] = (False, str(why))
        else:
            self._finished[COMPACT] = (True, f"{done.records} records, {done.before} bytes before, {done.after} now")

    # --- around them -------------------------------------------------------------------------------------------------

    async def _hear_signals(self, *, task_status: Any) -> None:
        with anyio.open_signal_receiver(*_SIGNALS) as signals:
            task_status.started()
            async for received in signals:
                name = signal.Signals(received).name
                self._note("signal", {"name": name})
                if name == "SIGHUP":
                    self.reload()
                elif name == "SIGUSR1":
                    if self.session is not None:
                        self.session.run.safety.halt(f"signal {name}", "operator")
                else:
                    self.stop(f"signal {name}")

    async def _simulate(self, *, task_status: Any) -> None:
        """The systems of ``[simulator.*]``, at the addresses the gateways have."""
        from engine.simulators import simulate

        settings = self.settings
        faces, ports = _faces(settings)
        await simulate(
            faces,
            clock=self.clock,
            entropy=Entropy(settings.run.seed),
            host=settings.alone.daemon.host,
            ports=ports,
            on_ready=task_status.started,
        )

    def _try_out(self, settings: Settings) -> None:
        """Make what the next run is made of, and throw it away.

        Raises:
            ConfigError: it can not be made: the next run would not begin.
        """
        live_spec(settings, armed=self._arm)
        environ = with_secrets(self._environ, settings.alone.secrets, f"config {settings.path}")
        around = Surroundings(clock=self.clock, entropy=Entropy(), environ=environ)
        for gateway in settings.gateways.values():
            armed(gateway.settings, arm=self._arm).open(around)

    def _desk(self, settings: Settings) -> Desk:
        where = f"config {settings.path}"
        environ = with_secrets(self._environ, settings.alone.secrets, where)
        table = settings.alone.notices
        return Desk(ways_of(table, environ, where), table, name=settings.run.name, note=self._note)

    def _tell_people(self, notice: Notice) -> None:
        self.desk.tell(notice)

    async def _keep_desk(self) -> None:
        """Send notices; after a reload to those the new config names."""
        while True:
            self._desk_changed = anyio.Event()
            desk = self.desk
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(desk.run)
                await self._desk_changed.wait()
                tasks.cancel_scope.cancel()
            await desk.close()

    def _tell(self, about: str, text: str) -> str:
        self._note(about, {"text": text})
        if self.session is not None:
            self.session.run.core.bus.publish(Alert(ts_ns=self.clock.now_ns, about=about, text=text))
        return text


def _watched(settings: Settings) -> list[InstrumentId]:
    """What the config's gateways were told to bring, besides what is traded."""
    names = [name for one in settings.gateways.values() for name in getattr(one.settings, "instruments", ())]
    return [InstrumentId(str(name)) for name in names]


def _faces(settings: Settings) -> tuple[dict[str, Any], dict[str, int]]:
    """The simulators of a config, those that can remember with a place to do so, and where each is to be served.

    Raises:
        ConfigError: none, one nobody knows, or a gateway without a port.
    """
    from msgspec.structs import replace

    from engine.control.cli_simulate import simulators
    from engine.simulators import PORTS

    if not settings.simulators:
        raise ConfigError(f"config {settings.path}, [daemon] simulators: there is no [simulator.<name>] to serve")
    faces = dict(simulators(list(settings.simulators), settings.path, {}, settings.run.seed))
    ports: dict[str, int] = {}
    for name, face in faces.items():
        gateway = next((one for one in settings.gateways.values() if one.kind == name), None)
        address = getattr(gateway.settings, "base_url", "") or getattr(gateway.settings, "url", "") if gateway else ""
        ports[name] = urlsplit(address).port or PORTS[name]
        remembers: Any = face
        if "state_path" in remembers.__struct_fields__ and remembers.state_path is None:
            place = Path(settings.data_dir) / f"{name}.state.json"
            faces[name] = replace(remembers, state_path=str(place))
    return faces, ports
