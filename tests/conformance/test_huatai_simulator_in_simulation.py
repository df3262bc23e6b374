"""Pauses, parallel requests and restarts of the simulated HT server, in the simulation's own time."""

from decimal import Decimal
from typing import Any

import anyio
import httpx
import pytest

from engine.chaos.world import World, simulated
from engine.domain.timestamps import SECOND_NS
from engine.simulators.faults import Fault, Faults
from engine.simulators.huatai import HuataiQuirk, HuataiSimulator, HuataiVenue
from engine.simulators.serve import serve
from tests.huatai_simulator_builders import URL, Caller, a_market, played

# --- pauses ---


def test_every_route_takes_its_time() -> None:
    """The pauses of contracts/ht.md 4, halved by a factor of a half, none with 0."""

    async def main(caller: Caller) -> dict[str, float]:
        order = {"security": "600000", "price": caller.below(), "amount": 100}
        login = {"user": "u", "password": "p", "comm_password": "c"}
        return {
            "session-status": await caller.took("session-status"),
            "balance": await caller.took("balance"),
            "position": await caller.took("position"),
            "today-entrusts": await caller.took("today-entrusts"),
            "today-trades": await caller.took("today-trades"),
            "cancel-entrusts": await caller.took("cancel-entrusts"),
            "cancel-entrust": await caller.took("cancel-entrust", {"entrust_no": 1}),
            "cancel-all-entrusts": await caller.took("cancel-all-entrusts", {}),
            "connect": await caller.took("connect", {}),
            "refresh": await caller.took("refresh", {}),
            "market-buy": await caller.took("market-buy", {"security": "600000", "amount": 100, "ttype": "x"}),
            "buy": await caller.took("buy", order),
            "login": await caller.took("login", login),
        }

    whole, half, none = (played(main, pauses=factor) for factor in (1.0, 0.5, 0.0))
    expected = {
        "session-status": 0,
        "balance": 0.25,
        "position": 4.3,
        "today-entrusts": 4.3,
        "today-trades": 4.3,
        "cancel-entrusts": 4.8,
        "cancel-entrust": 8.7,
        "cancel-all-entrusts": 1.6,
        "connect": 2,
        "refresh": 0.5,
        "market-buy": 1,
    }
    for name, seconds in expected.items():
        assert whole[name] == pytest.approx(seconds, abs=0.05), name
        assert half[name] == pytest.approx(seconds / 2, abs=0.05), name
    assert 2 <= whole["buy"] <= 4.1
    assert 37 <= whole["login"] <= 60.1
    assert max(none.values()) < 0.1


# --- parallel requests ---


def two_at_once(**settings: Any) -> tuple[list[Any], list[tuple[str, int, Any]], list[str]]:
    """Two purchases sent together: the answers, what was placed, the numbers placed."""

    async def main(caller: Caller) -> Any:
        answers: list[Any] = [None, None]

        async def buy(place: int, code: str, price: float, amount: int) -> None:
            answers[place] = await caller.bought(price, amount, code)

        async with anyio.create_task_group() as group:
            group.start_soon(buy, 0, "600000", caller.below(), 100)
            group.start_soon(buy, 1, "600000", round(caller.below() - 0.05, 2), 300)
        placed = [(entrust.code, entrust.quantity, entrust.price) for entrust in caller.entrusts]
        return answers, placed, [str(entrust.number) for entrust in caller.entrusts]

    return played(main, dialogs="result", **settings)  # type: ignore[no-any-return]


def test_parallel_orders_come_out_with_each_others_price_and_quantity() -> None:
    """Both are answered as placed; the one whose answer has the first's number is of the other's terms."""
    answers, placed, numbers = two_at_once()
    by_number = dict(zip(numbers, placed, strict=True))
    told = [by_number[answer["data"]["entrust_id"]] for answer in answers]
    assert [quantity for _, quantity, _ in told] == [300, 100]
    assert told[1][2] - told[0][2] == Decimal("0.05")


def test_a_lock_keeps_them_apart() -> None:
    """Which no real server has."""
    answers, placed, numbers = two_at_once(lock=True)
    by_number = dict(zip(numbers, placed, strict=True))
    told = [by_number[answer["data"]["entrust_id"]] for answer in answers]
    assert [quantity for _, quantity, _ in told] == [100, 300]


def test_without_pauses_nothing_can_come_between() -> None:
    """The switch for tests that want no trouble."""
    answers, placed, numbers = two_at_once(pauses=0.0)
    assert [quantity for _, quantity, _ in placed] == [100, 300]
    assert [answer["data"]["entrust_id"] for answer in answers] == numbers


# --- restarts, and the whole of it ---


def test_a_restart_loses_the_sessions_and_breaks_what_is_under_way() -> None:
    """The connection of an order that is being typed breaks at once; the order is never placed."""

    async def main(caller: Caller) -> Any:
        venue, answers = caller.venue, []

        async def buy() -> None:
            before = venue.clock.now_ns
            answers.append((await caller.bought(), (venue.clock.now_ns - before) / SECOND_NS))

        before = (await caller.said("session-status"))["data"]["session_id"]
        async with anyio.create_task_group() as group:
            group.start_soon(buy)
            group.start_soon(buy)
            await venue.clock.sleep(SECOND_NS // 2)
            venue.restart()
        await venue.clock.sleep(5 * SECOND_NS)
        after = (await caller.said("session-status"))["data"]["session_id"]
        old = await caller.said(f"balance?session_id={before}")
        return answers, len(caller.entrusts), before == after, old["code"]

    for lock in (False, True):
        answers, placed, same, old = played(main, lock=lock)
        assert {answer for answer, _ in answers} <= {"RemoteProtocolError", "ReadError"}
        assert all(took < 0.6 for _, took in answers)
        assert len(answers) == 2
        assert (placed, same, old) == (0, False, 401)


EVERY_QUIRK = {quirk.value: 0.05 for quirk in HuataiQuirk if quirk is not HuataiQuirk.SESSION_SWAP}
EVERY_FAULT = Faults(probabilities={"*": dict.fromkeys(Fault, 0.03)})


async def _a_rough_hour(world: World) -> Any:
    """Orders, cancels and reads of one caller under all faults and quirks; a login where the client has gone."""
    clock = world.clock()
    simulator = HuataiSimulator(seed=7, quirks=EVERY_QUIRK, faults=EVERY_FAULT, server="B", layer="G2")
    app = simulator.app(clock, world.entropy, exchange=a_market(clock))
    venue: HuataiVenue = app.state.venue
    server = world.start("server", serve, app, "127.0.0.1", 5000)
    session = venue.sessions.open(clock.now_ns)
    draw = world.entropy.stream("caller")
    async with httpx.AsyncClient(base_url=URL, trust_env=False, params={"session_id": session}) as client:
        for number in range(200):
            price = round(float(venue.counter.last(venue.counter.shares[0])) * draw.uniform(0.99, 1.01), 2)
            name, body = draw.choice(
                [
                    ("buy", {"security": "600000", "price": price, "amount": 100 * draw.randint(1, 9)}),
                    ("cancel-entrust", {"entrust_no": 100 + draw.randint(1, 20)}),
                    ("today-entrusts", None),
                    ("position", None),
                    ("balance", None),
                    ("close-pop-dialog", {}),
                ]
            )
            if number % 10 == 9:
                name, body = "login", {"user": "12345678", "password": "your_trade_pwd", "comm_password": "x"}
            try:
                response = await client.request("GET" if body is None else "POST", name, json=body, timeout=30)
                world.trace(f"{name} {response.status_code} {response.text}")
            except httpx.TransportError as problem:
                world.trace(f"{name} {type(problem).__name__}")
            await clock.sleep(SECOND_NS // 2)
    await clock.sleep(90 * SECOND_NS)
    server.stop()
    await server.ended()
    entrusts = venue.counter.entrusts(clock.now_ns)
    world.trace(repr([(e.number, e.ts_ns, e.quantity, e.filled, e.request) for e in entrusts]))
    return len(entrusts), set(venue.quirks.fired), set(venue.faults.fired)


def test_a_rough_hour_repeats_itself_from_the_seed() -> None:
    """Equal digests for one seed, another for another; orders are placed, most quirks and faults are played."""
    outcome = simulated(_a_rough_hour, seed=5)
    assert outcome.findings == ()
    placed, quirks, faults = outcome.result
    assert placed > 5
    assert len(quirks) > 8
    assert len(faults) > 7
    assert simulated(_a_rough_hour, seed=5).digest == outcome.digest
    assert simulated(_a_rough_hour, seed=6).digest != outcome.digest
