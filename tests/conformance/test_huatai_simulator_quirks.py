"""Quirks of the simulated HT server and of the client behind it, one by one."""

from typing import Any

import anyio
import pytest

from engine.clock import ReplayClock
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.simulators.huatai import HuataiQuirk, HuataiSimulator
from engine.simulators.quirks import QuirkTrigger
from tests.huatai_simulator_builders import OPEN_NS, Caller, HuataiAtHand, a_market, played


def once(quirk: HuataiQuirk, occasion: int = 1) -> dict[str, Any]:
    return {"quirk_script": (QuirkTrigger(quirk=quirk.value, occasion=occasion),)}


# --- quirks of an order ---


@pytest.mark.parametrize("quirk", [HuataiQuirk.TIMEOUT_THEN_PLACED, HuataiQuirk.TIMEOUT_NOT_PLACED])
def test_an_order_may_hang_past_the_callers_patience(quirk: HuataiQuirk) -> None:
    """At 30 s nothing is placed; at 45 s it is, or never; the server goes on although the caller left."""

    async def main(caller: Caller) -> Any:
        start_ns = caller.venue.clock.now_ns
        answer = await caller.bought()
        at_timeout = len(caller.entrusts)
        await caller.venue.clock.sleep(16 * SECOND_NS)
        return (
            answer,
            at_timeout,
            [(e.ts_ns - start_ns) / SECOND_NS for e in caller.entrusts],
            caller.venue.quirks.fired,
        )

    answer, at_timeout, placed, fired = played(main, **once(quirk))
    assert (answer, at_timeout) == ("ReadTimeout", 0)
    assert fired == {quirk: 1}
    if quirk is HuataiQuirk.TIMEOUT_THEN_PLACED:
        assert len(placed) == 1
        assert 30 < placed[0] <= 45
    else:
        assert placed == []


ORDER_QUIRKS = {
    HuataiQuirk.PLACED_WITHOUT_NUMBER: (1, 200, "success"),
    HuataiQuirk.REFUSED_TEXT_AFTER_PLACING: (1, 400, "关闭对话框: 提示"),
    HuataiQuirk.SUCCESS_NOT_PLACED: (0, 200, "success"),
}


@pytest.mark.parametrize("quirk", sorted(ORDER_QUIRKS))
async def test_answers_that_mislead(quirk: HuataiQuirk) -> None:
    """No number in any of them; the next order is answered well."""
    server = HuataiAtHand(dialogs="result", **once(quirk))
    placed, code, message = ORDER_QUIRKS[quirk]
    reply = await server.bought()
    assert len(server.counter.entrusts(server.clock.now_ns)) == placed
    assert (reply["code"], reply["message"], reply["data"]["entrust_id"]) == (code, message, "")
    assert (await server.bought())["data"]["entrust_id"]
    assert server.venue.quirks.fired == {quirk: 1}


async def test_the_other_text_after_placing() -> None:
    """By turns."""
    server = HuataiAtHand(**once(HuataiQuirk.REFUSED_TEXT_AFTER_PLACING))
    await server.status()
    assert (await server.bought())["message"].startswith("处理对话框失败: ")
    assert len(server.counter.entrusts(server.clock.now_ns)) == 1


def test_dialogs_may_be_slow() -> None:
    """5 to 20 seconds more than the 2 to 4, with the order placed at its usual time."""

    async def main(caller: Caller) -> Any:
        start_ns = caller.venue.clock.now_ns
        took = await caller.took("buy", {"security": "600000", "price": caller.below(), "amount": 100})
        return took, (caller.entrusts[0].ts_ns - start_ns) / SECOND_NS

    took, placed = played(main, **once(HuataiQuirk.SLOW_DIALOG))
    assert 7 <= took <= 24.1
    assert placed < 2.1


async def test_a_cancel_may_do_nothing() -> None:
    """Answered like a good one."""
    server = HuataiAtHand(**once(HuataiQuirk.CANCEL_NOT_DONE))
    await server.bought()
    for live in (1, 0):
        reply = await server.said("cancel-entrust", {"entrust_no": 101})
        assert reply["data"]["entrust_id"]
        server.wait(1)
        assert len(server.counter.live(server.clock.now_ns)) == live


# --- quirks of reading ---


@pytest.mark.parametrize("quirk", [HuataiQuirk.EMPTY_TABLE, HuataiQuirk.SHORT_ROW, HuataiQuirk.REPEATED_ROWS])
async def test_tables_that_mislead(quirk: HuataiQuirk) -> None:
    """Empty, lost by one short row, or with rows twice; code 200 and right the next time."""
    server = HuataiAtHand(**once(quirk))
    wrong, right = await server.data("position"), await server.data("position")
    assert len(right) == 3
    assert wrong == ([*right, *right[-2:]] if quirk is HuataiQuirk.REPEATED_ROWS else [])


async def test_a_balance_of_zeros() -> None:
    """With code 200, once."""
    server = HuataiAtHand(**once(HuataiQuirk.ZERO_BALANCE, 2))
    sums = [sum((await server.data("balance")).values()) for _ in range(3)]
    assert [figure > 0 for figure in sums] == [True, False, True]


# --- quirks of the window and the session ---


async def test_a_popup_blocks_until_it_is_closed() -> None:
    """Reads are empty, cancels find nothing, an order closes it and is not typed; then all is well."""
    server = HuataiAtHand(tools=True, **once(HuataiQuirk.POPUP_OPEN, 2))
    await server.bought()
    assert await server.data("today-entrusts") == []
    assert await server.data("position") == []
    assert set((await server.data("balance")).values()) == {0.0}
    assert (await server.said("cancel-entrust", {"entrust_no": 101}))["message"].startswith("委托单状态错误不能撤单")
    assert await server.data("check-pop-dialog") == {"has_pop_dialog": True}
    reply = await server.bought()
    assert (reply["code"], reply["message"][:7], reply["data"]["entrust_id"]) == (400, "关闭对话框: ", "")
    assert len(await server.data("today-entrusts")) == 1


@pytest.mark.parametrize("way", ["route", "person"])
async def test_a_popup_is_closed_by_its_route_or_by_a_person(way: str) -> None:
    """On the server without the route only the person is left."""
    server = HuataiAtHand(tools=way == "route", **once(HuataiQuirk.POPUP_OPEN))
    assert await server.data("position") == []
    if way == "route":
        await server.said("close-pop-dialog")
    else:
        server.venue.close_popup()
    assert len(await server.data("position")) == 3


async def test_a_client_that_ended_is_back_after_a_login() -> None:
    """connect finds nothing; session-status is none the wiser."""
    server = HuataiAtHand(**once(HuataiQuirk.CLIENT_CLOSED))
    assert await server.data("position") == []
    assert (await server.status())["is_logged_in"] is True
    assert (await server.said("connect"))["code"] == 400
    assert (await server.bought())["message"] == "未连接到客户端"
    login = {"user": "12345678", "password": "your_trade_pwd", "comm_password": "any"}
    assert (await server.said("login", login))["code"] == 200
    assert len(await server.data("position")) == 3


def test_a_client_may_end_under_an_order() -> None:
    """Before the button the order is not placed, after it it is; the automation fails in both."""

    async def main(caller: Caller) -> Any:
        replies: list[Any] = []

        async def buy() -> None:
            replies.append(await caller.bought())

        for pause_ns in (SECOND_NS // 2, int(1.999 * SECOND_NS)):
            async with anyio.create_task_group() as group:
                group.start_soon(buy)
                await caller.venue.clock.sleep(pause_ns)
                caller.venue.window.end()
            replies[-1]["placed"] = len(caller.entrusts)
            caller.venue.window.up = True
        return replies

    before, after = played(main)
    assert (before["message"].partition(":")[0], before["placed"]) == ("交易失败", 0)
    assert (after["message"].partition(":")[0], after["placed"]) == ("处理对话框失败", 1)


async def test_the_automatic_session_may_be_another_one_all_at_once() -> None:
    """Calls without an id go on; the id known before is refused."""
    server = HuataiAtHand(**once(HuataiQuirk.SESSION_SWAP, 2))
    before = (await server.status())["session_id"]
    refused = await server.get("balance", session_id=before)
    assert (refused.status_code, refused.json()["message"]) == (401, "无效的会话ID，请重新连接或登录")
    assert (await server.status())["session_id"] != before
    assert server.venue.quirks.fired == {HuataiQuirk.SESSION_SWAP: 1}


def test_a_quirk_that_is_none_is_named() -> None:
    """With those there are."""
    simulator = HuataiSimulator(quirks={"pop_up": 0.1})
    clock = ReplayClock(OPEN_NS)
    with pytest.raises(ValueError, match="no quirk 'pop_up'; there are timeout_then_placed"):
        simulator.app(clock, Entropy(7), exchange=a_market(clock))
