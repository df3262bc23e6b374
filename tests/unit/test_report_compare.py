"""Several runs compared: figures, differences, settings, correlation; the pages and pictures of the command line."""

import io
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from engine.control.cli_report import run_names, split_run
from engine.domain.errors import ConfigError, DataError
from engine.domain.events import RunStarted
from engine.runtime.report import Report, build_report
from engine.runtime.report_compare import compare
from engine.runtime.report_compare_page import render_comparison
from engine.runtime.report_console import comparison_table
from engine.runtime.report_png import write_png
from tests.cli_builders import Shell, a_bar_file
from tests.data_builders import ACCOUNT, JournalScript

DAYS = tuple(f"2026-03-{day:02d}" for day in (2, 3, 4, 5, 6, 9))


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def a_run(values: tuple[int, ...], *, fast: int = 10, days: tuple[str, ...] = DAYS, model: str = "next_open") -> Report:
    script = JournalScript(cash="1000", start=f"{days[0]} 09:30")
    script.add(
        RunStarted(
            ts_ns=script.at(f"{days[0]} 09:30"),
            mode="backtest",
            data=({"path": "bars.csv", "instrument": "600000.SH", "sha256": "ab" * 32, "tz": "Asia/Shanghai"},),
            strategies=({"name": "cross", "path": "strategies.cross:Cross", "parameters": {"fast": fast, "slow": 30}},),
            accounts=({"account": str(ACCOUNT), "currency": "CNY", "cash": "1000"},),
            settings={"fill_model": {"model": model}},
        )
    )
    for day, value in zip(days, values, strict=True):
        script.equity(f"{day} 15:00", str(value))
    return build_report(script.end(f"{days[-1]} 15:00"))


FIRST, SECOND = (1010, 1000, 1020, 1010, 1030, 1040), (1020, 1010, 1000, 1030, 1020, 1060)


def test_figures_stand_side_by_side_with_differences_from_the_first() -> None:
    """4 % and 6 %: 2 % apart; what a run has not is None and so is its difference."""
    made = compare([("a", a_run(FIRST)), ("b", a_run(SECOND))])
    rows = {row.figure: row for row in made.figures}
    assert rows["total_return"].values == pytest.approx((0.04, 0.06))
    assert rows["total_return"].differences == pytest.approx((0.0, 0.02))
    assert rows["win_rate"].values == (None, None)
    assert rows["win_rate"].differences == (None, None)
    assert made.runs[1].rebased == pytest.approx((102, 101, 100, 103, 102, 106))
    assert made.runs[0].days == DAYS


def test_only_settings_that_differ_are_listed() -> None:
    """Parameters, fill model; two runs of the same settings have none."""
    made = compare([("a", a_run(FIRST)), ("b", a_run(SECOND, fast=5, model="touch"))])
    assert [(row.setting, row.values) for row in made.settings] == [
        ("fill_model.model", ("next_open", "touch")),
        ("strategy.fast", ("10", "5")),
    ]
    assert compare([("a", a_run(FIRST)), ("b", a_run(SECOND))]).settings == ()


def test_a_span_of_data_is_a_setting_and_an_old_journals_silence_is_not() -> None:
    """Runs to different days differ in that; one without ``settings`` does not differ in each of them."""
    old = msgspec.structs.replace(a_run(FIRST[:4], days=DAYS[:4]), settings={})
    made = compare([("a", a_run(FIRST)), ("old", old)])
    assert [row.setting for row in made.settings] == ["to"]


def test_correlation_is_numpys_over_shared_days() -> None:
    """Of the days both have; a run with itself is 1; a flat one has none."""
    own, other = a_run(FIRST), a_run(SECOND[1:], days=DAYS[1:])
    made = compare([("a", own), ("b", other), ("flat", a_run((1000,) * 6))])
    assert made.shared_days == 5
    first = np.array(FIRST[1:]) / np.array(FIRST[:-1]) - 1
    second = np.array(SECOND[1:]) / np.array((1000, *SECOND[1:-1])) - 1
    expected = np.corrcoef(first, second)[0, 1]
    assert made.correlation[0][1] == pytest.approx(expected)
    assert made.correlation[1][0] == pytest.approx(expected)
    assert made.correlation[0][0] == pytest.approx(1.0)
    assert made.correlation[0][2] is None


def test_the_terminal_shows_it() -> None:
    """Figures, differences, settings; markup in a name stays text."""
    out = io.StringIO()
    made = compare([("[red]a[/red]", a_run(FIRST)), ("b", a_run(SECOND, fast=5))])
    Console(file=out, width=140).print(comparison_table(made))
    assert "[red]a[/red]" in out.getvalue()
    assert "0.0200" in out.getvalue()
    assert "strategy.fast" in out.getvalue()


def test_the_comparison_page_lets_no_name_be_markup_and_needs_no_network() -> None:
    """As the report's page."""
    page = render_comparison(compare([("</script><img src=x>", a_run(FIRST)), ("b", a_run(SECOND))]))
    assert "<img" not in page
    assert 'id="correlation"' in page


def test_names_and_runs_of_journals() -> None:
    """A file's name where that is enough; ``#2`` is the second run."""
    assert run_names(["runs/a.db", "runs/b.db"]) == ["a", "b"]
    assert run_names(["x/a.db", "y/a.db"]) == ["x/a.db", "y/a.db"]
    assert run_names(["a.db", "a.db"]) == ["a.db", "a.db (2)"]
    assert run_names(["day.db#1", "day.db#2"]) == ["day.db#1", "day.db#2"]
    assert split_run("day.db#2") == ("day.db", 2)
    assert split_run("day.db") == ("day.db", None)
    assert split_run("#2") == ("#2", None)


def test_from_journals_to_comparison_page_and_picture(tmp_path: Path, shell: Shell) -> None:
    """Three backtests by command line: JSON, page and picture; the same run twice differs in nothing."""
    data = a_bar_file(tmp_path)
    for name, fast in (("a", 3), ("b", 5)):
        ran = shell(
            "backtest", "--strategy", "strategies.sma_cross:SmaCross", "--set", f"fast={fast}", "--data", data,
            "--instrument", "000001.SH", "--journal", tmp_path / f"{name}.db", "--no-report", "--json", "--png",
            tmp_path / f"{name}.png",
        )  # fmt: skip
        assert ran.code == 0, ran.err
        assert ran.json["benchmark"]["name"] == "000001.SH"  # type: ignore[index]
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    a, b, page = tmp_path / "a.db", tmp_path / "b.db", tmp_path / "compared.html"
    said = shell("report", a, b, "--html", page, "--json").json
    assert [row["setting"] for row in said["settings"]] == ["strategy.fast"]  # type: ignore[attr-defined]
    assert page.is_file()
    assert shell("report", a, f"{a}#1", "--json").json["settings"] == []
    whole = shell("report", a, "--benchmark", f"x={data}", "--json").json
    assert whole["benchmark"]["kind"] == "file"  # type: ignore[index]
    assert len(whole["round_trips"]) == whole["statistics"]["round_trips"]  # type: ignore[arg-type, index]
    assert shell("report", a, b, "--png", tmp_path / "x.png").code != 0
    assert "no instrument of the run" in shell("report", a, "--benchmark", "nothing").err


def test_a_picture_without_matplotlib_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"needs matplotlib.*pip install 'sluice\[png\]'"):
        write_png(a_run(FIRST), tmp_path / "x.png")


def test_a_picture_of_little_and_of_odd_names(tmp_path: Path) -> None:
    """A run of a moment has a picture too; dollar signs and Chinese in names are no formula and no warning."""
    script = JournalScript()
    report = msgspec.structs.replace(
        build_report(script.end("2026-03-02 09:30")), strategies=({"name": "$x_1$ 均线"},), final_equity=Decimal(1000)
    )
    made = write_png(report, tmp_path / "deep" / "x.png")
    assert made.read_bytes().startswith(b"\x89PNG")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="can not be written"):
        write_png(report, tmp_path / "file" / "x.png")
