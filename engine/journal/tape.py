"""A file of frames that is only ever written at its end: what a recording is kept in.

``SLREC1``, a line feed and a zero byte, then frames: length (4 bytes, big endian), CRC-32 of the body, body. A body is
one letter, which says what it is, and zlib-compressed bytes. Whoever dies while writing leaves a torn frame at the end,
which is cut when the file is read; a frame that does not fit its sum while others follow is damage.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from engine.domain.errors import ConfigError, JournalError

MAGIC = b"SLREC1\n\0"
_HEAD = struct.Struct(">II")
LEVEL = 1
"""Of zlib: the quickest; prices repeat so much that more effort gains little."""


class TapeWriter:
    """One new file, mode 0600, in a folder of mode 0700 that is made if it is missing.

    Raises:
        ConfigError: the file exists already, or can not be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        """Bytes written so far."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise ConfigError(
                f"the recording {path} can not be made: {problem.strerror}; give the run a data_dir that is writable, "
                "or switch recording off: [recording] enabled = false"
            ) from problem
        self._put(MAGIC)

    def write(self, kind: bytes, body: bytes) -> None:
        """Add one frame.

        Raises:
            OSError: the disk refuses; what is in the file before it stays readable.
        """
        packed = kind + zlib.compress(body, LEVEL)
        self._put(_HEAD.pack(len(packed), zlib.crc32(packed)) + packed)

    def close(self, *, sync: bool = True) -> None:
        """Let the file go; ``sync``: after it is on the disk. A second call does nothing.

        Raises:
            OSError: the disk refuses.
        """
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            done = os.write(self._fd, view)
            self.size += done
            view = view[done:]


class TapeReader:
    """The frames of a file, which may still be written to.

    Raises:
        ConfigError: no such file, or none of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = 0
        """Bytes read so far."""
        self.torn = 0
        """Bytes of a torn frame at the end that were cut; known once all frames were read."""
        if not path.is_file():
            raise ConfigError(f"recording {path}: there is no such file; check the path")
        self.size = path.stat().st_size
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ConfigError(f"recording {path}: is no recording; name a .rec file that a live run has written")

    def frames(self) -> Iterator[tuple[bytes, bytes]]:
        """Every whole frame as (letter, body).

        Raises:
            JournalError: a frame in the middle is damaged; the message says where.
        """
        with self.path.open("rb") as file:
            self.at = len(file.read(len(MAGIC)))
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                length, told = _HEAD.unpack(head)
                packed = file.read(length)
                if len(packed) < length:
                    break
                if zlib.crc32(packed) != told:
                    if file.read(1):
                        raise JournalError(f"recording {self.path}: the frame at byte {self.at} was changed")
                    break
                self.at += _HEAD.size + length
                yield packed[:1], zlib.decompress(packed[1:])
        self.torn = max(0, self.path.stat().st_size - self.at)
