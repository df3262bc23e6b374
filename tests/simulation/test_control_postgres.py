"""The control API over a journal on a PostgreSQL server: pages and lives of orders, and every wait ends."""

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from msgspec.structs import replace

from engine.control.api import journal_reading
from engine.control.api.journal_reading import Wanted, _fits
from engine.control.api.scopes import Scope
from engine.control.operating import carry_out, is_running
from engine.domain.events import KillLevel, LatchSet
from engine.journal.postgres import read
from engine.journal.postgres_page import NAME
from engine.journal.postgres_url import Address
from engine.runtime.operator_commands import Kill
from engine.runtime.operator_inbox import INBOX
from engine.runtime.settings import load_settings
from tests.control_builders import Panel, until
from tests.cutting_proxy import CuttingProxy
from tests.journal_builders import address_for, postgres_at, records
from tests.postgres_server import the_server

ROOT = Path(__file__).parents[2]
SOON = 0.4
"""Seconds a page may take where a test waits for them to be over."""


@contextlib.asynccontextmanager
async def a_served_journal(folder: Path) -> AsyncIterator[tuple[Panel, httpx.AsyncClient]]:
    """Sixty records on the server, and the API over them on a real port."""
    journal = postgres_at(folder, inline=True)
    try:
        panel = Panel(folder, journal=journal)
        for record in records(60):
            panel.run.journal.append(record)
        await panel.run.journal.durable(60)
        headers = {"authorization": f"Bearer {panel.token(Scope.READ)}"}
        async with (
            panel.served() as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client,
        ):
            yield panel, client
    finally:
        journal.close()


QUERIES: tuple[dict[str, Any], ...] = (
    {},
    {"limit": 7},
    {"order": "oldest", "limit": 7},
    {"kind": "latch"},
    {"kind": "send", "after": 10, "before": 40, "order": "oldest"},
    {"text": "o-12"},
    {"text": "闸", "limit": 3},
    {"kind": "send", "text": "o-1"},
    {"text": "%"},
    {"kind": "no'; DROP TABLE record; --"},
)


async def test_pages_are_those_of_any_journal(tmp_path: Path) -> None:
    """Whatever is asked: the records that a look through all of them finds, in order, and whether there are more."""
    async with a_served_journal(tmp_path) as (panel, client):
        whole = list(panel.run.journal.records())
        assert len(whole) == 60
        for query in QUERIES:
            answer = await client.get("/api/journal", params=query)
            assert answer.status_code == 200, answer.text
            wanted = Wanted(
                text=query.get("text", ""),
                kind=query.get("kind", ""),
                after=query.get("after", 0),
                before=query.get("before", 0),
            )
            fits = [seq for seq, record in whole if _fits(seq, record, wanted)]
            fits = fits if query.get("order") == "oldest" else fits[::-1]
            limit = query.get("limit", 100)
            page = answer.json()
            assert [int(row["seq"]) for row in page["records"]] == fits[:limit], query
            assert page["more"] == (len(fits) > limit)
        life = (await client.get("/api/orders/o-18")).json()
        assert [step["step"] for step in life["life"]] == ["intent"]
        assert (await client.get("/api/orders/o-999")).status_code == 404
        assert len(list(panel.run.journal.records())) == 60


async def test_a_page_is_read_by_a_session_that_can_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own, read-only, under a name an administrator knows, and gone with the answer."""
    from engine.journal import postgres_page

    seen: list[tuple[Any, ...]] = []
    inner = postgres_page._rows

    def looked(session: Any, sought: Any, left: float) -> Any:
        found = inner(session, sought, left)
        asked = "SELECT current_setting('transaction_read_only'), current_setting('application_name'), pg_backend_pid()"
        seen.extend(session.ask(asked))
        return found

    monkeypatch.setattr(postgres_page, "_rows", looked)
    async with a_served_journal(tmp_path) as (_, client):
        assert (await client.get("/api/journal")).status_code == 200
        ((read_only, name, _),) = seen
        assert (read_only, name) == ("on", NAME)


async def test_a_server_that_does_not_answer_is_given_up_and_the_loop_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is locked, and a line that went silent: 504 in time, others are answered meanwhile, readers wait for
    a place no longer than that; a server that refuses is 503 with a sentence, and no password in it."""
    monkeypatch.setattr(journal_reading, "SECONDS_MAX", SOON)
    import psycopg

    async with a_served_journal(tmp_path) as (panel, client):
        session: Any = panel.session
        address = address_for(tmp_path)
        with psycopg.connect(address.url, options=f"-c search_path={address.schema}") as other:
            other.execute("LOCK TABLE record IN ACCESS EXCLUSIVE MODE")
            answers: list[httpx.Response] = []
            async with anyio.create_task_group() as tasks:

                async def ask() -> None:
                    answers.append(await client.get("/api/journal"))

                for _ in range(8):
                    tasks.start_soon(ask)
                with anyio.fail_after(SOON):
                    assert (await client.get("/health/live")).status_code == 200
            assert {answer.status_code for answer in answers} == {504}
            assert {answer.json()["code"] for answer in answers} == {"time", "busy"}
            # The server gave up as well: nothing of ours waits there still.
            lingering = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
            await until(lambda: other.execute(lingering, (NAME,)).fetchone() == (0,))
            other.rollback()
        assert (await client.get("/api/journal")).status_code == 200

        line = CuttingProxy(the_server().port)
        session.journal_server = Address(url=the_server().url(line.port), schema=address.schema, password="hush-hush")
        line.black_hole()
        with anyio.fail_after(SOON * 5):
            assert (await client.get("/api/orders/o-1")).status_code == 504
        line.refuse()
        refused = await client.get("/api/journal")
        assert (refused.status_code, refused.json()["code"]) == (503, "journal")
        assert "can not be reached" in refused.json()["error"]
        assert "hush-hush" not in refused.text
        line.close()


async def test_a_command_knows_whether_an_engine_holds_the_server_s_journal(tmp_path: Path) -> None:
    """Held: the engine is asked, by its inbox where the server is away; let go: a kill goes to the journal itself."""
    address = address_for(tmp_path)
    config = (ROOT / "config/demo.toml").read_text(encoding="utf-8").replace("runs/demo", f"{tmp_path}/run")
    (tmp_path / "live.toml").write_text(
        f'{config}\n[journal]\nurl = "{address.url}"\nschema = "{address.schema}"\n', encoding="utf-8"
    )
    (tmp_path / "instruments.toml").write_bytes((ROOT / "config/instruments.toml").read_bytes())
    settings = load_settings(tmp_path / "live.toml")
    journal = postgres_at(address, inline=True)
    assert is_running(settings, {})
    journal.close()
    assert not is_running(settings, {})
    kill = Kill(scope="all", level="halt", reason="drill", who="ann")
    answer = await carry_out(settings, kill, environ={}, note=lambda _text, _fields: None)
    assert answer.exit_code == 0
    latches = [record for _, record in read(address, seconds=time.monotonic) if isinstance(record, LatchSet)]
    assert [(latch.scope, latch.level, latch.who) for latch in latches] == [("all", KillLevel.HALT, "ann")]
    table = replace(settings.journal, url=address.url.replace(str(the_server().port), "1"))
    away = replace(settings, journal=table)
    assert not is_running(away, {})
    (away.data_dir / INBOX).mkdir(parents=True)
    assert is_running(away, {})
