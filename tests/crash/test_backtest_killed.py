"""B5, the venue in this process: a backtest killed anywhere and run again gives the same journal.

RELIABILITY 3.3 and I11. There is nothing to recover: no broker lives on, and a backtest starts from its data. What the
dead one left on disk is a beginning of what the whole one writes.
"""

import json
import signal
import sys
from pathlib import Path

import pytest

from engine.journal.sqlite import SqliteJournal
from tests.cli_builders import a_bar_file
from tests.crash.processes import ROOT, Ending, Nursery, the_nursery
from tests.crash.story import records_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked here")
POINTS = ["C1", "C7", "C8", "C9"]
"""An intent and its send marker are one commit here: there is no C2 to C6."""

CONFIG = """
[run]
name = "killed"
profile = "backtest"

[instruments]
file = "{root}/config/instruments.toml"

[[account]]
id = "paper"
currency = "CNY"
cash = "1000000"

[[data]]
file = "{bars}"
instrument = "600000.SH"
tz = "Asia/Shanghai"
label = "end"

[[strategy]]
class = "strategies.sma_cross:SmaCross"
name = "cross"
instruments = ["600000.SH"]
"""


@pytest.fixture(scope="module")
def nursery() -> Nursery:
    return the_nursery()


def replayed(nursery: Nursery, folder: Path, name: str, *, trap: tuple[str, int] | None = None) -> tuple[Ending, Path]:
    """One backtest in a process of its own; gives its end and its journal."""
    config, path = folder / "backtest.toml", folder / f"{name}.sqlite3"
    if not config.exists():
        config.write_text(CONFIG.format(root=ROOT, bars=a_bar_file(folder)), encoding="utf-8")
    argv = ["backtest", "--config", str(config), "--journal", str(path), "--no-report", "--json"]
    args = {"argv": argv, **({"trap": trap} if trap else {})}
    return nursery.start("tests.crash.child:command", args, folder / f"{name}.txt").wait(), path


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_backtest_run_again_is_the_same(nursery: Nursery, tmp_path: Path, point: str) -> None:
    """Killed at the point's second passage: what is left is a beginning, and a second run equals one never killed."""
    ending, whole = replayed(nursery, tmp_path, "whole")
    assert ending.code == 0, ending
    digest = json.loads(ending.said)["digest"]
    ending, torn = replayed(nursery, tmp_path, "torn", trap=(point, 2))
    assert ending.killed == signal.SIGKILL, ending
    left, all_of_it = records_of(torn), records_of(whole)
    assert 0 < len(left) < len(all_of_it)
    assert left == all_of_it[: len(left)]
    opened = SqliteJournal(torn, inline=True)
    opened.close()
    ending, again = replayed(nursery, tmp_path, "again")
    assert json.loads(ending.said)["digest"] == digest
    assert records_of(again) == all_of_it
