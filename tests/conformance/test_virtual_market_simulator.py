"""The simulated virtual market's routes, bodies and statuses, against its contract sections 1 to 4 and 6."""

import base64
import json
from typing import Any

import msgspec
import pytest

from engine.clock import ReplayClock
from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.simulators import SIMULATORS
from engine.simulators.exchange import Listing
from engine.simulators.virtual_market import User, VirtualMarketSimulator
from tests.simulator_builders import CLOSED_NS, OPEN_NS, MarketAtHand

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
INTERNAL = "500 Internal Server Error\n\nServer got itself in trouble"
CREDENTIALS = {"user_id": "TimeXingjian", "password": "your_password"}


async def test_login_answers_as_the_page_says() -> None:
    """200 with the four keys in order; the token's claims are chat id, login name and an end in 14 days."""
    market = MarketAtHand()
    response = await market.client.post("/api/auth/login", json=CREDENTIALS)
    body = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == JSON
    assert list(body) == ["access_token", "token_type", "user_id", "login_id"]
    assert (body["token_type"], body["user_id"], body["login_id"]) == ("bearer", "1481273488", "TimeXingjian")
    head, claims, _ = body["access_token"].split(".")
    assert head == "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    read = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert read == {"sub": "1481273488", "login_id": "TimeXingjian", "exp": (OPEN_NS + 14 * DAY_NS) // SECOND_NS}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b'{"user_id": "TimeXingjian", "password": "wrong"}', 401, "登录名或密码错误"),
        (b'{"user_id": "nobody", "password": "your_password"}', 401, "登录名或密码错误"),
        (b'{"user_id": "1481273488", "password": "your_password"}', 401, "登录名或密码错误"),
        (b'{"password": "your_password"}', 401, "登录名或密码错误"),
        (b'{"user_id": "TimeXingjian"}', 500, "服务器内部错误"),
        (b'{"user_id": "TimeXingjian", "password": 1}', 500, "服务器内部错误"),
        (b"", 500, "服务器内部错误"),
        (b"{", 500, "服务器内部错误"),
        (b"[]", 500, "服务器内部错误"),
        (b"\xff\xfe", 500, "服务器内部错误"),
        (b'{"user_id": "TimeXingjian", "password": "\\ud800"}', 401, "登录名或密码错误"),
    ],
)
async def test_login_failures(body: bytes, status: int, text: str) -> None:
    """Wrong names and passwords are 401, missing ones and bodies that are no object 500, both as JSON ``error``."""
    response = await MarketAtHand().client.post("/api/auth/login", content=body)
    assert (response.status_code, response.json()) == (status, {"error": text})
    assert response.headers["content-type"] == JSON


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (None, "未提供认证Token"),
        ("bearer {}", "未提供认证Token"),
        ("Token {}", "未提供认证Token"),
        ("Bearer  {}", "无效的Token"),
        ("Bearer x", "无效的Token"),
        ("Bearer a.b.c", "无效的Token"),
        ("Bearer {}x", "无效的Token"),
        ("Bearer é", "无效的Token"),
    ],
)
@pytest.mark.parametrize("route", ["GET /api/v1/portfolio", "POST /api/v1/trade/buy", "GET /api/auth/me/token"])
async def test_token_refusals(header: str | None, text: str, route: str) -> None:
    """A missing or other scheme and a bad token are two different 401s, on every private route."""
    market = MarketAtHand().log_in()
    token = market.client.headers.pop("authorization").removeprefix("Bearer ")
    headers = {} if header is None else {"authorization": header.replace("{}", token).encode("latin-1")}
    method, path = route.split()
    response = await market.client.request(method, path, headers=headers)
    assert (response.status_code, response.json()) == (401, {"error": text})


async def test_tokens_live_side_by_side_and_expire() -> None:
    """A second login leaves the first token good; both die after their settable life."""
    market = MarketAtHand(token_days=2.0)
    tokens = []
    for _ in range(2):
        tokens.append((await market.client.post("/api/auth/login", json=CREDENTIALS)).json()["access_token"])
        market.clock.now_ns += HOUR_NS
    for token in tokens:
        response = await market.client.get("/api/auth/me/token", headers={"authorization": f"Bearer {token}"})
        assert response.json() == {"access_token": token, "token_type": "bearer"}
    market.clock.now_ns += 2 * DAY_NS
    response = await market.client.get("/api/v1/portfolio", headers={"authorization": f"Bearer {tokens[1]}"})
    assert (response.status_code, response.json()) == (401, {"error": "Token已过期"})


async def test_a_registered_account_exists_once_the_robot_got_the_code() -> None:
    """Login fails before; afterwards it works, with 0 coins; a code lives five minutes; a name is taken once."""
    market = MarketAtHand()
    new = {"user_id": "neu", "password": "pw"}
    body = (await market.client.post("/api/auth/register", json=new)).json()
    assert body["success"] is True
    code = body["verification_code"]
    assert len(code) == 6
    assert code.isdigit()
    assert (await market.client.post("/api/auth/login", json=new)).status_code == 401
    assert market.venue.confirm(code, "777")
    login = (await market.client.post("/api/auth/login", json=new)).json()
    assert login["user_id"] == "777"
    assert market.ledger.coins("neu") == 0
    assert (await market.client.post("/api/auth/register", json=new)).status_code == 409
    late = (await market.client.post("/api/auth/register", json=new | {"user_id": "spät"})).json()
    market.clock.now_ns += 5 * MINUTE_NS
    assert not market.venue.confirm(late["verification_code"], "778")


async def test_a_forgotten_password_is_reset_by_its_code() -> None:
    """An unknown user is told so with HTTP 200; the code works once; old tokens stay good."""
    market = MarketAtHand().log_in()
    unknown = await market.client.post("/api/auth/forgot-password", json={"user_id": "nobody"})
    assert unknown.status_code == 200
    assert list(unknown.json()) == ["error"]
    code = (await market.client.post("/api/auth/forgot-password", json={"user_id": market.user})).json()["reset_code"]
    reset = {"user_id": market.user, "reset_code": code, "new_password": "new"}
    assert (await market.client.post("/api/auth/reset-password", json=reset)).json()["success"] is True
    assert (await market.client.post("/api/auth/reset-password", json=reset)).status_code == 400
    assert (await market.client.post("/api/auth/login", json=CREDENTIALS)).status_code == 401
    assert (await market.client.post("/api/auth/login", json=CREDENTIALS | {"password": "new"})).status_code == 200
    assert (await market.client.get("/api/v1/portfolio")).status_code == 200


async def test_the_stock_list_is_sorted_by_code_and_escaped() -> None:
    """All prices in one call; non-ASCII text goes out as \\uXXXX."""
    market = MarketAtHand()
    response = await market.client.get("/api/v1/stocks")
    rows = response.json()
    assert [row["stock_id"] for row in rows] == sorted(row["stock_id"] for row in rows)
    assert list(rows[0]) == ["stock_id", "name", "current_price"]
    assert (rows[0]["stock_id"], rows[0]["name"]) == ("CY", "晨宇科技")
    assert response.content.isascii()
    assert b'"name": "\\u6668\\u5b87\\u79d1\\u6280"' in response.content


@pytest.mark.parametrize("identifier", ["CY", "cy", "Cy", "晨宇科技", "1"])
async def test_a_stock_is_found_by_code_name_and_index(identifier: str) -> None:
    """Code in any case, name, and the place in code order from 1."""
    market = MarketAtHand()
    body = (await market.client.get(f"/api/v1/stock/{identifier}")).json()
    assert list(body) == ["stock_id", "name", "current_price", "previous_close", "industry", "volatility"]
    assert body["stock_id"] == "CY"
    assert (await market.client.get(f"/api/v1/stock/{identifier}/details")).json()["stock_id"] == "CY"


@pytest.mark.parametrize("identifier", ["XX", "0", "9", "-1", "晨宇"])
async def test_an_unknown_stock_is_told_in_three_ways(identifier: str) -> None:
    """Light, details and bars have each their own 404 body."""
    client = MarketAtHand().client
    light = await client.get(f"/api/v1/stock/{identifier}")
    assert (light.status_code, light.json()) == (404, {"error": "Stock not found"})
    details = await client.get(f"/api/v1/stock/{identifier}/details")
    assert (details.status_code, details.json()) == (404, {"error": f'Stock with identifier "{identifier}" not found'})
    kline = await client.get(f"/api/kline/{identifier}")
    assert (kline.status_code, kline.json()) == (404, {"error": "not found"})


async def test_details_cover_288_bars_and_measure_the_change_from_the_first() -> None:
    """A day and a half of bars with naive local dates; ``day_open`` is the first one's open, not today's."""
    market = MarketAtHand()
    body = (await market.client.get("/api/v1/stock/CY/details")).json()
    assert list(body) == [
        *("index", "stock_id", "name", "current_price", "change", "change_percent", "day_open", "day_close"),
        *("short_term_trend", "kline_data_24h"),
    ]
    bars = body["kline_data_24h"]
    assert len(bars) == 288
    assert list(bars[0]) == ["date", "open", "high", "low", "close"]
    assert bars[-1]["date"] == "2026-03-02T10:00:00"
    assert bars[-1]["close"] == body["current_price"] == body["day_close"]
    assert bars[0]["date"] == "2026-02-28T18:05:00"
    assert body["day_open"] == bars[0]["open"]
    assert body["change"] == round(body["current_price"] - bars[0]["open"], 2)
    assert body["change_percent"] == round(body["change"] / bars[0]["open"] * 100, 2) or body["change"] != 0
    assert body["short_term_trend"] in {"看涨", "看跌", "盘整"}


async def test_a_stock_just_listed_has_no_bars() -> None:
    """Details 200 with an empty list, bars 404 until there are two, previous close 0.0, overview without numbers."""
    market = MarketAtHand()
    market.exchange.list_stock(Listing(code="NN", name="新股", price=5.0), OPEN_NS)
    details = (await market.client.get("/api/v1/stock/NN/details")).json()
    assert (details["kline_data_24h"], details["change"], details["current_price"]) == ([], 0.0, 5.0)
    assert (await market.client.get("/api/v1/stock/NN")).json()["previous_close"] == 0.0
    row = next(r for r in (await market.client.get("/api/v1/market/overview")).json() if r["代码"] == "NN")
    assert (row["1小时内最高价"], row["5周期均线"], row["较5分钟前涨跌"]) == (
        None,
        None,
        {"value": None, "percent": None},
    )
    assert row["短期趋势"] == "数据不足"
    for minutes, status in ((0, 404), (5, 404), (5, 200)):
        market.clock.now_ns += minutes * MINUTE_NS
        assert (await market.client.get("/api/kline/NN")).status_code == status


async def test_the_overview_has_its_chinese_keys() -> None:
    """One row a stock; the mean of five closes is not rounded."""
    market = MarketAtHand()
    rows = (await market.client.get("/api/v1/market/overview")).json()
    assert list(rows[0]) == [
        *("股票名称", "代码", "当前价格", "1小时内最高价", "1小时内最低价", "5周期均线", "较5分钟前涨跌", "短期趋势")
    ]
    bars = list(market.exchange.stocks[0].bars)
    assert rows[0]["5周期均线"] == sum(bar.close for bar in bars[-5:]) / 5
    assert rows[0]["1小时内最高价"] == max(bar.high for bar in bars[-12:])
    assert rows[0]["较5分钟前涨跌"]["value"] == round(bars[-1].close - bars[-1].open, 2)
    assert rows[0]["短期趋势"] in {"上涨", "下跌", "震荡"}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 288),
        ("period=1d", 288),
        ("period=nonsense", 288),
        ("padding=100", 388),
        ("padding=999999", "all"),
        ("padding=-286", 2),
        ("padding=-288", "all"),
        ("padding=-289", "all but one"),
    ],
)
async def test_padding_cuts_the_bars_as_the_venue_cuts_them(query: str, count: int | str) -> None:
    """288 + padding from the end; from -288 on the cut turns over and gives nearly all."""
    market = MarketAtHand()
    bars = (await market.client.get(f"/api/kline/CY?{query}")).json()["kline_history"]
    everything = len(market.exchange.stocks[0].bars)
    assert everything > 388
    assert len(bars) == {"all": everything, "all but one": everything - 1}.get(str(count), count)
    if count != "all":
        assert bars[-1]["date"] == "2026-03-02T10:00:00"


async def test_long_periods_give_wider_bars_labelled_by_the_left_edge() -> None:
    """7d: half hours; 30d: hours; the last one unfinished; no integer for padding is a 500 text."""
    market = MarketAtHand(OPEN_NS + 20 * MINUTE_NS)
    raw = {bar.ts_ns: bar for bar in market.exchange.stocks[0].bars}
    half_hours = (await market.client.get("/api/kline/CY?period=7d")).json()["kline_history"]
    hours = (await market.client.get("/api/kline/CY?period=30d")).json()["kline_history"]
    assert [bar["date"] for bar in half_hours[-2:]] == ["2026-03-02T09:30:00", "2026-03-02T10:00:00"]
    assert [bar["date"] for bar in hours[-2:]] == ["2026-03-02T09:00:00", "2026-03-02T10:00:00"]
    left = parse_time("2026-03-02T09:30:00", "Asia/Shanghai")
    slots = [raw[left + n * 5 * MINUTE_NS] for n in range(6)]
    assert half_hours[-2] == {
        "date": "2026-03-02T09:30:00",
        "open": slots[0].open,
        "high": max(bar.high for bar in slots),
        "low": min(bar.low for bar in slots),
        "close": slots[-1].close,
    }
    broken = await market.client.get("/api/kline/CY?padding=x")
    assert (broken.status_code, broken.text) == (500, INTERNAL)


async def test_a_restart_repeats_a_date_on_the_wire() -> None:
    """Two bars of one date, the second opening where the first closed (contract 4)."""
    market = MarketAtHand()
    market.venue.restart()
    bars = (await market.client.get("/api/kline/CY?padding=-286")).json()["kline_history"]
    assert bars[0]["date"] == bars[1]["date"] == "2026-03-02T10:00:00"
    assert bars[1]["open"] == bars[0]["close"]


async def test_the_chart_marks_the_holdings_of_a_user_hash() -> None:
    """A hash is given for digits alone; with it the bars come with the purchases of that stock."""
    market = MarketAtHand().log_in()
    bad = await market.client.get("/api/get_user_hash?qq_id=abc")
    assert (bad.status_code, bad.json()) == (400, {"error": "无效的QQ号"})
    mark = (await market.client.get("/api/get_user_hash?qq_id=1481273488")).json()["user_hash"]
    await market.said("buy", stock_id="CY", quantity=3)
    held = (await market.client.get(f"/api/kline/CY?user_hash={mark}")).json()["user_holdings"]
    assert [row["quantity"] for row in held] == [3]
    assert (await market.client.get("/api/kline/DL?user_hash=none")).json()["user_holdings"] == []


async def test_portfolio_of_a_flat_account() -> None:
    """Integers where the venue writes integers: coins, counts, and a profit of 0."""
    market = MarketAtHand().log_in()
    response = await market.client.get("/api/v1/portfolio")
    assert response.text == json.dumps(
        {
            "user_id": "1481273488",
            "total_assets": 1000000.0,
            "coins": 1000000,
            "stock_value": 0.0,
            "company_assets": 0,
            "bank_deposits": 0.0,
            "bank_loans": 0.0,
            "holdings_count": 0,
            "holdings_detailed": [],
            "total_pnl": 0,
            "total_pnl_percent": 0,
            "user_name": "TimeXingjian",
        }
    )


async def test_portfolio_of_an_account_with_holdings() -> None:
    """Rows round to two decimals, the total profit does not; company and bank count as assets and are not coins."""
    user = User(coins=10_000, company_assets=50_000, bank_deposits=200.0, bank_loans=75.0)
    market = MarketAtHand(users=(user,)).log_in()
    market.price("CY", 38.0)
    await market.said("buy", stock_id="CY", quantity=100)
    market.price("CY", 39.01)
    await market.said("buy", stock_id="CY", quantity=50)
    market.price("CY", 37.9)
    body: dict[str, Any] = (await market.client.get("/api/v1/portfolio")).json()
    assert body["coins"] == 10_000 - 3800 - 1950
    assert body["holdings_detailed"] == [
        {
            "stock_id": "CY",
            "name": "晨宇科技",
            "quantity": 150,
            "avg_cost": 38.34,
            "market_value": 5685.0,
            "pnl": -65.5,
            "pnl_percent": -1.14,
        }
    ]
    assert body["stock_value"] == 5685.0
    assert body["total_pnl"] == 150 * 37.9 - 5750.5
    assert body["total_assets"] == 4250 + 5685.0 + 50_000 + 200.0 - 75.0


async def test_a_delisted_stock_is_counted_and_not_shown() -> None:
    """``holdings_count`` counts it; list and value do not."""
    market = MarketAtHand().log_in()
    for code in ("CY", "DL"):
        await market.said("buy", stock_id=code, quantity=10)
    market.exchange.delist("DL", OPEN_NS)
    body = (await market.client.get("/api/v1/portfolio")).json()
    assert body["holdings_count"] == 2
    assert [row["stock_id"] for row in body["holdings_detailed"]] == ["CY"]


async def test_ranking_has_no_user_name_and_cuts_as_the_venue_cuts() -> None:
    """Richest first, only those above 0, ``limit`` as a cut: 0 gives none, negative cuts at the end."""
    users = tuple(User(login=f"u{n}", chat_id=str(n), coins=coins) for n, coins in enumerate((50, 900, 0, 300)))
    client = MarketAtHand(users=users).client
    rows = (await client.get("/api/v1/ranking")).json()
    assert [row["user_id"] for row in rows] == ["1", "3", "0"]
    assert "user_name" not in rows[0]
    for limit, expected in (("2", ["1", "3"]), ("0", []), ("-1", ["1", "3"]), ("99", ["1", "3", "0"])):
        rows = (await client.get(f"/api/v1/ranking?limit={limit}")).json()
        assert [row["user_id"] for row in rows] == expected
    broken = await client.get("/api/v1/ranking?limit=x")
    assert (broken.status_code, broken.headers["content-type"], broken.text) == (500, TEXT, INTERNAL)


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/api/v1/nothing", 404, "404: Not Found"),
        ("GET", "/api/v1/stocks/", 404, "404: Not Found"),
        ("POST", "/api/auth/login/", 404, "404: Not Found"),
        ("GET", "/", 404, "404: Not Found"),
        ("POST", "/api/v1/stocks", 405, "405: Method Not Allowed"),
        ("GET", "/api/v1/trade/buy", 405, "405: Method Not Allowed"),
        ("OPTIONS", "/api/v1/stocks", 405, "405: Method Not Allowed"),
        ("OPTIONS", "/api/v1/trade/buy", 405, "405: Method Not Allowed"),
    ],
)
async def test_unknown_paths_and_methods_are_plain_text(method: str, path: str, status: int, text: str) -> None:
    """404 and 405 as text; a trailing slash is another path."""
    response = await MarketAtHand().client.request(method, path)
    assert (response.status_code, response.text) == (status, text)
    assert response.headers["content-type"] == TEXT


async def test_head_works_on_get_paths_and_headers_are_the_venues() -> None:
    """The date is the simulator's clock in UTC, the server says aiohttp, nothing allows other origins."""
    response = await MarketAtHand().client.head("/api/v1/stocks")
    assert response.status_code == 200
    assert response.headers["date"] == "Mon, 02 Mar 2026 02:00:30 GMT"
    assert "aiohttp" in response.headers["server"]
    assert not any(name.startswith("access-control") for name in response.headers)


async def test_prices_follow_the_clock_and_bars_end_at_the_mark() -> None:
    """Between marks the list is the same; at the mark all stocks move and the bar is dated with it."""
    market = MarketAtHand()
    before = (await market.client.get("/api/v1/stocks")).json()
    market.clock.now_ns += 4 * MINUTE_NS
    assert (await market.client.get("/api/v1/stocks")).json() == before
    market.clock.now_ns += 30 * SECOND_NS
    after = (await market.client.get("/api/v1/stocks")).json()
    assert after != before
    last = (await market.client.get("/api/kline/CY?padding=-287")).json()["kline_history"][0]
    assert (last["date"], last["close"]) == ("2026-03-02T10:05:00", after[0]["current_price"])
    assert last["open"] == before[0]["current_price"]


async def test_closed_hours_bring_no_bars() -> None:
    """At 3 in the morning the last bar is yesterday's 23:55; hours are a setting."""
    night = MarketAtHand(CLOSED_NS)
    assert (await night.client.get("/api/kline/CY")).json()["kline_history"][-1]["date"] == "2026-03-01T23:55:00"
    awake = MarketAtHand(CLOSED_NS, hours=(0, 24))
    assert (await awake.client.get("/api/kline/CY")).json()["kline_history"][-1]["date"] == "2026-03-02T03:00:00"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"nonsense": 1}, "unknown field"),
        ({"hours": [9, 9]}, "hours must be"),
        ({"tick_minutes": 7}, "divide a day"),
        ({"rate_limits": "none"}, "rate_limits"),
        ({"whitelist": ["not an address"]}, "does not appear to be"),
        ({"stocks": [{"code": "A", "name": "a", "price": 1}, {"code": "A", "name": "b", "price": 1}]}, "same code"),
        ({"faults": {"probabilities": {"*": {"cut": 0.7, "delay": 0.7}}}}, "at most 1"),
        ({"users": [{"login": "x", "coins": "many"}]}, "coins"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    """A mistake in the settings names its place when they are read."""
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(settings, VirtualMarketSimulator)


def test_the_registry_makes_every_simulator_from_an_empty_table() -> None:
    """Each entry of SIMULATORS is its own settings, and the defaults are enough."""
    assert set(SIMULATORS) >= {"virtual_market", "stream"}
    for kind in SIMULATORS.values():
        assert msgspec.convert({}, kind) == kind()


async def test_a_restarted_simulator_goes_on_where_it_ended(tmp_path: Any) -> None:
    """With a state file: the same prices, coins, lots, trades and tokens; the account is not opened anew."""
    path = str(tmp_path / "state.json")
    first = MarketAtHand(state_path=path, seed=None).log_in()
    await first.said("buy", stock_id="CY", quantity=1000)
    first.clock.now_ns += 2 * HOUR_NS
    await first.said("sell", stock_id="CY", quantity=400)
    second = MarketAtHand(first.clock.now_ns, state_path=path, seed=None)
    assert second.venue.requests == 2
    second.client.headers["authorization"] = first.client.headers["authorization"]
    for route in ("/api/v1/portfolio", "/api/v1/stocks", "/api/kline/CY?padding=9000"):
        assert (await second.client.get(route)).content == (await first.client.get(route)).content
    assert second.ledger.trades("TimeXingjian") == first.ledger.trades("TimeXingjian")
    assert "your_password" not in (tmp_path / "state.json").read_text()


def test_a_state_file_that_can_not_be_used_is_named(tmp_path: Any) -> None:
    """Garbage, and a clock before the file's time, are a user's mistakes with a mend."""
    path = tmp_path / "state.json"
    path.write_text("{")
    with pytest.raises(ConfigError, match="delete it"):
        MarketAtHand(state_path=str(path))
    path.unlink()
    MarketAtHand(state_path=str(path))
    with pytest.raises(ConfigError, match="start the clock later"):
        MarketAtHand(OPEN_NS - DAY_NS, state_path=str(path))


async def test_a_replaying_market_plays_the_bars_it_is_given() -> None:
    """The last price is the last bar's close up to now; the others walk; settings and bars must fit."""
    clock = ReplayClock(OPEN_NS)
    mark = OPEN_NS - 30 * SECOND_NS
    minutes = range(-60, 60)
    bars = [
        Bar(InstrumentId("CY.VSM"), mark + m * MINUTE_NS, 20.0, 21.0 + m / 100, 19.0, 20.0 + m / 100) for m in minutes
    ]
    settings = VirtualMarketSimulator(seed=7, market="replay", replay_by="time")
    market = MarketAtHand(exchange=settings.exchange(clock, Entropy(7), bars={"CY": bars}))
    assert (await market.client.get("/api/v1/stock/CY")).json()["current_price"] == 20.0
    market.clock.now_ns += 5 * MINUTE_NS
    assert (await market.client.get("/api/v1/stock/CY")).json()["current_price"] == 20.05
    assert len((await market.client.get("/api/kline/DL")).json()["kline_history"]) == 288
    with pytest.raises(ConfigError, match="go together"):
        settings.exchange(clock, Entropy(7))
    with pytest.raises(ConfigError, match="XX has bars"):
        settings.exchange(clock, Entropy(7), bars={"XX": bars})
