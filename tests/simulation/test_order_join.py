"""One set of evidence, one end state: whatever the order, the number and the channel of reports (RELIABILITY 2.3)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import permutations
from math import factorial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.order import LIVE, TERMINAL, Order, OrderReport, OrderState
from tests.order_evidence import ACK, OK, SEND, E, an_order, fill, report, row

S = OrderState
ASK_CANCEL = report(E.CANCEL_REQUEST, 3)
ASK_REPLACE = report(E.REPLACE_REQUEST, 3, quantity=80)


def correction(fill_id: str, quantity: int, as_of_ns: int) -> OrderReport:
    return report(E.CORRECT, as_of_ns, fill_id=fill_id, quantity=quantity, price=Decimal("9.50"))


# Our own steps first, then what the venue or the network says in any order, then the one end state.
HISTORIES: dict[str, tuple[Sequence[OrderReport], Sequence[OrderReport], OrderState, int]] = {
    "two fills": ((), (ACK, fill(40, "a"), fill(60, "b")), S.FILLED, 100),
    "fills and polls": (
        (),
        (ACK, fill(40, "a", 10), row(E.WORKING, 40, 15), fill(60, "b", 20), row(E.WORKING, 100, 25, "10.00")),
        S.FILLED,
        100,
    ),
    "part, then withdrawn": (
        (ACK, ASK_CANCEL),
        (fill(40, "a"), row(E.WORKING, 0, 5), row(E.CANCELED, 40, 20), report(E.ABSENT)),
        S.CANCELED,
        40,
    ),
    "lost answer, found in the list": (
        (),
        (report(E.AMBIGUOUS), row(E.WORKING, 40, 10), fill(40, "a", 10), row(E.EXPIRED, 40, 20)),
        S.EXPIRED,
        40,
    ),
    "refused, answer lost": ((), (report(E.REJECT), report(E.AMBIGUOUS), report(E.ABSENT)), S.REJECTED, 0),
    "never arrived": ((), (report(E.AMBIGUOUS), report(E.ABSENT)), S.NOT_PLACED, 0),
    "resurrected": ((), (report(E.AMBIGUOUS), report(E.ABSENT), ACK, fill(100, "a")), S.FILLED, 100),
    "busted": (
        (),
        (ACK, fill(40, "a", 10), row(E.WORKING, 40, 15), report(E.BUST, 20, fill_id="a"), row(E.WORKING, 0, 30)),
        S.WORKING,
        0,
    ),
    "bust of a full order asked to cancel": (
        (ACK, ASK_CANCEL),
        (fill(60, "a"), fill(40, "b"), report(E.BUST, 20, fill_id="b")),
        S.PENDING_CANCEL,
        60,
    ),
    "corrected": (
        (),
        (fill(60, "a", 10), row(E.WORKING, 60, 12), correction("a", 50, 20), row(E.WORKING, 50, 30)),
        S.PARTIAL,
        50,
    ),
    "replaced while filling": (
        (ACK, ASK_REPLACE),
        (report(E.REPLACE_ACK, 15, quantity=80), fill(40, "a", 10), fill(40, "b", 20), row(E.WORKING, 80, 30)),
        S.FILLED,
        80,
    ),
    "replaced too late": (
        (ACK, ASK_REPLACE),
        (report(E.REPLACE_ACK, 15, quantity=80), fill(60, "a", 10), fill(40, "b", 20)),
        S.FILLED,
        100,
    ),
    "replaced, then busted": (
        (ACK, ASK_REPLACE),
        (report(E.REPLACE_ACK, 15, quantity=80), fill(80, "a", 10), report(E.BUST, 20, fill_id="a"), fill(30, "c", 25)),
        S.PARTIAL,
        30,
    ),
    "busted, filled anew, withdrawn": (
        (ACK, ASK_CANCEL),
        (
            fill(60, "a", 10),
            report(E.BUST, 20, fill_id="a"),
            row(E.WORKING, 60, 15),
            fill(30, "b", 25),
            row(E.CANCELED, 30, 40),
        ),
        S.CANCELED,
        30,
    ),
    "polls at random moments": (
        (),
        (
            row(E.WORKING, 20, 10, "9.90"),
            row(E.WORKING, 50, 20, "10.00"),
            fill(20, "a", 9),
            fill(30, "b", 19),
            row(E.EXPIRED, 0, 30),
        ),
        S.EXPIRED,
        50,
    ),
    "contradiction": ((), (report(E.REJECT), ACK, fill(40, "a")), S.DISPUTED, 40),
    "back from the dead": ((), (ACK, row(E.CANCELED, 0, 10), row(E.WORKING, 0, 20)), S.DISPUTED, 0),
    "cancelled and expired": ((), (fill(40, "a"), report(E.EXPIRED, 20), report(E.CANCELED, 25)), S.CANCELED, 40),
}


def facts(order: Order) -> tuple[Any, ...]:
    return (
        order.state, order.proof, order.cum, order.value, order.fee, order.quantity, order.leaves, order.exposure,
        order.cancel_pending, order.replace_pending, order.real,
    )  # fmt: skip


def deliver(order: Order, reports: Iterable[OrderReport]) -> Order:
    """Apply evidence, holding I1, I2 and I3 after every piece."""
    position = order.cum
    for one in reports:
        before = order.cum
        change = order.apply(one)
        position += change.cum_delta
        assert position == order.cum, "I3: what was told adds up to what is known"
        assert order.cum >= before or one.kind in {E.BUST, E.CORRECT}, "I2: cum never falls by itself"
        if order.state in TERMINAL:
            assert order.leaves == 0, "I1"
        elif order.cum <= order.quantity:
            assert order.cum + order.leaves == order.quantity, "I1"
        if order.state in LIVE:
            assert order.cum < order.quantity, "a full order does not live"
    return order


@pytest.mark.parametrize("name", HISTORIES)
def test_every_delivery_of_a_small_history_ends_alike(name: str) -> None:
    """All orders of delivery of a history, with any one of its reports told twice, end in one state."""
    ours, theirs, state, cum = HISTORIES[name]
    start = (OK, SEND, *ours)
    expected = facts(an_order(*start, *theirs))
    assert expected[0] is state
    assert expected[2] == cum
    for twice in theirs:
        for doubled in permutations((*theirs, twice)):
            assert facts(deliver(an_order(*start), doubled)) == expected, [one.kind for one in doubled]


def test_the_exhaustive_set_is_not_small() -> None:
    """The histories above make more than seven thousand different deliveries (RELIABILITY 2.3 had 6,984)."""
    sizes = [len(theirs) for _, theirs, _, _ in HISTORIES.values()]
    assert sum(size * factorial(size + 1) // 2 for size in sizes) > 7_000


as_ofs = st.integers(1, 60)
cums = st.integers(0, 110)
averages = st.sampled_from([None, Decimal("9.90"), Decimal("10.10")])
fill_ids = st.sampled_from("abc")
quantities = {"a": 30, "b": 50, "c": 40}
evidence = st.one_of(
    st.sampled_from([ACK, report(E.REJECT), report(E.AMBIGUOUS), report(E.ABSENT)]),
    st.builds(lambda i, t: fill(quantities[i], i, t), fill_ids, as_ofs),
    st.builds(
        lambda kind, cum, t, price: report(kind, t, cum=cum, price=price),
        st.sampled_from([E.WORKING, E.CANCELED, E.EXPIRED]), cums, as_ofs, averages,
    ),
    st.builds(lambda i, t: report(E.BUST, t, fill_id=i), fill_ids, as_ofs),
    # One quantity an instant: two corrections of one fill at one instant would contradict each other.
    st.builds(lambda i, t: correction(i, t, t), fill_ids, as_ofs),
)  # fmt: skip
overlays = st.sampled_from([(), (ACK, ASK_CANCEL), (ACK, ASK_REPLACE), (report(E.AMBIGUOUS), ASK_CANCEL)])


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[Sequence[OrderReport], Sequence[OrderReport], Sequence[OrderReport]]:
    """Our steps, a set of evidence, and the same set in another order with some of it told again."""
    ours = draw(overlays)
    theirs = draw(st.lists(evidence, min_size=1, max_size=8))
    if ASK_REPLACE in ours and draw(st.booleans()):
        theirs.append(report(E.REPLACE_ACK, 15, quantity=draw(st.integers(20, 120))))
    again = draw(st.lists(st.sampled_from(theirs), max_size=4))
    return ours, theirs, draw(st.permutations(theirs + again))


@settings(max_examples=1500, deadline=None)
@given(deliveries())
def test_random_evidence_in_any_order_ends_alike(
    delivery: tuple[Sequence[OrderReport], Sequence[OrderReport], Sequence[OrderReport]],
) -> None:
    """Random evidence, contradictions too, shuffled and doubled: invariants all along, one end state."""
    ours, theirs, shuffled = delivery
    start = (OK, SEND, *ours)
    one = deliver(an_order(*start), theirs)
    other = deliver(an_order(*start), shuffled)
    assert facts(one) == facts(other)


@settings(max_examples=500, deadline=None)
@given(deliveries())
def test_the_short_cut_is_the_join(
    delivery: tuple[Sequence[OrderReport], Sequence[OrderReport], Sequence[OrderReport]],
) -> None:
    """The everyday steps taken without the whole join leave every fact as the join would, after every report."""
    ours, _, shuffled = delivery
    quick, thorough = an_order(), an_order()
    thorough._restated = True
    for one in (OK, SEND, *ours, *shuffled):
        left, right = quick.apply(one), thorough.apply(one)
        assert left == right
        assert facts(quick) == facts(thorough)


@st.composite
def venue_histories(draw: st.DrawFn) -> tuple[list[OrderReport], OrderState, int]:
    """What an honest venue does with an order of 100, as reports with the moments they speak of, and how it ends."""
    reports, cum, now = [ACK], 0, 10
    for n, part in enumerate(draw(st.lists(st.integers(1, 60), max_size=4))):
        quantity = min(part, 100 - cum)
        if not quantity:
            break
        cum, now = cum + quantity, now + 10
        reports.append(fill(quantity, f"f{n}", now))
        if draw(st.booleans()):
            reports.append(row(E.WORKING, cum, now + draw(st.integers(0, 9))))
    end = draw(st.sampled_from([None, E.CANCELED, E.EXPIRED]))
    if end is not None and cum < 100:
        reports.append(row(end, draw(st.sampled_from([0, cum])), now + 10))
    noise = st.sampled_from([report(E.AMBIGUOUS), report(E.ABSENT), ACK])
    reports += draw(st.lists(noise, max_size=2))
    if cum == 100:
        return reports, S.FILLED, cum
    if end is None:
        return reports, S.PARTIAL if cum else S.WORKING, cum
    return reports, S.CANCELED if end is E.CANCELED else S.EXPIRED, cum


@settings(max_examples=500, deadline=None)
@given(venue_histories(), st.randoms(use_true_random=False))
def test_an_honest_venue_is_always_understood(history: tuple[list[OrderReport], OrderState, int], dice: Any) -> None:
    """However an honest venue's reports arrive, the order ends as the venue has it, each fill booked once."""
    reports, state, cum = history
    shuffled = reports + dice.choices(reports, k=2)
    dice.shuffle(shuffled)
    order = deliver(an_order(OK, SEND), shuffled)
    assert (order.state, order.cum) == (state, cum)
    assert order.value == 10 * cum
