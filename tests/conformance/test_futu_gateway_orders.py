"""The life of an order by pushes, answers and queries in any order, and what the router sends and refuses."""

import itertools
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.commands import OrderType, Side, TimeInForce
from engine.domain.errors import BadMessage, NotSent, OutcomeUnknown, Refused
from engine.domain.events import Alert
from engine.domain.evidence import Evidence, OrderReport, OrderState
from engine.domain.order import Order
from engine.domain.timestamps import SECOND_NS
from engine.gateways.futu import lives
from engine.gateways.futu import trade_messages as t
from engine.gateways.futu.adapter import FutuGateway
from engine.gateways.futu.wire import Id
from tests.futu_builders import (
    ACCOUNT,
    NOW_NS,
    REAL_ID,
    FarSide,
    OneOrder,
    a_gateway,
    an_account,
    an_order,
    ok,
    said_no,
    some_funds,
)

BIG = "18446744073709551615"
"""The largest uint64."""


def a_row(status: int, filled: float = 0, at: float = 0, average: float = 510.8, **more: Any) -> t.Order:
    fields: dict[str, Any] = {
        "trd_side": 1, "order_type": 1, "order_status": status, "order_id": Id("8947461500000000561"),
        "order_id_ex": "20261118_10_8947461500000000561", "code": "00700", "qty": 300.0, "price": 510.8,
        "fill_qty": filled, "fill_avg_price": average, "update_timestamp": NOW_NS / 1e9 + at, "sec_market": 1,
        "remark": "oe-7f3a0001",
    }  # fmt: skip
    return t.Order(**(fields | more))


def a_fill(number: int = 1, quantity: float = 100, price: float = 510.8, status: int = 0, at: float = 1) -> t.OrderFill:
    return t.OrderFill(
        trd_side=1, fill_id=Id(str(number)), fill_id_ex=f"F{number}", order_id=Id("8947461500000000561"),
        order_id_ex="20261118_10_8947461500000000561", code="00700", qty=quantity, price=price,
        create_timestamp=NOW_NS / 1e9 + at, update_timestamp=NOW_NS / 1e9 + at + (1 if status else 0), status=status,
        sec_market=1,
    )  # fmt: skip


def test_acceptance_is_told_by_a_status_not_by_the_answer() -> None:
    """Ids prove nothing yet; a refusal by the exchange is then a refusal, not a contradiction."""
    one = OneOrder()
    one.answered()
    one.lives.on_order(a_row(2))
    assert one.order.state is OrderState.PENDING_NEW
    one.lives.on_order(a_row(21, at=1, last_err_msg="价格超出允许范围"))
    assert one.order.state is OrderState.REJECTED
    assert "价格超出允许范围" in one.order.reason


def test_refused_after_acceptance_is_withdrawn_not_disputed() -> None:
    """Trigger orders may be refused when they fire: nothing filled, not working, so the rest is gone."""
    one = OneOrder()
    one.answered()
    one.lives.on_order(a_row(5))
    one.lives.on_order(a_row(21, at=1))
    assert one.order.state is OrderState.CANCELED


def test_armed_conditional_orders_are_accepted() -> None:
    """Status 1 of a stop order is its armed life; of a limit order it is waiting."""
    stop = OneOrder(order=an_order(kind=OrderType.STOP, price=None, stop="500"))
    stop.lives.on_order(a_row(1, order_type=10))
    assert stop.order.state is OrderState.WORKING
    plain = OneOrder()
    plain.answered()
    plain.lives.on_order(a_row(1))
    assert plain.order.state is OrderState.PENDING_NEW
    plain.clock.now_ns += lives.LAG_NS + SECOND_NS
    plain.lives.overdue()
    assert plain.order.state is OrderState.WORKING


def test_a_fill_may_come_before_the_answer_and_before_the_order() -> None:
    """It is kept until the ids are known, then counted once."""
    one = OneOrder(derives_fills=False)
    one.lives.on_fill(a_fill())
    assert one.order.cum == 0
    assert one.looks == 1
    one.answered()
    assert one.order.state is OrderState.PARTIAL
    one.lives.on_fill(a_fill())
    assert one.order.cum == 100


def test_status_4_is_unknown_until_a_status_settles_it() -> None:
    """The venue itself does not know: neither refused nor absent."""
    one = OneOrder()
    one.answered()
    one.lives.on_order(a_row(4))
    assert one.order.state is OrderState.UNKNOWN
    assert one.lives.evidence_of(a_row(4)) is Evidence.AMBIGUOUS
    one.lives.on_order(a_row(5, at=1))
    assert one.order.state is OrderState.WORKING


def test_a_status_nobody_lists_is_no_failure() -> None:
    """Unlisted words are unknown (RELIABILITY 3.4)."""
    one = OneOrder()
    one.answered()
    one.lives.on_order(a_row(99))
    assert one.order.state is OrderState.UNKNOWN


SIMULATED = [a_row(2), a_row(5, at=0.1), a_row(10, 100, 4), a_row(10, 200, 5), a_row(12, 200, 6), a_row(14, 200, 7)]


@settings(max_examples=200, deadline=None)
@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=6), st.integers(0, 6))
def test_pushes_in_any_order_and_number_end_alike(order: list[int], again: list[int], answered: int) -> None:
    """Lost in between, repeated, reordered: with the last one told, the end is the same, and nothing counts twice."""
    one = OneOrder()
    for place, number in enumerate([*order, *again]):
        if place == answered:
            one.answered()
        one.lives.on_order(SIMULATED[number])
    assert one.order.state is OrderState.CANCELED
    assert one.order.cum == 200
    assert one.order.value == Decimal("510.8") * 200


REAL = [
    ("row", a_row(5, at=0.1)),
    ("row", a_row(10, 100, 4)),
    ("row", a_row(11, 300, 6)),
    ("fill", a_fill(1, 100)),
    ("fill", a_fill(2, 200)),
    ("fill", a_fill(1, 100)),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(6)))[::7])
def test_fills_and_statuses_in_any_order_end_alike(order: tuple[int, ...]) -> None:
    """A real account: totals of the list and executions are two accounts of one thing, and count once."""
    one = OneOrder(derives_fills=False)
    one.answered()
    for number in order:
        kind, row = REAL[number]
        if kind == "row":
            assert isinstance(row, t.Order)
            one.lives.on_order(row)
        else:
            assert isinstance(row, t.OrderFill)
            one.lives.on_fill(row)
    assert one.order.state is OrderState.FILLED
    assert one.order.cum == 300
    assert one.kinds.count("fill") == 2


def test_totals_ahead_of_fills_are_believed_after_their_grace() -> None:
    """A fill whose push was lost is inferred after five seconds, and restated when it comes after all."""
    one = OneOrder(derives_fills=False)
    one.answered()
    one.lives.on_order(a_row(14, 100, 4))
    one.lives.overdue()
    assert one.order.state is OrderState.PENDING_NEW
    one.clock.now_ns += lives.GRACE_NS + SECOND_NS
    one.lives.overdue()
    assert one.order.state is OrderState.CANCELED
    assert one.order.cum == 100
    one.lives.on_fill(a_fill())
    assert one.order.cum == 100


def test_an_end_waits_for_its_fills() -> None:
    """Cancelled with a part filled: the part first, then the end."""
    one = OneOrder(derives_fills=False)
    one.answered()
    one.lives.on_order(a_row(14, 100, 4))
    one.lives.on_fill(a_fill())
    assert one.kinds[-2:] == ["fill", "canceled"]


def test_busts_and_corrections_of_real_fills() -> None:
    """Status 1 takes a fill back, status 2 restates it; told twice is once, and told late is enough."""
    one = OneOrder(derives_fills=False)
    one.answered()
    one.lives.on_order(a_row(10, 300, 4))
    one.lives.on_fill(a_fill(1, 100))
    one.lives.on_fill(a_fill(2, 200))
    one.lives.on_fill(a_fill(2, 150, 510.6, status=2, at=5))
    assert (one.order.cum, one.order.value) == (250, Decimal("510.8") * 100 + Decimal("510.6") * 150)
    one.lives.on_fill(a_fill(1, 100, status=1, at=6))
    one.lives.on_fill(a_fill(1, 100, status=1, at=6))
    one.lives.on_fill(a_fill(1, 100))
    assert one.order.cum == 150
    assert one.kinds.count("bust") == 1


def test_a_bust_before_its_fill_counts_nothing() -> None:
    """The correction is kept until what it corrects comes."""
    one = OneOrder(derives_fills=False)
    one.answered()
    one.lives.on_fill(a_fill(1, 100, status=1))
    one.lives.on_fill(a_fill(1, 100))
    assert one.order.cum == 0


def test_status_24_of_a_simulated_account_restates_the_total() -> None:
    """A fill was cancelled: alarm, and the list's total stands."""
    one = OneOrder()
    one.answered()
    one.lives.on_order(a_row(11, 300, 4))
    assert one.order.state is OrderState.FILLED
    one.lives.on_order(a_row(24, 100, 9))
    assert one.order.cum == 100
    assert one.order.state is OrderState.CANCELED
    assert any(isinstance(event, Alert) for event in one.told)
    assert one.looks


def test_older_pushes_change_nothing() -> None:
    """An as-of before what is known: not a word is told."""
    one = OneOrder()
    one.answered()
    one.lives.on_order(a_row(10, 200, 5))
    told = len(one.told)
    one.lives.on_order(a_row(5, 0, 1))
    one.lives.on_order(a_row(10, 100, 4))
    one.lives.on_order(a_row(15, 0, 3))
    assert len(one.told) == told
    assert one.order.cum == 200


def test_after_a_restart_totals_are_told_as_totals() -> None:
    """Fills known to an earlier life of the engine are not counted a second time."""
    one = OneOrder()
    one.answered()
    one.lives.on_order(a_row(10, 100, 4))
    later = lives.Lives(ACCOUNT, one.clock, derives_fills=True, tell=one._take, look=one._looked)
    later.on_order(a_row(10, 300, 8))
    assert one.order.cum == 300
    assert one.kinds == ["fill", "working"]


def test_a_cancel_that_left_no_trace_is_told() -> None:
    """Taken by the gateway, but a later reading still shows it working: the order lives on, and may be asked again."""
    one = OneOrder()
    one.answered()
    one.lives.on_order(a_row(5))
    one.order.apply(
        OrderReport(account=ACCOUNT, kind=Evidence.CANCEL_REQUEST, ts_ns=1, client_id=one.request.client_id)
    )
    one.lives.cancelling(one.request.client_id)
    one.clock.now_ns += lives.CANCEL_LAG_NS + SECOND_NS
    one.lives.on_order(a_row(5), read_ns=one.clock.now_ns)
    assert one.kinds[-1] == "cancel_reject"
    assert not one.order.cancel_pending


def test_broken_quantities_are_unreadable() -> None:
    """Half a share, and no number at all."""
    one = OneOrder()
    for quantity in (0.5, float("nan"), float("inf")):
        with pytest.raises(BadMessage):
            one.lives.on_order(a_row(10, quantity, 4))


# --- the router ------------------------------------------------------------------------------------------------------


async def connected(far: FarSide, **settings: Any) -> FutuGateway:
    gateway = a_gateway(far, **settings)
    await gateway.connect()
    return gateway


def placed(order_id: Any = 8947461500000000561) -> httpx.Response:
    return ok({"header": {"trd_env": 0, "acc_id": 1800123, "trd_market": 1}, "order_id": order_id,
               "order_id_ex": "20261118_10_8947461500000000561"})  # fmt: skip


async def test_an_order_is_sent_once_with_fresh_keys() -> None:
    """Wrapped, remark and header key our own id, a pair of packet id never used twice, the proven account."""
    far = FarSide()
    far.say("/api/order", placed(int(BIG)))
    gateway = await connected(far)
    router = gateway.router
    assert router is not None
    for number in range(2):
        order = an_order(client_id=f"c-{number}")
        assert await router.submit([order], router.encode([order])) == ()
    bodies = far.bodies("/api/order")
    pairs = {json.dumps(body["c2s"]["packet_id"]) for body in bodies}
    assert len(pairs) == 2
    assert [body["c2s"]["remark"] for body in bodies] == ["c-0", "c-1"]
    assert bodies[0]["c2s"]["header"] == {"trd_env": 0, "acc_id": 1800123, "trd_market": 1}
    keys = [headers["idempotency-key"] for path, _, headers in far.asked if path == "/api/order"]
    assert keys == ["c-0", "c-1"]
    assert router.lives.order_id_of("c-0") == BIG


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (said_no("[err_code=none] PlaceOrder: 订单数量必须为每手股数的整数倍"), Refused),
        (said_no("[err_code=100012] 请求超时", -100, 100012), OutcomeUnknown),
        (said_no("[err_code=100012] 请求超时", -1), OutcomeUnknown),
        (said_no("", -200), OutcomeUnknown),
        (said_no("", -400), OutcomeUnknown),
        (said_no("", -500), OutcomeUnknown),
        (ok({"header": {"trd_env": 0, "acc_id": 1800123, "trd_market": 1}, "order_id": 0}), OutcomeUnknown),
        (ok({}), OutcomeUnknown),
        (httpx.Response(200, content=b"<html>"), OutcomeUnknown),
        (httpx.Response(200, content=b""), OutcomeUnknown),
        (httpx.Response(500, json={"error": "x"}), OutcomeUnknown),
        (httpx.Response(502, content=b"x"), OutcomeUnknown),
        (httpx.Response(408, content=b"x"), OutcomeUnknown),
        (httpx.Response(302, headers={"location": "http://other/"}), OutcomeUnknown),
        (httpx.Response(400, json={"error": "unknown field(s): x"}), Refused),
        (httpx.Response(401, json={"error": "missing bearer token"}), Refused),
        (httpx.Response(403, json={"error": "forbidden"}), Refused),
        (httpx.Response(404, json={"error": "unknown route"}), Refused),
        (httpx.Response(429, json={"error": "limit check failed: rate limit exceeded"}), Refused),
    ],
)
async def test_answers_to_an_order_mean_what_they_prove(answer: httpx.Response, error: type[Exception]) -> None:
    """Refused only where nothing was provably done; everything else is unknown; nothing is ever sent again."""
    far = FarSide()
    far.say("/api/order", answer)
    gateway = await connected(far)
    assert gateway.router is not None
    order = an_order()
    with pytest.raises(error):
        await gateway.router.submit([order], gateway.router.encode([order]))
    assert len(far.bodies("/api/order")) == 1


@pytest.mark.parametrize(
    ("kind", "wire", "more"),
    [
        (OrderType.LIMIT, 1, {}),
        (OrderType.MARKET, 2, {"price": None}),
        (OrderType.ABSOLUTE_LIMIT, 5, {}),
        (OrderType.AUCTION, 6, {"price": None}),
        (OrderType.AUCTION_LIMIT, 7, {}),
        (OrderType.SPECIAL_LIMIT, 8, {}),
        (OrderType.SPECIAL_LIMIT_ALL, 9, {}),
        (OrderType.STOP, 10, {"price": None, "stop": "500"}),
        (OrderType.STOP_LIMIT, 11, {"stop": "500"}),
        (OrderType.MARKET_IF_TOUCHED, 12, {"price": None, "stop": "500"}),
        (OrderType.LIMIT_IF_TOUCHED, 13, {"stop": "500"}),
        (OrderType.TRAILING_STOP, 14, {"price": None, "trail": Decimal(5)}),
        (OrderType.TRAILING_STOP_LIMIT, 15, {"price": None, "trail": Decimal(5), "trail_limit": Decimal(1)}),
    ],
)
async def test_every_order_type_has_its_number(kind: OrderType, wire: int, more: dict[str, Any]) -> None:
    """The page's six, and the official protocol's others; triggers and trails go along."""
    gateway = await connected(FarSide())
    assert gateway.router is not None
    assert kind in gateway.router.capabilities().order_types
    body = json.loads(gateway.router.encode([an_order(kind=kind, **more)]))["c2s"]
    assert body["order_type"] == wire
    assert body.get("aux_price") == (500.0 if "stop" in more else None)
    assert body.get("trail_value") == (5.0 if "trail" in more else None)
    assert (body.get("trail_type"), body.get("trail_spread")) == (
        (2 if "trail" in more else None), (1.0 if "trail_limit" in more else None),
    )  # fmt: skip
    assert body["price"] == (0.0 if more.get("price", "") is None else 510.8)


@pytest.mark.parametrize(("side", "wire"), [(Side.BUY, 1), (Side.SELL, 2), (Side.SELL_SHORT, 3), (Side.BUY_BACK, 4)])
async def test_every_side_has_its_number(side: Side, wire: int) -> None:
    """Short sales and buying back are named."""
    gateway = await connected(FarSide())
    assert gateway.router is not None
    assert json.loads(gateway.router.encode([an_order(side=side)]))["c2s"]["trd_side"] == wire


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (an_order(instrument="AAPL.US", kind=OrderType.AUCTION, price=None), "Hong Kong"),
        (an_order(instrument="600000.SH", kind=OrderType.MARKET, price=None), "limit orders"),
        (an_order(client_id="x" * 65), "64 bytes"),
        (an_order(client_id="单" * 22), "64 bytes"),
        (an_order(kind=OrderType.ALL_IN, price=None), "no all_in"),
        (an_order(tif=TimeInForce.FOK), "fok"),
        (an_order(instrument="AAPL.US"), "may not trade market US"),
        (an_order(price=None), "without a price"),
    ],
)
async def test_orders_the_venue_does_not_have_never_leave(order: Any, words: str) -> None:
    """One sentence says why."""
    gateway = await connected(FarSide())
    assert gateway.router is not None
    with pytest.raises(NotSent, match=words):
        gateway.router.encode([order])


async def test_good_till_date_is_the_markets_own_time() -> None:
    """``expire_time`` reads in the zone of the listing."""
    gateway = await connected(FarSide())
    assert gateway.router is not None
    order = an_order(tif=TimeInForce.GTD, expires_ns=NOW_NS)
    assert json.loads(gateway.router.encode([order]))["c2s"]["expire_time"] == "2026-11-18 10:15:04"


async def an_accepted_order(gateway: FutuGateway) -> Order:
    router = gateway.router
    assert router is not None
    request = an_order()
    await router.submit([request], router.encode([request]))
    order = Order(request)
    order.venue_id = "20261118_10_8947461500000000561"  # type: ignore[assignment]
    return order


async def test_cancel_and_change_name_the_order_by_its_number() -> None:
    """Op 2 and op 1 with the wanted total; keys of their own; the answer of a cancel proves nothing."""
    far = FarSide()
    far.say("/api/order", placed())
    far.say("/api/modify-order", placed())
    gateway = await connected(far)
    order = await an_accepted_order(gateway)
    assert gateway.router is not None
    assert await gateway.router.cancel(order) == ()
    (report,) = await gateway.router.replace(order, 200, Decimal("510.6"))
    assert (report.kind, report.quantity, report.price) == (Evidence.REPLACE_ACK, 200, Decimal("510.6"))
    cancel, change = (body["c2s"] for body in far.bodies("/api/modify-order"))
    assert (cancel["order_id"], cancel["modify_order_op"]) == (8947461500000000561, 2)
    assert (change["modify_order_op"], change["qty"], change["price"]) == (1, 200.0, 510.6)
    keys = [headers["idempotency-key"] for path, _, headers in far.asked if path == "/api/modify-order"]
    assert keys == ["oe-7f3a0001:c1", "oe-7f3a0001:m2"]


async def test_after_a_restart_the_lasting_id_names_the_order() -> None:
    """Only the text id is in the journal: it goes as order_id_ex."""
    far = FarSide()
    far.say("/api/modify-order", placed())
    gateway = await connected(far)
    assert gateway.router is not None
    order = Order(an_order())
    order.venue_id = "20261118_10_8947461500000000561"  # type: ignore[assignment]
    await gateway.router.cancel(order)
    body = far.bodies("/api/modify-order")[0]["c2s"]
    assert (body["order_id"], body["order_id_ex"]) == (0, "20261118_10_8947461500000000561")


async def test_a_cancel_that_comes_too_late_is_told() -> None:
    """Code 10003: the order can not be changed any more."""
    far = FarSide()
    far.say("/api/order", placed())
    far.say("/api/modify-order", said_no("[err_code=10003] CancelOrder: 订单已不可操作", err_code="10003"))
    gateway = await connected(far)
    order = await an_accepted_order(gateway)
    assert gateway.router is not None
    (report,) = await gateway.router.cancel(order)
    assert (report.kind, "订单已不可操作" in report.reason) == (Evidence.CANCEL_REJECT, True)


async def test_a_cancel_refused_by_the_minute_is_asked_again() -> None:
    """Cancels are paced, not given up."""
    far = FarSide()
    far.say("/api/order", placed())
    answers = iter([httpx.Response(429, json={"error": "limit check failed: rate limit exceeded"}), placed()])
    far.say("/api/modify-order", lambda _body: next(answers))
    gateway = await connected(far)
    order = await an_accepted_order(gateway)
    assert gateway.router is not None
    assert await gateway.router.cancel(order) == ()
    assert len(far.bodies("/api/modify-order")) == 2


async def test_northbound_orders_are_not_changed() -> None:
    """Cancel only, as the market has it."""
    far = FarSide()
    far.say("/api/accounts", ok({"acc_list": [an_account(trd_market_auth_list=[3])]}))
    gateway = await connected(far, instruments=("600000.SH",))
    assert gateway.router is not None
    order = Order(an_order(instrument="600000.SH", price="10"))
    (report,) = await gateway.router.replace(order, 200, None)
    assert report.kind is Evidence.REPLACE_REJECT
    assert not far.bodies("/api/modify-order")


async def test_nothing_is_sent_while_pushes_are_missing() -> None:
    """After a lost connection orders wait for the account to be read, and then go back unsent; cancels go."""
    far = FarSide()
    far.say("/api/modify-order", placed())
    gateway = await connected(far)
    router = gateway.router
    assert router is not None
    router.hold()
    order = an_order()
    router._clock = _Fast(gateway.router._clock)  # type: ignore[union-attr, assignment]
    with pytest.raises(NotSent, match="not read again"):
        await router.submit([order], router.encode([order]))
    assert not far.bodies("/api/order")
    held = Order(order)
    held.venue_id = "123"  # type: ignore[assignment]
    await router.cancel(held)
    assert far.bodies("/api/modify-order")[0]["c2s"]["order_id"] == 123


class _Fast:
    """The test's clock, with real waits cut short."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def real_seconds(self, _duration_ns: int) -> float:
        return 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def test_a_snapshot_is_of_this_account_or_of_none() -> None:
    """An answer about another account is worse than none."""
    far = FarSide()
    gateway = await connected(far)
    assert gateway.router is not None
    other = {"trd_env": 1, "acc_id": int(REAL_ID), "trd_market": 1}
    far.say("/api/funds", ok({"header": other, "funds": some_funds()}))
    with pytest.raises(BadMessage, match="answered for"):
        await gateway.router.snapshot()


async def test_a_snapshot_holds_shorts_as_negative_and_no_broken_shares() -> None:
    """Position side 1 is short; a stranger's half share does not stop the reading."""
    far = FarSide()
    row = {"position_id": BIG, "position_side": 1, "code": "00700", "name": "x", "qty": 100.0, "can_sell_qty": 100.0,
           "price": 1.0, "val": 1.0, "pl_val": 0.0, "sec_market": 1}  # fmt: skip
    broken = row | {"position_id": 2, "code": "00005", "qty": 0.5, "can_sell_qty": 0.5, "position_side": 0}
    far.say("/api/positions", lambda body: ok({"header": body["c2s"]["header"], "position_list": [row, broken]}))
    gateway = await connected(far)
    assert gateway.router is not None
    snapshot = await gateway.router.snapshot()
    assert snapshot.positions is not None
    assert [(p.instrument, p.quantity) for p in snapshot.positions] == [("00700.HK", -100)]
    assert all(body["c2s"].get("refresh_cache") for body in far.bodies("/api/orders"))
