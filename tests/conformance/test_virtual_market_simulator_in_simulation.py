"""The simulators' faces on the simulation's loop: the same code as on real sockets, the same run for the same seed."""

import json
from typing import Any

import anyio
import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from engine.chaos.world import World, simulated
from engine.domain.timestamps import SECOND_NS
from engine.simulators.faults import Fault, Faults
from engine.simulators.serve import serve
from engine.simulators.stream import StreamFault, StreamSimulator, StreamTrigger
from engine.simulators.virtual_market import VirtualMarketSimulator

PLAN = Faults(
    probabilities={
        "trade": {
            Fault.DROP_BEFORE: 0.1,
            Fault.DROP_AFTER: 0.1,
            Fault.CUT: 0.1,
            Fault.LATE_BOOKING: 0.1,
            Fault.MALFORMED: 0.1,
            Fault.ERROR_AFTER: 0.1,
            Fault.THROTTLED: 0.1,
        }
    }
)


async def _trade_under_faults(world: World) -> dict[str, Any]:
    """Sixty one-share purchases, one a quarter of a minute, each given three seconds."""
    app = VirtualMarketSimulator(seed=3, rate_limits="off", faults=PLAN).app(world.clock(), world.entropy)
    venue = app.state.venue
    market = world.start("market", serve, app, "127.0.0.1", 5000)
    seen: list[str] = []
    token = venue.tokens.issue("1481273488", "TimeXingjian", venue.clock.now_ns)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url="http://127.0.0.1:5000", trust_env=False, headers=headers, timeout=3
    ) as client:
        for _ in range(60):
            try:
                response = await client.post("/api/v1/trade/buy", json={"stock_id": "CY", "quantity": 1})
                seen.append(f"{response.status_code} {len(response.content)}")
            except httpx.TransportError as problem:
                seen.append(type(problem).__name__)
            world.trace(seen[-1])
            await venue.clock.sleep(15 * SECOND_NS)
    # Late bookings of the last calls are still under way.
    await venue.clock.sleep(60 * SECOND_NS)
    market.stop()
    await market.ended()
    trades = venue.ledger.trades("TimeXingjian")
    world.trace(repr([(trade.ts_ns, str(trade.price), trade.request) for trade in trades]))
    return {"seen": seen, "booked": len(trades), "fired": dict(venue.faults.fired)}


def test_faulty_trading_repeats_itself_from_the_seed() -> None:
    """Equal digests for one seed; every fault fires; what is booked is what the faults let through."""
    outcome = simulated(_trade_under_faults, seed=11)
    assert outcome.findings == ()
    fired = outcome.result["fired"]
    assert set(fired) == set(PLAN.probabilities["trade"])
    assert outcome.result["booked"] == 60 - fired[Fault.DROP_BEFORE] - fired[Fault.THROTTLED]
    lost = [word for word in outcome.result["seen"] if word.endswith(("Error", "Timeout"))]
    assert set(lost) == {"RemoteProtocolError", "ReadTimeout"}
    assert len(lost) == sum(fired[f] for f in (Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.CUT, Fault.LATE_BOOKING))
    assert simulated(_trade_under_faults, seed=11).digest == outcome.digest
    assert simulated(_trade_under_faults, seed=12).digest != outcome.digest


async def _listen(world: World) -> list[str]:
    """An hour of bars over a stream that is cut once."""
    clock = world.clock()
    settings = StreamSimulator(script=(StreamTrigger(connection=1, frame=4, fault=StreamFault.CUT),))
    server = world.start("stream", serve, settings.app(clock, world.entropy), "127.0.0.1", 5001)
    kinds: list[str] = []

    async def one() -> None:
        async with connect("ws://127.0.0.1:5001/stream", compression=None, proxy=None, ping_interval=None) as socket:
            await socket.send('{"op": "subscribe", "kind": "bar", "instruments": ["CY.VSM"]}')
            while kinds.count("bar") < 8:
                message = json.loads(await socket.recv())
                kinds.append(message["type"])
                world.trace(str(message))

    await anyio.sleep(0.1)
    try:
        await one()
    except ConnectionClosedError:
        kinds.append("cut")
    await one()
    server.stop()
    await server.ended()
    return kinds


def test_the_stream_runs_in_virtual_time() -> None:
    """Five-minute bars and ten-second heartbeats of an hour in no time; the cut is seen; equal digests."""
    outcome = simulated(_listen, seed=4)
    assert outcome.findings == ()
    kinds = outcome.result
    assert [kind for kind in kinds if kind not in {"heartbeat", "subscribed"}] == ["bar"] * 3 + ["cut"] + ["bar"] * 5
    assert kinds.count("heartbeat") > 150
    assert simulated(_listen, seed=4).digest == outcome.digest
