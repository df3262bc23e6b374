"""The mainland broker's counter: hours, auctions, matching, cancels, refusals."""

from contextlib import nullcontext
from decimal import Decimal

import pytest

from engine.domain.commands import Side
from engine.simulators.counter import CounterPace, CounterRefusal, EntrustStatus
from tests.counter_builders import BANK, BOND, FUND, SHENZHEN, STAR, STILL, Bench, held, local

FALLING = {"09:31": (10.0, 10.0, 10.0, 10.0), "10:01": (10.0, 10.0, 9.85, 9.95), "10:02": (9.95, 9.96, 9.88, 9.9)}


def refused(bench: Bench, side: Side, quantity: int, price: str | None, when: str, strategy: int = 0) -> str:
    """What the counter says to an order; empty where it takes it."""
    try:
        bench.place(side, quantity, price, when, strategy)
    except CounterRefusal as refusal:
        return refusal.text
    return ""


# Continuous trading


def test_an_order_that_crosses_fills_at_the_best_price_when_it_arrives() -> None:
    """Not at its limit, and 150 ms after it was given."""
    bench = Bench()
    order = bench.buy(200, "10.10", "10:00:20")
    assert order.status is EntrustStatus.PENDING
    bench.advance("10:00:20.149")
    assert order.status is EntrustStatus.PENDING
    bench.advance("10:00:20.150")
    assert (order.status, bench.deals()) == (EntrustStatus.FILLED, [(200, "10.00")])


def test_a_resting_order_fills_at_its_limit_when_a_later_bar_touches_it() -> None:
    """The low of the bar in which it came says nothing of the time after: only that bar's close counts."""
    bench = Bench(FALLING)
    order = bench.buy(100, "9.88", "10:00:20")
    bench.advance("10:01:59")
    assert (order.status, bench.deals()) == (EntrustStatus.OPEN, [])
    bench.advance("10:02")
    assert bench.deals() == [(100, "9.88")]


def test_a_bar_that_opens_within_the_limit_fills_at_its_open() -> None:
    """As in the backtest (fill model touch)."""
    bench = Bench({"09:31": (10.0, 10.0, 10.0, 10.0), "10:05": (9.7, 9.8, 9.7, 9.8)})
    bench.buy(100, "9.90", "10:00:20")
    bench.advance("10:05")
    assert bench.deals() == [(100, "9.70")]


def test_a_price_outside_the_cage_becomes_a_rejected_order() -> None:
    """The counter takes it, the exchange does not (2 % of the base price); money is free again."""
    bench = Bench()
    order = bench.buy(100, "10.30", "10:00:20")
    bench.advance("10:00:21")
    assert (order.status, order.reason) == (EntrustStatus.REJECTED, "委托价格不在有效申报价格范围内")
    assert bench.counter.funds(local("10:00:21")).available == 1_000_000
    within = bench.buy(100, "10.20", "10:00:22")
    bench.advance("10:00:23")
    assert within.status is EntrustStatus.FILLED


@pytest.mark.parametrize(
    ("share", "strategy", "status", "deals", "limit"),
    [
        (BANK, 1, EntrustStatus.FILLED, [(1000, "10.00")], None),
        (BANK, 2, EntrustStatus.OPEN, [], "9.99"),
        (BANK, 3, EntrustStatus.FILLED, [(1000, "10.00")], None),
        (BANK, 6, EntrustStatus.FILLED, [(1000, "10.00")], None),
        (SHENZHEN, 4, EntrustStatus.FILLED, [(1000, "10.00")], None),
        (SHENZHEN, 5, EntrustStatus.FILLED, [(1000, "10.00")], None),
    ],
)
def test_market_orders_where_there_is_enough(
    share: object, strategy: int, status: EntrustStatus, deals: list[tuple[int, str]], limit: str | None
) -> None:
    """All of it at the best price of the other side; the own best waits in line at the bid."""
    bench = Bench(share=share)  # type: ignore[arg-type]
    order = bench.buy(1000, None, "10:00:20", strategy)
    bench.advance("10:00:21")
    assert (order.status, bench.deals()) == (status, deals)
    assert order.price is None
    assert limit is None or order.limit == Decimal(limit)


@pytest.mark.parametrize(
    ("share", "strategy", "status", "levels", "limit"),
    [
        (BANK, 1, EntrustStatus.PART, 1, "10"),
        (BANK, 3, EntrustStatus.PART_WITHDRAWN, 5, None),
        (BANK, 6, EntrustStatus.PART, 5, "10.04"),
        (SHENZHEN, 4, EntrustStatus.PART_WITHDRAWN, 10, None),
        (SHENZHEN, 5, EntrustStatus.WITHDRAWN, 0, None),
    ],
)
def test_market_orders_where_there_is_not(
    share: object, strategy: int, status: EntrustStatus, levels: int, limit: str | None
) -> None:
    """One, five or all levels a tick apart; the rest is withdrawn, or goes on at the last price; all or nothing."""
    bench = Bench(share=share, cash="100000000", partial=1.0, seed=4)  # type: ignore[arg-type]
    order = bench.buy(1_000_000, None, "10:00:20", strategy)
    bench.advance("10:00:21")
    assert order.status is status
    assert [price for _, price in bench.deals()] == [
        str(Decimal("10.00") + level * Decimal("0.01")) for level in range(levels)
    ]
    assert order.withdrawn == (0 if limit else order.quantity - order.filled)
    if limit:
        assert order.limit == Decimal(limit)


def test_a_market_order_does_not_pass_the_days_limit() -> None:
    """Of five levels only those up to 11.00 are there."""
    bench = Bench(STILL | {"10:00": (10.0, 10.98, 10.0, 10.98)}, cash="100000000", partial=1.0, seed=4)
    order = bench.buy(1_000_000, None, "10:00:20", 3)
    bench.advance("10:00:21")
    assert [price for _, price in bench.deals()] == ["10.98", "10.99", "11.00"]
    assert order.status is EntrustStatus.PART_WITHDRAWN


def test_a_market_sale_goes_down_the_levels() -> None:
    """From the bid, a tick lower each."""
    bench = Bench(holdings=(held("600000.SH", 1_000_000),), partial=1.0, seed=4)
    bench.sell(1_000_000, None, "10:00:20", 3)
    bench.advance("10:00:21")
    assert [price for _, price in bench.deals()] == ["9.99", "9.98", "9.97", "9.96", "9.95"]


def test_parts_are_whole_lots() -> None:
    """Hundreds of shares, tens of bonds; what is left fills later, and nothing is lost."""
    for share, lot, price in ((BANK, 100, "10.05"), (BOND, 10, "110.5")):
        still = {f"10:{minute:02d}": (share.price,) * 4 for minute in range(1, 60)}
        bench = Bench(still, share=share, cash="100000000", partial=1.0)  # type: ignore[arg-type]
        order = bench.buy(lot * 500, price, "10:00:20")
        bench.advance("10:59")
        quantities = [quantity for quantity, _ in bench.deals()]
        assert order.status is EntrustStatus.FILLED
        assert len(quantities) > 2
        assert sum(quantities) == lot * 500
        assert all(quantity % lot == 0 for quantity in quantities)


# Hours and auctions


def test_orders_given_before_hours_wait_and_match_at_the_open() -> None:
    """Pending until 09:15, then in the auction; who accepts the open gets it, whoever does not rests."""
    bench = Bench({"09:31": (10.1, 10.12, 10.06, 10.12)})
    early = bench.buy(100, "10.20", "08:30:00")
    bench.advance("09:14:59")
    assert early.status is EntrustStatus.PENDING
    low, touched = bench.buy(100, "10.05", "09:23:00"), bench.buy(100, "10.07", "09:24:00")
    bench.advance("09:30:59")
    assert (early.status, low.status, bench.deals()) == (EntrustStatus.OPEN, EntrustStatus.OPEN, [])
    bench.advance("09:31")
    assert (early.status, low.status) == (EntrustStatus.FILLED, EntrustStatus.OPEN)
    assert (touched.status, bench.deals()) == (EntrustStatus.FILLED, [(100, "10.10"), (100, "10.07")])


def test_orders_given_before_the_first_price_do_not_meet_yesterdays() -> None:
    """From 09:25 on they wait for 09:30, and for the day's first price."""
    bench = Bench({"09:31": (10.1, 10.12, 10.1, 10.12)})
    waiting = bench.buy(100, "10.20", "09:27:00")
    bench.advance("09:29:59")
    assert waiting.status is EntrustStatus.PENDING
    first = bench.buy(100, None, "09:30:10", 3)
    bench.advance("09:30:59")
    assert bench.deals() == []
    bench.advance("09:31")
    assert bench.deals() == [(100, "10.12"), (100, "10.12")]
    assert {waiting.status, first.status} == {EntrustStatus.FILLED}


def test_orders_given_over_lunch_go_at_one() -> None:
    """They wait at the counter and meet the market at 13:00."""
    bench = Bench()
    order = bench.buy(100, "10.05", "12:00:00")
    bench.advance("12:59:59")
    assert order.status is EntrustStatus.PENDING
    bench.advance("13:00:00")
    assert order.status is EntrustStatus.FILLED


def test_nothing_matches_in_the_closing_auction_but_at_its_price() -> None:
    """From 14:57 orders gather; the close fills those who accept it, and the others are withdrawn a minute later."""
    bench = Bench(
        STILL
        | {
            "14:57": (10.0, 10.0, 10.0, 10.0),
            "14:59": (10.0, 10.0, 9.5, 10.0),
            "15:00": (10.0, 10.05, 9.5, 10.05),
        }
    )
    rests, low = bench.buy(100, "9.90", "14:00:00"), bench.buy(100, "10.04", "14:58:00")
    taker = bench.buy(100, "10.20", "14:58:00")
    bench.advance("14:59:59")
    assert bench.deals() == []
    bench.advance("15:00")
    assert bench.deals() == [(100, "10.05")]
    assert taker.status is EntrustStatus.FILLED
    assert bench.counter.funds(local("15:00:30")).frozen > 0
    funds = bench.counter.funds(local("15:01"))
    assert (rests.status, low.status) == (EntrustStatus.WITHDRAWN, EntrustStatus.WITHDRAWN)
    assert (rests.withdrawn, funds.frozen, bench.counter.live(local("15:01"))) == (100, 0, [])


def test_an_order_on_its_way_at_the_close_is_rejected() -> None:
    """The counter took it in time, the exchange did not get it in time; a market order already at 14:57."""
    bench = Bench()
    market, limit = bench.buy(100, None, "14:56:59.900", 3), bench.buy(100, "10.00", "14:59:59.900")
    bench.advance("15:00:01")
    assert (market.status, market.reason) == (EntrustStatus.REJECTED, "当前时段不支持市价委托")
    assert (limit.status, limit.reason) == (EntrustStatus.REJECTED, "申报时间已过")


# Cancels


def test_a_cancel_takes_its_time_and_the_order_may_fill_before() -> None:
    """It is live until the exchange says so; a second wish changes nothing; what has ended can not be cancelled."""
    bench = Bench(FALLING)
    slow, late = bench.buy(100, "9.50", "10:00:20"), bench.buy(100, "9.90", "10:00:20")
    bench.advance("10:00:21")
    bench.counter.cancel(slow, local("10:00:59.900"))
    bench.counter.cancel(slow, local("10:00:59.950"))
    bench.advance("10:01:00.199")
    assert (slow.status, slow.leaves) == (EntrustStatus.CANCEL_ASKED, 100)
    assert slow.updated_ns == local("10:00:59.900")
    bench.advance("10:01:00.200")
    assert (slow.status, slow.withdrawn, slow.leaves) == (EntrustStatus.WITHDRAWN, 100, 0)
    bench.counter.cancel(late, local("10:01:59.900"))
    bench.advance("10:02:01")
    assert late.status is EntrustStatus.FILLED
    for ended in (slow, late):
        with pytest.raises(CounterRefusal, match="不能撤单"):
            bench.counter.cancel(ended, local("10:03:00"))


def test_a_cancel_after_a_part_leaves_the_part() -> None:
    """Quantity is filled plus withdrawn."""
    bench = Bench(partial=1.0, cash="100000000")
    order = bench.buy(50_000, "10.00", "10:00:20")
    bench.advance("10:00:21")
    assert order.status is EntrustStatus.PART
    bench.counter.cancel(order, local("10:00:22"))
    bench.advance("10:00:23")
    assert order.status is EntrustStatus.PART_WITHDRAWN
    assert 0 < order.filled < 50_000
    assert order.filled + order.withdrawn == 50_000


def test_a_part_that_fills_while_a_cancel_is_asked_leaves_it_asked() -> None:
    """The wish is still on its way; the rest is withdrawn when it comes."""
    bench = Bench(FALLING, partial=1.0, cash="100000000")
    order = bench.buy(50_000, "9.95", "10:00:20")
    bench.counter.cancel(order, local("10:00:59.900"))
    bench.advance("10:01:00.100")
    assert 0 < order.filled < 50_000
    assert order.status is EntrustStatus.CANCEL_ASKED
    bench.advance("10:01:00.200")
    assert order.status is EntrustStatus.PART_WITHDRAWN


@pytest.mark.parametrize(
    ("placed", "asked", "answer"),
    [
        ("09:16:00", "09:19:00", ""),
        ("09:16:00", "09:20:00", "集合竞价阶段不允许撤单"),
        ("09:16:00", "09:24:59", "集合竞价阶段不允许撤单"),
        ("10:00:00", "14:56:00", ""),
        ("10:00:00", "14:57:00", "集合竞价阶段不允许撤单"),
    ],
)
def test_auctions_have_times_without_cancels(placed: str, asked: str, answer: str) -> None:
    """09:20 to 09:25 and 14:57 to 15:00."""
    bench = Bench()
    order = bench.buy(100, "9.50", placed)
    with pytest.raises(CounterRefusal, match=answer) if answer else nullcontext():
        bench.counter.cancel(order, local(asked))


def test_a_cancel_that_comes_too_late_to_the_exchange_is_not_taken() -> None:
    """Asked for at 09:19:59.9 it arrives in the time without cancels: the order works on."""
    bench = Bench()
    order = bench.buy(100, "9.50", "09:16:00")
    bench.counter.cancel(order, local("09:19:59.900"))
    bench.advance("09:20:01")
    assert order.status is EntrustStatus.OPEN


def test_a_cancel_over_lunch_waits_for_the_afternoon() -> None:
    """The exchange acts on it at 13:00; an order that never left the counter is withdrawn at once."""
    bench = Bench()
    there, here = bench.buy(100, "9.50", "11:00:00"), bench.buy(100, "10.05", "12:00:00")
    for order in (there, here):
        bench.counter.cancel(order, local("12:10:00"))
    bench.advance("12:59:59")
    assert (there.status, here.status) == (EntrustStatus.CANCEL_ASKED, EntrustStatus.WITHDRAWN)
    bench.advance("13:00:01")
    assert (there.status, here.status, bench.deals()) == (EntrustStatus.WITHDRAWN, EntrustStatus.WITHDRAWN, [])


# Refusals


@pytest.mark.parametrize(
    ("side", "quantity", "price", "when", "strategy", "text"),
    [
        (Side.BUY, 100, "10.00", "15:00:00", 0, "非交易时间"),
        (Side.BUY, 100, "10.00", "2026-11-21 10:00:00", 0, "非交易时间"),
        (Side.BUY, 100, None, "12:00:00", 3, "当前时段不支持市价委托"),
        (Side.BUY, 100, None, "09:16:00", 3, "当前时段不支持市价委托"),
        (Side.BUY, 100, None, "10:00:00", 4, "不支持该市价委托类型"),
        (Side.BUY, 100, None, "10:00:00", 5, "不支持该市价委托类型"),
        (Side.BUY, 100, None, "10:00:00", 9, "不支持该市价委托类型"),
        (Side.BUY, 100, None, "10:00:00", 0, "委托价格不合法"),
        (Side.BUY, 100, "-1", "10:00:00", 0, "委托价格不合法"),
        (Side.BUY, 150, "10.00", "10:00:00", 0, "委托数量不合法"),
        (Side.BUY, 0, "10.00", "10:00:00", 0, "委托数量不合法"),
        (Side.BUY, 1_000_100, "10.00", "10:00:00", 0, "委托数量超过单笔上限"),
        (Side.BUY, 100, "10.001", "10:00:00", 0, "委托价格不是最小价差"),
        (Side.BUY, 100, "11.01", "10:00:00", 0, "委托价格超出涨跌停价格范围：9.00至11.00"),
        (Side.SELL, 100, "8.99", "10:00:00", 0, "委托价格超出涨跌停价格范围"),
        (Side.BUY, 100_000, "10.00", "10:00:00", 0, "资金不足"),
        (Side.BUY, 95_000, None, "10:00:00", 3, "资金不足"),
        (Side.SELL, 300, "10.00", "10:00:00", 0, "可用股份不足：可用250"),
        (Side.SELL, 40, "10.00", "10:00:00", 0, "委托数量不合法"),
        (Side.SELL, 50, "10.00", "10:00:00", 0, ""),
        (Side.BUY, 99_900, "10.00", "10:00:00", 0, ""),
    ],
)
def test_what_the_counter_refuses_at_entry(
    side: Side, quantity: int, price: str | None, when: str, strategy: int, text: str
) -> None:
    """Hours, type, price, lot, size, tick, limits, money, shares: a text each, and nothing is done."""
    bench = Bench(holdings=(held("600000.SH", 250),))
    said = refused(bench, side, quantity, price, when, strategy)
    assert said.startswith(text)
    assert bool(said) is bool(text)
    assert len(bench.counter.books.entrusts) == (0 if text else 1)


def test_the_other_boards_rules_hold_at_the_counter() -> None:
    """STAR from 200 and by one, funds on a tenth of a cent, six from Shenzhen; a code it does not know."""
    assert refused(Bench(share=STAR), Side.BUY, 199, "50.00", "10:00:00").startswith("委托数量不合法")
    assert refused(Bench(share=STAR), Side.BUY, 201, "50.00", "10:00:00") == ""
    assert refused(Bench(share=FUND), Side.BUY, 100, "3.456", "10:00:00") == ""
    assert refused(Bench(share=SHENZHEN), Side.BUY, 100, None, "10:00:00", 6).startswith("不支持")
    with pytest.raises(CounterRefusal, match="证券代码不存在"):
        Bench().counter.place("600519", Side.BUY, 100, Decimal(10), local("10:00:00"))


def test_the_exchange_may_refuse_what_the_counter_took() -> None:
    """By chance, or because a test says so; an order with fills stays."""
    chance = Bench(reject=1.0)
    order = chance.buy(100, "10.00", "10:00:20")
    chance.advance("10:00:21")
    assert (order.status, order.reason, order.rejected) == (EntrustStatus.REJECTED, "交易所拒绝", True)
    bench = Bench()
    told, filled = bench.buy(100, "9.50", "10:00:20"), bench.buy(100, "10.00", "10:00:20")
    bench.counter.reject(told, "证券停牌", local("10:00:21"))
    bench.counter.reject(filled, "证券停牌", local("10:00:21"))
    assert (told.status, told.reason) == (EntrustStatus.REJECTED, "证券停牌")
    assert filled.status is EntrustStatus.FILLED


@pytest.mark.parametrize("bad", [{"partial": 1.5}, {"reject": -0.1}, {"submit_ms": -1}, {"cancel_ms": -1}])
def test_a_pace_that_can_not_be(bad: dict[str, float]) -> None:
    """Chances lie between 0 and 1, times are not below 0."""
    with pytest.raises(ValueError, match=r"between 0 and 1|0 or more"):
        CounterPace(**bad)  # type: ignore[arg-type]
