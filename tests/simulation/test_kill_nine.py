"""kill -9 of a trading process at random moments, while the market lives on: nothing lost, nothing twice.

Real processes, real sockets, a real SQLite journal. The engines are forks of a process that has imported everything, so
that a kill and a restart take a second; ``tests/crash/random_kills.py`` does the killing. The always-on form kills
twenty times, ``-m kill`` a thousand, and fifty times over each other broker. One test starts the command line itself.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.points import Trial
from tests.crash.processes import Nursery, the_nursery, until
from tests.crash.random_kills import Killed, killed_at_random
from tests.crash.story import Left, last_seq, records_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked here")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def nursery() -> Nursery:
    return the_nursery()


def check(killed: Killed, least: int) -> None:
    """Nothing lost, nothing doubled, nothing else wrong, and enough was traded for that to mean something."""
    assert (killed.lost, killed.doubled, killed.other) == (0, 0, []), killed
    assert killed.ended_before == 0, killed
    assert killed.sent >= least, killed


def test_twenty_kills_lose_and_double_nothing(nursery: Nursery, tmp_path: Path) -> None:
    """After twenty kills the fills of our journal add up to exactly what the venue says we hold."""
    check(killed_at_random(nursery, tmp_path, 20, seed=1), least=5)


def test_the_command_itself_goes_on_after_a_kill(nursery: Nursery, tmp_path: Path) -> None:
    """``run.py live``, word for word, killed while it trades and started again: exit code 0, the venue's books ours."""
    trial = Trial(nursery, "virtual_market", tmp_path)
    with trial.venue.served():
        command = [sys.executable, "run.py", "live", "--config", str(trial.venue.write_config()), "--no-report"]
        environ = {**os.environ, **trial.venue.environ}
        with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL) as engine:
            until(lambda: len(Left(records_of(trial.journal)).sent) >= 2, "two orders")
            engine.send_signal(signal.SIGKILL)
        killed_at = last_seq(trial.journal)
        again = subprocess.run(
            [*command, "--seconds", "1"], cwd=ROOT, env=environ, check=False, capture_output=True, timeout=90
        )
        assert again.returncode == 0, again.stderr
        assert last_seq(trial.journal) > killed_at
        trial.judge()
    assert trial.found == []


@pytest.mark.kill
def test_a_thousand_kills_lose_and_double_nothing(nursery: Nursery, tmp_path: Path) -> None:
    """The same, a thousand times (RELIABILITY 5.2)."""
    killed = killed_at_random(nursery, tmp_path, 1_000, seed=2)
    print(killed)
    check(killed, least=250)


@pytest.mark.kill
@pytest.mark.parametrize("broker", ["easyths", "huatai", "futu"])
def test_fifty_kills_over_other_brokers(nursery: Nursery, tmp_path: Path, broker: str) -> None:
    """Orders that rest, are changed and withdrawn, over brokers with lists of orders and lags of a minute."""
    killed = killed_at_random(nursery, tmp_path, 50, seed=3, broker=broker)
    print(killed)
    check(killed, least=10)
