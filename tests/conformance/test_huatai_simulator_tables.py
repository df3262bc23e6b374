"""Tables and balance of the simulated HT client (contracts/ht.md 3, 3.4)."""

import pytest

from engine.simulators.counter import CounterPace, Entrust
from engine.simulators.huatai.tables import Sheet, guessed, parsed
from tests.huatai_simulator_builders import HuataiAtHand


def placed(server: HuataiAtHand) -> list[Entrust]:
    return server.counter.entrusts(server.clock.now_ns)


def test_every_cell_is_guessed_on_its_own() -> None:
    """int, else float, else text; a short row loses the table."""
    cells = ("000001", "0212345678", "093520", "09:35:20", "8,800.000", "--", "", "8.70", "A123456789")
    assert [guessed(cell) for cell in cells] == [1, 212345678, 93520, *cells[3:7], 8.7, cells[8]]
    sheet = Sheet(("证券代码", "委托数量"), [["000001", "100"], ["600000", "200"]])
    assert parsed(sheet, "guessed") == [{"证券代码": 1, "委托数量": 100}, {"证券代码": 600000, "委托数量": 200}]
    assert parsed(sheet, "document")[0] == {"证券代码": "000001", "委托数量": 100}
    sheet.rows[1].pop()
    assert parsed(sheet, "guessed") == []


async def test_the_order_table_of_the_client() -> None:
    """Its columns, its status in 备注, the codes' zeros gone, types differing from row to row."""
    server = HuataiAtHand(pace=CounterPace(partial=0.0, submit_ms=0))
    await server.bought(amount=200, security="000001")
    await server.said("market-buy", {"security": "600000", "amount": 100})
    await server.bought(amount=300)
    await server.said("cancel-entrust", {"entrust_no": 103})
    server.wait(0.1)
    first, second, third = await server.data("today-entrusts")
    assert set(first) == {
        "委托时间", "证券代码", "证券名称", "操作", "备注", "委托数量", "成交数量", "撤消数量", "委托价格", "成交均价",
        "委托编号", "合同编号", "交易市场", "股东帐户",
    }  # fmt: skip
    number = placed(server)[0].number
    keys = ("委托时间", "证券代码", "操作", "备注", "委托价格", "委托编号", "合同编号", "股东帐户")
    price = server.below("000001")
    assert [first[key] for key in keys] == ["10:00:30", 1, "买入", "未成交", price, 101, number, 212345678]
    assert (second["委托价格"], second["备注"], second["成交数量"], second["股东帐户"]) == (
        "--",
        "全部成交",
        100,
        "A123456789",
    )
    assert second["成交均价"] == float(placed(server)[1].average)
    assert third["备注"] == "已报待撤"
    digits = HuataiAtHand(times="digits")
    await digits.bought()
    assert (await digits.data("today-entrusts"))[0]["委托时间"] == 100030
    server.wait(1)
    assert [(row["备注"], row["撤消数量"]) for row in await server.data("today-entrusts")][2] == ("全部撤单", 300)
    assert [row["委托编号"] for row in await server.data("cancel-entrusts")] == [101]


async def test_positions_and_trades_of_the_client() -> None:
    """Amounts with separators or without; trades with the numbers the client was set to show."""
    for separators in (True, False):
        server = HuataiAtHand(separators=separators)
        row = next(row for row in await server.data("position") if row["证券代码"] == 600000)
        held = server.counter.holdings(server.clock.now_ns)[-1]
        value = f"{held.value:,.3f}" if separators else float(held.value)
        assert (row["股票余额"], row["可用余额"], row["成本价"], row["市值"]) == (2000, 2000, 6.5, value)
        assert (row["市价"], row["盈亏"], row["备注"]) == (float(held.last), float(held.profit), "")
    for numbers in (("合同编号", "成交编号"), ("委托编号",), ()):
        server = HuataiAtHand(deal_numbers=numbers)
        await server.bought(server.last() + 0.02)
        server.wait(1)
        (row,) = await server.data("today-trades")
        assert {"合同编号", "委托编号", "成交编号"} & set(row) == set(numbers)
        (deal,) = server.counter.deals(server.clock.now_ns)
        known = {"合同编号": deal.entrust.number, "委托编号": 101, "成交编号": deal.number}
        assert {name: row[name] for name in numbers} == {name: known[name] for name in numbers}
        assert (row["成交数量"], row["成交均价"], row["操作"]) == (100, float(deal.price), "买入")


async def test_the_columns_of_the_document() -> None:
    """As the page names them; the cells guessed or as the page prints them."""
    for cells, code, date in (("guessed", 1, 20260302), ("document", "000001", "20260302")):
        server = HuataiAtHand(columns="document", cells=cells)
        await server.bought(amount=200, security="000001")
        server.wait(1)
        (row,) = await server.data("today-entrusts")
        assert list(row) == sorted(["操作日期", "委托编号", "合同编号", "证券代码", "委托价格", "委托数量", "委托状态"])
        assert (row["证券代码"], row["操作日期"], row["委托状态"], row["委托数量"]) == (code, date, "未成交", 200)
        position = (await server.data("position"))[0]
        assert set(position) == {"证券代码", "证券名称", "持仓数量", "可用数量", "成本价", "最新价", "市值"}


async def test_failures_to_read_look_like_nothing_there() -> None:
    """Tables empty, all labels zero, both with code 200; the books are as they were."""
    server = HuataiAtHand(table_failure=True, label_failure=True)
    for name in ("position", "today-entrusts", "today-trades", "cancel-entrusts"):
        assert await server.data(name) == []
    assert set((await server.data("balance")).values()) == {0.0}
    assert server.counter.funds(server.clock.now_ns).total > 0


async def test_the_balance_is_the_counters() -> None:
    """Numbers; money on order is in 资金余额 and not in 可用金额; some builds show what is frozen."""
    server = HuataiAtHand(frozen_cash=True)
    await server.bought(amount=1000)
    funds, shown = server.counter.funds(server.clock.now_ns), await server.data("balance")
    assert shown == {
        "资金余额": 1_000_000.0,
        "可用金额": float(funds.available),
        "可取金额": float(funds.withdrawable),
        "股票市值": float(funds.market_value),
        "总资产": float(funds.total),
        "冻结资金": float(funds.frozen),
    }
    assert 0 < shown["冻结资金"] == pytest.approx(shown["资金余额"] - shown["可用金额"])
    assert "冻结资金" not in await HuataiAtHand().data("balance")
