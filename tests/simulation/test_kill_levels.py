"""Everything stopped in mid-flight, over every venue with an order side: nothing leaves, what rests is withdrawn."""

import pytest

from engine.chaos.faults import QuirkFault
from engine.domain.events import KillLevel
from engine.domain.order import OrderState
from tests.kill_builders import Drill, killed, said
from tests.router_plans import Plan, Wish
from tests.router_stages import STAGES

GAME, HK, SIMULATED_HK, EASYTHS, OLD_EASYTHS, HUATAI = STAGES
RESTING = Wish(place="away")
DONE = "everything of ours is withdrawn"
STEPS = range(1, 8)
"""Before each record of an order's way from the gate to its acceptance, before each wait and after it."""


@pytest.mark.parametrize("stage", [SIMULATED_HK, EASYTHS, HUATAI])
def test_a_latch_at_cancel_withdraws_what_rests_and_ends_with_two_readings(stage: str) -> None:
    """The order is cancelled at the venue, both sides agree, and a person hears that it is done."""
    landing = killed(stage, Drill(), Plan(wishes=(RESTING, Wish(at_seconds=40.0, place="away")), seconds=90.0))
    assert landing.accusations == []
    assert landing.words == [["accepted", "canceled"], ["denied"]]
    assert (landing.requests, landing.cancels) == (1, 1)
    assert len(said(landing, DONE)) == 1


def test_where_nothing_rests_the_campaign_ends_when_every_order_is_decided() -> None:
    """The game has no order list and nothing to cancel."""
    drill = Drill(at=10.0)
    landing = killed(GAME, drill, Plan(wishes=(Wish(place="market"), Wish(at_seconds=15.0, place="market"))))
    assert landing.accusations == []
    assert landing.requests <= 1
    assert len(said(landing, DONE)) == 1


@pytest.mark.parametrize("step", STEPS)
def test_no_new_byte_leaves_after_the_latch_at_whatever_step_it_comes(step: int) -> None:
    """K1: of an order whose request had not begun nothing comes to the venue; one that had is withdrawn."""
    drill = Drill(step=step)
    landing = killed(SIMULATED_HK, drill, Plan(wishes=(RESTING,), seconds=45.0))
    assert drill.pressed
    assert landing.accusations == []
    assert drill.arrived_later == 0
    assert landing.requests == drill.begun_at_latch
    assert landing.states[0] in (OrderState.CANCELED, OrderState.NOT_PLACED)


def test_a_restart_keeps_the_latch_and_goes_on_cancelling() -> None:
    """C20: killed right after the latch, the next life is latched, withdraws what rests and sends nothing."""
    drill = Drill(crash_after=0.005)
    landing = killed(HUATAI, drill, Plan(wishes=(RESTING,), seconds=150.0))
    assert landing.accusations == []
    assert landing.words[1:] == [["denied"]]
    assert (landing.states, landing.requests) == ([OrderState.CANCELED], 1)
    assert len(said(landing, DONE)) == 1


def test_a_cancel_that_was_refused_is_asked_for_again_and_a_person_is_paged() -> None:
    """The client says twice that it did not cancel: asked a third time, and after a minute the order is named."""
    quirks = tuple(QuirkFault(quirk="cancel_not_sent", occasion=n) for n in (1, 2))
    landing = killed(EASYTHS, Drill(), Plan(wishes=(RESTING,), seconds=190.0, schedule=quirks))
    assert landing.accusations == []
    assert (landing.states, landing.cancels) == ([OrderState.CANCELED], 3)
    (page,) = said(landing, "PAGE: 1 orders are still open")
    assert "wisher-1" in page.text
    assert page.ts_ns < said(landing, DONE)[0].ts_ns


def test_a_halt_leaves_what_works_alone() -> None:
    """Level HALT stops new orders only."""
    landing = killed(SIMULATED_HK, Drill(level=KillLevel.HALT), Plan(wishes=(RESTING,), seconds=60.0))
    assert landing.accusations == []
    assert (landing.states, landing.cancels) == ([OrderState.WORKING], 0)


@pytest.mark.long
def test_a_strangers_order_beside_ours_is_never_cancelled() -> None:
    """EasyTHS cancels by symbol and side: ours can not be reached alone, so none is sent and a person is paged."""
    plan = Plan(wishes=(RESTING,), seconds=150.0, person=6.0, person_rests=True)
    landing = killed(EASYTHS, Drill(), plan)
    assert (landing.states, landing.cancels) == ([OrderState.WORKING], 0)
    assert said(landing, "PAGE")
    assert [stranger.live for stranger in landing.strangers] == [True]


@pytest.mark.long
def test_over_lunch_the_request_is_kept_and_carried_out_when_the_exchange_is_back() -> None:
    """Latched at 11:30:20: no page while the exchange acts on no cancel; withdrawn after 13:00 without a flood."""
    drill = Drill(start="2026-03-03T11:28:50+08:00", at=90.0)
    landing = killed(EASYTHS, drill, Plan(wishes=(RESTING,), seconds=5_600.0))
    assert landing.accusations == []
    assert landing.states == [OrderState.CANCELED]
    assert landing.cancels <= 3
    assert said(landing, "PAGE") == []
