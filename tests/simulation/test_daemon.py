"""The daemon as a process: serves its own simulator, reloads on SIGHUP, outlives SIGKILL, ends in order by SIGTERM."""

import signal
from pathlib import Path

import msgspec
import pytest

from engine.control.daemon import Daemon
from engine.control.daemon_files import CLOCK, Anchor
from engine.domain.errors import ConfigError
from engine.domain.events import RunEnded, RunStarted
from engine.domain.jobs import JobEnded, JobStarted, StrategySaved
from engine.domain.timestamps import parse_time
from engine.runtime.settings import load_settings
from tests.daemon_builders import ROOT, DaemonProcess, free_port, journal_of

CONFIG = """
[run]
name = "trial"
data_dir = "{folder}/runs"

[daemon]
simulators = "own"
start = "2026-03-02T07:00:00+08:00"
drain = "20s"

[instruments]
file = "{root}/config/instruments.toml"

[gateway.virtual_market]
base_url = "http://127.0.0.1:{port}"
instruments = ["CY.VSM"]
backfill_bars = 20

[[account]]
id = "game"
gateway = "virtual_market"
currency = "COIN"

[[strategy]]
name = "lives"
class = "{folder}/lives.py:Lives"
account = "game"
instruments = ["CY.VSM"]

[simulator.virtual_market]
seed = 4
"""
STRATEGY = '''
from engine import Strategy


class Lives(Strategy):
    """Counts its lives, and says which edition of the file it is."""

    def on_start(self):
        self.lives = 1
        self.log("edition {edition}")

    def on_bar(self, bar):
        pass

    def dump(self):
        return {{"lives": self.lives}}

    def restore(self, state):
        self.lives = state["lives"] + 1
        self.log(f"life {{self.lives}}")
'''


def a_place(folder: Path) -> Path:
    """A config and a strategy of its own; gives the config."""
    (folder / "lives.py").write_text(STRATEGY.format(edition="one"), encoding="utf-8")
    config = folder / "trial.toml"
    config.write_text(CONFIG.format(folder=folder, root=ROOT, port=free_port()), encoding="utf-8")
    return config


def move_clock(folder: Path, text: str) -> None:
    """As if the process had been away until then."""
    path = folder / "runs" / CLOCK
    anchor = msgspec.json.decode(path.read_bytes(), type=Anchor)
    moved = parse_time(text) - parse_time("2026-03-02T07:00:00+08:00")
    path.write_bytes(msgspec.json.encode(Anchor(anchor.start_ns + moved, anchor.anchor_ns)))


def test_reload_keeps_the_state_and_refuses_what_is_broken(tmp_path: Path) -> None:
    """SIGHUP with a new file: the new code has the old state. With a broken one: the old goes on. SIGTERM: code 0."""
    config = a_place(tmp_path)
    with DaemonProcess(config) as daemon:
        daemon.hear("edition one")
        daemon.hear("ready  run=1")
        with pytest.raises(ConfigError, match=f"in use by process {daemon.process.pid}"):
            Daemon(load_settings(config), environ={}, note=lambda _text, _fields: None)
        (tmp_path / "lives.py").write_text("class Lives(Strategy:\n", encoding="utf-8")
        daemon.send(signal.SIGHUP)
        refused = daemon.hear("refused, the run goes on as it was")
        assert "lives.py, line 1" in refused
        (tmp_path / "lives.py").write_text(STRATEGY.format(edition="two"), encoding="utf-8")
        config.write_text(config.read_text(encoding="utf-8").replace("/runs", "/elsewhere"), encoding="utf-8")
        daemon.send(signal.SIGHUP)
        assert "not without a restart: [run] data_dir" in daemon.hear("are read anew")
        daemon.hear("edition two")
        daemon.hear("life 2")
        daemon.hear("ready  run=2")
        assert daemon.end() == 0, daemon.lines
    assert not any("Traceback" in line for line in daemon.lines)
    rows = journal_of(tmp_path / "runs" / "journal.sqlite3")
    assert [row.reason for row in rows if isinstance(row, RunEnded)] == ["reload", "signal SIGTERM"]
    assert [row.state for row in rows if isinstance(row, StrategySaved)] == [{"lives": 1}, {"lives": 2}]
    assert not (tmp_path / "elsewhere").exists()


def test_a_job_missed_by_a_killed_daemon_is_done_once_by_the_next(tmp_path: Path) -> None:
    """Killed at 07:00, back at 07:45: the check of 07:30 is done, once; it finds the account and its prices well."""
    config = a_place(tmp_path)
    with DaemonProcess(config) as first:
        first.hear("ready  run=1")
        first.end(signal.SIGKILL)
    move_clock(tmp_path, "2026-03-02T07:45:00+08:00")
    with DaemonProcess(config) as second:
        assert "ok=True" in second.hear("job pre_open:virtual")
        assert second.end(signal.SIGTERM) == 0
    rows = journal_of(tmp_path / "runs" / "journal.sqlite3")
    assert [row.job for row in rows if isinstance(row, JobStarted)] == ["pre_open:virtual"]
    ended = [row for row in rows if isinstance(row, JobEnded)]
    assert [(row.job, row.ok) for row in ended] == [("pre_open:virtual", True)]
    assert len([row for row in rows if isinstance(row, RunStarted)]) == 2


def test_the_config_that_is_shipped_runs_anywhere_and_ends_with_code_0(tmp_path: Path) -> None:
    """config/paper.toml with another place for its files: ready, trading, stopped in order."""
    text = (ROOT / "config" / "paper.toml").read_text(encoding="utf-8")
    text = text.replace('name = "paper"', f'name = "paper"\ndata_dir = "{tmp_path}/runs"')
    text = text.replace(":8800", f":{free_port()}").replace('"instruments.toml"', f'"{ROOT}/config/instruments.toml"')
    config = tmp_path / "paper.toml"
    config.write_text(text, encoding="utf-8")
    with DaemonProcess(config) as daemon:
        daemon.hear("ready  run=1")
        assert daemon.end() == 0, daemon.lines
    assert (tmp_path / "runs").stat().st_mode & 0o777 == 0o700
