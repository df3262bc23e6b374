"""The order of a search does not depend on which run ends first; what was done is not done again."""

from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec
import pytest

from engine.control.optimize_run import Loaded
from engine.domain.errors import ConfigError, DataError
from engine.entropy import Entropy
from engine.runtime.optimize.bayes import Bayes
from engine.runtime.optimize.export import sets_csv
from engine.runtime.optimize.jobs import Job, Row
from engine.runtime.optimize.optimizing import Optimizing, Outcome
from engine.runtime.optimize.results_file import NAME, ResultsFile
from tests.optimize_builders import InlinePool, a_search, some_days

RANGES = ("fast=2:12:1", "slow=8:40:1")


def first(_count: int) -> int:
    return 0


def by_chance(seed: int) -> Callable[[int], int]:
    return Entropy(seed).stream("order").randrange


def made(
    loaded: Loaded, folder: Path, order: Callable[[int], int] = first, *, resume: bool = False
) -> tuple[Outcome, list[Job]]:
    """An outcome, and the runs it took."""
    pool = InlinePool(loaded.setup, order)
    fingerprint = loaded.fingerprint
    with ResultsFile(folder, fingerprint, resume=resume) as results:
        one = Optimizing(loaded.wanted, loaded.space, loaded.windows, results, fingerprint)
        return anyio.run(one.run, pool), pool.made


def table(outcome: Outcome) -> str:
    return sets_csv(outcome.ranking, ["fast", "slow"])


def test_the_table_is_the_same_whichever_run_ends_first(tmp_path: Path) -> None:
    """A grid with a walk, and a Bayesian search, each in order and in two others."""
    for name, sought in {
        "grid": {"walk_forward": "train=20d,test=10d"},
        "bayes": {"search": "bayes", "trials": 24, "ranges": RANGES},
    }.items():
        loaded = a_search(tmp_path, rows=some_days(35), **sought)
        outcomes = [made(loaded, tmp_path / f"{name}{n}", order)[0] for n, order in enumerate((first, by_chance(1)))]
        assert table(outcomes[0]) == table(outcomes[1])
        assert msgspec.json.encode(outcomes[0]) == msgspec.json.encode(outcomes[1])


def test_a_bayesian_search_learns(tmp_path: Path) -> None:
    """Its later sets are nearer to the top of a hill than its first, drawn by chance; all are within the ranges."""
    space = a_search(tmp_path, ranges=RANGES).space
    search = Bayes(space, 60, 1, storage="", study="hill", about="")
    far = []
    for number in range(60):
        one = search.ask()
        assert one is not None
        assert 2 <= one["fast"] <= 12
        assert 8 <= one["slow"] <= 40
        far.append((one["fast"] - 7) ** 2 + (one["slow"] - 20) ** 2)
        search.tell(number, -far[-1])
    assert search.ask() is None
    assert sum(far[-15:]) < sum(far[:15]) / 3


def test_an_interrupted_bayesian_search_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """In memory and in a file: cut after ten results, then resumed, it tries the sets of a whole one; none twice."""
    whole, jobs = made(a_search(tmp_path, search="bayes", trials=22, ranges=RANGES), tmp_path / "whole")
    for storage in ("", f"sqlite:///{tmp_path / 'study.db'}"):
        folder = tmp_path / ("file" if storage else "memory")
        sought = {"search": "bayes", "trials": 22, "ranges": RANGES, "storage": storage}

        class Stopped(InlinePool):
            async def next(self) -> Row:
                if len(self.made) == 10:
                    raise KeyboardInterrupt
                return await super().next()

        loaded = a_search(tmp_path, **sought)
        fingerprint = loaded.fingerprint
        pool = Stopped(loaded.setup)
        with ResultsFile(folder, fingerprint, resume=False) as results:
            one = Optimizing(loaded.wanted, loaded.space, [], results, fingerprint)
            with pytest.raises(KeyboardInterrupt):
                anyio.run(one.run, pool)
        outcome, again = made(a_search(tmp_path, **sought), folder, resume=True)
        assert table(outcome) == table(whole)
        assert {job.key for job in again}.isdisjoint(job.key for job in pool.made)
        assert len(again) + 10 == len(jobs)


def test_a_study_of_something_else_is_refused(tmp_path: Path) -> None:
    """The same name with another objective, and a storage that is none: one sentence, without the password."""
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    sought = {"search": "bayes", "trials": 3, "ranges": RANGES, "storage": storage, "study": "mine"}
    made(a_search(tmp_path, **sought), tmp_path / "one")
    with pytest.raises(ConfigError, match="--study mine: it is of other data, ranges or objective"):
        made(a_search(tmp_path, **{**sought, "objective": "return"}), tmp_path / "two")
    with pytest.raises(ConfigError, match=r"--storage none://me@there: can not be used") as caught:
        made(a_search(tmp_path, **{**sought, "storage": "none://me:secret@there"}), tmp_path / "three")
    assert "secret" not in str(caught.value)


def test_results_survive_a_torn_line_and_are_not_made_again(tmp_path: Path) -> None:
    """Half of the file and a piece of a line: the rest is run, and the table is the same to the byte."""
    loaded = a_search(tmp_path)
    whole, jobs = made(loaded, tmp_path / "out")
    path = tmp_path / "out" / NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]) + lines[5][:100])
    outcome, again = made(loaded, tmp_path / "out", resume=True)
    assert table(outcome) == table(whole)
    assert len(again) == len(jobs) - 4
    assert sorted(path.read_bytes().splitlines()) == sorted(line.rstrip() for line in lines)
    assert not made(loaded, tmp_path / "out", resume=True)[1]


def test_results_of_something_else_are_refused(tmp_path: Path) -> None:
    """A folder that holds results wants --resume; other bars want another folder; a damaged line is named."""
    loaded = a_search(tmp_path)
    made(loaded, tmp_path / "out")
    with pytest.raises(ConfigError, match="add --resume"):
        made(loaded, tmp_path / "out")
    with pytest.raises(ConfigError, match="name another --out"):
        made(a_search(tmp_path, rows=some_days(seed=9)), tmp_path / "out", resume=True)
    path = tmp_path / "out" / NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"{]\n", *lines[4:]]))
    with pytest.raises(DataError, match="line 4"):
        made(a_search(tmp_path), tmp_path / "out", resume=True)


def test_what_is_not_fit_comes_last_with_its_reason(tmp_path: Path) -> None:
    """A set the strategy refuses, one with too few round trips; neither is counted as the best."""
    loaded = a_search(tmp_path, ranges=("fast=2:12:5", "slow=5:65:30"), min_trades=20)
    outcome, _ = made(loaded, tmp_path / "out")
    sets = outcome.ranking.sets
    why = {(one.row.parameters["fast"], one.row.parameters["slow"]): one.unfit for one in sets}
    assert "must be shorter" in why[7, 5]
    assert "fewer than 20" in why[12, 65]
    assert outcome.ranking.best is not None
    assert [bool(one.unfit) for one in sets] == sorted(bool(one.unfit) for one in sets)
    assert outcome.ranking.tried == 7
    values = [one.value for one in sets if not one.unfit]
    assert values == sorted(values, reverse=True)  # type: ignore[type-var]


def test_less_is_better_for_a_drawdown(tmp_path: Path) -> None:
    """The objective's own direction."""
    outcome, _ = made(a_search(tmp_path, objective="drawdown"), tmp_path / "out")
    values = [one.value for one in outcome.ranking.sets if not one.unfit]
    assert values == sorted(values)  # type: ignore[type-var]
