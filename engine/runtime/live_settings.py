"""A config as a live run: its journal and its specification."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.data.fundamentals import FOLDER, Fundamentals, read_fundamentals
from engine.domain.errors import ConfigError
from engine.domain.ids import AccountId
from engine.entropy import Entropy
from engine.journal.memory import MemoryJournal
from engine.journal.sqlite import SqliteJournal
from engine.ports import Journal
from engine.runtime import sentinel
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.journal_settings import open_postgres
from engine.runtime.live import AccountSpec, LiveSpec
from engine.runtime.recorded import FOLDER as RECORDINGS
from engine.runtime.recording import Origin, Recorder
from engine.runtime.settings import Settings


def live_spec(settings: Settings, *, mode: str = "", armed: bool = False) -> LiveSpec:
    """What ``LiveRun`` is given.

    Args:
        mode: how the journal calls the run; default: the profile.
        armed: a person said at the start of this run that real money may be traded.

    Raises:
        ConfigError: nothing to trade on, or a clock that real money must not have.
    """
    if not settings.accounts:
        raise ConfigError(f"config {settings.path}: there is no account to trade on; write a table [[account]]")
    if settings.run.profile == "backtest":
        raise ConfigError(f'config {settings.path}, [run] profile: "backtest" does not trade live; write paper or live')
    if settings.run.profile == "live" and (settings.clock.speed != 1.0 or settings.start_ns is not None):
        raise ConfigError(f"config {settings.path}, [clock]: profile live trades by the real time; remove the table")
    return LiveSpec(
        accounts=tuple(
            AccountSpec(id=account, gateway=row.gateway, currency=row.currency)
            for account, row in settings.accounts.items()
        ),
        strategies=tuple((AccountId(row.account), _journaled(row.spec)) for row in settings.strategies),
        instruments=settings.instruments,
        books=settings.books,
        limits=settings.limits,
        rates=settings.rates,
        reconcile=settings.reconcile,
        mode=mode or settings.run.profile,
        armed=armed,
        # A venue that echoes our ids still lists those of a journal that was deleted this morning.
        run_tag=Entropy().token("run", 6),
        statements=_statements(settings),
        safety=settings.safety,
    )


def armed(gateway: Any, *, arm: bool) -> Any:
    """A gateway's settings with the word of the person who starts the run in place of the config's."""
    if "armed" not in gateway.__struct_fields__:
        return gateway
    return msgspec.structs.replace(gateway, armed=arm)


def _statements(settings: Settings) -> Fundamentals | None:
    """What ``ctx.statements()`` shows, if the config names a catalog that has some."""
    catalog = Path(settings.run.catalog)
    if not settings.run.catalog or not (catalog / FOLDER).is_dir():
        return None
    return read_fundamentals(catalog)


def open_journal(
    settings: Settings, environ: Mapping[str, str] | None = None, *, accept_rebuild: bool = False
) -> Journal:
    """The journal of ``[journal]``, locked until it is closed; the one place where a run's journal is opened.

    Args:
        environ: where the password of a server may be.

    Raises:
        ConfigError: another engine holds it, no place to write, no server. JournalError: damaged.
    """
    if settings.journal.kind == "memory":
        return MemoryJournal()
    if settings.journal.kind == "postgres":
        journal: Any = open_postgres(settings, environ or {}, accept_rebuild=accept_rebuild)
    else:
        journal = SqliteJournal(settings.journal_path, accept_rebuild=accept_rebuild)
    left = journal.halted()
    # One file stops a run, not two: what a failed journal left beside itself goes where a person looks.
    if left is not None and sentinel.write(settings.data_dir, f"the journal failed: {left.cause}", who="engine"):
        journal.clear_halt()
    opened: Journal = journal
    return opened


def recorder(settings: Settings, say: Callable[[str], None]) -> Recorder | None:
    """Who writes down what goes into the run; None where nothing is kept that a replay could be held against."""
    if not settings.recording.enabled or settings.journal.kind == "memory":
        return None
    return Recorder(
        settings.data_dir / RECORDINGS,
        max_bytes=settings.recording.max_mb * 1_000_000,
        origin=Origin(
            config=str(settings.path.absolute()),
            config_hash=settings.config_hash,
            journal="" if settings.journal.kind == "postgres" else str(settings.journal_path.absolute()),
        ),
        say=say,
    )


def _journaled(spec: StrategySpec) -> StrategySpec:
    """The parameters as plain values, as the journal keeps them."""
    return msgspec.structs.replace(spec, parameters=msgspec.to_builtins(spec.parameters))
