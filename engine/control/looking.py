"""What the looking commands show: from a running engine's API, else from the journal of the config."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec

from engine.control.api.account_views import fill_view, position_views
from engine.control.api.order_views import denied_view, order_view
from engine.control.journal_reading import read_journal
from engine.control.logs import last_lines, log_path
from engine.control.operating import is_running, recovered_core
from engine.control.remote import Unreachable, remote_of
from engine.control.seen import Seen
from engine.domain.errors import ConfigError
from engine.journal.memory import MemoryJournal
from engine.runtime.settings import Settings

PATHS = {
    "orders": "/api/orders",
    "positions": "/api/positions",
    "fills": "/api/fills",
    "strategies": "/api/strategies",
    "logs": "/api/logs",
}
STATES = ("open", "ended", "denied", "all")


async def look(settings: Settings, what: str, **query: Any) -> list[dict[str, Any]]:
    """Rows of one kind, as the API has them.

    Raises:
        ConfigError: an account or a word is not known, or nothing has been journaled yet.
    """
    on_server = settings.journal.kind == "postgres"
    remote = remote_of(settings) if on_server or is_running(settings, {}) else None
    if remote is not None:
        async with remote:
            try:
                found: list[dict[str, Any]] = await remote.get(PATHS[what], **query)
            except Unreachable:
                pass  # its journal can be read all the same
            else:
                return found
    return _offline(settings, what, query)


def _offline(settings: Settings, what: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
    if what == "logs":
        return last_lines(log_path(settings.data_dir), query["limit"])
    if what == "strategies":
        return [
            {
                "name": row.spec.name,
                "path": row.spec.path,
                "account": row.account,
                "state": "no engine that tells",
                "positions": {},
                "day_profit": None,
                "reason": "",
            }
            for row in settings.strategies
        ]
    account = query.get("account", "")
    if account and account not in settings.accounts:
        raise ConfigError(f"there is no account {account!r}; there are: {', '.join(settings.accounts)}")
    if query.get("state", "open") not in STATES:
        raise ConfigError(f"--state {query['state']}: there is none; states are {', '.join(STATES)}")
    return [msgspec.to_builtins(view) for view in _from_journal(settings, what, query) if _of(view, account)][
        : query.get("limit", 500)
    ]


def _from_journal(settings: Settings, what: str, query: Mapping[str, Any]) -> Sequence[Any]:
    if settings.journal.kind != "sqlite":
        raise ConfigError(f"config {settings.path}: only a running engine with an API can tell, [journal] is no file")
    seen = Seen()
    source = SimpleNamespace(records=lambda: read_journal(settings.journal_path))
    core = recovered_core(settings, source, MemoryJournal(), seen.reliving)
    if what == "positions":
        return list(position_views(core))
    if what == "fills":
        return [fill_view(fill) for fill in reversed(seen.fills)]
    state, found = query.get("state", "open"), []
    if state in ("open", "all"):
        found += [order_view(order) for order in reversed(core.manager.working.values())]
    if state in ("ended", "all"):
        found += [order_view(order) for order in reversed(core.manager.orders.values()) if order.is_terminal]
    if state in ("denied", "all"):
        found += [denied_view(event) for event in reversed(seen.denials)]
    return sorted(found, key=lambda view: -int(view.submitted.ts_ns) if view.submitted else 0)


def _of(view: Any, account: str) -> bool:
    return not account or view.account == account
