"""The bars a run was over, opened again from the files its journal names."""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.data import open_bars
from engine.data.columns import BarSource
from engine.domain.errors import DataError


def sources_of(data: Iterable[Mapping[str, Any]], notes: list[str]) -> list[BarSource]:
    """Those that are still there and the same; ``notes`` gets a sentence for each of the others."""
    found: list[BarSource] = []
    for row in data:
        if not row.get("path") or not row.get("instrument") or row.get("kind") == "quotes":
            continue
        try:
            source = open_bars(
                str(row["path"]),
                str(row["instrument"]),
                tz=str(row["tz"]) if row.get("tz") else None,
                label=str(row.get("label") or "end"),
                interval=int(row["interval_ns"]) if row.get("interval_ns") else None,
            )
            if row.get("sha256") and source.sha256() != row["sha256"]:
                notes.append(f"{row['path']} has changed since the run: no bars of {row['instrument']}")
                continue
        except DataError as why:
            notes.append(f"no bars of {row['instrument']}: {why}")
            continue
        found.append(source)
    return found
