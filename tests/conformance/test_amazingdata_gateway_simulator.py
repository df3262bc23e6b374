"""The gateway and the simulator, written apart from the same contract, understand each other on every route."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

from engine.clock import LiveClock
from engine.data.calendar import calendar_of
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import DAY_NS, MINUTE_NS, parse_time
from engine.entropy import Entropy
from engine.gateways.amazingdata.adapter import AmazingDataGateway
from engine.gateways.amazingdata.client import Scope
from engine.gateways.amazingdata.routes import ROUTES
from engine.simulators.amazingdata import AmazingDataSimulator
from tests.amazingdata_builders import a_data_gateway
from tests.simulator_builders import running

EVENING_NS = parse_time("2026-03-02 15:30:00", "Asia/Shanghai")
BANK = InstrumentId("600000.SH")
SPAN = {"start_date": "20240102", "end_date": "20240105"}
YEAR = {"start_date": "20230101", "end_date": "20231231"}
ARGUMENTS: dict[str, dict[str, str]] = {
    "create_sdk_config": {"name": "n", "username": "u", "password": "p", "host": "h", "port": "1", "is_default": "true",
                          "local_path": "./c"},
    "test_sdk_config": {"id": "1"},
    "codes": {"security_type": "EXTRA_INDEX_A"},
    "calendar": {"market": "CFE", **SPAN},
    "code_info": {"code": BANK},
    "stock_kline": {"codes": f"{BANK},000001.SZ", "period": "min30", **SPAN},
    "stock_chart": {"code": BANK, "period": "min60", **SPAN},
    "stock_kline_batch": {"codes": BANK, **SPAN},
    "future_kline": {"codes": "IF2403.CFE", "period": "daily", **SPAN},
    "detect_missing": {"security_type": "future", "contract_type": "main", **SPAN},
    "cache_all_missing": SPAN,
    "fill_missing": SPAN,
    "task": {"task_id": "1"},
    "tasks": {"page": "1", "page_size": "5"},
    "balance_sheet": {"codes": BANK, **YEAR},
    "income": {"codes": BANK, **YEAR},
    "cash_flow": {"codes": BANK, **YEAR},
}  # fmt: skip


@asynccontextmanager
async def a_platform(**settings: Any) -> AsyncIterator[AmazingDataGateway]:
    """The gateway at a simulator whose clock shows a Monday evening of March 2026."""
    clock = LiveClock(start_ns=EVENING_NS)
    simulator = AmazingDataSimulator(**({"seed": 7, "task_ms_per_code": 1, "detect_ms_per_code": 0} | settings))
    app = simulator.app(clock, Entropy(7))
    async with running(app) as url, a_data_gateway(url, clock, task_poll="10ms") as gateway:
        yield gateway


async def test_every_route_is_answered_and_read() -> None:
    """All twenty-two, in order, so that the login, the SDK's login and the task each exist when asked for."""
    said: dict[str, Any] = {}
    async with a_platform() as gateway:
        order = sorted(ROUTES, key=lambda name: name in {"task", "tasks"})
        for name in order:
            said[name] = await gateway.call(name, ARGUMENTS.get(name, {}))
    assert len(said) == 22
    assert said["test_sdk_config"]["success"] is True
    assert said["sdk_configs"] is not None
    assert "000001.SH" in said["codes"]
    assert said["calendar"] == ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]
    assert said["code_info"]["code"] == BANK
    assert len(said["stock_kline"][BANK]) in {24, 32}
    assert said["future_kline"]["IF2403.CFE"][0]["settle"] is not None
    assert said["main_contracts"]["IF"].endswith(".CFE")
    assert said["tasks"]["items"]
    for name in ("balance_sheet", "income", "cash_flow"):
        assert any(row["REPORTING_PERIOD"] == "20230331" for row in said[name][BANK])


async def test_its_bars_fill_the_sessions_of_the_calendar() -> None:
    """Minutes and days of shares, an index and two kinds of futures end where our calendar expects, nowhere else."""
    async with a_platform(gaps=0.0) as gateway:
        for code in (BANK, "000001.SH", "IF2403.CFE", "T2403.CFE"):
            calendar = calendar_of(code)
            assert calendar is not None
            for interval_ns in (MINUTE_NS, 5 * MINUTE_NS, 60 * MINUTE_NS, DAY_NS):
                day = date(2024, 1, 10)
                wanted = calendar.expected_ends(day, interval_ns)
                if wanted is None:
                    continue
                from_ns, to_ns = calendar.reach(day)
                bars = await gateway.history(InstrumentId(code), interval_ns, from_ns, to_ns)
                assert [bar.ts_ns for bar in bars] == wanted.tolist(), (code, interval_ns)


async def test_gaps_of_its_cache_are_filled_by_a_task() -> None:
    """Detect names codes that lack days; after the task none does, and the bars are there."""
    scope = Scope(start=date(2024, 1, 2), end=date(2024, 3, 29))
    span = calendar_span()
    async with a_platform(gaps=0.2) as gateway:
        before = await gateway.client.detect_missing(scope)
        assert before.missing_codes
        code = InstrumentId(before.missing_codes[0])
        lacking = len(await gateway.history(code, DAY_NS, *span))
        done = await gateway.tasks.run("fill-missing", scope)
        assert done is not None
        assert (done.status, done.error_count) == ("completed", 0)
        assert len(await gateway.history(code, DAY_NS, *span)) == 58 > lacking
        assert (await gateway.client.detect_missing(scope)).missing_count == 0
        assert await gateway.tasks.run("fill-missing", scope) is None


def calendar_span() -> tuple[int, int]:
    return parse_time("2024-01-01", "Asia/Shanghai"), parse_time("2024-03-30", "Asia/Shanghai")
