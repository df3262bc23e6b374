"""What every journal must do (RELIABILITY 3.1, 3.2), and what a file must survive."""

import asyncio
import contextlib
import hashlib
import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.errors import ConfigError, JournalError
from engine.domain.events import CallAnswered, OrderSent
from engine.domain.ids import ClientOrderId, StrategyId
from engine.journal import MemoryJournal, SqliteJournal
from engine.journal.lock import Holder
from engine.ports import Journal
from tests.journal_builders import (
    KEPT,
    OPENERS,
    WRITER,
    a_record,
    a_run,
    address_for,
    ends_of_groups,
    postgres_at,
    records,
)
from tests.postgres_server import programs

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=OPENERS)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    opened = OPENERS[request.param](tmp_path / "journal.db")
    yield opened
    opened.close()


def written(path: Path, count: int, **options: Any) -> str:
    """A closed journal file of ``count`` records; gives its digest."""
    opened = SqliteJournal(path, inline=True, **options)
    for record in records(count):
        opened.append(record)
    opened.close()
    return opened.digest()


@contextlib.contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


# --- every journal ---------------------------------------------------------------------------------------------------


async def test_numbers_are_gapless_and_records_come_back_in_order(journal: Journal) -> None:
    """The first record is 1, each next one more, and reading gives back equal records in the same order."""
    wanted = [a_run(), *records(700)]
    assert [journal.append(record) for record in wanted] == list(range(1, 702))
    assert journal.next_seq == 702
    async with asyncio.timeout(10):
        await journal.durable(701)
    assert journal.durable_seq == 701
    assert list(journal.records()) == list(enumerate(wanted, 1))
    assert list(journal.records()) == list(enumerate(wanted, 1)), "reading changes nothing"


async def test_durable_is_ordered_and_wakes_everybody(journal: Journal) -> None:
    """Waiters of different records all wake, none before its record is durable."""
    woken: list[int] = []

    async def wait(seq: int) -> None:
        await journal.durable(seq)
        assert journal.durable_seq >= seq
        woken.append(seq)

    for record in records(60):
        journal.append(record)
    async with asyncio.timeout(10):
        await asyncio.gather(*(wait(seq) for seq in (60, 1, 30, 30, 59)))
    assert sorted(woken) == [1, 30, 30, 59, 60]


async def test_a_cancelled_waiter_harms_nobody(journal: Journal) -> None:
    """Who stops waiting does not keep the others from waking."""
    seq = journal.append(a_record(0))
    waiter = asyncio.ensure_future(journal.durable(seq))
    await asyncio.sleep(0)
    waiter.cancel()
    async with asyncio.timeout(10):
        await journal.durable(journal.append(a_record(3)))
    assert journal.healthy


async def test_a_record_never_appended_is_never_durable(journal: Journal) -> None:
    """Waiting for a number nobody has is an error, not an endless wait."""
    journal.append(a_record(0))
    with pytest.raises(JournalError):
        await journal.durable(2)


async def test_what_can_not_be_encoded_is_not_numbered(journal: Journal) -> None:
    """A value without a written form is refused at once and leaves no gap; a value changed later stays as it was."""
    with pytest.raises(TypeError):
        journal.append(CallAnswered(strategy=StrategyId("s"), call=1, ts_ns=1, value=object()))
    answer = {"n": [1]}
    seq = journal.append(CallAnswered(strategy=StrategyId("s"), call=2, ts_ns=1, value=answer))
    answer["n"].append(2)
    assert seq == 1
    await journal.durable(1)
    ((_, kept),) = journal.records()
    assert isinstance(kept, CallAnswered)
    assert kept.value == {"n": [1]}


async def test_run_flushes_when_it_is_cancelled(journal: Journal) -> None:
    """What was appended before ``run`` is cancelled is durable after it."""
    task = asyncio.ensure_future(journal.run())
    await asyncio.sleep(0)
    for record in (a_record(0), a_record(3)):
        journal.append(record)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert journal.durable_seq == 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.integers(0, 400), max_size=60),
    group_rows=st.integers(1, 25),
    reads=st.sets(st.integers(0, 60)),
)
def test_one_digest_whatever_the_batches(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], group_rows: int, reads: set[int]
) -> None:
    """Memory, SQLite inline and with a thread, and PostgreSQL, cut into any groups, give the digest of the bytes."""
    path = tmp_path_factory.mktemp("journal")
    opened: list[Journal] = [
        MemoryJournal(),
        SqliteJournal(path / "a.db", inline=True, group_rows=group_rows),
        SqliteJournal(path / "b.db", group_rows=group_rows),
        *([postgres_at(path / "c", group_rows=group_rows)] if programs() else []),
    ]
    plain = hashlib.sha256()
    for at, n in enumerate(numbers):
        plain.update(msgspec.msgpack.encode(a_record(n)))
        for one in opened:
            one.append(a_record(n))
            if at in reads:
                assert one.digest() == plain.hexdigest()
    for one in opened:
        one.close()
        assert one.digest() == plain.hexdigest()
        assert [record for _, record in one.records()] == [a_record(n) for n in numbers]


def test_memory_finds_a_changed_byte() -> None:
    """The chain is checked in memory too."""
    opened = MemoryJournal()
    for record in records(300):
        opened.append(record)
    opened.digest()
    opened._chunks[0] = opened._chunks[0].replace(b"o-3", b"o-4", 1)
    with pytest.raises(JournalError, match="was changed"):
        list(opened.records())


# --- files: opening again --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KEPT)
async def test_reopen_and_continue(tmp_path: Path, name: str) -> None:
    """A second run goes on where the first ended: numbers, digest and replay are those of one long journal."""
    path, whole = tmp_path / "new" / "journal.db", MemoryJournal()
    for run in range(3):
        opened = OPENERS[name](path)
        assert opened.next_seq == whole.next_seq
        assert opened.digest() == whole.digest()
        for record in (a_run(run), *records(25, run * 25)):
            assert opened.append(record) == whole.append(record)
        await opened.durable(opened.next_seq - 1)
        opened.close()
    opened = OPENERS[name](path)
    assert list(opened.records()) == list(whole.records())
    opened.close()
    if name.startswith("sqlite"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", KEPT)
async def test_groups_end_full_or_urgent(tmp_path: Path, name: str) -> None:
    """No commit takes more than 20 rows, and SEND and latches are the last row of theirs."""
    opened = OPENERS[name](tmp_path / "journal.db")
    urgent = set()
    for n, record in enumerate(records(50) + [a_record(0)] * 70):
        seq = opened.append(record)
        if n < 50 and n % 6 in {1, 4}:
            urgent.add(seq)
    await opened.durable(opened.next_seq - 1)
    opened.close()
    ends = ends_of_groups(name, tmp_path / "journal.db")
    assert urgent <= set(ends)
    assert max(b - a for a, b in zip([0, *ends], ends, strict=False)) <= 20


@pytest.mark.parametrize("name", ["sqlite", "postgres"])
async def test_nobody_waits_for_a_group_to_fill(tmp_path: Path, name: str) -> None:
    """Rows that nobody waits for are committed too, two milliseconds later at most; no flush is needed."""
    opened = OPENERS[name](tmp_path / "journal.db")
    opened.append(a_record(0))
    async with asyncio.timeout(10):
        while opened.durable_seq < 1:  # noqa: ASYNC110 - the writer's own deadline is what is tested
            await asyncio.sleep(0.001)
    opened.close()


@pytest.mark.parametrize("name", ["sqlite_inline", "postgres_inline"])
def test_a_crash_loses_what_was_not_committed_and_nothing_else(tmp_path: Path, name: str) -> None:
    """``abandon`` is a crash: reopened, the journal holds what was durable."""
    path = tmp_path / "journal.db"
    opened: Any = OPENERS[name](path)
    for record in (a_record(0), a_record(1), a_record(2), a_record(3)):
        opened.append(record)
    assert (opened.durable_seq, opened.next_seq) == (2, 5)
    opened.abandon()
    with pytest.raises(JournalError):
        opened.append(a_record(0))
    again = OPENERS[name](path)
    assert [record for _, record in again.records()] == [a_record(0), a_record(1)]
    assert again.next_seq == 3
    again.close()


# --- files: damage ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    seq=st.integers(1, 60), at=st.integers(0, 10_000), bit=st.integers(0, 7), column=st.sampled_from(["body", "chain"])
)
def test_a_flipped_bit_is_found(
    tmp_path_factory: pytest.TempPathFactory, seq: int, at: int, bit: int, column: str
) -> None:
    """Any bit of any row changed: opening refuses and reading stops; with consent the good part goes on."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    written(path, 60)
    with raw(path) as db:
        if column == "chain":
            (seq,) = db.execute("SELECT min(seq) FROM record WHERE seq >= ? AND chain IS NOT NULL", (seq,)).fetchone()
        data = bytearray(db.execute(f"SELECT {column} FROM record WHERE seq = ?", (seq,)).fetchone()[0])
        data[at % len(data)] ^= 1 << bit
        db.execute(f"UPDATE record SET {column} = ? WHERE seq = ?", (bytes(data), seq))
        ends = [end for (end,) in db.execute("SELECT seq FROM record WHERE chain IS NOT NULL ORDER BY seq")]
    good = max((end for end in ends if end < seq), default=0)
    with pytest.raises(JournalError, match=rf"damaged: .*record.*{good + 1}|damaged: record {seq} can not be read"):
        SqliteJournal(path, inline=True)
    opened = SqliteJournal(path, inline=True, accept_rebuild=True)
    assert opened.quarantine is not None
    assert opened.quarantine.exists()
    assert [record for _, record in opened.records()] == records(good)
    opened.append(a_record(0))
    opened.close()
    assert SqliteJournal(path, inline=True).close() is None


@pytest.mark.parametrize("damage", ["DELETE FROM record WHERE seq = 7", "UPDATE record SET seq = 900 WHERE seq = 7"])
def test_a_missing_or_moved_row_is_named(tmp_path: Path, damage: str) -> None:
    """A row taken out of the middle is named."""
    written(tmp_path / "journal.db", 30)
    with raw(tmp_path / "journal.db") as db:
        db.execute(damage)
    with pytest.raises(JournalError, match="record 7 is missing"):
        SqliteJournal(tmp_path / "journal.db", inline=True)


def test_two_rows_exchanged_are_found(tmp_path: Path) -> None:
    """Reordering breaks the chain."""
    written(tmp_path / "journal.db", 30)
    with raw(tmp_path / "journal.db") as db:
        bodies = dict(db.execute("SELECT seq, body FROM record WHERE seq IN (8, 9)").fetchall())
        db.executemany("UPDATE record SET body = ? WHERE seq = ?", [(bodies[8], 9), (bodies[9], 8)])
    with pytest.raises(JournalError, match="was changed"):
        SqliteJournal(tmp_path / "journal.db", inline=True)


def test_damaged_pages_are_found(tmp_path: Path) -> None:
    """Bytes of the file itself overwritten: refused, and rebuilt as far as it reads."""
    path = tmp_path / "journal.db"
    written(path, 600)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 4096] = bytes(4096)
    path.write_bytes(data)
    with pytest.raises(JournalError):
        SqliteJournal(path, inline=True)
    opened = SqliteJournal(path, inline=True, accept_rebuild=True)
    kept = [record for _, record in opened.records()]
    assert 0 < len(kept) < 600
    assert kept == records(len(kept))
    opened.close()


def test_a_torn_tail_is_cut_at_the_last_commit(tmp_path: Path) -> None:
    """Rows after the last chain value were never acknowledged: they go, and the journal goes on without them."""
    path = tmp_path / "journal.db"
    digest = written(path, 30)
    with raw(path) as db:
        db.executemany("INSERT INTO record (seq, body) VALUES (?, ?)", [(31, b"\x80"), (32, b"half")])
    opened = SqliteJournal(path, inline=True)
    assert (opened.cut_rows, opened.next_seq, opened.digest()) == (2, 31, digest)
    opened.close()


@settings(max_examples=15, deadline=None)
@given(share=st.floats(0, 1))
def test_a_log_cut_anywhere_opens_at_a_commit(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    """SQLite's log file torn at any byte: what opens is a gapless beginning that ends at a commit."""
    folder = tmp_path_factory.mktemp("journal")
    path, copy = folder / "journal.db", folder / "copy.db"
    opened = SqliteJournal(path, inline=True)
    for record in records(40):
        opened.append(record)
    log = (folder / "journal.db-wal").read_bytes()
    copy.write_bytes(path.read_bytes())
    (folder / "copy.db-wal").write_bytes(log[: int(len(log) * share)])
    opened.abandon()
    again = SqliteJournal(copy, inline=True)
    kept = [record for _, record in again.records()]
    assert kept == records(len(kept))
    assert again.next_seq == len(kept) + 1
    again.close()


# --- files: what fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "problem", [OSError(28, "No space left on device"), sqlite3.OperationalError("disk I/O error")]
)
@pytest.mark.parametrize("inline", [True, False])
async def test_a_failed_commit_is_the_end(tmp_path: Path, inline: bool, problem: Exception) -> None:
    """Disk full: waiters are told, nothing more is taken, nothing is tried again, a sentinel says why."""
    path, failing, calls, told = tmp_path / "journal.db", False, 0, list[JournalError]()

    def fault() -> None:
        nonlocal calls
        if failing:
            calls += 1
            raise problem

    opened = SqliteJournal(path, inline=inline, fault=fault, on_failure=told.append)
    await opened.durable(opened.append(a_record(0)))
    failing = True
    seq = opened.append(a_record(3))
    async with asyncio.timeout(10):
        with pytest.raises(JournalError, match="failed after record 1"):
            await opened.durable(seq)
    assert not opened.healthy
    with pytest.raises(JournalError):
        opened.append(a_record(0))
    with pytest.raises(JournalError):
        await opened.durable(seq)
    failing = False
    opened.close()
    assert (calls, len(told), opened.durable_seq) == (1, 1, 1)
    again = SqliteJournal(path, inline=True)
    assert [record for _, record in again.records()] == [a_record(0)]
    halt = again.halted()
    assert halt is not None
    assert str(problem.args[-1]) in halt.cause
    assert halt.durable_seq == 1
    again.clear_halt()
    assert again.halted() is None
    again.close()


async def test_a_locked_database_is_a_failed_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's write lock is not waited for longer than a bound; a reader's is no trouble."""
    monkeypatch.setattr("engine.journal.sqlite.LOCKED_MS", 50)
    path = tmp_path / "journal.db"
    opened = SqliteJournal(path)
    await opened.durable(opened.append(a_record(0)))
    with raw(path) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM record").fetchone() == (1,)
        await opened.durable(opened.append(a_record(1)))
        other.execute("COMMIT")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="locked"):
            await opened.durable(opened.append(a_record(1)))
    opened.close()


@pytest.mark.parametrize("name", KEPT)
def test_a_second_engine_is_refused(tmp_path: Path, name: str) -> None:
    """One journal, one engine; when the first is gone the second may."""
    first = OPENERS[name](tmp_path / "journal.db")
    with pytest.raises(ConfigError, match=f"in use by .*process {os.getpid()}"):
        OPENERS[name](tmp_path / "journal.db")
    first.close()
    OPENERS[name](tmp_path / "journal.db").close()


def test_a_lock_of_the_dead_is_taken_over(tmp_path: Path) -> None:
    """A lock file of a process that ended, or of one whose number was given to another, holds nobody up."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    lock = tmp_path / "journal.db.lock"
    for holder in (Holder(child.pid, "1"), Holder(os.getppid(), "not its start time")):
        lock.write_bytes(msgspec.json.encode(holder))
        SqliteJournal(tmp_path / "journal.db", inline=True).close()


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    """Another program's database, a newer schema, a folder, a place without writing: a sentence each."""
    with raw(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE t (x)")
    with pytest.raises(ConfigError, match="another program"):
        SqliteJournal(tmp_path / "other.db")
    written(tmp_path / "newer.db", 1)
    with raw(tmp_path / "newer.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="schema 99"):
        SqliteJournal(tmp_path / "newer.db")
    with pytest.raises(ConfigError, match="not a file"):
        SqliteJournal(tmp_path)
    (tmp_path / "plain").write_text("x")
    with pytest.raises(ConfigError, match="can not be made"):
        SqliteJournal(tmp_path / "plain" / "journal.db")


# --- files: kill -9 --------------------------------------------------------------------------------------------------


def kill_and_reopen(name: str, path: Path, kills: int, seed: int) -> None:
    dice, acknowledged = random.Random(seed), 0
    place = [str(path), ""] if name == "sqlite" else [address_for(path).schema, address_for(path).url]
    for _ in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, name, *place], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline().startswith("ready")
        for _ in range(dice.randrange(1, 120)):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        rest = writer.stdout.read().split("\n")
        # The last line may be torn by the kill itself.
        acknowledged = max([acknowledged, *map(int, filter(None, rest[:-1]))])
        writer.wait()
        writer.stdout.close()
        opened = OPENERS[f"{name}_inline"](path)
        kept = [record for _, record in opened.records()]
        assert len(kept) >= acknowledged, "an acknowledged record is lost"
        assert kept == records(len(kept))
        opened.close()


@pytest.mark.parametrize(("name", "kills"), [("sqlite", 5), ("postgres", 2)])
def test_kill_nine_loses_nothing_acknowledged(tmp_path: Path, name: str, kills: int) -> None:
    """Kills of a real process in the middle of writing: everything acknowledged is there, gapless, unchanged."""
    kill_and_reopen(name, tmp_path / "journal.db", kills=kills, seed=1)


@pytest.mark.kill
@pytest.mark.parametrize("name", ["sqlite", "postgres"])
def test_kill_nine_many_times(tmp_path: Path, name: str) -> None:
    """As above, fifty times."""
    kill_and_reopen(name, tmp_path / "journal.db", kills=50, seed=2)


@pytest.mark.parametrize("name", ["sqlite_inline", "postgres_inline"])
def test_a_sent_marker_is_durable_at_once_inline(tmp_path: Path, name: str) -> None:
    """SEND needs no waiting in the twin: it is committed within ``append``, with all before it."""
    opened = OPENERS[name](tmp_path / "journal.db")
    opened.append(a_record(0))
    assert opened.durable_seq == 0
    opened.append(OrderSent(client_id=ClientOrderId("o"), ts_ns=1))
    assert opened.durable_seq == 2
    opened.close()
