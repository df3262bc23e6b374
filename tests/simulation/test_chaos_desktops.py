"""The whole engine against the simulated desktop brokers, hurt by schedules of faults, and held to their counter."""

import json
from typing import Any

import pytest

from engine.chaos.desktop_scenario import Scenario
from engine.chaos.faults import DaemonFault, ManualTrade, QuirkFault, schedule_from_json, schedule_to_json
from engine.chaos.fleet import SCENARIOS, fly_one
from engine.chaos.run import main

GATEWAYS = ("easyths", "huatai")
SEEDS = {"easyths": (1, 3), "huatai": (1, 2)}
"""Between them: both generations, brokers without history, people trading by hand, lost clients, restarts, crashes."""
MORE = {"easyths": (2, 8), "huatai": (3,)}
FLIGHTS = [(gateway, seed) for gateway, seeds in SEEDS.items() for seed in seeds]
FLIGHTS += [pytest.param(gateway, seed, marks=pytest.mark.long) for gateway, seeds in MORE.items() for seed in seeds]


@pytest.mark.parametrize(("gateway", "seed"), FLIGHTS)
def test_a_hurt_flight_keeps_every_promise(gateway: str, seed: int) -> None:
    """No order twice, no fill lost or counted twice, every order over, at work or disputed; our books the counter's."""
    finding = fly_one(seed, gateway=gateway)
    assert finding.accusations == []
    assert any(name.startswith("quirk.") for name in finding.fired)
    assert min(finding.checked[what] for what in ("venue orders", "trades", "records replayed", "requests")) > 0


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_calm_flight_trades_and_nothing_is_disputed(gateway: str) -> None:
    """Without faults nothing stands in the way: the scenario itself has work to do."""
    finding = fly_one(5, (), gateway=gateway)
    # That the market fills in parts is no fault.
    assert (finding.accusations, [name for name in finding.fired if not name.startswith("order.")]) == ([], [])
    assert finding.checked["trades"] > 20
    assert finding.checked.get("disputed", 0) == 0


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_schedule_of_a_desktop_can_be_written_and_played_again(gateway: str) -> None:
    """Quirks, people and clients that end are part of a failing seed's line of JSON."""
    scenario: Scenario = SCENARIOS[gateway]
    planned = next(
        schedule
        for schedule in map(scenario.schedule_of, range(1, 100))
        if {type(fault) for fault in schedule} >= {QuirkFault, DaemonFault, ManualTrade}
    )
    assert schedule_from_json(schedule_to_json(planned)) == planned


@pytest.mark.parametrize("gateway", [pytest.param("easyths", marks=pytest.mark.long), "huatai"])
def test_two_processes_give_one_digest(gateway: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The seed flown twice, under two hash seeds, is the same flight."""
    words = ["--gateway", gateway, "--seeds", "1", "--first-seed", "4", "--twice-every", "1", "--json", "--jobs", "2"]
    assert main(words) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (report["gateway"], report["digests_compared"], report["digests_equal"]) == (gateway, 1, True)


@pytest.mark.long
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_three_hundred_flights_keep_every_promise(gateway: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The bar of the issue; each tenth seed twice."""
    assert main(["--gateway", gateway, "--seeds", "300", "--first-seed", "7000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digests_compared"] == 30
