"""The simulated EasyTHS server speaks as contracts/easyths.md says: routes, envelopes, error forms, limits."""

from collections import Counter
from typing import Any

import anyio
import fastapi
import httpx
import pydantic
import pytest

from engine.simulators.easyths.bodies import Unprocessable, read_submission, read_timeout
from tests.easyths_simulator_builders import OPERATIONS, ServerAtHand, served

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


def form(response: httpx.Response) -> tuple[int, str, Any]:
    """Status, content type and body."""
    kind = response.headers["content-type"]
    return response.status_code, kind, response.json() if kind == JSON else response.text


# Routes


async def test_what_the_system_says_of_itself() -> None:
    """Constant words; no logged_in; a naive local time without a fraction where it is zero; compact UTF-8."""
    server = ServerAtHand()
    health = await server.get("/api/v1/system/health")
    assert health.text == (
        '{"success":true,"message":"系统运行正常","data":{"status":"healthy","timestamp":"2026-03-02T10:00:30",'
        '"components":{"automator":"connected","plugins":{"loaded":15}}},"timestamp":"2026-03-02T10:00:30"}'
    )
    server.clock.now_ns += 1_234_000
    status = (await server.get("/api/v1/system/status")).json()["data"]
    assert status["timestamp"] == "2026-03-02T10:00:30.001234"
    assert set(status["automator"]) == {"connected", "app_path", "backend"}
    assert status["plugins"]["plugin_count"] == 15
    assert sorted(status["plugins"]["plugin_details"]) == sorted(status["plugins"]["loaded_plugins"])
    assert (await server.get("/api/v1/system/info")).json()["data"]["version"] == "1.0.0"
    assert sorted((await server.get("/")).json()) == ["docs", "message", "version"]
    assert health.headers["server"] == "uvicorn"
    assert health.headers["date"] == "Mon, 02 Mar 2026 02:00:30 GMT"


async def test_the_older_generation_has_an_error_in_its_envelope_and_thirteen_operations() -> None:
    """``error`` is null before the time; market orders are not offered."""
    server = ServerAtHand(generation="old")
    body = (await server.get(f"{OPERATIONS}/")).json()
    assert list(body) == ["success", "message", "data", "error", "timestamp"]
    assert body["error"] is None
    assert body["data"]["count"] == 13
    assert not {"market_buy", "market_sell"} & set(body["data"]["operations"])
    refused = await server.client.post(f"{OPERATIONS}/market_buy", json={})
    assert form(refused) == (404, JSON, {"detail": "操作 'market_buy' 不存在"})


async def test_the_document_s_own_fields_come_where_they_are_asked_for() -> None:
    """``document_fields`` adds what the vendor's page shows and the server does not send."""
    server = ServerAtHand(document_fields=True)
    assert (await server.get("/api/v1/system/health")).json()["data"]["components"]["logged_in"] is True
    assert (await server.get("/api/v1/system/status")).json()["data"]["automator"]["logged_in"] is True
    operation_id = await server.submit("funds_query")
    server.wait(5)
    assert (await server.status(operation_id))["status"] == "success"
    stats = (await server.get("/api/v1/queue/stats")).json()["data"]
    assert (stats["success_count"], stats["failed_count"]) == (1, 0)


async def test_the_list_of_operations_needs_its_slash() -> None:
    """With it 15 operations in full; without it the text of an unknown path."""
    server = ServerAtHand()
    listed = (await server.get(f"{OPERATIONS}/")).json()["data"]
    assert listed["count"] == len(listed["operations"]) == 15
    fields = {"name", "version", "description", "author", "operation_name", "parameters"}
    assert all(set(entry) == fields for entry in listed["operations"].values())
    assert listed["operations"]["buy"]["name"] == "BuyOperation"
    assert form(await server.get(OPERATIONS)) == (404, TEXT, "Not Found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/nothing"),
        ("GET", f"{OPERATIONS}/buy"),
        ("POST", "/api/v1/system/health"),
        ("HEAD", "/api/v1/system/health"),
        ("PUT", f"{OPERATIONS}/buy"),
        ("POST", f"{OPERATIONS}/"),
        ("GET", "/api/v1/system/health/"),
        ("GET", "/api"),
    ],
)
async def test_below_api_an_unknown_path_and_a_wrong_method_are_the_same_text(method: str, path: str) -> None:
    """404 as text, never 405."""
    response = await ServerAtHand().client.request(method, path)
    assert (response.status_code, response.headers["content-type"]) == (404, TEXT)
    assert method == "HEAD" or response.text == "Not Found"


async def test_elsewhere_an_unknown_path_is_json() -> None:
    """The framework's own words."""
    assert form(await ServerAtHand().get("/nothing")) == (404, JSON, {"detail": "Not Found"})


# In front of the routes


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "Missing authentication credentials"),
        ("", "Missing authentication credentials"),
        ("secret", "Missing authentication credentials"),
        ("Bearer", "Missing authentication credentials"),
        ("Basic secret", "Missing authentication credentials"),
        ("Bearer wrong", "Invalid API key"),
        ("Bearer  secret", "Invalid API key"),
        ("Bearer secret", None),
        ("BEARER secret", None),
        ("bearer secret", None),
    ],
)
async def test_the_key(header: str | None, message: str | None) -> None:
    """One blank, the word in any case; only a missing one is told how to authenticate."""
    server = ServerAtHand(api_key="secret")
    for path in ("/", "/api/v1/system/health", "/api/nothing"):
        response = await server.client.get(path, headers={} if header is None else {"authorization": header})
        if message is None:
            assert response.status_code != 401, path
            continue
        assert response.status_code == 401
        assert response.json()["error"] == "Unauthorized"
        assert response.json()["message"] == message
        assert ("www-authenticate" in response.headers) is (message != "Invalid API key")


async def test_what_needs_no_key() -> None:
    """The documents and a browser's preflight; without a configured key any key is ignored."""
    server = ServerAtHand(api_key="secret")
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await server.get(path)).status_code == 200
    preflight = await server.client.options(
        "/api/v1/system/health",
        headers={"origin": "http://page", "access-control-request-method": "GET"},
    )
    assert preflight.status_code == 200
    open_server = ServerAtHand()
    assert (await open_server.get("/api/v1/system/health", authorization="Bearer any")).status_code == 200


async def test_the_rate_limit_is_a_500_in_text() -> None:
    """Ten calls of an address in a second, unauthenticated ones too; headers on accepted ones alone; it slides."""
    server = ServerAtHand(rate_limit=10, api_key="secret")
    key = {"authorization": "Bearer secret"}
    for number in range(10):
        response = await server.client.get("/api/v1/system/info", headers=key if number else {})
        assert response.status_code == (200 if number else 401)
        assert response.headers["x-ratelimit-limit"] == "10"
        assert response.headers["x-ratelimit-remaining"] == str(9 - number)
        assert response.headers["x-ratelimit-reset"] == str(server.clock.now_ns // 1_000_000_000 + 1)
        server.clock.now_ns += 50_000_000
    refused = await server.get("/api/v1/system/info", **key)
    assert form(refused) == (500, TEXT, "Internal Server Error")
    assert not [name for name in refused.headers if name.startswith("x-ratelimit")]
    assert "retry-after" not in refused.headers
    other = server.client_from("10.0.0.2", **key)
    assert (await other.get("/api/v1/system/info")).status_code == 200
    server.clock.now_ns += 500_000_000 - 1
    assert (await server.get("/api/v1/system/info", **key)).status_code == 500
    server.clock.now_ns += 1
    assert (await server.get("/api/v1/system/info", **key)).status_code == 200
    assert (await server.get("/api/v1/system/info", **key)).status_code == 500


@pytest.mark.parametrize(
    ("address", "headers", "allowed"),
    [
        ("192.168.7.1", {}, True),
        ("10.0.0.9", {}, True),
        ("10.0.0.8", {}, False),
        ("172.16.0.5", {}, True),
        ("10.0.0.8", {"x-forwarded-for": "10.0.0.9, 1.1.1.1"}, True),
        ("10.0.0.9", {"x-forwarded-for": "10.0.0.8"}, False),
        ("10.0.0.8", {"x-real-ip": "10.0.0.9"}, True),
    ],
)
async def test_the_white_list_of_addresses(address: str, headers: dict[str, str], allowed: bool) -> None:
    """Patterns with a star at one end; a proxy's headers are believed; looked at after the key."""
    server = ServerAtHand(ip_whitelist=("192.168.*", "10.0.0.9", "*.0.5"), api_key="k")
    client = server.client_from(address)
    assert (await client.get("/api/v1/system/info", headers=headers)).status_code == 401
    response = await client.get("/api/v1/system/info", headers=headers | {"authorization": "Bearer k"})
    assert response.status_code == (200 if allowed else 403)
    if not allowed:
        assert sorted(response.json()) == ["error", "ip", "message"]
        assert response.json()["error"] == "Access denied"


# Bodies

BODIES = [
    (b"", None),
    (b"{}", JSON),
    (b"null", JSON),
    (b"{bad", JSON),
    (b'{"a":', JSON),
    (b"[1]", JSON),
    (b'"x"', JSON),
    (b"0", JSON),
    (b" ", JSON),
    (b"\xff\xfe", JSON),
    (b"{}", "text/plain"),
    (b"{}", None),
    (b'{"params":{"a":1},"x":2}', "application/vnd.api+json"),
    (b'{"params":null}', JSON),
    (b'{"params":[1],"priority":"x"}', JSON),
    (b'{"priority":1.5}', JSON),
    (b'{"priority":2.0}', JSON),
    (b'{"priority":true}', JSON),
    (b'{"priority":"3"}', JSON),
    (b'{"priority":" 3.0 "}', JSON),
    (b'{"priority":"+3"}', JSON),
    (b'{"priority":"1_0"}', JSON),
    (b'{"priority":"3.5"}', JSON),
    (b'{"priority":"11"}', JSON),
    (b'{"priority":""}', JSON),
    (b'{"priority":10}', JSON),
    (b'{"priority":11}', JSON),
    (b'{"priority":-1}', JSON),
    (b'{"priority":null}', JSON),
    (b'{"priority":[]}', JSON),
]


@pytest.mark.parametrize(("raw", "kind"), BODIES)
async def test_bodies_are_checked_as_the_server_s_framework_checks_them(raw: bytes, kind: str | None) -> None:
    """Word for word what FastAPI makes of the same model and the same bytes."""
    model = pydantic.create_model(
        "ExecuteOperationRequest",
        params=(dict[str, Any], pydantic.Field(default_factory=dict)),
        priority=(int, pydantic.Field(default=0, ge=0, le=10)),
    )
    app = fastapi.FastAPI()

    async def echo(request: Any) -> Any:
        return {"params": request.params, "priority": request.priority}

    echo.__annotations__["request"] = model
    app.post("/")(echo)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://framework") as client:
        theirs = (await client.post("/", content=raw, headers={"content-type": kind} if kind else {})).json()
    try:
        ours: Any = read_submission(raw, kind)._asdict()
    except Unprocessable as problem:
        ours = {"detail": problem.reasons}
    assert ours == theirs


async def test_a_bad_body_is_422_before_the_name_is_looked_at() -> None:
    """No body at all, for an operation that does not exist."""
    response = await ServerAtHand().client.post(f"{OPERATIONS}/nothing")
    reason = {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
    assert form(response) == (422, JSON, {"detail": [reason]})


async def test_a_timeout_is_a_number() -> None:
    """Anything else is 422; ``nan`` and ``inf`` wait for ever."""
    server = ServerAtHand()
    response = await server.get(f"{OPERATIONS}/x/result?timeout=soon")
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["query", "timeout"]
    assert [read_timeout(text) for text in (None, "inf", "nan", "1e1", "-1", "0")] == [None, None, None, 10, -1, 0]


# The queue


async def test_a_submit_is_taken_whatever_its_params_and_fails_later_with_one_text() -> None:
    """200 and an id; the reason comes with the status, and never says what was wrong."""
    server = ServerAtHand()
    response = await server.client.post(f"{OPERATIONS}/buy", json={"params": {"stock_code": "x"}})
    body = response.json()
    assert (response.status_code, body["message"]) == (200, "操作已添加到队列")
    assert sorted(body["data"]) == ["operation_id", "queue_position", "status"]
    server.wait(1)
    status = await server.status(body["data"]["operation_id"])
    assert status["status"] == "failed"
    assert status["error"] is None
    assert status["result"]["message"] == "参数验证失败：参数验证失败，请检查接口参数"
    assert status["result"]["data"] is None


async def test_a_first_submit_may_be_running_already() -> None:
    """Queued or running, with 0 or 1 waiting: by chance, all of it happens."""
    seen: Counter[tuple[str, int]] = Counter()
    server = ServerAtHand()
    for _ in range(40):
        response = await server.client.post(f"{OPERATIONS}/funds_query", json={})
        seen[response.json()["data"]["status"], response.json()["data"]["queue_position"]] += 1
        server.wait(5)
    assert set(seen) == {("running", 0), ("queued", 0), ("queued", 1)}


async def test_operations_run_one_after_the_other_in_their_own_time() -> None:
    """A purchase takes 1.3 s; the query behind it starts when it has ended; ``queue_size`` lags."""
    server = ServerAtHand()
    first = await server.submit("buy", stock_code="600000", price=server.beside(), quantity=100)
    second = await server.submit("order_query", return_type="json")
    server.wait(0.9)
    assert (await server.status(first))["status"] == "running"
    assert (await server.status(second))["status"] == "queued"
    stats = (await server.get("/api/v1/queue/stats")).json()["data"]
    assert (stats["running_count"], stats["queued_count"], stats["completed_count"]) == (1, 1, 0)
    assert not server.placed()
    server.wait(0.2)
    assert len(server.placed()) == 1
    assert (await server.status(first))["status"] == "running"
    server.wait(0.25)
    done = await server.status(first)
    assert (done["status"], done["result"]["success"]) == ("completed", True)
    assert (await server.status(second))["status"] == "running"
    server.wait(1.0)
    assert (await server.status(second))["status"] == "completed"
    stats = (await server.get("/api/v1/queue/stats")).json()["data"]
    assert list(stats) == [
        "total_processed",
        "total_failed",
        "total_success",
        "queue_size",
        "processing",
        "running_count",
        "completed_count",
        "queued_count",
    ]
    assert (stats["total_processed"], stats["total_success"], stats["total_failed"]) == (2, 2, 0)
    assert stats["queue_size"] == 0


async def test_pace_stretches_every_pause() -> None:
    """At 10 the funds take six seconds; at 0 they take none, once the worker has noticed."""
    for pace, seconds in ((10.0, 5.99), (0.0, 0.0)):
        server = ServerAtHand(pace=pace)
        operation_id = await server.submit("funds_query")
        server.wait(seconds)
        assert (await server.status(operation_id))["status"] != "completed"
        server.wait(0.02)
        assert (await server.status(operation_id))["status"] == "completed"


async def test_higher_priorities_first_then_first_come_first_served() -> None:
    """A running operation is never interrupted."""
    server = ServerAtHand()
    ids = [await server.submit("funds_query", priority) for priority in (0, 3, 10, 3, 0)]
    server.wait(60)
    ended = {operation_id: (await server.status(operation_id))["timestamp"] for operation_id in ids}
    assert sorted(ids, key=lambda one: ended[one]) == [ids[0], ids[2], ids[1], ids[3], ids[4]]


async def test_a_full_queue_is_a_500_in_json() -> None:
    """As many as may are waiting."""
    server = ServerAtHand(queue_max=2)
    await server.submit("funds_query")
    server.wait(0.1)
    await server.submit("funds_query")
    await server.submit("funds_query")
    response = await server.client.post(f"{OPERATIONS}/funds_query", json={})
    assert form(response) == (500, JSON, {"detail": "队列已满，无法添加操作"})


async def test_unknown_ids() -> None:
    """404 for a status, 408 for a result, 404 for a cancel, each with its own words."""
    server = ServerAtHand()
    assert form(await server.get(f"{OPERATIONS}/x/status")) == (404, JSON, {"detail": "操作不存在"})
    assert form(await server.result("x")) == (408, JSON, {"detail": "操作未完成或超时"})
    assert form(await server.client.delete(f"{OPERATIONS}/x")) == (404, JSON, {"detail": "操作不存在或无法取消"})


async def test_ids_are_lower_case_version_4() -> None:
    """As uuid prints them."""
    import uuid

    server = ServerAtHand()
    ids = [await server.submit("funds_query") for _ in range(20)]
    assert len(set(ids)) == 20
    for operation_id in ids:
        parsed = uuid.UUID(operation_id)
        assert (str(parsed), parsed.version, parsed.variant) == (operation_id, 4, uuid.RFC_4122)


@pytest.mark.parametrize("generation", ["new", "old"])
async def test_a_cancel_takes_effect_at_once_and_its_result_comes_late(generation: str) -> None:
    """The status is failed at once; a result is there when the worker has passed it, in OLD never."""
    server = ServerAtHand(generation=generation)
    await server.submit("buy", stock_code="600000", price=server.beside(), quantity=100)
    victim = await server.submit("funds_query")
    server.wait(0.1)
    cancelled = await server.client.delete(f"{OPERATIONS}/{victim}")
    assert (cancelled.status_code, cancelled.json()["message"], cancelled.json()["data"]) == (200, "操作已取消", None)
    assert (await server.client.delete(f"{OPERATIONS}/{victim}")).status_code == 404
    assert (await server.result(victim)).status_code == 408
    stats = (await server.get("/api/v1/queue/stats")).json()["data"]
    assert stats["queued_count"] == 1
    if generation == "new":
        status = await server.status(victim)
        assert (status["status"], status["result"]["message"]) == ("failed", "操作已取消")
    server.wait(5)
    late = await server.result(victim)
    if generation == "new":
        assert late.json() == status["result"]
    else:
        assert late.status_code == 408
    stats = (await server.get("/api/v1/queue/stats")).json()["data"]
    assert (stats["total_processed"], stats["total_success"], stats["total_failed"]) == (2, 1, 0)
    # As of the last submit or start: nobody looked when the cancelled one was passed.
    assert (stats["queue_size"], stats["queued_count"]) == (1, 0)


async def test_running_and_finished_operations_can_not_be_cancelled() -> None:
    """404 for both."""
    server = ServerAtHand()
    operation_id = await server.submit("funds_query")
    server.wait(0.3)
    assert (await server.status(operation_id))["status"] == "running"
    assert (await server.client.delete(f"{OPERATIONS}/{operation_id}")).status_code == 404
    server.wait(1)
    assert (await server.client.delete(f"{OPERATIONS}/{operation_id}")).status_code == 404


async def test_the_older_generation_s_status_is_always_500_and_its_result_nested() -> None:
    """The outer success is true even where the inner one is false; reason and message sit inside the data."""
    server = ServerAtHand(generation="old")
    bad = await server.submit("buy")
    poor = await server.submit("buy", stock_code="600000", price=server.beside(), quantity=1_000_000)
    server.wait(5)
    for operation_id in (bad, poor):
        assert form(await server.get(f"{OPERATIONS}/{operation_id}/status")) == (500, TEXT, "Internal Server Error")
        body = (await server.result(operation_id)).json()
        assert body["success"] is True
        assert sorted(body["data"]) == ["operation_id", "result"]
        assert body["data"]["result"]["success"] is False
        assert sorted(body["data"]["result"]) == ["data", "error", "success", "timestamp"]
    assert form(await server.get(f"{OPERATIONS}/x/status"))[0] == 404
    hard = (await server.result(bad)).json()["data"]["result"]
    assert (hard["data"], hard["error"]) == (None, "参数验证失败：参数验证失败，请检查接口参数")
    soft = (await server.result(poor)).json()["data"]["result"]
    assert soft["error"] is None
    assert soft["data"]["success"] is False
    assert soft["data"]["message"].startswith("提交失败：")
    assert soft["data"]["operation"] == "buy"


async def test_a_server_that_started_without_its_client_never_connects() -> None:
    """Health says so, and every operation fails before it begins."""
    server = ServerAtHand(connected=False)
    health = (await server.get("/api/v1/system/health")).json()
    assert health["success"] is True
    assert health["data"]["components"]["automator"] == "disconnected"
    assert (await server.run("funds_query"))["message"].startswith("执行前检查失败")


async def test_a_dead_client_is_still_called_connected() -> None:
    """The flag was set once, at the start; only the operations tell; and it may come back."""
    server = ServerAtHand()
    server.venue.client_lost = True
    health = (await server.get("/api/v1/system/health")).json()["data"]
    assert health["components"]["automator"] == "connected"
    assert (await server.run("funds_query"))["message"].startswith("执行前检查异常")
    server.venue.client_lost = False
    assert (await server.run("funds_query"))["success"] is True


# The one thread, over real sockets


async def test_a_waiting_result_holds_up_the_whole_server() -> None:
    """Health is answered only when the result's time is up: even though its caller has gone."""
    async with served(speed=10) as (client, venue):
        with pytest.raises(httpx.ReadTimeout):
            await client.get(f"{OPERATIONS}/x/result?timeout=5", timeout=0.1)
        start_ns = venue.clock.now_ns
        assert (await client.get("/api/v1/system/health")).status_code == 200
        assert venue.clock.now_ns - start_ns > 3_000_000_000


async def test_a_result_comes_as_soon_as_it_is_there() -> None:
    """Not when its time-out is over; and the worker goes on while the server waits."""
    async with served(speed=50) as (client, venue):
        submitted = await client.post(f"{OPERATIONS}/funds_query", json={})
        start_ns = venue.clock.now_ns
        operation_id = submitted.json()["data"]["operation_id"]
        result = await client.get(f"{OPERATIONS}/{operation_id}/result?timeout=600")
        assert result.json()["success"] is True
        assert venue.clock.now_ns - start_ns < 100_000_000_000


async def test_the_blocking_can_be_switched_off() -> None:
    """``result_blocks = false``: others are served meanwhile."""
    async with served(result_blocks=False) as (client, _), anyio.create_task_group() as group:
        group.start_soon(client.get, f"{OPERATIONS}/x/result?timeout=1000")
        await anyio.sleep(0.05)
        assert (await client.get("/api/v1/system/health", timeout=5)).status_code == 200
        group.cancel_scope.cancel()


async def test_a_result_without_a_timeout_on_an_unknown_id_kills_the_server_until_it_is_restarted() -> None:
    """Nobody is answered any more; a restart breaks every connection and loses every id; the orders stay."""
    async with served() as (client, venue):
        price = float(venue.counter.view(venue.counter.shares[0]).bid) - 0.2
        params = {"stock_code": "600000", "price": round(price, 2), "quantity": 100}
        submitted = await client.post(f"{OPERATIONS}/buy", json={"params": params})
        operation_id = submitted.json()["data"]["operation_id"]
        await client.get(f"{OPERATIONS}/{operation_id}/result?timeout=60")
        outcomes: list[str] = []

        async def ask(path: str, method: str = "GET") -> None:
            body = {"json": {}} if method == "POST" else {}
            try:
                outcomes.append(str((await client.request(method, path, **body)).status_code))
            except httpx.TransportError as problem:
                outcomes.append(type(problem).__name__)

        async with anyio.create_task_group() as group:
            group.start_soon(ask, f"{OPERATIONS}/nothing/result")
            await anyio.sleep(0.1)
            for _ in range(3):
                group.start_soon(ask, "/api/v1/system/health")
            group.start_soon(ask, f"{OPERATIONS}/funds_query", "POST")
            await anyio.sleep(0.3)
            assert outcomes == []
            venue.restart()
        assert len(outcomes) == 5
        assert set(outcomes) <= {"ReadError", "RemoteProtocolError"}
        assert (await client.get(f"{OPERATIONS}/{operation_id}/status")).status_code == 404
        # What waited for its turn was not done either.
        assert venue.queue.operations == {}
        assert len(venue.counter.entrusts(venue.clock.now_ns)) == 1


async def test_a_restart_cuts_connections_that_wait_for_nothing() -> None:
    """Kept alive from an earlier call, it ends without a request on it."""
    async with served() as (client, venue), await anyio.connect_tcp("127.0.0.1", client.base_url.port or 0) as stream:
        await stream.send(b"GET /api/v1/system/info HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200 OK" in await stream.receive()
        venue.restart()
        with anyio.fail_after(5), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()


async def test_a_restart_may_let_the_running_operation_through_or_not() -> None:
    """Its id is lost either way; over many restarts both happen."""
    placed: Counter[int] = Counter()
    for chance in range(12):
        server = ServerAtHand(chance=chance)
        operation_id = await server.submit("buy", stock_code="600000", price=server.beside(), quantity=100)
        server.wait(0.5)
        server.venue.restart()
        server.wait(5)
        assert (await server.get(f"{OPERATIONS}/{operation_id}/status")).status_code == 404
        placed[len(server.placed())] += 1
    assert set(placed) == {0, 1}


async def test_after_a_500_in_text_the_connection_is_closed() -> None:
    """Without a word in the headers; a 500 in JSON leaves it open, as every other answer does."""
    request = b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n"
    async with served(generation="old", queue_max=1) as (client, _):
        submitted = await client.post(f"{OPERATIONS}/funds_query", json={})
        operation_id = submitted.json()["data"]["operation_id"]
        async with await anyio.connect_tcp("127.0.0.1", client.base_url.port or 0) as stream:
            for _ in range(2):
                await stream.send(request % b"/api/v1/system/info")
                assert b"200 OK" in await stream.receive()
            await stream.send(request % f"{OPERATIONS}/{operation_id}/status".encode())
            answer = b""
            with anyio.fail_after(5):
                while True:
                    try:
                        answer += await stream.receive()
                    except anyio.EndOfStream:
                        break
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 500")
        assert b"connection" not in head.lower()
        assert body == b"Internal Server Error"
