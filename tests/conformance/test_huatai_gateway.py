"""Sessions, credentials, one request at a time, and words of failure: the HT gateway on the wire (contracts/ht.md)."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.responses import JSONResponse

from engine.clock import LiveClock
from engine.domain.errors import BadMessage, ConfigError, GatewayError, NotSent, OutcomeUnknown, Refused, SluiceError
from engine.domain.events import AccountLink, AccountObserved, Alert
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.gateways import GATEWAYS
from engine.gateways.huatai import texts
from engine.gateways.huatai.adapter import Huatai
from engine.gateways.huatai.credentials import Credentials, credentials_from
from engine.gateways.huatai.routes import ROUTES
from engine.gateways.huatai.session import LOGIN_AGAIN_NS
from engine.gateways.huatai.turns import Turns
from engine.gateways.surroundings import Surroundings
from engine.net.rate_limit import Priority
from tests.gateway_builders import HandClock, Notes, QuickClock
from tests.huatai_builders import (
    BALANCE,
    ENVIRON,
    EXPIRED,
    NOW_NS,
    SECRETS,
    SESSION,
    FarSide,
    a_gateway,
    a_holding,
    a_row,
    an_order,
    page,
)

CONFIG_INI = """\
[Trader]
# 华泰证券客户端可执行文件路径
exe_path = C:\\htzqzyb2\\xiadan.exe

[Account]
user = 12345678
password = 100%sure
comm_password = comm
"""


def surroundings(**more: Any) -> Surroundings:
    return Surroundings(**({"clock": QuickClock(NOW_NS), "entropy": Entropy(11), "environ": ENVIRON} | more))


# --- settings and credentials ---


def test_it_is_registered_under_both_its_names() -> None:
    """``huatai`` and ``ht`` are one gateway."""
    assert GATEWAYS["huatai"] is GATEWAYS["ht"] is Huatai


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ttype": "市价"}, "五档即时成交剩余撤销"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"keep_alive": "40m"}, "30m"),
        ({"timeout": "soon"}, "timeout"),
        ({"instruments": ("00700.HK",)}, "600000.SH"),
        ({"base_url": "https://10.1.2.3:5000", "account": "a"}, "programme_trading_reported"),
        ({"base_url": "https://broker.example", "account": "a"}, "programme_trading_reported"),
        ({"base_url": "http://10.1.2.3:5000", "account": "a", "programme_trading_reported": True}, "insecure_lan"),
    ],
)
def test_settings_that_can_not_be_name_the_mend(settings: dict[str, Any], words: str) -> None:
    """One sentence, before anything is asked."""
    with pytest.raises(ConfigError, match=words):
        Huatai(**settings).open(surroundings())


def test_a_reported_account_and_a_far_one_without_orders_open() -> None:
    """The report is wanted for orders to another machine; the page's own form of the address does as well."""
    Huatai(base_url="https://broker.example", account="a", programme_trading_reported=True).open(surroundings())
    Huatai(base_url="https://broker.example").open(surroundings())
    Huatai(base_url="http://[::1]:5000", account="a").open(surroundings())
    assert Huatai(base_url="http://127.0.0.1:5000/api/trader/").server == "http://127.0.0.1:5000"


def test_credentials_come_from_the_vendors_file(tmp_path: Path) -> None:
    """Sections and keys of the page's 8.1, per cent signs and Windows encodings too; the environment goes first."""
    path = tmp_path / "config.ini"
    for encoding in ("utf-8-sig", "gb18030"):
        path.write_bytes(CONFIG_INI.encode(encoding))
        path.chmod(0o600)
        found = credentials_from({}, ("U", "P", "C"), str(path), "gateway huatai")
        assert (found.user, found.password, found.comm_password) == ("12345678", "100%sure", "comm")
        assert found.exe_path == "C:\\htzqzyb2\\xiadan.exe"
    found = credentials_from({"U": "7", "P": "x", "C": ""}, ("U", "P", "C"), str(path), "gateway huatai")
    assert (found.user, found.password, found.exe_path) == ("7", "x", "C:\\htzqzyb2\\xiadan.exe")
    assert "x" not in repr(Credentials(password="x"))


@pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_credentials_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """With the command that mends it."""
    path = tmp_path / "config.ini"
    path.write_text(CONFIG_INI, encoding="utf-8")
    path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        Huatai(credentials_file=str(path)).open(surroundings(environ={}))


@pytest.mark.parametrize("text", ["[Account]\nuser = 1\n", "password = hunter2", "[Account]\nhunter2"])
def test_a_credentials_file_without_an_account_is_refused(tmp_path: Path, text: str) -> None:
    """And no line of it is quoted: it may be that of a password."""
    path = tmp_path / "config.ini"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="Account") as caught:
        Huatai(credentials_file=str(path)).open(surroundings(environ={}))
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match="can not be read"):
        Huatai(credentials_file=str(path) + "x").open(surroundings(environ={}))


def test_half_a_login_is_refused() -> None:
    """A user without a password is a slip of the environment."""
    with pytest.raises(ConfigError, match="SLUICE_HT_PASSWORD"):
        Huatai().open(surroundings(environ={"SLUICE_HT_USER": "1"}))


# --- ways in ---


async def test_the_automatic_login_needs_no_id() -> None:
    """session-status without an id says so; calls then go without one, and only the balance is read for proof."""
    far = FarSide()
    far.automatic = True
    async with a_gateway(far) as gateway:
        await gateway.connect()
        await gateway.call("position", {})
    assert far.names() == ["session-status", "balance", "position"]
    assert all(query == {} for _, query, _ in far.asked)


async def test_a_client_that_is_up_is_connected_without_a_password() -> None:
    """POST connect with a body, though an empty one; its id goes into every query from then on, and nowhere else."""
    far = FarSide()
    async with a_gateway(far, environ={}) as gateway:
        await gateway.connect()
        await gateway.call("position", {})
    assert far.names() == ["session-status", "connect", "balance", "position"]
    assert far.bodies("connect") == [{}]
    assert [query for _, query, _ in far.asked] == [{}, {}, {"session_id": SESSION}, {"session_id": SESSION}]
    assert all(SESSION not in value for headers in far.headers for value in headers.values())


async def test_a_client_that_is_down_is_logged_in() -> None:
    """With user, password, communication password and the program's place."""
    far = FarSide()
    far.client_up = False
    async with a_gateway(far, exe_path="C:\\htzqzyb2\\xiadan.exe") as gateway:
        await gateway.connect()
    assert far.names() == ["session-status", "connect", "login", "balance"]
    assert far.bodies("connect") == [{"exe_path": "C:\\htzqzyb2\\xiadan.exe"}]
    assert far.bodies("login") == [
        {
            "user": "12345678",
            "password": "secret-trade-word",
            "comm_password": "secret-comm-word",
            "exe_path": "C:\\htzqzyb2\\xiadan.exe",
        }
    ]


async def test_a_manual_server_has_no_status() -> None:
    """404 HTML there means: not offered; the way in is connect."""
    far = FarSide()
    far.automatic = True
    far.say("session-status", page(404))
    async with a_gateway(far) as gateway:
        await gateway.connect()
    assert far.names() == ["session-status", "connect", "balance"]


async def test_an_automatic_login_whose_client_died_is_not_believed() -> None:
    """``is_logged_in`` is no liveness: an empty balance and empty tables prove nothing, and the client is logged in."""
    far = FarSide()
    far.automatic, far.client_up = True, False
    far.say("balance", lambda _body: (200, "查询成功", BALANCE if far.client_up else {}))
    async with a_gateway(far) as gateway:
        await gateway.connect()
        assert gateway.session.id == SESSION
    assert "login" in far.names()


async def test_a_readable_table_proves_a_client_whose_labels_do_not() -> None:
    """Zeros of the balance alone do not keep us out (contract 5.1)."""
    far = FarSide()
    far.say("balance", (200, "查询成功", dict.fromkeys(BALANCE, 0.0)))
    far.table("today-entrusts", a_row())
    async with a_gateway(far) as gateway:
        await gateway.connect()
        assert gateway.session.id == SESSION
    assert far.names()[-1] == "today-entrusts"


async def test_a_wrong_password_is_a_config_error_and_tried_once() -> None:
    """Brokers lock accounts after a few: the same credentials are not sent again by this gateway."""
    far = FarSide()
    far.client_up = False

    def refuse(_body: dict[str, Any]) -> tuple[int, str, Any]:
        far.client_up = False
        return 401, "登录失败，请检查账号密码: secret-trade-word", None

    far.say("login", refuse)
    clock = QuickClock(NOW_NS)
    async with a_gateway(far, clock) as gateway:
        for _ in range(2):
            with pytest.raises(ConfigError, match="communication password is wrong") as caught:
                await gateway.connect()
            assert "secret-trade-word" not in str(caught.value)
            clock.now_ns += LOGIN_AGAIN_NS
        with pytest.raises(Refused, match="communication password is wrong"):
            await gateway.call("balance", {})
        assert gateway.router is not None
        with pytest.raises(NotSent, match="not logged in"):
            await gateway.router.submit([an_order()], gateway.router.encode([an_order()]))
    assert far.names().count("login") == 1
    assert "buy" not in far.names()


async def test_no_client_and_no_credentials_names_the_variables() -> None:
    """And says what the server said."""
    far = FarSide()
    far.client_up = False
    async with a_gateway(far, environ={}) as gateway:
        with pytest.raises(ConfigError, match=r"连接客户端失败.*SLUICE_HT_COMM_PASSWORD"):
            await gateway.connect()


async def test_after_a_login_without_an_answer_the_client_is_connected() -> None:
    """It may be up, and only the id of its session lost (contract 4); no second login so soon."""
    far = FarSide()
    far.client_up = False
    far.say("login", page(502))
    clock = QuickClock(NOW_NS)
    async with a_gateway(far, clock) as gateway:
        await gateway.connect()
        assert far.names() == ["session-status", "connect", "login", "connect", "balance"]
        far.client_up, far.sessions = False, set()
        far.asked.clear()
        gateway.session.lost()
        with pytest.raises(GatewayError, match="连接客户端失败"):
            await gateway.connect()
        assert "login" not in far.names()
        clock.now_ns += LOGIN_AGAIN_NS
        await gateway.connect()
        assert "login" in far.names()


async def test_a_server_that_is_not_there_is_not_sent() -> None:
    """So that the run tries again."""
    gateway = Huatai(base_url="http://127.0.0.1:1").open(surroundings())
    with pytest.raises(NotSent):
        await gateway.connect()
    await gateway.close()


# --- sessions that end ---


async def test_a_query_is_repeated_once_after_a_lost_session() -> None:
    """HTTP 401: a new session, and the same question; a second 401 is told."""
    far = FarSide()
    async with a_gateway(far) as gateway:
        await gateway.connect()
        far.sessions.clear()
        far.asked.clear()
        assert await gateway.call("balance", {}) == BALANCE
        assert far.names() == ["balance", "session-status", "connect", "balance", "balance"]
        far.say("position", JSONResponse({"code": 401, "message": EXPIRED, "data": None}, 401))
        far.asked.clear()
        with pytest.raises(Refused, match="30 minutes"):
            await gateway.call("position", {})
        assert far.names().count("position") == 2


async def test_an_order_that_meets_a_lost_session_is_refused_and_not_sent_again() -> None:
    """The new session is made before the next call, not for this one."""
    far = FarSide()
    async with a_gateway(far) as gateway:
        await gateway.connect()
        router = gateway.router
        assert router is not None
        far.sessions.clear()
        far.asked.clear()
        far.say("buy", (200, "success", {"message": "success", "entrust_id": "7"}))
        body = router.encode([an_order()])
        with pytest.raises(Refused, match="会话已超时"):
            await router.submit([an_order()], body)
        assert far.names() == ["buy"]
        await router.submit([an_order(client_id="s-2")], body)
        assert far.names() == ["buy", "session-status", "connect", "balance", "buy"]


async def test_a_session_401_in_the_envelope_counts_as_well() -> None:
    """The page says that HTTP status and code are equal; some build may do so."""
    far = FarSide()
    far.say("position", [(401, "无效的会话ID，请重新连接或登录", None), (200, "查询成功", [])])
    async with a_gateway(far) as gateway:
        await gateway.connect()
        assert await gateway.call("position", {}) == []


async def test_the_session_is_kept_by_a_call_that_touches_nothing() -> None:
    """session-status with the id; check-pop-dialog where that is not offered; neither where both are missing."""
    far = FarSide()
    async with a_gateway(far) as gateway:
        await gateway.connect()
        far.asked.clear()
        await gateway.client.keep_alive()
        assert far.asked == [("session-status", {"session_id": SESSION}, None)]
        far.say("session-status", page(404))
        far.say("check-pop-dialog", (200, "查询成功", {"has_pop_dialog": False}))
        await gateway.client.keep_alive()
        await gateway.client.keep_alive()
        assert far.names() == ["session-status", "session-status", "check-pop-dialog", "check-pop-dialog"]
        del far.answers["check-pop-dialog"]
        await gateway.client.keep_alive()
        far.sessions.clear()
        far.asked.clear()
        await gateway.client.keep_alive()
        assert far.names() == ["check-pop-dialog", "session-status", "connect", "balance"]


async def test_the_run_keeps_the_session_and_reads_the_account() -> None:
    """The session is renewed within its period of silence, the account read at its own; nobody is logged out."""
    far = FarSide()
    far.table("position", a_holding())
    told: list[Any] = []
    renewed = anyio.Event()

    def status(_body: dict[str, Any]) -> tuple[int, str, Any]:
        if far.names().count("session-status") >= 3:
            renewed.set()
        return 200, "会话状态查询成功", {"is_logged_in": False, "session_id": None}

    clock = LiveClock(speed=600, start_ns=NOW_NS)
    async with a_gateway(far, clock, account_poll="1h", keep_alive="2m") as gateway:
        await gateway.connect()
        far.asked.clear()
        far.say("session-status", status)
        async with anyio.create_task_group() as group:
            group.start_soon(gateway.run, told.append)
            with anyio.fail_after(20):
                await renewed.wait()
            group.cancel_scope.cancel()
    assert [type(event) for event in told] == [AccountLink, AccountObserved]
    assert told[0].up
    assert set(far.names()) == {"session-status", "balance", "position", "today-entrusts", "today-trades"}
    assert far.names().count("balance") == 1


async def test_an_account_that_can_not_be_read_is_an_alert() -> None:
    """Said once, with what the server said."""
    far = FarSide()
    clock = LiveClock(speed=120, start_ns=NOW_NS)
    async with a_gateway(far, clock) as gateway:
        await gateway.connect()
        far.say("balance", (200, "查询成功", dict.fromkeys(BALANCE, 0.0)))
        told: list[Any] = []
        heard = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(gateway.run, lambda event: (told.append(event), heard.set()))
            with anyio.fail_after(20):
                await heard.wait()
            group.cancel_scope.cancel()
    assert [type(event) for event in told] == [AccountLink, Alert]
    assert not told[0].up
    assert "only zeros" in told[1].text


async def test_the_account_is_read_after_an_order_and_not_twice_at_its_period() -> None:
    """Right after one that was placed; what the run itself read lately is not read again."""
    far = FarSide()
    far.say("buy", (200, "success", {"message": "success", "entrust_id": "7"}))
    told: list[Any] = []
    order = an_order()
    async with a_gateway(far, LiveClock(speed=600, start_ns=NOW_NS), account_poll="1h") as gateway:
        await gateway.connect()
        router = gateway.router
        assert router is not None
        first = await router.snapshot()
        observed = anyio.Event()

        def publish(event: Any) -> None:
            told.append(event)
            if isinstance(event, AccountObserved):
                observed.set()

        async with anyio.create_task_group() as group:
            group.start_soon(gateway.run, publish)
            await anyio.wait_all_tasks_blocked()
            assert [type(event) for event in told] == [AccountLink]
            await router.submit([order], router.encode([order]))
            with anyio.fail_after(20):
                await observed.wait()
            group.cancel_scope.cancel()
    assert [type(event) for event in told] == [AccountLink, AccountObserved]
    assert told[1].snapshot.as_of_ns > first.ts_ns
    assert far.names().count("position") == 2


# --- one at a time ---


async def test_one_request_at_a_time_half_a_second_apart() -> None:
    """Whoever asks, and however many: the window is one (contract 1)."""
    far = FarSide()
    clock = LiveClock(speed=10, start_ns=NOW_NS)
    async with a_gateway(far, clock) as gateway:
        await gateway.connect()
        far.asked.clear()
        began = clock.now_ns
        async with anyio.create_task_group() as group:
            for route in ("position", "today_entrusts", "today_trades", "cancel_entrusts", "refresh") * 2:
                if route == "refresh":
                    far.say("refresh", (200, "数据刷新完成", None))
                group.start_soon(gateway.call, route, {})
        assert far.busiest == 1
        assert len(far.asked) == 10
        assert clock.now_ns - began >= 9 * SECOND_NS // 2


async def test_orders_go_before_readings_that_wait() -> None:
    """A reading of the account lets them in between its questions."""
    clock = HandClock(NOW_NS)
    turns = Turns(clock, spacing_ns=SECOND_NS // 2, settle_ns=10 * SECOND_NS)
    order: list[str] = []

    async def take(name: str, priority: Priority) -> None:
        async with turns.turn(priority):
            order.append(name)

    async with anyio.create_task_group() as group:
        async with turns.turn(Priority.READ):
            for name, priority in (
                ("keep", Priority.BACKGROUND), ("read", Priority.READ), ("again", Priority.READ),
                ("order", Priority.ORDER),
            ):  # fmt: skip
                group.start_soon(take, name, priority)
                await anyio.wait_all_tasks_blocked()
        while len(order) < 4:
            await anyio.wait_all_tasks_blocked()
            clock.move(SECOND_NS // 2)
    assert order == ["order", "read", "again", "keep"]


async def test_after_a_request_without_an_answer_the_server_is_left_alone() -> None:
    """It goes on inside for ten seconds more; half a second is for those that were answered (5.1)."""
    clock = QuickClock(NOW_NS)
    turns = Turns(clock, spacing_ns=SECOND_NS // 2, settle_ns=10 * SECOND_NS)
    with pytest.raises(OutcomeUnknown):
        async with turns.turn(Priority.READ):
            raise OutcomeUnknown("no answer")
    async with turns.turn(Priority.READ):
        assert clock.now_ns == NOW_NS + 10 * SECOND_NS
    with pytest.raises(Refused):
        async with turns.turn(Priority.READ):
            raise Refused("an answer")
    async with turns.turn(Priority.READ):
        assert clock.now_ns == NOW_NS + 11 * SECOND_NS
    with pytest.raises(NotSent, match="was busy"):
        async with turns.turn(Priority.ORDER, SECOND_NS // 10):
            raise AssertionError


async def test_after_an_order_without_an_answer_no_other_is_begun_while_it_may_be_typed() -> None:
    """Two orders in one form come out with parts of both (contract 1). Readings go on, and so do withdrawals."""
    clock = QuickClock(NOW_NS)
    turns = Turns(clock, spacing_ns=SECOND_NS // 2, settle_ns=10 * SECOND_NS, late_ns=60 * SECOND_NS)
    with pytest.raises(OutcomeUnknown):
        async with turns.turn(Priority.ORDER, 12 * SECOND_NS):
            raise OutcomeUnknown("no answer")
    with pytest.raises(NotSent, match="nothing was sent"):
        async with turns.turn(Priority.ORDER, 12 * SECOND_NS):
            raise AssertionError
    async with turns.turn(Priority.ORDER):
        assert clock.now_ns == NOW_NS + 10 * SECOND_NS
    clock.now_ns += 50 * SECOND_NS
    async with turns.turn(Priority.ORDER, 12 * SECOND_NS):
        assert clock.now_ns >= NOW_NS + 60 * SECOND_NS


async def test_a_caller_that_went_away_leaves_the_server_busy() -> None:
    """A cancelled question is no answered one."""
    clock = QuickClock(NOW_NS)
    turns = Turns(clock, spacing_ns=SECOND_NS // 2, settle_ns=10 * SECOND_NS)
    with anyio.CancelScope() as scope:
        async with turns.turn(Priority.READ):
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    async with turns.turn(Priority.READ):
        assert clock.now_ns == NOW_NS + 10 * SECOND_NS


# --- answers ---


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (page(404), Refused, "does not offer"),
        (page(405), Refused, "does not offer"),
        (page(500), OutcomeUnknown, "HTTP 500"),
        (page(200), BadMessage, "no envelope"),
        (JSONResponse([1, 2]), BadMessage, "no envelope"),
        (JSONResponse({"code": 1}, 500), OutcomeUnknown, "code 1"),
        ((400, "未连接到客户端", None), Refused, "nobody is logged in"),
        ((500, "查询失败: x", None), OutcomeUnknown, "查询失败"),
    ],
)
async def test_failures_by_code_and_status(answer: Any, error: type[GatewayError], words: str) -> None:
    """Each failure is the error its reader must act on."""
    far = FarSide()
    far.say("position", answer)
    async with a_gateway(far) as gateway:
        await gateway.connect()
        with pytest.raises(error, match=words):
            await gateway.call("position", {})


@pytest.mark.parametrize(
    ("text", "english", "chinese"),
    [
        ("无效的会话ID，请重新连接或登录", "connect or login", "重新 connect"),
        ("缺少必填参数：comm_password", "SLUICE_HT_COMM_PASSWORD", "通讯密码"),
        ("委托数量不符合规则", "whole number of lots", "100 的整数倍"),
        ("连接客户端失败，请检查路径是否正确", "exe_path", "启动客户端"),
        ("登录失败，请检查账号密码", "password", "核对"),
        ("未连接到客户端", "connect or login first", "先 connect"),
    ],
)
def test_the_pages_six_errors_are_explained(text: str, english: str, chinese: str) -> None:
    """In both languages, behind the server's own words."""
    said = texts.explained(f"{text} ")
    assert said.startswith(text)
    assert english in said
    assert chinese in said
    assert texts.explained("另一句") == "另一句"


async def test_no_secret_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Session id and passwords are in no error, no note and no log, whatever the server repeats of them."""
    far = FarSide()
    notes = Notes()
    far.say("position", [(500, f"查询失败: {SESSION} secret-trade-word", None), page(500), page(404), page(200)])
    far.client_up = False
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    async with a_gateway(far, note=notes) as gateway:
        await gateway.connect()
        for _ in range(4):
            with pytest.raises(SluiceError) as caught:
                await gateway.call("position", {})
            error: BaseException | None = caught.value
            while error is not None:
                said.append(f"{error!r} {getattr(error, 'body', b'')!r}")
                error = error.__cause__ or error.__context__
        said += [repr(gateway.session.credentials), repr(notes.lines), caplog.text]
    assert "receive_response_headers" in caplog.text  # the library below us did write its log
    assert not [secret for secret in SECRETS for text in said if secret in text]


# --- every route by name ---

EVERY_ROUTE = [
    ("connect", {"exe_path": "C:\\x.exe"}, "POST", "/connect", {"exe_path": "C:\\x.exe"}),
    ("login", {"user": "u", "password": "p", "comm_password": "c", "exe_path": "e"}, "POST", "/login",
     {"user": "u", "password": "p", "comm_password": "c", "exe_path": "e"}),
    ("exit", {}, "POST", "/exit", None),
    ("session_status", {}, "GET", "/session-status", None),
    ("balance", {}, "GET", "/balance", None),
    ("position", {}, "GET", "/position", None),
    ("today-entrusts", {}, "GET", "/today-entrusts", None),
    ("today_trades", {}, "GET", "/today-trades", None),
    ("cancel_entrusts", {}, "GET", "/cancel-entrusts", None),
    ("buy", {"security": "000001", "price": "8.75", "amount": "100"}, "POST", "/buy",
     {"security": "000001", "price": 8.75, "amount": 100}),
    ("sell", {"security": "000001", "price": "8.75", "amount": "100"}, "POST", "/sell",
     {"security": "000001", "price": 8.75, "amount": 100}),
    ("market_buy", {"security": "000001", "amount": "100"}, "POST", "/market-buy",
     {"security": "000001", "amount": 100}),
    ("market_sell", {"security": "000001", "amount": "100", "ttype": "本方最优价格"}, "POST", "/market-sell",
     {"security": "000001", "amount": 100, "ttype": "本方最优价格"}),
    ("cancel_entrust", {"entrust_no": "87654321"}, "POST", "/cancel-entrust", {"entrust_no": "87654321"}),
    ("cancel_all_entrusts", {}, "POST", "/cancel-all-entrusts", None),
    ("auto_ipo", {}, "POST", "/auto-ipo", None),
    ("refresh", {}, "POST", "/refresh", None),
    ("wait", {"seconds": "0.5"}, "POST", "/wait", {"seconds": 0.5}),
    ("check_pop_dialog", {}, "GET", "/check-pop-dialog", None),
    ("close_pop_dialog", {}, "POST", "/close-pop-dialog", None),
]  # fmt: skip


@pytest.mark.parametrize(("route", "args", "method", "path", "body"), EVERY_ROUTE, ids=[row[0] for row in EVERY_ROUTE])
async def test_every_route_of_the_page_can_be_called(
    route: str, args: dict[str, str], method: str, path: str, body: Any
) -> None:
    """By name, with its parameters where the page has them; JSON declared where there is a body; data handed out."""
    seen: list[httpx.Request] = []
    data = {"session_id": SESSION, "has_pop_dialog": True, "message": "success", "entrust_id": "12345678"}

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"code": 200, "message": "success", "data": data})

    gateway = Huatai().open(surroundings(transport=lambda: httpx.MockTransport(handle)))
    given = args if route in ("connect", "login") else args | {"session_id": "an-id"}
    assert await gateway.call(route, given) == data
    await gateway.close()
    request = seen[-1]
    assert len(seen) == 1
    assert (request.method, request.url.path) == (method, f"/api/trader{path}")
    assert dict(request.url.params) == ({} if route in ("connect", "login") else {"session_id": "an-id"})
    assert (json.loads(request.content) if request.content else None) == body
    assert request.content.isascii()
    assert ("content-type" in request.headers) is (body is not None)
    assert request.headers["connection"] == "close"


def test_strategies_may_only_ask() -> None:
    """Readings are reads; nothing else is, nor is what hands out the session's id."""
    gateway = Huatai().open(surroundings())
    assert gateway.reads() == {
        "balance", "position", "today_entrusts", "today_trades", "cancel_entrusts", "check_pop_dialog",
    }  # fmt: skip
    assert set(gateway.routes()) == set(ROUTES)


@pytest.mark.parametrize(
    ("route", "args", "words"),
    [
        ("buy", {"security": "600000", "amount": "100"}, "price is missing"),
        ("buy", {"security": "600000", "amount": "100", "price": "nan"}, "no number"),
        ("buy", {"security": "600000", "amount": "1.5", "price": "8"}, "whole number"),
        ("wait", {"seconds": "60"}, "0 to 25"),
        ("wait", {"seconds": "-1"}, "0 to 25"),
        ("login", {}, "credentials"),
        ("balances", {}, "no route"),
        ("cancel", {"number": "5"}, "0 orders of today"),
    ],
)
async def test_a_call_by_hand_that_can_not_be_says_why(route: str, args: dict[str, str], words: str) -> None:
    """Before anything is sent."""
    far = FarSide()
    async with a_gateway(far, environ={}) as gateway:
        await gateway.connect()
        with pytest.raises(ConfigError, match=words):
            await gateway.call(route, args)
    assert not {"buy", "wait", "login", "cancel-entrust"} & set(far.names())


async def test_orders_by_hand_are_judged_like_any_other() -> None:
    """A number makes it placed, whatever the code; without one a failure is told as what it proves."""
    far = FarSide()
    order = {"security": "600000", "amount": "100", "price": "8.7"}
    async with a_gateway(far, account="") as gateway:
        await gateway.connect()
        far.say("buy", (400, "您确定要买入吗？", {"message": "您确定要买入吗？", "entrust_id": "123"}))
        assert (await gateway.call("buy", order))["entrust_id"] == "123"
        far.say("buy", (400, "您确定要买入吗？", {"message": "您确定要买入吗？", "entrust_id": ""}))
        with pytest.raises(OutcomeUnknown):
            await gateway.call("buy", order)
        far.say("buy", (400, "提交失败：可用资金不足", None))
        with pytest.raises(Refused, match="可用资金不足"):
            await gateway.call("buy", order)
        assert gateway.router is None
