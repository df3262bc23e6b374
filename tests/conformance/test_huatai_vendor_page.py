"""The vendor page's own flows against the simulated HT server: its Python, its Postman steps, its samples."""

import json
import re
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest

from engine.clock import LiveClock
from engine.entropy import Entropy
from engine.simulators.counter import DEFAULT_SHARES, CounterPace, Share
from engine.simulators.huatai import HuataiSimulator, as_documented
from engine.simulators.huatai.statements import NewShare
from tests.huatai_simulator_builders import OPEN_NS, HuataiAtHand, a_market
from tests.simulator_builders import running

GOLDEN = Path(__file__).parents[1] / "golden/huatai"
PAGE = (GOLDEN / "page_examples.md").read_text(encoding="utf-8")
ANSWERS = json.loads((GOLDEN / "page_answers.json").read_text(encoding="utf-8"))
PUBLIC_URL = "http://localhost:5000"
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
POSTMAN = re.findall(
    r"方法：(\w+)\n   - URL：`(\S+?)`(?:\n   - Body（raw/JSON）：\n     ```json\n(.*?)```)?", PAGE, flags=re.DOTALL
)
SAMPLE_ID = "a1b2c3d4-5678-90ef-ghij-klmnopqrstuv"
SHARES = (Share(code="600000.SH", name="浦发银行", price=10.35), *DEFAULT_SHARES[1:])
"""With 600000 near the 8.75 of the page on the day the tests are played."""
NEW_SHARES = (
    NewShare(code="787001.SH", name="新股甲", price=12.5, quantity=5000),
    NewShare(code="001366.SZ", name="新股乙", price=8.0, quantity=10_000),
)


def a_served(simulator: HuataiSimulator) -> Any:
    clock = LiveClock(start_ns=OPEN_NS, speed=400)
    return simulator.app(clock, Entropy(7), exchange=a_market(clock))


def run_python(base_url: str) -> dict[str, Any]:
    (example,) = PYTHON
    names: dict[str, Any] = {}
    exec(compile(example.replace(PUBLIC_URL, base_url), "7.1", "exec"), names)
    return names


@pytest.mark.parametrize("documented", [True, False])
async def test_the_python_example(documented: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Balance, purchase and the day's orders, from the documented server and from the real one."""
    make = as_documented if documented else HuataiSimulator
    app = a_served(make(seed=7, shares=SHARES, pace=CounterPace(submit_ms=600_000)))
    async with running(app) as url:
        names = await anyio.to_thread.run_sync(run_python, url)
    total, bought, entrusts = capsys.readouterr().out.splitlines()
    funds = names["balance_data"]["data"]
    assert funds["总资产"] > 1_000_000
    assert total == f"总资产: {funds['总资产']}"
    (entrust,) = app.state.venue.counter.entrusts(app.state.venue.clock.now_ns)
    assert (entrust.code, entrust.quantity, float(entrust.price)) == ("600000.SH", 100, 8.75)
    reply = json.loads(names["buy_response"].text)
    assert bought == f"买入结果: {reply}"
    assert "'委托价格': 8.75" in entrusts
    number = str(entrust.number)
    if documented:
        data = {"message": "success", "委托编号": "101", "合同编号": number}
        assert reply == {"code": 200, "message": "success", "data": data}
        assert f"'合同编号': '{number}'" in entrusts
    else:
        assert (reply["code"], reply["data"]["entrust_id"]) == (400, number)
        assert f"'合同编号': {number}," in entrusts


@pytest.mark.parametrize(
    "simulator",
    [
        as_documented(automatic=False, client_lost=True, seed=7),
        HuataiSimulator(server="B", client_lost=True, seed=7),
    ],
    ids=["documented", "B"],
)
async def test_the_postman_example(simulator: HuataiSimulator) -> None:
    """Login and holdings by the session it gave; without it, and with the page's sample of one, 401."""
    (login, position) = POSTMAN
    app = a_served(simulator)
    async with running(app) as url, httpx.AsyncClient(trust_env=False, timeout=30) as client:

        async def send(step: tuple[str, str, str], session: str) -> httpx.Response:
            method, address, body = step
            address = address.replace(PUBLIC_URL, url).replace(SAMPLE_ID, session)
            return await client.request(method, address, json=json.loads(body) if body else None)

        assert (await send(position, SAMPLE_ID)).status_code == 401
        reply = (await send(login, "")).json()
        assert (reply["code"], reply["message"]) == (200, "登录成功")
        holdings = (await send(position, reply["data"]["session_id"])).json()
        assert [int(row["证券代码"]) for row in holdings["data"]] == [1, 510300, 600000]
        assert (await send(position, "")).status_code == 401


# --- every sample of an answer ---

ORDER = {"security": "600000", "price": 8.75, "amount": 100}
LOGIN = {"user": "12345678", "password": "your_trade_pwd", "comm_password": "your_comm_pwd"}
BODIES: dict[str, Any] = {
    "POST /login": LOGIN,
    "POST /buy": ORDER,
    "POST /sell": ORDER,
    "POST /market-buy": {"security": "600000", "amount": 100, "ttype": "五档即时成交剩余撤销"},
    "POST /market-sell": {"security": "600000", "amount": 100, "ttype": "五档即时成交剩余转限价"},
}


def shape_of(value: Any) -> Any:
    """Names and kinds of a JSON value; of a list its first row."""
    if isinstance(value, dict):
        return {name: shape_of(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])]
    return type(value).__name__


def test_the_samples_are_all_of_the_pages_routes() -> None:
    """Twenty, each with a sample."""
    assert len(ANSWERS) == 20
    assert all(set(sample) == {"code", "message", "data"} for sample in ANSWERS.values())
    assert (len(PYTHON), [step[0] for step in POSTMAN]) == (1, ["POST", "GET"])


@pytest.mark.parametrize("route", [route for route in ANSWERS if route != "POST /wait"])
async def test_the_documented_server_answers_as_the_page_samples(route: str) -> None:
    """Code, message, names and kinds of every value."""
    server = HuataiAtHand(make=as_documented, shares=SHARES, new_shares=NEW_SHARES)
    await server.bought(server.last() + 0.02)
    resting = await server.bought()
    server.wait(1)
    method, name = route.split(" /")
    if method == "GET":
        response = await server.get(name)
    else:
        body = BODIES.get(route, {})
        if name == "cancel-entrust":
            body = {"entrust_no": resting["data"]["合同编号"]}
        response = await server.post(name, body)
    reply, sample = response.json(), ANSWERS[route]
    assert (response.status_code, reply["code"], reply["message"]) == (200, sample["code"], sample["message"])
    assert shape_of(reply["data"]) == shape_of(sample["data"])


async def test_the_errors_the_page_lists() -> None:
    """Its texts to the letter; the HTTP status is the code."""
    server = HuataiAtHand(make=as_documented, shares=SHARES)
    lost = HuataiAtHand(make=as_documented, client_lost=True)
    for response, code, text in (
        (await server.get("balance", session_id=SAMPLE_ID), 401, "无效的会话ID，请重新连接或登录"),
        (await server.post("login", {"user": "u", "password": "p"}), 400, "缺少必填参数：comm_password"),
        (await server.post("buy", ORDER | {"amount": 150}), 400, "委托数量不符合规则"),
        (await server.post("connect", {"exe_path": "D:\\none.exe"}), 400, "连接客户端失败，请检查路径是否正确"),
        (await lost.post("login", LOGIN | {"password": "wrong"}), 401, "登录失败，请检查账号密码"),
        (await lost.post("buy", ORDER), 400, "未连接到客户端"),
    ):
        assert (response.status_code, response.json()) == (code, {"code": code, "message": text, "data": None})
    assert server.counter.entrusts(server.clock.now_ns) == []
