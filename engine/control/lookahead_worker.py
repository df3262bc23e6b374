"""Runs of ``lookahead``, each in a process that has never seen the strategy: nothing a run keeps can reach the next.

Started as ``python -m engine.control.lookahead_worker``: it imports the engine once, then takes one request a line and
forks for each. Where there is no fork it does one request and ends. The answer to a request is a file; the line it
prints says that the run is over.
"""

import builtins
import io
import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import pyarrow as pa
from msgspec import Struct

from engine.control.backtest_plan import Asked, Plan, plan_backtest
from engine.control.options import path_from_text
from engine.data.columns import BarSource
from engine.data.sources import open_bars
from engine.domain.errors import SluiceError
from engine.journal.memory import MemoryJournal
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.decisions import decisions_of
from engine.runtime.lookahead import Made
from engine.runtime.lookahead_data import Future, FutureBars
from engine.runtime.settings import load_settings
from engine.runtime.strategies import strategy_spec

FORKS = hasattr(os, "fork")
_ENGINE = str(Path(__file__).parents[1])
_DATA = str(Path(__file__).parents[1] / "data")
_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))


class SourceFile(Struct, frozen=True, kw_only=True):
    """One source of the run, in the order of the plan's data."""

    path: str
    """The file as it is to be in this run; empty: a catalog's series, changed in memory."""
    interval_ns: int
    tz: str


class Request(Struct, frozen=True, kw_only=True):
    asked: Asked
    config: str
    """Absolute; empty: none."""
    folder: str
    """The working directory of the run: the user's, with the changed files in place of the true ones."""
    files: tuple[SourceFile, ...]
    swaps: dict[str, str]
    """True absolute path of a data file -> the file it is to be in this run."""
    future: Future | None
    mode: str
    answer: str
    """Where the ``Made`` goes."""


class Doors:
    """``open`` as the run sees it: a true data file is the changed one, and who asks for one is noted.

    What opens files below Python (Arrow, a database) does not come by here.
    """

    def __init__(self, swaps: dict[str, str]) -> None:
        self._swaps = {**{new: new for new in swaps.values()}, **swaps}
        self._open = io.open
        self.opened: dict[str, None] = {}

    def install(self) -> None:
        for place in (builtins, io):
            vars(place)["open"] = self.open
        # numpy keeps the open of its own import for loadtxt and genfromtxt, in a table without a public name.
        table = getattr(sys.modules.get("numpy.lib._datasource"), "_file_openers", None)
        openers = getattr(table, "_file_openers", None)
        if isinstance(openers, dict):
            openers[None] = self.open

    def open(self, file: Any, *args: Any, **named: Any) -> Any:
        if isinstance(file, str | os.PathLike):
            path = str(Path(os.fsdecode(file)).absolute())
            new = self._swaps.get(os.path.normpath(path)) or self._swaps.get(os.path.realpath(path))
            if new is not None:
                self._note(path)
                return self._open(new, *args, **named)
        return self._open(file, *args, **named)

    def _note(self, path: str) -> None:
        frame = cast(Any, sys._getframe(2))
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(_DATA):
                return
            if not name.startswith((*_LIBRARIES, _ENGINE, "<")):
                self.opened[f"{Path(path).name} ({Path(name).name}, line {frame.f_lineno})"] = None
                return
            frame = frame.f_back


def make(request: Request) -> Made:
    """One run, in this process, which is spoilt by it."""
    os.chdir(request.folder)
    doors = Doors(request.swaps)
    doors.install()
    made = Made()
    try:
        plan = plan_backtest(request.asked, load_settings(request.config) if request.config else None)
        made.decisions, made.bars = _decide(plan, request)
    except (SluiceError, OSError) as error:
        made.error = " ".join(str(error).split())
    made.opened = list(doors.opened)
    return made


def _decide(plan: Plan, request: Request) -> tuple[list[Any], int]:
    journal = MemoryJournal()
    sources = _sources(plan, request)
    strategies = [_swapped(spec, request.swaps) for spec in plan.specs]
    run = plan.run_of(sources, journal, request.mode, strategies=strategies)
    stop, last = run.core.runner.stop, [0]

    def ending() -> None:
        # What ``on_stop`` does is done at the end of the data, wherever that is.
        last[0] = journal.durable_seq
        stop()

    setattr(run.core.runner, "stop", ending)  # noqa: B010
    result = run.run()
    kept = ((seq, record) for seq, record in journal.records() if seq <= last[0])
    return decisions_of(kept), result.bars


def _sources(plan: Plan, request: Request) -> list[BarSource]:
    sources: list[BarSource] = []
    for arguments, file in zip(plan.data, request.files, strict=True):
        if file.path:
            exact = {"path": file.path, "interval": file.interval_ns, "tz": file.tz}
            sources.append(open_bars(**{**arguments, **exact}))
        else:
            opened = open_bars(**arguments)
            sources.append(opened if request.future is None else cast(BarSource, FutureBars(opened, request.future)))
    return sources


def _swapped(spec: StrategySpec, swaps: dict[str, str]) -> StrategySpec:
    """Parameters that are the path of a data file lead to the changed one."""
    new = {
        name: swaps[path]
        for name, value in spec.parameters.items()
        if isinstance(value, str) and (path := os.path.realpath(value)) in swaps
    }
    if not new:
        return spec
    again = strategy_spec(
        spec.path, name=spec.name, instruments=spec.instruments, parameters={**spec.parameters, **new}
    )
    return msgspec.structs.replace(again, bar_interval_ns=spec.bar_interval_ns)


def _answer(line: bytes) -> None:
    request = msgspec.json.decode(line, type=Request, dec_hook=path_from_text)
    Path(request.answer).write_bytes(msgspec.json.encode(make(request)))


def serve() -> None:
    """One request a line until there are no more."""
    stdin, stdout = sys.stdin.buffer, os.dup(1)
    # What a strategy prints is no answer.
    os.dup2(2, 1)
    # Arrow imports pandas, if it is there, at the first array: here once, and not in every child.
    pa.array([0])
    for line in iter(stdin.readline, b""):
        if not FORKS:
            _answer(line)
            os.write(stdout, b"0\n")
            return
        child = os.fork()
        if child == 0:
            _in_the_child(line)
        _, status = os.waitpid(child, 0)
        os.write(stdout, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _in_the_child(line: bytes) -> None:
    """Never comes back: the child must not go on with its parent's loop."""
    code = 1
    try:
        _answer(line)
        code = 0
    finally:
        if code:
            sys.excepthook(*cast(Any, sys.exc_info()))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main(argv: Sequence[str] = ()) -> None:
    del argv
    try:
        serve()
    except KeyboardInterrupt:
        # The terminal interrupts both of us; the other one says so.
        sys.exit(130)


if __name__ == "__main__":
    main()
