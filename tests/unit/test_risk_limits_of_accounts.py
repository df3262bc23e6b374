"""What an account may be: concentration, gross exposure, the day's loss, the day's turnover."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.commands import Side, SubmitOrder
from engine.domain.errors import DataError
from engine.domain.events import DayPriced, EquitySampled, KillLevel, PositionAdjusted
from engine.domain.ids import EXTERNAL
from engine.domain.market import Quote
from engine.domain.timestamps import DAY_NS, SECOND_NS
from engine.risk import RiskChecker, RiskView
from tests.risk_builders import (
    ACCOUNT,
    GAME,
    INSTRUMENT,
    NOON_NS,
    a_checker,
    a_fill,
    a_limit_order,
    a_view,
    an_order,
    answer,
    hold,
    submit,
)


def no_rate(currency: str, base: str) -> Decimal:
    raise DataError(f"no rate from {currency} to {base}")


def an_account(**settings: Any) -> RiskView:
    """10 000 CNY, nothing else; the price of 600000.SH is 10."""
    view = a_view(cash="10000")
    del view.portfolio.accounts[ACCOUNT].cash["COIN"]
    return view


# --- concentration and gross exposure --------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "denied"), [(100, False), (101, True)])
def test_one_symbol_is_no_more_than_its_part(quantity: int, denied: bool) -> None:
    """100 held and open orders of its side filled: at most 30 % of 11 000."""
    view = an_account()
    hold(view, 100)
    submit(view, an_order(client_id="c-1", quantity=130))
    said = ("POSITION", "concentration exceeded: 3310.0 of 600000.SH (cap 30% of 11000.0)")
    checker = a_checker(view, "concentration", percent=30)
    assert answer(checker, an_order(quantity=quantity)) == (said if denied else None)


@pytest.mark.parametrize(("quantity", "denied"), [(400, False), (401, True)])
def test_no_more_is_invested_than_the_account_is_worth(quantity: int, denied: bool) -> None:
    """Positions, open purchases, and this order: at most half of 11 000; open sales count nothing."""
    view = an_account()
    hold(view, 100)
    checker = a_checker(view, "gross_exposure", percent=50)
    submit(view, a_limit_order("5", client_id="c-1"))
    submit(view, an_order(client_id="c-2", side=Side.SELL))
    said = ("POSITION", "gross exposure exceeded: 5510.0 (cap 50% of 11000.0)")
    assert answer(checker, an_order(quantity=quantity)) == (said if denied else None)


@pytest.mark.parametrize("name", ["concentration", "gross_exposure"])
def test_what_reduces_is_never_denied(name: str) -> None:
    """However far above the cap a moved price has brought the account; the same sale again is more than is held."""
    view = an_account()
    hold(view, 100)
    checker = a_checker(view, name, percent="0.01")
    assert answer(checker, an_order(side=Side.SELL)) is None
    assert answer(checker, an_order()) is not None


@pytest.mark.parametrize("name", ["concentration", "gross_exposure", "max_daily_turnover"])
def test_an_unknown_worth_denies(name: str) -> None:
    """No rate, or no price."""
    view = an_account()
    view.portfolio.rate = no_rate
    checker = a_checker(view, name)
    assert answer(checker, an_order()) is None
    denial = answer(checker, a_limit_order("1", instrument=GAME))
    assert denial is not None
    assert denial[0] == "STALE_DATA"
    priceless = a_view(price=None)
    denial = answer(a_checker(priceless, name), an_order())
    assert denial is not None
    assert denial[0] == "STALE_DATA"


# --- the day's loss --------------------------------------------------------------------------------------------------


class Day:
    """A view whose prices come as the feeds bring them."""

    def __init__(self, *names: str, **settings: Any) -> None:
        self.view = an_account()
        self.checkers: dict[str, RiskChecker] = {name: a_checker(self.view, name, **settings) for name in names}
        self.now_ns = NOON_NS
        self.view.on_equity(EquitySampled(account=ACCOUNT, ts_ns=NOON_NS, equity=Decimal(10_000), cash=Decimal(0)))

    def price(self, price: float, *, first: bool = False) -> None:
        """One a second; ``first``: the day begins with it."""
        self.now_ns += SECOND_NS
        quote = Quote(INSTRUMENT, self.now_ns, price, price)
        self.view.portfolio.on_quote(quote)
        for kind, handler in self.view.ears:
            if kind is Quote:
                handler(quote)
        if first:
            day = self.view.day_of(INSTRUMENT, self.now_ns) or 0
            self.view.on_priced(
                DayPriced(instrument=INSTRUMENT, day=day, price=Decimal(repr(price)), ts_ns=self.now_ns)
            )

    def fill(self, **changes: Any) -> None:
        fill = a_fill(an_order(), **{"ts_ns": self.now_ns, **changes})
        self.view.portfolio.on_fill(fill)
        self.view.on_fill(fill)

    def ask(self, name: str, order: SubmitOrder) -> tuple[str, str] | None:
        return answer(self.checkers[name], order, self.now_ns)


@pytest.mark.parametrize(
    ("latest", "fee", "words"),
    [
        (9.02, "0", ""),
        (9.0, "0", "day loss exceeded: sma lost 100.0 (cap 1% of 10000); reduce only"),
        (9.02, "2", "day loss exceeded: sma lost 100.00 (cap 1% of 10000); reduce only"),
        (20.0, "0", ""),
    ],
)
def test_a_strategy_that_lost_its_part_may_only_reduce(latest: float, fee: str, words: str) -> None:
    """100 bought at 10: marked at 9 it lost 1 % of the 10 000 the day began with; fees count; sales still pass."""
    day = Day("strategy_loss")
    day.price(10.0, first=True)
    day.fill(fee=Decimal(fee))
    day.price(latest)
    assert day.ask("strategy_loss", an_order()) == (("LOSS", words) if words else None)
    assert day.ask("strategy_loss", an_order(strategy="grid")) is None
    assert day.ask("strategy_loss", an_order(side=Side.SELL)) is None


def test_an_account_lost_what_all_its_holdings_lost() -> None:
    """Two strategies and what was there before, each since the day began; 2 % reduces, 3 % cancels."""
    day = Day("account_loss")
    opening = PositionAdjusted(
        account=ACCOUNT, strategy=EXTERNAL, instrument=INSTRUMENT, ts_ns=NOON_NS, quantity=100, reason="opening"
    )
    day.view.portfolio.on_adjusted(opening)
    day.view.on_adjusted(opening)
    day.price(10.0, first=True)
    day.fill()
    day.price(9.5)
    day.fill(strategy="grid", price=Decimal("9.5"))
    limit = day.checkers["account_loss"].limits[0]
    held, profit = an_order(), day.view.profit
    assert profit is not None
    assert profit.of_account(ACCOUNT, day.now_ns) == -100
    assert day.ask("account_loss", held) is None
    assert limit.finding(held, day.view, day.now_ns) is None
    day.price(9.2)
    assert profit.of_account(ACCOUNT, day.now_ns) == -80 - 80 - 30
    day.price(9.1)
    words = "day loss exceeded: account paper lost 220.0 (cap 2% of 10000); reduce only"
    assert day.ask("account_loss", held) == ("LOSS", words)
    assert day.ask("account_loss", an_order(side=Side.SELL)) is None
    found = limit.finding(held, day.view, day.now_ns)
    assert found is not None
    assert (found.level, found.scope) == (KillLevel.REDUCE, "account:paper")
    day.price(8.8)
    found = limit.finding(held, day.view, day.now_ns)
    assert found is not None
    assert found.level is KillLevel.CANCEL


def test_a_new_day_begins_at_nothing() -> None:
    """What was lost yesterday is yesterday's; what is held is counted from the day's first price."""
    day = Day("strategy_loss")
    day.price(10.0, first=True)
    day.fill()
    day.price(9.0)
    profit = day.view.profit
    assert profit is not None
    assert profit.of_strategy(an_order().strategy, ACCOUNT, day.now_ns) == -100
    day.now_ns += DAY_NS
    day.price(8.0, first=True)
    assert profit.of_strategy(an_order().strategy, ACCOUNT, day.now_ns) == 0
    day.price(7.9)
    assert profit.of_strategy(an_order().strategy, ACCOUNT, day.now_ns) == -10
    day.fill(side=Side.SELL, price=Decimal("7.9"))
    assert profit.of_strategy(an_order().strategy, ACCOUNT, day.now_ns) == -10


@pytest.mark.parametrize("name", ["strategy_loss", "account_loss"])
def test_a_loss_that_is_not_known_denies(name: str) -> None:
    """Traded today, and no price since the start: what adds is denied, what reduces passes, nothing latches."""
    day = Day(name)
    day.fill()
    assert day.ask(name, an_order()) == ("STALE_DATA", "day loss not known: no price of 600000.SH today")
    assert day.ask(name, an_order(side=Side.SELL)) is None
    assert day.checkers[name].limits[0].finding(an_order(), day.view, day.now_ns) is None


# --- max_daily_turnover ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "denied"), [(300, False), (301, True)])
def test_turnover_is_measured_by_the_account(quantity: int, denied: bool) -> None:
    """1000 filled and 1000 open: with 3000 more it is half of 10 000; what only reduces skips it."""
    view = an_account()
    checker = a_checker(view, "max_daily_turnover", percent=50)
    view.on_fill(a_fill(an_order(), side=Side.SELL))
    submit(view, an_order(client_id="c-1"))
    said = ("TURNOVER", "daily turnover exceeded: 5010.0 today (cap 50% of 10000)")
    assert answer(checker, an_order(quantity=quantity)) == (said if denied else None)
    hold(view, 1000)
    assert answer(checker, an_order(quantity=1000, side=Side.SELL)) is None
