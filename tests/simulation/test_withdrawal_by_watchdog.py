"""What the watchdog does at each broker while the engine still holds its session, and a sentinel found by a run."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from engine.chaos.verdict import _twin
from engine.domain.events import KillLevel
from engine.entropy import Entropy
from engine.runtime import heartbeat, sentinel
from engine.runtime.live import LiveRun
from engine.runtime.safety_settings import Safety
from engine.runtime.watchdog import Undertaker, Withdrawn, our_orders
from tests.live_builders import a_trading_place, trade_until
from tests.router_builders import rehearsed
from tests.router_plans import Plan, Wish
from tests.router_stages import STAGES
from tests.simulation.test_live_run import BuysOnce

GAME, HK, SIMULATED_HK, EASYTHS, OLD_EASYTHS, HUATAI = STAGES
RESTS = Wish(place="away")


def withdrawn(stage: str, plan: Plan, *, deadline: float = 120.0) -> tuple[Withdrawn, Any]:
    """Fly it; at its end a watchdog with a login of its own withdraws what rests; gives what it says, and the venue."""
    found: list[Withdrawn] = []

    class Watched(STAGES[stage]):  # type: ignore[misc,name-defined]
        async def quiet(self, run: LiveRun) -> None:
            gateway = self.open(run.clock, Entropy(99))
            ours = our_orders(self.path, _twin(run))
            undertaker = Undertaker(self.account_id, gateway, run.clock, ours, lambda _text: None, deadline)
            found.append(await undertaker.work())
            await anyio.sleep(70)

    landing = rehearsed(Watched, plan)
    return found[0], landing


@pytest.mark.parametrize("stage", [HK, EASYTHS, HUATAI])
def test_it_withdraws_what_rests_over_a_login_of_its_own(stage: str) -> None:
    """Two readings show none, nothing was placed, and the engine learns of the end by its own readings."""
    said, landing = withdrawn(stage, Plan(wishes=(RESTS,), seconds=40.0))
    assert landing.accusations == []
    assert (said.clean, said.left, len(said.cancelled)) == (True, [], 1)
    assert landing.requests == 1
    assert [order.live for found in landing.ours for order in found] == [False]


def test_where_nothing_rests_it_has_nothing_to_do() -> None:
    """The game's venue."""
    said, _ = withdrawn(GAME, Plan(wishes=(Wish(place="market"),), seconds=40.0))
    assert (said.clean, said.cancelled) == (True, [])


@pytest.mark.long
def test_where_a_cancel_would_reach_a_stranger_it_says_which_it_left() -> None:
    """EasyTHS: ours and a person's rest on the same side; nothing is cancelled, and the report names both."""
    plan = Plan(wishes=(RESTS,), seconds=40.0, person=6.0, person_rests=True)
    said, landing = withdrawn(EASYTHS, plan, deadline=30.0)
    assert not said.clean
    assert len(said.left) == 2
    assert any("not ours as far as the journal says" in text for text in said.left)
    assert landing.cancels == 0
    assert [stranger.live for stranger in landing.strangers] == [True]


async def test_a_sentinel_that_is_there_at_the_start_latches_before_the_first_order(tmp_path: Path) -> None:
    """C19: whoever wrote it. The run says so in its journal, beats, and ends in order without taking it away."""
    sentinel.write(tmp_path, "a person said so", who="person")
    async with a_trading_place() as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3", safety=Safety(folder=tmp_path))
        await trade_until(run, lambda: bool(place.denied))
        assert place.denied[0].code == "KILLED"
        assert place.trades() == []
        assert run.core.view.latches["all"].level is KillLevel.HALT
    assert sentinel.read(tmp_path) is not None
    beat = heartbeat.read(tmp_path)
    assert beat is not None
    assert beat.ended == "test done"


async def test_a_sentinel_that_comes_while_running_is_found_within_two_seconds(tmp_path: Path) -> None:
    """``touch HALT``: latched, with an alert that names it."""
    async with a_trading_place() as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3", safety=Safety(folder=tmp_path))

        def halted() -> bool:
            (tmp_path / sentinel.NAME).touch()
            return "all" in run.core.view.latches

        await trade_until(run, halted)
    assert any("somebody put the file" in alert.text for alert in place.alerts)
