"""What is checked on our side before it is sent, and every route of the server by name (contract 2, 3)."""

from typing import Any

import pytest

from engine.domain.errors import BadMessage, ConfigError, OutcomeUnknown, Refused
from engine.gateways.easyths.operations import OPERATIONS, body_of
from tests.easyths_builders import Desk, a_condition, a_gateway, a_row, past, printed, says

# --- parameters ---


GOOD: dict[str, dict[str, Any]] = {
    "buy": {"stock_code": "600000", "price": 8.7, "quantity": 300},
    "sell": {"stock_code": "510300", "price": 4.123, "quantity": 100},
    "market_buy": {"stock_code": "600000", "quantity": 100, "execution_strategy": 4},
    "market_sell": {"stock_code": "600000", "quantity": 100},
    "holding_query": {"return_type": "str"},
    "funds_query": {},
    "order_query": {"stock_code": "600000", "return_type": "dict"},
    "historical_commission_query": {"time_range": "近一周", "return_type": "markdown"},
    "order_cancel": {"stock_code": "600000", "cancel_type": "sell"},
    "condition_buy": {"stock_code": "113050", "target_price": 120.5, "quantity": 10, "expire_days": 5},
    "stop_loss_profit": {"stock_code": "600000", "stop_loss_percent": 3, "stop_profit_percent": 5.5, "quantity": 100},
    "condition_order_query": {},
    "condition_order_cancel": {"stock_code": "600000", "order_type": "买入"},
    "reverse_repo_query": {},
    "reverse_repo_buy": {"market": "上海", "time_range": "1天期", "amount": 10_000},
}
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("buy", {"stock_code": "SH600000"}, "six digits"),
    ("buy", {"stock_code": 600000}, "no text"),
    ("buy", {"price": "8.70"}, "no number"),
    ("buy", {"price": 0.0}, "above 0"),
    ("buy", {"price": float("nan")}, "no number"),
    ("buy", {"price": True}, "no number"),
    ("buy", {"price": 8.705}, "2 decimals"),
    ("sell", {"price": 4.1234}, "3 decimals"),
    ("buy", {"quantity": 100.0}, "no whole"),
    ("buy", {"quantity": "100"}, "no whole"),
    ("buy", {"quantity": 150}, "multiple of 100"),
    ("buy", {"quantity": 0}, "above 0"),
    ("buy", {"quantity": -100}, "above 0"),
    ("buy", {"quantity": 2_000_000}, "more than 10000000"),
    ("buy", {"stock_code": "900901"}, "B share"),
    ("buy", {"quantity": None}, "quantity is missing"),
    ("buy", {"colour": "red"}, "colour is not known"),
    ("market_buy", {"execution_strategy": 7}, "1, 2, 3"),
    ("holding_query", {"return_type": "df"}, "json, str, dict, markdown"),
    ("historical_commission_query", {"time_range": "近两周"}, "当日"),
    ("order_cancel", {"cancel_type": "both"}, "all, buy, sell"),
    ("condition_buy", {"quantity": 15}, "multiple of 10"),
    ("condition_buy", {"expire_days": 7}, "1, 3, 5"),
    ("condition_buy", {"expire_days": "5"}, "no whole"),
    ("stop_loss_profit", {"stop_profit_percent": 3}, "must be above"),
    ("stop_loss_profit", {"stop_loss_percent": 0}, "percentage"),
    ("stop_loss_profit", {"stop_profit_percent": 100.5}, "percentage"),
    ("condition_order_cancel", {"order_type": "买"}, "买入, 卖出"),
    ("reverse_repo_buy", {"amount": 1500}, "multiple of 1000"),
    ("reverse_repo_buy", {"market": "北京"}, "上海, 深圳"),
    ("reverse_repo_buy", {"time_range": "14天期"}, "1天期"),
    ("no_such", {}, "no operation"),
]


@pytest.mark.parametrize(("name", "change", "words"), BAD)
def test_a_parameter_the_server_would_refuse_is_refused_here(name: str, change: dict[str, Any], words: str) -> None:
    """It would queue it, and say later that something was wrong, and never what (contract 2.2)."""
    with pytest.raises(ConfigError, match=words):
        body_of(name, GOOD.get(name, {}) | change)


def test_older_servers_take_less() -> None:
    """No market orders, bonds in hundreds, two decimals for funds."""
    for name, change in (("market_buy", {}), ("condition_buy", {}), ("sell", {})):
        body_of(name, GOOD[name] | change)
        with pytest.raises(ConfigError):
            body_of(name, GOOD[name] | change, newer=False)


def test_the_good_parameters_are_of_every_operation() -> None:
    """So that none is left out of what follows; and everything has one priority."""
    assert set(GOOD) == set(OPERATIONS)
    assert all(b'"priority":0' in body_of(name, given) for name, given in GOOD.items())


# --- calling by name ---


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_every_operation_can_be_called_by_name(name: str) -> None:
    """Texts in, the operation's own parameters on the wire, what it said out."""
    desk = Desk()
    desk.conditions = [a_condition()]
    desk.live, desk.history = [a_row()], [past(a_row())]
    says(
        desk,
        "reverse_repo_query",
        success=True,
        data=[{"市场类型": "上海市场", "时间类型": "1天期", "年化利率": "2.5%"}],
    )
    if name in GOOD and OPERATIONS[name].changes:
        says(desk, name, success=False, message="提交失败：x")
    texts = {key: str(value) for key, value in GOOD[name].items()}
    form = texts.pop("return_type", None)
    async with a_gateway(desk) as gateway:
        said = await gateway.call(name, texts)
    ((asked, params),) = desk.submitted()
    assert asked == name
    assert {key: params[key] for key in GOOD[name] if key != "return_type"} == {
        k: v for k, v in GOOD[name].items() if k != "return_type"
    }
    assert (form is None) or params["return_type"] == "json"
    assert said["success"] is not OPERATIONS[name].changes
    if OPERATIONS[name].table:
        assert said["data"][OPERATIONS[name].table]


async def test_a_printed_table_comes_out_as_rows() -> None:
    """Whatever its form on the wire, and codes with their zeros."""
    desk = Desk()
    table = printed([["证券代码", "证券名称", "股票余额"], ["1", "平安银行", "300"]])
    says(desk, "holding_query", success=True, data=table)
    async with a_gateway(desk) as gateway:
        said = await gateway.call("holding_query", {"return_type": "str"})
        assert desk.submitted() == [("holding_query", {"return_type": "str"})]
        assert said["data"] == {"holdings": [{"证券代码": "000001", "证券名称": "平安银行", "股票余额": "300"}]}
        says(desk, "holding_query", success=True, data="转换失败")
        with pytest.raises(BadMessage):
            await gateway.call("holding_query", {"return_type": "markdown"})


async def test_every_route_of_the_server_can_be_called_by_name() -> None:
    """And which of them change nothing is said: strategies may call those."""
    desk = Desk()
    async with a_gateway(desk) as gateway:
        assert (await gateway.call("health", {}))["components"]["automator"] == "connected"
        assert (await gateway.call("status", {}))["asked"].endswith("/status")
        assert (await gateway.call("info", {}))["asked"].endswith("/info")
        assert (await gateway.call("root", {}))["version"] == "1.0.0"
        assert (await gateway.call("operations", {}))["count"] == 15
        assert (await gateway.call("queue_stats", {}))["queued_count"] == 0
        desk.stuck = {"funds_query"}
        submitted = await gateway.call("submit", {"operation_name": "funds_query", "params": "{}", "priority": "3"})
        handle = {"operation_id": submitted["operation_id"]}
        assert desk.calls[-1][2] == {"params": {}, "priority": 3}
        assert (await gateway.call("operation_status", handle))["status"] == "queued"
        with pytest.raises(OutcomeUnknown, match="408"):
            await gateway.call("operation_result", handle | {"timeout": "0.5"})
        assert (await gateway.call("operation_cancel", handle))["message"] == "操作已取消"
        with pytest.raises(Refused, match="无法取消"):
            await gateway.call("operation_cancel", handle)
        assert set(gateway.routes()) >= set(OPERATIONS)
        assert gateway.reads() == set(gateway.routes()) - {"submit", "operation_cancel"} - {
            name for name, operation in OPERATIONS.items() if operation.changes
        }


@pytest.mark.parametrize(
    ("route", "args", "words"),
    [
        ("operation_result", {"operation_id": "a-b-c", "timeout": "30"}, "nobody else"),
        ("operation_result", {"operation_id": "a-b-c", "timeout": "0"}, "nobody else"),
        ("operation_status", {"operation_id": "../health"}, "operation_id"),
        ("submit", {"operation_name": "sell_everything"}, "no operation"),
        ("submit", {"operation_name": "buy", "params": "[1]"}, "JSON object"),
        ("submit", {"operation_name": "funds_query", "priority": "11"}, "0 to 10"),
        ("buy", {"stock_code": "600000", "price": "cheap", "quantity": "100"}, "no number"),
        ("buy", {"stock_code": "600000", "price": "8.7"}, "quantity is missing"),
        ("buy", {"stock_code": "600000", "price": "8.7", "quantity": "1.5"}, "no whole number"),
        ("no_such", {}, "no route"),
    ],
)
async def test_a_call_that_can_not_be_is_one_sentence(route: str, args: dict[str, str], words: str) -> None:
    """Nothing is sent."""
    desk = Desk()
    async with a_gateway(desk) as gateway:
        with pytest.raises(ConfigError, match=words):
            await gateway.call(route, args)
    assert desk.calls == []


async def test_market_orders_by_hand_are_refused_by_an_older_server_before_they_leave() -> None:
    """The list of operations says so."""
    desk = Desk(newer=False)
    async with a_gateway(desk) as gateway:
        with pytest.raises(ConfigError, match="older generation"):
            await gateway.call("market_buy", {"stock_code": "600000", "quantity": "100"})
    assert desk.submitted() == []
