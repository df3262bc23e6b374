"""Journals: the durable, hash-chained list of what was decided and learnt (RELIABILITY 3.1)."""

from collections.abc import Callable
from pathlib import Path

from engine.journal.memory import MemoryJournal
from engine.journal.sqlite import SqliteJournal
from engine.ports import Journal


def _memory(_: Path) -> Journal:
    return MemoryJournal()


def _sqlite(path: Path) -> Journal:
    return SqliteJournal(path)


def _sqlite_inline(path: Path) -> Journal:
    return SqliteJournal(path, inline=True)


JOURNALS: dict[str, Callable[[Path], Journal]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "sqlite_inline": _sqlite_inline,
}
"""Name -> how to open one; the path is where a journal with a file keeps it."""
