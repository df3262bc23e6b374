"""Notices: every channel against a real server, what is sent when, and which machines are never called."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from engine.clock import LiveClock
from engine.control.cli import main
from engine.control.notices import CHANNELS
from engine.control.notices.desk import Desk, Way, ways_of
from engine.control.notices.notice import Notice, NotTold, Picture, Severity
from engine.control.notices.picture import equity_picture
from engine.control.notices.posting import Poster, is_public
from engine.control.notices.sources import Sources
from engine.domain.errors import ConfigError
from engine.domain.events import Alert, KillLevel, LatchSet
from engine.domain.secret import Secret
from engine.domain.timestamps import MINUTE_NS, parse_time
from engine.runtime.daemon_settings import NoticesTable
from tests.daemon_builders import Pushed, in_days
from tests.simulator_builders import running

NOON_NS = parse_time("2026-03-02T12:00:00+08:00")
PNG = Picture("equity.png", b"\x89PNG\r\n\x1a\nnot really one")


class Heard:
    """A server that takes every post, and what it was told."""

    def __init__(self, answer: dict[str, Any] | None = None, status: int = 200) -> None:
        self.requests: list[tuple[str, dict[str, str], dict[str, str], bytes]] = []
        self.answer, self.status = answer or {"errcode": 0, "code": 0, "ok": True}, status
        self.app = Starlette(routes=[Route("/{rest:path}", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.requests.append(
            (request.url.path, dict(request.query_params), dict(request.headers), await request.body())
        )
        return JSONResponse(self.answer, self.status)

    def bodies(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(body) for _, _, _, body in self.requests]


def a_notice(text: str = "something", severity: Severity = Severity.WARNING, **more: Any) -> Notice:
    return Notice(**{"severity": severity, "about": "job:x", "text": text, "ts_ns": NOON_NS, **more})


async def sent(kind: str, heard: Heard, picture: Picture | None = None, **row: Any) -> str:
    """Send one through a channel of that kind to the server; gives what went wrong."""
    async with running(heard.app) as url:
        environ = {"URL": f"{url}/hook?key=k1", "SECRET": "SEC-word", "TOKEN": "1:tok"}
        table = NoticesTable(to={"one": {"kind": kind, **row}}, private_hosts=("127.0.0.1",), least="info")
        if kind == "telegram":
            table.to["one"]["base_url"] = url
        (way,) = ways_of(table, environ, "config x.toml")
        desk = Desk([way], table, name="paper")
        why = await desk.send_now(way, a_notice(picture=picture))
        await desk.close()
        return why


async def test_wecom_gets_a_text_and_the_picture_with_its_sum() -> None:
    """Two messages to the robot's address, the second an image with base64 and the MD5 of the bytes."""
    heard = Heard()
    assert await sent("wecom", heard, PNG, url="env:URL", mention_all=True) == ""
    text, image = heard.bodies()
    assert heard.requests[0][1] == {"key": "k1"}
    assert text["msgtype"] == "text"
    assert text["text"]["content"].startswith("! paper: job:x\nsomething")
    assert text["text"]["mentioned_list"] == ["@all"]
    assert base64.b64decode(image["image"]["base64"]) == PNG.body
    assert image["image"]["md5"] == hashlib.md5(PNG.body).hexdigest()


async def test_dingtalk_is_signed_in_the_address() -> None:
    """HMAC-SHA256 keyed with the secret over milliseconds, line feed and secret; the robot checks the same."""
    heard = Heard()
    assert await sent("dingtalk", heard, url="env:URL", secret="env:SECRET") == ""
    _, query, _, _ = heard.requests[0]
    wanted = hmac.digest(b"SEC-word", f"{query['timestamp']}\nSEC-word".encode(), "sha256")
    assert base64.b64decode(query["sign"]) == wanted
    assert len(query["timestamp"]) == 13
    assert heard.bodies()[0]["msgtype"] == "text"


async def test_feishu_is_signed_in_the_body() -> None:
    """HMAC-SHA256 over nothing, keyed with seconds, line feed and secret."""
    heard = Heard()
    assert await sent("feishu", heard, url="env:URL", secret="env:SECRET") == ""
    (body,) = heard.bodies()
    wanted = hmac.digest(f"{body['timestamp']}\nSEC-word".encode(), b"", "sha256")
    assert base64.b64decode(body["sign"]) == wanted
    assert (body["msg_type"], len(body["timestamp"])) == ("text", 10)


async def test_telegram_gets_a_message_and_a_photo() -> None:
    """The token is in the path; the photo is a file of a form."""
    heard = Heard()
    assert await sent("telegram", heard, PNG, token="env:TOKEN", chat="42") == ""
    (path, _, _, body), (photo_path, _, headers, form) = heard.requests
    assert (path, photo_path) == ("/bot1:tok/sendMessage", "/bot1:tok/sendPhoto")
    assert msgspec.json.decode(body)["chat_id"] == "42"
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert PNG.body in form
    assert b'name="photo"; filename="equity.png"' in form


async def test_a_webhook_can_check_who_posts() -> None:
    """The signature is over the seconds and the very body."""
    heard = Heard()
    assert await sent("webhook", heard, PNG, url="env:URL", secret="env:SECRET") == ""
    _, _, headers, body = heard.requests[0]
    seconds, _, mac = headers["x-sluice-signature"].removeprefix("t=").partition(",v1=")
    assert mac == hmac.digest(b"SEC-word", seconds.encode() + b"." + body, "sha256").hex()
    assert base64.b64decode(msgspec.json.decode(body)["picture"]) == PNG.body


@pytest.mark.parametrize(
    ("kind", "row", "answer"),
    [
        ("wecom", {"url": "env:URL"}, {"errcode": 93000, "errmsg": "invalid webhook url"}),
        ("dingtalk", {"url": "env:URL", "secret": "env:SECRET"}, {"errcode": 310000, "errmsg": "sign not match"}),
        ("feishu", {"url": "env:URL", "secret": "env:SECRET"}, {"code": 19021, "msg": "sign match fail"}),
        ("telegram", {"token": "env:TOKEN", "chat": "4"}, {"ok": False, "description": "chat not found"}),
        ("wecom", {"url": "env:URL"}, {"hello": 1}),
    ],
)
async def test_a_no_in_the_answer_is_told_as_one(kind: str, row: dict[str, Any], answer: dict[str, Any]) -> None:
    """These services answer 200 to what they refuse; the reason is theirs, and no secret is in it."""
    why = await sent(kind, Heard(answer), **row)
    assert "not taken" in why
    assert "SEC-word" not in why
    assert "1:tok" not in why


async def test_mail_carries_the_picture(tmp_path: Path) -> None:
    """Over a real SMTP conversation: sender, recipients, subject in any script, and the PNG attached."""
    async with a_mail_server() as (port, mails):
        table = NoticesTable(
            to={"one": {"kind": "mail", "host": "127.0.0.1", "port": port, "tls": "plain",
                        "sender": "sluice@example.org", "to": ["a@example.org", "b@example.org"]}},
        )  # fmt: skip
        (way,) = ways_of(table, {}, "config x.toml")
        desk = Desk([way], table, name="纸上")
        assert await desk.send_now(way, a_notice(picture=PNG)) == ""
    ((recipients, body),) = mails
    assert recipients == ["a@example.org", "b@example.org"]
    mail = message_from_bytes(body)
    (_, attached) = mail.get_payload()  # type: ignore[misc]
    assert attached.get_payload(decode=True) == PNG.body  # type: ignore[union-attr]
    from email.header import decode_header, make_header

    assert str(make_header(decode_header(mail["Subject"]))) == "! 纸上: job:x"


@asynccontextmanager
async def a_mail_server() -> AsyncIterator[tuple[int, list[tuple[list[str], bytes]]]]:
    """Enough of RFC 5321 to take a mail; gives its port and what it took."""
    mails: list[tuple[list[str], bytes]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipients: list[str] = []
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line.decode().strip()
            if word.upper().startswith("EHLO"):
                writer.write(b"250 here\r\n")
            elif word.upper().startswith("RCPT"):
                recipients.append(word.partition("<")[2].partition(">")[0])
                writer.write(b"250 yes\r\n")
            elif word.upper() == "DATA":
                writer.write(b"354 go on\r\n")
                mails.append((recipients, await reader.readuntil(b"\r\n.\r\n")))
                writer.write(b"250 taken\r\n")
            elif word.upper() == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 yes\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], mails


# --- who may be called ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.9", "172.16.5.4", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
        "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "2001:0:1::1",
    ],
)  # fmt: skip
async def test_private_addresses_are_refused_after_the_name_is_resolved(address: str) -> None:
    """Whatever the name, and whatever else it stands for: one private address is enough."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", address]

    assert not is_public(address)
    poster = Poster(Secret("https://looks.example/hook?key=k1"), "config", resolve=resolve)
    with pytest.raises(NotTold, match="private network"):
        await poster.post(b"{}")


@pytest.mark.parametrize(
    "text",
    [
        "http://example.org/x", "https://user:word@example.org/x", "ftp://example.org/", "file:///etc/passwd", "https://",
        "https://example.org/#x", "//example.org", "javascript:alert(1)", "",
    ],
)  # fmt: skip
def test_an_address_that_can_not_be_used_is_refused_without_being_shown(text: str) -> None:
    """At the start; the sentence has no part of it, as addresses hold keys."""
    with pytest.raises(ConfigError) as refused:
        Poster(Secret(text), "config x.toml, [notices.to.one]")
    assert "word" not in str(refused.value)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost"])
async def test_other_spellings_of_this_machine_are_this_machine(host: str) -> None:
    """The system's own resolver is asked, and its answer is judged."""
    poster = Poster(Secret(f"https://{host}/hook"), "config")
    with pytest.raises(NotTold, match=r"private network|not reachable"):
        await poster.post(b"{}")


async def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    """The name is resolved once a message: a second answer, to another machine, is never asked for."""
    heard, asked = Heard(), []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with running(heard.app) as url:
        poster = Poster(Secret(url.replace("127.0.0.1", "hook.test")), "config", private=["hook.test"], resolve=resolve)
        await poster.post(b"{}")
        await poster.close()
    assert asked == ["hook.test"]
    assert heard.requests[0][2]["host"].startswith("hook.test")


async def test_a_redirect_is_not_followed() -> None:
    """It would lead where nobody has looked."""
    app = Starlette(routes=[Route("/", lambda _r: RedirectResponse("http://127.0.0.1:1/"), methods=["POST"])])
    async with running(app) as url:
        poster = Poster(Secret(url), "config", private=["127.0.0.1"])
        with pytest.raises(NotTold, match="redirect"):
            await poster.post(b"{}")
        await poster.close()


# --- when -----------------------------------------------------------------------------------------------------------


class Ear:
    """A channel that keeps what it is sent; it can fail, or hang."""

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[tuple[str, str]] = []
        self.error = error
        self.tries = 0

    async def send(self, title: str, text: str, _picture: Picture | None) -> None:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.heard.append((title, text))

    async def close(self) -> None:
        """Nothing is open."""


def a_desk(clock: LiveClock, *ears: Ear, least: Severity = Severity.INFO, **table: Any) -> Desk:
    ways = [Way(name=f"way{n}", channel=ear, least=least) for n, ear in enumerate(ears)]
    return Desk(ways, NoticesTable(**table), name="run", clock=clock)


async def during(desk: Desk, story: Any) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.run)
        await story()
        tasks.cancel_scope.cancel()


def test_the_same_thing_is_told_once_within_its_time() -> None:
    """Three times within the hour is one message; after the hour it is told again."""

    async def day(time: Pushed) -> None:
        ear = Ear()
        desk = a_desk(time.clock, ear)

        async def story() -> None:
            for _ in range(3):
                desk.tell(a_notice("feed is gone"))
                await anyio.sleep(60)
            await anyio.sleep(3600)
            desk.tell(a_notice("feed is gone"))
            await anyio.sleep(1)

        await during(desk, story)
        assert len(ear.heard) == 2

    in_days("2026-03-02T12:00:00+08:00", day)


def test_more_than_the_rate_is_told_in_one_message_and_a_kill_is_always_sent() -> None:
    """Five an hour: of twenty warnings five are sent and fifteen come in one message later; the kill comes at once."""

    async def day(time: Pushed) -> None:
        ear = Ear()
        desk = a_desk(time.clock, ear, per_hour=5)

        async def story() -> None:
            for number in range(20):
                desk.tell(a_notice(f"thing {number}"))
            await anyio.sleep(1)
            assert len(ear.heard) == 5
            desk.tell(a_notice("HALT", Severity.CRITICAL))
            await anyio.sleep(1)
            assert ear.heard[5][0].startswith("!!! run")
            await anyio.sleep(2 * 3600)

        await during(desk, story)
        assert len(ear.heard) == 7
        assert ear.heard[6][0] == "! run: 15 held back"
        assert "thing 19" in ear.heard[6][1]

    in_days("2026-03-02T12:00:00+08:00", day)


def test_quiet_hours_hold_back_everything_but_a_kill() -> None:
    """23:00 to 07:00: the warning of 23:30 comes at 07:00, the latch of 02:00 at 02:00."""

    async def night(time: Pushed) -> None:
        ear = Ear()
        desk = a_desk(time.clock, ear, quiet_from="23:00", quiet_to="07:00")
        sources = Sources(desk.tell)
        (on_alert, on_latch) = (sources.watchers()[0][1], sources.watchers()[1][1])

        async def story() -> None:
            on_alert(Alert(ts_ns=time.clock.now_ns, about="symbol:X", text="no price for 60 s"))
            await anyio.sleep(2.5 * 3600)
            assert ear.heard == []
            on_latch(LatchSet(level=KillLevel.CANCEL, scope="all", cause="drill", who="a person", ts_ns=1))
            await anyio.sleep(1)
            assert [title for title, _ in ear.heard] == ["!!! run: kill all"]
            await anyio.sleep(5.6 * 3600)

        await during(desk, story)
        assert len(ear.heard) == 2
        assert "no price for 60 s" in ear.heard[1][1]

    in_days("2026-03-02T23:30:00+08:00", night)


@pytest.mark.parametrize("error", [NotTold("no"), OSError("gone"), RuntimeError("a bug"), AttributeError("a bug")])
def test_a_channel_that_fails_touches_nobody(error: Exception) -> None:
    """It is tried again, then given up; the other channel has its message, the desk lives on."""

    async def day(time: Pushed) -> None:
        broken, ear = Ear(error), Ear()
        desk = a_desk(time.clock, broken, ear)

        async def story() -> None:
            desk.tell(a_notice("HALT", Severity.CRITICAL))
            await anyio.sleep(1)
            assert len(ear.heard) == 1
            await anyio.sleep(600)
            broken.error = None
            desk.tell(a_notice("another"))
            await anyio.sleep(1)

        await during(desk, story)
        assert broken.tries == 6
        assert [title for title, _ in broken.heard] == ["! run: job:x"]
        assert desk.ways[0].failed == 1

    in_days("2026-03-02T12:00:00+08:00", day)


def test_a_line_that_is_full_drops_what_is_least() -> None:
    """Of a thousand that wait the stop of trading is still there."""
    desk = a_desk(LiveClock(), Ear())
    desk.tell(a_notice("HALT", Severity.CRITICAL))
    for number in range(1_000):
        desk.tell(a_notice(f"thing {number}"))
    (way,) = desk.ways
    assert len(way.waiting) == 500
    assert way.dropped == 501
    assert way.waiting[0].text == "HALT"


def test_least_says_what_a_channel_takes() -> None:
    """A channel for stops alone hears no warning."""
    desk = a_desk(LiveClock(), Ear(), least=Severity.CRITICAL)
    desk.tell(a_notice())
    assert not desk.ways[0].waiting
    desk.post(a_notice("the day"))
    assert len(desk.ways[0].waiting) == 1


# --- the picture, the command, the config ----------------------------------------------------------------------------


def test_the_equity_curve_is_a_png() -> None:
    """Two accounts, one of which nothing is known: a picture of the other, of the size it says."""
    from PIL import Image

    curve = [(NOON_NS + n * MINUTE_NS, 100.0 + n % 7) for n in range(5_000)]
    picture = equity_picture({"game": curve, "空": []}, title="virtual 2026-03-02", timezone="Asia/Shanghai")
    assert picture is not None
    import io

    shown = Image.open(io.BytesIO(picture.body))
    assert (shown.format, shown.size) == ("PNG", (800, 400))
    assert len(shown.convert("RGB").getcolors(100_000) or []) > 3
    assert equity_picture({"game": curve[:1]}, title="", timezone="UTC") is None


def test_a_channel_in_the_config_is_checked(tmp_path: Path) -> None:
    """Unknown kinds, wrong keys, and words where a place is asked for are one sentence with the place."""
    for row, wanted in (
        ({"kind": "wecon", "url": "env:URL"}, "did you mean wecom"),
        ({"kind": "wecom", "address": "env:URL"}, "there is no key 'address'"),
        ({"kind": "wecom", "url": "https://qyapi.weixin.qq.com/x?key=plain"}, "a secret is not written here"),
        ({"kind": "wecom", "url": "env:NOT_THERE"}, "NOT_THERE is not set"),
        ({"kind": "wecom", "url": "env:URL", "least": "loud"}, "least: 'loud' is none"),
        ({"kind": "mail", "host": "mx.example.org", "sender": "a", "to": ["b"], "tls": "plain"}, "on this machine"),
    ):
        with pytest.raises(ConfigError, match=wanted) as refused:
            ways_of(NoticesTable(to={"one": row}), {"URL": "https://x.example/"}, "config x.toml")
        assert "plain?" not in str(refused.value)
    assert sorted(CHANNELS) == ["dingtalk", "feishu", "mail", "telegram", "webhook", "wecom"]


def test_notify_test_says_of_each_channel_whether_it_arrived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One is refused (its host is private), so the exit code is 1 and the JSON says why."""
    from tests.cli_builders import CONFIG, ROOT, a_config

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HOOK", "https://127.0.0.1:1/hook")
    config = a_config(tmp_path, CONFIG + '\n[notices.to.ops]\nkind = "webhook"\nurl = "env:HOOK"\n')
    assert main(["notify", "test", "--config", str(config), "--json"]) == 1
    told = msgspec.json.decode(capsys.readouterr().out)
    assert "private network" in told["channels"]["ops"]
    assert told["ok"] is False
