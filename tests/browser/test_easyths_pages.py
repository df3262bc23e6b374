"""The simulated EasyTHS server's two pages in a real browser: drawn from our own files, and nothing asked elsewhere."""

import re
import shutil
import subprocess
from pathlib import Path

import anyio
import pytest

from tests.easyths_simulator_builders import served

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")


async def dump(url: str, folder: Path) -> tuple[str, str]:
    """The page's elements after it has run, scripts and styles taken out, and what the browser wrote."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'profile'}",
        "--proxy-server=direct://", "--enable-logging=stderr", "--window-size=1300,1600",
        "--virtual-time-budget=10000", "--dump-dom", url,
    ]  # fmt: skip
    with anyio.fail_after(60):
        done = await anyio.run_process(command, stderr=subprocess.PIPE)
    dom = re.sub(r"<(script|style).*?</\1>", "", done.stdout.decode(), flags=re.DOTALL)
    return dom, done.stderr.decode()


@pytest.mark.parametrize(
    ("path", "drawn"),
    [
        ("/docs", ('class="opblock', "/api/v1/queue/stats", "获取操作结果（阻塞等待）", "Authorize")),
        ("/redoc", ("data-section-id", "/api/v1/queue/stats", "获取操作结果（阻塞等待）", "API docs by Redocly")),
    ],
)
async def test_a_page_is_drawn_and_the_console_stays_silent(path: str, drawn: tuple[str, ...], tmp_path: Path) -> None:
    """Every route is on it; the policy that forbids other hosts had nothing to forbid."""
    async with served(speed=1) as (client, _):
        dom, said = await dump(f"{str(client.base_url).rstrip('/')}{path}", tmp_path)
    # Swagger UI breaks long paths with zero-width spaces.
    plain = dom.replace("\u200b", "").replace("<wbr>", "")
    assert not [words for words in drawn if words not in plain]
    assert not [line for line in said.splitlines() if "CONSOLE" in line or "Refused" in line]
    assert not re.findall(r'(?:src|xlink:href)="(?!data:)(https?:[^"]*)"', plain)
