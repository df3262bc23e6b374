"""The order nearly every order of a backtest is, asked once by what the five limits of that profile would ask of it.

A yes here is the yes all five give. Anything else is no answer: then the limits themselves are asked, and they alone
say no. Five checks, each finding the books anew, take twice as long.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from engine.domain.commands import Offset, OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.risk.cash import Cash
from engine.risk.cost import cost_at
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


Judges = Callable[[SubmitOrder, Instrument, int], Decimal | None]


def everyday(limits: Sequence[Limit], view: RiskView) -> Passes | None:
    """Whether a plain market order passes all of ``limits``; None where other limits than those five are in force.

    What it calls may raise whatever the limits may.
    """
    if {type(limit) for limit in limits} != _LIMITS:
        return None
    instruments, accounts, futures = view.instruments, view.portfolio.accounts, view.portfolio.futures
    judged = judges(view)

    def passes(order: SubmitOrder, now_ns: int) -> Decimal | None:
        if order.type is not _MARKET or order.tif is not _DAY:
            return None
        if order.price is not None or order.stop_price is not None or order.offset is not _AUTO:
            return None
        if futures or view.waits is not None or view.strategies is not None:
            return None
        instrument = instruments.get(order.instrument)
        if instrument is None or order.account not in accounts or not order.client_id or not order.strategy:
            return None
        cost = judged(order, instrument, now_ns)
        if cost is not None and order.side is _BUY:
            view.cost_memo = (order, view.marks.latest.get(order.instrument), cost)
        return cost

    return passes


def judges(view: RiskView) -> Judges:
    """``everyday`` of an order that is known to be a plain one of a known account, in a run without futures."""
    books, accounts, latches = view.books, view.portfolio.accounts, view.latches

    def judged(order: SubmitOrder, instrument: Instrument, now_ns: int) -> Decimal | None:
        side, quantity = order.side, order.quantity
        if latches or type(quantity) is not int or quantity <= 0:
            return None
        account = accounts[order.account]
        position = account.positions.get(instrument.id)
        held = 0 if position is None else position.quantity
        if books[instrument.market].check(order, instrument, now_ns, held) is not None:
            return None
        if side is _SELL:
            free = position is not None and not position.locked and quantity <= held - position.selling
            return ZERO if free else None
        price = view.reference(instrument.id) if side is _BUY else None
        if price is None:
            return None
        cost = cost_at(price, order, instrument, view)
        return cost if cost <= account.available_cash(instrument.currency) else None

    return judged
