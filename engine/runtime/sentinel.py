"""The sentinel: a file that stops trading, whoever wrote it, until a person takes it away (RELIABILITY 4.4; 3.3, C19).

``<data_dir>/HALT``. It is written where a latch can not be journaled, by the watchdog, and by any person with a shell
(``touch`` is enough). The engine looks for it at its start, once a second, and after any gap; it never removes it.
"""

import contextlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

NAME = "HALT"


class Halted(Struct, frozen=True, kw_only=True):
    """What the file says. ``ts_ns``: by the clock of who wrote it; 0 where it does not say."""

    cause: str
    who: str = "sentinel"
    ts_ns: int = 0


def write(folder: Path, cause: str, *, who: str, ts_ns: int = 0) -> bool:
    """Write it, unless it is there: the first cause stays. False if the disk did not take it; nothing is raised."""
    body = msgspec.json.encode(Halted(cause=cause, who=who, ts_ns=ts_ns))
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return True
    except OSError:
        return False
    try:
        os.write(handle, body)
        os.fsync(handle)
    except OSError:
        # It is there, if empty: that stops trading as well.
        return (folder / NAME).exists()
    finally:
        os.close(handle)
    return True


def read(folder: Path) -> Halted | None:
    """What it says; None if it is not there. One that can not be read, or is no JSON, stops trading all the same."""
    try:
        body = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as why:
        return Halted(cause=f"the sentinel {folder / NAME} can not be read ({why.strerror})")
    try:
        return msgspec.json.decode(body, type=Halted)
    except (msgspec.DecodeError, UnicodeDecodeError):
        words = body[:200].decode(errors="replace").strip()
        return Halted(cause=words or f"somebody put the file {folder / NAME} there", who="person")


def clear(folder: Path) -> bool:
    """Take it away: only a person's resume may. False if there was none.

    Raises:
        OSError: it is there and can not be removed.
    """
    try:
        (folder / NAME).unlink()
    except FileNotFoundError:
        return False
    return True
