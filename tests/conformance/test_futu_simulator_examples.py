"""Every example of the Futu contract, sent to the simulator as it stands, or encoded by it as it stands.

Values that are made up there (ids, prices of a moment) are compared by key and type; texts, statuses, envelopes and
everything that follows from the request are compared as they are.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from engine.domain.timestamps import SECOND_NS, parse_time
from engine.simulators.futu import AnswerFault, AnswerFaults, FutuAccount, Limits, Opening, a_key
from engine.simulators.futu.schema import encoded
from tests.futu_simulator_builders import HK_OPEN_NS, REAL, SIMULATE_HK, TENCENT, GatewayAtHand

EXAMPLES = (Path(__file__).parents[2] / "../shared/contracts/examples/futu").resolve()
FILES = sorted(EXAMPLES.glob("*.json"))
pytestmark = pytest.mark.skipif(not FILES, reason="the contract's examples are not beside the repository")

ACCOUNTS = (
    FutuAccount(
        acc_id=SIMULATE_HK,
        environment="simulate",
        markets=(1,),
        sim_acc_type=1,
        positions=(Opening(symbol="HK.00700", quantity=400, price=509.9),),
    ),
    FutuAccount(
        acc_id=REAL,
        environment="real",
        markets=(1, 2, 4),
        kind="margin",
        cash={"HKD": 1_000_000.0, "USD": 10_000.0},
        card_num="1001000000001234",
        uni_card_num="1001000000009999",
        security_firm=1,
        acc_role=1,
    ),
)
US = FutuAccount(acc_id=SIMULATE_HK, environment="simulate", markets=(1, 2), cash={"HKD": 1e6, "USD": 1e6})
MADE_UP = {
    "order_id", "order_id_ex", "conn_id", "server_build_no", "local_time", "market_hk_future", "id",
    "position_id", "fill_id", "fill_id_ex", "next_req_key",
}  # fmt: skip


def example(prefix: str) -> dict[str, Any]:
    return json.loads(next(path for path in FILES if path.name.startswith(prefix)).read_text())


def a_gateway(**settings: Any) -> GatewayAtHand:
    from engine.simulators.futu import DEFAULT_SECURITIES

    rest = tuple(one for one in DEFAULT_SECURITIES if one.code != "00700")
    return GatewayAtHand(**({"accounts": ACCOUNTS, "securities": (TENCENT, *rest)} | settings))


async def sent(gateway: GatewayAtHand, prefix: str, **changes: Any) -> tuple[Any, Any, dict[str, Any]]:
    """The answer, its body, and the answer the example shows; ``changes`` go into the request's c2s."""
    case = example(prefix)
    request, wanted = case["request"], case["response"]
    body = request["body"]
    if changes:
        body = {"c2s": body["c2s"] | changes} if "c2s" in body else body | changes
    content = None if body is None else json.dumps(body).encode()
    response = await gateway.stranger.request(
        request["method"], request["path"], content=content, headers=request["headers"]
    )
    assert response.status_code == wanted["http_status"], response.text
    for name, value in wanted["headers"].items():
        assert response.headers[name] == value
    read = response.json() if "json" in response.headers["content-type"] else response.text
    return response, read, wanted["body"]


def alike(real: Any, shown: Any, where: str = "") -> None:
    """The same keys, and values of the same types wherever both have one."""
    if isinstance(shown, dict):
        assert isinstance(real, dict), where
        assert set(real) == set(shown), f"{where}: {set(real) ^ set(shown)}"
        for key, value in shown.items():
            alike(real[key], value, f"{where}.{key}")
    elif isinstance(shown, list) and shown and isinstance(real, list) and real:
        alike(real[0], shown[0], f"{where}[0]")
    elif shown is not None and real is not None:
        numbers = (int, float) if isinstance(shown, float) else type(shown)
        assert isinstance(real, numbers), f"{where}: {real!r} is not like {shown!r}"


EXACT = [
    ("001", {}),
    ("010", {}),
    ("011", {}),
    ("012", {}),
    ("021", {}),
    ("022", {}),
    ("032", {}),
    ("040", {}),
    ("041", {"otp": "123456"}),
    ("043", {}),
    ("044", {"keys": ()}),
    ("054", {}),
    ("055", {}),
    ("061", {"scopes": ("qot:read", "acc:read")}),
    ("062", {}),
    ("063", {}),
    ("074", {}),
    ("088", {}),
    ("089", {}),
    ("060", {"limits": Limits(allowed_markets=("HK",)), "accounts": (US,)}),
]


@pytest.mark.parametrize(("prefix", "settings"), EXACT)
async def test_an_example_is_answered_to_the_letter(prefix: str, settings: dict[str, Any]) -> None:
    """Status, headers and body as the example shows them."""
    _, read, wanted = await sent(a_gateway(**settings), prefix)
    assert read == wanted


async def test_health_while_the_backend_is_away() -> None:
    """002: 503 with an error object."""
    gateway = a_gateway()
    gateway.venue.set_connected(False)
    _, read, wanted = await sent(gateway, "002")
    assert read == wanted


@pytest.mark.parametrize("prefix", ["003", "023", "024", "025", "083", "084", "086"])
async def test_an_example_of_state_has_the_same_keys_and_types(prefix: str) -> None:
    """Everything that stands in the example stands in the answer, and nothing else."""
    _, read, wanted = await sent(a_gateway(), prefix)
    alike(read, wanted)


async def test_the_figures_that_follow_from_the_request_are_the_examples() -> None:
    """024: the lot; 025: both states at that moment; 003: the markets' states; 086: the whole row."""
    gateway = a_gateway()
    _, read, wanted = await sent(gateway, "024")
    assert read["s2c"]["static_info_list"][0]["basic"] | {"id": 0} == wanted["s2c"]["static_info_list"][0]["basic"] | {
        "id": 0
    }
    _, read, wanted = await sent(gateway, "025")
    assert read == wanted
    _, read, wanted = await sent(gateway, "003")
    for key, value in wanted["s2c"].items():
        assert key in MADE_UP or read["s2c"][key] == value, key
    _, read, wanted = await sent(gateway, "086")
    assert read == wanted


async def test_accounts_in_both_forms_of_ids() -> None:
    """004 and 005, to the letter."""
    for prefix, form in (("004", "number"), ("005", "text")):
        _, read, wanted = await sent(a_gateway(account_ids=form), prefix)
        assert read == wanted


async def test_subscription_quota_after_the_example_subscription() -> None:
    """010 then 014: three units used of 300; 013 takes one back after a minute, not before."""
    gateway = a_gateway()
    await sent(gateway, "010")
    _, read, wanted = await sent(gateway, "014")
    assert read == wanted
    refused = await gateway.client.post("/api/subscribe", json=example("013")["request"]["body"])
    assert refused.json()["ret_type"] == -1
    gateway.wait(60)
    _, read, wanted = await sent(gateway, "013")
    assert read == wanted
    assert gateway.venue.subscriptions.used == 2


@pytest.mark.parametrize(("prefix", "sub"), [("020", 1), ("026", 2), ("034", 6)])
async def test_what_needs_a_subscription(prefix: str, sub: int) -> None:
    """Quote, book and k-line: keys and types as shown; a day is stamped 00:00:00 of the example's day."""
    gateway = a_gateway()
    await gateway.subscribe(sub)
    _, read, wanted = await sent(gateway, prefix)
    alike(read, wanted)
    if prefix == "034":
        (row,) = read["s2c"]["kl_list"]
        shown = wanted["s2c"]["kl_list"][0]
        assert (row["time"], row["timestamp"]) == (shown["time"], shown["timestamp"])


async def test_history_pages_as_the_examples_do() -> None:
    """030: two 30-minute bars labelled by their ends, and a key of bytes; 031 with that key goes on from there."""
    gateway = a_gateway()
    _, first, wanted = await sent(gateway, "030")
    alike(first, wanted)
    assert [row["time"] for row in first["s2c"]["kl_list"]] == [row["time"] for row in wanted["s2c"]["kl_list"]]
    _, second, wanted = await sent(gateway, "031", next_req_key=first["s2c"]["next_req_key"])
    assert second["s2c"]["kl_list"][0]["time"] == wanted["s2c"]["kl_list"][0]["time"]
    assert second["s2c"]["kl_list"][0]["last_close_price"] == first["s2c"]["kl_list"][-1]["close_price"]
    last = await gateway.said(
        "history-kline", example("031")["request"]["body"] | {"next_req_key": None, "max_count": 1000}
    )
    assert last["next_req_key"] is None


async def test_history_frequency() -> None:
    """033 after 60 first pages in 30 seconds."""
    gateway = a_gateway(pacing=True)
    for _ in range(60):
        await gateway.said("history-kline", example("033")["request"]["body"])
    _, read, wanted = await sent(gateway, "033")
    assert read == wanted


async def test_unlock_cool_down() -> None:
    """042: the third wrong password meets the pause; after a minute it is looked at again."""
    gateway = a_gateway()
    body = example("042")["request"]["body"]
    for _ in range(2):
        assert "交易密码错误" in await gateway.refused("unlock-trade", body)
    _, read, wanted = await sent(gateway, "042")
    assert read == wanted
    gateway.wait(60)
    await sent(gateway, "040")


@pytest.mark.parametrize("prefix", ["050", "051", "052"])
async def test_an_order_is_taken(prefix: str) -> None:
    """Limit, market and auction limit orders: an id on both forms, the header with its null."""
    _, read, wanted = await sent(a_gateway(), prefix)
    alike(read, wanted)
    s2c = read["s2c"]
    assert s2c["header"] == wanted["s2c"]["header"]
    assert s2c["order_id_ex"] == f"20261118_10_{s2c['order_id']}"


async def test_the_same_key_gives_the_same_answer() -> None:
    """053 after 050: one order."""
    gateway = a_gateway()
    _, first, _ = await sent(gateway, "050")
    _, again, _ = await sent(gateway, "053")
    assert again == first
    assert len(gateway.ledger.orders()) == 1


async def test_sixteen_orders_in_thirty_seconds() -> None:
    """056: the backend's own sentence with a 200."""
    gateway = a_gateway(pacing=True)
    for _ in range(15):
        await gateway.placed(qty=100.0, price=5.0)
        gateway.wait(1)
    _, read, wanted = await sent(gateway, "056")
    assert read == wanted


async def test_an_unknown_outcome() -> None:
    """057, once with the order placed and once without."""
    for fault, placed in ((AnswerFault.TIMEOUT_DONE, 1), (AnswerFault.TIMEOUT_LOST, 0)):
        gateway = a_gateway(answers=AnswerFaults(script={1: fault}))
        _, read, wanted = await sent(gateway, "057")
        assert read == wanted
        assert len(gateway.ledger.orders()) == placed


async def test_the_limit_sentences() -> None:
    """058: the fourth write of a minute under a cap of 3; 059: the day's value with all its figures."""
    gateway = a_gateway(limits=Limits(max_orders_per_minute=3))
    for _ in range(3):
        await gateway.placed(qty=100.0, price=500.0)
    _, read, wanted = await sent(gateway, "058")
    assert read == wanted
    gateway = a_gateway(limits=Limits(max_daily_value=25_000.0))
    await gateway.placed(qty=100.0, price=180.0)
    _, read, wanted = await sent(gateway, "059", qty=100.0, price=90.0)
    assert read == wanted


async def test_change_and_cancel() -> None:
    """070, 071 and 072 on the order of 050; 073 once it has ended."""
    gateway = a_gateway(volatility=0.0)
    _, placed, _ = await sent(gateway, "050", price=505.0)
    ids = {key: placed["s2c"][key] for key in ("order_id", "order_id_ex")}
    gateway.wait(1)
    for prefix, named in (
        ("070", {"order_id": ids["order_id"], "price": 504.6}),
        ("071", {"order_id": ids["order_id"]}),
        ("072", {"order_id_ex": ids["order_id_ex"]}),
    ):
        _, read, wanted = await sent(gateway, prefix, **named)
        assert read == wanted | {"s2c": wanted["s2c"] | ids}
    assert gateway.ledger.orders()[0].quantity == 200
    gateway.wait(1)
    _, read, wanted = await sent(gateway, "073", order_id=ids["order_id"])
    assert read == wanted


async def test_order_fill_and_position_rows() -> None:
    """080, 082 (simulate) and 081, 085, 087 (real): rows with every key, in the types of the examples."""
    gateway = a_gateway(volatility=0.0)
    await gateway.said("unlock-trade", example("040")["request"]["body"])
    for acc_id in (SIMULATE_HK, REAL):
        await gateway.placed(acc_id, qty=100.0, order_type=2, price=0.0, remark="oe-1")
    gateway.wait(3)
    for prefix in ("080", "081", "082"):
        _, read, wanted = await sent(gateway, prefix)
        alike(read, wanted)
    order = gateway.ledger.orders(REAL)[0]
    _, read, wanted = await sent(gateway, "085", order_id_ex_list=[order.order_id_ex])
    alike(read, wanted)
    titles = [fee["title"] for fee in read["s2c"]["order_fee_list"][0]["fee_list"]]
    assert titles == [fee["title"] for fee in wanted["s2c"]["order_fee_list"][0]["fee_list"]]
    _, read, wanted = await sent(gateway, "087")
    alike(read, wanted)


def test_the_fees_of_the_example_order() -> None:
    """085: 100 shares at 510.8 cost 83.21, part by part."""
    from decimal import Decimal

    fees = TENCENT.place.fees(1, 100, Decimal("51080"))
    shown = example("085")["response"]["body"]["s2c"]["order_fee_list"][0]
    assert {title: float(value) for title, value in fees.items()} == {
        fee["title"]: fee["value"] for fee in shown["fee_list"]
    }
    assert float(sum(fees.values())) == shown["fee_amount"]


async def test_metrics_have_the_documented_names() -> None:
    """095: types, labels and order; no token needed."""
    gateway = a_gateway(limits=Limits(max_orders_per_minute=1))
    for _ in range(2):
        await gateway.call("order", gateway.an_order(qty=100.0, price=500.0))
    gateway.venue.pusher.filtered["acc:read", "kh_1a2b3c4d"] += 7
    _, read, wanted = await sent(gateway, "095")

    def shape(text: str) -> list[str]:
        return [line.partition("key_id")[0] for line in text.splitlines()]

    assert shape(read) == shape(wanted)


@pytest.mark.parametrize("path", [path for path in FILES if path.name[0] == "1"], ids=lambda path: path.stem)
def test_a_push_body_is_encoded_byte_for_byte(path: Path) -> None:
    """What the official definitions made of the decoded rows is what our schema makes of them."""
    case = json.loads(path.read_text())
    frame = case["ws_frame"]
    assert encoded(frame["proto_id"], case["decoded_body"]["s2c"]) == base64.b64decode(frame["body_b64"])


async def test_the_sequence_of_one_order() -> None:
    """200: states 2, 5, 10, 12, 14 in this order, one derived fill of 100, nothing filled after the cancel."""
    from engine.simulators.futu.desk import Pace

    for seed in range(40):
        gateway = a_gateway(seed=seed, pace=Pace(partial=1.0, cancel_ms=300))
        _, placed, _ = await sent(gateway, "050", price=511.0)
        order_id = placed["s2c"]["order_id"]
        gateway.wait(0.3)
        order = gateway.ledger.orders()[0]
        if order.filled != 100:
            continue
        await sent(gateway, "071", order_id=order_id)
        gateway.wait(0.4)
        states = list(dict.fromkeys(row["order_status"] for _, row in order.versions))
        if order.filled == 100:
            assert states == [2, 5, 10, 12, 14]
            assert order.average == 511.0
            return
    pytest.fail("no seed fills a third of the order and stops there")


def test_every_example_is_looked_at_here() -> None:
    """A new file of the contract fails until a test names it."""
    source = Path(__file__).read_text()
    missing = [path.name for path in FILES if path.name[0] != "1" and f'"{path.name[:3]}"' not in source]
    assert [name for name in missing if not name.startswith("200")] == []


def test_the_moment_of_the_examples() -> None:
    """1794968103 of example 003 is the builder's clock."""
    assert example("003")["response"]["body"]["s2c"]["time"] == HK_OPEN_NS // SECOND_NS
    assert parse_time("2026-11-18 10:15:03", "Asia/Hong_Kong") == HK_OPEN_NS
    assert a_key("x").scopes
