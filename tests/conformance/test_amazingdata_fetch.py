"""``data fetch`` as a process of its own against a stand-in: complete, resumable after kill -9, flat in memory."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from tests.amazingdata_builders import ENVIRON, StandIn
from tests.catalog_builders import content
from tests.simulator_builders import running

ROOT = Path(__file__).parents[2]
CODES = [f"{600000 + n}.SH" for n in range(6)]


def the_command(url: str, folder: Path, codes: list[str], last: str = "20240131") -> list[str]:
    return [
        sys.executable, "run.py", "data", "fetch", "--source", "amazingdata", "--codes", ",".join(codes),
        "--period", "min1", "--from", "20240101", "--to", last, "--catalog", str(folder),
        "--base-url", f"{url}/api/v1", "--json",
    ]  # fmt: skip


@asynccontextmanager
async def fetching(url: str, folder: Path, codes: list[str], last: str = "20240131") -> AsyncIterator[Any]:
    process = await anyio.open_process(
        the_command(url, folder, codes, last), env=dict(os.environ) | ENVIRON, cwd=ROOT, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await process.aclose()


async def finish(process: Any) -> tuple[int, dict[str, Any], str]:
    out, err = b"", b""

    async def read_err() -> None:
        nonlocal err
        async for part in process.stderr:
            err += part

    with anyio.fail_after(120):
        async with anyio.create_task_group() as group:
            group.start_soon(read_err)
            async for part in process.stdout:
                out += part
        code = await process.wait()
    return code, msgspec.json.decode(out) if out else {}, err.decode()


async def run_once(url: str, folder: Path, codes: list[str], last: str = "20240131") -> dict[str, Any]:
    async with fetching(url, folder, codes, last) as process:
        code, told, err = await finish(process)
    assert code == 0, err
    return told


async def killed_at(service: StandIn, url: str, folder: Path, codes: list[str], call: int, late_seconds: float) -> bool:
    """Run it and kill it ``late_seconds`` after that call arrived; whether it still lived."""
    async with fetching(url, folder, codes) as process:
        done = False
        reached = anyio.Event()
        first = len(service.calls)

        def hear(number: int) -> None:
            if number - first >= call:
                reached.set()

        service.on_call = hear

        async def wait_for_end() -> None:
            nonlocal done
            await process.wait()
            done = True
            reached.set()

        async with anyio.create_task_group() as group:
            group.start_soon(wait_for_end)
            await reached.wait()
            await anyio.sleep(late_seconds)
            if not done:
                process.send_signal(signal.SIGKILL)
        service.on_call = lambda _number: None
        return int(process.returncode) == -signal.SIGKILL


async def test_a_fetch_that_is_killed_twice_ends_with_the_catalog_of_one_that_was_not(tmp_path: Path) -> None:
    """Killed while an answer is on its way, and while one is being written; then run to its end: byte for byte."""
    service = StandIn()
    service.missing = {("600001.SH", "2024-01-10 10:0"), ("600002.SH", "2024-01-11")}
    async with running(service.app) as url:
        whole = await run_once(url, tmp_path / "whole", CODES)
        assert whole["bars"] == 6 * 22 * 240 - 10 - 240 + 230
        assert whole["gaps"] == {"600001.SH": {"2024-01-10": 10}, "600002.SH": {"2024-01-11": 240}}
        kills = 0
        for call, late in ((4, 0.0), (5, 0.08)):
            kills += await killed_at(service, url, tmp_path / "cut", CODES, call, late)
        assert kills == 2
        before = len(service.asked("/stock/kline/batch"))
        last = await run_once(url, tmp_path / "cut", CODES)
        assert last["gaps"] == whole["gaps"]
        assert len(service.asked("/stock/kline/batch")) > before
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


async def test_a_fetch_run_again_asks_only_for_what_lacks_and_changes_nothing(tmp_path: Path) -> None:
    """The second run takes no bars; the catalog's bytes stay."""
    service = StandIn()
    async with running(service.app) as url:
        first = await run_once(url, tmp_path / "c", CODES[:2], "20240105")
        before, calls = content(tmp_path / "c"), len(service.asked("/stock/kline"))
        again = await run_once(url, tmp_path / "c", CODES[:2], "20240105")
        assert (first["new"], again["bars"], again["asked"]) == (2 * 4 * 240, 0, 0)
        assert (content(tmp_path / "c"), len(service.asked("/stock/kline"))) == (before, calls)


def _peak_kb(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM"))


@pytest.mark.kill
@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's peak memory from /proc")
async def test_a_hundred_codes_by_twenty_days_killed_five_times_memory_flat(tmp_path: Path) -> None:
    """The same bytes as uncut; a hundred codes take no more memory than fifty, within a tenth."""
    codes = [f"{600000 + n}.SH" for n in range(100)]
    service = StandIn()
    peaks = {}
    async with running(service.app) as url:
        for count in (50, 100):
            folder = tmp_path / f"whole{count}"
            async with fetching(url, folder, codes[:count]) as process:
                peak = 0
                async with anyio.create_task_group() as group:

                    async def watch(pid: int = process.pid) -> None:
                        nonlocal peak
                        while True:
                            try:
                                peak = max(peak, _peak_kb(pid))
                            except (OSError, StopIteration):
                                return
                            await anyio.sleep(0.05)

                    group.start_soon(watch)
                    code, told, err = await finish(process)
                    group.cancel_scope.cancel()
                assert code == 0, err
                assert told["bars"] == count * 22 * 240
                peaks[count] = peak
        kills = 0
        for call in (3, 4, 5, 4, 3):
            kills += await killed_at(service, url, tmp_path / "cut", codes, call, 0.05 * call)
        assert kills == 5
        await run_once(url, tmp_path / "cut", codes)
    assert content(tmp_path / "cut") == content(tmp_path / "whole100")
    assert peaks[100] <= peaks[50] * 1.1 + 10_000, peaks
