"""The whole engine against all five systems at once, and the fault matrix row by row."""

import json
from collections import Counter
from typing import Any

import pytest

from engine.chaos import all_schedule
from engine.chaos.faults import ConnectionFault, CrashFault, fault_name, schedule_from_json, schedule_to_json
from engine.chaos.fleet import SCENARIOS, fly_one, made_nothing
from engine.chaos.matrix import ROWS, rows_missing
from engine.chaos.mishaps import LatchFault, StopFault, StopKind, SuspendFault
from engine.chaos.run import main
from engine.risk.view import RiskView

SEEDS = (3, 26)
"""Between them: a disk that fails, a crash, people trading by hand, disputes."""
AT_MIDNIGHT = 7
"""Begins five minutes before the day rolls and the last market closes."""
WORDS = ["--gateway", "all", "--json"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hurt_flight_over_everything_keeps_every_promise(seed: int) -> None:
    """Four accounts, five systems, one journal: nothing lost, nothing twice, no limit passed, nothing hung."""
    finding = fly_one(seed, gateway="all")
    assert finding.accusations == []
    assert min(finding.checked[what] for what in ("orders", "trades", "records replayed", "requests", "prices")) > 0


def test_a_calm_flight_over_everything_trades_at_every_venue() -> None:
    """Without faults nothing stands in the way: the scenario itself has work to do."""
    finding = fly_one(3, (), gateway="all")
    assert finding.accusations == []
    assert {name for name in finding.fired if not name.startswith(("start.", "order."))} == set()
    assert min(finding.checked["venue orders"], finding.checked["trades"], finding.checked["bars"]) > 0


def test_no_row_of_the_matrix_is_forgotten() -> None:
    """Each row says which counters show it, or where else it is played."""
    for name, row in ROWS.items():
        assert bool(row.counters) is not bool(row.elsewhere), name
    assert len(ROWS) == 47


def test_every_row_that_lives_in_this_world_is_drawn_within_two_hundred_seeds() -> None:
    """What is planned; that it fires is counted in the long run."""
    planned: Counter[str] = Counter()
    for seed in range(1, 201):
        planned.update(fault_name(fault) for fault in SCENARIOS["all"].schedule_of(seed))
    planned.update(f"start.{label}" for label in all_schedule.STARTS.values())
    planned["order.partial"] += 1
    assert rows_missing(planned) == []


def test_the_schedule_of_a_flight_over_everything_can_be_written_and_played_again() -> None:
    """A failing seed is kept as one line."""
    planned = SCENARIOS["all"].schedule_of(9)
    assert schedule_from_json(schedule_to_json(planned)) == planned
    assert any(isinstance(fault, ConnectionFault) for fault in planned)


def test_two_processes_give_one_digest_of_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """The seed flown twice, under two hash seeds, is the same flight (I11); each row has its figure."""
    assert main([*WORDS, "--seeds", "1", "--first-seed", "17", "--twice-every", "1", "--jobs", "2"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (report["digests_compared"], report["digests_equal"]) == (1, True)
    assert set(report["rows"]) == {name for name, row in ROWS.items() if row.counters}


def test_a_start_that_was_cut_short_still_opens_its_books() -> None:
    """What an account holds when it is read for the first time is its opening, in whichever life that is."""
    cut = StopFault(start=0, seam=60, kind=StopKind.CANCEL, down_seconds=1.0)
    finding = fly_one(3, (cut,), gateway="all")
    assert finding.fired["stop.cancel"] == finding.checked["stops"] == 1
    assert finding.accusations == []


def test_a_latch_that_is_lost_in_a_crash_is_found() -> None:
    """I9 is looked at in each new life: a planted bug shows."""
    pressed = LatchFault(start=0, seam=300, cancels=False, seconds=120.0)
    killed = CrashFault(process="engine", start=0, seam=340, down_seconds=1.0)
    assert fly_one(3, (pressed, killed), gateway="all").accusations == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RiskView, "on_latch", lambda _view, _event: None)
        found = fly_one(3, (pressed, killed), gateway="all").accusations
    assert [text for text in found if text.startswith(("I8", "I9"))]


def test_a_flight_whose_markets_closed_while_it_slept_is_not_blamed_for_making_no_order() -> None:
    """It wanted orders and its exchanges were closed: an excuse. One order denied while open, and there is none."""
    asleep = SuspendFault(at_seconds=0.5, seconds=600.0)
    finding = fly_one(AT_MIDNIGHT, (asleep,), gateway="all")
    assert (finding.accusations, finding.checked.get("orders", 0)) == ([], 0)
    assert finding.checked["denied while closed"] > 0
    checked, pressed = Counter(finding.checked), {"latch": 1}
    assert not made_nothing(checked, {})
    assert made_nothing(checked + Counter(denied=1), {})
    assert made_nothing(Counter(), pressed)
    latched = Counter({"denied while latched": 1})
    assert not made_nothing(latched, pressed)
    # A strategy that orders far too much on purpose is denied, and that excuses nothing and accuses nobody.
    assert not made_nothing(latched + Counter({"denied as planned": 2}), pressed)
    assert made_nothing(Counter({"denied as planned": 2}), {})
    assert made_nothing(latched, {})
    assert made_nothing(checked + latched, {})


@pytest.mark.long
def test_two_hundred_flights_over_everything_keep_every_promise(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar of the issue: each tenth seed twice, and every row of the virtual world fired."""
    assert main([*WORDS, "--seeds", "200", "--first-seed", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["digests_compared"] == 20
    assert [name for name, count in report["rows"].items() if not count] == []
