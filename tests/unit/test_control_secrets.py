"""Canaries: what is secret is planted everywhere it may turn up, and found nowhere (RELIABILITY 6)."""

import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import quote

import anyio
import pytest

from engine.clock import LiveClock
from engine.control.live_session import TellingJournal, Told
from engine.control.logs import FIELD_MAX, Log, RotatingFile, last_lines
from engine.control.redaction import Redactor, secrets_of
from engine.domain.events import Alert, LatchSet, OrderDenied
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.ids import ClientOrderId
from engine.domain.reconciled import OperatorActed
from engine.domain.secret import Secret
from engine.gateways.virtual_market.adapter import VirtualMarket
from engine.journal.sqlite import SqliteJournal
from tests.control_builders import Panel
from tests.live_builders import ACCOUNT

CANARIES = [
    "canary-password-1", 'canary "quoted" \\ 2', "canary&session=3", "密码-canary-4", "12345678901", "c4n4ry",
    *(f"canary-{number:03d}-{hashlib.sha256(str(number).encode()).hexdigest()[:12]}" for number in range(44)),
]  # fmt: skip


def disguises(secret: str) -> list[str]:
    """As it may be met: as it is, percent-encoded, base64, MD5, escaped in JSON."""
    raw = secret.encode()
    return [
        secret, quote(secret, safe=""), base64.b64encode(raw).decode().rstrip("="), hashlib.md5(raw).hexdigest(),
        json.dumps(secret, ensure_ascii=False)[1:-1],
    ]  # fmt: skip


def test_no_canary_is_found_in_log_journal_or_answers(tmp_path: Path) -> None:
    """Fifty secrets in alerts, broker messages, notes, queries and reasons: grep finds none of them, nor a disguise."""
    panel = Panel(tmp_path, secrets=CANARIES)
    redactor, told = Redactor(CANARIES), Told()
    journal = SqliteJournal(tmp_path / "journal.sqlite3", inline=True)
    telling = TellingJournal(journal, told, redactor)
    log = Log(RotatingFile(tmp_path / "log.jsonl"), redactor, LiveClock())
    told.hear = log.on_record
    noted: list[str] = []
    note = log.noting(lambda text, fields: noted.append(f"{text} {fields}"))
    for number, secret in enumerate(CANARIES):
        words = " ".join(f"said <{word}>" for word in disguises(secret))
        telling.append(
            OrderReport(
                account=ACCOUNT, kind=Evidence.REJECT, ts_ns=1, client_id=ClientOrderId(f"c-{number}"), reason=words
            )
        )
        telling.append(OperatorActed(ts_ns=1, who="x", command="y", about="z", reason=words, after=words))
        note("gateway", {"url": f"http://x/?a=1&session_id={quote(secret)}", "nested": words, secret: "name"})
        alert = Alert(ts_ns=1, about="account:game", text=words)
        panel.core.bus.publish(alert)
        panel.session.log.note("alert", {"text": words})
    panel.session.log.flush()
    log.close()
    journal.close()

    async def ask() -> bytes:
        paths = ("/api/alerts?limit=500", "/api/logs?limit=500", "/api/status", "/api/health", "/metrics")
        async with panel.client(panel.token()) as client:
            answers = [(await client.get(path)).content for path in paths]
            answers.append((await client.get("/api/equity", params={"account": CANARIES[0]})).content)
        return b"\n".join(answers)

    places = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    places |= {"notes": "\n".join(noted).encode(), "answers": anyio.run(ask)}
    assert len(places["log.jsonl"].splitlines()) == 3 * len(CANARIES)
    assert b"***" in places["answers"]
    for name, body in places.items():
        for secret in CANARIES:
            for form in disguises(secret):
                assert form.encode() not in body, (name, form)


def test_what_a_run_must_keep_to_itself_is_known_by_its_settings(tmp_path: Path) -> None:
    """Variables named like secrets, those a gateway names, and files of credentials; users and paths are none."""
    file = tmp_path / "ht.txt"
    file.write_text("user = somebody\npassword = from-a-file\n", encoding="utf-8")
    environ = {
        "SLUICE_VM_PASSWORD": Secret("one-secret"),
        "MINE": "two-secret",
        "PATH": "/usr/bin",
        "SLUICE_VM_USER": "me-me",
    }
    gateway = VirtualMarket(base_url="http://127.0.0.1:1", token_env="MINE")
    found = list(secrets_of(environ, [gateway], [str(file)]))
    assert found == ["one-secret", "two-secret", "from-a-file"]


def test_numbers_that_look_like_a_password_stay_numbers() -> None:
    """JSON stays JSON: only text is starred, and text that is a number is a figure."""
    redactor = Redactor(["123456"])
    body = b'{"quantity":123456,"ts_ns":"1234567890","text":"pin 123456"}'
    assert redactor.clean(body) == b'{"quantity":123456,"ts_ns":"1234567890","text":"pin ***"}'


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdef", "sluice_0123abcd_secretsecret", "http://x/?session_id=77&a=1",
        "password=hunter2", "token%3dabc", "pwd=x1",
    ],
)  # fmt: skip
def test_what_is_shaped_like_a_secret_is_starred_though_nobody_named_it(text: str) -> None:
    shown = Redactor().text(text)
    assert "***" in shown
    assert not any(word in shown for word in ("abcdef", "secretsecret", "77", "hunter2", "3dabc", "x1"))


def test_each_line_of_the_log_is_one_object_whatever_it_is_told(tmp_path: Path) -> None:
    """5 000 strings of control characters, bidi marks, ANSI escapes and line ends: as many lines, all of them JSON."""
    log = Log(RotatingFile(tmp_path / "log.jsonl"), Redactor(), LiveClock())
    evil = ["\n", "\r\n", "\x1b[31m", "\u202e", "\u2028", "\x00", "\x85", '"}\n{"event":"x"}', "\ud800", "\x7f", "é"]
    for number in range(5_000):
        log.note(
            f"{evil[number % 11]}{number}",
            {"text": evil[(number * 7) % 11] * 3, "long": "x" * 10 if number else "y" * 9_999},
        )
        if number % 1_000 == 999:
            log.flush()
    log.close()
    lines = (tmp_path / "log.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == 5_000
    for line in lines:
        read = json.loads(line)
        assert all(str(value).isprintable() for value in read.values())
        assert len(read["long"]) <= FIELD_MAX
    assert log.dropped == 0


def test_a_log_turns_over_and_survives_being_moved_away(tmp_path: Path) -> None:
    """Ten files of a size, the oldest falls off; a file that logrotate took is made anew."""
    file = RotatingFile(tmp_path / "log.jsonl", size=100, files=3)
    for number in range(20):
        file.write(b"%030d\n" % number)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.jsonl", "log.jsonl.1", "log.jsonl.2"]
    assert (tmp_path / "log.jsonl").read_bytes().endswith(b"19\n")
    (tmp_path / "log.jsonl").rename(tmp_path / "taken")
    file.write(b"after\n")
    assert (tmp_path / "log.jsonl").read_bytes() == b"after\n"
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o777 == 0o600
    file.close()


def test_a_disk_that_does_not_take_it_loses_lines_and_counts_them(tmp_path: Path) -> None:
    """Nobody waits, nothing is raised."""
    (tmp_path / "file").write_text("in the way")
    log = Log(RotatingFile(tmp_path / "file" / "log.jsonl"), Redactor(), LiveClock())
    log.note("one", {})
    log.flush()
    assert (log.lines, log.dropped) == (1, 1)


def test_lines_name_the_order_they_are_about(tmp_path: Path) -> None:
    """``order`` is the client id in every line about one; a denial carries its code."""
    panel = Panel(tmp_path)
    place = {"account": str(ACCOUNT), "instrument": "CY.VSM", "side": "buy", "quantity": 1, "key": "k"}

    async def ask() -> None:
        panel.enable()
        async with panel.client(panel.token()) as client:
            assert (await client.post("/api/orders", json=place)).status_code == 409
            panel.session.log.flush()
            lines = (await client.get("/api/logs?order=operator-k-k")).json()
        assert [line["event"] for line in lines] == ["order denied"]
        assert lines[0]["code"]

    anyio.run(ask)
    log = Log(RotatingFile(tmp_path / "log.jsonl"), Redactor(), LiveClock())
    for seq, record in panel.run.journal.records():
        assert isinstance(record, OrderDenied | OperatorActed | LatchSet)
        log.on_record(seq, record)
    log.close()
    assert [line["event"] for line in last_lines(tmp_path / "log.jsonl", 1)] == ["order denied"]
