"""A table of the client as the server makes it out of the clipboard (contracts/easyths.md 3.1).

The client copies text; the server reads it with pandas, column by column: one whose every cell looks like a number is
numbers, and its leading zeros are gone. What is sent is a list of objects, or a text as pandas prints it.
"""

import re
from typing import Any

from msgspec import Struct

_WHOLE = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

Cell = int | float | str


class Table(Struct):
    """Column names in order, and rows of as many cells, all text."""

    columns: list[str]
    rows: list[list[str]]

    def shifted(self) -> "Table":
        """The same with each row's cells one column to the left: its first cell was taken for a row label."""
        return Table(self.columns, [[*row[1:], ""] for row in self.rows])

    def repeated(self, place: int) -> "Table":
        """The same with one row twice."""
        return Table(self.columns, [*self.rows[: place + 1], *self.rows[place:]])

    def without(self, column: str) -> "Table":
        if column not in self.columns:
            return self
        place = self.columns.index(column)
        rows = [row[:place] + row[place + 1 :] for row in self.rows]
        return Table(self.columns[:place] + self.columns[place + 1 :], rows)

    def read(self) -> list[list[Cell]]:
        """Its columns with their cells as numbers or texts."""
        return [read_column([row[place] for row in self.rows]) for place in range(len(self.columns))]

    def records(self, *, as_text: bool = False) -> list[dict[str, Cell]]:
        """A list of objects. ``as_text``: the cells as they are, for tables that are not copied but read off."""
        columns: list[list[Any]] = [[row[place] for row in self.rows] for place in range(len(self.columns))]
        columns = columns if as_text else [list(column) for column in self.read()]
        return [
            {name: column[number] for name, column in zip(self.columns, columns, strict=True)}
            for number in range(len(self.rows))
        ]

    def text(self) -> str:
        """As ``DataFrame.to_string(index=False)`` prints it."""
        printed = []
        for name, column in zip(self.columns, self.read(), strict=True):
            cells = [name, *_printed(column)]
            width = max(len(cell) for cell in cells)
            printed.append([cell.rjust(width) for cell in cells])
        return "\n".join(" ".join(cells) for cells in zip(*printed, strict=True))

    def markdown(self) -> str:
        """As ``DataFrame.to_markdown()`` prints it: numbers to the right, texts to the left, rows numbered from 0."""
        index: list[Cell] = list(range(len(self.rows)))
        printed = []
        for name, column in [("", index), *zip(self.columns, self.read(), strict=True)]:
            cells, numbers = _aligned(column)
            width = max([len(name) + 2, *(len(cell) for cell in cells)])
            filled = [cell.rjust(width) if numbers else cell.ljust(width) for cell in (name, *cells)]
            rule = "-" * (width + 1) + ":" if numbers else ":" + "-" * (width + 1)
            printed.append([f" {filled[0]} ", rule, *(f" {cell} " for cell in filled[1:])])
        return "\n".join("|" + "|".join(cells) + "|" for cells in zip(*printed, strict=True))


def read_column(cells: list[str]) -> list[Cell]:
    """One column as ``read_csv(na_filter=False)`` takes it: all whole, all numbers, or all texts."""
    if all(_WHOLE.fullmatch(cell) for cell in cells):
        return [int(cell) for cell in cells]
    if all(_NUMBER.fullmatch(cell) for cell in cells):
        return [float(cell) for cell in cells]
    return list(cells)


def _printed(column: list[Cell]) -> list[str]:
    """Floats of one column with as many decimals as the longest of them needs, six at most and one at least."""
    if not all(isinstance(cell, float) for cell in column):
        return [str(cell) for cell in column]
    digits = [f"{cell:.6f}" for cell in column]
    while all(text.endswith("0") and text[-2] != "." for text in digits):
        digits = [text[:-1] for text in digits]
    return digits


def _aligned(column: list[Cell]) -> tuple[list[str], bool]:
    """A column's cells, and whether they are numbers: points one below the other.

    The printer takes texts for numbers too, whose thousand separators go where one of them has decimals.
    """
    texts = [cell.replace(",", "") if isinstance(cell, str) else repr(cell) for cell in column]
    numbers = read_column(texts)
    if any(isinstance(cell, str) for cell in numbers):
        return [str(cell) for cell in column], False
    if all(isinstance(cell, int) for cell in numbers):
        return [str(cell) for cell in column], True
    digits = [f"{cell:g}" for cell in numbers]
    tails = [len(text) - place if (place := max(text.rfind("."), 0) or text.rfind("e")) > 0 else 0 for text in digits]
    return [text + " " * (max(tails) - tail) for text, tail in zip(digits, tails, strict=True)], True
