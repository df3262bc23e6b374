"""A real process killed at each point of RELIABILITY 3.3, over four brokers, and started again.

Always on are a few cells of the table; ``-m kill`` carries out all of them, as ``python -m tests.crash.table`` does,
which also writes the table. A trap that never strikes fails its cell.
"""

import sys
from pathlib import Path

import pytest

from tests.crash.points import BESIDES, NOT_THERE, POINTS, tried
from tests.crash.processes import Nursery, the_nursery
from tests.crash.venues import VENUES

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked here")
CELLS = [(point, broker) for point in POINTS for broker in VENUES if (point, broker) not in NOT_THERE]
SHORT = [("C2", "virtual_market"), ("C5", "virtual_market"), ("C8", "virtual_market"), ("C12", "futu")]


@pytest.fixture(scope="module")
def nursery() -> Nursery:
    return the_nursery()


@pytest.mark.parametrize(("point", "broker"), SHORT)
def test_some_points(nursery: Nursery, tmp_path: Path, point: str, broker: str) -> None:
    """Nothing lost, nothing doubled, every order where the table says."""
    row = tried(nursery, point, broker, tmp_path)
    assert row.accusations == [], row


@pytest.mark.kill
@pytest.mark.parametrize(("point", "broker"), CELLS)
def test_every_point(nursery: Nursery, tmp_path: Path, point: str, broker: str) -> None:
    """The whole table."""
    row = tried(nursery, point, broker, tmp_path)
    assert row.accusations == [], row


@pytest.mark.kill
@pytest.mark.parametrize("broker", VENUES)
@pytest.mark.parametrize("what", BESIDES)
def test_wrong_clocks_and_nights_between_two_lives(nursery: Nursery, tmp_path: Path, what: str, broker: str) -> None:
    """C1f; C26 with an order on its way."""
    row = tried(nursery, what, broker, tmp_path)
    assert row.accusations == [], row


def test_all_points_are_accounted_for() -> None:
    """28 of 28: those of the file alone are in ``test_journal_points``."""
    elsewhere = {"C16", "C17", "C24"}
    assert {*POINTS} | elsewhere == {f"C{n}" for n in range(1, 29)}
