"""Futures in a backtest: what a fill costs by what it opens and closes, and rolls of the main contract."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from engine.data.main_contract import Roll
from engine.domain.commands import Offset, Side, SubmitOrder
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.timestamps import DAY_NS, HOUR_NS
from engine.markets.rulebook import RuleBook, TradesFutures
from engine.portfolio import Portfolio
from engine.runtime.wiring import Core

NEVER_NS = 2**62
EPOCH_ORDINAL = 719_163
"""1970-01-01."""


def futures_fee(
    portfolio: Portfolio,
    instruments: Mapping[InstrumentId, Instrument],
    books: Mapping[str, RuleBook],
    order: SubmitOrder,
    quantity: int,
    price: Decimal,
    ts_ns: int,
) -> Decimal:
    """Of one fill, before it is booked."""
    instrument = instruments[order.instrument]
    book = books[instrument.market]
    assert isinstance(book, TradesFutures)
    what = (order.instrument, order.side.sign > 0, quantity, order.offset)
    split = portfolio.split(order.account, what, ts_ns)
    return book.futures_fee(instrument, price, split.opened, split.closed, split.closed_today, ts_ns)


class Rolling:
    """Moves what strategies hold from one main contract to the next, by orders that anybody can see.

    On the day of a roll, at the first minute the new contract trades (its night, where it has one), every strategy that
    holds the old one closes it at the market and opens as much of the new one, through all checks, and pays for both.
    """

    def __init__(self, rolls: Sequence[Roll], core: Core) -> None:
        self.main: dict[str, InstrumentId] = {}
        """Product -> its main contract now, as strategies see it."""
        self._core = core
        self._due = sorted(((self._when(roll), roll) for roll in rolls), key=lambda row: (row[0], row[1].product))
        self.due_ns = self._due[0][0] if self._due else NEVER_NS
        for seat in core.runner.seats.values():
            seat.context.mains = self.main

    def turn(self, now_ns: int) -> None:
        """Make the changes that are due."""
        while self._due and self._due[0][0] <= now_ns:
            _, roll = self._due.pop(0)
            self.main[roll.product] = roll.after
            if roll.before:
                self._move(roll)
        self.due_ns = self._due[0][0] if self._due else NEVER_NS

    def _when(self, roll: Roll) -> int:
        instrument = self._core.instruments[roll.after]
        book = self._core.books[instrument.market]
        # A trading day may begin in an evening days before it: go back hour by hour to where it does.
        ts_ns = (roll.day - EPOCH_ORDINAL) * DAY_NS
        while book.trading_day(ts_ns - HOUR_NS) == roll.day:
            ts_ns -= HOUR_NS
        if isinstance(book, TradesFutures):
            opens_ns = book.opens_ns(instrument, ts_ns)
            return NEVER_NS if opens_ns is None else opens_ns
        return ts_ns

    def _move(self, roll: Roll) -> None:
        for seat in self._core.runner.seats.values():
            held = self._core.portfolio.strategy_quantity(seat.name, roll.before)
            if not held:
                continue
            closes, opens = (Side.SELL, Side.BUY) if held > 0 else (Side.BUY, Side.SELL)
            group = f"roll {roll.product}"
            seat.context.submit(closes, roll.before, abs(held), offset=Offset.AUTO, group=group)
            seat.context.submit(opens, roll.after, abs(held), offset=Offset.OPEN, group=group)
