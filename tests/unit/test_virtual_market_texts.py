"""What the game market says in words is read back exactly, and no text whatever breaks the reader."""

from decimal import ROUND_HALF_UP, Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import BadMessage
from engine.domain.ids import InstrumentId
from engine.domain.money import CENT
from engine.domain.timestamps import HOUR_NS, MINUTE_NS, SECOND_NS, parse_time
from engine.gateways.virtual_market import messages as m
from engine.gateways.virtual_market import texts
from engine.gateways.virtual_market.client import failure_words
from engine.gateways.virtual_market.lots import Lots
from engine.net.rest import Answer
from tests.golden import virtual_market_messages as golden

cents = st.integers(1, 10**9).map(lambda n: Decimal(n) / 100)
quantities = st.integers(1, 10**9)
names = st.text(
    st.characters(exclude_characters="\n\r,，:：", exclude_categories=["Cs", "Zs", "Cc"]), min_size=1, max_size=20
)


def test_recorded_buys_and_sales_are_read() -> None:
    """The texts of contract 7, to the last cent; price of a sale is turnover over quantity."""
    buy = texts.buy_from_text(golden.BUY)
    assert buy == texts.Execution(
        quantity=100, price=Decimal("57.75"), fee=Decimal(0), name="智云科技", lock_ns=60 * MINUTE_NS
    )
    for text, quantity, price, fee in golden.SELLS:
        assert texts.sell_from_text(text) == texts.Execution(quantity=quantity, price=price, fee=fee)
    sold = texts.liquidation_from_text(golden.LIQUIDATION)
    assert {name: one.quantity for name, one in sold.items()} == {"晨宇科技": 100, "大立农业": 5}
    assert sold["晨宇科技"].price == Decimal("37.90")


@pytest.mark.parametrize(("text", "kind", "sellable", "unlock_seconds"), golden.REFUSALS)
def test_refusals_are_told_apart(text: str, kind: str, sellable: int | None, unlock_seconds: int | None) -> None:
    """Each text of contract 7's table has its meaning, figures included, and is quoted in the reason."""
    refusal = texts.refusal_from_text(text)
    assert refusal.kind is texts.RefusalKind[kind]
    assert refusal.sellable == sellable
    assert refusal.unlock_ns == (None if unlock_seconds is None else unlock_seconds * SECOND_NS)
    assert text.split(maxsplit=1)[0] in refusal.reason


@given(cents, quantities, names, st.integers(0, 10**5))
def test_any_buy_the_server_can_print_is_read_back(price: Decimal, quantity: int, name: str, lock: int) -> None:
    """Rendered by the contract's template, parsed back: the same figures."""
    cost = (price * quantity).quantize(CENT, ROUND_HALF_UP)
    text = (
        f"✅ 买入成功！\n以 ${price:.2f}/股 的价格买入 {quantity} 股 {name}，花费 {cost:.2f} 金币。\n"
        f"⚠️ 注意：买入的股票将在 {lock} 分钟后解锁，方可卖出。"
    )
    done = texts.buy_from_text(text)
    assert done is not None
    assert (done.quantity, done.price, done.lock_ns) == (quantity, price, lock * MINUTE_NS)


@given(cents, quantities, st.booleans())
def test_any_sale_the_server_can_print_is_read_back(price: Decimal, quantity: int, slips: bool) -> None:
    """With or without the slippage line: turnover and fee come back to the cent."""
    gross = (price * quantity).quantize(CENT, ROUND_HALF_UP)
    fee = texts.fee_of(gross)
    slip = "(因大单抛售产生 5.00% 滑点)\n" if slips else ""
    text = (
        f"✅ 卖出成功！{slip}成交数量: {quantity} 股\n当前市价: ${price:.2f}\n您的成交均价: ${price:.2f}\n"
        f"成交总额: {gross:.2f} 金币\n手续费(1%): -{fee:.2f} 金币\n实际收入: {gross - fee:.2f} 金币\n"
    )
    done = texts.sell_from_text(text)
    assert done is not None
    assert done.quantity == quantity
    assert (done.price * quantity).quantize(CENT) == gross
    assert done.fee == fee


@given(st.dictionaries(names.filter(lambda n: n.strip() == n), st.tuples(quantities, cents), max_size=5))
def test_any_liquidation_the_server_can_print_is_read_back(lines: dict[str, tuple[int, Decimal]]) -> None:
    """Quantity of every line, and a turnover and fee that give exactly the printed income."""
    nets = {}
    text = "✅ 清仓成功！\n"
    for name, (quantity, gross) in lines.items():
        nets[name] = gross - texts.fee_of(gross)
        text += f"- {name}: {quantity}股, 收入 {nets[name]:.2f} (盈亏 -1.00)\n"
    sold = texts.liquidation_from_text(text)
    assert {name: one.quantity for name, one in sold.items()} == {name: q for name, (q, _) in lines.items()}
    for name, one in sold.items():
        assert (one.price * one.quantity - one.fee).quantize(CENT) == nets[name]


alphabet = st.text(
    "以$/股 的价格买入，花费金币成交数量总额手续费实际收入:-0123456789.%()\n可卖只有分秒后解锁\U0001f62d١٢"
)


@given(st.one_of(st.text(), alphabet))
def test_no_text_breaks_the_readers(text: str) -> None:
    """Garbage gives None, an empty list, or a refusal of kind OTHER; never an exception, never a negative fill."""
    for done in (texts.buy_from_text(text), texts.sell_from_text(text), *texts.liquidation_from_text(text).values()):
        assert done is None or done.quantity > 0
    assert texts.refusal_from_text(text).reason


def test_long_texts_are_read_in_linear_time() -> None:
    """A page of figures does not hold up the engine."""
    for text in ("成交数量: 1 股" * 10_000, "以 $1/股 的价格买入 1 股 " * 10_000, "- a: 1股, " * 10_000):
        texts.buy_from_text(text)
        texts.sell_from_text(text)
        texts.liquidation_from_text(text)


@pytest.mark.parametrize(("status", "body", "words"), golden.FAILURES)
def test_failures_of_both_shapes_and_of_none_are_quoted(status: int, body: bytes, words: str) -> None:
    """``error``, ``message``, both, plain text, nothing (contract 1)."""
    assert failure_words(Answer(status, httpx.Headers(), body, "GET /x")) == words


def test_bars_of_one_date_are_merged_and_dated_by_their_end() -> None:
    """Contract 4: repeated dates are one bar; the date is the closing time, in the server's zone."""
    lines = [
        m.Kline("2026-03-02T10:05:00", 2, 3, 1, 2.5),
        m.Kline("2026-03-02T10:00:00", 1, 2, 1, 2),
        m.Kline("2026-03-02T10:05:00", 2.5, 4, 2, 3),
    ]
    bars = m.bars_from_wire(InstrumentId("CY.VSM"), lines, "Asia/Shanghai")
    assert [bar.ts_ns for bar in bars] == [parse_time(f"2026-03-02 10:0{n}:00", "Asia/Shanghai") for n in (0, 5)]
    assert (bars[1].open, bars[1].high, bars[1].low, bars[1].close, bars[1].volume) == (2, 4, 1, 3, 0)
    assert bars[1].start_ns == bars[0].ts_ns


@pytest.mark.parametrize(
    "line",
    [
        m.Kline("soon", 1, 1, 1, 1),
        m.Kline("2026-03-02T10:05:00", 1, 0.5, 1, 1),
        m.Kline("2026-03-02T10:05:00", 0, 1, 0, 1),
    ],
)
def test_bars_that_can_not_be_are_refused(line: m.Kline) -> None:
    """A date that is none, a high below the rest, a price of zero."""
    with pytest.raises(BadMessage):
        m.bars_from_wire(InstrumentId("CY.VSM"), [line], "Asia/Shanghai")


@given(st.text())
def test_no_token_breaks_the_reader_of_expiry(token: str) -> None:
    """Anything but a JWT with a sane exp has no known end."""
    assert m.token_expiry_ns(token) is None


def test_lots_unlock_one_by_one() -> None:
    """Own lots unlock after their lock; what is found in the portfolio is unknown until then at the latest."""
    lots = Lots()
    lots.bought("CY", 100, 0)
    lots.bought("CY", 50, 30 * MINUTE_NS)
    assert [lots.sellable("CY", t) for t in (0, HOUR_NS, HOUR_NS + 30 * MINUTE_NS)] == [0, 100, 150]
    lots.observed({"CY": 170}, HOUR_NS)
    assert lots.sellable("CY", HOUR_NS) is None
    assert lots.sellable("CY", 2 * HOUR_NS) == 170
    lots.sold("CY", 110, HOUR_NS)
    lots.observed({"CY": 60}, HOUR_NS)
    assert lots.sellable("CY", 2 * HOUR_NS) == 60


def test_a_refused_sale_teaches_what_is_locked() -> None:
    """The text's figures hold until the hint runs out; without a hint nothing is locked."""
    lots = Lots()
    lots.observed({"CY": 100}, 0)
    lots.refused("CY", 30, MINUTE_NS, 10 * MINUTE_NS)
    assert lots.sellable("CY", 2 * MINUTE_NS) == 30
    assert lots.sellable("CY", 12 * MINUTE_NS) is None
    lots.refused("CY", 100, 12 * MINUTE_NS, None)
    assert lots.sellable("CY", 12 * MINUTE_NS) == 100


@pytest.mark.parametrize(
    "garbled",
    [
        golden.LIQUIDATION.replace("5股", "五股"),
        golden.LIQUIDATION.replace("收入 370.21", "收入 -370.21"),
        golden.LIQUIDATION.replace("大立农业", "晨宇科技"),
        golden.LIQUIDATION.replace(": 5股", ""),
    ],
)
def test_a_liquidation_with_one_line_that_can_not_be_read_is_not_read_at_all(garbled: str) -> None:
    """A line left out would say of its stock that it was not sold; the portfolio is asked instead."""
    assert len(texts.liquidation_from_text(golden.LIQUIDATION)) == 2
    assert texts.liquidation_from_text(garbled) == {}


def test_a_sale_that_brought_more_than_its_turnover_is_not_read() -> None:
    """A fee below zero is a wrong reading, not a gift."""
    text = "成交数量: 10 股\n成交总额: 272.50 金币\n实际收入: 9269.78 金币"
    assert texts.sell_from_text(text) is None
