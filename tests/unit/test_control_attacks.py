"""What attackers send to the control API: foreign pages, strange paths, bodies too large, too slow, too clever."""

import ast
import json
import re
import socket
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from engine.control.api import edge, hosting, serving, streams
from engine.control.api.access import FAILURES_MAX, Access
from engine.control.api.problems import Problem
from engine.control.api.scopes import Scope
from engine.control.api.serving import Crowd
from engine.control.api.strict_json import read
from engine.control.api.supervising import keep_alive
from engine.control.api.tokens import TokenStore
from engine.domain.errors import ConfigError
from engine.domain.events import Alert
from engine.runtime.control_table import ControlTable
from tests.control_builders import HOST, Panel, until

ROOT = Path(__file__).parents[2]


# --- pages of others --------------------------------------------------------------------------------------------------


ASKERS: tuple[tuple[dict[str, str], int], ...] = (
    ({"origin": "http://evil.example"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": f"https://{HOST}"}, 403),
    ({"origin": f"http://{HOST}.evil.example"}, 403),
    ({"sec-fetch-site": "cross-site"}, 403),
    ({"sec-fetch-site": "same-site"}, 403),
    ({"host": "evil.example"}, 421),
    ({"host": "evil.example:8710"}, 421),
    ({"host": "127.0.0.1.evil.example"}, 421),
    ({"host": "192.168.1.5:8710"}, 421),
    ({"host": "[::1"}, 421),
    ({"host": ""}, 421),
    ({"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}, 200),
    ({"host": "localhost:8710"}, 200),
    ({"host": "[::1]:8710"}, 200),
)


def test_only_its_own_pages_may_ask_and_only_by_its_own_name(tmp_path: Path) -> None:
    """CSRF and DNS rebinding: refused by Origin and Host before any token is looked at; every path alike."""

    async def ask() -> None:
        panel = Panel(tmp_path)
        async with panel.client(panel.token()) as client:
            for headers, status in ASKERS:
                for path in ("/api/accounts", "/", "/api/stream" if status != 200 else "/docs"):
                    answer = await client.get(path, headers=headers)
                    assert answer.status_code == status, (path, headers)
                    policy = answer.headers["content-security-policy"]
                    assert "'unsafe-inline'" not in policy.partition("style-src")[0]

    anyio.run(ask)


def test_an_upgrade_to_a_websocket_is_never_taken(tmp_path: Path) -> None:
    """There are none; a foreign page that tries is refused like any other request of its."""

    async def ask() -> None:
        panel = Panel(tmp_path)
        async with panel.served() as port:
            for origin, status in (("http://evil.example", b"403"), (f"http://127.0.0.1:{port}", b"401")):
                stream = await anyio.connect_tcp("127.0.0.1", port)
                await stream.send(
                    f"GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
                )
                assert (await stream.receive()).startswith(b"HTTP/1.1 " + status)
                await stream.aclose()

    anyio.run(ask)


TRAVERSALS = (
    "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "....//....//etc/passwd",
    "..\\..\\etc\\passwd", "/etc/passwd", "%00", "index.html%00.png", "..%c0%af..%c0%afetc/passwd", ".", "..",
    "control/token", "．．／etc", "strategies/../../token",
)  # fmt: skip


def test_no_path_leads_out_of_what_is_served(tmp_path: Path) -> None:
    """Static files are a table made at the start; names of strategies and orders are looked up, never opened."""

    async def ask() -> None:
        panel = Panel(tmp_path)
        async with panel.client(panel.token()) as client:
            for name in TRAVERSALS:
                for path in ("/static/", "/docs/files/", "/api/strategies/", "/api/orders/", "/"):
                    answer = await client.get(f"{path}{name}")
                    assert answer.status_code in (200, 307, 400, 404), (path, name)
                    assert b"root:" not in answer.content
                    assert answer.status_code != 200 or answer.headers["content-type"].startswith(("text/html", "app"))
                answer = await client.post(f"/api/strategies/{name}/stop", json={"reason": "x"})
                assert answer.status_code in (400, 404, 405, 422), name

    anyio.run(ask)


def test_a_symlink_in_the_dashboard_leads_nowhere(tmp_path: Path) -> None:
    from engine.control.api.page_routes import _files

    (tmp_path / "secret.js").write_text("no")
    folder = tmp_path / "dashboard"
    folder.mkdir()
    (folder / "own.js").write_text("yes")
    (folder / "out.js").symlink_to(tmp_path / "secret.js")
    assert list(_files(folder)) == ["own.js"]


# --- bodies -----------------------------------------------------------------------------------------------------------


BODIES: tuple[tuple[bytes, int], ...] = (
    (b"", 400),
    (b"{", 400),
    (b"[]", 422),
    (b'{"scope": "all", "reason": "x", "level": "none"}', 422),
    (b'{"scope": "all", "reason": "x", "extra": 1}', 422),
    (b'{"scope": "all", "scope": "all", "reason": "x"}', 400),
    (b'{"scope": "all", "reason": NaN}', 400),
    (b'{"scope": "all", "reason": 1e999}', 422),
    (b'{"scope": "all", "reason": 99999999999999999999999}', 400),
    (b"[" * 33 + b"]" * 33, 400),
    (b"[" * 30_000, 400),
    (b'{"scope": "all", "reason": "\xff"}', 400),
    (b'{"scope": "all", "reason": ""}', 422),
    (b'{"scope": "nobody:x", "reason": "x"}', 422),
    (b'{"scope": "account:nobody", "reason": "x"}', 422),
    (b'{"scope": "all", "level": "halt", "reason": "\\ud800"}', 400),
    (b'{"scope": "all", "level": "halt", "\\udfff": "x", "reason": "x"}', 400),
    (b" " * (64 * 1024 + 1), 413),
)


def test_a_body_that_is_not_exactly_right_changes_nothing(tmp_path: Path) -> None:
    async def ask() -> None:
        panel = Panel(tmp_path)
        async with panel.client(panel.token()) as client:
            for body, status in BODIES:
                answer = await client.post("/api/kill", content=body, headers={"content-type": "application/json"})
                assert answer.status_code == status, (body[:60], answer.text)
                answer = await client.post("/api/kill", content=body, headers={"content-type": "text/plain"})
                assert answer.status_code in (413, 415)
        assert not panel.core.view.latches

    anyio.run(ask)


def test_json_is_read_to_32_levels_and_brackets_in_text_count_nothing() -> None:
    assert read(b"[" * 32 + b"]" * 32)
    assert read(json.dumps({"text": "[" * 100}).encode()) == {"text": "[" * 100}
    with pytest.raises(ValueError, match="deeper"):
        read(b'{"a":' * 33 + b"1" + b"}" * 33)


def test_json_has_whole_characters() -> None:
    """Half a surrogate pair could not be journaled; a pair is one character."""
    assert read(b'["\\ud83d\\ude00", "\\u95f8"]') == ["\U0001f600", "\u95f8"]
    for body in (b'["\\ud83d"]', b'{"\\ude00\\ud83d": 1}', b'["\\ud83dx"]'):
        with pytest.raises(ValueError, match="half a character"):
            read(body)


async def talk(port: int, *parts: bytes) -> bytes:
    """What the server answers to bytes, until it closes."""
    stream = await anyio.connect_tcp("127.0.0.1", port)
    got = b""
    try:
        for part in parts:
            await stream.send(part)
        with anyio.fail_after(20):
            while True:
                got += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return got
    finally:
        await stream.aclose()


def test_too_large_and_too_slow_is_cut_and_the_next_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oversized bodies without a length, header floods, half a header, half a body: each ends by itself."""
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(serving, "HEADER_SECONDS", 0.3)

    async def ask() -> None:
        panel = Panel(tmp_path)
        token = panel.token()
        async with panel.served() as port:
            head = f"POST /api/kill HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n".encode()
            json_head = head + b"Content-Type: application/json\r\n"
            chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
            trailers = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1_000) for n in range(2_000))
            answers: dict[str, bytes] = {}

            async def one(name: str, *parts: bytes) -> None:
                answers[name] = await talk(port, *parts)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one, "chunks", json_head + b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk)
                tasks.start_soon(one, "headers", head + b"X: " + b"a" * 20_000)
                tasks.start_soon(one, "whole header", head + b"X: " + b"a" * 20_000 + b"\r\n\r\n")
                tasks.start_soon(one, "trailers", json_head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", trailers)
                tasks.start_soon(one, "half a header", head)
                tasks.start_soon(one, "nothing")
                tasks.start_soon(one, "half a body", json_head + b"Content-Length: 100\r\n\r\n{")
                tasks.start_soon(one, "no http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64)
            assert answers["chunks"].startswith(b"HTTP/1.1 413")
            assert answers["headers"].startswith(b"HTTP/1.1 431")
            assert answers["whole header"].startswith(b"HTTP/1.1 431")
            assert answers["trailers"].startswith(b"HTTP/1.1 431"), answers["trailers"][:100]
            assert answers["half a header"] == answers["nothing"] == b""
            assert answers["half a body"].startswith(b"HTTP/1.1 408")
            assert answers["no http"].startswith(b"HTTP/1.1 400")
            async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}) as client:
                assert (await client.get(f"http://127.0.0.1:{port}/api/latches")).json() == []

    anyio.run(ask)


def test_two_hundred_dawdlers_keep_nobody_out(tmp_path: Path) -> None:
    """Where too many connections are open the one that has dawdled longest goes."""

    async def ask() -> None:
        panel = Panel(tmp_path)
        token = panel.token()
        async with panel.served() as port:
            dawdlers = []
            for _ in range(200):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
                dawdlers.append(one)
            await until(lambda: panel.cockpit.crowd.cut >= 200 - 32)
            async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=20) as client:
                assert (await client.get(f"http://127.0.0.1:{port}/api/latches")).status_code == 200
            assert len(panel.cockpit.crowd.open) <= 32
            for one in dawdlers:
                one.close()

    anyio.run(ask)


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_guessing_closes_an_address_but_not_for_whoever_was_there_before(tmp_path: Path) -> None:
    """Five wrong ones in a minute, then a minute of 429; another address, and a known token, go on."""
    now = 0.0
    tokens = TokenStore(tmp_path / "tokens.json")
    first, second = (tokens.create(name, [Scope.READ], now_ns=1) for name in ("first", "second"))
    access = Access(tokens, 100.0, seconds=lambda: now)
    access.admit(f"Bearer {first}", "10.0.0.1", Scope.READ)
    statuses = []
    for _ in range(FAILURES_MAX + 2):
        with pytest.raises(Problem) as refused:
            access.admit(f"Bearer {first[:-3]}abc", "10.0.0.1", Scope.READ)
        statuses.append(refused.value.status)
    # The first token is known from there: wrong secrets for it are still told to be wrong, and counted.
    assert statuses[:FAILURES_MAX] == [401] * FAILURES_MAX
    access.admit(f"Bearer {first}", "10.0.0.1", Scope.READ)
    with pytest.raises(Problem, match="too many"):
        access.admit(f"Bearer {second}", "10.0.0.1", Scope.READ)
    access.admit(f"Bearer {second}", "10.0.0.2", Scope.READ)
    now = 61.0
    access.admit(f"Bearer {second}", "10.0.0.1", Scope.READ)


def test_a_token_has_its_pace_and_another_its_own(tmp_path: Path) -> None:
    """Ten a second, twenty at once; refused ones cost nothing, and time brings them back."""
    now = 0.0
    tokens = TokenStore(tmp_path / "tokens.json")
    first, second = (tokens.create(name, [Scope.READ], now_ns=1) for name in ("first", "second"))
    access = Access(tokens, 10.0, seconds=lambda: now)
    for _ in range(20):
        access.admit(f"Bearer {first}", "a", Scope.READ)
    with pytest.raises(Problem) as refused:
        access.admit(f"Bearer {first}", "a", Scope.READ)
    assert (refused.value.status, refused.value.headers) == (429, {"retry-after": "1"})
    access.admit(f"Bearer {second}", "a", Scope.READ)
    now = 0.5
    for _ in range(5):
        access.admit(f"Bearer {first}", "a", Scope.READ)
    with pytest.raises(Problem):
        access.admit(f"Bearer {first}", "a", Scope.READ)


def test_only_hashes_are_kept_and_only_its_owner_reads_them(tmp_path: Path) -> None:
    """256 random bits; the file is 0600 in a folder of 0700, and one that others can read is refused."""
    tokens = TokenStore(tmp_path / "control" / "tokens.json")
    assert tokens.begin(now_ns=1)
    assert not tokens.begin(now_ns=2)
    text = tokens.first.read_text(encoding="utf-8").strip()
    assert re.fullmatch(r"sluice_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", text)
    assert text.split("_", 2)[2] not in tokens.path.read_text(encoding="utf-8")
    assert [p.stat().st_mode & 0o777 for p in (tokens.path, tokens.first, tokens.path.parent)] == [0o600, 0o600, 0o700]
    tokens.path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        TokenStore(tokens.path).all()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"bind": "0.0.0.0"}, "needs TLS"),
        ({"bind": "192.168.1.5", "tls_cert": "a"}, "needs TLS"),
        ({"bind": "0.0.0.0", "tls_cert": "a", "tls_key": "b"}, "needs a token"),
        ({"tls_cert": "a", "tls_key": "b"}, "no such file"),
    ],
)
def test_it_does_not_open_to_others_without_tls_and_a_token(table: Any, words: str, tmp_path: Path) -> None:
    """One sentence, before anything is connected."""
    with pytest.raises(ConfigError, match=words):
        hosting.refuse_unless_safe(ControlTable(**table), tmp_path)


def test_no_secret_is_compared_in_a_way_that_takes_longer_the_more_is_right() -> None:
    """``==`` on anything called token, secret, key, digest or sha256 in the API (RELIABILITY 6)."""
    secret = re.compile(r"secret|sha256|digest|password|signature")
    for path in sorted((ROOT / "engine" / "control" / "api").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                assert not secret.search(ast.unparse(node)), f"{path.name}:{node.lineno}: {ast.unparse(node)}"


# --- its death, and slow readers --------------------------------------------------------------------------------------


def test_whatever_fails_in_the_api_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody expected does not leave the supervisor; the run beside it hears nothing."""
    monkeypatch.setattr("engine.control.api.supervising.WAIT_NS", 1_000_000)
    lives, told = [], []

    async def life() -> None:
        lives.append(1)
        if len(lives) > 3:
            await anyio.sleep_forever()
        raise RuntimeError("a bug")

    async def beside() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_alive, life, lambda _text, fields: told.append(fields["text"]))
            await until(lambda: len(lives) == 4)
            tasks.cancel_scope.cancel()

    anyio.run(beside)
    assert len(told) == 3
    assert "trading goes on: RuntimeError: a bug" in told[0]


def test_a_reader_that_does_not_read_is_cut_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue is bounded; what was held for it goes, and its connection with it."""
    monkeypatch.setattr(streams, "QUEUE_MAX", 8)
    monkeypatch.setattr(streams, "PERIOD_NS", 5_000_000)

    async def ask() -> None:
        panel = Panel(tmp_path)
        token = panel.token()
        async with panel.served() as port:
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect(("127.0.0.1", port))
            head = f"GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
            deaf.sendall(head.encode())
            await until(lambda: len(panel.cockpit.streams.open) == 1)
            async with (
                httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=20) as client,
                client.stream("GET", f"http://127.0.0.1:{port}/api/stream?topics=alerts") as heard,
            ):
                lines = heard.aiter_lines()
                assert await anext(lines) == "event: hello"
                text = "x" * 20_000

                async def talk_on() -> None:
                    while panel.cockpit.streams.cut == 0:
                        panel.core.bus.publish(Alert(ts_ns=1, about="test", text=text))
                        await anyio.sleep(0.002)

                async def listen() -> None:
                    async for _ in lines:
                        pass

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(listen)
                    with anyio.fail_after(30):
                        await talk_on()
                    assert len(panel.cockpit.streams.open) == 1
                    tasks.cancel_scope.cancel()
            deaf.close()

    anyio.run(ask)


def test_too_many_streams_are_refused_and_a_closed_one_makes_room(tmp_path: Path) -> None:
    async def ask() -> None:
        panel = Panel(tmp_path)
        panel.cockpit.crowd = Crowd(64)
        open_now = panel.cockpit.streams
        joined = [open_now.join(frozenset({"alerts"})) for _ in range(4)]
        with pytest.raises(Problem) as refused:
            open_now.join(frozenset({"alerts"}))
        assert refused.value.status == 503
        open_now.leave(joined[0])
        open_now.join(frozenset({"alerts"}))

    anyio.run(ask)
