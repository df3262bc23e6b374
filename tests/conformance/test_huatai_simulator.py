"""The HT face on the wire: envelope, bodies, HTML answers, sessions, the two servers (contracts/ht.md 1, 2, 3)."""

import json
import re
from typing import Any

import anyio
import httpx
import pytest

from engine.clock import LiveClock
from engine.control.cli_simulate import faces_and_ports
from engine.entropy import Entropy
from engine.simulators import PORTS, SIMULATORS
from engine.simulators.faults import Fault, Faults, Trigger
from engine.simulators.huatai import HuataiSimulator
from engine.simulators.serve import simulate
from tests.huatai_simulator_builders import OPEN_NS, HuataiAtHand
from tests.simulator_builders import running

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
EXPIRED, INVALID = "会话已超时，请重新连接或登录", "无效的会话ID，请重新连接或登录"
LOGIN = {"user": "12345678", "password": "your_trade_pwd", "comm_password": ""}
BUY = {"security": "600000", "price": 6.0, "amount": 100}


# --- envelope and HTTP ---


async def test_json_is_sorted_escaped_and_says_200_whatever_the_code() -> None:
    """The bytes of a good and of a bad answer."""
    server = HuataiAtHand()
    good = await server.get("balance")
    assert good.text.index('"code"') < good.text.index('"data"') < good.text.index('"message"')
    assert good.text.isascii()
    labels = list(good.json()["data"])
    assert labels == sorted(["资金余额", "可用金额", "可取金额", "股票市值", "总资产"])
    assert good.headers["content-type"] == "application/json"
    bad = await server.post("buy", {"price": 1})
    assert (bad.status_code, bad.json()) == (200, {"code": 400, "message": "缺少必填参数: security", "data": None})


async def test_each_connection_is_closed_after_its_answer() -> None:
    """By header and in fact, where the client would keep it."""
    app = HuataiSimulator(seed=7, pauses=0.0).app(LiveClock(start_ns=OPEN_NS), Entropy(7))
    async with running(app) as url:
        port = int(url.rpartition(":")[2])
        stream = await anyio.connect_tcp("127.0.0.1", port)
        async with stream:
            await stream.send(b"GET /api/trader/balance HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            with anyio.fail_after(5):
                while True:
                    try:
                        received += await stream.receive()
                    except anyio.EndOfStream:
                        break
        head = received.partition(b"\r\n\r\n")[0].lower()
        assert b"connection: close" in head
        assert b"server: werkzeug/" in head
        assert b"date: mon, 02 mar 2026 02:00:" in head


async def test_the_page_of_an_unknown_path_or_wrong_method_is_html_once_the_session_is_good() -> None:
    """404 and 405 with a session, 401 JSON without."""
    server = HuataiAtHand()
    for response, status, word in (
        (await server.get("nothing"), 404, "Not Found"),
        (await server.get("balance/"), 404, "Not Found"),
        (await server.get("buy"), 405, "Method Not Allowed"),
        (await server.get("connect"), 405, "Method Not Allowed"),
        (await server.post("balance"), 405, "Method Not Allowed"),
        (await server.client.get("http://server/"), 404, "Not Found"),
    ):
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert f"<h1>{word}</h1>" in response.text
    assert (await server.get("buy")).headers["allow"] == "OPTIONS, POST"
    for name in ("nothing", "buy", "connect"):
        refused = await server.get(name, session_id="none")
        assert (refused.status_code, refused.json()["message"]) == (401, INVALID)


PYTHON_SAYS = {
    "no body": (b"", "application/json", "400 Bad Request: Failed to decode JSON object: Expecting value: line 1"),
    "no json": (b"{bad", "application/json", "400 Bad Request: Failed to decode JSON object: Expecting property name"),
    "no utf-8": (b'"\xff"', "application/json", "400 Bad Request: Failed to decode JSON object: 'utf-8' codec"),
    "no type": (b"{}", "", "415 Unsupported Media Type: Did not attempt to load JSON data because the request"),
    "a form": (b"a=1", "application/x-www-form-urlencoded", "415 Unsupported Media Type"),
    "null": (b"null", "application/json", "argument of type 'NoneType' is not iterable"),
    "a number as code": (b'{"security": 600000, "price": 1, "amount": 1}', "application/json", "'int' object is not"),
    "a word as price": (
        b'{"security": "600000", "price": "x", "amount": 1}',
        "application/json; charset=utf-8",
        "could not convert string to float: 'x'",
    ),
    "no price": (b'{"security": "600000", "price": null, "amount": 1}', "application/vnd.x+json", "float() argument"),
    "half a share as text": (
        b'{"security": "600000", "price": 1, "amount": "100.5"}',
        "application/json",
        "invalid literal for int() with base 10: '100.5'",
    ),
    "no end of shares": (
        b'{"security": "600000", "price": 1, "amount": Infinity}',
        "application/json",
        "cannot convert float infinity to integer",
    ),
    "too deep": (b"[" * 100_000, "application/json", "maximum recursion depth exceeded"),
}


@pytest.mark.parametrize("name", sorted(PYTHON_SAYS))
async def test_a_body_that_can_not_be_used_is_a_500_in_the_envelope(name: str) -> None:
    """With the interpreter's or the framework's own sentence, HTTP 200, nothing sent."""
    body, kind, text = PYTHON_SAYS[name]
    server = HuataiAtHand()
    response = await server.client.post("buy", content=body, headers={"content-type": kind} if kind else {})
    reply = response.json()
    assert (response.status_code, reply["code"], reply["data"]) == (200, 500, None)
    assert reply["message"].startswith(f"买入失败: {text}"), reply
    assert server.counter.entrusts(server.clock.now_ns) == []


async def test_routes_that_read_no_body_take_none_and_any() -> None:
    """exit, cancel-all-entrusts, auto-ipo, refresh, close-pop-dialog."""
    server = HuataiAtHand(tools=True)
    for name, code in (
        ("cancel-all-entrusts", 400),
        ("auto-ipo", 400),
        ("refresh", 200),
        ("close-pop-dialog", 200),
        ("exit", 200),
    ):
        response = await server.client.post(name, content=b"{bad", headers={"content-type": "text/plain"})
        assert (response.status_code, response.json()["code"]) == (200, code), name


async def test_missing_fields_are_named_in_their_order() -> None:
    """400 in the envelope, the first that is missing."""
    server = HuataiAtHand(tools=True)
    for route, body, field in (
        ("sell", {"security": "600000"}, "price"),
        ("market-buy", {"security": "600000"}, "amount"),
        ("cancel-entrust", {}, "entrust_no"),
        ("login", {"user": "u", "password": "p"}, "comm_password"),
        ("wait", {}, "seconds"),
    ):
        assert await server.said(route, body) == {"code": 400, "message": f"缺少必填参数: {field}", "data": None}


# --- sessions ---


async def test_the_automatic_session_serves_calls_without_an_id() -> None:
    """A UUID4; a wrong id is refused, and does not fall back to it; header and body are not read."""
    server = HuataiAtHand()
    status = await server.status()
    assert re.fullmatch(UUID4, status["session_id"])
    assert status == {
        "is_logged_in": True,
        "session_id": status["session_id"],
        "created_at": "2026-03-02 10:00:30",
        "last_active": "2026-03-02 10:00:30",
        "is_auto_login": True,
    }
    assert (await server.get("balance", session_id=status["session_id"])).status_code == 200
    wrong = await server.get("balance", session_id="wrong")
    assert (wrong.status_code, wrong.json()) == (401, {"code": 401, "message": INVALID, "data": None})
    manual = HuataiAtHand(automatic=False)
    assert (await manual.get("balance")).status_code == 401
    session = (await manual.said("connect"))["data"]["session_id"]
    response = await manual.client.post("refresh", json={"session_id": session}, headers={"session_id": session})
    assert response.status_code == 401
    assert (await manual.post("refresh", session_id=session)).status_code == 200


async def test_any_accepted_call_renews_and_half_an_hour_without_one_ends_a_session() -> None:
    """Exactly 30 minutes still pass; then the first call hears of the time, the next ones of an unknown id."""
    server = HuataiAtHand()
    for _ in range(3):
        server.wait(30 * 60)
        assert (await server.get("session-status")).status_code == 200
    server.wait(30 * 60 + 0.001)
    first, second = await server.get("balance"), await server.get("balance")
    assert (first.status_code, first.json()["message"]) == (401, EXPIRED)
    assert (second.status_code, second.json()["message"]) == (401, INVALID)


async def test_an_expired_automatic_session_stays_dead_until_a_restart() -> None:
    """A manual session works by its id, is not the default, and is none for session-status."""
    server = HuataiAtHand(session_minutes=1)
    server.wait(61)
    assert (await server.get("balance")).json()["message"] == EXPIRED
    session = (await server.said("connect"))["data"]["session_id"]
    assert (await server.get("balance")).status_code == 401
    assert (await server.get("balance", session_id=session)).status_code == 200
    status = (await server.get("session-status", session_id=session)).json()
    assert status["data"] == {"is_logged_in": False, "session_id": None}
    server.venue.restart()
    assert (await server.get("balance")).status_code == 200
    assert (await server.get("balance", session_id=session)).json()["message"] == INVALID


async def test_session_status_speaks_of_the_automatic_session_alone() -> None:
    """Asked with a manual session's id, and after the client has died."""
    server = HuataiAtHand()
    own = (await server.status())["session_id"]
    session = (await server.said("connect"))["data"]["session_id"]
    await server.said("exit", session_id=session)
    status = (await server.get("session-status", session_id=own)).json()["data"]
    assert (status["session_id"], status["is_logged_in"], status["is_auto_login"]) == (own, True, True)
    assert (await server.get("session-status", session_id=session)).status_code == 401


async def test_connect_needs_no_password_and_echoes_the_path() -> None:
    """An empty text without one; another path, or no client, is 400."""
    server = HuataiAtHand()
    reply = await server.said("connect")
    assert (reply["code"], reply["message"], reply["data"]["exe_path"]) == (200, "成功连接客户端", "")
    path = "C:\\htzqzyb2\\xiadan.exe"
    assert (await server.said("connect", {"exe_path": path}))["data"]["exe_path"] == path
    failed = {"code": 400, "message": "连接客户端失败，请检查路径是否正确", "data": None}
    assert await server.said("connect", {"exe_path": "C:\\other.exe"}) == failed
    await server.said("exit")
    assert await server.said("connect") == failed


async def test_a_login_tries_the_password_only_where_the_client_is_not_running() -> None:
    """401 in the body with HTTP 200; what comm_password holds is not used."""
    server = HuataiAtHand()
    wrong = LOGIN | {"password": "wrong"}
    reply = await server.said("login", wrong)
    assert (reply["code"], reply["message"]) == (200, "登录成功")
    assert reply["data"]["main_window_title"] == "网上股票交易系统5.0"
    assert re.fullmatch(UUID4, reply["data"]["session_id"])
    await server.said("exit", session_id=reply["data"]["session_id"])
    assert await server.said("login", wrong) == {"code": 401, "message": "登录失败，请检查账号密码", "data": None}
    assert (await server.said("login", LOGIN | {"exe_path": "D:\\x.exe"}))["code"] == 500
    assert (await server.said("login", LOGIN))["code"] == 200
    assert (await server.data("balance"))["总资产"] > 0


async def test_exit_ends_the_client_for_everybody() -> None:
    """The caller's session goes with it; for the others reads look empty and orders are not sent."""
    server = HuataiAtHand()
    session = (await server.said("connect"))["data"]["session_id"]
    assert await server.said("exit", session_id=session) == {"code": 200, "message": "客户端已退出", "data": None}
    assert (await server.post("exit", session_id=session)).status_code == 401
    assert await server.data("balance") == {}
    for name in ("position", "today-entrusts", "today-trades", "cancel-entrusts"):
        assert await server.data(name) == []
    for name, body in (
        ("buy", BUY),
        ("market-sell", BUY),
        ("cancel-entrust", {"entrust_no": 101}),
        ("cancel-all-entrusts", None),
        ("refresh", None),
        ("auto-ipo", None),
    ):
        assert await server.said(name, body) == {"code": 400, "message": "未连接到客户端", "data": None}, name


async def test_a_lost_client_looks_the_same_from_the_start() -> None:
    """The switch; a login brings it back."""
    server = HuataiAtHand(client_lost=True)
    assert await server.data("balance") == {}
    assert (await server.status())["is_logged_in"] is True
    session = (await server.said("login", LOGIN))["data"]["session_id"]
    assert (await server.get("position", session_id=session)).json()["data"] != []


# --- the two servers ---


async def test_only_the_manual_server_has_the_tool_routes() -> None:
    """wait, check-pop-dialog and close-pop-dialog on B, session-status on A; ``tools`` overrides."""
    automatic, manual = HuataiAtHand(), HuataiAtHand(server="B")
    session = (await manual.said("connect"))["data"]["session_id"]
    for name in ("check-pop-dialog", "wait", "close-pop-dialog"):
        assert (await automatic.get(name)).status_code == 404
    assert (await automatic.post("wait", {"seconds": 0})).status_code == 404
    assert (await manual.get("session-status", session_id=session)).status_code == 404
    for server in (manual, HuataiAtHand(tools=True)):
        query = {"session_id": session} if server is manual else {}
        assert (await server.get("check-pop-dialog", **query)).json()["data"] == {"has_pop_dialog": False}
        server.venue.window.popup = "提示"
        assert (await server.get("check-pop-dialog", **query)).json()["data"] == {"has_pop_dialog": True}
        closed = {"code": 200, "message": "弹出对话框已关闭", "data": None}
        assert await server.said("close-pop-dialog", **query) == closed
        assert await server.said("close-pop-dialog", **query) == closed
        assert (await server.get("check-pop-dialog", **query)).json()["data"] == {"has_pop_dialog": False}


async def test_wait_takes_a_number_of_seconds() -> None:
    """One prints as 1.0; below nothing, and no number, are 500; the time really passes."""
    clock = LiveClock(speed=1000, start_ns=OPEN_NS)
    app = HuataiSimulator(seed=7, tools=True, pauses=0.0).app(clock, Entropy(7))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://server/api/trader/"
    ) as client:

        async def wait(seconds: Any) -> tuple[int, str]:
            body = json.dumps({"seconds": seconds})
            reply = (await client.post("wait", content=body, headers={"content-type": "application/json"})).json()
            return reply["code"], reply["message"]

        before = clock.now_ns
        assert await wait(20) == (200, "等待完成（20.0秒）")
        assert clock.now_ns - before >= 20e9
        assert await wait("0.5") == (200, "等待完成（0.5秒）")
        assert await wait(-1) == (500, "等待失败: sleep length must be non-negative")
        assert (await wait("long"))[0] == (await wait(float("inf")))[0] == (await wait(float("nan")))[0] == 500


# --- faults on the wire, registry ---


async def test_faults_are_drawn_by_route_class() -> None:
    """order, cancel, query, session and tool have scripts of their own; broken answers are HTML."""
    script = tuple(
        Trigger(call=1, route=route, fault=fault)
        for route, fault in (
            ("order", Fault.ERROR_AFTER),
            ("cancel", Fault.ERROR_BEFORE),
            ("query", Fault.MALFORMED),
            ("session", Fault.THROTTLED),
            ("tool", Fault.ERROR_BEFORE),
        )
    )
    server = HuataiAtHand(faults=Faults(script=script))
    for name in ("buy", "cancel-entrust", "refresh"):
        response = await server.post(name, BUY | {"price": server.below()})
        assert response.status_code == 500
        assert "<h1>Internal Server Error</h1>" in response.text
    assert (await server.get("session-status")).status_code == 429
    garbled = await server.get("position")
    assert garbled.status_code == 200
    assert "浦发银行" not in garbled.text
    entrust = server.counter.entrusts(server.clock.now_ns)[0]
    assert (entrust.code, entrust.request) == ("600000.SH", 1)
    assert sum(server.venue.faults.fired.values()) == 5
    assert (await server.get("position")).json()["code"] == 200


async def test_it_is_served_by_name_over_the_market_of_another() -> None:
    """In the registry, on the document's port, as ``ht`` too."""
    assert SIMULATORS["huatai"] is HuataiSimulator
    assert PORTS["huatai"] == 5000
    assert faces_and_ports(["ht=0"]) == {"huatai": 0}
    clock = LiveClock(start_ns=OPEN_NS)
    faces = {"virtual_market": SIMULATORS["virtual_market"](), "huatai": HuataiSimulator(pauses=0.0)}
    async with anyio.create_task_group() as group:

        async def ask(ports: Any) -> None:
            async with httpx.AsyncClient(trust_env=False) as client:
                url = f"http://127.0.0.1:{ports['huatai']}/api/trader/balance"
                assert (await client.get(url)).json()["data"]["总资产"] > 1_000_000
            group.cancel_scope.cancel()

        await simulate(faces, clock=clock, entropy=Entropy(7), on_ready=ask)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"session_minutes": 0}, "session_minutes must be above 0"),
        ({"pauses": -1.0}, "pauses is a factor"),
        ({"tick_seconds": 7.0}, "tick_seconds must divide a day"),
        ({"entrust_first": 0}, "entrust_first"),
    ],
)
def test_settings_that_can_not_be_are_named(settings: dict[str, Any], text: str) -> None:
    """One sentence each."""
    with pytest.raises(ValueError, match=text):
        HuataiSimulator(**settings)
