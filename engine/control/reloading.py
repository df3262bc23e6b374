"""A config and its strategies read anew beside a run that goes on: what is broken changes nothing (SIGHUP).

Strategy files are imported into fresh modules; where one can not be, or the config is wrong, the modules that were are
put back and the old run stays as it was.
"""

import contextlib
import hashlib
import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.errors import ConfigError
from engine.runtime.settings import Settings, load_settings
from engine.runtime.strategies import IMPORT_FAILURES

FIXED: dict[str, str] = {
    "data_dir": "[run] data_dir",
    "journal": "[journal]",
    "journal_path": "[journal] path",
    "clock": "[clock]",
    "start_ns": "[clock] start",
    "anchor_ns": "[clock] anchor",
    "simulators": "[simulator.*]",
}
"""What a running daemon keeps until it is started anew; ``data_dir`` among them also holds its lock."""


class Reloaded(Struct, frozen=True, kw_only=True):
    """A config that may take the place of the one that runs."""

    settings: Settings
    kept: tuple[str, ...]
    """Tables that changed and can not be changed without a restart: they are as they were."""
    code: str
    """Hash of the strategies' files."""


def reload(running: Settings) -> Reloaded:
    """Read the config of a run anew, with the strategies' files as they are now.

    Raises:
        ConfigError: one sentence; nothing is changed.
    """
    with fresh_modules([row.spec.path for row in running.strategies]):
        settings = load_settings(running.path)
        for row in settings.strategies:
            _try_out(row.spec.path, row.spec.make)
    kept = []
    for name, place in FIXED.items():
        if getattr(settings, name) != getattr(running, name):
            kept.append(place)
            settings = replace(settings, **{name: getattr(running, name)})
    before, after = running.alone.daemon, settings.alone.daemon
    if (before.simulators, before.host, before.start) != (after.simulators, after.host, after.start):
        kept.append("[daemon] simulators, host and start")
        table = replace(after, simulators=before.simulators, host=before.host, start=before.start)
        settings = replace(settings, alone=replace(settings.alone, daemon=table))
    # Where the run's own files are is told in one more place.
    settings = replace(settings, safety=replace(settings.safety, folder=running.safety.folder))
    return Reloaded(settings=settings, kept=tuple(dict.fromkeys(kept)), code=code_of(settings))


def code_of(settings: Settings) -> str:
    """Hash over the files of the strategies and of what they import from beside them."""
    digest = hashlib.sha256()
    for name in sorted(_theirs([row.spec.path for row in settings.strategies])):
        file = getattr(sys.modules[name], "__file__", None)
        if file:
            digest.update(name.encode())
            with contextlib.suppress(OSError):
                digest.update(Path(file).read_bytes())
    return digest.hexdigest()


@contextlib.contextmanager
def fresh_modules(paths: Sequence[str]) -> Iterator[None]:
    """Inside, the strategies of these paths, and what stands beside them, are imported anew; put back on an error."""
    names = _theirs(paths)
    before: dict[str, ModuleType] = {name: sys.modules.pop(name) for name in names}
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        for name in _theirs([*paths, *before]):
            sys.modules.pop(name, None)
        sys.modules.update(before)
        _reattach(before)
        raise


def _reattach(modules: dict[str, ModuleType]) -> None:
    """A package shows its modules as attributes: those put back, not the ones that failed."""
    for name, module in modules.items():
        package, _, own = name.rpartition(".")
        if package in sys.modules:
            setattr(sys.modules[package], own, module)


def _theirs(paths: Sequence[str]) -> list[str]:
    """Names of loaded modules that are a strategy's file, or in the package of one; never the engine's own."""
    roots, files = set(), set()
    for path in paths:
        place = path.rpartition(":")[0] or path
        if place.endswith(".py"):
            files.add(str(Path(place).resolve()))
        else:
            roots.add(place.partition(".")[0])
    roots.discard("engine")
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        in_package = name.partition(".")[0] in roots
        if in_package or (name.startswith("strategy_file_") and file and str(Path(file).resolve()) in files):
            found.append(name)
    return found


def _try_out(path: str, make: Any) -> None:
    try:
        make()
    except IMPORT_FAILURES as why:
        raise ConfigError(f"strategy {path!r} can not be made: {type(why).__name__}: {why}; correct it") from why
