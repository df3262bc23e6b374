"""Fill at the open, or at the limit when the bar touches it."""

from decimal import Decimal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.domain.market import Bar
from engine.matching.fill_model import open_within, touched
from engine.matching.waiting import Floats


class Touch(Struct, frozen=True, forbid_unknown_fields=True):
    """At the open if it is within the limit; else at the limit, in full, if the bar's range reaches it.

    Optimism: a price that was touched fills everything, though a real order would have had a queue before it.
    """

    def match(self, buys: bool, limit: Decimal | None, leaves: int, bar: Bar) -> tuple[int, Decimal] | None:
        price = open_within(buys, limit, bar)
        if price is None and limit is not None and touched(buys, limit, bar):
            price = limit
        return None if price is None else (leaves, price)

    def reaches(self, buys: bool, limit: float, _open: Floats, high: Floats, low: Floats) -> NDArray[np.bool_]:
        """Rows whose range reaches a limit."""
        return low <= limit if buys else high >= limit
