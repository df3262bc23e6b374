"""A limit order at a venue that takes none waits here, and goes as a market order once its price is there."""

from decimal import Decimal
from typing import Any

import pytest

from engine import Bar, Quote
from engine.algos.held_limit import HeldLimits
from engine.domain.commands import OrderType, Side
from engine.domain.events import OrderSubmitted
from engine.domain.timestamps import MINUTE_NS
from tests.builders import INDEX
from tests.risk_builders import an_order

MADE_NS = 100 * MINUTE_NS


def held(side: Side, price: str) -> tuple[HeldLimits, list[Any]]:
    gone: list[Any] = []
    limits = HeldLimits(lambda event: gone.append((event.order.type, event.order.price)), lambda _account: False)
    order = an_order(instrument=INDEX, side=side, type=OrderType.LIMIT, price=Decimal(price), ts_ns=MADE_NS)
    limits.on_submitted(OrderSubmitted(order=order, ts_ns=MADE_NS))
    return limits, gone


def a_bar_of(close: float, ended_ns: int) -> Bar:
    return Bar(INDEX, ended_ns, close, close, close, close)


@pytest.mark.parametrize(("side", "better", "worse"), [(Side.BUY, 9.9, 10.1), (Side.SELL, 10.1, 9.9)])
def test_a_bar_that_ended_before_the_order_was_made_lets_nothing_go(side: Side, better: float, worse: float) -> None:
    """Bars of before the start come after an order of ``on_start``: their prices can not be traded at any more."""
    limits, gone = held(side, "10")
    limits.on_bar(a_bar_of(better, MADE_NS - 1))
    limits.on_bar(a_bar_of(worse, MADE_NS + MINUTE_NS))
    assert gone == []
    limits.on_bar(a_bar_of(better, MADE_NS + 2 * MINUTE_NS))
    assert gone == [(OrderType.MARKET, None)]
    assert limits.held == {}


def test_a_quote_lets_it_go_whatever_moment_the_venue_gives_it() -> None:
    """A quote that has not changed since before the order is the price there is now."""
    limits, gone = held(Side.BUY, "10")
    limits.on_quote(Quote(INDEX, MADE_NS - MINUTE_NS, 9.98, 10.01))
    assert gone == []
    limits.on_quote(Quote(INDEX, MADE_NS - MINUTE_NS, 9.98, 9.99))
    assert gone == [(OrderType.MARKET, None)]
