"""How much of an order meets the market, and at which prices: pure decisions, by the fill rule of the backtest.

A resting order meets a bar as ``engine.matching.Touch`` says, when the bar began after the order came; of the bar in
which it came only the closing price counts. The auctions have one price each. The market shows one touch and no depth:
chance decides how much stands there, and what an order may take beyond it stands a tick further each.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from engine.domain.market import Bar
from engine.domain.money import exact
from engine.matching.touch import Touch
from engine.simulators.counter_books import Entrust

COUNTERPARTY, OWN, FIVE_CANCEL, ALL_CANCEL, FILL_OR_KILL, FIVE_REST = 1, 2, 3, 4, 5, 6
"""Market strategies of contracts/easyths.md 3."""
STRATEGIES = {
    "SH": frozenset({COUNTERPARTY, OWN, FIVE_CANCEL, FIVE_REST}),
    "SZ": frozenset({COUNTERPARTY, OWN, FIVE_CANCEL, ALL_CANCEL, FILL_OR_KILL}),
    "BJ": frozenset({COUNTERPARTY, OWN, FIVE_CANCEL, FIVE_REST}),
}
"""Those each exchange has (trading rules of SSE and SZSE, both 2023-02-17, and of BSE, 2021-11-15)."""
LEVELS = {COUNTERPARTY: 1, FIVE_CANCEL: 5, ALL_CANCEL: 10, FILL_OR_KILL: 10, FIVE_REST: 5}
"""Price levels an order may take; 10 stand for all."""
_TOUCH = Touch()

Part = Callable[[int], int]
"""Units wanted -> units that stand at one level."""


class View(NamedTuple):
    """What the last step of the exchange left: best bid and ask, last price."""

    bid: float
    ask: float
    last: float


Fills = list[tuple[int, Decimal]]


def point(bar: Bar, price: float) -> Bar:
    """A bar of one price alone."""
    return Bar(bar.instrument, bar.ts_ns, price, price, price, price, bar.volume, bar.interval_ns)


def bar_fill(entrust: Entrust, bar: Bar) -> Decimal | None:
    """The price at which a resting order meets a bar; None: it goes on resting."""
    assert entrust.arrived_ns is not None
    shown = bar if bar.start_ns >= entrust.arrived_ns else point(bar, bar.close)
    found = _TOUCH.match(entrust.buys, entrust.limit, entrust.leaves, shown)
    return None if found is None else found[1]


def auction_fill(entrust: Entrust, price: float) -> Decimal | None:
    """The price of an auction, for an order that accepts it."""
    at = exact(price)
    return at if (entrust.limit >= at if entrust.buys else entrust.limit <= at) else None


def arrival_fills(entrust: Entrust, view: View, part: Part) -> Fills:
    """What an order takes as it comes to the book in continuous trading."""
    touch = exact(view.ask if entrust.buys else view.bid)
    if entrust.strategy == OWN:
        return []
    if not entrust.market:
        reached = entrust.limit >= touch if entrust.buys else entrust.limit <= touch
        return [(part(entrust.leaves), touch)] if reached else []
    fills, leaves = [], entrust.leaves
    for level in range(LEVELS[entrust.strategy]):
        step = entrust.share.tick * level
        price = touch + step if entrust.buys else touch - step
        beyond = price > entrust.limit if entrust.buys else price < entrust.limit
        if beyond or not leaves:
            break
        taken = part(leaves)
        fills.append((taken, price))
        leaves -= taken
    return [] if leaves and entrust.strategy == FILL_OR_KILL else fills


def resting_price(entrust: Entrust, view: View, fills: Fills) -> Decimal | None:
    """The price at which the rest of a market order goes on as a limit order; None: it is withdrawn."""
    touch = exact(view.ask if entrust.buys else view.bid)
    match entrust.strategy:
        case 1:
            return touch
        case 2:
            return exact(view.bid if entrust.buys else view.ask)
        case 6:
            # The exchange turns what five levels leave into a limit order at the last price it got (SSE).
            return fills[-1][1] if fills else None
        case _:
            return None
