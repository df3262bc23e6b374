"""Strategy classes by name: ``strategies.sma_cross:SmaCross``, or a file: ``path/to/file.py:SmaCross``."""

import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.domain.errors import ConfigError, SluiceError
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.timestamps import duration_ns
from engine.params import fill_parameters
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.settings_reading import near
from engine.strategy import Strategy

_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

PATH_MAX, NAME_MAX = 4000, 240
"""Bytes of a path, and of one name in it."""

IMPORT_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, NameError, OSError,
    RuntimeError, SyntaxError, SystemExit, TypeError, ValueError, SluiceError,
)  # fmt: skip
"""What running a strategy's file for the first time may raise; named, as nothing here catches everything."""


def load_strategy(path: str) -> type[Strategy]:
    """The class that ``module:Class`` or ``file.py:Class`` names; the current directory can be imported from.

    Raises:
        ConfigError: not of that form, no such module, file or class, not a ``Strategy``, or an error inside, with its
            file and line.
    """
    place, colon, name = path.rpartition(":")
    if not colon or not place or not _CLASS.fullmatch(name) or not _may_be_a_path(place):
        raise ConfigError(
            f"strategy {path!r}: write module, colon and class, as in strategies.sma_cross:SmaCross, "
            "or the path of a file, as in strategies/sma_cross.py:SmaCross"
        )
    module = _module_of_file(path, Path(place)) if place.endswith(".py") else _module(path, place)
    found = getattr(module, name, None)
    classes = [n for n, v in vars(module).items() if _is_strategy(v) and v.__module__ == module.__name__]
    if found is None:
        raise ConfigError(f"strategy {path!r}: {place} has no class {name}{near(name, classes)}")
    if not _is_strategy(found):
        raise ConfigError(
            f"strategy {path!r}: {name} is no strategy; write `class {name}(Strategy)`{near(name, classes)}"
        )
    return found  # type: ignore[no-any-return]


def _may_be_a_path(text: str) -> bool:
    """Whether the machine can be asked for it: no NUL, and no part longer than a file's name may be."""
    parts = re.split(r"[./]", text) if not text.endswith(".py") else text.split("/")
    return (
        "\x00" not in text
        and len(text.encode("utf-8", "replace")) <= PATH_MAX
        and all(len(part.encode("utf-8", "replace")) <= NAME_MAX for part in parts)
    )


def strategy_spec(
    path: str, *, name: str, instruments: tuple[InstrumentId, ...], parameters: dict[str, Any], bars: str = ""
) -> StrategySpec:
    """One strategy of a run, its parameters filled and checked.

    Raises:
        ConfigError: as ``load_strategy``; unknown, ill-typed or out-of-range parameter; ``bars`` is no duration.
    """
    try:
        interval_ns = duration_ns(bars) if bars else 0
    except ValueError as why:
        raise ConfigError(f"bars: {why}") from why
    made_from = load_strategy(path)
    filled = fill_parameters(made_from, parameters)

    def make() -> Strategy:
        return made_from(**filled)

    return StrategySpec(
        name=StrategyId(name),
        make=make,
        instruments=instruments,
        bar_interval_ns=interval_ns,
        path=path,
        parameters=filled,
    )


def _is_strategy(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy


def _module(path: str, name: str) -> ModuleType:
    if not _MODULE.fullmatch(name):
        raise ConfigError(
            f"strategy {path!r}: {name!r} is no module name; write it as in strategies.sma_cross:SmaCross"
        )
    _import_from_here()
    try:
        return importlib.import_module(name)
    except IMPORT_FAILURES as error:
        missing = getattr(error, "name", None)
        if isinstance(error, ModuleNotFoundError) and missing and (name == missing or name.startswith(f"{missing}.")):
            raise ConfigError(f"strategy {path!r}: there is no module {missing!r}; {_mend(name)}") from error
        raise ConfigError(f"strategy {path!r}: {_where(error)}") from error


def _module_of_file(path: str, file: Path) -> ModuleType:
    if not file.is_file():
        raise ConfigError(f"strategy {path!r}: there is no file {file}; check the path")
    _import_from_here()
    # Two files of one name in two folders are two modules; the same file is one.
    digest = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]
    name = f"strategy_file_{digest}_{re.sub(r'[^A-Za-z0-9_]', '_', file.stem)}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"strategy {path!r}: {file} can not be imported; name a .py file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except IMPORT_FAILURES as error:
        del sys.modules[name]
        raise ConfigError(f"strategy {path!r}: {_where(error)}") from error
    return module


def _import_from_here() -> None:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _mend(name: str) -> str:
    folder = Path(*name.split(".")).parent
    files = (
        sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("__")) if folder.is_dir() else []
    )
    prefix = name.rpartition(".")[0]
    if not files:
        return "run from the project's folder, or name a file, as in strategies/sma_cross.py:SmaCross"
    return near(name, [f"{prefix}.{stem}" if prefix else stem for stem in files]).removeprefix("; ")


def _where(error: BaseException) -> str:
    """What went wrong inside the user's file, with file and line."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}; correct that line"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    ours = [f for f in frames if f.filename != __file__]
    at = f"{ours[-1].filename}, line {ours[-1].lineno}: " if ours else ""
    return f"{at}{type(error).__name__}: {' '.join(str(error).split())}; correct that line"
