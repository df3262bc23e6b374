"""Builders for tests of the dashboard: a run against a simulated market, its control API, and a real browser on it."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest

from engine.clock import LiveClock
from engine.control.api.hosting import serve_control
from engine.control.api.scopes import Scope
from engine.control.api.tokens import TokenStore
from engine.control.live_session import Session
from engine.domain.timestamps import DAY_NS
from engine.runtime.control_table import token_file
from engine.runtime.settings import load_settings
from tests.live_builders import a_trading_place

playwright = pytest.importorskip("playwright.async_api", reason="no playwright here: pip install -e '.[test]'")

expect = playwright.expect
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
DESK, PHONE = (1440, 900), (390, 844)
SECONDS = 30
INSTRUMENTS = Path("config/instruments.toml").resolve()
CONFIG = """
[run]
name = "paper"
data_dir = "{folder}/data"
profile = "paper"

[control]
port = 0
requests_per_second = 100

[clock]
speed = {speed}

[instruments]
file = "{instruments}"

[gateway.virtual_market]
base_url = "{url}"
poll = "20s"
account_poll = "60s"
timeout = "10m"
connect_timeout = "10m"
backfill_bars = 60

[risk.price_collar]
max_age = "30m"

[risk.self_match]
scope = "strategy"

[monitors]
feed_age = "30m"

[[account]]
id = "game"
gateway = "virtual_market"
currency = "COIN"

[[strategy]]
name = "cross"
class = "strategies.sma_cross:SmaCross"
account = "game"
instruments = ["CY.VSM"]
params = {{ fast = 2, slow = 3, size = 100 }}

[[strategy]]
name = "greedy"
class = "{greedy}"
account = "game"
instruments = ["DL.VSM"]
"""
GREEDY = '''
from engine import Quote, Strategy


class Greedy(Strategy):
    """Holds a hundred shares, and once asks for more than it may have."""

    def on_start(self) -> None:
        self.asked = False

    def on_quote(self, quote: Quote) -> None:
        if not self.position(quote.instrument) and not self.working_orders():
            self.buy(quote.instrument, 100)
        elif not self.asked:
            self.asked = True
            self.buy(quote.instrument, 10_000_000)
'''


class Shown:
    """A run and the address of its page."""

    def __init__(self, session: Session, url: str) -> None:
        self.session = session
        self.url = url

    @property
    def first(self) -> str:
        """The token of every scope."""
        return (self.session.settings.data_dir / "control" / "token").read_text().strip()

    def token(self, *scopes: Scope) -> str:
        settings = self.session.settings
        assert settings.safety.control is not None
        store, now_ns = TokenStore(token_file(settings.safety.control, settings.data_dir)), LiveClock().now_ns
        return store.create("test", scopes, now_ns=now_ns, expires_ns=now_ns + DAY_NS)


@asynccontextmanager
async def a_shown_run(folder: Path, *, speed: float = 120.0) -> AsyncIterator[Shown]:
    """Two strategies trade on a simulated market; the API serves the page until the block ends."""
    (folder / "greedy.py").write_text(GREEDY, encoding="utf-8")
    async with a_trading_place(speed=speed) as place:
        config = folder / "paper.toml"
        config.write_text(
            CONFIG.format(
                folder=folder, speed=speed, url=place.url, greedy=f"{folder / 'greedy.py'}:Greedy",
                instruments=INSTRUMENTS,
            ),
            encoding="utf-8",
        )  # fmt: skip
        settings = load_settings(config)
        environ = {"SLUICE_VM_USER": place.user.login, "SLUICE_VM_PASSWORD": place.user.password}
        session = Session(settings, environ=environ, note=lambda _text, _fields: None, clock=place.clock, mode="paper")
        bound = anyio.Event()
        urls: list[str] = []

        def ready(url: str) -> None:
            urls.append(url)
            bound.set()

        async def beside(running: Session) -> None:
            await serve_control(
                lambda: running, settings, note=lambda _text, _fields: None, on_ready=ready
            )  # fmt: skip

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(session.conduct, screen=beside))
            with anyio.fail_after(SECONDS):
                await bound.wait()
                await session.run.ready.wait()
            yield Shown(session, urls[0])
            session.run.stop("test done")


@asynccontextmanager
async def a_page(size: tuple[int, int], *, language: str = "en-US", theme: str = "light") -> AsyncIterator[tuple]:
    """A window of the browser, and what its console said."""
    async with playwright.async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            context = await browser.new_context(
                viewport={"width": size[0], "height": size[1]}, locale=language, color_scheme=theme
            )
            context.set_default_timeout(SECONDS * 1000)
            page = await context.new_page()
            said: list[str] = []
            page.on("console", lambda m: said.append(f"{m.type}: {m.text}") if m.type in ("warning", "error") else None)
            page.on("pageerror", lambda error: said.append(str(error)))
            yield page, said
        finally:
            await browser.close()


async def log_in(page, shown: Shown, token: str) -> None:
    await page.goto(shown.url)
    await page.fill("#token", token)
    await page.click("#login button")
    await page.wait_for_selector("#page", state="visible")
    await page.wait_for_selector("#dot.good")
