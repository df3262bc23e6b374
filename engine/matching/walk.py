"""Where on a bar's way an order is met: at which distance, and whether that triggers it or fills it."""

from decimal import Decimal
from functools import partial
from typing import NamedTuple

from engine.domain.money import ZERO
from engine.domain.order_types import TRAILING, rises, trail_trigger
from engine.matching.course import Course
from engine.matching.resting import Resting


class Meeting(NamedTuple):
    """``mile`` and ``number`` decide which of several comes first."""

    mile: Decimal
    number: int
    order: Resting
    triggers: bool
    price: Decimal
    """Of the market there."""


def meeting(order: Resting, course: Course, since: Decimal, *, opens_only: bool) -> Meeting | None:
    """The next time an order is met on the way; None: never in this bar.

    Args:
        since: the distance before which it was not there, or has been met already.
        opens_only: it can be filled at the open alone (but triggered anywhere).
    """
    if order.waits:
        found = _trigger(order, course, since)
        # A two-sided order fills at its limit unless the stop is met first.
        filled = _fill(order, course, since, opens_only=opens_only) if order.limit is not None else None
        if filled is not None and (found is None or filled.mile < found.mile):
            return filled
        return found
    return _fill(order, course, since, opens_only=opens_only)


def _fill(order: Resting, course: Course, since: Decimal, *, opens_only: bool) -> Meeting | None:
    if opens_only and since > ZERO:
        return None
    mile: Decimal | None = since
    if order.limit is not None:
        mile = course.reach(order.limit, not order.buys, since)
    if mile is None or (opens_only and mile > ZERO):
        return None
    return Meeting(mile, order.number, order, False, course.at(mile))


def _trigger(order: Resting, course: Course, since: Decimal) -> Meeting | None:
    request = order.request
    if request.type in TRAILING:
        mile, price, _peak = course.trail(order.peak, partial(trail_trigger, request), not order.buys, since)
        if mile is None:
            return None
        return Meeting(mile, order.number, order, True, price)
    assert request.stop_price is not None
    mile = course.reach(request.stop_price, rises(request), since)
    if mile is None:
        return None
    return Meeting(mile, order.number, order, True, course.at(mile))


def follow(order: Resting, course: Course, since: Decimal) -> None:
    """Move the extreme of a trailing order along, at the end of a bar that did not trigger it."""
    request = order.request
    if order.waits and request.type in TRAILING:
        order.peak = course.trail(order.peak, partial(trail_trigger, request), not order.buys, since)[2]
