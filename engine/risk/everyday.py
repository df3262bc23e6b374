"""The order nearly every order of a backtest is, asked once by what the five limits of that profile would ask of it.

A yes here is the yes all five give. Anything else is no answer: then the limits themselves are asked, and they alone
say no. Five checks, each finding the books anew, take twice as long.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from engine.domain.commands import Offset, OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.money import ZERO
from engine.risk.cash import Cash
from engine.risk.cost import purchase_cost
from engine.risk.kill import Kill
from engine.risk.limit import Limit
from engine.risk.market_rules import MarketRules
from engine.risk.sellable import Sellable
from engine.risk.view import RiskView
from engine.risk.well_formed import WellFormed

_LIMITS = {Kill, WellFormed, MarketRules, Sellable, Cash}

# Reading a member off its class is slow in Python 3.11, and these are read for every order of a replay.
_BUY, _SELL, _MARKET, _DAY, _AUTO = Side.BUY, Side.SELL, OrderType.MARKET, TimeInForce.DAY, Offset.AUTO

Passes = Callable[[SubmitOrder, int], Decimal | None]
"""The cash to reserve for an order that passes; None: no answer."""


def everyday(limits: Sequence[Limit], view: RiskView) -> Passes | None:
    """Whether a plain market order passes all of ``limits``; None where other limits than those five are in force.

    What it calls may raise whatever the limits may.
    """
    if {type(limit) for limit in limits} != _LIMITS:
        return None
    portfolio, instruments, books, latches = view.portfolio, view.instruments, view.books, view.latches
    accounts, futures = portfolio.accounts, portfolio.futures

    def passes(order: SubmitOrder, now_ns: int) -> Decimal | None:
        side, quantity, name = order.side, order.quantity, order.instrument
        if order.type is not _MARKET or order.tif is not _DAY or type(quantity) is not int or quantity <= 0:
            return None
        if latches or futures or view.waits is not None or view.strategies is not None:
            return None
        if order.price is not None or order.stop_price is not None or order.offset is not _AUTO:
            return None
        account, instrument = accounts.get(order.account), instruments.get(name)
        if account is None or instrument is None or not order.client_id or not order.strategy:
            return None
        position = account.positions.get(name)
        held = 0 if position is None else position.quantity
        if books[instrument.market].check(order, instrument, now_ns, held) is not None:
            return None
        if side is _SELL:
            free = position is not None and not position.locked and quantity <= held - position.selling
            return ZERO if free else None
        if side is not _BUY:
            return None
        cost = purchase_cost(order, view)
        return cost if cost is not None and cost <= account.available_cash(instrument.currency) else None

    return passes
