"""The simulated AmazingData platform against the contract's examples, its routes and its error forms."""

import base64
import json
from typing import Any

import pytest

from engine.clock import ReplayClock
from engine.domain.errors import ConfigError
from engine.domain.timestamps import DAY_NS, SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.simulators import SIMULATORS
from engine.simulators.amazingdata import AmazingDataSimulator, Forms, User
from tests.amazingdata_simulator_builders import BASE, PlatformAtHand, example, shape

ROUTES = [
    ("GET", "/auth/me", {}, None),
    ("GET", "/configs/sdk", {}, None),
    ("POST", "/configs/sdk", {}, {"name": "a", "username": "u", "password": "p", "host": "h"}),
    ("POST", "/configs/sdk/1/test", {}, None),
    ("GET", "/base/codes", {"security_type": "EXTRA_ETF"}, None),
    ("GET", "/base/calendar", {"market": "SH", "start_date": "20240101", "end_date": "20240131"}, None),
    ("GET", "/base/codes/600000.SH/info", {}, None),
    ("GET", "/stock/kline", {"codes": "600000.SH", "start_date": "20240101", "end_date": "20240131"}, None),
    ("GET", "/stock/kline/600000.SH/chart", {"start_date": "20240101", "end_date": "20240131"}, None),
    ("POST", "/stock/kline/batch", {}, {"codes": ["600000.SH"], "start_date": "20240101", "end_date": "20240131"}),
    ("GET", "/future/kline", {"codes": "IF2401.CFE", "start_date": "20240101", "end_date": "20240131"}, None),
    ("GET", "/cache/future-varieties", {}, None),
    ("GET", "/cache/main-contracts", {}, None),
    *(
        (
            "POST",
            f"/cache/{name}",
            {},
            {"security_type": "stock", "period_type": "daily", "start_date": "20240101", "end_date": "20240131"},
        )
        for name in ("detect-all-missing", "cache-all-missing", "fill-missing")
    ),
    ("GET", "/cache/tasks/1", {}, None),
    ("GET", "/cache/tasks", {}, None),
    *(
        ("GET", f"/finance/{name}", {"codes": "600000.SH", "start_date": "20230101", "end_date": "20231231"}, None)
        for name in ("balance-sheet", "income", "cash-flow")
    ),
]
"""Every private route of the page with parameters it takes."""
EXACT = {
    "auth_me": "2024-02-01 20:00:00",
    "base_calendar": "2024-02-01 20:00:00",
    "base_code_info": "2024-02-01 20:00:00",
    "base_codes_bad_type": "2024-02-01 20:00:00",
    "base_codes_etf": "2024-02-01 20:00:00",
    "base_codes_future": "2024-01-02 10:00:00",
    "base_codes_index": "2024-02-01 20:00:00",
    "base_codes_stock": "2024-02-01 20:00:00",
    "cache_future_varieties": "2024-02-01 20:00:00",
    "cache_main_contracts": "2024-01-02 10:00:00",
    "cache_task_not_found": "2024-02-01 20:00:00",
    "finance_balance_sheet": "2024-05-01 12:00:00",
    "finance_cash_flow": "2024-05-01 12:00:00",
    "finance_income": "2024-05-01 12:00:00",
}
"""Examples whose body comes out to the byte, and when."""
SHAPED = {
    "future_kline_daily": 14,
    "stock_kline_batch": 4,
    "stock_kline_daily": 22,
    "stock_kline_min5": 48,
    "stock_kline_min1": 240,
}
"""Examples with invented figures -> how many bars a code has (the example of min1 shows ten of 240)."""


async def _asked(platform: PlatformAtHand, asked: dict[str, Any]) -> Any:
    return await platform.client.request(
        asked["method"], asked["path"], params=asked["query"] or None, json=asked["body"]
    )


@pytest.mark.parametrize("name", sorted(EXACT))
async def test_an_example_comes_out_to_the_byte(name: str) -> None:
    """Status and body are the example's, compact JSON with Chinese as it is."""
    wanted = example(name)
    response = await _asked(PlatformAtHand(EXACT[name]), wanted["request"])
    assert response.status_code == wanted["response"]["status"]
    assert response.text == json.dumps(wanted["response"]["body"], ensure_ascii=False, separators=(",", ":"))
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("name", sorted(SHAPED))
async def test_a_bar_example_comes_out_in_its_shape(name: str) -> None:
    """Names, their order, types, codes, labels and the count of bars are the example's; the figures are made up."""
    wanted = example(name)
    response = await _asked(PlatformAtHand(), wanted["request"])
    assert response.status_code == 200
    given, shown = response.json()["data"], wanted["response"]["body"]["data"]
    assert shape(response.json()) == shape(wanted["response"]["body"])
    for code, bars in shown.items():
        assert len(given[code]) == SHAPED[name]
        assert [bar["trade_date"] for bar in given[code]][: len(bars)] == [bar["trade_date"] for bar in bars]


async def test_login_answers_as_the_example() -> None:
    """The token's head and claims are the example's at its moment; the token opens ``me``; a bad one does not."""
    wanted = example("auth_login")
    platform = PlatformAtHand("2024-01-01 08:00:00")
    response = await _asked(platform, wanted["request"])
    assert shape(response.json()) == shape(wanted["response"]["body"])
    assert response.json()["message"] == "登录成功"
    token = response.json()["data"]["access_token"]
    assert token.split(".")[:2] == wanted["response"]["body"]["data"]["access_token"].split(".")[:2]
    assert json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")) == {
        "sub": "1",
        "username": "admin",
        "exp": 1704153600,
    }
    platform.client.headers["authorization"] = f"bearer {token}"
    assert (await platform.data("GET", "/auth/me"))["username"] == "admin"
    for form in wanted["also_accept"][:1] + wanted["also_accept"][3:]:
        body = {"username": "admin"} if form["status"] == 422 else {"username": "admin", "password": "no"}
        refused = await platform.call("POST", "/auth/login", json=body)
        assert (refused.status_code, refused.json()) == (form["status"], form["body"])


async def test_chart_is_the_kline_in_another_order() -> None:
    """Categories, [open, close, low, high, volume] and [index, volume, sign] are the single K-line's figures."""
    wanted = example("stock_kline_chart")
    platform = PlatformAtHand()
    response = await _asked(platform, wanted["request"])
    assert shape(response.json()) == shape(wanted["response"]["body"])
    # The example's signs: a falling day is 1.
    shown = wanted["response"]["body"]["data"]
    assert [entry[2] for entry in shown["volumes"]] == [1 if v[0] > v[1] else -1 for v in shown["values"]]
    data = response.json()["data"]
    bars = (await platform.bars("600000.SH", "20240101", "20240131"))["600000.SH"]
    assert data["categoryData"] == shown["categoryData"] == [bar["trade_date"] for bar in bars]
    assert data["values"] == [[b["open"], b["close"], b["low"], b["high"], b["volume"]] for b in bars]
    falls = [1 if bar["open"] > bar["close"] else -1 for bar in bars]
    assert data["volumes"] == [[n, bar["volume"], falls[n]] for n, bar in enumerate(bars)]
    assert {1, -1} == set(falls)


@pytest.mark.parametrize(("method", "path", "params", "body"), ROUTES, ids=[f"{r[0]} {r[1]}" for r in ROUTES])
async def test_every_route_wants_a_token(method: str, path: str, params: dict[str, str], body: Any) -> None:
    """Without, with a broken and with an expired token it is the example's 401; with a good one it is answered."""
    refusal = {"code": 401, "message": "Token无效或已过期", "data": None}
    platform = PlatformAtHand(token_seconds=60)
    good = platform.client.headers.pop("authorization")
    basic = good.replace("Bearer", "Basic")
    for header in (None, "Bearer x", "Bearer a.b.c", basic, good + "x", "Bearer"):
        headers = {} if header is None else {"authorization": header}
        response = await platform.call(method, path, params=params, json=body, headers=headers)
        assert (response.status_code, response.json()) == (401, refusal), header
    response = await platform.call(method, path, params=params, json=body, headers={"authorization": good})
    assert response.status_code in {200, 404}
    assert response.json()["code"] == response.status_code
    platform.clock.now_ns = platform.clock.now_ns // SECOND_NS * SECOND_NS + 60 * SECOND_NS
    response = await platform.call(method, path, params=params, json=body, headers={"authorization": good})
    assert (response.status_code, response.json()) == (401, refusal)


def test_the_table_holds_every_route_of_the_face() -> None:
    """21 private routes and login are all there is: the page's 22."""
    app = PlatformAtHand().app
    served = {(next(iter(route.methods - {"HEAD"})), route.path) for route in app.routes}  # type: ignore[attr-defined]
    asked = {
        (
            method,
            BASE + path.replace("600000.SH", "{code}").replace("/sdk/1/", "/sdk/{id}/").replace("s/1", "s/{task_id}"),
        )
        for method, path, _, _ in ROUTES
    }
    assert served == asked | {("POST", f"{BASE}/auth/login")}
    assert len(served) == 22


async def test_tokens_live_side_by_side_until_their_end() -> None:
    """A second login leaves the first good; ``expires_in`` is the settable life, kept to the second."""
    platform = PlatformAtHand(token_seconds=120)
    login = {"username": "admin", "password": "admin123"}
    tokens = []
    for _ in range(2):
        data = (await platform.call("POST", "/auth/login", json=login)).json()["data"]
        assert (data["token_type"], data["expires_in"]) == ("bearer", 120)
        tokens.append({"authorization": f"Bearer {data['access_token']}"})
        platform.pass_seconds(60)
    assert [(await platform.call("GET", "/auth/me", headers=headers)).status_code for headers in tokens] == [401, 200]
    platform.pass_seconds(59)
    assert (await platform.call("GET", "/auth/me", headers=tokens[1])).status_code == 200
    platform.pass_seconds(1)
    assert (await platform.call("GET", "/auth/me", headers=tokens[1])).status_code == 401


KLINE = {"codes": "600000.SH", "start_date": "20240101", "end_date": "20240131", "period": "daily"}
CACHE = {"security_type": "stock", "period_type": "daily", "start_date": "20240101", "end_date": "20240131"}
REFUSED = {
    "dates with dashes": ("GET", "/stock/kline", KLINE | {"start_date": "2024-01-01"}, None, 400, "日期格式错误"),
    "no such day": ("GET", "/stock/kline", KLINE | {"end_date": "20240230"}, None, 400, "日期格式错误"),
    "period": ("GET", "/stock/kline", KLINE | {"period": "week"}, None, 400, "不支持的周期: week"),
    "no code": ("GET", "/stock/kline", KLINE | {"codes": " , "}, None, 400, "代码列表不能为空"),
    "51 codes": (
        "POST", "/stock/kline/batch", {}, KLINE | {"codes": [f"{n:06d}.SH" for n in range(51)]},
        400, "单次最多查询50个代码",
    ),
    "51 codes in a line": (
        "GET", "/stock/kline", KLINE | {"codes": ",".join(f"{n:06d}.SH" for n in range(51))}, None,
        400, "单次最多查询50个代码",
    ),
    "market": (
        "GET", "/base/calendar", {"market": "HK", "start_date": "20240101", "end_date": "20240131"}, None,
        400, "不支持的市场: HK",
    ),
    "code": ("GET", "/base/codes/999999.SH/info", {}, None, 404, "证券不存在: 999999.SH"),
    "chart code": (
        "GET", "/stock/kline/999999.SH/chart", {"start_date": "20240101", "end_date": "20240131"}, None,
        404, "证券不存在: 999999.SH",
    ),
    "future's chart": (
        "GET", "/stock/kline/IF2401.CFE/chart", {"start_date": "20240101", "end_date": "20240131"}, None,
        404, "证券不存在: IF2401.CFE",
    ),
    "cache type": ("POST", "/cache/fill-missing", {}, CACHE | {"security_type": "etf"}, 400, "不支持的证券类型: etf"),
    "cache period": ("POST", "/cache/fill-missing", {}, CACHE | {"period_type": "min1"}, 400, "不支持的周期: min1"),
    "cache contracts": (
        "POST", "/cache/detect-all-missing", {}, CACHE | {"contract_type": "some"}, 400, "不支持的合约类型: some",
    ),
    "task": ("GET", "/cache/tasks/999", {}, None, 404, "任务不存在"),
    "config": ("POST", "/configs/sdk/9/test", {}, None, 404, "配置不存在"),
    "route": ("GET", "/base/nothing", {}, None, 404, "Not Found"),
    "method": ("DELETE", "/cache/tasks", {}, None, 405, "Method Not Allowed"),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(REFUSED))
async def test_refusals_in_every_form(case: str) -> None:
    """The envelope with its code as the status; the framework's ``detail``; the envelope under HTTP 200."""
    method, path, params, body, status, text = REFUSED[case]
    envelope = {"code": status, "message": text, "data": None}
    forms = {"envelope": (status, envelope), "detail": (status, {"detail": text}), "status_200": (200, envelope)}
    for form, wanted in forms.items():
        platform = PlatformAtHand(forms=Forms(errors=form))  # type: ignore[arg-type]
        response = await platform.call(method, path, params=params, json=body)
        assert (response.status_code, response.json()) == wanted


@pytest.mark.parametrize(
    ("method", "path", "content", "kind", "where"),
    [
        ("GET", "/stock/kline", b"", "missing", ["query", "codes"]),
        ("GET", "/cache/tasks/abc", b"", "int_parsing", ["path", "task_id"]),
        ("GET", "/cache/tasks?page=x", b"", "int_parsing", ["query", "page"]),
        ("GET", "/cache/tasks?page=0", b"", "greater_than_equal", ["query", "page"]),
        ("POST", "/stock/kline/batch", b"", "missing", ["body"]),
        ("POST", "/stock/kline/batch", b"{", "json_invalid", ["body", 1]),
        ("POST", "/stock/kline/batch", b"[]", "model_attributes_type", ["body"]),
        ("POST", "/stock/kline/batch", b'{"codes": "600000.SH"}', "list_type", ["body", "codes"]),
        ("POST", "/stock/kline/batch", b'{"codes": [1]}', "string_type", ["body", "codes", 0]),
        ("POST", "/auth/login", b'{"username": 1, "password": "x"}', "string_type", ["body", "username"]),
        ("POST", "/configs/sdk", b'{"is_default": "maybe"}', "bool_parsing", ["body", "is_default"]),
    ],
)
async def test_misfits_are_422_with_a_list(method: str, path: str, content: bytes, kind: str, where: list[Any]) -> None:
    """Type and place of the problem, with text and input, whatever the form of other errors."""
    for form in ("envelope", "detail", "status_200"):
        platform = PlatformAtHand(forms=Forms(errors=form))
        response = await platform.call(method, path, content=content)
        assert response.status_code == 422
        problems = response.json()["detail"]
        found = next(problem for problem in problems if problem["loc"] == where)
        assert (found["type"], set(found) >= {"msg", "input"}) == (kind, True)


async def test_a_missing_parameter_reads_as_the_example() -> None:
    """The contract's validation example, entry by entry."""
    wanted = next(form for form in example("errors")["also_accept"] if form["why"] == "validation")
    params = {name: value for name, value in KLINE.items() if name != "codes"}
    response = await PlatformAtHand().call("GET", "/stock/kline", params=params)
    assert (response.status_code, response.json()) == (wanted["status"], wanted["body"])


async def test_the_framework_asks_for_a_header_with_403() -> None:
    """In the ``detail`` form a call without a header is 403, one with a bad token 401."""
    platform = PlatformAtHand(forms=Forms(errors="detail"))
    headers = platform.client.headers
    del headers["authorization"]
    assert (await platform.call("GET", "/auth/me")).json() == {"detail": "Not authenticated"}
    assert (await platform.call("GET", "/auth/me")).status_code == 403
    headers["authorization"] = "Bearer x"
    assert (await platform.call("GET", "/auth/me")).status_code == 401


async def test_sdk_configurations() -> None:
    """Create, list and test read as the examples; a name is taken once; the default is one; the password is kept in."""
    wanted = example("configs_sdk_create")
    platform = PlatformAtHand("2024-01-02 08:00:00", sdk_password="sdk_password")
    response = await _asked(platform, wanted["request"])
    assert (response.status_code, response.json()) == (200, wanted["response"]["body"])
    listed = example("configs_sdk_list")
    assert (await _asked(platform, listed["request"])).json() == listed["response"]["body"]
    again = await _asked(platform, wanted["request"])
    assert (again.status_code, again.json()["message"]) == (400, "配置名称已存在")
    before = platform.clock.now_ns
    tried = await platform.data("POST", "/configs/sdk/1/test")
    assert (tried["success"], tried["message"]) == (True, "连接成功")
    assert platform.clock.now_ns - before == round(tried["response_time"] * SECOND_NS)
    second = {"name": "b", "username": "u", "password": "wrong", "host": "h", "is_default": True}
    row = await platform.data("POST", "/configs/sdk", json=second)
    assert (row["id"], row["port"], row["local_path"]) == (2, 8600, "./amazing_data_cache/")
    items = (await platform.data("GET", "/configs/sdk"))["items"]
    assert [item["is_default"] for item in items] == [False, True]
    assert "wrong" not in json.dumps(items)
    failed = example("configs_sdk_test")["also_accept"][0]["body"]
    assert (await platform.call("POST", "/configs/sdk/2/test")).json() == failed


async def test_roles_and_inactive_users() -> None:
    """403 for a user that may not configure, and for one that is not active; e-mail can be null."""
    users = (
        User(),
        User(username="reader", password="r", role="user", email=None),
        User(username="gone", password="g", is_active=False),
    )
    platform = PlatformAtHand(users=users).log_in(2)
    me = await platform.data("GET", "/auth/me")
    assert me == {"id": 2, "username": "reader", "email": None, "role": "user", "is_active": True}
    new = {"name": "a", "username": "u", "password": "p", "host": "h"}
    for path, body in (("/configs/sdk", new), ("/configs/sdk/1/test", None)):
        response = await platform.call("POST", path, json=body)
        assert (response.status_code, response.json()) == (403, {"code": 403, "message": "禁止访问", "data": None})
    gone = await platform.call("POST", "/auth/login", json={"username": "gone", "password": "g"})
    assert gone.status_code == 403


def test_it_is_registered_and_refuses_bad_settings() -> None:
    """``SIMULATORS`` holds it; shares outside 0 to 1 and dates past the calendar are said in a sentence."""
    assert SIMULATORS["amazingdata"] is AmazingDataSimulator
    with pytest.raises(ValueError, match="gaps is a share"):
        AmazingDataSimulator(gaps=1.5)
    with pytest.raises(ValueError, match="token_seconds"):
        AmazingDataSimulator(token_seconds=0)
    with pytest.raises(ConfigError, match="calendar ends on 2026-12-31"):
        AmazingDataSimulator(seed=1).app(ReplayClock(parse_time("2027-01-02", "Asia/Shanghai")), Entropy(1))
    assert PlatformAtHand(parse_time("2026-12-31", "Asia/Shanghai") + DAY_NS - 1).platform.days.last
