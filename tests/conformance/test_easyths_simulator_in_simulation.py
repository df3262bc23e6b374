"""The simulated EasyTHS server on the simulation's loop: the same run for the same seed, faults and quirks included."""

from collections import Counter
from decimal import Decimal
from typing import Any

import anyio
import httpx
import pytest

from engine.chaos.world import World, simulated
from engine.domain.commands import Side
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.simulators.easyths import EasythsSimulator, Quirk
from engine.simulators.faults import Fault, Faults
from engine.simulators.serve import serve
from tests.easyths_simulator_builders import OPERATIONS, PUDONG, a_bare_market

START_NS = parse_time("2026-03-02 10:00:30", "Asia/Shanghai")
ORDER_FAULTS = {
    Fault.DROP_BEFORE: 0.1,
    Fault.DROP_AFTER: 0.1,
    Fault.CUT: 0.1,
    Fault.LATE_BOOKING: 0.1,
    Fault.MALFORMED: 0.1,
    Fault.ERROR_AFTER: 0.1,
    Fault.THROTTLED: 0.1,
}
NOT_DONE = (Fault.DROP_BEFORE, Fault.THROTTLED)
QUIRKS = {Quirk.SUCCESS_WITHOUT_ORDER: 0.1, Quirk.FAILED_AFTER_PLACING: 0.1, Quirk.SLOW_DIALOG: 0.1}


async def _trade(world: World) -> dict[str, Any]:
    """Sixty purchases, one a minute, each followed by a result that is waited for; a restart; a person's orders."""
    clock = world.clock(start_ns=START_NS)
    settings = EasythsSimulator(
        seed=3, faults=Faults(probabilities={"order": ORDER_FAULTS}), quirks={str(q): c for q, c in QUIRKS.items()}
    )
    app = settings.app(clock, world.entropy, exchange=a_bare_market(START_NS))
    venue = app.state.venue
    server = world.start("server", serve, app, "127.0.0.1", 7648)
    seen: list[str] = []

    async def call(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response | None:
        try:
            response = await client.request(method, path, **more)
        except httpx.TransportError as problem:
            seen.append(type(problem).__name__)
            world.trace(seen[-1])
            return None
        seen.append(f"{response.status_code} {len(response.content)}")
        world.trace(f"{seen[-1]} {response.text[:300]}")
        return response

    async with httpx.AsyncClient(base_url="http://127.0.0.1:7648", trust_env=False, timeout=3) as client:
        for number in range(60):
            price = venue.counter.view(venue.counter.shares[0]).bid
            body = {"params": {"stock_code": PUDONG, "price": price, "quantity": 100}}
            submitted = await call(client, "POST", f"{OPERATIONS}/buy", json=body)
            if submitted is not None and submitted.status_code == 200 and submitted.text.startswith('{"success"'):
                try:
                    operation_id = submitted.json()["data"]["operation_id"]
                except ValueError:
                    operation_id = "unreadable"
                await call(client, "GET", f"{OPERATIONS}/{operation_id}/result?timeout=1")
                await anyio.sleep(1)
                await call(client, "GET", f"{OPERATIONS}/{operation_id}/status")
            if number % 20 == 7:
                venue.manual(Side.SELL, PUDONG, 100, Decimal(str(price)))
            await clock.sleep(60 * SECOND_NS)
            if number == 30:
                # Late bookings and slow dialogs have ended by then: nothing is lost with the ids.
                await clock.sleep(60 * SECOND_NS)
                venue.restart()
    # Nobody asks any more; what was submitted is done all the same.
    await clock.sleep(120 * SECOND_NS)
    server.stop()
    await server.ended()
    orders = venue.counter.entrusts(clock.now_ns)
    world.trace(repr([(e.ts_ns, e.number, e.source, e.request, e.status.value, e.filled) for e in orders]))
    return {
        "seen": Counter(word.partition(" ")[0] for word in seen),
        "placed": sum(entrust.source == "client" for entrust in orders),
        "fired": dict(venue.faults.fired),
        "quirks": dict(venue.quirks.fired),
        "life": venue.life,
    }


def test_trading_under_faults_and_quirks_repeats_itself_from_the_seed() -> None:
    """Equal digests for one seed; what is placed is what faults and quirks let through."""
    outcome = simulated(_trade, seed=11)
    assert outcome.findings == ()
    found = outcome.result
    assert set(found["fired"]) == set(ORDER_FAULTS)
    assert set(found["quirks"]) == set(QUIRKS)
    lost = sum(found["fired"][fault] for fault in NOT_DONE)
    assert found["placed"] == 60 - lost - found["quirks"][Quirk.SUCCESS_WITHOUT_ORDER]
    assert {"200", "500", "ReadTimeout", "RemoteProtocolError"} <= set(found["seen"])
    assert found["life"] == 2
    assert simulated(_trade, seed=11).digest == outcome.digest
    assert simulated(_trade, seed=12).digest != outcome.digest


async def _block(world: World) -> list[tuple[str, float]]:
    """A result that nobody will ever have holds up three others, until the server is restarted a minute later."""
    clock = world.clock(start_ns=START_NS)
    app = EasythsSimulator(seed=3).app(clock, world.entropy, exchange=a_bare_market(START_NS))
    server = world.start("server", serve, app, "127.0.0.1", 7648)
    found: list[tuple[str, float]] = []

    async def call(path: str, timeout: float) -> None:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:7648", trust_env=False, timeout=timeout) as client:
            start_ns = clock.now_ns
            try:
                said = str((await client.get(path)).status_code)
            except httpx.TransportError as problem:
                said = type(problem).__name__ if isinstance(problem, httpx.TimeoutException) else "cut"
            found.append((said, round((clock.now_ns - start_ns) / SECOND_NS, 1)))

    await anyio.sleep(0.1)
    async with anyio.create_task_group() as group:
        group.start_soon(call, f"{OPERATIONS}/x/result?timeout=7", 30)
        await anyio.sleep(0.5)
        group.start_soon(call, "/api/v1/system/health", 30)
        await anyio.sleep(20)
        group.start_soon(call, f"{OPERATIONS}/x/result", 5)
        await anyio.sleep(1)
        for _ in range(2):
            group.start_soon(call, "/api/v1/system/health", 600)
        await anyio.sleep(60)
        app.state.venue.restart()
        await anyio.sleep(1)
        await call("/api/v1/system/health", 5)
    server.stop()
    await server.ended()
    return found


def test_blocking_and_a_restart_in_virtual_time() -> None:
    """To the tenth of a second: 408 after seven, health just behind it, a dead server, life after the restart."""
    outcome = simulated(_block, seed=5)
    assert outcome.findings == ()
    assert [said for said, _ in outcome.result] == [
        "408",
        "200",
        "ReadTimeout",
        "cut",
        "cut",
        "200",
    ]
    # Within what the simulated network takes.
    assert [span for _, span in outcome.result] == pytest.approx([7.0, 6.5, 5.0, 60.0, 60.0, 0.0], abs=0.3)
