"""The simulated Futu gateway's routes, bodies, tokens and error forms, against its contract sections 2, 4, 7 and 12."""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.domain.errors import ConfigError
from engine.domain.timestamps import DAY_NS, parse_time
from engine.simulators import SIMULATORS
from engine.simulators.chronicle import Chronicle
from engine.simulators.futu import FutuAccount, FutuSimulator, Limits, Opening, Security, a_key
from engine.simulators.futu.bodies import snake
from engine.simulators.futu.codes import PERIODS, QOT_MARKETS
from engine.simulators.futu.keys import EXAMPLE_TOKEN, hash_of, read_keys
from engine.simulators.futu.routes import ROUTES
from engine.simulators.futu.schema import MESSAGES
from tests.futu_simulator_builders import (
    HK_OPEN_NS,
    REAL,
    SIMULATE_CN,
    SIMULATE_HK,
    SIMULATE_US,
    GatewayAtHand,
    a_header,
)

SHARED = (Path(__file__).parents[2] / "../shared").resolve()
TENCENT = {"market": 1, "code": "00700"}
SECURITY = {"security": TENCENT}
LIST = {"security_list": [TENCENT]}
HEAD = {"header": a_header()}
REAL_HEAD = {"header": a_header(REAL)}
DAY = {"begin_time": "2026-11-17 00:00:00", "end_time": "2026-11-17 23:59:59"}
BODIES: dict[str, Any] = {
    "/api/subscribe": LIST | {"sub_type_list": [1], "is_sub_or_un_sub": True},
    "/api/quote": LIST,
    "/api/kline": SECURITY | {"rehab_type": 0, "kl_type": 1, "req_num": 5},
    "/api/orderbook": SECURITY | {"num": 5},
    "/api/broker": SECURITY,
    "/api/ticker": SECURITY | {"max_ret_num": 5},
    "/api/rt": SECURITY,
    "/api/snapshot": LIST,
    "/api/static-info": LIST,
    "/api/plate-set": {"market": 1, "plate_set_type": 0},
    "/api/plate-security": {"plate": {"market": 1, "code": "BK1001"}},
    "/api/reference": SECURITY | {"reference_type": 1},
    "/api/owner-plate": LIST,
    "/api/option-chain": {"owner": TENCENT, "begin_time": "2026-12-01", "end_time": "2026-12-31"},
    "/api/warrant": {"begin": 0, "num": 10, "sort_field": 1, "ascend": True},
    "/api/capital-flow": SECURITY,
    "/api/capital-distribution": SECURITY,
    "/api/user-security": {"group_name": "全部"},
    "/api/stock-filter": {"begin": 0, "num": 10, "market": 1},
    "/api/ipo-list": {"market": 1},
    "/api/future-info": LIST,
    "/api/market-state": LIST,
    "/api/history-kline": SECURITY | DAY | {"rehab_type": 0, "kl_type": 8, "max_count": 1000},
    "/api/sub-acc-push": {"acc_id_list": [SIMULATE_HK]},
    "/api/funds": HEAD,
    "/api/positions": HEAD,
    "/api/orders": HEAD,
    "/api/order-fills": REAL_HEAD,
    "/api/max-trd-qtys": HEAD | {"order_type": 1, "code": "00700", "price": 470.0},
    "/api/history-orders": REAL_HEAD | {"filter_conditions": {}},
    "/api/history-order-fills": REAL_HEAD | {"filter_conditions": {}},
    "/api/margin-ratio": REAL_HEAD | LIST,
    "/api/order-fee": REAL_HEAD | {"order_id_ex_list": []},
    "/api/unlock-trade": {"unlock": True, "pwd_md5": "0123456789abcdef0123456789abcdef"},
    "/api/order": HEAD
    | {"trd_side": 1, "order_type": 1, "code": "00700", "qty": 100.0, "price": 470.0, "sec_market": 1},
    "/api/modify-order": HEAD | {"order_id": 0, "modify_order_op": 2, "for_all": True},
}
"""A good body for each POST route."""
SCOPES = {"qot:read": "qot:read", "acc:read": "acc:read", "trade": "trade:simulate"}


async def asked(gateway: GatewayAtHand, path: str, body: Any = None, **options: Any) -> Any:
    route = ROUTES[path]
    if route.method == "POST" and "content" not in options:
        options["json"] = BODIES[path] if body is None else body
    return await gateway.client.request(route.method, path, **options)


async def a_ready_gateway(**settings: Any) -> GatewayAtHand:
    """Subscribed to everything of Tencent."""
    gateway = GatewayAtHand(**settings)
    await gateway.subscribe(1, 2, 4, 5, 14, 11)
    return gateway


def test_the_routes_are_those_of_the_vendors_page() -> None:
    """41, each with method and scope as the page has them (its trade:real is the door's trade)."""
    pages = list(SHARED.glob("seeds/003_*.txt"))
    if not pages:
        pytest.skip("the vendor's page is not beside the repository")
    lines = re.findall(r"^(GET|POST) (/api/\S+) (\S+)", pages[0].read_text(), re.MULTILINE)
    assert len(lines) == 41
    listed = {path: (method, scope.replace("trade:real", "trade")) for method, path, scope in lines}
    assert {path: (route.method, route.scope) for path, route in ROUTES.items()} == listed


def test_fields_are_those_of_the_contracts_table() -> None:
    """Every route's fields, types and protocol number, read out of the contract itself."""
    contract = SHARED / "contracts/futu.md"
    if not contract.exists():
        pytest.skip("the contract is not beside the repository")
    rows = re.findall(
        r"^\| (/api/\S+) \| (GET|POST) \| (\d+) \| (\S+) \| (\S+) \| ([^|]*) \|", contract.read_text(), re.MULTILINE
    )
    assert len(rows) == 41
    for path, method, number, message, scope, fields in rows:
        route = ROUTES[path]
        assert (route.method, route.proto_id, route.message, route.scope) == (method, int(number), message, scope)
        named = set(re.findall(r"(\w+)(?:\[\])?!?:", fields))
        extra = {"acc_ids", "sec_otp"} if path == "/api/unlock-trade" else set()
        assert set(route.fields) == named | extra, path


def test_push_fields_are_those_of_the_contracts_tables() -> None:
    """Number, name and type of every field of the contract's section 15 that a push can carry."""
    contract = SHARED / "contracts/futu.md"
    if not contract.exists():
        pytest.skip("the contract is not beside the repository")
    names = {"Qot_UpdateBasicQot.S2C": "UpdateBasicQot", "Qot_UpdateKL.S2C": "UpdateKL"} | {
        f"Qot_Update{name}.S2C": f"Update{name}" for name in ("Ticker", "OrderBook", "RT", "Broker")
    }
    names |= {
        "Trd_UpdateOrder.S2C": "UpdateOrder",
        "Trd_UpdateOrderFill.S2C": "UpdateOrderFill",
        "Notify.S2C": "Notify",
    }
    sections = re.split(r"^\*\*(\S+)\*\*$", contract.read_text().partition("## 15.")[2], flags=re.MULTILINE)
    checked = 0
    absent = {"optionExData", "futureExData", "warrantExData", "comboLegs", "qotRight"}
    for title, text in zip(sections[1::2], sections[2::2], strict=True):
        ours = MESSAGES.get(names.get(title, title.rpartition(".")[2]))
        if ours is None:
            continue
        fields = {part.split()[1]: part.split() for part in ours.split(",")}
        for number, key, name, kind, listed in re.findall(
            r"^\| (\d+) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE
        ):
            if name in absent:
                continue
            assert fields[name][0] == number, (title, name)
            assert fields[name][2] == kind + ("[]" if listed == "repeated" else ""), (title, name)
            assert snake(name) == key
            checked += 1
    assert checked > 150


@pytest.mark.parametrize("path", ROUTES)
async def test_every_route_answers_a_good_request(path: str) -> None:
    """200 with the envelope's four keys in order and ret_type 0; bare and wrapped say the same."""
    gateway = await a_ready_gateway()
    for body in (BODIES.get(path), {"c2s": BODIES.get(path)}):
        response = await asked(gateway, path, body)
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        reply = response.json()
        assert list(reply) == ["ret_type", "ret_msg", "err_code", "s2c"]
        assert (reply["ret_type"], reply["ret_msg"], reply["err_code"]) == (0, None, None), reply
        assert isinstance(reply["s2c"], dict)


@pytest.mark.parametrize("path", ROUTES)
async def test_tokens_and_scopes_stand_before_every_route(path: str) -> None:
    """401 without, with a wrong and with an expired token; 403 forbidden without the scope, which one is not said."""
    gateway = await a_ready_gateway()
    for header, text in ((None, "missing bearer token"), ("Bearer fc_x", "invalid bearer token"), ("Basic x", None)):
        client = gateway.stranger
        headers = {} if header is None else {"authorization": header}
        response = await client.request(ROUTES[path].method, path, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert text is None or response.json() == {"error": text}
    others = tuple(scope for scope in SCOPES.values() if scope != SCOPES[ROUTES[path].scope])
    scopes = (*others, "trade:real") if "trade:simulate" in others else others
    narrow = GatewayAtHand(scopes=scopes)
    response = await asked(narrow, path)
    assert (response.status_code, response.json()) == (403, {"error": "forbidden"})


@pytest.mark.parametrize("path", [path for path, route in ROUTES.items() if route.method == "POST"])
async def test_bodies_that_can_not_be_used(path: str) -> None:
    """400 with an error for bad JSON, no object, unknown fields, and each missing required field or wrong type."""
    gateway = GatewayAtHand()
    for content in (b"{", b"[]", b"\xff", b'{"qty": NaN}', b'{"c2s": 1}'):
        response = await asked(gateway, path, content=content)
        assert response.status_code == 400, content
        assert response.json()["error"].startswith("invalid ")
    body = BODIES[path]
    if not ROUTES[path].open_ended:
        response = await asked(gateway, path, body | {"owner_": 1, "x": 2})
        assert (response.status_code, response.json()) == (400, {"error": "unknown field(s): owner_, x"})
    for field in ROUTES[path].fields.values():
        if field.required:
            name = {"max_ack_kl_num": "max_count"}.get(field.name, field.name)
            response = await asked(gateway, path, {key: value for key, value in body.items() if key != name})
            assert response.json() == {"error": f"missing required field: {field.name}"}
        if field.name in body and field.type != "any":
            response = await asked(gateway, path, body | {field.name: {"no": "such"} if field.is_list else [[]]})
            assert response.status_code == 400, field


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"trd_env": None}, 400, "missing required field: header.trd_env"),
        ({"trd_market": 7}, 400, "invalid trd_market 7"),
        ({"trd_market": None}, 400, "invalid trd_market 0"),
        ({"trd_env": 2}, 200, "[err_code=none] trd_env mismatch: acc_id=1800123 trd_env=2"),
        ({"trd_env": 1}, 200, "[err_code=none] trd_env mismatch: acc_id=1800123 trd_env=1"),
        ({"acc_id": None}, 200, "[err_code=none] invalid acc_id=0"),
        ({"acc_id": 5}, 200, "[err_code=none] nonexisting acc_id=5"),
        ({"trd_market": 2}, 200, "[err_code=none] trd_market 2 is not authorised for acc_id=1800123"),
    ],
)
@pytest.mark.parametrize("path", ["/api/funds", "/api/orders", "/api/order", "/api/modify-order"])
async def test_headers_are_judged_before_anything_else(
    path: str, change: dict[str, Any], status: int, text: str
) -> None:
    """The page's trd_env 2 and a pair that does not match are refused; 7 is no market; ids must exist."""
    header = {key: value for key, value in (a_header() | change).items() if value is not None}
    gateway = GatewayAtHand()
    response = await asked(gateway, path, BODIES[path] | {"header": header})
    said = response.json()
    assert (response.status_code, said.get("error") or said["ret_msg"]) == (status, text)
    assert gateway.ledger.orders() == []


async def test_unknown_paths_and_methods() -> None:
    """404 before any token is looked at; another method is not the route."""
    gateway = GatewayAtHand()
    for path in ("/api/transfer", "/api/order/", "/api", "/", "/api/cancel-order"):
        response = await gateway.stranger.post(path)
        assert (response.status_code, response.json()) == (404, {"error": "unknown route"})
    assert (await gateway.client.get("/api/order")).status_code == 405


async def test_camel_case_aliases_and_flat_headers_are_read() -> None:
    """camelCase becomes snake_case; aliases of subscribe and history-kline; a flat trade header moves in."""
    gateway = GatewayAtHand()
    body = {"securityList": [TENCENT], "subTypeList": [1], "isSubOrUnSub": True, "isRegOrUnRegPush": True}
    assert await gateway.said("subscribe", body) == {}
    assert await gateway.said("subscribe", {"stocks": ["US.AAPL"], "sub_types": [1], "is_sub": True}) == {}
    assert gateway.venue.subscriptions.used == 2
    start = {"begin": "2026-11-17", "end": "2026-11-17", "max_count": 5}
    rows = await gateway.said("history-kline", SECURITY | {"kl_type": 8, "rehab_type": 0} | start)
    assert len(rows["kl_list"]) == 5
    assert (await gateway.said("funds", a_header()))["header"]["acc_id"] == SIMULATE_HK
    order = gateway.an_order()["c2s"]
    order = {"packetID": {"connID": 1, "serialNo": 2}, "header": {"trdEnv": 0, "accID": "1800123", "trdMarket": 1}} | {
        key: value for key, value in order.items() if key not in {"packet_id", "header"}
    }
    assert (await gateway.said("order", {"c2s": order}))["order_id"]
    response = await gateway.call("subscribe", {"symbols": ["00700.HK"], "sub_types": [1], "is_sub": True})
    assert (response.status_code, response.json()) == (400, {"error": "invalid symbol: 00700.HK"})
    response = await gateway.call("quote", {"symbol": "HK.00700"})
    assert (response.status_code, response.json()) == (400, {"error": "unknown field(s): symbol"})


async def test_an_old_build_drops_unknown_fields() -> None:
    """``strict_fields = false``: no word, no effect."""
    gateway = GatewayAtHand(strict_fields=False)
    await gateway.subscribe(1)
    assert (await gateway.said("quote", LIST | {"sub_type_list": [1]}))["basic_qot_list"]


async def test_legacy_mode() -> None:
    """Without keys reads are open, trade writes 401, sub-acc-push 403."""
    gateway = GatewayAtHand(keys=())
    for path, route in ROUTES.items():
        response = await gateway.stranger.request(route.method, path, json=BODIES.get(path))
        expected = 401 if route.scope == "trade" else 403 if path == "/api/sub-acc-push" else 200
        assert response.status_code == expected, path


async def test_a_keys_file(tmp_path: Path) -> None:
    """Hashes, expiry, machines and scopes of a file in the gateway's own form."""
    record = {"id": "a", "hash": hash_of("fc_a"), "scopes": ["qot:read"], "limits": {}, "created_at": "x", "note": None}
    others = [
        {"id": "b", "hash": hash_of("fc_b"), "scopes": ["qot:read"], "expires_at": "2026-11-18T02:15:03Z"},
        {"id": "c", "hash": hash_of("fc_c"), "scopes": ["qot:read"], "allowed_machines": []},
        {"id": "d", "hash": hash_of("fc_d"), "scopes": ["qot:read"], "allowed_machines": ["simulator"]},
    ]
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"version": 1, "keys": [record, *others]}))
    gateway = GatewayAtHand(keys_path=str(path))
    said = {}
    for name in "abcd":
        response = await gateway.stranger.get("/api/global-state", headers={"authorization": f"bearer fc_{name}"})
        said[name] = response.status_code, response.json().get("error")
    assert said == {
        "a": (200, None),
        "b": (401, "token expired"),
        "c": (401, "token not allowed on this machine"),
        "d": (200, None),
    }
    path.write_text("{")
    with pytest.raises(ConfigError, match="no keys file"):
        read_keys(str(path))


async def test_the_backend_can_go_away() -> None:
    """500 for what needs it, login flags false, and all well when it is back."""
    gateway = GatewayAtHand()
    gateway.venue.set_connected(False)
    assert await gateway.denied("order", gateway.an_order()) == (500, "backend disconnected")
    state = await gateway.said("global-state")
    assert (state["qot_logined"], state["trd_logined"]) == (False, False)
    gateway.venue.set_connected(True)
    assert (await gateway.placed())["order_id"]


async def test_business_refusals_carry_their_number_or_none() -> None:
    """``[err_code=N]`` and err_code agree, as number or as text."""
    for form, shown in (("number", -401), ("text", "-401")):
        gateway = GatewayAtHand(error_codes=form)
        reply = (await gateway.call("order", gateway.an_order(REAL))).json()
        assert (reply["ret_type"], reply["err_code"], reply["s2c"]) == (-1, shown, None)
        assert reply["ret_msg"].startswith("[err_code=-401] ")


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("subscribe", LIST | {"sub_type_list": [3], "is_sub_or_un_sub": True}, "unknown sub_type 3"),
        ("subscribe", {"security_list": [], "sub_type_list": [1], "is_sub_or_un_sub": True}, "empty"),
        ("subscribe", LIST | {"is_unsub_all": True, "is_sub_or_un_sub": False}, "is_unsub_all is refused"),
        ("snapshot", {"security_list": []}, "1 to 400"),
        ("snapshot", {"security_list": [{"market": 1, "code": "99999"}]}, "unknown security 1_99999"),
        ("kline", SECURITY | {"rehab_type": 0, "kl_type": 1, "req_num": 1001}, "req_num"),
        ("kline", SECURITY | {"rehab_type": 9, "kl_type": 1, "req_num": 1}, "rehab_type 9"),
        ("kline", SECURITY | {"rehab_type": 0, "kl_type": 99, "req_num": 1}, "kl_type 99"),
        ("kline", SECURITY | {"rehab_type": 0, "kl_type": 5, "req_num": 1}, "未订阅"),
        ("history-kline", SECURITY | {"rehab_type": 0, "kl_type": 1, "begin_time": "x", "end_time": "y"}, "unreadable"),
        (
            "history-kline",
            SECURITY | {"rehab_type": 0, "kl_type": 1, "begin_time": "2026-11-18", "end_time": "2026-11-17"},
            "after end_time",
        ),
        ("plate-security", {"plate": {"market": 1, "code": "BK9"}}, "unknown plate"),
        ("option-chain", {"owner": TENCENT, "begin_time": "2026-01-01", "end_time": "2026-12-31"}, "30 days"),
        ("user-security", {"group_name": "none"}, "unknown group"),
        ("stock-filter", {"begin": 0, "num": 201, "market": 1}, "num"),
        ("order-fills", HEAD, "模拟交易不支持"),
        ("history-orders", HEAD | {"filter_conditions": {}}, "模拟交易不支持"),
        ("history-order-fills", HEAD | {"filter_conditions": {}}, "模拟交易不支持"),
        ("order-fee", HEAD, "模拟交易不支持"),
        ("funds", REAL_HEAD, "currency is required"),
        ("funds", HEAD | {"currency": 2}, "unsupported currency 2"),
        ("max-trd-qtys", HEAD | {"order_type": 1, "code": "99999", "price": 1.0}, "unknown stock 99999"),
        ("sub-acc-push", {"acc_id_list": [5]}, "nonexisting acc_id=5"),
    ],
)
async def test_business_refusals_of_reads(name: str, body: dict[str, Any], text: str) -> None:
    """200 with ret_type -1 and a sentence that says what was wrong."""
    assert text in await GatewayAtHand().refused(name, body)


async def test_static_info_needs_a_list_or_a_market() -> None:
    """An empty list is a 400, a market gives all of it."""
    gateway = GatewayAtHand()
    assert await gateway.denied("static-info", {"security_list": []}) == (400, "security_list must not be empty")
    rows = (await gateway.said("static-info", {"market": 1, "sec_type": 3}))["static_info_list"]
    lots = {row["basic"]["security"]["code"]: row["basic"]["lot_size"] for row in rows}
    assert lots == {"00700": 100, "09988": 100, "00005": 400}
    assert (await gateway.said("static-info", {"market": 11, "sec_type": 5}))["static_info_list"] == []


async def test_data_is_not_there_right_after_subscribing() -> None:
    """Subscribed but not ready for half a second, then it is."""
    gateway = GatewayAtHand()
    await gateway.said("subscribe", BODIES["/api/subscribe"])
    assert "尚未就绪" in await gateway.refused("quote", LIST)
    gateway.wait(0.5)
    assert (await gateway.said("quote", LIST))["basic_qot_list"][0]["security"] == TENCENT


async def test_one_market_behind_quote_book_snapshot_bars_and_prints() -> None:
    """The price of one is the price of all, at every step."""
    gateway = await a_ready_gateway()
    for _ in range(20):
        gateway.wait(1)
        quote = (await gateway.said("quote", LIST))["basic_qot_list"][0]
        book = await gateway.said("orderbook", BODIES["/api/orderbook"])
        basic = (await gateway.said("snapshot", LIST))["snapshot_list"][0]["basic"]
        bar = (await gateway.said("kline", BODIES["/api/kline"] | {"req_num": 1}))["kl_list"][0]
        (tick,) = (await gateway.said("ticker", BODIES["/api/ticker"] | {"max_ret_num": 1}))["ticker_list"]
        minute = (await gateway.said("rt", SECURITY))["rt_list"][-1]
        bid, ask = book["order_book_bid_list"], book["order_book_ask_list"]
        prices = {quote["cur_price"], basic["cur_price"], bar["close_price"], tick["price"], minute["price"]}
        assert len(prices) == 1
        assert prices < {bid[0]["price"], ask[0]["price"], *prices}
        assert prices & {bid[0]["price"], ask[0]["price"]}
        assert (basic["bid_price"], basic["ask_price"]) == (bid[0]["price"], ask[0]["price"])
        assert (basic["bid_vol"], basic["ask_vol"]) == (bid[0]["volume"], ask[0]["volume"])
        assert [row["price"] for row in bid] == sorted((row["price"] for row in bid), reverse=True)
        assert [row["price"] for row in ask] == sorted(row["price"] for row in ask)
        assert quote["low_price"] <= quote["cur_price"] <= quote["high_price"]


@pytest.mark.parametrize("period", PERIODS, ids=lambda period: period.word)
async def test_history_bars_hang_together(period: Any) -> None:
    """Ordered, without repetition, high and low around open and close, each open at the close before; pages join."""
    gateway = GatewayAtHand()
    body = SECURITY | {"kl_type": period.kl_type, "rehab_type": 0, "end_time": "2026-11-18 23:59:59"}
    starts = {"day": "2026-10-01", "week": "2026-09-01", "month": "2026-08-01", "quarter": "2026-01-01"}
    body["begin_time"] = "2026-11-16" if period.minutes else starts.get(period.word, "2026-01-01")
    whole = (await gateway.said("history-kline", body))["kl_list"]
    assert len(whole) >= (1 if period.word == "year" else 3)
    stamps = [row["timestamp"] for row in whole]
    assert stamps == sorted(set(stamps))
    for before, row in pairwise(whole):
        assert row["low_price"] <= min(row["open_price"], row["close_price"])
        assert row["high_price"] >= max(row["open_price"], row["close_price"])
        assert row["last_close_price"] == before["close_price"]
    paged: list[Any] = []
    key = None
    while True:
        page = await gateway.said("history-kline", body | {"max_count": 7, "next_req_key": key})
        paged += page["kl_list"]
        key = page["next_req_key"]
        if key is None:
            break
    assert paged == whole


async def test_a_days_bars_are_as_many_as_its_session_has() -> None:
    """331 minutes in Hong Kong, 390 in New York, 240 in Shanghai; the first label is a minute after the open."""
    gateway = GatewayAtHand()
    found = {}
    for market, code in (("HK", "00700"), ("US", "AAPL"), ("SH", "600000")):
        asked_for = {"security": {"market": QOT_MARKETS[market], "code": code}, "kl_type": 1, "rehab_type": 0} | DAY
        rows = (await gateway.said("history-kline", asked_for))["kl_list"]
        found[market] = len(rows), rows[0]["time"][11:], rows[-1]["time"][11:]
    assert found == {
        "HK": (331, "09:31:00", "16:10:00"),
        "US": (390, "09:31:00", "16:00:00"),
        "SH": (240, "09:31:00", "15:00:00"),
    }


async def test_longer_bars_are_made_of_minutes() -> None:
    """Thirty one-minute bars make the thirty-minute bar: open, high, low, close, volume."""
    gateway = GatewayAtHand()
    body = SECURITY | DAY | {"rehab_type": 0}
    ones = (await gateway.said("history-kline", body | {"kl_type": 1}))["kl_list"]
    thirty = (await gateway.said("history-kline", body | {"kl_type": 8}))["kl_list"][0]
    part = ones[:30]
    assert thirty["time"] == part[-1]["time"]
    assert (thirty["open_price"], thirty["close_price"]) == (part[0]["open_price"], part[-1]["close_price"])
    assert thirty["high_price"] == max(row["high_price"] for row in part)
    assert thirty["low_price"] == min(row["low_price"] for row in part)
    assert thirty["volume"] == sum(row["volume"] for row in part)


async def test_a_page_key_belongs_to_its_request() -> None:
    """The key of another security, period or adjustment is refused."""
    gateway = GatewayAtHand()
    body = BODIES["/api/history-kline"] | {"max_count": 2}
    key = (await gateway.said("history-kline", body))["next_req_key"]
    assert all(isinstance(byte, int) and 0 <= byte <= 255 for byte in key)
    for change in ({"kl_type": 7}, {"rehab_type": 1}, {"security": {"market": 1, "code": "09988"}}):
        assert "next_req_key" in await gateway.refused("history-kline", body | change | {"next_req_key": key})


async def test_what_was_walked_stays_in_the_history() -> None:
    """A minute lived through is the same bar in k-line, history and the next day's question."""
    gateway = await a_ready_gateway(tick_seconds=5.0)
    gateway.wait(300)
    live = (await gateway.said("kline", BODIES["/api/kline"] | {"req_num": 4}))["kl_list"][:3]
    gateway.wait(DAY_NS / 1e9)
    body = BODIES["/api/history-kline"] | {"kl_type": 1, "begin_time": "2026-11-18", "end_time": "2026-11-18"}
    later = {row["time"]: row for row in (await gateway.said("history-kline", body))["kl_list"]}
    assert [later[row["time"]] for row in live] == live


async def test_market_states_of_a_day() -> None:
    """Hong Kong, New York and Shanghai through their sessions, and a weekend."""
    gateway = GatewayAtHand(tick_seconds=60.0, securities=FutuSimulator().securities)
    listed = {"security_list": [TENCENT, {"market": 11, "code": "AAPL"}, {"market": 21, "code": "600000"}]}
    seen = {}
    moments = ("09:10", "09:25", "09:30", "12:00", "13:00", "14:58", "16:05", "16:10", "17:30", "22:30")
    for text in moments:
        gateway.clock.now_ns = parse_time(f"2026-11-19 {text}:00", "Asia/Hong_Kong")
        rows = (await gateway.said("market-state", listed))["market_info_list"]
        seen[text] = tuple(row["market_state"] for row in rows)
    assert seen == {
        "09:10": (1, 37, 6),
        "09:25": (2, 37, 2),
        "09:30": (3, 37, 3),
        "12:00": (4, 37, 4),
        "13:00": (5, 37, 5),
        "14:58": (5, 37, 30),
        "16:05": (19, 37, 6),
        "16:10": (6, 37, 6),
        "17:30": (6, 8, 6),
        "22:30": (6, 3, 6),
    }
    gateway.clock.now_ns = parse_time("2026-11-21 11:00:00", "Asia/Hong_Kong")
    rows = (await gateway.said("market-state", listed))["market_info_list"]
    assert [row["market_state"] for row in rows] == [6, 6, 6]


async def test_filters_of_lists() -> None:
    """Codes, ids, times, states, markets and profit ratios narrow what is told."""
    opening = (
        Opening(symbol="HK.00700", quantity=100, price=400.0),
        Opening(symbol="US.AAPL", quantity=5, price=400.0),
    )
    account = FutuAccount(
        acc_id=5, environment="simulate", markets=(1, 2), positions=opening, cash={"HKD": 1e6, "USD": 1e6}
    )
    gateway = GatewayAtHand(accounts=(account,))
    head = {"header": {"trd_env": 0, "acc_id": 5, "trd_market": 1}}
    wide = {"header": head["header"], "sec_market": None}
    first = await gateway.said("order", gateway.an_order(**wide))
    gateway.wait(60)
    second = await gateway.said(
        "order",
        gateway.an_order(header=head["header"] | {"trd_market": 2}, code="AAPL", qty=1.0, price=1.0, sec_market=2),
    )

    async def listed(name: str, key: str, **conditions: Any) -> list[Any]:
        body = head | {"filter_conditions": conditions}
        return [row[key] for row in (await gateway.said(name, body)).popitem()[1]]

    one, two = first["order_id"], second["order_id"]
    assert await listed("orders", "order_id") == [one, two]
    assert await listed("orders", "order_id", code_list=["AAPL"]) == [two]
    assert await listed("orders", "order_id", id_list=[one]) == [one]
    assert await listed("orders", "order_id", order_id_ex_list=[second["order_id_ex"]]) == [two]
    assert await listed("orders", "order_id", filter_market=2) == [two]
    assert await listed("orders", "order_id", end_time="2026-11-18 10:15:30", filter_market=1) == [one]
    assert await listed("positions", "code", filter_market=2) == ["AAPL"]
    assert await listed("positions", "code", code_list=["00700"]) == ["00700"]
    states = await gateway.said("orders", head | {"filter_status_list": [5]})
    assert [row["order_id"] for row in states["order_list"]] == [one]
    gains = await gateway.said("positions", head | {"filter_pl_ratio_min": 0.0})
    assert [row["code"] for row in gains["position_list"]] == ["00700"]
    losses = await gateway.said("positions", head | {"filter_pl_ratio_max": 0.0})
    assert [row["code"] for row in losses["position_list"]] == ["AAPL"]


async def test_restricted_keys_see_only_their_accounts() -> None:
    """The list is cut, and everything about another account is a 403."""
    gateway = GatewayAtHand(limits=Limits(allowed_acc_ids=(SIMULATE_HK,)))
    assert [row["acc_id"] for row in (await gateway.said("accounts"))["acc_list"]] == [SIMULATE_HK]
    text = "limit check failed: account not allowed"
    for name, body in (
        ("funds", {"header": a_header(REAL), "currency": 1}),
        ("order", gateway.an_order(SIMULATE_US)),
        ("sub-acc-push", {"acc_id_list": [REAL]}),
    ):
        assert await gateway.denied(name, body) == (403, text)
    assert await gateway.said("funds", HEAD)
    cards = GatewayAtHand(limits=Limits(allowed_card_nums=("1001000000001234",)))
    assert [row["acc_id"] for row in (await cards.said("accounts"))["acc_list"]] == [REAL]


async def test_small_tables_of_reference_data() -> None:
    """Plates, owners, options and flows name securities that exist, in the messages' keys."""
    gateway = GatewayAtHand()
    plates = (await gateway.said("plate-set", BODIES["/api/plate-set"]))["plate_info_list"]
    assert [row["plate"]["code"] for row in plates] == ["BK1001", "BK1002"]
    members = (await gateway.said("plate-security", BODIES["/api/plate-security"]))["static_info_list"]
    assert [row["basic"]["security"]["code"] for row in members] == ["00700", "09988"]
    owners = (await gateway.said("owner-plate", LIST))["owner_plate_list"]
    assert [row["plate"]["code"] for row in owners[0]["plate_info_list"]] == ["BK1001", "BK1002"]
    (chain,) = (await gateway.said("option-chain", BODIES["/api/option-chain"]))["option_chain"]
    assert chain["strike_time"] == "2026-12-18"
    assert {row["call"]["option_ex_data"]["type"] for row in chain["option"]} == {1}
    flow = await gateway.said("capital-flow", SECURITY)
    assert len(flow["flow_item_list"]) == 46
    page = await gateway.said("stock-filter", {"begin": 1, "num": 1, "market": 1})
    assert (page["last_page"], page["all_count"], len(page["data_list"])) == (False, 3, 1)
    assert (await gateway.said("future-info", LIST))["future_info_list"] == []


async def test_connect_accounts_and_currencies() -> None:
    """Funds in each currency add up at the fixed rates; the CN account trades both mainland exchanges."""
    gateway = GatewayAtHand()
    totals = [
        (await gateway.said("funds", {"header": a_header(REAL), "currency": number}))["funds"]["total_assets"]
        for number in (1, 2, 3)
    ]
    assert totals == [9_880_000.0, 1_266_666.67, 9_148_148.15]
    order = await gateway.placed(SIMULATE_CN, code="000001", sec_market=32, qty=100.0, price=11.6)
    gateway.wait(1)
    row = (await gateway.said("orders", {"header": a_header(SIMULATE_CN, trd_market=3)}))["order_list"][0]
    assert (row["order_id"], row["sec_market"], row["trd_market"], row["currency"]) == (order["order_id"], 32, 3, 3)


def test_settings_that_do_not_fit() -> None:
    """Each with a sentence that names the mend."""
    bad: list[tuple[Callable[[], Any], str]] = [
        (lambda: FutuSimulator(tick_seconds=7.0), "divide a day"),
        (lambda: FutuSimulator(queue_max=0), "at least 1"),
        (lambda: FutuSimulator(securities=(FutuSimulator().securities[0],) * 2), "same market and code"),
        (lambda: FutuSimulator(accounts=(FutuSimulator().accounts[0],) * 2), "same acc_id"),
        (lambda: FutuAccount(acc_id=0, environment="real", markets=(1,)), "id above 0"),
        (lambda: FutuAccount(acc_id=1, environment="real", markets=(1,), cash={"GBP": 1.0}), "cash in GBP"),
        (lambda: a_key("x", "trade:everything"), "scope trade:everything"),
    ]
    for make, text in bad:
        with pytest.raises(ValueError, match=text):
            make()
    with pytest.raises(ConfigError, match="lists no such code"):
        GatewayAtHand(securities=(Security(code="1", market="HK", name="x", price=1.0, listing="NO"),))
    assert SIMULATORS["futu"] is FutuSimulator


def test_the_made_past_does_not_depend_on_who_asks_first() -> None:
    """Days in any order, in one piece or several, are the same bars."""
    gateways = [GatewayAtHand(), GatewayAtHand()]
    chronicles = [one.venue.quotes.chronicle(one.venue.securities["1_00700"]) for one in gateways]
    assert all(isinstance(chronicle, Chronicle) for chronicle in chronicles)
    late = chronicles[0].minutes(HK_OPEN_NS - 3 * DAY_NS, HK_OPEN_NS)
    chronicles[1].minutes(HK_OPEN_NS - 30 * DAY_NS, HK_OPEN_NS - 20 * DAY_NS)
    parts = chronicles[1].minutes(HK_OPEN_NS - 2 * DAY_NS, HK_OPEN_NS)
    assert late[-len(parts) :] == parts
    assert EXAMPLE_TOKEN.startswith("fc_")
