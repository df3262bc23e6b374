"""The sign of life of a run, for the watchdog: a small file that is replaced whole (RELIABILITY 4.4)."""

import contextlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

NAME = "heartbeat.json"


class Heartbeat(Struct, frozen=True, kw_only=True):
    """One beat. ``seq`` grows with each; ``ts_ns`` and ``speed`` are of the run's own clock."""

    pid: int
    seq: int
    ts_ns: int
    speed: float = 1.0
    session: bool = True
    """Whether a market of the run was open."""
    working: int = 0
    """Orders of the run that were not ended."""
    ended: str = ""
    """Why the run ended, if it ended in order: then nobody has to watch it."""


def write(folder: Path, beat: Heartbeat) -> bool:
    """Replace the file. False if the disk did not take it: then the watchdog will miss it, as it should."""
    made = folder / f".{NAME}.{beat.pid}"
    try:
        made.write_bytes(msgspec.json.encode(beat))
        made.replace(folder / NAME)
    except OSError:
        with contextlib.suppress(OSError):
            made.unlink(missing_ok=True)
        return False
    return True


def read(folder: Path) -> Heartbeat | None:
    """The last beat; None if there is none, or none that can be read."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Heartbeat)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def own_pid() -> int:
    """Of this process; the only thing the file says that another run would say differently."""
    return os.getpid()
