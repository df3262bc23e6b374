"""What ``RUN_START`` says of a backtest's data: which bytes it ran over."""

from collections.abc import Iterable, Sequence
from typing import Any

from engine.data.columns import BarSource
from engine.ports import StatementTable


def data_rows(
    sources: Sequence[BarSource], statements: StatementTable | None, action_files: Iterable[dict[str, Any]]
) -> tuple[dict[str, Any], ...]:
    """A row a file of bars, then statements, then the files of corporate actions."""
    rows: list[dict[str, Any]] = [
        {
            "path": str(source.path),
            "sha256": source.sha256(),
            "instrument": source.instrument,
            "interval_ns": source.interval_ns,
            "tz": source.tz,
            "label": source.label,
        }
        for source in sources
    ]
    if statements is not None:
        rows.append({"path": "statements", "sha256": statements.sha256()})
    rows += action_files
    return tuple(rows)
