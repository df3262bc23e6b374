"""What ``RUN_START`` says of a backtest's data: which bytes it ran over."""

from collections.abc import Iterable, Sequence
from typing import Any

from engine.ports import StatementTable


def data_rows(
    sources: Sequence[Any], statements: StatementTable | None, action_files: Iterable[dict[str, Any]]
) -> tuple[dict[str, Any], ...]:
    """A row a file of bars or quotes, then statements, then the files of corporate actions."""
    rows = [_row(source) for source in sources]
    if statements is not None:
        rows.append({"path": "statements", "sha256": statements.sha256()})
    rows += action_files
    return tuple(rows)


def _row(source: Any) -> dict[str, Any]:
    row = {"path": str(source.path), "sha256": source.sha256(), "instrument": source.instrument}
    interval_ns = getattr(source, "interval_ns", None)
    if interval_ns is None:
        return {**row, "kind": "quotes", "tz": source.tz}
    return {**row, "interval_ns": interval_ns, "tz": source.tz, "label": source.label}
