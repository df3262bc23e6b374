"""``parity``: two journals of one strategy, laid beside each other."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.commands import Side
from engine.domain.events import OrderDenied, OrderSubmitted, RunStarted
from engine.domain.ids import AccountId, ClientOrderId
from engine.domain.order import Evidence
from engine.domain.timestamps import SECOND_NS
from engine.runtime.parity import Parity, Rule, compare_journals
from tests.cli_builders import Shell, a_bar_file
from tests.data_builders import JournalScript

DAY = "2026-03-02"


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def some_trades(script: JournalScript, *, skip: int = -1) -> JournalScript:
    """Six orders, buy and sell in turn, ten minutes apart."""
    for number in range(6):
        when = f"{DAY} 10:{number}0"
        if number != skip:
            script.trade(when, Side.SELL if number % 2 else Side.BUY, 100, f"10.{number}")
    return script


def changed(change: Callable[[JournalScript], None], rule: Rule | None = None) -> Parity:
    """Six equal orders a side, then one more of B alone or instead."""
    a, b = some_trades(JournalScript()), some_trades(JournalScript())
    a.trade(f"{DAY} 11:00", Side.BUY, 100, "10.5")
    change(b)
    return compare_journals(a.records, b.records, rule)


def test_the_same_decisions_under_other_ids_and_accounts_are_the_same() -> None:
    """Client ids and the account's name are not what a strategy decides; times within the tolerance are equal."""
    a, b = some_trades(JournalScript()), JournalScript()
    for seq, record in some_trades(JournalScript()).records[1:]:
        if isinstance(record, OrderSubmitted):
            order = record.order
            other = type(order)(
                client_id=ClientOrderId(f"L-{order.client_id}"),
                account=AccountId("live"),
                strategy=order.strategy,
                instrument=order.instrument,
                side=order.side,
                quantity=order.quantity,
                ts_ns=order.ts_ns + SECOND_NS // 2,
            )
            b.records.append((seq, OrderSubmitted(order=other, ts_ns=other.ts_ns)))
            b.report(other, Evidence.FILL, f"{DAY} 11:00", quantity=100, price=Decimal(a_price(a, other.ts_ns)))
    found = compare_journals(a.records, b.records)
    assert found.same
    assert found.compared == 6


def a_price(script: JournalScript, ts_ns: int) -> str:
    return next(f"10.{n}" for n in range(6) if abs(script.at(f"{DAY} 10:{n}0") - ts_ns) < SECOND_NS)


def test_one_missing_order_is_named_and_does_not_shift_the_rest() -> None:
    """The third order is missing in B: one difference, five pairs."""
    a, b = some_trades(JournalScript()), some_trades(JournalScript(), skip=2)
    found = compare_journals(a.records, b.records)
    assert found.counts == {"missing in B": 1}
    assert found.compared == 5
    assert found.first is not None
    assert found.first.number == 3
    assert found.first.at_ns == a.at(f"{DAY} 10:20")
    assert compare_journals(b.records, a.records).counts == {"missing in A": 1}


def test_a_missing_order_among_equal_ones_is_still_one() -> None:
    """Six purchases alike but for their time, the third missing in B: not four that came late."""
    a, b = JournalScript(), JournalScript()
    for number in range(6):
        for script in (a, b):
            if script is a or number != 2:
                script.trade(f"{DAY} 10:{number}0", Side.BUY, 100, "10")
    found = compare_journals(a.records, b.records)
    assert found.counts == {"missing in B": 1}
    assert found.compared == 5


@pytest.mark.parametrize(
    ("kind", "change", "why"),
    [
        ("side", lambda s: s.trade(f"{DAY} 11:00", Side.SELL, 100, "10.5"), "side buy in A, sell in B"),
        ("quantity", lambda s: s.trade(f"{DAY} 11:00", Side.BUY, 200, "10.5"), "quantity 100 in A, 200 in B"),
        ("time", lambda s: s.trade(f"{DAY} 11:03", Side.BUY, 100, "10.5"), "180.000 s later"),
        ("fill price", lambda s: s.trade(f"{DAY} 11:00", Side.BUY, 100, "10.51"), "filled at 10.5 in A, 10.51 in B"),
        ("end", lambda s: s.submit(f"{DAY} 11:00", Side.BUY, 100), "ended filled in A, open in B"),
        ("missing in B", lambda s: None, "no such decision"),
    ],
)
def test_each_kind_of_difference_is_named(kind: str, change: Callable[[JournalScript], None], why: str) -> None:
    """The seventh order differs in one way."""
    found = changed(change)
    assert found.first is not None
    assert kind in found.first.kinds
    assert found.first.number == 7
    assert why in found.first.why


def test_an_order_denied_on_one_side_is_told_with_the_reason() -> None:
    """The limit and what it said."""

    def deny(script: JournalScript) -> None:
        order = script.order(f"{DAY} 11:00", Side.BUY, 100)
        script.add(OrderDenied(order=order, ts_ns=order.ts_ns, code="CASH", reason="needs 1050, has 20"))

    found = changed(deny)
    assert found.first is not None
    assert "denied in B: CASH: needs 1050, has 20" in found.first.why
    assert found.counts["denied"] == 1


def test_what_filled_can_be_left_out_or_given_room() -> None:
    """Live and backtest fill at other prices: decisions alone, or within a tolerance, they agree."""

    def dearer(script: JournalScript) -> None:
        script.trade(f"{DAY} 11:00", Side.BUY, 100, "10.52")

    assert not changed(dearer).same
    assert changed(dearer, Rule(fills=False)).same
    assert changed(dearer, Rule(price_tolerance=Decimal("0.02"))).same


def test_a_cancel_on_one_side_is_a_decision_too() -> None:
    """Both sides keep an order; B withdraws it."""
    a, b = JournalScript(), JournalScript()
    orders = [script.submit(f"{DAY} 10:00", Side.BUY, 100) for script in (a, b)]
    b.report(orders[1], Evidence.CANCEL_REQUEST, f"{DAY} 10:05")
    found = compare_journals(a.records, b.records)
    assert found.counts == {"missing in A": 1}
    assert found.first is not None
    assert found.first.b is not None
    assert found.first.b.decision.kind == "cancel"


def test_only_the_common_time_when_asked() -> None:
    """A backtest of a day against an hour of live: the rest is counted, and left out."""
    whole, part = some_trades(JournalScript()), JournalScript(start=f"{DAY} 10:15")
    for number in (2, 3):
        part.trade(f"{DAY} 10:{number}0", Side.SELL if number % 2 else Side.BUY, 100, f"10.{number}")
    assert not compare_journals(whole.records, part.records).same
    found = compare_journals(whole.records, part.records, Rule(overlap=True))
    assert found.same
    assert found.outside == (4, 0)


def test_the_command_compares_two_journal_files(tmp_path: Path, shell: Shell) -> None:
    """Equal runs: exit code 0. Another window: 1, the first difference, and a table by kind; --json has them too."""
    data = a_bar_file(tmp_path)
    for name, fast in (("a", 5), ("b", 5), ("c", 7)):
        ran = shell(
            "backtest", "--strategy", "strategies.sma_cross:SmaCross", "--data", data, "--instrument", "600000.SH",
            "--market", "free", "--set", f"fast={fast}", "--journal", tmp_path / f"{name}.db", "--no-report",
        )  # fmt: skip
        assert ran.code == 0
    same = shell("parity", tmp_path / "a.db", tmp_path / "b.db", "--tolerance", "0s")
    assert same.code == 0
    assert "same decisions" in same.out
    other = shell("parity", tmp_path / "a.db", tmp_path / "c.db")
    assert other.code == 1
    assert "first difference" in other.out
    assert "differences by kind" in other.out
    told = shell("parity", tmp_path / "a.db", tmp_path / "c.db", "--json")
    assert told.code == 1
    assert told.json["same"] is False
    assert told.json["kinds"]
    assert told.json["first"]


def test_a_mistake_of_the_user_is_one_sentence(tmp_path: Path, shell: Shell) -> None:
    """No such file, no duration, no run: exit code 2."""
    assert shell("parity", tmp_path / "a.db", tmp_path / "b.db").code == 2
    assert shell("parity", "a.db", "b.db", "--tolerance", "soon").code == 2


def test_a_journal_of_nothing_but_its_start_is_the_same_as_itself() -> None:
    """No decision at all: nothing compared."""
    script = JournalScript()
    assert isinstance(script.records[0][1], RunStarted)
    found = compare_journals(script.records, script.records)
    assert found.same
    assert not found.compared
