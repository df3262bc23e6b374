"""``lookahead``: what knows the future is found and named; what does not is let be."""

import gzip
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.control.backtest_plan import Asked, plan_backtest
from engine.control.cli_lookahead import json_of
from engine.control.lookahead_runs import Runs, Worker
from engine.data.sources import FileBars, open_bars
from engine.domain.errors import ConfigError
from engine.domain.timestamps import MINUTE_NS
from engine.runtime.lookahead import AGAIN, DAY_END, NEXT, WHOLE, Verdict, choose_instants, look_ahead
from engine.runtime.lookahead_data import CHANGED, CUT, Future, write_future
from tests.cli_builders import HEADER, ROOT, Shell, a_bar_file

PLANTED = ROOT / "tests" / "lookahead"
SAMPLES = (
    "sma_cross:SmaCross", "swing:Swing", "dips:Dips", "quotes:Quotes", "careless:Careless", "daily_ipo:DailyIpo",
)  # fmt: skip
BARS_A_DAY, DAYS = 24, 6


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(dict(os.environ)) as one:
        yield one


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def some_days() -> list[str]:
    """Six days of ten-minute bars, a walk from a seed."""
    chance = np.random.default_rng(11)
    rows, price = [], 20.0
    for day in range(DAYS):
        for bar in range(BARS_A_DAY):
            close = round(price * float(np.exp(chance.normal(0, 0.006))), 2)
            high, low = max(price, close) + 0.02, min(price, close) - 0.02
            at = f"2026-03-{2 + day:02d} {10 + bar // 6:02d}:{bar % 6 * 10:02d}:00"
            rows.append(f"{at},{price},{high:.2f},{low:.2f},{close},{1000 + bar}")
            price = close
    return rows


def looked(
    worker: Worker, name: str, data: Path, *parameters: str, instants: int = 3, market: str | None = "free"
) -> Verdict:
    asked = Asked(strategies=[name], data=[str(data)], instruments=["600000.SH"], parameters=parameters, market=market)
    runs = Runs(asked, None, plan_backtest(asked), worker)
    times, steps, from_ns = runs.times_and_steps()
    return look_ahead(runs, times, steps, tz=runs.tz, instants=instants, from_ns=from_ns)


def a_copy(folder: Path, name: str) -> Path:
    return Path(shutil.copy2(PLANTED / name, folder / name))


def test_reading_the_file_by_a_parameter_is_found_with_the_line_that_opens_it(tmp_path: Path, worker: Worker) -> None:
    """The parameter leads to the changed file; who opened it is named; it sees ten bars ahead."""
    data = a_bar_file(tmp_path, some_days())
    verdict = looked(worker, f"{PLANTED / 'reads_ahead.py'}:ReadsAhead", data, f"file={data}")
    assert verdict.findings
    assert {finding.how for finding in verdict.findings} <= {CUT, CHANGED}
    assert all(0 <= finding.ahead_bars < 10 for finding in verdict.findings)
    assert verdict.opened == ("bars.csv (reads_ahead.py, line 13)",)
    assert "reads_ahead.py, line 13" in verdict.hints[0]
    told = json_of("reads_ahead", verdict)
    assert told["clean"] is False
    assert told["findings"][0]["full"] != told["findings"][0]["other"]


def test_the_next_close_out_of_a_cache_of_the_module_is_found(
    tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path leads to the changed file; the module, and so its cache, is new in each run."""
    data = a_bar_file(tmp_path, some_days())
    monkeypatch.chdir(tmp_path)
    verdict = looked(worker, f"{a_copy(tmp_path, 'next_close.py')}:NextClose", Path(data.name))
    assert verdict.findings
    assert all(finding.ahead_bars == 0 for finding in verdict.findings)
    assert verdict.hints[1:] == (NEXT, DAY_END, WHOLE)


def test_figures_of_the_whole_sample_are_found(tmp_path: Path, worker: Worker) -> None:
    """An absolute path in the strategy's code leads to the changed file where Python opens it."""
    data = a_bar_file(tmp_path, some_days())
    verdict = looked(worker, f"{a_copy(tmp_path, 'whole_sample.py')}:WholeSample", data)
    assert {finding.how for finding in verdict.findings} == {CUT, CHANGED}
    assert max(finding.ahead_bars for finding in verdict.findings) > BARS_A_DAY
    assert verdict.hints[1] == WHOLE


def test_the_days_high_before_the_day_is_over_is_found(tmp_path: Path, worker: Worker) -> None:
    """Every changed decision is of the day of its instant: the likeliest kind is the end of the day."""
    data = a_bar_file(tmp_path, some_days())
    verdict = looked(worker, f"{PLANTED / 'day_high.py'}:DayHigh", data, f"file={data}")
    assert verdict.findings
    assert all(finding.same_day for finding in verdict.findings)


def test_a_model_trained_on_all_the_data_is_found(tmp_path: Path, worker: Worker) -> None:
    """Decisions of the first day change with prices of later ones."""
    data = a_bar_file(tmp_path, some_days())
    verdict = looked(worker, f"{PLANTED / 'trained.py'}:Trained", data, f"file={data}")
    assert verdict.findings
    assert verdict.hints[1] == WHOLE


@pytest.mark.parametrize("name", SAMPLES)
def test_no_sample_looks_ahead(name: str, tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every strategy of ``strategies/`` decides the same whatever follows; those of bars do decide something."""
    monkeypatch.chdir(ROOT)
    data = a_bar_file(tmp_path, some_days())
    verdict = looked(worker, f"strategies.{name}", data)
    assert verdict.clean
    assert verdict.compared or name.split(":", maxsplit=1)[0] not in ("sma_cross", "swing", "daily_ipo")


def test_every_sample_is_looked_at() -> None:
    """A new file in ``strategies/`` is missing here until it is listed."""
    files = {path.stem for path in (ROOT / "strategies").glob("*.py")} - {"__init__"}
    assert {name.split(":")[0] for name in SAMPLES} == files


def test_reading_the_file_no_further_than_the_bar_is_let_be(tmp_path: Path, worker: Worker) -> None:
    """Nor is what ``on_stop`` does at a cut a decision of that instant."""
    data = a_bar_file(tmp_path, some_days())
    verdict = looked(worker, f"{PLANTED / 'honest.py'}:Honest", data, f"file={data}")
    assert verdict.clean
    assert verdict.compared > 10
    assert verdict.opened


def test_chance_without_a_seed_is_no_look_ahead_and_is_said(tmp_path: Path, worker: Worker) -> None:
    """Two runs over the same data differ: the only finding is that, and no future is tried."""
    verdict = looked(worker, f"{PLANTED / 'restless.py'}:Restless", a_bar_file(tmp_path, some_days()))
    assert [finding.how for finding in verdict.findings] == [AGAIN]
    assert verdict.runs == 2


def test_the_command_names_the_instant_both_orders_and_the_kind(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of its own; exit code 1 with both sides."""
    data = a_bar_file(tmp_path, some_days())
    strategy = f"{a_copy(tmp_path, 'next_close.py')}:NextClose"
    monkeypatch.chdir(tmp_path)
    said = shell(
        "lookahead", strategy, "--data", data, "--instrument", "600000.SH", "--market", "free", "--instants", "1"
    )
    assert said.code == 1
    assert "LOOK-AHEAD" in said.out
    assert "true data" in said.out
    assert "shift(-1)" in said.out


def test_a_mistake_of_the_user_is_one_sentence(tmp_path: Path, shell: Shell) -> None:
    """No strategy, no data, too little data: exit code 2."""
    one = a_bar_file(tmp_path, some_days()[:1])
    assert shell("lookahead").code == 2
    assert shell("lookahead", "strategies.sma_cross:SmaCross").code == 2
    said = shell(
        "lookahead", "strategies.sma_cross:SmaCross", "--data", one, "--instrument", "600000.SH", "--market", "free",
        "--interval", "10m",
    )  # fmt: skip
    assert said.code == 2
    assert "instant" in said.err


@pytest.mark.parametrize("name", ["bars.csv", "bars.csv.gz", "bars.parquet"])
def test_up_to_the_instant_a_file_is_left_as_it_is(name: str, tmp_path: Path) -> None:
    """Cut: nothing after it. Changed: the same times, other prices, still bars; every kind of file the engine reads."""
    plain = a_bar_file(tmp_path, some_days(), name="plain.csv")
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(plain.read_bytes()))
    elif name.endswith(".parquet"):
        whole = next(iter(open_bars(plain, "600000.SH").batches()))
        fields = ("open", "high", "low", "close", "volume")
        columns = {field: getattr(whole, field) for field in fields}
        times = pa.array(whole.ts_ns, pa.timestamp("ns", "UTC"))
        pq.write_table(pa.table({"time": times, **columns}), path)
    else:
        path = plain
    source = open_bars(path, "600000.SH")
    assert isinstance(source, FileBars)
    true = np.concatenate([batch.close for batch in source.batches()])
    times = np.concatenate([batch.ts_ns for batch in source.batches()])
    for how in (CUT, CHANGED):
        target = tmp_path / "other" / f"{how}-{path.name}"
        write_future(source, target, Future(how=how, after_ns=int(times[59])))
        made = open_bars(target, "600000.SH", interval=source.interval_ns)
        closes = np.concatenate([batch.close for batch in made.batches()])
        assert closes[:60].tolist() == true[:60].tolist()
        assert len(closes) == (60 if how == CUT else len(true))
        if how == CHANGED:
            assert (closes[60:] != true[60:]).all()
        if how == CUT and path.suffix == ".csv":
            assert path.read_bytes().startswith(target.read_bytes())


def test_other_symbols_of_the_same_file_are_changed_too(tmp_path: Path) -> None:
    """A file of two symbols, one of them in the run: neither keeps its future."""
    lines = [f"{row},{name}" for row in some_days()[:40] for name in ("600000", "600001")]
    path = a_bar_file(tmp_path, lines, header=f"{HEADER},symbol")
    source = open_bars(path, "600000.SH")
    assert isinstance(source, FileBars)
    after_ns = int(next(iter(source.batches())).ts_ns[19])
    for how, rows in ((CUT, 20), (CHANGED, 40)):
        target = tmp_path / f"{how}.csv"
        write_future(source, target, Future(how=how, after_ns=after_ns))
        for name in ("600000.SH", "600001.SH"):
            before = np.concatenate([b.close for b in open_bars(path, name).batches()])
            after = np.concatenate([b.close for b in open_bars(target, name, interval=10 * MINUTE_NS).batches()])
            assert after[:20].tolist() == before[:20].tolist()
            assert len(after) == rows
            assert (after[20:] != before[20:rows]).all()


def test_instants_are_at_decisions_and_over_the_data() -> None:
    """Half of them at moments something was decided, the rest spread; each once, rising, and one more bar to come."""
    times = np.arange(100, dtype=np.int64)
    assert choose_instants(times, [], 4) == [19, 39, 59, 79]
    assert choose_instants(times[:1], [], 4) == [0]


def test_no_instant_is_a_mistake_and_not_a_clean_answer() -> None:
    """Data with one bar can not be looked at."""
    with pytest.raises(ConfigError, match="instant"):
        look_ahead(lambda _future: pytest.fail("it ran"), np.array([5], np.int64), {}, tz="UTC")
