"""The ``data`` commands: lists, checks, files in and out, and a backtest over what they keep."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from engine.control.journal_reading import read_journal
from engine.data.adjustments import adjusted, read_adjustments
from engine.data.catalog import Catalog, columns_of
from engine.data.fundamentals import filing_of, read_fundamentals, write_filings
from engine.data.sources import open_bars
from engine.domain.errors import DataError
from engine.domain.events import OrderSubmitted, RunStarted
from engine.domain.timestamps import DAY_NS, MINUTE_NS
from engine.gateways.amazingdata.statements import StatementRow
from tests.catalog_builders import BANK, a_bar, at, held, minutes_of
from tests.cli_builders import Shell

DAYS = (date(2024, 1, 2), date(2024, 1, 3))


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Two whole days of minutes whose closes wander, and their two daily bars."""
    folder = tmp_path / "catalog"
    ends = [end for day in DAYS for end in minutes_of(day)]
    with Catalog(folder, writing=True) as held_:
        held_.merge(columns_of(BANK, MINUTE_NS, [a_bar(e, 10 + (n // 15 % 4) / 10) for n, e in enumerate(ends)]))
        days = [a_bar(f"2024-01-0{n} 00:00", interval_ns=DAY_NS) for n in (3, 4)]
        held_.merge(columns_of(BANK, DAY_NS, days))
    return folder


def test_list_says_what_is_there(shell: Shell, catalog: Path) -> None:
    """Each series with its bars, days and ends, in local time."""
    said = shell("data", "list", "--catalog", catalog, "--json")
    assert said.code == 0
    daily, minute = said.json["series"]  # type: ignore[misc]
    assert (minute["instrument"], minute["interval"], minute["bars"], minute["days"]) == (BANK, "1m", 480, 2)
    assert (minute["first"], minute["last"]) == ("2024-01-02 09:31:00+08:00", "2024-01-03 15:00:00+08:00")
    assert (daily["interval"], daily["bars"]) == ("1d", 2)
    assert "600000.SH" in shell("data", "list", "--catalog", catalog).out


def test_check_is_no_if_anything_is_wrong(shell: Shell, catalog: Path) -> None:
    """0 for a sound catalog; 1 once a bar stands at noon, with its time."""
    assert shell("data", "check", "--catalog", catalog).code == 0
    with Catalog(catalog, writing=True) as writing:
        writing.merge(columns_of(BANK, MINUTE_NS, [a_bar("2024-01-03 12:00")]))
    said = shell("data", "check", "--catalog", catalog, "--interval", "1m", "--json")
    assert said.code == 1
    (series,) = said.json["series"]  # type: ignore[misc]
    assert (series["outside"], series["examples"]) == (1, {"outside": ["2024-01-03 12:00:00+08:00"]})
    assert said.json["sound"] is False
    later = shell("data", "check", "--catalog", catalog, "--to", "20240105", "--from", "20240102", "--json")
    assert [row["empty_days"] for row in later.json["series"]] == [2, 2]  # type: ignore[union-attr]


def test_files_go_in_with_their_zone_and_label(shell: Shell, tmp_path: Path) -> None:
    """Start labels in New York become ends in UTC; a second import changes nothing."""
    file = tmp_path / "bars.csv"
    file.write_text("time,open,high,low,close,volume\n2024-01-02 09:30:00,1,2,1,2,5\n2024-01-02 09:31:00,2,3,2,3,6\n")
    args = (
        "data",
        "import",
        file,
        "--instrument",
        "AAPL.US",
        "--label",
        "start",
        "--catalog",
        tmp_path / "c",
        "--json",
    )
    first, again = shell(*args), shell(*args)
    assert (first.code, first.json["new"], again.json["new"], again.json["changed"]) == (0, 2, 0, 0)
    ends = list(held(tmp_path / "c", "AAPL.US"))
    assert ends == [at(f"2024-01-02 09:3{n}", "America/New_York") for n in (1, 2)]
    other = shell("data", "import", file, "--instrument", "X.YY", "--catalog", tmp_path / "c")
    assert (other.code, "--tz" in other.err) == (2, True)


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
@pytest.mark.parametrize(("interval", "label"), [("1m", "end"), ("1m", "start"), ("1d", "end")])
def test_what_is_exported_reads_back_to_the_same_bars(
    shell: Shell, catalog: Path, tmp_path: Path, name: str, interval: str, label: str
) -> None:
    """Either form, either label, minutes and days."""
    out = tmp_path / name
    args = ("data", "export", out, "--instrument", BANK, "--interval", interval, "--catalog", catalog, "--label", label)
    said = shell(*args, "--from", "20240102", "--to", "20240103", "--json")
    assert (said.code, said.json["bars"]) == (0, 480 if interval == "1m" else 2), said.err
    source = open_bars(out, BANK, label=label, interval=interval)
    back = {int(ts): close for part in source.batches() for ts, close in zip(part.ts_ns, part.close, strict=True)}
    assert back == held(catalog, interval_ns=MINUTE_NS if interval == "1m" else DAY_NS)
    assert shell(*args).code == 2


def test_a_backtest_runs_over_the_catalog(shell: Shell, catalog: Path) -> None:
    """By instrument, interval and days; the report's page finds the bars again."""
    args = (
        "backtest", "--strategy", "strategies.sma_cross:SmaCross", "--catalog", catalog, "--instrument", BANK,
        "--interval", "1m", "--set", "fast=2", "--set", "slow=5", "--market", "free", "--json",
    )  # fmt: skip
    whole = shell(*args, "--report", catalog.parent / "report.html")
    assert whole.code == 0, whole.err
    assert whole.json["bars"] == 480
    assert whole.json["fills"] != 0
    page = (catalog.parent / "report.html").read_text(encoding="utf-8")
    data = json.loads(page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0])
    assert [chart["instrument"] for chart in data["charts"]] == [BANK]
    one = shell(*args, "--no-report", "--from", "20240103", "--to", "20240103")
    assert one.json["bars"] == 240
    for extra, said in (
        (("--from", "20240201"), "data fetch"),
        (("--from", "yesterday"), "--from"),
        (("--data", "x.csv"), "--catalog takes"),
        (("--adjust", "sideways"), "adjust"),
        (("--adjust", "backward"), "adjustment factors"),
    ):
        wrong = shell(*args, "--no-report", *extra)
        assert (wrong.code, said in wrong.err) == (2, True), wrong.err
    alone = shell("backtest", "--strategy", "strategies.sma_cross:SmaCross", "--from", "20240101")
    assert (alone.code, "--catalog" in alone.err) == (2, True)


def a_factor_file(catalog: Path, *lines: str, header: str = "ex_date,price_factor,share_factor") -> Path:
    path = catalog / BANK / "adjustments.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def test_factors_adjust_backward_without_looking_ahead(tmp_path: Path) -> None:
    """A split in two on the 3rd: bars from then on are doubled, earlier ones stay; the bar to midnight is earlier."""
    factors = read_adjustments(a_factor_file(tmp_path, "2024-01-03,0.5,2"), BANK, "Asia/Shanghai")
    bars = columns_of(
        BANK, MINUTE_NS, [a_bar("2024-01-02 15:00"), a_bar("2024-01-03 00:00"), a_bar("2024-01-03 09:31")]
    )
    last = at("2024-01-03 15:00")
    backward = adjusted(bars, factors, "backward", last)
    assert (backward.close.tolist(), backward.volume.tolist()) == ([10, 10, 20], [100, 100, 50])
    forward = adjusted(bars, factors, "forward", last)
    assert (forward.close.tolist(), forward.volume.tolist()) == ([5, 5, 10], [200, 200, 100])
    before = adjusted(bars, factors, "forward", at("2024-01-02 15:00"))
    assert before.close.tolist() == [10, 10, 10]
    two = read_adjustments(a_factor_file(tmp_path, "2024-02-01,0.8", "2024-01-03,0.5,2"), BANK, "Asia/Shanghai")
    early = adjusted(bars, two, "backward", at("2024-03-01"))
    assert np.allclose(early.close, [10, 10, 20])


def test_adjusted_bars_come_out_of_the_catalog(shell: Shell, catalog: Path, tmp_path: Path) -> None:
    """By ``--adjust``, and the factors are part of the data's hash."""
    path = catalog / BANK / "1m" / "2024-01-03..@backward"
    a_factor_file(catalog, "2024-01-03,0.5")
    first = open_bars(path, BANK)
    raw = held(catalog)
    found = {int(t): c for part in first.batches() for t, c in zip(part.ts_ns, part.close, strict=True)}
    assert found == {end: raw[end] * 2 for end in minutes_of(DAYS[1])}
    hashed = first.sha256()
    a_factor_file(catalog, "2024-01-03,0.25")
    assert open_bars(path, BANK).sha256() != hashed
    out = tmp_path / "out.csv"
    args = ("data", "export", out, "--instrument", BANK, "--interval", "1d", "--catalog", catalog)
    assert shell(*args, "--adjust", "backward").code == 0
    assert [float(line.split(",")[4]) for line in out.read_text().splitlines()[1:]] == [10.0, 40.0]


@pytest.mark.parametrize(
    ("lines", "header", "said"),
    [
        (["2024-01-03,0"], "ex_date,price_factor", "line 2: a factor is not above 0"),
        (["2024-01-03,x"], "ex_date,price_factor", "line 2"),
        (["2024-01-33,1"], "ex_date,price_factor", "line 2"),
        (["2024-01-03,1", "2024-01-03,1"], "ex_date,price_factor", "line 3: 2024-01-03 is there twice"),
        (["2024-01-03,1"], "date,price_factor", "no column ex_date"),
    ],
)
def test_a_wrong_file_of_factors_is_one_sentence(tmp_path: Path, lines: list[str], header: str, said: str) -> None:
    """With the line."""
    path = a_factor_file(tmp_path, *lines, header=header)
    with pytest.raises(DataError, match=said):
        read_adjustments(path, BANK, "Asia/Shanghai")


def test_mistakes_are_one_sentence_and_exit_code_two(shell: Shell, catalog: Path, tmp_path: Path) -> None:
    """Nothing is asked of a server for them."""
    span = ("--from", "20240101", "--to", "20240102")
    for args, said in (
        (("fetch", "--codes", "600000", *span), "--codes"),
        (("fetch", *span), "say what to fetch"),
        (("fetch", "--codes", BANK, "--from", "20240105", "--to", "20240101"), "swap"),
        (("fetch", "--codes", BANK, "--period", "min7", *span), "interval"),
        (("fetch", "--codes", BANK, "--source", "virtual_market", *span), "no history by dates"),
        (("fetch", "--codes", BANK, "--source", "nobody", *span), "no gateway"),
        (("list", "--catalog", tmp_path / "none"), "no such folder"),
        (("check", "--catalog", catalog, "--instrument", "1.SZ"), "has no 1.SZ"),
        (("export", tmp_path / "x.csv", "--instrument", "1.SZ", "--interval", "1m", "--catalog", catalog), "data list"),
        (("detect", "--type", "bond", *span), "--type"),
        (("fill", "--source", "stream", *span), "no cache"),
        (("sdk", "create", "--name", "a", "--username", "b", "--host", "c"), "SLUICE_AD_SDK_PASSWORD"),
    ):
        wrong = shell("data", *args, "--json")
        assert (wrong.code, said in str(wrong.json["error"])) == (2, True), (args, wrong)


def test_a_strategy_sees_statements_as_they_were_known(shell: Shell, catalog: Path, tmp_path: Path) -> None:
    """Bar by bar, the figure appears with the midnight after its announcement; the run's data names their hash."""
    strategy = tmp_path / "reader.py"
    strategy.write_text(
        "from engine import Strategy\n\n\nclass Reader(Strategy):\n    def on_bar(self, bar):\n"
        "        eps = self.ctx.statements().figure(bar.instrument, 'income', 'BASIC_EPS')\n"
        "        if eps is not None and not self.working_orders() and not self.position(bar.instrument):\n"
        "            self.buy(bar.instrument, 100)\n"
    )
    row = StatementRow(BANK, "income", date(2023, 9, 30), date(2024, 1, 2), {"BASIC_EPS": 0.5})
    args = (
        "backtest", "--strategy", f"{strategy}:Reader", "--catalog", catalog, "--instrument", BANK, "--interval", "1m",
        "--market", "free", "--no-report", "--json",
    )  # fmt: skip
    without = shell(*args)
    assert "no financial statements" in str(without.json["stopped"])
    write_filings(catalog, [filing_of(row)])
    journal = tmp_path / "run.sqlite3"
    said = shell(*args, "--journal", journal)
    assert (said.code, said.json["fills"]) == (0, 1), said.err
    records = [record for _, record in read_journal(journal)]
    (started,) = [record for record in records if isinstance(record, RunStarted)]
    assert started.data[-1] == {"path": "statements", "sha256": read_fundamentals(catalog).sha256()}
    (sent,) = [record for record in records if isinstance(record, OrderSubmitted)]
    assert sent.ts_ns == at("2024-01-03 09:31")
