"""The simulated virtual market's trades: messages, fees, lock, whole coins, refusals (contract 7)."""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.commands import Side
from engine.domain.timestamps import HOUR_NS, MINUTE_NS, SECOND_NS
from engine.simulators.virtual_market import User
from tests.simulator_builders import CLOSED_NS, MarketAtHand

INTERNAL = "500 Internal Server Error\n\nServer got itself in trouble"


def rich(coins: int = 10_000_000, **settings: Any) -> MarketAtHand:
    return MarketAtHand(users=(User(coins=coins),), **settings).log_in()


async def test_the_recorded_purchase() -> None:
    """100 shares at 57.75: the contract's message to the letter; the lock is told in it."""
    market = rich()
    market.price("ZY", 57.75)
    assert await market.said("buy", stock_id="ZY", quantity=100) == (
        "✅ 买入成功！\n以 $57.75/股 的价格买入 100 股 智云科技，花费 5775.00 金币。\n"
        "⚠️ 注意：买入的股票将在 60 分钟后解锁，方可卖出。"
    )
    assert market.ledger.coins("TimeXingjian") == 10_000_000 - 5775


async def test_the_recorded_sale_of_a_hundred_thousand_shares() -> None:
    """At 27.25: 5 % slippage, average 25.89, gross 2588750.00, fee 25887.50, net 2562862.50, loss 136250.00."""
    market = rich()
    market.price("HN", 27.25)
    await market.said("buy", stock_id="HN", quantity=100_000)
    market.clock.now_ns += HOUR_NS
    market.exchange.advance(market.clock.now_ns)
    market.price("HN", 27.25)
    assert await market.said("sell", stock_id="HN", quantity=100_000) == (
        "✅ 卖出成功！(因大单抛售产生 5.00% 滑点)\n成交数量: 100000 股\n当前市价: $27.25\n您的成交均价: $25.89\n"
        "成交总额: 2588750.00 金币\n手续费(1%): -25887.50 金币\n实际收入: 2562862.50 金币\n"
        "😭 本次交易盈亏: -136250.00 金币"
    )
    assert market.ledger.coins("TimeXingjian") == 10_000_000 - 2_725_000 + 2_562_862
    trade = market.ledger.trades("TimeXingjian")[-1]
    assert (trade.side, trade.quantity, trade.price) == (Side.SELL, 100_000, Decimal("25.8875"))
    assert (trade.value, trade.fee, trade.cash_change) == (Decimal(2588750), Decimal("25887.5"), Decimal(2562862))


@pytest.mark.parametrize(("quantity", "shows"), [(1999, False), (2000, True)])
async def test_the_slippage_line_shows_from_two_thousand_shares(quantity: int, shows: bool) -> None:
    """Without it no line break follows the first sentence; the slip is in the gross either way."""
    market = rich(lock_minutes=0)
    market.price("CY", 40.0)
    await market.said("buy", stock_id="CY", quantity=quantity)
    message = await market.said("sell", stock_id="CY", quantity=quantity)
    assert message.startswith(
        "✅ 卖出成功！(因大单抛售产生 0.10% 滑点)\n成交数量:" if shows else "✅ 卖出成功！成交数量:"
    )
    gross = re.search(r"成交总额: (\S+) 金币", message)
    assert gross is not None
    assert float(gross[1]) == round(40.0 * (1 - quantity * 5e-7) * quantity, 2) < 40.0 * quantity


@settings(max_examples=60, deadline=None)
@given(price=st.integers(1, 50_000), quantity=st.integers(1, 2_000_000))
def test_cash_moves_in_whole_coins_rounded_down(price: int, quantity: int) -> None:
    """A buy costs floor(price x quantity), a sale brings floor(gross - 1 %), slip 30 % at most, by fractions."""
    market = MarketAtHand(users=(User(coins=10**12),), lock_minutes=0, history_days=0)
    market.price("CY", price / 100)
    now_ns = market.clock.now_ns
    market.ledger.buy("TimeXingjian", "CY", quantity, now_ns, 1)
    paid = 10**12 - market.ledger.coins("TimeXingjian")
    assert paid == price * quantity // 100
    market.ledger.sell("TimeXingjian", "CY", quantity, now_ns, 2)
    got = market.ledger.coins("TimeXingjian") - 10**12 + paid
    slip = min(Fraction(quantity, 2_000_000), Fraction(3, 10))
    net = Fraction(price * quantity, 100) * (1 - slip) * Fraction(99, 100)
    # Gross and fee are each rounded to a cent before the coins are cut off.
    assert net - Fraction(102, 100) <= got <= net + Fraction(2, 100)
    assert market.ledger.holdings("TimeXingjian") == {}


async def test_a_purchase_below_one_coin_is_free() -> None:
    """The message shows the cost, the coins stay."""
    market = rich(5)
    market.price("YS", 0.3)
    assert "花费 0.90 金币" in await market.said("buy", stock_id="YS", quantity=3)
    assert market.ledger.coins("TimeXingjian") == 5


async def test_each_lot_is_locked_for_itself_and_sold_first_in_first_out() -> None:
    """Two lots half an hour apart unlock half an hour apart; the profit is counted from the older one."""
    market = rich()
    market.price("CY", 30.0)
    await market.said("buy", stock_id="CY", quantity=100)
    market.clock.now_ns += 30 * MINUTE_NS
    market.exchange.advance(market.clock.now_ns)
    market.price("CY", 40.0)
    await market.said("buy", stock_id="CY", quantity=50)
    refused = await market.said("sell", stock_id="CY", quantity=1)
    assert "可卖数量不足" in refused
    assert re.search(r"只有\s*0\s*股可卖", refused)
    assert "下一批持仓大约在 30分0秒 后解锁" in refused
    market.clock.now_ns += 30 * MINUTE_NS - SECOND_NS
    assert "在 0分1秒 后解锁" in await market.said("sell", stock_id="CY", quantity=1)
    market.clock.now_ns += SECOND_NS
    market.exchange.advance(market.clock.now_ns)
    market.price("CY", 50.0)
    refused = await market.said("sell", stock_id="CY", quantity=120)
    assert "只有 100 股可卖" in refused
    assert "在 30分0秒 后解锁" in refused
    assert "本次交易盈亏: +1199.91 金币" in await market.said("sell", stock_id="CY", quantity=60)
    assert market.ledger.holdings("TimeXingjian") == {"CY": 90}
    market.clock.now_ns += 30 * MINUTE_NS
    market.exchange.advance(market.clock.now_ns)
    market.price("CY", 50.0)
    # 40 of the first lot at 30, 10 of the second at 40.
    assert "本次交易盈亏: +899.94 金币" in await market.said("sell", stock_id="CY", quantity=50)
    refused = await market.said("sell", stock_id="CY", quantity=41)
    assert "只有 40 股可卖" in refused
    assert "解锁" not in refused


async def test_all_in_buys_what_the_coins_allow() -> None:
    """floor(coins / price) shares; then not one more."""
    market = rich(1000)
    market.price("CY", 37.9)
    message = await market.said("buy_all_in", stock_identifier="CY")
    assert "以 $37.90/股 的价格买入 26 股 晨宇科技，花费 985.40 金币" in message
    assert market.ledger.coins("TimeXingjian") == 15
    assert "金币不足，连一股都买不起" in await market.said("buy_all_in", stock_identifier="CY")


async def test_sell_all_of_a_stock_leaves_the_locked_lots() -> None:
    """The same message as a sale; then there is nothing to sell."""
    market = rich()
    await market.said("buy", stock_id="CY", quantity=100)
    market.clock.now_ns += HOUR_NS
    await market.said("buy", stock_id="CY", quantity=7)
    assert "成交数量: 100 股" in await market.said("sell_all_stock", stock_identifier="cy")
    assert market.ledger.holdings("TimeXingjian") == {"CY": 7}
    assert "没有可供卖出的" in await market.said("sell_all_stock", stock_identifier="CY")


async def test_sell_everything_lists_stocks_by_name_and_skips_what_can_not_be_sold() -> None:
    """One line a stock that reads by the contract's pattern; locked and delisted ones are left out without a word."""
    market = rich()
    assert "没有可供卖出的" in await market.said("sell_all_portfolio")
    for code in ("CY", "DL", "ZY"):
        market.price(code, 20.0)
        await market.said("buy", stock_id=code, quantity=100)
    market.clock.now_ns += HOUR_NS
    market.exchange.advance(market.clock.now_ns)
    await market.said("buy", stock_id="HN", quantity=10)
    market.exchange.delist("ZY", market.clock.now_ns)
    for code in ("CY", "DL"):
        market.price(code, 30.0)
    coins = market.ledger.coins("TimeXingjian")
    reply = await market.client.post("/api/v1/trade/sell_all_portfolio", content=b"not json")
    lines = re.findall(
        r"^\s*-\s*(.+?):\s*(\d+)股,\s*收入\s*(-?[\d.]+)\s*\(盈亏\s*([+-][\d.]+)\)", reply.json()["message"], re.M
    )
    assert lines == [("晨宇科技", "100", "2969.85", "+999.85"), ("大立农业", "100", "2969.85", "+999.85")]
    assert market.ledger.coins("TimeXingjian") == coins + 2 * 2969
    assert market.ledger.holdings("TimeXingjian") == {"ZY": 100, "HN": 10}


@pytest.mark.parametrize(
    ("route", "body", "words"),
    [
        ("buy", {"stock_id": "CY", "quantity": 10**9}, r"金币不足.*需要 [\d.]+，你只有 10000000"),
        ("buy", {"stock_id": "XX", "quantity": 1}, "找不到标识符为"),
        ("sell", {"stock_id": "XX", "quantity": 1}, "找不到标识符为"),
        ("buy_all_in", {"stock_identifier": "XX"}, "找不到标识符为"),
        ("sell_all_stock", {"stock_identifier": "XX"}, "找不到标识符为"),
        ("buy", {"stock_id": "CY", "quantity": 0}, "必须是一个正整数"),
        ("sell", {"stock_id": "XX", "quantity": -5}, "必须是一个正整数"),
        ("sell", {"stock_id": "CY", "quantity": 1}, "可卖数量不足.*只有 0 股可卖。$"),
    ],
)
async def test_refusals_are_400_with_success_false(route: str, body: dict[str, Any], words: str) -> None:
    """Understood and refused; nothing is booked. Quantity is looked at before the stock."""
    market = rich()
    response = await market.trade(route, **body)
    assert response.status_code == 400
    assert list(response.json()) == ["success", "message"]
    assert response.json()["success"] is False
    assert re.search(words, response.json()["message"], re.DOTALL)
    assert market.ledger.trades("TimeXingjian") == []


@pytest.mark.parametrize("route", ["buy", "sell", "buy_all_in", "sell_all_stock", "sell_all_portfolio"])
async def test_a_closed_market_hides_every_other_mistake(route: str) -> None:
    """Closed comes first, then the economy service, then the rest."""
    bad: dict[str, Any] = {"stock_id": 7, "stock_identifier": 7, "quantity": -1}
    closed = MarketAtHand(CLOSED_NS).log_in()
    assert "当前市场状态为【已休市】" in await closed.said(route, **bad)
    down = rich()
    down.ledger.economy = False
    assert "经济系统未启用" in await down.said(route, **bad)
    assert (await down.client.get("/api/v1/portfolio")).json()["coins"] == 0


@pytest.mark.parametrize(
    ("quantity", "bought"),
    [("1.9", 1), ("true", 1), ('"2"', 2), ("3", 3), ('" 4 "', 4), ("0.5", 0), ("false", 0), ("-1", 0)],
)
async def test_quantities_are_cast_to_whole_numbers(quantity: str, bought: int) -> None:
    """1.9 buys 1, true buys 1, "2" buys 2; what is cast to 0 or less is refused."""
    market = rich()
    body = f'{{"stock_id": "CY", "quantity": {quantity}}}'
    response = await market.client.post("/api/v1/trade/buy", content=body, headers={"content-type": "text/plain"})
    assert response.status_code == (200 if bought else 400)
    assert market.ledger.holdings("TimeXingjian") == ({"CY": bought} if bought else {})


@pytest.mark.parametrize("route", ["buy", "sell"])
@pytest.mark.parametrize(
    ("body", "is_text"),
    [
        (b'{"stock_id": "CY", "quantity": "1.5"}', False),
        (b'{"stock_id": "CY", "quantity": "x"}', False),
        (b'{"stock_id": "CY", "quantity": NaN}', False),
        (b'{"stock_id": "CY"}', False),
        (b'{"quantity": 1}', False),
        (b"", False),
        (b"{", False),
        (b"\xff", False),
        (b'{"stock_id": "CY", "quantity": null}', True),
        (b'{"stock_id": "CY", "quantity": []}', True),
        (b'{"stock_id": "CY", "quantity": Infinity}', True),
        (b"[" * 100_000, True),
        (b'{"stock_id": 1, "quantity": 1}', True),
        (b'{"stock_id": null, "quantity": 1}', True),
        (b"[]", True),
        (b"1", True),
    ],
)
async def test_bad_bodies_of_buy_and_sell(route: str, body: bytes, is_text: bool) -> None:
    """What the venue notices is 400 ``error``, what it trips over 500 text; neither books anything."""
    market = rich()
    response = await market.client.post(f"/api/v1/trade/{route}", content=body)
    if is_text:
        assert (response.status_code, response.text) == (500, INTERNAL)
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
    else:
        assert response.status_code == 400
        assert response.json()["error"].startswith("无效的请求体: ")
    assert market.ledger.trades("TimeXingjian") == []


@pytest.mark.parametrize(("digits", "status"), [(300, 400), (308, 400), (400, 500), (5000, 400)])
async def test_absurd_quantities(digits: int, status: int) -> None:
    """Too many coins up to what a float holds, a 500 text beyond it, no number at all beyond what Python reads."""
    body = b'{"stock_id": "CY", "quantity": 1' + b"0" * digits + b"}"
    market = rich()
    assert (await market.client.post("/api/v1/trade/buy", content=body)).status_code == status
    assert market.ledger.trades("TimeXingjian") == []


@pytest.mark.parametrize("route", ["buy_all_in", "sell_all_stock"])
@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"[]", b'{"stock_id": "CY"}', b'{"stock_identifier": 1}'])
async def test_bad_bodies_of_the_all_in_routes_are_500_text(route: str, body: bytes) -> None:
    """Even a missing field (contract 7)."""
    response = await rich().client.post(f"/api/v1/trade/{route}", content=body)
    assert (response.status_code, response.text) == (500, INTERNAL)


@pytest.mark.parametrize("identifier", ["CY", "cy", "晨宇科技", "1"])
async def test_trades_take_index_and_name_too(identifier: str) -> None:
    """As the quote routes do; price and type fields are ignored."""
    market = rich()
    await market.said("buy", stock_id=identifier, quantity=1, price=0.01, type="limit")
    (trade,) = market.ledger.trades("TimeXingjian")
    assert trade.code == "CY"
    assert trade.price == Decimal(str(market.exchange.stocks[0].price))


async def test_the_ledger_tells_who_booked_what_with_which_request() -> None:
    """Accounts do not touch each other; request numbers count every request."""
    users = (User(), User(login="other", chat_id="2", coins=500))
    market = MarketAtHand(users=users).log_in()
    await market.client.get("/api/v1/stocks")
    await market.said("buy", stock_id="CY", quantity=10)
    market.log_in(1)
    await market.said("buy", stock_id="CY", quantity=1)
    assert [(t.request, t.quantity) for t in market.ledger.trades("TimeXingjian")] == [(2, 10)]
    assert [(t.request, t.quantity) for t in market.ledger.trades("2")] == [(3, 1)]
    assert market.ledger.trades("other") == market.ledger.trades("2")
    assert market.ledger.holdings("other") == {"CY": 1}


async def test_simultaneous_trades_are_taken_one_after_the_other() -> None:
    """Two buys with coins for one: one is booked, one refused (the contract allows to serialise)."""
    import anyio

    market = rich(400)
    market.price("CY", 37.9)
    statuses: list[int] = []

    async def buy() -> None:
        statuses.append((await market.trade("buy", stock_id="CY", quantity=10)).status_code)

    async with anyio.create_task_group() as group:
        group.start_soon(buy)
        group.start_soon(buy)
    assert sorted(statuses) == [200, 400]
    assert market.ledger.coins("TimeXingjian") == 21


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell", "all_in", "all_of", "all"]), st.integers(1, 500), st.integers(0, 70)),
        max_size=25,
    )
)
def test_coins_and_shares_add_up_over_any_trades(steps: list[tuple[str, int, int]]) -> None:
    """What is held is what was bought less what was sold; coins are the start plus every change; none is negative."""
    from engine.simulators.virtual_market.messages import Refusal

    market = MarketAtHand(users=(User(coins=50_000),), history_days=0)
    ledger = market.ledger
    for number, (what, quantity, minutes) in enumerate(steps):
        market.clock.now_ns += minutes * MINUTE_NS
        now_ns = market.venue.now_ns()
        code = "CY" if quantity % 2 else "DL"
        try:
            match what:
                case "buy":
                    ledger.buy("TimeXingjian", code, quantity, now_ns, number)
                case "sell":
                    ledger.sell("TimeXingjian", code, quantity, now_ns, number)
                case "all_in":
                    ledger.buy_all_in("TimeXingjian", code, now_ns, number)
                case "all_of":
                    ledger.sell_all_stock("TimeXingjian", code, now_ns, number)
                case "all":
                    ledger.sell_all_portfolio("TimeXingjian", now_ns, number)
        except Refusal:
            continue
    trades = ledger.trades("TimeXingjian")
    for code in ("CY", "DL"):
        signed = [t.quantity if t.side is Side.BUY else -t.quantity for t in trades if t.code == code]
        assert ledger.holdings("TimeXingjian").get(code, 0) == sum(signed) >= 0
    assert ledger.coins("TimeXingjian") == 50_000 + sum(t.cash_change for t in trades) >= 0
