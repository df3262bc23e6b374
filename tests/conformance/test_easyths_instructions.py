"""Conditions and reverse repos over real HTTP: sent once, believed when the client's own lists show them (5.7, 5.8)."""

import json
from decimal import Decimal
from typing import Any

import pytest

from engine.domain.commands import Side
from engine.domain.errors import NotSent, OutcomeUnknown, Refused
from engine.domain.instructions import (
    Action,
    CancelConditions,
    ConditionBuy,
    InstructionReport,
    InstructionState,
    ReverseRepo,
    StopLossProfit,
    SubmitInstruction,
    SubscribeIpo,
)
from engine.domain.timestamps import SECOND_NS
from engine.gateways.easyths.adapter import EasythsGateway
from engine.ports import PerformsInstructions
from tests.easyths_builders import (
    NOW_NS,
    Desk,
    a_condition,
    a_gateway,
    a_row,
    an_instruction,
    past,
    router_of,
    says,
)
from tests.gateway_builders import QuickClock

BUY = ConditionBuy(target_price=Decimal("8.50"), quantity=300, expire_days=5)
STOP = StopLossProfit(stop_loss_percent=Decimal(3), stop_profit_percent=Decimal("5.5"), quantity=300)
REPO = "204001.SH"
LATE_NS = 90 * SECOND_NS
S = InstructionState


def a_repo_row(number: int = 2001, code: int = 204001, **cells: Any) -> dict[str, Any]:
    made = {
        "证券代码": code,
        "证券名称": "GC001",
        "操作": "卖出",
        "委托数量": 100,
        "成交数量": 100,
        "委托价格": 2.5,
        "备注": "已成",
    }
    return past(a_row(number, **(made | cells)))


async def performed(gateway: EasythsGateway, instruction: SubmitInstruction) -> InstructionReport:
    router = router_of(gateway)
    return await router.perform(instruction, router.encode_instruction(instruction))


@pytest.mark.parametrize(
    ("instruction", "params"),
    [
        (an_instruction(BUY), {"stock_code": "600000", "target_price": 8.5, "quantity": 300, "expire_days": 5}),
        (
            an_instruction(STOP),
            {"stock_code": "600000", "stop_loss_percent": 3.0, "stop_profit_percent": 5.5, "quantity": 300,
             "expire_days": 30},
        ),
        (an_instruction(CancelConditions(side=Side.SELL)), {"stock_code": "600000", "order_type": "卖出"}),
        (
            an_instruction(ReverseRepo(amount=3000), "131809.SZ"),
            {"market": "深圳", "time_range": "4天期", "amount": 3000},
        ),
    ],
)  # fmt: skip
async def test_an_instruction_becomes_exactly_one_operation(
    instruction: SubmitInstruction, params: dict[str, Any]
) -> None:
    """With the parameters of contract 3."""
    async with a_gateway(Desk()) as gateway:
        router = router_of(gateway)
        assert isinstance(router, PerformsInstructions)
        assert json.loads(router.encode_instruction(instruction))["params"] == params
        assert type(instruction.action) in router.instructions()
        assert SubscribeIpo not in router.instructions()


@pytest.mark.parametrize(
    ("action", "instrument", "words"),
    [
        (ConditionBuy(target_price=Decimal("8.5"), quantity=150), "600000.SH", "multiple of 100"),
        (ConditionBuy(target_price=Decimal("8.5"), quantity=100, expire_days=7), "600000.SH", "1, 3, 5"),
        (ConditionBuy(target_price=Decimal("8.505"), quantity=100), "600000.SH", "2 decimals"),
        (
            StopLossProfit(stop_loss_percent=Decimal(5), stop_profit_percent=Decimal(5), quantity=100),
            "600000.SH",
            "must be above",
        ),
        (ReverseRepo(amount=1500), REPO, "multiple of 1000"),
        (ReverseRepo(amount=1000), "600000.SH", "no repo"),
        (CancelConditions(side=Side.SELL_SHORT), "600000.SH", "neither"),
        (BUY, "AAPL.US", "AAPL.US"),
        (SubscribeIpo(), "", "not traded here"),
        (SubscribeIpo(), "600000.SH", "SubscribeIpo"),
    ],
)
async def test_an_instruction_it_can_not_do_as_it_is_does_not_leave(
    action: Action, instrument: str, words: str
) -> None:
    """Checked on our side, as the server would only say that something was wrong."""
    async with a_gateway(Desk()) as gateway:
        with pytest.raises(NotSent, match=words):
            router_of(gateway).encode_instruction(an_instruction(action, instrument))


@pytest.mark.parametrize("newer", [True, False])
@pytest.mark.parametrize(
    ("action", "name", "side"), [(BUY, "condition_buy", "买入"), (STOP, "stop_loss_profit", "卖出")]
)
async def test_a_condition_stands_once_the_clients_list_shows_it(
    newer: bool, action: Action, name: str, side: str
) -> None:
    """One more of its code, side and quantity than before: equal ones have no names."""
    desk = Desk(newer=newer)
    desk.conditions = [a_condition(side=side), a_condition("000001", side), a_condition(side=side, quantity=500)]

    def answer(_params: dict[str, Any]) -> dict[str, Any]:
        desk.conditions = [*desk.conditions, a_condition(side=side)]
        return {"message": "执行600000的条件单成功"}

    desk.answers[name] = answer
    async with a_gateway(desk) as gateway:
        await gateway.client.generation()
        report = await performed(gateway, an_instruction(action))
    assert (report.state, report.client_id, report.account) == (S.STANDING, "i-1", "ths")
    assert [name for name, _ in desk.submitted()] == ["condition_order_query", name, "condition_order_query"]


async def test_a_condition_that_was_claimed_and_is_not_listed_is_unknown() -> None:
    """The form was sent, as it says, and that is all (contract 3)."""
    desk = Desk()
    desk.conditions = [a_condition()]
    says(desk, "condition_buy", success=True, message="执行600000的条件单成功")
    async with a_gateway(desk) as gateway:
        with pytest.raises(OutcomeUnknown, match="do not show it"):
            await performed(gateway, an_instruction(BUY))
    assert len(desk.submitted("condition_buy")) == 1


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("参数验证失败：参数验证失败，请检查接口参数", Refused),
        ("执行600000的条件单失败", Refused),
        ("条件买入操作异常: x", OutcomeUnknown),
    ],
)
async def test_a_condition_that_failed_is_refused_where_words_and_list_agree(
    message: str, kind: type[Exception]
) -> None:
    """Contract 5.1, last entry."""
    desk = Desk()
    says(desk, "condition_buy", success=False, message=message)
    async with a_gateway(desk) as gateway:
        with pytest.raises(kind):
            await performed(gateway, an_instruction(BUY))


async def test_a_condition_that_failed_and_is_listed_stands() -> None:
    """The list is believed, not the flag."""
    desk = Desk()

    def answer(_params: dict[str, Any]) -> dict[str, Any]:
        desk.conditions = [a_condition()]
        return {"success": False, "message": "执行600000的条件单失败"}

    desk.answers["condition_buy"] = answer
    async with a_gateway(desk) as gateway:
        assert (await performed(gateway, an_instruction(BUY))).state is S.STANDING


async def test_without_the_list_before_nothing_is_sent() -> None:
    """Afterwards it could not be told from the ones that stood."""
    desk = Desk()
    says(desk, "condition_order_query", success=False, message="条件单查询操作异常: x")
    async with a_gateway(desk) as gateway:
        with pytest.raises(NotSent, match="条件单查询操作异常"):
            await performed(gateway, an_instruction(BUY))
    assert desk.submitted("condition_buy") == []


async def test_conditions_are_deleted_when_none_is_listed_any_more() -> None:
    """Only those of the code and side count."""
    desk = Desk()
    others = [a_condition("000001"), a_condition(side="卖出")]
    desk.conditions = [a_condition(), a_condition(quantity=500), *others]

    def answer(_params: dict[str, Any]) -> dict[str, Any]:
        desk.conditions = others
        return {"data": {"stock_code": "600000", "order_type": "买入", "deleted_count": 2}, "message": "条件单删除成功"}

    desk.answers["condition_order_cancel"] = answer
    async with a_gateway(desk) as gateway:
        report = await performed(gateway, an_instruction(CancelConditions(side=Side.BUY)))
        assert (report.state, report.details["deleted"]) == (S.DONE, "2")
        desk.conditions = [a_condition(), *others]
        says(desk, "condition_order_cancel", success=True, message="条件单删除成功")
        with pytest.raises(OutcomeUnknown):
            await performed(gateway, an_instruction(CancelConditions(side=Side.BUY), client_id="i-2"))


async def test_money_is_lent_when_a_new_row_of_the_code_shows() -> None:
    """An old one of the same code is not it."""
    desk = Desk()
    desk.history = [a_repo_row(2000)]

    def answer(_params: dict[str, Any]) -> dict[str, Any]:
        desk.history = [*desk.history, a_repo_row(2001, 委托价格=2.55)]
        return {"success": False, "message": "国债逆回购操作成功，成功出借:10000 元"}

    desk.answers["reverse_repo_buy"] = answer
    async with a_gateway(desk) as gateway:
        report = await performed(gateway, an_instruction(ReverseRepo(amount=10_000), REPO))
        assert report.state is S.DONE
        assert report.details == {
            "order": "20261120-2001", "instrument": REPO, "quantity": "100", "rate": "2.55",
        }  # fmt: skip
        says(desk, "reverse_repo_buy", success=True, message="国债逆回购操作成功，成功出借:10000 元")
        with pytest.raises(OutcomeUnknown, match="do not show it"):
            await performed(gateway, an_instruction(ReverseRepo(amount=10_000), REPO, "i-2"))


async def test_money_lent_for_another_term_raises_an_alarm() -> None:
    """The server takes the row that was selected before, if it does not find ours (contract 3)."""
    desk = Desk()
    told: list[Any] = []

    def answer(_params: dict[str, Any]) -> dict[str, Any]:
        desk.history = [a_repo_row(2001, 204007)]
        return {"message": "国债逆回购操作成功，成功出借:10000 元"}

    desk.answers["reverse_repo_buy"] = answer
    async with a_gateway(desk) as gateway:
        router_of(gateway).listen(told.append)
        with pytest.raises(OutcomeUnknown, match=r"204007\.SH was lent on instead of 204001\.SH"):
            await performed(gateway, an_instruction(ReverseRepo(amount=10_000), REPO))
    assert "204007.SH" in told[0].text


# --- looking for one ---


class Looking:
    """One instruction of unknown outcome, and looks at it at moments of the clock."""

    def __init__(self, action: Action, instrument: str = "600000.SH", *, sent_here: bool = True) -> None:
        self.desk = Desk()
        self.clock = QuickClock(NOW_NS)
        self.instruction = an_instruction(action, instrument)
        self.sent_here = sent_here
        for name in ("condition_buy", "stop_loss_profit", "condition_order_cancel", "reverse_repo_buy"):
            says(self.desk, name, success=False, message="执行操作异常")

    async def at(self, gateway: EasythsGateway, after_ns: int) -> InstructionState | None:
        if self.sent_here:
            self.sent_here = False
            with pytest.raises(OutcomeUnknown):
                await performed(gateway, self.instruction)
        self.clock.now_ns = max(self.clock.now_ns, NOW_NS + after_ns)
        report = await router_of(gateway).look_for(self.instruction, NOW_NS)
        return None if report is None else report.state


async def test_a_condition_of_unknown_outcome_is_found_by_its_list() -> None:
    """Made since it was sent; one that stood before is not it."""
    look = Looking(BUY)
    look.desk.conditions = [a_condition(创建时间="2026-11-20 09:31:00")]
    async with a_gateway(look.desk, look.clock) as gateway:
        assert await look.at(gateway, 30 * SECOND_NS) is None
        look.desk.conditions.append(a_condition(创建时间="2026-11-20 10:00:20"))
        assert await look.at(gateway, 60 * SECOND_NS) is S.STANDING
        look.desk.conditions.pop()
        assert await look.at(gateway, 120 * SECOND_NS) is None
        assert await look.at(gateway, 130 * SECOND_NS) is S.ENDED


async def test_a_condition_is_absent_only_after_the_longest_lag_and_two_looks() -> None:
    """An empty list is no proof, and it might still be executed."""
    look = Looking(BUY)
    async with a_gateway(look.desk, look.clock) as gateway:
        router = router_of(gateway)
        await router.snapshot()
        assert await look.at(gateway, 60 * SECOND_NS) is None
        assert await look.at(gateway, LATE_NS + SECOND_NS) is None
        assert await look.at(gateway, LATE_NS + 20 * SECOND_NS) is S.NOT_PLACED


async def test_a_condition_that_may_have_triggered_is_not_absent() -> None:
    """It disappears there, and an order like it appears (contract 5.7)."""
    look = Looking(BUY)
    look.desk.history = [past(a_row(1001, 委托时间="10:00:30"), 成交数量=300)]
    async with a_gateway(look.desk, look.clock) as gateway:
        for after in (100, 130, 160):
            assert await look.at(gateway, after * SECOND_NS) is None


async def test_of_a_condition_sent_by_a_life_before_it_is_only_known_that_it_does_not_stand() -> None:
    """Whether it ever did, the journal may know."""
    look = Looking(STOP, sent_here=False)
    async with a_gateway(look.desk, look.clock) as gateway:
        assert await look.at(gateway, 100 * SECOND_NS) is None
        assert await look.at(gateway, 110 * SECOND_NS) is S.ENDED


async def test_deleted_conditions_are_looked_for_by_their_absence() -> None:
    """Those made later are not meant; those that still stand prove that nothing was done."""
    look = Looking(CancelConditions(side=Side.BUY))
    look.desk.conditions = [a_condition(创建时间="2026-11-20 09:31:00")]
    async with a_gateway(look.desk, look.clock) as gateway:
        assert await look.at(gateway, 30 * SECOND_NS) is None
        assert await look.at(gateway, LATE_NS + SECOND_NS) is S.NOT_PLACED
        look.desk.conditions = [a_condition(创建时间="2026-11-20 10:05:00")]
        assert await look.at(gateway, 400 * SECOND_NS) is None
        assert await look.at(gateway, 410 * SECOND_NS) is S.DONE


async def test_a_loan_is_looked_for_in_the_order_list() -> None:
    """Found by its code; absent only in whole readings."""
    look = Looking(ReverseRepo(amount=10_000), REPO)
    look.desk.history = [past(a_row(1001), 成交数量=300)]
    async with a_gateway(look.desk, look.clock) as gateway:
        assert await look.at(gateway, 30 * SECOND_NS) is None
        look.desk.live = [a_row(1002)]
        assert await look.at(gateway, 100 * SECOND_NS) is None
        assert await look.at(gateway, 200 * SECOND_NS) is None
        look.desk.live = []
        look.desk.history.append(past(a_row(1002), 成交数量=300))
        assert await look.at(gateway, 210 * SECOND_NS) is None
        assert await look.at(gateway, 230 * SECOND_NS) is S.NOT_PLACED
        look.desk.history.append(a_repo_row(委托时间="10:00:40"))
        assert await look.at(gateway, 240 * SECOND_NS) is S.DONE
