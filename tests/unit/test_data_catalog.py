"""The catalog: merging in any order gives the same files; reading gives back what went in; damage is named."""

import os
from datetime import date
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.catalog import Catalog, columns_of, joined_batches
from engine.data.catalog_source import catalog_path, open_catalog_bars
from engine.data.manifest import interval_name, interval_of, joined_spans
from engine.data.sources import open_bars
from engine.domain.errors import ConfigError, DataError
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from tests.catalog_builders import BANK, a_bar, at, bars_at, content, held

Piece = list[tuple[int, float]]
pieces = st.lists(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from([10.0, 10.5])), max_size=8, unique_by=lambda pair: pair[0]),
    max_size=6,
)
START_NS = at("2024-01-31 21:00")
STEP_NS = HOUR_NS


def _columns(piece: Piece) -> object:
    return columns_of(BANK, MINUTE_NS, [a_bar(START_NS + n * STEP_NS, close) for n, close in piece])


def _fill(folder: Path, parts: list[Piece]) -> None:
    with Catalog(folder, writing=True) as catalog:
        for piece in parts:
            catalog.merge(_columns(piece))  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(pieces)
def test_merging_twice_or_in_one_go_gives_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, parts: list[Piece]
) -> None:
    """However the bars are cut into pieces and however often those come, the folder's bytes are the same."""
    base = tmp_path_factory.mktemp("catalog")
    with patch("os.fsync"):
        _check_merges(base, parts)


def _check_merges(base: Path, parts: list[Piece]) -> None:
    wanted = {START_NS + n * STEP_NS: close for piece in parts for n, close in piece}
    _fill(base / "a", parts)
    once = content(base / "a")
    _fill(base / "a", parts[-1:])
    assert content(base / "a") == once
    _fill(base / "b", [[((ts - START_NS) // STEP_NS, close) for ts, close in wanted.items()]])
    if wanted:
        assert content(base / "b") == once
        assert held(base / "a") == wanted
    _fill(base / "c", [[pair] for piece in parts for pair in piece])
    if wanted:
        assert content(base / "c") == once


def test_a_month_is_a_file_and_an_end_at_midnight_is_the_day_befores(tmp_path: Path) -> None:
    """Bars of two months are two files; the daily bar of 31 January, which ends in February, is January's."""
    with Catalog(tmp_path, writing=True) as catalog:
        catalog.merge(bars_at("2024-01-31 15:00", "2024-02-01 09:31"))
        day = columns_of(BANK, DAY_NS, [a_bar("2024-02-01 00:00", interval_ns=DAY_NS)])
        catalog.merge(day)
    minute, daily = (list(found.manifest.parts) for found in reversed(list(Catalog(tmp_path).holdings())))
    assert (minute, daily) == (["2024-01", "2024-02"], ["2024-01"])
    series = Catalog(tmp_path).series(BANK, DAY_NS)
    assert series.manifest.bars_on(date(2024, 1, 31)) == 1
    assert {path.parent.name for path in tmp_path.glob("*/*/*.parquet")} == {"1m", "1d"}


def test_a_changed_bar_takes_the_place_of_the_old_and_is_counted(tmp_path: Path) -> None:
    """New and changed are told apart, and only months that differ are written."""
    with Catalog(tmp_path, writing=True) as catalog:
        first = catalog.merge(bars_at("2024-01-31 14:59", "2024-01-31 15:00", "2024-02-01 09:31"))
        again = catalog.merge(bars_at("2024-01-31 14:59", "2024-02-01 09:31"))
        later = catalog.merge(bars_at("2024-02-01 09:31", "2024-02-01 09:32", close=10.5))
    assert (first.new, first.changed, first.months) == (3, 0, 2)
    assert (again.new, again.changed, again.months) == (0, 0, 0)
    assert (later.new, later.changed, later.months) == (1, 1, 1)
    assert list(held(tmp_path).values()) == [10.0, 10.0, 10.5, 10.5]
    assert len(list(tmp_path.glob("*/*/*.parquet"))) == 2


def test_a_bar_that_can_not_be_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """The catalog holds sound bars only."""
    wrong = bars_at("2024-01-31 15:00", "2024-02-01 09:31")
    wrong.low[1] = 20.0
    with Catalog(tmp_path, writing=True) as catalog, pytest.raises(DataError, match="2024-02-01 09:31"):
        catalog.merge(wrong)
    assert content(tmp_path) == {}


def test_one_process_writes_and_anybody_reads(tmp_path: Path) -> None:
    """A second writer is told so; a reader is not stopped, and may not write."""
    with Catalog(tmp_path, writing=True) as catalog:
        catalog.merge(bars_at("2024-01-31 15:00"))
        with pytest.raises(ConfigError, match="another process"):
            Catalog(tmp_path, writing=True)
        assert len(held(tmp_path)) == 1
        with pytest.raises(ConfigError, match="reading"):
            Catalog(tmp_path).merge(bars_at("2024-01-31 15:00"))
    Catalog(tmp_path, writing=True).close()
    with pytest.raises(ConfigError, match="no such folder"):
        Catalog(tmp_path / "none")


@pytest.mark.parametrize("cut", range(6))
def test_a_writer_cut_at_any_step_leaves_the_old_or_the_new_and_the_next_one_ends_the_same(
    tmp_path: Path, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flushes and renames are the steps; after each, the manifest names whole files only."""
    folder = tmp_path / "cut"
    for place in (folder, tmp_path / "whole"):
        with Catalog(place, writing=True) as catalog:
            catalog.merge(bars_at("2024-01-31 14:59"))
    fresh = bars_at("2024-01-31 15:00", "2024-02-01 09:31")
    with Catalog(tmp_path / "whole", writing=True) as catalog:
        catalog.merge(fresh)
    steps = 0

    class Killed(BaseException):
        pass

    real = os.fsync

    def fsync(handle: int) -> None:
        nonlocal steps
        if steps == cut:
            raise Killed
        steps += 1
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    catalog = Catalog(folder, writing=True)
    with pytest.raises(Killed):
        catalog.merge(fresh)
    catalog.close()
    monkeypatch.setattr(os, "fsync", real)
    assert set(held(folder)) in ({at("2024-01-31 14:59")}, set(held(tmp_path / "whole")))
    assert Catalog(folder).series(BANK, MINUTE_NS).damaged() == {}
    with Catalog(folder, writing=True) as catalog:
        catalog.merge(fresh)
    assert content(folder) == content(tmp_path / "whole")


def test_a_backtest_names_bars_by_instrument_interval_and_days(tmp_path: Path) -> None:
    """Both days are included; the path opens the same bars again, and the hash is that of what is read."""
    with Catalog(tmp_path, writing=True) as catalog:
        catalog.merge(bars_at("2024-01-30 15:00", "2024-01-31 09:31", "2024-01-31 15:00", "2024-02-01 09:31"))
    path = catalog_path(tmp_path, BANK, MINUTE_NS, date(2024, 1, 31), date(2024, 1, 31))
    source = open_bars(path, BANK)
    assert [int(ts) for part in source.batches() for ts in part.ts_ns] == [
        at("2024-01-31 09:31"),
        at("2024-01-31 15:00"),
    ]
    again = open_bars(str(source.path), BANK, tz=source.tz, label=source.label, interval=source.interval_ns)
    assert again.sha256() == source.sha256()
    whole = open_bars(catalog_path(tmp_path, BANK, MINUTE_NS), BANK)
    assert sum(len(part.ts_ns) for part in whole.batches()) == 4
    assert whole.sha256() != source.sha256()
    before = source.sha256()
    with Catalog(tmp_path, writing=True) as catalog:
        catalog.merge(bars_at("2024-01-31 10:00"))
    assert open_bars(path, BANK).sha256() != before


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """No series, no bars in the days, another instrument, days the wrong way round."""
    with Catalog(tmp_path, writing=True) as catalog:
        catalog.merge(bars_at("2024-01-30 15:00"))
    with pytest.raises(DataError, match="no such series"):
        open_bars(catalog_path(tmp_path, "000001.SZ", MINUTE_NS, date(2024, 1, 1)), "000001.SZ")
    with pytest.raises(DataError, match="data fetch"):
        open_bars(catalog_path(tmp_path, BANK, MINUTE_NS, date(2024, 2, 1)), BANK)
    with pytest.raises(DataError, match=r"holds 600000\.SH"):
        open_bars(catalog_path(tmp_path, BANK, MINUTE_NS), "000001.SZ")
    with pytest.raises(ConfigError, match="swap"):
        catalog_path(tmp_path, BANK, MINUTE_NS, date(2024, 2, 1), date(2024, 1, 1))
    with pytest.raises(ConfigError, match="is no id"):
        Catalog(tmp_path).path("../600000.SH", MINUTE_NS)
    assert open_catalog_bars(tmp_path / "bars.csv") is None


def test_damage_is_named_and_never_read_over(tmp_path: Path) -> None:
    """A file cut short, a file gone, a manifest that is none."""
    with Catalog(tmp_path, writing=True) as catalog:
        catalog.merge(bars_at("2024-01-30 15:00", "2024-02-01 09:31"))
    first, second = sorted(tmp_path.glob("*/*/*.parquet"))
    first.write_bytes(first.read_bytes()[:-20])
    second.unlink()
    series = Catalog(tmp_path).series(BANK, MINUTE_NS)
    assert set(series.damaged()) == {first.name, second.name}
    with pytest.raises(DataError, match=first.name):
        list(open_bars(catalog_path(tmp_path, BANK, MINUTE_NS), BANK).batches())
    (first.parent / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="fetch it again"):
        Catalog(tmp_path).series(BANK, MINUTE_NS)


def test_small_batches_are_joined_before_they_are_merged() -> None:
    """In order, none lost, none larger than needed."""
    batches = [bars_at(START_NS + n * MINUTE_NS) for n in range(7)]
    joined = list(joined_batches(iter(batches), rows=3))
    assert [len(part.ts_ns) for part in joined] == [3, 3, 1]
    assert np.concatenate([part.ts_ns for part in joined]).tolist() == [START_NS + n * MINUTE_NS for n in range(7)]


def test_an_interval_has_one_name() -> None:
    """And the name reads back."""
    names = {MINUTE_NS: "1m", 5 * MINUTE_NS: "5m", HOUR_NS: "1h", DAY_NS: "1d", 15 * SECOND_NS: "15s"}
    assert {length: interval_name(length) for length in names} == names
    assert all(interval_of(name) == length for length, name in names.items())
    with pytest.raises(ConfigError):
        interval_of("1x")


def test_spans_of_days_that_touch_are_one() -> None:
    """Whatever order they come in."""
    d = [date(2024, 1, n) for n in range(1, 10)]
    spans = [(d[6], d[7]), (d[0], d[1]), (d[2], d[2]), (d[4], d[4])]
    assert joined_spans(spans) == [(d[0], d[2]), (d[4], d[4]), (d[6], d[7])]
