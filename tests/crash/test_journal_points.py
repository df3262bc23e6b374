"""Crash points of the journal's own file: C16, C17, C24, and what fails its disk (RELIABILITY 3.3, 5.1: S1 to S4)."""

import random
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from engine.domain.errors import ConfigError
from engine.journal.compaction import compact
from engine.journal.sqlite import SqliteJournal
from tests.crash.processes import Ending, Engine, Nursery, the_nursery, until
from tests.journal_builders import records

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked here")


@pytest.fixture(scope="module")
def nursery() -> Nursery:
    return the_nursery()


def a_file(folder: Path, count: int = 60) -> tuple[Path, str]:
    """A closed journal and its digest."""
    path = folder / "journal.sqlite3"
    journal = SqliteJournal(path, inline=True)
    for record in records(count):
        journal.append(record)
    journal.close()
    return path, journal.digest()


def read(path: Path) -> tuple[int, str]:
    """How many records it opens with, all equal to those written, and its digest."""
    journal = SqliteJournal(path, inline=True)
    kept = [record for _, record in journal.records()]
    assert kept == records(len(kept))
    digest = journal.digest()
    journal.close()
    return len(kept), digest


def started(nursery: Nursery, task: str, folder: Path, **args: Any) -> Engine:
    return nursery.start(f"tests.crash.child:{task}", args, folder / f"{task}.txt")


def acknowledged(ending: Ending) -> int:
    told = [line.split()[1] for line in ending.said.splitlines() if line.startswith("ACK ")]
    return int(told[-1]) if told else 0


@pytest.mark.parametrize("point", ["C16", "C16b", "C16c"])
def test_a_compaction_cut_off_anywhere_leaves_a_whole_journal(nursery: Nursery, tmp_path: Path, point: str) -> None:
    """C16: the old file or the new one is under the name, with the same digest; a second attempt goes through."""
    path, digest = a_file(tmp_path)
    ending = started(nursery, "compacting", tmp_path, path=str(path), trap=[point, 1]).wait()
    assert ending.killed == signal.SIGKILL, ending
    assert read(path) == (60, digest)
    again = compact(path)
    assert (again.records, again.digest) == (60, digest)
    assert read(path) == read(again.kept) == (60, digest)


def test_a_compaction_keeps_every_record_and_the_old_file(tmp_path: Path) -> None:
    """Digest and records are the same, and the journal goes on; one that an engine holds is not touched."""
    path, digest = a_file(tmp_path)
    done = compact(path)
    assert (done.records, done.digest, read(path)) == (60, digest, (60, digest))
    assert done.after <= done.before
    journal = SqliteJournal(path, inline=True)
    with pytest.raises(ConfigError, match="in use"):
        compact(path)
    assert journal.append(records(1, 60)[0]) == 61
    journal.close()
    assert read(path)[0] == 61


@pytest.mark.parametrize("dies", [True, False])
def test_a_migration_is_whole_or_has_not_been(nursery: Nursery, tmp_path: Path, dies: bool) -> None:
    """C17: one transaction. Killed before its commit, this engine still reads the file, and a next one migrates it."""
    path, digest = a_file(tmp_path)
    if dies:
        ending = started(nursery, "migrating", tmp_path, path=str(path), trap=["C17", 1]).wait()
        assert ending.killed == signal.SIGKILL, ending
        assert read(path) == (60, digest)
    ending = started(nursery, "migrating", tmp_path, path=str(path)).wait()
    assert ending.code == 0, ending
    assert f"DIGEST {digest}" in ending.said
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert db.execute("SELECT last FROM segment").fetchone() == (60,)
    db.close()
    with pytest.raises(ConfigError, match="schema 2"):
        SqliteJournal(path, inline=True)


def killed_while_checkpointing(nursery: Nursery, folder: Path, kills: int, seed: int) -> None:
    """Each commit is written back into the file at once, so that most kills are in or near a checkpoint."""
    draw, path = random.Random(seed), folder / "journal.sqlite3"
    out = folder / "writing.txt"
    told = 0
    for _ in range(kills):
        engine = started(nursery, "writing", folder, path=str(path), checkpoints=True)
        before = told
        until(lambda before=before: acknowledged(Ending({}, out)) > before, "a record")
        time.sleep(draw.uniform(0, 0.02))
        ending = engine.kill()
        assert ending.killed == signal.SIGKILL, ending
        told = acknowledged(ending)
        kept, _ = read(path)
        assert told <= kept, f"{told} were acknowledged, {kept} are there"


def test_a_kill_in_a_checkpoint_loses_nothing(nursery: Nursery, tmp_path: Path) -> None:
    """C24: all that was acknowledged is there, unchanged, five times over."""
    killed_while_checkpointing(nursery, tmp_path, 5, seed=1)


@pytest.mark.kill
def test_many_kills_in_checkpoints_lose_nothing(nursery: Nursery, tmp_path: Path) -> None:
    """As above, a hundred times."""
    killed_while_checkpointing(nursery, tmp_path, 100, seed=2)


FAILURES = {
    "a file that may not grow": {"file_max": 200_000},
    "a database without a free page": {"pages_max": 12},
    "a disk that is read-only from now on": {"read_only_after": 25},
}


@pytest.mark.parametrize("args", FAILURES.values(), ids=FAILURES)
def test_a_disk_that_refuses_ends_the_writing_and_loses_nothing(
    nursery: Nursery, tmp_path: Path, args: dict[str, int]
) -> None:
    """S1, S3: the first refused write is the last; what was acknowledged before is there, and a sentinel says why."""
    path = tmp_path / "journal.sqlite3"
    ending = started(nursery, "writing", tmp_path, path=str(path), **args).wait()
    assert ending.code == 3, ending
    assert "no new orders" in ending.said
    assert "HEALTHY False" in ending.said
    told = acknowledged(ending)
    assert told >= 5
    kept, _ = read(path)
    assert kept == told
    journal = SqliteJournal(path, inline=True)
    assert journal.halted() is not None
    journal.close()


@pytest.mark.parametrize("seconds", [0.2, 4.0])
def test_a_lock_of_somebody_else_is_waited_for_and_not_for_ever(
    nursery: Nursery, tmp_path: Path, seconds: float
) -> None:
    """S2: a short one delays the record and nothing else; a long one is a failed write after two seconds."""
    path, out = tmp_path / "journal.sqlite3", tmp_path / "writing.txt"
    engine = started(nursery, "writing", tmp_path, path=str(path))
    until(lambda: acknowledged(Ending({}, out)) > 3, "a record")
    other = sqlite3.connect(path, timeout=5, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began, held = time.monotonic(), acknowledged(Ending({}, out))
    if seconds > 2:
        ending = engine.wait()
        assert 1.5 < time.monotonic() - began < 10
        assert ending.code == 3, ending
        assert "locked" in ending.said
        other.execute("ROLLBACK")
        told = acknowledged(ending)
    else:
        time.sleep(seconds)
        assert acknowledged(Ending({}, out)) <= held + 1, "a record was acknowledged while somebody else held the lock"
        other.execute("ROLLBACK")
        until(lambda: acknowledged(Ending({}, out)) > held + 3, "records go on")
        told = acknowledged(engine.kill())
    other.close()
    assert read(path)[0] >= told


def test_a_reader_who_looks_in_does_not_keep_an_engine_from_starting(tmp_path: Path) -> None:
    """The log of a killed engine is taken over under a lock; one who reads just then is waited for."""
    path, _ = a_file(tmp_path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    let_go = threading.Timer(0.3, other.close)
    let_go.start()
    assert read(path)[0] == 60
    let_go.join()
