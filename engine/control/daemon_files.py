"""The files of a daemon's data directory that are neither journal nor heartbeat: the clock of its own simulators."""

import contextlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.clock import LiveClock
from engine.domain.errors import ConfigError
from engine.domain.timestamps import parse_time
from engine.runtime.private_file import write_whole
from engine.runtime.settings import Settings

LOCK = "daemon.lock"
CLOCK = "clock.json"


class Anchor(Struct, frozen=True, forbid_unknown_fields=True):
    """The real moment at which the daemon's clock showed ``start_ns``."""

    start_ns: int
    anchor_ns: int


def own_place(folder: Path) -> None:
    """Make the data directory, for its owner alone (RELIABILITY 6, files).

    Raises:
        ConfigError: it can not be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as why:
        raise ConfigError(f"the data directory {folder} can not be made ({why.strerror}); name another") from why


def clock_of(settings: Settings) -> LiveClock:
    """The clock of all the daemon's runs.

    With simulators of its own and a ``start`` the anchor is kept in the data directory, so that time goes on over
    restarts as it would outside.

    Raises:
        ConfigError: the file of it can not be read.
    """
    table = settings.alone.daemon
    if not table.start:
        return LiveClock(speed=settings.clock.speed, start_ns=settings.start_ns, anchor_ns=settings.anchor_ns)
    path = settings.data_dir / CLOCK
    try:
        anchor = msgspec.json.decode(path.read_bytes(), type=Anchor)
    except FileNotFoundError:
        anchor = Anchor(parse_time(table.start), LiveClock().now_ns)
        write_whole(path, msgspec.json.encode(anchor))
    except (OSError, msgspec.MsgspecError) as why:
        raise ConfigError(
            f"{path} can not be read ({why}); remove it, and the journal beside it, to begin anew"
        ) from why
    return LiveClock(speed=settings.clock.speed, start_ns=anchor.start_ns, anchor_ns=anchor.anchor_ns)


def no_core_dumps() -> None:
    """A dump of memory would hold every secret (RELIABILITY 6); new files are their owner's alone."""
    os.umask(0o077)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
