"""The vendor page's own Python and cURL examples, run as they stand but for the base URL, over a real socket."""

import json
import re
import shlex
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from engine.simulators.counter import CounterAccount, Opening, Share
from tests.easyths_simulator_builders import ServerAtHand, served

PAGE = (Path(__file__).parents[1] / "golden/easyths/page_examples.md").read_text(encoding="utf-8")
PAGE_URL = "http://127.0.0.1:7648"
EXAMPLES = dict(re.findall(r"^## (.+?)\n\n```\w+\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL))
BODIES = {title.partition(",")[0]: json.loads(text) for title, text in EXAMPLES.items() if title.endswith("body")}
CURLS = [title for title in EXAMPLES if title.endswith("cURL")]
AS_ON_THE_PAGE: dict[str, Any] = {
    "api_key": "your-api-key",
    # The page buys at 10.50: the share stands a little above it.
    "shares": (Share(code="600000.SH", name="浦发银行", price=12.3),),
    "account": CounterAccount(holdings=(Opening(code="600000.SH", quantity=1000, price=Decimal("10.50")),)),
}


def run_python(base_url: str) -> dict[str, Any]:
    """Execute the page's example; its names when it has ended."""
    names: dict[str, Any] = {}
    exec(compile(EXAMPLES["Python"].replace(PAGE_URL, base_url), "the page's example", "exec"), names)
    return names


def request_of(example: str, base_url: str) -> httpx.Request:
    """What curl would send: the options the page uses (-X, -H, -d)."""
    words = iter(shlex.split(example[example.index("curl ") :].replace("\\\n", " "))[1:])
    method, headers, body, url = "GET", {}, None, ""
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                body = next(words)
            case _:
                url = word.replace(PAGE_URL, base_url)
    return httpx.Request(method, url, headers=headers, content=body)


def check(title: str, body: Any) -> None:
    """Whether an answer is what the page shows for an example."""
    if title.startswith("health"):
        # The page's command for it has no key.
        assert (body["error"], body["message"]) == ("Unauthorized", "Missing authentication credentials")
        return
    assert (body["success"], body["message"]) == (True, "操作已添加到队列")
    assert re.fullmatch(r"[0-9a-f-]{36}", body["data"]["operation_id"])
    assert body["data"]["status"] in {"queued", "running"}


def test_every_example_of_the_page_is_here() -> None:
    """One of Python, three of cURL, thirteen bodies."""
    assert (len(CURLS), len(BODIES), "Python" in EXAMPLES) == (3, 13, True)


async def test_the_python_example(capsys: pytest.CaptureFixture[str]) -> None:
    """A purchase, its status, the holdings: submitted, followed and, a little later, done."""
    async with served(speed=20, **AS_ON_THE_PAGE) as (client, venue):
        base_url = str(client.base_url).rstrip("/")
        names = await anyio.to_thread.run_sync(run_python, base_url)
        shown = capsys.readouterr().out
        assert "'name': 'buy'" in shown
        assert "操作已添加到队列" in shown
        status = names["status"].json()["data"]
        assert status["operation_id"] == names["operation_id"]
        assert status["status"] in {"queued", "running", "completed"}
        holdings = names["response"].json()["data"]["operation_id"]
        key = {"authorization": "Bearer your-api-key"}
        result = await client.get(f"/api/v1/operations/{holdings}/result?timeout=30", headers=key)
        assert result.json()["data"][0]["证券代码"] == 600000
        bought = await client.get(f"/api/v1/operations/{names['operation_id']}/result?timeout=30", headers=key)
        assert bought.json()["data"] == {"stock_code": "600000", "price": "10.50", "quantity": 100}
        (entrust,) = venue.counter.entrusts(venue.clock.now_ns)
        assert (entrust.code, entrust.quantity, entrust.price) == ("600000.SH", 100, Decimal("10.50"))


@pytest.mark.parametrize("title", CURLS)
async def test_the_curl_examples_as_requests(title: str) -> None:
    """Each command, read into the request curl would send."""
    async with served(**AS_ON_THE_PAGE) as (client, _):
        response = await client.send(request_of(EXAMPLES[title], str(client.base_url).rstrip("/")))
        check(title, response.json())


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="no curl or bash here")
async def test_the_curl_examples_by_curl() -> None:
    """Each command run by curl; health once more by a server that has no key configured."""

    async def curl(script: str, client: httpx.AsyncClient) -> Any:
        command = script.replace(PAGE_URL, str(client.base_url).rstrip("/"))
        command = command.replace("curl ", "curl --silent --noproxy '*' ")
        done = await anyio.run_process(["bash", "-c", command], stderr=subprocess.STDOUT)
        return json.loads(done.stdout)

    async with served(**AS_ON_THE_PAGE) as (client, _):
        for title in CURLS:
            check(title, await curl(EXAMPLES[title], client))
    async with served(**AS_ON_THE_PAGE | {"api_key": "", "document_fields": True}) as (client, _):
        body = await curl(EXAMPLES["health, cURL"], client)
        assert (body["success"], body["message"]) == (True, "系统运行正常")
        assert body["data"]["components"] == {
            "automator": "connected",
            "logged_in": True,
            "plugins": {"loaded": 15},
        }


@pytest.mark.parametrize("generation", ["new", "old"])
@pytest.mark.parametrize("name", sorted(BODIES))
async def test_every_body_of_the_page_is_good(name: str, generation: str) -> None:
    """Each operation with the page's own params succeeds; its data has the fields the page shows."""
    server = ServerAtHand(generation=generation, shares=AS_ON_THE_PAGE["shares"], account=AS_ON_THE_PAGE["account"])
    response = await server.client.post(f"/api/v1/operations/{name}", json=BODIES[name])
    server.wait(20)
    body = (await server.result(response.json()["data"]["operation_id"])).json()
    result = body["data"]["result"] if generation == "old" else body
    assert result["success"] is True, result
    shown = {
        "buy": {"stock_code", "price", "quantity"},
        "sell": {"stock_code", "price", "quantity"},
        "funds_query": {"资金余额", "冻结金额", "可用金额", "可取金额", "股票市值", "总资产", "持仓盈亏"},
        "reverse_repo_buy": {"market", "time_range", "amount"},
        "condition_buy": {"stock_code", "target_price", "quantity"},
        "stop_loss_profit": {"stock_code", "stop_loss_percent", "stop_profit_percent"},
        "condition_order_cancel": {"stock_code", "order_type", "deleted_count"},
    }
    if name in shown:
        assert shown[name] <= set(result["data"])
    if generation == "old":
        more = {
            "buy": {"operation", "success", "message"},
            "reverse_repo_buy": {"success", "message"},
            "reverse_repo_query": {"reverse_repo_interest", "timestamp", "success", "message"},
            "condition_buy": {"operation", "success", "message"},
            "stop_loss_profit": {"operation", "success", "message"},
            "condition_order_query": {"condition_orders", "message", "timestamp", "success"},
            "condition_order_cancel": {"message", "timestamp", "success"},
        }
        assert more.get(name, set()) <= set(result["data"])
