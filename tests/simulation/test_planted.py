"""Thirty planted bugs: the simulation finds every one, and none of them where it is not (RELIABILITY 5.2)."""

import pytest

from engine.chaos.fleet import SCENARIOS, fly_one
from tests.simulation.planted import BUGS, SEEDS_MAX, SOUGHT, hunted, main

QUICK = ("resent to the market", "send marker not awaited", "sender dies unseen", "room never freed")
"""All found by the market's first flight, which ``test_chaos_engine`` flies clean."""


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_found_on_its_seed(name: str) -> None:
    """A seed that flies clean finds the bug once it is planted: the checks can fail."""
    assert (BUGS[name].where, BUGS[name].seed) == ("virtual_market", 1)
    assert BUGS[name].accused_of(1)


def test_the_table_names_thirty_bugs_each_planted_its_own_way() -> None:
    """Each says where it is looked for, what it is accused of, and a seed within the bar."""
    assert len(BUGS) >= 30
    assert len({(bug.plant, bug.where) for bug in BUGS.values()}) == len(BUGS)
    for bug in BUGS.values():
        assert bug.where in SCENARIOS
        assert bug.accusation
        assert 1 <= bug.seed <= SEEDS_MAX
    for bug in (*BUGS.values(), *SOUGHT.values()):
        with bug.plant():
            """What it replaces is still there."""


def test_a_bug_that_is_not_found_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The command that looks for a bug ends with 1 where the flights it was given do not find it."""
    assert main(["pace off", "--seeds", "0"]) == 1
    assert "NOT FOUND in 0 seeds" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize("name", BUGS)
def test_every_planted_bug_is_found_on_its_seed_alone(name: str) -> None:
    """The whole table: the seed that is written there finds it, and flies clean without it."""
    bug = BUGS[name]
    assert fly_one(bug.seed, gateway=bug.where).accusations == []
    assert bug.accused_of(bug.seed)


@pytest.mark.long
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found_within_five_hundred_flights(name: str) -> None:
    """The bar, counted from seed 1, which nobody chose; prints how many were needed."""
    needed, found = hunted(BUGS[name], 1, SEEDS_MAX)
    print(f"{name}: found after {needed} flights: {found[:1]}")
    assert needed
