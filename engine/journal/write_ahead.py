"""SQLite's write-ahead file looked at from outside: commits in it that SQLite did not take.

SQLite stops at the first frame that does not fit its checksum and drops the rest without a word: right for a write
that a power cut tore, wrong for a bit that flipped in the middle (RELIABILITY 5.1, S4). A torn write is of one
transaction, the last; commits behind a bad frame had been acknowledged. Format: sqlite.org/fileformat2.html, 4.
"""

import contextlib
import os
import sqlite3
import struct
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_BIG_ENDIAN, _LITTLE_ENDIAN = 0x377F0683, 0x377F0682
_MASK = 0xFFFFFFFF


def commits_not_taken(db: sqlite3.Connection, path: Path) -> int:
    """How many acknowledged commits the write-ahead file of a database holds behind what its connection reads.

    To be asked before anything is written over ``db``.
    """
    try:
        with path.with_name(path.name + "-wal").open("rb") as file:
            taken = max(0, db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])
            return _commits_behind(taken, *_frames(file))
    except FileNotFoundError:
        return 0


def hold(path: Path) -> None:
    """Give the write-ahead file a second name while a database is opened: whoever closes it last removes the first.

    Only as good as the file system: where it has no hard links nothing is held.
    """
    log, held = _names(path)
    if log.exists():
        held.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.link(log, held)
    elif held.exists():
        # An opening that was cut off had closed it already.
        held.rename(log)


def put_back(path: Path) -> None:
    """The database was refused, and closed: its write-ahead file is evidence."""
    log, held = _names(path)
    if held.exists():
        held.replace(log)


def let_go(path: Path) -> None:
    """The database is open and sound."""
    _names(path)[1].unlink(missing_ok=True)


def _names(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-wal.held")


def _frames(file: BinaryIO) -> tuple[tuple[int, int], list[tuple[int, int, int]]]:
    """The generation's salts, and of each frame its two salts and whether it ends a commit."""
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        return (0, 0), []
    magic, _, page_size, _, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack(head)
    sound = magic in {_BIG_ENDIAN, _LITTLE_ENDIAN} and _checksum(head[:24], magic) == (sum_1, sum_2)
    frames: list[tuple[int, int, int]] = []
    step = _page_size(page_size) if sound else 4096
    while len(found := file.read(_FRAME.size)) == _FRAME.size:
        _, size, first, second, _, _ = _FRAME.unpack(found)
        frames.append((first, second, size))
        file.seek(step, 1)
    # A header that was just written anew tells of an older generation's frames behind it; a damaged one of nothing.
    salts = (salt_1, salt_2) if sound or not frames else frames[0][:2]
    return salts, frames


def _commits_behind(taken: int, salts: tuple[int, int], frames: list[tuple[int, int, int]]) -> int:
    rest = [size for first, second, size in frames[taken:] if (first, second) == salts]
    ends = [place for place, size in enumerate(rest) if size]
    # One commit, and nothing behind it, may be the one that was being written.
    torn = len(ends) <= 1 and (not ends or ends[0] == len(rest) - 1)
    return 0 if torn else len(ends)


def _page_size(told: int) -> int:
    return 65_536 if told == 1 else told


def _checksum(data: bytes, magic: int) -> tuple[int, int]:
    order = ">" if magic == _BIG_ENDIAN else "<"
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    first = second = 0
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & _MASK
        second = (second + two + first) & _MASK
    return first, second
