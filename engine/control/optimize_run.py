"""An optimization from its plan to its folder, whatever the workers are."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from engine.runtime.optimize.held_bars import bounds_of
from engine.runtime.optimize.jobs import Pool
from engine.runtime.optimize.optimize_page import render_page
from engine.runtime.optimize.optimizing import Optimizing, Outcome, Wanted
from engine.runtime.optimize.results_file import ResultsFile
from engine.runtime.optimize.setup import Setup
from engine.runtime.optimize.space import Space
from engine.runtime.optimize.windows import Window, windows_of
from engine.runtime.settings import load_settings

PAGE, TABLE, DOCUMENT = "optimize.html", "sets.csv", "optimize.json"


class Prepared(Struct, frozen=True, kw_only=True):
    """Everything that was asked for, checked, and the data read."""

    plan: Plan
    space: Space
    wanted: Wanted
    windows: list[Window]
    setup: Setup


class Finished(Struct, frozen=True, kw_only=True):
    outcome: Outcome
    prepared: Prepared
    folder: Path
    document: dict[str, Any]
    """What ``--json`` prints and ``optimize.json`` holds."""


PoolOf = Callable[[Prepared, str], contextlib.AbstractAsyncContextManager[Pool]]


def prepare(asked: Asked, sought: AskedSearch, config: Path | None, mode: str) -> Prepared:
    """
    Raises:
        ConfigError, DataError: what was asked for can not be done; before any worker is started.
    """
    settings = load_settings(config) if config is not None else None
    table = table_of(settings)
    plan = plan_backtest(asked, settings)
    space = asked_space(sought, table, plan)
    wanted = asked_search(sought, table, plan.name)
    walk = asked_walk(sought, table)
    setup = setup_of(plan, space, mode)
    where = "--walk-forward" if sought.walk_forward is not None else "[optimize] walk_forward"
    windows = [] if walk is None else windows_of(walk, *bounds_of(setup.sources), setup.tz, where)
    return Prepared(plan=plan, space=space, wanted=wanted, windows=windows, setup=setup)


def run(
    prepared: Prepared, pool_of: PoolOf, out: Path | None, *, resume: bool, progress: Callable[[int, int], None]
) -> Finished:
    """Make the runs that are not there yet, and write the folder.

    Raises:
        ConfigError, DataError: the folder, the storage or the workers can not be used.
    """
    began = stopwatch_seconds()
    folder = folder_of(out, prepared.plan.name)
    fingerprint = prepared.setup.fingerprint()
    with ResultsFile(folder, fingerprint, resume=resume) as results:
        before = len(results)
        one = Optimizing(prepared.wanted, prepared.space, prepared.windows, results, fingerprint, progress)

        async def go() -> Outcome:
            async with pool_of(prepared, fingerprint) as pool:
                return await one.run(pool)

        outcome = anyio.run(go)
        made = len(results) - before
    about = _about(prepared, fingerprint, folder)
    about["runs"] = {"total": one.total, "made_now": made, "seconds": round(stopwatch_seconds() - began, 3)}
    document = as_json(outcome, prepared.wanted, about, prepared.setup.tz)
    _write(folder, prepared, outcome, document)
    return Finished(outcome=outcome, prepared=prepared, folder=folder, document=document)


def _about(prepared: Prepared, fingerprint: str, folder: Path) -> dict[str, Any]:
    setup = prepared.setup
    first_ns, last_ns = bounds_of(setup.sources)
    return {
        "name": prepared.plan.name,
        "strategies": [{"name": s.name, "path": s.path, "parameters": s.parameters} for s in setup.strategies],
        "data": [
            {"instrument": s.instrument, "path": str(s.path), "sha256": s.digest, "bars": len(s.ts_ns)}
            for s in setup.sources
        ],
        "from": format_time(first_ns, setup.tz)[:19],
        "to": format_time(last_ns, setup.tz)[:19],
        "tz": setup.tz,
        "cash": float(setup.cash),
        "fingerprint": fingerprint,
        "varied": [
            {"name": d.name, "values": len(d.values) or None, "low": _end(d, 0), "high": _end(d, -1), "log": d.log}
            for d in prepared.space.dimensions
        ],
        "folder": str(folder),
        "page": str(folder / PAGE),
        "table": str(folder / TABLE),
    }


def _end(dimension: Any, place: int) -> Any:
    return dimension.values[place] if dimension.values else (dimension.high if place else dimension.low)


def _write(folder: Path, prepared: Prepared, outcome: Outcome, document: dict[str, Any]) -> None:
    names = [dimension.name for dimension in prepared.space.dimensions]
    setup = prepared.setup
    currency = setup.instruments[setup.sources[0].instrument].currency
    try:
        (folder / TABLE).write_text(sets_csv(outcome.ranking, names), encoding="utf-8")
        (folder / DOCUMENT).write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))
        page = render_page(outcome, prepared.space, prepared.wanted, document, setup.tz, currency)
        (folder / PAGE).write_text(page, encoding="utf-8")
    except OSError as why:
        raise DataError(f"{folder}: can not be written ({why.strerror}); name another --out") from why
