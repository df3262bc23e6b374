"""How a service of simulators ends."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_sigterm_ends_it_in_order_and_writes_what_it_remembers(tmp_path: Path) -> None:
    """Exit code 0, and the state file is written once more, as after Ctrl-C: a service manager sends nothing else."""
    state = tmp_path / "paper.json"
    command = [str(ROOT / "run.py"), "simulate", "futu", "--port", "0", "--json", "--set", f"state_path={state}"]
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout is not None
        assert "futu" in json.loads(service.stdout.readline())["simulators"]
        state.unlink()
        service.send_signal(signal.SIGTERM)
        _, said = service.communicate(timeout=30)
    assert service.returncode == 0, said
    assert json.loads(state.read_text(encoding="utf-8"))
