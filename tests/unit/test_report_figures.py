"""Amounts that add up, drawdowns, days and months, price limits, denials over time, and the JSON of a report."""

import gc
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import open_bars
from engine.domain.commands import Side
from engine.domain.errors import DataError
from engine.domain.events import PositionAdjusted, RunStarted
from engine.domain.ids import EXTERNAL, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.money import CENT
from engine.domain.timestamps import DAY_NS, HOUR_NS, parse_time
from engine.runtime.report import Report, build_report, report_of, with_bars
from engine.runtime.report_drawdowns import deepest_falls
from engine.runtime.report_figures import apportion, change_in_cents, figures_of, in_cents, lists_of
from engine.runtime.report_reading import Reading
from engine.runtime.report_statistics import day_places
from engine.runtime.run_data import books_of_run, instruments_of_run
from tests.data_builders import ACCOUNT, FIRST_NS, HEADER, STOCK, JournalScript, a_csv

AMOUNTS = st.decimals(-10_000, 10_000, allow_nan=False, allow_infinity=False, places=5)
TRADES = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.sampled_from(["600000.SH", "600001.SH", "600002.SH"]),
        st.sampled_from(list(Side)),
        st.integers(1, 500),
        st.decimals(1, 50, places=3),
        st.decimals(0, 9, places=4),
    ),
    max_size=25,
)
BOOKINGS = st.lists(st.tuples(st.sampled_from(["one", "two", EXTERNAL]), AMOUNTS), max_size=4)


def traded(trades: list[tuple[str, str, Side, int, Decimal, Decimal]], bookings: list[tuple[str, Decimal]]) -> Report:
    """The report of trades by two strategies in three instruments, and of cash booked besides."""
    script = JournalScript(cash="100000")
    for place, (strategy, instrument, side, quantity, price, fee) in enumerate(trades):
        script.strategy = strategy
        script.trade(f"2026-03-02 10:{place:02d}", side, quantity, str(price), str(fee), instrument=instrument)
    for place, (strategy, cash) in enumerate(bookings):
        script.add(
            PositionAdjusted(
                account=ACCOUNT, strategy=StrategyId(strategy), instrument=STOCK, cash=cash, reason="booked",
                ts_ns=script.at(f"2026-03-02 11:{place:02d}"),
            )
        )  # fmt: skip
    return build_report(script.end("2026-03-02 15:00"))


def nets_by_hand(
    trades: list[tuple[str, str, Side, int, Decimal, Decimal]], bookings: list[tuple[str, Decimal]]
) -> dict[tuple[str, str], Decimal]:
    """Cash that came in, and what is held at the last price it was traded at."""
    cash: dict[tuple[str, str], Decimal] = {}
    held: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for strategy, instrument, side, quantity, price, fee in trades:
        key, signed = (strategy, instrument), quantity * side.sign
        cash[key] = cash.get(key, Decimal(0)) - signed * price - fee
        held[key] = (held.get(key, (0, price))[0] + signed, price)
    for strategy, amount in bookings:
        if strategy != EXTERNAL:
            cash[strategy, str(STOCK)] = cash.get((strategy, str(STOCK)), Decimal(0)) + amount
    return {key: amount + held[key][0] * held[key][1] if key in held else amount for key, amount in cash.items()}


@settings(max_examples=60, deadline=None)
@given(TRADES, BOOKINGS)
def test_attribution_adds_up_exactly_and_to_the_cent(
    trades: list[tuple[str, str, Side, int, Decimal, Decimal]], bookings: list[tuple[str, Decimal]]
) -> None:
    """Of every table: the rows are the total, exactly and in cents; total and what is beside it are equity's change."""
    report = traded(trades, bookings)
    costs = report.costs
    if costs is None:
        assert not trades
        return
    assert costs.total.net + report.beside == report.final_equity - report.starting_equity
    assert {(row.strategy, row.instrument): row.net for row in costs.parts} == nets_by_hand(trades, bookings)
    for rows in (costs.rows, costs.instruments, costs.parts):
        for field in ("net", "gross", "fees", "traded_value", "fills"):
            assert sum(getattr(row, field) for row in rows) == getattr(costs.total, field)
        *shown, total = in_cents(rows, costs.total)
        for field in ("net", "fees", "gross"):
            assert sum(getattr(row, field) for row in shown) == getattr(total, field)
            for row in shown:
                assert abs(getattr(row, field) - getattr(row.row, field)) < 3 * CENT
        for row in (*shown, total):
            assert row.gross - row.fees - (row.slippage or 0) == row.net
            assert row.net == row.net.quantize(CENT)
    change, beside = change_in_cents(report)
    assert in_cents(costs.rows, costs.total)[-1].net + beside == change


@settings(max_examples=60, deadline=None)
@given(st.lists(AMOUNTS, max_size=12))
def test_cents_add_up_and_each_is_less_than_a_cent_off(amounts: list[Decimal]) -> None:
    """Whatever the amounts are."""
    cents = apportion(amounts, sum(amounts, Decimal(0)))
    assert sum(cents, Decimal(0)) == sum(amounts, Decimal(0)).quantize(CENT)
    assert all(abs(shown - amount) < CENT for shown, amount in zip(cents, amounts, strict=True))


def test_three_thirds_of_a_cent_by_hand() -> None:
    """0.335 three times is 1.005, shown as 1.00: one row gives way, not the sum."""
    assert apportion([Decimal("0.335")] * 3, Decimal("1.005")) == [Decimal("0.34"), Decimal("0.33"), Decimal("0.33")]


def test_the_table_of_drawdowns_by_hand() -> None:
    """100, 90, 95, 100, 120, 60, 120, 119: three falls, of a half, a tenth, and one that is not made good yet."""
    hours = np.arange(8, dtype=np.int64) * HOUR_NS
    worst, second, third = deepest_falls(hours, np.array([100.0, 90, 95, 100, 120, 60, 120, 119]))
    assert (worst.depth, worst.peak_ns, worst.bottom_ns, worst.recovered_ns) == (
        0.5,
        4 * HOUR_NS,
        5 * HOUR_NS,
        6 * HOUR_NS,
    )
    assert (worst.falling_ns, worst.lasted_ns) == (HOUR_NS, 2 * HOUR_NS)
    assert (second.depth, second.peak_ns, second.recovered_ns) == (pytest.approx(0.1), 0, 3 * HOUR_NS)
    assert (third.depth, third.recovered_ns, third.lasted_ns) == (pytest.approx(1 / 120), 0, HOUR_NS)
    assert deepest_falls(hours[:3], np.array([1.0, 2.0, 2.0])) == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=60))
def test_the_deepest_of_the_table_is_the_largest_fall_of_a_loop(levels: list[int]) -> None:
    """And no two of its stretches overlap."""
    equity = np.array(levels, float)
    falls = deepest_falls(np.arange(len(levels), dtype=np.int64), equity, 100)
    peak, worst = 0.0, 0.0
    for level in levels:
        peak = max(peak, level)
        worst = max(worst, 1 - level / peak)
    assert (falls[0].depth if falls else 0.0) == pytest.approx(worst)
    ordered = sorted(falls, key=lambda fall: fall.peak_ns)
    for fall, following in pairwise(ordered):
        assert 0 < fall.recovered_ns <= following.peak_ns
    assert [fall.depth for fall in falls] == sorted((fall.depth for fall in falls), reverse=True)


def test_a_sample_at_midnight_is_the_old_days_and_a_night_session_fridays() -> None:
    """A daily bar that ends at midnight is of its day; a night session past Friday's midnight makes no Saturday."""
    at = [parse_time(f"2026-03-{when}", "Asia/Shanghai") for when in ("06 00:00:00", "06 15:00", "07 00:00:00")]
    days, places = day_places(np.array(at, np.int64), "Asia/Shanghai")
    assert (days, places.tolist()) == ([date(2026, 3, 5), date(2026, 3, 6)], [0, 2])
    at = [parse_time(f"2026-03-{when}", "Asia/Shanghai") for when in ("06 15:00", "07 02:30", "09 15:00")]
    days, places = day_places(np.array(at, np.int64), "Asia/Shanghai")
    assert (days, places.tolist()) == ([date(2026, 3, 6), date(2026, 3, 9)], [1, 2])
    at = [parse_time(f"2026-03-{when}", "Asia/Shanghai") for when in ("07 02:30", "07 12:00")]
    assert day_places(np.array(at, np.int64), "Asia/Shanghai")[0] == [date(2026, 3, 7)]


def test_years_compound_their_months_and_turnover_is_by_month() -> None:
    """+10 % and -20 % are -12 %; 2000 traded on a mean of 900 in the second month."""
    script = JournalScript(cash="1000", start="2026-01-05 09:30")
    script.equity("2026-01-30 15:00", "1100")
    script.trade("2026-02-02 10:00", Side.BUY, 100, "10")
    script.trade("2026-02-02 11:00", Side.SELL, 100, "10")
    script.equity("2026-02-02 15:00", "920")
    script.equity("2026-02-27 15:00", "880")
    report = build_report(script.end("2026-02-27 15:00"))
    assert [(y.year, y.return_) for y in report.yearly] == [(2026, pytest.approx(-0.12))]
    assert [(m.month, m.turnover) for m in report.turnover] == [(1, 0.0), (2, pytest.approx(2000 / 900))]


def test_denials_are_counted_by_day() -> None:
    """Each code with its days, its first and its last."""
    script = JournalScript()
    for when, code in (("02 10:00", "CASH"), ("02 11:00", "CASH"), ("02 12:00", "RATE"), ("04 10:00", "CASH")):
        script.deny(f"2026-03-{when}", code, "no")
    cash, rate = build_report(script.end("2026-03-04 15:00")).denials
    assert (cash.code, cash.count, cash.days) == ("CASH", 3, (("2026-03-02", 2), ("2026-03-04", 1)))
    assert cash.last_ns - cash.first_ns == 2 * DAY_NS
    assert (rate.days, rate.first_ns) == ((("2026-03-02", 1),), rate.last_ns)


def test_price_limits_are_the_rule_books(tmp_path: Path) -> None:
    """10 % of the close before, counted from the ex-dividend price where there is one; none on the first day."""
    rows = [f"2026-03-0{day} 15:00:00,{p},{p},{p},{p},100" for day, p in ((2, 10.0), (3, 10.5), (4, 10.03))]
    path = a_csv(tmp_path / "bars.csv", rows, HEADER)
    (tmp_path / "bars.actions.csv").write_text("ex_date,cash\n2026-03-04,0.5\n")
    reading = Reading(JournalScript().end("2026-03-04 15:00"), {STOCK: Instrument(id=STOCK, market="china_a")})
    (bands,) = with_bars(report_of(reading), reading, [open_bars(path, STOCK, interval="1d")]).bands.values()
    assert [(band.low, band.high) for band in bands] == [(9.0, 11.0), (9.0, 11.0)]
    assert bands[0].ts_ns == parse_time("2026-03-03 00:00:00", "Asia/Shanghai") + 1


def test_a_run_says_what_else_decided_and_an_old_journal_is_read_all_the_same() -> None:
    """Multipliers and rule books come from the journal itself; one without them has none."""
    spec = Instrument(id=STOCK, market="china_a", multiplier=300)
    script = JournalScript(cash="1000000")
    script.add(
        RunStarted(
            ts_ns=FIRST_NS,
            mode="backtest",
            accounts=({"account": str(ACCOUNT), "currency": "CNY", "cash": "1000000"},),
            settings={
                "instruments": [{"id": str(STOCK), "market": "china_a", "multiplier": 300}],
                "markets": {"china_a": {"commission": "0.0001"}, "of tomorrow": {}},
            },
        )
    )
    script.trade("2026-03-02 10:00", Side.BUY, 2, "4000")
    script.trade("2026-03-02 11:00", Side.SELL, 2, "4001")
    report = build_report(script.end("2026-03-02 15:00"))
    assert report.round_trips[0].pnl == 600
    assert instruments_of_run(report.settings) == {STOCK: spec}
    assert {name: book.name for name, book in books_of_run(report.settings).items()} == {"china_a": "china_a"}
    assert instruments_of_run({}) == {}
    other = Instrument(id=InstrumentId(STOCK), multiplier=10)
    assert build_report(script.records, instruments={STOCK: other}).round_trips[0].pnl == 20


def test_a_definition_that_can_not_be_read_is_an_incident() -> None:
    """The rest of the report is there."""
    script = JournalScript()
    script.add(RunStarted(ts_ns=FIRST_NS, mode="backtest", settings={"instruments": [{"id": 5}]}))
    (incident,) = build_report(script.end("2026-03-02 15:00")).incidents
    assert incident.kind == "data"


def test_the_json_has_every_field_of_the_report() -> None:
    """No field of ``Report`` is left out of the two dictionaries, by its name or by another one's."""
    script = JournalScript(cash="10000")
    script.trade("2026-03-02 10:00", Side.BUY, 100, "10", fee="1")
    script.trade("2026-03-02 11:00", Side.SELL, 100, "10.5", fee="1")
    script.equity("2026-03-02 15:00", "10048")
    report = build_report(script.end("2026-03-02 15:00"))
    said = {**figures_of(report), **lists_of(report)}
    elsewhere = {
        "started_ns": "from", "ended_ns": "to", "equity_ns": "curves", "equity": "curves", "drawdown": "curves",
        "day_ns": "curves", "day_equity": "curves", "falls": "drawdowns", "bands": "price_limits",
    }  # fmt: skip
    for field in Report.__struct_fields__:
        assert elsewhere.get(field, field) in said
    assert set(said["statistics"]) == set(type(report.statistics).__struct_fields__)
    assert said["round_trips"][0]["pnl"] == "48.0"
    assert said["curves"]["equity"]["equity"] == report.equity


def test_building_a_report_leaves_the_collector_as_it_found_it() -> None:
    """Paused while hundreds of thousands of objects are made that live on; running again afterwards, error or not."""
    for wanted in (True, False):
        (gc.enable if wanted else gc.disable)()
        try:
            with pytest.raises(DataError):
                report_of(Reading([]))
            assert gc.isenabled() is wanted
        finally:
            gc.enable()
