"""The transition table and the evidence join say the same (RELIABILITY 2.2, 2.3)."""

from decimal import Decimal

import pytest

from engine.domain.order import (
    COLUMNS,
    LIVE,
    TABLE,
    TERMINAL,
    Evidence,
    Order,
    OrderReport,
    OrderState,
    Proof,
)
from tests.order_evidence import ACK, OK, SEND, E, an_order, fill, report, row

S = OrderState
SENT = (OK, SEND)
HISTORIES: dict[OrderState, list[tuple[OrderReport, ...]]] = {
    S.CREATED: [()],
    S.DENIED: [(report(E.RISK_DENY, reason="too big"),)],
    S.QUEUED: [(OK,)],
    S.PENDING_NEW: [SENT],
    S.UNKNOWN: [(*SENT, report(E.AMBIGUOUS)), (*SENT, report(E.AMBIGUOUS), report(E.CANCEL_REQUEST))],
    S.WORKING: [(*SENT, ACK), (*SENT, row(E.WORKING, 0, 5))],
    S.PARTIAL: [(*SENT, fill(40)), (*SENT, ACK, row(E.WORKING, 40, 5))],
    S.PENDING_CANCEL: [(*SENT, ACK, report(E.CANCEL_REQUEST)), (*SENT, fill(40), report(E.CANCEL_REQUEST))],
    S.PENDING_REPLACE: [(*SENT, ACK, report(E.REPLACE_REQUEST, quantity=90))],
    S.FILLED: [(*SENT, fill(100)), (*SENT, row(E.WORKING, 100, 5))],
    S.CANCELED: [(*SENT, ACK, report(E.CANCELED)), (OK, report(E.CANCEL_REQUEST)), (*SENT, row(E.CANCELED, 40, 10))],
    S.REJECTED: [(*SENT, report(E.REJECT, reason="no"))],
    S.EXPIRED: [(*SENT, ACK, report(E.EXPIRED)), (*SENT, fill(40), report(E.EXPIRED))],
    S.NOT_PLACED: [(OK, report(E.SEND_FAILED)), (*SENT, report(E.AMBIGUOUS), report(E.ABSENT)), (OK, report(E.ABSENT))],
    S.DISPUTED: [
        (*SENT, report(E.REJECT), ACK),
        (*SENT, report(E.AMBIGUOUS), report(E.CANDIDATES)),
        (*SENT, report(E.CANCELED, 10), row(E.WORKING, 0, 20)),
    ],
}
CELLS = [
    pytest.param(state, history, column, id=f"{state.name}-{n}-{column.name}")
    for state, histories in HISTORIES.items()
    for n, history in enumerate(histories)
    for column in COLUMNS
]


def the_evidence(column: Evidence) -> OrderReport:
    """One piece of evidence of that column, of a fill the histories do not have and an instant in the middle."""
    if column is E.FILL:
        return fill(30, "new", 10)
    if column is E.WORKING:
        return row(E.WORKING, 0, 7)
    if column in {E.CANCELED, E.EXPIRED}:
        return report(column, 10)
    return report(column, 10)


def live_state(order: Order) -> OrderState:
    """What "live" means in a cell, said a second time."""
    if order.cum >= order.quantity:
        return S.FILLED
    if order.replace_pending:
        return S.PENDING_REPLACE
    if order.cancel_pending:
        return S.PENDING_CANCEL
    return S.PARTIAL if order.cum else S.WORKING


@pytest.mark.parametrize(("state", "history", "column"), CELLS)
def test_every_cell_is_what_the_join_does(
    state: OrderState, history: tuple[OrderReport, ...], column: Evidence
) -> None:
    """Every cell of the table, reached by a real history, is what ``Order.apply`` does with that evidence."""
    order = an_order(*history)
    assert order.state is state
    cum, cell = order.cum, TABLE[state][column]
    evidence = the_evidence(column)
    change = order.apply(evidence)
    assert change.before is state
    assert change.after is order.state
    assert change.impossible == (cell.action == "imp")
    assert change.ignored == (cell.action == ".")
    assert change.alert.startswith("bug:") == (cell.action == "bug")
    if cell.action in {".", "imp", "bug"}:
        assert (order.state, order.cum) == (state, cum)
        return
    if cell.action == "to":
        assert order.state is cell.to
    elif cell.action == "live":
        assert order.state is live_state(order)
        assert order.state in LIVE | {S.FILLED}
    else:
        assert order.state in {state, S.FILLED}
    # A report of a fill already inferred from a snapshot is no overfill.
    if cell.alert and (cell.action != "apply" or order.cum > cum):
        assert change.alert
    if column is E.FILL:
        assert order.has_fill("new")
        assert order.real >= 30
    assert order.cum >= cum


def test_the_table_is_whole() -> None:
    """Every state has a row, every row every column, and this file has a history for every state."""
    assert set(TABLE) == set(OrderState) == set(HISTORIES)
    assert all(tuple(cells) == COLUMNS for cells in TABLE.values())


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_terminal_states_know_how_they_are_known(state: OrderState) -> None:
    """A terminal order leaves nothing open and carries a proof."""
    for history in HISTORIES[state]:
        order = an_order(*history)
        assert order.leaves == 0
        assert order.exposure == 0
        assert order.proof is not Proof.NONE


def test_proof_of_not_placed() -> None:
    """Absence after a send is inferred; a send that never began is proven here."""
    assert an_order(*SENT, report(E.ABSENT)).proof is Proof.INFERRED
    assert an_order(OK, report(E.SEND_FAILED)).proof is Proof.LOCAL


def test_a_cancel_before_the_send_ends_the_order_here() -> None:
    """CANCEL_REQUEST on a queued order withdraws it locally; one on an order not yet judged does nothing."""
    queued = an_order(OK, report(E.CANCEL_REQUEST))
    assert (queued.state, queued.proof, queued.withdrawn_before_send) == (S.CANCELED, Proof.LOCAL, True)
    created = an_order(report(E.CANCEL_REQUEST))
    assert (created.state, created.cancel_pending) == (S.CREATED, False)


@pytest.mark.parametrize("kind", [E.BUST, E.CORRECT, E.REPLACE_ACK, E.CANCEL_REJECT, E.OPERATOR])
@pytest.mark.parametrize("state", [S.CREATED, S.DENIED, S.QUEUED])
def test_nothing_a_venue_says_moves_an_order_it_can_not_know(state: OrderState, kind: Evidence) -> None:
    """Repairs and answers for an order that never left are ignored."""
    order = an_order(*HISTORIES[state][0])
    assert order.apply(report(kind, fill_id="x", quantity=5, to=S.FILLED)).ignored
    assert (order.state, order.cum) == (state, 0)


@pytest.mark.parametrize("evidence", [ACK, fill(40), fill(100)])
def test_an_absent_order_that_was_placed_is_resurrected_filled_or_not(evidence: OrderReport) -> None:
    """A fill that completes it says as much as one that leaves it alive."""
    order = an_order(*SENT, report(E.AMBIGUOUS), report(E.ABSENT))
    assert order.apply(evidence).alert == "resurrected: an order proven absent was placed"


def test_a_cancel_asked_while_unknown_is_remembered() -> None:
    """The request waits until the order has a handle, through resurrection too; a refusal takes it back."""
    order = an_order(*SENT, report(E.AMBIGUOUS), report(E.CANCEL_REQUEST))
    assert order.state is S.UNKNOWN
    order.apply(report(E.ABSENT))
    assert order.state is S.NOT_PLACED
    change = order.apply(ACK)
    assert order.state is S.PENDING_CANCEL
    assert change.alert.startswith("resurrected")
    order.apply(report(E.CANCEL_AMBIGUOUS))
    assert order.cancel_uncertain
    order.apply(report(E.CANCEL_REJECT, reason="too late"))
    assert (order.state, order.cancel_pending, order.cancel_uncertain) == (S.WORKING, False, False)


def test_replace_reserves_the_larger_and_ends_with_the_answer() -> None:
    """While a replace is out the larger quantity counts; the answer sets quantity and price, even when it fills."""
    order = an_order(*SENT, fill(40), report(E.REPLACE_REQUEST, 11, quantity=60))
    assert (order.state, order.exposure) == (S.PENDING_REPLACE, 60)
    answer = report(E.REPLACE_ACK, 12, quantity=60)
    order.apply(answer)
    assert (order.state, order.quantity, order.leaves) == (S.PARTIAL, 60, 20)
    order.apply(report(E.REPLACE_REQUEST, 13, quantity=50))
    assert order.apply(answer).ignored, "the first answer told again is no answer to the second request"
    order.apply(report(E.REPLACE_ACK, 14, quantity=30))
    assert (order.state, order.quantity, order.leaves) == (S.FILLED, 40, 0)
    refused = an_order(*SENT, ACK, report(E.REPLACE_REQUEST, quantity=60), report(E.REPLACE_REJECT))
    assert (refused.state, refused.quantity) == (S.WORKING, 100)


def test_bust_and_correction_repair_by_id() -> None:
    """A bust lowers cum and re-opens a filled order; a correction restates it; both alert, and count once."""
    order = an_order(*SENT, fill(60, "a"), fill(40, "b"))
    change = order.apply(report(E.BUST, 20, fill_id="b"))
    assert (order.state, order.cum, change.cum_delta) == (S.PARTIAL, 60, -40)
    assert change.alert
    assert order.apply(report(E.BUST, 20, fill_id="b")).ignored
    change = order.apply(report(E.CORRECT, 30, fill_id="a", quantity=50, price=Decimal("11.00")))
    assert (order.cum, str(order.value)) == (50, "550.00")
    assert change.alert


def test_a_correction_of_the_price_alone_alerts() -> None:
    """Money that moves without quantity is still a person's business."""
    order = an_order(*SENT, fill(100, "a"))
    change = order.apply(report(E.CORRECT, 20, fill_id="a", quantity=100, price=Decimal("9.00")))
    assert (change.cum_delta, str(order.value)) == (0, "900.00")
    assert change.alert


def test_the_operator_ends_what_nobody_else_can() -> None:
    """A person resolves UNKNOWN and DISPUTED only, to a terminal or a live state; the word stands."""
    order = an_order(*HISTORIES[S.DISPUTED][0])
    assert order.apply(report(E.OPERATOR, 50, to=S.UNKNOWN)).ignored
    order.apply(report(E.OPERATOR, 50, to=S.CANCELED, reason="asked the desk"))
    assert (order.state, order.proof) == (S.CANCELED, Proof.OPERATOR)
    order.apply(fill(40, as_of_ns=60))
    assert (order.state, order.cum) == (S.CANCELED, 40)
    working = an_order(*SENT, ACK)
    assert working.apply(report(E.OPERATOR, 50, to=S.CANCELED)).ignored


def test_an_order_resolved_to_live_goes_on_by_evidence() -> None:
    """After "it works" the contradiction is gone, fills and ends count again, and the old rows told again do not."""
    for history in HISTORIES[S.DISPUTED]:
        order = an_order(*history)
        order.apply(report(E.OPERATOR, 50, to=S.WORKING))
        assert order.state is S.WORKING
        for old in history[2:]:
            order.apply(old)
        assert order.state is S.WORKING
        order.apply(fill(40, as_of_ns=60))
        assert order.state is S.PARTIAL
        order.apply(row(E.CANCELED, 40, 70))
        assert (order.state, order.proof) == (S.CANCELED, Proof.VENUE)


@pytest.mark.parametrize("to", [S.NOT_PLACED, S.REJECTED])
def test_a_fill_after_the_operator_said_never_is_a_dispute(to: OrderState) -> None:
    """Who resolved an order as never placed is told when it fills; who would do so after a fill is refused."""
    order = an_order(*SENT, report(E.AMBIGUOUS), report(E.OPERATOR, 50, to=to))
    assert order.state is to
    change = order.apply(fill(40))
    assert (order.state, order.cum) == (S.DISPUTED, 40)
    assert change.alert
    assert order.apply(report(E.OPERATOR, 60, to=to)).ignored


def test_an_overfill_is_booked_and_told() -> None:
    """More than was asked for is still ours."""
    order = an_order(*SENT, fill(100, "a"))
    change = order.apply(fill(10, "b"))
    assert (order.state, order.cum, change.cum_delta, order.leaves) == (S.FILLED, 110, 10, 0)
    assert change.alert.startswith("overfill")
