"""Dividends, splits and rights: a file of our own form beside the bars (docs/data.md, docs/markets.md).

``<catalog>/<instrument>/actions.csv``, or ``NAME.actions.csv`` beside a file of bars ``NAME.csv`` or ``NAME.parquet``.
Columns ``ex_date`` and any of ``cash``, ``bonus``, ``split``, ``rights``, ``rights_price``: a line an ex-date, each
figure a share held before it. They go with prices as traded: adjusted bars have them in already.
"""

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from engine.data.columns import BarSource
from engine.data.table import file_sha256
from engine.domain.actions import CorporateAction
from engine.domain.errors import DataError
from engine.domain.ids import InstrumentId

FILE = "actions.csv"
FIGURES = ("cash", "bonus", "split", "rights", "rights_price")
Actions = Mapping[InstrumentId, tuple[CorporateAction, ...]]


def actions_file(source: BarSource) -> Path | None:
    """Where the actions of a source's instrument are; None: there are none, or its prices are adjusted."""
    if getattr(source, "adjusted", False):
        return None
    folder = getattr(source, "folder", None)
    path = Path(source.path)
    name = path.name.removesuffix(".gz")
    beside = folder / FILE if folder is not None else path.with_name(f"{name.rpartition('.')[0] or name}.{FILE}")
    return beside if beside.is_file() else None


def read_actions(path: Path) -> tuple[CorporateAction, ...]:
    """One instrument's actions, oldest first.

    Raises:
        DataError: a column is unknown or missing, a day twice, a figure that can not be; names the line.
    """
    try:
        rows = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as why:
        raise DataError(f"data file {path}: can not be read: {why}") from why
    header = rows.fieldnames or ()
    unknown = [name for name in header if name not in ("ex_date", *FIGURES)]
    if "ex_date" not in header or unknown:
        said = f"unknown column {unknown[0]!r}" if unknown else "no column ex_date"
        raise DataError(f"data file {path}, line 1: {said}; columns are ex_date,{','.join(FIGURES)}")
    found: dict[int, CorporateAction] = {}
    for row in rows:
        place = f"data file {path}, line {rows.line_num}"
        try:
            day = date.fromisoformat((row["ex_date"] or "").strip()).toordinal()
            figures = {name: Decimal(row[name]) for name in FIGURES if (row.get(name) or "").strip()}
        except (ValueError, InvalidOperation) as why:
            raise DataError(f"{place}: {why or 'a figure is no number'}; write it as in 2024-06-14,0.5,0.3") from why
        wrong = [name for name, value in figures.items() if not value.is_finite() or value < 0]
        if wrong or figures.get("split", Decimal(1)) == 0:
            raise DataError(f"{place}: {wrong[0] if wrong else 'split'} can not be that; correct it")
        if day in found:
            raise DataError(f"{place}: {row['ex_date']} is there twice; write one line for it")
        found[day] = CorporateAction(ex_day=day, **figures)
    return tuple(found[day] for day in sorted(found))


def actions_of(sources: Iterable[BarSource]) -> tuple[Actions, tuple[dict[str, str], ...]]:
    """The actions that go with a run's sources, and the files they are from, as ``RUN_START`` names data.

    Raises:
        DataError: a file can not be used.
    """
    actions: dict[InstrumentId, tuple[CorporateAction, ...]] = {}
    files: list[dict[str, str]] = []
    for source in sources:
        held = getattr(source, "held_actions", None)
        if held is not None:
            # Bars that are kept in memory bring theirs along: the file may be on another machine.
            actions[source.instrument] = held[0]
            files.append(held[1])
            continue
        path = actions_file(source)
        if path is not None:
            actions[source.instrument] = read_actions(path)
            files.append({"path": str(path), "sha256": file_sha256(path), "actions": source.instrument})
    return actions, tuple(files)
