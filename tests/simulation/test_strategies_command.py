"""``strategies stop``, ``start`` and ``set`` at a daemon, over a reload, and replayed."""

import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.control.cli import main
from engine.domain.jobs import ParametersChanged, StrategyStarted
from engine.domain.reconciled import OperatorActed
from engine.runtime.recorded import recordings_in
from tests.daemon_builders import ROOT, DaemonProcess, free_port, journal_of
from tests.simulation.test_daemon import CONFIG

STRATEGY = """
from engine import Strategy, param


class Lives(Strategy):
    size: int = param(2, ge=1, le=9)

    def on_start(self):
        self.lives = 1
        self.log(f"size {self.size}")

    def on_bar(self, bar):
        pass

    def dump(self):
        return {"lives": self.lives}

    def restore(self, state):
        self.lives = state["lives"] + 1
        self.log(f"life {self.lives} of size {self.size}")
"""


class Terminal:
    """Types ``strategies`` about one config."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._config = config
        self._capsys = capsys

    def type(self, *argv: str, reason: str = "drill") -> tuple[int, dict[str, Any]]:
        self._capsys.readouterr()
        why = ["--reason", reason] if reason else []
        code = main(["strategies", *argv, "--config", str(self._config), *why, "--json"])
        read: dict[str, Any] = msgspec.json.decode(self._capsys.readouterr().out)
        return code, read


def a_place(folder: Path, *, api: bool) -> Path:
    (folder / "lives.py").write_text(STRATEGY, encoding="utf-8")
    config = folder / "trial.toml"
    text = CONFIG.format(folder=folder, root=ROOT, port=free_port())
    config.write_text(text + ("\n[control]\nport = 0\n" if api else ""), encoding="utf-8")
    return config


def test_a_person_stops_starts_and_changes_a_strategy_of_a_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its API: what was changed holds over a reload with new code; a mistake is code 2 and changes nothing; the
    recording of the run with all this in its middle verifies."""
    config = a_place(tmp_path, api=True)
    terminal = Terminal(config, capsys)
    with DaemonProcess(config) as daemon:
        daemon.hear("ready  run=1")
        code, told = terminal.type("set", "lives", "size=12")
        assert (code, told["answer"]) == (2, "nothing is changed: Lives: parameter size: expected `int` <= 9")
        code, told = terminal.type("set", "lives", "size=3")
        assert (code, told["parameters"], told["state"]) == (0, {"size": 3}, "running"), told
        daemon.hear("life 2 of size 3")
        assert terminal.type("stop", "lives")[0] == 0
        code, told = terminal.type("list", reason="")
        assert (told["strategies"][0]["state"], told["strategies"][0]["parameters"][0]["value"]) == ("stopped", 3)
        code, told = terminal.type("start", "lives")
        assert (code, told["answer"]) == (0, "lives is started; it has no position and 0 open orders")
        daemon.hear("life 3 of size 3")
        (tmp_path / "lives.py").write_text(f"{STRATEGY}\n# touched\n", encoding="utf-8")
        daemon.send(signal.SIGHUP)
        daemon.hear("life 4 of size 3")
        daemon.hear("ready  run=2")
        assert daemon.end() == 0, daemon.lines
    assert not any("Traceback" in line for line in daemon.lines)
    rows = journal_of(tmp_path / "runs" / "journal.sqlite3")
    assert [row.values for row in rows if isinstance(row, ParametersChanged)] == [{"size": 3}]
    assert len([row for row in rows if isinstance(row, StrategyStarted)]) == 2
    who = [row.who for row in rows if isinstance(row, OperatorActed)]
    assert all(name.startswith("token ") for name in who)
    first = recordings_in(tmp_path / "runs")[0]
    capsys.readouterr()
    (tmp_path / "lives.py").write_text(STRATEGY, encoding="utf-8")
    assert main(["replay", str(first), "--verify", "--config", str(config), "--json"]) == 0
    replayed = msgspec.json.decode(capsys.readouterr().out)
    assert replayed["identical"], replayed
    assert not [note for note in replayed["notes"] if "operator" in note]


MISTAKES = (
    (("start",), "drill", "which one? write its name behind it"),
    (("start", "lives"), "", "say why with --reason"),
    (("set", "lives"), "drill", "no parameter is named"),
    (("set", "lives", "size"), "drill", "write each parameter once, as key=value"),
    (("set", "lives", "size=1", "size=2"), "drill", "write each parameter once"),
    (("start", "lives", "size=1"), "drill", "parameters are changed by set"),
    (("begin", "lives"), "drill", "strategies begin: there is none"),
    (("list", "lives"), "", "takes no name"),
)


@pytest.mark.parametrize(("argv", "reason", "words"), MISTAKES)
def test_a_mistake_at_the_terminal_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], reason: str, words: str
) -> None:
    """Code 2, before anything is asked."""
    config = a_place(tmp_path, api=False)
    capsys.readouterr()
    why = ["--reason", reason] if reason else []
    assert main(["strategies", *argv, "--config", str(config), *why]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_without_an_engine_nothing_is_started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Code 1 and what to do."""
    code, told = Terminal(a_place(tmp_path, api=False), capsys).type("start", "lives")
    assert (code, told["answer"]) == (1, "no engine runs: start one first")
