"""The report's figures against numbers worked out by hand."""

import io
import json
import math
from decimal import Decimal

import msgspec
import pytest
from rich.console import Console

from engine.domain.commands import Side
from engine.domain.errors import DataError
from engine.domain.events import KillLevel, LatchSet, OrderSubmitted, PositionAdjusted, StrategyStopped
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.order import Evidence
from engine.domain.timestamps import DAY_NS, HOUR_NS, parse_time
from engine.runtime.report import build_report
from engine.runtime.report_console import console_table, span
from tests.data_builders import ACCOUNT, STOCK, JournalScript


def four_days() -> JournalScript:
    """1000 -> 1100 -> 990 -> 1089 -> 1089 on four days: +10 %, -10 %, +10 %, 0."""
    script = JournalScript(cash="1000")
    for when, value in (("02", "1100"), ("03", "990"), ("04", "1089"), ("05", "1089")):
        script.equity(f"2026-03-{when} 15:00", value)
    return script


def test_returns_and_ratios_of_four_days() -> None:
    """Daily +0.1, -0.1, +0.1, 0: mean 0.025, sample deviation 0.0957, downside 0.05; too short to annualise."""
    report = build_report(four_days().end("2026-03-05 15:00"))
    s = report.statistics
    assert s.total_return == pytest.approx(0.089)
    deviation = math.sqrt(((0.075) ** 2 * 2 + 0.125**2 + 0.025**2) / 3)
    assert s.annual_volatility == pytest.approx(deviation * math.sqrt(252))
    assert s.sharpe == pytest.approx(0.025 / deviation * math.sqrt(252))
    assert s.sortino == pytest.approx(0.025 / 0.05 * math.sqrt(252))
    assert s.annual_return is None
    assert (s.days, s.days_a_year) == (4, 252)
    assert report.final_equity == Decimal(1089)


def test_drawdown_has_depth_places_and_length() -> None:
    """From 1100 to 990 is 10 %; 1089 is still below the peak, so it lasts to the end: three days."""
    s = build_report(four_days().end("2026-03-05 15:00")).statistics
    assert s.max_drawdown == pytest.approx(0.1)
    assert s.max_drawdown_from_ns == parse_time("2026-03-02 15:00", "Asia/Shanghai")
    assert s.max_drawdown_to_ns == parse_time("2026-03-03 15:00", "Asia/Shanghai")
    assert s.max_drawdown_recovered_ns == 0
    assert s.longest_drawdown_ns == 3 * DAY_NS
    script = four_days()
    script.equity("2026-03-06 15:00", "1100")
    s = build_report(script.end("2026-03-06 15:00")).statistics
    assert s.max_drawdown_recovered_ns == parse_time("2026-03-06 15:00", "Asia/Shanghai")
    assert s.longest_drawdown_ns == 4 * DAY_NS


def test_a_curve_that_only_rises_has_no_drawdown_and_no_downside() -> None:
    """What can not be said is None, not infinite."""
    script = JournalScript()
    for day in range(2, 7):
        script.equity(f"2026-03-0{day} 15:00", str(1000 + day))
    s = build_report(script.end("2026-03-06 15:00")).statistics
    assert (s.max_drawdown, s.longest_drawdown_ns, s.max_drawdown_from_ns) == (0.0, 0, 0)
    assert (s.sortino, s.calmar, s.profit_factor, s.win_rate) == (None, None, None, None)


def test_growth_is_annualised_over_calendar_time() -> None:
    """Doubling in half of 365.25 days is fourfold in a year; Calmar is that over the drawdown."""
    script = JournalScript(start="2026-01-01 00:00")
    script.equity("2026-02-01 00:00", "800")
    script.equity("2026-07-02 15:00", "2000")
    s = build_report(script.end("2026-07-02 15:00")).statistics
    assert s.annual_return == pytest.approx(3.0, rel=1e-9)
    assert s.calmar == pytest.approx(3.0 / 0.2, rel=1e-9)


def test_months_start_from_the_month_before() -> None:
    """January over the starting cash, March over February; a market without weekends is scaled by 365."""
    script = JournalScript(start="2026-01-05 09:30")
    for when, value in (("01-31", "1100"), ("02-27", "880"), ("03-02", "900"), ("03-31", "968")):
        script.equity(f"2026-{when} 15:00", value)
    report = build_report(script.end("2026-03-31 15:00"))
    assert [(m.year, m.month) for m in report.monthly] == [(2026, 1), (2026, 2), (2026, 3)]
    assert [m.return_ for m in report.monthly] == pytest.approx([0.1, -0.2, 0.1])
    assert report.statistics.days_a_year == 365  # 2026-01-31 is a Saturday


def test_round_trips_pair_first_in_first_out() -> None:
    """100 at 10 and 100 at 12, then 150 sold at 13: 100 x 3 and 50 x 1, each less its share of the fees."""
    script = JournalScript(cash="10000")
    script.trade("2026-03-02 10:00", Side.BUY, 100, "10", fee="1")
    script.trade("2026-03-02 11:00", Side.BUY, 100, "12", fee="2")
    script.trade("2026-03-02 14:00", Side.SELL, 150, "13", fee="3")
    script.equity("2026-03-02 15:00", "10300")
    report = build_report(script.end("2026-03-02 15:00"))
    first, second = report.round_trips
    assert (first.quantity, first.entry_price, first.exit_price) == (100, 10, 13)
    assert first.pnl == pytest.approx(300 - 1 - 2)
    assert first.holding_ns == 4 * HOUR_NS
    assert (second.quantity, second.direction) == (50, "long")
    assert second.pnl == pytest.approx(50 - 1 - 1)
    assert second.return_ == pytest.approx(48 / 600)
    (left,) = report.open_positions
    assert (left.quantity, left.average_price) == (50, 12)
    assert report.statistics.fees == Decimal(6)
    assert report.statistics.traded_value == Decimal(1000 + 1200 + 1950)
    assert report.statistics.win_rate == 1.0


def test_an_order_that_turns_a_position_closes_and_opens() -> None:
    """Long 100, sell 300, buy 200: a long round trip, then a short one."""
    script = JournalScript(cash="10000")
    script.trade("2026-03-02 10:00", Side.BUY, 100, "10")
    script.trade("2026-03-02 11:00", Side.SELL, 300, "11")
    script.trade("2026-03-02 12:00", Side.BUY, 200, "12")
    report = build_report(script.end("2026-03-02 15:00"))
    assert [(t.direction, t.quantity, t.pnl) for t in report.round_trips] == [("long", 100, 100), ("short", 200, -200)]
    s = report.statistics
    assert (s.win_rate, s.profit_factor, s.best, s.worst, s.losing_streak) == (0.5, 0.5, 100, -200, 1)
    assert report.open_positions == ()


def test_partial_fills_of_one_order_are_one_round_trip_and_count_once() -> None:
    """Three fills of one buy, one of them reported twice, against one sell: one row at the mean price."""
    script = JournalScript(cash="10000")
    buy = script.submit("2026-03-02 10:00", Side.BUY, 90)
    for number, price in enumerate(("10", "11", "12")):
        script.fill(buy, f"2026-03-02 10:0{number}", 30, price, fill_id=f"f{number}")
    script.fill(buy, "2026-03-02 10:05", 30, "12", fill_id="f2")
    script.trade("2026-03-02 11:00", Side.SELL, 90, "12")
    report = build_report(script.end("2026-03-02 15:00"))
    (trip,) = report.round_trips
    assert (trip.quantity, trip.entry_price, trip.pnl) == (90, 11, 90)
    assert report.statistics.fills == 4
    assert report.orders == {"filled": 2}


def test_a_busted_fill_is_taken_back() -> None:
    """The venue's repair goes through the same join as live orders: position and cash are as if it had not been."""
    script = JournalScript(cash="10000")
    buy = script.submit("2026-03-02 10:00", Side.BUY, 100)
    script.fill(buy, "2026-03-02 10:01", 60, "10", fill_id="a")
    script.fill(buy, "2026-03-02 10:02", 40, "10", fill_id="b")
    script.report(buy, Evidence.BUST, "2026-03-02 10:30", fill_id="b")
    report = build_report(script.end("2026-03-02 15:00"))
    assert [p.quantity for p in report.open_positions] == [60]
    assert report.orders == {"partial": 1}


def test_orders_are_counted_by_how_they_ended() -> None:
    """Filled, working, cancelled, rejected, unknown, denied."""
    script = JournalScript()
    script.trade("2026-03-02 10:00", Side.BUY, 1, "10")
    script.submit("2026-03-02 10:00", Side.BUY, 1)
    for kind in (Evidence.CANCELED, Evidence.REJECT, Evidence.AMBIGUOUS):
        order = script.order("2026-03-02 10:01", Side.BUY, 1)
        script.add(OrderSubmitted(order=order, ts_ns=order.ts_ns))
        script.report(order, Evidence.SEND, "2026-03-02 10:01")
        script.report(order, kind, "2026-03-02 10:02")
    script.deny("2026-03-02 10:03", "CASH", "cash: 10 is less than 20")
    script.deny("2026-03-02 10:04", "CASH", "cash: 10 is less than 30")
    script.deny("2026-03-02 10:05", "RATE", "too fast")
    report = build_report(script.end("2026-03-02 15:00"))
    assert report.orders == {
        "denied": 3, "filled": 1, "working": 1, "canceled": 1, "rejected": 1, "unknown": 1,
    }  # fmt: skip
    assert [(d.code, d.count, d.example) for d in report.denials] == [
        ("CASH", 2, "cash: 10 is less than 30"),
        ("RATE", 1, "too fast"),
    ]


def test_exposure_and_turnover() -> None:
    """Held for 3 of 12 hours, two positions at once count once; 2000 traded on a mean equity of 1000 is twofold."""
    script = JournalScript(start="2026-03-02 00:00")
    script.trade("2026-03-02 01:00", Side.BUY, 100, "10")
    script.trade("2026-03-02 04:00", Side.SELL, 100, "10")
    script.equity("2026-03-02 12:00", "1000")
    s = build_report(script.end("2026-03-02 12:00")).statistics
    assert s.exposure == pytest.approx(0.25)
    assert s.turnover == pytest.approx(2.0)


def test_without_samples_equity_is_cash_and_positions_at_the_latest_fill() -> None:
    """And the report says so. An adjustment counts too."""
    script = JournalScript(cash="1000")
    script.trade("2026-03-02 10:00", Side.BUY, 10, "10", fee="1")
    script.trade("2026-03-02 11:00", Side.BUY, 10, "12", fee="1")
    script.add(
        PositionAdjusted(
            account=ACCOUNT,
            strategy=StrategyId("EXTERNAL"),
            instrument=STOCK,
            ts_ns=script.at("2026-03-02 12:00"),
            cash=Decimal("-5.00000000"),
            reason="fee the venue booked late",
        )
    )
    report = build_report(script.end("2026-03-02 15:00"))
    # 1000 - 100 - 1 - 120 - 1 = 778 cash, 20 held at 12 = 240, less 5.
    assert report.final_equity == Decimal(1013)
    assert "no equity was sampled" in report.notes[0]
    assert report.incidents[0].text.endswith("cash -5 (fee the venue booked late)")


def test_a_live_account_starts_with_what_was_first_read_of_it() -> None:
    """Its journal opens with no cash: the broker knows it, and the first sample shows it."""
    script = JournalScript(cash="0")
    script.equity("2026-03-02 09:31", "1000")
    script.equity("2026-03-02 15:00", "1100")
    assert build_report(script.end("2026-03-02 15:00")).starting_equity == Decimal(1000)


def test_bonus_shares_and_splits_close_no_short_position() -> None:
    """100 at 10 and 50 at 12, three for two, sold 225 at 8: the cost is spread over more shares."""
    script = JournalScript(cash="10000", start="2026-03-02 09:00")
    script.trade("2026-03-02 10:00", Side.BUY, 100, "10", fee="3")
    script.trade("2026-03-02 11:00", Side.BUY, 50, "12")
    script.add(
        PositionAdjusted(
            account=ACCOUNT, strategy=StrategyId("cross"), instrument=STOCK, ts_ns=script.at("2026-03-03 00:00"),
            quantity=75, cost=Decimal(0), reason="ex-date: 0.5 new shares a share, 150 held",
        )
    )  # fmt: skip
    script.trade("2026-03-03 09:00", Side.SELL, 225, "8")
    script.equity("2026-03-04 09:00", "10197")
    report = build_report(script.end("2026-03-04 09:00"))
    first, second = report.round_trips
    assert (first.quantity, first.direction, second.quantity) == (150, "long", 75)
    assert first.pnl == pytest.approx(Decimal(150 * 8 - 1000 - 3))
    assert second.pnl == pytest.approx(Decimal(75 * 8 - 600))
    assert report.open_positions == ()
    # Held for 23 of 48 hours.
    assert report.statistics.exposure == pytest.approx(23 / 48)


def test_a_multiplier_counts_in_profit() -> None:
    """A point of an index future is 300 a contract."""
    script = JournalScript(cash="1000000")
    script.trade("2026-03-02 10:00", Side.BUY, 2, "4000")
    script.trade("2026-03-02 11:00", Side.SELL, 2, "4001")
    future = Instrument(id=InstrumentId(STOCK), multiplier=300)
    report = build_report(script.end("2026-03-02 15:00"), instruments={future.id: future})
    assert report.round_trips[0].pnl == 600
    assert report.final_equity == Decimal(1_000_600)


def test_incidents_are_listed() -> None:
    """Latches and stopped strategies stand in the report."""
    script = four_days()
    at = script.at("2026-03-05 14:00")
    script.add(LatchSet(level=KillLevel.HALT, scope="all", cause="daily loss", who="risk", ts_ns=at))
    script.add(StrategyStopped(strategy=StrategyId("cross"), ts_ns=at, reason="ValueError: x"))
    report = build_report(script.end("2026-03-05 15:00"))
    assert [(i.kind, i.text) for i in report.incidents] == [
        ("latch", "HALT all: daily loss"),
        ("stopped", "cross: ValueError: x"),
    ]


def test_a_journal_without_a_run_is_refused() -> None:
    """There is nothing to report on."""
    with pytest.raises(DataError, match="holds no run"):
        build_report([])


def test_the_report_is_json_and_a_table_for_people() -> None:
    """Every field survives JSON; markup in names stays text."""
    script = four_days()
    script.trade("2026-03-05 10:00", Side.BUY, 10, "10")
    script.trade("2026-03-05 11:00", Side.SELL, 10, "11")
    script.deny("2026-03-05 12:00", "CODE", "[red]not markup[/red]")
    report = build_report(script.end("2026-03-05 15:00"))
    plain = json.loads(msgspec.json.encode(report))
    assert plain["final_equity"] == "1089"
    assert plain["round_trips"][0]["pnl"] == "10"
    out = io.StringIO()
    Console(width=120, file=out).print(console_table(report))
    text = out.getvalue()
    for said in ("cross  (backtest)", "1,089.00 CNY", "8.90%", "10.00%", "[red]not markup[/red]", "600000.SH"):
        assert said in text


def test_spans_are_told_in_their_two_largest_units() -> None:
    """3d 4h, not 76:03:20."""
    assert span(3 * DAY_NS + 4 * HOUR_NS + 5) == "3d 4h"
    assert span(0) == "0s"
    assert span(None) == "-"


def test_two_positions_at_once_count_once_in_exposure() -> None:
    """One from 01:00 to 05:00, another from 02:00 to 03:00: four of twelve hours."""
    script = JournalScript(start="2026-03-02 00:00")
    script.trade("2026-03-02 01:00", Side.BUY, 1, "10")
    script.trade("2026-03-02 02:00", Side.BUY, 1, "10", instrument="600001.SH")
    script.trade("2026-03-02 03:00", Side.SELL, 1, "10", instrument="600001.SH")
    script.trade("2026-03-02 05:00", Side.SELL, 1, "10")
    script.equity("2026-03-02 12:00", "1000")
    assert build_report(script.end("2026-03-02 12:00")).statistics.exposure == pytest.approx(4 / 12)


def test_a_drawdown_that_begins_with_the_last_sample_has_a_length() -> None:
    """One day below the peak is one day, although no sample lies between."""
    script = JournalScript()
    script.equity("2026-03-02 15:00", "1100")
    script.equity("2026-03-03 15:00", "1000")
    assert build_report(script.end("2026-03-03 15:00")).statistics.longest_drawdown_ns == DAY_NS
