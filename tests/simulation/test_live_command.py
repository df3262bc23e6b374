"""``simulate``, ``call`` and ``live`` as three processes on one fixed date; SIGTERM ends live in order."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.control import live_session
from engine.control.cli import main

ROOT = Path(__file__).parents[2]
START = "2026-03-02T09:00:00+08:00"
ENVIRON = {**os.environ, "SLUICE_VM_USER": "TimeXingjian", "SLUICE_VM_PASSWORD": "your_password"}

CONFIG = """
[run]
name = "trial"
data_dir = "{folder}/runs"

[clock]
speed = 600.0
start = "{start}"
anchor = "{anchor}"

[instruments]
file = "{root}/config/instruments.toml"

[gateway.virtual_market]
base_url = "{url}"
poll = "60s"
account_poll = "10m"
timeout = "40m"
connect_timeout = "40m"
backfill_bars = 40

[risk.price_collar]
max_age = "30m"

[[account]]
id = "game"
gateway = "virtual_market"
currency = "COIN"

[[strategy]]
class = "strategies.sma_cross:SmaCross"
instruments = ["CY.VSM"]
params = {{ fast = 2, slow = 4 }}
"""


@pytest.fixture
def served() -> Iterator[tuple[str, str]]:
    """A simulator in a process of its own: its address and the moment its clock is anchored at."""
    anchor = subprocess.run(["date", "-u", "+%Y-%m-%dT%H:%M:%SZ"], capture_output=True, text=True, check=True).stdout
    command = [
        sys.executable, "run.py", "simulate", "virtual_market", "--port", "0", "--speed", "600", "--start", START,
        "--anchor", anchor.strip(), "--seed", "7", "--json",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            read = msgspec.json.decode(process.stdout.readline())
            yield read["simulators"]["virtual_market"], anchor.strip()
        finally:
            process.terminate()


def a_live_config(folder: Path, url: str, anchor: str) -> Path:
    path = folder / "trial.toml"
    path.write_text(CONFIG.format(folder=folder, root=ROOT, url=url, anchor=anchor, start=START), encoding="utf-8")
    return path


def run(*argv: str) -> dict[str, Any]:
    command = [sys.executable, "run.py", *argv, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, env=ENVIRON)
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = msgspec.json.decode(done.stdout)
    return read


def test_live_trades_is_stopped_by_a_signal_and_goes_on_where_it_was(tmp_path: Path, served: tuple[str, str]) -> None:
    """The second run, on the same journal, ends with the venue's own figures."""
    url, anchor = served
    config = a_live_config(tmp_path, url, anchor)
    first = run("live", "--config", str(config), "--seconds", "3", "--no-report")
    assert first["fills"] >= 1
    assert first["report"] is None
    command = [sys.executable, "run.py", "live", "--config", str(config), "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRON
    ) as live:
        assert live.stderr is not None
        # Two lines: what runs, and that one of the connections stands.
        live.stderr.readline()
        live.stderr.readline()
        live.send_signal(signal.SIGTERM)
        out, err = live.communicate(timeout=60)
    assert live.returncode == 0, err
    assert "Traceback" not in err
    second = msgspec.json.decode(out)
    assert second["fills"] >= first["fills"]
    assert second["unknown_open"] == 0
    assert Path(second["report"]).is_file()
    told = run("call", "virtual_market", "portfolio", "--base-url", url)["answer"]
    journal = run("report", str(tmp_path / "runs" / "journal.sqlite3"))
    assert journal["fills"] == second["fills"]
    assert abs(second["equity"] - told["total_assets"]) < 0.05 * told["total_assets"]
    assert told["holdings_count"] == 1


def test_a_run_of_limited_length_that_can_not_start_fails_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody answers: after the time a start may take it ends with exit code 1 and says what it heard last."""
    monkeypatch.setattr(live_session, "READY_SECONDS", 1.0)
    monkeypatch.setenv("SLUICE_VM_USER", "TimeXingjian")
    monkeypatch.setenv("SLUICE_VM_PASSWORD", "your_password")
    config = tmp_path / "live.toml"
    anchor = "2026-03-02T01:00:00Z"
    text = CONFIG.format(folder=tmp_path, start=START, anchor=anchor, root=ROOT, url="http://127.0.0.1:9")
    config.write_text(text.replace(f'anchor = "{anchor}"\n', ""), encoding="utf-8")
    assert main(["live", "--config", str(config), "--seconds", "1", "--no-report"]) == 1
    assert "trading could not start within 1 s" in capsys.readouterr().err
