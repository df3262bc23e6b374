"""What the window automation does besides its duty, by name; faults on the wire (contracts/easyths.md 3.2, 7)."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.simulators.counter import EntrustStatus
from engine.simulators.easyths import Quirk
from engine.simulators.faults import Fault, Faults, Trigger
from engine.simulators.quirks import QuirkTrigger
from tests.easyths_simulator_builders import OPERATIONS, PUDONG, ServerAtHand, played, served


def hurt(*quirks: Quirk, **settings: Any) -> ServerAtHand:
    """A server that plays each of them on its first occasion."""
    return ServerAtHand(quirk_script=played(*quirks), **settings)


async def bought(server: ServerAtHand, **change: Any) -> Any:
    params = {"stock_code": PUDONG, "price": server.beside(), "quantity": 100} | change
    return await server.run("buy", **params)


# Orders


@pytest.mark.parametrize(
    ("quirk", "success", "text", "placed"),
    [
        (Quirk.SUCCESS_WITHOUT_ORDER, True, "成功提交600000的买入委托", 0),
        (Quirk.FAILED_AFTER_PLACING, False, "买入操作未能成功，请检查软件设置", 1),
        (Quirk.FAILED_WITH_SUCCESS_TEXT, False, "成功提交600000的买入委托", 0),
        (Quirk.ERROR_BEFORE_PLACING, False, "买入操作异常", 0),
        (Quirk.ERROR_AFTER_PLACING, False, "买入操作异常", 1),
    ],
)
@pytest.mark.parametrize("generation", ["new", "old"])
async def test_what_an_order_s_success_is_worth(
    quirk: Quirk, success: bool, text: str, placed: int, generation: str
) -> None:
    """Flag, message and the truth at the counter, all three apart; the next order is honest again."""
    server = hurt(quirk, generation=generation)
    result = await bought(server)
    inner = result.get("data") or {}
    words = result.get("message") or result.get("error") or inner.get("message")
    assert (result["success"], len(server.placed())) == (success, placed)
    assert text in words
    assert server.venue.quirks.fired == {quirk: 1}
    assert (await bought(server))["success"] is True
    assert len(server.placed()) == placed + 1


async def test_a_popup_that_comes_too_late_is_missed() -> None:
    """The counter has refused; success is said; it plays on refusals alone."""
    server = hurt(Quirk.LATE_POPUP)
    await bought(server)
    assert server.venue.quirks.fired == {}
    result = await bought(server, quantity=1_000_000, price=6.0)
    assert (result["success"], result["message"]) == (True, "成功提交600000的买入委托")
    assert len(server.placed()) == 1
    assert (await bought(server, quantity=1_000_000, price=6.0))["message"].startswith("提交失败：")


async def test_a_market_order_whose_notice_makes_it_a_failure() -> None:
    """Placed; success is false; the notice carries the number."""
    server = hurt(Quirk.MARKET_NOTICE)
    result = await server.run("market_buy", stock_code=PUDONG, quantity=100)
    (entrust,) = server.placed()
    assert (result["success"], result["data"]) == (False, None)
    assert result["message"].startswith("市价买入操作失败，错误：")
    assert f"合同编号：{entrust.number}" in result["message"]
    lost = hurt(Quirk.SUCCESS_WITHOUT_ORDER)
    assert (await lost.run("market_buy", stock_code=PUDONG, quantity=100))["success"] is True
    late = hurt(Quirk.LATE_POPUP)
    assert (await late.run("market_sell", stock_code=PUDONG, quantity=90_000))["success"] is True
    assert not lost.placed() + late.placed()


@pytest.mark.parametrize(
    ("quirk", "success", "status"),
    [(Quirk.CANCEL_NOT_SENT, True, EntrustStatus.OPEN), (Quirk.CANCEL_SAID_FAILED, False, EntrustStatus.WITHDRAWN)],
)
async def test_what_a_cancel_s_success_is_worth(quirk: Quirk, success: bool, status: EntrustStatus) -> None:
    """Said and not done, done and not said."""
    server = hurt(quirk)
    await bought(server)
    result = await server.run("order_cancel", stock_code=PUDONG)
    assert (result["success"], server.placed()[0].status) == (success, status)


# Tables


async def test_an_empty_table_is_a_success() -> None:
    """The empty forms, with orders and holdings there."""
    for name, key, empty in (
        ("order_query", "orders", "没有对应的委托订单"),
        ("historical_commission_query", "historical_orders", "没有对应的历史委托订单"),
        ("holding_query", None, {}),
    ):
        server = hurt(Quirk.EMPTY_TABLE)
        await bought(server)
        result = await server.run(name, return_type="json")
        assert (result["success"], result["data"] if key is None else result["data"][key]) == (True, empty)
        again = await server.run(name, return_type="json")
        assert len(again["data"] if key is None else again["data"][key]) >= 1


async def test_a_row_may_come_twice() -> None:
    """One more row, equal to its neighbour in every cell."""
    server = hurt(Quirk.REPEATED_ROWS)
    rows = (await server.run("holding_query", return_type="json"))["data"]
    assert len(rows) == 4
    assert sum(one == other for one, other in pairwise(rows)) == 1


async def test_columns_may_be_shifted() -> None:
    """Each cell under its neighbour's name."""
    server = hurt(Quirk.SHIFTED_COLUMNS)
    rows = (await server.run("holding_query", return_type="json"))["data"]
    assert [row["证券代码"] for row in rows] == ["平安银行", "沪深300ETF", "浦发银行"]
    assert rows[0]["证券名称"] == 1000


async def test_an_unsolved_captcha() -> None:
    """Orders and history: false with the empty text; holdings: 500 as text; two and a half seconds more."""
    for name, key, empty in (
        ("order_query", "orders", "没有对应的委托订单"),
        ("historical_commission_query", "historical_orders", "没有对应的历史委托订单"),
    ):
        server = hurt(Quirk.CAPTCHA)
        await bought(server)
        result = await server.run(name, return_type="json")
        assert (result["success"], result["data"][key]) == (False, empty)
    server = hurt(Quirk.CAPTCHA)
    operation_id = await server.submit("holding_query", return_type="json")
    server.wait(3)
    assert (await server.status(operation_id))["status"] == "running"
    server.wait(1)
    for what in ("status", "result?timeout=0"):
        assert (await server.get(f"{OPERATIONS}/{operation_id}/{what}")).text == "Internal Server Error"


async def test_a_solved_captcha_takes_its_time() -> None:
    """The rows are there, later."""
    server = hurt(Quirk.CAPTCHA_SOLVED)
    operation_id = await server.submit("holding_query", return_type="json")
    server.wait(1.3)
    assert (await server.status(operation_id))["status"] == "running"
    server.wait(2.2)
    assert len((await server.status(operation_id))["result"]["data"]) == 3


async def test_a_window_that_says_there_is_no_history() -> None:
    """False, with the empty text."""
    server = hurt(Quirk.HISTORY_UNSUPPORTED)
    await bought(server)
    result = await server.run("historical_commission_query", return_type="json")
    assert (result["success"], result["data"]["historical_orders"]) == (False, "没有对应的历史委托订单")
    assert len(await server.history()) == 1


async def test_a_label_that_is_not_found_is_simply_absent() -> None:
    """Six of the seven funds."""
    server = hurt(Quirk.MISSING_LABEL)
    assert len((await server.run("funds_query"))["data"]) == 6
    assert len((await server.run("funds_query"))["data"]) == 7


# Conditions and repos


async def test_a_condition_that_was_said_to_be_set() -> None:
    """Success means that the form was sent."""
    server = hurt(Quirk.CONDITION_NOT_SET)
    params = {"stock_code": PUDONG, "target_price": 5.2, "quantity": 100}
    assert (await server.run("condition_buy", **params))["success"] is True
    assert (await server.run("condition_order_query"))["data"] == {}
    stop = {"stock_code": PUDONG, "stop_loss_percent": 30, "stop_profit_percent": 40}
    server = hurt(Quirk.CONDITION_WINDOW_FAILED)
    result = await server.run("stop_loss_profit", **stop)
    assert (result["success"], result["message"]) == (False, "执行600000的止盈止损单失败")
    assert not server.venue.conditions.conditions
    server = hurt(Quirk.CONDITION_WINDOW_FAILED)
    assert (await server.run("condition_buy", **params))["message"] == "执行600000的条件单失败"
    assert not server.venue.conditions.conditions


async def test_the_wrong_row_of_the_repos() -> None:
    """Lent at the row selected before; the reply is that of the right one."""
    server = hurt(Quirk.REPO_WRONG_ROW)
    result = await server.run("reverse_repo_buy", market="深圳", time_range="7天期", amount=10_000)
    assert result["success"] is True
    assert result["data"] == {"market": "深圳", "time_range": "7天期", "amount": 10_000}
    assert [row["证券代码"] for row in await server.history()] == [204001]
    await server.run("reverse_repo_buy", market="深圳", time_range="7天期", amount=10_000)
    assert [loan.repo.code for loan in server.venue.repo.loans] == ["204001", "131801"]


async def test_a_repo_window_that_does_not_open() -> None:
    """5.7 s, false, and a message that claims success; the query's data is null."""
    server = hurt(Quirk.REPO_WINDOW_FAILED)
    operation_id = await server.submit("reverse_repo_buy", market="上海", time_range="1天期", amount=1000)
    server.wait(5.6)
    assert (await server.status(operation_id))["status"] == "running"
    server.wait(0.2)
    result = (await server.status(operation_id))["result"]
    assert (result["success"], result["message"]) == (False, "国债逆回购操作成功")
    assert not server.venue.repo.loans
    failed = await hurt(Quirk.REPO_WINDOW_FAILED).run("reverse_repo_query")
    assert (failed["success"], failed["data"]) == (False, None)


# Any operation


async def test_a_slow_dialog_holds_the_queue() -> None:
    """Five seconds at least, forty at most; whoever waits behind waits with it."""
    server = hurt(Quirk.SLOW_DIALOG)
    first, second = await server.submit("funds_query"), await server.submit("funds_query")
    server.wait(5)
    assert [(await server.status(one))["status"] for one in (first, second)] == ["running", "queued"]
    server.wait(40)
    assert [(await server.status(one))["status"] for one in (first, second)] == ["completed", "completed"]


async def test_a_result_that_can_not_be_written_down() -> None:
    """Done at the counter; status and result of this id are 500 for ever; the statistics count it."""
    server = hurt(Quirk.UNSERIALISABLE_RESULT)
    operation_id = await server.submit("buy", stock_code=PUDONG, price=server.beside(), quantity=100)
    server.wait(1)
    assert (await server.status(operation_id))["status"] == "running"
    for _ in range(2):
        server.wait(600)
        assert (await server.get(f"{OPERATIONS}/{operation_id}/status")).status_code == 500
        assert (await server.result(operation_id)).status_code == 500
    assert len(server.placed()) == 1
    assert (await server.get("/api/v1/queue/stats")).json()["data"]["total_success"] == 1


async def test_a_final_status_before_its_result() -> None:
    """Completed with null; then the result; ``/result`` says 408 meanwhile."""
    server = hurt(Quirk.NULL_RESULT_GAP)
    operation_id = await server.submit("funds_query")
    server.wait(0.7)
    status = await server.status(operation_id)
    assert (status["status"], status["result"]) == ("completed", None)
    assert (await server.result(operation_id)).status_code == 408
    server.wait(3)
    assert (await server.status(operation_id))["result"]["success"] is True


async def test_a_cancel_that_loses_its_race() -> None:
    """200, failed, cancelled: and then it is executed all the same."""
    server = hurt(Quirk.CANCEL_RACE)
    await server.submit("funds_query")
    server.wait(0.1)
    operation_id = await server.submit("buy", stock_code=PUDONG, price=server.beside(), quantity=100)
    assert (await server.client.delete(f"{OPERATIONS}/{operation_id}")).status_code == 200
    status = await server.status(operation_id)
    assert (status["status"], status["result"]["message"]) == ("failed", "操作已取消")
    server.wait(1)
    assert (await server.status(operation_id))["status"] == "running"
    server.wait(5)
    assert (await server.status(operation_id))["status"] == "completed"
    assert len(server.placed()) == 1


async def test_quirks_come_by_chance_too_and_can_be_ended() -> None:
    """Half of the orders are lost; with the plan switched off none is; equal seeds, equal runs."""
    runs = []
    for _ in range(2):
        server = ServerAtHand(quirks={"success_without_order": 0.5})
        for _ in range(20):
            await bought(server)
        runs.append([entrust.request for entrust in server.placed()])
    assert runs[0] == runs[1]
    assert 4 <= len(runs[0]) <= 16
    server.venue.quirks.active = False
    before = len(server.placed())
    for _ in range(10):
        await bought(server)
    assert len(server.placed()) == before + 10


def test_every_quirk_was_played() -> None:
    """None of them is only a name: a test above plays each."""
    tested, _, _ = Path(__file__).read_text(encoding="utf-8").partition("def test_every_quirk_was_played")
    assert not [quirk for quirk in Quirk if f"Quirk.{quirk.name}" not in tested]


@pytest.mark.parametrize(
    "settings",
    [
        {"quirks": {"nothing": 0.1}},
        {"quirks": {"captcha": 2.0}},
        {"quirk_script": (QuirkTrigger(quirk="nothing", occasion=1),)},
        {"headers": {"状态": "备注"}},
        {"tick_seconds": 7},
        {"pace": -1},
        {"rate_limit": -1},
        {"queue_max": 0},
        {"pace": float("nan")},
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    """Refused where they are given."""
    with pytest.raises(ValueError, match=r"\w"):
        ServerAtHand(**settings)


# The wire


async def test_route_classes() -> None:
    """What changes something, what only reads, what follows an operation, and the rest."""
    venue = ServerAtHand().venue
    classes: dict[str, list[str]] = {}
    for name, entry in venue.operations.items():
        classes.setdefault(venue.route_class(f"{OPERATIONS}/{name}"), []).append(entry.name)
    assert sorted(classes) == ["order", "query"]
    assert sorted(classes["query"]) == [
        "condition_order_query",
        "funds_query",
        "historical_commission_query",
        "holding_query",
        "order_query",
        "reverse_repo_query",
    ]
    assert venue.route_class(f"{OPERATIONS}/x/status") == venue.route_class(f"{OPERATIONS}/x/result") == "status"
    for path in (f"{OPERATIONS}/", f"{OPERATIONS}/x", "/api/v1/queue/stats", "/docs"):
        assert venue.route_class(path) == "other"


@pytest.mark.parametrize(
    ("fault", "outcome", "placed"),
    [
        (Fault.DROP_BEFORE, "RemoteProtocolError", 0),
        (Fault.DROP_AFTER, "RemoteProtocolError", 1),
        (Fault.CUT, "RemoteProtocolError", 1),
        (Fault.ERROR_BEFORE, "500 Internal Server Error", 0),
        (Fault.ERROR_AFTER, "500 Internal Server Error", 1),
        (Fault.THROTTLED, "500 Internal Server Error", 0),
    ],
)
async def test_faults_on_the_submit(fault: Fault, outcome: str, placed: int) -> None:
    """Cut, lost and garbled below JSON; the counter knows the request that was let through."""
    script = Faults(script=(Trigger(route="order", call=1, fault=fault),))
    async with served(faults=script, speed=50) as (client, venue):
        await client.get("/api/v1/system/health")
        price = round(venue.counter.view(venue.counter.shares[0]).bid - 0.2, 2)
        body = {"params": {"stock_code": PUDONG, "price": price, "quantity": 100}}
        try:
            response = await client.post(f"{OPERATIONS}/buy", json=body)
            said = f"{response.status_code} {response.text}"
        except httpx.TransportError as problem:
            said = type(problem).__name__
        assert said == outcome
        await venue.clock.sleep(5_000_000_000)
        venue.now_ns()
        assert [entrust.request for entrust in venue.counter.entrusts(venue.clock.now_ns)] == [2] * placed
        assert venue.faults.fired == {fault: 1}


async def test_a_percentage_that_is_no_number_fails_and_the_queue_goes_on() -> None:
    """``NaN`` is JSON to Python and no more than 100: its result can not be said; the next operation is done."""
    server = ServerAtHand()
    body = b'{"params":{"stock_code":"600000","stop_loss_percent":NaN,"stop_profit_percent":5},"priority":0}'
    headers = {"content-type": "application/json"}
    response = await server.client.post(f"{OPERATIONS}/stop_loss_profit", content=body, headers=headers)
    server.wait(30)
    result = await server.result(response.json()["data"]["operation_id"])
    # The NaN in it can not be written down (contract 1.1).
    assert (result.status_code, result.text) == (500, "Internal Server Error")
    assert (await server.run("funds_query"))["success"] is True
