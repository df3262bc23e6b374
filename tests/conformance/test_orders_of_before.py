"""What the gateways' histories say of orders of an earlier day (RELIABILITY 3.3, C26; contracts futu 4, easyths 3)."""

from typing import Any

import httpx
import pytest

from engine.domain.evidence import Evidence, OrderReport
from engine.domain.order import Order
from engine.domain.timestamps import DAY_NS
from engine.ports import ReadsPast
from tests import easyths_builders as ths
from tests import futu_builders as futu
from tests.conformance.test_futu_gateway_orders import connected
from tests.gateway_builders import QuickClock


def unknown(request: Any, sent_ns: int) -> Order:
    """One that was sent, and of whose outcome nothing is known."""
    order = Order(request)
    for kind in (Evidence.RISK_OK, Evidence.SEND, Evidence.AMBIGUOUS):
        order.apply(OrderReport(account=request.account, client_id=request.client_id, kind=kind, ts_ns=sent_ns))
    return order


# --- futu ---

YESTERDAY = {
    "trd_side": 1, "order_type": 1, "order_status": 14, "order_id": 8947461500000000561, "order_id_ex": "E561",
    "code": "00700", "name": "x", "qty": 300.0, "price": 510.8, "fill_qty": 100.0, "fill_avg_price": 510.6,
    "create_time": "2026-11-17 15:00:00", "update_time": "2026-11-17 16:10:00", "sec_market": 1,
    "remark": "oe-7f3a0001",
}  # fmt: skip
EXECUTED = {
    "trd_side": 1, "fill_id": 5, "fill_id_ex": "F5", "order_id": 8947461500000000561, "order_id_ex": "E561",
    "code": "00700", "name": "x", "qty": 100.0, "price": 510.6, "create_time": "2026-11-17 15:10:00", "sec_market": 1,
}  # fmt: skip


async def a_real_account(*rows: dict[str, Any], fills: tuple[dict[str, Any], ...] = ()) -> tuple[Any, futu.FarSide]:
    far = futu.FarSide()
    account = futu.an_account(acc_id=int(futu.REAL_ID), trd_env=1)
    far.say("/api/accounts", futu.ok({"acc_list": [account]}))

    def listed(name: str, found: tuple[dict[str, Any], ...]) -> Any:
        return lambda body: futu.ok({"header": body["c2s"]["header"], name: list(found)})

    far.say("/api/history-orders", listed("order_list", rows))
    far.say("/api/history-order-fills", listed("order_fill_list", fills))
    environ = {"SLUICE_FUTU_TOKEN": futu.TOKEN, "SLUICE_FUTU_TRADE_PASSWORD_MD5": "0123456789abcdef0123456789abcdef"}
    gateway = await connected(far, acc_id=futu.REAL_ID, environment="real", armed=True, environ=environ)
    assert gateway.router is not None
    return gateway.router, far


async def test_futu_is_asked_for_yesterdays_order_by_its_remark_and_for_what_it_filled() -> None:
    """The history has it, and strangers' orders, which are nobody's interest."""
    stranger = YESTERDAY | {"order_id": 7, "order_id_ex": "E7", "remark": None}
    router, far = await a_real_account(YESTERDAY, stranger, fills=(EXECUTED, EXECUTED | {"order_id_ex": "E7",
                                                                    "order_id": 7, "fill_id_ex": "F7"}))  # fmt: skip
    assert isinstance(router, ReadsPast)
    assert router.capabilities().lists_past
    told: list[Any] = []
    router.listen(told.append)
    snapshot = await router.snapshot_of([unknown(futu.an_order(), futu.NOW_NS - DAY_NS)])
    (row,) = snapshot.orders or ()
    assert (row.client_tag, row.status, row.cum) == ("oe-7f3a0001", Evidence.CANCELED, 100)
    assert [(fill.fill_id, fill.quantity) for fill in snapshot.fills or ()] == [("F5", 100)]
    assert snapshot.past is True
    (asked,) = far.bodies("/api/history-orders")
    assert asked["c2s"]["filter_conditions"]["begin_time"] < "2026-11-18"
    reports = [event for event in told if isinstance(event, OrderReport)]
    assert {r.fill_id for r in reports if r.kind is Evidence.FILL} == {"F5"}


async def test_futus_history_is_not_asked_for_what_todays_list_has() -> None:
    """Good till cancelled: it is of yesterday, and works on."""
    router, far = await a_real_account()
    far.say("/api/orders", lambda body: futu.ok({"header": body["c2s"]["header"],
                                                 "order_list": [YESTERDAY | {"order_status": 10}]}))  # fmt: skip
    snapshot = await router.snapshot_of([unknown(futu.an_order(), futu.NOW_NS - DAY_NS)])
    assert [row.status for row in snapshot.orders or ()] == [Evidence.WORKING]
    assert snapshot.past is True
    assert not far.bodies("/api/history-orders")


async def test_a_history_of_futus_that_does_not_answer_is_no_reading() -> None:
    """Nothing is concluded from half of one."""
    router, far = await a_real_account()
    far.say("/api/history-orders", httpx.Response(500, json={"error": "backend lost"}))
    with pytest.raises(Exception, match="history-orders"):
        await router.snapshot_of([unknown(futu.an_order(), futu.NOW_NS - DAY_NS)])


async def test_futus_simulate_accounts_have_no_history() -> None:
    """Contract 1.7: asking would be an error."""
    far = futu.FarSide()
    gateway = await connected(far)
    assert gateway.router is not None
    assert not gateway.router.capabilities().lists_past
    snapshot = await gateway.router.snapshot_of([unknown(futu.an_order(), futu.NOW_NS - DAY_NS)])
    assert snapshot.past is None
    assert not far.bodies("/api/history-orders")


# --- easyths ---


def of_day(number: int, day: str, **cells: Any) -> dict[str, Any]:
    return ths.past(ths.a_row(number), 委托日期=int(day), **cells)


def a_history(desk: ths.Desk, *rows: dict[str, Any]) -> list[str]:
    """What the client shows of more than today; gives what was asked."""
    asked: list[str] = []

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params["time_range"])
        found: Any = desk.history if params["time_range"] == "当日" else [*desk.history, *rows]
        return {"data": {"historical_orders": found or ths.NO_HISTORY, "stock_code": None, "time_range": "x"}}

    desk.answers["historical_commission_query"] = answer
    return asked


async def test_the_trading_client_is_asked_for_the_week_and_shows_what_may_be_ours() -> None:
    """The one known by its number, and of those without one what fits; what seems open has ended with its day."""
    desk = ths.Desk()
    asked = a_history(
        desk,
        of_day(71, "20261119", 委托数量=300, 成交数量=100, 成交均价=8.7),
        of_day(72, "20261119", 委托数量=500),
        of_day(73, "20261119", 委托数量=300, 操作="卖出"),
        of_day(74, "20261118", 委托数量=900, 成交数量=900, 成交均价=8.7, 备注="已成"),
    )
    known = ths.a_working_order("20261118-74", ths.an_order(quantity=900, client_id="s-2"))
    async with ths.a_gateway(desk, QuickClock(ths.NOW_NS)) as gateway:
        router = ths.router_of(gateway)
        assert isinstance(router, ReadsPast)
        snapshot = await router.snapshot_of([unknown(ths.an_order(), ths.NOW_NS - DAY_NS), known])
    found = {row.venue_id: (row.status, row.cum) for row in snapshot.orders or ()}
    assert found == {"20261119-71": (Evidence.EXPIRED, 100), "20261118-74": (Evidence.FILL, 900)}
    assert snapshot.past is True
    assert asked == ["当日", "近一周"]


@pytest.mark.parametrize(("days", "span"), [(6, "近一周"), (7, "近一月"), (40, "近三月"), (200, "近一年")])
async def test_the_period_reaches_back_to_the_oldest(days: int, span: str) -> None:
    """Periods count today."""
    desk = ths.Desk()
    asked = a_history(desk, of_day(71, "20261119", 委托数量=500))
    async with ths.a_gateway(desk) as gateway:
        await ths.router_of(gateway).snapshot_of([unknown(ths.an_order(), ths.NOW_NS - days * DAY_NS)])
    assert asked[-1] == span


async def test_a_history_without_a_row_of_before_proves_nothing() -> None:
    """A copy that failed, or a broker that offers none (contract 3.2)."""
    desk = ths.Desk()
    a_history(desk)
    async with ths.a_gateway(desk) as gateway:
        router = ths.router_of(gateway)
        snapshot = await router.snapshot_of([unknown(ths.an_order(), ths.NOW_NS - DAY_NS)])
        assert snapshot.past is False
        assert (await router.snapshot()).past is None
