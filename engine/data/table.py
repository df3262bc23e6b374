"""What a file format must answer so that bars and quotes can be read from it."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from engine.domain.errors import DataError


class Table(Protocol):
    """One file with named columns."""

    @property
    def path(self) -> Path: ...

    @property
    def header(self) -> tuple[str, ...]:
        """Names of its columns, in the file's order."""

    def batches(self, columns: Mapping[str, str], *, sample: bool = False) -> Iterator[Mapping[str, Any]]:
        """Arrow arrays by field, a batch at a time, for ``columns`` (field -> column).

        The symbol comes dictionary-encoded. With ``sample``: the first rows only, and cheap.

        Raises:
            DataError: what is in the file can not be read.
        """

    def place(self, row: int) -> str:
        """Where a data row (the first is 0) is, for people: ``line 17`` or ``row 16``."""


def open_binary(path: Path) -> bytes:
    """The first bytes of a file that must be there.

    Raises:
        DataError: no such file, a folder, not readable, or empty.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError:
        raise DataError(f"data file {path}: there is no such file; check the path given with --data") from None
    except IsADirectoryError:
        raise DataError(f"data file {path}: is a folder; name one file in it") from None
    except OSError as why:
        raise DataError(f"data file {path}: can not be opened ({why.strerror}); check its permissions") from why
    if not start:
        raise DataError(f"data file {path}: is empty; the first line must name the columns, rows follow")
    return start


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes as stored, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
