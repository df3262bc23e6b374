"""The comparison of several runs as one HTML file."""

from pathlib import Path

import msgspec

from engine.runtime.report_compare import Comparison
from engine.runtime.report_html import whole_page, write_text
from engine.runtime.report_page import paints_red_up


def write_comparison(comparison: Comparison, path: str | Path, *, language: str = "") -> Path:
    """Write the page; gives its path.

    Raises:
        DataError: the place can not be written to.
    """
    return write_text(path, render_comparison(comparison, language=language))


def render_comparison(comparison: Comparison, *, language: str = "") -> str:
    """The whole page as text."""
    title = " | ".join(run.name for run in comparison.runs)
    notes = [f"{run.name}: {note}" for run in comparison.runs for note in run.notes]
    data = {
        "comparison": msgspec.to_builtins(comparison),
        "red_up": paints_red_up(comparison.runs[0].currency),
        "notes": notes,
    }
    return whole_page(title, data, "report_compare.html", ("report_compare.js",), language)
