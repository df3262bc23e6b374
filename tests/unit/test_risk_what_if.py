"""What would become of an order: shown, and nothing done."""

from decimal import Decimal

from engine.control.limit_words import EFFECT_WORDS, LIMIT_WORDS
from engine.control.order_check import Question, judge
from engine.domain.commands import Side
from engine.risk import RULES, RiskChecker, limits_for, what_if
from engine.risk.what_if import Effects
from tests.risk_builders import ACCOUNT, INSTRUMENT, NOON_NS, a_limit_order, a_view, an_order, hold, submit

WIDE = {"open_orders": {"per_side": 9}, "duplicate_order": {"window": "1ms"}}


def test_it_shows_what_the_order_would_change() -> None:
    """Cash held back, the position at worst, what the account is worth."""
    view = a_view(cash="10000")
    checker = RiskChecker(limits_for("paper", WIDE), view)
    hold(view, 100)
    submit(view, a_limit_order("9", client_id="c-1"))
    answer = what_if(checker, a_limit_order("10"), NOON_NS)
    assert (answer.allowed, answer.code, answer.reason) == (True, "", "")
    assert [verdict.check for verdict in answer.checks] == [limit.name for limit in checker.limits]
    assert answer.effects == Effects(
        currency="CNY", value=Decimal(1000), reserved_cash=Decimal("1002.300"), available_cash=Decimal(10_000),
        available_cash_after=Decimal("8997.700"), held=100, position_at_worst=300,
        position_value_at_worst=Decimal("3000.0"), sellable_after=None, reduces=False, equity=Decimal("21000.0"),
        invested=Decimal("1000.0"),
    )  # fmt: skip
    sale = what_if(checker, an_order(side=Side.SELL, quantity=40), NOON_NS).effects
    assert sale is not None
    assert (sale.reserved_cash, sale.sellable_after, sale.reduces) == (0, 60, True)


def test_it_places_and_counts_nothing() -> None:
    """Asked a hundred times, every limit answers as at first."""
    view = a_view()
    checker = RiskChecker(limits_for("paper", {}), view)
    first = what_if(checker, an_order(), NOON_NS)
    for _ in range(100):
        assert what_if(checker, an_order(), NOON_NS) == first
    assert (len(view.exposures), view.denials, checker.errors) == (0, {}, 0)
    assert view.portfolio.accounts[ACCOUNT].reserved == {}


def test_a_refusal_is_told_with_all_other_answers() -> None:
    """The first no, its code and reason; nonsense has no effects and raises nothing."""
    view = a_view()
    checker = RiskChecker(limits_for("paper", {}), view)
    answer = what_if(checker, an_order(quantity=20_000), NOON_NS)
    assert (answer.allowed, answer.code) == (False, "MAX_QTY")
    assert answer.reason == "limit check failed: order quantity exceeded: 20000 (cap 10000)"
    assert sum(not verdict.passed for verdict in answer.checks) > 1
    assert what_if(checker, an_order(account="nobody", quantity=None), NOON_NS).effects is None


def test_an_unknown_price_is_told_as_unknown() -> None:
    """No value, no cash; the rest is shown."""
    view = a_view(price=None)
    effects = what_if(RiskChecker(limits_for("paper", {}), view), an_order(), NOON_NS).effects
    assert effects is not None
    assert (effects.value, effects.reserved_cash, effects.available_cash_after) == (None, None, None)
    assert effects.position_at_worst == 100


def test_people_are_told_of_every_limit_and_effect() -> None:
    """In English and Chinese."""
    assert list(LIMIT_WORDS) == list(RULES)
    assert list(EFFECT_WORDS) == list(Effects.__struct_fields__)
    assert all(english.isascii() and not chinese.isascii() for english, chinese in LIMIT_WORDS.values())


def test_the_command_judges_with_the_effects() -> None:
    """``check order`` on the paper profile, at an hour when the market is open."""
    answer = judge(
        Question(
            instrument=INSTRUMENT, side="buy", quantity=100, price="10", at="2026-03-02 10:00:00+08:00", mark="10"
        )
    )  # fmt: skip
    assert answer.allowed, answer.reason
    assert answer.effects is not None
    assert answer.effects.position_at_worst == 100
