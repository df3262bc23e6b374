"""Where the fill models, slippages and latencies of two runs differ, as their ``RUN_START`` has them."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from engine.domain.events import JournalRecord, RunStarted


class SettingDifference(Struct, frozen=True):
    """One setting of ``[matching]``, as ``slippage.bps``; empty where a side does not have it."""

    name: str
    a: str
    b: str


def matching_differences(
    a: Iterable[tuple[int, JournalRecord]], b: Iterable[tuple[int, JournalRecord]]
) -> tuple[SettingDifference, ...]:
    """Of the last run of each; none where one does not say (a live run, a journal of before)."""
    one, other = _matching(a), _matching(b)
    if not one or not other:
        return ()
    names = dict.fromkeys((*one, *other))
    return tuple(
        SettingDifference(name, one.get(name, ""), other.get(name, ""))
        for name in names
        if one.get(name, "") != other.get(name, "")
    )


def matching_text(settings: Mapping[str, Any]) -> str:
    """``[matching]`` on one line; empty where the run does not say."""
    rows = _flat(settings.get("fill_model") or {})
    name = rows.pop("model", "")
    return ", ".join([name, *(f"{key} = {value}" for key, value in rows.items())]) if name else ""


def last_run(records: Iterable[tuple[int, JournalRecord]]) -> RunStarted | None:
    found = None
    for _, record in records:
        if isinstance(record, RunStarted):
            found = record
    return found


def _matching(records: Iterable[tuple[int, JournalRecord]]) -> dict[str, str]:
    run = last_run(records)
    return {} if run is None else _flat(run.settings.get("fill_model") or {})


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{name}.")
        elif value != "":
            found[name] = str(value)
    return found
