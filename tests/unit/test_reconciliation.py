"""Our book against the venue's: what is found there and may not be sold today stays locked with us too."""

from decimal import Decimal

import pytest

from engine.domain.account import AccountSnapshot, Balance, PositionRow
from engine.domain.ids import EXTERNAL
from engine.domain.timestamps import DAY_NS, HOUR_NS
from engine.portfolio import Portfolio
from engine.reconciliation import Reconciler
from tests.core_builders import ACCOUNT, STOCKS, Desk

NOW_NS = 10 * HOUR_NS


def a_reading(quantity: int, sellable: int | None, *, cash: str = "100000", ts_ns: int = NOW_NS) -> AccountSnapshot:
    money = Decimal(cash)
    return AccountSnapshot(
        account=ACCOUNT,
        as_of_ns=ts_ns,
        ts_ns=ts_ns,
        positions=(PositionRow(instrument=STOCKS[0], quantity=quantity, sellable=sellable),),
        balances=(Balance(currency="COIN", total=money, available=money),),
    )


def a_settled(desk: Desk) -> tuple[Portfolio, Reconciler]:
    """A book whose market lets a purchase be sold a day later."""
    portfolio = Portfolio(desk.core.instruments, lambda _instrument, bought_ns: bought_ns + DAY_NS)
    portfolio.open_account(ACCOUNT, "COIN", Decimal(100_000))
    return portfolio, Reconciler(
        portfolio, desk.core.instruments, desk.core.view.capabilities, quiet_since_ns=lambda _account: 0
    )


@pytest.mark.parametrize(("sellable", "locked"), [(None, 0), (500, 0), (300, 200), (0, 500)])
def test_what_is_found_locked_at_the_venue_is_locked_in_our_book(sellable: int | None, locked: int) -> None:
    """A person bought 200 of the 500 today: 300 may be sold, the rest tomorrow."""
    portfolio, reconciler = a_settled(Desk())
    (found,) = reconciler.differences(a_reading(500, sellable), at_once=True)
    assert (found.strategy, found.quantity, found.locked) == (EXTERNAL, 500, locked)
    portfolio.on_adjusted(found)
    assert portfolio.sellable(ACCOUNT, STOCKS[0], NOW_NS) == 500 - locked
    assert portfolio.sellable(ACCOUNT, STOCKS[0], NOW_NS + DAY_NS) == 500


def test_what_our_book_knows_to_be_locked_is_not_locked_again() -> None:
    """The venue's 300 of 500 held back are the 300 of the first reading; what came since is free."""
    portfolio, reconciler = a_settled(Desk())
    portfolio.on_adjusted(reconciler.differences(a_reading(300, 0), at_once=True)[0])
    (found,) = reconciler.differences(a_reading(500, 200), at_once=True)
    assert (found.quantity, found.locked) == (200, 0)


def test_two_readings_show_the_same_only_with_equal_holdings_and_money() -> None:
    """An empty table and a full one are not two witnesses."""
    one = a_reading(500, 500)
    assert one.shows_as(a_reading(500, 300, ts_ns=NOW_NS + 1))
    assert not one.shows_as(None)
    assert not one.shows_as(a_reading(400, 400))
    assert not one.shows_as(a_reading(500, 500, cash="99999"))
    unread = AccountSnapshot(account=ACCOUNT, as_of_ns=NOW_NS, ts_ns=NOW_NS)
    assert not unread.shows_as(unread)
