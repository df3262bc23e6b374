"""Gaps, detection and cache tasks of the simulated AmazingData platform, and faults on its wire."""

from collections import Counter
from typing import Any

import pytest

from engine.simulators.amazingdata import Forms, TaskFailure
from engine.simulators.amazingdata.universe import STOCK
from engine.simulators.faults import Fault, Faults, Trigger
from tests.amazingdata_simulator_builders import PlatformAtHand, example, shape

JANUARY = {"start_date": "20240101", "end_date": "20240131"}
WANTED = {"security_type": "stock", "period_type": "daily"} | JANUARY


async def _post(platform: PlatformAtHand, name: str, **other: Any) -> Any:
    return await platform.data("POST", f"/cache/{name}", json=WANTED | other)


async def _task(platform: PlatformAtHand, number: int) -> dict[str, Any]:
    row = (await platform.data("GET", f"/cache/tasks/{number}"))["task"]
    assert isinstance(row, dict)
    return row


async def _days(platform: PlatformAtHand, period: str = "daily") -> dict[str, Any]:
    codes = platform.platform.universe.codes(STOCK, 0)
    found = await platform.data("POST", "/stock/kline/batch", json={"codes": codes, "period": period} | JANUARY)
    assert isinstance(found, dict)
    return found


async def test_detection_counts_the_days_that_are_not_there() -> None:
    """Codes, days and figures of the answer are those of the bars one gets; shape and text are the example's."""
    platform, whole = PlatformAtHand(gaps=0.1), await _days(PlatformAtHand())
    before = platform.clock.now_ns
    response = await platform.call("POST", "/cache/detect-all-missing", json=WANTED | {"contract_type": "all"})
    assert platform.clock.now_ns - before == 10 * 2_000_000
    wanted = example("cache_detect_all_missing")["response"]["body"]
    assert response.json()["message"] == wanted["message"] == "检测完成"
    data, shown = response.json()["data"], wanted["data"]
    assert [(k, type(v)) for k, v in data.items()] == [(k, type(v)) for k, v in shown.items()]
    assert shape(data["daily_stats"])[0] == shape(shown["daily_stats"])[0]
    held = await _days(platform)
    lacking = [code for code in whole if held[code] != whole[code]]
    assert data["missing_codes"] == lacking
    assert (data["total_count"], data["missing_count"], data["complete_count"]) == (10, len(lacking), 10 - len(lacking))
    absent: Counter[str] = Counter()
    for code, bars in whole.items():
        absent.update({bar["trade_date"] for bar in bars} - {bar["trade_date"] for bar in held[code]})
    assert data["daily_stats"] == {
        bar["trade_date"]: {
            "total": 10,
            "complete": 10 - absent[bar["trade_date"]],
            "missing": absent[bar["trade_date"]],
        }
        for bar in whole["600000.SH"]
    }
    assert 5 < absent.total() < 50
    # Days that are there are what they always are, minutes of the others are lacking too.
    assert all(bar in whole[code] for code, bars in held.items() for bar in bars)
    minutes = await _days(platform, "min60")
    assert {code: len(bars) for code, bars in minutes.items()} == {code: 4 * len(bars) for code, bars in held.items()}


async def test_a_fill_runs_code_by_code_and_repairs_the_gaps() -> None:
    """pending, running with progress, completed; a code's days are there once it is done; then nothing is missing."""
    platform, whole = PlatformAtHand("2024-02-01 09:00:00", gaps=0.1, task_ms_per_code=4000), PlatformAtHand()
    codes = (await _post(platform, "detect-all-missing"))["missing_codes"]
    response = await platform.call("POST", "/cache/fill-missing", json=WANTED)
    made = response.json()
    assert (made["message"], list(made["data"])) == ("任务已创建", ["task_id", "missing_count", "status"])
    assert (made["data"]["missing_count"], made["data"]["status"]) == (len(codes), "pending")
    number = made["data"]["task_id"]
    created = platform.clock.now_ns
    shown = example("cache_task_pending")["response"]["body"]["data"]["task"]
    row = await _task(platform, number)
    assert [(k, v) for k, v in row.items() if k not in {"id", "total_count", "created_at"}] == [
        (k, v) for k, v in shown.items() if k not in {"id", "total_count", "created_at"}
    ]
    right = await _days(whole)
    for done in range(len(codes)):
        platform.clock.now_ns = created + 1_000_000_000 + done * 4_000_000_000
        row = await _task(platform, number)
        assert (row["status"], row["success_count"]) == ("running", done)
        assert row["progress"] == round(100 * done / len(codes), 2)
        held = await _days(platform)
        assert {code for code in codes if held[code] == right[code]} == set(codes[:done])
    platform.pass_seconds(4)
    row = await _task(platform, number)
    assert (row["status"], row["progress"], row["success_count"]) == ("completed", 100.0, len(codes))
    assert (row["created_at"], row["started_at"]) == ("2024-02-01T09:00:00", "2024-02-01T09:00:01")
    assert row["finished_at"] > row["started_at"]
    assert await _days(platform) == right
    nothing = (await platform.call("POST", "/cache/fill-missing", json=WANTED)).json()
    assert nothing == example("cache_fill_missing")["also_accept"][0]["body"]
    assert (await _post(platform, "detect-all-missing"))["missing_count"] == 0
    # What was not asked for is as it was.
    december = {"start_date": "20231201", "end_date": "20231231"}
    assert (await _post(platform, "detect-all-missing", **december))["missing_count"] > 0


async def test_the_examples_tasks_to_the_byte() -> None:
    """Pending, running, failed: the examples' fill of 23 codes; completed with one error: 23 codes cached anew."""
    shown = {
        name: example(f"cache_task_{name}")["response"]["body"]["data"]["task"]
        for name in ("pending", "running", "failed", "completed")
    }
    settings: dict[str, Any] = {"first_task": 14, "more_stocks": 13, "task_ms_per_code": 2900}
    start = "2024-02-01 09:00:00"
    for name, failures in (("running", ()), ("failed", (TaskFailure(task=1, after=10),))):
        platform = PlatformAtHand(start, gaps=1.0, task_failures=failures, **settings)
        made = (await platform.call("POST", "/cache/fill-missing", json=WANTED)).json()
        assert made == example("cache_fill_missing")["response"]["body"]
        assert await _task(platform, 14) == shown["pending"]
        platform.pass_seconds(30)
        assert await _task(platform, 14) == shown[name]
    assert (await PlatformAtHand().call("GET", "/cache/tasks/14")).status_code == 404
    platform = PlatformAtHand(start, broken_codes=("600000.SH",), **settings | {"task_ms_per_code": 4305})
    made = (await platform.call("POST", "/cache/cache-all-missing", json=WANTED)).json()
    assert made["message"] == example("cache_cache_all_missing")["response"]["body"]["message"]
    assert made["data"] == {"task_id": 14, "status": "pending", "total_count": 23, "progress": 0.0}
    platform.pass_seconds(101)
    assert await _task(platform, 14) == shown["completed"] | {"task_type": "cache_all"}


async def test_failures_scripted_drawn_and_of_the_sdk() -> None:
    """A script fails the second task; a rate of one fails all; a lost SDK fails what runs, and detection says 500."""
    platform = PlatformAtHand(task_failures=(TaskFailure(task=2, after=3, message="磁盘已满"),), gaps=0.2)
    for _ in range(2):
        await _post(platform, "cache-all-missing")
    platform.pass_seconds(60)
    rows = [await _task(platform, number) for number in (1, 2)]
    assert [(row["status"], row["error_message"], row["success_count"]) for row in rows] == [
        ("completed", None, 10),
        ("failed", "磁盘已满", 3),
    ]
    drawn = PlatformAtHand(task_failure_rate=1.0)
    number = (await _post(drawn, "cache-all-missing"))["task_id"]
    drawn.pass_seconds(60)
    assert (await _task(drawn, number))["status"] == "failed"
    lost = PlatformAtHand(task_ms_per_code=1000)
    number = (await _post(lost, "cache-all-missing"))["task_id"]
    lost.pass_seconds(5.5)
    lost.platform.lose_sdk()
    row = await _task(lost, number)
    assert (row["status"], row["success_count"], row["error_message"]) == ("failed", 4, "SDK登录失败: 连接超时")
    response = await lost.call("POST", "/cache/detect-all-missing", json=WANTED)
    assert (response.status_code, response.json()) == (
        500,
        {"code": 500, "message": "SDK未登录或连接断开", "data": None},
    )
    again = (await _post(lost, "cache-all-missing"))["task_id"]
    lost.pass_seconds(1)
    assert (await _task(lost, again))["success_count"] == 0
    lost.platform.regain_sdk()
    assert (await _post(lost, "detect-all-missing"))["status"] == "completed"


async def test_codes_that_are_not_got() -> None:
    """Broken codes are errors of detection and of caching, and no fill tries them; a rate spoils some of a task."""
    platform = PlatformAtHand(gaps=0.3, broken_codes=("600000.SH", "000002.SZ"))
    found = await _post(platform, "detect-all-missing")
    assert (found["error_count"], {"600000.SH", "000002.SZ"} & set(found["missing_codes"])) == (2, set())
    fill = await _post(platform, "fill-missing")
    assert fill["missing_count"] == found["missing_count"]
    everything = (await _post(platform, "cache-all-missing"))["task_id"]
    platform.pass_seconds(60)
    row = await _task(platform, everything)
    assert (row["status"], row["success_count"], row["error_count"]) == ("completed", 8, 2)
    spoiled = PlatformAtHand(gaps=0.3, task_error_rate=0.5, more_stocks=90)
    number = (await _post(spoiled, "cache-all-missing"))["task_id"]
    spoiled.pass_seconds(60)
    row = await _task(spoiled, number)
    assert row["success_count"] + row["error_count"] == 100
    assert 30 < row["error_count"] < 70
    left = (await _post(spoiled, "detect-all-missing"))["missing_count"]
    assert 0 < left <= row["error_count"]


async def test_holes_in_a_day_are_mended_by_caching_all() -> None:
    """Some minutes in a row are lacking; filling days does not bring them, caching everything anew does."""
    platform, whole = PlatformAtHand(holes=0.4), await _days(PlatformAtHand(), "min1")
    held = await _days(platform, "min1")
    for code, bars in held.items():
        labels = {bar["trade_date"] for bar in bars}
        assert 0 < len(whole[code]) - len(labels) <= 22 * 31
        assert [bar for bar in whole[code] if bar["trade_date"] in labels] == bars
    assert (await _post(platform, "fill-missing"))["task_id"] is None
    await _post(platform, "cache-all-missing")
    platform.pass_seconds(60)
    assert await _days(platform, "min1") == whole


@pytest.mark.parametrize("form", ["absent", "nulls", "flat"])
async def test_suspended_days(form: str) -> None:
    """Left out, with nulls, or flat at the close before with no volume; no detection counts them, minutes are none."""
    platform = PlatformAtHand(suspensions=0.2, forms=Forms(suspended=form))  # type: ignore[arg-type]
    whole, held = await _days(PlatformAtHand()), await _days(platform)
    assert (await _post(platform, "detect-all-missing"))["missing_count"] == 0
    idle = 0
    for code, bars in whole.items():
        shown = {bar["trade_date"]: bar for bar in held[code]}
        for before, bar in zip([None, *bars], bars, strict=False):
            mine = shown.get(bar["trade_date"])
            if mine == bar:
                continue
            idle += 1
            if form == "absent":
                assert mine is None
                continue
            assert mine is not None
            price = mine["close"]
            assert [mine[name] for name in ("open", "high", "low", "volume", "amount")] == [price] * 3 + [0, 0.0]
            assert price == (None if form == "nulls" else before["close"] if before else price)
    assert 20 < idle < 80


async def test_lists_of_tasks_page() -> None:
    """Latest first, with total, page and page_size, 20 by default; detections are not listed; entries are the tasks."""
    platform = PlatformAtHand()
    await _post(platform, "detect-all-missing")
    numbers = [(await _post(platform, "cache-all-missing"))["task_id"] for _ in range(23)]
    assert numbers == list(range(2, 25))
    first = await platform.data("GET", "/cache/tasks")
    assert [item["id"] for item in first["items"]] == numbers[:2:-1]
    assert (first["total"], first["page"], first["page_size"]) == (23, 1, 20)
    last = await platform.data("GET", "/cache/tasks", params={"page": 3, "page_size": 10})
    assert [item["id"] for item in last["items"]] == [4, 3, 2]
    assert last["items"][0] == await _task(platform, 4)
    shown = example("cache_tasks")["response"]["body"]["data"]
    assert list(first) == list(shown)
    assert list(first["items"][0]) == list(shown["items"][0])
    assert (await platform.data("GET", "/cache/tasks", params={"page": 9}))["items"] == []
    assert (await _task(platform, 1))["task_type"] == "detect"


async def test_futures_and_progress_as_a_fraction() -> None:
    """Of futures every contract or the main ones are covered; progress can count from 0 to 1."""
    platform = PlatformAtHand(gaps=0.3, forms=Forms(progress="fraction"))
    kinds = {"security_type": "future"}
    assert (await _post(platform, "detect-all-missing", **kinds))["total_count"] == 28
    assert (await _post(platform, "detect-all-missing", contract_type="main", **kinds))["total_count"] == 8
    number = (await _post(platform, "cache-all-missing", contract_type="main", **kinds))["task_id"]
    platform.pass_seconds(1.2)
    assert (await _task(platform, number))["progress"] == 0.125
    platform.pass_seconds(10)
    assert (await _task(platform, number))["progress"] == 1.0
    assert (await _post(platform, "detect-all-missing", contract_type="main", **kinds))["missing_count"] == 0


async def test_the_cache_never_lacks_today() -> None:
    """With every past day lacking, today's bar shows all the same and is not counted."""
    platform = PlatformAtHand("2024-01-31 14:00:00", gaps=1.0)
    (bars,) = (await platform.bars("600000.SH", "20240101", "20240131")).values()
    assert [bar["trade_date"] for bar in bars] == ["2024-01-31"]
    stats = (await _post(platform, "detect-all-missing"))["daily_stats"]
    assert "2024-01-31" not in stats
    assert {day["missing"] for day in stats.values()} == {10}


@pytest.mark.parametrize(
    ("form", "status", "body"),
    [
        ("envelope", 500, '{"code":500,"message":"SDK未登录或连接断开","data":null}'),
        ("text", 500, "Internal Server Error"),
        ("proxy", 502, "<html><body>502 Bad Gateway</body></html>"),
    ],
)
async def test_server_faults_read_as_the_examples(form: str, status: int, body: str) -> None:
    """A scripted fault on one class of routes; a lost answer after the work leaves the task made."""
    script = (
        Trigger(call=1, fault=Fault.ERROR_AFTER, route="cache"),
        Trigger(call=2, fault=Fault.THROTTLED, route="base"),
    )
    settings: dict[str, Any] = {"faults": Faults(script=script), "forms": Forms(broken=form)}  # type: ignore[arg-type]
    platform = PlatformAtHand(**settings)
    response = await platform.call("POST", "/cache/cache-all-missing", json=WANTED)
    assert (response.status_code, response.text) == (status, body)
    assert (await platform.data("GET", "/cache/tasks"))["total"] == 1
    assert (await platform.call("GET", "/base/codes", params={"security_type": "EXTRA_ETF"})).status_code == 200
    assert (await platform.call("GET", "/base/codes", params={"security_type": "EXTRA_ETF"})).status_code == 429
    assert platform.platform.faults.fired == {Fault.ERROR_AFTER: 1, Fault.THROTTLED: 1}


async def test_a_longer_list_of_shares() -> None:
    """``more_stocks`` adds codes of both exchanges that have bars, names and statements like the others."""
    platform = PlatformAtHand(more_stocks=5000)
    codes = await platform.data("GET", "/base/codes", params={"security_type": STOCK})
    assert len(codes) == len(set(codes)) == 5010
    bars = await platform.bars(",".join(codes[1000:1050]), "20240102", "20240103")
    assert [len(rows) for rows in bars.values()] == [2] * 50
    info = await platform.data("GET", f"/base/codes/{codes[2000]}/info")
    assert info["type"] == STOCK
    assert (await _post(platform, "detect-all-missing"))["total_count"] == 5010
