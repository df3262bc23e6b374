"""Two engines over one journal, and SIGTERM at any moment (RELIABILITY 5.1: P2, P4)."""

import random
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.crash.points import Trial
from tests.crash.processes import Nursery, the_nursery, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked here")


@pytest.fixture(scope="module")
def nursery() -> Nursery:
    return the_nursery()


def test_a_second_engine_is_refused_and_harms_nobody(nursery: Nursery, tmp_path: Path) -> None:
    """P4: exit code 2 and a sentence that names the first; the first trades on; once it is dead the journal is free."""
    trial = Trial(nursery, "virtual_market", tmp_path)
    with trial.venue.served():
        first = trial.start()
        until(lambda: trial.orders_at() >= 1, "an order")
        second = trial.start(seconds=0.5).wait()
        assert second.code == 2, second
        assert f"in use by process {first.pid}" in second.said
        before = trial.orders_at()
        until(lambda: trial.orders_at() > before, "the first goes on")
        assert first.kill().killed == signal.SIGKILL
        trial.goes_on()
        trial.judge()
    assert trial.found == []


def terminated(nursery: Nursery, folder: Path, times: int, seed: int) -> None:
    """SIGTERM at random moments of a start, of a recovery, of trading; every second time twice."""
    draw, trial = random.Random(seed), Trial(nursery, "virtual_market", folder)
    with trial.venue.served():
        for number in range(times):
            engine = trial.start()
            time.sleep(draw.uniform(0.0, 1.5))
            engine.send(signal.SIGTERM)
            if number % 2:
                time.sleep(draw.uniform(0.0, 0.1))
                engine.send(signal.SIGTERM)
            began = time.monotonic()
            ending = engine.wait(30)
            # Before it listens to signals it ends as any process does, and recovers as after a crash.
            assert ending.code == 0 or ending.killed == signal.SIGTERM, ending
            assert time.monotonic() - began < 10
        trial.goes_on()
        trial.judge()
    assert trial.found == []


def test_a_termination_at_any_moment_is_an_end_in_order_or_a_clean_recovery(nursery: Nursery, tmp_path: Path) -> None:
    """P2: exit code 0 within ten seconds, or a restart that finds everything."""
    terminated(nursery, tmp_path, 4, seed=1)


@pytest.mark.kill
def test_a_hundred_terminations(nursery: Nursery, tmp_path: Path) -> None:
    """As above."""
    terminated(nursery, tmp_path, 100, seed=2)
