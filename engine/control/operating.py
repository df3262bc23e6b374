"""A person's command to its answer: by a running engine's API or inbox, or over the journal where no engine runs."""

import contextlib
import getpass
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import anyio
from msgspec.structs import replace

from engine.clock import LiveClock
from engine.control.live_session import READY_SECONDS, Session
from engine.control.remote import Unreachable, remote_of
from engine.domain.account import Capabilities
from engine.domain.errors import ConfigError, GatewayError, JournalError
from engine.domain.ids import AccountId
from engine.journal.lock import is_held
from engine.journal.memory import MemoryJournal
from engine.ports import Journal
from engine.runtime import sentinel
from engine.runtime.journal_settings import is_held_on_server
from engine.runtime.live_settings import open_journal
from engine.runtime.operator import Operator
from engine.runtime.operator_commands import Accept, Answer, Command, Kill, Reconcile, Resume, Status
from engine.runtime.operator_inbox import INBOX, ask
from engine.runtime.settings import Settings
from engine.runtime.wiring import Core, join

ANSWER_SECONDS = 15.0
"""How long a running engine may take to answer, besides what the command itself asks for."""
CANCEL_LEVELS = frozenset({"cancel", "flatten"})

Relive = Callable[[Any], None]
Note = Callable[[str, Mapping[str, Any]], None]


def operator_name() -> str:
    """Who sits at the terminal, for the journal."""
    try:
        return f"operator {getpass.getuser()}"
    except (OSError, KeyError, ImportError):
        return "operator"


def scope_of(account: str, strategy: str, symbol: str, *, everything: bool) -> str:
    """Exactly one of them, as the journal names it.

    Raises:
        ConfigError: none, or more than one.
    """
    kinds = (("account", account), ("strategy", strategy), ("symbol", symbol))
    named = [f"{kind}:{name}" for kind, name in kinds if name]
    named += ["all"] if everything else []
    if len(named) != 1:
        raise ConfigError("say what it is for: one of --account ID, --strategy NAME, --symbol INSTRUMENT, --all")
    return named[0]


def is_running(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether an engine holds the config's journal; ``environ``: where a server's password may be."""
    path, inbox = settings.journal_path, settings.data_dir / INBOX
    if settings.journal.kind == "memory":
        return inbox.is_dir()
    if settings.journal.kind == "postgres":
        try:
            return is_held_on_server(settings, environ)
        except (ConfigError, JournalError):
            # An engine whose server is away still takes commands.
            return inbox.is_dir()
    return is_held(path.with_name(path.name + ".lock"))


async def carry_out(
    settings: Settings, command: Command, *, environ: Mapping[str, str], note: Note, arm: bool = False
) -> Answer:
    """The command's answer, from whoever can give it.

    Raises:
        ConfigError: no account, no journal, or an engine that does not answer. GatewayError: nothing could be read.
    """
    if not settings.accounts:
        raise ConfigError(f"config {settings.path}: there is no account; write a table [[account]]")
    if is_running(settings, environ):
        return await _ask_engine(settings, command)
    if isinstance(command, Status) and settings.journal.kind == "sqlite" and not settings.journal_path.exists():
        raise ConfigError(
            f"no engine runs, and there is no journal at {settings.journal_path} yet: start one with live"
        )
    if not _must_read(command):
        return await _over_journal(settings, command, environ)
    if isinstance(command, Kill):
        # Durable before anything is tried that may fail.
        answer = await _over_journal(settings, command, environ)
        if answer.exit_code:
            return answer
    return await _connected(settings, command, environ=environ, note=note, arm=arm)


def _must_read(command: Command) -> bool:
    """Whether accounts must be connected to answer it."""
    return isinstance(command, Reconcile | Resume) or (isinstance(command, Kill) and command.level in CANCEL_LEVELS)


async def _ask_engine(settings: Settings, command: Command) -> Answer:
    remote = remote_of(settings)
    if remote is not None:
        async with remote:
            with contextlib.suppress(Unreachable):
                return await remote.do(command)
    folder, accounts = settings.data_dir / INBOX, len(settings.accounts)
    own = getattr(command, "seconds", 0.0) * (1 if isinstance(command, Accept) else accounts)
    try:
        answer = await ask(folder, command, LiveClock(), own + ANSWER_SECONDS)
    except FileNotFoundError:
        answer = None
    if answer is None:
        raise GatewayError(
            f"the engine that holds {settings.journal_path} did not take the request, and nothing was done: it may be "
            "stuck; to stop everything at once end its process"
        )
    return answer


# --- without an engine ------------------------------------------------------------------------------------------------


class _Nowhere:
    """Where nothing leaves."""

    def on_submitted(self, event: Any) -> None: ...

    def on_cancel_wanted(self, event: Any) -> None: ...

    def on_replace_wanted(self, event: Any) -> None: ...


async def _over_journal(settings: Settings, command: Command, environ: Mapping[str, str]) -> Answer:
    """Nothing is connected: what the journal says decides, and what is decided goes to the journal."""
    journal = open_journal(settings, environ)
    try:
        # The journal has plain attributes where the port's are read through.
        target: Any = MemoryJournal() if isinstance(command, Status) else journal
        core = recovered_core(settings, journal, target)
        answer = await Operator(core, gateways_of(settings), released=partial(sentinel.clear, settings.data_dir)).do(
            command
        )
        await target.durable(target.next_seq - 1)
    finally:
        journal.close()
    return answer


def recovered_core(
    settings: Settings, source: Any, target: Journal, reliving: Callable[[Relive], Relive] = lambda relive: relive
) -> Core:
    """A core that knows what the journal knows, with no way out; ``reliving`` may look on."""
    clock = LiveClock(speed=settings.clock.speed, start_ns=settings.start_ns, anchor_ns=settings.anchor_ns)
    core = Core(
        clock=clock,
        journal=target,
        instruments=settings.instruments,
        books=settings.books,
        limits=settings.limits,
        sheets={
            account: Capabilities(gateway=row.gateway, order_types=frozenset())
            for account, row in settings.accounts.items()
        },
        outside=lambda _strategy, _number, _request: None,
        note=lambda _text, _fields: None,
    )
    for account, row in settings.accounts.items():
        core.portfolio.open_account(account, row.currency, Decimal(0))
    join(core, _Nowhere(), keep_history=False, subscriptions=lambda _event: None)
    core.manager.recover((record for _, record in source.records()), reliving(core.relive))
    core.instructions.left_open()
    return core


def gateways_of(settings: Settings) -> dict[AccountId, str]:
    return {account: row.gateway for account, row in settings.accounts.items()}


class _Errand:
    """One command beside a run that trades nothing: wait until it is reconciled, ask, stop."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.answer: Answer | None = None

    async def conduct(self, session: Session) -> None:
        run = session.run
        if not await session.trades():
            return
        if isinstance(self.command, Kill):
            await self._until_withdrawn(session)
        else:
            self.answer = await session.operator.do(self.command)
        run.stop("the command is carried out")

    async def _until_withdrawn(self, session: Session) -> None:
        """The latch stands; what it withdraws is on its way."""
        working = session.run.core.manager.working
        with anyio.move_on_after(READY_SECONDS):
            while working:
                await session.clock.sleep(round(session.clock.speed * 10**8))
        left = ", ".join(working)
        self.answer = await session.operator.do(self.command)
        if left:
            self.answer = Answer(text=f"{self.answer.text}; still open: {left}", exit_code=1)


async def _connected(
    settings: Settings, command: Command, *, environ: Mapping[str, str], note: Note, arm: bool
) -> Answer:
    """A run without strategies, over the same journal."""
    errand = _Errand(command)
    session = Session(replace(settings, strategies=()), environ=environ, note=note, mode="operator", arm=arm)
    await session.conduct(screen=errand.conduct)
    assert errand.answer is not None
    return errand.answer
