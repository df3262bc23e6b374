"""Every way in which a data file can be wrong gives one sentence with the file, the line or column, and the mend."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from engine.data import open_bars, open_quotes
from engine.domain.errors import ConfigError, DataError
from tests.data_builders import HEADER, ROWS, STOCK, a_csv, a_parquet

NAN = float("nan")


def fail(path: Path, instrument: str = STOCK, **how: object) -> str:
    """Read everything; the sentence it ends with."""
    with pytest.raises(DataError) as caught:
        for _ in open_bars(path, instrument, **how).batches():  # type: ignore[arg-type]
            pass
    said = str(caught.value)
    assert "\n" not in said
    assert str(path) in said
    return said


def with_row(row: str) -> list[str]:
    """Two sound rows and this one as line 4."""
    return [*ROWS[:2], row]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2026-03-02 09:33:00,10,9,9.5,10,1", "line 4: high 9 is below low 9.5"),
        ("2026-03-02 09:33:00,10.6,10.5,9.5,10,1", "line 4: open 10.6 is above high 10.5"),
        ("2026-03-02 09:33:00,10,10.5,9.5,9.4,1", "line 4: close 9.4 is below low 9.5"),
        ("2026-03-02 09:33:00,10,10.5,9.5,nan,1", "line 4: close is missing or not a number"),
        ("2026-03-02 09:33:00,,10.5,9.5,10,1", "line 4: open is missing"),
        ("2026-03-02 09:33:00,10,inf,9.5,10,1", "line 4: high is infinite"),
        ("2026-03-02 09:33:00,10,10.5,0,10,1", "line 4: low 0 is not above 0"),
        ("2026-03-02 09:33:00,10,10.5,-1,10,1", "line 4: low -1 is not above 0"),
        ("2026-03-02 09:33:00,10,10.5,9.5,10,-1", "line 4: volume -1 is negative"),
        ("2026-03-02 09:33:00,10,10.5,9.5,10,nan", "line 4: volume nan"),
        ("2026-03-02 09:31:30,10,10.5,9.5,10,1", "line 4: the time is before that of the row before it"),
        ("2026-03-02 09:32:00,10,10.5,9.5,10,1", "line 4: the time is the same as in the row before"),
        ("2026-03-02 09:33:00,10,x,9.5,10,1", "line 4: 'x' in column 'high' is no number"),
        ("2026-03-02 09:33:00,10,10.5,9.5,10", "line 4: has 5 columns where the header has 6"),
        ("2026-03-02 09:33:00,10,10.5,9.5,10,1,2", "line 4: has 7 columns where the header has 6"),
        ("monday,10,10.5,9.5,10,1", "line 4: time 'monday' in column 'dt'"),
        ("2026-02-30 09:33:00,10,10.5,9.5,10,1", "line 4: time '2026-02-30 09:33:00' in column 'dt'"),
        (",10,10.5,9.5,10,1", "line 4: the time in column 'dt' is missing"),
    ],
)
@pytest.mark.parametrize("name", ["bars.csv", "bars.csv.gz"])
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, name: str, row: str, said: str) -> None:
    """Impossible bars, missing and non-numbers, times out of order, rows of another width."""
    assert said in fail(a_csv(tmp_path / name, with_row(row)))


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    """Blank lines in the file do not put the line's number out."""
    path = a_csv(tmp_path / "bars.csv", [ROWS[0], "", "", ROWS[1], "2026-03-02 09:33:00,10,9,9.5,10,1"])
    assert "line 6: high 9 is below low 9.5" in fail(path)


def test_the_line_is_right_when_other_symbols_are_skipped(tmp_path: Path) -> None:
    """The number is the file's line, not the place among the instrument's own rows."""
    rows = ["600001," + ROWS[0], "600000," + ROWS[0], "600001," + ROWS[1], "600000," + ROWS[1]]
    path = a_csv(tmp_path / "bars.csv", [*rows, "600000,2026-03-02 09:33:00,10,9,9.5,10,1"], "symbol," + HEADER)
    assert "line 6: high 9 is below low 9.5" in fail(path)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    """And what the file has instead; a file without a header has nothing of what is needed."""
    assert "line 1: no column for volume among dt, open, high, low, close;" in fail(
        a_csv(tmp_path / "bars.csv", [r.rpartition(",")[0] for r in ROWS], HEADER.rpartition(",")[0])
    )
    assert "the first line must name the columns" in fail(a_csv(tmp_path / "bare.csv", ROWS[1:], ROWS[0]))
    assert "no column for close" in fail(a_parquet(tmp_path / "bars.parquet", close=None))


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    """Nobody guesses which one is meant."""
    assert "column 'open' is there twice" in fail(
        a_csv(tmp_path / "bars.csv", [r + ",1" for r in ROWS], HEADER + ",open")
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (HEADER.encode() + b"\n", "has a header and no rows"),
        (gzip.compress(HEADER.encode(), mtime=0), "has a header and no rows"),
        (HEADER.encode("utf-16"), "line 1: byte 0xff is not UTF-8"),
        (("代码," + HEADER).encode("gbk") + b"\n1,2,3\n", "is not UTF-8; save the file as UTF-8"),
        (
            f"{HEADER}\n{ROWS[0]}\n".encode() + b"2026-03-02 09:32:00,10,\xff\xfe,1,1,1\n",
            "line 3: byte 0xff is not UTF-8",
        ),
        (b"PK\x03\x04\x14\x00\x00\x00\xff\xff", "is not UTF-8"),
        (b"PAR1 this is no Parquet file", "is no Parquet file that can be read"),
        (b"\x1f\x8b\x08\x00 this is no gzip", "is a broken or cut-off gzip file"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    """Empty, header only, other encodings, archives, broken gzip and Parquet."""
    path = tmp_path / "bars.csv"
    path.write_bytes(content)
    assert said in fail(path)


def test_a_text_file_called_parquet_is_no_parquet(tmp_path: Path) -> None:
    """The name says what it should have been."""
    path = tmp_path / "bars.parquet"
    path.write_text("dt,open\n")
    assert "is no Parquet file that can be read" in fail(path)


def test_a_cut_off_gzip_is_found_however_long_it_is(tmp_path: Path) -> None:
    """A download that stopped half-way is not taken for a shorter history."""
    rows = [f"{1_772_415_060 + 60 * i},{10 + i % 7},99,1,5.{i},{i * 37 % 1001}" for i in range(40_000)]
    whole = a_csv(tmp_path / "whole.csv.gz", rows)
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole.read_bytes()[:-2000])
    assert "is a broken or cut-off gzip file" in fail(path)


def test_a_parquet_file_broken_in_its_middle_is_found(tmp_path: Path) -> None:
    """Its first and last bytes are sound; the pages are not."""
    path = a_parquet(tmp_path / "bars.parquet")
    raw = bytearray(path.read_bytes())
    raw[8:120] = bytes(112)
    path.write_bytes(raw)
    assert "is no Parquet file that can be read" in fail(path)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"high": [10.5, 1.0, 10.4]}, "row 2: high 1 is below low 10.1"),
        ({"close": [10.2, NAN, 10.1]}, "row 2: close is missing or not a number"),
        ({"close": pa.array([10.2, None, 10.1])}, "row 2: close is missing or not a number"),
        ({"open": ["a", "b", "c"]}, "column 'open' (open) is of type string; store numbers"),
        ({"dt": [1.5, 2.5, 3.5]}, "column 'dt', from row 1 on: times are of type double"),
        ({"dt": [1, 2, 3]}, "time 1 can not be read"),
        ({"dt": ["x", "y", "z"]}, "time 'x' can not be read"),
        ({"dt": pa.array([1, None, 3], pa.timestamp("s"))}, "row 2: the time in column 'dt' is missing"),
        (
            {"dt": pa.array([], pa.timestamp("s"))} | {key: [] for key in ("open", "high", "low", "close", "volume")},
            "no rows",
        ),
    ],
)
def test_a_bad_parquet_column_or_row_is_named(tmp_path: Path, columns: dict[str, object], said: str) -> None:
    """Wrong types by column, wrong values by row."""
    assert said in fail(a_parquet(tmp_path / "bars.parquet", **columns))


def test_times_that_run_backwards_between_batches_are_found(tmp_path: Path) -> None:
    """The last time of a batch is held against the first of the next."""
    count = 65_536
    times = [i * 60 for i in range(count)] + [60]
    ones = [1.0] * (count + 1)
    path = a_parquet(
        tmp_path / "bars.parquet",
        dt=pa.array([1_700_000_000 + t for t in times], pa.timestamp("s", "UTC")),
        **dict.fromkeys(("open", "high", "low", "close", "volume"), ones),
    )
    assert "row 65537: the time is before" in fail(path)


@pytest.mark.parametrize(
    ("path", "said"),
    [(lambda p: p / "none.csv", "there is no such file"), (lambda p: p, "is a folder")],
)
def test_a_path_that_is_no_file_is_named(tmp_path: Path, path: Callable[[Path], Path], said: str) -> None:
    """Missing files and folders."""
    assert said in fail(path(tmp_path))


def test_an_unknown_symbol_is_told_which_there_are(tmp_path: Path) -> None:
    """The mend is in the sentence."""
    path = a_csv(tmp_path / "bars.csv", ["600001.SH," + r for r in ROWS], "symbol," + HEADER)
    assert f"has no rows of {STOCK}; its symbols are 600001.SH" in fail(path)


def test_naive_times_of_an_unknown_venue_ask_for_a_zone(tmp_path: Path) -> None:
    """Nobody guesses; times that carry a zone need none."""
    assert "Say so with --tz" in fail(a_csv(tmp_path / "bars.csv"), "BTC.PERP")
    zoned = a_csv(tmp_path / "zoned.csv", [r.replace(":00,", ":00Z,", 1) for r in ROWS])
    assert open_bars(zoned, "BTC.PERP").tz == "UTC"


def test_a_time_that_exists_twice_or_never_is_refused(tmp_path: Path) -> None:
    """02:30 on the day New York's clocks go forward is no time."""
    rows = [f"2026-03-08 {t}:00,1,1,1,1,1" for t in ("01:58", "01:59", "02:30")]
    assert "when clocks change in America/New_York" in fail(a_csv(tmp_path / "bars.csv", rows), "AAPL.US")


def test_the_length_of_the_bars_must_be_plain(tmp_path: Path) -> None:
    """One row tells no interval, and rows a split second apart are no bars; saying it mends both."""
    one = a_csv(tmp_path / "one.csv", ROWS[:1])
    assert "say so with --interval" in fail(one)
    assert open_bars(one, STOCK, interval="1m").interval_ns == 60 * 10**9
    ticks = a_csv(tmp_path / "ticks.csv", [r.replace(":00,", f":00.{i}00,", 1) for i, r in enumerate([ROWS[0]] * 3)])
    assert "which is no bar" in fail(ticks)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"label": "middle"}, "label 'middle' is none"),
        ({"tz": "Mars/Olympus"}, "time zone 'Mars/Olympus' is none"),
        ({"interval": "1 fortnight"}, "bar interval"),
        ({"interval": -5}, "bar interval -5 is not above 0"),
        ({"columns": {"close": "nope"}}, "no column 'nope'"),
        ({"columns": {"price": "close"}}, "no field 'price'"),
    ],
)
def test_arguments_that_are_none_are_refused(tmp_path: Path, how: dict[str, object], said: str) -> None:
    """Each with what it should have been."""
    with pytest.raises(ConfigError, match=said):
        open_bars(a_csv(tmp_path / "bars.csv"), STOCK, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2026-03-02 09:33:00,10.2,10.1", "line 3: bid 10.2 is above ask 10.1"),
        ("2026-03-02 09:33:00,nan,10.1", "line 3: bid is missing"),
        ("2026-03-02 09:33:00,10,0", "line 3: ask 0 is not above 0"),
        ("2026-03-02 09:30:00,10,10.1", "line 3: the time is before"),
    ],
)
def test_bad_quotes_are_named(tmp_path: Path, row: str, said: str) -> None:
    """Crossed, missing, not positive, out of order."""
    path = a_csv(tmp_path / "quotes.csv", ["2026-03-02 09:31:00,10,10.1", row], "time,bid,ask")
    with pytest.raises(DataError, match=said):
        list(open_quotes(path, STOCK).batches())
