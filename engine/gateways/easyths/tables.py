"""Tables as the client copies them: JSON rows, printed text or markdown, with cells that changed their type on the way.

A failed copy looks like an empty table, and a column that is not there like an order that is not there: what can not be
read is ``BadMessage``, never "nothing" (contracts/easyths.md 3, 3.1).
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.domain.errors import BadMessage
from engine.domain.money import exact_from_wire

Cell = str | int | float | None
Row = dict[str, Cell]
"""Header -> cell, as sent; nameless columns are left out."""

EMPTY_TEXTS = frozenset({"没有对应的委托订单", "没有对应的历史委托订单", "空数据"})
"""Instead of a table without rows; said of a failed copy too."""
NOTHING = frozenset({"", "-", "--", "---"})
"""Cells that hold no value."""

_HEAD = re.compile(r"Unnamed: ?\d+|\S+")
_RULE = re.compile(r"\|(?:\s*:?-+:?\s*\|)+\Z")
_NUMBER = re.compile(r"[+-]?(?:\d{1,24}(?:\.\d{0,24})?|\.\d{1,24})(?:[eE][+-]?\d{1,2})?\Z", re.ASCII)
_SEPARATORS = str.maketrans("", "", ",，\u00a0\u3000 ")


def rows_from_wire(value: Any, what: str) -> list[Row]:
    """The rows of a table in any of its forms (``return_type`` json, dict, str, markdown); empty forms give none.

    Raises:
        BadMessage: no table. ``what`` names it.
    """
    if isinstance(value, list):
        return [_row(line, what) for line in value]
    if isinstance(value, dict) and not value:
        return []
    if isinstance(value, str):
        text = value.strip("\r\n")
        if text.strip() in EMPTY_TEXTS or text.startswith("Empty DataFrame"):
            return []
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and lines[0].lstrip().startswith("|"):
            return _from_markdown(lines, what)
        if len(lines) > 1:
            return _from_text(lines, what)
    raise BadMessage(f"{what}: no table: {str(value)[:80]!r}")


def _row(line: Any, what: str) -> Row:
    if not isinstance(line, dict) or not all(
        isinstance(cell, str | int | float | None) and not isinstance(cell, bool) for cell in line.values()
    ):
        raise BadMessage(f"{what}: a row that is none: {str(line)[:80]!r}")
    return {name.strip(): cell for name, cell in line.items() if name.strip() and not name.startswith("Unnamed")}


def _from_markdown(lines: Sequence[str], what: str) -> list[Row]:
    table = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines]
    heads = table[0]
    if not _RULE.match(lines[1].strip()) or any(len(cells) != len(heads) for cells in table):
        raise BadMessage(f"{what}: a markdown table whose rows do not fit its head")
    return [_row(dict(zip(heads, cells, strict=True)), what) for cells in table[2:]]


def _from_text(lines: Sequence[str], what: str) -> list[Row]:
    """Columns are right-aligned: each ends where its head ends, and names may hold blanks."""
    if "\t" in lines[0]:
        heads = lines[0].split("\t")
        return [_zipped(heads, line.split("\t"), what) for line in lines[1:]]
    ends = [(match[0], match.end()) for match in _HEAD.finditer(lines[0])]
    return [_row(_cut(line, ends, what), what) for line in lines[1:]]


def _zipped(heads: Sequence[str], cells: Sequence[str], what: str) -> Row:
    if len(cells) != len(heads):
        raise BadMessage(f"{what}: a row with {len(cells)} cells under {len(heads)} heads")
    return _row({head: cell.strip() for head, cell in zip(heads, cells, strict=True)}, what)


def _cut(line: str, ends: Sequence[tuple[str, int]], what: str) -> dict[str, str]:
    row: dict[str, str] = {}
    start = 0
    for name, end in ends:
        row[name] = line[start:end].strip()
        start = end
        if line[end : end + 1].strip():
            break
    else:
        if not line[start:].strip():
            return row
    cells = line.split()
    if len(cells) != len(ends):
        raise BadMessage(f"{what}: a line that does not fit under its heads: {line.strip()[:80]!r}")
    return {name: cell for (name, _), cell in zip(ends, cells, strict=True)}


# --- cells -----------------------------------------------------------------------------------------------------------


def number_of(cell: Cell, what: str) -> Decimal | None:
    """A cell as a number, separators taken out; None where it holds no value.

    Raises:
        BadMessage: it holds something else.
    """
    if cell is None or (isinstance(cell, str) and cell.strip() in NOTHING):
        return None
    if isinstance(cell, str):
        text = cell.translate(_SEPARATORS)
        if _NUMBER.match(text):
            return exact_from_wire(text, what)
    elif not isinstance(cell, bool):
        return exact_from_wire(cell, what)
    raise BadMessage(f"{what}: {str(cell)[:40]!r} is no number")


def whole_of(cell: Cell, what: str) -> int | None:
    """A cell as a quantity.

    Raises:
        BadMessage: a part of a unit, below zero, or no number.
    """
    number = number_of(cell, what)
    if number is None:
        return None
    if number != number.to_integral_value() or not 0 <= number < 10**15:
        raise BadMessage(f"{what}: {str(cell)[:40]!r} is no quantity")
    return int(number)


def text_of(cell: Cell) -> str:
    """A cell as text; a whole number without its fraction."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def code_of_cell(cell: Cell, what: str, digits: int = 6) -> str:
    """A code with the leading zeros that it lost on the way (contract 3.1).

    Raises:
        BadMessage: it is no code.
    """
    text = text_of(cell)
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise BadMessage(f"{what}: {text[:40]!r} is no code")
    return text.zfill(digits)


def plain_number(cell: Cell) -> str:
    """An order's number without leading zeros, so that those read as numbers and those read as text are equal."""
    text = text_of(cell)
    return "" if text in NOTHING else text.lstrip("0")


def column(row: Mapping[str, Cell], names: Sequence[str]) -> str | None:
    """The header that this table uses for a thing; None if it has no such column."""
    return next((name for name in names if name in row), None)


def needed(row: Mapping[str, Cell], names: Sequence[str], what: str) -> Cell:
    """The cell of a column that must be there.

    Raises:
        BadMessage: it is not.
    """
    name = column(row, names)
    if name is None:
        raise BadMessage(f"{what}: no column {names[0]!r} among {', '.join(row)[:200]}")
    return row[name]


def found(row: Mapping[str, Cell], names: Sequence[str]) -> Cell:
    """The cell of a column that may be there; None if it is not."""
    name = column(row, names)
    return None if name is None else row[name]
