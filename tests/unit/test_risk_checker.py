"""The checker: first failure wins, errors deny and are counted, explaining asks everybody."""

from decimal import Decimal
from typing import ClassVar

import pytest
from msgspec import structs

from engine.domain.commands import Side, SubmitOrder
from engine.domain.errors import ConfigError
from engine.domain.events import KillLevel, OrderDenied
from engine.domain.order import Evidence
from engine.domain.verdict import Denial
from engine.risk import Limit, RiskChecker, RiskView, limits_for, worst_case_cost
from tests.risk_builders import (
    ACCOUNT,
    GAME,
    INSTRUMENT,
    NOON_NS,
    a_latch,
    a_limit_order,
    a_submission,
    a_view,
    an_order,
    hold,
    report,
    submit,
)


class Broken(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Raises what it is told to."""

    name: ClassVar[str] = "broken"
    error: ClassVar[Exception] = KeyError("x")

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        raise self.error


def test_the_first_failure_denies() -> None:
    """A halted, malformed, unpayable order is denied for the halt; explain shows all three."""
    view = a_view(cash="0")
    checker = RiskChecker(limits_for("backtest", {}), view)
    order = an_order(account="nobody", quantity=10**9)
    assert [v.check for v in checker.explain(an_order(), NOON_NS) if not v.passed] == ["cash"]
    first = checker.check(order, NOON_NS)
    assert first is not None
    assert first.code == "MALFORMED"
    view.on_latch(a_latch(KillLevel.HALT))
    second = checker.check(order, NOON_NS)
    assert second is not None
    assert second.code == "KILLED"
    assert [v.check for v in checker.explain(order, NOON_NS)] == [one.name for one in checker.limits]


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), ZeroDivisionError(), ValueError(), TypeError(), AttributeError(), ConfigError("day")],
)
def test_a_limit_that_raises_denies_and_is_counted(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail closed; asking for an explanation does not count."""
    monkeypatch.setattr(Broken, "error", error)
    checker = RiskChecker([Broken()], a_view())
    for expected in (1, 2):
        denial = checker.check(an_order(), NOON_NS)
        assert denial is not None
        assert denial.code == "RISK_ERROR"
        assert denial.reason.startswith(f"limit check failed: broken could not be judged: {type(error).__name__}")
        assert checker.errors == expected
    verdict = checker.explain(an_order(), NOON_NS)[0]
    assert (verdict.passed, verdict.code, verdict.reason) == (False, "RISK_ERROR", denial.reason)
    assert checker.errors == 2


def test_an_error_no_limit_should_meet_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what bad data can cause is caught; the rest stops trading loudly."""
    monkeypatch.setattr(Broken, "error", RuntimeError("bug"))
    with pytest.raises(RuntimeError, match="bug"):
        RiskChecker([Broken()], a_view()).check(an_order(), NOON_NS)


def test_the_hash_is_of_the_settings() -> None:
    """The same settings, however written, give the same hash; any change another one."""
    view = a_view()
    one = RiskChecker(limits_for("paper", {"max_order_value": {"value": 5}}), view).limits_hash
    same = RiskChecker(limits_for("paper", {"max_order_value": {"value": "5"}}), view).limits_hash
    other = RiskChecker(limits_for("paper", {"max_order_value": {"value": 6}}), view).limits_hash
    fewer = RiskChecker(limits_for("backtest", {}), view).limits_hash
    assert one == same
    assert len({one, other, fewer}) == 3


def test_a_counter_nobody_keeps_denies() -> None:
    """A limit whose counters were never asked for is an error, not a pass."""
    limits = limits_for("paper", {})
    checker = RiskChecker(limits, a_view())
    checker.view = a_view()
    failed = [v.check for v in checker.explain(an_order(), NOON_NS) if v.code == "RISK_ERROR"]
    assert failed == [
        "sane_price", "duplicate_order", "orders_per_second", "orders_per_minute", "symbol_orders_per_minute",
        "venue_orders_per_minute", "orders_per_day", "repeated_fills", "open_orders", "max_open_value", "self_match",
        "gross_exposure", "strategy_loss", "account_loss", "max_daily_value", "max_daily_turnover", "message_rate",
        "quick_cancels", "volume_share", "one_sided_value", "opposite_trades",
    ]  # fmt: skip


# --- what an order costs ---------------------------------------------------------------------------------------------


def test_worst_case_cost_is_padded_by_the_profile() -> None:
    """x 1.002 in paper and live, x 1 in backtests, fees on top; a sale takes no cash."""
    view = a_view()
    assert worst_case_cost(an_order(), view) == Decimal("1002.300")
    RiskChecker(limits_for("backtest", {}), view)
    assert worst_case_cost(an_order(), view) == Decimal("1000.3")
    assert worst_case_cost(a_limit_order("11"), view) == Decimal("1100.33")
    assert worst_case_cost(an_order(side=Side.SELL), view) == 0
    RiskChecker(limits_for("paper", {}), view)
    assert worst_case_cost(an_order(), view) == Decimal("1002.300")


def test_worst_case_cost_follows_the_price_and_the_order() -> None:
    """What was worked out for one order at one price is not used for another."""
    view = a_view()
    view.set_cost_factor(Decimal(1))
    order = an_order()
    assert worst_case_cost(order, view) == worst_case_cost(order, view) == Decimal("1000.3")
    view.marks[INSTRUMENT] = 20.0
    assert worst_case_cost(order, view) == Decimal("2000.6")
    assert worst_case_cost(an_order(quantity=200), view) == Decimal("4001.2")
    assert worst_case_cost(an_order(type="stop", stop_price=Decimal(30)), view) == Decimal("3000.9")
    assert worst_case_cost(an_order(type="stop", stop_price=Decimal(10)), view) == Decimal("2000.6")


def test_worst_case_cost_without_a_price_is_an_error() -> None:
    """The gate never reserves a guess."""
    with pytest.raises(LookupError, match=r"no reference price of CY\.VSM"):
        worst_case_cost(an_order(instrument=GAME), a_view())


def test_futures_cost_their_multiplier() -> None:
    """Value is price x quantity x multiplier, for the cash and for every cap on value."""
    view = a_view()
    future = type(view.instruments[INSTRUMENT])(id=INSTRUMENT, market="free", multiplier=300)
    view.instruments = {INSTRUMENT: future}
    view.set_cost_factor(Decimal(1))
    assert worst_case_cost(an_order(quantity=1), view) == Decimal("3000.9")
    capped = ("max_order_value", "max_open_value", "max_daily_value", "max_position")
    checker = RiskChecker(limits_for("paper", {name: {"value": 2999} for name in capped}), view)
    failed = {v.check for v in checker.explain(an_order(quantity=1), NOON_NS) if not v.passed}
    assert failed == set(capped)


# --- the view --------------------------------------------------------------------------------------------------------


def test_an_order_the_view_hears_of_twice_counts_once() -> None:
    """Its exposure is taken in by whichever call comes first."""
    view = a_view()
    order = submit(view, an_order())
    view.on_order_changed(order)
    view.exposures.add(order.request)
    assert view.working(order.request.account, INSTRUMENT, Side.BUY) == 100


def test_denials_are_counted_by_code_and_towards_no_rate() -> None:
    """What never left is no order to the venue."""
    view = a_view()
    checker = RiskChecker(limits_for("backtest", {"orders_per_minute": {"cap": 1}}), view)
    for _ in range(3):
        view.on_denied(OrderDenied(order=an_order(), ts_ns=NOON_NS, code="CASH", reason="no"))
    assert view.denials == {"CASH": 3}
    assert checker.check(an_order(), NOON_NS) is None
    view.on_submitted(a_submission(an_order()))
    assert checker.check(an_order(), NOON_NS) is not None


def test_reducing_counts_what_is_held() -> None:
    """An order of exactly the holding reduces, one more does not."""
    view = a_view()
    hold(view, 100)
    assert view.reduces(an_order(side=Side.SELL))
    assert not view.reduces(an_order(side=Side.SELL, quantity=101))


def test_a_second_latch_of_the_same_level_keeps_the_first_cause() -> None:
    """What halted first is what a person must look at."""
    view = a_view()
    view.on_latch(a_latch(KillLevel.HALT))
    view.on_latch(structs.replace(a_latch(KillLevel.HALT), cause="later"))
    assert view.latches["all"].cause == "test"


def test_an_order_proven_absent_counts_again_when_it_turns_out_alive() -> None:
    """It was dropped, and nothing remembers it but its next report."""
    view = a_view()
    RiskChecker(limits_for("paper", {}), view)
    order = submit(view, an_order())
    for kind in (Evidence.SEND, Evidence.AMBIGUOUS, Evidence.ABSENT):
        report(view, order, kind)
    assert (len(view.exposures), view.working(ACCOUNT, INSTRUMENT, Side.BUY)) == (0, 0)
    report(view, order, Evidence.FILL, quantity=30, price=Decimal(10), fill_id="f")
    assert view.working(ACCOUNT, INSTRUMENT, Side.BUY) == 70
    turnover = view.turnovers["max_daily_value"]
    key = turnover.key(order.request.strategy, ACCOUNT, INSTRUMENT, "free")
    assert turnover.total(key, view.trading_day(view.instruments[INSTRUMENT], NOON_NS)) == 1000


def test_a_filled_order_that_is_then_disputed_blocks_its_side() -> None:
    """It can fill no further, but nobody knows what happened to it."""
    view = a_view()
    order = submit(view, an_order())
    report(view, order, Evidence.SEND)
    report(view, order, Evidence.FILL, quantity=100, price=Decimal(10), fill_id="f")
    assert len(view.exposures) == 0
    for _ in range(2):
        report(view, order, Evidence.REJECT)
        assert view.undecided(ACCOUNT, INSTRUMENT, Side.BUY) == 1
        assert view.undecided(ACCOUNT, INSTRUMENT, Side.SELL) == 0
    assert len(view.exposures) == 1
