"""An optimization from its plan to its folder, whatever the workers are."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import anyio
import msgspec
from msgspec import Struct

from engine.clock import stopwatch_seconds
from engine.control.backtest_plan import Asked, Plan, plan_backtest
from engine.control.optimize_plan import (
    AskedSearch,
    asked_search,
    asked_space,
    asked_walk,
    folder_of,
    setup_of,
    table_of,
)
from engine.domain.errors import DataError
from engine.domain.timestamps import format_time
from engine.runtime.optimize.export import as_json, sets_csv
from engine.runtime.optimize.grid import Grid
from engine.runtime.optimize.held_bars import bounds_of
from engine.runtime.optimize.jobs import Pool
from engine.runtime.optimize.optimize_page import render_page
from engine.runtime.optimize.optimizing import Optimizing, Outcome, Wanted
from engine.runtime.optimize.results_file import ResultsFile, refuse_unless_new
from engine.runtime.optimize.setup import Setup
from engine.runtime.optimize.space import Space
from engine.runtime.optimize.windows import WalkForward, Window, windows_of
from engine.runtime.settings import load_settings

PAGE, TABLE, DOCUMENT = "optimize.html", "sets.csv", "optimize.json"


class Prepared(Struct, frozen=True, kw_only=True):
    """Everything that was asked for, checked; no data is read yet."""

    plan: Plan
    space: Space
    wanted: Wanted
    walk: WalkForward | None
    walk_from: str
    """Where the walk was asked for, for sentences."""
    mode: str


class Loaded(Struct, frozen=True, kw_only=True):
    """The same with its data."""

    prepared: Prepared
    setup: Setup
    windows: list[Window]
    fingerprint: str

    @property
    def space(self) -> Space:
        return self.prepared.space

    @property
    def wanted(self) -> Wanted:
        return self.prepared.wanted


class Finished(Struct, frozen=True, kw_only=True):
    outcome: Outcome
    loaded: Loaded
    folder: Path
    document: dict[str, Any]
    """What ``--json`` prints and ``optimize.json`` holds."""
    lost: list[str]
    """Why runs came to nothing: their workers died, or the cluster gave them up."""


class Workers(Pool, Protocol):
    """A pool that is there before the data is: its workers start while this process still reads."""

    async def begin(self, setup: Setup, fingerprint: str) -> None:
        """What the runs are of; called once, before the first ``next``."""


WorkersOf = Callable[[Prepared], contextlib.AbstractAsyncContextManager[Workers]]


def prepare(asked: Asked, sought: AskedSearch, config: Path | None, mode: str) -> Prepared:
    """
    Raises:
        ConfigError: what was asked for can not be done.
    """
    settings = load_settings(config) if config is not None else None
    plan = plan_backtest(asked, settings)
    table = table_of(config)
    space, wanted = asked_space(sought, table, plan), asked_search(sought, table, plan.name)
    if wanted.search == "grid":
        # One without an end, or too large, is refused before anything is started.
        Grid(space)
    return Prepared(
        plan=plan,
        space=space,
        wanted=wanted,
        walk=asked_walk(sought, table),
        walk_from="--walk-forward" if sought.walk_forward is not None else "[optimize] walk_forward",
        mode=mode,
    )


def load(prepared: Prepared) -> Loaded:
    """
    Raises:
        ConfigError, DataError: the data can not be read, or is too short for a window.
    """
    setup = setup_of(prepared.plan, prepared.space, prepared.mode)
    windows: list[Window] = []
    if prepared.walk is not None:
        windows = windows_of(prepared.walk, *bounds_of(setup.sources), setup.tz, prepared.walk_from)
    return Loaded(prepared=prepared, setup=setup, windows=windows, fingerprint=setup.fingerprint())


def run(
    prepared: Prepared, workers_of: WorkersOf, out: Path | None, *, resume: bool, progress: Callable[[int, int], None]
) -> Finished:
    """Make the runs that are not there yet, and write the folder.

    Raises:
        ConfigError, DataError: the data, the folder, the storage or the workers can not be used.
    """
    began = stopwatch_seconds()
    folder = folder_of(out, prepared.plan.name)
    if not resume:
        refuse_unless_new(folder)

    async def go() -> tuple[Loaded, Outcome, dict[str, int], list[str]]:
        async with workers_of(prepared) as workers:
            loaded = load(prepared)
            with ResultsFile(folder, loaded.fingerprint, resume=resume) as results:
                before = len(results)
                one = Optimizing(
                    prepared.wanted, prepared.space, loaded.windows, results, loaded.fingerprint, progress
                )  # fmt: skip
                await workers.begin(loaded.setup, loaded.fingerprint)
                outcome = await one.run(workers)
                made = {"total": one.total, "made_now": len(results) - before, "lost": len(results.lost)}
                return loaded, outcome, made, results.lost

    loaded, outcome, runs, lost = anyio.run(go)
    about = _about(loaded, folder)
    about["runs"] = {**runs, "seconds": round(stopwatch_seconds() - began, 3)}
    document = as_json(outcome, prepared.wanted, about, loaded.setup.tz)
    _write(folder, loaded, outcome, document)
    return Finished(outcome=outcome, loaded=loaded, folder=folder, document=document, lost=lost)


def _about(loaded: Loaded, folder: Path) -> dict[str, Any]:
    setup = loaded.setup
    first_ns, last_ns = bounds_of(setup.sources)
    return {
        "name": loaded.prepared.plan.name,
        "strategies": [{"name": s.name, "path": s.path, "parameters": s.parameters} for s in setup.strategies],
        "data": [
            {"instrument": s.instrument, "path": str(s.path), "sha256": s.digest, "bars": len(s.ts_ns)}
            for s in setup.sources
        ],
        "from": format_time(first_ns, setup.tz)[:19],
        "to": format_time(last_ns, setup.tz)[:19],
        "tz": setup.tz,
        "cash": float(setup.cash),
        "fingerprint": loaded.fingerprint,
        "varied": [
            {"name": d.name, "values": len(d.values) or None, "low": _end(d, 0), "high": _end(d, -1), "log": d.log}
            for d in loaded.space.dimensions
        ],
        "folder": str(folder),
        "page": str(folder / PAGE),
        "table": str(folder / TABLE),
    }


def _end(dimension: Any, place: int) -> Any:
    return dimension.values[place] if dimension.values else (dimension.high if place else dimension.low)


def _write(folder: Path, loaded: Loaded, outcome: Outcome, document: dict[str, Any]) -> None:
    names = [dimension.name for dimension in loaded.space.dimensions]
    setup = loaded.setup
    currency = setup.instruments[setup.sources[0].instrument].currency
    try:
        (folder / TABLE).write_text(sets_csv(outcome.ranking, names), encoding="utf-8")
        (folder / DOCUMENT).write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))
        page = render_page(outcome, loaded.space, loaded.wanted, document, setup.tz, currency)
        (folder / PAGE).write_text(page, encoding="utf-8")
    except OSError as why:
        raise DataError(f"{folder}: can not be written ({why.strerror}); name another --out") from why
