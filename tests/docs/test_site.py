"""The built site: strict, complete, and with nothing to fetch."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FETCHED = re.compile(r"""<(?:link|script|img|iframe)\b[^>]*(?:src|href)=["']?(?:https?:)?//""")
FETCHED_BY_STYLE = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//""")


def _literal(name: str) -> object:
    """A table of ``docs/conf.py``, which imports what only the extra ``docs`` installs."""
    for node in ast.parse((DOCS / "conf.py").read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == name:
            return ast.literal_eval(node.value)  # type: ignore[attr-defined]
    raise AssertionError(name)


def test_every_page_is_in_the_navigation_once() -> None:
    """Pages that are not written yet may be named; a page that nobody finds may not be written."""
    navigation = _literal("NAVIGATION")
    assert isinstance(navigation, dict)
    named = [page for pages in navigation.values() for page in pages]
    written = {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")} - {"index"}
    assert len(named) == len(set(named))
    assert written - set(named) == set()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("sphinx", "furo", "myst_parser"):
        pytest.importorskip(name, reason="needs the extra: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(DOCS), str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.long
def test_the_site_is_built_without_a_warning_and_fetches_nothing(site: Path) -> None:
    """No page, style or script of it names another host as something to load."""
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= len(list(DOCS.rglob("*.md")))
    assert [page.name for page in pages if FETCHED.search(page.read_text(encoding="utf-8"))] == []
    styles = sorted(site.rglob("*.css"))
    assert [style.name for style in styles if FETCHED_BY_STYLE.search(style.read_text(encoding="utf-8"))] == []


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no browser")
@pytest.mark.parametrize(
    ("asked", "found"),
    [("trailing stop", "orders.html"), ("concentration", "risk.html"), ("涨跌停", "zh/backtest.html"),
     ("换手", "zh/risk.html"), ("可卖数量", "zh/write-a-strategy.html")],
)  # fmt: skip
def test_the_search_works_from_a_folder(site: Path, asked: str, found: str) -> None:
    """In both languages, without a server."""
    assert CHROMIUM is not None
    address = f"{(site / 'search.html').as_uri()}?q={asked}"
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    page = subprocess.run([*command, address], capture_output=True, text=True, check=False, timeout=120).stdout
    results = page[page.index('id="search-results"') :]
    assert f'href="{found}' in results
