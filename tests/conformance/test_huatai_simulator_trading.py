"""Orders, cancels and subscriptions at the simulated HT client (contracts/ht.md 3.1 to 3.3)."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.commands import Side
from engine.domain.timestamps import DAY_NS
from engine.simulators.counter import CounterAccount, CounterRefusal, Entrust, Opening
from engine.simulators.huatai.statements import NewShare
from tests.huatai_simulator_builders import HuataiAtHand

NOT_FOUND = "委托单状态错误不能撤单, 该委托单可能已经成交或者已撤"


def placed(server: HuataiAtHand) -> list[Entrust]:
    return server.counter.entrusts(server.clock.now_ns)


def terms(entrust: Entrust) -> tuple[str, str, int, Any]:
    return entrust.code, entrust.side.value, entrust.quantity, entrust.price


# --- replies of an order ---

G3_PLACED = {
    "none": (200, "success", ""),
    "result": (200, "success", "number"),
    "confirm": (400, "question", "number"),
    "unreadable": (200, "success", ""),
    "confirm_unreadable": (400, "question", ""),
}
G3_REFUSED = {
    "none": (400, "提交失败：委托数量超过单笔上限：600000", ""),
    "result": (400, "提交失败：委托数量超过单笔上限：600000", ""),
    "confirm": (400, "question", ""),
    "unreadable": (200, "success", ""),
    "confirm_unreadable": (400, "question", ""),
}


@pytest.mark.parametrize("layer", ["G2", "G3"])
@pytest.mark.parametrize("dialogs", sorted(G3_PLACED))
async def test_the_code_of_newer_layers_tells_nothing(layer: str, dialogs: str) -> None:
    """Placed and refused, by dialogs: 400 with a number is placed, 200 without one may be either."""
    server = HuataiAtHand(layer=layer, dialogs=dialogs)
    question = "证券代码：600000\n买入价格：{}\n买入数量：{}\n\n您确定要买入吗？"
    price = server.below()
    good, bad = await server.bought(), await server.bought(amount=9_999_900)
    (entrust,) = placed(server)
    for reply, (code, message, number), amount in (
        (good, G3_PLACED[dialogs], 100),
        (bad, G3_REFUSED[dialogs], 9_999_900),
    ):
        assert (reply["code"], reply["data"]["message"]) == (code, reply["message"])
        assert set(reply["data"]) == {"message", "entrust_id"}
        assert reply["data"]["entrust_id"] == (str(entrust.number) if number else "")
        expected = question.format(f"{price:.3f}", amount) if message == "question" else message
        assert reply["message"] == expected
    assert terms(entrust) == ("600000.SH", "buy", 100, Decimal(str(price)))


async def test_the_oldest_layer_names_the_number_as_the_dialog_does() -> None:
    """In either of two keys, where no question hides it; with a question never."""
    for name in ("合同编号", "委托编号"):
        server = HuataiAtHand(layer="G1", dialogs="result", number_name=name)
        reply = await server.bought()
        number = placed(server)[0].number if name == "合同编号" else 101
        assert reply["data"] == {"message": "success", name: str(number)}
    for dialogs in ("none", "unreadable"):
        assert (await HuataiAtHand(layer="G1", dialogs=dialogs).bought())["data"] == {"message": "success"}
    reply = await HuataiAtHand(layer="G1").bought()
    assert (reply["code"], set(reply["data"])) == (400, {"message"})
    assert "您确定要买入吗" in reply["message"]


async def test_the_number_can_be_either_of_the_two() -> None:
    """entrust_id is what the dialog prints."""
    server = HuataiAtHand(number_name="委托编号")
    numbers = [(await server.bought())["data"]["entrust_id"] for _ in range(2)]
    assert numbers == ["101", "102"]
    same = HuataiAtHand(same_numbers=True)
    assert (await same.bought())["data"]["entrust_id"] == "101"


# --- what is typed ---


async def test_the_last_six_characters_are_typed_and_a_prefix_selects_the_market() -> None:
    """600000.SH becomes 000.SH, which nobody knows; sh600000 is found in Shanghai alone."""
    server = HuataiAtHand(dialogs="result")
    for security in ("sh600000", "SZ000001"):
        assert (await server.bought(security=security))["code"] == 200
    assert [entrust.code for entrust in placed(server)] == ["600000.SH", "000001.SZ"]
    for security in ("600000.SH", "sz600000", "sh000001", "", "60000", "浦发银行"):
        reply = await server.bought(server.below(), security=security)
        assert (reply["code"], reply["message"].partition("：")[0]) == (400, "提交失败"), security
    assert len(placed(server)) == 2


async def test_prices_are_rounded_to_three_places_and_amounts_cut() -> None:
    """Neither tick nor lot is the server's business: the counter speaks of them."""
    server = HuataiAtHand(dialogs="result")
    price = round(server.last("510300") * 0.97, 3)
    assert (await server.bought(f"{price:.3f}49", 100.9, "510300"))["code"] == 200
    assert terms(placed(server)[0]) == ("510300.SH", "buy", 100, Decimal(f"{price:.3f}"))
    for price, amount, text in (
        (server.below() + 0.005, 100, "委托价格不是最小价差的整数倍"),
        (server.below(), 150, "委托数量不合法"),
        (server.below(), -100, "委托数量不合法"),
        (70.0, 100, "委托价格超出涨跌停价格范围"),
        (float("1e999"), 100, "委托价格不合法"),
    ):
        body = b'{"security": "600000", "price": %s, "amount": %d}' % (
            str(price).replace("inf", "NaN").encode(),
            amount,
        )
        kind = {"content-type": "application/json"}
        reply = (await server.client.post("buy", content=body, headers=kind)).json()
        assert reply["code"] == 400
        assert reply["message"].startswith(f"提交失败：{text}"), reply
    assert len(placed(server)) == 1


async def test_sales_are_checked_by_the_counter() -> None:
    """What is held may go, more may not."""
    server = HuataiAtHand(dialogs="result")
    high = round(server.last() * 1.05, 2)
    assert (await server.said("sell", {"security": "600000", "price": high, "amount": 2000}))["code"] == 200
    reply = await server.said("sell", {"security": "600000", "price": high, "amount": 100})
    assert (reply["code"], reply["message"]) == (400, "提交失败：可用股份不足：可用0，需要100")


async def test_market_orders_choose_their_kind_by_a_part_of_its_name() -> None:
    """The first of the client's list that holds it; without a name the first; 400 where none does."""
    server = HuataiAtHand(dialogs="result", account=CounterAccount(cash=Decimal(100_000_000)))
    for security, name, strategy in (
        ("600000", None, 3),
        ("600000", "", 3),
        ("600000", "转限价", 6),
        ("000001", None, 1),
        ("000001", "本方", 2),
        ("000001", "即时成交剩余撤销", 4),
        ("000001", "五档即时成交剩余撤销", 3),
        ("000001", "全额成交或撤销", 5),
    ):
        body = {"security": security, "amount": 100} | ({} if name is None else {"ttype": name})
        assert (await server.said("market-buy", body))["code"] == 200
        assert placed(server)[-1].strategy == strategy
    count = len(placed(server))
    for security, name in (("600000", "对手方最优价格"), ("000001", "转限价"), ("600000", "市价")):
        reply = await server.said("market-sell", {"security": security, "amount": 100, "ttype": name})
        assert reply == {"code": 400, "message": f"设置市价类型 {name} 失败", "data": None}
    reply = await server.said("market-buy", {"security": "600000", "amount": 100, "ttype": 5})
    assert (reply["code"], reply["message"].partition("'in")[0]) == (500, "市价买入失败: ")
    assert len(placed(server)) == count


# --- cancels ---


async def test_newer_layers_cancel_by_the_small_number() -> None:
    """As number or as text; not by 合同编号; what is no number is 500."""
    server = HuataiAtHand()
    for _ in range(2):
        await server.bought()
    first, second = placed(server)
    assert (await server.said("cancel-entrust", {"entrust_no": str(first.number)}))["message"] == NOT_FOUND
    for entrust_no in ("101", 102.0):
        reply = await server.said("cancel-entrust", {"entrust_no": entrust_no})
        assert reply["code"] == 400
        assert reply["data"]["message"] == reply["message"] == "您确认要撤销这1笔委托吗？"
        assert reply["data"]["entrust_id"] not in {str(first.number), str(second.number), "101", "102"}
    server.wait(1)
    assert [entrust.withdrawn for entrust in (first, second)] == [100, 100]
    assert await server.data("cancel-entrusts") == []
    reply = await server.said("cancel-entrust", {"entrust_no": "first"})
    assert reply == {"code": 500, "message": "撤单失败: invalid literal for int() with base 10: 'first'", "data": None}


async def test_the_newest_layer_matches_no_number_below_a_hundred() -> None:
    """The one before it does."""
    for layer, withdrawn in (("G3", 0), ("G2", 100)):
        server = HuataiAtHand(layer=layer, entrust_first=99)
        await server.bought()
        await server.said("cancel-entrust", {"entrust_no": 99})
        server.wait(1)
        assert placed(server)[0].withdrawn == withdrawn


async def test_the_oldest_layer_matches_a_json_number_alone() -> None:
    """合同编号 without conversion: never the documented text, whatever it says."""
    server = HuataiAtHand(layer="G1")
    await server.bought()
    entrust = placed(server)[0]
    for entrust_no, withdrawn in ((str(entrust.number), 0), ("x", 0), (101, 0), (entrust.number, 100)):
        reply = await server.said("cancel-entrust", {"entrust_no": entrust_no})
        assert reply["code"] == 400
        assert (reply["message"] == NOT_FOUND) is (withdrawn == 0)
        server.wait(1)
        assert entrust.withdrawn == withdrawn


async def test_where_the_list_shows_one_number_alone_that_one_counts() -> None:
    """The document's columns have no 委托编号 in the list of live orders."""
    server = HuataiAtHand(columns="document")
    await server.bought()
    (row,) = await server.data("cancel-entrusts")
    assert "委托编号" not in row
    await server.said("cancel-entrust", {"entrust_no": str(row["合同编号"])})
    server.wait(1)
    assert placed(server)[0].withdrawn == 100


CANCEL_REPLIES = {
    "success": (400, "success", False),
    "result": (400, "success", True),
    "confirm": (400, "您确认要撤销这1笔委托吗？", True),
    "text": (200, "您的撤单委托已成功提交，合同编号：{}。", True),
}


@pytest.mark.parametrize("style", sorted(CANCEL_REPLIES))
async def test_a_good_cancel_is_200_only_where_its_text_says_so(style: str) -> None:
    """The number, if any, is the cancel's own."""
    server = HuataiAtHand(cancel_style=style)
    await server.bought()
    code, message, numbered = CANCEL_REPLIES[style]
    reply = await server.said("cancel-entrust", {"entrust_no": 101})
    number = reply["data"].get("entrust_id", "")
    assert (reply["code"], reply["message"], bool(number)) == (code, message.format(number), numbered)


async def test_cancel_all_does_nothing_where_the_client_asks() -> None:
    """Always 400 with one text and no count."""
    for confirms, live in ((True, 2), (False, 0)):
        server = HuataiAtHand(cancel_all_confirms=confirms)
        for _ in range(2):
            await server.bought()
        text = "全部撤单操作已提交"
        assert await server.said("cancel-all-entrusts") == {"code": 400, "message": text, "data": {"message": text}}
        server.wait(1)
        assert len(await server.data("cancel-entrusts")) == live


async def test_a_cancel_that_can_not_read_the_list_says_what_one_too_late_says() -> None:
    """Table failure, and an order that is filled."""
    server = HuataiAtHand(table_failure=True)
    await server.bought()
    assert (await server.said("cancel-entrust", {"entrust_no": 101}))["message"] == NOT_FOUND
    filled = HuataiAtHand()
    await filled.bought(filled.last() + 0.02)
    filled.wait(1)
    assert placed(filled)[0].filled == 100
    assert (await filled.said("cancel-entrust", {"entrust_no": 101}))["message"] == NOT_FOUND


# --- subscriptions ---

NEW = (
    NewShare(code="787001.SH", name="新股甲", price=12.5, quantity=5000),
    NewShare(code="001366.SZ", name="新股乙", price=8.0, quantity=10_000),
    NewShare(code="001367.SZ", name="新股丙", price=8.0, quantity=0),
)


async def test_subscriptions_are_told_by_text_alone() -> None:
    """None today, sent, nothing left; always 400; the rows count among the day's orders."""
    assert (await HuataiAtHand().said("auto-ipo"))["message"] == "今日无新股"
    assert (await HuataiAtHand(new_shares=NEW, table_failure=True).said("auto-ipo"))["message"] == "今日无新股"
    server = HuataiAtHand(new_shares=NEW)
    await server.bought()
    replies = [await server.said("auto-ipo") for _ in range(2)]
    await server.bought()
    assert [(reply["code"], reply["message"]) for reply in replies] == [
        (400, "您的2笔新股申购委托已提交"),
        (400, "没有发现可以申购的新股"),
    ]
    rows = await server.data("today-entrusts")
    assert [(row["委托编号"], row["证券代码"], row["操作"]) for row in rows] == [
        (101, 600000, "买入"),
        (102, 787001, "申购"),
        (103, 1366, "申购"),
        (104, 600000, "买入"),
    ]
    assert len(await server.data("cancel-entrusts")) == 2
    await server.said("cancel-entrust", {"entrust_no": 104})
    server.wait(1)
    assert [entrust.withdrawn for entrust in placed(server)] == [0, 100]
    server.wait(DAY_NS / 1e9)
    assert (await server.get("today-entrusts", session_id=(await server.said("connect"))["data"]["session_id"])).json()[
        "data"
    ] == []


async def test_a_cell_without_a_figure_stops_the_subscription() -> None:
    """500 in the envelope, nothing sent."""
    server = HuataiAtHand(new_shares=(*NEW, NewShare(code="001368.SZ", name="新股丁", price=8.0, quantity="--")))
    reply = await server.said("auto-ipo")
    assert (reply["code"], reply["message"].startswith("自动申购失败: ")) == (500, True)
    assert await server.data("today-entrusts") == []


# --- a person ---


async def test_a_person_trades_at_the_same_counter() -> None:
    """Their orders are in the tables; the oracle knows whose they are."""
    server = HuataiAtHand(account=CounterAccount(holdings=(Opening(code="000001.SZ", quantity=500, price=Decimal(9)),)))
    by_hand = server.venue.manual(Side.SELL, "000001", 500, round(server.last("000001") * 1.05, 2))
    assert (by_hand.source, by_hand.request) == ("manual", 0)
    assert [row["操作"] for row in await server.data("cancel-entrusts")] == ["卖出"]
    server.venue.manual_cancel(by_hand)
    server.wait(1)
    assert await server.data("cancel-entrusts") == []
    with pytest.raises(CounterRefusal):
        server.venue.manual(Side.SELL, "000001", 900, 9.0)
