"""The vendor page's own Python and cURL examples, run as they stand but for the base URL, over a real socket."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from engine.clock import LiveClock
from engine.entropy import Entropy
from engine.simulators.virtual_market import User, VirtualMarketSimulator
from tests.simulator_builders import OPEN_NS, running

PAGE = (Path(__file__).parents[1] / "golden/virtual_market/page_examples.md").read_text(encoding="utf-8")
PUBLIC_URL = "https://stock.leewater.online"
EXAMPLES = dict(re.findall(r"^## (.+?)\n\n```\w+\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL))


def a_served_market() -> Any:
    simulator = VirtualMarketSimulator(seed=7, users=(User(coins=1_000_000),))
    return simulator.app(LiveClock(start_ns=OPEN_NS), Entropy(7))


def run_python(title: str, base_url: str, names: dict[str, Any]) -> Any:
    """Execute one example in a name space that examples share, as a reader pasting them one after the other does."""
    exec(compile(EXAMPLES[title].replace(PUBLIC_URL, base_url), title, "exec"), names)
    return names["response"]


def request_of(example: str, base_url: str) -> httpx.Request:
    """What curl would send: the options the page uses (-X, -H, -d) and shell variables set before."""
    variables = dict(re.findall(r'^(\w+)="(.*)"$', example, flags=re.MULTILINE))
    command = example[example.index("curl ") :].replace("\\\n", " ")
    for name, value in variables.items():
        command = command.replace(f"${name}", value)
    words = iter(shlex.split(command)[1:])
    method, headers, body, url = "", {}, None, ""
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
                url = word.replace(PUBLIC_URL, base_url)
    return httpx.Request(method or ("POST" if body else "GET"), url, headers=headers, content=body)


def test_every_example_of_the_page_is_here() -> None:
    """Six of cURL and four of Python."""
    kinds = [title.rpartition(", ")[2] for title in EXAMPLES]
    assert (kinds.count("cURL"), kinds.count("Python")) == (6, 4)


async def test_the_python_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Login, stocks, portfolio and a purchase, each answered as the page shows."""
    app = a_served_market()
    names: dict[str, Any] = {}
    async with running(app) as base_url:

        async def run(title: str) -> Any:
            return await anyio.to_thread.run_sync(run_python, title, base_url, names)

        login = await run("2.1 login, Python")
        assert login.status_code == 200
        assert login.json()["user_id"] == "1481273488"
        assert "登录成功! Token: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" in capsys.readouterr().out
        stocks = (await run("3.1 stocks, Python")).json()
        assert {"CY": "晨宇科技", "DL": "大立农业"}.items() <= {row["stock_id"]: row["name"] for row in stocks}.items()
        assert (await run("4.1 portfolio, Python")).json()["user_name"] == "TimeXingjian"
        bought = (await run("4.2.1 buy, Python")).json()
        assert bought["success"] is True
        assert (await run("4.1 portfolio, Python")).json()["holdings_detailed"][0]["quantity"] == 100
    assert app.state.venue.ledger.holdings("TimeXingjian") == {"CY": 100}


CURL_ANSWERS = {
    "2.1 login, cURL": lambda body: body["login_id"] == "TimeXingjian" and body["token_type"] == "bearer",
    "3.1 stocks, cURL": lambda body: [row["stock_id"] for row in body][:2] == ["CY", "DL"],
    "3.2 stock, cURL": lambda body: body["stock_id"] == "CY" and body["name"] == "晨宇科技",
    "3.3 details, cURL": lambda body: body["index"] == 1 and len(body["kline_data_24h"]) == 288,
    "3.4 ranking, cURL": lambda body: body[0]["user_id"] == "1481273488" and "user_name" not in body[0],
    # Unchanged, the page's token is a place holder.
    "4.1 portfolio, cURL": lambda body: body == {"error": "无效的Token"},
}


@pytest.mark.parametrize("title", sorted(CURL_ANSWERS))
async def test_the_curl_examples_as_requests(title: str) -> None:
    """Each command, read into the request curl would send."""
    async with running(a_served_market()) as base_url, httpx.AsyncClient(trust_env=False) as client:
        response = await client.send(request_of(EXAMPLES[title], base_url))
        assert CURL_ANSWERS[title](response.json()), response.text


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="no curl or bash here")
async def test_the_curl_examples_by_curl() -> None:
    """Each command run by curl; the portfolio once more with the token of the login put in the place holder."""
    async with running(a_served_market()) as base_url:

        async def curl(script: str) -> Any:
            command = script.replace(PUBLIC_URL, base_url).replace("curl ", "curl --silent --noproxy '*' ")
            done = await anyio.run_process(["bash", "-c", command], stderr=subprocess.STDOUT)
            return json.loads(done.stdout)

        for title, is_right in CURL_ANSWERS.items():
            body = await curl(EXAMPLES[title])
            assert is_right(body), (title, body)
        token = (await curl(EXAMPLES["2.1 login, cURL"]))["access_token"]
        portfolio = await curl(EXAMPLES["4.1 portfolio, cURL"].replace("your_access_token_here", token))
        assert (portfolio["coins"], portfolio["user_name"]) == (1_000_000, "TimeXingjian")
