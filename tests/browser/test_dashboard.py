"""The dashboard in a real browser, on a real run: what moves is seen to move, and what a token may not do is refused.

``SLUICE_PICTURES=docs/images pytest tests/browser/test_dashboard.py`` keeps the pictures.
"""

import os
import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine.control.api.scopes import Scope
from engine.domain.events import Alert, KillLevel
from tests.browser.dashboard_builders import CHROMIUM, DESK, PHONE, SECONDS, a_page, a_shown_run, expect, log_in

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")

ATTACK = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


def picture(tmp_path: Path, name: str) -> str:
    return str(Path(os.environ.get("SLUICE_PICTURES") or tmp_path) / name)


async def text(page, selector: str) -> str:
    return str(await page.text_content(selector) or "")


async def says(page, selector: str, words: str) -> None:
    """Waits until an element's text has these words (a regular expression)."""
    await expect(page.locator(selector).first).to_have_text(re.compile(words), timeout=SECONDS * 1000)


async def changes(page, selector: str) -> None:
    """Waits until the text of an element is another than now."""
    before = await text(page, selector)
    await expect(page.locator(selector).first).not_to_have_text(before, timeout=SECONDS * 1000)


CURVE_ENDS_NOW = """() => document.querySelector("#equity-note").textContent
    .includes(" to " + document.querySelector("#clock").textContent)"""
"""Samples are minutes apart: the page's own second is none of them."""


async def test_prices_equity_orders_and_fills_move_on_the_page(tmp_path: Path) -> None:
    """A price and the equity, where its curve ends, are watched until they move; a click shows an order's life."""
    async with a_shown_run(tmp_path) as shown, a_page(DESK) as (page, said):
        await log_in(page, shown, shown.first)
        await page.wait_for_selector("#positions td:has-text('DL.VSM')")
        await changes(page, "#positions tbody tr td:nth-child(7)")
        await changes(page, "#tiles .tile b")
        await page.wait_for_selector("#fills td:has-text('DL.VSM')")
        await says(page, "#denials tbody", "MAX_QTY")
        await page.wait_for_selector("#gauges .gauge")
        await says(page, "#equity-note", " to ")
        await says(page, "#candle-note", "bars")
        await page.wait_for_function(CURVE_ENDS_NOW)
        await page.screenshot(path=picture(tmp_path, "dashboard.png"), full_page=True)
        shown.session.run.core.bus.publish(Alert(ts_ns=shown.session.clock.now_ns, about="run", text=ATTACK))
        await page.wait_for_selector("#alerts td.long:has-text('onerror')")
        await page.click("#orders tr:has-text('filled'):has-text('DL.VSM')")
        for step in ("Intent", "Sent", "Evidence"):
            await page.wait_for_selector(f"#drawer .life b:has-text('{step}')")
        await page.screenshot(path=picture(tmp_path, "dashboard-order.png"))
        assert "taken" not in await page.title()
        assert not said


async def test_on_a_telephone_each_part_is_a_tab_in_chinese(tmp_path: Path) -> None:
    """Nothing is wider than the screen; the language is the browser's, the colours are China's."""
    async with a_shown_run(tmp_path) as shown, a_page(PHONE, language="zh-CN", theme="dark") as (page, said):
        await log_in(page, shown, shown.first)
        await page.wait_for_selector("#positions td:has-text('DL.VSM')")
        await says(page, "#candle-note", "根K线")
        assert await page.evaluate("document.documentElement.dataset.up") == "red"
        assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
        for number, name in enumerate(("概览", "委托", "风控", "健康"), 1):
            await page.click(f"#tabs button:has-text('{name}')")
            await page.wait_for_selector("main > section.shown")
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await page.screenshot(path=picture(tmp_path, f"dashboard-phone-{number}.png"))
        assert not said


async def test_trading_is_stopped_and_resumed_from_the_page(tmp_path: Path) -> None:
    """The latch is the engine's, with reason and token; all that is open is withdrawn; resuming asks for a code."""
    async with a_shown_run(tmp_path) as shown, a_page(DESK) as (page, said):
        await log_in(page, shown, shown.first)
        await page.click("#kill")
        await page.click("#kill-form input[value=cancel]")
        await page.fill("#kill-why", "the browser test says so")
        await page.screenshot(path=picture(tmp_path, "dashboard-kill.png"))
        await page.click("#kill-send")
        await page.wait_for_selector("#banner:has-text('the browser test says so')")
        latch = shown.session.run.core.view.latches["all"]
        assert latch.level is KillLevel.CANCEL
        assert "the browser test says so" in latch.cause
        await page.click("#resume")
        await page.click(".latch button")
        await page.fill("#resume-why", "it was only a test")
        await page.click("dialog button[type=submit]")
        await page.wait_for_selector("#resume-code", state="visible")
        asked = await text(page, "label:has(#resume-code) span")
        await page.fill("#resume-code", asked.rsplit(" ", 1)[-1])
        await page.click("dialog button[type=submit]")
        await page.wait_for_selector("#banner", state="hidden")
        with anyio.fail_after(SECONDS):
            while shown.session.run.core.view.latches:  # noqa: ASYNC110 - any state of the run
                await anyio.sleep(0.02)
        assert not [line for line in said if "428" not in line]


async def test_a_strategy_is_stopped_started_and_given_other_parameters_from_the_page(tmp_path: Path) -> None:
    """Each by its button and a reason; a value out of bounds is refused in the form, which stays; in both languages."""
    async with a_shown_run(tmp_path) as shown, a_page(DESK) as (page, said):
        seats = shown.session.run.core.runner.seats
        row = "#strategies tr:has-text('cross')"
        await log_in(page, shown, shown.first)
        first = seats["cross"].strategy

        async def send(button: str) -> None:
            await page.click(f"{row} button:has-text('{button}')")
            await page.fill("#strategy-why", "the browser test says so")

        await send("Stop")
        await page.click("#strategy-form button[type=submit]")
        await page.wait_for_selector(f"{row} .badge:has-text('stopped')")
        await send("Start")
        await page.wait_for_selector("dialog:has-text('a latch stays')")
        await page.click("#strategy-form button[type=submit]")
        await page.wait_for_selector(f"{row} .badge:has-text('running')")
        second = seats["cross"].strategy
        assert second is not first
        await send("Parameters")
        await page.fill("#parameter-slow", "1")
        await page.click("#strategy-form button[type=submit]")
        await says(page, "dialog .fault[role=alert]", "parameter slow")
        await page.fill("#parameter-slow", "5")
        await page.screenshot(path=picture(tmp_path, "dashboard-parameters.png"))
        await page.click("#strategy-form button[type=submit]")
        await page.wait_for_selector(f"{row} td:has-text('fast 2, slow 5, size 100')")
        changed: Any = seats["cross"].strategy
        assert (changed.fast, changed.slow) == (2, 5)
        await page.click("#language")
        await page.click(f"{row} button:has-text('参数')")
        await page.wait_for_selector("dialog:has-text('cross 的参数'):has-text('有效至配置文件中的参数被修改为止')")
        assert await page.input_value("#parameter-slow") == "5"
        assert not [line for line in said if "422" not in line]


async def test_a_token_that_may_only_read_is_refused_by_the_engine(tmp_path: Path) -> None:
    """The page says before what will happen; the engine says it after, and nothing is stopped."""
    async with a_shown_run(tmp_path) as shown, a_page(DESK) as (page, said):
        await log_in(page, shown, shown.token(Scope.READ))
        await page.click("#kill")
        await page.wait_for_selector("dialog:has-text('risk:set')")
        await page.fill("#kill-why", "may I?")
        await page.click("#kill-send")
        await says(page, "dialog .fault[role=alert]", "risk:set")
        assert not shown.session.run.core.view.latches
        assert all("403" in line for line in said)


async def test_a_wrong_token_opens_nothing(tmp_path: Path) -> None:
    """The form stays, says why, and the tab keeps nothing."""
    async with a_shown_run(tmp_path) as shown, a_page(DESK) as (page, _):
        await page.goto(shown.url)
        await page.fill("#token", "sluice_00000000_wrong")
        await page.click("#login button")
        await says(page, "#login-fault", r"\w+ \w+")
        assert await page.is_hidden("#page")
        assert await page.evaluate("sessionStorage.length") == 0
        await page.screenshot(path=picture(tmp_path, "dashboard-login.png"))
