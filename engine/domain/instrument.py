"""What can be traded, and the units it is traded in."""

import enum
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from msgspec import Struct

from engine.domain.ids import InstrumentId
from engine.domain.money import exact


class InstrumentKind(enum.StrEnum):
    STOCK = "stock"
    ETF = "etf"
    INDEX = "index"
    FUTURE = "future"
    BOND = "bond"
    GAME = "game"


class Span(Struct, frozen=True, gc=False):
    """Days from ``first`` to ``last``, both included, as proleptic ordinals; ``last`` 0: to this day and on."""

    first: int
    last: int = 0

    def has(self, day: int) -> bool:
        return self.first <= day and (not self.last or day <= self.last)


class Instrument(Struct, frozen=True, kw_only=True):
    """One instrument; what it is comes from config or a gateway's static data, never from its suffix."""

    id: InstrumentId
    kind: InstrumentKind = InstrumentKind.STOCK
    market: str = "free"
    """Key into ``MARKETS``: whose rule book governs it."""
    currency: str = "CNY"
    lot: int = 1
    tick: Decimal = Decimal("0.01")
    multiplier: int = 1
    name: str = ""
    listed: date | None = None
    """First day of trading; None: long ago, or not known."""
    special: tuple[Span, ...] = ()
    """When it was under special treatment (ST); without any its name tells."""
    same_day: bool = False
    """What is bought today may be sold today where others wait: funds of bonds, gold, money or foreign shares."""
    suspended: tuple[Span, ...] = ()
    """Whole days on which it did not trade."""

    def round_price(self, price: float | Decimal) -> Decimal:
        """The nearest price on the tick grid, half to even.

        Raises:
            ValueError: not finite.
        """
        tick = self.tick
        return ((exact(price) / tick).quantize(Decimal(1), rounding=ROUND_HALF_EVEN) * tick).quantize(tick)
