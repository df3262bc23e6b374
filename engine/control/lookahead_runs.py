"""The other side of ``lookahead_worker``: the data of each run put in its place, and the worker asked for the run.

A changed file is to be found where the true one is: the run's working directory is a folder of links to what is in the
user's, with the changed files in place of the true ones. So a relative path, written in a strategy or given to it,
leads to the changed file; an absolute one does where it is a parameter, or is opened by Python.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.control.backtest_plan import Asked, Plan
from engine.control.lookahead_worker import FORKS, Request, SourceFile
from engine.control.options import path_as_text
from engine.data.columns import BarSource
from engine.data.sources import FileBars
from engine.domain.errors import ConfigError
from engine.runtime.lookahead import Made
from engine.runtime.lookahead_data import Future, step_of, write_future

FIRST_BARS = 2
"""Each instrument has so many bars before any instant that is looked at."""


class Worker:
    """A process that makes runs; started at the first request, and stopped with ``close``."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """``environ``: what the worker is given; strategies may read it."""
        self._environ = {**environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def make(self, request: Request) -> Made:
        """One run; one that ends without an answer has an error."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(request, enc_hook=path_as_text) + b"\n")
            process.stdin.flush()
            said = process.stdout.readline()
        except BrokenPipeError:
            said = b""
        if not FORKS or not said:
            self.close()
        answer = Path(request.answer)
        if not answer.is_file():
            return Made(error=f"its process ended without an answer (exit code {said.decode().strip() or 'unknown'})")
        return msgspec.json.decode(answer.read_bytes(), type=Made)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        process.wait()

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            command = [sys.executable, "-m", "engine.control.lookahead_worker"]
            self._process = subprocess.Popen(  # noqa: S603 (this interpreter, this package)
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environ
            )
        return self._process


class Runs:
    """``Play`` over a plan: every call makes one run in another future."""

    def __init__(self, asked: Asked, config: Path | None, plan: Plan, worker: Worker, mode: str = "auto") -> None:
        """``mode``: of the backtest, ``event``, ``column`` or ``auto``.

        Raises:
            DataError: a file can not be used.
        """
        self._asked = _absolute(asked)
        self._config = str(config.absolute()) if config is not None else ""
        self._worker = worker
        self._mode = mode
        if plan.quotes:
            raise ConfigError("lookahead changes the future of bars; it can not do so with quotes yet: leave them out")
        self._sources = plan.open()
        self._here = Path.cwd()

    @property
    def tz(self) -> str:
        return self._sources[0].tz

    def times_and_steps(self) -> tuple[NDArray[np.int64], dict[str, float], int]:
        """Ends of all bars, rising, each once; each instrument's step of a changed walk; the first usable instant."""
        times, steps, from_ns = np.empty(0, np.int64), dict[str, float](), 0
        for source in self._sources:
            read = [(batch.ts_ns, batch.close) for batch in source.batches()]
            own = np.concatenate([ends for ends, _ in read])
            steps[source.instrument] = step_of(np.concatenate([closes for _, closes in read]))
            from_ns = max(from_ns, int(own[min(FIRST_BARS, len(own)) - 1]))
            times = np.union1d(times, own)
        return times, steps, from_ns

    def __call__(self, future: Future | None) -> Made:
        with tempfile.TemporaryDirectory(prefix="lookahead-") as place:
            folder, files, swaps = self._here, [self._file(source, None) for source in self._sources], self._true()
            if future is not None:
                folder, files, swaps = self._put(Path(place), future)
            return self._worker.make(
                Request(
                    asked=self._asked,
                    config=self._config,
                    folder=str(folder),
                    files=tuple(files),
                    swaps=swaps,
                    future=future,
                    mode=self._mode,
                    answer=str(Path(place) / "answer.json"),
                )
            )

    def _true(self) -> dict[str, str]:
        return {(path := _plain_path(s)): path for s in self._sources if isinstance(s, FileBars)}

    def _file(self, source: BarSource, path: Path | None) -> SourceFile:
        true = _plain_path(source) if isinstance(source, FileBars) else ""
        return SourceFile(path=str(path) if path is not None else true, interval_ns=source.interval_ns, tz=source.tz)

    def _put(self, place: Path, future: Future) -> tuple[Path, list[SourceFile], dict[str, str]]:
        """The working directory of a run, its sources, and what is swapped for what."""
        targets: dict[str, Path] = {}
        for source in self._sources:
            true = _plain_path(source)
            if isinstance(source, FileBars) and true not in targets:
                targets[true] = _target(place, self._here, Path(true), len(targets))
                write_future(source, targets[true], future)
        folder = place / "here"
        _link_the_rest(self._here, folder, [Path(true) for true in targets])
        for true, target in targets.items():
            _link_what_belongs(Path(true), target)
        swaps = {path: str(target) for true, target in targets.items() for path in (true, os.path.realpath(true))}
        files = [self._file(source, targets.get(_plain_path(source))) for source in self._sources]
        return folder, files, swaps


def _plain_path(source: BarSource) -> str:
    """Absolute, links not followed: where the user says the file is."""
    return os.path.normpath(source.path.absolute())


def _absolute(asked: Asked) -> Asked:
    return msgspec.structs.replace(
        asked,
        catalog=asked.catalog.absolute() if asked.catalog is not None else None,
        instruments_file=asked.instruments_file.absolute() if asked.instruments_file is not None else None,
    )


def _target(place: Path, here: Path, true: Path, number: int) -> Path:
    if true.is_relative_to(here):
        return place / "here" / true.relative_to(here)
    return place / "elsewhere" / str(number) / true.name


def _link_the_rest(here: Path, folder: Path, swapped: Sequence[Path]) -> None:
    """Links to all that is in ``here``; folders on the way to a swapped file are real ones, with links inside."""
    made = {here}
    for true in swapped:
        made |= {parent for parent in true.parents if parent.is_relative_to(here)}
    for real in sorted(made):
        target = folder / real.relative_to(here)
        target.mkdir(parents=True, exist_ok=True)
        for entry in sorted(real.iterdir()):
            if entry not in made and entry not in swapped:
                _link(entry, target / entry.name)


def _link_what_belongs(true: Path, target: Path) -> None:
    """Files beside a data file that are named after it, as its dividends are."""
    stem = true.name.partition(".")[0]
    for entry in _beside(true, stem):
        if not (target.parent / entry.name).exists():
            _link(entry, target.parent / entry.name)


def _beside(true: Path, stem: str) -> Iterable[Path]:
    return (entry for entry in sorted(true.parent.glob(f"{_plain(stem)}.*")) if entry != true)


def _plain(text: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)


def _link(entry: Path, place: Path) -> None:
    try:
        place.symlink_to(entry)
    except OSError as why:
        if not entry.is_file():
            raise ConfigError(
                f"lookahead: this machine makes no link to {entry} ({why.strerror}); run it from a folder that holds "
                "the strategy alone"
            ) from why
        shutil.copy2(entry, place)
