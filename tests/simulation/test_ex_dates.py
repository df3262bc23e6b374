"""Dividends, splits and rights in a run: files beside the bars, books and prices on the ex-date, what history shows."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Bar, Strategy
from engine.data.actions import read_actions
from engine.data.adjustments import adjusted
from engine.data.sources import open_bars
from engine.domain.actions import CorporateAction
from engine.domain.errors import DataError
from engine.domain.events import OrderDenied, PositionAdjusted
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import day_of, format_time
from engine.journal.memory import MemoryJournal
from engine.markets.china_a import ChinaA
from engine.markets.free import Free
from engine.markets.rulebook import RuleBook
from engine.matching import FILL_MODELS
from engine.risk.profiles import limits_for
from engine.runtime.backtest import ACCOUNT, Backtest
from engine.runtime.backtest_result import StrategySpec

NAME = InstrumentId("600000.SH")
DAILY = """date,open,high,low,close,volume
2024-06-12,10.00,10.10,9.90,10.00,1000000
2024-06-13,10.00,10.10,9.90,10.00,1000000
2024-06-14,7.31,7.40,7.20,7.31,1000000
2024-06-17,7.31,7.40,7.20,7.35,1000000
2024-06-18,7.30,7.40,7.20,7.30,1000000
"""
"""Friday the 14th is the ex-date of half a yuan and three new shares for ten: (10 - 0.5) / 1.3 = 7.31."""
ACTIONS = "ex_date,cash,bonus\n2024-06-14,0.5,0.3\n"


def a_run(
    folder: Path, strategy: type[Strategy], *, book: RuleBook | None = None, daily: str = DAILY, actions: str = ACTIONS
) -> tuple[Backtest, list[Any]]:
    (folder / "bars.csv").write_text(daily)
    if actions:
        (folder / "bars.actions.csv").write_text(actions)
    book = book or ChinaA()
    run = Backtest(
        sources=[open_bars(folder / "bars.csv", instrument=NAME, tz="Asia/Shanghai")],
        strategies=[StrategySpec(name=StrategyId("s"), make=strategy, instruments=(NAME,))],
        instruments={NAME: Instrument(id=NAME, market=book.name, lot=100)},
        books={book.name: book},
        limits=limits_for("backtest", {}),
        fill_model=FILL_MODELS["next_open"](),
        journal=MemoryJournal(),
        cash=Decimal(1_000_000),
    )
    result = run.run()
    assert not result.stopped, result.stopped
    return run, [record for _, record in run._journal.records()]


class Holds(Strategy):
    """Buys on the first bar and looks at what history shows."""

    def on_start(self) -> None:
        self.seen: list[list[float]] = []
        self.volumes: list[float] = []

    def on_bar(self, bar: Bar) -> None:
        if not self.position(bar.instrument) and not self.ctx.working_orders():
            self.buy(bar.instrument, 1000)
        self.seen.append(self.history(bar.instrument, 5).close.round(4).tolist())
        self.volumes = self.history(bar.instrument, 5).volume.tolist()


def test_daily_bars_trade_on_the_next_day_of_an_exchange(tmp_path: Path) -> None:
    """Decided at a day's end, filled at the next day's open, on that day; sold one day later at the earliest."""

    class InAndOut(Strategy):
        def on_bar(self, bar: Bar) -> None:
            if bar.close == 10.0 and not self.position(bar.instrument) and not self.ctx.working_orders():
                self.buy(bar.instrument, 100)
            elif self.position(bar.instrument):
                self.sell(bar.instrument, 100)

    _, records = a_run(
        tmp_path, InAndOut, actions="", daily=DAILY.replace("7.3", "9.3").replace("7.2", "9.2").replace("7.4", "9.4")
    )
    assert [record.reason for record in records if isinstance(record, OrderDenied)] == []
    fills = [r for r in records if isinstance(r, OrderReport) and r.kind is Evidence.FILL]
    days = [str(day_of(report.as_of_ns, "Asia/Shanghai")) for report in fills]
    assert days == ["2024-06-13", "2024-06-14"]
    assert [format_time(report.as_of_ns, "Asia/Shanghai")[11:16] for report in fills] == ["09:30", "09:30"]


def test_books_and_marks_change_on_the_ex_date(tmp_path: Path) -> None:
    """1000 shares become 1300 and 500 yuan; what was paid for them stays; equity does not jump but by rounding."""
    run, records = a_run(tmp_path, Holds)
    (adjustment,) = [record for record in records if isinstance(record, PositionAdjusted)]
    assert (adjustment.quantity, adjustment.cash, adjustment.currency) == (300, Decimal("500.0"), "CNY")
    assert format_time(adjustment.ts_ns, "Asia/Shanghai")[:16] == "2024-06-14 00:00"
    assert adjustment.reason == "ex-date: dividend 0.5 and 0.3 new shares a share, 1000 held"
    position = run.core.portfolio.accounts[ACCOUNT].positions[NAME]
    assert (position.quantity, position.cost) == (1300, Decimal(10_000))
    assert run.core.portfolio.sellable(ACCOUNT, NAME, run.clock.now_ns) == 1300
    start = records[0]
    assert [row["actions"] for row in start.data if "actions" in row] == [NAME]


def test_history_is_adjusted_and_bars_are_raw(tmp_path: Path) -> None:
    """Before the ex-date nothing is; from it on earlier prices are times 0.731, earlier volumes times 1.3."""
    seen: list[list[float]] = []

    class Looks(Holds):
        def on_bar(self, bar: Bar) -> None:
            super().on_bar(bar)
            seen[:] = self.seen

    run, _ = a_run(tmp_path, Looks)
    assert seen[1] == [10.0, 10.0]
    assert seen[2] == [7.31, 7.31, 7.31]
    assert seen[4] == [7.31, 7.31, 7.31, 7.35, 7.30]
    shown = run.core.history.last(NAME, 5)
    assert shown.volume.tolist() == [1_300_000, 1_300_000, 1_000_000, 1_000_000, 1_000_000]
    (factor,) = run.days.factors(NAME)
    (batch,) = run.sources[0].batches()
    backward = adjusted(batch, (factor,), "backward", int(batch.ts_ns[-1]))
    assert np.allclose(backward.close / backward.close[-1], shown.close / shown.close[-1])


def test_a_market_without_limits_knows_ex_dates_too(tmp_path: Path) -> None:
    """Market free: the same shares and cash."""
    run, _ = a_run(tmp_path, Holds, book=Free())
    assert run.core.portfolio.account_quantity(ACCOUNT, NAME) == 1300


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("day,cash\n2024-06-14,1\n", "unknown column 'day'"),
        ("ex_date,cash\n2024-06-14,x\n", "line 2"),
        ("ex_date,cash\n2024-06-14,-1\n", "cash can not be that"),
        ("ex_date,split\n2024-06-14,0\n", "split can not be that"),
        ("ex_date,cash\n2024-06-14,1\n2024-06-14,2\n", "is there twice"),
        ("ex_date,cash\nyesterday,1\n", "line 2"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    """One sentence with the file, the line and the mend."""
    path = tmp_path / "x.actions.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_actions(path)


def test_actions_are_read_oldest_first(tmp_path: Path) -> None:
    """Any order, any subset of the columns."""
    path = tmp_path / "x.actions.csv"
    path.write_text("ex_date,split,cash\n2024-06-14,,0.5\n2023-06-14,2,\n")
    first, second = read_actions(path)
    assert first == CorporateAction(ex_day=first.ex_day, split=Decimal(2))
    assert second.cash == Decimal("0.5")
    assert first.outcome(101) == (101, Decimal(0))
    assert second.outcome(-100) == (0, Decimal(-50))
