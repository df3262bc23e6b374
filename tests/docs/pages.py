"""The documentation as data: pages, their blocks of code, their headings and links.

How a block is written in a page, and what the tests do with it:

* Every fence names its language: ``sh``, ``console``, ``python``, ``toml`` and so on; ``text`` is what is printed.
* A block whose first line is a comment with a path (``# strategies/first.py``) is that file; the reader saves it, and
  so does the test.
* ``<!-- not run: why -->`` on the line above the fence: the block can not be run by a test, for that reason.
* ``<!-- long -->``: run by ``-m long`` only. ``<!-- exit 1 -->``: the exit code that is right.
* ``<!-- beside -->``: the block is a server that goes on until the page ends (another terminal);
  ``<!-- beside: COMMAND -->`` starts one that the page does not show. Both may be ``long``: ``<!-- long, beside -->``.
"""

import ast
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SHELL = ("sh", "console", "bash")
LANGUAGES = (*SHELL, "python", "toml", "csv", "json", "text", "mermaid", "ini", "yaml", "dockerfile", "http", "promql")

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`]*)$")
_WORDS = re.compile(r"^ *<!--\s*(?P<words>.*?)\s*-->\s*$")
_FILE = re.compile(r"^# (?P<path>[\w.-]+(?:/[\w.-]+)*\.\w+)$")


class Block(Struct, frozen=True, kw_only=True):
    """One fence of a page."""

    page: str
    line: int
    """Of the opening fence, counted from 1."""
    language: str
    text: str
    not_run: str | None = None
    """The reason why no test runs it."""
    long: bool = False
    beside: bool = False
    hidden: str | None = None
    """A command to start beside the page, before this block."""
    exit_code: int = 0

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def shell(self) -> bool:
        return self.language in SHELL

    @property
    def file(self) -> str | None:
        """The path in its first line, if it is a file to be saved."""
        found = _FILE.match(self.text.splitlines()[0]) if self.text.strip() and not self.shell else None
        return found["path"] if found else None

    @property
    def script(self) -> str:
        """The commands: of a console block, those behind the prompts."""
        if self.language != "console":
            return self.text
        return "\n".join(line[2:] for line in self.text.splitlines() if line.startswith("$ ")) + "\n"


def pages() -> list[Path]:
    """All of docs/, and the two front doors."""
    return [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted(DOCS.rglob("*.md"))]


def is_twin(page: Path) -> bool:
    """Whether a page is the Chinese form of another: its blocks are that page's, and need not run twice."""
    return page.parent == DOCS / "zh" and (DOCS / page.name).exists() and page.name != "index.md"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path, text: str | None = None) -> list[Block]:
    """The fences of a page, in order.

    Raises:
        ValueError: a fence that does not end, or a comment above one that says nothing known.
    """
    name = name_of(page) if page.is_absolute() else str(page)
    lines = (page.read_text(encoding="utf-8") if text is None else text).splitlines()
    found: list[Block] = []
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if fence is None:
            number += 1
            continue
        end = next((n for n in range(number + 1, len(lines)) if lines[n].strip() == fence["ticks"]), None)
        if end is None:
            raise ValueError(f"{name}:{number + 1}: the fence does not end")
        indent = len(fence["indent"])
        inside = "\n".join(line[indent:] for line in lines[number + 1 : end]) + "\n"
        words = _WORDS.match(lines[number - 1]) if number else None
        said = _said(words["words"], f"{name}:{number}") if words else {}
        found.append(Block(page=name, line=number + 1, language=fence["info"].strip(), text=inside, **said))
        number = end + 1
    return found


def _said(words: str, place: str) -> dict[str, object]:
    """What the comment above a fence says."""
    if words.startswith("not run:"):
        return {"not_run": words.removeprefix("not run:").strip()}
    said: dict[str, object] = {}
    words, colon, command = words.partition("beside:")
    if colon:
        said["hidden"] = command.strip()
    for word in filter(None, (part.strip() for part in words.split(","))):
        if word in {"long", "beside"}:
            said[word] = True
        elif (code := re.fullmatch(r"exit (\d+)", word)) is not None:
            said["exit_code"] = int(code[1])
        else:
            raise ValueError(f"{place}: a comment above a block says {word!r}; see tests/docs/pages.py for what it may")
    return said


def bones_of(block: Block) -> list[object]:
    """What a block does, without words for people: comments, docstrings, reasons."""
    bones: list[object] = [block.language, block.file, block.not_run, block.long, block.hidden, block.exit_code]
    if block.not_run is not None:
        return bones
    if block.language == "python":
        tree = ast.parse(block.text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value.value = ""
            elif isinstance(node, ast.keyword) and node.arg == "doc":
                node.value = ast.Constant("")
        return [*bones, ast.unparse(tree)]
    if block.language == "toml":
        return [*bones, tomllib.loads(block.text)]
    lines = (re.sub(r'--reason "[^"]*"|(^|\s)#.*', "", line).split() for line in block.text.splitlines())
    return [*bones, *filter(None, lines)]


def prose_of(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines outside fences, without inline code."""
    ticks = ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if fence is not None and (not ticks or line.strip() == ticks):
            ticks = "" if ticks else fence["ticks"]
            continue
        if not ticks:
            yield number, re.sub(r"`+[^`]*`+", "``", line)


def links_of(text: str) -> list[tuple[int, str]]:
    """Line and target of every link and picture."""
    return [(number, target) for number, line in prose_of(text) for target in re.findall(r"\]\(([^)\s]+)\)", line)]


def anchors_of(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and the built site make them, and those written as HTML."""
    seen: dict[str, int] = {}
    found: set[str] = set()
    ticks = ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if fence is not None and (not ticks or line.strip() == ticks):
            ticks = "" if ticks else fence["ticks"]
            continue
        heading = re.match(r"^#{1,6} +(.*?)\s*$", line)
        if ticks or heading is None:
            continue
        anchor = slug(heading[1])
        again = seen.get(anchor, 0)
        seen[anchor] = again + 1
        found.add(f"{anchor}-{again}" if again else anchor)
    return found | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def slug(heading: str) -> str:
    """A heading's anchor by GitHub's rule: lower case, letters and digits of any script, spaces to dashes."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    kept = (c for c in plain.lower() if c in " -_" or unicodedata.category(c)[0] in "LNM")
    return "".join(kept).replace(" ", "-")
