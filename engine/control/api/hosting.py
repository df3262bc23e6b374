"""Starting the API beside a run: its tokens, its port, its address for the commands; it never takes the run with it.

A live run and a daemon both call ``serve_control`` in a task of their own::

    refuse_unless_safe(settings.safety.control, settings.data_dir)     # before anything is connected
    tasks.start_soon(partial(serve_control, source, settings, note=note))

``source`` gives the session that runs now, None between two of them.
"""

import ipaddress
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.clock import LiveClock
from engine.control.api.access import Access
from engine.control.api.app import make_app
from engine.control.api.cockpit import Cockpit, Source
from engine.control.api.edge import Edge
from engine.control.api.serving import Crowd, serve, tls_context
from engine.control.api.streams import Streams
from engine.control.api.supervising import keep_alive
from engine.control.api.tokens import TokenStore, write_private
from engine.domain.errors import ConfigError
from engine.runtime import heartbeat
from engine.runtime.control_table import FOLDER, ControlTable, token_file
from engine.runtime.settings import Settings

if TYPE_CHECKING:
    from engine.control.live_session import Session

ADDRESS = "address.json"
Note = Callable[[str, Mapping[str, Any]], None]


class Address(Struct, frozen=True, kw_only=True):
    """Where the API of a run is, for the commands on this machine."""

    url: str
    pid: int
    cert: str = ""
    """The certificate it shows, to be trusted for this address."""


def is_loopback(bind: str) -> bool:
    if bind == "localhost":
        return True
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False


def refuse_unless_safe(table: ControlTable, data_dir: Path) -> None:
    """Nobody may listen to the API on the wire, and nobody may come in without a token (RELIABILITY 6).

    Raises:
        ConfigError: it would be reachable from elsewhere without TLS or without a token; TLS files that can not be
            used; a file of tokens that others can read.
    """
    tokens = TokenStore(token_file(table, data_dir))
    if not is_loopback(table.bind):
        if not (table.tls_cert and table.tls_key):
            raise ConfigError(
                f"[control] bind {table.bind}: an API that others can reach needs TLS; write tls_cert and tls_key, or "
                "bind 127.0.0.1"
            )
        if not tokens.usable(LiveClock().now_ns):
            raise ConfigError(
                f"[control] bind {table.bind}: an API that others can reach needs a token; make one with: run.py "
                "token create"
            )
    if table.tls_cert or table.tls_key:
        tls_context(table.tls_cert, table.tls_key)
    tokens.all()


def with_port(settings: Settings, port: int | None) -> Settings:
    """The settings with an API on that port, whatever the config says; None: as the config says."""
    if port is None:
        return settings
    control = replace(settings.safety.control or ControlTable(), port=port)
    return replace(settings, safety=replace(settings.safety, control=control))


def beside(settings: Settings, note: Note) -> Callable[["Session"], Coroutine[Any, Any, None]] | None:
    """What ``Session.conduct`` runs beside a live run; None where the config has no API.

    Raises:
        ConfigError: as ``refuse_unless_safe``.
    """
    if settings.safety.control is None:
        return None
    refuse_unless_safe(settings.safety.control, settings.data_dir)

    async def control(session: "Session") -> None:
        await serve_control(lambda: session, settings, note=note)

    return control


async def serve_control(
    source: Source,
    settings: Settings,
    *,
    note: Note,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve the API of ``[control]`` until cancelled; what fails in it is told and tried again, never raised.

    Args:
        source: the session that runs now, or None.
        note: told where it listens, and what failed.
        on_ready: called with the address each time the port is bound.
    """
    table = settings.safety.control or ControlTable()
    await keep_alive(partial(_serve, source, settings, table, note, on_ready), note)


async def _serve(
    source: Source, settings: Settings, table: ControlTable, note: Note, on_ready: Callable[[str], None]
) -> None:
    """One life of it. Raises: ConfigError: as ``refuse_unless_safe``, or the port is taken."""
    refuse_unless_safe(table, settings.data_dir)
    wall = LiveClock()
    tokens = TokenStore(token_file(table, settings.data_dir))
    if tokens.begin(now_ns=wall.now_ns):
        note("control", {"text": f"made the first token: {tokens.first}"})
    tls = tls_context(table.tls_cert, table.tls_key) if table.tls_cert else None
    cockpit = Cockpit(source, Access(tokens, table.requests_per_second), note)
    cockpit.streams = Streams(cockpit, table.streams)
    cockpit.crowd = crowd = Crowd(table.connections)
    loopback = is_loopback(table.bind)
    app = Edge(make_app(cockpit), table.hosts, loopback=loopback, tls=tls is not None)
    place = settings.data_dir / FOLDER / ADDRESS

    def bound(port: int) -> None:
        host = "127.0.0.1" if table.bind in ("0.0.0.0", "localhost") else table.bind  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host
        url = f"{'https' if tls else 'http'}://{host}:{port}"
        write_private(place, msgspec.json.encode(Address(url=url, pid=heartbeat.own_pid(), cert=table.tls_cert)))
        note("control", {"text": f"the API listens at {url}"})
        on_ready(url)

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cockpit.streams.run)
            await serve(
                app, host=table.bind, port=table.port, clock=wall, crowd=crowd, tls=tls, on_ready=bound
            )  # fmt: skip
    finally:
        place.unlink(missing_ok=True)
