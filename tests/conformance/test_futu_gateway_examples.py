"""Every file under the contract's examples decodes, and maps as its notes say."""

import json
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

from engine.domain.errors import OutcomeUnknown, Refused
from engine.domain.evidence import Evidence, OrderState
from engine.domain.market import OrderBook
from engine.gateways.futu import account_messages as a
from engine.gateways.futu import orders, push, texts, wire
from engine.gateways.futu import routes as r
from engine.gateways.futu import trade_messages as t
from engine.gateways.futu.bars import bars_from_rows
from engine.gateways.futu.calls import call
from engine.gateways.futu.client import body_of
from engine.net.rest import Answer
from tests.futu_builders import FarSide, OneOrder, a_gateway, an_order, answer_of, example, example_names

NAMES = example_names() or ["absent.json"]
ROUTE_OF = {route.path: route for route in r.ROUTES.values()}
FAILURES = {
    "012_subscribe_invalid_code.json": (Refused, None),
    "021_quote_not_subscribed.json": (Refused, None),
    "022_quote_unknown_field.json": (Refused, None),
    "032_history_kline_bad_alias.json": (Refused, None),
    "033_history_kline_rate.json": (Refused, 30),
    "041_unlock_trade_otp.json": (Refused, None),
    "042_unlock_trade_cooldown.json": (Refused, None),
    "044_sub_acc_push_legacy.json": (Refused, None),
    "054_order_business_reject.json": (Refused, None),
    "055_order_not_unlocked.json": (Refused, None),
    "056_order_frequency.json": (Refused, 30),
    "057_order_timeout_unknown.json": (OutcomeUnknown, None),
    "058_order_429_rate.json": (Refused, 60),
    "059_order_429_daily.json": (Refused, None),
    "060_order_403_whitelist.json": (Refused, None),
    "061_order_403_scope.json": (Refused, None),
    "062_order_401.json": (Refused, None),
    "073_cancel_too_late.json": (Refused, None),
    "088_acc_id_zero.json": (Refused, None),
    "089_bad_trd_market.json": (Refused, None),
}


def as_answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, response.headers, response.content, "POST /x")


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(found) for key, found in value.items() if found not in (None, [])}
    return [without_nulls(found) for found in value] if isinstance(value, list) else value


def ids_as_text(value: Any, key: str = "") -> Any:
    """The recorded answer with ids in the form we keep."""
    if isinstance(value, dict):
        return {name: ids_as_text(found, name) for name, found in value.items()}
    if isinstance(value, list):
        return [ids_as_text(found, key) for found in value]
    is_id = key in ("acc_id", "order_id", "fill_id", "position_id", "conn_id", "id", "combo_id")
    return str(value) if is_id and isinstance(value, int) else value


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_read_whole_or_refused_as_it_says(name: str) -> None:
    """A good answer loses no field of what we type; a failure is the right error, with the right wait."""
    recorded = example(name)
    if "response" not in recorded:
        pytest.skip("this example is a push or a sequence of calls: it has no one answer to read")
    path = recorded["request"]["path"]
    response = as_answer(answer_of(recorded))
    if path in r.TEXT_ROUTES.values() or path not in ROUTE_OF:
        assert path in (*r.TEXT_ROUTES.values(), "/api/transfer")
        return
    kind = ROUTE_OF[path].answer
    if name in FAILURES:
        expected, seconds = FAILURES[name]
        with pytest.raises(expected) as caught:
            wire.answer_from_wire(response, kind, 0)
        wait = getattr(caught.value, "retry_after_ns", None)
        assert wait == (seconds * 1_000_000_000 if seconds else None)
        return
    found = msgspec.to_builtins(wire.answer_from_wire(response, kind, 0), enc_hook=str)
    said = without_nulls(ids_as_text(recorded["response"]["body"]["s2c"]))
    kept = without_nulls(found)
    assert_within(said, kept)


def assert_within(said: Any, kept: Any) -> None:
    if isinstance(said, dict):
        for key, value in said.items():
            assert key in kept, key
            assert_within(value, kept[key])
    elif isinstance(said, list):
        assert len(said) == len(kept)
        for one, other in zip(said, kept, strict=True):
            assert_within(one, other)
    else:
        assert said == kept


@pytest.mark.parametrize("name", NAMES)
def test_every_question_of_the_examples_can_be_asked(name: str) -> None:
    """Our typed question of the same call is the very same body; unknown names do not get into one."""
    recorded = example(name)
    request = recorded.get("request")
    route = ROUTE_OF.get(request["path"]) if request else None
    if request is None or route is None or request["body"] is None:
        pytest.skip("this example is a call without a body, or of no route of ours: there is no question to compare")
    inner = request["body"].get("c2s", request["body"])
    strange = name in (
        "011_subscribe_symbols_alias.json", "022_quote_unknown_field.json", "032_history_kline_bad_alias.json",
        "088_acc_id_zero.json",
    )  # fmt: skip
    if strange:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(inner, route.ask)
        return
    question = msgspec.convert(inner, route.ask)
    assert json.loads(body_of(route, question)) == request["body"]


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("1")] or NAMES)
def test_every_push_says_what_its_decoded_body_says(name: str) -> None:
    """Real protobuf bytes, made with the official definitions, against the fields beside them."""
    recorded = example(name)
    found = push.pushed_from_wire(json.dumps(recorded["ws_frame"]))
    said = recorded["decoded_body"]["s2c"]
    if "connect_status" in said:
        assert found == [push.GatewayState(quotes_ready=False, trading_ready=False)]
        return
    one: Any = found[0]
    if "order" in said:
        assert without_nulls(msgspec.to_builtins(one.order, enc_hook=str)) == without_nulls(ids_as_text(said["order"]))
        assert (one.acc_id, one.trd_env) == (str(said["header"]["acc_id"]), said["header"]["trd_env"])
    elif "order_fill" in said:
        kept = without_nulls(msgspec.to_builtins(one.fill, enc_hook=str))
        assert kept == without_nulls(ids_as_text(said["order_fill"]))
    elif "basic_qot_list" in said:
        row = said["basic_qot_list"][0]
        assert (one.instrument, one.last, one.ts_s, one.volume) == (
            "00700.HK", row["cur_price"], row["update_timestamp"], row["volume"],
        )  # fmt: skip
    elif "ticker_list" in said:
        assert [(p.sequence, p.price, p.size, p.live) for p in found] == [  # type: ignore[union-attr]
            (row["sequence"], row["price"], row["volume"], True) for row in said["ticker_list"]
        ]
    elif "order_book_ask_list" in said:
        assert isinstance(one, OrderBook)
        assert [(level.price, level.size) for level in one.asks] == [
            (row["price"], row["volume"]) for row in said["order_book_ask_list"]
        ]
        assert one.bids[0].price == said["order_book_bid_list"][0]["price"]
    else:
        row = said["kl_list"][0]
        assert (one.interval_ns, one.rehab_type) == (60_000_000_000, 1)
        assert (one.open, one.high, one.low, one.close) == (
            row["open_price"], row["high_price"], row["low_price"], row["close_price"],
        )  # fmt: skip


def test_the_sequence_ends_as_it_says() -> None:
    """Example 200: partly filled, then cancelled, on an account whose fills must be worked out."""
    steps = example("200_sequence_partial_then_cancel.json")
    one = OneOrder()
    for step in steps["steps"]:
        if step.get("rest") == "050_order_limit_ok.json":
            one.answered()
        elif "rest" in step:
            one.lives.cancelling(one.request.client_id)
        else:
            for pushed in push.pushed_from_wire(json.dumps(example(step["push"])["ws_frame"])):
                assert isinstance(pushed, push.OrderPush)
                one.lives.on_order(pushed.order)
    expect = steps["expect"]
    assert one.order.state is OrderState.CANCELED
    assert one.order.cum == expect["filled_qty"]
    assert one.order.value / one.order.cum == Decimal(str(expect["avg_price"]))
    assert one.kinds.count("fill") == expect["fills"]


def test_order_example_is_what_we_send() -> None:
    """Example 050, from our own order: wrapped, with remark, sec_market and the key of its header."""
    recorded = example("050_order_limit_ok.json")["request"]
    account = orders.Account(acc_id="1800123", trd_env=0, markets=frozenset({1}))
    question = orders.order_to_wire(an_order(), account, t.PacketId(conn_id=77001, serial_no=101))
    assert json.loads(body_of(r.ORDER, question)) == recorded["body"]


def test_thirty_minute_bars_are_labelled_by_their_end() -> None:
    """Example 030: the first bar of a Hong Kong day is 10:00, and is known then."""
    body = example("030_history_kline_page1.json")["response"]["body"]["s2c"]
    page = msgspec.convert(body, r.HISTORY_KLINE.answer)
    bars = bars_from_rows("00700.HK", 1_800_000_000_000, page.kl_list)  # type: ignore[arg-type]
    assert bars[0].ts_ns == 1794880800 * 10**9
    assert bars[0].start_ns == 1794880800 * 10**9 - 1_800_000_000_000


def test_account_rows_become_ours() -> None:
    """Examples 080 to 083: orders with our tag, positions, cash by currency."""
    rows = msgspec.convert(example("080_orders.json")["response"]["body"]["s2c"], t.Orders, strict=False, dec_hook=_id)
    first = rows.order_list[0]  # type: ignore[index]
    row = orders.order_row_from_wire(first, Evidence.WORKING, first.order_id_ex)  # type: ignore[arg-type]
    assert row is not None
    assert (row.client_tag, row.cum, row.average_price, row.quantity) == ("oe-7f3a0001", 100, Decimal("510.8"), 300)
    assert row.as_of_ns == 1794968109 * 10**9
    held = msgspec.convert(example("082_positions.json")["response"]["body"]["s2c"], a.Positions, dec_hook=_id)
    position = orders.position_from_wire(held.position_list[0])  # type: ignore[index]
    assert position is not None
    assert (position.instrument, position.quantity, position.sellable) == ("00700.HK", 400, 400)
    funds = msgspec.convert(example("083_funds.json")["response"]["body"]["s2c"], a.FundsAnswer, dec_hook=_id)
    assert funds.funds is not None
    balance = orders.balances_from_wire(funds.funds, "HKD")[0]
    assert (balance.currency, balance.total, balance.available) == ("HKD", Decimal("796040.0"), Decimal("693880.0"))


def _id(kind: type, value: Any) -> Any:
    return wire.Id(value) if kind is wire.Id else value


@pytest.mark.parametrize("name", ["001_health_ok.json", "002_health_backend_down.json", "095_metrics.json"])
async def test_texts_outside_the_table(name: str) -> None:
    """Health is text or a refusal; metrics is text."""
    recorded = example(name)
    far = FarSide()
    far.say(recorded["request"]["path"], answer_of(recorded))
    gateway = a_gateway(far)
    if recorded["response"]["http_status"] == 200:
        route = recorded["request"]["path"].removeprefix("/")
        assert await gateway.call(route, {}) == recorded["response"]["body"]
    else:
        with pytest.raises(Refused, match="backend disconnected"):
            await gateway.call("health", {})


async def test_unlock_asks_for_a_second_factor() -> None:
    """Example 041 by name: the failure keeps its words."""
    far = FarSide()
    far.say("/api/unlock-trade", answer_of(example("041_unlock_trade_otp.json")))
    gateway = a_gateway(far)
    with pytest.raises(Refused, match="令牌动态密码"):
        await call(gateway.client, "unlock_trade", {"unlock": "true"}, gateway="g", account=None, packets=None)  # type: ignore[arg-type]
    assert texts.code_from_text("[err_code=10003] x") == "10003"
