"""Gross profit, what trading cost, and net profit, against numbers worked out by hand."""

import io
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from engine.data.columns import Columns
from engine.domain.account import Baseline
from engine.domain.commands import Side
from engine.domain.events import OrderSent, OrderSubmitted, PositionAdjusted
from engine.domain.ids import EXTERNAL, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.order import Evidence
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.runtime.report import build_report, report_of, with_costs
from engine.runtime.report_console import console_table
from engine.runtime.report_costs import Costs, costs_as_json
from engine.runtime.report_page import render_page
from engine.runtime.report_reading import Reading
from tests.cli_builders import HEADER, Shell, a_bar_file
from tests.data_builders import ACCOUNT, STOCK, JournalScript

DAY = "2026-03-02"


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


class Bars:
    """Three one-minute bars that end at 09:31, 09:32 and 09:33 with these closes."""

    instrument, interval_ns, tz, label, path = STOCK, MINUTE_NS, "Asia/Shanghai", "end", Path("bars")

    def __init__(self, *closes: float) -> None:
        self.prices = np.array(closes)

    def sha256(self) -> str:
        return ""

    def batches(self) -> list[Columns]:
        """A batch a bar, so that a price is carried over from one to the next."""
        first = JournalScript().at(f"{DAY} 09:31")
        return [
            Columns(STOCK, MINUTE_NS, np.array([first + n * MINUTE_NS]), *([self.prices[n : n + 1]] * 5))
            for n in range(len(self.prices))
        ]


def decide(script: JournalScript, when: str, side: Side, quantity: int, price: str, reference: str | None) -> None:
    """An order with the price it was decided on, as a live journal has it, filled at another, with a fee of 1."""
    order = script.order(when, side, quantity)
    baseline = Baseline(as_of_ns=order.ts_ns, price=Decimal(reference)) if reference is not None else None
    script.add(OrderSubmitted(order=order, ts_ns=order.ts_ns, baseline=baseline))
    script.add(OrderSent(client_id=order.client_id, ts_ns=order.ts_ns))
    script.report(order, Evidence.ACK, when)
    script.fill(order, when, quantity, price, "1")


def costs_by_hand(script: JournalScript, *, bars: Bars | None = None) -> Costs:
    reading = Reading(script.end(f"{DAY} 15:00"))
    made = with_costs(report_of(reading), reading, [] if bars is None else [bars])
    assert made.costs is not None
    return made.costs


def test_gross_less_slippage_and_fees_is_net() -> None:
    """Decided at 10, bought 100 at 10.02; decided at 11, sold at 10.97: gross 100, slippage 2 + 3, fees 2, net 93."""
    script = JournalScript(cash="10000")
    decide(script, f"{DAY} 10:00", Side.BUY, 100, "10.02", "10")
    decide(script, f"{DAY} 11:00", Side.SELL, 100, "10.97", "11")
    row = costs_by_hand(script).total
    assert (row.gross, row.slippage, row.fees, row.net) == (Decimal(100), Decimal(5), Decimal(2), Decimal(93))
    assert row.delay is None
    assert row.traded_value == Decimal(2099)
    assert row.basis_points == pytest.approx(7 / 2099 * 10_000)


def test_the_reference_of_a_backtest_is_the_last_close_and_delay_is_until_it_arrived() -> None:
    """Decided at 09:31 on 10, with the venue at 09:32:30 at 10.3, filled at 10.5: slippage 50, 30 of it delay."""
    script = JournalScript(cash="10000")
    order = script.order(f"{DAY} 09:31", Side.BUY, 100)
    script.add(OrderSubmitted(order=order, ts_ns=order.ts_ns))
    script.report(order, Evidence.ACK, f"{DAY} 09:32:30")
    script.fill(order, f"{DAY} 09:33", 100, "10.5")
    row = costs_by_hand(script, bars=Bars(10.0, 10.3, 10.6)).total
    assert (row.slippage, row.delay) == (Decimal(50), Decimal(30))
    # It still holds 100 at the last close, 10.6.
    assert row.net == Decimal(10)
    assert row.gross == Decimal(60)


def test_a_fill_without_a_reference_counts_as_without_slippage_and_is_said() -> None:
    """One of two is known; the note says how many are not."""
    script = JournalScript(cash="10000")
    decide(script, f"{DAY} 10:00", Side.BUY, 100, "10.02", "10")
    decide(script, f"{DAY} 11:00", Side.SELL, 100, "10.97", None)
    report = build_report(script.end(f"{DAY} 15:00"))
    assert report.costs is not None
    assert report.costs.total.unpriced == 1
    assert report.costs.total.slippage == Decimal(2)
    assert any("1 of 2 fills" in note for note in report.notes)


def test_what_equity_changed_by_beside_the_net_profit_is_said() -> None:
    """Bought 100 at 10, now at 10.5 as the last sample knows; 3 of cash were taken by nobody's order: +47 beside -1."""
    script = JournalScript(cash="10000")
    script.equity(f"{DAY} 09:30", "10000", "10000")
    decide(script, f"{DAY} 10:00", Side.BUY, 100, "10", "10")
    script.equity(f"{DAY} 14:59", "10046", "8996")
    report = build_report(script.end(f"{DAY} 15:00"))
    assert report.costs is not None
    assert report.costs.total.net == Decimal(-1)
    assert any("changed by +47.00" in note for note in report.notes)


def test_dividends_are_a_strategys_and_what_strangers_did_is_not() -> None:
    """10 of cash booked to the strategy is profit; a position found at the venue is nobody's."""
    script = JournalScript(cash="10000")
    decide(script, f"{DAY} 10:00", Side.BUY, 100, "10", "10")
    at = script.at(f"{DAY} 10:30")
    for strategy, quantity, cash in ((StrategyId("cross"), 0, 10), (EXTERNAL, 500, 0)):
        script.add(
            PositionAdjusted(
                account=ACCOUNT, strategy=strategy, instrument=STOCK, ts_ns=at, quantity=quantity, cash=Decimal(cash)
            )
        )
    costs = costs_by_hand(script)
    assert [row.strategy for row in costs.rows] == ["cross"]
    assert costs.total.net == Decimal(10) - 1


def test_a_multiplier_counts_in_every_part() -> None:
    """300 a point: 1 bought two points dearer than decided costs 600."""
    script = JournalScript(cash="1000000")
    decide(script, f"{DAY} 10:00", Side.BUY, 1, "4002", "4000")
    decide(script, f"{DAY} 11:00", Side.SELL, 1, "4010", "4010")
    spec = Instrument(id=STOCK, market="free", currency="CNY", multiplier=300)
    costs = build_report(script.end(f"{DAY} 15:00"), instruments={STOCK: spec}).costs
    assert costs is not None
    assert (costs.total.slippage, costs.total.net) == (Decimal(600), Decimal(8 * 300 - 2))
    assert costs.total.gross == Decimal(3000)


def test_a_run_without_a_fill_has_no_costs() -> None:
    """Nothing on the page, nothing in the terminal, null in the JSON."""
    report = build_report(JournalScript().end(f"{DAY} 15:00"))
    assert report.costs is None
    assert costs_as_json(report.costs) is None
    assert '"costs":null,"incidents"' in render_page(report, {})


def test_terminal_and_page_show_them(tmp_path: Path) -> None:
    """Costs stand with a minus between what they are taken from and what is left."""
    script = JournalScript(cash="10000")
    decide(script, f"{DAY} 10:00", Side.BUY, 100, "10.02", "10")
    report = build_report(script.end(f"{DAY} 15:00"))
    out = io.StringIO()
    Console(file=out, width=120).print(console_table(report))
    assert "gross and net profit" in out.getvalue()
    assert "-2.00" in out.getvalue()
    assert '"costs":{"strategies":[["cross","",1,1002.0,2.0,2.0,null,1.0,-1.0,' in render_page(report, {})


def some_gaps() -> list[str]:
    """Two hundred bars that open away from the close before."""
    chance = np.random.default_rng(3)
    rows, close = [], 20.0
    for n in range(200):
        opened = round(close * float(np.exp(chance.normal(0, 0.002))), 2)
        close = round(opened * float(np.exp(chance.normal(0, 0.004))), 2)
        at = f"2026-03-02 {9 + n // 60:02d}:{n % 60:02d}:00"
        rows.append(f"{at},{opened},{max(opened, close)},{min(opened, close)},{close},1000")
    return rows


def test_net_profit_of_a_backtest_is_its_change_of_equity_to_the_last_digit(tmp_path: Path, shell: Shell) -> None:
    """Two strategies in one account; the slippage is from a close to the next open; the journal gives it too."""
    data, journal = a_bar_file(tmp_path, some_gaps(), header=HEADER), tmp_path / "run.db"
    said = shell(
        "backtest", "--strategy", "strategies.sma_cross:SmaCross", "--strategy", "strategies.swing:Swing", "--data",
        data, "--instrument", "600000.SH", "--market", "free", "--set", "sma_cross.fast=5", "--journal", journal,
        "--report", tmp_path / "page.html", "--json",
    )  # fmt: skip
    assert said.code == 0
    costs = said.json["costs"]
    assert isinstance(costs, dict)
    total = costs["total"]
    assert Decimal(total["net_profit"]) == Decimal(str(said.json["final_equity_exact"])) - 1_000_000
    assert Decimal(total["slippage"]) != 0
    assert Decimal(total["gross_profit"]) - Decimal(total["slippage"]) - Decimal(total["fees"]) == Decimal(
        total["net_profit"]
    )
    assert [row["strategy"] for row in costs["strategies"]] == ["swing", "sma_cross"]
    again = shell("report", journal, "--json")
    assert again.json["costs"] == costs


def test_bars_that_changed_since_the_run_are_not_used(tmp_path: Path, shell: Shell) -> None:
    """Their hash is in the journal: slippage is not known, and it is said once."""
    data, journal = a_bar_file(tmp_path, some_gaps(), header=HEADER), tmp_path / "run.db"
    ran = shell(
        "backtest", "--strategy", "strategies.swing:Swing", "--data", data, "--instrument", "600000.SH", "--market",
        "free", "--journal", journal, "--no-report",
    )  # fmt: skip
    assert ran.code == 0
    data.write_text(data.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    page = tmp_path / "page.html"
    said = shell("report", journal, "--html", page, "--json")
    costs, notes = said.json["costs"], said.json["notes"]
    assert isinstance(costs, dict)
    assert isinstance(notes, list)
    assert costs["total"]["slippage"] is None
    assert sum("changed since the run" in note for note in notes) == 1
    assert page.read_text(encoding="utf-8").count("has changed since the run") == 1


def test_a_price_is_that_of_the_last_bar_that_had_ended() -> None:
    """Decided half a minute before a bar's end: the close before it, not its own."""
    script = JournalScript(cash="10000")
    order = script.order(f"{DAY} 09:32:30", Side.BUY, 100)
    script.add(OrderSubmitted(order=order, ts_ns=order.ts_ns))
    script.add(OrderSent(client_id=order.client_id, ts_ns=order.ts_ns + SECOND_NS))
    script.fill(order, f"{DAY} 09:33", 100, "10.5")
    row = costs_by_hand(script, bars=Bars(10.0, 10.3, 10.6)).total
    assert row.slippage == Decimal(20)
    assert row.delay == 0
