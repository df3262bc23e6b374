"""The report as one HTML file: it holds what it must, asks the network for nothing, and lets no value be markup."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from engine.data import open_bars
from engine.domain.commands import Side
from engine.domain.errors import DataError
from engine.domain.events import RunStarted
from engine.runtime.report import build_report
from engine.runtime.report_page import EQUITY_POINTS, render_page, write_html
from tests.data_builders import ACCOUNT, FIRST_NS, ROWS, STOCK, JournalScript, a_csv, some_columns


def a_script() -> JournalScript:
    """One round trip, a denial, two samples."""
    script = JournalScript(cash="10000")
    script.trade("2026-03-02 09:31", Side.BUY, 100, "10", fee="1")
    script.trade("2026-03-02 09:33", Side.SELL, 100, "10.4", fee="1")
    script.deny("2026-03-02 09:33", "RATE", "rate limit exceeded")
    script.equity("2026-03-02 09:32", "10020")
    script.equity("2026-03-02 09:33", "10038")
    return script


def data_of(page: str) -> dict[str, Any]:
    """What the page's script will read."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    read: dict[str, Any] = json.loads(found[1])
    return read


def denials_of(data: dict[str, Any]) -> list[tuple[str, int, str]]:
    return [(row["code"], row["count"], row["example"]) for row in data["figures"]["denials"]]


def test_the_page_holds_what_it_must() -> None:
    """Figures, curve, months, fills, round trips, orders, denials, and a place for each."""
    page = render_page(build_report(a_script().end("2026-03-02 15:00")), {STOCK: [some_columns([10.0, 10.2, 10.4])]})
    data = data_of(page)
    assert data["figures"]["final_equity"] == 10038
    assert data["fills"]["q"] == [100, -100]
    assert data["trips"][0][9] == 38.0
    assert denials_of(data) == [("RATE", 1, "rate limit exceeded")]
    assert data["figures"]["orders"] == {"filled": 2, "denied": 1}
    assert data["charts"][0]["levels"][0]["c"] == [10.0, 10.2, 10.4]
    assert data["equity"]["v"] == [10000, 10020, 10038]
    assert data["red_up"] is True
    for place in ("tiles", "equity", "candles", "monthly", "statistics", "trips", "orders", "open", "denials"):
        assert f'id="{place}"' in page


def test_the_page_asks_the_network_for_nothing() -> None:
    """Apart from plotly's own script, which is inside once, there is no address in it, and no file beside it."""
    page = render_page(build_report(a_script().end("2026-03-02 15:00")), {})
    script = get_plotlyjs()
    assert page.count(script) == 1
    ours = page.replace(script, "")
    assert not re.findall(r"https?://", ours)
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:,)|@import|url\(""", ours)


def test_no_value_can_become_markup() -> None:
    """Names and reasons with tags in them stay text: no "<" of theirs is in the page."""
    script = JournalScript()
    script.add(
        RunStarted(
            ts_ns=FIRST_NS,
            mode="backtest",
            strategies=({"name": "</title></script><img src=x onerror=alert(1)>"},),
            accounts=({"account": str(ACCOUNT), "currency": "CNY", "cash": "1000"},),
        )
    )
    script.deny("2026-03-02 10:00", "X", "</script><script>alert(2)</script>")
    page = render_page(build_report(script.end("2026-03-02 15:00")), {})
    assert "<img" not in page
    assert "alert(2)</script>" not in page
    assert denials_of(data_of(page)) == [("X", 1, "</script><script>alert(2)</script>")]


def test_candles_are_read_from_the_file_the_run_names(tmp_path: Path) -> None:
    """With its zone and label; a file that has changed or gone leaves a note instead."""
    path = a_csv(tmp_path / "bars.csv")
    source = open_bars(path, STOCK)
    script = a_script()
    script.add(
        RunStarted(
            ts_ns=FIRST_NS,
            mode="backtest",
            data=(
                {
                    "path": str(path),
                    "sha256": source.sha256(),
                    "instrument": str(STOCK),
                    "tz": source.tz,
                    "label": source.label,
                    "interval_ns": source.interval_ns,
                },
            ),
            accounts=({"account": str(ACCOUNT), "currency": "CNY", "cash": "10000"},),
        )
    )
    report = build_report(script.end("2026-03-02 15:00"))
    data = data_of(render_page(report))
    assert data["charts"][0]["bars"] == 3
    assert data["notes"] == []
    a_csv(path, ROWS[:2])
    assert "has changed since the run" in data_of(render_page(report))["notes"][0]
    path.unlink()
    assert "there is no such file" in data_of(render_page(report))["notes"][0]


def test_long_curves_are_thinned_and_keep_their_extremes() -> None:
    """A curve of 20,000 samples has the lowest, the highest and the last of them."""
    script = JournalScript(cash="10000")
    for minute in range(20_000):
        value = 5 if minute == 7_777 else 99_999 if minute == 12_345 else 10_000 + minute % 7
        script.equity(f"2026-03-{2 + minute // 1440:02d} {minute // 60 % 24:02d}:{minute % 60:02d}", str(value))
    values = data_of(render_page(build_report(script.end("2026-03-20 15:00")), {}))["equity"]["v"]
    assert len(values) <= EQUITY_POINTS + 2
    assert (min(values), max(values), values[0], values[-1]) == (5, 99_999, 10_000, 10_000 + 19_999 % 7)


def test_a_live_run_without_files_has_a_page_too() -> None:
    """No candles, no note, everything else."""
    data = data_of(render_page(build_report(a_script().end("2026-03-02 15:00"))))
    assert data["charts"] == []
    assert data["notes"] == []


def test_writing_makes_the_folder_or_says_why_not(tmp_path: Path) -> None:
    """The file is small enough to send; a place that can not be written to is named."""
    report = build_report(a_script().end("2026-03-02 15:00"))
    path = write_html(report, tmp_path / "deep" / "report.html", {})
    assert 4_000_000 < path.stat().st_size < 8_000_000
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="can not be written"):
        write_html(report, tmp_path / "file" / "report.html", {})
