"""The report beside a benchmark: by hand, against numpy and pandas, and from files of prices."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.control.benchmark_option import read_benchmark
from engine.data import open_bars
from engine.data.prices import read_prices
from engine.domain.errors import ConfigError, DataError
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.runtime.report import Report, report_of, with_bars
from engine.runtime.report_reading import Reading
from tests.data_builders import HEADER, STOCK, JournalScript, a_csv

TZ = "Asia/Shanghai"


def weekdays(count: int, first: date = date(2026, 3, 2)) -> list[date]:
    every = (first + timedelta(days=place) for place in range(count * 2))
    return [day for day in every if day.weekday() < 5][:count]


def walks(count: int, seed: int = 4) -> tuple[list[float], list[float]]:
    """Equity and prices that move together in part."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0004, 0.012, count)
    own = 0.6 * market + rng.normal(0.0002, 0.006, count)
    return (10_000 * np.cumprod(1 + own)).round(2).tolist(), (50 * np.cumprod(1 + market)).round(3).tolist()


def a_run(equity: list[float], cash: str = "10000") -> JournalScript:
    """Equity at each day's close."""
    script = JournalScript(cash=cash)
    for day, value in zip(weekdays(len(equity)), equity, strict=True):
        script.equity(f"{day} 15:00", str(value))
    return script


def daily_bars(path: Path, prices: list[float], first_open: float | None = None) -> Path:
    rows = [f"{day} 15:00:00,{p},{p},{p},{p},1" for day, p in zip(weekdays(len(prices)), prices, strict=True)]
    if first_open is not None:
        head, _, rest = rows[0].partition(",")
        close = rest.split(",")[3]
        rows[0] = f"{head},{first_open},{max(first_open, float(close))},{min(first_open, float(close))},{close},1"
    return a_csv(path, rows, HEADER)


def beside(script: JournalScript, days: int, **more: object) -> Report:
    reading = Reading(script.end(f"{weekdays(days)[-1]} 15:00"))
    return with_bars(report_of(reading), reading, more.pop("sources", []), **more)  # type: ignore[arg-type]


def test_figures_are_those_of_numpy_and_pandas(tmp_path: Path) -> None:
    """Beta, alpha, correlation, tracking error, information ratio and Sharpe of 300 days, worked out another way."""
    equity, prices = walks(300)
    source = open_bars(daily_bars(tmp_path / "bars.csv", prices, first_open=49.0), STOCK)
    report = beside(a_run(equity), 300, sources=[source])
    b = report.benchmark
    assert b is not None
    own = pd.Series([10_000, *equity]).pct_change().dropna()
    market = pd.Series([49.0, *prices]).pct_change().dropna()
    covariance = np.cov(own, market)
    assert b.beta == pytest.approx(covariance[0, 1] / covariance[1, 1])
    assert b.alpha == pytest.approx((own.mean() - covariance[0, 1] / covariance[1, 1] * market.mean()) * 252)
    assert b.correlation == pytest.approx(own.corr(market))
    assert b.tracking_error == pytest.approx((own - market).std() * np.sqrt(252))
    assert b.information_ratio == pytest.approx((own - market).mean() / (own - market).std() * np.sqrt(252))
    assert b.sharpe == pytest.approx(market.mean() / market.std() * np.sqrt(252))
    assert b.total_return == pytest.approx(prices[-1] / 49.0 - 1)
    assert b.excess_return == pytest.approx(equity[-1] / 10_000 - prices[-1] / 49.0)
    levels = pd.Series([49.0, *prices])
    assert b.max_drawdown == pytest.approx(-(levels / levels.cummax() - 1).min())
    assert b.up_days == pytest.approx((own.to_numpy() > market.to_numpy()).mean())
    assert (b.kind, b.name) == ("hold", str(STOCK))
    assert b.values[0] == 10_000
    rolling = report.rolling
    assert rolling is not None
    assert rolling.window == 126
    root = np.sqrt(252)
    for figures, returns in ((rolling.sharpe, own), (rolling.benchmark_sharpe, market)):
        windows = returns.rolling(126)
        assert figures == pytest.approx((windows.mean() / windows.std() * root).dropna().tolist())
    assert rolling.volatility == pytest.approx((own.rolling(126).std() * root).dropna().tolist())


def test_a_run_that_is_its_benchmark_has_beta_one_and_no_alpha(tmp_path: Path) -> None:
    """And no information ratio, as nothing is between them."""
    _, prices = walks(40)
    equity = [round(price / 50 * 10_000, 6) for price in prices]
    source = open_bars(daily_bars(tmp_path / "bars.csv", prices, first_open=50.0), STOCK)
    b = beside(a_run(equity), 40, sources=[source]).benchmark
    assert b is not None
    assert (b.beta, b.correlation) == (pytest.approx(1.0), pytest.approx(1.0))
    assert (b.alpha, b.excess_return) == (pytest.approx(0.0, abs=1e-9), pytest.approx(0.0, abs=1e-9))
    assert b.tracking_error == pytest.approx(0.0, abs=1e-6)


def test_what_never_moves_has_no_beta_and_too_few_days_have_nothing(tmp_path: Path) -> None:
    """None, not infinite."""
    flat = open_bars(daily_bars(tmp_path / "flat.csv", [10.0] * 5, first_open=10.0), STOCK)
    b = beside(a_run([10_100.0, 10_000.0, 10_050.0, 10_020.0, 10_080.0]), 5, sources=[flat]).benchmark
    assert b is not None
    assert (b.beta, b.alpha, b.correlation, b.sharpe) == (None, None, None, None)
    assert b.information_ratio is not None
    short = beside(a_run([10_100.0, 10_000.0]), 2, sources=[flat]).benchmark
    assert short is not None
    assert (short.beta, short.tracking_error, short.information_ratio, short.up_days) == (None, None, None, None)


def test_several_instruments_are_held_in_equal_parts_and_one_may_start_later(tmp_path: Path) -> None:
    """10000 in halves: one doubles; the other, from the second day on, falls by a fifth: 10000 + 4000."""
    first = open_bars(daily_bars(tmp_path / "a.csv", [15.0, 20.0, 20.0], first_open=10.0), STOCK)
    days = weekdays(3)
    late = a_csv(tmp_path / "b.csv", [f"{days[1]} 15:00:00,5,5,5,5,1", f"{days[2]} 15:00:00,5,5,4,4,1"], HEADER)
    other = open_bars(late, "600001.SH", interval="1d")
    report = beside(a_run([10_000.0] * 3), 3, sources=[first, other])
    assert report.benchmark is not None
    assert report.benchmark.values == pytest.approx((10_000, 12_500, 15_000, 14_000))
    one = beside(a_run([10_000.0] * 3), 3, sources=[first, other], benchmark=InstrumentId("600001.SH")).benchmark
    assert one is not None
    assert (one.kind, one.values) == ("instrument", pytest.approx((10_000, 10_000, 10_000, 8_000)))


def test_dividends_and_splits_of_what_is_held_are_in(tmp_path: Path) -> None:
    """A split in two halves the price and changes nothing of what the holding is worth."""
    path = daily_bars(tmp_path / "bars.csv", [10.0, 5.0, 5.5], first_open=10.0)
    days = weekdays(3)
    (tmp_path / "bars.actions.csv").write_text(f"ex_date,split\n{days[1]},2\n")
    source = open_bars(path, STOCK)
    script = a_run([10_000.0] * 3)
    reading = Reading(script.end(f"{days[2]} 15:00"), {STOCK: Instrument(id=STOCK, market="china_a")})
    b = with_bars(report_of(reading), reading, [source]).benchmark
    assert b is not None
    assert b.values == pytest.approx((10_000, 10_000, 10_000, 11_000))


@pytest.mark.parametrize(
    ("stamp", "header"),
    [
        ("{day} 15:00:00", "dt,close"),
        ("{day}", "日期,收盘"),
        ("{day} 00:00:00", "time,close"),
        ("{day:%Y%m%d}", "date,close"),
    ],
)
def test_a_file_of_daily_prices_counts_by_its_days(tmp_path: Path, stamp: str, header: str) -> None:
    """Whatever hour it writes: a day's close is the benchmark's at that day's last sample, the day before's is the
    base."""
    days = weekdays(4)
    path = tmp_path / "index.csv"
    rows = [f"{stamp.format(day=day)},{price}" for day, price in zip(days, (100, 110, 121, 133.1), strict=True)]
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    script = JournalScript(cash="10000", start=f"{days[1]} 09:30")
    for day in days[1:]:
        script.equity(f"{day} 11:00", "10000")
        script.equity(f"{day} 15:00", "10000")
    reading = Reading(script.end(f"{days[3]} 15:00"))
    b = with_bars(report_of(reading), reading, [], benchmark=read_prices(path, "index", TZ)).benchmark
    assert b is not None
    assert b.values == pytest.approx((10_000, 10_000, 11_000, 11_000, 12_100, 12_100, 13_310))
    assert (b.kind, b.name) == ("file", "index")


def test_a_file_of_minutes_counts_from_its_instants(tmp_path: Path) -> None:
    """The last price that had been known; before the first one, the first."""
    path = tmp_path / "minutes.csv"
    path.write_text("dt,close\n2026-03-02 10:00:00,50\n2026-03-02 10:01:00,55\n")
    script = JournalScript(cash="100")
    for when in ("09:45", "10:00", "10:00:59", "10:01", "15:00"):
        script.equity(f"2026-03-02 {when}", "100")
    reading = Reading(script.end("2026-03-02 15:00"))
    b = with_bars(report_of(reading), reading, [], benchmark=read_prices(path, "x", TZ)).benchmark
    assert b is not None
    assert b.values == pytest.approx((100, 100, 100, 100, 110, 110))


def test_bad_prices_are_named_by_line(tmp_path: Path) -> None:
    """Not above zero, out of order, or after the run's end."""
    path = tmp_path / "index.csv"
    path.write_text("date,close\n2026-03-02,10\n2026-03-03,0\n")
    with pytest.raises(DataError, match=r"line 3: the close is not above 0"):
        read_prices(path, "index", TZ)
    path.write_text("date,close\n2026-03-03,10\n2026-03-02,11\n")
    with pytest.raises(DataError, match=r"line 3: the time is not after the one before"):
        read_prices(path, "index", TZ)
    path.write_text("date,close\n2027-03-03,10\n2027-03-04,11\n")
    reading = Reading(a_run([10_000.0, 10_000.0]).end("2026-03-03 15:00"))
    with pytest.raises(DataError, match="no price by the end of the run"):
        with_bars(report_of(reading), reading, [], benchmark=read_prices(path, "index", TZ))


def test_the_option_takes_an_instrument_or_a_file(tmp_path: Path) -> None:
    """And says what there is where it is neither."""
    path = daily_bars(tmp_path / "CSI.csv", [10.0, 11.0])
    assert read_benchmark(None, [STOCK], TZ) is None
    assert read_benchmark(str(STOCK), [STOCK], TZ) == STOCK
    plain, named = read_benchmark(str(path), [STOCK], TZ), read_benchmark(f"沪深300={path}", [STOCK], TZ)
    assert plain is not None
    assert named is not None
    assert (plain.name, named.name) == ("CSI", "沪深300")  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match=r"no instrument of the run \(600000.SH\) and no file"):
        read_benchmark("nothing", [STOCK], TZ)
    reading = Reading(a_run([10_000.0, 10_000.0]).end("2026-03-03 15:00"))
    with pytest.raises(DataError, match="no bars of it"):
        with_bars(report_of(reading), reading, [], benchmark=STOCK)
