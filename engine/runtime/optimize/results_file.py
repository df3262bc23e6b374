"""The runs that are done, a line each, as they come: what an interruption leaves, and ``--resume`` goes on from."""

from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError, DataError
from engine.runtime.optimize.jobs import ENCODER, ROW_DECODER, Job, Row

NAME = "results.jsonl"


class Header(Struct, frozen=True, kw_only=True):
    """The first line. ``fingerprint`` is ``Setup.fingerprint``."""

    sluice_optimize: int
    fingerprint: str


def refuse_unless_new(folder: Path) -> None:
    """
    Raises:
        ConfigError: the folder holds results.
    """
    if (folder / NAME).exists():
        raise ConfigError(f"{folder}: holds results already; add --resume to go on with them, or name another --out")


class ResultsFile:
    """``folder/results.jsonl``; a last line that was cut off is left out and written over."""

    def __init__(self, folder: Path, fingerprint: str, *, resume: bool) -> None:
        """
        Raises:
            ConfigError: it is there and was not to be gone on with, or is of other code, data or rules.
            DataError: it is damaged before its last line, or can not be written.
        """
        self.path = folder / NAME
        self._rows: dict[str, Row] = {}
        self.lost: list[str] = []
        """Why runs of this time came to nothing; they are not kept, and made again with ``resume``."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                self._read(fingerprint, resume)
            self._file: IO[bytes] = self.path.open("ab")
            if not self._file.tell():
                self._write(ENCODER.encode(Header(sluice_optimize=1, fingerprint=fingerprint)))
        except OSError as why:
            raise DataError(f"results {self.path}: can not be used ({why.strerror}); name another --out") from why

    def __enter__(self) -> "ResultsFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._rows)

    def known(self, job: Job) -> Row | None:
        return self._rows.get(job.key)

    def keep(self, row: Row) -> None:
        """Raises:
        DataError: the disk is full, or the like.
        """
        if row.lost:
            self.lost.append(row.problem)
            return
        self._rows[row.key] = row
        try:
            self._write(ENCODER.encode(row))
        except OSError as why:
            raise DataError(f"results {self.path}: can not be written ({why.strerror}); make room there") from why

    def _write(self, line: bytes) -> None:
        self._file.write(line + b"\n")
        self._file.flush()

    def _read(self, fingerprint: str, resume: bool) -> None:
        if not resume:
            refuse_unless_new(self.path.parent)
        whole = self.path.read_bytes()
        complete, _, rest = whole.rpartition(b"\n")
        lines = complete.split(b"\n") if complete else []
        for number, line in enumerate(lines, 1):
            try:
                if number == 1:
                    self._check(msgspec.json.decode(line, type=Header), fingerprint)
                    continue
                row = ROW_DECODER.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as why:
                raise DataError(
                    f"results {self.path}, line {number}: can not be read ({why}); name another --out"
                ) from why
            self._rows[row.key] = row
        if rest or not lines:
            with self.path.open("r+b") as file:
                file.truncate(len(complete) + 1 if lines else 0)

    def _check(self, header: Header, fingerprint: str) -> None:
        if header.fingerprint != fingerprint:
            raise ConfigError(
                f"{self.path.parent}: its results are of another strategy, data, rules or version of the engine; name "
                "another --out"
            )
