"""``data detect``, ``fill``, ``tasks``, ``sdk``, ``statements`` as processes of their own against a stand-in."""

import os
import sys
from pathlib import Path
from typing import Any

import anyio
import msgspec

from engine.data.fundamentals import read_fundamentals
from tests.amazingdata_builders import ENVIRON, StandIn
from tests.catalog_builders import BANK, at
from tests.simulator_builders import running

ROOT = Path(__file__).parents[2]
SPAN = ("--from", "20240101", "--to", "20240131")


async def run_data(url: str, *args: str, **environ: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the object on stdout, stderr."""
    command = [sys.executable, "run.py", "data", *args, "--base-url", f"{url}/api/v1", "--json"]
    with anyio.fail_after(60):
        ended = await anyio.run_process(command, check=False, env=dict(os.environ) | ENVIRON | environ, cwd=ROOT)
    return ended.returncode, msgspec.json.decode(ended.stdout), ended.stderr.decode()


async def test_the_vendors_cache_is_looked_at_filled_and_waited_for() -> None:
    """Detect says what lacks; fill polls its task to the end; a failed task is exit 1 with the server's words."""
    service = StandIn()
    async with running(service.app) as url:
        code, found, _ = await run_data(url, "detect", "--type", "future", "--contracts", "main", *SPAN)
        assert (code, found["missing_codes"]) == (0, ["600000.SH"])
        assert service.asked("/cache/detect-all-missing") == [
            {"security_type": "future", "period_type": "daily", "start_date": "20240101", "end_date": "20240131",
             "contract_type": "main"}
        ]  # fmt: skip
        code, done, _ = await run_data(url, "fill", *SPAN)
        assert (code, done["task"]["status"], done["task"]["success_count"]) == (0, "completed", 23)
        number = service.a_task({"status": "failed", "error_message": "SDK登录失败"})
        code, failed, _ = await run_data(url, "tasks", str(number), "--wait")
        assert code == 1
        assert "SDK登录失败" in failed["error"]
        code, listed, _ = await run_data(url, "tasks", "--page-size", "5")
        assert [task["id"] for task in listed["items"]] == [15, 14]
        assert service.asked("/cache/tasks")[-1] == {"page": "1", "page_size": "5"}


async def test_logins_of_the_sdk_are_listed_made_and_tried() -> None:
    """The password comes from the environment and goes to the server alone; a failed try is exit 1."""
    service = StandIn()
    async with running(service.app) as url:
        code, listed, _ = await run_data(url, "sdk", "list")
        assert (code, listed["total"]) == (0, 1)
        secret = "s3cret-of-the-sdk"
        args = ("sdk", "create", "--name", "main", "--username", "u", "--host", "h", "--default")
        code, made, err = await run_data(url, *args, SLUICE_AD_SDK_PASSWORD=secret)
        assert (code, made["id"]) == (0, 1)
        assert secret not in err + str(made)
        assert service.asked("/configs/sdk")[-1] == {
            "name": "main", "username": "u", "password": secret, "host": "h", "port": 8600, "is_default": True,
        }  # fmt: skip
        code, tried, _ = await run_data(url, "sdk", "test", "1")
        assert (code, tried["success"], tried["message"]) == (1, False, "登录失败")


async def test_statements_are_kept_by_the_day_they_were_known(tmp_path: Path) -> None:
    """Three statements of one company; known from the midnight after the later of its two announcement days."""
    service = StandIn()
    async with running(service.app) as url:
        args = ("statements", "--codes", BANK, "--catalog", str(tmp_path), *SPAN)
        code, told, _ = await run_data(url, *args)
        assert (code, told["filings"], told["changed"]) == (0, 3, 3)
        _, again, _ = await run_data(url, *args)
        assert again["changed"] == 0
    table = read_fundamentals(tmp_path)
    assert table.as_of(at("2023-04-29 23:59")).figure(BANK, "income", "BASIC_EPS") is None
    assert table.as_of(at("2023-04-30 00:00")).figure(BANK, "income", "BASIC_EPS") == 0.51
