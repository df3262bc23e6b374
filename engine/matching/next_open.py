"""Fill at the next bar's open."""

from decimal import Decimal
from typing import ClassVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.domain.market import Bar
from engine.domain.money import exact_price
from engine.matching.fill_model import open_within
from engine.matching.waiting import Floats


class NextOpen(Struct, frozen=True, forbid_unknown_fields=True):
    """In full at the open, if the order accepts that price; else it waits for another open.

    Optimism: any quantity trades at the one printed open, without moving it. Limit orders are judged pessimistically:
    prices inside the bar never fill them. A stop is triggered by any price of the bar, and fills at the open after.
    """

    opens_only: ClassVar[bool] = True

    def match(self, buys: bool, limit: Decimal | None, leaves: int, bar: Bar) -> tuple[int, Decimal] | None:
        if limit is None:
            return leaves, exact_price(bar.open)
        price = open_within(buys, limit, bar)
        return None if price is None else (leaves, price)

    def reaches(self, buys: bool, limit: float, open_: Floats, _high: Floats, _low: Floats) -> NDArray[np.bool_]:
        """Rows whose open a limit accepts."""
        return open_ <= limit if buys else open_ >= limit
