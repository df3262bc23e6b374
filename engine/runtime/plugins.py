"""Indicators, fill models and order algorithms of other packages, found by their entry points (docs/plugins.md)."""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from msgspec import Struct

from engine.algos import ALGOS
from engine.domain.account import Capabilities
from engine.domain.algos import Custom
from engine.domain.errors import ConfigError
from engine.indicators import INDICATORS
from engine.matching import FILL_MODELS
from engine.runtime.settings_reading import convert
from engine.series import FIELDS, BarSeries, Series

GROUPS = ("sluice.indicators", "sluice.fill_models", "sluice.algos")
_OURS = {
    "sluice.indicators": frozenset(INDICATORS),
    "sluice.fill_models": frozenset(FILL_MODELS),
    "sluice.algos": frozenset(ALGOS),
}
_JOINED: dict[tuple[str, str], str] = {}
"""(group, name) -> who brought it."""


def join_plugins(found: Iterable[EntryPoint] | None = None) -> None:
    """Put what installed packages bring into the registries; a second call does nothing more.

    Args:
        found: entry points of ``GROUPS``; default: those of every installed package.

    Raises:
        ConfigError: a name is taken, a thing can not be loaded, or is not what its group takes.
    """
    if found is None:
        found = [point for group in GROUPS for point in entry_points(group=group)]
    for point in sorted(found, key=lambda p: (GROUPS.index(p.group), p.name)):
        whose = f"{point.dist.name if point.dist is not None else 'a package'} ({point.value})"
        before = _JOINED.get((point.group, point.name))
        if before == whose:
            continue
        _refuse_taken(point, whose, before)
        _TAKERS[point.group](point.name, _loaded(point, whose), whose)
        _JOINED[point.group, point.name] = whose


def _refuse_taken(point: EntryPoint, whose: str, before: str | None) -> None:
    what = f"{whose} brings {point.name!r} to {point.group}"
    if point.name in _OURS[point.group]:
        raise ConfigError(f"{what}, and Sluice has one of that name: it takes another name, or is uninstalled")
    if before is not None:
        raise ConfigError(f"{what}, and so does {before}: uninstall one of the two")
    if not point.name.isidentifier():
        raise ConfigError(f"{what}: a name has letters, digits and _ alone")


def _loaded(point: EntryPoint, whose: str) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError, SyntaxError, NameError, TypeError, ValueError) as why:
        raise ConfigError(
            f"{whose} brings {point.name!r} to {point.group} and can not be loaded ({why}): mend or uninstall it"
        ) from why


def _take_indicator(name: str, kind: Any, whose: str) -> None:
    inputs, outputs = getattr(kind, "inputs", None), getattr(kind, "outputs", None)
    sound = isinstance(kind, type) and all(hasattr(kind, part) for part in ("update", "column"))
    sound = sound and isinstance(inputs, tuple) and isinstance(outputs, tuple) and bool(inputs) and bool(outputs)
    if not sound or (inputs != ("value",) and not set(inputs or ()) <= set(FIELDS)):
        raise ConfigError(
            f"{whose}: indicator {name!r} needs the class attributes inputs (('value',), or fields of a bar: "
            f"{', '.join(FIELDS)}) and outputs, and the methods update and column"
        )
    if hasattr(Series, name) or hasattr(BarSeries, name) or name in FIELDS:
        raise ConfigError(f"{whose}: indicator {name!r} has the name of something else of a series: take another")
    INDICATORS[name] = kind


def _take_fill_model(name: str, kind: Any, whose: str) -> None:
    if not (isinstance(kind, type) and issubclass(kind, Struct) and callable(getattr(kind, "match", None))):
        raise ConfigError(f"{whose}: fill model {name!r} is no msgspec Struct with a method match")
    model: Any = kind
    FILL_MODELS[name] = model


def _take_algo(name: str, kind: Any, whose: str) -> None:
    parts = ("step", "listens", "hear")
    if not (
        isinstance(kind, type)
        and issubclass(kind, Struct)
        and hasattr(kind, "has_exits")
        and all(callable(getattr(kind, part, None)) for part in parts)
    ):
        raise ConfigError(
            f"{whose}: algorithm {name!r} is no msgspec Struct with has_exits and the methods {', '.join(parts)}"
        )

    def made(spec: Custom, _sheet: Capabilities) -> Any:
        return convert(spec.settings, kind, f"algorithm {name}")

    ALGOS[name] = made


_TAKERS: dict[str, Callable[[str, Any, str], None]] = {
    "sluice.indicators": _take_indicator,
    "sluice.fill_models": _take_fill_model,
    "sluice.algos": _take_algo,
}
