"""Fill where an assumed way through the bar meets the order; and that way, which stops and brackets need as well."""

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from engine.domain.market import Bar
from engine.matching.touch import Touch

_TOUCH = Touch()

Rule = Literal["nearest", "high_first", "low_first"]


class Path(Struct, frozen=True, forbid_unknown_fields=True):
    """As ``Touch``, and the orders of one bar fill in the order in which the price met them.

    A bar does not say whether its high or its low came first. ``rule`` decides: ``nearest`` goes to the extreme nearer
    to the open first (a tie: a bar that closes above its open went low first, any other high first); ``high_first`` is
    O-H-L-C and ``low_first`` O-L-H-C for every bar.

    Optimism: the way may have been another, so of two exits in one bar the right one is only likely; in between the
    price is taken to move without gaps, so a stop inside the bar fills at its own price; and as with ``Touch`` there is
    no queue. A purchase and a stop against it are best tested with both fixed rules: the truth lies between.
    """

    rule: Rule = "nearest"

    def path(self, bar: Bar) -> tuple[float, float, float, float]:
        return path_of(bar, self.rule)

    def match(self, buys: bool, limit: Decimal | None, leaves: int, bar: Bar) -> tuple[int, Decimal] | None:
        return _TOUCH.match(buys, limit, leaves, bar)

    reaches = _TOUCH.reaches


def path_of(bar: Bar, rule: Rule = "nearest") -> tuple[float, float, float, float]:
    """Open, one extreme, the other, close."""
    up, down = bar.high - bar.open, bar.open - bar.low
    nearest_high = up < down or (up == down and bar.close <= bar.open)
    if nearest_high if rule == "nearest" else rule == "high_first":
        return bar.open, bar.high, bar.low, bar.close
    return bar.open, bar.low, bar.high, bar.close
