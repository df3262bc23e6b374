"""The whole engine against the simulated Futu gateway, hurt by schedules of faults, and held to its ledger."""

import json
from typing import Any

import pytest

from engine.chaos.faults import AnswerLoss, DaemonFault, PushRate, schedule_from_json, schedule_to_json
from engine.chaos.fleet import fly_one
from engine.chaos.futu_scenario import schedule_of
from engine.chaos.run import main

SEEDS = (1, 2, 27)
"""Between them: both kinds of account, lost, repeated, swapped and late pushes, restarts, log-outs, crashes."""
MORE = (3, 5)


@pytest.mark.parametrize("seed", [*SEEDS, *(pytest.param(seed, marks=pytest.mark.long) for seed in MORE)])
def test_a_hurt_flight_keeps_every_promise(seed: int) -> None:
    """No order twice, no fill lost or counted twice, nothing left open, positions equal, replay equal."""
    finding = fly_one(seed, gateway="futu")
    assert finding.accusations == []
    assert any(name.startswith("push.") for name in finding.fired)
    assert min(finding.checked[what] for what in ("venue orders", "trades", "records replayed", "requests")) > 0


@pytest.mark.parametrize("seed", [1, 2], ids=["real", "simulate"])
def test_a_calm_flight_trades_and_nothing_goes_wrong(seed: int) -> None:
    """Without faults nothing stands in the way: the scenario itself has work to do."""
    finding = fly_one(seed, (), gateway="futu")
    assert finding.accusations == []
    assert finding.fired == {}
    assert finding.checked["trades"] > 40


def test_a_schedule_with_pushes_can_be_written_and_played_again() -> None:
    """Rates, daemon faults and wrong answers are part of a failing seed's line of JSON."""
    planned = next(
        schedule
        for schedule in map(schedule_of, range(1, 100))
        if {type(fault) for fault in schedule} >= {PushRate, DaemonFault, AnswerLoss}
    )
    assert schedule_from_json(schedule_to_json(planned)) == planned


def test_two_processes_give_one_digest(capsys: pytest.CaptureFixture[str]) -> None:
    """The command flies the gateway it is told; the seed flown twice, under two hash seeds, is the same flight."""
    words = ["--gateway", "futu", "--seeds", "1", "--first-seed", "8", "--twice-every", "1", "--json", "--jobs", "2"]
    assert main(words) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (report["gateway"], report["digests_compared"], report["digests_equal"]) == ("futu", 1, True)
    assert report["checked"]["venue orders"] > 0


@pytest.mark.long
def test_two_hundred_flights_keep_every_promise(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar of the issue; each tenth seed twice."""
    assert main(["--gateway", "futu", "--seeds", "200", "--first-seed", "5000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digests_compared"] == 20
