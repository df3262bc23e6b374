"""Draws the order state diagram from the transition table: ``python -m engine.control.diagram [PATH]``."""

import sys
from pathlib import Path

from engine.domain.order import COLUMNS, LIVE, TABLE, TERMINAL, Evidence, OrderState, Proof

DEFAULT_PATH = Path("docs/order-states.md")

_LIVE = "LIVE"
_REQUESTS = (
    (OrderState.QUEUED, OrderState.CANCELED, "cancel_request"),
    (OrderState.WORKING, OrderState.PENDING_CANCEL, "cancel_request"),
    (OrderState.PENDING_CANCEL, OrderState.WORKING, "cancel_reject"),
    (OrderState.WORKING, OrderState.PENDING_REPLACE, "replace_request"),
    (OrderState.PENDING_REPLACE, OrderState.WORKING, "replace_ack, replace_reject"),
    (OrderState.WORKING, OrderState.PARTIAL, "fill, working"),
)
"""Moves that are no cells: local requests and their answers (RELIABILITY 2.2), and a first part filled."""

_DECIDED = (
    ("CANCELED", "DISPUTED", "working, later"),
    ("EXPIRED", "DISPUTED", "working, later"),
    ("UNKNOWN", _LIVE, "operator"),
    ("DISPUTED", _LIVE, "operator"),
    ("DISPUTED", "[*]", "operator, to any terminal state"),
    ("UNKNOWN", "[*]", "operator, to any terminal state"),
)
"""What the join and a person decide, where a cell says no more than "apply"."""

_MARKS = {".": "·", "live": "live", "imp": "impossible", "bug": "bug!", "apply": "apply"}


def order_diagram() -> str:
    """The states of an order and what leads from one to another, as a Mermaid state diagram.

    What the four live states share is drawn once, at the box around them; evidence between the same two states
    shares one arrow. An alert is marked ``!``.
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, cells in TABLE.items():
        for column, cell in cells.items():
            source = _LIVE if state in LIVE else state.name
            for target in _targets(state, column):
                label = column.value + ("!" if cell.alert else "")
                labels = arrows.setdefault((source, target), [])
                if source != target and label not in labels:
                    labels.append(label)
    lines = ["stateDiagram-v2", "    direction LR", "    [*] --> CREATED", f"    state {_LIVE} {{"]
    lines += [f"        {state.name}" for state in OrderState if state in LIVE]
    lines += [f"        {a.name} --> {b.name}: {label}" for a, b, label in _REQUESTS if a in LIVE and b in LIVE]
    lines.append("    }")
    for a, b, label in _REQUESTS:
        if a not in LIVE or b not in LIVE:
            arrows.setdefault((a.name, b.name), []).append(label)
    lines += [f"    {a} --> {b}: {', '.join(labels)}" for (a, b), labels in arrows.items() if labels]
    lines += [f"    {source} --> {target}: {label}" for source, target, label in _DECIDED]
    lines += [f"    {state.name} --> [*]" for state in OrderState if state in TERMINAL]
    return "\n".join(lines) + "\n"


def _targets(state: OrderState, column: Evidence) -> list[str]:
    """The states one cell may lead to; where the cell leaves it to the join, the common ones."""
    cell = TABLE[state][column]
    if cell.action == "to" and cell.to is not None:
        return [cell.to.name]
    if cell.action == "live":
        full = ["FILLED"] if column in {Evidence.FILL, Evidence.WORKING} else []
        return full if state in LIVE else [_LIVE, *full]
    if cell.action == "apply" and column is Evidence.FILL and state in {OrderState.CANCELED, OrderState.EXPIRED}:
        return ["FILLED"]
    return []


def order_table() -> str:
    """The transition table as Markdown."""
    head = "| State | " + " | ".join(column.value for column in COLUMNS) + " |"
    rows = [head, "|---" * (len(COLUMNS) + 1) + "|"]
    for state, cells in TABLE.items():
        words = [
            (cell.to.name if cell.to is not None else _MARKS[cell.action]) + ("!" if cell.alert else "")
            for cell in cells.values()
        ]
        rows.append(f"| **{state.name}** | " + " | ".join(words) + " |")
    return "\n".join(rows) + "\n"


def page() -> str:
    """The whole of ``docs/order-states.md``."""
    ends = ", ".join(state.name for state in OrderState if state in TERMINAL)
    proofs = ", ".join(f"`{proof.value}`" for proof in Proof if proof)
    return f"""# The life of an order

Drawn from the table in `engine/domain/transitions.py` by `python -m engine.control.diagram`. Do not edit by hand.

```mermaid
{order_diagram()}```

LIVE is WORKING, PARTIAL, PENDING_CANCEL or PENDING_REPLACE, whichever the evidence gives. Terminal: {ends}; each
carries how it is known: {proofs}. A terminal order takes evidence still: a late fill is booked, and absence that was
only inferred gives way to a sign of life. `operator` may end UNKNOWN and DISPUTED; nothing ends by a timer.

## Evidence

`·` nothing changes. `live` the live state the evidence gives, or FILLED. `apply` the quantity is booked and all the
evidence together names the state. `impossible` can not be this order's evidence. `bug!` a contract of ours is broken.
`!` a person is told.

{order_table()}"""


def write(path: Path = DEFAULT_PATH) -> None:
    """Write the page, making its directory if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PATH)
