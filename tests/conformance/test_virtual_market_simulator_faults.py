"""Faults of the simulated virtual market on real sockets: what is booked, what the client sees."""

import asyncio
import json
from collections import Counter
from typing import Any

import anyio
import httpx
import pytest

from engine.clock import LiveClock
from engine.domain.errors import ConfigError
from engine.entropy import Entropy
from engine.simulators import SIMULATORS, serve, simulate
from engine.simulators.faults import Fault, FaultPlan, Faults, Trigger
from engine.simulators.virtual_market import VirtualMarket, VirtualMarketSimulator
from tests.simulator_builders import OPEN_NS, MarketAtHand, running

BUY = {"stock_id": "CY", "quantity": 1}


def a_faulty_market(fault: Fault, call: int = 2, speed: float = 1.0, **faults: Any) -> Any:
    """The ``call``-th trade gets the fault."""
    plan = Faults(script=(Trigger(route="trade", call=call, fault=fault),), **faults)
    simulator = VirtualMarketSimulator(seed=7, faults=plan)
    return simulator.app(LiveClock(start_ns=OPEN_NS, speed=speed), Entropy(7))


def logged_in(app: Any, base_url: str, **options: Any) -> httpx.AsyncClient:
    venue: VirtualMarket = app.state.venue
    token = venue.tokens.issue("1481273488", "TimeXingjian", venue.clock.now_ns)
    return httpx.AsyncClient(
        base_url=base_url, headers={"authorization": f"Bearer {token}"}, trust_env=False, **options
    )


@pytest.mark.parametrize(("fault", "booked"), [(Fault.DROP_BEFORE, 2), (Fault.DROP_AFTER, 3), (Fault.CUT, 3)], ids=str)
async def test_a_lost_answer_closes_the_connection(fault: Fault, booked: int) -> None:
    """The second of three trades gets no (whole) answer; booked or not as the fault says; the server lives on."""
    app = a_faulty_market(fault)
    async with running(app) as base_url, logged_in(app, base_url) as client:
        assert (await client.post("/api/v1/trade/buy", json=BUY)).status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/api/v1/trade/buy", json=BUY)
        assert (await client.post("/api/v1/trade/buy", json=BUY)).status_code == 200
    assert len(app.state.venue.ledger.trades("TimeXingjian")) == booked
    assert app.state.venue.faults.fired == Counter({fault: 1})


@pytest.mark.parametrize(
    ("fault", "status", "booked"),
    [(Fault.THROTTLED, 429, 2), (Fault.ERROR_BEFORE, 500, 2), (Fault.ERROR_AFTER, 500, 3)],
    ids=str,
)
async def test_a_wrong_status(fault: Fault, status: int, booked: int) -> None:
    """429 and 500 in the venue's own words."""
    app = a_faulty_market(fault)
    async with running(app) as base_url, logged_in(app, base_url) as client:
        replies = [await client.post("/api/v1/trade/buy", json=BUY) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, status, 200]
    expected = b'{"error": "Too Many Requests"' if status == 429 else b"500 Internal Server Error\n"
    assert replies[1].content.startswith(expected)
    assert len(app.state.venue.ledger.trades("TimeXingjian")) == booked


async def test_a_malformed_answer_is_a_200_that_says_nothing_of_the_trade() -> None:
    """Booked, and the body is no object with ``success``."""
    for seed in range(12):
        plan = Faults(script=(Trigger(route="trade", call=1, fault=Fault.MALFORMED),))
        app = VirtualMarketSimulator(seed=7, faults=plan).app(LiveClock(start_ns=OPEN_NS), Entropy(seed))
        async with running(app) as base_url, logged_in(app, base_url) as client:
            reply = await client.post("/api/v1/trade/buy", json=BUY)
        assert reply.status_code == 200
        with pytest.raises((ValueError, TypeError)):
            json.loads(reply.content.decode())["success"]
        assert len(app.state.venue.ledger.trades("TimeXingjian")) == 1


@pytest.mark.parametrize(("fault", "at_timeout"), [(Fault.LATE_ANSWER, 1), (Fault.LATE_BOOKING, 0)], ids=str)
async def test_an_answer_after_the_client_gave_up(fault: Fault, at_timeout: int) -> None:
    """The client times out and leaves; the trade is booked at once, or only afterwards."""
    app = a_faulty_market(fault, call=1, speed=100.0, late_ms=(80_000, 80_000))
    ledger = app.state.venue.ledger
    async with running(app) as base_url:
        async with logged_in(app, base_url, timeout=httpx.Timeout(5, read=0.1)) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/api/v1/trade/buy", json=BUY)
        assert len(ledger.trades("TimeXingjian")) == at_timeout
        with anyio.fail_after(5):
            while not ledger.trades("TimeXingjian"):
                await app.state.venue.clock.sleep(1_000_000_000)
    assert len(ledger.trades("TimeXingjian")) == 1


async def test_a_cut_answer_breaks_off_at_any_byte() -> None:
    """Over many seeds the cut falls into the head and into the body, and what came is the beginning of the answer."""
    places = set()
    for seed in range(25):
        plan = Faults(script=(Trigger(route="quote", call=1, fault=Fault.CUT),))
        app = VirtualMarketSimulator(seed=7, faults=plan, history_days=0).app(
            LiveClock(start_ns=OPEN_NS), Entropy(seed)
        )
        async with running(app) as base_url:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(base_url.rpartition(":")[2]))
            writer.write(b"GET /api/v1/stocks HTTP/1.1\r\nhost: x\r\n\r\n")
            raw = await reader.read()
            writer.close()
        assert raw
        assert b"HTTP/1.1 200 OK\r\n".startswith(raw[:17])
        head, _, body = raw.partition(b"\r\n\r\n")
        length = next((int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"content-length: ")), None)
        assert length is None or len(body) < length
        places.add(bool(body))
    assert places == {True, False}


def test_a_fault_plan_repeats_with_its_seed_and_streams_do_not_disturb_each_other() -> None:
    """The n-th call of a class gets the same fault whatever the other classes did in between."""
    settings = Faults(probabilities={"*": {Fault.DROP_AFTER: 0.2, Fault.THROTTLED: 0.2}})
    plain = FaultPlan(settings, Entropy(5))
    mixed = FaultPlan(settings, Entropy(5))
    expected = [plain.draw("trade") for _ in range(200)]
    seen = []
    for number in range(200):
        for _ in range(number % 3):
            mixed.draw("quote")
        seen.append(mixed.draw("trade"))
    assert seen == expected
    counts = Counter(expected)
    assert 20 < counts[Fault.DROP_AFTER] < 60
    assert 20 < counts[Fault.THROTTLED] < 60
    assert plain.fired == Counter({fault: n for fault, n in counts.items() if fault is not None})


def test_faults_can_be_held_to_trades_stopped_and_written_down() -> None:
    """``only_trades``, ``stop_after``, ``active`` hold back the drawn ones; the script plays in any case."""
    always = {"*": {Fault.CUT: 1.0}}
    trades = FaultPlan(Faults(probabilities=always, only_trades=True), Entropy(1))
    assert [trades.draw("quote"), trades.draw("trade")] == [None, Fault.CUT]
    few = FaultPlan(Faults(probabilities=always, stop_after=2), Entropy(1))
    assert [few.draw("trade") for _ in range(4)] == [Fault.CUT, Fault.CUT, None, None]
    script = (Trigger(route="trade", call=2, fault=Fault.DELAY), Trigger(call=4, fault=Fault.ERROR_BEFORE))
    written = FaultPlan(Faults(probabilities=always, script=script), Entropy(1))
    written.active = False
    calls = ["trade", "quote", "trade", "quote", "trade"]
    assert [written.draw(route) for route in calls] == [None, None, Fault.DELAY, Fault.ERROR_BEFORE, None]
    own = FaultPlan(Faults(probabilities={"*": {Fault.CUT: 1.0}, "auth": {}}), Entropy(1))
    assert [own.draw("auth"), own.draw("quote")] == [None, Fault.CUT]


def test_paths_fall_into_route_classes() -> None:
    """The classes that faults are given for."""
    venue = MarketAtHand(history_days=0).venue
    classes = {
        "/api/auth/login": "auth",
        "/api/v1/trade/buy": "trade",
        "/api/v1/stock/CY/details": "details",
        "/api/v1/stocks": "quote",
        "/api/v1/stock/CY": "quote",
        "/api/kline/CY": "kline",
        "/api/v1/portfolio": "portfolio",
        "/api/v1/ranking": "ranking",
        "/": "page",
    }
    assert {path: venue.route_class(path) for path in classes} == classes


async def test_a_fault_in_the_portfolio_has_its_own_500() -> None:
    """``获取持仓信息时发生内部错误`` as JSON (contract 6)."""
    plan = Faults(script=(Trigger(route="portfolio", call=1, fault=Fault.ERROR_BEFORE),))
    market = MarketAtHand(faults=plan).log_in()
    response = await market.client.get("/api/v1/portfolio")
    assert (response.status_code, response.json()) == (500, {"error": "获取持仓信息时发生内部错误"})


async def test_a_port_in_use_is_the_users_mistake() -> None:
    """One sentence with the port and the mend, instead of an end of the process."""
    app = MarketAtHand(history_days=0).app
    async with running(app) as base_url:
        with pytest.raises(ConfigError, match="choose another port"):
            await serve(app, "127.0.0.1", int(base_url.rpartition(":")[2]))


async def test_simulate_serves_every_face_over_one_market() -> None:
    """All faces on ports of their own, one exchange; cancelling ends it with connections open."""
    clock = LiveClock(start_ns=OPEN_NS)
    ready = anyio.Event()
    bound: dict[str, int] = {}

    def told(ports: Any) -> None:
        bound.update(ports)
        ready.set()

    faces = {name: kind() for name, kind in SIMULATORS.items()}
    async with anyio.create_task_group() as group, httpx.AsyncClient(trust_env=False) as client:

        async def run() -> None:
            await simulate(faces, clock=clock, entropy=Entropy(1), on_ready=told)

        group.start_soon(run)
        await ready.wait()
        assert set(bound) == set(SIMULATORS)
        assert (await client.get(f"http://127.0.0.1:{bound['virtual_market']}/api/v1/stocks")).status_code == 200
        group.cancel_scope.cancel()
    with pytest.raises(ConfigError, match="nothing to simulate"):
        await simulate({}, clock=clock, entropy=Entropy(1))
