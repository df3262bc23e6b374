"""Readers of bar and quote files: what goes in comes out, by whatever names, order, zone and format."""

import gzip
import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import open_bars, open_quotes
from engine.data.columns import BATCH_ROWS, Columns
from engine.data.headers import is_symbol_of
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, format_time, parse_time
from tests.data_builders import FIRST_NS, HEADER, STOCK, a_csv, a_parquet

SHARED = (Path(__file__).parents[3] / "shared/data").resolve()


def read(path: Path, instrument: str = STOCK, **how: object) -> Columns:
    """All of a file in one piece."""
    source = open_bars(path, instrument, **how)  # type: ignore[arg-type]
    parts = list(source.batches())
    fields = ("ts_ns", "open", "high", "low", "close", "volume")
    return Columns(
        source.instrument, source.interval_ns, *(np.concatenate([getattr(p, f) for p in parts]) for f in fields)
    )


@pytest.mark.parametrize("name", ["bars.csv", "bars.csv.gz"])
def test_a_csv_is_read_by_name_with_times_of_the_venue(tmp_path: Path, name: str) -> None:
    """Three rows, the interval told from them, naive times in the zone of the instrument's venue."""
    bars = read(a_csv(tmp_path / name))
    assert bars.interval_ns == MINUTE_NS
    assert bars.ts_ns.tolist() == [FIRST_NS, FIRST_NS + MINUTE_NS, FIRST_NS + 2 * MINUTE_NS]
    assert bars.open.tolist() == [10.0, 10.2, 10.4]
    assert bars.high.tolist() == [10.5, 10.6, 10.4]
    assert bars.low.tolist() == [9.5, 10.1, 10.0]
    assert bars.close.tolist() == [10.2, 10.4, 10.1]
    assert bars.volume.tolist() == [100.0, 200.0, 0.0]


def test_gzip_is_known_by_content_not_by_name(tmp_path: Path) -> None:
    """A gzip file called .csv reads as well."""
    path = tmp_path / "bars.csv"
    path.write_bytes(gzip.compress(a_csv(tmp_path / "plain.csv").read_bytes()))
    assert len(read(path).ts_ns) == 3


prices = st.floats(0.01, 1e6, allow_nan=False)


@st.composite
def bar_rows(draw: st.DrawFn) -> list[tuple[int, float, float, float, float, float]]:
    """Sound bars a minute or more apart; the first two exactly a minute."""
    count = draw(st.integers(2, 30))
    rows, ts_ns = [], FIRST_NS
    for place in range(count):
        four = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
        open_, close = draw(st.permutations(four[1:3]))
        rows.append((ts_ns, open_, four[3], four[0], close, draw(st.floats(0, 1e12))))
        ts_ns += MINUTE_NS * (1 if place == 0 else draw(st.integers(1, 500)))
    return rows


@settings(max_examples=40, deadline=None)
@given(rows=bar_rows(), order=st.permutations(range(6)), kind=st.sampled_from(["csv", "csv.gz", "parquet"]))
def test_what_is_written_is_read_whatever_the_order_of_columns(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, float, float, float, float, float]],
    order: list[int],
    kind: str,
) -> None:
    """Any sound bars, columns in any order, come back exactly from CSV, gzip and Parquet."""
    path = tmp_path_factory.mktemp("round") / f"bars.{kind}"
    names = HEADER.split(",")
    if kind == "parquet":
        columns = {names[i]: [row[i] for row in rows] for i in order}
        columns["dt"] = pa.array([row[0] for row in rows], pa.timestamp("ns", "UTC"))
        pq.write_table(pa.table(columns), path)
    else:
        texts = [[format_time(row[0], "Asia/Shanghai")[:19], *(repr(v) for v in row[1:])] for row in rows]
        a_csv(path, [",".join(text[i] for i in order) for text in texts], ",".join(names[i] for i in order))
    bars = read(path)
    found = list(
        zip(*(getattr(bars, f).tolist() for f in ("ts_ns", "open", "high", "low", "close", "volume")), strict=True)
    )
    assert found == rows
    assert bars.interval_ns == MINUTE_NS


@pytest.mark.parametrize(
    ("write", "zone"),
    [
        (lambda ns: format_time(ns, "Asia/Shanghai")[:19], None),
        (lambda ns: format_time(ns, "Asia/Shanghai")[:19].replace(" ", "T"), None),
        (lambda ns: format_time(ns, "Asia/Shanghai")[:19].replace("-", "/"), None),
        (lambda ns: format_time(ns, "Asia/Shanghai")[:16], None),
        (lambda ns: format_time(ns, "Asia/Shanghai"), None),
        (lambda ns: format_time(ns, "UTC"), None),
        (lambda ns: format_time(ns, "UTC")[:19] + "Z", None),
        (lambda ns: format_time(ns, "UTC")[:19], "UTC"),
        (lambda ns: format_time(ns, "Asia/Shanghai")[:19].translate({45: None, 58: None, 32: None}), None),
        (lambda ns: format_time(ns, "Asia/Shanghai")[:16].translate({45: None, 58: None, 32: None}), None),
        (lambda ns: str(ns // SECOND_NS), None),
        (lambda ns: str(ns // 1_000_000), None),
        (lambda ns: str(ns // 1_000), None),
        (str, None),
    ],
)
def test_times_are_read_in_every_usual_way(tmp_path: Path, write: object, zone: str | None) -> None:
    """ISO with and without a zone, slashes, calendar numbers, and counts since 1970 by their magnitude."""
    rows = [f"{write(FIRST_NS + i * MINUTE_NS)},1,1,1,1,1" for i in range(3)]  # type: ignore[operator]
    bars = read(a_csv(tmp_path / "bars.csv", rows), tz=zone)
    assert bars.ts_ns.tolist() == [FIRST_NS + i * MINUTE_NS for i in range(3)]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([FIRST_NS // 1000 + i * 60_000_000 for i in range(3)], pa.timestamp("us", "Asia/Shanghai")),
        pa.array([FIRST_NS // 10**6 + 8 * 3_600_000 + i * 60_000 for i in range(3)], pa.timestamp("ms")),
        pa.array([FIRST_NS // 10**9 + i * 60 for i in range(3)], pa.int64()),
        pa.array([f"2026-03-02 09:3{i}:00" for i in (1, 2, 3)]),
    ],
)
def test_parquet_times_of_any_type_are_read(tmp_path: Path, times: pa.Array) -> None:
    """Zoned and naive timestamps of other units, integers, text."""
    bars = read(a_parquet(tmp_path / "bars.parquet", dt=times))
    assert bars.ts_ns.tolist() == [FIRST_NS + i * MINUTE_NS for i in range(3)]


def test_bars_labelled_by_their_start_are_moved_to_their_end(tmp_path: Path) -> None:
    """label="start" shifts each time by one interval."""
    bars = read(a_csv(tmp_path / "bars.csv"), label="start")
    assert bars.ts_ns[0] == FIRST_NS + MINUTE_NS


@pytest.mark.parametrize("label", ["end", "start"])
def test_a_day_without_a_time_is_known_when_it_is_over(tmp_path: Path, label: str) -> None:
    """A day's bar never shows before that day has ended, so nobody trades on a close still to come."""
    days = [f"2026-03-0{d},1,1,1,1,1" for d in (2, 3, 4)]
    midnights = [f"2026-03-0{d} 00:00:00,1,1,1,1,1" for d in (2, 3, 4)]
    numbers = [f"2026030{d},1,1,1,1,1" for d in (2, 3, 4)]
    for rows in (days, midnights, numbers):
        bars = read(a_csv(tmp_path / "bars.csv", rows), label=label)
        assert bars.interval_ns == DAY_NS
        assert bars.ts_ns[0] == parse_time("2026-03-03 00:00", "Asia/Shanghai")


def test_summer_time_is_minded(tmp_path: Path) -> None:
    """New York's 09:31 is 14:31 UTC before 2026-03-08 and 13:31 after; a day of 23 hours is still a day."""
    rows = [f"2026-03-{d:02d} 09:31:00,1,1,1,1,1" for d in (6, 7, 8, 9)]
    bars = read(a_csv(tmp_path / "bars.csv", rows), "AAPL.US")
    assert bars.interval_ns == DAY_NS
    assert [format_time(int(ts))[11:16] for ts in bars.ts_ns] == ["14:31", "14:31", "13:31", "13:31"]


def test_rows_of_other_symbols_are_skipped(tmp_path: Path) -> None:
    """Two symbols in turn in one file: only the asked one's rows come, and its interval is told from them alone."""
    rows = []
    for i in range(1, 5):
        rows += [f"600000.XSHG,2026-03-02 09:3{i}:00,{i},{i},{i},{i},1", f"600001.XSHG,2026-03-02 09:3{i}:30,9,9,9,9,1"]
    for kind in ("csv", "parquet"):
        path = a_csv(tmp_path / "two.csv", rows, "symbol," + HEADER)
        if kind == "parquet":
            table = pa_csv.read_csv(path)
            path = tmp_path / "two.parquet"
            pq.write_table(table, path)
        bars = read(path)
        assert bars.close.tolist() == [1, 2, 3, 4]
        assert bars.interval_ns == MINUTE_NS


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("000001.XSHG", True),
        ("000001.SH", True),
        ("SH.000001", True),
        ("sh000001", True),
        ("000001", True),
        ("000001.XSHE", False),
        ("000001.SZ", False),
        ("sz000001", False),
        ("600000.SH", False),
    ],
)
def test_symbols_are_the_same_by_code_unless_their_venues_differ(text: str, same: bool) -> None:
    """An index in Shanghai and a bank in Shenzhen share their code; files name venues in many ways."""
    assert is_symbol_of(text, "000001.SH") is same


def test_columns_of_unusual_name_can_be_named(tmp_path: Path) -> None:
    """columns= goes before the usual names; names in Chinese are usual."""
    path = a_csv(tmp_path / "bars.csv", header="moment,开盘,最高价,最低,收盘,成交量")
    assert read(path, columns={"time": "moment"}).close.tolist() == [10.2, 10.4, 10.1]


def test_long_files_come_in_batches_and_twice_alike(tmp_path: Path) -> None:
    """More rows than a batch: several pieces, checked across their seams, and a second reading gives the same."""
    count = BATCH_ROWS * 2 + 10
    ones = np.ones(count)
    times = pa.array(FIRST_NS + np.arange(count) * MINUTE_NS, pa.timestamp("ns", "UTC"))
    path = a_parquet(
        tmp_path / "long.parquet", dt=times, **dict.fromkeys(("open", "high", "low", "close", "volume"), ones)
    )
    source = open_bars(path, STOCK)
    lengths = [len(b.ts_ns) for b in source.batches()]
    assert sum(lengths) == count
    assert len(lengths) == 3
    assert max(lengths) == BATCH_ROWS
    assert [len(b.ts_ns) for b in source.batches()] == lengths
    assert source.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_quotes_are_read(tmp_path: Path) -> None:
    """Bid and ask with uneven times; sizes are 0 where the file has none."""
    path = a_csv(
        tmp_path / "quotes.csv",
        ["2013-01-01 22:00:00.295000+00:00,86.655,86.728", "2013-01-01 22:02:35+00:00,86.657,86.728"],
        "timestamp,bid,ask",
    )
    (batch,) = open_quotes(path, "USDJPY.FX").batches()
    assert batch.ts_ns.tolist() == [
        parse_time("2013-01-01 22:00:00.295+00:00"),
        parse_time("2013-01-01 22:02:35+00:00"),
    ]
    assert batch.bid.tolist() == [86.655, 86.657]
    assert batch.ask_size.tolist() == [0.0, 0.0]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared market data is not here")
def test_the_real_index_file_is_read_whole() -> None:
    """239,550 one-minute bars, columns in an odd order, labels at the end, Shanghai time, another suffix."""
    source = open_bars(SHARED / "sse_composite_1m.csv.gz", "000001.SH")
    parts = list(source.batches())
    assert source.interval_ns == MINUTE_NS
    assert sum(len(p.ts_ns) for p in parts) == 239_550
    assert format_time(int(parts[0].ts_ns[0]), "Asia/Shanghai") == "2015-01-05 09:31:00+08:00"
    assert format_time(int(parts[-1].ts_ns[-1]), "Asia/Shanghai") == "2019-02-12 15:00:00+08:00"
    assert (parts[0].open[0], parts[0].close[0], parts[0].high[0]) == (3258.63, 3259.69, 3262.85)
    assert parts[0].low[0] == 3258.63
    assert len(next(iter(open_quotes(SHARED / "usdjpy_quotes.csv", "USDJPY.FX").batches())).ts_ns) == 1000
    assert open_bars(SHARED / "sse_composite_1d.csv", "000001.SH").interval_ns == 24 * HOUR_NS


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed: nobody can import it")
@pytest.mark.parametrize("name", ["bars.parquet", "bars.csv"])
def test_reading_a_file_does_not_wait_for_pandas(tmp_path: Path, name: str) -> None:
    """Which takes longer to import than a year of minutes to replay; pyarrow asks it in passing where it is there."""
    table = pa.table({
        "symbol": ["A.X", "B.X", "A.X"], "ts": [1_700_000_000, 1_700_000_000, 1_700_000_060],
        "open": [1.0, 2.0, 1.1], "high": [1.2, 2.0, 1.2], "low": [0.9, 2.0, 1.0], "close": [1.1, 2.0, 1.1],
        "volume": [100, 200, 300],
    })  # fmt: skip
    path = tmp_path / name
    (pq.write_table if name.endswith("parquet") else pa_csv.write_csv)(table, path)
    code = (
        "import sys; from engine.data.sources import open_bars\n"
        f"source = open_bars({str(path)!r}, 'A.X', tz='UTC')\n"
        "print([c.volume.tolist() for c in source.batches()], 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[[100.0, 300.0]] False"
