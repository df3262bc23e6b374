"""Files of quotes: columns and their units, one-sided books, levels; and quotes in the catalog."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.data import open_bars, open_quotes
from engine.data.columns import QuoteColumns
from engine.data.quote_catalog import QuoteSeries, quotes_path
from engine.domain.errors import DataError
from engine.domain.timestamps import parse_time
from tests.catalog_builders import content
from tests.cli_builders import Shell, a_bar_file

BANK = "600000.SH"
HEADER = "时间,买一价,卖一价,bid_vol1,ask_vol1,last,last_size,bid_price2,bid_vol2,ask_price2,ask_vol2"
ROWS = (
    "2024-01-02 09:30:00.500,10.00,10.01,300,400,10.01,200,9.99,500,10.02,600",
    "2024-01-02 09:30:03.500,10.01,10.02,100,200,10.01,0,10.00,300,0,0",
    "2024-01-02 14:56:00,11.00,0,9000,0,11.00,100,10.99,10,,",
    "2024-01-03 09:30:00,10.50,10.51,100,200,10.5,100,10.49,1,10.52,2",
)


def a_file(folder: Path, *rows: str, header: str = HEADER, name: str = "quotes.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def whole(source: Any) -> QuoteColumns:
    batches = list(source.batches())
    assert len(batches) == 1
    return batches[0]


def test_level_1_prints_and_levels_are_read_by_the_usual_names(tmp_path: Path) -> None:
    """Times in the venue's zone; a size that is missing beside a price that is missing is 0."""
    found = whole(open_quotes(a_file(tmp_path, *ROWS), BANK))
    assert found.ts_ns[0] == parse_time("2024-01-02 09:30:00.500", "Asia/Shanghai")
    assert found.bid.tolist() == [10.0, 10.01, 11.0, 10.5]
    assert found.bid_size.tolist() == [300, 100, 9000, 100]
    assert found.last is not None
    assert found.last_size is not None
    assert found.last_size.tolist() == [200, 0, 100, 100]
    assert [column.tolist() for column in found.deeper[0]] == [
        [9.99, 10.0, 10.99, 10.49], [500, 300, 10, 1], [10.02, 0, 0, 10.52], [600, 0, 0, 2],
    ]  # fmt: skip


def test_a_side_where_nobody_stands_has_the_other_sides_price_and_no_size(tmp_path: Path) -> None:
    """Locked at the limit: price 0, size 0 in the file; its middle is the price that is there."""
    found = whole(open_quotes(a_file(tmp_path, *ROWS), BANK))
    assert (found.bid[2], found.ask[2], found.ask_size[2]) == (11.0, 11.0, 0)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2024-01-02 09:30:00,10.02,10.01,1,1,1,1,9,1,11,1", "line 2: bid 10.02 is above ask 10.01"),
        ("2024-01-02 09:30:00,10,10.01,-1,1,1,1,9,1,11,1", "line 2: a size is negative or no number"),
        ("2024-01-02 09:30:00,10,10.01,1,1,0,1,9,1,11,1", "line 2: something traded and last is no price"),
        ("2024-01-02 09:30:00,10,10.01,1,1,1,1,10,1,11,1", "line 2: a level of its book is not behind"),
        ("2024-01-02 09:30:00,10,10.01,1,1,1,1,9,1,10,1", "line 2: a level of its book is not behind"),
        ("2024-01-02 09:30:00,0,0,0,0,1,0,0,0,0,0", "line 2: bid 0 is not above 0"),
    ],
)
def test_a_quote_that_can_not_be_is_named_with_its_line(tmp_path: Path, row: str, said: str) -> None:
    """One sentence with the file, the line and the mend."""
    with pytest.raises(DataError, match=said):
        list(open_quotes(a_file(tmp_path, row), BANK).batches())


def test_a_level_takes_four_columns_and_levels_have_no_gap(tmp_path: Path) -> None:
    """Said as the file is opened."""
    with pytest.raises(DataError, match="has a level 2 of its book but no column ask_size2"):
        open_quotes(a_file(tmp_path, "2024-01-02 10:00:00,1,2,1,1,3", header="time,bid,ask,bid2,bid_size2,ask2"), BANK)
    header = "time,bid,ask,bid3,bid_size3,ask3,ask_size3"
    with pytest.raises(DataError, match="no column bid2"):
        open_quotes(a_file(tmp_path, "2024-01-02 10:00:00,2,3,1,1,4,1", header=header), BANK)


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    """The same columns, whatever holds them."""
    plain = whole(open_quotes(a_file(tmp_path, *ROWS), BANK))
    names = ("bid", "ask", "bid_size", "ask_size", "last", "last_size")
    table = {"ts_ns": plain.ts_ns, **{name: getattr(plain, name) for name in names}}
    table |= dict(zip(("bid2", "bid_size2", "ask2", "ask_size2"), plain.deeper[0], strict=True))
    pq.write_table(pa.table(table), tmp_path / "quotes.parquet")
    other = whole(open_quotes(tmp_path / "quotes.parquet", BANK, tz="UTC"))
    assert all(np.array_equal(getattr(plain, name), getattr(other, name)) for name in ("ts_ns", *names))
    assert all(np.array_equal(a, b) for a, b in zip(plain.deeper[0], other.deeper[0], strict=True))


def series(folder: Path, *files: Path) -> QuoteSeries:
    made = QuoteSeries(folder, BANK)
    for file in files:
        made.take(open_quotes(file, BANK).batches())
    return made


def test_what_went_into_the_catalog_comes_out(tmp_path: Path) -> None:
    """A file a day, read back over some days or all; the same bytes when it is brought again."""
    file, folder = a_file(tmp_path, *ROWS), tmp_path / "cat" / BANK / "quotes"
    made = series(folder, file)
    assert list(made.manifest.parts) == ["2024-01-02", "2024-01-03"]
    before = content(folder)
    assert made.take(open_quotes(file, BANK).batches()) == (4, 0)
    assert content(folder) == before
    plain = whole(open_quotes(file, BANK))
    for path, rows in (
        (quotes_path(tmp_path / "cat", BANK), slice(0, 4)),
        (folder / "2024-01-03..", slice(3, 4)),
        (folder / "..2024-01-02", slice(0, 3)),
    ):
        parts = list(open_quotes(path, BANK).batches())
        assert np.array_equal(np.concatenate([part.bid for part in parts]), plain.bid[rows])
        assert np.array_equal(np.concatenate([part.deeper[0][2] for part in parts]), plain.deeper[0][2][rows])
    with pytest.raises(DataError, match=r"no quotes of 600000\.SH in these days"):
        open_quotes(folder / "2025-01-01..", BANK)


def test_quotes_that_are_brought_again_take_the_place_of_all_in_their_span(tmp_path: Path) -> None:
    """From the new file's first to its last, days without any included; what lies outside stays."""
    header = "time,bid,ask"
    old = [f"2024-01-0{day} 10:00:0{n},{day},{day}.5" for day in (2, 3, 4) for n in (0, 1, 2)]
    new = ["2024-01-02 10:00:01,7,7.5", "2024-01-02 10:00:01,8,8.5", "2024-01-04 10:00:01,9,9.5"]
    folder = tmp_path / "cat" / BANK / "quotes"
    series(folder, a_file(tmp_path, *old, header=header), a_file(tmp_path, *new, header=header, name="new.csv"))
    held = [bid for part in open_quotes(folder, BANK).batches() for bid in part.bid.tolist()]
    assert held == [2, 7, 8, 9, 4]
    assert len(list(folder.glob("*.parquet"))) == 2


def test_bars_and_quotes_of_the_catalog_are_not_taken_for_each_other(tmp_path: Path) -> None:
    """Each says what to do instead."""
    folder = tmp_path / "cat" / BANK / "quotes"
    series(folder, a_file(tmp_path, *ROWS))
    with pytest.raises(DataError, match="holds quotes, not bars; take it with --quotes"):
        open_bars(folder, BANK)
    with pytest.raises(DataError, match="the catalog has no such quotes"):
        open_quotes(tmp_path / "cat" / "000001.SZ" / "quotes", "000001.SZ")


STRATEGY = """
from engine import Strategy


class Flip(Strategy):
    def on_start(self):
        self.count = 0

    def on_quote(self, quote):
        self.count += 1
        if self.count % 2:
            self.buy(quote.instrument, 100)
        elif self.position(quote.instrument):
            self.sell(quote.instrument, 100)
"""


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def test_the_command_line_takes_quotes_from_a_file_a_catalog_and_a_config(tmp_path: Path, shell: Shell) -> None:
    """The same decisions whichever way; a config's fill model is quote where its data is quotes."""
    rows = [f"2024-01-02 10:00:{n:02d},{10 + n % 3},{11 + n % 3},500,500" for n in range(40)]
    file = a_file(tmp_path, *rows, header="time,bid,ask,bid_size,ask_size")
    (tmp_path / "flip.py").write_text(STRATEGY, encoding="utf-8")
    strategy, catalog = f"{tmp_path}/flip.py:Flip", tmp_path / "cat"
    assert shell("data", "import", file, "--quotes", "--instrument", BANK, "--catalog", catalog, "--json").json == {
        "instrument": BANK, "quotes": 40, "days_written": 1, "folder": str(catalog / BANK / "quotes"),
    }  # fmt: skip
    listed = shell("data", "list", "--catalog", catalog, "--json").json["series"]
    assert [(row["interval"], row["bars"]) for row in listed] == [("quotes", 40)]  # type: ignore[attr-defined]
    assert shell("data", "check", "--catalog", catalog).code == 0
    config = tmp_path / "run.toml"
    config.write_text(
        f'[run]\nprofile = "backtest"\n[instruments]\nfile = "i.toml"\n[[strategy]]\nclass = "{strategy}"\n'
        f'[[data]]\nkind = "quotes"\nfile = "quotes.csv"\ninstrument = "{BANK}"\n',
        encoding="utf-8",
    )
    (tmp_path / "i.toml").write_text(f'[instrument."{BANK}"]\nmarket = "free"\n', encoding="utf-8")
    tail = ("--no-report", "--json")
    one = ("backtest", "--strategy", strategy, "--market", "free", "--instrument", BANK)
    ways = [
        shell(*one, "--quotes", file, *tail),
        shell(*one, "--catalog", catalog, "--interval", "quotes", *tail),
        shell("backtest", "--config", config, "--market", "free", *tail),
    ]
    assert [said.code for said in ways] == [0, 0, 0], ways
    results = [said.json for said in ways]
    assert results[0]["quotes"] == 40
    assert results[0]["fills"]
    assert results[0]["costs"]["total"]["fills_without_reference"] == 0  # type: ignore[index]
    for key in ("quotes", "fills", "final_equity_exact", "mode", "mode_reason"):
        assert results[0][key] == results[1][key] == results[2][key]
    said = shell("lookahead", "--config", config, "--market", "free")
    assert said.code == 2
    assert "it can not do so with quotes yet" in said.err


def test_bars_and_quotes_go_into_one_run_with_their_instruments_in_order(tmp_path: Path, shell: Shell) -> None:
    """One --instrument for each --data, then one for each --quotes; else a sentence."""
    rows = [f"2026-03-02 10:00:{n:02d},10,11" for n in range(10)]
    quotes, bars = a_file(tmp_path, *rows, header="time,bid,ask"), a_bar_file(tmp_path)
    (tmp_path / "flip.py").write_text(STRATEGY, encoding="utf-8")
    one = ("backtest", "--strategy", f"{tmp_path}/flip.py:Flip", "--market", "free", "--data", bars, "--quotes", quotes)
    said = shell(*one, "--instrument", "000001.SH", "--instrument", BANK, "--no-report", "--json")
    assert (said.json["quotes"], said.json["bars"]) == (10, 240)
    assert "then one for each --quotes" in shell(*one, "--instrument", BANK).err
    said = shell(*one[:-4], "--quotes", quotes, "--instrument", BANK, "--mode", "column", "--no-report")
    assert said.code == 2
    assert "quotes are played one by one" in said.err
