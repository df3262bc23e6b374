"""Filling the catalog: what is missing is asked for, gaps once more and then told; a failure costs only itself."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.data.calendar import MarketCalendar, calendar_of
from engine.data.catalog import Catalog
from engine.data.catalog_check import check_series
from engine.data.fetch import Fetch, Fetched, Progress, Wish
from engine.domain.errors import ConfigError, NotSent, OutcomeUnknown
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.domain.timestamps import MINUTE_NS
from tests.catalog_builders import BANK, Past, a_bar, at, content, held, minutes_of

FIRST, LAST = date(2024, 1, 2), date(2024, 1, 31)
CALENDAR = calendar_of(BANK)
assert CALENDAR is not None
DAYS = CALENDAR.trading_days(FIRST, LAST)
NOW_NS = at("2024-03-01 08:00")


def a_wish(*instruments: str, **changes: Any) -> Wish:
    settings: dict[str, Any] = {
        "instruments": tuple(InstrumentId(name) for name in instruments or (BANK,)), "interval_ns": MINUTE_NS,
        "first": FIRST, "last": LAST, "now_ns": NOW_NS,
    } | changes  # fmt: skip
    return Wish(**settings)


async def fill(
    folder: Path, source: Any, wish: Wish | None = None, *, calendar: MarketCalendar | None = CALENDAR, **options: Any
) -> Fetched:
    wish = wish or a_wish()
    with Catalog(folder, writing=True) as catalog:
        return await Fetch(source, catalog, wish, dict.fromkeys(wish.instruments, calendar), **options).run()


async def test_a_month_is_asked_for_in_weeks_and_a_second_run_asks_for_nothing(tmp_path: Path) -> None:
    """22 days are five askings of five days; then everything is there."""
    source = Past(DAYS)
    seen: list[Progress] = []
    done = await fill(tmp_path, source, progress=seen.append)
    assert (done.asked, done.days, done.bars, done.new) == (5, 22, 22 * 240, 22 * 240)
    assert (done.gaps, done.failed) == ({}, {})
    assert [(p.done, p.total) for p in seen][-2:] == [(22, 22), (22, 22)]
    assert seen[0] == Progress(0, 22, 0)
    before = content(tmp_path)
    again = await fill(tmp_path, source)
    assert (again.asked, len(source.asked)) == (0, 5)
    assert content(tmp_path) == before


async def test_a_longer_wish_asks_for_the_rest_only(tmp_path: Path) -> None:
    """What is there is left alone."""
    source = Past(DAYS)
    await fill(tmp_path, source, a_wish(last=date(2024, 1, 12)))
    source.asked.clear()
    done = await fill(tmp_path, source)
    assert min(from_ns for _, from_ns, _ in source.asked) >= at("2024-01-12 15:00")
    assert done.new == 13 * 240


async def test_bars_that_lack_are_asked_for_once_more_and_then_told_not_invented(tmp_path: Path) -> None:
    """A bar that comes with the second asking fills its gap; one that never comes is a gap in the answer."""
    lost, slow = at("2024-01-10 10:00"), at("2024-01-11 14:00")
    source = Past(DAYS, missing=[lost])
    source.comes_later = {slow}
    done = await fill(tmp_path, source, a_wish(first=date(2024, 1, 8), last=date(2024, 1, 12)))
    assert done.gaps == {BANK: {"2024-01-10": 1}}
    assert len(source.asked) == 2
    bars = held(tmp_path)
    assert slow in bars
    assert lost not in bars
    source.missing.clear()
    filled = await fill(tmp_path, source, a_wish(first=date(2024, 1, 8), last=date(2024, 1, 12)))
    assert (filled.new, filled.gaps) == (1, {})
    assert source.asked[-1][1:] == CALENDAR.reach(date(2024, 1, 10))  # type: ignore[union-attr]


async def test_a_suspended_day_is_told_and_makes_no_bar(tmp_path: Path) -> None:
    """240 bars missing on that day, the others whole."""
    off = date(2024, 1, 10)
    source = Past([day for day in DAYS if day != off])
    done = await fill(tmp_path, source)
    assert done.gaps == {BANK: {"2024-01-10": 240}}
    assert len(held(tmp_path)) == 21 * 240


async def test_nothing_that_has_not_ended_is_taken_and_the_day_that_runs_is_asked_for_again(tmp_path: Path) -> None:
    """At ten past ten a day has forty bars; next morning it has two hundred more."""
    source = Past(DAYS)
    wish = a_wish(first=LAST, now_ns=at("2024-01-31 10:10:30"))
    done = await fill(tmp_path, source, wish)
    assert (done.new, done.gaps) == (40, {})
    assert max(held(tmp_path)) == at("2024-01-31 10:10")
    later = await fill(tmp_path, source, a_wish(first=LAST))
    assert (later.new, later.gaps) == (200, {})


async def test_a_changed_bar_is_counted_when_asked_for_again(tmp_path: Path) -> None:
    """``again`` asks for whole days, too."""
    source = Past(DAYS)
    await fill(tmp_path, source)

    class Changed(Past):
        async def history(self, *args: Any) -> list[Bar]:
            bars = await super().history(*args)
            return [a_bar(bar.ts_ns, close=10.5) if bar.ts_ns == at("2024-01-10 10:00") else bar for bar in bars]

    assert (await fill(tmp_path, Changed(DAYS))).asked == 0
    done = await fill(tmp_path, Changed(DAYS), a_wish(again=True))
    assert (done.asked, done.new, done.changed) == (5, 0, 1)


async def test_without_a_calendar_every_day_is_asked_for_once(tmp_path: Path) -> None:
    """What was answered is remembered, bars or none."""
    source = Past(DAYS)
    await fill(tmp_path, source, calendar=None)
    assert len(held(tmp_path)) == 22 * 240
    source.asked.clear()
    done = await fill(tmp_path, source, calendar=None)
    assert (done.asked, done.gaps) == (0, {})


async def test_one_failed_asking_costs_only_itself_and_the_next_run_mends_it(tmp_path: Path) -> None:
    """The others are kept; the failure is told with the source's words."""
    source = Past(DAYS)
    source.faults = [OutcomeUnknown("the server coughed")]
    done = await fill(tmp_path, source, in_flight=1)
    assert done.failed == {BANK: "the server coughed"}
    assert len(held(tmp_path)) == 17 * 240
    mended = await fill(tmp_path, source)
    assert (mended.asked, mended.failed, mended.gaps) == (1, {}, {})
    whole = tmp_path / "whole"
    await fill(whole, Past(DAYS))
    assert content(whole) == {name: data for name, data in content(tmp_path).items() if not name.startswith("whole")}


async def test_a_source_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    """Not reachable at once; failing for the fifth time in a row; what came before is kept."""
    source = Past(DAYS)
    source.faults = [NotSent("nobody there")]
    with pytest.raises(NotSent):
        await fill(tmp_path, source)
    source.faults = [OutcomeUnknown("500")] * 5
    with pytest.raises(OutcomeUnknown):
        await fill(tmp_path / "other", source, in_flight=1)


async def test_days_past_the_calendars_end_are_refused(tmp_path: Path) -> None:
    """Nobody knows whether they are open."""
    assert CALENDAR is not None
    end = CALENDAR.last_known_day
    wish = a_wish(first=end, last=date(end.year + 1, 1, 31), now_ns=at(f"{end.year + 1}-02-01 08:00"))
    with pytest.raises(ConfigError, match="past the last known trading day"):
        await fill(tmp_path, Past(DAYS), wish)


class Batches(Past):
    """A source that answers for many instruments at once."""

    batch_codes = 3
    batch_days = 10

    def __init__(self) -> None:
        super().__init__(DAYS)
        self.batches: list[tuple[Sequence[str], int]] = []
        self.bad: set[str] = set()

    async def history_batch(
        self, instruments: Sequence[InstrumentId], interval_ns: int, from_ns: int, to_ns: int
    ) -> SimpleNamespace:
        bars: Mapping[str, list[Bar]] = {
            name: await self.history(name, interval_ns, from_ns, to_ns) for name in instruments if name not in self.bad
        }
        self.batches.append((instruments, len(DAYS)))
        return SimpleNamespace(bars=bars, failed=dict.fromkeys(self.bad & set(instruments), "bad code"))


async def test_instruments_go_in_batches_and_a_bad_one_costs_the_others_nothing(tmp_path: Path) -> None:
    """Seven instruments in threes, ten days each; the bad one is told and asked for again next time."""
    names = [InstrumentId(f"60000{n}.SH") for n in range(7)]
    source = Batches()
    source.bad = {"600001.SH"}
    done = await fill(tmp_path, source, a_wish(*names))
    assert [len(batch) for batch, _ in source.batches].count(3) == 6
    assert done.failed == {"600001.SH": "bad code"}
    assert {name: len(held(tmp_path, name)) for name in names if name != "600001.SH"} == dict.fromkeys(
        (name for name in names if name != "600001.SH"), 22 * 240
    )
    source.bad.clear()
    source.batches.clear()
    mended = await fill(tmp_path, source, a_wish(*names))
    assert {name for batch, _ in source.batches for name in batch} == {"600001.SH"}
    assert mended.new == 22 * 240


async def test_the_check_finds_what_is_wrong(tmp_path: Path) -> None:
    """Holes, an empty day, bars at noon and on a Sunday, by count and example; a sound series has nothing."""
    await fill(tmp_path / "sound", Past(DAYS))
    series = Catalog(tmp_path / "sound").series(BANK, MINUTE_NS)
    found = check_series(series, CALENDAR)
    assert found.sound
    assert (found.bars, found.first, found.last) == (5280, "2024-01-02 09:31:00+08:00", "2024-01-31 15:00:00+08:00")

    lost = minutes_of(date(2024, 1, 10))[5:9]
    source = Past([day for day in DAYS if day != date(2024, 1, 16)], missing=lost)
    await fill(tmp_path / "holed", source)
    with Catalog(tmp_path / "holed", writing=True) as catalog:
        from tests.catalog_builders import bars_at

        catalog.merge(bars_at("2024-01-10 12:00", "2024-01-14 10:00"))
    series = Catalog(tmp_path / "holed").series(BANK, MINUTE_NS)
    found = check_series(series, CALENDAR)
    assert (found.missing, found.empty_days, found.outside) == (4, 1, 2)
    assert (found.duplicates, found.unordered, found.impossible) == (0, 0, 0)
    assert found.examples["missing"][0] == "2024-01-10 09:36:00+08:00"
    assert found.examples["empty_days"] == ["2024-01-16"]
    assert found.examples["outside"] == ["2024-01-10 12:00:00+08:00", "2024-01-14 10:00:00+08:00"]
    assert not found.sound
    wider = check_series(series, CALENDAR, date(2024, 1, 2), date(2024, 2, 5))
    assert wider.empty_days == 1 + 3


async def test_the_check_reads_files_as_they_are(tmp_path: Path) -> None:
    """Bars out of order, twice, and impossible, in a file that somebody has put there by hand."""
    import hashlib

    import msgspec
    import pyarrow as pa
    import pyarrow.parquet as pq

    from engine.data.manifest import write_manifest

    await fill(tmp_path, Past(DAYS), a_wish(last=FIRST))
    (file,) = (tmp_path / name for name in content(tmp_path) if name.endswith(".parquet"))
    table = pq.read_table(file).to_pydict()
    table["ts_ns"][5], table["ts_ns"][6] = table["ts_ns"][6], table["ts_ns"][5]
    table["ts_ns"][9] = table["ts_ns"][8]
    table["low"][20] = 99.0
    pq.write_table(pa.table(table), file)
    series = Catalog(tmp_path).series(BANK, MINUTE_NS)
    found = check_series(series, CALENDAR)
    assert (found.unordered, found.duplicates, found.impossible, found.missing) == (1, 1, 1, 1)
    assert "bytes are not the ones" in found.damaged[file.name]
    part = msgspec.structs.replace(
        series.manifest.parts["2024-01"], sha256=hashlib.sha256(file.read_bytes()).hexdigest()
    )
    write_manifest(series.folder, msgspec.structs.replace(series.manifest, parts={"2024-01": part}))
    assert not check_series(Catalog(tmp_path).series(BANK, MINUTE_NS), CALENDAR).damaged
