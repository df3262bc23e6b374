"""Fault schedules are data: drawn from a seed, kept as text, shrunk to what matters."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chaos.faults import (
    CrashFault,
    Fault,
    FaultKind,
    ServerFault,
    fault_name,
    schedule_from_json,
    schedule_to_json,
    server_script,
)
from engine.chaos.schedules import Terrain, draw_schedule, shrink
from engine.simulators.faults import Fault as ServerKind
from engine.simulators.faults import Trigger

TERRAIN = Terrain(ports=(5000, 5001), processes=("engine",))


def test_a_schedule_is_drawn_by_its_seed_alone_and_survives_as_text() -> None:
    """The same seed draws the same faults; JSON gives them back unchanged."""
    for seed in range(50):
        schedule = draw_schedule(random.Random(seed), TERRAIN)
        assert schedule == draw_schedule(random.Random(seed), TERRAIN)
        assert schedule_from_json(schedule_to_json(schedule)) == schedule


def test_seeds_enable_different_subsets_and_together_every_kind() -> None:
    """Swarm style: no seed enables everything, and 200 of them leave nothing out."""
    kinds = [Counter(map(fault_name, draw_schedule(random.Random(seed), TERRAIN))) for seed in range(200)]
    everything = {f"net.{kind.value}" for kind in FaultKind} | {"port.down", "process.crash"}
    everything |= {f"server.{kind.value}" for kind in ServerKind}
    assert set().union(*kinds) == everything
    assert all(set(drawn) != everything for drawn in kinds)
    assert max(drawn["net.cut_answer"] for drawn in kinds) >= 5
    assert len({frozenset(drawn) for drawn in kinds}) > 150


@given(
    size=st.integers(1, 40),
    guilty=st.sets(st.integers(0, 39), min_size=1, max_size=3),
)
def test_shrinking_keeps_exactly_the_faults_that_are_needed_together(size: int, guilty: set[int]) -> None:
    """Delta debugging ends at the guilty ones, in their order."""
    guilty = {index % size for index in guilty}
    schedule = [ServerFault(kind=ServerKind.THROTTLED, call=index) for index in range(size)]
    needed = {schedule[index] for index in guilty}

    def fails(part: tuple[Fault, ...]) -> bool:
        return needed <= set(part)

    assert shrink(schedule, fails, runs_max=5000) == tuple(fault for fault in schedule if fault in needed)


def test_the_servers_part_is_handed_over_in_the_simulators_own_form() -> None:
    """One schedule serves both; what is not the server's stays."""
    schedule: tuple[Fault, ...] = (
        CrashFault(process="engine", start=0, seam=1, down_seconds=1),
        ServerFault(kind=ServerKind.CUT, call=3, route="trade"),
    )
    assert server_script(schedule) == (Trigger(call=3, fault=ServerKind.CUT, route="trade"),)


def test_a_schedule_that_does_not_fail_can_not_be_shrunk() -> None:
    """Shrinking nothing would blame the innocent."""
    with pytest.raises(ValueError, match="does not fail"):
        shrink([CrashFault(process="engine", start=0, seam=1, down_seconds=1)], lambda _part: False)
