"""Futures: hours and nights, lots of both sides, fees by what is closed, margin, rolls; and a run from end to end."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Bar, Strategy
from engine.data.main_contract import Roll, daily_volumes, main_contracts
from engine.domain.commands import Offset, OrderType, Side, SubmitOrder
from engine.domain.events import Fill, OrderDenied, OrderSubmitted
from engine.domain.ids import ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.timestamps import MINUTE_NS, format_time, parse_time
from engine.journal.memory import MemoryJournal
from engine.markets.china_futures import ChinaFutures
from engine.markets.futures_products import PRODUCTS
from engine.matching.next_open import NextOpen
from engine.portfolio import Portfolio
from engine.risk.profiles import limits_for
from engine.runtime.backtest import ACCOUNT, Backtest
from engine.runtime.backtest_result import BacktestResult, StrategySpec
from tests.builders import BarsOf, Row, flat_rows

BOOK = ChinaFutures()
CASH = 1_000_000


def a_contract(name: str) -> Instrument:
    product = PRODUCTS[name.partition(".")[0].rstrip("0123456789").upper()]
    return Instrument(
        id=InstrumentId(name), kind=InstrumentKind.FUTURE, market="china_futures",
        multiplier=product.multiplier, tick=product.tick,
    )  # fmt: skip


IF = a_contract("IF2401.CFE")
RB = a_contract("RB2405.SHF")
CU = a_contract("CU2402.SHF")


def local(text: str) -> int:
    return parse_time(text, "Asia/Shanghai")


def trades(contract: Instrument, when: str) -> bool:
    order = SubmitOrder(
        client_id=ClientOrderId("o"), account=ACCOUNT, strategy=StrategyId("s"), instrument=contract.id,
        side=Side.BUY, quantity=1, ts_ns=local(when),
    )  # fmt: skip
    denial = BOOK.check(order, contract, local(when), 0)
    assert denial is None or denial.code == "SESSION", denial
    return denial is None


@pytest.mark.parametrize(
    ("contract", "when", "open_"),
    [
        (IF, "2024-01-05 09:29:00", False),
        (IF, "2024-01-05 09:30:00", True),
        (IF, "2024-01-05 12:00:00", False),
        (IF, "2024-01-05 21:30:00", False),  # index futures have no night
        (RB, "2024-01-05 10:20:00", False),  # the break of a quarter of an hour
        (RB, "2024-01-05 21:30:00", True),  # Friday's night
        (RB, "2024-01-05 23:00:00", False),
        (CU, "2024-01-05 23:30:00", True),
        (CU, "2024-01-06 00:30:00", True),  # still Friday's night
        (CU, "2024-01-06 01:00:00", False),
        (CU, "2024-01-08 00:30:00", False),  # no night on Sunday
        (RB, "2024-02-08 21:30:00", False),  # the last day before the Spring Festival
        (RB, "2024-01-06 10:00:00", False),
    ],
)
def test_a_product_trades_in_its_hours(contract: Instrument, when: str, open_: bool) -> None:
    """Day sessions of its exchange, a night of its own length, and none before a holiday."""
    assert trades(contract, when) is open_


def test_a_night_belongs_to_the_next_trading_day() -> None:
    """Friday's night is Monday's, past midnight too; the day's own hours are its own."""
    monday = date(2024, 1, 8).toordinal()
    for when in ("2024-01-05 21:00:00", "2024-01-05 23:59:00", "2024-01-06 00:30:00", "2024-01-08 10:00:00"):
        assert BOOK.trading_day(local(when)) == monday, when
    assert BOOK.trading_day(local("2024-01-05 15:00:00")) == monday - 3
    assert format_time(BOOK.opens_ns(RB, local("2024-01-05 15:00:00")) or 0, "Asia/Shanghai")[:16] == "2024-01-05 21:00"
    assert format_time(BOOK.opens_ns(RB, local("2024-02-08 15:00:00")) or 0, "Asia/Shanghai")[:16] == "2024-02-19 09:00"


@pytest.mark.parametrize(
    ("contract", "when", "price", "split", "fee"),
    [
        (IF, "2024-01-05", "3500", (1, 0, 0), "24.15"),  # 1 050 000 x 0.0023 %
        (IF, "2024-01-05", "3500", (0, 1, 0), "24.15"),
        (IF, "2024-01-05", "3500", (0, 0, 1), "241.50"),  # x 0.023 %
        (IF, "2023-08-25", "3500", (0, 0, 1), "362.25"),  # x 0.0345 %
        (IF, "2023-08-28", "3500", (0, 0, 1), "241.50"),
        (RB, "2024-01-05", "4000", (2, 1, 1), "16.00"),  # 40 000 x 0.01 % each
        (CU, "2024-01-05", "70000", (0, 0, 1), "35.00"),  # 350 000 x 0.01 %
    ],
)
def test_fees_by_what_is_opened_and_closed(
    contract: Instrument, when: str, price: str, split: tuple[int, int, int], fee: str
) -> None:
    """Each part of a fill at its own rate, by date."""
    assert BOOK.futures_fee(contract, Decimal(price), *split, local(f"{when} 10:00:00")) == Decimal(fee)


# --- books ------------------------------------------------------------------------------------------------------------


def a_portfolio() -> Portfolio:
    portfolio = Portfolio({IF.id: IF, RB.id: RB}, lambda _name, ts_ns: ts_ns)
    portfolio.futures["china_futures"] = BOOK
    portfolio.open_account(ACCOUNT, "CNY", Decimal(CASH))
    return portfolio


def a_fill(
    contract: Instrument, side: Side, quantity: int, price: str, when: str, offset: Offset = Offset.AUTO, fee: str = "0"
) -> Fill:
    return Fill(
        client_id=ClientOrderId("o"), account=ACCOUNT, strategy=StrategyId("s"), instrument=contract.id, side=side,
        quantity=quantity, price=Decimal(price), fee=Decimal(fee), ts_ns=local(when), offset=offset,
    )  # fmt: skip


def test_long_and_short_are_held_apart() -> None:
    """Both sides open at once: the net is nothing, the margin of both is tied up, each is closed by its own offset."""
    portfolio = a_portfolio()
    book = portfolio.accounts[ACCOUNT]
    portfolio.on_fill(a_fill(IF, Side.BUY, 2, "3500", "2024-01-04 10:00:00", Offset.OPEN))
    portfolio.on_fill(a_fill(IF, Side.SELL, 2, "3510", "2024-01-04 10:01:00", Offset.OPEN))
    assert portfolio.account_quantity(ACCOUNT, IF.id) == 0
    assert book.margin["CNY"] == (Decimal(3500) + 3510) * 2 * 300 * Decimal("0.12")
    assert book.cash["CNY"] == CASH
    portfolio.marks[IF.id] = 9999.0
    assert portfolio.equity(ACCOUNT) == CASH + 10 * 2 * 300  # locked in, wherever the market goes
    portfolio.on_fill(a_fill(IF, Side.SELL, 2, "3520", "2024-01-04 10:02:00", Offset.CLOSE))
    assert portfolio.account_quantity(ACCOUNT, IF.id) == -2
    assert book.cash["CNY"] == CASH + 20 * 2 * 300
    assert book.margin["CNY"] == Decimal(3510) * 2 * 300 * Decimal("0.12")


def test_shanghai_tells_todays_lots_from_earlier_ones() -> None:
    """CLOSE closes what is older, CLOSE_TODAY today's; a night's lot is the next day's own."""
    portfolio = a_portfolio()
    portfolio.on_fill(a_fill(RB, Side.BUY, 3, "4000", "2024-01-04 10:00:00", Offset.OPEN))
    portfolio.on_fill(a_fill(RB, Side.BUY, 1, "4010", "2024-01-04 21:10:00", Offset.OPEN))
    now = local("2024-01-05 10:00:00")
    assert portfolio.closable(ACCOUNT, RB.id, False, Offset.CLOSE, now) == 3
    assert portfolio.closable(ACCOUNT, RB.id, False, Offset.CLOSE_TODAY, now) == 1
    assert portfolio.closable(ACCOUNT, RB.id, False, Offset.AUTO, now) == 4
    split = portfolio.split(ACCOUNT, (RB.id, False, 4, Offset.AUTO), now)
    assert (split.opened, split.closed, split.closed_today) == (0, 3, 1)
    portfolio.on_fill(a_fill(RB, Side.SELL, 1, "4020", "2024-01-05 10:00:00", Offset.CLOSE_TODAY))
    assert portfolio.accounts[ACCOUNT].cash["CNY"] == CASH + 10 * 10


def test_elsewhere_the_oldest_lot_is_closed_first() -> None:
    """CLOSE takes any lot, the oldest before today's."""
    portfolio = a_portfolio()
    portfolio.on_fill(a_fill(IF, Side.BUY, 1, "3500", "2024-01-04 10:00:00"))
    portfolio.on_fill(a_fill(IF, Side.BUY, 1, "3600", "2024-01-05 10:00:00"))
    split = portfolio.split(ACCOUNT, (IF.id, False, 2, Offset.CLOSE), local("2024-01-05 10:30:00"))
    assert (split.closed, split.closed_today) == (1, 1)
    portfolio.on_fill(a_fill(IF, Side.SELL, 1, "3550", "2024-01-05 10:30:00"))
    assert portfolio.accounts[ACCOUNT].cash["CNY"] == CASH + 50 * 300


Deal = tuple[bool, int, int, int, int]


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 5), st.integers(3000, 4000), st.integers(0, 3), st.integers(0, 3))
    ),
    st.integers(3000, 4000),
)
@settings(max_examples=60, deadline=None)
def test_cash_is_conserved(deals: list[Deal], mark: int) -> None:
    """Whatever is opened and closed: equity is what was paid in, less fees, plus price moves of every contract held."""
    portfolio = a_portfolio()
    expected = Decimal(CASH)
    net = 0
    for buys, quantity, price, day, kind in deals:
        offset = (Offset.AUTO, Offset.OPEN, Offset.CLOSE, Offset.CLOSE_TODAY)[kind]
        side = Side.BUY if buys else Side.SELL
        when = f"2024-01-{day + 2:02d} 10:00:00"
        portfolio.on_fill(a_fill(RB, side, quantity, str(price), when, offset, fee="1.23"))
        expected -= side.sign * quantity * price * 10 + Decimal("1.23")
        net += side.sign * quantity
    portfolio.marks[RB.id] = float(mark)
    assert portfolio.account_quantity(ACCOUNT, RB.id) == net
    assert portfolio.equity(ACCOUNT) == expected + net * mark * 10
    legs = portfolio.accounts[ACCOUNT].legs.get(RB.id)
    held = Decimal(0) if legs is None else legs.gross * 10 * PRODUCTS["RB"].margin
    assert portfolio.accounts[ACCOUNT].margin.get("CNY", Decimal(0)) == held


# --- runs -------------------------------------------------------------------------------------------------------------


def run_of(
    strategy: type[Strategy], sources: Sequence[Any], *, cash: int = CASH, rolls: Sequence[Roll] = ()
) -> tuple[Backtest, BacktestResult, list[Any]]:
    names = tuple(source.instrument for source in sources)
    run = Backtest(
        sources=sources,
        strategies=[StrategySpec(name=StrategyId("s"), make=strategy, instruments=names)],
        instruments={name: a_contract(name) for name in names},
        books={"china_futures": BOOK},
        limits=limits_for("backtest", {}),
        fill_model=NextOpen(),
        journal=MemoryJournal(),
        cash=Decimal(cash),
        rolls=rolls,
    )
    result = run.run()
    return run, result, [record for _, record in run._journal.records()]


def minutes(name: str, day: str, start: str, rows: Sequence[Row], volume: float = 1_000.0) -> BarsOf:
    first = local(f"{day} {start}")
    ends = [first + (k + 1) * MINUTE_NS for k in range(len(rows))]
    return BarsOf(rows, instrument=InstrumentId(name), ends=ends, volume=volume)


def test_a_short_round_trip_from_end_to_end() -> None:
    """Sold at 3500, bought back at 3480 the same day: 20 points of 300 yuan, less 24.15 to open and 240.12 to close."""

    class Short(Strategy):
        def on_bar(self, bar: Bar) -> None:
            if bar.close == 3500:
                self.sell(bar.instrument, 1, offset=Offset.OPEN)
            if bar.close == 3480:
                self.buy(bar.instrument, 1, offset=Offset.CLOSE)

    rows = [*flat_rows(3500), (3500, 3500, 3490, 3490), (3490, 3490, 3480, 3480), (3480, 3480, 3470, 3470)]
    run, result, records = run_of(Short, [minutes("IF2401.CFE", "2024-01-05", "09:30:00", rows)])
    assert (result.fills, result.denied) == (2, 0)
    assert result.final_equity == CASH + 20 * 300 - Decimal("24.15") - Decimal("240.12")
    assert run.core.portfolio.accounts[ACCOUNT].margin["CNY"] == 0
    assert [r.order.offset for r in records if isinstance(r, OrderSubmitted)] == [Offset.OPEN, Offset.CLOSE]


def test_margin_is_needed_to_open_and_none_to_close() -> None:
    """126 000 yuan of margin an IF contract at 3500: with 200 000 one passes, the second is denied, a close passes."""

    class Greedy(Strategy):
        def on_bar(self, bar: Bar) -> None:
            if bar.close < 3500:
                self.sell(bar.instrument, 1, offset=Offset.CLOSE)
            else:
                self.buy(bar.instrument, 1)

    rows = [*flat_rows(3500, 3500, 3500), (3500, 3500, 3490, 3490), (3490, 3490, 3490, 3490)]
    _, result, records = run_of(Greedy, [minutes("IF2401.CFE", "2024-01-05", "09:30:00", rows)], cash=200_000)
    denied = [record for record in records if isinstance(record, OrderDenied)]
    assert [record.code for record in denied] == ["CASH", "CASH", "SELLABLE"]
    assert result.fills == 2


def test_a_close_needs_something_to_close() -> None:
    """An order to close more than is held of its offset is denied."""

    class Closes(Strategy):
        def on_bar(self, bar: Bar) -> None:
            self.buy(bar.instrument, 1, offset=Offset.CLOSE_TODAY)

    _, _, records = run_of(Closes, [minutes("RB2405.SHF", "2024-01-05", "21:00:00", flat_rows(4000, 4000))])
    assert {record.code for record in records if isinstance(record, OrderDenied)} == {"SELLABLE"}


# --- main contracts ---------------------------------------------------------------------------------------------------

JAN, FEB, MAR = (InstrumentId(f"IF240{month}.CFE") for month in (1, 2, 3))


def test_the_main_contract_follows_what_is_traded_and_never_goes_back() -> None:
    """It changes on the day after another had more than 1.1 times as much, and not to one that ends earlier."""
    activity = {
        JAN: {1: 100.0, 2: 100.0, 3: 90.0, 4: 300.0, 5: 300.0},
        FEB: {1: 50.0, 2: 109.0, 3: 100.0, 4: 10.0, 5: 10.0},
        MAR: {4: 12.0, 5: 12.0},
    }
    assert main_contracts(activity) == (
        Roll(2, "IF", InstrumentId(""), JAN),
        Roll(4, "IF", JAN, FEB),  # 100 > 1.1 x 90 on the third day; 109 on the second was not enough
        Roll(5, "IF", FEB, MAR),
    )


def test_a_held_position_is_moved_by_orders() -> None:
    """Two days of two contracts: on the roll the old one is sold and the new one bought, each at its own price."""

    class Holds(Strategy):
        def on_bar(self, bar: Bar) -> None:
            main = self.ctx.main("IF")
            if main == bar.instrument and not self.position(JAN) and not self.ctx.working_orders():
                self.order_target(main, 1)

    days = ("2024-01-03", "2024-01-04", "2024-01-05")
    volumes = {JAN: (900.0, 300.0, 100.0), FEB: (100.0, 500.0, 900.0)}
    prices = {JAN: 3500.0, FEB: 3520.0}
    sources = [DaysOf(name, days, prices[name], volumes[name]) for name in (JAN, FEB)]
    rolls = main_contracts(daily_volumes(sources, BOOK.trading_day))
    thursday = date(2024, 1, 4).toordinal()
    assert rolls == (Roll(thursday, "IF", InstrumentId(""), JAN), Roll(thursday + 1, "IF", JAN, FEB))
    run, result, records = run_of(Holds, sources, rolls=rolls)
    orders = [record.order for record in records if isinstance(record, OrderSubmitted)]
    assert [(o.instrument, o.side, o.group) for o in orders] == [
        (JAN, Side.BUY, ""), (JAN, Side.SELL, "roll IF"), (FEB, Side.BUY, "roll IF"),
    ]  # fmt: skip
    assert all(order.type is OrderType.MARKET for order in orders)
    assert run.core.portfolio.strategy_quantity(StrategyId("s"), JAN) == 0
    assert run.core.portfolio.strategy_quantity(StrategyId("s"), FEB) == 1
    # 24.15 to open and 24.15 to close January, 3520 x 300 x 0.0023 % = 24.288 to open February: no price gap is earned.
    assert result.final_equity == CASH - Decimal("24.15") * 2 - Decimal("24.29")


class DaysOf(BarsOf):
    """Three minutes a day at one price."""

    def __init__(self, name: InstrumentId, days: Sequence[str], price: float, volumes: Sequence[float]) -> None:
        ends = [local(f"{day} 09:30:00") + k * MINUTE_NS for day in days for k in (1, 2, 3)]
        super().__init__(flat_rows(*[price] * len(ends)), instrument=name, ends=ends)
        self._volume = self._volume * 0 + [volume for volume in volumes for _ in range(3)]
