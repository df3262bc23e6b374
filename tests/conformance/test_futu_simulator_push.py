"""``/ws`` of the simulated gateway on real sockets and in the simulation: frames, filters, faults, slow readers."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from engine.chaos.world import World, simulated
from engine.clock import LiveClock
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.simulators import simulate
from engine.simulators.faults import Fault, Faults
from engine.simulators.futu import (
    EXAMPLE_TOKEN,
    FutuSimulator,
    FutuVenue,
    Limits,
    PushFault,
    PushFaults,
    PushTrigger,
    a_key,
)
from engine.simulators.futu.desk import Pace
from engine.simulators.serve import serve
from engine.simulators.virtual_market import VirtualMarketSimulator
from tests.futu_simulator_builders import HK_OPEN_NS, REAL, SIMULATE_HK, a_header, decoded, wire_fields
from tests.simulator_builders import running

SPEED = 20.0
TENCENT = {"market": 1, "code": "00700"}
HEADERS = {"authorization": f"Bearer {EXAMPLE_TOKEN}"}
UNLOCK = {"unlock": True, "pwd_md5": "0123456789abcdef0123456789abcdef"}


class Running:
    """A served gateway, a client and its base URL."""

    def __init__(self, venue: FutuVenue, client: httpx.AsyncClient, url: str) -> None:
        self.venue = venue
        self.client = client
        self.url = url
        self.serial = 0

    async def said(self, name: str, body: Any) -> Any:
        reply = (await self.client.post(f"/api/{name}", json=body)).json()
        assert reply["ret_type"] == 0, reply
        return reply["s2c"]

    async def subscribe(self, *subs: int, **more: Any) -> None:
        body = {"security_list": [TENCENT], "sub_type_list": list(subs), "is_sub_or_un_sub": True}
        await self.said("subscribe", body | {"is_reg_or_un_reg_push": True} | more)

    async def order(self, acc_id: int = SIMULATE_HK, **changes: Any) -> Any:
        self.serial += 1
        body = {"packet_id": {"conn_id": 1, "serial_no": self.serial}, "header": a_header(acc_id), "trd_side": 1}
        body |= {"order_type": 2, "code": "00700", "qty": 300.0, "price": 0.0, "remark": f"r{self.serial}"}
        return await self.said("order", body | changes)

    def socket(self, token: str | None = EXAMPLE_TOKEN, **options: Any) -> Any:
        query = "" if token is None else f"?token={token}"
        return connect(f"ws{self.url[4:]}/ws{query}", compression=None, proxy=None, ping_interval=None, **options)


@asynccontextmanager
async def a_gateway(speed: float = SPEED, **settings: Any) -> AsyncIterator[Running]:
    simulator = FutuSimulator(**({"seed": 7, "pacing": False, "ready_ms": 0} | settings))
    app = simulator.app(LiveClock(start_ns=HK_OPEN_NS, speed=speed), Entropy(7))
    async with running(app) as url, httpx.AsyncClient(base_url=url, headers=HEADERS, trust_env=False) as client:
        yield Running(app.state.venue, client, url)


async def until(socket: ClientConnection, wanted: Callable[[dict[str, Any]], bool], most: int = 3000) -> list[Any]:
    """Frames up to the first that is wanted."""
    frames = []
    with anyio.fail_after(10):
        for _ in range(most):
            frames.append(json.loads(await socket.recv()))
            if wanted(frames[-1]):
                return frames
    raise AssertionError("the frame never came")


async def test_every_kind_of_quote_frame_comes_with_a_real_body() -> None:
    """Keys of the envelope, the message of its number, price and security in it; k-lines carry their rehab type."""
    subs = {1: 3005, 2: 3013, 4: 3011, 5: 3009, 11: 3007, 14: 3015}
    async with a_gateway() as gateway, gateway.socket() as socket:
        await gateway.subscribe(*subs, reg_push_rehab_type_list=[0, 1])
        seen: dict[tuple[int, int], dict[str, Any]] = {}
        wanted = {(number, 0) for number in subs.values()} | {(3007, 1)}

        def found(frame: dict[str, Any]) -> bool:
            seen[frame["proto_id"], frame["rehab_type"]] = frame
            return set(seen) == wanted

        await until(socket, found)
    for (proto_id, rehab), frame in seen.items():
        assert set(frame) == {"type", "proto_id", "sec_key", "sub_type", "rehab_type", "body_b64"}
        assert (frame["type"], frame["sec_key"], subs[frame["sub_type"]]) == ("quote", "1_00700", proto_id)
        body = decoded(frame)
        security = body.basicQotList[0].security if proto_id == 3005 else body.security
        assert (security.market, security.code) == (1, "00700")
        if proto_id == 3007:
            assert (body.rehabType, body.klType, len(body.klList)) == (rehab, 1, 1)


async def test_a_body_reads_without_any_schema() -> None:
    """Field numbers and wire types by hand: response 1 and 4, list 1, and BasicQot's 1, 9 and 11."""
    async with a_gateway() as gateway, gateway.socket() as socket:
        await gateway.subscribe(1)
        frame = (await until(socket, lambda _: True))[0]
    response = {number: (kind, value) for number, kind, value in wire_fields(base64.b64decode(frame["body_b64"]))}
    assert response[1] == (0, 0)
    ((number, _, row),) = wire_fields(response[4][1])
    assert number == 1
    fields = {number: (kind, value) for number, kind, value in wire_fields(row)}
    assert {n: v for n, _, v in wire_fields(fields[1][1])} == {1: 1, 2: b"00700"}
    basic = decoded(frame).basicQotList[0]
    assert fields[9][0] == 1
    assert fields[11] == (0, basic.volume)
    assert fields[2] == (0, 0)


async def test_prices_by_push_are_those_of_the_routes() -> None:
    """The last quote pushed is what /api/quote tells as of the same moment."""
    async with a_gateway() as gateway, gateway.socket() as socket:
        await gateway.subscribe(1)
        pushed = {}
        for frame in await until(socket, lambda frame: decoded(frame).basicQotList[0].updateTimestamp > 1794968125):
            row = decoded(frame).basicQotList[0]
            pushed[row.updateTime] = (row.curPrice, row.volume)
        asked = (await gateway.said("quote", {"security_list": [TENCENT]}))["basic_qot_list"][0]
        frames = await until(socket, lambda frame: decoded(frame).basicQotList[0].updateTime >= asked["update_time"])
        for frame in frames:
            row = decoded(frame).basicQotList[0]
            pushed[row.updateTime] = (row.curPrice, row.volume)
    assert pushed[asked["update_time"]] == (asked["cur_price"], asked["volume"])
    # A reader that is slow for a moment gets the latest quote and not each between.
    assert len(pushed) > 4


async def test_orders_and_fills_are_pushed_to_those_who_asked() -> None:
    """Nothing before sub-acc-push; then 2208 with every state, and 2218 for the real account alone."""
    async with a_gateway(pace=Pace(partial=1.0)) as gateway, gateway.socket() as socket:
        await gateway.said("unlock-trade", UNLOCK)
        await gateway.order(qty=100.0)
        await gateway.said("sub-acc-push", {"acc_id_list": [SIMULATE_HK, REAL]})
        for acc_id in (SIMULATE_HK, REAL):
            placed = await gateway.order(acc_id)
            frames = await until(
                socket,
                lambda frame, placed=placed: (
                    frame["proto_id"] == 2208
                    and decoded(frame).order.orderID == placed["order_id"]
                    and decoded(frame).order.orderStatus == 11
                ),
            )
            if acc_id == REAL:
                # The fill of the last part may come right after the order's update.
                while sum(decoded(f).orderFill.qty for f in frames if f["proto_id"] == 2218) < 300:
                    frames += await until(socket, lambda _: True)
            frames = [frame for frame in frames if frame["acc_id"] == acc_id]
            assert {(frame["type"], frame["trd_market"]) for frame in frames} == {("trade", "HK")}
            updates = [decoded(frame).order for frame in frames if frame["proto_id"] == 2208]
            updates = [order for order in updates if order.orderID == placed["order_id"]]
            states = [order.orderStatus for order in updates]
            assert list(dict.fromkeys(states)) == [2, 5, 10, 11]
            fills = [decoded(frame).orderFill for frame in frames if frame["proto_id"] == 2218]
            booked = gateway.venue.ledger.fills(acc_id)[-len(fills) :] if fills else []
            assert [(fill.fillID, fill.qty, fill.price) for fill in fills] == [
                (one.fill_id, float(one.quantity), float(one.price)) for one in booked
            ]
            assert bool(fills) is (acc_id == REAL)
            order = updates[0]
            assert (order.remark, order.orderIDEx) == (f"r{gateway.serial}", placed["order_id_ex"])


async def test_a_fill_before_the_answer() -> None:
    """With a slow answer and a quick exchange the push of the fill is there first."""
    async with a_gateway(answer_ms=20_000, pace=Pace(partial=0.0)) as gateway, gateway.socket() as socket:
        await gateway.said("sub-acc-push", {"acc_id_list": [SIMULATE_HK]})
        order: list[str] = []
        async with anyio.create_task_group() as group:

            async def place() -> None:
                await gateway.order()
                order.append("answer")

            group.start_soon(place)
            await until(socket, lambda frame: decoded(frame).order.orderStatus == 11)
            order.append("fill")
    assert order == ["fill", "answer"]


async def test_who_sees_what() -> None:
    """A key without acc:read sees no trade frames and hears no error; lists of accounts and markets hide theirs."""
    keys = (
        a_key(EXAMPLE_TOKEN),
        a_key("quotes", "qot:read", key_id="q"),
        a_key("other", key_id="o", limits=Limits(allowed_acc_ids=(REAL,))),
        a_key("us", key_id="u", limits=Limits(allowed_markets=("US",))),
    )
    async with a_gateway(keys=keys) as gateway:
        async with (
            gateway.socket() as full,
            gateway.socket("quotes") as quotes,
            gateway.socket("other") as other,
            gateway.socket("us") as us,
        ):
            await gateway.said("sub-acc-push", {"acc_id_list": [SIMULATE_HK]})
            await gateway.order(order_type=1, price=470.0)
            await until(full, lambda frame: frame["type"] == "trade")
            gateway.venue.set_connected(True)
            for socket in (quotes, other, us):
                frames = await until(socket, lambda frame: frame["type"] == "notify")
                assert [frame["type"] for frame in frames] == ["notify"]
        names = {scope for scope, _ in gateway.venue.pusher.filtered}
        assert names == {"acc:read"}
        text = (await gateway.client.get("/metrics")).text
    assert text.count("futu_ws_filtered_pushes_total{") == 3


async def test_handshakes_that_are_refused() -> None:
    """401 without or with a bad token, 403 without qot:read or from a foreign origin; header and query both work."""
    keys = (a_key(EXAMPLE_TOKEN), a_key("accounts", "acc:read", key_id="a"))
    async with a_gateway(keys=keys) as gateway:
        for token, origin, status in (
            (None, None, 401),
            ("wrong", None, 401),
            ("accounts", None, 403),
            (EXAMPLE_TOKEN, "http://evil.example", 403),
        ):
            with pytest.raises(InvalidStatus) as refused:
                await gateway.socket(token, origin=origin).__aenter__()
            assert refused.value.response.status_code == status
        async with gateway.socket(None, additional_headers=HEADERS), gateway.socket(origin="http://localhost:3000"):
            assert len(gateway.venue.pusher.connections) == 2
    async with a_gateway(keys=()) as legacy, legacy.socket(None) as socket:
        legacy.venue.set_connected(True)
        await until(socket, lambda frame: frame["type"] == "notify")


async def test_the_login_state_is_notified() -> None:
    """1003 of type 3 with both flags, when the backend goes and when it comes back."""
    async with a_gateway() as gateway, gateway.socket() as socket:
        for connected in (False, True):
            gateway.venue.set_connected(connected)
            (frame,) = await until(socket, lambda _: True)
            body = decoded(frame)
            assert (frame["type"], frame["proto_id"], body.type) == ("notify", 1003, 3)
            assert (body.connectStatus.qotLogined, body.connectStatus.trdLogined) == (connected, connected)
            assert (await gateway.client.get("/health")).status_code == (200 if connected else 503)


async def test_a_restart_cuts_sockets_and_forgets_registrations() -> None:
    """The socket dies; a new one hears nothing until subscriptions are made again; there is no replay."""
    async with a_gateway() as gateway:
        async with gateway.socket() as socket:
            await gateway.subscribe(1)
            await until(socket, lambda _: True)
            gateway.venue.restart()
            with pytest.raises(ConnectionClosed):
                await until(socket, lambda _: False)
        async with gateway.socket() as socket:
            with anyio.move_on_after(0.3):
                await socket.recv()
                pytest.fail("a frame came without a subscription")
            await gateway.subscribe(1)
            frames = await until(socket, lambda _: True)
            assert frames[0]["proto_id"] == 3005


async def test_subscriptions_outlive_a_socket() -> None:
    """They belong to the shared REST connection: a new socket gets them without a word."""
    async with a_gateway() as gateway:
        async with gateway.socket() as socket:
            await gateway.subscribe(1)
            await until(socket, lambda _: True)
        async with gateway.socket() as socket:
            assert (await until(socket, lambda _: True))[0]["proto_id"] == 3005


async def test_a_full_queue_loses_its_oldest_frames() -> None:
    """A hundred frames at once into room for twenty: the last twenty come, in order, and nobody is told."""
    async with a_gateway(queue_max=20) as gateway, gateway.socket() as socket:
        await gateway.client.get("/health")
        for number in range(100):
            gateway.venue.pusher.notify({"type": 7, "used_quota": {"used_sub_quota": number}})
        frames = await until(socket, lambda frame: decoded(frame).usedQuota.usedSubQuota == 99)
    assert [decoded(frame).usedQuota.usedSubQuota for frame in frames] == list(range(80, 100))
    assert gateway.venue.pusher.overflowed == 80


@pytest.mark.long
async def test_a_slow_reader_loses_the_oldest_frames_and_is_not_told() -> None:
    """The queue is bounded; the server lives on; what comes at last is fresh."""
    async with a_gateway(speed=100.0, queue_max=20) as gateway, gateway.socket(max_queue=1) as socket:
        subs = (1, 2, 4, 5, 11, 7, 8, 14)
        for code in ("00700", "09988", "00005"):
            body = {"security_list": [{"market": 1, "code": code}], "sub_type_list": list(subs)}
            await gateway.said("subscribe", body | {"is_sub_or_un_sub": True, "is_reg_or_un_reg_push": True})
        with anyio.fail_after(30):
            while not gateway.venue.pusher.overflowed:
                await gateway.client.get("/health")
        frames = await until(socket, lambda _: gateway.venue.pusher.sent > 0, most=1)
        assert frames[0]["type"] == "quote"
        assert (await gateway.client.get("/health")).text == "ok"


@pytest.mark.parametrize("fault", list(PushFault), ids=str)
async def test_each_push_fault(fault: PushFault) -> None:
    """Played on the third frame: lost, twice, after the next one, later, cut, or silence from there on."""
    script = (PushTrigger(connection=1, frame=3, fault=fault),)
    faults = PushFaults(script=script, delay_ms=(2500, 2500))
    async with a_gateway(push=faults) as gateway, gateway.socket() as socket:
        await gateway.subscribe(1)
        stamps: list[int] = []
        try:
            with anyio.move_on_after(1.5):
                while len(stamps) < 8:
                    frame = json.loads(await socket.recv())
                    stamps.append(round(decoded(frame).basicQotList[0].updateTimestamp))
        except ConnectionClosed:
            stamps.append(-1)
    assert gateway.venue.pusher.fired == {fault: 1}
    third = stamps[0] + 2 if stamps[1] == stamps[0] + 1 else stamps[1] + 1
    match fault:
        case PushFault.LOSE:
            assert third not in stamps
            assert len(stamps) == 8
        case PushFault.REPEAT:
            assert stamps.count(third) == 2
        case PushFault.SWAP:
            assert stamps[2:4] == [third + 1, third]
        case PushFault.DELAY:
            place = stamps.index(third)
            assert 3 <= place <= 6
        case PushFault.CUT:
            assert stamps[2:] == [-1]
        case PushFault.STALL:
            assert len(stamps) == 2


def test_drawn_faults_need_chances_that_add_up() -> None:
    """And a type of frame that exists."""
    with pytest.raises(ValueError, match="at most 1"):
        PushFaults(chances={PushFault.LOSE: 0.7, PushFault.CUT: 0.7})
    with pytest.raises(ValueError, match="not fish"):
        PushFaults(only="fish")


async def test_http_faults_are_in_the_gateways_words() -> None:
    """429 and 500 as objects with error; nothing placed, or placed, as the fault says."""
    for fault, status, placed in ((Fault.THROTTLED, 429, 0), (Fault.ERROR_BEFORE, 500, 0), (Fault.ERROR_AFTER, 500, 1)):
        async with a_gateway(faults=Faults(probabilities={"trade": {fault: 1.0}})) as gateway:
            body = {"header": a_header(), "trd_side": 1, "order_type": 2, "code": "00700", "qty": 100.0}
            response = await gateway.client.post("/api/order", json=body)
            assert (response.status_code, list(response.json())) == (status, ["error"])
            assert len(gateway.venue.ledger.orders()) == placed
            assert (await gateway.client.get("/api/global-state")).status_code == 200


async def test_faces_over_one_market_agree() -> None:
    """Futu, AmazingData's neighbour and the stream beside the game: one exchange, each on its port."""
    clock, faces = (
        LiveClock(start_ns=HK_OPEN_NS, speed=SPEED),
        {
            "virtual_market": VirtualMarketSimulator(seed=7, rate_limits="off"),
            "futu": FutuSimulator(seed=7),
        },
    )
    bound: dict[str, int] = {}
    async with anyio.create_task_group() as group:
        ready = anyio.Event()

        async def told(ports: Any) -> None:
            bound.update(ports)
            ready.set()

        async def run() -> None:
            await simulate(faces, clock=clock, entropy=Entropy(3), on_ready=told)

        group.start_soon(run)
        await ready.wait()
        async with httpx.AsyncClient(trust_env=False, headers=HEADERS) as client:
            body = {"security_list": [TENCENT]}
            rows = await client.post(f"http://127.0.0.1:{bound['futu']}/api/snapshot", json=body)
            stocks = await client.get(f"http://127.0.0.1:{bound['virtual_market']}/api/v1/stocks")
        group.cancel_scope.cancel()
    assert rows.json()["s2c"]["snapshot_list"][0]["basic"]["lot_size"] == 100
    assert "00700" not in stocks.text


FAULTS = PushFaults(
    chances={PushFault.LOSE: 0.1, PushFault.REPEAT: 0.1, PushFault.SWAP: 0.1, PushFault.DELAY: 0.1, PushFault.CUT: 0.01}
)


async def _trade_and_listen(world: World) -> dict[str, Any]:
    """Half an hour of orders and cancels under faults of every kind, listening as long as the socket lives."""
    trade = Faults(probabilities={"trade": {Fault.DROP_AFTER: 0.1, Fault.DROP_BEFORE: 0.1, Fault.DELAY: 0.1}})
    settings = FutuSimulator(seed=5, push=FAULTS, faults=trade, pacing=False)
    app = settings.app(world.clock(), world.entropy)
    venue: FutuVenue = app.state.venue
    server = world.start("futu", serve, app, "127.0.0.1", 5000)
    frames: list[str] = []

    async def listen() -> None:
        url = f"ws://127.0.0.1:5000/ws?token={EXAMPLE_TOKEN}"
        while True:
            try:
                async with connect(url, compression=None, proxy=None, ping_interval=None) as socket:
                    while True:
                        text = str(await socket.recv())
                        frames.append(text)
                        world.trace(text)
            except (ConnectionClosed, OSError):
                await venue.clock.sleep(SECOND_NS)

    async with httpx.AsyncClient(base_url="http://127.0.0.1:5000", headers=HEADERS, trust_env=False) as client:
        await anyio.sleep(0.1)
        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await client.post("/api/sub-acc-push", json={"acc_id_list": [SIMULATE_HK]})
            body = {"security_list": [TENCENT], "sub_type_list": [1, 2], "is_sub_or_un_sub": True}
            await client.post("/api/subscribe", json=body | {"is_reg_or_un_reg_push": True})
            for number in range(30):
                order = {
                    "packet_id": {"conn_id": 1, "serial_no": number},
                    "header": a_header(),
                    "trd_side": 1 + number % 2,
                }
                order |= {"order_type": 2, "code": "00700", "qty": 100.0}
                try:
                    reply = await client.post("/api/order", json=order, timeout=5)
                    world.trace(reply.text)
                except httpx.TransportError as problem:
                    world.trace(type(problem).__name__)
                await venue.clock.sleep(10 * SECOND_NS)
            group.cancel_scope.cancel()
    server.stop()
    await server.ended()
    ledger = [(str(one.price), one.quantity, one.ts_ns) for one in venue.ledger.fills()]
    world.trace(repr(ledger))
    return {
        "fills": len(ledger),
        "frames": len(frames),
        "push": dict(venue.pusher.fired),
        "http": dict(venue.faults.fired),
    }


def test_a_faulty_day_repeats_itself_from_the_seed() -> None:
    """Equal digests for one seed, others for another; faults of push and HTTP fire; orders fill all the same."""
    outcome = simulated(_trade_and_listen, seed=21)
    assert outcome.findings == ()
    result = outcome.result
    assert result["fills"] > 10
    assert result["frames"] > 100
    assert set(result["push"]) >= {PushFault.LOSE, PushFault.REPEAT, PushFault.SWAP, PushFault.DELAY}
    assert Fault.DROP_AFTER in result["http"]
    assert simulated(_trade_and_listen, seed=21).digest == outcome.digest
    assert simulated(_trade_and_listen, seed=22).digest != outcome.digest
