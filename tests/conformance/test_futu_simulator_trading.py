"""The life of orders at the simulated broker: types, states, partial fills, money; the ledger against naive sums."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import ReplayClock
from engine.domain.timestamps import parse_time
from engine.entropy import Entropy
from engine.simulators.amazingdata import AmazingDataSimulator
from engine.simulators.futu import FutuAccount, FutuSimulator, Limits, Opening, Security
from engine.simulators.futu.desk import Pace
from engine.simulators.futu.ledger import Order
from engine.simulators.futu.rows import order_row
from engine.simulators.futu.securities import hong_kong_tick, on_tick
from engine.simulators.virtual_market import VirtualMarketSimulator
from tests.futu_simulator_builders import (
    HK_OPEN_NS,
    REAL,
    SIMULATE_CN,
    SIMULATE_HK,
    SIMULATE_US,
    US_OPEN_NS,
    GatewayAtHand,
    a_header,
)

WHOLE = Pace(partial=0.0)
STILL = Security(code="00700", market="HK", name="TENCENT", price=475.2, lot=100)


def a_still_gateway(**options: Any) -> GatewayAtHand:
    """Prices move only when the test moves them; nothing fills in parts."""
    return GatewayAtHand(**({"volatility": 0.0, "pace": WHOLE} | options))


def a_margin_gateway(**options: Any) -> GatewayAtHand:
    account = FutuAccount(acc_id=SIMULATE_HK, environment="simulate", markets=(1,), kind="margin")
    return a_still_gateway(**({"accounts": (account,)} | options))


def states(order: Order) -> list[int]:
    return list(dict.fromkeys(row["order_status"] for _, row in order.versions))


def the_order(gateway: GatewayAtHand, order: dict[str, Any]) -> Order:
    return next(one for one in gateway.ledger.orders() if one.order_id == order["order_id"])


def step(gateway: GatewayAtHand, price: float, key: str = "1_00700") -> None:
    """Set a price and let the next steps show it."""
    gateway.price(key, price)
    gateway.wait(2)


async def test_a_limit_order_rests_until_the_walk_touches_it() -> None:
    """2, 5, then 11 at its own price once the market comes to it."""
    gateway = a_still_gateway()
    order = the_order(gateway, await gateway.placed(price=470.0))
    gateway.wait(30)
    assert states(order) == [2, 5]
    step(gateway, 470.2)
    assert states(order) == [2, 5]
    step(gateway, 469.8)
    assert states(order) == [2, 5, 11]
    assert (order.filled, order.average) == (300, 470.0)
    assert gateway.ledger.positions(SIMULATE_HK) == {"HK.00700": 300}
    assert gateway.ledger.cash(SIMULATE_HK) == {"HKD": Decimal(1_000_000) - 300 * Decimal(470)}


async def test_market_and_crossing_orders_take_the_touch() -> None:
    """A buyer gets the ask, a seller the bid, neither worse nor better."""
    gateway = a_still_gateway()
    view = gateway.venue.desk.views["1_00700"]
    for change in ({"order_type": 2, "price": 0.0}, {"price": 480.0}):
        order = the_order(gateway, await gateway.placed(**change))
        gateway.wait(1)
        assert (order.status, order.average) == (11, view.ask)
        order = the_order(
            gateway,
            await gateway.placed(trd_side=2, **(change | ({"price": 470.0} if "order_type" not in change else {}))),
        )
        gateway.wait(1)
        assert (order.status, order.average) == (11, view.bid)


async def test_partial_fills_add_up() -> None:
    """With a chance of one, lots come one part after the other; the last part completes it."""
    gateway = GatewayAtHand(pace=Pace(partial=1.0))
    order = the_order(gateway, await gateway.placed(qty=1500.0, order_type=2, price=0.0))
    gateway.wait(60)
    parts = [fill for fill in gateway.ledger.fills(SIMULATE_HK) if fill.order is order]
    assert states(order) == [2, 5, 10, 11]
    assert len(parts) > 2
    assert sum(part.quantity for part in parts) == 1500
    assert all(part.quantity % 100 == 0 for part in parts)
    assert sum(part.quantity * part.price for part in parts) == order.value
    filled = [row["fill_qty"] for _, row in order.versions]
    assert filled == sorted(filled)


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "terms", "before", "after", "fills"),
    [
        (10, 1, 480.0, {}, 479.8, 480.2, True),
        (10, 2, 470.0, {}, 470.2, 469.8, True),
        (11, 1, 480.0, {"price": 481.0}, 479.8, 480.2, True),
        (11, 1, 480.0, {"price": 479.0}, 479.8, 482.0, False),
        (12, 1, 470.0, {}, 470.2, 469.8, True),
        (12, 2, 480.0, {}, 479.8, 480.2, True),
        (13, 2, 480.0, {"price": 480.0}, 479.8, 480.6, True),
        (13, 2, 480.0, {"price": 485.0}, 479.8, 480.6, False),
        (14, 2, None, {"trail_type": 2, "trail_value": 4.0}, 472.0, 471.0, True),
        (14, 1, None, {"trail_type": 1, "trail_value": 1.0}, 479.0, 481.0, True),
        (15, 2, None, {"trail_type": 2, "trail_value": 4.0, "trail_spread": 2.0}, 472.0, 471.0, True),
        (15, 2, None, {"trail_type": 2, "trail_value": 4.0, "trail_spread": -2.0}, 472.0, 471.0, False),
    ],
)
async def test_conditional_orders(
    kind: int, side: int, trigger: float | None, terms: dict[str, Any], before: float, after: float, fills: bool
) -> None:
    """Armed as 1, they wake at their price and not before; then they trade at market, or wait for their limit."""
    opening = (Opening(symbol="HK.00700", quantity=300, price=400.0),)
    account = FutuAccount(acc_id=SIMULATE_HK, environment="simulate", markets=(1,), positions=opening)
    gateway = a_still_gateway(accounts=(account,))
    body = {"order_type": kind, "trd_side": side, "aux_price": trigger, "price": 0.0} | terms
    order = the_order(gateway, await gateway.placed(**body))
    gateway.wait(3)
    step(gateway, before)
    assert states(order) == [1]
    step(gateway, after)
    gateway.wait(3)
    assert states(order) == ([1, 2, 5, 11] if fills else [1, 2, 5])
    if kind == 15:
        assert float(order.price) == pytest.approx(order.versions[-1][1]["price"])


async def test_hong_kong_special_limits_and_ioc() -> None:
    """Special limits and IOC leave nothing on the book; all-or-nothing never fills in parts."""
    for change in ({"order_type": 8}, {"time_in_force": 2}):
        seen = set()
        for seed in range(12):
            gateway = GatewayAtHand(seed=seed, pace=Pace(partial=0.5))
            order = the_order(gateway, await gateway.placed(price=480.0, qty=900.0, **change))
            gateway.wait(1)
            seen.add(int(order.status))
        assert seen == {11, 14}
    gateway = a_still_gateway()
    order = the_order(gateway, await gateway.placed(order_type=8, price=470.0))
    gateway.wait(1)
    assert states(order) == [2, 5, 15]
    gateway = GatewayAtHand(pace=Pace(partial=1.0))
    order = the_order(gateway, await gateway.placed(order_type=9, price=480.0, qty=900.0))
    gateway.wait(1)
    assert (states(order), len(gateway.ledger.fills())) == ([2, 5, 11], 1)


async def test_auction_orders_wait_for_the_auction() -> None:
    """Placed in the morning, they fill at the closing price; one that can not is cancelled, a limit one lives on."""
    gateway = a_still_gateway(tick_seconds=10.0)
    gateway.clock.now_ns = parse_time("2026-11-18 15:50:00", "Asia/Hong_Kong")
    market, reached, missed = [
        the_order(gateway, await gateway.placed(order_type=kind, price=price, qty=100.0))
        for kind, price in ((6, 0.0), (7, 480.0), (7, 460.0))
    ]
    gateway.wait(15 * 60)
    assert [states(one) for one in (market, reached, missed)] == [[2, 5]] * 3
    gateway.wait(5 * 60 + 1)
    close = gateway.venue.desk.views["1_00700"].last
    assert [(one.status, one.average) for one in (market, reached)] == [(11, close)] * 2
    assert missed.filled == 0
    gateway.wait(3600)
    assert missed.status == 15
    demo = a_still_gateway(always_open=True)
    order = the_order(demo, await demo.placed(order_type=6, price=0.0))
    demo.wait(5 * 60)
    assert order.status == 11


async def test_an_order_in_closed_hours_waits_for_the_open() -> None:
    """1 through the night, then 2, 5 and filled in the morning; a day order left over ends with its day."""
    gateway = a_still_gateway(tick_seconds=10.0)
    gateway.clock.now_ns = parse_time("2026-11-18 20:00:00", "Asia/Hong_Kong")
    crossing = the_order(gateway, await gateway.placed(order_type=2, price=0.0))
    resting = the_order(gateway, await gateway.placed(price=450.0))
    forever = the_order(gateway, await gateway.placed(price=450.0, time_in_force=1))
    until = the_order(gateway, await gateway.placed(price=450.0, time_in_force=3, expire_time="2026-11-19 10:00:00"))
    gateway.wait(13 * 3600)
    assert [states(one) for one in (crossing, resting)] == [[1], [1]]
    gateway.wait(3600)
    assert states(crossing) == [1, 2, 5, 11]
    assert states(until)[-1] == 15
    gateway.wait(7 * 3600)
    assert (resting.status, forever.status) == (15, 5)


async def test_cancelling_takes_a_moment_in_which_it_may_still_fill() -> None:
    """13 then 15; 12 then 14 after a part; a fill in between is kept; a second cancel changes nothing."""
    gateway = a_still_gateway(pace=Pace(partial=0.0, cancel_ms=3000))
    order = the_order(gateway, await gateway.placed())
    gateway.wait(1)
    for _ in range(2):
        await gateway.said("modify-order", gateway.a_change({"order_id": order.order_id}, 2))
    assert order.status == 13
    gateway.wait(3)
    assert states(order) == [2, 5, 13, 15]
    assert "[err_code=10003]" in await gateway.refused(
        "modify-order", gateway.a_change({"order_id": order.order_id}, 2)
    )
    order = the_order(gateway, await gateway.placed())
    gateway.wait(1)
    await gateway.said("modify-order", gateway.a_change({"order_id": order.order_id}, 2))
    step(gateway, 469.0)
    gateway.wait(3)
    assert states(order) == [2, 5, 13, 11]


async def test_changing_an_order() -> None:
    """Quantity is the whole; the id stays; not below what is filled; not on the mainland; not after the end."""
    gateway = a_still_gateway()
    placed = await gateway.placed()
    order = the_order(gateway, placed)
    gateway.wait(1)
    assert await gateway.said("modify-order", gateway.a_change(placed, 1, qty=500.0, price=469.0)) == placed
    assert (order.quantity, order.price, order.status) == (500, Decimal(469), 5)
    assert "整数倍" in await gateway.refused("modify-order", gateway.a_change(placed, 1, qty=150.0, price=469.0))
    assert "购买力" in await gateway.refused("modify-order", gateway.a_change(placed, 1, qty=9_000.0, price=469.0))
    await gateway.said("modify-order", gateway.a_change(placed, 1, qty=500.0, price=480.0))
    assert order.status == 11
    assert "10003" in await gateway.refused("modify-order", gateway.a_change(placed, 1, qty=900.0, price=480.0))
    china = await gateway.placed(SIMULATE_CN, code="600000", sec_market=31, qty=100.0, price=11.5)
    text = await gateway.refused("modify-order", gateway.a_change(china, 1, SIMULATE_CN, qty=200.0, price=11.5))
    assert "不支持改单" in text
    await gateway.said("modify-order", gateway.a_change(china, 2, SIMULATE_CN))
    assert "order not found" in await gateway.refused("modify-order", gateway.a_change({"order_id": 5}, 2))


async def test_disable_enable_delete_in_hong_kong_alone() -> None:
    """3 takes it off the book, 4 puts it back, 5 removes a disabled one; the US knows none of them."""
    gateway = a_still_gateway()
    placed = await gateway.placed()
    order = the_order(gateway, placed)
    gateway.wait(1)
    await gateway.said("modify-order", gateway.a_change(placed, 3))
    step(gateway, 469.0)
    assert states(order) == [2, 5, 22]
    step(gateway, 475.2)
    await gateway.said("modify-order", gateway.a_change(placed, 4))
    gateway.wait(1)
    assert order.status == 5
    assert "10003" in await gateway.refused("modify-order", gateway.a_change(placed, 5))
    await gateway.said("modify-order", gateway.a_change(placed, 3))
    await gateway.said("modify-order", gateway.a_change(placed, 5))
    assert order.status == 23
    us = await gateway.placed(SIMULATE_US, code="AAPL", qty=1.0, price=200.0)
    assert "不支持此操作" in await gateway.refused("modify-order", gateway.a_change(us, 3, SIMULATE_US))


async def test_cancel_all() -> None:
    """Every open order of the account, of one market where it is named; a switch makes simulate accounts refuse."""
    gateway = a_still_gateway()
    orders = [the_order(gateway, await gateway.placed(qty=100.0, price=price)) for price in (470.0, 460.0, 450.0)]
    gateway.wait(1)
    await gateway.said("modify-order", gateway.a_change({"order_id": 0}, 2, for_all=True, trd_market=2))
    gateway.wait(1)
    assert {int(order.status) for order in orders} == {5}
    await gateway.said("modify-order", gateway.a_change({"order_id": 0}, 2, for_all=True, trd_market=1))
    gateway.wait(1)
    assert {int(order.status) for order in orders} == {15}
    gateway = a_still_gateway(simulate_cancel_all=False)
    await gateway.refused("modify-order", gateway.a_change({"order_id": 0}, 2, for_all=True))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"qty": 50.0}, "整数倍"),
        ({"qty": 0.0}, "above 0"),
        ({"qty": 100.5}, "whole number"),
        ({"price": 0.0}, "price must be above 0"),
        ({"price": 470.1}, "最小变动价位"),
        ({"qty": 3000.0}, "购买力不足"),
        ({"trd_side": 2}, "可卖数量不足"),
        ({"trd_side": 4}, "可卖数量不足"),
        ({"trd_side": 3}, "不支持卖空"),
        ({"trd_side": 5}, "unknown trd_side"),
        ({"order_type": 16}, "不支持此订单类型"),
        ({"order_type": 10}, "aux_price is required"),
        ({"order_type": 14}, "trail_type and trail_value"),
        ({"order_type": 15, "trail_type": 2, "trail_value": 1.0}, "trail_spread"),
        ({"time_in_force": 9}, "time_in_force"),
        ({"time_in_force": 3}, "expire_time is required"),
        ({"time_in_force": 3, "expire_time": "2020-01-01 00:00:00"}, "past"),
        ({"remark": "长" * 22}, "remark"),
        ({"code": "99999"}, "unknown stock 99999"),
        ({"code": "AAPL", "sec_market": 2}, "unknown stock AAPL"),
    ],
)
async def test_orders_the_broker_does_not_take(change: dict[str, Any], text: str) -> None:
    """A refusal with 200, and nothing placed."""
    gateway = a_still_gateway()
    assert text in await gateway.refused("order", gateway.an_order(**change))
    assert gateway.ledger.orders() == []


async def test_market_specific_types() -> None:
    """Auctions and special limits are Hong Kong's; the mainland has no conditional orders."""
    gateway = a_still_gateway()
    for kind in (5, 6, 7, 8, 9):
        body = gateway.an_order(SIMULATE_US, code="AAPL", qty=1.0, price=200.0, order_type=kind)
        assert "不支持此订单类型" in await gateway.refused("order", body)
    body = gateway.an_order(SIMULATE_CN, code="600000", qty=100.0, price=11.0, order_type=10, aux_price=12.0)
    assert "不支持此订单类型" in await gateway.refused("order", body)


async def test_a_price_out_of_range_fails_after_acceptance() -> None:
    """Ids first, then state 21 with the exchange's reason."""
    gateway = a_still_gateway()
    order = the_order(gateway, await gateway.placed(price=50.0, qty=100.0))
    gateway.wait(1)
    assert states(order) == [2, 21]
    assert order_row(order)["last_err_msg"] == "价格超出允许范围"
    china = await gateway.placed(SIMULATE_CN, code="600000", sec_market=31, qty=100.0, price=9.0)
    gateway.wait(1)
    assert the_order(gateway, china).status == 21


async def test_adjusting_a_price_to_the_step() -> None:
    """adjust_price moves it up or down within the given part of the price, or it is refused."""
    gateway = a_still_gateway()
    up = await gateway.placed(price=470.1, qty=100.0, adjust_price=True, adjust_side_and_limit=0.01)
    down = await gateway.placed(price=470.1, qty=100.0, adjust_price=True, adjust_side_and_limit=-0.01)
    assert [float(the_order(gateway, one).price) for one in (up, down)] == [470.2, 470.0]
    body = gateway.an_order(price=470.1, adjust_price=True, adjust_side_and_limit=0.0001)
    assert "最小变动价位" in await gateway.refused("order", body)


async def test_selling_short_and_buying_back() -> None:
    """A margin account sells what it does not have, shows it as the short side, and buys it back with the profit."""
    gateway = a_margin_gateway()
    await gateway.placed(trd_side=3, order_type=2, price=0.0)
    gateway.wait(1)
    bid = gateway.venue.desk.views["1_00700"].bid
    assert gateway.ledger.positions(SIMULATE_HK) == {"HK.00700": -300}
    (row,) = (await gateway.said("positions", {"header": a_header()}))["position_list"]
    assert (row["position_side"], row["qty"], row["can_sell_qty"]) == (1, 300.0, 300.0)
    assert "可卖数量不足" in await gateway.refused("order", gateway.an_order(trd_side=4, qty=400.0))
    step(gateway, 465.2)
    await gateway.placed(trd_side=4, order_type=2, price=0.0)
    gateway.wait(1)
    assert gateway.ledger.positions(SIMULATE_HK) == {}
    bought = gateway.ledger.fills()[-1].price
    assert gateway.ledger.cash(SIMULATE_HK) == {"HKD": Decimal(1_000_000) + 300 * (Decimal(str(bid)) - bought)}


async def test_the_mainland_sells_tomorrow_what_it_bought_today() -> None:
    """T+1: bought today is held and not sellable; the next day it is."""
    gateway = a_still_gateway(tick_seconds=60.0)
    await gateway.placed(SIMULATE_CN, code="600000", sec_market=31, qty=200.0, order_type=2, price=0.0)
    gateway.wait(120)
    assert gateway.ledger.positions(SIMULATE_CN) == {"SH.600000": 200}
    sale = {"code": "600000", "sec_market": 31, "trd_side": 2, "order_type": 2, "price": 0.0, "qty": 100.0}
    assert "可卖数量不足" in await gateway.refused("order", gateway.an_order(SIMULATE_CN, **sale))
    gateway.wait(24 * 3600)
    await gateway.placed(SIMULATE_CN, **sale)
    gateway.wait(120)
    assert gateway.ledger.positions(SIMULATE_CN) == {"SH.600000": 100}


async def test_real_accounts_pay_fees_and_have_fills() -> None:
    """Fees leave the cash, are told by order-fee, and do not depend on the number of parts."""
    for partial in (0.0, 1.0):
        gateway = a_still_gateway(pace=Pace(partial=partial))
        await gateway.said("unlock-trade", {"unlock": True, "pwd_md5": gateway.simulator.trade_password_md5})
        placed = await gateway.placed(REAL, order_type=2, price=0.0, qty=1000.0)
        gateway.wait(30)
        order = the_order(gateway, placed)
        fees = sum(order.fees.values())
        assert fees == sum(STILL.place.fees(1, 1000, order.value).values())
        assert gateway.ledger.cash(REAL)["HKD"] == Decimal(1_000_000) - order.value - fees
        body = {"header": a_header(REAL), "order_id_ex_list": [order.order_id_ex]}
        (row,) = (await gateway.said("order-fee", body))["order_fee_list"]
        assert row["fee_amount"] == float(fees)
        fills = (await gateway.said("order-fills", {"header": a_header(REAL)}))["order_fill_list"]
        assert sum(fill["qty"] for fill in fills) == 1000.0
        assert len({fill["fill_id"] for fill in fills}) == len(fills)


async def test_busts_and_corrections() -> None:
    """A bust takes money, position and filled quantity back and marks the order 24; a correction moves the cash."""
    gateway = a_still_gateway()
    for _ in range(2):
        await gateway.placed(order_type=2, price=0.0, qty=100.0)
        gateway.wait(1)
    first, second = gateway.ledger.fills()
    gateway.venue.desk.correct(first, first.price + 1, gateway.clock.now_ns)
    gateway.venue.desk.bust(second, gateway.clock.now_ns)
    assert (first.status, second.status, second.order.status) == (2, 1, 24)
    assert gateway.ledger.cash(SIMULATE_HK)["HKD"] == Decimal(1_000_000) - 100 * first.price
    assert gateway.ledger.positions(SIMULATE_HK) == {"HK.00700": 100}


async def test_reads_without_refresh_lag() -> None:
    """An order, its fill, money and position are seen a lag later, or at once with refresh_cache."""
    gateway = a_still_gateway(query_lag_ms=5000)
    await gateway.said("funds", {"header": a_header()})
    await gateway.said("positions", {"header": a_header()})
    await gateway.placed(order_type=2, price=0.0)
    gateway.wait(1)

    async def seen(**more: Any) -> tuple[int, int, float]:
        orders = await gateway.said("orders", {"header": a_header()} | more)
        held = await gateway.said("positions", {"header": a_header()} | more)
        funds = await gateway.said("funds", {"header": a_header()} | more)
        return len(orders["order_list"]), len(held["position_list"]), funds["funds"]["cash"]

    assert await seen() == (0, 0, 1_000_000.0)
    late = await seen(refresh_cache=True)
    assert late[:2] == (1, 1)
    gateway.wait(5)
    assert await seen() == late


async def test_history_of_a_real_account() -> None:
    """Ended orders and fills of the last ninety days, by time where it is asked; open ones are not history."""
    gateway = a_still_gateway(tick_seconds=3600.0)
    await gateway.said("unlock-trade", {"unlock": True, "pwd_md5": gateway.simulator.trade_password_md5})
    old = await gateway.placed(REAL, order_type=2, price=0.0, qty=100.0)
    gateway.wait(24 * 3600)
    new = await gateway.placed(REAL, order_type=2, price=0.0, qty=100.0)
    gateway.wait(3600)
    await gateway.placed(REAL, price=460.0, time_in_force=1)
    head = {"header": a_header(REAL)}
    rows = (await gateway.said("history-orders", head | {"filter_conditions": {}}))["order_list"]
    assert [row["order_id"] for row in rows] == [old["order_id"], new["order_id"]]
    late = head | {"filter_conditions": {"begin_time": "2026-11-19 00:00:00"}}
    rows = (await gateway.said("history-order-fills", late))["order_fill_list"]
    assert [row["order_id"] for row in rows] == [new["order_id"]]
    today = (await gateway.said("order-fills", head))["order_fill_list"]
    assert [row["order_id"] for row in today] == [new["order_id"]]


async def test_what_can_be_traded() -> None:
    """Cash buys whole lots, margin five times as many, shorts by their margin; sellable is what is held."""
    gateway = a_margin_gateway()
    await gateway.placed(order_type=2, price=0.0)
    gateway.wait(1)
    body = {"header": a_header(), "order_type": 1, "code": "00700", "price": 500.0}
    row = (await gateway.said("max-trd-qtys", body))["max_trd_qtys"]
    cash = float(gateway.ledger.cash(SIMULATE_HK)["HKD"])
    assert row["max_cash_buy"] == cash // 50_000 * 100
    assert row["max_cash_and_margin_buy"] == cash * 5 // 50_000 * 100
    assert row["max_position_sell"] == 300.0
    assert row["max_sell_short"] == cash / 0.6 // 50_000 * 100


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    moves=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from([1, 2, 8]), st.integers(1, 9), st.integers(-5, 5), st.booleans()),
        min_size=1,
        max_size=20,
    ),
    gaps=st.lists(st.floats(0.05, 8.0), min_size=20, max_size=20),
)
async def test_money_and_positions_are_the_sums_of_fills(
    seed: int, moves: list[tuple[int, int, int, int, bool]], gaps: list[float]
) -> None:
    """Over random streams of orders and cancels: cash, position and filled quantities are what the fills add up to;
    states only go forward; no order fills beyond its limit or its quantity."""
    account = FutuAccount(acc_id=SIMULATE_HK, environment="simulate", markets=(1,), kind="margin", cash={"HKD": 1e7})
    gateway = GatewayAtHand(seed=seed, accounts=(account,), pace=Pace(partial=0.6))
    for (side, kind, lots, ticks, cancels), gap in zip(moves, gaps, strict=False):
        price = round(round((475.0 + ticks) / 0.2) * 0.2, 1)
        reply = (
            await gateway.call("order", gateway.an_order(trd_side=side, order_type=kind, qty=100.0 * lots, price=price))
        ).json()
        gateway.wait(gap)
        if cancels and reply["ret_type"] == 0:
            await gateway.call("modify-order", gateway.a_change(reply["s2c"], 2))
    gateway.wait(60)
    cash, held = Decimal(10_000_000), 0
    for fill in gateway.ledger.fills():
        sign = 1 if fill.order.side in {1, 4} else -1
        cash -= sign * fill.quantity * fill.price
        held += sign * fill.quantity
        if fill.order.kind != 2:
            assert (fill.price <= fill.order.price) if sign > 0 else (fill.price >= fill.order.price)
    assert gateway.ledger.cash(SIMULATE_HK) == {"HKD": cash}
    assert gateway.ledger.positions(SIMULATE_HK).get("HK.00700", 0) == held
    for order in gateway.ledger.orders():
        assert order.filled == sum(fill.quantity for fill in gateway.ledger.fills() if fill.order is order)
        assert order.filled <= order.quantity
        ended = [number for number, (_, row) in enumerate(order.versions) if row["order_status"] in {11, 14, 15, 21}]
        assert ended in ([], [len(order.versions) - 1])


def test_what_happens_does_not_depend_on_who_asks_when() -> None:
    """The same orders at the same times, once asked every 37 ms and once never: the same ledger."""
    import anyio

    async def run(asks: bool) -> list[Any]:
        gateway = GatewayAtHand(pace=Pace(partial=0.5))
        for number in range(8):
            await gateway.placed(qty=200.0, price=475.0 + 0.2 * (number % 3), trd_side=1)
            for _ in range(60 if asks else 0):
                gateway.wait(0.037)
            gateway.clock.now_ns = HK_OPEN_NS + (number + 1) * 3_000_000_000
        gateway.wait(30)
        return [
            (row["order_status"], row["fill_qty"], ts_ns)
            for one in gateway.ledger.orders()
            for ts_ns, row in one.versions
        ]

    assert anyio.run(run, True) == anyio.run(run, False)


async def test_one_market_with_the_virtual_market() -> None:
    """A security that is a listing of the game has the game's price; an operator's price there is the price here."""
    clock = ReplayClock(HK_OPEN_NS)
    virtual = VirtualMarketSimulator(seed=7)
    exchange = virtual.exchange(clock, Entropy(7))
    listed = Security(code="08888", market="HK", name="CY", price=37.9, lot=100, spread=0.01, listing="CY")
    gateway = GatewayAtHand(
        exchange=exchange, securities=(listed,), accounts=(FutuAccount(acc_id=1, environment="simulate", markets=(1,)),)
    )
    exchange.set_price("CY", 41.25, HK_OPEN_NS)
    body = {"security_list": [{"market": 1, "code": "08888"}]}
    rows = (await gateway.said("snapshot", body))["snapshot_list"]
    assert rows[0]["basic"]["cur_price"] == 41.25
    gateway.wait(600)
    stock = exchange.stock("CY")
    assert stock is not None
    rows = (await gateway.said("snapshot", body))["snapshot_list"]
    assert rows[0]["basic"]["cur_price"] == stock.price != 41.25
    assert gateway.ledger.orders() == []
    assert Limits().max_order_value is None


@given(st.floats(0.011, 9000.0))
def test_price_steps_of_hong_kong(price: float) -> None:
    """A price rounded to its step is on it, and steps grow with the price."""
    step_ = hong_kong_tick(price)
    assert on_tick(round(price / step_) * step_, step_)
    assert hong_kong_tick(price * 2) >= step_
    assert US_OPEN_NS > HK_OPEN_NS


async def test_a_cancel_before_the_order_reached_the_exchange() -> None:
    """It never works and never fills: 2, 13, 15."""
    gateway = a_still_gateway()
    placed = await gateway.placed(order_type=2, price=0.0)
    await gateway.said("modify-order", gateway.a_change(placed, 2))
    gateway.wait(10)
    order = the_order(gateway, placed)
    assert (states(order), order.filled) == ([2, 13, 15], 0)


@pytest.mark.parametrize("first", ["futu", "amazingdata"])
def test_one_market_with_amazingdata(first: str) -> None:
    """Whichever face stands there first, 600000.SH is one stock with one price, and its minutes are the k-lines."""
    clock = ReplayClock(HK_OPEN_NS)
    exchange = VirtualMarketSimulator(seed=7).exchange(clock, Entropy(7))
    faces = {"futu": FutuSimulator(seed=7), "amazingdata": AmazingDataSimulator()}
    names = [first, *(name for name in faces if name != first)]
    apps = {name: faces[name].app(clock, Entropy(7), exchange=exchange) for name in names}
    venue = apps["futu"].state.venue
    security = venue.securities["21_600000"]
    clock.now_ns += 600 * 1_000_000_000
    venue.now_ns()
    stock = exchange.stock("600000.SH")
    assert stock is not None
    assert venue.quotes.last(security) == stock.price == venue.quotes.basic(security)["cur_price"]
    assert stock.chronicle is venue.quotes.chronicle(security)
    assert stock.chronicle.minutes(HK_OPEN_NS, clock.now_ns)[-1].close == stock.price
