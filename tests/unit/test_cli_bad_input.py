"""Bad input gets one clear sentence on stderr, exit code 2, nothing on stdout and never a traceback (issue A, 10)."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli_builders import HEADER, ROOT, Shell, a_bar_file, a_config, some_rows

SMA = "strategies.sma_cross:SmaCross"


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(ROOT)
    return Shell(capsys)


def a_raw_file(folder: Path, content: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def with_row(row: str) -> Callable[[Path], Path]:
    """A file whose 31st bar, line 32, is ``row``."""
    return lambda folder: a_bar_file(folder, [*some_rows(30), row])


FILES: dict[str, tuple[Callable[[Path], Path], list[str]]] = {
    "high below low": (with_row("2026-03-02 09:30:00,10,9,11,10,1"), ["line 32", "high 9", "low 11"]),
    "NaN": (with_row("2026-03-02 09:30:00,nan,11,9,10,1"), ["line 32", "open"]),
    "not a number": (with_row("2026-03-02 09:30:00,ten,11,9,10,1"), ["line 32", "open"]),
    "time backwards": (with_row("2026-03-02 09:00:00,10,11,9,10,1"), ["line 32", "time"]),
    "no time": (with_row("yesterday,10,11,9,10,1"), ["line 32", "time"]),
    "missing columns": (
        lambda folder: a_bar_file(folder, ["2026-03-02 09:00:00,1,1"], header="time,open,close"),
        ["line 1", "high", "low"],
    ),
    "empty": (lambda folder: a_raw_file(folder, b"", "empty.csv"), ["is empty"]),
    "header alone": (lambda folder: a_bar_file(folder, []), ["bars.csv"]),
    "not UTF-8": (
        lambda folder: a_raw_file(folder, f"{HEADER}\n".encode() + b"\xff\xfe,1,1,1,1,1\n", "latin.csv"),
        ["line 2", "UTF-8"],
    ),
    "broken Parquet": (lambda folder: a_raw_file(folder, b"PAR1 and nothing", "b.parquet"), ["b.parquet", "Parquet"]),
    "missing": (lambda folder: folder / "none.csv", ["none.csv", "no such file"]),
    "a folder": (lambda folder: folder, ["is a folder"]),
}


@pytest.mark.parametrize(("make", "words"), FILES.values(), ids=FILES.keys())
def test_a_bad_data_file_is_named_with_line_or_column(
    shell: Shell, tmp_path: Path, make: Callable[[Path], Path], words: list[str]
) -> None:
    """File, line or column, and the mend."""
    path = make(tmp_path)
    said = shell(
        "backtest", "--strategy", SMA, "--data", path, "--instrument", "000001.SH", "--tz", "Asia/Shanghai",
        "--no-report",
    )  # fmt: skip
    judge(said.code, said.out, said.err, [str(path), *words])


OPTIONS: dict[str, tuple[list[str], list[str]]] = {
    "unknown parameter": (["--set", "fats=3"], ["'fats'", "fast"]),
    "ill-typed parameter": (["--set", "fast=soon"], ["parameter fast", "int"]),
    "parameter out of bounds": (["--set", "fast=0"], ["parameter fast", ">= 1"]),
    "parameter without value": (["--set", "fast"], ["'fast'", "name=value"]),
    "unknown market": (["--market", "fre"], ["--market fre", "did you mean free?"]),
    "unknown fill model": (["--fill", "tuch"], ["--fill tuch", "did you mean touch?"]),
    "a line break in an option": (["--fill", "tu\nch"], ["--fill tu ch", "touch"]),
    "unknown fill setting": (["--fill-set", "share=1"], ["'share'"]),
    "unknown limit": (["--risk-set", "max_positon.value=1"], ["max_positon", "did you mean max_position?"]),
    "unknown setting of a limit": (["--risk-set", "cash.facto=1"], ["facto", "did you mean factor?"]),
    "limit without a key": (["--risk-set", "cash=1"], ["rule.key=value"]),
    "cash no number": (["--cash", "much"], ["--cash 'much'"]),
    "cash not finite": (["--cash", "inf"], ["--cash 'inf'"]),
    "commission no number": (["--commission", "low"], ["--commission 'low'"]),
    "unknown label": (["--label", "middle"], ["'middle'", "end", "start"]),
    "unknown zone": (["--tz", "Mars/Base"], ["Mars/Base", "Asia/Shanghai"]),
    "no interval": (["--interval", "often"], ["interval", "often"]),
    "more files than instruments": (["--data", "x.csv"], ["2 --data and 1 --instrument"]),
    "missing config": (["--config", "none.toml"], ["none.toml", "no such file"]),
    "missing instruments file": (["--instruments", "none.toml"], ["none.toml", "no such file"]),
    "unknown option": (["--casch", "1"], ["--casch", "--cash"]),
    "place for the page": (["--report", "README.md/x.html"], ["README.md"]),
}


@pytest.mark.parametrize(("options", "words"), OPTIONS.values(), ids=OPTIONS.keys())
def test_a_bad_option_is_named_with_what_was_meant(
    shell: Shell, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    """Each option's own sentence."""
    data = a_bar_file(tmp_path)
    page = [] if "--report" in options else ["--no-report"]
    said = shell(
        "backtest", "--strategy", SMA, "--data", data, "--instrument", "000001.SH", *page, *options
    )  # fmt: skip
    judge(said.code, said.out, said.err, words)


CALLS: dict[str, tuple[list[str], list[str]]] = {
    "unknown command": (["bakctest"], ["'bakctest'", "backtest"]),
    "no strategy": (["backtest", "--data", "x", "--instrument", "A.SH"], ["--strategy"]),
    "no data": (["backtest", "--strategy", SMA], ["--data"]),
    "strategy no module": (
        ["backtest", "--strategy", "nowhere.x:Y", "--data", "x", "--instrument", "A.SH"], ["nowhere"],
    ),
    "strategy a path": (
        ["backtest", "--strategy", "strategies/sma_cross:Y", "--data", "x", "--instrument", "A.SH"],
        ["no module name", "strategies.sma_cross:SmaCross"],
    ),
    "instrument no id": (["backtest", "--strategy", SMA, "--data", "x", "--instrument", "gold"], ["'gold'"]),
    "check nothing": (["check"], ["--config"]),
    "check, missing config": (["check", "--config", "none.toml"], ["none.toml"]),
    "check order, no side": (["check", "order", "--instrument", "CY.VSM", "--quantity", "1"], ["--side"]),
    "check order, unknown side": (
        ["check", "order", "--instrument", "CY.VSM", "--side", "by", "--quantity", "1"], ["did you mean buy?"],
    ),
    "check order, quantity": (
        ["check", "order", "--instrument", "CY.VSM", "--side", "buy", "--quantity", "some"], ["--quantity"],
    ),
    "check order, time": (
        ["check", "order", "--instrument", "CY.VSM", "--side", "buy", "--quantity", "1", "--at", "noon"], ["--at"],
    ),
    "check order, profile": (
        ["check", "order", "--instrument", "CY.VSM", "--side", "buy", "--quantity", "1", "--profile", "bold"], ["bold"],
    ),
    "order-states, place": (["order-states", "--write", "README.md/x.md"], ["README.md", "another place"]),
    "report, missing": (["report", "none.sqlite3"], ["none.sqlite3", "no such file"]),
    "report, no journal": (["report", "README.md"], ["README.md", "no journal"]),
    "call, unknown gateway": (["call", "virtual_markt", "stocks"], ["did you mean virtual_market?"]),
    "call, unknown route": (["call", "virtual_market", "stoks"], ["'stoks'", "stocks"]),
    "call, no pair": (["call", "virtual_market", "stock", "CY"], ["'CY'", "name=value"]),
    "simulate, unknown": (["simulate", "virtual_markt"], ["did you mean virtual_market?"]),
    "simulate, setting": (["simulate", "virtual_market", "--set", "lock=1"], ["'lock'", "lock_minutes"]),
    "simulate, speed": (["simulate", "virtual_market", "--speed", "0"], ["--speed"]),
    "simulate, start": (["simulate", "virtual_market", "--start", "monday"], ["--start"]),
    "live, no config": (["live"], ["--config"]),
    "live, missing config": (["live", "--config", "none.toml"], ["none.toml"]),
    "live, a backtest's config": (["live", "--config", "config/backtest.toml"], ["does not trade live"]),
    "demo, a live config": (["demo", "--config", "config/live.toml"], ["no demo"]),
}  # fmt: skip


@pytest.mark.parametrize(("argv", "words"), CALLS.values(), ids=CALLS.keys())
def test_a_bad_call_is_one_sentence(shell: Shell, argv: list[str], words: list[str]) -> None:
    """Every command; usage errors too."""
    said = shell(*argv)
    judge(said.code, said.out, said.err, words)


def test_with_json_the_sentence_is_the_one_object_too(shell: Shell) -> None:
    """A program that reads stdout hears of the mistake as well."""
    said = shell("check", "--config", "none.toml", "--json")
    assert said.code == 2
    assert "none.toml" in str(said.json["error"])
    assert said.err.count("\n") == 1


def test_live_without_credentials_names_the_variables(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves no journal behind that is locked."""
    for name in ("SLUICE_VM_USER", "SLUICE_VM_PASSWORD", "SLUICE_VM_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    said = shell("live", "--config", a_config(tmp_path))
    judge(said.code, said.out, said.err, ["SLUICE_VM_USER", "SLUICE_VM_PASSWORD"])


def test_debug_shows_the_traceback(shell: Shell) -> None:
    """For those who look for a bug of ours."""
    with pytest.raises(Exception, match=r"none\.toml"):
        shell("--debug", "check", "--config", "none.toml")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["backtest", "--strategy", SMA, "--data", "none.csv", "--instrument", "A.SH"], ["none.csv"]),
        (["check", "--config", "none.toml"], ["none.toml"]),
        (["bakctest"], ["backtest"]),
    ],
)
def test_a_process_of_its_own_says_the_same(argv: list[str], words: list[str]) -> None:
    """``run.py`` gives the exit code of ``main`` and lets no traceback through."""
    done = subprocess.run([sys.executable, "run.py", *argv], cwd=ROOT, capture_output=True, text=True, check=False)
    judge(done.returncode, done.stdout, done.stderr, words)


def judge(code: int, out: str, err: str, words: list[str]) -> None:
    """Exit code 2, an empty stdout, one line on stderr with these words in it."""
    assert code == 2, (code, err)
    assert not out
    assert "Traceback" not in err
    assert err.count("\n") == 1, err
    for word in words:
        assert word in err, err
