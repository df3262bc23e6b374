"""Futures positions: long and short apart, each as the lots it was opened in, and the margin they tie up.

Nothing is bought with a future: opening moves no cash but the fee, closing moves the difference to the price it was
opened at. So cash plus what open lots have gained is what was paid in, to the last digit; a test proves it. What a lot
has gained is not paid out each evening as the exchange does: it is in the equity from the first tick, and only a loss
is kept from what may be spent.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from engine.domain.commands import Offset
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO


class MarginRules(Protocol):
    """What the books ask of a futures market."""

    def margin_rate(self, instrument: Instrument, ts_ns: int) -> Decimal:
        """The part of its value that an open position ties up."""

    def trading_day(self, ts_ns: int) -> int: ...

    def names_today(self, instrument: Instrument) -> bool:
        """Whether ``CLOSE`` means lots of earlier days alone, and today's are closed by ``CLOSE_TODAY``."""


class Lot(Struct, gc=False):
    """Opened on a trading day at a price."""

    day: int
    quantity: int
    price: Decimal


class Split(Struct, frozen=True, gc=False):
    """What a fill does: so many opened, so many of earlier days closed, so many of today's."""

    opened: int = 0
    closed: int = 0
    closed_today: int = 0


class Legs:
    """One instrument of one account."""

    __slots__ = ("long", "margin", "short")

    def __init__(self) -> None:
        self.long: deque[Lot] = deque()
        self.short: deque[Lot] = deque()
        self.margin = ZERO
        """What it ties up, as the books last reckoned it."""

    def closable(self, buys: bool, offset: Offset, day: int, names_today: bool) -> int:
        """Units of the other side that an order of this offset may close."""
        return sum(lot.quantity for lot in self._meant(buys, offset, day, names_today))

    def split(self, buys: bool, quantity: int, offset: Offset, day: int, names_today: bool) -> Split:
        """What ``take`` would do; oldest lots first (先开先平)."""
        left, closed, today = quantity, 0, 0
        for lot in self._meant(buys, offset, day, names_today):
            part = min(left, lot.quantity)
            closed, today = (closed, today + part) if lot.day == day else (closed + part, today)
            left -= part
        return Split(left, closed, today)

    def take(
        self, buys: bool, quantity: int, price: Decimal, offset: Offset, day: int, names_today: bool
    ) -> tuple[Split, Decimal]:
        """Book a fill; gives back what it did and the price difference it made real, per unit of the multiplier."""
        done = self.split(buys, quantity, offset, day, names_today)
        left, gained = quantity - done.opened, ZERO
        other = self.short if buys else self.long
        for lot in list(self._meant(buys, offset, day, names_today)):
            part = min(left, lot.quantity)
            if not part:
                break
            gained += (lot.price - price if buys else price - lot.price) * part
            lot.quantity -= part
            left -= part
        for lot in [lot for lot in other if not lot.quantity]:
            other.remove(lot)
        if done.opened:
            (self.long if buys else self.short).append(Lot(day, done.opened, price))
        return done, gained

    @property
    def quantity(self) -> int:
        """Long less short."""
        return _units(self.long) - _units(self.short)

    @property
    def basis(self) -> Decimal:
        """What the net position was opened at: price x quantity, short ones below 0."""
        return _worth(self.long) - _worth(self.short)

    @property
    def gross(self) -> Decimal:
        """Price x quantity of both sides: what margin is reckoned on."""
        return _worth(self.long) + _worth(self.short)

    def _meant(self, buys: bool, offset: Offset, day: int, names_today: bool) -> Iterable[Lot]:
        lots = self.short if buys else self.long
        match offset:
            case Offset.OPEN:
                return ()
            case Offset.CLOSE_TODAY:
                return [lot for lot in lots if lot.day == day]
            case Offset.CLOSE if names_today:
                return [lot for lot in lots if lot.day != day]
            case _:
                return lots


def _units(lots: Iterable[Lot]) -> int:
    return sum(lot.quantity for lot in lots)


def _worth(lots: Iterable[Lot]) -> Decimal:
    return sum((lot.price * lot.quantity for lot in lots), ZERO)
