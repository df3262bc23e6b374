"""The way a price goes through a bar, measured by the distance it has travelled.

Between its four points the price is taken to move without gaps; at the open it may have jumped there.
"""

from collections.abc import Callable
from decimal import Decimal

from engine.domain.market import Bar
from engine.domain.money import ZERO, exact


class Course:
    """One bar's way. A *mile* is the distance travelled since the open, in price units."""

    __slots__ = ("miles", "points")

    def __init__(self, path: tuple[float, float, float, float]) -> None:
        self.points = tuple(exact(price) for price in path)
        miles = [ZERO]
        for before, after in zip(self.points, self.points[1:], strict=False):
            miles.append(miles[-1] + abs(after - before))
        self.miles = tuple(miles)

    def at(self, mile: Decimal) -> Decimal:
        """The price after a distance."""
        points, miles = self.points, self.miles
        for k in range(1, len(points)):
            if mile <= miles[k]:
                gone = mile - miles[k - 1]
                return points[k - 1] + (gone if points[k] >= points[k - 1] else -gone)
        return points[-1]

    def reach(self, price: Decimal, rises: bool, since: Decimal) -> Decimal | None:
        """After which distance, ``since`` or more, the price is at ``price`` or beyond; None: never.

        Args:
            rises: beyond is above.
        """
        here = self.at(since)
        if here >= price if rises else here <= price:
            return since
        for k in range(1, len(self.points)):
            before, after, mile = self.points[k - 1], self.points[k], self.miles[k - 1]
            if self.miles[k] > since and (before < price <= after if rises else before > price >= after):
                return mile + abs(price - before)
        return None

    def trail(
        self, peak: Decimal | None, trigger_of: Callable[[Decimal], Decimal], falls: bool, since: Decimal
    ) -> tuple[Decimal | None, Decimal, Decimal]:
        """A trigger that follows the price: (where it is met or None, at which price, the extreme by then).

        Args:
            peak: the extreme so far; None takes the price at ``since``.
            trigger_of: the trigger that belongs to an extreme.
            falls: the trigger lies below the extreme (a sale's).
        """
        price = self.at(since)
        if peak is None:
            peak = price
        trigger = trigger_of(peak)
        if price <= trigger if falls else price >= trigger:
            return since, price, peak
        for k in range(1, len(self.points)):
            before, after = self.points[k - 1], self.points[k]
            if self.miles[k] <= since:
                continue
            peak = max(peak, price, after) if falls and after > before else peak
            peak = min(peak, price, after) if not falls and after < before else peak
            trigger = trigger_of(peak)
            if (after <= trigger < before) if falls else (after >= trigger > before):
                return self.miles[k - 1] + abs(before - trigger), trigger, peak
        return None, ZERO, peak

    def rest(self, mile: Decimal, bar: Bar) -> Bar:
        """What is left of the bar from there on, its open being the price there."""
        here = self.at(mile)
        left = [here, *(p for p, m in zip(self.points, self.miles, strict=True) if m >= mile)]
        return Bar(
            bar.instrument, bar.ts_ns, float(here), float(max(left)), float(min(left)), bar.close, bar.volume,
            bar.interval_ns,
        )  # fmt: skip
