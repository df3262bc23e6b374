"""The shortcut through the limits of a backtest says yes only where all five do, and does so for everyday orders."""

from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from engine.domain.commands import Offset, OrderType, Side, TimeInForce
from engine.domain.events import KillLevel
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.money import exact, exact_price
from engine.risk import RiskView, limits_for
from engine.risk.cost import worst_case_cost
from engine.risk.everyday import everyday
from tests.risk_builders import GAME, INSTRUMENT, NOON_NS, a_latch, a_view, an_order, hold

LIMITS = limits_for("backtest", {})

ORDERS = st.fixed_dictionaries(
    {},
    optional={
        "side": st.sampled_from(list(Side)),
        "quantity": st.sampled_from([100, 1, 0, -5, 150, 10**9, True, 2.5]),
        "type": st.sampled_from([OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.LIQUIDATE, "market"]),
        "price": st.sampled_from([None, Decimal(10)]),
        "stop_price": st.sampled_from([None, Decimal(10)]),
        "tif": st.sampled_from([TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD, "day"]),
        "offset": st.sampled_from([Offset.AUTO, Offset.OPEN]),
        "instrument": st.sampled_from([INSTRUMENT, GAME, InstrumentId("nothing")]),
        "account": st.sampled_from([AccountId("paper"), AccountId("nobody")]),
        "client_id": st.sampled_from([ClientOrderId("o-1"), ClientOrderId("")]),
        "strategy": st.sampled_from([StrategyId("sma"), StrategyId("")]),
    },
)


def a_scene(held: int, locked: int, selling: int, *, price: float | None, cash: int, latch: KillLevel) -> RiskView:
    view = a_view(cash=str(cash), price=price)
    if held:
        hold(view, held)
        position = view.portfolio.accounts[AccountId("paper")].position(INSTRUMENT)
        position.selling = selling
        if locked:
            position.locked.append((NOON_NS + 1, locked))
    if latch:
        view.on_latch(a_latch(latch, f"symbol:{INSTRUMENT}"))
    for limit in LIMITS:
        limit.prepare(view)
    return view


SALE = {"side": Side.SELL}
PLAIN = st.fixed_dictionaries({"side": st.sampled_from([Side.BUY, Side.SELL]), "quantity": st.integers(1, 120)})


@given(
    changes=PLAIN | ORDERS,
    held=st.sampled_from([0, 100, 1000]),
    locked=st.sampled_from([0, 0, 50]),
    selling=st.sampled_from([0, 0, 60]),
    price=st.sampled_from([None, 10.0, 9.87]),
    cash=st.sampled_from([0, 1000, 1001, 1_000_000]),
    latch=st.sampled_from([KillLevel.RUN, KillLevel.RUN, KillLevel.REDUCE, KillLevel.HALT]),
)
@example(changes=SALE, held=100, locked=50, selling=0, price=10.0, cash=0, latch=KillLevel.RUN)
@example(changes=SALE, held=100, locked=0, selling=60, price=10.0, cash=0, latch=KillLevel.RUN)
@example(changes=SALE, held=100, locked=0, selling=0, price=10.0, cash=0, latch=KillLevel.HALT)
@example(changes={}, held=0, locked=0, selling=0, price=10.0, cash=1000, latch=KillLevel.RUN)
def test_a_yes_is_the_yes_of_all_five(
    changes: dict[str, Any], held: int, locked: int, selling: int, price: float | None, cash: int, latch: KillLevel
) -> None:
    """Whatever the order, the books and the latches: what passes here none denies, and it costs what it costs there."""
    view = a_scene(held, locked, selling, price=price, cash=cash, latch=latch)
    passes, order = everyday(LIMITS, view), an_order(**changes)
    assert passes is not None
    cost = passes(order, NOON_NS)
    if cost is not None:
        view.cost_memo = None
        assert str(cost) == str(worst_case_cost(order, view))
        assert [limit.name for limit in LIMITS if limit.check(order, view, NOON_NS) is not None] == []


def test_everyday_orders_pass_here() -> None:
    """A purchase that can be paid and a sale of what is held need not be shown to each limit; the next unit does."""
    view = a_scene(100, 0, 0, price=10.0, cash=1001, latch=KillLevel.RUN)
    passes = everyday(LIMITS, view)
    assert passes is not None
    assert passes(an_order(), NOON_NS) is not None
    assert passes(an_order(quantity=101), NOON_NS) is None
    assert passes(an_order(side=Side.SELL), NOON_NS) is not None
    assert passes(an_order(side=Side.SELL, quantity=101), NOON_NS) is None


def test_other_limits_are_always_asked() -> None:
    """There is no shortcut where a limit is in force that it knows nothing of."""
    assert everyday(limits_for("backtest", {"max_order_quantity": {}}), a_view()) is None
    assert everyday(LIMITS[:-1], a_view()) is None


@given(price=st.floats(min_value=1e-9, max_value=1e12))
def test_a_remembered_price_is_the_price(price: float) -> None:
    """Asked again, and after the whole number it equals, a price is written the way it reads."""
    exact_price(float(round(price)) or 1.0)
    assert str(exact_price(price)) == str(exact_price(price)) == str(exact(price))
