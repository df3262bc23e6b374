"""Every order side, case by case: the whole engine over the venue's simulator, and at the end our account is theirs.

``Stage.compare`` holds the two accounts against each other at the end of every flight: positions, cash, each order of
ours there at most once, and filled, ended or working as we believe. What fails it is in ``accusations``. Besides, each
test says what the strategy must have heard.
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
from tests.router_builders import GIFT_LOTS, PERSON_LOTS, Landing, rehearsed
from tests.router_plans import Plan, Strike, Wish
from tests.router_stages import STAGES

GAME, HK, SIMULATED_HK, EASYTHS, OLD_EASYTHS, HUATAI = STAGES
FUTU = (HK, SIMULATED_HK)
EASY = (EASYTHS, OLD_EASYTHS)
DESKTOPS = (*EASY, HUATAI)
LOTS = dict.fromkeys(STAGES, 100) | {GAME: 1}

AT_ONCE = "it fills a market order whole, in the answer: nothing rests, fills in parts or can be cancelled"
ITS_WORDS = "a refusal is the answer, and its words are in it"
LIKE_THE_REAL = "how fills are told is all that differs from the real account, and here it does not matter"
LIKE_THE_NEW = "how answers are worded is all that differs from the newer server, and here it does not matter"
LEFT_OUT: dict[str, dict[str, str]] = {
    "accept": {},
    "refuse": {SIMULATED_HK: LIKE_THE_REAL},
    "a refusal without words": {GAME: ITS_WORDS, HK: ITS_WORDS, SIMULATED_HK: ITS_WORDS, OLD_EASYTHS: LIKE_THE_NEW},
    "partial fill": {GAME: AT_ONCE, OLD_EASYTHS: LIKE_THE_NEW},
    "cancel": {GAME: AT_ONCE},
    "cancel that loses the race": {GAME: AT_ONCE, OLD_EASYTHS: LIKE_THE_NEW},
    "time-out with the order in": {},
    "time-out with the order in later": {SIMULATED_HK: LIKE_THE_REAL, OLD_EASYTHS: LIKE_THE_NEW},
    "time-out with the order not in": {SIMULATED_HK: LIKE_THE_REAL, OLD_EASYTHS: LIKE_THE_NEW},
    "an answer that proves nothing": {SIMULATED_HK: LIKE_THE_REAL},
    "duplicate report": {OLD_EASYTHS: LIKE_THE_NEW},
    "session lost": {SIMULATED_HK: LIKE_THE_REAL, OLD_EASYTHS: LIKE_THE_NEW},
    "server restarted": {SIMULATED_HK: LIKE_THE_REAL},
    "shares from nowhere": {SIMULATED_HK: LIKE_THE_REAL, OLD_EASYTHS: LIKE_THE_NEW},
    "a person beside us": {OLD_EASYTHS: LIKE_THE_NEW},
    "a person's order beside ours": {GAME: AT_ONCE, SIMULATED_HK: LIKE_THE_REAL, OLD_EASYTHS: LIKE_THE_NEW},
}
"""Case -> stage that can not have it, or shows nothing new in it -> why."""
BARE: dict[str, dict[str, Any]] = {"stream": {"url": "ws://127.0.0.1:1/stream"}}
"""Gateways without an order side: the settings they can not be opened without."""
NO_PUSHES = (PushRate(kind=PushFault.LOSE, chance=1.0, only="trade"),)


def over(case: str) -> pytest.MarkDecorator:
    """Every stage that has something to show in the case."""
    return pytest.mark.parametrize("stage", [name for name in STAGES if name not in LEFT_OUT[case]])


def crossing(stage: str, **terms: Any) -> Wish:
    """An order that fills as soon as it is there."""
    return Wish(place="market" if stage == GAME else "through", **terms)


def flown(stage: str, *wishes: Wish, **plan: Any) -> Landing:
    """Fly it, and hold the accounts against each other: nothing was done twice, or behind our back."""
    landing = rehearsed(STAGES[stage], Plan(wishes=wishes, **plan))
    assert landing.accusations == []
    assert landing.requests == len(wishes)
    assert [heard.filled for heard in landing.heard] == [sum(o.filled for o in found) for found in landing.ours]
    if "person" not in plan:
        assert landing.strangers == []
        assert landing.external == []
        assert landing.external_cash <= slack(stage, landing)
    return landing


def slack(stage: str, landing: Landing) -> Decimal:
    """How much money a reading may find that no fill explains.

    The game books whole coins; EasyTHS shows average prices with three decimals; a Hong Kong broker charges an order
    where our rule book charges its fills, and for simulated ones nothing.
    """
    orders = [order for found in landing.ours for order in found]
    if stage == GAME:
        return Decimal(2)
    if stage in EASY:
        return sum(order.filled for order in orders) * Decimal("0.0005")
    if stage == HUATAI:
        return Decimal(0)
    fills = sum(word.startswith("fill ") for words in landing.words for word in words)
    return 20 * fills + sum((order.value for order in orders), Decimal(0)) / 500


def first_order(stage: str, kind: ServerKind) -> tuple[Fault, ...]:
    """The server does this with the first order; where pushes would tell of it all the same, they are lost."""
    fault = ServerFault(kind=kind, call=1, route="order" if stage in DESKTOPS else "trade")
    return (fault, *NO_PUSHES) if stage in FUTU else (fault,)


def test_every_gateway_with_an_order_side_is_flown() -> None:
    """A gateway with an account to trade, or a router, has a stage here; one of its names is enough."""
    stages = {stage.settings: stage for stage in STAGES.values()}
    for name, settings in GATEWAYS.items():
        if settings in stages:
            simulators = {SIMULATORS[each] for each in GATEWAYS if GATEWAYS[each] is settings and each in SIMULATORS}
            assert simulators == {stages[settings].simulator}, name
            continue
        assert "account" not in settings.__struct_fields__, f"{name} has an account and no stage: write one"
        gateway = settings(**BARE.get(name, {})).open(surroundings(ReplayClock(0)))
        assert gateway.router is None, f"{name} has a router and no stage: write one"


def test_each_gateway_has_every_case_it_can_have() -> None:
    """A stage is left out of a case for a reason; where that is its likeness to another one, that one is not."""
    for case, reasons in LEFT_OUT.items():
        assert set(reasons) < set(STAGES), case
        assert all(reasons.values()), case
        assert LIKE_THE_REAL not in reasons.values() or HK not in reasons, case
        assert LIKE_THE_NEW not in reasons.values() or EASYTHS not in reasons, case


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
    """What our own limits let through and the venue does not take is REJECTED, in the venue's words."""
    landing = flown(stage, crossing(stage), cash=20, unchecked=frozenset({"Cash", "Concentration", "GrossExposure"}))
    assert landing.words == [["rejected"]]
    assert {GAME: "金币不足", HK: "购买力不足"}.get(stage, "资金不足") in landing.heard[0].reasons[0]
    assert (landing.states, landing.ours) == ([OrderState.REJECTED], [[]])


@over("a refusal without words")
def test_a_refusal_without_words(stage: str) -> None:
    """The counter refused, and what the client says does not tell: unknown, then proven not to be there."""
    plan: dict[str, Any] = {"more": {"dialogs": "confirm"}}
    if stage in EASY:
        plan = {"schedule": (QuirkFault(quirk="late_popup", occasion=1),)}
    landing = flown(
        stage,
        crossing(stage),
        cash=20,
        unchecked=frozenset({"Cash", "Concentration", "GrossExposure"}),
        seconds=170.0,
        **plan,
    )
    assert landing.words == [["unknown", "not placed"]]
    assert (landing.states, landing.ours) == ([OrderState.NOT_PLACED], [[]])


@over("partial fill")
def test_partial_fill(stage: str) -> None:
    """A part fills and the rest is withdrawn: the part is what we hold."""
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


@over("cancel that loses the race")
def test_cancel_that_comes_after_the_fill(stage: str) -> None:
    """The venue had filled it when the cancel was asked, and we did not know: it is filled, and not cancelled."""
    if stage in FUTU:
        landing = flown(stage, Wish(place="away", cancel_on="reached"), fall_before=1.0, schedule=NO_PUSHES)
    else:
        landing = flown(stage, Wish(place="away", cancel_on="passed"), fall_before=1.0, tick_seconds=30.0)
    lost_the_race(landing, stage)
    assert landing.heard[0].cancel_ns >= landing.ours[0][0].filled_ns


@over("cancel that loses the race")
def test_cancel_that_is_overtaken_by_the_fill(stage: str) -> None:
    """The cancel was on its way, or taken already, when the order filled: it is filled, and not cancelled."""
    if stage in FUTU:
        # The broker takes two seconds to withdraw it, and fills it half a second before they are over.
        more = {"pace": Pace(partial=0.0, cancel_ms=2000)}
        landing = flown(stage, Wish(place="away", cancel=3.5), fall_before=0.5, more=more)
    else:
        before = 7.0 if stage == HUATAI else 1.5
        landing = flown(stage, Wish(place="away", cancel_on="reached"), fall_before=before, tick_seconds=30.0)
    lost_the_race(landing, stage)
    assert landing.cancels == 1
    assert landing.heard[0].cancel_ns < landing.ours[0][0].filled_ns


def lost_the_race(landing: Landing, stage: str) -> None:
    """A cancel was asked, and nothing was withdrawn."""
    assert landing.heard[0].cancel_ns
    assert "canceled" not in landing.words[0]
    assert landing.heard[0].filled == LOTS[stage]
    assert landing.states == [OrderState.FILLED]


@over("time-out with the order in")
def test_time_out_with_the_order_in(stage: str) -> None:
    """Done at once, and answered when we had given up: unknown, then filled, and sent once."""
    landing = flown(stage, crossing(stage), schedule=first_order(stage, ServerKind.LATE_ANSWER))
    assert landing.fired["server.late_answer"] == 1
    assert landing.stories == [["unknown", "filled"]]
    assert landing.states == [OrderState.FILLED]


@over("time-out with the order in later")
def test_time_out_with_the_order_in_later(stage: str) -> None:
    """Done only when we had given up: found all the same, and never sent again.

    Futu's gateway is not waited for that long: its order was thought not to be there, so that a person is told
    (RELIABILITY 5.1, N6).
    """
    schedule = first_order(stage, ServerKind.LATE_BOOKING)
    late_seconds = 70.0 if stage in EASY else 45.0
    landing = flown(stage, crossing(stage), schedule=schedule, late_seconds=late_seconds, seconds=170.0)
    assert landing.fired["server.late_booking"] == 1
    assert landing.states == [OrderState.FILLED]
    doubted = ["not placed"] if stage in FUTU else []
    assert landing.stories == [["unknown", *doubted, "filled"]]
    told = [alert.text for alert in landing.alerts if alert.about == "order:wisher-1"]
    assert any("resurrected" in text.lower() for text in told) is bool(doubted)


@over("time-out with the order not in")
def test_time_out_with_the_order_not_in(stage: str) -> None:
    """Nothing done, nothing answered: unknown, then proven not to be there."""
    landing = flown(stage, crossing(stage), schedule=first_order(stage, ServerKind.DROP_BEFORE), seconds=170.0)
    assert landing.fired["server.drop_before"] == 1
    assert landing.words == [["unknown", "not placed"]]
    assert (landing.states, landing.ours) == ([OrderState.NOT_PLACED], [[]])


def misleading(stage: str, is_in: bool) -> tuple[Fault, ...]:
    """An answer to the first order that does not show whether it is in."""
    if stage == GAME:
        return first_order(stage, ServerKind.ERROR_AFTER if is_in else ServerKind.ERROR_BEFORE)
    if stage in FUTU:
        return AnswerLoss(kind=AnswerFault.TIMEOUT_DONE if is_in else AnswerFault.TIMEOUT_LOST, call=1), *NO_PUSHES
    if stage == HUATAI:
        return (QuirkFault(quirk="refused_text_after_placing" if is_in else "success_not_placed", occasion=1),)
    return (QuirkFault(quirk="failed_after_placing" if is_in else "success_without_order", occasion=1),)


@over("an answer that proves nothing")
@pytest.mark.parametrize("is_in", [True, False], ids=["in", "not in"])
def test_an_answer_that_proves_nothing(stage: str, is_in: bool) -> None:
    """It says no, or too little, and the order is in; it says yes, or as little, and it is not: we find out."""
    landing = flown(stage, crossing(stage), schedule=misleading(stage, is_in), seconds=170.0)
    assert landing.stories == [["unknown", "filled" if is_in else "not placed"]]
    assert [len(found) for found in landing.ours] == [is_in]


@over("duplicate report")
def test_duplicate_report(stage: str) -> None:
    """The same news twice is counted once: a push, rows and trades, the game's account before its answer."""
    if stage == GAME:
        late = {"late_seconds": 9.5, "account_poll": "4500ms"}
        plan: dict[str, Any] = {"schedule": first_order(stage, ServerKind.LATE_ANSWER)} | late
    elif stage in FUTU:
        plan = {"schedule": (PushRate(kind=PushFault.REPEAT, chance=1.0, only="trade"),)}
    else:
        # Of EasyTHS's tables each third is that of the holdings, which it refuses to read with a row twice.
        numbers = [number for number in range(1, 100) if stage == HUATAI or number % 3]
        plan = {"schedule": tuple(QuirkFault(quirk="repeated_rows", occasion=number) for number in numbers)}
    landing = flown(stage, crossing(stage, lots=4), **plan)
    assert landing.stories == [["filled"]]
    assert landing.heard[0].filled == 4 * LOTS[stage]
    assert sum(landing.fired.values()) >= (1 if stage == GAME else 3)


@over("session lost")
def test_session_lost_in_mid_order(stage: str) -> None:
    """Our session ends, or the client does, with an order out that fills meanwhile; once it is back we find that."""
    later = crossing(stage, at_seconds=120.0)
    if stage == GAME:
        strike, schedule = Strike(what="session", seconds=0.5), first_order(stage, ServerKind.LATE_ANSWER)
        landing = flown(stage, crossing(stage), later, strike=strike, schedule=schedule, seconds=190.0)
        assert landing.stories[0] == ["unknown", "filled"]
    else:
        # As long as the account's period, so that it is read, in vain, in between.
        strike = Strike(what="session", seconds=12.0, down_seconds=65.0)
        landing = flown(stage, Wish(place="away"), later, strike=strike, fall_before=1.0, seconds=190.0)
        assert landing.words[0] == ["accepted", f"fill {LOTS[stage]}"]
    assert landing.struck
    assert landing.stories[1] == ["filled"]


@over("session lost")
def test_an_order_that_meets_a_lost_session(stage: str) -> None:
    """It is not in, whether the venue says so or not; the next one is."""
    strike = Strike(what="session", seconds=0.0, down_seconds=10.0)
    landing = flown(stage, crossing(stage), crossing(stage, at_seconds=120.0), strike=strike, seconds=200.0)
    assert landing.stories == [["unknown", "not placed"] if stage in FUTU else ["rejected"], ["filled"]]
    assert landing.ours[0] == []


MOMENTS = {GAME: (0.2,), HK: (0.3,), EASYTHS: (0.5, 1.2), OLD_EASYTHS: (0.5, 1.2), HUATAI: (0.5, 2.2)}
"""Seconds after the order came: before the client presses the key and after it, where there is one."""


@pytest.mark.parametrize(
    ("stage", "seconds"),
    [(n, s) for n in STAGES if n not in LEFT_OUT["server restarted"] for s in MOMENTS[n]],
)
def test_server_restarted_in_mid_order(stage: str, seconds: float) -> None:
    """The server starts anew with one order at rest and another under way: the one can still be cancelled; the other is
    unknown, and then in or not, as it really is.
    """
    rests = () if stage == GAME else (Wish(place="away", cancel=90.0),)
    plan: dict[str, Any] = {"strike": Strike(what="restart", seconds=seconds, order=1 + len(rests))}
    if stage == GAME:
        plan["schedule"] = first_order(stage, ServerKind.LATE_ANSWER)
    elif stage in FUTU:
        plan |= {"more": {"answer_ms": 1500}, "schedule": NO_PUSHES}
    landing = flown(stage, *rests, crossing(stage, at_seconds=20.0), seconds=170.0, **plan)
    assert landing.struck
    assert landing.stories[:-1] == [["cancel asked", "canceled"] for _ in rests]
    is_in = bool(landing.ours[-1])
    assert landing.stories[-1] == ["unknown", "filled" if is_in else "not placed"]
    assert landing.states[-1] is (OrderState.FILLED if is_in else OrderState.NOT_PLACED)
    if stage not in EASY or seconds == MOMENTS[stage][-1]:
        # The client of EasyTHS may yet do what it was about to do.
        assert is_in is (seconds == MOMENTS[stage][-1])


@over("a person beside us")
def test_a_person_who_trades_by_hand_beside_us(stage: str) -> None:
    """What he buys is booked as EXTERNAL, once, and said; ours is ours."""
    landing = flown(stage, crossing(stage), person=6.0, seconds=200.0)
    assert landing.stories == [["filled"]]
    assert landing.heard[0].filled == LOTS[stage]
    (stranger,) = landing.strangers
    assert stranger.filled == PERSON_LOTS * LOTS[stage]
    assert landing.external == [(stranger.instrument, stranger.filled)]
    assert any("no order of ours explains" in alert.text for alert in landing.alerts)
    # Where a list shows his order it is explained; where there is none, a person had to accept it.
    assert landing.latched is (stage == GAME)


@over("shares from nowhere")
def test_shares_that_nothing_explains_latch_the_account_until_a_person_accepts_them(stage: str) -> None:
    """They turn up beside our own trade: no new order until they are accepted, and then the books agree."""
    wishes = (crossing(stage), crossing(stage, at_seconds=330.0))
    landing = rehearsed(STAGES[stage], Plan(wishes=wishes, gift=6.0, seconds=345.0))
    assert landing.accusations == []
    assert (landing.latched, landing.requests) == (True, 1)
    assert [quantity for _, quantity in landing.external] == [GIFT_LOTS * LOTS[stage]]
    assert landing.stories == [["filled"], ["denied"]]
    assert "unexplained difference" in landing.heard[1].reasons[-1]
    assert any("run.py accept" in alert.text for alert in landing.alerts)


@over("a person's order beside ours")
def test_a_cancel_beside_a_persons_order(stage: str) -> None:
    """His order rests beside ours: ours is withdrawn and his stays; where a cancel would reach both, none is sent."""
    landing = flown(stage, Wish(place="away", cancel=30.0), person=6.0, person_rests=True, seconds=110.0)
    (stranger,) = landing.strangers
    assert stranger.live
    if stage in EASY:
        assert landing.words == [["accepted", "cancel asked", "cancel rejected"]]
        assert (landing.states, landing.cancels) == ([OrderState.WORKING], 0)
    else:
        assert landing.words == [["accepted", "cancel asked", "canceled"]]
