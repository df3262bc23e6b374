"""The journal on a real PostgreSQL server: whom it refuses, and what becomes of a commit whose answer is lost
(RELIABILITY 3.1; 5.1, rows S5, N18 and P4; 3.3, C17)."""

import asyncio
import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.errors import ConfigError, JournalError
from engine.journal import postgres_store, postgres_url
from engine.journal.postgres import PostgresJournal, read
from engine.journal.postgres_url import Address
from tests.cutting_proxy import CuttingProxy, Way
from tests.journal_builders import a_record, address_for, postgres_at, records
from tests.postgres_server import GUARDED, PASSWORD, PostgresServer, free_port, place, reachable_programs, the_server


@pytest.fixture
def proxy() -> Iterator[CuttingProxy]:
    """A line to the shared server that can be cut."""
    line = CuttingProxy(the_server().port)
    yield line
    line.close()


@contextlib.contextmanager
def asking(address: Address) -> Iterator[Any]:
    """A person's own session in the journal's schema."""
    with psycopg.connect(address.url, autocommit=True, options=f"-c search_path={address.schema}") as db:
        yield db


def until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait for another process; fails after ``seconds``."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it never came"
        threading.Event().wait(0.002)


def waits_for(db: Any, event: str) -> set[int]:
    """The sessions of engines that wait for that, by process id."""
    asked = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'sluice on%%' AND wait_event = %s"
    return {pid for (pid,) in db.execute(asked, (event,))}


def kept(address: Address) -> list[Any]:
    return [record for _, record in read(address, seconds=time.monotonic)]


def written(place: Path | Address, count: int, first: int = 0) -> None:
    opened = postgres_at(place, inline=True)
    for record in records(count, first):
        opened.append(record)
    opened.close()
    assert opened.healthy


# --- opening ---------------------------------------------------------------------------------------------------------


def test_what_can_not_be_a_journal_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """No server, no such database, not a url, a strange schema, another program's tables, a newer engine's."""
    server = the_server()
    here = server.url()
    for url, schema, told in [
        (server.url(free_port()), "s", "can not be reached: .*refused"),
        (here.replace("/postgres", "/nowhere"), "s", 'can not be reached: .*database "nowhere" does not exist'),
        ("postgresql://u@h:port/db", "s", "can not be reached: invalid integer value .*correct"),
        ("postgresql://u@a:1,b:2/db?port=3,4,5", "s", "2 hosts and 3 ports"),
        (here, "Sluice; DROP", "small letters"),
        (here, "pg_sluice", "small letters"),
    ]:
        with pytest.raises(ConfigError, match=told) as refusal:
            postgres_at(Address(url=url, schema=schema, password=PASSWORD))
        assert "\n" not in str(refusal.value)
        assert PASSWORD not in str(refusal.value)
    address = address_for(tmp_path)
    with asking(address) as db:
        db.execute(f"CREATE SCHEMA {address.schema}")
        db.execute("CREATE TABLE orders (id integer)")
        with pytest.raises(ConfigError, match="another program's tables"):
            postgres_at(address)
        db.execute("DROP TABLE orders")
        written(address, 3)
        db.execute("UPDATE version SET version = 99")
        with pytest.raises(ConfigError, match="version 99, this engine reads 1"):
            postgres_at(address)
        with pytest.raises(ConfigError, match="version 99"):
            kept(address)
        db.execute("UPDATE version SET version = 1")
    assert kept(address) == records(3)
    with pytest.raises(ConfigError, match="is not there"):
        kept(Address(url=here, schema="never_written"))


def test_a_password_opens_and_is_never_shown(tmp_path: Path) -> None:
    """The right one opens, a wrong or a missing one is told without it; so is a role without rights."""
    address = address_for(tmp_path)
    url = the_server().url(user=GUARDED)
    with asking(address) as db:
        db.execute(f"DROP ROLE IF EXISTS {GUARDED}")
        db.execute(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'")
        guarded = Address(url=url, schema=address.schema, password=PASSWORD)
        assert PASSWORD not in repr(guarded) + str(guarded)
        with pytest.raises(ConfigError, match="let its role create a schema") as refusal:
            postgres_at(guarded)
        assert PASSWORD not in str(refusal.value)
        for wrong in ("not-this-one", ""):
            with pytest.raises(ConfigError, match="password") as refusal:
                postgres_at(Address(url=url, schema=address.schema, password=wrong))
            assert "not-this-one" not in str(refusal.value)
        db.execute(f"GRANT CREATE ON DATABASE postgres TO {GUARDED}")
        written(guarded, 3)
        assert kept(guarded) == records(3)


def test_without_the_driver_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """psycopg is an extra."""
    monkeypatch.setitem(__import__("sys").modules, "engine.journal.postgres", None)
    monkeypatch.delattr("engine.journal.postgres")
    with pytest.raises(ConfigError, match=r"pip install 'psycopg\[binary\]'"):
        postgres_url.postgres()


def test_of_two_first_starts_one_is_refused(tmp_path: Path) -> None:
    """Both find no tables; the lock decides before any is made, and the refusal names the other."""
    address, opened, refused = address_for(tmp_path), list[PostgresJournal](), list[str]()

    def start() -> None:
        try:
            opened.append(postgres_at(address, inline=True))
        except ConfigError as refusal:
            refused.append(str(refusal))

    starts = [threading.Thread(target=start) for _ in range(2)]
    for one in starts:
        one.start()
    for one in starts:
        one.join()
    assert (len(opened), len(refused)) == (1, 1)
    assert "in use by sluice on" in refused[0]
    opened[0].close()


def test_a_session_that_would_lie_about_durability_is_set_right(tmp_path: Path) -> None:
    """A role or url with synchronous_commit off writes with it on; one with remote_apply keeps that."""
    address = address_for(tmp_path)
    for asked, had in (("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")):
        url = f"{address.url}?options=-c%20synchronous_commit%3D{asked}"
        opened = postgres_at(Address(url=url, schema=address.schema), inline=True)
        assert opened._session.ask("SHOW synchronous_commit") == [(had,)]
        opened.close()


def test_a_migration_happens_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version's tables that can not be made leave this version's as they are (C17)."""
    written(tmp_path, 5)
    later = (*postgres_store.MIGRATIONS, ("CREATE TABLE extra (n integer)", "CREATE TABLE extra (n integer)"))
    with monkeypatch.context() as patch:
        patch.setattr(postgres_store, "MIGRATIONS", later)
        with pytest.raises(ConfigError, match="can not be made"):
            postgres_at(tmp_path)
    written(tmp_path, 5, 5)
    with monkeypatch.context() as patch:
        patch.setattr(postgres_store, "MIGRATIONS", (*later[:1], later[1][:1]))
        opened = postgres_at(tmp_path, inline=True)
        assert [record for _, record in opened.records()] == records(10)
        opened.close()


@pytest.mark.parametrize(
    ("damage", "told", "good"),
    [
        ("UPDATE record SET body = set_byte(body, 5, get_byte(body, 5) # 1) WHERE seq = 9", "record", 8),
        ("DELETE FROM record WHERE seq = 7", "record 7 is missing", 6),
        ("UPDATE record SET chain = set_byte(chain, 5, get_byte(chain, 5) # 1) WHERE seq = 14", "record", 12),
        ("INSERT INTO record VALUES (0, '', NULL)", "first one is 1", 0),
    ],
)
def test_damage_is_found_and_set_aside_with_consent(tmp_path: Path, damage: str, told: str, good: int) -> None:
    """As with a file: opening refuses and reading stops; with consent the good part goes on, the rest is kept."""
    written(tmp_path, 30)
    address = address_for(tmp_path)
    with asking(address) as db:
        db.execute(damage.encode())
        with pytest.raises(JournalError, match=f"is damaged: .*{told}"):
            postgres_at(tmp_path)
        opened = postgres_at(tmp_path, inline=True, accept_rebuild=True)
        assert opened.quarantine == "record_damaged_1"
        assert opened.durable_seq <= good
        assert [record for _, record in opened.records()] == records(opened.durable_seq)
        opened.append(a_record(0))
        opened.close()
        (aside,) = db.execute("SELECT count(*) FROM record_damaged_1").fetchone()
        assert aside >= 29
    postgres_at(tmp_path).close()


def test_a_row_without_its_groups_end_is_cut(tmp_path: Path) -> None:
    """A server that keeps its word leaves none; a copy by hand may."""
    written(tmp_path, 30)
    with asking(address_for(tmp_path)) as db:
        db.execute("INSERT INTO record VALUES (31, 'x', NULL), (32, 'y', NULL)")
    opened = postgres_at(tmp_path, inline=True)
    assert (opened.cut_rows, opened.next_seq) == (2, 31)
    opened.close()


# --- the answer to a commit is lost ----------------------------------------------------------------------------------


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize(("way", "count"), [("asked", 0), ("asked", 40), ("answered", 0), ("answered", 7)])
async def test_a_lost_answer_is_looked_up(
    tmp_path: Path, proxy: CuttingProxy, way: Way, count: int, inline: bool
) -> None:
    """Cut before the request is whole: not done, so sent again. Cut in the answer: done, so not sent again."""
    opened = postgres_at(address_for(tmp_path, proxy.port), inline=inline)
    await opened.durable(opened.append(a_record(1)))
    proxy.cut_after(way, count)
    seq = opened.append(a_record(4))
    async with asyncio.timeout(30):
        await opened.durable(seq)
    assert proxy.cut.is_set()
    assert (opened.looked_up, opened.healthy, opened.durable_seq) == (1, True, 2)
    await opened.durable(opened.append(a_record(1)))
    opened.close()
    assert kept(address_for(tmp_path)) == [a_record(1), a_record(4), a_record(1)]


CUTS = {
    "cuts": st.lists(
        st.tuples(st.integers(0, 39), st.sampled_from(["asked", "answered"]), st.integers(0, 2500)),
        max_size=5,
        unique_by=lambda cut: cut[0],
    ),
    "group_rows": st.integers(1, 20),
}
"""(before which record, which way, after how many bytes)."""
FIXTURES = [HealthCheck.function_scoped_fixture]


def cut_and_count(at: Path, proxy: CuttingProxy, cuts: list[tuple[int, Way, int]], group_rows: int) -> None:
    opened = postgres_at(address_for(at, proxy.port), inline=True, group_rows=group_rows, away_seconds=30.0)
    planned = {n: (way, count) for n, way, count in cuts}
    for n, record in enumerate(records(40)):
        if n in planned:
            proxy.cut_after(*planned[n])
        opened.append(record)
    proxy.cut_after("asked", 10**9)
    proxy.cut_after("answered", 10**9)
    opened.close()
    assert opened.healthy
    again = postgres_at(at, inline=True)
    assert [record for _, record in again.records()] == records(40)
    assert again.digest() == opened.digest()
    again.close()


@settings(max_examples=12, deadline=None, suppress_health_check=FIXTURES)
@given(**CUTS)
def test_wherever_the_line_is_cut_every_record_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, proxy: CuttingProxy, cuts: list[tuple[int, Way, int]], group_rows: int
) -> None:
    """Any bytes of any commit, of the look-up, or of the way back in: none lost, none twice, the chain whole."""
    cut_and_count(tmp_path_factory.mktemp("journal"), proxy, cuts, group_rows)


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=FIXTURES)
@given(**CUTS)
def test_wherever_the_line_is_cut_four_hundred_times(
    tmp_path_factory: pytest.TempPathFactory, proxy: CuttingProxy, cuts: list[tuple[int, Way, int]], group_rows: int
) -> None:
    """As above."""
    cut_and_count(tmp_path_factory.mktemp("journal"), proxy, cuts, group_rows)


def test_a_backend_ended_before_its_commit_is_followed_by_another(tmp_path: Path) -> None:
    """The statement never took effect: the record is written by the next session, once."""
    opened = postgres_at(tmp_path, inline=True, away_seconds=30.0)
    opened.append(a_record(1))
    with asking(address_for(tmp_path)) as db, db.transaction():
        db.execute("LOCK TABLE record IN EXCLUSIVE MODE")
        appending = threading.Thread(target=opened.append, args=(a_record(4),))
        appending.start()
        with asking(address_for(tmp_path)) as other:
            until(lambda: waits_for(other, "relation"))
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event = 'relation' AND application_name LIKE 'sluice on%'"
            )
            until(lambda: opened.looked_up == 1)
    appending.join(60)
    assert (opened.durable_seq, opened.healthy) == (2, True)
    opened.close()
    assert kept(address_for(tmp_path)) == [a_record(1), a_record(4)]


def test_a_lost_session_that_still_writes_is_ended_before_anything_is_looked_up(
    tmp_path: Path, proxy: CuttingProxy
) -> None:
    """The line is cut while the server has not yet done the commit: looking up at once would find nothing, and the
    commit would come later. The lock can be had only when the old session is over."""
    opened = postgres_at(address_for(tmp_path, proxy.port), inline=True, away_seconds=30.0)
    opened.append(a_record(1))
    with asking(address_for(tmp_path)) as db, db.transaction():
        db.execute("LOCK TABLE record IN EXCLUSIVE MODE")
        appending = threading.Thread(target=opened.append, args=(a_record(4),))
        appending.start()
        with asking(address_for(tmp_path)) as other:
            until(lambda: waits_for(other, "relation"))
            before = waits_for(other, "relation")
            proxy.drop()
            # Another session waits in its place: it looked, found nothing, and the old one can do no more.
            until(lambda: (now := waits_for(other, "relation")) and not now & before)
    appending.join(60)
    assert (opened.durable_seq, opened.healthy) == (2, True)
    opened.close()
    assert kept(address_for(tmp_path)) == [a_record(1), a_record(4)]


async def test_a_crash_of_the_server_is_outlived(tmp_path: Path) -> None:
    """Stopped as by a power cut and started again in the middle of writing: nothing acknowledged is lost."""
    opened = postgres_at(tmp_path, away_seconds=60.0)
    for n, record in enumerate(records(400)):
        seq = opened.append(record)
        if n % 50 == 25:
            await opened.durable(seq)
        if n in {100, 300}:
            the_server().restart()
    async with asyncio.timeout(60):
        await opened.durable(400)
    assert opened.looked_up >= 2
    opened.close()
    assert kept(address_for(tmp_path)) == records(400)


# --- it stays away ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["refuse", "black_hole"])
async def test_a_server_that_stays_away_stops_new_orders(tmp_path: Path, proxy: CuttingProxy, fault: str) -> None:
    """Refused or silent for longer than the bound: waiters are told in time, nothing more is taken, a word is left."""
    told, sentinel = list[JournalError](), tmp_path / "run" / "journal.halt"
    opened = postgres_at(address_for(tmp_path, proxy.port), away_seconds=0.4, sentinel=sentinel, on_failure=told.append)
    await opened.durable(opened.append(a_record(1)))
    getattr(proxy, fault)()
    seq = opened.append(a_record(4))
    began = time.monotonic()
    async with asyncio.timeout(30):
        with pytest.raises(JournalError, match=r"failed after record 1: the server is away for more than 0.4 s"):
            await opened.durable(seq)
    assert 0.3 < time.monotonic() - began < 5.0
    assert not opened.healthy
    with pytest.raises(JournalError, match="no new orders"):
        opened.append(a_record(1))
    with pytest.raises(JournalError):
        await opened.durable(seq)
    began = time.monotonic()
    opened.close()
    assert time.monotonic() - began < 5.0
    assert len(told) == 1
    halt = opened.halted()
    assert halt is not None
    assert (halt.durable_seq, "away" in halt.cause) == (1, True)
    opened.clear_halt()
    assert opened.halted() is None
    proxy.heal()
    again = postgres_at(address_for(tmp_path, proxy.port), inline=True)
    assert [record for _, record in again.records()][:1] == [a_record(1)]
    again.close()


@pytest.mark.parametrize("fault", ["refuse", "black_hole"])
async def test_a_server_that_comes_back_in_time_is_no_failure(tmp_path: Path, proxy: CuttingProxy, fault: str) -> None:
    """Orders wait meanwhile, and go on."""
    opened = postgres_at(address_for(tmp_path, proxy.port), away_seconds=8.0)
    opened._session.limit = 0.1
    await opened.durable(opened.append(a_record(1)))
    getattr(proxy, fault)()
    seq = opened.append(a_record(4))
    waiting = asyncio.ensure_future(opened.durable(seq))
    async with asyncio.timeout(30):
        while not opened.looked_up:  # noqa: ASYNC110 - counted by the writer's thread
            await asyncio.sleep(0.005)
    assert not waiting.done()
    proxy.heal()
    async with asyncio.timeout(30):
        await waiting
    assert opened.healthy
    opened.close()
    assert kept(address_for(tmp_path)) == [a_record(1), a_record(4)]


def test_a_full_disk_or_any_other_no_is_the_end(tmp_path: Path) -> None:
    """The server lives and says no: not tried again, and the reason is the server's own."""
    opened = postgres_at(tmp_path, inline=True)
    opened.append(a_record(1))
    with asking(address_for(tmp_path)) as db:
        db.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
        )
        db.execute("CREATE TRIGGER t BEFORE INSERT ON record FOR EACH STATEMENT EXECUTE FUNCTION full_disk()")
        opened.append(a_record(4))
        assert not opened.healthy
        with pytest.raises(JournalError, match="No space left on device"):
            opened.append(a_record(1))
        db.execute("DROP TRIGGER t ON record")
    opened.close()
    assert opened.looked_up == 0
    assert kept(address_for(tmp_path)) == [a_record(1)]


# --- failover, and who else writes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [True, False])
def test_an_engine_that_took_over_meanwhile_is_not_written_over(
    tmp_path: Path, proxy: CuttingProxy, gone: bool
) -> None:
    """Our session is lost, another engine starts and writes; it is named while it runs, its record when it went."""
    opened = postgres_at(address_for(tmp_path, proxy.port), inline=True)
    opened.append(a_record(1))
    proxy.refuse()
    other = postgres_at(tmp_path, inline=True)
    other.append(a_record(7))
    if gone:
        other.close()
    proxy.heal()
    opened.append(a_record(4))
    assert not opened.healthy
    told = "another engine wrote|is not ours" if gone else "the journal was taken by sluice on"
    with pytest.raises(JournalError, match=told):
        opened.append(a_record(1))
    opened.close()
    other.close()
    assert kept(address_for(tmp_path)) == [a_record(1), a_record(7)]


@pytest.fixture(scope="module")
def first() -> Iterator[PostgresServer]:
    """A server that may be stopped, with a journal in schema ``sluice``; it is down, unless a test left it up."""
    server = PostgresServer(place() / "first", reachable_programs())
    server.start()
    written(Address(url=server.url()), 5)
    server.stop()
    yield server
    server.stop()


@pytest.fixture
def second(first: PostgresServer) -> Iterator[PostgresServer]:
    """Its standby: a copy of it as it is now; down as well."""
    first.stop()
    server = PostgresServer(place() / "second", reachable_programs(), data=first.data)
    yield server
    server.stop()
    shutil.rmtree(server.folder)


@pytest.mark.parametrize("behind", [True, False])
def test_failover_to_a_standby(first: PostgresServer, second: PostgresServer, behind: bool) -> None:
    """To one that has all: goes on in mid-commit. To one that lacks an acknowledged record: no new orders."""
    first.start()
    proxy = CuttingProxy(first.port)
    opened = PostgresJournal(Address(url=first.url(proxy.port)), seconds=time.monotonic, inline=True, away_seconds=30.0)
    begun = opened.durable_seq
    try:
        if behind:
            opened.append(a_record(1))
        first.stop()
        second.start()
        proxy.server_port = second.port
        opened.append(a_record(4))
        assert opened.healthy is not behind
        if behind:
            with pytest.raises(JournalError, match=f"ends with record {begun}, but {begun + 1} was acknowledged"):
                opened.append(a_record(1))
        else:
            assert list(opened.records())[-1] == (begun + 1, a_record(4))
    finally:
        opened.close()
        proxy.close()
        first.stop()
        second.stop()


def test_of_several_hosts_the_one_that_takes_writes_is_found(
    tmp_path: Path, first: PostgresServer, second: PostgresServer
) -> None:
    """One refuses, one is silent, one is a standby that takes no writes: the engine finds the primary within its bound,
    and after a failover it finds the other."""
    silent = CuttingProxy(the_server().port)
    silent.black_hole()
    first.start()
    (second.data / "standby.signal").touch()
    second.start()
    ports = [free_port(), second.port, silent.port, first.port]
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    opened = PostgresJournal(
        Address(url=f"postgresql://sluice@{hosts}/postgres"), seconds=time.monotonic, inline=True, away_seconds=6.0
    )
    assert opened._session.ask("SELECT current_setting('port')::int, pg_is_in_recovery()") == [(first.port, False)]
    assert kept(Address(url=second.url())) == [record for _, record in opened.records()], "a standby can be read"
    first.stop()
    with asking(Address(url=second.url())) as db:
        db.execute("SELECT pg_promote()")
    opened.append(a_record(4))
    assert opened._session.ask("SELECT current_setting('port')::int") == [(second.port,)]
    assert opened.healthy
    opened.close()
    silent.close()


def test_a_commit_counts_when_the_standby_has_it_too(first: PostgresServer) -> None:
    """The server waits for its standby when the session is ended: the row is there, but only here. It is not sent
    again, and not called durable before the standby has it."""

    def standbys(names: str) -> None:
        db.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'".encode())
        db.execute("SELECT pg_reload_conf()")

    def append() -> None:
        # The server begins to wait for its standby some commits after it was told to.
        while not opened.looked_up:
            opened.append(a_record(4))

    first.stop()
    first.start()
    address = Address(url=first.url(), schema="replicated")
    opened = postgres_at(address, inline=True, away_seconds=60.0)
    with asking(Address(url=first.url(), schema="public")) as db:
        db.execute("SET synchronous_commit = local")
        standbys("*")
        appending = threading.Thread(target=append)
        appending.start()
        until(lambda: waits_for(db, "SyncRep"))
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        until(lambda: opened.looked_up == 1)
        until(lambda: waits_for(db, "SyncRep"))
        last = opened.next_seq - 1
        assert opened.durable_seq == last - 1
        standbys("")
        appending.join(60)
    assert (opened.durable_seq, opened.healthy) == (last, True)
    opened.close()
    assert kept(address) == [a_record(4)] * last
    first.stop()


def test_a_server_that_would_forget_is_refused(first: PostgresServer) -> None:
    """fsync = off loses what it acknowledged."""
    first.stop()
    with (first.data / "postgresql.conf").open("a") as conf:
        conf.write("fsync = off\n")
    first.start()
    with pytest.raises(ConfigError, match="fsync = off"):
        postgres_at(Address(url=first.url()))
    first.stop()
