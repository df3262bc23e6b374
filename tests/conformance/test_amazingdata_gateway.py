"""The AmazingData gateway at a stand-in over a real socket: logins, repeats, batches, bad codes, tasks."""

import json
from datetime import date

import anyio
import pytest
from starlette.responses import JSONResponse, Response

from engine.domain.errors import BadMessage, ConfigError, NotSent, OutcomeUnknown, Refused
from engine.domain.ids import InstrumentId
from engine.domain.instrument import InstrumentKind
from engine.domain.timestamps import DAY_NS, MINUTE_NS, SECOND_NS, parse_time
from engine.gateways.amazingdata.adapter import AmazingData
from engine.gateways.amazingdata.bars import BarReader, Label, Labels
from engine.gateways.amazingdata.client import Scope
from engine.gateways.amazingdata.messages import Row, Task
from tests.amazingdata_builders import FEBRUARY_NS, StandIn, a_data_gateway, an_error, good, rows_of
from tests.gateway_builders import QuickClock, closed_port, surroundings
from tests.simulator_builders import running

SCOPE = Scope(start=date(2024, 1, 1), end=date(2024, 1, 31))
FROM_NS = parse_time("2024-01-01", "Asia/Shanghai")
TO_NS = parse_time("2024-02-01", "Asia/Shanghai")
BANK = InstrumentId("600000.SH")


def clock() -> QuickClock:
    return QuickClock(FEBRUARY_NS)


# --- logins ---


async def test_one_login_serves_calls_that_come_at_once() -> None:
    """Ten calls without a token make one login; a 401 on all of them makes one more, and every call is repeated."""
    service = StandIn()
    async with running(service.app) as url, a_data_gateway(url, clock(), in_flight=8) as gateway:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(gateway.client.me)
        assert (service.logins, len(service.calls)) == (1, 10)
        service.good_tokens.clear()
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(gateway.client.me)
        assert (service.logins, len(service.calls)) == (2, 20)


async def test_a_token_is_renewed_before_it_ends() -> None:
    """Two minutes before its end by our clock a call logs in first, so that no 401 is ever seen."""
    service = StandIn(expires_in=3600)
    now = clock()
    async with running(service.app) as url, a_data_gateway(url, now) as gateway:
        await gateway.connect()
        now.now_ns += 57 * MINUTE_NS
        await gateway.connect()
        assert service.logins == 1
        now.now_ns += 2 * MINUTE_NS
        await gateway.connect()
        assert service.logins == 2


async def test_a_second_401_is_final() -> None:
    """A token that is not taken fresh from the login ends the call, once."""
    service = StandIn()
    service.fail("/auth/me", an_error(401), an_error(401), an_error(401))
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        with pytest.raises(ConfigError, match="not logged in"):
            await gateway.connect()
        assert service.logins == 2
        assert len(service.asked("/auth/me")) == 2


async def test_a_401_in_the_envelope_of_a_200_counts() -> None:
    """The envelope's own code is believed where the status says nothing."""
    service = StandIn()
    service.fail("/auth/me", JSONResponse({"code": 401, "message": "Token无效或已过期", "data": None}))
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        assert (await gateway.client.me()).username == "admin"
        assert service.logins == 2


async def test_a_403_is_final_with_a_good_token_and_a_login_with_one_that_is_over() -> None:
    """Some versions say 403 for a token that is over; with a good one it means no."""
    service = StandIn(expires_in=3600)
    now = clock()
    async with running(service.app) as url, a_data_gateway(url, now) as gateway:
        service.fail("/auth/me", an_error(403))
        with pytest.raises(Refused, match="403"):
            await gateway.client.me()
        assert service.logins == 1
        service.fail("/auth/me", an_error(403))
        service.on_call = lambda _n: setattr(now, "now_ns", now.now_ns + 2 * 3600 * SECOND_NS)
        assert (await gateway.client.me()).id == 1
        assert service.logins == 2


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"code": 401, "message": "用户名或密码错误", "data": None}, 401),
        JSONResponse({"detail": "用户名或密码错误"}, 401),
        JSONResponse({"code": 401, "message": "用户名或密码错误", "data": None}, 200),
    ],
)
async def test_a_wrong_password_is_the_users_mistake(answer: JSONResponse) -> None:
    """In all three forms: one sentence with the server's words and the variables to look at, and no repeat."""
    service = StandIn()
    logins: list[int] = []

    async def refuse(request: object) -> Response:
        logins.append(1)
        return answer

    service.app.routes[0].endpoint = refuse  # type: ignore[attr-defined]
    service.app.routes[0].app = _asgi(refuse)  # type: ignore[attr-defined]
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        with pytest.raises(ConfigError, match=r"用户名或密码错误.*SLUICE_AD_PASSWORD"):
            await gateway.connect()
    assert logins == [1]


def _asgi(endpoint: object) -> object:
    from starlette.routing import request_response

    return request_response(endpoint)  # type: ignore[arg-type]


async def test_without_credentials_nothing_is_sent() -> None:
    """The sentence names the two variables."""
    gateway = AmazingData(base_url=f"http://127.0.0.1:{closed_port()}/api/v1").open(surroundings(clock(), {}))
    with pytest.raises(ConfigError, match="SLUICE_AD_USER and SLUICE_AD_PASSWORD"):
        await gateway.connect()


# --- repeats ---


async def test_reads_are_repeated_three_times_with_growing_waits_and_then_fail() -> None:
    """502 twice and then an answer is an answer; 500 for good is an outcome unknown, after about 0.5 and 1 s."""
    service = StandIn()
    now = clock()
    async with running(service.app) as url, a_data_gateway(url, now) as gateway:
        service.fail("/auth/me", Response("<html>", 502), an_error(503))
        await gateway.client.me()
        waits = [wait / SECOND_NS for wait in now.sleeps]
        assert len(waits) == 2
        assert 0.5 <= waits[0] <= 1 <= waits[1] <= 2
        service.fail("/auth/me", *(Response("Internal Server Error", 500) for _ in range(3)))
        with pytest.raises(OutcomeUnknown, match="500: Internal Server Error"):
            await gateway.client.me()


async def test_nobody_there_is_not_sent() -> None:
    """After three tries the caller knows that nothing left."""
    async with a_data_gateway(f"http://127.0.0.1:{closed_port()}", clock()) as gateway:
        with pytest.raises(NotSent):
            await gateway.connect()


async def test_a_post_that_starts_work_is_never_repeated_and_the_list_of_tasks_tells() -> None:
    """A lost answer is looked up: one new task is ours; none leaves the outcome unknown."""
    service = StandIn()
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        service.a_task({"status": "completed"})

        def start_one(_number: int) -> None:
            if service.calls[-1][1] == "/cache/fill-missing":
                service.a_task({"status": "running"})

        service.on_call = start_one
        service.fail("/cache/fill-missing", Response("lost", 502))
        started = await gateway.tasks.start("fill-missing", SCOPE)
        assert (started.task_id, started.status) == (15, "running")
        service.on_call = lambda _n: None
        service.fail("/cache/fill-missing", Response("lost", 502))
        with pytest.raises(OutcomeUnknown, match="0 new tasks"):
            await gateway.tasks.start("fill-missing", SCOPE)
        assert len(service.asked("/cache/fill-missing")) == 2


# --- bars ---


async def test_codes_go_fifty_a_call_and_never_more_than_the_cap_at_once() -> None:
    """120 codes are three calls; with a cap of two, a third waits."""
    service = StandIn()
    codes = [InstrumentId(f"{600000 + n}.SH") for n in range(120)]
    service.delay_seconds = 0.05
    async with running(service.app) as url, a_data_gateway(url, clock(), in_flight=2) as gateway:
        answer = await gateway.history_batch(codes, DAY_NS, FROM_NS, TO_NS)
    assert service.busiest == 2
    assert sorted(len(sent["codes"]) for sent in service.asked("/stock/kline/batch")) == [20, 50, 50]
    assert len(answer.bars) == 120
    assert {len(bars) for bars in answer.bars.values()} == {22}
    assert not answer.failed


async def test_minutes_are_asked_for_a_week_at_a_time_and_come_back_as_one() -> None:
    """A month of one-minute bars is several calls, every bar once and in order."""
    service = StandIn()
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        bars = await gateway.history(BANK, MINUTE_NS, FROM_NS, TO_NS)
    spans = [(sent["start_date"], sent["end_date"]) for sent in service.asked("/stock/kline")]
    assert len(spans) == 5
    assert [bar.ts_ns for bar in bars] == sorted({bar.ts_ns for bar in bars})
    assert len(bars) == 22 * 240


async def test_one_bad_code_is_found_by_halving_and_costs_the_others_nothing() -> None:
    """A strict server turns one code's NaN into HTTP 500 for the whole answer."""
    service = StandIn()
    service.poison = {"600007.SH"}
    codes = [InstrumentId(f"{600000 + n}.SH") for n in range(20)]
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        answer = await gateway.history_batch(codes, DAY_NS, FROM_NS, TO_NS)
        assert set(answer.failed) == {"600007.SH"}
        assert "500" in answer.failed[InstrumentId("600007.SH")]
        assert {len(bars) for bars in answer.bars.values()} == {22}
        assert len(answer.bars) == 19
        with pytest.raises(OutcomeUnknown, match="500"):
            await gateway.history(InstrumentId("600007.SH"), DAY_NS, FROM_NS, TO_NS)


async def test_a_bare_nan_is_read_as_no_price() -> None:
    """It is no JSON; the row makes no bar, the others do."""
    service = StandIn()
    rows = rows_of("600000.SH", date(2024, 1, 2), date(2024, 1, 3), "daily")
    rows[0] |= dict.fromkeys(("open", "high", "low", "close"), float("nan"))
    body = json.dumps({"code": 200, "data": {"600000.SH": rows}})
    assert "NaN" in body
    service.fail("/stock/kline", Response(body))
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        answer = await gateway.history_batch([BANK], DAY_NS, FROM_NS, TO_NS)
    assert [bar.close for bar in answer.bars[BANK]] == [rows[1]["close"]]
    assert answer.without_prices == {BANK: 1}


async def test_futures_go_to_their_own_endpoint() -> None:
    """By their exchange, in calls of their own."""
    service = StandIn()
    codes = [InstrumentId("IF2401.CFE"), BANK]
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        answer = await gateway.history_batch(codes, DAY_NS, FROM_NS, TO_NS)
    assert [sent["codes"] for sent in service.asked("/future/kline")] == ["IF2401.CFE"]
    assert {len(bars) for bars in answer.bars.values()} == {22}


async def test_a_bar_that_has_not_ended_is_not_history() -> None:
    """At ten past ten the last minute bar ends at ten past ten, and today has no daily bar."""
    service = StandIn()
    now = QuickClock(parse_time("2024-01-31 10:10:30", "Asia/Shanghai"))
    async with running(service.app) as url, a_data_gateway(url, now) as gateway:
        minutes = await gateway.history(BANK, MINUTE_NS, now.now_ns - DAY_NS, TO_NS)
        days = await gateway.history(BANK, DAY_NS, FROM_NS, TO_NS)
    assert minutes[-1].ts_ns == parse_time("2024-01-31 10:10:00", "Asia/Shanghai")
    assert days[-1].ts_ns == parse_time("2024-01-31", "Asia/Shanghai")


def test_lots_become_shares_and_an_index_stays() -> None:
    """Where the amount is a hundred times price x volume, volumes are lots of 100; other ratios change nothing."""
    reader = BarReader(Labels())
    day = {"trade_date": "2024-01-02", "open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0}
    rows = {
        "600000.SH": [Row(**day, volume=5, amount=5_000.0)],
        "600001.SH": [Row(**day, volume=500, amount=5_000.0)],
        "000001.SH": [Row(**day, volume=500, amount=30.0)],
        "IF2401.CFE": [Row(**day, volume=5, amount=5_000.0)],
    }
    volumes = {code: series.bars[0].volume for code, series in reader.read(rows, DAY_NS).items()}
    assert volumes == {"600000.SH": 500.0, "600001.SH": 500.0, "000001.SH": 500.0, "IF2401.CFE": 5.0}


def _labelled(*times: str) -> list[Row]:
    return [Row(trade_date=f"2024-01-02 {time}:00", open=1, high=1, low=1, close=1, volume=1) for time in times]


def test_label_sides_are_told_by_what_only_one_side_can_have() -> None:
    """09:30 starts a bar, 15:00 ends one; both together are refused, config goes before either; bonds trade on."""
    start, end = ("2024-01-02 09:31", "2024-01-02 09:30")

    def first_end(rows: list[Row], code: str = "600000.SH", setting: Label = Label.AUTO) -> int:
        return BarReader(Labels(setting)).read({code: rows}, MINUTE_NS)[InstrumentId(code)].bars[0].ts_ns

    assert first_end(_labelled("09:30", "09:31")) == parse_time(start, "Asia/Shanghai")
    assert first_end(_labelled("09:31", "15:00")) == parse_time("2024-01-02 09:31", "Asia/Shanghai")
    assert first_end(_labelled("09:31", "09:32")) == parse_time("2024-01-02 09:31", "Asia/Shanghai")
    assert first_end(_labelled("10:02", "10:03")) == parse_time("2024-01-02 10:03", "Asia/Shanghai")
    assert first_end(_labelled("09:30", "15:00"), "T2403.CFE") == parse_time(start, "Asia/Shanghai")
    assert first_end(_labelled("09:30", "09:31"), setting=Label.END) == parse_time(end, "Asia/Shanghai")
    with pytest.raises(BadMessage, match="minute_labels"):
        first_end(_labelled("09:30", "15:00"))


def test_the_side_once_proved_holds_for_the_run() -> None:
    """Later rows that prove nothing are read as before; rows that prove the other side are refused."""
    reader = BarReader(Labels())
    reader.read({"600000.SH": _labelled("09:30")}, MINUTE_NS)
    bars = reader.read({"600000.SH": _labelled("09:31")}, MINUTE_NS)[BANK].bars
    assert bars[0].ts_ns == parse_time("2024-01-02 09:32", "Asia/Shanghai")
    with pytest.raises(BadMessage, match="some labels are starts"):
        reader.read({"600000.SH": _labelled("11:30")}, MINUTE_NS)


def test_a_bar_that_can_not_be_is_refused() -> None:
    """High below low, no price at all, infinite: never passed on."""
    for wrong in ({"high": 0.5}, {"low": 0.0}, {"volume": -1.0}, {"close": 3.0}):
        row = Row(**({"trade_date": "2024-01-02", "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1} | wrong))
        with pytest.raises(BadMessage, match=r"600000\.SH"):
            BarReader(Labels()).read({"600000.SH": [row]}, DAY_NS)


def test_rows_out_of_order_and_twice_are_put_right() -> None:
    """Sorted by time, the last of equal times kept."""
    rows = [Row(**(row | {"close": row["close"] + n / 100, "high": 100.0})) for n, row in
            enumerate([*reversed(rows_of("600000.SH", date(2024, 1, 2), date(2024, 1, 4), "daily"))] * 2)]  # fmt: skip
    bars = BarReader(Labels()).read({"600000.SH": rows}, DAY_NS)[BANK].bars
    assert len(bars) == 3
    assert [bar.ts_ns for bar in bars] == sorted(bar.ts_ns for bar in bars)
    assert bars[0].close == rows[5].close


# --- tasks ---


async def test_a_task_is_polled_every_two_seconds_and_its_progress_told() -> None:
    """Until it is completed, whatever the words in between and whatever the scale of progress."""
    service = StandIn()
    number = service.a_task(
        {"status": "pending"},
        {"status": "queued somewhere", "progress": 0.3},
        {"status": "running", "progress": 43.0},
        {"status": "running", "progress": 250.0, "success_count": 10},
        {"status": "completed", "success_count": 22, "error_count": 1},
    )
    now = clock()
    shares: list[float] = []
    async with running(service.app) as url, a_data_gateway(url, now) as gateway:
        done = await gateway.tasks.wait(number, lambda task: shares.append(round(task.share, 2)))
    assert (done.status, done.error_count) == ("completed", 1)
    assert now.sleeps == [2 * SECOND_NS] * 4
    assert shares == [0.0, 0.3, 0.43, 0.43, 1.0]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"status": "failed", "error_message": "SDK登录失败: 连接超时"}, "SDK登录失败: 连接超时"),
        ({"status": "failed", "error_message": None}, "does not say why"),
        ({"status": "failed"}, "does not say why"),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "canceled"}, "cancelled"),
    ],
)
async def test_a_failed_task_raises_with_the_servers_words(state: dict[str, object], said: str) -> None:
    """Failed and cancelled are refusals."""
    service = StandIn()
    number = service.a_task({"status": "running"}, state)
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        with pytest.raises(Refused, match=said):
            await gateway.tasks.wait(number)


async def test_a_task_that_does_not_end_is_given_up_after_five_minutes_with_its_number() -> None:
    """It goes on at the server, so the outcome is unknown, and the number is in the sentence."""
    service = StandIn()
    number = service.a_task({"status": "running"})
    now = clock()
    async with running(service.app) as url, a_data_gateway(url, now) as gateway:
        with pytest.raises(OutcomeUnknown, match=f"{number}"):
            await gateway.tasks.wait(number)
    assert now.now_ns - FEBRUARY_NS == 300 * SECOND_NS


async def test_a_task_may_be_absent_right_after_it_was_made() -> None:
    """Three polls may find nothing, in either form; the fourth is a refusal."""
    service = StandIn()
    number = service.a_task({"status": "completed"})
    path = f"/cache/tasks/{number}"
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        service.fail(path, an_error(404), good({"task": None}), an_error(404))
        assert (await gateway.tasks.wait(number)).status == "completed"
        service.fail(path, *(an_error(404) for _ in range(4)))
        with pytest.raises(Refused, match="no such task"):
            await gateway.tasks.wait(number)


async def test_nothing_to_fill_is_not_waited_for() -> None:
    """A null number and "completed" start no poll."""
    service = StandIn()
    service.fail("/cache/fill-missing", good({"task_id": None, "missing_count": 0, "status": "completed"}))
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        assert await gateway.tasks.run("fill-missing", SCOPE) is None
        done = await gateway.tasks.run("fill-missing", SCOPE)
    assert isinstance(done, Task)
    assert done.success_count == 23


# --- lists ---


async def test_an_instrument_is_what_its_list_says() -> None:
    """000001.SZ is a share in lots of 100, 000001.SH an index, IF2401.CFE 300 yuan a point."""
    service = StandIn()
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        found = {instrument.id: instrument for instrument in await gateway.instruments()}
    assert found[InstrumentId("000001.SZ")].kind is InstrumentKind.STOCK
    assert found[InstrumentId("000001.SH")].kind is InstrumentKind.INDEX
    assert (found[BANK].lot, str(found[InstrumentId("510300.SH")].tick)) == (100, "0.001")
    future = found[InstrumentId("IF2401.CFE")]
    assert (future.kind, future.multiplier, str(future.tick)) == (InstrumentKind.FUTURE, 300, "0.2")


async def test_a_route_can_be_called_by_name_and_says_what_it_lacks() -> None:
    """Texts in, plain JSON out; a missing or unknown argument is one sentence."""
    service = StandIn()
    span = {"start_date": "20240102", "end_date": "20240103"}
    async with running(service.app) as url, a_data_gateway(url, clock()) as gateway:
        rows = await gateway.call("stock_kline", {"codes": "600000.SH", **span})
        assert [row["trade_date"] for row in rows["600000.SH"]] == ["2024-01-02", "2024-01-03"]
        assert await gateway.call("calendar", {"market": "SH", **span}) == ["2024-01-02", "2024-01-03"]
        for args, said in (({}, "codes is missing"), ({"codes": "x", **span, "y": "1"}, "y is not known")):
            with pytest.raises(ConfigError, match=said):
                await gateway.call("stock_kline", args)
        with pytest.raises(ConfigError, match="no route"):
            await gateway.call("kline", {})
        with pytest.raises(ConfigError, match="is no code"):
            await gateway.call("stock_kline", {"codes": "600000", **span})
        assert "fill_missing" not in gateway.reads()
        assert "stock_kline" in gateway.reads()
