"""The report in a real browser, without a network: it draws, answers to buttons, and logs nothing."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine.data.columns import Columns
from engine.domain.commands import Side
from engine.domain.events import RunStarted
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import MINUTE_NS
from engine.runtime.report import Report, build_report, report_of, with_bars
from engine.runtime.report_compare import compare
from engine.runtime.report_compare_page import render_comparison
from engine.runtime.report_figures import figures_of
from engine.runtime.report_page import render_page
from engine.runtime.report_reading import Reading
from tests.data_builders import ACCOUNT, FIRST_NS, STOCK, JournalScript

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")

BARS = 60_000


OTHER = InstrumentId("600001.SH")


class Bars:
    """Bars held in memory, as a source."""

    interval_ns, path, tz, label = MINUTE_NS, Path("bars.csv"), "Asia/Shanghai", "end"

    def __init__(self, bars: Columns) -> None:
        self.bars, self.instrument = bars, bars.instrument

    def sha256(self) -> str:
        return ""

    def batches(self) -> list[Columns]:
        return [self.bars]


def a_report() -> tuple[Report, dict[str, list[Columns]]]:
    """60,000 bars, 60 round trips of one strategy, one of another in another instrument, denials of two codes."""
    closes = 100 + np.cumsum(np.random.default_rng(5).normal(0, 0.05, BARS))
    ts_ns = FIRST_NS + np.arange(BARS, dtype=np.int64) * MINUTE_NS
    bars = Columns(STOCK, MINUTE_NS, ts_ns, closes, closes + 0.1, closes - 0.1, closes, np.ones(BARS))
    script = JournalScript(cash="100000")
    script.add(
        RunStarted(
            ts_ns=FIRST_NS, mode="backtest", data=({"instrument": str(STOCK), "tz": "Asia/Shanghai"},),
            strategies=({"name": "cross"}, {"name": "other"}), config_hash="ab" * 32,
            accounts=({"account": str(ACCOUNT), "currency": "CNY", "cash": "100000"},),
            settings={"fill_model": {"model": "next_open"}, "instruments": [{"id": str(STOCK), "market": "china_a"}]},
        )
    )  # fmt: skip
    for number in range(118):
        when = f"2026-03-{2 + number // 4:02d} {10 + number % 4}:00"
        script.trade(when, Side.SELL if number % 2 else Side.BUY, 10, str(100 + number % 5), fee="0.335")
        script.equity(when, str(100_000 + number * (1 if number % 3 else -2)))
    script.strategy = "other"
    script.trade("2026-03-30 10:30", Side.BUY, 10, "5", instrument=str(OTHER))
    script.trade("2026-03-30 10:40", Side.SELL, 10, "4", instrument=str(OTHER))
    script.deny("2026-03-30 14:00", "RATE", "too fast")
    script.deny("2026-03-31 14:00", "<b>CODE</b>", "<img src=x onerror=console.error(1)>")
    reading = Reading(script.end("2026-03-31 15:00"))
    return with_bars(report_of(reading), reading, [Bars(bars)]), {str(STOCK): [bars]}


def a_page(actions: str = "") -> str:
    """The page of that report; ``actions`` is script run after it has drawn."""
    report, bars = a_report()
    return listening(render_page(report, bars), actions)


def listening(page: str, actions: str = "") -> str:
    """What went wrong stands in the page itself, so that it can be read from the dump."""
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


def dump(folder: Path, page: str, wish: str = "en,light", width: int = 1400) -> tuple[str, str]:
    """The page's elements after it has run, its own script taken out, and what the browser wrote."""
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr", f"--window-size={width},2400", "--virtual-time-budget=5000", "--dump-dom",
            f"file://{path}#{wish}",
        ],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    dom = re.sub(r"<script.*?</script>", "", done.stdout.decode(), flags=re.DOTALL)
    return dom, done.stderr.decode()


CLICKS = ";".join(
    [
        "for (const id of ['language','theme','colours','last']) document.getElementById(id).click()",
        "document.querySelector('#ranges button').click()",
        "document.querySelectorAll('#trips th')[9].click()",
    ]
)
# Each table of costs in turn: its texts, a row a line.
TABLES = (
    "const said=[];document.querySelectorAll('#costs_by button').forEach((_,i)=>{"
    "document.querySelectorAll('#costs_by button')[i].click();"
    "said.push([...document.querySelectorAll('#costs tr')].map(r=>[...r.children].map(c=>c.textContent)))});"
    "document.documentElement.dataset.tables=JSON.stringify(said);"
    "document.documentElement.dataset.wide=document.documentElement.scrollWidth-innerWidth;"
    "document.querySelector('#bands button').click()"
)


class Drawn(NamedTuple):
    """One look at the page: its elements, and what the browser wrote."""

    dom: str
    said: str


# A browser takes seconds to start: three looks serve all tests.


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """In English, light, nothing clicked."""
    return Drawn(*dump(tmp_path_factory.mktemp("plain"), a_page()))


@pytest.fixture(scope="module")
def clicked(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """After all buttons."""
    return Drawn(*dump(tmp_path_factory.mktemp("clicked"), a_page(CLICKS)))


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """Narrow, Chinese, dark, with the tables of costs written down and price limits shown."""
    return Drawn(*dump(tmp_path_factory.mktemp("phone"), a_page(TABLES), "zh,dark", 500))


def test_the_page_draws_everything_and_the_console_stays_silent(plain: Drawn) -> None:
    """All charts, the tiles, the heat table, price limits, the first page of round trips; tags in values are text."""
    dom = plain.dom
    assert 'data-faults="none"' in dom
    assert "CONSOLE" not in plain.said
    assert re.search(r'data-ready="\d+"', dom)
    for chart in (
        "equity",
        "rolling",
        "returns",
        "exposure",
        "candles",
        "profits",
        "excursions",
        "turnover",
        "denial_days",
    ):
        drawn = re.search(rf'id="{chart}" class="[^"]*js-plotly-plot', dom)
        assert (drawn is None) == (chart == "rolling"), chart
    assert dom.count('class="tile"') == 10
    assert "1 of 3 · 60 rows" in dom
    assert "Buy (59)" in dom
    assert "upper limit" in dom
    assert "&lt;img src=x onerror" in dom
    assert "<b>CODE" not in dom


def test_buttons_change_language_colours_theme_range_and_page(plain: Drawn, clicked: Drawn) -> None:
    """Chinese labels, dark, green up, five days of finer candles, the last page."""
    dom = clicked.dom
    assert 'data-faults="none"' in dom
    assert "CONSOLE" not in clicked.said
    assert 'lang="zh-CN"' in dom
    assert 'data-theme="dark"' in dom
    assert 'data-up="green"' in dom
    assert 'data-up="red"' in plain.dom
    assert "权益、基准与回撤" in dom
    assert "第 1 / 3 页 · 共 60 行" in dom
    assert "盈亏 ↓" in dom
    level = re.search(r'id="level"[^>]*>([^<]*)', dom)
    assert level
    assert level[1] != (re.search(r'id="level"[^>]*>([^<]*)', plain.dom) or [""])[0]
    assert re.search(r"5 分钟 K线", level[1])


def at(place: str, tree: Any) -> None:
    """``statistics.sharpe`` is in a tree of dictionaries."""
    for step in place.split("."):
        assert step in tree, place
        tree = tree[step]


def test_every_figure_of_the_page_is_in_the_json_and_the_other_way_round(plain: Drawn, clicked: Drawn) -> None:
    """Each figure names its place; those of statistics, benchmark and exposure are all shown, each with a definition
    in both languages; each list of the page has as many rows as the JSON's."""
    report, bars = a_report()
    figures = json.loads(json.dumps(figures_of(report), default=str))
    for dom in (plain.dom, clicked.dom):
        shown = re.findall(r'data-figure="([^"]+)"', dom)
        for place in shown:
            at(place, figures)
        for group, kept in (("statistics", ""), ("exposure", ""), ("benchmark", "kind")):
            assert {f"{group}.{name}" for name in figures[group] if name != kept} - set(shown) == set()
        part = re.search(r'id="statistics" class="figures">(.*?)</main>', dom, re.DOTALL)
        assert part
        one = r'<div[^>]*><span>([^<]*)</span><span[^>]*data-figure="([^"]+)"[^>]*>[^<]*</span>(<small>)?'
        rows = re.findall(one, part[1])
        assert len(rows) == len(re.findall("data-figure", part[1]))
        assert [place for _, place, says in rows if not says] == ["benchmark.name"]
        assert not [word for word, _, _ in rows if re.fullmatch(r"[a-z_]+", word)]
    # The page draws from the very dictionary that the command prints.
    page = render_page(report, bars)
    data = json.loads((re.search(r'id="data">(.*?)</script>', page, re.DOTALL) or ["", "{}"])[1])
    assert {**data["figures"], "notes": figures["notes"]} == figures
    assert (len(data["falls"]), len(data["trips"])) == (len(figures["drawdowns"]), figures["statistics"]["round_trips"])
    for table in ("strategies", "instruments", "parts"):
        assert len(data["costs"][table]) == len(figures["costs"][table]) + 1
    assert (data["equity"]["v"][-1], len(data["days"]["v"])) == (figures["final_equity"], figures["statistics"]["days"])


def amount(text: str) -> float:
    return 0.0 if text == "–" else float(text.replace(",", ""))


def test_what_a_reader_adds_up_adds_up(phone: Drawn) -> None:
    """Net profits of the rows are the total's, to the cent, in each of the three tables; so are gross less costs."""
    found = re.search(r'data-tables="([^"]*)"', phone.dom)
    assert found
    tables = json.loads(html.unescape(found[1]))
    assert len(tables) == 3
    for heads, *rows in tables:
        gross, slippage, fees, net = (heads.index(word) for word in ("毛利", "滑点", "费用", "净利"))
        nets = [amount(row[net]) for row in rows]
        # The last is what equity changed by, before it what is beside the strategies.
        *each, total, beside, change = nets
        assert len(each) >= 2
        assert round(sum(each), 2) == total
        assert round(total + beside, 2) == change
        for row in rows[:-2]:
            assert round(amount(row[gross]) + amount(row[slippage]) + amount(row[fees]), 2) == amount(row[net])


def test_a_phone_shows_no_page_wider_than_itself(phone: Drawn) -> None:
    """Wide tables scroll within their cards; the button for price limits is pressed."""
    assert 'data-faults="none"' in phone.dom
    assert "CONSOLE" not in phone.said
    wide = re.search(r'data-wide="(-?\d+)"', phone.dom)
    assert wide
    assert int(wide[1]) <= 0
    assert re.search(r'id="bands"[^>]*><button class="chosen"', phone.dom)


def test_the_comparison_draws_everything(tmp_path: Path) -> None:
    """Two runs: curves, figures, settings, correlation, months; in both languages, without a word to the console."""
    report, _ = a_report()
    script = JournalScript(cash="100000")
    for day in range(2, 28):
        script.equity(f"2026-03-{day:02d} 15:00", str(100_000 + day * 10 + day % 3 * 50))
    page = render_comparison(compare([("<b>a</b>", report), ("b", build_report(script.end("2026-03-27 15:00")))]))
    clicks = (
        "document.documentElement.dataset.before=document.body.textContent.includes('less the first');"
        "for (const id of ['language','theme','colours']) document.getElementById(id).click()"
    )
    dom, said = dump(tmp_path, listening(page, clicks))
    assert 'data-faults="none"' in dom
    assert "CONSOLE" not in said
    assert 'data-before="true"' in dom
    assert all(word in dom for word in ("不同的设置", "与首个之差", "日收益相关系数"))
    assert "&lt;b&gt;a&lt;/b&gt;" in dom
    assert "<b>a</b>" not in dom
    shown = set(re.findall(r'data-figure="([^"]+)"', dom))
    assert {"total_return", "sharpe", "net_profit", "excess_return"} <= shown
    labels = re.findall(r'<tr><td[^>]*>([^<]*)</td><td class="n" data-figure', dom)
    assert len(labels) == len(shown)
    assert not [label for label in labels if re.fullmatch(r"[a-z_]+", label)]
