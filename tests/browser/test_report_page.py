"""The report in a real browser, without a network: it draws, answers to buttons, and logs nothing."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from engine.data.columns import Columns
from engine.domain.commands import Side
from engine.domain.timestamps import MINUTE_NS
from engine.runtime.report import build_report
from engine.runtime.report_page import render_page
from tests.data_builders import FIRST_NS, STOCK, JournalScript

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")

BARS = 60_000


def a_page(actions: str = "") -> str:
    """A report of 60,000 bars and 60 round trips; ``actions`` is script run after it has drawn."""
    closes = 100 + np.cumsum(np.random.default_rng(5).normal(0, 0.05, BARS))
    ts_ns = FIRST_NS + np.arange(BARS, dtype=np.int64) * MINUTE_NS
    bars = Columns(STOCK, MINUTE_NS, ts_ns, closes, closes + 0.1, closes - 0.1, closes, np.ones(BARS))
    script = JournalScript(cash="100000")
    for number in range(120):
        when = f"2026-03-{2 + number // 4:02d} {10 + number % 4}:00"
        script.trade(when, Side.SELL if number % 2 else Side.BUY, 10, str(100 + number % 5))
        script.equity(when, str(100_000 + number * (1 if number % 3 else -2)))
    script.deny("2026-03-31 14:00", "<b>CODE</b>", "<img src=x onerror=console.error(1)>")
    page = render_page(build_report(script.end("2026-03-31 15:00")), {str(STOCK): [bars]})
    # What went wrong stands in the page itself, so that it can be read from the dump.
    listen = (
        "<script>window.faults=[];const ce=console.error;console.error=(...a)=>{faults.push(a.join(' '));ce(...a)};"
        "addEventListener('error',e=>faults.push(e.message||'resource'),true);</script>"
    )
    wait = (
        f"<script>setTimeout(()=>{{{actions};setTimeout(()=>{{"
        "document.documentElement.dataset.faults=faults.join('|')||'none'},600)},300)</script>"
    )
    # plotly's own script holds such texts too: the first title and the last end are the page's.
    head, _, _ = page.rpartition("</body></html>")
    return head.replace("<title>", listen + "<title>", 1) + wait + "</body></html>"


def dump(folder: Path, page: str, wish: str = "en,light") -> tuple[str, str]:
    """The page's elements after it has run, its own script taken out, and what the browser wrote."""
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr", "--window-size=1400,2400", "--virtual-time-budget=5000", "--dump-dom",
            f"file://{path}#{wish}",
        ],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    dom = re.sub(r"<script.*?</script>", "", done.stdout.decode(), flags=re.DOTALL)
    return dom, done.stderr.decode()


def test_the_page_draws_everything_and_the_console_stays_silent(tmp_path: Path) -> None:
    """Both charts, the tiles, the heat table, the first page of round trips; tags in values are text."""
    dom, said = dump(tmp_path, a_page())
    assert 'data-faults="none"' in dom
    assert "CONSOLE" not in said
    assert re.search(r'data-ready="\d+"', dom)
    assert dom.count('class="main-svg"') >= 4
    assert dom.count('class="tile"') == 8
    assert "1 of 3 · 60 rows" in dom
    assert "Buy (60)" in dom
    assert "&lt;img src=x onerror" in dom
    assert "<b>CODE" not in dom


def test_buttons_change_language_colours_theme_range_and_page(tmp_path: Path) -> None:
    """Chinese labels, dark, green up, five days of finer candles, the last page."""
    clicks = ";".join(
        [
            "for (const id of ['language','theme','colours','last']) document.getElementById(id).click()",
            "document.querySelector('#ranges button').click()",
            "document.querySelectorAll('#trips th')[9].click()",
        ]
    )
    before, _ = dump(tmp_path, a_page())
    dom, said = dump(tmp_path, a_page(clicks))
    assert 'data-faults="none"' in dom
    assert "CONSOLE" not in said
    assert 'lang="zh-CN"' in dom
    assert 'data-theme="dark"' in dom
    assert 'data-up="green"' in dom
    assert 'data-up="red"' in before
    assert "权益与回撤" in dom
    assert "第 1 / 3 页 · 共 60 行" in dom
    assert "盈亏 ↓" in dom
    level = re.search(r'id="level"[^>]*>([^<]*)', dom)
    assert level
    assert level[1] != (re.search(r'id="level"[^>]*>([^<]*)', before) or [""])[0]
    assert re.search(r"5 分钟 K线", level[1])
