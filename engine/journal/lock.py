"""One writer a journal: a lock file that says who holds it.

The operating system's lock decides where there is one (it ends with its holder, however that dies); the holder's
process id and start time in the file name him, and decide on systems without such locks.
"""

import contextlib
import errno
import os
import sys
from pathlib import Path

import msgspec

from engine.domain.errors import ConfigError

if sys.platform != "win32":
    import fcntl


HOLDER_BYTES = 128
NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
"""A lock that is a link would lock, and write to, a file of somebody else's choice (RELIABILITY 6, files)."""


class Holder(msgspec.Struct, frozen=True):
    pid: int
    started: str
    """Start time of the process in the kernel's own count, so that a reused process id is not mistaken for it."""
    durable_seq: int = 0
    """The last record it knew to be durable: what the file must hold when the next one opens it."""


def process_started(pid: int) -> str:
    """The start time of a process in clock ticks since boot; empty where the system does not say."""
    try:
        # Field 22 of proc(5); the name in field 2 may hold blanks and brackets, so count from its end.
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return stat.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_alive(holder: Holder) -> bool:
    """Whether the very process that took the lock still runs."""
    if sys.platform != "win32":
        try:
            os.kill(holder.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    started = process_started(holder.pid)
    return not (started and holder.started) or started == holder.started


class ProcessLock:
    """Held from construction until ``release``.

    Raises:
        ConfigError: another engine, in this process or another, holds it.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.left_seq = 0
        """The last durable record of the holder before this one, if it died; 0 if it closed in order."""
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | NO_FOLLOW, 0o600)
        except OSError as problem:
            if problem.errno == errno.ELOOP:
                raise ConfigError(f"{path} is a link, and a lock is none: remove it") from None
            raise
        try:
            self._take(path, what)
        except BaseException:
            os.close(self._fd)
            raise

    def _take(self, path: Path, what: str) -> None:
        holder = _read(self._fd)
        mine = Holder(os.getpid(), process_started(os.getpid()))
        if sys.platform == "win32":
            taken = holder is not None and is_alive(holder)
        else:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Ours and free: left by an engine of this process that was dropped.
                taken = holder is not None and holder.pid != mine.pid and is_alive(holder)
            except BlockingIOError:
                taken = True
        if taken:
            who = f"process {holder.pid}" if holder else "another process"
            raise ConfigError(
                f"{what} is in use by {who}: stop that engine or give this one a journal of its own (lock: {path})"
            )
        self._left = holder
        self._mine = msgspec.structs.replace(mine, durable_seq=holder.durable_seq if holder is not None else 0)
        self.left_seq = self._mine.durable_seq
        self._write(self._mine)

    def mark(self, durable_seq: int) -> None:
        """Say what is durable now. Never synced: a power cut may forget it, the death of this process does not."""
        self._mine = msgspec.structs.replace(self._mine, durable_seq=durable_seq)
        # Best effort: the disk may be full.
        with contextlib.suppress(OSError):
            self._write(self._mine)

    def _write(self, holder: Holder) -> None:
        # Blanks behind it, so that a shorter text covers a longer one in a single write.
        os.pwrite(self._fd, msgspec.json.encode(holder).ljust(HOLDER_BYTES), 0)

    def release(self, *, refused: bool = False) -> None:
        """Let go; a second call does nothing. The file stays, empty: removing it would race with the next taker.

        Args:
            refused: what it is for was not opened: whoever comes next must hear of its last holder as well.
        """
        if self._fd >= 0:
            if refused and self._left is not None:
                self._write(self._left)
            else:
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def _read(fd: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(fd, 4096, 0), type=Holder)
    except msgspec.DecodeError:
        return None


def is_held(path: Path) -> bool:
    """Whether somebody holds this lock now; takes nothing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        holder = _read(fd)
        if sys.platform == "win32":
            return holder is not None and is_alive(holder)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
