"""Every example of the contract, served byte for byte over a real socket, decodes and maps as its note says."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.domain.errors import ConfigError, GatewayError, OutcomeUnknown, Refused
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import MINUTE_NS, format_time, parse_time
from engine.gateways.amazingdata.adapter import AmazingDataGateway
from engine.gateways.amazingdata.bars import rows_of_chart
from engine.gateways.amazingdata.client import Scope
from engine.gateways.amazingdata.routes import ROUTES
from engine.gateways.amazingdata.statements import rows_from_wire
from tests.amazingdata_builders import EXAMPLES, a_data_gateway, good
from tests.gateway_builders import QuickClock
from tests.simulator_builders import running

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the contract's examples are not beside the repository")

YEAR = date(2023, 1, 1), date(2023, 12, 31)
START, END = date(2024, 1, 1), date(2024, 1, 31)
SCOPE = Scope(start=START, end=END)
FROM_NS = parse_time("2024-01-02", "Asia/Shanghai")
NOW_NS = 1_706_800_000_000_000_000
"""2024-02-01 23:06 Shanghai."""


def an_example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def forms(name: str) -> list[dict[str, Any]]:
    """The main answer of an example, then the others a client must take."""
    example = an_example(name)
    return [example["response"], *example.get("also_accept", ())]


@asynccontextmanager
async def answering(form: dict[str, Any], clock: Any = None) -> AsyncIterator[tuple[AmazingDataGateway, list[Request]]]:
    """A gateway at a server that gives this answer to everything but logins."""
    seen: list[Request] = []

    async def login(_request: Request) -> Response:
        return good({"access_token": "t", "token_type": "bearer", "expires_in": 86400})

    async def any_(request: Request) -> Response:
        await request.body()
        seen.append(request)
        body = form["body"]
        return Response(body, form["status"]) if isinstance(body, str) else JSONResponse(body, form["status"])

    app = Starlette(
        routes=[
            Route("/api/v1/auth/login", login, methods=["POST"]),
            Route("/{path:path}", any_, methods=["GET", "POST"]),
        ]
    )
    async with running(app) as url, a_data_gateway(url, clock or QuickClock(NOW_NS)) as gateway:
        yield gateway, seen


Ask = Callable[[AmazingDataGateway], Awaitable[Any]]
CODES = [InstrumentId("600000.SH"), InstrumentId("000001.SZ")]
DAY = 24 * 60 * MINUTE_NS


ASKS: dict[str, Ask] = {
    "auth_login": lambda g: g.client.login("admin", "admin123"),
    "auth_me": lambda g: g.client.me(),
    "base_calendar": lambda g: g.client.calendar("SH", START, END),
    "base_code_info": lambda g: g.client.code_info("600000.SH"),
    "base_codes_bad_type": lambda g: g.client.calls.read(
        "GET", "/base/codes", list[str], params={"security_type": "NOPE"}
    ),
    "base_codes_etf": lambda g: g.client.codes("EXTRA_ETF"),
    "base_codes_future": lambda g: g.client.codes("EXTRA_FUTURE"),
    "base_codes_index": lambda g: g.client.codes("EXTRA_INDEX_A"),
    "base_codes_stock": lambda g: g.client.codes("EXTRA_STOCK_A"),
    "cache_cache_all_missing": lambda g: g.client.start_work("cache-all-missing", SCOPE),
    "cache_detect_all_missing": lambda g: g.client.detect_missing(Scope(start=START, end=END, contract_type="all")),
    "cache_fill_missing": lambda g: g.client.start_work("fill-missing", SCOPE),
    "cache_future_varieties": lambda g: g.client.future_varieties(),
    "cache_main_contracts": lambda g: g.client.main_contracts(),
    "cache_task_completed": lambda g: g.client.task(14),
    "cache_task_failed": lambda g: g.client.task(14),
    "cache_task_not_found": lambda g: g.client.task(999),
    "cache_task_pending": lambda g: g.client.task(14),
    "cache_task_running": lambda g: g.client.task(14),
    "cache_tasks": lambda g: g.client.tasks(1, 10),
    "configs_sdk_create": lambda g: g.client.create_sdk_config(
        "生产环境SDK", "sdk_user", "sdk_password", "140.206.44.234", local_path="./amazing_data_cache/", is_default=True
    ),
    "configs_sdk_list": lambda g: g.client.sdk_configs(),
    "configs_sdk_test": lambda g: g.client.test_sdk_config(1),
    "errors": lambda g: g.client.me(),
    "finance_balance_sheet": lambda g: g.client.statements("balance-sheet", ["600000.SH"], *YEAR),
    "finance_cash_flow": lambda g: g.client.statements("cash-flow", ["600000.SH"], *YEAR),
    "finance_income": lambda g: g.client.statements("income", ["600000.SH"], *YEAR),
    "future_kline_daily": lambda g: g.client.future_kline(["IF2401.CFE"], START, date(2024, 1, 19), "daily"),
    "stock_kline_batch": lambda g: g.client.stock_kline_batch(
        ["600000.SH", "000001.SZ", "000002.SZ"], START, date(2024, 1, 5), "daily"
    ),
    "stock_kline_chart": lambda g: g.client.stock_chart("600000.SH", START, END, "daily"),
    "stock_kline_daily": lambda g: g.client.stock_kline(CODES, START, END, "daily"),
    "stock_kline_min1": lambda g: g.client.stock_kline(CODES[:1], date(2024, 1, 2), date(2024, 1, 2), "min1"),
    "stock_kline_min5": lambda g: g.client.stock_kline(CODES[:1], date(2024, 1, 2), date(2024, 1, 2), "min5"),
}  # fmt: skip


OTHERS = sorted(set(ASKS) - {"auth_login"})
"""The login's own forms are below."""


def test_no_example_is_left_out() -> None:
    """The table below names every file there is."""
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(ASKS)


@pytest.mark.parametrize("name", OTHERS)
async def test_the_request_is_the_one_of_the_example(name: str) -> None:
    """Method, path, query and body are what the example's request says."""
    wanted = an_example(name)["request"]
    async with answering(forms(name)[0]) as (gateway, seen):
        try:
            await ASKS[name](gateway)
        except GatewayError:
            assert name in {"errors", "base_codes_bad_type", "cache_task_not_found"}
        sent = seen[0]
        assert (sent.method, sent.url.path) == (wanted["method"], wanted["path"])
        assert dict(sent.query_params) == {key: str(value) for key, value in wanted["query"].items()}
        body = await sent.body()
        assert (json.loads(body) if body else None) == wanted["body"]
        assert sent.headers["authorization"] == "Bearer t"


ALL_FORMS = [(name, number) for name in OTHERS if EXAMPLES.is_dir() for number in range(len(forms(name)))]


@pytest.mark.parametrize(("name", "number"), ALL_FORMS)
async def test_every_form_of_every_answer_is_taken(name: str, number: int) -> None:
    """A good answer is decoded to what is in it; a refusal, an error of the server and nonsense are told apart."""
    form = forms(name)[number]
    body = form["body"]
    code = body.get("code", form["status"]) if isinstance(body, dict) else form["status"]
    status = form["status"] if not 200 <= form["status"] < 300 else code
    async with answering(form) as (gateway, _seen):
        if status in (200, 201):
            got = await ASKS[name](gateway)
            _holds(name, got, body["data"])
            return
        with pytest.raises(GatewayError) as caught:
            await ASKS[name](gateway)
        assert isinstance(caught.value, Refused if status < 500 else OutcomeUnknown)
        words = body.get("message") or body.get("detail") if isinstance(body, dict) else body
        if isinstance(words, str):
            assert words in caught.value.message
        else:
            assert words[0]["msg"] in caught.value.message


def _holds(name: str, got: Any, data: Any) -> None:
    """What was decoded says the same as what was sent."""
    if name.startswith("base_codes"):
        assert got == [entry if isinstance(entry, str) else entry["code"] for entry in data]
    elif name == "base_calendar":
        assert [day.strftime("%Y%m%d") for day in got] == [str(day).replace("-", "") for day in data]
    elif name == "cache_future_varieties":
        sent = data["varieties"]
        assert [row.code for row in got] == [row if isinstance(row, str) else row["code"] for row in sent]
    elif name == "cache_main_contracts":
        assert got == data["main_contracts"]
    elif name.startswith("cache_task_"):
        sent = data["task"]
        assert (got is None) == (sent is None)
        if sent is not None:
            assert {key: getattr(got, key) for key in sent} == sent
            assert 0 <= got.share <= 1
    elif name == "cache_tasks":
        assert [task.id for task in got.items] == [row["id"] for row in data["items"]]
        assert (got.total, got.page, got.page_size) == (data["total"], data["page"], data["page_size"])
    elif name == "configs_sdk_list":
        assert [
            {key: getattr(row, key) for key in sent} for row, sent in zip(got.items, data["items"], strict=True)
        ] == data["items"]
    elif name.startswith("finance"):
        found = rows_from_wire("income", got)
        sent = [row for rows in data.values() for row in rows] if isinstance(data, dict) else data
        assert len(found.rows) + found.undated + found.other_kinds == len(sent)
    elif name == "stock_kline_chart":
        assert (got.category_data, got.values) == (data["categoryData"], data["values"])
        assert [got.volume(n) for n in range(len(got.values))] == [value[4] for value in got.values]
    elif "kline" in name:
        assert set(got) == set(data)
        for code, rows in data.items():
            assert [row.close for row in got[code] or ()] == [row["close"] for row in rows or ()]
            assert all(getattr(row, key) == value for row, sent in zip(got[code] or (), rows or (), strict=True)
                       for key, value in sent.items() if key != "code")  # fmt: skip
    else:
        assert {key: getattr(got, key) for key in data} == data


async def test_the_login_is_sent_and_taken_in_every_form() -> None:
    """The main form gives a token; each form of a refusal is the user's mistake, or says which field lacks."""
    example = an_example("auth_login")
    for form in forms("auth_login"):
        sent: list[Any] = []

        async def login(request: Request, form: dict[str, Any] = form, sent: list[Any] = sent) -> Response:
            sent.append((request.method, request.url.path, await request.json()))
            return JSONResponse(form["body"], form["status"])

        app = Starlette(routes=[Route("/{path:path}", login, methods=["POST"])])
        async with running(app) as url, a_data_gateway(url, QuickClock(NOW_NS)) as gateway:
            if "why" not in form:
                got = await gateway.client.login("admin", "admin123")
                assert {key: getattr(got, key) for key in form["body"]["data"]} == form["body"]["data"]
            else:
                with pytest.raises(Refused if form["status"] == 422 else ConfigError):
                    await gateway.client.login("admin", "admin123")
        assert sent == [(example["request"]["method"], example["request"]["path"], example["request"]["body"])]


async def bars_of(form: dict[str, Any], code: str, minutes: int) -> list[Any]:
    async with answering(form) as (gateway, _):
        return list(await gateway.history(InstrumentId(code), minutes * MINUTE_NS, FROM_NS, NOW_NS))


async def test_daily_bars_are_known_when_their_day_is_over() -> None:
    """Every date form of the daily example gives the same bar, which ends with its Shanghai day."""
    for form in forms("stock_kline_daily")[:3]:
        bars = await bars_of(form, "600000.SH", 1440)
        assert format_time(bars[0].ts_ns, "Asia/Shanghai") == "2024-01-03 00:00:00+08:00"
        assert (bars[0].open, bars[0].high, bars[0].low, bars[0].close, bars[0].volume) == (
            6.59,
            6.62,
            6.53,
            6.53,
            29028169,
        )


async def test_minute_labels_of_starts_become_ends() -> None:
    """The one-minute example's 09:30 is the bar that ends at 09:31."""
    bars = await bars_of(forms("stock_kline_min1")[0], "600000.SH", 1)
    assert [format_time(bar.ts_ns, "Asia/Shanghai")[11:16] for bar in bars] == [f"09:{n}" for n in range(31, 41)]


async def test_labels_at_either_side_give_the_same_bars() -> None:
    """The five-minute example and its end-labelled form agree on the bars both have; the last ends at 15:00."""
    start, end, iso, named = forms("stock_kline_min5")[:4]
    whole = {bar.ts_ns: bar for bar in await bars_of(start, "600000.SH", 5)}
    assert len(whole) == 48
    assert format_time(max(whole), "Asia/Shanghai")[11:16] == "15:00"
    for form in (iso, named):
        bars = await bars_of(form, "600000.SH", 5)
        assert bars == [whole[bar.ts_ns] for bar in bars]
    ends = await bars_of(end, "600000.SH", 5)
    assert [format_time(bar.ts_ns, "Asia/Shanghai")[11:16] for bar in ends] == [
        "09:35",
        "09:40",
        "09:45",
        "14:55",
        "15:00",
    ]
    assert ends[0] == whole[ends[0].ts_ns]


async def test_a_code_without_data_is_a_gap_and_null_prices_make_no_bar() -> None:
    """Absent, empty, null: no bar is invented, and no other code loses one."""
    for form in forms("stock_kline_daily")[3:]:
        async with answering(form) as (gateway, _):
            got = await gateway.history_batch(CODES, DAY, FROM_NS, NOW_NS)
            sent = form["body"]["data"]
            for code in CODES:
                rows = [row for row in sent.get(code) or () if row["open"] is not None]
                assert [bar.close for bar in got.bars[code]] == [row["close"] for row in rows], form["why"]
                assert got.without_prices.get(code, 0) == len(sent.get(code) or ()) - len(rows)


async def test_the_chart_and_the_list_agree() -> None:
    """The chart's order is open, close, low, high: read as that, it gives the bars of the list."""
    async with answering(forms("stock_kline_chart")[0]) as (gateway, _):
        rows = rows_of_chart(await gateway.client.stock_chart("600000.SH", START, END, "daily"))
    listed = an_example("stock_kline_daily")["response"]["body"]["data"]["600000.SH"]
    assert [(r.trade_date, r.open, r.high, r.low, r.close, r.volume) for r in rows] == [
        tuple(row[key] for key in ("trade_date", "open", "high", "low", "close", "volume")) for row in listed
    ]


async def test_statements_are_known_from_their_announcement() -> None:
    """Only consolidated rows are kept, dated by the announcement, never by the period's end."""
    *with_rows, nothing = forms("finance_income")
    assert nothing["body"]["data"] == {}
    for form in with_rows:
        async with answering(form) as (gateway, _):
            found = await gateway.statements("income", CODES[:1], *YEAR)
            assert all(row.announced > row.period for row in found.rows)
            assert len({(row.period, row.announced) for row in found.rows}) == len(found.rows)
            first = found.rows[0]
            assert (first.period, first.announced) == (date(2023, 3, 31), date(2023, 4, 29))
            assert first.figures["BASIC_EPS"] == 0.51
            assert "TOT_OPERA_COST" not in first.figures


def test_there_is_a_route_for_every_endpoint_of_the_contract() -> None:
    """Twenty-two endpoints, each with one name."""
    assert len(ROUTES) == len({route.path for route in ROUTES.values()}) == 22
