"""A person's commands against a running engine, and over the journal of one that is gone: real processes."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.control.cli import main
from tests.simulation.test_live_command import ENVIRON, ROOT, a_live_config, served

__all__ = ["served"]


class Terminal:
    """Types commands about one config and reads their JSON."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._config = config
        self._capsys = capsys

    def type(self, *argv: str) -> tuple[int, dict[str, Any]]:
        self._capsys.readouterr()
        code = main([*argv, "--config", str(self._config), "--json"])
        read: dict[str, Any] = msgspec.json.decode(self._capsys.readouterr().out)
        return code, read


def test_a_running_engine_is_stopped_let_go_and_reconciled_by_its_inbox(
    tmp_path: Path, served: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two steps lower a cancel; the journal keeps who did what; a stopped engine's journal takes the next command."""
    config = a_live_config(tmp_path, *served)
    terminal = Terminal(config, capsys)
    command = [sys.executable, "run.py", "live", "--config", str(config), "--json", "--no-report"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRON) as live:
        assert live.stderr is not None
        # Two lines: what runs, and that one of the connections stands.
        live.stderr.readline()
        live.stderr.readline()
        try:
            code, told = terminal.type("kill", "--account", "game", "--level", "cancel", "--reason", "drill")
            assert (code, told["answer"][:29]) == (0, "account:game is at level canc"), told
            code, told = terminal.type("resume", "--account", "game", "--reason", "drill over")
            assert code == 3
            code, told = terminal.type(
                "resume", "--account", "game", "--reason", "drill over", "--confirm", told["confirm"]
            )
            assert code == 0, told
            code, told = terminal.type("status")
            assert told["latches"] == []
            assert told["accounts"][0]["reconciled"]["ok"]
            assert (tmp_path / "runs" / "operator").stat().st_mode & 0o777 == 0o700
            assert list((tmp_path / "runs" / "operator").iterdir()) == []
        finally:
            live.send_signal(signal.SIGTERM)
            live.communicate(timeout=60)
    code, told = terminal.type("kill", "--all", "--reason", "over night")
    assert code == 0
    code, told = terminal.type("status")
    assert [latch["scope"] for latch in told["latches"]] == ["all"]


def test_shares_bought_by_hand_while_no_engine_runs_are_found_latched_and_accepted(
    tmp_path: Path, served: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``reconcile`` opens the book, then finds what nobody explains; ``accept`` books it; then both agree."""
    for name in ("SLUICE_VM_USER", "SLUICE_VM_PASSWORD"):
        monkeypatch.setenv(name, ENVIRON[name])
    url, _ = served
    terminal = Terminal(a_live_config(tmp_path, *served), capsys)
    code, told = terminal.type("reconcile")
    assert code == 0, told
    assert main(["call", "virtual_market", "buy", "--base-url", url, "stock=DL", "quantity=3"]) == 0
    code, told = terminal.type("reconcile")
    assert code == 1
    (report,) = told["reports"]
    assert (report["held"][0]["what"], report["held"][0]["theirs"]) == ("DL.VSM", "3")
    code, told = terminal.type("resume", "--account", "game", "--reason", "why not")
    assert code == 1
    assert "run.py accept game" in told["answer"]
    code, told = terminal.type("accept", "game", "--reason", "bought by hand")
    assert code == 0, told
    code, told = terminal.type("reconcile")
    assert (code, told["reports"][0]["held"]) == (0, [])
