"""Every order side, case by case: the whole engine over the venue's simulator, and at the end our account is theirs.

``Stage.compare`` holds the two accounts against each other at the end of every flight: positions, cash, each order of
ours there at most once, and as filled, ended or working as we believe. What fails it is in ``accusations``. Besides,
each test says what the strategy must have heard.
"""

from decimal import Decimal
from typing import Any

import pytest

from engine.chaos.faults import AnswerLoss, Fault, PushRate, QuirkFault, ServerFault
from engine.clock import ReplayClock
from engine.domain.order import OrderState
from engine.gateways import GATEWAYS
from engine.simulators import SIMULATORS
from engine.simulators.faults import Fault as ServerKind
from engine.simulators.futu import AnswerFault, PushFault
from engine.simulators.futu.desk import Pace
from tests.gateway_builders import surroundings
from tests.router_builders import PERSON_LOTS, Landing, Plan, Strike, Wish, rehearsed
from tests.router_stages import STAGES

GAME, HK, SIMULATED_HK, EASYTHS, OLD_EASYTHS, HUATAI = STAGES
FUTU, EASYTHSES = (HK, SIMULATED_HK), (EASYTHS, OLD_EASYTHS)
LOTS = dict.fromkeys(STAGES, 100) | {GAME: 1}
AT_ONCE = (
    "it fills a market order whole, in the answer: nothing rests, nothing fills in parts, nothing can be cancelled"
)
LEFT_OUT: dict[str, dict[str, str]] = {
    "partial fill": {GAME: AT_ONCE},
    "cancel": {GAME: AT_ONCE},
    "lost race": {GAME: AT_ONCE},
    "resting beside a person": {GAME: AT_ONCE},
    "lost words of a refusal": {
        GAME: "its refusals are answers of their own",
        HK: "its refusals are answers of their own",
        SIMULATED_HK: "its refusals are answers of their own",
    },
}
"""Case -> stage that can not have it -> why."""
BARE: dict[str, dict[str, Any]] = {"stream": {"url": "ws://127.0.0.1:1/stream"}}
"""Gateways without an order side: the settings they can not be opened without."""

NO_PUSHES = (PushRate(kind=PushFault.LOSE, chance=1.0, only="trade"),)
ROUTES = {GAME: "trade", HK: "trade", SIMULATED_HK: "trade", EASYTHS: "order", HUATAI: "order"}


def over(case: str) -> pytest.MarkDecorator:
    """All stages but those that can not have the case."""
    return pytest.mark.parametrize("stage", [name for name in STAGES if name not in LEFT_OUT.get(case, {})])


def crossing(stage: str, **terms: Any) -> Wish:
    """An order that fills as soon as it is there."""
    return Wish(place="market" if stage == GAME else "through", **terms)


def flown(stage: str, *wishes: Wish, **plan: Any) -> Landing:
    """Fly it, and hold the accounts against each other."""
    landing = rehearsed(STAGES[stage], Plan(wishes=wishes, **plan))
    assert landing.accusations == []
    assert landing.requests == sum("denied" not in heard.words for heard in landing.heard)
    if "person" not in plan:
        assert landing.external == []
        assert abs(landing.external_cash) <= slack(stage, landing)
    for heard, found in zip(landing.heard, landing.ours, strict=False):
        assert heard.filled == sum(order.filled for order in found)
    return landing


def slack(stage: str, landing: Landing) -> Decimal:
    """How much money a reading may find that no fill explains.

    The game books whole coins; a Hong Kong broker charges an order where our rule book charges its fills, and for
    simulated ones nothing. On the mainland both sides charge alike.
    """
    if stage == GAME:
        return Decimal(2)
    if stage in (EASYTHS, HUATAI):
        return Decimal(0)
    worth = sum((order.value for found in landing.ours for order in found), Decimal(0))
    fills = sum(word.startswith("fill ") for words in landing.words for word in words)
    return 20 * fills + worth / 500


def first_order(stage: str, kind: ServerKind) -> tuple[Fault, ...]:
    """The server does this with the first order; where pushes would tell of it all the same, they are lost."""
    fault = ServerFault(kind=kind, call=1, route=ROUTES[stage])
    return (fault, *NO_PUSHES) if stage in (HK, SIMULATED_HK) else (fault,)


def test_every_gateway_with_an_order_side_is_flown() -> None:
    """A gateway that has an account to trade, or a router, has a stage here; one of its aliases is enough."""
    stages = {stage.settings: stage for stage in STAGES.values()}
    for name, settings in GATEWAYS.items():
        if settings in stages:
            known = {SIMULATORS[each] for each in GATEWAYS if GATEWAYS[each] is settings and each in SIMULATORS}
            assert known == {stages[settings].simulator}, name
            continue
        assert "account" not in settings.__struct_fields__, f"{name} has an account and no stage: write one"
        assert settings(**BARE.get(name, {})).open(surroundings(ReplayClock(0))).router is None, (
            f"{name} has a router and no stage"
        )


def test_what_is_left_out_has_a_stage_and_a_reason() -> None:
    """The table names stages that exist, and never all of them."""
    for case, names in LEFT_OUT.items():
        assert set(names) < set(STAGES), case
        assert all(names.values()), case


@over("accept")
def test_accept(stage: str) -> None:
    """A good order is accepted and fills; one away from the price works on at the end, there as here."""
    rests = () if stage == GAME else (Wish(at_seconds=20.0, place="away"),)
    landing = flown(stage, crossing(stage), *rests)
    assert landing.gateway.__module__ == STAGES[stage].settings.__module__
    assert landing.stories == [["filled"], *([] for _ in rests)]
    assert landing.heard[0].filled == LOTS[stage]
    assert landing.states == [OrderState.FILLED, *(OrderState.WORKING for _ in rests)]
    assert [[order.live for order in found] for found in landing.ours] == [[False], *([True] for _ in rests)]


@over("refuse")
def test_refuse(stage: str) -> None:
    """What our own limits let through and the venue does not take is REJECTED in the venue's words."""
    landing = flown(stage, crossing(stage), cash=20, unchecked=frozenset({"Cash"}))
    words = {GAME: "金币不足", HK: "购买力不足", SIMULATED_HK: "购买力不足", EASYTHS: "资金不足", HUATAI: "资金不足"}
    assert landing.words == [["rejected"]]
    assert words[stage] in landing.heard[0].reasons[0]
    assert (landing.states, landing.ours) == ([OrderState.REJECTED], [[]])


@over("lost words of a refusal")
def test_a_refusal_whose_words_are_lost(stage: str) -> None:
    """The counter refused, and the client's answer does not say so: unknown, then proven not to be there."""
    late = (QuirkFault(quirk="late_popup", occasion=1),) if stage == EASYTHS else ()
    more = {} if stage == EASYTHS else {"dialogs": "confirm"}
    landing = flown(
        stage, crossing(stage), cash=20, unchecked=frozenset({"Cash"}), schedule=late, more=more, seconds=170.0
    )
    assert landing.words == [["unknown", "not placed"]]
    assert (landing.states, landing.ours) == ([OrderState.NOT_PLACED], [[]])


@over("partial fill")
def test_partial_fill(stage: str) -> None:
    """A part fills, the rest is withdrawn: the fills we heard are the part."""
    wish = crossing(stage, lots=8, cancel_on="fill")
    landing = flown(stage, wish, partial=1.0, tick_seconds={EASYTHS: 30.0, HUATAI: 60.0}.get(stage))
    assert landing.stories == [["filled", "cancel asked", "canceled"]]
    assert landing.states == [OrderState.CANCELED]
    assert 0 < landing.heard[0].filled < 8 * LOTS[stage]


@over("partial fill")
def test_parts_that_come_to_the_whole(stage: str) -> None:
    """It fills in parts until nothing is left, and each part is heard once."""
    landing = flown(stage, crossing(stage, lots=8), partial=1.0, tick_seconds=10.0, seconds=120.0)
    assert landing.stories == [["filled"]]
    assert landing.states == [OrderState.FILLED]
    assert len([word for word in landing.words[0] if word.startswith("fill ")]) > 1


@over("cancel")
def test_cancel(stage: str) -> None:
    """An order that rests is withdrawn when it is wanted back."""
    landing = flown(stage, Wish(place="away", cancel=15.0))
    assert landing.words == [["accepted", "cancel asked", "canceled"]]
    assert landing.states == [OrderState.CANCELED]
    assert landing.cancels == 1


@over("lost race")
def test_cancel_that_comes_after_the_fill(stage: str) -> None:
    """The venue had filled it when the cancel was asked, and we did not know: it is filled, and not cancelled."""
    pushed = stage in (HK, SIMULATED_HK)
    wish = Wish(place="away", cancel_on="reached" if pushed else "passed")
    schedule = NO_PUSHES if pushed else ()
    landing = flown(stage, wish, schedule=schedule, fall_before=1.0, tick_seconds=5.0 if pushed else 30.0)
    lost(landing, stage)
    assert landing.heard[0].cancel_ns >= landing.ours[0][0].filled_ns


@over("lost race")
def test_cancel_that_is_overtaken_by_the_fill(stage: str) -> None:
    """The cancel was on its way, or taken already, when the order filled: it is filled, and not cancelled."""
    if stage in (HK, SIMULATED_HK):
        # The broker needs two seconds to withdraw it; one second before the tick it was told to.
        more = {"pace": Pace(partial=0.0, cancel_ms=2000)}
        landing = flown(stage, Wish(place="away", cancel=3.5), fall_before=0.5, more=more)
    else:
        before = 1.5 if stage == EASYTHS else 7.0
        landing = flown(stage, Wish(place="away", cancel_on="reached"), fall_before=before, tick_seconds=30.0)
    lost(landing, stage)
    assert landing.cancels == 1
    assert landing.heard[0].cancel_ns < landing.ours[0][0].filled_ns


def lost(landing: Landing, stage: str) -> None:
    """The race was lost: withdrawn was nothing."""
    assert landing.states == [OrderState.FILLED]
    assert landing.heard[0].filled == LOTS[stage]
    assert landing.heard[0].cancel_ns
    assert "canceled" not in landing.words[0]


@over("time-out with the order in")
def test_time_out_with_the_order_in(stage: str) -> None:
    """Done, and answered when we had given up: unknown, then filled, and sent once."""
    landing = flown(stage, crossing(stage), schedule=first_order(stage, ServerKind.LATE_ANSWER))
    assert landing.fired["server.late_answer"] == 1
    assert landing.stories == [["unknown", "filled"]]
    assert landing.states == [OrderState.FILLED]


@over("time-out with the order in")
def test_time_out_with_the_order_in_later(stage: str) -> None:
    """Done only when we had given up: found all the same, and never sent again.

    Futu's gateway is not waited for that long: its order was thought not to be there, so that a person is told
    (RELIABILITY 5.1, N6).
    """
    schedule = first_order(stage, ServerKind.LATE_BOOKING)
    late_seconds = 70.0 if stage == EASYTHS else 45.0
    landing = flown(stage, crossing(stage), schedule=schedule, late_seconds=late_seconds, seconds=170.0)
    assert landing.fired["server.late_booking"] == 1
    assert landing.states == [OrderState.FILLED]
    doubted = ["not placed"] if stage in (HK, SIMULATED_HK) else []
    assert landing.stories == [["unknown", *doubted, "filled"]]
    assert any(alert.about == "order:wisher-1" for alert in landing.alerts) is bool(doubted)


@over("time-out with the order not in")
def test_time_out_with_the_order_not_in(stage: str) -> None:
    """Nothing done, nothing answered: unknown, then proven not to be there."""
    landing = flown(stage, crossing(stage), schedule=first_order(stage, ServerKind.DROP_BEFORE), seconds=170.0)
    assert landing.fired["server.drop_before"] == 1
    assert landing.words == [["unknown", "not placed"]]
    assert (landing.states, landing.ours) == ([OrderState.NOT_PLACED], [[]])


ANSWERS: dict[str, dict[bool, Fault]] = {
    GAME: {
        True: ServerFault(kind=ServerKind.ERROR_AFTER, call=1, route="trade"),
        False: ServerFault(kind=ServerKind.ERROR_BEFORE, call=1, route="trade"),
    },
    HK: {
        True: AnswerLoss(kind=AnswerFault.TIMEOUT_DONE, call=1),
        False: AnswerLoss(kind=AnswerFault.TIMEOUT_LOST, call=1),
    },
    EASYTHS: {
        True: QuirkFault(quirk="failed_after_placing", occasion=1),
        False: QuirkFault(quirk="success_without_order", occasion=1),
    },
    HUATAI: {
        True: QuirkFault(quirk="refused_text_after_placing", occasion=1),
        False: QuirkFault(quirk="success_not_placed", occasion=1),
    },
}
"""Stage -> whether the order is in -> what the venue does that its answer does not show."""


@pytest.mark.parametrize("is_in", [True, False], ids=["in", "not in"])
@pytest.mark.parametrize("stage", ANSWERS)
def test_an_answer_that_proves_nothing(stage: str, is_in: bool) -> None:
    """It says no, or too little, and the order is in; it says yes, or as little, and it is not: we find out."""
    schedule = (ANSWERS[stage][is_in], *(NO_PUSHES if stage == HK else ()))
    landing = flown(stage, crossing(stage), schedule=schedule, seconds=170.0)
    assert landing.stories == [["unknown", "filled" if is_in else "not placed"]]
    assert [len(found) for found in landing.ours] == [is_in]


@over("duplicate report")
def test_duplicate_report(stage: str) -> None:
    """The same news twice (push, row, trade; at the game's answer and account) is counted once."""
    if stage == GAME:
        # The answer takes longer than the account needs to show it: the reading is the first report.
        plan: dict[str, Any] = {
            "schedule": first_order(stage, ServerKind.LATE_ANSWER),
            "late_seconds": 9.5,
            "account_poll": "4500ms",
        }
    elif stage in (HK, SIMULATED_HK):
        plan = {"schedule": (PushRate(kind=PushFault.REPEAT, chance=1.0, only="trade"),)}
    else:
        # Of EasyTHS's tables each third is that of the holdings, which it would refuse to read.
        numbers = [number for number in range(1, 100) if stage == HUATAI or number % 3]
        plan = {"schedule": tuple(QuirkFault(quirk="repeated_rows", occasion=number) for number in numbers)}
    landing = flown(stage, crossing(stage, lots=4), **plan)
    assert landing.stories == [["filled"]]
    assert landing.heard[0].filled == 4 * LOTS[stage]
    assert sum(landing.fired.values()) >= (1 if stage == GAME else 3)


@over("session lost")
def test_session_lost_in_mid_order(stage: str) -> None:
    """Our session ends, or the client does, while an order is out; what became of it is found when it is back."""
    strike = Strike(what="session", seconds=0.5 if stage == GAME else 12.0, down_seconds=20.0)
    later = crossing(stage, at_seconds=80.0)
    if stage == GAME:
        schedule = first_order(stage, ServerKind.LATE_ANSWER)
        landing = flown(stage, crossing(stage), later, strike=strike, schedule=schedule, seconds=150.0)
        assert landing.stories[0] == ["unknown", "filled"]
    else:
        landing = flown(stage, Wish(place="away"), later, strike=strike, fall_before=1.0, seconds=150.0)
        assert landing.words[0] == ["accepted", f"fill {LOTS[stage]}"]
    assert "strike session" in "".join(landing.lines)
    assert landing.stories[1:] == [["filled"]]


@over("session lost")
def test_an_order_that_meets_a_lost_session(stage: str) -> None:
    """It is not in, whether the venue says so or not; the next one is."""
    strike = Strike(what="session", seconds=0.0, down_seconds=10.0)
    landing = flown(stage, crossing(stage), crossing(stage, at_seconds=120.0), strike=strike, seconds=200.0)
    unsaid = stage in (HK, SIMULATED_HK)
    assert landing.stories == [["unknown", "not placed"] if unsaid else ["rejected"], ["filled"]]
    assert landing.ours[0] == []


@over("server restarted")
@pytest.mark.parametrize("late", [False, True], ids=["soon", "late"])
def test_server_restarted_in_mid_order(stage: str, late: bool) -> None:
    """The server starts anew with one order at rest and another under way: the one can still be cancelled, the other
    is unknown, then in or not, as it really is.
    """
    moments = {GAME: (0.2, 3.0), HK: (0.3, 1.0), SIMULATED_HK: (0.3, 1.0), EASYTHS: (0.5, 1.2), HUATAI: (0.5, 2.2)}
    rests = () if stage == GAME else (Wish(place="away", cancel=90.0),)
    strike = Strike(what="restart", seconds=moments[stage][late], order=1 + len(rests))
    plan: dict[str, Any] = {}
    if stage in (HK, SIMULATED_HK):
        plan = {"more": {"answer_ms": 1500}, "schedule": NO_PUSHES}
    elif stage == GAME:
        plan["schedule"] = first_order(stage, ServerKind.LATE_ANSWER)
    landing = flown(stage, *rests, crossing(stage, at_seconds=20.0), strike=strike, seconds=170.0, **plan)
    assert landing.stories[:-1] == [["cancel asked", "canceled"] for _ in rests]
    was_in = bool(landing.ours[-1])
    assert landing.stories[-1] == ["unknown", "filled" if was_in else "not placed"]
    assert landing.states[-1] is (OrderState.FILLED if was_in else OrderState.NOT_PLACED)
    assert was_in or stage in (EASYTHS, HUATAI)
    assert was_in is late or stage != HUATAI


@over("a person beside us")
def test_a_person_who_trades_by_hand_beside_us(stage: str) -> None:
    """What he buys is booked as EXTERNAL and said; ours is ours."""
    landing = flown(stage, crossing(stage), person=6.0, seconds=200.0)
    assert landing.stories == [["filled"]]
    assert landing.heard[0].filled == LOTS[stage]
    (stranger,) = landing.strangers
    assert stranger.filled == PERSON_LOTS * LOTS[stage]
    assert landing.external == [(stranger.instrument, stranger.filled)]
    assert any("no order of ours explains" in alert.text for alert in landing.alerts)


@over("resting beside a person")
def test_a_cancel_beside_a_persons_order(stage: str) -> None:
    """His order rests beside ours: ours is withdrawn and his stays; where a cancel would reach both, none is sent."""
    landing = flown(stage, Wish(place="away", cancel=30.0), person=6.0, person_rests=True, seconds=110.0)
    (stranger,) = landing.strangers
    assert stranger.live
    if stage == EASYTHS:
        assert landing.words == [["accepted", "cancel asked", "cancel rejected"]]
        assert (landing.states, landing.cancels) == ([OrderState.WORKING], 0)
    else:
        assert landing.words == [["accepted", "cancel asked", "canceled"]]
