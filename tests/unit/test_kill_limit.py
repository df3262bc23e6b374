"""Which orders a latch lets through: at the gate, and again at the last look before they leave."""

from typing import Any

import pytest

from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import KillLevel
from engine.risk.kill import FLATTENER, Kill, forbids
from engine.risk.view import RiskView
from tests.risk_builders import NOON_NS, a_latch, a_view, an_order, hold, submit


def latched(level: KillLevel, *, held: int = 100, scope: str = "all") -> RiskView:
    view = a_view()
    hold(view, held)
    view.on_latch(a_latch(level, scope))
    return view


def a_sale(quantity: int = 100, **terms: Any) -> SubmitOrder:
    return an_order(side=Side.SELL, quantity=quantity, **terms)


def passes(view: RiskView, order: SubmitOrder) -> bool:
    return Kill().check(order, view, NOON_NS) is None


@pytest.mark.parametrize("level", [KillLevel.HALT, KillLevel.CANCEL, KillLevel.FLATTEN])
def test_from_halt_on_not_even_a_sale_of_a_strategy_passes(level: KillLevel) -> None:
    """Levels 2 to 4 stop every order of a strategy."""
    assert not passes(latched(level), a_sale())


def test_at_flatten_the_flattener_may_shrink_positions_and_nothing_else() -> None:
    """Its sale of what is held passes; of more, or a purchase, it does not; and at CANCEL it may do nothing."""
    view = latched(KillLevel.FLATTEN)
    assert passes(view, a_sale(strategy=FLATTENER))
    assert not passes(view, a_sale(101, strategy=FLATTENER))
    assert not passes(view, an_order(strategy=FLATTENER))
    assert not passes(latched(KillLevel.CANCEL), a_sale(strategy=FLATTENER))


def test_the_last_look_judges_a_reducing_order_without_its_own_quantity() -> None:
    """It is among the open orders by then: a sale of all that is held still leaves at REDUCE, a purchase does not."""
    view = a_view()
    hold(view, 100)
    sale, purchase = a_sale(client_id="s-1"), an_order(client_id="s-2")
    submit(view, sale)
    submit(view, purchase)
    view.on_latch(a_latch(KillLevel.REDUCE))
    assert forbids(view, sale) is None
    assert forbids(view, purchase) is not None


def test_at_the_last_look_two_sales_of_the_same_shares_do_not_both_reduce() -> None:
    """Together they would sell more than is held: neither leaves."""
    view = a_view()
    hold(view, 100)
    sales = [a_sale(client_id=f"s-{n}") for n in (1, 2)]
    for sale in sales:
        submit(view, sale)
    view.on_latch(a_latch(KillLevel.REDUCE))
    assert [forbids(view, sale) is not None for sale in sales] == [True, True]


def test_a_latch_on_an_account_that_has_no_book_still_says_no() -> None:
    """Nothing is asked of the books where the level alone decides."""
    view = a_view()
    view.on_latch(a_latch(KillLevel.HALT))
    denial = Kill().check(an_order(account="nobody"), view, NOON_NS)
    assert denial is not None
    assert denial.code == "KILLED"
