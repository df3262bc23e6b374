"""The whole engine against the whole virtual market, hurt by schedules of faults, and held to the market's ledger."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.chaos.faults import schedule_from_json, schedule_to_json
from engine.chaos.fleet import Finding, errands_of, fly_one
from engine.chaos.run import main
from engine.chaos.scenario import schedule_of

ROOT = Path(__file__).parents[2]
SEEDS = (1, 2, 3, 4, 9, 14)
"""Between them: crashes, an operator's stop, outages, late bookings, every start of the day."""


@cache
def flown(seed: int) -> Finding:
    """One of ``SEEDS``; flown once a process, whatever is looked at."""
    return fly_one(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hurt_flight_keeps_every_promise(seed: int) -> None:
    """Nothing lost, nothing twice, no limit passed, nothing hung, books equal, replay equal (RELIABILITY 2.4)."""
    finding = flown(seed)
    assert finding.accusations == []
    assert finding.fired
    assert min(finding.checked[what] for what in ("orders", "trades", "records replayed", "requests")) > 0


def test_a_calm_flight_trades_more_than_a_hurt_one() -> None:
    """Without faults nothing stands in the way: the scenario itself has work to do."""
    finding = fly_one(2, ())
    assert finding.accusations == []
    assert finding.fired == {}
    assert finding.checked["trades"] > 40


def test_a_seed_gives_the_same_digest_in_two_processes() -> None:
    """Engine, gateway, journal and market together: equal under another hash seed (I11)."""
    done = subprocess.run(
        [sys.executable, "-m", "engine.chaos.run", "--worker", "4"],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "4711"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["digest"] == flown(4).digest


def test_the_command_prints_one_object_and_says_what_it_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """Two seeds, one of them flown twice; stdout holds the report and nothing else."""
    assert main(["--seeds", "2", "--first-seed", "21", "--twice-every", "2", "--json", "--jobs", "1"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    wanted = {"lost": 0, "duplicated": 0, "limit_breaches": 0, "hung": 0, "digests_equal": True, "failed_seeds": []}
    assert {key: report[key] for key in wanted} == wanted
    assert (report["seeds"], report["digests_compared"]) == (2, 1)
    assert report["checked"]["trades"] > 0


def test_a_run_in_which_nothing_was_hurt_fails(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """Only schedules in which a fault fired count; a report without any is no proof."""
    from engine.chaos import run

    async def nothing(_seeds: Any, **_rest: Any) -> None:
        """No worker says anything."""

    monkeypatch.setattr(run, "fly_all", nothing)
    assert main(["--seeds", "1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["hurt"] == 0


def test_a_wrong_argument_is_refused() -> None:
    """Exit code 2, as for any bad input."""
    assert main(["--seeds", "0"]) == 2
    assert main(["--gateway", "nobody"]) == 2


def test_twice_flown_seeds_go_to_two_workers() -> None:
    """The copy of a seed is never flown by the process that flies the seed."""
    shares = errands_of(range(1, 22), jobs=2, twice_every=10)
    assert sorted(seed for share in shares for seed in share if seed.endswith("c")) == ["11c", "1c", "21c"]
    for share in shares:
        assert not [seed for seed in share if seed.endswith("c") and seed.removesuffix("c") in share]


@pytest.mark.parametrize(("jobs", "twice_every"), [(1, 0), (1, 10), (2, 10), (3, 4), (4, 1)])
def test_workers_fly_as_much_as_each_other(jobs: int, twice_every: int) -> None:
    """The last one to land says when a run ends; copies are flights as well."""
    loads = [len(share) for share in errands_of(range(200), jobs=jobs, twice_every=twice_every)]
    assert max(loads) - min(loads) <= 1
    assert sum(loads) == 200 + (-(-200 // twice_every) if twice_every else 0)


def test_the_schedule_of_a_seed_can_be_written_and_played_again() -> None:
    """A failing seed is kept as its schedule."""
    planned = schedule_of(9)
    assert schedule_from_json(schedule_to_json(planned)) == planned
    assert fly_one(9, planned).digest == flown(9).digest


@pytest.mark.long
def test_two_hundred_flights_keep_every_promise(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar of the issue; each tenth seed twice."""
    assert main(["--seeds", "200", "--first-seed", "5000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digests_compared"] == 20
