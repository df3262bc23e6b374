"""Executions paired into round trips: whatever the parts, nothing of value and fees is lost or counted twice."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.runtime.report_reading import Execution
from engine.runtime.report_round_trips import Ledger, time_in_market

trades = st.tuples(
    st.integers(-400, 400), st.decimals("-40", "900", places=2), st.decimals("0", "9", places=2), st.integers(1, 3)
)


def an_execution(number: int, quantity: int, price: Decimal, fee: Decimal, strategy: str = "s") -> Execution:
    return Execution(
        ts_ns=number,
        account=AccountId("a"),
        strategy=StrategyId(strategy),
        instrument=InstrumentId("600000.SH"),
        client_id=ClientOrderId(f"s-{number}"),
        quantity=quantity,
        value=price * quantity,
        fee=fee,
        shown_price=float(price),
    )


@given(st.lists(trades, max_size=20))
def test_closed_and_left_over_add_up_to_what_was_traded(rows: list[tuple[int, Decimal, Decimal, int]]) -> None:
    """Quantity, value and fees, prices below zero too; what is left is all on one side."""
    ledger, executions, number = Ledger("s", "600000.SH"), [], 0
    for quantity, price, fee, new in rows:
        # Now and then a fill of the same order as the one before.
        number += new > 1 or not number
        if quantity:
            executions.append(an_execution(number, quantity, price, fee))
            ledger.book(executions[-1])
    pairs, lots = ledger.pairs, ledger.lots
    near = Decimal("1e-18")
    closed = sum((pair.sign * (pair.entry_value - pair.exit_value) for pair in pairs), Decimal(0))
    assert abs(closed + sum(lot.value for lot in lots) - sum(done.value for done in executions)) < near
    fees = sum((pair.fees for pair in pairs), Decimal(0)) + sum(lot.fee for lot in lots)
    assert abs(fees - sum(done.fee for done in executions)) < near
    assert sum(lot.quantity for lot in lots) == ledger.quantity == sum(done.quantity for done in executions)
    assert sum(pair.quantity for pair in pairs) * 2 + abs(ledger.quantity) == sum(abs(e.quantity) for e in executions)
    assert len({lot.quantity > 0 for lot in lots}) <= 1
    assert all(pair.quantity > 0 for pair in pairs)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(-2, 2), st.sampled_from("abc")), max_size=20))
def test_the_market_is_where_any_strategy_holds_anything(rows: list[tuple[int, int, str]]) -> None:
    """Between two instants at which something moved, somebody holds something or nobody does."""
    one = Decimal(1)
    moves = [an_execution(ts_ns, quantity, one, one, strategy) for ts_ns, quantity, strategy in rows]
    open_ns = 0
    for ts_ns in range(60):
        held = dict.fromkeys("abc", 0)
        for done in moves:
            held[done.strategy] += done.quantity if done.ts_ns <= ts_ns else 0
        open_ns += any(held.values())
    assert time_in_market(moves, 0, 60) == open_ns / 60
    assert time_in_market(moves, 60, 60) == 0.0
