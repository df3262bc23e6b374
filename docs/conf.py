"""How ``sphinx-build`` makes a site of these pages: ``python -m sphinx -W docs site``, then open ``site/index.html``.

The pages are plain Markdown and know nothing of the builder: the table of contents is here and not in ``index.md``.
Fonts and scripts are the theme's own and the browser's; nothing is fetched, and the search works from a folder.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.highlighting import lexers
from sphinx.search.en import SearchEnglish

NAVIGATION: dict[str, tuple[str, ...]] = {
    "Begin": ("first-ten-minutes", "write-a-strategy", "strategies", "orders"),
    "中文": ("zh/index", "zh/first-ten-minutes", "zh/write-a-strategy", "zh/gateways", "zh/risk", "zh/backtest"),
    "Backtest": ("backtest", "data", "markets", "fill-models", "optimize", "report", "trust", "plugins"),
    "Gateways": (
        "gateways", "virtual-market", "stream", "futu", "easyths", "huatai", "amazingdata", "simulators",
        "add-a-gateway",
    ),
    "Run it": (
        "risk", "daemon", "control-api", "metrics", "operations-safety", "reconciliation", "journal", "replay",
        "reliability", "order-states",
    ),
    "Reference": ("reference/strategy", "reference/config", "reference/commands"),
}  # fmt: skip
"""Heading of the side bar -> its pages, in reading order; one that is not written yet is left out."""
SHORT = {
    "virtual-market": "virtual_market", "stream": "stream", "futu": "futu", "easyths": "easyths", "huatai": "huatai",
    "amazingdata": "amazingdata", "operations-safety": "Stopping a run", "zh/index": "目录",
}  # fmt: skip
"""Page -> what the side bar calls it, where its own title is long."""

project = "Sluice 闸"
author = "the Sluice authors"
copyright = ""  # noqa: A001
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["images", "_static"]
nitpicky = True
# Curly quotes take the width of a Chinese character beside Chinese.
smartquotes = False

myst_heading_anchors = 6
myst_enable_extensions = ["strikethrough"]

html_theme = "furo"
html_title = "Sluice 闸"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_search_language = "zh"
html_theme_options = {"navigation_with_keys": True}

for plain in ("csv", "mermaid"):
    lexers[plain] = TextLexer()

_HAN = re.compile("[\u3400-\u9fff]+")
_WIDE = "\u3000-\u303f\u3400-\u9fff\uff00-\uffef“”"
_BREAK = re.compile(f"(?<=[{_WIDE}])\n {{0,3}}(?=[{_WIDE}])")


class BilingualSearch(SearchEnglish):
    """English words by their stem; Chinese, which writes no spaces, by pairs of neighbours."""

    lang = "zh"
    # The builder calls the stemmer's class by it.
    language_name = "English"
    js_splitter_code = """
function splitQuery(query) {
  const words = query.split(/[^\\p{Letter}\\p{Number}_]+/gu).filter((word) => word);
  return words.flatMap((word) => word.match(/[\\u3400-\\u9fff]+|[^\\u3400-\\u9fff]+/g)).flatMap((part) =>
    /^[\\u3400-\\u9fff]{3,}$/.test(part) ? Array.from(part.slice(1), (next, n) => part[n] + next) : [part]);
}
"""

    def split(self, text: str) -> list[str]:
        """Words of other scripts; of a run of Chinese its pairs, and its characters."""
        found: list[str] = []
        for word in self._word_re.findall(text):
            found += [part for part in _HAN.split(word) if part]
            for run in _HAN.findall(word):
                found += [first + second for first, second in pairwise(run)]
                found += list(run)
        return found


def add_the_table_of_contents(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Only the built site has it; read as a file, ``index.md`` is a list of links."""
    if docname != "index":
        return
    for caption, names in NAVIGATION.items():
        there = [name for name in names if (Path(__file__).parent / f"{name}.md").exists()]
        named = [f"{SHORT[name]} <{name}>" if name in SHORT else name for name in there]
        lines = ["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *named, "```", ""]
        source[0] += "\n".join(lines)


def join_the_lines(_app: Sphinx, docname: str, source: list[str]) -> None:
    """A line break between two Chinese characters is none to the reader; browsers make a space of it."""
    if docname.startswith("zh/"):
        parts = re.split(r"(^```.*?^```$)", source[0], flags=re.MULTILINE | re.DOTALL)
        source[0] = "".join(part if part.startswith("```") else _BREAK.sub("", part) for part in parts)


def name_the_language(
    _app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _tree: nodes.document
) -> None:
    """Browsers choose fonts and read aloud by it."""
    context["language"] = "zh-CN" if pagename.startswith("zh/") else "en"


def setup(app: Sphinx) -> None:
    app.add_search_language(BilingualSearch)
    app.connect("source-read", add_the_table_of_contents)
    app.connect("source-read", join_the_lines)
    app.connect("html-page-context", name_the_language)
