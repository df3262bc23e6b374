"""The commands, called as the shell calls them, in this process."""

import importlib
import keyword
import subprocess
import sys
import types
from pathlib import Path

import pytest

from engine.control import cli_chaos
from engine.journal.sqlite import SqliteJournal
from tests.cli_builders import CONFIG, ROOT, Said, Shell, a_bar_file, a_config

SMA = "strategies.sma_cross:SmaCross"
FIGURES = {
    "bars", "fills", "final_equity", "digest", "bars_per_second", "whole_bars_per_second", "report", "orders",
    "denied", "stopped", "seconds", "final_equity_exact", "mode", "mode_reason", "costs",
    "quotes", "matching",
}  # fmt: skip


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(ROOT)
    return Shell(capsys)


def backtested(shell: Shell, data: Path, *more: object) -> Said:
    options = ("--data", data, "--instrument", "000001.SH", "--tz", "Asia/Shanghai", "--json")
    return shell("backtest", "--strategy", SMA, *options, *more)


# --- backtest --------------------------------------------------------------------------------------------------------


def test_backtest_prints_one_json_object_and_writes_the_page(shell: Shell, tmp_path: Path) -> None:
    """The keys of issue A's item 10 and the report's figures, the page where it was asked, nothing else on stdout."""
    page = tmp_path / "page.html"
    said = backtested(shell, a_bar_file(tmp_path), "--report", page)
    assert said.code == 0, said.err
    assert set(said.json) >= FIGURES
    assert {"statistics", "benchmark", "drawdowns", "monthly", "exposure"} <= set(said.json)
    assert "round_trips" not in said.json
    assert said.json["bars"] == 240
    assert said.json["report"] == str(page)
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert f"{said.json['final_equity']:.2f}" == f"{float(str(said.json['final_equity_exact'])):.2f}"


def test_backtest_gives_the_same_digest_twice_and_another_for_other_parameters(shell: Shell, tmp_path: Path) -> None:
    """Same inputs, same journal; a parameter is an input."""
    data = a_bar_file(tmp_path)
    first = backtested(shell, data, "--no-report").json
    assert first["orders"]
    assert backtested(shell, data, "--no-report").json["digest"] == first["digest"]
    other = backtested(shell, data, "--no-report", "--set", "fast=3", "--set", "slow=7").json
    assert other["digest"] != first["digest"]
    assert other["report"] is None


def test_backtest_modes_come_to_the_same_journal(shell: Shell, tmp_path: Path) -> None:
    """``auto`` leaves bars out where it can; an unknown mode is one sentence."""
    data = a_bar_file(tmp_path)
    runs = [backtested(shell, data, "--no-report", "--mode", mode).json for mode in ("event", "column", "auto")]
    assert [run["mode"] for run in runs] == ["event", "column", "column"]
    assert len({run["digest"] for run in runs}) == 1
    said = backtested(shell, data, "--mode", "fast")
    assert said.code == 2
    assert "choose one of auto, event, column" in said.err


def test_backtest_takes_cash_commission_fill_and_limits_from_the_command_line(shell: Shell, tmp_path: Path) -> None:
    """Each option changes what it names."""
    data = a_bar_file(tmp_path)
    free = backtested(shell, data, "--no-report", "--commission", "0").json
    paid = backtested(shell, data, "--no-report", "--commission", "0.01").json
    assert float(str(free["final_equity"])) > float(str(paid["final_equity"]))
    poor = backtested(shell, data, "--no-report", "--cash", "10").json
    assert poor["final_equity"] == 10.0
    assert poor["denied"]
    small = backtested(shell, data, "--no-report", "--risk-set", "max_order_quantity.quantity=5").json
    assert small["denied"] == small["orders"]
    thin = backtested(shell, data, "--no-report", "--fill", "volume_share", "--fill-set", "share=0.001").json
    assert thin["digest"] != free["digest"]


def test_backtest_runs_several_files_and_strategies_on_one_clock(shell: Shell, tmp_path: Path) -> None:
    """One --instrument for each --data; --set goes to whoever has the parameter, or to the one it names."""
    one, two = a_bar_file(tmp_path), a_bar_file(tmp_path, name="two.csv")
    path = tmp_path / "still.py"
    path.write_text(
        "from engine import Strategy, param\n\n\nclass StillHere(Strategy):\n    depth: int = param(1, ge=1)\n",
        encoding="utf-8",
    )
    said = shell(
        "backtest", "--strategy", SMA, "--strategy", f"{path}:StillHere", "--data", one, "--instrument", "A.SH",
        "--data", two, "--instrument", "B.SH", "--set", "fast=4", "--set", "still_here.depth=3", "--no-report",
        "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert said.json["bars"] == 480
    wrong = shell(
        "backtest", "--strategy", SMA, "--strategy", f"{path}:StillHere", "--data", one, "--instrument", "A.SH",
        "--set", "depht=3", "--no-report",
    )  # fmt: skip
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean depth?" in wrong.err


def test_backtest_by_a_config_uses_its_strategies_cash_and_data(shell: Shell, tmp_path: Path) -> None:
    """Nothing but --config; the command line still goes first."""
    a_bar_file(tmp_path)
    text = f"""
[run]
profile = "backtest"

[[account]]
id = "b"
cash = "5000"

[[strategy]]
name = "mine"
class = "{SMA}"
params = {{ size = 10 }}

[[data]]
file = "bars.csv"
instrument = "600000.SH"
"""
    config = a_config(tmp_path, text)
    said = shell("backtest", "--config", config, "--no-report", "--json")
    assert said.code == 0, said.err
    assert said.json["bars"] == 240
    assert 4000 < float(str(said.json["final_equity"])) < 6000
    richer = shell("backtest", "--config", config, "--no-report", "--json", "--cash", "7000")
    assert 6000 < float(str(richer.json["final_equity"])) < 8000


def test_backtest_keeps_its_journal_and_report_reads_it(shell: Shell, tmp_path: Path) -> None:
    """The kept journal has the digest of the one in memory, and tells the same figures."""
    data, path = a_bar_file(tmp_path), tmp_path / "kept.sqlite3"
    said = backtested(shell, data, "--no-report", "--journal", path)
    assert said.json["digest"] == backtested(shell, data, "--no-report").json["digest"]
    page = tmp_path / "again.html"
    told = shell("report", path, "--html", page, "--json")
    assert told.code == 0, told.err
    assert told.json["final_equity"] == said.json["final_equity"]
    assert told.json["fills"] == said.json["fills"] != 0
    assert page.is_file()
    assert shell("report", path, "--run", "1", "--json").json["fills"] == told.json["fills"]
    assert "holds 1" in shell("report", path, "--run", "2").err
    again = backtested(shell, data, "--no-report", "--journal", path)
    assert again.code == 2
    assert "is there already" in again.err


def test_backtest_says_which_strategy_was_stopped(shell: Shell, tmp_path: Path) -> None:
    """A strategy that fails is no user's mistake of form: exit code 1, its reason on stderr and in the JSON."""
    said = backtested(shell, a_bar_file(tmp_path), "--no-report", "--set", "fast=50")
    assert said.code == 1
    assert "fast (50) must be shorter than slow (30)" in said.err
    assert said.json["stopped"]
    assert "Traceback" not in said.err


def test_backtest_without_json_shows_a_table(shell: Shell, tmp_path: Path) -> None:
    """People get figures and the digest."""
    said = shell(
        "backtest", "--strategy", SMA, "--data", a_bar_file(tmp_path), "--instrument", "000001.SH", "--no-report"
    )
    assert said.code == 0
    assert "final equity" in said.out
    assert "digest" in said.out


# --- check -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo", "backtest", "paper", "live"])
def test_the_configs_that_come_with_the_engine_are_good(shell: Shell, name: str) -> None:
    """``check --config`` passes each of them."""
    said = shell("check", "--config", f"config/{name}.toml", "--json")
    assert said.code == 0, said.err
    assert said.json["ok"] is True
    assert said.json["limits"]


def test_check_names_what_is_not_in_the_environment(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing credentials do not make a config wrong; they are told."""
    monkeypatch.delenv("SLUICE_VM_USER", raising=False)
    monkeypatch.setenv("SLUICE_VM_PASSWORD", "x")
    said = shell("check", "--config", a_config(tmp_path), "--json")
    assert said.json["missing_environment"] == ["SLUICE_VM_USER"]


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        ("[simulator.virtual_markt]\n", "did you mean virtual_market?"),
        ("[simulator.virtual_market]\nlock = 3\n", "lock_minutes"),
        ("[gateway.stream]\nstale = 'soon'\n", "no duration"),
        ("[[data]]\nfile = 'none.csv'\ninstrument = 'A.SH'\n", "none.csv"),
    ],
)
def test_check_looks_at_what_the_config_points_to(shell: Shell, tmp_path: Path, extra: str, word: str) -> None:
    """Simulators, spans of gateways and data files are judged too."""
    said = shell("check", "--config", a_config(tmp_path, f"{CONFIG}\n{extra}"))
    assert said.code == 2
    assert word in said.err


def test_check_order_tells_every_limits_verdict(shell: Shell) -> None:
    """All pass: exit code 0."""
    said = shell(
        "check", "order", "--instrument", "CY.VSM", "--side", "buy", "--quantity", "100", "--mark", "37.9",
        "--at", "2026-03-02T10:00:00+08:00", "--json",
    )  # fmt: skip
    assert said.code == 0, said.out
    checks = said.json["checks"]
    assert isinstance(checks, list)
    assert {"kill", "cash", "max_order_value", "price_collar"} <= {row["check"] for row in checks}
    assert all(row["passed"] and row["figures"] is not None for row in checks)


@pytest.mark.parametrize(
    ("more", "check"),
    [
        (("--side", "buy", "--quantity", "100", "--mark", "37.9", "--cash", "10"), "cash"),
        (("--side", "sell", "--quantity", "100", "--mark", "37.9"), "sellable"),
        (("--side", "buy", "--quantity", "100"), "price_collar"),
        (("--side", "buy", "--quantity", "100", "--price", "50", "--mark", "37.9"), "price_collar"),
        (("--side", "buy", "--quantity", "0", "--mark", "37.9"), "well_formed"),
        (
            ("--side", "buy", "--quantity", "9", "--mark", "37.9", "--risk-set", "max_order_quantity.quantity=8"),
            "max_order_quantity",
        ),
    ],
)
def test_check_order_denies_with_exit_code_1(shell: Shell, more: tuple[str, ...], check: str) -> None:
    """The limit that says no is marked, in JSON and in the table."""
    order = ("check", "order", "--instrument", "CY.VSM", "--at", "2026-03-02T10:00:00+08:00", *more)
    said = shell(*order, "--json")
    assert said.code == 1
    checks = said.json["checks"]
    assert isinstance(checks, list)
    assert check in {row["check"] for row in checks if not row["passed"]}
    assert str(said.json["reason"]).startswith("limit check failed: ")
    assert "DENY" in shell(*order).out


def test_check_order_sells_what_is_held_and_asks_the_market_for_its_hours(shell: Shell) -> None:
    """--position is sellable; at night the market is closed."""
    order = (
        "check",
        "order",
        "--instrument",
        "CY.VSM",
        "--side",
        "sell",
        "--quantity",
        "5",
        "--mark",
        "37.9",
        "--json",
    )
    assert shell(*order, "--position", "5", "--at", "2026-03-02T10:00:00+08:00").code == 0
    night = shell(*order, "--position", "5", "--at", "2026-03-02T03:00:00+08:00")
    assert night.code == 1
    assert "market closed" in str(night.json["reason"])


# --- the others ------------------------------------------------------------------------------------------------------


def test_a_new_strategy_runs_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``new`` writes a file in a folder of any project, and backtest takes it as it is."""
    monkeypatch.chdir(tmp_path)
    shell = Shell(capsys)
    said = shell("new", "my_idea", "--json")
    assert said.code == 0, said.err
    assert said.json["strategy"] == "strategies.my_idea:MyIdea"
    text = (tmp_path / "strategies" / "my_idea.py").read_text(encoding="utf-8")
    assert "@" not in text
    assert "均线" in text
    run = shell(
        "backtest", "--strategy", "strategies/my_idea.py:MyIdea", "--data", a_bar_file(tmp_path), "--instrument",
        "000001.SH", "--set", "window=5", "--json", "--no-report",
    )  # fmt: skip
    assert run.code == 0, run.err
    assert run.json["orders"]
    assert run.json["stopped"] == {}
    again = shell("new", "my_idea")
    assert again.code == 2
    assert "--force" in again.err
    assert shell("new", "my_idea", "--force").code == 0


@pytest.mark.parametrize("name", ["", "1st", "My", "a-b", "a.b", "../x", "a b", "__init__", keyword.kwlist[3]])
def test_a_bad_name_for_a_strategy_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nothing is written."""
    monkeypatch.chdir(tmp_path)
    said = Shell(capsys)("new", name)
    assert said.code == 2
    assert "no name for a strategy" in said.err
    assert not list(tmp_path.iterdir())


def test_order_states_draws_the_diagram(shell: Shell, tmp_path: Path) -> None:
    """To stdout, to a file, or in JSON."""
    assert shell("order-states").out.startswith("stateDiagram-v2")
    page = tmp_path / "states.md"
    assert shell("order-states", "--write", page, "--json").json["path"] == str(page)
    assert "mermaid" in page.read_text(encoding="utf-8")


def test_chaos_is_handed_its_arguments_by_name(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command imports nothing of the simulation until it runs, and gives its exit code."""
    seen: list[list[str]] = []

    def run(argv: list[str]) -> int:
        seen.append(argv)
        return 3

    fake = types.SimpleNamespace(main=run)
    monkeypatch.setattr(importlib, "import_module", lambda name: {cli_chaos.CHAOS: fake}[name])
    assert shell("chaos", "--seeds", "4", "--json").code == 3
    assert seen == [["--seeds", "4", "--json"]]


def test_call_lists_a_gateways_routes(shell: Shell) -> None:
    """Without a route; no connection is made."""
    said = shell("call", "virtual_market", "--json")
    assert said.code == 0
    routes = said.json["routes"]
    assert isinstance(routes, dict)
    assert {"stocks", "buy", "portfolio"} <= set(routes)


def test_a_gateway_that_is_not_there_is_an_outside_failure(shell: Shell) -> None:
    """Exit code 1: nobody made a mistake of form. One sentence all the same."""
    said = shell("call", "virtual_market", "stocks", "--base-url", "http://127.0.0.1:9", "--json")
    assert said.code == 1
    assert "could not connect" in said.err
    assert set(said.json) == {"error"}


def test_report_reads_a_journal_that_a_run_still_holds(shell: Shell, tmp_path: Path) -> None:
    """A reader needs no lock; an empty journal has no run yet."""
    path = tmp_path / "held.sqlite3"
    journal = SqliteJournal(path, inline=True)
    try:
        said = shell("report", path)
    finally:
        journal.close()
    assert said.code == 2
    assert "holds no run" in said.err


def test_help_is_the_answer_to_nothing(shell: Shell) -> None:
    """No arguments: the list of commands, exit code 0."""
    said = shell()
    assert said.code == 0
    for name in ("demo", "backtest", "live", "simulate", "check", "report", "chaos", "new", "call", "order-states"):
        assert f"\n  {name} " in said.out


def test_starting_up_imports_nothing_heavy() -> None:
    """The help must not wait for what one command needs."""
    heavy = ("plotly", "pyarrow", "uvicorn", "starlette", "httpx", "websockets")
    code = f"import sys, engine.control.cli; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
