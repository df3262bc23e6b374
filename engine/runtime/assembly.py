"""From settings to a run that can be started: gateways opened, journal opened, everything handed to ``LiveRun``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.clock import LiveClock
from engine.domain.errors import ConfigError
from engine.domain.ids import AccountId
from engine.entropy import Entropy
from engine.gateways.surroundings import Surroundings
from engine.journal import JOURNALS
from engine.ports import Gateway, Journal
from engine.runtime.live import AccountSpec, LiveRun, LiveSpec
from engine.runtime.settings import Settings

Note = Callable[[str, Mapping[str, Any]], None]


def open_gateways(settings: Settings, surroundings: Surroundings) -> dict[str, Gateway]:
    """Every gateway of the config, not yet connected; each is told the account it trades.

    Raises:
        ConfigError: two accounts on one gateway, credentials missing.
    """
    owners: dict[str, AccountId] = {}
    for account, row in settings.accounts.items():
        if row.gateway in owners:
            raise ConfigError(
                f"config {settings.path}: accounts {owners[row.gateway]!r} and {account!r} share gateway "
                f"{row.gateway!r}; give each its own [gateway.*] table"
            )
        owners[row.gateway] = account
    gateways: dict[str, Gateway] = {}
    for name, found in settings.gateways.items():
        own = found.settings
        fields = set(own.__struct_fields__)
        known = {"name": name, "account": owners.get(name, "")}
        own = msgspec.structs.replace(own, **{key: value for key, value in known.items() if key in fields})
        gateways[name] = own.open(surroundings)
    return gateways


def assemble(
    settings: Settings,
    *,
    clock: LiveClock,
    environ: Mapping[str, str],
    note: Note,
    journal: Journal | None = None,
    mode: str = "",
) -> LiveRun:
    """A live run of a config. ``journal`` None opens the one the config names.

    Raises:
        ConfigError: something the config names can not be had; nothing has been connected yet.
    """
    entropy = Entropy(settings.run.seed)
    surroundings = Surroundings(clock=clock, entropy=entropy, environ=environ, note=note)
    gateways = open_gateways(settings, surroundings)
    if journal is None:
        journal = JOURNALS[settings.journal.kind](Path(settings.journal_path))
    spec = LiveSpec(
        accounts=tuple(
            AccountSpec(id=account, gateway=row.gateway, currency=row.currency)
            for account, row in settings.accounts.items()
        ),
        strategies=tuple((row.account, row.spec) for row in settings.strategies),
        instruments=settings.instruments,
        books=settings.books,
        limits=settings.limits,
        mode=mode or settings.run.profile,
        run_tag=Entropy().token("run", 4) if settings.run.profile == "live" else "",
    )
    return LiveRun(spec, clock=clock, journal=journal, gateways=gateways, note=note)
