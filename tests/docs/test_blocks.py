"""Every block of the documentation is run, or says why it can not be."""

import contextlib
import fcntl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.domain.errors import ConfigError
from tests.docs.pages import DOCS, LANGUAGES, ROOT, Block, blocks_of, bones_of, is_twin, name_of, pages
from tests.docs.running import a_desk

RUN = ("sh", "console", "bash", "python", "toml")


def _pages(*, long: bool) -> list[Path]:
    """Pages with something to run, in the short or in the long form."""
    return [page for page in pages() if not is_twin(page) and any(_runs(b, long=long) for b in blocks_of(page))]


def _runs(block: Block, *, long: bool) -> bool:
    return block.language in RUN and block.not_run is None and (long or not block.long)


@pytest.fixture(scope="module")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stand-in for ``python`` that forks from a process with the engine imported."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-docs-", dir=tmp_path_factory.getbasetemp()))
    # The path of a socket may have a hundred letters only.
    with tempfile.TemporaryDirectory(prefix="sluice-") as short:
        client = folder / "python"
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.docs.warm_python", f"{short}/s", str(client)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert server.stdout is not None
        assert server.stdin is not None
        assert server.stdout.readline() == b"ready\n"
        yield client
        server.stdin.close()
        assert server.wait(timeout=30) == 0
        server.stdout.close()


@contextlib.contextmanager
def alone(blocks: list[Block]) -> Iterator[None]:
    """Pages whose servers take the ports written down run one at a time, whatever the number of workers."""
    if not any(block.beside or block.hidden for block in blocks):
        yield
        return
    with (Path(tempfile.gettempdir()) / "sluice-docs-ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("page", _pages(long=False), ids=name_of)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, warm_python: Path) -> None:
    """Its quick blocks, in order, in a copy of what a reader has."""
    blocks = [block for block in blocks_of(page) if _runs(block, long=False)]
    with alone(blocks), a_desk(tmp_path / "desk", warm_python) as desk:
        for block in blocks:
            desk.run(block)


@pytest.mark.long
@pytest.mark.parametrize(
    "page", [page for page in _pages(long=True) if any(b.shell for b in blocks_of(page))], ids=name_of
)
def test_a_page_does_all_it_says(page: Path, tmp_path: Path) -> None:
    """All its blocks, slow ones too, with the Python a reader has."""
    blocks = [block for block in blocks_of(page) if _runs(block, long=True)]
    with alone(blocks), a_desk(tmp_path / "desk", None) as desk:
        for block in blocks:
            desk.run(block)


@pytest.mark.parametrize("page", [page for page in pages() if is_twin(page)], ids=name_of)
def test_a_chinese_page_has_the_blocks_of_its_english_one(page: Path) -> None:
    """In order, but for comments and texts; so they are run with those."""
    english = DOCS / page.name
    ours, theirs = ([bones_of(b) for b in blocks_of(each) if b.language in RUN] for each in (page, english))
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        assert one == other, f"{name_of(page)}: block {number + 1} is not that of {name_of(english)}"
    assert len(ours) == len(theirs)


def test_every_block_is_run_or_says_why_not() -> None:
    """Fences name a language there is; commands hide in no other; a reason is a sentence."""
    problems = []
    for page in pages():
        for block in blocks_of(page):
            if block.language not in LANGUAGES:
                problems.append(f"{block.place}: language {block.language!r}; name one of {', '.join(LANGUAGES)}")
            if block.language not in RUN and (
                "python run.py" in block.text.partition("\n")[0] or "pip install" in block.text
            ):
                problems.append(f"{block.place}: commands in a block of {block.language!r}; write ```sh")
            if block.not_run is not None and len(block.not_run.split()) < 3:
                problems.append(f"{block.place}: why is it not run? {block.not_run!r}")
            if block.language == "console" and not block.script.strip():
                problems.append(f"{block.place}: no line begins with a prompt")
    assert not problems, "\n" + "\n".join(problems)


PLANTED = {
    "sh": "```sh\npython run.py backtest --no-such-option\n```\n",
    "exit": "<!-- exit 1 -->\n```sh\ntrue\n```\n",
    "python": "```python\nfrom engine import NoSuchName\n```\n",
    "syntax": "```python\nself.buy(\n```\n",
    "toml": '```toml\n[monitors]\nperiods = "5s"\n```\n',
    "table": '```toml\n[monitor]\nperiod = "5s"\n```\n',
    "order": '```sh\nexport A=1\n```\n```sh\ntest "$A" = 2\n```\n',
}


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED)
def test_a_block_that_is_wrong_is_found(text: str, tmp_path: Path, warm_python: Path) -> None:
    """Each kind of block is seen failing."""
    with a_desk(tmp_path / "desk", warm_python) as desk:
        *before, last = blocks_of(Path("planted.md"), text)
        for block in before:
            desk.run(block)
        with pytest.raises((AssertionError, ImportError, SyntaxError, ConfigError)):
            desk.run(last)


def test_a_comment_above_a_block_says_something_known() -> None:
    """A misspelt one is not taken for none."""
    with pytest.raises(ValueError, match="'longish'"):
        blocks_of(Path("planted.md"), "<!-- longish -->\n```sh\ntrue\n```\n")
