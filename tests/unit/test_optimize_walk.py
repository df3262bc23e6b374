"""Walk-forward: where windows lie, that nothing is traded before one, and that nothing after it is known."""

from pathlib import Path

import anyio
import msgspec
import numpy as np
import pytest

from engine.control.backtest_plan import plan_backtest
from engine.control.optimize_run import Loaded
from engine.domain.errors import ConfigError
from engine.domain.timestamps import DAY_NS, parse_time
from engine.journal.memory import MemoryJournal
from engine.runtime.optimize.evaluation import evaluate
from engine.runtime.optimize.jobs import Job, Row, Span
from engine.runtime.optimize.optimizing import Optimizing, Outcome
from engine.runtime.optimize.results_file import ResultsFile
from engine.runtime.optimize.windows import WalkForward, windows_of
from engine.runtime.report import build_report
from tests.optimize_builders import InlinePool, a_search, an_asked, some_days

TZ = "Asia/Shanghai"
FIRST = parse_time("2026-03-02 10:00:00", TZ)
MIDNIGHT = parse_time("2026-03-02 00:00:00", TZ)


def walked(loaded: Loaded, folder: Path) -> Outcome:
    fingerprint = loaded.fingerprint
    with ResultsFile(folder, fingerprint, resume=False) as results:
        one = Optimizing(loaded.wanted, loaded.space, loaded.windows, results, fingerprint)
        return anyio.run(one.run, InlinePool(loaded.setup))


def test_windows_follow_each_other_and_end_with_the_data() -> None:
    """20 days to choose, 7 to trade, over 40 days: the last one is cut; train ends where test begins."""
    windows = windows_of(WalkForward(train="20d", test="7d"), FIRST, MIDNIGHT + 39 * DAY_NS + 1, TZ, "x")
    assert [(w.train.from_ns, w.train.to_ns) for w in windows] == [
        (MIDNIGHT + n * 7 * DAY_NS, MIDNIGHT + (n * 7 + 20) * DAY_NS) for n in range(3)
    ]
    assert [w.test.trade_ns for w in windows] == [w.train.to_ns for w in windows]
    assert [w.test.to_ns for w in windows[:-1]] == [w.test.trade_ns for w in windows[1:]]
    assert windows[-1].test.to_ns == MIDNIGHT + 39 * DAY_NS + 2
    assert [w.test.from_ns for w in windows] == [w.train.from_ns for w in windows]


def test_anchored_windows_all_begin_with_the_data_and_warm_up_can_be_set() -> None:
    """Train grows; the test hears two days, or nothing, before it trades."""
    last = MIDNIGHT + 40 * DAY_NS
    anchored = windows_of(WalkForward(train="20d", test="10d", anchored=True, warm_up="2d"), FIRST, last, TZ, "x")
    assert {w.train.from_ns for w in anchored} == {MIDNIGHT}
    assert [w.test.trade_ns - w.test.from_ns for w in anchored] == [2 * DAY_NS] * len(anchored)
    none = windows_of(WalkForward(train="20d", test="10d", warm_up="0"), FIRST, last, TZ, "x")
    assert [w.test.from_ns for w in none] == [w.test.trade_ns for w in none]


def test_windows_longer_than_the_data_are_one_sentence() -> None:
    """Too long; no duration."""
    with pytest.raises(ConfigError, match=r"the data has 5\.0 days, less than one train window"):
        windows_of(WalkForward(train="20d", test="7d"), FIRST, FIRST + 5 * DAY_NS, TZ, "--walk-forward")
    with pytest.raises(ConfigError, match="--walk-forward train: 'soon' is no duration"):
        windows_of(WalkForward(train="soon", test="7d"), FIRST, FIRST + 50 * DAY_NS, TZ, "--walk-forward")


def a_run(loaded: Loaded, **span: int) -> Row:
    return evaluate(loaded.setup, Job(parameters={"fast": 2, "slow": 6}, span=Span(name="x", **span)))


def test_no_order_passes_before_the_window(tmp_path: Path) -> None:
    """Bars before it are heard: its first trade comes sooner than without them, and its equity starts whole."""
    loaded = a_search(tmp_path)
    begins = MIDNIGHT + 10 * DAY_NS
    warm = a_run(loaded, from_ns=MIDNIGHT, trade_ns=begins, to_ns=begins + DAY_NS)
    cold = a_run(loaded, from_ns=begins, trade_ns=begins, to_ns=begins + DAY_NS)
    whole = a_run(loaded, from_ns=MIDNIGHT, trade_ns=MIDNIGHT, to_ns=begins + DAY_NS)
    assert warm.figures is not None
    assert cold.figures is not None
    assert whole.figures is not None
    assert 0 < warm.figures.fills < whole.figures.fills
    assert warm.figures.denied == 0
    assert warm.starting == 1_000_000
    assert warm.day_ordinals.tolist() == cold.day_ordinals.tolist() == [cold.day_ordinals[0]]
    assert warm.digest != cold.digest


def test_what_comes_after_a_window_changes_nothing_in_it(tmp_path: Path) -> None:
    """Other prices from the 30th day on: every window that ended by then is the same, its choice and its test."""
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    sought = {"walk_forward": "train=10d,test=5d"}
    one = walked(a_search(tmp_path / "one", **sought), tmp_path / "one" / "out")
    other = walked(a_search(tmp_path / "other", rows=some_days(changed_from=30), **sought), tmp_path / "other" / "out")
    assert one.walk is not None
    assert other.walk is not None
    limit = MIDNIGHT + 30 * DAY_NS
    pairs = list(zip(one.walk.windows, other.walk.windows, strict=True))
    before = [(a, b) for a, b in pairs if a.window.test.to_ns <= limit]
    assert len(before) == 4
    for a, b in before:
        assert a.chosen is not None
        assert b.chosen is not None
        assert a.chosen.row.parameters == b.chosen.row.parameters
        assert a.test is not None
        assert b.test is not None
        assert a.test.closes == b.test.closes
    at_the_edge = next((a, b) for a, b in pairs if a.window.train.to_ns == limit)
    assert at_the_edge[0].chosen is not None
    assert at_the_edge[1].chosen is not None
    assert at_the_edge[0].chosen.row.parameters == at_the_edge[1].chosen.row.parameters
    assert at_the_edge[0].out_of_sample != at_the_edge[1].out_of_sample


def test_the_stitched_curve_grows_window_by_window(tmp_path: Path) -> None:
    """Its end is the starting equity times each window's growth; each day is there once."""
    outcome = walked(a_search(tmp_path, walk_forward="train=10d,test=5d"), tmp_path / "out")
    assert outcome.walk is not None
    stitched = outcome.walk.stitched
    assert stitched is not None
    growth = [1 + w.test.figures.total_return for w in outcome.walk.windows if w.test and w.test.figures]
    assert stitched.levels[-1] == pytest.approx(1_000_000 * float(np.prod(growth)))
    assert len(growth) == 6
    assert len(stitched.days) == len(set(stitched.days)) == 30
    assert len(stitched.levels) == 31
    trips = [w.test.figures.round_trips for w in outcome.walk.windows if w.test and w.test.figures]
    assert stitched.round_trips == sum(trips) > 0


def test_a_window_without_a_fit_set_is_not_traded(tmp_path: Path) -> None:
    """More round trips wanted than there are: no choice, no test, no curve."""
    outcome = walked(a_search(tmp_path, walk_forward="train=10d,test=5d", min_trades=10_000), tmp_path / "out")
    assert outcome.ranking.best is None
    assert outcome.walk is not None
    assert outcome.walk.stitched is None
    assert all(w.chosen is None and w.test is None for w in outcome.walk.windows)


def test_a_set_over_everything_is_what_a_backtest_makes_of_it(tmp_path: Path) -> None:
    """The same digest, equity and figures as the run and its report."""
    loaded = a_search(tmp_path)
    row = evaluate(loaded.setup, Job(parameters={"fast": 3, "slow": 12}))
    asked = msgspec.structs.replace(an_asked(tmp_path), parameters=("fast=3", "slow=12"))
    plan = plan_backtest(asked)
    journal = MemoryJournal()
    result = plan.run_of(plan.open(), journal, "event").run()
    report = build_report(journal.records(), instruments=plan.instruments)
    assert row.digest == result.digest
    assert row.figures is not None
    s = report.statistics
    assert (row.figures.sharpe, row.figures.total_return, row.figures.max_drawdown) == (
        s.sharpe, s.total_return, s.max_drawdown,
    )  # fmt: skip
    assert (row.figures.round_trips, row.figures.fills, row.figures.fees) == (s.round_trips, s.fills, float(s.fees))
    assert row.figures.final_equity == float(result.final_equity)
