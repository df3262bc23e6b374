"""The way out counts requests as the venue does: from leaving until a whole span after the answer."""

from engine.domain.ids import AccountId
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.risk.orders_per_second import OrdersPerSecond
from engine.risk.symbol_orders_per_minute import SymbolOrdersPerMinute
from engine.runtime.pace import RETRY_NS, Pace
from tests.core_builders import ACCOUNT, a_command

FREE = {AccountId(ACCOUNT): 1000}


def test_the_venues_own_pace_holds_whatever_the_limits_say() -> None:
    """Two a minute: the third waits until a minute after the first was answered."""
    pace = Pace((), {ACCOUNT: 2})
    for second in (0, 10):
        assert pace.wait_ns(a_command(), second * SECOND_NS) == 0
        pace.leaves(a_command()).over_ns = (second + 1) * SECOND_NS
    assert pace.wait_ns(a_command(), 20 * SECOND_NS) == 41 * SECOND_NS
    assert pace.wait_ns(a_command(), 61 * SECOND_NS) == 0


def test_a_request_under_way_weighs_until_it_is_over() -> None:
    """Nobody knows when the venue will count it: not before its answer."""
    pace = Pace((), {ACCOUNT: 1})
    departure = pace.leaves(a_command())
    assert pace.wait_ns(a_command(), 10 * MINUTE_NS) == RETRY_NS
    departure.over_ns = 10 * MINUTE_NS
    assert pace.wait_ns(a_command(), 10 * MINUTE_NS) == MINUTE_NS


def test_every_rate_limit_counts_in_its_own_scope() -> None:
    """A symbol that has used up its minute holds no other symbol back; a second's cap holds back both."""
    pace = Pace((OrdersPerSecond(cap=2), SymbolOrdersPerMinute(cap=1)), FREE)
    one, other = a_command(instrument="CY.VSM"), a_command(instrument="DL.VSM")
    pace.leaves(one).over_ns = 0
    assert pace.wait_ns(one, 2 * SECOND_NS) == MINUTE_NS - 2 * SECOND_NS
    assert pace.wait_ns(other, 2 * SECOND_NS) == 0
    pace.leaves(other).over_ns = 2 * SECOND_NS
    pace.leaves(a_command(instrument="ZY.VSM")).over_ns = 2 * SECOND_NS
    assert pace.wait_ns(a_command(instrument="HN.VSM"), 2 * SECOND_NS) == SECOND_NS
