"""The EasyTHS gateway over real HTTP against a scripted server: connecting, pacing, both generations, every route."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from engine.clock import LiveClock
from engine.domain.errors import ConfigError, GatewayError, NotSent, OutcomeUnknown, Refused
from engine.domain.events import AccountObserved, Alert
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.gateways import GATEWAYS
from engine.gateways.easyths.adapter import Easyths
from engine.gateways.easyths.client import Generation
from tests.easyths_builders import CANCELED, NOW_NS, Desk, a_gateway, some_funds
from tests.gateway_builders import Notes, QuickClock, closed_port, surroundings

SPEED = 200
THROTTLE = PlainTextResponse("Internal Server Error", 500)


def in_turn(*answers: Response | None) -> Callable[[], Response | None]:
    """One answer after the other, then none."""
    left = list(answers)
    return lambda: left.pop(0) if left else None


def on(desk: Desk, method: str, end: str, *answers: Response | None) -> None:
    """Calls whose path ends so get these answers, one after the other; the rest are the server's own."""
    take = in_turn(*answers)
    desk.before = lambda asked, path: take() if asked == method and path.endswith(end) else None


# --- connecting ---


@pytest.mark.parametrize("newer", [True, False])
async def test_it_connects_to_both_generations_and_tells_them_apart(newer: bool) -> None:
    """By the list of operations, whose path needs its last slash; money shown proves that the client lives."""
    desk = Desk(newer=newer)
    async with a_gateway(desk) as gateway:
        await gateway.connect()
        assert await gateway.client.generation() is (Generation.NEWER if newer else Generation.OLDER)
        assert gateway.client.is_newer is newer
    assert desk.paths().count("/api/v1/operations/") == 1
    assert desk.submitted() == [("funds_query", {})]
    assert gateway.feed is None
    assert await gateway.instruments() == ()


async def test_a_wrong_key_names_the_variable_and_the_file() -> None:
    """And a server without a key is called without one."""
    async with a_gateway(Desk(key="another")) as gateway:
        with pytest.raises(ConfigError, match=r"API_KEY.*config\.toml"):
            await gateway.connect()
    open_desk = Desk(key="")
    async with a_gateway(open_desk, environ={}) as gateway:
        await gateway.connect()
    assert all("authorization" not in headers for *_, headers in open_desk.calls)


async def test_an_address_that_is_not_allowed_says_so() -> None:
    """403 is the list of addresses, not the key."""
    desk = Desk()
    on(desk, "GET", "/health", JSONResponse({"error": "Access denied", "message": "x", "ip": "127.0.0.1"}, 403))
    async with a_gateway(desk) as gateway:
        with pytest.raises(ConfigError, match=r"list of addresses"):
            await gateway.connect()


async def test_a_server_without_a_living_client_is_not_connected() -> None:
    """A flag that was set once at its start is not enough: there must be money."""
    desk = Desk()
    desk.automator = "disconnected"
    async with a_gateway(desk) as gateway:
        with pytest.raises(Refused, match="start the server anew"):
            await gateway.connect()
        desk.automator = "connected"
        desk.funds = {"资金余额": "0.00"}
        with pytest.raises(Refused, match="总资产"):
            await gateway.connect()


async def test_nobody_there_is_a_gateway_error() -> None:
    """The run tries again, or says so."""
    gateway = Easyths(base_url=f"http://127.0.0.1:{closed_port()}").open(surroundings(QuickClock(NOW_NS), {}))
    with pytest.raises(NotSent):
        await gateway.connect()
    await gateway.close()


async def test_real_trading_elsewhere_must_have_been_reported() -> None:
    """RELIABILITY 4.1, row 3; on this machine it is a simulator, or one's own client."""
    settings = Easyths(base_url="https://192.0.2.7:7648", account="ths")
    gateway = settings.open(surroundings(QuickClock(NOW_NS), {}))
    with pytest.raises(ConfigError, match="programme_trading_reported = true"):
        await gateway.connect()
    await gateway.close()
    reported = Easyths(base_url="https://192.0.2.7:7648", account="ths", programme_trading_reported=True)
    reported.reported()
    Easyths(base_url="https://192.0.2.7:7648").reported()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"timezone": "Asia/Nowhere"}, "timezone"),
        ({"market_strategy": 7}, "market_strategy"),
        ({"instruments": ("00700.HK",)}, "00700.HK"),
        ({"status_words": {"已受理": "gone"}}, "已受理"),
        ({"deadline": "soon"}, "deadline"),
        ({"base_url": "http://192.0.2.7:7648"}, "insecure_lan"),
    ],
)
def test_a_setting_that_can_not_be_is_named(settings: dict[str, Any], words: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match=words):
        Easyths(**settings).open(surroundings(QuickClock(NOW_NS), {}))
    assert GATEWAYS["easyths"] is Easyths


def test_the_key_may_be_in_the_servers_own_file(tmp_path: Path) -> None:
    """If nobody else can read it; the environment goes first."""
    file = tmp_path / "config.toml"
    file.write_text('[api]\nkey = "from-file"\n', encoding="utf-8")
    around = surroundings(QuickClock(NOW_NS), {})
    file.chmod(0o640)
    with pytest.raises(ConfigError, match=f"chmod 600 {file}"):
        Easyths(key_file=str(file)).open(around)
    file.chmod(0o600)
    assert Easyths(key_file=str(file)).open(around).client.headers["authorization"] == "Bearer from-file"
    both = surroundings(QuickClock(NOW_NS), {"THS": "from-env"})
    assert (
        Easyths(key_file=str(file), api_key_env="THS").open(both).client.headers["authorization"] == "Bearer from-env"
    )
    for text, words in (("[api]\n", "no key under"), ("[api", "no TOML"), ('[api]\nkey = "a b"\n', "no key has")):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=words):
            Easyths(key_file=str(file)).open(around)
    with pytest.raises(ConfigError, match="correct the path"):
        Easyths(key_file=str(tmp_path / "absent")).open(around)


# --- following an operation ---


@pytest.mark.parametrize("newer", [True, False])
async def test_an_operation_is_polled_every_half_second_to_its_end(newer: bool) -> None:
    """The newer generation by its status, the older by short looks at its result; never without a time-out."""
    desk, clock = Desk(newer=newer), QuickClock(NOW_NS)
    desk.polls = 4
    async with a_gateway(desk, clock) as gateway:
        await gateway.client.generation()
        began = clock.now_ns
        finished = await gateway.client.operate("funds_query", {})
    assert finished.success
    assert finished.data["总资产"]
    assert clock.now_ns - began >= 4 * SECOND_NS // 2
    polled = [(path.rpartition("/")[2], body) for method, path, body, _ in desk.calls if method == "GET"][1:]
    assert polled == ([("status", {})] * 4 if newer else [("result", {"timeout": "0.1"})] * 4)


async def test_calls_are_half_a_second_apart_and_operations_one_at_a_time() -> None:
    """Whoever asks: all calls go through one door, all operations through one turn."""
    desk, clock = Desk(), QuickClock(NOW_NS)
    times: list[int] = []

    def note(_method: str, _path: str) -> None:
        times.append(clock.now_ns)

    desk.before = note
    async with a_gateway(desk, clock) as gateway, anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(gateway.client.operate, "funds_query", {})
            group.start_soon(gateway.client.health)
    assert all(later - earlier >= SECOND_NS // 2 for earlier, later in pairwise(times))
    flow = [method for method, path, _, _ in desk.calls if "operations" in path]
    assert flow == ["POST", "GET"] * 3


async def test_a_result_that_comes_a_moment_after_its_word_is_waited_for() -> None:
    """``completed`` is set before the result (contract 2.1)."""
    desk = Desk()
    early = {"operation_id": "x", "name": "funds_query", "status": "completed", "result": None, "error": None}
    envelope = {"success": True, "message": "", "data": early, "timestamp": ""}
    on(desk, "GET", "/status", JSONResponse(envelope), JSONResponse(envelope))
    async with a_gateway(desk) as gateway:
        assert (await gateway.client.operate("funds_query", {})).success
    assert len(desk.paths()) == 3


async def test_the_documents_word_for_success_is_taken_and_its_nested_result_read() -> None:
    """``success`` where the server says ``completed``; message and flag inside ``data`` (contract 6.1, 6.2)."""
    desk = Desk()
    result = {"success": True, "data": {"success": False, "message": "提交失败：资金不足"}}
    said = {"success": True, "message": "查询成功", "data": {"status": "success", "result": result}}
    on(desk, "GET", "/status", JSONResponse(said))
    async with a_gateway(desk) as gateway:
        finished = await gateway.client.operate("buy", {"stock_code": "600000", "price": 8.7, "quantity": 100})
    assert (finished.success, finished.message) == (False, "提交失败：资金不足")


async def test_a_failed_operation_is_no_success_whatever_its_result_says() -> None:
    """The status is the server's word on it; a reason may come without a result."""
    desk = Desk()
    good = {"success": True, "data": {}, "message": "x"}
    answers = [{"status": "failed", "result": good}, {"status": "failed", "result": None, "error": "x"}]
    on(desk, "GET", "/status", *(JSONResponse({"success": True, "data": data}) for data in answers))
    async with a_gateway(desk) as gateway:
        for _ in answers:
            finished = await gateway.client.operate("funds_query", {})
            assert (finished.success, finished.message) == (False, "x")


async def test_a_throttled_poll_is_repeated_after_a_second() -> None:
    """The rate limiter answers 500 in plain text."""
    desk, clock = Desk(), QuickClock(NOW_NS)
    on(desk, "GET", "/status", THROTTLE)
    async with a_gateway(desk, clock) as gateway:
        assert (await gateway.client.operate("funds_query", {})).success
    assert SECOND_NS in clock.sleeps
    assert [path.rpartition("/")[2] for path in desk.paths()] == ["status", "status"]


async def test_a_server_that_turns_out_to_be_older_is_followed_by_results() -> None:
    """500 twice, and then a result in the older form."""
    desk = Desk(newer=False)
    async with a_gateway(desk) as gateway:
        finished = await gateway.client.operate("funds_query", {})
        assert finished.success
        assert not gateway.client.is_newer
        await gateway.client.operate("funds_query", {})
    ends = [path.rpartition("/")[2] for path in desk.paths()]
    assert ends == ["status", "status", "result", "result"]


async def test_a_throttle_does_not_make_a_newer_server_older() -> None:
    """Its result has the newer form."""
    desk = Desk()
    on(desk, "GET", "/status", THROTTLE, THROTTLE)
    async with a_gateway(desk) as gateway:
        assert not (await gateway.client.operate("funds_query", {})).data.get("operation_id")
        assert gateway.client.is_newer


async def test_a_result_that_can_not_be_written_down_is_unknown() -> None:
    """500 on status and on result, for ever (contract 1.1)."""
    desk = Desk()
    desk.before = lambda method, path: THROTTLE if method == "GET" and "operations" in path else None
    async with a_gateway(desk) as gateway:
        with pytest.raises(OutcomeUnknown, match="can not be read"):
            await gateway.client.operate("funds_query", {})


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (JSONResponse({"success": True, "data": {"status": "aborted", "result": None}}), "nobody knows: 'aborted'"),
        (JSONResponse({"detail": "操作不存在"}, 404), "started anew"),
        (JSONResponse({"success": True, "data": "?"}), "can not be read"),
    ],
)
async def test_what_can_not_be_followed_is_unknown(status: Response, words: str) -> None:
    """An unlisted word, a server that forgot, nonsense: never a failure."""
    desk = Desk()
    desk.before = lambda _method, path: status if path.endswith("/status") else None
    async with a_gateway(desk) as gateway:
        with pytest.raises(OutcomeUnknown, match=words):
            await gateway.client.operate("funds_query", {})


async def test_an_operation_over_its_deadline_is_withdrawn_and_looked_at_again() -> None:
    """200 on DELETE and still cancelled a second later: it never ran (contract 5.2)."""
    desk, clock = Desk(), QuickClock(NOW_NS)
    desk.stuck = {"funds_query"}
    async with a_gateway(desk, clock) as gateway:
        with pytest.raises(Refused, match="before it ran"):
            await gateway.client.operate("funds_query", {})
    assert len(desk.paths("DELETE")) == 1
    assert 30 * SECOND_NS <= clock.now_ns - NOW_NS <= 35 * SECOND_NS
    order = [method for method, *_ in desk.calls]
    assert order[order.index("DELETE") :] == ["DELETE", "GET"]


async def test_a_withdrawal_that_lost_the_race_proves_nothing() -> None:
    """The worker had it already: it runs on, and what comes of it is not known."""
    desk = Desk()
    desk.stuck = {"funds_query"}
    on(desk, "DELETE", "", JSONResponse({"success": True, "data": None, "message": "操作已取消"}))
    async with a_gateway(desk) as gateway:
        with pytest.raises(OutcomeUnknown, match="still queued"):
            await gateway.client.operate("funds_query", {})


async def test_an_operation_somebody_cancelled_is_looked_at_twice() -> None:
    """It shows as cancelled at once; if it was taken from the queue all the same, its result counts."""
    desk = Desk()
    said = {"success": True, "data": {"status": "failed", "result": CANCELED}}
    on(desk, "GET", "/status", JSONResponse(said))
    async with a_gateway(desk) as gateway:
        assert (await gateway.client.operate("funds_query", {})).success
    desk.before = lambda _method, path: JSONResponse(said) if path.endswith("/status") else None
    async with a_gateway(desk) as gateway:
        with pytest.raises(Refused, match="before it ran"):
            await gateway.client.operate("funds_query", {})


async def test_an_older_server_withdraws_without_proof() -> None:
    """A cancelled operation has no result there, as one that still waits has none."""
    desk = Desk(newer=False)
    desk.stuck = {"funds_query"}
    async with a_gateway(desk) as gateway:
        await gateway.client.generation()
        with pytest.raises(OutcomeUnknown):
            await gateway.client.operate("funds_query", {})


# --- failures of a submit ---


FAILURES = [
    (JSONResponse({"detail": "操作 'x' 不存在"}, 404), Refused, "不存在"),
    (JSONResponse({"detail": [{"type": "t", "loc": ["body", "params"], "msg": "Input should be"}]}, 422), Refused,
     "body.params: Input should be"),
    (JSONResponse({"error": "Unauthorized", "message": "Invalid API key", "detail": "d"}, 401), Refused, "Invalid API"),
    (JSONResponse({"error": "Access denied", "message": "m", "ip": "1.2.3.4"}, 403), Refused, "1.2.3.4"),
    (JSONResponse({"detail": "队列已满，无法添加操作"}, 500), Refused, "队列已满"),
    (JSONResponse({"detail": "x"}, 500), OutcomeUnknown, "500"),
    (PlainTextResponse("Internal Server Error", 500), OutcomeUnknown, "Internal"),
    (PlainTextResponse("Bad Gateway", 502), OutcomeUnknown, "502"),
    (PlainTextResponse("{", 200, media_type="application/json"), OutcomeUnknown, "taken, but"),
    (JSONResponse({"success": True, "data": {"operation_id": "../../x"}}), OutcomeUnknown, "an id that is none"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "kind", "words"), FAILURES)
async def test_every_shape_of_failure_of_a_submit_is_told_apart(
    answer: Response, kind: type[GatewayError], words: str
) -> None:
    """Refused only where nothing was queued; sent once whatever it was (contract 1.1, 5.1, 5.2)."""
    desk = Desk()
    desk.answers["buy"] = lambda _params: answer
    async with a_gateway(desk) as gateway:
        with pytest.raises(kind, match=words):
            await gateway.client.operate("buy", {"stock_code": "600000", "price": 8.7, "quantity": 100}, changes=True)
    assert len(desk.submitted("buy")) == 1


async def test_a_query_is_repeated_where_an_order_is_not() -> None:
    """A throttle, or a connection that broke: a second later once more."""
    desk, clock = Desk(), QuickClock(NOW_NS)
    on(desk, "POST", "/funds_query", THROTTLE, THROTTLE)
    async with a_gateway(desk, clock) as gateway:
        assert (await gateway.client.operate("funds_query", {})).success
        assert len(desk.submitted("funds_query")) == 3
        on(desk, "POST", "/funds_query", THROTTLE, THROTTLE, THROTTLE)
        with pytest.raises(OutcomeUnknown):
            await gateway.client.operate("funds_query", {})


async def test_orders_take_a_connection_of_their_own() -> None:
    """After a 500 the server closes the connection: a pooled one may be dead already."""
    desk = Desk()
    async with a_gateway(desk) as gateway:
        await gateway.client.operate("funds_query", {})
        await gateway.client.operate("order_cancel", {"stock_code": "600000"}, changes=True)
    posts = [(path, headers) for method, path, _, headers in desk.calls if method == "POST"]
    by_name = {path.rpartition("/")[2]: headers.get("connection", "") for path, headers in posts}
    assert by_name == {"funds_query": "", "order_cancel": "close"}


# --- running ---


async def test_the_account_is_watched_and_the_client_probed() -> None:
    """At its period where nobody else looks; a client that died behind its server is said, and once only."""
    desk, clock = Desk(), LiveClock(start_ns=NOW_NS, speed=SPEED)
    notes = Notes()
    heard: list[Any] = []
    done = anyio.Event()

    def publish(event: Any) -> None:
        heard.append((clock.now_ns, event))
        looks = [e for _, e in heard if isinstance(e, AccountObserved)]
        alerts = [e for _, e in heard if isinstance(e, Alert)]
        if len(looks) == 2:
            desk.funds = {"资金余额": "0.00"}
        if len(alerts) == 2:
            desk.funds = some_funds()
        if len(looks) == 4:
            done.set()

    async with a_gateway(desk, clock, notes=notes) as gateway:
        await gateway.connect()
        async with anyio.create_task_group() as group:
            group.start_soon(gateway.run, publish)
            with anyio.fail_after(60):
                await done.wait()
            group.cancel_scope.cancel()
    looks = [event.snapshot.as_of_ns for _, event in heard if isinstance(event, AccountObserved)]
    assert looks[1] - looks[0] >= 30 * SECOND_NS
    alerts = [event.text for _, event in heard if isinstance(event, Alert)]
    assert sorted(text.partition(":")[0] for text in alerts) == [
        "the account can not be read",
        "the trading client does not answer",
    ]
    assert all("总资产" in text for text in alerts)
    assert "account.state" in notes.events()


async def test_without_an_account_only_the_client_is_probed() -> None:
    """Every few minutes, by its money."""
    desk, clock = Desk(), QuickClock(NOW_NS)
    async with a_gateway(desk, clock, account="") as gateway:
        await gateway.connect()
        async with anyio.create_task_group() as group:
            group.start_soon(gateway.run, lambda _event: None)
            with anyio.fail_after(15):
                while len(desk.submitted("funds_query")) < 3:
                    await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    assert gateway.router is None
    assert clock.now_ns - NOW_NS >= 6 * MINUTE_NS
    assert {name for name, _ in desk.submitted()} == {"funds_query"}


async def test_no_key_is_noted_or_shown_in_errors() -> None:
    """RELIABILITY 6."""
    notes = Notes()
    async with a_gateway(Desk(key="another"), environ={"API_KEY": "s3cret"}, notes=notes) as gateway:
        with pytest.raises(ConfigError) as caught:
            await gateway.connect()
        with pytest.raises(Refused) as called:
            await gateway.call("funds_query", {})
    assert "s3cret" not in f"{caught.value}{called.value}{notes.lines}"
