"""One HTML file out of style, words, data and scripts, with plotly inside: it needs no network."""

import html
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from plotly.offline import get_plotlyjs

from engine.domain.errors import DataError

SHELL = "report_shell.js"
"""What every page's script stands on, after its words: numbers, times, elements, charts and the page's buttons."""
HERE = "engine.runtime"


def whole_page(
    title: str,
    data: dict[str, Any],
    body: str,
    scripts: Sequence[str],
    language: str = "",
    *,
    words: str = "report_words.js",
    style: str = "",
    folder: str = HERE,
) -> str:
    """
    Args:
        data: what the scripts read as ``D``.
        body, words, scripts, style: names of files in the package ``folder``; ``SHELL`` comes after the words, and
            ``style`` after what all pages share.
        language: ``en`` or ``zh``; default: the reader's browser's.
    """
    # "<" never appears in the data, so nothing in it can end the script element it is in.
    text = msgspec.json.encode({**data, "language": language}).decode().replace("<", "\\u003c")
    script = "\n".join([asset(words, folder), asset(SHELL), *(asset(name, folder) for name in scripts)])
    dress = asset("report_page.css") + (asset(style, folder) if style else "")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{html.escape(language or "en")}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{html.escape(title)} · Sluice</title>",
            f"<style>{dress}</style></head>",
            asset("report_header.html") + asset(body, folder),
            f'<script type="application/json" id="data">{text}</script>',
            f"<script>{get_plotlyjs()}</script>",
            f'<script>"use strict";\n(() => {{\n{script}\n}})();</script>',
            "</body></html>",
        ]
    )


def asset(name: str, folder: str = HERE) -> str:
    """A file of a package's folder, this one's if none is named."""
    return files(folder).joinpath(name).read_text(encoding="utf-8")


def write_text(path: str | Path, text: str) -> Path:
    """Write a page, its folder too; gives its path.

    Raises:
        DataError: the place can not be written to.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as why:
        raise DataError(f"report {target}: can not be written ({why.strerror}); name another place") from why
    return target
