"""The page of ``optimize`` in a real browser, without a network: it draws, answers, and logs nothing."""

import re
from pathlib import Path

import pytest

from engine.control.optimize_run import Loaded
from engine.runtime.optimize.evaluation import evaluate
from engine.runtime.optimize.jobs import Job
from engine.runtime.optimize.objective import objective_of
from engine.runtime.optimize.optimize_page import render_page
from engine.runtime.optimize.optimizing import Outcome, Wanted
from engine.runtime.optimize.ranking import ranking_of
from engine.runtime.optimize.space import listed
from engine.runtime.optimize.walk_forward import outcome_of, walk_of
from tests.browser.test_report_page import CHROMIUM, dump
from tests.optimize_builders import a_search

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")


def an_outcome(loaded: Loaded) -> Outcome:
    objective = objective_of("sharpe", 0)
    sets = list(listed(loaded.space))

    def rows(span: object) -> list[object]:
        return [evaluate(loaded.setup, Job(parameters=one, span=span)) for one in sets]  # type: ignore[arg-type]

    outcomes = []
    for window in loaded.windows:
        ranking = ranking_of(rows(window.train), objective)  # type: ignore[arg-type]
        assert ranking.best is not None
        test = evaluate(loaded.setup, Job(parameters=ranking.best.row.parameters, span=window.test))
        outcomes.append(outcome_of(window, ranking, test, objective))
    whole = [evaluate(loaded.setup, Job(parameters=one)) for one in sets]
    return Outcome(ranking=ranking_of(whole, objective), walk=walk_of(outcomes))


def a_page(folder: Path, actions: str = "") -> str:
    """Three parameters, a walk of two windows, and a set that is not fit; ``actions`` run after it has drawn."""
    loaded = a_search(
        folder, ranges=("fast=2:7:5", "slow=6:12:6"), choices=("way=cross,wait",), walk_forward="train=20d,test=10d"
    )
    wanted = Wanted(search="grid", trials=1, seed=0, objective=objective_of("sharpe", 0))
    about = {
        "name": "</script><b>x", "strategies": [{"name": "trader", "path": "trader.py:Trader", "parameters": {}}],
        "data": [{"instrument": "600000.SH", "path": "bars.csv", "sha256": "0" * 64, "bars": 800}],
        "from": "2026-03-02 10:00:00", "to": "2026-04-10 10:19:00",
        "varied": [{"name": "fast", "values": 2, "low": 2, "high": 7, "log": False}],
    }  # fmt: skip
    page = render_page(an_outcome(loaded), loaded.space, wanted, about, "Asia/Shanghai", "CNY")
    listen = (
        "<script>window.faults=[];const ce=console.error;console.error=(...a)=>{faults.push(a.join(' '));ce(...a)};"
        "addEventListener('error',e=>faults.push(e.message||'resource'),true);</script>"
    )
    wait = (
        f"<script>setTimeout(()=>{{{actions};setTimeout(()=>{{"
        "document.documentElement.dataset.faults=faults.join('|')||'none'},600)},300)</script>"
    )
    head, _, _ = page.rpartition("</body></html>")
    return head.replace("<title>", listen + "<title>", 1) + wait + "</body></html>"


def test_the_page_draws_and_answers(tmp_path: Path) -> None:
    """Every chart and table; a sort, a pick, other axes, Chinese, dark; tags in names are text; no fault is logged."""
    select = (
        "for (const [id, v] of [['axis_y','2'],['figure','total_return'],['merge','mean']]) "
        "{ const e = document.getElementById(id); e.value = v; e.dispatchEvent(new Event('change')) }"
    )
    clicks = [
        "document.querySelectorAll('#sets th')[2].click()",
        "document.querySelectorAll('#sets tbody tr')[3].click()",
        "for (const id of ['language','theme','colours']) document.getElementById(id).click()",
    ]
    actions = ";".join([select, *clicks])
    dom, said = dump(tmp_path, a_page(tmp_path, actions))
    assert 'data-faults="none"' in dom
    assert "CONSOLE" not in said
    assert re.search(r'data-ready="\d+"', dom)
    assert 'lang="zh-CN"' in dom
    assert 'data-theme="dark"' in dom
    for place in ("pbo", "stitched", "inout", "surface", "parallel", "equity"):
        assert re.search(rf'id="{place}" class="[^"]*js-plotly-plot', dom), place
    assert dom.count('class="tile"') == 9
    assert "slow ↑" in dom
    assert "must be shorter than slow" in dom
    assert "过拟合概率" in dom
    assert "第 1 / 1 页 · 共 8 组" in dom
    assert len(re.findall(r'class="[^"]*chosen', dom)) == 1
    assert "&lt;/script&gt;&lt;b&gt;x" in dom
