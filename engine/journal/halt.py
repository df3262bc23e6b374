"""What an engine leaves beside a journal that it could not write to; needs no database (RELIABILITY 3.1, step 7)."""

import contextlib
import os
from pathlib import Path

import msgspec


class Halt(msgspec.Struct, frozen=True):
    """What the sentinel file says: why the last engine on this journal had to stop."""

    cause: str
    durable_seq: int = 0


class Sentinel:
    """The file that holds a ``Halt``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Halt | None:
        """None: there is none. One that can not be read is a halt too."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Halt)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as problem:
            return Halt(cause=f"the sentinel {self.path} can not be read: {problem}")

    def clear(self) -> None:
        """An operator has looked."""
        self.path.unlink(missing_ok=True)

    def write(self, halt: Halt) -> None:
        """Best effort: the disk may be what failed."""
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, msgspec.json.encode(halt))
                os.fsync(fd)
            finally:
                os.close(fd)
